/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The SCSI disks that lead to a LUN, as sysfs and udev know them, and word from udev when disks
 * come and go, and when the kernel has heard a unit attention.
 *
 * The WWID is taken from what the kernel has read from the disk when it appeared (vpd_pg83), so no
 * disk is asked here, and one that hangs holds up nobody.  It is a proposal only: the core asks the
 * disk itself before it uses it (D8).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libudev.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mpath/path_transport.h"
#include "mpath/scsi.h"
#include "runtime/loop.h"
#include "transports/sysfs.h"

#define VPD_MAX	    4096
#define SYSPATH_MAX 64
#define BY_PATH	    "/dev/disk/by-path/"
#define UDEV_RUNS   "/run/udev/control"

/* Room for what the kernel tells while a worker is busy: some thousand disks at once. */
#define ROOM (8 * 1024 * 1024)

/* --- which disks? --- */

static bool is_scsi(const char *syspath)
{
	char subsystem[32];

	return sysfs_read_link(subsystem, sizeof(subsystem), "%s/device/subsystem", syspath) &&
	       strcmp(subsystem, "scsi") == 0;
}

static ssize_t read_vpd83(const char *syspath, uint8_t *page)
{
	char name[512];
	ssize_t len;
	int fd;

	snprintf(name, sizeof(name), "%s/device/vpd_pg83", syspath);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	len = read(fd, page, VPD_MAX);
	close(fd);
	return len;
}

struct seen_disk {
	char syspath[SYSPATH_MAX];
	bool sure; /* false: it cannot tell its names now */
	char wwid[WWID_MAX];
	char local_name[LOCAL_NAME_MAX];
};

/*
 * Where there are many disks there are many maps, and all are woken when one comes or goes: a look
 * at all disks is for every map that was woken before it began.
 */
static pthread_mutex_t look_lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
	uint64_t began_ns; /* 0: nothing is known */
	struct seen_disk *disks;
	unsigned int nr;
} look;

static void see(const char *name)
{
	struct seen_disk *disk = &look.disks[look.nr];
	uint8_t page[VPD_MAX];
	ssize_t len;

	snprintf(disk->syspath, sizeof(disk->syspath), "%s/%s", sysfs_block, name);
	if (!is_scsi(disk->syspath))
		return;
	len = read_vpd83(disk->syspath, page);
	disk->sure = len > 0 && scsi_wwid_from_vpd83(page, (size_t)len, disk->wwid);
	if (disk->sure)
		scsi_local_name_from_vpd83(page, (size_t)len, disk->local_name);
	look.nr++;
}

static int is_sd(const struct dirent *entry)
{
	return strncmp(entry->d_name, "sd", 2) == 0;
}

/* sda, sdb, ... sdaa: as the kernel has found them. */
static int by_age(const struct dirent **a, const struct dirent **b)
{
	size_t len_a = strlen((*a)->d_name), len_b = strlen((*b)->d_name);

	return len_a == len_b ? strcmp((*a)->d_name, (*b)->d_name) : len_a < len_b ? -1 : 1;
}

