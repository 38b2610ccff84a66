/* Encoding of messages and records: one walk over the descriptor tables, written with msgpack-c's
 * packer straight into the caller's buffer. Called by whoever sends, journals or spools. Must not
 * know kinds or fields; the wire's limits are contracts of the caller here, because only our own
 * code fills the structs. */
#include "codec.h"

#include <msgpack.h>

#include "schema.h"

struct encoder {
    msgpack_packer packer;
    uint32_t elements; /* map pairs and array items so far */
};

static int write_bytes(void *data, const char *p, size_t n)
{
    buf_add(data, p, n);
    return 0;
}

static void put_struct(struct encoder *e, const struct schema *s, const void *base);

static void put_str(struct encoder *e, struct str s)
{
    msgpack_pack_str(&e->packer, s.n);
    if (s.n)
        msgpack_pack_str_body(&e->packer, s.p, s.n);
}

static void put_bin(struct encoder *e, const void *p, size_t n)
{
    msgpack_pack_bin(&e->packer, n);
    msgpack_pack_bin_body(&e->packer, p, n);
}

static void put_list(struct encoder *e, const struct field *f, struct slice list)
{
    REQUIRE(list.n <= f->limit);
    size_t size = schema_item_size(f);
    e->elements += list.n;
    msgpack_pack_array(&e->packer, list.n);
    for (uint32_t i = 0; i < list.n; i++) {
        const void *item = (const char *)list.v + i * size;
        if (f->elem == FIELD_STRUCT)
            put_struct(e, f->sub(), item);
        else if (f->elem == FIELD_I64)
            msgpack_pack_int64(&e->packer, *(const int64_t *)item);
        else
            put_str(e, *(const struct str *)item);
    }
}

static void put_value(struct encoder *e, const struct field *f, const void *at)
{
    switch ((enum field_type)f->type) {
    case FIELD_U8:
        msgpack_pack_uint8(&e->packer, *(const uint8_t *)at);
        break;
    case FIELD_U32:
        msgpack_pack_uint32(&e->packer, *(const uint32_t *)at);
        break;
    case FIELD_U64:
        msgpack_pack_uint64(&e->packer, *(const uint64_t *)at);
        break;
    case FIELD_I64:
        msgpack_pack_int64(&e->packer, *(const int64_t *)at);
        break;
    case FIELD_F64:
        msgpack_pack_double(&e->packer, *(const double *)at);
        break;
    case FIELD_BOOL:
        msgpack_pack_true(&e->packer);
        break;
    case FIELD_STR:
        REQUIRE(((const struct str *)at)->n <= f->limit);
        put_str(e, *(const struct str *)at);
        break;
    case FIELD_BIN:
        REQUIRE(((const struct str *)at)->n <= f->limit);
        put_bin(e, ((const struct str *)at)->p, ((const struct str *)at)->n);
        break;
    case FIELD_ID16:
        put_bin(e, at, sizeof(struct id128));
        break;
    case FIELD_D32:
        put_bin(e, at, sizeof(struct digest));
        break;
    case FIELD_LIST:
        put_list(e, f, schema_slice(at));
        break;
    case FIELD_STRUCT:
        break;
    }
}

static void put_struct(struct encoder *e, const struct schema *s, const void *base)
{
    uint64_t there = 0;
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->n; i++) {
        if (!schema_is_zero(&s->fields[i], schema_at(&s->fields[i], base))) {
            there |= UINT64_C(1) << i;
            n++;
        }
    }
    e->elements += n;
    msgpack_pack_map(&e->packer, n);
    for (uint32_t i = 0; there; i++, there >>= 1) {
        if (!(there & 1))
            continue;
        msgpack_pack_uint8(&e->packer, s->fields[i].key);
        put_value(e, &s->fields[i], schema_at(&s->fields[i], base));
    }
}

static void encode(struct buf *out, const struct schema *s, const void *base)
{
    struct encoder e = {.elements = 0};
    msgpack_packer_init(&e.packer, out, write_bytes);
    put_struct(&e, s, base);
    if (e.elements > SCHEMA_ELEMENTS)
        out->bad = true; /* no decoder would take it */
}

void message_encode(struct buf *out, unsigned kind, const void *msg)
{
    const struct schema *s = schema_message(kind);
    REQUIRE(s);
    encode(out, s, msg);
}

void record_encode(struct buf *out, const struct record *r)
{
    encode(out, schema_record(), r);
}

static uint32_t count_elements(const struct schema *s, const void *base)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->n; i++) {
        const struct field *f = &s->fields[i];
        const void *at = schema_at(f, base);
        if (schema_is_zero(f, at))
            continue;
        n++;
        if (f->type == FIELD_LIST)
            n += schema_slice(at).n;
    }
    return n;
}

uint32_t record_elements(const struct record *r)
{
    return 1 + count_elements(schema_record(), r);
}
