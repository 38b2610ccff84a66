/* The reader of json.h: checks the text (json_check.c), lets json-c build the tree, and writes
 * trees again.
 *
 * Called for study files' inline values, specs, reports of evaluators and answers of the broker.
 * json-c's types reach users only as pointers. */
#include "json.h"

#include <json.h>
#include <limits.h>
#include <math.h>

#include "json_check.h"

/* json-c counts levels a little differently; the check has bounded them already. */
#define TOKENER_DEPTH (JSON_CHECK_DEPTH + 4)

err_t json_parse(struct str text, unsigned flags, struct json_object **out, struct errmsg *em)
{
    bool nonfinite = (flags & JSON_NONFINITE) != 0;
    *out = NULL;
    if (text.n > INT_MAX)
        return errmsg_set(em, ERR_LIMIT, "JSON text of %zu bytes is too long", text.n);
    err_t e = json_check(text, nonfinite, em);
    if (e)
        return e;
    struct json_tokener *t = json_tokener_new_ex(TOKENER_DEPTH);
    if (!t)
        return errmsg_set(em, ERR_NOMEM, "no memory to read JSON");
    json_tokener_set_flags(t, nonfinite ? 0 : JSON_TOKENER_STRICT);
    *out = json_tokener_parse_ex(t, text.p, (int)text.n);
    enum json_tokener_error je = json_tokener_get_error(t);
    if (je == json_tokener_continue) { /* a bare number ends with the text only */
        *out = json_tokener_parse_ex(t, "", 1);
        je = json_tokener_get_error(t);
    }
    if (je != json_tokener_success)
        e = errmsg_set(em, ERR_INVALID, "not valid JSON at byte %zu: %s",
                       json_tokener_get_parse_end(t), json_tokener_error_desc(je));
    json_tokener_free(t);
    return e;
}

static struct str string_of(struct json_object *v)
{
    return str_make(json_object_get_string(v), (size_t)json_object_get_string_len(v));
}

/* A double that was read keeps its text beside it, and json-c gives that back. */
static void write_double(struct jsonw *w, struct json_object *v)
{
    double d = json_object_get_double(v);
    if (json_object_get_userdata(v) && isfinite(d))
        jsonw_raw(w, str_of(json_object_to_json_string_ext(v, JSON_C_TO_STRING_PLAIN)));
    else
        jsonw_f64(w, d);
}

static void write_integer(struct jsonw *w, struct json_object *v)
{
    int64_t i = json_object_get_int64(v);
    if (i == INT64_MAX)
        jsonw_u64(w, json_object_get_uint64(v)); /* larger ones are held unsigned */
    else
        jsonw_i64(w, i);
}

static void write_value(struct jsonw *w, struct json_object *v)
{
    switch (json_object_get_type(v)) {
    case json_type_null:
        jsonw_null(w);
        break;
    case json_type_boolean:
        jsonw_bool(w, json_object_get_boolean(v));
        break;
    case json_type_double:
        write_double(w, v);
        break;
    case json_type_int:
        write_integer(w, v);
        break;
    case json_type_string:
        jsonw_str(w, string_of(v));
        break;
    case json_type_array:
        jsonw_array(w);
        for (size_t i = 0; i < json_object_array_length(v); i++)
            write_value(w, json_object_array_get_idx(v, i));
        jsonw_end(w);
        break;
    case json_type_object:
        jsonw_object(w);
        json_object_object_foreach(v, key, member)
        {
            jsonw_keyz(w, key);
            write_value(w, member);
        }
        jsonw_end(w);
        break;
    }
}

void json_write(struct buf *b, struct json_object *v)
{
    struct jsonw w;
    jsonw_init(&w, b);
    write_value(&w, v);
}

struct json_object *json_get(struct json_object *obj, const char *key)
{
    struct json_object *v = NULL;
    if (json_object_is_type(obj, json_type_object))
        json_object_object_get_ex(obj, key, &v);
    return v;
}

bool json_number(struct json_object *v, double *out)
{
    double d;
    switch (json_object_get_type(v)) {
    case json_type_int:
    case json_type_double:
        *out = json_object_get_double(v);
        return true;
    case json_type_string:
        if (!str_to_f64(string_of(v), &d) || isfinite(d))
            return false;
        *out = d;
        return true;
    default:
        return false;
    }
}
