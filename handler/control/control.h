/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Control: how an administrator's tools reach the maps.  Nothing asked here can stall I/O, nor I/O
 * stall the one who asks (D12).
 */
#ifndef MPATH_CONTROL_H
#define MPATH_CONTROL_H

/*
 * Put the maps on D-Bus as org.tcmu.Mpath1, from a thread of its own, for the rest of the process's
 * life.  Returns at once and cannot fail: without a bus it keeps trying.  Once, before the first
 * device starts.
 */
void control_start(void);

#endif
