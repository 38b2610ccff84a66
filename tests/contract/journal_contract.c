/* What every journal has to do, run over each kind: groups come back in order, what was done is
 * there after closing and opening, questions see the group they came with, an epoch is never used
 * twice. */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "codec.h"
#include "hash.h"
#include "journal.h"
#include "journal_mem.h"
#include "tempdir.h"

struct rig {
    struct tempdir dir;
    char file[200];
    struct mem_store *mem; /* NULL: SQLite */
    struct journal *j;
};

static void rig_open(struct rig *r)
{
    struct errmsg em = {{0}};
    if (r->mem) {
        r->j = journal_mem_open(r->mem, NULL, NULL);
        return;
    }
    struct journal_config c = {.file = r->file};
    if (journal_open(&r->j, &c, &em) != ERR_OK)
        fail_msg("%s", em.text);
}

static void rig_start(struct rig *r)
{
    struct errmsg em = {{0}};
    if (journal_start(r->j, &em) != ERR_OK)
        fail_msg("%s", em.text);
}

static int rig_make(void **state, bool mem)
{
    struct rig *r = calloc(1, sizeof *r);
    tempdir_make(&r->dir);
    tempdir_file(&r->dir, "farm.db", r->file, sizeof r->file);
    r->mem = mem ? mem_store_new() : NULL;
    rig_open(r);
    *state = r;
    return 0;
}

static int make_mem(void **state)
{
    return rig_make(state, true);
}

static int make_sqlite(void **state)
{
    return rig_make(state, false);
}

static int rig_end(void **state)
{
    struct rig *r = *state;
    journal_close(r->j);
    mem_store_free(r->mem);
    tempdir_remove(&r->dir);
    free(r);
    return 0;
}

/* Waits for the next done group. */
static struct group *rig_wait(struct rig *r)
{
    struct group *g;
    for (int i = 0; i < 60000; i++) {
        if ((g = journal_done(r->j)))
            return g;
        poll(NULL, 0, 1);
    }
    fail_msg("the journal does not answer");
    return NULL;
}

static struct group *records(uint64_t first, uint64_t n, uint64_t study)
{
    struct group *g = group_new();
    for (uint64_t i = 0; i < n; i++) {
        struct record r = {.seq = first + i,
                           .study = study,
                           .study_seq = first + i,
                           .kind = REC_REPORTED,
                           .trial = i,
                           .attempt = 1,
                           .has_step = true,
                           .step = (int64_t)i,
                           .has_value = true,
                           .value = 0.5,
                           .text = STR("{\"acc\":1}"),
                           .wall_ms = 5};
        effects_record(&g->fx, &r);
    }
    return g;
}

static void test_groups_come_back_in_order(void **state)
{
    struct rig *r = *state;
    rig_start(r);
    for (uint64_t i = 0; i < 50; i++)
        journal_submit(r->j, records(1 + i * 3, 3, 1));
    for (uint64_t i = 0; i < 50; i++) {
        struct group *g = rig_wait(r);
        assert_int_equal(g->fx.records[0].seq, 1 + i * 3);
        group_free(g);
    }
    assert_null(journal_done(r->j));
    assert_int_equal(journal_stats(r->j).records, 150);
    assert_false(journal_full(r->j));
}

/* ---- reading back ---- */

struct seen {
    struct journal *j;
    uint64_t records, last_seq, studies, trials, requests;
    struct trial_image trial;
    char params[64];
};

static err_t see_study(void *self, const struct study_image *i, struct errmsg *em)
{
    struct seen *s = self;
    struct buf spec = {0};
    assert_int_equal(i->number, ++s->studies);
    assert_int_equal(journal_blob(s->j, i->spec, &spec, em), ERR_OK);
    assert_true(str_is(buf_str(&spec), "{\"spec\":1}"));
    assert_true(i->paused);
    buf_fini(&spec);
    return ERR_OK;
}

static err_t see_trial(void *self, const struct trial_image *i, struct errmsg *em)
{
    struct seen *s = self;
    (void)em;
    s->trials++;
    s->trial = *i;
    str_copyz(s->params, sizeof s->params, i->params);
    assert_int_equal(i->n_decide, 2);
    assert_int_equal(i->decide[1], 27);
    if (i->has_resume) {
        assert_true(str_is(i->resume, "/shared/a\nb"));
        assert_int_equal(i->resume_step, 4);
        assert_true(digest_eq(i->resume_digest, hash_bytes(STR("what is in it"))));
    }
    return ERR_OK;
}

