/* The picture, and the invariants on the order of records: I2 one end, I3 nothing behind it, I4
 * rising steps, I5 records within their attempt, I6 attempts 1, 2, 3, I11 dense numbers, I12 epochs
 * that rise, I13 prunes that rest on a report, I15 bounded retries, I19 checkpoints. Called for
 * every record as it is applied and again as it becomes durable. It must not know why a record was
 * made. */
#include "oracle_model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "sim.h"

struct context {
    struct sim *s;
    struct model *m;
    const struct record *r;
    struct chapter *c;
    struct fate *f;
};

#define ULL(x) (unsigned long long)(x)
#define NEED(k, cond, what)                                                                        \
    SIM_CHECK((k)->s, cond, "%s (%s, study %llu, trial %llu, attempt %u, seq %llu)", what,         \
              record_kind_name((k)->r->kind), ULL((k)->r->study), ULL((k)->r->trial),              \
              (k)->r->attempt, ULL((k)->r->seq))

struct chapter *model_study(const struct model *m, uint64_t study)
{
    return study && study <= m->n ? &m->v[study - 1] : NULL;
}

struct fate *model_trial(const struct model *m, uint64_t study, uint64_t trial)
{
    const struct chapter *c = model_study(m, study);
    return c && trial < c->n ? &c->fates[trial] : NULL;
}

struct life *model_life(const struct fate *f, uint32_t attempt)
{
    if (!attempt || attempt > f->attempt)
        return NULL;
    while (attempt < f->attempt && f->lives[attempt + 1].adopted)
        attempt++;
    return &f->lives[attempt];
}

static bool is_open(const struct fate *f)
{
    return f->state >= TRIAL_LEASED && f->state <= TRIAL_STOPPING;
}

/* Adopted, be it several times, from the spool of an ended process: it waits for its ACK and takes
 * no slot. */
static bool is_spooled(const struct fate *f)
{
    uint32_t first = f->attempt;
    while (first > 1 && f->lives[first].adopted)
        first--;
    return !id128_eq(f->lives[first].who, f->lives[f->attempt].who);
}

uint32_t model_held(const struct model *m, struct id128 who)
{
    uint32_t n = 0;
    for (size_t i = 0; i < m->n; i++) {
        if (m->v[i].state == STUDY_ENDED)
            continue;
        for (size_t k = 0; k < m->v[i].n; k++) {
            const struct fate *f = &m->v[i].fates[k];
            n += is_open(f) && id128_eq(f->lives[f->attempt].who, who) && !is_spooled(f);
        }
    }
    return n;
}

void model_fini(struct model *m)
{
    for (size_t i = 0; i < m->n; i++) {
        struct chapter *c = &m->v[i];
        for (size_t k = 0; k < c->n; k++) {
            free(c->fates[k].lives);
            free((char *)(uintptr_t)c->fates[k].resume.p);
        }
        free(c->fates);
        free(c->kinds);
        free(c->name);
    }
    free(m->v);
    free(m->requests);
    *m = (struct model){0};
}

/* ---- studies ---- */

static void add_study(struct context *k)
{
    struct model *m = k->m;
    NEED(k, k->r->study == m->n + 1, "I11: study numbers are not dense");
    SIM_CHECK(k->s, m->n < MODEL_STUDIES, "the simulator is made for %d studies", MODEL_STUDIES);
    for (size_t i = 0; i < m->n; i++)
        NEED(k, !str_is(k->r->text, m->v[i].name), "I11: a study's name is given twice");
    if (m->n == m->cap) {
        m->cap = m->cap ? 2 * m->cap : 4;
        m->v = alloc_grow(m->v, m->cap, sizeof *m->v);
    }
    m->v[m->n] = (struct chapter){.name = str_dupz(k->r->text)};
    k->c = &m->v[m->n++];
}

static void count_in_study(struct context *k)
{
    struct chapter *c = k->c;
    NEED(k, k->r->study_seq == c->study_seq + 1, "I8: study_seq is not the next one");
    if (c->study_seq == c->cap_kinds) {
        c->cap_kinds = c->cap_kinds ? 2 * c->cap_kinds : 256;
        c->kinds = alloc_grow(c->kinds, c->cap_kinds, sizeof *c->kinds);
    }
    c->kinds[c->study_seq++] = k->r->kind;
}

