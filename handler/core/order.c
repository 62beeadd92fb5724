/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A write that may have been carried out, and is to be sent again, must not land on what was
 * written since.
 *
 * Its first copy is perhaps on the LUN, and somebody has read it there, and written newer data that
 * we have answered: the second copy would be old data on top of that.  So from the moment when its
 * answer is lost, who wants to write to the same blocks waits until it has been answered.  It has
 * no answer yet, nor has he, so their order is ours to choose.
 *
 * What was written after its first copy had landed, but before we knew of the loss, nobody has
 * looked at: that would take a look at each write.
 *
 * So it is with MODE SELECT, START STOP UNIT and the like: a LUN must not be stopped once more
 * after somebody has been told that it was started.
 *
 * There may be thousands, lost and waiting.  The lost ones are found by the chunk of the LUN in
 * which they begin, the long ones apart.  Of several who comes waits for the one that was lost
 * last, as that is hardly answered before the others; so with each answer only those are mapped
 * anew who have waited for that.
 */
#include "core/multipath.h"
#include "mpath/scsi.h"

/* What is longer is long.  A shorter one reaches into the next chunk at most. */
#define CHUNK_BLOCKS 2048
#define LONG_CHAIN   TWICE_CHAINS

/* --- the lost ones --- */

/* The chains are those of m->twice. */
static uint8_t chain_of_chunk(uint64_t chunk)
{
	return (uint8_t)(chunk * 0x9e3779b97f4a7c15 >> (64 - TWICE_CHAINS_LOG2));
}

static uint8_t chain_of(const struct mpath_io *io)
{
	struct block_range written = scsi_written_blocks(&io->cmd);

	if (written.last - written.first >= CHUNK_BLOCKS)
		return LONG_CHAIN;
	return chain_of_chunk(written.first / CHUNK_BLOCKS);
}

/* It has perhaps been carried out, and will be sent again. */
void comes_twice(struct multipath *m, struct mpath_io *io)
{
	struct mpath_io **chain;

	if (io->twice || io->cmd.class != CMD_IDEMPOTENT || io->aborted ||
	    m->settings.fence == FENCE_NONE)
		return;
	io->twice_chain = chain_of(io);
	chain = &m->twice[io->twice_chain];
	io->twice = true;
	io->twice_number = m->twice_number++;
	io->next_twice = *chain;
	io->behind = NULL;
	*chain = io;
	m->nr_twice++;
}

static void take_off_chain(struct multipath *m, struct mpath_io *io)
{
	struct mpath_io **at = &m->twice[io->twice_chain];

	while (*at != io)
		at = &(*at)->next_twice;
	*at = io->next_twice;
	io->twice = false;
	m->nr_twice--;
}

/* The numbers may have begun anew. */
static bool was_lost_before(const struct mpath_io *a, const struct mpath_io *b)
{
	return (int32_t)(a->twice_number - b->twice_number) < 0;
}

/* The last in a chain comes first in it. */
static struct mpath_io *newest_in(struct mpath_io *chain, const struct mpath_io *io,
				  struct block_range written)
{
	struct mpath_io *older;

	for (older = chain; older; older = older->next_twice)
		if ((!io->twice || was_lost_before(older, io)) &&
		    scsi_writes_meet(&older->cmd, scsi_written_blocks(&older->cmd), &io->cmd,
				     written))
			return older;
	return NULL;
}

static struct mpath_io *newer_of(struct mpath_io *a, struct mpath_io *b)
{
	if (!a || !b)
		return a ? a : b;
	return was_lost_before(a, b) ? b : a;
}

/* Of those that come twice themselves one waits only for the ones that were lost before it. */
struct mpath_io *older_write(const struct multipath *m, const struct mpath_io *io)
{
	struct block_range written;
	uint64_t chunk, last, i;
	struct mpath_io *newest;

	if (!scsi_may_write(&io->cmd))
		return NULL;
	written = scsi_written_blocks(&io->cmd);
	newest = newest_in(m->twice[LONG_CHAIN], io, written);
	chunk = written.first / CHUNK_BLOCKS;
	chunk -= chunk > 0;
	last = written.last / CHUNK_BLOCKS;
	if (last - chunk >= TWICE_CHAINS) {
		for (i = 0; i < TWICE_CHAINS; i++)
			newest = newer_of(newest, newest_in(m->twice[i], io, written));
		return newest;
	}
	for (; chunk <= last; chunk++)
		newest = newer_of(newest, newest_in(m->twice[chain_of_chunk(chunk)], io, written));
	return newest;
}

/* --- who waits: a ring by their flight, as they are on no path; older->behind is its first --- */

void wait_behind(struct mpath_io *io, struct mpath_io *older)
{
	io->waits_behind = true;
	io->older = older;
	list_init(&io->flight); /* it may never have been on a path */
	if (older->behind)
		list_push_back(&older->behind->flight, &io->flight);
	else
		older->behind = io;
}

static struct mpath_io *next_in_ring(struct mpath_io *io)
{
	return container_of(io->flight.next, struct mpath_io, flight);
}

/* He may be let go already, and not be mapped yet. */
static void leave_ring(struct mpath_io *io)
{
	struct mpath_io *older = io->older;

	if (older && older->behind == io)
		older->behind = list_empty(&io->flight) ? NULL : next_in_ring(io);
	list_del(&io->flight);
}

void wait_behind_nobody(struct mpath_io *io)
{
	leave_ring(io);
	io->waits_behind = false;
}

static void let_go(struct multipath *m, struct mpath_io *older)
{
	struct mpath_io *io;

	while ((io = older->behind)) {
		leave_ring(io);
		io->older = NULL;
		list_push_back(&m->let_go, &io->flight);
		m->run_held = true;
	}
}

/*
 * It is answered.  That it is aborted is not enough: of two copies the first may be there, and the
 * other one land.
 */
void comes_no_more(struct multipath *m, struct mpath_io *io)
{
	if (!io->twice)
		return;
	take_off_chain(m, io);
	let_go(m, io);
}

/* On whatever queue they have come to be meanwhile. */
void let_go_behind_older(struct multipath *m, struct list *todo)
{
	struct list *node;

	while ((node = list_pop(&m->let_go))) {
		struct mpath_io *io = container_of(node, struct mpath_io, flight);

		io->waits_behind = false;
		list_del(&io->node);
		list_push_back(todo, &io->node);
	}
}

/* See mpath_check_invariants(). */
bool order_is_sound(const struct multipath *m)
{
	const struct mpath_io *io;
	unsigned int n = 0;
	size_t chain;

	for (chain = 0; chain <= LONG_CHAIN; chain++) {
		for (io = m->twice[chain]; io; io = io->next_twice, n++)
			if (!io->twice || io->twice_chain != chain ||
			    (io->behind && io->behind->older != io))
				return false;
	}
	return n == m->nr_twice && list_empty(&m->let_go);
}
