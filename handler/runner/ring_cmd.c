// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The pool of a LUN's commands: one thread takes, another gives back, nobody waits.
 */
#include <stdlib.h>
#include <string.h>

#include "runner/ring.h"

/* An idle LUN has the first; each further one is twice as large as the one before. */
#define CHUNK_CMDS_FIRST 4
#define CHUNK_CMDS_MAX	 64

struct ring_cmd_chunk {
	struct ring_cmd_chunk *next;
	unsigned int nr_cmds;
	struct ring_cmd cmds[];
};

static bool add_chunk(struct ring_cmd_pool *pool, unsigned int nr_cmds)
{
	struct ring_cmd_chunk *chunk = malloc(sizeof(*chunk) + nr_cmds * sizeof(chunk->cmds[0]));

	if (!chunk)
		return false;
	chunk->nr_cmds = nr_cmds;
	chunk->next = pool->chunks;
	pool->chunks = chunk;
	for (unsigned int i = 0; i < nr_cmds; i++) {
		chunk->cmds[i].pool = pool;
		chunk->cmds[i].lib_cmd = NULL;
		chunk->cmds[i].next_free = pool->free;
		pool->free = &chunk->cmds[i];
	}
	return true;
}

bool ring_cmd_pool_init(struct ring_cmd_pool *pool)
{
	pool->free = NULL;
	pool->chunks = NULL;
	atomic_init(&pool->returned, NULL);
	return add_chunk(pool, CHUNK_CMDS_FIRST);
}

static __attribute__((noinline)) bool grow(struct ring_cmd_pool *pool)
{
	unsigned int nr_cmds = pool->chunks ? 2 * pool->chunks->nr_cmds : CHUNK_CMDS_FIRST;

	return add_chunk(pool, nr_cmds < CHUNK_CMDS_MAX ? nr_cmds : CHUNK_CMDS_MAX);
}

void ring_cmd_pool_destroy(struct ring_cmd_pool *pool)
{
	struct ring_cmd_chunk *chunk;

	while ((chunk = pool->chunks)) {
		pool->chunks = chunk->next;
		for (unsigned int i = 0; i < chunk->nr_cmds; i++)
			free(chunk->cmds[i].lib_cmd);
		free(chunk);
	}
}

struct ring_cmd *ring_cmd_get(struct ring_cmd_pool *pool)
{
	struct ring_cmd *cmd;

	/* Taking all that came back at once is what makes this safe without a lock. */
	if (!pool->free)
		pool->free = atomic_exchange_explicit(&pool->returned, NULL, memory_order_acquire);
	if (!pool->free)
		grow(pool);
	cmd = pool->free;
	if (!cmd)
		return NULL;

	pool->free = cmd->next_free;
	free(cmd->lib_cmd);
	memset(cmd, 0, sizeof(*cmd));
	cmd->pool = pool;
	cmd->io.owner = cmd;
	list_init(&cmd->io.node);
	return cmd;
}

/*
 * The lib_cmd came with malloc(), and nobody else keeps it: we are the ones to complete it (D3).
 * Its memory goes back when the command is taken again, for that is done by the thread that called
 * malloc(): so it comes out of that thread's cache, and the two threads do not meet in the heap.
 */
void ring_cmd_put(struct ring_cmd *cmd)
{
	struct ring_cmd_pool *pool = cmd->pool;
	struct ring_cmd *first;

	if (!pool) {
		free(cmd);
		return;
	}
	first = atomic_load_explicit(&pool->returned, memory_order_relaxed);
	do
		cmd->next_free = first;
	while (!atomic_compare_exchange_weak_explicit(&pool->returned, &first, cmd,
						      memory_order_release, memory_order_relaxed));
}
