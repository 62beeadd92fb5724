/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The private side of a map: its fields, and what the core's files offer each other.
 *
 * Words that dm does not have:
 *   held	 no path is usable: the command waits for one (queue_if_no_path, or a path in doubt)
 *   backlog	 every usable path has as many commands as it takes: waits for room
 *   delayed	 waits for retry_ns, then is mapped again
 *   restarting	 a write that waits until writes are gone that nobody waits for any more: a dead
 *		 process's (D9 Restart), or such as the kernel has answered in our place (overdue);
 *		 or until an older one to the same blocks is answered, which comes twice (order.c)
 *   fenced	 a write whose old copy may still land: neither repeated nor answered (fence.c)
 *   activating	 the hardware handler activates the group (pg_init): waits for the end of that
 *   leg	 what a read that may be hedged sends in its place (hedge.c)
 *   suspect	 an active path that is in doubt: no new commands until its probe has answered
 */
#ifndef MPATH_MULTIPATH_H
#define MPATH_MULTIPATH_H

#include "mpath/core.h"
#include "mpath/hw_handler.h"
#include "mpath/path_checker.h"
#include "mpath/snapshot.h"

/*
 * So many are kept one by one, for initiators that do not ask for them; then comes what stands for
 * all others: one unit attention, and one deferred error.
 */
#define NEWS_MAX       4
#define NEWS_WITH_SUMS (NEWS_MAX + 2)

/*
 * Commands of which one fetches what another one has brought, and the target keeps that for the I_T
 * nexus that it came by (SPC-5): only who comes the same way can have it, or go on with it.
 */
enum pair_kind {
	NO_PAIR,
	PAIR_COPY,	 /* THIRD-PARTY COPY OUT and IN: an initiator's number for a copy */
	PAIR_BUFFER,	 /* WRITE and READ BUFFER: echo buffer, microcode in pieces */
	PAIR_DIAGNOSTIC, /* SEND DIAGNOSTIC, RECEIVE DIAGNOSTIC RESULTS */
	PAIR_SECURITY,	 /* SECURITY PROTOCOL OUT and IN */
	NR_PAIRS,
};

/* Of the writes that come twice, by their blocks; and one for the long ones. */
#define TWICE_CHAINS_LOG2 4
#define TWICE_CHAINS	  (1 << TWICE_CHAINS_LOG2)

enum suspend_state {
	NOT_SUSPENDED,
	SUSPENDING, /* commands are still with the map */
	SUSPENDED,
};

struct priority_group {
	unsigned int number; /* from 1, as dm counts */
	unsigned int nr_paths;
	bool bypassed;
	bool bypassed_by_array; /* it was busy; nobody has asked for that: see bypass.c */
	uint64_t busy_ns;	/* bypassed: when its array was busy last; 0: never */
	uint64_t impatient_ns;	/* until then its activation does not wait for a busy array */
	bool full_are_silent;	/* paths of it have no room, and have not answered: see demote.c */
	struct list paths;	/* path.node, in table order */
	struct path_selector selector;
};

/*
 * What messages have set in a former process for paths and groups that this one does not have yet,
 * by the hashes of memory.c.
 */
struct awaited {
	unsigned int nr_disabled;
	unsigned int nr_failed;
	uint64_t disabled[MEMORY_GROUPS_MAX];
	uint64_t failed[MEMORY_PATHS_MAX];
};

/* Notices on their way out, packed one behind the other: see notice.c. */
struct kept_notices {
	uint8_t *memory; /* owned */
	uint32_t size;
	uint32_t first; /* bytes before the oldest */
	uint32_t end;	/* of the newest; as first: there is none */
	uint32_t last;	/* where the newest begins */
};

struct multipath {
	char name[MPATH_NAME_MAX];
	struct mpath_settings settings; /* as said, and what the hardware table has filled in */
	struct mpath_backstore backstore;
	struct lun_facts lun;
	uint64_t words;				 /* scsi_lun_words() of it; 0: not known */
	struct scsi_result news[NEWS_WITH_SUMS]; /* that the next commands get, each one of them */
	unsigned int nr_news;
	uint64_t capacity_told_ns; /* when the array's own 2A/09 went up */
	uint64_t size_doubted_ns;  /* when paths in use were last asked, as another one is larger */
	uint64_t reset_told_ns;	   /* when a 29/xx did, or was kept for the next command; or
				      reservations began */
	bool lun_seen;		   /* by this process: lun is not only what was kept */
	bool kept_is_other;	   /* what was kept is another LUN: the map names this one now */
	uint64_t former_blocks;	   /* of the one before, which initiators know; 0: there was none */

	struct priority_group *groups;
	struct list paths;   /* path.map_node, in table order: see for_each_path() */
	struct list leaving; /* path.map_node: not in the table any more, but not closed yet */
	unsigned int nr_groups;
	unsigned int nr_paths;
	unsigned int next_path_id;

