/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Behind which of the writes that come twice does one wait?  The same as a look at each of them
 * says, whatever comes and goes.  And who waits is let go when that is answered.
 */
#include <assert.h>

#include "core/multipath.h"
#include "mpath/scsi.h"

#define NR_IOS	  200
#define NR_ROUNDS 20000

static struct multipath m;
static struct mpath_io ios[NR_IOS];
static uint64_t lost_at[NR_IOS]; /* 0: it is not lost */
static uint32_t seed = 1;

static uint32_t any(uint32_t below)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % below;
}

/* Around the ends of chunks (2048 blocks), of few blocks, of a chunk or so, or of many. */
static void make_write(struct mpath_io *io)
{
	uint32_t lba = 8 + any(40) * 2048 - 4 + any(8), nr = any(8);
	unsigned int i;

	if (any(20) == 0)
		nr = 2046 + any(4);
	if (any(100) == 0)
		nr = any(3) * 40000;
	*io = (struct mpath_io){
		.cmd = {.cdb = {0x8a}, .cdb_len = 16, .class = CMD_IDEMPOTENT, .medium = true}};
	for (i = 0; i < 4; i++) {
		io->cmd.cdb[9 - i] = (uint8_t)(lba >> 8 * i);
		io->cmd.cdb[13 - i] = (uint8_t)(nr >> 8 * i);
	}
	list_init(&io->node);
}

static bool meet(const struct mpath_io *a, const struct mpath_io *b)
{
	return scsi_writes_meet(&a->cmd, scsi_written_blocks(&a->cmd), &b->cmd,
				scsi_written_blocks(&b->cmd));
}

/* By a look at each. */
static const struct mpath_io *last_lost(const struct mpath_io *io, uint64_t before)
{
	uint64_t last = 0;
	unsigned int i, found = 0;

	for (i = 0; i < NR_IOS; i++) {
		if (lost_at[i] <= last || lost_at[i] >= before || !meet(&ios[i], io))
			continue;
		last = lost_at[i];
		found = i;
	}
	return last ? &ios[found] : NULL;
}

static void come_or_go(unsigned int i, unsigned int round)
{
	if (lost_at[i]) {
		comes_no_more(&m, &ios[i]);
		lost_at[i] = 0;
	} else {
		make_write(&ios[i]);
		comes_twice(&m, &ios[i]);
		lost_at[i] = round;
	}
	assert(order_is_sound(&m));
}

static void check_all(void)
{
	struct mpath_io io;
	unsigned int i;

	make_write(&io);
	assert(older_write(&m, &io) == last_lost(&io, UINT64_MAX));
	for (i = 0; i < NR_IOS; i++)
		if (lost_at[i])
			assert(older_write(&m, &ios[i]) == last_lost(&ios[i], lost_at[i]));
}

/*
 * An UNMAP's list is the initiator's memory, in the ring: who resets that below us has it written
 * over, while the command is lost.  It is to be found all the same.
 */
static void test_list_changes(void)
{
	uint8_t list[24] = {0, 22, 0, 16, [8 + 6] = 0x40, [8 + 11] = 8};
	struct iovec iov = {list, sizeof(list)};
	struct mpath_io io = {.cmd = {.cdb = {0x42, [8] = sizeof(list)},
				      .cdb_len = 10,
				      .dir = SCSI_DATA_OUT,
				      .class = CMD_IDEMPOTENT,
				      .medium = true,
				      .iov = &iov,
				      .iov_cnt = 1,
				      .data_len = sizeof(list)}};
	unsigned int i;

	list_init(&io.node);
	for (i = 0; i < 64; i++) {
		list[8 + 6] = 0x40;
		comes_twice(&m, &io);
		assert(order_is_sound(&m));
		list[8 + 6] = (uint8_t)(i << 3);
		comes_no_more(&m, &io);
		assert(!m.nr_twice && order_is_sound(&m));
	}
}

/* --- who waits --- */

#define NR_WAITERS 60

/* They come out of the ring as ring_cmd_get() makes them: flight is all 0. */
static struct mpath_io waiters[NR_WAITERS];
static unsigned int came[NR_WAITERS], nr_came; /* 0: it is not there */

static void make_wait(unsigned int i)
{
	struct mpath_io *older;

	make_write(&waiters[i]);
	older = older_write(&m, &waiters[i]);
	if (!older)
		return;
	wait_behind(&waiters[i], older);
	came[i] = ++nr_came;
}

/* They are let go, all of them, in the order in which they came; some are aborted before that. */
static void answer_older(struct mpath_io *older)
{
	unsigned int i, nr = 0, last = 0, gone = NR_WAITERS;
	struct list todo, *node;

	for (i = 0; i < NR_WAITERS; i++)
		nr += came[i] && waiters[i].older == older;
	comes_no_more(&m, older);
	for (i = 0; i < NR_WAITERS && gone == NR_WAITERS; i++)
		if (came[i] && !waiters[i].older && any(4) == 0)
			gone = i;
	if (gone < NR_WAITERS) {
		wait_behind_nobody(&waiters[gone]);
		came[gone] = 0;
		nr--;
	}
	list_init(&todo);
	let_go_behind_older(&m, &todo);
	while ((node = list_pop(&todo))) {
		i = (unsigned int)(container_of(node, struct mpath_io, node) - waiters);
		assert(came[i] > last && !waiters[i].older && !waiters[i].waits_behind);
		last = came[i];
		came[i] = 0;
		nr--;
	}
	assert(!nr && order_is_sound(&m));
}

static void test_who_waits(void)
{
	unsigned int round, i;

	for (round = 1; round < NR_ROUNDS; round++) {
		i = any(NR_IOS);
		if (!lost_at[i]) {
			make_write(&ios[i]);
			comes_twice(&m, &ios[i]);
			lost_at[i] = round;
		} else if (any(3) == 0) {
			answer_older(&ios[i]);
			lost_at[i] = 0;
		}
		i = any(NR_WAITERS);
		if (came[i]) {
			wait_behind_nobody(&waiters[i]);
			came[i] = 0;
		} else {
			make_wait(i);
		}
		assert(order_is_sound(&m));
	}
	for (i = 0; i < NR_IOS; i++)
		if (lost_at[i])
			answer_older(&ios[i]);
	for (i = 0; i < NR_WAITERS; i++)
		assert(!came[i]);
	assert(nr_came > NR_ROUNDS / 10);
}

int main(void)
{
	unsigned int round;

	list_init(&m.let_go);
	test_list_changes();
	m.twice_number = UINT32_MAX - NR_ROUNDS / 4; /* they begin anew meanwhile */
	for (round = 1; round <= NR_ROUNDS; round++) {
		come_or_go(any(round % 2000 < 1000 ? NR_IOS : 20), round);
		if (round % 16 == 0)
			check_all();
	}
	test_who_waits();
	return 0;
}
