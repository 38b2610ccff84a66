/* An odometer over the values of a space. Used by grid.c, which cuts continuous parameters first,
 * and by tpe_tunefarm.c for the last free points of a small space. */
#include "cartesian.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"

void cartesian_init(struct cartesian *c, const struct space *space)
{
    *c = (struct cartesian){.space = space};
    c->ladders = alloc_array(space->n + 1, sizeof *c->ladders);
    c->digits = alloc_array(space->n + 1, sizeof *c->digits);
    for (uint32_t i = 0; i < space->n; i++)
        c->ladders[i].n = param_cardinality(&space->params[i]);
}

void cartesian_fini(struct cartesian *c)
{
    for (uint32_t i = 0; c->ladders && i < c->space->n; i++)
        free(c->ladders[i].values);
    free(c->ladders);
    free(c->digits);
}

void cartesian_rewind(struct cartesian *c)
{
    memset(c->digits, 0, c->space->n * sizeof *c->digits);
}

static double value_at(const struct cartesian *c, uint32_t i, double digit)
{
    const struct param *p = &c->space->params[i];
    if (c->ladders[i].values)
        return c->ladders[i].values[(size_t)digit];
    if (p->kind == PARAM_CHOICE)
        return digit;
    if (p->step > 0)
        return param_legal(p, p->low + digit * p->step);
    if (p->round > 0)
        return param_legal(p, (rint(p->low / p->round) + digit) * p->round);
    return p->low;
}

void cartesian_point(const struct cartesian *c, double *point)
{
    for (uint32_t i = 0; i < c->space->n; i++) {
        point[i] = (double)NAN;
        if (space_active(c->space, i, point))
            point[i] = value_at(c, i, c->digits[i]);
    }
}

bool cartesian_advance(struct cartesian *c, const double *point)
{
    for (uint32_t i = c->space->n; i-- > 0;) {
        if (!isnan(point[i]) && c->digits[i] + 1 < c->ladders[i].n) {
            c->digits[i]++;
            return true;
        }
        c->digits[i] = 0;
    }
    return false;
}

double cartesian_size(const struct cartesian *c)
{
    double n = 1;
    for (uint32_t i = 0; i < c->space->n; i++)
        n *= c->ladders[i].n;
    return n;
}
