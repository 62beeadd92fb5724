// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * handler/control as it is, over maps that are not there: the other side of test_control.py.
 *
 * Maps come and go with "add NAME" and "remove NAME" on standard input.  A map answers on a thread
 * of its own, as the real ones do, in the words of the message: see answer().
 */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/control.h"
#include "runtime/device.h"
#include "runtime/log.h"

#define MAPS_MAX 16

static const struct device_watcher *watcher;
static char maps[MAPS_MAX][MPATH_NAME_MAX];

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

static void answer(struct mpath_message *message)
{
	const char *word = message->argv[0];
	const char *first = message->argc > 1 ? message->argv[1] : "";

	if (!strcmp(word, "status")) {
		strbuf_printf(&message->reply, "the %s of this map", first);
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

static void *owner_thread(void *arg)
{
	(void)arg;
	for (;;) {
		struct device_request *request;

		pthread_mutex_lock(&lock);
		while (list_empty(&requests))
			pthread_cond_wait(&posted, &lock);
		request = list_first_entry(&requests, struct device_request, letter.node);
		list_del(&request->letter.node);
		pthread_mutex_unlock(&lock);
		answer(&request->message);
		request->done(request);
	}
	return NULL;
}

static char *find_map(const char *name)
{
	for (int i = 0; i < MAPS_MAX; i++)
		if (!strcmp(maps[i], name))
			return maps[i];
	return NULL;
}

bool device_request(const char *map, struct device_request *request)
{
	bool found;

	pthread_mutex_lock(&lock);
	found = find_map(map);
	if (found) {
		list_push_back(&requests, &request->letter.node);
		pthread_cond_signal(&posted);
	}
	pthread_mutex_unlock(&lock);
	return found;
}

static void command(const char *verb, const char *name)
{
	char *slot;

	pthread_mutex_lock(&lock);
	slot = find_map(!strcmp(verb, "add") ? "" : name);
	assert(slot);
	strcpy(slot, !strcmp(verb, "add") ? name : "");
	pthread_mutex_unlock(&lock);
	/* "forget" takes a map away without a word to D-Bus: the moment between the two. */
	if (!strcmp(verb, "add"))
		watcher->added(name);
	else if (!strcmp(verb, "remove"))
		watcher->removed(name);
}

int main(void)
{
	char line[128];
	pthread_t thread;

	list_init(&requests);
	if (pthread_create(&thread, NULL, owner_thread, NULL))
		return 1;
	control_start();
	while (fgets(line, sizeof(line), stdin)) {
		const char *verb = strtok(line, " \n");
		const char *name = strtok(NULL, " \n");

		assert(verb && name && strlen(name) < MPATH_NAME_MAX);
		command(verb, name);
	}
	_exit(0); /* as tcmu-runner ends: with the control thread running */
}
