/* The short form of a study: ranges written into the arguments of a command.
 *
 * Owns the little language NAME~FUNCTION(VALUE, ...). Called by `tunefarm run` and `tunefarm
 * submit`; what it writes goes through spec_parse() like a file, which checks bounds and names more
 * closely. A table says for each function how it is spelled in a study file. */
#include "inline.h"

#include "json.h"
#include "nearest.h"
#include "spec.h"
#include "yaml_node.h"

#define MAX_ITEMS SPACE_MAX_OPTIONS

enum {
    FN_LOG = 1,
    FN_ROUND = 2, /* the last value is the quantum */
    FN_LIST = 4,
    FN_WEIGHTS = 8,
};
struct function {
    const char *name;
    const char *kind; /* the member of a parameter */
    uint32_t min, max;
    unsigned flags;
    const char *usage;
};
static const struct function functions[] = {
    {"uniform", "float", 2, 2, 0, "uniform(low, high)"},
    {"loguniform", "float", 2, 2, FN_LOG, "loguniform(low, high)"},
    {"quniform", "float", 3, 3, FN_ROUND, "quniform(low, high, q)"},
    {"qloguniform", "float", 3, 3, FN_LOG | FN_ROUND, "qloguniform(low, high, q)"},
    {"uniformint", "int", 2, 2, 0, "uniformint(low, high)"},
    {"loguniformint", "int", 2, 2, FN_LOG, "loguniformint(low, high)"},
    {"randint", "randint", 1, 2, 0, "randint(n) or randint(low, high)"},
    {"normal", "normal", 2, 2, 0, "normal(mean, deviation)"},
    {"qnormal", "normal", 3, 3, FN_ROUND, "qnormal(mean, deviation, q)"},
    {"lognormal", "lognormal", 2, 2, 0, "lognormal(mean, deviation)"},
    {"qlognormal", "lognormal", 3, 3, FN_ROUND, "qlognormal(mean, deviation, q)"},
    {"choice", "choice", 1, MAX_ITEMS, FN_LIST, "choice(x, y, ...)"},
    {"pchoice", "choice", 1, MAX_ITEMS, FN_LIST | FN_WEIGHTS, "pchoice(x: 0.75, y: 0.25)"},
};
#define N_FUNCTIONS (sizeof functions / sizeof functions[0])

/* An argument taken apart. */
struct argument {
    struct str whole;
    struct str name;     /* empty: no parameter, passed on as it is */
    struct str front;    /* "--lr", "-x", "lr" or empty: what stands before the value */
    bool joined;         /* front and value are one argument, with "=" between them */
    struct str function; /* its name */
    struct str values;   /* between the parentheses */
};
struct item {
    struct str text;
    bool quoted;
    struct str weight;
};

static struct str trim(struct str s)
{
    while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t'))
        s = str_make(s.p + 1, s.n - 1);
    while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
        s.n--;
    return s;
}

