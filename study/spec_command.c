/* The command of an objective: a list of arguments, or one plain line split at spaces.
 *
 * No shell ever sees it. A line with anything a shell would interpret is refused rather than run in
 * a way its author did not mean. Called by spec_objective.c; spec_fill.c knows the placeholders. */
#include <json.h>

#include "spec_build.h"

#define MAX_ARGUMENT    8192
#define SHELL_SPECIAL   "'\"\\$`|&;<>()*?[]!#~"
#define COMMAND_EXAMPLE "[python3, train.py, --lr, \"{lr}\"]"

static err_t check_program(const struct spec *s, struct str program, const struct at *at)
{
    if (program.n == 0)
        return at_fault(at, ERR_INVALID, "must not be empty");
    if (program.p[0] == '-')
        return at_fault(at, ERR_INVALID, "the program's name begins with \"-\"");
    if (program.p[0] != '{' || (program.n > 1 && program.p[1] == '{'))
        return ERR_OK;
    const char *end = memchr(program.p, '}', program.n);
    if (end && space_find(s->space, str_make(program.p + 1, (size_t)(end - program.p) - 1)) < 0)
        return ERR_OK; /* {dir} and the like */
    return at_fault(at, ERR_INVALID,
                    "a parameter cannot decide which program is run; begin with "
                    "the program and pass the parameter as an argument");
}

static err_t take_argument(struct spec *s, struct json_object *v, const struct at *at,
                           struct str *out)
{
    char brief[BRIEF_SIZE];
    if (json_object_is_type(v, json_type_string))
        return take_text(at, v, 0, MAX_ARGUMENT, out);
    if (!value_is_number(v) && !json_object_is_type(v, json_type_boolean))
        return at_fault(at, ERR_INVALID, "%s is not a text; expected one argument",
                        value_brief(v, brief));
    struct buf b;
    buf_init(&b, 0);
    value_plain(v, &b);
    *out = arena_dup(s->arena, buf_str(&b));
    buf_fini(&b);
    return out->p ? ERR_OK : at_nomem(at);
}

static err_t from_list(struct spec *s, struct json_object *v, const struct at *at)
{
    size_t n = 0;
    err_t e = take_list(at, v, 1, SPEC_MAX_ARGS, COMMAND_EXAMPLE, &n);
    if (e != ERR_OK)
        return e;
    struct str *args = arena_array(s->arena, n, sizeof *args);
    if (!args)
        return at_nomem(at);
    for (size_t i = 0; i < n && e == ERR_OK; i++) {
        struct at here = at_item(at, i);
        e = take_argument(s, json_object_array_get_idx(v, i), &here, &args[i]);
        if (e == ERR_OK && s->space)
            e = fill_check(s->space, args[i], &here);
        if (e == ERR_OK && i == 0)
            e = check_program(s, args[0], &here);
    }
    s->objective.command = args;
    s->objective.n_command = (uint32_t)n;
    return e;
}

static err_t from_line(struct spec *s, struct str line, const struct at *at)
{
    for (size_t i = 0; i < line.n; i++) {
        char quote = line.p[i] == '"' ? '\'' : '"';
        if (strchr(SHELL_SPECIAL, line.p[i]))
            return at_fault(at, ERR_INVALID,
                            "no shell reads this, and it holds a %c%c%c; write a list such as "
                            "%s, or [sh, -c, \"...\"] if you want a shell",
                            quote, line.p[i], quote, COMMAND_EXAMPLE);
    }
    struct str *args = arena_array(s->arena, SPEC_MAX_ARGS, sizeof *args);
    if (!args)
        return at_nomem(at);
    uint32_t n = 0;
    err_t e = ERR_OK;
    for (size_t i = 0; i < line.n && e == ERR_OK;) {
        size_t len = 0;
        while (i + len < line.n && line.p[i + len] != ' ')
            len++;
        if (len > 0 && n == SPEC_MAX_ARGS)
            return at_fault(at, ERR_LIMIT, "more than %d arguments", SPEC_MAX_ARGS);
        if (len > 0) {
            args[n] = str_make(line.p + i, len);
            e = s->space ? fill_check(s->space, args[n++], at) : ERR_OK;
        }
        i += len + 1;
    }
    if (e == ERR_OK && n == 0)
        e = at_fault(at, ERR_INVALID, "must not be empty");
    if (e == ERR_OK)
        e = check_program(s, args[0], at);
    s->objective.command = args;
    s->objective.n_command = n;
    return e;
}

err_t command_parse(struct spec *s, struct json_object *v, const struct at *at)
{
    if (!json_object_is_type(v, json_type_string))
        return from_list(s, v, at);
    struct str line;
    err_t e = take_text(at, v, 1, MAX_ARGUMENT, &line);
    return e == ERR_OK ? from_line(s, line, at) : e;
}
