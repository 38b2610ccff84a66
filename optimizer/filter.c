/* The filter mode's requests, as a pure function of the lines so far.
 *
 * Called by stdio_mode.c with whole lines. It keeps the books that the broker keeps otherwise: it
 * numbers the trials, hands out the points of `enqueue` first, and feeds the tuner with the records
 * that a broker would have written. Every fault is answered with one sentence and changes nothing.
 */
#include "filter.h"

#include <json-c/json.h>
#include <math.h>
#include <stdlib.h>

#include "alloc.h"
#include "json.h"
#include "tuner.h"

#define MAX_STEP ((INT64_C(1) << 53) - 1)

struct filter {
    const struct spec *spec;
    struct tuner *tuner;
    uint64_t n_trials, seq;
    uint32_t enqueued; /* points of the spec handed out */
};

err_t filter_new(struct filter **out, const struct spec *spec, struct errmsg *em)
{
    struct filter *f = alloc_zero(sizeof *f);
    f->spec = spec;
    err_t e = tuner_new(&f->tuner, spec, em);
    if (e) {
        free(f);
        return e;
    }
    *out = f;
    return ERR_OK;
}

void filter_free(struct filter *f)
{
    if (!f)
        return;
    tuner_free(f->tuner);
    free(f);
}

static err_t record(struct filter *f, struct record *r, struct errmsg *em)
{
    r->study_seq = ++f->seq;
    return tuner_on_record(f->tuner, r, em);
}

static void write_trial(struct jsonw *w, uint64_t trial, struct str params)
{
    jsonw_object(w);
    jsonw_ku64(w, "trial", trial);
    jsonw_keyz(w, "params");
    jsonw_raw(w, params);
    jsonw_end(w);
}

static err_t hand_out(struct filter *f, struct jsonw *w, const struct tuner_proposal *p,
                      struct errmsg *em)
{
    struct record r = {.kind = REC_PROPOSED,
                       .trial = f->n_trials,
                       .text = p->params,
                       .note = p->why,
                       .number = p->draw,
                       .based_on = p->based_on};
    write_trial(w, f->n_trials++, p->params);
    return record(f, &r, em);
}

static err_t hand_out_enqueued(struct filter *f, struct jsonw *w, struct errmsg *em)
{
    struct record r = {
        .kind = REC_ENQUEUED, .trial = f->n_trials, .text = f->spec->enqueue[f->enqueued++]};
    write_trial(w, f->n_trials++, r.text);
    return record(f, &r, em);
}

static err_t ask(struct filter *f, struct json_object *v, struct buf *out, struct errmsg *em)
{
    int64_t n = json_object_is_type(v, json_type_int) ? json_object_get_int64(v) : 0;
    if (n < 1 || n > TUNER_MAX_ASK)
        return errmsg_set(em, ERR_INVALID, "ask: expected a whole number from 1 to %d",
                          TUNER_MAX_ASK);
    struct jsonw w;
    bool stop_running;
    err_t e = ERR_OK;
    jsonw_init(&w, out);
    jsonw_object(&w);
    jsonw_keyz(&w, "trials");
    jsonw_array(&w);
    /* One by one, because a proposal's texts live until its record is applied. */
    for (; !e && n > 0 && !tuner_verdict(f->tuner, &stop_running); n--) {
        struct tuner_proposal p;
        if (f->enqueued < f->spec->n_enqueue)
            e = hand_out_enqueued(f, &w, em);
        else if (tuner_ask(f->tuner, 1, &p) == 1)
            e = hand_out(f, &w, &p, em);
        else
            break;
    }
    jsonw_end(&w);
    jsonw_end(&w);
    return e;
}

/* Members of a request that are known; all others are refused. */
static err_t check_members(struct json_object *v, const char *where, const char *const *names,
                           struct errmsg *em)
{
    if (!json_object_is_type(v, json_type_object))
        return errmsg_set(em, ERR_INVALID, "%s: expected an object", where);
    json_object_object_foreach(v, key, value)
    {
        (void)value;
        size_t i = 0;
        while (names[i] && strcmp(names[i], key) != 0)
            i++;
        if (!names[i])
            return errmsg_set(em, ERR_INVALID, "%s: unknown member \"%.64s\"", where, key);
    }
    return ERR_OK;
}

static err_t read_trial(const struct filter *f, struct json_object *v, const char *where,
                        uint64_t *trial, struct errmsg *em)
{
    struct json_object *t = json_get(v, "trial");
    int64_t n = json_object_is_type(t, json_type_int) ? json_object_get_int64(t) : -1;
    if (n < 0)
        return errmsg_set(em, ERR_INVALID, "%s.trial: expected the number of a trial", where);
    if ((uint64_t)n >= f->n_trials)
        return errmsg_set(em, ERR_NOT_FOUND, "%s.trial: there is no trial %lld", where,
                          (long long)n);
    if (!tuner_pending(f->tuner, (uint64_t)n))
        return errmsg_set(em, ERR_EXISTS, "%s.trial: the result of trial %lld is known already",
                          where, (long long)n);
    *trial = (uint64_t)n;
    return ERR_OK;
}

