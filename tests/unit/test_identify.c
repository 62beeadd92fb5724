/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Is this path a way to our LUN?  What is made of targets that answer little, much, nonsense or
 * not at all; and what such a path is said to lack.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "core/multipath.h"
#include "mpath/core.h"
#include "mpath/scsi.h"

static struct multipath *m;
static struct path *path;
static struct scsi_cmd cmd; /* the last question */
static uint8_t buf[PATH_PROBE_BUF_SIZE];
static char why[PATH_REASON_MAX];

static const uint8_t disk[36] = {0};
static const uint8_t wwid_page[4 + 4 + 16] = {0x00, 0x83, 0, 20, 0x01, 0x03, 0, 16, 0x60, 0x01};
#define WWID                                                                                       \
	"36001"                                                                                    \
	"0000000000"                                                                               \
	"0000000000"                                                                               \
	"00000000"
static const uint8_t capacity[32] = {[6] = 0x07, [7] = 0xff, [10] = 0x02}; /* 2048 of 512 bytes */

static void begin_map(const char *words, const struct mpath_settings *settings)
{
	struct mpath_table *table;
	struct strbuf error;

	strbuf_init(&error, why, sizeof(why));
	assert(mpath_table_parse(words, &table, &error) == 0);
	m = mpath_create("mpatha", table, settings, NULL, &error);
	mpath_table_free(table);
	assert(m);
	path = mpath_path(m, 0);
}

static enum identify_result go_on(const struct scsi_answer *answer)
{
	struct scsi_question question = {.cmd = &cmd, .data = buf};
	struct strbuf reason;

	strbuf_init(&reason, why, sizeof(why));
	cmd = (struct scsi_cmd){0};
	return identify(path, answer, &question, &reason);
}

static enum identify_result begin_path(void)
{
	path->probe_step = 0;
	path->probe_retries = 0;
	return go_on(NULL);
}

static void begin(void)
{
	struct mpath_settings settings;

	mpath_settings_init(&settings);
	begin_map("0 0 1 1 round-robin 0 1 1 8:0 1", &settings);
	assert(begin_path() == IDENTIFY_ASK);
}

static void end(void)
{
	mpath_destroy(m);
}

static enum identify_result good(const void *data, size_t len)
{
	const struct scsi_result result = {.status = SAM_GOOD};

	memcpy(buf, data, len);
	memset(buf + len, 0xee, sizeof(buf) - len); /* of another answer */
	return go_on(&(struct scsi_answer){.result = &result, .data = buf, .len = len});
}

static enum identify_result status(uint8_t status)
{
	const struct scsi_result result = {.status = status};

	return go_on(&(struct scsi_answer){.result = &result, .data = buf});
}

static enum identify_result sense(uint8_t key, uint8_t asc, uint8_t ascq)
{
	struct scsi_result result = {0};

	scsi_sense_set(&result, 0, key, asc, ascq);
	return go_on(&(struct scsi_answer){.result = &result, .data = buf});
}

static enum identify_result deferred(uint8_t key, uint8_t asc, uint8_t ascq)
{
	struct scsi_result result = {0};

	scsi_sense_set(&result, 0, key, asc, ascq);
	result.sense[0] = 0x71;
	return go_on(&(struct scsi_answer){.result = &result, .data = buf});
}

static enum identify_result lost(enum transport_error transport)
{
	const struct scsi_result result = {.transport = transport};

	return go_on(&(struct scsi_answer){.result = &result, .data = buf});
}

static void expect_page(uint8_t page)
{
	assert(cmd.cdb[0] == 0x12 && cmd.cdb[1] == 1 && cmd.cdb[2] == page);
	assert(cmd.dir == SCSI_DATA_IN && cmd.data_len == (size_t)(cmd.cdb[3] << 8 | cmd.cdb[4]));
}

/* Up to the pages that it may have or not. */
static enum identify_result is_a_disk_with_pages(const void *list, size_t len)
{
	assert(cmd.cdb[0] == 0x12 && cmd.cdb[1] == 0);
	assert(good(disk, sizeof(disk)) == IDENTIFY_ASK);
	expect_page(0x00);
	assert(good(list, len) == IDENTIFY_ASK);
	expect_page(0x83);
	assert(good(wwid_page, sizeof(wwid_page)) == IDENTIFY_ASK);
	assert(cmd.cdb[0] == 0x9e && cmd.cdb[1] == 0x10 && cmd.cdb[13] == 32 && cmd.data_len == 32);
	return good(capacity, sizeof(capacity));
}

