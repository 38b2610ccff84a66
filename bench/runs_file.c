/* Runs as JSON lines: {"f": function, "s": sampler, "seed": n, "n": budget, "best": [...]}, with
 * "w" for more than one worker; what bench/peers/bench_quality.py and bench_async.py write. */
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>

#include "json.h"
#include "runs.h"

static const char *text_of(struct json_object *line, const char *key)
{
    struct json_object *v = json_get(line, key);
    return json_object_is_type(v, json_type_string) ? json_object_get_string(v) : "";
}

static bool kind_of(const struct runs_plan *p, const char *sampler, enum runs_kind *kind)
{
    if (!strcmp(sampler, "random") || !strcmp(sampler, p->name[RUNS_RANDOM]))
        *kind = RUNS_RANDOM;
    else if (!strcmp(sampler, "hyperopt-tpe") || !strcmp(sampler, p->name[RUNS_HYPEROPT]))
        *kind = RUNS_HYPEROPT;
    else
        return false;
    return true;
}

static struct runs_cell *cell_of(struct runs_cell *cells, size_t n, const char *function)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(cells[i].function->name, function))
            return &cells[i];
    return NULL;
}

static void add_line(const struct runs_plan *p, struct json_object *line, struct runs_cell *cells,
                     size_t n)
{
    struct runs_cell *c = cell_of(cells, n, text_of(line, "f"));
    struct json_object *best = json_get(line, "best");
    double workers = 1;
    enum runs_kind kind;
    (void)json_number(json_get(line, "w"), &workers);
    if (!c || workers != p->workers || !kind_of(p, text_of(line, "s"), &kind) ||
        !json_object_is_type(best, json_type_array) ||
        json_object_array_length(best) < runs_points(p))
        return;
    double *curve = runs_add(p, &c->of[kind]);
    for (size_t i = 0; i < runs_points(p); i++)
        if (!json_number(json_object_array_get_idx(best, i), &curve[i])) {
            c->of[kind].n--;
            return;
        }
}

err_t runs_load(const struct runs_plan *p, const char *path, struct runs_cell *cells, size_t n,
                struct errmsg *em)
{
    FILE *file = fopen(path, "r");
    if (!file)
        return errmsg_set(em, ERR_IO, "%s: %s", path, strerror(errno));
    char *text = NULL;
    size_t size = 0;
    ssize_t length;
    err_t e = ERR_OK;
    for (unsigned long number = 1; !e && (length = getline(&text, &size, file)) > 0; number++) {
        struct json_object *line = NULL;
        e = json_parse(str_make(text, (size_t)length), JSON_NONFINITE, &line, em);
        if (e)
            e = errmsg_wrap(em, e, "%s:%lu", path, number);
        else
            add_line(p, line, cells, n);
        json_object_put(line);
    }
    free(text);
    fclose(file);
    return e;
}

err_t runs_append(const struct runs_plan *p, enum runs_kind kind, const char *path,
                  const struct function *f, uint64_t seed, const double *curve, struct errmsg *em)
{
    struct buf text;
    struct jsonw w;
    buf_init(&text, 0);
    jsonw_init(&w, &text);
    jsonw_object(&w);
    jsonw_kstr(&w, "f", str_of(f->name));
    jsonw_kstr(&w, "s", str_of(p->name[kind]));
    if (p->workers > 1)
        jsonw_ku64(&w, "w", p->workers);
    jsonw_ku64(&w, "seed", seed);
    jsonw_ku64(&w, "n", p->budget);
    jsonw_keyz(&w, "best");
    jsonw_array(&w);
    for (size_t i = 0; i < runs_points(p); i++)
        jsonw_f64(&w, curve[i]);
    jsonw_end(&w);
    jsonw_end(&w);
    buf_addc(&text, '\n');
    FILE *file = fopen(path, "a");
    bool fine = file && fwrite(text.p, 1, text.n, file) == text.n;
    if (file)
        fine &= fclose(file) == 0;
    buf_fini(&text);
    return fine ? ERR_OK : errmsg_set(em, ERR_IO, "%s: %s", path, strerror(errno));
}
