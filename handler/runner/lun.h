/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One LUN of ours: what tcmu-runner's callbacks are made of.
 *
 * It calls in from its main thread (check_config, open, reconfig), and from one thread per LUN,
 * cmdproc (close), which has nothing else to do: the thread that owns the LUN's map reads the ring
 * (cmdproc.h).  tcmu-runner.md tells what of this is forced upon us.
 */
#ifndef MPATH_RUNNER_LUN_H
#define MPATH_RUNNER_LUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mpath/tcmu_runner_abi.h"
#include "runner/backstore.h"
#include "runner/ring.h"
#include "runtime/device.h"
#include "runtime/loop.h"

#define LUN_ERROR_SIZE 1024 /* bytes of what an administrator is told */

struct map_config;

/* A tcmu device in front, a map behind. */
struct lun {
	struct tcmu_device *dev; /* tcmu-runner's */
	char *name;		 /* of the map */
	struct backstore backstore;
	struct ring ring;
	struct ring_cmd_pool cmds;
	uint32_t block_size;
	int cpu; /* where the ring is read: TCMU does not say from which a command came */
	_Atomic uint64_t size; /* of the LUN when it was looked at last, 0: never */

	struct device *device;
	struct loop *loop; /* the device's */
	struct watch uio;  /* the kernel tells of commands, and is told of answers */
	struct batch_end flush;
	struct timer tick;
	uint64_t tick_ns; /* when it is due; 0: off */
	bool closing;
};

/* lun.c: it comes and goes.  As in struct tcmur_handler. */
int lun_open(struct tcmu_device *dev, bool reopen);
void lun_close(struct tcmu_device *dev);
/* Into the log: what is allowed, but probably not meant. */
void lun_log_warnings(const struct map_config *config);

/* lun_commands.c: commands come and answers leave. */
extern const struct ring_ops lun_ring_ops;
void lun_init_commands(struct lun *lun);
/* Owner thread: the ring is read from now on, or not any more.  0 or -errno. */
int lun_begin_commands(struct lun *lun);
void lun_end_commands(struct lun *lun);
/* As in struct tcmur_handler: never called. */
int lun_handle_cmd(struct tcmu_device *dev, struct tcmur_cmd *cmd);
/* As in struct device_front. */
void lun_complete(void *front, struct mpath_io *io);
void lun_publish(void *front);

/* lun_config.c: what the administrator asks for.  As in struct tcmur_handler. */
bool lun_check_config(const char *cfgstring, char **reason);
int lun_reconfig(struct tcmu_device *dev, struct tcmulib_cfg_info *cfg);

#endif
