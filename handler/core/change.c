/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Another set of paths and groups takes over while the map is in service: a new table, a path more
 * or less, the same paths in other groups.  Creating a map is the first such change.
 *
 * A path that both know stays: its link, counters, state and commands are untouched.  A path that
 * leaves takes no new command; its reads are given up and go elsewhere, its writes are waited for,
 * then it is closed.  What waits goes on waiting, and is mapped anew.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/multipath.h"
#include "core/registry.h"
#include "core/table_edit.h"

/* A path's place in the new layout.  Until it takes over nothing of the path itself is changed. */
struct seat {
	struct path *path;
	struct priority_group *pg;
	void *selector_data;
	char *address;		     /* spelt otherwise from now on; NULL: as it is */
	struct latency_mark *judged; /* the path's, if it has none and needs one now */
	bool stays;
};

struct mpath_change {
	struct multipath *m;
	uint64_t nr_steps; /* of the map, when this was made ready */
	bool is_reload;	   /* features and settings are the new table's, too */
	struct mpath_settings settings;
	struct hardware_table *hardware; /* a reload's; NULL: none */
	struct hedge *hedge;		 /* if the map has none, and needs it now */

	/* The new ones, after the step the old ones. */
	struct mpath_table *table;
	struct priority_group *groups;
	unsigned int nr_groups;
	struct kept_notices notices;

	struct seat *seats; /* in table order */
	unsigned int nr_seats;
};

/* --- making ready: memory is taken, the map is only looked at --- */

static bool out_of_memory(struct strbuf *error)
{
	strbuf_printf(error, "not enough memory for the map");
	return false;
}

void mpath_path_free(struct path *path)
{
	free(path->hw_data);
	free(path->judged);
	free(path->checker_context);
	free(path->address);
	free(path);
}

static struct path *new_path(struct multipath *m, const char *address)
{
	struct path *path = calloc(1, sizeof(*path));

	if (!path)
		return NULL;
	path->m = m;
	path->selectable = true;
	path->prio = PRIO_UNDEF;
	path->next_check_ns = 1; /* due with the next MPATH_TIMEOUT */
	path->probe.is_internal = true;
	path->probe.is_probe = true;
	path->probe.cmd.class = CMD_READ;
	list_init(&path->node);
	list_init(&path->map_node);
	list_init(&path->flying);
	list_init(&path->hw_node);
	list_init(&path->pg_init_node);
	path->address = strdup(address);
	path->hw_data = calloc(1, hw_handler_path_size());
	path->checker_context = calloc(1, path_checker_context_size());
	if (!path->address || !path->hw_data || !path->checker_context) {
		mpath_path_free(path);
		return NULL;
	}
	return path;
}

static bool is_seated(const struct mpath_change *change, const struct path *path)
{
	unsigned int i;

	for (i = 0; i < change->nr_seats; i++)
		if (change->seats[i].path == path)
			return true;
	return false;
}

static bool is_device_of(const struct table_path *word, const struct path *path)
{
	return path_is_named(path, word->address) ||
	       (word->device[0] && strcmp(word->device, path->facts.name) == 0);
}

static bool is_word_of(const struct mpath_table *table, const char *address)
{
	unsigned int g, i;

	for (g = 0; g < table->nr_groups; g++)
		for (i = 0; i < table->groups[g].nr_paths; i++)
			if (strcmp(table->groups[g].paths[i].address, address) == 0)
				return true;
	return false;
}

/*
 * The path that @word means in the map as it is: the same word first, else the same device, unless
 * the table has that path by its own word, too (it may have lost the device to a new path).
 */
static struct path *find_staying(const struct mpath_change *change, const struct table_path *word)
{
	struct path *path;

	for_each_path(change->m, path)
		if (strcmp(path->address, word->address) == 0 && !is_seated(change, path))
			return path;
	for_each_path(change->m, path)
		if (is_device_of(word, path) && !is_seated(change, path) &&
		    !is_word_of(change->table, path->address))
			return path;
	return NULL;
}

