/* What workers may rely on, and what they owe: I1 an acknowledged checkpoint is the one that is
 * recorded, I5 an adopted attempt goes on under its new number, I7 offers within the slots, I10 a
 * worker takes the session that its last HELLO asked for, I14 no attempt is taken from a worker
 * that is heard and names it, nor from one that has sent its end, I21 a stop is told until it is
 * obeyed and a refused attempt's evaluator ends at once, I22 no good worker's frame is refused.
 * Called for every record and answer of the broker, and for what workers send and get. */
#include "alloc.h"
#include "codec.h"
#include "oracle.h"

#define ULL(x) (unsigned long long)(x)

static struct life *life_of(const struct model *m, uint64_t study, uint64_t trial, uint32_t attempt)
{
    const struct fate *f = model_trial(m, study, trial);
    return f && attempt && attempt <= f->attempt ? &f->lives[attempt] : NULL;
}

/* ---- what is taken from a worker ---- */

static bool known_since_start(const struct oracle *o, struct id128 who)
{
    size_t pos = 0;
    for (const struct seat *x; (x = idmap_next(&o->seats, &pos));)
        if (x->role == ROLE_WORKER && oracle_speaks_for(x, who))
            return true;
    return false;
}

/* A broker that has just started waits for the workers of before. */
static void check_grace(struct sim *s, const struct record *r, const struct life *l)
{
    const struct oracle *o = s->oracle;
    int64_t patience = s->config.lease_ns + s->config.restart_grace_ns;
    SIM_CHECK(s, known_since_start(o, l->who) || broker_now(s) - o->started >= patience,
              "I14: trial %llu/%llu attempt %u expires %.1f s after the broker's start",
              ULL(r->study), ULL(r->trial), r->attempt, (double)(broker_now(s) - o->started) / 1e9);
}

static void check_named(struct sim *s, const struct record *r, const struct held *v, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        SIM_CHECK(s, v[i].study != r->study || v[i].trial != r->trial || v[i].attempt != r->attempt,
                  "I14: trial %llu/%llu attempt %u is lost by a message that names it",
                  ULL(r->study), ULL(r->trial), r->attempt);
}

/* Whoever has sent an end sends it again until it is answered, and names the attempt meanwhile. */
static void check_told(struct sim *s, const struct record *r, uint64_t hello, uint64_t beat)
{
    const struct life *l = life_of(&s->oracle->durable, r->study, r->trial, r->attempt);
    bool behind =
        l && l->told && (hello > l->told_hello || (hello == l->told_hello && beat > l->told_beat));
    SIM_CHECK(s, !behind, "I14: trial %llu/%llu attempt %u is lost; its worker had sent its end",
              ULL(r->study), ULL(r->trial), r->attempt);
}

static void check_seen(struct sim *s, struct id128 who)
{
    size_t pos = 0;
    for (const struct seat *x; (x = idmap_next(&s->oracle->seats, &pos));) {
        if (!x->alive || x->gone || x->role != ROLE_WORKER || !id128_eq(x->id, who))
            continue;
        int64_t since = broker_now(s) - x->heard;
        SIM_CHECK(s, since >= s->config.lease_ns,
                  "I14: a worker that was heard %.1f s ago counts as silent", (double)since / 1e9);
    }
}

static void lost_by_message(struct sim *s, const struct oracle_cause *c, const struct record *r,
                            const struct life *l)
{
    const union message *m = c->msg;
    if (c->kind == MSG_HELLO && id128_eq(l->who, m->hello.peer)) {
        check_named(s, r, m->hello.held.v, m->hello.held.n);
        check_told(s, r, m->hello.number, 0);
    } else if (c->kind == MSG_BEAT && c->seat && id128_eq(l->who, c->seat->id)) {
        check_named(s, r, m->beat.held.v, m->beat.held.n);
        check_told(s, r, c->seat->hello, m->beat.number);
    }
}

/* Whatever a worker owes is sent in order, and again in the next session: START comes before the
 * first report, and the checkpoint before the end. Not where frames were lost: the broker says so,
 * and still takes what comes of that session. */
