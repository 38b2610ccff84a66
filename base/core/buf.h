/* Growable bytes with a limit. The first refused append makes the buffer bad: later appends do
 * nothing, buf_ok() says so once at the end. */
#ifndef FARM_BASE_BUF_H
#define FARM_BASE_BUF_H

#include "err.h"
#include "str.h"

struct buf {
    char *p;
    size_t n, cap;
    size_t limit; /* bytes it may hold; 0 = 1 GiB */
    bool bad;
};

void buf_init(struct buf *b, size_t limit);
void buf_fini(struct buf *b);  /* legal on a zeroed or finished buf */
void buf_clear(struct buf *b); /* keeps the memory, clears bad */
void buf_add(struct buf *b, const void *p, size_t n);
void buf_add_str(struct buf *b, struct str s);
void buf_addz(struct buf *b, const char *z);
void buf_addc(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void *
buf_reserve(struct buf *b,
            size_t n); /* room for n more bytes; NULL when refused. Commit by adding to b->n */
void buf_consume(struct buf *b, size_t n); /* drops the first n bytes */
bool buf_ok(const struct buf *b);
struct str buf_str(const struct buf *b); /* borrowed until the next change */
const char *buf_z(struct buf *b); /* terminated view; terminator not counted in n; "" when bad */
char *buf_takez(struct buf *b); /* moves the terminated bytes out (free() them); b is empty after */

#endif
