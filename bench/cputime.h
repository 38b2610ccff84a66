/* CPU time of this process, all threads. */
#ifndef FARM_BENCH_CPUTIME_H
#define FARM_BENCH_CPUTIME_H

#include <time.h>

static inline double cpu_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

#endif
