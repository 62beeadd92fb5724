/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The message probe_paths: a block is read on each path of the group in use, and who asks waits for
 * the end, as for the newest kernels' ioctl DM_MPATH_PROBE_PATHS (F60).
 */
#include <errno.h>
#include <string.h>

#include "sim/lib/tables.h"
#include "sim/lib/world.h"

static struct world *used_world(const char *table)
{
	struct world *w = world_new(table);

	world_up(w);
	submit_read(w, 0, 1);
	advance(w, 10);
	forget_trace(w);
	return w;
}

static struct mpath_message probe(struct world *w)
{
	static const char *const words[] = {"probe_paths"};
	struct mpath_message msg = {.argc = 1, .argv = words};
	struct mpath_event event = {.type = MPATH_MESSAGE, .message = &msg};

	strbuf_init(&msg.reply, w->text, sizeof(w->text));
	world_step(w, &event);
	return msg;
}

static void expect_done(struct world *w, struct mpath_message *msg, int error)
{
	expect(w, mpath_message_done(w->m, msg));
	expect(w, msg->error == error);
}

/* Only the group in use: the paths of others need not be able to read. */
static void every_path_of_the_group_in_use(void)
{
	struct world *w = used_world(FAIL TWO_BY_TWO);
	unsigned int before[4], i;
	struct mpath_message msg;

	for (i = 0; i < 4; i++)
		before[i] = w->paths[i].nr_probes;
	msg = probe(w);
	expect(w, !mpath_message_done(w->m, &msg));
	advance(w, 10);
	expect_done(w, &msg, 0);
	for (i = 0; i < 4; i++)
		expect(w, w->paths[i].nr_probes == before[i] + (i < 2 ? 2 : 0)); /* size, block */
	expect_info(w, "2 0 0 0 2 1 A 0 2 0 8:0 A 0 8:16 A 0 E 0 2 0 8:32 A 0 8:48 A 0 ");
	advance(w, 30000); /* the checks go on as before */
	expect(w, w->paths[0].nr_probes <= before[0] + 2 + 7);
	world_end(w);
}

/* A path that is dead, which nobody has noticed yet. */
static void a_dead_path_is_found(void)
{
	struct world *w = used_world(FAIL TWO_PATHS);
	struct mpath_message msg;

	set_mode(sim_path(w, "8:16"), MODE_LOST);
	msg = probe(w);
	advance(w, 10);
	expect_done(w, &msg, 0);
	expect_info(w, "2 0 0 0 1 1 A 0 2 0 8:0 A 0 8:16 F 1 ");
	world_end(w);
}

static void no_path_is_left(void)
{
	struct world *w = used_world(FAIL TWO_PATHS);
	struct mpath_message msg;

	set_controller_mode(w, 0, MODE_LOST);
	msg = probe(w);
	advance(w, 10);
	expect_done(w, &msg, -ENOTCONN);
	msg = probe(w);
	expect_done(w, &msg, -ENOTCONN); /* nothing to be waited for */
	world_end(w);
}

/* There is a path left in another group. */
static void another_group_is_left(void)
{
	struct world *w = used_world(FAIL TWO_GROUPS);
	struct mpath_message msg;

	set_mode(sim_path(w, "8:0"), MODE_LOST);
	msg = probe(w);
	advance(w, 10);
	expect_done(w, &msg, 0);
	expect_info(w, "2 0 0 0 2 1 A 0 1 0 8:0 F 1 E 0 1 0 8:16 A 0 ");
	world_end(w);
}

/* A path that does not answer holds up who asks, not the other paths, and nobody else. */
static void a_path_that_hangs(void)
{
	struct world *w = used_world(FAIL TWO_PATHS);
	struct mpath_message msg;
	struct sim_io *io;

	set_mode(sim_path(w, "8:16"), MODE_HUNG);
	msg = probe(w);
	advance(w, 100);
	submit_read(w, 0, 1); /* it is the other one's turn */
	io = submit_read(w, 0, 1);
	advance(w, 100);
	expect_good(w, io);
	expect(w, !mpath_message_done(w->m, &msg));
	advance(w, 5000);
	expect_done(w, &msg, 0);
	expect(w, !sim_path(w, "8:16")->path->active);
	world_end(w);
}

