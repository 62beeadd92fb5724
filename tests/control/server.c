// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * handler/control as it is, over maps that are not there: the other side of test_control.py.
 *
 * Commands on standard input: "add NAME [PATHS]", "remove NAME", "forget NAME" (without a word to
 * D-Bus: the moment between the two), "grow NAME", "shrink NAME" (a path), "swap NAME" (the first
 * two paths' names), "reads NAME N" (on the first path), "events NAME N", "busy NAME N" (so many
 * messages are refused), "hang NAME" (none is answered any more, but those it still has to
 * refuse).  What was done is said in the log: "did VERB NAME".  A map answers on a thread of its
 * own, as the real ones do: see answer().
 */
#include <assert.h>
#include <dlfcn.h>
#include <errno.h>
#include <gio/gio.h>
#include <gmodule.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/control.h"
#include "runtime/device.h"
#include "runtime/log.h"

#define MAPS_MAX  80
#define PATHS_MAX 40
#define NR_GROUPS 2

struct map {
	char name[MPATH_NAME_MAX]; /* empty: a free slot */
	unsigned int nr_paths;
	unsigned int first_id;
	struct path_snapshot paths[PATHS_MAX];
	struct group_snapshot groups[NR_GROUPS];
	unsigned int next_group;
	bool suspended;
	unsigned int busy; /* refuses so many messages */
	bool hangs;
	uint64_t reads;
	uint64_t last_event;
};

static const struct device_watcher *watcher;
static struct map maps[MAPS_MAX];

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t posted = PTHREAD_COND_INITIALIZER;
static struct list requests;

