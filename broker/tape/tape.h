/* A recording: one file of entries, each an input of the broker's core or what came of a group of
 * them, in the order in which the core saw them. This is the writing side; tapereader.h reads.
 *
 * The file begins with TAPE_MAGIC; each entry has 36 bytes and a body, numbers with their lowest
 * byte first:
 *
 *    0  u32 bytes of the body            12  i64 now
 *    4  u32 CRC-32C of all else          20  u64 peer
 *    8  u8  enum tape_type               28  u64 session
 *    9  u8  kind, then u16 0             36  body
 *
 * What is left unsaid below is 0. */
#ifndef FARM_TAPE_TAPE_H
#define FARM_TAPE_TAPE_H

#include "err.h"
#include "str.h"

#define TAPE_MAGIC  "TFTAPE1\n"
#define TAPE_HEADER ((size_t)36)
#define TAPE_BODY   ((size_t)32 << 20) /* most bytes of a body */

enum tape_type {
    TAPE_START = 'C',     /* body: tapebody_config_write() */
    TAPE_WALL = 'W',      /* peer: the offset in ms, as int64_t */
    TAPE_LOADED = 'L',    /* now; peer: last seq; session: sum of what was loaded (loading.h) */
    TAPE_MESSAGE = 'M',   /* now, peer, session; kind: enum message_kind; body: as it came */
    TAPE_BAD_FRAME = 'B', /* peer, session; kind: of the message; body: u8 err_t, then the text */
    TAPE_COUNT = 'N',     /* peer; kind: enum counter; session: how many more */
    TAPE_GAP = 'X',       /* peer, session */
    TAPE_PEER_GONE = 'G', /* now, peer */
    TAPE_PEER_BUSY = 'Y', /* peer; kind: whether it takes no more */
    TAPE_ANSWER = 'A',    /* now; body: tapebody_answer_write() */
    TAPE_DEAF = 'D',      /* peer: ns */
    TAPE_FULL = 'F',      /* now; kind: 0, 1 */
    TAPE_FEED = 'S',      /* kind: whether the feed is wanted */
    TAPE_TICK = 'T',      /* now */
    TAPE_ROWS = 'R',      /* now; kind: whether all rows */
    TAPE_GROUP = 'H', /* what the entries since the last one came to; body: tapebody_sums_write() */
    TAPE_END = 'E',   /* kind: enum tape_end */
};
enum tape_end { TAPE_IN_ORDER, TAPE_AT_LIMIT, TAPE_NO_ROOM };

struct tape_entry {
    uint8_t type, kind;
    int64_t now; /* as the core was told; ns */
    uint64_t peer, session;
    struct str body;
};

struct tape_config {
    const char *path; /* must not be there yet; mode 0600 */
    uint64_t limit;   /* bytes of the file; then it ends */
    uint64_t spare;   /* it ends too when the disk has no more than that left */
};
struct tape;

err_t tape_create(struct tape **out, const struct tape_config *c, struct errmsg *em) MUST_CHECK;
/* Appends an entry. Unless it may wait for the next one, it has left the process when this returns,
 * so that the end of the process, however it comes, leaves it in the file. A tape that has ended
 * takes nothing more. */
void tape_add(struct tape *t, const struct tape_entry *e, bool may_wait);
/* Why it ended by itself, a sentence; NULL while it has not. */
const char *tape_ended(const struct tape *t);
uint64_t tape_bytes(const struct tape *t);
void tape_close(struct tape *t); /* with its end mark; NULL is legal */

#endif
