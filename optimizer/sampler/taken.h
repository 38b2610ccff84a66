/* Which points trials have: a multiset of digests of points. */
#ifndef FARM_OPTIMIZER_TAKEN_H
#define FARM_OPTIMIZER_TAKEN_H

#include "history.h"

struct taken_slot {
    uint64_t key;   /* digest of the point; 0 = free slot */
    uint32_t count; /* trials that have it */
};
struct taken {
    uint32_t width; /* parameters */
    struct taken_slot *set;
    size_t slots, used; /* open addressing; slots is a power of two */
    uint64_t *key_of;   /* by trial; 0 = none */
    uint64_t cap;
};

void taken_init(struct taken *t, uint32_t width);
void taken_fini(struct taken *t);
/* The trial has come, or was taken back. True if a point became free by it. */
bool taken_observe(struct taken *t, const struct history *h, uint64_t trial);
bool taken_has(const struct taken *t, const double *point);

#endif
