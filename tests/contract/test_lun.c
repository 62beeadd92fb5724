/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A LUN from the ring to the paths and back, with all the threads that it has in tcmu-runner: the
 * kernel here, cmdproc, which is cancelled at the end as there, the owner thread and workers.  Each
 * command is answered once, with its own data; nothing is written afterwards.
 *
 * Kernel, tcmu-runner and backstore are played, and the transport is the fake one.
 */
#include <assert.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "contract/lib/fake.h"
#include "contract/lib/runner.h"
#include "runner/config.h"

static struct config_paths paths_here;
#define config_default_paths paths_here
#define sg_transport	     fake_transport
#define handler_init	     handler_init_here
int handler_init_here(void);
#include "runner/handler.c"
#include "runner/lun.c"
#include "runner/lun_commands.c"
#include "runner/lun_config.c"
#include "runtime/tally.h"

#define NR_LIVES    3
#define NR_COMMANDS 3000
#define NR_AT_END   12
#define NR_IDS	    24
#define CMD_BLOCKS  4
#define CMD_BYTES   (CMD_BLOCKS * FAKE_BLOCK_SIZE)
#define RING_OFF    128u
#define RING_SIZE   4096u /* not many entries: it is full now and then */
#define DATA_OFF    (RING_OFF + RING_SIZE)
#define MEM_SIZE    (DATA_OFF + NR_IDS * CMD_BYTES)
#define CDB_AT	    sizeof(struct ring_response)
#define ENTRY_SIZE  (uint32_t)(CDB_AT + 16)
#define TMR_SIZE    (uint32_t)(sizeof(struct ring_tmr) + 8)
#define NOT_HEARD   0x62 /* libtcmu would step over it */
#define WAIT_MS	    20000
#define MAP_FILE    "[multipath]\ntable=0 0 1 1 round-robin 0 2 1 8:0 1 8:16 1\n"

static char dir[] = "/tmp/mpath-lun.XXXXXX";
static struct fake_disk disk = {.serial = "disk-one"};
static struct fake_path fake_paths[2];

/* --- what is not on trial --- */

void log_sink_write(enum log_level level, const char *map, const char *path, const char *words)
{
	(void)map;
	(void)path;
	if (level != MPATH_LOG_INFO)
		fprintf(stderr, "%s\n", words);
}

void control_start(const struct control_hooks *hooks)
{
	(void)hooks;
}

int tcmur_register_handler(struct tcmur_handler *handler)
{
	(void)handler;
	return 0;
}

static atomic_uint nr_backstore_reads;
static _Atomic uint64_t backstore_size;
static atomic_bool is_unreadable;    /* the backstore */
static atomic_uint nr_sizes_refused; /* EMFILE is what they get */
static atomic_uint time_out_ms;

int backstore_open(struct backstore *backstore, const char *uio_name, struct strbuf *error)
{
	(void)uio_name;
	(void)error;
	*backstore = (struct backstore){.name = "lun", .instance = "boot 1"};
	return 0;
}

void backstore_close(struct backstore *backstore)
{
	(void)backstore;
}

/* There is news all the time. */
bool backstore_read(const struct backstore *backstore, struct mpath_backstore *attributes)
{
	(void)backstore;
	*attributes = (struct mpath_backstore){.block_size = FAKE_BLOCK_SIZE,
					       .size = backstore_size,
					       .cmd_time_out_ms = time_out_ms};
	snprintf(attributes->serial, sizeof(attributes->serial), "%u", ++nr_backstore_reads);
	return !is_unreadable;
}

static bool is_kept_first; /* the LUN's size, before the backstore has it */

static void look_for_kept_size(uint64_t size)
{
	char text[200];
	struct strbuf ignored;
	struct kept kept;

	strbuf_init(&ignored, text, sizeof(text));
	is_kept_first |=
		!state_load("k", &kept, &ignored) && kept.lun.nr_blocks * FAKE_BLOCK_SIZE == size;
}

