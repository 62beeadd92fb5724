/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sg's slots when a system call fails: no descriptor for a slot, whatever write() and read() may
 * say, a loop that cannot watch, a device that goes away, an answer that comes too late.  A command
 * is reported once, with what is true, and its descriptor is closed once, unread if it was given
 * up.
 *
 * The kernel's side is played here: an sg node is a socket, whose other end answers.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <scsi/sg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "contract/lib/contract.h"
#include "runtime/worker.h"
#include "transports/sg_device.h"
#include "transports/sg_host.h"

static ssize_t write_here(int fd, const struct sg_io_hdr *hdr);
static ssize_t read_here(int fd, struct sg_io_hdr *hdr);
static int close_here(int fd);
static int ioctl_here(int fd, unsigned long what, void *to);
static int loop_watch_here(struct loop *loop, struct watch *watch);
static bool host_enter_here(struct sg_host *host, unsigned int mine, bool is_probe);
static void host_leave_here(struct sg_host *host, unsigned int nr_commands);

#define write(fd, hdr, len)	write_here(fd, hdr)
#define read(fd, hdr, len)	read_here(fd, hdr)
#define close(fd)		close_here(fd)
#define ioctl(fd, what, to)	ioctl_here(fd, what, to)
#define loop_watch(loop, watch) loop_watch_here(loop, watch)
#define sg_host_enter		host_enter_here
#define sg_host_leave		host_leave_here
#include "transports/sg.c"
#include "transports/sg_commands.c"
#include "transports/sg_orphans.c"
#include "transports/sg_slots.c"
#undef write
#undef read
#undef close
#undef ioctl
#undef loop_watch
#undef sg_host_enter
#undef sg_host_leave

#define SOON_MS	 5000
#define FDS_MAX	 256
#define SENT_MAX 8192
#define TUR	 "00 00 00 00 00 00"
#define READ_1	 "28 00 00 00 00 00 00 00 01 00"
#define WRITE_1	 "2a 00 00 00 00 00 00 00 01 00"
#define MARK	 0x5a

/* --- the kernel --- */

struct node {
	int other_end; /* -1: there is no such descriptor */
	bool is_out;   /* a command was written, and its answer not read */
	bool is_told;  /* the answer is there */
	struct sg_io_hdr hdr;
};

/* What a byte from the other end says. */
#define ANSWERED 'a'
#define NOTHING	 'n' /* it wakes the loop, and there is no answer */

static pthread_mutex_t node_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t node_changed = PTHREAD_COND_INITIALIZER;
static struct node nodes[FDS_MAX]; /* by the descriptor */
static int sent[SENT_MAX];	   /* the descriptors that were written to, in order */
static atomic_uint nr_sent, nr_reads, nr_closes, nr_nodes, nr_reserves;
static atomic_int nr_at_device; /* also those whose descriptor is closed: */
static unsigned int nr_closed_out;

/* What goes wrong; reset by begin(). */
static atomic_uint nr_opens_granted; /* before open_error counts */
static atomic_int open_error, write_error, read_error, watch_error, reserve_error;
static atomic_uint open_ms, write_ms;
static atomic_bool answers_at_once, may_close;

static void begin(void)
{
	nr_sent = nr_reads = nr_closes = nr_reserves = 0;
	nr_at_device = 0;
	nr_closed_out = 0;
	nr_opens_granted = open_ms = write_ms = 0;
	open_error = write_error = read_error = watch_error = reserve_error = 0;
	answers_at_once = may_close = true;
}

static void tell(struct node *node, char what)
{
	assert(send(node->other_end, &what, 1, MSG_NOSIGNAL) == 1);
}

static void answer_node(struct node *node)
{
	node->is_told = true;
	nr_at_device--;
	tell(node, ANSWERED);
}

