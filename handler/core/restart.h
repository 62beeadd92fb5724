/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What restart_wait.c and restart_count.c offer each other, and nobody else: the rest of the core
 * has the functions in multipath.h.  Times are of the clock of events, in ns.
 */
#ifndef MPATH_RESTART_H
#define MPATH_RESTART_H

#include "core/multipath.h"

static inline uint64_t later(uint64_t a_ns, uint64_t b_ns)
{
	return a_ns > b_ns ? a_ns : b_ns;
}

/* restart_wait.c */
uint64_t wait_over_ns(const struct multipath *m);
void wait_begins(struct multipath *m);
uint64_t kept_back_lasts_ms(const struct multipath *m);
void notice_standstill(struct multipath *m);

/* restart_count.c */
void forget_foreign(struct path *path);

#endif
