/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The verdict on each kind of answer: reference/dm-multipath.md A5, B2 and B3 as a matrix (F34),
 * each sense in fixed and in descriptor format.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "core/multipath.h"
#include "core/verdict.h"
#include "mpath/core.h"
#include "mpath/scsi.h"

#define RUN  true
#define IDLE false

static void check(const struct scsi_result *result, enum io_verdict verdict, bool may_have_run)
{
	struct scsi_result before = *result;
	struct verdict v = judge(result);

	if (v.verdict != verdict || v.may_have_run != may_have_run)
		printf("transport %d status %02x sense %02x %02x %02x: verdict %d (%s), run %d\n",
		       result->transport, result->status, result->sense[2], result->sense[12],
		       result->sense[13], v.verdict, v.why, v.may_have_run);
	assert(v.verdict == verdict && v.may_have_run == may_have_run);
	assert(v.why && strlen(v.why) > 3);
	/* The answer itself is the initiator's, to the bit. */
	assert(!memcmp(&before, result, sizeof(before)));
}

struct sense_row {
	uint8_t key, asc, ascq;
	enum io_verdict verdict;
	bool may_have_run;
};

static const struct sense_row sense_rows[] = {
	/* NO SENSE, RECOVERED ERROR: with CHECK CONDITION, still the target's word */
	{0x0, 0x00, 0x00, IO_DONE, RUN},
	{0x1, 0x17, 0x01, IO_DONE, RUN},
	{0x1, 0x5d, 0x00, IO_DONE, RUN},

	/* NOT READY: standby and unavailable are the path's, the rest is the LUN's state (H6) */
	{0x2, 0x04, 0x00, IO_DONE, RUN},
	{0x2, 0x04, 0x01, IO_RETRY, IDLE},
	{0x2, 0x04, 0x02, IO_DONE, RUN},
	{0x2, 0x04, 0x03, IO_DONE, RUN}, /* path sense only to emc's and hp_sw's handlers */
	{0x2, 0x04, 0x04, IO_DONE, RUN},
	{0x2, 0x04, 0x07, IO_DONE, RUN},
	{0x2, 0x04, 0x09, IO_DONE, RUN},
	{0x2, 0x04, 0x0a, IO_TRANSITIONING, IDLE},
	{0x2, 0x04, 0x0b, IO_PATH_FAILED, IDLE},
	{0x2, 0x04, 0x0c, IO_PATH_FAILED, IDLE},
	{0x2, 0x04, 0x12, IO_PATH_FAILED, IDLE},
	{0x2, 0x04, 0x0d, IO_DONE, RUN},
	{0x2, 0x04, 0x1b, IO_DONE, RUN}, /* sanitize in progress */
	{0x2, 0x05, 0x0b, IO_DONE, RUN},
	{0x2, 0x08, 0x00, IO_DONE, RUN},
	{0x2, 0x3a, 0x00, IO_DONE, RUN},

	/* MEDIUM ERROR: 11, 13 and 14 are final */
	{0x3, 0x11, 0x00, IO_DONE, RUN},
	{0x3, 0x11, 0x0b, IO_DONE, RUN},
	{0x3, 0x13, 0x00, IO_DONE, RUN},
	{0x3, 0x14, 0x01, IO_DONE, RUN},
	{0x3, 0x03, 0x00, IO_RETRY, RUN},
	{0x3, 0x0c, 0x02, IO_RETRY, RUN},
	{0x3, 0x12, 0x00, IO_RETRY, RUN},
	{0x3, 0x31, 0x00, IO_RETRY, RUN},

	/* HARDWARE ERROR */
	{0x4, 0x44, 0x00, IO_DONE, RUN},
	{0x4, 0x3e, 0x01, IO_DONE, RUN},

	/* ILLEGAL REQUEST: dm's list, and those that it takes for path errors (H6) */
	{0x5, 0x20, 0x00, IO_DONE, RUN},
	{0x5, 0x21, 0x00, IO_DONE, RUN},
	{0x5, 0x22, 0x00, IO_DONE, RUN},
	{0x5, 0x24, 0x00, IO_DONE, RUN},
	{0x5, 0x26, 0x00, IO_DONE, RUN},
	{0x5, 0x27, 0x00, IO_DONE, RUN},
	{0x5, 0x1a, 0x00, IO_DONE, RUN},
	{0x5, 0x23, 0x01, IO_DONE, RUN},
	{0x5, 0x25, 0x00, IO_PATH_SUSPECT, IDLE},
	{0x5, 0x25, 0x01, IO_DONE, RUN},
	{0x5, 0x2c, 0x00, IO_DONE, RUN},
	{0x5, 0x55, 0x03, IO_DONE, RUN},
	{0x5, 0x91, 0x36, IO_DONE, RUN},
	{0x5, 0x94, 0x00, IO_DONE, RUN},
	{0x5, 0x94, 0x01, IO_PATH_FAILED, IDLE},

	/* UNIT ATTENTION: resets and our own port groups are absorbed, changes must be heard (F32)
	 */
	{0x6, 0x04, 0x01, IO_RETRY, IDLE},
	{0x6, 0x04, 0x0a, IO_TRANSITIONING, IDLE},
	{0x6, 0x28, 0x00, IO_DONE, RUN},
	{0x6, 0x29, 0x00, IO_REIDENTIFY, IDLE},
	{0x6, 0x29, 0x01, IO_REIDENTIFY, IDLE},
	{0x6, 0x29, 0x02, IO_RETRY, IDLE},
	{0x6, 0x29, 0x04, IO_RETRY, IDLE},
	{0x6, 0x29, 0x07, IO_REIDENTIFY, IDLE},
	{0x6, 0x2a, 0x00, IO_DONE, RUN},
	{0x6, 0x2a, 0x01, IO_DONE, RUN}, /* mode parameters */
	{0x6, 0x2a, 0x03, IO_DONE, RUN}, /* reservations preempted */
	{0x6, 0x2a, 0x04, IO_DONE, RUN}, /* reservations released */
	{0x6, 0x2a, 0x05, IO_DONE, RUN}, /* registrations preempted */
	{0x6, 0x2a, 0x06, IO_RETRY, IDLE},
	{0x6, 0x2a, 0x07, IO_RETRY, IDLE},
	{0x6, 0x2a, 0x09, IO_DONE, RUN}, /* capacity */
	{0x6, 0x2f, 0x00, IO_DONE, RUN},
	{0x6, 0x38, 0x07, IO_DONE, RUN}, /* thin provisioning soft threshold */
	{0x6, 0x3f, 0x01, IO_DONE, RUN},
	{0x6, 0x3f, 0x03, IO_REIDENTIFY, IDLE},
	{0x6, 0x3f, 0x0e, IO_REIDENTIFY, IDLE},

	/* DATA PROTECT (27/07: thin LUN is full), BLANK CHECK, vendor, COPY ABORTED */
	{0x7, 0x27, 0x00, IO_WRITE_REFUSED, IDLE},
	{0x7, 0x27, 0x07, IO_DONE, RUN},
	{0x8, 0x00, 0x00, IO_DONE, RUN},
	{0x9, 0x80, 0x00, IO_DONE, RUN},
	{0xa, 0x0d, 0x02, IO_DONE, RUN},

	/* ABORTED COMMAND: retried, but for DIF and duration limits */
	{0xb, 0x00, 0x00, IO_RETRY, RUN},
	{0xb, 0x10, 0x01, IO_DONE, RUN},
	{0xb, 0x10, 0x03, IO_DONE, RUN},
	{0xb, 0x2e, 0x00, IO_RETRY, RUN},
	{0xb, 0x2e, 0x01, IO_DONE, RUN},
	{0xb, 0x2e, 0x02, IO_DONE, RUN},
	{0xb, 0x2e, 0x03, IO_DONE, RUN},
	{0xb, 0x44, 0x00, IO_RETRY, RUN},
	{0xb, 0x47, 0x05, IO_RETRY, RUN},

	/* VOLUME OVERFLOW, MISCOMPARE, COMPLETED (55/0A: duration limit, F44) */
	{0xc, 0x00, 0x00, IO_DONE, RUN},
	{0xd, 0x00, 0x00, IO_DONE, RUN},
	{0xe, 0x1d, 0x00, IO_DONE, RUN},
	{0xf, 0x55, 0x0a, IO_DONE, RUN},
};

