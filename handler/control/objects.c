// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The objects on D-Bus
 *
 * A map is asked for a snapshot once a second, after each event, and after each call that may have
 * changed it: a letter to its owner thread, which fills memory of ours.  What the snapshot says is
 * what clients see then, and groups and paths come and go with it.  At most one snapshot of a map
 * is under way.
 *
 * An idle map shall not take much memory: of each object there is what the last snapshot has said,
 * and a number for each property, by which we know what clients were told.  Changes are told at
 * most every 100 ms, those of an object in one signal.
 */
#include "control/objects.h"

#include <string.h>

#include "control/bell.h"
#include "control/exports.h"
#include "control/gate.h"
#include "runtime/device.h"

#define INTERVAL_US 100000 /* between two signals of an object */
#define POLL_US	    1000000
#define POLLS_MAX   8 /* so many maps at once are asked, of those that are asked every second */

/* To be filled in by an owner thread. */
struct blank {
	struct list node;
	struct mpath_snapshot snapshot;
};

struct group_object {
	bool is_new; /* nobody was told that it is there */
	uint64_t told[GROUP_TOLD];
};

struct path_object {
	unsigned int id;
	bool is_new; /* as above */
	struct rates rates;
	uint64_t told[PATH_TOLD];
};

struct map_object {
	char *name; /* as the runtime knows it */
	char *object_path;
	struct mpath_snapshot snapshot; /* the last one, with as much room as it needs */
	struct group_object *groups;	/* in the snapshot's order, as are ... */
	struct path_object *paths;
	struct rates rates;
	uint64_t told[MAP_TOLD];
	struct exported_map exported;
	bool shown; /* there was a snapshot */

	struct device_request request;
	struct blank *blank; /* the owner thread's; NULL: no snapshot is under way */
	GSource *answered;   /* a bell */
	bool gone;	     /* to be freed when the blank is ours again */
	bool polled;	     /* asked because a second is over, and counted in objects.polls */
	struct list poll;    /* on objects.to_poll, or alone */
	struct list asked;   /* refresh.node: wait for the snapshot under way */
	struct list waiting; /* refresh.node: wait for the next one */
	gint64 asked_us;

	bool stale;   /* to be asked again, at the next tick */
	bool changed; /* what is new is to be told, at the next tick */
	gint64 sent_us;
};

static struct {
	GMainContext *context;
	GHashTable *maps; /* name -> struct map_object */
	GSource *tick;	  /* NULL: nothing is to be done at the next */
	GSource *poll;	  /* a bell */
	struct list to_poll;
	unsigned int polls; /* that have not been answered */
	struct list blanks; /* not in use */
	unsigned int nr_blanks;
} objects;

static void ask(struct map_object *m);

/* --- one object --- */

static struct object the_map(const struct map_object *m)
{
	return (struct object){.map = m, .map_name = m->name};
}

static struct object the_group(const struct map_object *m, unsigned int i)
{
	return (struct object){.map = m, .map_name = m->name, .group = &m->snapshot.groups[i]};
}

static struct object the_path(const struct map_object *m, unsigned int i)
{
	return (struct object){.map = m, .map_name = m->name, .path = &m->snapshot.paths[i]};
}

static char *path_of(const struct object *object)
{
	const char *map = object->map->object_path;

	if (object->path)
		return g_strdup_printf("%s/path/%u", map, object->path->id);
	if (object->group)
		return g_strdup_printf("%s/group/%u", map, object->group->number);
	return g_strdup(map);
}

void object_tell(const struct object *object, struct teller *teller)
{
	const struct map_object *m = object->map;

	if (object->path)
		tell_path(teller, m->object_path, object->path,
			  &m->paths[object->path - m->snapshot.paths].rates);
	else if (object->group)
		tell_group(teller, m->object_path, object->group);
	else
		tell_map(teller, m->name, &m->snapshot, &m->rates);
}

