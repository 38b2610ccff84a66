/* Questions to the database file of a farm that does not run. Never writes. */
#ifndef FARM_CLI_DBFILE_H
#define FARM_CLI_DBFILE_H

#include "err.h"
#include "str.h"

struct dbfile;

err_t dbfile_open(struct dbfile **out, const char *path, struct errmsg *em) MUST_CHECK;
void dbfile_close(struct dbfile *d);                   /* NULL is legal */
struct sqlite3 *dbfile_sqlite(const struct dbfile *d); /* for dbcopy.c */
/* As linkrows_sql(): each row is given as a JSON array; one empty call if there is none. */
typedef err_t dbfile_row(void *self, const struct str *columns, size_t n, struct str row,
                         struct errmsg *em);
err_t dbfile_sql(struct dbfile *d, const char *query, const struct str *args, size_t n_args,
                 dbfile_row *row, void *self, struct errmsg *em) MUST_CHECK;

#endif
