/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An initiator's buffer in pieces, as they come from the ring: of odd lengths, in no order, with
 * something of somebody else's in between.
 */
#include <string.h>

#include "sim/lib/path.h"

#define SOMEBODY_ELSES 0xee

size_t sim_cut(struct world *w, uint8_t *area, size_t len, struct iovec *iov)
{
	uint8_t *front = area, *back = area + SIM_AREA_BYTES;
	size_t nr = 0, n;

	if (!len)
		return 0;
	memset(area, SOMEBODY_ELSES, w->piece ? SIM_AREA_BYTES : len);
	for (; len; len -= n, nr++) {
		n = w->piece && nr < SIM_PIECES_MAX - 1 ? w->piece(w, len) : len;
		if (nr % 2) {
			back -= n + 1;
			iov[nr] = (struct iovec){back, n};
		} else {
			iov[nr] = (struct iovec){front, n};
			front += n + 3;
		}
	}
	w->counts.in_pieces += nr > 1;
	return nr;
}

void sim_check_gaps(struct world *w, const struct sim_io *io, const uint8_t *area,
		    const struct iovec *iov, size_t cnt)
{
	uint8_t rest[SIM_AREA_BYTES];
	size_t i;

	if (!w->piece || !cnt)
		return;
	memcpy(rest, area, sizeof(rest));
	for (i = 0; i < cnt; i++)
		memset(rest + ((const uint8_t *)iov[i].iov_base - area), SOMEBODY_ELSES,
		       iov[i].iov_len);
	for (i = 0; i < sizeof(rest); i++)
		oracle_check(w, rest[i] == SOMEBODY_ELSES,
			     "io %u: byte %zu, which is not its own, was written to", io->id, i);
}
