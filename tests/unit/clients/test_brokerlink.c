/* A client's link against a broker that is played by a thread: sessions, answers, loss, refusal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "linkrows.h"
#include "clock.h"
#include "playbroker.h"

static char endpoint[300];

/* How the played broker behaves. */
enum mood { ANSWERS, FORGETS_ONCE, REFUSES_VERSION, SILENT };

static struct playbroker *broker;
static enum mood mood;
static unsigned requests;

static bool on_hello(struct player *p)
{
    if (mood == REFUSES_VERSION) {
        struct msg_error e = {
            .name = STR("VERSION"), .text = STR("speaks 7 only"), .kind = MSG_HELLO};
        player_send(p, 0, MSG_ERROR, &e);
    }
    return mood == REFUSES_VERSION || mood == SILENT;
}

static void on_sql(struct player *p, const struct msg_sql *q)
{
    struct str columns[] = {STR("n")}, first[] = {STR("[1]"), STR("[2]")}, second[] = {STR("[3]")};
    struct msg_rows rows = {
        .request = q->request, .columns = {columns, 1}, .rows = {first, 2}, .more = true};
    if (str_is(q->query, "bad")) {
        struct msg_rows error = {.request = q->request, .error = STR("no such thing")};
        player_send(p, p->session, MSG_ROWS, &error);
        return;
    }
    player_send(p, p->session, MSG_ROWS, &rows);
    if (mood == FORGETS_ONCE && requests == 1) {
        struct msg_error stale = {.name = STR("STALE"), .text = STR("who are you?")};
        player_send(p, p->session, MSG_ERROR, &stale);
        return;
    }
    if (str_is(q->query, "large")) {
        struct msg_rows cut = {.request = q->request, .error = STR("too large"), .cut = true};
        player_send(p, p->session, MSG_ROWS, &cut);
        return;
    }
    rows.rows.v = second;
    rows.rows.n = 1;
    rows.more = false;
    player_send(p, p->session, MSG_ROWS, &rows);
}

static void on_cancel(struct player *p, const struct msg_cancel *q)
{
    struct msg_reply other = {.name = STR("OK"), .number = 1}; /* answers nobody */
    struct msg_reply reply = {
        .request = q->request, .name = STR("NOT_FOUND"), .text = STR("no study")};
    player_send(p, p->session, MSG_REPLY, &other);
    if (str_is(q->study, "there"))
        reply = (struct msg_reply){.request = q->request, .name = STR("OK"), .number = 7};
    player_send(p, p->session, MSG_REPLY, &reply);
}

static bool act(void *self, struct player *p, const struct frame *f, const union message *m)
{
    (void)self;
    if (f->kind == MSG_HELLO)
        return on_hello(p);
    if (f->kind == MSG_SQL || f->kind == MSG_CANCEL)
        requests++;
    if (f->kind == MSG_SQL)
        on_sql(p, &m->sql);
    if (f->kind == MSG_CANCEL)
        on_cancel(p, &m->cancel);
    return false;
}

static void begin(enum mood how)
{
    mood = how;
    requests = 0;
    broker = playbroker_start(act, NULL);
    snprintf(endpoint, sizeof endpoint, "%s", playbroker_endpoint(broker));
}

static err_t connect_link(struct brokerlink **l, int64_t patience, struct errmsg *em)
{
    struct brokerlink_config c = {
        .endpoint = endpoint, .connect_ns = patience, .answer_ns = 120 * NS_PER_S};
    return brokerlink_open(l, &c, em);
}

static err_t count_rows(void *self, const struct str *columns, size_t n, struct str row,
                        struct errmsg *em)
{
    (void)em;
    assert_int_equal(n, 1);
    assert_true(str_is(columns[0], "n"));
    char expected[16];
    snprintf(expected, sizeof expected, "[%d]", ++*(int *)self);
    assert_true(str_is(row, expected));
    return ERR_OK;
}

static void test_answers(void **state)
{
    (void)state;
    struct brokerlink *l;
    struct errmsg em;
    struct link_incoming in;
    int rows = 0;
    begin(ANSWERS);
    assert_int_equal(connect_link(&l, 120 * NS_PER_S, &em), ERR_OK);
    assert_true(brokerlink_connected(l));
    assert_int_equal(brokerlink_head(l), 42);
    assert_int_equal(linkrows_sql(l, "select", NULL, 0, false, count_rows, &rows, &em), ERR_OK);
    assert_int_equal(rows, 3);
    assert_int_equal(linkrows_sql(l, "bad", NULL, 0, false, count_rows, &rows, &em), ERR_INVALID);
    assert_string_equal(em.text, "no such thing");
    struct msg_cancel m = {.request = brokerlink_request(), .study = STR("there")};
    assert_int_equal(brokerlink_call(l, MSG_CANCEL, &m, m.request, &in, &em), ERR_OK);
    assert_int_equal(in.m.reply.number, 7);
    m = (struct msg_cancel){.request = brokerlink_request(), .study = STR("else")};
    assert_int_equal(brokerlink_call(l, MSG_CANCEL, &m, m.request, NULL, &em), ERR_NOT_FOUND);
    assert_string_equal(em.text, "no study");
    brokerlink_close(l);
    playbroker_stop(broker);
}

