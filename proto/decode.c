/* Decoding of messages and records: one walk of the bounded reader, guided by the descriptor
 * tables. Called by whoever receives or replays; the bytes may be anything. Lists come from the
 * caller's arena, and only after their announced length was found to fit into the bytes that are
 * left, so a body of n bytes never takes more than about 300 n. Remembers the path to where it
 * stands, so that a fault is told with its place. Must not know kinds or fields. */
#include "codec.h"

#include "reader.h"
#include "schema.h"

/* One step of the path: a field, and for lists the item. */
struct step {
    const struct field *field;
    uint32_t item;
};

struct decoder {
    struct reader r;
    struct arena *a;
    const uint8_t *begin;
    struct step path[SCHEMA_DEPTH];
    uint32_t depth; /* steps in path; stays where it is once there is a fault */
    bool no_memory;
};

static void take_struct(struct decoder *d, const struct schema *s, void *base);

static void take_fixed(struct decoder *d, void *at, size_t n)
{
    struct str s = reader_bin(&d->r, n);
    if (reader_ok(&d->r) && s.n != n)
        reader_fail(&d->r, "it is too short");
    if (reader_ok(&d->r))
        memcpy(at, s.p, n);
}

static void take_item(struct decoder *d, const struct field *f, void *item)
{
    if (f->elem == FIELD_STRUCT)
        take_struct(d, f->sub(), item);
    else if (f->elem == FIELD_I64)
        *(int64_t *)item = reader_i64(&d->r);
    else
        *(struct str *)item = reader_str(&d->r, SCHEMA_ITEM_STR);
}

static void take_list(struct decoder *d, const struct field *f, void *at)
{
    uint32_t n = reader_array(&d->r, f->limit);
    if (!reader_ok(&d->r))
        return;
    size_t size = schema_item_size(f);
    char *v = n ? arena_array(d->a, n, size) : NULL;
    if (n && !v) {
        d->no_memory = true;
        reader_fail(&d->r, "there is no memory for it");
        return;
    }
    struct step *here = &d->path[d->depth - 1];
    for (here->item = 0; here->item < n; here->item++) {
        take_item(d, f, v + here->item * size);
        if (!reader_ok(&d->r))
            return;
    }
    reader_leave(&d->r);
    struct slice list = {v, n};
    memcpy(at, &list, sizeof list);
}

static void take_value(struct decoder *d, const struct field *f, void *at)
{
    switch ((enum field_type)f->type) {
    case FIELD_U8:
        *(uint8_t *)at = (uint8_t)reader_u64(&d->r, UINT8_MAX);
        break;
    case FIELD_U32:
        *(uint32_t *)at = (uint32_t)reader_u64(&d->r, UINT32_MAX);
        break;
    case FIELD_U64:
        *(uint64_t *)at = reader_u64(&d->r, UINT64_MAX);
        break;
    case FIELD_I64:
        *(int64_t *)at = reader_i64(&d->r);
        break;
    case FIELD_F64:
        *(double *)at = reader_f64(&d->r);
        break;
    case FIELD_BOOL:
        *(bool *)at = reader_bool(&d->r);
        break;
    case FIELD_STR:
        *(struct str *)at = reader_str(&d->r, f->limit);
        break;
    case FIELD_BIN:
        *(struct str *)at = reader_bin(&d->r, f->limit);
        break;
    case FIELD_ID16:
        take_fixed(d, at, sizeof(struct id128));
        break;
    case FIELD_D32:
        take_fixed(d, at, sizeof(struct digest));
        break;
    case FIELD_LIST:
        take_list(d, f, at);
        break;
    case FIELD_STRUCT:
        break;
    }
}

/* One pair of a map; *seen has a bit for each field that came. */
static void take_pair(struct decoder *d, const struct schema *s, void *base, uint64_t *seen)
{
    uint64_t key = reader_u64(&d->r, UINT64_MAX);
    if (!reader_ok(&d->r))
        return;
    const struct field *f = schema_field(s, key);
    if (!f) {
        reader_skip(&d->r);
        return;
    }
    d->path[d->depth++] = (struct step){.field = f};
    uint64_t bit = UINT64_C(1) << (f - s->fields);
    if (*seen & bit)
        reader_fail(&d->r, "it is there twice");
    *seen |= bit;
    take_value(d, f, (char *)base + f->offset);
    if (reader_ok(&d->r))
        d->depth--;
}

static void take_struct(struct decoder *d, const struct schema *s, void *base)
{
    uint64_t seen = 0;
    uint32_t n = reader_map(&d->r, SCHEMA_MAP);
    for (uint32_t i = 0; i < n && reader_ok(&d->r); i++)
        take_pair(d, s, base, &seen);
    reader_leave(&d->r);
}

/* "points[3].metrics" */
static void path_print(struct buf *b, const struct decoder *d)
{
    for (uint32_t i = 0; i < d->depth; i++) {
        const struct step *s = &d->path[i];
        buf_printf(b, "%s%s", i ? "." : "", s->field->name);
        if (i + 1 < d->depth)
            buf_printf(b, "[%u]", s->item);
    }
}

static err_t fault(struct decoder *d, const char *name, struct errmsg *em)
{
    err_t e = d->no_memory ? ERR_NOMEM : ERR_INVALID;
    size_t at = (size_t)(d->r.p - d->begin);
    if (!em)
        return e;
    struct buf place, wanted;
    buf_init(&place, 0);
    buf_init(&wanted, 0);
    path_print(&place, d);
    if (d->depth)
        schema_describe(&wanted, d->path[d->depth - 1].field);
    else
        buf_addz(&wanted, "a map with small integer keys");
    errmsg_set(em, e, "%s%s%s: %s, at byte %zu; %s was expected", name, d->depth ? "." : "",
               buf_z(&place), d->r.fault, at, buf_z(&wanted));
    buf_fini(&place);
    buf_fini(&wanted);
    return e;
}

static err_t decode(const struct schema *s, void *out, struct str body, struct arena *a,
                    struct errmsg *em)
{
    struct decoder d = {.a = a};
    reader_init(&d.r, body);
    d.begin = d.r.p;
    take_struct(&d, s, out);
    if (!reader_ok(&d.r))
        return fault(&d, s->name, em);
    if (!reader_done(&d.r))
        return errmsg_set(em, ERR_INVALID, "%s: %zu bytes follow its end; nothing was expected",
                          s->name, (size_t)(d.r.end - d.r.p));
    return ERR_OK;
}

err_t message_decode(union message *out, unsigned kind, struct str body, struct arena *a,
                     struct errmsg *em)
{
    const struct schema *s = schema_message(kind);
    memset(out, 0, sizeof *out);
    if (!s)
        return errmsg_set(em, ERR_INVALID, "message of kind %u: a known kind was expected", kind);
    return decode(s, out, body, a, em);
}

err_t record_decode(struct record *out, struct str body, struct arena *a, struct errmsg *em)
{
    memset(out, 0, sizeof *out);
    return decode(schema_record(), out, body, a, em);
}