static void on_study(struct context *k)
{
    struct chapter *c = k->c;
    switch (k->r->kind) {
    case REC_STUDY_CLOSED:
        NEED(k, c->state == STUDY_OPEN, "I3: a study is closed that is not open");
        c->state = STUDY_CLOSED;
        break;
    case REC_STUDY_ENDED:
        NEED(k, c->state == STUDY_CLOSED, "I3: a study ends that was not closed");
        for (size_t i = 0; i < c->n; i++)
            NEED(k, trial_state_final(c->fates[i].state), "I3: a study ends before its trials");
        c->state = STUDY_ENDED;
        c->paused = false;
        break;
    case REC_STUDY_OPENED:
        NEED(k, c->state != STUDY_OPEN, "I3: an open study is opened");
        c->state = STUDY_OPEN;
        break;
    case REC_STUDY_PAUSED:
    case REC_STUDY_RESUMED:
        NEED(k, c->state != STUDY_ENDED, "I3: an ended study is paused or resumed");
        c->paused = k->r->kind == REC_STUDY_PAUSED;
        break;
    case REC_ATTACHED:
        NEED(k, k->r->number == c->epoch + 1, "I12: the optimizer's epoch is not the next one");
        c->epoch = (uint32_t)k->r->number;
        c->optimizer = k->r->who;
        break;
    default:
        break;
    }
}

/* ---- trials ---- */

static bool asked_before(const struct model *m, struct id128 request, struct str params)
{
    (void)params;
    for (size_t i = 0; i < m->n_requests; i++)
        if (id128_eq(m->requests[i], request))
            return true;
    return false;
}

static void add_request(struct context *k)
{
    struct model *m = k->m;
    NEED(k, !asked_before(m, k->r->who, k->r->text), "I11: a request makes a second trial");
    if (m->n_requests == m->cap_requests) {
        m->cap_requests = m->cap_requests ? 2 * m->cap_requests : 16;
        m->requests = alloc_grow(m->requests, m->cap_requests, sizeof *m->requests);
    }
    m->requests[m->n_requests++] = k->r->who;
}

/* The x of {"x":5}. */
static double point_of(struct str params)
{
    char text[32] = "";
    double x;
    memcpy(text, params.p, params.n < sizeof text ? params.n : 0);
    bool ours = sscanf(text, "{\"x\":%lf}", &x) == 1 && x >= 0 && x <= 1e6 && x == floor(x);
    return ours ? x : (double)NAN;
}

static void add_trial(struct context *k)
{
    struct chapter *c = k->c;
    NEED(k, k->r->trial == c->n, "I11: trial numbers are not dense");
    NEED(k, c->state != STUDY_ENDED, "I3: an ended study gets a trial");
    if (k->r->kind == REC_PROPOSED) {
        NEED(k, k->r->number == c->next_draw, "I11: draws are not dense");
        NEED(k, c->state == STUDY_OPEN, "I3: a closed study gets a proposal");
        c->next_draw++;
    } else {
        add_request(k);
    }
    if (c->n == c->cap) {
        c->cap = c->cap ? 2 * c->cap : 32;
        c->fates = alloc_grow(c->fates, c->cap, sizeof *c->fates);
    }
    c->fates[c->n++] = (struct fate){.state = TRIAL_QUEUED, .x = point_of(k->r->text)};
}

/* A study of the client's own, as all of a run that no forgery made. */
static bool is_clients(const struct chapter *c)
{
    return c->name[0] == 's' && c->name[1] >= '0' && c->name[1] < '0' + SIM_STUDIES && !c->name[2];
}

static uint64_t open_attempts(const struct chapter *c)
{
    uint64_t n = 0;
    for (size_t i = 0; i < c->n; i++)
        n += is_open(&c->fates[i]);
    return n;
}

