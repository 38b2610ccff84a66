/* The journal: groups in, durable groups out, in order. Two kinds behind one interface: SQLite with
 * a thread of its own, and memory (journal_mem.h) for tests.
 *
 * All functions are for the owner's thread. What a group holds is durable when journal_done()
 * returns it, and not before; an input or output error of the disk never becomes an answer: the
 * process ends. A disk without room does not lose anything either: the group waits until there is
 * some. */
#ifndef FARM_STORE_JOURNAL_H
#define FARM_STORE_JOURNAL_H

#include "err.h"
#include "group.h"

struct journal;

/* Reads the part of a spec that the broker needs (envelope.h); handed in, because the store knows
 * no JSON of ours. */
typedef err_t journal_envelope(struct str spec, struct arena *a, struct envelope *out,
                               struct errmsg *em);

struct journal_config {
    const char *file;
    uint64_t ballast;   /* bytes of FILE.ballast, given up when the disk is full; 0 = none */
    uint64_t wal_limit; /* size of the write-ahead log at which it is checkpointed even without a
                           pause; 0 = 64 MiB */
    int64_t sql_ns;     /* longest run of one question; 0 = 5 s */
    size_t sql_bytes;   /* most bytes of its answer; 0 = 8 MiB */
    bool copy; /* the file is a copy, made to look at what the farm did: it begins no timeline */
    journal_envelope *envelope; /* for ASK_CHECK; NULL: it is refused */
    void (*wake)(void *self); /* a group is done; from any thread, before journal_close() returns */
    void *self;
};

/* What a journal knows of itself. The epoch is that of this start: journal_start() makes it
 * durable.
 */
struct journal_ids {
    uint64_t farm, timeline, epoch;
    uint64_t last_seq, fold_seq;
    bool restored, copied; /* the timeline begins with this start, because the database was restored
                              from a backup, or is another file than it was at the last start */
};

/* Opens or makes the database, for this process alone. Refused with one sentence: a file that
 * another broker has, that stands on a network file system, is no database, not ours, newer, or
 * damaged. Nothing is changed before journal_start(), so a file that is refused, here or because
 * what journal_load() reads contradicts itself, stays as it was. */
err_t journal_open(struct journal **out, const struct journal_config *c,
                   struct errmsg *em) MUST_CHECK;
struct journal_ids journal_ids(const struct journal *j);

/* ---- before journal_start() ---- */

/* Calls back for everything that is stored, in this order: studies by number, trials, the latest
 * requests (oldest first), then the records behind fold_seq by seq. The first callback that fails
 * ends it. */
struct journal_reader {
    void *self;
    err_t (*study)(void *self, const struct study_image *i, struct errmsg *em);
    err_t (*trial)(void *self, const struct trial_image *i, struct errmsg *em);
    err_t (*request)(void *self, const struct msg_reply *answer, struct errmsg *em);
    err_t (*record)(void *self, uint64_t seq, struct str body, struct errmsg *em);
};
err_t journal_load(struct journal *j, const struct journal_reader *r, struct errmsg *em) MUST_CHECK;
/* Appends a stored blob; also from within the callbacks. ERR_NOT_FOUND if there is none. */
err_t journal_blob(struct journal *j, struct digest d, struct buf *out,
                   struct errmsg *em) MUST_CHECK;
err_t journal_start(struct journal *j, struct errmsg *em) MUST_CHECK;

/* ---- after it ---- */

/* Takes the group. One without records and rows is done without the disk, in its turn. */
void journal_submit(struct journal *j, struct group *g);
/* The next done group, the caller's from now on, or NULL. Answers to long questions come later, in
 * groups without effects. */
struct group *journal_done(struct journal *j);
/* The disk has no room: a group waits, or the ballast is gone. */
bool journal_full(struct journal *j);
struct journal_stats {
    uint64_t groups, records, commit_ns, commit_max_ns;
};
struct journal_stats journal_stats(struct journal *j);
/* Commits what was submitted, checkpoints, closes. Groups that are not fetched are freed. NULL is
 * legal. */
void journal_close(struct journal *j);

/* What a kind of journal implements; for this folder. */
struct journal_ops {
    err_t (*load)(struct journal *j, const struct journal_reader *r, struct errmsg *em);
    err_t (*blob)(struct journal *j, struct digest d, struct buf *out, struct errmsg *em);
    err_t (*start)(struct journal *j, struct errmsg *em);
    void (*submit)(struct journal *j, struct group *g);
    struct group *(*done)(struct journal *j);
    bool (*full)(struct journal *j);
    struct journal_stats (*stats)(struct journal *j);
    void (*close)(struct journal *j);
};
struct journal {
    const struct journal_ops *ops;
    struct journal_ids ids;
};

#endif
