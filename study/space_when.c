/* Conditions: which parameters are active when, and the order in which that can be decided.
 *
 * A parameter nested in an option and the flat spelling `when` end as the same cases: disjunctions
 * of conjunctions of tests on earlier choices or ints. Called by space_parse.c when all parameters
 * are known. A test asks only for the parent's value: an inactive parent has none, so the parent's
 * own conditions need not be repeated. */
#include <json.h>
#include <math.h>

#include "json.h"
#include "nearest.h"
#include "space_build.h"

#define MAX_CASES    64
#define MAX_TESTS    32
#define MAX_VALUES   256
#define WHEN_EXAMPLE "{opt: [sgd, adam]}"

static uint32_t find_draft(const struct builder *b, struct str name)
{
    uint32_t by_short = NO_NEST;
    for (uint32_t i = 0; i < b->n; i++) {
        if (str_eq(b->drafts[i].p.name, name))
            return i;
        if (str_eq(b->drafts[i].p.short_name, name))
            by_short = i;
    }
    return by_short;
}

static err_t find_parent(const struct builder *b, uint32_t child, const char *name,
                         const struct at *at, uint32_t *out)
{
    *out = find_draft(b, str_of(name));
    if (*out == child)
        return at_fault(at, ERR_INVALID, "a parameter cannot depend on itself");
    if (*out != NO_NEST) {
        if (b->drafts[*out].p.kind == PARAM_FLOAT)
            return at_fault(at, ERR_INVALID, "not a choice or an int; only those can decide");
        return ERR_OK;
    }
    const char *names[SPACE_MAX_PARAMS + 1];
    for (uint32_t i = 0; i < b->n; i++)
        names[i] = b->drafts[i].p.name.p;
    names[b->n] = NULL;
    const char *near = nearest_name(str_of(name), names);
    if (near)
        return at_fault(at, ERR_INVALID, "no parameter has this name; did you mean \"%s\"?", near);
    return at_fault(at, ERR_INVALID, "no parameter has this name");
}

static err_t option_value(const struct param *p, struct json_object *v, const struct at *at,
                          double *out)
{
    int i = choice_find(p, v, true);
    *out = i;
    if (i >= 0)
        return ERR_OK;
    char brief[BRIEF_SIZE];
    const char *names[SPACE_MAX_OPTIONS + 1];
    for (uint32_t k = 0; k < p->n_options; k++)
        names[k] = p->options[k].text.p;
    names[p->n_options] = NULL;
    const char *near = NULL;
    if (json_object_is_type(v, json_type_string))
        near = nearest_name(str_of(json_object_get_string(v)), names);
    value_brief(v, brief);
    if (near)
        return at_fault(at, ERR_INVALID, "%s is no option of %s; did you mean \"%s\"?", brief,
                        p->name.p, near);
    return at_fault(at, ERR_INVALID, "%s is no option of %s", brief, p->name.p);
}

static err_t int_value(const struct param *p, struct json_object *v, const struct at *at,
                       double *out)
{
    err_t e = take_whole(at, v, -INFINITY, INFINITY, out);
    if (e == ERR_OK && param_legal(p, *out) != *out)
        e = at_fault(at, ERR_INVALID, "%g is not a value that %s can have", *out, p->name.p);
    return e;
}

/* v: a list of values, or one. */
static err_t parse_test(const struct builder *b, uint32_t parent, struct json_object *v,
                        const struct at *at, struct param_test *t)
{
    const struct param *p = &b->drafts[parent].p;
    bool one = !json_object_is_type(v, json_type_array);
    size_t n = 1;
    err_t e = one ? ERR_OK : take_list(at, v, 1, MAX_VALUES, "[sgd, adam]", &n);
    if (e != ERR_OK)
        return e;
    double *values = arena_array(b->arena, n, sizeof *values);
    if (!values)
        return at_nomem(at);
    for (size_t i = 0; i < n && e == ERR_OK; i++) {
        struct at item = at_item(at, i);
        const struct at *here = one ? at : &item;
        struct json_object *x = one ? v : json_object_array_get_idx(v, i);
        e = p->kind == PARAM_CHOICE ? option_value(p, x, here, &values[i])
                                    : int_value(p, x, here, &values[i]);
    }
    *t = (struct param_test){.parent = parent, .n = (uint32_t)n, .values = values};
    return e;
}

static void nest_test(const struct draft *d, double *value, struct param_test *t)
{
    *value = d->nest_option;
    *t = (struct param_test){.parent = d->nest, .n = 1, .values = value};
}

/* One conjunction: the option the parameter is nested in, then what v says. v NULL = nothing more.
 */
