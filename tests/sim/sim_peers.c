/* A scripted optimizer and a client. The optimizer follows the protocol and proposes numbered
 * points; it checks what every optimizer may rely on: the stream is gap-free and in order, each
 * trial is told once, a WANT comes after the events it speaks of. The client submits the studies,
 * repeating each request until it is answered, cancels a few trials, and pauses and resumes studies
 * and trials; at the end it resumes all until everything has ended. */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>

#include "alloc.h"
#include "codec.h"
#include "hash.h"

uint64_t sim_trials(const struct sim *s, int study)
{
    return 8 + (s->seed + (uint64_t)study * 7) % 20;
}

struct str sim_spec(const struct sim *s, int study)
{
    return buf_str(&s->specs[study]);
}

int sim_study_of(const struct sim *s, struct digest d)
{
    for (int i = 0; i < SIM_STUDIES; i++)
        if (digest_eq(hash_bytes(sim_spec(s, i)), d))
            return i;
    sim_fail(s, "a worker asks for a spec that nobody submitted");
}

static void send(struct sim *s, struct sim_node *n, uint64_t session, unsigned kind, const void *m)
{
    struct buf b;
    buf_init(&b, 0);
    message_encode(&b, kind, m);
    sim_send_to_broker(s, n, session, kind, buf_str(&b));
    buf_fini(&b);
}

static void say_hello(struct sim *s, struct sim_node *n, uint8_t role)
{
    n->hellos++;
    struct msg_hello h = {.role = role,
                          .version_min = PROTO_MAJOR,
                          .version_max = PROTO_MAJOR,
                          .host = STR("sim"),
                          .software = STR("{}"),
                          .number = n->hellos};
    for (size_t i = 0; i < sizeof h.peer.b; i++)
        h.peer.b[i] = (uint8_t)rng_u64(&s->rng);
    send(s, n, 0, MSG_HELLO, &h);
}

/* ---- the optimizer ---- */

static struct sim_optimizer *optimizer(struct sim *s)
{
    return &s->optimizer;
}

static int slot_of(const struct sim_optimizer *o, uint64_t study)
{
    for (size_t i = 0; i < o->n; i++)
        if (o->study[i].study == study)
            return (int)i;
    return -1;
}

static void pull(struct sim *s, int i)
{
    struct sim_optimizer *o = optimizer(s);
    o->study[i].credit = o->study[i].received + 40;
    struct msg_pull m = {
        .study = o->study[i].study, .epoch = o->study[i].epoch, .credit = o->study[i].credit};
    send(s, &o->node, o->session, MSG_PULL, &m);
}

static void on_attached(struct sim *s, const struct msg_attached *m)
{
    struct sim_optimizer *o = optimizer(s);
    int i = slot_of(o, m->study);
    if (i < 0) {
        SIM_CHECK(s, o->n < SIM_STUDIES, "more studies are attached than there are");
        i = (int)o->n++;
    }
    SIM_CHECK(s, o->study[i].study == 0 || m->epoch >= o->study[i].epoch,
              "an optimizer epoch goes back");
    memset(&o->study[i], 0, sizeof o->study[i]);
    o->study[i].study = m->study;
    o->study[i].epoch = m->epoch;
    o->study[i].next_draw = m->next_draw;
    pull(s, i);
}

static void apply(struct sim *s, int i, const struct record *r)
{
    struct sim_optimizer *o = optimizer(s);
    SIM_CHECK(s, r->study_seq > o->study[i].upto, "the stream of study %llu repeats or goes back",
              (unsigned long long)r->study);
    o->study[i].upto = r->study_seq;
    if (r->kind == REC_PROPOSED) {
        SIM_CHECK(s, r->number == o->study[i].proposed, "draw %llu comes in place of %llu",
                  (unsigned long long)r->number, (unsigned long long)o->study[i].proposed);
        o->study[i].proposed++;
    }
    o->study[i].told += r->kind == REC_FINISHED;
    o->study[i].closed = o->study[i].closed || r->kind == REC_STUDY_CLOSED;
}

static void on_events(struct sim *s, const struct msg_events *m)
{
    struct sim_optimizer *o = optimizer(s);
    int i = slot_of(o, m->study);
    if (i < 0 || o->study[i].epoch != m->epoch)
        return;
    for (uint32_t k = 0; k < m->records.n; k++)
        apply(s, i, &m->records.v[k]);
    SIM_CHECK(s, m->upto >= o->study[i].upto, "upto lies before the records it comes with");
    o->study[i].upto = m->upto;
    o->study[i].received += m->records.n;
    SIM_CHECK(s, o->study[i].received <= o->study[i].credit, "more records than credit");
    if (o->study[i].received + 20 > o->study[i].credit)
        pull(s, i);
}

static int trials_of(struct sim *s, uint64_t study)
{
    /* Studies are numbered in the order in which their SUBMIT arrived; the seed decides the size by
     * number. */
    return (int)sim_trials(s, (int)(study % SIM_STUDIES));
}

