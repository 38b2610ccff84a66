/* The walk through the tree that draws one point. Called by acquisition.c. */
#include "candidate.h"

#include <math.h>
#include <stdlib.h>

#include "alloc.h"

void candidate_init(struct candidate *c, uint32_t axes)
{
    *c = (struct candidate){0};
    c->place = alloc_array(axes + 1, sizeof *c->place);
    c->point = alloc_array(axes + 1, sizeof *c->point);
}

void candidate_fini(struct candidate *c)
{
    free(c->place);
    free(c->point);
}

/* The row of near, or near.n for the prior. */
static uint32_t pick(const struct evidence *e, const struct bandwidth *b, double prior_weight,
                     struct rng *r)
{
    double u = rng_unit(r) * (b->n_good + prior_weight);
    for (uint32_t i = 0; i < b->n_good; i++) {
        if (u < b->weight[i])
            return i;
        u -= b->weight[i];
    }
    return e->near.n;
}

/* The ratio of the coordinates of a point that is uniform in the disc. */
static double cauchy(struct rng *r)
{
    double x, y, q;
    do {
        x = 2 * rng_open(r) - 1;
        y = 2 * rng_open(r) - 1;
        q = x * x + y * y;
    } while (q > 1 || y == 0);
    return x / y;
}

/* Reflected once at the bounds, so that they are as likely as anything beside them; from the prior
 * if that does not bring it in. */
static double number_near(double at, double width, struct rng *r)
{
    double u = at + width * cauchy(r);
    u = u < 0 ? -u : u > 1 ? 2 - u : u;
    return u >= 0 && u <= 1 ? u : rng_unit(r);
}

static void draw_number(struct candidate *c, const struct axis *a, uint32_t i, double at,
                        double width, struct rng *r)
{
    double u = at < 0 ? rng_unit(r) : number_near(at, width, r);
    if (a->lattice) {
        c->point[i] = axis_value(a, u);
        c->place[i] = axis_place(a, c->point[i]);
    } else {
        c->point[i] = u; /* a continuous parameter is nobody's parent: its value can wait */
        c->place[i] = u;
        c->continuous = true;
    }
}

static void draw_category(struct candidate *c, const struct axis *a, uint32_t i, double at,
                          double swap, struct rng *r)
{
    bool prior = at < 0 || rng_unit(r) * (1 + swap) < swap;
    if (prior)
        c->point[i] = axis_value(a, rng_unit(r));
    else /* rows hold floats, so an int of more than 2^24 values may not be met exactly */
        c->point[i] = param_legal(a->param, a->param->low + at);
    c->place[i] = prior ? axis_place(a, c->point[i]) : at;
}

void candidate_draw(struct candidate *c, const struct evidence *e, const struct bandwidth *b,
                    double prior_weight, uint32_t fresh, struct rng *r)
{
    uint32_t row = pick(e, b, prior_weight, r);
    c->around = row < e->near.n ? e->near.trial[row] : CANDIDATE_PRIOR;
    c->continuous = false;
    for (uint32_t i = 0; i < e->space->n; i++) {
        const struct axis *a = &e->axes[i];
        c->point[i] = (double)NAN;
        c->place[i] = (double)ROSTER_ABSENT;
        if (!space_active(e->space, i, c->point))
            continue;
        double at = row < e->near.n && i != fresh ? (double)roster_column(&e->near, i)[row]
                                                  : (double)ROSTER_ABSENT;
        if (a->kind == AXIS_NUMBER)
            draw_number(c, a, i, at, b->good[i], r);
        else if (a->kind == AXIS_CATEGORY)
            draw_category(c, a, i, at, b->swap_good, r);
        else
            c->place[i] = axis_place(a, c->point[i] = axis_value(a, 0.5));
    }
}

void candidate_finish(struct candidate *c, const struct evidence *e)
{
    for (uint32_t i = 0; i < e->space->n; i++)
        if (e->axes[i].kind == AXIS_NUMBER && !e->axes[i].lattice && !isnan(c->point[i]))
            c->point[i] = axis_value(&e->axes[i], c->place[i]);
}
