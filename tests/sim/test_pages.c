/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the array's ports say of the LUN in INQUIRY data, VPD pages and READ CAPACITY may change,
 * from port to port when there is new firmware: what initiators are shown of it, and when they are
 * told that it is another.  (Block limits, which are merged, and names: test_identity.c.)
 */
#include <string.h>

#include "sim/lib/tables.h"
#include "sim/lib/world.h"

#define SSD  1	  /* page B1h: it does not rotate */
#define LBPU 0x80 /* page B2h: UNMAP */

static struct sim_io *submit_vpd(struct world *w, uint8_t page)
{
	return submit_cdb(w, (const uint8_t[6]){0x12, 1, page, 0, 255}, 6, 255);
}

static bool shows_ssd(struct world *w)
{
	struct sim_io *io = submit_vpd(w, 0xb1);

	expect_good(w, io);
	return io->buf[4] == 0 && io->buf[5] == SSD;
}

static bool shows_thin(struct world *w)
{
	struct sim_io *io = submit_vpd(w, 0xb2);

	if (io->io.result.status == SAM_CHECK_CONDITION)
		return false;
	expect_good(w, io);
	return io->buf[5] == LBPU;
}

static void is_told_of_pages(struct world *w)
{
	struct sim_io *io = submit_write(w, 0, 1);

	expect_sense(w, io, 0x06, 0x3f, 0x03);
	expect(w, !io->nr_starts);
}

static void is_told_nothing(struct world *w)
{
	struct sim_io *io = submit_write(w, 0, 1);

	advance(w, 20);
	expect_good(w, io);
}

/* The array tells each nexus. */
static void becomes_ssd(struct world *w, const char *name)
{
	sim_path(w, name)->nexus.rotation = SSD;
	push_ua(sim_path(w, name), 0x3f, 0x03);
}

static void fails(struct world *w, const char *name)
{
	set_mode(sim_path(w, name), MODE_LUN_GONE);
	advance(w, 10000);
	expect(w, !sim_path(w, name)->path->active);
}

static void comes_back(struct world *w, const char *name)
{
	set_mode(sim_path(w, name), MODE_UP);
	advance(w, 10000);
	expect(w, sim_path(w, name)->path->active);
}

/* Who is told looks at once, so the pages come first. */
static void the_arrays_pages_change(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);
	struct sim_io *io;

	world_up(w);
	expect(w, !shows_ssd(w) && !shows_thin(w));
	for (unsigned int i = 0; i < w->nr_paths; i++) {
		w->paths[i].nexus.provisioning = LBPU;
		becomes_ssd(w, w->paths[i].name);
	}
	io = submit_unmap(w, 0, 1); /* it is the array's business whether it can */
	advance(w, 1);
	expect(w, !shows_ssd(w));
	advance(w, 6000);
	expect_good(w, io);
	expect(w, shows_ssd(w) && shows_thin(w));
	expect(w, mpath_lun(w->m)->capacity[14] == 0x80);
	expect_notice(w, "INQUIRY data or VPD pages have changed: the next command is told");
	expect(w, w->nr_lun_changes == 2);
	is_told_of_pages(w);
	is_told_nothing(w);
	world_end(w);
}

/* Not forth and back, and not before the last port is through. */
static void firmware_comes_port_by_port(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);

	world_up(w);
	fails(w, "8:0");
	sim_path(w, "8:0")->nexus.rotation = SSD;
	comes_back(w, "8:0");
	expect(w, !shows_ssd(w));
	fails(w, "8:16");
	expect(w, !shows_ssd(w));
	sim_path(w, "8:16")->nexus.rotation = SSD;
	comes_back(w, "8:16");
	expect(w, shows_ssd(w));
	is_told_of_pages(w);
	is_told_nothing(w);
	world_end(w);
}

