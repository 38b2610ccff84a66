/* The session with the broker: HELLO, WELCOME and its verdicts, beats, the worker's own end of its
 * lease, and credit. Called by worker_core.c. It must not know processes, files or frames.
 *
 * The lease is counted from the moment the last acknowledged BEAT left, so the worker always gives
 * up before the broker does, with no common clock. Giving up only starts the orphan time: children
 * go on in the hope that the next WELCOME keeps or adopts them. */
#include <math.h>

#include "backoff.h"
#include "worker_impl.h"

void link_init(struct link *l, int64_t now)
{
    *l = (struct link){.state = LINK_DOWN,
                       .beat_ns = 5 * NS_PER_S,
                       .lease_ns = 30 * NS_PER_S,
                       .orphan_ns = 600 * NS_PER_S,
                       .flush_ns = 100 * NS_PER_MS,
                       .next_beat = now,
                       .heard = now,
                       .hello_again = CLOCK_NEVER,
                       .lease_from = CLOCK_NEVER,
                       .orphans_end = CLOCK_NEVER};
}

/* Everything the broker is to know of, at most as much as a message takes; NULL and 0 when memory
 * is refused. */
static const struct held *list_held(const struct worker *w, struct worker_out *fx, uint32_t *n)
{
    uint32_t k = 0;
    struct held *v = arena_array(&fx->arena, w->n_attempts ? w->n_attempts : 1, sizeof *v);
    *n = 0;
    if (!v)
        return NULL;
    LIST_FOREACH (it, &w->attempts) {
        const struct attempt *a = CONTAINER_OF(it, struct attempt, link);
        if (!attempt_wanted(a) || k == WORKER_MAX_SLOTS)
            continue;
        v[k++] = (struct held){a->desc.study,    a->desc.trial, a->number,
                               attempt_phase(a), a->last_step,  a->has_step};
    }
    *n = k;
    return v;
}

/* The ended processes whose attempts are among those held. */
static const struct former *list_formers(struct worker *w, struct worker_out *fx, uint32_t *n)
{
    *n = 0;
    if (w->n_ghosts == 0)
        w->n_formers = 0;
    struct former *v = arena_array(&fx->arena, w->n_formers ? w->n_formers : 1, sizeof *v);
    for (; v && *n < w->n_formers; ++*n)
        v[*n].peer = w->formers[*n];
    return v;
}

void link_hello(struct worker *w, int64_t now, struct worker_out *fx)
{
    const struct worker_config *c = &w->c;
    struct resources have = {c->cpus, c->n_gpus, c->memory};
    struct str *labels = arena_array(&fx->arena, c->n_labels ? c->n_labels : 1, sizeof *labels);
    for (uint32_t i = 0; labels && i < c->n_labels; i++)
        labels[i] = str_of(c->labels[i]);
    struct msg_hello m = {.role = ROLE_WORKER,
                          .version_min = PROTO_MAJOR,
                          .version_max = PROTO_MAJOR,
                          .peer = c->peer,
                          .host = str_of(c->host),
                          .pid = c->pid,
                          .software = str_of(c->software),
                          .slots = c->slots,
                          .name = str_of(c->name),
                          .draining = w->drain.mode != DRAIN_NONE,
                          .number = ++w->link.hello_number,
                          .timeline = w->link.timeline};
    m.have.v = &have;
    m.have.n = 1;
    m.labels.v = labels;
    m.labels.n = labels ? c->n_labels : 0;
    m.held.v = list_held(w, fx, &m.held.n);
    m.former.v = list_formers(w, fx, &m.former.n);
    w->link.state = LINK_GREETING;
    w->link.hello_at = now;
    w->link.hello_again =
        now + backoff_delay(&w->rng, LINK_HELLO_NS, LINK_HELLO_MAX_NS, w->link.hellos++);
    worker_out_send(fx, 0, MSG_HELLO, &m);
}

void link_down(struct worker *w, int64_t now, struct worker_out *fx)
{
    (void)now;
    if (w->link.state == LINK_UP)
        worker_out_fact(fx, FACT_LEFT, NULL, "session=%llu", (unsigned long long)w->link.session);
    w->link.state = LINK_DOWN;
    w->link.hello_again = CLOCK_NEVER;
}

static int64_t ms(uint32_t v, int64_t otherwise)
{
    return v ? (int64_t)v * NS_PER_MS : otherwise;
}

