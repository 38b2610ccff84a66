/* Trials in a given order, their places on the axes by column: what the kernels sum over. */
#ifndef FARM_OPTIMIZER_ROWS_H
#define FARM_OPTIMIZER_ROWS_H

#include <stdint.h>

#define ROWS_LANES  64      /* columns are padded with zeros to a multiple of it */
#define ROWS_ABSENT (-1.0F) /* place of a trial on an axis that it does not have */

struct rows {
    uint32_t width;  /* axes */
    uint32_t n, cap; /* rows; cap is a multiple of ROWS_LANES */
    uint32_t *trial; /* by row */
    float *columns;  /* width columns of cap places */
};

void rows_init(struct rows *r, uint32_t width);
void rows_fini(struct rows *r);
static inline const float *rows_column(const struct rows *r, uint32_t axis)
{
    return r->columns + (uint64_t)axis * r->cap;
}
/* places: width of them. */
void rows_insert(struct rows *r, uint32_t at, uint32_t trial, const float *places);
void rows_remove(struct rows *r, uint32_t at);
void rows_get(const struct rows *r, uint32_t at, float *places);
/* The first row whose trial is not below; for rows in order of trial number. */
uint32_t rows_find(const struct rows *r, uint32_t trial);
/* Removes the rows for which keep(trial, arg) is false. */
void rows_filter(struct rows *r, int (*keep)(uint32_t trial, uint32_t arg), uint32_t arg);

#endif