static void test_a_disk(void)
{
	begin();
	assert(is_a_disk_with_pages("\x00\x00\x00\x02\x00\x83", 6) == IDENTIFY_OK);
	assert(path->seen.known && !strcmp(path->seen.wwid, WWID));
	assert(path->seen.nr_blocks == 2048 && path->seen.block_size == 512);
	assert(path->seen.inquiry_len == 36 && path->seen.nr_vpd_pages == 2);
	assert(!memcmp(path->seen.capacity, capacity, sizeof(capacity)));
	end();
}

static void expect_other(const void *inquiry, size_t len, const char *reason)
{
	begin();
	assert(good(inquiry, len) == IDENTIFY_OTHER);
	assert(strstr(why, reason));
	end();
}

static void test_no_disk(void)
{
	static const uint8_t no_lun[36] = {0x20}, tape[36] = {0x01}, box[36] = {0x1f};

	expect_other(disk, 35, "INQUIRY data is too short");
	expect_other(no_lun, 36, "no LUN here");
	expect_other(tape, 36, "not a disk");
	expect_other(box, 36, "not a disk");
}

/* Optional pages are asked for when the target says that it has them, and kept as they came. */
static void test_pages(void)
{
	static const uint8_t list[] = {0, 0, 0, 6, 0x00, 0x80, 0x83, 0xb0, 0xb1, 0xb2};
	static const uint8_t b0[] = {0, 0xb0, 0, 2, 1, 2}, b1[] = {0, 0xb1, 0, 1, 3},
			     b2[LUN_VPD_MAX] = {0, 0xb2, 0, LUN_VPD_MAX - 4, 4};

	begin();
	assert(is_a_disk_with_pages(list, sizeof(list)) == IDENTIFY_ASK);
	expect_page(0xb0);
	assert(good(b0, sizeof(b0)) == IDENTIFY_ASK);
	expect_page(0xb1);
	assert(good(b1, sizeof(b1)) == IDENTIFY_ASK);
	expect_page(0xb2);
	assert(good(b2, sizeof(b2)) == IDENTIFY_OK); /* nobody wants the serial number */
	assert(path->seen.limits.len == 6 && !memcmp(path->seen.limits.data, b0, 6));
	assert(path->seen.features.len == 5 && !memcmp(path->seen.features.data, b1, 5));
	assert(path->seen.thin.len == LUN_VPD_MAX && path->seen.thin.data[4] == 4);
	end();
}

/* A list of pages that is too short for what it promises, or for anything. */
static void test_short_lists(void)
{
	static const uint8_t promises[] = {0, 0, 0, 200, 0x83, 0xb1};
	static const uint8_t modest[] = {0, 0, 0, 1, 0x83, 0xb0, 0xb1, 0xb2};

	begin();
	assert(is_a_disk_with_pages(promises, sizeof(promises)) == IDENTIFY_ASK);
	expect_page(0xb1);
	assert(path->seen.nr_vpd_pages == 2);
	assert(good("\0\xb1\0", 3) == IDENTIFY_OK);
	end();
	begin();
	assert(is_a_disk_with_pages(promises, 3) == IDENTIFY_OK);
	assert(path->seen.nr_vpd_pages == 0);
	end();
	begin();
	assert(is_a_disk_with_pages(modest, sizeof(modest)) == IDENTIFY_OK);
	assert(path->seen.nr_vpd_pages == 1);
	end();
}

static void test_nonsense(void)
{
	begin();
	assert(good(disk, 36) == IDENTIFY_ASK && good("\0\0\0\0", 4) == IDENTIFY_ASK);
	assert(good("\0\x83\0\0", 4) == IDENTIFY_OTHER);
	assert(strstr(why, "no WWID: VPD page 83h names no logical unit"));
	end();
	begin();
	assert(good(disk, 36) == IDENTIFY_ASK && good("\0\0\0\0", 4) == IDENTIFY_ASK);
	assert(good(wwid_page, sizeof(wwid_page)) == IDENTIFY_ASK);
	assert(good(capacity, 8) == IDENTIFY_OTHER);
	assert(strstr(why, "READ CAPACITY(16) data is not valid"));
	end();
}