int sg_open_node(const char *name, dev_t dev, mode_t type, int flags)
{
	int ends[2], err = 0;

	(void)name;
	(void)dev;
	(void)type;
	(void)flags;
	if (open_ms)
		contract_sleep_ms(open_ms);
	pthread_mutex_lock(&node_lock);
	if (nr_opens_granted)
		nr_opens_granted--;
	else
		err = open_error;
	if (!err) {
		assert(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
		assert(ends[0] < FDS_MAX);
		nodes[ends[0]] = (struct node){.other_end = ends[1]};
		nr_nodes++;
	}
	pthread_mutex_unlock(&node_lock);
	return err ? err : ends[0];
}

static int close_here(int fd)
{
	struct node *node = &nodes[fd];

	pthread_mutex_lock(&node_lock);
	while (!may_close)
		pthread_cond_wait(&node_changed, &node_lock);
	assert(node->other_end >= 0); /* it is closed once */
	close(node->other_end);
	node->other_end = -1;
	nr_closes++;
	nr_nodes--;
	nr_closed_out += node->is_out && !node->is_told;
	close(fd);
	pthread_cond_broadcast(&node_changed);
	pthread_mutex_unlock(&node_lock);
	return 0;
}

static int failed(int error)
{
	errno = error;
	return -1;
}

static ssize_t write_here(int fd, const struct sg_io_hdr *hdr)
{
	struct node *node = &nodes[fd];
	int error;

	if (write_ms)
		contract_sleep_ms(write_ms);
	pthread_mutex_lock(&node_lock);
	assert(!node->is_out && nr_sent < SENT_MAX);
	sent[nr_sent++] = fd;
	error = write_error;
	if (!error) {
		node->is_out = true;
		node->is_told = false;
		node->hdr = *hdr;
		nr_at_device++;
		if (answers_at_once)
			answer_node(node);
	}
	pthread_cond_broadcast(&node_changed);
	pthread_mutex_unlock(&node_lock);
	return error ? failed(error) : (ssize_t)sizeof(*hdr);
}

/* The data is copied where write() was told; status and sense, too. */
static void give_answer(struct node *node, struct sg_io_hdr *hdr)
{
	*hdr = node->hdr;
	hdr->status = hdr->host_status = hdr->driver_status = 0;
	hdr->resid = 0;
	hdr->sb_len_wr = 0;
	if (hdr->dxfer_direction == SG_DXFER_FROM_DEV)
		memset(hdr->dxferp, MARK, hdr->dxfer_len);
}

static ssize_t read_here(int fd, struct sg_io_hdr *hdr)
{
	struct node *node = &nodes[fd];
	int error = EAGAIN;
	char what;

	pthread_mutex_lock(&node_lock);
	assert(node->other_end >= 0 && node->is_out);
	if (recv(fd, &what, 1, MSG_DONTWAIT) == 1 && what == ANSWERED) {
		nr_reads++;
		node->is_out = false;
		error = read_error;
		if (!error)
			give_answer(node, hdr);
	}
	pthread_mutex_unlock(&node_lock);
	return error ? failed(error) : (ssize_t)sizeof(*hdr);
}

static int ioctl_here(int fd, unsigned long what, void *to)
{
	(void)fd;
	if (what == SG_GET_SCSI_ID)
		*(struct sg_scsi_id *)to = (struct sg_scsi_id){.host_no = 7};
	if (what != SG_SET_RESERVED_SIZE || *(int *)to == SG_RESERVE_MIN)
		return 0;
	nr_reserves++;
	return reserve_error ? failed(reserve_error) : 0;
}

static int loop_watch_here(struct loop *loop, struct watch *watch)
{
	return watch_error ? -watch_error : loop_watch(loop, watch);
}

static atomic_int nr_at_host;

static bool host_enter_here(struct sg_host *host, unsigned int mine, bool is_probe)
{
	bool may_enter = sg_host_enter(host, mine, is_probe);

	nr_at_host += may_enter;
	return may_enter;
}

static void host_leave_here(struct sg_host *host, unsigned int nr_commands)
{
	nr_at_host -= (int)nr_commands;
	check(nr_at_host >= 0);
	sg_host_leave(host, nr_commands);
}

int sg_disk_resolve(const char *address, struct sg_disk *disk, struct strbuf *reason)
{
	(void)address;
	(void)reason;
	*disk = (struct sg_disk){.name = "sda"};
	return 0;
}

int claim_take(const struct sg_disk *disk, const char *map, struct claim **claim,
	       struct strbuf *reason)
{
	(void)disk;
	(void)map;
	(void)reason;
	*claim = (struct claim *)&nodes;
	return 0;
}

void claim_release(struct claim *claim)
{
	assert(claim == (struct claim *)&nodes);
}

int sg_node_find(const struct sg_disk *disk, struct sg_node *node, struct strbuf *reason)
{
	(void)disk;
	(void)reason;
	*node = (struct sg_node){.name = "sg0",
				 .host = 7,
				 .queue_depth = 8,
				 .can_queue = 64,
				 .max_transfer_bytes = 1 << 20,
				 .session = -1};
	return 0;
}

void sg_counters_open(struct sg_counters *counters, const struct sg_disk *disk,
		      const struct sg_node *node)
{
	(void)counters;
	(void)disk;
	(void)node;
}

void sg_counters_close(struct sg_counters *counters)
{
	(void)counters;
}

int64_t sg_counters_read(const struct sg_counters *counters)
{
	(void)counters;
	return nr_at_device;
}

int64_t sg_counters_errors(const struct sg_counters *counters)
{
	(void)counters;
	return 0;
}

/* --- what the tests do --- */

static const struct rig rig = {.transport = &sg_transport, .paths = {"/dev/sda"}};

static struct contract_path *open_disk(void)
{
	char text[PATH_REASON_MAX];
	struct contract_path *path;
	struct path_facts facts;
	struct strbuf reason;

	strbuf_init(&reason, text, sizeof(text));
	path = contract_open(&rig, rig.paths[0], "m", &facts, &reason);
	check(path);
	return path;
}

static void close_disk(struct contract_path *path)
{
	contract_close(path);
	check(nr_nodes == 0);
}

static void until_sent(unsigned int nr)
{
	pthread_mutex_lock(&node_lock);
	while (nr_sent < nr)
		pthread_cond_wait(&node_changed, &node_lock);
	check(nr_sent == nr);
	pthread_mutex_unlock(&node_lock);
}

/* The command that was sent as the @i-th. */
static void answer(unsigned int i)
{
	pthread_mutex_lock(&node_lock);
	answer_node(&nodes[sent[i]]);
	pthread_mutex_unlock(&node_lock);
}

static void wake_for_nothing(unsigned int i)
{
	pthread_mutex_lock(&node_lock);
	tell(&nodes[sent[i]], NOTHING);
	pthread_mutex_unlock(&node_lock);
}

/* What is told from now on is lost, and poll() says that the device goes. */
static void hang_up(unsigned int i)
{
	pthread_mutex_lock(&node_lock);
	check(!shutdown(nodes[sent[i]].other_end, SHUT_WR));
	check(!shutdown(sent[i], SHUT_WR));
	pthread_mutex_unlock(&node_lock);
}

static void let_close(bool on)
{
	pthread_mutex_lock(&node_lock);
	may_close = on;
	pthread_cond_broadcast(&node_changed);
	pthread_mutex_unlock(&node_lock);
}

static struct contract_shot *tur(struct contract_path *path)
{
	return shot_new(path, TUR, SCSI_NO_DATA, 0, 1, 0);
}

static struct contract_shot *send_read(struct contract_path *path)
{
	struct contract_shot *shot = shot_new(path, READ_1, SCSI_DATA_IN, 512, 1, MARK);

	shot_submit(shot);
	return shot;
}

static void expect(struct contract_shot *shot, enum transport_error error)
{
	check(shot_wait(shot, SOON_MS));
	if (shot_io(shot)->result.transport != error)
		fprintf(stderr, "transport error %d\n", (int)shot_io(shot)->result.transport);
	check(shot_io(shot)->result.transport == error);
	check(shot_io(shot)->result.residual == (error ? shot_io(shot)->cmd.data_len : 0));
	shot_free(shot);
}

static void expect_good(struct contract_path *path)
{
	struct contract_shot *shot = send_read(path);

	check(shot_wait(shot, SOON_MS));
	check(((uint8_t *)shot_io(shot)->cmd.iov[0].iov_base)[511] == MARK);
	expect(shot, TRANSPORT_OK);
}

/* --- the stories --- */

/* There are no descriptors for more slots than the first: commands take turns. */
static void test_no_more_slots(void)
{
	struct contract_path *path = open_disk();
	struct contract_shot *shots[3];
	unsigned int i;

	open_error = -EMFILE;
	answers_at_once = false;
	for (i = 0; i < 3; i++)
		shots[i] = tur(path);
	shots_submit(shots, 3);
	for (i = 0; i < 3; i++) {
		until_sent(i + 1);
		answer(i);
		expect(shots[i], TRANSPORT_OK);
	}
	close_disk(path);
}

/* There is none at all: why decides whose fault that is.  Later there is one. */
static void test_no_slot(void)
{
	static const struct {
		int open;
		enum transport_error error;
	} cases[] = {
		{-EMFILE, TRANSPORT_BUSY}, {-ENFILE, TRANSPORT_BUSY},	 {-ENOMEM, TRANSPORT_BUSY},
		{-EBUSY, TRANSPORT_BUSY},  {-ENOENT, TRANSPORT_GONE},	 {-ENODEV, TRANSPORT_GONE},
		{-EINTR, TRANSPORT_BUSY},  {-ENXIO, TRANSPORT_NOT_SENT},
	};
	struct contract_path *path = NULL;
	unsigned int i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		begin();
		nr_opens_granted = 1; /* the anchor */
		open_error = cases[i].open;
		path = open_disk();
		expect(send_read(path), cases[i].error);
		check(nr_sent == 0);
		if (i + 1 < sizeof(cases) / sizeof(cases[0]))
			close_disk(path);
	}
	open_error = 0;
	contract_sleep_ms(1100);
	expect_good(path);
	close_disk(path);
}

