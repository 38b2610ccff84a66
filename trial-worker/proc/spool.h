/* The worker's spool: what of its results the broker has not acknowledged, on this machine's disk,
 * so that the next worker on the same root can deliver it when this one is killed. And the spools
 * that ended workers left.
 *
 *   spool/<process>.spool      written by that process, which holds a lock on it while it lives
 *   spool/<process>.<why>      bad, torn or foreign: was set aside
 *
 * All writing is done by a thread of libuv's pool, one piece of work at a time. */
#ifndef FARM_TRIAL_WORKER_SPOOL_H
#define FARM_TRIAL_WORKER_SPOOL_H

#include <uv.h>

#include "spool_form.h"

struct spool;

#define SPOOL_MAX (UINT64_C(1) << 30) /* no spool is larger; one that is found larger is bad */

#define SPOOL_TAKE_MAX 16 /* spools taken over at a start; others wait for another worker's */

struct spool_config {
    uv_loop_t *loop;
    const char *root;  /* the worker's, absolute; is there */
    struct id128 peer; /* this process */
    uint64_t limit;    /* bytes; at most SPOOL_MAX. A part is kept for results */
    int64_t retry_ns;  /* after a failure; 0 = 5 s */
};
struct spool_counts {
    uint64_t writes, syncs, bytes; /* of finished work */
    uint64_t failed, left_out;     /* work that failed; messages for which there was no room */
    uint64_t taken, set_aside;     /* spools of ended processes */
};

/* Makes the directory. Nothing is made in it before something is written. */
err_t spool_open(struct spool **out, const struct spool_config *c, struct errmsg *em) MUST_CHECK;
/* Waits for what is being written, writes what is left, and removes the file if it holds nothing.
 * Runs the loop until then. NULL is legal. */
void spool_close(struct spool *s);

/* Hands on what ended processes of this farm left, then that is this process's: their files go once
 * what was added since is on the disk, or with spool_settle(). Blocks. */
void spool_take(struct spool *s, uint64_t farm, uint64_t timeline, spool_form_take *take,
                void *self);
/* Nothing of what was taken is worth keeping. */
void spool_settle(struct spool *s);

/* The effects of the core (worker_core.h). */
void spool_add(struct spool *s, unsigned kind, struct str body);
void spool_new(struct spool *s);
/* Begins to write what was added. */
void spool_flush(struct spool *s, int64_t now);
/* True once for each time that the core has to say everything again: after a failure, when it is
 * time to try, or because the file has grown too long. *next: when to ask again. */
bool spool_wants_all(struct spool *s, int64_t now, int64_t *next);

struct spool_counts spool_counts(const struct spool *s);
bool spool_busy(const struct spool *s); /* something is not on the disk yet */

#endif
