/* ZeroMQ on the loop: opening a socket with the options that every part of the farm needs,
 * receiving fairly, sending without waiting, and watching a connection.
 *
 * ZMQ_FD only says "look at ZMQ_EVENTS", once an edge, and sends take the edge away too. So the
 * pump is the one place that looks: after readiness (uv_poll), after every turn (uv_check), and
 * before the loop waits (uv_prepare) only to keep an idle handle active while messages are left.
 * Called by the nets of every program; knows no frame of ours. */
#include "zsock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <zmq.h>

#include "alloc.h"
#include "clock.h"
#include "log.h"
#include "zqueue.h"

#define PUMP_BUDGET   256
#define QUEUE_DEFAULT ((size_t)1 << 20)
#define RETRY_MS      50
#define HANDSHAKE_MS  15000
#define TCP_MAXRT_MS  30000
#define ENDPOINT_MAX  320
/* Of each peer: a message may be 1 MiB, so ZeroMQ's default of 1000 is much for one that does not
 * read. What goes out has a queue of ours behind it. */
#define ROUTER_SENDS    32
#define ROUTER_RECEIVES 256
/* Connections that wait to be accepted, as far as the system allows: with ZeroMQ's 100, of ten
 * thousand peers that come back at once most are turned away again and again. */
#define BACKLOG 4096

struct zsock {
    struct loop *loop;
    void *socket, *monitor; /* NULL when closed, or not watched */
    int type;
    bool framed; /* an id or topic frame stands before the body */
    bool paused;
    bool connected, told; /* as the monitor last said, and what watch_cb was told */
    uv_poll_t poll, monitor_poll;
    uv_check_t check;
    uv_prepare_t prepare;
    uv_idle_t idle;
    uv_timer_t retry; /* active while something is queued: an edge may have been lost to a send */
    int open_handles;
    struct zqueue queue;
    struct zsock_stats stats;
    zsock_on_message *cb;
    void *self;
    void (*watch_cb)(void *self, bool connected);
    void *watch_self;
    char endpoint[ENDPOINT_MAX];
};

static uint32_t socket_events(void *socket)
{
    int events = 0;
    size_t n = sizeof events;
    if (zmq_getsockopt(socket, ZMQ_EVENTS, &events, &n))
        return 0;
    return (uint32_t)events;
}

static void idle_nothing(uv_idle_t *h)
{
    (void)h; /* its being active is what counts: the loop polls without waiting */
}

/* The monitor is asked too: what comes into a pipe that was never looked into gives no sign on the
 * descriptor, so a connection that was made before the loop's first wait would go unnoticed. */
static void arm(struct zsock *z)
{
    uint32_t events = socket_events(z->socket);
    if (z->paused)
        events &= ~(uint32_t)ZMQ_POLLIN;
    if (z->monitor)
        events |= socket_events(z->monitor);
    if (events & ZMQ_POLLIN)
        uv_idle_start(&z->idle, idle_nothing);
    else
        uv_idle_stop(&z->idle);
}

/* Receives one frame; false when there is none. *more: further frames of the message follow. */
static bool frame_receive(struct zsock *z, zmq_msg_t *m, bool *more)
{
    zmq_msg_init(m);
    int n;
    do
        n = zmq_msg_recv(m, z->socket, ZMQ_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n < 0) {
        zmq_msg_close(m);
        return false;
    }
    *more = zmq_msg_more(m) != 0;
    return true;
}

static struct str frame_str(zmq_msg_t *m)
{
    return str_make(zmq_msg_data(m), zmq_msg_size(m));
}

static void frames_skip(struct zsock *z, bool more)
{
    zmq_msg_t m;
    while (more && frame_receive(z, &m, &more))
        zmq_msg_close(&m);
}

/* One whole message. False when there is none; the callback may close z. */
static bool message_receive(struct zsock *z)
{
    zmq_msg_t head, body;
    bool more = false;
    if (!frame_receive(z, &head, &more))
        return false;
    bool two = z->framed && more && frame_receive(z, &body, &more);
    if (!two)
        zmq_msg_init(&body);
    if (more || two != (z->framed && z->type != ZMQ_XPUB)) {
        frames_skip(z, more);
        z->stats.malformed++;
    } else {
        z->stats.received++;
        if (z->cb && two)
            z->cb(z->self, frame_str(&head), frame_str(&body));
        else if (z->cb)
            z->cb(z->self, str_make(NULL, 0), frame_str(&head));
    }
    zmq_msg_close(&head);
    zmq_msg_close(&body);
    return true;
}

