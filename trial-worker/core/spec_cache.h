/* The specs that a worker knows, by digest. */
#ifndef FARM_TRIAL_WORKER_SPEC_CACHE_H
#define FARM_TRIAL_WORKER_SPEC_CACHE_H

#include "list.h"
#include "worker_out.h"

#define SPEC_CACHE_IDLE 256 /* specs kept that no attempt uses */

enum spec_state { SPEC_FETCHING, SPEC_PREPARING, SPEC_READY };

struct spec_entry {
    struct list link;    /* in the cache, the one used last first */
    struct list waiting; /* struct attempt.waits: attempts that cannot start yet */
    struct digest digest;
    enum spec_state state;
    struct spec *spec; /* NULL while it is fetched */
    bool asked;        /* the fetch was begun */
    uint32_t users;
};
struct spec_cache {
    struct list entries;
    size_t n;
};

void spec_cache_init(struct spec_cache *c);
void spec_cache_fini(struct spec_cache *c); /* frees everything; no effects */
struct spec_entry *spec_cache_find(struct spec_cache *c, struct digest d); /* NULL = unknown */
/* The entry with one more user; a new one is SPEC_FETCHING. Lets go of the oldest idle ones beyond
 * the limit. */
struct spec_entry *spec_cache_use(struct spec_cache *c, struct digest d, struct worker_out *fx);
void spec_cache_leave(struct spec_entry *e); /* one user less */
/* Removes an entry without users. */
void spec_cache_drop(struct spec_cache *c, struct spec_entry *e, struct worker_out *fx);

#endif
