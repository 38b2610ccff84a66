/* The frame: one per message, a 40-byte header and a body. All integers big-endian.
 *
 *   0  magic "TFM1"        8  session (8)        32 body length (4)
 *   4  major version       16 sender's sequence  36 CRC-32C of the body (4)
 *   5  kind                24 highest contiguous sequence seen (8)
 *   6  flags (2), 0                                                                              */
#ifndef FARM_PROTO_FRAME_H
#define FARM_PROTO_FRAME_H

#include "buf.h"
#include "err.h"

#define FRAME_HEADER       40
#define FRAME_LIMIT        (1u << 20)   /* any frame */
#define FRAME_LIMIT_WORKER (256u << 10) /* from a worker */

struct frame {
    uint8_t major, kind;
    uint16_t flags;
    uint64_t session, seq, seen;
    struct str body; /* borrowed */
};

/* Appends header and body. A body longer than FRAME_LIMIT - FRAME_HEADER makes the buf bad. */
void frame_write(struct buf *out, const struct frame *f);
/* Checks magic, length, limit and checksum; the version is for the caller. ERR_INVALID, ERR_LIMIT
 * or (the checksum) ERR_CORRUPT with a sentence. */
err_t frame_read(struct frame *out, struct str bytes, size_t limit, struct errmsg *em) MUST_CHECK;
/* How long the frame is that begins here, by its header; 0 while the header is not whole. For bytes
 * from a pipe, which has no borders. */
size_t frame_size(struct str begin);
/* Common versions of [amin, amax] and [bmin, bmax]: the highest, or 0 if there is none. */
uint8_t frame_negotiate(uint8_t amin, uint8_t amax, uint8_t bmin, uint8_t bmax);

#endif
