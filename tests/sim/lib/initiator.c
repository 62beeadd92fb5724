/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Initiators, administrators and tcmu-runner: what they ask of the map.
 */
#include "sim/lib/world.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mpath/scsi.h"
#include "sim/lib/path.h"

/* No more of its mpath_io is made ready than ring_cmd_get() does. */
static struct sim_io *new_io(struct world *w, const uint8_t *cdb, size_t cdb_len, size_t data_len)
{
	struct sim_io *io = &w->ios[w->nr_ios];
	struct scsi_cmd *cmd = &io->io.cmd;

	oracle_check(w, w->nr_ios < SIM_IOS_MAX, "too many commands");
	oracle_check(w, data_len <= SIM_IO_BYTES, "too much data for one command");
	io->id = w->nr_ios++;
	io->iov[0] = (struct iovec){io->buf, data_len};
	io->io.owner = io;
	list_init(&io->io.node);
	memcpy(cmd->cdb, cdb, cdb_len);
	cmd->cdb_len = (uint8_t)cdb_len;
	cmd->iov = io->iov;
	cmd->iov_cnt = data_len ? 1 : 0;
	if (w->areas)
		cmd->iov_cnt = sim_cut(w, sim_area(w, io), data_len, io->iov);
	oracle_check(w, scsi_cdb_fill(cmd, data_len, SIM_BLOCK_SIZE) == CDB_OK,
		     "a CDB that the runner would refuse");
	return io;
}

static struct sim_io *submit(struct world *w, struct sim_io *io)
{
	struct mpath_event event = {.type = MPATH_SUBMIT, .io = &io->io};

	io->io.arrival_ns = w->now_ns - w->came_ago_ns;
	io->io.cpu = w->cpu;
	io->state = SIM_IO_OUT;
	tell(w, "io %u (%02x) comes, block %llu + %u", io->id, io->io.cmd.cdb[0],
	     (unsigned long long)sim_lba(io->io.cmd.cdb), sim_nr_blocks(io->io.cmd.cdb));
	oracle_submitted(w, io);
	if (w->areas && io->io.cmd.dir == SCSI_DATA_OUT)
		sim_scatter(io->iov, io->io.cmd.iov_cnt, io->buf);
	if (w->ring)
		sim_ring_put(w, io);
	else
		world_step(w, &event);
	return io;
}

static struct sim_io *new_rw(struct world *w, uint8_t opcode, uint64_t lba, unsigned int nr_blocks)
{
	const uint8_t cdb[10] = {
		opcode, 0, 0, 0, (uint8_t)(lba >> 8), (uint8_t)lba, 0, 0, (uint8_t)nr_blocks};

	return new_io(w, cdb, sizeof(cdb), (size_t)nr_blocks * SIM_BLOCK_SIZE);
}

struct sim_io *submit_read(struct world *w, uint64_t lba, unsigned int nr_blocks)
{
	return submit(w, new_rw(w, 0x28, lba, nr_blocks));
}

void submit_again(struct world *w, struct sim_io *io)
{
	const struct scsi_cmd cmd = io->io.cmd;
	struct sim_io fresh = {.id = io->id, .iov = {io->iov[0]}};

	oracle_check(w, io->state == SIM_IO_ANSWERED && !io->stamp, "only a READ may come again");
	*io = fresh;
	io->io.owner = io;
	io->io.cmd = cmd;
	io->io.cmd.iov = io->iov;
	list_init(&io->io.node);
	submit(w, io);
}

struct sim_io *submit_write(struct world *w, uint64_t lba, unsigned int nr_blocks)
{
	struct sim_io *io = new_rw(w, 0x2a, lba, nr_blocks);
	unsigned int i;

	io->stamp = io->id + 1;
	for (i = 0; i < nr_blocks; i++)
		sim_put_stamp(io->buf, i, io->stamp);
	return submit(w, io);
}

