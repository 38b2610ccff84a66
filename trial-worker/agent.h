/* The trial-worker as a whole: joins its core with processes, files and the connection. */
#ifndef FARM_TRIAL_WORKER_AGENT_H
#define FARM_TRIAL_WORKER_AGENT_H

#include "err.h"
#include "worker_options.h"
#include "zsock.h"

struct agent;

/* What the options do not say. Texts are borrowed for the agent's life. */
struct agent_setup {
    const struct worker_options *options;
    const char *root;           /* with its default filled in */
    const char *launch;         /* path of tunefarm-launch */
    const struct zcurve *curve; /* NULL = none; needed during agent_open() only */
    const char *const *gpus;
    uint32_t n_gpus;
    uint64_t open_files; /* soft limit for programs; 0 = as ours */
};

err_t agent_open(struct agent **out, const struct agent_setup *s, struct errmsg *em) MUST_CHECK;
/* Serves until drained, released, or the parent's descriptor ends. */
err_t agent_run(struct agent *a);
void agent_close(struct agent *a); /* kills what still runs; NULL is legal */

#endif
