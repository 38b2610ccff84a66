/* The curve of block characters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <cmocka.h>

#include "spark.h"

static void expect(const double *v, size_t n, size_t width, bool utf8, const char *text)
{
    struct buf out;
    buf_init(&out, 0);
    spark_line(&out, v, n, width, utf8);
    assert_string_equal(buf_z(&out), text);
    buf_fini(&out);
}

static void test_linear(void **state)
{
    (void)state;
    expect((double[]){0, 1, 2, 3, 4, 5, 6, 7}, 8, 8, false, "_.:-=+*#");
    expect((double[]){0, 7}, 2, 8, true, "\xe2\x96\x81\xe2\x96\x88");
    expect((double[]){-1, -1, -1}, 3, 8, false, "___");
}

static void test_logarithmic_when_it_spans_decades(void **state)
{
    (void)state;
    expect((double[]){1000, 100, 10, 1}, 4, 4, false, "#+:_");
}

static void test_gaps_and_thinning(void **state)
{
    (void)state;
    double v[100];
    for (size_t i = 0; i < 100; i++)
        v[i] = (double)i;
    expect(v, 100, 4, false, ".-+#");
    expect((double[]){NAN, 1, INFINITY, 2}, 4, 9, false, " _ #");
    expect((double[]){NAN, NAN}, 2, 9, false, "  ");
    expect(v, 0, 9, false, "");
    expect(v, 9, 0, false, "");
    expect((double[]){-1e308, 1e308}, 2, 2, false, "__");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linear),
        cmocka_unit_test(test_logarithmic_when_it_spans_decades),
        cmocka_unit_test(test_gaps_and_thinning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
