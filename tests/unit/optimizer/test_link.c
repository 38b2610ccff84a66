/* The conversation with the broker, message by message; what the link says is decoded again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "attachment.h"
#include "clock.h"
#include "codec.h"
#include "link.h"

#define SESSION 77
#define SPEC                                                                                       \
    "{\"study\":\"s\",\"objective\":{\"command\":[\"x\"]},\"space\":{\"x\":{\"float\":[0,1]}},"    \
    "\"sampler\":{\"seed\":4},\"stop\":{\"trials\":6,\"time\":\"60s\"}}"

struct bed {
    struct link *link;
    struct link_out out;
    struct arena arena;
    size_t next;    /* effect not looked at yet */
    uint64_t hello; /* number of the last HELLO taken */
    int64_t now;
};

static void open_bed(struct bed *b)
{
    struct link_config c = {.seed = 1, .host = "h", .name = "n", .software = "{}", .pid = 12};
    *b = (struct bed){.link = link_new(&c), .now = 1000 * NS_PER_S};
    link_out_init(&b->out);
    arena_init(&b->arena, 0);
}

static void close_bed(struct bed *b)
{
    link_free(b->link);
    link_out_fini(&b->out);
    arena_fini(&b->arena);
}

/* The next message to the broker, which must be of this kind. */
static union message take(struct bed *b, unsigned kind, uint64_t session)
{
    union message m;
    struct errmsg em = {""};
    while (b->next < b->out.n && b->out.v[b->next].kind == 0)
        b->next++;
    if (b->next == b->out.n)
        fail_msg("no message, expected %s", message_name(kind));
    const struct link_effect *e = &b->out.v[b->next++];
    assert_string_equal(message_name(e->kind), message_name(kind));
    assert_int_equal(e->session, session);
    assert_int_equal(message_decode(&m, kind, link_out_text(&b->out, e), &b->arena, &em), ERR_OK);
    if (kind == MSG_HELLO)
        b->hello = m.hello.number;
    return m;
}

static void nothing_more(struct bed *b)
{
    while (b->next < b->out.n && b->out.v[b->next].kind == 0)
        b->next++;
    if (b->next < b->out.n)
        fail_msg("unexpected %s", message_name(b->out.v[b->next].kind));
}

static void hear(struct bed *b, uint64_t session, unsigned kind, union message m)
{
    link_on_message(b->link, b->now, session, kind, &m, &b->out);
}

static void join(struct bed *b, uint64_t session)
{
    hear(b, session, MSG_WELCOME,
         (union message){
             .welcome = {.version = 1, .session = session, .beat_ms = 1000, .hello = b->hello}});
}

static void join_farm(struct bed *b)
{
    open_bed(b);
    link_on_connected(b->link, b->now, &b->out);
    assert_int_equal(take(b, MSG_HELLO, 0).hello.role, ROLE_OPTIMIZER);
    join(b, SESSION);
    nothing_more(b);
}

static void attach(struct bed *b, uint64_t study, uint32_t epoch, const char *spec, uint64_t head)
{
    hear(b, SESSION, MSG_ATTACHED,
         (union message){.attached = {.study = study,
                                      .epoch = epoch,
                                      .name = STR("s"),
                                      .spec = str_of(spec),
                                      .spec_number = 1,
                                      .head = head}});
    struct msg_pull p = take(b, MSG_PULL, SESSION).pull;
    assert_int_equal(p.study, study);
    assert_int_equal(p.epoch, epoch);
    assert_int_equal(p.credit, ATTACHMENT_WINDOW);
}

static void events(struct bed *b, uint64_t study, uint32_t epoch, const struct record *v,
                   uint32_t n, uint64_t upto, bool live)
{
    union message m = {.events = {.study = study, .epoch = epoch, .upto = upto, .live = live}};
    m.events.records.v = v;
    m.events.records.n = n;
    hear(b, SESSION, MSG_EVENTS, m);
}

