/* Following a study: news once each, credit, lost sessions, signals, and when it is over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "follow.h"
#include "playbroker.h"

#define RECORDS 20000u

/* A study of RECORDS / 2 trials, each proposed and finished, and its end. */
struct script {
    bool forgets;  /* the session is lost once, in the middle */
    bool unknown;  /* there is no such study */
    bool endless;  /* the end never comes */
    bool restored; /* the second session is with a farm that has less behind it */
    unsigned losses;
    uint64_t sent, credit; /* of the TAIL that is served */
    struct id128 request;
    uint64_t next; /* study_seq */
};

static struct record record_at(const struct script *s, uint64_t seq)
{
    struct record r = {.seq = 100 + seq, .study = 1, .study_seq = seq, .wall_ms = 1000};
    r.trial = (seq - 1) / 2;
    r.kind = seq % 2 ? REC_PROPOSED : REC_FINISHED;
    r.text = seq % 2 ? STR("{\"x\":1}") : STR("");
    r.code = TRIAL_COMPLETE;
    r.has_value = seq % 2 == 0;
    r.value = 1.0 / (double)(1 + r.trial);
    if (seq == RECORDS + 1)
        r = (struct record){
            .seq = 100 + seq, .study = 1, .study_seq = seq, .kind = REC_STUDY_ENDED};
    (void)s;
    return r;
}

static void serve(struct script *s, struct player *p)
{
    struct record records[500];
    uint64_t last = s->endless ? RECORDS : RECORDS + 1;
    while (s->next <= last && s->sent < s->credit) {
        struct msg_events m = {.study = 1, .request = s->request, .records = {records, 0}};
        while (m.records.n < 500 && s->next <= last && s->sent < s->credit) {
            records[m.records.n++] = record_at(s, s->next++);
            s->sent++;
        }
        m.upto = s->next - 1;
        m.live = m.upto == last;
        player_send(p, p->session, MSG_EVENTS, &m);
        if (s->forgets && s->losses == 0 && s->next > RECORDS / 2) {
            struct msg_error stale = {.name = STR("STALE"), .text = STR("?")};
            s->losses++;
            s->credit = 0;
            player_send(p, p->session, MSG_ERROR, &stale);
        }
    }
}

static void welcome(const struct script *s, struct player *p, const struct msg_hello *h)
{
    struct msg_welcome w = {.version = 1,
                            .session = 100 + p->hellos,
                            .beat_ms = 200,
                            .seq = s->restored && p->hellos > 1 ? 120 : 101 + RECORDS,
                            .hello = h->number};
    player_send(p, w.session, MSG_WELCOME, &w);
}

static bool act(void *self, struct player *p, const struct frame *f, const union message *m)
{
    struct script *s = self;
    if (f->kind == MSG_HELLO) {
        welcome(s, p, &m->hello);
        return true;
    }
    if (f->kind != MSG_TAIL)
        return false;
    if (s->unknown) {
        struct msg_reply no = {
            .request = m->tail.request, .name = STR("NOT_FOUND"), .text = STR("no study here")};
        player_send(p, p->session, MSG_REPLY, &no);
        return true;
    }
    if (!id128_eq(s->request, m->tail.request)) {
        s->request = m->tail.request;
        s->sent = 0;
        s->next = m->tail.from;
    }
    s->credit = m->tail.credit;
    serve(s, p);
    return true;
}

static err_t follow(struct script *s, struct follow_config *c, struct progress *p,
                    enum follow_end *end, struct errmsg *em)
{
    struct playbroker *b = playbroker_start(act, s);
    struct announce a;
    struct brokerlink_config link = {.endpoint = playbroker_endpoint(b),
                                     .connect_ns = 120 * NS_PER_S,
                                     .answer_ns = 120 * NS_PER_S};
    assert_int_equal(brokerlink_open(&c->link, &link, em), ERR_OK);
    c->study = "s";
    progress_init(p, "s", false, 0);
    announce_init(&a, false, true);
    err_t e = follow_study(c, p, &a, end, em);
    announce_fini(&a);
    brokerlink_close(c->link);
    playbroker_stop(b);
    return e;
}

static void test_to_the_end(void **state)
{
    (void)state;
    for (int forgets = 0; forgets < 2; forgets++) {
        struct script s = {.forgets = forgets != 0};
        struct follow_config c = {.signals = -1};
        struct progress p;
        enum follow_end end;
        struct errmsg em;
        assert_int_equal(follow(&s, &c, &p, &end, &em), ERR_OK);
        assert_int_equal(end, FOLLOW_ENDED);
        assert_int_equal(s.losses, forgets);
        assert_int_equal(p.finished, RECORDS / 2);
        assert_int_equal(p.counts[TRIAL_COMPLETE], RECORDS / 2);
        assert_int_equal(p.best_trial, RECORDS / 2 - 1);
        progress_fini(&p);
    }
}

static void test_a_restored_farm_is_another(void **state)
{
    (void)state;
    struct script s = {.forgets = true, .restored = true};
    struct follow_config c = {.signals = -1};
    struct progress p;
    enum follow_end end;
    struct errmsg em;
    assert_int_equal(follow(&s, &c, &p, &end, &em), ERR_REFUSED);
    assert_non_null(strstr(em.text, "restored from a backup"));
    progress_fini(&p);
}

static void test_unknown_study(void **state)
{
    (void)state;
    struct script s = {.unknown = true};
    struct follow_config c = {.signals = -1};
    struct progress p;
    enum follow_end end;
    struct errmsg em;
    assert_int_equal(follow(&s, &c, &p, &end, &em), ERR_NOT_FOUND);
    assert_string_equal(em.text, "no study here");
    progress_fini(&p);
}

static err_t on_child(void *self, struct errmsg *em)
{
    ++*(int *)self;
    kill(getpid(), SIGTERM);
    (void)em;
    return ERR_OK;
}

/* A child's end is told; SIGTERM interrupts an endless study. */
static void test_signals(void **state)
{
    (void)state;
    int children = 0;
    struct script s = {.endless = true};
    struct follow_config c = {.on_child = on_child, .self = &children};
    struct progress p;
    enum follow_end end;
    struct errmsg em;
    assert_int_equal(follow_signals(&c.signals, &em), ERR_OK);
    kill(getpid(), SIGCHLD);
    assert_int_equal(follow(&s, &c, &p, &end, &em), ERR_OK);
    assert_int_equal(end, FOLLOW_INTERRUPTED);
    assert_int_equal(children, 1);
    progress_fini(&p);
    close(c.signals);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_to_the_end),
        cmocka_unit_test(test_a_restored_farm_is_another),
        cmocka_unit_test(test_unknown_study),
        cmocka_unit_test(test_signals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
