/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The checkers beside tur (test_tur.c has the rules that all share): what each asks, and what it
 * makes of the answers.
 */
#include <assert.h>
#include <string.h>

#include "mpath/path.h"
#include "mpath/path_checker.h"
#include "mpath/scsi.h"

extern const struct path_checker_type directio_checker;
extern const struct path_checker_type rdac_checker;
extern const struct path_checker_type emc_clariion_checker;
extern const struct path_checker_type hp_sw_checker;

struct talk {
	const struct path_checker_type *type;
	char context[64];
	struct scsi_cmd cmd;
	uint8_t data[PATH_PROBE_BUF_SIZE];
};

static enum check_result go_on(struct talk *t, const struct scsi_answer *last)
{
	struct scsi_question next = {.cmd = &t->cmd, .data = t->data};

	t->cmd = (struct scsi_cmd){.timeout_ms = 1234};
	return t->type->check(t->context, last, &next);
}

static void expect_asked(const struct talk *t, const void *cdb, size_t cdb_len, size_t data_len)
{
	assert(t->cmd.cdb_len == cdb_len && !memcmp(t->cmd.cdb, cdb, cdb_len));
	assert(t->cmd.data_len == data_len && t->cmd.timeout_ms == 1234);
	assert(t->cmd.dir == (data_len ? SCSI_DATA_IN : SCSI_NO_DATA));
}

static void begin(struct talk *t, const struct path_checker_type *type, const void *cdb,
		  size_t cdb_len, size_t data_len)
{
	assert(type->context_size <= sizeof(t->context));
	*t = (struct talk){.type = type};
	assert(go_on(t, NULL) == CHECK_ASK);
	expect_asked(t, cdb, cdb_len, data_len);
}

static enum check_result good(struct talk *t, const void *data, size_t len)
{
	const struct scsi_result result = {0};
	struct scsi_answer answer = {.result = &result, .data = t->data, .len = len};

	assert(len <= t->cmd.data_len);
	if (len)
		memcpy(t->data, data, len);
	return go_on(t, &answer);
}

static enum check_result answered(struct talk *t, const struct scsi_result *result)
{
	return go_on(t, &(struct scsi_answer){.result = result, .data = t->data});
}

static enum check_result sense(struct talk *t, uint8_t key, uint8_t asc, uint8_t ascq)
{
	struct scsi_result result;

	scsi_sense_set(&result, (uint32_t)t->cmd.data_len, key, asc, ascq);
	return answered(t, &result);
}

static enum check_result deferred(struct talk *t, uint8_t key, uint8_t asc, uint8_t ascq)
{
	struct scsi_result result;

	scsi_sense_set(&result, (uint32_t)t->cmd.data_len, key, asc, ascq);
	result.sense[0] = 0x71;
	return answered(t, &result);
}

static enum check_result transport(struct talk *t, enum transport_error error)
{
	return answered(t, &(struct scsi_result){.transport = error});
}

static enum check_result status(struct talk *t, uint8_t byte)
{
	return answered(t, &(struct scsi_result){.status = byte});
}

/* --- directio --- */

static const uint8_t read_capacity[16] = {0x9e, 0x10, [13] = 32};
static const uint8_t read_block[10] = {0x28, [8] = 1};

static void begin_directio(struct talk *t)
{
	begin(t, &directio_checker, read_capacity, 16, 32);
}

static void begin_read(struct talk *t, uint32_t block_size)
{
	const uint8_t capacity[32] = {
		[7] = 99, [10] = (uint8_t)(block_size >> 8), [11] = (uint8_t)block_size};

	begin_directio(t);
	assert(good(t, capacity, sizeof(capacity)) == CHECK_ASK);
	expect_asked(t, read_block, 10, block_size);
}

static void test_directio_reads_a_block(void)
{
	static const uint8_t block[4096];
	struct talk t;

	begin_read(&t, 512);
	assert(good(&t, block, 512) == CHECK_UP);
	begin_read(&t, 4096);
	assert(good(&t, block, 4096) == CHECK_UP);
}

