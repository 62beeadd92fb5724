// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The pool of a LUN's commands.
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
		chunk->cmds[i] = (struct ring_cmd){.pool = pool, .next_free = pool->free};
		pool->free = &chunk->cmds[i];
	}
	return true;
}

bool ring_cmd_pool_init(struct ring_cmd_pool *pool)
{
	pool->free = NULL;
	pool->chunks = NULL;
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
			free(chunk->cmds[i].iov);
		free(chunk);
	}
}

struct ring_cmd *ring_cmd_get(struct ring_cmd_pool *pool)
{
	struct ring_cmd *cmd;

	if (!pool->free)
		grow(pool);
	cmd = pool->free;
	if (!cmd)
		return NULL;

	pool->free = cmd->next_free;
	memset(&cmd->io, 0, sizeof(cmd->io));
	cmd->io.owner = cmd;
	list_init(&cmd->io.node);
	cmd->refused = false;
	return cmd;
}

bool ring_cmd_make_room(struct ring_cmd *cmd, size_t iov_cnt)
{
	free(cmd->iov);
	cmd->iov = malloc(iov_cnt * sizeof(*cmd->iov));
	cmd->iov_max = cmd->iov ? iov_cnt : 0;
	return cmd->iov;
}

void ring_cmd_put(struct ring_cmd *cmd)
{
	cmd->next_free = cmd->pool->free;
	cmd->pool->free = cmd;
}
