/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the word in a table to the disk and its sg node.
 *
 * The word may be a number (8:16), a disk (/dev/sdb), its sg node (/dev/sg3) or any symbolic link
 * to one of them.  It is looked up anew at each open, because the kernel hands out sdX and sgN in
 * the order in which devices appear.
 */
#include "transports/sg_device.h"

#include <errno.h>
#include <fcntl.h>
#include <libkmod.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "transports/sg_session.h"
#include "transports/sysfs.h"

#define SCSI_GENERIC_MAJOR 21
#define SCSI_TYPE_DISK	   0
#define NODE_WAIT_MS	   2000 /* for the kernel to make the nodes of a module just loaded */
#define PAGE_BYTES	   4096u
#define SG_TRANSFER_MAX	   (IOV_MAX * PAGE_BYTES) /* TCMU may hand a command over page by page */

/* --- the word --- */

static bool parse_dev(const char *text, dev_t *dev)
{
	unsigned int maj, min;
	char end;

	if (sscanf(text, "%u:%u%c", &maj, &min, &end) != 2)
		return false;
	*dev = makedev(maj, min);
	return true;
}

/* Symbolic links are made by udev from what the disk says of itself; other names by the kernel. */
static bool name_is_unstable(const char *path)
{
	struct stat st;

	if (strncmp(path, "/dev/block/", 11) == 0 || strncmp(path, "/dev/char/", 10) == 0)
		return true;
	return lstat(path, &st) == 0 && !S_ISLNK(st.st_mode);
}

static int disk_from_block(dev_t dev, const char *address, struct sg_disk *disk,
			   struct strbuf *reason)
{
	char subsystem[32];

	if (!sysfs_read_link(disk->name, sizeof(disk->name), "/sys/dev/block/%u:%u", major(dev),
			     minor(dev))) {
		strbuf_printf(reason, "%s: no such device", address);
		return -ENODEV;
	}
	disk->dev = dev;
	if (sysfs_exists("/sys/class/block/%s/partition", disk->name)) {
		strbuf_printf(reason, "%s is a partition: name the whole disk", disk->name);
		return -ENOTBLK;
	}
	if (!sysfs_read_link(subsystem, sizeof(subsystem), "/sys/class/block/%s/device/subsystem",
			     disk->name) ||
	    strcmp(subsystem, "scsi") != 0) {
		strbuf_printf(reason, "%s is not a SCSI device", disk->name);
		return -ENOTBLK;
	}
	return 0;
}

static int disk_from_sg(dev_t dev, const char *address, struct sg_disk *disk, struct strbuf *reason)
{
	char sg[PATH_NAME_MAX], name[PATH_NAME_MAX], text[32];
	dev_t block;

	if (!sysfs_read_link(sg, sizeof(sg), "/sys/dev/char/%u:%u", major(dev), minor(dev))) {
		strbuf_printf(reason, "%s: no such device", address);
		return -ENODEV;
	}
	if (!sysfs_first_entry(name, sizeof(name), "/sys/class/scsi_generic/%s/device/block", sg) ||
	    !sysfs_read(text, sizeof(text), "/sys/class/block/%s/dev", name) ||
	    !parse_dev(text, &block)) {
		strbuf_printf(reason, "%s is not a disk", sg);
		return -ENOTBLK;
	}
	return disk_from_block(block, address, disk, reason);
}

int sg_disk_resolve(const char *address, struct sg_disk *disk, struct strbuf *reason)
{
	struct stat st;
	dev_t dev;

	*disk = (struct sg_disk){0};
	if (parse_dev(address, &dev)) {
		disk->unstable_name = true;
		return disk_from_block(dev, address, disk, reason);
	}
	if (stat(address, &st)) {
		int err = errno;

		if (err == ENOENT)
			strbuf_printf(reason, "%s: no such device", address);
		else
			strbuf_printf(reason, "%s: %s", address, strerror(err));
		return -err;
	}
	disk->unstable_name = name_is_unstable(address);
	if (S_ISBLK(st.st_mode))
		return disk_from_block(st.st_rdev, address, disk, reason);
	if (S_ISCHR(st.st_mode) && major(st.st_rdev) == SCSI_GENERIC_MAJOR)
		return disk_from_sg(st.st_rdev, address, disk, reason);
	strbuf_printf(reason, "%s is not a disk", address);
	return -ENOTBLK;
}