static err_t see_request(void *self, const struct msg_reply *m, struct errmsg *em)
{
    struct seen *s = self;
    (void)em;
    s->requests++;
    assert_true(str_is(m->text, "text"));
    assert_int_equal(m->number, 9);
    return ERR_OK;
}

static err_t see_record(void *self, uint64_t seq, struct str body, struct errmsg *em)
{
    struct seen *s = self;
    struct arena a;
    struct record r;
    arena_init(&a, 0);
    assert_int_equal(record_decode(&r, body, &a, em), ERR_OK);
    assert_int_equal(r.seq, seq);
    assert_true(seq > s->last_seq);
    s->last_seq = seq;
    s->records++;
    arena_fini(&a);
    return ERR_OK;
}

static struct seen read_back(struct rig *r)
{
    struct seen s = {.j = r->j};
    struct journal_reader reader = {&s, see_study, see_trial, see_request, see_record};
    struct errmsg em = {{0}};
    if (journal_load(r->j, &reader, &em) != ERR_OK)
        fail_msg("%s", em.text);
    return s;
}

static void put_images(struct effects *fx)
{
    static const int64_t decide[] = {9, 27};
    struct digest d = hash_bytes(STR("{\"spec\":1}"));
    effects_blob(fx, d, STR("{\"spec\":1}"));
    effects_blob(fx, d, STR("{\"spec\":1}")); /* twice is once */
    *effects_study(fx) = (struct study_image){.number = 1,
                                              .seq = 2,
                                              .study_seq = 2,
                                              .name = STR("s"),
                                              .spec = d,
                                              .spec_number = 1,
                                              .paused = true};
    *effects_trial(fx) = (struct trial_image){.study = 1,
                                              .number = 0,
                                              .seq = 2,
                                              .state = TRIAL_RUNNING,
                                              .attempt = 3,
                                              .has_draw = true,
                                              .draw = 7,
                                              .params = STR("{\"x\":1}"),
                                              .has_value = true,
                                              .value = 0.25,
                                              .front = true,
                                              .decide = decide,
                                              .n_decide = 2,
                                              .has_resume = true,
                                              .resume = STR("/shared/a\nb"),
                                              .resume_step = 4,
                                              .resume_digest = hash_bytes(STR("what is in it")),
                                              .worker = {{1, 2, 3}}};
    struct msg_reply m = {
        .request = {{5}}, .name = STR("OK"), .text = STR("text"), .number = 9, .seq = 1};
    effects_request(fx, &m, 1700000000000);
    fx->fold_seq = 2;
}

static void test_what_was_done_is_there(void **state)
{
    struct rig *r = *state;
    uint64_t epoch = journal_ids(r->j).epoch, farm = journal_ids(r->j).farm;
    assert_int_equal(epoch, 1);
    rig_start(r);
    struct group *g = records(1, 5, 1);
    put_images(&g->fx);
    journal_submit(r->j, g);
    group_free(rig_wait(r));
    journal_close(r->j);
    rig_open(r);
    struct journal_ids ids = journal_ids(r->j);
    assert_int_equal(ids.epoch, 2);
    assert_int_equal(ids.farm, farm);
    assert_int_equal(ids.last_seq, 5);
    assert_int_equal(ids.fold_seq, 2);
    struct seen s = read_back(r);
    assert_int_equal(s.studies, 1);
    assert_int_equal(s.trials, 1);
    assert_int_equal(s.records, 3); /* behind fold_seq */
    assert_int_equal(s.last_seq, 5);
    assert_string_equal(s.params, "{\"x\":1}");
    assert_int_equal(s.trial.attempt, 3);
    assert_int_equal(s.trial.draw, 7);
    assert_true(s.trial.front && s.trial.value == 0.25 && s.trial.has_resume);
    assert_int_equal(s.trial.worker.b[2], 3);
}

/* Opening and reading alone leave everything as it was. */
static void test_nothing_is_changed_before_the_start(void **state)
{
    struct rig *r = *state;
    rig_start(r);
    journal_submit(r->j, records(1, 5, 1));
    group_free(rig_wait(r));
    for (uint64_t turn = 0; turn < 3; turn++) {
        journal_close(r->j);
        rig_open(r);
        assert_int_equal(read_back(r).records, 5);
        assert_int_equal(journal_ids(r->j).epoch, r->mem ? 2 + turn : 2);
    }
}

