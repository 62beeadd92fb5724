/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The core: every decision of a multipath map, in one state machine.
 *
 * mpath_step() takes an event with its time and fills lists of things to do.  The contract:
 *  1. It never blocks, allocates, reads a clock or calls out (but for the trace sink).
 *  2. It cannot fail: memory for a command comes with the command, memory for paths at creation.
 *  3. Each mpath_io is on exactly one list at any time.
 *  4. The caller performs the actions after the call returns, lists in the order of struct
 *     mpath_actions, each list in its own order.
 *  5. The same events give the same actions, always.
 *  6. One caller at a time: the map's owner thread.
 */
#ifndef MPATH_CORE_H
#define MPATH_CORE_H

#include "mpath/grouping.h"
#include "mpath/hardware.h"
#include "mpath/io.h"
#include "mpath/lun.h"
#include "mpath/memory.h"
#include "mpath/notice.h"
#include "mpath/path.h"
#include "mpath/path_selector.h"
#include "mpath/table.h"

struct path_checker_type;

#define MPATH_NAME_MAX 65 /* bytes with NUL */
#define NSEC_PER_MSEC  1000000ull
#define NSEC_PER_SEC   1000000000ull

/*
 * What proves that the old copy of a write, which was lost with its path, cannot land any more?
 * Until then it is neither repeated nor answered (DESIGN D9).  Reads never wait.
 */
enum fence_kind {
	FENCE_TIME,	/* time */
	FENCE_SESSION,	/* a new session of the path (iSCSI), or time */
	FENCE_LU_RESET, /* a LOGICAL UNIT RESET through another path, or time; hits other initiators
			 */
	FENCE_NONE,	/* nothing is proved: it is repeated at once, as dm-multipath does */
};

/* When is a path that comes back not used for a while?  All 0: never.  See core/flaky.c. */
struct mpath_flaky {
	uint32_t threshold;   /* failures that are still put up with */
	uint32_t forget_rate; /* good checks that make up for one failure */
	uint32_t recovery_s;  /* so long it must be good, then */
};

/* After its time-out the kernel aborts a command, resets devices and hosts, and then gives up. */
#define KERNEL_ERROR_HANDLING_MS 30000
/* No path_timeout_ms is longer, nor was a former process's. */
#define PATH_TIMEOUT_MAX_MS (60 * 60 * 1000)

/* Whose serial number and WWID the LUN shows to initiators (D16). */
enum identity {
	IDENTITY_LIO,
	IDENTITY_ARRAY,
};

/* What a map file or mpath.conf may set besides the table.  Times in milliseconds. */
struct mpath_settings {
	const struct path_checker_type *checker; /* NULL: paths are not checked (checker "none") */
	uint32_t recheck_interval_ms;		 /* between checks of a failed path */
	uint32_t polling_interval_ms;		 /* between checks of a good path */
	uint32_t checker_timeout_ms;		 /* of one checker command */
	uint32_t path_timeout_ms; /* of one try of an initiator's command on one path */
	uint32_t restart_wait_ms; /* until the kernel has given up a dead process's commands (D9) */
	enum fence_kind fence;
	uint32_t fence_time_ms; /* 0: as long as the way and the target may take, see fence.c */
	/* Commands wait so long for a path, if queue_if_no_path is on; 0: without limit. */
	uint32_t no_path_timeout_read_ms;
	uint32_t no_path_timeout_write_ms; /* and all that is not a read */
	char wwid[WWID_MAX];		   /* empty: pin the first LUN that is seen */
	enum identity identity;		   /* as long as the map is in service */
	struct mpath_flaky flaky;
	uint32_t slow_path_factor; /* so many times slower than its peers is slow; 0: none is */
	uint32_t hedged_reads;	   /* so many of 100 may be sent twice, see core/hedge.c; 0: none */
	struct mpath_policy policy; /* see core/policy.c */
	bool finds_paths;	    /* by its WWID: paths come and go without anybody naming them */
	const struct hardware_table
		*hardware;	/* the caller's; copied with the settings; NULL: none */
	unsigned int left_open; /* HARDWARE_ bits: what that may fill in */
};

/* The defaults that /etc/tcmu/mpath.conf documents. */
void mpath_settings_init(struct mpath_settings *settings);

