/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The fake transport; see fake.h.  Its own memory comes from GLib, so that test_no_memory does not
 * take it for the handler's.
 */
#include "contract/lib/fake.h"

#include <assert.h>
#include <errno.h>
#include <glib.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "mpath/core.h"
#include "mpath/scsi.h"
#include "runtime/worker.h"

struct path_link {
	struct fake_path *path;
	struct loop *loop;
	const struct link_events *events;
	unsigned int nr_in_flight;
	struct list waiting; /* over the queue depth */
	struct list flying;
	struct job_queue closers;
	struct job closer;
	struct letter *closed;
};

/* A command at the device.  It outlives its mpath_io when that is given up, and its link. */
struct fake_cmd {
	struct timer timer;
	struct fake_path *path;
	struct path_link *link; /* NULL: orphan */
	struct mpath_io *io;	/* NULL: orphan */
	struct loop *loop;
	enum fake_mode mode;
	struct scsi_cmd cmd; /* a copy; its iovec is not looked at */
	uint8_t *data;	     /* as written, or to be read */
	struct scsi_result result;
	/* Giving up: done by a worker, as closing an fd would be. */
	struct job give_up;
	struct job_queue *queue;
	struct mpath_io *given_up;
	struct path_link *given_up_link;
	unsigned int nr_resets; /* of the disk, when it came there */
	bool too_late;		/* there was no room for it before its time was over */
	bool executed;
};

static pthread_mutex_t fake_lock = PTHREAD_MUTEX_INITIALIZER;
static struct list fake_paths = {&fake_paths, &fake_paths};

static void link_start_waiting(struct path_link *link);

/* --- the disk --- */

static uint64_t get_be(const uint8_t *bytes, size_t len)
{
	uint64_t value = 0;

	while (len--)
		value = value << 8 | *bytes++;
	return value;
}

static void put_be(uint8_t *bytes, size_t len, uint64_t value)
{
	while (len--) {
		bytes[len] = (uint8_t)value;
		value >>= 8;
	}
}

static void cmd_answer(struct fake_cmd *fc, const void *data, size_t len)
{
	if (len > fc->cmd.data_len)
		len = fc->cmd.data_len;
	memcpy(fc->data, data, len);
	fc->result.residual = (uint32_t)(fc->cmd.data_len - len);
}

static void cmd_refuse(struct fake_cmd *fc, uint8_t asc)
{
	scsi_sense_set(&fc->result, (uint32_t)fc->cmd.data_len, 0x05, asc, 0);
}

static void disk_inquiry(struct fake_cmd *fc)
{
	uint8_t page[96] = {0};
	const char *serial = fc->path->disk->serial;
	size_t len = strlen(serial);

	if (!(fc->cmd.cdb[1] & 1)) {
		page[2] = 6;
		page[4] = 31;
		memcpy(page + 8, "FAKE    DISK            1   ", 28);
		cmd_answer(fc, page, 36);
		return;
	}
	page[1] = fc->cmd.cdb[2];
	switch (fc->cmd.cdb[2]) {
	case 0x00:
		page[3] = 3;
		memcpy(page + 4, "\x00\x80\x83", 3);
		break;
	case 0x80:
		page[3] = (uint8_t)len;
		memcpy(page + 4, serial, len);
		break;
	case 0x83: /* one designator: a T10 vendor identification */
		page[3] = (uint8_t)(4 + 8 + len);
		page[4] = 2;
		page[5] = 1;
		page[7] = (uint8_t)(8 + len);
		memcpy(page + 8, "FAKE    ", 8);
		memcpy(page + 16, serial, len);
		break;
	default:
		cmd_refuse(fc, 0x24);
		return;
	}
	cmd_answer(fc, page, 4u + page[3]);
}

static void disk_capacity(struct fake_cmd *fc)
{
	unsigned int nr_blocks = atomic_load(&fc->path->disk->nr_blocks);
	uint8_t data[32] = {0};

	put_be(data, 8, (nr_blocks ? nr_blocks : FAKE_NR_BLOCKS) - 1);
	put_be(data + 8, 4, FAKE_BLOCK_SIZE);
	cmd_answer(fc, data, sizeof(data));
}

