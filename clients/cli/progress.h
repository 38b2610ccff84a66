/* What a follower of one study knows: counts, the best trial, its history, the trials that run.
 * Built from journal records alone, in order; pure. */
#ifndef FARM_CLI_PROGRESS_H
#define FARM_CLI_PROGRESS_H

#include "buf.h"
#include "idmap.h"
#include "message.h"

#define PROGRESS_CURVE 512

/* A trial that is not final. */
struct progress_trial {
    uint64_t number;
    uint8_t state;    /* enum trial_state */
    uint32_t attempt; /* last one granted; 0 = none yet */
    bool has_step, has_loss;
    bool pausing; /* stops in order to be paused */
    int64_t step;
    double loss;        /* last reported */
    int64_t started_ms; /* wall clock of the record */
    char *params;       /* JSON */
};

struct progress {
    char study[129];
    char metric[129]; /* what a loss is called when a person reads it */
    bool maximize;
    uint64_t goal; /* stop.trials; 0 = no such rule */
    uint64_t counts[TRIAL_CANCELLED + 1];
    struct idmap open; /* struct progress_trial by number + 1 */
    bool has_best;
    uint64_t best_trial;
    double best_loss;
    char *best_params;
    double curve[PROGRESS_CURVE]; /* best loss after every `stride` finished trials; NaN before the
                                     first */
    size_t curve_n;
    uint64_t stride;
    uint64_t finished;        /* in a final state */
    uint64_t finished_before; /* of those, at the mark: progress_mark() */
    uint64_t mark_complete;
    int64_t mark_ms, last_ms; /* wall clock of the mark and of the last record */
    char closed[256];         /* why no more trials are proposed; empty = open */
    bool ended, paused;
    uint64_t failures; /* trials that failed since the mark, without any that completed */
    char *last_error;  /* of the last failed attempt; NULL = none */
    uint64_t last_error_trial;
    uint32_t workers, slots; /* told from outside; slots 0 = not known */
};

/* What a record did, for those who announce it. */
enum progress_change {
    PROGRESS_NOTHING = 0,
    PROGRESS_STARTED = 1,
    PROGRESS_REPORTED = 2,
    PROGRESS_FINISHED = 4,
    PROGRESS_IMPROVED = 8, /* together with FINISHED: it is the best now */
    PROGRESS_CLOSED = 16,
    PROGRESS_ENDED = 32,
    PROGRESS_RETRIED = 64, /* an attempt crashed, a further one will come */
    PROGRESS_PAUSED = 128, /* the study */
    PROGRESS_RESUMED = 256,
};

/* What is to be said about the trial of a record; params borrow the progress until its next record.
 */
struct progress_news {
    unsigned change;
    uint64_t trial;
    uint32_t attempt;
    uint8_t state;
    bool has_loss;
    double loss;
    char *params;     /* owned by the news: free with progress_news_fini */
    struct str error; /* borrows the record */
};

/* The metric is "loss" until progress_metric() names another. */
void progress_init(struct progress *p, const char *study, bool maximize, uint64_t goal);
void progress_metric(struct progress *p, struct str metric);
void progress_fini(struct progress *p);
struct progress_news progress_on_record(struct progress *p, const struct record *r);
void progress_news_fini(struct progress_news *news);
/* From here on counts as this sitting: rates, estimates and failures look at what comes after. */
void progress_mark(struct progress *p, int64_t wall_ms);
/* Whether loss a is better than b. */
bool progress_better(const struct progress *p, double a, double b);
/* Seconds until the goal at the rate since the mark; negative = cannot be said. */
double progress_left(const struct progress *p, int64_t wall_ms);
/* The farm has ended before the study: what ran waits for the next sitting. */
void progress_given_back(struct progress *p);
uint64_t progress_open(const struct progress *p); /* trials leased, running or stopping */

#endif