static void close_study(struct sim *s, int i)
{
    struct sim_optimizer *o = optimizer(s);
    struct msg_close_study m = {
        .study = o->study[i].study, .epoch = o->study[i].epoch, .why = STR("trials")};
    send(s, &o->node, o->session, MSG_CLOSE_STUDY, &m);
}

static void on_want(struct sim *s, const struct msg_want *m)
{
    struct sim_optimizer *o = optimizer(s);
    int i = slot_of(o, m->study);
    if (i < 0 || o->study[i].epoch != m->epoch)
        return;
    SIM_CHECK(s, m->upto <= o->study[i].upto || o->study[i].received == 0,
              "a WANT speaks of events that were not sent");
    uint64_t total = (uint64_t)trials_of(s, m->study);
    struct proposal p[64];
    char text[64][48];
    uint32_t n = 0;
    while (n < m->n && n < 64 && o->study[i].next_draw < total) {
        int k = snprintf(text[n], sizeof text[n], "{\"x\":%llu}",
                         (unsigned long long)o->study[i].next_draw);
        p[n] = (struct proposal){.draw = o->study[i].next_draw++,
                                 .params = str_make(text[n], (size_t)k),
                                 .why = STR("{}"),
                                 .based_on = o->study[i].upto};
        n++;
    }
    struct msg_propose out = {.study = m->study, .epoch = m->epoch, .want = m->want};
    out.proposals.v = p;
    out.proposals.n = n;
    send(s, &o->node, o->session, MSG_PROPOSE, &out);
    if (o->study[i].next_draw >= total)
        close_study(s, i);
}

static void optimizer_receive(struct sim *s, struct sim_node *n, uint64_t session, unsigned kind,
                              const union message *m)
{
    struct sim_optimizer *o = optimizer(s);
    if (kind == MSG_WELCOME && m->welcome.hello == n->hellos) {
        o->session = m->welcome.session;
        o->n = 0;
        memset(o->study, 0, sizeof o->study);
    }
    if (kind == MSG_ERROR && str_is(m->error.name, "STALE") && session == o->session)
        say_hello(s, n, ROLE_OPTIMIZER);
    if (session != o->session)
        return;
    if (kind == MSG_ATTACHED)
        on_attached(s, &m->attached);
    else if (kind == MSG_EVENTS)
        on_events(s, &m->events);
    else if (kind == MSG_WANT)
        on_want(s, &m->want);
}

static void on_optimizer_beat(struct sim *s, struct sim_event *e)
{
    struct sim_optimizer *o = optimizer(s);
    if (!o->node.up || e->a != o->generation)
        return;
    struct msg_beat m = {.number = (uint64_t)s->now};
    if (o->node.connected && o->session)
        send(s, &o->node, o->session, MSG_BEAT, &m);
    else if (o->node.connected)
        say_hello(s, &o->node, ROLE_OPTIMIZER);
    /* A PROPOSE or CLOSE may have vanished on its way; a session made anew is the protocol's cure.
     */
    if (o->node.connected && sim_chance(s, 0.1))
        say_hello(s, &o->node, ROLE_OPTIMIZER);
    sim_at(s, s->now + 5 * SEC, on_optimizer_beat, NULL, o->generation, 0);
}

static void optimizer_connected(struct sim *s, struct sim_node *n)
{
    say_hello(s, n, ROLE_OPTIMIZER);
}

/* The stream has a hole: a new session starts it again. */
static void optimizer_gap(struct sim *s, struct sim_node *n)
{
    optimizer(s)->session = 0;
    say_hello(s, n, ROLE_OPTIMIZER);
}

static void optimizer_disconnected(struct sim *s, struct sim_node *n)
{
    (void)n;
    optimizer(s)->session = 0;
}

void optimizer_start(struct sim *s)
{
    struct sim_optimizer *o = optimizer(s);
    uint64_t generation = o->generation + 1, peer = o->node.peer;
    memset(o, 0, sizeof *o);
    o->generation = generation;
    o->node = (struct sim_node){.name = "optimizer",
                                .up = true,
                                .peer = peer,
                                .receive = optimizer_receive,
                                .on_connected = optimizer_connected,
                                .on_disconnected = optimizer_disconnected,
                                .on_gap = optimizer_gap};
    sim_connect(s, &o->node);
    sim_at(s, s->now + 5 * SEC, on_optimizer_beat, NULL, generation, 0);
}

void optimizer_crash(struct sim *s)
{
    optimizer(s)->node.up = false;
    sim_disconnect(s, &optimizer(s)->node);
    optimizer(s)->session = 0;
}

/* ---- the client ---- */

static struct id128 request_of(int study)
{
    struct id128 r = {{1, 2, 3, (uint8_t)study}};
    return r;
}

