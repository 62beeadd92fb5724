// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The tcmu-runner handler "mpath": what stands behind "/backstores/user:mpath create" (D11).
 *
 * tcmu-runner calls in from its main thread (check_config, open, reconfig), and from one thread
 * per LUN, cmdproc (handle_cmd, close).  A command that arrives becomes a letter to the thread
 * that owns the LUN's map; its answer leaves through ring.c.  tcmu-runner.md tells what of this is
 * forced upon us.
 */
#include <errno.h>
#include <glib-unix.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "control/control.h"
#include "mpath/scsi.h"
#include "mpath/tcmu_runner_abi.h"
#include "mpath/version.h"
#include "runner/backstore.h"
#include "runner/map_text.h"
#include "runner/cfgstring.h"
#include "runner/cmdproc.h"
#include "runner/config.h"
#include "runner/lock_memory.h"
#include "runner/log_sink.h"
#include "runner/ring.h"
#include "runtime/device.h"
#include "runtime/state.h"

#define ERROR_SIZE   1024
#define SETTLE_MS    1000 /* open() holds up tcmu-runner's main thread: no longer than that */
#define FLUSH_LOG_MS 2000
#define INQUIRY	     0x12
#define INQUIRY_EVPD 0x01

/* One LUN of ours: a tcmu device in front, a map behind. */
struct lun {
	struct tcmu_device *dev; /* tcmu-runner's */
	char *name;		 /* of the map */
	struct backstore backstore;
	struct ring ring;
	struct ring_cmd_pool cmds;
	struct cmdproc cmdproc;
	/* cmdproc's: when the first of the commands came that the loop has not taken yet */
	uint64_t arrival_ns;
	unsigned int arrival_batch;
	uint32_t block_size;
	uint64_t size; /* of the LUN when it was looked at last, 0: never */

	struct device *device;
	struct loop *loop; /* the device's */
	struct batch_end flush;
	struct timer tick;
	uint64_t tick_ns; /* when it is due; 0: off */
	bool closing;
};

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

