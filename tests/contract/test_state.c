/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is kept of a map: it comes back as it was, or not at all.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/state.h"

static char dir[] = "/tmp/mpath-state.XXXXXX";
static char text[16384]; /* of the file */
static char why[200];
static struct strbuf error;

static struct lun_facts some_lun(void)
{
	struct lun_facts lun = {
		.known = true,
		.nr_blocks = 0x123456789abcull,
		.block_size = 4096,
		.inquiry_len = 36,
		.nr_vpd_pages = 3,
		.vpd_pages = {0x00, 0x80, 0x83},
		.limits = {.len = 60, .data = {[0] = 1, [59] = 0xff}},
		.thin = {.len = 4, .data = {0xe0, 2, 3, 4}},
		.serial = {.len = 3, .data = "S 1"},
		.designators = {.len = LUN_NAMES_MAX, .data = {1, 3, [LUN_NAMES_MAX - 1] = 9}},
	};
	unsigned int i;

	for (i = 0; i < sizeof(lun.inquiry); i++)
		lun.inquiry[i] = (uint8_t)(i < lun.inquiry_len ? i * 7 : 0);
	for (i = 0; i < sizeof(lun.capacity); i++)
		lun.capacity[i] = (uint8_t)~i;
	strcpy(lun.wwid, "3600 \\odd=\"wwid\"; [x] ");
	strcpy(lun.local_name, "33333333300000001");
	return lun;
}

static struct kept kept(void)
{
	struct kept k = {
		.backstore = "4b3c \\ 17",
		.memory = {.queueing = MEMORY_QUEUEING_OFF,
			   .current_group = 0x123456789abcdef0,
			   .fence_end_ns = UINT64_MAX - 1,
			   .slow_end_ns = 4711,
			   .nr_failed = MEMORY_PATHS_MAX,
			   .nr_disabled = 2,
			   .disabled = {1, UINT64_MAX},
			   .array_reserves = true,
			   .former_blocks = UINT64_MAX,
			   .suspended = true,
			   .nr_news = MEMORY_NEWS_MAX,
			   .transit_ms = UINT32_MAX,
			   .timeout_ms = 20000,
			   .nr_disks = MEMORY_DISKS_MAX},
	};
	unsigned int i;

	k.lun = some_lun();
	for (i = 0; i < MEMORY_PATHS_MAX; i++)
		k.memory.failed[i] = i;
	for (i = 0; i < MEMORY_DISKS_MAX; i++)
		k.memory.disks[i] = UINT64_MAX - i;
	for (i = 0; i < MEMORY_NEWS_MAX; i++) {
		k.memory.news[i].len = (uint8_t)(SCSI_SENSE_MAX - i);
		memset(k.memory.news[i].sense, (int)(0x70 + i), k.memory.news[i].len);
	}
	return k;
}

static int load(const char *name, struct kept *k)
{
	strbuf_init(&error, why, sizeof(why));
	return state_load(name, k, &error);
}

