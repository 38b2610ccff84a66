/* The frame around a saved study: magic, version, sizes, a CRC-32C at the end.
 *
 * Called by the library's save and load. Layout, whole numbers least byte first:
 *
 *     0   8  "tunefarm"
 *     8   4  version
 *     12  4  0
 *     16  8  nanoseconds that the study has run
 *     24  8  bytes of the spec
 *     32  8  bytes of the trail
 *     40     spec, trail
 *         4  CRC-32C of everything before
 *
 * It does not look into the parts. */
#include "snapshot.h"

#include "crc32c.h"

#define HEAD_SIZE 40
#define SUM_SIZE  4

static const char magic[8] = {'t', 'u', 'n', 'e', 'f', 'a', 'r', 'm'};

static void add_fixed(struct buf *b, uint64_t v, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        buf_addc(b, (char)(v >> 8 * i));
}

static uint64_t fixed(const char *p, unsigned bytes)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < bytes; i++)
        v |= (uint64_t)(unsigned char)p[i] << 8 * i;
    return v;
}

void snapshot_write(const struct snapshot *s, struct buf *out)
{
    size_t start = out->n;
    buf_add(out, magic, sizeof magic);
    add_fixed(out, SNAPSHOT_VERSION, 4);
    add_fixed(out, 0, 4);
    add_fixed(out, (uint64_t)s->elapsed_ns, 8);
    add_fixed(out, s->spec.n, 8);
    add_fixed(out, s->trail.n, 8);
    buf_add_str(out, s->spec);
    buf_add_str(out, s->trail);
    if (buf_ok(out))
        add_fixed(out, crc32c(0, out->p + start, out->n - start), SUM_SIZE);
}

err_t snapshot_read(struct str bytes, struct snapshot *s, struct errmsg *em)
{
    const char *p = bytes.p;
    if (bytes.n < sizeof magic || memcmp(p, magic, sizeof magic) != 0)
        return errmsg_set(em, ERR_CORRUPT, "not a saved study");
    if (bytes.n < HEAD_SIZE + SUM_SIZE)
        return errmsg_set(em, ERR_CORRUPT, "the saved study is cut short: it has %zu bytes",
                          bytes.n);
    uint64_t version = fixed(p + 8, 4), spec = fixed(p + 24, 8), trail = fixed(p + 32, 8);
    uint64_t body = bytes.n - HEAD_SIZE - SUM_SIZE;
    if (version != SNAPSHOT_VERSION || fixed(p + 12, 4) != 0)
        return errmsg_set(em, ERR_VERSION, "the study was saved as version %llu; expected %d",
                          (unsigned long long)version, SNAPSHOT_VERSION);
    if (spec > body || trail != body - spec)
        return errmsg_set(em, ERR_CORRUPT,
                          "the saved study has %zu bytes, which is not what its head says; it may "
                          "have been cut short",
                          bytes.n);
    if (fixed(p + bytes.n - SUM_SIZE, SUM_SIZE) != crc32c(0, p, bytes.n - SUM_SIZE))
        return errmsg_set(em, ERR_CORRUPT, "the saved study is damaged: its check sum is wrong");
    s->elapsed_ns = (int64_t)(fixed(p + 16, 8) & INT64_MAX);
    s->spec = str_make(p + HEAD_SIZE, (size_t)spec);
    s->trail = str_make(p + HEAD_SIZE + spec, (size_t)trail);
    return ERR_OK;
}