/* Whoever hears of it now knows all that has changed until now. */
static void tell_changes(const struct object *object, uint64_t *told)
{
	struct teller teller;
	GVariant *changes;
	char *path;

	if (!exports_are_shown())
		return;
	teller_begin_changes(&teller, told);
	object_tell(object, &teller);
	changes = teller_end_changes(&teller);
	if (!changes)
		return;
	path = path_of(object);
	exports_tell_changes(path, object, changes);
	g_free(path);
	gate_sent();
}

/* All of it is told. */
static void tell_added(const struct object *object, uint64_t *told)
{
	struct teller teller;
	GVariant *changes;
	char *path = path_of(object);

	teller_begin_changes(&teller, told);
	object_tell(object, &teller);
	changes = teller_end_changes(&teller);
	if (changes)
		g_variant_unref(g_variant_ref_sink(changes));
	exports_tell_added(path, object);
	g_free(path);
}

static void tell_removed(const struct object *object)
{
	char *path = path_of(object);

	exports_tell_removed(path, object);
	g_free(path);
}

/* --- finding objects --- */

/* "a_2Eb" is no other word for "a_2eb". */
static bool is_at(const struct map_object *m, const char *path, const char *end)
{
	size_t len = (size_t)(end - path);

	return strlen(m->object_path) == len && strncmp(m->object_path, path, len) == 0;
}

/* The map whose object, or what is below it, has this path.  What follows its name is in @rest. */
static struct map_object *find_map(const char *path, const char **rest)
{
	struct map_object *m = NULL;
	const char *begin;
	guint8 *name;
	char *word;

	if (!g_str_has_prefix(path, OBJECTS_MAPS "/"))
		return NULL;
	begin = path + strlen(OBJECTS_MAPS "/");
	*rest = begin + strcspn(begin, "/");
	word = g_strndup(begin, (gsize)(*rest - begin));
	name = g_dbus_unescape_object_path(word);
	if (name)
		m = g_hash_table_lookup(objects.maps, name);
	g_free(name);
	g_free(word);
	return m && m->shown && is_at(m, path, *rest) ? m : NULL;
}

/* "0" is one, "00" and "-0" are none. */
static bool is_number(const char *word, unsigned int *number)
{
	char text[16];
	guint64 n;

	if (!g_ascii_string_to_unsigned(word, 10, 0, G_MAXUINT, &n, NULL))
		return false;
	*number = (unsigned int)n;
	g_snprintf(text, sizeof(text), "%u", *number);
	return strcmp(word, text) == 0;
}

static bool find_group(const struct map_object *m, const char *word, struct object *found)
{
	unsigned int i, number;

	if (!is_number(word, &number))
		return false;
	for (i = 0; i < m->snapshot.nr_groups; i++)
		if (m->snapshot.groups[i].number == number) {
			*found = the_group(m, i);
			return true;
		}
	return false;
}

static bool find_path(const struct map_object *m, const char *word, struct object *found)
{
	unsigned int i, id;

	if (!is_number(word, &id))
		return false;
	for (i = 0; i < m->snapshot.nr_paths; i++)
		if (m->snapshot.paths[i].id == id) {
			*found = the_path(m, i);
			return true;
		}
	return false;
}

bool objects_find(const char *object_path, struct object *found)
{
	const char *rest;
	const struct map_object *m = find_map(object_path, &rest);

	if (!m)
		return false;
	if (g_str_has_prefix(rest, "/group/"))
		return find_group(m, rest + strlen("/group/"), found);
	if (g_str_has_prefix(rest, "/path/"))
		return find_path(m, rest + strlen("/path/"), found);
	*found = the_map(m);
	return !*rest;
}

static void for_each_of_map(const struct map_object *m, object_fn *fn, void *arg)
{
	unsigned int i, nr = 1 + m->snapshot.nr_groups + m->snapshot.nr_paths;

	for (i = 0; i < nr; i++) {
		struct object object;
		char *path;

		if (!i)
			object = the_map(m);
		else if (i <= m->snapshot.nr_groups)
			object = the_group(m, i - 1);
		else
			object = the_path(m, i - 1 - m->snapshot.nr_groups);
		path = path_of(&object);
		fn(path, &object, arg);
		g_free(path);
	}
}

