/* The farm of one `tunefarm run`: a broker on a private socket, an optimizer and workers, as
 * children. */
#ifndef FARM_CLI_EMBED_H
#define FARM_CLI_EMBED_H

#include "addrfile.h"
#include "childproc.h"

#define EMBED_MAX_WORKERS 64

struct embed_config {
    const char *db;   /* path of the database; made if missing */
    unsigned workers; /* 1 to EMBED_MAX_WORKERS */
    unsigned slots;   /* of each worker; 0 = as the worker decides */
};
struct embed {
    struct embed_config config;
    struct addrfile addr;
    char *log, *work; /* paths beside the database: its log, and the workers' directory */
    char dir[256];    /* private, mode 0700; empty = none yet */
    char endpoint[300];
    struct childproc broker, optimizer, workers[EMBED_MAX_WORKERS];
    unsigned n_workers; /* made */
    bool ending;
    bool told; /* a restart was told in `notice` and not taken yet */
    char notice[300];
};

/* The path of something beside a database: "x.tunefarm.db" and ".log" give "x.tunefarm.log". Free
 * it. */
char *embed_beside(const char *db, const char *ending);
/* Starts the broker and waits until it serves. On failure the farm is down and finished. */
err_t embed_start(struct embed *f, const struct embed_config *c, struct errmsg *em) MUST_CHECK;
/* Starts optimizer and workers; does not wait for them. */
err_t embed_start_rest(struct embed *f, struct errmsg *em) MUST_CHECK;
/* To be called when a child may have ended. One that had served is started again, up to 5 times;
 * else an error that names the last line of the log. */
err_t embed_on_child(struct embed *f, struct errmsg *em) MUST_CHECK;
/* Ends workers, optimizer, broker, in that order. Running trials are given back after `patience`
 * ns; CLOCK_NEVER: in the workers' own time. */
void embed_stop(struct embed *f, int64_t patience);
void embed_fini(struct embed *f); /* legal after a failed start */

#endif