/* A path that stays is in two selectors for a moment: this keeps the old one's data in place. */
static int add_to_selector(struct seat *seat, const struct table_path *word, const char **why)
{
	struct path_selector *ps = &seat->pg->selector;
	void *before = seat->path->selector_data;
	int err;

	err = ps->type->add_path(ps, seat->path, word->argc, (const char *const *)word->argv, why);
	seat->selector_data = seat->path->selector_data;
	seat->path->selector_data = before;
	return err;
}

static bool take_seat(struct mpath_change *change, struct priority_group *pg,
		      const struct table_path *word, struct strbuf *error)
{
	const char *why = "path selector refuses the path";
	struct path *path = find_staying(change, word);
	struct seat *seat = &change->seats[change->nr_seats];

	seat->pg = pg;
	seat->stays = path != NULL;
	seat->path = path ? path : new_path(change->m, word->address);
	if (!seat->path)
		return out_of_memory(error);
	change->nr_seats++;
	if (strcmp(seat->path->address, word->address) != 0) {
		seat->address = strdup(word->address);
		if (!seat->address)
			return out_of_memory(error);
	}
	if (change->settings.slow_path_factor && !seat->path->judged) {
		seat->judged = calloc(1, sizeof(*seat->judged));
		if (!seat->judged)
			return out_of_memory(error);
	}
	if (add_to_selector(seat, word, &why)) {
		strbuf_printf(error, "%s: path %s", why, word->address);
		return false;
	}
	return true;
}

static bool prepare_group(struct mpath_change *change, struct priority_group *pg,
			  const struct table_group *words, struct strbuf *error)
{
	const char *why = "path selector constructor failed";
	unsigned int i;

	pg->number = (unsigned int)(pg - change->groups) + 1;
	list_init(&pg->paths);
	pg->selector.type = words->selector;
	if (words->selector->create(&pg->selector, words->selector_argc,
				    (const char *const *)words->selector_argv, &why)) {
		strbuf_printf(error, "%s: group %u", why, pg->number);
		return false;
	}
	for (i = 0; i < words->nr_paths; i++)
		if (!take_seat(change, pg, &words->paths[i], error))
			return false;
	return true;
}

static bool copy_hardware(struct mpath_change *change, struct strbuf *error)
{
	const struct hardware_table *said = change->settings.hardware;
	size_t size;

	change->settings.hardware = NULL;
	if (!change->is_reload || !said)
		return true;
	size = hardware_table_size(said->nr_rules);
	change->hardware = malloc(size);
	if (!change->hardware)
		return out_of_memory(error);
	memcpy(change->hardware, said, size);
	return true;
}

static bool prepare_hedge(struct mpath_change *change, struct strbuf *error)
{
	if (!change->settings.hedged_reads || change->m->hedge)
		return true;
	change->hedge = hedge_new();
	return change->hedge || out_of_memory(error);
}

static bool prepare_layout(struct mpath_change *change, struct strbuf *error)
{
	const struct mpath_table *table = change->table;
	unsigned int i, nr_paths = 0;

	for (i = 0; i < table->nr_groups; i++)
		nr_paths += table->groups[i].nr_paths;
	change->nr_groups = table->nr_groups;
	change->groups = calloc(table->nr_groups + 1, sizeof(*change->groups));
	change->seats = calloc(nr_paths + 1, sizeof(*change->seats));
	if (!change->groups || !change->seats ||
	    !kept_notices_init(&change->notices, nr_paths + change->m->nr_paths))
		return out_of_memory(error);
	for (i = 0; i < table->nr_groups; i++)
		if (!prepare_group(change, &change->groups[i], &table->groups[i], error))
			return false;
	return true;
}

