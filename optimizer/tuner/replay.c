/* What was proposed is known beforehand here, so a proposal is asked for as soon as the next record
 * is behind what it was based on, and memory holds the proposals, not the records.
 *
 * Called by replay_mode.c. A reason (`why`) is text for people that newer versions may word in
 * another way; one that differs is counted, and is no difference. */
#include "replay.h"

#include <json-c/json.h>
#include <stdlib.h>

#include "alloc.h"
#include "json.h"
#include "tuner.h"

struct expected {
    uint64_t draw, based_on;
    uint32_t behind;
    char *params, *why; /* terminated; params_n, why_n without the terminator */
    size_t params_n, why_n;
};
struct difference {
    const char *what; /* NULL = none; "proposal": none came */
    struct buf expected, came;
    uint64_t draw, based_on;
};
struct replay {
    struct spec *spec;
    struct tuner *tuner;
    struct expected *v;
    size_t n, cap, next;
    uint64_t asked, reasons;
    struct difference difference;
};

struct replay *replay_new(void)
{
    struct replay *r = alloc_zero(sizeof *r);
    buf_init(&r->difference.expected, 0);
    buf_init(&r->difference.came, 0);
    return r;
}

static void forget(struct replay *r)
{
    for (size_t i = 0; i < r->n; i++) {
        free(r->v[i].params);
        free(r->v[i].why);
    }
    r->n = r->next = 0;
    tuner_free(r->tuner);
    spec_free(r->spec);
    r->tuner = NULL;
    r->spec = NULL;
}

void replay_free(struct replay *r)
{
    if (!r)
        return;
    forget(r);
    free(r->v);
    buf_fini(&r->difference.expected);
    buf_fini(&r->difference.came);
    free(r);
}

err_t replay_spec(struct replay *r, struct str spec, struct errmsg *em)
{
    replay_end(r);
    forget(r);
    err_t e = spec_parse(spec, &r->spec, em);
    return e ? e : tuner_new(&r->tuner, r->spec, em);
}

static err_t need_spec(const struct replay *r, struct errmsg *em)
{
    return r->tuner ? ERR_OK : errmsg_set(em, ERR_INVALID, "a specification was expected first");
}

err_t replay_expect(struct replay *r, const struct proposal *p, struct errmsg *em)
{
    err_t e = need_spec(r, em);
    if (e)
        return e;
    if (r->n == r->cap) {
        r->cap = r->cap ? 2 * r->cap : 64;
        r->v = alloc_grow(r->v, r->cap, sizeof *r->v);
    }
    r->v[r->n++] = (struct expected){.draw = p->draw,
                                     .based_on = p->based_on,
                                     .behind = p->behind,
                                     .params = str_dupz(p->params),
                                     .why = str_dupz(p->why),
                                     .params_n = p->params.n,
                                     .why_n = p->why.n};
    return ERR_OK;
}

/* Remembers the first difference; `expected` and `came` are JSON values. */
static void differs(struct replay *r, const struct expected *e, const char *what,
                    struct str expected, struct str came)
{
    struct difference *d = &r->difference;
    d->what = what;
    d->draw = e->draw;
    d->based_on = e->based_on;
    buf_add_str(&d->expected, expected);
    buf_add_str(&d->came, came);
}

static void differs_number(struct replay *r, const struct expected *e, const char *what,
                           uint64_t expected, uint64_t came)
{
    differs(r, e, what, (struct str){0}, (struct str){0});
    buf_printf(&r->difference.expected, "%llu", (unsigned long long)expected);
    buf_printf(&r->difference.came, "%llu", (unsigned long long)came);
}

/* Parameters as recorded are a JSON value, or a text when the journal was altered into something
 * else. */
static void differs_params(struct replay *r, const struct expected *e, const char *what,
                           struct str came)
{
    struct str expected = str_make(e->params, e->params_n);
    struct json_object *v = NULL;
    struct buf text;
    struct jsonw w;
    buf_init(&text, 0);
    jsonw_init(&w, &text);
    if (json_parse(expected, JSON_STRICT, &v, NULL) == ERR_OK)
        jsonw_raw(&w, expected);
    else
        jsonw_str(&w, expected);
    json_object_put(v);
    differs(r, e, what, buf_str(&text), came);
    buf_fini(&text);
}

static void ask(struct replay *r, const struct expected *e)
{
    struct tuner_proposal p;
    tuner_on_upto(r->tuner, e->based_on);
    r->asked++;
    if (tuner_ask(r->tuner, 1, &p) != 1)
        differs_params(r, e, "proposal", STR("null"));
    else if (p.draw != e->draw)
        differs_number(r, e, "draw", e->draw, p.draw);
    else if (p.based_on != e->based_on)
        differs_number(r, e, "based_on", e->based_on, p.based_on);
    else if (!str_eq(p.params, str_make(e->params, e->params_n)))
        differs_params(r, e, "params", p.params);
    else if (p.behind != e->behind)
        differs_number(r, e, "behind", e->behind, p.behind);
    else
        r->reasons += !str_eq(p.why, str_make(e->why, e->why_n));
}

/* Asks for all that were made before the record of this place was known. */
static void ask_before(struct replay *r, uint64_t study_seq)
{
    while (!r->difference.what && r->next < r->n && r->v[r->next].based_on < study_seq)
        ask(r, &r->v[r->next++]);
}

err_t replay_record(struct replay *r, const struct record *record, struct errmsg *em)
{
    err_t e = need_spec(r, em);
    if (e)
        return e;
    ask_before(r, record->study_seq);
    return r->difference.what ? ERR_OK : tuner_on_record(r->tuner, record, em);
}

void replay_end(struct replay *r)
{
    ask_before(r, UINT64_MAX);
}

bool replay_equal(const struct replay *r)
{
    return !r->difference.what;
}

void replay_write(const struct replay *r, struct buf *out)
{
    const struct difference *d = &r->difference;
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w);
    jsonw_ku64(&w, "proposals", r->asked);
    jsonw_ku64(&w, "reasons", r->reasons);
    jsonw_keyz(&w, "difference");
    if (d->what) {
        jsonw_object(&w);
        jsonw_ku64(&w, "draw", d->draw);
        jsonw_ku64(&w, "based_on", d->based_on);
        jsonw_kstr(&w, "what", str_of(d->what));
        jsonw_keyz(&w, "expected");
        jsonw_raw(&w, buf_str(&d->expected));
        jsonw_keyz(&w, "came");
        jsonw_raw(&w, buf_str(&d->came));
        jsonw_end(&w);
    } else {
        jsonw_null(&w);
    }
    jsonw_end(&w);
}
