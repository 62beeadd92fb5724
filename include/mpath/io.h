/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A SCSI command, what became of it, and the mpath_io that carries both down one path after
 * another until there is an answer.  This is the currency that all layers pass around.
 *
 * Ownership: an mpath_io belongs to whoever created it (the runtime's pool, or a path for its
 * probe).  It is lent to the core with MPATH_SUBMIT and comes back on mpath_actions.complete.
 * Thread: the owner thread of the map, except where a field says otherwise.
 */
#ifndef MPATH_IO_H
#define MPATH_IO_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "mpath/list.h"

struct leg;
struct path;

#define SCSI_CDB_MAX   32 /* bytes; what the kernel's sg driver takes */
#define SCSI_SENSE_MAX 96 /* bytes; what a TCMU response carries */

/* SAM status bytes that we tell apart. */
#define SAM_GOOD		 0x00
#define SAM_CHECK_CONDITION	 0x02
#define SAM_CONDITION_MET	 0x04
#define SAM_BUSY		 0x08
#define SAM_RESERVATION_CONFLICT 0x18
#define SAM_TASK_SET_FULL	 0x28
#define SAM_ACA_ACTIVE		 0x30
#define SAM_TASK_ABORTED	 0x40

enum scsi_dir { SCSI_NO_DATA, SCSI_DATA_IN /* to the initiator */, SCSI_DATA_OUT };

/* How often may a command be executed? (DESIGN D9) */
enum cmd_class {
	CMD_READ,	/* changes nothing: any number of times, in any order */
	CMD_IDEMPOTENT, /* a write that leaves the same state when repeated at once */
	CMD_ONCE,	/* COMPARE AND WRITE, PERSISTENT RESERVE OUT, ...: at most once */
};

struct scsi_cmd {
	uint8_t cdb[SCSI_CDB_MAX];
	uint8_t cdb_len;
	enum scsi_dir dir;
	enum cmd_class class;
	bool medium;	     /* medium access: may be held while there is no path (DESIGN D15) */
	bool cut_short;	     /* it asks for more data than there is room for: data_len */
	uint32_t needs_ms;   /* one try may take so long; 0: as long as an ordinary command */
	uint32_t timeout_ms; /* of the current try, by the settings of that moment */
	const struct iovec *iov; /* read-only: a retry sends the same bytes again */
	size_t iov_cnt;
	size_t data_len; /* bytes to transfer; at most the sum of the iovec */
};

/* Blocks of the LUN; last < first: none. */
struct block_range {
	uint64_t first, last;
};

/*
 * What the way to the target did.  Everything up to TRANSPORT_GONE was never sent, so the command
 * cannot have been executed; the rest may have been, and may still be (hazards.md H10).
 */
enum transport_error {
	TRANSPORT_OK,	    /* the target answered: see scsi_result.status */
	TRANSPORT_BUSY,	    /* a local resource is used up: nobody's fault, try again shortly */
	TRANSPORT_REFUSED,  /* this host cannot carry this command down this path */
	TRANSPORT_NOT_SENT, /* the path is not ready (device offline) */
	TRANSPORT_GONE,	    /* the device does not exist any more: close the path, open it anew */
	TRANSPORT_LOST,	    /* the link or the target was lost while the command was out */
	TRANSPORT_TIMEOUT,  /* no answer in time */
	TRANSPORT_FAULT,    /* the host adapter reports an error that may be anybody's */
	TRANSPORT_ORPHANED, /* the device went away, and the kernel has not ended the command yet */
};

static inline bool transport_never_sent(enum transport_error error)
{
	return error >= TRANSPORT_BUSY && error <= TRANSPORT_GONE;
}

/*
 * May the target still execute it, although there will be no answer?  No error of the kernel's
 * proves that it may not: neither that a time-out was followed by an abort, nor that a link was
 * found to be down before the command or after it (H10).  A target that has answered is through.
 */
static inline bool transport_may_land(enum transport_error error)
{
	return error != TRANSPORT_OK && !transport_never_sent(error);
}

struct scsi_result {
	enum transport_error transport;
	uint8_t status; /* SAM status byte, if transport is TRANSPORT_OK */
	uint8_t sense_len;
	uint8_t sense[SCSI_SENSE_MAX];
	uint32_t residual; /* bytes of data_len that were not transferred */
};

