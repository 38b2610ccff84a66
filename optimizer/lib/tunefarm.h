/* tunefarm's optimizer as a library: proposes points of a search space, one after another, from the
 * losses of those before. For C and C++, and for every language that can call C: only whole
 * numbers, doubles, texts and pointers to what is opaque pass through. docs/library.md is the
 * guide.
 *
 *     struct tunefarm_study *s = tunefarm_study_new();
 *     if (tunefarm_study_define(s, "space: {x: {float: [-5, 5]}}\n"
 *                                  "stop: {trials: 50}") < 0)
 *         fprintf(stderr, "%s\n", tunefarm_study_error(s));
 *     int64_t trial;
 *     double x;
 *     while (tunefarm_study_ask(s, &trial) == TUNEFARM_OK) {
 *         tunefarm_study_get_double(s, trial, "x", &x);
 *         tunefarm_study_tell(s, trial, (x - 1) * (x - 1));
 *     }
 *     tunefarm_study_free(s);
 *
 * Statuses. What returns a status returns TUNEFARM_OK (0), a positive one where there is a plain
 * "no", or a negative one for a fault; then nothing has changed, and tunefarm_study_error() has the
 * sentence. NULL for a handle or for an argument that is needed is a fault, never a crash. Memory:
 * as everywhere in tunefarm, a process that the system refuses memory is ended by abort(), after a
 * line to standard error; nothing else here prints, ends the process or touches signals.
 *
 * Texts that are given back belong to the handle and live until the next call with that handle.
 *
 * Threads: a handle is for one thread at a time; different handles are independent. There is no
 * global state, no clock and no random source: the same calls give the same proposals, byte for
 * byte, on every machine, in any locale. */
#ifndef FARM_LIB_TUNEFARM_H
#define FARM_LIB_TUNEFARM_H

#include <stdint.h>

#if defined(__GNUC__)
#define TUNEFARM_API __attribute__((visibility("default")))
#else
#define TUNEFARM_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Values never change their meaning; new ones may come, with the sign of their sort. */
enum tunefarm_status {
    TUNEFARM_OK = 0,
    TUNEFARM_NONE = 1,     /* there is none: no best trial yet, the parameter is not active, ... */
    TUNEFARM_WAIT = 2,     /* ask: none until a pending trial ends */
    TUNEFARM_END = 3,      /* ask: the study is at its end, tunefarm_study_ended() says why */
    TUNEFARM_STOP = 4,     /* report: the trial should stop, and be told as pruned */
    TUNEFARM_INVALID = -1, /* an argument, or the text of a study, is not valid */
    TUNEFARM_NOT_FOUND = -2, /* no such trial, parameter or file */
    TUNEFARM_EXISTS = -3,  /* the trial's result is known already; the handle has a study already */
    TUNEFARM_LIMIT = -4,   /* too many trials, or too much to save */
    TUNEFARM_IO = -5,      /* a file could not be read or written */
    TUNEFARM_CORRUPT = -6, /* the saved study is damaged */
    TUNEFARM_UNKNOWN_VERSION = -7, /* the saved study is of a version that is not known here */
    TUNEFARM_ERROR = -8            /* anything else */
};

enum tunefarm_trial_state {
    TUNEFARM_TRIAL_PENDING = 0,  /* handed out, no result yet */
    TUNEFARM_TRIAL_COMPLETE = 1, /* has a loss */
    TUNEFARM_TRIAL_PRUNED = 2,   /* stopped early; its last report is all that is known */
    TUNEFARM_TRIAL_FAILED = 3,   /* gave no loss */
    TUNEFARM_TRIAL_CANCELLED = 4 /* as if it had never been */
};

struct tunefarm_study;

TUNEFARM_API const char *tunefarm_version(void);               /* of the library: "0.1.0" */
TUNEFARM_API const char *tunefarm_status_name(int32_t status); /* "NOT_FOUND"; "?" if not known */

/* ---- a study ---- */

/* An empty handle. It is given its study by define or by load, once. */
TUNEFARM_API struct tunefarm_study *tunefarm_study_new(void);
TUNEFARM_API void tunefarm_study_free(struct tunefarm_study *s); /* NULL is legal */

/* The sentence of the last call with this handle that returned a fault: what is wrong, where, what
 * was expected. Empty before the first; stays until the next. Never NULL. */
TUNEFARM_API const char *tunefarm_study_error(const struct tunefarm_study *s);

/* The text of a study file, YAML or JSON, as docs/study-file.md describes it. Here only `space` is
 * needed; `sampler`, `objective.direction`, `stop` and `enqueue` count, what a farm would do with
 * the rest does not happen, but it is checked. Sentences name the line: "study:3:7: space.lr: ...".
 * Without `sampler.seed` the seed comes from the text. */
TUNEFARM_API int32_t tunefarm_study_define(struct tunefarm_study *s, const char *text);

/* Parameters of the space, parents before children. */
TUNEFARM_API int64_t tunefarm_study_param_count(const struct tunefarm_study *s);
TUNEFARM_API const char *tunefarm_study_param_name(const struct tunefarm_study *s,
                                                   int64_t index); /* qualified; NULL = none */

/* ---- the loop ---- */

/* The next trial to run: known points first, then the sampler's. Any number may be pending at
 * once; each ask counts on those that are. TUNEFARM_WAIT, TUNEFARM_END: no trial. */
