// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which disks become paths of a map that is given by its WWID, and which paths leave it?
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "core/registry.h"
#include "runtime/finder.h"

/* What the map was told: "+/dev/sda -/dev/sdb ". */
static char told[400];
static const char *refused; /* by the map, unless that path has left */

static const char *open_as[2]; /* the path of that address is open, its disk is that node */

static bool leads_to(void *arg, const char *address, const char *node)
{
	(void)arg;
	return open_as[0] && strcmp(open_as[0], address) == 0 && strcmp(open_as[1], node) == 0;
}

static bool add(void *arg, const char *address)
{
	(void)arg;
	if (refused && strcmp(address, refused) == 0)
		return false;
	snprintf(told + strlen(told), sizeof(told) - strlen(told), "+%s ", address);
	return true;
}

static void leave(void *arg, const char *address)
{
	(void)arg;
	refused = NULL;
	snprintf(told + strlen(told), sizeof(told) - strlen(told), "-%s ", address);
}

static const struct finder_ops ops = {.leads_to = leads_to, .add = add, .remove = leave};

/* @disks: pairs of address and node, NULL at the end; the first @nr_unsure cannot tell. */
static void see(struct found_disks *known, unsigned int nr_unsure, const char *const *disks)
{
	struct found_disks seen = {0};

	for (; *disks; disks += 2)
		assert(found_disks_add(&seen, disks[0], disks[1]));
	for (unsigned int i = 0; i < nr_unsure; i++)
		seen.disks[i].sure = false;
	told[0] = '\0';
	finder_compare(known, &seen, &ops, NULL);
	found_disks_clear(&seen);
}

#define SEE(known, nr_unsure, ...) see(known, nr_unsure, (const char *const[]){__VA_ARGS__, NULL})

static void expect(const char *text)
{
	if (strcmp(told, text) != 0)
		fprintf(stderr, "told \"%s\", expected \"%s\"\n", told, text);
	assert(strcmp(told, text) == 0);
}

/* Each disk comes once and goes once; new ones first, so that commands have somewhere to go. */
static void test_come_and_go(void)
{
	struct found_disks known = {0};

	SEE(&known, 0, "/dev/sda", "/dev/sda", "/dev/sdb", "/dev/sdb");
	expect("+/dev/sda +/dev/sdb ");
	SEE(&known, 0, "/dev/sdb", "/dev/sdb", "/dev/sda", "/dev/sda");
	expect("");
	SEE(&known, 0, "/dev/sdb", "/dev/sdb", "/dev/sdc", "/dev/sdc");
	expect("+/dev/sdc -/dev/sda ");
	SEE(&known, 0, NULL);
	expect("-/dev/sdb -/dev/sdc ");
	found_disks_clear(&known);
}

/* udev is late with the name of a place: the disk is the same.  Another disk at the place, too. */
static void test_names(void)
{
	struct found_disks known = {0};

	SEE(&known, 0, "/dev/sda", "/dev/sda");
	SEE(&known, 0, "/place/1", "/dev/sda");
	expect("");
	SEE(&known, 0, "/place/1", "/dev/sdb");
	expect("+/place/1 -/dev/sda ");
	SEE(&known, 0, "/place/1", "/dev/sdc");
	expect("");
	found_disks_clear(&known);
}

/* An administrator's word names none of the places: its disk is where the path is open, so long. */
static void test_words(void)
{
	struct found_disks known = {0};

	assert(found_disks_add(&known, "/dev/mine", "/dev/mine"));
	open_as[0] = "/dev/mine";
	open_as[1] = "/dev/sda";
	SEE(&known, 0, "/place/1", "/dev/sda");
	expect("");
	open_as[1] = "/dev/sdb";
	SEE(&known, 0, "/place/2", "/dev/sda", "/place/1", "/dev/sdb");
	expect("+/place/2 ");
	open_as[0] = NULL;
	SEE(&known, 0, "/place/2", "/dev/sda", "/place/3", "/dev/sdb");
	expect("+/place/3 -/dev/mine ");
	found_disks_clear(&known);
}

