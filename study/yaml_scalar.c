/* Plain scalars by the core schema of YAML 1.2: null, true, false, numbers; everything else is a
 * text.
 *
 * Called by yaml.c. The schema of YAML 1.1, in which "no", "on" and "1:30" are no texts, is what
 * people stumble over, so it is not followed. Numbers keep the digits they were written with. */
#include <math.h>

#include "json.h"
#include "yaml_node.h"

static bool is_one_of(struct str s, const char *const *words)
{
    for (; *words; words++) {
        if (str_is(s, *words))
            return true;
    }
    return false;
}

static bool write_word(struct jsonw *w, struct str s)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const trues[] = {"true", "True", "TRUE", NULL};
    static const char *const falses[] = {"false", "False", "FALSE", NULL};
    static const char *const nans[] = {".nan", ".NaN", ".NAN", NULL};
    static const char *const infs[] = {".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", NULL};
    static const char *const minus_infs[] = {"-.inf", "-.Inf", "-.INF", NULL};
    if (is_one_of(s, nulls))
        jsonw_null(w);
    else if (is_one_of(s, trues) || is_one_of(s, falses))
        jsonw_bool(w, s.p[0] == 't' || s.p[0] == 'T');
    else if (is_one_of(s, nans))
        jsonw_f64(w, NAN);
    else if (is_one_of(s, infs) || is_one_of(s, minus_infs))
        jsonw_f64(w, s.p[0] == '-' ? -INFINITY : INFINITY);
    else
        return false;
    return true;
}

static size_t digits(struct str s, size_t from)
{
    size_t i = from;
    while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9')
        i++;
    return i - from;
}

/* 0x1F and 0o17 */
static bool write_based(struct jsonw *w, struct str s)
{
    if (s.n < 3 || s.n > 15 || s.p[0] != '0' || (s.p[1] != 'x' && s.p[1] != 'o'))
        return false;
    uint64_t base = s.p[1] == 'x' ? 16 : 8, v = 0;
    for (size_t i = 2; i < s.n; i++) {
        static const char known[] = "0123456789abcdef0123456789ABCDEF";
        const char *d = memchr(known, s.p[i], sizeof known - 1);
        uint64_t digit = d ? (uint64_t)(d - known) % 16 : base;
        if (digit >= base)
            return false;
        v = v * base + digit;
    }
    jsonw_u64(w, v);
    return true;
}

enum number { NUMBER_NOT, NUMBER_OK, NUMBER_TOO_LARGE };

/* Whether the JSON reader will take it: whole numbers of 64 bits, others within a double. */
static bool number_fits(struct str json, bool whole)
{
    int64_t i;
    uint64_t u;
    double x;
    return whole ? str_to_i64(json, &i) || str_to_u64(json, &u) : str_to_f64(json, &x);
}

/* [-+]? (digits [. digits?] | . digits) ([eE] [-+]? digits)?, rewritten as JSON wants it. */
static enum number write_number(struct jsonw *w, struct str s)
{
    size_t i = s.n > 0 && (s.p[0] == '-' || s.p[0] == '+');
    size_t whole_at = i, whole = digits(s, i), fraction = 0, fraction_at = 0;
    i += whole;
    if (i < s.n && s.p[i] == '.') {
        fraction_at = ++i;
        fraction = digits(s, i);
        i += fraction;
    }
    if (whole + fraction == 0)
        return NUMBER_NOT;
    size_t exponent_at = i;
    if (i < s.n && (s.p[i] == 'e' || s.p[i] == 'E')) {
        i++;
        i += i < s.n && (s.p[i] == '-' || s.p[i] == '+');
        size_t n = digits(s, i);
        if (n == 0)
            return NUMBER_NOT;
        i += n;
    }
    if (i != s.n)
        return NUMBER_NOT;
    while (whole > 1 && s.p[whole_at] == '0') {
        whole_at++;
        whole--;
    }
    struct buf b;
    buf_init(&b, 0);
    buf_addz(&b, s.p[0] == '-' ? "-" : "");
    buf_add_str(&b, whole > 0 ? str_make(s.p + whole_at, whole) : STR("0"));
    if (fraction_at > 0) {
        buf_addc(&b, '.');
        buf_add_str(&b, fraction > 0 ? str_make(s.p + fraction_at, fraction) : STR("0"));
    }
    buf_add(&b, s.p + exponent_at, s.n - exponent_at);
    bool fits = number_fits(buf_str(&b), fraction_at == 0 && exponent_at == s.n);
    if (fits)
        jsonw_raw(w, buf_str(&b));
    buf_fini(&b);
    return fits ? NUMBER_OK : NUMBER_TOO_LARGE;
}

bool yaml_scalar(struct jsonw *w, const struct node *n)
{
    if (n->plain && (write_word(w, n->text) || write_based(w, n->text)))
        return true;
    enum number number = n->plain ? write_number(w, n->text) : NUMBER_NOT;
    if (number == NUMBER_NOT)
        jsonw_str(w, n->text);
    return number != NUMBER_TOO_LARGE;
}
