/* The saved form of a study: its text, its trail, and a sum over both. docs/library.md describes it
 * byte by byte. */
#ifndef FARM_LIB_SNAPSHOT_H
#define FARM_LIB_SNAPSHOT_H

#include "buf.h"

#define SNAPSHOT_VERSION   1
#define SNAPSHOT_MAX_BYTES ((UINT64_C(1) << 30) + (1u << 20))

struct snapshot {
    struct str spec, trail; /* JSON; bytes of a trail */
    int64_t elapsed_ns;
};

void snapshot_write(const struct snapshot *s, struct buf *out);
/* Borrows bytes. ERR_CORRUPT, ERR_VERSION with one sentence. The parts are as they were written;
 * whether they make a study is another question. */
err_t snapshot_read(struct str bytes, struct snapshot *s, struct errmsg *em) MUST_CHECK;

#endif
