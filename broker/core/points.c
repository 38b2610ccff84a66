/* What a person added to `enqueue` of a study that exists. Nothing of search is known here, so a
 * point is the bytes of what was given of it; the submitter writes each in one way only. What was
 * drawn in addition changes with the space and makes no new point.
 *
 * Called by on_client.c. The lists may have 10,000 points each. */
#include "points.h"

#include <stdlib.h>

#include "alloc.h"

static int by_text(const void *x, const void *y)
{
    return str_cmp(*(const struct str *)x, *(const struct str *)y);
}

/* The first of the sorted texts that is not before s. */
static uint32_t find(const struct str *sorted, uint32_t n, struct str s)
{
    uint32_t low = 0, high = n;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (str_cmp(sorted[middle], s) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static const struct str *given(const struct envelope *env)
{
    return env->given ? env->given : env->enqueue;
}

struct points points_added(const struct envelope *was, const struct envelope *now)
{
    uint32_t n = was->n_enqueue;
    struct points added = {alloc_array((size_t)now->n_enqueue + 1, sizeof *added.v), 0};
    struct str *sorted = alloc_array((size_t)n + 1, sizeof *sorted);
    uint32_t *used = alloc_array((size_t)n + 1, sizeof *used); /* by the first of equal ones */
    if (n) {
        memcpy(sorted, given(was), n * sizeof *sorted);
        qsort(sorted, n, sizeof *sorted, by_text);
    }
    for (uint32_t i = 0; i < now->n_enqueue; i++) {
        struct str point = given(now)[i];
        uint32_t first = find(sorted, n, point), at = first + used[first];
        if (at < n && str_eq(sorted[at], point))
            used[first]++;
        else
            added.v[added.n++] = now->enqueue[i];
    }
    free(sorted);
    free(used);
    return added;
}
