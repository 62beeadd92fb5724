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
 * says when nothing is left, then the last job comes back, then the memory goes.
 */
#include "runtime/device.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <time.h>

#include "mpath/number.h"
#include "mpath/table.h"
#include "runtime/log.h"
#include "runtime/registry.h"
#include "runtime/search.h"
#include "runtime/state.h"
#include "runtime/tally.h"
#include "runtime/worker.h"

#define REFRESH_INTERVAL_NS NSEC_PER_SEC

/* A path as the runtime sees it; path->transport_data points here. */
struct device_path {
	struct device *device;
	struct path *path;
	struct path_link *link; /* NULL while closed */
	struct job_queue jobs;	/* so a path that hangs holds up only itself */

	struct job open;
	struct link_request request;
	char *address;		 /* the job's own: a reload may spell the path's otherwise */
	struct path_facts facts; /* what the open job has learnt */
	int open_error;
	char reason[PATH_REASON_MAX];

	struct job count;
	int64_t outstanding;
	uint64_t errors;

	struct job reset;
	int reset_error;

	struct job ask;
	uint64_t session;

	struct letter closed;
};

/* The backstore's attributes, read again and again by a worker. */
struct refresh {
	struct timer timer;
	struct job job;
	bool running;
	bool valid; /* the last reading succeeded */
	struct mpath_backstore read;
	struct mpath_backstore known; /* what the map was told last */
};

/* What is kept of the map over restarts: at most one save at a time, always of the newest. */
struct keeper {
	struct job job;
	struct job_queue jobs;
	bool running;
	bool again; /* there was news while the job ran */
	bool news;  /* for the front, with the next job */
	int failed; /* why, negative errno; to be tried again; was logged */
	bool later; /* to be saved with the next tick */

	char *backstore; /* owned; as in struct kept */

	/* The job's, while it runs. */
	struct kept *kept; /* owned; there only then, as nearly always there is nothing to save */
	bool tell_front;
	int error;
};

struct device {
	char *name;
	char *state_name;
	char *warning; /* NULL or owned */
	char *said;    /* likewise, as in device_config, of what is in service */
	const struct path_transport_type *transport;
	const struct device_front *ops;
	void *front;

	struct multipath *map;
	struct loop *loop;
	struct timer wake;
	struct batch_end batch_end;
	bool flush_wanted; /* batch_end waits to call the front's flush */
	struct refresh refresh;
	struct keeper keeper;
	struct tally tally;
	struct search search;
	unsigned int nr_jobs; /* on the way, or with the transport to be closed */

	struct letter start;
	struct letter stop;
	struct registration registration;
	struct list pending; /* requests, by their letters: taken, but not done yet */
	bool stopping;
	bool stopped; /* the core has nothing left */

	pthread_mutex_t lock; /* for the threads that wait for us */
	pthread_cond_t changed;
	bool settled;
	bool finished; /* the owner thread will not touch the device again */
};

static void device_step(struct device *d, struct mpath_event *event);
static void device_complete_io(struct device *d, struct mpath_io *io);

static uint64_t device_now_ns(const struct device *d)
{
	return loop_now_ns(d->loop);
}

static struct device_path *device_path_of(const struct mpath_io *io)
{
	return io->path->transport_data;
}

/* --- ends and waiters --- */

/*
 * Always the last thing that a handler does: once it has found the device finished, device_stop
 * may free it at any moment.
 */
static void device_check_finished(struct device *d)
{
	if (!d->stopped || d->nr_jobs || d->flush_wanted || !search_is_idle(&d->search))
		return;
	loop_timer_set(d->loop, &d->wake, 0);
	loop_timer_set(d->loop, &d->refresh.timer, 0);
	pthread_mutex_lock(&d->lock);
	d->finished = true;
	pthread_cond_broadcast(&d->changed);
	pthread_mutex_unlock(&d->lock);
}

static void device_start_job(struct device *d, struct job_queue *queue, struct job *job)
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

/* --- answers of the transport --- */

static void device_io_done(struct mpath_io *io)
{
	struct device *d = device_path_of(io)->device;

	if (mpath_end_io_short(d->map, io, device_now_ns(d)))
		device_complete_io(d, io);
	else
		device_step(d, &(struct mpath_event){.type = MPATH_END_IO, .io = io});
}