void objects_for_each(object_fn *fn, void *arg)
{
	GHashTableIter iter;
	gpointer value;

	g_hash_table_iter_init(&iter, objects.maps);
	while (g_hash_table_iter_next(&iter, NULL, &value))
		if (((struct map_object *)value)->shown)
			for_each_of_map(value, fn, arg);
}

struct below {
	const char *path;
	GPtrArray *words;
};

static void add_below(const char *object_path, const struct object *object, void *arg)
{
	const struct below *below = arg;
	const char *word = strrchr(object_path, '/');

	(void)object;
	if (strlen(below->path) == (size_t)(word - object_path) &&
	    g_str_has_prefix(object_path, below->path))
		g_ptr_array_add(below->words, g_strdup(word + 1));
}

char **objects_below(const char *object_path)
{
	struct below below = {.path = object_path, .words = g_ptr_array_new()};

	objects_for_each(add_below, &below);
	g_ptr_array_add(below.words, NULL);
	return (char **)g_ptr_array_free(below.words, FALSE);
}

/* --- objects come and go with snapshots --- */

static const struct path_object *find_object(const struct map_object *m, unsigned int id)
{
	unsigned int i;

	for (i = 0; i < m->snapshot.nr_paths; i++)
		if (m->paths[i].id == id)
			return &m->paths[i];
	return NULL;
}

static bool has_path(const struct mpath_snapshot *s, unsigned int id)
{
	unsigned int i;

	for (i = 0; i < s->nr_paths; i++)
		if (s->paths[i].id == id)
			return true;
	return false;
}

static void tell_lost(const struct map_object *m, const struct mpath_snapshot *s)
{
	struct object object;
	unsigned int i;

	for (i = 0; i < m->snapshot.nr_paths; i++) {
		object = the_path(m, i);
		if (!has_path(s, object.path->id))
			tell_removed(&object);
	}
	for (i = s->nr_groups; i < m->snapshot.nr_groups; i++) {
		object = the_group(m, i);
		tell_removed(&object);
	}
}

/* In the order of @s; what is known of those that were there stays. */
static void follow_objects(struct map_object *m, const struct mpath_snapshot *s)
{
	struct path_object *paths = g_new0(struct path_object, s->nr_paths);
	unsigned int i;

	for (i = 0; i < s->nr_paths; i++) {
		const struct path_object *known = find_object(m, s->paths[i].id);

		if (known)
			paths[i] = *known;
		else
			paths[i] = (struct path_object){.id = s->paths[i].id, .is_new = true};
	}
	g_free(m->paths);
	m->paths = paths;
	if (s->nr_groups == m->snapshot.nr_groups)
		return;
	m->groups = g_renew(struct group_object, m->groups, s->nr_groups);
	for (i = m->snapshot.nr_groups; i < s->nr_groups; i++)
		m->groups[i] = (struct group_object){.is_new = true};
}

static void take_over(struct mpath_snapshot *ours, const struct mpath_snapshot *s)
{
	struct group_snapshot *groups = ours->groups;
	struct path_snapshot *paths = ours->paths;

	if (ours->nr_groups != s->nr_groups)
		groups = g_renew(struct group_snapshot, groups, s->nr_groups);
	if (ours->nr_paths != s->nr_paths)
		paths = g_renew(struct path_snapshot, paths, s->nr_paths);
	for (unsigned int i = 0; i < s->nr_groups; i++)
		groups[i] = s->groups[i];
	for (unsigned int i = 0; i < s->nr_paths; i++)
		paths[i] = s->paths[i];
	*ours = *s;
	ours->groups = groups;
	ours->paths = paths;
}

