/* The normal distribution against values computed with 60 digits (mpmath), to the far tails; sums
 * in logarithms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdbool.h>
#include <cmocka.h>

#include "rmath.h"
#include "rng.h"

static void check(const char *what, double at, double got, double want, double relative)
{
    if (got == want || fabs(got - want) <= relative * fabs(want))
        return;
    fail_msg("%s at %.17g: got %.17g, expected %.17g", what, at, got, want);
}

static void test_logcdf(void **state)
{
    (void)state;
    static const double v[][2] = {
        {-100000000.0, -5000000000000019.0}, {-100000.0, -5000000012.431864},
        {-1000.5, -500507.9521946862},       {-200.0, -20006.21728089819},
        {-60.25, -1820.0489663934638},       {-38.5, -745.695270290411},
        {-37.5, -707.6689893175072},         {-20.0, -203.91715537109727},
        {-10.125, -54.50128608923543},       {-5.0, -15.064998393988725},
        {-3.7, -9.135235371872877},          {-2.0, -3.783184333682032},
        {-1.0, -1.8410216450092636},         {-0.5, -1.1759117615936185},
        {-0.125, -0.7979261427530241},       {-1e-10, -0.6931471806397338},
        {0.0, -0.6931471805599453},          {1e-10, -0.6931471804801569},
        {0.125, -0.598313068912425},         {0.59, -0.32516980507508886},
        {0.61, -0.3159867692743626},         {1.0, -0.17275377902344988},
        {2.0, -0.02301290932896349},         {3.5, -0.00023265614137680455},
        {6.0, -9.865876455243758e-10},       {8.5, -9.479534822203318e-18},
        {20.0, -2.7536241186062337e-89},     {37.0, -5.725571222524577e-300},
    };
    for (size_t i = 0; i < sizeof v / sizeof *v; i++)
        check("logcdf", v[i][0], r_norm_logcdf(v[i][0]), v[i][1], 1e-12);
    assert_true(isinf(r_norm_logcdf(-INFINITY)));
    assert_true(r_norm_logcdf(INFINITY) == 0);
    assert_true(isnan(r_norm_logcdf(NAN)));
}

static void test_cdf(void **state)
{
    (void)state;
    static const double v[][2] = {
        {-38.0, 2.88542835e-316},
        {-30.0, 4.906713927148187e-198},
        {-20.5, 1.0764673258790961e-93},
        {-8.0, 6.220960574271784e-16},
        {-3.0, 0.0013498980316300946},
        {-1.0, 0.15865525393145705},
        {-0.7, 0.24196365222307303},
        {-0.5, 0.3085375387259869},
        {-1e-08, 0.4999999960105772},
        {0.0, 0.5},
        {0.3, 0.6179114221889527},
        {0.65, 0.7421538891941353},
        {1.5, 0.9331927987311419},
        {4.0, 0.9999683287581669},
        {9.0, 1.0},
    };
    for (size_t i = 0; i < sizeof v / sizeof *v; i++)
        check("cdf", v[i][0], r_norm_cdf(v[i][0]), v[i][1], v[i][0] < -37.5 ? 1e-8 : 1e-14);
    assert_true(r_norm_cdf(0) == 0.5);
    assert_true(r_norm_cdf(-INFINITY) == 0 && r_norm_cdf(INFINITY) == 1);
}

static void test_inverse(void **state)
{
    (void)state;
    static const double v[][2] = {
        {1e-300, -37.0470962993612},
        {1e-100, -21.273453560965326},
        {1e-20, -9.262340089798407},
        {1e-10, -6.361340902404057},
        {1e-05, -4.264890793922825},
        {0.001, -3.0902323061678136},
        {0.02425, -1.972961051311885},
        {0.1, -1.2815515655446004},
        {0.25, -0.6744897501960817},
        {0.3999, -0.25360594929271557},
        {0.4, -0.2533471031357997},
        {0.45, -0.12566134685507402},
        {0.4999, -0.00025066283008800747},
        {0.5, 0.0},
        {0.50001, 2.506628274882086e-05},
        {0.55, 0.12566134685507416},
        {0.6, 0.2533471031357997},
        {0.75, 0.6744897501960817},
        {0.9, 1.2815515655446006},
        {0.975, 1.9599639845400538},
        {0.999, 3.090232306167813},
        {0.9999990463256836, 4.7630010342678135},
        {0.9999999999999999, 8.209536151601387},
    };
    for (size_t i = 0; i < sizeof v / sizeof *v; i++)
        check("inverse", v[i][0], r_norm_inv(v[i][0]), v[i][1], 1e-14);
    assert_true(r_norm_inv(0) == -INFINITY && r_norm_inv(1) == INFINITY);
    assert_true(isnan(r_norm_inv(-0.1)) && isnan(r_norm_inv(1.1)) && isnan(r_norm_inv(NAN)));
}

static void test_inverse_of_logarithm(void **state)
{
    (void)state;
    static const double v[][2] = {
        {-5000000012.431864, -100000.0},
        {-500007.82669481216, -1000.0},
        {-5005.524208694205, -100.0},
        {-726.5572160188201, -38.0},
        {-53.23128515051247, -10.0},
        {-6.607726221510349, -3.0},
        {-1.8410216450092636, -1.0},
        {-1.1759117615936185, -0.49999999999999994},
        {-0.7761545927302733, -0.09999999999999999},
        {-0.6165050101150263, 0.09999999999999994},
        {-0.2770239422771313, 0.7},
        {-0.17275377902344988, 1.0},
        {-0.02301290932896349, 2.0},
        {-2.866516129637636e-07, 5.0},
        {-6.220960574271786e-16, 8.0},
    };
    for (size_t i = 0; i < sizeof v / sizeof *v; i++)
        check("inverse of log", v[i][0], r_norm_inv_log(v[i][0]), v[i][1], 1e-12);
    assert_true(r_norm_inv_log(0) == INFINITY && r_norm_inv_log(-INFINITY) == -INFINITY);
    assert_true(isnan(r_norm_inv_log(1)));
    for (double z = -1e7; z < -1; z *= 0.9)
        check("there and back", z, r_norm_inv_log(r_norm_logcdf(z)), z, 1e-13);
}

static void test_logdiff(void **state)
{
    (void)state;
    static const double v[][3] = {
        {-30.0, -29.999999, -464.73443409010366}, {-30.0, -29.0, -424.7874199097303},
        {-30.0, -10.0, -53.23128515051247},       {-38.5, -38.4, -741.8692347346492},
        {-10.0, -9.75, -50.82393915886428},       {-5.0, -4.999999999, -34.14220428491072},
        {-1.0, 1.0, -0.38171514630212605},        {-3.0, -1.0, -1.8495664205476083},
        {-0.001, 0.001, -7.13354679829352},       {-1e-12, 1e-12, -27.856812468573274},
        {0.0, 0.5, -1.6530635142555676},          {0.0, 3.0, -0.6958506276454213},
        {-1.5, 2.5, -0.0758199083980277},         {-8.0, 0.25, -0.5129840754094315},
        {5.0, 5.5, -15.133540811271288},          {9.0, 9.0000001, -57.53703464024043},
        {29.0, 35.0, -424.78741990973015},        {-60.0, 60.0, 0.0},
        {-0.01, 40.0, -0.6852001295571155},       {-200.0, -199.0, -19806.712268608222},
        {-300.0, -2.0, -3.783184333682032},       {1.25, 2.25, -2.3705930816536656},
        {2.0, 2.75, -3.923570991840764},          {-1.4, -0.1, -0.9691233591395055},
        {-0.7, 1.3, -0.4136446749548836},
    };
    for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
        check("logdiff", v[i][0], r_norm_logdiff(v[i][0], v[i][1]), v[i][2], 1e-12);
        check("mirrored logdiff", v[i][0], r_norm_logdiff(-v[i][1], -v[i][0]), v[i][2], 1e-12);
    }
    assert_true(r_norm_logdiff(-INFINITY, INFINITY) == 0);
    check("half", 0, r_norm_logdiff(-INFINITY, -3), r_norm_logcdf(-3), 1e-15);
    check("other half", 0, r_norm_logdiff(3, INFINITY), r_norm_logcdf(-3), 1e-15);
    assert_true(r_norm_logdiff(1, 1) == -INFINITY);
    assert_true(isnan(r_norm_logdiff(2, 1)));
}

/* The two ways to compute it meet where one gives way to the other. */
static void test_logdiff_has_no_step(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 11);
    for (int i = 0; i < 20000; i++) {
        double a = rng_between(&r, -40, 3), far = fabs(a) > 1 ? fabs(a) : 1;
        double b = a + 2 / far;
        double below = r_norm_logdiff(a, b * (1 - 1e-14)),
               above = r_norm_logdiff(a, b * (1 + 1e-14));
        assert_true(fabs(below - above) <= 3e-12 * (1 + fabs(above)));
    }
}

