/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The intrusive list: order is kept, and a node always knows whether it is on a list.
 */
#include <assert.h>
#include <string.h>

#include "mpath/list.h"

struct item {
	char name;
	struct list node;
};

static struct item a = {.name = 'a'};
static struct item b = {.name = 'b'};
static struct item c = {.name = 'c'};

static void new_items(struct list *head)
{
	list_init(head);
	list_init(&a.node);
	list_init(&b.node);
	list_init(&c.node);
}

/* The names on the list must be @expected, read in both directions. */
static void expect(struct list *head, const char *expected)
{
	const char *name = expected + strlen(expected);
	struct item *item;

	for (struct list *node = head->prev; node != head; node = node->prev)
		assert(name > expected && container_of(node, struct item, node)->name == *--name);
	assert(name == expected);

	list_for_each_entry(item, head, node)
		assert(item->name == *name++);
	assert(!*name);
	assert(list_empty(head) == !*expected);
}

static void test_push_back_queues_and_push_front_jumps_the_queue(void)
{
	struct list head;

	new_items(&head);
	expect(&head, "");
	list_push_back(&head, &a.node);
	expect(&head, "a");
	list_push_back(&head, &b.node);
	expect(&head, "ab");
	list_push_front(&head, &c.node);
	expect(&head, "cab");
	assert(list_first_entry(&head, struct item, node) == &c);
}

static void test_a_node_knows_whether_it_is_on_a_list(void)
{
	struct list head;

	new_items(&head);
	assert(list_empty(&a.node));
	list_push_back(&head, &a.node);
	list_push_back(&head, &b.node);
	list_push_back(&head, &c.node);
	assert(!list_empty(&b.node));

	list_del(&b.node);
	assert(list_empty(&b.node));
	expect(&head, "ac");

	/* Taking off what is on no list changes nothing. */
	list_del(&b.node);
	expect(&head, "ac");
}

static void test_pop_takes_from_the_front_until_nothing_is_left(void)
{
	struct list head;

	new_items(&head);
	list_push_back(&head, &a.node);
	list_push_back(&head, &b.node);
	assert(list_pop(&head) == &a.node);
	assert(list_empty(&a.node));
	assert(list_pop(&head) == &b.node);
	assert(list_pop(&head) == NULL);
	expect(&head, "");
}

static void test_splice_appends_everything_and_empties_the_source(void)
{
	struct list head, from;

	new_items(&head);
	list_init(&from);
	list_splice(&head, &from); /* nothing to nothing */
	expect(&head, "");

	list_push_back(&from, &a.node);
	list_push_back(&from, &b.node);
	list_splice(&head, &from);
	expect(&head, "ab");
	expect(&from, "");

	list_push_back(&from, &c.node);
	list_splice(&head, &from);
	expect(&head, "abc");

	list_splice(&head, &from);
	expect(&head, "abc");
	expect(&from, "");
}

static void test_nodes_may_leave_during_a_safe_walk(void)
{
	struct item *item, *tmp;
	struct list head;

	new_items(&head);
	list_push_back(&head, &a.node);
	list_push_back(&head, &b.node);
	list_push_back(&head, &c.node);
	list_for_each_entry_safe(item, tmp, &head, node)
		if (item != &b)
			list_del(&item->node);
	expect(&head, "b");
	list_for_each_entry_safe(item, tmp, &head, node)
		list_del(&item->node);
	expect(&head, "");
}

int main(void)
{
	test_push_back_queues_and_push_front_jumps_the_queue();
	test_a_node_knows_whether_it_is_on_a_list();
	test_pop_takes_from_the_front_until_nothing_is_left();
	test_splice_appends_everything_and_empties_the_source();
	test_nodes_may_leave_during_a_safe_walk();
	return 0;
}
