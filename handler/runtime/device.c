/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A device: a map in service.
 *
 * Everything that happens to a map becomes an event for mpath_step(): a command from the ring, the
 * answer of a path, a timer, a message.  What the step asks for is done here, in the order that
 * core.h gives: paths are opened, commands sent or given up, answers handed back.  What may block
 * is a job for a worker, and comes back as an event.  Nothing is decided here.
 *
 * Life: device_start -> (letters, completions, jobs) -> device_stop: MPATH_STOP, then the core
 * says when nothing is left, then the last job comes back, then the memory goes.  A path that hangs
 * in open(), for minutes, is not waited for, but its device lives on until then, without a front.
 */
#include "runtime/device_parts.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/log.h"
#include "runtime/state.h"

#define REFRESH_INTERVAL_NS NSEC_PER_SEC
#define OPEN_PATIENCE_S	    2

static uint64_t device_now_ns(const struct device *d)
{
	return loop_now_ns(d->loop);
}

/* --- ends and waiters --- */

static void device_end(struct device *d);

static bool device_is_over(const struct device *d)
{
	return d->stopped && !d->nr_jobs && !d->flush_wanted && search_is_idle(&d->search);
}

/* Once it is so it stays so: nothing new is begun, but a save. */
static bool front_is_done(const struct device *d)
{
	return d->front_done || (d->stopping && mpath_only_opens(d->map) && !d->flush_wanted &&
				 !d->refresh.running && !d->keeper.running);
}

/*
 * Always the last thing that a handler does: once it has found the device finished, device_stop
 * may free it at any moment, or it is free already.
 */
void device_check_finished(struct device *d)
{
	bool is_over = device_is_over(d);
	bool is_deserted;

	if (!is_over && (d->front_done || !front_is_done(d)))
		return;
	if (is_over) {
		loop_timer_set(d->loop, &d->wake, 0);
		loop_timer_set(d->loop, &d->refresh.timer, 0);
	}
	pthread_mutex_lock(&d->lock);
	d->front_done = true;
	d->finished = is_over;
	is_deserted = d->deserted;
	pthread_cond_broadcast(&d->changed);
	pthread_mutex_unlock(&d->lock);
	if (is_over && is_deserted)
		device_end(d);
}

void device_start_job(struct device *d, struct job_queue *queue, struct job *job)
{
	d->nr_jobs++;
	job_start(queue, job);
}

static void device_check_settled(struct device *d)
{
	if (d->settled || !mpath_settled(d->map)) /* only the owner thread writes it */
		return;
	pthread_mutex_lock(&d->lock);
	d->settled = true;
	pthread_cond_broadcast(&d->changed);
	pthread_mutex_unlock(&d->lock);
}

/* --- performing the actions --- */

static void device_send_io(struct device *d, struct mpath_io *io)
{
	d->transport->submit(device_path_of(io)->link, io);
}

static void device_send_ios(struct device *d, struct list *ios)
{
	struct list *node;

	while ((node = list_pop(ios)))
		device_send_io(d, container_of(node, struct mpath_io, node));
}

static void device_abandon_ios(struct device *d, struct list *ios)
{
	struct list *node;

	while ((node = list_pop(ios))) {
		struct mpath_io *io = container_of(node, struct mpath_io, node);

		d->transport->abandon(device_path_of(io)->link, io);
	}
}

static void device_flush(struct batch_end *batch_end)
{
	struct device *d = container_of(batch_end, struct device, batch_end);

	d->flush_wanted = false;
	d->ops->flush(d->front);
	device_check_finished(d);
}

static void device_complete_io(struct device *d, struct mpath_io *io)
{
	if (!d->flush_wanted)
		loop_at_batch_end(d->loop, &d->batch_end);
	d->flush_wanted = true;
	d->ops->complete(d->front, io);
}

static void device_complete_ios(struct device *d, struct list *ios)
{
	struct list *node;

	while ((node = list_pop(ios)))
		device_complete_io(d, container_of(node, struct mpath_io, node));
}

