/* Proposals whose record has not come back, oldest first. */
#ifndef FARM_OPTIMIZER_INFLIGHT_H
#define FARM_OPTIMIZER_INFLIGHT_H

#include "str.h"

struct flight {
    uint64_t draw;
    uint64_t
        trial; /* the number it is expected to get; the history has it under this one meanwhile */
    double *point;
    char *params, *why; /* JSON, terminated; params_n without the terminator */
    size_t params_n, why_n;
};
struct inflight {
    struct flight *v;
    size_t first, n, cap; /* v[first .. first + n) */
};

void inflight_fini(struct inflight *q);
struct flight *inflight_push(struct inflight *q); /* zeroed; owns what is put in */
struct flight *inflight_at(struct inflight *q, size_t i);
/* Index of a draw, or n. */
size_t inflight_find(const struct inflight *q, uint64_t draw);
void inflight_remove(struct inflight *q, size_t i);
void inflight_clear(struct inflight *q);

#endif
