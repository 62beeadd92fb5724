/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A dry run: what would be built from a map file or a table?
 */
#ifndef MPATH_CHECK_H
#define MPATH_CHECK_H

#include "mpath/strbuf.h"

/*
 * @text is a map file's, or a table.  0 with what would be built, or -errno with what is wrong, in
 * @report.  Reads mpath.conf; looks at no device.
 */
int check_map(const char *text, struct strbuf *report);

#endif
