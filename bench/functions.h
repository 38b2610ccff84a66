/* Functions on which samplers are compared: the 17 on which tunefarm's peers were measured (ported
 * from bench/peers/functions.py and checked against its values), and held-out sets, so that a
 * sampler is not fitted to the 17. All are minimised. Pure: no state, no random source. */
#ifndef FARM_BENCH_FUNCTIONS_H
#define FARM_BENCH_FUNCTIONS_H

#include "buf.h"

#define FUNCTIONS_MAX_DIMS 32

enum dim_kind {
    DIM_FLOAT,   /* low to high */
    DIM_LOG,     /* the same, uniform in the logarithm */
    DIM_INT,     /* low, low + step, ... high */
    DIM_LOG_INT, /* low to high, uniform in the logarithm */
    DIM_CHOICE,  /* 0 to high without an order */
};
struct dim {
    const char *name;
    enum dim_kind kind;
    double low, high;
    double step;          /* DIM_INT */
    const char *parent;   /* NULL, or an earlier DIM_CHOICE on which it depends, ... */
    uint32_t parent_mask; /* ... and its options (bits) for which this one exists */
};
struct function {
    const char *name;
    double (*value)(const double *x); /* x in order of the dims; an inactive one is NaN */
    const struct dim *dims;           /* NULL: x0, x1, ..., floats from low to high */
    uint32_t n;
    double low, high;
    double optimum;     /* the least value in the space */
    const double *best; /* a point that has it; NULL if it is not stated */
    double noise; /* standard deviation of what is added to the loss that a sampler is told; it is
                     judged without */
};
struct function_set {
    const char *name;
    const struct function *v;
    size_t n;
};

/* One file each: functions_peers.c, functions_smooth.c, functions_mixed.c. */
extern const struct function_set functions_peers, functions_smooth, functions_mixed;

const struct function_set *const *functions_sets(void); /* ends with NULL */
/* NULL = none of that name in any set. */
const struct function *functions_find(struct str name);
/* Dim i. A made name is written to text. */
struct dim functions_dim(const struct function *f, uint32_t i, char text[16]);
/* The `space` object of a study file, as bench/peers/samplers.py writes it. */
void functions_write_space(const struct function *f, struct buf *out);

#endif
