/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is made of udev's words, and of a machine that is short of file descriptors meanwhile: a
 * path leaves its map when its disk is not found, so what could not be looked at is not gone.
 *
 * libudev is played here: these functions take the place of the library's.
 */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <libudev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mpath/path_transport.h"
#include "runtime/loop.h"
#include "transports/sysfs.h"

#define WWID	   "36001405000000000000000000000000a"
#define OTHER_WWID "36001405000000000000000000000000b"

/* --- a machine with two disks that lead to the LUN, sda and sdb --- */

struct udev_device {
	char syspath[64]; /* of a disk, or of the SCSI device that a unit attention is of */
	const char *node; /* NULL: it is not a disk */
	const char *action, *ua, *resize;
};

static char dir[] = "/tmp/mpath-sg-find.XXXXXX";
static struct udev_device disks[2] = {{.node = "/dev/sda"}, {.node = "/dev/sdb"}};
static struct udev_device other = {.node = "/dev/sdc"}; /* of another LUN */
static unsigned int nr_asked;				/* how often libudev was, for a disk */

static const uint8_t vpd83[] = {0x00, 0x83, 0x00, 0x14, 0x01, 0x03, 0x00, 0x10,
				0x60, 0x01, 0x40, 0x50, 0,    0,    0,	  0,
				0,    0,    0,	  0,	0,    0,    0,	  0x0a};

static void make_disk(struct udev_device *disk)
{
	uint8_t page[sizeof(vpd83)];
	char path[100];
	FILE *file;

	snprintf(disk->syspath, sizeof(disk->syspath), "%s/%s", dir, disk->node + strlen("/dev/"));
	assert(mkdir(disk->syspath, 0700) == 0);
	snprintf(path, sizeof(path), "%s/device", disk->syspath);
	assert(mkdir(path, 0700) == 0);
	snprintf(path, sizeof(path), "%s/device/subsystem", disk->syspath);
	assert(symlink("/sys/bus/scsi", path) == 0);
	snprintf(path, sizeof(path), "%s/device/block", disk->syspath);
	assert(mkdir(path, 0700) == 0);
	snprintf(path, sizeof(path), "%s/device/block/%s", disk->syspath,
		 disk->node + strlen("/dev/"));
	assert(mkdir(path, 0700) == 0);
	snprintf(path, sizeof(path), "%s/device/vpd_pg83", disk->syspath);
	file = fopen(path, "w");
	memcpy(page, vpd83, sizeof(page));
	page[sizeof(page) - 1] ^= disk == &other;
	assert(file && fwrite(page, sizeof(page), 1, file) == 1 && fclose(file) == 0);
}

/* --- libudev --- */

enum question { NOTHING, DEVICE, NODE, LINKS };

static enum question refused; /* for the second disk ... */
static int refused_error;     /* ... for this reason */

struct udev *udev_new(void)
{
	return (struct udev *)dir;
}

struct udev *udev_unref(struct udev *udev)
{
	(void)udev;
	return NULL;
}

struct udev_list_entry *udev_list_entry_get_next(struct udev_list_entry *entry)
{
	return entry == (void *)&disks[0] ? (struct udev_list_entry *)&disks[1] : NULL;
}

const char *udev_list_entry_get_name(struct udev_list_entry *entry)
{
	return ((struct udev_device *)entry)->syspath;
}

static bool is_refused(const struct udev_device *disk, enum question what)
{
	if (refused != what || disk != &disks[1])
		return false;
	errno = refused_error;
	return true;
}

struct udev_device *udev_device_new_from_syspath(struct udev *udev, const char *syspath)
{
	struct udev_device *disk = strcmp(syspath, disks[0].syspath) == 0 ? &disks[0] : &disks[1];

	(void)udev;
	nr_asked++;
	return is_refused(disk, DEVICE) ? NULL : disk;
}

struct udev_device *udev_device_unref(struct udev_device *device)
{
	(void)device;
	return NULL;
}

const char *udev_device_get_syspath(struct udev_device *device)
{
	return device->syspath;
}

const char *udev_device_get_devnode(struct udev_device *device)
{
	return is_refused(device, NODE) ? NULL : device->node;
}

/* As the library: what it tried in vain may still stand in errno. */
int udev_device_get_is_initialized(struct udev_device *device)
{
	errno = ENOENT;
	return is_refused(device, LINKS) ? 0 : 1;
}

