/* Recordings: what is written comes back; nothing that is not whole is believed; no end of a
 * recording is an error of the one who writes it. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "alloc.h"
#include "rng.h"
#include "tapebody.h"
#include "tapereader.h"
#include "tempdir.h"

static struct tempdir dir;
static char path[160], bad[160];

static int setup(void **state)
{
    (void)state;
    tempdir_make(&dir);
    tempdir_file(&dir, "t", path, sizeof path);
    tempdir_file(&dir, "bad", bad, sizeof bad);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tempdir_remove(&dir);
    return 0;
}

static struct tape *create(uint64_t limit, uint64_t spare)
{
    struct tape *t;
    struct tape_config c = {.path = path, .limit = limit, .spare = spare};
    assert_int_equal(tape_create(&t, &c, NULL), ERR_OK);
    return t;
}

static const struct tape_entry samples[] = {
    {TAPE_START, 0, 0, 0, 0, {"config", 6}},
    {TAPE_MESSAGE, 5, 1000, 0x1122334455667788, UINT64_MAX, {"body\0of it", 10}},
    {TAPE_TICK, 0, 1001, 0, 0, {NULL, 0}},
    {TAPE_GROUP, 0, 0, 0, 0, {"sums", 4}},
};
#define SAMPLES (sizeof samples / sizeof *samples)

static void write_samples(void)
{
    struct tape *t = create(1 << 20, 0);
    for (size_t i = 0; i < SAMPLES; i++)
        tape_add(t, &samples[i], samples[i].type == TAPE_GROUP);
    assert_null(tape_ended(t));
    tape_close(t);
}

/* Reads to the end or the first fault; *n entries. */
static err_t read_all(const char *file, size_t *n, uint8_t *last, struct errmsg *em)
{
    struct tapereader *r;
    struct tape_entry e;
    bool more = true;
    *n = 0;
    *last = 0;
    err_t err = tapereader_open(&r, file, em);
    if (err != ERR_OK)
        return err;
    while (err == ERR_OK && more) {
        err = tapereader_next(r, &e, &more, em);
        if (err != ERR_OK || !more)
            break;
        *last = e.type;
        ++*n;
    }
    tapereader_close(r);
    return err;
}

static void test_comes_back(void **state)
{
    (void)state;
    struct tapereader *r;
    struct tape_entry e;
    struct stat st;
    bool more;
    write_samples();
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(tapereader_open(&r, path, NULL), ERR_OK);
    for (size_t i = 0; i < SAMPLES; i++) {
        const struct tape_entry *s = &samples[i];
        assert_int_equal(tapereader_next(r, &e, &more, NULL), ERR_OK);
        assert_true(more && e.type == s->type && e.kind == s->kind && e.now == s->now);
        assert_true(e.peer == s->peer && e.session == s->session && str_eq(e.body, s->body));
    }
    assert_int_equal(tapereader_next(r, &e, &more, NULL), ERR_OK);
    assert_true(more && e.type == TAPE_END && e.kind == TAPE_IN_ORDER);
    assert_int_equal(tapereader_next(r, &e, &more, NULL), ERR_OK);
    assert_false(more);
    tapereader_close(r);
}

static void test_input_is_out_at_once(void **state)
{
    (void)state;
    size_t n;
    uint8_t last;
    struct tape *t = create(1 << 20, 0);
    tape_add(t, &samples[3], true);
    assert_int_equal(read_all(path, &n, &last, NULL), ERR_OK);
    assert_int_equal(n, 0);
    tape_add(t, &samples[1], false);
    assert_int_equal(read_all(path, &n, &last, NULL), ERR_OK);
    assert_int_equal(n, 2);
    assert_int_equal(last, TAPE_MESSAGE);
    tape_close(t);
}

static void test_not_over_another(void **state)
{
    (void)state;
    struct tape *t;
    struct errmsg em;
    write_samples();
    struct tape_config c = {.path = path, .limit = 1 << 20};
    assert_int_equal(tape_create(&t, &c, &em), ERR_EXISTS);
    c.path = "/nowhere/t";
    assert_int_equal(tape_create(&t, &c, &em), ERR_IO);
    assert_non_null(strstr(em.text, "/nowhere/t"));
}

static void test_limit(void **state)
{
    (void)state;
    size_t n;
    uint8_t last;
    struct stat st;
    struct tape *t = create(500, 0);
    for (int i = 0; i < 100; i++)
        tape_add(t, &samples[i % 2], false);
    assert_non_null(tape_ended(t));
    tape_close(t);
    assert_int_equal(stat(path, &st), 0);
    assert_true(st.st_size <= 500);
    assert_int_equal(read_all(path, &n, &last, NULL), ERR_OK);
    assert_int_equal(last, TAPE_END);
    assert_true(n > 5);
}

