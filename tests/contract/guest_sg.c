/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sg transport on scsi_debug: sg.py runs this in the guest.
 *
 *   guest_sg contract DISK DISK [PATTERN]   the suite of all transports
 *   guest_sg own DISK                       what only sg promises
 *   guest_sg open MAP ADDRESS...            opens paths, says how that went, and holds them until
 *                                           its input ends
 *   guest_sg die DISK                       sends three writes and dies with -9
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "contract/lib/contract.h"
#include "lib/no_memory.h"
#include "mpath/core.h"
#include "runtime/worker.h"

#define SCSI_DEBUG "/sys/bus/pseudo/drivers/scsi_debug"

static const char *disks[2]; /* "sda" */

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = write(fd, text, strlen(text));
	close(fd);
	return n == (ssize_t)strlen(text);
}

/* Its first line. */
static void read_file(const char *path, char *text, int size)
{
	FILE *file = fopen(path, "r");

	check(file && fgets(text, size, file));
	fclose(file);
}

/* scsi_debug answers "busy" as long as a command is out. */
static void set_parameter(const char *name, const char *value)
{
	char path[128];
	unsigned int tries = 0;

	snprintf(path, sizeof(path), SCSI_DEBUG "/%s", name);
	while (!write_file(path, value)) {
		check(errno == EBUSY && tries++ < 300);
		contract_sleep_ms(20);
	}
}

static void sg_set_hang(bool on)
{
	set_parameter("opts", on ? "4" : "0");
	set_parameter("every_nth", on ? "1" : "0");
}

static void sg_set_delay(unsigned int ms)
{
	char ns[32];

	if (!ms) {
		set_parameter("delay", "0");
		return;
	}
	snprintf(ns, sizeof(ns), "%u", ms < 1000 ? ms * 1000000 : 999999999);
	set_parameter("ndelay", ns);
}

/* In a process of its own: the kernel waits there for the commands that are out. */
static void sg_remove(void)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/class/block/%s/device/delete", disks[1]);
	if (fork() == 0)
		_exit(write_file(path, "1\n") ? 0 : 1);
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static struct rig make_rig(char **paths)
{
	struct rig rig = {
		.transport = &sg_transport,
		.set_hang = sg_set_hang,
		.set_delay = sg_set_delay,
		.remove = sg_remove,
	};
	unsigned int i;

	for (i = 0; i < 2 && paths[i]; i++) {
		rig.paths[i] = paths[i];
		disks[i] = base_name(paths[i]);
	}
	return rig;
}

/* --- what only sg promises --- */

#define LEN_1M (1024 * 1024)

static unsigned int nr_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int nr = 0;

	check(dir);
	while (readdir(dir))
		nr++;
	closedir(dir);
	return nr;
}

static struct contract_path *open_disk(const struct rig *rig, struct path_facts *facts)
{
	char text[PATH_REASON_MAX];
	struct contract_path *path;
	struct strbuf reason;
	int tries = 10;

	strbuf_init(&reason, text, sizeof(text));
	path = contract_open(rig, rig->paths[0], "own", facts, &reason);
	if (!path)
		contract_failed(rig->paths[0], 0, text);
	while (tries-- && contract_do(path, "00 00 00 00 00 00", SCSI_NO_DATA, 0).status)
		;
	return path;
}

/* A write's data is taken inside submit: what the initiator's memory holds later is not written. */
static void test_write_is_taken_at_submit(const struct rig *rig)
{
	struct path_facts facts;
	struct contract_path *path = open_disk(rig, &facts);
	struct contract_shot *shot =
		shot_new(path, "2a 00 00 00 00 10 00 00 08 00", SCSI_DATA_OUT, 4096, 3, 0x21);
	struct contract_shot *back;

	rig->set_delay(200);
	shot_submit(shot);
	memset(shot_data(shot), 0xee, 4096 + 4 * 64);
	check(shot_wait(shot, 5000) && shot_io(shot)->result.status == SAM_GOOD);
	shot_free(shot);
	rig->set_delay(0);
	back = shot_new(path, "28 00 00 00 00 10 00 00 08 00", SCSI_DATA_IN, 4096, 1, 0);
	shot_submit(back);
	check(shot_wait(back, 5000));
	check(*(uint8_t *)shot_io(back)->cmd.iov[0].iov_base == 0x21);
	check(((uint8_t *)shot_io(back)->cmd.iov[0].iov_base)[4095] == 0x21);
	shot_free(back);
	contract_close(path);
}

