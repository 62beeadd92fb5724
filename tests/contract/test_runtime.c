/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Devices: the real core on the fake transport, with owner threads, workers and many callers.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "contract/lib/fake.h"
#include "mpath/core.h"
#include "mpath/path_checker.h"
#include "mpath/scsi.h"
#include "runtime/device.h"
#include "runtime/log.h"
#include "runtime/state.h"
#include "runtime/tally.h"
#include "runtime/worker.h"

extern const struct path_checker_type tur_checker;

#define SOON_MS	       5000
#define BLOCK	       FAKE_BLOCK_SIZE
#define CMD_BLOCKS     4
#define CMD_BYTES      (CMD_BLOCKS * BLOCK)
#define TABLE	       "0 0 2 1 round-robin 0 1 1 8:0 1 round-robin 0 1 1 8:16 1"
#define TABLE_QUEUEING "1 queue_if_no_path 0 1 1 round-robin 0 2 1 8:0 1 8:16 1"

static const char *backstore_instance = "this one";
static char state_dir[] = "/tmp/mpath-runtime.XXXXXX";
static struct fake_disk disk = {.serial = "disk-one"};
static struct fake_disk other_disk = {.serial = "disk-two"};
static struct fake_path paths[2];
static enum fence_kind fence = FENCE_TIME; /* of the next map */
static const char *find_selector;	   /* likewise; NULL: its table has the paths */
static enum grouping find_grouping;
static uint32_t polling_ms = 200;
static const char *find_wwid = "";

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static void sleep_ms(unsigned int ms)
{
	struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

	nanosleep(&ts, NULL);
}

/* Under lock: wait for the next change.  False: @until has passed. */
static bool wait_change(const struct timespec *until)
{
	return pthread_cond_timedwait(&changed, &lock, until) != ETIMEDOUT;
}

static struct timespec in_ms(unsigned int ms)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_sec += ms / 1000;
	ts.tv_nsec += (long)(ms % 1000) * 1000000;
	if (ts.tv_nsec >= 1000000000) {
		ts.tv_sec++;
		ts.tv_nsec -= 1000000000;
	}
	return ts;
}

static void (*before_unlink)(void); /* what a device has told is to be taken away; called once */

int unlink(const char *path)
{
	void (*call)(void) = before_unlink;

	if (call && strstr(path, ".errors")) {
		before_unlink = NULL;
		call();
	}
	return unlinkat(AT_FDCWD, path, 0);
}

static bool is_short; /* of what it takes to have what a former process has told */

int posix_fallocate(int fd, off_t offset, off_t len)
{
	return is_short ? ENOMEM : ftruncate(fd, offset + len) ? errno : 0;
}

static atomic_bool refuse_threads;

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *arg),
			  void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *arg),
			  void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *arg),
			  void *arg)
{
	if (atomic_load(&refuse_threads))
		return EAGAIN;
	return __real_pthread_create(thread, attr, run, arg);
}

/* --- what was logged --- */

static char log_text[65536];
static size_t log_len;

static void log_sink(enum log_level level, const char *map, const char *path, const char *text)
{
	pthread_mutex_lock(&lock);
	if (log_len + LOG_TEXT_MAX + 200 < sizeof(log_text))
		log_len += (size_t)sprintf(log_text + log_len, "%s%s/%s: %s\n",
					   level == MPATH_LOG_WARN ? "warning: " : "",
					   map ? map : "-", path ? path : "-", text);
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static void log_clear(void)
{
	mpath_log_flush(SOON_MS);
	pthread_mutex_lock(&lock);
	log_len = 0;
	log_text[0] = '\0';
	pthread_mutex_unlock(&lock);
}

static void expect_log(const char *part)
{
	struct timespec until = in_ms(SOON_MS);
	bool found;

	pthread_mutex_lock(&lock);
	while (!(found = strstr(log_text, part) != NULL) && wait_change(&until))
		;
	if (!found)
		fprintf(stderr, "no \"%s\" in:\n%s", part, log_text);
	pthread_mutex_unlock(&lock);
	assert(found);
}

static void expect_not_in_log(const char *part)
{
	bool found;

	mpath_log_flush(SOON_MS);
	pthread_mutex_lock(&lock);
	found = strstr(log_text, part) != NULL;
	pthread_mutex_unlock(&lock);
	assert(!found);
}

/* --- the front: who brings the commands --- */

struct front {
	struct device *device;
	struct mpath_backstore backstore; /* under lock */
	atomic_uint nr_reads;
	atomic_uint nr_lun_changes;
	atomic_uint nr_unheard; /* so many changes cannot be taken now */
	atomic_uint nr_complete;
	atomic_uint nr_flushes;
	bool unflushed;		       /* owner thread */
	struct device *ends_meanwhile; /* when this one begins, another one stops; NULL: none */
	bool is_unreadable;	       /* the backstore */
	bool holds_reads;	       /* under lock: what was read is kept back */
	unsigned int nr_held;	       /* so many were; and so many of them may go: */
	unsigned int nr_let_go;
};

struct command {
	struct mpath_io io;
	struct letter letter;
	struct letter abort; /* may be posted while the other is on its way */
	struct front *front;
	struct iovec iov[2];
	uint8_t data[CMD_BYTES];
	unsigned int nr_done; /* under lock */
};

static void front_complete(void *arg, struct mpath_io *io)
{
	struct front *front = arg;
	struct command *command = container_of(io, struct command, io);

	atomic_fetch_add(&front->nr_complete, 1);
	front->unflushed = true;
	pthread_mutex_lock(&lock);
	command->nr_done++;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static void front_flush(void *arg)
{
	struct front *front = arg;

	assert(front->unflushed);
	front->unflushed = false;
	atomic_fetch_add(&front->nr_flushes, 1);
}

static void hold_read(struct front *front)
{
	unsigned int number = ++front->nr_held;

	pthread_cond_broadcast(&changed);
	while (front->nr_let_go < number)
		pthread_cond_wait(&changed, &lock);
}

static bool front_read_backstore(void *arg, struct mpath_backstore *backstore)
{
	struct front *front = arg;

	if (front->ends_meanwhile)
		device_stop(front->ends_meanwhile);
	front->ends_meanwhile = NULL;
	pthread_mutex_lock(&lock);
	*backstore = front->backstore;
	if (front->holds_reads)
		hold_read(front);
	pthread_mutex_unlock(&lock);
	atomic_fetch_add(&front->nr_reads, 1);
	return !front->is_unreadable;
}

static bool front_lun_changed(void *arg, const struct lun_facts *lun)
{
	struct front *front = arg;

	assert(lun->known && lun->block_size == BLOCK);
	assert(lun->nr_blocks == FAKE_NR_BLOCKS || lun->nr_blocks == atomic_load(&disk.nr_blocks));
	if (atomic_load(&front->nr_unheard)) {
		atomic_fetch_sub(&front->nr_unheard, 1);
		return false;
	}
	atomic_fetch_add(&front->nr_lun_changes, 1);
	return true;
}

static const struct device_front front_ops = {
	.complete = front_complete,
	.flush = front_flush,
	.read_backstore = front_read_backstore,
	.lun_changed = front_lun_changed,
};

static struct device *start_named(struct front *front, const char *name, const char *text,
				  struct strbuf *error)
{
	struct mpath_settings settings;
	struct mpath_table *table;
	struct device_config config = {
		.name = name,
		.state_name = name,
		.backstore = backstore_instance,
		.settings = &settings,
		.transport = &fake_transport,
		.warning = "this is a test",
	};

	mpath_settings_init(&settings);
	snprintf(settings.wwid, sizeof(settings.wwid), "%s", find_wwid);
	settings.policy.grouping = find_grouping;
	config.find_selector = find_selector;
	settings.checker = &tur_checker;
	settings.recheck_interval_ms = 50;
	settings.polling_interval_ms = polling_ms;
	settings.checker_timeout_ms = 200;
	settings.path_timeout_ms = 300;
	settings.restart_wait_ms = 1500;
	settings.fence = fence;
	assert(mpath_table_parse(text, &table, error) == 0);
	config.table = table;
	front->device = device_start(&config, &front_ops, front, error);
	mpath_table_free(table); /* nobody needs it any more */
	return front->device;
}

static bool start_without_waiting(struct front *front, const char *text)
{
	char words[200];
	struct strbuf error;

	strbuf_init(&error, words, sizeof(words));
	*front = (struct front){0};
	front->backstore.block_size = BLOCK;
	if (!start_named(front, "mpatha", text, &error))
		fprintf(stderr, "%s\n", words);
	return front->device != NULL;
}

static void start(struct front *front, const char *text)
{
	if (!start_without_waiting(front, text))
		abort();
	device_wait_settled(front->device, SOON_MS);
}

/* --- commands --- */

static void command_deliver(struct letter *letter)
{
	struct command *command = container_of(letter, struct command, letter);

	device_submit(command->front->device, &command->io);
}

static void prepare_command(struct front *front, struct command *command, const uint8_t *cdb,
			    uint8_t cdb_len)
{
	struct mpath_io *io = &command->io;

	*io = (struct mpath_io){.arrival_ns = clock_now_ns()};
	list_init(&io->node);
	memcpy(io->cmd.cdb, cdb, cdb_len);
	io->cmd.cdb_len = cdb_len;
	command->iov[0] = (struct iovec){command->data, 700};
	command->iov[1] = (struct iovec){command->data + 700, CMD_BYTES - 700};
	io->cmd.iov = command->iov;
	io->cmd.iov_cnt = 2;
	assert(scsi_cdb_fill(&io->cmd, CMD_BYTES, BLOCK) == CDB_OK);
	command->front = front;
	command->nr_done = 0;
	command->letter.deliver = command_deliver;
}

static void send_command(struct front *front, struct command *command, bool write, uint32_t lba)
{
	const uint8_t cdb[10] = {write ? 0x2a : 0x28,
				 0,
				 (uint8_t)(lba >> 24),
				 (uint8_t)(lba >> 16),
				 (uint8_t)(lba >> 8),
				 (uint8_t)lba,
				 0,
				 0,
				 CMD_BLOCKS,
				 0};

	prepare_command(front, command, cdb, sizeof(cdb));
	loop_post(device_loop(front->device), &command->letter);
}

static bool wait_command(struct command *command, unsigned int ms)
{
	struct timespec until = in_ms(ms);
	unsigned int nr_done;

	pthread_mutex_lock(&lock);
	while (!command->nr_done && wait_change(&until))
		;
	nr_done = command->nr_done;
	pthread_mutex_unlock(&lock);
	assert(nr_done <= 1);
	return nr_done == 1;
}

static bool is_good(const struct command *command)
{
	return command->io.result.transport == TRANSPORT_OK &&
	       command->io.result.status == SAM_GOOD;
}

/* Write, wait, read back, compare. */
static void round_trip(struct front *front, uint32_t lba, uint8_t pattern)
{
	static struct command command; /* one test thread */

	memset(command.data, pattern, CMD_BYTES);
	send_command(front, &command, true, lba);
	assert(wait_command(&command, SOON_MS) && is_good(&command));
	memset(command.data, 0, CMD_BYTES);
	send_command(front, &command, false, lba);
	assert(wait_command(&command, SOON_MS) && is_good(&command));
	assert(command.data[0] == pattern && command.data[CMD_BYTES - 1] == pattern);
}

static void forget_state(const char *map)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", state_dir, map);
	unlink(path);
}

static const char *tally_name(void)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/mpatha.errors", state_dir);
	return path;
}

