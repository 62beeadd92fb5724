/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Status lines: INFO and TABLE as the kernel's dm-multipath prints them (dm-multipath.md A3, in
 * the 6.1 kernel's form, every word followed by a space), and a text for people.
 */
#include <inttypes.h>

#include "core/multipath.h"
#include "core/table_edit.h"
#include "mpath/scsi.h"
#include "mpath/version.h"

static unsigned int shown_group(const struct multipath *m)
{
	if (m->next_pg)
		return m->next_pg->number;
	if (m->current_pg)
		return m->current_pg->number;
	return m->nr_groups ? 1 : 0;
}

static char group_letter(const struct multipath *m, const struct priority_group *pg)
{
	switch (group_state(m, pg)) {
	case GROUP_ACTIVE:
		return 'A';
	case GROUP_ENABLED:
		return 'E';
	case GROUP_DISABLED:
		return 'D';
	}
	return 'E';
}

static void info(struct multipath *m, struct strbuf *out)
{
	struct priority_group *pg;
	struct path *path;

	strbuf_printf(out, "2 %u %u 0 %u %u ", m->queue_io, m->pg_init_count, m->nr_groups,
		      shown_group(m));
	for_each_group(m, pg) {
		struct path_selector *ps = &pg->selector;

		strbuf_printf(out, "%c ", group_letter(m, pg));
		ps->type->status(ps, NULL, STATUS_INFO, out);
		strbuf_printf(out, "%u %u ", pg->nr_paths, ps->type->info_args);
		list_for_each_entry(path, &pg->paths, node) {
			mpath_table_print_word(path_name(path), out);
			strbuf_printf(out, "%c %u ", path->active ? 'A' : 'F', path->fail_count);
			if (ps->type->info_args)
				ps->type->status(ps, path, STATUS_INFO, out);
		}
	}
}

void status_features(const struct multipath *m, struct strbuf *out)
{
	strbuf_printf(out, "%u",
		      m->queue_if_no_path + (m->pg_init_retries > 0) * 2u +
			      (m->pg_init_delay_msecs >= 0) * 2u + m->retain_attached_hw_handler +
			      (m->queue_mode == QUEUE_MODE_BIO) * 2u);
	if (m->queue_if_no_path)
		strbuf_printf(out, " queue_if_no_path");
	if (m->pg_init_retries)
		strbuf_printf(out, " pg_init_retries %u", m->pg_init_retries);
	if (m->pg_init_delay_msecs >= 0)
		strbuf_printf(out, " pg_init_delay_msecs %d", m->pg_init_delay_msecs);
	if (m->retain_attached_hw_handler)
		strbuf_printf(out, " retain_attached_hw_handler");
	if (m->queue_mode == QUEUE_MODE_BIO)
		strbuf_printf(out, " queue_mode bio");
}

/* dm forgets the words behind the name; here a table that is shown makes the same map. */
static void hw_handler_words(const struct multipath *m, struct strbuf *out)
{
	if (!m->hw.type)
		strbuf_printf(out, "0 ");
	else if (m->hw.type != m->table->hw_handler)
		strbuf_printf(out, "1 %s ", m->hw.type->name);
	else
		mpath_table_print_hw_handler(m->table, out);
}

static void table(struct multipath *m, struct strbuf *out)
{
	struct priority_group *pg;
	struct path *path;

	status_features(m, out);
	strbuf_printf(out, " ");
	hw_handler_words(m, out);
	strbuf_printf(out, "%u %u ", m->nr_groups, shown_group(m));
	for_each_group(m, pg) {
		struct path_selector *ps = &pg->selector;

		strbuf_printf(out, "%s ", ps->type->name);
		ps->type->status(ps, NULL, STATUS_TABLE, out);
		strbuf_printf(out, "%u %u ", pg->nr_paths, ps->type->table_args);
		list_for_each_entry(path, &pg->paths, node) {
			mpath_table_print_word(path_name(path), out);
			if (ps->type->table_args)
				ps->type->status(ps, path, STATUS_TABLE, out);
		}
	}
}

