/* Messages as JSON, for logs, tests and people: {"field": value}, zero fields left out as on the
 * wire, so that the text of an old message stays the same when fields are added. Byte strings are
 * hexadecimal. Called by tests and diagnostic commands. Must not know kinds or fields. */
#include "codec.h"

#include "json.h"
#include "schema.h"

static void print_struct(struct jsonw *w, const struct schema *s, const void *base);

static void print_hex(struct jsonw *w, const void *p, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *bytes = p;
    struct buf hex;
    buf_init(&hex, 0);
    buf_addc(&hex, '"');
    for (size_t i = 0; i < n; i++) {
        const char pair[2] = {digits[bytes[i] >> 4], digits[bytes[i] & 15]};
        buf_add(&hex, pair, sizeof pair);
    }
    buf_addc(&hex, '"');
    jsonw_raw(w, buf_str(&hex));
    buf_fini(&hex);
}

static void print_list(struct jsonw *w, const struct field *f, struct slice list)
{
    size_t size = schema_item_size(f);
    jsonw_array(w);
    for (uint32_t i = 0; i < list.n; i++) {
        const void *item = (const char *)list.v + i * size;
        if (f->elem == FIELD_STRUCT)
            print_struct(w, f->sub(), item);
        else if (f->elem == FIELD_I64)
            jsonw_i64(w, *(const int64_t *)item);
        else
            jsonw_str(w, *(const struct str *)item);
    }
    jsonw_end(w);
}

static void print_value(struct jsonw *w, const struct field *f, const void *at)
{
    switch ((enum field_type)f->type) {
    case FIELD_U8:
        jsonw_u64(w, *(const uint8_t *)at);
        break;
    case FIELD_U32:
        jsonw_u64(w, *(const uint32_t *)at);
        break;
    case FIELD_U64:
        jsonw_u64(w, *(const uint64_t *)at);
        break;
    case FIELD_I64:
        jsonw_i64(w, *(const int64_t *)at);
        break;
    case FIELD_F64:
        jsonw_f64(w, *(const double *)at);
        break;
    case FIELD_BOOL:
        jsonw_bool(w, *(const bool *)at);
        break;
    case FIELD_STR:
        jsonw_str(w, *(const struct str *)at);
        break;
    case FIELD_BIN:
        print_hex(w, ((const struct str *)at)->p, ((const struct str *)at)->n);
        break;
    case FIELD_ID16:
        print_hex(w, at, sizeof(struct id128));
        break;
    case FIELD_D32:
        print_hex(w, at, sizeof(struct digest));
        break;
    case FIELD_LIST:
        print_list(w, f, schema_slice(at));
        break;
    case FIELD_STRUCT:
        break;
    }
}

static void print_struct(struct jsonw *w, const struct schema *s, const void *base)
{
    jsonw_object(w);
    for (uint32_t i = 0; i < s->n; i++) {
        const struct field *f = &s->fields[i];
        const void *at = schema_at(f, base);
        if (schema_is_zero(f, at))
            continue;
        jsonw_keyz(w, f->name);
        print_value(w, f, at);
    }
    jsonw_end(w);
}

void message_print(struct buf *out, unsigned kind, const void *msg)
{
    const struct schema *s = schema_message(kind);
    REQUIRE(s);
    struct jsonw w;
    jsonw_init(&w, out);
    print_struct(&w, s, msg);
}
