/* The joint Parzen estimator against its definition written out the long way, its upkeep and draws.
 */
#include "mixture_bed.h"

/* The sum over kernels without logarithms, eight lanes or distinct kernels. */
static double by_definition(const struct bed *b, const double *value)
{
    const struct mixture *m = &b->mixture;
    double sum = 0, weight = mixture_weight(m, &b->shape);
    for (uint32_t row = 0; row <= m->n; row++) {
        double product = row < m->n ? ramp_at(ramp_of(m->n), row) : b->shape.prior_weight;
        for (uint32_t d = 0; d < b->shape.n_dims; d++) {
            const struct tpe_dim *dim = &b->dims[d];
            const struct mixture_column *c = &m->columns[d];
            if (dim->kind == TPE_CATEGORY) {
                double pseudo = tpe_dim_pseudo(dim, value[d]), all = dim->categories;
                double hit = row < m->n && c->mean[row] == value[d] ? 1 : 0;
                product *= row == m->n ? pseudo / all
                                       : (pseudo / (m->n + 1.0) + hit) / (all / (m->n + 1.0) + 1);
                continue;
            }
            double mean = row < m->n ? c->mean[row] : dim->prior.mean;
            double inv = row < m->n ? c->inv[row] : 1 / dim->prior.width;
            double mass = r_norm_cdf((dim->prior.high - mean) * inv) -
                          r_norm_cdf((dim->prior.low - mean) * inv);
            double lo = tpe_dim_place(dim, value[d]), hi;
            if (dim->kind == TPE_POINT) {
                product *= r_exp(r_norm_logpdf((lo - mean) * inv)) * inv / mass;
                continue;
            }
            tpe_dim_cell(dim, value[d], &lo, &hi);
            product *= (r_norm_cdf((hi - mean) * inv) - r_norm_cdf((lo - mean) * inv)) / mass;
        }
        sum += product;
    }
    return r_log(sum / weight);
}

#define EVERYTHING                                                                                 \
    "\"f\":{\"float\":[-5,10]},\"r\":{\"float\":[0,0.999],\"log\":\"reverse\"},"                   \
    "\"q\":{\"float\":[0,10],\"round\":0.3},\"n\":{\"normal\":[3,2]},"                             \
    "\"m\":{\"lognormal\":[0,1],\"round\":0.5},"                                                   \
    "\"u\":{\"int\":[16,512],\"log\":true,\"step\":16},"                                           \
    "\"w\":{\"choice\":[\"a\",\"b\",\"c\"],\"weights\":[0.5,0.25,0.25]},"                          \
    "\"o\":{\"int\":[1,5],\"unordered\":true}"

static void from_prior(const struct bed *b, struct rng *r, double *point)
{
    for (uint32_t d = 0; d < b->shape.n_dims; d++)
        point[d] = param_from_unit(&b->space->params[d], rng_unit(r));
}

static void every_distribution_follows_the_definition(void **state)
{
    (void)state;
    struct bed b;
    struct rng r;
    double point[MOST], values[MOST * 11], got[11];
    open_bed(&b, EVERYTHING);
    rng_seed(&r, 3);
    for (uint32_t k = 0; k < 90; k++) {
        from_prior(&b, &r, point);
        insert(&b, k, point);
        mixture_settle(&b.mixture, &b.shape);
        if (k % 8)
            continue;
        mixture_draw(&b.mixture, &b.shape, &r, values, 11);
        mixture_log_density(&b.mixture, &b.shape, values, 11, got);
        for (uint32_t i = 0; i < 11; i++) {
            for (uint32_t d = 0; d < b.shape.n_dims; d++)
                point[d] = values[d * 11 + i];
            assert_near(got[i], by_definition(&b, point), 1e-9);
        }
    }
    close_bed(&b);
}

static void assert_same(const struct bed *a, const struct bed *b)
{
    assert_int_equal(a->mixture.n, b->mixture.n);
    for (uint32_t d = 0; d < a->shape.n_dims; d++) {
        const struct mixture_column *x = &a->mixture.columns[d], *y = &b->mixture.columns[d];
        size_t size = a->mixture.n * sizeof(double);
        assert_memory_equal(x->mean, y->mean, size);
        if (a->dims[d].kind == TPE_CATEGORY)
            continue;
        assert_memory_equal(x->inv, y->inv, size);
        assert_memory_equal(x->log_norm, y->log_norm, size);
        assert_memory_equal(x->sorted, y->sorted, a->mixture.n * sizeof(uint32_t));
    }
}