/* ROUTER refuses at the id frame, so a message is taken whole or not at all. */
static enum zqueue_sent message_send(void *self, struct str peer, struct str body)
{
    struct zsock *z = self;
    static const char nothing[1];
    if (z->framed &&
        zmq_send(z->socket, peer.n ? peer.p : nothing, peer.n, ZMQ_DONTWAIT | ZMQ_SNDMORE) < 0)
        return errno == EAGAIN || errno == EINTR ? ZQUEUE_LATER : ZQUEUE_GONE;
    int n;
    do
        n = zmq_send(z->socket, body.n ? body.p : nothing, body.n, ZMQ_DONTWAIT);
    while (n < 0 && errno == EINTR && z->framed);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? ZQUEUE_LATER : ZQUEUE_GONE;
    z->stats.sent++;
    return ZQUEUE_SENT;
}

static void flush_queue(struct zsock *z)
{
    if (zqueue_empty(&z->queue))
        return;
    z->stats.dropped += zqueue_flush(&z->queue, message_send, z);
    if (zqueue_empty(&z->queue))
        uv_timer_stop(&z->retry);
}

static void connection_tell(struct zsock *z)
{
    if (!z->watch_cb || z->told == z->connected)
        return;
    z->told = z->connected;
    z->watch_cb(z->watch_self, z->connected);
}

static void connection_changed(struct zsock *z, bool connected)
{
    z->connected = connected;
    if (!connected && z->type == ZMQ_DEALER)
        z->stats.dropped +=
            zqueue_clear(&z->queue); /* nothing stale crosses into the next session */
    connection_tell(z);
}

static void monitor_drain(struct zsock *z)
{
    zmq_msg_t event, address;
    while (z->monitor) {
        zmq_msg_init(&event);
        zmq_msg_init(&address);
        uint16_t kind = 0;
        bool got = zmq_msg_recv(&event, z->monitor, ZMQ_DONTWAIT) >= (int)sizeof kind;
        if (got)
            memcpy(&kind, zmq_msg_data(&event), sizeof kind);
        if (got && zmq_msg_more(&event))
            (void)!zmq_msg_recv(&address, z->monitor, ZMQ_DONTWAIT);
        zmq_msg_close(&event);
        zmq_msg_close(&address);
        if (!got)
            return;
        if (kind == ZMQ_EVENT_HANDSHAKE_SUCCEEDED)
            connection_changed(z, true);
        else if (kind == ZMQ_EVENT_DISCONNECTED)
            connection_changed(z, false);
        else if (!z->stats.refused++)
            LOG_W("HANDSHAKE-REFUSED",
                  "endpoint=%s text=\"whoever is there hangs up: it has another key, or is no "
                  "broker\"",
                  z->endpoint);
    }
}

static void pump(struct zsock *z)
{
    connection_tell(z);
    monitor_drain(z);
    for (int left = PUMP_BUDGET; z->socket && !z->paused && left > 0 && message_receive(z); left--)
        continue;
    if (!z->socket)
        return;
    flush_queue(z);
    arm(z);
}

static void on_poll(uv_poll_t *h, int status, int events)
{
    (void)status;
    (void)events;
    pump(h->data);
}

static void on_check(uv_check_t *h)
{
    pump(h->data);
}

static void on_prepare(uv_prepare_t *h)
{
    arm(h->data);
}

static void on_retry(uv_timer_t *h)
{
    flush_queue(h->data);
}

bool zsock_send(struct zsock *z, struct str peer, struct str body)
{
    enum zqueue_sent s = ZQUEUE_LATER;
    if (!z->socket)
        return false;
    if (!z->framed)
        peer = str_make(NULL, 0);
    if (!zqueue_waiting(&z->queue, peer))
        s = message_send(z, peer, body);
    if (s == ZQUEUE_SENT)
        return true;
    if (s == ZQUEUE_GONE || !zqueue_add(&z->queue, peer, body)) {
        z->stats.dropped++;
        return false;
    }
    if (!uv_is_active((uv_handle_t *)&z->retry))
        uv_timer_start(&z->retry, on_retry, RETRY_MS, RETRY_MS);
    return true;
}

static bool set_int(void *s, int option, int value)
{
    return zmq_setsockopt(s, option, &value, sizeof value) == 0;
}

