/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tur checker: multipathd's rules (reference/dm-multipath.md C1), each as a conversation.
 */
#include <assert.h>
#include <string.h>

#include "mpath/path_checker.h"
#include "mpath/scsi.h"

extern const struct path_checker_type tur_checker;

struct world {
	char context[64];
	struct scsi_cmd cmd;
	uint8_t data[64];
};

static enum check_result ask(struct world *w, const struct scsi_result *result)
{
	struct scsi_answer answer = {.result = result, .data = w->data};
	struct scsi_question next = {.cmd = &w->cmd, .data = w->data};

	w->cmd = (struct scsi_cmd){.timeout_ms = 1234, .dir = SCSI_DATA_IN};
	return tur_checker.check(w->context, result ? &answer : NULL, &next);
}

static void check_question(const struct world *w)
{
	const uint8_t tur[SCSI_CDB_MAX] = {0};

	assert(w->cmd.cdb_len == 6 && !memcmp(w->cmd.cdb, tur, sizeof(tur)));
	assert(w->cmd.dir == SCSI_NO_DATA && w->cmd.data_len == 0);
	assert(w->cmd.timeout_ms == 1234);
}

static void start(struct world *w)
{
	assert(tur_checker.context_size <= sizeof(w->context));
	memset(w, 0, sizeof(*w));
	assert(ask(w, NULL) == CHECK_ASK);
	check_question(w);
}

/* One question, one answer, the result. */
static void check_at_once(const struct scsi_result *result, enum check_result expected)
{
	struct world w;

	start(&w);
	assert(ask(&w, result) == expected);
}

/* The same answer each time: five questions in all, then the result. */
static void check_after_five(const struct scsi_result *result, enum check_result expected)
{
	struct world w;
	int i;

	start(&w);
	for (i = 1; i < 5; i++) {
		assert(ask(&w, result) == CHECK_ASK);
		check_question(&w);
	}
	assert(ask(&w, result) == expected);
}

/* The answer is asked for again, and the next one decides. */
static void check_next_decides(const struct scsi_result *result)
{
	const struct scsi_result good = {.status = SAM_GOOD};
	struct world w;

	start(&w);
	assert(ask(&w, result) == CHECK_ASK);
	assert(ask(&w, &good) == CHECK_UP);
}

static struct scsi_result sense(uint8_t key, uint8_t asc, uint8_t ascq)
{
	struct scsi_result result;

	scsi_sense_set(&result, 0, key, asc, ascq);
	return result;
}

static void check_sense(uint8_t key, uint8_t asc, uint8_t ascq, enum check_result expected)
{
	struct scsi_result fixed = sense(key, asc, ascq);
	struct scsi_result descriptor = {
		.status = SAM_CHECK_CONDITION, .sense_len = 8, .sense = {0x72, key, asc, ascq}};

	check_at_once(&fixed, expected);
	check_at_once(&descriptor, expected);
}

static void check_status(uint8_t status, enum check_result expected)
{
	const struct scsi_result result = {.status = status};

	check_at_once(&result, expected);
}

/* A target that answers is there, also when it is reserved for others or has too much to do. */
static void test_status(void)
{
	check_status(SAM_GOOD, CHECK_UP);
	check_status(SAM_CONDITION_MET, CHECK_UP);
	check_status(SAM_RESERVATION_CONFLICT, CHECK_UP);
	check_status(SAM_BUSY, CHECK_UP);
	check_status(SAM_TASK_SET_FULL, CHECK_UP);
	check_status(SAM_ACA_ACTIVE, CHECK_UP);
	check_status(0x22, CHECK_DOWN);
	check_status(0xff, CHECK_DOWN);
}

static void test_sense(void)
{
	check_sense(0x2, 0x04, 0x0b, CHECK_GHOST);
	check_sense(0x2, 0x04, 0x0a, CHECK_PENDING);
	check_sense(0x6, 0x04, 0x0a, CHECK_PENDING);
	check_sense(0x5, 0x25, 0x00, CHECK_LUN_GONE);
	check_sense(0x1, 0x5d, 0x00, CHECK_UP);

	check_sense(0x2, 0x04, 0x0c, CHECK_DOWN);
	check_sense(0x2, 0x04, 0x03, CHECK_DOWN);
	check_sense(0x2, 0x04, 0x00, CHECK_DOWN);
	check_sense(0x5, 0x25, 0x01, CHECK_DOWN);
	check_sense(0x5, 0x20, 0x00, CHECK_DOWN);
	check_sense(0x3, 0x11, 0x00, CHECK_DOWN);
	check_sense(0x4, 0x44, 0x00, CHECK_DOWN);
	check_sense(0xb, 0x00, 0x00, CHECK_DOWN);
}

