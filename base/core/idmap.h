/* Hash map from a 64-bit id to a pointer. Open addressing; iteration is in order of insertion
 * (removals keep it), never in hash order. */
#ifndef FARM_BASE_IDMAP_H
#define FARM_BASE_IDMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct idmap_entry {
    uint64_t id;
    void *p; /* NULL = removed */
};
struct idmap {
    struct idmap_entry *entries; /* dense, insertion order, with holes */
    uint32_t *slots;             /* index + 1 into entries; 0 = free */
    size_t n, used, cap, slots_n;
};

void idmap_init(struct idmap *m);
void idmap_fini(struct idmap *m);
void *idmap_get(const struct idmap *m, uint64_t id);   /* NULL if absent */
void idmap_put(struct idmap *m, uint64_t id, void *p); /* p not NULL; id must be absent */
void *idmap_remove(struct idmap *m, uint64_t id);      /* what was there, or NULL */
/* Iterates: *pos starts at 0; NULL at the end. Entries may be removed while iterating, not added.
 */
void *idmap_next(const struct idmap *m, size_t *pos);

#endif