void mpath_status(struct multipath *m, enum status_type type, struct strbuf *out)
{
	switch (type) {
	case STATUS_INFO:
		info(m, out);
		return;
	case STATUS_TABLE:
		table(m, out);
		return;
	}
}

/* The kernel's own are of this version of its target (Linux 6.1). */
#define IMA_TARGET_VERSION "1.14.0"

/* Selectors say nothing here. */
static void path_ima(const struct path *path, unsigned int group, unsigned int number,
		     struct strbuf *out)
{
	strbuf_printf(out, ",path_name_%u_%u=%s", group, number, path_name(path));
	strbuf_printf(out, ",is_active_%u_%u=%c", group, number, path->active ? 'A' : 'F');
	strbuf_printf(out, ",fail_count_%u_%u=%u", group, number, path->fail_count);
	strbuf_printf(out, ",path_selector_status_%u_%u=", group, number);
}

void mpath_status_ima(const struct multipath *m, struct strbuf *out)
{
	struct path *path;
	unsigned int i, n;

	strbuf_printf(out, "target_name=multipath,target_version=%s,nr_priority_groups=%u",
		      IMA_TARGET_VERSION, m->nr_groups);
	for (i = 0; i < m->nr_groups; i++) {
		const struct priority_group *pg = &m->groups[i];

		strbuf_printf(out, ",pg_state_%u=%c", i, group_letter(m, pg));
		strbuf_printf(out, ",nr_pgpaths_%u=%u", i, pg->nr_paths);
		strbuf_printf(out, ",path_selector_name_%u=%s", i, pg->selector.type->name);
		n = 0;
		list_for_each_entry(path, &pg->paths, node)
			path_ima(path, i, n++, out);
	}
	strbuf_printf(out, ";");
}

static const char *path_state_words(const struct path *path)
{
	switch (path_state(path)) {
	case PATH_ACTIVE:
		return "active";
	case PATH_IN_DOUBT:
		return "in doubt";
	case PATH_FAILED:
		return "failed";
	case PATH_FAILED_BY_MESSAGE:
		return "failed by message";
	case PATH_EXCLUDED:
		return "excluded";
	}
	return "";
}

static void path_detail(const struct path *path, struct strbuf *out)
{
	strbuf_printf(out, "    %s", path->facts.device[0] ? path->facts.device : "-");
	strbuf_printf(out, " %s: %s", path_name(path), path_state_words(path));
	if (path->reason[0]) {
		strbuf_printf(out, ": %s", path->reason);
	} else if (path->demotion != NOT_DEMOTED) {
		strbuf_printf(out, ": ");
		demotion_reason(path, out);
		if (path->demotion == ON_TRIAL)
			strbuf_printf(out, " (on trial)");
	}
	strbuf_printf(out, " [%u in flight, failed %u time%s", path->in_flight, path->fail_count,
		      noun_s(path->fail_count));
	if (path->facts.read_only)
		strbuf_printf(out, ", read-only");
	if (path->foreign)
		strbuf_printf(out, ", has commands of a former process");
	if (path->kept_back)
		strbuf_printf(out, " that the kernel keeps back");
	if (path->tpg.state_known)
		strbuf_printf(out, ", target port group %u %s%s", path->tpg.id,
			      scsi_alua_state_name(path->tpg.state),
			      path->tpg.preferred ? " (preferred)" : "");
	strbuf_printf(out, "] %s\n", path->address);
}

void status_warning(const struct multipath *m, struct strbuf *out)
{
	uint32_t needed_s = mpath_time_out_short_s(m);

	if (mpath_queueing_defeated(m))
		strbuf_printf(out, "cmd_time_out limits queue_if_no_path: set it to 0");
	else if (needed_s)
		strbuf_printf(out,
			      "cmd_time_out is over before a lost write may be answered: set it to "
			      "at least %u",
			      needed_s);
}

