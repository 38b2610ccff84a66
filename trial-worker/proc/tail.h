/* The output of one attempt: a file with a cap, and the end of it in memory for the error text. */
#ifndef FARM_TRIAL_WORKER_TAIL_H
#define FARM_TRIAL_WORKER_TAIL_H

#include "buf.h"

#define TAIL_LAST 3072 /* bytes kept in memory */
#define TAIL_FILE "output.log"

struct tail {
    char *dir; /* owned; NULL = nothing was begun */
    int fd;    /* -1 = no file is open */
    bool made, failed, in_tail;
    uint64_t cap;      /* bytes of the file; 0 = nothing is written to disk */
    uint64_t part;     /* bytes in the file that is open */
    uint64_t left_out; /* bytes dropped between head and tail */
    uint64_t old;      /* bytes of the older tail file */
    char *last;        /* ring of TAIL_LAST bytes; owned; NULL until there is output */
    size_t last_n, last_at;
};

void tail_init(struct tail *t);
/* Begins a new output in dir, which is made when something comes. */
void tail_begin(struct tail *t, const char *dir, uint64_t cap);
void tail_add(struct tail *t, struct str bytes);
/* Joins the parts on disk and closes. What is in memory stays until the next begin. */
void tail_end(struct tail *t);
void tail_fini(struct tail *t);
bool tail_made(const struct tail *t); /* dir was made */
/* The last lines: whole ones, if there is more than fits. */
void tail_last(const struct tail *t, struct buf *out);
/* The last n bytes of the output in dir, finished or not. ERR_NOT_FOUND: there is none. */
err_t tail_read(const char *dir, size_t n, struct buf *out) MUST_CHECK;

#endif
