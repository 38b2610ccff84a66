/* Records into state. Every change of a study or trial that survives a restart is made here, from a
 * record alone, so that the live state equals the fold of the journal.
 *
 * Called by farm_journal.c for each record that is made, and by farm_load.c for each that is read.
 * It asks the state table and decides nothing: a record that does not fit is a contradiction. */
#include "apply.h"

#include <stdlib.h>

#include "alloc.h"
#include "study.h"
#include "trial.h"
#include "remote.h"

struct context {
    struct farm *f;
    int64_t now;
    const struct apply_spec *spec;
    struct study *s;
    struct trial *t;
};
typedef const char *apply_fn(struct context *c, const struct record *r);

static const char *step(struct context *c, enum trial_event e)
{
    int next = trial_next(c->t->state, e);
    if (next < 0)
        return "the trial's state does not allow it";
    trial_move(c->t, (unsigned)next);
    return NULL;
}

/* ---- studies ---- */

static struct digest search_of(const struct record *r)
{
    struct digest d = {{0}};
    if (!str_from_hex(r->note, d.b, sizeof d.b))
        memset(&d, 0, sizeof d);
    return d;
}

static const char *on_created(struct context *c, const struct record *r)
{
    if (r->study != c->f->n_studies + 1)
        return "its study number is not the next one";
    if (!c->spec || !c->spec->env)
        return "its spec is missing";
    c->s = study_add(c->f, r->study, r->text);
    c->s->created_ms = r->wall_ms;
    study_set_spec(c->s, r->digest, search_of(r), 1, c->spec->bytes, c->spec->env);
    study_clock(c->s, c->now);
    return NULL;
}

static const char *on_spec(struct context *c, const struct record *r)
{
    if (!c->spec || !c->spec->env)
        return "its spec is missing";
    study_set_spec(c->s, r->digest, search_of(r), (uint32_t)r->number, c->spec->bytes,
                   c->spec->env);
    return NULL;
}

static void set_state(struct context *c, unsigned state, struct str why)
{
    c->s->state = (uint8_t)state;
    free(c->s->why);
    c->s->why = why.n ? str_dupz(why) : NULL;
    study_clock(c->s, c->now);
    study_activate(c->s);
}

static const char *on_study_closed(struct context *c, const struct record *r)
{
    set_state(c, STUDY_CLOSED, r->note);
    return NULL;
}

static const char *on_study_ended(struct context *c, const struct record *r)
{
    c->s->state = STUDY_ENDED;
    c->s->paused = false;
    c->s->ended_ms = r->wall_ms;
    study_clock(c->s, c->now);
    return NULL;
}

static const char *on_study_opened(struct context *c, const struct record *r)
{
    (void)r;
    set_state(c, STUDY_OPEN, (struct str){0});
    c->s->ended_ms = 0;
    return NULL;
}

static void set_paused(struct context *c, bool paused)
{
    c->s->paused = paused;
    study_clock(c->s, c->now);
    study_activate(c->s);
}

static const char *on_study_paused(struct context *c, const struct record *r)
{
    (void)r;
    if (c->s->state == STUDY_ENDED)
        return "its study has ended";
    set_paused(c, true);
    return NULL;
}

static const char *on_study_resumed(struct context *c, const struct record *r)
{
    (void)r;
    set_paused(c, false);
    return NULL;
}

static const char *on_compacted(struct context *c, const struct record *r)
{
    if (r->number >= r->study_seq)
        return "it compacts what comes after it";
    c->s->compacted = r->number;
    return NULL;
}

static const char *on_attached(struct context *c, const struct record *r)
{
    c->s->optimizer_epoch = (uint32_t)r->number;
    return NULL;
}

/* ---- trials ---- */

static const char *add_trial(struct context *c, const struct record *r)
{
    if (r->trial > c->s->n_trials || c->t)
        return "its trial number is not the next one";
    c->t = trial_add(c->s, r->trial);
    struct trial_image *im = &c->t->open->im;
    im->created_ms = r->wall_ms;
    im->spec_number = c->s->spec_number;
    trial_text(&im->params, r->text);
    return NULL;
}

static const char *on_proposed(struct context *c, const struct record *r)
{
    const char *fault = add_trial(c, r);
    if (fault)
        return fault;
    struct trial_image *im = &c->t->open->im;
    im->has_draw = true;
    im->draw = r->number;
    im->based_on = r->based_on;
    im->behind = r->behind;
    trial_text(&im->why_text, r->note);
    if (r->decide.n) {
        int64_t *steps = alloc_array(r->decide.n, sizeof *steps);
        memcpy(steps, r->decide.v, r->decide.n * sizeof *steps);
        im->decide = steps;
        im->n_decide = r->decide.n;
    }
    if (im->draw >= c->s->next_draw)
        c->s->next_draw = im->draw + 1;
    trial_place(c->t);
    return NULL;
}

