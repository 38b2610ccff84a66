/* The DEALER to the broker. Called by agent.c. It must not know attempts: it makes frames of the
 * core's messages, checks and decodes what comes, and counts sequence numbers in both directions.
 *
 * A gap in the broker's sequence means that frames were dropped on the way (a full queue); the
 * session is begun anew then, which settles everything. Reconnects are spread over 200 to 2000 ms
 * at first, so that the workers of a restarted broker do not come back in step. */
#include "uplink.h"

#include <stdlib.h>

#include "alloc.h"
#include "frame.h"
#include "sequence.h"

#include <zmq.h>

#define RECONNECT_LEAST_MS  200
#define RECONNECT_SPREAD_MS 1800
#define QUEUE_BYTES         (8u << 20)

struct uplink {
    struct zsock *sock;
    struct uplink_events e;
    struct arena arena;
    struct buf frame, body;
    struct sequence sequence;
};

static void malformed(struct uplink *u, const char *why)
{
    u->e.malformed(u->e.self, why);
}

static void on_frame(void *self, struct str peer, struct str bytes)
{
    struct uplink *u = self;
    struct errmsg em;
    struct frame f;
    union message m;
    (void)peer;
    if (frame_read(&f, bytes, FRAME_LIMIT, &em)) {
        malformed(u, em.text);
        return;
    }
    bool gap = sequence_follow(&u->sequence, &f);
    if (f.major != PROTO_MAJOR && f.kind != MSG_ERROR) {
        malformed(u, "the broker speaks another major version of the protocol");
        return;
    }
    if (!message_known(f.kind))
        return; /* of a newer broker */
    arena_clear(&u->arena);
    if (message_decode(&m, f.kind, f.body, &u->arena, &em)) {
        malformed(u, em.text);
        return;
    }
    u->e.message(u->e.self, f.session, f.kind, &m);
    if (gap)
        u->e.gap(u->e.self);
}

static void on_watch(void *self, bool connected)
{
    struct uplink *u = self;
    u->sequence = (struct sequence){0};
    u->e.connected(u->e.self, connected);
}

err_t uplink_open(struct uplink **out, struct loop *l, void *zmq_context,
                  const struct uplink_config *c, const struct uplink_events *e, struct errmsg *em)
{
    struct rng rng;
    rng_seed(&rng, c->seed);
    struct zsock_config z = {.type = ZMQ_DEALER,
                             .connect = c->endpoint,
                             .max_message = FRAME_LIMIT,
                             .queue_bytes = QUEUE_BYTES,
                             .reconnect_ms =
                                 RECONNECT_LEAST_MS + (int)rng_below(&rng, RECONNECT_SPREAD_MS + 1),
                             .reconnect_max_ms = 5000,
                             .curve = c->curve};
    struct uplink *u = alloc_zero(sizeof *u);
    u->e = *e;
    arena_init(&u->arena, 0);
    buf_init(&u->frame, FRAME_LIMIT);
    buf_init(&u->body, FRAME_LIMIT);
    err_t err = zsock_open(&u->sock, l, zmq_context, &z, on_frame, u, em);
    if (!err)
        err = zsock_watch(u->sock, on_watch, u);
    if (err) {
        uplink_close(u);
        return err;
    }
    *out = u;
    return ERR_OK;
}

bool uplink_send(struct uplink *u, uint64_t session, unsigned kind, struct str body)
{
    struct frame f = {
        .major = PROTO_MAJOR, .kind = (uint8_t)kind, .session = session, .body = body};
    sequence_stamp(&u->sequence, &f);
    buf_clear(&u->frame);
    frame_write(&u->frame, &f);
    return buf_ok(&u->frame) && zsock_send(u->sock, (struct str){0}, buf_str(&u->frame));
}

bool uplink_send_message(struct uplink *u, uint64_t session, unsigned kind, const void *msg)
{
    buf_clear(&u->body);
    message_encode(&u->body, kind, msg);
    return buf_ok(&u->body) && uplink_send(u, session, kind, buf_str(&u->body));
}

struct zsock_stats uplink_stats(const struct uplink *u)
{
    return zsock_stats(u->sock);
}

void uplink_flush(struct uplink *u, int64_t max_ns)
{
    zsock_flush(u->sock, max_ns);
}

void uplink_close(struct uplink *u)
{
    if (!u)
        return;
    zsock_close(u->sock);
    arena_fini(&u->arena);
    buf_fini(&u->frame);
    buf_fini(&u->body);
    free(u);
}
