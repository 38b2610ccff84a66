/* The optimizer's connection to the broker: frames out of messages, messages out of frames. */
#ifndef FARM_OPTIMIZER_DEALER_H
#define FARM_OPTIMIZER_DEALER_H

#include "message.h"
#include "zsock.h"

struct dealer;

struct dealer_config {
    const char *endpoint;
    const struct zcurve *curve; /* NULL = none */
    int reconnect_ms;
};
struct dealer_events {
    void *self;
    void (*connected)(void *self, bool up);
    void (*message)(void *self, uint64_t session, unsigned kind, const union message *m);
    void (*gap)(void *self);                        /* frames of the session are missing */
    void (*malformed)(void *self, const char *why); /* a frame that cannot be used; it is dropped */
};

err_t dealer_open(struct dealer **out, struct loop *l, void *zmq_context,
                  const struct dealer_config *c, const struct dealer_events *e,
                  struct errmsg *em) MUST_CHECK;
/* False: the connection is gone or takes no more. */
bool dealer_send(struct dealer *d, uint64_t session, unsigned kind, struct str body);
void dealer_flush(struct dealer *d, int64_t max_ns);
void dealer_close(struct dealer *d); /* NULL is legal */

#endif