static void adopt(struct worker *w, struct attempt *a, uint32_t number, int64_t now,
                  struct worker_out *fx)
{
    if (number <= a->number)
        return;
    worker_out_fact(fx, FACT_ADOPTED, a, "new_attempt=%u", number);
    uint32_t before = a->number;
    a->number = number;
    spooling_renumbered(w, a, before, fx);
    if (a->ghost && outbox_releases_lost(&a->outbox)) { /* its loss was counted when it expired */
        outbox_release(&a->outbox, RELEASE_PREEMPT, "its worker was killed");
        spooling_plan(w, a, now);
    }
    outbox_rewind(&a->outbox, false);
    attempt_flush(w, a, now, fx);
}

static void apply_verdict(struct worker *w, int64_t now, const struct verdict *v,
                          struct worker_out *fx)
{
    struct attempt *a = worker_find(w, v->study, v->trial, v->attempt);
    if (!a || !attempt_wanted(a))
        return;
    struct attempt_input in = {.cause = END_STOP, .stop_why = v->why};
    if (v->verdict == VERDICT_KILL)
        in.lost_to = stop_why_name(v->why);
    switch (v->verdict) {
    case VERDICT_ADOPT:
        adopt(w, a, v->new_attempt, now, fx);
        break;
    case VERDICT_STOP:
        attempt_event(w, a, EVENT_STOP, &in, now, fx);
        break;
    case VERDICT_KILL:
    case VERDICT_FINISHED:
        worker_count(w, COUNT_RESULT_DROPPED,
                     a->state == ATTEMPT_DONE && v->verdict == VERDICT_KILL);
        if (a->state == ATTEMPT_DONE)
            worker_out_fact(fx, FACT_DROPPED, a, "verdict=%s", verdict_name(v->verdict));
        attempt_event(w, a, EVENT_KILL, &in, now, fx);
        break;
    default: /* keep, or one of a newer broker */
        break;
    }
}

static void resend_all(struct worker *w, int64_t now, struct worker_out *fx)
{
    LIST_FOREACH (it, &w->attempts) {
        struct attempt *a = CONTAINER_OF(it, struct attempt, link);
        outbox_rewind(&a->outbox, false);
        attempt_flush(w, a, now, fx);
    }
}

static void lease_renewed(struct link *l, int64_t from)
{
    l->lease_from = from;
    l->fenced = false;
    l->orphans_end = CLOCK_NEVER;
}

void link_on_welcome(struct worker *w, int64_t now, const struct msg_welcome *m,
                     struct worker_out *fx)
{
    struct link *l = &w->link;
    /* The answer to an older HELLO names a session that the newer one has ended: using it would
     * call for a HELLO again, and so on for ever. */
    if (l->state != LINK_GREETING || m->session == 0 || m->hello != l->hello_number)
        return;
    l->state = LINK_UP;
    l->session = m->session;
    bool elsewhere = m->farm != l->farm || m->timeline != l->timeline;
    l->farm = m->farm;
    l->timeline = m->timeline;
    l->hellos = 0;
    l->hello_again = CLOCK_NEVER;
    l->beat_ns = ms(m->beat_ms, l->beat_ns);
    l->lease_ns = ms(m->lease_ms, l->lease_ns);
    l->orphan_ns = w->c.orphan_ns >= 0 ? w->c.orphan_ns : ms(m->orphan_ms, 0);
    l->flush_ns = ms(m->flush_ms, l->flush_ns);
    l->beat = 0;
    l->next_beat = now + backoff_jitter(&w->rng, l->beat_ns);
    l->heard = now;
    l->granted = l->credit = 0;
    told_forget(&w->told);
    lease_renewed(l, l->hello_at);
    worker_out_fact(fx, FACT_JOINED, NULL, "session=%llu epoch=%llu held=%zu",
                    (unsigned long long)m->session, (unsigned long long)m->epoch, w->n_attempts);
    for (uint32_t i = 0; i < m->verdicts.n; i++)
        apply_verdict(w, now, &m->verdicts.v[i], fx);
    if (elsewhere && w->spool.begun) /* its first records name the farm */
        worker_respool(w, now, fx);
    resend_all(w, now, fx);
    drain_say(w, now, fx);
}

void link_on_beat_ack(struct worker *w, int64_t now, const struct msg_beat_ack *m,
                      struct worker_out *fx)
{
    struct link *l = &w->link;
    if (m->number > 0 && m->number <= l->beat && l->beat - m->number < LINK_BEATS) {
        int64_t sent = l->beat_sent[m->number % LINK_BEATS];
        if (l->lease_from == CLOCK_NEVER || sent > l->lease_from)
            lease_renewed(l, sent);
    }
    told_acked(&w->told, m->number);
    l->flush_ns = ms(m->flush_ms, l->flush_ns);
    for (uint32_t i = 0; i < m->verdicts.n; i++)
        apply_verdict(w, now, &m->verdicts.v[i], fx);
    if (m->leave)
        drain_on_order(w, now, m->at_once, m->deadline_ms, fx);
}

