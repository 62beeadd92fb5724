/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Suspend and resume, as dm does them (dm-multipath.md A7): new commands are held, those that are
 * with the map end first.  Without a path a flush must end, too: until resume the map does not
 * queue, and what cannot be sent fails.  With "noflush" nothing fails: what is not on a path is
 * held with the new ones.
 */
#include <errno.h>

#include "core/multipath.h"

static bool is_flushing(const struct multipath *m)
{
	return m->suspend != NOT_SUSPENDED && !m->noflush;
}

/* queue_if_no_path would keep a flush from ending. */
bool may_queue(const struct multipath *m)
{
	return m->queue_if_no_path && !is_flushing(m);
}

/* Whoever waits for something is mapped again, and so comes to be held here. */
static void hold_all(struct multipath *m)
{
	list_splice(&m->held, &m->restarting);
	list_splice(&m->held, &m->delayed);
}

/* dm: queue_if_no_path(false) with the old value saved; of a bio-based map always. */
static void put_queueing_aside(struct multipath *m)
{
	m->saved_queue_if_no_path = m->queue_if_no_path;
	m->queue_if_no_path = false;
}

void suspend_map(struct multipath *m, bool noflush)
{
	if (m->suspend != NOT_SUSPENDED)
		return; /* as "dmsetup suspend" of a suspended device: it is done */
	trace(m, "suspend: %s", noflush ? "what waits goes on waiting" : "what waits is ended");
	m->suspend = SUSPENDING;
	m->noflush = noflush;
	m->actions->memory_changed = true;
	if (noflush)
		hold_all(m);
	if (!noflush || m->queue_mode == QUEUE_MODE_BIO)
		put_queueing_aside(m);
	m->run_held = true;
}

/* A flush that comes later is for them, too. */
static void let_suspended_go(struct multipath *m)
{
	struct mpath_io *io;

	list_for_each_entry(io, &m->suspended, node)
		io->after_suspend = false;
	list_splice(&m->held, &m->suspended);
	m->run_held = true;
}

/* Nothing waits yet, so it does not matter how it was. */
void recall_suspension(struct multipath *m)
{
	m->suspend = SUSPENDED;
	m->noflush = true;
	if (m->queue_mode == QUEUE_MODE_BIO)
		put_queueing_aside(m);
	notice(m, NOTICE_SUSPENDED, NULL, "suspended, as before the restart");
}

/*
 * Nothing is held any more, nor is it sent: nobody is to write.  Who still waits for the suspension
 * is told that it has failed, so the next process is not to hold anything.
 */
void suspend_shut_down(struct multipath *m)
{
	if (m->suspend != SUSPENDING)
		return;
	m->suspend = NOT_SUSPENDED;
	m->actions->memory_changed = true;
}

void resume_map(struct multipath *m)
{
	if (m->suspend == NOT_SUSPENDED)
		return;
	trace(m, "resume");
	m->actions->memory_changed = true;
	m->suspend = NOT_SUSPENDED;
	if (m->saved_queue_if_no_path)
		m->queue_if_no_path = true;
	m->saved_queue_if_no_path = false;
	no_path_begins(m);
	let_suspended_go(m);
	notice(m, NOTICE_RESUMED, NULL, "resumed");
}

/* The end of each step: has the last command come back? */
void check_suspended(struct multipath *m)
{
	if (m->suspend != SUSPENDING || m->nr_ios != queue_length(&m->suspended) || m->nr_legs)
		return;
	m->suspend = SUSPENDED;
	trace(m, "suspended");
	notice(m, NOTICE_SUSPENDED, NULL, "suspended%s", m->noflush ? " (noflush)" : "");
}

bool suspend_is_done(const struct multipath *m, struct mpath_message *message)
{
	if (m->stopping)
		message->error = -ESHUTDOWN;
	else if (m->suspend == SUSPENDING)
		return false;
	else if (m->suspend == NOT_SUSPENDED)
		message->error = -EINTR; /* resume or shutdown came first */
	message->pending = false;
	return true;
}
