/* `tunefarm ls`: the studies of a farm, or of every database in this directory when no farm is
 * named.
 *
 * Called by main.c. */
#include <glob.h>

#include "command.h"
#include "listing.h"

struct ls_settings {
    struct client client;
};
static const struct opt_row ls_rows[] = {CLIENT_ROWS_READ(struct ls_settings)};
static const struct opt_table ls_table = {
    .program = "tunefarm ls",
    .usage = "tunefarm ls [OPTION ...]",
    .summary = "list studies",
    .text = "Lists the studies of the farm, with their trials by state and the best loss. When no "
            "farm and no database is named, the studies of every *.tunefarm.db in the current "
            "directory.",
    .rows = ls_rows,
    .n = sizeof ls_rows / sizeof ls_rows[0],
};

static const char ls_query[] =
    "select name, state, trials, queued, running, complete, pruned, failed, cancelled, "
    "best_loss as best, best_trial as trial, created from study order by number";

static err_t list_one(struct source *s, struct listing *l, struct errmsg *em)
{
    return source_sql(s, ls_query, NULL, 0, listing_row, l, em);
}

/* A database that cannot be read is said, and the others are listed all the same. */
static void list_here(const struct client *c, const glob_t *found, struct listing *l)
{
    for (size_t i = 0; i < found->gl_pathc; i++) {
        struct source *s = NULL;
        struct errmsg em = {{0}};
        err_t e = source_open_db(&s, c, found->gl_pathv[i], &em);
        if (!e)
            e = list_one(s, l, &em);
        if (e)
            client_note("%s", em.text);
        source_close(s);
    }
}

static err_t work(void *settings, const struct opts *o, struct errmsg *em)
{
    const struct client *c = &((struct ls_settings *)settings)->client;
    struct listing l;
    struct source *s = NULL;
    glob_t found = {0};
    err_t e = ERR_OK;
    (void)o;
    listing_init(&l, c->json ? LISTING_JSON : LISTING_TABLE);
    l.empty = "no studies yet; `tunefarm run` or `tunefarm submit` makes one";
    if (!c->db && !c->broker && glob("*.tunefarm.db", 0, NULL, &found) == 0)
        list_here(c, &found, &l);
    else
        e = source_open(&s, c, NULL, em);
    if (!e && s)
        e = list_one(s, &l, em);
    if (!e)
        e = listing_end(&l, em);
    listing_fini(&l);
    source_close(s);
    globfree(&found);
    return e;
}

int cmd_ls(int argc, char **argv)
{
    struct ls_settings s;
    return client_main(&ls_table, &s, &s.client, argc, argv, 0, 0, work);
}