/* Takes @table. */
static struct mpath_change *new_change(struct multipath *m, struct mpath_table *table,
				       const struct mpath_settings *settings, struct strbuf *error)
{
	struct mpath_change *change = calloc(1, sizeof(*change));

	if (!change) {
		mpath_table_free(table);
		out_of_memory(error);
		return NULL;
	}
	change->m = m;
	change->nr_steps = m->nr_steps;
	change->table = table;
	change->is_reload = settings != NULL;
	change->settings = settings ? *settings : m->settings;
	if (copy_hardware(change, error) && prepare_hedge(change, error) &&
	    prepare_layout(change, error))
		return change;
	mpath_change_free(change);
	return NULL;
}

/* What is right for a new map may be wrong for one in service. */
static bool fits(const struct multipath *m, const struct mpath_table *table,
		 const struct mpath_settings *settings, struct strbuf *error)
{
	uint64_t sectors = m->lun.nr_blocks * (m->lun.block_size / 512);

	if (settings->identity != m->settings.identity) {
		strbuf_printf(
			error,
			"identity is another one, expected the map's: initiators know the LUN "
			"by it");
		return false;
	}
	if (!m->lun.known)
		return true;
	if (settings->wwid[0] && !lun_is_called(&m->lun, settings->wwid)) {
		strbuf_printf(error, "wwid is %s, expected the map's: %s", settings->wwid,
			      m->lun.wwid);
		return false;
	}
	if (table->has_length && table->nr_sectors > sectors) {
		strbuf_printf(error, "LENGTH is %llu sectors, expected at most the LUN's %llu",
			      (unsigned long long)table->nr_sectors, (unsigned long long)sectors);
		return false;
	}
	return true;
}

struct mpath_change *mpath_change_reload(struct multipath *m, const struct mpath_table *table,
					 const struct mpath_settings *settings,
					 struct strbuf *error)
{
	struct mpath_table *copy;

	if (m->table && !fits(m, table, settings, error))
		return NULL;
	if (mpath_table_copy(table, &copy, error))
		return NULL;
	return new_change(m, copy, settings, error);
}

/* Paths by their present groups, in table order. */
static unsigned int *present_groups(const struct multipath *m, struct strbuf *error)
{
	unsigned int *assignment = calloc(m->nr_paths + 1, sizeof(*assignment));
	const struct path *path;
	unsigned int i = 0;

	if (!assignment) {
		out_of_memory(error);
		return NULL;
	}
	for_each_path(m, path)
		assignment[i++] = path->pg->number;
	return assignment;
}

static struct mpath_change *regroup(struct multipath *m, const unsigned int *assignment,
				    char *new_path, unsigned int new_group, struct strbuf *error)
{
	struct mpath_table *table;

	if (mpath_table_regroup(m->table, assignment, new_path, new_group, &table, error))
		return NULL;
	return new_change(m, table, NULL, error);
}

struct mpath_change *mpath_change_regroup(struct multipath *m, const unsigned int *assignment,
					  struct strbuf *error)
{
	return regroup(m, assignment, NULL, 0, error);
}

/*
 * The only group, or, where each path has its own (multipathd's failover), a new one; and so where
 * groups are formed anew when the path is known.
 */
static unsigned int natural_group(const struct multipath *m)
{
	if (m->nr_groups == 1)
		return 1;
	return m->settings.policy.on || m->nr_paths == m->nr_groups ? m->nr_groups + 1 : 0;
}

/* What once was the device of a path that is closed may be any disk now. */
static bool is_in_map(const struct multipath *m, const char *address)
{
	const struct path *path;

	for_each_path(m, path)
		if (strcmp(path->address, address) == 0 ||
		    (has_device(path) && path_is_named(path, address)))
			return true;
	return false;
}

