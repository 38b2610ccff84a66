/* One line of the report channel, from the user's program: anything may stand in it. */
#ifndef FARM_TRIAL_WORKER_REPORT_LINE_H
#define FARM_TRIAL_WORKER_REPORT_LINE_H

#include "err.h"
#include "str.h"

#define REPORT_MAX_METRICS 64
#define REPORT_MAX_NAME    128
#define REPORT_MAX_TEXT    256 /* of a metric that is a text */
#define REPORT_MAX_STEP    ((INT64_C(1) << 53) - 1)

struct json_object;

enum report_kind {
    REPORT_POINT,      /* has a step: an intermediate result */
    REPORT_FINAL,      /* no step, but the metric: the result */
    REPORT_METRICS,    /* neither: further metrics of the result */
    REPORT_PRUNED,     /* the program gives up on this point */
    REPORT_ERROR,      /* text; retry says whether another attempt may help */
    REPORT_CHECKPOINT, /* text is the URI */
};
struct report_line {
    enum report_kind kind;
    bool has_step, has_value, retry;
    int64_t step;
    double value;                /* the objective metric */
    struct str text;             /* borrowed from root */
    struct json_object *metrics; /* the others, owned; NULL = none */
    struct json_object *root;    /* owned */
    uint32_t left_out;           /* members that are no metric or too many */
};

/* Reads one line. On failure nothing is to be released, and the sentence says what was expected. */
err_t report_line_parse(struct report_line *out, struct str line, struct str metric,
                        struct errmsg *em) MUST_CHECK;
void report_line_fini(struct report_line *r);

#endif
