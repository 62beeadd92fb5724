/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bench_handler ROOT HANDLER MAPS PATHS
 *
 * Runs contenders on request.  ROOT is a directory with the files of a machine (tests/bench/handler
 * makes it) with so many maps of so many paths each, HANDLER our plug-in.  A line of standard
 * input asks, a line of standard output answers:
 *
 *	CONTENDER DEPTH COMMANDS
 *		-> COMMANDS NS KICKS TRANSPORT LOOP CMDPROC SWITCHES
 *
 * NS is the process's CPU time, TRANSPORT the system calls to sg nodes, LOOP and CMDPROC the others
 * of these two threads, SWITCHES the voluntary context switches.  The contenders:
 *
 *	direct		the same sg nodes without anything else: the limit
 *	ring		the ring alone, answered in place: what playing the kernel costs
 *	each		a handler that sends each command at once, waits for it, and kicks for it
 *	ours		handler_mpath.so
 *	exact		the same, with exact counts: time stands still
 *	rounds		so on all maps one after another, DEPTH commands each, and again
 *	warm-up		the same in time
 */
#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "mpath/tcmu_ring_abi.h"
#include "stub.h"

static uint8_t buffers[DEPTH_MAX][IO_BYTES] __attribute__((aligned(IO_BYTES)));

static void fill_header(struct sg_io_hdr *hdr, uint8_t *cdb, void *data, uint8_t *sense)
{
	*hdr = (struct sg_io_hdr){.interface_id = 'S',
				  .dxfer_direction = SG_DXFER_FROM_DEV,
				  .cmd_len = 10,
				  .cmdp = cdb,
				  .dxferp = data,
				  .dxfer_len = IO_BYTES,
				  .mx_sb_len = 96,
				  .sbp = sense,
				  .timeout = 30000};
}

static int open_sg(unsigned int number)
{
	char name[32];

	snprintf(name, sizeof(name), "/dev/sg%u", number);
	return open(name, O_RDWR | O_NONBLOCK);
}

/* --- direct --- */

struct direct_slot {
	int fd;
	uint32_t block;
	uint8_t *data;
	uint8_t cdb[10];
	uint8_t sense[96];
};

static struct direct_slot direct_slots[DEPTH_MAX];
static int direct_epoll = -1;

static void direct_begin(void)
{
	direct_epoll = epoll_create1(EPOLL_CLOEXEC);
	for (unsigned int i = 0; i < DEPTH_MAX; i++) {
		struct direct_slot *slot = &direct_slots[i];
		struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = slot};

		slot->fd = open_sg(i % NR_PATHS);
		slot->data = buffers[i];
		epoll_ctl(direct_epoll, EPOLL_CTL_ADD, slot->fd, &event);
	}
}

static void direct_send(struct direct_slot *slot)
{
	struct sg_io_hdr hdr;

	slot->block = disk_some_block();
	disk_read10(slot->cdb, slot->block);
	fill_header(&hdr, slot->cdb, slot->data, slot->sense);
	if (write(slot->fd, &hdr, sizeof(hdr)) < 0)
		abort();
}

static void direct_receive(struct direct_slot *slot)
{
	struct sg_io_hdr hdr = {.interface_id = 'S'};

	if (read(slot->fd, &hdr, sizeof(hdr)) < 0 || hdr.status)
		abort();
	disk_check(slot->data, slot->block);
}

static void direct_run(unsigned int depth, unsigned int commands)
{
	struct epoll_event events[DEPTH_MAX];
	unsigned int sent = 0, received = 0;

	if (direct_epoll < 0)
		direct_begin();
	/* What an edge from the last run may still tell is no answer. */
	while (epoll_wait(direct_epoll, events, DEPTH_MAX, 0) > 0)
		;
	while (sent < depth && sent < commands)
		direct_send(&direct_slots[sent++]);
	while (received < commands) {
		int n = epoll_wait(direct_epoll, events, DEPTH_MAX, -1);

		for (int i = 0; i < n; i++) {
			direct_receive(events[i].data.ptr);
			received++;
			if (sent++ < commands)
				direct_send(events[i].data.ptr);
		}
	}
}

/* --- ring --- */

static void ring_run(unsigned int depth, unsigned int commands)
{
	struct kernel_dev *dev = kernel_dev(RING_DEV);

	kernel_start(dev, depth, commands, false);
	while (kernel_answer_all(dev))
		;
}

/* --- each --- */

static int each_fds[NR_PATHS];
static unsigned int each_turn;

static int each_open(struct tcmu_device *dev, bool reopen)
{
	(void)dev, (void)reopen;
	for (unsigned int i = 0; i < NR_PATHS; i++)
		each_fds[i] = open_sg(i);
	return 0;
}

static void each_close(struct tcmu_device *dev)
{
	(void)dev;
}

static bool each_check_config(const char *cfgstring, char **reason)
{
	(void)cfgstring, (void)reason;
	return true;
}

/* One thread, and commands are answered in the ring's order: so the tail is where the answer goes.
 */
static void each_answer(struct kernel_dev *dev, uint8_t status)
{
	size_t len;
	uint8_t *mem = kernel_memory(dev, &len);
	struct ring_mailbox *mailbox = (struct ring_mailbox *)(void *)mem;
	void *entry = mem + mailbox->ring_off + mailbox->tail;
	struct ring_response *response = entry;
	uint32_t entry_len = response->header.len_op & ~RING_OP_MASK;

	response->scsi_status = status;
	__atomic_store_n(&mailbox->tail, (mailbox->tail + entry_len) % mailbox->ring_size,
			 __ATOMIC_RELEASE);
}

