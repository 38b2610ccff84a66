/* One study: folds the records into the history, tells the sampler, asks it.
 *
 * Called by the link to the broker and by the filter mode. This is the only place that turns the
 * metric's sign, and the only one that knows that proposals live under expected trial numbers until
 * their records come: if a record shows another order (a person enqueued a point meanwhile), those
 * still on their way are taken back and put behind it, so that the history is what it would be for
 * a tuner that reads the records afterwards. */
#include "tuner.h"

#include <json-c/json.h>
#include <math.h>
#include <stdlib.h>

#include "alloc.h"
#include "inflight.h"
#include "json.h"
#include "nearest.h"
#include "sampler.h"
#include "stopping.h"

enum known {
    UNKNOWN,
    KNOWN,
    FOREIGN,
    DONE
};                       /* FOREIGN: known, but its point is not in the space */
#define INTERRUPTED 0x80 /* beside it: an attempt was closed, and nothing was heard since */

struct tuner {
    const struct spec *spec;
    struct history *history;
    struct sampler *sampler;
    struct stopping stopping;
    struct inflight flights;
    uint8_t *known; /* enum known, by trial number, of recorded trials; may be INTERRUPTED */
    uint64_t n_known, cap_known, interrupted;
    uint64_t next_draw, recorded_draw; /* recorded: one more than the greatest of a record */
    uint64_t applied;                  /* study_seq */
    bool closed, exhausted, has_best;
    struct tuner_best best; /* loss in minimisation */
    struct buf text;        /* scratch */
};

static err_t make_sampler(struct tuner *t, struct errmsg *em)
{
    const struct sampler_config *c = &t->spec->sampler;
    const struct sampler_ops *ops = sampler_find(c->name.n ? c->name : STR("tpe"));
    if (ops)
        return ops->create(&t->sampler, t->spec->space, c, t->spec->objective.maximize, em);
    const char *names[16] = {NULL};
    char list[256] = "";
    for (size_t i = 0; sampler_registry()[i] && i + 1 < sizeof names / sizeof *names; i++) {
        names[i] = sampler_registry()[i]->name;
        strncat(list, i ? ", " : "", sizeof list - strlen(list) - 1);
        strncat(list, names[i], sizeof list - strlen(list) - 1);
    }
    const char *near = nearest_name(c->name, names);
    return errmsg_set(em, ERR_INVALID,
                      "sampler.name: there is no sampler \"" STR_FMT "\"%s%s%s; known: %s",
                      (int)str_utf8_cut(c->name, 64), c->name.p, near ? "; did you mean \"" : "",
                      near ? near : "", near ? "\"?" : "", list);
}

err_t tuner_new(struct tuner **out, const struct spec *spec, struct errmsg *em)
{
    struct tuner *t = alloc_zero(sizeof *t);
    t->spec = spec;
    t->history = history_new(spec->space);
    buf_init(&t->text, 0);
    stopping_init(&t->stopping, &spec->stop, spec->objective.maximize);
    err_t e = make_sampler(t, em);
    if (e) {
        tuner_free(t);
        return e;
    }
    *out = t;
    return ERR_OK;
}

void tuner_free(struct tuner *t)
{
    if (!t)
        return;
    if (t->sampler)
        t->sampler->ops->destroy(t->sampler);
    history_free(t->history);
    inflight_fini(&t->flights);
    buf_fini(&t->text);
    free(t->known);
    free(t);
}

static void tell(struct tuner *t, uint64_t trial)
{
    t->sampler->ops->observe(t->sampler, t->history, trial);
}

static enum known known(const struct tuner *t, uint64_t trial)
{
    return trial < t->n_known ? (enum known)(t->known[trial] & ~INTERRUPTED) : UNKNOWN;
}

static void set_interrupted(struct tuner *t, uint64_t trial, bool now)
{
    enum known k = known(t, trial);
    bool was = k != UNKNOWN && (t->known[trial] & INTERRUPTED);
    if (k == UNKNOWN || k == DONE || was == now)
        return;
    t->known[trial] ^= INTERRUPTED;
    t->interrupted += now ? 1 : UINT64_MAX;
}

static void set_known(struct tuner *t, uint64_t trial, enum known k)
{
    if (trial >= t->cap_known) {
        uint64_t cap = t->cap_known ? t->cap_known : 64;
        while (cap <= trial)
            cap *= 2;
        t->known = alloc_grow(t->known, cap, sizeof *t->known);
        memset(t->known + t->cap_known, UNKNOWN, cap - t->cap_known);
        t->cap_known = cap;
    }
    t->known[trial] = (uint8_t)k;
    t->n_known = trial < t->n_known ? t->n_known : trial + 1;
}

/* Takes the proposals on their way out of the history, and puts them back behind the recorded
 * trials. */
