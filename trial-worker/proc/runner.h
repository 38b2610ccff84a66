/* Runs attempts: one-shot programs, and pools of served evaluators that are given one trial after
 * another. */
#ifndef FARM_TRIAL_WORKER_RUNNER_H
#define FARM_TRIAL_WORKER_RUNNER_H

#include <uv.h>

#include "files.h"
#include "worker_core.h"

struct runner;

struct runner_config {
    uv_loop_t *loop;
    struct files *files;
    const char *launch;    /* path of tunefarm-launch */
    uint64_t output_cap;   /* bytes of one attempt's output file; 0 = none is written */
    int64_t serve_idle_ns; /* a served evaluator without a trial for so long is ended */
    uint32_t slots;        /* served evaluators alive at once */
    uint64_t open_files;   /* soft limit for programs; 0 = as ours */
};
/* What happened to a run; each maps to the entry point of worker_core.h of the same name. Never
 * called from within a runner_ function other than runner_deliver(). */
struct runner_events {
    void *self;
    void (*started)(void *self, uint64_t run, uint64_t pid);
    void (*failed)(void *self, uint64_t run, struct str text, bool forever);
    void (*line)(void *self, uint64_t run, struct str line);
    void (*scraped)(void *self, uint64_t run, bool has_step, int64_t step, double value);
    void (*complaint)(void *self, uint64_t run, struct str text);
    void (*gone)(void *self, uint64_t run, const struct child_end *end);
};

err_t runner_open(struct runner **out, const struct runner_config *c, const struct runner_events *e,
                  struct errmsg *em) MUST_CHECK;
/* Kills every group that is left and frees everything once the loop has closed the handles. NULL is
 * legal. */
void runner_close(struct runner *r);

/* A study is about to run: its directory and patterns. The files must be in the cache. */
err_t runner_prepare(struct runner *r, struct digest digest, const struct spec *spec,
                     struct errmsg *em) MUST_CHECK;
void runner_forget(struct runner *r, struct digest digest, int64_t now); /* WFX_DROP_SPEC */

/* The effects of the same names. */
void runner_spawn(struct runner *r, const struct worker_run *run, int64_t now);
void runner_write(struct runner *r, uint64_t run, struct str line);
void runner_ask(struct runner *r, uint64_t run, int signal);
void runner_signal(struct runner *r, uint64_t run, int signal);
void runner_end(struct runner *r, uint64_t run, int64_t now);

/* Hands on what runner_spawn() found out. True if anything was handed on. */
bool runner_deliver(struct runner *r);
/* Ends served evaluators that are idle too long; returns when it wants to be called next. */
int64_t runner_tick(struct runner *r, int64_t now);
void runner_retire_idle(struct runner *r, int64_t now); /* no more trials will come */

#endif
