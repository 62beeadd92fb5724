/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The smallest handler that tcmu-runner can have: reads and writes are answered at once, with
 * whatever lies in the ring's data area.  What it costs is what TCMU and tcmu-runner cost any
 * handler: the ceiling that tests/bench/instructions.py measures ours against.
 *
 * What else a disk is asked, tcmu-runner answers by itself.
 */
#include <string.h>

#include "mpath/tcmu_runner_abi.h"

/* libtcmu_common.h; the same in 1.5.4 and 1.6. */
#define TCMU_STS_NOT_HANDLED (-1)
#define TCMU_STS_OK	     0

static int empty_handle_cmd(struct tcmu_device *dev, struct tcmur_cmd *cmd)
{
	struct tcmulib_cmd *lib_cmd;
	size_t *nr_answered = tcmur_dev_get_private(dev);

	memcpy(&lib_cmd, cmd, sizeof(lib_cmd)); /* its first field; may be misaligned */
	switch (lib_cmd->cdb[0]) {
	case 0x28: /* READ(10) */
	case 0x2a: /* WRITE(10) */
		++*nr_answered;
		return TCMU_STS_OK;
	default:
		return TCMU_STS_NOT_HANDLED;
	}
}

static int empty_open(struct tcmu_device *dev, bool reopen)
{
	static size_t nr_answered;

	(void)reopen;
	tcmur_dev_set_private(dev, &nr_answered);
	return 0;
}

static void empty_close(struct tcmu_device *dev)
{
	size_t *nr_answered = tcmur_dev_get_private(dev);

	tcmu_info_message(dev, __func__, __LINE__, "answered %zu commands\n", *nr_answered);
}

static struct tcmur_handler handler = {
	.name = "empty",
	.subtype = "empty",
	.cfg_desc = "anything",
	.open = empty_open,
	.close = empty_close,
	.handle_cmd = empty_handle_cmd,
	/* Never called.  With any of these tcmu-runner answers what handle_cmd() does not. */
	.read = &handler,
};

int handler_init(void)
{
	return tcmur_register_handler(&handler);
}