/* What the backstore in configfs says; re-read by the runtime, never by the core. */
struct mpath_backstore {
	uint32_t cmd_time_out_ms; /* the kernel answers for us after that; 0: never */
	uint32_t block_size;	  /* hw_block_size, bytes; 0: unknown */
	uint64_t size;		  /* dev_size, bytes; 0: take the LUN's */
	char name[64];		  /* the storage object's name */
	char serial[128];	  /* vpd_unit_serial */
};

enum mpath_event_type {
	MPATH_SUBMIT,	    /* io: a command of an initiator's; cmd and arrival_ns are set */
	MPATH_END_IO,	    /* io: its transport has reported io->result */
	MPATH_ABANDONED,    /* io: its transport has let go of it */
	MPATH_ABORT,	    /* io: a task management function named it */
	MPATH_TIMEOUT,	    /* nothing but the time */
	MPATH_PATH_OPENED,  /* path: facts */
	MPATH_PATH_REFUSED, /* path: reason; it could not be opened */
	MPATH_PATH_CLOSED,  /* path: the close that was asked for is done */
	MPATH_PATH_COUNTED, /* path: outstanding commands at the device (D9 Restart) */
	MPATH_PATH_RESET,   /* path: reset_error of the LOGICAL UNIT RESET that was asked for */
	MPATH_PATH_SESSION, /* path: session, that its commands travel in now */
	MPATH_PATH_HEARD,   /* path: heard, by the kernel */
	MPATH_DISKS,	    /* disks have come or gone, perhaps those of paths */
	MPATH_BACKSTORE,    /* backstore: its attributes were (re-)read */
	MPATH_MESSAGE,	    /* message: words in, errno and reply out */
	MPATH_CHANGE,	    /* change: another layout takes over; NULL: see mpath_change_policy() */
	MPATH_REFUSED,	    /* reason: somebody before the core did not take a configuration */
	MPATH_SHUTDOWN,	    /* SIGTERM: what is held is answered BUSY, nothing is held any more */
	MPATH_STOP,	    /* close(): as SHUTDOWN, reads are given up, paths are closed */
};

/*
 * A message, dm's or ours: D-Bus, configfs, the CLI and the tests all use this.  On return error
 * is 0 or a negative errno, and the reply says in words what was wrong, or what was done.
 */
struct mpath_message {
	int argc;
	const char *const *argv; /* "fail_path" "8:16" */
	bool by_id;		 /* argv[1] is for people: the path's id tells which is meant */
	unsigned int path_id;
	int error;
	struct strbuf reply;
	bool pending; /* see mpath_message_done() */
	bool probes;  /* then for the answers to probe_paths */
};

/*
 * A unit attention that the kernel has heard on a path.  Where its own device handler
 * (scsi_dh_alua) is attached, that keeps some for itself and has the command repeated, also one
 * that came through sg: nobody else hears of it.
 */
enum mpath_heard {
	HEARD_RESET,	/* 29/xx: any of the next two may be so, and reservations may have ended */
	HEARD_STATES,	/* 2A/06: port groups have changed states */
	HEARD_IDENTITY, /* 3F/03, 3F/0E: the path may lead to another LUN now */
	HEARD_CAPACITY, /* 2A/09, or the kernel has read another size */
	HEARD_MODE,	/* 2A/01: mode pages are not what initiators have read */
	HEARD_SPACE,	/* 38/07: the space that a thin LUN takes from is running out */
	HEARD_ANYTHING, /* what it has heard is not known: any of these */
};

struct mpath_event {
	enum mpath_event_type type;
	uint64_t now_ns; /* monotonic; never runs backwards, never 0 */
	struct mpath_io *io;
	struct path *path;
	union {
		const struct path_facts *facts;
		const char *reason;
		struct { /* as path_transport_type.count_outstanding has them */
			int64_t outstanding;
			uint64_t errors;
		};
		int reset_error;  /* 0: the target says that it is done; or -errno */
		uint64_t session; /* as path_transport_type.session has it; 0: not known */
		enum mpath_heard heard;
		const struct mpath_backstore *backstore;
		struct mpath_message *message;
		struct mpath_change *change;
	};
};

