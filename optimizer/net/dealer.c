/* The DEALER socket to the broker: checks and decodes what comes, numbers what goes.
 *
 * Called by optimizer.c. A gap in the broker's numbers means that frames were dropped on the way;
 * the session begins anew then, which settles everything. It knows nothing of studies. */
#include "dealer.h"

#include <stdlib.h>
#include <zmq.h>

#include "alloc.h"
#include "arena.h"
#include "codec.h"
#include "frame.h"
#include "sequence.h"

#define QUEUE_BYTES (32u << 20)

struct dealer {
    struct zsock *sock;
    struct dealer_events e;
    struct arena arena;
    struct buf frame;
    struct sequence sequence;
};

static void on_frame(void *self, struct str peer, struct str bytes)
{
    struct dealer *d = self;
    struct errmsg em;
    struct frame f;
    union message m;
    (void)peer;
    if (frame_read(&f, bytes, FRAME_LIMIT, &em)) {
        d->e.malformed(d->e.self, em.text);
        return;
    }
    bool gap = sequence_follow(&d->sequence, &f);
    if (f.major != PROTO_MAJOR && f.kind != MSG_ERROR) {
        d->e.malformed(d->e.self, "the broker speaks another major version of the protocol");
        return;
    }
    if (!message_known(f.kind))
        return; /* of a newer broker */
    arena_clear(&d->arena);
    if (message_decode(&m, f.kind, f.body, &d->arena, &em)) {
        d->e.malformed(d->e.self, em.text);
        return;
    }
    if (gap)
        d->e.gap(d->e.self);
    d->e.message(d->e.self, f.session, f.kind, &m);
}

static void on_watch(void *self, bool connected)
{
    struct dealer *d = self;
    d->sequence = (struct sequence){0};
    d->e.connected(d->e.self, connected);
}

err_t dealer_open(struct dealer **out, struct loop *l, void *zmq_context,
                  const struct dealer_config *c, const struct dealer_events *e, struct errmsg *em)
{
    struct zsock_config z = {.type = ZMQ_DEALER,
                             .connect = c->endpoint,
                             .max_message = FRAME_LIMIT,
                             .queue_bytes = QUEUE_BYTES,
                             .reconnect_ms = c->reconnect_ms,
                             .curve = c->curve};
    struct dealer *d = alloc_zero(sizeof *d);
    d->e = *e;
    arena_init(&d->arena, 0);
    buf_init(&d->frame, FRAME_LIMIT);
    err_t err = zsock_open(&d->sock, l, zmq_context, &z, on_frame, d, em);
    if (!err) {
        err = zsock_watch(d->sock, on_watch, d);
        if (err)
            errmsg_set(em, err, "%s: the connection cannot be watched", c->endpoint);
    }
    if (err) {
        dealer_close(d);
        return err;
    }
    *out = d;
    return ERR_OK;
}

bool dealer_send(struct dealer *d, uint64_t session, unsigned kind, struct str body)
{
    struct frame f = {
        .major = PROTO_MAJOR, .kind = (uint8_t)kind, .session = session, .body = body};
    sequence_stamp(&d->sequence, &f);
    buf_clear(&d->frame);
    frame_write(&d->frame, &f);
    return buf_ok(&d->frame) && zsock_send(d->sock, (struct str){0}, buf_str(&d->frame));
}

void dealer_flush(struct dealer *d, int64_t max_ns)
{
    zsock_flush(d->sock, max_ns);
}

void dealer_close(struct dealer *d)
{
    if (!d)
        return;
    zsock_close(d->sock);
    arena_fini(&d->arena);
    buf_fini(&d->frame);
    free(d);
}
