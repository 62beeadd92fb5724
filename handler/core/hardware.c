/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The map has met its LUN: what does the hardware table say of such an array?
 *
 * It only fills in what the map has left open.  Settings as they were said are kept, since the LUN
 * may be another one after forget_wwid.
 */
#include <fnmatch.h>

#include "core/multipath.h"
#include "mpath/scsi.h"

/* --- the table --- */

const struct hardware_rule *hardware_find(const struct hardware_table *table,
					  const uint8_t *inquiry, size_t len)
{
	char vendor[9], product[17];
	unsigned int i;

	if (!table || len < 32)
		return NULL;
	scsi_copy_text(vendor, sizeof(vendor), inquiry + 8, 8);
	scsi_copy_text(product, sizeof(product), inquiry + 16, 16);
	for (i = 0; i < table->nr_rules; i++) {
		const struct hardware_rule *rule = &table->rules[i];

		if (rule->wants_tpgs && !(inquiry[5] & 0x30))
			continue;
		if (fnmatch(rule->vendor, vendor, 0) == 0 &&
		    fnmatch(rule->product, product, 0) == 0)
			return rule;
	}
	return NULL;
}

/* --- the map --- */

/* What a message has set stays. */
static void set_queueing(struct multipath *m, bool queue)
{
	bool queues = m->queue_if_no_path || m->saved_queue_if_no_path;

	if (queues == m->queue_in_table) {
		m->queue_if_no_path = queue;
		m->saved_queue_if_no_path = false;
	}
	m->queue_in_table = queue;
}

static void take_patience(struct multipath *m, const struct hardware_rule *rule)
{
	uint32_t limit_ms = rule->no_path_retries * m->settings.polling_interval_ms;

	set_queueing(m, rule->queue_if_no_path);
	m->settings.no_path_timeout_read_ms = limit_ms;
	m->settings.no_path_timeout_write_ms = limit_ms;
}

static void take_activation(struct multipath *m, const struct hardware_rule *rule,
			    unsigned int says)
{
	if (says & HARDWARE_PG_INIT_RETRIES)
		m->pg_init_retries = rule->pg_init_retries;
	if (says & HARDWARE_PG_INIT_DELAY)
		m->pg_init_delay_msecs = (int)rule->pg_init_delay_msecs;
}

static void take_policy(struct mpath_policy *policy, const struct mpath_policy *said,
			unsigned int says)
{
	if (says & HARDWARE_PRIO)
		policy->prio = said->prio;
	if (says & HARDWARE_GROUPING)
		policy->grouping = said->grouping;
	if (says & HARDWARE_FAILBACK) {
		policy->failback = said->failback;
		policy->failback_s = said->failback_s;
	}
	if (says & (HARDWARE_PRIO | HARDWARE_GROUPING | HARDWARE_FAILBACK))
		policy->on = true;
}

/* HARDWARE_ bits of what it has filled in. */
static unsigned int filled_in(const struct multipath *m)
{
	return m->hardware_rule ? m->hardware_rule->says & m->settings.left_open : 0;
}

static void take_rule(struct multipath *m, const struct hardware_rule *rule)
{
	unsigned int says = filled_in(m);

	trace(m, "hardware: %s", rule->name);
	if (says)
		notice(m, NOTICE_OTHER, NULL, "the array is [%s] of the hardware table",
		       rule->name);
	if (says & HARDWARE_CHECKER)
		m->settings.checker = rule->checker;
	if (says & HARDWARE_NO_PATH_RETRY)
		take_patience(m, rule);
	take_activation(m, rule, says);
	take_policy(&m->settings.policy, &rule->policy, says);
	doubt_groups(m);
}

void meet_hardware(struct multipath *m, const struct lun_facts *lun)
{
	if (m->hardware_met)
		return;
	m->hardware_met = true;
	m->hardware_rule = hardware_find(m->hardware, lun->inquiry, lun->inquiry_len);
	if (m->hardware_rule)
		take_rule(m, m->hardware_rule);
}

void forget_hardware(struct multipath *m)
{
	m->hardware_met = false;
	m->hardware_rule = NULL;
	m->settings = m->said;
	m->pg_init_retries = m->table->pg_init_retries;
	m->pg_init_delay_msecs = m->table->pg_init_delay_msecs;
	if (m->queue_in_table != m->table->queue_if_no_path)
		set_queueing(m, m->table->queue_if_no_path);
}

/* Does a rule say which handler?  Then also that there is none: NULL. */
bool hardware_names_handler(const struct multipath *m, const struct hw_handler_type **type)
{
	if (!(filled_in(m) & HARDWARE_HW_HANDLER))
		return false;
	*type = m->hardware_rule->hw_handler;
	return true;
}

void hardware_detail(const struct multipath *m, struct strbuf *out)
{
	if (filled_in(m))
		strbuf_printf(out, "  hardware table: [%s]\n", m->hardware_rule->name);
}
