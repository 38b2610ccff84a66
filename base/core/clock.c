/* Reading the clocks. Only shells (nets, stores, programs) call this; cores are handed the time.
 *
 * Deadlines use CLOCK_BOOTTIME: a machine that slept through a lease has lost it. */
#include "clock.h"

#include <stdio.h>
#include <time.h>

#include "err.h"

static int64_t clock_read(clockid_t id)
{
    struct timespec t;
    REQUIRE(clock_gettime(id, &t) == 0);
    return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

int64_t clock_now(void)
{
    return clock_read(CLOCK_BOOTTIME);
}

int64_t clock_wall_ms(void)
{
    return clock_read(CLOCK_REALTIME) / NS_PER_MS;
}

void clock_format(char out[32], int64_t wall_ms)
{
    int64_t ms = wall_ms % 1000;
    if (ms < 0)
        ms += 1000;
    time_t s = (time_t)(wall_ms / 1000 - (wall_ms % 1000 < 0 ? 1 : 0));
    struct tm tm;
    char day[24];
    if (!gmtime_r(&s, &tm) || strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &tm) == 0)
        snprintf(out, 32, "%lldms", (long long)wall_ms);
    else
        snprintf(out, 32, "%s.%03dZ", day, (int)ms);
}
