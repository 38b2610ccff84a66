/* The cartesian product of a space's values, one point after the other: the first parameter varies
 * slowest, parameters of a branch count only within it. */
#ifndef FARM_OPTIMIZER_CARTESIAN_H
#define FARM_OPTIMIZER_CARTESIAN_H

#include "space.h"

struct ladder {
    double *values; /* owned; NULL: all values of the parameter, by formula */
    double n;       /* how many; 0 = infinitely many, and the product has no end */
};
struct cartesian {
    const struct space *space; /* borrowed */
    struct ladder *ladders;    /* one a parameter */
    double *digits;            /* of the present point; of inactive parameters 0 */
};

/* All values of every parameter; the owner may replace ladders before the first use. */
void cartesian_init(struct cartesian *c, const struct space *space);
void cartesian_fini(struct cartesian *c);
void cartesian_rewind(struct cartesian *c);
/* Writes the present point. */
void cartesian_point(const struct cartesian *c, double *point);
/* Goes to the next one; point is the present one's. False at the end. */
bool cartesian_advance(struct cartesian *c, const double *point);
/* An upper bound of the number of points; 0 = infinitely many. */
double cartesian_size(const struct cartesian *c);

#endif
