/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The search for paths: when, and for whom.
 *
 * One look at a time, and however many disks come and go, not more than one in a moment: there may
 * be many disks.  There may be as many such maps, so they look at the same moments, and the
 * transport need not look for each: one look will do for all that were woken before it began.
 */
#include "runtime/search.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mpath/core.h"
#include "runtime/log.h"

#define PAUSE_NS    (NSEC_PER_SEC / 2)
#define INTERVAL_NS (30 * NSEC_PER_SEC)
/* As long as there is no word from udev; to be asked for, and in place of it. */
#define DEAF_S	5
#define DEAF_NS (DEAF_S * NSEC_PER_SEC)

/* --- a look --- */

/* What has happened meanwhile may have been anything. */
static void listen_at_last(struct search *s)
{
	s->job_monitor_error = s->finder->watch(&s->job_monitor, &s->job_fd);
	s->job_news.lost = !s->job_monitor_error;
}

static void search_run(struct job *job)
{
	struct search *s = container_of(job, struct search, job);

	s->job_news = (struct disk_news){0};
	if (s->monitor)
		s->finder->drain(s->monitor, &s->job_news);
	else
		listen_at_last(s);
	s->error = s->job_wwid[0] ? s->finder->find(s->job_wwid, s->began_ns, &s->seen) : 0;
}

static void search_start(struct search *s)
{
	if (s->stopped)
		return;
	s->again = s->running;
	if (s->running)
		return;
	s->running = true;
	s->began_ns = loop_now_ns(s->loop);
	snprintf(s->job_wwid, sizeof(s->job_wwid), "%s", s->on ? s->wwid : "");
	job_start(&s->jobs, &s->job);
}

static void tell_error(struct search *s)
{
	if (s->error && !s->failed)
		mpath_log(MPATH_LOG_WARN, s->map, NULL, "paths cannot be looked for: %s",
			  strerror(-s->error));
	s->failed = s->error != 0;
}

/* Each of these may fail when file descriptors or memory are short. */
static void search_listen(struct search *s)
{
	int err = s->monitor ? loop_watch(s->loop, &s->watch) : s->monitor_error;

	s->watched = !err;
	if (err && !s->deaf)
		mpath_log(MPATH_LOG_WARN, s->map, NULL,
			  "udev cannot be listened to: %s; disks that come, go or change are "
			  "noticed late, it is tried again every %d s",
			  strerror(-err), DEAF_S);
	if (!err && s->deaf)
		mpath_log(MPATH_LOG_INFO, s->map, NULL, "udev is listened to now");
	s->deaf = err != 0;
}

static void take_monitor(struct search *s)
{
	if (s->monitor)
		return;
	s->monitor = s->job_monitor;
	s->monitor_error = s->job_monitor_error;
	s->watch.fd = s->job_fd;
}

/* What this map has heard in its job may have happened after the look, if that was another map's.
 */
static void look_once_more(struct search *s)
{
	const struct disk_news *news = &s->job_news;

	if (s->on && (news->disks || news->lost || news->doubted.nr))
		loop_timer_set(s->loop, &s->timer, loop_now_ns(s->loop) + PAUSE_NS);
}

static void search_done(struct letter *letter)
{
	struct search *s = container_of(letter, struct search, job.letter);

	tell_error(s);
	take_monitor(s);
	if (!s->watched && !s->stopped)
		search_listen(s);
	if (!s->error && s->on && strcmp(s->wwid, s->job_wwid) == 0)
		finder_compare(&s->known, &s->seen, &s->ops->paths, s->arg);
	found_disks_clear(&s->seen);
	if (!s->stopped) {
		look_once_more(s);
		s->ops->news(s->arg, &s->job_news);
	}
	found_disks_clear(&s->job_news.resets);
	found_disks_clear(&s->job_news.states);
	found_disks_clear(&s->job_news.doubted);
	found_disks_clear(&s->job_news.resized);
	found_disks_clear(&s->job_news.modes);
	found_disks_clear(&s->job_news.space);
	s->running = false;
	if (s->again)
		search_start(s);
	if (!s->running)
		s->ops->idle(s->arg);
}

