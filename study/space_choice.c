/* The options of a choice: scalars, and one-key maps whose value is a space of its own.
 *
 * Called by space_prior.c while a parameter is parsed, by space_when.c and space_json.c to find the
 * option that a value spells. Does not descend into nested parameters: it only lists them. */
#include <json.h>
#include <math.h>

#include "json.h"
#include "space_build.h"

#define MAX_OPTION_TEXT 1024
#define CHOICE_EXAMPLE  "[relu, tanh] or [{sgd: {momentum: {float: [0, 0.99]}}}, adam]"

static bool same_scalar(struct json_object *v, const struct param_option *o)
{
    enum json_type type = json_object_get_type(v);
    if (type == json_type_string)
        return o->json.p[0] == '"' &&
               str_eq(o->text,
                      str_make(json_object_get_string(v), (size_t)json_object_get_string_len(v)));
    double a, b;
    if (value_is_number(v))
        return o->json.p[0] != '"' && str_to_f64(o->text, &a) && json_number(v, &b) && a == b;
    if (type == json_type_object || type == json_type_array)
        return false;
    struct buf text;
    buf_init(&text, 0);
    json_write(&text, v);
    bool same = str_eq(buf_str(&text), o->json);
    buf_fini(&text);
    return same;
}

int choice_find(const struct param *p, struct json_object *v, bool lenient)
{
    for (uint32_t i = 0; i < p->n_options; i++) {
        if (same_scalar(v, &p->options[i]))
            return (int)i;
    }
    if (!lenient || json_object_is_type(v, json_type_object) ||
        json_object_is_type(v, json_type_array))
        return -1;
    int found = -1;
    struct buf text;
    buf_init(&text, 0);
    value_plain(v, &text);
    for (uint32_t i = 0; i < p->n_options && found < 0; i++) {
        if (str_eq(buf_str(&text), p->options[i].text))
            found = (int)i;
    }
    buf_fini(&text);
    return found;
}

/* The copies end with a terminator. */
static err_t set_option(struct arena *arena, struct json_object *v, const struct at *at,
                        struct param_option *o)
{
    struct str checked;
    if (json_object_is_type(v, json_type_string)) {
        err_t e = take_text(at, v, 0, MAX_OPTION_TEXT, &checked);
        if (e != ERR_OK)
            return e;
    }
    struct buf text, json;
    buf_init(&text, 0);
    buf_init(&json, 0);
    value_plain(v, &text);
    json_write(&json, v);
    o->text = arena_dup(arena, buf_str(&text));
    o->json = arena_dup(arena, buf_str(&json));
    buf_fini(&text);
    buf_fini(&json);
    return o->text.p && o->json.p ? ERR_OK : at_nomem(at);
}

static err_t named_option(struct arena *arena, struct json_object *v, const struct at *at,
                          struct param_option *o, struct json_object **inner)
{
    char brief[BRIEF_SIZE];
    if (json_object_object_length(v) != 1)
        return at_fault(at, ERR_INVALID,
                        "%s: an option with parameters has one member, its name; expected one such "
                        "as {sgd: {momentum: {float: [0, 0.99]}}}",
                        value_brief(v, brief));
    json_object_object_foreach(v, key, value)
    {
        struct at here = at_key(at, key);
        if (!param_name_valid(str_of(key)))
            return at_fault(&here, ERR_INVALID,
                            "not a name for an option with parameters; expected 1 to 128 letters, "
                            "digits or any of \"_.-\", first a letter, a digit or \"_\"");
        struct json_object *name = json_object_new_string(key);
        err_t e = set_option(arena, name, &here, o);
        json_object_put(name);
        *inner = value;
        return e;
    }
    return ERR_OK;
}

static err_t one_option(struct arena *arena, struct json_object *v, const struct at *at,
                        struct param_option *o, struct json_object **inner)
{
    char brief[BRIEF_SIZE];
    *inner = NULL;
    if (json_object_is_type(v, json_type_object))
        return named_option(arena, v, at, o, inner);
    if (json_object_is_type(v, json_type_array))
        return at_fault(at, ERR_INVALID,
                        "%s: an option cannot be a list; write a text such as \"64,64\" and take "
                        "it apart in the program",
                        value_brief(v, brief));
    double x;
    if (json_object_is_type(v, json_type_double) && (!json_number(v, &x) || !isfinite(x)))
        return at_fault(at, ERR_INVALID, "the number is too great");
    return set_option(arena, v, at, o);
}