void mpath_log(enum log_level level, const char *map, const char *path, const char *format, ...)
{
	va_list args;

	(void)level;
	(void)map;
	(void)path;
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

void device_watch(const struct device_watcher *given)
{
	watcher = given;
}

/* --- maps --- */

static struct map *find_map(const char *name)
{
	for (int i = 0; i < MAPS_MAX; i++)
		if (!strcmp(maps[i].name, name))
			return &maps[i];
	return NULL;
}

static void add_path(struct map *map)
{
	struct path_snapshot *path = &map->paths[map->nr_paths];
	unsigned int id = map->first_id + map->nr_paths++;

	assert(map->nr_paths < PATHS_MAX);
	*path = (struct path_snapshot){
		.id = id,
		.group = 1 + id % NR_GROUPS,
		.wwid = "36001405b922ff67a",
		.alua_state = "standby",
		.priority = 1,
		.queue_depth = 32,
		.max_transfer_bytes = 1 << 20,
		.latency = {100, 200, 300},
	};
	snprintf(path->name, sizeof(path->name), "8:%u", 16 * id);
	snprintf(path->address, sizeof(path->address), "/dev/disk/by-path/%u", id);
	snprintf(path->device, sizeof(path->device), "sd%c", 'a' + (int)id);
}

/* The one that came first: the others are at new places then. */
static void remove_path(struct map *map)
{
	memmove(&map->paths[0], &map->paths[1], --map->nr_paths * sizeof(map->paths[0]));
	map->first_id++;
}

static void swap_names(struct path_snapshot *a, struct path_snapshot *b)
{
	char name[SNAPSHOT_WORD_MAX];

	strcpy(name, a->name);
	strcpy(a->name, b->name);
	strcpy(b->name, name);
}

static void init_map(struct map *map, const char *name, unsigned int nr_paths)
{
	*map = (struct map){0};
	strcpy(map->name, name);
	for (unsigned int i = 0; i < NR_GROUPS; i++)
		map->groups[i] = (struct group_snapshot){
			.number = i + 1, .state = GROUP_ENABLED, .selector = "round-robin"};
	while (nr_paths--)
		add_path(map);
}

static void event(struct map *map, enum mpath_notice_kind kind, const char *path, const char *text)
{
	struct mpath_notice notice = {.kind = kind, .sequence = ++map->last_event, .nr_valid = 1};

	snprintf(notice.path, sizeof(notice.path), "%s", path);
	snprintf(notice.text, sizeof(notice.text), "%s", text);
	watcher->event(map->name, &notice);
}

static void take_snapshot(struct map *map, struct mpath_snapshot *s)
{
	*s = (struct mpath_snapshot){
		.groups = s->groups,
		.paths = s->paths,
		.max_groups = s->max_groups,
		.max_paths = s->max_paths,
		.nr_groups = NR_GROUPS,
		.nr_paths = map->nr_paths,
		.nr_valid = map->nr_paths,
		.taken_ns = (uint64_t)g_get_monotonic_time() * 1000,
		.state = map->suspended ? MAP_SUSPENDED : MAP_ACTIVE,
		.lun_known = true,
		.fenced = 4,
		.hedged_reads = 4,
		.hedged = 2,
		.hedges_won = 1,
		.wwid = "36001405b922ff67a",
		.vendor = "caf\xe9",
		.product = "ARRAY",
		.size = 1 << 30,
		.block_size = 512,
		.features = "1 queue_if_no_path",
		.queue_if_no_path = true,
		.hw_handler = "alua",
		.checker = "tur",
		.failback = "followover",
		.cmd_time_out_ms = 30000,
		.cmd_time_out_needed_ms = 42000,
		.warning = "look after this",
		.writes_wait = "writes wait",
		.next_group = map->next_group,
		.last_event = map->last_event,
		.counters.good[SCSI_DATA_IN] = map->reads,
		.counters.bytes[SCSI_DATA_IN] = map->reads * 512,
		.latency = {1000, 2000, 3000},
	};
	for (unsigned int i = 0; i < NR_GROUPS && i < s->max_groups; i++)
		s->groups[i] = map->groups[i];
	for (unsigned int i = 0; i < map->nr_paths && i < s->max_paths; i++)
		s->paths[i] = map->paths[i];
}

/* --- messages --- */

static bool is_meant(const struct path_snapshot *path, const struct mpath_message *message)
{
	return message->by_id ? path->id == message->path_id
			      : strcmp(path->name, message->argc > 1 ? message->argv[1] : "") == 0;
}

static bool path_message(struct map *map, const struct mpath_message *message)
{
	const char *word = message->argv[0];

	for (unsigned int i = 0; i < map->nr_paths; i++) {
		struct path_snapshot *path = &map->paths[i];

		if (!is_meant(path, message))
			continue;
		if (!strcmp(word, "fail_path")) {
			path->state = PATH_FAILED_BY_MESSAGE;
			path->fail_count++;
			strcpy(path->reason, "fail_path message");
			event(map, NOTICE_PATH_FAILED, path->name, "failed");
		} else if (!strcmp(word, "reinstate_path")) {
			path->state = PATH_ACTIVE;
			path->reason[0] = '\0';
			event(map, NOTICE_PATH_REINSTATED, path->name, "reinstated");
		} else {
			path->counters.errors[IO_ERROR_LOST]++;
		}
		return true;
	}
	return false;
}

static bool group_message(struct map *map, const char *word, unsigned int number)
{
	if (number < 1 || number > NR_GROUPS)
		return false;
	if (!strcmp(word, "switch_group"))
		map->next_group = number;
	else
		map->groups[number - 1].state =
			!strcmp(word, "disable_group") ? GROUP_DISABLED : GROUP_ENABLED;
	return true;
}

static void answer(struct map *map, struct mpath_message *message)
{
	const char *word = message->argv[0];
	const char *first = message->argc > 1 ? message->argv[1] : "";

	if (map->busy) {
		map->busy--;
		message->error = -EBUSY;
	} else if (!strcmp(word, "status")) {
		strbuf_printf(&message->reply, "the %s of this map", first);
	} else if (!strcmp(word, "add_path")) {
		add_path(map);
		strcpy(map->paths[map->nr_paths - 1].address, first);
		if (strstr(first, "nosuch")) {
			map->paths[map->nr_paths - 1].state = PATH_EXCLUDED;
			strcpy(map->paths[map->nr_paths - 1].reason, "no such device");
		}
		if (message->argc > 2)
			map->paths[map->nr_paths - 1].group = (unsigned int)atoi(message->argv[2]);
	} else if (!strcmp(word, "remove_path")) {
		remove_path(map);
	} else if (strstr(word, "_path")) {
		if (!path_message(map, message))
			message->error = -EINVAL;
	} else if (strstr(word, "_group")) {
		if (!group_message(map, word, (unsigned int)atoi(first)))
			message->error = -EINVAL;
	} else if (!strcmp(word, "forget_wwid") || !strcmp(word, "release") ||
		   !strcmp(word, "resize")) {
		event(map, NOTICE_LUN, "", word);
	} else if (!strcmp(word, "suspend") || !strcmp(word, "resume")) {
		map->suspended = !strcmp(word, "suspend") && !strcmp(first, "noflush");
	} else if (!strcmp(word, "echo")) {
		for (int i = 1; i < message->argc; i++)
			strbuf_printf(&message->reply, "[%s]", message->argv[i]);
	} else if (!strcmp(word, "error")) {
		message->error = -atoi(first);
		if (message->argc > 2)
			strbuf_printf(&message->reply, "%s", message->argv[2]);
	} else if (!strcmp(word, "sleep")) {
		usleep((useconds_t)atoi(first) * 1000);
	} else if (!strcmp(word, "long")) {
		for (int i = 0; i < atoi(first); i++)
			strbuf_printf(&message->reply, "0123456789");
	} else if (!strcmp(word, "latin1")) {
		strbuf_printf(&message->reply, "caf\xe9");
	} else {
		message->error = -EINVAL;
		strbuf_printf(&message->reply, "unknown message %s", word);
	}
}

static void reload(struct map *map, const struct device_layout *layout,
		   struct mpath_message *message)
{
	if (layout->settings->wwid[0]) {
		message->error = -EBUSY;
		strbuf_printf(&message->reply, "not now");
	} else {
		add_path(map);
	}
}

static void *owner_thread(void *arg)
{
	(void)arg;
	for (;;) {
		struct device_request *request;
		struct map *map;

		pthread_mutex_lock(&lock);
		while (list_empty(&requests))
			pthread_cond_wait(&posted, &lock);
		request = list_first_entry(&requests, struct device_request, letter.node);
		list_del(&request->letter.node);
		map = (struct map *)(void *)request->device;
		if (request->snapshot)
			take_snapshot(map, request->snapshot);
		pthread_mutex_unlock(&lock);
		if (map->hangs && !map->busy && !request->snapshot)
			continue;
		if (request->layout)
			reload(map, request->layout, &request->message);
		else if (!request->snapshot)
			answer(map, &request->message);
		request->done(request);
	}
	return NULL;
}

bool device_request(const char *map, struct device_request *request)
{
	struct map *found;

	pthread_mutex_lock(&lock);
	found = find_map(map);
	if (found) {
		request->device = (struct device *)(void *)found;
		list_push_back(&requests, &request->letter.node);
		pthread_cond_signal(&posted);
	}
	pthread_mutex_unlock(&lock);
	return found != NULL;
}

/* --- commands --- */

static void change(struct map *map, const char *verb, unsigned int n)
{
	pthread_mutex_lock(&lock);
	if (!strcmp(verb, "grow"))
		add_path(map);
	else if (!strcmp(verb, "shrink"))
		remove_path(map);
	else if (!strcmp(verb, "swap"))
		swap_names(&map->paths[0], &map->paths[1]);
	else if (!strcmp(verb, "busy"))
		map->busy = n;
	else if (!strcmp(verb, "hang"))
		map->hangs = true;
	else if (!strcmp(verb, "reads"))
		map->paths[0].counters.good[SCSI_DATA_IN] = map->reads += n;
	else
		for (unsigned int i = 0; i < n; i++)
			event(map, NOTICE_LUN, "", "something happened");
	pthread_mutex_unlock(&lock);
}

static void command(const char *verb, const char *name, unsigned int n)
{
	struct map *map;

	if (!strcmp(verb, "add")) {
		pthread_mutex_lock(&lock);
		map = find_map("");
		assert(map);
		init_map(map, name, n ? n : NR_GROUPS);
		pthread_mutex_unlock(&lock);
		watcher->added(name);
		return;
	}
	map = find_map(name);
	assert(map);
	if (strcmp(verb, "remove") && strcmp(verb, "forget")) {
		change(map, verb, n);
		return;
	}
	pthread_mutex_lock(&lock);
	map->name[0] = '\0';
	pthread_mutex_unlock(&lock);
	if (!strcmp(verb, "remove"))
		watcher->removed(name);
}

/* What the handler says of a text begins so, as it knows of no file. */
static bool is_mistake(const char *text, struct strbuf *error)
{
	if (strncmp(text, "the map: ", 9) != 0)
		return false;
	strbuf_printf(error, "%s", text);
	return true;
}

static int check(const char *text, struct strbuf *report)
{
	if (is_mistake(text, report))
		return -EINVAL;
	strbuf_printf(report,
		      strcmp(text, "good") ? "word 1 is \"%s\", expected good" : "groups: %s",
		      strcmp(text, "good") ? text : "2");
	return strcmp(text, "good") ? -EINVAL : 0;
}

static unsigned int nr_loaded;

static int load(const char *text, struct device_layout *layout, void **owner, struct strbuf *error)
{
	struct mpath_settings *settings;

	*owner = NULL;
	if (is_mistake(text, error))
		return -EINVAL;
	if (!strcmp(text, "bad")) {
		strbuf_printf(error, "word 1 is bad");
		return -EINVAL;
	}
	settings = calloc(1, sizeof(*settings));
	strcpy(settings->wwid, !strcmp(text, "busy") ? "x" : "");
	*layout = (struct device_layout){.settings = settings};
	*owner = settings;
	nr_loaded++;
	return 0;
}

static void unload(void *owner)
{
	free(owner);
	printf("still loaded: %u\n", --nr_loaded);
	fflush(stdout);
}

/*
 * tcmu-runner goes on the bus with its main thread.  Two threads that use GDBus for the first time
 * at once can wait for each other for ever: one makes a type and wants to add an interface to it,
 * the other initializes a class and wants that type.  Two types take so long here that they must
 * meet.
 */
static bool beside_runner;

G_MODULE_EXPORT void g_type_add_interface_static(GType type, GType interface,
						 const GInterfaceInfo *info)
{
	static void (*real)(GType, GType, const GInterfaceInfo *);

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "g_type_add_interface_static");
	if (beside_runner && !strcmp(g_type_name(type), "GDBusObjectManagerServer"))
		usleep(100000);
	if (beside_runner && !strcmp(g_type_name(type), "GDBusConnection"))
		usleep(200000);
	real(type, interface, info);
}

