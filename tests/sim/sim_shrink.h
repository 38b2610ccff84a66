/* Makes a failing scenario small: drops kinds of faults, then single events, then the time behind
 * them, as long as it goes on failing in the same way. */
#ifndef FARM_SIM_SIM_SHRINK_H
#define FARM_SIM_SIM_SHRINK_H

#include "sim.h"

#define SHRINK_TEXT 1024

/* Whether the scenario fails; text: what was said, of which the part before the first ':' (the
 * invariant's name) tells failures apart. */
typedef bool shrink_fails(void *self, const struct sim_scenario *c, char text[SHRINK_TEXT]);
struct shrunk {
    struct sim_scenario scenario; /* only: points into v */
    uint32_t v[SIM_FAULTS_MOST];
    char text[SHRINK_TEXT];
    unsigned runs;
};
/* False: the seed does not fail when it is run again. */
bool shrink(uint64_t seed, shrink_fails *fails, void *self, struct shrunk *out);
/* Runs it in a process of its own, because a failure ends the process. self is not used. */
shrink_fails shrink_in_child;
/* What is left of the seed's faults, and the command that runs them again. */
void shrink_print(const struct shrunk *x, FILE *out);
/* The scenario of that command: SIM_WITHOUT (kinds), SIM_ONLY (numbers of events), SIM_UNTIL (ms).
 * False: one of them cannot be read. */
bool shrink_from_env(struct shrunk *x, uint64_t seed);

#endif
