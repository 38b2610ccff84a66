/* Connections between the broker and its peers. Frames travel as the bytes that production sends,
 * and are read on arrival by the same pure reader and decoder. Each direction of a connection is
 * first in, first out; when a connection ends, what is under way is lost, but for a part that
 * arrives late, behind the HELLO of the next. Sequence numbers are counted as the real sockets do
 * (dealer.c, uplink.c). */
#include "sim.h"

#include <stdlib.h>

#include "codec.h"
#include "frame.h"
#include "oracle.h"

#define LOSS   0.3
#define REPEAT 0.3

int64_t node_now(const struct sim *s, const struct sim_node *n)
{
    return sim_clock_at(&n->clock, s->now);
}

/* The key holds the node's number, so that nobody has to be looked for. */
static uint64_t new_peer(struct sim *s, const struct sim_node *n)
{
    return ++s->next_peer << 8 | n->index;
}

struct sim_node *net_node_of(struct sim *s, uint64_t peer)
{
    struct sim_node *n = (peer & 0xff) < SIM_NODES ? s->nodes[peer & 0xff] : NULL;
    return n && n->connected && n->peer == peer ? n : NULL;
}

static void try_connect(struct sim *s, struct sim_event *e)
{
    struct sim_node *n = e->who;
    if (!n->up || n->connected || e->a != n->peer)
        return;
    if (!s->farm || n->paused_until > s->now) {
        sim_at(s, s->now + sim_between(s, 200 * MS, 2 * SEC), try_connect, n, n->peer, 0);
        return;
    }
    n->connected = true;
    n->peer = new_peer(s, n);
    n->last_arrival[0] = n->last_arrival[1] = s->now;
    n->sequence = (struct sequence){0};
    sim_step(s);
    n->on_connected(s, n);
}

void net_connect(struct sim *s, struct sim_node *n)
{
    n->connected = false;
    n->peer = new_peer(s, n); /* until it is connected: tells this try from older ones */
    sim_at(s, s->now + sim_between(s, 1 * MS, 50 * MS), try_connect, n, n->peer, 0);
}

static void on_peer_gone(struct sim *s, struct sim_event *e)
{
    if (s->farm && e->b == s->broker_generation)
        broker_peer_gone(s, e->a);
}

void net_disconnect(struct sim *s, struct sim_node *n, bool hint)
{
    if (!n->connected)
        return;
    s->disconnects++;
    n->connected = false;
    n->old_peer = n->peer;
    n->old_until = sim_chance(s, 0.5) ? s->now + sim_between(s, 1 * MS, 2 * SEC) : 0;
    if (hint)
        sim_at(s, s->now + sim_between(s, 0, 200 * MS), on_peer_gone, NULL, n->peer,
               s->broker_generation);
    if (n->up) {
        sim_step(s);
        n->on_disconnected(s, n);
        net_connect(s, n);
    }
}

void net_hold(struct sim *s, struct sim_node *n, enum sim_direction d, int64_t until)
{
    (void)s;
    if (until > n->last_arrival[d])
        n->last_arrival[d] = until;
}

/* ---- on the way ---- */

static int64_t arrival(struct sim *s, struct sim_node *n, int d)
{
    int64_t most = s->plan.delayed_until > s->now ? s->plan.latency_now : s->plan.latency_most;
    int64_t at = s->now + sim_between(s, 20000, most);
    if (at <= n->last_arrival[d])
        at = n->last_arrival[d] + 1;
    n->last_arrival[d] = at;
    return at;
}

static void on_broker_receives(struct sim *s, struct sim_event *e);
static void on_node_receives(struct sim *s, struct sim_event *e);

static struct sim_event *put_under_way(struct sim *s, struct sim_node *n, int d, struct str frame)
{
    struct sim_event *e =
        sim_at_with(s, arrival(s, n, d), d == TO_BROKER ? on_broker_receives : on_node_receives, n,
                    frame, (struct str){0});
    e->a = n->peer;
    e->b = d == TO_BROKER ? s->broker_generation : n->generation;
    return e;
}

static void post(struct sim *s, struct sim_node *n, int d, struct str frame)
{
    if (n->lost_until[d] > s->now || (n->lossy_until[d] > s->now && sim_chance(s, LOSS)))
        return;
    put_under_way(s, n, d, frame);
    if (n->repeats_until[d] > s->now && sim_chance(s, REPEAT))
        put_under_way(s, n, d, frame);
}

static struct str make_frame(struct sim *s, const struct frame *f)
{
    buf_clear(&s->frame);
    frame_write(&s->frame, f);
    SIM_CHECK(s, buf_ok(&s->frame), "I16: a %s of %zu bytes does not fit a frame",
              message_name(f->kind), f->body.n);
    return buf_str(&s->frame);
}

/* Some frames are kept for replays, those of dead sessions too. */
static void keep_frame(struct sim *s, struct str frame)
{
    if (frame.n > 2000 || !sim_chance(s, 0.1))
        return;
    struct sim_frame *f = &s->frames[s->n_frames++ % SIM_FRAMES];
    buf_clear(&f->bytes);
    buf_add_str(&f->bytes, frame);
}

