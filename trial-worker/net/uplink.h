/* The worker's connection to the broker: frames out of messages, messages out of frames. */
#ifndef FARM_TRIAL_WORKER_UPLINK_H
#define FARM_TRIAL_WORKER_UPLINK_H

#include "codec.h"
#include "zsock.h"

struct uplink;

struct uplink_config {
    const char *endpoint;       /* ipc://PATH or tcp://HOST:PORT */
    const struct zcurve *curve; /* NULL = none */
    uint64_t seed;              /* of the reconnect interval */
};
struct uplink_events {
    void *self;
    void (*connected)(void *self, bool up);
    /* A decoded message; valid during the call. */
    void (*message)(void *self, uint64_t session, unsigned kind, const union message *m);
    void (*gap)(void *self);                        /* frames of the session are missing */
    void (*malformed)(void *self, const char *why); /* a frame that cannot be used; it is dropped */
};

err_t uplink_open(struct uplink **out, struct loop *l, void *zmq_context,
                  const struct uplink_config *c, const struct uplink_events *e,
                  struct errmsg *em) MUST_CHECK;
/* False: the connection is gone or takes no more; the outbox sends again. */
bool uplink_send(struct uplink *u, uint64_t session, unsigned kind, struct str body);
/* Encodes and sends. */
bool uplink_send_message(struct uplink *u, uint64_t session, unsigned kind, const void *msg);
struct zsock_stats uplink_stats(const struct uplink *u);
void uplink_flush(struct uplink *u, int64_t max_ns); /* waits at most so long until all has left */
void uplink_close(struct uplink *u);                 /* NULL is legal */

#endif