static const char *on_enqueued(struct context *c, const struct record *r)
{
    const char *fault = add_trial(c, r);
    if (fault)
        return fault;
    c->t->open->im.enqueued = true;
    trial_place(c->t);
    return NULL;
}

static const char *on_granted(struct context *c, const struct record *r)
{
    struct trial_image *im = &c->t->open->im;
    bool adopt = r->code == 1;
    if (r->attempt != c->t->attempt + 1)
        return "its attempt is not the next one";
    const char *fault = step(c, adopt ? TRIAL_ON_ADOPT : TRIAL_ON_GRANT);
    if (fault)
        return fault;
    c->t->attempt = r->attempt;
    c->t->adopted = adopt;
    im->worker = r->who;
    c->t->worker = remote_number(c->f, r->who);
    im->why = 0;
    im->front = false;
    if (!adopt) {
        im->started_ms = 0;
        im->has_value = im->has_step = false;
        im->step = 0;
        trial_text(&im->metrics, (struct str){0});
    }
    struct worker *w = remote_find(c->f, r->who);
    if (w)
        trial_hold(c->t, w, c->now);
    return NULL;
}

static const char *runs(struct context *c, const struct record *r, enum trial_event e)
{
    if (r->attempt != c->t->attempt)
        return "its attempt is not the current one";
    if (!c->t->open->im.started_ms)
        c->t->open->im.started_ms = r->wall_ms;
    return step(c, e);
}

static const char *on_started(struct context *c, const struct record *r)
{
    return runs(c, r, TRIAL_ON_START);
}

static const char *on_reported(struct context *c, const struct record *r)
{
    struct trial_image *im = &c->t->open->im;
    if (im->has_step && r->step <= im->step)
        return "its step does not rise";
    im->has_step = true;
    im->step = r->step;
    if (r->has_value) {
        im->has_value = true;
        im->value = r->value;
    }
    trial_text(&im->metrics, r->text);
    return runs(c, r, TRIAL_ON_REPORT);
}

static const char *on_checkpointed(struct context *c, const struct record *r)
{
    struct trial_image *im = &c->t->open->im;
    im->has_resume = true;
    im->resume_step = r->step;
    trial_text(&im->resume, r->text);
    return runs(c, r, TRIAL_ON_CHECKPOINT);
}

static const char *on_stopping(struct context *c, const struct record *r)
{
    c->t->open->im.why = r->code;
    return step(c, TRIAL_ON_STOP);
}

static const char *on_closed(struct context *c, const struct record *r)
{
    struct trial_image *im = &c->t->open->im;
    if (r->attempt != c->t->attempt)
        return "its attempt is not the current one";
    im->last_close = (uint8_t)(r->code + 1);
    im->crashes += r->code == CLOSE_CRASH;
    im->lost += r->code == CLOSE_EXPIRED && c->t->state == TRIAL_RUNNING;
    im->front = r->code != CLOSE_CRASH;
    im->exit_code = r->exit_code;
    im->signal = r->signal;
    im->retry_ms = (int64_t)r->number;
    trial_text(&im->error, r->note);
    bool paused = c->t->state == TRIAL_STOPPING && im->why == STOP_PAUSE;
    return step(c, paused ? TRIAL_ON_PAUSE : r->number ? TRIAL_ON_DELAY : TRIAL_ON_REQUEUE);
}

static const char *on_finished(struct context *c, const struct record *r)
{
    static const uint8_t events[] = {[TRIAL_COMPLETE] = TRIAL_ON_COMPLETE,
                                     [TRIAL_PRUNED] = TRIAL_ON_PRUNE,
                                     [TRIAL_FAILED] = TRIAL_ON_FAIL,
                                     [TRIAL_CANCELLED] = TRIAL_ON_CANCEL};
    struct trial_image *im = &c->t->open->im;
    if (!trial_state_final(r->code))
        return "it names no final state";
    if (r->attempt && r->attempt != c->t->attempt)
        return "its attempt is not the current one";
    const char *fault = step(c, events[r->code]);
    if (fault)
        return fault;
    c->t->final_attempt = r->attempt;
    im->crashes += r->number == FINISHED_CRASHED;
    im->lost += r->number == FINISHED_LOST;
    im->finished_ms = r->wall_ms;
    im->has_value = r->has_value;
    im->value = r->value;
    if (r->has_step) {
        im->has_step = true;
        im->step = r->step;
    }
    im->exit_code = r->exit_code;
    im->signal = r->signal;
    im->runtime_ms = r->runtime_ms;
    if (r->text.n)
        trial_text(&im->metrics, r->text);
    trial_text(&im->error, r->note);
    if (r->code == TRIAL_COMPLETE && r->has_value)
        study_score(c->s, c->t->number, r->value);
    return NULL;
}