static void update_rates(struct map_object *m)
{
	const struct mpath_snapshot *s = &m->snapshot;
	unsigned int i;

	rates_update(&m->rates, &s->counters, s->taken_ns);
	for (i = 0; i < s->nr_paths; i++)
		rates_update(&m->paths[i].rates, &s->paths[i].counters, s->taken_ns);
}

static void tell_new(struct map_object *m)
{
	struct object object;
	unsigned int i;

	if (!m->shown) {
		m->shown = true;
		exports_add_map(&m->exported, m->object_path);
		object = the_map(m);
		tell_added(&object, m->told);
	}
	for (i = 0; i < m->snapshot.nr_groups; i++) {
		object = the_group(m, i);
		if (m->groups[i].is_new)
			tell_added(&object, m->groups[i].told);
		m->groups[i].is_new = false;
	}
	for (i = 0; i < m->snapshot.nr_paths; i++) {
		object = the_path(m, i);
		if (m->paths[i].is_new)
			tell_added(&object, m->paths[i].told);
		m->paths[i].is_new = false;
	}
}

static void apply(struct map_object *m, const struct mpath_snapshot *s)
{
	tell_lost(m, s);
	follow_objects(m, s);
	take_over(&m->snapshot, s);
	update_rates(m);
	tell_new(m);
}

/* --- signals --- */

static void send_changes(struct map_object *m)
{
	struct object object = the_map(m);
	unsigned int i;

	tell_changes(&object, m->told);
	for (i = 0; i < m->snapshot.nr_groups; i++) {
		object = the_group(m, i);
		tell_changes(&object, m->groups[i].told);
	}
	for (i = 0; i < m->snapshot.nr_paths; i++) {
		object = the_path(m, i);
		tell_changes(&object, m->paths[i].told);
	}
	m->changed = false;
	m->sent_us = g_get_monotonic_time();
}

/* Does what is due; true: something will be later. */
static bool look_after(struct map_object *m, gint64 now_us)
{
	if (m->stale && !m->blank && now_us - m->asked_us >= INTERVAL_US)
		ask(m);
	if (m->changed && m->shown && gate_is_open() && now_us - m->sent_us >= INTERVAL_US)
		send_changes(m);
	/* With the first snapshot, or when the gate opens, somebody sees to it. */
	return m->stale || (m->changed && m->shown && gate_is_open());
}

static gboolean tick(gpointer data)
{
	gint64 now_us = g_get_monotonic_time();
	bool later = false;
	GHashTableIter iter;
	gpointer value;

	(void)data;
	g_hash_table_iter_init(&iter, objects.maps);
	while (g_hash_table_iter_next(&iter, NULL, &value))
		later |= look_after(value, now_us);
	if (later)
		return G_SOURCE_CONTINUE;
	g_source_unref(objects.tick);
	objects.tick = NULL;
	return G_SOURCE_REMOVE;
}

/* Now what is due, the rest at the next tick. */
static void soon(struct map_object *m)
{
	if (!look_after(m, g_get_monotonic_time()) || objects.tick)
		return;
	objects.tick = g_timeout_source_new(INTERVAL_US / 1000);
	g_source_set_callback(objects.tick, tick, NULL, NULL);
	g_source_attach(objects.tick, objects.context);
}

void objects_send_changes(void)
{
	GHashTableIter iter;
	gpointer value;

	g_hash_table_iter_init(&iter, objects.maps);
	while (g_hash_table_iter_next(&iter, NULL, &value))
		soon(value);
}

/* What dm-multipath's uevent would say, if it has one for this. */
static void emit_uevent(const struct map_object *m, const struct mpath_notice *notice)
{
	char text[640], **lines;
	GVariantBuilder keys;
	struct strbuf said;

	strbuf_init(&said, text, sizeof(text));
	if (!mpath_uevent(notice, m->name, m->snapshot.wwid, &said))
		return;
	g_variant_builder_init(&keys, G_VARIANT_TYPE("a{ss}"));
	lines = g_strsplit(text, "\n", -1);
	for (char **line = lines; **line; line++) {
		char *value = strchr(*line, '=');
		char *valid = g_utf8_make_valid(value + 1, -1);

		*value = '\0';
		g_variant_builder_add(&keys, "{ss}", *line, valid);
		g_free(valid);
	}
	g_strfreev(lines);
	exports_emit(m->object_path, "Uevent", g_variant_new("(a{ss})", &keys));
}

