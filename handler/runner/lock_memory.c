// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Memory that stays.
 *
 * tcmu-runner is not ours: with all of it in memory, its other handlers' libraries and 8 MiB of
 * stack for each thread would be, too.  So pages are locked when they are first touched, those that
 * are there by now at once; and the programs through which a command passes are brought in as a
 * whole, since code that runs only when a path fails has not been touched yet.
 *
 * Not by mlockall(): that touches the data areas of the rings, too, where the kernel has no pages
 * yet and complains in its log, LUN by LUN.
 */
#include <link.h>
#include <scsi/sg_lib.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "runner/lock_memory.h"
#include "runtime/log.h"

static atomic_bool may_lock;

/* Less than everything would be no help: memory that is taken later could not be had at all. */
static bool may_lock_all(void)
{
	const struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
	struct rlimit limit;

	if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur == RLIM_INFINITY)
		return true;
	return setrlimit(RLIMIT_MEMLOCK, &all) == 0;
}

/* One function of each program that a command passes through. */
static bool is_on_the_way(uintptr_t begin, uintptr_t end)
{
	const uintptr_t functions[] = {
		(uintptr_t)lock_memory,		 /* our plug-in */
		(uintptr_t)sg_get_sense_key_str, /* libsgutils2 */
		(uintptr_t)read,		 /* libc */
	};

	for (unsigned int i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
		if (functions[i] >= begin && functions[i] < end)
			return true;
	return false;
}

static uintptr_t segment_begin(const struct dl_phdr_info *program, const ElfW(Phdr) * segment)
{
	return program->dlpi_addr + segment->p_vaddr;
}

static int bring_in(struct dl_phdr_info *program, size_t size, void *data)
{
	bool wanted = false;

	(void)size;
	(void)data;
	for (unsigned int i = 0; i < program->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &program->dlpi_phdr[i];
		uintptr_t begin = segment_begin(program, segment);

		wanted |= segment->p_type == PT_LOAD &&
			  is_on_the_way(begin, begin + segment->p_memsz);
	}
	for (unsigned int i = 0; wanted && i < program->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &program->dlpi_phdr[i];

		if (segment->p_type == PT_LOAD)
			mlock((void *)segment_begin(program, segment), segment->p_memsz);
	}
	return 0;
}

/* One line of /proc/self/maps.  What has no pages, or is gone again, need not be locked. */
static void lock_mapping(const char *line)
{
	unsigned long begin, end;

	if (sscanf(line, "%lx-%lx", &begin, &end) == 2 && !strstr(line, " /dev/uio"))
		mlock2((void *)begin, end - begin, MLOCK_ONFAULT);
}

void lock_memory(void)
{
	char line[4352]; /* a path name, and what stands before it */
	FILE *maps;

	if (!atomic_load(&may_lock))
		return;
	maps = fopen("/proc/self/maps", "re");
	if (!maps)
		return;
	while (fgets(line, sizeof(line), maps))
		lock_mapping(line);
	fclose(maps);
}

void lock_memory_begin(void)
{
	if (!may_lock_all()) {
		mpath_log(MPATH_LOG_WARN, NULL, NULL,
			  "cannot lock memory: an initiator on this host may hang when memory is "
			  "short: LimitMEMLOCK is not infinity");
		return;
	}
	atomic_store(&may_lock, true);
	lock_memory();
	dl_iterate_phdr(bring_in, NULL);
}
