/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The alua hardware handler: what it asks, and what it makes of every answer.
 */
#include <assert.h>

#include "unit/lib/talk.h"

extern const struct hw_handler_type alua_handler;

#define IMPLICIT 1
#define EXPLICIT 2
#define BOTH	 3

#define PREFERRED 0x80

static const uint8_t rtpg[12] = {0xa3, 0x0a, [8] = 0x04};
static const uint8_t rtpg_extended[12] = {0xa3, 0x2a, [8] = 0x04};
static const uint8_t rtpg_long[12] = {0xa3, 0x2a, [8] = 0x10};
static const uint8_t stpg[12] = {0xa4, 0x0a, [9] = 8};

/* Paths 0 and 1 lead to group 1, paths 2 and 3 to group 2. */
static void start(struct talk *t, uint8_t tpgs)
{
	unsigned int i;

	talk_init(t, &alua_handler);
	for (i = 0; i < TALK_PATHS; i++) {
		t->paths[i].tpg = (struct port_group){.known = true, .id = (uint16_t)(1 + i / 2)};
		assert(talk_attach(t, i, "ACME    DISK", tpgs));
	}
}

/* Both groups, with @announced seconds for a transition. */
static enum hw_result states(struct talk *t, uint8_t group1, uint8_t group2, uint8_t announced)
{
	const uint8_t reply[] = {0, 0, 0, 28, 0x10, announced, 0, 0, group1, 0x8f,   0,
				 1, 0, 0, 0,  1,    0,	       0, 0, 1,	     group2, 0x8f,
				 0, 2, 0, 0,  0,    1,	       0, 0, 0,	     3};

	return talk_good(t, reply, sizeof(reply));
}

static void activate(struct talk *t, unsigned int nr)
{
	assert(talk_begin(t, nr, HW_ACTIVATE) == HW_SEND);
	talk_expect(t, rtpg_extended, sizeof(rtpg_extended), SCSI_DATA_IN, 1024);
	assert(t->cmd.timeout_ms == 1234);
}

static void expect_stpg(const struct talk *t, uint8_t group)
{
	const uint8_t data[8] = {[7] = group};

	talk_expect(t, stpg, sizeof(stpg), SCSI_DATA_OUT, 8);
	assert(!memcmp(t->data, data, 8));
	assert(t->cmd.timeout_ms == 60000);
}

static void test_the_words(void)
{
	const char *expected = NULL;
	struct talk t;

	talk_init(&t, &alua_handler);
	assert(alua_handler.set_params(&t.hh, 1, (const char *const[]){"1"}, &expected));
	assert(t.hh.flags);
	assert(alua_handler.set_params(&t.hh, 1, (const char *const[]){"0"}, &expected));
	assert(!t.hh.flags);
	assert(!alua_handler.set_params(&t.hh, 1, (const char *const[]){"2"}, &expected));
	assert(!strcmp(expected, "expected one word, 0 or 1 (optimize)"));
	assert(!alua_handler.set_params(&t.hh, 2, (const char *const[]){"1", "1"}, &expected));
}

static void test_attach(void)
{
	struct talk t;

	talk_init(&t, &alua_handler);
	t.paths[0].tpg = (struct port_group){.known = true, .id = 1};
	assert(!talk_attach(&t, 0, "ACME    DISK", 0));
	assert(!strcmp(t.reason, "alua: the target has no target port groups (TPGS is 0)"));
	assert(talk_attach(&t, 0, "ACME    DISK", IMPLICIT) && !t.paths[0].hw_explicit);
	t.paths[0].tpg.known = false;
	assert(!talk_attach(&t, 1, "ACME    DISK", BOTH));
	assert(!strcmp(t.reason, "alua: VPD page 83h does not name the target port group"));
	t.paths[2].tpg.known = true;
	assert(talk_attach(&t, 2, "ACME    DISK", EXPLICIT) && t.paths[2].hw_explicit);
	assert(t.paths[2].tpg.state == ALUA_OPTIMIZED && !t.paths[2].tpg.state_known);
	assert(t.paths[2].tpg.transition_s == 255);
}

