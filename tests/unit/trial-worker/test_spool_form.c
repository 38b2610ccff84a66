/* The bytes of a spool: what was written is read, and any damage ends the reading before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "frame.h"
#include "spool_form.h"

#define FARM     77u
#define TIMELINE 78u

struct got {
    unsigned kinds[64];
    size_t n, room;
    struct id128 owner;
    uint64_t last_trial;
};

static bool take(void *self, unsigned kind, const union message *m)
{
    struct got *g = self;
    if (g->n == g->room)
        return false;
    if (kind == MSG_HELLO)
        g->owner = m->hello.peer;
    if (kind == MSG_FINAL)
        g->last_trial = m->final.trial;
    g->kinds[g->n++] = kind;
    return true;
}

static void add(struct buf *out, struct spool_chain *c, unsigned kind, const void *msg)
{
    struct buf body;
    buf_init(&body, 0);
    message_encode(&body, kind, msg);
    spool_form_add(out, c, kind, buf_str(&body));
    buf_fini(&body);
}

static void add_final(struct buf *out, struct spool_chain *c, uint64_t trial)
{
    struct msg_final m = {.study = 1,
                          .trial = trial,
                          .attempt = 1,
                          .has_value = true,
                          .value = 0.5,
                          .metrics = STR("{\"acc\":1}")};
    add(out, c, MSG_FINAL, &m);
}

/* HELLO, WELCOME and so many finals. */
static void make(struct buf *out, uint64_t finals)
{
    struct spool_chain c = {0};
    struct msg_hello h = {.role = ROLE_WORKER, .peer = {{5}}, .host = STR("h")};
    struct msg_welcome w = {.version = 1, .farm = FARM, .timeline = TIMELINE};
    buf_init(out, 0);
    add(out, &c, MSG_HELLO, &h);
    add(out, &c, MSG_WELCOME, &w);
    for (uint64_t i = 0; i < finals; i++)
        add_final(out, &c, i);
}

static enum spool_form_found read_all(struct str bytes, size_t piece, struct got *g,
                                      struct errmsg *em)
{
    struct spool_form_reader r;
    size_t room = g->room;
    *g = (struct got){.room = room};
    spool_form_begin(&r, FARM, TIMELINE, take, g);
    for (size_t i = 0; i < bytes.n; i += piece)
        if (!spool_form_feed(&r, str_make(bytes.p + i, bytes.n - i < piece ? bytes.n - i : piece)))
            break;
    enum spool_form_found found = spool_form_end(&r);
    *em = r.em;
    return found;
}

static void what_was_written_is_read(void **state)
{
    (void)state;
    struct buf b;
    struct got g = {.room = 64};
    struct errmsg em;
    make(&b, 3);
    for (size_t piece = 1; piece < 2 * b.n; piece = piece * 3 + 1) {
        assert_int_equal(read_all(buf_str(&b), piece, &g, &em), SPOOL_FORM_WHOLE);
        assert_int_equal(g.n, 5);
        assert_int_equal(g.owner.b[0], 5);
        assert_int_equal(g.last_trial, 2);
    }
    buf_fini(&b);
}

static void frames_are_those_of_the_wire(void **state)
{
    (void)state;
    struct buf b;
    struct frame f;
    make(&b, 1);
    struct str first = str_make(b.p, frame_size(buf_str(&b)));
    assert_int_equal(frame_read(&f, first, FRAME_LIMIT, NULL), ERR_OK);
    assert_true(f.kind == MSG_HELLO && f.seq == 1 && f.session == 0 && f.major == 1);
    buf_fini(&b);
}

