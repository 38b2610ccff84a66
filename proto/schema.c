/* Descriptor tables of every struct and message, and what can be said about a field without knowing
 * the wire.
 *
 * messages.def is expanded here into one function for each struct and message that returns its
 * static table: a function, because only inside one can the field macros name the struct they
 * belong to (`struct owner`). Encoder, decoder, printer, samples and documentation walk these
 * tables, so a new field is one line in messages.def and no code.
 *
 * Must not know msgpack, frames or what any field means. */
#include "schema.h"

#include <stddef.h>

#define ITEM_STR         FIELD_STR
#define ITEM_I64         FIELD_I64
#define ITEM_held        FIELD_STRUCT
#define ITEM_verdict     FIELD_STRUCT
#define ITEM_point       FIELD_STRUCT
#define ITEM_former      FIELD_STRUCT
#define ITEM_resources   FIELD_STRUCT
#define ITEM_proposal    FIELD_STRUCT
#define ITEM_record      FIELD_STRUCT
#define ITEM_count       FIELD_STRUCT
#define SCHEMA_STR       NULL
#define SCHEMA_I64       NULL
#define SCHEMA_held      struct_held
#define SCHEMA_verdict   struct_verdict
#define SCHEMA_point     struct_point
#define SCHEMA_former    struct_former
#define SCHEMA_resources struct_resources
#define SCHEMA_proposal  struct_proposal
#define SCHEMA_record    struct_record
#define SCHEMA_count     struct_count

#define STRUCT_FORWARD(name, doc) static schema_fn struct_##name;
STRUCT_LIST(STRUCT_FORWARD)

#define FIELD_ROW(key_, TYPE, name_, limit_, doc_)                                                 \
    {.key = (key_),                                                                                \
     .type = FIELD_##TYPE,                                                                         \
     .offset = offsetof(struct owner, is.name_),                                                   \
     .limit = (limit_),                                                                            \
     .name = #name_,                                                                               \
     .doc = (doc_)},
#define LIST_ROW(key_, SUB, name_, limit_, doc_)                                                   \
    {.key = (key_),                                                                                \
     .type = FIELD_LIST,                                                                           \
     .elem = ITEM_##SUB,                                                                           \
     .offset = offsetof(struct owner, is.name_),                                                   \
     .limit = (limit_),                                                                            \
     .sub = SCHEMA_##SUB,                                                                          \
     .name = #name_,                                                                               \
     .doc = (doc_)},

#define TABLE(function, tag, rows, label, dir_, doc_)                                              \
    static const struct schema *function(void)                                                     \
    {                                                                                              \
        struct owner {                                                                             \
            struct tag is;                                                                         \
        };                                                                                         \
        static const struct field fields[] = {rows(FIELD_ROW, LIST_ROW)};                          \
        static const struct schema table = {.name = (label),                                       \
                                            .doc = (doc_),                                         \
                                            .direction = (dir_),                                   \
                                            .fields = fields,                                      \
                                            .n = sizeof fields / sizeof fields[0],                 \
                                            .size = sizeof(struct tag)};                           \
        return &table;                                                                             \
    }
#define STRUCT_TABLE(name, doc) TABLE(struct_##name, name, FIELDS_##name, #name, "", doc)
#define MESSAGE_TABLE(kind, NAME, name, dir, doc)                                                  \
    TABLE(message_##name, msg_##name, FIELDS_##name, #NAME, dir, doc)
STRUCT_LIST(STRUCT_TABLE)
MESSAGE_LIST(MESSAGE_TABLE)

#define MESSAGE_SLOT(kind, NAME, name, dir, doc) [kind] = message_##name,
static schema_fn *const messages[] = {MESSAGE_LIST(MESSAGE_SLOT)};

#define STRUCT_SLOT(name, doc) struct_##name,
static schema_fn *const structs[] = {STRUCT_LIST(STRUCT_SLOT)};

const struct schema *schema_message(unsigned kind)
{
    if (kind >= sizeof messages / sizeof messages[0] || !messages[kind])
        return NULL;
    return messages[kind]();
}

const struct schema *schema_record(void)
{
    return struct_record();
}

const struct schema *schema_struct(unsigned i)
{
    return i < sizeof structs / sizeof structs[0] ? structs[i]() : NULL;
}

const struct field *schema_field(const struct schema *s, uint64_t key)
{
    /* Keys are dense as a rule, so the first guess is right; a key that was given up leaves a hole.
     */
    if (key >= 1 && key <= s->n && s->fields[key - 1].key == key)
        return &s->fields[key - 1];
    for (uint32_t i = 0; i < s->n; i++) {
        if (s->fields[i].key == key)
            return &s->fields[i];
    }
    return NULL;
}

size_t schema_item_size(const struct field *list)
{
    if (list->elem == FIELD_STR)
        return sizeof(struct str);
    return list->elem == FIELD_I64 ? sizeof(int64_t) : list->sub()->size;
}

struct slice schema_slice(const void *at)
{
    struct slice s;
    memcpy(&s, at, sizeof s);
    return s;
}

static bool bytes_zero(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i])
            return false;
    }
    return true;
}

