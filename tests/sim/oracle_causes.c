/* What may come of an input: I5 and I10 nothing of a session that is over, I7 grants within credit
 * and resources, I12 proposals of the current attachment alone, I18 records that the sender's role
 * may cause, I19 the checkpoint that was recorded last, I22 nothing of what is malformed; and that
 * what is recorded is what was said. Counts the cells of the coverage table. Called around every
 * entry into the broker's core. */
#include <math.h>
#include <stdlib.h>

#include "alloc.h"
#include "codec.h"
#include "oracle.h"

#define BIT(k)  (UINT64_C(1) << REC_##k)
#define ULL(x)  (unsigned long long)(x)
#define WORKER  (1u << ROLE_WORKER)
#define OPTIM   (1u << ROLE_OPTIMIZER)
#define CLIENT  (1u << ROLE_CLIENT)
#define LOSSES  (BIT(CLOSED) | BIT(FINISHED))
#define LEAVING (BIT(WORKER_LEFT) | LOSSES)

/* Record kinds that a message may lead to, and whose message it is. */
static const struct {
    unsigned roles;
    uint64_t records;
} may[128] = {
    [MSG_HELLO] = {WORKER | OPTIM | CLIENT, BIT(WORKER_JOINED) | BIT(GRANTED) | LEAVING},
    [MSG_BEAT] = {WORKER | OPTIM | CLIENT, BIT(WORKER_DRAINING) | BIT(GRANTED) | LOSSES},
    [MSG_BYE] = {WORKER | OPTIM | CLIENT, LEAVING},
    [MSG_START] = {WORKER, BIT(STARTED)},
    [MSG_REPORT] = {WORKER, BIT(REPORTED)},
    [MSG_CHECKPOINT] = {WORKER, BIT(CHECKPOINTED)},
    [MSG_FINAL] = {WORKER, BIT(GRANTED) | LOSSES},
    [MSG_RELEASE] = {WORKER, LOSSES},
    [MSG_DRAIN] = {WORKER, BIT(WORKER_DRAINING)},
    [MSG_PROPOSE] = {OPTIM, BIT(PROPOSED) | BIT(STUDY_CLOSED)},
    [MSG_CLOSE_STUDY] = {OPTIM, BIT(STUDY_CLOSED) | BIT(STOPPING) | BIT(FINISHED)},
    [MSG_PRUNE] = {OPTIM, BIT(STOPPING) | BIT(FINISHED)},
    [MSG_SUBMIT] = {CLIENT, BIT(STUDY_CREATED) | BIT(SPEC_ADDED) | BIT(STUDY_OPENED) |
                                BIT(STUDY_RESUMED) | BIT(ENQUEUED)},
    [MSG_ENQUEUE] = {CLIENT, BIT(ENQUEUED)},
    [MSG_CANCEL] = {CLIENT, BIT(STUDY_CLOSED) | BIT(STOPPING) | BIT(FINISHED)},
    [MSG_PAUSE] = {CLIENT, BIT(STUDY_PAUSED) | BIT(STOPPING) | BIT(PAUSED)},
    [MSG_RESUME] = {CLIENT, BIT(STUDY_RESUMED) | BIT(QUEUED)},
};
#define OF_TICK (BIT(GRANTED) | BIT(QUEUED) | LEAVING | BIT(STUDY_ENDED) | BIT(ATTACHED))

/* ---- sessions ---- */

const struct seat *oracle_seat(const struct sim *s, uint64_t session)
{
    const struct seat *x = session ? idmap_get(&s->oracle->seats, session) : NULL;
    return x && x->alive ? x : NULL;
}

bool oracle_speaks_for(const struct seat *x, struct id128 who)
{
    for (uint32_t i = 0; i < x->n_formers; i++)
        if (id128_eq(x->formers[i], who))
            return true;
    return id128_eq(x->id, who);
}

/* A HELLO that was answered ends the sessions before it: those of its connection and its process.
 */