static int each_handle_cmd(struct tcmu_device *dev, struct tcmur_cmd *tcmur_cmd)
{
	int fd = each_fds[each_turn++ % NR_PATHS];
	struct tcmulib_cmd *cmd;
	struct sg_io_hdr hdr;
	const uint32_t nothing = 0;

	memcpy(&cmd, tcmur_cmd, sizeof(cmd));
	fill_header(&hdr, cmd->cdb, cmd->iovec[0].iov_base, cmd->sense_buf);
	if (write(fd, &hdr, sizeof(hdr)) < 0 || read(fd, &hdr, sizeof(hdr)) < 0)
		abort();
	each_answer(kernel_dev(EACH_DEV), hdr.status);
	free(cmd);
	if (write(runner_uio_fd(dev), &nothing, sizeof(nothing)) < 0)
		abort();
	return TCMU_STS_ASYNC_HANDLED;
}

static struct tcmur_handler each_handler = {
	.name = "each",
	.subtype = "each",
	.cfg_desc = "submit and kick for each command",
	.check_config = each_check_config,
	.open = each_open,
	.close = each_close,
	.handle_cmd = each_handle_cmd,
};

static void each_run(unsigned int depth, unsigned int commands)
{
	kernel_start(kernel_dev(EACH_DEV), depth, commands, false);
	kernel_wait(kernel_dev(EACH_DEV));
}

/* --- ours --- */

static void ours_run(unsigned int depth, unsigned int commands)
{
	kernel_start(kernel_dev(0), depth, commands, false);
	kernel_wait(kernel_dev(0));
}

static void exact_run(unsigned int depth, unsigned int commands)
{
	kernel_start(kernel_dev(0), depth, commands, true);
	kernel_wait(kernel_dev(0));
}

static unsigned int nr_maps;

static void all_maps(unsigned int depth, unsigned int commands, bool exact)
{
	for (unsigned int i = 0; i < commands / depth; i++) {
		kernel_start(kernel_dev(i % nr_maps), depth, depth, exact);
		kernel_wait(kernel_dev(i % nr_maps));
	}
}

static void rounds_run(unsigned int depth, unsigned int commands)
{
	clock_stop(true);
	all_maps(depth, commands, true);
	clock_stop(false);
}

static void warm_up_run(unsigned int depth, unsigned int commands)
{
	all_maps(depth, commands, false);
}

/* --- requests --- */

static const struct contender {
	const char *name;
	void (*run)(unsigned int depth, unsigned int commands);
} contenders[] = {
	{"direct", direct_run},	  {"ring", ring_run},	{"each", each_run},
	{"ours", ours_run},	  {"exact", exact_run}, {"rounds", rounds_run},
	{"warm-up", warm_up_run},
};

static uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static long switches(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_nvcsw;
}

static void measure(const struct contender *contender, unsigned int depth, unsigned int commands)
{
	const struct calls *after = contender->run == exact_run ? exact_calls : calls;
	const struct calls *cmdproc = &after[ROLE_CMDPROC], *loop = &after[ROLE_LOOP];
	struct calls before[NR_ROLES];
	uint64_t kicks = kernel_kicks(), ns;
	long waits = switches();

	memcpy(before, calls, sizeof(before));
	ns = cpu_ns();
	contender->run(depth, commands);
	ns = cpu_ns() - ns;
	printf("%u %ju %ju %ju %ju %ju %ld\n", commands, (uintmax_t)ns,
	       (uintmax_t)(kernel_kicks() - kicks),
	       (uintmax_t)(cmdproc->transport - before[ROLE_CMDPROC].transport + loop->transport -
			   before[ROLE_LOOP].transport),
	       (uintmax_t)(loop->others - before[ROLE_LOOP].others),
	       (uintmax_t)(cmdproc->others - before[ROLE_CMDPROC].others), switches() - waits);
	fflush(stdout);
}

static const struct contender *find_contender(const char *name)
{
	for (size_t i = 0; i < sizeof(contenders) / sizeof(contenders[0]); i++)
		if (!strcmp(contenders[i].name, name))
			return &contenders[i];
	fprintf(stderr, "no contender %s\n", name);
	exit(2);
}

int main(int argc, char **argv)
{
	char line[100], name[32], file[300];
	unsigned int depth, commands;

	if (argc != 5) {
		fprintf(stderr, "usage: bench_handler ROOT HANDLER MAPS PATHS\n");
		return 2;
	}
	nr_maps = (unsigned int)strtoul(argv[3], NULL, 10);
	snprintf(file, sizeof(file), "%s/hot-file", argv[1]);
	disk_begin(file, (unsigned int)strtoul(argv[4], NULL, 10));
	calls_begin(argv[1]);
	runner_begin(argv[2], &each_handler);
	role = ROLE_LOOP;
	while (fgets(line, sizeof(line), stdin)) {
		if (sscanf(line, "%31s %u %u", name, &depth, &commands) != 3 || !depth ||
		    depth > DEPTH_MAX) {
			fprintf(stderr, "expected CONTENDER DEPTH COMMANDS: %s", line);
			return 2;
		}
		measure(find_contender(name), depth, commands);
	}
	return 0;
}