static bool word_zero(const void *at)
{
    uint64_t bits;
    memcpy(&bits, at, sizeof bits);
    return bits == 0;
}

bool schema_is_zero(const struct field *f, const void *at)
{
    switch ((enum field_type)f->type) {
    case FIELD_U8:
        return *(const uint8_t *)at == 0;
    case FIELD_U32:
        return *(const uint32_t *)at == 0;
    case FIELD_U64:
    case FIELD_I64:
    case FIELD_F64:
        return word_zero(at);
    case FIELD_BOOL:
        return !*(const bool *)at;
    case FIELD_STR:
    case FIELD_BIN:
        return ((const struct str *)at)->n == 0;
    case FIELD_ID16:
        return bytes_zero(at, sizeof(struct id128));
    case FIELD_D32:
        return bytes_zero(at, sizeof(struct digest));
    case FIELD_LIST:
        return schema_slice(at).n == 0;
    case FIELD_STRUCT:
        break;
    }
    return false;
}

static const char *const type_words[] = {
    [FIELD_U8] = "an integer from 0 to 255",
    [FIELD_U32] = "an integer from 0 to 2^32-1",
    [FIELD_U64] = "an integer from 0 to 2^64-1",
    [FIELD_I64] = "an integer from -2^63 to 2^63-1",
    [FIELD_F64] = "a number",
    [FIELD_BOOL] = "true or false",
    [FIELD_STR] = "a UTF-8 string",
    [FIELD_BIN] = "a byte string",
    [FIELD_ID16] = "a byte string of 16 bytes",
    [FIELD_D32] = "a byte string of 32 bytes",
};

void schema_describe(struct buf *out, const struct field *f)
{
    if (f->type != FIELD_LIST) {
        buf_addz(out, type_words[f->type]);
        if (f->limit)
            buf_printf(out, " of at most %u bytes", f->limit);
        return;
    }
    const char *item = f->elem == FIELD_STRUCT ? f->sub()->name
                       : f->elem == FIELD_I64  ? "integer"
                                               : "string";
    buf_printf(out, "an array of at most %u items (%s)", f->limit, item);
}

static bool list_equal(const struct field *f, struct slice x, struct slice y)
{
    if (x.n != y.n)
        return false;
    size_t size = schema_item_size(f);
    for (uint32_t i = 0; i < x.n; i++) {
        const char *a = (const char *)x.v + i * size;
        const char *b = (const char *)y.v + i * size;
        bool same = f->elem == FIELD_STRUCT ? schema_equal(f->sub(), a, b)
                    : f->elem == FIELD_STR  ? str_eq(*(const struct str *)(const void *)a,
                                                     *(const struct str *)(const void *)b)
                                            : memcmp(a, b, size) == 0;
        if (!same)
            return false;
    }
    return true;
}

static bool field_equal(const struct field *f, const void *x, const void *y)
{
    switch ((enum field_type)f->type) {
    case FIELD_U8:
        return *(const uint8_t *)x == *(const uint8_t *)y;
    case FIELD_U32:
        return *(const uint32_t *)x == *(const uint32_t *)y;
    case FIELD_U64:
    case FIELD_I64:
    case FIELD_F64:
        return memcmp(x, y, sizeof(uint64_t)) == 0;
    case FIELD_BOOL:
        return *(const bool *)x == *(const bool *)y;
    case FIELD_STR:
    case FIELD_BIN:
        return str_eq(*(const struct str *)x, *(const struct str *)y);
    case FIELD_ID16:
        return memcmp(x, y, sizeof(struct id128)) == 0;
    case FIELD_D32:
        return memcmp(x, y, sizeof(struct digest)) == 0;
    case FIELD_LIST:
        return list_equal(f, schema_slice(x), schema_slice(y));
    case FIELD_STRUCT:
        break;
    }
    return false;
}

bool schema_equal(const struct schema *s, const void *x, const void *y)
{
    for (uint32_t i = 0; i < s->n; i++) {
        const struct field *f = &s->fields[i];
        if (!field_equal(f, schema_at(f, x), schema_at(f, y)))
            return false;
    }
    return true;
}