	struct mpath_table *table; /* owned: its words; what messages have changed is below */

	/* hardware.c */
	struct mpath_settings said;		   /* by the administrator */
	struct hardware_table *hardware;	   /* owned; NULL: none */
	const struct hardware_rule *hardware_rule; /* of it; NULL: none is for this array */
	bool hardware_met;			   /* and it is known which */

	/* what the table said */
	bool queue_if_no_path; /* or a message */
	bool queue_in_table;
	bool retain_attached_hw_handler;
	unsigned int pg_init_retries;
	int pg_init_delay_msecs;
	enum queue_mode queue_mode;
	uint64_t table_sectors; /* 0: the table did not say */

	/* dm's state */
	struct priority_group *current_pg;
	struct priority_group *next_pg; /* asked for; consumed by the next command */
	bool queue_io;			/* INFO's first word: no group was chosen, or it is not
					   activated yet */
	unsigned int nr_valid;		/* active paths */

	/* pg_init.c: activation of the current group */
	struct hw_handler hw;
	bool pg_init_required;	      /* a round is to begin */
	bool pg_init_delayed;	      /* ... after pg_init_delay_msecs */
	unsigned int pg_init_count;   /* rounds since the group was chosen */
	uint64_t pg_init_due_ns;      /* the round begins then */
	uint64_t pg_init_busy_ns;     /* in it: since when the array is too busy for it; 0: not */
	struct list pg_init_paths;    /* path.pg_init_node: their turn comes */
	struct path *activating_path; /* whose turn it is */

	/* probe.c: for an answer that is too long for a path's own buffer */
	struct path *long_reader; /* whose probe may still be answered into it; NULL: none */
	uint8_t long_answer[PATH_PROBE_BUF_SIZE];

	/* hw.c: states of target port groups */
	uint64_t refresh_due_ns; /* 0: no need */
	struct path *refreshing;
	uint64_t states_asked_ns; /* when a path was last asked for them */
	bool too_busy_to_tell;	  /* for one of those that were asked since they were wanted */
	bool states_owed;	  /* nobody has told them then */

	/* policy.c */
	bool groups_formed;	  /* until then commands wait */
	bool groups_doubted;	  /* what they were formed by may have changed */
	bool regroup_asked;	  /* the next MPATH_CHANGE is the answer */
	bool array_moved;	  /* priorities have changed, and groups were not looked at since */
	uint64_t regroup_next_ns; /* not before that */
	uint64_t failback_due_ns; /* 0: not to be */
	unsigned int came_up_id;  /* of the path that came up last, and had been down */
	bool next_is_ours;	  /* next_pg was asked for by the policies */
	bool current_is_asked_for; /* current_pg, and not by them */

	struct io_stats stats; /* of commands, as their initiators see them */
	uint64_t nr_path_faults;
	uint64_t nr_group_switches;
	struct priority_group *used_pg; /* that commands were switched to last, if it is left */

	/* commands with us, each counted in nr_ios and on one list or in flight */
	struct list held;
	struct list backlog;
	struct list delayed;
	struct list restarting;
	struct list fenced;
	struct list let_go; /* io.flight: with the held ones, these are to be mapped, too */
	struct list activating;
	struct list suspended; /* came after suspend, or were pushed back by noflush */
	struct list on_legs;   /* reads whose legs are out for them: see hedge.c */
	unsigned int nr_ios;
	unsigned int nr_in_flight; /* on a path, legs and abandoned ones included */
	bool run_held;		   /* something changed for the better: map the held ones again */

	/* demote.c */
	unsigned int nr_demoted; /* paths, those on trial included */
	uint64_t judge_ns;	 /* when they are judged again */

	/* hedge.c */
	struct hedge *hedge;	 /* owned: the legs; NULL: hedging was never on */
	unsigned int nr_legs;	 /* that are out */
	uint64_t hedge_due_ns;	 /* a read may have to be hedged then; 0: none */
	uint64_t hedge_learn_ns; /* what is late is worked out anew then; 0: not before a read */
	uint64_t nr_hedged;	 /* reads that were sent a second time */
	uint64_t nr_hedges_won;	 /* of these, such as were answered by that */
	bool closer_look;	 /* stopping, or hedging: commands are looked at more closely */

	/* map.c: the path of the last command that began a pair, its id plus 1; 0: there was none.
	 */
	unsigned int pair_paths[NR_PAIRS];
	bool array_reserves; /* reservations come this far: pgr_support=0 */

	unsigned int nr_suspect;   /* active paths in doubt */
	unsigned int nr_unsettled; /* paths that were not looked at yet */
	enum suspend_state suspend;
	bool noflush;
	bool saved_queue_if_no_path; /* dm's SAVED_QUEUE_IF_NO_PATH: resume sets it again */
	uint64_t no_path_since_ns;   /* the limits of the settings count from then */

