/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the objects of maps, groups and paths say of themselves: their properties.  Made of the
 * newest snapshot when somebody asks; nothing is kept but a number for each property that is told
 * when it changes.
 */
#ifndef MPATH_PROPERTIES_H
#define MPATH_PROPERTIES_H

#include <gio/gio.h>
#include <stdbool.h>
#include <stdint.h>

#include "mpath/snapshot.h"

/* So many of each object are told when they change. */
#define MAP_TOLD   26
#define GROUP_TOLD 4
#define PATH_TOLD  14

/* What rates are worked out from. */
struct rates {
	uint64_t since_ns; /* 0: not known yet */
	uint64_t commands;
	uint64_t read_bytes;
	uint64_t write_bytes;
	unsigned int iops;
	uint64_t read_rate;
	uint64_t write_rate;
};

void rates_update(struct rates *rates, const struct io_counters *now, uint64_t now_ns);

/* Takes properties one by one; see the four functions that begin and end it. */
struct teller {
	const char *name;	 /* NULL, or the only one that is wanted */
	uint64_t *told;		 /* NULL, or those alone that are not told so yet */
	unsigned int nr;	 /* of these, so far */
	unsigned int nr_changes; /* taken */
	GVariant *value;	 /* of that name */
	GVariantBuilder values;	 /* a{sv}, of all others */
};

/* All of them: a{sv}. */
void teller_begin(struct teller *teller);
GVariant *teller_end(struct teller *teller);
/* The one of this name; NULL: there is none. */
void teller_begin_one(struct teller *teller, const char *name);
GVariant *teller_end_one(struct teller *teller);
/* Those whose changes are told, and that have changed since; NULL: none has. */
void teller_begin_changes(struct teller *teller, uint64_t *told);
GVariant *teller_end_changes(struct teller *teller);

void tell_map(struct teller *teller, const char *name, const struct mpath_snapshot *s,
	      const struct rates *rates);
/* @map is the object of the map. */
void tell_group(struct teller *teller, const char *map, const struct group_snapshot *s);
void tell_path(struct teller *teller, const char *map, const struct path_snapshot *s,
	       const struct rates *rates);

#endif
