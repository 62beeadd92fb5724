/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Deferred errors (SPC-5 4.4.6): a write that was answered GOOD is lost after all, and the next
 * command that comes through its path is told so instead of being carried out.  It is told once:
 * where a question of ours hears it, the next command of an initiator must.
 */
#include "core/registry.h"
#include "mpath/scsi.h"
#include "sim/lib/tables.h"
#include "sim/lib/world.h"

static void nobody_has_failed(struct world *w)
{
	expect_no_notice(w, "failed");
	expect_no_notice(w, "not used");
	expect(w, sim_path(w, "8:0")->path->active && !sim_path(w, "8:0")->path->suspect);
}

/* The next command is told the error of @key, which would have been carried out; and no other. */
static void is_told(struct world *w, uint8_t key)
{
	struct sim_io *io = submit_inquiry(w);

	expect_good(w, io); /* is never told such a thing */
	io = submit_write(w, 0, 1);
	expect_answer(w, io, SAM_CHECK_CONDITION);
	expect(w, io->io.result.sense[0] == 0x71 && io->io.result.sense[2] == key);
	expect(w, io->io.result.sense[12] == 0x0c && !io->nr_starts);
	expect(w, io->io.result.residual == io->io.cmd.data_len);
	io = submit_write(w, 0, 1);
	advance(w, 5);
	expect_good(w, io);
}

/* Nobody uses the map, so the checker hears it.  Whatever the sense says, it is not the path's. */
static void a_checker_hears_it(void)
{
	/* (rdac's asks INQUIRY alone, which is not told such a thing.) */
	static const char *const checkers[] = {"tur", "directio", "emc_clariion", "hp_sw"};
	static const enum sim_make makes[] = {MAKE_SIM, MAKE_SIM, MAKE_EMC, MAKE_HP_SW};
	static const uint8_t keys[] = {0x01, 0x02, 0x03, 0x04};
	unsigned int i, k;

	for (i = 0; i < sizeof(makes) / sizeof(makes[0]); i++) {
		struct world *w = world_new(FAIL ONE_PATH);

		if (makes[i] != MAKE_SIM)
			give_controllers(w, makes[i]);
		w->settings.checker = path_checker_find(checkers[i]);
		world_up(w);
		for (k = 0; k < sizeof(keys); k++) {
			unsigned int nr_probes = sim_path(w, "8:0")->nr_probes;

			push_deferred(sim_path(w, "8:0"), keys[k], 0x0c, 0x00);
			advance(w, 5001);
			expect(w, sim_path(w, "8:0")->nr_probes > nr_probes);
			nobody_has_failed(w);
			is_told(w, keys[k]);
		}
		world_end(w);
	}
}

/* The path has failed, and the error is heard by the question for the LUN's size. */
static void the_identity_check_hears_it(void)
{
	static const uint8_t keys[] = {0x02, 0x03, 0x05};
	unsigned int k;

	for (k = 0; k < sizeof(keys); k++) {
		struct world *w = world_new(FAIL TWO_PATHS_ALUA);
		struct sim_path *p = sim_path(w, "8:0");

		w->settings.checker = NULL;
		give_port_groups(w, 1, 2);
		world_up(w);
		set_mode(p, MODE_LOST);
		submit_read(w, 0, 1);
		advance(w, 3000);
		expect(w, !p->path->active);
		forget_notices(w);
		push_deferred(p, keys[k], 0x0c, 0x00);
		set_mode(p, MODE_UP);
		advance(w, 1500);
		expect(w, !p->path->passive);
		nobody_has_failed(w);
		is_told(w, keys[k]);
		world_end(w);
	}
}

/* So does the question for the states of port groups. */
static void the_hardware_handler_hears_it(void)
{
	struct world *w = world_new(FAIL TWO_PATHS_ALUA);
	unsigned int nr_rtpg;

	give_port_groups(w, 1, 2);
	world_up(w);
	nr_rtpg = w->luns[0].nr_rtpg;
	push_deferred(sim_path(w, "8:0"), 0x01, 0x0c, 0x00);
	kernel_hears(sim_path(w, "8:0"), HEARD_STATES);
	advance(w, 2500);
	expect(w, w->luns[0].nr_rtpg == nr_rtpg + 1 && !sim_path(w, "8:0")->nexus.nr_deferred);
	nobody_has_failed(w);
	is_told(w, 0x01);
	world_end(w);
}

/* And the order to take the LUN over: it was not carried out, so it is given again. */
static void an_activation_hears_it(void)
{
	struct world *w = world_new(QUEUE TWO_GROUPS_ALUA);
	struct sim_path *other = sim_path(w, "8:16");
	struct sim_io *io;

	give_port_groups(w, 2, 1);
	world_up(w);
	submit_read(w, 0, 1);
	advance(w, 5);
	message(w, "switch_group 2");
	push_deferred(other, 0x03, 0x0c, 0x00);
	io = submit_write(w, 0, 1);
	advance(w, 2000);
	expect_good(w, io);
	expect(w, io->last_path == other && w->luns[0].last_stpg == 2);
	nobody_has_failed(w);
	is_told(w, 0x03);
	world_end(w);
}

