/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rdac hardware handler: who owns the LUN, and MODE SELECT in its two forms.
 */
#include <assert.h>

#include "unit/lib/talk.h"

extern const struct hw_handler_type rdac_handler;

#define OURS   0x01
#define THEIRS 0x00
#define AVT    0x80
#define IOSHIP 0x20

static const uint8_t ask_lun[6] = {0x12, 1, 0xc8, 0, 175, 0};
static const uint8_t ask_features[6] = {0x12, 1, 0xc2, 0, 255, 0};
static const uint8_t ask_owner[6] = {0x12, 1, 0xc9, 0, 48, 0};
static const uint8_t select_6[6] = {0x15, 0, 0, 0, 110, 0};
static const uint8_t select_10[10] = {0x55, [7] = 0x01, [8] = 0x34};

static enum hw_result lun(struct talk *t, uint8_t number)
{
	uint8_t page[175] = {0, 0xc8, 0, 171, 'e', 'd', 'i', 'd', [174] = number};

	return talk_good(t, page, sizeof(page));
}

static enum hw_result features(struct talk *t, uint8_t max_lun)
{
	uint8_t page[255] = {0, 0xc2, 0, 251, 's', 'w', 'r', '4', [15] = max_lun};

	return talk_good(t, page, sizeof(page));
}

static enum hw_result owner_and_priority(struct talk *t, uint8_t flags, uint8_t priority)
{
	uint8_t page[48] = {0, 0xc9, 0, 44, 'v', 'a', 'c', 'e', flags, priority};

	return talk_good(t, page, sizeof(page));
}

static enum hw_result owner(struct talk *t, uint8_t flags)
{
	return owner_and_priority(t, flags, 0);
}

static void start(struct talk *t, uint8_t number, uint8_t max_lun)
{
	talk_init(t, &rdac_handler);
	assert(talk_attach(t, 0, "IBM     1746", 0));
	assert(t->paths[0].hw_explicit);
	assert(talk_begin(t, 0, HW_ACTIVATE) == HW_SEND);
	talk_expect(t, ask_lun, 6, SCSI_DATA_IN, 175);
	assert(lun(t, number) == HW_SEND);
	talk_expect(t, ask_features, 6, SCSI_DATA_IN, 255);
	assert(features(t, max_lun) == HW_SEND);
	talk_expect(t, ask_owner, 6, SCSI_DATA_IN, 48);
}

/* The array's own manual move, byte by byte. */
static void expect_short(const struct talk *t, uint8_t number)
{
	uint8_t data[110] = {[4] = 0x2c, [5] = 0x68, [39] = 0x02, [42] = 20, [43] = 0x02};

	data[44 + number] = 0x81;
	talk_expect(t, select_6, 6, SCSI_DATA_OUT, 110);
	assert(!memcmp(t->data, data, sizeof(data)) && t->cmd.timeout_ms == 60000);
}

static void expect_expanded(const struct talk *t, uint8_t number)
{
	uint8_t data[308] = {[8] = 0x6c,  [9] = 0x01, [10] = 0x01, [11] = 0x28,
			     [45] = 0x02, [48] = 20,  [49] = 0x02};

	data[50 + number] = 0x81;
	talk_expect(t, select_10, 10, SCSI_DATA_OUT, 308);
	assert(!memcmp(t->data, data, sizeof(data)) && t->cmd.timeout_ms == 60000);
}

static void test_owned_already(void)
{
	struct talk t;

	start(&t, 5, 255);
	assert(owner(&t, OURS) == HW_DONE);
	/* LUN and form are known from then on. */
	assert(talk_begin(&t, 0, HW_ACTIVATE) == HW_SEND);
	talk_expect(&t, ask_owner, 6, SCSI_DATA_IN, 48);
	assert(owner(&t, AVT) == HW_DONE); /* moves by itself */
}

