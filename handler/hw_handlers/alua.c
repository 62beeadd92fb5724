/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * alua hardware handler
 *
 * Asymmetric logical unit access (SPC-5 5.18): a target tells for each group of its ports how well
 * it serves the LUN, and where access is explicit it can be asked to make a group the good one.
 * REPORT TARGET PORT GROUPS tells the states of all groups at once, so one answer serves all paths
 * of the map.
 *
 * Words in the table: [optimize], 0 or 1.  1: a group that is active but not optimized is left
 * so, unless the target prefers it.
 *
 * Where this differs from scsi_dh_alua: the states are polled quickly at first; a group that is
 * still passive after SET TARGET PORT GROUPS is reported as such, where the kernel reports success
 * and the next command fails; an LBA-dependent group is used as it is.  Where another initiator has
 * reserved the LUN the target does not tell, or do, anything: a path stays what it was known to be,
 * and its commands bring the target's RESERVATION CONFLICT up, where the kernel fails the path when
 * REPORT TARGET PORT GROUPS brings that.
 */
#include "mpath/hw_handler.h"
#include "mpath/number.h"
#include "mpath/scsi.h"

#define ALUA_OPTIMIZE 0x1 /* hw_handler.flags */

#define TRANSITION_DEFAULT_S 255   /* scsi_dh_alua's, when the target announces nothing */
#define STPG_TIMEOUT_MS	     60000 /* an array may answer only when the transition is over */
#define RETRIES_MAX	     5
#define RETRY_PAUSE_NS	     10000000ull
#define POLL_FIRST_NS	     100000000ull  /* while a group changes its state ... */
#define POLL_MAX_NS	     2000000000ull /* ... doubling up to this */

enum alua_question { ASKED_RTPG, ASKED_STPG };

/* 25 groups of 8 ports; there are hardly ever more, and who has them tells 100. */
#define RTPG_SHORT PATH_PROBE_OWN_SIZE
#define RTPG_LONG  PATH_PROBE_BUF_SIZE

struct alua_path {
	bool plain_header; /* the target refuses the extended one */
	bool many_groups;  /* it has more to tell than fits into RTPG_SHORT */

	uint64_t given_up_ns; /* another path has waited for a transition till then; 0: none */

	/* of one conversation */
	enum hw_purpose purpose;
	enum alua_question asked;
	uint16_t asked_len; /* of ASKED_RTPG */
	bool stpg_done;	    /* the target has had its chance */
	unsigned int retries;
	uint8_t announced_s;	/* the limit below was reckoned with this */
	uint64_t limit_ns;	/* the transition must be over; 0: there is none */
	uint64_t transition_ns; /* when it was first seen */
	uint64_t poll_ns;
};

static struct alua_path *alua_of(struct path *path)
{
	return path->hw_data;
}

static bool alua_detect(const uint8_t *inquiry, size_t len)
{
	return len > 5 && (inquiry[5] & 0x30);
}

static bool alua_set_params(struct hw_handler *hh, int argc, const char *const *argv,
			    const char **expected)
{
	uint64_t optimize;

	*expected = "expected one word, 0 or 1 (optimize)";
	if (argc != 1 || !parse_number(argv[0], 1, &optimize))
		return false;
	hh->flags = optimize ? ALUA_OPTIMIZE : 0;
	return true;
}

/* The paths of a group share what is known of it: one that comes later learns from the others. */
static void learn_from_siblings(struct hw_handler *hh, struct path *path)
{
	struct path *other;

	list_for_each_entry(other, &hh->paths, hw_node) {
		if (other == path || other->tpg.id != path->tpg.id)
			continue;
		path->tpg.state_known = other->tpg.state_known;
		path->tpg.state = other->tpg.state;
		path->tpg.since_ns = other->tpg.since_ns;
		path->tpg.told_ns = other->tpg.told_ns;
		path->tpg.preferred = other->tpg.preferred;
		path->tpg.supported = other->tpg.supported;
		path->tpg.transition_s = other->tpg.transition_s;
		return;
	}
}

static void know_nothing(struct path *path)
{
	path->tpg.state = ALUA_OPTIMIZED;
	path->tpg.preferred = false;
	path->tpg.supported = ALUA_SUPPORTS_ALL;
	path->tpg.transition_s = TRANSITION_DEFAULT_S;
}