struct mpath_change *mpath_change_add_path(struct multipath *m, const char *address,
					   unsigned int group, struct strbuf *error)
{
	struct mpath_change *change = NULL;
	unsigned int *assignment;
	char *word;

	if (!m->nr_groups) {
		strbuf_printf(error, "the map has no priority group: reload it with a table");
		return NULL;
	}
	if (is_in_map(m, address)) {
		strbuf_printf(error, "path %s is in the map already", address);
		return NULL;
	}
	if (!mpath_table_takes_device(address, error))
		return NULL;
	group = group ? group : natural_group(m);
	if (!group || group > m->nr_groups + 1) {
		strbuf_printf(error,
			      "which priority group: expected a number from 1 to %u, or %u for a "
			      "new one",
			      m->nr_groups, m->nr_groups + 1);
		return NULL;
	}
	assignment = present_groups(m, error);
	word = strdup(address);
	if (assignment && !word)
		out_of_memory(error);
	if (assignment && word)
		change = regroup(m, assignment, word, group, error);
	free(word);
	free(assignment);
	return change;
}

struct mpath_change *mpath_change_add_found(struct multipath *m, const char *address,
					    const char *selector, struct strbuf *error)
{
	bool multibus = m->settings.policy.grouping == GROUPING_MULTIBUS;
	struct mpath_table *groups, *table;
	int err;

	if (m->nr_groups)
		return mpath_change_add_path(m, address, multibus ? 1 : m->nr_groups + 1, error);
	if (mpath_table_from_paths(&address, 1, "failover", selector, NULL, &groups, error))
		return NULL;
	err = mpath_table_with_groups(m->table, groups, &table, error);
	mpath_table_free(groups);
	return err ? NULL : new_change(m, table, NULL, error);
}

static struct mpath_change *
remove_paths(struct multipath *m, const char *name,
	     bool (*is_meant)(const struct path *path, const char *name), struct strbuf *error)
{
	struct mpath_change *change = NULL;
	unsigned int *assignment = present_groups(m, error);
	const struct path *path;
	bool found = false;
	unsigned int i = 0;

	if (!assignment)
		return NULL;
	for_each_path(m, path) {
		if (is_meant(path, name)) {
			assignment[i] = 0;
			found = true;
		}
		i++;
	}
	if (found)
		change = regroup(m, assignment, NULL, 0, error);
	else
		strbuf_printf(error, "path %s is not in map %s", name, m->name);
	free(assignment);
	return change;
}

struct mpath_change *mpath_change_remove_path(struct multipath *m, const char *name,
					      struct strbuf *error)
{
	return remove_paths(m, name, path_is_named, error);
}

static bool has_address(const struct path *path, const char *address)
{
	return strcmp(path->address, address) == 0;
}

struct mpath_change *mpath_change_remove_found(struct multipath *m, const char *address,
					       struct strbuf *error)
{
	return remove_paths(m, address, has_address, error);
}

struct path *mpath_change_path(struct mpath_change *change, unsigned int number)
{
	unsigned int i;

	for (i = 0; i < change->nr_seats; i++)
		if (!change->seats[i].stays && number-- == 0)
			return change->seats[i].path;
	return NULL;
}

void free_groups(struct priority_group *groups, unsigned int nr_groups)
{
	unsigned int i;

	for (i = 0; groups && i < nr_groups; i++)
		if (groups[i].selector.context)
			groups[i].selector.type->destroy(&groups[i].selector);
	free(groups);
}

void mpath_change_free(struct mpath_change *change)
{
	unsigned int i;

	if (!change)
		return;
	free_groups(change->groups, change->nr_groups);
	for (i = 0; i < change->nr_seats; i++) {
		struct seat *seat = &change->seats[i];

		if (!seat->stays && seat->path)
			mpath_path_free(seat->path);
		free(seat->address);
		free(seat->judged);
	}
	free(change->seats);
	free(change->notices.memory);
	free(change->hardware);
	hedge_free(change->hedge);
	mpath_table_free(change->table);
	free(change);
}

/* --- taking over: nothing can fail any more --- */

