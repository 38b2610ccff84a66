/* Orders for specs and files. Called by agent.c. It must not know attempts nor the connection.
 *
 * An order is a spec (its bytes are handed on) or the files of a spec (its directory is made). What
 * is in the cache is used, the rest is fetched by digest, once for all orders that need it. Bytes
 * are believed only when they have the digest that was asked for. */
#include "supply.h"

#include <stdlib.h>

#include "alloc.h"
#include "blob_fetch.h"

struct order {
    struct list link;
    struct digest digest;    /* of the spec */
    const struct spec *spec; /* NULL: the spec itself is wanted */
};
struct supply {
    struct files *files;
    struct supply_events e;
    struct blob_fetch fetch;
    struct files_part part;
    struct list orders;
    struct list failures;
    bool dirty;
};
struct failure {
    struct list link;
    struct digest digest; /* of the blob */
    char *text;           /* owned */
    bool forever;
};

/* ---- the sink of blob_fetch ---- */

static err_t on_piece(void *self, struct digest d, uint64_t offset, struct str bytes,
                      struct errmsg *em)
{
    struct supply *s = self;
    if (offset == 0) {
        files_part_abandon(&s->part);
        err_t e = files_part_open(s->files, d, &s->part, em);
        if (e)
            return e;
    }
    return files_part_write(&s->part, bytes, em);
}

static err_t on_complete(void *self, struct digest d, struct errmsg *em)
{
    struct supply *s = self;
    return files_part_finish(s->files, d, &s->part, em);
}

static void on_abandon(void *self, struct digest d)
{
    struct supply *s = self;
    (void)d;
    files_part_abandon(&s->part);
}

static void on_ended(void *self, struct digest d, struct str text, bool forever)
{
    struct supply *s = self;
    s->dirty = true;
    if (text.n == 0)
        return;
    struct failure *f = alloc_zero(sizeof *f);
    f->digest = d;
    f->text = str_dupz(text);
    f->forever = forever;
    list_push(&s->failures, &f->link);
}

static void on_send(void *self, const struct msg_get_blob *m)
{
    struct supply *s = self;
    s->e.send(s->e.self, m);
}

/* ---- orders ---- */

struct supply *supply_new(struct files *f, const struct supply_events *e)
{
    struct supply *s = alloc_zero(sizeof *s);
    struct blob_sink sink = {s, on_piece, on_complete, on_abandon, on_ended, on_send};
    s->files = f;
    s->e = *e;
    s->part.fd = -1;
    list_init(&s->orders);
    list_init(&s->failures);
    blob_fetch_init(&s->fetch, &sink);
    return s;
}

static void free_failure(struct failure *f)
{
    list_remove(&f->link);
    free(f->text);
    free(f);
}

static void free_order(struct order *o)
{
    list_remove(&o->link);
    free(o);
}

void supply_free(struct supply *s)
{
    if (!s)
        return;
    blob_fetch_fini(&s->fetch);
    LIST_FOREACH_SAFE (it, tmp, &s->orders)
        free_order(CONTAINER_OF(it, struct order, link));
    LIST_FOREACH_SAFE (it, tmp, &s->failures)
        free_failure(CONTAINER_OF(it, struct failure, link));
    free(s);
}

static void add_order(struct supply *s, struct digest d, const struct spec *spec)
{
    struct order *o = alloc_zero(sizeof *o);
    o->digest = d;
    o->spec = spec;
    list_push(&s->orders, &o->link);
    s->dirty = true;
}

void supply_want_spec(struct supply *s, struct digest d)
{
    add_order(s, d, NULL);
}

void supply_want_files(struct supply *s, struct digest d, const struct spec *spec)
{
    add_order(s, d, spec);
}

static void fail(struct supply *s, struct order *o, const char *text, bool forever)
{
    struct digest d = o->digest;
    free_order(o);
    s->e.failed(s->e.self, d, str_of(text), forever);
}

static void try_spec(struct supply *s, struct order *o, int64_t now)
{
    struct errmsg em;
    struct buf b;
    if (!files_have(s->files, o->digest)) {
        blob_fetch_want(&s->fetch, o->digest, now);
        return;
    }
    buf_init(&b, (size_t)2 * SPEC_MAX_BYTES);
    err_t e = files_load(s->files, o->digest, SPEC_MAX_BYTES, &b, &em);
    if (e == ERR_CORRUPT) {
        blob_fetch_want(&s->fetch, o->digest, now);
    } else if (e) {
        fail(s, o, em.text, false);
    } else {
        struct digest d = o->digest;
        free_order(o);
        s->e.spec(s->e.self, d, buf_str(&b));
    }
    buf_fini(&b);
}

static void try_files(struct supply *s, struct order *o, int64_t now)
{
    const struct objective *obj = &o->spec->objective;
    bool all = true;
    for (uint32_t i = 0; i < obj->n_files; i++) {
        if (!obj->files[i].has_digest) {
            fail(s, o,
                 "a file of the study came without its digest: submit the study with tunefarm "
                 "submit or run",
                 true);
            return;
        }
        if (!files_have(s->files, obj->files[i].digest)) {
            blob_fetch_want(&s->fetch, obj->files[i].digest, now);
            all = false;
        }
    }
    if (!all)
        return;
    struct errmsg em;
    struct digest d = o->digest;
    err_t e = s->e.prepare(s->e.self, d, o->spec, &em);
    if (e) {
        fail(s, o, em.text, e == ERR_INVALID);
        return;
    }
    free_order(o);
    s->e.ready(s->e.self, d);
}

static bool needs(const struct order *o, struct digest d)
{
    if (!o->spec)
        return digest_eq(o->digest, d);
    for (uint32_t i = 0; i < o->spec->objective.n_files; i++)
        if (digest_eq(o->spec->objective.files[i].digest, d))
            return true;
    return false;
}

static void spread_failures(struct supply *s)
{
    struct failure *f;
    while ((f = LIST_FIRST(&s->failures, struct failure, link)) != NULL) {
        LIST_FOREACH_SAFE (it, tmp, &s->orders) {
            struct order *o = CONTAINER_OF(it, struct order, link);
            if (needs(o, f->digest))
                fail(s, o, f->text, f->forever);
        }
        free_failure(f);
    }
}

bool supply_deliver(struct supply *s, int64_t now)
{
    if (!s->dirty)
        return false;
    s->dirty = false;
    spread_failures(s);
    LIST_FOREACH_SAFE (it, tmp, &s->orders) {
        struct order *o = CONTAINER_OF(it, struct order, link);
        if (o->spec)
            try_files(s, o, now);
        else
            try_spec(s, o, now);
    }
    return true;
}

void supply_session(struct supply *s, bool up, int64_t now)
{
    blob_fetch_session(&s->fetch, up, now);
}

void supply_on_blob(struct supply *s, const struct msg_blob *m, int64_t now)
{
    blob_fetch_on_blob(&s->fetch, m, now);
}

int64_t supply_tick(struct supply *s, int64_t now)
{
    return blob_fetch_tick(&s->fetch, now);
}
