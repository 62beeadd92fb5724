/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counters and latencies.  The time of a command goes into a bucket of a histogram, percentiles
 * are worked out only when somebody asks.
 */
#include "mpath/stats.h"

#include <stddef.h>
#include <string.h>

#include "mpath/scsi.h"

const char *io_error_name(enum io_error error)
{
	static const char *const names[NR_IO_ERRORS] = {
		[IO_ERROR_CHECK_CONDITION] = "check-condition",
		[IO_ERROR_RESERVATION_CONFLICT] = "reservation-conflict",
		[IO_ERROR_BUSY] = "busy",
		[IO_ERROR_TASK_SET_FULL] = "task-set-full",
		[IO_ERROR_TASK_ABORTED] = "task-aborted",
		[IO_ERROR_OTHER] = "other",
		[IO_ERROR_NO_RESOURCES] = "no-resources",
		[IO_ERROR_REFUSED] = "refused",
		[IO_ERROR_NOT_SENT] = "not-sent",
		[IO_ERROR_GONE] = "gone",
		[IO_ERROR_LOST] = "lost",
		[IO_ERROR_TIMEOUT] = "timeout",
		[IO_ERROR_FAULT] = "fault",
	};

	return names[error];
}

static enum io_error status_error(uint8_t status)
{
	switch (status) {
	case SAM_CHECK_CONDITION:
		return IO_ERROR_CHECK_CONDITION;
	case SAM_RESERVATION_CONFLICT:
		return IO_ERROR_RESERVATION_CONFLICT;
	case SAM_BUSY:
		return IO_ERROR_BUSY;
	case SAM_TASK_SET_FULL:
		return IO_ERROR_TASK_SET_FULL;
	case SAM_TASK_ABORTED:
		return IO_ERROR_TASK_ABORTED;
	default: /* any byte that a target may send */
		return IO_ERROR_OTHER;
	}
}

static enum io_error error_of(const struct scsi_result *result)
{
	switch (result->transport) {
	case TRANSPORT_OK:
		return status_error(result->status);
	case TRANSPORT_BUSY:
		return IO_ERROR_NO_RESOURCES;
	case TRANSPORT_REFUSED:
		return IO_ERROR_REFUSED;
	case TRANSPORT_NOT_SENT:
		return IO_ERROR_NOT_SENT;
	case TRANSPORT_GONE:
		return IO_ERROR_GONE;
	case TRANSPORT_LOST:
	case TRANSPORT_ORPHANED:
		return IO_ERROR_LOST;
	case TRANSPORT_TIMEOUT:
		return IO_ERROR_TIMEOUT;
	case TRANSPORT_FAULT:
		return IO_ERROR_FAULT;
	}
	return IO_ERROR_OTHER;
}

/* The time that every command in the bucket has kept, rounded up. */
static uint64_t bucket_us(unsigned int bucket)
{
	unsigned int shift =
		bucket < LATENCY_PER_DOUBLING ? 0 : (bucket >> LATENCY_BUCKETS_SHIFT) - 1;
	uint64_t units = (uint64_t)(bucket - (shift << LATENCY_BUCKETS_SHIFT) + 1) << shift;

	return ((units << LATENCY_UNIT_SHIFT) + 999) / 1000;
}

void io_stats_count_other(struct io_stats *stats, const struct mpath_io *io, uint64_t ns)
{
	const struct scsi_result *result = &io->result;

	if (!transport_never_sent(result->transport))
		latency_count(&stats->latency, ns);
	if (result->transport == TRANSPORT_OK && result->status == SAM_CONDITION_MET)
		io_counters_count_good(&stats->counters, io);
	else
		stats->counters.errors[error_of(result)]++;
}

static bool was_carried_out(const struct scsi_result *result)
{
	return scsi_is_done(result) ||
	       (result->transport == TRANSPORT_OK && result->status == SAM_CONDITION_MET);
}