/* Whatever came and went, only what is there counts. */
static void the_way_leaves_no_trace(void **state)
{
    (void)state;
    struct bed lived, built;
    struct rng r;
    static double points[300][MOST];
    bool is[300] = {false};
    open_bed(&lived, EVERYTHING);
    open_bed(&built, EVERYTHING);
    rng_seed(&r, 8);
    for (uint32_t k = 0; k < 300; k++)
        from_prior(&lived, &r, points[k]);
    for (int step = 0; step < 1500; step++) {
        uint32_t k = (uint32_t)rng_below(&r, 300);
        if (is[k])
            mixture_remove(&lived.mixture, &lived.shape, k);
        else
            insert(&lived, k, points[k]);
        is[k] = !is[k];
        if (step % 7 == 0)
            mixture_settle(&lived.mixture, &lived.shape);
        if (step % 100)
            continue;
        mixture_settle(&lived.mixture, &lived.shape);
        mixture_clear(&built.mixture);
        for (uint32_t t = 0; t < 300; t++) {
            double y[MOST];
            for (uint32_t d = 0; d < built.shape.n_dims; d++)
                y[d] = tpe_dim_place(&built.dims[d], points[t][d]);
            if (is[t])
                mixture_append(&built.mixture, &built.shape, y, t);
        }
        mixture_settle(&built.mixture, &built.shape);
        assert_same(&lived, &built);
    }
    mixture_remove(&lived.mixture, &lived.shape, 1000); /* absent */
    close_bed(&lived);
    close_bed(&built);
}

/* Draws of an integer are as frequent as the density says. */
static void draws_follow_the_density(void **state)
{
    (void)state;
    enum { DRAWS = 100000 };
    static double values[2 * DRAWS];
    struct bed b;
    struct rng r;
    double at[2 * 30], ln[30], count[30] = {0};
    open_bed(&b, "\"k\":{\"int\":[1,10],\"log\":true}," THREE);
    observe(&b, 4, (const double[]){2, 0, 9, 1, 2, 1, 5, 2});
    rng_seed(&r, 4);
    mixture_draw(&b.mixture, &b.shape, &r, values, DRAWS);
    for (size_t i = 0; i < DRAWS; i++)
        count[3 * ((size_t)values[i] - 1) + (size_t)values[DRAWS + i]]++;
    for (size_t i = 0; i < 30; i++) {
        at[i] = (double)(i / 3 + 1);
        at[30 + i] = (double)(i % 3);
    }
    mixture_log_density(&b.mixture, &b.shape, at, 30, ln);
    double sum = 0;
    for (size_t i = 0; i < 30; i++) {
        double p = r_exp(ln[i]);
        sum += p;
        assert_near(count[i] / DRAWS, p, 5 * sqrt(p * (1 - p) / DRAWS));
    }
    assert_near(sum, 1, 1e-12);
    close_bed(&b);
}

static void draws_stay_within_the_bounds(void **state)
{
    (void)state;
    static double values[2 * 5000];
    struct bed b;
    struct rng r;
    open_bed(&b, FLOAT ",\"s\":{\"normal\":[3,2]}");
    observe(&b, 3, (const double[]){0, 3, 10, 1e6, 10, -1e6}); /* at the bounds, and far out */
    rng_seed(&r, 9);
    mixture_draw(&b.mixture, &b.shape, &r, values, 5000);
    uint32_t edge = 0;
    for (uint32_t i = 0; i < 5000; i++) {
        assert_true(values[i] >= 0 && values[i] <= 10 && isfinite(values[5000 + i]));
        edge += values[i] < 1 || values[i] > 9;
    }
    assert_in_range(edge, 1000, 4000);
    close_bed(&b);
}

/* Equal observations without magic clip have kernels 1e-12 wide; the density stays a number. */
static void the_narrowest_kernels_do_no_harm(void **state)
{
    (void)state;
    static double values[MOST * 200], ln[200];
    struct bed b;
    struct rng r;
    double point[MOST];
    open_bed(&b, EVERYTHING);
    b.shape.magic_clip = false;
    rng_seed(&r, 2);
    from_prior(&b, &r, point);
    for (uint32_t k = 0; k < 20; k++)
        insert(&b, k, point);
    mixture_settle(&b.mixture, &b.shape);
    mixture_draw(&b.mixture, &b.shape, &r, values, 200);
    mixture_log_density(&b.mixture, &b.shape, values, 200, ln);
    for (uint32_t i = 0; i < 200; i++)
        assert_true(isfinite(ln[i]));
    close_bed(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_distribution_follows_the_definition),
        cmocka_unit_test(the_way_leaves_no_trace),
        cmocka_unit_test(draws_follow_the_density),
        cmocka_unit_test(draws_stay_within_the_bounds),
        cmocka_unit_test(the_narrowest_kernels_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