int backstore_set_size(const struct backstore *backstore, uint64_t size)
{
	(void)backstore;
	look_for_kept_size(size);
	if (nr_sizes_refused) {
		nr_sizes_refused--;
		return -EMFILE;
	}
	backstore_size = size;
	return 0;
}

int backstore_want_tmr(const struct backstore *backstore)
{
	(void)backstore;
	return 0;
}

bool backstore_exists(const char *cfgstring)
{
	(void)cfgstring;
	return false;
}

/* --- the kernel --- */

struct command {
	bool is_out;
	bool is_named; /* by a TMR */
	uint8_t cdb[16];
};

static _Alignas(8) uint8_t mem[MEM_SIZE];
static struct tcmu_device device = {.cfgstring = "mpath/m", .shared = mem, .shared_len = MEM_SIZE};
static int kernel_fd;  /* the other end of the uio device */
static int drained_fd; /* the handler's end: nobody reads it there */
static uint32_t taken;
static struct command commands[NR_IDS]; /* by id; each has blocks of its own */
static int written[NR_IDS];		/* what stands there; -1: nobody knows */
static unsigned int nr_out, nr_aborted;
static uint32_t dice = 1;

static unsigned int roll(unsigned int sides)
{
	dice = dice * 1103515245 + 12345;
	return (dice >> 16) % sides;
}

static struct ring_mailbox *mailbox(void)
{
	return (struct ring_mailbox *)(void *)mem;
}

static uint8_t *data_of(unsigned int id)
{
	return mem + DATA_OFF + id * CMD_BYTES;
}

/* Room for an entry at the head, behind padding where it would cross the end; NULL: not now. */
static uint8_t *room_for(uint32_t len)
{
	uint32_t head = mailbox()->head, to_end = RING_SIZE - head;
	uint32_t needed = to_end < len ? to_end + len : len;

	if ((taken + RING_SIZE - head - 1) % RING_SIZE < needed)
		return NULL;
	if (to_end >= len)
		return mem + RING_OFF + head;
	*(struct ring_header *)(void *)(mem + RING_OFF + head) =
		(struct ring_header){.len_op = to_end | RING_OP_PAD};
	__atomic_store_n(&mailbox()->head, 0, __ATOMIC_RELEASE);
	return mem + RING_OFF;
}

static void move_head(uint32_t len)
{
	__atomic_store_n(&mailbox()->head, (mailbox()->head + len) % RING_SIZE, __ATOMIC_RELEASE);
}

static void raise_event(void)
{
	uint32_t event;

	while (recv(drained_fd, &event, sizeof(event), MSG_DONTWAIT) > 0)
		;
	event = 1;
	assert(send(kernel_fd, &event, sizeof(event), 0) == sizeof(event));
}

static int free_id(void)
{
	for (int id = 0; id < NR_IDS; id++)
		if (!commands[id].is_out)
			return id;
	return -1;
}

static void fill_cdb(unsigned int id, uint8_t opcode)
{
	struct command *command = &commands[id];
	uint8_t *cdb = command->cdb;

	memset(cdb, 0, sizeof(command->cdb));
	cdb[0] = opcode;
	if (opcode == INQUIRY) {
		cdb[1] = INQUIRY_EVPD;
		cdb[2] = 0x83;
		cdb[4] = 255;
	} else if (opcode != NOT_HEARD) {
		cdb[5] = (uint8_t)(id * CMD_BLOCKS);
		cdb[8] = CMD_BLOCKS;
	}
}