/* But that it does not answer in time says enough. */
void io_stats_count_path_error(struct io_stats *stats, const struct mpath_io *io, uint64_t ns)
{
	if (was_carried_out(&io->result) || io->result.transport == TRANSPORT_TIMEOUT)
		io_stats_count_other(stats, io, ns);
	else
		stats->counters.errors[error_of(&io->result)]++;
}

void latency_turn_window(struct latency *latency, uint64_t now_ns)
{
	if (now_ns < latency->window_ends_ns)
		return;
	latency->window_ends_ns = now_ns + LATENCY_WINDOW_NS;
	memcpy(latency->before, latency->now, sizeof(latency->before));
	memset(latency->now, 0, sizeof(latency->now));
}

/* --- for those who judge --- */

uint64_t latency_span_ns(unsigned int span)
{
	unsigned int bucket = 2 * span;
	unsigned int shift =
		bucket < LATENCY_PER_DOUBLING ? 0 : (bucket >> LATENCY_BUCKETS_SHIFT) - 1;

	return ((uint64_t)(bucket - (shift << LATENCY_BUCKETS_SHIFT)) << shift)
	       << LATENCY_UNIT_SHIFT;
}

static uint32_t in_span(const uint32_t *buckets, unsigned int span)
{
	return buckets[2 * span] + buckets[2 * span + 1];
}

uint32_t latency_since(const struct latency *latency, const struct latency_mark *mark,
		       uint32_t *spans)
{
	bool same = latency->window_ends_ns == mark->window_ends_ns;
	/* Else what the last window has got since then is in "before", or gone. */
	bool next = latency->window_ends_ns < mark->window_ends_ns + 2 * LATENCY_WINDOW_NS;
	uint32_t total = 0;
	unsigned int i;

	for (i = 0; i < LATENCY_SPANS; i++) {
		spans[i] = in_span(latency->now, i);
		if (same)
			spans[i] -= mark->spans[i];
		else if (next)
			spans[i] += in_span(latency->before, i) - mark->spans[i];
		total += spans[i];
	}
	return total;
}

void latency_mark(const struct latency *latency, struct latency_mark *mark)
{
	unsigned int i;

	mark->window_ends_ns = latency->window_ends_ns;
	for (i = 0; i < LATENCY_SPANS; i++)
		mark->spans[i] = in_span(latency->now, i);
}

uint32_t latency_recent(const struct latency *latency, uint32_t *spans)
{
	uint32_t total = 0;
	unsigned int i;

	for (i = 0; i < LATENCY_SPANS; i++) {
		spans[i] = in_span(latency->now, i) + in_span(latency->before, i);
		total += spans[i];
	}
	return total;
}

unsigned int latency_span_of(const uint32_t *spans, uint32_t total, unsigned int permille)
{
	uint64_t wanted = ((uint64_t)total * permille + 999) / 1000;
	uint64_t seen = 0;
	unsigned int i;

	for (i = 0; i < LATENCY_SPANS - 1; i++) {
		seen += spans[i];
		if (seen >= wanted)
			break;
	}
	return i;
}

/* The first bucket up to which @permille of @total commands are. */
static uint64_t percentile_us(const struct latency *latency, uint64_t total, unsigned int permille)
{
	uint64_t wanted = (total * permille + 999) / 1000;
	uint64_t seen = 0;
	unsigned int i;

	if (!total)
		return 0;
	for (i = 0; i < LATENCY_BUCKETS - 1; i++) {
		seen += (uint64_t)latency->now[i] + latency->before[i];
		if (seen >= wanted)
			break;
	}
	return bucket_us(i);
}

struct latency_percentiles latency_percentiles(const struct latency *latency)
{
	uint64_t total = 0;
	unsigned int i;

	for (i = 0; i < LATENCY_BUCKETS; i++)
		total += (uint64_t)latency->now[i] + latency->before[i];
	return (struct latency_percentiles){
		.p50_us = percentile_us(latency, total, 500),
		.p99_us = percentile_us(latency, total, 990),
		.p999_us = percentile_us(latency, total, 999),
	};
}
