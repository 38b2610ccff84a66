/* What is behind a handle of the library, and the checks that all its functions begin with. Shared
 * by the files of optimizer/lib only. */
#ifndef FARM_LIB_HANDLE_H
#define FARM_LIB_HANDLE_H

#include "solo.h"
#include "trail.h"
#include "tunefarm.h"

struct tunefarm_study {
    struct spec *spec; /* NULL: the handle has no study yet */
    struct buf json;   /* the spec's text */
    struct solo *solo;
    struct trail trail;
    bool exhausted; /* the trail says so */
    int64_t elapsed_ns;
    double *point;    /* scratch */
    struct buf text;  /* what was given back last */
    struct buf image; /* what was saved last */
    struct errmsg em;
};

int32_t handle_status(err_t e);
/* Each gives TUNEFARM_OK or a fault: there is a handle with a study; one without; one with such a
 * trial; one that may go on. */
int32_t handle_check(struct tunefarm_study *s);
int32_t handle_check_empty(struct tunefarm_study *s);
int32_t handle_check_trial(struct tunefarm_study *s, int64_t trial);
int32_t handle_check_room(struct tunefarm_study *s);
/* TUNEFARM_INVALID with a sentence that names the argument, if it is NULL. */
int32_t handle_check_argument(struct tunefarm_study *s, const void *p, const char *name);

/* Gives an empty handle the spec of this text. A fault leaves it empty. */
err_t handle_open(struct tunefarm_study *s, struct str json);
void handle_close(struct tunefarm_study *s);
const struct history *handle_history(const struct tunefarm_study *s);

#endif