static void submit(struct sim *s, int study)
{
    char name[8];
    int n = snprintf(name, sizeof name, "s%d", study);
    struct msg_submit m = {.request = request_of(study),
                           .name = str_make(name, (size_t)n),
                           .spec = sim_spec(s, study),
                           .digest = hash_bytes(sim_spec(s, study)),
                           .search = hash_bytes(sim_spec(s, study))};
    send(s, &s->client.node, s->client.session, MSG_SUBMIT, &m);
}

static struct id128 new_request(struct sim *s)
{
    struct id128 r;
    for (size_t i = 0; i < sizeof r.b; i++)
        r.b[i] = (uint8_t)rng_u64(&s->rng);
    return r;
}

static void cancel_one(struct sim *s)
{
    char name[8];
    int n = snprintf(name, sizeof name, "s%d", (int)rng_below(&s->rng, SIM_STUDIES));
    struct msg_cancel m = {.request = new_request(s),
                           .study = str_make(name, (size_t)n),
                           .one = true,
                           .trial = rng_below(&s->rng, 20)};
    send(s, &s->client.node, s->client.session, MSG_CANCEL, &m);
}

/* what: 0 = the study, else trial what - 1. */
static void ask_pause(struct sim *s, int study, uint64_t what, bool pause)
{
    char name[8];
    int n = snprintf(name, sizeof name, "s%d", study);
    struct str text = str_make(name, (size_t)n);
    struct msg_pause p = {new_request(s), text, what > 0, what ? what - 1 : 0};
    struct msg_resume r = {p.request, p.study, p.one, p.trial};
    send(s, &s->client.node, s->client.session, pause ? MSG_PAUSE : MSG_RESUME,
         pause ? (const void *)&p : &r);
}

static void pause_some(struct sim *s)
{
    int study = (int)rng_below(&s->rng, SIM_STUDIES);
    uint64_t what = sim_chance(s, 0.3) ? 0 : rng_below(&s->rng, SIM_PAUSES);
    bool *paused = &s->client.paused[study][what];
    ask_pause(s, study, what, !*paused);
    *paused = !*paused;
}

static void resume_all(struct sim *s)
{
    for (int i = 0; i < SIM_STUDIES; i++)
        for (uint64_t what = 0; what < SIM_PAUSES; what++)
            ask_pause(s, i, what, false);
}

static void on_client_turn(struct sim *s, struct sim_event *e)
{
    (void)e;
    struct sim_client *c = &s->client;
    if (c->node.connected && c->session) {
        struct msg_beat beat = {.number = (uint64_t)s->now};
        send(s, &c->node, c->session, MSG_BEAT, &beat);
        for (int i = 0; i < SIM_STUDIES; i++)
            if (!c->done[i])
                submit(s, i);
        if (!s->quiet && sim_chance(s, 0.1))
            cancel_one(s);
        if (!s->quiet && sim_chance(s, 0.2))
            pause_some(s);
        if (s->quiet)
            resume_all(s);
    } else if (c->node.connected) {
        say_hello(s, &c->node, ROLE_CLIENT);
    }
    sim_at(s, s->now + 3 * SEC, on_client_turn, NULL, 0, 0);
}

static void client_receive(struct sim *s, struct sim_node *n, uint64_t session, unsigned kind,
                           const union message *m)
{
    struct sim_client *c = &s->client;
    if (kind == MSG_WELCOME && m->welcome.hello == n->hellos)
        c->session = m->welcome.session;
    if (kind == MSG_ERROR && str_is(m->error.name, "STALE") && session == c->session) {
        c->session = 0;
        say_hello(s, n, ROLE_CLIENT);
    }
    if (kind != MSG_REPLY)
        return;
    for (int i = 0; i < SIM_STUDIES; i++)
        if (id128_eq(m->reply.request, request_of(i)) && str_is(m->reply.name, "OK"))
            c->done[i] = true;
}

static void client_connected(struct sim *s, struct sim_node *n)
{
    say_hello(s, n, ROLE_CLIENT);
}

static void client_gap(struct sim *s, struct sim_node *n)
{
    (void)s;
    (void)n; /* requests are repeated until they are answered */
}

static void client_disconnected(struct sim *s, struct sim_node *n)
{
    (void)n;
    s->client.session = 0;
}

void client_start(struct sim *s)
{
    for (int i = 0; i < SIM_STUDIES; i++) {
        buf_init(&s->specs[i], 0);
        buf_printf(&s->specs[i],
                   "{\"study\":\"s%d\",\"objective\":{\"command\":[\"./"
                   "f\"],\"metric\":\"loss\",\"grace\":2,\"timeout\":90},"
                   "\"space\":{\"x\":{\"int\":[0,1000000]}},\"retries\":2,\"retry_delay\":1}",
                   i);
    }
    s->client.node = (struct sim_node){.name = "client",
                                       .up = true,
                                       .receive = client_receive,
                                       .on_connected = client_connected,
                                       .on_disconnected = client_disconnected,
                                       .on_gap = client_gap};
    sim_connect(s, &s->client.node);
    sim_at(s, s->now + 100 * MS, on_client_turn, NULL, 0, 0);
}
