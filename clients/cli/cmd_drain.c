/* `tunefarm drain`: a worker takes nothing new, gives back what it runs, and ends.
 *
 * The worker is found among the connected ones by its name or the beginning of its id; the broker
 * is told the id. It answers when the worker has confirmed. Called by main.c. */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>

#include "alloc.h"
#include "clock.h"
#include "command.h"
#include "json.h"
#include "source.h"

#define ID_SHOWN 8

struct drain_settings {
    struct client client;
    bool now;
    int64_t deadline;
};
static const struct opt_row drain_rows[] = {
    {.name = "now",
     .type = OPT_FLAG,
     .offset = offsetof(struct drain_settings, now),
     .help = "Give everything back at once: programs are killed, and no checkpoint is waited for."},
    {.name = "deadline",
     .type = OPT_DURATION,
     .offset = offsetof(struct drain_settings, deadline),
     .initial = "0",
     .value = "TIME",
     .help = "The worker has to be gone by then; what runs is stopped so long before (10 s, or a "
             "third of a shorter time) that everything can be told to the broker. Default (0): "
             "running trials have the worker's own --drain-timeout."},
    CLIENT_ROWS_CHANGE(struct drain_settings),
};
static const struct opt_table drain_table = {
    .program = "tunefarm drain",
    .usage = "tunefarm drain [OPTION ...] WORKER",
    .summary = "let a worker leave",
    .text = "Has a worker leave in order, as SIGTERM on its machine would: it gets no new trials, "
            "programs are asked for a checkpoint if their study says how (objective.checkpoint), "
            "running trials may end for a while, the others are given back and run elsewhere, "
            "first in line, from their checkpoint; that counts as no failure and costs no retry. "
            "Then the process ends. WORKER is its name or the beginning of its id, as tunefarm "
            "workers shows them. The command returns when the worker has confirmed that it "
            "drains; `tunefarm workers` shows what it still runs.",
    .rows = drain_rows,
    .n = sizeof drain_rows / sizeof drain_rows[0],
};

struct found {
    char name[129], host[256], id[HEX_SIZE(16)];
};
struct search {
    const char *wanted;
    bool by_name; /* a name is meant, if one is the same */
    struct found *v;
    size_t n;
};

static void add(struct search *s, const struct row *r)
{
    s->v = alloc_grow(s->v, s->n + 1, sizeof *s->v);
    struct found *f = &s->v[s->n++];
    (void)str_copyz(f->name, sizeof f->name, row_text(r, "name"));
    (void)str_copyz(f->host, sizeof f->host, row_text(r, "host"));
    (void)str_copyz(f->id, sizeof f->id, row_text(r, "id"));
}

static err_t look_at(void *self, const struct row *r, struct errmsg *em)
{
    struct search *s = self;
    (void)em;
    if (!r->values)
        return ERR_OK;
    bool named = str_is(row_text(r, "name"), s->wanted);
    if (named && !s->by_name) {
        s->by_name = true;
        s->n = 0;
    }
    if (named || (!s->by_name && str_starts(row_text(r, "id"), s->wanted)))
        add(s, r);
    return ERR_OK;
}

static err_t several(const struct search *s, struct errmsg *em)
{
    struct buf list;
    buf_init(&list, 0);
    for (size_t i = 0; i < s->n && list.n < 300; i++)
        buf_printf(&list, "%s%.*s (%s)", i ? ", " : "", ID_SHOWN, s->v[i].id, s->v[i].name);
    if (list.n >= 300)
        buf_addz(&list, ", ...");
    err_t e =
        errmsg_set(em, ERR_INVALID, "%zu workers are meant by \"%.60s\": %s; name one by its id",
                   s->n, s->wanted, buf_z(&list));
    buf_fini(&list);
    return e;
}

static err_t find(struct source *from, struct search *s, struct errmsg *em)
{
    err_t e = source_sql(from,
                         "select name, host, id from worker where state in ('ready', 'draining') "
                         "order by joined, name",
                         NULL, 0, look_at, s, em);
    if (!e && s->n == 0)
        e = errmsg_set(em, ERR_NOT_FOUND,
                       "no worker has the name or id \"%.60s\"; tunefarm workers lists them",
                       s->wanted);
    if (!e && s->n > 1)
        e = several(s, em);
    return e;
}

static void say(const struct found *f, const char *state, bool json)
{
    if (!json) {
        printf("worker %s (%.*s) %s\n", f->name, ID_SHOWN, f->id,
               strcmp(state, "left") == 0 ? "has left" : "drains");
        return;
    }
    struct buf b;
    struct jsonw j;
    buf_init(&b, 0);
    jsonw_init(&j, &b);
    jsonw_object(&j);
    jsonw_kstr(&j, "worker", str_of(f->name));
    jsonw_kstr(&j, "id", str_of(f->id));
    jsonw_kstr(&j, "state", str_of(state));
    jsonw_end(&j);
    puts(buf_z(&b));
    buf_fini(&b);
}

static err_t drain(struct brokerlink *l, const struct drain_settings *s, const struct found *f,
                   struct errmsg *em)
{
    struct link_incoming answer;
    struct msg_drain_worker m = {.request = brokerlink_request(),
                                 .deadline_ms = (uint64_t)(s->deadline / NS_PER_MS),
                                 .at_once = s->now};
    if (!str_from_hex(str_of(f->id), m.worker.b, sizeof m.worker.b))
        return errmsg_set(em, ERR_INVALID, "the farm gave the id \"%s\", which is none", f->id);
    err_t e = brokerlink_call(l, MSG_DRAIN_WORKER, &m, m.request, &answer, em);
    if (e)
        return e;
    struct json_object *v = NULL, *state = NULL;
    if (answer.kind == MSG_REPLY && answer.m.reply.text.n &&
        json_parse(answer.m.reply.text, JSON_STRICT, &v, NULL) == ERR_OK)
        state = json_get(v, "state");
    say(f, state ? json_object_get_string(state) : "draining", s->client.json);
    json_object_put(v);
    return ERR_OK;
}

static err_t work(void *settings, const struct opts *o, struct errmsg *em)
{
    const struct drain_settings *s = settings;
    struct search search = {.wanted = o->operands[0]};
    struct source *from;
    struct brokerlink *l;
    if (!search.wanted[0])
        return errmsg_set(em, ERR_INVALID, "expected a worker's name or id, found nothing");
    if (s->now && s->deadline > 0)
        return errmsg_set(em, ERR_INVALID, "--now and --deadline exclude one another");
    err_t e = source_open(&from, &s->client, NULL, em);
    if (e)
        return e;
    e = source_need_link(from, "draining", &l, em);
    if (!e)
        e = find(from, &search, em);
    if (!e)
        e = drain(l, s, &search.v[0], em);
    free(search.v);
    source_close(from);
    return e;
}

int cmd_drain(int argc, char **argv)
{
    struct drain_settings s;
    return client_main(&drain_table, &s, &s.client, argc, argv, 1, 1, work);
}