struct mpath_actions {
	struct list open;     /* path.action_node: open the path; answer with OPENED or REFUSED */
	struct list count;    /* path.action_node: count its commands; answer with COUNTED */
	struct list reset;    /* path.reset_node: LOGICAL UNIT RESET; answer with RESET */
	struct list session;  /* path.session_node: which session? answer with SESSION */
	struct list start;    /* io.node: send it down io->path */
	struct list abandon;  /* io.node: give it up at io->path; answer with ABANDONED */
	struct list close;    /* path.action_node: close the path; answer with CLOSED */
	struct list complete; /* io.node: answer the initiator with io->result */
	struct list gone;     /* path.action_node: not in the map any more, closed: free it */
	uint64_t wake_ns;     /* step again with MPATH_TIMEOUT at that time; 0: no need */
	bool lun_changed;     /* mpath_lun() is new: keep it over restarts */
	bool forget_wwid;     /* drop what is kept */
	bool memory_changed;  /* a message has set something: mpath_remember() */
	bool group_changed;   /* so has the group in use, which may flap: no hurry */
	bool fence_moved; /* old writes may land until another time than was remembered: at once */
	bool fence_over;  /* what was remembered of them is over: no hurry */
	bool disk_used;	  /* and was not before: it must be known if the process dies, at once */
	bool disk_left;	  /* one is not used any more: no hurry */
	bool errors_told; /* mpath_tell_errors() is new, for a next process; so it is with
			     fence_moved, fence_over and disk_used, and must be told before anything
			     is sent or answered */
	bool regroup;	  /* mpath_change_policy(), and MPATH_CHANGE with what it gives */
	bool stopped;	  /* after MPATH_STOP: nothing is left, the map may be destroyed */
};

void mpath_actions_init(struct mpath_actions *actions);

/*
 * Build a map.  Table and settings are copied.  @lun is what was kept from an earlier run, or
 * NULL.  NULL is returned when memory is short or a plug-in refuses, with words in @error.
 * Nothing happens before the first MPATH_TIMEOUT, which also opens the paths.
 */
struct multipath *mpath_create(const char *name, const struct mpath_table *table,
			       const struct mpath_settings *settings, const struct lun_facts *lun,
			       struct strbuf *error);
/*
 * What messages have set, the group in use, until when writes that were lost, or left by a dead
 * process, may land, and the disks in use: out of one map, and into the next one, before its first
 * step.  What messages have set for what that map's table does not name is left out, unless it may
 * come by itself: paths that are found, groups that the policies form.  The clock of the two is the
 * same; without a common clock set fence_end_ns and nr_disks to 0.
 */
void mpath_remember(struct multipath *m, struct mpath_memory *memory);
void mpath_recall(struct multipath *m, const struct mpath_memory *memory);
/*
 * Likewise, what must be known to a next process before anything else is done.  Recalled after the
 * memory, which may be older: of ends the later counts, of disks those of both.
 */
void mpath_tell_errors(const struct multipath *m, struct mpath_error_tally *tally);
void mpath_recall_errors(struct multipath *m, const struct mpath_error_tally *tally);
/* Not while commands or paths are with the caller; NULL is fine. */
void mpath_destroy(struct multipath *m);

/* An event.  @actions must be empty lists; they are the caller's afterwards. */
void mpath_step(struct multipath *m, const struct mpath_event *event,
		struct mpath_actions *actions);

/*
 * The short way, for nearly all commands (core/short_way.c): MPATH_SUBMIT of @io that leaves
 * nothing to do but to send it down io->path, and MPATH_END_IO that leaves nothing but to answer
 * the initiator.  False: nothing was done, mpath_step() it; which asks for the short way, too.
 */
bool mpath_submit_short(struct multipath *m, struct mpath_io *io, uint64_t now_ns);
bool mpath_end_io_short(struct multipath *m, struct mpath_io *io, uint64_t now_ns);

/*
 * Change a map in service.  All memory for the change is taken here, before the step: on the owner
 * thread, but outside mpath_step().  NULL with words in @error: refused, and nothing has changed.
 * Then, with no other step in between,
 *   mpath_step() with MPATH_CHANGE, and mpath_change_free(), which frees what was replaced,
 * or mpath_change_free() alone to drop it.
 *
 * A path that stays (the same word, or a word for the same device) keeps its struct path, its
 * link, state, counters and the commands on it.  A path that leaves gets no new command; reads on
 * it are given up and go elsewhere, writes are waited for; it comes back in mpath_actions.gone.
 * Commands that wait go on waiting, and are mapped anew.
 */
struct mpath_change;
/* Another table with its settings, as dm loads one.  Both are copied. */
struct mpath_change *mpath_change_reload(struct multipath *m, const struct mpath_table *table,
					 const struct mpath_settings *settings,
					 struct strbuf *error);
