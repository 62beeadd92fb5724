// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The objects on D-Bus
 *
 * A map is asked for a snapshot once a second, after each event, and after each call that may have
 * changed it: a letter to its owner thread, which fills memory of ours.  What the snapshot says is
 * then set as properties, and groups and paths come and go with it.  At most one snapshot of a map
 * is under way.
 *
 * All interfaces are frozen in GObject's sense: properties have their new values at once, for
 * those who read them, but GDBus hears of the changes only when the interface is thawed for a
 * moment, at most every 100 ms, and sends them as one signal.
 */
#include "control/objects.h"

#include <string.h>

#include "control/bell.h"
#include "control/gate.h"
#include "control/methods.h"
#include "control/state_names.h"
#include "mpath-dbus.h"
#include "runtime/device.h"

#define INTERVAL_US	 100000 /* between two signals of an object */
#define POLL_US		 1000000
#define RATE_INTERVAL_NS (NSEC_PER_SEC / 2) /* rates over less say nothing */

/* What rates are worked out from, and what the object tells already. */
struct rates {
	uint64_t since_ns; /* 0: not known yet */
	struct io_counters since;
	struct latency_percentiles latency;
	unsigned int iops;
	uint64_t read_rate;
	uint64_t write_rate;
};

struct group_object {
	char *object_path;
	MpathDbusGroup *group;
};

struct path_object {
	unsigned int id;
	char *object_path;
	MpathDbusPath *path;
	struct rates rates;
	bool seen; /* in the snapshot that is being applied */
};

struct map_object {
	char *name; /* as the runtime knows it */
	char *object_path;
	MpathDbusMap *map;
	GPtrArray *groups; /* struct group_object, by number - 1 */
	GPtrArray *paths;  /* struct path_object */
	struct rates rates;
	bool exported;

	struct device_request request;
	struct mpath_snapshot snapshot;
	GSource *answered;   /* a bell */
	bool asking;	     /* the snapshot is the owner thread's */
	bool gone;	     /* to be freed when it is ours again */
	struct list asked;   /* refresh.node: wait for the snapshot under way */
	struct list waiting; /* refresh.node: wait for the next one */
	gint64 asked_us;

	bool stale;   /* to be asked again, at the next tick */
	bool changed; /* to be thawed, at the next tick */
	gint64 sent_us;
};

static struct {
	GMainContext *context;
	GDBusObjectManagerServer *manager;
	GHashTable *maps; /* name -> struct map_object */
	GSource *tick;	  /* NULL: nothing is to be done at the next */
	GSource *poll;	  /* a bell */
} objects;

static void ask(struct map_object *m);

/* --- properties --- */

/* What an array, a file or a table said is bytes, and D-Bus takes UTF-8 only. */
static void set_text(gpointer object, const char *property, const char *bytes)
{
	char *text = g_utf8_make_valid(bytes, -1);

	g_object_set(object, property, text, NULL);
	g_free(text);
}

static uint64_t commands(const struct io_counters *counters)
{
	uint64_t n = 0;
	unsigned int i;

	for (i = 0; i < NR_SCSI_DIRS; i++)
		n += counters->good[i];
	for (i = 0; i < NR_IO_ERRORS; i++)
		n += counters->errors[i];
	return n;
}

static void update_rates(struct rates *rates, const struct io_counters *now, uint64_t now_ns)
{
	double seconds = (double)(now_ns - rates->since_ns) / NSEC_PER_SEC;
	const struct io_counters *since = &rates->since;

	if (now_ns - rates->since_ns < RATE_INTERVAL_NS)
		return;
	if (rates->since_ns) {
		rates->iops = (unsigned int)((double)(commands(now) - commands(since)) / seconds);
		rates->read_rate =
			(uint64_t)((double)(now->bytes[SCSI_DATA_IN] - since->bytes[SCSI_DATA_IN]) /
				   seconds);
		rates->write_rate = (uint64_t)((double)(now->bytes[SCSI_DATA_OUT] -
							since->bytes[SCSI_DATA_OUT]) /
					       seconds);
	}
	rates->since_ns = now_ns;
	rates->since = *now;
}

/* Nothing has happened since, as on an idle machine, and the rates are known to be 0. */
static bool are_told(const struct rates *rates, const struct io_counters *c,
		     const struct latency_percentiles *latency)
{
	return rates->since_ns && !rates->iops && !rates->read_rate && !rates->write_rate &&
	       memcmp(&rates->since, c, sizeof(*c)) == 0 &&
	       memcmp(&rates->latency, latency, sizeof(*latency)) == 0;
}

