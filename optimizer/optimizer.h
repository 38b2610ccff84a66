/* The daemon: the link to the broker on a loop. */
#ifndef FARM_OPTIMIZER_OPTIMIZER_H
#define FARM_OPTIMIZER_OPTIMIZER_H

#include "log.h"

struct optimizer_config {
    const char *broker;   /* endpoint */
    const char *key;      /* file; NULL = the default one, for tcp */
    const char *name;     /* NULL = the broker makes one up */
    const char *log_file; /* NULL = stderr */
    enum log_level log_level;
    int ready_fd, parent_fd; /* -1 = none */
};

/* Serves until TERM, INT or the end of parent_fd. Returns the exit code; faults are on stderr. */
int optimizer_run(const struct optimizer_config *c);

#endif
