/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The fields of tcmu-runner's structs that we declare ourselves: written out once from our header
 * and once from the system's tcmu-runner.h, if it has one.
 */
#ifndef UNIT_RUNNER_ABI_H
#define UNIT_RUNNER_ABI_H

#include <stddef.h>

/* clang-format off */
#define RUNNER_ABI_FIELDS(F)                                                                       \
	F(tcmulib_cmd, cmd_id) F(tcmulib_cmd, cdb) F(tcmulib_cmd, iovec) F(tcmulib_cmd, iov_cnt)   \
	F(tcmulib_cmd, sense_buf) F(tcmulib_cmd, hm_private)                                       \
	F(tcmur_cmd, lib_cmd) F(tcmur_cmd, iovec) F(tcmur_cmd, iov_cnt) F(tcmur_cmd, done)         \
	F(tcmur_handler, name) F(tcmur_handler, subtype) F(tcmur_handler, cfg_desc)                \
	F(tcmur_handler, opaque) F(tcmur_handler, check_config) F(tcmur_handler, reconfig)         \
	F(tcmur_handler, open) F(tcmur_handler, close) F(tcmur_handler, nr_threads)                \
	F(tcmur_handler, handle_cmd) F(tcmur_handler, read) F(tcmur_handler, write)                \
	F(tcmur_handler, flush) F(tcmur_handler, unmap) F(tcmur_handler, writesame)                \
	F(tcmur_handler, caw) F(tcmur_handler, report_event) F(tcmur_handler, lock)                \
	F(tcmur_handler, unlock) F(tcmur_handler, get_lock_tag) F(tcmur_handler, get_lock_state)   \
	F(tcmur_handler, _is_dbus_handler) F(tcmur_handler, update_logdir) F(tcmur_handler, init)  \
	F(tcmur_handler, destroy)
/* clang-format on */

#define RUNNER_ABI_OFFSET(type, member) offsetof(struct type, member),
#define RUNNER_ABI_SIZES                                                                           \
	sizeof(struct tcmulib_cmd), sizeof(struct tcmur_cmd), sizeof(struct tcmur_handler)

extern const size_t runner_abi_theirs[];
extern const size_t runner_abi_nr_theirs; /* 0: the system has no tcmu-runner.h */

#endif