	bool started;
	bool settling_over;
	bool choosing_early; /* the first second: see has_unsettled_path() */
	bool restart_over;   /* no command of a dead process is feared any more */
	bool foreign_left;   /* some were on a path that was lost or has left: the time decides */
	uint64_t former_fence_ns; /* what a dead process had lost may land until then; 0: none */
	/* Owned, room for one at least: that it used, and no path of ours has found. */
	struct mpath_disk_errors *former_disks;
	unsigned int nr_former_disks;
	unsigned int nr_recalled_disks; /* with those that were found, which stand behind them */
	unsigned int nr_first_paths;	/* the ids of those that were there from the beginning */
	unsigned int nr_lost_disks; /* of these, when all paths were looked at: the time decides */
	uint64_t former_slow_ns;    /* and its slow writes until then, if they are still out */
	uint32_t former_timeout_ms; /* and those that are not slow had so much at least ... */
	uint32_t former_longest_ms; /* ... and so much at most */
	uint32_t first_timeout_ms;  /* the least path_timeout_ms so far: a next process knows it */
	unsigned int nr_slow;	    /* writes that are out and may take longer than that */
	uint64_t slow_kept_ns;	    /* the end of the last of these, as a next process knows it */
	uint64_t slow_due_ns;	    /* that end is too early then for who is still out */
	uint64_t slow_idle_ns;	    /* it is over then, if none comes */
	uint64_t awaited_group;	    /* in use then; 0: none, or commands use one by now */
	struct awaited *awaited;    /* owned; NULL: there is nothing else */
	bool told_waiting;
	bool told_slow;
	uint64_t kept_back_ns; /* the kernel has kept back what a dead process had sent, until then
				  at least; 0: it has not */
	bool told_kept_back;
	uint64_t watched_ns;	     /* what is feared was looked after, last */
	uint64_t stood_still_ns;     /* and could not be before that; 0: it always was */
	uint64_t wait_kept_ns;	     /* the end of the wait, as a next process knows it */
	uint32_t longest_transit_ms; /* of all paths that were ever open */
	uint64_t started_ns;
	uint64_t settling_since_ns; /* as started_ns, or when paths have joined */
	uint64_t short_ns;	    /* since when cmd_time_out is too short; 0: it is not */
	bool told_short;
	bool shutdown;
	bool stopping;

	/* fence.c */
	enum reset_state {
		RESET_IDLE,
		RESET_IS_PREPARED, /* its path proves that it leads to the LUN ... */
		RESET_IS_ANSWERED, /* ... and so it does once more: until then it proves nothing */
		RESET_HANGS,	   /* out, so no other one is sent, but commands do not wait */
		RESET_DRAINS,
		RESET_IS_OUT
	} reset_state;
	bool reset_proved;	    /* the path has, since it was asked last */
	unsigned int last_reset_id; /* of the path through which it is, or was, sent */
	uint64_t reset_state_ns;    /* since when commands wait, or do not any more */
	uint64_t reset_sent_ns;	    /* the last one */
	uint64_t reset_again_ns;    /* the last one failed, or its path was in doubt: not before */
	uint64_t fence_due_ns;	    /* no fence is over by time before that; 0: nobody knows */
	uint64_t fence_told_ns;	    /* when the log last said that writes are fenced */
	unsigned int nr_overdue;    /* writes that the kernel has answered in our place */
	uint64_t overdue_due_ns;    /* not before, a write that is out is one; 0: none is out */
	bool fence_told;	    /* and it must be told when they are not any more */
	uint64_t fence_kept_ns;	    /* the end of the last fence, as a next process knows it */

	/* order.c: those that come twice, on whatever list they are, in chains by io.next_twice */
	struct mpath_io *twice[TWICE_CHAINS + 1];
	unsigned int nr_twice; /* that there are now */
	uint32_t twice_number; /* of the next one */

	/* short_way.c */
	bool calm;	       /* the short way is open */
	struct path *selected; /* for the command that turns to the long way; NULL: not asked */

	uint64_t nr_steps;
	uint64_t now_ns;	       /* of the current step */
	uint64_t wake_ns;	       /* the earliest time that somebody asked for */
	bool woken_late;	       /* long after it, by the last MPATH_TIMEOUT */
	struct mpath_actions *actions; /* of the current step */

	struct kept_notices notices; /* those of this step, and what nobody has taken yet */
	unsigned int lost_notices;
	uint64_t last_sequence;
	uint64_t last_uevent;
	bool told_queueing;

	mpath_trace_fn trace_fn;
	void *trace_arg;
};

/* Paths come and go: a pointer stays valid while the path is in the map or a command is on it. */
#define for_each_path(m, path) list_for_each_entry(path, &(m)->paths, map_node)
#define for_each_group(m, pg)  for (pg = (m)->groups; pg < (m)->groups + (m)->nr_groups; pg++)

