/* Questions of people, in slices between groups. */
#ifndef FARM_STORE_SQLITE_SQL_H
#define FARM_STORE_SQLITE_SQL_H

#include "sqlite_db.h"

struct sql_run;

struct sql_limits {
    int64_t ns;                /* of running, in all */
    size_t bytes;              /* of the answer */
    bool (*waits)(void *self); /* something does; asked in the midst of a slice that takes long */
    void *self;
};

/* Begins the question `ask`, whose texts are in a group that may go. */
struct sql_run *sql_run_new(struct db *d, const struct fx_ask *ask,
                            const struct sql_limits *limits);
/* Goes on for a slice and puts a piece of the answer into g. True: it was the last; the run is
 * freed. */
bool sql_run_slice(struct sql_run *r, struct group *g, uint64_t seq);
void sql_run_free(struct sql_run *r); /* NULL is legal */

#endif
