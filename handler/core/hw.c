/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The map's hardware handler: which one, to which paths it is attached, what it makes of a sense,
 * and the states of target port groups, asked for anew when the array says that they changed.
 */
#include <string.h>

#include "core/multipath.h"
#include "core/registry.h"
#include "core/verdict.h"
#include "mpath/scsi.h"

/* Many commands hear of one change: their refreshes become one (scsi_dh_alua's RTPG_DELAY). */
#define REFRESH_DELAY_NS (5 * NSEC_PER_MSEC)

/* While a group is in transition its state is asked for that often. */
#define REFRESH_POLL_NS (1 * NSEC_PER_SEC)
/* No path has time for it: each is being checked, or waits for the array. */
#define REFRESH_BUSY_NS (100 * NSEC_PER_MSEC)

/* --- which handler --- */

static bool may_find(const struct mpath_table *table)
{
	return table->find_hw_handler || table->retain_attached_hw_handler;
}

bool may_have_hw_handler(const struct multipath *m)
{
	return m->hw.type || may_find(m->table);
}

/*
 * As in the kernel, where an array's own handler is attached when its disks are found: it wins over
 * the one in the table, whose words are dropped then.  If the table names none, it is used where
 * the table, or a list of paths, asks for it.  For a list the hardware table may know better.
 */
static const struct hw_handler_type *handler_for(const struct multipath *m,
						 const struct lun_facts *seen)
{
	const struct mpath_table *table = m->table;
	const struct hw_handler_type *found = hw_handler_detect(seen->inquiry, seen->inquiry_len);

	if (table->find_hw_handler && hardware_names_handler(m, &found))
		return found;
	return found && (table->hw_handler || may_find(table)) ? found : table->hw_handler;
}

/* The first path that is attached decides for all: they lead to one LUN. */
static void choose_handler(struct multipath *m, const struct lun_facts *seen)
{
	const struct hw_handler_type *found = handler_for(m, seen);

	if (found == m->hw.type || !list_empty(&m->hw.paths))
		return;
	if (!found)
		notice(m, NOTICE_OTHER, NULL, "the array needs no hardware handler");
	else if (m->hw.type)
		notice(m, NOTICE_OTHER, NULL,
		       "the array has hardware handler %s: it is used instead of %s", found->name,
		       m->hw.type->name);
	else
		notice(m, NOTICE_OTHER, NULL, "hardware handler %s", found->name);
	m->hw.type = found;
	m->hw.flags = 0;
}

bool hw_attach(struct multipath *m, struct path *path, struct strbuf *reason)
{
	const struct lun_facts *seen = &path->seen;
	bool was_away = list_empty(&path->hw_node) && path->tpg.state_known;
	bool may_tell = m->states_owed && !path->active;

	hw_detach(path);
	meet_hardware(m, seen);
	choose_handler(m, seen);
	if (!m->hw.type)
		return true;
	strbuf_printf(reason, "error attaching hardware handler: ");
	memset(path->hw_data, 0, m->hw.type->path_size);
	if (!m->hw.type->attach(&m->hw, path, seen->inquiry, seen->inquiry_len, reason))
		return false;
	list_push_back(&m->hw.paths, &path->hw_node);
	if (was_away || may_tell)
		want_refresh(m); /* the state that is known may have changed unseen */
	return true;
}

/* Or there was none. */
void hw_conversation_over(struct path *path)
{
	struct hw_handler *hh = &path->m->hw;

	if (!list_empty(&path->hw_node) && hh->type->end)
		hh->type->end(hh, path);
}

void hw_detach(struct path *path)
{
	hw_conversation_over(path);
	list_del(&path->hw_node);
	path->hw_explicit = false;
	path->passive = false;
}

/* The table's words for it; those of a table without paths may be wrong, and do not matter. */
static void take_words(struct multipath *m)
{
	const struct mpath_table *table = m->table;
	const char *expected;

	m->hw.flags = 0;
	if (table->hw_argc && m->hw.type->set_params && m->hw.type == table->hw_handler)
		m->hw.type->set_params(&m->hw, table->hw_argc, (const char *const *)table->hw_argv,
				       &expected);
}

static void leave_handler(struct multipath *m, struct path *path)
{
	hw_conversation_over(path);
	list_del(&path->hw_node);
	path->hw_explicit = false;
	if (path->probing == PROBE_ACTIVATE || path->probing == PROBE_REFRESH)
		abandon_probe(m, path);
}

/*
 * Another table has come.  Paths keep the handler that they have, if it is the table's, too.  One
 * without paths has what it names, as in dm.
 */
