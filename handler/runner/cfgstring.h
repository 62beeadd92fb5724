/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The cfgstring, what stands behind "user:mpath" (DESIGN 5): the name of a map file, a WWID, or
 * paths.
 * tcmu-runner, configfs, rtslib and targetcli each forbid some characters; all are refused here,
 * with words, because most of these would cut the string silently.  Pure.
 */
#ifndef MPATH_CFGSTRING_H
#define MPATH_CFGSTRING_H

#include <stdbool.h>

#include "mpath/strbuf.h"

#define CFGSTRING_PREFIX "mpath/"
#define CFGSTRING_MAX	 255 /* bytes, with "mpath/": the kernel's TCMU_CONFIG_LEN */

/* The words of a list like "/dev/sda;/dev/sdb". */
struct path_list {
	char *text;   /* owned: what the words point into */
	char **words; /* owned */
	unsigned int nr_words;
};

enum cfgstring_form { CFGSTRING_NAME, CFGSTRING_PATHS, CFGSTRING_WWID };

struct cfgstring {
	enum cfgstring_form form;
	char *text;	  /* owned: all of it, without a newline at its end */
	const char *name; /* of the map file, without .map; points into text */
	const char *wwid; /* likewise */
	struct path_list paths;
};

/*
 * 0 or -errno with words in @error.  One newline at the end is not part of the string: who writes
 * attrib/dev_config with a plain echo puts it there, and the kernel hands it back at each restart.
 */
int cfgstring_parse(const char *text, struct cfgstring *cfgstring, struct strbuf *error);
void cfgstring_clear(struct cfgstring *cfgstring);

/* Are these the same, but for a newline at the end? */
bool cfgstring_equal(const char *a, const char *b);

#define WWID_EXPECTED "expected a WWID as \"multipath -ll\" prints it, like 36001405b922ff67a"

/* Can this be a WWID as "multipath -ll" prints it?  sysfs spells them otherwise: naa.6001... */
bool wwid_is_valid(const char *wwid);

/* May a map, and its files, have this name? */
bool map_name_is_valid(const char *name);

/*
 * Absolute path names, separated by ";", each once; spaces around them do not count.  @where is
 * what the message begins with.
 */
int path_list_parse(const char *text, const char *where, struct path_list *list,
		    struct strbuf *error);
void path_list_clear(struct path_list *list);

#endif
