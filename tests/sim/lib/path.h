/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For the files of the virtual world only: its paths, as world.c moves them.
 */
#ifndef SIM_PATH_H
#define SIM_PATH_H

#include "sim/lib/world.h"

struct sim_path *sim_path_add(struct world *w, const char *address, unsigned int controller);
void sim_path_gone(struct world *w, struct sim_path *p);
struct mpath_table *parse_table(struct world *w, const char *words);
void sim_path_begin_open(struct sim_path *p);
/* NULL: it is open, and these are the facts.  Else the reason why not. */
const char *sim_path_open(struct sim_path *p, struct path_facts *facts);
void sim_path_begin_close(struct sim_path *p);
void sim_path_close(struct sim_path *p);
void sim_path_begin_count(struct sim_path *p);
/* Who counts its disk's errors: a path that leaves and joins again is the same disk. */
struct sim_path *sim_disk_of(struct sim_path *p);
int64_t sim_path_count(struct sim_path *p, const struct sim_event *e, uint64_t *errors);
void sim_path_begin_reset(struct sim_path *p);
int sim_path_reset(struct sim_path *p, uint64_t sent_ns);
void sim_path_begin_ask(struct sim_path *p);
uint64_t sim_path_session(struct sim_path *p, uint64_t sent_ns);
void sim_path_submit(struct sim_path *p, struct mpath_io *io);
/* The target carries out the command of @e, if the path is up; the answer is still to come. */
void sim_path_run(struct sim_path *p, struct sim_event *e);
/* The result of e->io is what the path makes of it. */
void sim_path_answer(struct sim_path *p, const struct sim_event *e);
void sim_path_let_go(struct sim_path *p, struct mpath_io *io);

/*
 * A buffer of @len bytes in pieces, which lie somewhere in @area; how many, SIM_PIECES_MAX at most.
 */
size_t sim_cut(struct world *w, uint8_t *area, size_t len, struct iovec *iov);
/* Where those of a command are that does not come through a ring. */
uint8_t *sim_area(const struct world *w, const struct sim_io *io);
/* What lies in @area between the pieces is as it was. */
void sim_check_gaps(struct world *w, const struct sim_io *io, const uint8_t *area,
		    const struct iovec *iov, size_t cnt);

/* Carry out a late copy, or hide it; @from has been removed from the events. */
void sim_late_due(struct world *w, struct sim_late *late);

/* The kernel writes a command, or a task management function; NULL: LOGICAL UNIT RESET. */
void sim_ring_put(struct world *w, struct sim_io *io);
void sim_ring_abort(struct world *w, const struct sim_io *io);
void sim_ring_run(struct world *w);
void sim_ring_tick(struct world *w);
void sim_ring_answer(struct world *w, struct sim_io *io);
void sim_ring_flush(struct world *w);
void sim_ring_killed(struct world *w);
void sim_ring_end(struct world *w);

struct sim_event *sim_event_add(struct world *w, enum sim_event_type type, struct sim_path *p,
				struct mpath_io *io, uint64_t due_ns);
struct sim_event *sim_event_of(struct world *w, const struct mpath_io *io);
void sim_event_remove(struct world *w, struct sim_event *e);

#endif
