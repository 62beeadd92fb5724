/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A load that notices when old data comes back (e2e/stale-write.py, e2e/fence.py).
 *
 *	e2e_stale_writer DEVICE
 *
 * Threads write their own blocks again and again, each time with the next generation, and before
 * that they read what is there: so whatever has gone back since the last time is seen, before it is
 * overwritten.  For each line on stdin they stop, all blocks are read, and a line on
 * stdout says "WRITES STALE ERRORS": what was written, in how many blocks something older than the
 * last acknowledged write was found, and what failed.  Then they go on, until stdin ends.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NR_WRITERS 8
#define NR_BLOCKS  16 /* of each writer */
#define BLOCK_SIZE 4096

struct writer {
	pthread_t thread;
	unsigned int number;
	uint64_t acknowledged[NR_BLOCKS]; /* generation; 0: none yet */
	uint64_t *block;		  /* what is transferred */
};

static struct writer writers[NR_WRITERS];
static int fd;
static atomic_uint_fast64_t nr_writes, nr_stale, nr_errors;

/* Writers run between two turns of the turnstile. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool paused, ended;
static unsigned int nr_paused;

static off_t place(const struct writer *w, unsigned int nr)
{
	return ((off_t)w->number * NR_BLOCKS + nr) * BLOCK_SIZE;
}

/* Every word of the block is the generation, so that a torn one is seen, too. */
static void check_block(struct writer *w, unsigned int nr)
{
	if (!w->acknowledged[nr])
		return;
	if (pread(fd, w->block, BLOCK_SIZE, place(w, nr)) != BLOCK_SIZE) {
		atomic_fetch_add(&nr_errors, 1);
		return;
	}
	for (unsigned int i = 0; i < BLOCK_SIZE / sizeof(*w->block); i++) {
		if (w->block[i] == w->acknowledged[nr])
			continue;
		atomic_fetch_add(&nr_stale, 1);
		return;
	}
}

static void write_block(struct writer *w, unsigned int nr)
{
	uint64_t generation = w->acknowledged[nr] + 1;

	for (unsigned int i = 0; i < BLOCK_SIZE / sizeof(*w->block); i++)
		w->block[i] = generation;
	if (pwrite(fd, w->block, BLOCK_SIZE, place(w, nr)) != BLOCK_SIZE) {
		atomic_fetch_add(&nr_errors, 1);
		return;
	}
	w->acknowledged[nr] = generation;
	atomic_fetch_add(&nr_writes, 1);
}

/* False: it is over. */
static bool turnstile(void)
{
	bool go_on;

	pthread_mutex_lock(&lock);
	nr_paused++;
	pthread_cond_broadcast(&changed);
	while (paused && !ended)
		pthread_cond_wait(&changed, &lock);
	nr_paused--;
	go_on = !ended;
	pthread_mutex_unlock(&lock);
	return go_on;
}

static void *write_blocks(void *arg)
{
	struct writer *w = arg;

	for (unsigned int nr = 0; turnstile(); nr = (nr + 1) % NR_BLOCKS) {
		check_block(w, nr);
		write_block(w, nr);
	}
	return NULL;
}

static void set_paused(bool value)
{
	pthread_mutex_lock(&lock);
	paused = value;
	pthread_cond_broadcast(&changed);
	while (paused && nr_paused < NR_WRITERS)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
}

static void check_all(void)
{
	for (unsigned int i = 0; i < NR_WRITERS; i++)
		for (unsigned int nr = 0; nr < NR_BLOCKS; nr++)
			check_block(&writers[i], nr);
	printf("%ju %ju %ju\n", (uintmax_t)nr_writes, (uintmax_t)nr_stale, (uintmax_t)nr_errors);
	fflush(stdout);
}

static void start(void)
{
	for (unsigned int i = 0; i < NR_WRITERS; i++) {
		struct writer *w = &writers[i];

		w->number = i;
		w->block = aligned_alloc(BLOCK_SIZE, BLOCK_SIZE);
		if (!w->block || pthread_create(&w->thread, NULL, write_blocks, w))
			abort();
	}
}

static void end(void)
{
	pthread_mutex_lock(&lock);
	ended = true;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	for (unsigned int i = 0; i < NR_WRITERS; i++) {
		pthread_join(writers[i].thread, NULL);
		free(writers[i].block);
	}
}

int main(int argc, char **argv)
{
	char line[80];

	fd = argc == 2 ? open(argv[1], O_RDWR | O_DIRECT) : -1;
	if (fd < 0) {
		perror(argc == 2 ? argv[1] : "usage: e2e_stale_writer DEVICE");
		return 2;
	}
	start();
	while (fgets(line, sizeof(line), stdin)) {
		set_paused(true);
		check_all();
		set_paused(false);
	}
	end();
	close(fd);
	return 0;
}
