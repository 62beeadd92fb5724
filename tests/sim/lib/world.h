/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The virtual world: the real core with a clock, paths, an array and initiators that exist only
 * here.  Time moves when a test moves it; a minute takes microseconds, and twice the same.
 *
 * The world does what the runtime and the transports promise in core.h and path_transport.h, and
 * after each step the oracle (oracle.c) looks at what the core did.  What the paths do is set by
 * the test: see enum sim_mode.  SIM_VERBOSE=1 prints what happens while it happens.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "core/multipath.h"
#include "sim/lib/array.h"

#define SIM_PATHS_MAX	      64
#define SIM_PATH_IDS	      1024 /* so many are told apart at a time */
#define SIM_LUNS_MAX	      3
#define SIM_LINKS_MAX	      8
#define SIM_IOS_MAX	      4096
#define SIM_IO_BYTES	      SIM_TRANSFER_MAX
#define SIM_PIECES_MAX	      12
#define SIM_AREA_BYTES	      (2 * SIM_IO_BYTES)    /* with what lies between the pieces */
#define SIM_EPOCH	      (1000 * NSEC_PER_SEC) /* when stories begin: their 0 ms */
#define SIM_LATENCY	      NSEC_PER_MSEC	    /* of a command, an open, a close, ... */
#define SIM_STEPS_AT_ONCE_MAX 20000		    /* more at one point in time is a livelock */

/* What becomes of a command on a path. */
enum sim_mode {
	MODE_UP,
	MODE_LOST,	 /* TRANSPORT_LOST */
	MODE_NOT_SENT,	 /* TRANSPORT_NOT_SENT: the device is offline */
	MODE_GONE,	 /* TRANSPORT_GONE, and the device cannot be opened any more */
	MODE_LOCAL_BUSY, /* TRANSPORT_BUSY */
	MODE_REFUSED,	 /* TRANSPORT_REFUSED */
	MODE_FAULT,	 /* TRANSPORT_FAULT */
	MODE_TIMEOUT,	 /* TRANSPORT_TIMEOUT after the command's own time-out */
	MODE_ORPHANED, /* TRANSPORT_ORPHANED: the kernel still has it, for its time-out and 30 s */
	MODE_HUNG,     /* no answer, until the mode changes */
	MODE_STANDBY,  /* 02/04/0b, for all that wants the medium */
	MODE_UNAVAILABLE,   /* 02/04/0c */
	MODE_TRANSITIONING, /* 02/04/0a */
	MODE_STOPPED,	    /* 02/04/02: the LUN waits for START STOP UNIT */
	MODE_LUN_GONE,	    /* 05/25/00 */
	MODE_ANSWER,	    /* path->answer, for initiators' commands only */
};

struct sim_path {
	struct world *w;
	struct path *path; /* the core's; NULL: not in the map any more */
	unsigned int id;
	unsigned int controller; /* of the array; paths of one group are on the same */
	char name[16];		 /* "8:16" */
	char device[16];	 /* "sdb" */
	struct sim_nexus nexus;

	enum sim_mode mode;	   /* for every command */
	enum sim_mode io_mode;	   /* for initiators' commands, if not MODE_UP */
	unsigned int io_left;	   /* so many of them, then io_mode is MODE_UP again; 0: for ever */
	struct scsi_result answer; /* of MODE_ANSWER */
	bool lands;		   /* what ends in doubt was carried out all the same */
	uint64_t latency_ns;
	uint64_t write_sleeps_ns; /* so long after it was sent the kernel has a command */
	const char *refused;	  /* open is refused, for that reason; NULL: it is not */
	bool open_hangs;
	uint64_t open_latency_ns;
	bool unstable_name;
	bool read_only;	      /* as the kernel takes it */
	unsigned int busy;    /* so many probes are answered BUSY, or with ... */
	uint8_t busy_status;  /* ... this, of those ... */
	uint8_t busy_opcode;  /* ... that have this opcode */
	bool write_protected; /* as the array says to writes */
	unsigned int
		short_left; /* so many READs bring, and WRITEs leave, nothing, and it says ... */
	bool short_warns;   /* ... RECOVERED ERROR to it, or GOOD; but ... */
	uint32_t short_of;  /* ... so many bytes are done all the same */
	uint64_t disk;	    /* the kernel's number for it; another one when it was gone */
	uint32_t queue_depth;
	uint64_t max_transfer_bytes;
	unsigned int foreign;	     /* commands of a dead process that are out there */
	unsigned int hidden;	     /* of these, such as the counters do not show any more (H3) */
	bool uncountable;	     /* the counters cannot be read */
	bool blocked;		     /* the kernel keeps commands back: sim_block() */
	bool silent;		     /* and nothing says so: sim_refuse() */
	bool seen_blocked;	     /* and this process knows it */
	uint64_t uncounted_until_ns; /* what it has let go is on its way to the counters */
	uint64_t nr_errors; /* the kernel counts: commands of its disk that have ended so */
	uint64_t errors_at_open;
	uint32_t transit_ms;
	int reset_error; /* a LOGICAL UNIT RESET through this path fails so; 0: it does not */
	uint64_t reset_latency_ns;
	uint64_t session; /* as the transport tells it; 0: it has none; set before world_start() */
	uint64_t session_latency_ns;
	bool session_unknown;	/* it cannot be told now */
	uint64_t heard_sent_ns; /* the target has answered what was sent then */

