/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a story expects, and how it says that it was told otherwise.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim/lib/world.h"

const char *sim_replay;
static const char *the_story = "";
static unsigned int nr_failed;

static const char *last_lines(const char *text, unsigned int n)
{
	const char *p = text + strlen(text);

	while (p > text && n)
		if (*--p == '\n')
			n--;
	return p;
}

void fail_at(struct world *w, const char *file, int line, const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fprintf(stderr, "%s:%d: %s: at %llu ms: ", file, line, the_story,
		w ? (unsigned long long)now_ms(w) : 0);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	if (w && w->trace)
		fprintf(stderr, "\nthe last of the trace:\n%s", last_lines(w->trace, 40));
	if (sim_replay)
		fprintf(stderr, "\nreplay with: %s\n", sim_replay);
	exit(1);
}

/*
 * Each in a process of its own: one that fails, or breaks an assertion of the core, does not keep
 * the others from being told.
 */
void tell_story(const char *name, void (*story)(void))
{
	int status = 0;
	pid_t pid;

	the_story = name;
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		story();
		exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) {
		nr_failed++;
		printf("FAILED: %s\n", name);
		return;
	}
	printf("ok: %s\n", name);
}

int end_of_stories(void)
{
	return nr_failed ? 1 : 0;
}

void expect_at(struct world *w, const char *file, int line, bool holds, const char *what)
{
	if (!holds)
		fail_at(w, file, line, "expected %s", what);
}

/* --- the trace --- */

/* One line without its end; NULL after the last. */
static char *next_line(const char **text, char *line, size_t size)
{
	size_t len;

	if (!**text)
		return NULL;
	len = strcspn(*text, "\n");
	snprintf(line, size, "%.*s", (int)len, *text);
	*text += len + ((*text)[len] == '\n');
	return line;
}

static bool is_noise(const char *line)
{
	size_t len = strlen(line);

	return len > 9 && strcmp(line + len - 9, ": checked") == 0;
}

static char *next_sentence(const char **text, char *line, size_t size)
{
	while (next_line(text, line, size))
		if (!is_noise(line))
			return line;
	return NULL;
}

/* "[ 12] x" and "[12] x" are the same. */
static bool same_line(const char *a, const char *b)
{
	if (*a == '[' && *b == '[') {
		a += 1 + strspn(a + 1, " ");
		b += 1 + strspn(b + 1, " ");
	}
	return strcmp(a, b) == 0;
}

/* Where @want differs from @got; NULL if it does not. */
static const char *find_difference(const char *want, const char *got)
{
	static char difference[700];
	char a[320], b[320];
	bool skip = false;

	while (next_line(&want, a, sizeof(a))) {
		if (strcmp(a, "...") == 0) {
			skip = true;
			continue;
		}
		do {
			if (!next_sentence(&got, b, sizeof(b))) {
				snprintf(difference, sizeof(difference),
					 "expected \"%s\", but the trace ends", a);
				return difference;
			}
		} while (skip && !same_line(a, b));
		if (!same_line(a, b)) {
			snprintf(difference, sizeof(difference),
				 "expected \"%s\", but there is \"%s\"", a, b);
			return difference;
		}
		skip = false;
	}
	if (!skip && next_sentence(&got, b, sizeof(b))) {
		snprintf(difference, sizeof(difference), "expected no more, but there is \"%s\"",
			 b);
		return difference;
	}
	return NULL;
}

void expect_trace_at(struct world *w, const char *file, int line, const char *want)
{
	const char *difference = find_difference(want, w->trace + w->trace_mark);

	if (difference)
		fail_at(w, file, line, "%s", difference);
	forget_trace(w);
}

void forget_trace(struct world *w)
{
	w->trace_mark = w->trace_len;
}

/* --- notices --- */

void forget_notices(struct world *w)
{
	w->notices_mark = w->notices_len;
}

/* Not by strstr(): AddressSanitizer's measures all that is left of the text for each find. */
unsigned int lines_with(const char *text, const char *part)
{
	const char *end = text + strlen(text), *found;
	size_t len = strlen(part);
	unsigned int n = 0;

	while ((found = memmem(text, (size_t)(end - text), part, len))) {
		text = memchr(found, '\n', (size_t)(end - found));
		n++;
	}
	return n;
}

unsigned int count_notices(struct world *w, const char *part)
{
	return lines_with(w->notices + w->notices_mark, part);
}

void expect_notice_at(struct world *w, const char *file, int line, const char *part)
{
	if (!count_notices(w, part))
		fail_at(w, file, line, "expected a notice with \"%s\" among these:\n%s", part,
			w->notices + w->notices_mark);
}

void expect_no_notice_at(struct world *w, const char *file, int line, const char *part)
{
	if (count_notices(w, part))
		fail_at(w, file, line, "expected no notice with \"%s\" among these:\n%s", part,
			w->notices + w->notices_mark);
}

void expect_events_at(struct world *w, const char *file, int line, const char *want)
{
	const char *got = w->told ? w->told + w->told_mark : "";

	if (strcmp(got, want) != 0)
		fail_at(w, file, line, "expected the events\n%s\nnot\n%s", want, got);
	w->told_mark = w->told_len;
}

/* --- answers --- */

void expect_answer_at(struct world *w, const char *file, int line, const struct sim_io *io,
		      uint8_t status)
{
	if (io->state != SIM_IO_ANSWERED)
		fail_at(w, file, line, "expected io %u to be answered", io->id);
	if (io->io.result.status != status)
		fail_at(w, file, line, "expected status %02x, not %02x, for io %u", status,
			io->io.result.status, io->id);
}

void expect_sense_at(struct world *w, const char *file, int line, const struct sim_io *io,
		     uint8_t key, uint8_t asc, uint8_t ascq)
{
	const uint8_t *sense = io->io.result.sense;

	expect_answer_at(w, file, line, io, SAM_CHECK_CONDITION);
	if (io->io.result.sense_len < 14 || (sense[0] & 0x7f) != 0x70 || (sense[2] & 0xf) != key ||
	    sense[12] != asc || sense[13] != ascq)
		fail_at(w, file, line, "expected sense %02x/%02x/%02x, not %02x/%02x/%02x", key,
			asc, ascq, sense[2], sense[12], sense[13]);
}

void expect_pending_at(struct world *w, const char *file, int line, const struct sim_io *io)
{
	if (io->state != SIM_IO_OUT)
		fail_at(w, file, line, "expected io %u to wait, but it has status %02x", io->id,
			io->io.result.status);
}

/* --- status --- */

void expect_status_at(struct world *w, const char *file, int line, enum status_type type,
		      const char *want)
{
	struct strbuf out;

	strbuf_init(&out, w->text, sizeof(w->text));
	mpath_status(w->m, type, &out);
	if (strcmp(w->text, want) != 0)
		fail_at(w, file, line, "expected status\n\"%s\", not\n\"%s\"", want, w->text);
}

static bool is_in_detail(struct world *w, const char *part)
{
	struct strbuf out;

	strbuf_init(&out, w->text, sizeof(w->text));
	mpath_status_detail(w->m, w->now_ns, &out);
	return strstr(w->text, part);
}

void expect_detail_at(struct world *w, const char *file, int line, const char *part)
{
	if (!is_in_detail(w, part))
		fail_at(w, file, line, "expected \"%s\" in\n%s", part, w->text);
}

void expect_no_detail_at(struct world *w, const char *file, int line, const char *part)
{
	if (is_in_detail(w, part))
		fail_at(w, file, line, "expected no \"%s\" in\n%s", part, w->text);
}
