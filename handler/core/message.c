/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dm-multipath's messages (dm-multipath.md A4), forget_wwid, and release: the machine goes down,
 * and a LUN can be taken away only when nothing waits in it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "core/multipath.h"
#include "mpath/number.h"

static void refuse(struct mpath_message *message, int error, const char *text)
{
	message->error = error;
	strbuf_printf(&message->reply, "%s", text);
}

static void set_queueing(struct multipath *m, bool on)
{
	bool before = m->queue_if_no_path || m->saved_queue_if_no_path;

	/* What a flush has saved, fail_if_no_path is meant for, too. */
	if (!on)
		m->saved_queue_if_no_path = false;
	else
		no_path_begins(m);
	m->queue_if_no_path = on;
	if (before == on)
		return;
	m->actions->memory_changed = true;
	m->run_held = true;
	trace(m, "queueing: %s", on ? "on" : "off");
	notice(m, NOTICE_POLICY, NULL, on ? "queue_if_no_path" : "fail_if_no_path");
}

static struct priority_group *find_group(struct multipath *m, const char *word)
{
	uint64_t number;

	if (!parse_number(word, m->nr_groups, &number) || !number)
		return NULL;
	return &m->groups[number - 1];
}

/* dm forgets the current group, so that the next command chooses anew. */
static void choose_anew(struct multipath *m)
{
	m->current_pg = NULL;
	m->run_held = true;
}

static void bypass_group(struct multipath *m, struct mpath_message *message, bool bypass)
{
	struct priority_group *pg = find_group(m, message->argv[1]);

	if (!pg) {
		message->error = -EINVAL;
		strbuf_printf(&message->reply,
			      "invalid PG number supplied to bypass_pg: \"%s\", expected 1 to %u",
			      message->argv[1], m->nr_groups);
		return;
	}
	if (!bypass)
		forget_awaited_groups(m);
	m->actions->memory_changed = true;
	choose_anew(m);
	set_bypass(m, pg, bypass, bypass ? "disabled" : "enabled");
}

static void switch_group(struct multipath *m, struct mpath_message *message)
{
	struct priority_group *pg = find_group(m, message->argv[1]);
	struct priority_group *other;

	if (!pg) {
		message->error = -EINVAL;
		strbuf_printf(
			&message->reply,
			"invalid PG number supplied to switch_pg_num: \"%s\", expected 1 to %u",
			message->argv[1], m->nr_groups);
		return;
	}
	for_each_group(m, other)
		lift_bypass(m, other, "enabled");
	forget_awaited_groups(m);
	m->next_pg = pg;
	m->actions->memory_changed = true;
	choose_anew(m);
	policy_told_to_switch(m);
	trace(m, "group %u: asked for", pg->number);
	notice_group(m, NOTICE_GROUP_ASKED_FOR, pg, "asked to switch to");
}

static const char *without_dev(const char *word)
{
	return strncmp(word, "/dev/", 5) == 0 ? word + 5 : word;
}

static bool is_in_table_as(const struct path *path, const char *word)
{
	return strcmp(without_dev(word), without_dev(path->address)) == 0;
}

static bool is_known_as(const struct path *path, const char *word)
{
	return (path->facts.name[0] && strcmp(word, path->facts.name) == 0) ||
	       (path->facts.device[0] && strcmp(without_dev(word), path->facts.device) == 0);
}

static bool another_is_in_table_as(const struct path *path, const char *word)
{
	const struct path *other;

	for_each_path(path->m, other)
		if (other != path && is_in_table_as(other, word))
			return true;
	return false;
}

/*
 * maj:min, the word in the table, /dev/sdX or sdX.  What once was the device of a path that is
 * closed may be any disk now: who uses its name means a path that has it for its word.
 */
bool path_is_named(const struct path *path, const char *word)
{
	return is_in_table_as(path, word) ||
	       (is_known_as(path, word) &&
		(has_device(path) || !another_is_in_table_as(path, word)));
}

struct path *find_path_by_id(const struct multipath *m, unsigned int id)
{
	struct path *path;

