/* The file of the command line that knows ZeroMQ (feedprobe.c listens for a moment). A command is a
 * straight line of requests, so the link blocks: one poll on the socket, its monitor and, if the
 * caller has one, a descriptor of signals. Whatever happens to the connection, the caller sees an
 * answer, a renewed session, or one sentence.
 *
 * The monitor is watched because a DEALER reconnects silently: without it a broker's restart would
 * be noticed a beat later only. Called by source.c, upload.c, follow.c and the commands. It must
 * not know what the requests mean. */
#include "brokerlink.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <zmq.h>

#include "alloc.h"
#include "clock.h"
#include "codec.h"
#include "endpoint.h"
#include "frame.h"
#include "hash.h"
#include "linkkey.h"
#include "sequence.h"

#define HELLO_AGAIN_NS (2 * NS_PER_S)
#define LOOK_NS        (500 * NS_PER_MS)
#define GONE_NS        (3 * NS_PER_S)
#define ARENA_LIMIT    (16u << 20)

struct brokerlink {
    struct brokerlink_config config;
    char *endpoint;
    void *context, *socket, *monitor;
    struct id128 peer;
    uint64_t session; /* 0 = none */
    struct sequence sequence;
    uint64_t head, beats;
    int64_t beat_ns, beat_at, hello_at, heard_at;
    uint64_t hello_number; /* of the last HELLO: an older one's WELCOME names a dead session */
    bool welcomed;         /* ever */
    bool renewed;          /* to be told to the caller */
    bool gone;             /* no BYE */
    bool holding;          /* `frame` is open */
    zmq_msg_t frame;
    struct arena arena;
    struct buf out, body;
};

static void link_write(struct brokerlink *l, uint64_t session, unsigned kind, const void *msg)
{
    buf_clear(&l->body);
    buf_clear(&l->out);
    message_encode(&l->body, kind, msg);
    struct frame f = {
        .major = PROTO_MAJOR, .kind = (uint8_t)kind, .session = session, .body = buf_str(&l->body)};
    sequence_stamp(&l->sequence, &f);
    frame_write(&l->out, &f);
    /* A full queue of a broker that is away is like a lost connection: the beats find out. */
    if (buf_ok(&l->body) && buf_ok(&l->out))
        (void)zmq_send(l->socket, l->out.p, l->out.n, ZMQ_DONTWAIT);
}

void brokerlink_send(struct brokerlink *l, unsigned kind, const void *msg)
{
    if (l->session)
        link_write(l, l->session, kind, msg);
}

static void say_hello(struct brokerlink *l, int64_t now)
{
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    struct msg_hello m = {
        .role = ROLE_CLIENT,
        .version_min = PROTO_MAJOR,
        .version_max = PROTO_MAJOR,
        .peer = l->peer,
        .host = str_utf8_valid(str_of(host)) ? str_of(host) : STR("?"),
        .pid = (uint64_t)getpid(),
        .software = STR("{\"tunefarm\":\"" TUNEFARM_VERSION "\"}"),
        .number = ++l->hello_number,
    };
    l->session = 0;
    link_write(l, 0, MSG_HELLO, &m);
    l->hello_at = now + HELLO_AGAIN_NS;
}

static void on_welcome(struct brokerlink *l, const struct frame *f, const struct msg_welcome *m,
                       int64_t now)
{
    if (m->hello != l->hello_number)
        return;
    uint32_t beat = m->beat_ms < 100 ? 100 : m->beat_ms;
    l->session = m->session ? m->session : f->session;
    l->beat_ns = beat * NS_PER_MS;
    l->beat_at = now + l->beat_ns;
    l->head = m->seq;
    l->renewed = l->welcomed;
    l->welcomed = true;
}

/* True if the message is for the caller. */
static bool on_message(struct brokerlink *l, const struct frame *f, struct link_incoming *in,
                       int64_t now, struct errmsg *em, err_t *e)
{
    const struct msg_error *error = &in->m.error;
    switch (in->kind) {
    case MSG_WELCOME:
        on_welcome(l, f, &in->m.welcome, now);
        return false;
    case MSG_BEAT_ACK:
        return false;
    case MSG_ERROR:
        if (str_is(error->name, "STALE")) {
            /* One about a session that is no longer used was answered by a HELLO already. */
            if (l->session && (f->session == 0 || f->session == l->session))
                say_hello(l, now);
            return false;
        }
        if (error->kind == MSG_HELLO || str_is(error->name, "VERSION")) {
            *e = errmsg_set(em, str_is(error->name, "VERSION") ? ERR_VERSION : ERR_REFUSED,
                            "the broker at %s refuses this client: " STR_FMT, l->endpoint,
                            STR_ARG(error->text));
            return false;
        }
        return true;
    default:
        return f->session == l->session;
    }
}