/* The controller answers, the medium is not to be reached: that is what this checker is for. */
static void test_directio_when_the_block_is_not_read(void)
{
	struct talk t;
	int i;

	begin_read(&t, 512);
	assert(transport(&t, TRANSPORT_LOST) == CHECK_DOWN);
	begin_read(&t, 512);
	assert(sense(&t, 0x04, 0x44, 0x00) == CHECK_DOWN);
	begin_read(&t, 512);
	assert(sense(&t, 0x03, 0x11, 0x00) == CHECK_UP); /* the disk's fault */
	begin_read(&t, 512);
	assert(sense(&t, 0x02, 0x04, 0x0b) == CHECK_GHOST);
	begin_read(&t, 512);
	assert(sense(&t, 0x02, 0x04, 0x0a) == CHECK_PENDING);
	begin_read(&t, 512);
	assert(status(&t, SAM_RESERVATION_CONFLICT) == CHECK_UP);
	begin_read(&t, 512);
	for (i = 0; i < 4; i++) {
		assert(sense(&t, 0x06, 0x29, 0x00) == CHECK_ASK);
		expect_asked(&t, read_block, 10, 512);
	}
	assert(sense(&t, 0x06, 0x29, 0x00) == CHECK_DOWN);
	begin_read(&t, 512);
	assert(deferred(&t, 0x03, 0x0c, 0x00) == CHECK_ASK); /* this block was not read at all */
	expect_asked(&t, read_block, 10, 512);
}

static void test_directio_when_the_size_is_not_told(void)
{
	const uint8_t huge[32] = {[7] = 99, [9] = 1};
	struct talk t;

	begin_directio(&t);
	assert(sense(&t, 0x02, 0x04, 0x0b) == CHECK_GHOST);
	begin_directio(&t);
	assert(sense(&t, 0x05, 0x25, 0x00) == CHECK_LUN_GONE);
	begin_directio(&t);
	assert(transport(&t, TRANSPORT_TIMEOUT) == CHECK_DOWN);
	begin_directio(&t);
	assert(sense(&t, 0x06, 0x29, 0x00) == CHECK_ASK);
	expect_asked(&t, read_capacity, 16, 32);
	begin_directio(&t);
	assert(good(&t, huge, 8) == CHECK_DOWN); /* cut */
	begin_directio(&t);
	assert(good(&t, huge, 32) == CHECK_UP); /* blocks of 64 KiB: nothing to read them into */
}

/* --- rdac --- */

static const uint8_t ask_c9[6] = {0x12, 1, 0xc9, 0, 48, 0};

static enum check_result rdac_page(uint8_t type, uint8_t code, uint8_t owner, size_t len)
{
	const uint8_t page[48] = {type, code, 0, 44, 'v', 'a', 'c', 'e', owner};
	struct talk t;

	begin(&t, &rdac_checker, ask_c9, 6, 48);
	return good(&t, page, len);
}

/* The controllers' port groups, where the page tells them. */
static enum check_result rdac_states(uint8_t owner, uint8_t ours, uint8_t other, size_t len)
{
	const uint8_t page[48] = {0, 0xc9, 0, 44, 'v', 'a', 'c', 'e', owner, 0, ours, 0, other};
	struct talk t;

	begin(&t, &rdac_checker, ask_c9, 6, 48);
	return good(&t, page, len);
}

static void test_rdac_out_of_service(void)
{
	assert(rdac_states(0x10, 0x03, 0x00, 48) == CHECK_DOWN); /* in reset, quiesced, ... */
	assert(rdac_states(0x11, 0x83, 0x00, 48) == CHECK_DOWN);
	assert(rdac_states(0x30, 0x03, 0x00, 48) == CHECK_DOWN);
	assert(rdac_states(0x10, 0x0f, 0x00, 48) == CHECK_DOWN);  /* boots */
	assert(rdac_states(0x10, 0x0f, 0x0f, 48) == CHECK_GHOST); /* the LUN moves */
	assert(rdac_states(0x11, 0x0f, 0x8f, 48) == CHECK_UP);
	assert(rdac_states(0x10, 0x02, 0x03, 48) == CHECK_GHOST);
	assert(rdac_states(0x11, 0x00, 0x03, 48) == CHECK_UP);
	assert(rdac_states(0x00, 0x03, 0x00, 48) == CHECK_GHOST); /* it does not tell them */
	assert(rdac_states(0x10, 0x03, 0x00, 12) == CHECK_GHOST);
	assert(rdac_states(0x10, 0x03, 0x00, 13) == CHECK_DOWN);
}