/* write() refuses: told at once, asked once, and the slot serves on. */
static void test_write_fails(void)
{
	static const struct {
		int write;
		enum transport_error error;
	} cases[] = {
		{ENODEV, TRANSPORT_GONE},    {ENXIO, TRANSPORT_NOT_SENT},
		{EAGAIN, TRANSPORT_BUSY},    {ENOMEM, TRANSPORT_BUSY},
		{EBUSY, TRANSPORT_BUSY},     {EDOM, TRANSPORT_BUSY},
		{EINVAL, TRANSPORT_REFUSED}, {EMSGSIZE, TRANSPORT_REFUSED},
		{EPERM, TRANSPORT_REFUSED},  {EFAULT, TRANSPORT_FAULT},
		{EINTR, TRANSPORT_FAULT},    {EIO, TRANSPORT_FAULT},
	};
	struct contract_path *path = open_disk();
	unsigned int i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		write_error = cases[i].write;
		expect(send_read(path), cases[i].error);
		check(nr_sent == 2 * i + 1);
		write_error = 0;
		expect_good(path);
		check(sent[2 * i] == sent[2 * i + 1]);
	}
	close_disk(path);
}

/*
 * write() sleeps, as there is no memory or no tag: what was to be sent behind it may be too late by
 * then, although the batch began in time.  Both have a slot.
 */
