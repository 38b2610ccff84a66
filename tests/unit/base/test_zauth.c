/* Who may connect over CURVE: the farm's key, and nobody else; the self-test notices an open door.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <zmq.h>
#include <cmocka.h>

#include "zauth.h"
#include "clock.h"

struct door {
    struct loop loop;
    void *context;
    struct zauth *auth;
    struct zsock *server, *client;
    struct zcurve keys;
    unsigned messages, connects;
};

static void on_message(void *self, struct str peer, struct str body)
{
    struct door *d = self;
    (void)peer;
    (void)body;
    d->messages++;
    loop_stop(&d->loop);
}

static void on_watch(void *self, bool connected)
{
    struct door *d = self;
    d->connects += connected ? 1 : 0;
}

static void door_open(struct door *d, bool with_handler)
{
    memset(d, 0, sizeof *d);
    d->context = zmq_ctx_new();
    assert_int_equal(loop_init(&d->loop, NULL), ERR_OK);
    assert_int_equal(zmq_curve_keypair(d->keys.public_key, d->keys.secret_key), 0);
    memcpy(d->keys.server_key, d->keys.public_key, 41);
    const char *allowed[] = {d->keys.public_key};
    if (with_handler)
        assert_int_equal(zauth_start(&d->auth, d->context, allowed, 1, NULL), ERR_OK);
    struct zcurve server = d->keys;
    server.server = true;
    struct zsock_config c = {.type = ZMQ_ROUTER, .bind = "tcp://127.0.0.1:*", .curve = &server};
    assert_int_equal(zsock_open(&d->server, &d->loop, d->context, &c, on_message, d, NULL), ERR_OK);
}

static void door_close(struct door *d)
{
    zsock_close(d->client);
    zsock_close(d->server);
    loop_fini(&d->loop);
    zauth_stop(d->auth);
    zmq_ctx_term(d->context);
}

static void knock(struct door *d, const struct zcurve *keys)
{
    struct zsock_config c = {
        .type = ZMQ_DEALER, .connect = zsock_endpoint(d->server), .curve = keys};
    assert_int_equal(zsock_open(&d->client, &d->loop, d->context, &c, NULL, NULL, NULL), ERR_OK);
    assert_int_equal(zsock_watch(d->client, on_watch, d), ERR_OK);
    assert_true(zsock_send(d->client, (struct str){NULL, 0}, STR("knock")));
}

static void give_up(struct loop *l, int64_t now)
{
    (void)l;
    (void)now;
    fail_msg("nothing happened for a minute");
}

static void stop_when_refused(struct loop *l, int64_t now)
{
    struct door *d = (struct door *)(void *)l;
    (void)now;
    if (zsock_stats(d->client).refused > 0)
        loop_stop(l);
}

static void check_refused(struct door *d)
{
    d->loop.on_turn = stop_when_refused;
    d->loop.on_wake = give_up;
    loop_wake_at(&d->loop, clock_now() + 60 * NS_PER_S);
    assert_int_equal(loop_run(&d->loop), ERR_OK);
    assert_int_equal(d->messages, 0);
    assert_int_equal(d->connects, 0);
}

static void test_the_farms_key_is_let_in(void **state)
{
    (void)state;
    struct door d;
    door_open(&d, true);
    knock(&d, &d.keys);
    d.loop.on_wake = give_up;
    loop_wake_at(&d.loop, clock_now() + 60 * NS_PER_S);
    assert_int_equal(loop_run(&d.loop), ERR_OK);
    assert_int_equal(d.messages, 1);
    assert_true(zauth_refused(d.auth) == 0);
    door_close(&d);
}

static void test_another_key_is_refused(void **state)
{
    (void)state;
    struct door d;
    struct zcurve stranger;
    door_open(&d, true);
    stranger = d.keys;
    assert_int_equal(zmq_curve_keypair(stranger.public_key, stranger.secret_key), 0);
    knock(&d, &stranger);
    check_refused(&d);
    assert_true(zauth_refused(d.auth) >= 1);
    door_close(&d);
}

static void test_no_key_is_refused(void **state)
{
    (void)state;
    struct door d;
    door_open(&d, true);
    knock(&d, NULL);
    check_refused(&d);
    door_close(&d);
}

static void test_self_test(void **state)
{
    (void)state;
    struct door d;
    struct errmsg em;
    door_open(&d, true);
    assert_int_equal(zauth_self_test(d.context, zsock_endpoint(d.server), d.keys.public_key, &em),
                     ERR_OK);
    assert_true(zauth_refused(d.auth) == 1);
    door_close(&d);
    door_open(&d, false);
    assert_int_equal(zauth_self_test(d.context, zsock_endpoint(d.server), d.keys.public_key, &em),
                     ERR_REFUSED);
    assert_non_null(strstr(em.text, "lets in"));
    door_close(&d);
}

static void test_bad_keys_and_two_handlers(void **state)
{
    (void)state;
    struct zauth *a, *b;
    struct errmsg em;
    const char *bad[] = {"short"};
    const char *good[] = {"rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"};
    void *context = zmq_ctx_new();
    assert_int_equal(zauth_start(&a, context, bad, 1, &em), ERR_INVALID);
    assert_int_equal(zauth_start(&a, context, good, 1, &em), ERR_OK);
    assert_int_equal(zauth_start(&b, context, good, 1, &em), ERR_FAILED);
    zauth_stop(a);
    zauth_stop(NULL);
    zmq_ctx_term(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_farms_key_is_let_in),
        cmocka_unit_test(test_another_key_is_refused),
        cmocka_unit_test(test_no_key_is_refused),
        cmocka_unit_test(test_self_test),
        cmocka_unit_test(test_bad_keys_and_two_handlers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
