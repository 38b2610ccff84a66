/* Study files as a user can write them, and the short form: an input is a study file, or, behind a
 * first line "#inline", one argument a line. A file that converts must be JSON that the reader
 * takes; a spec that is accepted must be usable: points drawn from its priors are legal, are read
 * back as they were written, and fill its command or are refused with a sentence. A fault always
 * has a sentence, placed in the file. */
#include "fuzz.h"

#include <json.h>
#include <math.h>
#include <stdlib.h>

#include "inline.h"
#include "json.h"
#include "rng.h"
#include "spec.h"
#include "yaml.h"

#define POINTS   4
#define MAX_ARGS 64

static void check(bool fine)
{
    if (!fine)
        abort();
}

static void draw(const struct space *s, struct rng *r, double *point)
{
    for (uint32_t i = 0; i < s->n; i++) {
        const struct param *p = &s->params[i];
        point[i] = NAN;
        if (!space_active(s, i, point))
            continue;
        point[i] = param_from_unit(p, rng_unit(r));
        check(isfinite(point[i]) && param_legal(p, point[i]) == point[i]);
        check(param_cardinality(p) >= 0);
    }
}

static void read_back(const struct space *s, struct str json, const double *point)
{
    struct json_object *v = NULL;
    struct errmsg em = {.text = ""};
    double *again = calloc(s->n, sizeof *again);
    check(again && json_parse(json, JSON_STRICT, &v, &em) == ERR_OK);
    check(space_read(s, v, again, &em) == ERR_OK);
    for (uint32_t i = 0; i < s->n; i++)
        check(point[i] == again[i] || (isnan(point[i]) && isnan(again[i])));
    json_object_put(v);
    free(again);
}

static void fill(const struct spec *s, struct str params, const double *point)
{
    const struct spec_values values = {.params = params, .trial = 1, .dir = STR("/d")};
    struct buf out;
    buf_init(&out, 0);
    for (uint32_t i = 0; i < s->objective.n_command; i++) {
        struct errmsg em = {.text = ""};
        buf_clear(&out);
        err_t e = spec_fill(s, s->objective.command[i], point, &values, &out, &em);
        check(e == ERR_OK || em.text[0]);
    }
    buf_fini(&out);
}

static void use(const struct spec *s)
{
    struct rng r;
    struct buf params, difference;
    double *point = calloc(s->space->n, sizeof *point);
    check(point != NULL);
    rng_seed(&r, s->sampler.seed);
    buf_init(&params, 0);
    buf_init(&difference, 0);
    for (int i = 0; i < POINTS; i++) {
        buf_clear(&params);
        draw(s->space, &r, point);
        space_write(s->space, point, &params);
        read_back(s->space, buf_str(&params), point);
        fill(s, buf_str(&params), point);
    }
    spec_difference(s, s, &difference);
    check(difference.n == 0 && digest_eq(spec_search_digest(s), spec_search_digest(s)));
    buf_fini(&params);
    buf_fini(&difference);
    free(point);
}

static void try_spec(struct str json, const struct yaml_map *map)
{
    struct spec *s = NULL;
    struct errmsg em = {.text = ""};
    if (spec_parse(json, &s, &em) == ERR_OK) {
        use(s);
        spec_free(s);
        return;
    }
    check(!s && em.text[0]);
    yaml_locate(map, &em);
    check(!map || str_starts(str_of(em.text), "study.yaml:"));
}

static void try_file(struct str text)
{
    struct buf json;
    struct yaml_map *map = NULL;
    struct errmsg em = {.text = ""};
    buf_init(&json, 0);
    if (yaml_to_json(text, "study.yaml", &json, &map, &em) == ERR_OK) {
        struct json_object *v = NULL;
        check(json_parse(buf_str(&json), JSON_STRICT, &v, &em) == ERR_OK);
        json_object_put(v);
        try_spec(buf_str(&json), map);
    } else {
        check(!map && json.n == 0 && str_starts(str_of(em.text), "study.yaml:"));
    }
    yaml_map_free(map);
    buf_fini(&json);
}

/* The lines of text, terminated, as arguments. */
static void try_inline(char *text)
{
    char *argv[MAX_ARGS];
    int argc = 0;
    for (char *line = text; line && argc < MAX_ARGS; argc++) {
        argv[argc] = line;
        line = strchr(line, '\n');
        if (line)
            *line++ = 0;
    }
    struct buf json;
    struct jsonw w;
    struct errmsg em = {.text = ""};
    buf_init(&json, 0);
    jsonw_init(&w, &json);
    jsonw_object(&w);
    jsonw_kstr(&w, "study", STR("s"));
    if (inline_spec(&w, argv, argc, &em) == ERR_OK) {
        jsonw_end(&w);
        try_spec(buf_str(&json), NULL);
    } else {
        check(em.text[0]);
    }
    buf_fini(&json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = str_make(data, size);
    if (!str_starts(text, "#inline\n")) {
        try_file(text);
        return 0;
    }
    char *copy = str_dupz(str_make(text.p + 8, text.n - 8));
    try_inline(copy);
    free(copy);
    return 0;
}
