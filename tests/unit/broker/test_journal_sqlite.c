/* The journal on SQLite: files that cannot be used, questions of people, the views, and a full
 * disk's ballast. */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "codec.h"
#include "dbguard.h"
#include "hash.h"
#include "journal.h"
#include "tempdir.h"

#define AN_HOUR INT64_C(3600000000000)

static struct tempdir dir;
static char file[200];

static int setup(void **unused)
{
    (void)unused;
    tempdir_make(&dir);
    tempdir_file(&dir, "farm.db", file, sizeof file);
    return 0;
}

static int teardown(void **unused)
{
    (void)unused;
    tempdir_remove(&dir);
    return 0;
}

static struct journal *open_with(const struct journal_config *c)
{
    struct journal *j;
    struct errmsg em = {{0}};
    if (journal_open(&j, c, &em) != ERR_OK)
        fail_msg("%s", em.text);
    return j;
}

static struct journal *open_journal(uint64_t ballast)
{
    struct journal_config c = {.file = file, .ballast = ballast, .sql_ns = INT64_C(300000000)};
    return open_with(&c);
}

/* An empty database of ours. */
static void make_database(void)
{
    struct journal *j = open_journal(0);
    struct errmsg em = {{0}};
    if (journal_start(j, &em) != ERR_OK)
        fail_msg("%s", em.text);
    journal_close(j);
}

static err_t try_open(struct errmsg *em)
{
    struct journal_config c = {.file = file};
    struct journal *j;
    err_t e = journal_open(&j, &c, em);
    if (e == ERR_OK)
        journal_close(j);
    return e;
}

static void sql(const char *text)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
    if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", text, sqlite3_errmsg(db));
    sqlite3_close(db);
}