static void retract_flights(struct tuner *t)
{
    for (size_t i = t->flights.n; i-- > 0;) {
        uint64_t trial = inflight_at(&t->flights, i)->trial;
        history_retract(t->history, trial);
        tell(t, trial);
    }
}

static void expect_flights(struct tuner *t)
{
    for (size_t i = 0; i < t->flights.n; i++) {
        struct flight *f = inflight_at(&t->flights, i);
        f->trial = t->n_known + i;
        history_propose(t->history, f->trial, f->point);
        tell(t, f->trial);
    }
}

static void drop_flights(struct tuner *t)
{
    retract_flights(t);
    inflight_clear(&t->flights);
    t->next_draw = t->recorded_draw;
}

/* The point of a record: that of the proposal if the text came back as it was sent. */
static bool read_point(struct tuner *t, const struct record *r, const struct flight *f,
                       double *point)
{
    uint32_t n = t->spec->space->n;
    if (f && str_eq(r->text, str_make(f->params, f->params_n))) {
        memcpy(point, f->point, n * sizeof *point);
        return true;
    }
    struct json_object *v = NULL;
    bool ok = json_parse(r->text, JSON_STRICT, &v, NULL) == ERR_OK &&
              space_read(t->spec->space, v, point, NULL) == ERR_OK;
    json_object_put(v);
    return ok;
}

static void on_new_trial(struct tuner *t, const struct record *r)
{
    if (known(t, r->trial) != UNKNOWN)
        return;
    bool drawn = r->kind == REC_PROPOSED;
    size_t i = drawn ? inflight_find(&t->flights, r->number) : t->flights.n;
    struct flight *f = i < t->flights.n ? inflight_at(&t->flights, i) : NULL;
    t->stopping.trials++;
    if (drawn && r->number >= t->recorded_draw)
        t->recorded_draw = r->number + 1;
    if (t->next_draw < t->recorded_draw)
        t->next_draw = t->recorded_draw;
    if (f && i == 0 && f->trial == r->trial && str_eq(r->text, str_make(f->params, f->params_n))) {
        inflight_remove(&t->flights, 0); /* as expected: the history has it already */
        set_known(t, r->trial, KNOWN);
        return;
    }
    retract_flights(t);
    double *point = alloc_array((size_t)t->spec->space->n + 1, sizeof *point);
    bool fits = read_point(t, r, f, point);
    if (f)
        inflight_remove(&t->flights, i);
    set_known(t, r->trial, fits ? KNOWN : FOREIGN);
    if (fits) {
        history_propose(t->history, r->trial, point);
        tell(t, r->trial);
    }
    free(point);
    expect_flights(t);
}

static double turned(const struct tuner *t, double value)
{
    return t->spec->objective.maximize ? -value : value;
}

static void on_reported(struct tuner *t, const struct record *r)
{
    set_interrupted(t, r->trial, false);
    if (known(t, r->trial) != KNOWN)
        return;
    history_report(t->history, r->trial, r->step, r->has_value ? turned(t, r->value) : (double)NAN);
    tell(t, r->trial);
}

static enum outcome outcome_of(const struct record *r, double loss)
{
    switch (r->code) {
    case TRIAL_COMPLETE:
        return isnan(loss) ? OUTCOME_FAILED : OUTCOME_COMPLETE;
    case TRIAL_PRUNED:
        return OUTCOME_PRUNED;
    case TRIAL_CANCELLED:
        return OUTCOME_CANCELLED;
    default:
        return OUTCOME_FAILED;
    }
}

static void on_finished(struct tuner *t, const struct record *r)
{
    enum known k = known(t, r->trial);
    if (k == UNKNOWN || k == DONE)
        return;
    set_interrupted(t, r->trial, false);
    double loss = r->has_value ? turned(t, r->value) : (double)NAN;
    if (!r->has_value && k == KNOWN)
        loss = history_loss(t->history, r->trial); /* the last report stands for it */
    enum outcome o = outcome_of(r, loss);
    set_known(t, r->trial, DONE);
    if (k == KNOWN) {
        history_finish(t->history, r->trial, o, loss);
        tell(t, r->trial);
    }
    if (o == OUTCOME_CANCELLED) {
        t->stopping.trials--;
        return;
    }
    bool complete = o == OUTCOME_COMPLETE;
    if (complete && (!t->has_best || loss < t->best.loss)) {
        t->best = (struct tuner_best){r->trial, loss};
        t->has_best = true;
    }
    stopping_on_finished(&t->stopping, complete, loss);
}