static void want(struct bed *b, uint64_t study, uint32_t epoch, uint64_t number, uint32_t n,
                 uint64_t upto)
{
    hear(b, SESSION, MSG_WANT,
         (union message){
             .want = {.study = study, .epoch = epoch, .want = number, .n = n, .upto = upto}});
}

static void a_want_is_answered_once(void **state)
{
    (void)state;
    struct bed b;
    join_farm(&b);
    attach(&b, 3, 1, SPEC, 5);
    events(&b, 3, 1, NULL, 0, 5, true);
    want(&b, 3, 1, 1, 2, 5);
    struct msg_propose p = take(&b, MSG_PROPOSE, SESSION).propose;
    assert_int_equal(p.want, 1);
    assert_int_equal(p.proposals.n, 2);
    assert_int_equal(p.proposals.v[1].draw, 1);
    assert_int_equal(p.proposals.v[1].based_on, 5);
    want(&b, 3, 1, 1, 2, 5); /* repeated */
    nothing_more(&b);
    want(&b, 3, 1, 2, 1, 5);
    assert_int_equal(take(&b, MSG_PROPOSE, SESSION).propose.proposals.v[0].draw, 2);
    want(&b, 3, 2, 3, 1, 5); /* another epoch, another study */
    want(&b, 4, 1, 3, 1, 5);
    nothing_more(&b);
    close_bed(&b);
}

static void a_want_waits_for_its_events(void **state)
{
    (void)state;
    struct bed b;
    join_farm(&b);
    attach(&b, 3, 1, SPEC, 9);
    want(&b, 3, 1, 1, 1, 9);
    nothing_more(&b);
    events(&b, 3, 1, NULL, 0, 8, false);
    nothing_more(&b);
    events(&b, 3, 1, NULL, 0, 9, true);
    assert_int_equal(take(&b, MSG_PROPOSE, SESSION).propose.want, 1);
    nothing_more(&b);
    close_bed(&b);
}

static void credit_follows_the_stream(void **state)
{
    (void)state;
    struct bed b;
    struct record v[1000] = {{0}};
    uint64_t seq = 0, credit = ATTACHMENT_WINDOW;
    join_farm(&b);
    attach(&b, 3, 1, SPEC, 20000);
    for (int k = 0; k < 20; k++) {
        for (int i = 0; i < 1000; i++)
            v[i] =
                (struct record){.kind = REC_REPORTED, .study = 3, .study_seq = ++seq, .trial = 1};
        events(&b, 3, 1, v, 1000, seq, false);
        while (b.next < b.out.n) {
            struct msg_pull p = take(&b, MSG_PULL, SESSION).pull;
            assert_true(p.credit > credit && p.credit == seq + ATTACHMENT_WINDOW);
            credit = p.credit;
        }
        assert_true(credit > seq + 1000);
    }
    close_bed(&b);
}

static void repeated_frames_change_nothing(void **state)
{
    (void)state;
    struct bed b;
    struct record v[1000] = {{0}};
    join_farm(&b);
    attach(&b, 3, 1, SPEC, 1000);
    for (int i = 0; i < 1000; i++)
        v[i] = (struct record){
            .kind = REC_REPORTED, .study = 3, .study_seq = (uint64_t)i + 1, .trial = 1};
    for (int k = 0; k < 20; k++)
        events(&b, 3, 1, v, 1000, 1000, true);
    nothing_more(&b); /* they took no credit */
    hear(
        &b, SESSION, MSG_ATTACHED,
        (union message){.attached = {.study = 3, .epoch = 1, .name = STR("s"), .spec = STR(SPEC)}});
    nothing_more(&b);
    want(&b, 3, 1, 1, 1, 1000); /* the events are still known */
    assert_int_equal(take(&b, MSG_PROPOSE, SESSION).propose.proposals.v[0].based_on, 1000);
    close_bed(&b);
}

