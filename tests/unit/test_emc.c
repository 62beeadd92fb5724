/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The emc hardware handler: who owns the LUN, and the trespass in its two forms.
 */
#include <assert.h>

#include "unit/lib/talk.h"

extern const struct hw_handler_type emc_handler;

#define UNBOUND 0
#define BOUND	1
#define OWNED	2

static const uint8_t inquiry[6] = {0x12, 0, 0, 0, 0xfc, 0};
static const uint8_t inquiry_c0[6] = {0x12, 1, 0xc0, 0, 0xfc, 0};
static const uint8_t select_6[6] = {0x15, 0x10, 0, 0, 8, 0};
static const uint8_t select_10[10] = {0x55, 0x10, [8] = 19};

/* The long INQUIRY data of a CX: serial number and model are behind the fixed part. */
static size_t model_data(uint8_t *data, const char *model)
{
	memset(data, 0, 0xfc);
	memcpy(data + 8, "DGC     RAID 5          ", 24);
	data[4] = 0xfc - 5;
	data[99] = (uint8_t)strlen(model);
	data[160] = 4;
	memcpy(data + 161, "SN42", 4);
	memcpy(data + 165, model, strlen(model));
	return 0xfc;
}

static enum hw_result model(struct talk *t, const char *name)
{
	uint8_t data[0xfc];

	return talk_good(t, data, model_data(data, name));
}

static enum hw_result owner(struct talk *t, uint8_t state, uint8_t mode, uint8_t ndu)
{
	uint8_t page[0xfc] = {0, 0xc0, 0, 0xf8, state, 1, [28] = mode, [48] = ndu};

	return talk_good(t, page, sizeof(page));
}

static void start(struct talk *t)
{
	talk_init(t, &emc_handler);
	assert(talk_attach(t, 0, "DGC     RAID 5", 0));
	assert(t->paths[0].hw_explicit);
}

static void activate(struct talk *t, const char *name)
{
	assert(talk_begin(t, 0, HW_ACTIVATE) == HW_SEND);
	talk_expect(t, inquiry, 6, SCSI_DATA_IN, 0xfc);
	assert(model(t, name) == HW_SEND);
	talk_expect(t, inquiry_c0, 6, SCSI_DATA_IN, 0xfc);
}

static void expect_long_trespass(const struct talk *t, uint8_t code)
{
	const uint8_t data[19] = {[8] = 0x22, [9] = 9, [10] = code, [11] = 0xff, [12] = 0xff};

	talk_expect(t, select_10, 10, SCSI_DATA_OUT, 19);
	assert(!memcmp(t->data, data, 19) && t->cmd.timeout_ms == 60000);
}

static void expect_short_trespass(const struct talk *t, uint8_t code)
{
	const uint8_t data[8] = {[4] = 0x22, [5] = 2, [6] = code, [7] = 0xff};

	talk_expect(t, select_6, 6, SCSI_DATA_OUT, 8);
	assert(!memcmp(t->data, data, 8) && t->cmd.timeout_ms == 60000);
}

static void test_owned_already(void)
{
	struct talk t;

	start(&t);
	activate(&t, "CX4-120");
	assert(owner(&t, OWNED, 4, 0) == HW_DONE);

	/* The model is known from then on. */
	assert(talk_begin(&t, 0, HW_ACTIVATE) == HW_SEND);
	talk_expect(&t, inquiry_c0, 6, SCSI_DATA_IN, 0xfc);
	assert(owner(&t, OWNED, 6, 0) == HW_DONE);
}

static void test_long_trespass(void)
{
	struct talk t;

	start(&t);
	activate(&t, "CX4-120");
	assert(owner(&t, BOUND, 4, 0) == HW_SEND);
	expect_long_trespass(&t, 0x81);
	assert(talk_good(&t, NULL, 0) == HW_SEND);
	talk_expect(&t, inquiry_c0, 6, SCSI_DATA_IN, 0xfc);
	assert(owner(&t, OWNED, 4, 0) == HW_DONE);
}