static void test_write_sleeps(void)
{
	struct contract_path *path = open_disk();
	struct contract_shot *shots[2];
	unsigned int i;

	answers_at_once = false;
	for (i = 0; i < 2; i++)
		shots[i] = tur(path);
	shots_submit(shots, 2);
	until_sent(2);
	for (i = 0; i < 2; i++)
		answer(i);
	for (i = 0; i < 2; i++)
		expect(shots[i], TRANSPORT_OK);

	answers_at_once = true;
	write_ms = 300;
	for (i = 0; i < 2; i++) {
		shots[i] = shot_new(path, WRITE_1, SCSI_DATA_OUT, 512, 1, MARK);
		shot_io(shots[i])->cmd.class = CMD_IDEMPOTENT;
		shot_io(shots[i])->send_by_ns = clock_now_ns() + 150 * NSEC_PER_MSEC;
	}
	shots_submit(shots, 2);
	expect(shots[0], TRANSPORT_OK);
	expect(shots[1], TRANSPORT_BUSY);
	check(nr_sent == 3);

	/* Nor has one that has no deadline been told of to a next process as sent so late. */
	write_ms = 1200;
	for (i = 0; i < 2; i++) {
		shots[i] = shot_new(path, WRITE_1, SCSI_DATA_OUT, 512, 1, MARK);
		shot_io(shots[i])->cmd.class = CMD_IDEMPOTENT;
	}
	shots_submit(shots, 2);
	expect(shots[0], TRANSPORT_OK);
	expect(shots[1], TRANSPORT_BUSY);
	check(nr_sent == 4);
	close_disk(path);
}

