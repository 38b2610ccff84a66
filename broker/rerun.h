/* A recording (tape.h) run again: its inputs go into a fresh core, and what comes of each group is
 * compared with what came then. */
#ifndef FARM_BROKER_RERUN_H
#define FARM_BROKER_RERUN_H

#include <stdio.h>

#include "err.h"
#include "str.h"

struct rerun_options {
    const char *tape;
    const char *db; /* a copy of the database as it was when the recording began, which the run
                       changes; NULL: it was empty */
    uint64_t check; /* farm_check() after so many inputs each time; 0 = never */
    FILE *print;    /* a line for each entry, before it is taken; NULL = none */
};
struct rerun_result {
    uint64_t inputs, groups, records, messages;
    int64_t ns;   /* from the first input to the last */
    bool ended;   /* there is an end mark: */
    uint8_t how;  /* enum tape_end */
    bool unended; /* what came of the last inputs was not handed over, so not compared */
};

/* ERR_FAILED: the core does something else than it did, or an invariant does not hold; the sentence
 * names the first place. Else the recording or the database cannot be used. *out is filled as far
 * as it went. */
err_t rerun_tape(const struct rerun_options *o, struct rerun_result *out,
                 struct errmsg *em) MUST_CHECK;

#endif