static void on_granted(struct context *k)
{
    struct fate *f = k->f;
    const struct record *r = k->r;
    bool adopt = r->code == 1;
    NEED(k, r->attempt == f->attempt + 1, "I6: an attempt is not the next one");
    NEED(k, f->state == TRIAL_QUEUED, "I6: a trial is granted that is not in line");
    NEED(k, adopt || !k->c->paused, "I6: a trial of a paused study is granted");
    NEED(k, adopt || !is_clients(k->c) || open_attempts(k->c) < sim_parallel(k->s),
         "I7: more attempts of a study at once than its `parallel`");
    if (f->cap_lives <= r->attempt) {
        f->cap_lives = f->cap_lives ? 2 * f->cap_lives : 4;
        f->lives = alloc_grow(f->lives, f->cap_lives, sizeof *f->lives);
    }
    struct life *l = &f->lives[r->attempt];
    *l = (struct life){.who = r->who, .session = r->number, .adopted = adopt, .started = adopt};
    if (adopt) {
        NEED(k, f->attempt > 0, "I6: nothing is adopted");
        const struct life *before = &f->lives[f->attempt];
        NEED(k, before->close == CLOSE_EXPIRED + 1, "I6: what did not expire is adopted");
        l->has_step = before->has_step;
        l->last_step = before->last_step;
        l->has_checkpoint = before->has_checkpoint;
        l->checkpoint_step = before->checkpoint_step;
    }
    f->attempt = r->attempt;
    f->state = adopt ? TRIAL_RUNNING : TRIAL_LEASED;
}

static void on_reported(struct context *k, struct life *l)
{
    NEED(k, k->r->has_step && k->r->step >= 0, "I4: a report without a step");
    NEED(k, !l->has_step || k->r->step > l->last_step, "I4: steps do not rise");
    l->has_step = true;
    l->last_step = k->r->step;
}

static void on_checkpointed(struct context *k, struct life *l)
{
    struct fate *f = k->f;
    if (!l->has_checkpoint || k->r->step > l->checkpoint_step)
        l->checkpoint_step = k->r->step;
    l->has_checkpoint = true;
    free((char *)(uintptr_t)f->resume.p);
    f->resume = str_make(str_dupz(k->r->text), k->r->text.n);
    f->has_resume = true;
    f->resume_step = k->r->step;
    f->resume_digest = k->r->digest;
    f->resume_attempt = k->r->attempt;
}

static void on_stopping(struct context *k, struct life *l)
{
    const struct record *r = k->r;
    bool decided = r->has_step && (r->code == STOP_PRUNE || r->code == STOP_PAUSE);
    NEED(k, r->code == STOP_CANCEL || k->f->state != TRIAL_STOPPING,
         "I5: a stop is changed to something that is no cancel");
    NEED(k, r->code != STOP_PRUNE || decided, "I13: a prune names no step");
    NEED(k, !decided || (l->has_step && l->last_step >= r->step),
         "I13: a prune rests on a step that was not reported");
    l->stopped = true;
    k->f->why = r->code;
    k->f->state = TRIAL_STOPPING;
}

static void end_life(struct context *k, struct life *l)
{
    l->ended = true;
    l->ended_at = k->s->now;
}

static void on_closed(struct context *k, struct life *l)
{
    struct fate *f = k->f;
    bool stopping = f->state == TRIAL_STOPPING;
    NEED(k, !stopping || f->why == STOP_PAUSE, "I5: a stopped attempt goes back to the line");
    l->close = (uint8_t)(k->r->code + 1);
    f->crashes += k->r->code == CLOSE_CRASH;
    f->lost += k->r->code == CLOSE_EXPIRED && f->state == TRIAL_RUNNING;
    NEED(k, f->crashes <= k->s->seed % 4, "I15: too many crashes without an end");
    NEED(k, f->lost < k->s->config.lost_limit, "I15: too many losses without an end");
    f->state = stopping ? TRIAL_PAUSED : k->r->number ? TRIAL_DELAYED : TRIAL_QUEUED;
    end_life(k, l);
}

