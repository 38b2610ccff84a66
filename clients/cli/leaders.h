/* The best trials of a study, found in questions of which each is short, so that a farm with
 * millions of trials answers between its commits. */
#ifndef FARM_CLI_LEADERS_H
#define FARM_CLI_LEADERS_H

#include "source.h"

struct leader {
    uint64_t trial;
    double loss;
};
/* The best `count` complete trials with a finite loss into out, best first, of equals the lower
 * number first. *n: how many there are. */
err_t leaders_find(struct source *s, const struct study_row *study, size_t count,
                   struct leader *out, size_t *n, struct errmsg *em) MUST_CHECK;

#endif
