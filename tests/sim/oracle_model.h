/* The oracle's own picture of the studies, a fold of journal records that shares no code with the
 * broker's. */
#ifndef FARM_SIM_ORACLE_MODEL_H
#define FARM_SIM_ORACLE_MODEL_H

#include "message.h"

#define MODEL_STUDIES 64

struct sim;

struct life { /* an attempt */
    struct id128 who;
    uint64_t session;
    bool adopted, started, stopped, ended, assigned;
    bool has_step, has_checkpoint;
    uint8_t close; /* enum close_why + 1 */
    int64_t last_step, checkpoint_step;
    int64_t ended_at; /* virtual time */
    bool told;        /* its worker has sent its end: behind this HELLO and this BEAT */
    uint64_t told_hello, told_beat;
    bool began;      /* STARTED is recorded */
    bool overlooked; /* some of what its worker said was passed over: the disk was full */
    bool owes_checkpoint;
    bool renumbered;   /* its worker was told that it goes on as a later one */
    int64_t owed_step; /* of the checkpoint that its worker has sent */
};
struct fate { /* a trial */
    uint8_t state, why;
    uint32_t attempt, crashes, lost, final_attempt;
    struct life *lives; /* by attempt; [0] is unused */
    uint32_t cap_lives;
    bool has_resume;
    uint32_t resume_attempt;
    int64_t resume_step;
    struct digest resume_digest;
    struct str resume; /* owned; any bytes */
    int64_t ended_at;
    double x; /* its point; NAN: not one of ours */
};
struct chapter { /* a study */
    char *name;
    uint8_t state; /* enum study_state */
    bool paused;
    uint64_t study_seq, next_draw;
    uint32_t epoch;
    struct id128 optimizer;
    struct fate *fates;
    size_t n, cap;
    uint8_t *kinds; /* by study_seq - 1 */
    size_t cap_kinds;
};
struct model {
    struct chapter *v; /* by study number - 1 */
    size_t n, cap;
    uint64_t seq;
    struct id128 *requests; /* of enqueued points */
    size_t n_requests, cap_requests;
};

void model_fini(struct model *m);
/* Applies a record; the run fails if it cannot follow. */
void model_apply(struct sim *s, struct model *m, const struct record *r);
struct chapter *model_study(const struct model *m, uint64_t study); /* NULL: none */
struct fate *model_trial(const struct model *m, uint64_t study, uint64_t trial);
/* The attempt, or the one that adopted it; NULL: never granted. */
struct life *model_life(const struct fate *f, uint32_t attempt);
/* Open attempts of a worker, and what they take at one processor each. */
uint32_t model_held(const struct model *m, struct id128 who);

#endif
