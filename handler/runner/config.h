/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a cfgstring to a map's configuration (DESIGN 5): the forms "name", "wwid=..." and
 * "/dev/a;/dev/b", map files and mpath.conf.  Text only: no device is ever looked at here, because
 * check_config also runs when tcmu-runner restarts (D11).
 */
#ifndef MPATH_CONFIG_H
#define MPATH_CONFIG_H

#include "mpath/core.h"

/* Where things are; tests set their own. */
struct config_paths {
	const char *conf;      /* /etc/tcmu/mpath.conf */
	const char *map_dir;   /* /etc/tcmu/mpath.d */
	const char *last_good; /* /var/lib/tcmu-mpath/.last-good */
	const char *hardware;  /* /etc/tcmu/mpath-hardware.conf; NULL: none */
};
extern const struct config_paths config_default_paths;

struct map_config {
	char *name;	 /* the map's: NAME, or without a map file the backstore's, or NULL */
	char *cfgstring; /* as given, with "mpath/" */
	struct mpath_table *table;
	struct mpath_settings settings;
	struct hardware_table *hardware; /* which settings point to; NULL: there is none */
	char *hardware_text;		 /* what it was made of, or NULL */
	char *find_selector; /* NULL: the table names the paths; else see device_config */
	char *said;    /* all that files and cfgstring say: the same words mean the same map */
	char *warning; /* NULL, or why a last good copy is used */
};

/*
 * @cfgstring is "mpath/REST".  @backstore names a map without a file; NULL when unknown yet
 * (check_config).  @use_last_good: when the files are invalid, or the map file is missing, their
 * last good copy is used; valid ones replace it.  0 or -errno with the whole story in @error:
 * file, key, word, expectation.
 */
int map_config_load(const struct config_paths *paths, const char *cfgstring, const char *backstore,
		    bool use_last_good, struct map_config **config, struct strbuf *error);
/*
 * As above, but from @text, a map file's or a table, which @where names in messages; name and
 * cfgstring stay NULL.
 */
int map_config_parse(const struct config_paths *paths, const char *where, const char *text,
		     struct map_config **config, struct strbuf *error);
/* Before a reload: what the paths' names lead to now, so that a path stays under another name. */
void map_config_look_up(struct map_config *config);
void map_config_free(struct map_config *config);

#endif
