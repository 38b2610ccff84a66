/* Random valid messages for property tests, golden frames and fuzzing corpora: every field is zero,
 * ordinary or at an edge of its type, strings hold every width of UTF-8, and a whole message stays
 * far below the limits of a frame. Called by tests and generators only. Must not know kinds or
 * fields. */
#include "codec.h"

#include <float.h>
#include <math.h>

#include "schema.h"

#define SAMPLE_ITEMS 4    /* of a list, as a rule */
#define SAMPLE_BYTES 40   /* of a string, as a rule */
#define SAMPLE_LONG  1500 /* now and then */

struct sampler {
    struct rng *r;
    struct arena *a;
};

static void sample_struct(struct sampler *s, const struct schema *schema, void *base);

static bool one_in(struct sampler *s, uint64_t n)
{
    return rng_below(s->r, n) == 0;
}

/* Bits of every magnitude: small numbers as likely as large ones; the edges often. */
static uint64_t sample_bits(struct sampler *s)
{
    if (one_in(s, 8))
        return UINT64_MAX;
    if (one_in(s, 8))
        return UINT64_C(1) << 63;
    return rng_u64(s->r) >> rng_below(s->r, 64);
}

static int64_t sample_i64(struct sampler *s)
{
    uint64_t bits = sample_bits(s);
    if (one_in(s, 3))
        bits = ~bits;
    int64_t v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static double sample_f64(struct sampler *s)
{
    static const double edges[] = {-0.0,    NAN,      INFINITY, -INFINITY, DBL_MIN, DBL_TRUE_MIN,
                                   DBL_MAX, -DBL_MAX, 1.0,      -1.0,      0.1,     1e-5};
    if (one_in(s, 2))
        return edges[rng_below(s->r, sizeof edges / sizeof edges[0])];
    return rng_between(s->r, -1000, 1000);
}

static size_t sample_length(struct sampler *s, uint32_t limit)
{
    uint64_t most = one_in(s, 16) ? SAMPLE_LONG : SAMPLE_BYTES;
    return (size_t)rng_below(s->r, (most < limit ? most : limit) + 1);
}

static void *sample_memory(struct sampler *s, size_t n, size_t size)
{
    void *p = arena_array(s->a, n, size);
    REQUIRE(p);
    return p;
}

static struct str sample_bin(struct sampler *s, uint32_t limit)
{
    size_t n = sample_length(s, limit);
    if (n == 0)
        return (struct str){0};
    char *p = sample_memory(s, n, 1);
    for (size_t i = 0; i < n; i++)
        p[i] = (char)rng_below(s->r, 256);
    return str_make(p, n);
}

static struct str sample_text(struct sampler *s, uint32_t limit)
{
    static const struct str wide[] = {
        {"\xc3\xa9", 2}, {"\xe2\x82\xac", 3}, {"\xf0\x9f\x8c\xb1", 4}, {"\xef\xbf\xbd", 3}};
    size_t n = sample_length(s, limit);
    if (n == 0)
        return (struct str){0};
    char *p = sample_memory(s, n, 1);
    for (size_t i = 0; i < n;) {
        struct str z = wide[rng_below(s->r, 4)];
        if (one_in(s, 6) && i + z.n <= n) {
            memcpy(p + i, z.p, z.n);
            i += z.n;
        } else {
            p[i++] = (char)(rng_below(s->r, 0x80));
        }
    }
    return str_make(p, n);
}

static void sample_bytes(struct sampler *s, void *at, size_t n)
{
    uint8_t *p = at;
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)rng_below(s->r, 256);
}

static void sample_list(struct sampler *s, const struct field *f, void *at)
{
    uint64_t most = one_in(s, 16) ? 8 * SAMPLE_ITEMS : SAMPLE_ITEMS;
    uint32_t n = (uint32_t)rng_below(s->r, (most < f->limit ? most : f->limit) + 1);
    size_t size = schema_item_size(f);
    char *v = n ? sample_memory(s, n, size) : NULL;
    for (uint32_t i = 0; i < n; i++) {
        void *item = v + i * size;
        if (f->elem == FIELD_STRUCT)
            sample_struct(s, f->sub(), item);
        else if (f->elem == FIELD_I64)
            *(int64_t *)item = sample_i64(s);
        else
            *(struct str *)item = sample_text(s, SAMPLE_LONG);
    }
    struct slice list = {v, n};
    memcpy(at, &list, sizeof list);
}

static void sample_value(struct sampler *s, const struct field *f, void *at)
{
    switch ((enum field_type)f->type) {
    case FIELD_U8:
        *(uint8_t *)at = (uint8_t)sample_bits(s);
        break;
    case FIELD_U32:
        *(uint32_t *)at = (uint32_t)sample_bits(s);
        break;
    case FIELD_U64:
        *(uint64_t *)at = sample_bits(s);
        break;
    case FIELD_I64:
        *(int64_t *)at = sample_i64(s);
        break;
    case FIELD_F64:
        *(double *)at = sample_f64(s);
        break;
    case FIELD_BOOL:
        *(bool *)at = true;
        break;
    case FIELD_STR:
        *(struct str *)at = sample_text(s, f->limit);
        break;
    case FIELD_BIN:
        *(struct str *)at = sample_bin(s, f->limit);
        break;
    case FIELD_ID16:
        sample_bytes(s, at, sizeof(struct id128));
        break;
    case FIELD_D32:
        sample_bytes(s, at, sizeof(struct digest));
        break;
    case FIELD_LIST:
        sample_list(s, f, at);
        break;
    case FIELD_STRUCT:
        break;
    }
}

static void sample_struct(struct sampler *s, const struct schema *schema, void *base)
{
    for (uint32_t i = 0; i < schema->n; i++) {
        if (!one_in(s, 4))
            sample_value(s, &schema->fields[i], (char *)base + schema->fields[i].offset);
    }
}

void message_sample(union message *out, unsigned kind, struct rng *r, struct arena *a)
{
    const struct schema *schema = schema_message(kind);
    REQUIRE(schema);
    memset(out, 0, sizeof *out);
    sample_struct(&(struct sampler){.r = r, .a = a}, schema, out);
}
