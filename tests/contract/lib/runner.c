/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "contract/lib/runner.h"

#include "contract/lib/fake.h"

void tcmur_dev_set_private(struct tcmu_device *dev, void *private)
{
	dev->private = private;
}

void *tcmur_dev_get_private(struct tcmu_device *dev)
{
	return dev->private;
}

int tcmu_dev_get_fd(struct tcmu_device *dev)
{
	return dev->fd;
}

char *tcmu_dev_get_cfgstring(struct tcmu_device *dev)
{
	return dev->cfgstring;
}

const char *tcmu_dev_get_uio_name(struct tcmu_device *dev)
{
	(void)dev;
	return "uio0";
}

/* Its own memory is tcmu-runner's business. */
char *tcmu_dev_get_memory_info(struct tcmu_device *dev, void **base, size_t *len, off_t *offset)
{
	*base = dev->shared;
	*len = dev->shared_len;
	*offset = 0;
	return NULL;
}

uint32_t tcmu_dev_get_block_size(struct tcmu_device *dev)
{
	(void)dev;
	return FAKE_BLOCK_SIZE;
}

void tcmu_dev_set_num_lbas(struct tcmu_device *dev, uint64_t num_lbas)
{
	dev->num_lbas = num_lbas;
}

void tcmu_dev_set_write_cache_enabled(struct tcmu_device *dev, bool enabled)
{
	(void)dev;
	(void)enabled;
}