static void emit_event(const struct map_object *m, const struct control_event *event)
{
	const struct mpath_notice *notice = &event->notice;
	char *path = g_utf8_make_valid(notice->path, -1);
	char *text = g_utf8_make_valid(notice->text, -1);

	exports_emit(m->object_path, "Event",
		     g_variant_new("(ttssus)", notice->sequence, (guint64)event->time_us,
				   mpath_notice_name(notice->kind), path, notice->nr_valid, text));
	g_free(path);
	g_free(text);
	emit_uevent(m, notice);
	gate_sent();
}

void objects_event(const struct control_event *event)
{
	struct map_object *m = g_hash_table_lookup(objects.maps, event->map);

	if (!m)
		return;
	m->stale = true;
	m->changed = true;
	if (m->shown)
		emit_event(m, event);
	soon(m);
}

/* --- snapshots --- */

static struct blank *take_blank(void)
{
	struct list *node = list_pop(&objects.blanks);

	if (!node)
		return g_new0(struct blank, 1);
	objects.nr_blanks--;
	return container_of(node, struct blank, node);
}

static void give_blank_back(struct map_object *m)
{
	struct blank *blank = m->blank;

	m->blank = NULL;
	if (objects.nr_blanks < POLLS_MAX) {
		list_push_back(&objects.blanks, &blank->node);
		objects.nr_blanks++;
		return;
	}
	g_free(blank->snapshot.groups);
	g_free(blank->snapshot.paths);
	g_free(blank);
}

static void tell(struct list *refreshes, const struct mpath_snapshot *snapshot)
{
	struct list *node;

	while ((node = list_pop(refreshes))) {
		struct refresh *refresh = container_of(node, struct refresh, node);

		refresh->done(refresh, snapshot);
	}
}

static void map_free(struct map_object *m)
{
	tell(&m->asked, NULL);
	tell(&m->waiting, NULL);
	bell_free(m->answered);
	g_free(m->paths);
	g_free(m->groups);
	g_free(m->object_path);
	g_free(m->snapshot.groups);
	g_free(m->snapshot.paths);
	g_free(m->name);
	g_free(m);
}

/* Owner thread. */
static void snapshot_taken(struct device_request *request)
{
	bell_ring(container_of(request, struct map_object, request)->answered);
}

static bool send_blank(struct map_object *m)
{
	m->request =
		(struct device_request){.done = snapshot_taken, .snapshot = &m->blank->snapshot};
	if (device_request(m->name, &m->request))
		return true;
	give_blank_back(m);
	tell(&m->asked, NULL);
	return false;
}

static void ask(struct map_object *m)
{
	if (m->blank)
		return; /* who waits is seen to afterwards */
	m->stale = false;
	m->asked_us = g_get_monotonic_time();
	list_splice(&m->asked, &m->waiting);
	m->blank = take_blank();
	send_blank(m);
}

/* There are more groups or paths than there was room for. */
static bool grow(struct mpath_snapshot *s)
{
	if (s->nr_groups <= s->max_groups && s->nr_paths <= s->max_paths)
		return false;
	s->max_groups = MAX(s->max_groups, s->nr_groups);
	s->max_paths = MAX(s->max_paths, s->nr_paths);
	s->groups = g_renew(struct group_snapshot, s->groups, s->max_groups);
	s->paths = g_renew(struct path_snapshot, s->paths, s->max_paths);
	return true;
}

/*
 * A few at a time, or there would be as many blanks as maps.  One that does not answer holds up no
 * other for longer than until the next second.
 */
