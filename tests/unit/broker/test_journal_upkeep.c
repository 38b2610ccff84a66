/* The journal on SQLite beside its everyday work: backups while it writes, and pages that went bad.
 */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "codec.h"
#include "journal.h"
#include "tempdir.h"

static struct tempdir dir;
static char file[200], copy[220], part[230];

static int setup(void **unused)
{
    (void)unused;
    tempdir_make(&dir);
    tempdir_file(&dir, "farm.db", file, sizeof file);
    snprintf(copy, sizeof copy, "%s.copy", file);
    snprintf(part, sizeof part, "%s.part", copy);
    return 0;
}

static int teardown(void **unused)
{
    (void)unused;
    tempdir_remove(&dir);
    return 0;
}

static struct journal *open_journal(void)
{
    struct journal_config c = {.file = file};
    struct journal *j;
    struct errmsg em = {{0}};
    if (journal_open(&j, &c, &em) != ERR_OK || journal_start(j, &em) != ERR_OK)
        fail_msg("%s", em.text);
    return j;
}

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

/* ---- backups ---- */

static void submit_records(struct journal *j, uint64_t *seq, uint64_t n)
{
    struct group *g = group_new();
    for (uint64_t i = 0; i < n; i++) {
        struct record r = {.seq = ++*seq,
                           .study = 1,
                           .study_seq = *seq,
                           .kind = REC_REPORTED,
                           .trial = i,
                           .attempt = 1,
                           .text = STR("{\"some\":\"metrics, so that there are pages to copy\"}")};
        effects_record(&g->fx, &r);
    }
    journal_submit(j, g);
}

static void submit_backup(struct journal *j, bool force)
{
    struct group *g = group_new();
    struct fx_ask *a = effects_ask(&g->fx, ASK_BACKUP, 9);
    a->query = copy;
    a->force = force;
    journal_submit(j, g);
}

/* The last piece of its answer; more records are written meanwhile if there is a seq. */
static struct answer wait_backup(struct journal *j, uint64_t *seq)
{
    struct answer last = {0};
    while (!last.complete) {
        struct group *g = wait_done(j);
        bool commit = g->fx.n_records > 0;
        for (size_t i = 0; i < g->n_answers; i++) {
            assert_int_equal(g->answers[i].token, 9);
            assert_true(g->answers[i].at <= g->answers[i].of);
            last = g->answers[i];
            last.error.p = NULL;
        }
        group_free(g);
        if (seq && commit && !last.complete)
            submit_records(j, seq, 50);
    }
    return last;
}

static int64_t ask_file(const char *path, const char *query)
{
    sqlite3 *db;
    sqlite3_stmt *st;
    int64_t v = -1;
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    if (sqlite3_prepare_v2(db, query, -1, &st, NULL) == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW)
        v = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    sqlite3_close(db);
    return v;
}

static struct journal *begin(uint64_t *seq, uint64_t records)
{
    struct journal *j = open_journal();
    *seq = 0;
    while (*seq < records) {
        submit_records(j, seq, 1000);
        group_free(wait_done(j));
    }
    return j;
}

static void test_backup_while_it_writes(void **unused)
{
    (void)unused;
    uint64_t seq;
    struct errmsg em;
    struct journal *j = begin(&seq, 40000);
    submit_backup(j, false);
    submit_records(j, &seq, 50);
    struct answer a = wait_backup(j, &seq);
    assert_int_equal(a.fault, ERR_OK);
    assert_true(a.seq >= 40000 && a.at == a.of);
    assert_int_equal(ask_file(copy, "SELECT max(seq) FROM journal"), a.seq);
    assert_int_equal(ask_file(copy, "SELECT count(*) FROM journal"), a.seq);
    assert_int_equal(ask_file(copy, "SELECT count(*) FROM pragma_integrity_check WHERE "
                                    "integrity_check = 'ok'"),
                     1);
    assert_int_equal(access(part, F_OK), -1);
    submit_backup(j, false);
    assert_int_equal(wait_backup(j, NULL).fault, ERR_EXISTS);
    submit_backup(j, true);
    assert_int_equal(wait_backup(j, NULL).fault, ERR_OK);
    journal_close(j);
    struct journal_config c = {.file = copy};
    assert_int_equal(journal_open(&j, &c, &em), ERR_REFUSED);
    assert_non_null(strstr(em.text, "tunefarm restore"));
}

static void test_the_end_comes_first(void **unused)
{
    (void)unused;
    uint64_t seq;
    struct journal *j = begin(&seq, 40000);
    submit_backup(j, false);
    group_free(wait_done(j));
    journal_close(j);
    assert_int_equal(access(part, F_OK), -1);
}

/* ---- a page that went bad ---- */

static void test_what_cannot_be_read_is_said(void **unused)
{
    (void)unused;
    uint64_t seq;
    journal_close(begin(&seq, 20000));
    int64_t page = ask_file(file, "SELECT pageno FROM dbstat WHERE name = 'journal' AND pagetype "
                                  "= 'leaf' ORDER BY pageno LIMIT 1 OFFSET 20");
    page = page > 0 ? page : 60; /* a SQLite without dbstat */
    FILE *f = fopen(file, "r+b");
    assert_non_null(f);
    fseek(f, (long)(page - 1) * 4096, SEEK_SET);
    for (int i = 0; i < 4096; i++)
        fputc(0xa5, f);
    fclose(f);
    struct journal *j = open_journal();
    unsigned faults = 0, rows = 0;
    for (uint64_t from = 1; from <= seq; from += 500) {
        struct group *g = group_new();
        struct fx_ask *a = effects_ask(&g->fx, ASK_RECORDS, 5);
        a->from = from;
        a->to = from + 499;
        a->limit = 500;
        a->kinds = UINT64_MAX;
        journal_submit(j, g);
        g = wait_done(j);
        faults += g->answers[0].fault == ERR_CORRUPT;
        assert_true(!g->answers[0].fault == !g->answers[0].error.n);
        rows += g->answers[0].n_rows;
        group_free(g);
    }
    assert_true(faults >= 1 && faults <= 3 && rows > 15000);
    journal_close(j);
}

#define EACH(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(test_backup_while_it_writes),
        EACH(test_the_end_comes_first),
        EACH(test_what_cannot_be_read_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