/* trace.c */
#define trace(m, ...)                                                                              \
	do {                                                                                       \
		if ((m)->trace_fn)                                                                 \
			mpath_trace(m, __VA_ARGS__);                                               \
	} while (0)
__attribute__((format(printf, 2, 3))) void mpath_trace(struct multipath *m, const char *format,
						       ...);
/* "8:16", or the word in the table while nothing is known of the device. */
const char *path_name(const struct path *path);

/*
 * notice.c: tell administrators and programs what has happened (mpath/notice.h).  False: the path
 * flaps, and there is no line in the log.
 */
__attribute__((format(printf, 4, 5))) bool notice(struct multipath *m, enum mpath_notice_kind kind,
						  struct path *path, const char *format, ...);
void notice_group(struct multipath *m, enum mpath_notice_kind kind, const struct priority_group *pg,
		  const char *what);
void configuration_refused(struct multipath *m, const char *why);
/* The last notice is an event, but the log has it from others already. */
void not_for_the_log(struct multipath *m);
void quiet_is_over(struct multipath *m, struct path *path);
/* Room for the notices that one step may bring forth, with so many paths.  False: no memory. */
bool kept_notices_init(struct kept_notices *kept, unsigned int nr_paths);
/* Forgets them; their number. */
unsigned int kept_notices_clear(struct kept_notices *kept);

/* choose.c: which path? */
bool need_not_move(const struct multipath *m, const struct priority_group *from);
enum choice {
	CHOSE_PATH,
	CHOSE_WAIT_FOR_ROOM, /* usable paths, but each has all the commands that it takes */
	CHOSE_WAIT_FOR_PATH, /* none now, but one is in doubt or not looked at yet */
	CHOSE_WAIT_FOR_ACTIVATION,
	CHOSE_EXHAUSTED, /* usable paths, but this command has been tried on each of them */
	CHOSE_NONE,
};
enum choice choose_path(struct multipath *m, struct mpath_io *io, struct path **path);
bool may_take_second_leg(const struct path *path, const struct mpath_io *io);
void activate_unseen_lun(struct multipath *m);

/* map.c: a command's way through the map */
void submit_io(struct multipath *m, struct mpath_io *io);
void map_io(struct multipath *m, struct mpath_io *io);
void start_io(struct multipath *m, struct mpath_io *io, struct path *path);
void complete_io(struct multipath *m, struct mpath_io *io);
void complete_with_sense(struct multipath *m, struct mpath_io *io, uint8_t key, uint8_t asc,
			 uint8_t ascq);
void complete_with_status(struct multipath *m, struct mpath_io *io, uint8_t status);
void delay_io(struct multipath *m, struct mpath_io *io, uint64_t delay_ns);
void abandon_io(struct multipath *m, struct mpath_io *io);
void take_off_path(struct multipath *m, struct mpath_io *io);

/* end_io.c: what an answer means */
void end_io(struct multipath *m, struct mpath_io *io);
void path_erred(struct multipath *m, struct path *path, const struct mpath_io *io);
void io_abandoned(struct multipath *m, struct mpath_io *io);
struct verdict;
void pass_up(struct multipath *m, struct mpath_io *io);
void judge_answer(struct multipath *m, struct mpath_io *io, struct path *path);
void retry_short_transfer(struct multipath *m, struct mpath_io *io, struct path *path);
bool blame_path(struct multipath *m, struct path *path, uint64_t sent_ns,
		const struct scsi_result *result, const struct verdict *verdict);
bool note_suspicion(struct multipath *m, struct mpath_io *io, const struct path *path);
struct path *take_back_abandoned(struct multipath *m, struct mpath_io *io);
void read_was_given_up(struct multipath *m, struct mpath_io *io, struct path *path);
void give_up(struct multipath *m, struct mpath_io *io);
bool may_try_them_again(struct multipath *m, struct mpath_io *io);
void retries_begin_anew(struct mpath_io *io);
void no_copy_is_left(struct multipath *m, struct mpath_io *io);
bool io_suspects(const struct mpath_io *io, const struct path *path);

/* queue.c: commands that wait */
void hold_io(struct multipath *m, struct list *queue, struct mpath_io *io);
void hold_behind(struct multipath *m, struct mpath_io *io, struct mpath_io *older);
void no_path_for(struct multipath *m, struct mpath_io *io, enum choice choice);
void answer_too_late(struct multipath *m, struct mpath_io *io);
void run_queues(struct multipath *m);
void run_backlog(struct multipath *m);
void queues_timeout(struct multipath *m);
void abort_io(struct multipath *m, struct mpath_io *io);
void no_path_begins(struct multipath *m); /* so does the time of no_path_timeout_*_ms */
void last_path_is_lost(struct multipath *m);
bool may_hold(const struct multipath *m, const struct mpath_io *io);
void answer_all_busy(struct multipath *m);
void answer_all_not_ready(struct multipath *m);

