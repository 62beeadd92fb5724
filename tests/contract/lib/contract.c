/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The contract of transports, as tests; see contract.h.
 *
 * The tests run on a thread of their own; what belongs to the owner thread is posted there.
 */
#include "contract/lib/contract.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mpath/core.h"
#include "runtime/worker.h"

#define SOON_MS	   5000
#define TIMEOUT_MS 2000 /* of a command that hangs: the kernel ends it then */

struct contract_path {
	const struct path_transport_type *transport;
	struct loop *loop;
	struct path_link *link;
	bool in_call; /* the transport is being called: it must not call back */
};

struct contract_shot {
	struct mpath_io io;
	struct contract_path *path;
	uint8_t *data;
	size_t data_size;
	struct iovec *iov;
	struct iovec *iov_copy;
	unsigned int nr_done;
	unsigned int nr_abandoned;
	bool was_abandoned;
};

/* Something to be done on the owner thread, while the test waits. */
struct errand {
	struct letter letter;
	void (*run)(void *arg);
	void *arg;
	bool finished;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

_Noreturn void contract_failed(const char *file, int line, const char *condition)
{
	fprintf(stderr, "%s:%d: broken: %s\n", file, line, condition);
	abort();
}

void contract_sleep_ms(unsigned int ms)
{
	struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

	nanosleep(&ts, NULL);
}

/* --- the owner thread --- */

static void errand_deliver(struct letter *letter)
{
	struct errand *errand = container_of(letter, struct errand, letter);

	errand->run(errand->arg);
	pthread_mutex_lock(&lock);
	errand->finished = true;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static void on_owner(struct loop *loop, void (*run)(void *arg), void *arg)
{
	struct errand errand = {.letter.deliver = errand_deliver, .run = run, .arg = arg};

	loop_post(loop, &errand.letter);
	pthread_mutex_lock(&lock);
	while (!errand.finished)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
}

static struct contract_shot *shot_of(struct mpath_io *io)
{
	return container_of(io, struct contract_shot, io);
}

static void shot_reported(struct mpath_io *io, unsigned int *count)
{
	struct contract_shot *shot = shot_of(io);

	check(loop_is_current(shot->path->loop));
	check(!shot->path->in_call);
	pthread_mutex_lock(&lock);
	++*count;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static void shot_done(struct mpath_io *io)
{
	check(!shot_of(io)->was_abandoned);
	shot_reported(io, &shot_of(io)->nr_done);
}

static void shot_abandoned(struct mpath_io *io)
{
	check(shot_of(io)->was_abandoned);
	shot_reported(io, &shot_of(io)->nr_abandoned);
}

static const struct link_events contract_events = {
	.done = shot_done,
	.abandoned = shot_abandoned,
};

/* --- paths --- */

struct contract_path *contract_open(const struct rig *rig, const char *address, const char *map,
				    struct path_facts *facts, struct strbuf *reason)
{
	struct contract_path *path = calloc(1, sizeof(*path));
	struct link_request request = {.map = map, .address = address, .events = &contract_events};
	int err;

	check(path);
	path->transport = rig->transport;
	path->loop = loop_acquire();
	check(path->loop);
	request.loop = path->loop;
	*facts = (struct path_facts){0};
	err = rig->transport->open(&request, &path->link, facts, reason);
	if (!err)
		return path;
	check(err < 0 && reason->len > 0);
	loop_release(path->loop);
	free(path);
	return NULL;
}

static struct contract_path *open_path(const struct rig *rig, unsigned int number,
				       struct path_facts *facts)
{
	char text[PATH_REASON_MAX];
	struct contract_path *path;
	struct strbuf reason;

	strbuf_init(&reason, text, sizeof(text));
	path = contract_open(rig, rig->paths[number], "contract", facts, &reason);
	if (!path)
		contract_failed(rig->paths[number], 0, text);
	return path;
}

struct closing {
	struct letter closed;
	struct contract_path *path;
	bool finished;
};

static void closing_delivered(struct letter *letter)
{
	struct closing *closing = container_of(letter, struct closing, closed);

	check(loop_is_current(closing->path->loop));
	check(!closing->path->in_call);
	pthread_mutex_lock(&lock);
	closing->finished = true;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static void close_on_owner(void *arg)
{
	struct closing *closing = arg;
	struct contract_path *path = closing->path;

	path->in_call = true;
	path->transport->close(path->link, &closing->closed);
	path->in_call = false;
}

void contract_close(struct contract_path *path)
{
	struct closing closing = {.closed.deliver = closing_delivered, .path = path};

	on_owner(path->loop, close_on_owner, &closing);
	pthread_mutex_lock(&lock);
	while (!closing.finished)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
	loop_release(path->loop);
	free(path);
}

unsigned int contract_nr_out(struct contract_path *path)
{
	uint64_t errors;
	int64_t nr = path->transport->count_outstanding(path->link, &errors);

	if (nr == -EAGAIN)
		return 1; /* some may be kept back */
	check(nr >= 0);
	return (unsigned int)nr;
}

/* --- commands --- */

static void set_cdb(struct scsi_cmd *cmd, const char *hex)
{
	unsigned int byte;
	int used;

	while (sscanf(hex, " %2x%n", &byte, &used) == 1) {
		cmd->cdb[cmd->cdb_len++] = (uint8_t)byte;
		hex += used;
	}
}

/* In pieces of unequal length, with gaps between them that nobody may touch. */
static void make_iov(struct contract_shot *shot, size_t len, unsigned int nr_iov)
{
	size_t offset = 64, left = len;
	unsigned int i;

	shot->iov = calloc(nr_iov, sizeof(*shot->iov));
	shot->iov_copy = calloc(nr_iov, sizeof(*shot->iov));
	check(shot->iov && shot->iov_copy);
	for (i = 0; i < nr_iov; i++) {
		size_t piece = i + 1 < nr_iov ? left / 2 : left;

		shot->iov[i] = (struct iovec){shot->data + offset, piece};
		left -= piece;
		offset += piece + 64;
	}
	memcpy(shot->iov_copy, shot->iov, nr_iov * sizeof(*shot->iov));
}

struct contract_shot *shot_new(struct contract_path *path, const char *cdb_hex, enum scsi_dir dir,
			       size_t len, unsigned int nr_iov, uint8_t pattern)
{
	struct contract_shot *shot = calloc(1, sizeof(*shot));

	check(shot);
	shot->path = path;
	set_cdb(&shot->io.cmd, cdb_hex);
	shot->io.cmd.dir = dir;
	shot->io.cmd.timeout_ms = TIMEOUT_MS;
	shot->data_size = len + 64 * (nr_iov + 1);
	shot->data = malloc(shot->data_size);
	check(shot->data);
	memset(shot->data, dir == SCSI_DATA_OUT ? pattern : (uint8_t)~pattern, shot->data_size);
	if (dir != SCSI_NO_DATA) {
		make_iov(shot, len, nr_iov);
		shot->io.cmd.iov = shot->iov;
		shot->io.cmd.iov_cnt = nr_iov;
		shot->io.cmd.data_len = len;
	}
	return shot;
}

struct mpath_io *shot_io(struct contract_shot *shot)
{
	return &shot->io;
}

uint8_t *shot_data(struct contract_shot *shot)
{
	return shot->data;
}

static void submit_now(struct contract_shot *shot)
{
	struct contract_path *path = shot->path;

	shot->io.start_ns = loop_now_ns(path->loop);
	path->in_call = true;
	path->transport->submit(path->link, &shot->io);
	path->in_call = false;
}

static void abandon_now(struct contract_shot *shot)
{
	struct contract_path *path = shot->path;

	shot->was_abandoned = true;
	path->in_call = true;
	path->transport->abandon(path->link, &shot->io);
	path->in_call = false;
}

struct salvo {
	struct contract_shot **shots;
	unsigned int nr;
};

static void submit_on_owner(void *arg)
{
	const struct salvo *salvo = arg;
	unsigned int i;

	for (i = 0; i < salvo->nr; i++)
		submit_now(salvo->shots[i]);
}

/* Only if it has not been reported: that is what the core would see, too. */
static void abandon_on_owner(void *arg)
{
	struct contract_shot *shot = arg;

	if (!shot->nr_done)
		abandon_now(shot);
}

void shot_submit(struct contract_shot *shot)
{
	shots_submit(&shot, 1);
}

void shots_submit(struct contract_shot **shots, unsigned int nr)
{
	struct salvo salvo = {.shots = shots, .nr = nr};

	on_owner(shots[0]->path->loop, submit_on_owner, &salvo);
}

void shot_abandon(struct contract_shot *shot)
{
	on_owner(shot->path->loop, abandon_on_owner, shot);
}

bool shot_wait(struct contract_shot *shot, unsigned int ms)
{
	struct timespec until;
	int err = 0;
	bool ended;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += (long)(ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&lock);
	while (!shot->nr_done && !shot->nr_abandoned && err != ETIMEDOUT)
		err = pthread_cond_timedwait(&changed, &lock, &until);
	ended = shot->nr_done || shot->nr_abandoned;
	pthread_mutex_unlock(&lock);
	return ended;
}

void shot_free(struct contract_shot *shot)
{
	pthread_mutex_lock(&lock);
	check(shot->nr_done + shot->nr_abandoned == 1);
	pthread_mutex_unlock(&lock);
	if (shot->iov)
		check(memcmp(shot->iov, shot->iov_copy,
			     shot->io.cmd.iov_cnt * sizeof(*shot->iov)) == 0);
	free(shot->iov_copy);
	free(shot->iov);
	free(shot->data);
	free(shot);
}

struct scsi_result contract_do(struct contract_path *path, const char *cdb_hex, enum scsi_dir dir,
			       size_t len)
{
	struct contract_shot *shot = shot_new(path, cdb_hex, dir, len, 1, 0);
	struct scsi_result result;

	shot_submit(shot);
	check(shot_wait(shot, SOON_MS));
	result = shot->io.result;
	shot_free(shot);
	return result;
}

/* --- the promises --- */

#define TUR	"00 00 00 00 00 00"
#define INQUIRY "12 00 00 00 ff 00"
#define READ_8	"28 00 00 00 00 00 00 00 08 00" /* 8 blocks from 0 */
#define WRITE_8 "2a 00 00 00 00 00 00 00 08 00"
#define UNKNOWN "0e 00 00 00 00 00"
#define LEN_8	4096

static bool all_bytes(const uint8_t *data, size_t len, uint8_t byte)
{
	while (len--)
		if (*data++ != byte)
			return false;
	return true;
}

/* A new scsi device greets with unit attentions. */
static void clear_attentions(struct contract_path *path)
{
	int tries = 10;

	while (tries-- && contract_do(path, TUR, SCSI_NO_DATA, 0).status != SAM_GOOD)
		;
	check(tries >= 0);
}

static void write_pattern(struct contract_path *path, uint8_t pattern)
{
	struct contract_shot *shot = shot_new(path, WRITE_8, SCSI_DATA_OUT, LEN_8, 3, pattern);

	shot_submit(shot);
	check(shot_wait(shot, SOON_MS));
	check(shot->io.result.transport == TRANSPORT_OK && shot->io.result.status == SAM_GOOD);
	check(shot->io.result.residual == 0);
	check(all_bytes(shot->data, shot->data_size, pattern));
	shot_free(shot);
}

/* The pieces hold @pattern; the gaps between them were not touched. */
static void check_pieces(struct contract_shot *shot, uint8_t pattern)
{
	const uint8_t *at = shot->data;
	size_t i;

	for (i = 0; i < shot->io.cmd.iov_cnt; i++) {
		const uint8_t *piece = shot->iov[i].iov_base;

		check(all_bytes(at, (size_t)(piece - at), (uint8_t)~pattern));
		check(all_bytes(piece, shot->iov[i].iov_len, pattern));
		at = piece + shot->iov[i].iov_len;
	}
	check(all_bytes(at, (size_t)(shot->data + shot->data_size - at), (uint8_t)~pattern));
}

static void read_pattern(struct contract_path *path, uint8_t pattern)
{
	struct contract_shot *shot = shot_new(path, READ_8, SCSI_DATA_IN, LEN_8, 3, pattern);

	shot_submit(shot);
	check(shot_wait(shot, SOON_MS));
	check(shot->io.result.transport == TRANSPORT_OK && shot->io.result.status == SAM_GOOD);
	check_pieces(shot, pattern);
	shot_free(shot);
}

/* What is written is read, in pieces, and nothing beside the pieces is touched. */
static void test_data(const struct rig *rig)
{
	struct path_facts facts;
	struct contract_path *path = open_path(rig, 0, &facts);

	check(facts.queue_depth > 0 && facts.max_transfer_bytes >= LEN_8);
	check(facts.name[0] && facts.device[0] && !facts.read_only && facts.foreign == 0);
	clear_attentions(path);
	write_pattern(path, 0xa5);
	read_pattern(path, 0xa5);
	write_pattern(path, 0x3c);
	read_pattern(path, 0x3c);
	contract_close(path);
}

/* The target's status and sense as they are; the residual says what did not come. */
static void test_answers(const struct rig *rig)
{
	struct path_facts facts;
	struct contract_path *path = open_path(rig, 0, &facts);
	struct scsi_result result;

	clear_attentions(path);
	result = contract_do(path, UNKNOWN, SCSI_NO_DATA, 0);
	check(result.transport == TRANSPORT_OK && result.status == SAM_CHECK_CONDITION);
	check(result.sense_len >= 14 && (result.sense[0] & 0x7f) == 0x70);
	check((result.sense[2] & 0x0f) == 0x05 && result.sense[12] == 0x20);

	result = contract_do(path, INQUIRY, SCSI_DATA_IN, 255);
	check(result.transport == TRANSPORT_OK && result.status == SAM_GOOD);
	check(result.residual > 0 && result.residual <= 255 - 36);
	contract_close(path);
}

/* A buffer that is longer than the command's data: no byte after the data is touched. */
static void test_shorter_than_buffer(const struct rig *rig)
{
	struct path_facts facts;
	struct contract_path *path = open_path(rig, 0, &facts);
	struct contract_shot *shot;

	clear_attentions(path);
	write_pattern(path, 0x77);
	shot = shot_new(path, "28 00 00 00 00 00 00 00 01 00", SCSI_DATA_IN, LEN_8, 1, 0x77);
	shot->io.cmd.data_len = 512;
	shot_submit(shot);
	check(shot_wait(shot, SOON_MS));
	check(all_bytes(shot->iov[0].iov_base, 512, 0x77));
	check(all_bytes((uint8_t *)shot->iov[0].iov_base + 512, LEN_8 - 512, 0x88));
	shot_free(shot);
	contract_close(path);
}

struct volley {
	struct contract_shot **shots;
	unsigned int nr;
	bool abandon_too;
};

static void volley_on_owner(void *arg)
{
	struct volley *volley = arg;
	unsigned int i;

	for (i = 0; i < volley->nr; i++)
		submit_now(volley->shots[i]);
	for (i = 0; volley->abandon_too && i < volley->nr; i++)
		abandon_now(volley->shots[i]);
}

/* @nr commands at once, all in one call of the owner thread. */
static struct volley volley_fire(struct contract_path *path, const char *cdb, enum scsi_dir dir,
				 unsigned int nr, bool abandon_too)
{
	struct volley volley = {.nr = nr, .abandon_too = abandon_too};
	unsigned int i;

	volley.shots = calloc(nr, sizeof(*volley.shots));
	check(volley.shots);
	for (i = 0; i < nr; i++)
		volley.shots[i] = shot_new(path, cdb, dir, LEN_8, 1 + i % 3, 0x11);
	on_owner(path->loop, volley_on_owner, &volley);
	return volley;
}

static void volley_wait(struct volley *volley, unsigned int ms)
{
	unsigned int i;

	for (i = 0; i < volley->nr; i++)
		check(shot_wait(volley->shots[i], ms));
}

static void volley_free(struct volley *volley)
{
	unsigned int i;

	for (i = 0; i < volley->nr; i++)
		shot_free(volley->shots[i]);
	free(volley->shots);
}

/* Many commands at once: each is reported once, and never more are out than the path can take. */
static void test_queue_depth(const struct rig *rig)
{
	struct path_facts facts;
	struct contract_path *path = open_path(rig, 0, &facts);
	struct volley volley;
	unsigned int out = 0, i;

	clear_attentions(path);
	write_pattern(path, 0x11);
	rig->set_delay(10);
	volley = volley_fire(path, READ_8, SCSI_DATA_IN, facts.queue_depth + 20, false);
	for (i = 0; i < 10; i++) {
		unsigned int now = contract_nr_out(path);

		out = now > out ? now : out;
		contract_sleep_ms(5);
	}
	volley_wait(&volley, SOON_MS);
	for (i = 0; i < volley.nr; i++)
		check(volley.shots[i]->io.result.transport == TRANSPORT_OK ||
		      volley.shots[i]->io.result.transport == TRANSPORT_BUSY);
	check(out > 0 && out <= facts.queue_depth);
	volley_free(&volley);
	rig->set_delay(0);
	contract_close(path);
}

/* A write whose time is over before there is room for it is not sent (D9). */
static void test_too_late(const struct rig *rig)
{
	struct path_facts facts;
	struct contract_path *path = open_path(rig, 0, &facts);
	struct contract_shot *late;
	struct volley volley;

	clear_attentions(path);
	write_pattern(path, 0x11);
	rig->set_delay(300);
	volley = volley_fire(path, READ_8, SCSI_DATA_IN, facts.queue_depth, false);
	late = shot_new(path, WRITE_8, SCSI_DATA_OUT, LEN_8, 1, 0x22);
	late->io.send_by_ns = clock_now_ns() + 100 * NSEC_PER_MSEC;
	shot_submit(late);
	volley_wait(&volley, SOON_MS);
	check(shot_wait(late, SOON_MS));
	check(late->io.result.transport == TRANSPORT_BUSY);
	check(late->io.result.residual == LEN_8);
	rig->set_delay(0);
	read_pattern(path, 0x11);
	volley_free(&volley);
	shot_free(late);
	contract_close(path);
}

/* The kernel gives up a command that hangs; so does its path. */
static void test_timeout(const struct rig *rig)
{
	struct path_facts facts;
	struct contract_path *path = open_path(rig, 0, &facts);
	struct contract_shot *shot;

	clear_attentions(path);
	rig->set_hang(true);
	shot = shot_new(path, READ_8, SCSI_DATA_IN, LEN_8, 2, 0x11);
	shot->io.cmd.timeout_ms = 1000;
	shot_submit(shot);
	rig->set_hang(false);
	check(!shot_wait(shot, 500));
	check(shot_wait(shot, 30000));
	check(shot->io.result.transport == TRANSPORT_TIMEOUT);
	check(shot->io.result.residual == LEN_8);
	shot_free(shot);
	clear_attentions(path);
	contract_close(path);
}

/* Sixteen commands hang on one path, and one waits there for a slot: the other path answers. */
static void test_hung_path(const struct rig *rig)
{
	struct path_facts facts, other_facts;
	struct contract_path *path = open_path(rig, 0, &facts);
	struct contract_path *other = open_path(rig, 1, &other_facts);
	struct volley volley;
	uint64_t begin_ns;
	unsigned int i;

	clear_attentions(path);
	clear_attentions(other);
	rig->set_hang(true);
	volley = volley_fire(path, READ_8, SCSI_DATA_IN, 16, false);
	contract_sleep_ms(200); /* for the slots to be opened */
	rig->set_hang(false);
	begin_ns = clock_now_ns();
	for (i = 0; i < 20; i++)
		check(contract_do(other, TUR, SCSI_NO_DATA, 0).status == SAM_GOOD);
	check(clock_now_ns() - begin_ns < NSEC_PER_SEC);
	volley_wait(&volley, 60000);
	volley_free(&volley);
	contract_close(other);
	clear_attentions(path);
	contract_close(path);
}

static void wait_until_none_out(struct contract_path *path)
{
	unsigned int i;

	for (i = 0; i < 600 && contract_nr_out(path); i++)
		contract_sleep_ms(50);
	check(contract_nr_out(path) == 0);
	contract_sleep_ms(50);
}

/* A READ is given up and its memory used for something else: its late answer changes nothing. */
static void test_late_read(const struct rig *rig)
{
	struct path_facts facts;
	struct contract_path *path = open_path(rig, 0, &facts);
	struct contract_shot *shot;

	clear_attentions(path);
	write_pattern(path, 0x5a);
	rig->set_delay(1000);
	shot = shot_new(path, READ_8, SCSI_DATA_IN, LEN_8, 3, 0x5a);
	shot_submit(shot);
	check(!shot_wait(shot, 100));
	shot_abandon(shot);
	check(shot_wait(shot, 500));
	memset(shot->data, 0xc3, shot->data_size);
	check(contract_nr_out(path) == 1);
	wait_until_none_out(path);
	check(all_bytes(shot->data, shot->data_size, 0xc3));
	shot_free(shot);
	rig->set_delay(0);
	read_pattern(path, 0x5a);
	contract_close(path);
}

/* Given up in the moment in which it was sent, and given up while it waits for a slot. */
static void test_abandon_at_once(const struct rig *rig)
{
	struct path_facts facts;
	struct contract_path *path = open_path(rig, 0, &facts);
	struct volley volley;

	clear_attentions(path);
	rig->set_delay(300);
	volley = volley_fire(path, READ_8, SCSI_DATA_IN, facts.queue_depth + 20, true);
	volley_wait(&volley, 1000);
	volley_free(&volley);
	wait_until_none_out(path);
	rig->set_delay(0);
	contract_sleep_ms(500); /* orphans are looked for now and then */
	check(contract_do(path, TUR, SCSI_NO_DATA, 0).status == SAM_GOOD);
	contract_close(path);
}

/* Giving up races with the answer: one of the two, never both. */
static void test_abandon_races(const struct rig *rig)
{
	struct path_facts facts;
	struct contract_path *path = open_path(rig, 0, &facts);
	unsigned int i, nr_abandoned = 0;

	clear_attentions(path);
	rig->set_delay(1);
	for (i = 0; i < 200; i++) {
		struct contract_shot *shot =
			shot_new(path, READ_8, SCSI_DATA_IN, LEN_8, 1 + i % 3, 0x11);
		struct timespec ts = {.tv_nsec = 900000 + 2000 * (i % 100)};

		shot_submit(shot);
		nanosleep(&ts, NULL);
		shot_abandon(shot);
		check(shot_wait(shot, SOON_MS));
		nr_abandoned += shot->nr_abandoned;
		shot_free(shot);
	}
	printf("     %u of 200 were given up before their answer\n", nr_abandoned);
	wait_until_none_out(path);
	rig->set_delay(0);
	contract_close(path);
}

/* Opened, never used, closed; again and again. */
static void test_idle_link(const struct rig *rig)
{
	struct path_facts facts;
	unsigned int i;

	for (i = 0; i < 10; i++)
		contract_close(open_path(rig, 0, &facts));
}

/* After a volley the path is closed at once, with all its slots. */
static void test_close_after_use(const struct rig *rig)
{
	struct path_facts facts;
	unsigned int i;

	for (i = 0; i < 10; i++) {
		struct contract_path *path = open_path(rig, 0, &facts);
		struct volley volley;

		clear_attentions(path);
		volley = volley_fire(path, READ_8, SCSI_DATA_IN, 12, false);
		volley_wait(&volley, SOON_MS);
		volley_free(&volley);
		contract_close(path);
	}
}

/* A LOGICAL UNIT RESET: what is out is reported all the same, and the path goes on. */
static void test_reset_lun(const struct rig *rig)
{
	struct path_facts facts;
	struct contract_path *path = open_path(rig, 0, &facts);
	struct volley volley;

	clear_attentions(path);
	rig->set_delay(300);
	volley = volley_fire(path, READ_8, SCSI_DATA_IN, 4, false);
	contract_sleep_ms(100);
	check(rig->transport->reset_lun(path->link) == 0);
	volley_wait(&volley, SOON_MS);
	volley_free(&volley);
	rig->set_delay(0);
	clear_attentions(path);
	check(contract_do(path, TUR, SCSI_NO_DATA, 0).transport == TRANSPORT_OK);
	contract_close(path);
}

/* The device goes away while commands are out: they end, and what comes later was never sent. */
static void test_device_removed(const struct rig *rig)
{
	struct path_facts facts;
	struct contract_path *path = open_path(rig, 1, &facts);
	struct scsi_result result;
	char text[PATH_REASON_MAX];
	struct volley volley;
	struct strbuf reason;
	unsigned int i;

	clear_attentions(path);
	rig->set_hang(true);
	volley = volley_fire(path, READ_8, SCSI_DATA_IN, 4, false);
	contract_sleep_ms(200);
	rig->set_hang(false);
	rig->remove();
	volley_wait(&volley, 60000);
	for (i = 0; i < volley.nr; i++) {
		enum transport_error error = volley.shots[i]->io.result.transport;

		check(error == TRANSPORT_LOST || error == TRANSPORT_ORPHANED ||
		      error == TRANSPORT_TIMEOUT);
	}
	volley_free(&volley);
	for (i = 0; i < 3; i++) {
		result = contract_do(path, TUR, SCSI_NO_DATA, 0);
		check(result.transport == TRANSPORT_GONE);
	}
	contract_close(path);
	strbuf_init(&reason, text, sizeof(text));
	check(!contract_open(rig, rig->paths[1], "contract", &facts, &reason));
	printf("     %s\n", text);
}

struct contract_test {
	const char *name;
	void (*run)(const struct rig *rig);
};

static const struct contract_test tests[] = {
	{"data", test_data},
	{"answers", test_answers},
	{"shorter-than-buffer", test_shorter_than_buffer},
	{"queue-depth", test_queue_depth},
	{"too-late", test_too_late},
	{"timeout", test_timeout},
	{"hung-path", test_hung_path},
	{"late-read", test_late_read},
	{"abandon-at-once", test_abandon_at_once},
	{"abandon-races", test_abandon_races},
	{"idle-link", test_idle_link},
	{"close-after-use", test_close_after_use},
	{"reset-lun", test_reset_lun},
	{"device-removed", test_device_removed}, /* last: the second path is gone then */
};

void contract_run(const struct rig *rig, const char *pattern)
{
	size_t i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	check(workers_ready());
	for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		uint64_t begin_ns = clock_now_ns();

		if (!strstr(tests[i].name, pattern))
			continue;
		tests[i].run(rig);
		printf("ok   %s  %.1f s\n", tests[i].name,
		       (double)(clock_now_ns() - begin_ns) / 1e9);
	}
}
