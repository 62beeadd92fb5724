/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One path: a way to the LUN, as a word in the table names it.  Shared by the core and all
 * plug-ins; each field says whose it is.  Everything runs on the map's owner thread.
 */
#ifndef MPATH_PATH_H
#define MPATH_PATH_H

#include <string.h>

#include "mpath/io.h"
#include "mpath/lun.h"
#include "mpath/stats.h"

struct multipath;
struct path_checker_type;
struct priority_group;

#define PATH_NAME_MAX	    32
#define PATH_REASON_MAX	    160
#define PATH_SERIAL_MAX	    64
#define PATH_PROBE_BUF_SIZE 4096 /* bytes: a block, or the longest page that we ask for */
#define PATH_PROBE_OWN_SIZE 1024 /* what nearly all need: each path has a buffer of that size */

/* Is there a transport under the path? */
enum path_link_state {
	LINK_CLOSED,
	LINK_OPENING, /* the runtime was asked to open it */
	LINK_OPEN,
	LINK_CLOSING, /* waits for its last command, or for the runtime */
};

/* What a path's probe is busy with. */
enum probe_purpose { PROBE_NONE, PROBE_IDENTIFY, PROBE_CHECK, PROBE_ACTIVATE, PROBE_REFRESH };

/* The message probe_paths wants a block read on the path. */
enum read_probe { READ_NONE, READ_WANTED, READ_IS_OUT };

/* What the transport learnt when it opened the path; filled off the owner thread. */
struct path_facts {
	uint32_t queue_depth; /* commands that we may have in flight there */
	bool unstable_name;   /* the table used sdX or maj:min */
	bool read_only;
	uint64_t max_transfer_bytes; /* of one command */
	uint64_t foreign;	     /* commands in flight that are not ours (H3) */
	bool kept_back; /* the kernel keeps commands back, which it does not count: foreign is 1 */
	uint32_t transit_ms; /* so long the way may hold a command that the kernel has given up */
	uint64_t disk; /* the kernel's number for it, no other disk's until a reboot; 0: unknown */
	uint64_t errors; /* its commands that had ended so, read after foreign */
#define ERRORS_UNKNOWN UINT64_MAX
	uint64_t nexus;	   /* which initiator port and target port, below 2^48; 0: unknown */
	bool has_sessions; /* ask the transport for them: they tell when it cannot any more */
	char name[PATH_NAME_MAX];   /* "8:16", as dm's status prints it */
	char device[PATH_NAME_MAX]; /* "sdb", for people */
};

/* The target port group behind a path (ALUA); the same for all paths of the group. */
struct port_group {
	bool known; /* the path told its group: id is valid */
	uint16_t id;
	uint8_t tpgs;	   /* TPGS_IMPLICIT | TPGS_EXPLICIT: who changes states */
	bool state_known;  /* the target has told the state; else it is taken for optimized */
	uint8_t state;	   /* enum alua_state */
	uint64_t since_ns; /* it has it, as far as was told ... */
	uint64_t told_ns;  /* ... which was told last then */
	bool preferred;
	uint8_t supported;    /* ALUA_SUPPORTS_... */
	uint8_t transition_s; /* so long may a transition take; 0: nobody said */
};

/* A path that is much slower than its peers: see core/demote.c. */
enum demotion {
	NOT_DEMOTED,
	DEMOTED,  /* gets no commands while its peers serve */
	ON_TRIAL, /* gets one now and then, to see how long that takes */
};

/* Of each of these an answer and the kernel tell, but for answers that it keeps for itself. */
enum told_by_both { TELLS_RESET, TELLS_MODE, TELLS_SPACE, NR_TOLD_BY_BOTH };
enum word_from { ANSWER_TELLS, KERNEL_TELLS, NR_WORD_FROM };

/* array_talk.c: once in an activation it may be asked whose LUN it is. */
enum path_activation { NOT_ANEW, ANEW_IF_OURS, IS_ANEW };

struct path {
	/* Every command looks at these, up to the first counters of stats: PATH_HOT_BYTES. */
	struct priority_group *pg;
	void *selector_data;	/* owned by the group's selector */
	void *transport_data;	/* owned by the runtime: the open link */
	struct list flying;	/* mpath_io.flight: the commands that in_flight counts */
	unsigned int in_flight; /* initiators' commands on this path */
	unsigned int depth;	/* so many it takes: facts.queue_depth, but see core/demote.c */
	uint32_t flow;		/* counts starts and ends of commands, to date a count */
	/* Bits of one word: a command asks for all of them at once. */
	enum path_link_state link : 8;
	bool active : 1;  /* dm's is_active: the selector may choose it ("A" in INFO, else "F") */
	bool suspect : 1; /* active, but not chosen until its probe has cleared it */
	bool resting : 1; /* takes no commands for a moment, so that it can be counted */
	bool needs_activation : 1; /* came back to the current group: not chosen before that */
	bool passive : 1;      /* our LUN by its WWID; its size cannot be read before activation */
	struct io_stats stats; /* of initiators' commands */