static bool receive(struct brokerlink *l, struct link_incoming *in, int64_t now, struct errmsg *em,
                    err_t *e)
{
    struct frame f;
    if (l->holding)
        zmq_msg_close(&l->frame);
    zmq_msg_init(&l->frame);
    l->holding = true;
    if (zmq_msg_recv(&l->frame, l->socket, ZMQ_DONTWAIT) < 0)
        return false;
    struct str bytes = str_make(zmq_msg_data(&l->frame), zmq_msg_size(&l->frame));
    arena_clear(&l->arena);
    if (frame_read(&f, bytes, FRAME_LIMIT, NULL))
        return false; /* an empty delimiter or no frame of ours: as if nothing had come */
    l->heard_at = now;
    (void)sequence_follow(&l->sequence, &f); /* its requests are asked again by time alone */
    if (message_decode(&in->m, f.kind, f.body, &l->arena, NULL))
        return false;
    in->event = LINK_MESSAGE;
    in->kind = f.kind;
    return on_message(l, &f, in, now, em, e);
}

/* A connection that came back carries no session: the broker may be another process now. */
static void drain_monitor(struct brokerlink *l, int64_t now)
{
    for (;;) {
        zmq_msg_t event, address;
        zmq_msg_init(&event);
        zmq_msg_init(&address);
        if (zmq_msg_recv(&event, l->monitor, ZMQ_DONTWAIT) < 0)
            return;
        uint16_t what = 0;
        if (zmq_msg_size(&event) >= sizeof what)
            memcpy(&what, zmq_msg_data(&event), sizeof what);
        if (zmq_msg_more(&event))
            (void)zmq_msg_recv(&address, l->monitor, 0);
        zmq_msg_close(&event);
        zmq_msg_close(&address);
        if (what == ZMQ_EVENT_DISCONNECTED)
            l->session = 0;
        else if (what == ZMQ_EVENT_HANDSHAKE_SUCCEEDED && l->welcomed)
            say_hello(l, now);
    }
}

/* Beats, or says HELLO again; returns when it wants to be called next. */
static int64_t keep_alive(struct brokerlink *l, int64_t now)
{
    if (l->session && now - l->heard_at > 3 * l->beat_ns)
        l->session = 0;
    if (!l->session) {
        if (now >= l->hello_at)
            say_hello(l, now);
        return l->hello_at;
    }
    if (now >= l->beat_at) {
        struct msg_beat beat = {.number = ++l->beats};
        brokerlink_send(l, MSG_BEAT, &beat);
        l->beat_at = now + l->beat_ns;
    }
    return l->beat_at;
}

static long milliseconds_until(int64_t at, int64_t now)
{
    if (at <= now)
        return 0;
    int64_t ms = (at - now) / NS_PER_MS + 1;
    return ms > 60000 ? 60000 : (long)ms;
}

static int poll_all(struct brokerlink *l, int fd, long ms, zmq_pollitem_t items[3])
{
    items[0] = (zmq_pollitem_t){.socket = l->socket, .events = ZMQ_POLLIN};
    items[1] = (zmq_pollitem_t){.socket = l->monitor, .events = ZMQ_POLLIN};
    items[2] = (zmq_pollitem_t){.fd = fd, .events = ZMQ_POLLIN};
    int n = zmq_poll(items, fd >= 0 ? 3 : 2, ms);
    if (n <= 0)
        items[0].revents = items[1].revents = items[2].revents = 0;
    return n;
}

err_t brokerlink_next(struct brokerlink *l, int fd, int64_t until, struct link_incoming *in,
                      struct errmsg *em)
{
    for (;;) {
        int64_t now = clock_now();
        int64_t wake = keep_alive(l, now);
        zmq_pollitem_t items[3];
        err_t e = ERR_OK;
        poll_all(l, fd, milliseconds_until(wake < until ? wake : until, now), items);
        now = clock_now();
        if (items[2].revents && fd >= 0) {
            in->event = LINK_FD;
            return ERR_OK;
        }
        if (items[1].revents)
            drain_monitor(l, now);
        if (items[0].revents && receive(l, in, now, em, &e))
            return ERR_OK;
        if (e)
            return e;
        if (l->renewed) {
            l->renewed = false;
            in->event = LINK_RENEWED;
            return ERR_OK;
        }
        if (now >= until) {
            in->event = LINK_TIMEOUT;
            return ERR_OK;
        }
    }
}

