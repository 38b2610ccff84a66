/* The options of tunefarm-optimizer. */
#ifndef FARM_OPTIMIZER_OPTIMIZER_OPTIONS_H
#define FARM_OPTIMIZER_OPTIMIZER_OPTIONS_H

#include "opt.h"

struct optimizer_options {
    const char *broker;           /* endpoint; NULL with stdio only */
    const char *key;              /* file; NULL = the default one, for tcp */
    const char *name;             /* for people; NULL = host and process id */
    const char *log_file;         /* NULL = stderr */
    int log_level;                /* enum log_level */
    const char *stdio;            /* study file: filter mode */
    bool replay;                  /* judge the journal on standard input */
    uint64_t ready_fd, parent_fd; /* OPTIMIZER_NO_FD = none */
};
#define OPTIMIZER_NO_FD 1000000

extern const struct opt_table optimizer_options;

#endif