/* Whoever stopped the LUN, or formats it, needs a path to start it, or to see how far it is. */
static void test_lun_not_ready(void)
{
	check_sense(0x2, 0x04, 0x02, CHECK_LUN_NOT_READY);
	check_sense(0x2, 0x04, 0x04, CHECK_LUN_NOT_READY);
	check_sense(0x2, 0x04, 0x07, CHECK_LUN_NOT_READY);
	check_sense(0x2, 0x04, 0x09, CHECK_LUN_NOT_READY);
	check_sense(0x2, 0x04, 0x1b, CHECK_LUN_NOT_READY);
	check_sense(0x2, 0x3a, 0x00, CHECK_LUN_NOT_READY);
	check_sense(0x2, 0x3a, 0x02, CHECK_LUN_NOT_READY);
}

/* A unit attention is told once; a target that never stops is not usable. */
static void test_unit_attention(void)
{
	struct scsi_result reset = sense(0x6, 0x29, 0x00);
	struct scsi_result changed = sense(0x6, 0x3f, 0x0e);
	struct scsi_result standby = sense(0x2, 0x04, 0x0b);
	struct world w;

	check_next_decides(&reset);
	check_after_five(&reset, CHECK_DOWN);

	start(&w);
	assert(ask(&w, &reset) == CHECK_ASK);
	assert(ask(&w, &changed) == CHECK_ASK);
	assert(ask(&w, &standby) == CHECK_GHOST);
}

/* About a write of somebody's, whatever it says: it was not carried out, and the path is as it was.
 */
static void test_deferred_error(void)
{
	static const struct {
		uint8_t key, asc, ascq;
	} senses[] = {{0x3, 0x0c, 0x00}, {0x4, 0x44, 0x00}, {0x1, 0x17, 0x00},
		      {0x2, 0x04, 0x0b}, {0x5, 0x25, 0x00}, {0x6, 0x04, 0x0a}};
	size_t i;

	for (i = 0; i < sizeof(senses) / sizeof(senses[0]); i++) {
		struct scsi_result fixed = sense(senses[i].key, senses[i].asc, senses[i].ascq);
		struct scsi_result descriptor = {
			.status = SAM_CHECK_CONDITION,
			.sense_len = 8,
			.sense = {0x73, senses[i].key, senses[i].asc, senses[i].ascq}};

		fixed.sense[0] = 0x71;
		check_next_decides(&fixed);
		check_after_five(&fixed, CHECK_PENDING);
		check_next_decides(&descriptor);
		check_after_five(&descriptor, CHECK_PENDING);
	}
}

/* Lost sense, and a task that someone aborted, say nothing yet. */
static void test_unclear_answers(void)
{
	const struct scsi_result no_sense = {.status = SAM_CHECK_CONDITION};
	const struct scsi_result aborted = {.status = SAM_TASK_ABORTED};
	struct scsi_result with_sense = sense(0x05, 0x25, 0x00);

	with_sense.status = SAM_TASK_ABORTED; /* which has none */
	check_next_decides(&no_sense);
	check_after_five(&no_sense, CHECK_DOWN);
	check_next_decides(&aborted);
	check_after_five(&aborted, CHECK_DOWN);
	check_next_decides(&with_sense);
}

/* The adapter's errors are retried; our own shortage never fails a path; a loss is a loss. */
static void test_transport(void)
{
	const struct scsi_result busy = {.transport = TRANSPORT_BUSY};
	const struct scsi_result fault = {.transport = TRANSPORT_FAULT};
	struct scsi_result result = {0};
	size_t i;
	static const enum transport_error down[] = {TRANSPORT_REFUSED, TRANSPORT_NOT_SENT,
						    TRANSPORT_GONE, TRANSPORT_LOST,
						    TRANSPORT_TIMEOUT};

	check_next_decides(&fault);
	check_after_five(&fault, CHECK_DOWN);
	check_next_decides(&busy);
	check_after_five(&busy, CHECK_PENDING);
	for (i = 0; i < sizeof(down) / sizeof(down[0]); i++) {
		result.transport = down[i];
		check_at_once(&result, CHECK_DOWN);
	}
}

/* All retries share one budget, whatever their reasons. */
static void test_one_budget(void)
{
	const struct scsi_result fault = {.transport = TRANSPORT_FAULT};
	struct scsi_result reset = sense(0x6, 0x29, 0x00);
	struct world w;

	start(&w);
	assert(ask(&w, &fault) == CHECK_ASK);
	assert(ask(&w, &reset) == CHECK_ASK);
	assert(ask(&w, &fault) == CHECK_ASK);
	assert(ask(&w, &reset) == CHECK_ASK);
	assert(ask(&w, &reset) == CHECK_DOWN);
}

int main(void)
{
	assert(!strcmp(tur_checker.name, "tur"));
	test_status();
	test_sense();
	test_lun_not_ready();
	test_unit_attention();
	test_deferred_error();
	test_unclear_answers();
	test_transport();
	test_one_budget();
	return 0;
}
