/* The fold of the journal, one struct a row, as it goes to the store and comes back at a start. A
 * row carries the seq of the last record in it, so that rows may be written at different times:
 * replay skips what a row has. */
#ifndef FARM_CORE_IMAGES_H
#define FARM_CORE_IMAGES_H

#include "codes.h"
#include "str.h"

struct trial_image {
    uint64_t study, number, seq;
    uint8_t state;      /* enum trial_state */
    uint8_t why;        /* enum stop_why while stopping */
    uint8_t last_close; /* enum close_why + 1 of the last closed attempt; 0 = none */
    bool front;         /* first in line */
    bool enqueued;      /* made by a person, not by a draw */
    bool adopted;       /* the last attempt adopted the one before */
    bool has_draw, has_value, has_step, has_resume;
    uint32_t attempt, final_attempt, lost, crashes, spec_number;
    uint64_t draw, based_on;
    uint32_t behind;
    double value;                                          /* last reported, or final */
    int64_t step;                                          /* of the last report */
    int64_t created_ms, started_ms, finished_ms, retry_ms; /* wall clock; 0 = not yet */
    uint64_t runtime_ms;
    int64_t exit_code;
    uint32_t signal;
    struct id128 worker; /* of the last attempt */
    int64_t resume_step;
    struct str params, why_text, metrics, error, resume;
    const int64_t *decide;
    uint32_t n_decide;
};

struct study_image {
    uint64_t number, seq, study_seq;
    struct str name;
    uint8_t state; /* enum study_state */
    bool paused, maximize, has_best;
    struct str metric, why;
    struct digest spec, search;
    uint32_t spec_number;
    uint32_t optimizer_epoch;
    uint64_t trials, count[TRIAL_CANCELLED + 1];
    double best;
    uint64_t best_trial;
    int64_t created_ms, ended_ms;
    uint64_t elapsed_ms;
    uint64_t compacted; /* study_seq up to which intermediate reports may be missing */
};

struct worker_image {
    struct id128 id;
    struct str name, host, labels /* JSON array */, software;
    uint8_t state; /* enum worker_state */
    uint32_t slots, running, gpu;
    double cpu;
    uint64_t memory, pid;
    int64_t joined_ms, seen_ms;
};
#define WORKER_STATE_LIST(X)                                                                       \
    X(READY, 0, "ready") X(DRAINING, 1, "draining") X(LEFT, 2, "left") X(GONE, 3, "gone")
#define X_WORKER_STATE(n, v, t) WORKER_##n = v,
enum worker_state { WORKER_STATE_LIST(X_WORKER_STATE) };

/* What the broker reads from a study's spec; everything else in it is opaque to the broker. */
#define ENVELOPE_LABELS 64
struct envelope {
    struct str metric;
    bool maximize;
    double cpu;
    uint32_t gpu;
    uint64_t memory;
    const struct str *labels; /* a worker must carry all of them */
    uint32_t n_labels;
    uint32_t parallel; /* most open attempts at once; 0 = no limit */
    int32_t priority;  /* greater goes first */
    double weight;     /* > 0; share among equals */
    uint32_t retries;  /* further attempts after a crash */
    int64_t retry_delay_ns;
    int64_t grace_ns;          /* between TERM and KILL */
    uint32_t ahead;            /* proposals kept ready */
    const struct str *enqueue; /* JSON objects, run first */
    const struct str *given;   /* what a person gave of each, by which they are told apart; NULL =
                                  all of it */
    uint32_t n_enqueue;
};

#endif
