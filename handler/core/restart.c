/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands of a dead process (DESIGN D9 Restart, hazards.md H1, H3).
 *
 * When tcmu-runner was killed, its commands may still be on their way to the disk.  As long as
 * one of the paths shows commands that are not ours, no write is sent on any of them: the old
 * write could land on top of it.  Reads may go.
 */
#include "core/multipath.h"

#define COUNT_INTERVAL_NS (50 * NSEC_PER_MSEC)

static bool any_foreign(const struct multipath *m)
{
	unsigned int i;

	for (i = 0; i < m->nr_paths; i++)
		if (m->paths[i].foreign)
			return true;
	return false;
}

static uint64_t wait_over_ns(const struct multipath *m)
{
	return m->started_ns + m->settings.restart_wait_ms * NSEC_PER_MSEC;
}

static void end_of_wait(struct multipath *m, const char *why)
{
	unsigned int i;

	m->restart_over = true;
	trace(m, "restart: %s, writes may go", why);
	for (i = 0; i < m->nr_paths; i++)
		m->paths[i].foreign = false;
	list_splice(&m->held, &m->restarting);
	m->run_held = true;
}

/* Until each path was opened or refused once, nobody knows what is out there. */
void restart_reconsider(struct multipath *m)
{
	if (m->restart_over)
		return;
	if (m->now_ns >= wait_over_ns(m))
		end_of_wait(m, "the wait is over");
	else if (!m->nr_unsettled && !any_foreign(m))
		end_of_wait(m, "no command of a former process is left");
	else
		wake_by(m, wait_over_ns(m));
}

bool must_wait_for_restart(struct multipath *m, const struct mpath_io *io)
{
	return !m->restart_over && io->cmd.class != CMD_READ;
}

void restart_path_opened(struct multipath *m, struct path *path)
{
	if (!path->facts.foreign || m->now_ns >= wait_over_ns(m))
		return;
	path->foreign = true;
	m->restart_over = false;
	wake_by(m, m->now_ns);
	notice(m, NOTICE_OTHER, path,
	       "%llu commands of a former process are still out: writes wait for them",
	       (unsigned long long)path->facts.foreign);
}

static void ask_for_count(struct multipath *m, struct path *path)
{
	path->counting = true;
	path->flow_at_count = path->flow;
	path->out_at_count = path->in_flight + (path->probing != PROBE_NONE);
	list_push_back(&m->actions->count, &path->action_node);
}

/*
 * The count was taken some time between the question and now: it tells what is not ours only if
 * none of ours was started or ended meanwhile.  Counters that become equal only after the old
 * commands' time-out prove nothing: newer kernels count a command as done before its abort has
 * ended (H3).  Then the time alone decides.
 */
void restart_path_counted(struct multipath *m, struct path *path, int64_t outstanding)
{
	uint64_t proof_ends = m->started_ns + m->settings.path_timeout_ms * NSEC_PER_MSEC;

	path->counting = false;
	if (path->link == LINK_CLOSING)
		close_link_if_idle(m, path);
	if (!path->foreign)
		return;
	if (outstanding == (int64_t)path->out_at_count && path->flow == path->flow_at_count &&
	    m->now_ns < proof_ends) {
		trace(m, "restart: %s has no foreign commands any more", path_name(path));
		path->foreign = false;
	}
	restart_reconsider(m);
}

void restart_timeout(struct multipath *m)
{
	unsigned int i;

	if (m->restart_over)
		return;
	for (i = 0; i < m->nr_paths; i++) {
		struct path *path = &m->paths[i];

		if (!path->foreign)
			continue;
		if (path->link == LINK_OPEN && !path->counting)
			ask_for_count(m, path);
		wake_by(m, m->now_ns + COUNT_INTERVAL_NS);
	}
	restart_reconsider(m);
}
