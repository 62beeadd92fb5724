/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A device is a map in service: a struct multipath, the loop that owns it, the transport under
 * its paths, and whoever brings the commands (the ring, or a test).  It turns letters and
 * completions into events for mpath_step() and performs the actions.  It decides nothing.
 */
#ifndef MPATH_DEVICE_H
#define MPATH_DEVICE_H

#include "mpath/core.h"
#include "mpath/path_transport.h"
#include "mpath/snapshot.h"
#include "runtime/finder.h"
#include "runtime/loop.h"

struct device;

/* Who brings the commands.  All on the owner thread. */
struct device_front {
	/* io is answered with io->result; it belongs to the front again. */
	void (*complete)(void *front, struct mpath_io *io);
	/* After a batch in which complete was called: kick whoever waits, once. */
	void (*flush)(void *front);
	/*
	 * A worker, and once inside device_start: read the backstore's attributes anew.  False: not
	 * now.  device_stop waits for this and for lun_changed, while rmdir holds the backstore's
	 * configfs directory: no name may be looked up in that directory itself, only in its
	 * subdirectories (attrib, wwn) through descriptors opened before.
	 */
	bool (*read_backstore)(void *front, struct mpath_backstore *backstore);
	/*
	 * A worker: the LUN was seen for the first time, or its size is new.  False: not now, it is
	 * to be told again.  As above.
	 */
	bool (*lun_changed)(void *front, const struct lun_facts *lun);
};

struct device_config {
	const char *name;	/* of the map: in logs, on D-Bus */
	const char *state_name; /* file name under /var/lib/tcmu-mpath for what is kept */
	const char *backstore;	/* kept.backstore */
	const struct mpath_table *table;
	const struct mpath_settings *settings;
	/*
	 * NULL, or the paths are found, all that lead to settings->wwid, now and later: the path
	 * selector of their groups.  The table has no path then.
	 */
	const char *find_selector;
	const struct path_transport_type *transport;
	const char *warning; /* NULL, or what status must show: "map file invalid, using ..." */
	/* What it is made of: a layout that says the same changes nothing.  NULL: nobody knows. */
	const char *said;
};

/*
 * Start a device: takes its name, loads what is kept of its LUN, creates the map, begins to open
 * the paths.  Returns at once, NULL with words in @error if it cannot be built, if its backstore
 * cannot be read, or if a map of this name is in service already.  Not on an owner thread.  @config
 * may be freed afterwards.
 */
struct device *device_start(const struct device_config *config, const struct device_front *ops,
			    void *front, struct strbuf *error);

/* Wait until every path was looked at once, at most @ms milliseconds.  Not on an owner thread. */
void device_wait_settled(struct device *device, unsigned int ms);

/*
 * Drain and free: what is held is answered, reads are given up, writes in flight are waited for
 * (D9, D11).  Blocks; not on an owner thread.  The front is called for the last time inside.  A
 * path that hangs in open() is waited for without it, for up to minutes: the name is in use until
 * then.
 */
void device_stop(struct device *device);

struct loop *device_loop(struct device *device);

/* Owner thread.  io->arrival_ns is not later than what the loop's clock was read at last. */
void device_submit(struct device *device, struct mpath_io *io);
void device_abort(struct device *device, struct mpath_io *io);
/* As device_submit, once the backstore's attributes were read anew: the answer must know them. */
void device_submit_with_news(struct device *device, struct mpath_io *io);

/* SIGTERM: what every device holds is answered BUSY from now on.  Any thread; does not wait. */
void device_shutdown_all(void);

/*
 * Control, any thread, never blocks: the request is answered by done, on the owner thread, which
 * must not block either (pass it on to your own thread).  The caller owns the memory until then.
 * With the words "status" "info|table|ima|detail" it is a status request, else a message: dm's and
 * ours (core/message.c), and those that change the map (core.h):
 *   add_path ADDRESS [GROUP]	the group's number; not needed if there is only one, or one per path
 *   remove_path PATH		its address, maj:min or device
 * Refused input leaves the map as it was: error is a negative errno, and the reply says why.
 */
struct device_layout {
	const struct mpath_table *table;
	const struct mpath_settings *settings;
	const char *find_selector; /* as in device_config */
	const char *warning;	   /* likewise */
	const char *said;	   /* likewise */
};

struct device_request {
	struct letter letter; /* the runtime's, like device */
	struct device *device;
	struct mpath_message message;	 /* argc, argv and reply.text are the caller's */
	struct mpath_snapshot *snapshot; /* NULL, or taken instead of sending the message */
	const struct device_layout
		*layout;     /* NULL, or loaded instead: the words are not looked at */
	const char *refused; /* NULL, or told to watchers instead: why the front did not take a
				configuration */
	void (*done)(struct device_request *request);
};

/* False: there is no map of this name.  done is called exactly once otherwise. */
bool device_request(const char *map, struct device_request *request);

/* What happens to maps.  None of these may block. */
struct device_watcher {
	/* Maps come and go: on the thread that starts or stops the device. */
	void (*added)(const char *map);
	void (*removed)(const char *map);
	/*
	 * Something has happened to a map, in order.  The owner thread: copy the notice, and take
	 * it to your own.  The first may come while added is called, the last while removed is.
	 * NULL: not wanted.
	 */
	void (*event)(const char *map, const struct mpath_notice *notice);
};
void device_watch(const struct device_watcher *watcher); /* once, before the first device */

#endif