static void check_order(struct sim *s, const struct oracle_cause *c, const struct record *r)
{
    const struct fate *f = model_trial(&s->oracle->applied, r->study, r->trial);
    const struct life *l = life_of(&s->oracle->applied, r->study, r->trial, r->attempt);
    if (!l || l->overlooked || !c->seat || c->seat->gap || !id128_eq(l->who, c->seat->id))
        return;
    bool first = c->kind == MSG_REPORT && f->state == TRIAL_LEASED;
    SIM_CHECK(s, !first || l->began,
              "I1: trial %llu/%llu attempt %u reports, and has lost its START", ULL(r->study),
              ULL(r->trial), r->attempt);
    const struct life *d = life_of(&s->oracle->durable, r->study, r->trial, r->attempt);
    bool end = c->kind == MSG_FINAL && d && d->owes_checkpoint;
    SIM_CHECK(s, !end || (l->has_checkpoint && l->checkpoint_step >= d->owed_step),
              "I1: trial %llu/%llu attempt %u ends, and has lost its checkpoint", ULL(r->study),
              ULL(r->trial), r->attempt);
}

/* Before the record is applied. */
void oracle_loses(struct sim *s, const struct oracle_cause *c, const struct record *r)
{
    if (c->entry == ENTRY_MESSAGE && !s->malicious && r->kind != REC_GRANTED)
        check_order(s, c, r);
    if (r->kind == REC_WORKER_LEFT && c->entry == ENTRY_TICK)
        check_seen(s, r->who);
    bool end = (r->kind == REC_CLOSED && r->code == CLOSE_EXPIRED) || r->kind == REC_FINISHED;
    const struct life *l =
        end ? life_of(&s->oracle->applied, r->study, r->trial, r->attempt) : NULL;
    if (!l)
        return;
    if (c->entry == ENTRY_TICK)
        check_grace(s, r, l);
    else if (c->entry == ENTRY_MESSAGE && !s->malicious)
        lost_by_message(s, c, r, l);
}

/* ---- what a worker is answered ---- */

/* The first answer of this kind to the sender; false: there is none. */
static bool answer_of(struct sim *s, const struct oracle_cause *c, unsigned kind,
                      union message *out)
{
    for (size_t i = c->messages; i < s->gather->n_messages; i++) {
        const struct fx_message *m = &s->gather->messages[i];
        struct errmsg em;
        if (m->kind != kind || m->peer != c->peer)
            continue;
        arena_clear(&s->oracle->arena);
        SIM_CHECK(
            s, !message_decode(out, kind, effects_str(s->gather, m->body), &s->oracle->arena, &em),
            "I22: the broker's own %s cannot be decoded: %s", message_name(kind), em.text);
        return true;
    }
    return false;
}

static void check_checkpoint(struct sim *s, const struct oracle_cause *c)
{
    union message m;
    const struct msg_checkpoint *q = &c->msg->checkpoint;
    if (!answer_of(s, c, MSG_ACK, &m))
        return;
    const struct fate *f = model_trial(&s->oracle->applied, q->study, q->trial);
    SIM_CHECK(s,
              f && f->has_resume && f->resume_step == q->step && str_eq(f->resume, q->uri) &&
                  digest_eq(f->resume_digest, q->digest),
              "I1: a checkpoint of trial %llu/%llu attempt %u is acknowledged, and another one is "
              "recorded",
              ULL(q->study), ULL(q->trial), q->attempt);
}

static bool stops(const struct verdict *v, uint32_t n, const struct held *h)
{
    for (uint32_t i = 0; i < n; i++)
        if (v[i].study == h->study && v[i].trial == h->trial && v[i].attempt == h->attempt)
            return v[i].verdict == VERDICT_STOP;
    return false;
}

