/* Id to pointer. A dense array keeps the order of insertion, a table of indices finds in it; a
 * removal leaves a hole in the array and a slot that points at it, and both go when the table is
 * built anew.
 *
 * Ids can be chosen by peers (session numbers, request ids), so they are mixed before they choose a
 * slot. That keeps ordinary patterns apart; it is no defence against crafted collisions, which the
 * limits on entries bound. */
#include "idmap.h"

#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "err.h"

void idmap_init(struct idmap *m)
{
    *m = (struct idmap){0};
}

void idmap_fini(struct idmap *m)
{
    free(m->entries);
    free(m->slots);
    *m = (struct idmap){0};
}

/* The finaliser of SplitMix64: every bit of the id reaches every bit of the result. */
static uint64_t id_mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static struct idmap_entry *idmap_find(const struct idmap *m, uint64_t id)
{
    if (m->slots_n == 0)
        return NULL;
    for (size_t i = id_mix(id) & (m->slots_n - 1);; i = (i + 1) & (m->slots_n - 1)) {
        if (m->slots[i] == 0)
            return NULL;
        struct idmap_entry *e = &m->entries[m->slots[i] - 1];
        if (e->id == id && e->p)
            return e;
    }
}

static void slot_fill(struct idmap *m, size_t index)
{
    size_t i = id_mix(m->entries[index].id) & (m->slots_n - 1);
    while (m->slots[i])
        i = (i + 1) & (m->slots_n - 1);
    m->slots[i] = (uint32_t)index + 1;
}

/* Squeezes the holes out and makes the table fit; entries fill at most half of it. */
static void idmap_rebuild(struct idmap *m)
{
    size_t k = 0;
    for (size_t i = 0; i < m->used; i++)
        if (m->entries[i].p)
            m->entries[k++] = m->entries[i];
    m->used = k;
    size_t cap = 8;
    while (cap < k * 2)
        cap *= 2;
    REQUIRE(cap < UINT32_MAX / 2);
    m->entries = alloc_grow(m->entries, cap, sizeof *m->entries);
    m->cap = cap;
    free(m->slots);
    m->slots_n = cap * 2;
    m->slots = alloc_array(m->slots_n, sizeof *m->slots);
    for (size_t i = 0; i < k; i++)
        slot_fill(m, i);
}

void *idmap_get(const struct idmap *m, uint64_t id)
{
    struct idmap_entry *e = idmap_find(m, id);
    return e ? e->p : NULL;
}

void idmap_put(struct idmap *m, uint64_t id, void *p)
{
    REQUIRE(p != NULL);
    REQUIRE(idmap_find(m, id) == NULL);
    if (m->used == m->cap)
        idmap_rebuild(m);
    m->entries[m->used] = (struct idmap_entry){id, p};
    slot_fill(m, m->used++);
    m->n++;
}

void *idmap_remove(struct idmap *m, uint64_t id)
{
    struct idmap_entry *e = idmap_find(m, id);
    if (!e)
        return NULL;
    void *p = e->p;
    e->p = NULL;
    m->n--;
    return p;
}

void *idmap_next(const struct idmap *m, size_t *pos)
{
    while (*pos < m->used) {
        void *p = m->entries[(*pos)++].p;
        if (p)
            return p;
    }
    return NULL;
}
