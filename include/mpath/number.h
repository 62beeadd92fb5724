/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbers in tables and messages, as dm reads them: the whole word is decimal digits.  "1x", "+1",
 * "-1" and "0x1" are refused, "007" is 7.  Where the kernel lets a number that is too long for its
 * type wrap around (4294967297 is read as 1), we refuse it.
 */
#ifndef MPATH_NUMBER_H
#define MPATH_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

static inline bool parse_number(const char *word, uint64_t max, uint64_t *value)
{
	uint64_t sum = 0;
	const char *c;

	for (c = word; *c >= '0' && *c <= '9'; c++) {
		unsigned int digit = (unsigned int)(*c - '0');

		if (sum > (max - digit) / 10 || digit > max)
			return false;
		sum = sum * 10 + digit;
	}
	if (c == word || *c)
		return false;

	*value = sum;
	return true;
}

#endif