/* F29: optimized already, or not ours to change: nothing is sent that changes a state. */
static void test_no_stpg_when_there_is_no_need(void)
{
	struct talk t;

	start(&t, BOTH);
	activate(&t, 0);
	assert(states(&t, ALUA_OPTIMIZED, ALUA_STANDBY, 0) == HW_DONE);

	start(&t, IMPLICIT);
	activate(&t, 0);
	assert(states(&t, ALUA_STANDBY, ALUA_OPTIMIZED, 0) == HW_DONE);
	activate(&t, 0);
	assert(states(&t, ALUA_NON_OPTIMIZED, ALUA_OPTIMIZED, 0) == HW_DONE);
	activate(&t, 0);
	assert(states(&t, ALUA_UNAVAILABLE, ALUA_OPTIMIZED, 0) == HW_DONE);
	activate(&t, 0);
	assert(states(&t, ALUA_OFFLINE, ALUA_OPTIMIZED, 0) == HW_FAIL_PATH);

	start(&t, BOTH);
	activate(&t, 0);
	assert(states(&t, ALUA_LBA_DEPENDENT, ALUA_STANDBY, 0) == HW_DONE);
	activate(&t, 0);
	assert(states(&t, ALUA_OFFLINE, ALUA_STANDBY, 0) == HW_FAIL_PATH);
	activate(&t, 0);
	assert(states(&t, 0x7, ALUA_STANDBY, 0) == HW_NOSYS);
}

static void check_stpg_from(uint8_t state)
{
	struct talk t;

	start(&t, EXPLICIT);
	activate(&t, 2);
	assert(states(&t, ALUA_OPTIMIZED, state, 0) == HW_SEND);
	expect_stpg(&t, 2);
	assert(talk_good(&t, NULL, 0) == HW_SEND);
	talk_expect(&t, rtpg_extended, sizeof(rtpg_extended), SCSI_DATA_IN, 1024);
	assert(states(&t, ALUA_STANDBY, ALUA_OPTIMIZED, 0) == HW_DONE);
	assert(t.paths[3].tpg.state == ALUA_OPTIMIZED && t.paths[0].tpg.state == ALUA_STANDBY);
}

static void test_stpg(void)
{
	check_stpg_from(ALUA_NON_OPTIMIZED);
	check_stpg_from(ALUA_STANDBY);
	check_stpg_from(ALUA_UNAVAILABLE);
}

/* F29: STPG is answered with CHECK CONDITION, but the states say that it was done. */
static void test_only_the_states_count_after_stpg(void)
{
	struct talk t;

	start(&t, EXPLICIT);
	activate(&t, 0);
	assert(states(&t, ALUA_STANDBY, ALUA_OPTIMIZED, 0) == HW_SEND);
	assert(talk_sense(&t, 0x05, 0x67, 0x0a) == HW_SEND);
	assert(states(&t, ALUA_OPTIMIZED, ALUA_STANDBY, 0) == HW_DONE);

	/* Refused, and nothing has changed: dm decides how often to try again. */
	activate(&t, 0);
	assert(states(&t, ALUA_STANDBY, ALUA_OPTIMIZED, 0) == HW_SEND);
	assert(talk_sense(&t, 0x05, 0x67, 0x0a) == HW_SEND);
	assert(states(&t, ALUA_STANDBY, ALUA_OPTIMIZED, 0) == HW_RETRY);

	/* Active at least. */
	activate(&t, 0);
	assert(states(&t, ALUA_STANDBY, ALUA_OPTIMIZED, 0) == HW_SEND);
	assert(talk_good(&t, NULL, 0) == HW_SEND);
	assert(states(&t, ALUA_NON_OPTIMIZED, ALUA_OPTIMIZED, 0) == HW_DONE);

	/* Lost on its way: the next question meets the same fate. */
	activate(&t, 0);
	assert(states(&t, ALUA_STANDBY, ALUA_OPTIMIZED, 0) == HW_SEND);
	assert(talk_transport(&t, TRANSPORT_LOST) == HW_SEND);
	assert(talk_transport(&t, TRANSPORT_LOST) == HW_FAIL_PATH);
}

