/* One attempt on this worker: what its evaluator said, how it is to end, and what the broker still
 * has to hear. */
#ifndef FARM_TRIAL_WORKER_ATTEMPT_H
#define FARM_TRIAL_WORKER_ATTEMPT_H

#include "heap.h"
#include "list.h"
#include "outbox.h"
#include "report_line.h"
#include "slots.h"
#include "spec_cache.h"

struct worker;

/*   FETCHING -> STARTING -> RUNNING -> REAPING -> DONE -> (acknowledged: gone)
 *       |           |    \-> STOPPING ->/  |
 *       \-----------\----------------------\---> DONE
 * A process that ended while the digest of its checkpoint is computed waits in SEALING for that.
 * A served evaluator goes from RUNNING or STOPPING to DONE without ending. */
enum attempt_state {
    ATTEMPT_FETCHING, /* waits for spec, files or resources */
    ATTEMPT_STARTING, /* handed to the shell */
    ATTEMPT_RUNNING,
    ATTEMPT_STOPPING, /* asked to end */
    ATTEMPT_SEALING,  /* the process is gone; its checkpoint's digest is not known yet */
    ATTEMPT_REAPING,  /* its result is known or not wanted; the process is not gone yet */
    ATTEMPT_DONE,     /* the process is gone; the result waits for its acknowledgement */
    ATTEMPT_STATES
};
/* Why an evaluator has to end. */
enum end_cause {
    END_ITSELF,
    END_STOP,    /* STOP or a verdict: see stop_why */
    END_TIMEOUT, /* objective.timeout */
    END_RELEASE, /* drain or the second signal */
    END_KILL,    /* nothing of it is wanted */
};
/* Reports of one step, merged until the step changes. */
struct open_point {
    bool active, has_value;
    int64_t step;
    double value;
    struct json_object *metrics; /* owned; NULL = none */
};
/* A checkpoint whose digest is not known yet. */
struct unsealed {
    char *
        place; /* owned, as the program named it; "" = its directory for checkpoints; NULL = none */
    int64_t step;
    uint64_t size;
};
struct attempt {
    struct id128 owner;     /* the process that it was granted to; ghost: one that has ended */
    bool ghost;             /* found in a spool */
    bool spooled;           /* the spool has it */
    struct worker_run desc; /* params, resume, decide, point and gpus are owned by the attempt */
    uint32_t number;
    enum attempt_state state;
    struct list link;     /* in worker.attempts */
    struct list waits;    /* for a spec or for resources */
    struct attempt *same; /* next attempt of the same hash key */
    uint64_t key;
    struct heap_node wake;
    struct spec_entry *entry; /* NULL: never had one */
    bool has_slot;
    struct slot_grant grant;
    struct outbox outbox;

    struct open_point open;
    bool has_step, has_last, has_result, ever_complained;
    int64_t last_step;
    double last_value;                /* of the newest report that had the metric */
    struct json_object *last_metrics; /* owned */
    enum report_kind result;          /* FINAL, PRUNED or ERROR, if has_result */
    double result_value;
    struct json_object *result_metrics; /* owned */
    char *error;                        /* owned; of an ERROR, a failed start or fetch */
    bool error_forever;
    char *complaint; /* owned; the last thing that could not be used */
    uint32_t complaints;

    struct unsealed sealing, next; /* at the shell; the newest behind it */
    bool checking;                 /* the checkpoint that it resumes from is at the shell */
    uint8_t resumed;               /* enum resume_outcome */
    bool asked;                    /* for a checkpoint: whatever ends it now gives it back */
    bool answered;                 /* and one came */
    bool tidy;                     /* there may be checkpoints of it */
    struct child_end end;          /* SEALING; output owned */

    enum end_cause cause;
    uint8_t stop_why, release_why; /* enum stop_why, enum release_why */
    int64_t grace_ns;
    int64_t started_at, flush_at, timeout_at, term_at, kill_at, give_up_at, ask_until,
        spool_at; /* CLOCK_NEVER = not armed */
};

/* Inputs of the state table (attempt_state.c). */
enum attempt_event {
    EVENT_READY,  /* spec, files and resources are there */
    EVENT_FAILED, /* it cannot start: error is set */
    EVENT_STARTED,
    EVENT_RESULT, /* has_result was set by a line */
    EVENT_EXITED,
    EVENT_STOP, /* in->cause, in->stop_why, in->grace_ns */
    EVENT_KILL,
    EVENT_TIMEOUT,
    EVENT_TERM,   /* time for SIGTERM */
    EVENT_GRACE,  /* time for SIGKILL */
    EVENT_SEALED, /* no digest is waited for any more */
    ATTEMPT_EVENTS
};
struct attempt_input {
    uint64_t pid;                  /* STARTED */
    const struct child_end *end;   /* EXITED */
    enum end_cause cause;          /* STOP */
    uint8_t stop_why, release_why; /* STOP */
    int64_t grace_ns;              /* STOP: 0 = the study's */
    const char *lost_to; /* KILL: why a result does not count; NULL = it does, or never did */
};
/* The one way to change an attempt's state. The attempt may be freed inside: do not touch it after.
 * in may be NULL for events that need none. */
void attempt_event(struct worker *w, struct attempt *a, enum attempt_event e,
                   const struct attempt_input *in, int64_t now, struct worker_out *fx);
const char *attempt_state_name(enum attempt_state s);

/* attempt.c */
struct attempt *attempt_new(struct worker *w, const struct msg_assign *m);
void attempt_free(struct worker *w, struct attempt *a); /* gives back what it holds; no effects */
struct outbox_id attempt_id(const struct worker *w, const struct attempt *a);
bool attempt_served(const struct attempt *a);
bool attempt_wanted(const struct attempt *a); /* not killed: the broker is told of it */
bool attempt_has_child(const struct attempt *a);
uint8_t attempt_phase(const struct attempt *a); /* of struct held */
void attempt_line(struct worker *w, struct attempt *a, const struct report_line *r, int64_t now,
                  struct worker_out *fx);
void attempt_complain(struct attempt *a, const char *text, struct worker_out *fx);
void attempt_fail(struct attempt *a, const char *text, bool forever); /* sets error */
void attempt_close_point(struct attempt *a, struct worker_out *fx);
void attempt_flush(struct worker *w, struct attempt *a, int64_t now, struct worker_out *fx);
/* Sets the timer to the earliest of what is armed. */
void attempt_rearm(struct worker *w, struct attempt *a);
/* Does what is due. The attempt may be freed inside. */
void attempt_due(struct worker *w, struct attempt *a, int64_t now, struct worker_out *fx);

/* attempt_result.c: the FINAL or RELEASE of an attempt whose process is gone (end NULL: it never
 * had one, or a served evaluator that lives on), put into its outbox. */
bool attempt_given_back(const struct attempt *a); /* its end, if it came now, would be a RELEASE */
/* Of one that is killed: a result that counts no longer, as WFX_ORPHAN. */
void attempt_orphan(const struct worker *w, struct attempt *a, const char *why, int64_t now,
                    struct worker_out *fx);
void attempt_conclude(struct attempt *a, const struct child_end *end, int64_t now);

#endif