static void test_rdac(void)
{
	struct talk t;

	assert(rdac_page(0, 0xc9, 0x01, 48) == CHECK_UP);
	assert(rdac_page(0, 0xc9, 0x80, 48) == CHECK_UP);
	assert(rdac_page(0, 0xc9, 0x20, 48) == CHECK_UP); /* I/O is shipped to the other one */
	assert(rdac_page(0, 0xc9, 0x00, 48) == CHECK_GHOST);
	assert(rdac_page(0x20, 0xc9, 0x01, 48) == CHECK_DOWN); /* no LUN behind this port */
	assert(rdac_page(0x7f, 0xc9, 0x01, 48) == CHECK_DOWN);
	assert(rdac_page(0, 0xc8, 0x01, 48) == CHECK_DOWN);
	assert(rdac_page(0, 0xc9, 0x01, 8) == CHECK_DOWN);
	assert(rdac_page(0, 0xc9, 0x01, 9) == CHECK_UP);

	begin(&t, &rdac_checker, ask_c9, 6, 48);
	assert(sense(&t, 0x06, 0x29, 0x00) == CHECK_ASK);
	expect_asked(&t, ask_c9, 6, 48);
	assert(sense(&t, 0x05, 0x24, 0x00) == CHECK_DOWN);
	begin(&t, &rdac_checker, ask_c9, 6, 48);
	assert(status(&t, SAM_BUSY) == CHECK_ANSWERS);
	begin(&t, &rdac_checker, ask_c9, 6, 48);
	assert(status(&t, SAM_RESERVATION_CONFLICT) == CHECK_ANSWERS);
	begin(&t, &rdac_checker, ask_c9, 6, 48);
	assert(transport(&t, TRANSPORT_GONE) == CHECK_DOWN);
}

/* --- emc_clariion --- */

static const uint8_t ask_c0[6] = {0x12, 1, 0xc0, 0, 128, 0};

/* What a host sees that is set up well, of a LUN that this path owns. */
static void fill_c0(uint8_t *page)
{
	memset(page, 0, 128);
	page[1] = 0xc0;
	page[4] = 2;
	page[27] = 0x03;
	page[28] = 0x04;
	page[30] = 0x04;
}

static enum check_result emc_page(struct talk *t, size_t at, uint8_t value)
{
	uint8_t page[128];

	fill_c0(page);
	page[at] = value;
	begin(t, &emc_clariion_checker, ask_c0, 6, 128);
	return good(t, page, sizeof(page));
}

static void test_emc_clariion_page(void)
{
	uint8_t page[128];
	struct talk t;

	assert(emc_page(&t, 4, 1) == CHECK_GHOST);
	assert(emc_page(&t, 4, 0) == CHECK_DOWN);
	assert(emc_page(&t, 1, 0xc1) == CHECK_DOWN);
	assert(emc_page(&t, 9, 1) == CHECK_DOWN);
	assert(emc_page(&t, 27, 2) == CHECK_DOWN);
	assert(emc_page(&t, 28, 1) == CHECK_DOWN);
	assert(emc_page(&t, 30, 0) == CHECK_DOWN);
	assert(emc_page(&t, 48, 1) == CHECK_DOWN);
	assert(emc_page(&t, 28, 6) == CHECK_ASK);

	fill_c0(page);
	begin(&t, &emc_clariion_checker, ask_c0, 6, 128);
	assert(good(&t, page, 48) == CHECK_DOWN);
	begin(&t, &emc_clariion_checker, ask_c0, 6, 128);
	assert(status(&t, SAM_BUSY) == CHECK_ANSWERS);
	begin(&t, &emc_clariion_checker, ask_c0, 6, 128);
	assert(sense(&t, 0x06, 0x29, 0x00) == CHECK_ASK);
	expect_asked(&t, ask_c0, 6, 128);
	begin(&t, &emc_clariion_checker, ask_c0, 6, 128);
	assert(transport(&t, TRANSPORT_LOST) == CHECK_DOWN);
}