/* A unit attention, or a shortage, in place of STPG's answer: it was not executed. */
static void test_stpg_that_was_not_executed_is_sent_again(void)
{
	struct talk t;
	int i;

	start(&t, EXPLICIT);
	activate(&t, 0);
	for (i = 0; i < 6; i++) {
		assert(states(&t, ALUA_STANDBY, ALUA_OPTIMIZED, 0) == HW_SEND);
		expect_stpg(&t, 1);
		assert(talk_sense(&t, 0x06, 0x29, 0x00) == HW_SEND);
		talk_expect(&t, rtpg_extended, sizeof(rtpg_extended), SCSI_DATA_IN, 1024);
	}
	assert(states(&t, ALUA_STANDBY, ALUA_OPTIMIZED, 0) == HW_RETRY);
}

/* "optimize": an active group is left as it is, unless it is the preferred one. */
static void test_optimize(void)
{
	const char *expected;
	struct talk t;

	start(&t, BOTH);
	alua_handler.set_params(&t.hh, 1, (const char *const[]){"1"}, &expected);
	activate(&t, 0);
	assert(states(&t, ALUA_NON_OPTIMIZED, ALUA_OPTIMIZED, 0) == HW_DONE);
	activate(&t, 0);
	assert(states(&t, ALUA_NON_OPTIMIZED | PREFERRED, ALUA_OPTIMIZED, 0) == HW_SEND);
	expect_stpg(&t, 1);
	assert(t.paths[1].tpg.preferred && !t.paths[2].tpg.preferred);
	activate(&t, 0);
	assert(states(&t, ALUA_STANDBY, ALUA_OPTIMIZED, 0) == HW_SEND);

	/* Without implicit changes nobody else would do it. */
	start(&t, EXPLICIT);
	alua_handler.set_params(&t.hh, 1, (const char *const[]){"1"}, &expected);
	activate(&t, 0);
	assert(states(&t, ALUA_NON_OPTIMIZED, ALUA_OPTIMIZED, 0) == HW_SEND);
}

/* As many bytes of a reply that goes on; its first group is path 0's, in standby. */
static enum hw_result cut_reply(struct talk *t, size_t len)
{
	uint8_t reply[PATH_PROBE_BUF_SIZE] = {0,    0, 0x20, 0, 0x10, 0, 0, 0, ALUA_STANDBY,
					      0x8f, 0, 1,    0, 0,    0, 0};

	return talk_good(t, reply, len);
}

/* What does not fit is asked for again, and from then on at once; without room it has to do. */
static void test_many_groups(void)
{
	struct talk t;

	start(&t, IMPLICIT);
	activate(&t, 0);
	assert(cut_reply(&t, 1024) == HW_DONE && t.paths[0].tpg.state == ALUA_STANDBY);

	start(&t, IMPLICIT);
	t.room = PATH_PROBE_BUF_SIZE;
	activate(&t, 0);
	assert(cut_reply(&t, 1024) == HW_SEND && t.paths[0].tpg.state == ALUA_OPTIMIZED);
	talk_expect(&t, rtpg_long, sizeof(rtpg_long), SCSI_DATA_IN, 4096);
	assert(cut_reply(&t, 4096) == HW_DONE && t.paths[0].tpg.state == ALUA_STANDBY);
	assert(talk_begin(&t, 0, HW_REFRESH) == HW_SEND);
	talk_expect(&t, rtpg_long, sizeof(rtpg_long), SCSI_DATA_IN, 4096);

	t.room = PATH_PROBE_OWN_SIZE;
	assert(talk_begin(&t, 0, HW_REFRESH) == HW_SEND);
	talk_expect(&t, rtpg_extended, sizeof(rtpg_extended), SCSI_DATA_IN, 1024);
	assert(cut_reply(&t, 1024) == HW_DONE);

	/* It claims more than it has sent, though it could have sent that: there is no more. */
	start(&t, IMPLICIT);
	t.room = PATH_PROBE_BUF_SIZE;
	activate(&t, 0);
	assert(cut_reply(&t, 1023) == HW_DONE);
}