static enum log_level notice_level(enum mpath_notice_kind kind)
{
	switch (kind) {
	case NOTICE_PATH_FAILED:
	case NOTICE_PATH_EXCLUDED:
	case NOTICE_PATH_SLOW:
	case NOTICE_NO_PATH:
	case NOTICE_REFUSED:
	case NOTICE_WRITES_WAIT:
	case NOTICE_WARNING:
		return MPATH_LOG_WARN;
	case NOTICE_PATH_REINSTATED:
	case NOTICE_PATH_USABLE:
	case NOTICE_PATH_ADDED:
	case NOTICE_PATH_REMOVED:
	case NOTICE_PATH_NOT_SLOW:
	case NOTICE_GROUP_SWITCHED:
	case NOTICE_GROUP_ASKED_FOR:
	case NOTICE_GROUP_DISABLED:
	case NOTICE_GROUP_ENABLED:
	case NOTICE_PG_INIT:
	case NOTICE_QUEUEING_STARTED:
	case NOTICE_QUEUEING_STOPPED:
	case NOTICE_POLICY:
	case NOTICE_LUN:
	case NOTICE_LUN_RESIZED:
	case NOTICE_SUSPENDED:
	case NOTICE_RESUMED:
	case NOTICE_RELOADED:
	case NOTICE_OTHER:
		return MPATH_LOG_INFO;
	}
	return MPATH_LOG_INFO;
}

static void device_log_notice(struct device *d, const struct mpath_notice *notice)
{
	const char *path = notice->device[0] ? notice->device : notice->path;

	mpath_log(notice_level(notice->kind), d->name, notice->has_path ? path : NULL, "%s",
		  notice->text);
}

static void device_tell_notices(struct device *d)
{
	struct mpath_notice notice;

	while (mpath_next_notice(d->map, &notice)) {
		if (!notice.quiet)
			device_log_notice(d, &notice);
		if (!notice.summary)
			registry_event(&d->registration, &notice);
	}
}

static void device_perform(struct device *d, struct mpath_actions *actions)
{
	/* First, because a command that is completed may bring the next one in at once, and with it
	 * a step that knows better. */
	loop_timer_set(d->loop, &d->wake, actions->wake_ns);
	device_tell_at_once(d, actions);

	device_open_paths(d, &actions->open);
	device_count_paths(d, &actions->count);
	device_reset_luns(d, &actions->reset);
	device_ask_for_sessions(d, &actions->session);
	device_send_ios(d, &actions->start);
	device_abandon_ios(d, &actions->abandon);
	device_close_paths(&actions->close);
	device_complete_ios(d, &actions->complete);
	device_free_paths(&actions->gone);

	device_keep(d, actions);
	if (actions->stopped)
		d->stopped = true;
}

static void device_answer(struct device *d, struct device_request *request)
{
	if (mpath_message_done(d->map, &request->message))
		request->done(request);
	else
		list_push_back(&d->pending, &request->letter.node);
}

static void device_ask_pending(struct device *d)
{
	struct list again, *node;

	if (list_empty(&d->pending))
		return;
	list_init(&again);
	list_splice(&again, &d->pending);
	while ((node = list_pop(&again)))
		device_answer(d, container_of(node, struct device_request, letter.node));
}

/* The core takes no memory in a step: it asks for the change, and gets it with the next one. */
static void device_regroup(struct device *d)
{
	struct mpath_change *change;
	struct strbuf error;
	char text[160];

	strbuf_init(&error, text, sizeof(text));
	change = mpath_change_policy(d->map, &error);
	if (text[0])
		mpath_log(MPATH_LOG_WARN, d->name, NULL, "priority groups cannot be formed: %s",
			  text);
	device_step(d, &(struct mpath_event){.type = MPATH_CHANGE, .change = change});
	mpath_change_free(change);
}

void device_step(struct device *d, struct mpath_event *event)
{
	struct mpath_actions actions;

	event->now_ns = device_now_ns(d);
	mpath_actions_init(&actions);
	mpath_step(d->map, event, &actions);
	device_perform(d, &actions);
	device_tell_notices(d);
	if (actions.regroup)
		device_regroup(d);
	device_check_settled(d);
	device_ask_pending(d);
	device_check_finished(d);
}

