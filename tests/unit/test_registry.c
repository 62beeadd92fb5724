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
	assert(!strcmp(path_checker_find("directio")->name, "directio"));
	assert(!strcmp(path_checker_find("rdac")->name, "rdac"));
	assert(!strcmp(path_checker_find("emc_clariion")->name, "emc_clariion"));
	assert(!strcmp(path_checker_find("hp_sw")->name, "hp_sw"));
	assert(!strcmp(hw_handler_find("alua")->name, "alua"));
	assert(!strcmp(hw_handler_find("emc")->name, "emc"));
	assert(!strcmp(hw_handler_find("rdac")->name, "rdac"));
	assert(!strcmp(hw_handler_find("hp_sw")->name, "hp_sw"));
}

static void test_other_words_find_nothing(void)
{
	assert(!path_selector_find(""));
	assert(!path_selector_find("Round-Robin"));
	assert(!path_selector_find("round-robin "));
	assert(!path_selector_find("tur"));
	assert(!path_checker_find("TUR"));
	assert(!path_checker_find("none"));
	assert(!hw_handler_find("ALUA"));
	assert(!hw_handler_find(""));
}

static void test_error_texts_can_list_what_there_is(void)
{
	expect_names(path_selector_names, ": round-robin, queue-length, service-time, "
					  "historical-service-time, io-affinity");
	expect_names(hw_handler_names, ": alua, emc, rdac, hp_sw");
	expect_names(path_checker_names, ": tur, directio, rdac, emc_clariion, hp_sw");
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

/* By INQUIRY data, as the kernel's SCSI layer does: ALUA wherever the target has it. */
static void expect_detected(uint8_t tpgs, const char *vendor_product, const char *name)
{
	const struct hw_handler_type *found;
	uint8_t inquiry[96] = {0, 0, 6, 2, 91, (uint8_t)(tpgs << 4)};

	memcpy(inquiry + 8, vendor_product, strlen(vendor_product));
	found = hw_handler_detect(inquiry, sizeof(inquiry));
	assert(name ? found && !strcmp(found->name, name) : !found);
	assert(hw_handler_detect(inquiry, 32) == found); /* the product is the last that counts */
	if (!tpgs)
		assert(!hw_handler_detect(inquiry, 31));
	assert(!hw_handler_detect(inquiry, 5)); /* cut off before anything that tells */
}

static void test_a_handler_is_found_by_inquiry_data(void)
{
	expect_detected(0, "ACME    DISK            ", NULL);
	expect_detected(1, "ACME    DISK            ", "alua");
	expect_detected(2, "ACME    DISK            ", "alua");
	expect_detected(3, "DGC     VRAID           ", "alua");
	expect_detected(0, "DGC     VRAID           ", "emc");
	expect_detected(0, "DGC     LUNZ            ", NULL);
	expect_detected(0, "IBM     1746      FAStT ", "rdac");
	expect_detected(0, "NETAPP  INF-01-00       ", "rdac");
	expect_detected(0, "COMPAQ  MSA1000 VOLUME  ", "hp_sw");
	expect_detected(0, "COMPAQ  MSA1000         ", NULL);
}

static void test_hardware_handlers_have_all_that_is_not_optional(void)
{
	static const char *const names[] = {"alua", "emc", "rdac", "hp_sw"};

	for (size_t i = 0; i < 4; i++) {
		const struct hw_handler_type *type = hw_handler_find(names[i]);

		assert(type->detect && type->attach && type->begin && type->go_on);
		assert(type->path_size && type->path_size <= hw_handler_path_size());
	}
}

int main(void)
{
	test_each_plug_in_is_found_by_its_own_name();
	test_other_words_find_nothing();
	test_error_texts_can_list_what_there_is();
	test_each_selector_has_all_that_is_not_optional();
	test_a_handler_is_found_by_inquiry_data();
	test_hardware_handlers_have_all_that_is_not_optional();
	return 0;
}
