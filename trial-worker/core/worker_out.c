/* The list of effects of the worker's core. Called by every file of this folder that has something
 * to say to the outside; read by the shell. It must not know what an effect is for. One growing
 * array and one arena are reused from turn to turn, so that a trial costs no allocation here. */
#include "worker_out.h"

#include <stdio.h>
#include <stdlib.h>

#include "alloc.h"
#include "attempt.h"
#include "codec.h"

static const char *const ids[] = {
#define FACT_ID(name, id, text) id,
    WORKER_FACT_LIST(FACT_ID)
#undef FACT_ID
};

const char *worker_fact_id(enum worker_fact f)
{
    return f < FACT_COUNT ? ids[f] : "?";
}

bool worker_fact_routine(enum worker_fact f)
{
    return f == FACT_ASSIGNED || f == FACT_STARTED || f == FACT_ENDED || f == FACT_ACKED;
}

void worker_out_init(struct worker_out *o)
{
    *o = (struct worker_out){0};
    arena_init(&o->arena, 0);
    buf_init(&o->scratch, 0);
}

void worker_out_fini(struct worker_out *o)
{
    free(o->v);
    arena_fini(&o->arena);
    buf_fini(&o->scratch);
    *o = (struct worker_out){0};
}

void worker_out_clear(struct worker_out *o)
{
    o->n = 0;
    arena_clear(&o->arena);
}

struct worker_fx *worker_out_add(struct worker_out *o, enum worker_fx_kind kind)
{
    if (o->n == o->cap) {
        o->cap = o->cap ? o->cap * 2 : 16;
        o->v = alloc_grow(o->v, o->cap, sizeof *o->v);
    }
    struct worker_fx *x = &o->v[o->n++];
    *x = (struct worker_fx){.kind = kind};
    return x;
}

struct str worker_out_text(struct worker_out *o, struct str s)
{
    return arena_dup(&o->arena, s);
}

static void message(struct worker_out *o, enum worker_fx_kind how, uint64_t session, unsigned kind,
                    const void *msg)
{
    buf_clear(&o->scratch);
    message_encode(&o->scratch, kind, msg);
    struct str body =
        buf_ok(&o->scratch) ? arena_dup(&o->arena, buf_str(&o->scratch)) : (struct str){0};
    if (!body.p)
        return;
    struct worker_fx *x = worker_out_add(o, how);
    x->message = kind;
    x->session = session;
    x->body = body;
}

void worker_out_send(struct worker_out *o, uint64_t session, unsigned kind, const void *msg)
{
    if (session != 0 || kind == MSG_HELLO)
        message(o, WFX_SEND, session, kind, msg);
}

void worker_out_spool(struct worker_out *o, unsigned kind, const void *msg)
{
    message(o, WFX_SPOOL, 0, kind, msg);
}

void worker_out_fact(struct worker_out *o, enum worker_fact f, const struct attempt *a,
                     const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    size_t len = n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
    struct worker_fx *x = worker_out_add(o, WFX_FACT);
    x->fact = f;
    x->body = worker_out_text(o, str_make(text, str_utf8_cut(str_make(text, len), len)));
    if (a) {
        x->run_id = a->desc.run;
        x->study = a->desc.study;
        x->trial = a->desc.trial;
        x->attempt = a->number;
    }
}
