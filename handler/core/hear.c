/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is told once, and to us: by the answer to a probe, or by the kernel, which has met it with a
 * command of its own.  Nobody else will hear it: neither another path nor an initiator.
 */
#include "core/multipath.h"
#include "core/probe.h"
#include "core/verdict.h"
#include "mpath/scsi.h"

/*
 * Who talks about the states of port groups is told of them, and a path in standby says so whenever
 * it is asked.
 */
static bool may_be_news(const struct path *path)
{
	return path->probing != PROBE_ACTIVATE && path->probing != PROBE_REFRESH &&
	       judge(&path->probe.result).verdict != IO_PATH_FAILED;
}

/*
 * A write that was answered GOOD is lost, which is told once: who asks again in our conversations
 * gets another answer, and the initiators never hear of it, if not from us (SPC-5 4.4.6).
 */
void listen_for_losses(struct multipath *m, const struct path *path)
{
	if (!scsi_is_deferred(&path->probe.result))
		return;
	trace(m, "path %s: a deferred error", path_name(path));
	keep_news(m, &path->probe.result);
}

/*
 * It may be another LUN now.  The target tells each nexus once, so this is told to all paths that
 * lead to the same disk: it may be in two groups, or have left the map and come again.
 */
void doubt_identity(struct multipath *m, const struct path *path, const char *why)
{
	struct path *other;

	for_each_path(m, other) {
		if (other->link != LINK_OPEN || !is_same_disk(other, path))
			continue;
		other->recheck_identity = true;
		suspect_path(m, other, why);
	}
}

/*
 * A passive path has proved whose it is, too.  Of a LUN that was never seen nobody can have
 * believed anything.
 */
static void hear_for_initiators(struct multipath *m, struct path *path,
				const struct scsi_result *result)
{
	if (!m->lun.known)
		return;
	if (path->identified || path->passive)
		keep_news(m, result);
	else
		keep_until_identified(path, result);
}

/*
 * A unit attention is told once: what a probe hears of the LUN's identity nobody else will.  Nor,
 * what is the initiators' business; but it is perhaps another LUN that speaks.
 */
void listen_for_doubts(struct multipath *m, struct path *path)
{
	struct verdict generic = judge(&path->probe.result), verdict;

	if (may_be_news(path))
		verdict = judge_for(m, &path->probe.result);
	else
		verdict = judge_reset(m, &path->probe.result, generic);
	if (path->probing == PROBE_ACTIVATE)
		hear_of_states(m, &path->probe.result);
	if (is_capacity_change(&path->probe.result))
		capacity_changed(m);
	else if (verdict.verdict == IO_DONE && is_told_once(&path->probe.result) &&
		 !asks_for_patience(m, &path->probe.result))
		hear_for_initiators(m, path, &path->probe.result);
	if (generic.verdict == IO_REIDENTIFY)
		doubt_identity(m, path, generic.why);
}

static void hear_from_kernel(struct multipath *m, struct path *path, uint8_t asc, uint8_t ascq)
{
	struct scsi_result result;

	scsi_sense_set(&result, 0, 0x06, asc, ascq);
	hear_for_initiators(m, path, &result);
}

/* Who had asked did not hear it, and its command may have been executed where it should not. */
void kernel_has_heard(struct multipath *m, struct path *path, enum mpath_heard heard)
{
	if (m->stopping)
		return;
	switch (heard) {
	case HEARD_RESET:
		want_refresh(m);
		if (!is_second_word(m, path, TELLS_RESET, KERNEL_TELLS))
			doubt_identity(m, path, "reset, or a new nexus");
		tell_reset(m);
		return;
	case HEARD_STATES:
		want_refresh(m);
		return;
	case HEARD_IDENTITY:
		doubt_identity(m, path, "INQUIRY data or LUN list changed");
		return;
	case HEARD_CAPACITY:
		capacity_changed(m);
		return;
	case HEARD_MODE:
		if (!is_second_word(m, path, TELLS_MODE, KERNEL_TELLS))
			hear_from_kernel(m, path, 0x2a, 0x01);
		return;
	case HEARD_SPACE:
		if (!is_second_word(m, path, TELLS_SPACE, KERNEL_TELLS))
			hear_from_kernel(m, path, 0x38, 0x07);
		return;
	case HEARD_ANYTHING:
		want_refresh(m);
		doubt_identity(m, path, "may be another LUN: news of it were lost");
		tell_reset(m);
		capacity_changed(m);
		/* Not that space is running out: an administrator would believe it. */
		hear_from_kernel(m, path, 0x2a, 0x01);
		return;
	}
}