static err_t fault(const struct argument *a, struct errmsg *em, const char *what,
                   const char *expected)
{
    return errmsg_set(em, ERR_INVALID, "%.*s: %s; expected %s", (int)str_utf8_cut(a->whole, 200),
                      a->whole.p, what, expected);
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static const struct function *find_function(struct str name)
{
    for (size_t i = 0; i < N_FUNCTIONS; i++) {
        if (str_is(name, functions[i].name))
            return &functions[i];
    }
    return NULL;
}

static const char *function_near(struct str name)
{
    const char *names[N_FUNCTIONS + 1] = {NULL};
    for (size_t i = 0; i < N_FUNCTIONS; i++)
        names[i] = functions[i].name;
    const char *near = nearest_name(name, names);
    const struct function *f = near ? find_function(str_of(near)) : NULL;
    return f ? f->usage
             : "uniform, loguniform, uniformint, choice, ... as in \"loguniform(1e-5, 1)\"";
}

/* Splits at the first "~". False: not of the form of a parameter. */
static bool split(struct argument *a)
{
    const char *tilde = memchr(a->whole.p, '~', a->whole.n);
    if (!tilde)
        return false;
    struct str front = str_make(a->whole.p, (size_t)(tilde - a->whole.p));
    a->joined = front.n > 0 && front.p[front.n - 1] == '=';
    front.n -= a->joined;
    size_t dashes = 0;
    while (dashes < 2 && dashes < front.n && front.p[dashes] == '-')
        dashes++;
    a->front = dashes > 0 || a->joined ? front : STR("");
    a->name = str_make(front.p + dashes, front.n - dashes);
    for (size_t i = 0; i < a->name.n; i++) {
        if (!is_word(a->name.p[i]) && (i == 0 || (a->name.p[i] != '-' && a->name.p[i] != '.')))
            return false;
    }
    struct str rest = trim(str_make(tilde + 1, a->whole.n - front.n - a->joined - 1));
    size_t n = 0;
    while (n < rest.n && is_word(rest.p[n]))
        n++;
    a->function = str_make(rest.p, n);
    a->values = trim(str_make(rest.p + n, rest.n - n));
    return a->name.n > 0;
}

/* An argument with a "~" that is no parameter ("~/data", "x~y") is left alone, but for one that
 * begins like a switch: no program has such, so it is a slip. */
static err_t take_apart(const char *text, struct argument *a, struct errmsg *em)
{
    *a = (struct argument){.whole = str_of(text)};
    bool form = split(a);
    bool call = form && a->function.n > 0 && a->values.n > 0 && a->values.p[0] == '(';
    if (!call && !(form && (text[0] == '-' || find_function(a->function)))) {
        a->name = STR("");
        return ERR_OK;
    }
    const struct function *f = find_function(a->function);
    if (!f)
        return fault(a, em, "not a range or a choice", function_near(a->function));
    if (!call || a->values.p[a->values.n - 1] != ')')
        return fault(a, em, "the parentheses do not match", f->usage);
    a->values = trim(str_make(a->values.p + 1, a->values.n - 2));
    return ERR_OK;
}

/* The text of one value at the start of s; *used is its length with quotes. */
static err_t take_value(const struct argument *a, struct str s, struct item *out, size_t *used,
                        struct errmsg *em)
{
    *out = (struct item){0};
    if (s.n > 0 && (s.p[0] == '"' || s.p[0] == '\'')) {
        const char *end = memchr(s.p + 1, s.p[0], s.n - 1);
        if (!end)
            return fault(a, em, "a quote is not closed", "the same quote behind the text");
        out->text = str_make(s.p + 1, (size_t)(end - s.p) - 1);
        out->quoted = true;
        *used = out->text.n + 2;
        return ERR_OK;
    }
    size_t n = 0;
    while (n < s.n && s.p[n] != ',')
        n++;
    out->text = trim(str_make(s.p, n));
    *used = n;
    if (out->text.n == 0)
        return fault(a, em, "a value is empty", "a value on both sides of each comma");
    if (memchr(out->text.p, '(', out->text.n) || memchr(out->text.p, ')', out->text.n))
        return fault(a, em, "a parenthesis in a value", "quotes around such a text");
    return ERR_OK;
}

/* "x: 0.75" without quotes came as one text. */
static err_t split_weight(const struct argument *a, struct item *item, struct str behind,
                          struct errmsg *em)
{
    struct str weight = trim(behind);
    if (!item->quoted && item->text.n > 0) {
        const char *colon = memrchr(item->text.p, ':', item->text.n);
        size_t at = colon ? (size_t)(colon - item->text.p) : 0;
        weight = colon ? str_make(item->text.p + at, item->text.n - at) : STR("");
        item->text = trim(str_make(item->text.p, at));
    }
    double x;
    if (weight.n > 0 && weight.p[0] == ':')
        item->weight = trim(str_make(weight.p + 1, weight.n - 1));
    if (item->text.n == 0 || !str_to_f64(item->weight, &x))
        return fault(a, em, "a weight is missing", "pchoice(x: 0.75, y: 0.25)");
    return ERR_OK;
}

static err_t take_items(const struct argument *a, const struct function *f, struct item *items,
                        uint32_t *n, struct errmsg *em)
{
    struct str s = a->values;
    *n = 0;
    while (s.n > 0) {
        size_t used = 0;
        if (*n == f->max)
            return fault(a, em, "too many values", f->usage);
        struct item *item = &items[(*n)++];
        err_t e = take_value(a, s, item, &used, em);
        if (e != ERR_OK)
            return e;
        struct str rest = str_make(s.p + used, s.n - used);
        size_t to_comma = 0;
        while (to_comma < rest.n && rest.p[to_comma] != ',')
            to_comma++;
        struct str behind = str_make(rest.p, to_comma);
        if (f->flags & FN_WEIGHTS)
            e = split_weight(a, item, behind, em);
        else if (trim(behind).n > 0)
            e = fault(a, em, "text behind a quote", "a comma between values");
        if (e != ERR_OK)
            return e;
        s = trim(str_make(rest.p + to_comma, rest.n - to_comma));
        if (s.n == 1)
            return fault(a, em, "a value is empty", f->usage);
        if (s.n > 0)
            s = trim(str_make(s.p + 1, s.n - 1));
    }
    return *n < f->min ? fault(a, em, "too few values", f->usage) : ERR_OK;
}

/* False if it is a number too large for JSON. */
static bool write_scalar(struct jsonw *w, struct str text, bool plain)
{
    struct node n = {.kind = NODE_SCALAR, .plain = plain, .text = text};
    return yaml_scalar(w, &n);
}

static bool write_parameter(struct jsonw *w, const struct function *f, const struct item *items,
                            uint32_t n)
{
    bool ok = true;
    uint32_t listed = f->flags & FN_ROUND ? n - 1 : n;
    jsonw_object(w);
    jsonw_keyz(w, f->kind);
    if (listed > 1 || f->flags & FN_LIST)
        jsonw_array(w);
    for (uint32_t i = 0; i < listed; i++)
        ok = write_scalar(w, items[i].text, !items[i].quoted) && ok;
    if (listed > 1 || f->flags & FN_LIST)
        jsonw_end(w);
    if (f->flags & FN_LOG)
        jsonw_kbool(w, "log", true);
    if (f->flags & FN_ROUND) {
        jsonw_keyz(w, "round");
        ok = write_scalar(w, items[n - 1].text, true) && ok;
    }
    if (f->flags & FN_WEIGHTS) {
        jsonw_keyz(w, "weights");
        jsonw_array(w);
        for (uint32_t i = 0; i < n; i++)
            ok = write_scalar(w, items[i].weight, true) && ok;
        jsonw_end(w);
    }
    jsonw_end(w);
    return ok;
}

static err_t add_parameter(struct jsonw *w, const struct argument *a, struct errmsg *em)
{
    const struct function *f = find_function(a->function);
    struct item items[MAX_ITEMS] = {{.quoted = false}};
    uint32_t n = 0;
    err_t e = take_items(a, f, items, &n, em);
    double x;
    for (uint32_t i = 0; i < n && e == ERR_OK && !(f->flags & FN_LIST); i++) {
        if (items[i].quoted || !str_to_f64(items[i].text, &x))
            e = fault(a, em, "a value is not a number", f->usage);
    }
    if (e != ERR_OK)
        return e;
    jsonw_key(w, a->name);
    if (!write_parameter(w, f, items, n))
        return fault(a, em, "a number is too large", f->usage);
    return ERR_OK;
}

/* A literal argument, with its braces doubled so that they stay what they are. */
static void add_literal(struct jsonw *w, struct str s)
{
    struct buf b;
    buf_init(&b, 0);
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '{' || s.p[i] == '}')
            buf_addc(&b, s.p[i]);
        buf_addc(&b, s.p[i]);
    }
    jsonw_str(w, buf_str(&b));
    buf_fini(&b);
}