static err_t parse_case(const struct builder *b, uint32_t child, struct json_object *v,
                        const struct at *at, struct param_case *out)
{
    const struct draft *d = &b->drafts[child];
    char brief[BRIEF_SIZE];
    if (v && (!json_object_is_type(v, json_type_object) || json_object_object_length(v) == 0))
        return at_fault(at, ERR_INVALID, "%s is not a condition; expected one such as %s",
                        value_brief(v, brief), WHEN_EXAMPLE);
    size_t given = v ? (size_t)json_object_object_length(v) : 0;
    if (given > MAX_TESTS)
        return at_fault(at, ERR_LIMIT, "more than %d parameters in one condition", MAX_TESTS);
    struct param_test *tests = arena_array(b->arena, given + 1, sizeof *tests);
    double *nest = arena_array(b->arena, 1, sizeof *nest);
    if (!tests || !nest)
        return at_nomem(at);
    uint32_t n = 0;
    if (d->nest != NO_NEST)
        nest_test(d, nest, &tests[n++]);
    err_t e = ERR_OK;
    if (v) {
        json_object_object_foreach(v, key, value)
        {
            struct at here = at_key(at, key);
            uint32_t parent = 0;
            e = find_parent(b, child, key, &here, &parent);
            if (e == ERR_OK)
                e = parse_test(b, parent, value, &here, &tests[n++]);
            if (e != ERR_OK)
                return e;
        }
    }
    *out = (struct param_case){.tests = tests, .n = n};
    return e;
}

static err_t parse_cases(const struct builder *b, uint32_t child)
{
    struct draft *d = &b->drafts[child];
    if (!d->when && d->nest == NO_NEST)
        return ERR_OK;
    struct at at = at_root(b->em, d->when_path);
    bool list = d->when && json_object_is_type(d->when, json_type_array);
    size_t n = 1;
    err_t e = list ? take_list(&at, d->when, 1, MAX_CASES, "[" WHEN_EXAMPLE "]", &n) : ERR_OK;
    if (e != ERR_OK)
        return e;
    struct param_case *cases = arena_array(b->arena, n, sizeof *cases);
    if (!cases)
        return at_nomem(&at);
    for (size_t i = 0; i < n && e == ERR_OK; i++) {
        struct at item = at_item(&at, i);
        struct json_object *v = list ? json_object_array_get_idx(d->when, i) : d->when;
        if (list && !v)
            e = at_fault(&item, ERR_INVALID, "empty; expected a condition such as " WHEN_EXAMPLE);
        else
            e = parse_case(b, child, v, list ? &item : &at, &cases[i]);
    }
    d->p.cases = cases;
    d->p.n_cases = (uint32_t)n;
    return e;
}

/* Parents first, else in the order of the file. Depth of recursion: the longest chain of parents.
 */
static err_t place(struct builder *b, uint32_t i)
{
    struct draft *d = &b->drafts[i];
    if (d->place != NO_PLACE)
        return ERR_OK;
    if (d->visiting) {
        struct at at = at_root(b->em, d->when_path.n > 0 ? d->when_path : STR("space"));
        return at_fault(&at, ERR_INVALID, "\"%s\" depends on itself through its conditions",
                        d->p.name.p);
    }
    d->visiting = true;
    uint32_t depth = 0;
    for (uint32_t c = 0; c < d->p.n_cases; c++) {
        for (uint32_t t = 0; t < d->p.cases[c].n; t++) {
            uint32_t parent = d->p.cases[c].tests[t].parent;
            err_t e = place(b, parent);
            if (e != ERR_OK)
                return e;
            if (b->drafts[parent].p.depth + 1 > depth)
                depth = b->drafts[parent].p.depth + 1;
        }
    }
    d->p.depth = depth;
    d->visiting = false;
    d->place = b->n_order;
    b->order[b->n_order++] = i;
    return ERR_OK;
}

/* A copy of the cases with parents by their final place. */
static err_t renumber(const struct builder *b, struct param *p)
{
    struct at at = at_root(b->em, STR("space"));
    struct param_case *cases = arena_array(b->arena, p->n_cases, sizeof *cases);
    if (!cases)
        return at_nomem(&at);
    for (uint32_t c = 0; c < p->n_cases; c++) {
        const struct param_case *from = &p->cases[c];
        struct param_test *tests = arena_array(b->arena, from->n, sizeof *tests);
        if (!tests)
            return at_nomem(&at);
        for (uint32_t t = 0; t < from->n; t++) {
            tests[t] = from->tests[t];
            tests[t].parent = b->drafts[from->tests[t].parent].place;
        }
        cases[c] = (struct param_case){.tests = tests, .n = from->n};
    }
    p->cases = cases;
    return ERR_OK;
}

err_t when_resolve(struct builder *b, struct param **out)
{
    err_t e = ERR_OK;
    for (uint32_t i = 0; i < b->n && e == ERR_OK; i++)
        e = parse_cases(b, i);
    for (uint32_t i = 0; i < b->n && e == ERR_OK; i++)
        e = place(b, i);
    if (e != ERR_OK)
        return e;
    struct at at = at_root(b->em, STR("space"));
    struct param *params = arena_array(b->arena, b->n, sizeof *params);
    if (!params)
        return at_nomem(&at);
    for (uint32_t i = 0; i < b->n && e == ERR_OK; i++) {
        params[i] = b->drafts[b->order[i]].p;
        if (params[i].n_cases > 0)
            e = renumber(b, &params[i]);
    }
    *out = params;
    return e;
}