static void poll_next(void)
{
	struct list *node;

	while (objects.polls < POLLS_MAX && (node = list_pop(&objects.to_poll))) {
		struct map_object *m = container_of(node, struct map_object, poll);

		if (m->blank)
			continue;
		ask(m);
		m->polled = m->blank != NULL;
		objects.polls += m->polled;
	}
}

static void poll_ends(struct map_object *m)
{
	objects.polls -= m->polled;
	m->polled = false;
}

static void snapshot_answered(void *arg)
{
	struct map_object *m = arg;

	if (!m->gone && grow(&m->blank->snapshot)) {
		if (!send_blank(m))
			poll_ends(m);
		poll_next();
		return;
	}
	poll_ends(m);
	if (m->gone) {
		give_blank_back(m);
		map_free(m);
		poll_next();
		return;
	}
	apply(m, &m->blank->snapshot);
	give_blank_back(m);
	tell(&m->asked, &m->snapshot);
	if (!list_empty(&m->waiting))
		ask(m);
	m->changed = true;
	soon(m);
	poll_next();
}

/* At full seconds, as all that an idle daemon does: so it wakes up once for everything. */
static void poll_maps(void *arg)
{
	gint64 now_us = g_get_monotonic_time();
	GHashTableIter iter;
	gpointer value;

	(void)arg;
	bell_ring_at(objects.poll, (now_us / POLL_US + 1) * POLL_US);
	g_hash_table_iter_init(&iter, objects.maps);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		struct map_object *m = value;

		poll_ends(m);
		list_del(&m->poll);
		list_push_back(&objects.to_poll, &m->poll);
	}
	poll_next();
}

bool objects_refresh(const char *map, struct refresh *refresh)
{
	struct map_object *m = g_hash_table_lookup(objects.maps, map);

	if (!m)
		return false;
	list_push_back(&m->waiting, &refresh->node);
	ask(m);
	return true;
}

/* --- maps come and go --- */

static char *map_object_path(const char *name)
{
	char *escaped = g_dbus_escape_object_path(name);
	char *path = g_strconcat(OBJECTS_MAPS "/", escaped, NULL);

	g_free(escaped);
	return path;
}

void objects_add_map(const char *name)
{
	struct map_object *m = g_new0(struct map_object, 1);

	m->name = g_strdup(name);
	m->object_path = map_object_path(name);
	m->answered = bell_new(objects.context, G_PRIORITY_DEFAULT, snapshot_answered, m);
	list_init(&m->poll);
	list_init(&m->asked);
	list_init(&m->waiting);
	g_hash_table_insert(objects.maps, m->name, m);
	ask(m);
}

static void tell_all_lost(struct map_object *m)
{
	const struct mpath_snapshot nothing = {0};
	struct object object = the_map(m);

	tell_lost(m, &nothing);
	tell_removed(&object);
	exports_remove_map(&m->exported);
}

void objects_remove_map(const char *name)
{
	struct map_object *m = g_hash_table_lookup(objects.maps, name);

	if (!m)
		return;
	g_hash_table_remove(objects.maps, name);
	list_del(&m->poll);
	if (m->shown)
		tell_all_lost(m);
	m->gone = true;
	if (!m->blank)
		map_free(m);
}

void objects_show(void)
{
	GHashTableIter iter;
	gpointer value;

	g_hash_table_iter_init(&iter, objects.maps);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		struct map_object *m = value;

		if (m->shown)
			exports_add_map(&m->exported, m->object_path);
	}
}

void objects_hide(void)
{
	GHashTableIter iter;
	gpointer value;

	g_hash_table_iter_init(&iter, objects.maps);
	while (g_hash_table_iter_next(&iter, NULL, &value))
		exports_remove_map(&((struct map_object *)value)->exported);
}

void objects_init(GMainContext *context)
{
	objects.context = context;
	objects.maps = g_hash_table_new(g_str_hash, g_str_equal);
	list_init(&objects.to_poll);
	list_init(&objects.blanks);
	objects.poll = bell_new(context, G_PRIORITY_DEFAULT, poll_maps, NULL);
	bell_ring(objects.poll);
}