static void device_io_abandoned(struct mpath_io *io)
{
	struct device *d = device_path_of(io)->device;

	device_step(d, &(struct mpath_event){.type = MPATH_ABANDONED, .io = io});
}

static const struct link_events device_link_events = {
	.done = device_io_done,
	.abandoned = device_io_abandoned,
};

/* --- paths: open, count, reset, ask, close --- */

/* The word that is to be resolved; if memory is short, the one before. */
static void device_path_note_address(struct device_path *dp)
{
	char *address = strdup(dp->path->address);

	if (!address)
		return;
	free(dp->address);
	dp->address = address;
	dp->request.address = address;
}

static void path_open_run(struct job *job)
{
	struct device_path *dp = container_of(job, struct device_path, open);
	struct strbuf reason;

	strbuf_init(&reason, dp->reason, sizeof(dp->reason));
	dp->facts = (struct path_facts){0};
	dp->open_error = dp->device->transport->open(&dp->request, &dp->link, &dp->facts, &reason);
}

static void path_opened(struct letter *letter)
{
	struct device_path *dp = container_of(letter, struct device_path, open.letter);
	struct mpath_event event = {.path = dp->path};

	dp->device->nr_jobs--;
	if (dp->open_error) {
		dp->link = NULL;
		event.type = MPATH_PATH_REFUSED;
		event.reason = dp->reason;
	} else {
		event.type = MPATH_PATH_OPENED;
		event.facts = &dp->facts;
	}
	device_step(dp->device, &event);
}

static void path_count_run(struct job *job)
{
	struct device_path *dp = container_of(job, struct device_path, count);

	dp->outstanding = dp->device->transport->count_outstanding(dp->link, &dp->errors);
}

static void path_counted(struct letter *letter)
{
	struct device_path *dp = container_of(letter, struct device_path, count.letter);

	dp->device->nr_jobs--;
	device_step(dp->device, &(struct mpath_event){.type = MPATH_PATH_COUNTED,
						      .path = dp->path,
						      .outstanding = dp->outstanding,
						      .errors = dp->errors});
}

static void path_reset_run(struct job *job)
{
	struct device_path *dp = container_of(job, struct device_path, reset);

	dp->reset_error = dp->device->transport->reset_lun(dp->link);
}

static void path_was_reset(struct letter *letter)
{
	struct device_path *dp = container_of(letter, struct device_path, reset.letter);

	dp->device->nr_jobs--;
	device_step(dp->device, &(struct mpath_event){.type = MPATH_PATH_RESET,
						      .path = dp->path,
						      .reset_error = dp->reset_error});
}

static void path_ask_run(struct job *job)
{
	struct device_path *dp = container_of(job, struct device_path, ask);

	dp->session = dp->device->transport->session(dp->link);
}

static void path_told_session(struct letter *letter)
{
	struct device_path *dp = container_of(letter, struct device_path, ask.letter);

	dp->device->nr_jobs--;
	device_step(dp->device, &(struct mpath_event){.type = MPATH_PATH_SESSION,
						      .path = dp->path,
						      .session = dp->session});
}

static void path_closed(struct letter *letter)
{
	struct device_path *dp = container_of(letter, struct device_path, closed);

	dp->device->nr_jobs--;
	device_step(dp->device, &(struct mpath_event){.type = MPATH_PATH_CLOSED, .path = dp->path});
}

static void path_close(struct device_path *dp)
{
	struct path_link *link = dp->link;

	assert(link);
	dp->link = NULL;
	dp->device->nr_jobs++;
	dp->device->transport->close(link, &dp->closed);
}

static void device_path_free(struct device_path *dp)
{
	if (!dp)
		return;
	free(dp->address);
	free(dp);
}

static bool device_path_new(struct device *d, struct path *path)
{
	struct device_path *dp = calloc(1, sizeof(*dp));

	path->transport_data = dp;
	if (!dp)
		return false;
	dp->device = d;
	dp->path = path;
	job_queue_init(&dp->jobs);
	job_init(&dp->open, d->loop, path_open_run, path_opened);
	job_init(&dp->count, d->loop, path_count_run, path_counted);
	job_init(&dp->reset, d->loop, path_reset_run, path_was_reset);
	job_init(&dp->ask, d->loop, path_ask_run, path_told_session);
	dp->closed.deliver = path_closed;
	dp->request = (struct link_request){
		.map = d->name, .loop = d->loop, .events = &device_link_events};
	device_path_note_address(dp);
	return dp->address != NULL;
}

