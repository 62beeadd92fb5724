/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * io-affinity path selector
 *
 * Sends each command down the path that the table gives to the CPU from which it came; down another
 * one if that path has failed, or if no path belongs to the CPU.
 *
 * Table arguments per path:	<CPU mask>: hexadecimal, groups of 32 bits with commas in between,
 *				as in /sys; a CPU that an earlier path has already is ignored
 * Status words per path:	<commands so far from CPUs without a path>, the same for each path
 *
 * This is dm's io-affinity, but for three things: dm looks first for a path of another CPU on the
 * same NUMA node, here the lowest CPU with a usable path serves all others; masks are printed as
 * short as they can be, not padded to the number of the machine's CPUs; and a CPU that the machine
 * does not have is not ignored, as it never comes.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mpath/path_selector.h"

#define NR_CPUS	     1024
#define MASK_BITS    32
#define MASK_WORDS   (NR_CPUS / MASK_BITS)
#define WARNING_SIZE 80

struct cpu_mask {
	uint32_t words[MASK_WORDS];
};

struct io_affinity {
	struct ioa_path *path_of[NR_CPUS]; /* NULL: none */
	struct ioa_path *other;		   /* the lowest CPU's that is usable; NULL: none */
	unsigned int map_misses;
	struct list paths; /* all */
	char warning[WARNING_SIZE];
};

struct ioa_path {
	struct list node;
	struct path *path;
	struct cpu_mask mask;
	bool failed;
};

/* --- CPU masks, as the kernel reads and prints bitmaps --- */

static int hex_digit(char c)
{
	const char *const digits = "0123456789abcdefABCDEF";
	const char *at = c ? strchr(digits, c) : NULL;

	if (!at)
		return -1;
	return (int)(at - digits) - (at - digits > 15 ? 6 : 0);
}

/* One group of digits, which ends before @end; false: not hexadecimal, or more than 32 bits. */
static bool parse_group(const char *start, const char *end, uint32_t *word)
{
	if (end - start > MASK_BITS / 4)
		return false;
	for (*word = 0; start < end; start++) {
		int digit = hex_digit(*start);

		if (digit < 0)
			return false;
		*word = *word << 4 | (uint32_t)digit;
	}
	return true;
}

/* From the right, since the last group has the lowest CPUs.  Empty groups are skipped, as in dm. */
static bool parse_mask(const char *text, struct cpu_mask *mask)
{
	const char *end = text + strlen(text);
	unsigned int nr = 0;

	memset(mask, 0, sizeof(*mask));
	for (;;) {
		const char *start = end;

		while (start != text && start[-1] != ',')
			start--;
		if (start != end) {
			if (nr == MASK_WORDS || !parse_group(start, end, &mask->words[nr]))
				return false;
			nr++;
		}
		if (start == text)
			return true;
		end = start - 1;
	}
}

static void print_mask(struct strbuf *out, const struct cpu_mask *mask)
{
	int nr = MASK_WORDS - 1;

	while (nr > 0 && !mask->words[nr])
		nr--;
	strbuf_printf(out, "%x", mask->words[nr]);
	while (nr-- > 0)
		strbuf_printf(out, ",%08x", mask->words[nr]);
	strbuf_printf(out, " ");
}

static bool mask_has(const struct cpu_mask *mask, unsigned int cpu)
{
	return mask->words[cpu / MASK_BITS] >> cpu % MASK_BITS & 1;
}

/* --- Group and paths --- */

static int ioa_create(struct path_selector *ps, int argc, const char *const *argv,
		      const char **error)
{
	struct io_affinity *ioa = calloc(1, sizeof(*ioa));

	/* dm takes any words here and uses none. */
	(void)argc;
	(void)argv;

	if (!ioa) {
		*error = "out of memory";
		return -ENOMEM;
	}
	list_init(&ioa->paths);
	ps->context = ioa;
	return 0;
}

static void ioa_destroy(struct path_selector *ps)
{
	struct io_affinity *ioa = ps->context;
	struct list *node;

	while ((node = list_pop(&ioa->paths)))
		free(container_of(node, struct ioa_path, node));
	free(ioa);
	ps->context = NULL;
}

