/* A space, trials in it and how they end, for the tests of preset `tunefarm`. */
#ifndef FARM_TESTS_TUNEFARM_BED_H
#define FARM_TESTS_TUNEFARM_BED_H

#include "history.h"
#include "rng.h"
#include "sampler.h"

#define BED_COUNT(a) (sizeof(a) / sizeof *(a))

struct bed {
    struct spec *spec;
    const struct space *space; /* the spec's */
    struct history *history;
    struct sampler *sampler;
    double *point; /* what was asked for last */
    struct buf why;
};

/* space: the members of the object `space`. settings: of `sampler`, each with a comma before it;
 * NULL: no sampler. */
void bed_open(struct bed *b, const char *space, const char *settings);
/* The same, but a fault is handed back; bed_close() is due all the same. */
err_t bed_try(struct bed *b, const char *space, const char *settings, struct errmsg *em);
void bed_close(struct bed *b);

/* Writes the next proposal to point and why, and checks that it is legal. */
void bed_ask(struct bed *b, uint64_t draw);
/* point comes to be trial, which ends as o says; OUTCOME_PENDING: not yet. */
void bed_tell(struct bed *b, uint64_t trial, enum outcome o, double loss);
void bed_finish(struct bed *b, uint64_t trial, enum outcome o, double loss);
bool bed_says(struct bed *b, const char *part); /* of why */

void bed_assert_legal(const struct space *space, const double *point);
/* The members of some space, with branches within branches: at least one parameter, most of them
 * at most n. */
void bed_random_space(struct buf *out, struct rng *r, uint32_t n);

#endif