/* The loop has no room for one more descriptor: nothing is sent whose answer nobody would hear. */
static void test_nobody_would_hear(void)
{
	struct contract_path *path = open_disk();

	watch_error = ENOSPC;
	expect(send_read(path), TRANSPORT_BUSY);
	check(nr_sent == 0);
	watch_error = 0;
	expect_good(path);
	close_disk(path);
}

/* The answer was there, and its data could not be copied: this command's, no other's, fault. */
static void test_read_faults(void)
{
	struct contract_path *path = open_disk();

	read_error = EFAULT;
	expect(send_read(path), TRANSPORT_FAULT);
	read_error = 0;
	expect_good(path);
	check(sent[0] == sent[1] && nr_closes == 0);
	close_disk(path);
}

/* The answer cannot be had: the command is lost, and told so after its descriptor is closed. */
static void test_read_fails(void)
{
	static const int errors[] = {ENODEV, ENXIO, EIO, EINTR};
	unsigned int i;

	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		struct contract_path *path = open_disk();
		struct contract_shot *shot;

		begin();
		read_error = errors[i];
		let_close(false);
		shot = send_read(path);
		check(!shot_wait(shot, 100));
		let_close(true);
		expect(shot, TRANSPORT_ORPHANED);
		check(nr_closes == 1);
		read_error = 0;
		expect_good(path);
		close_disk(path);
	}
}

/* Lost, and given up before that is told: handed back once, and not reported. */
static void test_lost_and_given_up(void)
{
	struct contract_path *path = open_disk();
	struct contract_shot *shot;

	read_error = ENODEV;
	let_close(false);
	shot = send_read(path);
	check(!shot_wait(shot, 100));
	shot_abandon(shot);
	check(!shot_wait(shot, 100));
	let_close(true);
	check(shot_wait(shot, SOON_MS));
	shot_free(shot);
	read_error = 0;
	expect_good(path);
	close_disk(path);
}

/* Given up, and then answered: not read, whatever the loop is told; handed back unread. */
static void test_given_up_and_answered(void)
{
	struct contract_path *path = open_disk();
	struct contract_shot *shot;

	answers_at_once = false;
	shot = send_read(path);
	let_close(false);
	shot_abandon(shot);
	answer(0);
	check(!shot_wait(shot, 100));
	check(nr_reads == 0 && *shot_data(shot) == (uint8_t)~MARK);
	let_close(true);
	check(shot_wait(shot, SOON_MS));
	check(*(uint8_t *)shot_io(shot)->cmd.iov[0].iov_base == (uint8_t)~MARK);
	shot_free(shot);
	answers_at_once = true;
	expect_good(path);
	close_disk(path);
}

/* A probe that was given up keeps its descriptor until it is answered, and is not read either. */
static void test_probe_given_up(void)
{
	struct contract_path *path = open_disk();
	struct contract_shot *probe = tur(path);

	answers_at_once = false;
	shot_io(probe)->is_probe = true;
	shot_submit(probe);
	shot_abandon(probe);
	check(shot_wait(probe, SOON_MS));
	shot_free(probe);
	check(nr_closes == 0);
	answer(0);
	answers_at_once = true;
	expect_good(path); /* through another slot */
	check(nr_reads == 1);
	pthread_mutex_lock(&node_lock);
	while (!nr_closes)
		pthread_cond_wait(&node_changed, &node_lock);
	pthread_mutex_unlock(&node_lock);
	close_disk(path);
}

