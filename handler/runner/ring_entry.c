// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reading and answering entries of the TCMU ring; see ring_entry.h.
 */
#include <assert.h>
#include <string.h>

#include "mpath/scsi.h"
#include "runner/ring_entry.h"

/* The kernel looks at the sense of a CHECK CONDITION only. */
#define RESPONSE_WITHOUT_SENSE offsetof(struct ring_response, sense)

static struct ring_mailbox *mailbox(const struct ring_view *view)
{
	return (struct ring_mailbox *)(void *)view->base;
}

static uint8_t *entry_bytes(const struct ring_view *view, uint32_t at)
{
	return view->base + view->ring_off + at;
}

bool ring_view_init(struct ring_view *view, void *base, size_t len)
{
	const struct ring_mailbox *mb = base;

	if (len < sizeof(*mb) || mb->version != RING_VERSION)
		return false;

	*view = (struct ring_view){
		.base = base,
		.len = len,
		.ring_off = mb->ring_off,
		.ring_size = mb->ring_size,
		.flags = mb->flags,
	};
	return view->ring_off >= sizeof(*mb) && view->ring_off % RING_ALIGN == 0 &&
	       view->ring_size >= sizeof(struct ring_response) &&
	       view->ring_size % RING_ALIGN == 0 && view->ring_off <= len &&
	       view->ring_size <= len - view->ring_off;
}

uint32_t ring_view_head(const struct ring_view *view)
{
	return __atomic_load_n(&mailbox(view)->head, __ATOMIC_ACQUIRE);
}

uint32_t ring_view_tail(const struct ring_view *view)
{
	return __atomic_load_n(&mailbox(view)->tail, __ATOMIC_ACQUIRE);
}

void ring_view_set_tail(const struct ring_view *view, uint32_t tail)
{
	__atomic_store_n(&mailbox(view)->tail, tail, __ATOMIC_RELEASE);
}

/* The kernel's table: what it has copied into the ring.  At least 8 bytes are readable. */
static size_t cdb_len_of(const uint8_t *cdb)
{
	static const uint8_t lens[8] = {6, 10, 10, 12, 16, 12, 10, 10}; /* by the opcode's group */

	return cdb[0] == 0x7f ? 8 + (size_t)cdb[7] : lens[cdb[0] >> 5];
}

/* Where the CDB lies, and how many bytes of the entry are there; NULL: not in the entry. */
static const uint8_t *entry_cdb(const struct ring_view *view, const struct ring_entry *entry,
				size_t *room)
{
	uint64_t start = (uint64_t)view->ring_off + entry->at;
	uint64_t cdb_off;

	memcpy(&cdb_off, entry_bytes(view, entry->at) + offsetof(struct ring_request, cdb_off),
	       sizeof(cdb_off));
	if (cdb_off < start + sizeof(struct ring_request) || cdb_off > start + entry->len)
		return NULL;
	*room = start + entry->len - cdb_off;
	return view->base + cdb_off;
}

/* A slot must hold a response; the CDB is padded to 8 bytes. */
static enum ring_entry_kind command_kind(const struct ring_view *view,
					 const struct ring_entry *entry)
{
	size_t room;

	if (entry->len < sizeof(struct ring_response) || !entry_cdb(view, entry, &room) || room < 8)
		return ENTRY_BROKEN;
	return ENTRY_CMD;
}

struct ring_entry ring_entry_at(const struct ring_view *view, uint32_t at, uint32_t head)
{
	struct ring_entry entry = {.kind = ENTRY_BROKEN, .at = at, .next = at};
	struct ring_header header;
	uint32_t room;

	if (at >= view->ring_size || head >= view->ring_size || at % RING_ALIGN)
		return entry;
	if (at == head) {
		entry.kind = ENTRY_NONE;
		return entry;
	}
	_Static_assert(sizeof(header) <= RING_ALIGN, "a header fits wherever an entry may begin");
	room = (head > at ? head : view->ring_size) - at;
	memcpy(&header, entry_bytes(view, at), sizeof(header));
	entry.len = header.len_op & ~RING_OP_MASK;
	if (entry.len < sizeof(header) || entry.len > room)
		return entry;
	entry.next = at + entry.len == view->ring_size ? 0 : at + entry.len;
	entry.id = header.cmd_id;