	bool is_open; /* as the core was told */
	bool opening;
	struct list carried; /* io.node of what is out there, as a transport may use it */
	bool not_in_table; /* the administrator has taken it out of the file: for a next process */
	unsigned int nr_opens;
	unsigned int nr_closes;
	unsigned int nr_probes;
	unsigned int nr_resets; /* LOGICAL UNIT RESETs that were sent through it */
	unsigned int nr_asked;	/* for its session */
	unsigned int nr_out;	/* initiators' commands */
	unsigned int max_out;

	bool down; /* oracle.c: it has failed a command, and no probe has said otherwise since */
	uint64_t served_ns;	  /* oracle.c: when it last answered a command, or had none */
	uint64_t probes_since_ns; /* oracle.c: a second of probes, and how many there were in it */
	unsigned int recent_probes;
};

enum sim_io_state { SIM_IO_FREE, SIM_IO_OUT, SIM_IO_ANSWERED };

/* A command of an initiator's. */
struct sim_io {
	struct mpath_io io;
	unsigned int id;
	enum sim_io_state state;
	struct iovec iov[SIM_PIECES_MAX];
	uint8_t buf[SIM_IO_BYTES];

	struct ring_cmd *ring_cmd; /* ring.c: while the map has it */
	uint16_t ring_id;
	bool in_ring;	      /* the kernel has written it there, and the map has not seen it yet */
	bool named;	      /* by a TMR that was put into the ring */
	bool poison;	      /* TRANSPORT_FAULT wherever it goes */
	unsigned int sent;    /* so often it is on a path, as the world sees it */
	unsigned int nr_legs; /* of these, legs: with buffers of their own */
	bool tmr;	      /* a task management function named it */
	bool orphaned;	      /* the process died that had it */
	bool queueing_lapsed; /* see oracle.c */
	bool overdue;	      /* oracle.c: the kernel answers it while it may still land */
	bool hit_by_our_reset;
	unsigned int heard_loss; /* oracle.c: a deferred error, which nobody else is told */
	uint64_t held_up_ns;	 /* oracle.c: so long the loop stood still since it came */
	unsigned int nr_starts;
	unsigned int nr_doubts; /* answers after which it may have been carried out */
	unsigned int nr_faults; /* TRANSPORT_FAULT, TIMEOUT, REFUSED, BUSY and path senses */
	unsigned int nr_executions;
	uint64_t arrived_ns;   /* an old copy that is in doubt is at the target by then */
	uint64_t may_land_ns;  /* and may be carried out until then */
	uint64_t lost_ns;      /* since when it is in doubt */
	uint64_t lost_session; /* in which it was lost; 0: nobody can tell */
	uint64_t stamp;	       /* that it writes */
	uint64_t copied;       /* that it has found where it copies from */
	uint64_t submitted_seq;
	uint64_t answered_seq;
	uint64_t answered_ns;
	uint64_t unproved_until_ns; /* oracle.c: it cannot, as a reset says, but may wait so long */
	uint64_t
		could_run_since_ns; /* oracle.c: it waits, though a path would take it; 0: not so */
	struct scsi_result told;    /* the last word of a target */
	bool was_told;
	struct sim_path *last_path, *path_before; /* the latter of legs only */
};

/* Something that happens on its own at due_ns. */
enum sim_event_type {
	SIM_COMMAND,
	SIM_OPENED,
	SIM_CLOSED,
	SIM_COUNTED,
	SIM_RESET,
	SIM_SESSION,
	SIM_ABANDONED,
	SIM_LATE,
	SIM_TICK,
};

struct sim_event {
	enum sim_event_type type;
	uint64_t due_ns; /* 0: not before something changes */
	uint64_t seq;
	struct sim_path *path;
	struct mpath_io *io;
	int64_t outstanding;
	uint64_t errors;
	uint64_t sent_ns;
	struct sim_late *late;
	bool executed;	/* the command: its result is there, and waits for the way back */
	bool swallowed; /* the command: a reset has ended it, and no answer comes */
	bool too_late;	/* the command: its transport did not send it */
	struct scsi_result result;
};

