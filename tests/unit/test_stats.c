/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counters and latencies: nothing is counted twice or as something else, and a percentile is never
 * too low and at most a sixteenth (and a microsecond) too high.
 */
#include <assert.h>
#include <string.h>

#include "mpath/stats.h"

static struct io_stats stats;

static void answer(enum scsi_dir dir, size_t len, struct scsi_result result, uint64_t ns)
{
	struct mpath_io io = {.cmd = {.dir = dir, .data_len = len}, .result = result};

	io_stats_count(&stats, &io, ns);
}

static void took(uint64_t ns)
{
	answer(SCSI_NO_DATA, 0, (struct scsi_result){0}, ns);
}

static void reset(void)
{
	memset(&stats, 0, sizeof(stats));
}

static void test_good_commands_count_by_direction(void)
{
	reset();
	answer(SCSI_DATA_IN, 4096, (struct scsi_result){.residual = 96}, 1);
	answer(SCSI_DATA_IN, 1000, (struct scsi_result){0}, 1);
	answer(SCSI_DATA_OUT, 512, (struct scsi_result){.status = SAM_CONDITION_MET}, 1);
	answer(SCSI_NO_DATA, 0, (struct scsi_result){0}, 1);
	assert(stats.counters.good[SCSI_DATA_IN] == 2 &&
	       stats.counters.bytes[SCSI_DATA_IN] == 5000);
	assert(stats.counters.good[SCSI_DATA_OUT] == 1 &&
	       stats.counters.bytes[SCSI_DATA_OUT] == 512);
	assert(stats.counters.good[SCSI_NO_DATA] == 1 && stats.counters.bytes[SCSI_NO_DATA] == 0);
	for (unsigned int i = 0; i < NR_IO_ERRORS; i++)
		assert(stats.counters.errors[i] == 0);
}

/* How quickly a path refuses says nothing of how quick it is. */
static void test_what_was_never_sent_has_no_latency(void)
{
	reset();
	answer(SCSI_DATA_IN, 512, (struct scsi_result){.transport = TRANSPORT_BUSY}, 1);
	answer(SCSI_DATA_IN, 512, (struct scsi_result){.transport = TRANSPORT_GONE}, 1);
	assert(latency_percentiles(&stats.latency).p50_us == 0);
	answer(SCSI_DATA_IN, 512, (struct scsi_result){.transport = TRANSPORT_LOST}, 1);
	assert(latency_percentiles(&stats.latency).p50_us == 2);
}

static void path_answers(struct scsi_result result, uint64_t ns)
{
	struct mpath_io io = {.cmd = {.dir = SCSI_DATA_IN, .data_len = 512}, .result = result};

	io_stats_count_on_path(&stats, &io, ns);
}

/* Nor does how quickly its target refuses. */
static void test_what_a_path_refuses_has_no_latency(void)
{
	static const uint8_t refusals[] = {
		SAM_CHECK_CONDITION, SAM_RESERVATION_CONFLICT, SAM_BUSY,
		SAM_TASK_SET_FULL,   SAM_TASK_ABORTED,	       SAM_ACA_ACTIVE};

	reset();
	for (size_t i = 0; i < sizeof(refusals); i++)
		path_answers((struct scsi_result){.status = refusals[i]}, 1);
	path_answers((struct scsi_result){.transport = TRANSPORT_FAULT}, 1);
	path_answers((struct scsi_result){.transport = TRANSPORT_LOST}, 1);
	assert(stats.counters.errors[IO_ERROR_BUSY] == 1 &&
	       stats.counters.errors[IO_ERROR_FAULT] == 1);
	assert(latency_percentiles(&stats.latency).p50_us == 0);
	path_answers((struct scsi_result){.status = SAM_CONDITION_MET}, 1);
	assert(latency_percentiles(&stats.latency).p50_us == 2);
	assert(stats.counters.good[SCSI_DATA_IN] == 1);
	path_answers((struct scsi_result){.transport = TRANSPORT_TIMEOUT}, 1000000000);
	assert(latency_percentiles(&stats.latency).p999_us >= 1000000);
	path_answers((struct scsi_result){0}, 1);
	assert(stats.counters.good[SCSI_DATA_IN] == 2);
}

