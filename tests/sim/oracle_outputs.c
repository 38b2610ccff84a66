/* What may be said, and what the others may rely on: I1 what is acknowledged is in the journal, I6
 * no attempt is sent twice, I8 an optimizer's stream is its study in order, I9 nothing is said that
 * is not durable, I16 streams within their credit, I17 feed and followers without gaps, I21 no
 * evaluator outlives its attempt for long. Called for every frame that leaves the broker, and by
 * the shells of its peers for what arrives. */
#include <stdlib.h>

#include "alloc.h"
#include "codec.h"
#include "oracle.h"

#define ULL(x) (unsigned long long)(x)
#define BIT(k) (UINT64_C(1) << REC_##k)
/* What an optimizer is told; docs/architecture.md. */
#define TOLD                                                                                       \
    (BIT(PROPOSED) | BIT(ENQUEUED) | BIT(REPORTED) | BIT(FINISHED) | BIT(STOPPING) |               \
     BIT(STUDY_CLOSED) | BIT(STUDY_OPENED) | BIT(STUDY_PAUSED) | BIT(STUDY_RESUMED) |              \
     BIT(SPEC_ADDED))

static const struct model *durable(const struct sim *s)
{
    return &s->oracle->durable;
}

void oracle_in_journal(struct sim *s, const struct record *r, const char *who)
{
    struct record mine;
    struct buf *a = &s->oracle->text, b;
    SIM_CHECK(s, r->seq && r->seq <= disk_records(s),
              "I9: %s gets record %llu before it is durable", who, ULL(r->seq));
    arena_clear(&s->oracle->arena);
    disk_record(s, (size_t)r->seq - 1, &mine, &s->oracle->arena);
    buf_clear(a);
    buf_init(&b, 0);
    record_encode(a, r);
    record_encode(&b, &mine);
    SIM_CHECK(s, str_eq(buf_str(a), buf_str(&b)), "I8: %s gets another record %llu than there is",
              who, ULL(r->seq));
    buf_fini(&b);
}

/* ---- acknowledgements ---- */

static bool ended(const struct fate *f, const struct life *l)
{
    return l->ended || trial_state_final(f->state);
}

static bool holds(const struct msg_ack *a, const struct fate *f)
{
    const struct life *l = f ? model_life(f, a->attempt) : NULL;
    if (!l)
        return false;
    switch (a->of) {
    case MSG_START:
        return l->started || l->stopped;
    case MSG_REPORT:
        return (l->has_step && l->last_step >= a->step) || (!l->has_step && a->step == 0);
    case MSG_CHECKPOINT:
        return (l->has_checkpoint && l->checkpoint_step >= a->step) ||
               (f->has_resume && f->resume_step >= a->step);
    case MSG_FINAL:
    case MSG_RELEASE:
        return ended(f, l);
    default:
        return false;
    }
}

void oracle_ack(struct sim *s, const struct msg_ack *a)
{
    const struct fate *f = model_trial(durable(s), a->study, a->trial);
    SIM_CHECK(
        s, holds(a, f),
        "I1: %s of trial %llu/%llu attempt %u step %lld is acknowledged and not in the journal",
        message_name(a->of), ULL(a->study), ULL(a->trial), a->attempt, (long long)a->step);
}

/* A change that was answered is kept, and so is its answer. */
void oracle_reply(struct sim *s, const struct msg_reply *r)
{
    const struct sim_client *c = &s->client;
    SIM_CHECK(s, r->seq <= disk_records(s), "I9: a REPLY speaks of seq %llu, durable are %zu",
              ULL(r->seq), disk_records(s));
    if (c->changing && id128_eq(r->request, c->change) && str_is(r->name, "OK"))
        SIM_CHECK(s, disk_request(s, r->request),
                  "I1: a change is answered and not in the journal");
}

/* ---- frames of the broker ---- */

static void check_assign(struct sim *s, uint64_t session, const struct msg_assign *m)
{
    const struct fate *f = model_trial(durable(s), m->study, m->trial);
    SIM_CHECK(s, f && m->attempt && m->attempt <= f->attempt,
              "I9: trial %llu/%llu attempt %u is sent before its grant is durable", ULL(m->study),
              ULL(m->trial), m->attempt);
    struct life *l = &f->lives[m->attempt];
    SIM_CHECK(s, l->session == session && !l->adopted, "I6: an attempt is sent to another session");
    SIM_CHECK(s, !l->assigned, "I6: trial %llu/%llu attempt %u is sent twice", ULL(m->study),
              ULL(m->trial), m->attempt);
    l->assigned = true;
}