void hw_take_table(struct multipath *m)
{
	const struct hw_handler_type *type = m->table->hw_handler;
	bool no_paths = !m->nr_groups && !m->table->find_hw_handler;
	struct path *path, *next;

	if (!list_empty(&m->hw.paths) && !no_paths) {
		path = list_first_entry(&m->hw.paths, struct path, hw_node);
		type = handler_for(m, &path->seen);
	}
	if (type != m->hw.type) {
		list_for_each_entry_safe(path, next, &m->hw.paths, hw_node)
			leave_handler(m, path);
		for_each_path(m, path)
			path->tpg.state_known = false; /* of one that was away, too */
		m->activating_path = NULL;
		m->refreshing = NULL;
		m->refresh_due_ns = 0;
		m->states_owed = false;
		m->hw.type = type;
	}
	if (m->hw.type)
		take_words(m);
}

/* After that: paths that were identified meet the new handler. */
void hw_reattach(struct multipath *m)
{
	struct path *path;

	for_each_path(m, path) {
		bool passive = path->passive;

		if ((!path->identified && !passive) || path->link != LINK_OPEN ||
		    !list_empty(&path->hw_node))
			continue;
		if (!attach_hw_handler(m, path) || !passive)
			continue;
		path->passive = true;
		if (!path->hw_explicit)
			exclude_path(m, path, "passive, and no hardware handler can activate it");
	}
}

/* --- what a sense means --- */

/* What the hardware handler knows of it. */
static enum hw_sense_opinion opinion_of(const struct multipath *m, const struct scsi_result *result)
{
	const struct hw_handler_type *type = m->hw.type;
	struct scsi_sense sense;

	if (!type || !type->check_sense || !scsi_result_sense(result, &sense) || sense.deferred)
		return HW_NO_OPINION;
	return type->check_sense(&sense);
}

static struct verdict verdict_of(struct multipath *m, enum hw_sense_opinion opinion,
				 struct verdict generic)
{
	switch (opinion) {
	case HW_NO_OPINION:
		return generic;
	case HW_SENSE_TRANSITIONING:
		want_refresh(m);
		return (struct verdict){IO_TRANSITIONING, false, "port group in transition"};
	case HW_SENSE_STATE_CHANGED:
		want_refresh(m);
		return generic;
	case HW_SENSE_FAIL_PATH:
		return (struct verdict){IO_PATH_FAILED, false, "passive"};
	case HW_SENSE_ANSWER:
		return (struct verdict){IO_DONE, true, "answered"};
	}
	return generic;
}

/*
 * A reset, or the loss of a nexus, ends reservations.  As long as the initiators' are LIO's, that
 * is nobody's business but the array's; whose are the array's must hear of it, before anything of
 * his is carried out without them.
 */
struct verdict judge_reset(const struct multipath *m, const struct scsi_result *result,
			   struct verdict verdict)
{
	if ((verdict.verdict == IO_RETRY || verdict.verdict == IO_REIDENTIFY) &&
	    m->array_reserves && tells_of_reset(result))
		return (struct verdict){IO_DONE, false,
					"a reset, and reservations are the array's"};
	return verdict;
}

/* The generic verdict, or what the hardware handler knows better. */
struct verdict judge_for(struct multipath *m, const struct scsi_result *result)
{
	struct verdict verdict = verdict_of(m, opinion_of(m, result), judge(result));

	return judge_reset(m, result, verdict);
}

/* --- states of port groups --- */

/* As the array has said. */
bool is_optimized(const struct path *path)
{
	return path->tpg.state_known && path->tpg.state == ALUA_OPTIMIZED;
}

/* Likewise, whatever the checker. */
bool is_in_transition(const struct path *path)
{
	return path->tpg.state_known && path->tpg.state == ALUA_TRANSITIONING;
}

/* All paths of a group have the same state: the first one tells it. */
void tell_port_groups(struct multipath *m)
{
	struct path *path, *other;

	list_for_each_entry(path, &m->hw.paths, hw_node) {
		uint8_t state = path->tpg.state_known ? (uint8_t)(path->tpg.state + 1) : 0;
		bool is_change = path->told_state;

		if (path->told_state == state)
			continue;
		if (m->nr_suspect)
			m->run_held = true; /* who waits for a transition may go elsewhere */
		trace(m, "port group %u: %s", path->tpg.id, scsi_alua_state_name(path->tpg.state));
		notice(m, NOTICE_OTHER, NULL, "target port group %u is %s", path->tpg.id,
		       scsi_alua_state_name(path->tpg.state));
		if (!is_change)
			not_for_the_log(m);
		list_for_each_entry(other, &m->hw.paths, hw_node)
			if (other->tpg.id == path->tpg.id)
				other->told_state = state;
		if (is_change)
			policy_state_changed(m, path);
	}
	doubt_groups(m);
}

static void refresh_at(struct multipath *m, uint64_t at_ns)
{
	if (!m->refresh_due_ns || at_ns < m->refresh_due_ns)
		m->refresh_due_ns = at_ns;
	wake_by(m, m->refresh_due_ns);
}