/* The device goes away: an answer that still comes counts. */
static void test_answered_while_the_device_goes(void)
{
	struct contract_path *path = open_disk();
	struct contract_shot *shot;

	answers_at_once = false;
	shot = send_read(path);
	wake_for_nothing(0);
	check(!shot_wait(shot, 100));
	answer(0);
	hang_up(0);
	expect(shot, TRANSPORT_OK);
	close_disk(path);
}

/* One that never does is not waited for: the command is lost. */
static void test_lost_while_the_device_goes(void)
{
	struct contract_path *path = open_disk();
	uint64_t begin_ns = clock_now_ns();
	struct contract_shot *shot;

	answers_at_once = false;
	shot = send_read(path);
	hang_up(0);
	expect(shot, TRANSPORT_ORPHANED);
	check(clock_now_ns() - begin_ns < 3 * NSEC_PER_SEC);
	check(nr_reads == 0 && nr_closes == 1);
	answers_at_once = true;
	expect_good(path);
	close_disk(path);
}

/* write() has slept before that: the kernel's time-out of the command began later than the try. */
static void test_sent_late_and_lost(void)
{
	struct contract_path *path = open_disk();
	uint64_t begin_ns = clock_now_ns();
	struct contract_shot *shot;

	answers_at_once = false;
	write_ms = 300;
	shot = shot_new(path, WRITE_1, SCSI_DATA_OUT, 512, 1, MARK);
	shot_io(shot)->cmd.class = CMD_IDEMPOTENT;
	shots_submit(&shot, 1);
	until_sent(1);
	hang_up(0);
	check(shot_wait(shot, SOON_MS));
	check(shot_io(shot)->sent_ns >= begin_ns + 300 * NSEC_PER_MSEC);
	expect(shot, TRANSPORT_ORPHANED);
	close_disk(path);
}

/* No memory for a larger buffer: the command goes all the same, and nobody asks each time. */
static void test_no_reserve(void)
{
	struct contract_path *path = open_disk();
	unsigned int i;

	reserve_error = ENOMEM;
	for (i = 0; i < 3; i++) {
		struct contract_shot *shot =
			shot_new(path, "2a 00 00 00 00 00 00 00 80 00", SCSI_DATA_OUT, 65536, 1, 1);

		shot_submit(shot);
		expect(shot, TRANSPORT_OK);
	}
	check(nr_reserves == 1);
	close_disk(path);
}

/* Closed while a slot is being opened: that one is closed, too. */
static void test_close_while_a_slot_opens(void)
{
	struct contract_path *path = open_disk();
	struct contract_shot *shots[2] = {tur(path), tur(path)};

	open_ms = 300;
	shots_submit(shots, 2); /* the second one waits for it, but the first slot is free sooner */
	expect(shots[0], TRANSPORT_OK);
	expect(shots[1], TRANSPORT_OK);
	check(nr_nodes == 2);
	close_disk(path);
	check(nr_closes == 3);
}

#define NR_SHOTS 12
#define NR_TURNS 6000

static uint32_t dice = 1;

static unsigned int roll(unsigned int sides)
{
	dice = dice * 1103515245 + 12345;
	return (dice >> 16) % sides;
}

static int one_of(const int *errors, unsigned int nr)
{
	return roll(4) ? 0 : errors[roll(nr)];
}

static void change_the_weather(void)
{
	static const int opening[] = {-EMFILE, -ENODEV, -EBUSY};
	static const int writing[] = {ENOMEM, ENODEV, EINVAL, ENXIO};
	static const int reading[] = {EFAULT, ENODEV};

	open_error = one_of(opening, 3);
	write_error = one_of(writing, 4);
	read_error = one_of(reading, 2);
	watch_error = roll(8) ? 0 : ENOMEM;
	nr_opens_granted = roll(3);
}

static void fair_weather(void)
{
	open_error = write_error = read_error = watch_error = 0;
}