/* --- the sg node --- */

static void sleep_ms(unsigned int ms)
{
	struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

	nanosleep(&ts, NULL);
}

static int load_module_sg(struct strbuf *reason)
{
	struct kmod_list *list = NULL, *entry;
	struct kmod_ctx *ctx = kmod_new(NULL, NULL);
	int err = ctx ? kmod_module_new_from_lookup(ctx, "sg", &list) : -ENOMEM;

	if (!err && !list)
		err = -ENOENT;
	kmod_list_foreach(entry, list) {
		struct kmod_module *module = kmod_module_get_module(entry);

		if (!err)
			err = kmod_module_probe_insert_module(module, 0, NULL, NULL, NULL, NULL);
		kmod_module_unref(module);
	}
	kmod_module_unref_list(list);
	if (ctx)
		kmod_unref(ctx);
	if (err)
		strbuf_printf(reason, "the kernel module sg cannot be loaded: %s", strerror(-err));
	return err;
}

static bool find_sg_name(const struct sg_disk *disk, struct sg_node *node)
{
	return sysfs_first_entry(node->name, sizeof(node->name),
				 "/sys/class/block/%s/device/scsi_generic", disk->name);
}

static int find_sg(const struct sg_disk *disk, struct sg_node *node, struct strbuf *reason)
{
	unsigned int waited_ms;
	char text[32];
	int err;

	if (!sysfs_exists("/sys/class/scsi_generic")) {
		err = load_module_sg(reason);
		if (err)
			return err;
	}
	for (waited_ms = 0; !find_sg_name(disk, node) && waited_ms < NODE_WAIT_MS; waited_ms += 20)
		sleep_ms(20);
	if (!node->name[0] ||
	    !sysfs_read(text, sizeof(text), "/sys/class/scsi_generic/%s/dev", node->name) ||
	    !parse_dev(text, &node->dev)) {
		strbuf_printf(reason, "%s has no sg node", disk->name);
		return -ENODEV;
	}
	for (waited_ms = 0; waited_ms < NODE_WAIT_MS; waited_ms += 20) {
		char path[64];

		snprintf(path, sizeof(path), "/dev/%s", node->name);
		if (access(path, F_OK) == 0)
			return 0;
		sleep_ms(20);
	}
	strbuf_printf(reason, "there is no /dev/%s: is devtmpfs mounted?", node->name);
	return -ENODEV;
}

static int find_address(const struct sg_disk *disk, struct sg_node *node, struct strbuf *reason)
{
	char hctl[64];
	unsigned long long lun;

	if (!sysfs_read_link(hctl, sizeof(hctl), "/sys/class/block/%s/device", disk->name) ||
	    sscanf(hctl, "%u:%u:%u:%llu", &node->host, &node->channel, &node->target, &lun) != 4) {
		strbuf_printf(reason, "%s has gone away", disk->name);
		return -ENODEV;
	}
	node->lun = lun;
	return 0;
}

/* --- the way --- */

/* Linux's limits of a retransmission timer: it doubles nine times from the one to the other. */
#define TCP_RTO_MIN_MS 200
#define TCP_RTO_MAX_MS 120000
#define TCP_DOUBLINGS  9

/*
 * iscsid closes the socket of a lost connection, and the kernel goes on to send what is in it: it
 * gives up when retransmission has taken as long as so many exponential backoffs would (ip-sysctl,
 * tcp_orphan_retries, where 0 means 8).  Should the network come back meanwhile, a write in there
 * reaches the target, until a new session has ended the old one.  An adapter that has its own iSCSI
 * does not tell; it is taken to do as Linux by default.
 */