void link_on_error(struct worker *w, int64_t now, uint64_t session, const struct msg_error *m,
                   struct worker_out *fx)
{
    worker_count(w, COUNT_BROKER_ERROR, 1);
    worker_out_fact(fx, FACT_REFUSED, NULL, "name=" STR_FMT " kind=%s text=\"" STR_FMT "\"",
                    STR_ARG(m->name), message_name(m->kind), STR_ARG(m->text));
    if (str_is(m->name, "STALE") && w->link.state == LINK_UP && session == w->link.session)
        link_hello(w, now, fx);
}

static void beat(struct worker *w, int64_t now, struct worker_out *fx)
{
    struct link *l = &w->link;
    l->beat++;
    l->beat_sent[l->beat % LINK_BEATS] = now;
    l->next_beat = now + backoff_jitter(&w->rng, l->beat_ns);
    struct msg_beat m = {.draining = w->drain.mode != DRAIN_NONE, .number = l->beat};
    m.held.v = list_held(w, fx, &m.held.n);
    m.counts.v = told_news(&w->told, l->beat, &fx->arena, &m.counts.n);
    if (w->has_wall)
        m.wall_ms = now / NS_PER_MS + w->wall_offset;
    worker_out_send(fx, l->session, MSG_BEAT, &m);
}

/* Free slots, bounded so that everything held still fits one HELLO. */
static void offer(struct worker *w, struct worker_out *fx)
{
    struct link *l = &w->link;
    uint64_t left = w->n_attempts < WORKER_MAX_SLOTS ? WORKER_MAX_SLOTS - w->n_attempts : 0;
    uint64_t vacant = slots_free(&w->slots);
    uint64_t total = l->granted + (vacant < left ? vacant : left);
    if (total <= l->credit || w->drain.mode != DRAIN_NONE)
        return;
    l->credit = total;
    struct msg_credit m = {total};
    worker_out_send(fx, l->session, MSG_CREDIT, &m);
}

/* How much earlier than the broker this side gives up; leases under ten seconds are for tests. */
static int64_t fence_at(const struct link *l)
{
    int64_t margin = l->lease_ns / 2 < FENCE_MARGIN_NS ? l->lease_ns / 2 : FENCE_MARGIN_NS;
    return l->lease_from + l->lease_ns - margin;
}

static void kill_orphans(struct worker *w, int64_t now, struct worker_out *fx)
{
    LIST_FOREACH_SAFE (it, tmp, &w->attempts) {
        struct attempt *a = CONTAINER_OF(it, struct attempt, link);
        if (a->state == ATTEMPT_DONE || !attempt_wanted(a))
            continue;
        worker_count(w, COUNT_ORPHAN_KILLED, 1);
        attempt_event(w, a, EVENT_KILL, NULL, now, fx);
    }
}

static int64_t lease_tick(struct worker *w, int64_t now, struct worker_out *fx)
{
    struct link *l = &w->link;
    if (l->lease_from == CLOCK_NEVER)
        return CLOCK_NEVER;
    if (!l->fenced && now < fence_at(l))
        return fence_at(l);
    if (!l->fenced) {
        l->fenced = true;
        worker_count(w, COUNT_FENCED, 1);
        l->orphans_end = now + l->orphan_ns;
        if (w->n_attempts > 0)
            worker_out_fact(fx, FACT_FENCED, NULL, "held=%zu", w->n_attempts);
    }
    if (now < l->orphans_end)
        return l->orphans_end;
    kill_orphans(w, now, fx);
    l->lease_from = CLOCK_NEVER;
    return CLOCK_NEVER;
}

static int64_t least(int64_t x, int64_t y)
{
    return x < y ? x : y;
}

int64_t worker_link_tick(struct worker *w, int64_t now, struct worker_out *fx)
{
    struct link *l = &w->link;
    int64_t lease = lease_tick(w, now, fx);
    if (l->state == LINK_DOWN)
        return lease;
    bool silent = l->state == LINK_UP && now >= l->heard + 3 * l->beat_ns;
    if (silent || (l->state == LINK_GREETING && now >= l->hello_again)) {
        worker_count(w, COUNT_HELLO_AGAIN, 1);
        link_hello(w, now, fx);
    }
    if (l->state == LINK_GREETING)
        return least(lease, l->hello_again);
    if (now >= l->next_beat)
        beat(w, now, fx);
    offer(w, fx);
    return least(lease, least(l->next_beat, l->heard + 3 * l->beat_ns));
}
