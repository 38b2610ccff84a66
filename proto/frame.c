/* The 40-byte header before every body: writing, checking, and the choice of a common version.
 * Called by the network sides of all programs and by a worker's spool. Must not know what a body
 * holds. */
#include "frame.h"

#include "crc32c.h"

static const uint8_t magic[4] = {'T', 'F', 'M', '1'};

static void put_be(uint8_t *p, uint64_t v, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--) {
        p[i] = (uint8_t)v;
        v >>= 8;
    }
}

static uint64_t get_be(const uint8_t *p, int bytes)
{
    uint64_t v = 0;
    for (int i = 0; i < bytes; i++)
        v = v << 8 | p[i];
    return v;
}

void frame_write(struct buf *out, const struct frame *f)
{
    if (f->body.n > FRAME_LIMIT - FRAME_HEADER) {
        out->bad = true;
        return;
    }
    uint8_t h[FRAME_HEADER];
    memcpy(h, magic, sizeof magic);
    h[4] = f->major;
    h[5] = f->kind;
    put_be(h + 6, f->flags, 2);
    put_be(h + 8, f->session, 8);
    put_be(h + 16, f->seq, 8);
    put_be(h + 24, f->seen, 8);
    put_be(h + 32, f->body.n, 4);
    put_be(h + 36, crc32c(0, f->body.p, f->body.n), 4);
    buf_add(out, h, sizeof h);
    buf_add_str(out, f->body);
}

static err_t check_size(struct str bytes, size_t limit, struct errmsg *em)
{
    if (bytes.n > limit)
        return errmsg_set(em, ERR_LIMIT, "frame of %zu bytes: at most %zu were expected", bytes.n,
                          limit);
    if (bytes.n < FRAME_HEADER)
        return errmsg_set(em, ERR_INVALID, "frame of %zu bytes: a header of %d was expected",
                          bytes.n, FRAME_HEADER);
    return ERR_OK;
}

err_t frame_read(struct frame *out, struct str bytes, size_t limit, struct errmsg *em)
{
    err_t e = check_size(bytes, limit, em);
    if (e)
        return e;
    const uint8_t *h = (const uint8_t *)bytes.p;
    if (memcmp(h, magic, sizeof magic) != 0)
        return errmsg_set(em, ERR_INVALID, "frame header: the magic \"TFM1\" was expected");
    struct str body = str_make(bytes.p + FRAME_HEADER, bytes.n - FRAME_HEADER);
    uint64_t length = get_be(h + 32, 4);
    if (length != body.n)
        return errmsg_set(em, ERR_INVALID, "frame header: body length %llu, but %zu bytes follow",
                          (unsigned long long)length, body.n);
    if (get_be(h + 36, 4) != crc32c(0, body.p, body.n))
        return errmsg_set(em, ERR_CORRUPT, "frame body: its checksum does not match the header's");
    *out = (struct frame){.major = h[4],
                          .kind = h[5],
                          .flags = (uint16_t)get_be(h + 6, 2),
                          .session = get_be(h + 8, 8),
                          .seq = get_be(h + 16, 8),
                          .seen = get_be(h + 24, 8),
                          .body = body};
    return ERR_OK;
}

size_t frame_size(struct str begin)
{
    if (begin.n < FRAME_HEADER)
        return 0;
    return FRAME_HEADER + (size_t)get_be((const uint8_t *)begin.p + 32, 4);
}

uint8_t frame_negotiate(uint8_t amin, uint8_t amax, uint8_t bmin, uint8_t bmax)
{
    uint8_t low = amin > bmin ? amin : bmin;
    uint8_t high = amax < bmax ? amax : bmax;
    return high >= low ? high : 0;
}
