/* The filter mode's requests, as a pure function of the lines so far.
 *
 * Called by stdio_mode.c with whole lines. It knows how requests and answers look; the books of the
 * study are kept by tuner/solo.c. Every fault is answered with one sentence and changes nothing.
 */
#include "filter.h"

#include <json-c/json.h>
#include <math.h>
#include <stdlib.h>

#include "alloc.h"
#include "json.h"
#include "solo.h"

struct filter {
    const struct spec *spec;
    struct solo *solo;
};

err_t filter_new(struct filter **out, const struct spec *spec, struct errmsg *em)
{
    struct filter *f = alloc_zero(sizeof *f);
    f->spec = spec;
    err_t e = solo_new(&f->solo, spec, em);
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
    solo_free(f->solo);
    free(f);
}

static void write_trial(struct jsonw *w, const struct solo_trial *t)
{
    jsonw_object(w);
    jsonw_ku64(w, "trial", t->number);
    jsonw_keyz(w, "params");
    jsonw_raw(w, t->params);
    jsonw_end(w);
}

static err_t ask(struct filter *f, struct json_object *v, struct buf *out, struct errmsg *em)
{
    int64_t n = json_object_is_type(v, json_type_int) ? json_object_get_int64(v) : 0;
    if (n < 1 || n > TUNER_MAX_ASK)
        return errmsg_set(em, ERR_INVALID, "ask: expected a whole number from 1 to %d",
                          TUNER_MAX_ASK);
    struct jsonw w;
    enum solo_answer answer = SOLO_TRIAL;
    err_t e = ERR_OK;
    jsonw_init(&w, out);
    jsonw_object(&w);
    jsonw_keyz(&w, "trials");
    jsonw_array(&w);
    for (; !e && n > 0 && answer == SOLO_TRIAL; n--) {
        struct solo_trial t;
        e = solo_ask(f->solo, &answer, &t, em);
        if (!e && answer == SOLO_TRIAL)
            write_trial(&w, &t);
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

/* The number of a trial; whether there is such a one, the books know. */
static err_t read_trial(struct json_object *v, const char *where, uint64_t *trial,
                        struct errmsg *em)
{
    struct json_object *t = json_get(v, "trial");
    int64_t n = json_object_is_type(t, json_type_int) ? json_object_get_int64(t) : -1;
    *trial = (uint64_t)n;
    return n >= 0 ? ERR_OK
                  : errmsg_set(em, ERR_INVALID, "%s.trial: expected the number of a trial", where);
}

static err_t report(struct filter *f, struct json_object *v, struct buf *out, struct errmsg *em)
{
    static const char *const names[] = {"trial", "step", "loss", NULL};
    uint64_t trial;
    double loss;
    err_t e = check_members(v, "report", names, em);
    if (!e)
        e = read_trial(v, "report", &trial, em);
    if (e)
        return e;
    struct json_object *step = json_get(v, "step");
    if (!json_object_is_type(step, json_type_int))
        return errmsg_set(em, ERR_INVALID, "report.step: expected a whole number from 0 on");
    if (!json_number(json_get(v, "loss"), &loss))
        return errmsg_set(em, ERR_INVALID, "report.loss: expected a number");
    e = solo_report(f->solo, trial, json_object_get_int64(step), loss, em);
    if (e)
        return errmsg_wrap(em, e, "report");
    buf_addz(out, "{\"decision\":\"continue\"}");
    return ERR_OK;
}

/* How the trial ended, from `status` and `loss`. */
static err_t read_result(struct json_object *v, enum trial_state *state, double *value,
                         struct errmsg *em)
{
    struct json_object *status = json_get(v, "status"), *loss = json_get(v, "loss");
    *value = (double)NAN;
    if (status) {
        bool text = json_object_is_type(status, json_type_string);
        const char *s = text ? json_object_get_string(status) : "";
        if (!strcmp(s, "failed") || !strcmp(s, "lost")) {
            /* Nobody runs a lost trial again here, so it is as if it had been cancelled. */
            *state = !strcmp(s, "failed") ? TRIAL_FAILED : TRIAL_CANCELLED;
            return loss ? errmsg_set(em, ERR_INVALID, "tell: a %s trial has no loss", s) : ERR_OK;
        }
        return errmsg_set(em, ERR_INVALID, "tell.status: expected \"failed\" or \"lost\"");
    }
    *state = TRIAL_COMPLETE;
    if (!json_number(loss, value))
        return errmsg_set(em, ERR_INVALID, "tell.loss: expected a number, or a status");
    if (isnan(*value))
        return errmsg_set(
            em, ERR_INVALID,
            "tell.loss: NaN is no loss; a trial without one has the status \"failed\"");
    return ERR_OK;
}

static err_t tell(struct filter *f, struct json_object *v, struct buf *out, struct errmsg *em)
{
    static const char *const names[] = {"trial", "loss", "status", NULL};
    uint64_t trial;
    enum trial_state state = TRIAL_FAILED;
    double loss;
    err_t e = check_members(v, "tell", names, em);
    if (!e)
        e = read_trial(v, "tell", &trial, em);
    if (!e)
        e = read_result(v, &state, &loss, em);
    if (e)
        return e;
    e = solo_finish(f->solo, trial, state, loss, em);
    if (e)
        return errmsg_wrap(em, e, "tell");
    buf_addz(out, "{\"ok\":true}");
    return ERR_OK;
}

static err_t best(struct filter *f, struct json_object *v, struct buf *out, struct errmsg *em)
{
    (void)v;
    (void)em;
    struct tuner_best b;
    if (!tuner_best(solo_tuner(f->solo), &b)) {
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
    space_write(f->spec->space, history_point(tuner_history(solo_tuner(f->solo)), b.trial),
                &params);
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
    solo_elapsed(f->solo, elapsed_ns);
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