/* All paths may be asked once more. */
static void ask_anew(struct multipath *m, uint64_t delay_ns)
{
	struct path *path;

	if (m->stopping)
		return;
	list_for_each_entry(path, &m->hw.paths, hw_node)
		path->refresh_tried = path->refresh_told = false;
	m->too_busy_to_tell = false;
	refresh_at(m, m->now_ns + delay_ns);
}

/* The array says that states have changed: ask for them, once for all who heard it. */
void want_refresh(struct multipath *m)
{
	if (m->hw.type && m->hw.type->can_refresh)
		ask_anew(m, REFRESH_DELAY_NS);
}

/* By an activation.  It asks for the states itself, but some arrays tell it of their own only. */
void hear_of_states(struct multipath *m, const struct scsi_result *result)
{
	if (opinion_of(m, result) == HW_SENSE_STATE_CHANGED)
		want_refresh(m);
}

/*
 * The array lets nobody at the LUN for a while.  A handler that can ask for the states waits for
 * these to change.
 */
bool asks_for_patience(const struct multipath *m, const struct scsi_result *result)
{
	return opinion_of(m, result) == HW_SENSE_TRANSITIONING && !m->hw.type->can_refresh;
}

static bool somebody_has_told(const struct multipath *m)
{
	const struct path *path;

	list_for_each_entry(path, &m->hw.paths, hw_node)
		if (path->refresh_told)
			return true;
	return false;
}

/*
 * Through any path: mostly the answer tells of all groups; some arrays tell of those of the
 * controller that is asked, and then a path of the others is asked, too, if it works.  Each is
 * tried once, those last that failed.
 */
static struct path *path_to_ask(struct multipath *m, bool *busy)
{
	struct path *path, *failed = NULL;

	*busy = false;
	list_for_each_entry(path, &m->hw.paths, hw_node) {
		if (path->link != LINK_OPEN || path->refresh_tried || path->refresh_told)
			continue;
		if (path->probing != PROBE_NONE)
			*busy = true;
		else if (path->active)
			return path;
		else if (!failed)
			failed = path;
	}
	return somebody_has_told(m) ? NULL : failed;
}

bool any_in_transition(const struct multipath *m)
{
	const struct path *path;

	list_for_each_entry(path, &m->hw.paths, hw_node)
		if (path->tpg.state == ALUA_TRANSITIONING)
			return true;
	return false;
}

/*
 * No path could tell.  The array said that they have changed, and will not say so again: if it was
 * only too busy it is asked until it tells, else when a path has come back (hw_attach()).
 */
static void nobody_has_told(struct multipath *m, bool busy)
{
	struct path *path;

	if (m->too_busy_to_tell) {
		m->too_busy_to_tell = false;
		list_for_each_entry(path, &m->hw.paths, hw_node)
			path->refresh_tried &= !path->active;
		refresh_at(m, m->now_ns + REFRESH_POLL_NS);
	} else if (busy) {
		refresh_at(m, m->now_ns + REFRESH_BUSY_NS);
	} else if (!somebody_has_told(m)) {
		m->states_owed = true;
	} else if (any_in_transition(m)) {
		ask_anew(m, REFRESH_POLL_NS);
	}
}

void refresh_timeout(struct multipath *m)
{
	struct path *path;
	bool busy;

	if (!m->refresh_due_ns || m->refreshing)
		return;
	if (m->now_ns < m->refresh_due_ns) {
		wake_by(m, m->refresh_due_ns);
		return;
	}
	m->refresh_due_ns = 0;
	path = path_to_ask(m, &busy);
	if (!path) {
		nobody_has_told(m, busy);
		return;
	}
	path->refresh_tried = true;
	m->states_asked_ns = m->now_ns;
	m->refreshing = path;
	trace(m, "path %s: asked for the states of port groups", path_name(path));
	refresh_path(m, path);
}

/* HW_DONE: what it knows is told.  HW_RETRY: the array was too busy. */
void refreshed(struct multipath *m, enum hw_result result)
{
	struct path *asked = m->refreshing;
	bool busy;

	m->refreshing = NULL;
	if (result != HW_DONE) {
		m->too_busy_to_tell |= result == HW_RETRY;
		refresh_at(m, m->now_ns); /* another path may know */
		return;
	}
	if (asked)
		asked->refresh_told = true; /* also if its own group was not among them */
	m->states_owed = false;
	tell_port_groups(m);
	if (m->refresh_due_ns) /* for what somebody has heard meanwhile: then all are to tell it */
		ask_anew(m, m->refresh_due_ns > m->now_ns ? m->refresh_due_ns - m->now_ns : 0);
	else if (path_to_ask(m, &busy) || busy)
		refresh_at(m, m->now_ns);
	else if (any_in_transition(m))
		ask_anew(m, REFRESH_POLL_NS);
}
