/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hp_sw hardware handler: TEST UNIT READY, and START STOP UNIT where that says "passive".
 */
#include <assert.h>

#include "unit/lib/talk.h"

extern const struct hw_handler_type hp_sw_handler;

static const uint8_t test_unit_ready[6] = {0};
static const uint8_t start_unit[6] = {0x1b, 0, 0, 0, 1, 0};

static void start(struct talk *t)
{
	talk_init(t, &hp_sw_handler);
	assert(talk_attach(t, 0, "HP      HSV100", 0));
	assert(t->paths[0].hw_explicit);
	assert(talk_begin(t, 0, HW_ACTIVATE) == HW_SEND);
	talk_expect(t, test_unit_ready, 6, SCSI_NO_DATA, 0);
}

static void start_passive(struct talk *t)
{
	start(t);
	assert(talk_sense(t, 0x02, 0x04, 0x02) == HW_SEND);
	talk_expect(t, start_unit, 6, SCSI_NO_DATA, 0);
	assert(t->cmd.timeout_ms == 60000);
}

static void test_active(void)
{
	struct talk t;

	start(&t);
	assert(talk_good(&t, NULL, 0) == HW_DONE);
}

static void test_passive(void)
{
	struct talk t;

	start_passive(&t);
	assert(talk_good(&t, NULL, 0) == HW_DONE);
	start_passive(&t);
	assert(talk_sense(&t, 0x05, 0x20, 0x00) == HW_FAIL_PATH);
	start_passive(&t);
	assert(talk_sense(&t, 0x02, 0x04, 0x02) == HW_FAIL_PATH);
	start_passive(&t);
	assert(talk_transport(&t, TRANSPORT_TIMEOUT) == HW_FAIL_PATH);
}

/* 02/04/03 while it starts: the switch-over is under way, three times asked again. */
static void test_a_switch_over_takes_its_time(void)
{
	struct talk t;
	int i;

	start_passive(&t);
	for (i = 0; i < 3; i++) {
		assert(talk_sense(&t, 0x02, 0x04, 0x03) == HW_WAIT);
		assert(talk_waited(&t) == HW_SEND);
		talk_expect(&t, start_unit, 6, SCSI_NO_DATA, 0);
	}
	assert(talk_sense(&t, 0x02, 0x04, 0x03) == HW_RETRY);

	start_passive(&t);
	assert(talk_sense(&t, 0x02, 0x04, 0x03) == HW_WAIT);
	assert(talk_waited(&t) == HW_SEND);
	assert(talk_good(&t, NULL, 0) == HW_DONE);
}

static void test_unit_attentions(void)
{
	struct talk t;
	int i;

	start(&t);
	for (i = 0; i < 3; i++) {
		assert(talk_sense(&t, 0x06, 0x29, 0x00) == HW_WAIT);
		assert(talk_waited(&t) == HW_SEND);
		talk_expect(&t, test_unit_ready, 6, SCSI_NO_DATA, 0);
	}
	assert(talk_sense(&t, 0x06, 0x29, 0x00) == HW_FAIL_PATH);
}

/* "Manual intervention" before it was started is what it says. */
static void test_other_answers(void)
{
	struct talk t;

	start(&t);
	assert(talk_sense(&t, 0x02, 0x04, 0x03) == HW_FAIL_PATH);
	start(&t);
	assert(talk_sense(&t, 0x05, 0x25, 0x00) == HW_FAIL_PATH);
	start(&t);
	assert(talk_transport(&t, TRANSPORT_LOST) == HW_FAIL_PATH);
}

static void test_opinions(void)
{
	assert(opinion(&hp_sw_handler, 0x2, 0x04, 0x02) == HW_SENSE_FAIL_PATH);
	assert(opinion(&hp_sw_handler, 0x2, 0x04, 0x03) == HW_NO_OPINION);
	assert(opinion(&hp_sw_handler, 0x6, 0x04, 0x02) == HW_NO_OPINION);
}

int main(void)
{
	assert(!hp_sw_handler.set_params && !hp_sw_handler.can_refresh);
	test_active();
	test_passive();
	test_a_switch_over_takes_its_time();
	test_unit_attentions();
	test_other_answers();
	test_opinions();
	return 0;
}
