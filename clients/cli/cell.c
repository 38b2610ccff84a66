/* What people read in tables, in the live view and in the quiet lines. Losses are shown with few
 * digits here; the exact ones are in the JSON output and in exports. Texts come from study files,
 * user programs and peers, so each one is made harmless for a terminal before it is written: no
 * escape sequence of theirs may reach it.
 *
 * Called by table.c, render.c, announce.c and the commands. Knows nothing of terminals, sockets or
 * files. */
#include "cell.h"

#include <math.h>
#include <stdio.h>
#include <wchar.h>
#include <json-c/json.h>

#include "json.h"

void cell_number(struct buf *out, double v, int digits)
{
    if (!isfinite(v)) {
        buf_addz(out, isnan(v) ? "NaN" : v > 0 ? "Infinity" : "-Infinity");
        return;
    }
    if (v == floor(v) && fabs(v) < 1e9) {
        buf_printf(out, "%.0f", v == 0 ? 0.0 : v);
        return;
    }
    char text[40];
    snprintf(text, sizeof text, "%.*g", digits, v);
    buf_addz(out, text);
}

void cell_duration(struct buf *out, double seconds)
{
    if (!(seconds > 0))
        seconds = 0;
    if (seconds < 10) {
        buf_printf(out, "%.1f s", seconds);
        return;
    }
    uint64_t s = seconds < 1e12 ? (uint64_t)(seconds + 0.5) : (uint64_t)1e12;
    unsigned long long days = s / 86400, hours = s / 3600 % 24, minutes = s / 60 % 60;
    if (s < 60)
        buf_printf(out, "%llu s", (unsigned long long)s);
    else if (s < 3600)
        buf_printf(out, "%llu:%02llu", minutes, (unsigned long long)s % 60);
    else if (days == 0)
        buf_printf(out, "%llu:%02llu:%02llu", hours, minutes, (unsigned long long)s % 60);
    else
        buf_printf(out, "%llu d %llu h", days, hours);
}

void cell_bytes(struct buf *out, double bytes)
{
    static const char units[] = " KMGTPE";
    size_t unit = 0;
    while (bytes >= 1024 && unit + 2 < sizeof units) {
        bytes /= 1024;
        unit++;
    }
    if (unit == 0)
        buf_printf(out, "%.0f", bytes);
    else
        buf_printf(out, bytes < 9.95 ? "%.1f%c" : "%.0f%c", bytes, units[unit]);
}

/* Bytes of the character at s.p[i]; 0 if no valid sequence stands there. */
static size_t char_bytes(struct str s, size_t i)
{
    unsigned char c = (unsigned char)s.p[i];
    size_t n = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 0;
    if (n == 0 || n > s.n - i || !str_utf8_valid(str_make(s.p + i, n)))
        return 0;
    return n;
}

/* Columns of the character of n bytes at p: 2 for East Asian wide ones, 0 for combining ones. In a
 * locale that is not UTF-8 the C library knows ASCII only; then every character counts as one. */
static size_t char_columns(const char *p, size_t n)
{
    static const unsigned char head[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    if (n < 2)
        return 1;
    uint32_t c = (unsigned char)p[0] & head[n];
    for (size_t i = 1; i < n; i++)
        c = c << 6 | ((unsigned char)p[i] & 0x3f);
    int columns = wcwidth((wchar_t)c);
    return columns < 0 ? 1 : (size_t)columns;
}

size_t cell_width(struct str s)
{
    size_t width = 0;
    for (size_t i = 0, n; i < s.n; i += n ? n : 1) {
        n = char_bytes(s, i);
        width += char_columns(s.p + i, n);
    }
    return width;
}

/* C1 controls (U+0080 to U+009F) steer some terminals too. */
static bool steers(const char *p, size_t n)
{
    unsigned char a = (unsigned char)p[0];
    return a < 0x20 || a == 0x7f || (n == 2 && a == 0xc2 && (unsigned char)p[1] < 0xa0);
}

static void add_char(struct buf *out, struct str s, size_t i, size_t n)
{
    if (n == 0)
        buf_addc(out, '?');
    else if (steers(s.p + i, n))
        buf_addc(out, ' ');
    else
        buf_add(out, s.p + i, n);
}

void cell_text(struct buf *out, struct str s, size_t width, bool utf8)
{
    size_t dots = utf8 ? 1 : 3;
    bool cut = cell_width(s) > width;
    size_t room = cut ? (width > dots ? width - dots : 0) : width;
    size_t column = 0;
    for (size_t i = 0, n; i < s.n; i += n ? n : 1) {
        n = char_bytes(s, i);
        column += char_columns(s.p + i, n);
        if (column > room)
            break;
        add_char(out, s, i, n);
    }
    if (!cut)
        return;
    if (utf8)
        buf_addz(out, width ? "\xe2\x80\xa6" : "");
    else
        buf_add(out, "...", width < dots ? width : dots);
}

static struct str last_line(struct str s)
{
    while (s.n && strchr(" \t\r\n", s.p[s.n - 1]))
        s.n--;
    for (size_t i = s.n; i-- > 0;)
        if (s.p[i] == '\n')
            return str_make(s.p + i + 1, s.n - i - 1);
    return s;
}

void cell_error(struct buf *out, struct str error)
{
    static const char mark[] = "; last output: ";
    const char *found = error.n ? memmem(error.p, error.n, mark, sizeof mark - 1) : NULL;
    size_t head = found ? (size_t)(found - error.p) : 0;
    struct str tail = last_line(
        found ? str_make(found + sizeof mark - 1, error.n - head - sizeof mark + 1) : error);
    if (found) {
        cell_text(out, str_make(error.p, head), SIZE_MAX, true);
        buf_addz(out, ": ");
    }
    while (tail.n && (tail.p[0] == ' ' || tail.p[0] == '\t'))
        tail = str_make(tail.p + 1, tail.n - 1);
    cell_text(out, tail, SIZE_MAX, true);
}

void cell_json(struct buf *out, struct json_object *v, int digits)
{
    switch (json_object_get_type(v)) {
    case json_type_null:
        break;
    case json_type_double:
    case json_type_int:
        cell_number(out, json_object_get_double(v), digits);
        break;
    case json_type_string: {
        struct str s = str_make(json_object_get_string(v), (size_t)json_object_get_string_len(v));
        cell_text(out, s, SIZE_MAX, true);
        break;
    }
    default: {
        struct buf text;
        buf_init(&text, 0);
        json_write(&text, v);
        cell_text(out, buf_str(&text), SIZE_MAX, true);
        buf_fini(&text);
    }
    }
}

void cell_params(struct buf *out, struct str params, size_t width, bool utf8)
{
    struct json_object *v = NULL;
    if (json_parse(params, JSON_NONFINITE, &v, NULL) || !json_object_is_type(v, json_type_object)) {
        cell_text(out, params, width, utf8);
        json_object_put(v);
        return;
    }
    struct buf line;
    buf_init(&line, 0);
    json_object_object_foreach(v, key, value)
    {
        if (line.n)
            buf_addc(&line, ' ');
        cell_text(&line, str_of(key), SIZE_MAX, true);
        buf_addc(&line, '=');
        if (value)
            cell_json(&line, value, 4);
        else
            buf_addz(&line, "null");
    }
    cell_text(out, buf_str(&line), width, utf8);
    buf_fini(&line);
    json_object_put(v);
}
