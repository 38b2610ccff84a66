/* Studies whose proposals are kept under tests/golden/proposals, and the script that drives them.
 */
#ifndef FARM_TESTS_PROPOSALS_H
#define FARM_TESTS_PROPOSALS_H

#include "buf.h"

struct kept_study {
    const char *name;    /* the file's, without .jsonl */
    const char *sampler; /* JSON */
};
/* Ends with a NULL name. */
extern const struct kept_study kept_studies[];

/* Asks for trials and tells their losses through the filter mode, in an order and with results that
 * are fixed; appends the answers to the asks, one a line. */
void proposals_drive(const struct kept_study *study, struct buf *out);

#endif