struct udev_list_entry *udev_device_get_devlinks_list_entry(struct udev_device *device)
{
	(void)device;
	errno = ENODATA;
	return NULL;
}

/* --- looking for disks --- */

static unsigned int nr_looks; /* at all disks */

int __real_scandir(const char *path, struct dirent ***entries, int (*filter)(const struct dirent *),
		   int (*compare)(const struct dirent **, const struct dirent **));
int __wrap_scandir(const char *path, struct dirent ***entries, int (*filter)(const struct dirent *),
		   int (*compare)(const struct dirent **, const struct dirent **));
int __wrap_scandir(const char *path, struct dirent ***entries, int (*filter)(const struct dirent *),
		   int (*compare)(const struct dirent **, const struct dirent **))
{
	nr_looks++;
	return __real_scandir(path, entries, filter, compare);
}

static int look(unsigned int *nr_found)
{
	struct found_disks found;
	int err = sg_finder.find(WWID, clock_now_ns(), &found);

	*nr_found = found.nr;
	for (unsigned int i = 0; i < found.nr; i++)
		assert(found.disks[i].sure);
	found_disks_clear(&found);
	return err;
}

static void test_all_is_well(void)
{
	unsigned int nr;

	refused = NOTHING;
	nr_asked = 0;
	assert(look(&nr) == 0 && nr == 2);
	/* To ask of each disk of a large machine would take each map seconds. */
	assert(nr_asked == 2);
}

/* As the kernel has found them. */
static void test_in_their_order(void)
{
	struct found_disks found;

	refused = NOTHING;
	assert(sg_finder.find(WWID, clock_now_ns(), &found) == 0 && found.nr == 2);
	assert(strcmp(found.disks[0].node, "/dev/sda") == 0);
	assert(strcmp(found.disks[1].node, "/dev/sdb") == 0);
	found_disks_clear(&found);
}

/* There are many maps where there are many disks, and all are woken at once. */
static void test_one_look_for_all(void)
{
	static const char *const luns[] = {WWID, OTHER_WWID};
	uint64_t woken_ns = clock_now_ns();
	struct found_disks found;

	refused = NOTHING;
	nr_looks = nr_asked = 0;
	for (unsigned int map = 0; map < 64; map++) {
		assert(sg_finder.find(luns[map % 2], woken_ns, &found) == 0);
		assert(found.nr == (map % 2 ? 1 : 2) && found.disks[0].sure);
		found_disks_clear(&found);
	}
	assert(nr_looks == 1 && nr_asked == 32 * 3);
}

/* Who was woken while others were looking is woken by what they have not seen. */
static void test_a_disk_comes_after_the_look(void)
{
	static struct udev_device late = {.node = "/dev/sdd"};
	uint64_t before_ns = clock_now_ns();
	struct found_disks found;
	unsigned int nr;
	char path[100];

	refused = NOTHING;
	assert(look(&nr) == 0 && nr == 2);
	make_disk(&late);
	assert(sg_finder.find(WWID, before_ns, &found) == 0 && found.nr == 2);
	found_disks_clear(&found);
	assert(look(&nr) == 0 && nr == 3);
	snprintf(path, sizeof(path), "%s/device/vpd_pg83", late.syspath);
	assert(unlink(path) == 0);
	assert(sg_finder.find(WWID, clock_now_ns(), &found) == 0 && found.nr == 3);
	assert(!found.disks[2].sure);
	found_disks_clear(&found);
	snprintf(path, sizeof(path), "rm -r %s", late.syspath);
	assert(system(path) == 0);
	assert(look(&nr) == 0 && nr == 2);
}

static void test_the_disks_cannot_be_listed(void)
{
	unsigned int nr;

	sysfs_block = "/nonsense";
	assert(look(&nr) == -ENOENT && nr == 0);
	sysfs_block = dir;
}

static void test_a_disk_has_just_gone(void)
{
	static const int gone[] = {ENODEV, ENOENT};
	unsigned int nr;

	for (unsigned int i = 0; i < 2; i++) {
		refused_error = gone[i];
		refused = DEVICE;
		assert(look(&nr) == 0 && nr == 1);
		refused = NODE;
		assert(look(&nr) == 0 && nr == 1);
		refused = LINKS;
		assert(look(&nr) == 0 && nr == 2);
	}
}

