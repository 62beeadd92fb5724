/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What sysfs says of a disk's commands, and what is made of a fact that cannot be had: the next
 * process believes these numbers, so what is not known must not look like nothing.
 */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char here_dir[] = "/tmp/mpath-sg-counters.XXXXXX";
static const char *refused; /* this file cannot be opened ... */
static int refused_error;   /* ... for this reason */

/* A file of sysfs is one of the same name below @here_dir. */
static int open_here(const char *path, int flags)
{
	const char *name = strrchr(path, '/') + 1;
	char here[100];

	if (refused && strcmp(name, refused) == 0) {
		errno = refused_error;
		return -1;
	}
	name = strstr(path, "scsi_host") ? "host_state" : name;
	snprintf(here, sizeof(here), "%s/%s", here_dir, name);
	return open(here, flags);
}

#define open(path, flags) open_here(path, flags)
#include "transports/sg_device.c"
#include "transports/sysfs.c"
#undef open

static void set(const char *name, const char *text)
{
	char path[100];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", here_dir, name);
	file = fopen(path, "w");
	assert(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

static void set_all(void)
{
	set("device_busy", "3\n");
	set("device_blocked", "0\n");
	set("state", "running\n");
	set("host_state", "running\n");
	set("ioerr_cnt", "0x1f\n");
	set("iotmo_cnt", "0x2\n");
	refused = NULL;
}

static int64_t outstanding(int64_t *errors)
{
	const struct sg_disk disk = {.name = "sda"};
	const struct sg_node node = {.host = 7};
	struct sg_counters counters;
	int64_t count;

	sysfs_shortage();
	sg_counters_open(&counters, &disk, &node);
	count = sg_counters_read(&counters);
	*errors = sg_counters_errors(&counters);
	sg_counters_close(&counters);
	return count;
}

static void test_plain(void)
{
	int64_t errors;

	set_all();
	assert(outstanding(&errors) == 3 && errors == 0x1f + 2);
}

/* What the kernel keeps back is in no count. */
static void test_kept_back(void)
{
	static const struct {
		const char *name, *text;
	} signs[] = {
		{"device_blocked", "3\n"},    {"state", "blocked\n"},
		{"state", "created-blocked"}, {"state", "quiesce\n"},
		{"host_state", "recovery\n"}, {"host_state", "cancel/recovery\n"},
	};
	int64_t errors;
	size_t i;

	for (i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
		set_all();
		set(signs[i].name, signs[i].text);
		assert(outstanding(&errors) == -EAGAIN && errors == 0x1f + 2);
	}
	set_all();
	set("state", "transport-offline\n");
	assert(outstanding(&errors) == 3);
}

/* The device has gone, or this process has no file descriptors left: that is noticed. */
static void test_unknown(void)
{
	static const char *const counts[] = {"device_busy", "device_blocked", "state"};
	static const int reasons[] = {ENOENT, EMFILE};
	int64_t errors;
	size_t i;

	for (i = 0; i < 6; i++) {
		set_all();
		refused = counts[i / 2];
		refused_error = reasons[i % 2];
		assert(outstanding(&errors) == -ENODEV);
		assert(sysfs_shortage() == (refused_error == EMFILE ? -EMFILE : 0));
		assert(sysfs_shortage() == 0);
	}
	set_all();
	set("device_busy", "");
	assert(outstanding(&errors) == -ENODEV);
	set_all();
	refused = "ioerr_cnt";
	assert(outstanding(&errors) == 3 && errors == -ENODEV);
}

/* Linux before 6.2 does not count time-outs.  Who cannot read the count does not know that. */
static void test_timeouts(void)
{
	int64_t errors;

	set_all();
	refused = "iotmo_cnt";
	refused_error = ENOENT;
	assert(outstanding(&errors) == 3 && errors == 0x1f);
	refused_error = EMFILE;
	assert(outstanding(&errors) == 3 && errors == -ENODEV);
}

/* What cannot be read now is not taken for what it usually is. */
static void test_limits(void)
{
	static const char *const facts[] = {
		"queue_depth",	"nr_requests",	     "can_queue", "scheduler",
		"max_segments", "max_hw_sectors_kb", "diskseq",	  "ro"};
	const struct sg_disk disk = {.name = "sda"};
	struct sg_node node = {.host = 7};
	size_t i;

	for (i = 0; i < sizeof(facts) / sizeof(facts[0]); i++) {
		refused = facts[i];
		refused_error = EMFILE;
		find_limits(&disk, &node);
		assert(sysfs_shortage() == -EMFILE);
		refused = NULL;
		find_limits(&disk, &node);
		assert(sysfs_shortage() == 0);
	}
}

static void remove_all(void)
{
	DIR *files = opendir(here_dir);
	struct dirent *entry;

	while ((entry = readdir(files)))
		unlinkat(dirfd(files), entry->d_name, 0);
	closedir(files);
	assert(rmdir(here_dir) == 0);
}

int main(void)
{
	assert(mkdtemp(here_dir));
	test_plain();
	test_kept_back();
	test_unknown();
	test_timeouts();
	test_limits();
	remove_all();
	return 0;
}
