/* The head of an EVENTS body in msgpack: the small fields first, the list of records last, so that
 * encoded records can simply follow. Field numbers are those of messages.def; a test decodes the
 * result with the common decoder.
 *
 * Used by stream.c for optimizers, tails and the feed. */
#include "events_head.h"

static void put_be(struct buf *out, uint8_t tag, uint64_t v, unsigned bytes)
{
    uint8_t b[9] = {tag};
    for (unsigned i = 0; i < bytes; i++)
        b[1 + i] = (uint8_t)(v >> (8 * (bytes - 1 - i)));
    buf_add(out, b, bytes + 1);
}

static void put_u64(struct buf *out, uint8_t key, uint64_t v)
{
    buf_addc(out, (char)key);
    put_be(out, 0xcf, v, 8);
}

static void put_true(struct buf *out, uint8_t key)
{
    buf_addc(out, (char)key);
    buf_addc(out, (char)0xc3);
}

void events_head(struct buf *out, const struct msg_events *head, uint32_t n)
{
    static const struct id128 none;
    bool request = !id128_eq(head->request, none);
    int fields = (head->study != 0) + (head->epoch != 0) + (head->upto != 0) + request +
                 head->live + head->end + (head->compacted != 0) + (n != 0);
    buf_addc(out, (char)(0x80 | fields));
    if (head->study)
        put_u64(out, 1, head->study);
    if (head->epoch)
        put_u64(out, 2, head->epoch);
    if (head->upto)
        put_u64(out, 3, head->upto);
    if (request) {
        buf_addc(out, 5);
        put_be(out, 0xc4, sizeof head->request.b, 1);
        buf_add(out, head->request.b, sizeof head->request.b);
    }
    if (head->live)
        put_true(out, 6);
    if (head->end)
        put_true(out, 7);
    if (head->compacted)
        put_u64(out, 8, head->compacted);
    if (n) {
        buf_addc(out, 4);
        put_be(out, 0xdc, n, 2);
    }
}
