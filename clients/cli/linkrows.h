/* Questions to a broker that are answered by rows. */
#ifndef FARM_CLI_LINKROWS_H
#define FARM_CLI_LINKROWS_H

#include "brokerlink.h"

/* Asks a question; the answer's column names and rows (one JSON array each) are given to `row` when
 * all have come, so that a lost session repeats nothing; one empty call if there is no row. A
 * non-zero return of `row` ends it. */
typedef err_t linkrows_row(void *self, const struct str *columns, size_t n, struct str row,
                           struct errmsg *em);
/* page: the first rows of a list are enough, if the broker cannot give all of them at once. */
err_t linkrows_sql(struct brokerlink *l, const char *query, const struct str *args, size_t n_args,
                   bool page, linkrows_row *row, void *self, struct errmsg *em) MUST_CHECK;
/* The same for INSPECT: "counters", "peers" ... patience: how long it may take, 0 = as long as
 * other answers. */
err_t linkrows_inspect(struct brokerlink *l, const char *what, int64_t patience, linkrows_row *row,
                       void *self, struct errmsg *em) MUST_CHECK;

#endif