/* What is to stop and is named still is told so again. */
static void check_stops(struct sim *s, const struct oracle_cause *c, struct id128 who,
                        const struct held *held, uint32_t n)
{
    union message m;
    unsigned kind = c->kind == MSG_HELLO ? MSG_WELCOME : MSG_BEAT_ACK;
    for (uint32_t i = 0; i < n; i++) {
        const struct fate *f = model_trial(&s->oracle->applied, held[i].study, held[i].trial);
        if (!f || f->state != TRIAL_STOPPING || held[i].attempt != f->attempt ||
            !id128_eq(f->lives[f->attempt].who, who) || !answer_of(s, c, kind, &m))
            continue;
        bool told = kind == MSG_WELCOME
                        ? stops(m.welcome.verdicts.v, m.welcome.verdicts.n, &held[i])
                        : stops(m.beat_ack.verdicts.v, m.beat_ack.verdicts.n, &held[i]);
        SIM_CHECK(s, told, "I21: trial %llu/%llu attempt %u is to stop, and a %s does not say so",
                  ULL(held[i].study), ULL(held[i].trial), held[i].attempt, message_name(kind));
    }
}

static void check_refusal(struct sim *s, const struct oracle_cause *c)
{
    union message m;
    if (answer_of(s, c, MSG_ERROR, &m))
        SIM_CHECK(s, str_is(m.error.name, "STALE"), "I22: a %s of a good worker is refused: %.*s",
                  message_name(c->kind), (int)m.error.text.n, m.error.text.p);
}

/* What is offered in all is what came in this session and what is free. */
static void check_credit(struct sim *s, const struct oracle_cause *c)
{
    SIM_CHECK(s, c->msg->credit.total <= c->seat->assigned + c->seat->slots,
              "I7: a worker with %u slots that got %llu attempts offers %llu in all",
              c->seat->slots, ULL(c->seat->assigned), ULL(c->msg->credit.total));
}

/* A START or a checkpoint without an answer; the FINAL of the same session may come through. */
static void note_overlooked(struct sim *s, const struct oracle_cause *c)
{
    union message m;
    bool start = c->kind == MSG_START;
    const struct msg_start *q = &c->msg->start;
    const struct msg_checkpoint *p = &c->msg->checkpoint;
    struct life *l = life_of(&s->oracle->applied, start ? q->study : p->study,
                             start ? q->trial : p->trial, start ? q->attempt : p->attempt);
    if (l && !answer_of(s, c, MSG_ACK, &m))
        l->overlooked = true;
}

void oracle_answers(struct sim *s, const struct oracle_cause *c)
{
    const union message *m = c->msg;
    if (c->entry != ENTRY_MESSAGE || s->malicious)
        return;
    if (c->kind == MSG_HELLO && m->hello.role == ROLE_WORKER)
        check_stops(s, c, m->hello.peer, m->hello.held.v, m->hello.held.n);
    if (!c->seat || c->seat->role != ROLE_WORKER)
        return;
    check_refusal(s, c);
    if (c->kind == MSG_CREDIT)
        check_credit(s, c);
    if (c->kind == MSG_START || c->kind == MSG_CHECKPOINT)
        note_overlooked(s, c);
    if (c->kind == MSG_BEAT)
        check_stops(s, c, c->seat->id, m->beat.held.v, m->beat.held.n);
    else if (c->kind == MSG_CHECKPOINT)
        check_checkpoint(s, c);
}

/* ---- what workers send and get ---- */

static void tell(struct sim *s, const struct sim_worker *w, uint64_t study, uint64_t trial,
                 uint32_t attempt)
{
    struct life *l = life_of(&s->oracle->durable, study, trial, attempt);
    if (!l || l->told || !id128_eq(l->who, w->id))
        return;
    l->told = true;
    l->told_hello = w->hello;
    l->told_beat = w->beat;
}

static void owe(struct sim *s, const struct sim_worker *w, const struct msg_checkpoint *m)
{
    struct life *l = life_of(&s->oracle->durable, m->study, m->trial, m->attempt);
    if (!l || l->told || !id128_eq(l->who, w->id))
        return;
    l->owes_checkpoint = true;
    l->owed_step = m->step;
}

static void check_numbers(struct sim *s, const struct sim_worker *w, const struct held *v,
                          uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        const struct life *l = life_of(&s->oracle->durable, v[i].study, v[i].trial, v[i].attempt);
        SIM_CHECK(s, !l || !l->renumbered || !id128_eq(l->who, w->id),
                  "I5: trial %llu/%llu goes on under number %u, and was adopted", ULL(v[i].study),
                  ULL(v[i].trial), v[i].attempt);
    }
}

