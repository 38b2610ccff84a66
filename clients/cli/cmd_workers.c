/* `tunefarm workers`: who runs trials, with what, and since when.
 *
 * Called by main.c. */
#include "command.h"
#include "listing.h"

struct workers_settings {
    struct client client;
    bool all;
};
static const struct opt_row workers_rows[] = {
    {.name = "all",
     .letter = 'a',
     .type = OPT_FLAG,
     .offset = offsetof(struct workers_settings, all),
     .help = "Also those that have left."},
    CLIENT_ROWS_READ(struct workers_settings),
};
static const struct opt_table workers_table = {
    .program = "tunefarm workers",
    .usage = "tunefarm workers [OPTION ...]",
    .summary = "list workers",
    .text = "Lists the workers of the farm: the beginning of their ids, their state (ready, "
            "draining), slots, running trials, resources and labels.",
    .rows = workers_rows,
    .n = sizeof workers_rows / sizeof workers_rows[0],
};

static err_t work(void *settings, const struct opts *o, struct errmsg *em)
{
    const struct workers_settings *w = settings;
    struct listing l;
    struct source *s;
    (void)o;
    err_t e = source_open(&s, &w->client, NULL, em);
    if (e)
        return e;
    listing_init(&l, w->client.json ? LISTING_JSON : LISTING_TABLE);
    l.unpack = true;
    l.empty = "no workers; start one with: tunefarm worker --broker ADDRESS";
    e = source_sql(s,
                   w->all ? "select * from worker order by joined, name"
                          : "select substr(id, 1, 8) as id, name, host, state, slots, running, "
                            "cpu, gpu, memory, labels, "
                            "joined, seen from worker where state in ('ready', 'draining') "
                            "order by joined, name",
                   NULL, 0, listing_row, &l, em);
    if (!e)
        e = listing_end(&l, em);
    listing_fini(&l);
    source_close(s);
    return e;
}

int cmd_workers(int argc, char **argv)
{
    struct workers_settings s;
    return client_main(&workers_table, &s, &s.client, argc, argv, 0, 0, work);
}
