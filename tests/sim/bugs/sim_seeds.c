/* Runs the simulator over seeds FIRST to LAST and nothing else: what `run` links once more for each
 * seeded bug. A line on standard output names each seed before it begins, so that the one that ends
 * the process is known however it ends; a seed that never ends is cut off by its processor time.
 *
 * It must not know what the oracle looks at: a seed fails by ending the process. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>

#include "sim.h"

#define USAGE           "usage: sim_seeds FIRST LAST SECONDS (of processor time for one seed)\n"
#define SECONDS_AT_MOST 86400

static bool number(const char *text, uint64_t most, uint64_t *out)
{
    char *end;
    *out = strtoull(text, &end, 10);
    return end != text && !*end && *out <= most;
}

int main(int argc, char **argv)
{
    uint64_t first, last, seconds;
    if (argc != 4 || !number(argv[1], UINT64_MAX - 1, &first) ||
        !number(argv[2], UINT64_MAX - 1, &last) || !number(argv[3], SECONDS_AT_MOST, &seconds)) {
        fputs(USAGE, stderr);
        return 2;
    }
    struct itimerval limit = {.it_value = {.tv_sec = (time_t)seconds}};
    for (uint64_t seed = first; seed <= last; seed++) {
        printf("%" PRIu64 "\n", seed);
        fflush(stdout);
        setitimer(ITIMER_PROF, &limit, NULL);
        sim_run(seed);
    }
    return 0;
}
