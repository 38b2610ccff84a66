/* What the metadata services of clouds say about the end of a machine: which question comes next,
 * and what an answer means. No input or output; whoever asks is trial-worker/net/lookout.c. */
#ifndef FARM_TRIAL_WORKER_CLOUD_H
#define FARM_TRIAL_WORKER_CLOUD_H

#include "err.h"
#include "str.h"

#define CLOUD_LIST(X)                                                                              \
    X(AWS, "aws")                                                                                  \
    X(GOOGLE, "google")                                                                            \
    X(AZURE, "azure")
#define CLOUD_ENUM(name, text) CLOUD_##name,
enum cloud_kind { CLOUD_LIST(CLOUD_ENUM) CLOUD_KINDS };
#undef CLOUD_ENUM
#define CLOUD_TOKEN 1024

struct cloud {
    enum cloud_kind kind;
    char token[CLOUD_TOKEN]; /* aws */
    char machine[256];       /* azure: the name of this machine; "" = not known */
    bool named;              /* azure: it was asked for */
    bool renewed;            /* aws: the token is of this round */
    bool asked;              /* google: the state is known, changes are waited for */
};
struct cloud_request {
    bool put;              /* else GET */
    const char *path;      /* with its query */
    char headers[2][1200]; /* "" = none */
    int64_t patience_ns;   /* for the whole answer */
};
enum cloud_verdict {
    CLOUD_QUIET,  /* nothing is coming */
    CLOUD_AGAIN,  /* ask the next question at once */
    CLOUD_COMING, /* the machine goes: the notice is filled */
    CLOUD_FAILED, /* the answer is none; the sentence says so */
};
struct cloud_notice {
    int64_t left_ms; /* until the machine goes; at least CLOUD_LEAST_MS */
    char reason[160];
};
#define CLOUD_LEAST_MS 2000

bool cloud_by_name(const char *name, enum cloud_kind *out);
void cloud_init(struct cloud *c, enum cloud_kind kind);
const char *cloud_address(enum cloud_kind kind); /* the documented one */
void cloud_round(struct cloud *c);               /* a new round of questions begins */
void cloud_next(const struct cloud *c, struct cloud_request *out);
/* wall_ms: now, since 1970. */
enum cloud_verdict cloud_answer(struct cloud *c, long status, struct str body, int64_t wall_ms,
                                struct cloud_notice *notice, struct errmsg *em);

#endif
