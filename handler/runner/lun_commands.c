// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A LUN's commands and answers: from cmdproc over the owner thread to the map, and back.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mpath/scsi.h"
#include "runner/lun.h"
#include "runtime/log.h"

#define INQUIRY	     0x12
#define INQUIRY_EVPD 0x01

/* --- the ring's needs --- */

static void lun_kick(void *arg)
{
	struct lun *lun = arg;
	const uint32_t nothing = 0;

	/* It cannot fail but for a device that is gone, and then nobody waits for the answers. */
	if (write(lun->cmdproc.uio_fd, &nothing, sizeof(nothing)) < 0)
		mpath_log(MPATH_LOG_ERROR, lun->name, NULL, "cannot tell the kernel of answers: %s",
			  strerror(errno));
}

static bool lun_libtcmu_idle(void *arg)
{
	struct lun *lun = arg;

	return cmdproc_is_idle(&lun->cmdproc);
}

static void refuse(struct ring_cmd *cmd, uint8_t asc)
{
	struct mpath_io *io = &cmd->io;

	scsi_sense_set(&io->result, (uint32_t)io->cmd.data_len, 0x05, asc, 0x00);
	cmd->refused = true;
}

/* The CDB and the iovecs are there: what does the command want? */
static void lun_prepare(void *arg, struct ring_cmd *cmd)
{
	struct lun *lun = arg;
	struct scsi_cmd *scsi = &cmd->io.cmd;

	/* Where cmdproc runs: TCMU does not say from which CPU the initiator's command came. */
	cmd->io.cpu = sched_getcpu();
	switch (scsi_cdb_fill(scsi, scsi_iov_len(scsi->iov, scsi->iov_cnt), lun->block_size)) {
	case CDB_OK:
		return;
	case CDB_UNKNOWN:
	case CDB_TOO_LONG:
		refuse(cmd, 0x20); /* INVALID COMMAND OPERATION CODE */
		return;
	case CDB_BAD_FIELD:
		refuse(cmd, 0x24); /* INVALID FIELD IN CDB */
		return;
	}
}

static void lun_prepare_dropped(void *arg, struct ring_cmd *cmd)
{
	cmd->io.arrival_ns = clock_now_ns();
	lun_prepare(arg, cmd);
}

static void lun_submit(void *arg, struct mpath_io *io)
{
	struct lun *lun = arg;

	device_submit(lun->device, io);
}

static void lun_abort(void *arg, struct mpath_io *io)
{
	struct lun *lun = arg;

	device_abort(lun->device, io);
}

const struct ring_ops lun_ring_ops = {
	.kick = lun_kick,
	.libtcmu_idle = lun_libtcmu_idle,
	.prepare = lun_prepare_dropped,
	.submit = lun_submit,
	.abort = lun_abort,
};

/* --- owner thread: flush and tick --- */

static void lun_flush(struct batch_end *batch_end)
{
	struct lun *lun = container_of(batch_end, struct lun, flush);

	ring_flush(&lun->ring);
}

/* Ticks of all LUNs fall together, so that an idle machine wakes up once for all of them. */
void lun_set_tick(struct lun *lun, uint64_t now_ns)
{
	uint64_t every_ns, due_ns;

	if (lun->closing || (lun->tick_ns > now_ns && lun->tick_ns <= now_ns + RING_TICK_NS))
		return; /* mostly: and no division is needed */
	every_ns = ring_busy(&lun->ring) ? RING_TICK_NS : RING_IDLE_TICK_NS;
	due_ns = (now_ns / every_ns + 1) * every_ns;
	if (lun->tick_ns > now_ns && lun->tick_ns <= due_ns)
		return;
	lun->tick_ns = due_ns;
	loop_timer_set(lun->loop, &lun->tick, due_ns);
}

void lun_stop_tick(struct lun *lun)
{
	lun->closing = true;
	loop_timer_set(lun->loop, &lun->tick, 0);
}

static void lun_tick(struct timer *timer, uint64_t now_ns)
{
	struct lun *lun = container_of(timer, struct lun, tick);

	ring_tick(&lun->ring, now_ns);
	lun_set_tick(lun, now_ns);
}

/* A command came; it may have been answered at once. */
static void lun_took(struct lun *lun)
{
	lun->cmdproc.delivered++;
	if (lun->ring.tail != lun->ring.published)
		loop_at_batch_end(lun->loop, &lun->flush);
	lun_set_tick(lun, loop_now_ns(lun->loop));
}

static void deliver_cmd(struct letter *letter)
{
	struct ring_cmd *cmd = container_of(letter, struct ring_cmd, letter);
	struct lun *lun = cmd->front;

	ring_look(&lun->ring, loop_now_ns(lun->loop));
	ring_take(&lun->ring, cmd);
	lun_took(lun);
}

/* --- cmdproc: a command arrives --- */

/* There is no memory for a ring_cmd, but the command itself has some that nobody uses. */
struct overflow {
	struct letter letter;
	struct lun *lun;
	struct tcmulib_cmd *lib_cmd;
};
_Static_assert(sizeof(struct overflow) <= sizeof(((struct tcmulib_cmd *)0)->sense_buf),
	       "an overflow fits into the sense buffer");
