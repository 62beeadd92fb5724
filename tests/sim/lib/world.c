/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The clock and the events of the virtual world, and the actions of the core in it.
 */
#include "sim/lib/world.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "core/table_edit.h"
#include "sim/lib/path.h"

uint64_t now_ms(const struct world *w)
{
	return (w->now_ns - SIM_EPOCH) / NSEC_PER_MSEC;
}

static void append(char **text, size_t *len, size_t *size, const char *line)
{
	size_t n = strlen(line);

	if (*len + n + 1 > *size) {
		*size = (*len + n + 1) * 2;
		*text = realloc(*text, *size);
	}
	memcpy(*text + *len, line, n + 1);
	*len += n;
}

static bool is_verbose(void)
{
	static int verbose = -1;

	if (verbose < 0)
		verbose = getenv("SIM_VERBOSE") != NULL;
	return verbose;
}

void tell(const struct world *w, const char *format, ...)
{
	va_list args;

	if (!is_verbose())
		return;
	printf("         WORLD [%6llu] ", (unsigned long long)now_ms(w));
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

static void world_trace(void *arg, uint64_t now_ns, const char *sentence)
{
	struct world *w = arg;
	char line[320];

	oracle_check(w, now_ns == w->now_ns, "the trace has another time");
	snprintf(line, sizeof(line), "[%6llu] %s\n", (unsigned long long)now_ms(w), sentence);
	append(&w->trace, &w->trace_len, &w->trace_size, line);
	if (is_verbose())
		fputs(line, stdout);
}

/* Each event has the next number, and the path of which it tells is named. */
static void take_event(struct world *w, const struct mpath_notice *notice)
{
	unsigned int nr_lost;
	char text[320];
	struct strbuf line;

	if (notice->summary) {
		oracle_check(w, !notice->sequence && !notice->quiet, "a summary is no event");
		if (sscanf(notice->text, "%u line", &nr_lost) == 1) {
			w->last_notice_seq += nr_lost; /* there was no room for them */
			oracle_missed_events(w);
		}
		return;
	}
	oracle_check(w, notice->sequence == ++w->last_notice_seq, "notice %llu comes after %llu",
		     (unsigned long long)notice->sequence,
		     (unsigned long long)w->last_notice_seq - 1);
	oracle_check(w, notice->has_path == (notice->path[0] != '\0'), "a path without a name");
	oracle_event(w, notice);
	strbuf_init(&line, text, sizeof(text));
	strbuf_printf(&line, "%s", mpath_notice_name(notice->kind));
	if (notice->has_path)
		strbuf_printf(&line, " %s", notice->path);
	if (notice->group)
		strbuf_printf(&line, " group %u", notice->group);
	strbuf_printf(&line, "\n");
	append(&w->told, &w->told_len, &w->told_size, text);
}

static void take_notices(struct world *w)
{
	struct mpath_notice notice;
	char line[600];

	while (mpath_next_notice(w->m, &notice)) {
		take_event(w, &notice);
		if (notice.quiet)
			continue;
		snprintf(line, sizeof(line), "[%6llu] %s: %s\n", (unsigned long long)now_ms(w),
			 notice.has_path ? notice.path : mpath_name(w->m), notice.text);
		append(&w->notices, &w->notices_len, &w->notices_size, line);
		if (is_verbose())
			printf("         NOTICE %s", line);
	}
}

/* --- a world's life --- */

struct mpath_table *parse_table(struct world *w, const char *words)
{
	struct mpath_table *table = NULL;
	struct strbuf error;
	unsigned int i;

	strbuf_init(&error, w->text, sizeof(w->text));
	if (mpath_table_parse(words, &table, &error))
		fail_at(w, __FILE__, __LINE__, "table: %s", w->text);
	table->find_hw_handler = w->lists_paths;
	for (i = 0; i < table->nr_groups; i++)
		table->groups[i].selector = oracle_selector(table->groups[i].selector);
	return table;
}

static void add_paths(struct world *w)
{
	struct mpath_table *table = parse_table(w, w->table);
	unsigned int g, i;

	for (g = 0; g < table->nr_groups; g++)
		for (i = 0; i < table->groups[g].nr_paths; i++)
			sim_path_add(w, table->groups[g].paths[i].address, g);
	mpath_table_free(table);
}

/*
 * Of which most worlds use few: pages that nobody touches cost nothing.  Those that were touched
 * cost a page fault each, and one world follows the other: the last one's are cleared and used
 * again.
 */
static struct {
	struct sim_io *ios;
	struct sim_event *events;
} spare;

static void *many(struct world *w, size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	oracle_check(w, p != MAP_FAILED, "not enough memory for a world");
	return p;
}

static void take_arrays(struct world *w)
{
	w->ios = spare.ios ? spare.ios : many(w, SIM_IOS_MAX * sizeof(*w->ios));
	w->events = spare.events ? spare.events : many(w, SIM_EVENTS_MAX * sizeof(*w->events));
	spare.ios = NULL;
	spare.events = NULL;
}

static void give_arrays(struct world *w)
{
	if (spare.ios) { /* of two worlds at once */
		munmap(w->ios, SIM_IOS_MAX * sizeof(*w->ios));
		munmap(w->events, SIM_EVENTS_MAX * sizeof(*w->events));
		return;
	}
	memset(w->ios, 0, w->nr_ios * sizeof(*w->ios));
	spare.ios = w->ios;
	spare.events = w->events; /* each is written whole when it is added */
}

struct world *world_new(const char *table)
{
	extern const struct path_checker_type tur_checker;
	struct world *w = calloc(1, sizeof(*w));
	unsigned int i;

	w->now_ns = SIM_EPOCH;
	w->table = strdup(table);
	take_arrays(w);
	append(&w->trace, &w->trace_len, &w->trace_size, "");
	append(&w->notices, &w->notices_len, &w->notices_size, "");
	for (i = 0; i < SIM_LUNS_MAX; i++)
		sim_lun_init(&w->luns[i], i + 1);
	mpath_settings_init(&w->settings);
	w->settings.checker = &tur_checker;
	w->settings.fence = FENCE_NONE; /* most stories are about something else */
	oracle_new(w);
	add_paths(w);
	w->nr_table_paths = w->nr_paths;
	return w;
}

/* As the administrator has left it. */
static struct mpath_table *table_file(struct world *w)
{
	struct mpath_table *table = parse_table(w, w->table), *edited;
	unsigned int groups[SIM_PATHS_MAX], g, n, i = 0;
	bool is_edited = false;
	struct strbuf error;

	for (g = 0; g < table->nr_groups; g++)
		for (n = 0; n < table->groups[g].nr_paths; n++, i++) {
			is_edited |= w->paths[i].not_in_table;
			groups[i] = w->paths[i].not_in_table ? 0 : g + 1;
		}
	if (!is_edited)
		return table;
	strbuf_init(&error, w->text, sizeof(w->text));
	if (mpath_table_regroup(table, groups, NULL, 0, &edited, &error))
		fail_at(w, __FILE__, __LINE__, "table: %s", w->text);
	mpath_table_free(table);
	return edited;
}

static void meet_paths(struct world *w)
{
	unsigned int i, nr = 0;

	for (i = 0; i < w->nr_table_paths; i++) {
		struct sim_path *p = &w->paths[i];

		if (p->not_in_table)
			continue;
		p->path = mpath_path(w->m, nr++);
		p->path->transport_data = p;
	}
	oracle_check(w, !mpath_path(w->m, nr), "more paths than the table has");
}

void world_start(struct world *w)
{
	struct mpath_event timeout = {.type = MPATH_TIMEOUT};
	struct mpath_event backstore = {.type = MPATH_BACKSTORE, .backstore = &w->backstore};
	struct mpath_table *table = table_file(w);
	struct strbuf error;

	strbuf_init(&error, w->text, sizeof(w->text));
	w->m = mpath_create("mpatha", table, &w->settings, w->kept.known ? &w->kept : NULL, &error);
	oracle_check(w, w->m, "mpath_create: %s", w->text);
	if (w->kept.known && !mpath_lun(w->m)->known)
		oracle_lun_forgotten(w); /* the settings name another one */
	world_recall(w);
	mpath_table_free(table);
	meet_paths(w);
	mpath_set_trace(w->m, world_trace, w);
	if (w->has_backstore)
		world_step(w, &backstore);
	w->start_ns = w->now_ns;
	w->longest_transit_ms = w->memory.nr_disks ? w->memory.transit_ms : 0;
	world_step(w, &timeout);
}

void world_up(struct world *w)
{
	world_start(w);
	advance(w, 100);
	while (!mpath_settled(w->m) && now_ms(w) < 60000)
		advance(w, 100);
	forget_trace(w);
}

void world_end(struct world *w)
{
	unsigned int i;

	for (i = 0; i < w->nr_paths; i++) {
		struct sim_path *p = &w->paths[i];

		p->open_hangs = false;
		set_io_mode(p, MODE_UP, 0);
		set_mode(p, p->mode == MODE_HUNG ? MODE_UP : p->mode);
	}
	if (!w->stopping)
		stop_world(w);
	/* A lost UNMAP may land for its time-out after the kernel has given it up. */
	for (i = 0; i < 30000 && !w->stopped; i++)
		advance(w, 100);
	for (i = 0; i < w->nr_paths; i++)
		sim_late_drop_session(&w->paths[i]);
	if (w->ring)
		sim_ring_end(w);
	oracle_ended(w);
	mpath_destroy(w->m);
	oracle_free(w);
	free(w->table);
	give_arrays(w);
	if (w->areas)
		munmap(w->areas, (size_t)SIM_IOS_MAX * SIM_AREA_BYTES);
	free(w->trace);
	free(w->notices);
	free(w->told);
	free(w);
}

/* --- events --- */

struct sim_event *sim_event_add(struct world *w, enum sim_event_type type, struct sim_path *p,
				struct mpath_io *io, uint64_t due_ns)
{
	struct sim_event *e = &w->events[w->nr_events++];

	oracle_check(w, w->nr_events < SIM_EVENTS_MAX, "too many events");
	*e = (struct sim_event){
		.type = type, .due_ns = due_ns, .seq = ++w->seq, .path = p, .io = io};
	return e;
}

static struct sim_event *next_event(struct world *w)
{
	struct sim_event *next = NULL;
	unsigned int i;

	for (i = 0; i < w->nr_events; i++) {
		struct sim_event *e = &w->events[i];

		if (e->due_ns && (!next || e->due_ns < next->due_ns ||
				  (e->due_ns == next->due_ns && e->seq < next->seq)))
			next = e;
	}
	return next;
}

struct sim_event *sim_event_of(struct world *w, const struct mpath_io *io)
{
	unsigned int i;

	for (i = 0; i < w->nr_events; i++)
		if (w->events[i].io == io)
			return &w->events[i];
	return NULL;
}

void sim_event_remove(struct world *w, struct sim_event *e)
{
	*e = w->events[--w->nr_events];
}

static void fire(struct world *w, struct sim_event *from)
{
	struct mpath_event event = {0};
	struct sim_event e = *from;
	struct path_facts facts;

	sim_event_remove(w, from);
	if (e.type == SIM_LATE) {
		sim_late_due(w, e.late);
		return;
	}
	if (e.type == SIM_TICK) {
		sim_ring_tick(w);
		return;
	}
	event.path = e.path->path;
	event.io = e.io;
	switch (e.type) {
	case SIM_COMMAND:
		event.type = MPATH_END_IO;
		sim_path_answer(e.path, &e);
		break;
	case SIM_ABANDONED:
		event.type = MPATH_ABANDONED;
		sim_path_let_go(e.path, e.io);
		break;
	case SIM_OPENED:
		event.reason = sim_path_open(e.path, &facts);
		event.type = event.reason ? MPATH_PATH_REFUSED : MPATH_PATH_OPENED;
		if (!event.reason)
			event.facts = &facts;
		break;
	case SIM_CLOSED:
		event.type = MPATH_PATH_CLOSED;
		sim_path_close(e.path);
		break;
	case SIM_COUNTED:
		event.type = MPATH_PATH_COUNTED;
		event.outstanding = sim_path_count(e.path, &e, &event.errors);
		break;
	case SIM_RESET:
		event.type = MPATH_PATH_RESET;
		event.reset_error = sim_path_reset(e.path, e.sent_ns);
		break;
	case SIM_SESSION:
		event.type = MPATH_PATH_SESSION;
		event.session = sim_path_session(e.path, e.sent_ns);
		break;
	case SIM_LATE:
	case SIM_TICK:
		return; /* nobody hears of it */
	}
	world_step(w, &event);
}

/* The array does not wait for us; but its answers are read when the loop goes on, in order. */
static void hold_up(struct world *w, struct sim_event *e, uint64_t until_ns)
{
	if (e->type == SIM_COMMAND && !e->executed)
		sim_path_run(e->path, e);
	w->counts.held_up++;
	e->due_ns = until_ns;
	e->seq = ++w->seq;
}

void stand_still(struct world *w, uint64_t ms)
{
	uint64_t since_ns = w->now_ns, until_ns = since_ns + ms * NSEC_PER_MSEC;
	struct sim_event *e;

	tell(w, "the loop stands still for %llu ms", (unsigned long long)ms);
	while ((e = next_event(w)) && e->due_ns < until_ns) {
		if (e->due_ns > w->now_ns)
			w->now_ns = e->due_ns;
		if (e->type == SIM_LATE)
			fire(w, e);
		else
			hold_up(w, e, until_ns);
	}
	w->now_ns = until_ns;
	w->steps_at_once = 0;
	w->counts.standstills++;
	oracle_stood_still(w, until_ns - since_ns);
}

void advance(struct world *w, uint64_t ms)
{
	advance_us(w, 1000 * ms);
}

void advance_us(struct world *w, uint64_t us)
{
	uint64_t until = w->now_ns + us * 1000;

	if (w->ring && w->m)
		sim_ring_run(w);
	for (;;) {
		struct mpath_event timeout = {.type = MPATH_TIMEOUT};
		struct sim_event *e = next_event(w);
		uint64_t at = e ? e->due_ns : UINT64_MAX;
		uint64_t wake_at = w->wake_ns + w->wake_late_ns;
		bool wake = w->wake_ns && wake_at <= at;

		if (wake)
			at = wake_at;
		if (at > until)
			break;
		if (at > w->now_ns) {
			w->now_ns = at;
			w->steps_at_once = 0;
		}
		oracle_check(w, w->steps_at_once++ < SIM_STEPS_AT_ONCE_MAX, "livelock");
		if (wake)
			world_step(w, &timeout);
		else
			fire(w, e);
	}
	if (until > w->now_ns) {
		w->now_ns = until;
		w->steps_at_once = 0;
	}
	if (w->m)
		oracle_stepped(w);
}

/* --- actions --- */

static struct sim_path *path_of_action(struct list *node)
{
	return container_of(node, struct path, action_node)->transport_data;
}

static void perform_start(struct world *w, struct mpath_io *io)
{
	struct sim_path *p;

	oracle_check(w, io->path, "a command is started on no path");
	p = io->path->transport_data;
	oracle_check(w, p->is_open, "a command is started on %s, which is not open", p->name);
	oracle_check(w, !io->abandoned, "a command is started and abandoned in one step");
	sim_path_submit(p, io);
}

/* Workers may have to wait for others, or for the kernel. */
uint64_t sim_work_ns(struct world *w)
{
	return w->work_ns ? w->work_ns(w) : SIM_LATENCY;
}

static void perform_abandon(struct world *w, struct mpath_io *io)
{
	struct sim_event *e = sim_event_of(w, io);

	oracle_check(w, e && e->type == SIM_COMMAND, "what is abandoned is not on a path");
	oracle_check(w, io->is_probe || io->cmd.class == CMD_READ, "a write is abandoned");
	oracle_check(w, e->path->carried.next->prev == &e->path->carried,
		     "a command was torn out of its transport's list");
	e->type = SIM_ABANDONED;
	e->due_ns = w->now_ns + sim_work_ns(w);
}

void world_complete(struct world *w, struct mpath_io *mio)
{
	struct sim_io *io = mio->owner;

	oracle_check(w, !mio->is_probe, "a probe is answered to nobody");
	if (w->ring)
		sim_ring_answer(w, io);
	else
		world_answered(w, io);
}

uint8_t *sim_area(const struct world *w, const struct sim_io *io)
{
	return w->areas + (size_t)io->id * SIM_AREA_BYTES;
}

static void take_pieces(struct world *w, struct sim_io *io)
{
	const struct scsi_cmd *cmd = &io->io.cmd;

	sim_check_gaps(w, io, sim_area(w, io), io->iov, cmd->iov_cnt);
	if (cmd->dir == SCSI_DATA_IN)
		sim_gather(io->iov, cmd->iov_cnt, io->buf);
}

void world_cut_buffers(struct world *w)
{
	if (!w->ring)
		w->areas = many(w, (size_t)SIM_IOS_MAX * SIM_AREA_BYTES);
}

/* Its memory is another command's by now: what was there leads nowhere. */
static void forget_links(struct mpath_io *io)
{
	memset(&io->node, 0xa5, sizeof(io->node));
	memset(&io->flight, 0xa5, sizeof(io->flight));
	memset(&io->path, 0xa5, sizeof(io->path));
	memset(&io->older, 0xa5, sizeof(io->older));
	memset(&io->leg, 0xa5, sizeof(io->leg));
	memset(&io->next_twice, 0xa5, sizeof(io->next_twice));
}

void world_answered(struct world *w, struct sim_io *io)
{
	tell(w, "io %u is answered, status %02x", io->id, io->io.result.status);
	io->answered_ns = w->now_ns;
	if (w->areas)
		take_pieces(w, io);
	oracle_answered(w, io);
	io->state = SIM_IO_ANSWERED;
	forget_links(&io->io);
}

/* The clock was read for the step, and is not read again before its actions are done. */
static void fall_behind(struct world *w)
{
	uint64_t ms = w->falls_behind_ms ? w->falls_behind_ms(w) : 0;

	if (!ms)
		return;
	stand_still(w, ms);
	w->counts.late_sends++;
}

static void perform(struct world *w, struct mpath_actions *a)
{
	struct list *node;

	while ((node = list_pop(&a->open)))
		sim_path_begin_open(path_of_action(node));
	while ((node = list_pop(&a->count)))
		sim_path_begin_count(path_of_action(node));
	while ((node = list_pop(&a->reset))) {
		fall_behind(w);
		sim_path_begin_reset(container_of(node, struct path, reset_node)->transport_data);
	}
	while ((node = list_pop(&a->session)))
		sim_path_begin_ask(container_of(node, struct path, session_node)->transport_data);
	while ((node = list_pop(&a->start))) {
		fall_behind(w);
		perform_start(w, container_of(node, struct mpath_io, node));
	}
	while ((node = list_pop(&a->abandon)))
		perform_abandon(w, container_of(node, struct mpath_io, node));
	while ((node = list_pop(&a->close)))
		sim_path_begin_close(path_of_action(node));
	while ((node = list_pop(&a->complete)))
		world_complete(w, container_of(node, struct mpath_io, node));
	if (w->ring)
		sim_ring_flush(w);
	while ((node = list_pop(&a->gone)))
		sim_path_gone(w, path_of_action(node));
	w->wake_ns = a->wake_ns;
	w->nr_lun_changes += a->lun_changed;
	if (a->forget_wwid) {
		w->nr_forgets++;
		oracle_lun_forgotten(w);
	}
	w->nr_memory_changes += a->memory_changed;
	w->nr_group_changes += a->group_changed;
	w->nr_fences_moved += a->fence_moved;
	w->nr_fences_over += a->fence_over;
	w->nr_disks_used += a->disk_used;
	w->nr_disks_left += a->disk_left;
	world_keep(w, a);
	oracle_check(w, !a->stopped || w->stopping, "stopped, but nobody asked for it");
	w->stopped = a->stopped;
}

void world_step(struct world *w, struct mpath_event *event)
{
	struct mpath_actions actions;

	mpath_actions_init(&actions);
	event->now_ns = w->now_ns;
	oracle_stepping(w);
	if (w->before)
		w->before(w, event);
	mpath_step(w->m, event, &actions);
	mpath_check_invariants(w->m);
	if (w->after)
		w->after(w, event, &actions);
	take_notices(w);
	perform(w, &actions);
	oracle_stepped(w);
	if (actions.regroup)
		regroup_by_policy(w);
}