static void disk_transfer(struct fake_cmd *fc, uint64_t lba)
{
	size_t blocks = fc->cmd.data_len / FAKE_BLOCK_SIZE;
	uint8_t *place;

	if (lba + blocks > FAKE_NR_BLOCKS) {
		cmd_refuse(fc, 0x21);
		return;
	}
	place = fc->path->disk->blocks + lba * FAKE_BLOCK_SIZE;
	pthread_mutex_lock(&fake_lock);
	if (fc->cmd.dir == SCSI_DATA_OUT)
		memcpy(place, fc->data, fc->cmd.data_len);
	else
		memcpy(fc->data, place, fc->cmd.data_len);
	pthread_mutex_unlock(&fake_lock);
}

static void disk_execute(struct fake_cmd *fc)
{
	const uint8_t *cdb = fc->cmd.cdb;

	switch (cdb[0]) {
	case 0x00: /* TEST UNIT READY */
	case 0x35: /* SYNCHRONIZE CACHE */
		return;
	case 0x12:
		disk_inquiry(fc);
		return;
	case 0x9e:
		disk_capacity(fc);
		return;
	case 0x28: /* READ(10), WRITE(10) */
	case 0x2a:
		disk_transfer(fc, get_be(cdb + 2, 4));
		return;
	default:
		cmd_refuse(fc, 0x20);
		return;
	}
}

/* --- commands --- */

static void iov_copy(const struct scsi_cmd *cmd, uint8_t *data, bool to_iov)
{
	size_t done = 0, i;

	for (i = 0; i < cmd->iov_cnt && done < cmd->data_len; i++) {
		size_t n = cmd->iov[i].iov_len;

		if (n > cmd->data_len - done)
			n = cmd->data_len - done;
		if (to_iov)
			memcpy(cmd->iov[i].iov_base, data + done, n);
		else
			memcpy(data + done, cmd->iov[i].iov_base, n);
		done += n;
	}
}

static void cmd_free(struct fake_cmd *fc)
{
	g_free(fc->data);
	g_free(fc->queue);
	g_free(fc);
}

static void cmd_set_result(struct fake_cmd *fc)
{
	enum transport_error error = TRANSPORT_OK;

	fc->result = (struct scsi_result){0};
	if (atomic_load(&fc->path->disk->nr_resets) != fc->nr_resets) {
		fc->result = (struct scsi_result){.transport = TRANSPORT_FAULT,
						  .residual = (uint32_t)fc->cmd.data_len};
		return;
	}
	if (fc->too_late) {
		fc->result = (struct scsi_result){.transport = TRANSPORT_BUSY,
						  .residual = (uint32_t)fc->cmd.data_len};
		return;
	}
	switch (fc->mode) {
	case FAKE_GOOD:
	case FAKE_HELD:
		disk_execute(fc);
		return;
	case FAKE_LOSES:
		disk_execute(fc);
		error = TRANSPORT_LOST;
		break;
	case FAKE_HANGS:
		error = TRANSPORT_TIMEOUT;
		break;
	case FAKE_NOT_SENT:
		error = TRANSPORT_NOT_SENT;
		break;
	case FAKE_GONE:
		error = TRANSPORT_GONE;
		break;
	}
	fc->result =
		(struct scsi_result){.transport = error, .residual = (uint32_t)fc->cmd.data_len};
}

/* An answer is there; or an orphan's would be. */
static void cmd_fire(struct timer *timer, uint64_t now_ns)
{
	struct fake_cmd *fc = container_of(timer, struct fake_cmd, timer);
	struct path_link *link = fc->link;
	struct mpath_io *io = fc->io;

	(void)now_ns;
	cmd_set_result(fc);
	fc->executed = true;
	atomic_fetch_sub(&fc->path->nr_out, 1);
	if (!io) {
		if (!fc->given_up)
			cmd_free(fc);
		return; /* else the worker still has it */
	}
	if (io->cmd.dir == SCSI_DATA_IN && fc->result.transport == TRANSPORT_OK)
		iov_copy(&io->cmd, fc->data, true);
	io->result = fc->result;
	io->transport_data = NULL;
	list_del(&io->node);
	link->nr_in_flight--;
	cmd_free(fc);
	link->events->done(io);
	link_start_waiting(link);
}

static void note_max(struct fake_path *path, unsigned int nr_out)
{
	unsigned int max = atomic_load(&path->nr_out_max);

	while (nr_out > max && !atomic_compare_exchange_weak(&path->nr_out_max, &max, nr_out))
		;
}