static void test_spare(void **state)
{
    (void)state;
    struct tape *t = create(1 << 20, UINT64_MAX);
    tape_add(t, &samples[1], false);
    assert_non_null(strstr(tape_ended(t), "little room"));
    tape_close(t);
}

static void test_too_large(void **state)
{
    (void)state;
    struct tape *t = create((uint64_t)1 << 40, 0);
    struct tape_entry e = {.type = TAPE_ANSWER, .body = {"", TAPE_BODY + 1}};
    tape_add(t, &e, false);
    assert_non_null(tape_ended(t));
    tape_close(t);
}

/* A write that fails half-way: what was whole stays. */
static void test_no_room(void **state)
{
    size_t n;
    uint8_t last;
    struct rlimit before, small;
    (void)state;
    struct tape *t = create(1 << 20, 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = (struct rlimit){300, before.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    for (int i = 0; i < 10; i++)
        tape_add(t, &samples[1], false);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_non_null(tape_ended(t));
    assert_true(tape_bytes(t) <= 300);
    tape_close(t);
    assert_int_equal(read_all(path, &n, &last, NULL), ERR_OK);
    assert_int_equal(n, (300 - 8) / (TAPE_HEADER + 10) + (last == TAPE_END));
}

static char *load(size_t *n)
{
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    char *p = alloc_zero(1 << 16);
    *n = fread(p, 1, 1 << 16, f);
    fclose(f);
    return p;
}

static void store(const char *file, const char *p, size_t n)
{
    FILE *f = fopen(file, "we");
    assert_non_null(f);
    assert_int_equal(fwrite(p, 1, n, f), n);
    fclose(f);
}

static void test_every_flip_is_found(void **state)
{
    (void)state;
    size_t size, n;
    uint8_t last;
    struct errmsg em;
    write_samples();
    char *p = load(&size);
    for (size_t bit = 0; bit < size * 8; bit++) {
        p[bit / 8] ^= (char)(1 << bit % 8);
        store(bad, p, size);
        err_t e = read_all(bad, &n, &last, &em);
        assert_true(e == ERR_CORRUPT || e == ERR_VERSION);
        assert_non_null(strstr(em.text, bad));
        p[bit / 8] ^= (char)(1 << bit % 8);
    }
    free(p);
}

static void test_every_cut(void **state)
{
    (void)state;
    size_t size, n, whole = 0;
    uint8_t last;
    write_samples();
    char *p = load(&size);
    for (size_t cut = 0; cut < size; cut++) {
        store(bad, p, cut);
        err_t e = read_all(bad, &n, &last, NULL);
        whole += e == ERR_OK;
        assert_true(e == ERR_OK || e == ERR_CORRUPT);
        assert_true(last != TAPE_END);
    }
    assert_int_equal(whole, SAMPLES + 1); /* between two entries: as after kill -9 */
    free(p);
}

static void test_more_behind_the_end(void **state)
{
    (void)state;
    size_t size, n;
    uint8_t last;
    write_samples();
    char *p = load(&size);
    p[size] = 'x';
    store(path, p, size + 1);
    assert_int_equal(read_all(path, &n, &last, NULL), ERR_CORRUPT);
    free(p);
}

static void test_no_tape(void **state)
{
    (void)state;
    size_t n;
    uint8_t last;
    struct errmsg em;
    store(path, "TFTAPE2\n", 8);
    assert_int_equal(read_all(path, &n, &last, &em), ERR_VERSION);
    store(path, "SQLite format 3", 15);
    assert_int_equal(read_all(path, &n, &last, &em), ERR_CORRUPT);
    assert_int_equal(read_all(dir.path, &n, &last, &em), ERR_INVALID);
    assert_int_equal(read_all("/nowhere/t", &n, &last, &em), ERR_IO);
}

/* ---- bodies ---- */

static const struct answer *sample_answer(void)
{
    static const struct str columns[] = {{"a", 1}, {"", 0}};
    static const struct str lines[] = {{"[1,2]", 5}};
    static const struct answer_row rows[] = {{7, 3, REC_REPORTED, {"body", 4}},
                                             {8, 4, REC_FINISHED, {"", 0}}};
    static const struct answer a = {.kind = ASK_SQL,
                                    .token = 99,
                                    .rows = rows,
                                    .n_rows = 2,
                                    .complete = true,
                                    .cut = true,
                                    .size = UINT64_MAX,
                                    .bytes = {"\0\1", 2},
                                    .columns = columns,
                                    .n_columns = 2,
                                    .lines = lines,
                                    .n_lines = 1,
                                    .error = {"no", 2},
                                    .seq = 12};
    return &a;
}

static void test_answer(void **state)
{
    const struct answer *a = sample_answer();
    struct answer b;
    struct buf out = {0};
    struct arena arena;
    (void)state;
    arena_init(&arena, 0);
    tapebody_answer_write(&out, a);
    assert_int_equal(tapebody_answer_read(&b, buf_str(&out), &arena, NULL), ERR_OK);
    assert_true(b.kind == a->kind && b.token == a->token && b.size == a->size && b.seq == a->seq);
    assert_true(b.complete && b.cut && !b.known && str_eq(b.bytes, a->bytes));
    assert_true(b.n_rows == 2 && b.rows[1].seq == 8 && str_is(b.rows[0].body, "body"));
    assert_true(b.n_columns == 2 && str_is(b.columns[0], "a") && str_is(b.lines[0], "[1,2]"));
    assert_true(str_is(b.error, "no"));
    arena_fini(&arena);
    buf_fini(&out);
}

static void test_config(void **state)
{
    struct farm_config c, d;
    struct buf out = {0};
    struct arena arena;
    (void)state;
    arena_init(&arena, 0);
    farm_config_defaults(&c);
    c.farm = 1;
    c.timeline = UINT64_MAX;
    c.epoch = 12;
    c.feed = "ipc://feed";
    c.version = "9.9";
    tapebody_config_write(&out, &c);
    assert_int_equal(tapebody_config_read(&d, buf_str(&out), &arena, NULL), ERR_OK);
    assert_true(d.farm == 1 && d.timeline == UINT64_MAX && d.epoch == 12);
    assert_true(d.lease_ns == c.lease_ns && d.row_ns == c.row_ns && d.put_limit == c.put_limit);
    assert_string_equal(d.feed, "ipc://feed");
    assert_string_equal(d.version, "9.9");
    arena_fini(&arena);
    buf_fini(&out);
}

/* Bodies of any bytes: an error or a struct whose texts lie within, and little memory. */
static void test_bodies_of_any_bytes(void **state)
{
    struct buf out = {0};
    struct arena arena;
    struct answer a;
    struct farm_config c;
    struct tapebody_sums s;
    struct rng r;
    (void)state;
    arena_init(&arena, 1 << 16);
    tapebody_answer_write(&out, sample_answer());
    rng_seed(&r, 1);
    for (int i = 0; i < 20000; i++) {
        size_t at = (size_t)(rng_unit(&r) * (double)out.n), n = out.n;
        char was = out.p[at];
        out.p[at] = (char)rng_u64(&r);
        n = i % 3 ? n : at;
        arena_clear(&arena);
        (void)!tapebody_answer_read(&a, str_make(out.p, n), &arena, NULL);
        (void)!tapebody_config_read(&c, str_make(out.p, n), &arena, NULL);
        (void)!tapebody_sums_read(&s, str_make(out.p, n), NULL);
        out.p[at] = was;
    }
    arena_fini(&arena);
    buf_fini(&out);
}

static void test_sums_tell_what_differs(void **state)
{
    struct effects fx;
    struct tapebody_sums a, b, back;
    struct buf out = {0};
    struct msg_bye bye = {.why = STR("x")};
    struct record r = {.kind = REC_QUEUED, .seq = 5, .study = 1};
    (void)state;
    effects_init(&fx);
    tapebody_sums_of(&fx, &a);
    effects_send(&fx, 1, 2, MSG_BYE, &bye);
    tapebody_sums_of(&fx, &b);
    assert_true(b.messages == 1 && b.message_sum != a.message_sum && b.rest_sum == a.rest_sum);
    (void)effects_record(&fx, &r);
    tapebody_sums_of(&fx, &a);
    assert_true(a.records == 1 && a.seq == 5 && a.message_sum == b.message_sum);
    assert_true(a.record_sum != b.record_sum);
    fx.fold_seq = 4;
    tapebody_sums_of(&fx, &b);
    assert_true(b.rest_sum != a.rest_sum && b.record_sum == a.record_sum);
    tapebody_sums_write(&out, &b);
    assert_int_equal(tapebody_sums_read(&back, buf_str(&out), NULL), ERR_OK);
    assert_true(back.seq == b.seq && back.records == b.records && back.messages == b.messages);
    assert_true(back.record_sum == b.record_sum && back.message_sum == b.message_sum);
    assert_true(back.rest_sum == b.rest_sum);
    buf_fini(&out);
    effects_fini(&fx);
}

int main(void)
{
#define IN_FOLDER(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        IN_FOLDER(test_comes_back),
        IN_FOLDER(test_input_is_out_at_once),
        IN_FOLDER(test_not_over_another),
        IN_FOLDER(test_limit),
        IN_FOLDER(test_spare),
        IN_FOLDER(test_too_large),
        IN_FOLDER(test_no_room),
        IN_FOLDER(test_every_flip_is_found),
        IN_FOLDER(test_every_cut),
        IN_FOLDER(test_more_behind_the_end),
        IN_FOLDER(test_no_tape),
        cmocka_unit_test(test_answer),
        cmocka_unit_test(test_config),
        cmocka_unit_test(test_bodies_of_any_bytes),
        cmocka_unit_test(test_sums_tell_what_differs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