/* F26: any ILLEGAL REQUEST to the extended header: the plain one, from then on. */
static void check_extended_refused(uint8_t asc)
{
	static const uint8_t plain[] = {0, 0, 0, 8, 0x02, 0x8f, 0, 1, 0, 0, 0, 0};
	struct talk t;

	start(&t, IMPLICIT);
	activate(&t, 0);
	assert(talk_sense(&t, 0x05, asc, 0x00) == HW_SEND);
	talk_expect(&t, rtpg, sizeof(rtpg), SCSI_DATA_IN, 1024);
	assert(talk_good(&t, plain, sizeof(plain)) == HW_DONE);
	assert(t.paths[0].tpg.state == ALUA_STANDBY && t.paths[0].tpg.state_known);
	assert(t.paths[0].tpg.transition_s == 255);

	assert(talk_begin(&t, 0, HW_ACTIVATE) == HW_SEND);
	talk_expect(&t, rtpg, sizeof(rtpg), SCSI_DATA_IN, 1024);
	assert(talk_sense(&t, 0x05, asc, 0x00) == HW_FAIL_PATH);
}

static void test_a_target_that_refuses_the_extended_header(void)
{
	check_extended_refused(0x24);
	check_extended_refused(0x20);
	check_extended_refused(0x00);
}

/* F33: who has only optimized groups need not tell their states. */
static void test_a_target_that_is_always_optimized(void)
{
	static const uint8_t only_optimized[] = {0, 0, 0, 8, 0x00, 0x01, 0, 1, 0, 0, 0, 0};
	struct talk t;

	start(&t, BOTH);
	activate(&t, 0);
	assert(talk_good(&t, only_optimized, sizeof(only_optimized)) == HW_DONE);
	activate(&t, 0);
	assert(talk_sense(&t, 0x05, 0x20, 0x00) == HW_SEND);
	assert(talk_sense(&t, 0x05, 0x20, 0x00) == HW_DONE);

	/* The other group's paths have not heard that. */
	activate(&t, 2);
	assert(talk_sense(&t, 0x05, 0x20, 0x00) == HW_SEND);
	assert(talk_sense(&t, 0x05, 0x20, 0x00) == HW_FAIL_PATH);
}

/* F27: within the announced time, polled quickly at first, then every 2 s. */
static void test_a_transition_that_ends(void)
{
	static const unsigned int polls_ms[] = {100, 200, 400, 800, 1600, 2000, 2000};
	struct talk t;
	size_t i;

	start(&t, EXPLICIT);
	activate(&t, 0);
	assert(states(&t, ALUA_STANDBY, ALUA_OPTIMIZED, 20) == HW_SEND);
	assert(talk_good(&t, NULL, 0) == HW_SEND);
	for (i = 0; i < sizeof(polls_ms) / sizeof(polls_ms[0]); i++) {
		assert(states(&t, ALUA_TRANSITIONING, ALUA_TRANSITIONING, 20) == HW_WAIT);
		assert(t.wait_ns == polls_ms[i] * 1000000ull);
		assert(talk_waited(&t) == HW_SEND);
		talk_expect(&t, rtpg_extended, sizeof(rtpg_extended), SCSI_DATA_IN, 1024);
	}
	assert(states(&t, ALUA_OPTIMIZED, ALUA_STANDBY, 20) == HW_DONE);
}

/* How long until a transition that never ends is given up. */
static uint64_t patience_s(struct talk *t, uint8_t announced, uint8_t announced_later)
{
	uint64_t begun = t->now_ns;

	while (states(t, ALUA_TRANSITIONING, ALUA_STANDBY, announced) == HW_WAIT) {
		assert(talk_waited(t) == HW_SEND);
		announced = announced_later;
	}
	return (t->now_ns - begun) / TALK_SEC;
}

/* F27: expired: the group is taken for standby, and the path fails; announced 0: 255 s. */
static void test_a_transition_that_does_not_end(void)
{
	struct talk t;

	start(&t, EXPLICIT);
	activate(&t, 0);
	assert(patience_s(&t, 20, 20) == 20);
	assert(t.paths[0].tpg.state == ALUA_STANDBY && t.paths[1].tpg.state == ALUA_STANDBY);
	activate(&t, 0);
	assert(patience_s(&t, 0, 0) == 255);
	activate(&t, 0);
	assert(patience_s(&t, 200, 30) == 30); /* the target has thought it over */
	activate(&t, 0);
	assert(patience_s(&t, 30, 200) == 200);
}

