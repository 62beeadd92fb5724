/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Transports: the only plug-ins that touch the world.  A transport carries SCSI commands down one
 * path and reports each exactly once.
 *
 * Two kinds of threads call it.  open, count_outstanding, reset_lun and session run on a worker and
 * may block; they never see a struct path.  The others run on the map's owner thread and never
 * block.
 */
#ifndef MPATH_PATH_TRANSPORT_H
#define MPATH_PATH_TRANSPORT_H

#include "mpath/path.h"
#include "mpath/strbuf.h"

struct letter;
struct loop;
struct path_link; /* the transport's: one open path */

/* Who gets the answers, and on which thread. */
struct link_events {
	/* Once per submit, on the owner thread, never from inside submit.  io->result is set. */
	void (*done)(struct mpath_io *io);
	/* Once per abandon, on the owner thread: nothing of the command can reach its buffers. */
	void (*abandoned)(struct mpath_io *io);
};

struct link_request {
	const char *map;     /* the map's name: paths are claimed for it */
	const char *address; /* the word in the table */
	struct loop *loop;   /* whose thread submits and gets the answers */
	const struct link_events *events;
};

/* A disk that may be a path of a map that is given by its WWID. */
struct found_disk {
	char *address; /* owned: what a table would say, by its place if that has a name */
	char *node;    /* owned: "/dev/sdb" */
	bool sure;     /* it has the WWID; else it could not be read now */

	/* runtime/finder.c's alone. */
	bool shares_address; /* with another disk: it leads to one of them */
	bool matched;
};

struct found_disks {
	struct found_disk *disks; /* owned */
	unsigned int nr;
};
/* One that is sure; the names are copied.  False: no memory. */
bool found_disks_add(struct found_disks *found, const char *address, const char *node);
void found_disks_clear(struct found_disks *found);

/* What a monitor has heard; the disks are known by their nodes. */
struct disk_news {
	bool disks; /* some have come or gone */
	bool lost;  /* there was more than there is room for, here or in the kernel: it may be
		       anything */
	/* Of these the kernel has heard unit attentions, which may have reached nobody else: */
	struct found_disks resets;  /* it was reset, or what leads there: any of the others may be
				       so */
	struct found_disks states;  /* port groups have changed their states */
	struct found_disks doubted; /* it may lead to another LUN now */
	struct found_disks modes;   /* its mode parameters have changed */
	struct found_disks space;   /* the space that it takes from is running out */
	struct found_disks
		resized; /* it has another size; also if the kernel has read that itself */
};

/* Optional: a transport that can tell which of its disks lead to a LUN. */
struct disk_monitor;
struct disk_finder {
	/*
	 * Worker, or before the map is in service.  All disks with @wwid, spelt as "multipath -ll"
	 * prints it, and those that cannot tell now; our own LUNs may be among them.  As they are,
	 * or were at some moment after @since_ns.  0, or -errno: nothing is known.  @found is the
	 * caller's.
	 */
	int (*find)(const char *wwid, uint64_t since_ns, struct found_disks *found);
	/*
	 * Worker, or before the map is in service.  *fd becomes readable when there is news, maybe
	 * of others' disks.  0 with *monitor set, or -errno: it cannot be told now.
	 */
	int (*watch)(struct disk_monitor **monitor, int *fd);
	/*
	 * Worker, one at a time: *fd is not readable any more, until the next time.  @news was
	 * empty, and is the caller's.
	 */
	void (*drain)(struct disk_monitor *monitor, struct disk_news *news);
	void (*unwatch)(struct disk_monitor *monitor); /* NULL is fine */
};

struct path_transport_type {
	const char *name;		  /* "sg" */
	const struct disk_finder *finder; /* NULL: paths must be named */

	/*
	 * Worker.  Resolve the address anew, claim the device, open it, and learn @facts.
	 * 0 with *link set, or -errno with the reason in @reason, in an administrator's words
	 * (a device held by somebody else: by whom).
	 */
	int (*open)(const struct link_request *request, struct path_link **link,
		    struct path_facts *facts, struct strbuf *reason);

	/*
	 * Worker, while the link is open.  Commands in flight at the device now, ours included
	 * (H3); -EAGAIN: the kernel keeps some back, which it does not count, and may send them at
	 * any time; other -errno if unknown, as always where path_facts.errors is.  *errors: how
	 * many have ended otherwise than with GOOD since the link was opened, ours included.  A
	 * command that is neither in flight any more nor kept back is among these, or was carried
	 * out.
	 */
	int64_t (*count_outstanding)(struct path_link *link, uint64_t *errors);

	/*
	 * Worker, while the link is open.  LOGICAL UNIT RESET (SAM-5 7.7), not escalated to
	 * anything wider.  0 when the target says that it is complete: of the commands that it had
	 * received, from anybody, none will be executed any more.  Else -errno.
	 */
	int (*reset_lun)(struct path_link *link);

	/*
	 * Worker, while the link is open and path_facts.has_sessions.  A number for the session in
	 * which commands travel: for its initiator port and target port (the I_T nexus, SAM-5 4.5)
	 * and the address.  Equal numbers mean that these are the same.  0: not known now.
	 *
	 * When a command was lost (TRANSPORT_LOST) in a session, another one that was sent after
	 * that is answered, and the session is the same then, it was established anew in between.
	 * So the target has closed the old connection: of the lost command nothing is on its way
	 * any more.  And it was to end what it had received (RFC 7143 6.3.5 and 11.14.5).
	 */
	uint64_t (*session)(struct path_link *link);

	/*
	 * Owner thread.  Send io->cmd.  Cannot fail: what goes wrong is reported by done, later,
	 * with a transport_error.  What has to wait here for room, and would be sent only at
	 * io->send_by_ns or later, or is aborted by then, is not sent: TRANSPORT_BUSY.  The iovec
	 * is read-only and may be read until done.  For a READ, bytes beyond data_len - residual
	 * are undefined: the caller clears them.  Meanwhile io->transport_data is the transport's,
	 * and so is io->node until abandon: whoever gives the command up takes it off the
	 * transport's list.
	 */
	void (*submit)(struct path_link *link, struct mpath_io *io);

	/*
	 * Owner thread.  Give up a command that was submitted and not yet reported: done is not
	 * called for it any more, its answer is never read, and abandoned is called once no byte
	 * of it can reach the initiator's buffers (D6: after its fd was closed).
	 */
	void (*abandon)(struct path_link *link, struct mpath_io *io);

	/*
	 * Owner thread.  Nothing is in flight, being abandoned, counted, reset or asked any more.
	 * What may block is done by a worker; @closed is delivered when the claim on the device is
	 * given back and @link is freed.
	 */
	void (*close)(struct path_link *link, struct letter *closed);
};

extern const struct disk_finder sg_finder;
extern const struct path_transport_type sg_transport;

#endif
