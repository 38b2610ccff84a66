/* Decides where to ask, so that `tunefarm best digits-mlp` means what a person expects: the farm
 * that was named, or the database that `tunefarm run` left in this directory, or the run that works
 * on it right now.
 *
 * Called by every command that reads. Knows the two ways to ask, and no question but the one for a
 * study by name. */
#include "source.h"

#include <glob.h>
#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "addrfile.h"
#include "alloc.h"
#include "clock.h"
#include "dbfile.h"
#include "json.h"
#include "linkrows.h"
#include "nearest.h"

struct source {
    struct brokerlink *link; /* one of these two */
    struct dbfile *file;
    char *name;
};

static err_t open_link(struct source *s, const struct client *c, const char *endpoint,
                       struct errmsg *em)
{
    struct brokerlink_config config = {
        .endpoint = endpoint,
        .key = c->key,
        .connect_ns = c->timeout < 5 * NS_PER_S ? c->timeout : 5 * NS_PER_S,
        .answer_ns = c->timeout,
    };
    s->name = str_dupz(str_of(endpoint));
    return brokerlink_open(&s->link, &config, em);
}

static err_t open_db(struct source *s, const struct client *c, const char *path, struct errmsg *em)
{
    char endpoint[512];
    if (addrfile_find(path, endpoint, sizeof endpoint))
        return open_link(s, c, endpoint, em);
    s->name = str_dupz(str_of(path));
    return dbfile_open(&s->file, path, em);
}

/* Of several databases the one on which a run works, if only one has a run. */
static const char *only_live(const glob_t *found)
{
    char endpoint[512];
    const char *live = NULL;
    for (size_t i = 0; i < found->gl_pathc; i++) {
        if (!addrfile_find(found->gl_pathv[i], endpoint, sizeof endpoint))
            continue;
        if (live)
            return NULL;
        live = found->gl_pathv[i];
    }
    return live;
}

/* The only database here, or the only live one; otherwise it is a matter for the user. */
static err_t open_only_db(struct source *s, const struct client *c, struct errmsg *em)
{
    glob_t found = {0};
    err_t e;
    if (glob("*.tunefarm.db", 0, NULL, &found) || found.gl_pathc == 0)
        e = errmsg_set(em, ERR_INVALID,
                       "no farm was named and there is no *.tunefarm.db here; expected --broker "
                       "ADDRESS, $TUNEFARM_BROKER or --db FILE");
    else if (found.gl_pathc > 1 && only_live(&found))
        e = open_db(s, c, only_live(&found), em);
    else if (found.gl_pathc > 1)
        e = errmsg_set(em, ERR_INVALID, "several databases are here (%s, %s%s); name one with --db",
                       found.gl_pathv[0], found.gl_pathv[1], found.gl_pathc > 2 ? " ..." : "");
    else
        e = open_db(s, c, found.gl_pathv[0], em);
    globfree(&found);
    return e;
}

static err_t open_study_db(struct source *s, const struct client *c, const char *study,
                           struct errmsg *em)
{
    char path[256];
    snprintf(path, sizeof path, "%s.tunefarm.db", study);
    if (access(path, F_OK) == 0)
        return open_db(s, c, path, em);
    glob_t found = {0};
    bool one = glob("*.tunefarm.db", 0, NULL, &found) == 0 && found.gl_pathc == 1;
    err_t e = one ? open_db(s, c, found.gl_pathv[0], em)
                  : errmsg_set(em, ERR_NOT_FOUND,
                               "no farm was named and there is no ./%s; expected --broker ADDRESS, "
                               "$TUNEFARM_BROKER or --db FILE",
                               path);
    globfree(&found);
    return e;
}

static err_t finish_open(struct source **out, struct source *s, err_t e)
{
    if (e)
        source_close(s);
    else
        *out = s;
    return e;
}

err_t source_open_db(struct source **out, const struct client *c, const char *path,
                     struct errmsg *em)
{
    struct source *s = alloc_zero(sizeof *s);
    return finish_open(out, s, open_db(s, c, path, em));
}

err_t source_open(struct source **out, const struct client *c, const char *study, struct errmsg *em)
{
    struct source *s = alloc_zero(sizeof *s);
    err_t e;
    if (c->db)
        e = open_db(s, c, c->db, em);
    else if (c->broker)
        e = open_link(s, c, c->broker, em);
    else if (study)
        e = open_study_db(s, c, study, em);
    else
        e = open_only_db(s, c, em);
    return finish_open(out, s, e);
}

void source_close(struct source *s)
{
    if (!s)
        return;
    brokerlink_close(s->link);
    dbfile_close(s->file);
    free(s->name);
    free(s);
}

struct brokerlink *source_link(const struct source *s)
{
    return s->link;
}

err_t source_need_link(const struct source *s, const char *what, struct brokerlink **out,
                       struct errmsg *em)
{
    *out = s->link;
    if (s->link)
        return ERR_OK;
    return errmsg_set(em, ERR_UNREACHABLE, "%s needs a running farm, and none works on %s", what,
                      s->name);
}

const char *source_name(const struct source *s)
{
    return s->name;
}

struct call {
    source_row *row;
    void *self;
    uint64_t n;
};

static err_t on_row(void *self, const struct str *columns, size_t n, struct str json,
                    struct errmsg *em)
{
    struct call *call = self;
    struct row row = {.columns = columns, .n = n, .json = json};
    if (json.n) {
        call->n++;
        err_t e = json_parse(json, JSON_NONFINITE, &row.values, em);
        if (e)
            return errmsg_wrap(em, e, "the answer of the broker");
        if (!json_object_is_type(row.values, json_type_array) ||
            json_object_array_length(row.values) != n) {
            json_object_put(row.values);
            return errmsg_set(em, ERR_INVALID, "the answer has a row of another width");
        }
    }
    err_t e = call->row(call->self, &row, em);
    json_object_put(row.values);
    return e;
}