static uint32_t tcp_transit_ms(bool in_kernel)
{
	uint64_t retries = 0;

	if (in_kernel)
		sysfs_read_number(&retries, "/proc/sys/net/ipv4/tcp_orphan_retries");
	if (!retries)
		retries = 8;
	if (retries <= TCP_DOUBLINGS)
		return ((2u << retries) - 1) * TCP_RTO_MIN_MS;
	if (retries > UINT8_MAX) /* more than TCP itself can count */
		retries = UINT8_MAX;
	return ((2u << TCP_DOUBLINGS) - 1) * TCP_RTO_MIN_MS +
	       (uint32_t)(retries - TCP_DOUBLINGS) * TCP_RTO_MAX_MS;
}

/* FC-FS: no fabric delivers a frame later than R_A_TOV. */
#define FC_R_A_TOV_MS 10000

/*
 * Which way do commands take?  sysfs shows it in the device's place.  Elsewhere (SAS, and what has
 * its target in this machine) a command that the adapter has ended is not on its way any more.
 */
static uint32_t transit_ms(const char *disk, bool has_session)
{
	char place[PATH_MAX];

	if (!sysfs_place(disk, place))
		return FC_R_A_TOV_MS; /* nobody can tell */
	if (strstr(place, "/session"))
		return tcp_transit_ms(has_session);
	return strstr(place, "/rport-") ? FC_R_A_TOV_MS : 0;
}

/* --- limits --- */

static uint64_t number_or(uint64_t otherwise, const char *disk, const char *file)
{
	uint64_t number;

	if (!sysfs_read_number(&number, "/sys/class/block/%s/%s", disk, file))
		return otherwise;
	return number;
}

/*
 * sg collects a command's data in pages of its own.  They are counted as one segment each: sg's
 * larger elements become single pages when memory is fragmented, and an adapter with a DMA boundary
 * (tcm_loop's is a page, and sysfs does not tell) splits them anyway.  One segment too many is
 * EINVAL.
 */
static uint64_t max_transfer_bytes(const char *disk)
{
	uint64_t bytes = number_or(512, disk, "queue/max_hw_sectors_kb") * 1024;
	uint64_t segments = number_or(128, disk, "queue/max_segments");

	if (bytes > segments * PAGE_BYTES)
		bytes = segments * PAGE_BYTES;
	return bytes < SG_TRANSFER_MAX ? bytes : SG_TRANSFER_MAX;
}

static void find_limits(const struct sg_disk *disk, struct sg_node *node)
{
	uint64_t depth = number_or(1, disk->name, "device/queue_depth");
	uint64_t requests = number_or(128, disk->name, "queue/nr_requests");
	uint64_t can_queue;
	char scheduler[128];

	if (!sysfs_read_number(&can_queue, "/sys/class/scsi_host/host%u/can_queue", node->host))
		can_queue = depth;
	/* Over either of these write() would sleep (H8). */
	if (depth > requests)
		depth = requests;
	if (depth > can_queue)
		depth = can_queue;
	node->queue_depth = depth ? (unsigned int)depth : 1;
	node->can_queue = can_queue ? (unsigned int)can_queue : 1;
	node->shares_tags = sysfs_read(scheduler, sizeof(scheduler),
				       "/sys/class/block/%s/queue/scheduler", disk->name) &&
			    (strstr(scheduler, "[none]") || strcmp(scheduler, "none") == 0);
	node->max_transfer_bytes = max_transfer_bytes(disk->name);
	node->session = sg_session_of(disk->name, node->host);
	node->transit_ms = transit_ms(disk->name, node->session >= 0);
	node->read_only = number_or(0, disk->name, "ro") != 0;
	node->number = number_or(0, disk->name, "diskseq");
}