static void test_one_broker_at_a_time(void **unused)
{
    (void)unused;
    struct errmsg em;
    struct journal *j = open_journal(0);
    struct stat st;
    assert_int_equal(stat(file, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(try_open(&em), ERR_EXISTS);
    assert_non_null(strstr(em.text, "another broker has"));
    journal_close(j);
    assert_int_equal(try_open(&em), ERR_OK);
}

static void test_no_database(void **unused)
{
    (void)unused;
    struct errmsg em;
    static const char text[] = "This is a letter, and it is a long one, because SQLite looks at "
                               "the first hundred bytes of a "
                               "file before it says that it is none of its own.";
    tempdir_write(file, STR(text));
    assert_int_equal(try_open(&em), ERR_INVALID);
    assert_non_null(strstr(em.text, "is no database"));
    struct stat st;
    assert_int_equal(stat(file, &st), 0);
    assert_int_equal(st.st_size, sizeof text - 1);
}

static void test_of_another_program(void **unused)
{
    (void)unused;
    struct errmsg em;
    sql("CREATE TABLE notes(text)");
    assert_int_equal(try_open(&em), ERR_INVALID);
    assert_non_null(strstr(em.text, "another program"));
}

static void test_of_a_newer_version(void **unused)
{
    (void)unused;
    struct errmsg em;
    make_database();
    sql("PRAGMA user_version = 99");
    assert_int_equal(try_open(&em), ERR_VERSION);
    assert_non_null(strstr(em.text, "newer tunefarm"));
}

static void test_damaged(void **unused)
{
    (void)unused;
    struct errmsg em;
    make_database();
    FILE *f = fopen(file, "r+b");
    assert_non_null(f);
    fseek(f, 100, SEEK_SET); /* the first page's header of the schema */
    for (int i = 0; i < 3000; i++)
        fputc(0xa5, f);
    fclose(f);
    err_t e = try_open(&em);
    assert_true(e == ERR_CORRUPT || e == ERR_INVALID);
    assert_non_null(strstr(em.text, "not changed"));
}

static void test_places_that_cannot_be(void **unused)
{
    (void)unused;
    struct errmsg em;
    snprintf(file, sizeof file, "%s/none/farm.db", dir.path);
    assert_int_equal(try_open(&em), ERR_IO);
    snprintf(file, sizeof file, "%s", dir.path);
    assert_true(try_open(&em) != ERR_OK);
}

/* ---- questions ---- */

static struct group *wait_done(struct journal *j)
{
    struct group *g;
    for (int i = 0; i < 60000; i++) {
        if ((g = journal_done(j)))
            return g;
        poll(NULL, 0, 1);
    }
    fail_msg("the journal does not answer");
    return NULL;
}

static struct group *study_group(void)
{
    struct group *g = group_new();
    struct digest d = hash_bytes(STR("{}"));
    effects_blob(&g->fx, d, STR("{}"));
    *effects_study(&g->fx) = (struct study_image){.number = 1,
                                                  .seq = 1,
                                                  .name = STR("s"),
                                                  .spec = d,
                                                  .spec_number = 1,
                                                  .has_best = true,
                                                  .best = 0.25,
                                                  .best_trial = 0};
    for (uint64_t i = 0; i < 1000; i++)
        *effects_trial(&g->fx) = (struct trial_image){.study = 1,
                                                      .number = i,
                                                      .seq = 1,
                                                      .state = TRIAL_COMPLETE,
                                                      .has_value = true,
                                                      .value = 0.25 + (double)i,
                                                      .params = STR("{\"lr\":0.5}"),
                                                      .attempt = 1,
                                                      .final_attempt = 1,
                                                      .finished_ms = 1700000000000};
    return g;
}

struct rows {
    uint32_t n, groups;
    bool cut;
    char first[300], error[300];
};

static void submit_question(struct journal *j, const char *query, const char *arg)
{
    struct group *g = group_new();
    struct str *args = arena_array(&g->fx.arena, 1, sizeof *args);
    args[0] = str_of(arg);
    struct fx_ask *a = effects_ask(&g->fx, ASK_SQL, 5);
    a->query = query;
    a->args = args;
    a->n_args = arg ? 1 : 0;
    journal_submit(j, g);
}

static struct rows wait_answer(struct journal *j)
{
    struct rows r = {0};
    for (bool complete = false; !complete;) {
        struct group *g = wait_done(j);
        for (size_t i = 0; i < g->n_answers; i++) {
            const struct answer *x = &g->answers[i];
            assert_int_equal(x->token, 5);
            if (x->n_lines && !r.n)
                str_copyz(r.first, sizeof r.first, x->lines[0]);
            str_copyz(r.error, sizeof r.error, x->error);
            r.n += x->n_lines;
            r.groups++;
            r.cut = x->cut;
            complete = x->complete;
        }
        group_free(g);
    }
    return r;
}

static struct rows ask(struct journal *j, const char *query, const char *arg)
{
    submit_question(j, query, arg);
    return wait_answer(j);
}

static void test_questions(void **unused)
{
    (void)unused;
    struct journal *j = open_journal(0);
    struct errmsg em;
    assert_int_equal(journal_start(j, &em), ERR_OK);
    journal_submit(j, study_group());
    group_free(wait_done(j));
    struct rows r =
        ask(j, "select number, state, loss, json_extract(params,'$.lr') from trial order by number",
            NULL);
    assert_string_equal(r.error, "");
    assert_int_equal(r.n, 1000);
    assert_true(r.groups > 1); /* in slices */
    assert_string_equal(r.first, "[0,\"complete\",0.25,0.5]");
    r = ask(j, "select count(*), null, 'x', x'01ff' from trial where loss < ?1", "10");
    assert_string_equal(r.first, "[10,null,\"x\",\"01ff\"]");
    r = ask(j, "select name, state, direction, best_loss, spec from study", NULL);
    assert_string_equal(r.first, "[\"s\",\"open\",\"minimize\",0.25,\"{}\"]");
    assert_string_equal(ask(j, "select * from worker", NULL).error, "");
    assert_string_equal(ask(j, "select * from event", NULL).error, "");
    assert_string_equal(ask(j, "select * from report", NULL).error, "");
    journal_close(j);
}

static err_t see_paused(void *self, const struct study_image *i, struct errmsg *em)
{
    (void)em;
    *(int *)self = i->paused;
    return ERR_OK;
}

/* Version 1 had no study_row.held, and neither it nor version 2 study_row.compacted and
 * trial_row.resume_digest. */
static void test_of_an_older_version(void **unused)
{
    (void)unused;
    struct errmsg em = {{0}};
    int paused = -1;
    struct journal_reader reader = {&paused, see_paused, NULL, NULL, NULL};
    make_database();
    sql("DROP VIEW study; DROP VIEW trial; DROP VIEW report;"
        "DROP INDEX journal_report; ALTER TABLE study_row DROP COLUMN compacted; ALTER TABLE "
        "study_row DROP COLUMN held; ALTER TABLE trial_row DROP COLUMN resume_digest;"
        "PRAGMA user_version = 1;"
        "INSERT INTO study_row(number, seq, study_seq, name, state, maximize, spec, search,"
        " spec_number, optimizer_epoch, trials) VALUES(1, 0, 0, 's', 0, 0, x'', x'', 1, 0, 0)");
    struct journal *j = open_journal(0);
    assert_int_equal(journal_load(j, &reader, &em), ERR_OK);
    assert_int_equal(paused, 0);
    assert_int_equal(journal_start(j, &em), ERR_OK);
    journal_close(j);
    sql("UPDATE study_row SET held = 1");
    j = open_journal(0);
    assert_int_equal(journal_load(j, &reader, &em), ERR_OK);
    assert_int_equal(paused, 1);
    assert_int_equal(journal_start(j, &em), ERR_OK);
    assert_string_equal(ask(j, "select state from study", NULL).first, "[\"paused\"]");
    journal_close(j);
}

/* The records as they stand in the journal, and the text of each specification beside its own. */
static void test_records(void **unused)
{
    (void)unused;
    struct journal *j = open_journal(0);
    struct errmsg em;
    struct group *g = study_group();
    struct digest first = hash_bytes(STR("{}")), second = hash_bytes(STR("{\"a\":1}"));
    struct record records[] = {
        {.kind = REC_STUDY_CREATED, .text = STR("s"), .digest = first, .number = 1},
        {.kind = REC_PROPOSED, .text = STR("{}"), .note = STR("{}")},
        {.kind = REC_SPEC_ADDED, .digest = second, .note = STR("00"), .number = 2}};
    effects_blob(&g->fx, second, STR("{\"a\":1}"));
    for (uint64_t i = 0; i < 3; i++) {
        records[i].study = 1;
        records[i].seq = records[i].study_seq = i + 1;
        effects_record(&g->fx, &records[i]);
    }
    assert_int_equal(journal_start(j, &em), ERR_OK);
    journal_submit(j, g);
    group_free(wait_done(j));
    struct rows r = ask(j, "select study, study_seq, seq, kind, spec from record", NULL);
    assert_string_equal(r.error, "");
    assert_string_equal(r.first, "[\"s\",1,1,\"study_created\",\"{}\"]");
    r = ask(j, "select kind, spec from record where study_seq = 2", NULL);
    assert_string_equal(r.first, "[\"proposed\",null]");
    r = ask(j, "select kind, spec from record where study_seq = 3", NULL);
    assert_string_equal(r.first, "[\"spec_added\",\"{\\\"a\\\":1}\"]");
    struct buf body, hex;
    buf_init(&body, 0);
    buf_init(&hex, 0);
    record_encode(&body, &records[1]);
    str_hex(buf_reserve(&hex, HEX_SIZE(body.n)), (const uint8_t *)body.p, body.n);
    hex.n = HEX_SIZE(body.n) - 1;
    r = ask(j, "select body from record where study_seq = 2", NULL);
    assert_memory_equal(r.first + 2, hex.p, hex.n);
    buf_fini(&body);
    buf_fini(&hex);
    journal_close(j);
}

static void test_questions_that_are_refused(void **unused)
{
    (void)unused;
    struct journal *j = open_journal(0);
    struct errmsg em;
    assert_int_equal(journal_start(j, &em), ERR_OK);
    static const char *const bad[] = {"delete from journal",
                                      "drop view trial",
                                      "pragma user_version = 7",
                                      "attach 'x.db' as x",
                                      "update trial_row set state = 0",
                                      "select nonsense",
                                      "select 1; select 2",
                                      "",
                                      "  ;",
                                      "vacuum",
                                      "begin",
                                      "create temp table t(x)",
                                      "select load_extension('x')",
                                      "select ?1",
                                      "insert into meta values(1,2)"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct rows r = ask(j, bad[i], NULL);
        assert_int_equal(r.n, 0);
        if (!r.error[0])
            fail_msg("not refused: %s", bad[i]);
    }
    struct rows r = ask(
        j, "with recursive c(x) as (select 1 union all select x + 1 from c) select max(x) from c",
        NULL);
    assert_non_null(strstr(r.error, "too long"));
    r = ask(j,
            "with recursive c(x) as (select 1 union all select x + 1 from c) select "
            "hex(zeroblob(100000)) from c",
            NULL);
    assert_true(strstr(r.error, "too large") || strstr(r.error, "too long"));
    assert_string_equal(ask(j, "select 1", NULL).first, "[1]"); /* and it goes on */
    journal_close(j);
}

static void test_an_answer_that_is_too_large(void **unused)
{
    (void)unused;
    struct journal_config c = {.file = file, .sql_ns = AN_HOUR, .sql_bytes = 1 << 20};
    struct journal *j = open_with(&c);
    struct errmsg em;
    assert_int_equal(journal_start(j, &em), ERR_OK);
    journal_submit(j, study_group());
    group_free(wait_done(j));
    struct rows r = ask(j, "select number, hex(zeroblob(100000)) from trial order by number", NULL);
    assert_non_null(strstr(r.error, "too large"));
    assert_true(r.cut); /* those that came are right */
    assert_true(r.n > 0 && r.n < 1000);
    assert_true(str_starts(str_of(r.first), "[0,\"0000"));
    assert_false(ask(j, "select nonsense", NULL).cut);
    journal_close(j);
}

/* A group with a row is done, and no answer is complete before it. */
static void write_meanwhile(struct journal *j)
{
    struct group *g = group_new();
    *effects_trial(&g->fx) = (struct trial_image){.study = 1, .number = 5000, .seq = 1};
    journal_submit(j, g);
    for (bool done = false; !done;) {
        g = wait_done(j);
        done = effects_writes(&g->fx);
        for (size_t i = 0; i < g->n_answers; i++)
            assert_false(g->answers[i].complete);
        group_free(g);
    }
}

static void test_groups_do_not_wait_for_a_question(void **unused)
{
    (void)unused;
    struct journal_config c = {.file = file, .sql_ns = AN_HOUR};
    struct journal *j = open_with(&c);
    struct errmsg em;
    assert_int_equal(journal_start(j, &em), ERR_OK);
    journal_submit(j, study_group());
    group_free(wait_done(j));
    submit_question(j,
                    "with recursive c(x) as (select 1 union all select x + 1 from c) select max(x) "
                    "from c",
                    NULL);
    for (int i = 0; i < 3; i++)
        write_meanwhile(j);
    journal_close(j); /* nor does the end */
}

static void test_a_question_begins_anew(void **unused)
{
    (void)unused;
    struct journal_config c = {.file = file, .sql_ns = AN_HOUR};
    struct journal *j = open_with(&c);
    struct errmsg em;
    assert_int_equal(journal_start(j, &em), ERR_OK);
    journal_submit(j, study_group());
    group_free(wait_done(j));
    submit_question(
        j,
        "with recursive c(x) as (select 1 union all select x + 1 from c limit 3000000) select "
        "max(x) from c",
        NULL);
    journal_submit(j, study_group());
    struct rows r = wait_answer(j);
    assert_string_equal(r.error, "");
    assert_string_equal(r.first, "[3000000]");
    assert_int_equal(r.n, 1);
    journal_close(j);
}

static void test_ballast(void **unused)
{
    (void)unused;
    char path[220];
    struct stat st;
    struct errmsg em;
    snprintf(path, sizeof path, "%s.ballast", file);
    struct journal *j = open_journal(1 << 20);
    assert_int_equal(journal_start(j, &em), ERR_OK);
    assert_int_equal(stat(path, &st), 0);
    assert_true(st.st_blocks * 512 >= 1 << 20); /* really taken */
    journal_close(j);
    assert_int_not_equal(stat(path, &st), 0);
    assert_false(ballast_make(file, UINT64_C(1) << 60));
    assert_int_not_equal(stat(path, &st), 0);
    assert_true(ballast_make(file, 0));
}

#define EACH(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(test_one_broker_at_a_time),
        EACH(test_no_database),
        EACH(test_of_another_program),
        EACH(test_of_a_newer_version),
        EACH(test_of_an_older_version),
        EACH(test_damaged),
        EACH(test_places_that_cannot_be),
        EACH(test_questions),
        EACH(test_records),
        EACH(test_questions_that_are_refused),
        EACH(test_an_answer_that_is_too_large),
        EACH(test_groups_do_not_wait_for_a_question),
        EACH(test_a_question_begins_anew),
        EACH(test_ballast),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
