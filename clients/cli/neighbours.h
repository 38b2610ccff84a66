/* The trials nearest to a point, in the study's own scale: a number's distance is that of its scale
 * (log parameters in the logarithm) as a share of its range, options of a choice are equal or not,
 * and a parameter that only one of the two has is as different as can be. */
#ifndef FARM_CLI_NEIGHBOURS_H
#define FARM_CLI_NEIGHBOURS_H

#include "space.h"

#define NEIGHBOURS 3

struct neighbour {
    uint64_t trial;
    char state[16];
    double loss, distance; /* 0: the same point; 1: different in everything */
    double *point;
};
struct neighbours {
    const struct space *space; /* borrowed, as is the point */
    const double *point;
    struct neighbour v[NEIGHBOURS]; /* nearest first; of equal ones the earlier trial */
    size_t n;
};

void neighbours_init(struct neighbours *all, const struct space *space, const double *point);
void neighbours_fini(struct neighbours *all);
/* Considers a trial. False if its parameters (JSON) are not in the space. */
bool neighbours_offer(struct neighbours *all, const struct neighbour *trial, struct str params);
/* How far two values of a parameter are apart, 0 to 1; NaN = inactive. */
double neighbours_apart(const struct param *p, double x, double y);
/* The parameters in which neighbour i differs most, most first; how many. */
size_t neighbours_differences(const struct neighbours *all, size_t i, uint32_t *params,
                              size_t most);

#endif
