/* How often each event met a trial in each state: the table of docs/reliability.md. */
#ifndef FARM_SIM_SIM_CELLS_H
#define FARM_SIM_SIM_CELLS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define CELL_STATE_LIST(X)                                                                         \
    X(QUEUED, "queued")                                                                            \
    X(LEASED, "leased")                                                                            \
    X(RUNNING, "running")                                                                          \
    X(STOPPING, "stopping")                                                                        \
    X(PAUSED, "paused")                                                                            \
    X(DELAYED, "delayed")                                                                          \
    X(FINAL, "final")
/* "a" is the trial's last attempt; events of the broker's own come as records. */
#define CELL_EVENT_LIST(X)                                                                         \
    X(GRANT, "grant")                                                                              \
    X(ADOPT, "adopt")                                                                              \
    X(START, "START(a)")                                                                           \
    X(REPORT, "REPORT(a, new steps)")                                                              \
    X(REPORT_OLD, "REPORT(a, old steps)")                                                          \
    X(CHECKPOINT, "CHECKPOINT(a)")                                                                 \
    X(FINAL_OK, "FINAL(a, ok)")                                                                    \
    X(FINAL_NAN, "FINAL(a, ok, no finite value)")                                                  \
    X(FINAL_PRUNED, "FINAL(a, pruned)")                                                            \
    X(FINAL_ERROR, "FINAL(a, error)")                                                              \
    X(RELEASE, "RELEASE(a)")                                                                       \
    X(OTHER, "any of another attempt")                                                             \
    X(EXPIRY, "lease expiry(a)")                                                                   \
    X(PRUNE, "PRUNE(a, reported)")                                                                 \
    X(PRUNE_OTHER, "PRUNE of another attempt, epoch or step")                                      \
    X(PRUNE_PAUSE, "PRUNE(a, reported, pause)")                                                    \
    X(CANCEL, "CANCEL")                                                                            \
    X(PAUSE, "PAUSE")                                                                              \
    X(RESUME, "RESUME")                                                                            \
    X(HELD, "HELLO or BEAT holds (a)")                                                             \
    X(HELD_OTHER, "HELLO or BEAT holds another")                                                   \
    X(RETRY, "delay is over")                                                                      \
    X(STUDY_PAUSED, "study paused")                                                                \
    X(STUDY_CANCELLED, "study cancelled")                                                          \
    X(RESTART, "broker restart")
#define CELL_ENUM_S(name, text) CELL_IN_##name,
#define CELL_ENUM_E(name, text) CELL_##name,
enum cell_state { CELL_STATE_LIST(CELL_ENUM_S) CELL_STATES };
enum cell_event { CELL_EVENT_LIST(CELL_ENUM_E) CELL_EVENTS };
#undef CELL_ENUM_S
#undef CELL_ENUM_E

struct sim_cells {
    uint64_t hits[CELL_STATES][CELL_EVENTS];
};

/* trial_state: enum trial_state. */
void cells_hit(struct sim_cells *c, unsigned trial_state, enum cell_event e);
void cells_add(struct sim_cells *c, const struct sim_cells *more);
/* Why the event cannot meet that state; NULL: it can. */
const char *cells_impossible(enum cell_state s, enum cell_event e);
/* How many possible cells have fewer than `least` hits; names them on `out` (NULL: silent). */
unsigned cells_below(const struct sim_cells *c, uint64_t least, FILE *out);
/* The `n` possible cells that were hit least. */
void cells_rarest(const struct sim_cells *c, unsigned n, FILE *out);
/* Cells that cannot be and were hit nevertheless. */
unsigned cells_surprising(const struct sim_cells *c, FILE *out);

#endif
