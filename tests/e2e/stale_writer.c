/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A load that notices when old data comes back (e2e/stale-write.py, e2e/fence.py).
 *
 *	e2e_stale_writer DEVICE
 *
 * The beginning of the device is divided into stretches of blocks.  A stretch is read, and compared
 * with what was acknowledged last; then each of its blocks is written with the next generation, by
 * a command of its own, all at once; then the other stretches have their turn.  So each write is
 * read back before its block is written again, and whatever goes back meanwhile is seen.  Several
 * stretches are under way: those whose writes wait for a fence do not hold up the others.
 *
 * For each line on stdin all that is under way comes to its end, all stretches are read, and a line
 * on stdout says "WRITES STALE ERRORS": writes that were acknowledged and then read back, blocks in
 * which something else than the last acknowledged write was found, and commands that failed.  Then
 * it goes on, until stdin ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NR_STRETCHES  32
#define NR_BLOCKS     4 /* of each */
#define BLOCK_BYTES   4096
#define STRETCH_BYTES (NR_BLOCKS * BLOCK_BYTES)
#define NR_WORDS      (BLOCK_BYTES / sizeof(uint64_t))
#define MAX_ACTIVE    12 /* few: what lands between a stretch's read and its writes is not seen */

struct stretch {
	off_t place;
	uint64_t (*blocks)[NR_WORDS];	/* what is transferred */
	uint64_t generation[NR_BLOCKS]; /* what was written last */
	bool known[NR_BLOCKS];		/* it was acknowledged, and so must be there */
	struct iocb commands[NR_BLOCKS];
	unsigned int nr_out;	/* of them */
	unsigned int nr_unread; /* writes that were acknowledged since the last read */
	bool check_only;	/* this time it is not written */
};

static struct stretch stretches[NR_STRETCHES];
static unsigned int nr_active;
static int fd;
static aio_context_t context;
static uint64_t nr_writes, nr_stale, nr_errors;

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static void prepare(struct stretch *s, unsigned int nr, unsigned int opcode, size_t length)
{
	s->commands[nr] = (struct iocb){
		.aio_data = (uintptr_t)s,
		.aio_lio_opcode = (uint16_t)opcode,
		.aio_fildes = (uint32_t)fd,
		.aio_buf = (uintptr_t)s->blocks[nr],
		.aio_nbytes = length,
		.aio_offset = s->place + nr * BLOCK_BYTES,
	};
}

static void submit(struct stretch *s, unsigned int nr)
{
	struct iocb *commands[NR_BLOCKS];

	for (unsigned int i = 0; i < nr; i++)
		commands[i] = &s->commands[i];
	s->nr_out = nr;
	for (unsigned int done = 0; done < nr;) {
		long more = syscall(SYS_io_submit, context, nr - done, &commands[done]);

		if (more <= 0)
			die("io_submit");
		done += (unsigned int)more;
	}
}

static void start_read(struct stretch *s, bool check_only)
{
	nr_active++;
	s->check_only = check_only;
	prepare(s, 0, IOCB_CMD_PREAD, STRETCH_BYTES);
	submit(s, 1);
}

static void start_writes(struct stretch *s)
{
	for (unsigned int i = 0; i < NR_BLOCKS; i++) {
		s->generation[i]++;
		s->known[i] = false;
		for (unsigned int word = 0; word < NR_WORDS; word++)
			s->blocks[i][word] = s->generation[i];
		prepare(s, i, IOCB_CMD_PWRITE, BLOCK_BYTES);
	}
	submit(s, NR_BLOCKS);
}

/* Every word of a block is the generation, so that a torn one is seen, too. */
static void check_block(struct stretch *s, unsigned int nr)
{
	if (!s->known[nr])
		return;
	for (unsigned int word = 0; word < NR_WORDS; word++) {
		if (s->blocks[nr][word] == s->generation[nr])
			continue;
		nr_stale++;
		s->known[nr] = false; /* it counts once */
		return;
	}
}

static void read_ended(struct stretch *s, int64_t result)
{
	if (result != STRETCH_BYTES) {
		nr_errors++;
	} else {
		for (unsigned int i = 0; i < NR_BLOCKS; i++)
			check_block(s, i);
		nr_writes += s->nr_unread;
	}
	s->nr_unread = 0;
	if (s->check_only)
		nr_active--;
	else
		start_writes(s);
}

static void write_ended(struct stretch *s, unsigned int nr, int64_t result)
{
	if (result == BLOCK_BYTES) {
		s->known[nr] = true;
		s->nr_unread++;
	} else {
		nr_errors++;
	}
	if (!s->nr_out)
		nr_active--;
}

/* Waits for the end of a command at least. */
static void take_ended(void)
{
	struct io_event events[32];
	long nr = syscall(SYS_io_getevents, context, 1L, 32L, events, NULL);

	if (nr < 0 && errno != EINTR)
		die("io_getevents");
	for (long i = 0; i < nr; i++) {
		struct stretch *s = (struct stretch *)(uintptr_t)events[i].data;
		const struct iocb *command = (const struct iocb *)(uintptr_t)events[i].obj;

		s->nr_out--;
		if (command->aio_lio_opcode == IOCB_CMD_PREAD)
			read_ended(s, events[i].res);
		else
			write_ended(s, (unsigned int)(command - s->commands), events[i].res);
	}
}

/* The next stretches in turn, but for those whose turn has not ended yet. */
static void go_on(void)
{
	static unsigned int next;

	while (nr_active < MAX_ACTIVE) {
		struct stretch *s = &stretches[next++ % NR_STRETCHES];

		if (!s->nr_out)
			start_read(s, false);
	}
}

static void come_to_an_end(void)
{
	while (nr_active)
		take_ended();
}

static void check_all(void)
{
	come_to_an_end();
	for (unsigned int i = 0; i < NR_STRETCHES; i++) {
		start_read(&stretches[i], true);
		come_to_an_end();
	}
	printf("%ju %ju %ju\n", (uintmax_t)nr_writes, (uintmax_t)nr_stale, (uintmax_t)nr_errors);
	fflush(stdout);
}

/* Whether there is a line, or the end, on stdin. */
static bool is_asked(void)
{
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};

	return poll(&input, 1, 0) > 0;
}

static void set_up(const char *device)
{
	fd = open(device, O_RDWR | O_DIRECT);
	if (fd < 0)
		die(device);
	if (syscall(SYS_io_setup, MAX_ACTIVE * NR_BLOCKS, &context))
		die("io_setup");
	for (unsigned int i = 0; i < NR_STRETCHES; i++) {
		stretches[i].place = (off_t)i * STRETCH_BYTES;
		stretches[i].blocks = aligned_alloc(BLOCK_BYTES, STRETCH_BYTES);
		if (!stretches[i].blocks)
			die("memory");
	}
}

int main(int argc, char **argv)
{
	char line[80];

	if (argc != 2) {
		fprintf(stderr, "usage: e2e_stale_writer DEVICE\n");
		return 2;
	}
	set_up(argv[1]);
	for (;;) {
		go_on();
		take_ended();
		if (!is_asked())
			continue;
		if (read(STDIN_FILENO, line, sizeof(line)) <= 0)
			break;
		check_all();
	}
	come_to_an_end();
	return 0;
}
