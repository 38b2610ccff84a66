/* From the `space` object of a spec to a space.
 *
 * Walks the object and the options that carry parameters of their own, names every parameter and
 * leaves the rest to its neighbours: space_prior.c reads one parameter, space_choice.c its options,
 * space_when.c conditions and order. Called by spec_parse.c, and by tests. Knows nothing of YAML
 * and nothing of samplers. */
#include "space.h"

#include <json.h>
#include <stdlib.h>

#include "alloc.h"
#include "nearest.h"
#include "space_build.h"

#define SPACE_ARENA (16u << 20)
#define MAX_NAME    128

struct owned_space {
    struct space space; /* first: space_free gets its address */
    struct arena arena;
};

bool param_name_valid(struct str name)
{
    if (name.n < 1 || name.n > MAX_NAME || name.p[0] == '-' || name.p[0] == '.')
        return false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && !(c >= '0' && c <= '9') && c != '_' && c != '.' && c != '-')
            return false;
    }
    return true;
}

static struct str last_part(struct str name)
{
    size_t i = name.n;
    while (i > 0 && name.p[i - 1] != '.')
        i--;
    return i < name.n ? str_make(name.p + i, name.n - i) : name;
}

static err_t name_draft(struct builder *b, struct draft *d, struct str prefix, const char *key,
                        const struct at *at)
{
    if (!param_name_valid(str_of(key)))
        return at_fault(at, ERR_INVALID,
                        "not a name for a parameter; expected 1 to 128 letters, digits or any of "
                        "\"_.-\", first a letter, a digit or \"_\"");
    struct buf name;
    buf_init(&name, 4096);
    buf_add_str(&name, prefix);
    buf_addz(&name, key);
    struct str s = buf_str(&name);
    err_t e = ERR_OK;
    if (s.n > MAX_NAME)
        e = at_fault(at, ERR_LIMIT, "the qualified name has %zu bytes; at most %d are allowed", s.n,
                     MAX_NAME);
    else if (!(d->p.name = arena_dup(b->arena, s)).p)
        e = at_nomem(at);
    buf_fini(&name);
    d->p.short_name = d->p.name;
    for (uint32_t i = 0; e == ERR_OK && i < b->n; i++) {
        if (str_eq(b->drafts[i].p.name, d->p.name))
            e = at_fault(at, ERR_INVALID, "a parameter named \"%s\" exists already", d->p.name.p);
    }
    return e;
}

static err_t parse_level(struct builder *b, struct json_object *v, const struct at *at,
                         struct str prefix, uint32_t nest, uint32_t option);

/* The parameters of the options of the choice at draft index `choice`. */
static err_t parse_nested(struct builder *b, const struct at *at, uint32_t choice,
                          const struct nested *nested, uint32_t n)
{
    const struct param *p = &b->drafts[choice].p;
    err_t e = ERR_OK;
    for (uint32_t i = 0; i < n && e == ERR_OK; i++) {
        const char *name = p->options[nested[i].option].text.p;
        struct at list = at_key(at, "choice");
        struct at item = at_item(&list, nested[i].option);
        struct at here = at_key(&item, name);
        struct buf prefix;
        buf_init(&prefix, 4096);
        buf_printf(&prefix, "%s.%s.", p->name.p, name);
        e = parse_level(b, nested[i].space, &here, buf_str(&prefix), choice, nested[i].option);
        buf_fini(&prefix);
    }
    return e;
}

static err_t parse_param(struct builder *b, struct json_object *v, const struct at *at,
                         struct str prefix, uint32_t nest, uint32_t option)
{
    if (b->n == SPACE_MAX_PARAMS)
        return at_fault(at, ERR_LIMIT, "more than %d parameters", SPACE_MAX_PARAMS);
    uint32_t index = b->n;
    struct draft *d = &b->drafts[index];
    *d = (struct draft){.nest = nest, .nest_option = option, .place = NO_PLACE};
    err_t e = name_draft(b, d, prefix, at->key.p, at);
    if (e != ERR_OK)
        return e;
    b->n++;
    struct nested *nested = alloc_array(SPACE_MAX_OPTIONS, sizeof *nested);
    uint32_t n_nested = 0;
    e = prior_parse(b->arena, v, at, d, nested, &n_nested);
    if (e == ERR_OK)
        e = parse_nested(b, at, index, nested, n_nested);
    free(nested);
    return e;
}

static err_t parse_level(struct builder *b, struct json_object *v, const struct at *at,
                         struct str prefix, uint32_t nest, uint32_t option)
{
    if (!v)
        return ERR_OK; /* an option without parameters */
    char brief[BRIEF_SIZE];
    if (!json_object_is_type(v, json_type_object))
        return at_fault(at, ERR_INVALID,
                        "%s is not a group of parameters; expected one such as "
                        "{lr: {float: [1e-5, 1], log: true}}",
                        value_brief(v, brief));
    err_t e = ERR_OK;
    json_object_object_foreach(v, key, value)
    {
        struct at here = at_key(at, key);
        e = parse_param(b, value, &here, prefix, nest, option);
        if (e != ERR_OK)
            return e;
    }
    return e;
}

/* The last part of a name stands for the whole where no other parameter has the same last part. */
static void set_short_names(struct builder *b)
{
    for (uint32_t i = 0; i < b->n; i++) {
        struct param *p = &b->drafts[i].p;
        struct str last = last_part(p->name);
        bool unique = true;
        for (uint32_t k = 0; k < b->n && unique; k++)
            unique = k == i || !str_eq(last_part(b->drafts[k].p.name), last);
        p->short_name = unique ? last : p->name;
    }
}

static err_t build(struct builder *b, struct json_object *v, struct owned_space *o)
{
    struct at at = at_root(b->em, STR("space"));
    b->arena = &o->arena;
    err_t e = parse_level(b, v, &at, STR(""), NO_NEST, 0);
    if (e == ERR_OK && b->n == 0)
        e = at_fault(&at, ERR_INVALID,
                     "has no parameters; expected one such as {lr: {float: [1e-5, 1], log: true}}");
    struct param *params = NULL;
    if (e == ERR_OK) {
        set_short_names(b);
        e = when_resolve(b, &params);
    }
    o->space = (struct space){.params = params, .n = b->n};
    return e;
}

err_t space_parse(struct json_object *v, struct space **out, struct errmsg *em)
{
    struct owned_space *o = alloc_zero(sizeof *o);
    arena_init(&o->arena, SPACE_ARENA);
    struct builder b = {.em = em};
    b.drafts = alloc_array(SPACE_MAX_PARAMS, sizeof *b.drafts);
    b.order = alloc_array(SPACE_MAX_PARAMS, sizeof *b.order);
    err_t e = build(&b, v, o);
    free(b.drafts);
    free(b.order);
    *out = NULL;
    if (e == ERR_OK)
        *out = &o->space;
    else
        space_free(&o->space);
    return e;
}

void space_free(struct space *s)
{
    if (!s)
        return;
    struct owned_space *o = (struct owned_space *)s;
    arena_fini(&o->arena);
    free(o);
}

int space_find(const struct space *s, struct str name)
{
    int by_short = -1;
    for (uint32_t i = 0; i < s->n; i++) {
        if (str_eq(s->params[i].name, name))
            return (int)i;
        if (str_eq(s->params[i].short_name, name))
            by_short = (int)i;
    }
    return by_short;
}
