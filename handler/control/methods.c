// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The methods of maps, groups and paths: each is a message to the map, in dm-multipath's words
 * where it has any.  What the words mean is the map's business.
 */
#include "control/methods.h"

#include <assert.h>
#include <string.h>

#include "control/call.h"
#include "control/json.h"

static void map_message(GDBusMethodInvocation *invocation, const char *map,
			const char *const *words)
{
	call_map(invocation, map, words, CALL_RETURNS_NOTHING);
}

/* --- maps --- */

static void handle_message(const char *map, GVariant *arguments, GDBusMethodInvocation *invocation)
{
	const char **words;

	g_variant_get(arguments, "(^a&s)", &words);
	call_map(invocation, map, words, CALL_RETURNS_TEXT);
	g_free(words);
}

static void handle_status(const char *map, GVariant *arguments, GDBusMethodInvocation *invocation)
{
	const char *words[] = {"status", NULL, NULL};

	g_variant_get(arguments, "(&s)", &words[1]);
	if (g_str_equal(words[1], "json"))
		call_snapshot(invocation, map, json_status);
	else
		call_map(invocation, map, words, CALL_RETURNS_TEXT);
}

static void handle_reload(const char *map, GVariant *arguments, GDBusMethodInvocation *invocation)
{
	const char *text;

	g_variant_get(arguments, "(&s)", &text);
	call_reload(invocation, map, text);
}

static void handle_add_path(const char *map, GVariant *arguments, GDBusMethodInvocation *invocation)
{
	unsigned int group;
	const char *address;
	char number[16];

	g_variant_get(arguments, "(u&s)", &group, &address);
	g_snprintf(number, sizeof(number), "%u", group);
	map_message(invocation, map,
		    (const char *const[]){"add_path", address, group ? number : NULL, NULL});
}

static void handle_remove_path(const char *map, GVariant *arguments,
			       GDBusMethodInvocation *invocation)
{
	const char *address;

	g_variant_get(arguments, "(&s)", &address);
	map_message(invocation, map, (const char *const[]){"remove_path", address, NULL});
}

static void handle_suspend(const char *map, GVariant *arguments, GDBusMethodInvocation *invocation)
{
	(void)arguments;
	map_message(invocation, map, (const char *const[]){"suspend", "noflush", NULL});
}

static void handle_resume(const char *map, GVariant *arguments, GDBusMethodInvocation *invocation)
{
	(void)arguments;
	map_message(invocation, map, (const char *const[]){"resume", NULL});
}

static void handle_resize(const char *map, GVariant *arguments, GDBusMethodInvocation *invocation)
{
	(void)arguments;
	map_message(invocation, map, (const char *const[]){"resize", NULL});
}

static const struct {
	const char *name;
	void (*handle)(const char *map, GVariant *arguments, GDBusMethodInvocation *invocation);
} map_methods[] = {
	{"Message", handle_message},	    {"Status", handle_status},
	{"Reload", handle_reload},	    {"AddPath", handle_add_path},
	{"RemovePath", handle_remove_path}, {"Suspend", handle_suspend},
	{"Resume", handle_resume},	    {"Resize", handle_resize},
};

void methods_of_map(const char *map, const char *method, GVariant *arguments,
		    GDBusMethodInvocation *invocation)
{
	size_t i = 0;

	while (strcmp(map_methods[i].name, method) != 0) {
		i++;
		assert(i < G_N_ELEMENTS(map_methods)); /* the XML has no others */
	}
	map_methods[i].handle(map, arguments, invocation);
}

/* --- groups and paths: words of dm's --- */

struct word {
	const char *method;
	const char *message;
};

static const struct word group_words[] = {
	{"Enable", "enable_group"},
	{"Disable", "disable_group"},
	{"Switch", "switch_group"},
};

static const struct word path_words[] = {
	{"Fail", "fail_path"},
	{"Reinstate", "reinstate_path"},
	{"Probe", "probe_path"},
};

static const char *message_for(const struct word *word, const struct word *end, const char *method)
{
	while (strcmp(word->method, method) != 0) {
		word++;
		assert(word < end); /* the XML has no others */
	}
	return word->message;
}

void methods_of_group(const char *map, unsigned int number, const char *method,
		      GDBusMethodInvocation *invocation)
{
	const char *message =
		message_for(group_words, group_words + G_N_ELEMENTS(group_words), method);
	char text[16];

	g_snprintf(text, sizeof(text), "%u", number);
	map_message(invocation, map, (const char *const[]){message, text, NULL});
}

/* Its name may be another path's by now, or be longer than a snapshot has room for. */
void methods_of_path(const char *map, const struct path_snapshot *path, const char *method,
		     GDBusMethodInvocation *invocation)
{
	const char *message =
		message_for(path_words, path_words + G_N_ELEMENTS(path_words), method);

	call_path(invocation, map, (const char *const[]){message, path->name, NULL}, path->id);
}
