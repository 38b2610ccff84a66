/* `tunefarm sql`: any question over the documented views, to a running farm or to a database file.
 *
 * Called by main.c. The broker, or SQLite's read-only mode, sees to it that it stays a question. */
#include <stdlib.h>

#include "alloc.h"
#include "command.h"
#include "listing.h"

struct sql_settings {
    struct client client;
    bool csv;
};
static const struct opt_row sql_rows[] = {
    {.name = "csv",
     .type = OPT_FLAG,
     .offset = offsetof(struct sql_settings, csv),
     .help = "Print CSV with a head line."},
    CLIENT_ROWS_READ(struct sql_settings),
};
static const struct opt_table sql_table = {
    .program = "tunefarm sql",
    .usage = "tunefarm sql [OPTION ...] QUESTION [VALUE ...]",
    .summary = "ask the farm's database",
    .text = "Answers one SELECT over the views study, trial, report and worker, which are "
            "described in docs/sql.md. Values take the places ?1, ?2 ... of the question.\n\n"
            " tunefarm sql \"select number, loss from trial where loss < ?1\" 0.1",
    .rows = sql_rows,
    .n = sizeof sql_rows / sizeof sql_rows[0],
};

static err_t work(void *settings, const struct opts *o, struct errmsg *em)
{
    const struct sql_settings *q = settings;
    struct listing l;
    struct source *s;
    size_t n = o->n_operands - 1;
    if (o->operands[0][strspn(o->operands[0], " \t\r\n;")] == 0)
        return errmsg_set(em, ERR_INVALID, "the question is empty; expected one SELECT");
    if (n > 64)
        return errmsg_set(em, ERR_LIMIT, "more than 64 values");
    err_t e = source_open(&s, &q->client, NULL, em);
    if (e)
        return e;
    struct str *args = alloc_array(n + 1, sizeof *args);
    for (size_t i = 0; i < n; i++)
        args[i] = str_of(o->operands[i + 1]);
    listing_init(&l, q->csv ? LISTING_CSV : q->client.json ? LISTING_JSON : LISTING_TABLE);
    e = source_sql(s, o->operands[0], args, n, listing_row, &l, em);
    if (!e)
        e = listing_end(&l, em);
    listing_fini(&l);
    source_close(s);
    free(args);
    return e;
}

int cmd_sql(int argc, char **argv)
{
    struct sql_settings s;
    return client_main(&sql_table, &s, &s.client, argc, argv, 1, SIZE_MAX, work);
}