/* Done when a path changes, so that a command need not look for it. */
static void ioa_find_other(struct io_affinity *ioa)
{
	unsigned int cpu;

	ioa->other = NULL;
	for (cpu = 0; cpu < NR_CPUS && !ioa->other; cpu++)
		if (ioa->path_of[cpu] && !ioa->path_of[cpu]->failed)
			ioa->other = ioa->path_of[cpu];
}

/* Returns the number of CPUs that the path got; @error becomes a warning when it did not get all.
 */
static unsigned int ioa_take_cpus(struct io_affinity *ioa, struct ioa_path *ip, const char **error)
{
	unsigned int cpu, nr = 0;

	for (cpu = 0; cpu < NR_CPUS; cpu++) {
		if (!mask_has(&ip->mask, cpu))
			continue;
		if (ioa->path_of[cpu]) {
			snprintf(ioa->warning, sizeof(ioa->warning),
				 "io-affinity ps: CPU mapping for %u exists. Ignoring.", cpu);
			*error = ioa->warning;
			continue;
		}
		ioa->path_of[cpu] = ip;
		nr++;
	}
	return nr;
}

static int ioa_add_path(struct path_selector *ps, struct path *path, int argc,
			const char *const *argv, const char **error)
{
	struct io_affinity *ioa = ps->context;
	struct ioa_path *ip;

	if (argc != 1) {
		*error = "io-affinity ps: invalid number of arguments";
		return -EINVAL;
	}
	ip = calloc(1, sizeof(*ip));
	if (!ip) {
		*error = "io-affinity ps: Error allocating path context";
		return -ENOMEM;
	}
	if (!parse_mask(argv[0], &ip->mask)) {
		*error = "io-affinity ps: invalid cpumask";
		goto free_path;
	}
	if (!ioa_take_cpus(ioa, ip, error)) {
		*error = "io-affinity ps: No new/valid CPU mapping found";
		goto free_path;
	}
	ip->path = path;
	path->selector_data = ip;
	list_push_back(&ioa->paths, &ip->node);
	ioa_find_other(ioa);
	return 0;

free_path:
	free(ip);
	return -EINVAL;
}

static void ioa_fail_path(struct path_selector *ps, struct path *path)
{
	struct ioa_path *ip = path->selector_data;

	ip->failed = true;
	ioa_find_other(ps->context);
}

static void ioa_reinstate_path(struct path_selector *ps, struct path *path)
{
	struct ioa_path *ip = path->selector_data;

	ip->failed = false;
	ioa_find_other(ps->context);
}

static struct path *ioa_select_path(struct path_selector *ps, const struct select_hint *hint)
{
	struct io_affinity *ioa = ps->context;
	bool known = hint->cpu >= 0 && hint->cpu < NR_CPUS;
	struct ioa_path *ip = known ? ioa->path_of[hint->cpu] : NULL;

	if (ip && !ip->failed)
		return ip->path;
	if (!ip)
		ioa->map_misses++;
	return ioa->other ? ioa->other->path : NULL;
}

static void ioa_status(struct path_selector *ps, struct path *path, enum status_type type,
		       struct strbuf *out)
{
	struct io_affinity *ioa = ps->context;
	struct ioa_path *ip;

	if (!path) {
		strbuf_printf(out, "0 ");
		return;
	}
	ip = path->selector_data;
	switch (type) {
	case STATUS_INFO:
		strbuf_printf(out, "%u ", ioa->map_misses);
		return;
	case STATUS_TABLE:
		print_mask(out, &ip->mask);
		return;
	}
}

const struct path_selector_type io_affinity_selector = {
	.name = "io-affinity",
	.table_args = 1,
	.info_args = 1,
	.only_in_table = true,
	.create = ioa_create,
	.destroy = ioa_destroy,
	.add_path = ioa_add_path,
	.fail_path = ioa_fail_path,
	.reinstate_path = ioa_reinstate_path,
	.select_path = ioa_select_path,
	.status = ioa_status,
};
