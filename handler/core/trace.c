/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The trace: one sentence per decision, for tests.
 */
#include <stdarg.h>
#include <stdio.h>

#include "core/multipath.h"

void mpath_set_trace(struct multipath *m, mpath_trace_fn fn, void *arg)
{
	m->trace_fn = fn;
	m->trace_arg = arg;
}

void mpath_trace(struct multipath *m, const char *format, ...)
{
	char sentence[256];
	va_list args;

	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	m->trace_fn(m->trace_arg, m->now_ns, sentence);
}

const char *path_name(const struct path *path)
{
	return path->facts.name[0] ? path->facts.name : path->address;
}
