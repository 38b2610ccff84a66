/* Records and what follows from them. The handlers decide that something is to happen; here it
 * happens, the same way whoever asked for it. Counters of crashes and losses are compared here and
 * kept by apply.c. */
#include "verbs.h"

#include <stdio.h>

#include "codec.h"
#include "rng.h"
#include "study.h"
#include "tally.h"
#include "trial.h"

void verb_record(const struct act *a, struct study *s, struct record *r,
                 const struct apply_spec *spec)
{
    struct farm *f = a->f;
    r->seq = f->seq + 1;
    r->wall_ms = farm_wall(f, a->now);
    if (s) {
        r->study = s->number;
        r->study_seq = s->study_seq + 1;
    } else if (r->study) {
        r->study_seq = 1;
    }
    struct span body = effects_record(a->fx, r);
    struct recent_entry e = {.seq = r->seq,
                             .study = r->study,
                             .study_seq = r->study_seq,
                             .kind = r->kind,
                             .elements = record_elements(r)};
    recent_push(&f->recent, &e, effects_str(a->fx, body));
    const char *fault = apply_record(f, a->now, r, spec);
    f->counts.records++;
    REQUIRE(!fault);
    bool news = r->kind >= REC_ENQUEUED && r->kind != REC_GRANTED && r->kind != REC_STARTED;
    if (s && (news || r->kind == REC_SPEC_ADDED || r->kind == REC_STUDY_OPENED))
        s->hold = false;
}

static struct record of_trial(const struct trial *t, enum record_kind kind)
{
    return (struct record){.kind = (uint8_t)kind, .trial = t->number, .attempt = t->attempt};
}

static void send_assign(const struct act *a, const struct trial *t)
{
    const struct study *s = t->study;
    const struct trial_image *im = &t->open->im;
    struct rng r;
    uint64_t seed;
    memcpy(&seed, s->search.b, sizeof seed);
    rng_seed_at(&r, seed ^ s->number, t->number);
    struct msg_assign m = {.study = s->number,
                           .trial = t->number,
                           .attempt = t->attempt,
                           .spec = s->spec_digest,
                           .params = im->params,
                           .seed = rng_u64(&r) >> 1,
                           .resume = im->resume,
                           .resume_step = im->resume_step,
                           .study_name = str_of(s->name),
                           .resume_digest = im->resume_digest};
    m.decide.v = im->decide;
    m.decide.n = im->n_decide;
    const struct session *to = t->open->owner->session;
    effects_send(a->fx, to->peer, to->number, MSG_ASSIGN, &m);
}

void verb_grant(const struct act *a, struct trial *t, struct worker *w)
{
    struct record r = of_trial(t, REC_GRANTED);
    r.attempt++;
    r.who = w->id;
    r.number = w->session->number;
    w->granted++;
    verb_record(a, t->study, &r, NULL);
    send_assign(a, t);
}

void verb_adopt(const struct act *a, struct trial *t, struct worker *w)
{
    struct record r = of_trial(t, REC_GRANTED);
    r.attempt++;
    r.code = 1;
    r.who = w->id;
    r.number = w->session->number;
    verb_record(a, t->study, &r, NULL);
    tally(a->f, w->session, COUNT_ATTEMPT_ADOPTED, 1);
}

void verb_close(const struct act *a, struct trial *t, const struct closing *c)
{
    struct record r = of_trial(t, REC_CLOSED);
    r.code = (uint8_t)c->why;
    r.note = c->note;
    r.exit_code = c->exit_code;
    r.signal = c->signal;
    r.number = c->retry_ms;
    verb_record(a, t->study, &r, NULL);
}

static void finish(const struct act *a, struct trial *t, enum trial_state state,
                   const struct msg_final *final, struct str note, enum finished_by by)
{
    const struct trial_image *im = &t->open->im;
    struct record r = of_trial(t, REC_FINISHED);
    r.code = (uint8_t)state;
    r.number = by;
    r.note = note;
    r.has_value = im->has_value;
    r.value = im->value;
    r.has_step = im->has_step;
    r.step = im->step;
    if (!trial_state_open(t->state))
        r.attempt = 0;
    if (final) {
        if (final->has_value) {
            r.has_value = true;
            r.value = final->value;
        }
        r.text = final->metrics;
        r.exit_code = final->exit_code;
        r.signal = final->signal;
        r.runtime_ms = final->runtime_ms;
        if (final->has_step && (!r.has_step || final->last_step > r.step)) {
            r.has_step = true;
            r.step = final->last_step;
        }
    }
    verb_record(a, t->study, &r, NULL);
}

