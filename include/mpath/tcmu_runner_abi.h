/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What we use of tcmu-runner's plug-in interface (DESIGN D4).  Debian ships no headers for it, so
 * it is declared here in our own words; the layout is the same in 1.5.4 and 1.6.x on 64-bit
 * machines.  A field of one pointer's size too few would make tcmu-runner call destroy for init:
 * hence an assertion for every offset, and tests/unit/test_abi.c compares with the system's
 * tcmu-runner.h where there is one.
 *
 * The handler links neither libtcmu nor the runner: all is resolved when it is loaded.
 */
#ifndef MPATH_TCMU_RUNNER_ABI_H
#define MPATH_TCMU_RUNNER_ABI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

struct tcmu_device; /* opaque, and different in each version */

/* handle_cmd's return value for a command that is answered later. */
#define TCMU_STS_ASYNC_HANDLED (-2)

/*
 * A command, as libtcmu takes it from the ring.  One malloc() together with iovecs and CDB.  Only
 * tests and benches meet one: we read the ring ourselves.
 */
struct tcmulib_cmd {
	uint16_t cmd_id;
	uint8_t *cdb;
	struct iovec *iovec;
	size_t iov_cnt;
	uint8_t sense_buf[96];
	void *hm_private;
};

/* Lies behind the CDB, so it may be misaligned: read nothing but lib_cmd. */
struct tcmur_cmd {
	struct tcmulib_cmd *lib_cmd;
	struct iovec *iovec;
	size_t iov_cnt;
	void *iov_base_copy;
	void *cmd_state;
	size_t requested;
	void *cmds_list_entry[2];
	long start_time[2];
	bool timed_out;
	void (*done)(struct tcmu_device *dev, struct tcmur_cmd *cmd, int ret);
};

enum tcmulib_cfg_type {
	TCMULIB_CFG_DEV_CFGSTR,
	TCMULIB_CFG_DEV_SIZE,
	TCMULIB_CFG_WRITE_CACHE,
};

struct tcmulib_cfg_info {
	enum tcmulib_cfg_type type;
	union {
		uint64_t dev_size;
		char *dev_cfgstring; /* points into a message: gone after reconfig() */
		bool write_cache;
	} data;
};

struct tcmur_handler {
	const char *name;
	const char *subtype;
	const char *cfg_desc;
	void *opaque;

	/* Main thread; on false *reason is free()d by the caller.  Also runs at restart. */
	bool (*check_config)(const char *cfgstring, char **reason);
	int (*reconfig)(struct tcmu_device *dev, struct tcmulib_cfg_info *cfg); /* main thread */
	int (*open)(struct tcmu_device *dev, bool reopen);			/* main thread */
	/* The device's cmdproc thread, or main when that does not exist. */
	void (*close)(struct tcmu_device *dev);

	int nr_threads;
	int (*handle_cmd)(struct tcmu_device *dev, struct tcmur_cmd *cmd); /* cmdproc */

	/* A handler with none of these would get every command by handle_cmd: we set none. */
	void *read;
	void *write;
	void *flush;
	void *unmap;
	void *writesame;
	void *caw;

	void *report_event;
	void *lock;
	void *unlock;
	void *get_lock_tag;
	void *get_lock_state;
	bool _is_dbus_handler; /* the runner's */
	void *update_logdir;
	int (*init)(void);
	void (*destroy)(void); /* after the last close */
};

/* What the runner calls after dlopen(); the only symbol that the plug-in exports. */
int handler_init(void);

/* tcmu-runner */
int tcmur_register_handler(struct tcmur_handler *handler);
void tcmur_dev_set_private(struct tcmu_device *dev, void *private);
void *tcmur_dev_get_private(struct tcmu_device *dev);

/* libtcmu */
int tcmu_dev_get_fd(struct tcmu_device *dev);
char *tcmu_dev_get_cfgstring(struct tcmu_device *dev);	    /* "mpath/..." */
const char *tcmu_dev_get_uio_name(struct tcmu_device *dev); /* "uio0" */
/* The mmap of the mailbox; the returned name is free()d by the caller. */
char *tcmu_dev_get_memory_info(struct tcmu_device *dev, void **base, size_t *len, off_t *offset);
uint32_t tcmu_dev_get_block_size(struct tcmu_device *dev); /* hw_block_size */
void tcmu_dev_set_num_lbas(struct tcmu_device *dev, uint64_t num_lbas);
void tcmu_dev_set_write_cache_enabled(struct tcmu_device *dev, bool enabled);