static void test_a_disk_cannot_be_looked_at(void)
{
	static const int shortages[] = {ENOMEM, EMFILE, ENFILE};
	unsigned int nr;

	for (unsigned int i = 0; i < 3; i++) {
		refused_error = shortages[i];
		for (refused = DEVICE; refused <= LINKS; refused++)
			assert(look(&nr) == -shortages[i] && nr == 0);
	}
}

/* --- news --- */

static struct udev_device news_of[4];
static unsigned int nr_news, nr_read;
static int monitor_error; /* behind the first one; 0: none */
static int monitor_fd;	  /* readable as long as there are messages */

struct udev_monitor *udev_monitor_new_from_netlink(struct udev *udev, const char *name)
{
	(void)name;
	return (struct udev_monitor *)udev;
}

struct udev_monitor *udev_monitor_unref(struct udev_monitor *monitor)
{
	(void)monitor;
	return NULL;
}

int udev_monitor_filter_add_match_subsystem_devtype(struct udev_monitor *monitor,
						    const char *subsystem, const char *devtype)
{
	(void)monitor;
	(void)subsystem;
	(void)devtype;
	return 0;
}

int udev_monitor_enable_receiving(struct udev_monitor *monitor)
{
	(void)monitor;
	return 0;
}

int udev_monitor_set_receive_buffer_size(struct udev_monitor *monitor, int size)
{
	(void)monitor;
	(void)size;
	return 0;
}

int udev_monitor_get_fd(struct udev_monitor *monitor)
{
	(void)monitor;
	return monitor_fd;
}

struct udev_device *udev_monitor_receive_device(struct udev_monitor *monitor)
{
	eventfd_t one;

	(void)monitor;
	eventfd_read(monitor_fd, &one);
	if (nr_read == 1 && monitor_error) {
		errno = monitor_error;
		monitor_error = 0;
		return NULL;
	}
	if (nr_read < nr_news)
		return &news_of[nr_read++];
	errno = EAGAIN;
	return NULL;
}

const char *udev_device_get_subsystem(struct udev_device *device)
{
	return device->node ? "block" : "scsi";
}

const char *udev_device_get_action(struct udev_device *device)
{
	return device->action;
}

const char *udev_device_get_property_value(struct udev_device *device, const char *name)
{
	return strcmp(name, "SDEV_UA") == 0 ? device->ua : device->resize;
}

/* One unit attention of sda. */
static void hears(const char *ua)
{
	news_of[0] = (struct udev_device){.action = "change", .ua = ua};
	snprintf(news_of[0].syspath, sizeof(news_of[0].syspath), "%s/sda/device", dir);
	nr_news = 1;
	nr_read = 0;
}

static struct disk_news drain(void)
{
	struct disk_news news = {0};
	struct disk_monitor *monitor;
	eventfd_t left;
	int fd;

	assert(eventfd_write(monitor_fd, nr_news + (monitor_error != 0)) == 0);
	assert(sg_finder.watch(&monitor, &fd) == 0);
	sg_finder.drain(monitor, &news);
	sg_finder.unwatch(monitor);
	while (eventfd_read(monitor_fd, &left) == 0)
		;
	return news;
}

static void forget(struct disk_news *news)
{
	found_disks_clear(&news->resets);
	found_disks_clear(&news->states);
	found_disks_clear(&news->doubted);
	found_disks_clear(&news->resized);
	found_disks_clear(&news->modes);
	found_disks_clear(&news->space);
}

enum { RESETS, STATES, DOUBTED, RESIZED, MODES, SPACE, NR_LISTS };

/* sda is on list number @list, and on no other one; NR_LISTS: on none. */
static void expect_heard(const char *ua, unsigned int list)
{
	struct disk_news news;
	const struct found_disks *lists[NR_LISTS] = {
		[RESETS] = &news.resets,   [STATES] = &news.states, [DOUBTED] = &news.doubted,
		[RESIZED] = &news.resized, [MODES] = &news.modes,   [SPACE] = &news.space,
	};

	hears(ua);
	news = drain();
	assert(!news.lost && !news.disks);
	for (unsigned int i = 0; i < NR_LISTS; i++) {
		assert(lists[i]->nr == (i == list));
		if (i == list)
			assert(strcmp(lists[i]->disks[0].node, "/dev/sda") == 0);
	}
	forget(&news);
}