static void test_emc_clariion_reads_where_it_is_owned(void)
{
	static const uint8_t block[512];
	struct talk t;

	assert(emc_page(&t, 4, 2) == CHECK_ASK);
	expect_asked(&t, read_block, 10, 512);
	assert(good(&t, block, 512) == CHECK_UP);
	emc_page(&t, 4, 2);
	assert(sense(&t, 0x05, 0x25, 0x01) == CHECK_DOWN); /* an inactive snapshot */
	emc_page(&t, 4, 2);
	assert(sense(&t, 0x03, 0x11, 0x00) == CHECK_UP); /* the disk's fault */
	emc_page(&t, 4, 2);
	assert(sense(&t, 0x04, 0x44, 0x00) == CHECK_DOWN);
	emc_page(&t, 4, 2);
	assert(sense(&t, 0x06, 0x29, 0x00) == CHECK_ASK);
	expect_asked(&t, read_block, 10, 512);
	emc_page(&t, 4, 2);
	assert(transport(&t, TRANSPORT_LOST) == CHECK_DOWN);
}

/* --- hp_sw --- */

static enum check_result hp_sw_sense(uint8_t key, uint8_t asc, uint8_t ascq)
{
	static const uint8_t tur[6] = {0};
	struct talk t;

	begin(&t, &hp_sw_checker, tur, 6, 0);
	return sense(&t, key, asc, ascq);
}

static void test_hp_sw(void)
{
	static const uint8_t tur[6] = {0};
	struct talk t;

	begin(&t, &hp_sw_checker, tur, 6, 0);
	assert(good(&t, NULL, 0) == CHECK_UP);
	assert(hp_sw_sense(0x02, 0x04, 0x02) == CHECK_GHOST);
	assert(hp_sw_sense(0x02, 0x04, 0x04) == CHECK_LUN_NOT_READY);
	assert(hp_sw_sense(0x02, 0x04, 0x03) == CHECK_DOWN);
	assert(hp_sw_sense(0x05, 0x25, 0x00) == CHECK_LUN_GONE);
	assert(hp_sw_sense(0x06, 0x29, 0x00) == CHECK_ASK);
	assert(hp_sw_sense(0x02, 0x05, 0x02) == CHECK_DOWN);
	assert(hp_sw_sense(0x02, 0x3a, 0x00) == CHECK_LUN_NOT_READY);
	assert(hp_sw_sense(0x04, 0x04, 0x02) == CHECK_DOWN);
	begin(&t, &hp_sw_checker, tur, 6, 0);
	assert(transport(&t, TRANSPORT_LOST) == CHECK_DOWN);
	begin(&t, &hp_sw_checker, tur, 6, 0);
	assert(transport(&t, TRANSPORT_ORPHANED) == CHECK_DOWN);
}

/* --- all of them --- */

static void begin_any(struct talk *t, unsigned int which)
{
	static const uint8_t tur[6] = {0};

	switch (which) {
	case 0:
		begin_directio(t);
		return;
	case 1:
		begin_read(t, 512);
		return;
	case 2:
		begin(t, &rdac_checker, ask_c9, 6, 48);
		return;
	case 3:
		begin(t, &emc_clariion_checker, ask_c0, 6, 128);
		return;
	case 4:
		emc_page(t, 4, 2);
		return;
	case 5:
		begin(t, &hp_sw_checker, tur, 6, 0);
		return;
	}
}

/* Asked once more up to four times; what the last one said decides. */
static void test_nobody_asks_for_ever(void)
{
	struct talk t;
	unsigned int which, i;

	for (which = 0; which < 6; which++) {
		begin_any(&t, which);
		for (i = 0; i < 4; i++)
			assert(sense(&t, 0x06, 0x29, 0x00) == CHECK_ASK);
		assert(sense(&t, 0x06, 0x29, 0x00) == CHECK_DOWN);
		begin_any(&t, which);
		for (i = 0; i < 4; i++)
			assert(transport(&t, TRANSPORT_BUSY) == CHECK_ASK);
		assert(transport(&t, TRANSPORT_BUSY) == CHECK_PENDING); /* our own shortage */
	}
}

int main(void)
{
	test_directio_reads_a_block();
	test_directio_when_the_block_is_not_read();
	test_directio_when_the_size_is_not_told();
	test_rdac();
	test_rdac_out_of_service();
	test_emc_clariion_page();
	test_emc_clariion_reads_where_it_is_owned();
	test_hp_sw();
	test_nobody_asks_for_ever();
	return 0;
}