/* What is known stays so when the path is identified once more: it is of the same group. */
static bool alua_attach(struct hw_handler *hh, struct path *path, const uint8_t *inquiry,
			size_t len, struct strbuf *reason)
{
	path->tpg.tpgs = len > 5 ? inquiry[5] >> 4 & 3 : 0;
	if (!path->tpg.tpgs) {
		strbuf_printf(reason, "alua: the target has no target port groups (TPGS is 0)");
		return false;
	}
	if (!path->tpg.known) {
		strbuf_printf(reason, "alua: VPD page 83h does not name the target port group");
		return false;
	}
	if (!path->tpg.state_known)
		know_nothing(path);
	path->hw_explicit = path->tpg.tpgs & TPGS_EXPLICIT;
	learn_from_siblings(hh, path);
	return true;
}

static void alua_begin(struct hw_handler *hh, struct path *path, enum hw_purpose purpose)
{
	struct alua_path *alua = path->hw_data;

	(void)hh;
	*alua = (struct alua_path){
		.plain_header = alua->plain_header,
		.many_groups = alua->many_groups,
		.given_up_ns = alua->given_up_ns,
		.purpose = purpose,
		.poll_ns = POLL_FIRST_NS,
	};
}

static enum hw_result ask_states(struct alua_path *alua, const struct scsi_question *next)
{
	size_t len = alua->many_groups ? RTPG_LONG : RTPG_SHORT;

	alua->asked = ASKED_RTPG;
	alua->asked_len = (uint16_t)(len < next->room ? len : next->room);
	scsi_rtpg_ask(next, !alua->plain_header, alua->asked_len);
	return HW_SEND;
}

/* Without room for more what has come must do: it tells of the first groups, and no other way. */
static bool must_ask_for_more(struct alua_path *alua, const struct scsi_answer *last,
			      const struct scsi_question *next)
{
	if (!scsi_rtpg_is_cut(last, alua->asked_len))
		return false;
	alua->many_groups = true;
	return alua->asked_len < RTPG_LONG && alua->asked_len < next->room;
}

static enum hw_result ask_for_activation(struct alua_path *alua, struct path *path,
					 const struct scsi_question *next)
{
	alua->asked = ASKED_STPG;
	alua->stpg_done = true;
	path->hw_has_moved = true;
	scsi_stpg_ask(next, path->tpg.id);
	next->cmd->timeout_ms = STPG_TIMEOUT_MS;
	return HW_SEND;
}

static enum hw_result try_again(struct alua_path *alua, uint64_t *wait_ns)
{
	if (alua->retries++ == RETRIES_MAX)
		return alua->purpose == HW_REFRESH ? HW_RETRY : HW_FAIL_PATH;
	*wait_ns = RETRY_PAUSE_NS;
	return HW_WAIT;
}

/* --- what the target says of its groups --- */

static void set_group_state(struct hw_handler *hh, uint16_t id, uint8_t state, uint64_t now_ns)
{
	struct path *path;

	list_for_each_entry(path, &hh->paths, hw_node) {
		if (path->tpg.id != id)
			continue;
		if (!path->tpg.state_known || path->tpg.state != state)
			path->tpg.since_ns = now_ns;
		path->tpg.told_ns = now_ns;
		path->tpg.state = state;
		path->tpg.state_known = true;
	}
}

static void learn_group(struct hw_handler *hh, const struct scsi_port_group *group,
			uint8_t transition_s, bool refresh, uint64_t now_ns)
{
	struct path *path;

	set_group_state(hh, group->id, group->state, now_ns);
	list_for_each_entry(path, &hh->paths, hw_node) {
		if (path->tpg.id != group->id)
			continue;
		path->refresh_told |= refresh;
		path->tpg.preferred = group->preferred;
		path->tpg.supported = group->supported;
		path->tpg.transition_s = transition_s ? transition_s : TRANSITION_DEFAULT_S;
		if (group->state != ALUA_TRANSITIONING)
			alua_of(path)->given_up_ns = 0;
	}
}