/* The same for a write that is given up: it may land, but only with what it was sent with. */
static void test_abandoned_write_lands_as_sent(const struct rig *rig)
{
	struct path_facts facts;
	struct contract_path *path = open_disk(rig, &facts);
	struct contract_shot *shot =
		shot_new(path, "2a 00 00 00 00 10 00 00 08 00", SCSI_DATA_OUT, 4096, 2, 0x43);
	struct contract_shot *back;

	rig->set_delay(300);
	shot_submit(shot);
	shot_abandon(shot);
	memset(shot_data(shot), 0xee, 4096 + 3 * 64);
	check(shot_wait(shot, 250));
	shot_free(shot);
	while (contract_nr_out(path))
		contract_sleep_ms(20);
	rig->set_delay(0);
	back = shot_new(path, "28 00 00 00 00 10 00 00 08 00", SCSI_DATA_IN, 4096, 1, 0);
	shot_submit(back);
	check(shot_wait(back, 5000));
	check(*(uint8_t *)shot_io(back)->cmd.iov[0].iov_base == 0x43);
	shot_free(back);
	contract_close(path);
}

/* From one block to the largest that the path takes; one more is this host's refusal. */
static void test_transfer_sizes(const struct rig *rig)
{
	static const unsigned int sizes[] = {1, 8, 64, 65, 128, 256, 1024, 2048, 16384};
	struct path_facts facts;
	struct contract_path *path = open_disk(rig, &facts);
	struct contract_shot *shot;
	unsigned int i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		size_t len = sizes[i] * 512;
		char cdb[64];

		if (len > facts.max_transfer_bytes)
			continue;
		snprintf(cdb, sizeof(cdb), "2a 00 00 00 00 00 00 %02x %02x 00", sizes[i] >> 8,
			 sizes[i] & 0xff);
		shot = shot_new(path, cdb, SCSI_DATA_OUT, len, 1 + i, (uint8_t)sizes[i]);
		shot_submit(shot);
		check(shot_wait(shot, 5000));
		check(shot_io(shot)->result.transport == TRANSPORT_OK);
		check(shot_io(shot)->result.status == SAM_GOOD);
		shot_free(shot);
		cdb[1] = '8';
		cdb[0] = '2';
		shot = shot_new(path, cdb, SCSI_DATA_IN, len, 5 + i, (uint8_t)sizes[i]);
		shot_submit(shot);
		check(shot_wait(shot, 5000));
		check(shot_io(shot)->result.status == SAM_GOOD);
		check(shot_io(shot)->result.residual == 0);
		check(*(uint8_t *)shot_io(shot)->cmd.iov[4 + i].iov_base == (uint8_t)sizes[i]);
		shot_free(shot);
	}
	shot = shot_new(path, "28 00 00 00 00 00 00 00 08 00", SCSI_DATA_IN,
			facts.max_transfer_bytes + 65536, 1, 0);
	shot_submit(shot);
	check(shot_wait(shot, 5000));
	check(shot_io(shot)->result.transport == TRANSPORT_REFUSED);
	shot_free(shot);
	printf("     largest transfer: %llu bytes\n", (unsigned long long)facts.max_transfer_bytes);
	check(facts.max_transfer_bytes >= LEN_1M / 2);
	contract_close(path);
}

/* An idle path has: three of the disk and its sg device, six of sysfs's facts. */
#define IDLE_FDS 9

/* Descriptors come when commands need them, and go when they do not, all of them at the end. */
static void test_descriptors(const struct rig *rig)
{
	struct contract_shot *shots[48];
	struct path_facts facts;
	struct contract_path *path;
	unsigned int before, idle, busy, later, i;

	contract_close(open_disk(rig, &facts)); /* whatever is opened once and kept */
	before = nr_fds();
	path = open_disk(rig, &facts);
	idle = nr_fds();
	rig->set_delay(300);
	for (i = 0; i < 48; i++) {
		shots[i] = shot_new(path, "00 00 00 00 00 00", SCSI_NO_DATA, 0, 1, 0);
		shot_submit(shots[i]);
	}
	for (i = 0; i < 48; i++) {
		check(shot_wait(shots[i], 5000));
		check(shot_io(shots[i])->result.transport == TRANSPORT_OK);
		shot_free(shots[i]);
	}
	rig->set_delay(0);
	busy = nr_fds();
	contract_sleep_ms(25000);
	later = nr_fds();
	printf("     descriptors: %u idle, %u busy, %u when idle again\n", idle - before,
	       busy - before, later - before);
	check(idle - before <= IDLE_FDS && busy - before >= 48 && later == idle);
	contract_close(path);
	check(nr_fds() == before);
}

