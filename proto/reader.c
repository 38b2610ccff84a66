/* The bounded forward reader of msgpack. Called by decode.c with bytes that a peer, a file or a
 * fuzzer made, so nothing here believes a count before it was compared with the bytes that are
 * left, nothing allocates, and nothing is read twice. Extension types, nil outside skipped values
 * and the byte 0xc1 are refused: no version of the protocol uses them. Must not know messages or
 * fields. */
#include "reader.h"

#include "schema.h"

enum {
    M_FIXMAP = 0x80,
    M_FIXARRAY = 0x90,
    M_FIXSTR = 0xa0,
    M_NIL = 0xc0,
    M_UNUSED = 0xc1,
    M_FALSE = 0xc2,
    M_TRUE = 0xc3,
    M_BIN8 = 0xc4,
    M_BIN32 = 0xc6,
    M_EXT8 = 0xc7,
    M_EXT32 = 0xc9,
    M_FLOAT32 = 0xca,
    M_FLOAT64 = 0xcb,
    M_UINT8 = 0xcc,
    M_UINT64 = 0xcf,
    M_INT8 = 0xd0,
    M_INT64 = 0xd3,
    M_FIXEXT1 = 0xd4,
    M_FIXEXT16 = 0xd8,
    M_STR8 = 0xd9,
    M_STR32 = 0xdb,
    M_ARRAY16 = 0xdc,
    M_ARRAY32 = 0xdd,
    M_MAP16 = 0xde,
    M_MAP32 = 0xdf,
    M_NEGATIVE = 0xe0,
};

static const char fault_end[] = "the bytes end too early";
static const char fault_type[] = "it has another type";
static const char fault_range[] = "the number is out of range";
static const char fault_length[] = "it is longer than its limit";

void reader_init(struct reader *r, struct str bytes)
{
    static const uint8_t none[1];
    const uint8_t *p = bytes.n ? (const uint8_t *)bytes.p : none;
    *r = (struct reader){.p = p, .end = p + bytes.n, .elements = SCHEMA_ELEMENTS};
}

bool reader_ok(const struct reader *r)
{
    return !r->fault;
}

bool reader_done(const struct reader *r)
{
    return !r->fault && r->p == r->end;
}

void reader_fail(struct reader *r, const char *fault)
{
    if (!r->fault)
        r->fault = fault;
}

/* The next type byte, consumed; M_UNUSED after a fault, which no getter accepts. */
static uint8_t take_type(struct reader *r)
{
    if (r->fault)
        return M_UNUSED;
    if (r->p == r->end) {
        reader_fail(r, fault_end);
        return M_UNUSED;
    }
    return *r->p++;
}

/* A big-endian number of `bytes` bytes; 0 with a fault when they are not there. */
static uint64_t take_be(struct reader *r, unsigned bytes)
{
    if ((size_t)(r->end - r->p) < bytes) {
        reader_fail(r, fault_end);
        return 0;
    }
    uint64_t v = 0;
    for (unsigned i = 0; i < bytes; i++)
        v = v << 8 | r->p[i];
    r->p += bytes;
    return v;
}

/* The bits of a number in the width that the type byte `t` says, sign-extended; *negative tells how
 * to read them. */
static uint64_t take_int(struct reader *r, uint8_t t, bool *negative)
{
    static const uint64_t sign_bits[] = {0x80, 0x8000, 0x80000000, UINT64_C(1) << 63};
    *negative = false;
    if (t < M_FIXMAP)
        return t;
    if (t >= M_UINT8 && t <= M_UINT64)
        return take_be(r, 1u << (t - M_UINT8));
    uint64_t v;
    if (t >= M_INT8 && t <= M_INT64) {
        v = take_be(r, 1u << (t - M_INT8));
        v = (v ^ sign_bits[t - M_INT8]) - sign_bits[t - M_INT8];
    } else if (t >= M_NEGATIVE) {
        v = UINT64_MAX - (uint64_t)(0xff - t);
    } else {
        reader_fail(r, fault_type);
        return 0;
    }
    *negative = v >> 63;
    return v;
}

uint64_t reader_u64(struct reader *r, uint64_t max)
{
    uint8_t t = take_type(r);
    if (r->fault)
        return 0;
    bool negative;
    uint64_t v = take_int(r, t, &negative);
    if (negative || v > max) {
        reader_fail(r, fault_range);
        return 0;
    }
    return v;
}