static void stop_rules_close_once(void **state)
{
    (void)state;
    struct bed b;
    struct record v[6];
    char text[6][64];
    join_farm(&b);
    attach(&b, 3, 1, SPEC, 1);
    events(&b, 3, 1, NULL, 0, 1, true);
    want(&b, 3, 1, 1, 10, 1);
    struct msg_propose p = take(&b, MSG_PROPOSE, SESSION).propose;
    assert_int_equal(p.proposals.n, 6);
    for (uint32_t i = 0; i < 6; i++) {
        assert_true(str_copyz(text[i], sizeof text[i], p.proposals.v[i].params));
        v[i] = (struct record){.kind = REC_PROPOSED,
                               .study = 3,
                               .study_seq = 2 + i,
                               .trial = i,
                               .number = i,
                               .text = str_of(text[i])};
    }
    events(&b, 3, 1, v, 6, 7, true);
    struct msg_close_study c = take(&b, MSG_CLOSE_STUDY, SESSION).close_study;
    assert_true(str_is(c.why, "trials"));
    assert_false(c.stop_running);
    events(&b, 3, 1, NULL, 0, 8, true);
    b.now += 61 * NS_PER_S;
    events(&b, 3, 1, NULL, 0, 9, true);
    nothing_more(&b);
    close_bed(&b);
}

static void time_closes_by_the_clock(void **state)
{
    (void)state;
    struct bed b;
    join_farm(&b);
    attach(&b, 3, 1, SPEC, 1);
    int64_t next = link_tick(b.link, b.now, &b.out);
    for (int i = 0; i < 200 && b.now < 1060 * NS_PER_S; i++) {
        b.now = next;
        hear(&b, SESSION, MSG_BEAT_ACK, (union message){.beat_ack = {.number = 1}});
        next = link_tick(b.link, b.now, &b.out);
    }
    assert_true(b.now >= 1060 * NS_PER_S);
    int beats = 0;
    while (b.out.v[b.next].kind != MSG_CLOSE_STUDY) {
        assert_int_equal(take(&b, MSG_BEAT, SESSION).beat.number, ++beats);
    }
    assert_in_range(beats, 50, 70);
    struct msg_close_study c = take(&b, MSG_CLOSE_STUDY, SESSION).close_study;
    assert_true(str_is(c.why, "time") && c.stop_running);
    close_bed(&b);
}

/* The study's minute of stop.time does not go on while it is paused, be it that the optimizer sees
 * the pause begin or reads of it later. */
static void a_paused_study_has_time(void **state)
{
    (void)state;
    struct bed b;
    const struct record paused = {.kind = REC_STUDY_PAUSED, .study_seq = 2},
                        resumed = {.kind = REC_STUDY_RESUMED, .study_seq = 3};
    const struct record later[] = {paused, resumed, {.kind = REC_STUDY_PAUSED, .study_seq = 4}};
    join_farm(&b);
    attach(&b, 3, 1, SPEC, 1);
    events(&b, 3, 1, NULL, 0, 1, true);
    b.now += 50 * NS_PER_S;
    events(&b, 3, 1, &paused, 1, 2, true);
    b.now += 100 * NS_PER_S;
    want(&b, 3, 1, 1, 1, 2);
    assert_int_equal(take(&b, MSG_PROPOSE, SESSION).propose.proposals.n, 1);
    nothing_more(&b);
    events(&b, 3, 1, &resumed, 1, 3, true);
    b.now += 11 * NS_PER_S;
    want(&b, 3, 1, 2, 1, 3);
    take(&b, MSG_PROPOSE, SESSION);
    assert_true(str_is(take(&b, MSG_CLOSE_STUDY, SESSION).close_study.why, "time"));
    attach(&b, 3, 2, SPEC, 4);
    events(&b, 3, 2, later, 3, 4, true);
    b.now += 100 * NS_PER_S;
    want(&b, 3, 2, 1, 1, 4);
    assert_int_equal(take(&b, MSG_PROPOSE, SESSION).propose.proposals.n, 1);
    nothing_more(&b);
    close_bed(&b);
}