static bool put_command(uint8_t opcode)
{
	int id = free_id();
	uint8_t *entry = id < 0 ? NULL : room_for(ENTRY_SIZE);
	struct ring_request *request = (void *)entry;

	if (!entry)
		return false;
	fill_cdb((unsigned int)id, opcode);
	commands[id].is_out = true;
	commands[id].is_named = false;
	nr_out++;
	memset(entry, 0, ENTRY_SIZE);
	request->header =
		(struct ring_header){.len_op = ENTRY_SIZE | RING_OP_CMD, .cmd_id = (uint16_t)id};
	request->iov_cnt = 1;
	request->cdb_off = (uint64_t)(entry - mem) + CDB_AT;
	request->iov[0] =
		(struct ring_iovec){(uint64_t)(data_of((unsigned int)id) - mem), CMD_BYTES};
	memcpy(entry + CDB_AT, commands[id].cdb, sizeof(commands[id].cdb));
	memset(data_of((unsigned int)id), 0xdb, CMD_BYTES);
	if (opcode == 0x2a)
		memset(data_of((unsigned int)id), (int)roll(200), CMD_BYTES);
	move_head(ENTRY_SIZE);
	return true;
}

/* Task management for some command that is out. */
static bool put_tmr(void)
{
	unsigned int id = roll(NR_IDS);
	uint8_t *entry = commands[id].is_out ? room_for(TMR_SIZE) : NULL;
	struct ring_tmr *tmr = (void *)entry;
	uint16_t number = (uint16_t)id;

	if (!entry)
		return false;
	memset(entry, 0, TMR_SIZE);
	tmr->header = (struct ring_header){.len_op = TMR_SIZE | RING_OP_TMR};
	tmr->cmd_cnt = 1;
	memcpy(tmr->cmd_ids, &number, sizeof(number));
	commands[id].is_named = true;
	move_head(TMR_SIZE);
	return true;
}

/* Two may be told together. */
static void put_some(void)
{
	static const uint8_t usual[] = {0x28, 0x28, 0x28, 0x2a, 0x2a};
	unsigned int what = roll(40);

	if (what == 0)
		put_tmr();
	if (what == 1)
		put_command(NOT_HEARD);
	put_command(what == 2 ? INQUIRY : usual[roll(sizeof(usual))]);
	raise_event();
}

static bool is_all(const uint8_t *data, int byte)
{
	for (unsigned int i = 0; i < CMD_BYTES; i++)
		if (data[i] != byte)
			return false;
	return true;
}

static void check_good(unsigned int id)
{
	struct command *command = &commands[id];

	switch (command->cdb[0]) {
	case 0x28:
		assert(written[id] < 0 || is_all(data_of(id), written[id]));
		return;
	case 0x2a:
		written[id] = data_of(id)[0];
		return;
	default:
		assert(command->cdb[0] == INQUIRY && data_of(id)[1] == 0x83);
		return;
	}
}

static void take_answer(const struct ring_response *response)
{
	unsigned int id = response->header.cmd_id;
	struct command *command = &commands[id];

	assert(id < NR_IDS && command->is_out);
	command->is_out = false;
	nr_out--;
	if (command->cdb[0] == NOT_HEARD) {
		assert(response->scsi_status == SAM_CHECK_CONDITION ||
		       response->scsi_status == SAM_BUSY || command->is_named);
		return;
	}
	if (response->scsi_status == SAM_GOOD) {
		check_good(id);
		return;
	}
	nr_aborted += response->scsi_status == SAM_TASK_ABORTED;
	assert(command->is_named || response->scsi_status == SAM_BUSY);
	if (command->cdb[0] == 0x2a)
		written[id] = -1;
}

static void take_answers(void)
{
	uint32_t tail = __atomic_load_n(&mailbox()->tail, __ATOMIC_ACQUIRE);

	while (taken != tail) {
		const void *at = mem + RING_OFF + taken;
		const struct ring_header *header = at;

		if ((header->len_op & RING_OP_MASK) == RING_OP_CMD)
			take_answer(at);
		taken = (taken + (header->len_op & ~RING_OP_MASK)) % RING_SIZE;
	}
}