static const char *on_queued(struct context *c, const struct record *r)
{
    (void)r;
    c->t->open->im.front |= c->t->state == TRIAL_PAUSED;
    return step(c, TRIAL_ON_QUEUE);
}

static const char *on_paused(struct context *c, const struct record *r)
{
    (void)r;
    return step(c, TRIAL_ON_PAUSE);
}

/* ---- the table ---- */

enum about { ABOUT_FARM, ABOUT_NEW_STUDY, ABOUT_STUDY, ABOUT_NEW_TRIAL, ABOUT_TRIAL };
static const struct row {
    enum about about;
    apply_fn *fn;
} rows[] = {
    [REC_BROKER_STARTED] = {ABOUT_FARM, NULL},
    [REC_WORKER_JOINED] = {ABOUT_FARM, NULL},
    [REC_WORKER_LEFT] = {ABOUT_FARM, NULL},
    [REC_COMPACTED] = {ABOUT_STUDY, on_compacted},
    [REC_STUDY_CREATED] = {ABOUT_NEW_STUDY, on_created},
    [REC_SPEC_ADDED] = {ABOUT_STUDY, on_spec},
    [REC_STUDY_CLOSED] = {ABOUT_STUDY, on_study_closed},
    [REC_STUDY_ENDED] = {ABOUT_STUDY, on_study_ended},
    [REC_STUDY_OPENED] = {ABOUT_STUDY, on_study_opened},
    [REC_ATTACHED] = {ABOUT_STUDY, on_attached},
    [REC_STUDY_PAUSED] = {ABOUT_STUDY, on_study_paused},
    [REC_STUDY_RESUMED] = {ABOUT_STUDY, on_study_resumed},
    [REC_PROPOSED] = {ABOUT_NEW_TRIAL, on_proposed},
    [REC_ENQUEUED] = {ABOUT_NEW_TRIAL, on_enqueued},
    [REC_GRANTED] = {ABOUT_TRIAL, on_granted},
    [REC_STARTED] = {ABOUT_TRIAL, on_started},
    [REC_REPORTED] = {ABOUT_TRIAL, on_reported},
    [REC_CHECKPOINTED] = {ABOUT_TRIAL, on_checkpointed},
    [REC_STOPPING] = {ABOUT_TRIAL, on_stopping},
    [REC_CLOSED] = {ABOUT_TRIAL, on_closed},
    [REC_FINISHED] = {ABOUT_TRIAL, on_finished},
    [REC_QUEUED] = {ABOUT_TRIAL, on_queued},
    [REC_PAUSED] = {ABOUT_TRIAL, on_paused},
};

static const struct row *row_of(unsigned kind)
{
    bool known = kind < sizeof rows / sizeof *rows && (rows[kind].fn || kind <= REC_WORKER_LEFT);
    return known && kind ? &rows[kind] : NULL;
}

bool apply_is_trial_kind(unsigned kind)
{
    const struct row *row = row_of(kind);
    return row && row->about >= ABOUT_NEW_TRIAL;
}

/* What the record is about must be there, and its place must be the next one. */
static const char *find(struct context *c, const struct row *row, const struct record *r)
{
    if (row->about == ABOUT_FARM)
        return NULL;
    if (row->about == ABOUT_NEW_STUDY)
        return study_get(c->f, r->study) ? "its study is there already" : NULL;
    c->s = study_get(c->f, r->study);
    if (!c->s)
        return "its study does not exist";
    if (row->about < ABOUT_NEW_TRIAL)
        return NULL;
    c->t = trial_get(c->s, r->trial);
    if (row->about == ABOUT_TRIAL && (!c->t || !c->t->open))
        return c->t ? "its trial is final" : "its trial does not exist";
    return NULL;
}

const char *apply_record(struct farm *f, int64_t now, const struct record *r,
                         const struct apply_spec *spec)
{
    struct context c = {.f = f, .now = now, .spec = spec};
    const struct row *row = row_of(r->kind);
    if (!row)
        return "its kind is unknown";
    const char *fault = find(&c, row, r);
    if (!fault && row->fn)
        fault = row->fn(&c, r);
    if (fault)
        return fault;
    f->seq = r->seq;
    if (!c.s)
        return NULL;
    c.s->study_seq = r->study_seq;
    study_mark(c.s, r->seq, now);
    study_touch(c.s);
    if (c.t)
        trial_mark(c.t, r->seq, now);
    return NULL;
}