err_t tuner_on_record(struct tuner *t, const struct record *r, struct errmsg *em)
{
    if (r->trial >= HISTORY_MAX_TRIALS)
        return errmsg_set(em, ERR_LIMIT, "trial %llu: a study may have %llu trials",
                          (unsigned long long)r->trial, (unsigned long long)HISTORY_MAX_TRIALS);
    switch (r->kind) {
    case REC_PROPOSED:
    case REC_ENQUEUED:
        on_new_trial(t, r);
        break;
    case REC_REPORTED:
        on_reported(t, r);
        break;
    case REC_CLOSED: /* given back, lost or crashed: it is pending as before, with its curve */
        set_interrupted(t, r->trial, true);
        break;
    case REC_FINISHED:
        on_finished(t, r);
        break;
    case REC_STUDY_CLOSED:
        t->closed = true;
        drop_flights(t);
        break;
    case REC_STUDY_OPENED:
        t->closed = false;
        t->exhausted = false;
        break;
    default:
        break;
    }
    tuner_on_upto(t, r->study_seq);
    return ERR_OK;
}

void tuner_on_upto(struct tuner *t, uint64_t study_seq)
{
    t->applied = study_seq > t->applied ? study_seq : t->applied;
}

void tuner_on_next_draw(struct tuner *t, uint64_t draw)
{
    t->recorded_draw = draw > t->recorded_draw ? draw : t->recorded_draw;
    t->next_draw = draw > t->next_draw ? draw : t->next_draw;
}

void tuner_on_elapsed(struct tuner *t, int64_t ns)
{
    stopping_on_elapsed(&t->stopping, ns);
}

void tuner_on_exhausted(struct tuner *t)
{
    t->exhausted = true;
}

/* Writes the point and the reason into a new flight. */
static void launch(struct tuner *t, const double *point, const struct buf *why)
{
    uint32_t n = t->spec->space->n;
    struct flight *f = inflight_push(&t->flights);
    f->draw = t->next_draw++;
    f->point = alloc_array((size_t)n + 1, sizeof *f->point);
    memcpy(f->point, point, n * sizeof *point);
    f->trial = t->n_known + t->flights.n - 1;
    buf_clear(&t->text);
    space_write(t->spec->space, point, &t->text);
    f->params_n = t->text.n;
    f->params = str_dupz(buf_str(&t->text));
    f->why_n = why->n;
    f->why = str_dupz(buf_str(why));
    history_propose(t->history, f->trial, f->point);
    tell(t, f->trial);
}

static bool propose(struct tuner *t, double *point, struct buf *why, struct tuner_proposal *out)
{
    uint64_t behind = history_outcomes(t->history, OUTCOME_PENDING);
    buf_clear(why);
    switch (t->sampler->ops->suggest(t->sampler, t->history, t->next_draw, point, why)) {
    case SUGGEST_WAIT:
        return false;
    case SUGGEST_EXHAUSTED:
        t->exhausted = true;
        return false;
    case SUGGEST_OK:
        break;
    }
    launch(t, point, why);
    out->based_on = t->applied;
    out->behind = (uint32_t)behind;
    return true;
}

uint32_t tuner_ask(struct tuner *t, uint32_t n, struct tuner_proposal *out)
{
    bool stop_running;
    uint64_t room = stopping_room(&t->stopping), flying = t->flights.n, made = 0;
    room = room > flying ? room - flying : 0;
    n = n < TUNER_MAX_ASK ? n : TUNER_MAX_ASK;
    if (t->closed || t->exhausted || tuner_verdict(t, &stop_running))
        return 0;
    double *point = alloc_array((size_t)t->spec->space->n + 1, sizeof *point);
    struct buf why;
    buf_init(&why, 1024);
    while (made < n && made < room && flying + made < TUNER_MAX_IN_FLIGHT &&
           t->n_known + flying + made < HISTORY_MAX_TRIALS && propose(t, point, &why, &out[made]))
        made++;
    for (size_t i = 0; i < made; i++) { /* the queue may have moved while it grew */
        const struct flight *f = inflight_at(&t->flights, flying + i);
        out[i].draw = f->draw;
        out[i].params = str_make(f->params, f->params_n);
        out[i].why = str_make(f->why, f->why_n);
    }
    buf_fini(&why);
    free(point);
    return (uint32_t)made;
}

const char *tuner_rule(const struct tuner *t, bool *stop_running)
{
    return stopping_verdict(&t->stopping, stop_running);
}

const char *tuner_verdict(const struct tuner *t, bool *stop_running)
{
    const char *why = tuner_rule(t, stop_running);
    if (why || !t->exhausted)
        return why;
    return t->flights.n == 0 ? "exhausted" : NULL;
}

bool tuner_best(const struct tuner *t, struct tuner_best *out)
{
    *out = (struct tuner_best){t->best.trial, turned(t, t->best.loss)};
    return t->has_best;
}

uint64_t tuner_interrupted(const struct tuner *t)
{
    return t->interrupted;
}

const struct history *tuner_history(const struct tuner *t)
{
    return t->history;
}

bool tuner_pending(const struct tuner *t, uint64_t trial)
{
    return known(t, trial) == KNOWN || known(t, trial) == FOREIGN;
}
