/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rdac hardware handler of several maps, whose LUNs lose their controller at the same time: one
 * MODE SELECT moves them all.
 */
#include <assert.h>

#include "unit/lib/talk.h"

extern const struct hw_handler_type rdac_handler;

#define NEXUS	    7
#define NR_MAPS	    4
#define PAUSE_NS    20000000ull
#define LOCK_NS	    200000000ull
#define NR_NEXUSES  32
#define TURNS_MAX   3000
#define AT_EXPANDED 50
#define AT_SHORT    44
#define LUN_OF(map) (10 + (map))

static struct talk maps[NR_MAPS];

/* A map whose LUN @lun of @nexus has lost its controller: it is about to ask for it. */
static enum hw_result wants(struct talk *t, uint64_t nexus, uint8_t lun, uint8_t max_lun)
{
	const uint8_t lun_page[175] = {0, 0xc8, 0, 171, 'e', 'd', 'i', 'd', [174] = lun};
	const uint8_t features[20] = {0, 0xc2, 0, 16, 's', 'w', 'r', '4', [15] = max_lun};
	const uint8_t owner[48] = {0, 0xc9, 0, 44, 'v', 'a', 'c', 'e'};

	talk_init(t, &rdac_handler);
	t->paths[0].facts.nexus = nexus;
	assert(talk_attach(t, 0, "NETAPP  INF-01-00", 0));
	assert(talk_begin(t, 0, HW_ACTIVATE) == HW_SEND);
	assert(talk_good(t, lun_page, sizeof(lun_page)) == HW_SEND);
	assert(talk_good(t, features, sizeof(features)) == HW_SEND);
	return talk_good(t, owner, sizeof(owner));
}

static enum hw_result map_wants(unsigned int map)
{
	return wants(&maps[map], NEXUS, LUN_OF(map), 255);
}

/* The first map asks, and all others have to wait for that. */
static void all_want(void)
{
	assert(map_wants(0) == HW_SEND);
	for (unsigned int i = 1; i < NR_MAPS; i++)
		assert(map_wants(i) == HW_WAIT && maps[i].wait_ns == PAUSE_NS);
}

/* It asks for these LUNs, and no others; a negative one ends the list. */
static void expect_asked(const struct talk *t, const int *luns)
{
	bool expanded = t->cmd.cdb[0] == 0x55;
	size_t at = expanded ? AT_EXPANDED : AT_SHORT;
	size_t nr = expanded ? 256 : 32;

	assert(expanded || t->cmd.cdb[0] == 0x15);
	assert(t->cmd.dir == SCSI_DATA_OUT);
	for (size_t lun = 0; lun < nr; lun++) {
		const int *wanted = luns;

		while (*wanted >= 0 && (size_t)*wanted != lun)
			wanted++;
		assert(t->data[at + lun] == (*wanted >= 0 ? 0x81 : 0));
	}
}

#define EXPECT_ASKED(t, ...) expect_asked(t, (const int[]){__VA_ARGS__, -1})

/* Whatever has been: there is nothing left of it for who comes next. */
static void expect_nothing_left(void)
{
	struct talk t;

	assert(wants(&t, NEXUS, 200, 255) == HW_SEND);
	EXPECT_ASKED(&t, 200);
	assert(talk_good(&t, NULL, 0) == HW_DONE);
}

static void nobody_waits_for_others_to_come(void)
{
	all_want();
	EXPECT_ASKED(&maps[0], 10);
	assert(talk_waited(&maps[2]) == HW_WAIT); /* that is not answered yet */
	assert(talk_good(&maps[0], NULL, 0) == HW_DONE);
	assert(talk_waited(&maps[2]) == HW_SEND);
	EXPECT_ASKED(&maps[2], 11, 12, 13);
	assert(talk_waited(&maps[1]) == HW_WAIT);
	assert(talk_good(&maps[2], NULL, 0) == HW_DONE);
	assert(talk_waited(&maps[1]) == HW_DONE);
	assert(talk_waited(&maps[3]) == HW_DONE);
	expect_nothing_left();
}

static void who_has_its_lun_back_can_lose_it_again(void)
{
	all_want();
	assert(talk_good(&maps[0], NULL, 0) == HW_DONE);
	assert(talk_waited(&maps[1]) == HW_SEND);
	assert(talk_good(&maps[1], NULL, 0) == HW_DONE);
	assert(talk_waited(&maps[2]) == HW_DONE);
	assert(map_wants(2) == HW_SEND);
	EXPECT_ASKED(&maps[2], 12); /* map 3 was told, and has not looked yet */
	assert(talk_waited(&maps[3]) == HW_DONE);
	assert(talk_good(&maps[2], NULL, 0) == HW_DONE);
	expect_nothing_left();
}

