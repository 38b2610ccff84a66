/* The broker's settings: command line, environment TUNEFARM_BROKER_..., file. */
#ifndef FARM_BROKER_OPTIONS_H
#define FARM_BROKER_OPTIONS_H

#include "daemonopt.h"

struct broker_options {
    const char *db;
    struct opt_list listen;
    const char *feed;
    const char *key;
    int64_t lease_ttl, beat, orphan_grace, restart_grace, flush, rows;
    uint64_t ballast, max_workers, max_sessions, lost_limit;
    int64_t sql_time;
    const char *record; /* NULL = no recording */
    uint64_t record_limit;
    struct daemonopt common;
    const char *pid_file;
    bool daemon, check, examine;
};

extern const struct opt_table broker_options_table;
/* What the table cannot say: bounds between options, and what is required. */
err_t broker_options_check(const struct broker_options *o, struct errmsg *em) MUST_CHECK;

#endif
