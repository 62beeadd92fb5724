/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A bypassed group is used only if no other can be; of these the one whose array was busy the
 * longest ago.  Each beginning and end of that is told.
 *
 * A message has disabled it: that holds until another message, or until it is activated with
 * success, and over a restart.  Or its array was busy when it was to be activated: that is over
 * when a path of the group comes up, as multipathd has it, and not remembered.
 */
#include "core/multipath.h"

void set_bypass(struct multipath *m, struct priority_group *pg, bool bypassed, const char *told)
{
	pg->bypassed = bypassed;
	pg->bypassed_by_array = false;
	pg->busy_ns = 0;
	trace(m, "group %u: %s (%s)", pg->number, bypassed ? "bypassed" : "enabled", told);
	notice_group(m, bypassed ? NOTICE_GROUP_DISABLED : NOTICE_GROUP_ENABLED, pg, told);
}

/* If it is one. */
void lift_bypass(struct multipath *m, struct priority_group *pg, const char *told)
{
	if (!pg->bypassed)
		return;
	m->actions->memory_changed |= !pg->bypassed_by_array;
	set_bypass(m, pg, false, told);
}

/* What a message has said stays said. */
void bypass_busy_group(struct multipath *m, struct priority_group *pg)
{
	bool by_message = pg->bypassed && !pg->bypassed_by_array;

	set_bypass(m, pg, true, "the array is busy, bypassing");
	pg->bypassed_by_array = !by_message;
	pg->busy_ns = m->now_ns;
}

void bypass_path_up(struct multipath *m, struct priority_group *pg)
{
	if (pg->bypassed_by_array)
		lift_bypass(m, pg, "a path has come up, enabled");
}
