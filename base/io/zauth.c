/* The ZAP handler (ZeroMQ RFC 27) on inproc://zeromq.zap.01: a list of keys, a thread that answers,
 * and a test that the door is really shut.
 *
 * A thread of its own, because ZeroMQ waits for the answer in the handshake and the loop may be
 * busy. Programs start it before they bind TCP and run the self-test after it; a program whose door
 * is open must end. The list does not change while it runs. */
#include "zauth.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <zmq.h>

#include "alloc.h"
#include "clock.h"

#define ZAP_ADDRESS  "inproc://zeromq.zap.01"
#define ZAP_FRAMES   7 /* version, request id, domain, address, routing id, mechanism, key */
#define KEY_BYTES    32
#define SELF_TEST_NS (3 * NS_PER_S)

struct zauth {
    pthread_t thread;
    void *handler, *stop_in, *stop_out;
    uint8_t (*keys)[KEY_BYTES];
    size_t n_keys;
    atomic_uint_fast64_t refused;
};

static void send_text(void *socket, const char *text, int flags)
{
    (void)!zmq_send(socket, text, strlen(text), flags);
}

static void answer(struct zauth *a, zmq_msg_t *request_id, bool allowed)
{
    if (!allowed)
        atomic_fetch_add(&a->refused, 1);
    send_text(a->handler, "1.0", ZMQ_SNDMORE);
    (void)!zmq_send(a->handler, zmq_msg_data(request_id), zmq_msg_size(request_id), ZMQ_SNDMORE);
    send_text(a->handler, allowed ? "200" : "400", ZMQ_SNDMORE);
    send_text(a->handler, allowed ? "OK" : "this key is not let in", ZMQ_SNDMORE);
    send_text(a->handler, allowed ? "farm" : "", ZMQ_SNDMORE);
    send_text(a->handler, "", 0);
}

static bool frame_is(zmq_msg_t *m, const char *text)
{
    return str_is(str_make(zmq_msg_data(m), zmq_msg_size(m)), text);
}

static bool key_known(const struct zauth *a, zmq_msg_t *key)
{
    for (size_t i = 0; zmq_msg_size(key) == KEY_BYTES && i < a->n_keys; i++)
        if (memcmp(zmq_msg_data(key), a->keys[i], KEY_BYTES) == 0)
            return true;
    return false;
}

/* Takes one request and answers it; requests come from libzmq itself. False when the context ends.
 */
static bool serve_one(struct zauth *a)
{
    zmq_msg_t frames[ZAP_FRAMES], extra;
    int n = 0;
    bool more = true, ok = true;
    for (int i = 0; i < ZAP_FRAMES; i++)
        zmq_msg_init(&frames[i]);
    while (more && ok) {
        zmq_msg_t *m = n < ZAP_FRAMES ? &frames[n] : &extra;
        if (m == &extra)
            zmq_msg_init(m);
        ok = zmq_msg_recv(m, a->handler, 0) >= 0;
        more = ok && zmq_msg_more(m);
        n += ok ? 1 : 0;
        if (m == &extra)
            zmq_msg_close(m);
    }
    if (ok)
        answer(a, &frames[1],
               n == ZAP_FRAMES && frame_is(&frames[0], "1.0") && frame_is(&frames[5], "CURVE") &&
                   key_known(a, &frames[6]));
    for (int i = 0; i < ZAP_FRAMES; i++)
        zmq_msg_close(&frames[i]);
    return ok || errno != ETERM;
}

static void *serve(void *arg)
{
    struct zauth *a = arg;
    for (;;) {
        zmq_pollitem_t items[2] = {{.socket = a->handler, .events = ZMQ_POLLIN},
                                   {.socket = a->stop_out, .events = ZMQ_POLLIN}};
        if (zmq_poll(items, 2, -1) < 0 && errno == ETERM)
            break;
        if (items[1].revents)
            break;
        if (items[0].revents && !serve_one(a))
            break;
    }
    zmq_close(a->handler);
    zmq_close(a->stop_out);
    return NULL;
}

static void no_linger(void *socket)
{
    int zero = 0;
    zmq_setsockopt(socket, ZMQ_LINGER, &zero, sizeof zero);
}

static bool sockets_open(struct zauth *a, void *context)
{
    char address[64];
    snprintf(address, sizeof address, "inproc://zauth-%p", (void *)a);
    a->handler = zmq_socket(context, ZMQ_REP);
    a->stop_in = zmq_socket(context, ZMQ_PAIR);
    a->stop_out = zmq_socket(context, ZMQ_PAIR);
    if (!a->handler || !a->stop_in || !a->stop_out)
        return false;
    no_linger(a->handler);
    no_linger(a->stop_in);
    no_linger(a->stop_out);
    return !zmq_bind(a->stop_out, address) && !zmq_connect(a->stop_in, address) &&
           !zmq_bind(a->handler, ZAP_ADDRESS);
}