	for_each_path(m, path)
		if (path->id == id)
			return path;
	return NULL;
}

static void fail_by_message(struct multipath *m, struct path *path)
{
	path->failed_by_message = true;
	m->actions->memory_changed = true;
	fail_path(m, path, "fail_path message");
	if (!path->reason[0])
		snprintf(path->reason, sizeof(path->reason), "fail_path message");
}

/* Before it comes back the path must prove that it is usable and still our LUN (D8). */
static void reinstate_by_message(struct multipath *m, struct path *path)
{
	path->failed_by_message = false;
	release_path(path);
	lift_demotion(m, path, "reinstate_path message");
	m->actions->memory_changed = true;
	if (!path->active)
		probe_path_now(m, path);
}

/* Ours: is it usable, and still our LUN? */
static void probe_by_message(struct multipath *m, struct path *path)
{
	path->recheck_identity = true;
	probe_path_now(m, path);
}

static bool is_meant(const struct multipath *m, const struct path *path,
		     const struct mpath_message *message)
{
	const struct path *meant;

	if (!message->by_id)
		return path_is_named(path, message->argv[1]);
	meant = find_path_by_id(m, message->path_id);
	if (!meant)
		return false;
	return path == meant || is_in_table_as(path, meant->address) ||
	       (has_device(meant) && path_is_named(path, meant->facts.name));
}

/* As in dm, every path of the map that is this device. */
static void for_named_paths(struct multipath *m, struct mpath_message *message,
			    void (*action)(struct multipath *m, struct path *path))
{
	bool found = false;
	struct path *path;

	for_each_path(m, path) {
		if (!is_meant(m, path, message))
			continue;
		found = true;
		action(m, path);
	}
	if (!found) {
		message->error = -EINVAL;
		strbuf_printf(&message->reply, "message: error getting device %s: not in map %s",
			      message->argv[1], m->name);
	}
}

/* dm's, ours, and at the end those that the runtime sees to, since they take memory. */
static const struct {
	const char *word;
	const char *wants;
} messages[] = {
	{"queue_if_no_path", "nothing"},
	{"fail_if_no_path", "nothing"},
	{"disable_group", "the number of a priority group"},
	{"enable_group", "the number of a priority group"},
	{"switch_group", "the number of a priority group"},
	{"fail_path", "a path"},
	{"reinstate_path", "a path"},
	{"probe_path", "a path"},
	{"probe_paths", "nothing"},
	{"forget_wwid", "nothing"},
	{"release", "nothing"},
	{"suspend", "noflush or nothing"},
	{"resume", "nothing"},
	{"resize", "nothing"},
	{"add_path", "a path, and perhaps the number of a priority group,"},
	{"remove_path", "a path"},
};

#define NR_MESSAGES (sizeof(messages) / sizeof(messages[0]))

/* What dm does not tell. */
static void tell_expected(struct mpath_message *message)
{
	const char *given = message->argc ? message->argv[0] : "(nothing)";
	const char *word = *given ? given : "\"\"";
	size_t i;

	for (i = 0; i < NR_MESSAGES; i++) {
		if (strcasecmp(word, messages[i].word) != 0)
			continue;
		strbuf_printf(&message->reply, " %s: expected %s behind it", messages[i].word,
			      messages[i].wants);
		return;
	}
	strbuf_printf(&message->reply, " %s: expected %s", word, messages[0].word);
	for (i = 1; i < NR_MESSAGES; i++)
		strbuf_printf(&message->reply, "%s %s", i + 1 < NR_MESSAGES ? "," : " or",
			      messages[i].word);
}

static void wrong_count(struct mpath_message *message)
{
	message->error = -EINVAL;
	strbuf_printf(&message->reply,
		      "Invalid multipath message arguments. Expected 2 arguments, got %d.",
		      message->argc);
	tell_expected(message);
}

/* Two words. */
static void unrecognised(struct mpath_message *message)
{
	message->error = -EINVAL;
	strbuf_printf(&message->reply, "Unrecognised multipath message received: \"%s %s\".",
		      message->argv[0], message->argv[1]);
	tell_expected(message);
}