/* The one whose pages are shown dies, or the other one. */
static void two_ports_differ_for_good(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);
	unsigned int i;

	sim_path(w, "8:16")->nexus.rotation = SSD;
	world_up(w);
	for (i = 0; i < 3; i++) {
		expect(w, !shows_ssd(w));
		fails(w, "8:0");
		push_ua(sim_path(w, "8:16"), 0x3f, 0x03);
		advance(w, 6000);
		comes_back(w, "8:0");
		fails(w, "8:16");
		comes_back(w, "8:16");
	}
	is_told_nothing(w);
	expect(w, w->nr_lun_changes == 1);
	world_end(w);
}

/* The dead path still speaks for what it has shown, but not against one that tells of a change. */
static void pages_change_while_a_path_is_dead(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);

	world_up(w);
	fails(w, "8:0");
	becomes_ssd(w, "8:16");
	advance(w, 6000);
	expect(w, shows_ssd(w));
	is_told_of_pages(w);
	comes_back(w, "8:0"); /* an old controller */
	expect(w, shows_ssd(w));
	becomes_ssd(w, "8:0");
	advance(w, 6000);
	is_told_nothing(w);
	world_end(w);
}

/* Its port is replaced, and it does not come back: then they are the others'. */
static void the_path_that_spoke_for_them_leaves(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);

	world_up(w);
	becomes_ssd(w, "8:16");
	advance(w, 6000);
	expect(w, !shows_ssd(w));
	expect(w, reload(w, FAIL "0 1 1 round-robin 0 1 1 8:16 1") == 0);
	advance(w, 100);
	is_told_nothing(w);
	advance(w, 6000);
	expect(w, shows_ssd(w));
	is_told_of_pages(w);
	is_told_nothing(w);
	world_end(w);
}

/* Initiators live through a restart, and have the old pages. */
static void pages_change_during_a_restart(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);

	world_up(w);
	kill_world(w, 0);
	sim_path(w, "8:0")->nexus.rotation = sim_path(w, "8:16")->nexus.rotation = SSD;
	restart_world(w);
	advance(w, 100);
	expect(w, shows_ssd(w));
	is_told_of_pages(w);
	is_told_nothing(w);
	world_end(w);
}

/* A new process knows what initiators are shown, but not yet which port says it. */
static void ports_that_differ_for_good_over_restarts(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);

	sim_path(w, "8:16")->nexus.rotation = SSD;
	world_up(w);
	expect(w, !shows_ssd(w));
	kill_world(w, 0);
	sim_path(w, "8:0")->latency_ns = 10 * NSEC_PER_MSEC;
	restart_world(w);
	advance(w, 20);
	expect(w, sim_path(w, "8:16")->path->identified && !sim_path(w, "8:0")->path->identified);
	expect(w, !shows_ssd(w));
	advance(w, 1000);
	expect(w, !shows_ssd(w));
	is_told_nothing(w);

	kill_world(w, 0);
	sim_path(w, "8:0")->refused = "no such device";
	restart_world(w);
	advance(w, 10000);
	expect(w, shows_ssd(w)); /* nobody is left who says it otherwise */
	is_told_of_pages(w);
	sim_path(w, "8:0")->refused = NULL;
	advance(w, 100000);
	expect(w, shows_ssd(w));
	is_told_nothing(w);
	world_end(w);
}

/* What no path is there to say is said as it was: initiators do not ask again. */
static void the_limits_of_all_ports_are_kept(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);
	struct sim_io *before, *after;
	unsigned int i;

	sim_path(w, "8:0")->nexus.max_caw = 8;
	sim_path(w, "8:0")->max_transfer_bytes = 48 * 512;
	sim_path(w, "8:16")->nexus.max_transfer = 64;
	world_up(w);
	before = submit_vpd(w, 0xb0);
	expect_good(w, before);
	expect(w, before->buf[5] == 0 && before->buf[11] == 48);
	kill_world(w, 0);
	for (i = 0; i < w->nr_paths; i++)
		w->paths[i].refused = "no such device";
	restart_world(w);
	advance(w, 100);
	after = submit_vpd(w, 0xb0);
	expect_good(w, after);
	expect(w, memcmp(before->buf, after->buf, 64) == 0);
	world_end(w);
}

