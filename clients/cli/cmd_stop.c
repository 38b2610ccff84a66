/* `tunefarm stop`: no more trials of a study, and its running ones end; or one trial ends.
 *
 * Called by main.c. */
#include <stdio.h>

#include "command.h"
#include "source.h"

struct stop_settings {
    struct client client;
};
static const struct opt_row stop_rows[] = {CLIENT_ROWS_CHANGE(struct stop_settings)};
static const struct opt_table stop_table = {
    .program = "tunefarm stop",
    .usage = "tunefarm stop [OPTION ...] STUDY [TRIAL]",
    .summary = "stop a study or a trial",
    .text =
        "Stops a study: nothing new is proposed, waiting trials are cancelled, running ones are "
        "ended. With a trial's number only that trial is cancelled. A stopped study goes on "
        "when it is run or submitted again.",
    .rows = stop_rows,
    .n = sizeof stop_rows / sizeof stop_rows[0],
};

static err_t stop_it(struct brokerlink *l, const struct opts *o, const struct client *c,
                     struct errmsg *em)
{
    struct msg_cancel m = {
        .request = brokerlink_request(), .study = str_of(o->operands[0]), .one = o->n_operands > 1};
    err_t e = m.one ? client_number(o->operands[1], "trial", &m.trial, em) : ERR_OK;
    if (!e)
        e = brokerlink_call(l, MSG_CANCEL, &m, m.request, NULL, em);
    if (e)
        return e;
    if (c->json)
        printf("{\"stopped\":true}\n");
    else if (m.one)
        printf("trial %s of %s is stopped\n", o->operands[1], o->operands[0]);
    else
        printf("%s is stopped\n", o->operands[0]);
    return ERR_OK;
}

static err_t work(void *settings, const struct opts *o, struct errmsg *em)
{
    const struct client *c = &((struct stop_settings *)settings)->client;
    struct source *s;
    struct brokerlink *l;
    struct study_row study = {0};
    err_t e = source_open(&s, c, o->operands[0], em);
    if (e)
        return e;
    e = source_need_link(s, "stopping", &l, em);
    if (!e)
        e = source_study(s, o->operands[0], &study, em);
    if (!e)
        e = stop_it(l, o, c, em);
    study_row_fini(&study);
    source_close(s);
    return e;
}

int cmd_stop(int argc, char **argv)
{
    struct stop_settings s;
    return client_main(&stop_table, &s, &s.client, argc, argv, 1, 2, work);
}
