/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tables: what dm-multipath takes is taken, what it refuses is refused in its words, and the
 * administrator is told which word is wrong.  Every error text stands here at least twice, in
 * full; those of short memory are in test_table_memory.c.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/registry.h"
#include "mpath/number.h"
#include "mpath/table.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static char error_text[1024];

static int parse(const char *text, struct mpath_table **table)
{
	struct strbuf error;
	int err;

	strbuf_init(&error, error_text, sizeof(error_text));
	err = mpath_table_parse(text, table, &error);
	assert(err ? !*table && error.len : *table && !error.len);
	assert(!error.truncated);
	return err;
}

static struct mpath_table *accept(const char *text)
{
	struct mpath_table *table;

	if (parse(text, &table))
		fprintf(stderr, "%s\n  refused: %s\n", text, error_text);
	assert(table);
	return table;
}

static void accept_and_free(const char *text)
{
	mpath_table_free(accept(text));
}

static void expect_error(const char *expected)
{
	if (strcmp(error_text, expected))
		fprintf(stderr, "got:      %s\nexpected: %s\n", error_text, expected);
	assert(!strcmp(error_text, expected));
}

static void refuse(const char *text, const char *expected)
{
	struct mpath_table *table;

	if (!parse(text, &table))
		fprintf(stderr, "%s\n  not refused: %s\n", text, expected);
	assert(!table);
	expect_error(expected);
}

/* Text for tables too long to be written out; the caller frees. */
static char *repeat(const char *before, const char *word, unsigned int count)
{
	size_t size = strlen(before) + strlen(word) * count + 1;
	char *text = malloc(size);
	struct strbuf sb;

	assert(text);
	strbuf_init(&sb, text, size);
	strbuf_printf(&sb, "%s", before);
	while (count--)
		strbuf_printf(&sb, "%s", word);
	assert(!sb.truncated);
	return text;
}

/* --- What is accepted --- */

static void test_a_table_as_multipathd_writes_it(void)
{
	struct mpath_table *t =
		accept("4 queue_if_no_path pg_init_retries 50 "
		       "retain_attached_hw_handler 0 2 1 "
		       "round-robin 0 2 1 8:16 1 8:32 1 round-robin 0 1 1 /dev/sdd 1");

	assert(!t->has_length && t->nr_sectors == 0);
	assert(t->queue_if_no_path && t->retain_attached_hw_handler);
	assert(t->pg_init_retries == 50 && t->pg_init_delay_msecs == -1);
	assert(t->queue_mode == QUEUE_MODE_RQ && !t->hw_handler && t->hw_argc == 0);
	assert(t->nr_groups == 2 && t->initial_group == 1);

	assert(t->groups[0].selector == path_selector_find("round-robin"));
	assert(t->groups[0].selector_argc == 0 && t->groups[0].nr_paths == 2);
	assert(!strcmp(t->groups[0].paths[0].address, "8:16"));
	assert(t->groups[0].paths[0].argc == 1);
	assert(!strcmp(t->groups[0].paths[0].argv[0], "1"));
	assert(!strcmp(t->groups[0].paths[1].address, "8:32"));
	assert(t->groups[1].nr_paths == 1);
	assert(!strcmp(t->groups[1].paths[0].address, "/dev/sdd"));
	assert(t->nr_warnings == 0);
	mpath_table_free(t);
}

static void test_a_table_without_paths(void)
{
	struct mpath_table *t = accept("0 0 0 0");

	assert(t->nr_groups == 0 && t->initial_group == 0);
	assert(!t->queue_if_no_path && !t->retain_attached_hw_handler);
	assert(t->pg_init_retries == 0 && t->pg_init_delay_msecs == -1);
	mpath_table_free(t);
}

static void test_args_of_selector_and_paths(void)
{
	struct mpath_table *t =
		accept("0 0 1 1 round-robin 2 any words 2 0 8:16 /dev/disk/by-id/wwn-0x5000");

	assert(t->groups[0].selector_argc == 2);
	assert(!strcmp(t->groups[0].selector_argv[0], "any"));
	assert(!strcmp(t->groups[0].selector_argv[1], "words"));
	assert(t->groups[0].paths[0].argc == 0 && t->groups[0].paths[1].argc == 0);
	assert(!strcmp(t->groups[0].paths[1].address, "/dev/disk/by-id/wwn-0x5000"));
	mpath_table_free(t);
}

