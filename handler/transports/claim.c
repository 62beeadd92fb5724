/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Claims (DESIGN D8, hazards.md H12b).
 *
 * While a disk is a path of ours, its /dev/sdX is held open with O_EXCL: mount, device-mapper, md
 * and LVM are refused with "busy" then, and we are refused a disk that one of them holds.  When
 * that happens the reason names the holder, because "busy" alone sends people searching.
 */
#include "transports/claim.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "mpath/list.h"
#include "transports/sysfs.h"

struct claim {
	struct list node;
	dev_t dev;
	char *map;
	unsigned int nr_users;
	int fd;	      /* -1 while it is being opened */
	bool opening; /* others wait on claims_changed */
};

static pthread_mutex_t claims_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t claims_changed = PTHREAD_COND_INITIALIZER;
static struct list claims = {&claims, &claims};

/* --- who holds it? --- */

static bool describe_dm(const char *holder, struct strbuf *out)
{
	char name[128], uuid[160];

	if (!sysfs_read(name, sizeof(name), "/sys/class/block/%s/dm/name", holder))
		return false;
	if (!sysfs_read(uuid, sizeof(uuid), "/sys/class/block/%s/dm/uuid", holder))
		uuid[0] = '\0';
	if (strncmp(uuid, "mpath-", 6) == 0)
		strbuf_printf(out, "it is a path of dm-multipath's %s (%s)", name, holder);
	else if (strncmp(uuid, "LVM-", 4) == 0)
		strbuf_printf(out, "LVM uses it for %s (%s)", name, holder);
	else
		strbuf_printf(out, "device-mapper uses it for %s (%s)", name, holder);
	return true;
}

static bool describe_holder(const char *block, struct strbuf *out)
{
	char holder[PATH_NAME_MAX];

	if (!sysfs_first_entry(holder, sizeof(holder), "/sys/class/block/%s/holders", block))
		return false;
	if (describe_dm(holder, out))
		return true;
	if (strncmp(holder, "md", 2) == 0)
		strbuf_printf(out, "it is part of the md array %s", holder);
	else
		strbuf_printf(out, "%s uses it", holder);
	return true;
}

static bool describe_mount(const char *block, struct strbuf *out)
{
	char line[PATH_MAX + 512], dev[32], source[64];
	bool found = false;
	FILE *file;

	if (!sysfs_read(dev, sizeof(dev), "/sys/class/block/%s/dev", block))
		return false;
	snprintf(source, sizeof(source), " /dev/%s ", block);
	file = fopen("/proc/self/mountinfo", "re");
	if (!file)
		return false;
	while (!found && fgets(line, sizeof(line), file)) {
		char mount_dev[32], where[PATH_MAX];

		if (sscanf(line, "%*s %*s %31s %*s %4095s", mount_dev, where) != 2)
			continue;
		/* btrfs shows a number of its own, but the name of a disk. */
		if (strcmp(mount_dev, dev) != 0 && !strstr(line, source))
			continue;
		strbuf_printf(out, "%s is mounted at %s", block, where);
		found = true;
	}
	fclose(file);
	return found;
}

static bool describe_swap(const char *block, struct strbuf *out)
{
	char line[512], name[256], path[64];
	bool found = false;
	FILE *file = fopen("/proc/swaps", "re");

	if (!file)
		return false;
	snprintf(path, sizeof(path), "/dev/%s", block);
	while (!found && fgets(line, sizeof(line), file))
		found = sscanf(line, "%255s", name) == 1 && strcmp(name, path) == 0;
	fclose(file);
	if (found)
		strbuf_printf(out, "%s is swap space", block);
	return found;
}

static bool describe_block(const char *block, struct strbuf *out)
{
	return describe_holder(block, out) || describe_mount(block, out) ||
	       describe_swap(block, out);
}

static bool describe_partitions(const char *disk, struct strbuf *out)
{
	char path[PATH_MAX];
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	snprintf(path, sizeof(path), "/sys/class/block/%s", disk);
	dir = opendir(path);
	if (!dir)
		return false;
	while (!found && (entry = readdir(dir)))
		if (strncmp(entry->d_name, disk, strlen(disk)) == 0)
			found = describe_block(entry->d_name, out);
	closedir(dir);
	return found;
}

