/* Intrusive binary min-heap on (key, order): equal keys leave in order of insertion, so that every
 * run is the same. */
#ifndef FARM_BASE_HEAP_H
#define FARM_BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
    int64_t key;
    uint64_t order; /* given by the heap */
    size_t index;   /* place + 1; 0 = in no heap */
};
struct heap {
    struct heap_node **v;
    size_t n, cap;
    uint64_t next_order;
};

void heap_init(struct heap *h);
void heap_fini(struct heap *h); /* does not touch the nodes */
void heap_insert(struct heap *h, struct heap_node *x, int64_t key);
void heap_remove(struct heap *h, struct heap_node *x);              /* legal if x is in no heap */
void heap_update(struct heap *h, struct heap_node *x, int64_t key); /* inserts if absent */
struct heap_node *heap_top(const struct heap *h);                   /* NULL when empty */
static inline bool heap_has(const struct heap_node *x)
{
    return x->index != 0;
}

#endif
