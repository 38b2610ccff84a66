/* The coverage table: counts, and which cells no run can reach. Filled by oracle_causes.c; judged
 * by test_sim.c over all its seeds. It must not know how an event comes about. */
#include "sim_cells.h"

#include "codes.h"

#define NAME(name, text) text,
static const char *const states[] = {CELL_STATE_LIST(NAME)};
static const char *const events[] = {CELL_EVENT_LIST(NAME)};
#undef NAME

static enum cell_state row_of(unsigned trial_state)
{
    return trial_state_final(trial_state) ? CELL_IN_FINAL : (enum cell_state)trial_state;
}

void cells_hit(struct sim_cells *c, unsigned trial_state, enum cell_event e)
{
    c->hits[row_of(trial_state)][e]++;
}

void cells_add(struct sim_cells *c, const struct sim_cells *more)
{
    for (unsigned s = 0; s < CELL_STATES; s++)
        for (unsigned e = 0; e < CELL_EVENTS; e++)
            c->hits[s][e] += more->hits[s][e];
}

const char *cells_impossible(enum cell_state s, enum cell_event e)
{
    bool open = s >= CELL_IN_LEASED && s <= CELL_IN_STOPPING;
    switch (e) {
    case CELL_GRANT:
        return s == CELL_IN_QUEUED ? NULL : "only a queued trial stands in line";
    case CELL_ADOPT:
        return s == CELL_IN_QUEUED ? NULL : "only a trial that waits after an expiry is adopted";
    case CELL_EXPIRY:
        return open ? NULL : "only an open attempt has a lease";
    case CELL_PRUNE:
    case CELL_PRUNE_PAUSE:
        return s != CELL_IN_LEASED ? NULL : "a report makes a leased attempt a running one";
    case CELL_RETRY:
        return s == CELL_IN_DELAYED ? NULL : "only a delayed trial has a delay";
    default:
        return NULL;
    }
}

static bool possible(unsigned s, unsigned e)
{
    return !cells_impossible((enum cell_state)s, (enum cell_event)e);
}

unsigned cells_below(const struct sim_cells *c, uint64_t least, FILE *out)
{
    unsigned n = 0;
    for (unsigned s = 0; s < CELL_STATES; s++) {
        for (unsigned e = 0; e < CELL_EVENTS; e++) {
            if (!possible(s, e) || c->hits[s][e] >= least)
                continue;
            n++;
            if (out)
                fprintf(out, "%s x %s: %llu hits\n", states[s], events[e],
                        (unsigned long long)c->hits[s][e]);
        }
    }
    return n;
}

unsigned cells_surprising(const struct sim_cells *c, FILE *out)
{
    unsigned n = 0;
    for (unsigned s = 0; s < CELL_STATES; s++) {
        for (unsigned e = 0; e < CELL_EVENTS; e++) {
            if (possible(s, e) || !c->hits[s][e])
                continue;
            n++;
            fprintf(out, "%s x %s was hit, and cannot be: %s\n", states[s], events[e],
                    cells_impossible((enum cell_state)s, (enum cell_event)e));
        }
    }
    return n;
}

void cells_rarest(const struct sim_cells *c, unsigned n, FILE *out)
{
    uint64_t after = 0;
    unsigned printed = 0;
    while (printed < n) {
        uint64_t least = UINT64_MAX;
        for (unsigned s = 0; s < CELL_STATES; s++)
            for (unsigned e = 0; e < CELL_EVENTS; e++)
                if (possible(s, e) && c->hits[s][e] >= after && c->hits[s][e] < least)
                    least = c->hits[s][e];
        if (least == UINT64_MAX)
            return;
        for (unsigned s = 0; s < CELL_STATES; s++) {
            for (unsigned e = 0; e < CELL_EVENTS; e++) {
                if (!possible(s, e) || c->hits[s][e] != least)
                    continue;
                fprintf(out, "  %8llu  %s x %s\n", (unsigned long long)least, states[s], events[e]);
                printed++;
            }
        }
        after = least + 1;
    }
}
