/* Reports results to tunefarm from programs in C or C++. No dependencies; thread-safe for different
 * handles only.
 *
 * A program that runs once for each trial:
 *
 *     struct tunefarm *t = tunefarm_open();
 *     tunefarm_next(t);
 *     double lr = tunefarm_param(t, "lr", 0.01);
 *     for (long step = 1; step <= 10; step++)
 *         if (tunefarm_report(t, step, train(lr)))
 *             break;                              // tunefarm asks it to stop
 *     tunefarm_final(t, evaluate());
 *     tunefarm_close(t);
 *
 * A served one (objective.serve: true) puts this in `while (tunefarm_next(t)) { ... }`. Outside a
 * farm the first tunefarm_next() gives a trial without parameters, so every tunefarm_param() its
 * default, and reports go to standard output. What goes over the channel is described in
 * docs/evaluator.md. */
#ifndef FARM_CLIENTS_TUNEFARM_REPORT_H
#define FARM_CLIENTS_TUNEFARM_REPORT_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct tunefarm;

/* NULL only when there is no memory. Every function accepts NULL and does nothing then. */
struct tunefarm *tunefarm_open(void);
void tunefarm_close(struct tunefarm *t);

/* Waits for the next trial. 1: there is one; 0: no more will come. A trial that was not ended is:
 * by its last report, as pruned if a stop was asked for, else as an error. What was borrowed from
 * the trial before is gone. */
int tunefarm_next(struct tunefarm *t);

/* Of the current trial; texts are valid until the next one. */
uint64_t tunefarm_trial(const struct tunefarm *t);
uint64_t tunefarm_attempt(const struct tunefarm *t);
uint64_t tunefarm_seed(const struct tunefarm *t);
const char *tunefarm_dir(
    const struct tunefarm *t); /* the attempt's own; a served program makes it when it needs it */
const char *tunefarm_resume(const struct tunefarm *t); /* a checkpoint to go on from; NULL = none */
int64_t tunefarm_resume_step(const struct tunefarm *t); /* its step */
const char *
tunefarm_checkpoint_dir(const struct tunefarm *t); /* for checkpoints: kept until the trial is over;
                                                      a served program makes it when it needs it */
const char *tunefarm_params(const struct tunefarm *t); /* all parameters as a JSON object */

/* A parameter by its qualified name. `otherwise` if the trial has none of that name (it is not
 * active) or it is no number. Booleans are 1 and 0. */
double tunefarm_param(const struct tunefarm *t, const char *name, double otherwise);
int64_t tunefarm_param_int(const struct tunefarm *t, const char *name, int64_t otherwise);
const char *tunefarm_param_text(const struct tunefarm *t, const char *name, const char *otherwise);

/* A further metric of the next report or result; at most 32 with names below 64 bytes, others are
 * left out. */
void tunefarm_metric(struct tunefarm *t, const char *name, double value);
/* An intermediate result. 1: tunefarm asks the trial to stop. Steps must rise. NaN and infinities
 * are legal. */
int tunefarm_report(struct tunefarm *t, int64_t step, double loss);
int tunefarm_stopped(struct tunefarm *t); /* 1: it was asked to stop; does not wait */
const char *tunefarm_stop_why(const struct tunefarm *t); /* "prune", "cancel", "pause", "timeout",
                                                            "drain"; NULL = not asked */
/* 1: tunefarm asks for a checkpoint that was not named yet (objective.checkpoint: {ask: line});
 * does not wait. */
int tunefarm_checkpoint_wanted(struct tunefarm *t);
/* A checkpoint of this step stands there, whole: a path (below the directory for checkpoints, if it
 * is relative), or a place that only the program knows. */
void tunefarm_checkpoint(struct tunefarm *t, const char *uri, int64_t step);

/* The end of the trial: the first of these counts. One that was asked to stop because its worker
 * leaves or because it is paused has no result: it goes on later. */
void tunefarm_final(struct tunefarm *t, double loss);
void tunefarm_prune(struct tunefarm *t); /* gives up on this point of the space */
void tunefarm_error(struct tunefarm *t, const char *text,
                    int retry); /* retry 0: another attempt would fail alike */

#ifdef __cplusplus
}
#endif

#endif