/* Compared as texts too: 1 and "1" would be the same in a command line. */
static err_t refuse_duplicate(const struct param *p, const struct at *at)
{
    const struct param_option *last = &p->options[p->n_options - 1];
    double a, b;
    for (uint32_t i = 0; i + 1 < p->n_options; i++) {
        const struct param_option *o = &p->options[i];
        bool numbers = o->json.p[0] != '"' && last->json.p[0] != '"' && str_to_f64(o->text, &a) &&
                       str_to_f64(last->text, &b);
        if (str_eq(o->text, last->text) || (numbers && a == b))
            return at_fault(at, ERR_INVALID, "the option " STR_FMT " stands twice",
                            STR_ARG(last->json));
    }
    return ERR_OK;
}

static struct param_option *make_options(struct arena *arena, struct draft *d, size_t n)
{
    struct param_option *o = arena_array(arena, n, sizeof *o);
    struct param *p = &d->p;
    d->options = o;
    p->kind = PARAM_CHOICE;
    p->options = o;
    p->low = 0;
    p->high = (double)n - 1;
    for (size_t i = 0; o && i < n; i++)
        o[i].weight = 1.0 / (double)n;
    return o;
}

err_t choice_options(struct arena *arena, struct json_object *v, const struct at *at,
                     struct draft *d, struct nested *nested, uint32_t *n_nested)
{
    size_t n = 0;
    err_t e = take_list(at, v, 1, SPACE_MAX_OPTIONS, CHOICE_EXAMPLE, &n);
    if (e != ERR_OK)
        return e;
    struct param_option *options = make_options(arena, d, n);
    if (!options)
        return at_nomem(at);
    for (size_t i = 0; i < n && e == ERR_OK; i++) {
        struct at here = at_item(at, i);
        struct json_object *inner = NULL;
        e = one_option(arena, json_object_array_get_idx(v, i), &here, &options[i], &inner);
        if (e != ERR_OK)
            return e;
        d->p.n_options = (uint32_t)i + 1;
        if (inner)
            nested[(*n_nested)++] = (struct nested){.space = inner, .option = (uint32_t)i};
        e = refuse_duplicate(&d->p, &here);
    }
    return e;
}

err_t choice_constant(struct arena *arena, struct json_object *v, const struct at *at,
                      struct draft *d)
{
    char brief[BRIEF_SIZE];
    if (json_object_is_type(v, json_type_object) || json_object_is_type(v, json_type_array))
        return at_fault(at, ERR_INVALID,
                        "%s is not a single value; expected a text, a number, true, false or null",
                        value_brief(v, brief));
    struct param_option *o = make_options(arena, d, 1);
    struct json_object *inner = NULL;
    if (!o)
        return at_nomem(at);
    d->p.n_options = 1;
    return one_option(arena, v, at, o, &inner);
}

err_t choice_weights(struct json_object *v, const struct at *at, struct draft *d)
{
    size_t n = 0;
    double w, sum = 0;
    err_t e = take_list(at, v, 1, SPACE_MAX_OPTIONS, "[3, 1]", &n);
    if (e != ERR_OK)
        return e;
    if (n != d->p.n_options)
        return at_fault(at, ERR_INVALID, "has %zu weights for %u options", n, d->p.n_options);
    for (size_t i = 0; i < n; i++) {
        struct at here = at_item(at, i);
        e = take_f64(&here, json_object_array_get_idx(v, i), 0, 1e100, &w);
        if (e != ERR_OK)
            return e;
        d->options[i].weight = w;
        sum += w;
    }
    if (!(sum > 1e-100))
        return at_fault(at, ERR_INVALID, "all weights are 0; expected at least one above");
    for (size_t i = 0; i < n; i++)
        d->options[i].weight /= sum;
    d->p.weighted = true;
    return ERR_OK;
}