static struct scsi_result fixed_sense(uint8_t code, uint8_t key, uint8_t asc, uint8_t ascq)
{
	struct scsi_result result;

	scsi_sense_set(&result, 512, key, asc, ascq);
	result.sense[0] = code;
	return result;
}

static struct scsi_result descriptor_sense(uint8_t code, uint8_t key, uint8_t asc, uint8_t ascq)
{
	return (struct scsi_result){
		.status = SAM_CHECK_CONDITION,
		.sense_len = 8,
		.sense = {code, key, asc, ascq},
		.residual = 512,
	};
}

static void test_every_sense_row(void)
{
	size_t i;

	for (i = 0; i < sizeof(sense_rows) / sizeof(sense_rows[0]); i++) {
		const struct sense_row *row = &sense_rows[i];
		struct scsi_result fixed = fixed_sense(0x70, row->key, row->asc, row->ascq);
		struct scsi_result descriptor =
			descriptor_sense(0x72, row->key, row->asc, row->ascq);

		check(&fixed, row->verdict, row->may_have_run);
		fixed.sense[0] = 0xf0; /* VALID: the INFORMATION field means something */
		check(&fixed, row->verdict, row->may_have_run);
		check(&descriptor, row->verdict, row->may_have_run);
	}
}

/* A deferred error is about a write that was answered GOOD: the initiator must hear of it. */
static void test_deferred_goes_up(void)
{
	size_t i;

	for (i = 0; i < sizeof(sense_rows) / sizeof(sense_rows[0]); i++) {
		const struct sense_row *row = &sense_rows[i];
		struct scsi_result fixed = fixed_sense(0x71, row->key, row->asc, row->ascq);
		struct scsi_result descriptor =
			descriptor_sense(0x73, row->key, row->asc, row->ascq);

		check(&fixed, IO_DONE, IDLE);
		check(&descriptor, IO_DONE, IDLE);
	}
}

