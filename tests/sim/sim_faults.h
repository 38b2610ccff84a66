/* The faults of a seed: which kinds it has (swarm testing: each seed has its own mixture), and the
 * list of single events with their times. Everything random about an event comes from a number of
 * its own, so that one may be left out without changing the others. */
#ifndef FARM_SIM_SIM_FAULTS_H
#define FARM_SIM_SIM_FAULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sim;
struct sim_scenario;

/* Events first, then what holds for the whole run. */
#define SIM_FAULT_LIST(X)                                                                          \
    X(BROKER_CRASH, "broker-crash")                                                                \
    X(WORKER_CRASH, "worker-crash")                                                                \
    X(OPTIMIZER_CRASH, "optimizer-crash")                                                          \
    X(CLIENT_CRASH, "client-crash")                                                                \
    X(DRAIN, "drain")                                                                              \
    X(BREAK, "break")                                                                              \
    X(HALF_OPEN, "half-open")                                                                      \
    X(ONE_WAY, "one-way")                                                                          \
    X(CLOG, "clog")                                                                                \
    X(SWIZZLE, "swizzle")                                                                          \
    X(LOSS, "loss")                                                                                \
    X(REPEAT, "repeat")                                                                            \
    X(DELAY, "delay")                                                                              \
    X(PAUSE, "pause")                                                                              \
    X(SUSPEND, "suspend")                                                                          \
    X(DISK_FULL, "disk-full")                                                                      \
    X(DISK_STALL, "disk-stall")                                                                    \
    X(DISK_ERROR, "disk-error")                                                                    \
    X(FLIP, "flip")                                                                                \
    X(REPLAY, "replay")                                                                            \
    X(FORGE, "forge")                                                                              \
    X(GARBAGE, "garbage")                                                                          \
    X(OVERSIZE, "oversize")                                                                        \
    X(WRONG_ROLE, "wrong-role")                                                                    \
    X(IMPOSTOR, "impostor")                                                                        \
    X(DRIFT, "drift")                                                                              \
    X(CHILD_CRASH, "child-crash")                                                                  \
    X(CHILD_HANG, "child-hang")                                                                    \
    X(CHILD_DEAF, "child-deaf")                                                                    \
    X(CHILD_NAN, "child-nan")                                                                      \
    X(SPAWN_FAIL, "spawn-fail")                                                                    \
    X(SLOW_NET, "slow-net")
#define SIM_FAULT_ENUM(name, text) FAULT_##name,
enum sim_fault_kind { SIM_FAULT_LIST(SIM_FAULT_ENUM) FAULT_KINDS };
#undef SIM_FAULT_ENUM
#define FAULT_EVENTS FAULT_DRIFT /* kinds before it are single events */

struct sim_fault {
    int64_t at;
    uint64_t seed;
    uint8_t kind;
};
#define SIM_FAULTS_MOST 96
struct sim_plan {
    struct sim_fault v[SIM_FAULTS_MOST];
    uint32_t n;
    int64_t until;            /* faults are over */
    double rate[FAULT_KINDS]; /* of the lasting kinds: probability per thing */
    int64_t latency_most, latency_now, delayed_until;
    bool prunes, feed, tpe; /* a scripted optimizer that prunes; a feed; the sampler tpe */
};

const char *fault_name(unsigned kind);
bool fault_find(const char *name, unsigned *kind);
/* Draws the plan of a seed: the same whatever the scenario leaves out. */
void faults_draw(struct sim_plan *p, uint64_t seed);
/* Puts the events that the scenario keeps on the heap, and turns off the kinds it does not. */
void faults_arm(struct sim *s, const struct sim_scenario *c);

#endif
