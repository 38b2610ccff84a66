/* Sockets and frames.
 *
 * A peer is known to the core by a key that holds its routing id, so there is no table of peers to
 * keep; libzmq's own ids have five bytes. Each peer has counters for the header's sequence numbers,
 * by which both ends see that something was dropped; a new session is the cure.
 *
 * What is not a frame of ours is dropped without an answer. A frame that is, but cannot be
 * understood, is answered with what is wrong. It must not know what messages mean: farm.c has the
 * table of who may send what. */
#include "router.h"

#include <stdio.h>
#include <stdlib.h>
#include <zmq.h>

#include "alloc.h"
#include "codec.h"
#include "endpoint.h"
#include "envelope.h"
#include "frame.h"
#include "idmap.h"
#include "seqcount.h"

#define ID_LIMIT    6u
#define QUEUE_BYTES (8u << 20)
#define ARENA_LIMIT (8u << 20)

struct listener {
    struct router *r;
    struct zsock *sock;
    unsigned index;
};
struct numbers {
    uint64_t peer;
    struct seqcount count;
};
struct router {
    struct router_events ev;
    struct listener listeners[ROUTER_LISTENS];
    size_t n_listeners;
    struct zsock *feed;
    size_t subscriptions;
    struct idmap numbers;
    struct arena arena;
    struct buf out;
};

/* ---- peers ---- */

/* The key of a routing id: socket, length, bytes. 0: the id is too long. */
static uint64_t peer_key(unsigned index, struct str id)
{
    uint64_t key = 0;
    if (!id.n || id.n > ID_LIMIT)
        return 0;
    for (size_t i = 0; i < id.n; i++)
        key = key << 8 | (uint8_t)id.p[i];
    return (uint64_t)index << 56 | (uint64_t)id.n << 48 | key;
}

static struct str peer_id(uint64_t key, char out[ID_LIMIT])
{
    size_t n = (size_t)(key >> 48 & 0xff);
    for (size_t i = 0; i < n; i++)
        out[i] = (char)(key >> (8 * (n - 1 - i)));
    return str_make(out, n);
}

static struct seqcount *count_of(struct router *r, uint64_t peer)
{
    struct numbers *c = idmap_get(&r->numbers, peer);
    if (!c) {
        c = alloc_zero(sizeof *c);
        c->peer = peer;
        idmap_put(&r->numbers, peer, c);
    }
    return &c->count;
}

/* ---- in ---- */

static void count(struct router *r, uint64_t peer, enum counter c, uint64_t n)
{
    r->ev.count(r->ev.self, peer, c, n);
}

static void refuse(struct router *r, uint64_t peer, const struct frame *f, enum counter c, err_t e,
                   const char *text)
{
    count(r, peer, c, 1);
    r->ev.bad(r->ev.self, peer, f->session, f->kind, e, text);
}

static void follow(struct router *r, uint64_t peer, const struct frame *f)
{
    struct seqcount *c = count_of(r, peer);
    uint64_t seen = c->seen;
    if (seqcount_in(c, f->session, f->seq)) {
        count(r, peer, COUNT_MISSING_FRAMES, f->seq - seen - 1);
        r->ev.gap(r->ev.self, peer, f->session);
    } else if (f->session && f->session == c->session && f->seq && f->seq <= seen) {
        count(r, peer, COUNT_REPEATED_FRAME, 1);
    }
}

static void deliver(struct router *r, uint64_t peer, const struct frame *f)
{
    union message m;
    struct errmsg em;
    struct envelope env;
    arena_clear(&r->arena);
    err_t e = message_decode(&m, f->kind, f->body, &r->arena, &em);
    if (e != ERR_OK) {
        refuse(r, peer, f, COUNT_INVALID_BODY, e, em.text);
        return;
    }
    struct farm_input in = {.peer = peer, .session = f->session, .kind = f->kind, .msg = &m};
    if (f->kind == MSG_SUBMIT) {
        if (envelope_read(m.submit.spec, &r->arena, &env, &em) == ERR_OK)
            in.envelope = &env;
        else
            in.fault = em.text;
    }
    r->ev.message(r->ev.self, &in, f->body);
}

static void on_frame(void *self, struct str id, struct str bytes)
{
    struct listener *l = self;
    struct router *r = l->r;
    struct frame f;
    struct errmsg em;
    uint64_t peer = peer_key(l->index, id);
    if (!peer)
        return;
    err_t e = frame_read(&f, bytes, FRAME_LIMIT, &em);
    if (e != ERR_OK) {
        count(r, peer, e == ERR_CORRUPT ? COUNT_BAD_CHECKSUM : COUNT_BAD_FRAME, 1);
        return;
    }
    follow(r, peer, &f);
    if (f.major != PROTO_MAJOR) {
        refuse(r, peer, &f, COUNT_OTHER_VERSION, ERR_VERSION,
               "this broker speaks protocol version 1 only");
        return;
    }
    if (!message_known(f.kind)) {
        refuse(r, peer, &f, COUNT_UNKNOWN_KIND, ERR_UNSUPPORTED, "unknown kind of message");
        return;
    }
    if (bytes.n > FRAME_LIMIT_WORKER && r->ev.role(r->ev.self, f.session) == ROLE_WORKER) {
        refuse(r, peer, &f, COUNT_TOO_LARGE, ERR_LIMIT, "a worker's frame is at most 256 KiB");
        return;
    }
    deliver(r, peer, &f);
}

/* Subscriptions come as messages: 1 or 0, then the topic. */
static void on_subscription(void *self, struct str id, struct str body)
{
    struct router *r = self;
    (void)id;
    if (!body.n)
        return;
    if (body.p[0] == 1)
        r->subscriptions++;
    else if (r->subscriptions)
        r->subscriptions--;
    r->ev.feed_wanted(r->ev.self, r->subscriptions > 0);
}