/* What a stop makes of a trial that brings no result. A paused one can go on: it does not end. */
static enum trial_state end_of(unsigned why)
{
    return why == STOP_PRUNE ? TRIAL_PRUNED : why == STOP_PAUSE ? TRIAL_PAUSED : TRIAL_CANCELLED;
}

static void on_finished(struct context *k)
{
    struct fate *f = k->f;
    const struct record *r = k->r;
    bool open = is_open(f);
    NEED(k, trial_state_final(r->code), "I2: an end that is no end");
    NEED(k, open ? r->attempt == f->attempt : r->attempt == 0, "I5: an end of another attempt");
    NEED(k, open || r->code != TRIAL_COMPLETE, "I5: a result without an attempt");
    NEED(k, f->state != TRIAL_STOPPING || r->code == TRIAL_COMPLETE || r->code == end_of(f->why),
         "I5: a stop ends otherwise than it was asked for");
    f->crashes += r->number == 1;
    f->lost += r->number == 2;
    NEED(k, f->crashes <= k->s->seed % 4 + 1, "I15: more crashes than there may be");
    NEED(k, f->lost <= k->s->config.lost_limit, "I15: more losses than there may be");
    f->state = r->code;
    f->final_attempt = r->attempt;
    f->ended_at = k->s->now;
    if (open)
        end_life(k, &f->lives[f->attempt]);
}

static void on_line(struct context *k)
{
    struct fate *f = k->f;
    bool waits = f->state == TRIAL_DELAYED || f->state == TRIAL_PAUSED;
    if (k->r->kind == REC_QUEUED) {
        NEED(k, waits, "I5: a trial goes back to the line that was not held back");
        f->state = TRIAL_QUEUED;
    } else {
        NEED(k, f->state == TRIAL_QUEUED || f->state == TRIAL_DELAYED,
             "I5: a trial is held back that does not wait");
        f->state = TRIAL_PAUSED;
    }
}

static void on_attempt(struct context *k)
{
    struct fate *f = k->f;
    NEED(k, is_open(f) && f->attempt == k->r->attempt, "I5: a record outside its attempt");
    struct life *l = &f->lives[f->attempt];
    switch (k->r->kind) {
    case REC_STARTED:
        NEED(k, f->state == TRIAL_LEASED, "I5: an attempt starts twice");
        l->began = true;
        break;
    case REC_REPORTED:
        on_reported(k, l);
        break;
    case REC_CHECKPOINTED:
        on_checkpointed(k, l);
        break;
    case REC_STOPPING:
        on_stopping(k, l);
        return;
    default:
        on_closed(k, l);
        return;
    }
    l->started = true;
    if (f->state == TRIAL_LEASED)
        f->state = TRIAL_RUNNING;
}

static void on_trial(struct context *k)
{
    k->f = model_trial(k->m, k->r->study, k->r->trial);
    NEED(k, k->f != NULL, "I11: a record of a trial that was never made");
    bool final = trial_state_final(k->f->state);
    NEED(k, !final || k->r->kind != REC_FINISHED, "I2: a trial ends twice");
    NEED(k, !final, "I3: a record behind the trial's end");
    switch (k->r->kind) {
    case REC_GRANTED:
        on_granted(k);
        break;
    case REC_FINISHED:
        on_finished(k);
        break;
    case REC_QUEUED:
    case REC_PAUSED:
        on_line(k);
        break;
    default:
        on_attempt(k);
        break;
    }
}

void model_apply(struct sim *s, struct model *m, const struct record *r)
{
    struct context k = {.s = s, .m = m, .r = r};
    NEED(&k, r->seq == m->seq + 1, "I20: the journal's numbers are not dense");
    m->seq = r->seq;
    if (r->kind == REC_STUDY_CREATED)
        add_study(&k);
    else if (r->study)
        k.c = model_study(m, r->study);
    if (!r->study)
        return;
    NEED(&k, k.c != NULL, "I11: a record of a study that was never made");
    count_in_study(&k);
    if (r->kind == REC_PROPOSED || r->kind == REC_ENQUEUED)
        add_trial(&k);
    else if (r->kind > REC_ENQUEUED)
        on_trial(&k);
    else
        on_study(&k);
}
