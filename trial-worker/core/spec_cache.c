/* Parsed specs by digest, with the attempts that wait for each. Called by grant.c. It must not know
 * how a spec is fetched nor what its files are for. Entries are few (one a study), so they stand in
 * a list, the one used last first. */
#include "spec_cache.h"

#include <stdlib.h>

#include "alloc.h"

void spec_cache_init(struct spec_cache *c)
{
    list_init(&c->entries);
    c->n = 0;
}

static void free_entry(struct spec_entry *e)
{
    list_remove(&e->link);
    spec_free(e->spec);
    free(e);
}

void spec_cache_fini(struct spec_cache *c)
{
    LIST_FOREACH_SAFE (it, tmp, &c->entries)
        free_entry(CONTAINER_OF(it, struct spec_entry, link));
    c->n = 0;
}

struct spec_entry *spec_cache_find(struct spec_cache *c, struct digest d)
{
    LIST_FOREACH (it, &c->entries) {
        struct spec_entry *e = CONTAINER_OF(it, struct spec_entry, link);
        if (digest_eq(e->digest, d))
            return e;
    }
    return NULL;
}

void spec_cache_drop(struct spec_cache *c, struct spec_entry *e, struct worker_out *fx)
{
    REQUIRE(e->users == 0 && list_empty(&e->waiting));
    if (e->spec)
        worker_out_add(fx, WFX_DROP_SPEC)->digest = e->digest;
    free_entry(e);
    c->n--;
}

/* Drops from the far end. The spec is freed at once: the effect tells its digest only. */
static void shrink(struct spec_cache *c, struct worker_out *fx)
{
    struct list *it = c->entries.prev;
    while (c->n > SPEC_CACHE_IDLE && it != &c->entries) {
        struct spec_entry *e = CONTAINER_OF(it, struct spec_entry, link);
        it = it->prev;
        if (e->users == 0 && e->state == SPEC_READY)
            spec_cache_drop(c, e, fx);
    }
}

struct spec_entry *spec_cache_use(struct spec_cache *c, struct digest d, struct worker_out *fx)
{
    struct spec_entry *e = spec_cache_find(c, d);
    if (!e) {
        shrink(c, fx);
        e = alloc_zero(sizeof *e);
        e->digest = d;
        list_init(&e->link);
        list_init(&e->waiting);
        c->n++;
    }
    list_remove(&e->link);
    list_push_front(&c->entries, &e->link);
    e->users++;
    return e;
}

void spec_cache_leave(struct spec_entry *e)
{
    REQUIRE(e->users > 0);
    e->users--;
}