static void check_verdicts(struct sim *s, const struct verdict *v, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        const struct fate *f = model_trial(durable(s), v[i].study, v[i].trial);
        bool adopted = f && v[i].new_attempt <= f->attempt && v[i].new_attempt > v[i].attempt &&
                       f->lives[v[i].new_attempt].adopted;
        SIM_CHECK(s, v[i].verdict != VERDICT_ADOPT || adopted,
                  "I9: an adoption of trial %llu/%llu is told before it is durable",
                  ULL(v[i].study), ULL(v[i].trial));
        SIM_CHECK(s, v[i].verdict != VERDICT_FINISHED || (f && trial_state_final(f->state)),
                  "I9: an end is told before it is durable");
    }
}

static struct reading *allowance(struct sim *s, uint64_t study, uint32_t epoch)
{
    uint64_t key = study << 32 | epoch;
    struct reading *r = idmap_get(&s->oracle->credits, key);
    if (!r) {
        r = alloc_zero(sizeof *r);
        idmap_put(&s->oracle->credits, key, r);
    }
    return r;
}

void oracle_allows(struct sim *s, const struct msg_pull *m)
{
    struct reading *r = allowance(s, m->study, m->epoch);
    if (m->credit > r->credit)
        r->credit = m->credit;
}

static void check_events(struct sim *s, const struct msg_events *m)
{
    const struct chapter *c = model_study(durable(s), m->study);
    uint64_t head = m->study ? (c ? c->study_seq : 0) : disk_records(s);
    SIM_CHECK(s, m->upto <= head, "I9: a stream is told up to %llu, durable are %llu", ULL(m->upto),
              ULL(head));
    if (!m->epoch)
        return;
    struct reading *r = allowance(s, m->study, m->epoch);
    r->received += m->records.n;
    SIM_CHECK(s, r->received <= r->credit, "I16: %llu records are sent, %llu were asked for",
              ULL(r->received), ULL(r->credit));
}

static void check_stop(struct sim *s, const struct msg_stop *m)
{
    const struct fate *f = model_trial(durable(s), m->study, m->trial);
    SIM_CHECK(s, f && m->attempt && m->attempt <= f->attempt && f->lives[m->attempt].stopped,
              "I9: a STOP is sent before it is durable");
}

static void check_attached(struct sim *s, const struct msg_attached *m)
{
    const struct chapter *c = model_study(durable(s), m->study);
    SIM_CHECK(s, c && m->epoch <= c->epoch && m->head <= c->study_seq,
              "I9: an attachment is told before it is durable");
}

void oracle_sends(struct sim *s, const struct fx_message *fx, struct str body)
{
    union message m;
    struct errmsg em;
    struct arena *a = &s->oracle->arena;
    if (fx->kind == MSG_BLOB || fx->kind == MSG_NAK || fx->kind == MSG_ERROR)
        return;
    arena_clear(a);
    SIM_CHECK(s, message_decode(&m, fx->kind, body, a, &em) == ERR_OK,
              "I22: the broker's own %s cannot be decoded: %s", message_name(fx->kind), em.text);
    switch (fx->kind) {
    case MSG_ACK:
        oracle_ack(s, &m.ack);
        break;
    case MSG_ASSIGN:
        check_assign(s, fx->session, &m.assign);
        break;
    case MSG_WELCOME:
        SIM_CHECK(s, m.welcome.seq <= disk_records(s), "I9: a WELCOME names a seq to come");
        check_verdicts(s, m.welcome.verdicts.v, m.welcome.verdicts.n);
        break;
    case MSG_BEAT_ACK:
        check_verdicts(s, m.beat_ack.verdicts.v, m.beat_ack.verdicts.n);
        break;
    case MSG_EVENTS:
        check_events(s, &m.events);
        break;
    case MSG_STOP:
        check_stop(s, &m.stop);
        break;
    case MSG_ATTACHED:
        check_attached(s, &m.attached);
        break;
    case MSG_REPLY:
        SIM_CHECK(s, m.reply.seq <= disk_records(s), "I9: a REPLY names a seq to come");
        break;
    default:
        break;
    }
}

void oracle_publishes(struct sim *s, const struct fx_feed *fx, struct str body)
{
    union message m;
    struct errmsg em;
    struct oracle *o = s->oracle;
    arena_clear(&s->scratch2);
    SIM_CHECK(s, message_decode(&m, fx->kind, body, &s->scratch2, &em) == ERR_OK,
              "I22: the feed cannot be decoded: %s", em.text);
    if (fx->kind == MSG_BEACON) {
        SIM_CHECK(s, m.beacon.seq <= disk_records(s), "I9: a BEACON names a seq to come");
        return;
    }
    for (uint32_t i = 0; i < m.events.records.n; i++) {
        const struct record *r = &m.events.records.v[i];
        uint64_t *next = &o->feed_next[r->study - 1];
        SIM_CHECK(s, !*next || r->study_seq == *next,
                  "I17: the feed of study %llu goes on with %llu in place of %llu", ULL(r->study),
                  ULL(r->study_seq), ULL(*next));
        oracle_in_journal(s, r, "the feed");
        *next = r->study_seq + 1;
    }
}