static void every_cut_keeps_what_is_whole(void **state)
{
    (void)state;
    struct buf b;
    struct got g = {.room = 64};
    struct errmsg em;
    make(&b, 2);
    size_t ends[5] = {0}, n = 0;
    for (size_t at = 0; at < b.n; ends[++n] = at)
        at += frame_size(str_make(b.p + at, b.n - at));
    assert_int_equal(n, 4);
    for (size_t cut = 0; cut < b.n; cut++) {
        size_t whole = 0;
        while (ends[whole + 1] <= cut)
            whole++;
        enum spool_form_found found = read_all(str_make(b.p, cut), 7, &g, &em);
        bool at_end = cut == ends[whole];
        assert_int_equal(found, whole < 2 ? SPOOL_FORM_BAD
                                : at_end  ? SPOOL_FORM_WHOLE
                                          : SPOOL_FORM_TORN);
        assert_int_equal(g.n, whole < 2 ? 0 : whole);
        assert_true((em.text[0] == 0) == (found == SPOOL_FORM_WHOLE));
    }
    buf_fini(&b);
}

static void every_flipped_bit_is_found(void **state)
{
    (void)state;
    struct buf b;
    struct got g = {.room = 64};
    struct errmsg em;
    make(&b, 2);
    size_t second = 0;
    for (int i = 0; i < 2; i++)
        second += frame_size(str_make(b.p + second, b.n - second));
    for (size_t i = 0; i < b.n * 8; i++) {
        b.p[i / 8] = (char)(b.p[i / 8] ^ (1 << i % 8));
        enum spool_form_found found = read_all(buf_str(&b), 4096, &g, &em);
        assert_int_equal(found, i / 8 < second ? SPOOL_FORM_BAD : SPOOL_FORM_TORN);
        assert_true(em.text[0]);
        b.p[i / 8] = (char)(b.p[i / 8] ^ (1 << i % 8));
    }
    buf_fini(&b);
}

/* Frames that are whole in themselves. */
static void a_frame_out_of_its_place_is_found(void **state)
{
    (void)state;
    struct buf b, c;
    struct got g = {.room = 64};
    struct errmsg em;
    make(&b, 3);
    size_t at[6] = {0};
    for (size_t i = 0; i < 5; i++)
        at[i + 1] = at[i] + frame_size(str_make(b.p + at[i], b.n - at[i]));
    buf_init(&c, 0);
    buf_add(&c, b.p, at[2]); /* one is missing */
    buf_add(&c, b.p + at[3], at[4] - at[3]);
    assert_int_equal(read_all(buf_str(&c), 64, &g, &em), SPOOL_FORM_TORN);
    assert_int_equal(g.n, 2);
    buf_clear(&c);
    buf_add(&c, b.p, at[3]); /* one comes twice */
    buf_add(&c, b.p + at[2], at[3] - at[2]);
    assert_int_equal(read_all(buf_str(&c), 64, &g, &em), SPOOL_FORM_TORN);
    assert_int_equal(g.n, 3);
    buf_fini(&b);
    buf_fini(&c);
}

static void another_farms_is_foreign(void **state)
{
    (void)state;
    for (int which = 0; which < 2; which++) {
        struct spool_chain c = {0};
        struct buf b;
        struct got g = {.room = 64};
        struct errmsg em;
        struct msg_hello h = {.role = ROLE_WORKER, .peer = {{5}}};
        struct msg_welcome w = {.farm = FARM + (which == 0), .timeline = TIMELINE + (which == 1)};
        buf_init(&b, 0);
        add(&b, &c, MSG_HELLO, &h);
        add(&b, &c, MSG_WELCOME, &w);
        add_final(&b, &c, 1);
        assert_int_equal(read_all(buf_str(&b), 64, &g, &em), SPOOL_FORM_FOREIGN);
        assert_int_equal(g.n, 0);
        buf_fini(&b);
    }
}

static void another_beginning_is_bad(void **state)
{
    (void)state;
    struct spool_chain c = {0};
    struct buf b;
    struct got g = {.room = 64};
    struct errmsg em;
    buf_init(&b, 0);
    add_final(&b, &c, 1);
    assert_int_equal(read_all(buf_str(&b), 64, &g, &em), SPOOL_FORM_BAD);
    assert_non_null(strstr(em.text, "HELLO was expected"));
    assert_int_equal(
        read_all(STR("SQLite format 3\0 and then some more than a header has"), 64, &g, &em),
        SPOOL_FORM_BAD);
    buf_fini(&b);
}