/* Until the handler kicks, or for a moment. */
static void wait_for_kick(void)
{
	struct pollfd kicked = {.fd = kernel_fd, .events = POLLIN};
	uint32_t kick;

	poll(&kicked, 1, 10);
	while (recv(kernel_fd, &kick, sizeof(kick), MSG_DONTWAIT) > 0)
		;
}

/* --- tcmu-runner --- */

/* TSan loses sight of a thread that is cancelled within a call: then nothing waits for another. */
#ifdef __SANITIZE_THREAD__
#define CLOSES_ITSELF false
#else
#define CLOSES_ITSELF true
#endif

/* As tcmu-runner does it, in the midst of its cancellation. */
static void cmdproc_ends(void *arg)
{
	(void)arg;
	if (CLOSES_ITSELF)
		lun_close(&device);
}

/* Nothing on the stack of who is cancelled: it is never left, as ASan would see. */
static void *cmdproc_run(void *arg)
{
	static uint32_t event;

	(void)arg;
	prctl(PR_SET_NAME, "cmdproc-uio0");
	pthread_cleanup_push(cmdproc_ends, NULL);
	assert(read(device.fd, &event, sizeof(event)) < 0 && !"cmdproc comes to the ring");
	pthread_cleanup_pop(0);
	return NULL;
}

/* --- the story --- */

static void begin_ring(void)
{
	int ends[2];

	assert(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends));
	device.fd = ends[0];
	kernel_fd = ends[1];
	drained_fd = dup(ends[0]);
	memset(mem, 0, sizeof(mem));
	*mailbox() = (struct ring_mailbox){.version = RING_VERSION,
					   .flags = RING_CAN_READ_LEN | RING_CAN_TMR,
					   .ring_off = RING_OFF,
					   .ring_size = RING_SIZE};
	taken = 0;
	memset(commands, 0, sizeof(commands));
	nr_out = 0;
}

static void end_ring(void)
{
	close(device.fd);
	close(drained_fd);
	close(kernel_fd);
}

static void serve(unsigned int nr)
{
	uint64_t until_ns = clock_now_ns() + WAIT_MS * NSEC_PER_MSEC;
	unsigned int i = 0;

	while (i < nr || nr_out) {
		for (unsigned int burst = roll(8); i < nr && burst; burst--, i++)
			put_some();
		wait_for_kick();
		take_answers();
		assert(i < nr || clock_now_ns() < until_ns);
	}
}

/* Removed while commands are out: in the ring, waiting for the backstore, and on the paths. */
static void end_in_flight(pthread_t cmdproc)
{
	static uint8_t after[MEM_SIZE];

	atomic_store(&fake_paths[0].delay_ms, 200);
	atomic_store(&fake_paths[1].delay_ms, 200);
	for (unsigned int i = 0; i < NR_AT_END; i++)
		put_some();
	pthread_cancel(cmdproc);
	pthread_join(cmdproc, NULL);
	if (!CLOSES_ITSELF)
		lun_close(&device);
	take_answers();
	assert(nr_out == 0);
	memcpy(after, mem, sizeof(mem));
	usleep(400 * 1000);
	assert(memcmp(after, mem, sizeof(mem)) == 0);
	atomic_store(&fake_paths[0].delay_ms, 0);
	atomic_store(&fake_paths[1].delay_ms, 0);
	for (unsigned int id = 0; id < NR_IDS; id++)
		written[id] = -1;
}

static void live(void)
{
	pthread_t cmdproc;

	begin_ring();
	assert(!lun_open(&device, false));
	assert(!pthread_create(&cmdproc, NULL, cmdproc_run, NULL));
	serve(NR_COMMANDS);
	end_in_flight(cmdproc);
	assert(!device.private);
	end_ring();
}

static void write_file(const char *name, const char *content)
{
	FILE *file = fopen(name, "w");

	assert(file && fputs(content, file) >= 0 && !fclose(file));
}