struct sim_io *submit_write_same(struct world *w, uint64_t lba, unsigned int nr_blocks, bool unmap)
{
	const uint8_t cdb[16] = {0x93,
				 unmap ? 0x08 : 0, [9] = (uint8_t)lba, [13] = (uint8_t)nr_blocks};
	struct sim_io *io = new_io(w, cdb, sizeof(cdb), SIM_BLOCK_SIZE);

	io->stamp = io->id + 1;
	sim_put_stamp(io->buf, 0, io->stamp);
	return submit(w, io);
}

/* In two pieces. */
struct sim_io *submit_unmap(struct world *w, uint64_t lba, unsigned int nr_blocks)
{
	const uint8_t cdb[10] = {0x42, [5] = (uint8_t)lba, [6] = (uint8_t)nr_blocks, [8] = 40};
	struct sim_io *io = new_io(w, cdb, sizeof(cdb), 40);
	uint8_t *piece = io->buf + 8;

	io->stamp = io->id + 1;
	io->buf[1] = 38;
	io->buf[3] = 32;
	for (; piece < io->buf + 40; piece += 16) {
		piece[7] = (uint8_t)lba;
		piece[11] = piece == io->buf + 8 ? 1 : (uint8_t)(nr_blocks - 1);
		piece[14] = (uint8_t)(io->stamp >> 8);
		piece[15] = (uint8_t)io->stamp;
		lba++;
	}
	return submit(w, io);
}

struct sim_io *submit_unmap_of_two(struct world *w, uint64_t lba, uint64_t other)
{
	const uint8_t cdb[10] = {0x42, [8] = 40};
	struct sim_io *io = new_io(w, cdb, sizeof(cdb), 40);

	io->buf[1] = 38;
	io->buf[3] = 32;
	io->buf[8 + 7] = (uint8_t)lba;
	io->buf[8 + 11] = 1;
	io->buf[24 + 7] = (uint8_t)other;
	io->buf[24 + 11] = 1;
	return submit(w, io);
}

struct sim_io *submit_caw(struct world *w, uint64_t lba, uint64_t expected)
{
	const uint8_t cdb[16] = {0x89, [9] = (uint8_t)lba, [13] = 1};
	struct sim_io *io = new_io(w, cdb, sizeof(cdb), 2 * SIM_BLOCK_SIZE);

	io->stamp = io->id + 1;
	sim_put_stamp(io->buf, 0, expected);
	sim_put_stamp(io->buf, 1, io->stamp);
	return submit(w, io);
}

struct sim_io *submit_blocks(struct world *w, const uint8_t *cdb, size_t cdb_len)
{
	unsigned int i, n = sim_nr_blocks(cdb);
	struct sim_io *io = new_io(w, cdb, cdb_len, (size_t)n * SIM_BLOCK_SIZE);

	if (sim_is_block_read(cdb))
		return submit(w, io);
	io->stamp = io->id + 1;
	for (i = 0; i < n; i++)
		sim_put_stamp(io->buf, i, io->stamp);
	return submit(w, io);
}

struct sim_io *submit_copy_of(struct world *w, uint64_t from, uint64_t to)
{
	const uint8_t cdb[16] = {0x83, 0x01, [9] = (uint8_t)to, [13] = 32, [14] = 1};
	struct sim_io *io = new_io(w, cdb, sizeof(cdb), 32);

	io->stamp = io->id + 1;
	sim_put_stamp(io->buf, 0, io->stamp);
	io->buf[8] = (uint8_t)from;
	return submit(w, io);
}

struct sim_io *submit_cdb(struct world *w, const uint8_t *cdb, size_t cdb_len, size_t data_len)
{
	return submit(w, new_io(w, cdb, cdb_len, data_len));
}

/* A command that no host adapter can carry, though every path is well (H7). */
struct sim_io *submit_poison(struct world *w)
{
	struct sim_io *io = new_rw(w, 0x28, 0, 1);

	io->poison = true;
	return submit(w, io);
}

