/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as an array's answers: the walk over port groups stays within what has come, and
 * every hardware handler comes to a result.
 *
 * fuzz parses: scsi/rtpg.c
 * fuzz runs: 50000
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "mpath/hw_handler.h"
#include "mpath/scsi.h"

extern const struct hw_handler_type alua_handler;
extern const struct hw_handler_type emc_handler;
extern const struct hw_handler_type rdac_handler;
extern const struct hw_handler_type hp_sw_handler;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An hour of virtual time is more than any transition may take. */
#define STEPS_MAX 2000
#define HOUR_NS	  3600000000000ull

static void check_walk(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1); /* with nothing behind it */
	struct scsi_port_group group;
	struct rtpg_walk walk;
	uint16_t id;
	size_t n = 0;

	assert(copy);
	memcpy(copy, data, size);
	if (scsi_rtpg_begin(&walk, copy, size)) {
		while (scsi_rtpg_next(&walk, &group)) {
			assert(group.state < 16 && scsi_alua_state_name(group.state));
			n++;
		}
		assert(n <= size / 8);
	}
	scsi_port_group_from_vpd83(copy, size, &id);
	free(copy);
}

/* What the array answers comes from the input; where that ends, from its beginning again. */
struct source {
	const uint8_t *data;
	size_t size;
	size_t at;
};

static uint8_t next_byte(struct source *s)
{
	uint8_t byte = s->data[s->at];

	s->at = (s->at + 1) % s->size;
	return byte;
}

static void make_answer(struct source *s, const struct scsi_cmd *cmd, struct scsi_result *result,
			uint8_t *data, size_t *len)
{
	uint8_t kind = next_byte(s);
	size_t i;

	*result = (struct scsi_result){0};
	*len = 0;
	if (kind < 0x20) {
		result->transport = kind % (TRANSPORT_FAULT + 1);
	} else if (kind < 0x60) {
		uint8_t key = next_byte(s), asc = next_byte(s);

		scsi_sense_set(result, 0, key & 0xf, asc, next_byte(s));
	} else if (kind < 0x70) {
		result->status = next_byte(s);
	} else if (cmd->dir == SCSI_DATA_IN) {
		*len = next_byte(s);
		if (*len > cmd->data_len)
			*len = cmd->data_len;
		for (i = 0; i < *len; i++)
			data[i] = next_byte(s);
	}
}

static void check_question(const struct scsi_cmd *cmd)
{
	assert(cmd->cdb_len >= 6 && cmd->cdb_len <= SCSI_CDB_MAX);
	assert(cmd->data_len <= PATH_PROBE_BUF_SIZE);
	assert((cmd->dir == SCSI_NO_DATA) == (cmd->data_len == 0));
	assert(cmd->timeout_ms);
}

static void converse(const struct hw_handler_type *type, struct source *s, enum hw_purpose purpose)
{
	struct hw_handler hh = {.type = type};
	struct path path = {.tpg = {.known = true, .id = 1}};
	uint64_t now_ns = 1, wait_ns;
	uint8_t *data = malloc(PATH_PROBE_BUF_SIZE);
	uint8_t inquiry[96] = {[5] = 0x30};
	struct scsi_cmd cmd;
	struct scsi_question next = {.cmd = &cmd, .data = data, .room = PATH_PROBE_BUF_SIZE};
	struct scsi_answer answer = {.data = data};
	struct scsi_result result;
	enum hw_result said;
	struct strbuf reason;
	char text[100];
	bool answered = false;
	int steps = 0;

	list_init(&hh.paths);
	list_init(&path.hw_node);
	path.hw_data = calloc(1, type->path_size);
	assert(data && path.hw_data);
	strbuf_init(&reason, text, sizeof(text));
	assert(type->attach(&hh, &path, inquiry, sizeof(inquiry), &reason));
	list_push_back(&hh.paths, &path.hw_node);
	type->begin(&hh, &path, purpose);
	do {
		assert(steps++ < STEPS_MAX && now_ns < HOUR_NS);
		cmd = (struct scsi_cmd){.timeout_ms = 1000};
		wait_ns = 0;
		said = type->go_on(&hh, &path, now_ns, answered ? &answer : NULL, &next, &wait_ns);
		answered = said == HW_SEND;
		if (said == HW_SEND) {
			check_question(&cmd);
			make_answer(s, &cmd, &result, data, &answer.len);
			answer.result = &result;
		} else if (said == HW_WAIT) {
			assert(wait_ns);
			now_ns += wait_ns;
		}
	} while (said == HW_SEND || said == HW_WAIT);
	assert(said >= HW_DONE && said <= HW_FAIL_PATH);
	free(path.hw_data);
	free(data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct source s = {.data = data, .size = size};

	check_walk(data, size);
	if (!size)
		return 0;
	converse(&alua_handler, &s, HW_ACTIVATE);
	converse(&alua_handler, &s, HW_REFRESH);
	converse(&emc_handler, &s, HW_ACTIVATE);
	converse(&rdac_handler, &s, HW_ACTIVATE);
	converse(&hp_sw_handler, &s, HW_ACTIVATE);
	return 0;
}