/* One path of a group has waited: the others need not, for as long, or until the states are others.
 */
static void test_a_transition_is_given_up_for_all_paths(void)
{
	struct talk t;

	start(&t, EXPLICIT);
	activate(&t, 0);
	assert(patience_s(&t, 20, 20) == 20);
	activate(&t, 1);
	assert(patience_s(&t, 20, 20) == 0);
	assert(t.paths[0].tpg.state == ALUA_STANDBY && t.paths[1].tpg.state == ALUA_STANDBY);
	activate(&t, 1);
	assert(patience_s(&t, 20, 20) == 20);

	activate(&t, 0);
	assert(states(&t, ALUA_OPTIMIZED, ALUA_STANDBY, 20) == HW_DONE);
	activate(&t, 0);
	assert(patience_s(&t, 20, 20) == 20);

	t.now_ns += 20 * TALK_SEC;
	activate(&t, 1);
	assert(patience_s(&t, 20, 20) == 20);
	activate(&t, 0);
	assert(patience_s(&t, 20, 20) == 0);
}

/* However many unit attentions come in the course of it: time is the limit. */
static void test_a_transition_with_unit_attentions(void)
{
	struct talk t;
	int i;

	start(&t, EXPLICIT);
	activate(&t, 0);
	for (i = 0; i < 6; i++) {
		assert(talk_sense(&t, 0x06, 0x2a, 0x06) == HW_WAIT);
		assert(talk_waited(&t) == HW_SEND);
		assert(states(&t, ALUA_TRANSITIONING, ALUA_STANDBY, 60) == HW_WAIT);
		assert(talk_waited(&t) == HW_SEND);
	}
	assert(states(&t, ALUA_OPTIMIZED, ALUA_STANDBY, 60) == HW_DONE);
}

/* Some targets have no answer to RTPG but that during a transition. */
static void test_a_transition_told_by_sense(void)
{
	struct talk t;

	start(&t, EXPLICIT);
	activate(&t, 0);
	assert(talk_sense(&t, 0x02, 0x04, 0x0a) == HW_WAIT);
	assert(t.paths[1].tpg.state == ALUA_TRANSITIONING);
	assert(t.paths[2].tpg.state == ALUA_OPTIMIZED);
	assert(talk_waited(&t) == HW_SEND);
	assert(talk_sense(&t, 0x06, 0x04, 0x0a) == HW_WAIT);
	assert(talk_waited(&t) == HW_SEND);
	assert(states(&t, ALUA_OPTIMIZED, ALUA_STANDBY, 0) == HW_DONE);
}

/* Unit attentions, BUSY, shortages: asked again, five times in all. */
static void test_answers_that_pass(void)
{
	struct talk t;
	int i;

	start(&t, IMPLICIT);
	activate(&t, 0);
	for (i = 0; i < 5; i++) {
		assert((i % 2 ? talk_sense(&t, 0x06, 0x29, 0x00) : talk_status(&t, SAM_BUSY)) ==
		       HW_WAIT);
		assert(talk_waited(&t) == HW_SEND);
	}
	assert(talk_transport(&t, TRANSPORT_BUSY) == HW_FAIL_PATH);

	activate(&t, 0);
	assert(talk_transport(&t, TRANSPORT_BUSY) == HW_WAIT);
	assert(talk_waited(&t) == HW_SEND);
	assert(states(&t, ALUA_OPTIMIZED, ALUA_STANDBY, 0) == HW_DONE);
}

static void test_answers_that_are_the_paths_end(void)
{
	struct talk t;

	start(&t, BOTH);
	activate(&t, 0);
	assert(talk_transport(&t, TRANSPORT_LOST) == HW_FAIL_PATH);
	activate(&t, 0);
	assert(talk_sense(&t, 0x04, 0x44, 0x00) == HW_FAIL_PATH);
	activate(&t, 0);
	assert(talk_sense(&t, 0x02, 0x04, 0x03) == HW_FAIL_PATH);
}