static void device_wake(struct timer *timer, uint64_t now_ns)
{
	struct device *d = container_of(timer, struct device, wake);

	(void)now_ns;
	device_step(d, &(struct mpath_event){.type = MPATH_TIMEOUT});
}

/* --- answers of the transport --- */

static void device_io_done(struct mpath_io *io)
{
	struct device *d = device_path_of(io)->device;

	if (mpath_end_io_short(d->map, io, device_now_ns(d))) {
		device_complete_io(d, io);
		return;
	}
	if (transport_may_land(io->result.transport))
		loop_read_clock(d->loop); /* its fence begins now: nobody knows since when */
	device_step(d, &(struct mpath_event){.type = MPATH_END_IO, .io = io});
}

static void device_io_abandoned(struct mpath_io *io)
{
	struct device *d = device_path_of(io)->device;

	device_step(d, &(struct mpath_event){.type = MPATH_ABANDONED, .io = io});
}

const struct link_events device_link_events = {
	.done = device_io_done,
	.abandoned = device_io_abandoned,
};

/* --- from the front --- */

void device_submit(struct device *d, struct mpath_io *io)
{
	if (mpath_submit_short(d->map, io, device_now_ns(d)))
		device_send_io(d, io);
	else
		device_step(d, &(struct mpath_event){.type = MPATH_SUBMIT, .io = io});
}

struct loop *device_loop(struct device *d)
{
	return d->loop;
}

/* --- the backstore's attributes --- */

static bool backstore_equal(const struct mpath_backstore *a, const struct mpath_backstore *b)
{
	return a->cmd_time_out_ms == b->cmd_time_out_ms && a->block_size == b->block_size &&
	       a->size == b->size && strcmp(a->name, b->name) == 0 &&
	       strcmp(a->serial, b->serial) == 0;
}

static void refresh_run(struct job *job)
{
	struct device *d = container_of(job, struct device, refresh.job);

	d->refresh.read = (struct mpath_backstore){0};
	d->refresh.valid = d->ops->read_backstore(d->front, &d->refresh.read);
}

static void refresh_start(struct device *d)
{
	d->refresh.running = true;
	list_splice(&d->refresh.waiting, &d->refresh.next);
	device_start_job(d, &d->refresh.jobs, &d->refresh.job);
}

static void device_set_backstore(struct device *d, const struct mpath_backstore *backstore)
{
	d->refresh.known = *backstore;
	device_step(d,
		    &(struct mpath_event){.type = MPATH_BACKSTORE, .backstore = &d->refresh.known});
}

static void submit_all(struct device *d, struct list *ios)
{
	struct list *node;

	while ((node = list_pop(ios)))
		device_submit(d, container_of(node, struct mpath_io, node));
}

static void refresh_done(struct letter *letter)
{
	struct device *d = container_of(letter, struct device, refresh.job.letter);

	d->nr_jobs--;
	d->refresh.running = false;
	if (!d->stopping && d->refresh.valid &&
	    !backstore_equal(&d->refresh.read, &d->refresh.known))
		device_set_backstore(d, &d->refresh.read);
	submit_all(d, &d->refresh.waiting);
	if (!list_empty(&d->refresh.next))
		refresh_start(d);
	device_check_finished(d);
}

/* All devices refresh at the same time, so that an idle machine wakes up once for all of them. */
static void refresh_later(struct device *d, uint64_t now_ns)
{
	loop_timer_set(d->loop, &d->refresh.timer, full_second_ns(now_ns + REFRESH_INTERVAL_NS));
}

/*
 * Also while the map ends, though nothing is read any more then: if there was no thread for a job,
 * nobody else asks again for one.
 */
static void refresh_fire(struct timer *timer, uint64_t now_ns)
{
	struct device *d = container_of(timer, struct device, refresh.timer);

	refresh_later(d, now_ns);
	if (d->stopping) {
		workers_ready();
		return;
	}
	if ((d->keeper.failed || d->keeper.later) && !d->keeper.running)
		keeper_start(d);
	if (d->refresh.running) {
		workers_ready();
		return; /* configfs is slow: one reader at a time */
	}
	refresh_start(d);
}