/* suspend.c */
bool may_queue(const struct multipath *m);
uint64_t no_path_limit(const struct multipath *m, const struct mpath_io *io); /* 0: none */
void suspend_map(struct multipath *m, bool noflush);
void resume_map(struct multipath *m);
void recall_suspension(struct multipath *m);
void suspend_shut_down(struct multipath *m);
void check_suspended(struct multipath *m);
bool suspend_is_done(const struct multipath *m, struct mpath_message *message);

/* restart_count.c: what disks show of a dead process's commands (D9 Restart) */
void restart_path_opened(struct multipath *m, struct path *path);
void restart_path_used(struct multipath *m, struct path *path);
void restart_path_closed(struct multipath *m, struct path *path);
void restart_path_is_other(struct multipath *m, struct path *path);
void restart_path_counted(struct multipath *m, struct path *path, int64_t outstanding,
			  uint64_t errors);
void restart_path_heard(const struct multipath *m, struct path *path);
void restart_path_erred(struct multipath *m, struct path *path, const struct mpath_io *io);
void restart_path_lost(struct multipath *m, struct path *path);
void restart_path_drains(struct multipath *m, struct path *path);
void restart_timeout(struct multipath *m);
void restart_link_closes(struct multipath *m, struct path *path);
bool restart_needs_link(const struct multipath *m, const struct path *path);
void restart_stops(struct multipath *m);
void restart_path_leaves(struct multipath *m, struct path *path);
void ask_for_count(struct multipath *m, struct path *path);

/* restart_wait.c: what is feared of them, and how long writes wait for it */
void restart_begins(struct multipath *m);
void restart_reconsider(struct multipath *m);
/* What takes longer (FORMAT UNIT, SANITIZE) keeps the target from taking other writes by itself. */
#define SLOW_MAX_MS (10 * 60 * 1000)
void slow_write_starts(struct multipath *m, struct mpath_io *io);
void slow_write_ends(struct multipath *m, struct mpath_io *io);
void slow_timeout(struct multipath *m);
void restart_takes_timeout(struct multipath *m);
uint32_t restart_least_timeout_ms(const struct multipath *m);
void tell_ends(const struct multipath *m, uint64_t *fence_end_ns, uint64_t *slow_end_ns);
/* Why writes wait, where there is more to say than that they do; empty: there is not. */
void restart_reasons(const struct multipath *m, uint64_t now_ns, const char *between,
		     struct strbuf *out);
unsigned long long restart_lasts_ms(const struct multipath *m, uint64_t now_ns);

/* memory.c: what waits for paths and groups that are to come */
void recall_groups(struct multipath *m);
void recall_path(struct multipath *m, struct path *path);
void forget_awaited_groups(struct multipath *m);
void memory_new_table(struct multipath *m);

/* memory.c: the disks that writes may be out on; two paths may tell of the same */
typedef void disk_in_use_fn(void *to, const struct mpath_disk_errors *in_use);
void tell_disks_in_use(const struct multipath *m, disk_in_use_fn *tell, void *to);

/* memory.c: a disk that a former process used; 0: those that there is no room for */
void recall_disk(struct multipath *m, uint64_t disk);
void recall_times(struct multipath *m, uint32_t transit_ms, uint32_t timeout_ms);

/* error_tally.c: what the disk has ended with an error, and we know of */
void tally_begins(struct path *path, bool explained);
uint64_t told_errors(const struct path *path); /* to the next process */
void tally_answered(struct multipath *m, struct path *path, const struct mpath_io *io);
void tally_counted(struct multipath *m, struct path *path, uint64_t errors);
void tally_check(struct multipath *m, struct path *path);

/* fence.c: the old copies of writes (D9, H10) */
void fence_io(struct multipath *m, struct mpath_io *io, struct path *lost_on);
void look_at_fences(struct multipath *m);
void overdue_timeout(struct multipath *m);
void overdue_by(struct multipath *m, uint64_t at_ns);
void overdue_io_ends(struct multipath *m, struct mpath_io *io);
void path_was_reset(struct multipath *m, struct path *path, int error);
void learn_session(struct multipath *m, struct path *path);
void path_has_proved(struct multipath *m, const struct path *path);
void path_has_answered(struct multipath *m, struct path *path, uint64_t sent_ns);
void path_told_session(struct multipath *m, struct path *path, uint64_t session);
uint64_t longest_fence_ms(const struct multipath *m, uint32_t timeout_ms);
uint64_t longest_former_fence_ms(const struct multipath *m);
/* What lost writes wait for; empty: there are none. */
void fence_reason(const struct multipath *m, uint64_t now_ns, struct strbuf *out);
void fence_detail(const struct multipath *m, uint64_t now_ns, struct strbuf *out);