/* Another initiator has reserved the LUN: nothing is learnt, and no path is at fault. */
static void test_reservation_conflict(void)
{
	struct talk t;

	start(&t, BOTH);
	activate(&t, 2);
	assert(talk_status(&t, SAM_RESERVATION_CONFLICT) == HW_DONE);
	assert(!t.paths[2].tpg.state_known);

	activate(&t, 2);
	assert(states(&t, ALUA_OPTIMIZED, ALUA_STANDBY, 0) == HW_SEND);
	expect_stpg(&t, 2);
	assert(talk_status(&t, SAM_RESERVATION_CONFLICT) == HW_DONE);
	assert(t.paths[2].tpg.state == ALUA_STANDBY && t.paths[0].tpg.state == ALUA_OPTIMIZED);

	assert(talk_begin(&t, 2, HW_REFRESH) == HW_SEND);
	assert(talk_status(&t, SAM_RESERVATION_CONFLICT) == HW_DONE);
	assert(t.paths[2].tpg.state_known && t.paths[2].tpg.state == ALUA_STANDBY);
}

/* F31: one answer tells of all groups, and a path that comes later learns from its siblings. */
static void test_groups_are_shared(void)
{
	struct talk t;

	talk_init(&t, &alua_handler);
	t.paths[0].tpg = (struct port_group){.known = true, .id = 1};
	t.paths[1].tpg = t.paths[2].tpg = t.paths[0].tpg;
	t.paths[2].tpg.id = 2;
	talk_attach(&t, 0, "ACME    DISK", IMPLICIT);
	talk_attach(&t, 2, "ACME    DISK", IMPLICIT);
	assert(talk_begin(&t, 0, HW_REFRESH) == HW_SEND);
	assert(states(&t, ALUA_NON_OPTIMIZED | PREFERRED, ALUA_UNAVAILABLE, 9) == HW_DONE);
	assert(t.paths[0].tpg.state == ALUA_NON_OPTIMIZED && t.paths[0].tpg.preferred);
	assert(t.paths[2].tpg.state == ALUA_UNAVAILABLE && !t.paths[2].tpg.preferred);
	assert(t.paths[2].tpg.transition_s == 9 && t.paths[2].tpg.supported == 0x8f);

	talk_attach(&t, 1, "ACME    DISK", IMPLICIT);
	assert(t.paths[1].tpg.state_known && t.paths[1].tpg.state == ALUA_NON_OPTIMIZED);
	assert(t.paths[1].tpg.preferred && t.paths[1].tpg.transition_s == 9);
	assert(t.paths[1].tpg.supported == 0x8f);
}

/* Identified once more: what is known of its group stays, unless a sibling knows better. */
static void test_attached_again(void)
{
	struct talk t;

	talk_init(&t, &alua_handler);
	t.paths[0].tpg = (struct port_group){.known = true, .id = 1};
	t.paths[1].tpg = t.paths[0].tpg;
	talk_attach(&t, 0, "ACME    DISK", IMPLICIT);
	assert(talk_begin(&t, 0, HW_REFRESH) == HW_SEND);
	assert(states(&t, ALUA_NON_OPTIMIZED | PREFERRED, ALUA_STANDBY, 9) == HW_DONE);
	list_del(&t.paths[0].hw_node);
	talk_attach(&t, 0, "ACME    DISK", IMPLICIT);
	assert(t.paths[0].tpg.state_known && t.paths[0].tpg.state == ALUA_NON_OPTIMIZED);
	assert(t.paths[0].tpg.preferred && t.paths[0].tpg.transition_s == 9);

	list_del(&t.paths[0].hw_node);
	talk_attach(&t, 1, "ACME    DISK", IMPLICIT);
	assert(!t.paths[1].tpg.state_known);
	assert(talk_begin(&t, 1, HW_REFRESH) == HW_SEND);
	assert(states(&t, ALUA_STANDBY, ALUA_OPTIMIZED, 0) == HW_DONE);
	talk_attach(&t, 0, "ACME    DISK", IMPLICIT);
	assert(t.paths[0].tpg.state == ALUA_STANDBY && !t.paths[0].tpg.preferred);

	/* Of another group by now: the core has forgotten the state. */
	list_del(&t.paths[0].hw_node);
	t.paths[0].tpg.id = 2;
	t.paths[0].tpg.state_known = false;
	talk_attach(&t, 0, "ACME    DISK", IMPLICIT);
	assert(!t.paths[0].tpg.state_known && t.paths[0].tpg.state == ALUA_OPTIMIZED);
	assert(t.paths[0].tpg.transition_s == 255);
}

