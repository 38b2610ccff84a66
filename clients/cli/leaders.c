/* Trials are asked for by ranges of their numbers, which is the order of their table; the best of a
 * range are merged into the best so far. One question over all of them would have to end before its
 * first row, and a busy broker breaks such a one off (docs/sql.md).
 *
 * Called by cmd_best.c. */
#include "leaders.h"

#include <stdio.h>

#define RANGE 50000u /* trials, some 10 ms */

struct leaders {
    struct leader *v;
    size_t n, count;
    bool maximize;
};

static bool before(const struct leaders *l, const struct leader *a, const struct leader *b)
{
    if (a->loss != b->loss)
        return l->maximize ? a->loss > b->loss : a->loss < b->loss;
    return a->trial < b->trial;
}

static err_t on_row(void *self, const struct row *r, struct errmsg *em)
{
    struct leaders *l = self;
    (void)em;
    if (!r->values)
        return ERR_OK;
    struct leader x = {(uint64_t)row_int(r, "number", 0), row_number(r, "loss")};
    if (l->n == l->count && !before(l, &x, &l->v[l->n - 1]))
        return ERR_OK;
    size_t i = l->n < l->count ? l->n++ : l->n - 1;
    for (; i > 0 && before(l, &x, &l->v[i - 1]); i--)
        l->v[i] = l->v[i - 1];
    l->v[i] = x;
    return ERR_OK;
}

err_t leaders_find(struct source *s, const struct study_row *study, size_t count,
                   struct leader *out, size_t *n, struct errmsg *em)
{
    struct leaders l = {.v = out, .count = count, .maximize = study->maximize};
    char query[512];
    err_t e = ERR_OK;
    for (uint64_t from = 0; from < study->trials && e == ERR_OK; from += RANGE) {
        snprintf(query, sizeof query,
                 "select number, loss from trial where study = '%s' and number >= %llu and number "
                 "< %llu and state = 'complete' and loss between -1.7976931348623157e308 and "
                 "1.7976931348623157e308 order by loss %s, number limit %zu",
                 study->name, (unsigned long long)from, (unsigned long long)from + RANGE,
                 study->maximize ? "desc" : "asc", count);
        e = source_sql(s, query, NULL, 0, on_row, &l, em);
    }
    *n = l.n;
    return e;
}
