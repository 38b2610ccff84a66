/* A study's specification, read from its JSON text. What each member means to a user stands in
 * docs/study-file.md. Unknown members are refused with the nearest known name. Immutable after
 * parsing. */
#ifndef FARM_STUDY_SPEC_H
#define FARM_STUDY_SPEC_H

#include "space.h"

#define SPEC_MAX_BYTES (256u << 10) /* of its JSON */
#define SPEC_MAX_ARGS  256
#define SPEC_MAX_FILES 256
#define SPEC_MAX_ENV   256

struct spec_file {
    struct str path; /* relative to objective.dir; no "..", not absolute */
    bool has_digest;
    struct digest digest; /* BLAKE2b-256; filled in by the submitter's client */
    uint64_t size;
    bool executable;
};
struct spec_pair {
    struct str name, value;
};

/* How a program is asked to write a checkpoint when its worker has to leave. */
enum checkpoint_ask {
    CHECKPOINT_UNASKED,   /* not at all */
    CHECKPOINT_BY_LINE,   /* by a line of the report channel */
    CHECKPOINT_BY_SIGNAL, /* to the program itself, not to what it started */
};

struct objective {
    const struct str *command; /* argv with {name} placeholders */
    uint32_t n_command;
    struct str dir; /* "." */
    const struct spec_file *files;
    uint32_t n_files;
    struct str metric; /* "loss" */
    bool maximize;
    bool serve;                /* served evaluator: one trial after another */
    struct str scrape_pattern; /* PCRE2 with a group named as the metric, or "loss"/"value"; empty =
                                  no scraping */
    struct str scrape_step;    /* PCRE2 with a group "step"; empty = count the matches */
    const struct spec_pair *env;
    uint32_t n_env;
    int64_t timeout_ns; /* per attempt; 0 = none */
    int64_t grace_ns;   /* between TERM and KILL; default 10 s */
    double cpu;         /* resources of a trial; default 1 */
    uint32_t gpu;
    uint64_t memory; /* bytes; 0 = no claim */
    enum checkpoint_ask checkpoint_ask;
    int checkpoint_signal;        /* BY_SIGNAL */
    int64_t checkpoint_within_ns; /* how long the answer may take; default 20 s */
    const struct str *labels;     /* a worker must carry all of them */
    uint32_t n_labels;
};
struct sampler_config {
    struct str name;   /* "tpe" */
    struct str preset; /* empty = the sampler's default */
    uint64_t seed; /* default: from the digest of the spec's bytes, so that a study without a seed
                      is repeatable too */
    bool has_seed;
    struct json_object *options; /* the whole sampler object, for the sampler's own settings;
                                  * borrowed; NULL if the study has none */
};
struct stop_rules {
    uint64_t trials; /* finished or running, 0 = none */
    int64_t time_ns; /* 0 = none */
    bool has_target;
    double target;           /* at least as good as this, in the metric's own sign */
    uint64_t plateau_trials; /* so many finished trials without a better loss; 0 = none */
    double plateau_delta;    /* better means better by more than this; default 0 */
};
struct spec {
    struct str study;
    struct objective objective;
    struct space *space;
    struct sampler_config sampler;
    struct stop_rules stop;
    uint32_t parallel;         /* most trials at once; 0 = whatever workers offer */
    int32_t priority;          /* default 0; greater goes first */
    double weight;             /* default 1; share among equals */
    uint32_t retries;          /* further attempts after a crash; default 2 */
    int64_t retry_delay_ns;    /* before such an attempt; default 1 s */
    uint32_t ahead;            /* proposals kept ready; default 0 */
    const struct str *enqueue; /* JSON objects: known points to run first, completed */
    uint32_t n_enqueue;
    struct json_object *root; /* owned */
    struct arena *arena;      /* owned */
};

/* Parses and checks everything. `json` need not outlive the call. Fault sentences begin with the
 * path of the member
 * ("objective.timeout: ..."), so that yaml_locate() can name the line. */
err_t spec_parse(struct str json, struct spec **out, struct errmsg *em) MUST_CHECK;
void spec_free(struct spec *s); /* NULL is legal */
/* Whether a farm can run it: it has a command. A study for the optimizer alone (--stdio) needs
 * none. */
err_t spec_runnable(const struct spec *s, struct errmsg *em) MUST_CHECK;
bool spec_name_valid(struct str name); /* 1-128 of [A-Za-z0-9._-], not "." or ".." */
/* Digest of the members that decide what is searched (objective's metric, direction and command,
 * space, sampler): two specs with the same one continue each other. */
struct digest spec_search_digest(const struct spec *s);
/* The members in which two specs' search parts differ, as text for people: "space.lr: {..} is now
 * {..}; ...". */
void spec_difference(const struct spec *was, const struct spec *now, struct buf *out);
/* Fills {placeholders} of one command argument from a point; "{{" and "}}" are braces; {params} is
 * the JSON object, {trial}, {attempt}, {seed} numbers, {dir} the attempt's directory. An inactive
 * parameter gives an empty text. */
struct spec_values {
    struct str params; /* JSON */
    uint64_t trial, seed;
    uint32_t attempt;
    struct str dir;
};
err_t spec_fill(const struct spec *s, struct str argument, const double *point,
                const struct spec_values *v, struct buf *out, struct errmsg *em) MUST_CHECK;

#endif
