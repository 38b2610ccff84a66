/* `tunefarm submit`: gives a study to a farm and returns.
 *
 * Called by main.c. */
#include <stdio.h>

#include "command.h"
#include "source.h"
#include "studycheck.h"
#include "upload.h"

struct submit_settings {
    struct client client;
    const char *trials;
    bool edit;
};
static const struct opt_row submit_rows[] = {
    {.name = "trials",
     .letter = 't',
     .type = OPT_STR,
     .offset = offsetof(struct submit_settings, trials),
     .value = "N",
     .help = "How many trials; takes the place of stop.trials."},
    {.name = "edit",
     .type = OPT_FLAG,
     .offset = offsetof(struct submit_settings, edit),
     .help = "Go on with a study although what it searches has changed."},
    CLIENT_ROWS_CHANGE(struct submit_settings),
};
static const struct opt_table submit_table = {
    .program = "tunefarm submit",
    .usage = "tunefarm submit [OPTION ...] STUDY.yaml",
    .summary = "give a study to a farm",
    .text = "Brings the study and its files to the farm and returns. A study of this name that "
            "searches the same goes on, also when it had ended; one that searches something else "
            "is refused, unless --edit is given.",
    .rows = submit_rows,
    .n = sizeof submit_rows / sizeof submit_rows[0],
};

static err_t submit(struct source *s, const struct studyfile *f, const struct submit_settings *b,
                    struct errmsg *em)
{
    struct brokerlink *l;
    struct submitted done;
    err_t e = source_need_link(s, "submitting", &l, em);
    if (!e)
        e = upload_study(l, f, b->edit, true, &done, em);
    if (e)
        return e;
    struct str name = f->spec->study;
    if (b->client.json)
        printf("{\"study\":\"" STR_FMT "\",\"number\":%llu,\"continued\":%s}\n", STR_ARG(name),
               (unsigned long long)done.number, done.continued ? "true" : "false");
    else
        printf(STR_FMT " (study %llu) %s; watch it with: tunefarm watch " STR_FMT "%s%s\n",
               STR_ARG(name), (unsigned long long)done.number,
               done.continued ? "goes on" : "is submitted", STR_ARG(name),
               b->client.db       ? " --db "
               : b->client.broker ? " --broker "
                                  : "",
               b->client.db       ? b->client.db
               : b->client.broker ? b->client.broker
                                  : "");
    return ERR_OK;
}

static err_t work(void *settings, const struct opts *o, struct errmsg *em)
{
    const struct submit_settings *b = settings;
    struct study_changes c = {.has_trials = b->trials != NULL};
    struct studyfile f;
    struct source *s;
    char name[129];
    if (b->trials) {
        err_t bad = client_number(b->trials, "number of trials", &c.trials, em);
        if (bad)
            return bad;
    }
    err_t e = studyfile_load(&f, o->operands[0], &c, em);
    if (e)
        return e;
    str_copyz(name, sizeof name, f.spec->study);
    e = studycheck(&f, em);
    if (!e)
        e = source_open(&s, &b->client, name, em);
    if (!e) {
        studycheck_files(&f);
        e = submit(s, &f, b, em);
        source_close(s);
    }
    studyfile_fini(&f);
    return e;
}

int cmd_submit(int argc, char **argv)
{
    struct submit_settings s;
    return client_main(&submit_table, &s, &s.client, argc, argv, 1, 1, work);
}
