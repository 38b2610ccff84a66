/* Studies made ready to run on this machine, by the digest of their spec. */
#ifndef FARM_TRIAL_WORKER_PROGRAM_H
#define FARM_TRIAL_WORKER_PROGRAM_H

#include "files.h"
#include "list.h"
#include "scrape.h"

struct program {
    struct list link;
    struct digest digest;
    const struct spec *spec; /* borrowed from the core until runner_forget() */
    char *cwd;               /* owned */
    struct scrape *scrape;   /* owned; NULL = none */
    struct list idle; /* struct job.idle: served evaluators without a trial, the last used first */
};

err_t program_new(struct program **out, struct files *f, struct digest d, const struct spec *s,
                  struct errmsg *em) MUST_CHECK;
void program_free(struct program *p);
struct program *program_find(const struct list *all, struct digest d); /* NULL = none */

#endif