/* CHECK CONDITION, but the sense is missing or garbage: ask again, as the kernel does. */
static void test_no_sense(void)
{
	struct scsi_result result = {.status = SAM_CHECK_CONDITION};

	check(&result, IO_RETRY, RUN);
	result.sense_len = 18;
	check(&result, IO_RETRY, RUN);
	result.sense[0] = 0x7f;
	check(&result, IO_RETRY, RUN);
}

static void check_status(uint8_t status, enum io_verdict verdict, bool may_have_run)
{
	struct scsi_result result = {.status = status};

	check(&result, verdict, may_have_run);
	/* Sense beside another status (GOOD with a duration limit) does not count. */
	result = fixed_sense(0x70, 0x2, 0x04, 0x0b);
	result.status = status;
	check(&result, verdict, may_have_run);
}

static void test_every_status(void)
{
	unsigned int status;

	check_status(SAM_BUSY, IO_RETRY, IDLE);
	check_status(SAM_TASK_SET_FULL, IO_RETRY, IDLE);
	assert(!strcmp(judge(&(struct scsi_result){.status = SAM_BUSY}).why, "busy"));
	assert(!strcmp(judge(&(struct scsi_result){.status = SAM_TASK_SET_FULL}).why,
		       "task set full"));
	for (status = 0; status < 256; status++)
		if (status != SAM_BUSY && status != SAM_TASK_SET_FULL &&
		    status != SAM_CHECK_CONDITION)
			check_status((uint8_t)status, IO_DONE, RUN);
}

static void check_transport(enum transport_error error, enum io_verdict verdict, bool may_have_run)
{
	struct scsi_result result = {.transport = error};

	check(&result, verdict, may_have_run);
	/* What the status byte holds then is nobody's word. */
	result.status = SAM_RESERVATION_CONFLICT;
	check(&result, verdict, may_have_run);
	assert(transport_never_sent(error) == !may_have_run);
}

static void test_every_transport_error(void)
{
	check_transport(TRANSPORT_BUSY, IO_REQUEUE, IDLE);
	check_transport(TRANSPORT_REFUSED, IO_CANNOT_CARRY, IDLE);
	check_transport(TRANSPORT_NOT_SENT, IO_PATH_FAILED, IDLE);
	check_transport(TRANSPORT_GONE, IO_PATH_FAILED, IDLE);
	check_transport(TRANSPORT_LOST, IO_PATH_FAILED, RUN);
	check_transport(TRANSPORT_ORPHANED, IO_PATH_FAILED, RUN);
	check_transport(TRANSPORT_TIMEOUT, IO_PATH_SUSPECT, RUN);
	check_transport(TRANSPORT_FAULT, IO_PATH_SUSPECT, RUN);
	check_transport((enum transport_error)99, IO_PATH_SUSPECT, RUN);
}

#define BLOCK 512

