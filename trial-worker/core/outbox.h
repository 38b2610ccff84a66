/* What the broker has not acknowledged of one attempt: START, points, the newest CHECKPOINT, FINAL
 * or RELEASE. Kept as values, not as bytes, because an adopted attempt goes on under another
 * number. */
#ifndef FARM_TRIAL_WORKER_OUTBOX_H
#define FARM_TRIAL_WORKER_OUTBOX_H

#include "worker_out.h"

#define OUTBOX_RING          256  /* points an attempt keeps */
#define OUTBOX_WINDOW_POINTS 4096 /* in flight in a session */
#define OUTBOX_WINDOW_BYTES  (1u << 20)
#define OUTBOX_RESEND_NS     (10 * NS_PER_S)
#define OUTBOX_RESEND_MAX_NS (60 * NS_PER_S)

enum outbox_item { OWE_START = 1, OWE_CHECKPOINT = 2, OWE_FINAL = 4, OWE_RELEASE = 8 };
#define OWE_END (OWE_CHECKPOINT | OWE_FINAL | OWE_RELEASE) /* what a spool is for */

/* Points of all attempts that were sent and not acknowledged. */
struct outbox_window {
    uint32_t points;
    size_t bytes;
    struct counters *counts; /* of the worker; never NULL */
};
struct outbox_point {
    int64_t step;
    double value;
    char *metrics; /* owned; NULL = none */
    uint32_t metrics_n;
    bool has_value, decide;
};
struct outbox_beginning {
    uint64_t pid;
    uint8_t resumed; /* enum resume_outcome */
    int64_t resume_step;
};
struct outbox {
    struct outbox_window *window; /* shared */
    struct outbox_point *points;  /* in rising order of step; the first `sent` are in flight */
    uint32_t n, cap, sent;
    uint32_t thinned;      /* left out since the last REPORT */
    bool maximize;         /* which value is the best */
    unsigned owed, unsent; /* enum outbox_item */
    unsigned saved;        /* owed, and in the spool */
    uint32_t saved_n;      /* points in the spool: the first of them */
    struct outbox_beginning beginning;
    struct msg_checkpoint checkpoint; /* uri owned */
    struct msg_final *final;          /* owned with its texts */
    uint8_t release_why;
    char *release_note; /* owned; NULL = none */
    int64_t resend_at;  /* CLOCK_NEVER = nothing in flight */
    int64_t interval;
};
/* To whom it is addressed. */
struct outbox_id {
    uint64_t study, trial;
    uint32_t attempt;
    uint64_t session; /* 0 = none: nothing is sent */
    bool spool;       /* to the spool instead */
};

void outbox_init(struct outbox *o, struct outbox_window *window, bool maximize);
void outbox_fini(struct outbox *o);
void outbox_clear(struct outbox *o); /* owes nothing any more */
bool outbox_empty(const struct outbox *o);
bool outbox_waiting(const struct outbox *o); /* has points that were not sent */

void outbox_start(struct outbox *o, const struct outbox_beginning *b);
/* metrics is moved in. Thins the points if there are too many: first, last, best and decision steps
 * stay. */
void outbox_point(struct outbox *o, const struct outbox_point *p);
void outbox_checkpoint(struct outbox *o,
                       const struct msg_checkpoint *c); /* replaces an older one */
void outbox_final(struct outbox *o,
                  const struct msg_final *f); /* texts are copied and cut to their limits */
void outbox_release(struct outbox *o, uint8_t why, const char *note);

/* Sends what was not sent yet, in the order START, points, CHECKPOINT, FINAL. Points wait while the
 * window is full, unless a FINAL or RELEASE follows them. */
void outbox_send(struct outbox *o, const struct outbox_id *id, int64_t now, struct worker_out *fx);
/* Takes everything as not sent (a new session, or time is up). `later` doubles the interval. */
void outbox_rewind(struct outbox *o, bool later);
/* The spool: whether it lacks something that it is for; appends what it lacks (START and points
 * too) as WFX_SPOOL; takes everything as lacking. */
bool outbox_unsaved(const struct outbox *o);
void outbox_save(struct outbox *o, const struct outbox_id *id, struct worker_out *fx);
void outbox_unsave(struct outbox *o);
bool outbox_owes_end(const struct outbox *o);      /* CHECKPOINT, FINAL or RELEASE */
bool outbox_releases_lost(const struct outbox *o); /* a RELEASE that says so */
bool outbox_ends(const struct outbox *o);          /* FINAL or RELEASE */
/* ACK or NAK of a kind; step counts for REPORT. */
void outbox_settle(struct outbox *o, unsigned kind, int64_t step, int64_t now);

#endif
