// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One method call in flight
 *
 * A call starts on the control thread, is answered by the map on its owner thread, and is turned
 * into a D-Bus reply on the control thread again.  The owner thread only attaches a prepared source
 * to the control thread's context: no D-Bus, no waiting.  Before a call that may have changed the
 * map is answered, a snapshot is taken: who calls Fail and then reads State finds it failed.
 *
 * Memory is bounded whatever clients do: a call holds one reply buffer, and there are at most
 * CALLS_MAX of them; of one map CALLS_OF_MAP_MAX, once half of the room is taken, so that one that
 * does not answer leaves room for the others'.  As many more ask for the status, which everybody
 * may: they leave room for root's.
 */
#include "control/call.h"

#include <errno.h>
#include <string.h>

#include "control/gate.h"
#include "control/objects.h"
#include "runtime/device.h"

#define CALLS_MAX	 64
#define CALLS_OF_MAP_MAX 4
#define WORDS_MAX	 32
#define BYTES_MAX	 4096
#define REPLY_MAX	 (128 * 1024)
#define TEXT_MAX	 (1024 * 1024) /* a map file's */

struct call {
	struct list node; /* in flight */
	struct device_request request;
	struct refresh refresh;
	GSource *answer; /* runs call_answered() on the control thread */
	GDBusMethodInvocation *invocation;
	enum call_reply kind;
	bool asks; /* for the status */
	char *map;
	char **words; /* NULL: none are sent */
	struct device_layout layout;
	void *layout_owner; /* NULL, or for unload */
	char *(*text)(const char *map, const struct mpath_snapshot *snapshot);
	char reply[REPLY_MAX];
};

static GMainContext *call_context; /* the control thread's, which lives for ever */
static const struct control_hooks *call_hooks;

/* The control thread's. */
static struct list calls = {&calls, &calls};
static unsigned int calls_in_flight[2]; /* those that ask are the second */

void call_init(GMainContext *context, const struct control_hooks *hooks)
{
	call_hooks = hooks;
	call_context = context;
}

static const char *error_name(int error)
{
	switch (-error) {
	case EINVAL:
	case ERANGE:
		return CALL_ERROR_PREFIX "InvalidArgument";
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return CALL_ERROR_PREFIX "NotFound";
	case EBUSY:
	case EAGAIN:
		return CALL_ERROR_PREFIX "Busy";
	case ENOSYS:
	case EOPNOTSUPP:
		return CALL_ERROR_PREFIX "NotSupported";
	case E2BIG:
	case EMSGSIZE:
	case EOVERFLOW:
		return CALL_ERROR_PREFIX "LimitsExceeded";
	default:
		return CALL_ERROR_PREFIX "Failed";
	}
}

void call_refuse(GDBusMethodInvocation *invocation, int error, const char *text)
{
	g_dbus_method_invocation_return_dbus_error(invocation, error_name(error), text);
}

bool call_takes_text(GDBusMethodInvocation *invocation, const char *text)
{
	if (strnlen(text, TEXT_MAX + 1) <= TEXT_MAX)
		return true;
	call_refuse(invocation, -E2BIG, "a map has at most 1 MiB");
	return false;
}

static void refuse_no_map(GDBusMethodInvocation *invocation, const char *map)
{
	char *text = g_strdup_printf("there is no map %s", map);

	g_dbus_method_invocation_return_dbus_error(invocation, CALL_ERROR_PREFIX "NoSuchMap", text);
	g_free(text);
}

static void call_free(struct call *call)
{
	g_source_unref(call->answer);
	if (call->layout_owner)
		call_hooks->unload(call->layout_owner);
	g_strfreev(call->words);
	g_free(call->map);
	list_del(&call->node);
	calls_in_flight[call->asks]--;
	g_free(call);
}

static void call_reply(struct call *call)
{
	const struct mpath_message *message = &call->request.message;
	/* A reply may quote what an array or a file said, and D-Bus takes UTF-8 only. */
	char *text = g_utf8_make_valid(message->reply.text, (gssize)message->reply.len);

	if (message->error)
		call_refuse(call->invocation, message->error,
			    *text ? text : g_strerror(-message->error));
	else if (call->kind == CALL_RETURNS_NOTHING)
		g_dbus_method_invocation_return_value(call->invocation, NULL);
	else if (message->reply.truncated)
		call_refuse(call->invocation, -EMSGSIZE, "the answer is longer than 128 KiB");
	else
		g_dbus_method_invocation_return_value(call->invocation, g_variant_new("(s)", text));
	g_free(text);
	call_free(call);
}

static void call_refreshed(struct refresh *refresh, const struct mpath_snapshot *snapshot)
{
	(void)snapshot;
	call_reply(container_of(refresh, struct call, refresh));
}

static bool may_have_changed(const struct call *call)
{
	return !call->request.message.error && !call->asks;
}

