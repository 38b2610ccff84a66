/* Lines out of bytes, however they are cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "alloc.h"
#include "buf.h"
#include "report_in.h"

static void on_line(void *self, struct str line)
{
    struct buf *b = self;
    buf_add_str(b, line);
    buf_addc(b, '|');
}

static void feed(struct report_in *r, struct buf *b, const char *text)
{
    report_in_feed(r, str_of(text), on_line, b);
}

static void any_cut_gives_the_same_lines(void **state)
{
    (void)state;
    static const char text[] = "one\ntwo\r\n\n\nthree four\n\r\nfive";
    for (size_t piece = 1; piece <= sizeof text; piece++) {
        struct report_in r;
        struct buf b;
        report_in_init(&r);
        buf_init(&b, 0);
        for (size_t i = 0; i < sizeof text - 1; i += piece) {
            size_t n = sizeof text - 1 - i;
            report_in_feed(&r, str_make(text + i, n < piece ? n : piece), on_line, &b);
        }
        report_in_end(&r, on_line, &b);
        assert_string_equal(buf_z(&b), "one|two|three four|five|");
        buf_fini(&b);
        report_in_fini(&r);
    }
}

static void long_lines_are_skipped_and_counted(void **state)
{
    (void)state;
    struct report_in r;
    struct buf b;
    char *full = alloc_array(REPORT_LINE_MAX + 2, 1);
    memset(full, 'x', REPORT_LINE_MAX + 1);
    report_in_init(&r);
    buf_init(&b, 0);
    report_in_feed(&r, str_make(full, REPORT_LINE_MAX), on_line, &b); /* just fits */
    feed(&r, &b, "\n");
    assert_int_equal(b.n, REPORT_LINE_MAX + 1);
    buf_clear(&b);
    for (int i = 0; i < 5; i++) /* one line of five times the limit */
        report_in_feed(&r, str_make(full, REPORT_LINE_MAX + 1), on_line, &b);
    feed(&r, &b, "tail of it\nnext\n");
    assert_string_equal(buf_z(&b), "next|");
    assert_int_equal(r.skipped, 1);
    full[REPORT_LINE_MAX + 1] = '\n'; /* too long in one piece */
    report_in_feed(&r, str_make(full, REPORT_LINE_MAX + 2), on_line, &b);
    feed(&r, &b, "last\n");
    assert_string_equal(buf_z(&b), "next|last|");
    assert_int_equal(r.skipped, 2);
    assert_true(r.cap <= 2 * REPORT_LINE_MAX);
    report_in_fini(&r);
    buf_fini(&b);
    free(full);
}

static void end_within_a_skipped_line(void **state)
{
    (void)state;
    struct report_in r;
    struct buf b;
    char *full = alloc_array(REPORT_LINE_MAX + 1, 1);
    memset(full, 'x', REPORT_LINE_MAX + 1);
    report_in_init(&r);
    buf_init(&b, 0);
    report_in_feed(&r, str_make(full, REPORT_LINE_MAX + 1), on_line, &b);
    report_in_end(&r, on_line, &b);
    assert_int_equal(b.n, 0);
    feed(&r, &b, "again\n");
    assert_string_equal(buf_z(&b), "again|");
    report_in_fini(&r);
    buf_fini(&b);
    free(full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_cut_gives_the_same_lines),
        cmocka_unit_test(long_lines_are_skipped_and_counted),
        cmocka_unit_test(end_within_a_skipped_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