static void test_erfc(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 12);
    for (int i = 0; i < 100000; i++) {
        double x = rng_between(&r, -6, 26);
        check("erfc", x, r_erfc(x), (double)erfcl((long double)x), 2e-15);
    }
    assert_true(r_erfc(0) == 1 && r_erfc(30) == 0 && r_erfc(-30) == 2);
    assert_true(isnan(r_erfc(NAN)));
}

static void test_logpdf(void **state)
{
    (void)state;
    check("logpdf", 0, r_norm_logpdf(0), -0.9189385332046727, 1e-15);
    check("logpdf", -10, r_norm_logpdf(-10), -50.918938533204674, 1e-15);
}

static void test_sums_in_logarithms(void **state)
{
    (void)state;
    check("add", 0, r_logaddexp(0, 0), 0.6931471805599453, 1e-15);
    check("add", 0, r_logaddexp(-1000, -1001), -999.6867383124818, 1e-15);
    assert_true(r_logaddexp(-INFINITY, -5) == -5 && r_logaddexp(3, -INFINITY) == 3);
    assert_true(r_logaddexp(-INFINITY, -INFINITY) == -INFINITY);
    check("subtract", 0, r_logsubexp(1, 0), 0.5413248546129181, 1e-14);
    check("subtract", 0, r_logsubexp(1e-10, 0), -23.025850929890456, 1e-14);
    assert_true(r_logsubexp(2, 2) == -INFINITY && r_logsubexp(2, -INFINITY) == 2);
    assert_true(isnan(r_logsubexp(1, 2)));
    const double v[] = {-1000, -1000, -1000, -INFINITY};
    check("sum", 0, r_logsumexp(v, 4), -1000 + 1.0986122886681098, 1e-15);
    assert_true(r_logsumexp(v, 0) == -INFINITY);
    assert_true(r_logsumexp(v + 3, 1) == -INFINITY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_logcdf),
        cmocka_unit_test(test_cdf),
        cmocka_unit_test(test_inverse),
        cmocka_unit_test(test_inverse_of_logarithm),
        cmocka_unit_test(test_logdiff),
        cmocka_unit_test(test_logdiff_has_no_step),
        cmocka_unit_test(test_erfc),
        cmocka_unit_test(test_logpdf),
        cmocka_unit_test(test_sums_in_logarithms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
