/* From ASSIGN to the start of an evaluator: the slot, the spec and the study's files, the check of
 * the parameters and the claim of resources. Called by worker_core.c. It must not know how blobs
 * travel or what a study's directory looks like.
 *
 * Resources can be short for a moment although the broker counts them: a killed child holds its
 * share until it is gone. So an attempt waits for them a while before it is given back. */
#include <json-c/json.h>
#include <stdlib.h>

#include "alloc.h"
#include "json.h"
#include "worker_impl.h"

#define SHORT_NS (60 * NS_PER_S)

static void fail(struct worker *w, struct attempt *a, const char *text, bool forever, int64_t now,
                 struct worker_out *fx)
{
    attempt_fail(a, text, forever);
    attempt_event(w, a, EVENT_FAILED, NULL, now, fx);
}

static void give_back(struct worker *w, struct attempt *a, uint8_t why, int64_t now,
                      struct worker_out *fx)
{
    struct attempt_input in = {.cause = END_RELEASE, .release_why = why};
    worker_count(w, COUNT_NO_ROOM, why == RELEASE_RESOURCES);
    attempt_event(w, a, EVENT_STOP, &in, now, fx);
}

/* The parameters as a point of the study's space. */
static err_t read_params(struct attempt *a, struct errmsg *em)
{
    const struct space *s = a->desc.spec->space;
    struct json_object *v = NULL;
    double *point = alloc_array(s->n ? s->n : 1, sizeof *point);
    a->desc.point = point;
    err_t e = json_parse(a->desc.params, JSON_NONFINITE, &v, em);
    if (!e)
        e = space_read(s, v, point, em);
    json_object_put(v);
    return e ? errmsg_wrap(em, e, "the parameters do not fit the study's space") : ERR_OK;
}

static void set_gpus(struct worker *w, struct attempt *a)
{
    struct buf b;
    buf_init(&b, 0);
    slots_gpu_text(&w->slots, &a->grant, &b);
    a->desc.has_gpus = w->slots.gpus > 0;
    a->desc.gpus.n = b.n;
    a->desc.gpus.p = b.n ? buf_takez(&b) : NULL;
    buf_fini(&b);
}

static bool claim(struct worker *w, struct attempt *a)
{
    const struct objective *o = &a->desc.spec->objective;
    return slots_claim(&w->slots, o->cpu, o->gpu, o->memory, &a->grant);
}

static void start(struct worker *w, struct attempt *a, int64_t now, struct worker_out *fx)
{
    list_remove(&a->waits);
    a->give_up_at = CLOCK_NEVER;
    set_gpus(w, a);
    if (!checkpoint_check(a, fx))
        attempt_event(w, a, EVENT_READY, NULL, now, fx);
}

/* The spec and its files are there. */
static void begin(struct worker *w, struct attempt *a, int64_t now, struct worker_out *fx)
{
    const struct spec *s = a->entry->spec;
    a->desc.spec = s;
    a->outbox.maximize = s->objective.maximize;
    a->grace_ns = s->objective.grace_ns;
    a->tidy |= s->objective.checkpoint_ask != CHECKPOINT_UNASKED;
    struct errmsg em;
    if (read_params(a, &em)) {
        fail(w, a, em.text, true, now, fx);
    } else if (!slots_possible(&w->slots, s->objective.cpu, s->objective.gpu,
                               s->objective.memory)) {
        give_back(w, a, RELEASE_RESOURCES, now, fx);
    } else if (claim(w, a)) {
        start(w, a, now, fx);
    } else {
        list_push(&w->short_of, &a->waits);
        a->give_up_at = now + SHORT_NS;
        attempt_rearm(w, a);
    }
}

void grant_retry_short(struct worker *w, int64_t now, struct worker_out *fx)
{
    LIST_FOREACH_SAFE (it, tmp, &w->short_of) {
        struct attempt *a = CONTAINER_OF(it, struct attempt, waits);
        if (claim(w, a))
            start(w, a, now, fx);
    }
}

void grant_on_assign(struct worker *w, int64_t now, const struct msg_assign *m,
                     struct worker_out *fx)
{
    if (worker_find(w, m->study, m->trial, m->attempt)) {
        worker_count(w, COUNT_REPEATED_ASSIGN, 1);
        return;
    }
    w->link.granted++;
    struct attempt *a = attempt_new(w, m);
    worker_out_fact(fx, FACT_ASSIGNED, a, "study=" STR_FMT, STR_ARG(m->study_name));
    if (w->drain.mode != DRAIN_NONE) {
        give_back(w, a, RELEASE_DRAIN, now, fx);
        return;
    }
    if (!slots_take(&w->slots)) {
        give_back(w, a, RELEASE_RESOURCES, now, fx);
        return;
    }
    a->has_slot = true;
    struct spec_entry *e = a->entry = spec_cache_use(&w->specs, m->spec, fx);
    if (e->state == SPEC_READY) {
        begin(w, a, now, fx);
        return;
    }
    list_push(&e->waiting, &a->waits);
    if (!e->asked)
        worker_out_add(fx, WFX_FETCH_SPEC)->digest = e->digest;
    e->asked = true;
}

static void fail_entry(struct worker *w, struct spec_entry *e, const char *text, bool forever,
                       int64_t now, struct worker_out *fx)
{
    while (!list_empty(&e->waiting)) {
        struct attempt *a = LIST_FIRST(&e->waiting, struct attempt, waits);
        list_remove(&a->waits);
        fail(w, a, text, forever, now, fx);
    }
    if (e->users == 0)
        spec_cache_drop(&w->specs, e, fx);
}

void worker_on_spec(struct worker *w, int64_t now, struct digest digest, struct str bytes,
                    struct worker_out *fx)
{
    struct spec_entry *e = spec_cache_find(&w->specs, digest);
    if (!e || e->state != SPEC_FETCHING)
        return;
    struct errmsg em;
    err_t err = spec_parse(bytes, &e->spec, &em);
    if (!err)
        err = spec_runnable(e->spec, &em);
    if (err) {
        errmsg_wrap(&em, err, "this worker cannot use the study's specification");
        fail_entry(w, e, em.text, true, now, fx);
        return;
    }
    e->state = SPEC_PREPARING;
    struct worker_fx *x = worker_out_add(fx, WFX_FETCH_FILES);
    x->digest = digest;
    x->spec = e->spec;
    x->study_name = e->spec->study;
}

void worker_on_files(struct worker *w, int64_t now, struct digest digest, struct worker_out *fx)
{
    struct spec_entry *e = spec_cache_find(&w->specs, digest);
    if (!e || e->state != SPEC_PREPARING)
        return;
    e->state = SPEC_READY;
    while (!list_empty(&e->waiting)) {
        struct attempt *a = LIST_FIRST(&e->waiting, struct attempt, waits);
        list_remove(&a->waits);
        begin(w, a, now, fx);
    }
}

void worker_on_fetch_failed(struct worker *w, int64_t now, struct digest digest, struct str text,
                            bool forever, struct worker_out *fx)
{
    struct spec_entry *e = spec_cache_find(&w->specs, digest);
    if (!e || e->state == SPEC_READY)
        return;
    worker_count(w, COUNT_FETCH_FAILED, 1);
    char z[1024];
    (void)str_copyz(z, sizeof z, str_make(text.p, str_utf8_cut(text, sizeof z - 1)));
    fail_entry(w, e, z, forever, now, fx);
}