static inline bool scsi_result_is_good(const struct scsi_result *result)
{
	return result->transport == TRANSPORT_OK && result->status == SAM_GOOD;
}

/* GOOD, and nothing is missing: one question instead of three, for each command asks it. */
static inline bool scsi_result_is_whole(const struct scsi_result *result)
{
	return (result->transport | result->status | result->residual) == 0;
}

_Static_assert(TRANSPORT_OK == 0 && SAM_GOOD == 0, "good is 0");

/* A command leaves at most this many paths in doubt; then it is at fault itself (H7). */
#define IO_SUSPICIONS_MAX 8

/* What becomes of a command once its old copy cannot land any more (core/fence.c). */
enum after_fence {
	THEN_GO_ELSEWHERE, /* send it down another path */
	THEN_REFUSE,	   /* it must not be repeated: answer so */
	THEN_GIVE_UP,	   /* it has been tried often enough: answer so */
};

/* A command left this path in doubt; void once the path has really failed since. */
struct suspicion {
	unsigned int path_id;
	unsigned int fail_count;
};

struct mpath_io {
	struct list node;   /* on exactly one list at any time; whose, says the state below */
	struct list flight; /* on path->flying, while it is on a path; see waits_behind, too */
	struct scsi_cmd cmd;
	struct scsi_result result; /* from the last path that tried, or our own answer */
	int cpu;		   /* on which CPU it reached us; -1: unknown */
	struct path *path;	   /* set while the command is on that path */
	uint64_t arrival_ns;	   /* when the initiator's command reached us */
	uint64_t start_ns;	   /* of the current try */
	uint64_t send_by_ns;	   /* not to be sent from then on (D9); 0: no limit */
	union {
		uint64_t retry_ns;	/* while delayed: when to try again */
		struct mpath_io *older; /* while it waits_behind: this one; NULL: let go */
	};
	uint64_t retries_until_ns; /* same-path retries end here; 0 before the first */
	uint64_t short_until_ns; /* patience with this host's shortage ends here; 0: no shortage */
	union {
		struct leg *leg; /* of a read that may be hedged: one that is out (core/hedge.c);
				    NULL: none is */
		struct mpath_io *behind; /* of a write that comes twice: the first that waits for it
					    (core/order.c); NULL: none does */
	};
	struct mpath_io *next_twice; /* in the chain of those that come twice; NULL: the last */
	uint32_t twice_number;	     /* the less, the sooner was it lost first */
	unsigned int preferred_id;   /* if it prefers: retry on that path, should it be usable */
	uint64_t arrived_ns; /* while fenced: an old copy is at the target by then, or nowhere */
	uint64_t fence_ns;   /* while fenced: it cannot land any more; 0: not fenced */
	union {
		uint64_t sent_ns; /* TRANSPORT_ORPHANED: the kernel had it by then */
		uint64_t lost_ns; /* while fenced: since when */
	};
	uint64_t lost_session; /* and in which session of its path; 0: that proves nothing */
	struct suspicion suspicions[IO_SUSPICIONS_MAX];
	bool prefers;
	uint8_t nr_suspicions;
	uint8_t nr_retries; /* on the same path */
	enum after_fence after_fence : 8;
	uint16_t nr_tries; /* that ended in a transport error or a path sense */
	bool second_round; /* its suspicions were dropped once, see may_try_them_again() */
	/* Bits of one word: an answer asks for both at once (core/short_way.c). */
	bool is_internal : 1; /* the core's own: a path's probe, or a read's leg (core/hedge.c) */
	bool slow : 1;	      /* a write for a next process to know of: core/restart_wait.c */
	bool is_probe;	      /* a path's own command: checker, identity, hardware handler */
	bool after_suspend;   /* came while the map was suspended: waits for resume */
	bool aborted;	      /* a task management function named it: never submit again */
	bool twice; /* a write that may have been carried out, and is to be sent again (order.c) */
	uint8_t twice_chain; /* and so long in that one: an UNMAP's list may change */
	bool waits_behind;   /* a write that may go once an older one is answered (order.c) */
	bool overdue;	/* a write that the kernel has answered for us, or may have (fence.c) */
	bool abandoned; /* the transport is giving it up; no answer of the path counts */
	void *transport_data; /* the transport's, while the command is on a path */
	void *owner;	      /* the creator's; the core never looks at it */
};

#endif