static char *path_of(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static size_t read_file(const char *name)
{
	int fd = open(path_of(name), O_RDONLY);
	ssize_t n = read(fd, text, sizeof(text) - 1);

	assert(fd >= 0 && n > 0);
	close(fd);
	text[n] = '\0';
	return (size_t)n;
}

static void write_file(const char *name, const char *data, size_t len)
{
	int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert(fd >= 0 && write(fd, data, len) == (ssize_t)len);
	close(fd);
}

/* Another word in the file's text, under a new checksum. */
static void change_text(const char *old, const char *new)
{
	char *at = strstr(text, old), *sum;
	char *end = g_strrstr(text, "sha256=");
	GString *changed;

	assert(at && end && at < end);
	*end = '\0';
	changed = g_string_new_len(text, at - text);
	g_string_append_printf(changed, "%s%s", new, at + strlen(old));
	sum = g_compute_checksum_for_string(G_CHECKSUM_SHA256, changed->str, -1);
	g_string_append_printf(changed, "sha256=%s\n", sum);
	assert(changed->len < sizeof(text));
	strcpy(text, changed->str);
	g_free(sum);
	g_string_free(changed, TRUE);
}

/* Every field comes back, whatever its bytes. */
static void test_round_trip(void)
{
	struct kept k = kept(), back;
	struct lun_facts *lun = &k.lun;
	struct stat st;

	assert(load("map", &back) == -ENOENT);
	assert(state_save("map", &k) == 0);
	memset(&back, 0xee, sizeof(back));
	assert(load("map", &back) == 0);
	assert(strcmp(lun->wwid, back.lun.wwid) == 0);
	assert(strcmp(lun->local_name, back.lun.local_name) == 0);
	assert(back.lun.known && back.lun.nr_blocks == lun->nr_blocks &&
	       back.lun.block_size == lun->block_size);
	assert(back.lun.inquiry_len == 36 && memcmp(back.lun.inquiry, lun->inquiry, 96) == 0);
	assert(memcmp(back.lun.capacity, lun->capacity, sizeof(lun->capacity)) == 0);
	assert(back.lun.nr_vpd_pages == 3 && memcmp(back.lun.vpd_pages, lun->vpd_pages, 64) == 0);
	assert(memcmp(&back.lun.limits, &lun->limits, sizeof(lun->limits)) == 0);
	assert(back.lun.features.len == 0);
	assert(memcmp(&back.lun.thin, &lun->thin, sizeof(lun->thin)) == 0);
	assert(memcmp(&back.lun.serial, &lun->serial, sizeof(lun->serial)) == 0);
	assert(memcmp(&back.lun.designators, &lun->designators, sizeof(lun->designators)) == 0);
	assert(strcmp(back.backstore, k.backstore) == 0);
	assert(memcmp(&back.memory, &k.memory, sizeof(k.memory)) == 0);
	assert(stat(path_of("map"), &st) == 0 && (st.st_mode & 0777) == 0600);

	lun->serial.len = 0; /* without identity=array */
	strcpy(lun->wwid, "other");
	lun->local_name[0] = '\0';
	assert(state_save("map", &k) == 0 && load("map", &back) == 0);
	assert(strcmp(back.lun.wwid, "other") == 0 && back.lun.serial.len == 0);
	assert(back.lun.local_name[0] == '\0');
	assert(access(path_of("map.tmp~"), F_OK) != 0);
}

/* A map that never saw its LUN may have been told something all the same. */
static void test_without_a_lun(void)
{
	struct kept k = kept(), back;

	k.lun = (struct lun_facts){0};
	k.memory = (struct mpath_memory){.queueing = MEMORY_QUEUEING_ON};
	assert(state_save("map", &k) == 0 && load("map", &back) == 0);
	assert(!back.lun.known && back.memory.queueing == MEMORY_QUEUEING_ON);
	assert(back.memory.current_group == 0 && back.memory.nr_failed == 0);
}

/* Cut at any byte, or with any byte changed: it is not believed, and the reason says why. */
static void test_damage(void)
{
	struct kept k = kept(), back;
	static char copy[16384];
	size_t len, i;

	k.memory.nr_failed = 2; /* or it would take long */
	k.memory.nr_disks = 2;
	assert(state_save("map", &k) == 0);
	len = read_file("map");
	memcpy(copy, text, len);
	for (i = 0; i < len; i++) {
		write_file("map", copy, i);
		assert(load("map", &back) == -EINVAL && error.len > 0);
	}
	for (i = 0; i < len; i++) {
		copy[i] ^= 0x01;
		write_file("map", copy, len);
		assert(load("map", &back) == -EINVAL && error.len > 0);
		copy[i] ^= 0x01;
	}
	write_file("map", copy, len);
	assert(load("map", &back) == 0);
	write_file("map", "\0\0\0\0", 4);
	assert(load("map", &back) == -EINVAL);
	assert(strcmp(why, "its checksum is wrong") == 0);
}

/* Right by its checksum, but not what this version writes: the reason says so. */
static void test_not_understood(void)
{
	static const struct {
		const char *old, *new, *why;
	} changes[] = {
		{"version=1", "version=2", "its version is 2, expected 1"},
		{"[state]", "[other]", "its version is 0, expected 1"},
		{"[state]", "state", "it is no key file"},
		{"queueing=off", "queueing=yes", "a value is missing or not understood"},
		{"nr_blocks=", "nr_block=", "a value is missing or not understood"},
		{"[set]", "[sat]", "a value is missing or not understood"},
		{"0000000000000001 ffff", "0000000000000001  ffff",
		 "a value is missing or not understood"},
		{"slow_end_ns=", "slow_end_ns=soon", "a value is missing or not understood"},
		{"fence_end_ns=", "fence_end_ns=soon", "a value is missing or not understood"},
		{"fence_end_ns=18446744073709551614",
		 "fence_end_ns=", "a value is missing or not understood"},
		{"used_disks=", "used_disks=sda ", "a value is missing or not understood"},
		{"used_disks=", "used_disks=0000000000000001 ",
		 "a value is missing or not understood"},
		{"used_transit_ms=4294967295", "used_transit_ms=4294967296",
		 "a value is missing or not understood"},
		{"used_timeout_ms=20000", "used_timeout_ms=20 s",
		 "a value is missing or not understood"},
		{"array_reserves=1", "array_reserves=2", "a value is missing or not understood"},
		{"suspended=1", "suspended=no", "a value is missing or not understood"},
		{"former_blocks=18446744073709551615", "former_blocks=many",
		 "a value is missing or not understood"},
		{"news_3=72", "news_3=7x", "a value is missing or not understood"},
		{"news_1=70", "news_1=7070", "a value is missing or not understood"},
		{"failed_paths=", "failed_paths=0123456789abcdef ",
		 "a value is missing or not understood"},
	};
	struct kept k = kept(), back;
	size_t i;

	for (i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		assert(state_save("map", &k) == 0);
		read_file("map");
		change_text(changes[i].old, changes[i].new);
		write_file("map", text, strlen(text));
		assert(load("map", &back) == -EINVAL);
		if (strcmp(why, changes[i].why) != 0) {
			fprintf(stderr, "%s: %s\n", changes[i].new, why);
			abort();
		}
	}
}

/* Written before there were fences, or words for the disks in use or reservations: as good as ever.
 */
static void test_earlier_versions(void)
{
	struct kept k = kept(), back;

	k.memory.nr_disks = 1;
	assert(state_save("map", &k) == 0);
	read_file("map");
	change_text("suspended=1\n", "");
	change_text("array_reserves=1\nformer_blocks=18446744073709551615\n", "");
	change_text("used_timeout_ms=20000\n", "");
	change_text("used_disks=ffffffffffffffff\nused_transit_ms=4294967295\n", "");
	write_file("map", text, strlen(text));
	assert(load("map", &back) == 0);
	assert(!back.memory.array_reserves && !back.memory.former_blocks);
	assert(!back.memory.suspended);
	assert(back.memory.timeout_ms == 0);
	assert(back.memory.nr_disks == 0 && back.memory.transit_ms == 0);
	assert(back.memory.fence_end_ns == UINT64_MAX - 1 && back.lun.known);

	change_text("fence_end_ns=18446744073709551614\nslow_end_ns=4711\n", "");
	write_file("map", text, strlen(text));
	assert(load("map", &back) == 0);
	assert(back.memory.fence_end_ns == 0 && back.memory.slow_end_ns == 0 &&
	       back.memory.nr_disabled == 2 && back.lun.known);
}

static void expect_unreadable(int err)
{
	struct kept back;

	assert(load("map", &back) == err);
	assert(strncmp(why, path_of("map"), strlen(path_of("map"))) == 0);
	assert(strstr(why, strerror(-err)));
}

/* It is there, but cannot be read: that is told from one that is damaged, or was never there. */
static void test_cannot_be_read(void)
{
	struct kept k = kept(), back;
	struct rlimit before, none;

	assert(state_save("map", &k) == 0);
	assert(getrlimit(RLIMIT_NOFILE, &before) == 0);
	none = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
	assert(setrlimit(RLIMIT_NOFILE, &none) == 0);
	expect_unreadable(-EMFILE);
	assert(setrlimit(RLIMIT_NOFILE, &before) == 0);
	assert(load("map", &back) == 0);

	assert(unlink(path_of("map")) == 0 && mkdir(path_of("map"), 0700) == 0);
	expect_unreadable(-EISDIR);
	assert(rmdir(path_of("map")) == 0 && symlink("map", path_of("map")) == 0);
	expect_unreadable(-ELOOP);
	assert(unlink(path_of("map")) == 0);
}

/* No more than the longest is read. */
static void test_too_long(void)
{
	char *longer = malloc(KEPT_TEXT_MAX + 5000);
	struct kept back;

	assert(longer);
	memset(longer, '#', KEPT_TEXT_MAX + 5000);
	write_file("map", longer, KEPT_TEXT_MAX + 5000);
	free(longer);
	assert(load("map", &back) == -EINVAL);
	assert(strcmp(why, "its checksum is wrong") == 0);
}

/* Names that would leave the directory, and a directory that is not there or cannot be made. */
static void test_names(void)
{
	struct kept k = kept();

	assert(state_save("../map", &k) == -EINVAL);
	assert(state_save(".map", &k) == -EINVAL);
	assert(state_save("", &k) == -EINVAL);
	assert(load("a/b", &k) < 0 && error.len > 0);

	state_set_dir(path_of("deeper/still"));
	assert(state_save("map", &k) == 0 && load("map", &k) == 0);
	state_set_dir("/proc/nowhere");
	assert(state_save("map", &k) < 0);
	assert(load("map", &k) == -ENOENT);
	state_set_dir(dir);
	unlink(path_of("deeper/still/map"));
	rmdir(path_of("deeper/still"));
	rmdir(path_of("deeper"));
}

int main(void)
{
	assert(mkdtemp(dir));
	state_set_dir(dir);
	test_round_trip();
	test_damage();
	test_without_a_lun();
	test_not_understood();
	test_earlier_versions();
	test_cannot_be_read();
	test_too_long();
	test_names();
	unlink(path_of("map"));
	assert(rmdir(dir) == 0);
	return 0;
}
