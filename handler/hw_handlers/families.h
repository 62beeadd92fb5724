/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Arrays by the vendor and product words of their standard INQUIRY data, as the kernel's SCSI
 * layer knows them: the data begins with the words.  And what the handlers of such families share.
 */
#ifndef MPATH_FAMILIES_H
#define MPATH_FAMILIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "mpath/hw_handler.h"

struct array_family {
	const char *vendor; /* NULL ends a table of them */
	const char *product;
};

static inline bool is_of_family(const struct array_family *family, const uint8_t *inquiry,
				size_t len)
{
	if (len < 32)
		return false;
	for (; family->vendor; family++)
		if (memcmp(inquiry + 8, family->vendor, strlen(family->vendor)) == 0 &&
		    memcmp(inquiry + 16, family->product, strlen(family->product)) == 0)
			return true;
	return false;
}

/* hw_handler_type.attach for arrays all of whose paths can be made usable by a command. */
static inline bool attach_explicit(struct hw_handler *hh, struct path *path, const uint8_t *inquiry,
				   size_t len, struct strbuf *reason)
{
	(void)hh;
	(void)inquiry;
	(void)len;
	(void)reason;

	path->hw_explicit = true;
	return true;
}

#endif
