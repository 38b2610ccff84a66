/* `tunefarm enqueue`: a point of the user's own choice, run before anything that is proposed. It is
 * checked against the study's space and completed here, because the broker knows nothing of search.
 *
 * Called by main.c. */
#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "alloc.h"
#include "command.h"
#include "json.h"
#include "source.h"
#include "spec.h"

struct enqueue_settings {
    struct client client;
    const char *point;
};
static const struct opt_row enqueue_rows[] = {
    {.name = "params",
     .letter = 'p',
     .type = OPT_STR,
     .offset = offsetof(struct enqueue_settings, point),
     .value = "JSON",
     .help = "The point as a JSON object, in place of NAME=VALUE arguments."},
    CLIENT_ROWS_CHANGE(struct enqueue_settings),
};
static const struct opt_table enqueue_table = {
    .program = "tunefarm enqueue",
    .usage = "tunefarm enqueue [OPTION ...] STUDY NAME=VALUE ...\n"
             "tunefarm enqueue [OPTION ...] STUDY --params '{\"NAME\": VALUE, ...}'",
    .summary = "run a point of your own choice",
    .text =
        "Adds a trial with these parameters; it runs before new proposals. Each value must be one "
        "that the study's space allows. Parameters that are not given are drawn from their priors "
        "and told; one that depends on another needs that one given too. Short names may be used "
        "where they are unique. Points that should run first of all belong into `enqueue` of the "
        "study file.",
    .rows = enqueue_rows,
    .n = sizeof enqueue_rows / sizeof enqueue_rows[0],
};

/* A value as a person types it: a number where the parameter is one; the option's text of a choice.
 */
static struct json_object *value_of(const struct param *p, struct str text)
{
    double number;
    struct json_object *v = NULL;
    for (uint32_t i = 0; p->kind == PARAM_CHOICE && i < p->n_options; i++)
        if (str_eq(p->options[i].text, text) &&
            json_parse(p->options[i].json, JSON_NONFINITE, &v, NULL) == ERR_OK)
            return v;
    if (p->kind != PARAM_CHOICE && str_to_f64(text, &number) &&
        json_parse(text, JSON_STRICT, &v, NULL) == ERR_OK)
        return v;
    return json_object_new_string_len(text.p, (int)text.n);
}

/* A name that is not in the space is told by space_complete(), with the nearest that is. */
static err_t add_pair(const struct space *space, struct json_object *point, const char *pair,
                      struct errmsg *em)
{
    const char *eq = strchr(pair, '=');
    if (!eq || eq == pair)
        return errmsg_set(em, ERR_INVALID, "\"%.80s\": expected NAME=VALUE", pair);
    struct str name = str_make(pair, (size_t)(eq - pair));
    int i = space_find(space, name);
    char *key = str_dupz(i < 0 ? name : space->params[i].name);
    bool twice = json_get(point, key) != NULL;
    if (!twice)
        json_object_object_add(point, key,
                               i < 0 ? json_object_new_string(eq + 1)
                                     : value_of(&space->params[i], str_of(eq + 1)));
    free(key);
    if (twice)
        return errmsg_set(em, ERR_INVALID, "the parameter \"" STR_FMT "\" is given twice",
                          STR_ARG(name));
    return ERR_OK;
}

static err_t read_point(const struct space *space, const struct enqueue_settings *q,
                        const struct opts *o, struct json_object **point, struct errmsg *em)
{
    if (q->point && o->n_operands > 1)
        return errmsg_set(em, ERR_INVALID, "give either --params or NAME=VALUE arguments");
    if (q->point) {
        err_t e = json_parse(str_of(q->point), JSON_STRICT, point, em);
        return e ? errmsg_wrap(em, e, "--params") : ERR_OK;
    }
    *point = json_object_new_object();
    for (size_t i = 1; i < o->n_operands; i++) {
        err_t e = add_pair(space, *point, o->operands[i], em);
        if (e)
            return e;
    }
    return ERR_OK;
}