/* A disk of one map is refused to another one, and stays the first one's. */
static void test_two_maps(const struct rig *rig)
{
	struct path_facts facts;
	struct contract_path *path = open_disk(rig, &facts);
	char text[PATH_REASON_MAX];
	struct strbuf reason;
	unsigned int i;

	for (i = 0; i < 2; i++) {
		strbuf_init(&reason, text, sizeof(text));
		check(!contract_open(rig, rig->paths[0], "other", &facts, &reason));
		check(strstr(text, "it is a path of our map own"));
		check(open(rig->paths[0], O_RDONLY | O_EXCL) < 0 && errno == EBUSY);
	}
	check(contract_do(path, "00 00 00 00 00 00", SCSI_NO_DATA, 0).transport == TRANSPORT_OK);
	contract_close(path);
	strbuf_init(&reason, text, sizeof(text));
	path = contract_open(rig, rig->paths[0], "other", &facts, &reason);
	check(path);
	contract_close(path);
}

/*
 * The target says that something about the LUN has changed: a write that waits for a slot
 * meanwhile, for which the path was right when it was submitted, is not sent but comes back.
 * (Capacity: where scsi_dh_alua is attached, the kernel keeps "LUNs have changed" to itself.)
 */
static void test_doubt_returns_what_waits(const struct rig *rig)
{
	struct contract_shot *shots[2];
	struct contract_path *path;
	struct path_facts facts;
	char depth[128], text[16];

	snprintf(depth, sizeof(depth), "/sys/class/block/%s/device/queue_depth", disks[0]);
	read_file(depth, text, sizeof(text));
	check(write_file(depth, "2\n")); /* one of these is the probe's */
	path = open_disk(rig, &facts);
	check(facts.queue_depth == 1);

	set_parameter("virtual_gb", "1");
	shots[0] = shot_new(path, "00 00 00 00 00 00", SCSI_NO_DATA, 0, 1, 0);
	shots[1] = shot_new(path, "2a 00 00 00 00 00 00 00 08 00", SCSI_DATA_OUT, 4096, 1, 0x99);
	shots_submit(shots, 2);
	check(shot_wait(shots[0], 5000) && shot_wait(shots[1], 5000));
	for (unsigned int i = 0; i < 2; i++)
		printf("     %u: transport error %d, status %02x\n", i,
		       (int)shot_io(shots[i])->result.transport, shot_io(shots[i])->result.status);
	check(shot_io(shots[0])->result.status == SAM_CHECK_CONDITION);
	check(shot_io(shots[1])->result.transport == TRANSPORT_BUSY);
	shot_free(shots[0]);
	shot_free(shots[1]);
	check(contract_do(path, "00 00 00 00 00 00", SCSI_NO_DATA, 0).status == SAM_GOOD);

	/* REQUEST SENSE may have been told so, with GOOD. */
	shots[0] = shot_new(path, "03 00 00 00 12 00", SCSI_DATA_IN, 18, 1, 0);
	shots[1] = shot_new(path, "2a 00 00 00 00 00 00 00 08 00", SCSI_DATA_OUT, 4096, 1, 0x99);
	shots_submit(shots, 2);
	check(shot_wait(shots[0], 5000) && shot_wait(shots[1], 5000));
	check(shot_io(shots[0])->result.status == SAM_GOOD);
	check(shot_io(shots[1])->result.transport == TRANSPORT_BUSY);
	shot_free(shots[0]);
	shot_free(shots[1]);

	/* A task management function names one that waits. */
	rig->set_delay(2500); /* less than the time-out of 3 s */
	shots[0] = shot_new(path, "00 00 00 00 00 00", SCSI_NO_DATA, 0, 1, 0);
	shots[1] = shot_new(path, "2a 00 00 00 00 00 00 00 08 00", SCSI_DATA_OUT, 4096, 1, 0x99);
	shot_submit(shots[0]);
	shot_io(shots[1])->aborted = true;
	shot_submit(shots[1]);
	check(shot_wait(shots[1], 500));
	check(shot_io(shots[1])->result.transport == TRANSPORT_BUSY);
	check(shot_wait(shots[0], 5000));
	shot_free(shots[0]);
	shot_free(shots[1]);
	rig->set_delay(0);
	set_parameter("virtual_gb", "0");
	contract_close(path);
	check(write_file(depth, text));
}

