/* Compaction of a study's records, in slices between groups. */
#ifndef FARM_STORE_SQLITE_COMPACT_H
#define FARM_STORE_SQLITE_COMPACT_H

#include "sqlite_db.h"

struct compact_run;

/* Begins what `ask` (ASK_COMPACT) wants. */
struct compact_run *compact_run_new(struct db *d, const struct fx_ask *ask);
/* One transaction of what is found until the time `until`. Puts an answer into g now and then, and
 * the last one, which has `complete`. *rc: of SQLite, as db_write() returns it; the run goes on
 * after SQLITE_FULL. */
enum chore compact_run_slice(struct compact_run *r, int64_t until, struct group *g, int *rc);
void compact_run_free(struct compact_run *r); /* NULL is legal */

#endif