void oracle_follower_hears(struct sim *s, const struct record *r)
{
    oracle_in_journal(s, r, "a follower");
}

/* ---- an optimizer's streams ---- */

static struct reading *find_reading(struct sim *s, const struct sim_node *n, uint64_t study)
{
    struct reading *v = s->oracle->readings[n->index - SIM_WORKERS], *none = NULL;
    for (size_t i = 0; i < READINGS; i++) {
        if (v[i].open && v[i].study == study)
            return &v[i];
        if (!v[i].open && !none)
            none = &v[i];
    }
    return none;
}

static void forget_readings(struct sim *s, const struct sim_node *n)
{
    memset(s->oracle->readings[n->index - SIM_WORKERS], 0, sizeof s->oracle->readings[0]);
}

static void check_skipped(struct sim *s, const struct reading *x, uint64_t upto)
{
    const struct chapter *c = model_study(durable(s), x->study);
    SIM_CHECK(s, c && upto <= c->study_seq, "I9: an optimizer hears of what is not durable");
    for (uint64_t i = x->cursor; i < upto; i++)
        SIM_CHECK(s, !(TOLD >> c->kinds[i] & 1),
                  "I8: an optimizer is not told of study %llu's record %llu (%s)", ULL(x->study),
                  ULL(i + 1), record_kind_name(c->kinds[i]));
}

static void hear_events(struct sim *s, struct reading *x, const struct msg_events *m)
{
    for (uint32_t i = 0; i < m->records.n; i++) {
        const struct record *r = &m->records.v[i];
        SIM_CHECK(s, r->study_seq > x->cursor, "I8: an optimizer is told of record %llu twice",
                  ULL(r->study_seq));
        check_skipped(s, x, r->study_seq - 1);
        oracle_in_journal(s, r, "an optimizer");
        x->cursor = r->study_seq;
    }
    if (m->upto > x->cursor) {
        check_skipped(s, x, m->upto);
        x->cursor = m->upto;
    }
}

void oracle_optimizer_hears(struct sim *s, const struct sim_node *n, uint64_t session,
                            unsigned kind, const union message *m)
{
    if (n->gap || kind == MSG_WELCOME)
        forget_readings(s, n);
    if (n->gap || n->repeated)
        return;
    struct reading *x = NULL;
    if (kind == MSG_ATTACHED) {
        x = find_reading(s, n, m->attached.study);
        if (x)
            *x = (struct reading){.study = m->attached.study,
                                  .session = session,
                                  .epoch = m->attached.epoch,
                                  .open = true};
        return;
    }
    if (kind != MSG_EVENTS && kind != MSG_WANT)
        return;
    x = find_reading(s, n, kind == MSG_EVENTS ? m->events.study : m->want.study);
    uint32_t epoch = kind == MSG_EVENTS ? m->events.epoch : m->want.epoch;
    if (!x || !x->open || x->session != session || x->epoch != epoch)
        return;
    if (kind == MSG_EVENTS)
        hear_events(s, x, &m->events);
    else
        SIM_CHECK(s, m->want.upto <= x->cursor, "I8: a WANT comes before the events it rests on");
}

/* ---- evaluators ---- */

/* An attempt that is over may run on until its worker has heard of it, or has given up hope. */
void oracle_child_lives(struct sim *s, const struct sim_worker *w, uint64_t study, uint64_t trial,
                        uint32_t attempt)
{
    const struct fate *f = model_trial(durable(s), study, trial);
    const struct life *l = f ? model_life(f, attempt) : NULL;
    SIM_CHECK(s, l, "I21: an evaluator runs for an attempt that was never granted");
    if (!l->ended)
        return;
    const struct farm_config *c = &s->config;
    int64_t limit = c->lease_ns + c->orphan_ns + 3 * c->beat_ns + 10 * SEC;
    limit += limit / 50 + w->node.stood;
    SIM_CHECK(s, s->now - l->ended_at <= limit,
              "I21: an evaluator of trial %llu/%llu attempt %u runs %.1f s after its end",
              ULL(study), ULL(trial), attempt, (double)(s->now - l->ended_at) / 1e9);
}