/* What a target may lack it may refuse; its WWID and its size it may not. */
static void test_refused(void)
{
	begin();
	assert(good(disk, 36) == IDENTIFY_ASK);
	assert(sense(0x05, 0x24, 0x00) == IDENTIFY_ASK); /* an old one: no list of pages */
	expect_page(0x83);
	assert(sense(0x05, 0x24, 0x00) == IDENTIFY_DOWN);
	assert(!strncmp(why, "cannot be identified: ", 22) && strstr(why, "05/24/00"));
	end();
	begin();
	assert(is_a_disk_with_pages("\0\0\0\x02\xb0\xb1", 6) == IDENTIFY_ASK);
	assert(sense(0x05, 0x24, 0x00) == IDENTIFY_ASK);
	expect_page(0xb1);
	assert(path->seen.limits.len == 0);
	assert(sense(0x02, 0x04, 0x0b) == IDENTIFY_DOWN); /* that is about the path */
	end();
	begin();
	assert(status(SAM_RESERVATION_CONFLICT) == IDENTIFY_DOWN);
	assert(!strcmp(why, "cannot be identified: status 18"));
	end();
	begin();
	assert(lost(TRANSPORT_LOST) == IDENTIFY_DOWN);
	assert(!strcmp(why, "cannot be identified: no answer"));
	end();
	begin();
	assert(good(disk, 36) == IDENTIFY_ASK);
	assert(lost(TRANSPORT_BUSY) == IDENTIFY_LATER); /* our own shortage */
	end();
}

/* Unit attentions, and a target that is busy: the same question again, eight times. */
/* A target that has too much to do is asked later; a path that has failed may stay so meanwhile. */
static void test_busy(void)
{
	static const uint8_t busy[] = {SAM_BUSY, SAM_TASK_SET_FULL};
	unsigned int i;

	for (i = 0; i < 2; i++) {
		begin();
		assert(status(busy[i]) == IDENTIFY_LATER); /* it was not looked at yet */
		path->settled = true;
		path->active = true;
		assert(begin_path() == IDENTIFY_ASK);
		assert(good(disk, 36) == IDENTIFY_ASK);
		assert(status(busy[i]) == IDENTIFY_LATER);
		path->active = false;
		assert(begin_path() == IDENTIFY_ASK);
		assert(status(busy[i]) == IDENTIFY_ASK);
		end();
	}
}

static void test_asked_again(void)
{
	begin();
	path->settled = true;
	assert(good(disk, 36) == IDENTIFY_ASK);
	for (unsigned int i = 0; i < 8; i++) {
		if (i % 3 == 0)
			assert(sense(0x06, 0x29, 0x00) == IDENTIFY_ASK);
		else
			assert(status(i % 3 == 1 ? SAM_BUSY : SAM_TASK_SET_FULL) == IDENTIFY_ASK);
		expect_page(0x00);
	}
	assert(good("\0\0\0\0", 4) == IDENTIFY_ASK);
	expect_page(0x83);
	assert(sense(0x06, 0x29, 0x00) == IDENTIFY_DOWN);
	end();
}

/* About a write of somebody's, whatever it says: no page is refused, nor is the path passive. */
static void test_deferred_error(void)
{
	struct mpath_settings settings;
	unsigned int i;

	mpath_settings_init(&settings);
	begin_map("0 1 rdac 1 1 round-robin 0 1 1 8:0 1", &settings);
	memcpy(m->lun.wwid, WWID, sizeof(WWID));
	m->lun.known = true;
	assert(begin_path() == IDENTIFY_ASK);
	assert(good(disk, 36) == IDENTIFY_ASK);
	assert(deferred(0x03, 0x0c, 0x00) == IDENTIFY_ASK);
	expect_page(0x00);
	assert(good("\0\0\0\0", 4) == IDENTIFY_ASK);
	assert(good(wwid_page, sizeof(wwid_page)) == IDENTIFY_ASK);
	for (i = 0; i < 7; i++) {
		assert(deferred(0x02, 0x04, 0x0b) == IDENTIFY_ASK);
		assert(cmd.cdb[0] == 0x9e);
	}
	assert(deferred(0x02, 0x04, 0x0b) == IDENTIFY_DOWN);
	end();
}