static err_t set_options(struct brokerlink *l, struct errmsg *em)
{
    const int linger = 300, reconnect = 100, reconnect_max = 2000, handshake = 15000, beat = 5000;
    const int beat_timeout = 15000, queue = 1000;
    const int64_t limit = FRAME_LIMIT;
    zmq_setsockopt(l->socket, ZMQ_LINGER, &linger, sizeof linger);
    zmq_setsockopt(l->socket, ZMQ_RECONNECT_IVL, &reconnect, sizeof reconnect);
    zmq_setsockopt(l->socket, ZMQ_RECONNECT_IVL_MAX, &reconnect_max, sizeof reconnect_max);
    zmq_setsockopt(l->socket, ZMQ_HANDSHAKE_IVL, &handshake, sizeof handshake);
    zmq_setsockopt(l->socket, ZMQ_HEARTBEAT_IVL, &beat, sizeof beat);
    zmq_setsockopt(l->socket, ZMQ_HEARTBEAT_TIMEOUT, &beat_timeout, sizeof beat_timeout);
    zmq_setsockopt(l->socket, ZMQ_SNDHWM, &queue, sizeof queue);
    zmq_setsockopt(l->socket, ZMQ_RCVHWM, &queue, sizeof queue);
    zmq_setsockopt(l->socket, ZMQ_MAXMSGSIZE, &limit, sizeof limit);
    return linkkey_apply(l->socket, l->endpoint, l->config.key, em);
}

static err_t connect_socket(struct brokerlink *l, struct errmsg *em)
{
    char name[64];
    snprintf(name, sizeof name, "inproc://monitor-%p", (void *)l);
    l->context = zmq_ctx_new();
    l->socket = l->context ? zmq_socket(l->context, ZMQ_DEALER) : NULL;
    l->monitor = l->context ? zmq_socket(l->context, ZMQ_PAIR) : NULL;
    if (!l->socket || !l->monitor)
        return errmsg_set(em, ERR_IO, "no socket can be made: %s", zmq_strerror(errno));
    err_t e = set_options(l, em);
    if (e)
        return e;
    int events = ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED;
    if (zmq_socket_monitor(l->socket, name, events) || zmq_connect(l->monitor, name))
        return errmsg_set(em, ERR_IO, "no socket can be watched: %s", zmq_strerror(errno));
    if (zmq_connect(l->socket, l->endpoint))
        return errmsg_set(em, ERR_INVALID,
                          "%s is no address of a broker (%s); expected ipc://PATH or "
                          "tcp://HOST:PORT",
                          l->endpoint, zmq_strerror(errno));
    return ERR_OK;
}

/* Nobody listens on an ipc path: waiting for long would help only if a broker is about to start. */
static bool nobody_listens(const char *endpoint)
{
    struct endpoint at;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (endpoint_parse(&at, str_of(endpoint), NULL) || at.tcp)
        return false;
    memcpy(address.sun_path, at.path, sizeof address.sun_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool refused = fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) != 0 &&
                   (errno == ENOENT || errno == ECONNREFUSED);
    if (fd >= 0)
        close(fd);
    return refused;
}

/* A broker with another key does not answer either: it hangs up without a word. */
static err_t nobody_answers(const struct brokerlink *l, struct errmsg *em)
{
    bool keyed = str_starts(str_of(l->endpoint), "tcp:");
    return errmsg_set(em, ERR_UNREACHABLE,
                      "no broker answers at %s%s; start one with: tunefarm broker --db farm.db "
                      "--listen %s",
                      l->endpoint, keyed ? " to this key (is it that farm's?)" : "", l->endpoint);
}

static err_t await_welcome(struct brokerlink *l, struct errmsg *em)
{
    int64_t patience = l->config.connect_ns;
    if (patience > NS_PER_S && nobody_listens(l->endpoint))
        patience = NS_PER_S;
    int64_t until = clock_now() + patience;
    l->heard_at = clock_now();
    while (!l->welcomed) {
        struct link_incoming in;
        int64_t now = clock_now();
        if (now >= until)
            return nobody_answers(l, em);
        int64_t slice = now + 20 * NS_PER_MS;
        err_t e = brokerlink_next(l, -1, slice < until ? slice : until, &in, em);
        if (e)
            return e;
    }
    return ERR_OK;
}

err_t brokerlink_open(struct brokerlink **out, const struct brokerlink_config *c, struct errmsg *em)
{
    struct brokerlink *l = alloc_zero(sizeof *l);
    l->config = *c;
    l->endpoint = str_dupz(str_of(c->endpoint));
    l->beat_ns = 5 * NS_PER_S;
    hash_random(l->peer.b, sizeof l->peer.b);
    arena_init(&l->arena, ARENA_LIMIT);
    buf_init(&l->out, 0);
    buf_init(&l->body, 0);
    err_t e = connect_socket(l, em);
    if (!e)
        e = await_welcome(l, em);
    if (e) {
        l->gone = true;
        brokerlink_close(l);
        return e;
    }
    l->renewed = false;
    *out = l;
    return ERR_OK;
}