/* Maps and paths have the same statistics, but the way's errors are the paths' only. */
static void set_statistics(gpointer object, struct rates *rates, const struct io_counters *c,
			   const struct latency_percentiles *latency, unsigned int nr_errors,
			   uint64_t now_ns)
{
	bool told = are_told(rates, c, latency);
	GVariantBuilder errors;
	unsigned int i;

	update_rates(rates, c, now_ns);
	if (told)
		return;
	rates->latency = *latency;
	g_variant_builder_init(&errors, G_VARIANT_TYPE("a{st}"));
	for (i = 0; i < nr_errors; i++)
		g_variant_builder_add(&errors, "{st}", io_error_name(i), c->errors[i]);
	g_object_set(object, "reads", c->good[SCSI_DATA_IN], "writes", c->good[SCSI_DATA_OUT],
		     "others", c->good[SCSI_NO_DATA], "read-bytes", c->bytes[SCSI_DATA_IN],
		     "write-bytes", c->bytes[SCSI_DATA_OUT], "iops", rates->iops, "read-rate",
		     rates->read_rate, "write-rate", rates->write_rate, "latency-p50",
		     latency->p50_us, "latency-p99", latency->p99_us, "latency-p999",
		     latency->p999_us, "errors", g_variant_builder_end(&errors), NULL);
}

static void set_map(struct map_object *m)
{
	const struct mpath_snapshot *s = &m->snapshot;

	set_text(m->map, "wwid", s->wwid);
	set_text(m->map, "vendor", s->vendor);
	set_text(m->map, "product", s->product);
	set_text(m->map, "revision", s->revision);
	set_text(m->map, "warning", s->warning);
	g_object_set(m->map, "size", s->size, "block-size", s->block_size, "state",
		     map_state_name(s->state), "queue-if-no-path", s->queue_if_no_path, "features",
		     s->features, "hardware-handler", s->hw_handler, "checker", s->checker,
		     "failback", s->failback, "current-group", s->current_group, "next-group",
		     s->next_group, "nr-groups", s->nr_groups, "nr-paths", s->nr_paths,
		     "valid-paths", s->nr_valid, "queue-depth", s->queue_depth, "max-transfer",
		     s->max_transfer_bytes, "cmd-time-out", s->cmd_time_out_ms,
		     "cmd-time-out-needed", s->cmd_time_out_needed_ms, "path-faults",
		     s->path_faults, "group-switches", s->group_switches, "hedged-reads",
		     s->hedged_reads, "hedged", s->hedged, "hedges-won", s->hedges_won, "in-flight",
		     s->in_flight, "held", s->held + s->restarting, "waiting", s->waiting,
		     "delayed", s->delayed, "fenced", s->fenced, "last-event", s->last_event, NULL);
	set_statistics(m->map, &m->rates, &s->counters, &s->latency, IO_ERROR_NO_RESOURCES,
		       s->taken_ns);
}

static void set_group(MpathDbusGroup *group, const struct group_snapshot *s)
{
	g_object_set(group, "state", group_state_name(s->state), "selector", s->selector,
		     "nr-paths", s->nr_paths, "valid-paths", s->nr_valid, "in-flight", s->in_flight,
		     NULL);
}

static void set_path(struct map_object *m, struct path_object *p, const struct path_snapshot *s)
{
	char *group = g_strdup_printf("%s/group/%u", m->object_path, s->group);

	set_text(p->path, "address", s->address);
	set_text(p->path, "name", s->name);
	set_text(p->path, "device", s->device);
	set_text(p->path, "wwid", s->wwid);
	set_text(p->path, "reason", s->reason);
	g_object_set(p->path, "group", group, "state", path_state_name(s->state), "fail-count",
		     s->fail_count, "slow", s->slow, "read-only", s->read_only, "queue-depth",
		     s->queue_depth, "max-transfer", s->max_transfer_bytes, "alua-state",
		     s->alua_state, "priority", s->priority, "in-flight", s->in_flight, NULL);
	set_statistics(p->path, &p->rates, &s->counters, &s->latency, NR_IO_ERRORS,
		       m->snapshot.taken_ns);
	g_free(group);
}

/* --- objects come and go --- */

static void export_object(MpathDbusObjectSkeleton *object)
{
	g_dbus_object_manager_server_export(objects.manager, G_DBUS_OBJECT_SKELETON(object));
	g_object_unref(object);
}

/* Unexported before it is thawed: it has nothing to tell any more. */
static void withdraw(char *object_path, gpointer interface)
{
	g_dbus_object_manager_server_unexport(objects.manager, object_path);
	g_object_thaw_notify(interface);
	g_object_unref(interface);
	g_free(object_path);
}

