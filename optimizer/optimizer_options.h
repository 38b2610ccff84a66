/* The options of tunefarm-optimizer. */
#ifndef FARM_OPTIMIZER_OPTIMIZER_OPTIONS_H
#define FARM_OPTIMIZER_OPTIMIZER_OPTIONS_H

#include "daemonopt.h"

struct optimizer_options {
    const char *broker; /* endpoint; NULL with stdio only */
    const char *key;    /* file; NULL = the default one, for tcp */
    const char *name;   /* for people; NULL = host and process id */
    const char *stdio;  /* study file: filter mode */
    bool replay;        /* judge the journal on standard input */
    struct daemonopt common;
};

extern const struct opt_table optimizer_options;

#endif
