/* Checks JSON text by recursive descent, no deeper than its limit, without memory of its own.
 *
 * json-c has a strict mode, but the literals NaN and Infinity need its lax one, which also takes
 * comments, single quotes and trailing commas, and which turns integers that are too large into
 * other integers. So the grammar is checked here, and json-c only builds. Called by json_read.c. */
#include "json_check.h"

#include <strings.h>

static const char ESCAPES[9] = {'"', '\\', '/', 'b', 'f', 'n', 'r', 't', 'u'};

struct checker {
    const char *p;
    size_t n, at;
    bool nonfinite;
    unsigned depth;
    struct errmsg *em;
};

static bool value_ok(struct checker *c);

static bool fault(struct checker *c, const char *what)
{
    errmsg_set(c->em, ERR_INVALID, "not valid JSON at byte %zu: %s", c->at, what);
    return false;
}

static bool at_char(const struct checker *c, char want)
{
    return c->at < c->n && c->p[c->at] == want;
}

static void skip_space(struct checker *c)
{
    while (c->at < c->n && (c->p[c->at] == ' ' || c->p[c->at] == '\t' || c->p[c->at] == '\n' ||
                            c->p[c->at] == '\r'))
        c->at++;
}

static bool literal(struct checker *c, const char *word, bool any_case)
{
    size_t k = strlen(word);
    if (c->n - c->at < k)
        return false;
    int differs = any_case ? strncasecmp(c->p + c->at, word, k) : strncmp(c->p + c->at, word, k);
    if (differs)
        return false;
    c->at += k;
    return true;
}

static bool digit_at(const struct checker *c)
{
    return c->at < c->n && c->p[c->at] >= '0' && c->p[c->at] <= '9';
}

static bool digits_ok(struct checker *c)
{
    if (!digit_at(c))
        return fault(c, "a digit is missing");
    while (digit_at(c))
        c->at++;
    return true;
}

static bool number_fits(struct str s, bool integer)
{
    int64_t i;
    uint64_t u;
    double d;
    if (integer)
        return str_to_i64(s, &i) || str_to_u64(s, &u);
    return str_to_f64(s, &d);
}

static bool number_ok(struct checker *c)
{
    size_t start = c->at;
    bool integer = true;
    if (at_char(c, '-'))
        c->at++;
    size_t first = c->at;
    if (!digits_ok(c))
        return false;
    if (c->p[first] == '0' && c->at - first > 1)
        return fault(c, "a number begins with 0");
    if (at_char(c, '.')) {
        integer = false;
        c->at++;
        if (!digits_ok(c))
            return false;
    }
    if (at_char(c, 'e') || at_char(c, 'E')) {
        integer = false;
        c->at++;
        if (at_char(c, '+') || at_char(c, '-'))
            c->at++;
        if (!digits_ok(c))
            return false;
    }
    if (number_fits(str_make(c->p + start, c->at - start), integer))
        return true;
    c->at = start;
    return fault(c, "the number is too large");
}

static int hex_value(char ch)
{
    if (ch >= '0' && ch <= '9')
        return ch - '0';
    if (ch >= 'a' && ch <= 'f')
        return ch - 'a' + 10;
    if (ch >= 'A' && ch <= 'F')
        return ch - 'A' + 10;
    return -1;
}

/* Behind "\u": four digits; the value must not be 0 in a name, which would end early in C. */
static bool unicode_ok(struct checker *c, bool name)
{
    int v = 0;
    for (int i = 0; i < 4; i++, c->at++) {
        int h = c->at < c->n ? hex_value(c->p[c->at]) : -1;
        if (h < 0)
            return fault(c, "\\u needs four hexadecimal digits");
        v = v * 16 + h;
    }
    return v || !name || fault(c, "a name holds \\u0000");
}

static bool string_ok(struct checker *c, bool name)
{
    size_t start = c->at++;
    while (c->at < c->n && c->p[c->at] != '"') {
        if ((unsigned char)c->p[c->at] < 0x20)
            return fault(c, "a control character in a string is not escaped");
        if (c->p[c->at++] != '\\')
            continue;
        if (c->at >= c->n || !memchr(ESCAPES, c->p[c->at], sizeof ESCAPES))
            return fault(c, "unknown escape in a string");
        if (c->p[c->at++] == 'u' && !unicode_ok(c, name))
            return false;
    }
    if (c->at < c->n) {
        c->at++;
        return true;
    }
    c->at = start;
    return fault(c, "the string does not end");
}

static bool member_ok(struct checker *c)
{
    if (!at_char(c, '"'))
        return fault(c, "expected a name in double quotes");
    if (!string_ok(c, true))
        return false;
    skip_space(c);
    if (!at_char(c, ':'))
        return fault(c, "expected ':' after a name");
    c->at++;
    return value_ok(c);
}

static bool container_ok(struct checker *c, char close)
{
    if (c->depth == JSON_CHECK_DEPTH)
        return fault(c, "nested more than 32 levels deep");
    c->depth++;
    c->at++;
    skip_space(c);
    bool more = !at_char(c, close);
    while (more) {
        if (!(close == '}' ? member_ok(c) : value_ok(c)))
            return false;
        skip_space(c);
        more = at_char(c, ',');
        if (!more && !at_char(c, close))
            return fault(c, close == '}' ? "expected ',' or '}'" : "expected ',' or ']'");
        if (more)
            c->at++;
        skip_space(c);
    }
    c->at++;
    c->depth--;
    return true;
}

static bool value_ok(struct checker *c)
{
    skip_space(c);
    if (c->at >= c->n)
        return fault(c, "the text ends where a value is expected");
    char first = c->p[c->at];
    if (first == '{' || first == '[')
        return container_ok(c, first == '{' ? '}' : ']');
    if (first == '"')
        return string_ok(c, false);
    if (literal(c, "true", false) || literal(c, "false", false) || literal(c, "null", false))
        return true;
    if (c->nonfinite &&
        (literal(c, "nan", true) || literal(c, "infinity", true) || literal(c, "-infinity", true)))
        return true;
    if (first == '-' || (first >= '0' && first <= '9'))
        return number_ok(c);
    return fault(c, "expected a value");
}

err_t json_check(struct str text, bool nonfinite, struct errmsg *em)
{
    struct checker c = {.p = text.p, .n = text.n, .nonfinite = nonfinite, .em = em};
    if (!str_utf8_valid(text))
        return errmsg_set(em, ERR_INVALID, "not valid JSON: the text is not UTF-8");
    if (!value_ok(&c))
        return ERR_INVALID;
    skip_space(&c);
    if (c.at < c.n) {
        fault(&c, "text follows after the value");
        return ERR_INVALID;
    }
    return ERR_OK;
}
