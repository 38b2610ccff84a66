/* What a user's program is started with: its arguments, its environment, and the first line on its
 * channel. */
#ifndef FARM_TRIAL_WORKER_ENV_H
#define FARM_TRIAL_WORKER_ENV_H

#include "worker_core.h"

/* Directories of an attempt. */
struct env_dirs {
    const char *own, *checkpoints;
};
/* The command with its placeholders filled; ends with NULL; memory from `a`. The sentence names the
 * argument. */
err_t env_argv(const struct worker_run *r, const char *dir, struct arena *a, char ***out,
               struct errmsg *em) MUST_CHECK;
/* The worker's own environment without what is the worker's business, then ours, then
 * objective.env; ends with NULL. A served evaluator lives for many trials, so it gets nothing that
 * belongs to one. */
err_t env_vars(const struct worker_run *r, const struct env_dirs *dirs, char *const *own,
               struct arena *a, char ***out, struct errmsg *em) MUST_CHECK;
/* {"trial":..,"attempt":..,"seed":..,"params":{..},"resume":..,"decide":[..],"dir":"..",
 * "checkpoint_dir":".."} without newline. */
void env_first_line(const struct worker_run *r, const struct env_dirs *dirs, struct buf *out);

#endif
