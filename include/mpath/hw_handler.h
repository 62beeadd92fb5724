/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hardware handlers: how an array's paths are activated (dm's pg_init through scsi_dh), as
 * conversations (conversation.h).  Owner thread; pure; only create and attach may allocate.
 */
#ifndef MPATH_HW_HANDLER_H
#define MPATH_HW_HANDLER_H

#include "mpath/conversation.h"
#include "mpath/path.h"
#include "mpath/strbuf.h"

struct scsi_sense;

/* The kernel's SCSI_DH_* results, as far as dm tells them apart in pg_init_done(). */
enum hw_result {
	HW_SEND,	/* *next is the next command */
	HW_WAIT,	/* call again after *wait_ns */
	HW_DONE,	/* SCSI_DH_OK: the path is ready */
	HW_NOSYS,	/* SCSI_DH_NOSYS: nothing to activate */
	HW_BYPASS_PG,	/* SCSI_DH_DEV_TEMP_BUSY: bypass the group, do not fail the path */
	HW_RETRY,	/* SCSI_DH_RETRY: again after pg_init_delay_msecs */
	HW_IMM_RETRY,	/* SCSI_DH_IMM_RETRY, RES_TEMP_UNAVAIL: again at once */
	HW_FAIL_PATH,	/* everything else */
};

/* What a sense means on this array; the generic rules (core/verdict.c) fill in the rest. */
enum hw_sense_opinion {
	HW_NO_OPINION,
	HW_SENSE_RETRY,	       /* try again on the same path */
	HW_SENSE_TRANSITIONING, /* the port group changes its state: wait for it */
	HW_SENSE_FAIL_PATH,
	HW_SENSE_ANSWER, /* the target's word: pass it up */
};

struct hw_handler {
	const struct hw_handler_type *type;
	void *context; /* owned by the handler, from create to destroy */
};

struct hw_handler_type {
	const char *name; /* the word in the table: alua, emc, rdac, hp_sw */

	int (*create)(struct hw_handler *hh, int argc, const char *const *argv,
		      const char **error);
	void (*destroy)(struct hw_handler *hh);

	/* A path was identified, with its standard INQUIRY data; detach when it is closed. */
	int (*attach)(struct hw_handler *hh, struct path *path, const uint8_t *inquiry,
		      size_t inquiry_len, const char **error);
	void (*detach)(struct hw_handler *hh, struct path *path);

	/* Carry one path's activation a step further; @last is NULL at the start. */
	enum hw_result (*activate)(struct hw_handler *hh, struct path *path, uint64_t now_ns,
				   const struct scsi_answer *last,
				   const struct scsi_question *next, uint64_t *wait_ns);

	/* Optional.  Asked before the generic rules. */
	enum hw_sense_opinion (*check_sense)(struct hw_handler *hh, struct path *path,
					     const struct scsi_sense *sense);
	/* TABLE words, count first: "1 alua ". */
	void (*status)(struct hw_handler *hh, struct strbuf *out);
};

#endif