/* Byte @at of the caching page that comes behind a header of @header bytes. */
static uint8_t caching_page(struct world *w, const uint8_t *cdb, size_t cdb_len, uint8_t header,
			    uint8_t at)
{
	struct sim_io *io = submit_cdb(w, cdb, cdb_len, 255);

	expect_good(w, io);
	expect(w, io->buf[header] == 0x08 && io->buf[header + 1] == 18);
	return io->buf[header + at];
}

/*
 * Linux takes a disk that does not tell for one without a cache, and sends no SYNCHRONIZE CACHE any
 * more, also when there is a path again: what the array has in its cache would be lost with it.
 */
static void a_cache_must_be_feared_without_a_path(void)
{
	static const uint8_t page_6[6] = {0x1a, 0x08, 0x08, 0, 255};
	static const uint8_t all_6[6] = {0x1a, 0, 0x3f, 0, 255};
	static const uint8_t page_10[10] = {0x5a, 0, 0x08, [8] = 255};
	static const uint8_t changeable[6] = {0x1a, 0, 0x48, 0, 255};
	static const uint8_t control[6] = {0x1a, 0, 0x0a, 0, 255};
	struct world *w = world_new(FAIL ONE_PATH);
	struct sim_io *io;

	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	advance(w, 10000);
	expect(w, caching_page(w, page_6, 6, 4, 2) == 0x04); /* WCE */
	expect(w, caching_page(w, all_6, 6, 4, 2) == 0x04);
	expect(w, caching_page(w, page_10, 10, 8, 2) == 0x04);
	io = submit_cdb(w, (const uint8_t[6]){0x1a, 0, 0x3f, 0, 4}, 6, 4); /* for WP alone */
	expect_good(w, io);
	expect(w, io->buf[0] == 23 && io->buf[2] == 0 && io->buf[3] == 0);
	expect_sense(w, submit_cdb(w, changeable, 6, 255), 0x02, 0x08, 0x00);
	expect_sense(w, submit_cdb(w, control, 6, 255), 0x02, 0x08, 0x00);
	world_end(w);

	w = world_new(FAIL ONE_PATH);
	sim_path(w, "8:0")->refused = "no such device";
	world_up(w);
	expect_sense(w, submit_cdb(w, page_6, 6, 255), 0x02, 0x04, 0x00);
	world_end(w);
}

/* The array says such things until it has found its feet; its word must not hide the cache. */
static void a_cache_must_be_feared_whatever_the_last_path_says(void)
{
	static const uint8_t page_6[6] = {0x1a, 0x08, 0x08, 0, 255};
	static const uint8_t control[6] = {0x1a, 0, 0x0a, 0, 255};
	struct world *w = world_new(FAIL TWO_PATHS);
	struct sim_io *io;
	unsigned int i;

	world_up(w);
	for (i = 0; i < w->nr_paths; i++)
		set_mode(&w->paths[i], MODE_STANDBY);
	io = submit_cdb(w, page_6, 6, 255);
	advance(w, 100);
	expect_good(w, io);
	expect(w, io->nr_starts == 2);
	expect(w, io->buf[4] == 0x08 && io->buf[6] == 0x04);
	world_end(w);

	w = world_new(FAIL ONE_PATH);
	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_STANDBY);
	io = submit_cdb(w, control, 6, 255);
	advance(w, 100);
	expect_sense(w, io, 0x02, 0x04, 0x0b);
	world_end(w);

	w = world_new(FAIL ONE_PATH);
	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_LUN_GONE);
	io = submit_cdb(w, page_6, 6, 255);
	advance(w, 10000);
	expect_sense(w, io, 0x05, 0x25, 0x00);
	expect_sense(w, submit_cdb(w, page_6, 6, 255), 0x05, 0x25, 0x00);
	world_end(w);

	w = world_new(FAIL ONE_PATH);
	set_cmd_time_out(w, 10);
	world_up(w);
	message(w, "suspend");
	io = submit_cdb(w, page_6, 6, 255);
	advance(w, 8100);
	expect_good(w, io);
	world_end(w);
}

