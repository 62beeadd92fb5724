/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The registry: a word in a table or a map file finds its plug-in, and nothing else does.
 */
#include <assert.h>
#include <string.h>

#include "core/registry.h"

static const char *const selectors[] = {"round-robin", "queue-length", "service-time",
					"historical-service-time", "io-affinity"};

static void expect_names(void (*names)(struct strbuf *out), const char *expected)
{
	struct strbuf out;
	char text[200];

	strbuf_init(&out, text, sizeof(text));
	names(&out);
	assert(!strcmp(text, expected));
}

static void test_each_plug_in_is_found_by_its_own_name(void)
{
	for (size_t i = 0; i < sizeof(selectors) / sizeof(selectors[0]); i++)
		assert(!strcmp(path_selector_find(selectors[i])->name, selectors[i]));
	assert(!strcmp(path_checker_find("tur")->name, "tur"));
}

static void test_other_words_find_nothing(void)
{
	assert(!path_selector_find(""));
	assert(!path_selector_find("Round-Robin"));
	assert(!path_selector_find("round-robin "));
	assert(!path_selector_find("tur"));
	assert(!path_checker_find("TUR"));
	assert(!path_checker_find("none"));
	assert(!hw_handler_find("alua"));
	assert(!hw_handler_find(""));
}

static void test_error_texts_can_list_what_there_is(void)
{
	expect_names(path_selector_names, ": round-robin, queue-length, service-time, "
					  "historical-service-time, io-affinity");
	expect_names(hw_handler_names, " none");
	expect_names(path_checker_names, ": tur");
}

/* A plug-in without one of these would be called through NULL, on an I/O path. */
static void test_each_selector_has_all_that_is_not_optional(void)
{
	for (size_t i = 0; i < sizeof(selectors) / sizeof(selectors[0]); i++) {
		const struct path_selector_type *type = path_selector_find(selectors[i]);

		assert(type->create && type->destroy && type->add_path);
		assert(type->fail_path && type->reinstate_path && type->select_path);
		assert(type->status && !type->start_io == !type->end_io);
	}
}

int main(void)
{
	test_each_plug_in_is_found_by_its_own_name();
	test_other_words_find_nothing();
	test_error_texts_can_list_what_there_is();
	test_each_selector_has_all_that_is_not_optional();
	return 0;
}