/* Both controllers serve the LUN, so it is only moved to the one that the array prefers. */
static void test_ioship(void)
{
	struct talk t;

	start(&t, 5, 255);
	assert(owner_and_priority(&t, IOSHIP, 0) == HW_DONE);
	start(&t, 5, 255);
	assert(owner_and_priority(&t, IOSHIP | OURS, 0) == HW_DONE);
	start(&t, 5, 255);
	assert(owner_and_priority(&t, IOSHIP | OURS, 1) == HW_DONE);
	start(&t, 5, 255);
	assert(owner_and_priority(&t, IOSHIP, 1) == HW_SEND);
	expect_expanded(&t, 5);
	start(&t, 5, 255);
	assert(owner_and_priority(&t, IOSHIP | AVT, 1) == HW_SEND);

	/* Without it the preference is of no account. */
	start(&t, 5, 255);
	assert(owner_and_priority(&t, AVT, 1) == HW_DONE);
	start(&t, 5, 255);
	assert(owner_and_priority(&t, THEIRS, 0) == HW_SEND);
	/* An old page ends before it. */
	start(&t, 5, 255);
	assert(talk_good(&t, (const uint8_t[9]){0, 0xc9, [8] = IOSHIP}, 9) == HW_DONE);
}

static void test_the_move(void)
{
	struct talk t;

	start(&t, 5, 31);
	assert(owner(&t, THEIRS) == HW_SEND);
	expect_short(&t, 5);
	assert(talk_good(&t, NULL, 0) == HW_DONE);

	start(&t, 31, 31);
	assert(owner(&t, THEIRS) == HW_SEND);
	expect_short(&t, 31);

	start(&t, 0, 32);
	assert(owner(&t, THEIRS) == HW_SEND);
	expect_expanded(&t, 0);
	assert(talk_good(&t, NULL, 0) == HW_DONE);

	start(&t, 255, 255);
	assert(owner(&t, THEIRS) == HW_SEND);
	expect_expanded(&t, 255);
}

static void check_move_retried(uint8_t key, uint8_t asc, uint8_t ascq)
{
	struct talk t;
	int i;

	start(&t, 5, 255);
	assert(owner(&t, THEIRS) == HW_SEND);
	for (i = 0; i < 5; i++) {
		assert(talk_sense(&t, key, asc, ascq) == HW_WAIT);
		assert(talk_waited(&t) == HW_SEND);
		expect_expanded(&t, 5);
	}
	assert(talk_sense(&t, key, asc, ascq) == HW_RETRY);
}

static void check_move_fails(uint8_t key, uint8_t asc, uint8_t ascq)
{
	struct talk t;

	start(&t, 5, 255);
	assert(owner(&t, THEIRS) == HW_SEND);
	assert(talk_sense(&t, key, asc, ascq) == HW_FAIL_PATH);
}

static void test_the_move_is_retried(void)
{
	check_move_retried(0x00, 0x00, 0x00);
	check_move_retried(0x0b, 0x44, 0x00);
	check_move_retried(0x06, 0x29, 0x00);
	check_move_retried(0x02, 0x04, 0x01);
	check_move_fails(0x05, 0x91, 0x35);
	check_move_fails(0x05, 0x26, 0x00);
	check_move_fails(0x02, 0x04, 0x03);
	check_move_fails(0x04, 0x44, 0x00);
}

/* The command lock is taken while another LUN is moved; many are when a controller has died. */
static void test_a_taken_lock_is_waited_for(void)
{
	struct talk t;
	uint64_t waited_ns = 0;

	start(&t, 5, 255);
	assert(owner(&t, THEIRS) == HW_SEND);
	while (waited_ns < 55000000000ull) {
		assert(talk_sense(&t, 0x05, 0x91, 0x36) == HW_WAIT && t.wait_ns == 200000000);
		waited_ns += t.wait_ns;
		assert(talk_waited(&t) == HW_SEND);
	}
	assert(talk_good(&t, NULL, 0) == HW_DONE);
}

static void test_a_lock_that_stays_taken(void)
{
	struct talk t;
	int i;

	start(&t, 5, 255);
	assert(owner(&t, THEIRS) == HW_SEND);
	for (i = 0; i < 300; i++) {
		assert(talk_sense(&t, 0x05, 0x91, 0x36) == HW_WAIT);
		assert(talk_waited(&t) == HW_SEND);
	}
	assert(talk_sense(&t, 0x05, 0x91, 0x36) == HW_RETRY);
}

