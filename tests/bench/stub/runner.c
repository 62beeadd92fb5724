/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What tcmu-runner does for a handler without read, write and flush: one thread for each device
 * takes commands from libtcmu and calls handle_cmd().
 *
 * libtcmu is loaded, not linked: Debian has no -dev package of it.
 */
#include <dlfcn.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stub.h"

#define HANDLERS_MAX 2
#define STACK_SIZE   (256 * 1024)

/* libtcmu.h, as far as it is needed; the layout of 1.5.4 and 1.6. */
struct tcmulib_handler {
	const char *name;
	const char *subtype;
	const char *cfg_desc;
	void *context;
	bool (*check_config)(const char *cfgstring, char **reason);
	int (*reconfig)(struct tcmu_device *dev, struct tcmulib_cfg_info *cfg);
	bool (*update_logdir)(void);
	int (*added)(struct tcmu_device *dev);
	void (*removed)(struct tcmu_device *dev);
	void *handler_private;
	void *connection;
};

static void *(*lib_initialize)(struct tcmulib_handler *handlers, size_t nr);
static void (*lib_processing_start)(struct tcmu_device *dev);
static struct tcmulib_cmd *(*lib_get_next_command)(struct tcmu_device *dev, int extra);
static void (*lib_set_private)(struct tcmu_device *dev, void *private);
static void *(*lib_get_private)(struct tcmu_device *dev);
static void (*lib_set_block_size)(struct tcmu_device *dev, uint32_t size);
static int (*lib_get_fd)(struct tcmu_device *dev);
static struct tcmulib_handler *(*lib_get_handler)(struct tcmu_device *dev);
static const char *(*lib_get_uio_name)(struct tcmu_device *dev);

struct runner_dev {
	struct tcmu_device *dev;
	struct tcmur_handler *handler;
	void *private;
	pthread_t cmdproc;
};

static struct tcmulib_handler handlers[HANDLERS_MAX];
static unsigned int nr_handlers;

/* --- for the handlers --- */

int runner_uio_fd(struct tcmu_device *dev)
{
	return lib_get_fd(dev);
}

__attribute__((visibility("default"))) void tcmur_dev_set_private(struct tcmu_device *dev,
								  void *private)
{
	struct runner_dev *rdev = lib_get_private(dev);

	rdev->private = private;
}

__attribute__((visibility("default"))) void *tcmur_dev_get_private(struct tcmu_device *dev)
{
	struct runner_dev *rdev = lib_get_private(dev);

	return rdev->private;
}

/* --- commands --- */

static void handle_commands(struct runner_dev *rdev)
{
	struct tcmulib_cmd *cmd;

	while ((cmd = lib_get_next_command(rdev->dev, sizeof(struct tcmur_cmd)))) {
		struct tcmur_cmd *tcmur_cmd = cmd->hm_private;

		memset(tcmur_cmd, 0, sizeof(*tcmur_cmd));
		memcpy(tcmur_cmd, &cmd, sizeof(cmd)); /* its first field; may be misaligned */
		if (rdev->handler->handle_cmd(rdev->dev, tcmur_cmd) != TCMU_STS_ASYNC_HANDLED)
			abort();
	}
}

static void *cmdproc_run(void *arg)
{
	struct runner_dev *rdev = arg;
	struct pollfd pfd = {.fd = lib_get_fd(rdev->dev), .events = POLLIN};
	char name[32];

	role = ROLE_CMDPROC;
	snprintf(name, sizeof(name), "cmdproc-%s", lib_get_uio_name(rdev->dev));
	name[15] = '\0';
	pthread_setname_np(pthread_self(), name);
	for (;;) {
		lib_processing_start(rdev->dev);
		handle_commands(rdev);
		calls[ROLE_CMDPROC].others++;
		ppoll(&pfd, 1, NULL, NULL);
	}
	return NULL;
}

static int added(struct tcmu_device *dev)
{
	struct runner_dev *rdev = calloc(1, sizeof(*rdev));
	pthread_attr_t attr;

	rdev->dev = dev;
	rdev->handler = lib_get_handler(dev)->handler_private;
	lib_set_private(dev, rdev);
	lib_set_block_size(dev, BLOCK_SIZE);
	if (rdev->handler->open(dev, false))
		return -1;
	pthread_attr_init(&attr);
	pthread_attr_setstack(&attr, stub_memory(STACK_SIZE), STACK_SIZE);
	return -pthread_create(&rdev->cmdproc, &attr, cmdproc_run, rdev);
}

static void removed(struct tcmu_device *dev)
{
	(void)dev;
}

/* --- the beginning --- */

__attribute__((visibility("default"))) int tcmur_register_handler(struct tcmur_handler *handler)
{
	if (nr_handlers == HANDLERS_MAX)
		return -1;
	handlers[nr_handlers++] = (struct tcmulib_handler){
		.name = handler->name,
		.subtype = handler->subtype,
		.cfg_desc = handler->cfg_desc,
		.check_config = handler->check_config,
		.reconfig = handler->reconfig,
		.added = added,
		.removed = removed,
		.handler_private = handler,
	};
	return 0;
}

static void *load(const char *file)
{
	void *library = dlopen(file, RTLD_NOW | RTLD_GLOBAL);

	if (library)
		return library;
	fprintf(stderr, "%s\n", dlerror());
	exit(1);
}

static void find(void *library, void *pointer, const char *name)
{
	void *symbol = dlsym(library, name);

	if (!symbol) {
		fprintf(stderr, "no %s\n", name);
		exit(1);
	}
	memcpy(pointer, &symbol, sizeof(symbol));
}

static void find_all(void *library)
{
	find(library, &lib_initialize, "tcmulib_initialize");
	find(library, &lib_processing_start, "tcmulib_processing_start");
	find(library, &lib_get_next_command, "tcmulib_get_next_command");
	find(library, &lib_set_private, "tcmu_dev_set_private");
	find(library, &lib_get_private, "tcmu_dev_get_private");
	find(library, &lib_set_block_size, "tcmu_dev_set_block_size");
	find(library, &lib_get_fd, "tcmu_dev_get_fd");
	find(library, &lib_get_handler, "tcmu_dev_get_handler");
	find(library, &lib_get_uio_name, "tcmu_dev_get_uio_name");
}

void runner_begin(const char *handler, struct tcmur_handler *other)
{
	int (*init)(void);

	find_all(load("libtcmu.so.2"));
	find(load(handler), &init, "handler_init");
	if (init() || tcmur_register_handler(other) || !lib_initialize(handlers, nr_handlers)) {
		fprintf(stderr, "libtcmu cannot be started\n");
		exit(1);
	}
}