void abort_task(struct world *w, struct sim_io *io)
{
	struct mpath_event event = {.type = MPATH_ABORT, .io = &io->io};

	oracle_check(w, io->state == SIM_IO_OUT, "only commands that are out can be aborted");
	if (w->ring) {
		sim_ring_abort(w, io);
		return;
	}
	io->tmr = true;
	world_step(w, &event);
}

void reset_lun(struct world *w)
{
	unsigned int i, nr_ios = w->nr_ios;

	w->counts.lun_resets++;
	if (w->ring) {
		sim_ring_abort(w, NULL);
		return;
	}
	for (i = 0; i < nr_ios; i++)
		if (w->ios[i].state == SIM_IO_OUT && !w->ios[i].tmr)
			abort_task(w, &w->ios[i]);
}

#define GATEWAY_STAMP 1000000000ull

void gateway_write(struct world *w, uint64_t lba)
{
	uint64_t stamp = GATEWAY_STAMP + ++w->counts.gateway_writes;

	tell(w, "another gateway writes block %llu", (unsigned long long)lba);
	w->luns[0].stamps[lba] = stamp;
	w->luns[0].nr_writes++;
	oracle_gateway_write(w, lba, stamp);
}

/* --- messages, attributes, ends --- */

static bool names_a_group(const struct world *w, const struct mpath_message *msg)
{
	unsigned long nr = msg->argc == 2 ? strtoul(msg->argv[1], NULL, 10) : 0;

	return strstr(msg->argv[0], "_group") && nr >= 1 && nr <= w->m->nr_groups;
}

static bool begins_waiting_anew(const struct world *w, const struct mpath_message *msg)
{
	return msg->argc && (strcmp(msg->argv[0], "queue_if_no_path") == 0 ||
			     (strcmp(msg->argv[0], "resume") == 0 && w->m->suspend));
}

int message(struct world *w, const char *words)
{
	const char *argv[8];
	struct mpath_message msg = {.argv = argv};
	struct mpath_event event = {.type = MPATH_MESSAGE, .message = &msg};
	char text[256], *save = NULL, *word;

	snprintf(text, sizeof(text), "%s", words);
	for (word = strtok_r(text, " ", &save); word && msg.argc < 8;
	     word = strtok_r(NULL, " ", &save))
		argv[msg.argc++] = word;
	if (msg.argc == 1 && strcmp(argv[0], "release") == 0)
		w->shut_down = true;
	strbuf_init(&msg.reply, w->text, sizeof(w->text));
	if (names_a_group(w, &msg) && w->m->suspend != SUSPENDED)
		oracle_regrouped(w);
	if (begins_waiting_anew(w, &msg))
		oracle_waits_anew(w);
	if (msg.argc && strcmp(argv[0], "resume") == 0)
		w->suspended_seq = 0;
	world_step(w, &event);
	if (msg.argc && strcmp(argv[0], "suspend") == 0 && !msg.error && !w->suspended_seq)
		w->suspended_seq = ++w->seq;
	return msg.error;
}

/* The world's path for one that joins the map: the old one of that name, if it is free. */
static struct sim_path *path_that_joins(struct world *w, const char *address)
{
	unsigned int i;

	for (i = 0; i < w->nr_paths; i++)
		if (strcmp(w->paths[i].name, address) == 0 && !w->paths[i].path)
			return &w->paths[i];
	return sim_path_add(w, address, 0);
}

/* One step, as the runtime does it. */
static void bring_about(struct world *w, struct mpath_change *change)
{
	struct mpath_event event = {.type = MPATH_CHANGE, .change = change};
	struct path *path;
	unsigned int i;

	for (i = 0; (path = mpath_change_path(change, i)); i++) {
		struct sim_path *p = path_that_joins(w, path->address);

		p->path = path;
		path->transport_data = p;
	}
	oracle_changes(w, true);
	world_step(w, &event);
	oracle_changes(w, false);
	mpath_change_free(change);
}