struct whole_point {
    struct buf params; /* in the space's own spelling */
    struct buf drawn;  /* names and values of those that were not given, for people */
};

static void note_drawn(const struct space *space, struct json_object *given, const double *values,
                       struct buf *out)
{
    for (uint32_t i = 0; i < space->n; i++) {
        const struct param *p = &space->params[i];
        if (isnan(values[i]) || json_object_object_get_ex(given, p->name.p, NULL) ||
            json_object_object_get_ex(given, p->short_name.p, NULL))
            continue;
        buf_printf(out, "%s" STR_FMT "=", out->n ? " " : "", STR_ARG(p->name));
        param_value_text(p, values[i], out);
    }
}

/* Repeated, the same values given lead to other ones drawn. */
static err_t complete_point(const struct spec *spec, const struct enqueue_settings *q,
                            const struct opts *o, uint64_t trials, struct whole_point *out,
                            struct errmsg *em)
{
    struct json_object *given = NULL;
    double *values = alloc_array((size_t)spec->space->n + 1, sizeof *values);
    err_t e = read_point(spec->space, q, o, &given, em);
    if (!e && spec->space->n && json_object_is_type(given, json_type_object) &&
        json_object_object_length(given) == 0)
        e = errmsg_set(em, ERR_INVALID,
                       "the point is empty; expected NAME=VALUE for at least one "
                       "parameter");
    if (!e)
        e = space_complete(spec->space, given, trials, values, em);
    if (!e) {
        space_write(spec->space, values, &out->params);
        note_drawn(spec->space, given, values, &out->drawn);
    }
    json_object_put(given);
    free(values);
    return e;
}

static void tell(const struct enqueue_settings *q, const char *study, uint64_t trial,
                 struct whole_point *p)
{
    if (q->client.json) {
        printf("{\"trial\":%llu,\"params\":%s}\n", (unsigned long long)trial, buf_z(&p->params));
        return;
    }
    printf("trial %llu of %s waits for a slot\n", (unsigned long long)trial, study);
    if (p->drawn.n)
        printf("drawn from the priors: %s\n", buf_z(&p->drawn));
}

static err_t send_point(struct brokerlink *l, const char *study, const struct whole_point *p,
                        uint64_t *trial, struct errmsg *em)
{
    struct link_incoming answer;
    struct msg_enqueue m = {
        .request = brokerlink_request(), .study = str_of(study), .params = buf_str(&p->params)};
    err_t e = brokerlink_call(l, MSG_ENQUEUE, &m, m.request, &answer, em);
    if (!e)
        *trial = answer.m.reply.number;
    return e;
}

static err_t enqueue(struct source *s, const struct enqueue_settings *q, const struct opts *o,
                     struct errmsg *em)
{
    struct brokerlink *l;
    struct study_row study = {0};
    struct spec *spec = NULL;
    struct whole_point p;
    uint64_t trial = 0;
    buf_init(&p.params, 65536);
    buf_init(&p.drawn, 0);
    err_t e = source_need_link(s, "enqueueing", &l, em);
    if (!e)
        e = source_study(s, o->operands[0], &study, em);
    if (!e)
        e = spec_parse(str_of(study.spec), &spec, em);
    if (!e)
        e = complete_point(spec, q, o, study.trials, &p, em);
    if (!e)
        e = send_point(l, o->operands[0], &p, &trial, em);
    if (!e)
        tell(q, o->operands[0], trial, &p);
    spec_free(spec);
    study_row_fini(&study);
    buf_fini(&p.params);
    buf_fini(&p.drawn);
    return e;
}

static err_t work(void *settings, const struct opts *o, struct errmsg *em)
{
    const struct enqueue_settings *q = settings;
    struct source *s;
    err_t e = source_open(&s, &q->client, o->operands[0], em);
    if (e)
        return e;
    e = enqueue(s, q, o, em);
    source_close(s);
    return e;
}

int cmd_enqueue(int argc, char **argv)
{
    struct enqueue_settings s;
    return client_main(&enqueue_table, &s, &s.client, argc, argv, 1, SIZE_MAX, work);
}
