/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Short memory where tcmu-runner calls in: whichever allocation fails in open(), the LUN is
 * refused, the log says why, and nothing is left; or it is in service.  In reconfig(): refused,
 * with words, or taken over.  Backstore and tcmu-runner are played here, and the transport is the
 * fake one.  And the ring cannot be watched, and the handler is not loaded twice.
 */
#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "contract/lib/fake.h"
#include "contract/lib/runner.h"
#include "lib/no_memory.h"
#include "runner/config.h"

static struct config_paths paths_here;
#define config_default_paths paths_here
#define sg_transport	     fake_transport
#define handler_init	     handler_init_here
int handler_init_here(void);
#include "runner/handler.c"
#include "runner/lun.c"
#include "runner/lun_commands.c"
#include "runner/lun_config.c"
#include "runtime/tally.h"

static char dir[] = "/tmp/mpath-open-no-memory.XXXXXX";
static struct fake_disk disk = {.serial = "disk-one"};
static struct fake_path fake_paths[2];

/* --- the log --- */

static atomic_uint nr_refusals; /* lines that say so, with a reason */

void log_sink_write(enum log_level level, const char *map, const char *path, const char *words)
{
	(void)map;
	(void)path;
	if (strncmp(words, "mpath/m: ", 9) && strncmp(words, "configuration refused: ", 23))
		return;
	assert(level == MPATH_LOG_ERROR || level == MPATH_LOG_WARN);
	assert(strstr(words, "memory") || strstr(words, "allocat") ||
	       strstr(words, "cannot start a thread") ||
	       strstr(words, "the ring cannot be watched"));
	atomic_fetch_add(&nr_refusals, 1);
}

/* Log lines are written by a thread of their own. */
static unsigned int refusals(void)
{
	mpath_log_flush(1000);
	return atomic_load(&nr_refusals);
}

/* --- the backstore --- */

static unsigned int nr_backstores;

int backstore_open(struct backstore *backstore, const char *uio_name, struct strbuf *error)
{
	(void)uio_name;
	(void)error;
	*backstore = (struct backstore){.name = "lun", .instance = "boot 1"};
	nr_backstores++;
	return 0;
}

void backstore_close(struct backstore *backstore)
{
	(void)backstore;
	nr_backstores--;
}

bool backstore_read(const struct backstore *backstore, struct mpath_backstore *attributes)
{
	(void)backstore;
	*attributes = (struct mpath_backstore){.block_size = FAKE_BLOCK_SIZE,
					       .size = FAKE_NR_BLOCKS * FAKE_BLOCK_SIZE};
	return true;
}

int backstore_set_size(const struct backstore *backstore, uint64_t size)
{
	(void)backstore;
	(void)size;
	return 0;
}

int backstore_want_tmr(const struct backstore *backstore)
{
	(void)backstore;
	return 0;
}

bool backstore_exists(const char *cfgstring)
{
	(void)cfgstring;
	return false;
}

/* --- tcmu-runner and libtcmu --- */

static union {
	struct ring_mailbox mailbox;
	uint8_t bytes[8192];
} shared = {.mailbox = {.version = RING_VERSION, .ring_off = 128, .ring_size = 4096}};
static struct tcmu_device device = {
	.cfgstring = "mpath/m", .shared = &shared, .shared_len = sizeof(shared)};
static bool is_on_dbus;

void control_start(const struct control_hooks *hooks)
{
	(void)hooks;
	is_on_dbus = true;
}

/* Another copy of the handler is loaded already. */
int tcmur_register_handler(struct tcmur_handler *handler)
{
	assert(strcmp(handler->subtype, "mpath") == 0);
	return -1;
}

/* --- the stories --- */

static void write_file(const char *name, const char *content)
{
	FILE *file = fopen(name, "w");

	assert(file && fputs(content, file) >= 0 && !fclose(file));
}

