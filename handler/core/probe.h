/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files that look after a path have in common: they share its probe, a command of which
 * one at a time is out.  All run in a step, on the map's owner thread.
 */
#ifndef MPATH_PROBE_H
#define MPATH_PROBE_H

#include "core/multipath.h"

/* The kernel's own time-out of a probe.  We stop waiting for it long before. */
#define PROBE_TIMEOUT_MS 10000

/* Commands may wait for what a probe asks: so long at the most it waits for room, or for an array
 * that is busy. */
#define SHORT_TIME_NS (30 * NSEC_PER_SEC)

/* probe.c: the command itself */
void begin_probe(struct multipath *m, struct path *path, enum probe_purpose purpose);
struct scsi_question new_question(const struct multipath *m, struct path *path);
void send_probe(struct multipath *m, struct path *path);
void end_probe(struct multipath *m, struct path *path);
void long_answer_is_over(struct multipath *m, const struct path *path);
uint64_t patience_with_room_ends(const struct multipath *m, struct mpath_io *io);
void give_up_reads(struct multipath *m, struct path *path);

/* check.c: when a path is asked, and what follows */
void begin_check(struct multipath *m, struct path *path);
void check_at(struct multipath *m, struct path *path, uint64_t at_ns);
void check_again(struct multipath *m, struct path *path);
void check_in_turn(struct multipath *m, struct path *path);
void path_down(struct multipath *m, struct path *path, const char *why);
void checked(struct multipath *m, struct path *path, enum check_result result);
void identified(struct multipath *m, struct path *path, enum identify_result result,
		const char *reason);

/* array_talk.c: the hardware handler's conversations */
void converse_with_array(struct multipath *m, struct path *path, const struct scsi_answer *answer);
void activation_identified(struct multipath *m, struct path *path, enum identify_result result);
void conversation_lost(struct multipath *m, struct path *path);
bool waits_for_room(struct multipath *m, struct path *path);

/* hear.c: what is told once */
void listen_for_losses(struct multipath *m, const struct path *path);
void listen_for_doubts(struct multipath *m, struct path *path);

/* link.c */
void open_link(struct multipath *m, struct path *path);

#endif
