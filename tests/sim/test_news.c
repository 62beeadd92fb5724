/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the array tells once, and a command of our own has heard: the next commands of initiators
 * are told instead (SAM-5 5.14, SPC-5 4.4.6).  Nothing of it gets lost without a word.
 */
#include "mpath/scsi.h"
#include "sim/lib/tables.h"
#include "sim/lib/world.h"

/* The next command is told so, and is not sent. */
static void is_told(struct world *w, uint8_t response, uint8_t key, uint8_t asc, uint8_t ascq)
{
	struct sim_io *io = submit_write(w, 0, 1);

	expect_answer(w, io, SAM_CHECK_CONDITION);
	expect(w, io->io.result.sense[0] == response && io->io.result.sense[2] == key);
	expect(w, io->io.result.sense[12] == asc && io->io.result.sense[13] == ascq);
	expect(w, !io->nr_starts);
	expect(w, io->io.result.residual == io->io.cmd.data_len);
}

static void is_told_nothing(struct world *w)
{
	struct sim_io *io = submit_write(w, 0, 1);

	advance(w, 20);
	expect_good(w, io);
}

/* --- more than is kept one by one --- */

/* A reset is what makes initiators take nothing for granted, whatever it was that changed. */
static void more_unit_attentions_than_are_kept(void)
{
	static const uint16_t uas[] = {0x2a00, 0x2a01, 0x2a03, 0x2a04, 0x2a05, 0x3807, 0x3f01};
	struct world *w = world_new(FAIL ONE_PATH);
	unsigned int i;

	world_up(w);
	for (i = 0; i < sizeof(uas) / sizeof(uas[0]); i++) {
		push_ua(sim_path(w, "8:0"), (uint8_t)(uas[i] >> 8), (uint8_t)uas[i]);
		advance(w, 5001);
	}
	expect(w, !sim_path(w, "8:0")->nexus.nr_uas);
	for (i = 0; i < NEWS_MAX; i++)
		is_told(w, 0x70, 0x06, (uint8_t)(uas[i] >> 8), (uint8_t)uas[i]);
	is_told(w, 0x70, 0x06, 0x29, 0x00);
	is_told_nothing(w);
	world_end(w);
}

/* That a write is lost is said of each, or of all, but never taken for a mere change. */
static void more_losses_than_are_kept(void)
{
	struct world *w = world_new(FAIL ONE_PATH);
	struct sim_path *p = sim_path(w, "8:0");
	uint8_t i;

	world_up(w);
	for (i = 0; i < NEWS_MAX + 3; i++) {
		push_deferred(p, 0x04, 0x44, i);
		advance(w, 5001);
	}
	push_ua(p, 0x2a, 0x01);
	advance(w, 5001);
	expect(w, !p->nexus.nr_uas && !p->nexus.nr_deferred);
	for (i = 0; i < NEWS_MAX; i++)
		is_told(w, 0x71, 0x04, 0x44, i);
	is_told(w, 0x71, 0x03, 0x0c, 0x00);
	is_told(w, 0x70, 0x06, 0x29, 0x00);
	is_told_nothing(w);
	world_end(w);
}

int main(void)
{
	STORY(more_unit_attentions_than_are_kept);
	STORY(more_losses_than_are_kept);
	return end_of_stories();
}