/* --- what is kept of the map --- */

static void keeper_run(struct job *job)
{
	struct device *d = container_of(job, struct device, keeper.job);
	struct keeper *keeper = &d->keeper;

	keeper->error = state_save(d->state_name, keeper->kept);
	if (keeper->tell_front && keeper->kept->lun.known && d->ops->lun_changed)
		d->ops->lun_changed(d->front, &keeper->kept->lun);
}

/* Without the pinned WWID on disk, a restart could take another LUN for ours: say so, try again. */
static void keeper_check_error(struct device *d)
{
	struct keeper *keeper = &d->keeper;

	if (keeper->error && !keeper->failed)
		mpath_log(MPATH_LOG_ERROR, d->name, NULL,
			  "WWID and state of the LUN cannot be kept over a restart: %s",
			  strerror(-keeper->error));
	if (!keeper->error && keeper->failed)
		mpath_log(MPATH_LOG_INFO, d->name, NULL,
			  "WWID and state of the LUN are kept over a restart now");
	keeper->failed = keeper->error;
}

/*
 * Not from the heap: all maps save when they are used for the first time, and nearly never again,
 * and what they had for that would stay with the process.
 */
static struct kept *new_kept(const char *backstore)
{
	struct kept *kept = mmap(NULL, sizeof(*kept), PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (kept == MAP_FAILED)
		return NULL;
	snprintf(kept->backstore, sizeof(kept->backstore), "%s", backstore);
	return kept;
}

static void free_kept(struct kept *kept)
{
	munmap(kept, sizeof(*kept));
}

static void keeper_start(struct device *d)
{
	struct keeper *keeper = &d->keeper;

	if (keeper->running) {
		keeper->again = true;
		return;
	}
	keeper->kept = new_kept(keeper->backstore);
	if (!keeper->kept) {
		keeper->error = -ENOMEM;
		keeper_check_error(d);
		return;
	}
	keeper->running = true;
	keeper->again = false;
	keeper->later = false;
	keeper->tell_front = keeper->news;
	keeper->news = false;
	keeper->kept->lun = *mpath_lun(d->map);
	mpath_remember(d->map, &keeper->kept->memory);
	device_start_job(d, &keeper->jobs, &keeper->job);
}

static void device_tell_errors(struct device *d)
{
	struct mpath_error_tally now;

	mpath_tell_errors(d->map, &now);
	tally_tell(&d->tally, &now);
}

static void keeper_done(struct letter *letter)
{
	struct device *d = container_of(letter, struct device, keeper.job.letter);
	struct keeper *keeper = &d->keeper;

	d->nr_jobs--;
	keeper->running = false;
	free_kept(keeper->kept);
	keeper->kept = NULL;
	keeper_check_error(d);
	if (!keeper->error)
		device_tell_errors(d); /* disks that have left are not in the file any more */
	if (keeper->again)
		keeper_start(d);
	device_check_finished(d);
}

/*
 * Before a command is sent, or answered: whatever becomes of this process, and of the file below,
 * the next one must know what may land.
 */
static void device_tell_at_once(struct device *d, const struct mpath_actions *actions)
{
	if (actions->errors_told || actions->fence_moved || actions->fence_over ||
	    actions->disk_used)
		device_tell_errors(d);
}

/*
 * A change of the group in use is no hurry, and where paths flap it comes often: that waits for the
 * next tick.  So do the end of a fence and a disk that is left, unless there is no next tick.
 */
static void device_keep(struct device *d, const struct mpath_actions *actions)
{
	bool is_over = actions->fence_over || actions->disk_left;

	if (actions->lun_changed)
		d->keeper.news = true;
	if (actions->group_changed || is_over)
		d->keeper.later = true;
	if (actions->lun_changed || actions->forget_wwid || actions->memory_changed ||
	    actions->fence_moved || actions->disk_used || (is_over && d->stopping))
		keeper_start(d);
}

/* --- the backstore's attributes --- */

static bool backstore_equal(const struct mpath_backstore *a, const struct mpath_backstore *b)
{
	return a->cmd_time_out_ms == b->cmd_time_out_ms && a->block_size == b->block_size &&
	       a->size == b->size && strcmp(a->name, b->name) == 0 &&
	       strcmp(a->serial, b->serial) == 0;
}

/* One after another: configfs answers from memory, and a worker for each would be too many. */
static struct job_queue refreshes = JOB_QUEUE_INIT(refreshes);

static void refresh_run(struct job *job)
{
	struct device *d = container_of(job, struct device, refresh.job);

	d->refresh.read = (struct mpath_backstore){0};
	d->refresh.valid = d->ops->read_backstore(d->front, &d->refresh.read);
}

static void refresh_done(struct letter *letter)
{
	struct device *d = container_of(letter, struct device, refresh.job.letter);

	d->nr_jobs--;
	d->refresh.running = false;
	if (!d->stopping && d->refresh.valid &&
	    !backstore_equal(&d->refresh.read, &d->refresh.known)) {
		device_set_backstore(d, &d->refresh.read);
		return;
	}
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
	d->refresh.running = true;
	device_start_job(d, &refreshes, &d->refresh.job);
}

void device_set_backstore(struct device *d, const struct mpath_backstore *backstore)
{
	d->refresh.known = *backstore;
	device_step(d,
		    &(struct mpath_event){.type = MPATH_BACKSTORE, .backstore = &d->refresh.known});
}

/* --- performing the actions --- */

static void device_open_paths(struct device *d, struct list *paths)
{
	struct list *node;

	while ((node = list_pop(paths))) {
		struct path *path = container_of(node, struct path, action_node);
		struct device_path *dp = path->transport_data;

		assert(!dp->link);
		device_path_note_address(dp);
		device_start_job(d, &dp->jobs, &dp->open);
	}
}

/* They have left the map. */
static void device_free_paths(struct list *paths)
{
	struct list *node;

	while ((node = list_pop(paths))) {
		struct path *path = container_of(node, struct path, action_node);

		device_path_free(path->transport_data);
		mpath_path_free(path);
	}
}

static void device_count_paths(struct device *d, struct list *paths)
{
	struct list *node;

	while ((node = list_pop(paths))) {
		struct path *path = container_of(node, struct path, action_node);
		struct device_path *dp = path->transport_data;

		assert(dp->link);
		device_start_job(d, &dp->jobs, &dp->count);
	}
}

static void device_reset_luns(struct device *d, struct list *paths)
{
	struct list *node;

	while ((node = list_pop(paths))) {
		struct path *path = container_of(node, struct path, reset_node);
		struct device_path *dp = path->transport_data;

		assert(dp->link);
		device_start_job(d, &dp->jobs, &dp->reset);
	}
}

static void device_ask_for_sessions(struct device *d, struct list *paths)
{
	struct list *node;

	while ((node = list_pop(paths))) {
		struct path *path = container_of(node, struct path, session_node);
		struct device_path *dp = path->transport_data;

		assert(dp->link);
		device_start_job(d, &dp->jobs, &dp->ask);
	}
}

static void device_close_paths(struct list *paths)
{
	struct list *node;

	while ((node = list_pop(paths)))
		path_close(container_of(node, struct path, action_node)->transport_data);
}

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

static void device_step(struct device *d, struct mpath_event *event)
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

/* --- from the front --- */

void device_submit(struct device *d, struct mpath_io *io)
{
	/* The clock is read once per batch: a command may have come in since. */
	if (io->arrival_ns > device_now_ns(d))
		io->arrival_ns = device_now_ns(d);
	if (mpath_submit_short(d->map, io, device_now_ns(d)))
		device_send_io(d, io);
	else
		device_step(d, &(struct mpath_event){.type = MPATH_SUBMIT, .io = io});
}

void device_abort(struct device *d, struct mpath_io *io)
{
	device_step(d, &(struct mpath_event){.type = MPATH_ABORT, .io = io});
}

struct loop *device_loop(struct device *d)
{
	return d->loop;
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

/* --- changing the map --- */

static void refuse_for_memory(struct mpath_message *message)
{
	message->error = -ENOMEM;
	strbuf_printf(&message->reply, "out of memory");
}

static bool device_prepare_paths(struct device *d, struct mpath_change *change)
{
	struct path *path;
	unsigned int i;

	for (i = 0; (path = mpath_change_path(change, i)); i++)
		if (!device_path_new(d, path))
			return false;
	return true;
}

static void device_drop_change(struct mpath_change *change)
{
	struct path *path;
	unsigned int i;

	for (i = 0; (path = mpath_change_path(change, i)); i++)
		device_path_free(path->transport_data);
	mpath_change_free(change);
}

/* NULL: it was refused, with words in the reply. */
static void device_change(struct device *d, struct mpath_change *change,
			  struct mpath_message *message)
{
	message->error = -EINVAL;
	if (!change)
		return;
	if (d->stopping || !device_prepare_paths(d, change)) {
		message->error = d->stopping ? -ESHUTDOWN : -ENOMEM;
		strbuf_printf(&message->reply, "%s", strerror(-message->error));
		device_drop_change(change);
		return;
	}
	message->error = 0;
	device_step(d, &(struct mpath_event){.type = MPATH_CHANGE, .change = change});
	mpath_change_free(change);
}

static void device_load(struct device *d, const struct mpath_table *table,
			const struct mpath_settings *settings, struct mpath_message *message)
{
	device_change(d, mpath_change_reload(d->map, table, settings, &message->reply), message);
}

/* --- paths that are found --- */

static bool is_node_of(const struct path *path, const char *node)
{
	return strcmp(path->facts.device, node + strlen("/dev/")) == 0;
}

static bool device_leads_to(void *arg, const char *address, const char *node)
{
	const struct device *d = arg;
	const struct path *path;
	unsigned int i;

	for (i = 0; (path = mpath_path(d->map, i)); i++)
		if (strcmp(path->address, address) == 0 && has_device(path) &&
		    is_node_of(path, node))
			return true;
	return false;
}

static bool device_add_found(void *arg, const char *address)
{
	struct mpath_message message = {0};
	struct device *d = arg;
	char words[200];

	strbuf_init(&message.reply, words, sizeof(words));
	device_change(d,
		      mpath_change_add_found(d->map, address, d->search.selector, &message.reply),
		      &message);
	return !message.error;
}

/* An administrator may have removed it before: then there is nothing to do. */
static void device_remove_found(void *arg, const char *address)
{
	struct mpath_message message = {0};
	struct device *d = arg;
	char words[200];

	strbuf_init(&message.reply, words, sizeof(words));
	device_change(d, mpath_change_remove_found(d->map, address, &message.reply), &message);
}

static struct path *path_of_disk(const struct device *d, const char *node)
{
	struct path *path;
	unsigned int i;

