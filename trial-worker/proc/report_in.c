/* Lines out of a stream of bytes. Called by child.c for the report channel and for output that is
 * scraped, and by the fuzz target. It must not know what a line means.
 *
 * Reading goes on whatever comes, so that a child never waits for the worker: a line over the limit
 * is skipped up to its newline and counted. Whole lines are handed on where they stand; only a cut
 * one is copied. */
#include "report_in.h"

#include <stdlib.h>

#include "alloc.h"

void report_in_init(struct report_in *r)
{
    *r = (struct report_in){0};
}

void report_in_fini(struct report_in *r)
{
    free(r->part);
    *r = (struct report_in){0};
}

static void emit(struct str line, report_in_line *cb, void *self)
{
    if (line.n > 0 && line.p[line.n - 1] == '\r')
        line.n--;
    if (line.n > 0)
        cb(self, line);
}

static void too_long(struct report_in *r)
{
    r->skipped++;
    r->skipping = true;
    r->n = 0;
}

static void keep(struct report_in *r, struct str s)
{
    if (r->skipping || s.n == 0)
        return;
    if (s.n > REPORT_LINE_MAX - r->n) {
        too_long(r);
        return;
    }
    if (r->cap < r->n + s.n) {
        size_t cap = r->cap ? r->cap : 256;
        while (cap < r->n + s.n)
            cap *= 2;
        r->part = alloc_grow(r->part, cap, 1);
        r->cap = cap;
    }
    memcpy(r->part + r->n, s.p, s.n);
    r->n += s.n;
}

static void finish_line(struct report_in *r, struct str s, report_in_line *cb, void *self)
{
    if (r->skipping) {
        r->skipping = false;
        return;
    }
    if (r->n == 0 && s.n <= REPORT_LINE_MAX) {
        emit(s, cb, self);
        return;
    }
    keep(r, s);
    if (!r->skipping)
        emit(str_make(r->part, r->n), cb, self);
    r->skipping = false;
    r->n = 0;
}

void report_in_feed(struct report_in *r, struct str bytes, report_in_line *cb, void *self)
{
    const char *nl;
    while (bytes.n > 0 && (nl = memchr(bytes.p, '\n', bytes.n)) != NULL) {
        size_t n = (size_t)(nl - bytes.p);
        finish_line(r, str_make(bytes.p, n), cb, self);
        bytes = str_make(nl + 1, bytes.n - n - 1);
    }
    keep(r, bytes);
}

void report_in_end(struct report_in *r, report_in_line *cb, void *self)
{
    if (r->n > 0 && !r->skipping)
        emit(str_make(r->part, r->n), cb, self);
    r->n = 0;
    r->skipping = false;
}