/*
 * Each probe has let commands go into the same trouble, so the path would have a pause before the
 * next one.  That spares the commands; who asks for the path's state need not wait for it.
 */
static void a_path_that_has_a_pause(void)
{
	struct world *w = world_new(FAIL TWO_BY_TWO_ALUA);
	struct sim_path *p = sim_path(w, "8:0");
	struct mpath_message msg;

	give_port_groups(w, 3, 2);
	world_up(w);
	submit_read(w, 0, 1);
	advance(w, 10);
	set_io_mode(p, MODE_FAULT, 0);
	submit_read(w, 0, 1);
	submit_read(w, 0, 1);
	advance(w, 10);
	expect(w, !p->path->suspect && p->path->cleared_ns);

	p->latency_ns = 20 * NSEC_PER_MSEC;
	submit_read(w, 0, 1);
	submit_read(w, 0, 1);
	want_refresh(w->m);
	advance(w, 10);
	expect(w, p->path->probing == PROBE_REFRESH);
	msg = probe(w);
	advance(w, 10);
	expect(w, p->path->asked_later && p->path->read_probe == READ_WANTED);
	advance(w, 100);
	expect_done(w, &msg, 0);
	world_end(w);
}

/* Two who ask at a time wait for one probe; one that asks during a check waits for that first. */
static void who_asks_at_the_same_time(void)
{
	struct world *w = used_world(FAIL ONE_PATH);
	struct sim_path *p = sim_path(w, "8:0");
	struct mpath_message first, second;
	unsigned int before;

	p->latency_ns = 50 * NSEC_PER_MSEC;
	message(w, "probe_path 8:0");
	before = p->nr_probes;
	first = probe(w);
	advance(w, 60);
	second = probe(w);
	expect(w, !mpath_message_done(w->m, &first) && !mpath_message_done(w->m, &second));
	advance(w, 1000);
	expect_done(w, &first, 0);
	expect_done(w, &second, 0);
	expect(w, p->nr_probes <= before + 7 + 2);
	world_end(w);
}

static void nothing_is_in_use(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);
	struct mpath_message msg;

	world_up(w);
	msg = probe(w);
	expect_done(w, &msg, 0);
	world_end(w);
}

static void a_suspended_map(void)
{
	struct world *w = used_world(FAIL TWO_PATHS);
	struct mpath_message msg;

	msg = probe(w);
	expect(w, !mpath_message_done(w->m, &msg));
	expect(w, message(w, "suspend") == 0);
	advance(w, 100);
	expect_done(w, &msg, 0); /* what is out comes back */
	msg = probe(w);
	expect_done(w, &msg, -EBUSY);
	world_end(w);
}

static void the_end_comes_first(void)
{
	struct world *w = used_world(FAIL TWO_PATHS);
	struct mpath_message msg;

	set_mode(sim_path(w, "8:16"), MODE_HUNG);
	msg = probe(w);
	advance(w, 10);
	remove_path(w, "8:16");
	expect_done(w, &msg, 0);

	sim_path(w, "8:0")->latency_ns = NSEC_PER_SEC;
	msg = probe(w);
	advance(w, 10);
	stop_world(w);
	expect_done(w, &msg, -ESHUTDOWN);
	world_end(w);
}

int main(void)
{
	STORY(every_path_of_the_group_in_use);
	STORY(a_dead_path_is_found);
	STORY(no_path_is_left);
	STORY(another_group_is_left);
	STORY(a_path_that_hangs);
	STORY(a_path_that_has_a_pause);
	STORY(who_asks_at_the_same_time);
	STORY(nothing_is_in_use);
	STORY(a_suspended_map);
	STORY(the_end_comes_first);
	return end_of_stories();
}
