/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Flaky paths: one that fails again and again is not used for a while, although it is up
 * (multipathd's san_path_err_*, dm-multipath.md C5).  Each time that it fails and comes back costs
 * commands their time.
 *
 * Failures are counted, but not that the array has moved the LUN away from the path; and forgotten
 * one by one while the path is good.  When there are more than the threshold, the path stays failed
 * until it was good for the recovery time.  The last path is never held out (F52).
 */
#include <stdio.h>

#include "core/multipath.h"

/* As in multipathd it takes all three. */
static bool is_on(const struct multipath *m)
{
	const struct mpath_flaky *flaky = &m->settings.flaky;

	return flaky->threshold && flaky->forget_rate && flaky->recovery_s;
}

void flaky_path_failed(struct multipath *m, struct path *path)
{
	if (!is_on(m) || m->stopping)
		return;
	if (!path->recent_failures++)
		path->good_checks = 0;
}

/* What has gone well for some checks makes up for one failure. */
void flaky_path_good(struct multipath *m, struct path *path)
{
	if (!path->recent_failures || ++path->good_checks < m->settings.flaky.forget_rate)
		return;
	path->good_checks = 0;
	path->recent_failures--;
}

/* The time begins anew. */
void flaky_path_bad(struct multipath *m, struct path *path)
{
	if (path->held_out_ns)
		path->held_out_ns = m->now_ns;
}

void release_path(struct path *path)
{
	path->held_out_ns = 0;
	path->recent_failures = 0;
}

static void hold_out(struct multipath *m, struct path *path)
{
	snprintf(path->reason, sizeof(path->reason),
		 "flaky: has failed %u time%s, is used again when it was good for %u s",
		 path->recent_failures, noun_s(path->recent_failures),
		 m->settings.flaky.recovery_s);
	path->held_out_ns = m->now_ns;
	trace(m, "path %s: held out", path_name(path));
	notice(m, NOTICE_WARNING, path, "%s", path->reason);
}

/* The path is up: may it be used? */
bool is_held_out(struct multipath *m, struct path *path)
{
	uint64_t recovery_ns = m->settings.flaky.recovery_s * NSEC_PER_SEC;

	if (path->active)
		return false;
	if (!is_on(m) || !m->nr_valid) {
		release_path(path);
		return false;
	}
	if (!path->held_out_ns) {
		if (path->recent_failures <= m->settings.flaky.threshold)
			return false;
		hold_out(m, path);
	}
	if (m->now_ns - path->held_out_ns < recovery_ns)
		return true;
	trace(m, "path %s: held out no longer", path_name(path));
	notice(m, NOTICE_OTHER, path, "was good for %u s: is used again",
	       m->settings.flaky.recovery_s);
	release_path(path);
	return false;
}

/* Better than none. */
void release_held_paths(struct multipath *m)
{
	struct path *path;

	for_each_path(m, path) {
		if (!path->held_out_ns)
			continue;
		trace(m, "path %s: held out no longer, no other is left", path_name(path));
		notice(m, NOTICE_OTHER, path, "flaky, but no other path is left: is used again");
		release_path(path);
		path->next_check_ns = m->now_ns;
		wake_by(m, m->now_ns);
	}
}
