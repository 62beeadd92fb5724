/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A conversation with a hardware handler, as the core leads it: the test gives the answers.
 */
#ifndef TEST_TALK_H
#define TEST_TALK_H

#include "mpath/hw_handler.h"
#include "mpath/scsi.h"

#define TALK_PATHS 4
#define TALK_SEC   1000000000ull

struct talk {
	struct hw_handler hh;
	struct path paths[TALK_PATHS];
	uint64_t hw_data[TALK_PATHS][32];
	struct path *path; /* whose conversation it is */
	uint64_t now_ns;
	uint64_t wait_ns;
	char reason[200];

	/* the last question */
	struct scsi_cmd cmd;
	uint8_t data[PATH_PROBE_BUF_SIZE];
	size_t room; /* for it, as the core has told */
};

void talk_init(struct talk *t, const struct hw_handler_type *type);
/* Standard INQUIRY data of that vendor and product; @tpgs as in byte 5. */
bool talk_attach(struct talk *t, unsigned int nr, const char *vendor_product, uint8_t tpgs);

/* Each returns what the handler says next. */
enum hw_result talk_begin(struct talk *t, unsigned int nr, enum hw_purpose purpose);
enum hw_result talk_good(struct talk *t, const void *data, size_t len);
enum hw_result talk_sense(struct talk *t, uint8_t key, uint8_t asc, uint8_t ascq);
enum hw_result talk_status(struct talk *t, uint8_t status);
enum hw_result talk_transport(struct talk *t, enum transport_error error);
/* The wait that the handler asked for is over. */
enum hw_result talk_waited(struct talk *t);

/* Nobody will hear of the conversation any more. */
void talk_end(struct talk *t);

/* The question was these bytes, in that direction, with so much data. */
void talk_expect(const struct talk *t, const void *cdb, size_t cdb_len, enum scsi_dir dir,
		 size_t data_len);

/* "02/04/0a" to the handler's check_sense. */
enum hw_sense_opinion opinion(const struct hw_handler_type *type, uint8_t key, uint8_t asc,
			      uint8_t ascq);

#endif
