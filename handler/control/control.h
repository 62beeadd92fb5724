/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Control: how an administrator's tools reach the maps.  Nothing asked here can stall I/O, nor I/O
 * stall the one who asks (D12).
 */
#ifndef MPATH_CONTROL_H
#define MPATH_CONTROL_H

#include "runtime/device.h"

/* What control asks of whoever knows map files.  Control thread; may read files. */
struct control_hooks {
	/*
	 * A dry run: @text is a map file's, or a table.  0 with what would be built, or -errno with
	 * what is wrong, in @report.
	 */
	int (*check)(const char *text, struct strbuf *report);
	/*
	 * 0, *layout, and *owner of what it points to, for unload; or -errno with what is wrong, in
	 * @error.
	 */
	int (*load)(const char *text, struct device_layout *layout, void **owner,
		    struct strbuf *error);
	void (*unload)(void *owner);
};

/*
 * Put the maps on D-Bus as org.tcmu.Mpath1, from a thread of its own, for the rest of the process's
 * life.  Cannot fail: without a bus it keeps trying.  Returns after the first try, or after 2 s if
 * the bus does not answer.  Once, before the first device starts, and before the caller uses GDBus;
 * @hooks lives for ever.
 */
void control_start(const struct control_hooks *hooks);

#endif