static void activating_detail(const struct multipath *m, struct strbuf *out)
{
	unsigned int n = queue_length(&m->activating);

	if (n)
		strbuf_printf(out, "  %u command%s wait%s for the activation of a group\n", n,
			      noun_s(n), verb_s(n));
}

static const char *what_writes_wait_for(const struct multipath *m)
{
	if (m->nr_overdue)
		return "older ones that the kernel has answered, and that may still land";
	if (m->restart_over)
		return "older ones to the same blocks, which may have landed and are sent again";
	return "commands of a former process";
}

void status_writes_wait(const struct multipath *m, uint64_t now_ns, const char *between,
			struct strbuf *out)
{
	unsigned int n = queue_length(&m->restarting);
	struct strbuf reasons;
	char text[640];

	strbuf_init(&reasons, text, sizeof(text));
	restart_reasons(m, now_ns, between, &reasons);
	if (n)
		strbuf_printf(out, "%u write%s wait%s for %s", n, noun_s(n), verb_s(n),
			      what_writes_wait_for(m));
	if (text[0])
		strbuf_printf(out, "%s%s", n ? between : "", text);
	else if (n && !m->restart_over && !m->nr_overdue)
		strbuf_printf(out, ", at most %llu ms", restart_lasts_ms(m, now_ns));
}

static void queue_detail(struct multipath *m, uint64_t now_ns, struct strbuf *out)
{
	struct strbuf warning, waits;
	unsigned int nr_suspended;
	char text[128], why[768];

	strbuf_printf(out, "  commands: %u in flight, %u held, %u waiting for room, %u delayed\n",
		      m->nr_in_flight, queue_length(&m->held) + queue_length(&m->suspended),
		      queue_length(&m->backlog),
		      queue_length(&m->delayed) + queue_length(&m->activating));
	strbuf_printf(out, "  no path: %s, cmd_time_out %u s\n",
		      m->queue_if_no_path ? "queue" : "fail", m->backstore.cmd_time_out_ms / 1000);
	strbuf_init(&warning, text, sizeof(text));
	status_warning(m, &warning);
	if (text[0])
		strbuf_printf(out, "  warning: %s\n", text);
	activating_detail(m, out);
	nr_suspended = queue_length(&m->suspended);
	if (m->suspend != NOT_SUSPENDED)
		strbuf_printf(out, "  %s: %u command%s wait%s for resume\n",
			      m->suspend == SUSPENDED ? "suspended" : "being suspended",
			      nr_suspended, noun_s(nr_suspended), verb_s(nr_suspended));
	strbuf_init(&waits, why, sizeof(why));
	status_writes_wait(m, now_ns, "\n  ", &waits);
	if (why[0])
		strbuf_printf(out, "  %s\n", why);
	hedge_detail(m, out);
	fence_detail(m, now_ns, out);
}

void mpath_status_detail(struct multipath *m, uint64_t now_ns, struct strbuf *out)
{
	const struct priority_group *pg;
	struct path *path;

	strbuf_printf(out, "%s: ", m->name);
	if (m->lun.known)
		strbuf_printf(out, "%s, %" PRIu64 " blocks of %u bytes", m->lun.wwid,
			      m->lun.nr_blocks, m->lun.block_size);
	else
		strbuf_printf(out, "its LUN was never seen");
	strbuf_printf(out, " (tcmu-mpath %s, build %s)\n", MPATH_VERSION, MPATH_BUILD_ID);
	hardware_detail(m, out);
	queue_detail(m, now_ns, out);
	for_each_group(m, pg) {
		strbuf_printf(out, "  group %u: %s, %s\n", pg->number, pg->selector.type->name,
			      pg->bypassed ? "disabled"
					   : (pg == m->current_pg ? "active" : "enabled"));
		list_for_each_entry(path, &pg->paths, node)
			path_detail(path, out);
	}
	list_for_each_entry(path, &m->leaving, map_node)
		strbuf_printf(out, "  leaving: %s %s [%u in flight]\n",
			      path->facts.device[0] ? path->facts.device : "-", path_name(path),
			      path->in_flight);
}
