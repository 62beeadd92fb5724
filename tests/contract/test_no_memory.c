/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Short memory, with threads: whichever allocation fails while a device starts, it is refused with
 * words, or it serves.  Once it serves, commands and messages take no memory of ours at all.
 */
#include <assert.h>
#include <errno.h>
#include <semaphore.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "contract/lib/fake.h"
#include "lib/no_memory.h"
#include "mpath/core.h"
#include "mpath/path_checker.h"
#include "mpath/scsi.h"
#include "runtime/device.h"
#include "runtime/log.h"
#include "runtime/state.h"
#include "runtime/tally.h"

extern const struct path_checker_type tur_checker;

#define SOON_SEC   10
#define CMD_BLOCKS 4
#define CMD_BYTES  (CMD_BLOCKS * FAKE_BLOCK_SIZE)

static char state_dir[] = "/tmp/mpath-no-memory.XXXXXX";
static struct fake_disk disk = {.serial = "disk-one"};
static struct fake_path paths[3];
static char words[400];
static struct strbuf error;

/* --- the front --- */

static sem_t done;

static void front_complete(void *front, struct mpath_io *io)
{
	(void)front;
	(void)io;
	sem_post(&done);
}

static void front_flush(void *front)
{
	(void)front;
}

static bool front_read_backstore(void *front, struct mpath_backstore *backstore)
{
	(void)front;
	*backstore = (struct mpath_backstore){.block_size = FAKE_BLOCK_SIZE};
	return true;
}

static const struct device_front front_ops = {
	.complete = front_complete,
	.flush = front_flush,
	.read_backstore = front_read_backstore,
};

static struct device *start(const struct mpath_table *table)
{
	struct mpath_settings settings;
	const struct device_config config = {
		.name = "mpatha",
		.state_name = "mpatha",
		.backstore = "",
		.table = table,
		.settings = &settings,
		.transport = &fake_transport,
		.warning = "a warning",
	};

	mpath_settings_init(&settings);
	settings.checker = &tur_checker;
	settings.recheck_interval_ms = 50;
	strbuf_init(&error, words, sizeof(words));
	return device_start(&config, &front_ops, NULL, &error);
}

static void wait_done(void)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += SOON_SEC;
	assert(sem_timedwait(&done, &until) == 0);
}

/* --- a command --- */

static struct {
	struct device *device;
	struct mpath_io io;
	struct letter letter;
	struct iovec iov;
	uint8_t data[CMD_BYTES];
} command;

static void deliver(struct letter *letter)
{
	(void)letter;
	device_submit(command.device, &command.io);
}

static void send_and_wait(struct device *device, uint8_t opcode)
{
	const uint8_t cdb[10] = {opcode, [8] = CMD_BLOCKS};

	command.io = (struct mpath_io){.arrival_ns = clock_now_ns()};
	list_init(&command.io.node);
	memcpy(command.io.cmd.cdb, cdb, sizeof(cdb));
	command.io.cmd.cdb_len = sizeof(cdb);
	command.iov = (struct iovec){command.data, CMD_BYTES};
	command.io.cmd.iov = &command.iov;
	command.io.cmd.iov_cnt = 1;
	assert(scsi_cdb_fill(&command.io.cmd, CMD_BYTES, FAKE_BLOCK_SIZE) == CDB_OK);
	command.device = device;
	command.letter.deliver = deliver;
	loop_post(device_loop(device), &command.letter);
	wait_done();
	assert(command.io.result.transport == TRANSPORT_OK && command.io.result.status == SAM_GOOD);
}

static void expect_serves(struct device *device)
{
	send_and_wait(device, 0x2a);
	send_and_wait(device, 0x28);
}

/* --- a message --- */

static void request_done(struct device_request *request)
{
	(void)request;
	sem_post(&done);
}

static char reply[4096];

static int request(const char *const *argv, int argc, const struct device_layout *layout)
{
	static struct device_request request;

	request = (struct device_request){.done = request_done, .layout = layout};
	request.message.argc = argc;
	request.message.argv = argv;
	strbuf_init(&request.message.reply, reply, sizeof(reply));
	assert(device_request("mpatha", &request));
	wait_done();
	return request.message.error;
}

static void ask(const char *const *argv, int argc)
{
	assert(request(argv, argc, NULL) == 0);
}

/* --- the stories --- */

static void forget_state(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/mpatha", state_dir);
	unlink(path);
}

static void test_start(const struct mpath_table *table)
{
	unsigned int nr_refused = 0;
	int nth;

	for (nth = 1;; nth++) {
		struct device *device;
		bool failed;

		fail_allocation(nth);
		device = start(table);
		if (!device) {
			assert(allocation_has_failed());
			if (!strstr(words, "memory") && !strstr(words, "cannot start a thread"))
				fprintf(stderr, "allocation %d: %s\n", nth, words);
			assert(error.len > 0);
			nr_refused++;
			continue;
		}
		/* Not looked at before the paths are there: a worker may get no memory, too. */
		expect_serves(device);
		failed = allocation_has_failed();
		fail_allocation(0);
		device_stop(device);
		forget_state();
		if (!failed)
			break;
	}
	printf("%d allocations, %u refusals\n", nth - 1, nr_refused);
	assert(nr_refused > 10);
}

/* The first commands may find threads to be started. */
static struct device *start_and_settle(const struct mpath_table *table)
{
	struct device *device = start(table);
	unsigned int i;

