/* Scores of candidates. Called by tpe_tunefarm.c.
 *
 * A density is written as S / W times the product of the kernels' greatest values, S the sum of the
 * weighted relative kernels (product_kernel.h) and of the prior's relative density, W the sum of
 * the weights. What the good and the bad density have in common cancels in the ratio. */
#include "acquisition.h"

#include <math.h>
#include <stdlib.h>

#include "alloc.h"
#include "rmath.h"

#define PI 3.14159265358979323846
#define REDRAW                                                                                     \
    8 /* more tries for a candidate whose point is taken, and as many with one change              \
       */

void acquisition_init(struct acquisition *a, const struct evidence *e,
                      const struct acquisition_rule *rule)
{
    *a = (struct acquisition){.e = e, .rule = rule};
    uint32_t n = e->space->n;
    bandwidth_init(&a->widths, n);
    candidate_init(&a->best, n);
    candidate_init(&a->next, n);
    a->good = alloc_array(GOOD_MOST + ROSTER_LANES, sizeof *a->good);
    a->shrink = alloc_array(n + 1, sizeof *a->shrink);
    a->factors = alloc_array(n + 1, sizeof *a->factors);
}

void acquisition_fini(struct acquisition *a)
{
    bandwidth_fini(&a->widths);
    candidate_fini(&a->best);
    candidate_fini(&a->next);
    free(a->near);
    free(a->far);
    free(a->pending);
    free(a->good);
    free(a->shrink);
    free(a->factors);
}

/* n weights: the first `none` are 0, the others w; zeros behind. */
static void weigh(float **v, uint32_t *cap, const struct roster *rows, uint32_t none, float w)
{
    if (*cap < rows->cap) {
        *cap = rows->cap;
        *v = alloc_grow(*v, *cap, sizeof **v);
    }
    for (uint32_t i = 0; i < rows->cap; i++)
        (*v)[i] = i < none || i >= rows->n ? 0 : w;
}

static void prepare(struct acquisition *a, uint32_t n_good)
{
    const struct evidence *e = a->e;
    bandwidth_fit(&a->widths, &a->rule->bandwidth, e, n_good);
    for (uint32_t i = 0; i < e->space->n; i++)
        if (e->axes[i].kind == AXIS_NUMBER)
            a->shrink[i] = r_log(a->widths.bad[i] / a->widths.good[i]);
    for (uint32_t i = 0; i < GOOD_MOST + ROSTER_LANES; i++)
        a->good[i] = i < n_good ? (float)a->widths.weight[i] : 0;
    weigh(&a->near, &a->near_cap, &e->near, n_good, 1);
    weigh(&a->far, &a->far_cap, &e->far, 0, (float)(UINT64_C(1) << e->level));
    weigh(&a->pending, &a->pending_cap, &e->pending, 0, 1);
}

/* One side of the ratio: the factors of its kernels, and the prior's density relative to a kernel's
 * greatest value. */
struct side {
    const double *width;
    double swap, prior;
    uint32_t n;
};

static void number_factor(struct side *s, struct factor *f, const struct axis *axis, double width)
{
    double peak = PI * width; /* 1 / the kernel's greatest value */
    f->kind = axis->param->n_cases ? FACTOR_SOMETIMES : FACTOR_NUMBER;
    f->inv = (float)(1 / width);
    f->lacks = (float)(1 / peak);
    s->prior *= peak;
}

static float capped(double x)
{
    return x < (double)PRODUCT_KERNEL_MOST ? (float)x : PRODUCT_KERNEL_MOST;
}

static void category_factor(struct side *s, struct factor *f, double prior)
{
    double same = 1 + s->swap * prior; /* over 1 + swap, which cancels below */
    f->kind = FACTOR_CATEGORY;
    f->other = capped(same / (s->swap * prior));
    f->lacks = capped(same / ((1 + s->swap) * prior));
    s->prior *= (1 + s->swap) * prior / same;
}