#define SIM_LATE_MAX   256
#define SIM_EVENTS_MAX (SIM_IOS_MAX + 4 * SIM_PATHS_MAX + SIM_LATE_MAX)

/* What has happened in this world, beside what the core's trace tells. */
struct sim_counts {
	unsigned long late_landings; /* copies carried out after everybody gave them up */
	unsigned long late_answers;  /* of reads that were given up */
	unsigned long early_runs;    /* carried out long before their answer */
	unsigned long orphans;	     /* commands that a process left behind */
	unsigned long orphan_writes; /* of these, the writes that landed */
	unsigned long restarts;
	unsigned long gateway_writes; /* by an initiator that goes another way */
	unsigned long lun_resets;
	unsigned long power_losses;
	unsigned long expired; /* answered after the kernel had done so */
	unsigned long unit_attentions;
	unsigned long ring_rounds;   /* through the whole ring */
	unsigned long ring_tmrs;     /* entries about task management */
	unsigned long sync_caches;   /* answered good */
	unsigned long fences_kept;   /* restarts while lost writes of the old process might land */
	unsigned long lost_landings; /* of these, the writes that did */
	unsigned long unseen_landings; /* of orphans' writes, whose path was not open */
	unsigned long deferred;	       /* errors that commands of initiators heard */
	unsigned long deferred_to_probes;
	unsigned long busy_probes;     /* answered BUSY and the like */
	unsigned long unmaps;	       /* and WRITE SAMEs, answered good */
	unsigned long short_answers;   /* GOOD, or RECOVERED ERROR, and nothing was transferred */
	unsigned long part_reads;      /* GOOD, or RECOVERED ERROR, with a part of the data */
	unsigned long part_writes;     /* likewise */
	unsigned long warnings;	       /* RECOVERED ERROR, with all of it */
	unsigned long other_reads;     /* than READ(10), answered good */
	unsigned long other_writes;    /* than WRITE(10) and the like, likewise */
	unsigned long copies;	       /* likewise */
	unsigned long syncs_at_once;   /* IMMED */
	unsigned long in_pieces;       /* commands whose buffers were */
	unsigned long pages_told;      /* initiators have heard of other pages */
	unsigned long fetched;	       /* unit attentions that REQUEST SENSE has brought */
	unsigned long standstills;     /* of the loop */
	unsigned long held_up;	       /* what it would have heard meanwhile */
	unsigned long let_go;	       /* orphans' writes that the kernel had kept back */
	unsigned long let_go_landings; /* of these, the ones that landed */
	unsigned long hedges;	       /* reads that were sent a second time */
	unsigned long loose_answers;   /* of legs for which nobody waited any more */
	unsigned long worst_acts;      /* while lost writes waited, and the like */
	unsigned long worst_settings;  /* of these, changes of settings */
	unsigned long heard;	       /* by the kernel, and not by us */
	unsigned long aborts_of_lost;
	unsigned long aborts_of_hedged;
	unsigned long aborts_of_held;
	unsigned long ends_in_order;  /* while writes of a dead process were feared */
	unsigned long old_words;      /* the next process read an old file, or none */
	unsigned long lost_tallies;   /* or no tally, or that of another process */
	unsigned long early_deaths;   /* restarts of who had not looked at all paths */
	unsigned long other_timeouts; /* restarts with another time-out than the former process's */
	unsigned long tables;	      /* that were others than the one before */
	unsigned long handlers;	      /* of these, such as have another hardware handler */
	unsigned long dropped_changes; /* memory was short for what comes behind them */
	unsigned long late_sends;      /* standstills between a step and what it asks for */
	unsigned long too_late;	       /* sends that were not done for that */
	unsigned long growths;	       /* of the LUN */
	unsigned long silent_growths;  /* of these, such as no unit attention tells of */
	unsigned long swallowed;       /* commands that a reset has ended without a word */
	unsigned long task_aborts;     /* and those that were answered TASK ABORTED */
};

struct world {
	/* for the test to set before world_start() */
	struct mpath_settings settings;
	bool lists_paths; /* the table is made of a list of paths: the array's handler is found */
	struct mpath_backstore backstore;
	bool has_backstore;
	struct lun_facts kept;	    /* from an earlier run, if kept.known */
	struct mpath_memory memory; /* likewise */