static void learn_groups(struct hw_handler *hh, const struct scsi_answer *answer, bool refresh,
			 uint64_t now_ns)
{
	struct scsi_port_group group;
	struct rtpg_walk walk;

	if (!scsi_rtpg_begin(&walk, answer->data, answer->len))
		return;
	while (scsi_rtpg_next(&walk, &group))
		learn_group(hh, &group, walk.transition_s, refresh, now_ns);
}

/* --- and what follows from it --- */

/*
 * The limit counts from when the transition was first seen, and anew with what is announced.  When
 * a path of the group has waited for all of it, the others do not do so once more: the first one
 * might be back by then, and commands would wait for ever.
 */
static bool takes_too_long(struct alua_path *alua, const struct path *path, uint64_t now_ns)
{
	uint64_t limit_ns = path->tpg.transition_s * 1000000000ull;

	if (alua->given_up_ns && now_ns - alua->given_up_ns < limit_ns)
		return true;
	alua->given_up_ns = 0;
	if (!alua->transition_ns)
		alua->transition_ns = now_ns;
	if (alua->announced_s != path->tpg.transition_s) {
		alua->announced_s = path->tpg.transition_s;
		alua->limit_ns = alua->transition_ns + limit_ns;
	}
	return now_ns >= alua->limit_ns;
}

/* The others of its group are told, once each. */
static void give_up_transition(struct hw_handler *hh, struct path *path, uint64_t now_ns)
{
	bool was_told = alua_of(path)->given_up_ns != 0;
	struct path *other;

	set_group_state(hh, path->tpg.id, ALUA_STANDBY, now_ns);
	list_for_each_entry(other, &hh->paths, hw_node)
		if (other != path && other->tpg.id == path->tpg.id && !was_told)
			alua_of(other)->given_up_ns = now_ns;
	alua_of(path)->given_up_ns = 0;
}

static enum hw_result wait_for_transition(struct hw_handler *hh, struct path *path, uint64_t now_ns,
					  uint64_t *wait_ns)
{
	struct alua_path *alua = alua_of(path);

	if (takes_too_long(alua, path, now_ns)) {
		give_up_transition(hh, path, now_ns);
		return HW_FAIL_PATH;
	}
	alua->retries = 0; /* time is the limit */
	*wait_ns = alua->poll_ns;
	if (now_ns + *wait_ns > alua->limit_ns)
		*wait_ns = alua->limit_ns - now_ns;
	alua->poll_ns = alua->poll_ns * 2 < POLL_MAX_NS ? alua->poll_ns * 2 : POLL_MAX_NS;
	return HW_WAIT;
}

static bool is_good_enough(const struct hw_handler *hh, const struct path *path)
{
	return (hh->flags & ALUA_OPTIMIZE) && !path->tpg.preferred &&
	       (path->tpg.tpgs & TPGS_IMPLICIT);
}

static enum hw_result judge_state(struct hw_handler *hh, struct path *path, uint64_t now_ns,
				  const struct scsi_question *next, uint64_t *wait_ns)
{
	struct alua_path *alua = path->hw_data;

	if (alua->purpose == HW_REFRESH)
		return HW_DONE;
	if (path->tpg.state == ALUA_TRANSITIONING)
		return wait_for_transition(hh, path, now_ns, wait_ns);
	if (path->tpg.state == ALUA_OFFLINE)
		return HW_FAIL_PATH;
	if (!path->hw_explicit)
		return HW_DONE; /* the target decides, and the path is what it is */

	switch (path->tpg.state) {
	case ALUA_OPTIMIZED:
	case ALUA_LBA_DEPENDENT:
		return HW_DONE;
	case ALUA_NON_OPTIMIZED:
		if (alua->stpg_done || is_good_enough(hh, path))
			return HW_DONE;
		return ask_for_activation(alua, path, next);
	case ALUA_STANDBY:
	case ALUA_UNAVAILABLE:
		return alua->stpg_done ? HW_RETRY : ask_for_activation(alua, path, next);
	}
	return HW_NOSYS;
}

static bool is_transition(const struct scsi_sense *sense)
{
	return (sense->key == 0x02 || sense->key == 0x06) && sense->asc == 0x04 &&
	       sense->ascq == 0x0a;
}