/* Two that are different are told one after the other. */
static void two_of_them(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);
	struct sim_io *first, *second;

	world_up(w);
	push_deferred(sim_path(w, "8:0"), 0x03, 0x0c, 0x00);
	push_deferred(sim_path(w, "8:16"), 0x04, 0x44, 0x00);
	advance(w, 5001);
	nobody_has_failed(w);
	first = submit_read(w, 0, 1);
	second = submit_read(w, 0, 1);
	expect_answer(w, first, SAM_CHECK_CONDITION);
	expect_answer(w, second, SAM_CHECK_CONDITION);
	expect(w, first->io.result.sense[2] + second->io.result.sense[2] == 0x03 + 0x04);
	first = submit_read(w, 0, 1);
	advance(w, 5);
	expect_good(w, first);
	world_end(w);
}

/* A target that has nothing else to say is asked no more than five times a second, and stays up. */
static void there_is_no_end_of_them(void)
{
	struct world *w = world_new(FAIL ONE_PATH);
	struct sim_path *p = sim_path(w, "8:0");
	unsigned int nr_probes;

	world_up(w);
	push_deferred(p, 0x03, 0x0c, 0x00);
	p->nexus.nr_deferred = 100000;
	nr_probes = p->nr_probes;
	advance(w, 60000);
	nobody_has_failed(w);
	expect(w, p->nr_probes - nr_probes > 100 && p->nr_probes - nr_probes <= 300);
	p->nexus.nr_deferred = 0;
	advance(w, 2000);
	is_told(w, 0x03);
	nobody_has_failed(w);
	world_end(w);
}

/*
 * The same in another form: the cache could not be written out.  Asked once more the array has
 * nothing left to write, and says GOOD.
 */
static void cache_is_not_written(const struct scsi_result *told, uint8_t key, uint8_t asc)
{
	static const uint8_t cdbs[][16] = {{0x35}, {0x91}};
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *io;
	unsigned int i;

	world_up(w);
	for (i = 0; i < 2; i++) {
		answer_with(sim_path(w, "8:0"), told, 1);
		answer_with(sim_path(w, "8:16"), told, 1);
		io = submit_cdb(w, cdbs[i], i ? 16 : 10, 0);
		advance(w, 100);
		expect_sense(w, io, key, asc, 0x00);
		expect(w, io->nr_starts == 1);
		set_io_mode(sim_path(w, "8:0"), MODE_UP, 0);
		set_io_mode(sim_path(w, "8:16"), MODE_UP, 0);
	}
	world_end(w);
}

static void a_cache_that_could_not_be_written(void)
{
	/* A write error, or something inside of the array: it need not call it a MEDIUM ERROR. */
	static const uint8_t told[][2] = {
		{0x03, 0x0c}, {0x03, 0x31}, {0x04, 0x44}, {0x0b, 0x0c}, {0x0b, 0x44}};
	struct scsi_result result;
	unsigned int i;

	for (i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
		sim_check_condition(&result, 0, told[i][0], told[i][1], 0x00);
		cache_is_not_written(&result, told[i][0], told[i][1]);
	}
	/* The sense got lost: perhaps it was that. */
	cache_is_not_written(&(struct scsi_result){.status = SAM_CHECK_CONDITION}, 0x04, 0x08);
}

/* What is told of the way, or of the moment, is no reason to let it up. */
static void a_cache_that_is_written_at_the_second_try(void)
{
	static const uint8_t told[][3] = {
		{0x02, 0x04, 0x01}, {0x06, 0x29, 0x03}, {0x0b, 0x47, 0x03}};
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *io;
	unsigned int i;

	world_up(w);
	for (i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
		answer_with_sense(sim_path(w, "8:0"), told[i][0], told[i][1], told[i][2], 1);
		answer_with_sense(sim_path(w, "8:16"), told[i][0], told[i][1], told[i][2], 1);
		io = submit_cdb(w, (const uint8_t[10]){0x35}, 10, 0);
		advance(w, 100);
		expect_good(w, io);
		expect(w, io->nr_starts == 2);
		set_io_mode(sim_path(w, "8:0"), MODE_UP, 0);
		set_io_mode(sim_path(w, "8:16"), MODE_UP, 0);
	}
	world_end(w);
}

int main(void)
{
	STORY(a_checker_hears_it);
	STORY(the_identity_check_hears_it);
	STORY(the_hardware_handler_hears_it);
	STORY(an_activation_hears_it);
	STORY(two_of_them);
	STORY(there_is_no_end_of_them);
	STORY(a_cache_that_could_not_be_written);
	STORY(a_cache_that_is_written_at_the_second_try);
	return end_of_stories();
}