static bool set_curve(void *s, const struct zcurve *k)
{
    if (zmq_setsockopt(s, ZMQ_CURVE_SECRETKEY, k->secret_key, 41))
        return false;
    if (k->server)
        return set_int(s, ZMQ_CURVE_SERVER, 1) && !zmq_setsockopt(s, ZMQ_ZAP_DOMAIN, "farm", 4);
    return !zmq_setsockopt(s, ZMQ_CURVE_PUBLICKEY, k->public_key, 41) &&
           !zmq_setsockopt(s, ZMQ_CURVE_SERVERKEY, k->server_key, 41);
}

static bool set_options(void *s, const struct zsock_config *c)
{
    int beat = c->heartbeat_ms ? c->heartbeat_ms : 5000;
    int64_t max = (int64_t)c->max_message;
    const char *at = c->bind ? c->bind : c->connect;
    bool ok = set_int(s, ZMQ_LINGER, 0) && set_int(s, ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS) &&
              set_int(s, ZMQ_HEARTBEAT_IVL, beat) && set_int(s, ZMQ_HEARTBEAT_TIMEOUT, 3 * beat) &&
              set_int(s, ZMQ_HEARTBEAT_TTL, 3 * beat) && set_int(s, ZMQ_TCP_MAXRT, TCP_MAXRT_MS) &&
              set_int(s, ZMQ_RECONNECT_IVL, c->reconnect_ms ? c->reconnect_ms : 200) &&
              set_int(s, ZMQ_RECONNECT_IVL_MAX, c->reconnect_max_ms ? c->reconnect_max_ms : 5000);
    if (ok && max > 0)
        ok = zmq_setsockopt(s, ZMQ_MAXMSGSIZE, &max, sizeof max) == 0;
    if (ok && at && strchr(at, '['))
        ok = set_int(s, ZMQ_IPV6, 1);
    if (ok && c->type == ZMQ_ROUTER)
        ok = set_int(s, ZMQ_ROUTER_MANDATORY, 1) && set_int(s, ZMQ_SNDHWM, ROUTER_SENDS) &&
             set_int(s, ZMQ_RCVHWM, ROUTER_RECEIVES);
    if (ok && c->bind)
        ok = set_int(s, ZMQ_BACKLOG, BACKLOG);
    if (ok && c->type == ZMQ_DEALER)
        ok = set_int(s, ZMQ_IMMEDIATE, 1);
    if (ok && c->type == ZMQ_XPUB)
        ok = set_int(s, ZMQ_XPUB_NODROP, 0);
    return ok && (!c->curve || set_curve(s, c->curve));
}

/* Before connecting, so that no event is missed. */
static bool monitor_start(struct zsock *z, void *zmq_context)
{
    const int events = ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED |
                       ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                       ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL;
    char address[64];
    if (z->type != ZMQ_DEALER && z->type != ZMQ_SUB)
        return true;
    snprintf(address, sizeof address, "inproc://monitor-%p", (void *)z);
    if (zmq_socket_monitor(z->socket, address, events))
        return false;
    z->monitor = zmq_socket(zmq_context, ZMQ_PAIR);
    return z->monitor && set_int(z->monitor, ZMQ_LINGER, 0) && !zmq_connect(z->monitor, address);
}

static err_t attach(struct zsock *z, const struct zsock_config *c, struct errmsg *em)
{
    size_t n = sizeof z->endpoint;
    if (c->bind && zmq_bind(z->socket, c->bind))
        return errmsg_set(em, ERR_IO, "%s cannot be bound: %s", c->bind, zmq_strerror(errno));
    if (c->connect && zmq_connect(z->socket, c->connect))
        return errmsg_set(em, ERR_IO, "%s cannot be connected to: %s", c->connect,
                          zmq_strerror(errno));
    if (zmq_getsockopt(z->socket, ZMQ_LAST_ENDPOINT, z->endpoint, &n))
        z->endpoint[0] = 0;
    /* Whoever may write to the socket's file may connect: without keys that must be the owner
     * alone. */
    if (c->bind && strncmp(z->endpoint, "ipc://", 6) == 0 && chmod(z->endpoint + 6, 0600))
        return errmsg_set(em, ERR_IO, "%s: the permissions cannot be set: %s", c->bind,
                          strerror(errno));
    return ERR_OK;
}

static err_t poll_start(struct loop *l, uv_poll_t *poll, void *socket, struct zsock *z)
{
    int fd;
    size_t n = sizeof fd;
    if (zmq_getsockopt(socket, ZMQ_FD, &fd, &n) || uv_poll_init(&l->uv, poll, fd))
        return ERR_IO;
    poll->data = z;
    z->open_handles++;
    return uv_poll_start(poll, UV_READABLE, on_poll) ? ERR_IO : ERR_OK;
}

