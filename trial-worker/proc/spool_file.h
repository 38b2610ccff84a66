/* The file of a spool: blocking operations, called from a thread of the pool and at the beginning
 * and end. */
#ifndef FARM_TRIAL_WORKER_SPOOL_FILE_H
#define FARM_TRIAL_WORKER_SPOOL_FILE_H

#include <stdint.h>

#include "err.h"
#include "str.h"

#define SPOOL_PATH 1200

struct spool_file {
    char dir[SPOOL_PATH];    /* root/spool */
    char name[48], next[48]; /* in it; next: a file that is to replace it */
    int fd;                  /* locked; -1 = not made yet */
    uint64_t size;
};
/* One piece of work; carried out by spool_file_work(). */
struct spool_work {
    struct str bytes;
    bool replace; /* the bytes take the place of what is there; none: it becomes empty */
    bool sync;    /* flushed to the disk. A replacement always is */
};

err_t spool_file_init(struct spool_file *f, const char *root, struct id128 peer,
                      struct errmsg *em) MUST_CHECK;
void spool_file_fini(struct spool_file *f); /* removes it if it is empty */
/* After a failure the file is as it was before, or holds a part of the bytes at its end, which
 * stays without effect. */
err_t spool_file_work(struct spool_file *f, const struct spool_work *w,
                      struct errmsg *em) MUST_CHECK;

/* ---- files of others in the same directory ---- */

/* The lock under which files appear and are looked for; -1 if there is none. close() it. */
int spool_file_lock_dir(const struct spool_file *f);
/* Opens `name` and locks it. -1: its process lives, or it is no file of this user; *bad then says
 * whether it is the latter. */
int spool_file_claim(const struct spool_file *f, const char *name, uint64_t *size, bool *bad);
void spool_file_remove(const struct spool_file *f, const char *name);
/* Gives it the ending `why`; the oldest beyond SPOOL_ASIDE_MAX that were set aside are removed. */
void spool_file_set_aside(const struct spool_file *f, const char *name, const char *why);
#define SPOOL_ASIDE_MAX 8

#endif
