/* What the processes of bench-crowd share: one block each in memory of all, written by that process
 * alone and read by the one that started them. */
#ifndef FARM_BENCH_CROWD_TALLY_H
#define FARM_BENCH_CROWD_TALLY_H

#include <stdatomic.h>
#include <stdint.h>

#define CROWD_BUCKETS 2048 /* 32 to each power of two of microseconds: within 3 % */

struct crowd_tally {
    _Atomic uint64_t epoch;   /* of the newest broker seen */
    _Atomic uint64_t joined;  /* workers with a session of that broker */
    _Atomic int64_t last_at;  /* when the last of them joined */
    _Atomic uint64_t kept;    /* attempts that it let go on */
    _Atomic uint64_t dropped; /* attempts that it did not */
    _Atomic uint64_t running; /* workers whose attempt's START is acknowledged */
    _Atomic uint64_t points;  /* acknowledged, ever */
    _Atomic uint64_t finals;  /* acknowledged, ever */
    _Atomic uint64_t refused; /* NAK, ERROR, frames that cannot be read */
    _Atomic uint64_t gaps;    /* frames that are missing */
    _Atomic uint64_t missed;  /* REPORTs not made, because this process was late */
    /* Of REPORTs whose frame left within the window. */
    _Atomic uint64_t sent, acked, acked_points;
    _Atomic uint64_t worst_us;
    _Atomic uint64_t late[CROWD_BUCKETS]; /* from the frame's send to its ACK */
};
/* Set by the parent; a REPORT counts if its frame leaves in [from, to). */
struct crowd_window {
    _Atomic int64_t from, to;
};

/* Counters have one writer, so a relaxed load and store are enough. */
#define CROWD_ADD(counter, n)                                                                      \
    atomic_store_explicit(&(counter),                                                              \
                          atomic_load_explicit(&(counter), memory_order_relaxed) + (n),            \
                          memory_order_relaxed)

unsigned crowd_bucket(uint64_t us);
uint64_t crowd_bucket_us(unsigned bucket); /* its upper end */

#endif