static void replace(struct oracle *o, const struct seat *by)
{
    size_t pos = 0;
    for (struct seat *x; (x = idmap_next(&o->seats, &pos));) {
        bool same = id128_eq(x->id, by->id) && x->role == by->role && by->role != ROLE_CLIENT;
        if (x != by && x->alive && (x->peer == by->peer || same))
            x->alive = false;
    }
}

static void add_seat(struct sim *s, const struct oracle_cause *c, uint64_t session)
{
    struct oracle *o = s->oracle;
    const struct msg_hello *h = &c->msg->hello;
    SIM_CHECK(s, !idmap_get(&o->seats, session), "I10: session %llu is given twice", ULL(session));
    SIM_CHECK(s, session >> 32 == disk_epoch(s), "I10: session %llu is of another epoch",
              ULL(session));
    struct seat *x = alloc_zero(sizeof *x);
    *x = (struct seat){.session = session,
                       .peer = c->peer,
                       .id = h->peer,
                       .role = h->role,
                       .alive = true,
                       .slots = h->slots,
                       .hello = h->number,
                       .heard = broker_now(s),
                       .have = {.cpu = (double)INFINITY, .memory = UINT64_MAX}};
    if (h->have.n)
        x->have = h->have.v[0];
    size_t most = sizeof x->formers / sizeof x->formers[0];
    for (uint32_t i = 0; i < h->former.n && x->n_formers < most; i++)
        x->formers[x->n_formers++] = h->former.v[i].peer;
    idmap_put(&o->seats, session, x);
    replace(o, x);
}

static void end_seats_of(struct oracle *o, struct id128 worker)
{
    size_t pos = 0;
    for (struct seat *x; (x = idmap_next(&o->seats, &pos));)
        if (x->role == ROLE_WORKER && id128_eq(x->id, worker))
            x->alive = false;
}

static void end_connection(struct oracle *o, uint64_t peer)
{
    size_t pos = 0;
    for (struct seat *x; (x = idmap_next(&o->seats, &pos));)
        x->gone = x->gone || x->peer == peer;
}

static void note_gap(struct oracle *o, uint64_t session)
{
    struct seat *x = session ? idmap_get(&o->seats, session) : NULL;
    if (x)
        x->gap = true;
}

/* ---- cells ---- */

static void hit(struct sim *s, const struct fate *f, enum cell_event e)
{
    cells_hit(&s->cells, f->state, e);
}

static enum cell_event cell_of_final(const struct msg_final *m)
{
    switch (m->status) {
    case FINAL_OK:
        return m->has_value && isfinite(m->value) ? CELL_FINAL_OK : CELL_FINAL_NAN;
    case FINAL_PRUNED:
        return CELL_FINAL_PRUNED;
    default:
        return CELL_FINAL_ERROR;
    }
}

/* The attempt that a worker's message names; false: it names none. */
static bool names(const struct oracle_cause *c, uint64_t *study, uint64_t *trial, uint32_t *attempt)
{
    const union message *m = c->msg;
#define NAMED(kind, field)                                                                         \
    case kind:                                                                                     \
        *study = m->field.study;                                                                   \
        *trial = m->field.trial;                                                                   \
        *attempt = m->field.attempt;                                                               \
        return true
    switch (c->kind) {
        NAMED(MSG_START, start);
        NAMED(MSG_REPORT, report);
        NAMED(MSG_CHECKPOINT, checkpoint);
        NAMED(MSG_FINAL, final);
        NAMED(MSG_RELEASE, release);
    default:
        return false;
    }
#undef NAMED
}

static bool brings_news(const struct fate *f, const struct msg_report *m)
{
    const struct life *l = model_life(f, m->attempt);
    for (uint32_t i = 0; i < m->points.n; i++)
        if (!l || !l->has_step || m->points.v[i].step > l->last_step)
            return true;
    return false;
}