	for (i = 0; (path = mpath_path(d->map, i)); i++)
		if (is_node_of(path, node))
			return path;
	return NULL;
}

static void device_tell_paths(struct device *d, const struct found_disks *disks,
			      enum mpath_heard heard)
{
	struct mpath_event event = {.type = MPATH_PATH_HEARD, .heard = heard};

	for (unsigned int i = 0; i < disks->nr; i++) {
		event.path = path_of_disk(d, disks->disks[i].node);
		if (event.path)
			device_step(d, &event);
	}
}

/* What was lost may have been about any of them: an unheard doubt would lead to another LUN. */
static void device_tell_all_paths(struct device *d)
{
	struct mpath_event event = {.type = MPATH_PATH_HEARD, .heard = HEARD_ANYTHING};

	for (unsigned int i = 0; (event.path = mpath_path(d->map, i)); i++)
		device_step(d, &event);
}

static void device_tell_of_disks(void *arg, const struct disk_news *news)
{
	if (news->lost)
		device_tell_all_paths(arg);
	device_tell_paths(arg, &news->resets, HEARD_RESET);
	device_tell_paths(arg, &news->doubted, HEARD_IDENTITY);
	device_tell_paths(arg, &news->states, HEARD_STATES);
	device_tell_paths(arg, &news->resized, HEARD_CAPACITY);
	if (news->disks || news->lost)
		device_step(arg, &(struct mpath_event){.type = MPATH_DISKS});
}

static void device_search_idle(void *arg)
{
	device_check_finished(arg);
}

static const struct search_ops device_search_ops = {
	.paths = {.leads_to = device_leads_to,
		  .add = device_add_found,
		  .remove = device_remove_found},
	.news = device_tell_of_disks,
	.idle = device_search_idle,
};

static bool has_address(const struct found_disks *disks, const char *address)
{
	for (unsigned int i = 0; i < disks->nr; i++)
		if (strcmp(disks->disks[i].address, address) == 0)
			return true;
	return false;
}

/* The map's paths by their words, each once: dm allows one in several groups, but it is one disk.
 */
static bool present_paths(struct device *d, struct found_disks *present)
{
	struct path *path;
	unsigned int i;

	*present = (struct found_disks){0};
	for (i = 0; (path = mpath_path(d->map, i)); i++) {
		if (has_address(present, path->address))
			continue;
		if (!found_disks_add(present, path->address, path->address)) {
			found_disks_clear(present);
			return false;
		}
	}
	return true;
}

static void device_load_finding(struct device *d, const struct device_layout *layout,
				struct mpath_message *message)
{
	struct mpath_table *table = NULL;
	struct found_disks words;

