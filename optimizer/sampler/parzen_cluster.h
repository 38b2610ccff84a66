/* A fast two-sided estimate of the sum over many kernels. Most of them have the least width, so
 * neighbours among those are taken together as one cluster, which a few moments describe (a fast
 * Gauss transform); the others, never many, are kept singly. */
#ifndef FARM_OPTIMIZER_PARZEN_CLUSTER_H
#define FARM_OPTIMIZER_PARZEN_CLUSTER_H

#include <stdint.h>

#include "kernels.h"

#define CLUSTER_TERMS 10

struct clusters {
    double *columns; /* centres, then moments 0..CLUSTER_TERMS - 1 over j!; `cap` of each */
    uint32_t n, cap;
    double inv;      /* 1 / width of the kernels in clusters */
    double weight;   /* of all of them */
    double *singles; /* mean, inv and rank of the others, `singles_cap` of each */
    uint32_t n_singles, singles_cap;
};

void clusters_fini(struct clusters *c);
/* k: sorted by mean; inv: 1 / the least width, none is narrower. */
void clusters_build(struct clusters *c, const struct kernels *k, struct ramp w, double inv);
struct kernels clusters_singles(const struct clusters *c);
/* About what kernels_sum() would add for the kernels in clusters, at a point or in a cell, and by
 * how much that may be wrong, up or down. */
double clusters_at(const struct clusters *c, double y);
double clusters_in(const struct clusters *c, double lo, double hi);
double clusters_error(const struct clusters *c, const struct spots *s, size_t i);

#endif
