/* Brings a study to a broker: its files, then SUBMIT. */
#ifndef FARM_CLI_UPLOAD_H
#define FARM_CLI_UPLOAD_H

#include "brokerlink.h"
#include "studyfile.h"

struct submitted {
    uint64_t number; /* of the study */
    uint64_t seq;    /* durable journal seq behind the answer */
    bool continued;  /* it existed */
};
/* Files that the broker has already are not sent. A study whose search part differs is refused with
 * the difference. */
err_t upload_study(struct brokerlink *l, const struct studyfile *s, bool edit, bool reopen,
                   struct submitted *out, struct errmsg *em) MUST_CHECK;

#endif