static void a_bad_spec_is_told_at_the_first_want(void **state)
{
    (void)state;
    struct bed b;
    join_farm(&b);
    attach(
        &b, 3, 1,
        "{\"study\":\"s\",\"objective\":{\"command\":[\"x\"]},\"space\":{\"x\":{\"float\":[0,1]}},"
        "\"sampler\":{\"name\":\"grid\"}}",
        1);
    struct record r = {.kind = REC_ENQUEUED, .study_seq = 1, .text = STR("{\"x\":1}")};
    events(&b, 3, 1, &r, 1, 1, true);
    nothing_more(&b);
    want(&b, 3, 1, 1, 4, 1);
    struct msg_propose p = take(&b, MSG_PROPOSE, SESSION).propose;
    assert_int_equal(p.proposals.n, 0);
    assert_true(str_starts(p.error, "sampler.points: "));
    close_bed(&b);
}

static void large_answers_fit_a_frame(void **state)
{
    (void)state;
    struct bed b;
    char *spec = calloc(1, 200000), *at = spec;
    at += sprintf(
        at,
        "{\"study\":\"s\",\"objective\":{\"command\":[\"x\"]},\"space\":{\"p\":{\"float\":[0,1]}");
    for (int i = 0; i < 400; i++)
        at += sprintf(at, ",\"a_rather_long_name_of_a_parameter_%d\":{\"float\":[0,1]}", i);
    strcpy(at, "}}");
    join_farm(&b);
    attach(&b, 3, 1, spec, 1);
    events(&b, 3, 1, NULL, 0, 1, true);
    want(&b, 3, 1, 1, 1000, 1);
    assert_true(b.out.v[b.out.n - 1].n < (1u << 20) - 64);
    struct msg_propose p = take(&b, MSG_PROPOSE, SESSION).propose;
    assert_in_range(p.proposals.n, 5, 100);
    free(spec);
    close_bed(&b);
}

static void attach_is_ignored(struct bed *b, uint64_t session)
{
    hear(b, session, MSG_ATTACHED, (union message){.attached = {.study = 3, .spec = STR(SPEC)}});
    nothing_more(b);
}

static void a_lost_session_forgets_everything(void **state)
{
    (void)state;
    struct bed b;
    join_farm(&b);
    attach(&b, 3, 1, SPEC, 1);
    assert_int_equal(link_studies(b.link), 1);
    hear(&b, SESSION, MSG_ERROR,
         (union message){.error = {.name = STR("STALE"), .text = STR("old")}});
    take(&b, MSG_HELLO, 0);
    assert_int_equal(link_studies(b.link), 0);
    want(&b, 3, 1, 1, 1, 0); /* of the old session */
    nothing_more(&b);
    b.hello--;
    join(&b, SESSION + 9); /* answers the HELLO before */
    attach_is_ignored(&b, SESSION + 9);
    b.hello++;
    join(&b, SESSION + 1);
    attach_is_ignored(&b, SESSION);
    link_on_disconnected(b.link, b.now, &b.out);
    assert_int_equal(link_tick(b.link, b.now + 3600 * NS_PER_S, &b.out), CLOCK_NEVER);
    nothing_more(&b);
    link_on_connected(b.link, b.now, &b.out);
    take(&b, MSG_HELLO, 0);
    close_bed(&b);
}

static void silence_begins_a_new_session(void **state)
{
    (void)state;
    struct bed b;
    join_farm(&b);
    b.now += 3 * NS_PER_S;
    link_tick(b.link, b.now, &b.out);
    take(&b, MSG_HELLO, 0);
    assert_int_equal(link_tick(b.link, b.now, &b.out), b.now + 15 * NS_PER_S);
    nothing_more(&b);
    b.now += 15 * NS_PER_S;
    link_tick(b.link, b.now, &b.out); /* no WELCOME */
    take(&b, MSG_HELLO, 0);
    link_on_gap(b.link, b.now, &b.out);
    nothing_more(&b);
    join(&b, 5);
    link_on_gap(b.link, b.now, &b.out);
    take(&b, MSG_HELLO, 0);
    close_bed(&b);
}