/* --- when? --- */

/* For all maps at once; the first time after 15 to 45 s. */
static uint64_t full_interval_ns(uint64_t now_ns)
{
	uint64_t due_ns = now_ns + INTERVAL_NS + INTERVAL_NS / 2;

	return due_ns - due_ns % INTERVAL_NS;
}

/* Who only listens, and can, is woken by what he hears. */
static void search_again_later(struct search *s, uint64_t now_ns)
{
	uint64_t due_ns = s->on ? full_interval_ns(now_ns) : 0;

	if (!s->watched)
		due_ns = full_second_ns(now_ns + DEAF_NS);
	loop_timer_set(s->loop, &s->timer, due_ns);
}

static void search_fire(struct timer *timer, uint64_t now_ns)
{
	struct search *s = container_of(timer, struct search, timer);

	search_again_later(s, now_ns);
	search_start(s);
}

/* Once more a moment later: the kernel tells that a disk goes while sysfs still has it. */
static void search_ready(struct watch *watch, uint32_t epoll_events)
{
	struct search *s = container_of(watch, struct search, watch);
	uint64_t now_ns = loop_now_ns(s->loop);

	(void)epoll_events;
	loop_timer_set(s->loop, &s->timer, now_ns + PAUSE_NS);
	if (now_ns - s->began_ns >= PAUSE_NS)
		search_start(s);
}

/* --- what for? --- */

void search_for(struct search *s, const char *wwid, char *selector)
{
	free(s->selector);
	s->selector = selector;
	snprintf(s->wwid, sizeof(s->wwid), "%s", wwid);
	s->on = true;
}

static bool leads_nowhere_yet(void *arg, const char *address, const char *node)
{
	(void)arg;
	(void)address;
	(void)node;
	return false;
}

static bool take(void *arg, const char *address)
{
	(void)arg;
	(void)address;
	return true;
}

/* What there is no memory for is found by the next look. */
void search_first(struct search *s)
{
	static const struct finder_ops first_ops = {.leads_to = leads_nowhere_yet, .add = take};
	struct found_disks seen;

	s->error = s->finder->find(s->wwid, clock_now_ns(), &seen);
	tell_error(s);
	if (s->error)
		return;
	finder_compare(&s->known, &seen, &first_ops, NULL);
	found_disks_clear(&seen);
}

void search_knows(struct search *s, struct found_disks *present)
{
	found_disks_clear(&s->known);
	s->known = *present;
}

/* --- life --- */

/* The monitor is there before the first look, so that nothing is missed between them. */
void search_init(struct search *s, const char *map, const struct disk_finder *finder,
		 const struct search_ops *ops, void *arg)
{
	s->map = map;
	s->finder = finder;
	s->ops = ops;
	s->arg = arg;
	s->timer.fire = search_fire;
	list_init(&s->timer.node);
	s->watch.ready = search_ready;
	if (finder)
		s->monitor_error = finder->watch(&s->monitor, &s->watch.fd);
}

void search_attach(struct search *s, struct loop *loop)
{
	s->loop = loop;
	job_queue_init(&s->jobs);
	job_init(&s->job, loop, search_run, search_done);
}

void search_begin(struct search *s)
{
	if (!s->finder)
		return;
	if (!s->watched)
		search_listen(s);
	search_again_later(s, loop_now_ns(s->loop));
	if (s->on)
		search_start(s);
}

void search_end(struct search *s)
{
	s->on = false;
	found_disks_clear(&s->known);
}

void search_stop(struct search *s)
{
	s->on = false;
	s->stopped = true;
	loop_timer_set(s->loop, &s->timer, 0);
	if (s->watched)
		loop_unwatch(s->loop, &s->watch);
	s->watched = false;
}

bool search_is_idle(const struct search *s)
{
	return !s->running;
}

void search_free(struct search *s)
{
	if (s->monitor)
		s->finder->unwatch(s->monitor);
	found_disks_clear(&s->known);
	found_disks_clear(&s->seen);
	free(s->selector);
}
