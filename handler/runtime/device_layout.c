/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The map of a device gets other paths or groups: by a table, a message, or because disks were
 * found, or have gone.  What that takes of memory is taken before the step.
 */
#include "runtime/device_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mpath/number.h"
#include "mpath/table.h"

static void refuse_for_memory(struct mpath_message *message)
{
	message->error = -ENOMEM;
	strbuf_printf(&message->reply, "out of memory");
}

static bool device_prepare_paths(struct device *d, struct mpath_change *change)
{
	struct path *path;
	unsigned int i;

	for (i = 0; (path = mpath_change_path(change, i)); i++)
		if (!device_path_new(d, path))
			return false;
	return true;
}

static void device_drop_change(struct mpath_change *change)
{
	struct path *path;
	unsigned int i;

	for (i = 0; (path = mpath_change_path(change, i)); i++)
		device_path_free(path->transport_data);
	mpath_change_free(change);
}

/* NULL: it was refused, with words in the reply. */
static void device_change(struct device *d, struct mpath_change *change,
			  struct mpath_message *message)
{
	message->error = -EINVAL;
	if (!change)
		return;
	if (d->stopping || !device_prepare_paths(d, change)) {
		message->error = d->stopping ? -ESHUTDOWN : -ENOMEM;
		strbuf_printf(&message->reply, "%s", strerror(-message->error));
		device_drop_change(change);
		return;
	}
	message->error = 0;
	device_step(d, &(struct mpath_event){.type = MPATH_CHANGE, .change = change});
	mpath_change_free(change);
}

static void device_load(struct device *d, const struct mpath_table *table,
			const struct mpath_settings *settings, struct mpath_message *message)
{
	device_change(d, mpath_change_reload(d->map, table, settings, &message->reply), message);
}

/* --- paths that are found --- */

static bool is_node_of(const struct path *path, const char *node)
{
	return strcmp(path->facts.device, node + strlen("/dev/")) == 0;
}

static bool device_leads_to(void *arg, const char *address, const char *node)
{
	const struct device *d = arg;
	const struct path *path;
	unsigned int i;

	for (i = 0; (path = mpath_path(d->map, i)); i++)
		if (strcmp(path->address, address) == 0 && has_device(path) &&
		    is_node_of(path, node))
			return true;
	return false;
}

static bool device_add_found(void *arg, const char *address)
{
	struct mpath_message message = {0};
	struct device *d = arg;
	char words[200];

	strbuf_init(&message.reply, words, sizeof(words));
	device_change(d,
		      mpath_change_add_found(d->map, address, d->search.selector, &message.reply),
		      &message);
	return !message.error;
}

/* An administrator may have removed it before: then there is nothing to do. */
static void device_remove_found(void *arg, const char *address)
{
	struct mpath_message message = {0};
	struct device *d = arg;
	char words[200];

	strbuf_init(&message.reply, words, sizeof(words));
	device_change(d, mpath_change_remove_found(d->map, address, &message.reply), &message);
}

static struct path *path_of_disk(const struct device *d, const char *node)
{
	struct path *path;
	unsigned int i;

	for (i = 0; (path = mpath_path(d->map, i)); i++)
		if (is_node_of(path, node))
			return path;
	return NULL;
}

static void device_tell_paths(struct device *d, const struct found_disks *disks,
			      enum mpath_heard heard)
{
	struct mpath_event event = {.type = MPATH_PATH_HEARD, .heard = heard};

	for (unsigned int i = 0; i < disks->nr; i++) {
		event.path = path_of_disk(d, disks->disks[i].node);
		if (event.path)
			device_step(d, &event);
	}
}

/* What was lost may have been about any of them: an unheard doubt would lead to another LUN. */
static void device_tell_all_paths(struct device *d)
{
	struct mpath_event event = {.type = MPATH_PATH_HEARD, .heard = HEARD_ANYTHING};

	for (unsigned int i = 0; (event.path = mpath_path(d->map, i)); i++)
		device_step(d, &event);
}

static void device_tell_of_disks(void *arg, const struct disk_news *news)
{
	if (news->lost)
		device_tell_all_paths(arg);
	device_tell_paths(arg, &news->resets, HEARD_RESET);
	device_tell_paths(arg, &news->doubted, HEARD_IDENTITY);
	device_tell_paths(arg, &news->states, HEARD_STATES);
	device_tell_paths(arg, &news->resized, HEARD_CAPACITY);
	device_tell_paths(arg, &news->modes, HEARD_MODE);
	device_tell_paths(arg, &news->space, HEARD_SPACE);
	if (news->disks || news->lost)
		device_step(arg, &(struct mpath_event){.type = MPATH_DISKS});
}

static void device_search_idle(void *arg)
{
	device_check_finished(arg);
}

