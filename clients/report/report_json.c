/* A small JSON reader for what a worker sends: an object with plain members, one of which (params)
 * is a flat object. It reads a text in place and never fails, whatever stands there. Called by
 * tunefarm_report.c; linked into user programs, so it uses nothing but libc. */
#include "report_json.h"

#include <stdlib.h>
#include <string.h>

static const char *skip_space(const char *p)
{
    return p + strspn(p, " \t\r\n");
}

static const char *
skip_string(const char *p) /* at the opening quote; behind the closing one, or at the end */
{
    for (p++; *p && *p != '"'; p++)
        if (*p == '\\' && p[1])
            p++;
    return *p ? p + 1 : p;
}

const char *report_json_skip(const char *p)
{
    int depth = 0;
    for (p = skip_space(p); *p;) {
        if (*p == '"') {
            p = skip_string(p);
        } else if (*p == '{' || *p == '[') {
            depth++;
            p++;
        } else if (*p == '}' || *p == ']') {
            if (depth == 0)
                return p;
            depth--;
            p++;
        } else if (depth == 0 && *p == ',') {
            return p;
        } else {
            p++;
            continue;
        }
        if (depth == 0)
            return p;
    }
    return p;
}

static const char *put_utf8(char *out, unsigned c)
{
    if (c < 0x80) {
        *out++ = (char)c;
    } else if (c < 0x800) {
        *out++ = (char)(0xc0 | c >> 6);
        *out++ = (char)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        *out++ = (char)(0xe0 | c >> 12);
        *out++ = (char)(0x80 | (c >> 6 & 0x3f));
        *out++ = (char)(0x80 | (c & 0x3f));
    } else {
        *out++ = (char)(0xf0 | c >> 18);
        *out++ = (char)(0x80 | (c >> 12 & 0x3f));
        *out++ = (char)(0x80 | (c >> 6 & 0x3f));
        *out++ = (char)(0x80 | (c & 0x3f));
    }
    return out;
}

static bool hex4(const char *p, unsigned *out)
{
    *out = 0;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        unsigned d = c >= '0' && c <= '9'                 ? (unsigned)(c - '0')
                     : (c | 32) >= 'a' && (c | 32) <= 'f' ? (unsigned)((c | 32) - 'a' + 10)
                                                          : 16;
        if (d == 16)
            return false;
        *out = *out << 4 | d;
    }
    return true;
}

/* One escape at the backslash; returns behind it. out has room for 4 bytes. */
static const char *unescape_one(const char *p, char **out)
{
    static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
    unsigned c, low;
    const char *found = p[1] ? strchr(from, p[1]) : NULL;
    if (p[1] == 'u' && hex4(p + 2, &c)) {
        p += 6;
        if (c >= 0xd800 && c < 0xdc00 && p[0] == '\\' && p[1] == 'u' && hex4(p + 2, &low) &&
            low >= 0xdc00 && low < 0xe000) {
            c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
            p += 6;
        }
        *out = (char *)put_utf8(*out, c ? c : 0xfffd);
        return p;
    }
    *(*out)++ = found ? to[found - from] : p[1];
    return p[1] ? p + 2 : p + 1;
}

char *report_json_string(const char *p)
{
    if (*p != '"')
        return NULL;
    const char *end = skip_string(p);
    char *text = malloc((size_t)(end - p) + 1), *out = text;
    if (!text)
        return NULL;
    for (p++; p < end && *p && *p != '"';) {
        if (*p == '\\')
            p = unescape_one(p, &out);
        else
            *out++ = *p++;
    }
    *out = 0;
    return text;
}

static bool key_is(const char *p, const char *name)
{
    char *key = report_json_string(p);
    bool same = key && strcmp(key, name) == 0;
    free(key);
    return same;
}

const char *report_json_member(const char *p, const char *name)
{
    p = p ? skip_space(p) : "";
    if (*p != '{')
        return NULL;
    for (p = skip_space(p + 1); *p == '"';) {
        const char *key = p, *value = skip_space(skip_string(p));
        if (*value != ':')
            return NULL;
        value = skip_space(value + 1);
        if (key_is(key, name))
            return value;
        p = skip_space(report_json_skip(value));
        if (*p != ',')
            return NULL;
        p = skip_space(p + 1);
    }
    return NULL;
}

bool report_json_number(const char *p, double *out)
{
    if (!p)
        return false;
    if (strncmp(p, "true", 4) == 0 || strncmp(p, "false", 5) == 0) {
        *out = *p == 't';
        return true;
    }
    if (*p == '"')
        p++; /* "NaN", "Infinity": as the farm writes them */
    char *end;
    *out = strtod(p, &end);
    return end != p;
}

uint64_t report_json_u64(const char *p)
{
    return p ? strtoull(p, NULL, 10) : 0;
}
