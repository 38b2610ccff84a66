/* The directories of a worker under its root:
 *
 *   cache/<digest>                     blobs of the farm, by content; read-only
 *   studies/<name>-<digest>/           a study's files (digest: first 8 hex digits of the spec's);
 * programs run here
 *   trials/<study>/<trial>.<attempt>/  what an attempt writes: output.log, and
 * whatever the program puts there */
#ifndef FARM_TRIAL_WORKER_FILES_H
#define FARM_TRIAL_WORKER_FILES_H

#include <sys/types.h>

#include "spec.h"

#define FILES_PATH     4096
#define FILES_BLOB_MAX (64u << 20)

struct files {
    char root[1024];        /* absolute */
    char checkpoints[1024]; /* absolute; may be shared with other workers */
    uint32_t keep;          /* attempt directories kept */
    char **kept;            /* of ended attempts, the oldest first: a ring of `keep` */
    uint32_t kept_n, kept_at;
    int lock; /* descriptor of the root's lock; -1 = none */
};

/* Makes what is missing (mode 0700). keep 0 = none is kept. */
err_t files_open(struct files *f, const char *root, uint32_t keep, struct errmsg *em) MUST_CHECK;
void files_close(struct files *f);

bool files_have(const struct files *f, struct digest d); /* in the cache */
/* A blob of the cache, at most `limit` bytes, into out. */
err_t files_load(const struct files *f, struct digest d, size_t limit, struct buf *out,
                 struct errmsg *em) MUST_CHECK;
/* Storing one: a file that gets its name only when its bytes have the digest. */
struct files_part {
    int fd;
    char path[FILES_PATH];
};
err_t files_part_open(struct files *f, struct digest d, struct files_part *p,
                      struct errmsg *em) MUST_CHECK;
err_t files_part_write(struct files_part *p, struct str bytes, struct errmsg *em) MUST_CHECK;
/* ERR_CORRUPT if the bytes have another digest. Closed and, on failure, removed. */
err_t files_part_finish(struct files *f, struct digest d, struct files_part *p,
                        struct errmsg *em) MUST_CHECK;
void files_part_abandon(struct files_part *p);

/* Makes the study's directory from the cache, which must have all its files; `cwd` is where
 * programs start. */
err_t files_study(struct files *f, struct digest spec_digest, const struct spec *s,
                  char cwd[FILES_PATH], struct errmsg *em) MUST_CHECK;

/* The path of an attempt's directory; false if it is too long. Nothing is made. */
bool files_attempt_path(const struct files *f, struct str study, uint64_t trial, uint32_t attempt,
                        char out[FILES_PATH]);
err_t files_attempt_make(const char *path, struct errmsg *em) MUST_CHECK;
/* An ended attempt's directory: the oldest beyond `keep` is removed with what is in it. */
void files_attempt_ended(struct files *f, const char *path);
/* files_keep.c: counts the directories of earlier worker processes among the ended ones, unless
 * another worker uses the root; takes the root's lock. Once, after files_open(). */
void files_keep_old(struct files *f);
/* The directory of an attempt (0 = the last) that exists; an adopted attempt's has the number it
 * began with. */
err_t files_attempt_find(const struct files *f, struct str study, uint64_t trial, uint32_t attempt,
                         char out[FILES_PATH]) MUST_CHECK;

/* files_checkpoint.c: where checkpoints are kept, NULL = "checkpoints" under the root:
 * <farm>/<study>/<trial>/<attempt>/. Once, after files_open(). */
err_t files_checkpoints_open(struct files *f, const char *dir, struct errmsg *em) MUST_CHECK;
/* The directory of an attempt's, of a whole trial's (attempt 0); false if the path is too long. */
bool files_checkpoint_path(const struct files *f, uint64_t farm, struct str study, uint64_t trial,
                           uint32_t attempt, char out[FILES_PATH]);
/* An empty one. What is left there of another life of the same number is removed. */
err_t files_checkpoint_make(const char *path, struct errmsg *em) MUST_CHECK;
/* The path of a checkpoint that a program named: absolute, file:///..., or relative to its
 * directory for checkpoints (empty: that itself). False: it is a place of another kind, or too
 * long. */
bool files_checkpoint_place(struct str place, const char *dir, char out[FILES_PATH]);

/* files_tree.c: makes every directory of a path; removes a tree without following links. */
err_t files_mkdirs(const char *path, mode_t mode, struct errmsg *em) MUST_CHECK;
void files_remove_tree(const char *path);
/* Copies a file; the target must not exist. */
err_t files_copy(const char *from, const char *to, mode_t mode, struct errmsg *em) MUST_CHECK;

#endif
