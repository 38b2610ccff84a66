/* The bodies of a recording's entries that are no message: configuration, answers of the store, and
 * what a group came to. */
#ifndef FARM_TAPE_TAPEBODY_H
#define FARM_TAPE_TAPEBODY_H

#include "effects.h"
#include "farm.h"

/* What one group holds: how much, and a CRC-32C over each part of it. */
struct tapebody_sums {
    uint64_t seq;     /* of the last record; 0 = none */
    uint32_t records; /* how many */
    uint32_t messages;
    uint32_t record_sum;
    uint32_t message_sum; /* peers, sessions, kinds and bodies; the feed's too */
    uint32_t rest_sum;    /* questions, files, requests and rows */
};
void tapebody_sums_of(const struct effects *fx, struct tapebody_sums *out);

void tapebody_config_write(struct buf *out, const struct farm_config *c);
void tapebody_answer_write(struct buf *out, const struct answer *a);
void tapebody_sums_write(struct buf *out, const struct tapebody_sums *s);

/* Texts borrow `body` or come from `a`, as lists do. ERR_CORRUPT, or ERR_NOMEM from a full arena.
 */
err_t tapebody_config_read(struct farm_config *out, struct str body, struct arena *a,
                           struct errmsg *em) MUST_CHECK;
err_t tapebody_answer_read(struct answer *out, struct str body, struct arena *a,
                           struct errmsg *em) MUST_CHECK;
err_t tapebody_sums_read(struct tapebody_sums *out, struct str body, struct errmsg *em) MUST_CHECK;

#endif