static uint64_t nr_requests(void)
{
	char name[128], text[32];

	snprintf(name, sizeof(name), "/sys/class/block/%s/device/iorequest_cnt", disks[0]);
	read_file(name, text, sizeof(text));
	return strtoull(text, NULL, 16);
}

static void set_host_state(const char *state)
{
	char link[128], place[128], name[128];
	unsigned int host;
	ssize_t len;

	snprintf(link, sizeof(link), "/sys/class/block/%s/device", disks[0]);
	len = readlink(link, place, sizeof(place) - 1);
	check(len > 0);
	place[len] = '\0';
	check(sscanf(base_name(place), "%u:", &host) == 1);
	snprintf(name, sizeof(name), "/sys/class/scsi_host/host%u/state", host);
	check(write_file(name, state));
}

static struct contract_shot *send_probe(struct contract_path *path)
{
	struct contract_shot *shot = shot_new(path, "00 00 00 00 00 00", SCSI_NO_DATA, 0, 1, 0);

	shot_io(shot)->is_probe = true;
	shot_submit(shot);
	return shot;
}

/*
 * The kernel keeps back whatever is sent, for as long as it pleases, and each command has one of
 * the disk's requests meanwhile: were all of them out, the next write() would sleep.  So one probe
 * that was given up there is enough; the others wait here, and are not answered either, so that the
 * path fails.
 */
static void test_what_is_kept_back_does_not_pile_up(const struct rig *rig)
{
	unsigned int i, longest_s = getenv("MPATH_LONG") ? 40 : 0;
	struct path_facts facts;
	struct contract_path *path = open_disk(rig, &facts);
	uint64_t before = nr_requests();
	struct contract_shot *shot;

	set_host_state("recovery\n");
	for (i = 0; i < 4; i++) {
		shot = send_probe(path);
		check(!shot_wait(shot, i == 1 ? 1500 : 500));
		shot_abandon(shot);
		check(shot_wait(shot, 5000));
		shot_free(shot);
		/*
		 * The first is counted at the next tick, and then the link knows.  Long after its
		 * time-out, too, as that does not run.
		 */
		contract_sleep_ms(i == 2 ? 300 + longest_s * 1000 : i == 0 ? 1000 : 300);
	}
	shot = send_probe(path);
	set_host_state("running\n");
	check(shot_wait(shot, 5000));
	check(shot_io(shot)->result.transport == TRANSPORT_OK);
	shot_free(shot);
	printf("     kept back: %llu\n", (unsigned long long)(nr_requests() - before - 1));
	check(nr_requests() == before + 2);
	contract_close(path);
}

/* The driver takes no command, and is asked again and again. */
static void set_refusing(bool on)
{
	if (on)
		set_parameter("every_nth", "1");
	set_parameter("opts", on ? "0x8000" : "0");
	if (!on)
		set_parameter("every_nth", "0");
}

static void give_up(struct contract_shot *shot)
{
	shot_abandon(shot);
	check(shot_wait(shot, 5000));
	shot_free(shot);
}

static void give_up_probes(struct contract_path *path, unsigned int nr)
{
	while (nr--) {
		struct contract_shot *probe = send_probe(path);

		check(!shot_wait(probe, 300)); /* longer than it takes to count the last one */
		give_up(probe);
	}
}

/* The loop sleeps in the kernel: this wakes it, so that the test can end. */
static void took_too_long(int signal)
{
	(void)signal;
	write_file(SCSI_DEBUG "/opts", "0");
}

static struct contract_path *open_refusing(const struct rig *rig, const char *nr_requests)
{
	struct contract_path *path;
	struct path_facts facts;
	char name[128];

	snprintf(name, sizeof(name), "/sys/class/block/%s/queue/nr_requests", disks[0]);
	check(write_file(name, nr_requests));
	path = open_disk(rig, &facts);
	signal(SIGALRM, took_too_long);
	alarm(30);
	set_refusing(true);
	return path;
}

static void take_again(struct contract_path *path)
{
	struct contract_shot *probe = send_probe(path);

	check(alarm(0));
	set_refusing(false);
	check(shot_wait(probe, 5000) && shot_io(probe)->result.transport == TRANSPORT_OK);
	shot_free(probe);
}