	struct sim_lun luns[SIM_LUNS_MAX];
	struct sim_path paths[SIM_PATHS_MAX];
	unsigned int nr_paths;
	uint64_t grown_to;	     /* blocks; 0: the LUN never has */
	uint64_t nr_disks;	     /* that there ever were */
	unsigned int nr_table_paths; /* the first ones; the others joined later */
	struct sim_io *ios;
	unsigned int nr_ios;
	uint8_t *areas; /* of ios, for their pieces; NULL: each has its buffer in one */
	struct sim_event *events;
	unsigned int nr_events;

	char *table;
	unsigned int nr_gone; /* paths that have left */
	struct multipath *m;
	uint64_t now_ns;
	uint64_t wake_ns;
	uint64_t wake_late_ns; /* the loop has other things to do first */
	uint64_t start_ns;
	bool timeouts_untold;	     /* before Linux 6.2, which has no iotmo_cnt */
	uint32_t longest_transit_ms; /* of all paths that this process knows to have been opened */
	int cpu;		     /* where the initiators' commands come from */
	uint64_t came_ago_ns;	     /* and for how long they have waited in the ring */
	uint64_t seq;
	unsigned int steps_at_once;
	bool shut_down;
	bool stopping;
	bool stopped;
	unsigned int nr_lun_changes;
	unsigned int nr_forgets;
	unsigned int nr_memory_changes;
	unsigned int nr_group_changes;
	unsigned int nr_regroups;	/* that the policies wanted */
	unsigned int nr_regroups_asked; /* for, with those that were not needed */
	unsigned int nr_fences_moved;
	unsigned int nr_fences_over;
	unsigned int nr_disks_used;
	unsigned int nr_disks_left;
	struct mpath_memory saved;	/* as of the last time that it was to be kept at once */
	struct lun_facts saved_lun;	/* likewise */
	bool cannot_save;		/* the disk is full, or does not answer */
	bool file_is_old;		/* as something was not saved */
	struct mpath_error_tally tally; /* kept at each change */
	bool tally_unmapped;		/* this process can neither read nor write it */
	bool tally_is_old;		/* as a process did not write it, or it was lost */
	uint64_t down_max_ns;		/* no process starts later after a death; 0: as usual */
	uint32_t longest_timeout_ms;	/* of the paths so far; 0: it is always the same */
	uint32_t former_timeout_ms;	/* the longer one of memory and tally */
	uint64_t let_go_ns;	  /* when the kernel has last let go of what it had kept back */
	uint64_t told_blocked_ns; /* when the map was last told that it does */
	bool let_go_unheard;	  /* nothing was counted since */
	bool killed;		  /* there is no process, and no map */
	uint64_t lost_until_ns;	  /* what a dead process had lost may be carried out until then */
	uint64_t suspended_seq;	  /* when the administrator suspended the map; 0: it is not */
	struct sim_counts counts;

	/* For random worlds; each may be NULL. */
	size_t (*piece)(struct world *w, size_t left); /* the next piece of a buffer, in bytes */
	bool (*coin)(struct world *w);	     /* does a command in doubt land?  NULL: path->lands */
	bool (*runs_early)(struct world *w); /* is it carried out when sent, not when answered? */
	uint64_t (*jitter_ns)(struct sim_path *p); /* more latency, for this command only */
	bool (*is_slow)(struct world *w); /* the ring is read when time moves, not at once */
	/* When does a command in doubt that does not land at once land all the same?  0: never. */
	uint64_t (*lands_later_ns)(struct world *w, const struct scsi_cmd *cmd);
	/* So long after it is hidden an orphan lands at the latest that had this time-out. */
	uint64_t (*late_max_ms)(const struct world *w, uint32_t timeout_ms);
	uint64_t (*work_ns)(struct world *w); /* to give up or to close; NULL: SIM_LATENCY */
	uint64_t (*falls_behind_ms)(struct world *w); /* before it does what a step asks for */
	bool (*drops_change)(struct world *w); /* memory is short for what the caller needs */
	bool (*aborts)(struct world *w); /* does a reset have a command end TASK ABORTED, not in
					    silence?  NULL: it finds none */

	/* For a core that does wrong (test_oracle.c); each may be NULL. */
	void (*before)(struct world *w, struct mpath_event *event);
	void (*after)(struct world *w, struct mpath_event *event, struct mpath_actions *actions);

	char *trace; /* the core's sentences */
	size_t trace_len, trace_size, trace_mark;
	uint64_t last_notice_seq;
	char *told; /* see expect_events() */
	size_t told_len, told_size, told_mark;
	char *notices;
	size_t notices_len, notices_size, notices_mark;
	struct {
		const char *name;
		const char *device;
	} links[SIM_LINKS_MAX];
	unsigned int nr_links;
	char text[16384]; /* the last reply or status line */

