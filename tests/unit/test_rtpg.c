/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Target port groups as bytes: questions, answers, and answers that lie.
 */
#include <assert.h>
#include <string.h>

#include "mpath/path.h"
#include "mpath/scsi.h"

static void test_the_questions(void)
{
	static const uint8_t plain[12] = {0xa3, 0x0a, [8] = 0x01, [9] = 0x23};
	static const uint8_t extended[12] = {0xa3, 0x2a, [8] = 0x10, [9] = 0x00};
	static const uint8_t set[12] = {0xa4, 0x0a, [9] = 8};
	static const uint8_t set_data[8] = {0, 0, 0, 0, 0x00, 0, 0x12, 0x34};
	uint8_t data[PATH_PROBE_BUF_SIZE];
	struct scsi_cmd cmd = {.timeout_ms = 77};
	struct scsi_question next = {.cmd = &cmd, .data = data};

	scsi_rtpg_ask(&next, false, 0x123);
	assert(cmd.cdb_len == 12 && !memcmp(cmd.cdb, plain, 12));
	assert(cmd.dir == SCSI_DATA_IN && cmd.data_len == 0x123 && cmd.timeout_ms == 77);
	scsi_rtpg_ask(&next, true, 4096);
	assert(cmd.data_len == 4096 && !memcmp(cmd.cdb, extended, 12));
	scsi_stpg_ask(&next, 0x1234);
	assert(cmd.cdb_len == 12 && !memcmp(cmd.cdb, set, 12));
	assert(cmd.dir == SCSI_DATA_OUT && cmd.data_len == 8 && !memcmp(data, set_data, 8));
}

/* Two groups, the first with two ports, the second preferred; length 4 + 16 + 12. */
static const uint8_t plain_reply[] = {
	0,    0,    0,	  28,				   /* return data length */
	0x00, 0x8f, 0x00, 0x01, 0, 0x02, 0, 2,		   /* group 1, optimized, T S N A ... */
	0,    0,    0,	  1,	0, 0,	 0, 2,		   /* ports 1 and 2 */
	0x82, 0xdf, 0x01, 0x02, 0, 0x01, 0, 1, 0, 0, 0, 3, /* group 258, standby, preferred */
};

static void test_a_plain_reply(void)
{
	struct scsi_port_group group;
	struct rtpg_walk walk;

	assert(scsi_rtpg_begin(&walk, plain_reply, sizeof(plain_reply)));
	assert(walk.transition_s == 0);
	assert(scsi_rtpg_next(&walk, &group));
	assert(group.id == 1 && group.state == ALUA_OPTIMIZED && !group.preferred);
	assert(group.supported == 0x8f);
	assert(scsi_rtpg_next(&walk, &group));
	assert(group.id == 0x102 && group.state == ALUA_STANDBY && group.preferred);
	assert(group.supported == 0xdf);
	assert(!scsi_rtpg_next(&walk, &group));
}

static void test_the_extended_header(void)
{
	static const uint8_t reply[] = {
		0, 0, 0, 12, 0x10, 60, 0, 0, 0x0f, 0x81, 0x00, 0x07, 0, 0, 0, 0,
	};
	struct scsi_port_group group;
	struct rtpg_walk walk;

	assert(scsi_rtpg_begin(&walk, reply, sizeof(reply)));
	assert(walk.transition_s == 60);
	assert(scsi_rtpg_next(&walk, &group));
	assert(group.id == 7 && group.state == ALUA_TRANSITIONING && group.supported == 0x81);
	assert(!scsi_rtpg_next(&walk, &group));
}

static unsigned int count(const uint8_t *data, size_t len)
{
	struct scsi_port_group group;
	struct rtpg_walk walk;
	unsigned int n = 0;

	if (!scsi_rtpg_begin(&walk, data, len))
		return 99;
	while (scsi_rtpg_next(&walk, &group))
		n++;
	return n;
}

/* F26: no groups, cut replies, a length that promises more, one that promises less. */
static void test_lengths_that_lie(void)
{
	uint8_t reply[sizeof(plain_reply)];

	memcpy(reply, plain_reply, sizeof(reply));
	assert(count(reply, 0) == 99 && count(reply, 3) == 99);
	assert(count(reply, 4) == 0 && count(reply, 11) == 0);
	assert(count(reply, 12) == 1); /* its ports are cut off */
	assert(count(reply, 27) == 1); /* one byte short of the second group */
	assert(count(reply, 28) == 2); /* just its header */

	reply[3] = 0;
	assert(count(reply, sizeof(reply)) == 0);
	reply[3] = 16;
	assert(count(reply, sizeof(reply)) == 1);
	memset(reply, 0xff, 4);
	assert(count(reply, sizeof(reply)) == 2);
	reply[4 + 7] = 255; /* 255 ports, of which 6 have come */
	assert(count(reply, sizeof(reply)) == 1);
}

/*
 * LIO leaves out the groups that do not fit, and what is behind the others is 0; it is no group 0.
 * In a reply that is complete it is one, of a target that tells nothing else of it.
 */
static void test_nothing_behind_the_groups_that_fit(void)
{
	uint8_t reply[64] = {0};

	memcpy(reply, plain_reply, sizeof(plain_reply));
	reply[3] = 200;
	assert(count(reply, sizeof(reply)) == 2);
	reply[sizeof(plain_reply) + 3] = 9;
	assert(count(reply, sizeof(reply)) == 3);
	reply[sizeof(plain_reply) + 3] = 0;
	reply[3] = sizeof(plain_reply) - 4 + 12;
	assert(count(reply, sizeof(reply)) == 3);
}

