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

struct path *mpath_path(struct multipath *m, unsigned int number)
{
	struct path *path;

	for_each_path(m, path)
		if (number-- == 0)
			return path;
	return NULL;
}

static bool out_of_memory(struct strbuf *error)
{
	strbuf_printf(error, "not enough memory for the map");
	return false;
}

static void free_path(struct path *path)
{
	free(path->checker_context);
	free(path->address);
	free(path);
}

static struct path *new_path(const struct multipath *m, const char *address)
{
	struct path *path = calloc(1, sizeof(*path));

	if (!path)
		return NULL;
	path->selectable = true;
	path->next_check_ns = 1; /* due with the first MPATH_TIMEOUT */
	path->probe.is_probe = true;
	path->probe.cmd.class = CMD_READ;
	list_init(&path->node);
	list_init(&path->map_node);
	list_init(&path->action_node);
	list_init(&path->flying);
	list_init(&path->probe.node);
	list_init(&path->probe.flight);
	path->address = strdup(address);
	if (m->settings.checker)
		path->checker_context = calloc(1, m->settings.checker->context_size + 1);
	if (!path->address || (m->settings.checker && !path->checker_context)) {
		free_path(path);
		return NULL;
	}
	return path;
}

static bool add_path(struct multipath *m, struct priority_group *pg, const struct table_path *word,
		     struct strbuf *error)
{
	const char *why = "path selector refuses the path";
	struct path *path = new_path(m, word->address);

	if (!path)
		return out_of_memory(error);
	path->m = m;
	path->pg = pg;
	path->id = m->next_path_id++;
	list_push_back(&m->paths, &path->map_node);
	m->nr_paths++;
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
		       const struct table_group *words, struct strbuf *error)
{
	const char *why = "path selector constructor failed";
	unsigned int i;

	pg->m = m;
	pg->number = (unsigned int)(pg - m->groups) + 1;
	list_init(&pg->paths);
	pg->selector.type = words->selector;
	if (words->selector->create(&pg->selector, words->selector_argc,
				    (const char *const *)words->selector_argv, &why)) {
		strbuf_printf(error, "%s: group %u", why, pg->number);
		return false;
	}
	for (i = 0; i < words->nr_paths; i++)
		if (!add_path(m, pg, &words->paths[i], error))
			return false;
	return true;
}

static bool init_groups(struct multipath *m, const struct mpath_table *table, struct strbuf *error)
{
	unsigned int i;

	for (i = 0; i < table->nr_groups; i++)
		if (!init_group(m, &m->groups[i], &table->groups[i], error))
			return false;
	return true;
}

static void take_features(struct multipath *m, const struct mpath_table *table)
{
	m->queue_if_no_path = m->queue_in_table = table->queue_if_no_path;
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
	m->queue_io = true; /* as a new dm map says */
	m->choosing_early = true;
	list_init(&m->paths);
	list_init(&m->held);
	list_init(&m->backlog);
	list_init(&m->delayed);
	list_init(&m->restarting);

	m->groups = calloc(m->nr_groups + 1, sizeof(*m->groups));
	if (!m->groups) {
		out_of_memory(error);
		goto destroy;
	}
	if (!init_groups(m, table, error))
		goto destroy;
	m->notices_max = notices_for(m->nr_paths);
	m->notices = calloc(m->notices_max, sizeof(*m->notices));
	if (!m->notices) {
		out_of_memory(error);
		goto destroy;
	}
	m->nr_unsettled = m->nr_paths;
	m->restart_over = m->nr_paths == 0;
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
		if (m->groups[i].selector.context)
			m->groups[i].selector.type->destroy(&m->groups[i].selector);
}

void mpath_destroy(struct multipath *m)
{
	struct list *node;

	if (!m)
		return;
	assert(m->nr_ios == 0);
	destroy_selectors(m);
	while ((node = list_pop(&m->paths)))
		free_path(container_of(node, struct path, map_node));
	free(m->notices);
	free(m->groups);
	free(m);
}