static int look_at_all(void)
{
	uint64_t now_ns = clock_now_ns();
	struct dirent **entries;
	int nr;

	free(look.disks);
	memset(&look, 0, sizeof(look));
	nr = scandir(sysfs_block, &entries, is_sd, by_age);
	if (nr < 0)
		return -errno;
	look.disks = calloc((size_t)nr + 1, sizeof(*look.disks));
	for (int i = 0; i < nr; i++) {
		if (look.disks)
			see(entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	if (!look.disks)
		return -ENOMEM;
	look.began_ns = now_ns;
	return 0;
}

/* It has that WWID, or cannot tell now. */
static bool may_be(const struct seen_disk *disk, const char *wwid)
{
	return !disk->sure || strcmp(disk->wwid, wwid) == 0 || strcmp(disk->local_name, wwid) == 0;
}

static int copy_those(const char *wwid, struct seen_disk **those)
{
	struct seen_disk *copy;
	int nr = 0;

	for (unsigned int i = 0; i < look.nr; i++)
		nr += may_be(&look.disks[i], wwid);
	*those = copy = calloc((size_t)nr + 1, sizeof(*copy));
	for (unsigned int i = 0; i < look.nr && copy; i++)
		if (may_be(&look.disks[i], wwid))
			*copy++ = look.disks[i];
	return *those ? nr : -ENOMEM;
}

/* How many, or -errno.  Nobody waits here for who waits for udev. */
static int see_those(const char *wwid, uint64_t since_ns, struct seen_disk **those)
{
	int result = 0;

	*those = NULL;
	pthread_mutex_lock(&look_lock);
	if (!look.began_ns || look.began_ns < since_ns)
		result = look_at_all();
	if (!result)
		result = copy_those(wwid, those);
	pthread_mutex_unlock(&look_lock);
	return result;
}

/*
 * The place of a path (host, target port, LUN) names it best; NULL: udev cannot name every place.
 * That it cannot be asked now is told by the first question only.
 */
static int find_stable_name(struct udev_device *disk, const char **name)
{
	struct udev_list_entry *link;

	*name = NULL;
	errno = 0;
	if (!udev_device_get_is_initialized(disk) && shortage_in_errno())
		return shortage_in_errno();
	udev_list_entry_foreach(link, udev_device_get_devlinks_list_entry(disk)) {
		if (strncmp(udev_list_entry_get_name(link), BY_PATH, strlen(BY_PATH)) != 0)
			continue;
		*name = udev_list_entry_get_name(link);
		break;
	}
	return 0;
}

/*
 * A disk that could not be looked at is not gone, and nothing is known of it: a path whose disk is
 * not found leaves its map.  libudev may leave the reason of what it could do without in errno.
 */
static int take_disk(struct udev_device *disk, bool sure, struct found_disks *found)
{
	const char *node, *link;
	int err;

	errno = 0;
	node = udev_device_get_devnode(disk);
	if (!node)
		return shortage_in_errno();
	err = find_stable_name(disk, &link);
	if (err)
		return err;
	if (!found_disks_add(found, link ? link : node, node))
		return -ENOMEM;
	found->disks[found->nr - 1].sure = sure;
	return 0;
}

/* libudev hears of the disks that fit, and of no other: it asks sysfs a hundred things of each. */
static int ask_udev(struct udev *udev, const struct seen_disk *seen, struct found_disks *found)
{
	struct udev_device *disk;
	int err;

	errno = 0;
	disk = udev_device_new_from_syspath(udev, seen->syspath);
	err = disk ? take_disk(disk, seen->sure, found)
		   : shortage_in_errno(); /* or it has just gone */
	udev_device_unref(disk);
	return err;
}

static int sg_find(const char *wwid, uint64_t since_ns, struct found_disks *found)
{
	struct udev *udev = udev_new();
	struct seen_disk *those;
	int nr, err;

	*found = (struct found_disks){0};
	if (!udev)
		return -ENOMEM;
	nr = see_those(wwid, since_ns, &those);
	err = nr < 0 ? nr : 0;
	for (int i = 0; i < nr && !err; i++)
		err = ask_udev(udev, &those[i], found);
	free(those);
	if (err)
		found_disks_clear(found);
	udev_unref(udev);
	return err;
}

/* --- when do they come and go, and what has the kernel heard? --- */

struct disk_monitor {
	struct udev *udev;
	struct udev_monitor *monitor;
};

static void sg_unwatch(struct disk_monitor *monitor)
{
	if (!monitor)
		return;
	udev_monitor_unref(monitor->monitor);
	udev_unref(monitor->udev);
	free(monitor);
}

/* After udev has given the disk its names; where no udev runs the kernel's own word must do. */
static struct udev_monitor *new_monitor(struct udev *udev)
{
	const char *source = access(UDEV_RUNS, F_OK) == 0 ? "udev" : "kernel";

	errno = ENOMEM; /* libudev says why, or nothing */
	return udev ? udev_monitor_new_from_netlink(udev, source) : NULL;
}

static int begin_to_receive(struct udev_monitor *monitor)
{
	int err = udev_monitor_filter_add_match_subsystem_devtype(monitor, "block", "disk");

	if (err >= 0)
		err = udev_monitor_filter_add_match_subsystem_devtype(monitor, "scsi",
								      "scsi_device");
	if (err >= 0)
		err = udev_monitor_enable_receiving(monitor);
	udev_monitor_set_receive_buffer_size(monitor, ROOM); /* less is no error */
	return err < 0 ? err : 0;
}

static int sg_watch(struct disk_monitor **monitor, int *fd)
{
	struct disk_monitor *fresh = calloc(1, sizeof(*fresh));
	int err;

	if (!fresh)
		return -ENOMEM;
	fresh->udev = udev_new();
	fresh->monitor = new_monitor(fresh->udev);
	err = fresh->monitor ? begin_to_receive(fresh->monitor) : -errno;
	if (err) {
		sg_unwatch(fresh);
		return err;
	}
	*fd = udev_monitor_get_fd(fresh->monitor);
	*monitor = fresh;
	return 0;
}

static bool has_come_or_gone(struct udev_device *disk)
{
	const char *action = udev_device_get_action(disk);

	return action && (strcmp(action, "add") == 0 || strcmp(action, "remove") == 0);
}

/* Whose it was cannot be told, or not be noted: it may have been anybody's. */
static void take_node(struct udev_device *scsi, struct disk_news *news, struct found_disks *found)
{
	char name[512];
	struct dirent *entry;
	DIR *dir;

	snprintf(name, sizeof(name), "%s/block", udev_device_get_syspath(scsi));
	dir = opendir(name);
	if (!dir) {
		news->lost |= shortage_in_errno() != 0; /* else it is not a disk, or not any more */
		return;
	}
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "/dev/%s", entry->d_name);
		news->lost |= !found_disks_add(found, name, name);
	}
	closedir(dir);
}

