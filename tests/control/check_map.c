// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Manager.Check without a bus: the map that comes on standard input, as the handler reads it.
 */
#include <stdio.h>

#include "mpath/strbuf.h"
#include "runner/map_text.h"

int main(void)
{
	char text[65536], words[65536];
	size_t len = fread(text, 1, sizeof(text) - 1, stdin);
	struct strbuf report;
	int err;

	text[len] = '\0';
	strbuf_init(&report, words, sizeof(words));
	err = map_text_check(text, &report);
	fprintf(err ? stderr : stdout, "%s\n", report.text);
	return err ? 1 : 0;
}
