/* A scripted optimizer. It follows the protocol, proposes numbered points, and prunes and pauses
 * trials by their reports, which no sampler of ours does yet. It says HELLO anew when it hears
 * nothing, as the real one does. */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>

#include "alloc.h"
#include "oracle.h"

struct script_study {
    uint64_t study;
    uint32_t epoch;
    uint64_t next_draw, credit, received, upto, answered;
};
struct script {
    uint64_t session, hellos;
    struct id128 id;
    int64_t heard;
    struct script_study v[16];
    size_t n;
};

static struct sim_optimizer *of(struct sim_node *n)
{
    return CONTAINER_OF(n, struct sim_optimizer, node);
}

static void say_hello(struct sim *s, struct sim_optimizer *o)
{
    struct script *c = o->script;
    c->session = 0;
    c->n = 0;
    struct msg_hello h = {.role = ROLE_OPTIMIZER,
                          .version_min = PROTO_MAJOR,
                          .version_max = PROTO_MAJOR,
                          .peer = c->id,
                          .host = STR("sim"),
                          .software = STR("{}"),
                          .number = ++c->hellos};
    net_send_msg(s, &o->node, 0, MSG_HELLO, &h);
}

static struct script_study *study_of(struct script *c, uint64_t study)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->v[i].study == study)
            return &c->v[i];
    return NULL;
}

static void pull(struct sim *s, struct sim_optimizer *o, struct script_study *x)
{
    x->credit = x->received + 40;
    struct msg_pull m = {.study = x->study, .epoch = x->epoch, .credit = x->credit};
    net_send_msg(s, &o->node, o->script->session, MSG_PULL, &m);
}

static void on_attached(struct sim *s, struct sim_optimizer *o, const struct msg_attached *m)
{
    struct script *c = o->script;
    struct script_study *x = study_of(c, m->study);
    if (x ? x->epoch >= m->epoch : c->n == sizeof c->v / sizeof *c->v)
        return;
    if (!x)
        x = &c->v[c->n++];
    *x = (struct script_study){.study = m->study, .epoch = m->epoch, .next_draw = m->next_draw};
    pull(s, o, x);
}

static void prune(struct sim *s, struct sim_optimizer *o, const struct script_study *x,
                  const struct record *r)
{
    struct msg_prune m = {.study = x->study,
                          .epoch = x->epoch,
                          .trial = r->trial,
                          .attempt = r->attempt,
                          .step = r->step + (sim_chance(s, 0.1) ? 3 : 0),
                          .based_on = x->upto,
                          .pause = sim_chance(s, 0.3),
                          .why = STR("{}")};
    if (sim_chance(s, 0.05))
        m.attempt++;
    net_send_msg(s, &o->node, o->script->session, MSG_PRUNE, &m);
}

static void on_events(struct sim *s, struct sim_optimizer *o, const struct msg_events *m)
{
    struct script_study *x = study_of(o->script, m->study);
    if (!x || x->epoch != m->epoch)
        return;
    for (uint32_t k = 0; k < m->records.n; k++) {
        const struct record *r = &m->records.v[k];
        if (r->study_seq <= x->upto)
            continue;
        x->upto = r->study_seq;
        x->received++;
        if (r->kind == REC_REPORTED && m->live && sim_chance(s, s->quiet ? 0.01 : 0.06))
            prune(s, o, x, r);
    }
    if (m->upto > x->upto)
        x->upto = m->upto;
    if (x->received + 20 > x->credit)
        pull(s, o, x);
}

static void close_study(struct sim *s, struct sim_optimizer *o, const struct script_study *x)
{
    struct msg_close_study m = {.study = x->study,
                                .epoch = x->epoch,
                                .why = STR("trials"),
                                .stop_running = sim_chance(s, 0.2)};
    net_send_msg(s, &o->node, o->script->session, MSG_CLOSE_STUDY, &m);
}

static void on_want(struct sim *s, struct sim_optimizer *o, const struct msg_want *m)
{
    struct script_study *x = study_of(o->script, m->study);
    if (!x || x->epoch != m->epoch || m->want <= x->answered)
        return;
    x->answered = m->want;
    uint64_t total = sim_trials(s, (int)(m->study % SIM_STUDIES));
    struct proposal p[64];
    char text[64][48];
    uint32_t n = 0;
    while (n < m->n && n < 64 && x->next_draw < total) {
        int k = snprintf(text[n], sizeof text[n], "{\"x\":%llu}", (unsigned long long)x->next_draw);
        p[n] = (struct proposal){.draw = x->next_draw++,
                                 .params = str_make(text[n], (size_t)k),
                                 .why = STR("{}"),
                                 .based_on = x->upto};
        n++;
    }
    struct msg_propose out = {.study = m->study, .epoch = m->epoch, .want = m->want};
    out.proposals.v = p;
    out.proposals.n = n;
    net_send_msg(s, &o->node, o->script->session, MSG_PROPOSE, &out);
    if (x->next_draw >= total)
        close_study(s, o, x);
}

static void on_receive(struct sim *s, struct sim_node *n, uint64_t session, unsigned kind,
                       const union message *m)
{
    struct sim_optimizer *o = of(n);
    struct script *c = o->script;
    c->heard = node_now(s, n);
    oracle_optimizer_hears(s, n, session, kind, m);
    if (kind == MSG_WELCOME && m->welcome.hello == c->hellos)
        c->session = m->welcome.session;
    if (kind == MSG_ERROR && str_is(m->error.name, "STALE") && session == c->session)
        say_hello(s, o);
    if (!c->session || session != c->session)
        return;
    if (kind == MSG_ATTACHED)
        on_attached(s, o, &m->attached);
    else if (kind == MSG_EVENTS)
        on_events(s, o, &m->events);
    else if (kind == MSG_WANT)
        on_want(s, o, &m->want);
}

static void on_beat(struct sim *s, struct sim_event *e)
{
    struct sim_optimizer *o = e->who;
    if (!o->script || e->a != o->node.generation)
        return;
    int64_t beat = s->config.beat_ns;
    sim_at(s, s->now + beat, on_beat, o, e->a, 0);
    if (!o->node.connected || o->node.paused_until > s->now)
        return;
    sim_step(s);
    struct msg_beat m = {.number = (uint64_t)s->now};
    if (o->script->session && node_now(s, &o->node) - o->script->heard < 3 * beat)
        net_send_msg(s, &o->node, o->script->session, MSG_BEAT, &m);
    else
        say_hello(s, o);
}

static void on_connected(struct sim *s, struct sim_node *n)
{
    of(n)->script->heard = node_now(s, n);
    say_hello(s, of(n));
}

static void on_disconnected(struct sim *s, struct sim_node *n)
{
    (void)s;
    of(n)->script->session = 0;
}

void script_start(struct sim *s, struct sim_optimizer *o)
{
    struct sim_node *n = &o->node;
    n->receive = on_receive;
    n->on_connected = on_connected;
    n->on_disconnected = on_disconnected;
    n->on_gap = on_connected; /* the stream has a hole: a new session starts it again */
    o->script = alloc_zero(sizeof *o->script);
    for (size_t i = 0; i < sizeof o->script->id.b; i++)
        o->script->id.b[i] = (uint8_t)rng_u64(&s->rng);
    net_connect(s, n);
    sim_at(s, s->now + s->config.beat_ns, on_beat, o, n->generation, 0);
}

void script_stop(struct sim_optimizer *o)
{
    free(o->script);
    o->script = NULL;
}