/*
 * Of the read and the write that a close cancels, GDBus takes the write for the other side's doing;
 * which of them it sees first is chance.
 */
static bool blames_bus;
static void (*on_closed)(GDBusConnection *, gboolean, GError *, gpointer);

static void closed_by_bus(GDBusConnection *connection, gboolean by_peer, GError *error,
			  gpointer data)
{
	(void)by_peer;
	on_closed(connection, TRUE, error, data);
}

G_MODULE_EXPORT gulong g_signal_connect_data(gpointer instance, const gchar *signal,
					     GCallback handler, gpointer data,
					     GClosureNotify destroy, GConnectFlags flags)
{
	static gulong (*real)(gpointer, const gchar *, GCallback, gpointer, GClosureNotify,
			      GConnectFlags);

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "g_signal_connect_data");
	if (blames_bus && !strcmp(signal, "closed")) {
		*(GCallback *)&on_closed = handler;
		handler = G_CALLBACK(closed_by_bus);
	}
	return real(instance, signal, handler, data, destroy, flags);
}

static void go_on_the_bus_as_runner(void)
{
	if (g_bus_get_sync(G_BUS_TYPE_SYSTEM, NULL, NULL))
		printf("tcmu-runner is on the bus\n");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	static const struct control_hooks hooks = {.check = check, .load = load, .unload = unload};
	char line[128];
	pthread_t thread;

	list_init(&requests);
	if (pthread_create(&thread, NULL, owner_thread, NULL))
		return 1;
	beside_runner = argc > 1 && !strcmp(argv[1], "beside-runner");
	blames_bus = argc > 1 && !strcmp(argv[1], "blames-bus");
	control_start(&hooks);
	if (beside_runner)
		go_on_the_bus_as_runner();
	while (fgets(line, sizeof(line), stdin)) {
		const char *verb = strtok(line, " \n");
		const char *name = strtok(NULL, " \n");
		const char *number = strtok(NULL, " \n");

		assert(verb && name && strlen(name) < MPATH_NAME_MAX);
		command(verb, name, number ? (unsigned int)atoi(number) : 0);
		printf("did %s %s\n", verb, name);
		fflush(stdout);
	}
	_exit(0); /* as tcmu-runner ends: with the control thread running */
}
