/* The writer of json.h: the only code in the tree that makes JSON text.
 *
 * It appends to a buf, so a refused append shows there. Nesting and commas are kept here; a caller
 * that closes more than it opened has broken the contract. Numbers do not depend on the locale. */
#include "json.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define JSONW_DEPTH 32

void jsonw_init(struct jsonw *w, struct buf *b)
{
    *w = (struct jsonw){.b = b};
}

static void before_value(struct jsonw *w)
{
    if (w->comma[w->depth])
        buf_addc(w->b, ',');
    w->comma[w->depth] = true;
}

static void level_open(struct jsonw *w, bool object)
{
    before_value(w);
    REQUIRE(w->depth < JSONW_DEPTH);
    w->depth++;
    w->comma[w->depth] = false;
    w->object[w->depth] = object;
    buf_addc(w->b, object ? '{' : '[');
}

void jsonw_object(struct jsonw *w)
{
    level_open(w, true);
}

void jsonw_array(struct jsonw *w)
{
    level_open(w, false);
}

void jsonw_end(struct jsonw *w)
{
    REQUIRE(w->depth > 0);
    buf_addc(w->b, w->object[w->depth] ? '}' : ']');
    w->depth--;
}

static void add_escaped_byte(struct buf *b, unsigned char c)
{
    static const char letters[] = "\bb\ff\nn\rr\tt\"\"\\\\";
    for (size_t i = 0; i + 1 < sizeof letters; i += 2)
        if ((unsigned char)letters[i] == c) {
            buf_addc(b, '\\');
            buf_addc(b, letters[i + 1]);
            return;
        }
    buf_printf(b, "\\u%04x", c);
}

/* Length of the valid UTF-8 sequence at p, 0 if there is none. */
static size_t sequence_length(const char *p, size_t n)
{
    for (size_t k = 1; k <= 4 && k <= n; k++)
        if (str_utf8_valid(str_make(p, k)))
            return k;
    return 0;
}

static void add_quoted(struct buf *b, struct str s)
{
    size_t plain = 0; /* bytes before i that can be copied as they are */
    buf_addc(b, '"');
    for (size_t i = 0; i < s.n; i++, plain++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\' && c != 0x7f)
            continue;
        size_t k = c >= 0x80 ? sequence_length(s.p + i, s.n - i) : 0;
        if (k) {
            i += k - 1;
            plain += k - 1;
            continue;
        }
        buf_add(b, s.p + i - plain, plain);
        if (c >= 0x80)
            buf_addz(b, "\xef\xbf\xbd");
        else
            add_escaped_byte(b, c);
        plain = (size_t)-1; /* the loop's increment makes it 0 */
    }
    buf_add(b, s.p ? s.p + s.n - plain : NULL, plain);
    buf_addc(b, '"');
}

void jsonw_key(struct jsonw *w, struct str key)
{
    REQUIRE(w->depth > 0 && w->object[w->depth]);
    before_value(w);
    add_quoted(w->b, key);
    buf_addc(w->b, ':');
    w->comma[w->depth] = false; /* the value follows at once */
}

void jsonw_keyz(struct jsonw *w, const char *key)
{
    jsonw_key(w, str_of(key));
}

void jsonw_str(struct jsonw *w, struct str s)
{
    before_value(w);
    add_quoted(w->b, s);
}

void jsonw_strz(struct jsonw *w, const char *z)
{
    jsonw_str(w, str_of(z));
}

void jsonw_f64(struct jsonw *w, double v)
{
    char text[32];
    before_value(w);
    size_t n = json_format_f64(text, v);
    if (!isfinite(v))
        buf_addc(w->b, '"');
    buf_add(w->b, text, n);
    if (!isfinite(v))
        buf_addc(w->b, '"');
}

void jsonw_i64(struct jsonw *w, int64_t v)
{
    before_value(w);
    buf_printf(w->b, "%lld", (long long)v);
}

void jsonw_u64(struct jsonw *w, uint64_t v)
{
    before_value(w);
    buf_printf(w->b, "%llu", (unsigned long long)v);
}

void jsonw_bool(struct jsonw *w, bool v)
{
    before_value(w);
    buf_addz(w->b, v ? "true" : "false");
}

void jsonw_null(struct jsonw *w)
{
    before_value(w);
    buf_addz(w->b, "null");
}

void jsonw_raw(struct jsonw *w, struct str json)
{
    before_value(w);
    buf_add_str(w->b, json);
}

void jsonw_kstr(struct jsonw *w, const char *key, struct str v)
{
    jsonw_keyz(w, key);
    jsonw_str(w, v);
}

void jsonw_kf64(struct jsonw *w, const char *key, double v)
{
    jsonw_keyz(w, key);
    jsonw_f64(w, v);
}

void jsonw_ki64(struct jsonw *w, const char *key, int64_t v)
{
    jsonw_keyz(w, key);
    jsonw_i64(w, v);
}

void jsonw_ku64(struct jsonw *w, const char *key, uint64_t v)
{
    jsonw_keyz(w, key);
    jsonw_u64(w, v);
}

void jsonw_kbool(struct jsonw *w, const char *key, bool v)
{
    jsonw_keyz(w, key);
    jsonw_bool(w, v);
}

/* "1e+20" and "1e-07" have signs and zeros that nobody needs. */
static void shorten_exponent(char *text)
{
    char *e = strchr(text, 'e');
    if (!e)
        return;
    char *from = e + 1, *to = e + 1;
    if (*from == '-')
        to++;
    from++; /* printf always gives a sign */
    while (*from == '0' && from[1])
        from++;
    memmove(to, from, strlen(from) + 1);
}

static void format_finite(char *out, double v)
{
    if (v == 0 && signbit(v)) {
        snprintf(out, 32, "-0.0"); /* readers take "-0" for the integer 0 */
        return;
    }
    if (fabs(v) < 0x1p53 && v == floor(v)) {
        snprintf(out, 32, "%.0f", v);
        return;
    }
    /* 15 digits always survive in a normal number, so fewer are tried of the others only. */
    for (int digits = fabs(v) < 0x1p-1022 ? 1 : 15; digits <= 17; digits++) {
        snprintf(out, 32, "%.*g", digits, v);
        if (strtod(out, NULL) == v)
            break;
    }
    shorten_exponent(out);
}

size_t json_format_f64(char out[32], double v)
{
    if (isfinite(v)) {
        locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
        REQUIRE(c != (locale_t)0);
        locale_t before = uselocale(c);
        format_finite(out, v);
        uselocale(before);
        freelocale(c);
    } else {
        snprintf(out, 32, "%s", isnan(v) ? "NaN" : v < 0 ? "-Infinity" : "Infinity");
    }
    return strlen(out);
}