static void test_short_trespass_of_old_models(void)
{
	static const uint8_t no_section[36] = "\0\0\4\2\37\0\0\0DGC     RAID 5          ";
	struct talk t;

	start(&t);
	activate(&t, "FC4700");
	assert(owner(&t, UNBOUND, 4, 0) == HW_SEND);
	expect_short_trespass(&t, 0x81);

	start(&t);
	assert(talk_begin(&t, 0, HW_ACTIVATE) == HW_SEND);
	assert(talk_good(&t, no_section, sizeof(no_section)) == HW_SEND);
	assert(owner(&t, BOUND, 4, 0) == HW_SEND);
	expect_short_trespass(&t, 0x81);
}

static void test_the_words(void)
{
	const char *expected = NULL;
	struct talk t;

	start(&t);
	assert(emc_handler.set_params(&t.hh, 2, (const char *const[]){"1", "1"}, &expected));
	assert(talk_begin(&t, 0, HW_ACTIVATE) == HW_SEND);
	talk_expect(&t, inquiry_c0, 6, SCSI_DATA_IN, 0xfc); /* no need to ask for the model */
	assert(owner(&t, BOUND, 4, 0) == HW_SEND);
	expect_short_trespass(&t, 0x01);

	assert(emc_handler.set_params(&t.hh, 2, (const char *const[]){"0", "0"}, &expected));
	assert(talk_begin(&t, 0, HW_ACTIVATE) == HW_SEND);
	assert(owner(&t, BOUND, 4, 0) == HW_SEND);
	expect_long_trespass(&t, 0x81);

	assert(!emc_handler.set_params(&t.hh, 1, (const char *const[]){"1"}, &expected));
	assert(!strcmp(expected,
		       "expected two words, each 0 or 1 (short_trespass, honor_reservations)"));
	assert(!emc_handler.set_params(&t.hh, 2, (const char *const[]){"2", "0"}, &expected));
	assert(!emc_handler.set_params(&t.hh, 2, (const char *const[]){"0", "x"}, &expected));
}

/* A firmware upgrade, or a copy within the array: to another group, the path is not at fault. */
static void test_bypass(void)
{
	struct talk t;

	start(&t);
	activate(&t, "CX4-120");
	assert(owner(&t, BOUND, 4, 1) == HW_BYPASS_PG);
}

static enum hw_result trespass_answered(uint8_t key, uint8_t asc, uint8_t ascq)
{
	struct talk t;

	start(&t);
	activate(&t, "CX4-120");
	assert(owner(&t, BOUND, 4, 0) == HW_SEND);
	return talk_sense(&t, key, asc, ascq);
}

static void test_trespass_refused(void)
{
	struct talk t;
	int i;

	assert(trespass_answered(0x05, 0x04, 0x00) == HW_BYPASS_PG);
	assert(trespass_answered(0x02, 0x04, 0x03) == HW_BYPASS_PG);
	assert(trespass_answered(0x05, 0x26, 0x00) == HW_FAIL_PATH);
	assert(trespass_answered(0x02, 0x04, 0x01) == HW_FAIL_PATH);

	/* It says GOOD, and does nothing. */
	start(&t);
	activate(&t, "CX4-120");
	assert(owner(&t, BOUND, 4, 0) == HW_SEND);
	assert(talk_good(&t, NULL, 0) == HW_SEND);
	assert(owner(&t, BOUND, 4, 0) == HW_RETRY);

	/* A unit attention: it was not executed. */
	start(&t);
	activate(&t, "CX4-120");
	assert(owner(&t, BOUND, 4, 0) == HW_SEND);
	for (i = 0; i < 3; i++) {
		assert(talk_sense(&t, 0x06, 0x29, 0x00) == HW_WAIT);
		assert(talk_waited(&t) == HW_SEND);
		expect_long_trespass(&t, 0x81);
	}
	assert(talk_sense(&t, 0x06, 0x29, 0x00) == HW_FAIL_PATH);
}

