/* Fields of exported tables. Values are exact: what is read back from here is what the program
 * reported.
 *
 * Called by listing.c and the command export. Pure. */
#include "csv.h"

#include <json-c/json.h>

#include "json.h"

void csv_field(struct buf *out, struct str s)
{
    bool quote = false;
    for (size_t i = 0; i < s.n && !quote; i++)
        quote = s.p[i] == ',' || s.p[i] == '"' || s.p[i] == '\n' || s.p[i] == '\r';
    if (!quote) {
        buf_add_str(out, s);
        return;
    }
    buf_addc(out, '"');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"')
            buf_addc(out, '"');
        buf_addc(out, s.p[i]);
    }
    buf_addc(out, '"');
}

void csv_value(struct buf *out, struct json_object *v)
{
    if (!v)
        return;
    if (json_object_is_type(v, json_type_string)) {
        csv_field(out, str_make(json_object_get_string(v), (size_t)json_object_get_string_len(v)));
        return;
    }
    struct buf text;
    buf_init(&text, 0);
    json_write(&text, v);
    csv_field(out, buf_str(&text));
    buf_fini(&text);
}