static void reset_paths(void)
{
	unsigned int i;

	for (i = 0; i < 2; i++) {
		atomic_store(&paths[i].mode, FAKE_GOOD);
		atomic_store(&paths[i].delay_ms, 0);
		atomic_store(&paths[i].open_ms, 0);
		atomic_store(&paths[i].foreign, 0);
		atomic_store(&paths[i].silent, false);
		/* An orphan of the last case may still look at it. */
		if (paths[i].disk != &disk)
			paths[i].disk = &disk;
	}
	forget_state("mpatha");
	forget_state("mpathb");
	log_clear();
}

/* --- events --- */

static uint64_t last_event;
static char event_text[sizeof(((struct mpath_notice *)0)->text)];

static void watch_event(const char *map, const struct mpath_notice *notice)
{
	assert(strcmp(map, "mpatha") == 0 || strcmp(map, "mpathb") == 0);
	if (strcmp(map, "mpatha") != 0)
		return;
	pthread_mutex_lock(&lock);
	assert(notice->sequence == 1 || notice->sequence == last_event + 1);
	last_event = notice->sequence;
	snprintf(event_text, sizeof(event_text), "%s", notice->text);
	pthread_mutex_unlock(&lock);
}

/* --- requests --- */

struct asked {
	struct device_request request;
	const char *argv[4];
	char words[100];
	char reply[4096];
	unsigned int nr_done; /* under lock */
};

static void asked_done(struct device_request *request)
{
	struct asked *asked = container_of(request, struct asked, request);

	pthread_mutex_lock(&lock);
	asked->nr_done++;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static void wait_asked(struct asked *asked)
{
	struct timespec until = in_ms(SOON_MS);

	pthread_mutex_lock(&lock);
	while (!asked->nr_done && wait_change(&until))
		;
	assert(asked->nr_done == 1);
	pthread_mutex_unlock(&lock);
}

/* Post the request; false: no such map. */
static bool post(struct asked *asked, const char *map, const char *words)
{
	struct mpath_message *message = &asked->request.message;
	char *save = NULL, *word;

	*asked = (struct asked){.request.done = asked_done};
	snprintf(asked->words, sizeof(asked->words), "%s", words);
	for (word = strtok_r(asked->words, " ", &save); word && message->argc < 4;
	     word = strtok_r(NULL, " ", &save))
		asked->argv[message->argc++] = word;
	message->argv = asked->argv;
	strbuf_init(&message->reply, asked->reply, sizeof(asked->reply));
	return device_request(map, &asked->request);
}

static bool ask(struct asked *asked, const char *map, const char *words)
{
	if (!post(asked, map, words))
		return false;
	wait_asked(asked);
	return true;
}

/* The map, without its groups and paths. */
static void take_snapshot(const char *map, struct mpath_snapshot *snapshot)
{
	struct asked asked = {.request = {.done = asked_done, .snapshot = snapshot}};
	struct timespec until = in_ms(SOON_MS);

	*snapshot = (struct mpath_snapshot){0};
	assert(device_request(map, &asked.request));
	pthread_mutex_lock(&lock);
	while (!asked.nr_done && wait_change(&until))
		;
	assert(asked.nr_done == 1);
	pthread_mutex_unlock(&lock);
}

static void expect_status(const char *type, const char *part)
{
	struct timespec begin = in_ms(SOON_MS), now;
	struct asked asked;

	do {
		assert(ask(&asked, "mpatha", type));
		if (strstr(asked.reply, part))
			return;
		sleep_ms(10);
		now = in_ms(0);
	} while (now.tv_sec <= begin.tv_sec);
	fprintf(stderr, "no \"%s\" in %s\n", part, asked.reply);
	abort();
}

/* --- the stories --- */

/* A line is as long as it must be: an unknown key comes with all those that there are. */
static void test_long_line(void)
{
	char text[LOG_TEXT_MAX];
	size_t i;

	for (i = 0; i < sizeof(text) - 1; i++)
		text[i] = (char)('a' + i % 26);
	text[sizeof(text) - 1] = '\0';
	mpath_log(MPATH_LOG_WARN, "mpatha", NULL, "%s", text);
	expect_log(text);
}

/* Commands go and come back; the front is told the LUN once, its state is kept. */
static void test_plain(void)
{
	struct front front;
	struct kept kept;
	char words[200];
	struct strbuf error;
	uint32_t i;

	start(&front, TABLE);
	for (i = 0; i < 200; i++)
		round_trip(&front, i * CMD_BLOCKS, (uint8_t)(i + 1));
	assert(atomic_load(&front.nr_complete) == 400);
	assert(atomic_load(&front.nr_flushes) > 0 && atomic_load(&front.nr_flushes) <= 400);
	expect_log("mpatha/-: ");
	device_stop(front.device);
	assert(atomic_load(&front.nr_lun_changes) == 1);
	strbuf_init(&error, words, sizeof(words));
	assert(state_load("mpatha", &kept, &error) == 0 && kept.lun.known);
	assert(strstr(kept.lun.wwid, "disk-one"));
	assert(atomic_load(&paths[0].nr_opens) == atomic_load(&paths[0].nr_closes));
	assert(atomic_load(&paths[1].nr_opens) == atomic_load(&paths[1].nr_closes));
}

/* A burst is completed with few flushes: one per batch. */
static void test_one_flush_per_batch(void)
{
	enum { BURST = 64 };
	static struct command commands[BURST];
	struct front front;
	unsigned int i, before;

	start(&front, TABLE);
	atomic_store(&paths[0].delay_ms, 20);
	before = atomic_load(&front.nr_flushes);
	for (i = 0; i < BURST; i++)
		send_command(&front, &commands[i], false, i * CMD_BLOCKS);
	for (i = 0; i < BURST; i++)
		assert(wait_command(&commands[i], SOON_MS) && is_good(&commands[i]));
	assert(atomic_load(&front.nr_flushes) - before <= BURST / 2);
	device_stop(front.device);
}

/* The path in use fails in each way there is: the other one takes over, and it comes back. */
static void test_failover(void)
{
	static const enum fake_mode modes[] = {FAKE_LOSES, FAKE_NOT_SENT, FAKE_GONE, FAKE_HANGS};
	struct front front;
	size_t i;

	start(&front, TABLE);
	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		round_trip(&front, 8, 0x10);
		atomic_store(&paths[0].mode, modes[i]);
		round_trip(&front, 16, (uint8_t)(0x20 + i));
		if (i == 0)
			expect_log("mpatha/fake-8:0: failed"); /* then it flaps: not logged */
		expect_status("status info", " 8:0 F ");
		atomic_store(&paths[0].mode, FAKE_GOOD);
		round_trip(&front, 24, (uint8_t)(0x30 + i));
		expect_status("status info", " 8:0 A ");
	}
	device_stop(front.device);
}

/* No path is left: the command is held, status answers meanwhile, and it goes when one is back. */
static void test_held(void)
{
	static struct command command;
	struct front front;

	start(&front, TABLE_QUEUEING);
	atomic_store(&paths[0].mode, FAKE_GONE);
	atomic_store(&paths[1].mode, FAKE_GONE);
	expect_status("status info", " 8:0 F ");
	expect_status("status info", " 8:16 F ");
	send_command(&front, &command, false, 0);
	assert(!wait_command(&command, 300));
	expect_log("no such device");
	atomic_store(&paths[1].mode, FAKE_GOOD);
	assert(wait_command(&command, SOON_MS) && is_good(&command));
	device_stop(front.device);
}

/* SIGTERM while a command is held, and close() while one is held: answered at once. */
static void test_end_while_held(void)
{
	static struct command command;
	struct front front;
	uint64_t begin_ns;
	int way;

	for (way = 0; way < 2; way++) {
		reset_paths();
		start(&front, TABLE_QUEUEING);
		atomic_store(&paths[0].mode, FAKE_HELD);
		atomic_store(&paths[1].mode, FAKE_GONE);
		round_trip(&front, 0, 1); /* 8:0 is open already, held only for others */
		atomic_store(&paths[0].mode, FAKE_GONE);
		expect_status("status info", " 8:0 F ");
		send_command(&front, &command, true, 0);
		assert(!wait_command(&command, 100));
		begin_ns = clock_now_ns();
		if (way == 0)
			device_shutdown_all();
		else
			device_stop(front.device);
		assert(wait_command(&command, way == 0 ? SOON_MS : 0));
		assert(command.io.result.status == SAM_BUSY);
		assert(clock_now_ns() - begin_ns < NSEC_PER_SEC);
		if (way == 0)
			device_stop(front.device);
	}
}

/* close() with a read out that hangs: given up at once.  With a write: waits for its end. */
static void test_stop_in_flight(void)
{
	static struct command command;
	struct front front;
	uint64_t begin_ns, took_ns;
	int write;

	for (write = 0; write < 2; write++) {
		reset_paths();
		start(&front, TABLE);
		round_trip(&front, 0, 1);
		atomic_store(&paths[0].delay_ms, 600);
		atomic_store(&paths[1].delay_ms, 600);
		send_command(&front, &command, write, 0);
		assert(!wait_command(&command, 50));
		begin_ns = clock_now_ns();
		device_stop(front.device);
		took_ns = clock_now_ns() - begin_ns;
		assert(wait_command(&command, 0));
		if (write)
			assert(is_good(&command) && took_ns > 300 * NSEC_PER_MSEC);
		else
			assert(took_ns < 300 * NSEC_PER_MSEC);
	}
}

/* One path is slow in open(): the other one works, and close() waits for the first. */
static void test_slow_open(void)
{
	struct front front;
	uint64_t begin_ns = clock_now_ns();

	atomic_store(&paths[0].open_ms, 1000);
	start(&front, TABLE); /* waits until both are settled */
	assert(clock_now_ns() - begin_ns >= NSEC_PER_SEC);
	round_trip(&front, 0, 7);
	device_stop(front.device);

	start(&front, TABLE);
	device_stop(front.device);
	atomic_store(&paths[1].open_ms, 1000);
	assert(atomic_load(&paths[0].nr_opens) == atomic_load(&paths[0].nr_closes));
}

/*
 * A path hangs in open() for long, as while its host adapter is in error recovery: close() does not
 * wait for it, with tcmu-runner's main thread, but nobody gets the name before it is over.
 */
static void test_stop_while_an_open_hangs(void)
{
	unsigned int nr_closes;
	struct front front;
	uint64_t begin_ns;

	start(&front, TABLE);
	round_trip(&front, 0, 7);
	device_stop(front.device);

	nr_closes = atomic_load(&paths[1].nr_closes);
	atomic_store(&paths[1].open_ms, 4000);
	begin_ns = clock_now_ns();
	assert(start_without_waiting(&front, TABLE));
	device_stop(front.device);
	assert(clock_now_ns() - begin_ns < 3 * NSEC_PER_SEC);
	memset(&front, 0xee, sizeof(front)); /* it is the caller's again */
	atomic_store(&paths[1].open_ms, 0);
	assert(!start_without_waiting(&front, TABLE));
	while (!start_without_waiting(&front, TABLE))
		sleep_ms(200);
	assert(clock_now_ns() - begin_ns > 3900 * NSEC_PER_MSEC);
	assert(atomic_load(&paths[1].nr_closes) == nr_closes + 1);
	device_wait_settled(front.device, SOON_MS);
	round_trip(&front, 0, 8);
	device_stop(front.device);
}

