/* Reads one line that a user's program wrote to its report channel. Called by the core for every
 * line, and by the fuzz target. It must not know the attempt: what a line means for it is decided
 * in attempt.c.
 *
 * Everything is bounded: the splitter gives at most 64 KiB, the JSON reader at most 32 levels, and
 * of the members at most 64 metrics are kept, names at most 128 bytes. What cannot be used in an
 * otherwise good line is left out and counted; a line that says nothing usable is refused with one
 * sentence. */
#include "report_line.h"

#include <json-c/json.h>
#include <math.h>

#include "json.h"

static const char *const reserved[] = {"step",  "pruned", "error", "checkpoint",
                                       "retry", "size",   "trial", "attempt"};

static bool is_reserved(const char *name, struct str metric)
{
    if (str_is(metric, name))
        return true;
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        if (strcmp(name, reserved[i]) == 0)
            return true;
    return false;
}

static bool is_metric(const char *name, struct json_object *v)
{
    struct str n = str_of(name);
    if (n.n == 0 || n.n > REPORT_MAX_NAME || str_has_control(n))
        return false;
    switch (json_object_get_type(v)) {
    case json_type_int:
    case json_type_double:
    case json_type_boolean:
        return true;
    case json_type_string:
        return json_object_get_string_len(v) <= REPORT_MAX_TEXT;
    default:
        return false;
    }
}

/* Keeps what is neither reserved nor the objective metric. */
static void collect(struct report_line *r, struct str metric)
{
    int kept = 0;
    struct json_object_iterator it = json_object_iter_begin(r->root);
    struct json_object_iterator end = json_object_iter_end(r->root);
    for (; !json_object_iter_equal(&it, &end); json_object_iter_next(&it)) {
        const char *name = json_object_iter_peek_name(&it);
        struct json_object *v = json_object_iter_peek_value(&it);
        if (is_reserved(name, metric))
            continue;
        if (kept == REPORT_MAX_METRICS || !is_metric(name, v)) {
            r->left_out++;
            continue;
        }
        if (!r->metrics)
            r->metrics = json_object_new_object();
        json_object_object_add(r->metrics, name, json_object_get(v));
        kept++;
    }
}

/* What stands in place of a number, for a sentence: cut where no character is. */
static struct str brief(struct json_object *v)
{
    struct str s = str_of(json_object_to_json_string(v));
    return str_make(s.p, str_utf8_cut(s, 40));
}

static err_t read_step(struct report_line *r, struct errmsg *em)
{
    struct json_object *v;
    if (!json_object_object_get_ex(r->root, "step", &v))
        return ERR_OK;
    double d;
    if (json_object_is_type(v, json_type_string) || !json_number(v, &d) ||
        !(d >= 0 && d <= (double)REPORT_MAX_STEP) || d != rint(d))
        return errmsg_set(em, ERR_INVALID,
                          "\"step\" is " STR_FMT ", expected a whole number from 0 to 2^53-1",
                          STR_ARG(brief(v)));
    r->step = (int64_t)d;
    r->has_step = true;
    return ERR_OK;
}

static err_t read_value(struct report_line *r, struct str metric, struct errmsg *em)
{
    char name[REPORT_MAX_NAME + 1];
    struct json_object *v;
    if (!str_copyz(name, sizeof name, metric) || !json_object_object_get_ex(r->root, name, &v))
        return ERR_OK;
    if (!json_number(v, &r->value))
        return errmsg_set(em, ERR_INVALID, "\"%s\" is " STR_FMT ", expected a number", name,
                          STR_ARG(brief(v)));
    r->has_value = true;
    return ERR_OK;
}

static struct str text_of(struct json_object *v)
{
    return str_make(json_object_get_string(v), (size_t)json_object_get_string_len(v));
}

static err_t read_kind(struct report_line *r, struct errmsg *em)
{
    struct json_object *error = json_get(r->root, "error"), *uri = json_get(r->root, "checkpoint");
    struct json_object *pruned = json_get(r->root, "pruned"), *retry = json_get(r->root, "retry");
    r->retry = !retry || json_object_get_boolean(retry);
    if (json_object_is_type(error, json_type_string)) {
        r->kind = REPORT_ERROR;
        r->text = text_of(error);
    } else if (json_object_is_type(pruned, json_type_boolean) && json_object_get_boolean(pruned)) {
        r->kind = REPORT_PRUNED;
    } else if (json_object_is_type(uri, json_type_string)) {
        r->kind = REPORT_CHECKPOINT;
        r->text = text_of(uri);
        if (r->text.n == 0 || r->text.n > 2048)
            return errmsg_set(em, ERR_INVALID, "\"checkpoint\" has %zu bytes, expected 1 to 2048",
                              r->text.n);
        if (str_has_control(r->text))
            return errmsg_set(em, ERR_INVALID, "\"checkpoint\" holds a control character");
    } else if (r->has_step) {
        r->kind = REPORT_POINT;
    } else {
        r->kind = r->has_value ? REPORT_FINAL : REPORT_METRICS;
    }
    return ERR_OK;
}

err_t report_line_parse(struct report_line *out, struct str line, struct str metric,
                        struct errmsg *em)
{
    *out = (struct report_line){0};
    err_t e = json_parse(line, JSON_NONFINITE, &out->root, em);
    if (e)
        return errmsg_wrap(em, e, "the line is no JSON");
    if (!json_object_is_type(out->root, json_type_object))
        e = errmsg_set(em, ERR_INVALID, "the line is no JSON object");
    if (!e)
        e = read_step(out, em);
    if (!e)
        e = read_value(out, metric, em);
    if (!e)
        e = read_kind(out, em);
    if (e)
        goto fail;
    collect(out, metric);
    if ((out->kind == REPORT_METRICS || (out->kind == REPORT_POINT && !out->has_value)) &&
        !out->metrics) {
        e = errmsg_set(em, ERR_INVALID,
                       "the line has no metric: expected \"" STR_FMT "\" with a number",
                       STR_ARG(metric));
        goto fail;
    }
    return ERR_OK;
fail:
    report_line_fini(out);
    return e;
}

void report_line_fini(struct report_line *r)
{
    json_object_put(r->metrics);
    json_object_put(r->root);
    *r = (struct report_line){0};
}