/* The kernel's words for unit attentions (drivers/scsi/scsi_lib.c); all of 29/xx are one word. */
static void take_attention(struct udev_device *scsi, struct disk_news *news)
{
	const char *ua = udev_device_get_property_value(scsi, "SDEV_UA");

	if (!ua)
		return;
	if (strcmp(ua, "POWER_ON_RESET_OCCURRED") == 0)
		take_node(scsi, news, &news->resets);
	if (strcmp(ua, "ASYMMETRIC_ACCESS_STATE_CHANGED") == 0)
		take_node(scsi, news, &news->states);
	if (strcmp(ua, "INQUIRY_DATA_HAS_CHANGED") == 0 ||
	    strcmp(ua, "REPORTED_LUNS_DATA_HAS_CHANGED") == 0)
		take_node(scsi, news, &news->doubted);
	if (strcmp(ua, "CAPACITY_DATA_HAS_CHANGED") == 0)
		take_node(scsi, news, &news->resized);
	if (strcmp(ua, "MODE_PARAMETERS_CHANGED") == 0)
		take_node(scsi, news, &news->modes);
	if (strcmp(ua, "THIN_PROVISIONING_SOFT_THRESHOLD_REACHED") == 0)
		take_node(scsi, news, &news->space);
}

/* Somebody had the kernel look at the disk (rescan), and it has another size now. */
static void take_size(struct udev_device *disk, struct disk_news *news)
{
	const char *resize = udev_device_get_property_value(disk, "RESIZE");
	const char *node = udev_device_get_devnode(disk);

	if (resize && strcmp(resize, "1") == 0 && node)
		news->lost |= !found_disks_add(&news->resized, node, node);
}

static void take_news(struct udev_device *device, struct disk_news *news)
{
	if (strcmp(udev_device_get_subsystem(device), "scsi") == 0) {
		take_attention(device, news);
		return;
	}
	news->disks |= has_come_or_gone(device);
	take_size(device, news);
}

static bool is_readable(struct udev_monitor *monitor)
{
	struct pollfd fd = {.fd = udev_monitor_get_fd(monitor), .events = POLLIN};

	return poll(&fd, 1, 0) == 1 && (fd.revents & POLLIN);
}

/*
 * Is there more, behind a message that libudev has ignored (EAGAIN, as if there were none), or not
 * understood, or behind those that were lost?  Nobody would look again before the next one comes.
 * When memory is short the rest is left for then: it is as good as lost, too.
 */
static bool goes_on(struct udev_monitor *monitor, struct disk_news *news)
{
	bool is_short = shortage_in_errno() != 0;

	news->lost |= is_short || errno == ENOBUFS;
	return !is_short && (errno == ENOBUFS || is_readable(monitor));
}

static void sg_drain(struct disk_monitor *monitor, struct disk_news *news)
{
	struct udev_device *device;

	for (;;) {
		errno = 0;
		device = udev_monitor_receive_device(monitor->monitor);
		if (device)
			take_news(device, news);
		else if (!goes_on(monitor->monitor, news))
			return;
		udev_device_unref(device);
	}
}

const struct disk_finder sg_finder = {
	.find = sg_find,
	.watch = sg_watch,
	.drain = sg_drain,
	.unwatch = sg_unwatch,
};
