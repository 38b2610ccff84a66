/* A deterministic simulator of the farm: the real cores of broker, worker and optimizer under
 * virtual time, with a network that delays, breaks, holds back, loses and repeats, a disk that
 * commits in groups and forgets what was not committed, processes that crash, stand still and come
 * back, clocks that drift, evaluators that report, crash, hang and ignore signals, and peers that
 * misbehave. One seed is one run, the same for ever. docs/reliability.md says what is checked.
 *
 *   sim.c          the event heap and the run           sim_broker.c   the broker's shell
 *   sim_faults.c   which faults a seed has, and when    sim_disk.c     its disk
 *   sim_net.c      connections and frames               sim_worker.c   the worker's shell
 *   sim_malice.c   peers that misbehave                 sim_child.c    its evaluators
 *   sim_script.c   a scripted optimizer that prunes     sim_optimizer.c  the optimizer's shell
 *   sim_client.c   the client                           sim_cells.c    state x event coverage
 *   oracle_*.c     the invariants                       sim_shrink.c   fewer faults for a failure
 */
#ifndef FARM_SIM_SIM_H
#define FARM_SIM_SIM_H

#include "buf.h"
#include "clock.h"
#include "farm.h"
#include "heap.h"
#include "link.h"
#include "list.h"
#include "rng.h"
#include "seqcount.h"
#include "sequence.h"
#include "sim_cells.h"
#include "sim_faults.h"
#include "worker_core.h"

#define SIM_WORKERS    6
#define SIM_OPTIMIZERS 2
#define SIM_STUDIES    3
#define SIM_NODES      (SIM_WORKERS + SIM_OPTIMIZERS + 2) /* and the client and the stranger */
#define SIM_PAUSES     21                                 /* a study, and its first trials */
#define MS             NS_PER_MS
#define SEC            NS_PER_S

struct sim;
struct oracle;

struct sim_event {
    struct heap_node node;
    void (*run)(struct sim *s, struct sim_event *e);
    void *who;
    uint64_t a, b, c;
    size_t n; /* of bytes */
    char bytes[];
};

/* ---- sim.c ---- */

/* What is run: the seed, and for the shrinker what of its faults is left out. Zeroed but for the
 * seed: all of them. */
struct sim_scenario {
    uint64_t seed;
    uint64_t without;     /* fault kinds, a bit each */
    int64_t until_ms;     /* no fault after this time; 0 = as the seed has it */
    const uint32_t *only; /* the numbers of the fault events that happen; NULL = all */
    size_t n_only;
};
struct sim_result {
    uint64_t hash, steps, faults, crashes, disconnects, records;
    struct sim_cells cells;
};
/* Runs a scenario to its end; aborts with the reason on a violation. */
void sim_run_scenario(const struct sim_scenario *c, struct sim_result *out);
struct sim_result sim_run(uint64_t seed);

struct sim_event *sim_at(struct sim *s, int64_t at, void (*run)(struct sim *, struct sim_event *),
                         void *who, uint64_t a, uint64_t b);
/* The same with bytes, copied. */
struct sim_event *sim_at_with(struct sim *s, int64_t at,
                              void (*run)(struct sim *, struct sim_event *), void *who,
                              struct str head, struct str tail);