	struct multipath *m;
	bool leaving; /* not in the map any more: pg is NULL, it is closed when it is idle */
	struct path_facts facts; /* valid while the link is open, names also after that, until
				    another path has them */

	struct list node;	  /* in its priority group, in table order */
	struct list map_node;	  /* on the map's list of paths, in table order */
	struct list action_node;  /* on mpath_actions.open, .count or .close */
	struct list reset_node;	  /* on mpath_actions.reset */
	struct list session_node; /* on mpath_actions.session */
	unsigned int id;	  /* no other path of this map has or had it */

	/* dm's state */
	bool failed_by_message;	 /* stays failed until reinstate_path */
	unsigned int fail_count; /* cumulative, never reset */

	/* ours */
	bool selectable;  /* the selector counts it among its valid paths */
	bool identified;  /* WWID and size were the map's, and nothing raised a doubt since */
	bool asked_size;  /* in use, it is identified anew, as another path shows a larger LUN */
	bool lun_gone;	  /* the target says that there is no such LUN (05/25/00) */
	bool settled;	  /* was looked at once since the map was created */
	bool moved_to;	  /* the array has made it optimized, and commands have not followed yet */
	bool was_down;	  /* not only for commands: so a check has found it, or it is new */
	bool too_early;	  /* it has come up in a transition: commands could not follow yet */
	bool reopen;	  /* the device went away: close the link and resolve the address anew */
	bool foreign;	  /* commands of a dead process may still be out there (D9 Restart) */
	bool feared;	  /* ... or may have been lost there: does the kernel keep some back? */
	bool kept_back;	  /* it does */
	bool mute;	  /* the target has answered no question since the link was opened */
	bool used;	  /* since the link was opened, so that writes may be out there */
	bool counting;	  /* the runtime was asked for the outstanding commands */
	bool resetting;	  /* the runtime was asked for a LOGICAL UNIT RESET */
	bool asking;	  /* the runtime was asked for the session */
	uint64_t session; /* that commands travel in, as it was told last; 0: not known */
	uint64_t session_sent_ns; /* of the command whose answer made us ask for it */
	uint64_t rest_ends_ns;	  /* or when the last rest ended */
	uint32_t flow_at_count;
	uint64_t count_ns;	   /* when it was last asked for */
	uint64_t kept_back_ns;	   /* then it was kept back; 0: never */
	uint64_t let_go_ns;	   /* and not any more, by then at the latest */
	uint64_t heard_ns;	   /* its first answer since it was opened; 0: none yet */
	uint64_t nr_errors;	   /* answers that were not GOOD, since foreign was set */
	uint64_t errors_known;	   /* of the disk: see error_tally.c */
	bool errors_feared;	   /* some of these may be a former process's */
	uint64_t errors_next;	   /* the same from a newer count, once all before it is answered */
	uint64_t errors_next_ns;   /* when that was taken; 0: there is none */
	uint64_t suspect_since_ns; /* 0: not suspect, not transitioning */
	uint64_t transition_ns;	   /* since then commands are told of one, see told_transition() */
	uint64_t transition_over_ns;  /* when its checker has last said so; 0: never */
	uint64_t cleared_ns;	      /* when a doubt has last ended; 0: never */
	uint64_t good_when_cleared;   /* commands by then */
	uint64_t next_check_ns;	      /* 0: not scheduled */
	unsigned int nr_unanswered;   /* probes in a row, since it has failed or was opened */
	unsigned int nr_doubted;      /* times in a row that a doubt was raised meanwhile */
	unsigned int recent_failures; /* see flaky.c: that are not forgotten yet */
	unsigned int good_checks;     /* since one was */
	uint64_t held_out_ns;	      /* not used since, though it is up; 0: it is not held out */
	enum demotion demotion;
	bool hidden;		  /* from its selector: demoted, or on trial and busy */
	bool stalls;		  /* was demoted for that, not for being slow all the time */
	unsigned int slow_points; /* thousandths of a point */
	unsigned int stall_points;
	unsigned int trial_answers;
	unsigned int trial_wait_s; /* the last one, from demotion to trial */
	uint64_t trial_ns;	   /* demoted: its trial begins then */
	uint64_t alike_since_ns;   /* when it was last demoted no longer */
	uint64_t slow_ns;	   /* its median when it was demoted, or how long its stalls are */
	uint64_t peers_ns;	   /* and the median of its peers, or their 99th percentile */
	uint64_t last_check_ns;	   /* so long its last check has taken */
	struct {
		uint32_t answers;
		uint32_t slow;
		uint32_t stalled;
		unsigned int median; /* a span of latencies */
	} turn;			     /* what has come since it was judged last */
	struct {
		uint64_t answers;
		uint64_t stalled;
	} lately;		     /* the same, of the last second or so */
	struct latency_mark *judged; /* owned; NULL: slow paths were never looked for */
	uint64_t hedge_after_ns;     /* a read that is out for longer is hedged; 0: not known */
	uint64_t log_quiet_until_ns; /* a flapping path is logged at most every 10 s ... */
	unsigned int log_suppressed; /* ... with the count of what was left out */
	uint64_t log_excluded_ns;    /* when the path was last logged as excluded */