/* In the kernel's words, drivers/scsi/scsi_lib.c. */
static void test_unit_attentions(void)
{
	expect_heard("POWER_ON_RESET_OCCURRED", RESETS);
	expect_heard("ASYMMETRIC_ACCESS_STATE_CHANGED", STATES);
	expect_heard("INQUIRY_DATA_HAS_CHANGED", DOUBTED);
	expect_heard("REPORTED_LUNS_DATA_HAS_CHANGED", DOUBTED);
	expect_heard("CAPACITY_DATA_HAS_CHANGED", RESIZED);
	expect_heard("MODE_PARAMETERS_CHANGED", MODES);
	expect_heard("THIN_PROVISIONING_SOFT_THRESHOLD_REACHED", SPACE);
	expect_heard("SOMETHING_ELSE", NR_LISTS);
	expect_heard(NULL, NR_LISTS);
}

static void test_disks_come_go_and_grow(void)
{
	struct disk_news news;

	news_of[0] = (struct udev_device){.node = "/dev/sda", .action = "change", .resize = "1"};
	nr_news = 1;
	nr_read = 0;
	news = drain();
	assert(!news.lost && !news.disks && news.resized.nr == 1);
	forget(&news);
	news_of[0] = (struct udev_device){.node = "/dev/sda", .action = "remove"};
	nr_read = 0;
	news = drain();
	assert(!news.lost && news.disks && !news.resized.nr);
	forget(&news);
}

/* Whose it was cannot be told: then it may have been anybody's. */
static void test_whose_it_was_cannot_be_read(void)
{
	struct rlimit few, limit;
	struct disk_news news;

	assert(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	few = limit;
	few.rlim_cur = 0;
	hears("REPORTED_LUNS_DATA_HAS_CHANGED");
	assert(setrlimit(RLIMIT_NOFILE, &few) == 0);
	news = drain();
	assert(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	assert(news.lost && !news.doubted.nr);
	forget(&news);
}

static void test_whose_it_was_is_gone(void)
{
	struct disk_news news;

	hears("REPORTED_LUNS_DATA_HAS_CHANGED");
	snprintf(news_of[0].syspath, sizeof(news_of[0].syspath), "%s/sdz/device", dir);
	news = drain();
	assert(!news.lost && !news.doubted.nr);
	forget(&news);
}

static void test_news_are_lost(void)
{
	static const int losses[] = {ENOBUFS, ENOMEM, EMFILE};
	struct disk_news news;

	for (unsigned int i = 0; i < 3; i++) {
		hears("REPORTED_LUNS_DATA_HAS_CHANGED");
		monitor_error = losses[i];
		news = drain();
		assert(news.lost && news.doubted.nr == 1);
		forget(&news);
	}
}

/* The library keeps some messages for itself, and says what it says when there is none. */
static void test_a_message_is_ignored(void)
{
	static const int reasons[] = {EAGAIN, EINVAL, EBADMSG};
	struct disk_news news;

	for (unsigned int i = 0; i < 3; i++) {
		hears("REPORTED_LUNS_DATA_HAS_CHANGED");
		news_of[1] = news_of[0];
		nr_news = 2;
		monitor_error = reasons[i];
		news = drain();
		assert(!news.lost && nr_read == 2 && news.doubted.nr == 2);
		forget(&news);
	}
}

int main(void)
{
	char remove[64];

	monitor_fd = eventfd(0, EFD_SEMAPHORE | EFD_NONBLOCK);
	assert(monitor_fd >= 0 && mkdtemp(dir));
	sysfs_block = dir;
	make_disk(&other);
	make_disk(&disks[1]);
	make_disk(&disks[0]);
	test_all_is_well();
	test_in_their_order();
	test_one_look_for_all();
	test_a_disk_comes_after_the_look();
	test_the_disks_cannot_be_listed();
	test_a_disk_has_just_gone();
	test_a_disk_cannot_be_looked_at();
	test_unit_attentions();
	test_disks_come_go_and_grow();
	test_whose_it_was_cannot_be_read();
	test_whose_it_was_is_gone();
	test_news_are_lost();
	test_a_message_is_ignored();
	snprintf(remove, sizeof(remove), "rm -r %s", dir);
	return system(remove) ? 1 : 0;
}
