/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A map that comes as text: the text of a map file, or a table.  mpath.conf is read, no device is
 * looked at.
 */
#ifndef MPATH_MAP_TEXT_H
#define MPATH_MAP_TEXT_H

#include "runtime/device.h"

/* A dry run: 0 with what would be built, or -errno with what is wrong, in @report. */
int map_text_check(const char *text, struct strbuf *report);

/*
 * 0, *layout, and *owner of what it points to, for map_text_free(); or -errno with what is wrong
 * in @error.
 */
int map_text_load(const char *text, struct device_layout *layout, void **owner,
		  struct strbuf *error);
void map_text_free(void *owner);

#endif