/* identity=array shows the serial number as it is; people and policies get it without blanks. */
static void test_serial(void)
{
	struct mpath_settings settings;

	mpath_settings_init(&settings);
	settings.identity = IDENTITY_ARRAY;
	begin_map("0 0 1 1 round-robin 0 1 1 8:0 1", &settings);
	assert(begin_path() == IDENTIFY_ASK);
	assert(is_a_disk_with_pages("\0\0\0\x02\x80\x83", 6) == IDENTIFY_ASK);
	expect_page(0x80);
	assert(good("\0\x80\0\x05  A1 behind", 15) == IDENTIFY_OK);
	assert(path->seen.serial.len == 5 && !memcmp(path->seen.serial.data, "  A1 ", 5));
	assert(!strcmp(path->serial, "A1"));
	assert(path->seen.designators.len == 20);

	assert(begin_path() == IDENTIFY_ASK);
	assert(is_a_disk_with_pages("\0\0\0\x02\x80\x83", 6) == IDENTIFY_ASK);
	assert(good("\0\x80\0\x05"
		    "B2",
		    6) == IDENTIFY_OK); /* cut off */
	assert(path->seen.serial.len == 2 && !strcmp(path->serial, "B2"));
	assert(begin_path() == IDENTIFY_ASK);
	assert(is_a_disk_with_pages("\0\0\0\x02\x80\x83", 6) == IDENTIFY_ASK);
	assert(good("\0\x80\0", 3) == IDENTIFY_OK);
	assert(path->seen.serial.len == 0 && !path->serial[0]);
	end();
}

static enum identify_result no_size(const char *words, const char *wwid, uint8_t key, uint8_t asc,
				    uint8_t ascq)
{
	struct mpath_settings settings;
	enum identify_result result;

	mpath_settings_init(&settings);
	snprintf(settings.wwid, sizeof(settings.wwid), "%s", wwid);
	begin_map(words, &settings);
	assert(begin_path() == IDENTIFY_ASK && good(disk, 36) == IDENTIFY_ASK);
	assert(good("\0\0\0\0", 4) == IDENTIFY_ASK);
	assert(good(wwid_page, sizeof(wwid_page)) == IDENTIFY_ASK);
	result = sense(key, asc, ascq);
	end();
	return result;
}

/* A controller that does not have the LUN now keeps its size for itself: its WWID is enough, if
 * there is somebody who can activate it. */
static void test_passive(void)
{
	const char *rdac = "0 1 rdac 1 1 round-robin 0 1 1 8:0 1";
	const char *none = "0 0 1 1 round-robin 0 1 1 8:0 1";

	assert(no_size(rdac, WWID, 0x02, 0x04, 0x0b) == IDENTIFY_PASSIVE);
	assert(no_size(rdac, WWID, 0x05, 0x94, 0x01) == IDENTIFY_PASSIVE);
	assert(no_size(rdac, WWID, 0x05, 0x94, 0x02) == IDENTIFY_DOWN);
	assert(no_size(rdac, WWID, 0x05, 0x95, 0x01) == IDENTIFY_DOWN);
	assert(no_size(rdac, WWID, 0x04, 0x94, 0x01) == IDENTIFY_DOWN);
	assert(no_size(rdac, "3600", 0x02, 0x04, 0x0b) == IDENTIFY_OTHER);
	assert(no_size(rdac, "", 0x02, 0x04, 0x0b) == IDENTIFY_DOWN); /* is it ours? */
	assert(no_size(none, WWID, 0x02, 0x04, 0x0b) == IDENTIFY_DOWN);
}

int main(void)
{
	test_a_disk();
	test_no_disk();
	test_pages();
	test_short_lists();
	test_nonsense();
	test_refused();
	test_busy();
	test_asked_again();
	test_deferred_error();
	test_serial();
	test_passive();
	return 0;
}