static void hit_attempt(struct sim *s, const struct oracle_cause *c)
{
    uint64_t study, trial;
    uint32_t attempt;
    if (!names(c, &study, &trial, &attempt))
        return;
    const struct fate *f = model_trial(&s->oracle->applied, study, trial);
    if (!f || !attempt)
        return;
    const struct life *l = model_life(f, attempt);
    bool current = l && l == &f->lives[f->attempt];
    if (current && !l->ended && !oracle_speaks_for(c->seat, l->who))
        return; /* another's */
    enum cell_event e = CELL_OTHER;
    if (current && c->kind == MSG_REPORT)
        e = brings_news(f, &c->msg->report) ? CELL_REPORT : CELL_REPORT_OLD;
    else if (current)
        e = c->kind == MSG_START        ? CELL_START
            : c->kind == MSG_CHECKPOINT ? CELL_CHECKPOINT
            : c->kind == MSG_RELEASE    ? CELL_RELEASE
                                        : cell_of_final(&c->msg->final);
    hit(s, f, e);
}

static void hit_held(struct sim *s, const struct held *v, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        const struct fate *f = model_trial(&s->oracle->applied, v[i].study, v[i].trial);
        if (f)
            hit(s, f, v[i].attempt == f->attempt ? CELL_HELD : CELL_HELD_OTHER);
    }
}

static void hit_prune(struct sim *s, const struct oracle_cause *c)
{
    const struct msg_prune *m = &c->msg->prune;
    const struct chapter *x = model_study(&s->oracle->applied, m->study);
    const struct fate *f = model_trial(&s->oracle->applied, m->study, m->trial);
    if (!f)
        return;
    const struct life *l = f->attempt ? &f->lives[f->attempt] : NULL;
    bool fits = m->epoch == x->epoch && id128_eq(x->optimizer, c->seat->id) &&
                m->attempt == f->attempt && l && l->has_step && m->step <= l->last_step;
    hit(s, f, !fits ? CELL_PRUNE_OTHER : m->pause ? CELL_PRUNE_PAUSE : CELL_PRUNE);
}

static struct chapter *named(const struct model *m, struct str name)
{
    for (size_t i = 0; i < m->n; i++)
        if (str_is(name, m->v[i].name))
            return &m->v[i];
    return NULL;
}

static void hit_change(struct sim *s, struct str study, bool one, uint64_t trial,
                       struct id128 request, enum cell_event e, enum cell_event whole)
{
    const struct chapter *c = named(&s->oracle->applied, study);
    if (!c || s->disk_full || disk_request(s, request))
        return;
    if (one && trial < c->n)
        hit(s, &c->fates[trial], e);
    for (size_t i = 0; !one && i < c->n; i++)
        hit(s, &c->fates[i], whole);
}

static void count_cells(struct sim *s, const struct oracle_cause *c)
{
    const union message *m = c->msg;
    if (c->kind == MSG_HELLO && m->hello.role == ROLE_WORKER)
        hit_held(s, m->hello.held.v, m->hello.held.n);
    if (!c->seat)
        return;
    bool worker = c->seat->role == ROLE_WORKER, client = c->seat->role == ROLE_CLIENT;
    if (worker && c->kind == MSG_BEAT)
        hit_held(s, m->beat.held.v, m->beat.held.n);
    else if (worker)
        hit_attempt(s, c);
    else if (c->kind == MSG_PRUNE && c->seat->role == ROLE_OPTIMIZER)
        hit_prune(s, c);
    else if (client && c->kind == MSG_CANCEL)
        hit_change(s, m->cancel.study, m->cancel.one, m->cancel.trial, m->cancel.request,
                   CELL_CANCEL, CELL_STUDY_CANCELLED);
    else if (client && c->kind == MSG_PAUSE)
        hit_change(s, m->pause.study, m->pause.one, m->pause.trial, m->pause.request, CELL_PAUSE,
                   CELL_STUDY_PAUSED);
    else if (client && c->kind == MSG_RESUME && m->resume.one)
        hit_change(s, m->resume.study, true, m->resume.trial, m->resume.request, CELL_RESUME,
                   CELL_RESUME);
}

