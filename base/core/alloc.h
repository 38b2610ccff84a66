/* Two ways to get memory: small objects of fixed size abort the process when there is none (a
 * restart recovers from the journal); anything a peer, a file or a user can size goes through a
 * bounded allocator that refuses. */
#ifndef FARM_BASE_ALLOC_H
#define FARM_BASE_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

void *alloc_zero(size_t n);                           /* never NULL */
void *alloc_array(size_t count, size_t size);         /* zeroed; overflow-checked; never NULL */
void *alloc_grow(void *p, size_t count, size_t size); /* realloc of an array; never NULL */

/* A budget shared by everything that is charged to it. Frees nothing by itself: whoever charged
 * must release. */
struct budget {
    size_t limit; /* bytes; 0 = unlimited */
    size_t used;
    size_t peak;
    long fail_in; /* fault injection: > 0 counts down and refuses the one that reaches 0; 0 = off */
};
bool budget_charge(struct budget *b, size_t n); /* false: refused, nothing changed */
void budget_release(struct budget *b, size_t n);
void *try_alloc(struct budget *b, size_t n); /* zeroed; NULL when refused. b may be NULL */
void *try_grow(struct budget *b, void *p, size_t old_n,
               size_t new_n); /* NULL when refused: p stays valid */
void try_free(struct budget *b, void *p, size_t n);

#endif
