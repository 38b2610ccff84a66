/* One side (good or bad) of a joint model: upkeep. Its density stands in mixture_log.c, draws from
 * it in mixture_draw.c.
 *
 * Called by optuna_model.c. Rows and each parameter's order are kept by insertion; widths are
 * computed anew for all rows in one pass, because nearly every insertion changes the least width or
 * the order, but the expensive part, a kernel's norm, only where the width is another one. It knows
 * neither trials' losses nor the space. */
#include "mixture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "err.h"
#include "rmath.h"

#define MOST_PARTS        100.0 /* magic clip: no kernel is narrower than the prior over this */
#define LEAST_WIDTH       1e-12 /* without magic clip */
#define COMMON_WIDTH_PART 0.2
#define HALF_LN_2PI       0x1.d67f1c864beb5p-1

void mixture_init(struct mixture *m, const struct mixture_shape *s)
{
    *m = (struct mixture){.settled = true};
    m->columns = alloc_array(s->n_dims, sizeof *m->columns);
}

void mixture_fini(struct mixture *m, const struct mixture_shape *s)
{
    for (uint32_t d = 0; d < s->n_dims; d++) {
        free(m->columns[d].mean);
        free(m->columns[d].inv);
        free(m->columns[d].log_norm);
        free(m->columns[d].sorted);
        free(m->columns[d].kernel);
        free(m->columns[d].distinct);
    }
    free(m->columns);
    free(m->trial);
}

static void grow(struct mixture *m, const struct mixture_shape *s, uint32_t need)
{
    if (need <= m->cap)
        return;
    uint32_t cap = m->cap ? m->cap : 32;
    while (cap < need)
        cap *= 2;
    m->trial = alloc_grow(m->trial, cap, sizeof *m->trial);
    for (uint32_t d = 0; d < s->n_dims; d++) {
        struct mixture_column *c = &m->columns[d];
        c->mean = alloc_grow(c->mean, cap, sizeof *c->mean);
        if (s->dims[d]->kind == TPE_CATEGORY)
            continue;
        c->inv = alloc_grow(c->inv, cap, sizeof *c->inv);
        c->log_norm = alloc_grow(c->log_norm, cap, sizeof *c->log_norm);
        c->sorted = alloc_grow(c->sorted, cap, sizeof *c->sorted);
        if (s->dims[d]->kind != TPE_CELL)
            continue;
        c->kernel = alloc_grow(c->kernel, cap, sizeof *c->kernel);
        c->distinct = alloc_grow(c->distinct, cap, sizeof *c->distinct);
    }
    m->cap = cap;
}

