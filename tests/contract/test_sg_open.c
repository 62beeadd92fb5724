/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sg's open when this process has no file descriptor left for a fact: what cannot be read looks
 * like what is not there, and would be believed as long as the link is open.  The disk is played
 * here.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <scsi/sg.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "transports/sg_device.h"

static int ioctl_here(int fd, unsigned long what, ...)
{
	va_list args;

	(void)fd;
	va_start(args, what);
	if (what == SG_GET_SCSI_ID)
		*va_arg(args, struct sg_scsi_id *) = (struct sg_scsi_id){.host_no = 7};
	va_end(args);
	return 0;
}

#define ioctl ioctl_here
#include "transports/sg.c"
#undef ioctl
#include "transports/sysfs.h"

/* --- the disk --- */

static bool short_of_files, is_named_by_sg;
static unsigned int nr_claims;

static bool read_some_fact(uint64_t *number);

/* Which disk belongs to an sg node stands in sysfs; other words need no descriptor. */
int sg_disk_resolve(const char *address, struct sg_disk *disk, struct strbuf *reason)
{
	uint64_t number;

	(void)address;
	*disk = (struct sg_disk){.name = "sda"};
	if (!is_named_by_sg || read_some_fact(&number))
		return 0;
	strbuf_printf(reason, "sg0 is not a disk");
	return -ENOTBLK;
}

int claim_take(const struct sg_disk *disk, const char *map, struct claim **claim,
	       struct strbuf *reason)
{
	(void)disk;
	(void)map;
	(void)reason;
	*claim = (struct claim *)&nr_claims;
	nr_claims++;
	return 0;
}

void claim_release(struct claim *claim)
{
	assert(claim == (struct claim *)&nr_claims);
	nr_claims--;
}

/* In all others' stead: one fact that can be read everywhere, if there is an fd for it. */
static bool read_some_fact(uint64_t *number)
{
	struct rlimit limit, few;
	uint64_t ignored;
	bool is_read;

	assert(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	few = limit;
	few.rlim_cur = 0;
	assert(!short_of_files || setrlimit(RLIMIT_NOFILE, &few) == 0);
	is_read = sysfs_read_number(number, "/proc/sys/kernel/pid_max");
	assert(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	assert(is_read == !short_of_files);
	assert(!sysfs_read_number(&ignored, "/sys/class/block/%s/no_such_fact", "sda"));
	return is_read;
}

int sg_node_find(const struct sg_disk *disk, struct sg_node *node, struct strbuf *reason)
{
	uint64_t number;

	(void)disk;
	(void)reason;
	*node = (struct sg_node){.name = "sg0", .host = 7, .queue_depth = 32, .session = -1};
	node->can_queue = read_some_fact(&number) && number > 1 ? 64 : 1;
	return 0;
}

int sg_open_node(const char *name, dev_t dev, mode_t type, int flags)
{
	(void)name;
	(void)dev;
	(void)type;
	return open("/dev/null", flags);
}

void sg_counters_open(struct sg_counters *counters, const struct sg_disk *disk,
		      const struct sg_node *node)
{
	(void)counters;
	(void)disk;
	(void)node;
}

void sg_counters_close(struct sg_counters *counters)
{
	(void)counters;
}

int64_t sg_counters_read(const struct sg_counters *counters)
{
	(void)counters;
	return 0;
}

int64_t sg_counters_errors(const struct sg_counters *counters)
{
	(void)counters;
	return 0;
}

/* --- the tests --- */

static int open_link(struct path_link **link, struct path_facts *facts, struct strbuf *reason)
{
	static const struct link_events no_events;
	const struct link_request request = {
		.address = "/dev/sda", .map = "m", .events = &no_events};

	return sg_transport.open(&request, link, facts, reason);
}

static void expect_open(void)
{
	char words[200];
	struct path_facts facts;
	struct path_link *link;
	struct strbuf reason;

	strbuf_init(&reason, words, sizeof(words));
	assert(open_link(&link, &facts, &reason) == 0);
	assert(nr_claims == 1 && facts.queue_depth == 31 && sg_host_share(link->host) == 64);
	link_close_all(link);
	free(link);
	assert(nr_claims == 0);
}

/* Once it is over, nothing reminds of it: the host, too, is known as it is. */
static void test_short_of_files(void)
{
	char words[200];
	struct path_facts facts;
	struct path_link *link;
	struct strbuf reason;

	strbuf_init(&reason, words, sizeof(words));
	short_of_files = true;
	assert(open_link(&link, &facts, &reason) == -EMFILE);
	short_of_files = false;
	assert(strcmp(words, "not all is known of sda: Too many open files") == 0);
	assert(nr_claims == 0);
	expect_open();
}

/* What was not found may be there: that no file could be opened is why. */
static void test_not_found_for_want_of_files(void)
{
	char words[200];
	struct path_facts facts;
	struct path_link *link;
	struct strbuf reason;

	strbuf_init(&reason, words, sizeof(words));
	is_named_by_sg = short_of_files = true;
	assert(open_link(&link, &facts, &reason) == -EMFILE);
	short_of_files = false;
	assert(strcmp(words, "sg0 is not a disk: Too many open files") == 0);
	expect_open();
	is_named_by_sg = false;
}

int main(void)
{
	expect_open();
	test_short_of_files();
	test_not_found_for_want_of_files();
	return 0;
}