/* 16 blocks where the CDB has a length, GOOD, and one block was not taken. */
static void test_short_writes(void)
{
	static const struct {
		const char *name;
		uint8_t cdb[SCSI_CDB_MAX];
		uint8_t cdb_len;
		bool is_short;
	} rows[] = {
		{"WRITE(6)", {0x0a, [4] = 16}, 6, true},
		{"WRITE(10)", {0x2a, [8] = 16}, 10, true},
		{"WRITE(12)", {0xaa, [9] = 16}, 12, true},
		{"WRITE(16)", {0x8a, [13] = 16}, 16, true},
		{"WRITE(32)", {0x7f, [7] = 24, [9] = 0x0b, [31] = 16}, 32, true},
		{"WRITE AND VERIFY(10)", {0x2e, [8] = 16}, 10, true},
		{"WRITE AND VERIFY(16)", {0x8e, [13] = 16}, 16, true},
		{"WRITE ATOMIC(16)", {0x9c, [13] = 16}, 16, true},
		{"WRITE SAME(10)", {0x41, [8] = 16}, 10, true},
		{"WRITE SAME(16)", {0x93, [13] = 16}, 16, true},
		{"WRITE SAME(32)", {0x7f, [7] = 24, [9] = 0x0d, [31] = 16}, 32, true},
		{"WRITE SAME(10), UNMAP", {0x41, 0x08, [8] = 16}, 10, false},
		{"WRITE SAME(16), UNMAP", {0x93, 0x08, [13] = 16}, 16, false},
		{"WRITE SAME(32), UNMAP", {0x7f, [7] = 24, [9] = 0x0d, 0x08, [31] = 16}, 32, false},
		{"COMPARE AND WRITE", {0x89, [13] = 8}, 16, true},
		{"ORWRITE(16)", {0x8b, [13] = 16}, 16, true},

		{"READ(10)", {0x28, [8] = 16}, 10, false},
		{"VERIFY(10), BYTCHK", {0x2f, 0x02, [8] = 16}, 10, false},
		{"UNMAP", {0x42, [7] = 0x20}, 10, false},
		{"MODE SELECT(10)", {0x55, [7] = 0x20}, 10, false},
		{"PERSISTENT RESERVE OUT", {0x5f, [7] = 0x20}, 10, false},
		{"EXTENDED COPY", {0x83, [12] = 0x20}, 16, false},
		{"FORMAT UNIT", {0x04, 0x10}, 6, false},
		{"WRITE BUFFER", {0x3b, [7] = 0x20}, 10, false},
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct scsi_cmd cmd = {.cdb_len = rows[i].cdb_len};
		struct scsi_result result = {.residual = BLOCK};

		memcpy(cmd.cdb, rows[i].cdb, sizeof(cmd.cdb));
		assert(scsi_cdb_fill(&cmd, 16 * BLOCK, BLOCK) == CDB_OK && cmd.data_len);
		if (is_short_transfer(&cmd, &result) != rows[i].is_short)
			printf("%s\n", rows[i].name);
		assert(is_short_transfer(&cmd, &result) == rows[i].is_short);
		result.status = SAM_CHECK_CONDITION; /* then the sense counts */
		assert(!is_short_transfer(&cmd, &result));
		result = (struct scsi_result){.transport = TRANSPORT_LOST, .residual = BLOCK};
		assert(!is_short_transfer(&cmd, &result));
		result = (struct scsi_result){0};
		assert(!is_short_transfer(&cmd, &result));
	}
}

/* GOOD to a READ of which nothing arrived is no answer; of less than all the rest is known. */
static void test_empty_reads(void)
{
	static const struct {
		const char *name;
		uint8_t cdb[SCSI_CDB_MAX];
		uint8_t cdb_len;
		bool is_read;
	} rows[] = {
		{"READ(6)", {0x08, [4] = 16}, 6, true},
		{"READ(10)", {0x28, [8] = 16}, 10, true},
		{"READ(12)", {0xa8, [9] = 16}, 12, true},
		{"READ(16)", {0x88, [13] = 16}, 16, true},
		{"READ(32)", {0x7f, [7] = 24, [9] = 0x09, [31] = 16}, 32, true},

		{"INQUIRY", {0x12, [3] = 0x20}, 6, false},
		{"MODE SENSE(10)", {0x5a, [7] = 0x20}, 10, false},
		{"READ CAPACITY(10)", {0x25}, 10, false},
		{"READ CAPACITY(16)", {0x9e, 0x10, [13] = 32}, 16, false},
		{"GET LBA STATUS", {0x9e, 0x12, [13] = 32}, 16, false},
		{"PERSISTENT RESERVE IN", {0x5e, [8] = 8}, 10, false},
		{"RECEIVE COPY RESULTS", {0x84, [13] = 32}, 16, false},
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct scsi_cmd cmd = {.cdb_len = rows[i].cdb_len};
		struct scsi_result result = {0};
		uint32_t len;

		memcpy(cmd.cdb, rows[i].cdb, sizeof(cmd.cdb));
		assert(scsi_cdb_fill(&cmd, 16 * BLOCK, BLOCK) == CDB_OK && cmd.data_len);
		len = (uint32_t)cmd.data_len;
		assert(!is_short_transfer(&cmd, &result));
		result.residual = len - 1;
		assert(!is_short_transfer(&cmd, &result));
		result.residual = len;
		if (is_short_transfer(&cmd, &result) != rows[i].is_read)
			printf("%s\n", rows[i].name);
		assert(is_short_transfer(&cmd, &result) == rows[i].is_read);
		result.residual = len + 1; /* nonsense, but nothing arrived */
		assert(is_short_transfer(&cmd, &result) == rows[i].is_read);
		result.status = SAM_CHECK_CONDITION; /* then the sense counts */
		assert(!is_short_transfer(&cmd, &result));
		result = (struct scsi_result){.transport = TRANSPORT_LOST, .residual = len};
		assert(!is_short_transfer(&cmd, &result));
		cmd.dir = SCSI_NO_DATA; /* the initiator wants none of it */
		cmd.data_len = 0;
		assert(!is_short_transfer(&cmd, &(struct scsi_result){.residual = len}));
	}
}