static void handles_start(struct zsock *z)
{
    uv_loop_t *uv = &z->loop->uv;
    uv_check_init(uv, &z->check);
    uv_prepare_init(uv, &z->prepare);
    uv_idle_init(uv, &z->idle);
    uv_timer_init(uv, &z->retry);
    z->check.data = z->prepare.data = z->idle.data = z->retry.data = z;
    z->open_handles += 4;
    uv_check_start(&z->check, on_check);
    uv_prepare_start(&z->prepare, on_prepare);
}

err_t zsock_open(struct zsock **out, struct loop *l, void *zmq_context,
                 const struct zsock_config *c, zsock_on_message *cb, void *self, struct errmsg *em)
{
    *out = NULL;
    struct zsock *z = alloc_zero(sizeof *z);
    *z = (struct zsock){.loop = l, .type = c->type, .cb = cb, .self = self};
    z->framed = c->type == ZMQ_ROUTER || c->type == ZMQ_XPUB || c->type == ZMQ_SUB;
    zqueue_init(&z->queue, c->queue_bytes ? c->queue_bytes : QUEUE_DEFAULT);
    err_t e = ERR_OK;
    z->socket = zmq_socket(zmq_context, c->type);
    if (!z->socket || !set_options(z->socket, c) || !monitor_start(z, zmq_context))
        e = errmsg_set(em, ERR_IO, "a ZeroMQ socket cannot be set up: %s", zmq_strerror(errno));
    if (!e)
        e = attach(z, c, em);
    if (!e && (poll_start(l, &z->poll, z->socket, z) ||
               (z->monitor && poll_start(l, &z->monitor_poll, z->monitor, z))))
        e = errmsg_set(em, ERR_IO, "a ZeroMQ socket cannot be put on the event loop");
    if (e) {
        zsock_close(z);
        return e;
    }
    handles_start(z);
    *out = z;
    return ERR_OK;
}

err_t zsock_subscribe(struct zsock *z, struct str topic)
{
    REQUIRE(z->type == ZMQ_SUB);
    return zmq_setsockopt(z->socket, ZMQ_SUBSCRIBE, topic.n ? topic.p : "", topic.n) ? ERR_IO
                                                                                     : ERR_OK;
}

const char *zsock_endpoint(const struct zsock *z)
{
    return z->endpoint;
}

err_t zsock_watch(struct zsock *z, void (*cb)(void *self, bool connected), void *self)
{
    REQUIRE(z->watch_cb == NULL);
    if (!z->monitor)
        return ERR_INVALID; /* many peers: connected to which? */
    z->watch_cb = cb;
    z->watch_self = self;
    return ERR_OK;
}

size_t zsock_queued(const struct zsock *z, struct str peer)
{
    return zqueue_bytes(&z->queue, peer);
}

void zsock_pause(struct zsock *z, bool pause)
{
    z->paused = pause;
    if (z->socket)
        arm(z);
}

struct zsock_stats zsock_stats(const struct zsock *z)
{
    return z->stats;
}

void zsock_flush(struct zsock *z, int64_t max_ns)
{
    const struct timespec pause = {.tv_nsec = 2 * NS_PER_MS};
    int64_t end = clock_now() + max_ns;
    if (!z->socket)
        return;
    for (flush_queue(z); !zqueue_empty(&z->queue) && clock_now() < end; flush_queue(z))
        nanosleep(&pause, NULL);
    int64_t left = end - clock_now();
    set_int(z->socket, ZMQ_LINGER, left > 0 ? (int)(left / NS_PER_MS) : 0);
}

static void on_closed(uv_handle_t *h)
{
    struct zsock *z = h->data;
    if (--z->open_handles == 0)
        free(z);
}

/* Handles that were never initialised have no loop. */
static void handle_close(uv_handle_t *h)
{
    if (h->loop)
        uv_close(h, on_closed);
}

void zsock_close(struct zsock *z)
{
    if (!z)
        return;
    zqueue_fini(&z->queue);
    handle_close((uv_handle_t *)&z->check);
    handle_close((uv_handle_t *)&z->prepare);
    handle_close((uv_handle_t *)&z->idle);
    handle_close((uv_handle_t *)&z->retry);
    handle_close((uv_handle_t *)&z->poll);
    handle_close((uv_handle_t *)&z->monitor_poll);
    /* The descriptors must have left the poll set before their sockets close them. */
    if (z->socket)
        zmq_close(z->socket);
    if (z->monitor)
        zmq_close(z->monitor);
    z->socket = z->monitor = NULL;
    if (z->open_handles == 0)
        free(z);
}