static bool thread_start(struct zauth *a)
{
    sigset_t all, before;
    sigfillset(&all); /* signals are the loop's */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int r = pthread_create(&a->thread, NULL, serve, a);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return r == 0;
}

static void sockets_close(struct zauth *a)
{
    if (a->handler)
        zmq_close(a->handler);
    if (a->stop_in)
        zmq_close(a->stop_in);
    if (a->stop_out)
        zmq_close(a->stop_out);
    free(a->keys);
    free(a);
}

err_t zauth_start(struct zauth **out, void *zmq_context, const char *const *keys, size_t n_keys,
                  struct errmsg *em)
{
    *out = NULL;
    struct zauth *a = alloc_zero(sizeof *a);
    a->keys = alloc_array(n_keys, KEY_BYTES);
    a->n_keys = n_keys;
    for (size_t i = 0; i < n_keys; i++)
        if (strlen(keys[i]) != 40 || !zmq_z85_decode(a->keys[i], keys[i])) {
            sockets_close(a);
            return errmsg_set(em, ERR_INVALID, "public key %zu is no Z85 text of 32 bytes", i + 1);
        }
    if (!sockets_open(a, zmq_context) || !thread_start(a)) {
        int reason = errno;
        sockets_close(a);
        return errmsg_set(em, ERR_FAILED, "the check of keys cannot start: %s",
                          zmq_strerror(reason));
    }
    *out = a;
    return ERR_OK;
}

uint64_t zauth_refused(const struct zauth *a)
{
    return atomic_load(&a->refused);
}

void zauth_stop(struct zauth *a)
{
    if (!a)
        return;
    send_text(a->stop_in, "", 0);
    pthread_join(a->thread, NULL);
    a->handler = a->stop_out = NULL; /* closed by the thread, which owned them */
    sockets_close(a);
}

/* The next event of a monitor, or 0 when none comes before `end`. */
static int next_event(void *monitor, int64_t end)
{
    zmq_msg_t m;
    uint16_t event = 0;
    int64_t left = (end - clock_now()) / NS_PER_MS;
    zmq_pollitem_t item = {.socket = monitor, .events = ZMQ_POLLIN};
    if (left <= 0 || zmq_poll(&item, 1, (long)left) <= 0)
        return 0;
    zmq_msg_init(&m);
    if (zmq_msg_recv(&m, monitor, 0) >= (int)sizeof event)
        memcpy(&event, zmq_msg_data(&m), sizeof event);
    zmq_msg_close(&m);
    zmq_msg_init(&m);
    (void)!zmq_msg_recv(&m, monitor, ZMQ_DONTWAIT); /* the address */
    zmq_msg_close(&m);
    return event;
}

static bool stranger_connect(void *socket, void *monitor, const char *endpoint,
                             const char *server_key)
{
    char address[64], public_key[41], secret_key[41];
    snprintf(address, sizeof address, "inproc://self-test-%p", socket);
    int ipv6 = strchr(endpoint, '[') != NULL;
    no_linger(socket);
    no_linger(monitor);
    return !zmq_setsockopt(socket, ZMQ_IPV6, &ipv6, sizeof ipv6) &&
           !zmq_curve_keypair(public_key, secret_key) &&
           !zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, server_key, 41) &&
           !zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, public_key, 41) &&
           !zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, secret_key, 41) &&
           !zmq_socket_monitor(socket, address,
                               ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |
                                   ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                                   ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL) &&
           !zmq_connect(monitor, address) && !zmq_connect(socket, endpoint);
}

err_t zauth_self_test(void *zmq_context, const char *endpoint, const char *server_key,
                      struct errmsg *em)
{
    void *socket = zmq_socket(zmq_context, ZMQ_DEALER);
    void *monitor = zmq_socket(zmq_context, ZMQ_PAIR);
    err_t e = ERR_OK;
    if (!socket || !monitor || !stranger_connect(socket, monitor, endpoint, server_key))
        e = errmsg_set(em, ERR_FAILED, "the test of %s cannot be made: %s", endpoint,
                       zmq_strerror(errno));
    else if (next_event(monitor, clock_now() + SELF_TEST_NS) == ZMQ_EVENT_HANDSHAKE_SUCCEEDED)
        e = errmsg_set(em, ERR_REFUSED, "%s lets in a key that nobody knows; it must not be served",
                       endpoint);
    if (socket)
        zmq_close(socket);
    if (monitor)
        zmq_close(monitor);
    return e;
}