static void test_open(void)
{
	unsigned int nr_refused = 0;
	bool failed = true;
	int nth;

	for (nth = 1; failed; nth++) {
		int err;

		fail_allocation(nth);
		err = lun_open(&device, false);
		failed = allocation_has_failed();
		fail_allocation(0);
		if (err) {
			assert(failed && err < 0 && !device.private);
			assert(refusals() == ++nr_refused);
		} else {
			lun_close(&device);
		}
		assert(!nr_backstores && !device.private);
	}
	printf("open: %d allocations, %u refusals\n", nth - 2, nr_refused);
	assert(nr_refused > 30);
}

static unsigned int nr_descriptors(void)
{
	DIR *fds = opendir("/proc/self/fd");
	unsigned int nr = 0;

	while (readdir(fds))
		nr++;
	closedir(fds);
	return nr;
}

/* The last step of open(): the map is ended again, and tcmu-runner has its descriptor as before. */
static void test_ring_cannot_be_watched(void)
{
	unsigned int before = 0;
	int uio_fd = device.fd;
	struct stat is, was;

	device.fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	assert(!fstat(device.fd, &was));
	for (unsigned int i = 0; i < 3; i++) {
		assert(lun_open(&device, false) == -EPERM);
		assert(!nr_backstores && !device.private);
		assert(!fstat(device.fd, &is) && is.st_ino == was.st_ino);
		assert(!before || nr_descriptors() == before);
		before = nr_descriptors();
	}
	refusals(); /* these are not for want of memory */
	atomic_store(&nr_refusals, 0);
	close(device.fd);
	device.fd = uio_fd;
}

/* What other threads do for a map that was just opened is over: it needs memory, too. */
static void wait_for_quiet(void)
{
	unsigned int before;

	while (!fake_paths[0].nr_submits)
		usleep(1000);
	do {
		before = atomic_load(&nr_allocations);
		usleep(200 * 1000);
	} while (before != atomic_load(&nr_allocations));
}

/* Another map file, until it has taken over. */
static void test_reconfig(void)
{
	struct tcmulib_cfg_info info = {.type = TCMULIB_CFG_DEV_CFGSTR,
					.data.dev_cfgstring = device.cfgstring};
	unsigned int before = refusals();
	unsigned int nr_refused = 0;
	int err;

	fake_paths[0].nr_submits = 0;
	assert(!lun_open(&device, false));
	wait_for_quiet();
	write_file("m.map", "[multipath]\ntable=0 0 1 1 round-robin 0 2 1 8:0 1 8:16 1\n");
	do {
		fail_allocation((int)nr_refused + 1);
		err = lun_reconfig(&device, &info);
		assert(!err || allocation_has_failed());
		fail_allocation(0);
		nr_refused += err != 0;
		assert(refusals() == before + nr_refused);
	} while (err);
	printf("reconfig: %u refusals\n", nr_refused);
	assert(nr_refused > 30);
	lun_close(&device);
}

/* When the backstore is made, and at a restart. */
static void test_check_config(void)
{
	char *reason = NULL;
	bool valid = false;
	int nth;

	for (nth = 1; !valid; nth++) {
		fail_allocation(nth);
		valid = lun_check_config(device.cfgstring, &reason);
		assert(valid == !allocation_has_failed());
		fail_allocation(0);
		assert(valid || strstr(reason, "memory"));
		free(reason);
		reason = NULL;
	}
	assert(nth > 20);
}

/* The second copy does nothing: D-Bus, signals and the log are the first one's. */
static void test_loaded_twice(void)
{
	assert(handler_init_here() == -1);
	assert(!is_on_dbus && !g_main_context_find_source_by_id(NULL, 1));
}

int main(void)
{
	test_loaded_twice();
	assert(mkdtemp(dir) && !chdir(dir));
	paths_here = (struct config_paths){
		.conf = "mpath.conf", .map_dir = ".", .last_good = ".last-good"};
	state_set_dir(dir);
	tally_set_dir(dir);
	mpath_log_set_sink(log_sink_write);
	fake_add_path(&fake_paths[0], "8:0", &disk);
	fake_add_path(&fake_paths[1], "8:16", &disk);
	device.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	write_file("m.map", "[multipath]\ntable=0 0 1 1 round-robin 0 1 1 8:0 1\n");
	test_open();
	test_reconfig();
	test_check_config();
	test_ring_cannot_be_watched();
	close(device.fd);
	fake_forget_paths();
	return 0;
}