static struct side make_side(struct acquisition *a, const struct candidate *c, const double *width,
                             double swap)
{
    struct side s = {.width = width, .swap = swap, .prior = 1};
    for (uint32_t i = 0; i < a->e->space->n; i++) {
        const struct axis *axis = &a->e->axes[i];
        if (c->place[i] < 0 || axis->kind == AXIS_CONSTANT)
            continue;
        struct factor *f = &a->factors[s.n++];
        *f = (struct factor){.axis = i, .at = (float)c->place[i]};
        if (axis->kind == AXIS_NUMBER)
            number_factor(&s, f, axis, width[i]);
        else
            category_factor(&s, f, axis_prior(axis, c->place[i]));
    }
    if (s.prior < (double)PRODUCT_KERNEL_LEAST)
        s.prior = (double)PRODUCT_KERNEL_LEAST;
    return s;
}

/* ln of what the greatest values of the kernels, good to bad, differ by. */
static double peaks(const struct acquisition *a, const struct candidate *c)
{
    double sum = 0;
    for (uint32_t i = 0; i < a->e->space->n; i++) {
        const struct axis *axis = &a->e->axes[i];
        if (c->place[i] < 0)
            continue;
        if (axis->kind == AXIS_NUMBER) {
            sum += a->shrink[i];
        } else if (axis->kind == AXIS_CATEGORY) {
            double p = axis_prior(axis, c->place[i]);
            double good = (1 + a->widths.swap_good * p) / (1 + a->widths.swap_good);
            double bad = (1 + a->widths.swap_bad * p) / (1 + a->widths.swap_bad);
            sum += r_log(good / bad);
        }
    }
    return sum;
}

double acquisition_score(struct acquisition *a, const struct candidate *c)
{
    const struct evidence *e = a->e;
    const struct bandwidth *w = &a->widths;
    double pg = a->rule->prior_good, pb = a->rule->prior_bad;
    struct side s = make_side(a, c, w->good, w->swap_good);
    double good = product_kernel_sum(&e->near, w->n_good, a->good, a->factors, s.n) + pg * s.prior;
    s = make_side(a, c, w->bad, w->swap_bad);
    double bad = product_kernel_sum(&e->near, e->near.n, a->near, a->factors, s.n);
    bad += product_kernel_sum(&e->far, e->far.n, a->far, a->factors, s.n);
    bad += product_kernel_sum(&e->pending, e->pending.n, a->pending, a->factors, s.n);
    bad += pb * s.prior;
    double n_bad = (double)(e->ranked - w->n_good) + e->pending.n;
    return r_log(good / (w->n_good + pg)) - r_log(bad / (n_bad + pb)) + peaks(a, c);
}

/* A candidate whose point no trial has: redrawn, then with one parameter from the prior. */
static bool draw_free(struct acquisition *a, const struct taken *taken, struct rng *r)
{
    for (uint32_t i = 0; i < 2 * REDRAW; i++) {
        uint32_t fresh = i < REDRAW ? UINT32_MAX : (uint32_t)rng_below(r, a->e->space->n);
        candidate_draw(&a->next, a->e, &a->widths, a->rule->prior_good, fresh, r);
        if (a->next.continuous || !taken_has(taken, a->next.point))
            return true;
    }
    return false;
}

bool acquisition_choose(struct acquisition *a, uint32_t n_good, const struct taken *taken,
                        struct rng *r)
{
    bool any = false;
    prepare(a, n_good);
    for (uint32_t i = 0; i < (uint32_t)a->rule->candidates; i++) {
        if (!draw_free(a, taken, r))
            continue;
        double score = acquisition_score(a, &a->next);
        if (any && !(score > a->score))
            continue;
        struct candidate swap = a->best;
        a->best = a->next;
        a->next = swap;
        a->score = score;
        any = true;
    }
    if (any)
        candidate_finish(&a->best, a->e);
    return any;
}