/* What a map's hardware handler knows better about a sense; its name, then the verdict. */
static void test_the_hardware_handler_knows_better(void)
{
	static const struct {
		const char *handler;
		uint8_t key, asc, ascq;
		enum io_verdict verdict;
		bool may_have_run;
	} rows[] = {
		{"emc", 0x2, 0x04, 0x03, IO_PATH_FAILED, IDLE},
		{"emc", 0x5, 0x25, 0x01, IO_DONE, RUN},
		{"emc", 0x3, 0x03, 0x00, IO_RETRY, RUN}, /* no opinion: as for anybody */
		{"rdac", 0x2, 0x04, 0xa1, IO_TRANSITIONING, IDLE},
		{"rdac", 0x2, 0x04, 0x81, IO_PATH_FAILED, IDLE},
		{"rdac", 0x5, 0x94, 0x01, IO_PATH_FAILED, IDLE},
		{"rdac", 0x6, 0x8b, 0x02, IO_TRANSITIONING, IDLE},
		{"hp_sw", 0x2, 0x04, 0x02, IO_PATH_FAILED, IDLE},
		{"hp_sw", 0x2, 0x04, 0x03, IO_DONE, RUN},
		{"alua", 0x2, 0x04, 0x0a, IO_TRANSITIONING, IDLE},
		{"alua", 0x6, 0x2a, 0x06, IO_RETRY, IDLE},
		{"alua", 0x5, 0x24, 0x00, IO_DONE, RUN},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct mpath_settings settings;
		struct scsi_result result;
		struct mpath_table *table;
		char words[80], text[200];
		struct strbuf error;
		struct multipath *m;
		struct verdict v;

		strbuf_init(&error, text, sizeof(text));
		snprintf(words, sizeof(words), "0 1 %s 1 1 round-robin 0 1 1 8:0 1",
			 rows[i].handler);
		assert(mpath_table_parse(words, &table, &error) == 0);
		mpath_settings_init(&settings);
		m = mpath_create("mpatha", table, &settings, NULL, &error);
		mpath_table_free(table);
		assert(m);
		scsi_sense_set(&result, 0, rows[i].key, rows[i].asc, rows[i].ascq);
		v = judge_for(m, &result);
		if (v.verdict != rows[i].verdict || v.may_have_run != rows[i].may_have_run)
			fprintf(stderr, "%s %02x/%02x/%02x: verdict %d (%s), run %d\n",
				rows[i].handler, rows[i].key, rows[i].asc, rows[i].ascq, v.verdict,
				v.why, v.may_have_run);
		assert(v.verdict == rows[i].verdict && v.may_have_run == rows[i].may_have_run);

		/* About a command that was answered before: it goes up. */
		result.sense[0] |= 1;
		assert(judge_for(m, &result).verdict == IO_DONE);
		/* Without sense there is nothing to have an opinion on. */
		result.sense_len = 0;
		assert(judge_for(m, &result).verdict == IO_RETRY);
		result.status = SAM_RESERVATION_CONFLICT;
		assert(judge_for(m, &result).verdict == IO_DONE);
		mpath_destroy(m);
	}
}

int main(void)
{
	test_every_sense_row();
	test_deferred_goes_up();
	test_no_sense();
	test_every_status();
	test_every_transport_error();
	test_short_writes();
	test_empty_reads();
	test_the_hardware_handler_knows_better();
	return 0;
}
