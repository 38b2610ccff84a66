/* The preset `tunefarm` as a whole: the start, the order of things, what losses may be, settings.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "filter.h"
#include "tunefarm_bed.h"

#define ONE "\"x\":{\"float\":[0,1]}"
#define MIXED                                                                                      \
    "\"x\":{\"float\":[-1,2]},\"lr\":{\"float\":[1e-5,1],\"log\":true},\"k\":{\"int\":[1,9]},"     \
    "\"act\":{\"choice\":[\"relu\",\"tanh\",\"gelu\"]},"                                           \
    "\"opt\":{\"choice\":[{\"sgd\":{\"momentum\":{\"float\":[0,0.99]}}},"                          \
    "{\"adam\":{\"b2\":{\"int\":[1,3]}}}]}"

static bool starts(struct bed *b)
{
    return bed_says(b, "\"how\":\"startup\"");
}

static bool models(struct bed *b)
{
    return bed_says(b, "\"how\":\"model\"");
}

/* ---- the start ---- */

static void the_start_takes_each_stratum_once(void **state)
{
    (void)state;
    for (uint32_t n = 5; n <= 20; n += 5) {
        struct bed b;
        char settings[60];
        uint64_t strata = 0;
        snprintf(settings, sizeof settings, ",\"n_startup\":%u", n);
        bed_open(&b, ONE ",\"k\":{\"choice\":[1,2,3,4,5]}", settings);
        unsigned options[5] = {0};
        for (uint32_t t = 0; t < n; t++) {
            bed_ask(&b, t);
            assert_true(starts(&b));
            strata |= UINT64_C(1) << (unsigned)(b.point[0] * n);
            options[(int)b.point[1]]++;
            bed_tell(&b, t, OUTCOME_COMPLETE, b.point[0]);
        }
        assert_true(strata == (UINT64_C(1) << n) - 1);
        for (int i = 0; i < 5; i++)
            assert_int_equal(options[i], n / 5);
        bed_ask(&b, n);
        assert_true(models(&b));
        bed_close(&b);
    }
}

/* Many workers, no result: hypercube after hypercube. Two results, and there is a model. */
static void trials_that_run_do_not_end_the_start(void **state)
{
    (void)state;
    struct bed b;
    bed_open(&b, ONE, "");
    for (uint32_t cube = 0; cube < 6; cube++) {
        unsigned strata = 0;
        for (uint32_t k = 0; k < 10; k++) {
            bed_ask(&b, 10 * cube + k);
            assert_true(bed_says(&b, "latin hypercube"));
            strata |= 1U << (unsigned)(b.point[0] * 10);
            bed_tell(&b, 10 * cube + k, OUTCOME_PENDING, 0);
        }
        assert_int_equal(strata, 1023);
    }
    bed_finish(&b, 33, OUTCOME_COMPLETE, 2);
    bed_ask(&b, 60);
    assert_true(starts(&b));
    bed_finish(&b, 7, OUTCOME_COMPLETE, 1);
    bed_ask(&b, 60);
    assert_true(models(&b));
    assert_true(bed_says(&b, "\"trials\":2,\"pending\":58,\"good\":1,\"good_to\":1"));
    bed_close(&b);
}

/* Nothing to learn from: the start goes on. */
static void failures_teach_nothing(void **state)
{
    (void)state;
    struct bed b;
    bed_open(&b, MIXED, "");
    for (uint32_t t = 0; t < 60; t++) {
        bed_ask(&b, t);
        assert_true(starts(&b));
        bed_tell(&b, t, t % 2 ? OUTCOME_FAILED : OUTCOME_CANCELLED, 0);
    }
    for (uint32_t t = 60; t < 63; t++) {
        bed_ask(&b, t);
        assert_int_equal(models(&b), t == 62);
        bed_tell(&b, t, OUTCOME_COMPLETE, 1);
    }
    bed_close(&b);
}

static void stop(struct bed *b, uint64_t trial, int64_t step, double loss)
{
    history_propose(b->history, trial, b->point);
    history_report(b->history, trial, step, loss);
    bed_finish(b, trial, OUTCOME_PRUNED, (double)NAN);
}

/* Trials stopped early make a model as long as nothing else does, and the first complete one does
 * not take it away. */
static void a_result_never_ends_the_model(void **state)
{
    (void)state;
    struct bed b;
    bed_open(&b, MIXED, "");
    for (uint32_t t = 0; t < 40; t++) {
        bed_ask(&b, t);
        assert_int_equal(models(&b), t >= 10);
        if (t == 20)
            bed_tell(&b, t, OUTCOME_COMPLETE, 5);
        else
            stop(&b, t, t % 3, b.point[0]);
    }
    bed_close(&b);
}