static void link_send(struct path_link *link, struct mpath_io *io)
{
	struct fake_cmd *fc = g_new0(struct fake_cmd, 1);
	uint64_t delay_ns = atomic_load(&link->path->delay_ms) * NSEC_PER_MSEC;

	fc->path = link->path;
	fc->link = link;
	fc->loop = link->loop;
	fc->io = io;
	fc->mode = atomic_load(&link->path->mode);
	fc->nr_resets = atomic_load(&link->path->disk->nr_resets);
	fc->cmd = io->cmd;
	fc->data = g_malloc0(io->cmd.data_len + 1);
	if (io->cmd.dir == SCSI_DATA_OUT)
		iov_copy(&io->cmd, fc->data, false);
	list_init(&fc->timer.node);
	fc->timer.fire = cmd_fire;
	if (fc->mode == FAKE_HANGS)
		delay_ns = io->cmd.timeout_ms * NSEC_PER_MSEC;
	fc->too_late = io->send_by_ns && loop_now_ns(link->loop) >= io->send_by_ns;
	if (fc->mode == FAKE_NOT_SENT || fc->mode == FAKE_GONE || fc->too_late)
		delay_ns = 0;
	loop_timer_set(link->loop, &fc->timer, loop_now_ns(link->loop) + delay_ns);

	io->transport_data = fc;
	list_push_back(&link->flying, &io->node);
	link->nr_in_flight++;
	note_max(link->path, atomic_fetch_add(&link->path->nr_out, 1) + 1);
}

static void link_start_waiting(struct path_link *link)
{
	struct list *node;

	while (link->nr_in_flight < link->path->queue_depth && (node = list_pop(&link->waiting)))
		link_send(link, container_of(node, struct mpath_io, node));
}

static void fake_submit(struct path_link *link, struct mpath_io *io)
{
	assert(loop_is_current(link->loop));
	atomic_fetch_add(&link->path->nr_submits, 1);
	io->transport_data = NULL;
	list_push_back(&link->waiting, &io->node);
	link_start_waiting(link);
}

/* --- giving up --- */

static void give_up_run(struct job *job)
{
	(void)job;
}

static void give_up_done(struct letter *letter)
{
	struct fake_cmd *fc = container_of(letter, struct fake_cmd, give_up.letter);
	struct mpath_io *io = fc->given_up;
	struct path_link *link = fc->given_up_link;

	fc->given_up = NULL;
	io->transport_data = NULL;
	if (fc->executed)
		cmd_free(fc);
	link->nr_in_flight--;
	link->events->abandoned(io);
	link_start_waiting(link);
}

/* A command that was not sent yet still takes the way of the others: later, through a worker. */
static void fake_abandon(struct path_link *link, struct mpath_io *io)
{
	struct fake_cmd *fc = io->transport_data;

	assert(loop_is_current(link->loop));
	list_del(&io->node);
	if (!fc) {
		fc = g_new0(struct fake_cmd, 1);
		fc->executed = true;
		link->nr_in_flight++;
	}
	fc->io = NULL;
	fc->link = NULL;
	fc->given_up = io;
	fc->given_up_link = link;
	fc->queue = g_new0(struct job_queue, 1);
	job_queue_init(fc->queue);
	job_init(&fc->give_up, link->loop, give_up_run, give_up_done);
	job_start(fc->queue, &fc->give_up);
}

/* --- open and close --- */

static void sleep_ms(unsigned int ms)
{
	struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

	nanosleep(&ts, NULL);
}

static const char *number_of(const struct fake_path *path)
{
	const char *number = atomic_load(&path->number);

	return number ? number : path->address;
}

static bool has_node(const struct fake_path *path, const char *name)
{
	return strncmp(name, "/dev/fake-", 10) == 0 && strcmp(name + 10, number_of(path)) == 0;
}

static struct fake_path *find_path(const char *address)
{
	struct fake_path *path, *found = NULL;

	pthread_mutex_lock(&fake_lock);
	list_for_each_entry(path, &fake_paths, node)
		if (strcmp(path->address, address) == 0 || has_node(path, address))
			found = path;
	pthread_mutex_unlock(&fake_lock);
	return found;
}

uint64_t fake_disk_number(const struct fake_path *path)
{
	return (uintptr_t)path;
}

static int fake_open(const struct link_request *request, struct path_link **link,
		     struct path_facts *facts, struct strbuf *reason)
{
	struct fake_path *path = find_path(request->address);

