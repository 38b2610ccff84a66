/* What `stop`, `pause` and `resume` share: one request about a study, or about one trial of it. */
#ifndef FARM_CLI_CHANGE_H
#define FARM_CLI_CHANGE_H

#include "client.h"

struct change {
    unsigned kind;     /* MSG_CANCEL, MSG_PAUSE or MSG_RESUME */
    const char *doing; /* "stopping": needs a running farm */
    const char *done;  /* "stopped": a member of the answer in JSON, and for people */
};
struct change_settings {
    struct client client;
    const struct change *change;
};

/* The whole command, with STUDY [TRIAL] as operands; its exit code. Rows of the table write to a
 * struct change_settings. */
int change_main(const struct opt_table *t, const struct change *c, int argc, char **argv);

#endif
