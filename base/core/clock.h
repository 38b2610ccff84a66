/* Time as a value. Cores are handed `now`; only shells read a clock. */
#ifndef FARM_BASE_CLOCK_H
#define FARM_BASE_CLOCK_H

#include <stdint.h>

#define NS_PER_MS   INT64_C(1000000)
#define NS_PER_S    INT64_C(1000000000)
#define CLOCK_NEVER INT64_MAX

int64_t
clock_now(void); /* CLOCK_BOOTTIME in ns: counts on while a machine is suspended; for deadlines */
int64_t
clock_wall_ms(void); /* CLOCK_REALTIME in ms since 1970; an annotation for people, never compared */
void clock_format(char out[32], int64_t wall_ms); /* "2026-11-23T12:34:56.789Z" */

#endif
