/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The storage array of the virtual world: LUNs whose blocks are version stamps, so that a test can
 * tell which write a read has seen, and the SCSI commands that a disk answers.
 */
#ifndef SIM_ARRAY_H
#define SIM_ARRAY_H

#include "mpath/io.h"

#define SIM_BLOCK_SIZE	 512
#define SIM_BLOCKS	 64 /* that can be read and written */
#define SIM_TRANSFER_MAX (8 * SIM_BLOCK_SIZE)
#define SIM_NR_BLOCKS	 2048 /* that a LUN says it has, unless told otherwise */
#define SIM_UAS_MAX	 32

#define SIM_GROUPS_MAX 4

/* A target port group, with the access to the LUN that it has. */
struct sim_port_group {
	uint16_t id;
	uint8_t state; /* enum alua_state */
	bool preferred;
};

/* What the array does when it is asked to make a group the optimized one. */
enum sim_stpg {
	STPG_OBEYS,	/* the others are in standby from then on */
	STPG_COMPLAINS, /* obeys, but answers CHECK CONDITION */
	STPG_REFUSES,
	STPG_TAKES_TIME, /* GOOD, and all groups are in transition until the test ends it */
};

/* Whose array it is: of all but the first, one of two controllers owns the LUN (vendor.c). */
enum sim_make { MAKE_SIM, MAKE_EMC, MAKE_RDAC, MAKE_HP_SW };

/* What the array does when the other controller is told to take the LUN over. */
enum sim_move {
	MOVE_OBEYS,
	MOVE_LIES,    /* GOOD, but it stays where it was */
	MOVE_REFUSES, /* with its excuse */
};

struct sim_lun {
	uint8_t naa[16];
	char wwid[40];		     /* as "multipath -ll" prints it */
	uint8_t local_naa[8];	     /* if set: its names are this, and T10's "SIM x1" */
	uint8_t t10_number;	     /* added to that 1 */
	uint64_t stamps[SIM_BLOCKS]; /* as a read sees them: the cache of all controllers */
	uint64_t stable[SIM_BLOCKS]; /* what a loss of power leaves of them */
	uint64_t nr_writes;
	uint64_t copied; /* what the last EXTENDED COPY has read */

	struct sim_port_group groups[SIM_GROUPS_MAX];
	unsigned int nr_groups; /* 0: no ALUA */
	uint8_t tpgs;		/* as in INQUIRY data */
	uint8_t announced_s;	/* how long a transition may take */
	bool no_extended_header;
	bool tells_own_group;	/* REPORT TARGET PORT GROUPS: only the one of the port that is asked
				 */
	bool tur_in_transition; /* TEST UNIT READY is answered in a transition, too */
	enum sim_stpg stpg;
	bool reserved;	      /* by another host, as with RESERVE(6) of SPC-2 */
	bool overloaded;      /* TASK SET FULL to whatever comes */
	unsigned int nr_rtpg; /* answered */
	unsigned int nr_stpg; /* received */
	uint16_t last_stpg;   /* for which group */

	enum sim_make make;
	unsigned int owner; /* 0 or 1 */
	enum sim_move move;
	uint8_t excuse[3];	   /* key, asc, ascq */
	unsigned int excuses_left; /* then it obeys; 0: never */
	bool is_shy;		   /* the other controller does not even tell the size */
	bool starting;		   /* the owner needs a moment before it can be used */
	bool old_model;		   /* knows only the old form of the command */
	bool upgrading;		   /* emc: its firmware */
	bool other_mode;	   /* emc: the host is not registered for that */
	bool follows_io;	   /* rdac: AVT, it moves by itself */
	bool ships_io;		   /* rdac: IOSHIP, the other controller serves it, too ... */
	unsigned int preferred;	   /* ... but this one shall */
	unsigned int nr_moves;	   /* asked for */
	unsigned int nr_misunderstood;
};

/* What a nexus keeps for the next one that comes by it. */
#define SIM_BUFFER     0x01
#define SIM_DIAGNOSTIC 0x02
#define SIM_SECURITY   0x04

