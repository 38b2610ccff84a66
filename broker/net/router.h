/* The broker's sockets: ROUTERs for everybody, an XPUB for the feed. Frames become decoded messages
 * for the core, the core's bodies become frames. */
#ifndef FARM_NET_ROUTER_H
#define FARM_NET_ROUTER_H

#include "effects.h"
#include "farm.h"
#include "zsock.h"

#define ROUTER_LISTENS 16

struct router_config {
    const char *const *listen; /* endpoints */
    size_t n_listen;
    const char *feed;           /* endpoint; NULL = none */
    const struct zcurve *curve; /* for tcp endpoints; NULL = none given */
};
/* What the router does with what came. All are called on the loop. */
struct router_events {
    void *self;
    void (*message)(void *self, const struct farm_input *in, struct str body); /* body: undecoded */
    void (*bad)(void *self, uint64_t peer, uint64_t session, unsigned kind, err_t e,
                const char *text);
    /* Something of that peer was refused or missed. */
    void (*count)(void *self, uint64_t peer, enum counter c, uint64_t n);
    /* Frames of this session were lost on their way here. */
    void (*gap)(void *self, uint64_t peer, uint64_t session);
    /* enum role of a session; 0 = none. */
    uint8_t (*role)(void *self, uint64_t session);
    void (*feed_wanted)(void *self, bool wanted);
};
struct router;

err_t router_open(struct router **out, struct loop *l, void *zmq, const struct router_config *c,
                  const struct router_events *ev, struct errmsg *em) MUST_CHECK;
/* One message. False: the peer is gone, or too slow. */
bool router_send(struct router *r, uint64_t peer, uint64_t session, unsigned kind, struct str body);
/* Bytes that the peer has not taken yet. */
size_t router_queued(const struct router *r, uint64_t peer);
void router_publish(struct router *r, uint64_t study, unsigned kind, struct str body);
const char *router_endpoint(const struct router *r, size_t i); /* as bound */
const char *router_feed(const struct router *r);               /* "" if there is none */
/* Messages of more than one frame, since the start; they were dropped. */
uint64_t router_odd(const struct router *r);
/* Forgets the sequence numbers of peers that have no session any more. */
void router_sweep(struct router *r, bool (*known)(void *self, uint64_t peer), void *self);
/* While paused nothing is read; peers' messages wait with ZeroMQ, as many as its limit of messages
 * allows. */
void router_pause(struct router *r, bool pause);
void router_flush(struct router *r, int64_t max_ns);
void router_close(struct router *r); /* NULL is legal */

#endif
