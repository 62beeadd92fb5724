/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What every transport promises (path_transport.h), as tests.  A rig lends the transport, two
 * paths, and the means to disturb them.
 */
#ifndef TESTS_CONTRACT_H
#define TESTS_CONTRACT_H

#include "mpath/path_transport.h"

struct rig {
	const struct path_transport_type *transport;
	const char *paths[2]; /* two devices; nothing else uses them */

	/* Commands that are submitted from now on, on either path, get no answer. */
	void (*set_hang)(bool on);
	/* Commands take so long; nothing is in flight when this is called. */
	void (*set_delay)(unsigned int ms);
	/* Take the second path's device away, for good, or bring it back under its name. */
	void (*remove)(void);
};

/* All of it; ends the process on the first broken promise.  @pattern: only these, "" for all. */
void contract_run(const struct rig *rig, const char *pattern);

/* --- for tests of one transport's own --- */

struct contract_path;
struct contract_shot;

/* NULL with the reason if it is refused. */
struct contract_path *contract_open(const struct rig *rig, const char *address, const char *map,
				    struct path_facts *facts, struct strbuf *reason);
void contract_close(struct contract_path *path);

/*
 * A command with @nr_iov pieces of buffer, @len bytes in all.  The buffer of a write is filled with
 * @pattern, that of a read with its opposite.
 */
struct contract_shot *shot_new(struct contract_path *path, const char *cdb_hex, enum scsi_dir dir,
			       size_t len, unsigned int nr_iov, uint8_t pattern);
void shot_submit(struct contract_shot *shot);
/* All in one call of the owner thread, to one path. */
void shots_submit(struct contract_shot **shots, unsigned int nr);
void shot_abandon(struct contract_shot *shot);
struct mpath_io *shot_io(struct contract_shot *shot);
uint8_t *shot_data(struct contract_shot *shot);
/* False: not within @ms. */
bool shot_wait(struct contract_shot *shot, unsigned int ms);
/* It has been reported or handed back exactly once; frees it. */
void shot_free(struct contract_shot *shot);

/* Submit, wait, give the result, free. */
struct scsi_result contract_do(struct contract_path *path, const char *cdb_hex, enum scsi_dir dir,
			       size_t len);

#define check(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			contract_failed(__FILE__, __LINE__, #condition);                           \
	} while (0)
_Noreturn void contract_failed(const char *file, int line, const char *condition);

/* Commands that the path's device has not answered, whoever sent them. */
unsigned int contract_nr_out(struct contract_path *path);

void contract_sleep_ms(unsigned int ms);

#endif
