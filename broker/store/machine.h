/* What this process and the disk under its database have and use, as one row. */
#ifndef FARM_STORE_MACHINE_H
#define FARM_STORE_MACHINE_H

#include "group.h"
#include "journal.h"

struct machine_store {
    const char *file;
    uint64_t ballast; /* bytes wanted */
    uint64_t log_bytes;
    bool full;
    struct journal_stats stats;
};

/* Answers ASK_MACHINE into g. Reads /proc; what is not there is null. */
void machine_answer(const struct machine_store *m, const struct fx_ask *ask, struct group *g,
                    uint64_t seq);

#endif