static void group_free(gpointer data)
{
	struct group_object *g = data;

	withdraw(g->object_path, g->group);
	g_free(g);
}

static void path_free(gpointer data)
{
	struct path_object *p = data;

	withdraw(p->object_path, p->path);
	g_free(p);
}

static void add_group(struct map_object *m, const struct group_snapshot *s)
{
	struct group_object *g = g_new0(struct group_object, 1);
	MpathDbusObjectSkeleton *object;

	g->object_path = g_strdup_printf("%s/group/%u", m->object_path, s->number);
	g->group = mpath_dbus_group_skeleton_new();
	g_object_freeze_notify(G_OBJECT(g->group));
	g_object_set(g->group, "map", m->object_path, "number", s->number, NULL);
	set_group(g->group, s);
	methods_of_group(g->group, m->name);
	object = mpath_dbus_object_skeleton_new(g->object_path);
	mpath_dbus_object_skeleton_set_group(object, g->group);
	export_object(object);
	g_ptr_array_add(m->groups, g);
}

static struct path_object *add_path(struct map_object *m, const struct path_snapshot *s)
{
	struct path_object *p = g_new0(struct path_object, 1);
	MpathDbusObjectSkeleton *object;

	p->id = s->id;
	p->object_path = g_strdup_printf("%s/path/%u", m->object_path, s->id);
	p->path = mpath_dbus_path_skeleton_new();
	g_object_freeze_notify(G_OBJECT(p->path));
	g_object_set(p->path, "map", m->object_path, "number", s->id, NULL);
	set_path(m, p, s);
	methods_of_path(p->path, m->name);
	object = mpath_dbus_object_skeleton_new(p->object_path);
	mpath_dbus_object_skeleton_set_path(object, p->path);
	export_object(object);
	g_ptr_array_add(m->paths, p);
	return p;
}

static void apply_groups(struct map_object *m)
{
	unsigned int i;

	if (m->groups->len > m->snapshot.nr_groups)
		g_ptr_array_set_size(m->groups, (gint)m->snapshot.nr_groups);
	for (i = 0; i < m->snapshot.nr_groups; i++) {
		const struct group_snapshot *s = &m->snapshot.groups[i];

		if (i < m->groups->len)
			set_group(((struct group_object *)m->groups->pdata[i])->group, s);
		else
			add_group(m, s);
	}
}

static struct path_object *find_path(struct map_object *m, unsigned int id)
{
	unsigned int i;

	for (i = 0; i < m->paths->len; i++) {
		struct path_object *p = m->paths->pdata[i];

		if (p->id == id)
			return p;
	}
	return NULL;
}

static void apply_paths(struct map_object *m)
{
	struct path_object *p;
	unsigned int i;

	for (i = 0; i < m->paths->len; i++)
		((struct path_object *)m->paths->pdata[i])->seen = false;
	for (i = 0; i < m->snapshot.nr_paths; i++) {
		const struct path_snapshot *s = &m->snapshot.paths[i];

		p = find_path(m, s->id);
		if (p)
			set_path(m, p, s);
		else
			p = add_path(m, s);
		p->seen = true;
	}
	for (i = m->paths->len; i-- > 0;)
		if (!((struct path_object *)m->paths->pdata[i])->seen)
			g_ptr_array_remove_index(m->paths, i);
}

static void export_map(struct map_object *m)
{
	MpathDbusObjectSkeleton *object = mpath_dbus_object_skeleton_new(m->object_path);

	mpath_dbus_object_skeleton_set_map(object, m->map);
	export_object(object);
	m->exported = true;
}

static void apply(struct map_object *m)
{
	set_map(m);
	if (!m->exported)
		export_map(m);
	apply_groups(m);
	apply_paths(m);
}

/* --- signals --- */

static void thaw_for_a_moment(gpointer interface)
{
	g_object_thaw_notify(interface);
	g_object_freeze_notify(interface);
}

static void send_changes(struct map_object *m)
{
	unsigned int i;

	thaw_for_a_moment(m->map);
	for (i = 0; i < m->groups->len; i++)
		thaw_for_a_moment(((struct group_object *)m->groups->pdata[i])->group);
	for (i = 0; i < m->paths->len; i++)
		thaw_for_a_moment(((struct path_object *)m->paths->pdata[i])->path);
	m->changed = false;
	m->sent_us = g_get_monotonic_time();
	gate_sent();
}