void device_submit_with_news(struct device *d, struct mpath_io *io)
{
	list_push_back(&d->refresh.next, &io->node);
	if (!d->refresh.running)
		refresh_start(d);
}

/* Without the news: for who cannot wait. */
static void submit_waiting(struct device *d)
{
	submit_all(d, &d->refresh.waiting);
	submit_all(d, &d->refresh.next);
}

static bool is_on(const struct list *ios, const struct mpath_io *wanted)
{
	const struct mpath_io *io;

	list_for_each_entry(io, ios, node)
		if (io == wanted)
			return true;
	return false;
}

void device_abort(struct device *d, struct mpath_io *io)
{
	if (!is_on(&d->refresh.waiting, io) && !is_on(&d->refresh.next, io)) {
		device_step(d, &(struct mpath_event){.type = MPATH_ABORT, .io = io});
		return;
	}
	list_del(&io->node);
	io->result = (struct scsi_result){.status = SAM_TASK_ABORTED,
					  .residual = (uint32_t)io->cmd.data_len};
	device_complete_io(d, io);
}

/* --- control --- */

#define STATUS_KINDS "expected info, table, ima or detail"

static void status_unknown(struct mpath_message *message)
{
	message->error = -EINVAL;
	strbuf_printf(&message->reply, "status: ");
	if (message->argc == 2)
		mpath_refuse_word(&message->reply, message->argv[1], STATUS_KINDS);
	else
		strbuf_printf(&message->reply, STATUS_KINDS " behind it");
}

static void device_warning(const struct device *d, struct strbuf *out)
{
	if (d->warning)
		strbuf_printf(out, "%s", d->warning);
	if (d->keeper.failed)
		strbuf_printf(out, "%sWWID and state of the LUN cannot be kept over a restart: %s",
			      d->warning ? "; " : "", strerror(-d->keeper.failed));
}

static void device_status(struct device *d, struct mpath_message *message)
{
	const char *type = message->argc == 2 ? message->argv[1] : "";
	struct strbuf warning;
	char text[320];

	strbuf_init(&warning, text, sizeof(text));
	message->error = 0;
	if (strcmp(type, "info") == 0) {
		mpath_status(d->map, STATUS_INFO, &message->reply);
	} else if (strcmp(type, "table") == 0) {
		mpath_status(d->map, STATUS_TABLE, &message->reply);
	} else if (strcmp(type, "ima") == 0) {
		mpath_status_ima(d->map, &message->reply);
	} else if (strcmp(type, "detail") == 0) {
		mpath_status_detail(d->map, device_now_ns(d), &message->reply);
		device_warning(d, &warning);
		if (warning.len)
			strbuf_printf(&message->reply, "warning: %s\n", text);
	} else {
		status_unknown(message);
	}
}

static void device_snapshot(struct device *d, struct mpath_snapshot *snapshot)
{
	struct strbuf warning;
	char text[320];
	size_t len;

	mpath_snapshot(d->map, device_now_ns(d), snapshot);
	strbuf_init(&warning, text, sizeof(text));
	device_warning(d, &warning);
	if (!warning.len)
		return;
	len = strlen(snapshot->warning);
	snprintf(snapshot->warning + len, sizeof(snapshot->warning) - len, "%s%s", len ? "; " : "",
		 text);
}

void device_handle_request(struct letter *letter)
{
	struct device_request *request = container_of(letter, struct device_request, letter);
	struct mpath_message *message = &request->message;
	struct device *d = request->device;

	message->pending = false;
	if (request->refused)
		device_step(d, &(struct mpath_event){.type = MPATH_REFUSED,
						     .reason = request->refused});
	else if (request->snapshot)
		device_snapshot(d, request->snapshot);
	else if (request->layout)
		device_reload(d, request->layout, message);
	else if (message->argc > 0 && strcmp(message->argv[0], "status") == 0)
		device_status(d, message);
	else if (!device_change_message(d, message))
		device_step(d, &(struct mpath_event){.type = MPATH_MESSAGE, .message = message});
	device_answer(d, request);
}

static void device_handle_shutdown(struct letter *letter)
{
	struct device *d = container_of(letter, struct device, registration.shutdown);

	device_step(d, &(struct mpath_event){.type = MPATH_SHUTDOWN});
}

