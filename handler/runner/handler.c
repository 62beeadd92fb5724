// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The tcmu-runner handler "mpath": what stands behind "/backstores/user:mpath create" (D11).
 */
#include <errno.h>
#include <glib-unix.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#include "control/control.h"
#include "mpath/version.h"
#include "runner/lock_memory.h"
#include "runner/log_sink.h"
#include "runner/lun.h"
#include "runner/map_text.h"
#include "runtime/log.h"

#define FLUSH_LOG_MS 2000

static void destroy(void)
{
	mpath_log_flush(FLUSH_LOG_MS);
}

static struct tcmur_handler mpath_handler = {
	.name = "multipath",
	.subtype = "mpath",
	.cfg_desc = "A LUN over several paths, as dm-multipath does it, with SCSI passed through.\n"
		    "cfgstring=NAME: the map file /etc/tcmu/mpath.d/NAME.map, for example with a\n"
		    "  dm-multipath table; examples are in /usr/share/doc/tcmu-mpath/examples.\n"
		    "cfgstring=wwid=36001405b922ff67a: all paths to the LUN with this WWID.\n"
		    "cfgstring=/dev/disk/by-path/A;/dev/disk/by-path/B: these paths, the best\n"
		    "  that work.\n"
		    "size=0: the size is the LUN's.  Further settings: /etc/tcmu/mpath.conf.",
	.check_config = lun_check_config,
	.reconfig = lun_reconfig,
	.open = lun_open,
	.close = lun_close,
	.handle_cmd = lun_handle_cmd,
	.destroy = destroy,
};

/*
 * tcmu-runner, told to end, waits until the rings are empty, without a word to us.  What is held
 * because there is no path has to be answered, or it would wait until systemd kills it.
 *
 * While tcmu-runner opens its devices, at its start, it does not listen yet, and what ends other
 * processes ends it no more, as we do listen.  This is called when it runs; so it is told again.
 */
static gboolean on_signal(gpointer signal)
{
	static bool sent_on;

	device_shutdown_all();
	if (!sent_on) {
		sent_on = true;
		raise(GPOINTER_TO_INT(signal));
	}
	return G_SOURCE_CONTINUE;
}

static void listen_for_signals(void)
{
	g_unix_signal_add(SIGTERM, on_signal, GINT_TO_POINTER(SIGTERM));
	g_unix_signal_add(SIGINT, on_signal, GINT_TO_POINTER(SIGINT));
}

/* One fd per command in flight (hazards.md H2) is more than the usual soft limit. */
static void raise_fd_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur == limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		mpath_log(MPATH_LOG_WARN, NULL, NULL, "cannot raise the number of open files: %s",
			  strerror(errno));
}

static const struct control_hooks control_hooks = {
	.check = map_text_check,
	.load = map_text_load,
	.unload = map_text_free,
};

/* tcmu-runner loads handler_mpath.so.bak, too: whoever comes second must not begin to serve. */
__attribute__((visibility("default"))) int handler_init(void)
{
	int err = tcmur_register_handler(&mpath_handler);

	if (err)
		return err; /* tcmu-runner says why */
	mpath_log_set_sink(log_sink_write);
	mpath_log(MPATH_LOG_INFO, NULL, NULL, "tcmu-mpath %s (%s)", MPATH_VERSION, MPATH_BUILD_ID);
	raise_fd_limit();
	lock_memory_begin();
	control_start(&control_hooks);
	listen_for_signals();
	return 0;
}
