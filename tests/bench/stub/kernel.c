/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's TCMU, and an initiator that keeps a number of READs in flight.
 *
 * As in the kernel, answers are taken by whoever kicks, inside of its write(); the initiator's next
 * commands go into the ring at the same place, so that no third thread takes part in the figures.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mpath/tcmu_ring_abi.h"
#include "stub.h"

#define NR_DEVS	   (RING_DEV + 1)
#define RING_OFF   4096u
#define RING_SIZE  (1024u * 1024u)
#define DATA_OFF   (RING_OFF + RING_SIZE)
#define MEM_SIZE   (DATA_OFF + DEPTH_MAX * IO_BYTES)
#define CDB_AT	   sizeof(struct ring_response) /* in an entry, as the kernel does it */
#define ENTRY_SIZE (CDB_AT + 16u)

/* So that no entry crosses the end of the ring, and there is no padding. */
_Static_assert(RING_SIZE % ENTRY_SIZE == 0, "entries fill the ring");

struct kernel_dev {
	pthread_mutex_t lock;
	uint8_t *mem;
	int event_fd;
	uint32_t taken;
	uint16_t free_ids[DEPTH_MAX];
	unsigned int nr_free;
	uint32_t blocks[DEPTH_MAX]; /* by id: what was asked for */
	unsigned int depth;
	unsigned int to_come, to_answer;
	uint64_t kicks;
	sem_t done;
};

static struct kernel_dev devs[NR_DEVS];

static struct ring_mailbox *mailbox(const struct kernel_dev *dev)
{
	return (struct ring_mailbox *)(void *)dev->mem;
}

static uint8_t *data_of(const struct kernel_dev *dev, unsigned int id)
{
	return dev->mem + DATA_OFF + id * IO_BYTES;
}

static void begin(struct kernel_dev *dev)
{
	pthread_mutex_init(&dev->lock, NULL);
	sem_init(&dev->done, 0, 0);
	dev->mem = stub_memory(MEM_SIZE);
	dev->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	assert(dev->event_fd >= 0);
	*mailbox(dev) = (struct ring_mailbox){.version = RING_VERSION,
					      .flags = RING_CAN_READ_LEN | RING_CAN_TMR,
					      .ring_off = RING_OFF,
					      .ring_size = RING_SIZE};
	while (dev->nr_free < DEPTH_MAX) {
		dev->free_ids[dev->nr_free] = (uint16_t)(DEPTH_MAX - 1 - dev->nr_free);
		dev->nr_free++;
	}
}

struct kernel_dev *kernel_dev(unsigned int number)
{
	assert(number < NR_DEVS);
	if (!devs[number].mem)
		begin(&devs[number]);
	return &devs[number];
}

void *kernel_memory(struct kernel_dev *dev, size_t *len)
{
	*len = MEM_SIZE;
	return dev->mem;
}

/* Another one: what becomes of that is not the kernel's. */
int kernel_event_fd(struct kernel_dev *dev)
{
	return (int)syscall(SYS_fcntl, dev->event_fd, F_DUPFD_CLOEXEC, 0);
}

uint64_t kernel_kicks(void)
{
	uint64_t kicks = 0;

	for (unsigned int i = 0; i < NR_DEVS; i++)
		kicks += devs[i].kicks;
	return kicks;
}

static void put_read(struct kernel_dev *dev)
{
	uint32_t head = mailbox(dev)->head;
	uint8_t *entry = dev->mem + RING_OFF + head;
	struct ring_request *request = (struct ring_request *)(void *)entry;
	uint16_t id = dev->free_ids[--dev->nr_free];

	dev->to_come--;
	dev->blocks[id] = disk_some_block();
	memset(entry, 0, ENTRY_SIZE);
	request->header = (struct ring_header){.len_op = ENTRY_SIZE | RING_OP_CMD, .cmd_id = id};
	request->iov_cnt = 1;
	request->cdb_off = RING_OFF + head + CDB_AT;
	request->iov[0] = (struct ring_iovec){DATA_OFF + id * IO_BYTES, IO_BYTES};
	disk_read10(entry + CDB_AT, dev->blocks[id]);
	__atomic_store_n(&mailbox(dev)->head, (head + ENTRY_SIZE) % RING_SIZE, __ATOMIC_RELEASE);
}

static bool put_reads(struct kernel_dev *dev)
{
	bool some = false;

	while (dev->to_come && DEPTH_MAX - dev->nr_free < dev->depth) {
		put_read(dev);
		some = true;
	}
	return some;
}

static void take_answers(struct kernel_dev *dev)
{
	uint32_t tail = __atomic_load_n(&mailbox(dev)->tail, __ATOMIC_ACQUIRE);

	while (dev->taken != tail) {
		const void *at = dev->mem + RING_OFF + dev->taken;
		const struct ring_response *response = at;
		uint16_t id = response->header.cmd_id;

		if (response->scsi_status || id >= DEPTH_MAX) {
			fprintf(stderr, "status %02x for command %u\n", response->scsi_status, id);
			abort();
		}
		disk_check(data_of(dev, id), dev->blocks[id]);
		dev->free_ids[dev->nr_free++] = id;
		dev->to_answer--;
		dev->taken = (dev->taken + ENTRY_SIZE) % RING_SIZE;
	}
}

void kernel_kick(struct kernel_dev *dev)
{
	uint64_t events;
	bool ended;

	pthread_mutex_lock(&dev->lock);
	dev->kicks++;
	take_answers(dev);
	events = put_reads(dev);
	ended = dev->depth && !dev->to_answer;
	if (ended)
		dev->depth = 0;
	pthread_mutex_unlock(&dev->lock);
	/* One system call in any case, as a kick is. */
	syscall(SYS_write, dev->event_fd, &events, sizeof(events));
	if (!ended)
		return;
	exact_end();
	sem_post(&dev->done);
}

void kernel_start(struct kernel_dev *dev, unsigned int depth, unsigned int commands, bool exact)
{
	assert(depth <= DEPTH_MAX && dev->nr_free == DEPTH_MAX);
	pthread_mutex_lock(&dev->lock);
	dev->depth = depth;
	dev->to_come = dev->to_answer = commands;
	put_reads(dev);
	pthread_mutex_unlock(&dev->lock);
	if (exact)
		exact_begin();
	eventfd_write(dev->event_fd, 1);
}

void kernel_wait(struct kernel_dev *dev)
{
	while (sem_wait(&dev->done) && errno == EINTR)
		;
}

bool kernel_answer_all(struct kernel_dev *dev)
{
	uint32_t head = mailbox(dev)->head;

	for (uint32_t at = mailbox(dev)->tail; at != head; at = (at + ENTRY_SIZE) % RING_SIZE) {
		void *entry = dev->mem + RING_OFF + at;
		struct ring_response *response = entry;
		uint16_t id = response->header.cmd_id;

		response->scsi_status = 0; /* id is the command's own */
		memcpy(data_of(dev, id), &dev->blocks[id], sizeof(dev->blocks[id]));
	}
	__atomic_store_n(&mailbox(dev)->tail, head, __ATOMIC_RELEASE);
	pthread_mutex_lock(&dev->lock);
	take_answers(dev);
	put_reads(dev);
	pthread_mutex_unlock(&dev->lock);
	return dev->to_answer;
}