/* order.c: writes that may have been carried out already, and who comes behind them */
void comes_twice(struct multipath *m, struct mpath_io *io);
void comes_no_more(struct multipath *m, struct mpath_io *io);
struct mpath_io *older_write(const struct multipath *m, const struct mpath_io *io);
void wait_behind(struct mpath_io *io, struct mpath_io *older);
void wait_behind_nobody(struct mpath_io *io); /* who waits behind one */
bool order_is_sound(const struct multipath *m);
void let_go_behind_older(struct multipath *m, struct list *todo);

/*
 * path_state.c: fail, reinstate, suspect; settled: looked at once since the map was created.
 * A path that hangs in open() must not hold up commands for ever: settling takes 10 s at most.
 */
/* So long paths that nobody has looked at yet are waited for at most; */
#define SETTLING_MAX_NS (10 * NSEC_PER_SEC)
/* and a group that comes first, although another has a path already. */
#define CHOOSING_EARLY_NS (1 * NSEC_PER_SEC)
bool still_settling(const struct multipath *m);
void settling_timeout(struct multipath *m);
void fail_path(struct multipath *m, struct path *path, const char *why);
void fail_passive_path(struct multipath *m, struct path *path, const char *why);
/* If the last usable one is gone; in the log only if it does not say so anyhow. */
void tell_last_path(struct multipath *m, bool logged);
void reinstate_path(struct multipath *m, struct path *path);
void suspect_path(struct multipath *m, struct path *path, const char *why);
void suspect_path_of(struct multipath *m, struct path *path, uint64_t sent_ns, const char *why);
void end_pauses(struct multipath *m); /* of paths in doubt: a command waits for them */
bool told_transition(struct multipath *m, struct path *path, uint64_t sent_ns, const char *why);
void note_transition(struct multipath *m, struct path *path);
#define TRANSITION_TOO_LONG "asymmetric access state transition takes too long"
bool transition_lasts_too_long(const struct multipath *m, const struct path *path,
			       uint64_t since_ns);
void clear_suspicion(struct multipath *m, struct path *path);
void exclude_path(struct multipath *m, struct path *path, const char *reason);
void path_settled(struct multipath *m, struct path *path);
void sync_selector(struct path *path);

/* flaky.c: paths that fail again and again */
void flaky_path_failed(struct multipath *m, struct path *path);
void flaky_path_good(struct multipath *m, struct path *path);
void flaky_path_bad(struct multipath *m, struct path *path);
bool is_held_out(struct multipath *m, struct path *path);
void release_path(struct path *path);
void release_held_paths(struct multipath *m);

/* demote.c: paths that are much slower than their peers */
void demote_timeout(struct multipath *m);
bool lift_demotions(struct multipath *m, struct priority_group *pg, const char *why);
void lift_demotion(struct multipath *m, struct path *path, const char *why);
void hide_path(struct path *path, bool hidden);
void forget_demotion(struct multipath *m, struct path *path);
void demotion_reason(const struct path *path, struct strbuf *out);

/* hedge.c: a read that is out for long is sent a second time */
struct hedge *hedge_new(void);
void hedge_free(struct hedge *hedge);
void hedge_settings_changed(struct multipath *m);
bool may_be_hedged(const struct multipath *m, const struct mpath_io *io);
void start_on_leg(struct multipath *m, struct mpath_io *io, struct path *path);
void leg_answered(struct multipath *m, struct mpath_io *io);
void leg_abandoned(struct multipath *m, struct mpath_io *io);
void loosen_legs(struct mpath_io *io);
void hedge_timeout(struct multipath *m);
void hedge_detail(const struct multipath *m, struct strbuf *out);
bool hedge_is_consistent(const struct multipath *m);

/* probe.c: the command by which we ask a path */
void paths_timeout(struct multipath *m);
void probe_answered(struct multipath *m, struct path *path);
void probe_abandoned(struct multipath *m, struct path *path);
void abandon_probe(struct multipath *m, struct path *path);

/* check.c: is a path usable? */
void probe_path_now(struct multipath *m, struct path *path);
void look_at_paths(struct multipath *m);
bool probe_group_in_use(struct multipath *m);
bool probes_are_out(const struct multipath *m);
bool attach_hw_handler(struct multipath *m, struct path *path);

/* array_talk.c: activation, and the states of port groups */
void activate_path(struct multipath *m, struct path *path);
bool stop_waiting(struct multipath *m, struct path *path);
void refresh_path(struct multipath *m, struct path *path);

/* hear.c: what is told once */
void doubt_identity(struct multipath *m, const struct path *path, const char *why);
void kernel_has_heard(struct multipath *m, struct path *path, enum mpath_heard heard);

