/* Reading JSON objects member by member.
 *
 * Owns how a fault in a study file is worded: the path of the value, what was found, what was
 * expected. The path must be spelled exactly as yaml_map.c spells it, so that a line can be found
 * for it. Called by the parsers of space and spec; knows nothing of what the members mean. */
#include "members.h"

#include <json.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "json.h"
#include "nearest.h"
#include "opt.h"

#define MAX_MEMBERS   32
#define MAX_KEY_SHOWN 160
#define MAX_SECONDS   1e9 /* about 31 years; fits int64_t nanoseconds */
#define WHOLE_MAX     9007199254740992.0

struct at at_root(struct errmsg *em, struct str path)
{
    return (struct at){.key = path, .index = -1, .em = em};
}

struct at at_key(const struct at *up, const char *key)
{
    return (struct at){.up = up, .key = str_of(key), .index = -1, .em = up->em};
}

struct at at_item(const struct at *up, size_t index)
{
    return (struct at){.up = up, .index = (int64_t)index, .em = up->em};
}

void at_write(const struct at *at, struct buf *out)
{
    if (at->up)
        at_write(at->up, out);
    if (at->index >= 0) {
        buf_printf(out, "[%lld]", (long long)at->index);
        return;
    }
    if (out->n > 0 && at->key.n > 0)
        buf_addc(out, '.');
    size_t n = at->up ? str_utf8_cut(at->key, MAX_KEY_SHOWN) : at->key.n;
    for (size_t i = 0; i < n; i++) {
        char c = at->key.p[i];
        buf_addc(out, (unsigned char)c < 0x20 || c == 0x7f ? '?' : c);
    }
}

err_t at_fault(const struct at *at, err_t e, const char *fmt, ...)
{
    if (!at->em)
        return e;
    char text[sizeof at->em->text];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    struct buf path;
    buf_init(&path, 4096);
    at_write(at, &path);
    if (path.n > 0)
        (void)errmsg_set(at->em, e, "%s: %s", buf_z(&path), text);
    else
        (void)errmsg_set(at->em, e, "%s", text);
    buf_fini(&path);
    return e;
}

