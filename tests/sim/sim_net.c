/* Connections between the broker and its peers. Each direction is first in, first out; a connection
 * that ends loses everything under way; a message may vanish alone (a full queue in ZeroMQ);
 * latency is drawn for each. Bodies travel encoded and are decoded on arrival by the same pure
 * decoder as in production. */
#include "sim.h"

#include <stdlib.h>

#include "alloc.h"
#include "codec.h"

struct sim_node *sim_node_of_peer(struct sim *s, uint64_t peer)
{
    struct sim_node *all[SIM_WORKERS + 2];
    size_t n = 0;
    for (size_t i = 0; i < SIM_WORKERS; i++)
        all[n++] = &s->workers[i].node;
    all[n++] = &s->optimizer.node;
    all[n++] = &s->client.node;
    for (size_t i = 0; i < n; i++)
        if (all[i]->connected && all[i]->peer == peer)
            return all[i];
    return NULL;
}

static void try_connect(struct sim *s, struct sim_event *e)
{
    struct sim_node *n = e->who;
    if (!n->up || n->connected || e->a != n->peer)
        return;
    if (!s->farm) {
        sim_at(s, s->now + sim_between(s, 200 * MS, 2 * SEC), try_connect, n, n->peer, 0);
        return;
    }
    n->connected = true;
    n->peer = ++s->next_peer;
    n->last_arrival[0] = n->last_arrival[1] = s->now;
    n->sent = n->seen = 0;
    n->on_connected(s, n);
}

void sim_connect(struct sim *s, struct sim_node *n)
{
    n->connected = false;
    n->peer = ++s->next_peer; /* until it is connected: tells this try from older ones */
    sim_at(s, s->now + sim_between(s, 1 * MS, 50 * MS), try_connect, n, n->peer, 0);
}

static void on_peer_gone(struct sim *s, struct sim_event *e)
{
    if (s->farm && e->b == s->broker_generation)
        broker_peer_gone(s, e->a);
}

void sim_disconnect(struct sim *s, struct sim_node *n)
{
    if (!n->connected)
        return;
    uint64_t peer = n->peer;
    n->connected = false;
    if (sim_chance(s, 0.7)) /* the hint may be missing: a half-open connection */
        sim_at(s, s->now + sim_between(s, 0, 200 * MS), on_peer_gone, NULL, peer,
               s->broker_generation);
    if (n->up) {
        n->on_disconnected(s, n);
        sim_connect(s, n);
    }
}

static int64_t arrival(struct sim *s, struct sim_node *n, int direction)
{
    int64_t at = s->now + sim_between(s, 20000, s->faults.latency_max);
    if (at <= n->last_arrival[direction])
        at = n->last_arrival[direction] + 1;
    n->last_arrival[direction] = at;
    return at;
}

struct prefix {    /* before a body under way */
    uint64_t peer; /* of which connection it is */
    uint64_t seq;
};

static void post(struct sim *s, struct sim_node *n, int direction,
                 void (*run)(struct sim *, struct sim_event *), uint64_t session, unsigned kind,
                 struct str body)
{
    struct prefix prefix = {n->peer, direction == 1 ? ++n->sent : 0};
    if (sim_chance(s, s->faults.drop))
        return;
    struct sim_event *e = sim_at(s, arrival(s, n, direction), run, n, session, kind);
    char *copy = malloc(sizeof prefix + body.n + 1);
    REQUIRE(copy != NULL);
    memcpy(copy, &prefix, sizeof prefix);
    if (body.n > 0)
        memcpy(copy + sizeof prefix, body.p, body.n);
    e->bytes = str_make(copy, sizeof prefix + body.n);
}

/* The message if it still belongs to a living connection; decoded into m. */
static bool take(struct sim *s, struct sim_event *e, struct sim_node *n, union message *m)
{
    struct prefix prefix;
    memcpy(&prefix, e->bytes.p, sizeof prefix);
    if (!n->connected || n->peer != prefix.peer)
        return false;
    if (prefix.seq && prefix.seq != n->seen + 1)
        n->on_gap(s, n);
    if (prefix.seq)
        n->seen = prefix.seq;
    struct errmsg em;
    arena_clear(&s->scratch);
    struct str body = str_make(e->bytes.p + sizeof prefix, e->bytes.n - sizeof prefix);
    SIM_CHECK(s, message_decode(m, (unsigned)e->b, body, &s->scratch, &em) == ERR_OK,
              "%s cannot be decoded: %s", message_name((unsigned)e->b), em.text);
    sim_trace(s, e->b);
    sim_trace(s, (uint64_t)s->now);
    return true;
}

static void on_broker_receives(struct sim *s, struct sim_event *e)
{
    struct sim_node *n = e->who;
    union message m;
    if (s->farm && take(s, e, n, &m))
        broker_input(s, n->peer, e->a, (unsigned)e->b, &m);
}

static void on_node_receives(struct sim *s, struct sim_event *e)
{
    struct sim_node *n = e->who;
    if (n->paused_until > s->now) { /* stands still: it reads later, in order */
        struct sim_event *later = sim_at(s, n->paused_until, on_node_receives, n, e->a, e->b);
        later->bytes = e->bytes;
        e->bytes = (struct str){0};
        return;
    }
    union message m;
    if (n->up && take(s, e, n, &m))
        n->receive(s, n, e->a, (unsigned)e->b, &m);
}

void sim_send_to_broker(struct sim *s, struct sim_node *n, uint64_t session, unsigned kind,
                        struct str body)
{
    if (n->connected)
        post(s, n, 0, on_broker_receives, session, kind, body);
}

void sim_send_from_broker(struct sim *s, uint64_t peer, uint64_t session, unsigned kind,
                          struct str body)
{
    struct sim_node *n = sim_node_of_peer(s, peer);
    if (n)
        post(s, n, 1, on_node_receives, session, kind, body);
}
