/* Metrics out of the output of programs that know nothing of tunefarm. */
#ifndef FARM_STUDY_SCRAPE_H
#define FARM_STUDY_SCRAPE_H

#include "spec.h"

struct scrape;        /* compiled patterns of a study */
struct scrape_state { /* of one child */
    bool has_step;
    int64_t step; /* last one seen */
};
enum scrape_result {
    SCRAPE_NOTHING,
    SCRAPE_VALUE,
    SCRAPE_BAD /* a match that is no number, or too costly */
};

/* Compiles objective.scrape; *out is NULL if the study has none. The sentence begins with
 * "objective.scrape". */
err_t scrape_new(struct scrape **out, const struct objective *o, struct errmsg *em) MUST_CHECK;
void scrape_free(struct scrape *s); /* NULL is legal */
/* One line of output. has_step of the state says whether the value has a step. */
enum scrape_result scrape_line(struct scrape *s, struct scrape_state *st, struct str line,
                               double *value);

#endif
