/* `tunefarm workers`: who runs trials, with what, and since when.
 *
 * Called by main.c. */
#include <unistd.h>

#include "command.h"
#include "listing.h"
#include "stats.h"

struct workers_settings {
    struct client client;
    bool all, stats;
};
static const struct opt_row workers_rows[] = {
    {.name = "all",
     .letter = 'a',
     .type = OPT_FLAG,
     .offset = offsetof(struct workers_settings, all),
     .help = "Also those that have left."},
    {.name = "stats",
     .letter = 's',
     .type = OPT_FLAG,
     .offset = offsetof(struct workers_settings, stats),
     .help =
         "What was refused, came again or was missed since the broker's start, for the farm and "
         "for each peer that is connected."},
    CLIENT_ROWS_READ(struct workers_settings),
};
static const struct opt_table workers_table = {
    .program = "tunefarm workers",
    .usage = "tunefarm workers [OPTION ...]",
    .summary = "list workers",
    .text = "Lists the workers of the farm: the beginning of their ids, their state (ready, "
            "draining), slots, running trials, resources and labels. With --stats it shows "
            "counters in their place: every message that was refused or repeated, by cause. They "
            "are kept in memory, so they begin at 0 when the broker (for what workers count: the "
            "worker) starts. --json prints all of them, those that are 0 too.",
    .rows = workers_rows,
    .n = sizeof workers_rows / sizeof workers_rows[0],
};

static err_t show_stats(struct source *s, bool json, struct errmsg *em)
{
    struct stats stats;
    struct buf out = {0};
    struct screen screen = client_screen(STDOUT_FILENO);
    err_t e = stats_fetch(&stats, s, em);
    if (!e && json)
        stats_json(&stats, &out);
    else if (!e)
        stats_table(&stats, &out, screen.width, screen.utf8 || !screen.tty);
    if (!e)
        e = client_print(&out, em);
    stats_fini(&stats);
    buf_fini(&out);
    return e;
}

static err_t work(void *settings, const struct opts *o, struct errmsg *em)
{
    const struct workers_settings *w = settings;
    struct listing l;
    struct source *s;
    (void)o;
    err_t e = source_open(&s, &w->client, NULL, em);
    if (e)
        return e;
    if (w->stats) {
        e = show_stats(s, w->client.json, em);
        source_close(s);
        return e;
    }
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