/* LUN numbers are those of an initiator port and a target port. */
static void others_have_other_numbers(void)
{
	assert(map_wants(0) == HW_SEND);
	assert(wants(&maps[1], NEXUS + 1, 11, 255) == HW_SEND);
	EXPECT_ASKED(&maps[1], 11);
	assert(wants(&maps[2], 0, 12, 255) == HW_SEND); /* nobody knows whose they are */
	EXPECT_ASKED(&maps[2], 12);
	assert(wants(&maps[3], 0, 13, 255) == HW_SEND);
	EXPECT_ASKED(&maps[3], 13);
	for (unsigned int i = 0; i < NR_MAPS; i++)
		assert(talk_good(&maps[i], NULL, 0) == HW_DONE);
	expect_nothing_left();
}

/* A LUN that the short page has no room for is never in one. */
static void each_form_of_the_page_for_itself(void)
{
	struct talk *t = maps;

	assert(wants(&t[0], NEXUS, 1, 31) == HW_SEND);
	assert(wants(&t[1], NEXUS, 2, 31) == HW_WAIT);
	assert(wants(&t[2], NEXUS, 40, 255) == HW_SEND);
	EXPECT_ASKED(&t[2], 40);
	assert(talk_good(&t[0], NULL, 0) == HW_DONE);
	assert(talk_waited(&t[1]) == HW_SEND);
	EXPECT_ASKED(&t[1], 2);
	assert(talk_good(&t[1], NULL, 0) == HW_DONE);
	assert(talk_good(&t[2], NULL, 0) == HW_DONE);
	expect_nothing_left();
}

/* Who asks for all loses its path, or is not asked for its own opinion any more: the next one asks.
 */
static void the_others_go_on_without_it(void)
{
	all_want();
	assert(talk_good(&maps[0], NULL, 0) == HW_DONE);
	assert(talk_waited(&maps[1]) == HW_SEND);
	assert(talk_transport(&maps[1], TRANSPORT_LOST) == HW_FAIL_PATH);
	assert(talk_waited(&maps[2]) == HW_SEND);
	EXPECT_ASKED(&maps[2], 12, 13);
	talk_end(&maps[2]);
	assert(talk_waited(&maps[3]) == HW_SEND);
	EXPECT_ASKED(&maps[3], 13);
	assert(talk_good(&maps[3], NULL, 0) == HW_DONE);
	expect_nothing_left();
}

/* A map that waits gives up: its LUN stays where it is. */
static void who_has_left_is_not_asked_for(void)
{
	all_want();
	talk_end(&maps[1]);
	assert(talk_good(&maps[0], NULL, 0) == HW_DONE);
	assert(talk_waited(&maps[2]) == HW_SEND);
	EXPECT_ASKED(&maps[2], 12, 13);
	assert(talk_sense(&maps[2], 0x05, 0x91, 0x36) == HW_WAIT);
	talk_end(&maps[3]);
	assert(talk_waited(&maps[2]) == HW_SEND);
	EXPECT_ASKED(&maps[2], 12);
	assert(talk_good(&maps[2], NULL, 0) == HW_DONE);
	expect_nothing_left();
}

/* While the array moves those of others, the list grows, and stays with who has it. */
static void the_command_lock_is_taken(void)
{
	assert(map_wants(0) == HW_SEND);
	assert(talk_sense(&maps[0], 0x05, 0x91, 0x36) == HW_WAIT && maps[0].wait_ns == LOCK_NS);
	assert(map_wants(1) == HW_WAIT);
	assert(talk_waited(&maps[1]) == HW_WAIT);
	assert(talk_waited(&maps[0]) == HW_SEND);
	EXPECT_ASKED(&maps[0], 10, 11);
	assert(map_wants(2) == HW_WAIT);
	assert(talk_sense(&maps[0], 0x06, 0x29, 0x00) == HW_WAIT);
	assert(talk_waited(&maps[0]) == HW_SEND);
	EXPECT_ASKED(&maps[0], 10, 11, 12);
	assert(talk_good(&maps[0], NULL, 0) == HW_DONE);
	assert(talk_waited(&maps[1]) == HW_DONE);
	assert(talk_waited(&maps[2]) == HW_DONE);
	expect_nothing_left();
}

