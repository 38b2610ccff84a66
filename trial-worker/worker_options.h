/* The settings of tunefarm-worker: one table for flags, environment, file, help and man page. */
#ifndef FARM_TRIAL_WORKER_WORKER_OPTIONS_H
#define FARM_TRIAL_WORKER_WORKER_OPTIONS_H

#include "daemonopt.h"

struct worker_options {
    const char *broker, *root, *checkpoints, *key, *name, *gpus, *cloud, *cloud_address;
    struct opt_list labels;
    uint64_t slots, keep_trials, memory, output_cap, spool;
    double cpus;
    int64_t idle_exit, drain_timeout, orphan, serve_idle, cloud_every;
    struct daemonopt common;
};

#define WORKER_ORPHAN_BROKER (-1) /* orphan: as the broker says */

extern const struct opt_table worker_option_table;

/* What this machine has, where the user said nothing. */
uint64_t worker_default_slots(void); /* processors this process may use */
uint64_t
worker_default_memory(void); /* bytes of the machine, or of the control group if it allows less */
/* "0,1" are ids; "2" is a count (ids 0 and 1); "2," is the id 2; "" looks at CUDA_VISIBLE_DEVICES,
 * else at the device files. The ids (at most 64) live in `arena`. */
struct arena;
err_t worker_find_gpus(const char *text, struct arena *a, const char *const **ids, uint32_t *n,
                       struct errmsg *em) MUST_CHECK;

#endif
