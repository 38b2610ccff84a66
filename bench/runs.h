/* Curves of samplers on functions: made here by processes side by side, or read from files in the
 * format of bench/peers. */
#ifndef FARM_BENCH_RUNS_H
#define FARM_BENCH_RUNS_H

#include "functions.h"

enum runs_kind { RUNS_RANDOM, RUNS_HYPEROPT, RUNS_OWN, RUNS_KINDS };

struct runs_plan {
    uint32_t budget, workers;        /* budget a multiple of simulate_every() */
    uint64_t from, to;               /* seeds, from below to */
    uint32_t jobs;                   /* processes */
    const char *sampler[RUNS_KINDS]; /* as simulate_run.sampler */
    const char *name[RUNS_KINDS];    /* as files have it */
};
struct runs {
    double *best; /* points a run */
    size_t n;
};
struct runs_cell {
    const struct function *function;
    struct runs of[RUNS_KINDS];
};
struct runs_cost {
    double us; /* CPU time of asks and tells ... */
    double trials;
};

uint32_t runs_points(const struct runs_plan *p); /* of a curve */
/* Adds room for one run and returns its curve. */
double *runs_add(const struct runs_plan *p, struct runs *r);
void runs_fini(struct runs_cell *cells, size_t n);

/* Adds a run for each seed to every function that has none of this kind yet. out: a file to which
 * the runs are appended, or NULL. */
err_t runs_make(const struct runs_plan *p, enum runs_kind kind, struct runs_cell *cells, size_t n,
                const char *out, struct runs_cost *cost, struct errmsg *em) MUST_CHECK;
/* Adds the runs of random and Hyperopt (also under the names of ours) that a file has for these
 * functions with as many workers and a long enough curve. */
err_t runs_load(const struct runs_plan *p, const char *path, struct runs_cell *cells, size_t n,
                struct errmsg *em) MUST_CHECK;
/* Appends one run's line. */
err_t runs_append(const struct runs_plan *p, enum runs_kind kind, const char *path,
                  const struct function *f, uint64_t seed, const double *curve,
                  struct errmsg *em) MUST_CHECK;

#endif
