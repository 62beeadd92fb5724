/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hardware table, a key file: a section for each family of arrays, the first that fits counts.
 * config/mpath-hardware.conf documents it for the administrator.
 */
#ifndef MPATH_HARDWARE_FILE_H
#define MPATH_HARDWARE_FILE_H

#include "mpath/hardware.h"
#include "mpath/strbuf.h"

/*
 * @file is what messages call it.  0 with *table the caller's, to be free()d; or -errno with file,
 * section, key, value and what was expected in @error.
 */
int hardware_parse(const char *file, const char *text, struct hardware_table **table,
		   struct strbuf *error);

#endif
