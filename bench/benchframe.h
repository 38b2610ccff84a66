/* What the programs that measure have around their work: options, help, one sentence for a fault.
 */
#ifndef FARM_BENCH_BENCHFRAME_H
#define FARM_BENCH_BENCHFRAME_H

#include "opt.h"

/* Parses the options into settings, calls run with them, and gives the exit code. Operands are
 * refused. */
int benchframe_run(const struct opt_table *table, void *settings, int argc, char **argv,
                   err_t (*run)(const void *settings, struct errmsg *em));

#endif