/* Stopped in the moment in which it was started, again and again. */
static void test_start_stop(void)
{
	unsigned int before = atomic_load(&paths[0].nr_out); /* that hung in earlier tests */
	struct front front = {0};
	char words[200];
	struct strbuf error;
	unsigned int i;

	for (i = 0; i < 50; i++) {
		strbuf_init(&error, words, sizeof(words));
		assert(start_named(&front, "mpatha", TABLE, &error));
		if (i % 3)
			device_wait_settled(front.device, i % 7);
		device_stop(front.device);
	}
	assert(atomic_load(&paths[0].nr_opens) == atomic_load(&paths[0].nr_closes));
	for (i = 0; i < 100 && atomic_load(&paths[0].nr_out) > before; i++)
		sleep_ms(10); /* what was given up ends on its own */
	assert(atomic_load(&paths[0].nr_out) <= before);
}

/* Status and messages, right and wrong, and a map that is not there. */
static void test_requests(void)
{
	struct front front;
	struct asked asked;
	struct mpath_snapshot snapshot;

	start(&front, TABLE);
	take_snapshot("mpatha", &snapshot);
	assert(snapshot.nr_paths == 2 && snapshot.lun_known);
	assert(strcmp(snapshot.warning, "this is a test") == 0);
	assert(!ask(&asked, "mpathz", "status info"));
	assert(ask(&asked, "mpatha", "status info") && asked.request.message.error == 0);
	assert(strstr(asked.reply, "8:0 A 0"));
	assert(ask(&asked, "mpatha", "status table") && asked.request.message.error == 0);
	assert(strncmp(asked.reply, TABLE, strlen(TABLE)) == 0);
	assert(ask(&asked, "mpatha", "status detail") && asked.request.message.error == 0);
	assert(strstr(asked.reply, "warning: this is a test\n"));
	assert(ask(&asked, "mpatha", "status ima") && asked.request.message.error == 0);
	assert(strstr(asked.reply, ",path_name_0_0=8:0,"));
	assert(ask(&asked, "mpatha", "status x") && asked.request.message.error == -EINVAL);
	assert(strcmp(asked.reply, "status: \"x\", expected info, table, ima or detail") == 0);
	assert(ask(&asked, "mpatha", "status") && asked.request.message.error == -EINVAL);
	assert(strcmp(asked.reply, "status: expected info, table, ima or detail behind it") == 0);
	assert(ask(&asked, "mpatha", "nonsense") && asked.request.message.error == -EINVAL);
	assert(ask(&asked, "mpatha", "fail_path 8:0") && asked.request.message.error == 0);
	expect_status("status info", " 8:0 F 1");
	assert(strstr(event_text, "failed (fail_path message), 1 of 2 usable"));
	round_trip(&front, 0, 3);
	assert(ask(&asked, "mpatha", "reinstate_path 8:0") && asked.request.message.error == 0);
	expect_status("status info", " 8:0 A 1");
	device_stop(front.device);
	assert(!ask(&asked, "mpatha", "status info"));
}

static int reload_as(const char *words, const char *said, const char *warning)
{
	struct mpath_settings settings;
	struct device_layout layout = {.settings = &settings, .warning = warning, .said = said};
	struct asked asked = {.request = {.done = asked_done, .layout = &layout}};
	struct mpath_table *table;
	char why[200];
	struct strbuf error;

	strbuf_init(&error, why, sizeof(why));
	strbuf_init(&asked.request.message.reply, asked.reply, sizeof(asked.reply));
	assert(mpath_table_parse(words, &table, &error) == 0);
	mpath_settings_init(&settings);
	snprintf(settings.wwid, sizeof(settings.wwid), "%s", find_wwid);
	settings.policy.grouping = find_grouping;
	layout.find_selector = find_selector;
	settings.checker = &tur_checker;
	layout.table = table;
	assert(device_request("mpatha", &asked.request));
	wait_asked(&asked);
	mpath_table_free(table);
	return asked.request.message.error;
}

static int reload(const char *words, const char *warning)
{
	return reload_as(words, NULL, warning);
}

/* The maps that are started or loaded from now on find their paths; NULL: name them. */
static void find_by(const char *wwid, enum grouping grouping)
{
	find_selector = wwid ? "round-robin" : NULL;
	find_wwid = wwid ? wwid : "";
	find_grouping = grouping;
}

static int reload_finding(const char *wwid, enum grouping grouping)
{
	int err;

	find_by(wwid, grouping);
	err = reload("0 0 0 0", NULL);
	find_by(NULL, GROUPING_FAILOVER);
	return err;
}

/* Another table, a path less and more, while a command is out: it is neither lost nor doubled. */
static void test_changes(void)
{
	struct front front;
	struct asked asked;
	struct command command;
	unsigned int opens = paths[0].nr_opens + paths[1].nr_opens;

	start(&front, TABLE);
	assert(reload("0 0 1 1 round-robin 0 2 1 8:16 1 8:0 1", NULL) == 0);
	expect_status("status info", "2 1 0 0 1 1 E 0 2 0 8:16 A 0 8:0 A 0 ");
	assert(paths[0].nr_opens + paths[1].nr_opens == opens + 2);
	assert(ask(&asked, "mpatha", "status detail") && !strstr(asked.reply, "this is a test"));

	paths[1].delay_ms = 200;
	send_command(&front, &command, true, 0); /* on 8:16 */
	assert(ask(&asked, "mpatha", "remove_path fake-8:16") && asked.request.message.error == 0);
	expect_status("status info", " 1 0 8:0 A 0 ");
	assert(ask(&asked, "mpatha", "status detail") && strstr(asked.reply, "leaving: fake-8:16"));
	assert(wait_command(&command, SOON_MS) && is_good(&command));
	assert(paths[1].nr_submits && ask(&asked, "mpatha", "add_path 8:16") &&
	       asked.request.message.error == 0);
	expect_status("status info", " 2 0 8:0 A 0 8:16 A 0 ");
	paths[1].delay_ms = 0;
	round_trip(&front, 0, 3);

	assert(ask(&asked, "mpatha", "add_path 8:16") && asked.request.message.error == -EINVAL);
	assert(strstr(asked.reply, "in the map already"));
	assert(ask(&asked, "mpatha", "add_path 8:32 x") && asked.request.message.error == -EINVAL);
	assert(strstr(asked.reply, "expected a number"));
	/* It is judged as it was given, not as a word of a table that nobody has written. */
	assert(ask(&asked, "mpatha", "add_path 8:x") && asked.request.message.error == -EINVAL);
	assert(!strcmp(asked.reply, "error getting device: \"8:x\", expected MAJOR:MINOR or "
				    "an absolute path name"));
	/* A line of the log, or of a status, would be two. */
	assert(ask(&asked, "mpatha", "add_path /dev/a\tb") &&
	       asked.request.message.error == -EINVAL);
	assert(strstr(asked.reply, "\"/dev/a\\x09b\", expected"));
	assert(ask(&asked, "mpatha", "remove_path 8:32") && asked.request.message.error == -EINVAL);
	assert(reload("0 999999 multipath " TABLE, NULL) == -EINVAL);
	assert(ask(&asked, "mpatha", "add_path 8:32 2") && asked.request.message.error == 0);
	expect_log("8:32: not used: 8:32: no such device");
	device_stop(front.device);
}

/* What says the same as what is in service changes nothing but the warning. */
static void test_the_same_layout(void)
{
	struct front front;
	struct asked asked;

	start(&front, TABLE);
	assert(reload_as(TABLE, "file", "once") == 0); /* nobody knows what it was made of */
	assert(ask(&asked, "mpatha", "disable_group 1") && asked.request.message.error == 0);
	assert(reload_as(TABLE, "file", "twice") == 0);
	expect_status("status info", " 1 D 0 1 0 8:0 A 0 ");
	assert(ask(&asked, "mpatha", "status detail") && strstr(asked.reply, "warning: twice"));

	assert(reload("0 0 1 1 round-robin 0 1 1 8:16 1", NULL) == 0); /* over D-Bus */
	assert(reload_as("0 999999 multipath " TABLE, "other", NULL) == -EINVAL);
	assert(reload_as(TABLE, "file", NULL) == 0);
	expect_status("status info", " 8:0 A 0 ");

	assert(ask(&asked, "mpatha", "remove_path 8:0") && asked.request.message.error == 0);
	assert(reload_as(TABLE, "file", NULL) == 0);
	expect_status("status info", " 8:0 A 0 ");
	device_stop(front.device);
}

/* suspend is answered when the last command has come back; stopping the device answers it, too. */
static void test_suspend(void)
{
	struct front front;
	struct asked suspend, asked;
	struct command out, new;

	start(&front, TABLE);
	paths[0].delay_ms = 200;
	send_command(&front, &out, true, 0);
	assert(post(&suspend, "mpatha", "suspend"));
	send_command(&front, &new, true, 8);
	assert(ask(&asked, "mpatha", "status detail") && strstr(asked.reply, "being suspended"));
	assert(!suspend.nr_done);
	wait_asked(&suspend);
	assert(suspend.request.message.error == 0 && out.nr_done == 1 && is_good(&out));
	assert(new.nr_done == 0);
	assert(ask(&asked, "mpatha", "fail_path 8:0") && asked.request.message.error == -EBUSY);
	paths[0].delay_ms = 0;
	assert(ask(&asked, "mpatha", "resume") && asked.request.message.error == 0);
	assert(wait_command(&new, SOON_MS) && is_good(&new));

	paths[0].delay_ms = 200;
	send_command(&front, &out, true, 0);
	assert(post(&suspend, "mpatha", "suspend noflush"));
	device_stop(front.device);
	wait_asked(&suspend);
	assert(wait_command(&out, SOON_MS));
	paths[0].delay_ms = 0;
}

/* 200 tables under load: every command is answered once, each path's links are closed. */
static void test_changes_under_load(void)
{
	static struct command commands[64];
	struct front front;
	unsigned int opens = paths[1].nr_opens, i, n;

	start(&front, TABLE);
	for (i = 0; i < 200; i++) {
		for (n = 0; n < 64; n++)
			send_command(&front, &commands[n], n % 2, n);
		assert(reload(i % 3 == 0   ? "0 0 1 1 round-robin 0 1 1 8:16 1"
			      : i % 3 == 1 ? "0 0 1 1 service-time 0 2 1 8:16 1 8:0 1"
					   : TABLE,
			      NULL) == 0);
		for (n = 0; n < 64; n++)
			assert(wait_command(&commands[n], SOON_MS) && is_good(&commands[n]));
	}
	device_stop(front.device);
	assert(paths[0].nr_opens == paths[0].nr_closes && paths[0].nr_opens > 1);
	assert(paths[1].nr_opens == opens + 1 && paths[1].nr_closes == opens + 1);
}

/* --- maps by WWID --- */

static void learn_wwid(char wwid[WWID_MAX])
{
	struct front front;
	struct kept kept;
	char words[200];
	struct strbuf error;

	start(&front, TABLE);
	device_stop(front.device);
	strbuf_init(&error, words, sizeof(words));
	assert(state_load("mpatha", &kept, &error) == 0);
	memcpy(wwid, kept.lun.wwid, WWID_MAX);
	forget_state("mpatha");
}

static void start_finding(struct front *front, const char *wwid, enum grouping grouping)
{
	char words[200];
	struct strbuf error;

	strbuf_init(&error, words, sizeof(words));
	*front = (struct front){0};
	front->backstore.block_size = BLOCK;
	find_by(wwid, grouping);
	assert(start_named(front, "mpatha", "1 queue_if_no_path 0 0 0", &error));
	find_by(NULL, GROUPING_FAILOVER);
	device_wait_settled(front->device, SOON_MS);
}

/*
 * A map finds its paths: those that are there, one that comes, none that is another LUN; one that
 * is gone leaves.  The last one may, too: commands wait then, until it is back.
 */
