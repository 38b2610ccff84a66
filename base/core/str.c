/* Comparing, checking, copying and number parsing of borrowed bytes.
 *
 * Everything from outside passes through the parsers here, so they take the whole slice or nothing.
 * strtod depends on the locale's decimal point; a copy of the text is therefore checked by hand
 * first and the C locale is asked for by name. Knows nothing of files or messages. */
#include "str.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <strings.h>

#include "alloc.h"
#include "err.h"

int str_cmp(struct str a, struct str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n ? memcmp(a.p, b.p, n) : 0;
    if (c)
        return c < 0 ? -1 : 1;
    return a.n < b.n ? -1 : a.n > b.n;
}

bool str_starts(struct str s, const char *prefix)
{
    size_t n = strlen(prefix);
    return s.n >= n && (n == 0 || memcmp(s.p, prefix, n) == 0);
}

/* Length of the valid sequence at p (n bytes left), 0 if there is none. */
static size_t utf8_step(const unsigned char *p, size_t n)
{
    if (p[0] < 0x80)
        return 1;
    size_t len = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4 || n < len)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xf0 && p[1] < 0x90);
    bool surrogate = p[0] == 0xed && p[1] > 0x9f;
    bool beyond = p[0] == 0xf4 && p[1] > 0x8f;
    return overlong || surrogate || beyond ? 0 : len;
}

bool str_utf8_valid(struct str s)
{
    for (size_t i = 0; i < s.n;) {
        size_t k = utf8_step((const unsigned char *)s.p + i, s.n - i);
        if (!k)
            return false;
        i += k;
    }
    return true;
}

size_t str_utf8_cut(struct str s, size_t limit)
{
    if (s.n <= limit)
        return s.n;
    size_t n = limit;
    while (n > 0 && limit - n < 3 && ((unsigned char)s.p[n] & 0xc0) == 0x80)
        n--;
    /* A run of continuation bytes without a beginning is no sequence: cut where asked. */
    return ((unsigned char)s.p[n] & 0xc0) == 0x80 ? limit : n;
}

bool str_has_control(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
            return true;
    return false;
}

char *str_dupz(struct str s)
{
    REQUIRE(s.n < SIZE_MAX);
    char *z = alloc_zero(s.n + 1);
    if (s.n)
        memcpy(z, s.p, s.n);
    return z;
}

bool str_copyz(char *dst, size_t size, struct str s)
{
    REQUIRE(size > 0);
    size_t n = str_utf8_cut(s, size - 1);
    if (n)
        memcpy(dst, s.p, n);
    dst[n] = 0;
    return n == s.n;
}

bool str_to_u64(struct str s, uint64_t *out)
{
    if (s.n == 0)
        return false;
    uint64_t v = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        uint64_t d = (uint64_t)(s.p[i] - '0');
        if (v > (UINT64_MAX - d) / 10)
            return false;
        v = v * 10 + d;
    }
    *out = v;
    return true;
}

bool str_to_i64(struct str s, int64_t *out)
{
    bool negative = s.n > 0 && s.p[0] == '-';
    bool sign = negative || (s.n > 0 && s.p[0] == '+');
    uint64_t v;
    if (!str_to_u64(str_make(s.p + (sign ? 1 : 0), s.n - (sign ? 1 : 0)), &v))
        return false;
    if (v > (uint64_t)INT64_MAX + (negative ? 1 : 0))
        return false;
    if (negative)
        *out = v == (uint64_t)INT64_MAX + 1 ? INT64_MIN : -(int64_t)v;
    else
        *out = (int64_t)v;
    return true;
}

static bool str_is_nocase(struct str s, const char *z)
{
    return s.n == strlen(z) && strncasecmp(s.p, z, s.n) == 0;
}

static bool f64_named(struct str s, double *out)
{
    bool negative = s.n > 0 && s.p[0] == '-';
    bool sign = negative || (s.n > 0 && s.p[0] == '+');
    struct str rest = sign ? str_make(s.p + 1, s.n - 1) : s;
    if (rest.n == 0)
        return false;
    if (str_is_nocase(rest, "nan"))
        *out = NAN;
    else if (str_is_nocase(rest, "inf") || str_is_nocase(rest, "infinity"))
        *out = negative ? -INFINITY : INFINITY;
    else
        return false;
    return true;
}

/* [sign] digits [. digits] [e [sign] digits], with at least one digit before the exponent. */
static bool f64_well_formed(struct str s)
{
    size_t i = 0, digits = 0;
    if (i < s.n && (s.p[i] == '-' || s.p[i] == '+'))
        i++;
    for (; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++)
        digits++;
    if (i < s.n && s.p[i] == '.')
        for (i++; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++)
            digits++;
    if (digits == 0)
        return false;
    if (i == s.n)
        return true;
    if (s.p[i] != 'e' && s.p[i] != 'E')
        return false;
    i++;
    if (i < s.n && (s.p[i] == '-' || s.p[i] == '+'))
        i++;
    size_t first = i;
    while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9')
        i++;
    return i == s.n && i > first;
}

bool str_to_f64(struct str s, double *out)
{
    char text[512];
    if (s.n == 0)
        return false;
    if (f64_named(s, out))
        return true;
    if (s.n >= sizeof text || !f64_well_formed(s))
        return false;
    memcpy(text, s.p, s.n);
    text[s.n] = 0;
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    REQUIRE(c != (locale_t)0);
    double v = strtod_l(text, NULL, c);
    freelocale(c);
    if (isinf(v))
        return false; /* a finite text too large for a double */
    *out = v;
    return true;
}

void str_hex(char *out, const uint8_t *b, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[b[i] >> 4];
        out[2 * i + 1] = digits[b[i] & 15];
    }
    out[2 * n] = 0;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool str_from_hex(struct str hex, uint8_t *out, size_t n)
{
    if (hex.n != 2 * n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (hex_digit(hex.p[2 * i]) < 0 || hex_digit(hex.p[2 * i + 1]) < 0)
            return false;
    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)(hex_digit(hex.p[2 * i]) << 4 | hex_digit(hex.p[2 * i + 1]));
    return true;
}