/*
 * The others keep features, settings, and the states of groups.  A path that is added gets the
 * selector words of its group; group 0 means the only group, or a new one if each path has its own.
 * One above the last makes a new group.  A path is removed from all groups that have it.
 */
struct mpath_change *mpath_change_add_path(struct multipath *m, const char *address,
					   unsigned int group, struct strbuf *error);
/*
 * A path that was found, by settings.policy: into the only group, or one of its own, which the
 * policy may join with others when it knows more of the path.  A map without any path gets its
 * first group, with @selector.
 */
struct mpath_change *mpath_change_add_found(struct multipath *m, const char *address,
					    const char *selector, struct strbuf *error);
struct mpath_change *mpath_change_remove_path(struct multipath *m, const char *name,
					      struct strbuf *error);
/* By the address that it was added with: its disk is gone, and sdX may be another path's. */
struct mpath_change *mpath_change_remove_found(struct multipath *m, const char *address,
					       struct strbuf *error);
/*
 * The same paths in other groups, for policies: @assignment has, for each path in table order, the
 * number of its new group, from 1; groups are ordered by it.  A new group is the old one of its
 * first path: that gives it the selector, and whether it is disabled or in use.
 */
struct mpath_change *mpath_change_regroup(struct multipath *m, const unsigned int *assignment,
					  struct strbuf *error);
/*
 * The answer to mpath_actions.regroup: the groups as the policies want them.  NULL: they are so
 * already, or, with words in @error, it cannot be done now and will be asked for again; the step
 * with MPATH_CHANGE follows in any case.
 */
struct mpath_change *mpath_change_policy(struct multipath *m, struct strbuf *error);
/* The paths that join, counted from 0, for the caller to set transport_data; NULL past the last. */
struct path *mpath_change_path(struct mpath_change *change, unsigned int number);
void mpath_change_free(struct mpath_change *change);
void mpath_path_free(struct path *path);

/*
 * A message that came back pending has been taken, but is not done: suspend, until the last command
 * has come back, and probe_paths, until all paths have answered.  To be asked after each step;
 * true: it is done, and error and reply are final.
 */
bool mpath_message_done(struct multipath *m, struct mpath_message *message);

/* Status lines, byte for byte as the kernel's dm-multipath prints them. */
void mpath_status(struct multipath *m, enum status_type type, struct strbuf *out);
/* For the kernel's integrity measurement, as dm-multipath 1.14.0 words it. */
void mpath_status_ima(const struct multipath *m, struct strbuf *out);
/* For people: version, WWID, each path with its state and the reason why it is not in use. */
void mpath_status_detail(struct multipath *m, uint64_t now_ns, struct strbuf *out);

const char *mpath_name(const struct multipath *m);
const struct lun_facts *mpath_lun(const struct multipath *m);
/* The kernel's cmd_time_out would answer commands that this map wants to hold (D11). */
bool mpath_queueing_defeated(const struct multipath *m);
/*
 * The least cmd_time_out, in seconds, with which the kernel answers no command that may still be
 * with this map, a lost write that waits for its fence above all.  0: none is long enough, as
 * commands wait for a path without limit; then it has to be 0, too.  Grows when paths come whose
 * way may hold a command for longer.
 */
uint32_t mpath_time_out_needed_s(const struct multipath *m);
/* The same if cmd_time_out is less than that, without defeating queueing; 0: it will do. */
uint32_t mpath_time_out_short_s(const struct multipath *m);
/* True once every path has been looked at once since creation: open() waits a moment for it. */
bool mpath_settled(const struct multipath *m);
/* After MPATH_STOP: nothing is left but paths that the runtime still opens. */
bool mpath_only_opens(const struct multipath *m);

/* The paths in table order, counted from 0; NULL past the last.  Slow: not on the I/O path. */
struct path *mpath_path(struct multipath *m, unsigned int number);

/* Every invariant of the private struct, by assertion: for tests and the simulator. */
void mpath_check_invariants(const struct multipath *m);

/*
 * The trace sink: one sentence per decision, the language of the tests.  It gets the time of the
 * step and must not touch the map.  NULL (the default) costs one branch.
 */
typedef void (*mpath_trace_fn)(void *arg, uint64_t now_ns, const char *sentence);
void mpath_set_trace(struct multipath *m, mpath_trace_fn fn, void *arg);

#endif