static const uint8_t page83[] = {
	0x00, 0x83, 0x00, 40, 0x01, 0x03, 0x00, 16,   0x60, 1,	2,  3,
	4,    5,    6,	  7,  8,    9,	  10,	11,   12,   13, 14, 15, /* the LUN */
	0x61, 0x94, 0x00, 4,  0,    0,	  0x01, 0x05, /* relative target port 261 */
	0x61, 0x95, 0x00, 4,  0,    0,	  0x80, 0x02, /* target port group 32770 */
};

static void test_the_port_of_a_path(void)
{
	uint8_t page[sizeof(page83)];
	uint16_t group = 0;
	size_t len;

	memcpy(page, page83, sizeof(page));
	page[3] = sizeof(page) - 4;
	assert(scsi_port_group_from_vpd83(page, sizeof(page), &group));
	assert(group == 0x8002);
	for (len = 0; len < sizeof(page); len++)
		assert(!scsi_port_group_from_vpd83(page, len, &group));

	page[1] = 0x80;
	assert(!scsi_port_group_from_vpd83(page, sizeof(page), &group));
	page[1] = 0x83;
	page[sizeof(page) - 5] = 3; /* too short to hold a number */
	assert(!scsi_port_group_from_vpd83(page, sizeof(page), &group));
	page[sizeof(page) - 5] = 4;
	page[sizeof(page) - 7] = 0x85; /* of the LUN, not of the port */
	assert(!scsi_port_group_from_vpd83(page, sizeof(page), &group));
}

/* Not all targets number their ports, and scsi_dh_alua does not want to know. */
static void test_the_group_of_a_port_without_a_number(void)
{
	uint8_t page[sizeof(page83)];
	uint16_t group = 0;

	memcpy(page, page83, sizeof(page));
	page[25] = 0x93; /* a name of the port instead */
	assert(scsi_port_group_from_vpd83(page, sizeof(page), &group));
	assert(group == 0x8002);
}

static void test_names_of_states(void)
{
	assert(!strcmp(scsi_alua_state_name(0x0), "active/optimized"));
	assert(!strcmp(scsi_alua_state_name(0x1), "active/non-optimized"));
	assert(!strcmp(scsi_alua_state_name(0x2), "standby"));
	assert(!strcmp(scsi_alua_state_name(0x3), "unavailable"));
	assert(!strcmp(scsi_alua_state_name(0x4), "lba-dependent"));
	assert(!strcmp(scsi_alua_state_name(0xe), "offline"));
	assert(!strcmp(scsi_alua_state_name(0xf), "transitioning"));
	assert(!strcmp(scsi_alua_state_name(0x7), "unknown"));
}

/* What a conversation makes of an answer before it looks at its meaning. */
static void expect_outcome(const struct scsi_result *result, enum scsi_outcome expected)
{
	struct scsi_sense sense;

	assert(scsi_outcome(&(struct scsi_answer){.result = result}, &sense) == expected);
}

static void expect_sense_outcome(uint8_t key, uint8_t asc, uint8_t ascq, enum scsi_outcome expected)
{
	struct scsi_result result;
	struct scsi_sense sense;

	scsi_sense_set(&result, 0, key, asc, ascq);
	assert(scsi_outcome(&(struct scsi_answer){.result = &result}, &sense) == expected);
	assert(sense.key == key && sense.asc == asc && sense.ascq == ascq);
}

static void test_outcomes(void)
{
	static const uint8_t again[] = {SAM_BUSY, SAM_TASK_SET_FULL, SAM_ACA_ACTIVE,
					SAM_TASK_ABORTED, SAM_CHECK_CONDITION};
	size_t i;

	expect_outcome(&(struct scsi_result){0}, OUTCOME_GOOD);
	expect_outcome(&(struct scsi_result){.status = SAM_CONDITION_MET}, OUTCOME_GOOD);
	for (i = 0; i < sizeof(again); i++) /* the last is one whose sense got lost */
		expect_outcome(&(struct scsi_result){.status = again[i]}, OUTCOME_AGAIN);
	expect_outcome(&(struct scsi_result){.status = SAM_RESERVATION_CONFLICT}, OUTCOME_CONFLICT);
	expect_outcome(&(struct scsi_result){.transport = TRANSPORT_BUSY}, OUTCOME_AGAIN);
	for (i = TRANSPORT_REFUSED; i <= TRANSPORT_FAULT; i++)
		expect_outcome(&(struct scsi_result){.transport = (enum transport_error)i},
			       OUTCOME_LOST);

	expect_sense_outcome(0x1, 0x5d, 0x00, OUTCOME_GOOD);
	expect_sense_outcome(0x6, 0x29, 0x00, OUTCOME_AGAIN);
	expect_sense_outcome(0x6, 0x04, 0x01, OUTCOME_AGAIN);
	expect_sense_outcome(0x6, 0x04, 0x0a, OUTCOME_SENSE);
	expect_sense_outcome(0x2, 0x04, 0x0a, OUTCOME_SENSE);
	expect_sense_outcome(0x5, 0x20, 0x00, OUTCOME_SENSE);
	for (i = 0x1; i <= 0x6; i++) { /* deferred: this one was not executed */
		struct scsi_result deferred;

		scsi_sense_set(&deferred, 0, (uint8_t)i, 0x04, 0x0a);
		deferred.sense[0] = 0x71;
		expect_outcome(&deferred, OUTCOME_AGAIN);
	}
}

int main(void)
{
	test_the_questions();
	test_a_plain_reply();
	test_the_extended_header();
	test_lengths_that_lie();
	test_nothing_behind_the_groups_that_fit();
	test_the_port_of_a_path();
	test_the_group_of_a_port_without_a_number();
	test_names_of_states();
	test_outcomes();
	return 0;
}