static void test_a_newer_row_takes_the_place(void **state)
{
    struct rig *r = *state;
    rig_start(r);
    for (int turn = 0; turn < 2; turn++) {
        struct group *g = group_new();
        put_images(&g->fx);
        g->fx.trials[0].attempt = (uint32_t)(10 + turn);
        journal_submit(r->j, g);
        group_free(rig_wait(r));
    }
    journal_close(r->j);
    rig_open(r);
    struct seen s = read_back(r);
    assert_int_equal(s.trials, 1);
    assert_int_equal(s.trial.attempt, 11);
}

static void test_questions_see_their_group(void **state)
{
    struct rig *r = *state;
    rig_start(r);
    journal_submit(r->j, records(1, 10, 4));
    struct group *g = records(11, 10, 4);
    struct fx_ask *ask = effects_ask(&g->fx, ASK_RECORDS, 77);
    *ask = (struct fx_ask){.kind = ASK_RECORDS,
                           .token = 77,
                           .study = 4,
                           .from = 9,
                           .to = 14,
                           .limit = 4,
                           .kinds = UINT64_MAX};
    ask = effects_ask(&g->fx, ASK_RECORDS, 78);
    *ask = (struct fx_ask){
        .kind = ASK_RECORDS, .token = 78, .from = 19, .to = 100, .limit = 100, .kinds = UINT64_MAX};
    ask = effects_ask(&g->fx, ASK_RECORDS, 79);
    *ask = (struct fx_ask){
        .kind = ASK_RECORDS, .token = 79, .study = 4, .from = 1, .to = 20, .limit = 100};
    journal_submit(r->j, g);
    group_free(rig_wait(r));
    g = rig_wait(r);
    assert_int_equal(g->n_answers, 3);
    assert_int_equal(g->answers[0].token, 77);
    assert_int_equal(g->answers[0].n_rows, 4);
    assert_int_equal(g->answers[0].rows[0].study_seq, 9);
    assert_false(g->answers[0].complete);
    assert_int_equal(g->answers[1].n_rows, 2);
    assert_true(g->answers[1].complete);
    assert_int_equal(g->answers[1].rows[1].seq, 20);
    assert_int_equal(g->answers[1].rows[1].kind, REC_REPORTED);
    assert_int_equal(g->answers[2].n_rows, 0); /* no kind was asked for */
    assert_true(g->answers[2].complete);
    group_free(g);
}

/* ---- compaction ---- */

static void put(struct group *g, uint64_t seq, uint8_t kind, uint64_t trial, int64_t step)
{
    struct record r = {.seq = seq,
                       .study = 1,
                       .study_seq = seq,
                       .kind = kind,
                       .trial = trial,
                       .attempt = 1,
                       .has_step = step > 0,
                       .step = step,
                       .has_value = step > 0,
                       .value = 1,
                       .number = kind == REC_COMPACTED ? seq - 1 : 0};
    effects_record(&g->fx, &r);
}

/* Trial 0 is final, trial 1 runs; each was granted, began, and reported 1000 steps. */
static struct group *two_trials(uint64_t *last)
{
    static const int64_t decide[] = {7};
    struct group *g = group_new();
    uint64_t seq = 0;
    for (uint64_t t = 0; t < 2; t++) {
        put(g, ++seq, REC_GRANTED, t, 0);
        put(g, ++seq, REC_STARTED, t, 0);
    }
    for (int64_t step = 1; step <= 1000; step++) {
        for (uint64_t t = 0; t < 2; t++)
            put(g, ++seq, REC_REPORTED, t, step);
    }
    for (uint64_t t = 0; t < 2; t++)
        *effects_trial(&g->fx) = (struct trial_image){.study = 1,
                                                      .number = t,
                                                      .seq = seq,
                                                      .attempt = 1,
                                                      .state = t ? TRIAL_RUNNING : TRIAL_COMPLETE,
                                                      .decide = decide,
                                                      .n_decide = 1};
    put(g, ++seq, REC_COMPACTED, 0, 0);
    *last = seq;
    return g;
}