void oracle_worker_says(struct sim *s, struct sim_worker *w, unsigned kind, struct str body)
{
    union message m;
    struct errmsg em;
    if (kind != MSG_HELLO && kind != MSG_BEAT && kind != MSG_CHECKPOINT && kind != MSG_FINAL &&
        kind != MSG_RELEASE)
        return;
    arena_clear(&s->oracle->arena);
    SIM_CHECK(s, !message_decode(&m, kind, body, &s->oracle->arena, &em),
              "I22: a worker's own %s cannot be decoded: %s", message_name(kind), em.text);
    if (kind == MSG_HELLO) {
        w->hello = m.hello.number;
        w->beat = 0;
        check_numbers(s, w, m.hello.held.v, m.hello.held.n);
    } else if (kind == MSG_BEAT) {
        w->beat = m.beat.number;
        check_numbers(s, w, m.beat.held.v, m.beat.held.n);
    } else if (kind == MSG_CHECKPOINT) {
        owe(s, w, &m.checkpoint);
    } else if (kind == MSG_FINAL) {
        tell(s, w, m.final.study, m.final.trial, m.final.attempt);
    } else {
        tell(s, w, m.release.study, m.release.trial, m.release.attempt);
    }
}

static void forget(struct sim *s, uint64_t study, uint64_t trial, uint32_t attempt)
{
    struct life *l = life_of(&s->oracle->durable, study, trial, attempt);
    if (l)
        l->told = false;
}

static void forget_by_verdicts(struct sim *s, const struct verdict *v, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (v[i].verdict == VERDICT_KILL || v[i].verdict == VERDICT_FINISHED)
            forget(s, v[i].study, v[i].trial, v[i].attempt);
}

static void renumber(struct sim *s, const struct verdict *v, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        struct life *l = life_of(&s->oracle->durable, v[i].study, v[i].trial, v[i].attempt);
        if (l && v[i].verdict == VERDICT_ADOPT)
            l->renumbered = true;
    }
}

static void hear_nak(struct sim *s, const struct sim_worker *w, const struct msg_nak *m)
{
    forget(s, m->study, m->trial, m->attempt);
    if (m->code != NAK_SUPERSEDED && m->code != NAK_FINISHED && m->code != NAK_UNKNOWN)
        return;
    const struct fate *f = model_trial(&s->oracle->durable, m->study, m->trial);
    bool adopted = f && m->attempt < f->attempt && f->lives[m->attempt + 1].adopted;
    SIM_CHECK(s, adopted || !child_runs(w, m->study, m->trial, m->attempt),
              "I21: the evaluator of trial %llu/%llu attempt %u runs on behind a NAK (%s)",
              ULL(m->study), ULL(m->trial), m->attempt, nak_code_name(m->code));
}

void oracle_worker_heard(struct sim *s, struct sim_worker *w, bool in_session, unsigned kind,
                         const union message *m)
{
    if (kind == MSG_WELCOME) {
        forget_by_verdicts(s, m->welcome.verdicts.v, m->welcome.verdicts.n);
        SIM_CHECK(s, worker_session(w->core) != m->welcome.session || m->welcome.hello == w->hello,
                  "I10: a worker takes the session of HELLO %llu; its last was %llu",
                  ULL(m->welcome.hello), ULL(w->hello));
        if (worker_session(w->core) == m->welcome.session)
            renumber(s, m->welcome.verdicts.v, m->welcome.verdicts.n);
    } else if (kind == MSG_BEAT_ACK) {
        forget_by_verdicts(s, m->beat_ack.verdicts.v, m->beat_ack.verdicts.n);
        if (in_session)
            renumber(s, m->beat_ack.verdicts.v, m->beat_ack.verdicts.n);
    } else if (kind == MSG_KILL) {
        forget(s, m->kill.study, m->kill.trial, m->kill.attempt);
    } else if (kind == MSG_NAK && in_session) {
        hear_nak(s, w, &m->nak);
    }
}