	struct oracle *oracle;
	struct sim_ring *ring; /* NULL: commands come to the map straight from the initiators */
};

/* --- a world's life --- */

/* @table as dmsetup prints it; paths are named as its devices (maj:min), or by their number. */
struct world *world_new(const char *table);
/* Create the map, and step it for the first time. */
void world_start(struct world *w);
/* Start, and let all paths be looked at; ends at a time of full 100 ms with an empty trace. */
void world_up(struct world *w);
/* Release what hangs, stop the map, check that nothing is left. */
void world_end(struct world *w);
/*
 * kill -9: what is on the paths becomes orphans, which may land within the paths' time-out, or
 * with @lands_late_ms so long after it.  The kernel answers what was out, as it resets the ring.
 */
void kill_world(struct world *w, uint64_t lands_late_ms);
/*
 * SIGTERM, as by systemctl restart, and all that is kept is saved.  Who does not end in time is
 * killed: false.
 */
bool end_in_order(struct world *w, uint64_t patience_ms, uint64_t lands_late_ms);
/* Then systemd starts the process again. */
void restart_world(struct world *w);
/* In between: the file is this one, an old one; or there is no tally.  The other one is right. */
void lose_the_file(struct world *w, const struct lun_facts *lun, const struct mpath_memory *memory);
void lose_the_tally(struct world *w);
/* The file has all that is to be kept. */
void world_save(struct world *w);

/* For world.c. */
void world_keep(struct world *w, const struct mpath_actions *actions);
void world_tell_tally(struct world *w);
void world_recall(struct world *w);
uint64_t down_max_ns(const struct world *w);

/* --- time and events --- */

void advance(struct world *w, uint64_t ms);
void advance_us(struct world *w, uint64_t us);
/*
 * The loop has no CPU, or waits for a page: the map hears and does nothing for so long, then all at
 * once.  The world goes on.
 */
void stand_still(struct world *w, uint64_t ms);
/* For the reader of a replay: what happens out in the world, where the core does not see it. */
__attribute__((format(printf, 2, 3))) void tell(const struct world *w, const char *format, ...);
/* Step the map now: one event, and its actions. */
void world_step(struct world *w, struct mpath_event *event);
/* The core has answered @io. */
void world_complete(struct world *w, struct mpath_io *io);
uint64_t sim_work_ns(struct world *w);
/* And the initiator has the answer. */
void world_answered(struct world *w, struct sim_io *io);
uint64_t now_ms(const struct world *w);

/* --- what the paths do --- */

struct sim_path *sim_path(struct world *w, const char *name);
/* Commands that are on the path now share its fate. */
void set_mode(struct sim_path *path, enum sim_mode mode);
void set_io_mode(struct sim_path *path, enum sim_mode mode, unsigned int count);
/* The next @count initiators' commands are answered so (0: all). */
void answer_with(struct sim_path *path, const struct scsi_result *answer, unsigned int count);
void answer_with_status(struct sim_path *path, uint8_t status, unsigned int count);
void answer_with_sense(struct sim_path *path, uint8_t key, uint8_t asc, uint8_t ascq,
		       unsigned int count);
void push_ua(struct sim_path *path, uint8_t asc, uint8_t ascq);
/* A write that came through this path is lost, though it was answered GOOD. */
void push_deferred(struct sim_path *path, uint8_t key, uint8_t asc, uint8_t ascq);
/* Another LUN behind this path from now on, with the unit attention that an array sends. */
void exchange_lun(struct sim_path *path, unsigned int number);
void exchange_lun_saying(struct sim_path *path, unsigned int number, uint8_t asc, uint8_t ascq);
/* All paths of one of the array's controllers. */
void set_controller_mode(struct world *w, unsigned int controller, enum sim_mode mode);
/* All controllers lose power for a moment: what was not synchronized is lost. */
void lose_power(struct world *w);

/* --- late.c: copies that nobody waits for any more --- */

/* @io, which is given up or in doubt, is carried out at @lands_ns after all. */
void sim_late_copy(struct sim_path *path, const struct mpath_io *io, uint64_t lands_ns);
/*
 * A command of a dead process.  It counts as outstanding until @lands_ns, but not after @hides_ns
 * (H3).  One without a CDB only counts.
 */
void sim_late_orphan(struct sim_path *path, const struct scsi_cmd *cmd, struct sim_io *io,
		     uint64_t lands_ns, uint64_t hides_ns);