/* --- start and stop --- */

static void device_handle_start(struct letter *letter)
{
	struct device *d = container_of(letter, struct device, start);

	device_set_backstore(d, &d->refresh.read);
	search_begin(&d->search);
	refresh_later(d, device_now_ns(d));
	device_step(d, &(struct mpath_event){.type = MPATH_TIMEOUT});
}

static void device_handle_stop(struct letter *letter)
{
	struct device *d = container_of(letter, struct device, stop);

	submit_waiting(d);
	d->stopping = true;
	search_stop(&d->search);
	if (d->keeper.later || d->keeper.failed)
		keeper_start(d);
	device_step(d, &(struct mpath_event){.type = MPATH_STOP});
}

/*
 * What cannot be read may name another LUN than the one that the paths lead to by now, or writes
 * that may still land.  Without it the map is not taken into service, nor is it written over.
 */
static bool may_not_be_ignored(int load_error)
{
	return load_error && load_error != -ENOENT && load_error != -EINVAL;
}

static struct multipath *device_create_map(struct device *d, const struct device_config *config,
					   struct strbuf *error)
{
	char why[200];
	struct strbuf load_error;
	struct multipath *map;
	struct kept kept;
	int err;

	strbuf_init(&load_error, why, sizeof(why));
	err = state_load(config->state_name, &kept, &load_error);
	if (may_not_be_ignored(err)) {
		strbuf_printf(error, "what is kept of the LUN cannot be read: %s", why);
		return NULL;
	}
	if (err == -EINVAL)
		mpath_log(MPATH_LOG_WARN, config->name, NULL,
			  "what was kept of the LUN is ignored: %s", why);
	map = mpath_create(config->name, config->table, config->settings, err ? NULL : &kept.lun,
			   error);
	if (map)
		device_recall(d, map, config, err ? NULL : &kept);
	return map;
}

/* What is there already belongs to the map from its beginning, as if the paths had been named. */
static struct multipath *device_create_finding_map(struct device *d,
						   const struct device_config *config,
						   struct strbuf *error)
{
	struct device_config with_paths = *config;
	struct mpath_table *table;
	struct multipath *map;
	char *selector;

	if (!d->transport->finder) {
		strbuf_printf(error, "this transport finds no paths: name them");
		return NULL;
	}
	selector = strdup(config->find_selector);
	if (!selector) {
		strbuf_printf(error, "out of memory");
		return NULL;
	}
	search_for(&d->search, config->settings->wwid, selector);
	search_first(&d->search);
	if (finder_table(&d->search.known, config->table, config->settings->policy.grouping,
			 config->find_selector, &table, error))
		return NULL;
	with_paths.table = table;
	map = device_create_map(d, &with_paths, error);
	mpath_table_free(table);
	return map;
}

static void device_init_waiters(struct device *d)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&d->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&d->changed, &attr);
	pthread_condattr_destroy(&attr);
}

static void device_init_parts(struct device *d)
{
	list_init(&d->pending);
	list_init(&d->wake.node);
	d->wake.fire = device_wake;
	list_init(&d->batch_end.node);
	d->batch_end.end = device_flush;

	list_init(&d->refresh.timer.node);
	d->refresh.timer.fire = refresh_fire;
	job_queue_init(&d->refresh.jobs);
	list_init(&d->refresh.waiting);
	list_init(&d->refresh.next);
	job_init(&d->refresh.job, d->loop, refresh_run, refresh_done);

	search_attach(&d->search, d->loop);

	job_queue_init(&d->keeper.jobs);
	job_init(&d->keeper.job, d->loop, keeper_run, keeper_done);

	d->start.deliver = device_handle_start;
	d->stop.deliver = device_handle_stop;
	d->registration.loop = d->loop;
	d->registration.shutdown.deliver = device_handle_shutdown;
	device_init_waiters(d);
}

static void device_free_map(struct device *d)
{
	struct path *path;
	unsigned int i;

	for (i = 0; d->map && (path = mpath_path(d->map, i)); i++)
		device_path_free(path->transport_data);
	mpath_destroy(d->map);
}

