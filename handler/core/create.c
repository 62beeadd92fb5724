/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a table and settings to a map, and back to nothing.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/multipath.h"
#include "mpath/scsi.h"

void mpath_settings_init(struct mpath_settings *settings)
{
	*settings = (struct mpath_settings){
		.recheck_interval_ms = 1000,
		.polling_interval_ms = 5000,
		.checker_timeout_ms = 5000,
		.path_timeout_ms = 20000,
		.restart_wait_ms = 50000,
		.fence = FENCE_TIME,
		.policy = {.latency_checks = 20, .latency_base = 20},
	};
}

const char *mpath_name(const struct multipath *m)
{
	return m->name;
}

bool mpath_settled(const struct multipath *m)
{
	return m->nr_unsettled == 0;
}

struct path *mpath_path(struct multipath *m, unsigned int number)
{
	struct path *path;

	for_each_path(m, path)
		if (number-- == 0)
			return path;
	return NULL;
}

/* A LUN that was kept from an earlier run counts, unless the map now names another one. */
static void take_lun(struct multipath *m, const struct lun_facts *lun)
{
	if (!lun || !lun->known)
		return;
	m->kept_is_other = m->settings.wwid[0] && !lun_is_called(lun, m->settings.wwid);
	if (m->kept_is_other) {
		m->former_blocks = lun->nr_blocks;
		return;
	}
	m->lun = *lun;
	m->words = scsi_lun_words(lun);
	meet_hardware(m, &m->lun);
}

static void init(struct multipath *m, const char *name)
{
	strncpy(m->name, name, sizeof(m->name) - 1);
	m->choosing_early = true;
	list_init(&m->paths);
	list_init(&m->leaving);
	list_init(&m->held);
	list_init(&m->backlog);
	list_init(&m->delayed);
	list_init(&m->restarting);
	list_init(&m->let_go);
	list_init(&m->fenced);
	list_init(&m->activating);
	list_init(&m->pg_init_paths);
	list_init(&m->hw.paths);
	list_init(&m->suspended);
	list_init(&m->on_legs);
}

static struct multipath *new_map(const char *name)
{
	struct multipath *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->former_disks = calloc(1, sizeof(*m->former_disks));
	if (!m->former_disks) {
		free(m);
		return NULL;
	}
	init(m, name);
	return m;
}

struct multipath *mpath_create(const char *name, const struct mpath_table *table,
			       const struct mpath_settings *settings, const struct lun_facts *lun,
			       struct strbuf *error)
{
	struct multipath *m = new_map(name);
	struct mpath_change *change;

	if (!m) {
		strbuf_printf(error, "not enough memory for the map");
		return NULL;
	}
	change = mpath_change_reload(m, table, settings, error);
	if (!change) {
		mpath_destroy(m);
		return NULL;
	}
	take_over(m, change);
	mpath_change_free(change);
	m->restart_over = m->nr_paths == 0;
	m->first_timeout_ms = settings->path_timeout_ms;
	take_lun(m, lun);
	return m;
}

static void free_paths(struct list *paths)
{
	struct list *node;

	while ((node = list_pop(paths)))
		mpath_path_free(container_of(node, struct path, map_node));
}

void mpath_destroy(struct multipath *m)
{
	if (!m)
		return;
	assert(m->nr_ios == 0);
	free_groups(m->groups, m->nr_groups);
	free_paths(&m->paths);
	free_paths(&m->leaving);
	mpath_table_free(m->table);
	free(m->notices.memory);
	free(m->hardware);
	free(m->awaited);
	free(m->former_disks);
	hedge_free(m->hedge);
	free(m);
}