static void test_finds_paths(void)
{
	char wwid[WWID_MAX];
	struct front front;
	struct command command;

	learn_wwid(wwid);
	paths[1].mode = FAKE_GONE;
	start_finding(&front, wwid, GROUPING_FAILOVER);
	expect_status("status info", " 1 1 E 0 1 0 8:0 A 0 ");
	paths[1].mode = FAKE_GOOD;
	fake_disks_changed();
	expect_status("status info", " 2 1 E 0 1 0 8:0 A 0 E 0 1 0 8:16 A 0 ");
	round_trip(&front, 0, 5);

	paths[0].mode = FAKE_GONE;
	fake_disks_changed();
	expect_status("status info", " 1 1 E 0 1 0 8:16 A 0 ");
	paths[0].disk = &other_disk;
	paths[0].mode = FAKE_GOOD;
	paths[1].silent = true; /* which is no reason to let go of it */
	fake_disks_changed();
	sleep_ms(100);
	expect_status("status info", " 1 1 E 0 1 0 8:16 A 0 ");
	paths[1].silent = false;

	paths[1].mode = FAKE_GONE;
	fake_disks_changed();
	expect_status("status info", "2 0 0 0 0 0");
	send_command(&front, &command, true, 0);
	assert(!wait_command(&command, 100));
	paths[1].mode = FAKE_GOOD;
	fake_disks_changed();
	assert(wait_command(&command, SOON_MS) && is_good(&command));
	expect_status("status info", " 1 1 A 0 1 0 8:16 A 0 ");
	device_stop(front.device);
}

/* One look is for all maps: what one has heard in its job may be younger than the look. */
static void test_a_disk_comes_after_the_look(void)
{
	char wwid[WWID_MAX];
	struct front front;

	learn_wwid(wwid);
	paths[1].mode = FAKE_GONE;
	start_finding(&front, wwid, GROUPING_FAILOVER);
	expect_status("status info", " 1 1 E 0 1 0 8:0 A 0 ");
	fake_disks_changed();
	sleep_ms(100); /* that has been heard; there will be one more look */
	fake_comes_after_the_look(&paths[1]);
	expect_status("status info", " 2 1 E 0 1 0 8:0 A 0 E 0 1 0 8:16 A 0 ");
	device_stop(front.device);
}

/* What is named takes over from what is found, and the other way round: no path is opened anew. */
static void test_found_and_named(void)
{
	char wwid[WWID_MAX];
	struct front front;
	unsigned int opens;

	learn_wwid(wwid);
	start_finding(&front, wwid, GROUPING_MULTIBUS);
	expect_status("status info", " 1 1 E 0 2 0 8:0 A 0 8:16 A 0 ");
	opens = paths[0].nr_opens;
	assert(reload("0 0 1 1 round-robin 0 1 1 8:0 1", NULL) == 0);
	expect_status("status info", " 1 0 8:0 A 0 ");
	fake_disks_changed();
	sleep_ms(100);
	expect_status("status info", " 1 0 8:0 A 0 ");

	assert(reload_finding(wwid, GROUPING_MULTIBUS) == 0);
	expect_status("status info", " 2 0 8:0 A 0 8:16 A 0 ");
	assert(paths[0].nr_opens == opens);

	/* In two groups, as dm allows it, under one word: it is found once. */
	assert(reload("0 0 2 1 round-robin 0 1 1 8:0 1 round-robin 0 1 1 8:0 1", NULL) == 0);
	expect_status("status info", " 1 0 8:0 A 0 E 0 1 0 8:0 A 0 ");
	assert(reload_finding(wwid, GROUPING_MULTIBUS) == 0);
	expect_status("status info", " 2 0 8:0 A 0 8:16 A 0 ");
	fake_disks_changed();
	sleep_ms(100);
	expect_status("status info", " 2 0 8:0 A 0 8:16 A 0 ");
	device_stop(front.device);
}

/*
 * A disk is gone, and the kernel gives its name to another one of the LUN: that is another path,
 * whether the first one was dead before its map began to look for paths, or dies later.
 */
static void test_name_changes_hands(void)
{
	static struct fake_path first, second;
	char wwid[WWID_MAX];
	struct front front;
	struct asked asked;

	learn_wwid(wwid);
	fake_add_path(&first, "/dev/place/1", &disk);
	fake_add_path(&second, "/dev/place/2", &disk);
	first.number = second.number = "8:32";
	second.mode = FAKE_GONE;
	start(&front, "0 0 1 1 round-robin 0 2 1 8:16 1 /dev/place/1 1");
	first.mode = FAKE_GONE;
	expect_status("status detail", "/dev/place/1: no such device");
	paths[0].mode = FAKE_GONE; /* it was not named */
	second.mode = FAKE_GOOD;
	assert(reload_finding(wwid, GROUPING_MULTIBUS) == 0);
	expect_status("status info", " 2 0 8:16 A 0 8:32 A 0 ");
	expect_status("status detail", "] /dev/place/2\n");

	assert(reload("0 0 1 1 round-robin 0 2 1 8:16 1 8:32 1", NULL) == 0);
	paths[0].mode = FAKE_GOOD;
	assert(reload_finding(wwid, GROUPING_MULTIBUS) == 0);
	expect_status("status info", " 3 0 8:16 A 0 8:32 A 0 8:0 A 0 ");
	second.mode = FAKE_GONE;
	assert(ask(&asked, "mpatha", "probe_path 8:32") && asked.request.message.error == 0);
	expect_status("status detail", "8:32: no such device");
	first.mode = FAKE_GOOD;
	fake_disks_changed();
	expect_status("status detail", "] /dev/place/1\n");
	expect_status("status info", " 3 0 8:16 A 0 8:0 A 0 8:32 A 0 ");
	device_stop(front.device);
	fake_remove_path(&second);
	fake_remove_path(&first);
}

/* A path that was found by its sdX is gone: the path whose disk has had that name since stays. */
static void test_name_of_two_paths(void)
{
	static struct fake_path first, second;
	char wwid[WWID_MAX];
	struct front front;
	struct asked asked;

	learn_wwid(wwid);
	fake_add_path(&first, "/dev/fake-8:32", &disk);
	fake_add_path(&second, "/dev/place/2", &disk);
	first.number = "8:32";
	second.number = "8:48";
	paths[0].mode = paths[1].mode = FAKE_GONE;
	start_finding(&front, wwid, GROUPING_MULTIBUS);
	expect_status("status info", " 2 0 8:32 A 0 8:48 A 0 ");
	first.mode = second.mode = FAKE_GONE;
	assert(ask(&asked, "mpatha", "probe_path 8:32") && !asked.request.message.error);
	assert(ask(&asked, "mpatha", "probe_path 8:48") && !asked.request.message.error);
	expect_status("status detail", "/dev/fake-8:32: no such device");
	expect_status("status detail", "/dev/place/2: no such device");
	second.number = "8:32";
	second.mode = FAKE_GOOD;
	assert(ask(&asked, "mpatha", "probe_path /dev/place/2") && !asked.request.message.error);
	expect_status("status info", " 2 0 /dev/fake-8:32 F 1 8:32 A 1 ");
	second.number = "8:48";
	fake_disks_changed();
	expect_status("status info", " 1 0 8:32 A 1 ");
	device_stop(front.device);
	fake_remove_path(&second);
	fake_remove_path(&first);
}

/* udev has one name for two disks, one at the beginning, the other later: each is a path. */
static void test_one_name_for_two_disks(void)
{
	static struct fake_path first, second;
	char wwid[WWID_MAX];
	struct front front;
	struct asked asked;

	learn_wwid(wwid);
	fake_add_path(&first, "/dev/place/1", &disk);
	fake_add_path(&second, "/dev/place/1", &disk);
	first.number = "8:32";
	second.number = "8:48";
	paths[0].mode = paths[1].mode = FAKE_GONE;
	start_finding(&front, wwid, GROUPING_MULTIBUS);
	expect_status("status info", " 2 0 8:32 A 0 8:48 A 0 ");
	expect_status("status detail", "] /dev/fake-8:48\n");
	device_stop(front.device);

	second.mode = FAKE_GONE;
	fake_remove_path(&first); /* last, so that the name leads there */
	fake_add_path(&first, "/dev/place/1", &disk);
	start_finding(&front, wwid, GROUPING_MULTIBUS);
	expect_status("status detail", "] /dev/place/1\n");
	second.mode = FAKE_GOOD;
	fake_disks_changed();
	expect_status("status info", " 2 0 8:32 A 0 8:48 A 0 ");
	assert(ask(&asked, "mpatha", "status detail") && strstr(asked.reply, "] /dev/place/1\n"));
	device_stop(front.device);
	fake_remove_path(&second);
	fake_remove_path(&first);
}

/* The next check of its paths is far away. */
static void start_unchecked(struct front *front, const char *table)
{
	polling_ms = 60 * 1000;
	start(front, table);
	polling_ms = 200;
}

/* The next check is far away, but whoever sees disks go says so. */
static void test_news_of_disks(void)
{
	struct front front;

	start_unchecked(&front, TABLE);
	expect_status("status info", "8:0 A 0");
	paths[0].mode = FAKE_GONE;
	fake_disks_changed();
	expect_status("status info", "8:0 F 1");
	device_stop(front.device);
}

/* The kernel has kept a unit attention for itself, but tells that it heard one. */
static void test_the_kernel_doubts_a_disk(void)
{
	struct front front;

	start_unchecked(&front, TABLE);
	expect_status("status info", "8:0 A 0");
	paths[0].disk = &other_disk;
	fake_disk_doubted("/dev/fake-8:0");
	expect_status("status info", "8:0 F 1");
	device_stop(front.device);
}

/* So many things have happened that nobody knows what: any of the paths may be another LUN. */
static void test_news_are_lost(void)
{
	struct front front;

	start_unchecked(&front, TABLE);
	expect_status("status info", "8:0 A 0");
	paths[1].disk = &other_disk;
	fake_news_lost();
	expect_status("status info", "8:0 A 0 E 0 1 0 8:16 F 1");
	device_stop(front.device);
}

/* udev cannot be listened to, for now: said, tried again, and what was missed is made up for. */
static void test_nobody_tells_of_disks(void)
{
	struct front front;

	fake_refuse_watch(EMFILE);
	start_unchecked(&front, TABLE);
	expect_log("mpatha/-: udev cannot be listened to: Too many open files");
	expect_status("status info", "8:0 A 0");
	paths[0].disk = &other_disk;
	fake_disk_doubted("/dev/fake-8:0");
	fake_refuse_watch(0);
	expect_log("mpatha/-: udev is listened to now");
	expect_status("status info", "8:0 F 1 E 0 1 0 8:16 A 0");
	paths[1].disk = &other_disk;
	fake_disk_doubted("/dev/fake-8:16");
	expect_status("status info", "8:0 F 1 E 0 1 0 8:16 F 1");
	device_stop(front.device);
}

/* Each path to it hears that, not only the first one in the table. */
static void test_the_kernel_doubts_a_disk_in_two_groups(void)
{
	struct front front;

	start_unchecked(&front, "0 0 2 1 round-robin 0 1 1 8:0 1 round-robin 0 1 1 8:0 1");
	expect_status("status info", " 0 1 0 8:0 A 0 E 0 1 0 8:0 A 0 ");
	paths[0].disk = &other_disk;
	fake_disk_doubted("/dev/fake-8:0");
	expect_status("status info", " 0 1 0 8:0 F 1 E 0 1 0 8:0 F 1 ");
	device_stop(front.device);
}