/* The commands that are out on @path end for its selector, or begin for a new one. */
static void end_for_selector(struct multipath *m, struct path *path)
{
	struct path_selector *ps = &path->pg->selector;
	struct mpath_io *io;

	if (!ps->type->end_io)
		return;
	list_for_each_entry(io, &path->flying, flight)
		ps->type->end_io(ps, path, io->cmd.data_len, io->start_ns, m->now_ns);
}

static void begin_for_selector(struct path *path)
{
	struct path_selector *ps = &path->pg->selector;
	struct mpath_io *io;

	if (ps->type->start_io)
		list_for_each_entry(io, &path->flying, flight)
			ps->type->start_io(ps, path, io->cmd.data_len, io->start_ns);
	if (!path->selectable)
		ps->type->fail_path(ps, path);
}

#define swap(a, b)                                                                                 \
	do {                                                                                       \
		__typeof__(a) swap_tmp = (a);                                                      \
		(a) = (b);                                                                         \
		(b) = swap_tmp;                                                                    \
	} while (0)

static void path_joins(struct multipath *m, struct path *path)
{
	path->id = m->next_path_id++;
	path->was_down = true;
	m->nr_unsettled++;
	if (m->started) {
		wake_by(m, m->now_ns);
		trace(m, "path %s: joins group %u", path_name(path), path->pg->number);
		notice(m, NOTICE_PATH_ADDED, path, "added to priority group %u", path->pg->number);
	}
	recall_path(m, path);
}

static void sit_down(struct multipath *m, struct seat *seat)
{
	struct path *path = seat->path;

	list_del(&path->map_node);
	list_push_back(&m->paths, &path->map_node);
	list_del(&path->node);
	path->pg = seat->pg;
	path->selector_data = seat->selector_data;
	if (seat->address)
		swap(path->address, seat->address);
	if (seat->judged || !m->settings.slow_path_factor)
		swap(path->judged, seat->judged);
	list_push_back(&path->pg->paths, &path->node);
	path->pg->nr_paths++;
	if (seat->stays) {
		begin_for_selector(path);
	} else {
		seat->path = NULL; /* the map's from now on */
		path_joins(m, path);
	}
}

static void count_out(struct multipath *m, struct path *path)
{
	if (path->suspect)
		m->nr_suspect--;
	if (path->active && --m->nr_valid == 0)
		last_path_is_lost(m);
	if (!path->settled) {
		m->nr_unsettled--;
		doubt_groups(m); /* they may have waited for this one only */
	}
	forget_demotion(m, path);
	path->active = false;
	path->suspect = false;
	path->settled = true;
	path->selectable = false;
}

/* It is off the map's list already, and counted out. */
static void path_leaves(struct multipath *m, struct path *path)
{
	trace(m, "path %s: leaves the map", path_name(path));
	notice(m, NOTICE_PATH_REMOVED, path, "removed, %u of %u usable", m->nr_valid, m->nr_paths);
	list_del(&path->node);
	path->leaving = true;
	path->pg = NULL;
	path->selector_data = NULL;
	snprintf(path->reason, sizeof(path->reason), "removed from the map");
	pg_init_path_failed(m, path);
	list_push_back(&m->leaving, &path->map_node);
	if (path->link == LINK_CLOSED)
		path_gone(m, path);
	else
		close_link(m, path);
}

void path_gone(struct multipath *m, struct path *path)
{
	assert(path->leaving && !path->in_flight && path->probing == PROBE_NONE);
	trace(m, "path %s: gone", path_name(path));
	list_del(&path->map_node);
	list_push_back(&m->actions->gone, &path->action_node);
}

/* The group's state goes with its first path that was there before. */
static const struct priority_group *origin(const struct mpath_change *change,
					   const struct priority_group *pg)
{
	unsigned int i;

	for (i = 0; i < change->nr_seats; i++)
		if (change->seats[i].pg == pg && change->seats[i].stays)
			return change->seats[i].path->pg;
	return NULL;
}