int sg_node_find(const struct sg_disk *disk, struct sg_node *node, struct strbuf *reason)
{
	int err;

	*node = (struct sg_node){0};
	if (number_or(SCSI_TYPE_DISK, disk->name, "device/type") != SCSI_TYPE_DISK) {
		strbuf_printf(reason, "%s is not a disk", disk->name);
		return -ENOTBLK;
	}
	err = find_address(disk, node, reason);
	if (err)
		return err;
	err = find_sg(disk, node, reason);
	if (err)
		return err;
	find_limits(disk, node);
	return 0;
}

/* --- commands that are out --- */

static int open_fact(const struct sg_disk *disk, const char *name)
{
	return sysfs_open("/sys/class/block/%s/device/%s", disk->name, name);
}

void sg_counters_open(struct sg_counters *counters, const struct sg_disk *disk,
		      const struct sg_node *node)
{
	counters->busy_fd = open_fact(disk, "device_busy");
	counters->blocked_fd = open_fact(disk, "device_blocked");
	counters->state_fd = open_fact(disk, "state");
	counters->host_state_fd = sysfs_open("/sys/class/scsi_host/host%u/state", node->host);
	counters->errors_fd = open_fact(disk, "ioerr_cnt");
	counters->timeouts_fd = open_fact(disk, "iotmo_cnt");
	counters->timeouts_uncounted = counters->timeouts_fd == -ENOENT;
}

static void close_fact(int fd)
{
	if (fd >= 0)
		close(fd);
}

void sg_counters_close(struct sg_counters *counters)
{
	close_fact(counters->busy_fd);
	close_fact(counters->blocked_fd);
	close_fact(counters->state_fd);
	close_fact(counters->host_state_fd);
	close_fact(counters->errors_fd);
	close_fact(counters->timeouts_fd);
}

static bool read_fact(int fd, char text[32])
{
	ssize_t n = pread(fd, text, 31, 0);

	if (n <= 0)
		return false;
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return true;
}

static bool read_count(int fd, int64_t *count)
{
	char text[32];

	if (!read_fact(fd, text))
		return false;
	*count = strtoll(text, NULL, 0); /* some are hexadecimal: "0x1f" */
	return true;
}

/*
 * Are commands kept back in the block layer, where no count shows them?  So it is while the device
 * is blocked (a remote port that is lost, but not given up yet) or said that it is busy, and while
 * its host is in error handling.
 */
static bool keeps_back(const char *device_state, const char *host_state, int64_t blocked)
{
	return strstr(device_state, "blocked") || strcmp(device_state, "quiesce") == 0 ||
	       strstr(host_state, "recovery") || blocked > 0;
}

/*
 * The commands first: what is kept back now may have been with the device then, but what was kept
 * back before is seen in one place or in the other.
 */
int64_t sg_counters_read(const struct sg_counters *counters)
{
	char device_state[32], host_state[32];
	int64_t before, busy, after;

	if (!read_count(counters->blocked_fd, &before) || !read_count(counters->busy_fd, &busy) ||
	    !read_count(counters->blocked_fd, &after) ||
	    !read_fact(counters->state_fd, device_state) ||
	    !read_fact(counters->host_state_fd, host_state))
		return -ENODEV;
	return keeps_back(device_state, host_state, before + after) ? -EAGAIN : busy;
}

int64_t sg_counters_errors(const struct sg_counters *counters)
{
	int64_t errors, timeouts = 0;

	if (!read_count(counters->errors_fd, &errors) ||
	    (!counters->timeouts_uncounted && !read_count(counters->timeouts_fd, &timeouts)))
		return -ENODEV;
	return errors + timeouts;
}

int sg_open_node(const char *name, dev_t dev, mode_t type, int flags)
{
	char path[64];
	struct stat st;
	int err, fd;

	snprintf(path, sizeof(path), "/dev/%s", name);
	fd = open(path, flags | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st))
		err = -errno;
	else if ((st.st_mode & S_IFMT) != type || st.st_rdev != dev)
		err = -ENODEV; /* the name has changed hands since it was looked up */
	else
		return fd;
	close(fd);
	return err;
}