static void test_a_large_answer_comes_in_part_where_that_helps(void **state)
{
    (void)state;
    struct brokerlink *l;
    struct errmsg em;
    int rows = 0;
    begin(ANSWERS);
    assert_int_equal(connect_link(&l, 120 * NS_PER_S, &em), ERR_OK);
    assert_int_equal(linkrows_sql(l, "large", NULL, 0, false, count_rows, &rows, &em), ERR_INVALID);
    assert_string_equal(em.text, "too large");
    assert_int_equal(rows, 0);
    assert_int_equal(linkrows_sql(l, "large", NULL, 0, true, count_rows, &rows, &em), ERR_OK);
    assert_int_equal(rows, 2);
    rows = 0;
    assert_int_equal(linkrows_sql(l, "select", NULL, 0, true, count_rows, &rows, &em), ERR_OK);
    assert_int_equal(rows, 3);
    assert_int_equal(linkrows_sql(l, "bad", NULL, 0, true, count_rows, &rows, &em), ERR_INVALID);
    brokerlink_close(l);
    playbroker_stop(broker);
}

/* Half an answer came before the session was lost: the question is asked again and its rows come
 * once. */
static void test_lost_session_repeats_nothing(void **state)
{
    (void)state;
    struct brokerlink *l;
    struct errmsg em;
    int rows = 0;
    begin(FORGETS_ONCE);
    assert_int_equal(connect_link(&l, 120 * NS_PER_S, &em), ERR_OK);
    assert_int_equal(linkrows_sql(l, "select", NULL, 0, false, count_rows, &rows, &em), ERR_OK);
    assert_int_equal(rows, 3);
    brokerlink_close(l);
    assert_int_equal(playbroker_stop(broker), 2);
    assert_int_equal(requests, 2);
}

static void test_refused_version(void **state)
{
    (void)state;
    struct brokerlink *l;
    struct errmsg em;
    begin(REFUSES_VERSION);
    assert_int_equal(connect_link(&l, 120 * NS_PER_S, &em), ERR_VERSION);
    assert_non_null(strstr(em.text, "speaks 7 only"));
    playbroker_stop(broker);
}

static void test_nobody_answers(void **state)
{
    (void)state;
    struct brokerlink *l;
    struct errmsg em;
    begin(SILENT);
    assert_int_equal(connect_link(&l, 200 * NS_PER_MS, &em), ERR_UNREACHABLE);
    assert_non_null(strstr(em.text, "no broker answers at ipc://"));
    assert_non_null(strstr(em.text, "tunefarm broker --db"));
    playbroker_stop(broker);
    snprintf(endpoint, sizeof endpoint, "ipc:///nowhere/b");
    assert_int_equal(connect_link(&l, 200 * NS_PER_MS, &em), ERR_UNREACHABLE);
    snprintf(endpoint, sizeof endpoint, "http://example");
    assert_int_equal(connect_link(&l, 200 * NS_PER_MS, &em), ERR_INVALID);
    snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:1");
    struct brokerlink_config c = {
        .endpoint = endpoint, .key = "/nowhere/farm.key", .connect_ns = 1};
    assert_int_equal(brokerlink_open(&l, &c, &em), ERR_INVALID);
    assert_non_null(strstr(em.text, "key"));
}

static void test_time_out_and_descriptor(void **state)
{
    (void)state;
    struct brokerlink *l;
    struct errmsg em;
    struct link_incoming in;
    int ends[2];
    begin(ANSWERS);
    assert_int_equal(connect_link(&l, 120 * NS_PER_S, &em), ERR_OK);
    assert_int_equal(brokerlink_next(l, -1, clock_now() + 10 * NS_PER_MS, &in, &em), ERR_OK);
    assert_int_equal(in.event, LINK_TIMEOUT);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "x", 1), 1);
    assert_int_equal(brokerlink_next(l, ends[0], CLOCK_NEVER, &in, &em), ERR_OK);
    assert_int_equal(in.event, LINK_FD);
    close(ends[0]);
    close(ends[1]);
    brokerlink_close(l);
    playbroker_stop(broker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_a_large_answer_comes_in_part_where_that_helps),
        cmocka_unit_test(test_lost_session_repeats_nothing),
        cmocka_unit_test(test_refused_version),
        cmocka_unit_test(test_nobody_answers),
        cmocka_unit_test(test_time_out_and_descriptor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