	assert(device);
	device_wait_settled(device, SOON_SEC * 1000);
	for (i = 0; i < 20; i++)
		expect_serves(device);
	return device;
}

/* In service nothing is needed any more. */
static void test_service_takes_no_memory(const struct mpath_table *table)
{
	static const char *const messages[][2] = {{"disable_group", "1"},
						  {"fail_path", "8:0"},
						  {"enable_group", "1"},
						  {"reinstate_path", "8:0"},
						  {"queue_if_no_path", ""}};
	struct device *device = start_and_settle(table);
	unsigned int before, i;

	before = atomic_load(&nr_allocations);
	for (i = 0; i < 200; i++)
		expect_serves(device);
	for (i = 0; i < sizeof(messages) / sizeof(messages[0]); i++)
		ask(messages[i], messages[i][1][0] ? 2 : 1);
	expect_serves(device);
	assert(atomic_load(&nr_allocations) == before);
	device_stop(device);
	forget_state();
}

/* Whichever allocation fails, it is refused with words; the map serves on.  How often? */
static unsigned int until_it_works(struct device *device, const char *const *argv, int argc)
{
	unsigned int nr_refused = 0;
	int err = -1;

	while (err) {
		fail_allocation((int)++nr_refused);
		err = request(argv, argc, NULL);
		assert(!err || (allocation_has_failed() && reply[0]));
		fail_allocation(0);
		expect_serves(device);
	}
	return nr_refused - 1;
}

static void test_a_path_comes_and_goes(const struct mpath_table *table)
{
	static const char *const add[] = {"add_path", "8:32", "1"};
	static const char *const remove[] = {"remove_path", "8:32"};
	struct device *device = start_and_settle(table);
	unsigned int nr_added, nr_removed;

	nr_added = until_it_works(device, add, 3);
	nr_removed = until_it_works(device, remove, 2);
	printf("add_path: %u refusals, remove_path: %u\n", nr_added, nr_removed);
	assert(nr_added > 10 && nr_removed > 10);
	device_stop(device);
	forget_state();
}

static bool status_warns(void)
{
	static const char *const status[] = {"status", "detail"};

	ask(status, 2);
	return strstr(reply, "another warning") != NULL;
}

/* Another table, and the warning that belongs to it: both, or it is refused. */
static void test_reload(const struct mpath_table *table)
{
	struct mpath_settings settings;
	const struct device_layout layout = {
		.table = table, .settings = &settings, .warning = "another warning"};
	struct device *device = start_and_settle(table);
	int err = -1, nth;

	mpath_settings_init(&settings);
	settings.checker = &tur_checker;
	for (nth = 1; err; nth++) {
		fail_allocation(nth);
		err = request(NULL, 0, &layout);
		assert(!err || (allocation_has_failed() && reply[0]));
		fail_allocation(0);
		assert(status_warns() == !err);
		expect_serves(device);
	}
	printf("reload: %d refusals\n", nth - 2);
	assert(nth > 10);
	device_stop(device);
	forget_state();
}

static void learn_wwid(char wwid[WWID_MAX])
{
	struct kept kept = {0};

	while (state_load("mpatha", &kept, &error) || !kept.lun.known)
		;
	memcpy(wwid, kept.lun.wwid, WWID_MAX);
}

/* Another table, whose paths are found: likewise. */
static void test_reload_finding(const struct mpath_table *table)
{
	static const char *const status[] = {"status", "table"};
	struct mpath_settings settings;
	struct mpath_table *empty;
	struct device_layout finding = {.settings = &settings, .find_selector = "queue-length"};
	struct device *device = start_and_settle(table);
	int err = -1, nth;

	strbuf_init(&error, words, sizeof(words));
	assert(!mpath_table_parse("0 0 0 0", &empty, &error));
	mpath_settings_init(&settings);
	settings.checker = &tur_checker;
	learn_wwid(settings.wwid);
	finding.table = empty;
	for (nth = 1; err; nth++) {
		fail_allocation(nth);
		err = request(NULL, 0, &finding);
		assert(!err || (allocation_has_failed() && reply[0]));
		fail_allocation(0);
		ask(status, 2);
		assert((strstr(reply, "queue-length") != NULL) == !err);
		expect_serves(device);
	}
	printf("reload of a map that finds its paths: %d refusals\n", nth - 2);
	assert(nth > 10);
	device_stop(device);
	mpath_table_free(empty);
	forget_state();
}

static void log_sink(enum log_level level, const char *map, const char *path, const char *text)
{
	(void)level;
	(void)map;
	(void)path;
	(void)text;
}

int main(void)
{
	struct mpath_table *table;

	assert(mkdtemp(state_dir) && !sem_init(&done, 0, 0));
	state_set_dir(state_dir);
	tally_set_dir(state_dir);
	mpath_log_set_sink(log_sink);
	fake_add_path(&paths[0], "8:0", &disk);
	fake_add_path(&paths[1], "8:16", &disk);
	fake_add_path(&paths[2], "8:32", &disk);
	strbuf_init(&error, words, sizeof(words));
	assert(!mpath_table_parse("0 0 2 1 round-robin 0 1 1 8:0 1 round-robin 0 1 1 8:16 1",
				  &table, &error));
	test_start(table);
	test_service_takes_no_memory(table);
	test_a_path_comes_and_goes(table);
	test_reload(table);
	test_reload_finding(table);
	mpath_table_free(table);
	fake_forget_paths();
	mpath_log_flush(1000);
	assert(rmdir(state_dir) == 0);
	return 0;
}