/* Two sessions to one portal: udev has one name for both disks.  Each is a path, by its sdX. */
static void test_one_name_for_two(void)
{
	struct found_disks known = {0};

	SEE(&known, 0, "/place/1", "/dev/sda", "/place/1", "/dev/sdb", "/place/2", "/dev/sdc");
	expect("+/dev/sda +/dev/sdb +/place/2 ");
	found_disks_clear(&known);

	SEE(&known, 0, "/place/1", "/dev/sda");
	expect("+/place/1 ");
	open_as[0] = "/place/1";
	open_as[1] = "/dev/sda";
	SEE(&known, 0, "/place/1", "/dev/sda", "/place/1", "/dev/sdb");
	expect("+/dev/sdb ");
	/* The name is the other one's now: that is a path already. */
	open_as[0] = "/dev/sdb";
	open_as[1] = "/dev/sdb";
	SEE(&known, 0, "/place/1", "/dev/sdb");
	expect("-/place/1 ");
	SEE(&known, 0, "/place/1", "/dev/sdb");
	expect("");
	open_as[0] = NULL;
	found_disks_clear(&known);
}

/* A disk that cannot tell what it is: a known one stays, another does not come. */
static void test_unsure(void)
{
	struct found_disks known = {0};

	SEE(&known, 1, "/dev/sda", "/dev/sda", "/dev/sdb", "/dev/sdb");
	expect("+/dev/sdb ");
	SEE(&known, 2, "/dev/sda", "/dev/sda", "/dev/sdb", "/dev/sdb");
	expect("");
	SEE(&known, 0, "/dev/sda", "/dev/sda", "/dev/sdb", "/dev/sdb");
	expect("+/dev/sda ");
	found_disks_clear(&known);
}

/* The map takes a new disk for a path that is gone: it gets in after that.  Or it is asked again.
 */
static void test_refused(void)
{
	struct found_disks known = {0};

	SEE(&known, 0, "/place/1", "/dev/sda");
	refused = "/dev/sda";
	SEE(&known, 0, "/dev/sda", "/dev/sda");
	expect("-/place/1 +/dev/sda ");

	refused = "/dev/sdb";
	SEE(&known, 0, "/dev/sda", "/dev/sda", "/dev/sdb", "/dev/sdb");
	expect("");
	refused = NULL;
	SEE(&known, 0, "/dev/sda", "/dev/sda", "/dev/sdb", "/dev/sdb");
	expect("+/dev/sdb ");
	found_disks_clear(&known);
}

static struct mpath_table *table_for(const struct found_disks *known, const char *head_words,
				     enum grouping grouping)
{
	struct mpath_table *head, *table;
	struct strbuf error;
	char text[200];

	strbuf_init(&error, text, sizeof(text));
	assert(mpath_table_parse(head_words, &head, &error) == 0);
	head->find_hw_handler = true;
	assert(finder_table(known, head, grouping, "queue-length", &table, &error) == 0);
	mpath_table_free(head);
	return table;
}

/* The policy makes the table, and there is one without a path. */
static void test_table(void)
{
	struct found_disks known = {0};
	struct mpath_table *table;

	table = table_for(&known, "1 queue_if_no_path 0 0 0", GROUPING_MULTIBUS);
	assert(table->nr_groups == 0 && table->queue_if_no_path && table->find_hw_handler);
	mpath_table_free(table);
	SEE(&known, 0, "/dev/sda", "/dev/sda", "/dev/sdb", "/dev/sdb");
	table = table_for(&known, "0 2 alua 1 0 0", GROUPING_MULTIBUS);
	assert(table->nr_groups == 1 && table->groups[0].nr_paths == 2);
	assert(!table->queue_if_no_path && table->find_hw_handler);
	assert(table->hw_handler == hw_handler_find("alua") && table->hw_argc == 1);
	mpath_table_free(table);
	table = table_for(&known, "0 0 0 0", GROUPING_GROUP_BY_PRIO);
	assert(table->nr_groups == 2);
	mpath_table_free(table);
	found_disks_clear(&known);
}

int main(void)
{
	test_come_and_go();
	test_names();
	test_words();
	test_one_name_for_two();
	test_unsure();
	test_refused();
	test_table();
	return 0;
}
