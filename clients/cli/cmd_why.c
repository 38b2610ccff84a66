/* `tunefarm why`: why a trial was proposed, and what was known around it then.
 *
 * Called by main.c. "Then" is exact: a trial had ended if its last event stands in the journal at
 * or before the one the proposal was based on. Neighbours are compared in the space of the present
 * specification; what does not fit it has none. */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>

#include "alloc.h"
#include "cell.h"
#include "command.h"
#include "json.h"
#include "neighbours.h"
#include "reason.h"
#include "source.h"
#include "spec.h"

#define PAGE        1000
#define DIFFERENCES 3

struct why_settings {
    struct client client;
};
static const struct opt_row why_rows[] = {CLIENT_ROWS_READ(struct why_settings)};
static const struct opt_table why_table = {
    .program = "tunefarm why",
    .usage = "tunefarm why [OPTION ...] STUDY TRIAL",
    .summary = "tell why a trial was proposed",
    .text =
        "Tells which part of the sampler proposed a trial, on how many results and how far behind, "
        "how much denser its surroundings are with good trials than with others, and which of the "
        "trials that had ended by then are nearest to it, with their losses and the parameters "
        "that differ most. Distances are those of the search space: logarithms for log "
        "parameters, equal or not for choices; 0 is the same point, 1 the opposite in everything. "
        "Of a point that a person gave it says how and when.",
    .rows = why_rows,
    .n = sizeof why_rows / sizeof why_rows[0],
};

struct why {
    struct source *s;
    struct study_row study;
    struct spec *spec;
    uint64_t trial;
    struct json_object *row;    /* the trial's columns, by name; owned */
    struct json_object *params; /* owned, as is the next */
    struct json_object *why;
    double *point;
    bool placed;    /* the point is in the present space */
    bool given;     /* by a person */
    bool from_file; /* given: when the study was created */
    int64_t seq;    /* of the last event that was known */
    uint64_t ended; /* trials that had ended with a result by then */
    struct neighbours near;
    int64_t page_last;
};

static err_t on_trial(void *self, const struct row *r, struct errmsg *em)
{
    struct why *y = self;
    (void)em;
    if (!r->values)
        return ERR_OK;
    y->row = json_object_new_object();
    for (size_t i = 0; i < r->n; i++) {
        char *name = str_dupz(r->columns[i]);
        json_object_object_add(y->row, name,
                               json_object_get(json_object_array_get_idx(r->values, i)));
        free(name);
    }
    return ERR_OK;
}

static struct str text_of(const struct why *y, const char *column)
{
    return str_of(json_object_get_string(json_get(y->row, column)));
}

/* The trial, and whether a person gave it: such a one has no draw. Those of the study file come
 * into being together with the study. */
static err_t read_trial(struct why *y, struct errmsg *em)
{
    char query[512];
    snprintf(query, sizeof query,
             "select t.number, t.state, t.loss, t.params, t.why, t.draw, t.based_on, t.behind, "
             "t.created, t.created = s.created as at_once from trial t join study s on s.name = "
             "t.study where t.study = '%s' and t.number = %llu",
             y->study.name, (unsigned long long)y->trial);
    err_t e = source_sql(y->s, query, NULL, 0, on_trial, y, em);
    if (!e && !y->row)
        e = source_no_trial(&y->study, y->trial, em);
    if (e)
        return e;
    y->given = !json_get(y->row, "draw");
    y->from_file = json_object_get_int(json_get(y->row, "at_once")) != 0;
    if (json_parse(text_of(y, "why"), JSON_NONFINITE, &y->why, NULL))
        y->why = NULL;
    if (json_parse(text_of(y, "params"), JSON_NONFINITE, &y->params, NULL))
        y->params = NULL;
    return ERR_OK;
}

static err_t read_space(struct why *y, struct errmsg *em)
{
    err_t e = spec_parse(str_of(y->study.spec), &y->spec, em);
    if (e)
        return errmsg_wrap(em, e, "the specification of %s", y->study.name);
    y->point = alloc_array((size_t)y->spec->space->n + 1, sizeof *y->point);
    y->placed = space_read(y->spec->space, y->params, y->point, NULL) == ERR_OK;
    return ERR_OK;
}

static err_t on_seq(void *self, const struct row *r, struct errmsg *em)
{
    (void)em;
    if (r->values)
        *(int64_t *)self = row_int(r, "seq", 0);
    return ERR_OK;
}

/* The farm's number of the last event that the proposal knew; of a given point, of its own. */
static err_t read_place(struct why *y, struct errmsg *em)
{
    char query[400];
    if (y->given)
        snprintf(query, sizeof query,
                 "select seq from event where study = %llu and study > 0 and kind = 'enqueued' and "
                 "trial = %llu limit 1",
                 (unsigned long long)y->study.number, (unsigned long long)y->trial);
    else
        snprintf(query, sizeof query,
                 "select seq from event where study = %llu and study > 0 and study_seq <= %lld "
                 "order by study_seq desc limit 1",
                 (unsigned long long)y->study.number,
                 (long long)json_object_get_int64(json_get(y->row, "based_on")));
    return source_sql(y->s, query, NULL, 0, on_seq, &y->seq, em);
}

