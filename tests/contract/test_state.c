/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a map remembers of its LUN: it comes back as it was, or not at all.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/state.h"

static char dir[] = "/tmp/mpath-state.XXXXXX";
static char text[8192]; /* of the file */
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
	};
	unsigned int i;

	for (i = 0; i < sizeof(lun.inquiry); i++)
		lun.inquiry[i] = (uint8_t)(i < lun.inquiry_len ? i * 7 : 0);
	for (i = 0; i < sizeof(lun.capacity); i++)
		lun.capacity[i] = (uint8_t)~i;
	strcpy(lun.wwid, "3600 \\odd=\"wwid\"; [x] ");
	return lun;
}

static int load(const char *name, struct lun_facts *lun)
{
	strbuf_init(&error, why, sizeof(why));
	return state_load(name, lun, &error);
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

/* Every field comes back, whatever its bytes. */
static void test_round_trip(void)
{
	struct lun_facts lun = some_lun(), back;
	struct stat st;

	assert(load("map", &back) == -ENOENT);
	assert(state_save("map", &lun) == 0);
	memset(&back, 0xee, sizeof(back));
	assert(load("map", &back) == 0);
	assert(strcmp(lun.wwid, back.wwid) == 0);
	assert(back.known && back.nr_blocks == lun.nr_blocks && back.block_size == lun.block_size);
	assert(back.inquiry_len == 36 && memcmp(back.inquiry, lun.inquiry, 96) == 0);
	assert(memcmp(back.capacity, lun.capacity, sizeof(lun.capacity)) == 0);
	assert(back.nr_vpd_pages == 3 && memcmp(back.vpd_pages, lun.vpd_pages, 64) == 0);
	assert(memcmp(&back.limits, &lun.limits, sizeof(lun.limits)) == 0);
	assert(back.features.len == 0);
	assert(memcmp(&back.thin, &lun.thin, sizeof(lun.thin)) == 0);
	assert(stat(path_of("map"), &st) == 0 && (st.st_mode & 0777) == 0600);

	strcpy(lun.wwid, "other");
	assert(state_save("map", &lun) == 0 && load("map", &back) == 0);
	assert(strcmp(back.wwid, "other") == 0);
	assert(access(path_of("map.tmp~"), F_OK) != 0);
}

/* Cut at any byte, or with any byte changed: it is not believed, and the reason says why. */
static void test_damage(void)
{
	struct lun_facts lun = some_lun(), back;
	static char copy[8192];
	size_t len, i;

	assert(state_save("map", &lun) == 0);
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

static void test_forget(void)
{
	struct lun_facts lun = some_lun();

	assert(state_save("map", &lun) == 0);
	assert(state_forget("map") == 0);
	assert(load("map", &lun) == -ENOENT);
	assert(state_forget("map") == 0); /* nothing to forget is fine */
}

/* Names that would leave the directory, and a directory that is not there or cannot be made. */
static void test_names(void)
{
	struct lun_facts lun = some_lun();

	assert(state_save("../map", &lun) == -EINVAL);
	assert(state_save(".map", &lun) == -EINVAL);
	assert(state_save("", &lun) == -EINVAL);
	assert(state_forget("a/b") == -EINVAL);
	assert(load("a/b", &lun) < 0 && error.len > 0);

	state_set_dir(path_of("deeper/still"));
	assert(state_save("map", &lun) == 0 && load("map", &lun) == 0);
	assert(state_forget("map") == 0);
	state_set_dir("/proc/nowhere");
	assert(state_save("map", &lun) < 0);
	assert(load("map", &lun) == -ENOENT);
	state_set_dir(dir);
	rmdir(path_of("deeper/still"));
	rmdir(path_of("deeper"));
}

int main(void)
{
	assert(mkdtemp(dir));
	state_set_dir(dir);
	test_round_trip();
	test_damage();
	test_forget();
	test_names();
	assert(rmdir(dir) == 0);
	return 0;
}