/* What is said twice counts as said last. */
static void test_features_in_any_order_and_case(void)
{
	static const char *const tables[] = {
		"6 QUEUE_IF_NO_PATH pg_init_retries 7 pg_init_delay_msecs 0 "
		"retain_attached_hw_handler 0 0 0",
		"6 pg_init_delay_msecs 0 Retain_Attached_HW_Handler PG_INIT_RETRIES 7 "
		"queue_if_no_path 0 0 0",
		"8 pg_init_retries 3 pg_init_retries 7 retain_attached_hw_handler "
		"Pg_Init_Delay_Msecs 000 queue_if_no_path 0 0 0",
	};

	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		struct mpath_table *t = accept(tables[i]);

		assert(t->queue_if_no_path && t->retain_attached_hw_handler);
		assert(t->pg_init_retries == 7 && t->pg_init_delay_msecs == 0);
		mpath_table_free(t);
	}
}

static void test_all_eight_feature_words(void)
{
	struct mpath_table *t = accept("8 queue_if_no_path retain_attached_hw_handler "
				       "pg_init_retries 1 pg_init_delay_msecs 60000 "
				       "queue_mode mq 0 0 0");

	assert(t->pg_init_retries == 1 && t->pg_init_delay_msecs == 60000);
	assert(t->queue_mode == QUEUE_MODE_RQ);
	mpath_table_free(t);
}

static void test_queue_modes(void)
{
	struct mpath_table *t;

	t = accept("2 queue_mode rq 0 0 0");
	assert(t->queue_mode == QUEUE_MODE_RQ);
	mpath_table_free(t);
	t = accept("2 QUEUE_MODE BIO 0 0 0");
	assert(t->queue_mode == QUEUE_MODE_BIO && t->retain_attached_hw_handler);
	mpath_table_free(t);
	/* As dm: what is said last counts. */
	t = accept("4 queue_mode bio queue_mode mq 0 0 0");
	assert(t->queue_mode == QUEUE_MODE_RQ && !t->retain_attached_hw_handler);
	mpath_table_free(t);
}

/* dm consumes the handler's words and logs an error, whatever they are. */
static void test_bio_mode_ignores_the_hardware_handler(void)
{
	struct mpath_table *t = accept("2 queue_mode bio 3 alua x y 1 1 round-robin 0 1 0 8:16");

	assert(!t->hw_handler && t->nr_groups == 1);
	assert(t->nr_warnings == 1);
	assert(!strcmp(t->warnings[0], "bio-based multipath doesn't allow hardware handler args: "
				       "word 5 is \"alua\""));
	mpath_table_free(t);
}

static void test_more_than_one_command_per_turn_is_said_once(void)
{
	struct mpath_table *t = accept("0 0 1 1 round-robin 0 3 1 8:16 1 8:32 1000 8:48 1000");

	assert(t->nr_warnings == 1);
	assert(!strcmp(t->warnings[0], "round-robin ps: repeat_count > 1 is deprecated, using 1 "
				       "instead: word 12 is \"1000\""));
	mpath_table_free(t);
}

/* dm takes it too; no group is preferred then. */
static void test_an_initial_group_beyond_the_last(void)
{
	struct mpath_table *t = accept("0 0 1 1024 round-robin 0 1 0 8:16");

	assert(t->initial_group == 1024 && t->nr_groups == 1);
	mpath_table_free(t);
}

static void test_what_dmsetup_prints_before_the_parameters(void)
{
	static const char *const prefixes[] = {
		"mpatha: 0 2097152 multipath ",
		"0 2097152 multipath ",
		"my-map:1: 000 2097152 multipath ",
		"0 2097152 multipath\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
		char *text = repeat(prefixes[i], "0 0 1 1 round-robin 0 1 1 8:16 1", 1);
		struct mpath_table *t = accept(text);

		assert(t->has_length && t->nr_sectors == 2097152);
		assert(t->nr_groups == 1);
		assert(!strcmp(t->groups[0].paths[0].address, "8:16"));
		mpath_table_free(t);
		free(text);
	}
	accept_and_free("mpatha: 0 36028797018963967 multipath 0 0 0 0"); /* 2^64 bytes - 512 */

	struct mpath_table *t = accept("mpatha: 0 0 1 1 round-robin 0 1 1 8:16 1 ");
	assert(!t->has_length && t->nr_groups == 1);
	mpath_table_free(t);
}

static void test_any_white_space_separates_words(void)
{
	struct mpath_table *t = accept("\n\t 0\t0 \r\n1\v1\f\n  round-robin 0 1\n1\n8:16\n1\n \n");

	assert(t->nr_groups == 1 && t->groups[0].nr_paths == 1);
	mpath_table_free(t);
}

