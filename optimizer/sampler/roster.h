/* Trials in a given order, their places on the axes by column: what the kernels sum over. */
#ifndef FARM_OPTIMIZER_ROSTER_H
#define FARM_OPTIMIZER_ROSTER_H

#include <stdint.h>

#define ROSTER_LANES  64      /* columns are padded with zeros to a multiple of it */
#define ROSTER_ABSENT (-1.0F) /* place of a trial on an axis that it does not have */

struct roster {
    uint32_t width;  /* axes */
    uint32_t n, cap; /* rows; cap is a multiple of ROSTER_LANES */
    uint32_t *trial; /* by row */
    float *columns;  /* width columns of cap places */
};

void roster_init(struct roster *r, uint32_t width);
void roster_fini(struct roster *r);
static inline const float *roster_column(const struct roster *r, uint32_t axis)
{
    return r->columns + (uint64_t)axis * r->cap;
}
/* places: width of them. */
void roster_insert(struct roster *r, uint32_t at, uint32_t trial, const float *places);
void roster_remove(struct roster *r, uint32_t at);
void roster_get(const struct roster *r, uint32_t at, float *places);
/* The first row whose trial is not below; for rows in order of trial number. */
uint32_t roster_find(const struct roster *r, uint32_t trial);
/* Removes the rows for which keep(trial, arg) is false. */
void roster_filter(struct roster *r, int (*keep)(uint32_t trial, uint32_t arg), uint32_t arg);

#endif