static void huge_lengths_take_no_memory(void **state)
{
    (void)state;
    struct buf b;
    struct got g = {.room = 64};
    struct errmsg em;
    make(&b, 0);
    struct str header = str_make(b.p, FRAME_HEADER);
    char huge[FRAME_HEADER];
    memcpy(huge, header.p, sizeof huge);
    memset(huge + 32, 0xff, 4);
    buf_add(&b, huge, sizeof huge);
    assert_int_equal(read_all(buf_str(&b), 64, &g, &em), SPOOL_FORM_TORN);
    assert_int_equal(g.n, 2);
    buf_fini(&b);
}

static void unknown_kinds_are_left_out(void **state)
{
    (void)state;
    struct buf b, body;
    struct got g = {.room = 64};
    struct errmsg em;
    struct spool_chain c = {0};
    struct msg_hello h = {.role = ROLE_WORKER, .peer = {{5}}};
    struct msg_welcome w = {.farm = FARM, .timeline = TIMELINE};
    buf_init(&b, 0);
    buf_init(&body, 0);
    add(&b, &c, MSG_HELLO, &h);
    add(&b, &c, MSG_WELCOME, &w);
    spool_form_add(&b, &c, 250, STR("any bytes"));
    add_final(&b, &c, 1);
    assert_int_equal(read_all(buf_str(&b), 64, &g, &em), SPOOL_FORM_WHOLE);
    assert_int_equal(g.n, 3);
    spool_form_add(&b, &c, MSG_FINAL, STR("no msgpack"));
    assert_int_equal(read_all(buf_str(&b), 64, &g, &em), SPOOL_FORM_TORN);
    assert_int_equal(g.n, 3);
    assert_non_null(strstr(em.text, "frame 5: FINAL"));
    buf_fini(&b);
}

static void the_taker_may_have_enough(void **state)
{
    (void)state;
    struct buf b;
    struct got g = {.room = 3};
    struct errmsg em;
    make(&b, 3);
    assert_int_equal(read_all(buf_str(&b), 64, &g, &em), SPOOL_FORM_NO_ROOM);
    assert_int_equal(g.n, 3);
    buf_fini(&b);
}

/* A spool of the first version, which must stay readable; `test_spool_form FILE` made it. */
static void the_first_versions_spool_is_read(void **state)
{
    (void)state;
    char piece[4096];
    struct got g = {.room = 64};
    struct errmsg em;
    FILE *f = fopen(GOLDEN_SPOOL, "rb");
    assert_non_null(f);
    size_t n = fread(piece, 1, sizeof piece, f);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(read_all(str_make(piece, n), 100, &g, &em), SPOOL_FORM_WHOLE);
    assert_int_equal(g.n, 5);
    assert_int_equal(g.last_trial, 2);
    struct buf b;
    make(&b, 3);
    assert_true(str_eq(buf_str(&b), str_make(piece, n)));
    buf_fini(&b);
}

int main(int argc, char **argv)
{
    if (argc == 2) { /* the golden file, made once */
        struct buf b;
        make(&b, 3);
        FILE *f = fopen(argv[1], "wxb");
        bool fine = f && fwrite(b.p, 1, b.n, f) == b.n;
        fine = f && fclose(f) == 0 && fine;
        buf_fini(&b);
        return fine ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(frames_are_those_of_the_wire),
        cmocka_unit_test(every_cut_keeps_what_is_whole),
        cmocka_unit_test(every_flipped_bit_is_found),
        cmocka_unit_test(a_frame_out_of_its_place_is_found),
        cmocka_unit_test(another_farms_is_foreign),
        cmocka_unit_test(another_beginning_is_bad),
        cmocka_unit_test(huge_lengths_take_no_memory),
        cmocka_unit_test(unknown_kinds_are_left_out),
        cmocka_unit_test(the_taker_may_have_enough),
        cmocka_unit_test(the_first_versions_spool_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