err_t at_nomem(const struct at *at)
{
    return at_fault(at, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
}

const char *value_brief(struct json_object *v, char out[BRIEF_SIZE])
{
    struct buf b;
    buf_init(&b, 0);
    json_write(&b, v);
    struct str s = buf_str(&b);
    if (s.n < BRIEF_SIZE) {
        (void)str_copyz(out, BRIEF_SIZE, s);
    } else {
        size_t n = str_utf8_cut(s, BRIEF_SIZE - 4);
        (void)snprintf(out, BRIEF_SIZE, "%.*s...", (int)n, s.p);
    }
    buf_fini(&b);
    return out;
}

bool value_is_number(struct json_object *v)
{
    return json_object_is_type(v, json_type_int) || json_object_is_type(v, json_type_double);
}

void value_plain(struct json_object *v, struct buf *out)
{
    if (json_object_is_type(v, json_type_string))
        buf_add(out, json_object_get_string(v), (size_t)json_object_get_string_len(v));
    else
        json_write(out, v);
}

/* What to say when a number was expected and something else stands there. */
static err_t fault_number(const struct at *at, struct json_object *v)
{
    char brief[BRIEF_SIZE];
    double x;
    if (json_object_is_type(v, json_type_string) && json_number(v, &x))
        return at_fault(at, ERR_INVALID, "%s is not a finite number", json_object_get_string(v));
    if (json_object_is_type(v, json_type_string) &&
        str_to_f64(str_of(json_object_get_string(v)), &x))
        return at_fault(at, ERR_INVALID, "%s is a text; write the number without quotes",
                        value_brief(v, brief));
    return at_fault(at, ERR_INVALID, "%s is not a number", value_brief(v, brief));
}

err_t take_f64(const struct at *at, struct json_object *v, double min, double max, double *out)
{
    double x = NAN;
    if (!value_is_number(v) || !json_number(v, &x))
        return fault_number(at, v);
    if (!isfinite(x))
        return at_fault(at, ERR_INVALID, "the number is too great");
    if (x < min || x > max) {
        char a[32], b[32], c[32];
        json_format_f64(a, x);
        json_format_f64(b, min);
        json_format_f64(c, max);
        if (max == INFINITY)
            return at_fault(at, ERR_INVALID, "%s is too small; expected at least %s", a, b);
        return at_fault(at, ERR_INVALID, "%s is out of range; expected %s to %s", a, b, c);
    }
    *out = x;
    return ERR_OK;
}

err_t take_whole(const struct at *at, struct json_object *v, double min, double max, double *out)
{
    double x = 0;
    err_t e = take_f64(at, v, fmax(min, -WHOLE_MAX), fmin(max, WHOLE_MAX), &x);
    if (e != ERR_OK)
        return e;
    char brief[BRIEF_SIZE];
    if (x != floor(x))
        return at_fault(at, ERR_INVALID, "%s is not a whole number", value_brief(v, brief));
    *out = x;
    return ERR_OK;
}

err_t take_u64(const struct at *at, struct json_object *v, uint64_t *out)
{
    char brief[BRIEF_SIZE];
    if (!json_object_is_type(v, json_type_int))
        return at_fault(at, ERR_INVALID, "%s is not a whole number", value_brief(v, brief));
    if (!str_to_u64(str_of(json_object_get_string(v)), out))
        return at_fault(at, ERR_INVALID, "%s is out of range; expected 0 to 2^64 - 1",
                        value_brief(v, brief));
    return ERR_OK;
}

err_t take_bool(const struct at *at, struct json_object *v, bool *out)
{
    char brief[BRIEF_SIZE];
    if (!json_object_is_type(v, json_type_boolean))
        return at_fault(at, ERR_INVALID, "%s is neither true nor false", value_brief(v, brief));
    *out = json_object_get_boolean(v);
    return ERR_OK;
}

err_t take_text(const struct at *at, struct json_object *v, size_t min, size_t max, struct str *out)
{
    char brief[BRIEF_SIZE];
    if (!json_object_is_type(v, json_type_string))
        return at_fault(at, ERR_INVALID, "%s is not a text", value_brief(v, brief));
    struct str s = str_make(json_object_get_string(v), (size_t)json_object_get_string_len(v));
    if (s.n < min)
        return at_fault(at, ERR_INVALID, "must not be empty");
    if (s.n > max)
        return at_fault(at, ERR_LIMIT, "has %zu bytes; at most %zu are allowed", s.n, max);
    if (str_has_control(s))
        return at_fault(at, ERR_INVALID, "holds a control character");
    *out = s;
    return ERR_OK;
}

err_t take_duration(const struct at *at, struct json_object *v, int64_t *ns)
{
    char brief[BRIEF_SIZE];
    double s = 0;
    if (value_is_number(v)) {
        err_t e = take_f64(at, v, 0, MAX_SECONDS, &s);
        if (e == ERR_OK)
            *ns = (int64_t)rint(s * 1e9);
        return e;
    }
    if (!json_object_is_type(v, json_type_string) ||
        !opt_duration(str_of(json_object_get_string(v)), ns) || *ns < 0)
        return at_fault(at, ERR_INVALID,
                        "%s is not a duration; expected seconds or a text such as 250ms, 30s, 10m, "
                        "2h, 1d",
                        value_brief(v, brief));
    if ((double)*ns > MAX_SECONDS * 1e9)
        return at_fault(at, ERR_INVALID, "%s is too long", value_brief(v, brief));
    return ERR_OK;
}

err_t take_bytes(const struct at *at, struct json_object *v, uint64_t *bytes)
{
    char brief[BRIEF_SIZE];
    if (json_object_is_type(v, json_type_int))
        return take_u64(at, v, bytes);
    if (!json_object_is_type(v, json_type_string) ||
        !opt_bytes(str_of(json_object_get_string(v)), bytes))
        return at_fault(at, ERR_INVALID,
                        "%s is not a size; expected bytes or a text such as 512M, 2G",
                        value_brief(v, brief));
    return ERR_OK;
}

err_t take_list(const struct at *at, struct json_object *v, size_t min, size_t max,
                const char *example, size_t *n)
{
    char brief[BRIEF_SIZE];
    if (!json_object_is_type(v, json_type_array))
        return at_fault(at, ERR_INVALID, "%s is not a list; expected one such as %s",
                        value_brief(v, brief), example);
    *n = json_object_array_length(v);
    if (*n >= min && *n <= max)
        return ERR_OK;
    if (min == max)
        return at_fault(at, ERR_INVALID, "has %zu elements; expected %zu as in %s", *n, min,
                        example);
    if (*n < min)
        return at_fault(at, ERR_INVALID, "has %zu elements; expected at least %zu as in %s", *n,
                        min, example);
    return at_fault(at, ERR_LIMIT, "has %zu elements; at most %zu are allowed", *n, max);
}

static err_t read_number(const struct member *m, void *slot, struct json_object *v,
                         const struct at *at)
{
    double x = 0;
    err_t e = m->type == MEMBER_F64 ? take_f64(at, v, m->min, m->max, &x)
                                    : take_whole(at, v, m->min, m->max, &x);
    if (e != ERR_OK)
        return e;
    if (m->type == MEMBER_F64)
        *(double *)slot = x;
    else if (m->type == MEMBER_U32)
        *(uint32_t *)slot = (uint32_t)x;
    else if (m->type == MEMBER_I32)
        *(int32_t *)slot = (int32_t)x;
    else
        *(uint64_t *)slot = (uint64_t)x;
    return ERR_OK;
}

static err_t read_duration(const struct member *m, int64_t *slot, struct json_object *v,
                           const struct at *at)
{
    char brief[BRIEF_SIZE];
    err_t e = take_duration(at, v, slot);
    if (e != ERR_OK)
        return e;
    if ((double)*slot < m->min * 1e9 || (double)*slot > m->max * 1e9)
        return at_fault(at, ERR_INVALID, "%s is out of range; expected %g to %g seconds",
                        value_brief(v, brief), m->min, m->max);
    return ERR_OK;
}

static err_t read_member(const struct member *m, void *self, struct json_object *v,
                         const struct at *at)
{
    void *slot = (char *)self + m->offset;
    switch (m->type) {
    case MEMBER_CUSTOM:
        return m->parse(self, v, at);
    case MEMBER_TEXT:
        return take_text(at, v, 1, (size_t)m->max, slot);
    case MEMBER_BOOL:
        return take_bool(at, v, slot);
    case MEMBER_DURATION:
        return read_duration(m, slot, v, at);
    case MEMBER_BYTES:
        return take_bytes(at, v, slot);
    case MEMBER_U32:
    case MEMBER_I32:
    case MEMBER_U64:
    case MEMBER_F64:
        break;
    }
    return read_number(m, slot, v, at);
}

static err_t refuse_unknown(const struct member *rows, size_t n, struct json_object *v,
                            const struct at *at)
{
    const char *names[MAX_MEMBERS + 1] = {NULL};
    REQUIRE(n <= MAX_MEMBERS);
    for (size_t i = 0; i < n; i++)
        names[i] = rows[i].name;
    json_object_object_foreach(v, key, value)
    {
        (void)value;
        size_t i = 0;
        while (i < n && strcmp(names[i], key) != 0)
            i++;
        if (i < n)
            continue;
        struct at here = at_key(at, key);
        const char *near = nearest_name(str_of(key), names);
        if (near)
            return at_fault(&here, ERR_INVALID, "unknown member; did you mean \"%s\"?", near);
        return at_fault(&here, ERR_INVALID, "unknown member");
    }
    return ERR_OK;
}

static err_t read_rows(const struct member *rows, size_t n, void *self, struct json_object *v,
                       const struct at *at, const char *example)
{
    err_t e = ERR_OK;
    for (size_t i = 0; i < n && e == ERR_OK; i++) {
        struct json_object *value = NULL;
        struct at here = at_key(at, rows[i].name);
        if (json_object_object_get_ex(v, rows[i].name, &value))
            e = read_member(&rows[i], self, value, &here);
        else if (rows[i].required)
            e = at_fault(&here, ERR_INVALID, "missing; expected %s", example);
    }
    return e;
}

err_t members_read_some(const struct member *rows, size_t n, void *self, struct json_object *v,
                        const struct at *at)
{
    return read_rows(rows, n, self, v, at, "it");
}

err_t members_read(const struct member *rows, size_t n, void *self, struct json_object *v,
                   const struct at *at, const char *example)
{
    char brief[BRIEF_SIZE];
    if (!json_object_is_type(v, json_type_object))
        return at_fault(at, ERR_INVALID, "%s is not a group of members; expected one such as %s",
                        value_brief(v, brief), example);
    err_t e = refuse_unknown(rows, n, v, at);
    return e == ERR_OK ? read_rows(rows, n, self, v, at, example) : e;
}