static err_t report(struct filter *f, struct json_object *v, struct buf *out, struct errmsg *em)
{
    static const char *const names[] = {"trial", "step", "loss", NULL};
    struct record r = {.kind = REC_REPORTED, .has_step = true, .has_value = true};
    err_t e = check_members(v, "report", names, em);
    if (!e)
        e = read_trial(f, v, "report", &r.trial, em);
    if (e)
        return e;
    struct json_object *step = json_get(v, "step");
    r.step = json_object_is_type(step, json_type_int) ? json_object_get_int64(step) : -1;
    if (r.step < 0 || r.step > MAX_STEP)
        return errmsg_set(em, ERR_INVALID, "report.step: expected a whole number from 0 on");
    if (!json_number(json_get(v, "loss"), &r.value))
        return errmsg_set(em, ERR_INVALID, "report.loss: expected a number");
    e = record(f, &r, em);
    if (!e)
        buf_addz(out, "{\"decision\":\"continue\"}");
    return e;
}

/* Sets code and value of the final record from `status` and `loss`. */
static err_t read_result(struct json_object *v, struct record *r, struct errmsg *em)
{
    struct json_object *status = json_get(v, "status"), *loss = json_get(v, "loss");
    if (status) {
        bool text = json_object_is_type(status, json_type_string);
        const char *s = text ? json_object_get_string(status) : "";
        if (!strcmp(s, "failed") || !strcmp(s, "lost")) {
            /* Nobody runs a lost trial again here, so it is as if it had been cancelled. */
            r->code = !strcmp(s, "failed") ? TRIAL_FAILED : TRIAL_CANCELLED;
            return loss ? errmsg_set(em, ERR_INVALID, "tell: a %s trial has no loss", s) : ERR_OK;
        }
        return errmsg_set(em, ERR_INVALID, "tell.status: expected \"failed\" or \"lost\"");
    }
    r->code = TRIAL_COMPLETE;
    r->has_value = true;
    if (!json_number(loss, &r->value))
        return errmsg_set(em, ERR_INVALID, "tell.loss: expected a number, or a status");
    if (isnan(r->value))
        return errmsg_set(
            em, ERR_INVALID,
            "tell.loss: NaN is no loss; a trial without one has the status \"failed\"");
    return ERR_OK;
}

static err_t tell(struct filter *f, struct json_object *v, struct buf *out, struct errmsg *em)
{
    static const char *const names[] = {"trial", "loss", "status", NULL};
    struct record r = {.kind = REC_FINISHED};
    err_t e = check_members(v, "tell", names, em);
    if (!e)
        e = read_trial(f, v, "tell", &r.trial, em);
    if (!e)
        e = read_result(v, &r, em);
    if (!e)
        e = record(f, &r, em);
    if (!e)
        buf_addz(out, "{\"ok\":true}");
    return e;
}

static err_t best(struct filter *f, struct json_object *v, struct buf *out, struct errmsg *em)
{
    (void)v;
    (void)em;
    struct tuner_best b;
    if (!tuner_best(f->tuner, &b)) {
        buf_addz(out, "null");
        return ERR_OK;
    }
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w);
    jsonw_ku64(&w, "trial", b.trial);
    jsonw_kf64(&w, "loss", b.loss);
    jsonw_keyz(&w, "params");
    struct buf params;
    buf_init(&params, 0);
    space_write(f->spec->space, history_point(tuner_history(f->tuner), b.trial), &params);
    jsonw_raw(&w, buf_str(&params));
    buf_fini(&params);
    jsonw_end(&w);
    return ERR_OK;
}

static const struct {
    const char *name;
    err_t (*serve)(struct filter *, struct json_object *, struct buf *, struct errmsg *);
} requests[] = {{"ask", ask}, {"report", report}, {"tell", tell}, {"best", best}};

static err_t serve(struct filter *f, struct json_object *v, struct buf *out, struct errmsg *em)
{
    if (json_object_is_type(v, json_type_object) && json_object_object_length(v) == 1) {
        struct json_object_iterator it = json_object_iter_begin(v);
        const char *name = json_object_iter_peek_name(&it);
        for (size_t i = 0; i < sizeof requests / sizeof *requests; i++)
            if (!strcmp(requests[i].name, name))
                return requests[i].serve(f, json_object_iter_peek_value(&it), out, em);
    }
    return errmsg_set(em, ERR_INVALID,
                      "expected an object with one member: ask, report, tell or best");
}

static void refuse(struct buf *out, const struct errmsg *em)
{
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w);
    jsonw_kstr(&w, "error", str_of(em->text));
    jsonw_end(&w);
}

void filter_line(struct filter *f, struct str line, int64_t elapsed_ns, struct buf *out)
{
    struct errmsg em = {""};
    struct json_object *v = NULL;
    size_t start = out->n;
    tuner_on_elapsed(f->tuner, elapsed_ns);
    err_t e = line.n > FILTER_LINE_LIMIT
                  ? errmsg_set(&em, ERR_LIMIT, "a line may have %u bytes", FILTER_LINE_LIMIT)
                  : json_parse(line, JSON_NONFINITE, &v, &em);
    if (!e)
        e = serve(f, v, out, &em);
    if (e) {
        out->n = start; /* an answer that was begun is not given */
        refuse(out, &em);
    }
    json_object_put(v);
    buf_addc(out, '\n');
}