static void hit_record(struct sim *s, const struct oracle_cause *c, const struct record *r)
{
    const struct fate *f = model_trial(&s->oracle->applied, r->study, r->trial);
    if (r->kind < REC_GRANTED || !f)
        return;
    bool lost = c->entry == ENTRY_TICK || c->kind == MSG_HELLO || c->kind == MSG_BEAT;
    if (r->kind == REC_GRANTED)
        hit(s, f, r->code == 1 ? CELL_ADOPT : CELL_GRANT);
    else if (r->kind == REC_CLOSED && r->code == CLOSE_EXPIRED)
        hit(s, f, CELL_EXPIRY);
    else if (r->kind == REC_FINISHED && (r->number == 2 || (lost && f->state == TRIAL_STOPPING)))
        hit(s, f, CELL_EXPIRY);
    else if (r->kind == REC_QUEUED && c->entry == ENTRY_TICK)
        hit(s, f, CELL_RETRY);
}

/* ---- before and after ---- */

void oracle_before(struct sim *s, struct oracle_cause *c)
{
    const struct seat *x = oracle_seat(s, c->session);
    c->seat = x && x->peer == c->peer ? x : NULL;
    count_cells(s, c);
}

static void check_cause(struct sim *s, const struct oracle_cause *c, const struct record *r)
{
    uint64_t bit = UINT64_C(1) << r->kind;
    const char *kind = record_kind_name(r->kind);
    switch (c->entry) {
    case ENTRY_START:
        SIM_CHECK(s, r->kind == REC_BROKER_STARTED, "I18: a start records %s", kind);
        return;
    case ENTRY_TICK:
        SIM_CHECK(s, OF_TICK & bit, "I18: %s comes of time alone", kind);
        return;
    case ENTRY_MESSAGE:
        break;
    default:
        sim_fail(s, "I22: %s comes of something that is no message", kind);
    }
    const char *name = message_name(c->kind);
    SIM_CHECK(s, may[c->kind].records & bit, "I18: %s comes of a %s", kind, name);
    if (c->kind == MSG_HELLO)
        return;
    SIM_CHECK(s, c->seat, "I10: %s comes of a %s whose session is over", kind, name);
    SIM_CHECK(s, may[c->kind].roles >> c->seat->role & 1, "I18: %s comes of a %s of a %s", kind,
              name, role_name(c->seat->role));
}

/* The evaluator's own number: both sides of the comparison above have been decoded. */
static void check_value(struct sim *s, const struct record *r)
{
    double x = model_trial(&s->oracle->applied, r->study, r->trial)->x;
    if (s->malicious || !r->has_value || !isfinite(r->value) || isnan(x))
        return;
    double said = child_loss(x, r->step);
    SIM_CHECK(s, memcmp(&said, &r->value, sizeof said) == 0,
              "I4: trial %llu/%llu reports %.17g, and %.17g is recorded", ULL(r->study),
              ULL(r->trial), said, r->value);
}

static void check_report(struct sim *s, const struct msg_report *m, const struct record *r)
{
    for (uint32_t i = 0; i < m->points.n; i++) {
        const struct point *p = &m->points.v[i];
        if (p->step == r->step && p->has_value == r->has_value &&
            (!p->has_value || memcmp(&p->value, &r->value, sizeof r->value) == 0)) {
            check_value(s, r);
            return;
        }
    }
    sim_fail(s, "I4: a report is recorded that was not made");
}