/* Does what is due; true: something will be later. */
static bool look_after(struct map_object *m, gint64 now_us)
{
	if (m->stale && !m->asking && now_us - m->asked_us >= INTERVAL_US)
		ask(m);
	if (m->changed && gate_is_open() && now_us - m->sent_us >= INTERVAL_US)
		send_changes(m);
	/* objects_send_changes() is called when the gate opens. */
	return m->stale || (m->changed && gate_is_open());
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
	mpath_dbus_map_emit_uevent(m->map, g_variant_builder_end(&keys));
}

void objects_event(const struct control_event *event)
{
	struct map_object *m = g_hash_table_lookup(objects.maps, event->map);
	const struct mpath_notice *notice = &event->notice;
	char *path, *text;

	if (!m)
		return;
	path = g_utf8_make_valid(notice->path, -1);
	text = g_utf8_make_valid(notice->text, -1);
	mpath_dbus_map_emit_event(m->map, notice->sequence, (guint64)event->time_us,
				  mpath_notice_name(notice->kind), path, notice->nr_valid, text);
	g_free(path);
	g_free(text);
	emit_uevent(m, notice);
	gate_sent();
	m->stale = true;
	m->changed = true;
	soon(m);
}

/* --- snapshots --- */

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
	g_ptr_array_unref(m->paths);
	g_ptr_array_unref(m->groups);
	g_object_unref(m->map);
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

static void ask(struct map_object *m)
{
	if (m->asking)
		return; /* who waits is seen to afterwards */
	m->stale = false;
	m->asked_us = g_get_monotonic_time();
	list_splice(&m->asked, &m->waiting);
	m->request = (struct device_request){.done = snapshot_taken, .snapshot = &m->snapshot};
	m->asking = device_request(m->name, &m->request);
	if (!m->asking)
		tell(&m->asked, NULL);
}

/* There are more groups or paths than there was room for. */
static bool grow(struct mpath_snapshot *s)
{
	if (s->nr_groups <= s->max_groups && s->nr_paths <= s->max_paths)
		return false;
	s->groups = g_renew(struct group_snapshot, s->groups, s->nr_groups);
	s->paths = g_renew(struct path_snapshot, s->paths, s->nr_paths);
	s->max_groups = s->nr_groups;
	s->max_paths = s->nr_paths;
	return true;
}

static void snapshot_answered(void *arg)
{
	struct map_object *m = arg;

	m->asking = false;
	if (m->gone) {
		map_free(m);
		return;
	}
	if (grow(&m->snapshot)) {
		ask(m);
		return;
	}
	apply(m);
	tell(&m->asked, &m->snapshot);
	if (!list_empty(&m->waiting))
		ask(m);
	m->changed = true;
	soon(m);
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
	while (g_hash_table_iter_next(&iter, NULL, &value))
		ask(value);
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
	char *path = g_strconcat(OBJECTS_ROOT "/map/", escaped, NULL);

	g_free(escaped);
	return path;
}

void objects_add_map(const char *name)
{
	struct map_object *m = g_new0(struct map_object, 1);

	m->name = g_strdup(name);
	m->object_path = map_object_path(name);
	m->map = mpath_dbus_map_skeleton_new();
	g_object_freeze_notify(G_OBJECT(m->map));
	set_text(m->map, "name", name);
	methods_of_map(m->map, name);
	m->groups = g_ptr_array_new_with_free_func(group_free);
	m->paths = g_ptr_array_new_with_free_func(path_free);
	m->answered = bell_new(objects.context, G_PRIORITY_DEFAULT, snapshot_answered, m);
	list_init(&m->asked);
	list_init(&m->waiting);
	g_hash_table_insert(objects.maps, m->name, m);
	ask(m);
}

void objects_remove_map(const char *name)
{
	struct map_object *m = g_hash_table_lookup(objects.maps, name);

	if (!m)
		return;
	g_hash_table_remove(objects.maps, name);
	g_ptr_array_set_size(m->paths, 0);
	g_ptr_array_set_size(m->groups, 0);
	g_dbus_object_manager_server_unexport(objects.manager, m->object_path);
	m->gone = true;
	if (!m->asking)
		map_free(m);
}

GDBusObjectManagerServer *objects_init(GMainContext *context)
{
	objects.context = context;
	objects.maps = g_hash_table_new(g_str_hash, g_str_equal);
	objects.manager = g_dbus_object_manager_server_new(OBJECTS_ROOT);
	objects.poll = bell_new(context, G_PRIORITY_DEFAULT, poll_maps, NULL);
	bell_ring(objects.poll);
	return objects.manager;
}