static void describe_user(const char *disk, struct strbuf *out)
{
	strbuf_printf(out, "%s is in use: ", disk);
	if (!describe_block(disk, out) && !describe_partitions(disk, out))
		strbuf_printf(out, "another process, or LIO itself, holds it");
}

static int open_disk(const struct sg_disk *disk, struct strbuf *reason)
{
	int fd = sg_open_node(disk->name, disk->dev, S_IFBLK, O_RDONLY | O_EXCL | O_NONBLOCK);

	switch (fd) {
	case -EBUSY:
		describe_user(disk->name, reason);
		break;
	case -ENOENT:
		strbuf_printf(reason, "there is no /dev/%s: is devtmpfs mounted?", disk->name);
		break;
	case -ENXIO:
	case -ENODEV:
		strbuf_printf(reason, "%s is offline or has gone away", disk->name);
		break;
	default:
		if (fd < 0)
			strbuf_printf(reason, "/dev/%s: %s", disk->name, strerror(-fd));
		break;
	}
	return fd;
}

/* --- the claims of this process --- */

/* Under claims_lock, but not while somebody is at it: open() may hang for long. */
static struct claim *claim_find(dev_t dev)
{
	struct claim *claim;

restart:
	list_for_each_entry(claim, &claims, node) {
		if (claim->dev != dev)
			continue;
		if (!claim->opening)
			return claim;
		pthread_cond_wait(&claims_changed, &claims_lock);
		goto restart;
	}
	return NULL;
}

static void claim_free(struct claim *claim)
{
	free(claim->map);
	free(claim);
}

static struct claim *claim_new(dev_t dev, const char *map)
{
	struct claim *claim = calloc(1, sizeof(*claim));

	if (!claim)
		return NULL;
	claim->dev = dev;
	claim->fd = -1;
	claim->map = strdup(map);
	if (claim->map)
		return claim;
	claim_free(claim);
	return NULL;
}

static int claim_share(struct claim *claim, const struct sg_disk *disk, const char *map,
		       struct strbuf *reason)
{
	if (strcmp(claim->map, map) != 0) {
		strbuf_printf(reason, "%s is in use: it is a path of our map %s", disk->name,
			      claim->map);
		return -EBUSY;
	}
	claim->nr_users++;
	return 0;
}

/* Under claims_lock, which is dropped while the disk is opened. */
static int claim_open(struct claim *claim, const struct sg_disk *disk, struct strbuf *reason)
{
	claim->opening = true;
	list_push_back(&claims, &claim->node);
	pthread_mutex_unlock(&claims_lock);
	claim->fd = open_disk(disk, reason);
	pthread_mutex_lock(&claims_lock);
	claim->opening = false;
	claim->nr_users = 1;
	pthread_cond_broadcast(&claims_changed);
	if (claim->fd >= 0)
		return 0;
	list_del(&claim->node);
	return claim->fd;
}

int claim_take(const struct sg_disk *disk, const char *map, struct claim **claim,
	       struct strbuf *reason)
{
	struct claim *fresh = claim_new(disk->dev, map);
	int err;

	if (!fresh) {
		strbuf_printf(reason, "out of memory");
		return -ENOMEM;
	}
	pthread_mutex_lock(&claims_lock);
	*claim = claim_find(disk->dev);
	if (*claim) {
		err = claim_share(*claim, disk, map, reason);
		if (err)
			*claim = NULL; /* the other map's, and not to be released by us */
	} else {
		err = claim_open(fresh, disk, reason);
		if (!err) {
			*claim = fresh;
			fresh = NULL;
		}
	}
	pthread_mutex_unlock(&claims_lock);
	if (fresh)
		claim_free(fresh);
	return err;
}

void claim_release(struct claim *claim)
{
	bool last;

	pthread_mutex_lock(&claims_lock);
	last = --claim->nr_users == 0;
	/* Others wait until the fd is closed: before that their open would find it busy. */
	claim->opening = last;
	pthread_mutex_unlock(&claims_lock);
	if (!last)
		return;
	close(claim->fd);
	pthread_mutex_lock(&claims_lock);
	list_del(&claim->node);
	pthread_cond_broadcast(&claims_changed);
	pthread_mutex_unlock(&claims_lock);
	claim_free(claim);
}