static uint64_t compact(struct rig *r, struct group *g, uint64_t to)
{
    struct fx_ask *ask = effects_ask(&g->fx, ASK_COMPACT, 5);
    ask->study = 1;
    ask->to = to;
    journal_submit(r->j, g);
    for (;;) {
        g = rig_wait(r);
        for (size_t i = 0; i < g->n_answers; i++) {
            const struct answer *a = &g->answers[i];
            assert_int_equal(a->token, 5);
            assert_int_equal(a->fault, ERR_OK);
            assert_true(a->at <= a->of);
            if (!a->complete)
                continue;
            uint64_t dropped = a->dropped;
            group_free(g);
            return dropped;
        }
        group_free(g);
    }
}

static uint64_t count_records(struct rig *r, uint64_t to)
{
    uint64_t n = 0;
    for (uint64_t from = 1; from <= to;) {
        struct group *g = group_new();
        struct fx_ask *ask = effects_ask(&g->fx, ASK_RECORDS, 6);
        ask->study = 1;
        ask->from = from;
        ask->to = to;
        ask->kinds = UINT64_MAX;
        ask->limit = 512;
        journal_submit(r->j, g);
        g = rig_wait(r);
        const struct answer *a = &g->answers[0];
        n += a->n_rows;
        from = a->complete ? to + 1 : a->rows[a->n_rows - 1].study_seq + 1;
        group_free(g);
    }
    return n;
}

static void test_compaction(void **state)
{
    struct rig *r = *state;
    uint64_t last;
    rig_start(r);
    struct group *g = two_trials(&last);
    assert_int_equal(compact(r, g, last - 1), 998); /* the last stays, and the decision step */
    assert_int_equal(count_records(r, last), last - 998);
    assert_int_equal(compact(r, group_new(), last - 1), 0);
    journal_close(r->j);
    rig_open(r);
    assert_int_equal(journal_ids(r->j).last_seq, last);
    rig_start(r);
    assert_int_equal(count_records(r, last), last - 998);
}

static void test_blobs_in_pieces(void **state)
{
    struct rig *r = *state;
    rig_start(r);
    size_t n = 300000;
    char *bytes = malloc(n);
    for (size_t i = 0; i < n; i++)
        bytes[i] = (char)(i * 7 >> 3);
    struct digest d = hash_bytes(str_make(bytes, n)), other = hash_bytes(STR("no"));
    struct group *g = group_new();
    effects_blob(&g->fx, d, str_make(bytes, n));
    for (uint64_t at = 0; at < n; at += 131072) {
        struct fx_ask *ask = effects_ask(&g->fx, ASK_BLOB, at);
        ask->digest = d;
        ask->from = at;
        ask->limit = 131072;
    }
    effects_ask(&g->fx, ASK_BLOB, 1)->digest = other;
    journal_submit(r->j, g);
    g = rig_wait(r);
    assert_int_equal(g->n_answers, 4);
    for (size_t i = 0; i < 3; i++) {
        const struct answer *a = &g->answers[i];
        assert_true(a->known && a->size == n && a->bytes.n);
        assert_memory_equal(a->bytes.p, bytes + a->token, a->bytes.n);
    }
    assert_false(g->answers[3].known);
    group_free(g);
    free(bytes);
}

static void test_without_writes_there_is_no_commit(void **state)
{
    struct rig *r = *state;
    rig_start(r);
    struct group *g = group_new();
    effects_send(&g->fx, 1, 2, MSG_DRAIN_OK, &(struct msg_drain_ok){.running = 1});
    journal_submit(r->j, g);
    group_free(rig_wait(r));
    assert_int_equal(journal_stats(r->j).groups, 0);
}

static void test_closing_commits_what_was_submitted(void **state)
{
    struct rig *r = *state;
    rig_start(r);
    for (uint64_t i = 0; i < 20; i++)
        journal_submit(r->j, records(1 + i, 1, 1));
    journal_close(r->j);
    rig_open(r);
    assert_int_equal(journal_ids(r->j).last_seq, 20);
}

#define BOTH(fn)                                                                                   \
    cmocka_unit_test_setup_teardown(fn, make_mem, rig_end),                                        \
        cmocka_unit_test_setup_teardown(fn, make_sqlite, rig_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(test_groups_come_back_in_order),
        BOTH(test_what_was_done_is_there),
        BOTH(test_nothing_is_changed_before_the_start),
        BOTH(test_a_newer_row_takes_the_place),
        BOTH(test_questions_see_their_group),
        BOTH(test_compaction),
        BOTH(test_blobs_in_pieces),
        BOTH(test_without_writes_there_is_no_commit),
        BOTH(test_closing_commits_what_was_submitted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
