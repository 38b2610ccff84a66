/* Requests of clients: submit and continue, repeated requests, cancel, tails, files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "farmbox.h"
#include "hash.h"

#define C 12u

struct fixture {
    struct box b;
    uint64_t c;
};

static void begin(struct fixture *x)
{
    box_open(&x->b);
    x->c = box_client(&x->b, C, 2);
}

/* SUBMIT with these bytes and this search part; the reply. */
static const struct msg_reply *submit(struct fixture *x, unsigned request, const char *name,
                                      const char *spec, const char *search, bool edit, bool reopen)
{
    SEND(&x->b, C, x->c, SUBMIT, submit, .request = box_id(request), .name = str_of(name),
         .spec = str_of(spec), .digest = hash_bytes(str_of(spec)),
         .search = hash_bytes(str_of(search)), .edit = edit, .reopen = reopen);
    box_settle(&x->b);
    const union message *m = box_take(&x->b, C, MSG_REPLY);
    assert_non_null(m);
    assert_true(id128_eq(m->reply.request, box_id(request)));
    return &m->reply;
}

static void test_submit_again_continues(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x);
    const struct msg_reply *r = submit(&x, 100, "s", "{}", "a", false, false);
    assert_true(str_is(r->name, "OK") && r->number == 1);
    assert_non_null(strstr(r->text.p, "\"continued\":false"));
    uint64_t seq = farm_seq(x.b.f);
    r = submit(&x, 101, "s", "{}", "a", false, false);
    assert_true(str_is(r->name, "OK") && r->number == 1);
    assert_non_null(strstr(r->text.p, "\"continued\":true"));
    assert_int_equal(farm_seq(x.b.f), seq);                      /* nothing changed */
    r = submit(&x, 102, "s", "{\"more\":1}", "a", false, false); /* another spec, the same search */
    assert_true(str_is(r->name, "OK"));
    assert_non_null(strstr(r->text.p, "\"spec_number\":2"));
    box_close(&x.b);
}

static void test_another_search_is_refused_unless_edited(void **unused)
{
    (void)unused;
    struct fixture x;
    char digest[HEX_SIZE(32)];
    begin(&x);
    submit(&x, 100, "s", "{}", "a", false, false);
    const struct msg_reply *r = submit(&x, 101, "s", "{\"x\":1}", "b", false, false);
    assert_true(str_is(r->name, "REFUSED"));
    struct digest d = hash_bytes(STR("{}"));
    str_hex(digest, d.b, sizeof d.b);
    assert_non_null(strstr(r->text.p, digest)); /* names what is stored */
    r = submit(&x, 102, "s", "{\"x\":1}", "b", true, false);
    assert_true(str_is(r->name, "OK"));
    box_restart(&x.b);
    x.c = box_client(&x.b, C, 2);
    r = submit(&x, 103, "s", "{\"x\":1}", "b", false, false); /* the search part is remembered */
    assert_true(str_is(r->name, "OK"));
    box_close(&x.b);
}

static void test_what_is_not_valid(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x);
    assert_true(str_is(submit(&x, 100, "a b", "{}", "a", false, false)->name, "INVALID"));
    assert_true(str_is(submit(&x, 101, "..", "{}", "a", false, false)->name, "INVALID"));
    SEND(&x.b, C, x.c, SUBMIT, submit, .request = box_id(102), .name = STR("s"), .spec = STR("{}"));
    SEND(&x.b, C, x.c, ENQUEUE, enqueue, .request = box_id(103), .study = STR("none"),
         .params = STR("{}"));
    SEND(&x.b, C, x.c, CANCEL, cancel, .request = box_id(104), .study = STR("none"));
    SEND(&x.b, C, x.c, TAIL, tail, .request = box_id(105), .study = STR("none"), .credit = 1);
    box_settle(&x.b);
    assert_true(str_is(box_take(&x.b, C, MSG_REPLY)->reply.name, "INVALID")); /* another digest */
    for (int i = 0; i < 3; i++)
        assert_true(str_is(box_take(&x.b, C, MSG_REPLY)->reply.name, "NOT_FOUND"));
    submit(&x, 106, "s", "{}", "a", false, false);
    SEND(&x.b, C, x.c, ENQUEUE, enqueue, .request = box_id(107), .study = STR("s"),
         .params = STR("{\"x\":}"));
    SEND(&x.b, C, x.c, ENQUEUE, enqueue, .request = box_id(108), .study = STR("s"),
         .params = STR("[1]"));
    SEND(&x.b, C, x.c, CANCEL, cancel, .request = box_id(109), .study = STR("s"), .one = true,
         .trial = 3);
    box_settle(&x.b);
    assert_true(str_is(box_take(&x.b, C, MSG_REPLY)->reply.name, "INVALID"));
    assert_true(str_is(box_take(&x.b, C, MSG_REPLY)->reply.name, "INVALID"));
    assert_true(str_is(box_take(&x.b, C, MSG_REPLY)->reply.name, "NOT_FOUND"));
    assert_int_equal(farm_counts(x.b.f).trials, 0);
    box_close(&x.b);
}