/* What a worker says is recorded under the attempt it names, or the one that adopted it. */
static void check_attempt(struct sim *s, const struct oracle_cause *c, const struct record *r)
{
    uint64_t study, trial;
    uint32_t attempt;
    if (!names(c, &study, &trial, &attempt))
        return;
    const struct fate *f = model_trial(&s->oracle->applied, r->study, r->trial);
    SIM_CHECK(s, r->study == study && r->trial == trial && f,
              "I5: a %s is recorded with another trial", message_name(c->kind));
    const struct life *l = model_life(f, attempt);
    SIM_CHECK(s, l && l == &f->lives[f->attempt] && oracle_speaks_for(c->seat, l->who),
              "I5: a %s of attempt %u is recorded under attempt %u of trial %llu/%llu",
              message_name(c->kind), attempt, r->attempt, ULL(study), ULL(trial));
    if (c->kind == MSG_REPORT)
        check_report(s, &c->msg->report, r);
    if (c->kind != MSG_FINAL || r->kind != REC_FINISHED)
        return;
    const struct msg_final *m = &c->msg->final;
    bool result = m->status == FINAL_OK && m->has_value && isfinite(m->value);
    SIM_CHECK(s, (r->code == TRIAL_COMPLETE) == result,
              "I5: a FINAL of status %s makes the trial %s", final_status_name(m->status),
              trial_state_name(r->code));
    SIM_CHECK(s, !m->has_value || memcmp(&m->value, &r->value, sizeof r->value) == 0,
              "I5: another value is recorded than was said");
}

/* The end of the attempt that is open is recorded, under its number or the one before it was
 * adopted last. */
static void check_result(struct sim *s, const struct oracle_cause *c)
{
    if (c->kind != MSG_FINAL || !c->seat || c->seat->role != ROLE_WORKER)
        return;
    const struct msg_final *m = &c->msg->final;
    const struct fate *f = model_trial(&s->oracle->applied, m->study, m->trial);
    const struct life *l = f ? model_life(f, m->attempt) : NULL;
    if (!l || l != &f->lives[f->attempt] || l->ended || !oracle_speaks_for(c->seat, l->who) ||
        m->attempt + 1 < f->attempt)
        return;
    bool refused = m->has_step && (m->last_step < 0 || m->last_step > (INT64_C(1) << 53) - 1);
    SIM_CHECK(s, refused || m->metrics.n,
              "I1: a FINAL of the open attempt %u of trial %llu/%llu (%s) changes nothing",
              m->attempt, ULL(m->study), ULL(m->trial), trial_state_name(f->state));
}

static void check_optimizer(struct sim *s, const struct oracle_cause *c, const struct record *r)
{
    uint32_t epoch;
    uint64_t study;
    if (c->kind == MSG_PROPOSE) {
        epoch = c->msg->propose.epoch;
        study = c->msg->propose.study;
    } else if (c->kind == MSG_PRUNE) {
        epoch = c->msg->prune.epoch;
        study = c->msg->prune.study;
    } else if (c->kind == MSG_CLOSE_STUDY) {
        epoch = c->msg->close_study.epoch;
        study = c->msg->close_study.study;
    } else {
        return;
    }
    const struct chapter *x = model_study(&s->oracle->applied, r->study);
    SIM_CHECK(s, r->study == study && x && epoch == x->epoch && id128_eq(x->optimizer, c->seat->id),
              "I12: %s comes of a %s that is not of the current attachment",
              record_kind_name(r->kind), message_name(c->kind));
}

static void check_grant(struct sim *s, const struct record *r)
{
    struct oracle *o = s->oracle;
    if (r->kind != REC_GRANTED || r->code == 1)
        return;
    const struct seat *x = oracle_seat(s, r->number);
    SIM_CHECK(s, x && x->role == ROLE_WORKER && id128_eq(x->id, r->who),
              "I7: a grant to a session that is not alive");
    uint32_t held = model_held(&o->applied, r->who);
    SIM_CHECK(s, held < x->slots, "I7: %u attempts for %u slots", held + 1, x->slots);
    SIM_CHECK(s, held + 1 <= x->have.cpu, "I7: %u processors of %g", held + 1, x->have.cpu);
}