_Static_assert(offsetof(struct tcmulib_cmd, sense_buf) % _Alignof(struct overflow) == 0,
	       "an overflow is aligned there");

static void deliver_overflow(struct letter *letter)
{
	struct overflow *overflow = container_of(letter, struct overflow, letter);
	struct lun *lun = overflow->lun;

	ring_look(&lun->ring, loop_now_ns(lun->loop));
	ring_take_overflow(&lun->ring, overflow->lib_cmd);
	lun_took(lun);
}

static void post_overflow(struct lun *lun, struct tcmulib_cmd *lib_cmd)
{
	struct overflow *overflow = (struct overflow *)(void *)lib_cmd->sense_buf;

	overflow->letter.deliver = deliver_overflow;
	overflow->lun = lun;
	overflow->lib_cmd = lib_cmd;
	loop_post(lun->loop, &overflow->letter);
}

struct backstore_letter {
	struct letter letter;
	struct lun *lun;
	struct mpath_backstore attributes;
};

static void deliver_backstore(struct letter *letter)
{
	struct backstore_letter *news = container_of(letter, struct backstore_letter, letter);

	device_set_backstore(news->lun->device, &news->attributes);
	free(news);
}

/*
 * targetcli sets the serial number only after the backstore is enabled, and an initiator may ask
 * for it right then: its command must not overtake the news.
 */
static void read_and_post_backstore(struct lun *lun)
{
	struct backstore_letter *news = calloc(1, sizeof(*news));

	if (!news)
		return;
	if (!backstore_read(&lun->backstore, &news->attributes)) {
		free(news);
		return;
	}
	news->lun = lun;
	news->letter.deliver = deliver_backstore;
	loop_post(lun->loop, &news->letter);
}

/* Removal cancels this thread: not while it has open files and memory. */
static void post_backstore(struct lun *lun)
{
	int state;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	read_and_post_backstore(lun);
	pthread_setcancelstate(state, NULL);
}

static bool asks_for_identity(const uint8_t *cdb)
{
	return cdb[0] == INQUIRY && cdb[1] & INQUIRY_EVPD &&
	       (cdb[2] == 0x00 || cdb[2] == 0x80 || cdb[2] == 0x83);
}

/*
 * The clock is read once for all commands that the loop takes at once.  For those behind the first
 * it is too early by as long as that takes, which makes a deadline safer.
 */
static uint64_t arrival_ns(struct lun *lun)
{
	unsigned int batch = loop_batch(lun->loop);

	if (!lun->arrival_ns || batch != lun->arrival_batch) {
		lun->arrival_batch = batch;
		lun->arrival_ns = clock_now_ns();
	}
	return lun->arrival_ns;
}

/* Nothing here is a cancellation point, or it is guarded: removal cancels cmdproc at one. */
static void lun_handle(struct lun *lun, struct tcmulib_cmd *lib_cmd)
{
	struct ring_cmd *cmd = ring_cmd_get(&lun->cmds);
	size_t cdb_len = ring_libtcmu_cdb_len(lib_cmd->cdb);

	cmdproc_hands_out(&lun->cmdproc);
	if (!cmd) {
		post_overflow(lun, lib_cmd);
		return;
	}
	if (asks_for_identity(lib_cmd->cdb))
		post_backstore(lun);

	cmd->front = lun;
	cmd->lib_cmd = lib_cmd;
	cmd->letter.deliver = deliver_cmd;
	cmd->io.cmd.iov = lib_cmd->iovec;
	cmd->io.cmd.iov_cnt = lib_cmd->iov_cnt;
	/* scsi_cdb_fill() refuses what is too long. */
	cmd->io.cmd.cdb_len = cdb_len > UINT8_MAX ? UINT8_MAX : (uint8_t)cdb_len;
	memcpy(cmd->io.cmd.cdb, lib_cmd->cdb, cdb_len < SCSI_CDB_MAX ? cdb_len : SCSI_CDB_MAX);
	cmd->io.arrival_ns = arrival_ns(lun);
	lun_prepare(lun, cmd);
	loop_post(lun->loop, &cmd->letter);
}

int lun_handle_cmd(struct tcmu_device *dev, struct tcmur_cmd *tcmur_cmd)
{
	struct tcmulib_cmd *lib_cmd;

	memcpy(&lib_cmd, tcmur_cmd, sizeof(lib_cmd)); /* its first field; may be misaligned */
	lun_handle(tcmur_dev_get_private(dev), lib_cmd);
	return TCMU_STS_ASYNC_HANDLED;
}

/* --- the map's answers --- */

void lun_complete(void *front, struct mpath_io *io)
{
	struct lun *lun = front;

	ring_complete(&lun->ring, io);
}

void lun_publish(void *front)
{
	struct lun *lun = front;

	ring_flush(&lun->ring);
}

void lun_init_commands(struct lun *lun)
{
	lun->tick.fire = lun_tick;
	list_init(&lun->tick.node);
	lun->flush.end = lun_flush;
	list_init(&lun->flush.node);
	cmdproc_init(&lun->cmdproc, tcmu_dev_get_fd(lun->dev), tcmu_dev_get_uio_name(lun->dev));
}