/* ---- out ---- */

bool router_send(struct router *r, uint64_t peer, uint64_t session, unsigned kind, struct str body)
{
    unsigned index = (unsigned)(peer >> 56);
    char id[ID_LIMIT];
    if (index >= r->n_listeners)
        return false;
    struct seqcount *c = count_of(r, peer);
    if (kind == MSG_WELCOME)
        seqcount_begin(c, session);
    struct seqnumbers n = seqcount_out(c, session);
    struct frame f = {.major = PROTO_MAJOR,
                      .kind = (uint8_t)kind,
                      .session = session,
                      .seq = n.seq,
                      .seen = n.seen,
                      .body = body};
    buf_clear(&r->out);
    frame_write(&r->out, &f);
    return buf_ok(&r->out) &&
           zsock_send(r->listeners[index].sock, peer_id(peer, id), buf_str(&r->out));
}

size_t router_queued(const struct router *r, uint64_t peer)
{
    unsigned index = (unsigned)(peer >> 56);
    char id[ID_LIMIT];
    return index < r->n_listeners ? zsock_queued(r->listeners[index].sock, peer_id(peer, id)) : 0;
}

void router_publish(struct router *r, uint64_t study, unsigned kind, struct str body)
{
    char topic[40];
    if (!r->feed)
        return;
    if (kind == MSG_BEACON)
        snprintf(topic, sizeof topic, "beacon.");
    else
        snprintf(topic, sizeof topic, "study.%llu.", (unsigned long long)study);
    struct frame f = {.major = PROTO_MAJOR, .kind = (uint8_t)kind, .body = body};
    buf_clear(&r->out);
    frame_write(&r->out, &f);
    if (buf_ok(&r->out))
        (void)zsock_send(r->feed, str_of(topic), buf_str(&r->out));
}

/* ---- life ---- */

static err_t open_socket(struct router *r, struct loop *l, void *zmq, int type, const char *where,
                         const struct router_config *c, struct zsock **sock, void *self,
                         struct errmsg *em)
{
    struct endpoint at;
    err_t e = endpoint_parse(&at, str_of(where), em);
    if (e != ERR_OK)
        return e;
    struct zsock_config z = {.type = type,
                             .bind = where,
                             .queue_bytes = QUEUE_BYTES,
                             .max_message = type == ZMQ_XPUB ? 4096 : FRAME_LIMIT,
                             .curve = at.tcp ? c->curve : NULL};
    if (at.tcp && !c->curve)
        return errmsg_set(em, ERR_REFUSED, "%s needs keys: give --key FILE", where);
    (void)r;
    return zsock_open(sock, l, zmq, &z, type == ZMQ_XPUB ? on_subscription : on_frame, self, em);
}

err_t router_open(struct router **out, struct loop *l, void *zmq, const struct router_config *c,
                  const struct router_events *ev, struct errmsg *em)
{
    struct router *r = alloc_zero(sizeof *r);
    r->ev = *ev;
    idmap_init(&r->numbers);
    arena_init(&r->arena, ARENA_LIMIT);
    buf_init(&r->out, (size_t)2 * FRAME_LIMIT);
    err_t e = c->n_listen <= ROUTER_LISTENS
                  ? ERR_OK
                  : errmsg_set(em, ERR_LIMIT, "at most %d addresses to listen on", ROUTER_LISTENS);
    for (size_t i = 0; i < c->n_listen && e == ERR_OK; i++) {
        struct listener *x = &r->listeners[i];
        *x = (struct listener){.r = r, .index = (unsigned)i};
        e = open_socket(r, l, zmq, ZMQ_ROUTER, c->listen[i], c, &x->sock, x, em);
        r->n_listeners += e == ERR_OK;
    }
    if (e == ERR_OK && c->feed)
        e = open_socket(r, l, zmq, ZMQ_XPUB, c->feed, c, &r->feed, r, em);
    if (e != ERR_OK) {
        router_close(r);
        return e;
    }
    *out = r;
    return ERR_OK;
}

const char *router_endpoint(const struct router *r, size_t i)
{
    return zsock_endpoint(r->listeners[i].sock);
}

const char *router_feed(const struct router *r)
{
    return r->feed ? zsock_endpoint(r->feed) : "";
}

void router_sweep(struct router *r, bool (*known)(void *self, uint64_t peer), void *self)
{
    size_t pos = 0;
    for (struct numbers *c; (c = idmap_next(&r->numbers, &pos));) {
        if (known(self, c->peer))
            continue;
        idmap_remove(&r->numbers, c->peer);
        free(c);
    }
}

uint64_t router_odd(const struct router *r)
{
    uint64_t n = 0;
    for (size_t i = 0; i < r->n_listeners; i++)
        n += zsock_stats(r->listeners[i].sock).malformed;
    return n;
}

void router_pause(struct router *r, bool pause)
{
    for (size_t i = 0; i < r->n_listeners; i++)
        zsock_pause(r->listeners[i].sock, pause);
}

void router_flush(struct router *r, int64_t max_ns)
{
    for (size_t i = 0; i < r->n_listeners; i++)
        zsock_flush(r->listeners[i].sock, max_ns);
    if (r->feed)
        zsock_flush(r->feed, max_ns);
}

void router_close(struct router *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->n_listeners; i++)
        zsock_close(r->listeners[i].sock);
    zsock_close(r->feed);
    size_t pos = 0;
    for (struct numbers *c; (c = idmap_next(&r->numbers, &pos));)
        free(c);
    idmap_fini(&r->numbers);
    arena_fini(&r->arena);
    buf_fini(&r->out);
    free(r);
}