static err_t on_ended(void *self, const struct row *r, struct errmsg *em)
{
    struct why *y = self;
    struct neighbour n = {.trial = (uint64_t)row_int(r, "number", 0),
                          .loss = row_number(r, "loss")};
    (void)em;
    if (!r->values)
        return ERR_OK;
    y->page_last = (int64_t)n.trial;
    y->ended++;
    str_copyz(n.state, sizeof n.state, row_text(r, "state"));
    if (y->placed)
        (void)neighbours_offer(&y->near, &n, row_text(r, "params"));
    return ERR_OK;
}

static err_t read_ended(struct why *y, struct errmsg *em)
{
    char query[400];
    uint64_t n;
    err_t e = ERR_OK;
    y->page_last = -1;
    neighbours_init(&y->near, y->spec->space, y->point);
    do {
        snprintf(query, sizeof query,
                 "select number, state, loss, params from trial where study = '%s' and number > "
                 "%lld and state in ('complete', 'pruned') and loss is not null and seq <= %lld "
                 "order by number limit %d",
                 y->study.name, (long long)y->page_last, (long long)y->seq, PAGE);
        e = source_page(y->s, query, &n, on_ended, y, em);
    } while (!e && n > 0);
    return e;
}

/* ---- for people ---- */

static void add_value(const struct param *p, double v, struct buf *out)
{
    if (v != v) {
        buf_addz(out, "none");
        return;
    }
    struct buf text;
    double number;
    buf_init(&text, 0);
    param_value_text(p, v, &text);
    if (p->kind != PARAM_CHOICE && str_to_f64(buf_str(&text), &number))
        cell_number(out, number, 4);
    else
        cell_text(out, buf_str(&text), 40, true);
    buf_fini(&text);
}

static void add_neighbour(const struct why *y, size_t i, struct buf *out)
{
    const struct neighbour *n = &y->near.v[i];
    uint32_t params[DIFFERENCES];
    size_t k = neighbours_differences(&y->near, i, params, DIFFERENCES);
    buf_printf(out, "    trial %llu, loss ", (unsigned long long)n->trial);
    cell_number(out, n->loss, 6);
    if (strcmp(n->state, "complete") != 0)
        buf_printf(out, " (%s)", n->state);
    buf_addz(out, ", distance ");
    cell_number(out, n->distance, 2);
    if (k == 0)
        buf_addz(out, ": the same point");
    for (size_t j = 0; j < k; j++) {
        const struct param *p = &y->spec->space->params[params[j]];
        buf_addz(out, j ? ", " : ": ");
        cell_text(out, p->name, 40, true);
        buf_addc(out, ' ');
        add_value(p, n->point[params[j]], out);
        buf_addz(out, " (here ");
        add_value(p, y->point[params[j]], out);
        buf_addc(out, ')');
    }
    buf_addc(out, '\n');
}

static void add_neighbours(const struct why *y, struct buf *out)
{
    if (!y->placed)
        buf_addz(out, "  Its point is not in the space of today, so it has no neighbours there.\n");
    else if (y->near.n == 0)
        buf_addz(out, "  No trial had ended with a result by then.\n");
    else
        buf_addz(out, "  Nearest of the trials that had ended by then:\n");
    for (size_t i = 0; i < y->near.n; i++)
        add_neighbour(y, i, out);
}

static void add_outcome(const struct why *y, struct buf *out)
{
    struct json_object *loss = json_get(y->row, "loss");
    buf_addz(out, "  It is ");
    cell_text(out, text_of(y, "state"), 20, true);
    if (loss) {
        buf_addz(out, ", with a loss of ");
        cell_json(out, loss, 6);
    }
    buf_addz(out, ".\n");
}

static void add_given(const struct why *y, struct buf *out)
{
    buf_printf(out, "trial %llu of %s was not proposed: a person gave the point, ",
               (unsigned long long)y->trial, y->study.name);
    buf_printf(out, "%s, on " STR_FMT ".\n",
               y->from_file ? "in `enqueue` of the study file" : "by `tunefarm enqueue` or an edit",
               STR_ARG(text_of(y, "created")));
}