static void wait_for_size(uint64_t size)
{
	uint64_t until_ns = clock_now_ns() + WAIT_MS * NSEC_PER_MSEC;

	while (backstore_size != size) {
		assert(clock_now_ns() < until_ns);
		usleep(10 * 1000);
	}
}

/*
 * The backstore's size follows the LUN's, also if the backstore cannot be read or written when the
 * LUN is seen, or seen to have grown.
 */
static void test_size_follows(void)
{
	write_file("n.map", MAP_FILE);
	strcpy(device.cfgstring, "mpath/n"); /* the other one's initiators are not to hear of it */
	begin_ring();
	nr_sizes_refused = 1;
	assert(!lun_open(&device, false));
	wait_for_size(FAKE_NR_BLOCKS * FAKE_BLOCK_SIZE);
	is_unreadable = true;
	nr_sizes_refused = 1;
	atomic_store(&disk.nr_blocks, 2 * FAKE_NR_BLOCKS);
	fake_disk_resized("/dev/fake-8:0");
	sleep(2);
	is_unreadable = false;
	wait_for_size(2 * FAKE_NR_BLOCKS * FAKE_BLOCK_SIZE);
	lun_close(&device);
	assert(!nr_sizes_refused);
	end_ring();
	strcpy(device.cfgstring, "mpath/m");
	atomic_store(&disk.nr_blocks, 0);
	backstore_size = FAKE_NR_BLOCKS * FAKE_BLOCK_SIZE;
}

/*
 * Killed when it has kept the LUN's size, it has told the backstore before: the next process would
 * take the old size for one that the administrator has set.
 */
static void test_size_is_told_before_it_is_kept(void)
{
	write_file("k.map", MAP_FILE);
	strcpy(device.cfgstring, "mpath/k");
	backstore_size = 0;
	begin_ring();
	assert(!lun_open(&device, false));
	wait_for_size(FAKE_NR_BLOCKS * FAKE_BLOCK_SIZE);
	is_kept_first = false;
	atomic_store(&disk.nr_blocks, 2 * FAKE_NR_BLOCKS);
	fake_disk_resized("/dev/fake-8:0");
	wait_for_size(2 * FAKE_NR_BLOCKS * FAKE_BLOCK_SIZE);
	assert(!is_kept_first);
	lun_close(&device);
	end_ring();
	strcpy(device.cfgstring, "mpath/m");
	atomic_store(&disk.nr_blocks, 0);
	backstore_size = FAKE_NR_BLOCKS * FAKE_BLOCK_SIZE;
}

/* attrib/dev_size is written, as the kernel and tcmu-runner do it. */
static int write_size(uint64_t size)
{
	struct tcmulib_cfg_info info = {.type = TCMULIB_CFG_DEV_SIZE, .data.dev_size = size};
	int err = 0;

	if (size / FAKE_BLOCK_SIZE != device.num_lbas)
		err = lun_reconfig(&device, &info);
	if (err)
		return err;
	device.num_lbas = size / FAKE_BLOCK_SIZE;
	backstore_size = size;
	return 0;
}

/*
 * The LUN has grown since targetcli saved its configuration, and the machine was started anew: the
 * restore writes the old size, which the backstore has.  An administrator then sets the LUN's.
 */
static void test_size_of_old_is_restored(void)
{
	const uint64_t lun_size = FAKE_NR_BLOCKS * FAKE_BLOCK_SIZE, old_size = lun_size / 2;

	write_file("old.map", MAP_FILE);
	strcpy(device.cfgstring, "mpath/old");
	for (unsigned int life = 0; life < 2; life++) { /* the second knows the LUN */
		backstore_size = old_size;
		device.num_lbas = old_size / FAKE_BLOCK_SIZE;
		begin_ring();
		assert(!lun_open(&device, false));
		while (((struct lun *)device.private)->size != lun_size)
			usleep(1000);
		assert(!write_size(old_size));
		assert(write_size(old_size / 2) == -EOPNOTSUPP);
		assert(!write_size(lun_size));
		assert(!write_size(lun_size));
		assert(backstore_size == lun_size);
		lun_close(&device);
		end_ring();
	}
	strcpy(device.cfgstring, "mpath/m");
}

