/* The list of effects that one turn of the link makes: one growing array and one growing buffer,
 * reused.
 *
 * Filled by link.c and attachment.c, carried out by optimizer.c. */
#include "link_out.h"

#include <stdio.h>
#include <stdlib.h>

#include "alloc.h"
#include "codec.h"

void link_out_init(struct link_out *o)
{
    *o = (struct link_out){.fatal = ERR_OK};
    buf_init(&o->bytes, 0);
}

void link_out_fini(struct link_out *o)
{
    free(o->v);
    buf_fini(&o->bytes);
}

void link_out_clear(struct link_out *o)
{
    o->n = 0;
    buf_clear(&o->bytes);
}

static struct link_effect *add(struct link_out *o)
{
    if (o->n == o->cap) {
        o->cap = o->cap ? 2 * o->cap : 16;
        o->v = alloc_grow(o->v, o->cap, sizeof *o->v);
    }
    struct link_effect *e = &o->v[o->n++];
    *e = (struct link_effect){.at = o->bytes.n};
    return e;
}

void link_out_send(struct link_out *o, uint64_t session, unsigned kind, const void *msg)
{
    struct link_effect *e = add(o);
    e->kind = kind;
    e->session = session;
    message_encode(&o->bytes, kind, msg);
    e->n = o->bytes.n - e->at;
}

void link_out_fact(struct link_out *o, enum log_level level, const char *id, const char *fmt, ...)
{
    char text[2048];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    struct link_effect *e = add(o);
    e->level = level;
    e->id = id;
    buf_addz(&o->bytes, text);
    e->n = o->bytes.n - e->at;
}

struct str link_out_text(const struct link_out *o, const struct link_effect *e)
{
    return str_make(o->bytes.p + e->at, e->n);
}
