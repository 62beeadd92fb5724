// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A LUN's commands and answers: from the ring to the map, and back.  All on the owner thread.
 */
#include <errno.h>
#include <sched.h>
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
	if (write(lun->uio.fd, &nothing, sizeof(nothing)) < 0)
		mpath_log(MPATH_LOG_ERROR, lun->name, NULL, "cannot tell the kernel of answers: %s",
			  strerror(errno));
}

static uint64_t lun_read_clock(void *arg)
{
	struct lun *lun = arg;

	loop_read_clock(lun->loop);
	return loop_now_ns(lun->loop);
}

static void refuse(struct ring_cmd *cmd, uint8_t asc)
{
	struct mpath_io *io = &cmd->io;

	scsi_sense_set(&io->result, (uint32_t)io->cmd.data_len, 0x05, asc, 0x00);
	cmd->refused = true;
}

/* What does the command want? */
static void lun_prepare(void *arg, struct ring_cmd *cmd)
{
	struct lun *lun = arg;
	struct scsi_cmd *scsi = &cmd->io.cmd;

	cmd->io.cpu = lun->cpu;
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

static bool asks_for_identity(const uint8_t *cdb)
{
	return cdb[0] == INQUIRY && cdb[1] & INQUIRY_EVPD &&
	       (cdb[2] == 0x00 || cdb[2] == 0x80 || cdb[2] == 0x83);
}

/*
 * targetcli sets the serial number only after the backstore is enabled, and an initiator may ask
 * for it right then.
 */
static void lun_submit(void *arg, struct mpath_io *io)
{
	struct lun *lun = arg;

	if (asks_for_identity(io->cmd.cdb))
		device_submit_with_news(lun->device, io);
	else
		device_submit(lun->device, io);
}

static void lun_abort(void *arg, struct mpath_io *io)
{
	struct lun *lun = arg;

	device_abort(lun->device, io);
}

const struct ring_ops lun_ring_ops = {
	.kick = lun_kick,
	.read_clock = lun_read_clock,
	.prepare = lun_prepare,
	.submit = lun_submit,
	.abort = lun_abort,
};

/* --- reading the ring --- */

static void lun_flush(struct batch_end *batch_end)
{
	struct lun *lun = container_of(batch_end, struct lun, flush);

	ring_flush(&lun->ring);
}

/* Ticks of all LUNs fall together, so that an idle machine wakes up once for all of them. */
static void lun_set_tick(struct lun *lun, uint64_t now_ns)
{
	uint64_t every_ns, due_ns;

	if (lun->tick_ns > now_ns && lun->tick_ns <= now_ns + RING_TICK_NS)
		return; /* mostly: and no division is needed */
	every_ns = ring_busy(&lun->ring) ? RING_TICK_NS : RING_IDLE_TICK_NS;
	due_ns = (now_ns / every_ns + 1) * every_ns;
	if (lun->tick_ns > now_ns && lun->tick_ns <= due_ns)
		return;
	lun->tick_ns = due_ns;
	loop_timer_set(lun->loop, &lun->tick, due_ns);
}

static void lun_tick(struct timer *timer, uint64_t now_ns)
{
	struct lun *lun = container_of(timer, struct lun, tick);

	(void)now_ns;
	lun->cpu = sched_getcpu();
	ring_tick(&lun->ring);
	lun_set_tick(lun, loop_now_ns(lun->loop));
}

/*
 * Each entry is an event of its own for an edge-triggered epoll, although nobody ever reads the
 * descriptor, so that it stays ready: but for one of 2^32, and that one is seen by the tick.
 */
static void lun_uio_ready(struct watch *watch, uint32_t epoll_events)
{
	struct lun *lun = container_of(watch, struct lun, uio);

	(void)epoll_events;
	lun->cpu = sched_getcpu();
	ring_take(&lun->ring);
	/* Some may have been answered at once; or task management is all that was there. */
	if (lun->ring.tail != lun->ring.published || !lun->ring.outstanding)
		loop_at_batch_end(lun->loop, &lun->flush);
	lun_set_tick(lun, loop_now_ns(lun->loop));
}

/* What came before there was anybody to be told is there already. */
int lun_begin_commands(struct lun *lun)
{
	int err = loop_watch(lun->loop, &lun->uio);

	if (!err)
		lun_uio_ready(&lun->uio, 0);
	return err;
}

void lun_end_commands(struct lun *lun)
{
	loop_unwatch(lun->loop, &lun->uio);
	loop_timer_set(lun->loop, &lun->tick, 0);
}

/* Its thread does not come so far.  One that does is another than we know, and goes no further. */
int lun_handle_cmd(struct tcmu_device *dev, struct tcmur_cmd *cmd)
{
	struct lun *lun = tcmur_dev_get_private(dev);

	(void)cmd;
	mpath_log(
		MPATH_LOG_ERROR, lun->name, NULL,
		"this tcmu-runner reads the ring before it waits for commands: it is not known to "
		"work with this handler");
	for (;;)
		pause();
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
	lun->uio.ready = lun_uio_ready;
	lun->tick.fire = lun_tick;
	list_init(&lun->tick.node);
	lun->flush.end = lun_flush;
	list_init(&lun->flush.node);
}