/* dm has an ioctl for that, with this error. */
static void answer_probes(const struct multipath *m, struct mpath_message *message)
{
	if (!m->nr_valid)
		refuse(message, -ENOTCONN, "no path is usable");
}

static void probe_paths_by_message(struct multipath *m, struct mpath_message *message)
{
	message->pending = message->probes = probe_group_in_use(m);
	if (!message->pending)
		answer_probes(m, message);
}

static bool probes_are_done(struct multipath *m, struct mpath_message *message)
{
	if (probes_are_out(m) && !m->stopping)
		return false;
	message->pending = false;
	if (m->stopping)
		message->error = -ESHUTDOWN;
	else
		answer_probes(m, message);
	return true;
}

bool mpath_message_done(struct multipath *m, struct mpath_message *message)
{
	if (!message->pending)
		return true;
	return message->probes ? probes_are_done(m, message) : suspend_is_done(m, message);
}

static bool one_word_message(struct multipath *m, struct mpath_message *message)
{
	const char *word = message->argv[0];

	if (strcasecmp(word, "queue_if_no_path") == 0)
		set_queueing(m, true);
	else if (strcasecmp(word, "fail_if_no_path") == 0)
		set_queueing(m, false);
	else if (strcasecmp(word, "probe_paths") == 0)
		probe_paths_by_message(m, message);
	else
		return false;
	return true;
}

static void suspend_by_message(struct multipath *m, struct mpath_message *message, bool noflush)
{
	if (m->shutdown) {
		refuse(message, -ESHUTDOWN, "suspend: the map is shut down, nothing is held");
		return;
	}
	suspend_map(m, noflush);
	message->pending = m->suspend == SUSPENDING;
}

/* Not dm's: dm has ioctls for some of them.  They work in a suspended map, too. */
static bool our_message(struct multipath *m, struct mpath_message *message)
{
	const char *word = message->argc ? message->argv[0] : "";

	if (message->argc == 2 && strcasecmp(word, "suspend") == 0 &&
	    strcasecmp(message->argv[1], "noflush") == 0) {
		suspend_by_message(m, message, true);
		return true;
	}
	if (message->argc != 1)
		return false;
	if (strcasecmp(word, "suspend") == 0) {
		suspend_by_message(m, message, false);
	} else if (strcasecmp(word, "resume") == 0) {
		resume_map(m);
	} else if (strcasecmp(word, "resize") == 0) {
		capacity_changed(m);
	} else if (strcasecmp(word, "forget_wwid") == 0) {
		if (!list_empty(&m->fenced))
			refuse(message, -EBUSY,
			       "forget_wwid: a lost write may still land on the LUN");
		else if (forget_lun(m))
			look_at_paths(m); /* some may lead to the map's new LUN */
		else
			refuse(message, -EBUSY, "forget_wwid: a path of the map is in use");
	} else if (strcasecmp(word, "release") == 0) {
		shut_down(m);
	} else {
		return false;
	}
	return true;
}

void handle_message(struct multipath *m, struct mpath_message *message)
{
	const char *word;

	message->error = 0;
	message->pending = message->probes = false;
	if (our_message(m, message))
		return;
	if (m->suspend == SUSPENDED) {
		refuse(message, -EBUSY, "the map is suspended: only resume helps");
		return;
	}
	if (message->argc == 1 && one_word_message(m, message))
		return;
	if (message->argc != 2) {
		wrong_count(message);
		return;
	}

	word = message->argv[0];
	if (strcasecmp(word, "disable_group") == 0)
		bypass_group(m, message, true);
	else if (strcasecmp(word, "enable_group") == 0)
		bypass_group(m, message, false);
	else if (strcasecmp(word, "switch_group") == 0)
		switch_group(m, message);
	else if (strcasecmp(word, "reinstate_path") == 0)
		for_named_paths(m, message, reinstate_by_message);
	else if (strcasecmp(word, "probe_path") == 0)
		for_named_paths(m, message, probe_by_message);
	else if (strcasecmp(word, "fail_path") == 0)
		for_named_paths(m, message, fail_by_message);
	else
		unrecognised(message);
}
