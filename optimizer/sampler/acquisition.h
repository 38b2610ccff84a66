/* The ratio of the good trials' density to the bad ones', which preset `tunefarm` maximises over
 * candidates drawn from the good one (Bergstra and others, 2011: expected improvement grows with
 * it).
 *
 * Both densities are mixtures over the tree of the space, a component a trial: on an axis that the
 * point has and the trial lacks, the component has the prior, so nothing is dropped because another
 * parameter is absent. One more component is the prior itself. Pending trials are bad ones. */
#ifndef FARM_OPTIMIZER_ACQUISITION_H
#define FARM_OPTIMIZER_ACQUISITION_H

#include "candidate.h"
#include "product_kernel.h"
#include "taken.h"

struct acquisition_rule {
    struct bandwidth_rule bandwidth;
    double candidates;            /* how many are compared */
    double prior_good, prior_bad; /* weight of the prior, in trials */
};
struct acquisition {
    const struct evidence *e; /* borrowed, as is the rule */
    const struct acquisition_rule *rule;
    struct bandwidth widths;
    struct candidate best, next;
    double score;                       /* ln of the ratio at the best one */
    float *near, *far, *pending, *good; /* weights of rows */
    uint32_t near_cap, far_cap, pending_cap;
    double *shrink; /* by axis: ln(bad width / good width) */
    struct factor *factors;
};

void acquisition_init(struct acquisition *a, const struct evidence *e,
                      const struct acquisition_rule *rule);
void acquisition_fini(struct acquisition *a);
/* Chooses among candidates that no trial has; the result is in best and score. False: none of those
 * drawn was free. */
bool acquisition_choose(struct acquisition *a, uint32_t n_good, const struct taken *taken,
                        struct rng *r);
/* ln of the ratio at a candidate, after acquisition_choose(), with its widths. */
double acquisition_score(struct acquisition *a, const struct candidate *c);

#endif
