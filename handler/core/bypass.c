/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A bypassed group is used only if no other can be: a message has disabled it, or its array was
 * busy.  Each beginning and end of that is told.
 */
#include "core/multipath.h"

void set_bypass(struct multipath *m, struct priority_group *pg, bool bypassed, const char *told)
{
	pg->bypassed = bypassed;
	trace(m, "group %u: %s (%s)", pg->number, bypassed ? "bypassed" : "enabled", told);
	notice_group(m, bypassed ? NOTICE_GROUP_DISABLED : NOTICE_GROUP_ENABLED, pg, told);
}

/* If it is one. */
void lift_bypass(struct multipath *m, struct priority_group *pg, const char *told)
{
	if (!pg->bypassed)
		return;
	m->actions->memory_changed = true;
	set_bypass(m, pg, false, told);
}