/* The administrator has grown the LUN, and had the kernel look at it, which got the array's word.
 */
static void test_the_kernel_sees_a_disk_grow(void)
{
	struct front front;

	start(&front, TABLE);
	expect_status("status info", "8:0 A 0");
	atomic_store(&disk.nr_blocks, 2 * FAKE_NR_BLOCKS);
	fake_disk_resized("/dev/fake-8:16");
	expect_log("8192 blocks of 512 bytes");
	expect_status("status info", "8:0 A 0");
	device_stop(front.device);
	atomic_store(&disk.nr_blocks, 0);
}

/* One of the next commands is told so, and those after it nothing more. */
static void expect_told(struct front *front, uint8_t asc, uint8_t ascq)
{
	static struct command command;
	const struct scsi_result *result = &command.io.result;
	uint64_t until_ns = clock_now_ns() + SOON_MS * NSEC_PER_MSEC;

	do {
		assert(clock_now_ns() < until_ns);
		send_command(front, &command, false, 0);
		assert(wait_command(&command, SOON_MS));
	} while (is_good(&command));
	assert(result->status == SAM_CHECK_CONDITION && result->sense[2] == 0x06);
	assert(result->sense[12] == asc && result->sense[13] == ascq);
	round_trip(front, 0, 1);
}

/* Its scsi_dh_alua has had the command repeated that was told, or it was one of its own. */
static void test_the_kernel_keeps_a_word(void)
{
	struct front front;

	start(&front, TABLE);
	expect_status("status info", "8:0 A 0");
	fake_disk_modes_changed("/dev/fake-8:16");
	expect_told(&front, 0x2a, 0x01);
	fake_disk_space_runs_out("/dev/fake-8:0");
	expect_told(&front, 0x38, 0x07);
	device_stop(front.device);
}

/* The pinned WWID holds over a restart; after forget_wwid another LUN is taken. */
static void test_pinned(void)
{
	struct front front;
	struct asked asked;
	struct kept kept;
	char words[200];
	struct strbuf error;

	start(&front, TABLE);
	round_trip(&front, 0, 1);
	device_stop(front.device);
	paths[0].disk = &other_disk;
	paths[1].disk = &other_disk;
	start(&front, TABLE);
	expect_status("status info", " 8:0 F ");
	expect_log("mpatha/fake-8:0: not used: ");
	assert(ask(&asked, "mpatha", "forget_wwid") && asked.request.message.error == 0);
	expect_status("status info", " 8:0 A ");
	expect_told(&front, 0x3f, 0x03);
	device_stop(front.device);
	strbuf_init(&error, words, sizeof(words));
	assert(state_load("mpatha", &kept, &error) == 0 && strstr(kept.lun.wwid, "disk-two"));
}

/* What messages have set holds over a restart of the process, but not for a new backstore. */
static void test_messages_are_kept(void)
{
	struct front front;
	struct asked asked;

	start(&front, TABLE);
	assert(ask(&asked, "mpatha", "queue_if_no_path") && asked.request.message.error == 0);
	assert(ask(&asked, "mpatha", "disable_group 1") && asked.request.message.error == 0);
	assert(ask(&asked, "mpatha", "fail_path 8:0") && asked.request.message.error == 0);
	round_trip(&front, 0, 1);
	assert(ask(&asked, "mpatha", "suspend") && asked.request.message.error == 0);
	device_stop(front.device);

	start(&front, TABLE);
	expect_log("mpatha/-: queue_if_no_path, as before the restart");
	expect_log("mpatha/-: as before the restart, disabled priority group 1");
	expect_status("status table", "1 queue_if_no_path 0 2 2 ");
	expect_status("status info", "D 0 1 0 8:0 F 0 ");
	expect_log("mpatha/-: suspended, as before the restart");
	assert(ask(&asked, "mpatha", "resume") && asked.request.message.error == 0);
	round_trip(&front, 0, 2);
	assert(ask(&asked, "mpatha", "suspend") && asked.request.message.error == 0);
	device_stop(front.device);

	log_clear();
	backstore_instance = "another one";
	start(&front, TABLE);
	backstore_instance = "this one";
	expect_status("status table", "0 0 2 1 ");
	expect_status("status info", "E 0 1 0 8:0 A 0 ");
	expect_not_in_log("as before the restart");
	device_stop(front.device);
}

/* The group in use is saved with the next tick, at the latest when the device stops. */
static void test_group_is_kept(void)
{
	struct front front;

	start(&front, TABLE);
	round_trip(&front, 0, 1);
	expect_status("status info", " A 0 1 0 8:0 A ");
	atomic_store(&paths[0].mode, FAKE_GONE);
	round_trip(&front, 0, 2);
	atomic_store(&paths[0].mode, FAKE_GOOD);
	device_stop(front.device);

	start(&front, TABLE);
	expect_status("status table", "0 0 2 2 ");
	device_stop(front.device);
}

static char *state_file(void)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/mpatha", state_dir);
	return path;
}

/* Garbage in the state file: said, ignored, and replaced. */
static void test_garbage_state(void)
{
	FILE *file = fopen(state_file(), "w");
	struct front front;
	struct kept kept;
	char words[200];
	struct strbuf error;

	assert(file);
	fputs("[lun]\nwwid=whatever\n", file);
	fclose(file);
	start(&front, TABLE);
	expect_log("mpatha/-: what was kept of the LUN is ignored: its checksum is wrong");
	round_trip(&front, 0, 1);
	device_stop(front.device);
	strbuf_init(&error, words, sizeof(words));
	assert(state_load("mpatha", &kept, &error) == 0 && strstr(kept.lun.wwid, "disk-one"));
}

/* It cannot be read: the map is refused, and what is there stays as it is. */
static void test_state_not_readable(void)
{
	struct front front = {.backstore.block_size = BLOCK};
	struct strbuf error;
	char words[200];

	forget_state("mpatha");
	assert(mkdir(state_file(), 0700) == 0);
	log_clear();
	strbuf_init(&error, words, sizeof(words));
	assert(!start_named(&front, "mpatha", TABLE, &error));
	assert(strncmp(words, "what is kept of the LUN cannot be read: /", 41) == 0);
	assert(strstr(words, state_file()) && strstr(words, "Is a directory"));
	expect_not_in_log("ignored");
	assert(rmdir(state_file()) == 0);
	start(&front, TABLE);
	round_trip(&front, 0, 1);
	device_stop(front.device);
}

/* The state cannot be written: said once, tried again, and said when it works. */
static void test_state_not_writable(void)
{
	struct front front;
	struct kept kept;
	char words[200];
	struct strbuf error;
	struct mpath_snapshot snapshot;
	struct asked asked;
	char blocked[160];

	forget_state("mpatha");
	snprintf(blocked, sizeof(blocked), "%s.tmp~", state_file());
	assert(mkdir(blocked, 0700) == 0); /* where the new file is to be made */
	start(&front, TABLE);
	expect_log("WWID and state of the LUN cannot be kept over a restart");
	assert(ask(&asked, "mpatha", "status detail"));
	assert(strstr(asked.reply, "warning: this is a test; WWID and state of the LUN cannot be "
				   "kept over a restart: Is a directory\n"));
	take_snapshot("mpatha", &snapshot);
	assert(strncmp(snapshot.warning, "this is a test; WWID and state", 30) == 0);
	assert(rmdir(blocked) == 0);
	expect_log("WWID and state of the LUN are kept over a restart now");
	take_snapshot("mpatha", &snapshot);
	assert(strcmp(snapshot.warning, "this is a test") == 0);
	device_stop(front.device);
	strbuf_init(&error, words, sizeof(words));
	assert(state_load("mpatha", &kept, &error) == 0);
	assert(atomic_load(&front.nr_lun_changes) == 1);
}

/* Nobody knows when the kernel answers in our place: no command may be sent. */
static void test_backstore_not_readable(void)
{
	struct front front = {.backstore.block_size = BLOCK, .is_unreadable = true};
	struct strbuf error;
	char words[200];

	strbuf_init(&error, words, sizeof(words));
	assert(!start_named(&front, "mpatha", TABLE, &error));
	assert(strcmp(words, "the backstore's attributes cannot be read") == 0);
	start(&front, TABLE);
	round_trip(&front, 0, 1);
	device_stop(front.device);
}

/* The backstore's attributes are read anew about once a second; a change reaches the map. */
static void test_backstore(void)
{
	struct front front;
	unsigned int reads;

	start(&front, TABLE_QUEUEING);
	pthread_mutex_lock(&lock);
	front.backstore.cmd_time_out_ms = 30000;
	pthread_mutex_unlock(&lock);
	expect_log("warning: mpatha/-: queue_if_no_path is limited by the backstore's cmd_time_out "
		   "of 30 s");
	reads = atomic_load(&front.nr_reads);
	assert(reads >= 2);
	sleep_ms(2200);
	reads = atomic_load(&front.nr_reads) - reads;
	assert(reads >= 1 && reads <= 3);
	device_stop(front.device);
}

/* Who cannot take the LUN's size just now is told it again. */
static void test_lun_change_not_heard(void)
{
	struct front front = {.backstore.block_size = BLOCK, .nr_unheard = 2};
	struct timespec until = in_ms(SOON_MS);
	struct strbuf error;
	char words[200];

	strbuf_init(&error, words, sizeof(words));
	assert(start_named(&front, "mpatha", TABLE, &error));
	while (!atomic_load(&front.nr_lun_changes) && in_ms(0).tv_sec <= until.tv_sec)
		sleep_ms(10);
	assert(!atomic_load(&front.nr_unheard));
	sleep_ms(1200); /* but no more than that */
	device_stop(front.device);
	assert(atomic_load(&front.nr_lun_changes) == 1);
}

/* Until a worker has read the backstore, and what it has read is kept back. */
static void wait_held(struct front *front, unsigned int nr_held)
{
	struct timespec until = in_ms(SOON_MS);

	pthread_mutex_lock(&lock);
	while (front->nr_held < nr_held)
		assert(wait_change(&until));
	pthread_mutex_unlock(&lock);
}

