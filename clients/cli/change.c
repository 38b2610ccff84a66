/* Sends the request and says what became of it: the state that the broker answers with, if it does,
 * as a trial that runs is not paused before its worker has let go of it.
 *
 * Called by the commands. */
#include "change.h"

#include <json-c/json.h>
#include <stdio.h>

#include "json.h"
#include "source.h"

struct wish {
    const char *study, *trial; /* as typed; trial NULL = the study */
    uint64_t number;
};

static union message request_of(const struct change *c, const struct wish *w, struct id128 id)
{
    union message m = {0};
    struct str study = str_of(w->study);
    bool one = w->trial != NULL;
    if (c->kind == MSG_CANCEL)
        m.cancel = (struct msg_cancel){id, study, one, w->number};
    else if (c->kind == MSG_PAUSE)
        m.pause = (struct msg_pause){id, study, one, w->number};
    else
        m.resume = (struct msg_resume){id, study, one, w->number};
    return m;
}

static void say(const struct change *c, const struct wish *w, const char *state, bool json)
{
    if (json && state)
        printf("{\"%s\":true,\"state\":\"%s\"}\n", c->done, state);
    else if (json)
        printf("{\"%s\":true}\n", c->done);
    else if (w->trial && c->kind == MSG_PAUSE && state && strcmp(state, "stopping") == 0)
        printf("trial %s of %s is being stopped, and is paused then\n", w->trial, w->study);
    else if (w->trial)
        printf("trial %s of %s is %s\n", w->trial, w->study, c->done);
    else
        printf("%s is %s\n", w->study, c->done);
}

static err_t change_it(struct brokerlink *l, const struct change *c, const struct wish *w,
                       bool json, struct errmsg *em)
{
    struct link_incoming answer;
    struct id128 id = brokerlink_request();
    union message m = request_of(c, w, id);
    err_t e = brokerlink_call(l, c->kind, &m, id, &answer, em);
    if (e)
        return e;
    struct json_object *v = NULL, *state;
    struct str text = answer.kind == MSG_REPLY ? answer.m.reply.text : (struct str){0};
    bool told = text.n && json_parse(text, JSON_STRICT, &v, NULL) == ERR_OK;
    state = told ? json_get(v, "state") : NULL;
    say(c, w, state ? json_object_get_string(state) : NULL, json);
    json_object_put(v);
    return ERR_OK;
}

static err_t work(void *settings, const struct opts *o, struct errmsg *em)
{
    const struct change_settings *s = settings;
    struct wish w = {.study = o->operands[0], .trial = o->n_operands > 1 ? o->operands[1] : NULL};
    struct source *from;
    struct brokerlink *l;
    struct study_row study = {0};
    err_t e = w.trial ? client_number(w.trial, "trial", &w.number, em) : ERR_OK;
    if (e)
        return e;
    e = source_open(&from, &s->client, w.study, em);
    if (e)
        return e;
    e = source_need_link(from, s->change->doing, &l, em);
    if (!e)
        e = source_study(from, w.study, &study, em);
    if (!e)
        e = change_it(l, s->change, &w, s->client.json, em);
    study_row_fini(&study);
    source_close(from);
    return e;
}

int change_main(const struct opt_table *t, const struct change *c, int argc, char **argv)
{
    struct change_settings s = {.change = c};
    return client_main(t, &s, &s.client, argc, argv, 1, 2, work);
}
