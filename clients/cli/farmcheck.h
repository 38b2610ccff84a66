/* Checks of a running farm, through its broker. */
#ifndef FARM_CLI_FARMCHECK_H
#define FARM_CLI_FARMCHECK_H

#include "diagnosis.h"
#include "source.h"
#include "stats.h"

struct farmcheck {
    struct source *s;
    const char *endpoint, *key; /* of the broker; key NULL = the user's own */
    bool quick;                 /* the database is not looked through */
};
/* Fails only if the broker stops answering. */
err_t farmcheck_run(struct diagnosis *d, const struct farmcheck *f, struct errmsg *em) MUST_CHECK;

/* ---- the single checks, on rows of INSPECT ---- */

/* What of `broker` the others are compared with. */
struct farmcheck_broker {
    char version[32], feed[300];
    int64_t beat_ms;
    uint64_t workers, optimizers;
};
void farmcheck_broker(struct diagnosis *d, const struct row *r, struct farmcheck_broker *b);
void farmcheck_machine(struct diagnosis *d, const struct row *r);
/* One line for each study that cannot go on as it is; true if it can. */
bool farmcheck_study(struct diagnosis *d, const struct row *r);
/* Peers are gathered, then judged together. */
struct farmcheck_peers {
    const struct farmcheck_broker *broker;
    uint64_t workers, optimizers, silent, other_version, other_clock, slots, running;
    char silent_name[140], version_name[140], version[32], clock_name[140];
    int64_t silent_ms, clock_ms; /* the worst */
};
void farmcheck_peer(struct farmcheck_peers *p, const struct row *r);
void farmcheck_peers_end(struct diagnosis *d, const struct farmcheck_peers *p);
void farmcheck_counters(struct diagnosis *d, const struct stats *s);

#endif
