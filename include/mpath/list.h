/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Intrusive doubly linked list.
 *
 * A node is embedded in the object that it links, so linking never allocates.  A node that is on
 * no list points to itself: list_del() leaves it so, and list_empty() of a node asks "is it on a
 * list?".  No locking: a list belongs to one thread.
 */
#ifndef MPATH_LIST_H
#define MPATH_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *prev;
	struct list *next;
};

#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

static inline void list_init(struct list *head)
{
	head->prev = head;
	head->next = head;
}

static inline bool list_empty(const struct list *head)
{
	return head->next == head;
}

static inline void list_push_front(struct list *head, struct list *node)
{
	struct list *first = head->next;

	node->prev = head;
	node->next = first;
	first->prev = node;
	head->next = node;
}

static inline void list_push_back(struct list *head, struct list *node)
{
	struct list *last = head->prev;

	node->prev = last;
	node->next = head;
	last->next = node;
	head->prev = node;
}

static inline void list_del(struct list *node)
{
	struct list *prev = node->prev, *next = node->next;

	prev->next = next;
	next->prev = prev;
	list_init(node);
}

/* Move all nodes of @from to the end of @head, in order; @from is empty afterwards. */
static inline void list_splice(struct list *head, struct list *from)
{
	if (list_empty(from))
		return;
	from->next->prev = head->prev;
	head->prev->next = from->next;
	from->prev->next = head;
	head->prev = from->prev;
	list_init(from);
}

/* Take the first node off the list; NULL when the list is empty. */
static inline struct list *list_pop(struct list *head)
{
	struct list *node = head->next;

	if (node == head)
		return NULL;
	list_del(node);
	return node;
}

#define list_first_entry(head, type, member) container_of((head)->next, type, member)

#define list_for_each_entry(pos, head, member)                                                     \
	for (pos = container_of((head)->next, __typeof__(*pos), member); &pos->member != (head);   \
	     pos = container_of(pos->member.next, __typeof__(*pos), member))

/* As above; @pos may be removed from the list, @tmp may not. */
#define list_for_each_entry_safe(pos, tmp, head, member)                                           \
	for (pos = container_of((head)->next, __typeof__(*pos), member),                           \
	    tmp = container_of(pos->member.next, __typeof__(*pos), member);                        \
	     &pos->member != (head);                                                               \
	     pos = tmp, tmp = container_of(tmp->member.next, __typeof__(*tmp), member))

#endif