static void enqueue(struct fixture *x, unsigned request)
{
    SEND(&x->b, C, x->c, ENQUEUE, enqueue, .request = box_id(request), .study = STR("s"),
         .params = STR("{\"x\":1}"));
    box_settle(&x->b);
}

static void test_a_repeated_request_changes_nothing(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x);
    submit(&x, 100, "s", "{}", "a", false, false);
    enqueue(&x, 200);
    enqueue(&x, 200);
    assert_int_equal(box_count(&x.b, C, MSG_REPLY), 2);
    assert_int_equal(farm_counts(x.b.f).trials, 1);
    box_restart(&x.b); /* the answer is in the database too */
    x.c = box_client(&x.b, C, 2);
    enqueue(&x, 200);
    const union message *m = box_take(&x.b, C, MSG_REPLY);
    assert_true(str_is(m->reply.name, "OK"));
    assert_int_equal(m->reply.number, 0);
    assert_int_equal(farm_counts(x.b.f).trials, 1);
    enqueue(&x, 201);
    assert_int_equal(box_take(&x.b, C, MSG_REPLY)->reply.number, 1);
    box_close(&x.b);
}

static void test_cancel_and_reopen(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x);
    submit(&x, 100, "s", "{}", "a", false, false);
    enqueue(&x, 200);
    enqueue(&x, 201);
    box_clear(&x.b);
    SEND(&x.b, C, x.c, CANCEL, cancel, .request = box_id(300), .study = STR("s"), .one = true,
         .trial = 1);
    box_settle(&x.b);
    assert_true(str_is(box_take(&x.b, C, MSG_REPLY)->reply.name, "OK"));
    assert_int_equal(box_state(&x.b, 1, 1), TRIAL_CANCELLED);
    assert_int_equal(box_state(&x.b, 1, 0), TRIAL_QUEUED);
    SEND(&x.b, C, x.c, CANCEL, cancel, .request = box_id(301), .study = STR("s"), .one = true,
         .trial = 1);
    SEND(&x.b, C, x.c, CANCEL, cancel, .request = box_id(302), .study = STR("s"));
    box_settle(&x.b);
    assert_true(str_is(box_take(&x.b, C, MSG_REPLY)->reply.text, "already finished"));
    box_clear(&x.b);
    assert_int_equal(farm_counts(x.b.f).open_trials, 0);
    enqueue(&x, 202);
    assert_true(str_is(box_take(&x.b, C, MSG_REPLY)->reply.name, "REFUSED"));
    const struct msg_reply *r = submit(&x, 101, "s", "{}", "a", false, false);
    assert_non_null(strstr(r->text.p, "\"state\":\"ended\""));
    r = submit(&x, 102, "s", "{}", "a", false, true);
    assert_non_null(strstr(r->text.p, "\"state\":\"open\""));
    enqueue(&x, 203);
    assert_true(str_is(box_take(&x.b, C, MSG_REPLY)->reply.name, "OK"));
    box_close(&x.b);
}

static void test_the_specs_points_come_first(void **unused)
{
    (void)unused;
    struct fixture x;
    static const struct str points[] = {{"{\"x\":1}", 7}, {"{\"x\":2}", 7}};
    begin(&x);
    x.b.env.enqueue = points;
    x.b.env.n_enqueue = 2;
    submit(&x, 100, "s", "{}", "a", false, false);
    assert_int_equal(farm_counts(x.b.f).queued, 2);
    assert_true(str_is(box_trial(&x.b, 1, 1).params, "{\"x\":2}"));
    assert_true(box_trial(&x.b, 1, 1).enqueued);
    submit(&x, 101, "s", "{}", "a", false, false);
    assert_int_equal(farm_counts(x.b.f).queued, 2); /* not again */
    box_close(&x.b);
}

