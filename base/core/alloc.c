/* The two ways to get memory: aborting for small objects of our own size, refusing for what others
 * can size.
 *
 * Every folder calls this. A process without memory for a small object could only fail in a place
 * that nobody tests; ending it is the tested path, because a restart recovers. What a budget
 * refuses is an error that callers report. */
#include "alloc.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Noreturn void out_of_memory(size_t n)
{
    fprintf(stderr, "out of memory: %zu bytes were asked for\n", n);
    abort();
}

void *alloc_zero(size_t n)
{
    void *p = calloc(1, n ? n : 1);
    if (!p)
        out_of_memory(n);
    return p;
}

void *alloc_array(size_t count, size_t size)
{
    void *p = calloc(count ? count : 1, size ? size : 1);
    if (!p)
        out_of_memory(size && count > SIZE_MAX / size ? SIZE_MAX : count * size);
    return p;
}

void *alloc_grow(void *p, size_t count, size_t size)
{
    if (size && count > SIZE_MAX / size)
        out_of_memory(SIZE_MAX);
    void *q = realloc(p, count && size ? count * size : 1);
    if (!q)
        out_of_memory(count * size);
    return q;
}

bool budget_charge(struct budget *b, size_t n)
{
    if (b->fail_in > 0 && --b->fail_in == 0)
        return false;
    if (n > SIZE_MAX - b->used || (b->limit && b->used + n > b->limit))
        return false;
    b->used += n;
    if (b->used > b->peak)
        b->peak = b->used;
    return true;
}

void budget_release(struct budget *b, size_t n)
{
    b->used -= n < b->used ? n : b->used;
}

void *try_alloc(struct budget *b, size_t n)
{
    if (b && !budget_charge(b, n))
        return NULL;
    void *p = calloc(1, n ? n : 1);
    if (!p && b)
        budget_release(b, n);
    return p;
}

void *try_grow(struct budget *b, void *p, size_t old_n, size_t new_n)
{
    if (b && new_n > old_n && !budget_charge(b, new_n - old_n))
        return NULL;
    void *q = realloc(p, new_n ? new_n : 1);
    if (!q) {
        if (b && new_n > old_n)
            budget_release(b, new_n - old_n);
        return NULL;
    }
    if (new_n > old_n)
        memset((char *)q + old_n, 0, new_n - old_n);
    else if (b)
        budget_release(b, old_n - new_n);
    return q;
}

void try_free(struct budget *b, void *p, size_t n)
{
    if (p && b)
        budget_release(b, n);
    free(p);
}