/* If another group comes before it in the one where its paths are now, that is the one. */
static struct priority_group *successor(struct mpath_change *change,
					const struct priority_group *old)
{
	unsigned int i;

	for (i = 0; old && i < change->nr_groups; i++)
		if (origin(change, &change->groups[i]) == old)
			return &change->groups[i];
	for (i = 0; old && i < change->nr_seats; i++) {
		const struct seat *seat = &change->seats[i];

		if (seat->stays && seat->path->pg == old && seat->path->active)
			return seat->pg;
	}
	return NULL;
}

/* Before anything has moved: the new groups are the old ones, as far as they can be. */
static void inherit_group_states(struct multipath *m, struct mpath_change *change)
{
	struct path *path;
	unsigned int i;

	for_each_path(m, path)
		path->was_in_current = path->pg == m->current_pg;
	for (i = 0; i < change->nr_groups; i++) {
		const struct priority_group *old = origin(change, &change->groups[i]);

		change->groups[i].bypassed = old && old->bypassed;
		change->groups[i].bypassed_by_array = old && old->bypassed_by_array;
		change->groups[i].busy_ns = old ? old->busy_ns : 0;
		change->groups[i].impatient_ns = old ? old->impatient_ns : 0;
	}
	m->used_pg = successor(change, m->used_pg);
	m->current_pg = successor(change, m->current_pg);
	m->next_pg = successor(change, m->next_pg);
}

/* A new table begins as in dm: no group is disabled, none is in use, the initial one comes next. */
static void take_table(struct multipath *m, struct mpath_change *change)
{
	const struct mpath_table *table = change->table;

	m->queue_if_no_path = m->queue_in_table = table->queue_if_no_path;
	m->retain_attached_hw_handler = table->retain_attached_hw_handler;
	m->pg_init_retries = table->pg_init_retries;
	m->pg_init_delay_msecs = table->pg_init_delay_msecs;
	m->queue_mode = table->queue_mode;
	m->saved_queue_if_no_path = false;
	m->table_sectors = table->has_length ? table->nr_sectors : 0;
	m->used_pg = NULL;
	m->current_pg = NULL;
	m->next_pg = NULL;
	if (table->initial_group && table->initial_group <= change->nr_groups)
		m->next_pg = &change->groups[table->initial_group - 1];
	m->queue_io = true;
	m->pg_init_count = 0;
}

/* Legs that are out need it still, and when they are in it may stay. */
static void take_hedge(struct multipath *m, struct mpath_change *change)
{
	bool useless = !change->settings.hedged_reads && !m->nr_legs;

	if (change->hedge || useless)
		swap(m->hedge, change->hedge);
}

/* After that: settings and hardware handler may depend on the array. */
static void take_settings(struct multipath *m, struct mpath_change *change)
{
	m->said = change->settings;
	swap(m->hardware, change->hardware);
	take_hedge(m, change);
	forget_hardware(m);
	if (m->lun.known)
		meet_hardware(m, &m->lun);
	restart_takes_timeout(m);
	hw_take_table(m);
	hedge_settings_changed(m);
	wake_by(m, m->now_ns); /* by the new settings somebody's time may be over */
}

/* The next check, if it would come too late, or never, by the new intervals. */
static void hasten_check(struct multipath *m, struct path *path)
{
	uint64_t latest_ns = m->now_ns + m->settings.polling_interval_ms * NSEC_PER_MSEC;
	bool never = !path->next_check_ns && path->link == LINK_OPEN && path->probing == PROBE_NONE;

	if (never || path->next_check_ns > latest_ns)
		path->next_check_ns = latest_ns;
	if (path->next_check_ns)
		wake_by(m, path->next_check_ns);
}

