/* Growable bytes. Sizes come from peers and files, so growth refuses beyond the limit instead of
 * aborting, and the refusal is kept in the buffer until somebody asks: a writer of forty fields
 * checks once.
 *
 * Called by codecs, JSON, options and logs; knows none of them. */
#include "buf.h"

#include <stdio.h>
#include <stdlib.h>

#define BUF_DEFAULT_LIMIT ((size_t)1 << 30)

void buf_init(struct buf *b, size_t limit)
{
    *b = (struct buf){.limit = limit};
}

void buf_fini(struct buf *b)
{
    free(b->p);
    *b = (struct buf){.limit = b->limit};
}

void buf_clear(struct buf *b)
{
    b->n = 0;
    b->bad = false;
}

/* Room for n more bytes and one terminator, which is not counted against the limit. */
void *buf_reserve(struct buf *b, size_t n)
{
    size_t limit = b->limit ? b->limit : BUF_DEFAULT_LIMIT;
    if (b->bad || b->n > limit || n > limit - b->n) {
        b->bad = true;
        return NULL;
    }
    size_t need = b->n + n + 1;
    if (need > b->cap) {
        size_t cap = b->cap ? b->cap : 64;
        while (cap < need)
            cap = cap > SIZE_MAX / 2 ? need : cap * 2;
        char *p = realloc(b->p, cap);
        if (!p) {
            b->bad = true;
            return NULL;
        }
        b->p = p;
        b->cap = cap;
    }
    return b->p + b->n;
}

void buf_add(struct buf *b, const void *p, size_t n)
{
    if (n == 0)
        return;
    char *to = buf_reserve(b, n);
    if (to) {
        memcpy(to, p, n);
        b->n += n;
    }
}

void buf_add_str(struct buf *b, struct str s)
{
    buf_add(b, s.p, s.n);
}

void buf_addz(struct buf *b, const char *z)
{
    buf_add(b, z, strlen(z));
}

void buf_addc(struct buf *b, char c)
{
    buf_add(b, &c, 1);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0) {
        b->bad = true;
        return;
    }
    char *to = buf_reserve(b, (size_t)n);
    if (!to)
        return;
    va_start(ap, fmt);
    vsnprintf(to, (size_t)n + 1, fmt, ap);
    va_end(ap);
    b->n += (size_t)n;
}

void buf_consume(struct buf *b, size_t n)
{
    REQUIRE(n <= b->n);
    b->n -= n;
    if (b->n && n)
        memmove(b->p, b->p + n, b->n);
}

bool buf_ok(const struct buf *b)
{
    return !b->bad;
}

struct str buf_str(const struct buf *b)
{
    return str_make(b->p, b->n);
}

const char *buf_z(struct buf *b)
{
    if (b->bad || !buf_reserve(b, 0))
        return "";
    b->p[b->n] = 0;
    return b->p;
}

char *buf_takez(struct buf *b)
{
    char *z;
    if (b->bad || !buf_reserve(b, 0)) {
        buf_fini(b);
        z = str_dupz(STR(""));
    } else {
        b->p[b->n] = 0;
        z = b->p;
    }
    *b = (struct buf){.limit = b->limit};
    return z;
}