/* As dm_split_args(): a backslash takes the next character as it is, at the end it is itself. */
static void test_backslashes(void)
{
	struct mpath_table *t = accept("0 0 1 1 round-robin 1 a\\ b\\\\c 2 0 /dev/my\\ disk\\\\2 "
				       "/\\d\\e\\v/x\\");

	assert(!strcmp(t->groups[0].selector_argv[0], "a b\\c"));
	assert(!strcmp(t->groups[0].paths[0].address, "/dev/my disk\\2"));
	assert(!strcmp(t->groups[0].paths[1].address, "/dev/x\\"));
	mpath_table_free(t);
	/* But no device has a name of two lines, nor has a line of the log. */
	refuse("0 0 1 1 round-robin 0 1 0 /dev/my\\\ndisk",
	       "error getting device: word 9 is \"/dev/my\\x0adisk\", expected MAJOR:MINOR or an "
	       "absolute path name");
	refuse("0 0 1 1 round-robin 0 1 0 /dev/\x7f",
	       "error getting device: word 9 is \"/dev/\\x7f\", expected MAJOR:MINOR or an "
	       "absolute "
	       "path name");
}

static void test_leading_zeros(void)
{
	struct mpath_table *t = accept("00 000 01 0001 round-robin 0 00001 01 08:016 01");

	assert(t->nr_groups == 1 && t->initial_group == 1);
	assert(!strcmp(t->groups[0].paths[0].address, "08:016"));
	mpath_table_free(t);
}

static void test_the_largest_table_numbers(void)
{
	char *text;
	struct mpath_table *t;

	text = repeat("0 0 1024 1024", " round-robin 0 1 0 8:16", 1024);
	t = accept(text);
	assert(t->nr_groups == 1024 && t->initial_group == 1024);
	mpath_table_free(t);
	free(text);

	text = repeat("0 0 1 1 round-robin 0 1024 0", " 4095:1048575", 1024);
	t = accept(text);
	assert(t->groups[0].nr_paths == 1024);
	mpath_table_free(t);
	free(text);

	text = repeat("2 queue_mode bio 1024", " x", 1024 + 1);
	refuse(text, "invalid number of priority groups: word 1029 is \"x\", expected a number "
		     "from 0 to 1024");
	free(text);
}

static void test_free_of_nothing(void)
{
	mpath_table_free(NULL);
}

/* --- What is refused --- */

static void test_feature_errors(void)
{
	static const char expected[] = "invalid number of feature args: ";

	refuse("9 queue_if_no_path 0 0 0", "invalid number of feature args: word 1 is \"9\", "
					   "expected a number from 0 to 8");
	refuse("", "invalid number of feature args: the table is empty, expected a number from 0 "
		   "to 8");
	refuse(" \n\t", "invalid number of feature args: the table is empty, expected a number "
			"from 0 to 8");
	refuse("3 queue_if_no_path 0", "invalid number of feature args: word 1 is \"3\", expected "
				       "at most 2, the number of words after it");
	refuse("1", "invalid number of feature args: word 1 is \"1\", expected at most 0, the "
		    "number of words after it");

	/* Only digits are a number; what wraps around in the kernel does not here. */
	static const char *const no_numbers[] = {"1x",
						 "+1",
						 "-1",
						 "0x1",
						 "x",
						 "1.0",
						 "\\ 1",
						 ":",
						 "4294967296",
						 "4294967297",
						 "18446744073709551616"};
	for (size_t i = 0; i < ARRAY_SIZE(no_numbers); i++) {
		char *text = repeat(no_numbers[i], " queue_if_no_path 0 0 0", 1);
		struct mpath_table *t;

		assert(parse(text, &t) == -EINVAL);
		assert(!strncmp(error_text, expected, strlen(expected)));
		free(text);
	}

	refuse("2 queue_mode nvme 0 0 0",
	       "Unknown 'queue_mode' requested: word 3 is \"nvme\", expected bio, rq or mq");
	refuse("3 queue_if_no_path queue_mode bio2 0 0 0",
	       "Unknown 'queue_mode' requested: word 4 is \"bio2\", expected bio, rq or mq");

	refuse("1 no_path_retry 0 0 0",
	       "Unrecognised multipath feature request: word 2 is \"no_path_retry\", expected "
	       "queue_if_no_path, retain_attached_hw_handler, pg_init_retries, "
	       "pg_init_delay_msecs or queue_mode");
	/* A feature at the end of its list takes no value from beyond it. */
	refuse("1 pg_init_retries 5 0 0",
	       "Unrecognised multipath feature request: word 2 is \"pg_init_retries\", expected "
	       "its value after it, counted in word 1");
	refuse("2 queue_if_no_path QUEUE_MODE bio 0 0 0",
	       "Unrecognised multipath feature request: word 3 is \"QUEUE_MODE\", expected its "
	       "value after it, counted in word 1");
	refuse("1 pg_init_delay_msecs",
	       "Unrecognised multipath feature request: word 2 is \"pg_init_delay_msecs\", "
	       "expected its value after it, counted in word 1");
}

