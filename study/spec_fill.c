/* Placeholders in the arguments of a command: "{lr}", "{params}", "{{".
 *
 * A placeholder becomes part of one argument, whatever its value holds; no argument is ever split.
 * An argument that is nothing but a text value beginning with "-" would be taken for a switch by
 * the user's program, so it is refused. Called by spec_command.c (check) and by the trial-worker
 * (fill). */
#include <math.h>

#include "spec_build.h"

#include "nearest.h"

struct piece {
    bool literal;
    struct str text; /* the literal, or the name between the braces */
};

enum extra { EXTRA_PARAMS, EXTRA_TRIAL, EXTRA_ATTEMPT, EXTRA_SEED, EXTRA_DIR, EXTRA_COUNT };
static const char *const extras[] = {"params", "trial", "attempt", "seed", "dir"};

static enum extra find_extra(struct str name)
{
    int i = 0;
    while (i < EXTRA_COUNT && !str_is(name, extras[i]))
        i++;
    return (enum extra)i;
}

/* The piece at *i, which is below s.n; moves *i behind it. */
static err_t next_piece(struct str s, size_t *i, struct piece *out, const struct at *at)
{
    const char *p = s.p + *i;
    size_t left = s.n - *i, n = 0;
    if ((p[0] == '{' || p[0] == '}') && left > 1 && p[1] == p[0]) {
        *out = (struct piece){.literal = true, .text = {p, 1}};
        *i += 2;
        return ERR_OK;
    }
    if (p[0] == '}')
        return at_fault(at, ERR_INVALID,
                        "a \"}\" without \"{\"; write \"}}\" for the brace itself");
    if (p[0] == '{') {
        const char *end = memchr(p, '}', left);
        if (!end)
            return at_fault(at, ERR_INVALID,
                            "a \"{\" without \"}\"; write \"{{\" for the brace itself");
        *out = (struct piece){.text = {p + 1, (size_t)(end - p) - 1}};
        *i += (size_t)(end - p) + 1;
        return ERR_OK;
    }
    while (n < left && p[n] != '{' && p[n] != '}')
        n++;
    *out = (struct piece){.literal = true, .text = {p, n}};
    *i += n;
    return ERR_OK;
}

static err_t fault_unknown(const struct space *space, struct str name, const struct at *at)
{
    const char *names[SPACE_MAX_PARAMS + EXTRA_COUNT + 1] = {NULL};
    for (uint32_t i = 0; i < space->n; i++)
        names[i] = space->params[i].name.p;
    for (uint32_t i = 0; i < EXTRA_COUNT; i++)
        names[space->n + i] = extras[i];
    const char *near = nearest_name(name, names);
    int shown = (int)str_utf8_cut(name, 64);
    if (near)
        return at_fault(at, ERR_INVALID, "{%.*s} names no parameter; did you mean {%s}?", shown,
                        name.p, near);
    return at_fault(at, ERR_INVALID, "{%.*s} names no parameter; write \"{{\" for a brace itself",
                    shown, name.p);
}

static bool looks_like_switch(struct str s)
{
    double x;
    if (s.n < 2 || s.p[0] != '-')
        return false;
    bool number = ((s.p[1] >= '0' && s.p[1] <= '9') || s.p[1] == '.') && str_to_f64(s, &x);
    return !number;
}

static err_t fault_switch(struct str argument, struct str value, const struct at *at)
{
    return at_fault(at, ERR_INVALID,
                    "\"%.*s\" as the whole of \"%.*s\" would look like a switch; put something in "
                    "front, such as --name=%.*s",
                    (int)str_utf8_cut(value, 64), value.p, (int)str_utf8_cut(argument, 64),
                    argument.p, (int)str_utf8_cut(argument, 64), argument.p);
}

static err_t check_options(const struct param *p, struct str argument, const struct at *at)
{
    for (uint32_t i = 0; i < p->n_options; i++) {
        if (looks_like_switch(p->options[i].text))
            return fault_switch(argument, p->options[i].text, at);
    }
    return ERR_OK;
}

err_t fill_check(const struct space *space, struct str argument, const struct at *at)
{
    for (size_t i = 0; i < argument.n;) {
        bool first = i == 0;
        struct piece piece = {0};
        err_t e = next_piece(argument, &i, &piece, at);
        if (e != ERR_OK)
            return e;
        if (piece.literal)
            continue;
        int param = space_find(space, piece.text);
        if (param < 0 && find_extra(piece.text) == EXTRA_COUNT)
            return fault_unknown(space, piece.text, at);
        if (param >= 0 && first)
            e = check_options(&space->params[param], argument, at);
        if (e != ERR_OK)
            return e;
    }
    return ERR_OK;
}

static void fill_extra(enum extra what, const struct spec_values *v, struct buf *out)
{
    switch (what) {
    case EXTRA_PARAMS:
        buf_add_str(out, v->params);
        break;
    case EXTRA_TRIAL:
        buf_printf(out, "%llu", (unsigned long long)v->trial);
        break;
    case EXTRA_ATTEMPT:
        buf_printf(out, "%u", v->attempt);
        break;
    case EXTRA_SEED:
        buf_printf(out, "%llu", (unsigned long long)v->seed);
        break;
    case EXTRA_DIR:
        buf_add_str(out, v->dir);
        break;
    case EXTRA_COUNT:
        break;
    }
}

err_t spec_fill(const struct spec *s, struct str argument, const double *point,
                const struct spec_values *v, struct buf *out, struct errmsg *em)
{
    struct at at = at_root(em, STR("objective.command"));
    size_t start = out->n;
    bool bare = false; /* the argument begins with a placeholder */
    for (size_t i = 0; i < argument.n;) {
        bool first = i == 0;
        struct piece piece = {0};
        err_t e = next_piece(argument, &i, &piece, &at);
        if (e != ERR_OK)
            return e;
        if (piece.literal) {
            buf_add_str(out, piece.text);
            continue;
        }
        bare = bare || first;
        int param = space_find(s->space, piece.text);
        enum extra extra = find_extra(piece.text);
        if (param < 0 && extra == EXTRA_COUNT)
            return fault_unknown(s->space, piece.text, &at);
        if (param < 0)
            fill_extra(extra, v, out);
        else if (!isnan(point[param]))
            param_value_text(&s->space->params[param], point[param], out);
    }
    if (!buf_ok(out))
        return at_nomem(&at);
    struct str value = str_make(out->n > start ? out->p + start : "", out->n - start);
    return bare && looks_like_switch(value) ? fault_switch(argument, value, &at) : ERR_OK;
}