static void add_proposed(const struct why *y, struct buf *out)
{
    int64_t behind = json_object_get_int64(json_get(y->row, "behind"));
    buf_printf(out, "trial %llu of %s was proposed (draw %lld) when ", (unsigned long long)y->trial,
               y->study.name, (long long)json_object_get_int64(json_get(y->row, "draw")));
    buf_printf(out, "%llu %s ended with a result.\n", (unsigned long long)y->ended,
               y->ended == 1 ? "trial had" : "trials had");
    if (behind == 0)
        buf_addz(out, "  It was not behind: no trial was without a result.\n");
    else
        buf_printf(out, "  It was %lld result%s behind: so many trials were still without one.\n",
                   (long long)behind, behind == 1 ? "" : "s");
    reason_explain(y->why, out);
}

static void tell(const struct why *y, struct buf *out)
{
    if (y->given)
        add_given(y, out);
    else
        add_proposed(y, out);
    add_neighbours(y, out);
    add_outcome(y, out);
}

/* ---- for programs ---- */

static void json_value(struct jsonw *w, const struct param *p, const char *key, double v)
{
    jsonw_keyz(w, key);
    if (v != v)
        jsonw_null(w);
    else if (p->kind == PARAM_CHOICE)
        jsonw_raw(w, p->options[(uint32_t)v].json);
    else
        jsonw_f64(w, v);
}

static void json_neighbour(const struct why *y, size_t i, struct jsonw *w)
{
    const struct neighbour *n = &y->near.v[i];
    uint32_t params[DIFFERENCES];
    size_t k = neighbours_differences(&y->near, i, params, DIFFERENCES);
    jsonw_object(w);
    jsonw_ku64(w, "trial", n->trial);
    jsonw_kstr(w, "state", str_of(n->state));
    jsonw_kf64(w, "loss", n->loss);
    jsonw_kf64(w, "distance", n->distance);
    jsonw_keyz(w, "differs");
    jsonw_array(w);
    for (size_t j = 0; j < k; j++) {
        const struct param *p = &y->spec->space->params[params[j]];
        jsonw_object(w);
        jsonw_kstr(w, "name", p->name);
        json_value(w, p, "there", n->point[params[j]]);
        json_value(w, p, "here", y->point[params[j]]);
        jsonw_end(w);
    }
    jsonw_end(w);
    jsonw_end(w);
}

static void json_member(struct jsonw *w, const char *key, struct json_object *v)
{
    struct buf text;
    buf_init(&text, 0);
    jsonw_keyz(w, key);
    if (v)
        json_write(&text, v);
    else
        buf_addz(&text, "null");
    jsonw_raw(w, buf_str(&text));
    buf_fini(&text);
}

static void tell_json(const struct why *y, struct buf *out)
{
    static const char *const columns[] = {"state", "loss", "draw", "based_on", "behind", "created"};
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w);
    jsonw_kstr(&w, "study", str_of(y->study.name));
    jsonw_ku64(&w, "trial", y->trial);
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        json_member(&w, columns[i], json_get(y->row, columns[i]));
    json_member(&w, "params", y->params);
    jsonw_keyz(&w, "given");
    if (y->given)
        jsonw_str(&w, y->from_file ? STR("study file") : STR("command"));
    else
        jsonw_null(&w);
    json_member(&w, "why", y->why);
    jsonw_ku64(&w, "ended", y->ended);
    jsonw_keyz(&w, "nearest");
    jsonw_array(&w);
    for (size_t i = 0; i < y->near.n; i++)
        json_neighbour(y, i, &w);
    jsonw_end(&w);
    jsonw_end(&w);
    buf_addc(out, '\n');
}

/* ---- the command ---- */

static err_t read_all(struct why *y, const char *name, struct errmsg *em)
{
    err_t e = source_study(y->s, name, &y->study, em);
    if (!e)
        e = read_trial(y, em);
    if (!e)
        e = read_space(y, em);
    if (!e)
        e = read_place(y, em);
    return e ? e : read_ended(y, em);
}

static void why_fini(struct why *y)
{
    neighbours_fini(&y->near);
    free(y->point);
    spec_free(y->spec);
    json_object_put(y->row);
    json_object_put(y->params);
    json_object_put(y->why);
    study_row_fini(&y->study);
    source_close(y->s);
}

static err_t work(void *settings, const struct opts *o, struct errmsg *em)
{
    const struct client *c = &((struct why_settings *)settings)->client;
    struct why y = {0};
    struct buf out;
    err_t e = client_number(o->operands[1], "trial", &y.trial, em);
    if (!e)
        e = source_open(&y.s, c, o->operands[0], em);
    if (e)
        return e;
    buf_init(&out, 0);
    e = read_all(&y, o->operands[0], em);
    if (!e && c->json)
        tell_json(&y, &out);
    else if (!e)
        tell(&y, &out);
    if (!e)
        e = client_print(&out, em);
    buf_fini(&out);
    why_fini(&y);
    return e;
}

int cmd_why(int argc, char **argv)
{
    struct why_settings s;
    return client_main(&why_table, &s, &s.client, argc, argv, 2, 2, work);
}