static void test_feature_value_errors(void)
{
	refuse("2 pg_init_retries 0 0 0 0", "pg_init_retries must be between 1 and 50: word 3 is "
					    "\"0\", expected a number from 1 to 50");
	refuse("2 pg_init_retries 51 0 0 0", "pg_init_retries must be between 1 and 50: word 3 is "
					     "\"51\", expected a number from 1 to 50");
	refuse("3 queue_if_no_path pg_init_retries queue_if_no_path 0 0 0",
	       "pg_init_retries must be between 1 and 50: word 4 is \"queue_if_no_path\", "
	       "expected a number from 1 to 50");
	refuse("2 pg_init_delay_msecs 60001 0 0 0",
	       "pg_init_delay_msecs must be between 0 and 60000: word 3 is \"60001\", expected a "
	       "number from 0 to 60000");
	refuse("2 pg_init_delay_msecs -1 0 0 0",
	       "pg_init_delay_msecs must be between 0 and 60000: word 3 is \"-1\", expected a "
	       "number from 0 to 60000");
}

static void test_hardware_handler_errors(void)
{
	char *text;

	text = repeat("0 1025", " 1", 1030);
	refuse(text, "invalid number of hardware handler args: word 2 is \"1025\", expected a "
		     "number from 0 to 1024");
	free(text);
	refuse("0", "invalid number of hardware handler args: the table ends after word 1, "
		    "expected a number from 0 to 1024");
	refuse("0 4 alua 1 1", "invalid number of hardware handler args: word 2 is \"4\", expected "
			       "at most 3, the number of words after it");

	refuse("0 1 Alua 1 1 round-robin 0 1 1 8:16 1",
	       "unknown hardware handler type: word 3 is \"Alua\", this version has: alua, emc, "
	       "rdac, hp_sw");
	refuse("2 queue_mode rq 2 ontap 1 0 0",
	       "unknown hardware handler type: word 5 is \"ontap\", this version has: alua, emc, "
	       "rdac, hp_sw");
	refuse("0 2 alua 2 1 1 round-robin 0 1 1 8:16 1",
	       "unable to set hardware handler parameters: word 4 is \"2\", expected one word, 0 "
	       "or 1 (optimize)");
	refuse("1 queue_if_no_path 2 emc 1 1 1 round-robin 0 1 1 8:16 1",
	       "unable to set hardware handler parameters: word 5 is \"1\", expected two words, "
	       "each 0 or 1 (short_trespass, honor_reservations)");
	refuse("0 3 emc 1 2 1 1 round-robin 0 1 1 8:16 1",
	       "unable to set hardware handler parameters: word 4 is \"1\", expected two words, "
	       "each 0 or 1 (short_trespass, honor_reservations)");
	refuse("0 2 rdac 1 1 1 round-robin 0 1 1 8:16 1",
	       "unable to set hardware handler parameters: word 4 is \"1\", expected no word "
	       "behind its name");
	refuse("0 2 hp_sw x 1 1 round-robin 0 1 1 8:16 1",
	       "unable to set hardware handler parameters: word 4 is \"x\", expected no word "
	       "behind its name");
}

static void test_group_number_errors(void)
{
	refuse("0 0 1025 1", "invalid number of priority groups: word 3 is \"1025\", expected a "
			     "number from 0 to 1024");
	refuse("0 0", "invalid number of priority groups: the table ends after word 2, expected a "
		      "number from 0 to 1024");
	refuse("0 0 1 1025", "invalid initial priority group number: word 4 is \"1025\", expected "
			     "a number from 0 to 1024");
	refuse("0 0 1", "invalid initial priority group number: the table ends after word 3, "
			"expected a number from 0 to 1024");
	refuse("0 0 0 1", "invalid initial priority group: word 4 is \"1\", expected 0, as there "
			  "is no priority group");
	refuse("0 0 1 0 round-robin 0 1 1 8:16 1",
	       "invalid initial priority group: word 4 is \"0\", expected a number from 1");
}

