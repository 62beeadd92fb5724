/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bounded text builder over memory of the caller's.
 *
 * Writing past the end never overflows: the text is cut, stays NUL-terminated, and @truncated
 * tells.  Nothing here allocates, so status lines can be built on the owner thread.
 */
#ifndef MPATH_STRBUF_H
#define MPATH_STRBUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct strbuf {
	char *text;  /* the caller's memory, always NUL-terminated */
	size_t size; /* bytes of @text, at least 1 */
	size_t len;  /* bytes written, without the NUL */
	bool truncated;
};

static inline void strbuf_init(struct strbuf *sb, char *text, size_t size)
{
	*sb = (struct strbuf){.text = text, .size = size};
	text[0] = '\0';
}

__attribute__((format(printf, 2, 0))) static inline void
strbuf_vprintf(struct strbuf *sb, const char *format, va_list args)
{
	size_t room = sb->size - sb->len;
	int n = vsnprintf(sb->text + sb->len, room, format, args);

	if (n < 0 || (size_t)n >= room) {
		sb->len = sb->size - 1;
		sb->truncated = true;
		return;
	}
	sb->len += (size_t)n;
}

__attribute__((format(printf, 2, 3))) static inline void strbuf_printf(struct strbuf *sb,
								       const char *format, ...)
{
	va_list args;

	va_start(args, format);
	strbuf_vprintf(sb, format, args);
	va_end(args);
}

#endif
