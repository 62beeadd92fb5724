/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is counted of commands: how many, how many bytes, what went wrong, how long it took.  One
 * struct per path (from sending to the path's answer) and one per map (from arrival to the answer
 * to the initiator).
 *
 * Everything here runs on the map's owner thread and is a few instructions without allocation.
 */
#ifndef MPATH_STATS_H
#define MPATH_STATS_H

#include "mpath/io.h"

/* What a command met instead of GOOD: the target's answers first, then what the way did. */
enum io_error {
	IO_ERROR_CHECK_CONDITION,
	IO_ERROR_RESERVATION_CONFLICT,
	IO_ERROR_BUSY,
	IO_ERROR_TASK_SET_FULL,
	IO_ERROR_TASK_ABORTED,
	IO_ERROR_OTHER,
	IO_ERROR_NO_RESOURCES,
	IO_ERROR_REFUSED,
	IO_ERROR_NOT_SENT,
	IO_ERROR_GONE,
	IO_ERROR_LOST,
	IO_ERROR_TIMEOUT,
	IO_ERROR_FAULT,
	NR_IO_ERRORS,
};

/* "check-condition", ...: as on D-Bus. */
const char *io_error_name(enum io_error error);

#define NR_SCSI_DIRS 3

struct io_counters {
	uint64_t good[NR_SCSI_DIRS];  /* commands answered with GOOD or CONDITION MET */
	uint64_t bytes[NR_SCSI_DIRS]; /* that they have transferred */
	uint64_t errors[NR_IO_ERRORS];
};

/*
 * Log-linear: 16 buckets for each doubling of the time, so a percentile is at most 1/16 (and 1 us)
 * too high.  From 1 us to 137 s; what took longer counts as 137 s.
 */
#define LATENCY_BUCKETS	      384
#define LATENCY_UNIT_SHIFT    10 /* buckets are made of 1024 ns */
#define LATENCY_BUCKETS_SHIFT 4
#define LATENCY_PER_DOUBLING  (1u << LATENCY_BUCKETS_SHIFT)
#define LATENCY_WINDOW_NS     10000000000ull

struct latency {
	uint64_t window_ends_ns; /* 0: before the first */
	uint32_t now[LATENCY_BUCKETS];
	uint32_t before[LATENCY_BUCKETS]; /* the window before */
};

struct io_stats {
	struct io_counters counters;
	struct latency latency;
};

/* The first 16 buckets are one unit wide; from there on a doubling has 16. */
static inline unsigned int latency_bucket(uint64_t ns)
{
	uint64_t units = ns >> LATENCY_UNIT_SHIFT;
	unsigned int shift, bucket;

	if (units < LATENCY_PER_DOUBLING)
		return (unsigned int)units;
	shift = 63 - LATENCY_BUCKETS_SHIFT - (unsigned int)__builtin_clzll(units);
	bucket = (shift << LATENCY_BUCKETS_SHIFT) + (unsigned int)(units >> shift);
	return bucket < LATENCY_BUCKETS ? bucket : LATENCY_BUCKETS - 1;
}

static inline void latency_count(struct latency *latency, uint64_t ns)
{
	latency->now[latency_bucket(ns)]++;
}

static inline void io_counters_count_good(struct io_counters *counters, const struct mpath_io *io)
{
	counters->good[io->cmd.dir]++;
	counters->bytes[io->cmd.dir] += io->cmd.data_len - io->result.residual;
}

void io_stats_count_other(struct io_stats *stats, const struct mpath_io *io, uint64_t ns);

/* An answer: @io with its cmd and result, @ns after it was sent or had arrived. */
static inline void io_stats_count(struct io_stats *stats, const struct mpath_io *io, uint64_t ns)
{
	if (!scsi_result_is_good(&io->result)) {
		io_stats_count_other(stats, io, ns);
		return;
	}
	latency_count(&stats->latency, ns);
	io_counters_count_good(&stats->counters, io);
}

void io_stats_count_path_error(struct io_stats *stats, const struct mpath_io *io, uint64_t ns);

/* Of a path.  How quickly it refuses, or loses, a command says nothing of how quick it is. */
static inline void io_stats_count_on_path(struct io_stats *stats, const struct mpath_io *io,
					  uint64_t ns)
{
	if (scsi_result_is_good(&io->result))
		io_stats_count(stats, io, ns);
	else
		io_stats_count_path_error(stats, io, ns);
}

struct latency_percentiles {
	uint64_t p50_us;
	uint64_t p99_us;
	uint64_t p999_us;
};

/* A new window every LATENCY_WINDOW_NS, as long as somebody looks at least that often. */
void latency_turn_window(struct latency *latency, uint64_t now_ns);
/* Over this window and the one before; zeros if there was no command. */
struct latency_percentiles latency_percentiles(const struct latency *latency);

/* For those who judge latencies, see core/demote.c: two buckets are one here. */
#define LATENCY_SPANS (LATENCY_BUCKETS / 2)

/* What was counted when somebody looked last. */
struct latency_mark {
	uint64_t window_ends_ns;
	uint32_t spans[LATENCY_SPANS];
};

static inline unsigned int latency_span(uint64_t ns)
{
	return latency_bucket(ns) / 2;
}

/* What every command in the span has taken at least. */
uint64_t latency_span_ns(unsigned int span);
/* The commands since @mark, which is set by latency_mark().  Their number. */
uint32_t latency_since(const struct latency *latency, const struct latency_mark *mark,
		       uint32_t *spans);
void latency_mark(const struct latency *latency, struct latency_mark *mark);
/* Those of this window and the one before. */
uint32_t latency_recent(const struct latency *latency, uint32_t *spans);
/* The span in which the command is that has @permille of all below it, or is the last of them. */
unsigned int latency_span_of(const uint32_t *spans, uint32_t total, unsigned int permille);

#endif
