/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A key file as administrators write it: GLib's, but nothing in it is passed over in silence.
 */
#ifndef MPATH_KEY_FILE_H
#define MPATH_KEY_FILE_H

#include <glib.h>

#include "mpath/strbuf.h"

/*
 * @file is what messages call it, @section what they expect where there is none.  The caller's, or
 * NULL with what is wrong in @error.
 */
GKeyFile *key_file_load(const char *file, const char *text, const char *section,
			struct strbuf *error);

#endif
