/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a table and settings to a map, and back to nothing.  All memory that a map needs is taken
 * here.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/multipath.h"

void mpath_settings_init(struct mpath_settings *settings)
{
	*settings = (struct mpath_settings){
		.recheck_interval_ms = 1000,
		.polling_interval_ms = 5000,
		.checker_timeout_ms = 5000,
		.path_timeout_ms = 20000,
		.restart_wait_ms = 35000,
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

struct path *mpath_path(struct multipath *m, unsigned int id)
{
	return id < m->nr_paths ? &m->paths[id] : NULL;
}

static unsigned int count_paths(const struct mpath_table *table)
{
	unsigned int i, n = 0;

	for (i = 0; i < table->nr_groups; i++)
		n += table->groups[i].nr_paths;
	return n;
}

static bool out_of_memory(struct strbuf *error)
{
	strbuf_printf(error, "not enough memory for the map");
	return false;
}

static bool init_path(struct multipath *m, struct path *path, struct priority_group *pg,
		      const struct table_path *word, struct strbuf *error)
{
	const char *why = "path selector refuses the path";

	path->m = m;
	path->pg = pg;
	path->id = (unsigned int)(path - m->paths);
	path->selectable = true;
	path->next_check_ns = 1; /* due with the first MPATH_TIMEOUT */
	path->probe.is_probe = true;
	path->probe.cmd.class = CMD_READ;
	list_init(&path->action_node);
	list_init(&path->flying);
	list_init(&path->probe.node);
	list_init(&path->probe.flight);
	path->address = strdup(word->address);
	if (m->settings.checker)
		path->checker_context = calloc(1, m->settings.checker->context_size + 1);
	if (!path->address || (m->settings.checker && !path->checker_context))
		return out_of_memory(error);

	list_push_back(&pg->paths, &path->node);
	pg->nr_paths++;
	if (pg->selector.type->add_path(&pg->selector, path, word->argc,
					(const char *const *)word->argv, &why)) {
		strbuf_printf(error, "%s: path %s", why, word->address);
		return false;
	}
	return true;
}

static bool init_group(struct multipath *m, struct priority_group *pg,
		       const struct table_group *words, struct path *first, struct strbuf *error)
{
	const char *why = "path selector constructor failed";
	unsigned int i;

	pg->m = m;
	pg->number = (unsigned int)(pg - m->groups) + 1;
	list_init(&pg->paths);
	if (words->selector->create(&pg->selector, words->selector_argc,
				    (const char *const *)words->selector_argv, &why)) {
		strbuf_printf(error, "%s: group %u", why, pg->number);
		return false;
	}
	pg->selector.type = words->selector;
	for (i = 0; i < words->nr_paths; i++)
		if (!init_path(m, first + i, pg, &words->paths[i], error))
			return false;
	return true;
}

static bool init_groups(struct multipath *m, const struct mpath_table *table, struct strbuf *error)
{
	struct path *first = m->paths;
	unsigned int i;

	for (i = 0; i < table->nr_groups; i++) {
		if (!init_group(m, &m->groups[i], &table->groups[i], first, error))
			return false;
		first += table->groups[i].nr_paths;
	}
	return true;
}

static void take_features(struct multipath *m, const struct mpath_table *table)
{
	m->queue_if_no_path = table->queue_if_no_path;
	m->retain_attached_hw_handler = table->retain_attached_hw_handler;
	m->pg_init_retries = table->pg_init_retries;
	m->pg_init_delay_msecs = table->pg_init_delay_msecs;
	m->queue_mode = table->queue_mode;
	m->table_sectors = table->has_length ? table->nr_sectors : 0;
	if (table->initial_group && table->initial_group <= table->nr_groups)
		m->next_pg = &m->groups[table->initial_group - 1];
}

/* A LUN that was kept from an earlier run counts, unless the map now names another one. */
static void take_lun(struct multipath *m, const struct lun_facts *lun)
{
	if (!lun || !lun->known)
		return;
	if (m->settings.wwid[0] && strcmp(m->settings.wwid, lun->wwid) != 0)
		return;
	m->lun = *lun;
}

struct multipath *mpath_create(const char *name, const struct mpath_table *table,
			       const struct mpath_settings *settings, const struct lun_facts *lun,
			       struct strbuf *error)
{
	struct multipath *m = calloc(1, sizeof(*m));

	if (!m) {
		out_of_memory(error);
		return NULL;
	}
	strncpy(m->name, name, sizeof(m->name) - 1);
	m->settings = *settings;
	m->nr_groups = table->nr_groups;
	m->nr_paths = count_paths(table);
	m->nr_unsettled = m->nr_paths;
	m->restart_over = m->nr_paths == 0;
	m->queue_io = true; /* as a new dm map says */
	m->choosing_early = true;
	list_init(&m->held);
	list_init(&m->backlog);
	list_init(&m->delayed);
	list_init(&m->restarting);

	m->groups = calloc(m->nr_groups + 1, sizeof(*m->groups));
	m->paths = calloc(m->nr_paths + 1, sizeof(*m->paths));
	if (!m->groups || !m->paths) {
		out_of_memory(error);
		goto destroy;
	}
	if (!init_groups(m, table, error))
		goto destroy;
	take_features(m, table);
	take_lun(m, lun);
	return m;

destroy:
	mpath_destroy(m);
	return NULL;
}

static void destroy_selectors(struct multipath *m)
{
	unsigned int i;

	for (i = 0; m->groups && i < m->nr_groups; i++)
		if (m->groups[i].selector.type)
			m->groups[i].selector.type->destroy(&m->groups[i].selector);
}

void mpath_destroy(struct multipath *m)
{
	unsigned int i;

	if (!m)
		return;
	assert(m->nr_ios == 0);
	destroy_selectors(m);
	for (i = 0; m->paths && i < m->nr_paths; i++) {
		free(m->paths[i].checker_context);
		free(m->paths[i].address);
	}
	free(m->paths);
	free(m->groups);
	free(m);
}
