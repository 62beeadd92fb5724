/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Host adapters: how many commands all paths through one may have in flight (sg_host.c).
 */
#ifndef MPATH_SG_HOST_H
#define MPATH_SG_HOST_H

#include <stdbool.h>

struct sg_host;

/* By the N of hostN; shared by all links on it.  NULL: no memory.  Any thread. */
struct sg_host *sg_host_get(unsigned int number, unsigned int can_queue);
void sg_host_put(struct sg_host *host);

/* Owner threads, several at once.  @mine: what the link has in flight already. */
bool sg_host_enter(struct sg_host *host, unsigned int mine, bool is_probe);
void sg_host_leave(struct sg_host *host, unsigned int nr_commands);

/* A link begins or ends to be in use; how many a link may have while the kernel divides tags. */
void sg_host_set_active(struct sg_host *host, bool active);
unsigned int sg_host_share(const struct sg_host *host);

#endif