/* The kernel ends some command, whose descriptor may be closed by now. */
static void end_one(void)
{
	int first = (int)roll(FDS_MAX);

	pthread_mutex_lock(&node_lock);
	for (int i = 0; i < FDS_MAX; i++) {
		struct node *node = &nodes[(first + i) % FDS_MAX];

		if (node->other_end < 0 || !node->is_out || node->is_told)
			continue;
		answer_node(node);
		break;
	}
	pthread_mutex_unlock(&node_lock);
}

static void end_an_orphan(void)
{
	pthread_mutex_lock(&node_lock);
	if (nr_closed_out) {
		nr_closed_out--;
		nr_at_device--;
	}
	pthread_mutex_unlock(&node_lock);
}

struct random_shot {
	struct contract_shot *shot;
	bool is_abandoned;
};

static bool probe_is_out(const struct random_shot *shots)
{
	for (unsigned int i = 0; i < NR_SHOTS; i++)
		if (shots[i].shot && shot_io(shots[i].shot)->is_probe)
			return true;
	return false;
}

static void shoot(struct contract_path *path, struct random_shot *shots, struct random_shot *free)
{
	*free = (struct random_shot){
		.shot = roll(2) ? shot_new(path, READ_1, SCSI_DATA_IN, 512, 1, MARK) : tur(path)};
	shot_io(free->shot)->is_probe = !roll(3) && !probe_is_out(shots);
	shot_submit(free->shot);
}

static void play(struct contract_path *path, struct random_shot *shots)
{
	struct random_shot *some = &shots[roll(NR_SHOTS)];

	if (!some->shot) {
		shoot(path, shots, some);
	} else if (shot_wait(some->shot, 0)) {
		shot_free(some->shot);
		some->shot = NULL;
	} else if (!roll(60) && !some->is_abandoned) {
		some->is_abandoned = true;
		shot_abandon(some->shot);
	}
}

static void finish(struct random_shot *shots)
{
	for (unsigned int i = 0; i < NR_SHOTS; i++) {
		while (shots[i].shot && !shot_wait(shots[i].shot, 1)) {
			end_one();
			end_an_orphan();
		}
		if (shots[i].shot)
			shot_free(shots[i].shot);
	}
}

/* Whatever happens in whatever order: each is reported once, and the host's count is right. */
static void test_random(void)
{
	struct random_shot shots[NR_SHOTS] = {0};
	struct contract_path *path = open_disk();

	answers_at_once = false;
	for (unsigned int i = 0; i < NR_TURNS; i++) {
		if (!roll(400))
			change_the_weather();
		if (!roll(3))
			end_one();
		if (!roll(10))
			end_an_orphan();
		play(path, shots);
		if (i % 2)
			usleep(300);
	}
	fair_weather();
	finish(shots);
	close_disk(path);
	check(nr_at_host == 0);
	printf("     %u commands were sent, %u orphans are left\n", nr_sent, nr_closed_out);
}

int main(void)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} tests[] = {
		{"no more slots", test_no_more_slots},
		{"no slot", test_no_slot},
		{"write fails", test_write_fails},
		{"write sleeps", test_write_sleeps},
		{"nobody would hear", test_nobody_would_hear},
		{"read faults", test_read_faults},
		{"read fails", test_read_fails},
		{"lost and given up", test_lost_and_given_up},
		{"given up and answered", test_given_up_and_answered},
		{"probe given up", test_probe_given_up},
		{"answered while the device goes", test_answered_while_the_device_goes},
		{"lost while the device goes", test_lost_while_the_device_goes},
		{"sent late and lost", test_sent_late_and_lost},
		{"no reserve", test_no_reserve},
		{"close while a slot opens", test_close_while_a_slot_opens},
		{"random", test_random},
	};

	setvbuf(stdout, NULL, _IOLBF, 0);
	check(workers_ready());
	for (unsigned int i = 0; i < FDS_MAX; i++)
		nodes[i].other_end = -1;
	for (unsigned int i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		begin();
		tests[i].run();
		printf("ok   %s\n", tests[i].name);
	}
	return 0;
}
