/* An ordered table of places, column by column, so that a kernel sum streams through memory. Used
 * by evidence.c, read by product_kernel.c. The order is the owner's; nothing here knows a loss. */
#include "roster.h"

#include <stdlib.h>
#include <string.h>

#include "alloc.h"

void roster_init(struct roster *r, uint32_t width)
{
    *r = (struct roster){.width = width};
}

void roster_fini(struct roster *r)
{
    free(r->trial);
    free(r->columns);
}

static void grow(struct roster *r)
{
    uint32_t cap = r->cap ? 2 * r->cap : 4 * ROSTER_LANES;
    float *columns = alloc_array((size_t)cap * (r->width ? r->width : 1), sizeof *columns);
    for (uint32_t a = 0; a < r->width && r->n; a++)
        memcpy(columns + (size_t)a * cap, roster_column(r, a), r->n * sizeof *columns);
    free(r->columns);
    r->columns = columns;
    r->trial = alloc_grow(r->trial, cap, sizeof *r->trial);
    r->cap = cap;
}

void roster_insert(struct roster *r, uint32_t at, uint32_t trial, const float *places)
{
    if (r->n == r->cap)
        grow(r);
    size_t behind = r->n - at;
    memmove(r->trial + at + 1, r->trial + at, behind * sizeof *r->trial);
    r->trial[at] = trial;
    for (uint32_t a = 0; a < r->width; a++) {
        float *c = r->columns + (size_t)a * r->cap + at;
        memmove(c + 1, c, behind * sizeof *c);
        *c = places[a];
    }
    r->n++;
}

void roster_remove(struct roster *r, uint32_t at)
{
    size_t behind = r->n - at - 1;
    memmove(r->trial + at, r->trial + at + 1, behind * sizeof *r->trial);
    for (uint32_t a = 0; a < r->width; a++) {
        float *c = r->columns + (size_t)a * r->cap + at;
        memmove(c, c + 1, behind * sizeof *c);
        c[behind] = 0;
    }
    r->n--;
}

void roster_get(const struct roster *r, uint32_t at, float *places)
{
    for (uint32_t a = 0; a < r->width; a++)
        places[a] = roster_column(r, a)[at];
}

uint32_t roster_find(const struct roster *r, uint32_t trial)
{
    uint32_t lo = 0, hi = r->n;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (r->trial[mid] < trial)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

void roster_filter(struct roster *r, int (*keep)(uint32_t trial, uint32_t arg), uint32_t arg)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < r->n; i++) {
        if (!keep(r->trial[i], arg))
            continue;
        r->trial[n] = r->trial[i];
        for (uint32_t a = 0; a < r->width; a++) {
            float *c = r->columns + (size_t)a * r->cap;
            c[n] = c[i];
        }
        n++;
    }
    for (uint32_t a = 0; n < r->n && a < r->width; a++)
        memset(r->columns + (size_t)a * r->cap + n, 0, (r->n - n) * sizeof(float));
    r->n = n;
}
