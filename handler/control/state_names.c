// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The words for states that D-Bus and JSON use
 */
#include "control/state_names.h"

const char *map_state_name(enum map_state state)
{
	switch (state) {
	case MAP_ACTIVE:
		return "active";
	case MAP_QUEUEING:
		return "queueing";
	case MAP_FAILING:
		return "failing";
	case MAP_SUSPENDED:
		return "suspended";
	case MAP_STOPPING:
		return "stopping";
	}
	return "";
}

const char *group_state_name(enum group_state state)
{
	switch (state) {
	case GROUP_ACTIVE:
		return "active";
	case GROUP_ENABLED:
		return "enabled";
	case GROUP_DISABLED:
		return "disabled";
	}
	return "";
}

const char *path_state_name(enum path_state state)
{
	switch (state) {
	case PATH_ACTIVE:
		return "active";
	case PATH_IN_DOUBT:
		return "in-doubt";
	case PATH_FAILED:
		return "failed";
	case PATH_FAILED_BY_MESSAGE:
		return "failed-by-message";
	case PATH_EXCLUDED:
		return "excluded";
	}
	return "";
}
