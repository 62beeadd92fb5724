/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the word in a table to the disk and its sg node (sg_device.c).  Blocks: workers only.
 */
#ifndef MPATH_SG_DEVICE_H
#define MPATH_SG_DEVICE_H

#include <sys/types.h>

#include "mpath/path.h"
#include "mpath/strbuf.h"

struct sg_disk {
	char name[PATH_NAME_MAX]; /* "sdb" */
	dev_t dev;
	bool unstable_name; /* another disk may have this word after a reboot */
};

/* What is known of a disk that is claimed, so that its name cannot change hands. */
struct sg_node {
	char name[PATH_NAME_MAX]; /* "sg3" */
	dev_t dev;
	unsigned int host; /* the SCSI address: host:channel:target:lun */
	unsigned int channel;
	unsigned int target;
	uint64_t lun;
	unsigned int queue_depth;
	unsigned int can_queue;	     /* of the host */
	bool shares_tags;	     /* no I/O scheduler: the kernel divides the host's tags */
	uint64_t max_transfer_bytes; /* of one command */
	uint32_t transit_ms;	     /* as in struct path_facts */
	uint64_t number;	     /* the disk's, likewise */
	int session;		     /* the number of its iSCSI session, see sg_session.h; or -1 */
	bool read_only;
};

/* "8:16", /dev/sdb, /dev/sg3, /dev/disk/by-id/...  0, or -errno with the reason. */
int sg_disk_resolve(const char *address, struct sg_disk *disk, struct strbuf *reason);

/* The claimed disk's sg node and its limits; loads the module sg when it is missing. */
int sg_node_find(const struct sg_disk *disk, struct sg_node *node, struct strbuf *reason);

/*
 * Which commands are out at the device, whoever sent them (hazards.md H3)?  Its attributes are kept
 * open, so that they stay this device's.
 *
 * device_busy counts a command from its start until the kernel has ended it, and one that has
 * timed out until its abort or the error handling is over.  iorequest_cnt and iodone_cnt, which
 * look like the same, count it as done, or (Linux 6.1) as timed out, when its abort has only begun.
 */
struct sg_counters {
	int busy_fd;
	int blocked_fd;
	int state_fd;
	int host_state_fd;
	int errors_fd;
	int timeouts_fd;
	bool timeouts_uncounted; /* by this kernel: then there is no timeouts_fd */
};

void sg_counters_open(struct sg_counters *counters, const struct sg_disk *disk,
		      const struct sg_node *node);
void sg_counters_close(struct sg_counters *counters);
/* How many; or -EAGAIN: there may be others that are kept back; or -ENODEV. */
int64_t sg_counters_read(const struct sg_counters *counters);
/* How many have ended with an error or timed out, since the kernel knows the device; or -ENODEV. */
int64_t sg_counters_errors(const struct sg_counters *counters);

/* Open /dev/@name and see that it is what it should be.  The fd, or -errno. */
int sg_open_node(const char *name, dev_t dev, mode_t type, int flags);

#endif
