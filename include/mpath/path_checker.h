/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Path checkers: is this path usable?  A checker is a conversation (conversation.h); the words
 * for the result are multipathd's path states.  Owner thread; pure.
 */
#ifndef MPATH_PATH_CHECKER_H
#define MPATH_PATH_CHECKER_H

#include "mpath/conversation.h"

enum check_result {
	CHECK_ASK,	/* *next is the next command */
	CHECK_UP,	/* usable */
	CHECK_DOWN,	/* not usable */
	CHECK_GHOST,	/* alive, but in standby: usable after activation */
	CHECK_PENDING,	/* cannot say yet (transitioning): keep the state, ask again soon */
	CHECK_ANSWERS,	/* it does, but does not say whether it is in standby: keep the state */
	CHECK_LUN_GONE, /* the target says that there is no such LUN */
	/* Stopped, being formatted, ...: the same on every path.  Working paths stay. */
	CHECK_LUN_NOT_READY,
};

struct path_checker_type {
	const char *name;    /* the word in the map file, multipathd's */
	size_t context_size; /* bytes per path, zeroed before each conversation */

	/* @last is NULL at the start.  Any result but CHECK_ASK ends the conversation. */
	enum check_result (*check)(void *context, const struct scsi_answer *last,
				   const struct scsi_question *next);
};

#endif