/* Every answer that is not good is one error of its kind, and moves no bytes. */
static void test_errors_count_by_kind(void)
{
	static const struct {
		struct scsi_result result;
		const char *name;
	} rows[] = {
		{{.status = SAM_CHECK_CONDITION}, "check-condition"},
		{{.status = SAM_RESERVATION_CONFLICT}, "reservation-conflict"},
		{{.status = SAM_BUSY}, "busy"},
		{{.status = SAM_TASK_SET_FULL}, "task-set-full"},
		{{.status = SAM_TASK_ABORTED}, "task-aborted"},
		{{.status = SAM_ACA_ACTIVE}, "other"},
		{{.transport = TRANSPORT_BUSY}, "no-resources"},
		{{.transport = TRANSPORT_REFUSED}, "refused"},
		{{.transport = TRANSPORT_NOT_SENT}, "not-sent"},
		{{.transport = TRANSPORT_GONE}, "gone"},
		{{.transport = TRANSPORT_LOST}, "lost"},
		{{.transport = TRANSPORT_TIMEOUT}, "timeout"},
		{{.transport = TRANSPORT_FAULT}, "fault"},
	};

	assert(sizeof(rows) / sizeof(rows[0]) == NR_IO_ERRORS);
	for (unsigned int i = 0; i < NR_IO_ERRORS; i++) {
		reset();
		answer(SCSI_DATA_IN, 512, rows[i].result, 1);
		for (unsigned int k = 0; k < NR_IO_ERRORS; k++)
			assert(stats.counters.errors[k] ==
			       (strcmp(io_error_name(k), rows[i].name) == 0));
		assert(!stats.counters.good[SCSI_DATA_IN] && !stats.counters.bytes[SCSI_DATA_IN]);
	}
}

/* One command: all three percentiles are its time, as exactly as promised, for every magnitude. */
static void test_a_percentile_is_close(void)
{
	for (uint64_t ns = 1; ns < 137000000000ull; ns += ns / 7 + 1) {
		struct latency_percentiles p;

		reset();
		took(ns);
		p = latency_percentiles(&stats.latency);
		assert(p.p50_us * 1000 >= ns);
		assert(p.p50_us * 1000 <= ns + ns / 16 + 2048);
		assert(p.p50_us == p.p99_us && p.p50_us == p.p999_us);
	}
}

static void test_what_takes_longer_than_all_buckets_is_in_the_last(void)
{
	reset();
	took(137000000000ull);
	took(UINT64_MAX);
	assert(stats.latency.now[LATENCY_BUCKETS - 1] == 2);
	assert(latency_percentiles(&stats.latency).p50_us / 1000000 == 137);
}

static void test_percentiles_of_many(void)
{
	struct latency_percentiles p;

	reset();
	p = latency_percentiles(&stats.latency);
	assert(p.p50_us == 0 && p.p99_us == 0 && p.p999_us == 0);

	/* 989 fast, 10 slow, 1 very slow: a command more on the other side moves each percentile.
	 */
	for (unsigned int i = 0; i < 989; i++)
		took(1000);
	for (unsigned int i = 0; i < 10; i++)
		took(1000000);
	took(1000000000);
	p = latency_percentiles(&stats.latency);
	assert(p.p50_us == 2);
	assert(p.p99_us >= 1000 && p.p99_us < 1070);
	assert(p.p999_us >= 1000 && p.p999_us < 1070);
	took(1000000000);
	p = latency_percentiles(&stats.latency);
	assert(p.p999_us >= 1000000 && p.p999_us < 1070000);
}