void net_send(struct sim *s, struct sim_node *n, uint64_t session, unsigned kind, struct str body)
{
    if (!n->connected)
        return;
    struct frame f = {
        .major = PROTO_MAJOR, .kind = (uint8_t)kind, .session = session, .body = body};
    sequence_stamp(&n->sequence, &f);
    struct str bytes = make_frame(s, &f);
    keep_frame(s, bytes);
    post(s, n, TO_BROKER, bytes);
}

void net_send_msg(struct sim *s, struct sim_node *n, uint64_t session, unsigned kind,
                  const void *msg)
{
    struct buf b;
    buf_init(&b, 0);
    message_encode(&b, kind, msg);
    net_send(s, n, session, kind, buf_str(&b));
    buf_fini(&b);
}

void net_send_raw(struct sim *s, struct sim_node *n, struct str frame)
{
    if (n->connected)
        put_under_way(s, n, TO_BROKER, frame)->c = 1;
}

static struct seqcount *count_of(struct sim *s, uint64_t peer)
{
    struct net_counter *c = &s->counters[peer & 0xff];
    if (c->peer != peer)
        *c = (struct net_counter){.peer = peer};
    return &c->count;
}

void net_answer(struct sim *s, uint64_t peer, uint64_t session, unsigned kind, struct str body)
{
    struct sim_node *n = net_node_of(s, peer);
    if (!n)
        return;
    struct seqcount *c = count_of(s, peer);
    if (kind == MSG_WELCOME)
        seqcount_begin(c, session);
    struct seqnumbers numbers = seqcount_out(c, session);
    struct frame f = {.major = PROTO_MAJOR,
                      .kind = (uint8_t)kind,
                      .session = session,
                      .seq = numbers.seq,
                      .seen = numbers.seen,
                      .body = body};
    post(s, n, FROM_BROKER, make_frame(s, &f));
}

/* ---- arrival ---- */

/* The connection lives, or is the one before and still carries something. */
static bool arrives(const struct sim *s, const struct sim_node *n, uint64_t peer)
{
    if (n->connected && n->peer == peer)
        return true;
    return n->old_peer == peer && s->now <= n->old_until;
}

/* Stands still: it reads later, in order. */
static void read_later(struct sim *s, struct sim_event *e, int64_t at)
{
    struct sim_event *later =
        sim_at_with(s, at, e->run, e->who, str_make(e->bytes, e->n), (struct str){0});
    later->a = e->a;
    later->b = e->b;
    later->c = e->c;
}

static void trace_frame(struct sim *s, const struct sim_event *e)
{
    uint64_t crc = 0;
    if (e->n >= FRAME_HEADER)
        memcpy(&crc, e->bytes + 32, sizeof crc); /* length and checksum */
    sim_trace(s, crc);
    sim_trace(s, (uint64_t)s->now);
}

static void on_broker_receives(struct sim *s, struct sim_event *e)
{
    struct frame f;
    struct errmsg em;
    union message m;
    if (!s->farm || e->b != s->broker_generation || !arrives(s, e->who, e->a))
        return;
    if (s->broker_paused > s->now) {
        read_later(s, e, s->broker_paused);
        return;
    }
    trace_frame(s, e);
    if (frame_read(&f, str_make(e->bytes, e->n), FRAME_LIMIT, &em) != ERR_OK)
        return;
    if (f.major != PROTO_MAJOR) {
        broker_bad_frame(s, e->a, f.session, f.kind, ERR_VERSION, "another version");
        return;
    }
    if (!message_known(f.kind)) {
        broker_bad_frame(s, e->a, f.session, f.kind, ERR_UNSUPPORTED, "unknown kind of message");
        return;
    }
    bool late = e->a < s->counters[e->a & 0xff].peer; /* of the connection before: not counted */
    if (!late && seqcount_in(count_of(s, e->a), f.session, f.seq))
        broker_gap(s, e->a, f.session);
    s->malicious = e->c != 0;
    s->misled = s->misled || (e->c && f.kind == MSG_PROPOSE);
    arena_clear(&s->scratch);
    err_t bad = message_decode(&m, f.kind, f.body, &s->scratch, &em);
    if (bad != ERR_OK)
        broker_bad_frame(s, e->a, f.session, f.kind, bad, em.text);
    else
        broker_input(s, e->a, f.session, f.kind, &m);
}

static void on_node_receives(struct sim *s, struct sim_event *e)
{
    struct sim_node *n = e->who;
    struct frame f;
    struct errmsg em;
    union message m;
    if (!n->up || e->b != n->generation || !arrives(s, n, e->a))
        return;
    if (n->paused_until > s->now) {
        read_later(s, e, n->paused_until);
        return;
    }
    trace_frame(s, e);
    SIM_CHECK(s, frame_read(&f, str_make(e->bytes, e->n), FRAME_LIMIT, &em) == ERR_OK,
              "I22: the broker sent no frame: %s", em.text);
    n->repeated = f.seq && f.session == n->sequence.in_session && f.seq <= n->sequence.in;
    n->gap = sequence_follow(&n->sequence, &f);
    arena_clear(&s->scratch);
    SIM_CHECK(s, message_decode(&m, f.kind, f.body, &s->scratch, &em) == ERR_OK,
              "I22: the broker's %s cannot be decoded: %s", message_name(f.kind), em.text);
    sim_step(s);
    if (n->gap)
        n->on_gap(s, n);
    n->receive(s, n, f.session, f.kind, &m);
}