/* What the kernel gives an orphan; NULL: one without a CDB.  And so long it lands after that. */
uint32_t sim_orphan_timeout_ms(const struct world *w, const struct scsi_cmd *cmd);
uint64_t sim_orphan_late_ns(const struct world *w, uint32_t timeout_ms, uint64_t late_ms);
/* As sim_late_orphan(), a write of one block that no initiator of this world knows of. */
void sim_late_foreign(struct sim_path *path, uint64_t lba, uint64_t stamp, uint64_t lands_ns,
		      uint64_t hides_ns);
/*
 * The kernel ends the dead process's commands, with errors: they do not count as outstanding any
 * more, and may land all the same.
 */
void sim_late_lose(struct sim_path *path);
/*
 * The kernel keeps back what is on the path, and what comes, uncounted and without a time-out: a
 * dead process's commands land when it lets go.
 */
void sim_block(struct sim_path *path);
/* Likewise, but no state of the disk's says so: the counters say that nothing is out. */
void sim_refuse(struct sim_path *path);
void sim_unblock(struct sim_path *path);
/*
 * Likewise, but each lands when it likes within its time-out, or with @lands_late_ms so long after
 * it; and until @uncounted_ms have passed no counter shows them.
 */
void sim_let_go(struct sim_path *path, uint64_t uncounted_ms, uint64_t lands_late_ms);
/* Or the disk goes, and they with it. */
void sim_block_ends(struct sim_path *path);
/* How many commands of a dead process count that another LUN than the map's has got? */
unsigned int sim_late_harmless(const struct sim_path *path);
/* Is a write of a dead process out there that may land on the map's LUN? */
bool sim_late_has_orphan_write(const struct sim_path *path);
/* Likewise, and the kernel had kept it back. */
bool sim_late_was_kept_back(const struct sim_path *path);
/* The world ends: what the path still carried is gone. */
void sim_late_drop_session(struct sim_path *path);
/* The session has been established anew: what cannot land any more does not. */
void sim_late_new_session(struct sim_path *path);
/* LOGICAL UNIT RESET at the array: the copies that had arrived by @sent_ns are gone. */
void sim_late_reset_lun(struct world *w, struct sim_lun *lun, uint64_t sent_ns);

/* Before world_start(), after sim_ring_begin(): buffers are in pieces, as w->piece cuts them. */
void world_cut_buffers(struct world *w);

/* Before world_start(): commands come through a TCMU ring, which begins at @at (ring.c). */
void sim_ring_begin(struct world *w, uint32_t at);

/*
 * Before world_start(): the array has target port groups 1, 2, ..., each with @paths_per_group of
 * the paths, in their order.  @tpgs as in INQUIRY data: 1 implicit, 2 explicit, 3 both.  Group 1 is
 * optimized, the others are in standby.
 */
void give_port_groups(struct world *w, uint8_t tpgs, unsigned int paths_per_group);
/*
 * Likewise for the paths 8:0 to 8:48: group 1 has 8:16 and 8:48, so that a list's order is not
 * kept, and group 2 is not optimized.
 */
void mix_port_groups(struct world *w, uint8_t tpgs);
/*
 * Before world_start(): the array is one of two controllers.  The paths of the table's odd groups
 * lead to controller 0, which owns the LUN, and they have the checker that knows such arrays.
 */
void give_controllers(struct world *w, enum sim_make make);
/* The array changes a group's state; with @ua each path is told with its next command. */
void set_port_group(struct world *w, unsigned int group, uint8_t state, bool ua);

/* --- what initiators do --- */

