/* A deterministic simulator of the farm: the real cores of broker and worker under virtual time,
 * with a network that delays, breaks and forgets, a disk that commits in groups and forgets what
 * was not committed, processes that crash and come back, and evaluators that report, crash, hang
 * and ignore signals. One seed is one run, the same for ever.
 *
 *   sim.c          the event heap and the run          sim_net.c      connections
 *   sim_broker.c   the broker's shell and its disk     sim_peers.c    a scripted optimizer and a
 * client sim_worker.c   the worker's shell and children     sim_oracle.c   invariants on journal
 * and traces */
#ifndef FARM_SIM_SIM_H
#define FARM_SIM_SIM_H

#include "buf.h"
#include "clock.h"
#include "farm.h"
#include "heap.h"
#include "list.h"
#include "rng.h"
#include "worker_core.h"

#define SIM_WORKERS 6
#define SIM_STUDIES 3
#define SIM_PAUSES  21 /* a study, and its first trials */
#define MS          NS_PER_MS
#define SEC         NS_PER_S

struct sim;

/* What one seed turns on, and how often (swarm testing: each seed has its own mixture). Rates are
 * per virtual second; probabilities per thing. */
struct sim_faults {
    double broker_crash, worker_crash, optimizer_crash, disconnect, pause;
    double drop;        /* probability that a message vanishes */
    double slow_commit; /* probability of a commit of seconds */
    double disk_full;   /* rate of a full disk, for a while */
    double child_crash, child_hang, child_deaf, child_nan, spawn_fail; /* probabilities per run */
    double worker_drain; /* rate of an orderly end with a successor */
    int64_t latency_max;
};

struct sim_event {
    struct heap_node node;
    void (*run)(struct sim *s, struct sim_event *e);
    void *who;
    uint64_t a, b;
    struct str bytes; /* owned, may be empty */
};

/* ---- sim.c ---- */
struct sim_event *sim_at(struct sim *s, int64_t at, void (*run)(struct sim *, struct sim_event *),
                         void *who, uint64_t a, uint64_t b);
bool sim_chance(struct sim *s, double p);
int64_t sim_between(struct sim *s, int64_t lo, int64_t hi);
void sim_trace(struct sim *s, uint64_t x); /* into the run's hash */
_Noreturn void sim_fail(const struct sim *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
#define SIM_CHECK(s, cond, ...) ((cond) ? (void)0 : sim_fail(s, __VA_ARGS__))

/* ---- sim_net.c: a connection is FIFO each way; when it ends, what is under way is lost ---- */
struct sim_node;
typedef void sim_receive(struct sim *s, struct sim_node *n, uint64_t session, unsigned kind,
                         const union message *m);
struct sim_node { /* a peer of the broker: worker, optimizer or client */
    const char *name;
    bool up; /* the process runs */
    bool connected;
    uint64_t peer;           /* the broker's key of the connection; new at each connect */
    int64_t last_arrival[2]; /* keeps each direction in order: 0 to the broker, 1 from it */
    uint64_t hellos;         /* scripted peers: number of the last HELLO */
    uint64_t sent,
        seen; /* sequence numbers of the direction from the broker, as in the frame's header */
    int64_t paused_until;
    sim_receive *receive;
    void (*on_connected)(struct sim *s, struct sim_node *n);
    void (*on_disconnected)(struct sim *s, struct sim_node *n);
    void (*on_gap)(struct sim *s, struct sim_node *n); /* messages from the broker are missing */
};
void sim_connect(struct sim *s, struct sim_node *n); /* at once if the broker is up, else later */
void sim_disconnect(struct sim *s,
                    struct sim_node *n); /* and reconnects by itself while the process is up */
void sim_send_to_broker(struct sim *s, struct sim_node *n, uint64_t session, unsigned kind,
                        struct str body);
void sim_send_from_broker(struct sim *s, uint64_t peer, uint64_t session, unsigned kind,
                          struct str body);
struct sim_node *sim_node_of_peer(struct sim *s, uint64_t peer);

/* ---- sim_broker.c ---- */
struct sim_disk;
void broker_start(struct sim *s);
void broker_crash(struct sim *s);
void broker_input(struct sim *s, uint64_t peer, uint64_t session, unsigned kind,
                  const union message *m);
void broker_peer_gone(struct sim *s, uint64_t peer);
void broker_full(struct sim *s, bool full);
/* Folds the whole journal into a fresh farm: for the oracle. */
struct farm *broker_fold(struct sim *s, bool from_rows);
void sim_disk_free(struct sim *s);
bool disk_trial(const struct sim *s, uint64_t study, uint64_t trial, struct trial_image *out);
size_t disk_records(const struct sim *s);
void disk_record(const struct sim *s, size_t i, struct record *out, struct arena *a);

/* ---- sim_worker.c ---- */
struct sim_worker {
    struct sim_node node;
    struct worker *core;
    struct worker_out out;
    int64_t wake;
    uint64_t generation; /* of the process: events of an older one do nothing */
    struct list children;
    bool ending;
    uint32_t slots;
    struct buf spool; /* outlives the process: kind (1), length (4), body of each record */
};
void worker_start(struct sim *s, struct sim_worker *w);
void worker_crash(struct sim *s, struct sim_worker *w);
void worker_end(struct sim *s, struct sim_worker *w); /* drain */

/* ---- sim_peers.c ---- */
struct sim_optimizer {
    struct sim_node node;
    uint64_t session, generation;
    struct {
        uint64_t study;
        uint32_t epoch;
        uint64_t next_draw, credit, received, proposed, upto, told;
        bool closed;
    } study[SIM_STUDIES];
    size_t n;
};
struct sim_client {
    struct sim_node node;
    uint64_t session;
    bool done[SIM_STUDIES];
    bool paused[SIM_STUDIES][SIM_PAUSES]; /* was asked for last; [0]: the study itself */
};
void optimizer_start(struct sim *s);
void optimizer_crash(struct sim *s);
void client_start(struct sim *s);
struct str sim_spec(const struct sim *s, int study);    /* JSON */
int sim_study_of(const struct sim *s, struct digest d); /* which study has this spec */
uint64_t sim_trials(const struct sim *s, int study);

/* ---- sim_oracle.c ---- */
void oracle_ack(struct sim *s, const struct msg_ack *a); /* a worker has seen it */
void oracle_end(struct sim *s);                          /* after the farm has come to rest */

struct sim_ack {
    uint64_t study, trial;
    uint32_t attempt;
    uint8_t of;
    int64_t step;
};

struct sim {
    uint64_t seed;
    struct rng rng;
    int64_t now;
    struct heap events;
    struct sim_faults faults;
    bool quiet; /* faults are over: everything must come to rest */
    uint64_t hash;
    uint64_t steps;
    uint64_t crashes, disconnects;
    uint64_t next_peer;

    struct farm *farm; /* NULL = the broker is down */
    struct effects *gather, *flight;
    uint64_t broker_generation;
    int64_t broker_wake;
    bool disk_is_full;
    struct sim_disk *disk;

    struct sim_worker workers[SIM_WORKERS];
    struct sim_optimizer optimizer;
    struct sim_client client;
    struct buf specs[SIM_STUDIES];
    struct arena scratch;

    struct sim_ack *acks;
    size_t n_acks, cap_acks;
};

/* Runs one seed to its end; aborts with the seed and the reason on a violation. Returns the trace's
 * hash. */
struct sim_result {
    uint64_t hash, steps, crashes, disconnects, records;
};
struct sim_result sim_run(uint64_t seed);

#endif
