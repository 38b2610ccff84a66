/* A hash set of digests with a count each, so that a point of two trials stays taken until both are
 * gone. Used by grid.c and tpe_tunefarm.c. */
#include "taken.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"

void taken_init(struct taken *t, uint32_t width)
{
    *t = (struct taken){.width = width, .slots = 64};
    t->set = alloc_array(t->slots, sizeof *t->set);
}

void taken_fini(struct taken *t)
{
    free(t->set);
    free(t->key_of);
}

/* FNV-1a over the values' bits, never 0. Two points of a study with one digest would need some 10^9
 * trials. */
static uint64_t digest(const struct taken *t, const double *point)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (uint32_t i = 0; i < t->width; i++) {
        double v = isnan(point[i]) ? (double)INFINITY : point[i] + 0.0;
        uint64_t bits;
        memcpy(&bits, &v, sizeof bits);
        for (int k = 0; k < 8; k++)
            h = (h ^ ((bits >> (8 * k)) & 0xff)) * UINT64_C(0x100000001b3);
    }
    return h ? h : 1;
}

static struct taken_slot *slot_of(const struct taken *t, uint64_t key)
{
    size_t i = (size_t)(key ^ key >> 32) & (t->slots - 1);
    while (t->set[i].key && t->set[i].key != key)
        i = (i + 1) & (t->slots - 1);
    return &t->set[i];
}

static void grow_set(struct taken *t)
{
    if (2 * t->used < t->slots)
        return;
    struct taken_slot *old = t->set;
    size_t n = t->slots;
    t->slots *= 2;
    t->set = alloc_array(t->slots, sizeof *t->set);
    for (size_t i = 0; i < n; i++)
        if (old[i].key)
            *slot_of(t, old[i].key) = old[i];
    free(old);
}

static void grow_keys(struct taken *t, uint64_t trial)
{
    if (trial < t->cap)
        return;
    uint64_t cap = t->cap ? t->cap : 64;
    while (cap <= trial)
        cap *= 2;
    t->key_of = alloc_grow(t->key_of, cap, sizeof *t->key_of);
    memset(t->key_of + t->cap, 0, (cap - t->cap) * sizeof *t->key_of);
    t->cap = cap;
}

static void take(struct taken *t, uint64_t key)
{
    grow_set(t);
    struct taken_slot *s = slot_of(t, key);
    t->used += s->key == 0;
    s->key = key;
    s->count++;
}

bool taken_observe(struct taken *t, const struct history *h, uint64_t trial)
{
    grow_keys(t, trial);
    bool there = history_outcome(h, trial) != OUTCOME_NONE, freed = false;
    uint64_t key = there ? digest(t, history_point(h, trial)) : 0;
    if (key == t->key_of[trial])
        return false;
    if (t->key_of[trial])
        freed = --slot_of(t, t->key_of[trial])->count == 0;
    if (key)
        take(t, key);
    t->key_of[trial] = key;
    return freed;
}

bool taken_has(const struct taken *t, const double *point)
{
    return slot_of(t, digest(t, point))->count > 0;
}