static void test_points_of_a_changed_spec(void **unused)
{
    (void)unused;
    struct fixture x;
    static const struct str first[] = {{"{\"x\":1}", 7}, {"{\"x\":2}", 7}},
                            second[] = {{"{\"x\":3}", 7}, {"{\"x\":2}", 7}, {"{\"x\":2}", 7}};
    begin(&x);
    x.b.env.enqueue = first;
    x.b.env.n_enqueue = 2;
    submit(&x, 100, "s", "{}", "a", false, false);
    box_restart(&x.b);
    x.c = box_client(&x.b, C, 2);
    x.b.env.enqueue = second;
    x.b.env.n_enqueue = 3;
    submit(&x, 101, "s", "{\"more\":1}", "a", false, false);
    assert_int_equal(farm_counts(x.b.f).queued, 4); /* the one that is new, and the second of two */
    assert_true(str_is(box_trial(&x.b, 1, 2).params, "{\"x\":3}"));
    assert_true(str_is(box_trial(&x.b, 1, 3).params, "{\"x\":2}"));
    submit(&x, 102, "s", "{\"more\":1}", "a", false, false);
    assert_int_equal(farm_counts(x.b.f).queued, 4); /* not again */
    static const struct str drawn[] = {
        {"{\"x\":3,\"y\":4}", 13}, {"{\"x\":2,\"y\":5}", 13}, {"{\"x\":2,\"y\":6}", 13}};
    x.b.env.enqueue = drawn;
    x.b.env.given = second;
    submit(&x, 103, "s", "{\"more\":2}", "a", false, false);
    assert_int_equal(farm_counts(x.b.f).queued, 4); /* the same points, completed otherwise */
    box_close(&x.b);
}

static uint64_t tail_records(struct fixture *x, uint64_t *last, bool *end)
{
    uint64_t n = 0;
    for (const union message *m; (m = box_take(&x->b, C, MSG_EVENTS));) {
        assert_true(id128_eq(m->events.request, box_id(400)));
        for (uint32_t i = 0; i < m->events.records.n; i++) {
            assert_int_equal(m->events.records.v[i].seq, *last + 1); /* no gap */
            ++*last;
            n++;
        }
        *end = m->events.end;
    }
    return n;
}

static void test_tail_of_the_farm(void **unused)
{
    (void)unused;
    struct fixture x;
    uint64_t last = 0;
    bool end = false;
    begin(&x);
    submit(&x, 100, "s", "{}", "a", false, false);
    for (unsigned i = 0; i < 20; i++)
        enqueue(&x, 200 + i);
    box_restart(&x.b); /* the old ones come from the store */
    x.c = box_client(&x.b, C, 2);
    SEND(&x.b, C, x.c, TAIL, tail, .request = box_id(400), .from = 1, .credit = 5);
    box_settle(&x.b);
    assert_int_equal(tail_records(&x, &last, &end), 5);
    SEND(&x.b, C, x.c, TAIL, tail, .request = box_id(400), .credit = 1000);
    box_settle(&x.b);
    tail_records(&x, &last, &end);
    assert_int_equal(last, farm_seq(x.b.f));
    enqueue(&x, 300); /* live */
    assert_int_equal(tail_records(&x, &last, &end), 1);
    assert_false(end);
    SEND(&x.b, C, x.c, TAIL, tail, .request = box_id(400), .cancel = true);
    enqueue(&x, 301);
    assert_int_equal(tail_records(&x, &last, &end), 0);
    box_close(&x.b);
}

static void test_tail_up_to_a_place_ends(void **unused)
{
    (void)unused;
    struct fixture x;
    bool end = false;
    begin(&x);
    submit(&x, 100, "s", "{}", "a", false, false);
    for (unsigned i = 0; i < 8; i++)
        enqueue(&x, 200 + i);
    box_clear(&x.b);
    SEND(&x.b, C, x.c, TAIL, tail, .request = box_id(400), .study = STR("s"), .from = 3, .to = 5,
         .credit = 100);
    box_settle(&x.b);
    const union message *m = box_take(&x.b, C, MSG_EVENTS);
    assert_int_equal(m->events.study, 1);
    assert_int_equal(m->events.records.n, 3);
    assert_int_equal(m->events.records.v[0].study_seq, 3);
    assert_int_equal(m->events.upto, 5);
    assert_true(m->events.end);
    (void)end;
    assert_int_equal(box_count(&x.b, C, MSG_EVENTS), 0);
    box_close(&x.b);
}

