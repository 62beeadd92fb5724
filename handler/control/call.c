// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One method call in flight
 *
 * A call starts on the control thread, is answered by the map on its owner thread, and is turned
 * into a D-Bus reply on the control thread again.  The owner thread only attaches a prepared source
 * to the control thread's context: no D-Bus, no waiting.
 *
 * Memory is bounded whatever clients do: a call holds one reply buffer, and there are at most
 * CALLS_MAX of them.
 */
#include "control/call.h"

#include <errno.h>
#include <string.h>

#include "runtime/device.h"

#define CALLS_MAX 64
#define WORDS_MAX 32
#define BYTES_MAX 4096
#define REPLY_MAX (128 * 1024)

#define ERROR_PREFIX "org.tcmu.Mpath1.Error."

struct call {
	struct device_request request;
	GMainContext *context; /* the control thread's, which lives for ever */
	GSource *answer;       /* runs call_answer() on the control thread */
	GDBusMethodInvocation *invocation;
	char **words;
	char reply[REPLY_MAX];
};

static unsigned int calls_in_flight; /* control thread only */

static const char *error_name(int error)
{
	switch (-error) {
	case EINVAL:
	case ERANGE:
		return ERROR_PREFIX "InvalidArgument";
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return ERROR_PREFIX "NotFound";
	case EBUSY:
	case EAGAIN:
		return ERROR_PREFIX "Busy";
	case ENOSYS:
	case EOPNOTSUPP:
		return ERROR_PREFIX "NotSupported";
	case E2BIG:
	case EMSGSIZE:
	case EOVERFLOW:
		return ERROR_PREFIX "LimitsExceeded";
	default:
		return ERROR_PREFIX "Failed";
	}
}

static void refuse(GDBusMethodInvocation *invocation, const char *name, const char *text)
{
	g_dbus_method_invocation_return_dbus_error(invocation, name, text);
}

static void call_free(struct call *call)
{
	g_source_unref(call->answer);
	g_strfreev(call->words);
	g_free(call);
	calls_in_flight--;
}

static gboolean call_answer(gpointer data)
{
	struct call *call = data;
	const struct mpath_message *message = &call->request.message;
	/* A reply may quote what an array or a file said, and D-Bus takes UTF-8 only. */
	char *text = g_utf8_make_valid(message->reply.text, (gssize)message->reply.len);

	if (message->error)
		refuse(call->invocation, error_name(message->error),
		       *text ? text : g_strerror(-message->error));
	else if (message->reply.truncated)
		refuse(call->invocation, ERROR_PREFIX "LimitsExceeded",
		       "the answer is longer than 128 KiB");
	else
		g_dbus_method_invocation_return_value(call->invocation, g_variant_new("(s)", text));
	g_free(text);
	call_free(call);
	return G_SOURCE_REMOVE;
}

/* Owner thread.  The call may be gone as soon as its source is attached. */
static void call_done(struct device_request *request)
{
	struct call *call = container_of(request, struct call, request);

	g_source_attach(call->answer, call->context);
}

static struct call *call_new(GMainContext *context, GDBusMethodInvocation *invocation,
			     const char *const *words)
{
	struct call *call = g_try_new(struct call, 1);

	if (!call)
		return NULL;
	calls_in_flight++;
	call->context = context;
	call->invocation = invocation;
	call->words = g_strdupv((char **)words);
	call->answer = g_idle_source_new();
	g_source_set_priority(call->answer, G_PRIORITY_DEFAULT);
	g_source_set_callback(call->answer, call_answer, call, NULL);
	call->request = (struct device_request){
		.message =
			{
				.argc = (int)g_strv_length(call->words),
				.argv = (const char *const *)call->words,
			},
		.done = call_done,
	};
	strbuf_init(&call->request.message.reply, call->reply, sizeof(call->reply));
	return call;
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

void call_map(GMainContext *context, GDBusMethodInvocation *invocation, const char *map,
	      const char *const *words)
{
	struct call *call;

	if (!words[0]) {
		refuse(invocation, ERROR_PREFIX "InvalidArgument",
		       "a message has at least one word");
		return;
	}
	if (too_long(words)) {
		refuse(invocation, ERROR_PREFIX "LimitsExceeded",
		       "a message has at most 32 words and 4096 bytes");
		return;
	}
	call = calls_in_flight < CALLS_MAX ? call_new(context, invocation, words) : NULL;
	if (!call) {
		refuse(invocation, ERROR_PREFIX "Busy", "too many calls at once, try again");
		return;
	}
	if (!device_request(map, &call->request)) {
		char *text = g_strdup_printf("there is no map %s", map);

		refuse(invocation, ERROR_PREFIX "NoSuchMap", text);
		g_free(text);
		call_free(call);
	}
}