/*
 * A driver refuses whatever is sent, and no count shows it.  All the same no more may be given up
 * there than the disk has requests, or write() would sleep.
 */
static void test_what_is_refused_leaves_requests(const struct rig *rig)
{
	struct contract_path *path = open_refusing(rig, "4\n");
	struct contract_shot *shots[3];
	unsigned int i;

	for (i = 0; i < 3; i++)
		shots[i] = shot_new(path, "28 00 00 00 00 00 00 00 01 00", SCSI_DATA_IN, 512, 1, 0);
	shots_submit(shots, 3);
	give_up_probes(path, 1);
	for (i = 0; i < 3; i++)
		give_up(shots[i]);
	give_up_probes(path, 6);
	take_again(path);
	contract_sleep_ms(1000); /* the orphans are counted */
	for (i = 0; i < 3; i++)
		shots[i] = shot_new(path, "28 00 00 00 00 00 00 00 01 00", SCSI_DATA_IN, 512, 1, 0);
	shots_submit(shots, 3);
	for (i = 0; i < 3; i++) {
		check(shot_wait(shots[i], 5000));
		check(shot_io(shots[i])->result.transport == TRANSPORT_OK);
		shot_free(shots[i]);
	}
	contract_close(path);
}

/* Nor do probes take all of them: each that was given up there has an fd until it is over. */
static void test_what_is_refused_does_not_pile_up(const struct rig *rig)
{
	unsigned int before = nr_fds(), idle, most;
	struct contract_path *path = open_refusing(rig, "64\n");

	idle = nr_fds();
	give_up_probes(path, 24);
	most = nr_fds();
	printf("     descriptors of refused probes: %u\n", most - idle);
	check(most - idle <= 16);
	take_again(path);
	contract_sleep_ms(500);
	check(nr_fds() <= idle + 2);
	set_refusing(true);
	give_up_probes(path, 2);
	contract_close(path); /* some are out */
	check(nr_fds() == before);
	set_refusing(false);
}

/* A disk that was set offline says so, and no command hangs. */
static void test_offline(const struct rig *rig)
{
	struct path_facts facts;
	struct contract_path *path = open_disk(rig, &facts);
	struct scsi_result result;
	char state[128];

	snprintf(state, sizeof(state), "/sys/class/block/%s/device/state", disks[0]);
	check(write_file(state, "offline\n"));
	result = contract_do(path, "00 00 00 00 00 00", SCSI_NO_DATA, 0);
	printf("     offline: transport error %d\n", (int)result.transport);
	check(result.transport == TRANSPORT_NOT_SENT || result.transport == TRANSPORT_LOST);
	check(write_file(state, "running\n"));
	check(contract_do(path, "00 00 00 00 00 00", SCSI_NO_DATA, 0).transport == TRANSPORT_OK);
	contract_close(path);
}

static int allocation_to_fail;
static bool has_failed;

static int open_short_of_memory(const struct link_request *request, struct path_link **link,
				struct path_facts *facts, struct strbuf *reason)
{
	int err;

	fail_allocation(allocation_to_fail);
	err = sg_transport.open(request, link, facts, reason);
	has_failed = allocation_has_failed();
	fail_allocation(0);
	return err;
}

/*
 * Whichever allocation fails while a path is opened: it says so, and nobody holds the disk.  But a
 * slot can come later.
 */
static void test_open_short_of_memory(const struct rig *rig)
{
	struct path_transport_type transport = sg_transport;
	struct rig short_of_memory = *rig;
	char text[PATH_REASON_MAX];
	struct contract_path *path;
	struct path_facts facts;
	struct strbuf reason;
	unsigned int before;

	contract_close(open_disk(rig, &facts)); /* what stays is there */
	before = nr_fds();
	transport.open = open_short_of_memory;
	short_of_memory.transport = &transport;
	for (allocation_to_fail = 1;; allocation_to_fail++) {
		int fd;

		strbuf_init(&reason, text, sizeof(text));
		path = contract_open(&short_of_memory, rig->paths[0], "own", &facts, &reason);
		if (path)
			break;
		check(has_failed && strcmp(text, "out of memory") == 0);
		check(nr_fds() == before);
		fd = open(rig->paths[0], O_RDWR | O_EXCL | O_CLOEXEC);
		check(fd >= 0);
		close(fd);
	}
	printf("     %d allocations\n", allocation_to_fail);
	check(allocation_to_fail > 4); /* link, claim and its map's name, host */
	check(has_failed);	       /* the first slot's: it is made when a command needs it */
	check(contract_do(path, "00 00 00 00 00 00", SCSI_NO_DATA, 0).transport == TRANSPORT_OK);
	contract_close(path);
}