/* That a path would not show a page this time is no word about the page. */
static void a_page_that_is_refused_once(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);
	unsigned int i;

	world_up(w);
	for (i = 0; i < w->nr_paths; i++) {
		w->paths[i].nexus.hides_features = true;
		push_ua(&w->paths[i], 0x3f, 0x03);
	}
	advance(w, 6000);
	expect(w, !shows_ssd(w));
	is_told_nothing(w);
	world_end(w);
}

/* Nor is it one of the first words that a next process hears. */
static void a_page_that_is_refused_after_a_restart(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);
	unsigned int i;

	for (i = 0; i < w->nr_paths; i++)
		w->paths[i].nexus.rotation = SSD;
	world_up(w);
	kill_world(w, 0);
	for (i = 0; i < w->nr_paths; i++)
		w->paths[i].nexus.hides_features = true;
	restart_world(w);
	advance(w, 6000);
	expect(w, shows_ssd(w));
	is_told_nothing(w);
	for (i = 0; i < w->nr_paths; i++) {
		w->paths[i].nexus.hides_features = false;
		push_ua(&w->paths[i], 0x3f, 0x03);
	}
	advance(w, 6000);
	expect(w, shows_ssd(w));
	is_told_nothing(w);
	world_end(w);
}

/* A LUN that has grown has the same pages, whoever says first how large it is. */
static void a_lun_grows_whose_ports_differ(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);
	unsigned int i;

	sim_path(w, "8:16")->nexus.rotation = SSD;
	sim_path(w, "8:16")->latency_ns = NSEC_PER_MSEC / 10;
	world_up(w);
	expect(w, !shows_ssd(w));
	for (i = 0; i < w->nr_paths; i++)
		w->paths[i].nexus.nr_blocks = 4096;
	sim_path(w, "8:0")->latency_ns = 10 * NSEC_PER_MSEC;
	kernel_hears(sim_path(w, "8:16"), HEARD_CAPACITY);
	advance(w, 1000);
	expect(w, mpath_lun(w->m)->nr_blocks == 4096);
	expect(w, !shows_ssd(w));
	expect_sense(w, submit_read(w, 0, 1), 0x06, 0x2a, 0x09);
	is_told_nothing(w);
	world_end(w);
}

/* Of the array's own name and revision an initiator sees nothing. */
static void what_is_not_shown_may_change(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);
	unsigned int i;

	world_up(w);
	for (i = 0; i < w->nr_paths; i++) {
		w->paths[i].nexus.lun->tpgs = 1;
		w->paths[i].nexus.group = 1;
		push_ua(&w->paths[i], 0x3f, 0x03);
	}
	advance(w, 6000);
	is_told_nothing(w);
	expect(w, w->nr_lun_changes == 1);
	world_end(w);
}

int main(void)
{
	STORY(the_arrays_pages_change);
	STORY(firmware_comes_port_by_port);
	STORY(two_ports_differ_for_good);
	STORY(pages_change_while_a_path_is_dead);
	STORY(the_path_that_spoke_for_them_leaves);
	STORY(pages_change_during_a_restart);
	STORY(ports_that_differ_for_good_over_restarts);
	STORY(the_limits_of_all_ports_are_kept);
	STORY(a_cache_must_be_feared_without_a_path);
	STORY(a_cache_must_be_feared_whatever_the_last_path_says);
	STORY(a_page_that_is_refused_once);
	STORY(a_page_that_is_refused_after_a_restart);
	STORY(a_lun_grows_whose_ports_differ);
	STORY(what_is_not_shown_may_change);
	return end_of_stories();
}