/* A command is seen for 10 to 20 s, then it is forgotten; counters are not. */
static void test_latencies_are_of_the_last_seconds(void)
{
	const uint64_t start = 5, window = LATENCY_WINDOW_NS;

	reset();
	latency_turn_window(&stats.latency, start);
	took(1000000);
	latency_turn_window(&stats.latency, start + window - 1);
	took(1000000);
	assert(latency_percentiles(&stats.latency).p50_us >= 1000);
	latency_turn_window(&stats.latency, start + window);
	assert(latency_percentiles(&stats.latency).p50_us >= 1000);
	took(1000);
	took(1000);
	took(1000);
	assert(latency_percentiles(&stats.latency).p50_us == 2);
	assert(latency_percentiles(&stats.latency).p99_us >= 1000);
	latency_turn_window(&stats.latency, start + 2 * window);
	assert(latency_percentiles(&stats.latency).p99_us == 2);
	latency_turn_window(&stats.latency, start + 3 * window);
	assert(latency_percentiles(&stats.latency).p99_us == 0);
	assert(stats.counters.good[SCSI_NO_DATA] == 5);
}

/* Each command is in the span that begins before it, and not in a later one. */
static void test_spans(void)
{
	assert(latency_span_ns(0) == 0);
	for (uint64_t ns = 1; ns < 137000000000ull; ns += ns / 7 + 1) {
		unsigned int span = latency_span(ns);

		assert(span < LATENCY_SPANS && latency_span_ns(span) <= ns);
		assert(ns < latency_span_ns(span + 1));
		assert(latency_span(latency_span_ns(span)) == span);
		assert(latency_span_ns(span + 1) - latency_span_ns(span) <= ns / 8 + 2048);
	}
}

static uint32_t in_all(const uint32_t *spans)
{
	uint32_t n = 0;

	for (unsigned int i = 0; i < LATENCY_SPANS; i++)
		n += spans[i];
	return n;
}

static void expect_since(const struct latency_mark *mark, uint32_t fast, uint32_t slow)
{
	uint32_t spans[LATENCY_SPANS];

	assert(latency_since(&stats.latency, mark, spans) == fast + slow);
	assert(spans[latency_span(1000)] == fast && spans[latency_span(1000000)] == slow);
	assert(in_all(spans) == fast + slow);
}

/* What came since the mark, also when windows were turned meanwhile. */
static void test_since_a_mark(void)
{
	const uint64_t start = 5, window = LATENCY_WINDOW_NS;
	struct latency_mark mark = {0};
	uint32_t spans[LATENCY_SPANS];

	reset();
	took(1000);
	expect_since(&mark, 1, 0);
	latency_turn_window(&stats.latency, start);
	took(1000);
	latency_mark(&stats.latency, &mark);
	expect_since(&mark, 0, 0);
	took(1000000);
	took(1000);
	expect_since(&mark, 1, 1);
	latency_turn_window(&stats.latency, start + window);
	expect_since(&mark, 1, 1);
	took(1000000);
	expect_since(&mark, 1, 2);
	assert(latency_recent(&stats.latency, spans) == 4);
	latency_turn_window(&stats.latency, start + 2 * window);
	took(1000);
	expect_since(&mark, 1, 0); /* the rest is too old */
	latency_mark(&stats.latency, &mark);
	expect_since(&mark, 0, 0);
}

static void test_the_span_of_a_percentile(void)
{
	uint32_t spans[LATENCY_SPANS] = {[3] = 50, [7] = 49, [9] = 1};

	assert(latency_span_of(spans, 100, 500) == 3);
	assert(latency_span_of(spans, 100, 501) == 7);
	assert(latency_span_of(spans, 100, 990) == 7);
	assert(latency_span_of(spans, 100, 991) == 9);
	assert(latency_span_of(spans, 100, 1000) == 9);
}

int main(void)
{
	test_spans();
	test_since_a_mark();
	test_the_span_of_a_percentile();
	test_good_commands_count_by_direction();
	test_errors_count_by_kind();
	test_what_was_never_sent_has_no_latency();
	test_what_a_path_refuses_has_no_latency();
	test_a_percentile_is_close();
	test_what_takes_longer_than_all_buckets_is_in_the_last();
	test_percentiles_of_many();
	test_latencies_are_of_the_last_seconds();
	return 0;
}
