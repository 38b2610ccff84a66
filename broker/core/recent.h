/* The journal's most recent records in memory, encoded: what live streams, the feed and readers
 * that are a little behind are served from. Bounded; the oldest give way. The records of one study
 * are linked, so that a study's reader does not look at those of others. */
#ifndef FARM_CORE_RECENT_H
#define FARM_CORE_RECENT_H

#include "idmap.h"
#include "str.h"

struct recent_entry {
    uint64_t seq, study, study_seq;
    uint64_t next;  /* seq of the study's next record; 0 = none yet */
    uint32_t at, n; /* place of the encoded record */
    uint8_t kind;
    uint32_t elements; /* upper bound of what it counts in a message */
};
struct recent {
    struct recent_entry *entries; /* by seq modulo cap */
    char *bytes;
    uint32_t cap, size;   /* of entries (a power of two) and bytes */
    uint32_t head;        /* where the next record's bytes go */
    uint64_t first, last; /* seqs held; first > last: none */
    struct idmap studies; /* study -> struct recent_study */
};

void recent_init(struct recent *r, uint32_t entries, uint32_t bytes);
void recent_fini(struct recent *r);
/* seq must be last + 1, or anything if none is held. A record longer than half the bytes empties
 * it. */
void recent_push(struct recent *r, const struct recent_entry *e, struct str body);
/* The record, or NULL if it is not held. */
const struct recent_entry *recent_at(const struct recent *r, uint64_t seq);
/* The study's record with this study_seq, or NULL if it is not held. Quick for the latest and the
 * earliest held. */
const struct recent_entry *recent_study_at(const struct recent *r, uint64_t study,
                                           uint64_t study_seq);
struct str recent_body(const struct recent *r, const struct recent_entry *e);

#endif