struct sim_io *submit_read(struct world *w, uint64_t lba, unsigned int nr_blocks);
/* The same READ again, in the place of the old one: for loads of more commands than SIM_IOS_MAX. */
void submit_again(struct world *w, struct sim_io *io);
struct sim_io *submit_write(struct world *w, uint64_t lba, unsigned int nr_blocks);
struct sim_io *submit_write_same(struct world *w, uint64_t lba, unsigned int nr_blocks, bool unmap);
struct sim_io *submit_unmap(struct world *w, uint64_t lba, unsigned int nr_blocks);
/* Of two blocks, anywhere, that nobody has written yet: nor are they written by this. */
struct sim_io *submit_unmap_of_two(struct world *w, uint64_t lba, uint64_t other);
/* COMPARE AND WRITE of one block, which is expected to have @expected. */
struct sim_io *submit_caw(struct world *w, uint64_t lba, uint64_t expected);
/* Of whatever form.  @cdb has no data but blocks, or these one block more (WRITE SAME). */
struct sim_io *submit_blocks(struct world *w, const uint8_t *cdb, size_t cdb_len);
/* EXTENDED COPY of one block; see array.c. */
struct sim_io *submit_copy_of(struct world *w, uint64_t from, uint64_t to);
struct sim_io *submit_cdb(struct world *w, const uint8_t *cdb, size_t cdb_len, size_t data_len);
struct sim_io *submit_poison(struct world *w);
/* Of a vendor's. */
#define submit_vendor(w)   submit_cdb(w, (const uint8_t[10]){0xc1}, 10, 0)
#define submit_tur(w)	   submit_cdb(w, (const uint8_t[6]){0}, 6, 0)
#define submit_inquiry(w)  submit_cdb(w, (const uint8_t[6]){0x12, 0, 0, 0, 96}, 6, 96)
#define submit_pr_in(w)	   submit_cdb(w, (const uint8_t[10]){0x5e, [8] = 8}, 10, 8)
#define submit_pr_out(w)   submit_cdb(w, (const uint8_t[10]){0x5f, [8] = 24}, 10, 24)
#define submit_capacity(w) submit_cdb(w, (const uint8_t[16]){0x9e, 0x10, [13] = 32}, 16, 32)
void abort_task(struct world *w, struct sim_io *io);
/* LOGICAL UNIT RESET: names all that is out. */
void reset_lun(struct world *w);
/* An initiator of another gateway: its write is done when this returns. */
void gateway_write(struct world *w, uint64_t lba);

/* --- what the administrator and tcmu-runner do --- */

/* "fail_path 8:16"; returns the errno, the reply is in w->text. */
int message(struct world *w, const char *words);
/* From now on @name leads to @device, as udev's links do: seen by reload(). */
void link_to(struct world *w, const char *name, const char *device);

/*
 * Change the map, see core.h.  The errno, with the reason in w->text.  Paths that nobody knows yet
 * come into the world as the first ones did.
 */
int reload(struct world *w, const char *table);
int add_path(struct world *w, const char *address, unsigned int group);
int add_found_path(struct world *w, const char *address);
int remove_path(struct world *w, const char *name);
int regroup(struct world *w, const unsigned int *assignment);
/* What the core asks for by mpath_actions.regroup. */
void regroup_by_policy(struct world *w);
void set_cmd_time_out(struct world *w, unsigned int seconds);
void disks_changed(struct world *w);
/* A unit attention that nobody else has heard. */
void kernel_hears(struct sim_path *path, enum mpath_heard heard);
void shut_down_world(struct world *w);
void stop_world(struct world *w);

/* --- story.c: what a story expects --- */

/*
 * The core's sentences since the last call, each as "[ ms] sentence".  Left out are those that say
 * only that a path was checked.  A line "..." stands for any number of lines, also none.
 */
void expect_trace_at(struct world *w, const char *file, int line, const char *want);
void expect_notice_at(struct world *w, const char *file, int line, const char *part);
void expect_no_notice_at(struct world *w, const char *file, int line, const char *part);
/*
 * The events since the last call, each as "name PATH group N", or without what it is not about.
 */
void expect_events_at(struct world *w, const char *file, int line, const char *want);
void expect_answer_at(struct world *w, const char *file, int line, const struct sim_io *io,
		      uint8_t status);
void expect_sense_at(struct world *w, const char *file, int line, const struct sim_io *io,
		     uint8_t key, uint8_t asc, uint8_t ascq);
void expect_pending_at(struct world *w, const char *file, int line, const struct sim_io *io);
void expect_status_at(struct world *w, const char *file, int line, enum status_type type,
		      const char *want);
void expect_detail_at(struct world *w, const char *file, int line, const char *part);
void expect_no_detail_at(struct world *w, const char *file, int line, const char *part);
void expect_at(struct world *w, const char *file, int line, bool holds, const char *what);
__attribute__((noreturn, format(printf, 4, 5))) void fail_at(struct world *w, const char *file,
							     int line, const char *format, ...);
void forget_trace(struct world *w);
void forget_notices(struct world *w);
/* How many lines of @text, each with its end, have @part? */
unsigned int lines_with(const char *text, const char *part);
/* Likewise, of the notices since they were last forgotten. */
unsigned int count_notices(struct world *w, const char *part);