err_t source_sql(struct source *s, const char *query, const struct str *args, size_t n_args,
                 source_row *row, void *self, struct errmsg *em)
{
    struct call call = {.row = row, .self = self};
    if (s->link)
        return linkrows_sql(s->link, query, args, n_args, false, on_row, &call, em);
    return dbfile_sql(s->file, query, args, n_args, on_row, &call, em);
}

err_t source_inspect(struct source *s, const char *what, int64_t patience, source_row *row,
                     void *self, struct errmsg *em)
{
    struct call call = {.row = row, .self = self};
    struct brokerlink *link;
    err_t e = source_need_link(s, "this", &link, em);
    return e ? e : linkrows_inspect(link, what, patience, on_row, &call, em);
}

err_t source_page(struct source *s, const char *query, uint64_t *n, source_row *row, void *self,
                  struct errmsg *em)
{
    struct call call = {.row = row, .self = self};
    err_t e = s->link ? linkrows_sql(s->link, query, NULL, 0, true, on_row, &call, em)
                      : dbfile_sql(s->file, query, NULL, 0, on_row, &call, em);
    *n = call.n;
    return e;
}

struct json_object *row_get(const struct row *r, const char *column)
{
    for (size_t i = 0; r->values && i < r->n; i++)
        if (str_is(r->columns[i], column))
            return json_object_array_get_idx(r->values, i);
    return NULL;
}

struct str row_text(const struct row *r, const char *column)
{
    struct json_object *v = row_get(r, column);
    if (!v)
        return (struct str){0};
    if (json_object_is_type(v, json_type_string))
        return str_make(json_object_get_string(v), (size_t)json_object_get_string_len(v));
    return str_of(json_object_get_string(v));
}

double row_number(const struct row *r, const char *column)
{
    double v;
    struct json_object *member = row_get(r, column);
    return member && json_number(member, &v) ? v : NAN;
}

int64_t row_int(const struct row *r, const char *column, int64_t other)
{
    struct json_object *v = row_get(r, column);
    return v && json_object_is_type(v, json_type_int) ? json_object_get_int64(v) : other;
}

struct find {
    const char *name;
    struct study_row *out;
    bool found;
    const char **names; /* all of them, for the nearest */
    size_t n, cap;
};

static void take_study(struct study_row *out, const struct row *r)
{
    out->number = (uint64_t)row_int(r, "number", 0);
    str_copyz(out->name, sizeof out->name, row_text(r, "name"));
    str_copyz(out->state, sizeof out->state, row_text(r, "state"));
    out->maximize = str_is(row_text(r, "direction"), "maximize");
    out->spec = str_dupz(row_text(r, "spec"));
    out->trials = (uint64_t)row_int(r, "trials", 0);
    out->spec_number = (uint64_t)row_int(r, "spec_number", 1);
}

static err_t on_study(void *self, const struct row *r, struct errmsg *em)
{
    struct find *f = self;
    (void)em;
    if (r->values && !f->found) {
        take_study(f->out, r);
        f->found = true;
    }
    return ERR_OK;
}

static err_t on_name(void *self, const struct row *r, struct errmsg *em)
{
    struct find *f = self;
    (void)em;
    if (!r->values)
        return ERR_OK;
    if (f->n + 2 > f->cap) {
        f->cap = f->cap ? f->cap * 2 : 16;
        f->names = alloc_grow(f->names, f->cap, sizeof *f->names);
    }
    f->names[f->n++] = str_dupz(row_text(r, "name"));
    f->names[f->n] = NULL;
    return ERR_OK;
}

static err_t not_found(struct source *s, struct find *f, struct errmsg *em)
{
    err_t e = source_sql(s, "select name from study order by number desc limit 1000", NULL, 0,
                         on_name, f, em);
    if (e)
        return e;
    const char *near = f->n ? nearest_name(str_of(f->name), f->names) : NULL;
    if (!near && f->n == 1)
        near = f->names[0];
    e = near ? errmsg_set(em, ERR_NOT_FOUND, "there is no study %s in %s; did you mean %s?",
                          f->name, s->name, near)
             : errmsg_set(em, ERR_NOT_FOUND, "there is no study %s in %s", f->name, s->name);
    for (size_t i = 0; i < f->n; i++)
        free((char *)f->names[i]);
    free(f->names);
    return e;
}

err_t source_study(struct source *s, const char *name, struct study_row *out, struct errmsg *em)
{
    struct find f = {.name = name, .out = out};
    *out = (struct study_row){0};
    err_t e = client_study_name(name, em);
    if (e)
        return e;
    /* A name is made of letters that need no quoting; as an argument one like 17 would become a
     * number. */
    char query[300];
    snprintf(
        query, sizeof query,
        "select number, name, state, direction, spec, trials, spec_number from study where name "
        "= '%s'",
        name);
    e = source_sql(s, query, NULL, 0, on_study, &f, em);
    if (e)
        return e;
    return f.found ? ERR_OK : not_found(s, &f, em);
}

void study_row_fini(struct study_row *row)
{
    free(row->spec);
    row->spec = NULL;
}

err_t source_no_trial(const struct study_row *study, uint64_t trial, struct errmsg *em)
{
    return errmsg_set(em, ERR_NOT_FOUND, "%s has no trial %llu; it has %llu, counted from 0",
                      study->name, (unsigned long long)trial, (unsigned long long)study->trials);
}