static void detached_and_attached_anew(void **state)
{
    (void)state;
    struct bed b;
    join_farm(&b);
    attach(&b, 3, 1, SPEC, 1);
    hear(&b, SESSION, MSG_DETACHED, (union message){.detached = {.study = 3, .epoch = 2}});
    assert_int_equal(link_studies(b.link), 1); /* another epoch */
    hear(&b, SESSION, MSG_DETACHED, (union message){.detached = {.study = 3, .epoch = 1}});
    assert_int_equal(link_studies(b.link), 0);
    attach(&b, 3, 2, SPEC, 1);
    attach(&b, 3, 3, SPEC, 1);
    assert_int_equal(link_studies(b.link), 1);
    struct record r = {.kind = REC_SPEC_ADDED, .study_seq = 2, .number = 2};
    events(&b, 3, 3, &r, 1, 2, true);
    take(&b, MSG_HELLO, 0);
    close_bed(&b);
}

static void another_version_is_the_end(void **state)
{
    (void)state;
    struct bed b;
    open_bed(&b);
    link_on_connected(b.link, b.now, &b.out);
    hear(&b, 0, MSG_ERROR,
         (union message){.error = {.name = STR("VERSION"), .text = STR("2 to 3")}});
    assert_int_equal(b.out.fatal, ERR_VERSION);
    close_bed(&b);
}

static void leaving_says_bye(void **state)
{
    (void)state;
    struct bed b;
    join_farm(&b);
    link_leave(b.link, &b.out);
    take(&b, MSG_BYE, SESSION);
    link_leave(b.link, &b.out);
    nothing_more(&b);
    close_bed(&b);
}

/* Whatever a broker sends that decodes, nothing breaks. */
static void any_message_is_survived(void **state)
{
    (void)state;
    struct bed b;
    struct rng r;
    struct arena a;
    rng_seed(&r, 99);
    arena_init(&a, 0);
    join_farm(&b);
    attach(&b, 3, 1, SPEC, 1);
    for (int i = 0; i < 4000; i++) {
        unsigned kind = (unsigned)rng_below(&r, 128);
        if (!message_known(kind))
            continue;
        union message m;
        arena_clear(&a);
        message_sample(&m, kind, &r, &a);
        if (kind == MSG_WANT || kind == MSG_EVENTS) { /* of the study that is there */
            m.events.study = m.want.study = 3;
            m.events.epoch = m.want.epoch = 1;
        }
        hear(&b, SESSION, kind, m);
        link_tick(b.link, b.now, &b.out);
        link_out_clear(&b.out);
        b.out.fatal = ERR_OK;
    }
    arena_fini(&a);
    close_bed(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_want_is_answered_once),
        cmocka_unit_test(a_want_waits_for_its_events),
        cmocka_unit_test(credit_follows_the_stream),
        cmocka_unit_test(repeated_frames_change_nothing),
        cmocka_unit_test(stop_rules_close_once),
        cmocka_unit_test(time_closes_by_the_clock),
        cmocka_unit_test(a_paused_study_has_time),
        cmocka_unit_test(a_bad_spec_is_told_at_the_first_want),
        cmocka_unit_test(large_answers_fit_a_frame),
        cmocka_unit_test(a_lost_session_forgets_everything),
        cmocka_unit_test(silence_begins_a_new_session),
        cmocka_unit_test(detached_and_attached_anew),
        cmocka_unit_test(another_version_is_the_end),
        cmocka_unit_test(leaving_says_bye),
        cmocka_unit_test(any_message_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