/* One port's view of its LUN. */
struct sim_nexus {
	struct sim_lun *lun;
	unsigned int group;	 /* number of the port's group, 0: no ALUA */
	unsigned int controller; /* 0 or 1, where there are two */
	uint8_t port;		 /* relative target port identifier */
	uint64_t nr_blocks;	 /* that READ CAPACITY answers */
	uint32_t block_size;
	uint8_t device_type;	 /* first byte of INQUIRY: qualifier and type */
	bool ours;		 /* a LUN that tcmu-mpath itself exports (H13) */
	uint8_t short_inquiry;	 /* so many bytes of INQUIRY data; 0: all */
	bool no_wwid;		 /* page 83h is empty */
	bool no_group_id;	 /* page 83h does not name the port group */
	const char *serial;	 /* page 80h; NULL: "SIM1" */
	uint32_t max_transfer;	 /* page B0h: blocks of one command through this port; 0: 128 */
	uint8_t max_caw;	 /* page B0h, too: of a COMPARE AND WRITE ... */
	uint32_t max_unmap;	 /* ... of an UNMAP ... */
	uint64_t max_write_same; /* ... and of a WRITE SAME */
	bool no_limits;		 /* there is no page B0h */
	bool hides_limits;	 /* there is, but it is refused */
	bool cuts_limits;	 /* B0h ends after 16 bytes, but what is not its own comes, too */
	bool mistakes_limits;	 /* it sends B1h for B0h */
	uint16_t rotation;	 /* page B1h: rounds a minute; 0: 7200 */
	uint8_t provisioning;	 /* page B2h: LBPU and its like; 0: there is no such page */
	bool hides_features;	 /* there is a page B1h, but it is refused */
	bool boasts; /* page 86h: it can do all that may be said there; formatted with PI */
	uint16_t uas[SIM_UAS_MAX]; /* pending unit attentions: asc << 8 | ascq */
	unsigned int nr_uas;
	bool knows_copy;	  /* EXTENDED COPY has come this way */
	uint8_t knows;		  /* what else has come this way: SIM_BUFFER ... */
	uint8_t deferred[3];	  /* key, asc, ascq: a write that was answered GOOD is lost ... */
	unsigned int nr_deferred; /* ... which so many commands to come are told ... */
	bool deferred_descriptor; /* ... with sense of that format */
};

void sim_lun_init(struct sim_lun *lun, unsigned int number);

/* A buffer in pieces, and the same in one. */
void sim_scatter(const struct iovec *iov, size_t cnt, const uint8_t *data);
void sim_gather(const struct iovec *iov, size_t cnt, uint8_t *data);

/* The stamp of block @nr in a command's buffer. */
uint64_t sim_stamp(const uint8_t *data, unsigned int nr);
void sim_put_stamp(uint8_t *data, unsigned int nr, uint64_t stamp);
/* Of UNMAP, too, whose CDB has them where it is reserved: one look for all. */
uint64_t sim_lba(const uint8_t *cdb);
unsigned int sim_nr_blocks(const uint8_t *cdb);
bool sim_is_block_read(const uint8_t *cdb);

/*
 * Carry out @cmd now.  @result is what the target says; true when the medium or a state changed.
 * The first answers a pending unit attention instead; the second is for what has passed that
 * already, and may be long forgotten by everybody but the array.
 */
bool sim_execute(struct sim_nexus *nexus, const struct scsi_cmd *cmd, struct scsi_result *result);
bool sim_carry_out(struct sim_nexus *nexus, const struct scsi_cmd *cmd, struct scsi_result *result);
/* The caches are gone, and what was not synchronized with them. */
void sim_lose_power(struct sim_lun *lun);

/* vendor.c.  Standard INQUIRY data from the vendor's word on, and the length of it all. */
size_t sim_vendor_inquiry(const struct sim_lun *lun, uint8_t *data);
/* 0: there is no such page. */
size_t sim_vendor_page(const struct sim_nexus *nexus, uint8_t page, uint8_t *data);
/* Not the owner's port, for a command that only the owner carries out. */
bool sim_vendor_refuses(struct sim_nexus *nexus, const struct scsi_cmd *cmd,
			struct scsi_result *result);
/* That by which such a port is known, beside what is so for every array; key << 16 | asc << 8 |
 * ascq */
bool sim_vendor_passive_sense(const struct sim_lun *lun, unsigned int code);
/* True: it is a command to take the LUN over, and was answered. */
bool sim_vendor_moves(struct sim_nexus *nexus, const struct scsi_cmd *cmd,
		      struct scsi_result *result);

/* CHECK CONDITION with fixed-format sense, as a disk builds it. */
void sim_check_condition(struct scsi_result *result, size_t data_len, uint8_t key, uint8_t asc,
			 uint8_t ascq);

#endif