/* NULL: it was refused.  Or nothing comes of it, as memory is short (device_reload.c). */
static int change(struct world *w, struct mpath_change *change)
{
	if (!change)
		return -EINVAL;
	if (w->drops_change && w->drops_change(w)) {
		w->counts.dropped_changes++;
		mpath_change_free(change);
		return -ENOMEM;
	}
	bring_about(w, change);
	return 0;
}

void link_to(struct world *w, const char *name, const char *device)
{
	assert(w->nr_links < SIM_LINKS_MAX);
	w->links[w->nr_links].name = name;
	w->links[w->nr_links++].device = device;
}

/* As map_config_look_up() does it. */
static void follow_links(const struct world *w, struct table_group *group)
{
	unsigned int i, k;

	for (i = 0; i < group->nr_paths; i++)
		for (k = 0; k < w->nr_links; k++)
			if (strcmp(group->paths[i].address, w->links[k].name) == 0)
				strcpy(group->paths[i].device, w->links[k].device);
}

int reload(struct world *w, const char *words)
{
	struct mpath_table *table = parse_table(w, words);
	struct mpath_change *reload;
	struct strbuf error;
	unsigned int g;

	for (g = 0; g < table->nr_groups; g++)
		follow_links(w, &table->groups[g]);
	strbuf_init(&error, w->text, sizeof(w->text));
	reload = mpath_change_reload(w->m, table, &w->settings, &error);
	mpath_table_free(table);
	return change(w, reload);
}

int add_path(struct world *w, const char *address, unsigned int group)
{
	struct strbuf error;

	strbuf_init(&error, w->text, sizeof(w->text));
	return change(w, mpath_change_add_path(w->m, address, group, &error));
}

int add_found_path(struct world *w, const char *address)
{
	struct strbuf error;

	strbuf_init(&error, w->text, sizeof(w->text));
	return change(w, mpath_change_add_found(w->m, address, "round-robin", &error));
}

int remove_path(struct world *w, const char *name)
{
	struct strbuf error;

	strbuf_init(&error, w->text, sizeof(w->text));
	return change(w, mpath_change_remove_path(w->m, name, &error));
}

int regroup(struct world *w, const unsigned int *assignment)
{
	struct strbuf error;

	strbuf_init(&error, w->text, sizeof(w->text));
	return change(w, mpath_change_regroup(w->m, assignment, &error));
}

void regroup_by_policy(struct world *w)
{
	struct mpath_event right = {.type = MPATH_CHANGE};
	struct mpath_change *by_policy;
	struct strbuf error;

	strbuf_init(&error, w->text, sizeof(w->text));
	by_policy = mpath_change_policy(w->m, &error);
	expect(w, !by_policy || !error.len);
	w->nr_regroups_asked++;
	w->nr_regroups += by_policy != NULL;
	if (by_policy)
		bring_about(w, by_policy);
	else
		world_step(w, &right);
}

void set_cmd_time_out(struct world *w, unsigned int seconds)
{
	struct mpath_event event = {.type = MPATH_BACKSTORE, .backstore = &w->backstore};

	oracle_time_out_changes(w);
	w->backstore.cmd_time_out_ms = seconds * 1000;
	w->has_backstore = true;
	if (w->m)
		world_step(w, &event);
}

void disks_changed(struct world *w)
{
	struct mpath_event event = {.type = MPATH_DISKS};

	world_step(w, &event);
}

void kernel_hears(struct sim_path *p, enum mpath_heard heard)
{
	struct mpath_event event = {.type = MPATH_PATH_HEARD, .path = p->path, .heard = heard};

	oracle_kernel_hears(p->w, heard);
	world_step(p->w, &event);
}

void shut_down_world(struct world *w)
{
	struct mpath_event event = {.type = MPATH_SHUTDOWN};

	if (w->ring)
		sim_ring_run(w);
	w->shut_down = true;
	world_step(w, &event);
}

void stop_world(struct world *w)
{
	struct mpath_event event = {.type = MPATH_STOP};

	if (w->ring)
		sim_ring_run(w);
	w->shut_down = true;
	w->stopping = true;
	world_step(w, &event);
}