/* link.c: a path's link to its device */
void path_opened(struct multipath *m, struct path *path, const struct path_facts *facts);
void path_refused(struct multipath *m, struct path *path, const char *reason);
void path_closed(struct multipath *m, struct path *path);
void close_link(struct multipath *m, struct path *path);
void close_link_if_idle(struct multipath *m, struct path *path);

/* bypass.c: groups that are used only if no other can be */
void set_bypass(struct multipath *m, struct priority_group *pg, bool bypassed, const char *told);
void lift_bypass(struct multipath *m, struct priority_group *pg, const char *told);
void bypass_busy_group(struct multipath *m, struct priority_group *pg);
void bypass_path_up(struct multipath *m, struct priority_group *pg);

/* pg_init.c: activation of a group */
void pg_init_switched(struct multipath *m);
bool pg_init_is_over(const struct multipath *m);
bool pg_init_pending(const struct multipath *m);
void pg_init_run(struct multipath *m);
void pg_init_timeout(struct multipath *m);
void pg_init_relayout(struct multipath *m);
void pg_init_newcomers(struct multipath *m);
void pg_init_one(struct multipath *m, struct path *path);
void pg_init_path_failed(struct multipath *m, struct path *path);
void pg_init_done(struct multipath *m, struct path *path, enum hw_result result);
bool has_usable_path(const struct priority_group *pg);

/* hw.c: the hardware handler, and the states of port groups that it knows */
struct verdict judge_for(struct multipath *m, const struct scsi_result *result);
struct verdict judge_reset(const struct multipath *m, const struct scsi_result *result,
			   struct verdict verdict);
void hw_reattach(struct multipath *m);
void hw_take_table(struct multipath *m);
bool may_have_hw_handler(const struct multipath *m);
bool hw_attach(struct multipath *m, struct path *path, struct strbuf *reason);
void hw_detach(struct path *path);
void hw_conversation_over(struct path *path);
bool is_optimized(const struct path *path);
bool is_in_transition(const struct path *path);
void tell_port_groups(struct multipath *m);
void want_refresh(struct multipath *m);
void hear_of_states(struct multipath *m, const struct scsi_result *result);
bool asks_for_patience(const struct multipath *m, const struct scsi_result *result);
bool any_in_transition(const struct multipath *m);
void refresh_timeout(struct multipath *m);
void refreshed(struct multipath *m, enum hw_result result);

/* hardware.c: what the hardware table says of the array */
void meet_hardware(struct multipath *m, const struct lun_facts *lun);
void forget_hardware(struct multipath *m);
void hardware_detail(const struct multipath *m, struct strbuf *out);
bool hardware_names_handler(const struct multipath *m, const struct hw_handler_type **type);

/* policy.c: groups by priority, and failback */
bool groups_to_come(const struct multipath *m);
int path_priority(const struct path *path);
bool wants_serial(const struct multipath *m);
void policy_check_answered(struct multipath *m, struct path *path);
void policy_path_checked(struct multipath *m);
void doubt_groups(struct multipath *m);
void policy_timeout(struct multipath *m);
void policy_path_known(struct multipath *m, const struct path *path);
void policy_path_up(struct multipath *m, struct path *path, bool was_down);
void policy_path_cleared(struct multipath *m, const struct path *path, bool by_array);
void policy_state_changed(struct multipath *m, const struct path *path);
void policy_told_to_switch(struct multipath *m);
bool may_begin_with(const struct multipath *m, const struct priority_group *pg);
void policy_path_failed(struct multipath *m);
void policy_takes_over(struct multipath *m, bool is_reload);
void policy_is_content(struct multipath *m);

/* identify.c: is this our LUN?  A conversation (D2, D8). */
enum identify_result {
	IDENTIFY_ASK,
	IDENTIFY_OK,
	IDENTIFY_PASSIVE, /* by its WWID; it does not tell its size before it is activated */
	IDENTIFY_DOUBTED, /* it may be another LUN by now: to be asked once more */
	IDENTIFY_OTHER,
	IDENTIFY_DOWN,
	IDENTIFY_LATER,
};
enum identify_result identify(struct path *path, const struct scsi_answer *last,
			      const struct scsi_question *next, struct strbuf *reason);
void learn_limits(struct path *path); /* after IDENTIFY_OK */
bool is_sure_of_size(const struct path *path);
bool shows_larger_lun(const struct path *path);

/* The smaller of two limits; 0 is none. */
static inline uint64_t lesser_limit(uint64_t a, uint64_t b)
{
	return a && (!b || a < b) ? a : b;
}

