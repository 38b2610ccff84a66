/* Memory freed as a whole. Refuses beyond its limit. */
#ifndef FARM_BASE_ARENA_H
#define FARM_BASE_ARENA_H

#include "str.h"

struct arena_block;
struct arena {
    struct arena_block *head;
    size_t used, limit; /* bytes handed out; limit 0 = 64 MiB */
};

void arena_init(struct arena *a, size_t limit);
void arena_fini(struct arena *a);
void arena_clear(struct arena *a); /* everything handed out is gone; one block is kept for reuse */
void *arena_alloc(struct arena *a, size_t n); /* zeroed, aligned for any type; NULL when refused */
void *arena_array(struct arena *a, size_t count, size_t size); /* overflow-checked */
struct str arena_dup(struct arena *a,
                     struct str s); /* copy with a terminator behind it; p NULL when refused */

#endif
