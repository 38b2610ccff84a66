/* Memory that is freed as a whole: what a decoder, a parser or one turn of a core hands out.
 *
 * Sizes come from outside, so it refuses beyond its limit. Blocks double in size; a request larger
 * than a block gets one of its own. */
#include "arena.h"

#include <stdalign.h>
#include <stdlib.h>

#define ARENA_DEFAULT_LIMIT ((size_t)64 << 20)
#define ARENA_FIRST_BLOCK   ((size_t)4096)
#define ARENA_LARGEST_BLOCK ((size_t)1 << 20)

struct arena_block {
    struct arena_block *next;
    size_t size, used;
    alignas(max_align_t) unsigned char bytes[];
};

void arena_init(struct arena *a, size_t limit)
{
    *a = (struct arena){.limit = limit};
}

static void blocks_free(struct arena_block *b)
{
    while (b) {
        struct arena_block *next = b->next;
        free(b);
        b = next;
    }
}

void arena_fini(struct arena *a)
{
    blocks_free(a->head);
    *a = (struct arena){.limit = a->limit};
}

void arena_clear(struct arena *a)
{
    if (a->head) {
        blocks_free(a->head->next);
        a->head->next = NULL;
        a->head->used = 0;
    }
    a->used = 0;
}

static struct arena_block *block_add(struct arena *a, size_t n)
{
    size_t size = a->head ? a->head->size * 2 : ARENA_FIRST_BLOCK;
    if (size > ARENA_LARGEST_BLOCK)
        size = ARENA_LARGEST_BLOCK;
    if (size < n)
        size = n;
    struct arena_block *b = malloc(sizeof *b + size);
    if (!b)
        return NULL;
    *b = (struct arena_block){.next = a->head, .size = size};
    a->head = b;
    return b;
}

void *arena_alloc(struct arena *a, size_t n)
{
    size_t limit = a->limit ? a->limit : ARENA_DEFAULT_LIMIT;
    size_t align = alignof(max_align_t);
    if (n > limit || limit > SIZE_MAX / 2)
        return NULL;
    n = n ? (n + align - 1) / align * align : align;
    if (a->used > limit || n > limit - a->used)
        return NULL;
    struct arena_block *b = a->head;
    if (!b || n > b->size - b->used)
        b = block_add(a, n);
    if (!b)
        return NULL;
    void *p = b->bytes + b->used;
    b->used += n;
    a->used += n;
    return memset(p, 0, n);
}

void *arena_array(struct arena *a, size_t count, size_t size)
{
    if (size && count > SIZE_MAX / 2 / size)
        return NULL;
    return arena_alloc(a, count * size);
}

struct str arena_dup(struct arena *a, struct str s)
{
    char *p = s.n < SIZE_MAX ? arena_alloc(a, s.n + 1) : NULL;
    if (!p)
        return (struct str){NULL, 0};
    if (s.n)
        memcpy(p, s.p, s.n);
    return str_make(p, s.n);
}
