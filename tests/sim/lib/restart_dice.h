/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIM_RESTART_DICE_H
#define SIM_RESTART_DICE_H

#include "sim/lib/world.h"

/* May it be disturbed now?  What a dead process has left there must have been seen, or be gone. */
bool is_seen(const struct sim_path *p);
bool may_be_disturbed(const struct sim_path *p);

void random_crash(struct world *w);
void random_block(struct world *w);
void random_end_of_block(struct sim_path *p);
void random_ends_of_blocks(struct world *w);

/* Of EXTRA_RESTARTS: before world_start(), and after each event. */
void restarts_begin(struct world *w, bool lun_may_change);
void random_deaths(struct world *w);

#endif
