/* Where a command's answers come from: a broker, or the database file of a farm that does not run.
 * Both answer the same questions over the views of docs/sql.md. */
#ifndef FARM_CLI_SOURCE_H
#define FARM_CLI_SOURCE_H

#include "brokerlink.h"
#include "client.h"

struct source;
struct json_object;

/* A row of an answer; its texts are valid during the call only. */
struct row {
    const struct str *columns;
    size_t n;
    struct json_object
        *values;     /* array; NULL = the answer has no rows (called once, for the columns) */
    struct str json; /* the same as text */
};
typedef err_t source_row(void *self, const struct row *row, struct errmsg *em);

/* Finds what to ask: --db, else the broker that was named, else ./STUDY.tunefarm.db, else (study
 * NULL) the only database in this directory. A database on which a run works is asked through its
 * broker. */
err_t source_open(struct source **out, const struct client *c, const char *study,
                  struct errmsg *em) MUST_CHECK;
/* One database, as --db would. */
err_t source_open_db(struct source **out, const struct client *c, const char *path,
                     struct errmsg *em) MUST_CHECK;
void source_close(struct source *s);                    /* NULL is legal */
struct brokerlink *source_link(const struct source *s); /* NULL = a file */
/* The link, or a sentence that says that this needs a running farm. */
err_t source_need_link(const struct source *s, const char *what, struct brokerlink **out,
                       struct errmsg *em) MUST_CHECK;
const char *source_name(const struct source *s); /* address or path */

err_t source_sql(struct source *s, const char *query, const struct str *args, size_t n_args,
                 source_row *row, void *self, struct errmsg *em) MUST_CHECK;
/* What a running broker knows of itself, as rows (linkrows_inspect()); a sentence if none runs.
 */
err_t source_inspect(struct source *s, const char *what, int64_t patience, source_row *row,
                     void *self, struct errmsg *em) MUST_CHECK;
/* A part of a long list: the question's first rows, as many as the source gives at once. *n: how
 * many came; 0 = there are none. */
err_t source_page(struct source *s, const char *query, uint64_t *n, source_row *row, void *self,
                  struct errmsg *em) MUST_CHECK;

/* A member of a row by column name; empty, NaN or `other` if it is null or missing. */
struct json_object *row_get(const struct row *r, const char *column);
struct str row_text(const struct row *r, const char *column);
double row_number(const struct row *r, const char *column);
int64_t row_int(const struct row *r, const char *column, int64_t other);

/* A study by name, as it stands in the view. */
struct study_row {
    uint64_t number;
    char name[129];
    char state[32];
    bool maximize;
    char *spec; /* JSON; owned */
    uint64_t trials, spec_number;
};
/* ERR_NOT_FOUND with the nearest name. */
err_t source_study(struct source *s, const char *name, struct study_row *out,
                   struct errmsg *em) MUST_CHECK;
void study_row_fini(struct study_row *row);
/* ERR_NOT_FOUND and how many trials there are. */
err_t source_no_trial(const struct study_row *study, uint64_t trial, struct errmsg *em) MUST_CHECK;

#endif
