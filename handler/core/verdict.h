/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The verdict on one answer: is it the command's, the path's, or nobody's fault? (DESIGN D10)
 * One table, no state: what follows from a verdict is decided in end_io.c.
 */
#ifndef MPATH_VERDICT_H
#define MPATH_VERDICT_H

#include "mpath/io.h"

enum io_verdict {
	IO_DONE,	  /* good, or the target's own word: answer it to the bit */
	IO_RETRY,	  /* the target asks for patience (BUSY, unit attention after a reset, ...):
			     same path again, bounded; at the end its answer goes up as it is */
	IO_REIDENTIFY,	  /* as IO_RETRY, but the path must prove first that it is still our LUN */
	IO_TRANSITIONING, /* the port group changes its state: elsewhere, else wait for it */
	IO_PATH_FAILED,	  /* the path is broken or passive: fail it, go elsewhere */
	IO_PATH_SUSPECT,  /* perhaps the path, perhaps the command: probe the path, go elsewhere */
	IO_WRITE_REFUSED, /* the target's word, unless it takes writes through another path */
	IO_REQUEUE,	  /* a local resource is used up: nobody's fault, again shortly */
	IO_CANNOT_CARRY,  /* this path's host cannot carry the command: try the others once each */
};

struct verdict {
	enum io_verdict verdict;
	bool may_have_run; /* the command may have been executed, or may still be */
	const char *why;   /* a few words for trace and log: "transport lost", "standby" */
};

struct verdict judge(const struct scsi_result *result);

/*
 * Does the target say GOOD (RECOVERED ERROR is that with a warning) to a write of blocks, but that
 * it has not taken all of them, or to a READ that has brought nothing?  Then it is no answer.  A
 * list of parameters is another matter: of that it may leave what it does not know.  So is a READ
 * that has brought something: how much can be told.
 */
bool is_short_transfer(const struct scsi_cmd *cmd, const struct scsi_result *result);

#endif