	assert(!loop_is_current(request->loop));
	if (path)
		sleep_ms(atomic_load(&path->open_ms));
	if (!path || atomic_load(&path->mode) == FAKE_GONE) {
		strbuf_printf(reason, "%s: no such device", request->address);
		return -ENODEV;
	}
	if (atomic_load(&path->mode) == FAKE_HELD) {
		strbuf_printf(reason, "%s is in use: another process holds it", request->address);
		return -EBUSY;
	}
	*link = g_new0(struct path_link, 1);
	(*link)->path = path;
	(*link)->loop = request->loop;
	(*link)->events = request->events;
	list_init(&(*link)->waiting);
	list_init(&(*link)->flying);
	job_queue_init(&(*link)->closers);
	facts->queue_depth = path->queue_depth;
	facts->max_transfer_bytes = FAKE_NR_BLOCKS * FAKE_BLOCK_SIZE;
	facts->foreign = atomic_load(&path->foreign);
	facts->disk = fake_disk_number(path);
	facts->has_sessions = atomic_load(&path->session) != 0;
	snprintf(facts->name, sizeof(facts->name), "%s", number_of(path));
	snprintf(facts->device, sizeof(facts->device), "fake-%s", number_of(path));
	atomic_fetch_add(&path->nr_opens, 1);
	return 0;
}

static int64_t fake_count_outstanding(struct path_link *link, uint64_t *errors)
{
	*errors = 0; /* none but ours end so */
	return (int64_t)atomic_load(&link->path->nr_out) + atomic_load(&link->path->foreign);
}

static int fake_reset_lun(struct path_link *link)
{
	assert(!loop_is_current(link->loop));
	if (atomic_load(&link->path->mode) != FAKE_GOOD)
		return -EIO;
	atomic_fetch_add(&link->path->disk->nr_resets, 1);
	return 0;
}

static uint64_t fake_session(struct path_link *link)
{
	assert(!loop_is_current(link->loop));
	return atomic_load(&link->path->session);
}

static void close_run(struct job *job)
{
	struct path_link *link = container_of(job, struct path_link, closer);

	atomic_fetch_add(&link->path->nr_closes, 1);
}

static void close_done(struct letter *letter)
{
	struct path_link *link = container_of(letter, struct path_link, closer.letter);
	struct letter *closed = link->closed;

	g_free(link);
	closed->deliver(closed);
}

static void fake_close(struct path_link *link, struct letter *closed)
{
	assert(loop_is_current(link->loop));
	assert(!link->nr_in_flight && list_empty(&link->waiting));
	link->closed = closed;
	job_init(&link->closer, link->loop, close_run, close_done);
	job_start(&link->closers, &link->closer);
}

void fake_add_path(struct fake_path *path, const char *address, struct fake_disk *disk)
{
	path->address = address;
	path->disk = disk;
	if (!path->queue_depth)
		path->queue_depth = 16;
	pthread_mutex_lock(&fake_lock);
	list_push_back(&fake_paths, &path->node);
	pthread_mutex_unlock(&fake_lock);
}

void fake_remove_path(struct fake_path *path)
{
	pthread_mutex_lock(&fake_lock);
	list_del(&path->node);
	pthread_mutex_unlock(&fake_lock);
}

void fake_forget_paths(void)
{
	pthread_mutex_lock(&fake_lock);
	while (list_pop(&fake_paths))
		;
	pthread_mutex_unlock(&fake_lock);
}

/* --- looking for disks --- */

struct disk_monitor {
	struct list node; /* under fake_lock */
	int fd;
};

static struct list fake_monitors = {&fake_monitors, &fake_monitors};
/* What the next news is about; all NULL: disks have come or gone. */
static const char *fake_doubted;
static const char *fake_resized;
static const char *fake_modes;
static const char *fake_space;
static bool fake_lost; /* or some was lost */
static atomic_int fake_watch_refused;
static struct fake_path *fake_coming;	    /* under the lock */
static const struct fake_path *fake_unseen; /* by the next look */

static int fake_find(const char *wwid, uint64_t since_ns, struct found_disks *found)
{
	struct fake_path *path;

	(void)since_ns;

	*found = (struct found_disks){0};
	pthread_mutex_lock(&fake_lock);
	list_for_each_entry(path, &fake_paths, node) {
		bool silent = atomic_load(&path->silent);
		char node[64];

		if (atomic_load(&path->mode) == FAKE_GONE || path == fake_unseen ||
		    (!silent && !strstr(wwid, path->disk->serial)))
			continue;
		snprintf(node, sizeof(node), "/dev/fake-%s", number_of(path));
		assert(found_disks_add(found, path->address, node));
		found->disks[found->nr - 1].sure = !silent;
	}
	fake_unseen = NULL;
	pthread_mutex_unlock(&fake_lock);
	return 0;
}