static const struct ring_ops lun_ring_ops = {
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
static void lun_set_tick(struct lun *lun, uint64_t now_ns)
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

static int handle_cmd(struct tcmu_device *dev, struct tcmur_cmd *tcmur_cmd)
{
	struct tcmulib_cmd *lib_cmd;

	memcpy(&lib_cmd, tcmur_cmd, sizeof(lib_cmd)); /* its first field; may be misaligned */
	lun_handle(tcmur_dev_get_private(dev), lib_cmd);
	return TCMU_STS_ASYNC_HANDLED;
}

/* --- the device's front --- */

static void front_complete(void *front, struct mpath_io *io)
{
	struct lun *lun = front;

	ring_complete(&lun->ring, io);
}

static void front_flush(void *front)
{
	struct lun *lun = front;

	ring_flush(&lun->ring);
}

static bool front_read_backstore(void *front, struct mpath_backstore *attributes)
{
	struct lun *lun = front;

	backstore_want_tmr(&lun->backstore);
	return backstore_read(&lun->backstore, attributes);
}

static bool is_shortage(int err)
{
	return err == -EMFILE || err == -ENFILE || err == -ENOMEM;
}

/*
 * The backstore's size is the LUN's, or 0, which means the same (D15); it follows when the LUN
 * grows.  Any other is left as the administrator has set it, and said, but the LUN stays in
 * service: initiators get the size from the array in any case.  False: it cannot be done now.
 */
static bool lun_check_size(struct lun *lun, const struct lun_facts *facts)
{
	uint64_t size = facts->nr_blocks * facts->block_size;
	struct mpath_backstore attributes;
	bool follows;
	int err;

	if (!facts->known || !size)
		return true;
	if (!backstore_read(&lun->backstore, &attributes))
		return false;
	/* tcmu-runner compares with this when a size is restored. */
	tcmu_dev_set_num_lbas(lun->dev, size / lun->block_size);
	follows = !attributes.size || attributes.size == lun->size;
	err = follows && attributes.size != size ? backstore_set_size(&lun->backstore, size) : 0;
	if (is_shortage(err))
		return false;
	lun->size = size;
	if (err)
		mpath_log(MPATH_LOG_WARN, lun->name, NULL, "cannot set the backstore's size: %s",
			  strerror(-err));
	if (!follows && attributes.size != size)
		mpath_log(MPATH_LOG_WARN, lun->name, NULL,
			  "the backstore's size is %ju bytes, the LUN has %ju: initiators see the "
			  "LUN's",
			  (uintmax_t)attributes.size, (uintmax_t)size);
	return true;
}

static bool front_lun_changed(void *front, const struct lun_facts *facts)
{
	return lun_check_size(front, facts);
}

static const struct device_front lun_front = {
	.complete = front_complete,
	.flush = front_flush,
	.read_backstore = front_read_backstore,
	.lun_changed = front_lun_changed,
};

/* --- open --- */

static int lun_open_ring(struct lun *lun, struct strbuf *error)
{
	off_t offset;
	size_t len;
	void *base;
	int err;

	free(tcmu_dev_get_memory_info(lun->dev, &base, &len, &offset));
	err = ring_init(&lun->ring, base, len, &lun_ring_ops, lun);
	if (err)
		strbuf_printf(error, "the TCMU mailbox of this kernel is not of version %d",
			      RING_VERSION);
	return err;
}

/* A LUN seen in an earlier run has a known size before any path is there. */
static void lun_set_kept_size(struct lun *lun)
{
	char text[200];
	struct strbuf ignored;
	struct kept kept;

	strbuf_init(&ignored, text, sizeof(text));
	if (!state_load(lun->name, &kept, &ignored))
		lun_check_size(lun, &kept.lun);
}

static void log_warnings(const struct map_config *config)
{
	if (config->warning)
		mpath_log(MPATH_LOG_WARN, config->name, NULL, "%s", config->warning);
	for (unsigned int i = 0; i < config->table->nr_warnings; i++)
		mpath_log(MPATH_LOG_WARN, config->name, NULL, "%s", config->table->warnings[i]);
}

static int lun_start_device(struct lun *lun, const struct map_config *config, struct strbuf *error)
{
	const struct device_config device_config = {
		.name = config->name,
		.state_name = config->name,
		.backstore = lun->backstore.instance,
		.table = config->table,
		.settings = &config->settings,
		.find_selector = config->find_selector,
		.transport = &sg_transport,
		.warning = config->warning,
		.said = config->said,
	};

	lun->device = device_start(&device_config, &lun_front, lun, error);
	if (!lun->device)
		return -EINVAL;
	lun->loop = device_loop(lun->device);
	return 0;
}

/* Something to be done on the owner thread, and waited for. */
struct errand {
	struct letter letter;
	struct lun *lun;
	sem_t done;
};

static void lun_do_errand(struct lun *lun, void (*deliver)(struct letter *letter))
{
	struct errand errand = {.letter.deliver = deliver, .lun = lun};

	sem_init(&errand.done, 0, 0);
	loop_post(lun->loop, &errand.letter);
	while (sem_wait(&errand.done))
		;
	sem_destroy(&errand.done);
}

static void deliver_start(struct letter *letter)
{
	struct errand *errand = container_of(letter, struct errand, letter);
	struct lun *lun = errand->lun;

	lun_set_tick(lun, loop_now_ns(lun->loop));
	sem_post(&errand->done);
}

static void deliver_close(struct letter *letter)
{
	struct errand *errand = container_of(letter, struct errand, letter);
	struct lun *lun = errand->lun;

	lun->closing = true;
	loop_timer_set(lun->loop, &lun->tick, 0);
	sem_post(&errand->done);
}

static struct lun *lun_new(struct tcmu_device *dev)
{
	struct lun *lun = calloc(1, sizeof(*lun));

	if (!lun)
		return NULL;
	if (!ring_cmd_pool_init(&lun->cmds)) {
		free(lun);
		return NULL;
	}
	lun->dev = dev;
	lun->block_size = tcmu_dev_get_block_size(dev);
	lun->tick.fire = lun_tick;
	list_init(&lun->tick.node);
	lun->flush.end = lun_flush;
	list_init(&lun->flush.node);
	cmdproc_init(&lun->cmdproc, tcmu_dev_get_fd(dev), tcmu_dev_get_uio_name(dev));
	return lun;
}

static int lun_start(struct lun *lun, const struct map_config *config, struct strbuf *error)
{
	int err;

	lun->name = strdup(config->name);
	if (!lun->name) {
		strbuf_printf(error, "out of memory");
		return -ENOMEM;
	}
	err = lun_open_ring(lun, error);
	if (err)
		goto free_name;
	err = backstore_want_tmr(&lun->backstore);
	if (err)
		mpath_log(MPATH_LOG_WARN, lun->name, NULL,
			  "aborts by initiators will not be noticed: tmr_notification: %s",
			  strerror(-err));
	/* Answers go back to the initiator as the array gave them; its cache is its own. */
	tcmu_dev_set_write_cache_enabled(lun->dev, false);
	lun_set_kept_size(lun);
	err = lun_start_device(lun, config, error);
	if (err)
		goto free_name;
	lun_do_errand(lun, deliver_start);
	return 0;

free_name:
	free(lun->name);
	return err;
}

static int lun_open(struct lun *lun, struct strbuf *error)
{
	struct map_config *config;
	int err;

	err = backstore_open(&lun->backstore, tcmu_dev_get_uio_name(lun->dev), error);
	if (err)
		return err;
	err = map_config_load(&config_default_paths, tcmu_dev_get_cfgstring(lun->dev),
			      lun->backstore.name, true, &config, error);
	if (err)
		goto close_backstore;
	log_warnings(config);
	err = lun_start(lun, config, error);
	map_config_free(config);
	if (err)
		goto close_backstore;
	return 0;

close_backstore:
	backstore_close(&lun->backstore);
	return err;
}

/*
 * After "create size=0" the next command may be to show the size, so that is worth a moment.  At a
 * restart it is known, and with many LUNs whose paths are down each moment counts: tcmu-runner
 * opens one after another, and systemd waits for it.
 */
static bool lun_has_size(const struct lun *lun)
{
	struct mpath_backstore attributes;

	return !backstore_read(&lun->backstore, &attributes) || attributes.size;
}

static int open_device(struct tcmu_device *dev, bool reopen)
{
	char text[ERROR_SIZE];
	struct strbuf error;
	struct lun *lun = lun_new(dev);
	int err;

	(void)reopen; /* only after tcmu_notify_conn_lost(), which we never call */
	if (!lun) {
		mpath_log(MPATH_LOG_ERROR, NULL, NULL, "%s: out of memory",
			  tcmu_dev_get_cfgstring(dev));
		return -ENOMEM;
	}
	strbuf_init(&error, text, sizeof(text));
	err = lun_open(lun, &error);
	if (err) {
		mpath_log(MPATH_LOG_ERROR, NULL, NULL, "%s: %s", tcmu_dev_get_cfgstring(dev), text);
		ring_cmd_pool_destroy(&lun->cmds);
		free(lun);
		return err;
	}
	tcmur_dev_set_private(dev, lun);
	if (!lun_has_size(lun))
		device_wait_settled(lun->device, SETTLE_MS);
	lock_memory();
	mpath_log(MPATH_LOG_INFO, lun->name, NULL, "in service as backstore %s (%s)",
		  lun->backstore.name, tcmu_dev_get_uio_name(dev));
	return 0;
}

/* --- close --- */

/*
 * On the cmdproc thread, which is being cancelled, or on main after that: either way libtcmu does
 * not look at the ring any more.  rmdir holds the configfs directory: see backstore.h.
 */
static void close_device(struct tcmu_device *dev)
{
	struct lun *lun = tcmur_dev_get_private(dev);

	lun_do_errand(lun, deliver_close);
	device_stop(lun->device);
	ring_close(&lun->ring);
	mpath_log(MPATH_LOG_INFO, lun->name, NULL, "out of service");
	ring_cmd_pool_destroy(&lun->cmds);
	backstore_close(&lun->backstore);
	free(lun->name);
	free(lun);
	tcmur_dev_set_private(dev, NULL);
}

/* --- configuration --- */

/*
 * The same for D-Bus (a new backstore: the words reach targetcli's user, all must be right) and
 * for a device that the kernel has already, found at restart: there a file that has become
 * invalid must not take the LUN away, as long as there is a last good copy.
 */
static bool check_config(const char *cfgstring, char **reason)
{
	struct map_config *config;
	char text[ERROR_SIZE];
	struct strbuf error;
	char *valid;

	strbuf_init(&error, text, sizeof(text));
	if (!map_config_load(&config_default_paths, cfgstring, NULL, backstore_exists(cfgstring),
			     &config, &error)) {
		map_config_free(config);
		return true;
	}
	valid = g_utf8_make_valid(text, -1); /* D-Bus takes nothing else */
	*reason = strdup(valid);
	g_free(valid);
	return false;
}

/* A request to the map, and the one who waits for its answer. */
struct question {
	struct device_request request;
	sem_t done;
};

static void answered(struct device_request *request)
{
	sem_post(&container_of(request, struct question, request)->done);
}

/* The owner thread never blocks, so this is a matter of milliseconds. */
static int lun_ask(const struct lun *lun, struct question *question)
{
	question->request.done = answered;
	sem_init(&question->done, 0, 0);
	if (!device_request(lun->name, &question->request)) {
		sem_destroy(&question->done);
		return -ENODEV;
	}
	while (sem_wait(&question->done))
		;
	sem_destroy(&question->done);
	return question->request.message.error;
}

static int lun_load(struct lun *lun, struct map_config *config, struct strbuf *error)
{
	const struct device_layout layout = {
		.table = config->table,
		.settings = &config->settings,
		.find_selector = config->find_selector,
		.warning = config->warning,
		.said = config->said,
	};
	struct question reload = {.request = {.layout = &layout, .message.reply = *error}};
	int err;

	map_config_look_up(config);
	err = lun_ask(lun, &reload);
	*error = reload.request.message.reply;
	return err;
}

/* In the log and to whoever watches the map: the writer of an attribute hears an errno only. */
static void lun_refuse(const struct lun *lun, const char *why)
{
	struct question refusal = {.request = {.refused = why}};

	mpath_log(MPATH_LOG_WARN, lun->name, NULL, "configuration refused: %s", why);
	lun_ask(lun, &refusal);
}

static void keep_last_good(const struct lun *lun, const char *cfgstring)
{
	struct map_config *config;
	char text[ERROR_SIZE];
	struct strbuf error;

	strbuf_init(&error, text, sizeof(text));
	if (!map_config_load(&config_default_paths, cfgstring, lun->backstore.name, true, &config,
			     &error))
		map_config_free(config);
}

static int lun_take_config(struct lun *lun, const char *cfgstring, struct map_config *config,
			   struct strbuf *error)
{
	int err;

	if (strcmp(config->name, lun->name) != 0) {
		strbuf_printf(error,
			      "it names the map %s, expected %s: another map is another "
			      "backstore",
			      config->name, lun->name);
		return -EINVAL;
	}
	err = lun_load(lun, config, error);
	if (err)
		return err;
	log_warnings(config);
	keep_last_good(lun, cfgstring);
	return 0;
}

/*
 * attrib/dev_config was written: the map file is read anew, and what has changed takes over without
 * a command's noticing.  What is refused leaves the map, and its last good copy, as they were.
 */
static int lun_reload(struct lun *lun, const char *cfgstring, struct strbuf *error)
{
	struct map_config *config;
	int err = map_config_load(&config_default_paths, cfgstring, lun->backstore.name, false,
				  &config, error);

	if (err)
		return err;
	err = lun_take_config(lun, cfgstring, config, error);
	map_config_free(config);
	return err;
}

static bool same_size(struct tcmu_device *dev, uint64_t size)
{
	return size / tcmu_dev_get_block_size(dev) == tcmu_dev_get_num_lbas(dev);
}

/* Each restore of a saved configuration writes the attributes as they are: that must succeed. */
static int reconfig(struct tcmu_device *dev, struct tcmulib_cfg_info *cfg)
{
	struct lun *lun = tcmur_dev_get_private(dev);
	char text[ERROR_SIZE];
	struct strbuf why;
	int err = 0;

	strbuf_init(&why, text, sizeof(text));
	switch (cfg->type) {
	case TCMULIB_CFG_DEV_CFGSTR:
		err = lun_reload(lun, cfg->data.dev_cfgstring, &why);
		break;
	case TCMULIB_CFG_DEV_SIZE:
		if (same_size(dev, cfg->data.dev_size))
			return 0;
		err = -EOPNOTSUPP;
		strbuf_printf(&why, "the size is the LUN's and cannot be set");
		break;
	/*
	 * Not the array's WCE, which MODE SENSE tells: it would have to be written from here when
	 * the LUN is seen, and whoever writes it sleeps, not to be killed, until tcmu-runner's main
	 * thread has answered.  Were that about to end, this process, and its lock, would stay for
	 * ever.
	 */
	case TCMULIB_CFG_WRITE_CACHE:
		if (!cfg->data.write_cache)
			return 0;
		err = -EOPNOTSUPP;
		strbuf_printf(&why, "there is no write cache but the array's own");
		break;
	}
	if (err)
		lun_refuse(lun, text);
	return err;
}

/* --- the plug-in --- */

static void destroy(void)
{
	mpath_log_flush(FLUSH_LOG_MS);
}

static struct tcmur_handler mpath_handler = {
	.name = "multipath",
	.subtype = "mpath",
	.cfg_desc = "A LUN over several paths, as dm-multipath does it, with SCSI passed through.\n"
		    "cfgstring=NAME: the map file /etc/tcmu/mpath.d/NAME.map, for example with a\n"
		    "  dm-multipath table; examples are in /usr/share/doc/tcmu-mpath/examples.\n"
		    "cfgstring=wwid=36001405b922ff67a: all paths to the LUN with this WWID.\n"
		    "cfgstring=/dev/disk/by-path/A;/dev/disk/by-path/B: these paths, the best\n"
		    "  that work.\n"
		    "size=0: the size is the LUN's.  Further settings: /etc/tcmu/mpath.conf.",
	.check_config = check_config,
	.reconfig = reconfig,
	.open = open_device,
	.close = close_device,
	.handle_cmd = handle_cmd,
	.destroy = destroy,
};

/*
 * tcmu-runner, told to end, waits until the rings are empty, without a word to us.  What is held
 * because there is no path has to be answered, or it would wait until systemd kills it.
 */
static gboolean on_signal(gpointer data)
{
	(void)data;
	device_shutdown_all();
	return G_SOURCE_CONTINUE;
}

/* One fd per command in flight (hazards.md H2) is more than the usual soft limit. */
static void raise_fd_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur == limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		mpath_log(MPATH_LOG_WARN, NULL, NULL, "cannot raise the number of open files: %s",
			  strerror(errno));
}

static const struct control_hooks control_hooks = {
	.check = map_text_check,
	.load = map_text_load,
	.unload = map_text_free,
};

/* tcmu-runner loads handler_mpath.so.bak, too: whoever comes second must not begin to serve. */
__attribute__((visibility("default"))) int handler_init(void)
{
	int err = tcmur_register_handler(&mpath_handler);

	if (err)
		return err; /* tcmu-runner says why */
	mpath_log_set_sink(log_sink_write);
	mpath_log(MPATH_LOG_INFO, NULL, NULL, "tcmu-mpath %s (%s)", MPATH_VERSION, MPATH_BUILD_ID);
	raise_fd_limit();
	lock_memory_begin();
	control_start(&control_hooks);
	g_unix_signal_add(SIGTERM, on_signal, NULL);
	g_unix_signal_add(SIGINT, on_signal, NULL);
	return 0;
}
