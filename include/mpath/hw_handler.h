/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hardware handlers: how an array's paths are activated (dm's pg_init through scsi_dh), as
 * conversations (conversation.h).
 *
 * The interface follows the kernel's scsi_device_handler: attach, activate, set_params and
 * check_sense mean the same.  Differences: one handler serves one map, activation is step by step,
 * and a handler takes no memory; the core gives each path path_size bytes when it is created.
 * Owner thread; pure.  A handler is one file in handler/hw_handlers/ and one line in
 * core/registry.c.
 */
#ifndef MPATH_HW_HANDLER_H
#define MPATH_HW_HANDLER_H

#include "mpath/conversation.h"
#include "mpath/path.h"
#include "mpath/strbuf.h"

struct scsi_sense;

/*
 * The kernel's SCSI_DH_* results, as far as dm tells them apart in pg_init_done().  What is to be
 * tried again at once (SCSI_DH_IMM_RETRY, RES_TEMP_UNAVAIL) no handler leaves to dm, nor to us.
 */
enum hw_result {
	HW_SEND,      /* *next is the next command */
	HW_WAIT,      /* call again after *wait_ns */
	HW_DONE,      /* SCSI_DH_OK: the path is ready */
	HW_NOSYS,     /* SCSI_DH_NOSYS: the array is not what the handler is for */
	HW_BYPASS_PG, /* SCSI_DH_DEV_TEMP_BUSY: bypass the group, do not fail the path */
	HW_RETRY,     /* SCSI_DH_RETRY: again after pg_init_delay_msecs; HW_REFRESH: again later */
	HW_FAIL_PATH, /* everything else */
};

/* What a conversation is for. */
enum hw_purpose {
	HW_ACTIVATE, /* make the path's group ready */
	HW_REFRESH,  /* only learn the states anew: never sends what changes one */
};

/* What a sense means on this array; core/verdict.c has the rules for the rest. */
enum hw_sense_opinion {
	HW_NO_OPINION,
	HW_SENSE_TRANSITIONING, /* the array changes the state or owner: refresh, and wait for it */
	HW_SENSE_STATE_CHANGED, /* states are not what they were: refresh; else no opinion */
	HW_SENSE_FAIL_PATH,	/* the path is passive */
	HW_SENSE_ANSWER,	/* the target's word: pass it up */
};

/* A map's handler. */
struct hw_handler {
	const struct hw_handler_type *type; /* NULL: none */
	unsigned int flags;		    /* the type's, from its words in the table */
	struct list paths;		    /* path.hw_node: those that it is attached to */
};

struct hw_handler_type {
	const char *name; /* the word in the table: alua, emc, rdac, hp_sw */
	size_t path_size; /* bytes of path->hw_data, zeroed before each attach */
	bool can_refresh; /* knows HW_REFRESH */

	/* Would the kernel's SCSI layer attach this handler, by standard INQUIRY data? */
	bool (*detect)(const uint8_t *inquiry, size_t len);

	/* Optional: the words behind the name.  False: @expected says what they should be. */
	bool (*set_params)(struct hw_handler *hh, int argc, const char *const *argv,
			   const char **expected);

	/*
	 * A path was identified: path->tpg has what VPD page 83h says of its port.  Sets
	 * path->hw_explicit.  False: not this handler's kind of path, with words in @reason.
	 */
	bool (*attach)(struct hw_handler *hh, struct path *path, const uint8_t *inquiry, size_t len,
		       struct strbuf *reason);

	/* A conversation starts. */
	void (*begin)(struct hw_handler *hh, struct path *path, enum hw_purpose purpose);
	/*
	 * The next step; @last is NULL for the first, and after HW_WAIT.  Also when there was no
	 * room for the command, here or at the array, or the array has said something else that it
	 * says once (a unit attention): what is wanted by now is asked for anew.
	 */
	enum hw_result (*go_on)(struct hw_handler *hh, struct path *path, uint64_t now_ns,
				const struct scsi_answer *last, const struct scsi_question *next,
				uint64_t *wait_ns);
	/*
	 * Optional.  A conversation is over: what go_on() said has ended it, or nobody will hear of
	 * it any more, the path's command may still be out.  Also when there was none.
	 */
	void (*end)(struct hw_handler *hh, struct path *path);

	/* Optional.  Asked before the generic rules. */
	enum hw_sense_opinion (*check_sense)(const struct scsi_sense *sense);
};

#endif