/* Bits as a signed number without an implementation-defined conversion. */
static int64_t as_signed(uint64_t bits)
{
    int64_t v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

int64_t reader_i64(struct reader *r)
{
    uint8_t t = take_type(r);
    if (r->fault)
        return 0;
    bool negative;
    uint64_t v = take_int(r, t, &negative);
    if (!negative && v > INT64_MAX) {
        reader_fail(r, fault_range);
        return 0;
    }
    return as_signed(v);
}

static double take_float32(struct reader *r)
{
    uint32_t bits = (uint32_t)take_be(r, 4);
    float v;
    memcpy(&v, &bits, sizeof v);
    return (double)v;
}

static double take_float64(struct reader *r)
{
    uint64_t bits = take_be(r, 8);
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

double reader_f64(struct reader *r)
{
    uint8_t t = take_type(r);
    if (r->fault)
        return 0;
    if (t == M_FLOAT64)
        return take_float64(r);
    if (t == M_FLOAT32)
        return take_float32(r);
    bool negative;
    uint64_t v = take_int(r, t, &negative);
    return negative ? (double)as_signed(v) : (double)v;
}

bool reader_bool(struct reader *r)
{
    uint8_t t = take_type(r);
    if (!r->fault && t != M_FALSE && t != M_TRUE)
        reader_fail(r, fault_type);
    return t == M_TRUE;
}

/* n bytes, borrowed; limit and what is left are checked before a byte is touched. */
static struct str take_bytes(struct reader *r, uint64_t n, size_t limit)
{
    if (!r->fault && n > limit)
        reader_fail(r, fault_length);
    if (!r->fault && n > (uint64_t)(r->end - r->p))
        reader_fail(r, fault_end);
    if (r->fault)
        return (struct str){0};
    struct str s = str_make(r->p, (size_t)n);
    r->p += n;
    return s;
}

/* Nearly all text is ASCII: eight bytes at a time until the first that is not. */
static bool utf8_valid(struct str s)
{
    size_t i = 0;
    for (; i + 8 <= s.n; i += 8) {
        uint64_t w;
        memcpy(&w, s.p + i, sizeof w);
        if (w & UINT64_C(0x8080808080808080))
            break;
    }
    return i == s.n || str_utf8_valid(str_make(s.p + i, s.n - i));
}

struct str reader_str(struct reader *r, size_t limit)
{
    uint8_t t = take_type(r);
    uint64_t n = 0;
    if ((t & 0xe0) == M_FIXSTR)
        n = t & 0x1f;
    else if (t >= M_STR8 && t <= M_STR32)
        n = take_be(r, 1u << (t - M_STR8));
    else
        reader_fail(r, fault_type);
    struct str s = take_bytes(r, n, limit);
    if (!utf8_valid(s)) {
        reader_fail(r, "it is not valid UTF-8");
        return (struct str){0};
    }
    return s;
}

struct str reader_bin(struct reader *r, size_t limit)
{
    uint8_t t = take_type(r);
    uint64_t n = 0;
    if (t >= M_BIN8 && t <= M_BIN32)
        n = take_be(r, 1u << (t - M_BIN8));
    else
        reader_fail(r, fault_type);
    return take_bytes(r, n, limit);
}

/* Enters a container of n items whose smallest possible size is n * each bytes. */
static uint32_t enter(struct reader *r, uint64_t n, uint32_t limit, uint32_t each)
{
    if (!r->fault && n > limit)
        reader_fail(r, "it has more items than its limit");
    if (!r->fault && n * each > (uint64_t)(r->end - r->p))
        reader_fail(r, fault_end);
    if (!r->fault && r->depth == SCHEMA_DEPTH)
        reader_fail(r, "it is nested too deeply");
    if (!r->fault && n > r->elements)
        reader_fail(r, "the message has too many elements");
    if (r->fault)
        return 0;
    r->depth++;
    r->elements -= (uint32_t)n;
    return (uint32_t)n;
}

uint32_t reader_map(struct reader *r, uint32_t limit)
{
    uint8_t t = take_type(r);
    uint64_t n = 0;
    if ((t & 0xf0) == M_FIXMAP)
        n = t & 0x0f;
    else if (t == M_MAP16 || t == M_MAP32)
        n = take_be(r, t == M_MAP16 ? 2 : 4);
    else
        reader_fail(r, fault_type);
    return enter(r, n, limit, 2);
}

uint32_t reader_array(struct reader *r, uint32_t limit)
{
    uint8_t t = take_type(r);
    uint64_t n = 0;
    if ((t & 0xf0) == M_FIXARRAY)
        n = t & 0x0f;
    else if (t == M_ARRAY16 || t == M_ARRAY32)
        n = take_be(r, t == M_ARRAY16 ? 2 : 4);
    else
        reader_fail(r, fault_type);
    return enter(r, n, limit, 1);
}

void reader_leave(struct reader *r)
{
    if (!r->fault)
        r->depth--;
}

static void skip_items(struct reader *r, uint32_t n)
{
    for (uint32_t i = 0; i < n && !r->fault; i++)
        reader_skip(r);
    reader_leave(r);
}

/* Values of fixed size and byte strings; their contents do not matter. */
static void skip_scalar(struct reader *r, uint8_t t)
{
    bool negative;
    if (t == M_NIL || t == M_FALSE || t == M_TRUE)
        return;
    if (t == M_FLOAT32 || t == M_FLOAT64)
        (void)take_be(r, t == M_FLOAT32 ? 4 : 8);
    else if ((t & 0xe0) == M_FIXSTR)
        (void)take_bytes(r, t & 0x1f, SIZE_MAX);
    else if (t >= M_STR8 && t <= M_STR32)
        (void)take_bytes(r, take_be(r, 1u << (t - M_STR8)), SIZE_MAX);
    else if (t >= M_BIN8 && t <= M_BIN32)
        (void)take_bytes(r, take_be(r, 1u << (t - M_BIN8)), SIZE_MAX);
    else if ((t >= M_EXT8 && t <= M_EXT32) || (t >= M_FIXEXT1 && t <= M_FIXEXT16))
        reader_fail(r, "extension types are not used");
    else
        (void)take_int(r, t, &negative);
}

void reader_skip(struct reader *r)
{
    if (r->fault || r->p == r->end) {
        reader_fail(r, fault_end);
        return;
    }
    /* Containers look at their type byte themselves. The recursion ends at SCHEMA_DEPTH. */
    uint8_t t = *r->p;
    if ((t & 0xf0) == M_FIXMAP || t == M_MAP16 || t == M_MAP32) {
        skip_items(r, 2 * reader_map(r, SCHEMA_MAP));
    } else if ((t & 0xf0) == M_FIXARRAY || t == M_ARRAY16 || t == M_ARRAY32) {
        skip_items(r, reader_array(r, SCHEMA_ARRAY));
    } else {
        r->p++;
        skip_scalar(r, t);
    }
}