static void apply_records(struct sim *s, const struct oracle_cause *c)
{
    struct oracle *o = s->oracle;
    for (size_t i = c->records; i < s->gather->n_records; i++) {
        struct record r;
        struct errmsg em;
        arena_clear(&o->arena);
        err_t e =
            record_decode(&r, effects_str(s->gather, s->gather->records[i].body), &o->arena, &em);
        SIM_CHECK(s, e == ERR_OK, "I20: a record cannot be read: %s", em.text);
        check_cause(s, c, &r);
        check_optimizer(s, c, &r);
        check_grant(s, &r);
        oracle_loses(s, c, &r);
        hit_record(s, c, &r);
        model_apply(s, &o->applied, &r);
        if (c->entry == ENTRY_MESSAGE && c->seat && r.kind != REC_GRANTED)
            check_attempt(s, c, &r);
        if (r.kind == REC_PROPOSED && s->malicious)
            o->tainted[r.study - 1] = true;
        if (r.kind == REC_WORKER_LEFT)
            end_seats_of(o, r.who);
    }
}

static void take_credit(struct sim *s, const struct oracle_cause *c)
{
    struct seat *x = c->seat ? idmap_get(&s->oracle->seats, c->session) : NULL;
    if (!x)
        return;
    if (c->kind != MSG_HELLO) /* that makes a new session, or is refused */
        x->heard = broker_now(s);
    if (c->kind == MSG_CREDIT && x->role == ROLE_WORKER && c->msg->credit.total > x->credit)
        x->credit = c->msg->credit.total;
    if (c->kind == MSG_PULL && x->role == ROLE_OPTIMIZER)
        oracle_allows(s, &c->msg->pull);
    if (c->kind == MSG_BYE)
        x->alive = false;
}

/* I19: an attempt resumes from what was recorded last, by an attempt before it. */
static void check_resume(struct sim *s, const struct fx_message *fx)
{
    union message m;
    struct errmsg em;
    arena_clear(&s->oracle->arena);
    SIM_CHECK(s,
              message_decode(&m, fx->kind, effects_str(s->gather, fx->body), &s->oracle->arena,
                             &em) == ERR_OK,
              "I22: the broker's own ASSIGN cannot be decoded: %s", em.text);
    const struct msg_assign *q = &m.assign;
    const struct fate *f = model_trial(&s->oracle->applied, q->study, q->trial);
    bool same =
        f && (f->has_resume ? str_eq(q->resume, f->resume) && q->resume_step == f->resume_step &&
                                  digest_eq(q->resume_digest, f->resume_digest) &&
                                  f->resume_attempt < q->attempt
                            : !q->resume.n);
    SIM_CHECK(s, same, "I19: trial %llu/%llu attempt %u does not resume what was recorded last",
              ULL(q->study), ULL(q->trial), q->attempt);
}

static void take_messages(struct sim *s, const struct oracle_cause *c)
{
    for (size_t i = c->messages; i < s->gather->n_messages; i++) {
        const struct fx_message *m = &s->gather->messages[i];
        if (m->kind == MSG_WELCOME && c->entry == ENTRY_MESSAGE && c->kind == MSG_HELLO &&
            m->peer == c->peer)
            add_seat(s, c, m->session);
        if (m->kind != MSG_ASSIGN)
            continue;
        check_resume(s, m);
        struct seat *x = idmap_get(&s->oracle->seats, m->session);
        SIM_CHECK(s, x && ++x->assigned <= x->credit, "I7: an ASSIGN beyond the session's credit");
    }
}

void oracle_after(struct sim *s, const struct oracle_cause *c)
{
    size_t n = s->gather->n_records - c->records;
    if (c->entry == ENTRY_START)
        s->oracle->started = broker_now(s);
    if (c->entry == ENTRY_GAP)
        note_gap(s->oracle, c->session);
    if (c->entry == ENTRY_PEER_GONE)
        end_connection(s->oracle, c->peer);
    if (c->entry == ENTRY_MESSAGE && !n)
        check_result(s, c);
    take_credit(s, c);
    apply_records(s, c);
    take_messages(s, c);
    oracle_answers(s, c);
    if (c->entry == ENTRY_BAD_FRAME)
        SIM_CHECK(s, !n && s->gather->n_messages == c->messages + 1,
                  "I22: a malformed frame leads to more than one refusal");
}