static void swap_layouts(struct multipath *m, struct mpath_change *change)
{
	swap(m->groups, change->groups);
	swap(m->nr_groups, change->nr_groups);
	swap(m->table, change->table);
	swap(m->notices, change->notices);
	/* Whoever wants them takes them after each step. */
	m->lost_notices += kept_notices_clear(&change->notices);
}

static void tell_bypass(struct multipath *m, unsigned int i, const struct mpath_change *before)
{
	const struct priority_group *old = i < before->nr_groups ? &before->groups[i] : NULL;
	const struct priority_group *pg = i < m->nr_groups ? &m->groups[i] : NULL;
	bool was = old && old->bypassed, is = pg && pg->bypassed;

	if (is && !was)
		notice_group(m, NOTICE_GROUP_DISABLED, pg, "disabled from now on:");
	if (was && !is)
		notice_group(m, NOTICE_GROUP_ENABLED, old,
			     pg ? "enabled from now on:" : "disabled, and gone:");
}

/*
 * Events name groups by their numbers, and those may mean others now.  Who follows them is to know
 * which groups are disabled, and which one is in use.  @before has the old layout.
 */
static void tell_groups(struct multipath *m, const struct mpath_change *before,
			unsigned int number_in_use)
{
	unsigned int i;

	for (i = 0; i < before->nr_groups || i < m->nr_groups; i++)
		tell_bypass(m, i, before);
	if (m->current_pg && m->current_pg->number != number_in_use)
		notice_group(m, NOTICE_GROUP_SWITCHED, m->current_pg, "in use is now");
}

static void settle_again(struct multipath *m)
{
	m->settling_since_ns = m->now_ns;
	m->settling_over = false;
}

void take_over(struct multipath *m, struct mpath_change *change)
{
	struct list before, *node;
	unsigned int number_in_use = m->current_pg ? m->current_pg->number : 0;
	bool is_in_use = pg_init_is_over(m), had_valid = m->nr_valid;
	struct path *path;
	unsigned int i;

	assert(change->m == m && change->nr_steps == m->nr_steps);
	if (change->is_reload)
		take_table(m, change); /* then no group is */
	else
		inherit_group_states(m, change);
	is_in_use = is_in_use && m->current_pg;
	for_each_path(m, path)
		end_for_selector(m, path);

	swap_layouts(m, change);
	tell_groups(m, change, number_in_use);
	if (change->is_reload) {
		take_settings(m, change);
		memory_new_table(m);
	}
	list_init(&before);
	list_splice(&before, &m->paths);
	m->nr_paths = change->nr_seats;
	for (i = 0; i < change->nr_seats; i++)
		sit_down(m, &change->seats[i]);
	list_for_each_entry(path, &before, map_node) {
		restart_path_leaves(m, path);
		count_out(m, path);
	}
	while ((node = list_pop(&before)))
		path_leaves(m, container_of(node, struct path, map_node));
	if (had_valid)
		tell_last_path(m, !m->nr_unsettled);

	policy_takes_over(m, change->is_reload);
	if (!m->settings.policy.on)
		recall_groups(m);
	hw_reattach(m);
	if (is_in_use)
		pg_init_newcomers(m);
	else
		pg_init_relayout(m);
	for_each_path(m, path)
		hasten_check(m, path);
	m->run_held = true;
}

/* The event: as above, and told. */
void change_map(struct multipath *m, struct mpath_change *change)
{
	unsigned int unsettled = m->nr_unsettled;
	bool is_reload;

	if (m->stopping)
		return;
	if (!change) {
		policy_is_content(m);
		return;
	}
	is_reload = change->is_reload;
	take_over(m, change);
	m->actions->memory_changed = true;
	if (m->nr_unsettled > unsettled)
		settle_again(m);
	if (is_reload) {
		trace(m, "another table has taken over");
		notice(m, NOTICE_RELOADED, NULL,
		       "another table has taken over, %u of %u paths usable", m->nr_valid,
		       m->nr_paths);
	}
}