void verb_finish(const struct act *a, struct trial *t, enum trial_state state,
                 const struct msg_final *final, struct str note)
{
    bool crashed = final && state == TRIAL_FAILED && final->status == FINAL_ERROR;
    finish(a, t, state, final, note, crashed ? FINISHED_CRASHED : FINISHED_RESULT);
}

/* A stop that has been obeyed, or whose worker is gone. */
static void finish_stopped(const struct act *a, struct trial *t, const char *note)
{
    bool prune = t->open->im.why == STOP_PRUNE;
    verb_finish(a, t, prune ? TRIAL_PRUNED : TRIAL_CANCELLED, NULL, str_of(note));
}

void verb_lost(const struct act *a, struct trial *t, const char *note)
{
    const struct trial_image *im = &t->open->im;
    tally(a->f, t->open->owner ? t->open->owner->session : NULL, COUNT_ATTEMPT_LOST, 1);
    if (t->state == TRIAL_STOPPING && im->why != STOP_PAUSE) {
        finish_stopped(a, t, note);
    } else if (t->state == TRIAL_RUNNING && im->lost + 1 >= a->f->c.lost_limit) {
        char text[80];
        int n = snprintf(text, sizeof text, "poison: lost %u times while running", im->lost + 1);
        finish(a, t, TRIAL_FAILED, NULL, str_make(text, (size_t)n), FINISHED_LOST);
    } else {
        struct closing c = {.why = CLOSE_EXPIRED, .note = str_of(note)};
        verb_close(a, t, &c);
    }
}

void verb_release(const struct act *a, struct trial *t, struct str note)
{
    if (t->state == TRIAL_STOPPING && t->open->im.why != STOP_PAUSE) {
        finish_stopped(a, t, "");
        return;
    }
    struct closing c = {.why = CLOSE_RELEASED, .note = note};
    verb_close(a, t, &c);
}

void verb_send_stop(const struct act *a, const struct trial *t)
{
    const struct worker *w = t->open->owner;
    if (!w)
        return;
    int64_t grace = t->study->env.grace_ns / NS_PER_MS;
    struct msg_stop m = {.study = t->study->number,
                         .trial = t->number,
                         .attempt = t->attempt,
                         .why = t->open->im.why,
                         .grace_ms = (uint32_t)grace};
    effects_send(a->fx, w->session->peer, w->session->number, MSG_STOP, &m);
}

void verb_stop(const struct act *a, struct trial *t, enum stop_why why, int64_t step, bool has_step,
               struct str note)
{
    struct record r = of_trial(t, REC_STOPPING);
    r.code = (uint8_t)why;
    r.step = step;
    r.has_step = has_step;
    r.note = note;
    verb_record(a, t->study, &r, NULL);
    verb_send_stop(a, t);
}

void verb_cancel(const struct act *a, struct trial *t)
{
    if (!trial_state_open(t->state))
        verb_finish(a, t, TRIAL_CANCELLED, NULL, (struct str){0});
    else if (t->state != TRIAL_STOPPING || t->open->im.why != STOP_CANCEL)
        verb_stop(a, t, STOP_CANCEL, 0, false, (struct str){0});
}

void verb_cancel_all(const struct act *a, struct study *s)
{
    LIST_FOREACH_SAFE (it, tmp, &s->open) {
        verb_cancel(a, CONTAINER_OF(it, struct trial_open, in_study)->trial);
    }
}

void verb_pause(const struct act *a, struct trial *t)
{
    if (trial_state_open(t->state)) {
        verb_stop(a, t, STOP_PAUSE, 0, false, (struct str){0});
        return;
    }
    struct record r = {.kind = REC_PAUSED, .trial = t->number};
    verb_record(a, t->study, &r, NULL);
}

void verb_resume(const struct act *a, struct trial *t)
{
    struct record r = {.kind = REC_QUEUED, .trial = t->number};
    verb_record(a, t->study, &r, NULL);
}

void verb_pause_study(const struct act *a, struct study *s, bool paused)
{
    struct record r = {.kind = paused ? REC_STUDY_PAUSED : REC_STUDY_RESUMED};
    verb_record(a, s, &r, NULL);
}

void verb_close_study(const struct act *a, struct study *s, struct str why)
{
    struct record r = {.kind = REC_STUDY_CLOSED, .note = why};
    verb_record(a, s, &r, NULL);
}