__attribute__((format(printf, 4, 5))) void
tcmu_err_message(struct tcmu_device *dev, const char *function, int line, const char *format, ...);
__attribute__((format(printf, 4, 5))) void
tcmu_warn_message(struct tcmu_device *dev, const char *function, int line, const char *format, ...);
__attribute__((format(printf, 4, 5))) void
tcmu_info_message(struct tcmu_device *dev, const char *function, int line, const char *format, ...);

#define TCMU_ABI_OFFSET(type, member, offset)                                                      \
	_Static_assert(offsetof(struct type, member) == (offset), #type "." #member)

TCMU_ABI_OFFSET(tcmulib_cmd, cmd_id, 0);
TCMU_ABI_OFFSET(tcmulib_cmd, cdb, 8);
TCMU_ABI_OFFSET(tcmulib_cmd, iovec, 16);
TCMU_ABI_OFFSET(tcmulib_cmd, iov_cnt, 24);
TCMU_ABI_OFFSET(tcmulib_cmd, sense_buf, 32);
TCMU_ABI_OFFSET(tcmulib_cmd, hm_private, 128);
_Static_assert(sizeof(struct tcmulib_cmd) == 136, "tcmulib_cmd");

TCMU_ABI_OFFSET(tcmur_cmd, lib_cmd, 0);
TCMU_ABI_OFFSET(tcmur_cmd, iovec, 8);
TCMU_ABI_OFFSET(tcmur_cmd, iov_cnt, 16);
TCMU_ABI_OFFSET(tcmur_cmd, iov_base_copy, 24);
TCMU_ABI_OFFSET(tcmur_cmd, cmd_state, 32);
TCMU_ABI_OFFSET(tcmur_cmd, requested, 40);
TCMU_ABI_OFFSET(tcmur_cmd, cmds_list_entry, 48);
TCMU_ABI_OFFSET(tcmur_cmd, start_time, 64);
TCMU_ABI_OFFSET(tcmur_cmd, timed_out, 80);
TCMU_ABI_OFFSET(tcmur_cmd, done, 88);
_Static_assert(sizeof(struct tcmur_cmd) == 96, "tcmur_cmd");

TCMU_ABI_OFFSET(tcmulib_cfg_info, type, 0);
TCMU_ABI_OFFSET(tcmulib_cfg_info, data, 8);
_Static_assert(sizeof(struct tcmulib_cfg_info) == 16, "tcmulib_cfg_info");

TCMU_ABI_OFFSET(tcmur_handler, name, 0);
TCMU_ABI_OFFSET(tcmur_handler, subtype, 8);
TCMU_ABI_OFFSET(tcmur_handler, cfg_desc, 16);
TCMU_ABI_OFFSET(tcmur_handler, opaque, 24);
TCMU_ABI_OFFSET(tcmur_handler, check_config, 32);
TCMU_ABI_OFFSET(tcmur_handler, reconfig, 40);
TCMU_ABI_OFFSET(tcmur_handler, open, 48);
TCMU_ABI_OFFSET(tcmur_handler, close, 56);
TCMU_ABI_OFFSET(tcmur_handler, nr_threads, 64);
TCMU_ABI_OFFSET(tcmur_handler, handle_cmd, 72);
TCMU_ABI_OFFSET(tcmur_handler, read, 80);
TCMU_ABI_OFFSET(tcmur_handler, write, 88);
TCMU_ABI_OFFSET(tcmur_handler, flush, 96);
TCMU_ABI_OFFSET(tcmur_handler, unmap, 104);
TCMU_ABI_OFFSET(tcmur_handler, writesame, 112);
TCMU_ABI_OFFSET(tcmur_handler, caw, 120);
TCMU_ABI_OFFSET(tcmur_handler, report_event, 128);
TCMU_ABI_OFFSET(tcmur_handler, lock, 136);
TCMU_ABI_OFFSET(tcmur_handler, unlock, 144);
TCMU_ABI_OFFSET(tcmur_handler, get_lock_tag, 152);
TCMU_ABI_OFFSET(tcmur_handler, get_lock_state, 160);
TCMU_ABI_OFFSET(tcmur_handler, _is_dbus_handler, 168);
TCMU_ABI_OFFSET(tcmur_handler, update_logdir, 176);
TCMU_ABI_OFFSET(tcmur_handler, init, 184);
TCMU_ABI_OFFSET(tcmur_handler, destroy, 192);
_Static_assert(sizeof(struct tcmur_handler) == 200, "tcmur_handler");

#endif