/* First row whose trial is not below. */
static uint32_t row_of(const struct mixture *m, uint32_t trial)
{
    uint32_t lo = 0, hi = m->n;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (m->trial[mid] < trial)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* Where (mean, row) belongs among the first n of the sorted rows. */
static uint32_t place(const struct mixture_column *c, uint32_t n, double mean, uint32_t row)
{
    uint32_t lo = 0, hi = n;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2, at = c->sorted[mid];
        if (c->mean[at] < mean || (c->mean[at] == mean && at < row))
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static void move(void *array, size_t to, size_t from, size_t n, size_t size)
{
    memmove((char *)array + to * size, (char *)array + from * size, n * size);
}

static void insert_sorted(struct mixture_column *c, uint32_t n, uint32_t row)
{
    for (uint32_t i = 0; i < n; i++)
        c->sorted[i] += c->sorted[i] >= row;
    uint32_t at = place(c, n, c->mean[row], row);
    move(c->sorted, at + 1, at, n - at, sizeof *c->sorted);
    c->sorted[at] = row;
}

void mixture_insert(struct mixture *m, const struct mixture_shape *s, const double *y,
                    uint32_t trial)
{
    REQUIRE(!m->unsorted);
    uint32_t row = row_of(m, trial), tail = m->n - row;
    grow(m, s, m->n + 1);
    move(m->trial, row + 1, row, tail, sizeof *m->trial);
    m->trial[row] = trial;
    for (uint32_t d = 0; d < s->n_dims; d++) {
        struct mixture_column *c = &m->columns[d];
        move(c->mean, row + 1, row, tail, sizeof *c->mean);
        c->mean[row] = y[d];
        if (s->dims[d]->kind == TPE_CATEGORY)
            continue;
        move(c->inv, row + 1, row, tail, sizeof *c->inv);
        move(c->log_norm, row + 1, row, tail, sizeof *c->log_norm);
        c->inv[row] = 0; /* none yet */
        insert_sorted(c, m->n, row);
    }
    m->n++;
    m->settled = false;
}

static void remove_sorted(struct mixture_column *c, uint32_t n, uint32_t row)
{
    uint32_t at = place(c, n, c->mean[row], row);
    move(c->sorted, at, at + 1, n - at - 1, sizeof *c->sorted);
    for (uint32_t i = 0; i + 1 < n; i++)
        c->sorted[i] -= c->sorted[i] > row;
}

void mixture_remove(struct mixture *m, const struct mixture_shape *s, uint32_t trial)
{
    uint32_t row = row_of(m, trial);
    if (row == m->n || m->trial[row] != trial)
        return;
    REQUIRE(!m->unsorted);
    uint32_t tail = m->n - row - 1;
    move(m->trial, row, row + 1, tail, sizeof *m->trial);
    for (uint32_t d = 0; d < s->n_dims; d++) {
        struct mixture_column *c = &m->columns[d];
        if (s->dims[d]->kind != TPE_CATEGORY) {
            remove_sorted(c, m->n, row);
            move(c->inv, row, row + 1, tail, sizeof *c->inv);
            move(c->log_norm, row, row + 1, tail, sizeof *c->log_norm);
        }
        move(c->mean, row, row + 1, tail, sizeof *c->mean);
    }
    m->n--;
    m->settled = false;
}

void mixture_clear(struct mixture *m)
{
    m->n = 0;
    m->settled = m->unsorted = false;
}

void mixture_append(struct mixture *m, const struct mixture_shape *s, const double *y,
                    uint32_t trial)
{
    REQUIRE(m->n == 0 || m->trial[m->n - 1] < trial);
    grow(m, s, m->n + 1);
    m->trial[m->n] = trial;
    for (uint32_t d = 0; d < s->n_dims; d++) {
        m->columns[d].mean[m->n] = y[d];
        if (s->dims[d]->kind != TPE_CATEGORY)
            m->columns[d].inv[m->n] = 0;
    }
    m->n++;
    m->settled = false;
    m->unsorted = true;
}

struct item {
    double mean;
    uint32_t row;
};

static int by_mean(const void *x, const void *y)
{
    const struct item *a = x, *b = y;
    if (a->mean != b->mean)
        return a->mean < b->mean ? -1 : 1;
    return (a->row > b->row) - (a->row < b->row);
}

static void sort_all(struct mixture *m, const struct mixture_shape *s)
{
    struct item *items = alloc_array(m->n, sizeof *items);
    for (uint32_t d = 0; d < s->n_dims; d++) {
        struct mixture_column *c = &m->columns[d];
        if (s->dims[d]->kind == TPE_CATEGORY)
            continue;
        for (uint32_t i = 0; i < m->n; i++)
            items[i] = (struct item){c->mean[i], i};
        qsort(items, m->n, sizeof *items, by_mean);
        for (uint32_t i = 0; i < m->n; i++)
            c->sorted[i] = items[i].row;
    }
    free(items);
    m->unsorted = false;
}

double mixture_log_norm(const struct tpe_dim *d, double mean, double inv)
{
    const struct parzen_prior *p = &d->prior;
    double log_mass = r_norm_logdiff((p->low - mean) * inv, (p->high - mean) * inv);
    return d->kind == TPE_CELL ? -log_mass : (r_log(inv) - HALF_LN_2PI) - log_mass;
}

/* The greater of the distances to the neighbours. Bounds are neighbours too, but only of a single
 * observation or, with `endpoints`, of the outermost ones. The prior is none. */
static double gap(const struct mixture_column *c, const struct mixture_shape *s,
                  const struct parzen_prior *p, uint32_t n, uint32_t i)
{
    double x = c->mean[c->sorted[i]];
    double left = x - (i > 0 ? c->mean[c->sorted[i - 1]] : p->low);
    double right = (i + 1 < n ? c->mean[c->sorted[i + 1]] : p->high) - x;
    bool inner = n >= 2 && !s->endpoints;
    if (inner && i == 0)
        return right;
    if (inner && i + 1 == n)
        return left;
    return left > right ? left : right;
}

static void set_width(const struct tpe_dim *d, struct mixture_column *c, uint32_t row, double width)
{
    double inv = 1.0 / width;
    if (inv == c->inv[row])
        return;
    c->inv[row] = inv;
    c->log_norm[row] = mixture_log_norm(d, c->mean[row], inv);
}

static void set_widths(const struct mixture *m, const struct mixture_shape *s, uint32_t dim)
{
    const struct parzen_prior *p = &s->dims[dim]->prior;
    struct mixture_column *c = &m->columns[dim];
    double n = m->n, parts = n + 2 < MOST_PARTS ? n + 2 : MOST_PARTS;
    double least = s->magic_clip ? p->width / parts : LEAST_WIDTH;
    double common = 0;
    if (s->common_width)
        common = COMMON_WIDTH_PART * p->width * r_pow(n, -1.0 / (s->n_dims + 4.0));
    for (uint32_t i = 0; i < m->n; i++) {
        double w = s->common_width ? common : gap(c, s, p, m->n, i);
        w = w < least ? least : w > p->width ? p->width : w;
        set_width(s->dims[dim], c, c->sorted[i], w);
    }
}

/* Rounded values repeat, and so do their kernels. */
static void find_distinct(const struct mixture *m, struct mixture_column *c)
{
    c->n_distinct = 0;
    for (uint32_t i = 0; i < m->n; i++) {
        uint32_t row = c->sorted[i], before = i > 0 ? c->sorted[i - 1] : row;
        if (i == 0 || c->mean[row] != c->mean[before] || c->inv[row] != c->inv[before])
            c->distinct[c->n_distinct++] = row;
        c->kernel[row] = c->n_distinct - 1;
    }
}

void mixture_settle(struct mixture *m, const struct mixture_shape *s)
{
    if (m->settled)
        return;
    if (m->unsorted)
        sort_all(m, s);
    for (uint32_t d = 0; d < s->n_dims; d++) {
        if (s->dims[d]->kind == TPE_CATEGORY)
            continue;
        set_widths(m, s, d);
        if (s->dims[d]->kind == TPE_CELL)
            find_distinct(m, &m->columns[d]);
    }
    m->settled = true;
}

double mixture_weight(const struct mixture *m, const struct mixture_shape *s)
{
    struct ramp w = ramp_of(m->n);
    double sum = 0;
    for (uint32_t i = 0; i < m->n; i++)
        sum += ramp_at(w, i);
    return sum + s->prior_weight;
}
