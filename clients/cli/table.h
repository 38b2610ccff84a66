/* Tables for people: a head line and aligned columns, numbers to the right, never wider than asked.
 */
#ifndef FARM_CLI_TABLE_H
#define FARM_CLI_TABLE_H

#include "buf.h"

#define TABLE_MAX_COLUMNS 256

struct table {
    size_t columns;
    struct buf text; /* all cells one after the other; the head line first */
    size_t *ends;    /* end of each cell in text */
    size_t n, cap;   /* cells, head included */
    bool *words;     /* per column: a cell is no number, so the column is aligned left */
};

/* heads: names separated by '|' ("trial|state|loss"). Cells are then added row by row. */
void table_init(struct table *t, const char *heads);
/* The same with names given one by one; n at most TABLE_MAX_COLUMNS. */
void table_init_names(struct table *t, const struct str *names, size_t n);
void table_fini(struct table *t);
void table_add(struct table *t, struct str cell);
void table_addz(struct table *t, const char *cell);
void table_number(struct table *t, double v); /* 6 significant digits; NaN leaves the cell empty */
size_t table_rows(const struct table *t);     /* complete rows, without the head */
/* Prints into at most `width` columns (0 = as wide as needed): the widest columns of words are cut
 * first. */
void table_print(const struct table *t, struct buf *out, size_t width, bool utf8);

#endif
