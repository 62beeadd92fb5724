/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The share of a host adapter that a path may have, and the names that are refused on any machine.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "mpath/path_transport.h"
#include "transports/sg_host.h"

/* As many as the host takes, for a link that is alone, but for an eighth. */
static unsigned int fill(struct sg_host *host, bool is_probe)
{
	unsigned int mine = 0;

	while (sg_host_enter(host, mine, is_probe))
		mine++;
	return mine;
}

static void test_alone(void)
{
	struct sg_host *host = sg_host_get(1, 128);
	unsigned int probes;

	assert(host && fill(host, false) == 112);
	probes = fill(host, true);
	assert(probes == 8); /* its own state can still be asked for, and some is left to others */
	assert(!sg_host_enter(host, 112, false));
	sg_host_leave(host, 112 + probes);
	assert(fill(host, false) == 112);
	sg_host_leave(host, 112);
	sg_host_put(host);
}

/* Paths whose commands all hang leave something to the next one, however many they are. */
static void test_hogs(void)
{
	struct sg_host *links[6], *other;
	unsigned int taken[6], sum = 0, i;

	for (i = 0; i < 6; i++)
		links[i] = sg_host_get(2, 128);
	other = sg_host_get(3, 128);
	assert(links[0] == links[5] && links[0] != other);
	for (i = 0; i < 6; i++) {
		taken[i] = fill(links[i], false);
		assert(taken[i] > 0);
		sum += taken[i];
	}
	assert(taken[0] > taken[1] && sum < 112);
	assert(fill(other, false) == 112); /* another host is another matter */
	sg_host_leave(other, 112);
	sg_host_leave(links[0], sum);
	for (i = 0; i < 6; i++)
		sg_host_put(links[i]);
	sg_host_put(other);
}

/* A host for one command at a time carries one. */
static void test_small_host(void)
{
	struct sg_host *host = sg_host_get(4, 1);
	struct sg_host *second = sg_host_get(4, 1);

	assert(fill(host, false) == 1 && fill(second, true) == 0);
	sg_host_leave(host, 1);
	assert(fill(second, true) == 1);
	sg_host_leave(host, 1);
	assert(sg_host_share(host) == 4); /* the kernel's least */
	sg_host_put(second);
	sg_host_put(host);
}

/* Without an I/O scheduler the kernel divides the tags among the disks in use. */
static void test_shares(void)
{
	struct sg_host *host = sg_host_get(5, 128);

	assert(sg_host_share(host) == 128);
	sg_host_set_active(host, true);
	assert(sg_host_share(host) == 64);
	sg_host_set_active(host, true);
	sg_host_set_active(host, true);
	assert(sg_host_share(host) == 32);
	sg_host_set_active(host, false);
	assert(sg_host_share(host) == 42);
	sg_host_put(host);
}

static void refused(const char *address, int err, const char *reason)
{
	const struct link_request request = {.map = "m", .address = address};
	struct path_facts facts;
	struct path_link *link;
	struct strbuf words;
	char text[PATH_REASON_MAX];
	int got;

	strbuf_init(&words, text, sizeof(text));
	got = sg_transport.open(&request, &link, &facts, &words);
	if (got != err || strcmp(text, reason) != 0)
		fprintf(stderr, "%s: %d %s\n", address, got, text);
	assert(got == err && strcmp(text, reason) == 0);
}

static void test_refused(void)
{
	refused("/dev/no-such-disk", -ENOENT, "/dev/no-such-disk: no such device");
	refused("/dev/null", -ENOTBLK, "/dev/null is not a disk");
	refused("/dev/null/sda", -ENOTDIR, "/dev/null/sda: Not a directory");
	refused("/etc/passwd", -ENOTBLK, "/etc/passwd is not a disk");
	refused("/", -ENOTBLK, "/ is not a disk");
	refused("1023:99999", -ENODEV, "1023:99999: no such device");
	refused("8:1x", -ENOENT, "8:1x: no such device");
	refused("", -ENOENT, ": no such device");
}

int main(void)
{
	test_alone();
	test_hogs();
	test_small_host();
	test_shares();
	test_refused();
	return 0;
}