TUNEFARM_API int32_t tunefarm_study_ask(struct tunefarm_study *s, int64_t *trial);

/* An intermediate loss of a pending trial; steps from 0 to 2^53-1. TUNEFARM_STOP: stop it and tell
 * pruned. (No scheduler of this version gives it.) NaN and infinities are legal. */
TUNEFARM_API int32_t tunefarm_study_report(struct tunefarm_study *s, int64_t trial, int64_t step,
                                           double loss);

/* The end of a pending trial; each is told once. The loss is in the objective's own sign (greater
 * is better under `direction: maximize`); infinities are legal, NaN is not: that trial failed. */
TUNEFARM_API int32_t tunefarm_study_tell(struct tunefarm_study *s, int64_t trial, double loss);
TUNEFARM_API int32_t tunefarm_study_tell_pruned(struct tunefarm_study *s, int64_t trial);
TUNEFARM_API int32_t tunefarm_study_tell_failed(struct tunefarm_study *s, int64_t trial);
TUNEFARM_API int32_t tunefarm_study_cancel(struct tunefarm_study *s, int64_t trial);

/* A point to hand out before any proposal, as a JSON object: {"lr": 0.1, "act": "relu"}. Every
 * parameter that is active there has a value, no other. */
TUNEFARM_API int32_t tunefarm_study_enqueue(struct tunefarm_study *s, const char *params);
/* A result from elsewhere: a trial that is complete at once. trial may be NULL. */
TUNEFARM_API int32_t tunefarm_study_add(struct tunefarm_study *s, const char *params, double loss,
                                        int64_t *trial);

/* How long the study has run, for `stop.time`: the library reads no clock. */
TUNEFARM_API int32_t tunefarm_study_elapsed(struct tunefarm_study *s, double seconds);
/* Why no more trials come: "trials", "time", "target", "plateau"; "exhausted" once an ask has found
 * that no point is left (then only known points are handed out). NULL while they do. */
TUNEFARM_API const char *tunefarm_study_ended(const struct tunefarm_study *s);

/* ---- trials ---- */

/* Trials are numbered from 0 without gaps. -1 for an empty handle. */
TUNEFARM_API int64_t tunefarm_study_count(const struct tunefarm_study *s);
TUNEFARM_API int64_t tunefarm_study_pending(const struct tunefarm_study *s); /* how many are */
/* enum tunefarm_trial_state, or a (negative) fault. */
TUNEFARM_API int32_t tunefarm_study_state(struct tunefarm_study *s, int64_t trial);
/* Final or last reported. TUNEFARM_NONE: it has none. */
TUNEFARM_API int32_t tunefarm_study_loss(struct tunefarm_study *s, int64_t trial, double *loss);
/* The complete trial with the best loss, the first of equals. TUNEFARM_NONE: none is complete. loss
 * may be NULL. */
TUNEFARM_API int32_t tunefarm_study_best(struct tunefarm_study *s, int64_t *trial, double *loss);

/* All its active parameters, as a compact JSON object in the order of the space. */
TUNEFARM_API int32_t tunefarm_study_params(struct tunefarm_study *s, int64_t trial,
                                           const char **json);
/* How the sampler came to it, a JSON object for people. TUNEFARM_NONE: it was a known point. */
TUNEFARM_API int32_t tunefarm_study_why(struct tunefarm_study *s, int64_t trial, const char **json);

/* One parameter of a trial, by its qualified name, or its short one where that is unique.
 * TUNEFARM_NONE: it is not active there; nothing is written. An option of a choice has the type
 * that it is written with: true and false are 1 and 0; get_int refuses what is not whole, both
 * refuse a text. get_text gives any value; get_option the option's place in the list, from 0. */
TUNEFARM_API int32_t tunefarm_study_get_double(struct tunefarm_study *s, int64_t trial,
                                               const char *name, double *value);
TUNEFARM_API int32_t tunefarm_study_get_int(struct tunefarm_study *s, int64_t trial,
                                            const char *name, int64_t *value);
TUNEFARM_API int32_t tunefarm_study_get_text(struct tunefarm_study *s, int64_t trial,
                                             const char *name, const char **value);
TUNEFARM_API int32_t tunefarm_study_get_option(struct tunefarm_study *s, int64_t trial,
                                               const char *name, int64_t *index);

/* ---- saving ---- */

/* Everything: the study as it was defined and all that happened. A handle that loads it goes on as
 * this one would: the next proposals are the same, byte for byte (of the same version of tunefarm;
 * a newer one reads it, and may propose other points). Trials that were pending are pending. Bytes
 * as texts: they belong to the handle and live until the next call. */
TUNEFARM_API int32_t tunefarm_study_save(struct tunefarm_study *s, const void **data,
                                         int64_t *size);
TUNEFARM_API int32_t tunefarm_study_load(struct tunefarm_study *s, const void *data, int64_t size);
/* The file is replaced as a whole: whoever reads it, also after a crash, finds the old or the new
 * one. */
TUNEFARM_API int32_t tunefarm_study_save_file(struct tunefarm_study *s, const char *path);
TUNEFARM_API int32_t tunefarm_study_load_file(struct tunefarm_study *s, const char *path);

#ifdef __cplusplus
}
#endif

#endif
