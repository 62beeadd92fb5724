/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Host adapters: how many commands all paths through one may have in flight.
 *
 * When a SCSI host has as many commands out as it can take, write() to an sg node sleeps until one
 * of them ends, and with it everything that its thread does; when those commands hang, for long
 * (hazards.md H8).  So our links count together what they have on a host, and stay below its
 * can_queue.  And no link may have more than what it leaves free: a path whose commands all hang
 * leaves half of the host to the others, the next one a quarter, and so on.
 *
 * A number means one host as long as a link has it: the kernel gives it away anew when the host is
 * released, and each open descriptor of its disks holds the host, whatever has become of it.
 */
#include "transports/sg_host.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "mpath/list.h"

#define TAGS_PER_QUEUE_MIN 4 /* the kernel's, in hctx_may_queue() */

struct sg_host {
	struct list node;
	unsigned int number;
	unsigned int can_queue;
	atomic_uint nr_links; /* written under hosts_lock */
	atomic_uint nr_active;
	atomic_uint in_flight; /* of all links, with what they have given up and is still out */
};

static pthread_mutex_t hosts_lock = PTHREAD_MUTEX_INITIALIZER;
static struct list hosts = {&hosts, &hosts};

/* Under hosts_lock. */
static struct sg_host *sg_host_find(unsigned int number)
{
	struct sg_host *host;

	list_for_each_entry(host, &hosts, node)
		if (host->number == number)
			return host;
	return NULL;
}

static struct sg_host *sg_host_new(unsigned int number, unsigned int can_queue)
{
	struct sg_host *host = calloc(1, sizeof(*host));

	if (!host)
		return NULL;
	host->number = number;
	host->can_queue = can_queue;
	list_push_back(&hosts, &host->node);
	return host;
}

struct sg_host *sg_host_get(unsigned int number, unsigned int can_queue)
{
	struct sg_host *host;

	pthread_mutex_lock(&hosts_lock);
	host = sg_host_find(number);
	if (!host)
		host = sg_host_new(number, can_queue);
	if (host)
		atomic_fetch_add(&host->nr_links, 1);
	pthread_mutex_unlock(&hosts_lock);
	return host;
}

void sg_host_put(struct sg_host *host)
{
	pthread_mutex_lock(&hosts_lock);
	if (atomic_fetch_sub(&host->nr_links, 1) == 1) {
		list_del(&host->node);
		free(host);
	}
	pthread_mutex_unlock(&hosts_lock);
}

/* Some are left to other users of the host; of these a path's own probe may have half. */
static unsigned int sg_host_limit(const struct sg_host *host, bool is_probe)
{
	return host->can_queue - host->can_queue / (is_probe ? 16 : 8);
}

bool sg_host_enter(struct sg_host *host, unsigned int mine, bool is_probe)
{
	unsigned int limit = sg_host_limit(host, is_probe);
	unsigned int total = atomic_fetch_add(&host->in_flight, 1);

	if (total < limit &&
	    (is_probe || atomic_load(&host->nr_links) == 1 || mine < limit - total))
		return true;
	atomic_fetch_sub(&host->in_flight, 1);
	return false;
}

void sg_host_leave(struct sg_host *host, unsigned int nr_commands)
{
	atomic_fetch_sub(&host->in_flight, nr_commands);
}

void sg_host_set_active(struct sg_host *host, bool active)
{
	if (active)
		atomic_fetch_add(&host->nr_active, 1);
	else
		atomic_fetch_sub(&host->nr_active, 1);
}

/* One more than ours, for a disk that somebody else uses. */
unsigned int sg_host_share(const struct sg_host *host)
{
	unsigned int share = host->can_queue / (atomic_load(&host->nr_active) + 1);

	return share > TAGS_PER_QUEUE_MIN ? share : TAGS_PER_QUEUE_MIN;
}