bool sim_chance(struct sim *s, double p);
int64_t sim_between(struct sim *s, int64_t lo, int64_t hi);
void sim_trace(struct sim *s, uint64_t x); /* into the run's hash */
void sim_step(struct sim *s);              /* an input to a core */
/* `what` begins with the invariant's name, as in "I6: ...". */
_Noreturn void sim_fail(const struct sim *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
#define SIM_CHECK(s, cond, ...) ((cond) ? (void)0 : sim_fail(s, __VA_ARGS__))

/* A host's clock: it drifts, and stands still while the host is suspended. */
struct sim_clock {
    int64_t base, local; /* shows `local` at `base`, and until then */
    int64_t ppm;
};
int64_t sim_clock_at(const struct sim_clock *c, int64_t now);
int64_t sim_clock_when(const struct sim *s, const struct sim_clock *c, int64_t local);
void sim_clock_suspend(struct sim_clock *c, int64_t now, int64_t until);

/* ---- sim_net.c ---- */

struct sim_node;
typedef void sim_receive(struct sim *s, struct sim_node *n, uint64_t session, unsigned kind,
                         const union message *m);
enum sim_direction { TO_BROKER, FROM_BROKER };
struct sim_node { /* a peer of the broker */
    const char *name;
    uint8_t index;
    bool up; /* the process runs */
    bool connected;
    uint64_t generation;     /* of the process: what was meant for an older one does nothing */
    uint64_t peer;           /* the broker's key of the connection; new at each connect */
    uint64_t old_peer;       /* of the connection before: */
    int64_t old_until;       /* what it still carries arrives until then */
    int64_t last_arrival[2]; /* keeps each direction in order */
    int64_t lossy_until[2], repeats_until[2], lost_until[2]; /* windows of faults */
    int64_t paused_until;
    struct sim_clock clock;
    int64_t stood; /* how long it stood still, in all */
    struct sequence sequence;
    bool gap, repeated; /* of the frame that is read now */
    sim_receive *receive;
    void (*on_connected)(struct sim *s, struct sim_node *n);
    void (*on_disconnected)(struct sim *s, struct sim_node *n);
    void (*on_gap)(struct sim *s, struct sim_node *n); /* frames from the broker are missing */
};
struct net_counter { /* the broker's, for one connection */
    uint64_t peer;
    struct seqcount count;
};
struct sim_frame { /* one that went to the broker, kept for replays */
    struct buf bytes;
};
#define SIM_FRAMES 48

void net_connect(struct sim *s, struct sim_node *n); /* at once if the broker is up, else later */
/* Breaks the connection; a process that is up connects again by itself. hint: the broker may
 * notice. */
void net_disconnect(struct sim *s, struct sim_node *n, bool hint);
void net_send(struct sim *s, struct sim_node *n, uint64_t session, unsigned kind,
              struct str body); /* to the broker */
void net_send_msg(struct sim *s, struct sim_node *n, uint64_t session, unsigned kind,
                  const void *msg);
void net_send_raw(struct sim *s, struct sim_node *n, struct str frame); /* any bytes */
void net_answer(struct sim *s, uint64_t peer, uint64_t session, unsigned kind,
                struct str body);                           /* from the broker */
struct sim_node *net_node_of(struct sim *s, uint64_t peer); /* NULL: not connected any more */
/* Holds a direction back until the given time, in order. */
void net_hold(struct sim *s, struct sim_node *n, enum sim_direction d, int64_t until);
int64_t node_now(const struct sim *s, const struct sim_node *n);

/* ---- sim_disk.c ---- */

struct sim_disk;
struct sim_disk *disk_new(void);
void disk_free(struct sim_disk *d);
void disk_commit(struct sim *s, const struct effects *fx);
size_t disk_records(const struct sim *s);
void disk_record(const struct sim *s, size_t i, struct record *out, struct arena *a);
bool disk_trial(const struct sim *s, uint64_t study, uint64_t trial, struct trial_image *out);
bool disk_request(const struct sim *s, struct id128 request);
/* The bytes of a blob; empty if there is none. */
struct str disk_blob(const struct sim *s, struct digest d);
uint64_t disk_epoch(const struct sim *s);
void disk_next_epoch(struct sim *s);
/* Loads rows and the records behind them, or the whole journal. */
void disk_load(struct sim *s, struct farm *f, bool from_rows);
void disk_answer(struct sim *s, const struct fx_ask *ask, struct effects *fx);

/* ---- sim_broker.c ---- */

void broker_start(struct sim *s);
void broker_crash(struct sim *s);
/* The outcome of the commit under way, if any, is unknown: kept says which. */
void broker_crash_in_commit(struct sim *s, bool kept);
void broker_input(struct sim *s, uint64_t peer, uint64_t session, unsigned kind,
                  const union message *m);
void broker_bad_frame(struct sim *s, uint64_t peer, uint64_t session, unsigned kind, err_t e,
                      const char *text);
void broker_gap(struct sim *s, uint64_t peer, uint64_t session);
void broker_peer_gone(struct sim *s, uint64_t peer);
int64_t broker_now(const struct sim *s);
/* A fresh farm with everything that is on the disk: for the oracle. */
struct farm *broker_fold(struct sim *s, bool from_rows);

/* ---- sim_worker.c, sim_child.c ---- */

struct sim_worker {
    struct sim_node node;
    struct worker *core;
    struct worker_out out;
    int64_t wake;
    struct list children; /* of struct sim_child */
    struct list fetches;
    uint32_t slots;
    struct id128 id;
    uint64_t hello, beat; /* the numbers of those that were sent last */
    struct buf spool;     /* outlives the process: kind (1), length (4), body of each record */
};
void worker_start(struct sim *s, struct sim_worker *w);
void worker_crash(struct sim *s, struct sim_worker *w);
void worker_end(struct sim *s, struct sim_worker *w, bool at_once); /* drain, or release */
void worker_work(struct sim *s, struct sim_worker *w); /* carries out what the core wants */
int64_t worker_now(const struct sim *s, const struct sim_worker *w);

void child_spawn(struct sim *s, struct sim_worker *w, const struct worker_run *r);
void child_signal(struct sim *s, struct sim_worker *w, uint64_t run, int number);
void child_line(struct sim *s, struct sim_worker *w, uint64_t run); /* the worker speaks to it */
void child_rest(struct sim_worker *w, uint64_t run); /* a served one ended its trial */
void child_kill_all(struct sim_worker *w);
size_t child_count(const struct sim_worker *w);
/* One runs for this attempt, that was not told to end by a signal. */
bool child_runs(const struct sim_worker *w, uint64_t study, uint64_t trial, uint32_t attempt);
double child_loss(double x, int64_t step); /* what is reported of a point */

/* ---- sim_optimizer.c, sim_script.c, sim_client.c, sim_malice.c ---- */

struct sim_optimizer {
    struct sim_node node;
    struct link *link; /* NULL: down, or scripted */
    struct link_out out;
    int64_t wake;
    struct script *script;
};
void optimizer_start(struct sim *s, struct sim_optimizer *o);
void optimizer_crash(struct sim *s, struct sim_optimizer *o);
void script_start(struct sim *s, struct sim_optimizer *o);
void script_stop(struct sim_optimizer *o);
uint64_t sim_trials(const struct sim *s, int study); /* that a study is to make */
uint64_t sim_parallel(const struct sim *s);          /* attempts of a study at once */

struct sim_client {
    struct sim_node node;
    uint64_t session, hellos;
    bool submitted[SIM_STUDIES];
    bool paused[SIM_STUDIES][SIM_PAUSES]; /* was asked for last; [0]: the study itself */
    uint64_t turns, tail_next;            /* the next record that the TAIL is to bring */
    uint32_t enqueued[SIM_STUDIES];
    struct id128 tail, change;
    bool changing; /* `change` waits for its answer */
    struct buf change_body;
    unsigned change_kind;
};
void client_start(struct sim *s);
void client_crash(struct sim *s);
void client_fini(struct sim *s);

struct sim_stranger { /* speaks the protocol, and what it says is not to be believed */
    struct sim_node node;
    uint64_t session, hellos;
    uint8_t role;
    struct id128 id;
    bool welcomed; /* since the last HELLO in order */
};
void stranger_start(struct sim *s);
void malice_flip(struct sim *s, struct rng *r);
void malice_replay(struct sim *s, struct rng *r);
void malice_forge(struct sim *s, struct rng *r);
void malice_garbage(struct sim *s, struct rng *r);
void malice_oversize(struct sim *s, struct rng *r);
void malice_role(struct sim *s, struct rng *r);
void malice_impostor(struct sim *s, struct rng *r);
void malice_behave(struct sim *s); /* a HELLO in order, behind a malformed frame: I22 */

/* ---- the run ---- */

struct sim {
    uint64_t seed;
    struct rng rng; /* of the world */
    int64_t now;
    struct heap events;
    struct sim_plan plan;
    bool quiet; /* faults are over: everything must come to rest */
    int64_t quiet_since;
    uint64_t hash, steps;
    uint64_t faults, crashes, disconnects;
    uint64_t next_peer;
    struct farm_config config;

    struct farm *farm; /* NULL = the broker is down */
    struct effects *gather, *flight, *spare[2];
    uint64_t broker_generation;
    int64_t broker_wake, broker_paused, stalled_until;
    struct sim_clock broker_clock;
    struct sim_disk *disk;
    bool disk_full;
    bool fails_next, fails_kept; /* the next commit fails, with this outcome */
    uint64_t ballast;            /* groups that still fit while the disk is full */
    bool malicious;              /* the frame that is read now comes of no good program */
    bool misled; /* one came in an optimizer's name, whose study may wait for a better one */
    struct net_counter counters[SIM_NODES];

    struct sim_worker workers[SIM_WORKERS];
    struct sim_optimizer optimizers[SIM_OPTIMIZERS];
    size_t n_optimizers;
    struct sim_client client;
    struct sim_stranger stranger;
    struct sim_node *nodes[SIM_NODES];
    struct buf specs[SIM_STUDIES];
    struct buf frame; /* scratch */
    struct arena scratch, scratch2;
    struct sim_frame frames[SIM_FRAMES];
    size_t n_frames;
    struct oracle *oracle;
    struct sim_cells cells;
};

#endif
