/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any hardware table, and any array: refused with words, or taken; then an array gets one of its
 * rules, or none.
 *
 * Input: INQUIRY data of 36 bytes, then the table.
 *
 * fuzz parses: runner/hardware_file.c
 * fuzz runs: 50000
 */
#include <assert.h>
#include <errno.h>
#include <glib.h>
#include <stdlib.h>
#include <string.h>

#include "runner/hardware_file.h"

#define INQUIRY_LEN 36

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_rule(const struct hardware_rule *rule)
{
	assert(rule->name[0] && memchr(rule->name, '\0', sizeof(rule->name)));
	assert(rule->vendor[0] && memchr(rule->vendor, '\0', sizeof(rule->vendor)));
	assert(memchr(rule->product, '\0', sizeof(rule->product)));
	assert(rule->says < 2 * HARDWARE_PG_INIT_DELAY);
	assert(rule->pg_init_retries <= 50 && rule->pg_init_delay_msecs <= 60000);
	assert(!rule->no_path_retries || rule->queue_if_no_path);
}

static void check_table(const struct hardware_table *table, const uint8_t *inquiry)
{
	const struct hardware_rule *rule = hardware_find(table, inquiry, INQUIRY_LEN);
	unsigned int i;

	assert(!rule || (rule >= table->rules && rule < table->rules + table->nr_rules));
	assert(!rule || !rule->wants_tpgs || inquiry[5] & 0x30);
	for (i = 0; i < table->nr_rules; i++)
		check_rule(&table->rules[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hardware_table *table;
	char error_text[8192];
	struct strbuf error;
	char *text;
	int err;

	if (size < INQUIRY_LEN)
		return 0;
	text = g_strndup((const char *)data + INQUIRY_LEN, size - INQUIRY_LEN);
	strbuf_init(&error, error_text, sizeof(error_text));
	err = hardware_parse("file", text, &table, &error);
	assert(err ? err == -EINVAL && !table && error.len : table != NULL);
	if (table)
		check_table(table, data);
	free(table);
	g_free(text);
	return 0;
}