	switch (header.len_op & RING_OP_MASK) {
	case RING_OP_CMD:
		entry.kind = command_kind(view, &entry);
		break;
	case RING_OP_TMR:
		entry.kind = entry.len < sizeof(struct ring_tmr) ? ENTRY_BROKEN : ENTRY_TMR;
		break;
	default:
		entry.kind = ENTRY_SKIP;
		break;
	}
	return entry;
}

size_t ring_tmr_count(const struct ring_view *view, const struct ring_entry *entry)
{
	size_t room = (entry->len - sizeof(struct ring_tmr)) / sizeof(uint16_t);
	struct ring_tmr tmr;

	memcpy(&tmr, entry_bytes(view, entry->at), sizeof(tmr));
	return tmr.cmd_cnt < room ? tmr.cmd_cnt : room;
}

uint16_t ring_tmr_id(const struct ring_view *view, const struct ring_entry *entry, size_t i)
{
	uint16_t id;

	memcpy(&id,
	       entry_bytes(view, entry->at) + offsetof(struct ring_tmr, cmd_ids) + i * sizeof(id),
	       sizeof(id));
	return id;
}

size_t ring_entry_cdb(const struct ring_view *view, const struct ring_entry *entry,
		      uint8_t cdb[SCSI_CDB_MAX])
{
	size_t room, len;
	const uint8_t *bytes = entry_cdb(view, entry, &room);

	if (!bytes || room < 8) /* changed under way */
		return 0;
	len = cdb_len_of(bytes);
	if (room < len)
		return 0;
	memset(cdb, 0, SCSI_CDB_MAX);
	memcpy(cdb, bytes, len < SCSI_CDB_MAX ? len : SCSI_CDB_MAX);
	return len;
}

static bool nth_iov(const struct ring_view *view, const struct ring_entry *entry, size_t i,
		    struct iovec *iov)
{
	const uint8_t *from = entry_bytes(view, entry->at) + offsetof(struct ring_request, iov);
	struct ring_iovec ri;

	memcpy(&ri, from + i * sizeof(ri), sizeof(ri));
	if (ri.offset > view->len || ri.len > view->len - ri.offset ||
	    ri.offset < (uint64_t)view->ring_off + view->ring_size)
		return false;
	*iov = (struct iovec){view->base + ri.offset, ri.len};
	return true;
}

size_t ring_entry_iov(const struct ring_view *view, const struct ring_entry *entry,
		      struct iovec *iov, size_t max)
{
	size_t room = (entry->len - sizeof(struct ring_request)) / sizeof(struct ring_iovec);
	struct iovec nth;
	uint32_t count;

	memcpy(&count, entry_bytes(view, entry->at) + offsetof(struct ring_request, iov_cnt),
	       sizeof(count));
	if (count > room)
		return 0;
	for (size_t i = 0; i < count; i++) {
		if (!nth_iov(view, entry, i, &nth))
			return 0;
		if (i < max)
			iov[i] = nth;
	}
	return count;
}

void ring_entry_zero_data(const struct ring_view *view, const struct ring_entry *entry)
{
	size_t iov_cnt = ring_entry_iov(view, entry, NULL, 0);
	struct iovec iov;

	for (size_t i = 0; i < iov_cnt && nth_iov(view, entry, i, &iov); i++)
		memset(iov.iov_base, 0, iov.iov_len);
}

/*
 * RECOVERED ERROR comes with all of the data, and TCMU carries either sense or data.  A warning
 * that costs the data would be worse than the error that did not happen.
 */