	struct mpath_io probe;	 /* at most one of our own commands is out on a path */
	uint64_t probe_waits_ns; /* patience with it begins then */
	enum probe_purpose probing;
	unsigned int probe_step;
	unsigned int probe_retries;
	bool recheck_identity; /* a unit attention raised a doubt */
	struct lun_facts seen; /* what the identity check has read so far */
	struct words_told {
		unsigned int nr;  /* that the other one who tells has not told of yet */
		uint64_t last_ns; /* when the last of them was told */
	} told[NR_TOLD_BY_BOTH][NR_WORD_FROM];
	enum read_probe read_probe;
	struct lun_page limits; /* VPD B0h, as the array's port here has last shown it */
	bool limits_known;
	uint64_t words; /* scsi_lun_words() of what it has last said; 0: nothing yet */
	const struct path_checker_type *checker; /* of PROBE_CHECK */
	void *checker_context;			 /* as large as any checker wants it */
	struct list hw_node;	  /* on hw_handler.paths, while the handler is attached */
	void *hw_data;		  /* the hardware handler's, type->path_size bytes */
	bool hw_explicit;	  /* the handler can make this path usable when it is passive */
	bool hw_has_moved;	  /* and has asked the array for that since its group is in use */
	struct list pg_init_node; /* on multipath.pg_init_paths: is to be activated */
	enum path_activation activation;
	bool was_in_current;   /* of take_over() alone: in the group in use before the change */
	bool ghost;	       /* in standby, as the checker last saw it */
	bool in_transition;    /* suspect, because its port group changes its state */
	bool asked_later;      /* suspect, and its probe has time, as others serve */
	bool refresh_tried;    /* its states were asked for in vain this time */
	bool refresh_told;     /* an answer of this time has told of its port group */
	bool told_refusal;     /* of writes, since it was opened */
	uint16_t untold;       /* ASC, ASCQ: for initiators, if it leads to the LUN; 0: none */
	uint8_t told_state;    /* of its port group, as it was last told, plus 1 */
	uint64_t resume_ns;    /* its conversation waits until then; no command is out */
	struct port_group tpg; /* the hardware handler's, for all to read */
	int prio;	       /* the last one that was known, or PRIO_UNDEF */
	bool serial_known;     /* was asked for: see policy.c */
	char serial[PATH_SERIAL_MAX]; /* VPD page 80h, without blanks around it; or empty */
	uint64_t check_us;	      /* mean latency of its checks; 0: not measured */
	unsigned int nr_checks;	      /* that it is made of */
	struct iovec probe_iov[PATH_PROBE_BUF_SIZE / PATH_PROBE_OWN_SIZE];
	uint8_t probe_buf[PATH_PROBE_OWN_SIZE];

	char *address;		      /* owned: the word in the table */
	char reason[PATH_REASON_MAX]; /* why the path is not in use; empty when it is */
};

/* So long the kernel gives the device's name to no other one. */
static inline bool has_device(const struct path *path)
{
	return path->link == LINK_OPEN || path->link == LINK_CLOSING;
}

/* It may be in several groups.  Names last: see take_name(). */
static inline bool is_same_disk(const struct path *a, const struct path *b)
{
	return strcmp(a->facts.name, b->facts.name) == 0;
}

/* Of each path, besides a bucket of its histogram and what its selector keeps (bench/gates). */
#define PATH_HOT_BYTES offsetof(struct path, stats.counters.errors)
_Static_assert(PATH_HOT_BYTES <= 128, "a command touches two cache lines of its path");

#endif