static void test_group_count_errors(void)
{
	refuse("0 0 2 1 round-robin 0 1 1 8:16 1",
	       "priority group count mismatch: word 3 is \"2\", expected 1, as many as follow");
	refuse("0 0 1 1 round-robin 0 1 1 8:16 1 round-robin 0 1 1 8:32 1",
	       "priority group count mismatch: word 3 is \"1\", expected 2, as many as follow");
	refuse("0 0 1 1", "priority group count mismatch: word 3 is \"1\", expected 0, as many as "
			  "follow");
	refuse("0 0 0 0 round-robin 0 1 1 8:16 1",
	       "priority group count mismatch: word 3 is \"0\", expected 1, as many as follow");

	refuse("0 0 1 1 round-robin 0 1 1 8:16 1 junk",
	       "not enough priority group arguments: word 11 is \"junk\", expected a whole "
	       "priority group or the end of the table");
	refuse("0 0 0 0 round-robin",
	       "not enough priority group arguments: word 5 is \"round-robin\", expected a whole "
	       "priority group or the end of the table");
}

static void test_selector_errors(void)
{
	char *text;

	refuse("0 0 1 1 least-pending 0 1 1 8:16 1",
	       "unknown path selector type: word 5 is \"least-pending\", this version has: "
	       "round-robin, queue-length, service-time, historical-service-time, io-affinity");
	refuse("0 0 1 1 Round-Robin 0 1 1 8:16 1",
	       "unknown path selector type: word 5 is \"Round-Robin\", this version has: "
	       "round-robin, queue-length, service-time, historical-service-time, io-affinity");

	text = repeat("0 0 1 1 round-robin 1025", " x", 1030);
	refuse(text, "invalid number of path selector args: word 6 is \"1025\", expected a number "
		     "from 0 to 1024");
	free(text);
	refuse("0 0 1 1 round-robin x", "invalid number of path selector args: word 6 is \"x\", "
					"expected a number from 0 to 1024");
	refuse("0 0 1 1 round-robin 3 1 1",
	       "invalid number of path selector args: word 6 is \"3\", expected at most 2, the "
	       "number of words after it");

	refuse("0 0 1 1 round-robin 0 1 1 8:16 x",
	       "round-robin ps: invalid repeat count: word 10 is \"x\", expected what round-robin "
	       "takes for a path");
	refuse("0 0 1 1 round-robin 0 2 1 8:16 1 8:32 1x",
	       "round-robin ps: invalid repeat count: word 12 is \"1x\", expected what "
	       "round-robin takes for a path");
	refuse("0 0 1 1 round-robin 0 1 2 8:16 1 1",
	       "round-robin ps: incorrect number of arguments: word 10 is \"1\", expected what "
	       "round-robin takes for a path");
	refuse("0 0 2 1 round-robin 0 1 0 8:16 round-robin 0 1 3 8:32 5 1 1",
	       "round-robin ps: incorrect number of arguments: word 15 is \"5\", expected what "
	       "round-robin takes for a path");
}

static void test_path_number_errors(void)
{
	refuse("0 0 1 1 round-robin 0 0 1",
	       "invalid number of paths: word 7 is \"0\", expected a number from 1 to 1024");
	refuse("0 0 1 1 round-robin 0 1025 1",
	       "invalid number of paths: word 7 is \"1025\", expected a number from 1 to 1024");
	refuse("0 0 1 1 round-robin 0", "invalid number of paths: the table ends after word 6, "
					"expected a number from 1 to 1024");
	refuse("0 0 1 1 round-robin 0 1 1025", "invalid number of selector args: word 8 is "
					       "\"1025\", expected a number from 0 to 1024");
	refuse("0 0 1 1 round-robin 0 1", "invalid number of selector args: the table ends after "
					  "word 7, expected a number from 0 to 1024");

	refuse("0 0 1 1 round-robin 0 1 1 8:16",
	       "not enough path parameters: the table ends after word 9, expected path 1 of 1: a "
	       "device and 1 args");
	refuse("0 0 1 1 round-robin 0 3 0 8:16 8:32",
	       "not enough path parameters: the table ends after word 10, expected path 3 of 3: a "
	       "device and 0 args");
	refuse("0 0 1 1 round-robin 0 1024 1024 8:16",
	       "not enough path parameters: the table ends after word 9, expected path 1 of 1024: "
	       "a device and 1024 args");
}

