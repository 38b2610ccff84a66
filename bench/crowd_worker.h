/* One worker of bench-crowd with one slot, whose evaluator is imagined: it reports at a steady rate
 * at a phase of its own. On the wire it is a worker as any other. */
#ifndef FARM_BENCH_CROWD_WORKER_H
#define FARM_BENCH_CROWD_WORKER_H

#include "arena.h"
#include "buf.h"
#include "crowd_tally.h"
#include "heap.h"
#include "message.h"
#include "rng.h"
#include "sequence.h"

#define CROWD_FLYING 64 /* REPORTs without ACK */

/* What the workers of a process have in common. */
struct crowd {
    struct heap timers;
    struct rng rng;
    struct arena arena;
    struct buf body, frame;
    struct crowd_tally *tally;
    const struct crowd_window *window;
    int64_t interval; /* ns between REPORTs */
    uint32_t batch;   /* points of a REPORT */
    uint64_t steps;   /* points of a trial; 0 = it never ends */
};
enum crowd_state { CROWD_DOWN, CROWD_GREETING, CROWD_UP };
enum crowd_attempt { CROWD_IDLE, CROWD_STARTING, CROWD_RUNNING, CROWD_FINISHING };
struct crowd_worker {
    struct crowd *crowd;
    void *socket; /* DEALER; not owned */
    struct heap_node timer;
    struct id128 id;
    enum crowd_state state;
    uint64_t session;
    struct sequence sequence;
    uint64_t hellos, timeline, epoch, beats, credit, granted;
    int64_t beat_ns, next_beat, heard, hello_again, next_report;
    enum crowd_attempt attempt;
    uint64_t study, trial;
    uint32_t number;
    int64_t step, acked; /* last sent and last acknowledged; -1 = none */
    struct {
        int64_t step, at;
        uint32_t points;
    } flying[CROWD_FLYING]; /* of this session, a ring */
    uint32_t first, n_flying;
};

void crowd_worker_init(struct crowd_worker *w, struct crowd *c, void *socket, int64_t now);
/* The socket's descriptor says that something happened: takes what came. */
void crowd_worker_ready(struct crowd_worker *w);
/* Its timer is due. */
void crowd_worker_tick(struct crowd_worker *w);

#endif