static bool is_good_with_a_warning(const struct mpath_io *io)
{
	const struct scsi_result *result = &io->result;

	return result->status == SAM_CHECK_CONDITION && io->cmd.dir == SCSI_DATA_IN &&
	       result->residual < io->cmd.data_len && scsi_is_done(result);
}

static uint8_t answered_status(const struct mpath_io *io)
{
	return is_good_with_a_warning(io) ? SAM_GOOD : io->result.status;
}

/*
 * No data goes with the sense, and the kernel does not let us say so: to the initiator it looks as
 * if all had arrived.  Should the sense name the block where a READ ended, Linux would take those
 * before it for good, and give its users what happens to stand in the buffer.
 */
static void fill_sense(const struct mpath_io *io, struct ring_response *response)
{
	const struct scsi_result *result = &io->result;
	uint64_t lba;

	assert(result->sense_len <= sizeof(response->sense));
	memset(response->sense, 0, sizeof(response->sense));
	memcpy(response->sense, result->sense, result->sense_len);
	if (scsi_cdb_read_lba(io->cmd.cdb, io->cmd.cdb_len, &lba))
		scsi_sense_hide_progress(response->sense, result->sense_len, lba);
}

/* How many bytes of a DATA_IN command are the target's. */
static size_t bytes_transferred(const struct mpath_io *io, uint8_t status)
{
	const struct scsi_result *result = &io->result;

	if (io->cmd.dir != SCSI_DATA_IN)
		return 0;

	/*
	 * With any other status the kernel either copies nothing (CHECK CONDITION) or everything,
	 * whatever we say: so there must be nothing of another command's left in the buffer, even
	 * if the transport reported a full transfer.
	 */
	if (status != SAM_GOOD && status != SAM_CONDITION_MET)
		return 0;
	return result->residual < io->cmd.data_len ? io->cmd.data_len - result->residual : 0;
}

void ring_response_fill(const struct ring_view *view, const struct mpath_io *io,
			struct ring_response *response)
{
	size_t expected, transferred;

	/* An answer is the target's, or one that the core has made up in its name. */
	assert(io->result.transport == TRANSPORT_OK);

	memset(response, 0, RESPONSE_WITHOUT_SENSE);
	response->scsi_status = answered_status(io);
	if (response->scsi_status == SAM_CHECK_CONDITION)
		fill_sense(io, response);
	if (io->cmd.dir == SCSI_DATA_OUT)
		return;

	/*
	 * The direction is our reading of the CDB, the buffer is the initiator's: one that asks
	 * for no data, or that we refused, may come with a buffer too.  The kernel hands the
	 * initiator the whole buffer, with what an earlier command left in it, unless we say how
	 * much of it is valid.  It cannot be told "nothing", and together with CHECK CONDITION the
	 * length would mean a tape's short read and hide the sense.
	 */
	expected = scsi_iov_len(io->cmd.iov, io->cmd.iov_cnt);
	transferred = bytes_transferred(io, response->scsi_status);
	if (transferred >= expected)
		return;
	scsi_iov_zero_from(io->cmd.iov, io->cmd.iov_cnt, transferred);
	if (transferred && view->flags & RING_CAN_READ_LEN) {
		response->header.uflags = RING_UFLAG_READ_LEN;
		response->read_len = (uint32_t)transferred;
	}
}

void ring_response_write(const struct ring_view *view, const struct ring_entry *entry, uint16_t id,
			 const struct ring_response *response)
{
	bool has_sense = response->scsi_status == SAM_CHECK_CONDITION;
	uint8_t *bytes = entry_bytes(view, entry->at);
	uint32_t len_op;

	memcpy(&len_op, bytes, sizeof(len_op));
	if (has_sense)
		memcpy(bytes, response, sizeof(*response));
	else
		memcpy(bytes, response, RESPONSE_WITHOUT_SENSE);
	memcpy(bytes, &len_op, sizeof(len_op));
	memcpy(bytes + offsetof(struct ring_header, cmd_id), &id, sizeof(id));
}
