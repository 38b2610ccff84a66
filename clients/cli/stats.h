/* The counters of a running farm (docs/reliability.md), fetched and shown. */
#ifndef FARM_CLI_STATS_H
#define FARM_CLI_STATS_H

#include "counter.h"
#include "source.h"

struct stats_peer {
    char role[16], name[140], id[40]; /* name and id are empty for the sums of a role */
    struct counters n;
};
struct stats {
    struct counters farm;     /* the sums of all roles */
    struct stats_peer *peers; /* those that are connected and of whom something was counted */
    size_t n_peers, cap;
};

err_t stats_fetch(struct stats *s, struct source *from, struct errmsg *em) MUST_CHECK;
void stats_fini(struct stats *s);
/* For people: what is not 0, and what it means. For programs: everything, one object a line. */
void stats_table(const struct stats *s, struct buf *out, size_t width, bool utf8);
void stats_json(const struct stats *s, struct buf *out);

#endif