/* It stays taken: who has asked all the time leaves it to the others. */
static void the_command_lock_stays_taken(void)
{
	int i;

	all_want();
	for (i = 0; i < 300; i++) {
		assert(talk_sense(&maps[0], 0x05, 0x91, 0x36) == HW_WAIT);
		assert(talk_waited(&maps[0]) == HW_SEND);
	}
	assert(talk_sense(&maps[0], 0x05, 0x91, 0x36) == HW_RETRY);
	assert(talk_waited(&maps[1]) == HW_SEND);
	EXPECT_ASKED(&maps[1], 11, 12, 13);
	assert(talk_good(&maps[1], NULL, 0) == HW_DONE);
	assert(talk_waited(&maps[2]) == HW_DONE);
	assert(talk_waited(&maps[3]) == HW_DONE);
	expect_nothing_left();
}

/* One of the LUNs is to blame, and the array does not say which: each for itself, then. */
static void what_is_refused_is_asked_for_one_by_one(void)
{
	all_want();
	assert(talk_good(&maps[0], NULL, 0) == HW_DONE);
	assert(talk_waited(&maps[1]) == HW_SEND);
	EXPECT_ASKED(&maps[1], 11, 12, 13);
	assert(talk_sense(&maps[1], 0x05, 0x26, 0x00) == HW_SEND);
	EXPECT_ASKED(&maps[1], 11);
	assert(talk_waited(&maps[2]) == HW_SEND);
	EXPECT_ASKED(&maps[2], 12);
	assert(talk_waited(&maps[3]) == HW_SEND);
	EXPECT_ASKED(&maps[3], 13);
	assert(talk_good(&maps[1], NULL, 0) == HW_DONE);
	assert(talk_sense(&maps[2], 0x05, 0x26, 0x00) == HW_FAIL_PATH);
	assert(talk_sense(&maps[3], 0x05, 0x91, 0x36) == HW_WAIT);
	assert(talk_waited(&maps[3]) == HW_SEND);
	EXPECT_ASKED(&maps[3], 13);
	assert(talk_good(&maps[3], NULL, 0) == HW_DONE);
	expect_nothing_left();
}

/* Nobody waits for ever for somebody else. */
static void who_asks_does_not_come_back(void)
{
	int i;

	all_want();
	for (i = 1; i < TURNS_MAX; i++)
		assert(talk_waited(&maps[1]) == HW_WAIT);
	assert(talk_waited(&maps[1]) == HW_RETRY);
	talk_end(&maps[0]);
	assert(talk_waited(&maps[2]) == HW_SEND);
	EXPECT_ASKED(&maps[2], 12, 13);
	assert(talk_good(&maps[2], NULL, 0) == HW_DONE);
	assert(talk_waited(&maps[3]) == HW_DONE);
	expect_nothing_left();
}

/* The same LUN through the same ports in two maps: odd, but each is told what is true. */
static void two_maps_have_the_same_lun(void)
{
	for (unsigned int i = 0; i < 3; i++)
		assert(map_wants(i) == (i ? HW_WAIT : HW_SEND));
	assert(wants(&maps[3], NEXUS, LUN_OF(2), 255) == HW_WAIT);
	talk_end(&maps[2]);
	assert(talk_good(&maps[0], NULL, 0) == HW_DONE);
	assert(talk_waited(&maps[3]) == HW_SEND);
	assert(maps[3].data[AT_EXPANDED + LUN_OF(2)] == 0x81);
	assert(talk_good(&maps[3], NULL, 0) == HW_DONE);
	assert(talk_waited(&maps[1]) == HW_DONE);
}

/* More controllers at the same time than there is room for: those wait for the command lock. */
static void many_controllers(void)
{
	static struct talk others[NR_NEXUSES];
	unsigned int i;

	for (i = 0; i < NR_NEXUSES; i++)
		assert(wants(&others[i], 100 + i, 1, 255) == HW_SEND);
	assert(map_wants(0) == HW_SEND);
	assert(map_wants(1) == HW_SEND);
	EXPECT_ASKED(&maps[1], 11);
	for (i = 0; i < NR_NEXUSES; i++)
		assert(talk_good(&others[i], NULL, 0) == HW_DONE);
	assert(talk_good(&maps[0], NULL, 0) == HW_DONE);
	assert(talk_good(&maps[1], NULL, 0) == HW_DONE);
	all_want();
	for (i = 0; i < NR_MAPS; i++)
		talk_end(&maps[i]);
	expect_nothing_left();
}

int main(void)
{
	nobody_waits_for_others_to_come();
	who_has_its_lun_back_can_lose_it_again();
	others_have_other_numbers();
	each_form_of_the_page_for_itself();
	the_others_go_on_without_it();
	who_has_left_is_not_asked_for();
	the_command_lock_is_taken();
	the_command_lock_stays_taken();
	what_is_refused_is_asked_for_one_by_one();
	who_asks_does_not_come_back();
	two_maps_have_the_same_lun();
	many_controllers();
	return 0;
}