static void add_argument(struct jsonw *w, const struct argument *a)
{
    if (a->name.n == 0) {
        add_literal(w, a->whole);
        return;
    }
    if (a->front.n > 0 && !a->joined)
        jsonw_str(w, a->front);
    struct buf b;
    buf_init(&b, 0);
    if (a->joined)
        buf_printf(&b, STR_FMT "=", STR_ARG(a->front));
    buf_printf(&b, "{" STR_FMT "}", STR_ARG(a->name));
    jsonw_str(w, buf_str(&b));
    buf_fini(&b);
}

static err_t refuse_twice(char *const *argv, int upto, const struct argument *a, struct errmsg *em)
{
    struct argument other;
    for (int i = 1; i < upto; i++) {
        if (take_apart(argv[i], &other, NULL) == ERR_OK && str_eq(other.name, a->name))
            return fault(a, em, "a parameter of this name stands before it", "another name");
    }
    return ERR_OK;
}

static err_t write_space(struct jsonw *w, char *const *argv, int argc, struct errmsg *em)
{
    struct argument a;
    int found = 0;
    for (int i = 1; i < argc; i++) {
        err_t e = take_apart(argv[i], &a, em);
        if (e != ERR_OK)
            return e;
        if (a.name.n == 0)
            continue;
        e = refuse_twice(argv, i, &a, em);
        if (e == ERR_OK)
            e = add_parameter(w, &a, em);
        if (e != ERR_OK)
            return e;
        found++;
    }
    if (found == 0)
        return errmsg_set(em, ERR_INVALID,
                          "no argument says what to tune; expected one such as "
                          "--lr~'loguniform(1e-5, 1)' or --act~'choice(relu, tanh)'");
    return ERR_OK;
}

err_t inline_spec(struct jsonw *w, char *const *argv, int argc, struct errmsg *em)
{
    struct argument a;
    if (argc < 1)
        return errmsg_set(em, ERR_INVALID, "no command; expected a program and its arguments");
    jsonw_keyz(w, "objective");
    jsonw_object(w);
    jsonw_keyz(w, "command");
    jsonw_array(w);
    for (int i = 0; i < argc; i++) {
        err_t e = take_apart(argv[i], &a, em);
        if (e == ERR_OK && i == 0 && a.name.n > 0)
            e = fault(&a, em, "a parameter in place of the program", "the program first");
        if (e != ERR_OK)
            return e;
        add_argument(w, &a);
    }
    jsonw_end(w);
    jsonw_end(w);
    jsonw_keyz(w, "space");
    jsonw_object(w);
    err_t e = write_space(w, argv, argc, em);
    jsonw_end(w);
    return e;
}