	if (!present_paths(d, &words)) {
		refuse_for_memory(message);
		return;
	}
	message->error = finder_table(&words, layout->table, layout->settings->policy.grouping,
				      layout->find_selector, &table, &message->reply);
	if (!message->error)
		device_load(d, table, layout->settings, message);
	mpath_table_free(table);
	found_disks_clear(&words);
}

/* The map's present paths stay; the next look finds out which of them lead elsewhere. */
static void device_reload_finding(struct device *d, const struct device_layout *layout,
				  struct mpath_message *message)
{
	struct search *s = &d->search;
	bool goes_on = s->on && strcmp(s->wwid, layout->settings->wwid) == 0;
	struct found_disks present;
	char *selector;

	message->error = -EOPNOTSUPP;
	if (!d->transport->finder) {
		strbuf_printf(&message->reply, "this transport finds no paths: name them");
		return;
	}
	selector = strdup(layout->find_selector);
	if (!selector) {
		refuse_for_memory(message);
		return;
	}
	device_load_finding(d, layout, message);
	if (message->error) {
		free(selector);
		return;
	}
	search_for(s, layout->settings->wwid, selector);
	if (!goes_on && present_paths(d, &present))
		search_knows(s, &present);
	search_begin(s);
}

/* Each restore of a saved configuration writes what is there already. */
static bool is_in_service(const struct device *d, const struct device_layout *layout)
{
	return layout->said && d->said && strcmp(layout->said, d->said) == 0;
}

static void device_take_layout(struct device *d, const struct device_layout *layout,
			       struct mpath_message *message)
{
	if (layout->find_selector)
		device_reload_finding(d, layout, message);
	else
		device_load(d, layout->table, layout->settings, message);
	if (message->error)
		return;
	if (!layout->find_selector)
		search_end(&d->search);
	free(d->said);
	d->said = layout->said ? strdup(layout->said) : NULL; /* without memory nobody knows */
}

static void device_reload(struct device *d, const struct device_layout *layout,
			  struct mpath_message *message)
{
	char *warning = layout->warning ? strdup(layout->warning) : NULL;