struct standstill {
	struct letter letter;
	unsigned int ms;
};

static void stand_still(struct letter *letter)
{
	usleep(container_of(letter, struct standstill, letter)->ms * 1000);
}

/*
 * tcmu-runner is stopped in the midst of a batch, before it looks into the ring.  The kernel has
 * answered by its cmd_time_out what came since then: such a write must not be sent, although the
 * batch has begun before it came.  The sg transport looks at the clock once more, this one does
 * not.
 */
static void test_standstill_in_a_batch(void)
{
	struct standstill first = {{.deliver = stand_still}, 100};
	struct standstill second = {{.deliver = stand_still}, 3300};
	struct loop *loop;

	write_file("s.map", MAP_FILE);
	strcpy(device.cfgstring, "mpath/s");
	time_out_ms = 3000;
	begin_ring();
	assert(!lun_open(&device, false));
	loop = ((struct lun *)device.private)->loop;
	loop_post(loop, &first.letter);
	usleep(50 * 1000); /* so that what is told now and the second are of one batch */
	assert(put_command(0x28));
	commands[0].is_named = true;
	raise_event();
	loop_post(loop, &second.letter);
	usleep(200 * 1000);
	assert(put_command(0x2a));
	commands[1].is_named = true; /* it may be answered as if it were */
	serve(0);
	assert(written[1] < 0);
	lun_close(&device);
	end_ring();
	time_out_ms = 0;
	strcpy(device.cfgstring, "mpath/m");
}

static gboolean quit(gpointer loop)
{
	g_main_loop_quit(loop);
	return G_SOURCE_CONTINUE;
}

static gboolean give_up(gpointer data)
{
	(void)data;
	assert(!"tcmu-runner does not end");
	return G_SOURCE_REMOVE;
}

/*
 * It is told to end while it opens its devices, when it does not listen yet: it ends all the same.
 * GLib's own thread has told all who listened by the time the others come.
 */
static void test_signal_at_start(void)
{
	GMainLoop *loop = g_main_loop_new(NULL, FALSE);

	listen_for_signals();
	raise(SIGTERM);
	usleep(300 * 1000);
	g_unix_signal_add(SIGINT, quit, loop);
	g_unix_signal_add(SIGTERM, quit, loop);
	g_timeout_add(WAIT_MS, give_up, NULL);
	g_main_loop_run(loop);
	g_main_loop_unref(loop);
}

int main(void)
{
	assert(mkdtemp(dir) && !chdir(dir));
	paths_here = (struct config_paths){
		.conf = "mpath.conf", .map_dir = ".", .last_good = ".last-good"};
	state_set_dir(dir);
	tally_set_dir(dir);
	mpath_log_set_sink(log_sink_write);
	fake_add_path(&fake_paths[0], "8:0", &disk);
	fake_add_path(&fake_paths[1], "8:16", &disk);
	write_file("m.map", MAP_FILE);
	for (unsigned int i = 0; i < NR_IDS; i++)
		written[i] = -1;
	test_size_follows();
	printf("ok   the size follows\n");
	test_size_is_told_before_it_is_kept();
	printf("ok   the size is told before it is kept\n");
	test_size_of_old_is_restored();
	printf("ok   an old size is restored\n");
	test_standstill_in_a_batch();
	printf("ok   a write that comes during a standstill\n");
	for (unsigned int i = 0; i < NR_LIVES; i++) {
		live();
		printf("ok   life %u, %u aborted so far\n", i + 1, nr_aborted);
	}
	fake_forget_paths();
	test_signal_at_start();
	printf("ok   a signal at the start\n");
	return 0;
}
