/* What the broker does to a trial or study: each makes its record, applies it, and sends what
 * follows from it. Callers have checked that the state allows it. */
#ifndef FARM_CORE_VERBS_H
#define FARM_CORE_VERBS_H

#include "apply.h"
#include "farm_state.h"

/* Where a handler works. */
struct act {
    struct farm *f;
    int64_t now;
    struct effects *fx;
};

/* Numbers, encodes, remembers and applies a record of study s (NULL: of the farm, or STUDY_CREATED
 * with r->study set). Its strings may belong to the state. */
void verb_record(const struct act *a, struct study *s, struct record *r,
                 const struct apply_spec *spec);

/* A queued trial to a worker: GRANTED and ASSIGN. */
void verb_grant(const struct act *a, struct trial *t, struct worker *w);
/* The last attempt, which expired, goes on at w as the next one: GRANTED with code 1. */
void verb_adopt(const struct act *a, struct trial *t, struct worker *w);
/* An open attempt is over, and the trial is not. */
struct closing {
    enum close_why why;
    struct str note;
    int64_t exit_code;
    uint32_t signal;
    uint64_t retry_ms; /* wall clock; 0 = at once */
};
void verb_close(const struct act *a, struct trial *t, const struct closing *c);
/* An open attempt is lost: its worker is silent or does not know it. What becomes of the trial
 * follows from its state. */
void verb_lost(const struct act *a, struct trial *t, const char *note);
/* Given back by its worker; counts for nothing. */
void verb_release(const struct act *a, struct trial *t, struct str note);
/* Final. `final` may be NULL: then the last report stands for the result. */
void verb_finish(const struct act *a, struct trial *t, enum trial_state state,
                 const struct msg_final *final, struct str note);
/* An open attempt shall stop: STOPPING and STOP. One that stops for another reason takes the new
 * one. */
void verb_stop(const struct act *a, struct trial *t, enum stop_why why, int64_t step, bool has_step,
               struct str note);
/* At once if no attempt is open, else by a stop. The trial is not final. */
void verb_cancel(const struct act *a, struct trial *t);
/* Every trial of the study that is not final. */
void verb_cancel_all(const struct act *a, struct study *s);
/* Holds a trial back that is not final and does not stop already: at once if no attempt is open,
 * else by a stop. */
void verb_pause(const struct act *a, struct trial *t);
/* A paused trial goes on, first in line. */
void verb_resume(const struct act *a, struct trial *t);
void verb_pause_study(const struct act *a, struct study *s, bool paused);
void verb_close_study(const struct act *a, struct study *s, struct str why);
void verb_send_stop(const struct act *a, const struct trial *t);

#endif