	if (layout->warning && !warning) {
		refuse_for_memory(message);
		return;
	}
	message->error = 0;
	if (!is_in_service(d, layout))
		device_take_layout(d, layout, message);
	if (message->error) {
		free(warning);
		return;
	}
	free(d->warning);
	d->warning = warning;
}

/* "add_path" ADDRESS [GROUP] */
static void device_add_path(struct device *d, struct mpath_message *message)
{
	uint64_t group = 0;

	if (message->argc == 3 && (!parse_number(message->argv[2], UINT32_MAX, &group) || !group)) {
		message->error = -EINVAL;
		strbuf_printf(&message->reply,
			      "add_path: priority group is \"%s\", expected a number "
			      "from 1",
			      message->argv[2]);
		return;
	}
	device_change(d,
		      mpath_change_add_path(d->map, message->argv[1], (unsigned int)group,
					    &message->reply),
		      message);
}

/* The messages that take memory.  False: it is none of them. */
static bool device_change_message(struct device *d, struct mpath_message *message)
{
	const char *word = message->argc ? message->argv[0] : "";

	if (strcasecmp(word, "add_path") == 0 && (message->argc == 2 || message->argc == 3))
		device_add_path(d, message);
	else if (strcasecmp(word, "remove_path") == 0 && message->argc == 2)
		device_change(d,
			      mpath_change_remove_path(d->map, message->argv[1], &message->reply),
			      message);
	else
		return false;
	return true;
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

	d->stopping = true;
	search_stop(&d->search);
	if (d->keeper.later)
		keeper_start(d);
	device_step(d, &(struct mpath_event){.type = MPATH_STOP});
}

static bool same_boot(const char *backstore, const char *other)
{
	size_t len = strcspn(backstore, " ");

	return len == strcspn(other, " ") && strncmp(backstore, other, len) == 0;
}

static void forget_messages(struct mpath_memory *memory)
{
	memory->queueing = MEMORY_QUEUEING_AS_TABLE;
	memory->current_group = 0;
	memory->nr_failed = 0;
	memory->nr_disabled = 0;
}

static void recall_the_array(struct mpath_memory *memory, const struct mpath_memory *kept)
{
	memory->array_reserves = kept->array_reserves;
	memory->nr_news = kept->nr_news;
	memcpy(memory->news, kept->news, sizeof(memory->news));
}

/*
 * Like dm's, what messages have set ends with the backstore.  A write that was lost, or left
 * behind, may land whatever backstore the LUN is in by now, until a reboot, which also begins
 * another clock.  Initiators outlive that: they are to hear what the array has said, and to whom a
 * reservation belongs.  @kept is NULL if nothing is.
 */
static void device_recall(const struct device *d, struct multipath *map,
			  const struct device_config *config, const struct kept *kept)
{
	bool is_known = kept && same_boot(kept->backstore, config->backstore);
	struct mpath_memory memory = {0};

	if (is_known)
		memory = kept->memory;
	if (kept)
		recall_the_array(&memory, &kept->memory);
	if (!is_known || strcmp(kept->backstore, config->backstore) != 0)
		forget_messages(&memory);
	/* Nobody knows what the former process has told there: it is feared like a lost disk. */
	if (!d->tally.mapped && memory.nr_disks)
		memory.disks[0] = 0;
	mpath_recall(map, &memory);
	if (d->tally.mapped)
		mpath_recall_errors(map, &d->tally.mapped->told);
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

static bool device_create_paths(struct device *d)
{
	struct path *path;
	unsigned int i;

	for (i = 0; (path = mpath_path(d->map, i)); i++)
		if (!device_path_new(d, path))
			return false;
	return true;
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

static void device_open_tally(struct device *d, const char *backstore)
{
	char boot[KEPT_BACKSTORE_MAX];
	int err;

	snprintf(boot, sizeof(boot), "%.*s", (int)strcspn(backstore, " "), backstore);
	err = tally_open(&d->tally, d->state_name, boot);
	if (err)
		mpath_log(
			MPATH_LOG_WARN, d->name, NULL,
			"errors of the disks cannot be kept over a restart, writes will wait after "
			"one: %s",
			strerror(-err));
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

void device_wait_settled(struct device *d, unsigned int ms)
{
	struct timespec until;
	int err = 0;

	assert(!loop_is_current(d->loop));
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += (long)(ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&d->lock);
	while (!d->settled && err != ETIMEDOUT)
		err = pthread_cond_timedwait(&d->changed, &d->lock, &until);
	pthread_mutex_unlock(&d->lock);
}

void device_stop(struct device *d)
{
	assert(!loop_is_current(d->loop));
	registry_unlist(&d->registration);
	loop_post(d->loop, &d->stop);

	pthread_mutex_lock(&d->lock);
	while (!d->finished)
		pthread_cond_wait(&d->changed, &d->lock);
	pthread_mutex_unlock(&d->lock);

	if (d->keeper.failed) /* the file does not know how it has ended */
		device_tell_errors(d);
	else
		tally_forget(&d->tally);
	device_free(d);
}
