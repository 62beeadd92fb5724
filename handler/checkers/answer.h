/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an answer says about its path, whatever was asked: shared by all checkers.
 */
#ifndef MPATH_CHECKERS_ANSWER_H
#define MPATH_CHECKERS_ANSWER_H

#include "mpath/path_checker.h"

/* So often is a path asked in one conversation, whatever the reasons. */
#define CHECK_TRIES_MAX 5

/*
 * CHECK_ASK: it says nothing yet, ask again; if it was asked often enough, *at_the_end is the
 * result.
 */
enum check_result check_answer(const struct scsi_result *result, enum check_result *at_the_end);

/* Who reads a block finds it unreadable: that is the disk's fault, and the same on every path. */
bool check_medium_error(const struct scsi_result *result);

#endif