static void device_free(struct device *d)
{
	if (d->loop) {
		loop_release(d->loop);
		pthread_cond_destroy(&d->changed);
		pthread_mutex_destroy(&d->lock);
	}
	device_free_map(d);
	tally_close(&d->tally);
	registry_remove(&d->registration);
	search_free(&d->search);
	free(d->keeper.backstore);
	free(d->warning);
	free(d->said);
	free(d->state_name);
	free(d->name);
	free(d);
}

/* The name comes first: what is kept under it may still be another device's. */
static struct device *device_create(const struct device_config *config, struct strbuf *error)
{
	struct device *d = calloc(1, sizeof(*d));

	if (!d)
		goto no_memory;
	registration_init(&d->registration, d);
	d->transport = config->transport;
	d->name = strdup(config->name);
	search_init(&d->search, d->name, d->transport->finder, &device_search_ops, d);
	d->state_name = strdup(config->state_name);
	if (config->warning)
		d->warning = strdup(config->warning);
	if (config->said)
		d->said = strdup(config->said);
	d->keeper.backstore = strdup(config->backstore);
	if (!d->name || !d->state_name || !d->keeper.backstore || (config->warning && !d->warning))
		goto no_memory;
	if (!registry_add(&d->registration, d->name)) {
		strbuf_printf(error, "the map %s is in use by another backstore", d->name);
		goto free_device;
	}
	device_open_tally(d, config->backstore);
	d->map = config->find_selector ? device_create_finding_map(d, config, error)
				       : device_create_map(d, config, error);
	if (!d->map)
		goto free_device;
	d->loop = workers_ready() ? loop_acquire() : NULL;
	if (!d->loop) {
		strbuf_printf(error, "cannot start a thread");
		goto free_device;
	}
	device_init_parts(d);
	if (!device_create_paths(d))
		goto no_memory;
	return d;

no_memory:
	strbuf_printf(error, "out of memory");
free_device:
	if (d)
		device_free(d);
	return NULL;
}

struct device *device_start(const struct device_config *config, const struct device_front *ops,
			    void *front, struct strbuf *error)
{
	struct device *d = device_create(config, error);

	if (!d)
		return NULL;
	d->ops = ops;
	d->front = front;
	if (!ops->read_backstore(front, &d->refresh.read)) {
		strbuf_printf(error, "the backstore's attributes cannot be read");
		device_free(d);
		return NULL;
	}
	loop_post(d->loop, &d->start);
	registry_list(&d->registration);
	return d;
}

static struct timespec in_ms(unsigned int ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += (long)(ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	return until;
}

void device_wait_settled(struct device *d, unsigned int ms)
{
	struct timespec until = in_ms(ms);
	int err = 0;

	assert(!loop_is_current(d->loop));
	pthread_mutex_lock(&d->lock);
	while (!d->settled && err != ETIMEDOUT)
		err = pthread_cond_timedwait(&d->changed, &d->lock, &until);
	pthread_mutex_unlock(&d->lock);
}

static void device_end(struct device *d)
{
	device_leave_word(d);
	device_free(d);
}

/* Under its lock; true: it is finished. */
static bool wait_finished(struct device *d)
{
	struct timespec until;
	int err = 0;

	while (!d->front_done)
		pthread_cond_wait(&d->changed, &d->lock);
	until = in_ms(OPEN_PATIENCE_S * 1000);
	while (!d->finished && err != ETIMEDOUT)
		err = pthread_cond_timedwait(&d->changed, &d->lock, &until);
	return d->finished;
}

void device_stop(struct device *d)
{
	bool finished;

	assert(!loop_is_current(d->loop));
	registry_unlist(&d->registration);
	loop_post(d->loop, &d->stop);

	pthread_mutex_lock(&d->lock);
	finished = wait_finished(d);
	d->deserted = !finished;
	if (!finished)
		mpath_log(MPATH_LOG_WARN, d->name, NULL,
			  "a path hangs while it is opened: the map's name stays in use until that "
			  "is over");
	pthread_mutex_unlock(&d->lock);
	if (finished)
		device_end(d);
}