const struct search_ops device_search_ops = {
	.paths = {.leads_to = device_leads_to,
		  .add = device_add_found,
		  .remove = device_remove_found},
	.news = device_tell_of_disks,
	.idle = device_search_idle,
};

static bool has_address(const struct found_disks *disks, const char *address)
{
	for (unsigned int i = 0; i < disks->nr; i++)
		if (strcmp(disks->disks[i].address, address) == 0)
			return true;
	return false;
}

/* The map's paths by their words, each once: dm allows one in several groups, but it is one disk.
 */
static bool present_paths(struct device *d, struct found_disks *present)
{
	struct path *path;
	unsigned int i;

	*present = (struct found_disks){0};
	for (i = 0; (path = mpath_path(d->map, i)); i++) {
		if (has_address(present, path->address))
			continue;
		if (!found_disks_add(present, path->address, path->address)) {
			found_disks_clear(present);
			return false;
		}
	}
	return true;
}

static void device_load_finding(struct device *d, const struct device_layout *layout,
				struct mpath_message *message)
{
	struct mpath_table *table = NULL;
	struct found_disks words;

	if (!present_paths(d, &words)) {
		refuse_for_memory(message);
		return;
	}
	message->error = finder_table(&words, layout->table, layout->settings->policy.grouping,
				      layout->find_selector, &table, &message->reply);
	if (!message->error)
		device_load(d, table, layout->settings, message);
	mpath_table_free(table);
	found_disks_clear(&words);
}

/* The map's present paths stay; the next look finds out which of them lead elsewhere. */
static void device_reload_finding(struct device *d, const struct device_layout *layout,
				  struct mpath_message *message)
{
	struct search *s = &d->search;
	bool goes_on = s->on && strcmp(s->wwid, layout->settings->wwid) == 0;
	struct found_disks present;
	char *selector;

	message->error = -EOPNOTSUPP;
	if (!d->transport->finder) {
		strbuf_printf(&message->reply, "this transport finds no paths: name them");
		return;
	}
	selector = strdup(layout->find_selector);
	if (!selector) {
		refuse_for_memory(message);
		return;
	}
	device_load_finding(d, layout, message);
	if (message->error) {
		free(selector);
		return;
	}
	search_for(s, layout->settings->wwid, selector);
	if (!goes_on && present_paths(d, &present))
		search_knows(s, &present);
	search_begin(s);
}

/* --- a new table, or map file --- */

/* Each restore of a saved configuration writes what is there already. */
static bool is_in_service(const struct device *d, const struct device_layout *layout)
{
	return layout->said && d->said && strcmp(layout->said, d->said) == 0;
}

static void set_said(struct device *d, const char *said)
{
	free(d->said);
	d->said = said ? strdup(said) : NULL; /* without memory nobody knows */
}

static void device_take_layout(struct device *d, const struct device_layout *layout,
			       struct mpath_message *message)
{
	if (layout->find_selector)
		device_reload_finding(d, layout, message);
	else
		device_load(d, layout->table, layout->settings, message);
	if (message->error)
		return;
	if (!layout->find_selector)
		search_end(&d->search);
	set_said(d, layout->said);
}

void device_reload(struct device *d, const struct device_layout *layout,
		   struct mpath_message *message)
{
	char *warning = layout->warning ? strdup(layout->warning) : NULL;

	if (layout->warning && !warning) {
		refuse_for_memory(message);
		return;
	}
	message->error = 0;
	if (!is_in_service(d, layout))
		device_take_layout(d, layout, message);
	if (message->error) {
		free(warning);
		return;
	}
	free(d->warning);
	d->warning = warning;
}

/* --- messages --- */

/* "add_path" ADDRESS [GROUP] */
static void device_add_path(struct device *d, struct mpath_message *message)
{
	uint64_t group = 0;

	if (message->argc == 3 && (!parse_number(message->argv[2], UINT32_MAX, &group) || !group)) {
		message->error = -EINVAL;
		strbuf_printf(&message->reply,
			      "add_path: priority group is \"%s\", expected a number "
			      "from 1",
			      message->argv[2]);
		return;
	}
	device_change(d,
		      mpath_change_add_path(d->map, message->argv[1], (unsigned int)group,
					    &message->reply),
		      message);
}

/* The messages that take memory.  False: it is none of them. */
bool device_change_message(struct device *d, struct mpath_message *message)
{
	const char *word = message->argc ? message->argv[0] : "";

	if (strcasecmp(word, "add_path") == 0 && (message->argc == 2 || message->argc == 3))
		device_add_path(d, message);
	else if (strcasecmp(word, "remove_path") == 0 && message->argc == 2)
		device_change(d,
			      mpath_change_remove_path(d->map, message->argv[1], &message->reply),
			      message);
	else
		return false;
	if (!message->error)
		set_said(d, NULL); /* no file says that */
	return true;
}