#define expect_trace(w, want)	     expect_trace_at(w, __FILE__, __LINE__, want)
#define expect_notice(w, part)	     expect_notice_at(w, __FILE__, __LINE__, part)
#define expect_no_notice(w, part)    expect_no_notice_at(w, __FILE__, __LINE__, part)
#define expect_events(w, want)	     expect_events_at(w, __FILE__, __LINE__, want)
#define expect_answer(w, io, status) expect_answer_at(w, __FILE__, __LINE__, io, status)
#define expect_good(w, io)	     expect_answer_at(w, __FILE__, __LINE__, io, SAM_GOOD)
#define expect_sense(w, io, k, a, q) expect_sense_at(w, __FILE__, __LINE__, io, k, a, q)
#define expect_pending(w, io)	     expect_pending_at(w, __FILE__, __LINE__, io)
#define expect_info(w, want)	     expect_status_at(w, __FILE__, __LINE__, STATUS_INFO, want)
#define expect_table(w, want)	     expect_status_at(w, __FILE__, __LINE__, STATUS_TABLE, want)
#define expect_detail(w, part)	     expect_detail_at(w, __FILE__, __LINE__, part)
#define expect_no_detail(w, part)    expect_no_detail_at(w, __FILE__, __LINE__, part)
#define expect(w, holds)	     expect_at(w, __FILE__, __LINE__, holds, #holds)

/* A story is void (*)(void); this prints its name should it fail. */
void tell_story(const char *name, void (*story)(void));
#define STORY(name) tell_story(#name, name)
/* The exit code. */
int end_of_stories(void);

/* How to replay what is running, for the message of a failure. */
extern const char *sim_replay;

/* --- table_dice.c --- */

struct table_dice {
	bool is_sim; /* the array has no controllers */
	bool alua;
	const char *own_handler; /* of the array of controllers, as the table names it */
};
void tables_begin(struct world *w, const struct table_dice *dice);
void random_tables(struct world *w);
void tables_end(struct world *w);

/* --- array_dice.c --- */

void arrays_begin(struct world *w);
void random_arrays(struct world *w);
void arrays_end(struct world *w);
/* A LOGICAL UNIT RESET has ended what it found there, @p's own nexus or all but that. */
void sim_reset_ends(struct world *w, const struct sim_lun *lun, bool ours);

/* --- page_dice.c --- */

/* With this number of his dice. */
void random_pages(struct world *w, uint64_t roll);

/* --- oracle.c --- */

void oracle_new(struct world *w);
void oracle_free(struct world *w);
void oracle_waits_anew(struct world *w); /* for a path */
void oracle_submitted(struct world *w, struct sim_io *io);
/* @too_late: it stays with the transport. */
void oracle_started(struct world *w, const struct mpath_io *io, struct sim_path *path,
		    bool too_late);
/* It may have been carried out, or may still be: from now on, or once the kernel has given it up.
 */
void oracle_lost(struct world *w, struct sim_io *io, struct sim_path *path, uint64_t from_ns,
		 bool is_lost);
/* The target says that a LOGICAL UNIT RESET is done, which was sent at @sent_ns. */
void oracle_reset(struct world *w, uint64_t sent_ns);
/* The path's session has been established anew, as an answer to what was sent at @sent_ns shows. */
void oracle_new_session(struct world *w, const struct sim_path *p, uint64_t sent_ns);
void oracle_answered(struct world *w, struct sim_io *io);
void oracle_stepping(struct world *w);
/* The loop has done nothing for so long: all that it may take its time for may take so much longer.
 */
void oracle_stood_still(struct world *w, uint64_t ns);
void oracle_time_out_changes(struct world *w); /* before it does */
void oracle_stepped(struct world *w);
void oracle_ended(struct world *w);
/* A write of a dead process: it lands without anybody's waiting for it. */
void oracle_foreign_write(struct world *w, uint64_t lba, uint64_t stamp);
/* A write of another gateway, from its beginning to its end. */
void oracle_gateway_write(struct world *w, uint64_t lba, uint64_t stamp);
void oracle_killed(struct world *w);
/* What the next process will read is w->memory, which is not the last word of the former one. */
void oracle_word_is_old(struct world *w);
void oracle_lun_forgotten(struct world *w);
void oracle_regrouped(struct world *w);
void oracle_event(struct world *w, const struct mpath_notice *notice);
void oracle_missed_events(struct world *w);
void oracle_changes(struct world *w, bool begins);
void oracle_power_lost(struct world *w);
void oracle_pages_change(struct world *w);
void oracle_kernel_hears(struct world *w, enum mpath_heard heard);
/* A target has answered; @io may be a probe. */
void oracle_told(struct world *w, struct sim_path *path, const struct mpath_io *io);
void oracle_probed(struct world *w, struct sim_path *path);
/* The same, with the calls to it checked. */
const struct path_selector_type *oracle_selector(const struct path_selector_type *type);

#define oracle_check(w, holds, ...)                                                                \
	do {                                                                                       \
		if (!(holds))                                                                      \
			fail_at(w, __FILE__, __LINE__, __VA_ARGS__);                               \
	} while (0)

#endif