/* Of n trials with a result the first ceil(n / 10) are good, 25 at most. */
static void how_many_are_good(void **state)
{
    (void)state;
    struct bed b;
    bed_open(&b, ONE, "");
    for (uint32_t t = 0; t < 1000; t++) {
        bed_ask(&b, t);
        uint32_t good = (t + 9) / 10;
        char part[60];
        snprintf(part, sizeof part, "\"good\":%u,\"good_to\":%u,", good < 25 ? good : 25,
                 good < 25 ? good - 1 : 24);
        if (t >= 10 && !bed_says(&b, part))
            fail_msg("%s after %u", buf_z(&b.why), t);
        bed_tell(&b, t, OUTCOME_COMPLETE, t);
    }
    bed_close(&b);
}

/* ---- losses ---- */

enum { LIVES = 120, WIDTH = 7 };

/* What a study asks for when the loss of trial t is loss(t, x). */
static void live(double (*loss)(uint32_t t, double x), double points[LIVES][WIDTH])
{
    struct bed b;
    bed_open(&b, MIXED, "");
    assert_int_equal(b.space->n, WIDTH);
    for (uint32_t t = 0; t < LIVES; t++) {
        bed_ask(&b, t);
        memcpy(points[t], b.point, b.space->n * sizeof *b.point);
        bed_tell(&b, t, OUTCOME_COMPLETE, loss(t, b.point[0]));
    }
    bed_close(&b);
}

static double plain(uint32_t t, double x)
{
    return (double)(int)(20 * x) + (t % 3);
}
static double scaled(uint32_t t, double x)
{
    return 1e6 * plain(t, x) + 5;
}
static double huge(uint32_t t, double x)
{
    return 1e300 * plain(t, x) / 64;
}
static double tiny(uint32_t t, double x)
{
    return 1e-310 * plain(t, x);
}
static double bent(uint32_t t, double x)
{
    return exp(0.1 * plain(t, x)) - 7;
}

static void only_the_order_of_losses_counts(void **state)
{
    (void)state;
    static double (*const others[])(uint32_t, double) = {scaled, huge, tiny, bent};
    static double expected[LIVES][WIDTH], points[LIVES][WIDTH];
    live(plain, expected);
    for (size_t i = 0; i < BED_COUNT(others); i++) {
        live(others[i], points);
        assert_memory_equal(points, expected, sizeof points);
    }
}

static double equal(uint32_t t, double x)
{
    (void)t;
    (void)x;
    return 3;
}
static double extreme(uint32_t t, double x)
{
    static const double all[] = {INFINITY, -INFINITY, 1.7e308, -1.7e308, 0, 5e-324};
    (void)x;
    return all[t % BED_COUNT(all)];
}
static double infinite(uint32_t t, double x)
{
    return t % 2 ? INFINITY : x;
}

/* Ties go to the older trial, infinite losses are bad: the points stay legal (bed_ask) and new. */
static void losses_may_be_anything(void **state)
{
    (void)state;
    static double (*const losses[])(uint32_t, double) = {equal, extreme, infinite};
    static double points[LIVES][WIDTH];
    for (size_t i = 0; i < BED_COUNT(losses); i++) {
        live(losses[i], points);
        for (uint32_t t = 0; t < LIVES; t++)
            for (uint32_t k = 0; k < t; k++)
                assert_true(points[t][0] != points[k][0]);
    }
}

/* Through the tuner, which knows the direction: the same proposals for the mirrored losses. */
static void drive(const char *direction, double sign, struct buf *out)
{
    struct spec *spec = NULL;
    struct filter *f = NULL;
    struct errmsg em = {""};
    struct buf line;
    buf_init(&line, 0);
    buf_printf(
        &line,
        "{\"study\":\"s\",\"objective\":{\"metric\":\"m\",\"direction\":\"%s\"},\"space\":{" MIXED
        "},\"sampler\":{\"name\":\"tpe\",\"preset\":\"tunefarm\",\"seed\":4}}",
        direction);
    if (spec_parse(buf_str(&line), &spec, &em) || filter_new(&f, spec, &em))
        fail_msg("%s", em.text);
    for (size_t t = 0; t < 80; t++) {
        size_t before = out->n;
        filter_line(f, STR("{\"ask\":1}"), 0, out);
        double loss = sign * (double)((7 * t + out->n - before) % 23);
        buf_clear(&line);
        buf_printf(&line, "{\"report\":{\"trial\":%zu,\"step\":1,\"loss\":%g}}", t, loss / 2);
        filter_line(f, buf_str(&line), 0, out);
        buf_clear(&line);
        buf_printf(&line,
                   t % 9 ? "{\"tell\":{\"trial\":%zu,\"loss\":%g}}"
                         : "{\"tell\":{\"trial\":%zu,\"status\":\"lost\"}}",
                   t, loss);
        filter_line(f, buf_str(&line), 0, out);
    }
    assert_null(strstr(buf_z(out), "error"));
    filter_free(f);
    spec_free(spec);
    buf_fini(&line);
}

