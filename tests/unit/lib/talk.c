/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit/lib/talk.h"

#include <assert.h>

void talk_init(struct talk *t, const struct hw_handler_type *type)
{
	unsigned int i;

	*t = (struct talk){
		.hh = {.type = type}, .now_ns = 1000 * TALK_SEC, .room = PATH_PROBE_OWN_SIZE};
	list_init(&t->hh.paths);
	for (i = 0; i < TALK_PATHS; i++) {
		list_init(&t->paths[i].hw_node);
		t->paths[i].hw_data = t->hw_data[i];
	}
	assert(type->path_size <= sizeof(t->hw_data[0]));
}

bool talk_attach(struct talk *t, unsigned int nr, const char *vendor_product, uint8_t tpgs)
{
	uint8_t inquiry[LUN_INQUIRY_MAX] = {0, 0, 6, 2, 91, (uint8_t)(tpgs << 4)};
	struct strbuf reason;

	memcpy(inquiry + 8, vendor_product, strlen(vendor_product));
	strbuf_init(&reason, t->reason, sizeof(t->reason));
	memset(t->hw_data[nr], 0, sizeof(t->hw_data[nr]));
	if (!t->hh.type->attach(&t->hh, &t->paths[nr], inquiry, sizeof(inquiry), &reason))
		return false;
	list_push_back(&t->hh.paths, &t->paths[nr].hw_node);
	return true;
}

void talk_end(struct talk *t)
{
	if (t->hh.type->end)
		t->hh.type->end(&t->hh, t->path);
}

static enum hw_result go_on(struct talk *t, const struct scsi_answer *last)
{
	struct scsi_question next = {.cmd = &t->cmd, .data = t->data, .room = t->room};
	enum hw_result result;

	/* The answer's data lies where the next question's will: the core has one buffer. */
	t->cmd = (struct scsi_cmd){.timeout_ms = 1234};
	t->wait_ns = 0;
	result = t->hh.type->go_on(&t->hh, t->path, t->now_ns, last, &next, &t->wait_ns);
	if (result != HW_SEND && result != HW_WAIT)
		talk_end(t);
	return result;
}

enum hw_result talk_begin(struct talk *t, unsigned int nr, enum hw_purpose purpose)
{
	t->path = &t->paths[nr];
	t->hh.type->begin(&t->hh, t->path, purpose);
	return go_on(t, NULL);
}

enum hw_result talk_good(struct talk *t, const void *data, size_t len)
{
	const struct scsi_result good = {0};
	struct scsi_answer answer = {.result = &good, .data = t->data, .len = len};

	assert(len <= t->cmd.data_len);
	memset(t->data, 0xa5, sizeof(t->data)); /* behind the answer lies what was there before */
	if (len)
		memcpy(t->data, data, len);
	return go_on(t, &answer);
}

static enum hw_result bad(struct talk *t, const struct scsi_result *result)
{
	return go_on(t, &(struct scsi_answer){.result = result, .data = t->data});
}

enum hw_result talk_sense(struct talk *t, uint8_t key, uint8_t asc, uint8_t ascq)
{
	struct scsi_result result;

	scsi_sense_set(&result, (uint32_t)t->cmd.data_len, key, asc, ascq);
	return bad(t, &result);
}

enum hw_result talk_status(struct talk *t, uint8_t status)
{
	return bad(t, &(struct scsi_result){.status = status});
}

enum hw_result talk_transport(struct talk *t, enum transport_error error)
{
	return bad(t, &(struct scsi_result){.transport = error});
}

enum hw_result talk_waited(struct talk *t)
{
	assert(t->wait_ns);
	t->now_ns += t->wait_ns;
	return go_on(t, NULL);
}

void talk_expect(const struct talk *t, const void *cdb, size_t cdb_len, enum scsi_dir dir,
		 size_t data_len)
{
	assert(t->cmd.cdb_len == cdb_len && !memcmp(t->cmd.cdb, cdb, cdb_len));
	assert(t->cmd.dir == dir && t->cmd.data_len == data_len);
}

enum hw_sense_opinion opinion(const struct hw_handler_type *type, uint8_t key, uint8_t asc,
			      uint8_t ascq)
{
	const struct scsi_sense sense = {
		.response_code = 0x70, .key = key, .asc = asc, .ascq = ascq};

	return type->check_sense(&sense);
}