/* The states of page C0h that we know, and pages that are none. */
static void test_pages_that_make_no_sense(void)
{
	static const uint8_t other_page[0xfc] = {0, 0xc1, 0, 0xf8, OWNED, [28] = 4};
	struct talk t;

	start(&t);
	activate(&t, "CX4-120");
	assert(owner(&t, 3, 4, 0) == HW_NOSYS);
	assert(talk_begin(&t, 0, HW_ACTIVATE) == HW_SEND);
	assert(owner(&t, OWNED, 1, 0) == HW_NOSYS);
	assert(talk_begin(&t, 0, HW_ACTIVATE) == HW_SEND);
	assert(talk_good(&t, other_page, sizeof(other_page)) == HW_NOSYS);
	assert(talk_begin(&t, 0, HW_ACTIVATE) == HW_SEND);
	assert(talk_good(&t, (const uint8_t[48]){0, 0xc0, [4] = OWNED, [28] = 4}, 48) == HW_NOSYS);
	assert(talk_begin(&t, 0, HW_ACTIVATE) == HW_SEND);
	assert(talk_good(&t, (const uint8_t[49]){0, 0xc0, [4] = OWNED, [28] = 4}, 49) == HW_DONE);
	assert(talk_begin(&t, 0, HW_ACTIVATE) == HW_SEND);
	assert(talk_sense(&t, 0x05, 0x24, 0x00) == HW_FAIL_PATH);
	assert(talk_begin(&t, 0, HW_ACTIVATE) == HW_SEND);
	assert(talk_transport(&t, TRANSPORT_LOST) == HW_FAIL_PATH);
}

/* The data may end with the last letter of the model. */
static void test_a_model_that_just_fits(void)
{
	uint8_t data[0xfc];
	struct talk t;

	start(&t);
	assert(talk_begin(&t, 0, HW_ACTIVATE) == HW_SEND);
	model_data(data, "CX4-120");
	data[4] = 161 + 4 + 7 - 5;
	assert(talk_good(&t, data, sizeof(data)) == HW_SEND);
	assert(owner(&t, BOUND, 4, 0) == HW_SEND);
	expect_long_trespass(&t, 0x81);
}

/* Lengths within the model's section that lie. */
static void test_models_that_make_no_sense(void)
{
	uint8_t data[0xfc];
	struct talk t;
	int what;

	for (what = 0; what < 6; what++) {
		start(&t);
		assert(talk_begin(&t, 0, HW_ACTIVATE) == HW_SEND);
		model_data(data, "CX4-120");
		switch (what) {
		case 0:
			data[99] = 0;
			break;
		case 1:
			data[160] = 0;
			break;
		case 2:
			data[160] = 255;
			break;
		case 3:
			data[4] = 170; /* ends within the model */
			data[99] = 20;
			break;
		case 4:
			data[4] = 31; /* no section, and no CLARiiON */
			data[8] = 'X';
			break;
		case 5:
			data[4] = 161 - 5; /* ends with the serial number's length */
			break;
		}
		assert(talk_good(&t, data, sizeof(data)) == HW_NOSYS);
		activate(&t, "CX4-120"); /* nothing was learnt from that: it is asked again */
	}
}

static void test_opinions(void)
{
	assert(opinion(&emc_handler, 0x2, 0x04, 0x03) == HW_SENSE_FAIL_PATH);
	assert(opinion(&emc_handler, 0x5, 0x25, 0x01) == HW_SENSE_ANSWER);
	assert(opinion(&emc_handler, 0x5, 0x25, 0x00) == HW_NO_OPINION);
	assert(opinion(&emc_handler, 0x2, 0x04, 0x02) == HW_NO_OPINION);
	assert(opinion(&emc_handler, 0x6, 0x29, 0x00) == HW_NO_OPINION);
}

int main(void)
{
	test_owned_already();
	test_long_trespass();
	test_short_trespass_of_old_models();
	test_the_words();
	test_bypass();
	test_trespass_refused();
	test_pages_that_make_no_sense();
	test_a_model_that_just_fits();
	test_models_that_make_no_sense();
	test_opinions();
	return 0;
}
