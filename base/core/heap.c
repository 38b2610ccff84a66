/* Deadlines: an intrusive binary min-heap. Nodes know their place, so removing one costs a
 * logarithm.
 *
 * Used by every core for what is due when. The order of equal keys is the order of insertion,
 * because a simulation must repeat a run exactly. */
#include "heap.h"

#include <stdlib.h>

#include "alloc.h"
#include "err.h"

void heap_init(struct heap *h)
{
    *h = (struct heap){0};
}

void heap_fini(struct heap *h)
{
    free(h->v);
    *h = (struct heap){0};
}

static bool node_less(const struct heap_node *a, const struct heap_node *b)
{
    return a->key != b->key ? a->key < b->key : a->order < b->order;
}

static void heap_set(struct heap *h, size_t i, struct heap_node *x)
{
    h->v[i] = x;
    x->index = i + 1;
}

static void sift_up(struct heap *h, size_t i, struct heap_node *x)
{
    while (i > 0 && node_less(x, h->v[(i - 1) / 2])) {
        heap_set(h, i, h->v[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    heap_set(h, i, x);
}

static void sift_down(struct heap *h, size_t i, struct heap_node *x)
{
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= h->n)
            break;
        if (child + 1 < h->n && node_less(h->v[child + 1], h->v[child]))
            child++;
        if (!node_less(h->v[child], x))
            break;
        heap_set(h, i, h->v[child]);
        i = child;
    }
    heap_set(h, i, x);
}

static void heap_place(struct heap *h, size_t i, struct heap_node *x)
{
    if (i > 0 && node_less(x, h->v[(i - 1) / 2]))
        sift_up(h, i, x);
    else
        sift_down(h, i, x);
}

void heap_insert(struct heap *h, struct heap_node *x, int64_t key)
{
    REQUIRE(x->index == 0);
    if (h->n == h->cap) {
        h->cap = h->cap ? h->cap * 2 : 16;
        h->v = alloc_grow(h->v, h->cap, sizeof *h->v);
    }
    x->key = key;
    x->order = h->next_order++;
    sift_up(h, h->n++, x);
}

void heap_remove(struct heap *h, struct heap_node *x)
{
    if (x->index == 0)
        return;
    size_t i = x->index - 1;
    REQUIRE(i < h->n && h->v[i] == x);
    struct heap_node *last = h->v[--h->n];
    x->index = 0;
    if (last != x)
        heap_place(h, i, last);
}

void heap_update(struct heap *h, struct heap_node *x, int64_t key)
{
    if (x->index == 0) {
        heap_insert(h, x, key);
        return;
    }
    x->key = key;
    x->order = h->next_order++;
    heap_place(h, x->index - 1, x);
}

struct heap_node *heap_top(const struct heap *h)
{
    return h->n ? h->v[0] : NULL;
}
