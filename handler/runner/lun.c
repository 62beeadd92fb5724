// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A LUN comes and goes, and its size is told to the kernel.
 */
#include <errno.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

#include "runner/cmdproc.h"
#include "runner/config.h"
#include "runner/lock_memory.h"
#include "runner/lun.h"
#include "runtime/log.h"
#include "runtime/state.h"

#define SETTLE_MS 1000 /* open() holds up tcmu-runner's main thread: no longer than that */

/* --- the device's front --- */

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
	follows = !attributes.size || attributes.size == lun->size;
	/* The backstore's: tcmu-runner compares with it, and asks us only for another one. */
	tcmu_dev_set_num_lbas(lun->dev, (follows ? size : attributes.size) / lun->block_size);
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
	.complete = lun_complete,
	.flush = lun_publish,
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
	err = ring_init(&lun->ring, base, len, &lun->cmds, &lun_ring_ops, lun);
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

void lun_log_warnings(const struct map_config *config)
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
	int err;
	sem_t done;
};

static int lun_do_errand(struct lun *lun, void (*deliver)(struct letter *letter))
{
	struct errand errand = {.letter.deliver = deliver, .lun = lun};

	sem_init(&errand.done, 0, 0);
	loop_post(lun->loop, &errand.letter);
	while (sem_wait(&errand.done))
		;
	sem_destroy(&errand.done);
	return errand.err;
}

static void deliver_start(struct letter *letter)
{
	struct errand *errand = container_of(letter, struct errand, letter);

	errand->err = lun_begin_commands(errand->lun);
	sem_post(&errand->done);
}

static void deliver_close(struct letter *letter)
{
	struct errand *errand = container_of(letter, struct errand, letter);

	lun_end_commands(errand->lun);
	sem_post(&errand->done);
}

static int lun_start_commands(struct lun *lun, struct strbuf *error)
{
	int fd = tcmu_dev_get_fd(lun->dev);
	int err = 0;

	lun->uio.fd = cmdproc_take_uio(fd);
	if (lun->uio.fd < 0)
		err = lun->uio.fd;
	else if ((err = lun_do_errand(lun, deliver_start)))
		cmdproc_give_uio(fd, lun->uio.fd);
	if (err)
		strbuf_printf(error, "the ring cannot be watched: %s", strerror(-err));
	return err;
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
	lun_init_commands(lun);
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
	err = lun_start_commands(lun, error);
	if (err)
		goto stop_device;
	return 0;

stop_device:
	device_stop(lun->device);
free_name:
	free(lun->name);
	return err;
}

static int lun_set_up(struct lun *lun, struct strbuf *error)
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
	lun_log_warnings(config);
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

int lun_open(struct tcmu_device *dev, bool reopen)
{
	char text[LUN_ERROR_SIZE];
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
	err = lun_set_up(lun, &error);
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
 * On the cmdproc thread, which is being cancelled, or on main after that.  rmdir holds the configfs
 * directory: see backstore.h.
 */
void lun_close(struct tcmu_device *dev)
{
	struct lun *lun = tcmur_dev_get_private(dev);

	lun_do_errand(lun, deliver_close);
	device_stop(lun->device);
	ring_close(&lun->ring);
	cmdproc_give_uio(tcmu_dev_get_fd(dev), lun->uio.fd);
	mpath_log(MPATH_LOG_INFO, lun->name, NULL, "out of service");
	ring_cmd_pool_destroy(&lun->cmds);
	backstore_close(&lun->backstore);
	free(lun->name);
	free(lun);
	tcmur_dev_set_private(dev, NULL);
}