static void test_other_answers(void)
{
	struct talk t;
	int i;

	start(&t, 5, 255);
	assert(talk_sense(&t, 0x05, 0x91, 0x36) == HW_FAIL_PATH); /* not to a MODE SELECT */
	start(&t, 5, 255);
	assert(talk_transport(&t, TRANSPORT_LOST) == HW_FAIL_PATH);
	start(&t, 5, 255);
	for (i = 0; i < 5; i++) {
		assert(talk_status(&t, SAM_BUSY) == HW_WAIT);
		assert(talk_waited(&t) == HW_SEND);
		talk_expect(&t, ask_owner, 6, SCSI_DATA_IN, 48);
	}
	assert(talk_status(&t, SAM_BUSY) == HW_FAIL_PATH);
}

static void test_pages_that_make_no_sense(void)
{
	static const uint8_t wrong_id[175] = {0, 0xc8, 0, 171, 'x', 'd', 'i', 'd'};
	struct talk t;

	talk_init(&t, &rdac_handler);
	talk_attach(&t, 0, "IBM     1746", 0);
	assert(talk_begin(&t, 0, HW_ACTIVATE) == HW_SEND);
	assert(talk_good(&t, wrong_id, sizeof(wrong_id)) == HW_NOSYS);
	assert(talk_begin(&t, 0, HW_ACTIVATE) == HW_SEND);
	assert(talk_good(&t, (const uint8_t[174]){0, 0xc8, 0, 170, 'e', 'd', 'i', 'd'}, 174) ==
	       HW_NOSYS);
	assert(talk_begin(&t, 0, HW_ACTIVATE) == HW_SEND);
	assert(lun(&t, 40) == HW_SEND);
	assert(features(&t, 31) == HW_NOSYS); /* a LUN that its own page has no room for */
	assert(talk_begin(&t, 0, HW_ACTIVATE) == HW_SEND);
	assert(lun(&t, 4) == HW_SEND);
	assert(talk_good(&t, (const uint8_t[15]){0, 0xc2}, 15) == HW_NOSYS);

	start(&t, 5, 255);
	assert(talk_good(&t, (const uint8_t[8]){0, 0xc9}, 8) == HW_NOSYS);
	start(&t, 5, 255);
	assert(talk_good(&t, (const uint8_t[48]){0, 0xc8, [8] = OURS}, 48) == HW_NOSYS);
}

static void test_opinions(void)
{
	const struct hw_handler_type *rdac = &rdac_handler;

	assert(opinion(rdac, 0x2, 0x04, 0xa1) == HW_SENSE_TRANSITIONING);
	assert(opinion(rdac, 0x2, 0xa1, 0x02) == HW_SENSE_TRANSITIONING);
	assert(opinion(rdac, 0x6, 0x8b, 0x02) == HW_SENSE_TRANSITIONING);
	assert(opinion(rdac, 0x2, 0x04, 0x81) == HW_SENSE_FAIL_PATH);
	assert(opinion(rdac, 0x5, 0x94, 0x01) == HW_SENSE_FAIL_PATH);
	assert(opinion(rdac, 0x2, 0x04, 0x01) == HW_SENSE_TRANSITIONING);
	assert(opinion(rdac, 0x5, 0x94, 0x02) == HW_NO_OPINION);
	assert(opinion(rdac, 0x6, 0x29, 0x00) == HW_NO_OPINION);
	assert(opinion(rdac, 0x4, 0x04, 0xa1) == HW_NO_OPINION);
}

int main(void)
{
	assert(!rdac_handler.set_params && !rdac_handler.can_refresh);
	test_owned_already();
	test_ioship();
	test_the_move();
	test_the_move_is_retried();
	test_a_taken_lock_is_waited_for();
	test_a_lock_that_stays_taken();
	test_other_answers();
	test_pages_that_make_no_sense();
	test_opinions();
	return 0;
}
