/* A search space: a tree of parameters with their priors. Parameters are in an order in which
 * parents come before the children that depend on them. Immutable after parsing. docs/study-file.md
 * lists every spelling. */
#ifndef FARM_STUDY_SPACE_H
#define FARM_STUDY_SPACE_H

#include "buf.h"

#define SPACE_MAX_PARAMS  512
#define SPACE_MAX_OPTIONS 256

struct json_object;
struct rng;

enum param_kind {
    PARAM_FLOAT,
    PARAM_INT,    /* values are whole numbers */
    PARAM_CHOICE, /* the value is the option's index; options have no order */
};
enum param_prior {
    PRIOR_UNIFORM, /* between low and high, in the scale */
    PRIOR_NORMAL,  /* mu, sigma in the scale (of ln x for SCALE_LOG); unbounded */
};
enum param_scale {
    SCALE_LINEAR,
    SCALE_LOG,         /* uniform in ln x */
    SCALE_REVERSE_LOG, /* uniform in ln(c - x), c = high + (high - low) * 1e-4: fine near the upper
                          bound */
};

struct param_option {
    struct str text; /* as written, unquoted: what placeholders and names use; terminated */
    struct str json; /* the scalar as JSON: what params holds; terminated */
    double weight;   /* prior probability; the weights of a choice sum to 1 */
};

/* The parent must be active and have one of the values. */
struct param_test {
    uint32_t parent;      /* index of an earlier PARAM_CHOICE or PARAM_INT */
    uint32_t n;           /* how many values */
    const double *values; /* option indices (PARAM_CHOICE) or whole numbers (PARAM_INT) */
};
/* One conjunction: every test must hold. */
struct param_case {
    const struct param_test *tests;
    uint32_t n;
};

struct param {
    struct str name;       /* qualified: "opt.sgd.momentum"; terminated, as is short_name */
    struct str short_name; /* last part where unique ("momentum"), else equal to name */
    enum param_kind kind;
    enum param_prior prior;
    enum param_scale scale;
    double low, high; /* PARAM_FLOAT, PARAM_INT: inclusive, plain values; -inf, inf for
                       * PRIOR_NORMAL. CHOICE: 0, n-1. With a step, high is the last value of the
                       * grid, which may be below what the user wrote */
    double mu, sigma; /* PRIOR_NORMAL */
    double step;      /* > 0: the grid low, low + step, ... high; 0 = continuous, or round holds */
    double round;     /* > 0: Hyperopt's q types: rint(x / round) * round, may leave the bounds by
                       * round / 2; excludes step. An int has a whole step or a whole round */
    bool unordered;   /* PARAM_INT as Hyperopt's randint: no order between values */
    bool weighted;    /* CHOICE with explicit weights (Hyperopt's pchoice) */
    const struct param_option *options; /* CHOICE */
    uint32_t n_options;
    const struct param_case *cases; /* active if any case holds; n_cases 0 = always */
    uint32_t n_cases;
    uint32_t depth; /* 0 = root; else 1 + deepest parent */
};

struct space {
    const struct param *params;
    uint32_t n;
};

/* A point: one double a parameter, NaN = inactive. Callers own the array of space->n doubles. */

/* Parses the `space` object of a spec. Fault sentences begin with the path ("space.lr.float[1]:
 * ..."). */
err_t space_parse(struct json_object *v, struct space **out, struct errmsg *em) MUST_CHECK;
void space_free(struct space *s); /* NULL is legal */
int space_find(const struct space *s,
               struct str name); /* qualified, or short where unique; -1 = none */
/* Whether parameter i is active, given the values of all before it. */
bool space_active(const struct space *s, uint32_t i, const double *point);
/* How many distinct values: 0 = infinitely many; for a grid and for exhaustion. */
double param_cardinality(const struct param *p);
bool param_is_log(const struct param *p);

/* Values and the scale in which the prior is flat (or normal). For SCALE_REVERSE_LOG the scale
 * grows with the value. */
double param_to_scale(const struct param *p, double value);
double param_from_scale(const struct param *p, double s); /* continuous; no clipping, no rounding */
/* The bounds in the scale between which the prior is flat. A grid is widened by half a step on both
 * sides, so that all its values have a cell of their own (in a log scale the lower end stays at low
 * / 2 or above). -inf, inf for PRIOR_NORMAL; 0, n for a choice. */
void param_scale_bounds(const struct param *p, double *lo, double *hi);
/* The nearest legal value: clipped, on the grid or rounded; ints whole. */
double param_legal(const struct param *p, double value);
/* The value at quantile u in [0, 1) of the prior, legal; grid values and end points have equal mass
 * (Hyperopt's `round` types: as Hyperopt rounds). u of a choice walks the weights. */
double param_from_unit(const struct param *p, double u);
/* A point from the prior: one number of the stream for each active parameter, in order. */
void space_draw(const struct space *s, struct rng *r, double *point);

/* A value as a command line or the environment shows it: an option's text, a number without
 * needless digits. */
void param_value_text(const struct param *p, double value, struct buf *out);
/* The JSON object of a point's active parameters, in order of the space. */
void space_write(const struct space *s, const double *point, struct buf *out);
/* Reads such an object: every active parameter present and legal (within the bounds, on the grid
 * within 1e-9 of a step, a known option), nothing else; NULL is an empty object. Short names are
 * accepted where unique. The sentence begins with the parameter's name ("lr: 3 is above 1"). */
err_t space_read(const struct space *s, struct json_object *params, double *point,
                 struct errmsg *em) MUST_CHECK;
/* The same of a point that a person gave in part: what is missing is drawn from the prior, alike
 * for the same given values and the same turn. What is given must not depend on what is not. */
err_t space_complete(const struct space *s, struct json_object *params, uint64_t turn,
                     double *point, struct errmsg *em) MUST_CHECK;

#endif
