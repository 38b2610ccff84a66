/* Points drawn from the density of the good trials. */
#ifndef FARM_OPTIMIZER_CANDIDATE_H
#define FARM_OPTIMIZER_CANDIDATE_H

#include "bandwidth.h"
#include "rng.h"

#define CANDIDATE_PRIOR UINT32_MAX

struct candidate {
    double *place;   /* by axis; ROSTER_ABSENT if inactive */
    double *point;   /* legal values, NaN = inactive; of continuous parameters only after
                        candidate_finish() */
    bool continuous; /* it has a continuous parameter, so no other trial has its point */
    uint32_t around; /* the trial it was drawn around; CANDIDATE_PRIOR = the prior */
};

void candidate_init(struct candidate *c, uint32_t axes);
void candidate_fini(struct candidate *c);
/* Draws a component of the mixture (a good trial by its weight, or the prior by prior_weight), then
 * each active parameter from the component's kernel, parents before children; those that the
 * component lacks come from the prior, and so does the parameter `fresh`, if that is one. */
void candidate_draw(struct candidate *c, const struct evidence *e, const struct bandwidth *b,
                    double prior_weight, uint32_t fresh, struct rng *r);
void candidate_finish(struct candidate *c, const struct evidence *e);

#endif
