/* A ZeroMQ socket on a libuv loop: the only file that knows both.
 *
 * ZMQ_FD is edge-triggered and is consumed by sends too, so exactly one function (the pump) looks
 * at readiness: it receives up to a budget, then reads ZMQ_EVENTS, and keeps an idle handle active
 * while work is left. It runs from uv_poll, uv_check and, to arm only, uv_prepare. Sends never
 * wait: what ZeroMQ does not take goes to a bounded queue of ours, per peer. See docs/decisions.md
 * for the measurements behind this. */
#ifndef FARM_BASE_ZSOCK_H
#define FARM_BASE_ZSOCK_H

#include "loop.h"
#include "str.h"

struct zsock;
/* CURVE keys as Z85 text. A farm has one pair, which brokers and peers share (keyfile.h). */
struct zcurve {
    char public_key[41], secret_key[41];
    char server_key[41]; /* the server's public key; for clients */
    bool server;
};
struct zsock_config {
    int type;             /* ZMQ_ROUTER, ZMQ_DEALER, ZMQ_XPUB, ZMQ_SUB */
    const char *bind;     /* endpoint to bind, or NULL */
    const char *connect;  /* endpoint to connect to, or NULL */
    size_t max_message;   /* ZMQ_MAXMSGSIZE */
    size_t queue_bytes;   /* of our own send queue per peer; 0 = 1 MiB */
    int reconnect_ms;     /* ZMQ_RECONNECT_IVL, drawn at random by the caller so that peers do not
                             return in step; 0 = 200 */
    int reconnect_max_ms; /* 0 = 5000 */
    int heartbeat_ms;     /* ZMTP heartbeats; 0 = 5000; timeout three times that */
    const struct zcurve *curve; /* NULL = none; needed during zsock_open() only */
};
struct zsock_stats {
    uint64_t received, sent, dropped,
        malformed;    /* malformed: messages with the wrong number of frames */
    uint64_t refused; /* handshakes that failed: wrong key, or no CURVE where it is needed (DEALER
                         and SUB) */
};

/* A received message: for ROUTER, peer is the routing id (empty otherwise); body is the single body
 * frame; both are valid during the call only. A SUB message has its topic in `peer`. An XPUB's are
 * subscriptions: body is 1 or 0 and the topic; its callback may be NULL. The callback may call
 * zsock_close(). */
typedef void zsock_on_message(void *self, struct str peer, struct str body);

err_t zsock_open(struct zsock **out, struct loop *l, void *zmq_context,
                 const struct zsock_config *c, zsock_on_message *cb, void *self,
                 struct errmsg *em) MUST_CHECK;
/* Copies body. peer as for receiving (topic for XPUB). False: the peer is gone or its queue is
 * full; nothing was sent. What ZeroMQ does not take now waits in the queue in order; a DEALER's is
 * emptied when its connection is lost. */
bool zsock_send(struct zsock *z, struct str peer, struct str body);
err_t zsock_subscribe(struct zsock *z, struct str topic) MUST_CHECK; /* SUB only */
const char *zsock_endpoint(const struct zsock *z); /* the last bound endpoint, with the real port */
/* Monitor of DEALER and SUB: cb(self, true) when connected (after the handshake), cb(self, false)
 * when the connection is gone. Once a socket. cb may call zsock_close(). ERR_INVALID for other
 * types. */
err_t zsock_watch(struct zsock *z, void (*cb)(void *self, bool connected), void *self) MUST_CHECK;
/* While paused the callback is not called, and what comes waits in ZeroMQ. Legal in the callback,
 * which is not called again. */
/* Bytes that wait for this peer in the queue of ours. */
size_t zsock_queued(const struct zsock *z, struct str peer);
void zsock_pause(struct zsock *z, bool pause);
struct zsock_stats zsock_stats(const struct zsock *z);
void zsock_flush(
    struct zsock *z,
    int64_t max_ns); /* blocks at most so long until our queue and ZeroMQ's are handed on */
void zsock_close(
    struct zsock *z); /* NULL is legal; the memory goes when the loop has closed the handles */

#endif
