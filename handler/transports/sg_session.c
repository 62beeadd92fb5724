/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * iSCSI sessions: what was sent in one is over when it was established anew.
 *
 * With iscsi_tcp three facts make that so.  (Adapters with an iSCSI of their own are left out.)
 *   libiscsi ends a command with an error of the transport, if it was sent at all, only when it has
 *     stopped the connection that it was sent on (iscsi_conn_stop), and never uses that again.
 *   It sends commands, and takes answers, only between a successful login and that stop.  So who
 *     is answered later is answered on another connection, after another login.
 *   Each login of open-iscsi's has TSIH 0 and an ISID made of the number of the kernel's session:
 *     with the same initiator name, target and portal group it is a session reinstatement (RFC 7143
 *     6.3.5), for which the target must close what there is of the old session.
 *
 * A target may redirect a login elsewhere, so all of that is looked at, and the address.
 */
#include "transports/sg_session.h"

#include <glib.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "transports/sysfs.h"

int sg_session_of(const char *disk, unsigned int host)
{
	char place[PATH_MAX], driver[32];
	const char *session;
	int number;

	if (!sysfs_place(disk, place))
		return -1;
	session = strstr(place, "/session");
	if (!session || sscanf(session, "/session%d/", &number) != 1)
		return -1;
	if (!sysfs_read(driver, sizeof(driver), "/sys/class/scsi_host/host%u/proc_name", host) ||
	    strcmp(driver, "iscsi_tcp") != 0)
		return -1;
	return number;
}

/* The address is that of the socket: it cannot be read while there is none. */
uint64_t sg_session_number(int session)
{
	static const char *const facts[][2] = {
		{"iscsi_session/session", "/initiatorname"},
		{"iscsi_session/session", "/targetname"},
		{"iscsi_session/session", "/tpgt"},
		{"iscsi_connection/connection", ":0/address"},
		{"iscsi_connection/connection", ":0/port"},
	};
	GChecksum *sum = g_checksum_new(G_CHECKSUM_SHA256);
	uint64_t number = 0;
	char text[256];
	size_t i;

	g_checksum_update(sum, (const guchar *)&session, sizeof(session));
	for (i = 0; i < G_N_ELEMENTS(facts); i++) {
		if (!sysfs_read(text, sizeof(text), "/sys/class/%s%d%s", facts[i][0], session,
				facts[i][1]))
			break;
		g_checksum_update(sum, (const guchar *)text, (gssize)strlen(text) + 1);
	}
	if (i == G_N_ELEMENTS(facts))
		number = g_ascii_strtoull(g_checksum_get_string(sum) + 48, NULL, 16);
	g_checksum_free(sum);
	return number;
}