/* A refresh only learns: no STPG, no waiting. */
static void test_refresh(void)
{
	struct talk t;

	start(&t, EXPLICIT);
	assert(talk_begin(&t, 0, HW_REFRESH) == HW_SEND);
	assert(states(&t, ALUA_STANDBY, ALUA_OPTIMIZED, 0) == HW_DONE);
	assert(talk_begin(&t, 0, HW_REFRESH) == HW_SEND);
	assert(states(&t, ALUA_TRANSITIONING, ALUA_OPTIMIZED, 0) == HW_DONE);
	assert(t.paths[1].tpg.state == ALUA_TRANSITIONING);
	assert(talk_begin(&t, 0, HW_REFRESH) == HW_SEND);
	assert(talk_transport(&t, TRANSPORT_GONE) == HW_FAIL_PATH);
}

/* F26: no group, or not ours: the state stays what it was. */
static void test_replies_that_say_nothing(void)
{
	static const uint8_t nothing[4] = {0};
	static const uint8_t another[] = {0, 0, 0, 8, 0x02, 0x8f, 0, 9, 0, 0, 0, 0};
	struct talk t;

	start(&t, BOTH);
	activate(&t, 0);
	assert(talk_good(&t, nothing, 4) == HW_DONE);
	activate(&t, 0);
	assert(talk_good(&t, nothing, 0) == HW_DONE);
	activate(&t, 0);
	assert(talk_good(&t, another, sizeof(another)) == HW_DONE);
	assert(!t.paths[0].tpg.state_known && t.paths[0].tpg.state == ALUA_OPTIMIZED);
}

static void test_opinions(void)
{
	const struct hw_handler_type *alua = &alua_handler;

	assert(opinion(alua, 0x2, 0x04, 0x0a) == HW_SENSE_TRANSITIONING);
	assert(opinion(alua, 0x6, 0x04, 0x0a) == HW_SENSE_TRANSITIONING);
	assert(opinion(alua, 0x6, 0x29, 0x00) == HW_SENSE_STATE_CHANGED);
	assert(opinion(alua, 0x6, 0x2a, 0x06) == HW_SENSE_STATE_CHANGED);
	assert(opinion(alua, 0x6, 0x2a, 0x07) == HW_SENSE_STATE_CHANGED);
	assert(opinion(alua, 0x6, 0x29, 0x04) == HW_NO_OPINION);
	assert(opinion(alua, 0x6, 0x2a, 0x01) == HW_NO_OPINION);
	assert(opinion(alua, 0x2, 0x04, 0x0b) == HW_SENSE_STATE_CHANGED);
	assert(opinion(alua, 0x2, 0x04, 0x0c) == HW_SENSE_STATE_CHANGED);
	assert(opinion(alua, 0x2, 0x04, 0x12) == HW_NO_OPINION);
	assert(opinion(alua, 0x5, 0x04, 0x0b) == HW_NO_OPINION);
	assert(opinion(alua, 0x2, 0x2a, 0x06) == HW_NO_OPINION);
}

int main(void)
{
	test_the_words();
	test_attach();
	test_no_stpg_when_there_is_no_need();
	test_stpg();
	test_only_the_states_count_after_stpg();
	test_stpg_that_was_not_executed_is_sent_again();
	test_optimize();
	test_many_groups();
	test_a_target_that_refuses_the_extended_header();
	test_a_target_that_is_always_optimized();
	test_a_transition_that_ends();
	test_a_transition_that_does_not_end();
	test_a_transition_is_given_up_for_all_paths();
	test_a_transition_with_unit_attentions();
	test_a_transition_told_by_sense();
	test_answers_that_pass();
	test_answers_that_are_the_paths_end();
	test_reservation_conflict();
	test_groups_are_shared();
	test_attached_again();
	test_refresh();
	test_replies_that_say_nothing();
	test_opinions();
	return 0;
}