static void let_reads_go(struct front *front, unsigned int nr)
{
	pthread_mutex_lock(&lock);
	front->nr_let_go = nr;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

struct stopper {
	struct device *device;
	bool stopped;
};

static void *stop_run(void *arg)
{
	struct stopper *stopper = arg;

	device_stop(stopper->device);
	pthread_mutex_lock(&lock);
	stopper->stopped = true;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	return NULL;
}

/* Likewise, but the answer must know the backstore as it is now. */
static void command_deliver_with_news(struct letter *letter)
{
	struct command *command = container_of(letter, struct command, letter);

	device_submit_with_news(command->front->device, &command->io);
}

static void command_abort(struct letter *letter)
{
	struct command *command = container_of(letter, struct command, abort);

	device_abort(command->front->device, &command->io);
}

static void ask_serial(struct front *front, struct command *command)
{
	prepare_command(front, command, (const uint8_t[6]){0x12, 1, 0x80, 0, 255, 0}, 6);
	command->letter.deliver = command_deliver_with_news;
	loop_post(device_loop(front->device), &command->letter);
}

static void expect_serial(struct command *command, const char *serial)
{
	const struct mpath_io *io = &command->io;

	assert(wait_command(command, SOON_MS) && is_good(command));
	assert(io->cmd.data_len - io->result.residual == 4 + strlen(serial) + 1);
	assert(strcmp((const char *)command->data + 4, serial) == 0);
}

static bool is_answered(struct command *command)
{
	bool is;

	pthread_mutex_lock(&lock);
	is = command->nr_done;
	pthread_mutex_unlock(&lock);
	return is;
}

/*
 * An initiator asks for the serial number that was set a moment ago, while a worker, which has read
 * the backstore before that, is slow to say so: the answer comes with the next reading.  Who gives
 * up, or whose LUN is removed, does not wait for it.
 */
static void test_backstore_read_too_early(void)
{
	static struct command first, second, last; /* one test thread */
	struct stopper stopper = {0};
	struct front front;
	pthread_t thread;

	start(&front, TABLE);
	pthread_mutex_lock(&lock);
	front.holds_reads = true;
	pthread_mutex_unlock(&lock);
	wait_held(&front, 1);
	pthread_mutex_lock(&lock);
	snprintf(front.backstore.serial, sizeof(front.backstore.serial), "0123");
	pthread_mutex_unlock(&lock);
	ask_serial(&front, &first);
	round_trip(&front, 0, 0x17); /* others go on */
	let_reads_go(&front, 1);
	wait_held(&front, 2); /* so the first one was delivered */
	assert(!is_answered(&first));

	ask_serial(&front, &second);
	second.abort.deliver = command_abort;
	loop_post(device_loop(front.device), &second.abort);
	assert(wait_command(&second, SOON_MS) && second.io.result.status == SAM_TASK_ABORTED);
	let_reads_go(&front, 2);
	expect_serial(&first, "0123");

	ask_serial(&front, &last);
	wait_held(&front, 3);
	stopper.device = front.device;
	assert(!__real_pthread_create(&thread, NULL, stop_run, &stopper));
	assert(wait_command(&last, SOON_MS));
	let_reads_go(&front, UINT_MAX);
	pthread_join(thread, NULL);
}

/* Nobody can read the backstore of one map: others are told of theirs, and end, as always. */
static void test_another_backstore_hangs(void)
{
	struct front front, hanging = {.backstore.block_size = BLOCK};
	struct timespec end;
	struct strbuf error;
	char words[200];

	strbuf_init(&error, words, sizeof(words));
	start(&front, TABLE_QUEUEING);
	assert(start_named(&hanging, "mpathb", TABLE, &error));
	pthread_mutex_lock(&lock);
	hanging.holds_reads = true;
	pthread_mutex_unlock(&lock);
	wait_held(&hanging, 1);
	log_clear();
	pthread_mutex_lock(&lock);
	front.backstore.cmd_time_out_ms = 30000;
	pthread_mutex_unlock(&lock);
	expect_log("queue_if_no_path is limited by the backstore's cmd_time_out of 30 s");
	end = in_ms(SOON_MS);
	device_stop(front.device);
	assert(in_ms(0).tv_sec <= end.tv_sec);
	let_reads_go(&hanging, UINT_MAX);
	device_stop(hanging.device);
}

struct hanging_job {
	struct job job;
	struct job_queue queue;
	bool runs; /* these, under lock */
	bool is_done;
	bool *may_end;
};

static void hanging_run(struct job *job)
{
	struct hanging_job *hanging = container_of(job, struct hanging_job, job);

	pthread_mutex_lock(&lock);
	hanging->runs = true;
	pthread_cond_broadcast(&changed);
	while (!*hanging->may_end)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
}

static void hanging_done(struct letter *letter)
{
	pthread_mutex_lock(&lock);
	container_of(letter, struct hanging_job, job.letter)->is_done = true;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static unsigned int nr_hanging(const struct hanging_job *jobs, unsigned int nr)
{
	unsigned int nr_running = 0;

	pthread_mutex_lock(&lock);
	for (unsigned int i = 0; i < nr; i++)
		nr_running += jobs[i].runs;
	pthread_mutex_unlock(&lock);
	return nr_running;
}

static void wait_done(struct hanging_job *jobs, unsigned int nr)
{
	struct timespec until = in_ms(SOON_MS);

	pthread_mutex_lock(&lock);
	for (unsigned int i = 0; i < nr; i++)
		while (!jobs[i].is_done)
			assert(wait_change(&until));
	pthread_mutex_unlock(&lock);
}

#define NR_HANGING 200 /* the workers of the story before have not ended yet */

static struct hanging_job hanging[NR_HANGING];

/* More than there are workers, and no thread can be started. */
static void hang_all_workers(struct loop *loop, bool *may_end, unsigned int nr)
{
	atomic_store(&refuse_threads, true);
	for (unsigned int i = 0; i < nr; i++) {
		hanging[i] = (struct hanging_job){.may_end = may_end};
		job_queue_init(&hanging[i].queue);
		job_init(&hanging[i].job, loop, hanging_run, hanging_done);
		job_start(&hanging[i].queue, &hanging[i].job);
	}
	expect_log("cannot start a thread");
}

static void end_hanging(bool *may_end, unsigned int nr)
{
	pthread_mutex_lock(&lock);
	*may_end = true;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	wait_done(hanging, nr);
}

/* All workers hang, and for a while no thread can be started: what waits goes on by itself then. */
static void test_no_thread_for_a_while(void)
{
	static bool may_end;
	struct front front;
	unsigned int i;

	start(&front, TABLE);
	hang_all_workers(device_loop(front.device), &may_end, 40);
	sleep_ms(1300); /* all that comes by itself waits, too, by now */
	assert(nr_hanging(hanging, 40) < 40);
	atomic_store(&refuse_threads, false);
	for (i = 0; nr_hanging(hanging, 40) < 40; i++) {
		assert(i < SOON_MS / 10);
		sleep_ms(10);
	}
	end_hanging(&may_end, 40);
	device_stop(front.device);
}

/* The same while the map ends: close() does not wait for what hangs, nor for ever. */
static void test_no_thread_at_the_end(void)
{
	static bool may_end;
	struct stopper stopper = {0};
	struct front front;
	struct timespec until;
	pthread_t thread;

	start(&front, TABLE);
	stopper.device = front.device;
	hang_all_workers(device_loop(front.device), &may_end, NR_HANGING);
	assert(!__real_pthread_create(&thread, NULL, stop_run, &stopper));
	sleep_ms(300); /* it has asked for its paths to be closed */
	atomic_store(&refuse_threads, false);
	/* Its jobs are behind those that hang, and these get one thread more each 20 ms. */
	until = in_ms(4 * SOON_MS);
	pthread_mutex_lock(&lock);
	while (!stopper.stopped)
		assert(wait_change(&until));
	pthread_mutex_unlock(&lock);
	pthread_join(thread, NULL);
	end_hanging(&may_end, NR_HANGING);
}

/* Commands of a dead process are still out: a write waits for their end, a read does not. */
static void test_restart_wait(void)
{
	static struct command read, write;
	struct front front;
	uint64_t begin_ns;

	atomic_store(&paths[1].foreign, 2);
	start(&front, TABLE);
	begin_ns = clock_now_ns();
	send_command(&front, &write, true, 0);
	send_command(&front, &read, false, 0);
	assert(wait_command(&read, SOON_MS) && is_good(&read));
	assert(!wait_command(&write, 100));
	atomic_store(&paths[1].foreign, 0);
	assert(wait_command(&write, SOON_MS) && is_good(&write));
	assert(clock_now_ns() - begin_ns < 1400 * NSEC_PER_MSEC);
	device_stop(front.device);
}

static void lose_a_write(struct front *front, unsigned int min_ms, unsigned int max_ms)
{
	static struct command write;
	uint64_t begin_ns, ms;

	forget_state("mpatha"); /* or the write may go to the group that was in use before */
	start(front, TABLE);
	atomic_store(&paths[0].mode, FAKE_LOSES);
	begin_ns = clock_now_ns();
	send_command(front, &write, true, 0);
	assert(wait_command(&write, SOON_MS) && is_good(&write));
	ms = (clock_now_ns() - begin_ns) / NSEC_PER_MSEC;
	assert(ms >= min_ms && ms <= max_ms);
}

/* The answer of a write is lost: it is sent down the other path after its fence. */
static void test_fences(void)
{
	struct front front;

	lose_a_write(&front, 300, SOON_MS); /* path_timeout_ms */
	expect_log("mpatha/fake-8:0: a write was lost and may still land: it waits for time");
	expect_log("mpatha/-: no lost write can land any more, after 3");
	device_stop(front.device);
	atomic_store(&paths[0].mode, FAKE_GOOD);

	fence = FENCE_LU_RESET;
	lose_a_write(&front, 50, 299);
	expect_log("mpatha/fake-8:16: LOGICAL UNIT RESET: the lost writes cannot land any more");
	assert(atomic_load(&disk.nr_resets) == 1);
	device_stop(front.device);
	atomic_store(&paths[0].mode, FAKE_GOOD);

	fence = FENCE_NONE;
	lose_a_write(&front, 0, 299);
	expect_status("status detail", "fence: none");
	device_stop(front.device);
	fence = FENCE_TIME;
}

struct standstill {
	struct letter letter;
	unsigned int ms;
	uint64_t ends_ns;
};

static void stand_still(struct letter *letter)
{
	struct standstill *still = container_of(letter, struct standstill, letter);

	sleep_ms(still->ms);
	still->ends_ns = clock_now_ns();
}

/*
 * The loop stands still in the midst of a batch, and hears then that a write is lost: nobody knows
 * when that was, so the fence begins when it is heard, not when the batch began.
 */
static void test_fence_after_a_standstill(void)
{
	struct standstill first = {{.deliver = stand_still}, 120, 0};
	struct standstill second = {{.deliver = stand_still}, 400, 0};
	static struct command write;
	struct front front;

	forget_state("mpatha");
	start(&front, TABLE);
	atomic_store(&paths[0].mode, FAKE_LOSES);
	atomic_store(&paths[0].delay_ms, 100);
	send_command(&front, &write, true, 0);
	sleep_ms(20);
	loop_post(device_loop(front.device), &first.letter);
	sleep_ms(40); /* so this one, and the loss, come in the next batch */
	loop_post(device_loop(front.device), &second.letter);
	assert(wait_command(&write, SOON_MS) && is_good(&write));
	assert(clock_now_ns() >= second.ends_ns + 300 * NSEC_PER_MSEC);
	device_stop(front.device);
	atomic_store(&paths[0].mode, FAKE_GOOD);
	atomic_store(&paths[0].delay_ms, 0);
}

/* The path comes back with the session in which the write was lost, established anew. */
static void test_fence_and_session(void)
{
	static struct command write;
	struct front front;

	fence = FENCE_SESSION;
	atomic_store(&paths[0].session, 4711);
	forget_state("mpatha");
	start(&front, TABLE);
	sleep_ms(50); /* the path tells its session */
	atomic_store(&paths[0].mode, FAKE_LOSES);
	send_command(&front, &write, true, 0);
	assert(!wait_command(&write, 100));
	expect_log(
		"mpatha/fake-8:0: a write was lost and may still land: it waits for a new session");
	atomic_store(&paths[0].mode, FAKE_GOOD);
	assert(wait_command(&write, SOON_MS) && is_good(&write));
	expect_log("mpatha/fake-8:0: a new session: what was lost in the old one cannot land any "
		   "more");
	device_stop(front.device);
	atomic_store(&paths[0].session, 0);
	fence = FENCE_TIME;
}

static bool load_state(struct kept *kept)
{
	char words[200];
	struct strbuf error;

	strbuf_init(&error, words, sizeof(words));
	return state_load("mpatha", kept, &error) == 0;
}

/*
 * It can be written again just before the end, and nobody has tried since.  Most maps have a disk
 * to tell that it is left then; but not one that has never had a path, and what messages have set
 * is there all the same.
 */
static void test_state_writable_at_the_end(void)
{
	struct front front;
	struct kept kept;
	struct asked asked;
	char blocked[160];

	forget_state("mpatha");
	atomic_store(&paths[0].mode, FAKE_GONE);
	atomic_store(&paths[1].mode, FAKE_GONE);
	snprintf(blocked, sizeof(blocked), "%s.tmp~", state_file());
	assert(mkdir(blocked, 0700) == 0);
	log_clear();
	start(&front, TABLE);
	assert(ask(&asked, "mpatha", "queue_if_no_path"));
	expect_log("WWID and state of the LUN cannot be kept over a restart");
	assert(rmdir(blocked) == 0);
	device_stop(front.device);
	assert(load_state(&kept) && kept.memory.queueing == MEMORY_QUEUEING_ON);
}

/* A write waits for its fence: that is on disk soon, and is not any more when it is over. */
static void test_fence_is_kept(void)
{
	static struct command write;
	uint64_t begin_ns = clock_now_ns();
	struct kept kept = {0};
	struct front front;

	start(&front, TABLE);
	atomic_store(&paths[0].mode, FAKE_LOSES);
	send_command(&front, &write, true, 0);
	while (!load_state(&kept) || !kept.memory.fence_end_ns)
		assert(!wait_command(&write, 1));
	assert(kept.memory.fence_end_ns > begin_ns + 300 * NSEC_PER_MSEC);
	assert(kept.memory.fence_end_ns < begin_ns + SOON_MS * NSEC_PER_MSEC);
	assert(wait_command(&write, SOON_MS) && is_good(&write));
	device_stop(front.device);
	assert(load_state(&kept) && kept.memory.fence_end_ns == 0);
}

/* Closed while a write waits: it is over when the device has ended. */
static void test_fence_is_over_at_the_end(void)
{
	static struct command write;
	struct kept kept = {0};
	struct front front;

	start(&front, TABLE);
	atomic_store(&paths[0].mode, FAKE_LOSES);
	send_command(&front, &write, true, 0);
	while (!load_state(&kept) || !kept.memory.fence_end_ns)
		assert(!wait_command(&write, 1));
	device_stop(front.device);
	assert(wait_command(&write, SOON_MS));
	assert(load_state(&kept) && kept.memory.fence_end_ns == 0);
}

/* How long does a write wait, after a process that was killed on this backstore? */
static uint64_t ms_after_kill(const char *instance, uint64_t fence_ms)
{
	static struct command write;
	struct kept kept = {0};
	struct front front;
	uint64_t begin_ns;

	begin_ns = clock_now_ns();
	strcpy(kept.backstore, instance);
	kept.memory.fence_end_ns = begin_ns + fence_ms * NSEC_PER_MSEC;
	assert(state_save("mpatha", &kept) == 0);
	start(&front, TABLE);
	send_command(&front, &write, true, 0);
	assert(wait_command(&write, 3 * SOON_MS) && is_good(&write));
	device_stop(front.device);
	return (clock_now_ns() - begin_ns) / NSEC_PER_MSEC;
}

static struct mpath_error_tally told_now(void)
{
	struct mpath_error_tally told;
	struct tally tally = {0};

	assert(tally_open(&tally, "mpatha", "this") == 0); /* of "this one" */
	told = tally.mapped->told;
	tally_close(&tally);
	return told;
}

/*
 * The state cannot be written when a write is lost: a next process is told before anything else is
 * done, and also when this one ends in order.
 */
static void test_fence_is_told_at_once(void)
{
	static struct command write;
	struct front front;
	char blocked[160];

	forget_state("mpatha");
	snprintf(blocked, sizeof(blocked), "%s.tmp~", state_file());
	assert(mkdir(blocked, 0700) == 0);
	start(&front, TABLE);
	assert(told_now().disks[0].disk && told_now().disks[1].disk);
	assert(told_now().fence_end_ns == 0);
	atomic_store(&paths[0].mode, FAKE_LOSES);
	send_command(&front, &write, true, 0);
	while (!told_now().fence_end_ns)
		assert(!wait_command(&write, 1));
	assert(access(state_file(), F_OK) != 0);
	atomic_store(&paths[0].mode, FAKE_GOOD);
	device_stop(front.device);
	assert(wait_command(&write, SOON_MS));
	assert(access(tally_name(), F_OK) == 0 && !told_now().disks[0].disk);
	assert(told_now().fence_end_ns == 0);
	assert(rmdir(blocked) == 0 && unlink(tally_name()) == 0);
}

/* Killed then, it has not saved it. */
static void former_process_tells(const struct mpath_error_tally *told)
{
	struct tally tally = {0};

	forget_state("mpatha");
	assert(tally_open(&tally, "mpatha", "this") == 0);
	tally_tell(&tally, told);
	tally_close(&tally);
}

/* This one waits for what the former one has lost. */
static void test_told_by_a_former_process(void)
{
	static struct command write;
	struct mpath_error_tally told = {.fence_end_ns = clock_now_ns() + 700 * NSEC_PER_MSEC};
	uint64_t begin_ns = clock_now_ns();
	struct front front;

	former_process_tells(&told);
	log_clear();
	start(&front, TABLE);
	send_command(&front, &write, true, 0);
	assert(wait_command(&write, SOON_MS) && is_good(&write));
	assert(clock_now_ns() - begin_ns >= 700 * NSEC_PER_MSEC);
	expect_log("warning: mpatha/-: a former process lost writes that may still land: writes "
		   "wait");
	device_stop(front.device);
	assert(access(tally_name(), F_OK) != 0);
}

/* And this one cannot read it: it may have been a disk that nobody can ask. */
static void test_told_by_a_former_process_in_vain(void)
{
	const struct mpath_error_tally told = {.disks = {{4711, 0}}};
	static struct command write;
	uint64_t begin_ns = clock_now_ns();
	struct front front;

	former_process_tells(&told);
	is_short = true;
	start(&front, TABLE);
	is_short = false;
	send_command(&front, &write, true, 0);
	assert(wait_command(&write, 3 * SOON_MS) && is_good(&write));
	assert(clock_now_ns() - begin_ns >= 1800 * NSEC_PER_MSEC); /* restart_wait_ms, the fence */
	device_stop(front.device);
	assert(access(tally_name(), F_OK) != 0);
}

/* Nor has it seen to that, or saved anything, when it ends: the next one fears it as well. */
static void test_told_in_vain_to_one_that_ends_at_once(void)
{
	const struct mpath_error_tally told = {.disks = {{4711, 0}}};
	static struct command write;
	struct front front;
	uint64_t begin_ns;

	former_process_tells(&told);
	is_short = true;
	assert(start_without_waiting(&front, TABLE));
	is_short = false;
	device_stop(front.device);
	begin_ns = clock_now_ns();
	start(&front, TABLE);
	send_command(&front, &write, true, 0);
	assert(wait_command(&write, 3 * SOON_MS) && is_good(&write));
	assert(clock_now_ns() - begin_ns >= 1800 * NSEC_PER_MSEC); /* restart_wait_ms, the fence */
	device_stop(front.device);
	assert(access(tally_name(), F_OK) != 0);
}

/*
 * It ends in order while commands of a former process are out: the next one is to fear that one's
 * disks, too, and to know which errors they had.
 */
static void test_what_is_feared_is_told_at_the_end(void)
{
	static struct command write;
	struct mpath_error_tally told = {0};
	struct tally tally = {0};
	struct front front;
	struct kept kept;

	forget_state("mpatha");
	assert(tally_open(&tally, "mpatha", "this") == 0);
	told.disks[0] = (struct mpath_disk_errors){.disk = fake_disk_number(&paths[0])};
	tally_tell(&tally, &told);
	tally_close(&tally);
	atomic_store(&paths[0].foreign, 1);
	start(&front, TABLE);
	device_wait_settled(front.device, SOON_MS);
	device_stop(front.device);
	assert(load_state(&kept) && kept.memory.nr_disks == 1);
	assert(kept.memory.disks[0] == told.disks[0].disk);
	assert(told_now().disks[0].disk == told.disks[0].disk && !told_now().disks[1].disk);
	atomic_store(&paths[0].foreign, 0);
	start(&front, TABLE);
	send_command(&front, &write, true, 0);
	assert(wait_command(&write, 3 * SOON_MS) && is_good(&write));
	device_stop(front.device);
	assert(load_state(&kept) && kept.memory.nr_disks == 0 && access(tally_name(), F_OK) != 0);
}

/* The old copy may land, whatever backstore the LUN is in now; but not after a reboot. */
static void test_fence_of_a_former_process(void)
{
	assert(ms_after_kill("this one", 700) >= 700);
	expect_log("warning: mpatha/-: a former process lost writes that may still land: writes "
		   "wait");
	expect_log("mpatha/-: no write that a former process lost can land any more");
	assert(ms_after_kill("this other", 700) >= 700);
	log_clear();
	assert(ms_after_kill("another one", 60000) < 60000);
	expect_not_in_log("a former process");
}

/* Initiators outlive a process, and a reboot: they are told what the array has told it. */
static void test_news_of_a_former_process(void)
{
	static const char *const instances[] = {"this one", "this other", "before a reboot"};
	static const uint8_t sense[] = {0x71, 0, 3, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x0c, 0};
	struct kept kept = {.memory.nr_news = 1, .memory.news = {{.len = sizeof(sense)}}};
	static struct command write;
	struct front front;
	unsigned int i;

	memcpy(kept.memory.news[0].sense, sense, sizeof(sense));
	for (i = 0; i < sizeof(instances) / sizeof(instances[0]); i++) {
		strcpy(kept.backstore, instances[i]);
		assert(state_save("mpatha", &kept) == 0);
		start(&front, TABLE);
		send_command(&front, &write, true, 0);
		assert(wait_command(&write, 3 * SOON_MS));
		assert(write.io.result.status == SAM_CHECK_CONDITION);
		assert(memcmp(write.io.result.sense, sense, sizeof(sense)) == 0);
		send_command(&front, &write, true, 0);
		assert(wait_command(&write, 3 * SOON_MS) && is_good(&write));
		device_stop(front.device);
		start(&front, TABLE); /* and once */
		send_command(&front, &write, true, 0);
		assert(wait_command(&write, 3 * SOON_MS) && is_good(&write));
		device_stop(front.device);
	}
}

/* As above; the disk of that @number was in use: it is a path's, and asked, or nobody's. */
static uint64_t ms_after_kill_with_disk(const char *instance, uint64_t number)
{
	static struct command write;
	struct kept kept = {0};
	struct front front;
	uint64_t begin_ns, ms;

	strcpy(kept.backstore, instance);
	kept.memory.disks[0] = number;
	kept.memory.nr_disks = 1;
	assert(state_save("mpatha", &kept) == 0);
	begin_ns = clock_now_ns();
	start(&front, TABLE);
	send_command(&front, &write, true, 0);
	assert(wait_command(&write, 3 * SOON_MS) && is_good(&write));
	ms = (clock_now_ns() - begin_ns) / NSEC_PER_MSEC;
	device_stop(front.device);
	return ms;
}

/* Writes of a killed process may be out on a disk: if nobody can ask it, they are waited for. */
static void test_disks_of_a_former_process(void)
{
	assert(ms_after_kill_with_disk("this one", 4711) >=
	       1800); /* restart_wait_ms and the fence */
	expect_log("warning: mpatha/-: 1 disk that a former process used cannot be asked for its "
		   "writes");
	log_clear();
	assert(ms_after_kill_with_disk("this one", fake_disk_number(&paths[1])) < 1500);
	assert(ms_after_kill_with_disk("another one", 4711) < 1500); /* before a reboot */
	expect_not_in_log("a former process");

	/* What it has told cannot be read: then the disk might as well be another one. */
	tally_set_dir("/proc/nowhere");
	assert(ms_after_kill_with_disk("this one", fake_disk_number(&paths[1])) >= 1800);
	tally_set_dir(state_dir);
}

/* In use: that is on disk soon, and is not any more when the device has ended. */
static void test_disks_are_kept(void)
{
	static struct asked asked;
	struct kept kept = {0};
	struct front front;
	unsigned int i;

	forget_state("mpatha");
	start(&front, TABLE);
	while (!load_state(&kept) || kept.memory.nr_disks < 2)
		sleep_ms(1);
	assert(kept.memory.disks[0] != kept.memory.disks[1]);
	assert(told_now().disks[0].disk && told_now().disks[1].disk);
	assert(ask(&asked, "mpatha", "remove_path fake-8:16"));
	while (!load_state(&kept) || kept.memory.nr_disks > 1)
		sleep_ms(1);
	for (i = 0; told_now().disks[1].disk; i++) {
		assert(i < SOON_MS);
		sleep_ms(1);
	}
	device_stop(front.device);
	assert(load_state(&kept) && kept.memory.nr_disks == 0);
}

static char watched[256];

static void watch_added(const char *map)
{
	snprintf(watched + strlen(watched), sizeof(watched) - strlen(watched), "+%s", map);
}

static void watch_removed(const char *map)
{
	snprintf(watched + strlen(watched), sizeof(watched) - strlen(watched), "-%s", map);
}

/* Two maps of one name are refused; two names are two maps, on loops of their own or not. */
static void test_names(void)
{
	struct front front, second = {0};
	char words[200];
	struct strbuf error;

	watched[0] = '\0';
	start(&front, TABLE);
	strbuf_init(&error, words, sizeof(words));
	assert(!start_named(&second, "mpatha", TABLE, &error));
	assert(strcmp(words, "the map mpatha is in use by another backstore") == 0);
	strbuf_init(&error, words, sizeof(words));
	assert(start_named(&second, "mpathb", TABLE, &error));
	device_wait_settled(second.device, SOON_MS);
	round_trip(&second, 40, 5);
	round_trip(&front, 40, 6);
	device_stop(front.device);
	device_stop(second.device);
	assert(strcmp(watched, "+mpatha+mpathb-mpatha-mpathb") == 0);
}

static struct front successor;

static void refuse_successor(void)
{
	char words[200];
	struct strbuf error;

	strbuf_init(&error, words, sizeof(words));
	assert(!start_named(&successor, "mpatha", TABLE, &error));
	assert(strcmp(words, "the map mpatha is in use by another backstore") == 0);
}

/* A device takes what it has told away as the last thing that it does under its name. */
static void test_name_is_taken_to_the_end(void)
{
	struct front front;

	start(&front, TABLE);
	before_unlink = refuse_successor;
	device_stop(front.device);
	assert(!before_unlink);
	start(&front, TABLE);
	assert(access(tally_name(), F_OK) == 0);
	device_stop(front.device);
}

/* A device reads nothing under its name that another one is still to write. */
static void test_name_is_taken_from_the_beginning(void)
{
	struct front front;

	start(&front, TABLE);
	successor.ends_meanwhile = front.device;
	refuse_successor();
	assert(successor.ends_meanwhile);
	successor.ends_meanwhile = NULL;
	device_stop(front.device);
}

/* --- everything at once --- */

#define NR_USERS 4

struct user {
	pthread_t thread;
	struct front *front;
	uint32_t first_lba;
	unsigned int nr_good;
	unsigned int nr_bad;
};

static atomic_bool stop_users;

/* Each user writes and reads its own blocks: what was written last is what is read. */
static void *use(void *arg)
{
	struct user *user = arg;
	struct command *command = calloc(1, sizeof(*command));
	uint8_t pattern = 0;
	bool certain = false;

	assert(command);
	while (!atomic_load(&stop_users)) {
		memset(command->data, ++pattern, CMD_BYTES);
		send_command(user->front, command, true, user->first_lba);
		assert(wait_command(command, 20000));
		certain = is_good(command);
		memset(command->data, 0xff, CMD_BYTES);
		send_command(user->front, command, false, user->first_lba);
		assert(wait_command(command, 20000));
		if (!is_good(command) || !certain) {
			user->nr_bad++;
			continue;
		}
		assert(command->data[0] == pattern && command->data[CMD_BYTES - 1] == pattern);
		user->nr_good++;
	}
	free(command);
	return NULL;
}

static void *ask_all_the_time(void *arg)
{
	struct asked *asked = calloc(1, sizeof(*asked));

	assert(asked);
	while (!atomic_load(&stop_users)) {
		ask(asked, arg, "status detail");
		ask(asked, arg, "status info");
		sleep_ms(3);
	}
	free(asked);
	return NULL;
}

static unsigned int dice(unsigned int *seed, unsigned int sides)
{
	return (unsigned int)rand_r(seed) % sides;
}

/* Two maps, users and askers on both, and paths that break in all ways and come back. */
static void test_everything(void)
{
	static const enum fake_mode modes[] = {FAKE_GOOD,  FAKE_LOSES, FAKE_NOT_SENT, FAKE_GONE,
					       FAKE_HANGS, FAKE_GOOD,  FAKE_HELD};
	struct front fronts[2] = {{0}, {0}};
	struct user users[NR_USERS] = {0};
	pthread_t askers[2];
	unsigned int seed = 1, i, good = 0, bad = 0;
	char words[200];
	struct strbuf error;

	strbuf_init(&error, words, sizeof(words));
	atomic_store(&stop_users, false);
	for (i = 0; i < 2; i++) {
		assert(start_named(&fronts[i], i ? "mpathb" : "mpatha", TABLE_QUEUEING, &error));
		device_wait_settled(fronts[i].device, SOON_MS);
		assert(!pthread_create(&askers[i], NULL, ask_all_the_time,
				       (void *)(uintptr_t)(i ? "mpathb" : "mpatha")));
	}
	for (i = 0; i < NR_USERS; i++) {
		users[i].front = &fronts[i % 2];
		users[i].first_lba = i * CMD_BLOCKS;
		assert(!pthread_create(&users[i].thread, NULL, use, &users[i]));
	}
	for (i = 0; i < 60; i++) {
		atomic_store(&paths[dice(&seed, 2)].mode, modes[dice(&seed, 7)]);
		atomic_store(&paths[dice(&seed, 2)].delay_ms, dice(&seed, 4));
		sleep_ms(50);
	}
	atomic_store(&paths[0].mode, FAKE_GOOD);
	atomic_store(&paths[1].mode, FAKE_GOOD);
	sleep_ms(1000);
	atomic_store(&stop_users, true);
	for (i = 0; i < NR_USERS; i++) {
		pthread_join(users[i].thread, NULL);
		good += users[i].nr_good;
		bad += users[i].nr_bad;
	}
	for (i = 0; i < 2; i++)
		pthread_join(askers[i], NULL);
	printf("     %u round trips were good, %u ended in an error\n", good, bad);
	assert(good > 100);
	device_stop(fronts[0].device);
	device_stop(fronts[1].device);
}

static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
	{"long line", test_long_line},
	{"plain", test_plain},
	{"one-flush-per-batch", test_one_flush_per_batch},
	{"failover", test_failover},
	{"held", test_held},
	{"end-while-held", test_end_while_held},
	{"stop-in-flight", test_stop_in_flight},
	{"slow-open", test_slow_open},
	{"stop-while-an-open-hangs", test_stop_while_an_open_hangs},
	{"start-stop", test_start_stop},
	{"requests", test_requests},
	{"changes", test_changes},
	{"the same layout", test_the_same_layout},
	{"changes-under-load", test_changes_under_load},
	{"suspend", test_suspend},
	{"finds-paths", test_finds_paths},
	{"a-disk-comes-after-the-look", test_a_disk_comes_after_the_look},
	{"found-and-named", test_found_and_named},
	{"name-changes-hands", test_name_changes_hands},
	{"name-of-two-paths", test_name_of_two_paths},
	{"one-name-for-two-disks", test_one_name_for_two_disks},
	{"news-of-disks", test_news_of_disks},
	{"the-kernel-doubts-a-disk", test_the_kernel_doubts_a_disk},
	{"news-are-lost", test_news_are_lost},
	{"nobody-tells-of-disks", test_nobody_tells_of_disks},
	{"the-kernel-sees-a-disk-grow", test_the_kernel_sees_a_disk_grow},
	{"the-kernel-keeps-a-word", test_the_kernel_keeps_a_word},
	{"the-kernel-doubts-a-disk-in-two-groups", test_the_kernel_doubts_a_disk_in_two_groups},
	{"pinned", test_pinned},
	{"messages are kept", test_messages_are_kept},
	{"group is kept", test_group_is_kept},
	{"garbage-state", test_garbage_state},
	{"state-not-readable", test_state_not_readable},
	{"state-not-writable", test_state_not_writable},
	{"state-writable-at-the-end", test_state_writable_at_the_end},
	{"backstore-not-readable", test_backstore_not_readable},
	{"backstore", test_backstore},
	{"lun change not heard", test_lun_change_not_heard},
	{"backstore read too early", test_backstore_read_too_early},
	{"another-backstore-hangs", test_another_backstore_hangs},
	{"no-thread-for-a-while", test_no_thread_for_a_while},
	{"no-thread-at-the-end", test_no_thread_at_the_end},
	{"restart-wait", test_restart_wait},
	{"fences", test_fences},
	{"fence after a standstill", test_fence_after_a_standstill},
	{"fence and session", test_fence_and_session},
	{"fence is kept", test_fence_is_kept},
	{"fence is told at once", test_fence_is_told_at_once},
	{"told by a former process", test_told_by_a_former_process},
	{"told by a former process in vain", test_told_by_a_former_process_in_vain},
	{"told in vain to one that ends", test_told_in_vain_to_one_that_ends_at_once},
	{"what is feared is told at the end", test_what_is_feared_is_told_at_the_end},
	{"fence is over at the end", test_fence_is_over_at_the_end},
	{"fence of a former process", test_fence_of_a_former_process},
	{"news of a former process", test_news_of_a_former_process},
	{"disks of a former process", test_disks_of_a_former_process},
	{"disks are kept", test_disks_are_kept},
	{"names", test_names},
	{"name is taken to the end", test_name_is_taken_to_the_end},
	{"name is taken from the beginning", test_name_is_taken_from_the_beginning},
	{"everything", test_everything},
};

int main(int argc, char **argv)
{
	static const struct device_watcher watcher = {watch_added, watch_removed, watch_event};
	size_t i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	assert(mkdtemp(state_dir));
	state_set_dir(state_dir);
	tally_set_dir(state_dir);
	mpath_log_set_sink(log_sink);
	device_watch(&watcher);
	fake_add_path(&paths[0], "8:0", &disk);
	fake_add_path(&paths[1], "8:16", &disk);
	for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		uint64_t begin_ns = clock_now_ns();

		if (argc > 1 && !strstr(tests[i].name, argv[1]))
			continue;
		reset_paths();
		tests[i].run();
		printf("ok   %s  %.1f s\n", tests[i].name,
		       (double)(clock_now_ns() - begin_ns) / 1e9);
	}
	reset_paths();
	fake_forget_paths();
	mpath_log_flush(1000);
	assert(rmdir(state_dir) == 0);
	return 0;
}
