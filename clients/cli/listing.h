/* Rows of an answer printed as they come: a table for people, JSON objects or CSV for programs. */
#ifndef FARM_CLI_LISTING_H
#define FARM_CLI_LISTING_H

#include "client.h"
#include "source.h"
#include "table.h"

enum listing_form { LISTING_TABLE, LISTING_JSON, LISTING_CSV };

struct listing {
    enum listing_form form;
    bool unpack; /* JSON: texts of the columns params, metrics, spec ... are written as the JSON
                    they hold */
    bool brief;  /* table: a column `error` is shown by cell_error() */
    const char *empty; /* table: what is said in place of no rows; NULL = the bare head */
    struct table table;
    bool begun; /* columns are known */
    uint64_t rows;
    struct buf out;
};

void listing_init(struct listing *l, enum listing_form form);
err_t listing_row(void *self, const struct row *row, struct errmsg *em); /* a source_row */
/* Prints what is left. */
err_t listing_end(struct listing *l, struct errmsg *em) MUST_CHECK;
void listing_fini(struct listing *l);

#endif