void brokerlink_close(struct brokerlink *l)
{
    if (!l)
        return;
    if (l->session && !l->gone) {
        struct msg_bye bye = {.why = STR("done")};
        brokerlink_send(l, MSG_BYE, &bye);
    }
    if (l->holding)
        zmq_msg_close(&l->frame);
    if (l->gone && l->socket) {
        const int none = 0;
        zmq_setsockopt(l->socket, ZMQ_LINGER, &none, sizeof none);
    }
    if (l->socket) {
        zmq_socket_monitor(l->socket, NULL, 0);
        zmq_close(l->socket);
    }
    if (l->monitor)
        zmq_close(l->monitor);
    if (l->context)
        zmq_ctx_term(l->context);
    arena_fini(&l->arena);
    buf_fini(&l->out);
    buf_fini(&l->body);
    free(l->endpoint);
    free(l);
}

const char *brokerlink_endpoint(const struct brokerlink *l)
{
    return l->endpoint;
}

uint64_t brokerlink_head(const struct brokerlink *l)
{
    return l->head;
}

bool brokerlink_connected(const struct brokerlink *l)
{
    return l->session != 0;
}

void brokerlink_forget(struct brokerlink *l)
{
    l->gone = true;
}

struct id128 brokerlink_request(void)
{
    struct id128 id;
    hash_random(id.b, sizeof id.b);
    return id;
}

int64_t brokerlink_patience(const struct brokerlink *l)
{
    return l->config.answer_ns;
}

err_t brokerlink_error(struct str name)
{
    for (unsigned e = 0; e < ERR_COUNT; e++)
        if (str_is(name, err_name((err_t)e)))
            return (err_t)e;
    return ERR_FAILED;
}

/* The request id of an answer; NULL for what answers nothing. */
static const struct id128 *answered(const struct link_incoming *in)
{
    switch (in->kind) {
    case MSG_REPLY:
        return &in->m.reply.request;
    case MSG_ROWS:
        return &in->m.rows.request;
    case MSG_LOG_TEXT:
        return &in->m.log_text.request;
    case MSG_ERROR:
        return &in->m.error.request;
    default:
        return NULL;
    }
}

/* A broker that ended for good should not be waited for as long as one that is busy. */
static err_t no_answer(struct brokerlink *l, int64_t until, int64_t *lost_at, struct errmsg *em)
{
    int64_t now = clock_now();
    if (l->session)
        *lost_at = now;
    if (now >= until)
        return errmsg_set(em, l->session ? ERR_TIMEOUT : ERR_UNREACHABLE,
                          "the broker at %s did not answer within %lld s", l->endpoint,
                          (long long)(l->config.answer_ns / NS_PER_S));
    if (now - *lost_at > GONE_NS && nobody_listens(l->endpoint))
        return errmsg_set(em, ERR_UNREACHABLE, "the broker at %s has ended", l->endpoint);
    return ERR_OK;
}

err_t brokerlink_await(struct brokerlink *l, struct id128 id, int64_t until,
                       struct link_incoming *in, struct errmsg *em)
{
    int64_t lost_at = clock_now();
    for (;;) {
        int64_t slice = clock_now() + LOOK_NS;
        err_t e = brokerlink_next(l, -1, slice < until ? slice : until, in, em);
        if (!e && in->event == LINK_TIMEOUT)
            e = no_answer(l, until, &lost_at, em);
        if (e)
            return e;
        if (in->event == LINK_RENEWED)
            return ERR_STALE;
        if (in->event == LINK_MESSAGE && in->kind == MSG_ERROR &&
            str_is(in->m.error.name, "UNSUPPORTED"))
            return errmsg_set(em, ERR_UNSUPPORTED, "the broker at %s is too old to be asked this",
                              l->endpoint);
        const struct id128 *of = in->event == LINK_MESSAGE ? answered(in) : NULL;
        if (!of || !id128_eq(*of, id))
            continue;
        if (in->kind == MSG_ERROR)
            return errmsg_set(em, brokerlink_error(in->m.error.name), STR_FMT,
                              STR_ARG(in->m.error.text));
        return ERR_OK;
    }
}

err_t brokerlink_call(struct brokerlink *l, unsigned kind, const void *msg, struct id128 id,
                      struct link_incoming *answer, struct errmsg *em)
{
    struct link_incoming local, *in = answer ? answer : &local;
    int64_t until = clock_now() + l->config.answer_ns;
    err_t e;
    do {
        brokerlink_send(l, kind, msg);
        e = brokerlink_await(l, id, until, in, em);
    } while (e == ERR_STALE && in->event == LINK_RENEWED);
    if (e)
        return e;
    if (in->kind == MSG_REPLY && !str_is(in->m.reply.name, "OK"))
        return errmsg_set(em, brokerlink_error(in->m.reply.name), STR_FMT,
                          STR_ARG(in->m.reply.text));
    return ERR_OK;
}
