/* The queue of proposals on their way through the broker: almost always first in, first out.
 *
 * Owned by a tuner. It holds the points so that a record that comes back as it was sent need not be
 * parsed. */
#include "inflight.h"

#include <stdlib.h>

#include "alloc.h"
#include "err.h"

static void flight_fini(struct flight *f)
{
    free(f->point);
    free(f->params);
    free(f->why);
}

void inflight_clear(struct inflight *q)
{
    for (size_t i = 0; i < q->n; i++)
        flight_fini(&q->v[q->first + i]);
    q->first = q->n = 0;
}

void inflight_fini(struct inflight *q)
{
    inflight_clear(q);
    free(q->v);
    *q = (struct inflight){0};
}

struct flight *inflight_push(struct inflight *q)
{
    if (q->first + q->n == q->cap) {
        if (q->first > q->n) {
            memmove(q->v, q->v + q->first, q->n * sizeof *q->v);
            q->first = 0;
        } else {
            q->cap = q->cap ? 2 * q->cap : 16;
            q->v = alloc_grow(q->v, q->cap, sizeof *q->v);
        }
    }
    struct flight *f = &q->v[q->first + q->n++];
    *f = (struct flight){0};
    return f;
}

struct flight *inflight_at(struct inflight *q, size_t i)
{
    REQUIRE(i < q->n);
    return &q->v[q->first + i];
}

size_t inflight_find(const struct inflight *q, uint64_t draw)
{
    size_t i = 0;
    while (i < q->n && q->v[q->first + i].draw != draw)
        i++;
    return i;
}

void inflight_remove(struct inflight *q, size_t i)
{
    REQUIRE(i < q->n);
    flight_fini(&q->v[q->first + i]);
    if (i == 0) {
        q->first++;
        q->n--;
        return;
    }
    memmove(&q->v[q->first + i], &q->v[q->first + i + 1], (q->n - i - 1) * sizeof *q->v);
    q->n--;
}
