/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory that is short on demand, for a program that is linked with --wrap=malloc and so on (see
 * CMakeLists.txt).  Only the handler's own allocations are meant: GLib ends the process when it
 * gets no memory, as tcmu-runner itself does.
 */
#ifndef TESTS_NO_MEMORY_H
#define TESTS_NO_MEMORY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static atomic_int allocations_left; /* until one fails; it fails once */
static atomic_uint nr_allocations;
static void (*on_allocation)(void); /* NULL, or called by each: what happens meanwhile */

/* The nth from now on, by whatever thread; 0: none. */
static inline void fail_allocation(int nth)
{
	atomic_store(&allocations_left, nth);
}

static inline bool allocation_has_failed(void)
{
	return atomic_load(&allocations_left) <= 0;
}

static inline bool allocation_fails(void)
{
	atomic_fetch_add(&nr_allocations, 1);
	if (on_allocation)
		on_allocation();
	return atomic_fetch_sub(&allocations_left, 1) == 1;
}

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size)
{
	return allocation_fails() ? NULL : __real_malloc(size);
}

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size)
{
	return allocation_fails() ? NULL : __real_calloc(n, size);
}

void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size)
{
	return allocation_fails() ? NULL : __real_realloc(old, size);
}

void *__real_reallocarray(void *old, size_t n, size_t size);
void *__wrap_reallocarray(void *old, size_t n, size_t size);
void *__wrap_reallocarray(void *old, size_t n, size_t size)
{
	return allocation_fails() ? NULL : __real_reallocarray(old, n, size);
}

char *__real_strdup(const char *text);
char *__wrap_strdup(const char *text);
char *__wrap_strdup(const char *text)
{
	return allocation_fails() ? NULL : __real_strdup(text);
}

#endif
