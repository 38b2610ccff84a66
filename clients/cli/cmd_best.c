/* `tunefarm best`: the best trials of a study.
 *
 * Called by main.c. */
#include <stdlib.h>

#include "alloc.h"
#include "command.h"
#include "leaders.h"
#include "listing.h"

struct best_settings {
    struct client client;
    uint64_t count;
};
static const struct opt_row best_rows[] = {
    {.name = "count",
     .letter = 'k',
     .type = OPT_U64,
     .offset = offsetof(struct best_settings, count),
     .initial = "1",
     .min = 1,
     .max = 1000,
     .value = "N",
     .help = "How many trials."},
    CLIENT_ROWS_READ(struct best_settings),
};
static const struct opt_table best_table = {
    .program = "tunefarm best",
    .usage = "tunefarm best [OPTION ...] STUDY",
    .summary = "show the best trials",
    .text = "Prints the best trial of a study with its parameters; with -k the best N, best first. "
            "Only complete trials with a finite loss count. With --json one object a line: trial, "
            "loss, params, worker, attempt.",
    .rows = best_rows,
    .n = sizeof best_rows / sizeof best_rows[0],
};

/* Everything about them, in their order. */
static void question(struct buf *out, const struct study_row *study, const struct best_settings *b,
                     const struct leader *v, size_t n)
{
    buf_printf(out,
               "select number as trial, loss, params%s from trial where study = '%s' and "
               "number in (",
               b->client.json ? ", attempt, worker, host, runtime" : "", study->name);
    for (size_t i = 0; i < n; i++)
        buf_printf(out, "%s%llu", i ? "," : "", (unsigned long long)v[i].trial);
    buf_printf(out, ") order by loss %s, number", study->maximize ? "desc" : "asc");
}

static err_t list_best(struct source *s, const struct study_row *study,
                       const struct best_settings *b, struct errmsg *em)
{
    struct leader *v = alloc_array(b->count, sizeof *v);
    struct buf query = {0};
    struct listing l;
    size_t n = 0;
    listing_init(&l, b->client.json ? LISTING_JSON : LISTING_TABLE);
    l.unpack = true;
    err_t e = leaders_find(s, study, (size_t)b->count, v, &n, em);
    if (!e && n == 0)
        e = errmsg_set(em, ERR_NOT_FOUND, "no trial of %s is complete yet", study->name);
    question(&query, study, b, v, n);
    if (!e)
        e = source_sql(s, buf_z(&query), NULL, 0, listing_row, &l, em);
    if (!e)
        e = listing_end(&l, em);
    listing_fini(&l);
    buf_fini(&query);
    free(v);
    return e;
}

static err_t work(void *settings, const struct opts *o, struct errmsg *em)
{
    const struct best_settings *b = settings;
    struct source *s;
    struct study_row study;
    err_t e = source_open(&s, &b->client, o->operands[0], em);
    if (e)
        return e;
    e = source_study(s, o->operands[0], &study, em);
    if (!e)
        e = list_best(s, &study, b, em);
    study_row_fini(&study);
    source_close(s);
    return e;
}

int cmd_best(int argc, char **argv)
{
    struct best_settings s;
    return client_main(&best_table, &s, &s.client, argc, argv, 1, 1, work);
}