static void test_device_errors(void)
{
	static const char *const bad[] = {"sda",	"8",
					  ":16",	"8:",
					  "8:16x",	"8:-1",
					  "8:16:0",	"x:16",
					  "4096:16",	"8:1048576",
					  "00004095:0", "./sda",
					  "1:0x10",	"99999999999999999999:0"};

	refuse("0 0 1 1 round-robin 0 1 1 sda 1",
	       "error getting device: word 9 is \"sda\", expected MAJOR:MINOR or an absolute path "
	       "name");
	refuse("0 0 1 1 round-robin 0 2 0 /dev/sda /",
	       "error getting device: word 10 is \"/\", expected MAJOR:MINOR or an absolute path "
	       "name");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		char *text = repeat("0 0 1 1 round-robin 0 1 0 ", bad[i], 1);
		char expected[200];

		snprintf(expected, sizeof(expected),
			 "error getting device: word 9 is \"%s\", expected MAJOR:MINOR or an "
			 "absolute path name",
			 bad[i]);
		refuse(text, expected);
		free(text);
	}
}

static void test_prefix_errors(void)
{
	refuse("mpatha: 8 2097152 multipath 0 0 0 0",
	       "invalid table start: START is \"8\", expected 0");
	refuse("mpatha: 1 2097152 multipath 0 0 0 0",
	       "invalid table start: START is \"1\", expected 0");
	refuse("x 2097152 multipath 0 0 0 0", "invalid table start: START is \"x\", expected 0");
	refuse("0 0 multipath 0 0 0 0",
	       "invalid table length: LENGTH is \"0\", expected a number of sectors from 1 to "
	       "36028797018963967");
	refuse("m: 0 36028797018963968 multipath 0 0 0 0",
	       "invalid table length: LENGTH is \"36028797018963968\", expected a number of "
	       "sectors from 1 to 36028797018963967");
	refuse("vg-lv: 0 2097152 linear 8:0 2048",
	       "not a multipath table: the target type is \"linear\", expected \"multipath\"");
	refuse("x: 0 8388608 striped 2 128 8:0 0 8:16 0",
	       "not a multipath table: the target type is \"striped\", expected \"multipath\"");
	/* So many args no hardware handler has. */
	refuse("0 1025 linear 8:0 2048",
	       "not a multipath table: the target type is \"linear\", expected \"multipath\"");

	/* Words are counted over the parameters. */
	refuse("mpatha: 0 2097152 multipath 9",
	       "invalid number of feature args: word 1 is \"9\", expected a number from 0 to 8");
	refuse("0 2097152 multipath", "invalid number of feature args: the table is empty, "
				      "expected a number from 0 to 8");
	refuse("mpatha:", "invalid number of feature args: the table is empty, expected a number "
			  "from 0 to 8");
	refuse("mpatha: 0 2097152 multipath 0 0 1 1 round-robin 0 1 1 sda 1",
	       "error getting device: word 9 is \"sda\", expected MAJOR:MINOR or an absolute path "
	       "name");
}

static void test_words_in_errors_are_cut_and_escaped(void)
{
	refuse("\x01\xc3\xa9\\\"\\\\",
	       "invalid number of feature args: word 1 is "
	       "\"\\x01\\xc3\\xa9\\\"\\\\\", expected a number from 0 to 8");
	refuse("0123456789012345678901234567890123456789012345678901234567890123",
	       "invalid number of feature args: word 1 is "
	       "\"0123456789012345678901234567890123456789012345678901234567890123\", expected a "
	       "number from 0 to 8");
	refuse("0123456789012345678901234567890123456789012345678901234567890123x",
	       "invalid number of feature args: word 1 is "
	       "\"0123456789012345678901234567890123456789012345678901234567890123...\", expected "
	       "a number from 0 to 8");
}

