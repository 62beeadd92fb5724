/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The text builder: whatever does not fit is cut, the text stays a string, and truncated tells.
 */
#include <assert.h>
#include <string.h>

#include "mpath/strbuf.h"

static void test_text_is_appended(void)
{
	struct strbuf sb;
	char text[32];

	memset(text, 'x', sizeof(text));
	strbuf_init(&sb, text, sizeof(text));
	assert(!strcmp(sb.text, "") && sb.len == 0 && !sb.truncated);
	strbuf_printf(&sb, "%s %d", "path", 1);
	strbuf_printf(&sb, ", %u left", 3u);
	assert(!strcmp(sb.text, "path 1, 3 left"));
	assert(sb.len == strlen("path 1, 3 left"));
	assert(!sb.truncated);
}

static void test_text_that_just_fits_is_not_cut(void)
{
	struct strbuf sb;
	char text[6];

	strbuf_init(&sb, text, sizeof(text));
	strbuf_printf(&sb, "12345");
	assert(!strcmp(sb.text, "12345") && sb.len == 5 && !sb.truncated);

	/* Nothing more needs no more room. */
	strbuf_printf(&sb, "%s", "");
	assert(!strcmp(sb.text, "12345") && sb.len == 5 && !sb.truncated);
}

static void test_one_byte_too_many_is_cut_and_told(void)
{
	char guarded[8];
	struct strbuf sb;

	memset(guarded, '#', sizeof(guarded));
	strbuf_init(&sb, guarded, 6);
	strbuf_printf(&sb, "123456");
	assert(!strcmp(sb.text, "12345") && sb.len == 5 && sb.truncated);
	assert(guarded[6] == '#' && guarded[7] == '#');
}

static void test_a_full_buffer_stays_as_it_is(void)
{
	struct strbuf sb;
	char text[6];

	strbuf_init(&sb, text, sizeof(text));
	strbuf_printf(&sb, "a long text");
	assert(!strcmp(sb.text, "a lon") && sb.truncated);
	strbuf_printf(&sb, "more");
	strbuf_printf(&sb, "%s", "");
	assert(!strcmp(sb.text, "a lon") && sb.len == 5 && sb.truncated);
}

static void test_the_smallest_buffer_holds_only_the_nul(void)
{
	struct strbuf sb;
	char text[1] = "x";

	strbuf_init(&sb, text, sizeof(text));
	assert(!strcmp(sb.text, "") && !sb.truncated);
	strbuf_printf(&sb, "x");
	assert(!strcmp(sb.text, "") && sb.len == 0 && sb.truncated);
}

int main(void)
{
	test_text_is_appended();
	test_text_that_just_fits_is_not_cut();
	test_one_byte_too_many_is_cut_and_told();
	test_a_full_buffer_stays_as_it_is();
	test_the_smallest_buffer_holds_only_the_nul();
	return 0;
}