/* lun.c: what the map knows of its LUN */
bool lun_is_called(const struct lun_facts *lun, const char *wwid); /* either of its names */
bool shows_array(const struct multipath *m); /* its names: identity=array (D16) */
bool lun_answers(struct multipath *m, struct mpath_io *io);
void lun_identified(struct multipath *m, struct path *path);
void keep_limits(struct multipath *m);
bool nobody_says_what_is_shown(const struct multipath *m, const struct path *path);
bool forget_lun(struct multipath *m);
void capacity_changed(struct multipath *m);
void doubt_size(struct multipath *m);
bool is_capacity_change(const struct scsi_result *result);
bool tells_of_reset(const struct scsi_result *result);
bool is_told_by_both(const struct scsi_result *result, enum told_by_both *what);
bool is_second_word(struct multipath *m, struct path *path, enum told_by_both what,
		    enum word_from who);
void tell_reset(struct multipath *m);
bool is_told_once(const struct scsi_result *result);
bool tell_news(struct multipath *m, struct mpath_io *io);
void keep_news(struct multipath *m, const struct scsi_result *result);
void keep_until_identified(struct path *path, const struct scsi_result *result);
void tell_untold(struct multipath *m, struct path *path);
/* Bytes of one command; 0: no limit. */
uint64_t path_max_transfer(const struct path *path);
uint64_t map_max_transfer(const struct multipath *m);

/* snapshot.c, status.c: what others are shown */
enum path_state path_state(const struct path *path);
enum group_state group_state(const struct multipath *m, const struct priority_group *pg);
void status_features(const struct multipath *m, struct strbuf *out);
void status_warning(const struct multipath *m, struct strbuf *out);
/* Why, and at most for how long; empty: they do not. */
void status_writes_wait(const struct multipath *m, uint64_t now_ns, const char *between,
			struct strbuf *out);
unsigned int queue_length(const struct list *queue);

/* change.c */
void take_over(struct multipath *m, struct mpath_change *change);
void change_map(struct multipath *m, struct mpath_change *change);
void path_gone(struct multipath *m, struct path *path);
void free_groups(struct priority_group *groups, unsigned int nr_groups);

/* message.c */
bool path_is_named(const struct path *path, const char *word);
struct path *find_path_by_id(const struct multipath *m, unsigned int id);
void handle_message(struct multipath *m, struct mpath_message *message);

/* short_way.c */
bool is_calm(const struct multipath *m);

/* step.c */
void shut_down(struct multipath *m); /* nothing is held any more; answers what is */
void wake_by(struct multipath *m, uint64_t at_ns);

/* --- Questions that every command asks; the answer is nearly always no --- */

/* Commands end this long before the kernel's cmd_time_out, or at half of a short one. */
#define DEADLINE_MARGIN_MS 2000

static inline uint64_t io_deadline(const struct multipath *m, const struct mpath_io *io)
{
	uint64_t limit_ms = m->backstore.cmd_time_out_ms;

	if (!limit_ms)
		return 0; /* none */
	limit_ms -= limit_ms / 2 < DEADLINE_MARGIN_MS ? limit_ms / 2 : DEADLINE_MARGIN_MS;
	return io->arrival_ns + limit_ms * NSEC_PER_MSEC;
}

static inline bool past_deadline(const struct multipath *m, const struct mpath_io *io)
{
	/* The kernel may have answered it, whatever cmd_time_out is now. */
	return io->overdue || (m->backstore.cmd_time_out_ms && m->now_ns >= io_deadline(m, io));
}

static inline bool must_wait_for_strangers(const struct multipath *m, const struct mpath_io *io)
{
	return (!m->restart_over || m->nr_overdue) && io->cmd.class != CMD_READ;
}

/* Two things wait, one thing waits. */
static inline const char *noun_s(uint64_t n)
{
	return n == 1 ? "" : "s";
}

static inline const char *verb_s(uint64_t n)
{
	return n == 1 ? "s" : "";
}

static inline bool must_wait_for_resume(const struct multipath *m, const struct mpath_io *io)
{
	return m->suspend != NOT_SUSPENDED && (m->noflush || io->after_suspend);
}

static inline bool resting_for_reset(const struct multipath *m)
{
	return m->reset_state > RESET_HANGS;
}

static inline bool has_fences(const struct multipath *m)
{
	return m->fence_kept_ns || resting_for_reset(m);
}

static inline bool wants_pg_init(const struct multipath *m)
{
	return m->pg_init_required || !list_empty(&m->pg_init_paths);
}

/* map.c: of the few operation codes that are looked at more closely; an enum pair_kind, or these */
#define ABOUT_RESERVATIONS 0x80
#define ABOUT_LUN	   0x81
#define FETCHES_SENSE	   0x82
extern const uint8_t opcode_marks[256];

static inline bool is_marked(const struct mpath_io *io)
{
	return opcode_marks[io->cmd.cdb[0]] != 0;
}

static inline enum pair_kind pair_kind(const struct mpath_io *io)
{
	uint8_t mark = opcode_marks[io->cmd.cdb[0]];

	return mark < NR_PAIRS ? (enum pair_kind)mark : NO_PAIR;
}

#endif