static void test_too_long(void)
{
	char *text;
	struct mpath_table *t;

	text = repeat("0 0 0 0", " ", TABLE_TEXT_MAX - 7);
	accept_and_free(text);
	free(text);
	text = repeat("0 0 0 0", " ", TABLE_TEXT_MAX - 6);
	refuse(text, "table too long: it has 262145 bytes, expected at most 262144");
	free(text);
	text = repeat("", "0 ", 200000);
	refuse(text, "table too long: it has 400000 bytes, expected at most 262144");
	free(text);

	text = repeat("0 0 1 1 round-robin 0 1 0 /", "d", TABLE_WORD_MAX - 1);
	t = accept(text);
	assert(strlen(t->groups[0].paths[0].address) == TABLE_WORD_MAX);
	mpath_table_free(t);
	free(text);
	text = repeat("0 0 1 1 round-robin 0 1 0 /", "d", TABLE_WORD_MAX);
	refuse(text, "word too long: word 9 is "
		     "\"/ddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd...\", "
		     "expected at most 4095 bytes");
	free(text);
	text = repeat("", "0", 5000);
	refuse(text, "word too long: word 1 is "
		     "\"0000000000000000000000000000000000000000000000000000000000000000...\", "
		     "expected at most 4095 bytes");
	free(text);

	/* As many groups as fit into the text, whatever was announced. */
	text = repeat("0 0 1 1", " round-robin 0 1 0 8:0", 11000);
	refuse(text, "priority group count mismatch: word 3 is \"1\", expected 11000, as many as "
		     "follow");
	free(text);
}

/* The caller may have said already where the table comes from. */
static void test_the_error_is_appended(void)
{
	struct mpath_table *table;
	struct strbuf error;

	strbuf_init(&error, error_text, sizeof(error_text));
	strbuf_printf(&error, "mpatha.map: table: ");
	assert(mpath_table_parse("0 0 x", &table, &error) == -EINVAL);
	expect_error("mpatha.map: table: invalid number of priority groups: word 3 is \"x\", "
		     "expected a number from 0 to 1024");
}

/* Cut anywhere, or with any byte changed, a table is taken or refused, and nothing is leaked. */
static void test_damaged_tables(void)
{
	static const char good[] = "m: 0 9 multipath 3 queue_if_no_path queue_mode bio 1 alua 2 1 "
				   "round-robin 1 x 2 1 8:16 1 /dev/sd\\c 7 round-robin 0 1 0 8:48";
	static const char bytes[] = "019: \\x/\n\xff";
	char text[sizeof(good)];
	struct mpath_table *table;

	accept_and_free(good);
	for (size_t i = 0; i < sizeof(good) - 1; i++) {
		strcpy(text, good);
		for (size_t b = 0; b < sizeof(bytes); b++) {
			text[i] = bytes[b]; /* the last one is NUL: cut */
			parse(text, &table);
			mpath_table_free(table);
		}
	}
}

/* --- Tables from paths --- */

static int from_paths(const char *const *paths, unsigned int nr, const char *grouping,
		      const char *selector, struct mpath_table **table)
{
	struct strbuf error;
	int err;

	strbuf_init(&error, error_text, sizeof(error_text));
	err = mpath_table_from_paths(paths, nr, grouping, selector, NULL, table, &error);
	assert(err ? !*table && error.len : *table && !error.len);
	return err;
}

static void test_failover_is_a_group_per_path(void)
{
	const char *const paths[] = {"/dev/sda", "8:16", "/dev/disk/by-id/x"};
	struct mpath_table *t;

	assert(from_paths(paths, 3, "failover", "round-robin", &t) == 0);
	assert(t->nr_groups == 3 && t->initial_group == 1);
	for (unsigned int i = 0; i < 3; i++) {
		assert(t->groups[i].nr_paths == 1);
		assert(!strcmp(t->groups[i].paths[0].address, paths[i]));
		assert(t->groups[i].selector == path_selector_find("round-robin"));
		assert(t->groups[i].paths[0].argc == 1);
		assert(!strcmp(t->groups[i].paths[0].argv[0], "1"));
	}
	assert(!t->queue_if_no_path && !t->hw_handler && !t->has_length && !t->nr_warnings);
	mpath_table_free(t);
}

static void test_multibus_is_one_group(void)
{
	const char *const paths[] = {"/dev/sda", "/dev/my disk\\1"};
	struct mpath_table *t;

	assert(from_paths(paths, 2, "multibus", "round-robin", &t) == 0);
	assert(t->nr_groups == 1 && t->initial_group == 1);
	assert(t->groups[0].nr_paths == 2);
	assert(!strcmp(t->groups[0].paths[0].address, "/dev/sda"));
	assert(!strcmp(t->groups[0].paths[1].address, "/dev/my disk\\1"));
	mpath_table_free(t);
}