static void to_maximize_is_the_mirror_image(void **state)
{
    (void)state;
    struct buf up, down;
    buf_init(&up, 0);
    buf_init(&down, 0);
    drive("minimize", 1, &down);
    drive("maximize", -1, &up);
    assert_true(up.n > 8000);
    assert_string_equal(buf_z(&up), buf_z(&down));
    buf_fini(&up);
    buf_fini(&down);
}

/* ---- the whole ---- */

static void settings_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *settings, *fault;
    } cases[] = {
        {"\"n_startup\":0", "sampler.n_startup: expected a whole number between 1 and 64"},
        {"\"n_startup\":65", "sampler.n_startup"},
        {"\"n_startup\":2.5", "sampler.n_startup"},
        {"\"candidates\":0", "sampler.candidates: expected a whole number between 1 and 1024"},
        {"\"candidates\":\"24\"", "sampler.candidates"},
        {"\"good_share\":1.5", "sampler.good_share: expected a number between 0.01 and 1"},
        {"\"good_most\":1", "sampler.good_most: expected a whole number between 2 and 64"},
        {"\"width\":0", "sampler.width: expected a number between 0.01 and 10"},
        {"\"bad_width\":11", "sampler.bad_width: expected a number between 0.01 and 10"},
        {"\"spread\":0", "sampler.spread: expected a number between 0.001 and 100"},
        {"\"category\":true", "sampler.category: expected a number between 0.001 and 100"},
        {"\"prior_good\":-1", "sampler.prior_good: expected a number between 0.001 and 1000"},
        {"\"prior_bad\":1e4", "sampler.prior_bad: expected a number between 0.001 and 1000"},
        {"\"candidate\":24", "did you mean \"candidates\""},
        {"\"gamma\":0.25", "sampler.gamma: unknown setting"},
        {"\"n_startup\":1,\"candidates\":1024,\"good_most\":64,\"prior_bad\":1e-3", NULL},
    };
    for (size_t i = 0; i < BED_COUNT(cases); i++) {
        struct bed b;
        struct errmsg em = {""};
        char text[200];
        snprintf(text, sizeof text, ",%s", cases[i].settings);
        err_t e = bed_try(&b, ONE, text, &em);
        assert_int_equal(e != ERR_OK, cases[i].fault != NULL);
        if (cases[i].fault && !strstr(em.text, cases[i].fault))
            fail_msg("%s", em.text);
        bed_close(&b);
    }
}

/* The best of 150 trials in a valley along a diagonal, lowest at x = y = lowest. */
static double best_of_valley(double lowest)
{
    double best = INFINITY;
    struct bed b;
    bed_open(&b, ONE ",\"y\":{\"float\":[0,1]}", "");
    for (uint32_t t = 0; t < 150; t++) {
        bed_ask(&b, t);
        double loss = fabs(b.point[0] - b.point[1]) + 0.1 * pow(b.point[0] - lowest, 2);
        best = loss < best ? loss : best;
        bed_tell(&b, t, OUTCOME_COMPLETE, loss);
    }
    bed_close(&b);
    return best;
}

/* A minimum in a corner of a space with a branch, and most of five along a diagonal. */
static void it_finds_a_minimum(void **state)
{
    (void)state;
    double best = INFINITY;
    int found = 0;
    struct bed b;
    bed_open(&b, MIXED, "");
    for (uint32_t t = 0; t < 100; t++) {
        bed_ask(&b, t);
        double loss = pow(b.point[0] + 0.8, 2) + b.point[2] + 3 * b.point[4];
        best = loss < best ? loss : best;
        bed_tell(&b, t, OUTCOME_COMPLETE, loss);
    }
    assert_true(best < 1.05);
    bed_close(&b);
    for (int k = 0; k < 5; k++)
        found += best_of_valley(0.5 + 0.1 * k) < 0.01;
    assert_true(found >= 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_start_takes_each_stratum_once),
        cmocka_unit_test(trials_that_run_do_not_end_the_start),
        cmocka_unit_test(failures_teach_nothing),
        cmocka_unit_test(a_result_never_ends_the_model),
        cmocka_unit_test(how_many_are_good),
        cmocka_unit_test(only_the_order_of_losses_counts),
        cmocka_unit_test(losses_may_be_anything),
        cmocka_unit_test(to_maximize_is_the_mirror_image),
        cmocka_unit_test(settings_are_checked),
        cmocka_unit_test(it_finds_a_minimum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