static void test_watch_short_of_memory(const struct rig *rig)
{
	unsigned int before = nr_fds();
	struct disk_monitor *monitor;
	int fd;

	(void)rig;
	fail_allocation(1);
	check(sg_finder.watch(&monitor, &fd) == -ENOMEM);
	check(nr_fds() == before);
	check(sg_finder.watch(&monitor, &fd) == 0);
	check(monitor);
	sg_finder.unwatch(monitor);
	check(nr_fds() == before);
}

static void run_own(const struct rig *rig)
{
	static const struct {
		const char *name;
		void (*run)(const struct rig *rig);
	} tests[] = {
		{"write-is-taken-at-submit", test_write_is_taken_at_submit},
		{"abandoned-write-lands-as-sent", test_abandoned_write_lands_as_sent},
		{"transfer-sizes", test_transfer_sizes},
		{"two-maps", test_two_maps},
		{"doubt-returns-what-waits", test_doubt_returns_what_waits},
		{"what-is-kept-back-does-not-pile-up", test_what_is_kept_back_does_not_pile_up},
		{"what-is-refused-leaves-requests", test_what_is_refused_leaves_requests},
		{"what-is-refused-does-not-pile-up", test_what_is_refused_does_not_pile_up},
		{"descriptors", test_descriptors},
		{"open-short-of-memory", test_open_short_of_memory},
		{"watch-short-of-memory", test_watch_short_of_memory},
		/* The last one: scsi_dh_alua has a question of its own to a disk that is back. */
		{"offline", test_offline},
	};
	size_t i;

	for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		tests[i].run(rig);
		printf("ok   %s\n", tests[i].name);
	}
}

/* --- opening --- */

static void tell(const char *address, const struct path_facts *facts)
{
	printf("%s: opened %s %s disk %llu depth %u max %llu foreign %llu%s%s\n", address,
	       facts->name, facts->device, (unsigned long long)facts->disk, facts->queue_depth,
	       (unsigned long long)facts->max_transfer_bytes, (unsigned long long)facts->foreign,
	       facts->unstable_name ? " unstable" : "", facts->read_only ? " read-only" : "");
}

static void run_open(const char *map, char **addresses)
{
	const struct rig rig = {.transport = &sg_transport};
	struct contract_path *paths[16];
	unsigned int nr = 0;
	char c;

	for (; *addresses && nr < 16; addresses++) {
		char text[PATH_REASON_MAX];
		struct path_facts facts;
		struct strbuf reason;

		strbuf_init(&reason, text, sizeof(text));
		paths[nr] = contract_open(&rig, *addresses, map, &facts, &reason);
		if (paths[nr]) {
			tell(*addresses, &facts);
			nr++;
		} else {
			printf("%s: refused: %s\n", *addresses, text);
		}
	}
	printf("ready\n");
	while (read(0, &c, 1) > 0)
		;
	while (nr)
		contract_close(paths[--nr]);
}

/* --- dying --- */

static void run_die(const struct rig *rig)
{
	struct path_facts facts;
	struct contract_path *path = open_disk(rig, &facts);
	unsigned int i;

	rig->set_delay(2500); /* less than the time-out of 3 s */
	for (i = 0; i < 3; i++)
		shot_submit(shot_new(path, "2a 00 00 00 00 00 00 00 01 00", SCSI_DATA_OUT, 512, 1,
				     (uint8_t)i));
	while (contract_nr_out(path) < 3)
		contract_sleep_ms(5);
	kill(getpid(), SIGKILL);
}

int main(int argc, char **argv)
{
	struct rig rig;

	setvbuf(stdout, NULL, _IOLBF, 0);
	check(workers_ready());
	if (argc >= 4 && strcmp(argv[1], "open") == 0) {
		run_open(argv[2], argv + 3);
		return 0;
	}
	check(argc >= 3);
	rig = make_rig(argv + 2);
	if (strcmp(argv[1], "own") == 0)
		run_own(&rig);
	else if (strcmp(argv[1], "die") == 0)
		run_die(&rig);
	else
		contract_run(&rig, argc > 4 ? argv[4] : "");
	return 0;
}
