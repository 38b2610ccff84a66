/* The tables behind the codec: one descriptor for each field of each struct and message, made from
 * messages.def. Only the files of this folder use them; everyone else sees message.h and codec.h.
 */
#ifndef FARM_PROTO_SCHEMA_H
#define FARM_PROTO_SCHEMA_H

#include "codec.h"

/* Limits of every body, whatever its kind; reader.c enforces them, encode.c keeps to them. */
#define SCHEMA_DEPTH    8
#define SCHEMA_MAP      256
#define SCHEMA_ARRAY    4096
#define SCHEMA_ELEMENTS MESSAGE_ELEMENTS
#define SCHEMA_ITEM_STR (1u << 20) /* a string in a list: as long as a frame */

enum field_type {
    FIELD_U8,
    FIELD_U32,
    FIELD_U64,
    FIELD_I64,
    FIELD_F64,
    FIELD_BOOL,
    FIELD_STR,
    FIELD_BIN,
    FIELD_ID16,
    FIELD_D32,
    FIELD_LIST,   /* `elem` says of what */
    FIELD_STRUCT, /* only as `elem` of a list */
};

struct schema;
typedef const struct schema *schema_fn(void);

struct field {
    uint8_t key; /* on the wire; rises from field to field */
    uint8_t type;
    uint8_t elem;    /* FIELD_LIST: FIELD_STR, FIELD_I64 or FIELD_STRUCT */
    uint16_t offset; /* in the C struct */
    uint32_t limit;  /* bytes of a STR or BIN, items of a list */
    schema_fn *sub;  /* elem FIELD_STRUCT: its schema */
    const char *name, *doc;
};

struct schema {
    const char *name; /* "HELLO" for a message, "held" for a struct */
    const char *doc;
    const char *direction; /* messages only */
    const struct field *fields;
    uint32_t n;
    uint32_t size; /* of the C struct */
};

/* Every list of a message has this layout: n items from v on. Read and written by memcpy only. */
struct slice {
    const void *v;
    uint32_t n;
};

const struct schema *schema_message(unsigned kind); /* NULL if unknown */
const struct schema *schema_record(void);
/* The i-th struct that messages are made of, NULL behind the last. */
const struct schema *schema_struct(unsigned i);
/* The field with this key, NULL if the schema has none. */
const struct field *schema_field(const struct schema *s, uint64_t key);

/* Size of one list item in memory. */
size_t schema_item_size(const struct field *list);
struct slice schema_slice(const void *at);
/* A field that equals its zero value stays away from the wire. For F64 the bits count: -0.0 and NaN
 * are not zero. */
bool schema_is_zero(const struct field *f, const void *at);
/* Appends the type in words, with its limit: "a string of at most 128 bytes". */
void schema_describe(struct buf *out, const struct field *f);
bool schema_equal(const struct schema *s, const void *x, const void *y);

static inline const void *schema_at(const struct field *f, const void *base)
{
    return (const char *)base + f->offset;
}

#endif