static enum hw_result states_refused(struct hw_handler *hh, struct path *path, uint64_t now_ns,
				     const struct scsi_sense *sense,
				     const struct scsi_question *next, uint64_t *wait_ns)
{
	struct alua_path *alua = path->hw_data;

	if (is_transition(sense)) {
		set_group_state(hh, path->tpg.id, ALUA_TRANSITIONING, now_ns);
		return judge_state(hh, path, now_ns, next, wait_ns);
	}
	if (sense->key == 0x05 && !alua->plain_header) {
		alua->plain_header = true;
		return ask_states(alua, next);
	}
	/* A target whose groups are always optimized may not care to tell their states. */
	if (path->tpg.supported == ALUA_SUPPORTS_OPTIMIZED)
		return HW_DONE;
	return HW_FAIL_PATH;
}

static enum hw_result states_answered(struct hw_handler *hh, struct path *path, uint64_t now_ns,
				      const struct scsi_answer *last,
				      const struct scsi_question *next, uint64_t *wait_ns)
{
	struct scsi_sense sense;

	switch (scsi_outcome(last, &sense)) {
	case OUTCOME_GOOD:
		if (must_ask_for_more(path->hw_data, last, next))
			return ask_states(path->hw_data, next);
		learn_groups(hh, last, alua_of(path)->purpose == HW_REFRESH, now_ns);
		return judge_state(hh, path, now_ns, next, wait_ns);
	case OUTCOME_AGAIN:
		return try_again(path->hw_data, wait_ns);
	case OUTCOME_SENSE:
		return states_refused(hh, path, now_ns, &sense, next, wait_ns);
	case OUTCOME_CONFLICT:
		return HW_DONE;
	case OUTCOME_LOST:
		return HW_FAIL_PATH;
	}
	return HW_FAIL_PATH;
}

/*
 * Whatever it says: an array may complain and do it all the same, or say GOOD and take its time.
 * The states tell.  Only a command that was not executed at all is sent once more, but not while
 * another initiator keeps the LUN for himself.
 */
static enum hw_result activation_answered(struct alua_path *alua, const struct scsi_answer *last,
					  const struct scsi_question *next)
{
	struct scsi_sense sense;
	enum scsi_outcome outcome = scsi_outcome(last, &sense);

	if (outcome == OUTCOME_CONFLICT)
		return HW_DONE;
	if (outcome == OUTCOME_AGAIN && alua->retries++ < RETRIES_MAX)
		alua->stpg_done = false;
	return ask_states(alua, next);
}

static enum hw_result alua_go_on(struct hw_handler *hh, struct path *path, uint64_t now_ns,
				 const struct scsi_answer *last, const struct scsi_question *next,
				 uint64_t *wait_ns)
{
	struct alua_path *alua = path->hw_data;

	if (alua->asked == ASKED_STPG)
		return last ? activation_answered(alua, last, next)
			    : ask_for_activation(alua, path, next);
	if (!last)
		return ask_states(alua, next);
	return states_answered(hh, path, now_ns, last, next, wait_ns);
}

/*
 * The path fails for it, and would be activated when it is back: but if the array has taken the LUN
 * away from there without a word, its paths belong in another group then.
 */
static bool is_without_access(const struct scsi_sense *sense)
{
	return sense->key == 0x02 && sense->asc == 0x04 &&
	       (sense->ascq == 0x0b || sense->ascq == 0x0c);
}

static enum hw_sense_opinion alua_check_sense(const struct scsi_sense *sense)
{
	if (is_transition(sense))
		return HW_SENSE_TRANSITIONING;
	if (is_without_access(sense))
		return HW_SENSE_STATE_CHANGED;
	if (sense->key != 0x06)
		return HW_NO_OPINION;
	switch (sense->asc << 8 | sense->ascq) {
	case 0x2900: /* power on or reset: states may have changed unseen */
	case 0x2a06: /* asymmetric access state changed */
	case 0x2a07: /* implicit transition failed */
		return HW_SENSE_STATE_CHANGED;
	}
	return HW_NO_OPINION;
}

const struct hw_handler_type alua_handler = {
	.name = "alua",
	.path_size = sizeof(struct alua_path),
	.can_refresh = true,
	.detect = alua_detect,
	.set_params = alua_set_params,
	.attach = alua_attach,
	.begin = alua_begin,
	.go_on = alua_go_on,
	.check_sense = alua_check_sense,
};