static gboolean call_answered(gpointer data)
{
	struct call *call = data;

	if (!may_have_changed(call) || !objects_refresh(call->map, &call->refresh))
		call_reply(call);
	return G_SOURCE_REMOVE;
}

/* Owner thread.  The call may be gone as soon as its source is attached. */
static void call_done(struct device_request *request)
{
	struct call *call = container_of(request, struct call, request);

	g_source_attach(call->answer, call_context);
}

static unsigned int calls_of(const char *map, bool asks)
{
	const struct call *call;
	unsigned int n = 0;

	list_for_each_entry(call, &calls, node)
		n += call->asks == asks && strcmp(call->map, map) == 0;
	return n;
}

static bool is_room_for(const char *map, bool asks)
{
	return is_room(calls_in_flight[asks], CALLS_MAX, calls_of(map, asks), CALLS_OF_MAP_MAX);
}

/* NULL: too many; the invocation was answered. */
static struct call *call_new(GDBusMethodInvocation *invocation, const char *map,
			     const char *const *words, bool asks)
{
	struct call *call = is_room_for(map, asks) ? g_try_new(struct call, 1) : NULL;

	if (!call) {
		call_refuse(invocation, -EBUSY, "too many calls at once, try again");
		return NULL;
	}
	list_push_back(&calls, &call->node);
	calls_in_flight[asks]++;
	call->asks = asks;
	call->invocation = invocation;
	call->layout_owner = NULL;
	call->map = g_strdup(map);
	call->words = g_strdupv((char **)words);
	call->answer = g_idle_source_new();
	g_source_set_priority(call->answer, G_PRIORITY_DEFAULT);
	g_source_set_callback(call->answer, call_answered, call, NULL);
	call->request = (struct device_request){.done = call_done};
	call->refresh.done = call_refreshed;
	strbuf_init(&call->request.message.reply, call->reply, sizeof(call->reply));
	return call;
}

static void call_send(struct call *call)
{
	if (device_request(call->map, &call->request))
		return;
	refuse_no_map(call->invocation, call->map);
	call_free(call);
}

static void call_send_words(struct call *call, enum call_reply kind)
{
	call->kind = kind;
	call->request.message.argc = (int)g_strv_length(call->words);
	call->request.message.argv = (const char *const *)call->words;
	call_send(call);
}

static bool too_long(const char *const *words)
{
	size_t nr_words = 0;
	size_t nr_bytes = 0;

	for (; words[nr_words]; nr_words++) {
		nr_bytes += strlen(words[nr_words]);
		if (nr_words == WORDS_MAX || nr_bytes > BYTES_MAX)
			return true;
	}
	return false;
}

void call_map(GDBusMethodInvocation *invocation, const char *map, const char *const *words,
	      enum call_reply kind)
{
	struct call *call;

	if (!words[0]) {
		call_refuse(invocation, -EINVAL, "a message has at least one word");
		return;
	}
	if (too_long(words)) {
		call_refuse(invocation, -E2BIG, "a message has at most 32 words and 4096 bytes");
		return;
	}
	call = call_new(invocation, map, words, strcmp(words[0], "status") == 0);
	if (!call)
		return;
	call_send_words(call, kind);
}

void call_path(GDBusMethodInvocation *invocation, const char *map, const char *const *words,
	       unsigned int path_id)
{
	struct call *call = call_new(invocation, map, words, false);

	if (!call)
		return;
	call->request.message.by_id = true;
	call->request.message.path_id = path_id;
	call_send_words(call, CALL_RETURNS_NOTHING);
}

void call_reload(GDBusMethodInvocation *invocation, const char *map, const char *text)
{
	struct mpath_message *message;
	struct call *call;

	if (!call_takes_text(invocation, text))
		return;
	call = call_new(invocation, map, NULL, false);
	if (!call)
		return;
	message = &call->request.message;
	message->error =
		call_hooks->load(text, &call->layout, &call->layout_owner, &message->reply);
	if (message->error) {
		call_reply(call);
		return;
	}
	call->kind = CALL_RETURNS_NOTHING;
	call->request.layout = &call->layout;
	call_send(call);
}

static void call_text(struct refresh *refresh, const struct mpath_snapshot *snapshot)
{
	struct call *call = container_of(refresh, struct call, refresh);
	char *text;

	if (snapshot) {
		text = call->text(call->map, snapshot);
		g_dbus_method_invocation_return_value(call->invocation, g_variant_new("(s)", text));
		g_free(text);
	} else {
		refuse_no_map(call->invocation, call->map);
	}
	call_free(call);
}

void call_snapshot(GDBusMethodInvocation *invocation, const char *map,
		   char *(*text)(const char *map, const struct mpath_snapshot *snapshot))
{
	struct call *call = call_new(invocation, map, NULL, true);

	if (!call)
		return;
	call->text = text;
	call->refresh.done = call_text;
	if (!objects_refresh(map, &call->refresh)) {
		refuse_no_map(invocation, map);
		call_free(call);
	}
}