static const struct msg_reply *put(struct fixture *x, struct digest d, struct str all, size_t at,
                                   size_t n)
{
    SEND(&x->b, C, x->c, PUT_BLOB, put_blob, .request = box_id(500), .digest = d, .offset = at,
         .size = all.n, .bytes = str_make(all.p + at, n));
    box_settle(&x->b);
    return &box_take(&x->b, C, MSG_REPLY)->reply;
}

static void test_files(void **unused)
{
    (void)unused;
    struct fixture x;
    static char bytes[200000];
    memset(bytes, 'x', sizeof bytes);
    struct str all = str_make(bytes, sizeof bytes);
    struct digest d = hash_bytes(all);
    begin(&x);
    assert_true(str_is(put(&x, d, all, 131072, 100)->name, "NOT_FOUND")); /* not begun */
    assert_true(str_is(put(&x, d, all, 0, 131072)->name, "OK"));
    assert_true(str_is(put(&x, d, all, 140000, 60000)->name, "INVALID")); /* out of order */
    assert_true(str_is(put(&x, d, all, 131072, sizeof bytes - 131072)->name, "OK"));
    assert_true(str_is(put(&x, d, all, 0, 131072)->text, "{\"have\":true}"));
    SEND(&x.b, C, x.c, GET_BLOB, get_blob, .digest = d, .offset = 131072);
    box_settle(&x.b);
    const union message *m = box_take(&x.b, C, MSG_BLOB);
    assert_int_equal(m->blob.size, sizeof bytes);
    assert_int_equal(m->blob.bytes.n, sizeof bytes - 131072);
    SEND(&x.b, C, x.c, GET_BLOB, get_blob, .digest = hash_bytes(STR("no")));
    box_settle(&x.b);
    assert_true(box_take(&x.b, C, MSG_BLOB)->blob.unknown);
    bytes[5] = 'y'; /* other bytes than the digest says */
    d = hash_bytes(STR("other"));
    put(&x, d, all, 0, 131072);
    assert_true(str_is(put(&x, d, all, 131072, sizeof bytes - 131072)->name, "INVALID"));
    SEND(&x.b, C, x.c, PUT_BLOB, put_blob, .request = box_id(501), .digest = d,
         .size = UINT64_C(1) << 40);
    box_settle(&x.b);
    assert_true(str_is(box_take(&x.b, C, MSG_REPLY)->reply.name, "LIMIT"));
    box_close(&x.b);
}

static void test_output_is_relayed(void **unused)
{
    (void)unused;
    struct fixture x;
    begin(&x);
    submit(&x, 100, "s", "{}", "a", false, false);
    enqueue(&x, 200);
    SEND(&x.b, C, x.c, GET_LOG, get_log, .request = box_id(600), .study_name = STR("s"));
    box_settle(&x.b);
    assert_true(box_take(&x.b, C, MSG_LOG_TEXT)->log_text.error.n > 0); /* not started */
    uint64_t w = box_worker(&x.b, 30, 30, 1);
    SEND(&x.b, C, x.c, GET_LOG, get_log, .request = box_id(601), .study_name = STR("s"));
    box_settle(&x.b);
    const union message *m = box_take(&x.b, 30, MSG_GET_LOG);
    assert_int_equal(m->get_log.attempt, 1);
    SEND(&x.b, 30, w, LOG_TEXT, log_text, .request = box_id(601), .bytes = STR("hello"));
    box_settle(&x.b);
    assert_true(str_is(box_take(&x.b, C, MSG_LOG_TEXT)->log_text.bytes, "hello"));
    SEND(&x.b, C, x.c, GET_LOG, get_log, .request = box_id(602), .study_name = STR("s"));
    box_pass(&x.b, 11 * SEC);
    assert_true(box_take(&x.b, C, MSG_LOG_TEXT)->log_text.error.n > 0); /* no answer */
    box_close(&x.b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_submit_again_continues),
        cmocka_unit_test(test_another_search_is_refused_unless_edited),
        cmocka_unit_test(test_what_is_not_valid),
        cmocka_unit_test(test_a_repeated_request_changes_nothing),
        cmocka_unit_test(test_cancel_and_reopen),
        cmocka_unit_test(test_the_specs_points_come_first),
        cmocka_unit_test(test_points_of_a_changed_spec),
        cmocka_unit_test(test_tail_of_the_farm),
        cmocka_unit_test(test_tail_up_to_a_place_ends),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_output_is_relayed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