static int fake_watch(struct disk_monitor **monitor, int *fd)
{
	if (atomic_load(&fake_watch_refused))
		return -atomic_load(&fake_watch_refused);
	*monitor = calloc(1, sizeof(**monitor));
	if (!*monitor)
		return -ENOMEM;
	*fd = (*monitor)->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	pthread_mutex_lock(&fake_lock);
	assert(*fd >= 0);
	list_push_back(&fake_monitors, &(*monitor)->node);
	pthread_mutex_unlock(&fake_lock);
	return 0;
}

void fake_refuse_watch(int err)
{
	atomic_store(&fake_watch_refused, err);
}

void fake_comes_after_the_look(struct fake_path *path)
{
	pthread_mutex_lock(&fake_lock);
	fake_coming = path;
	pthread_mutex_unlock(&fake_lock);
}

/* Under the lock. */
static bool somebody_comes_now(void)
{
	if (!fake_coming)
		return false;
	atomic_store(&fake_coming->mode, FAKE_GOOD);
	fake_unseen = fake_coming;
	fake_coming = NULL;
	return true;
}

static void fake_drain(struct disk_monitor *monitor, struct disk_news *news)
{
	uint64_t nr;

	if (read(monitor->fd, &nr, sizeof(nr)) != sizeof(nr)) {
		assert(errno == EAGAIN);
		pthread_mutex_lock(&fake_lock);
		news->disks = somebody_comes_now();
		pthread_mutex_unlock(&fake_lock);
		return;
	}
	pthread_mutex_lock(&fake_lock);
	news->lost = fake_lost;
	news->disks = !fake_doubted && !fake_resized && !fake_modes && !fake_space && !fake_lost;
	if (fake_doubted)
		assert(found_disks_add(&news->doubted, fake_doubted, fake_doubted));
	if (fake_resized)
		assert(found_disks_add(&news->resized, fake_resized, fake_resized));
	if (fake_modes)
		assert(found_disks_add(&news->modes, fake_modes, fake_modes));
	if (fake_space)
		assert(found_disks_add(&news->space, fake_space, fake_space));
	pthread_mutex_unlock(&fake_lock);
}

static void fake_unwatch(struct disk_monitor *monitor)
{
	pthread_mutex_lock(&fake_lock);
	list_del(&monitor->node);
	pthread_mutex_unlock(&fake_lock);
	close(monitor->fd);
	free(monitor);
}

/* @about is what the next news is about; NULL: disks have come or gone. */
static void fake_news(const char **about, const char *node, bool lost)
{
	const uint64_t one = 1;
	struct disk_monitor *monitor;

	pthread_mutex_lock(&fake_lock);
	fake_doubted = fake_resized = fake_modes = fake_space = NULL;
	if (about)
		*about = node;
	fake_lost = lost;
	list_for_each_entry(monitor, &fake_monitors, node)
		assert(write(monitor->fd, &one, sizeof(one)) == sizeof(one));
	pthread_mutex_unlock(&fake_lock);
}

void fake_disks_changed(void)
{
	fake_news(NULL, NULL, false);
}

void fake_disk_doubted(const char *node)
{
	fake_news(&fake_doubted, node, false);
}

void fake_disk_resized(const char *node)
{
	fake_news(&fake_resized, node, false);
}

void fake_disk_modes_changed(const char *node)
{
	fake_news(&fake_modes, node, false);
}

void fake_disk_space_runs_out(const char *node)
{
	fake_news(&fake_space, node, false);
}

void fake_news_lost(void)
{
	fake_news(NULL, NULL, true);
}

static const struct disk_finder fake_finder = {
	.find = fake_find,
	.watch = fake_watch,
	.drain = fake_drain,
	.unwatch = fake_unwatch,
};

const struct path_transport_type fake_transport = {
	.name = "fake",
	.finder = &fake_finder,
	.open = fake_open,
	.count_outstanding = fake_count_outstanding,
	.reset_lun = fake_reset_lun,
	.session = fake_session,
	.submit = fake_submit,
	.abandon = fake_abandon,
	.close = fake_close,
};
