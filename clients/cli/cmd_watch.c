/* `tunefarm watch`: the live view of a study that runs elsewhere.
 *
 * Called by main.c. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"
#include "command.h"
#include "follow.h"
#include "source.h"
#include "spec.h"

struct watch_settings {
    struct client client;
    bool quiet;
};
static const struct opt_row watch_rows[] = {
    {.name = "quiet",
     .letter = 'q',
     .type = OPT_FLAG,
     .offset = offsetof(struct watch_settings, quiet),
     .help = "Print the end only."},
    CLIENT_ROWS_READ(struct watch_settings),
};
static const struct opt_table watch_table = {
    .program = "tunefarm watch",
    .usage = "tunefarm watch [OPTION ...] STUDY\ntunefarm watch --db FILE",
    .summary = "follow a running study",
    .text = "Shows the progress of a study until it ends; Ctrl-C ends the watching, not the study. "
            "The output is that of tunefarm run.",
    .rows = watch_rows,
    .n = sizeof watch_rows / sizeof watch_rows[0],
};

static err_t on_only(void *self, const struct row *r, struct errmsg *em)
{
    char *name = self;
    if (!r->values)
        return errmsg_set(em, ERR_NOT_FOUND, "there is no study yet");
    if (name[0])
        return errmsg_set(em, ERR_INVALID, "there are several studies; name one");
    str_copyz(name, 129, row_text(r, "name"));
    return ERR_OK;
}

static err_t follow(struct source *s, struct brokerlink *l, const struct watch_settings *w,
                    const char *name, struct errmsg *em)
{
    struct study_row study;
    struct spec *spec = NULL;
    struct progress p;
    struct announce a;
    struct follow_config c = {.link = l, .study = name, .since = brokerlink_head(l), .signals = -1};
    enum follow_end end;
    int64_t began = clock_now();
    err_t e = source_study(s, name, &study, em);
    if (e)
        return e;
    e = spec_parse(str_of(study.spec), &spec, em);
    if (!e) {
        progress_init(&p, name, study.maximize, spec->stop.trials);
        progress_metric(&p, spec->objective.metric);
    }
    spec_free(spec);
    study_row_fini(&study);
    if (e)
        return e;
    e = follow_signals(&c.signals, em);
    if (e) {
        progress_fini(&p);
        return e;
    }
    announce_init(&a, w->client.json, w->quiet);
    e = follow_study(&c, &p, &a, &end, em);
    announce_fini(&a);
    if (a.mode == ANNOUNCE_LIVE)
        a.mode = ANNOUNCE_QUIET;
    if (!e)
        announce_end(&a, &p, (double)(clock_now() - began) / (double)NS_PER_S, NULL);
    progress_fini(&p);
    close(c.signals);
    return e ? e : end == FOLLOW_INTERRUPTED ? ERR_INTERRUPTED : ERR_OK;
}

static err_t work(void *settings, const struct opts *o, struct errmsg *em)
{
    const struct watch_settings *w = settings;
    struct source *s;
    struct brokerlink *l;
    char name[129] = "";
    if (o->n_operands)
        str_copyz(name, sizeof name, str_of(o->operands[0]));
    err_t e = source_open(&s, &w->client, o->n_operands ? name : NULL, em);
    if (e)
        return e;
    e = source_need_link(s, "watching", &l, em);
    if (!e && o->n_operands == 0)
        e = source_sql(s, "select name from study limit 2", NULL, 0, on_only, name, em);
    if (!e)
        e = follow(s, l, w, name, em);
    source_close(s);
    if (e == ERR_INTERRUPTED)
        return errmsg_set(em, e, "no longer watching; the study goes on");
    return e;
}

int cmd_watch(int argc, char **argv)
{
    struct watch_settings s;
    return client_main(&watch_table, &s, &s.client, argc, argv, 0, 1, work);
}