static void test_the_largest_list_of_paths(void)
{
	static const char *paths[1025];
	static const char *const groupings[] = {"failover", "multibus"};
	struct mpath_table *t;

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		paths[i] = "/dev/disk/by-id/wwn-0x5000";
	for (size_t i = 0; i < ARRAY_SIZE(groupings); i++) {
		assert(from_paths(paths, 1024, groupings[i], "round-robin", &t) == 0);
		assert(t->nr_groups == (i ? 1 : 1024));
		mpath_table_free(t);
		assert(from_paths(paths, 1025, groupings[i], "round-robin", &t) == -EINVAL);
		expect_error("invalid number of paths: there are 1025, expected at most 1024");
	}
}

static void test_errors_of_path_lists(void)
{
	const char *const paths[] = {"/dev/sda", "sdb", ""};
	struct mpath_table *t;

	assert(from_paths(NULL, 0, "failover", "round-robin", &t) == -EINVAL);
	expect_error("no device given: expected at least one path");
	assert(from_paths(paths, 0, "multibus", "round-robin", &t) == -EINVAL);
	expect_error("no device given: expected at least one path");
	assert(from_paths(paths, 2, "failover", "round-robin", &t) == -EINVAL);
	expect_error("error getting device: path 2 is \"sdb\", expected MAJOR:MINOR or an absolute "
		     "path name");
	assert(from_paths(paths + 2, 1, "multibus", "round-robin", &t) == -EINVAL);
	expect_error("error getting device: path 1 is \"\", expected MAJOR:MINOR or an absolute "
		     "path name");
	assert(from_paths(paths, 1, "group_by_prio", "round-robin", &t) == -EINVAL);
	expect_error("unknown grouping \"group_by_prio\", this version has: failover, multibus");
	assert(from_paths(paths, 1, "", "round-robin", &t) == -EINVAL);
	expect_error("unknown grouping \"\", this version has: failover, multibus");
	assert(from_paths(paths, 1, "failover", "least-pending", &t) == -EINVAL);
	expect_error("unknown path selector type: \"least-pending\", this version has: "
		     "round-robin, queue-length, service-time, historical-service-time, "
		     "io-affinity");
	assert(from_paths(paths, 1, "failover", "io-affinity", &t) == -EINVAL);
	expect_error("path selector type \"io-affinity\" needs an argument for each path, "
		     "expected a table");
	assert(from_paths(paths, 1, "multibus", "", &t) == -EINVAL);
	expect_error("unknown path selector type: \"\", this version has: round-robin, "
		     "queue-length, service-time, historical-service-time, io-affinity");
}

/* --- Numbers, for everyone who reads words --- */

static void test_numbers(void)
{
	uint64_t n = 99;

	assert(!parse_number("", 10, &n) && !parse_number("1 ", 10, &n) && n == 99);
	assert(parse_number("0", 0, &n) && n == 0);
	assert(!parse_number("1", 0, &n));
	assert(parse_number("10", 10, &n) && n == 10);
	assert(!parse_number("11", 10, &n) && !parse_number("100", 10, &n));
	assert(parse_number("5", 5, &n) && !parse_number("6", 5, &n));
	assert(parse_number("18446744073709551615", UINT64_MAX, &n) && n == UINT64_MAX);
	assert(!parse_number("18446744073709551616", UINT64_MAX, &n));
	assert(!parse_number("99999999999999999999", UINT64_MAX, &n));
}

int main(void)
{
	test_a_table_as_multipathd_writes_it();
	test_a_table_without_paths();
	test_args_of_selector_and_paths();
	test_features_in_any_order_and_case();
	test_all_eight_feature_words();
	test_queue_modes();
	test_bio_mode_ignores_the_hardware_handler();
	test_more_than_one_command_per_turn_is_said_once();
	test_an_initial_group_beyond_the_last();
	test_what_dmsetup_prints_before_the_parameters();
	test_any_white_space_separates_words();
	test_backslashes();
	test_leading_zeros();
	test_the_largest_table_numbers();
	test_free_of_nothing();

	test_feature_errors();
	test_feature_value_errors();
	test_hardware_handler_errors();
	test_group_number_errors();
	test_group_count_errors();
	test_selector_errors();
	test_path_number_errors();
	test_device_errors();
	test_prefix_errors();
	test_words_in_errors_are_cut_and_escaped();
	test_too_long();
	test_the_error_is_appended();
	test_damaged_tables();

	test_failover_is_a_group_per_path();
	test_multibus_is_one_group();
	test_the_largest_list_of_paths();
	test_errors_of_path_lists();
	test_numbers();
	return 0;
}
