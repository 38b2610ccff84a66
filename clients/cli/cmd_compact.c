/* `tunefarm compact`: intermediate reports that nothing rests on are dropped.
 *
 * Called by main.c. */
#include <json-c/json.h>
#include <stdio.h>

#include "command.h"
#include "source.h"
#include "longcall.h"

struct compact_settings {
    struct client client;
};
static const struct opt_row compact_rows[] = {CLIENT_ROWS_CHANGE(struct compact_settings)};
static const struct opt_table compact_table = {
    .program = "tunefarm compact",
    .usage = "tunefarm compact [OPTION ...] [STUDY]",
    .summary = "drop intermediate reports of finished trials",
    .text = "Drops intermediate reports of STUDY, or of every study that has ended, from the "
            "journal: those of final trials that no decision rests on. Kept are all trials, "
            "proposals, decisions, results and errors, and of each attempt the last report, those "
            "at decision steps and that at which it was stopped. So everything but the curves "
            "stays as it is: best, export, why and replay say what they said before. Of a study "
            "that goes on the unfinished trials are left alone.\n\n"
            "It is done by the broker between commits; tunefarm backup first, if the curves may be "
            "wanted again.",
    .rows = compact_rows,
    .n = sizeof compact_rows / sizeof compact_rows[0],
};

static void say(bool json, struct json_object *answer)
{
    unsigned long long studies = longcall_number(answer, "studies");
    unsigned long long dropped = longcall_number(answer, "dropped");
    unsigned long long free_bytes = longcall_number(answer, "free");
    if (json)
        printf("{\"compacted\":true,\"studies\":%llu,\"dropped\":%llu,\"free\":%llu}\n", studies,
               dropped, free_bytes);
    else
        printf("%llu report%s of %llu stud%s dropped\n", dropped, dropped == 1 ? "" : "s", studies,
               studies == 1 ? "y" : "ies");
    if (!json && free_bytes >> 20)
        printf("%llu MiB of the file are free, and will be used again\n", free_bytes >> 20);
}

static err_t work(void *settings, const struct opts *o, struct errmsg *em)
{
    const struct compact_settings *s = settings;
    const char *study = o->n_operands ? o->operands[0] : NULL;
    struct source *from;
    struct brokerlink *l;
    struct json_object *answer = NULL;
    struct study_row row = {0};
    err_t e = source_open(&from, &s->client, study, em);
    if (e != ERR_OK)
        return e;
    e = source_need_link(from, "compacting", &l, em);
    if (e == ERR_OK && study)
        e = source_study(from, study, &row, em);
    if (e == ERR_OK) {
        struct msg_compact m = {.request = brokerlink_request(), .study = str_of(study)};
        e = longcall(l, MSG_COMPACT, &m, m.request, "compaction", &answer, em);
    }
    if (e == ERR_OK)
        say(s->client.json, answer);
    json_object_put(answer);
    study_row_fini(&row);
    source_close(from);
    return e;
}

int cmd_compact(int argc, char **argv)
{
    struct compact_settings s;
    return client_main(&compact_table, &s, &s.client, argc, argv, 0, 1, work);
}
