/* The worker's core: which attempts this process holds, what their evaluators said, and what of it
 * the broker has not acknowledged yet. A state machine: every entry point takes `now` (nanoseconds,
 * any origin, never going back) and appends effects; nothing here has a socket, a clock, a disk or
 * a process.
 *
 * A shell (agent.c, or the simulator) carries effects out in their order, then clears them, and
 * calls worker_tick() once at the end of every turn of its loop: credit, batched reports and
 * everything that is due leave from there.
 *
 * An attempt is known to the shell by its `run`, a number unique in this process; it stays when the
 * broker changes the attempt's number (adoption). Entry points that name a run which is gone do
 * nothing. */
#ifndef FARM_TRIAL_WORKER_WORKER_CORE_H
#define FARM_TRIAL_WORKER_WORKER_CORE_H

#include "arena.h"
#include "buf.h"
#include "clock.h"
#include "counter.h"
#include "message.h"
#include "spec.h"

#define WORKER_MAX_SLOTS   1024 /* attempts held fit one HELLO */
#define WORKER_MAX_FORMERS 64   /* ended processes whose spools are taken over; as in HELLO */

struct worker;

/* What this worker is and has. Texts are borrowed for the worker's life. */
struct worker_config {
    struct id128 peer;    /* random per process start */
    const char *host;     /* never NULL, as are the texts below */
    const char *name;     /* "" = host:pid */
    const char *software; /* JSON object for HELLO; "" = none */
    uint64_t pid;
    uint32_t slots; /* 1 to WORKER_MAX_SLOTS */
    double cpus;
    uint64_t memory;         /* bytes */
    const char *const *gpus; /* ids for CUDA_VISIBLE_DEVICES; n_gpus of them, at most 64 */
    uint32_t n_gpus;
    const char *const *labels; /* n_labels of them, at most 64 */
    uint32_t n_labels;
    int64_t drain_ns;     /* how long running trials may go on after worker_drain() */
    int64_t idle_exit_ns; /* leave after so long without a trial; 0 = never */
    int64_t orphan_ns;    /* how long children outlive a lost lease; < 0 = as the broker says */
    bool spool;           /* the shell carries out WFX_SPOOL */
    uint64_t seed;        /* of the jitter of beats and delays */
};

/* What the shell needs to run an attempt. Valid from WFX_SPAWN until the run's end (WFX_END or
 * worker_on_child_exit). */
struct worker_run {
    uint64_t run;
    uint64_t farm; /* as WELCOME names it */
    uint64_t study, trial;
    uint32_t attempt; /* number at the time of the spawn */
    struct str study_name;
    struct digest digest; /* of the spec's bytes */
    const struct spec *spec;
    struct str params;   /* JSON object, exactly as the broker sent it; checked against the space */
    const double *point; /* spec->space->n values */
    uint64_t seed;
    const int64_t *decide;
    uint32_t n_decide;
    struct str resume; /* checkpoint, checked; empty = none */
    int64_t resume_step;
    struct digest resume_digest; /* zero = it has none */
    struct str gpus;             /* "0,1"; empty = none */
    bool has_gpus;               /* the worker has GPUs: set CUDA_VISIBLE_DEVICES, be it to "" */
};

/* Facts for the log; the core logs nothing. The name of each is its event id. */
#define WORKER_FACT_LIST(X)                                                                        \
    X(JOINED, "WORKER-JOINED", "a session began")                                                  \
    X(LEFT, "WORKER-LOST", "the session ended")                                                    \
    X(FENCED, "WORKER-FENCED", "the lease ended; attempts are orphans now")                        \
    X(REFUSED, "WORKER-REFUSED", "the broker refused a message")                                   \
    X(ASSIGNED, "ATTEMPT-ASSIGNED", "an attempt was granted")                                      \
    X(ADOPTED, "ATTEMPT-ADOPTED", "an attempt goes on under a new number")                         \
    X(STARTED, "ATTEMPT-STARTED", "its evaluator runs")                                            \
    X(STOPPING, "ATTEMPT-STOPPING", "its evaluator was asked to end")                              \
    X(KILLED, "ATTEMPT-KILLED", "nothing of it is wanted")                                         \
    X(ENDED, "ATTEMPT-ENDED", "its result waits for the broker's acknowledgement")                 \
    X(ACKED, "ATTEMPT-ACKED", "its result is on the broker's disk")                                \
    X(DROPPED, "ATTEMPT-DROPPED", "its result was refused or came too late")                       \
    X(ASKED, "ATTEMPT-ASKED", "its evaluator was asked to write a checkpoint")                     \
    X(CHECKPOINT, "ATTEMPT-CHECKPOINT", "a checkpoint is on its way to the broker")                \
    X(NOT_RESUMED, "RESUME-REFUSED", "its checkpoint cannot be used; it begins from the start")    \
    X(ORPHANED, "ATTEMPT-ORPHANED", "its result counts no longer and is kept for people")          \
    X(COMPLAINT, "ATTEMPT-COMPLAINT", "its evaluator said something that cannot be used")          \
    X(DRAINING, "WORKER-DRAINING", "no new trials are taken")                                      \
    X(RESTORED, "WORKER-RESTORED", "an earlier process left results in its spool")
#define WORKER_FACT_ENUM(name, id, text) FACT_##name,
enum worker_fact { WORKER_FACT_LIST(WORKER_FACT_ENUM) FACT_COUNT };
#undef WORKER_FACT_ENUM
const char *worker_fact_id(enum worker_fact f);
bool worker_fact_routine(enum worker_fact f); /* happens for every trial: worth a debug line only */

enum worker_fx_kind {
    WFX_SEND,       /* a message: kind, session for the frame's header, body */
    WFX_FETCH_SPEC, /* bring the blob `digest`, then worker_on_spec() or worker_on_fetch_failed() */
    WFX_FETCH_FILES, /* bring the files of `spec` (known by `digest`) and make its directory, then
                        worker_on_files() or worker_on_fetch_failed(). Comes for specs without files
                        too */
    WFX_DROP_SPEC,   /* the spec `digest` is about to be freed: forget everything that borrows it */
    WFX_SPAWN,       /* start `run`, or give it to a living served evaluator; then
                        worker_on_child_started() or       worker_on_spawn_failed(), never from within the
                        carrying out of effects */
    WFX_LINE,        /* write `body` and a newline to the evaluator of run_id */
    WFX_CHECK,       /* compare the checkpoint at `body` with `digest`, then worker_on_checked() */
    WFX_SEAL,   /* find what checkpoint stands at `body` (a place as the program of `run` named it;
                   empty = in the attempt's directory for checkpoints), then worker_on_sealed() */
    WFX_TIDY,   /* no attempt will need the checkpoints of study_name and trial again */
    WFX_ASK,    /* send `signal` to the program of run_id alone */
    WFX_SIGNAL, /* send `signal` (SIGTERM, SIGKILL) to the process group of run_id. SIGKILL of a
                   served evaluator replaces it. worker_on_child_exit() follows when it is gone */
    WFX_SPOOL,  /* append a message to the spool, a file that outlives the process: kind, body */
    WFX_SPOOL_NEW, /* nothing that the spool holds is needed any more: what follows replaces it */
    WFX_ORPHAN,    /* keep a result that counts no longer, for people: body, a JSON object */
    WFX_END,  /* the served evaluator of run_id has finished its trial and may be given another */
    WFX_FACT, /* for the log: fact, run_id (0 = none), attempt, text */
    WFX_EXIT, /* everything is done: end the process */
};
struct worker_fx {
    enum worker_fx_kind kind;
    unsigned message; /* SEND, SPOOL: message kind */
    uint64_t session; /* SEND */
    struct str
        body; /* SEND, SPOOL: encoded body; LINE, ORPHAN: JSON; FACT: text; CHECK, SEAL: place */
    struct digest digest;         /* FETCH_*, DROP_SPEC, CHECK */
    const struct spec *spec;      /* FETCH_FILES */
    struct str study_name;        /* FETCH_FILES, TIDY */
    const struct worker_run *run; /* SPAWN, CHECK, SEAL: valid while it is carried out */
    uint64_t run_id;              /* LINE, ASK, SIGNAL, END, FACT */
    int signal;                   /* ASK, SIGNAL */
    enum worker_fact fact;        /* FACT */
    uint64_t study, trial, farm;  /* FACT: study and trial; TIDY: farm and trial */
    uint32_t attempt;             /* FACT */
};
/* Effects in order. Bytes live until worker_out_clear(). An effect that finds no memory is left
 * out: messages are sent again by the outbox, everything else is far below the limit. */
struct worker_out {
    struct worker_fx *v;
    size_t n, cap;
    struct arena arena;
    struct buf scratch;
};
void worker_out_init(struct worker_out *o);
void worker_out_fini(struct worker_out *o);
void worker_out_clear(struct worker_out *o);

/* Config is copied, what it points to is borrowed. Never NULL. */
struct worker *worker_new(const struct worker_config *c, int64_t now);
void worker_free(struct worker *w); /* NULL is legal; kills nothing */

/* ---- the connection ---- */

/* The transport is up: says HELLO. May be called again after worker_on_disconnected(). */
void worker_on_connected(struct worker *w, int64_t now, struct worker_out *fx);
void worker_on_disconnected(struct worker *w, int64_t now, struct worker_out *fx);
/* Messages of this session are missing (a gap in the sender's sequence): says HELLO anew. */
void worker_on_gap(struct worker *w, int64_t now, struct worker_out *fx);
/* The shell refused or missed something by itself. */
void worker_count(struct worker *w, enum counter c, uint64_t n);
/* Wall clock in ms minus now in ms, which beats tell the broker for people to compare. Without it
 * they tell nothing. */
void worker_set_wall(struct worker *w, int64_t offset_ms);
/* A decoded message from the broker; session is that of the frame's header. Kinds that the core has
 * no use for (BLOB, GET_LOG) are ignored. */
void worker_on_message(struct worker *w, int64_t now, uint64_t session, unsigned kind,
                       const union message *m, struct worker_out *fx);

/* ---- files ---- */

void worker_on_spec(struct worker *w, int64_t now, struct digest digest, struct str bytes,
                    struct worker_out *fx);
void worker_on_files(struct worker *w, int64_t now, struct digest digest, struct worker_out *fx);
/* text: one sentence. forever: another try would end alike. Attempts waiting for it fail. */
void worker_on_fetch_failed(struct worker *w, int64_t now, struct digest digest, struct str text,
                            bool forever, struct worker_out *fx);

/* ---- the evaluator ---- */

/* How a process ended, and the last lines of its output for the error text (may be empty; any
 * bytes). */
struct child_end {
    int64_t exit_code;
    uint32_t signal; /* 0 = none */
    struct str output;
};
void worker_on_child_started(struct worker *w, int64_t now, uint64_t run, uint64_t pid,
                             struct worker_out *fx);
/* Nothing runs; forever: another attempt would fail in the same way. */
void worker_on_spawn_failed(struct worker *w, int64_t now, uint64_t run, struct str text,
                            bool forever, struct worker_out *fx);
/* A line of the report channel without its newline, at most 64 KiB; whatever it holds is checked.
 */
void worker_on_child_line(struct worker *w, int64_t now, uint64_t run, struct str line,
                          struct worker_out *fx);
/* A metric scraped from standard output. has_step false: counts as the next step. */
void worker_on_child_scrape(struct worker *w, int64_t now, uint64_t run, bool has_step,
                            int64_t step, double value, struct worker_out *fx);
/* The shell could not use some of what the evaluator wrote (a line too long): kept for the error
 * text. */
void worker_on_child_complaint(struct worker *w, int64_t now, uint64_t run, struct str text,
                               struct worker_out *fx);
/* The process is gone, with its group. For a served evaluator: died while this run was its trial.
 */
void worker_on_child_exit(struct worker *w, int64_t now, uint64_t run, const struct child_end *end,
                          struct worker_out *fx);

/* ---- checkpoints ---- */

/* What was found where a checkpoint should be. */
enum seal_verdict {
    SEAL_OK,
    SEAL_ELSEWHERE, /* no path of this machine: nobody here can look at it */
    SEAL_ABSENT,    /* nothing is there */
    SEAL_FAILED,    /* it cannot be read, or changed meanwhile: text says so */
};
struct seal {
    enum seal_verdict verdict;
    struct digest digest; /* OK: of names, sizes and contents */
    uint64_t size;        /* OK: bytes of contents */
    struct str uri;       /* OK, ELSEWHERE: the place as any worker can find it */
    struct str text;      /* ABSENT, FAILED: one sentence */
};
/* Answers of WFX_CHECK and WFX_SEAL; one that comes too late is ignored. */
void worker_on_checked(struct worker *w, int64_t now, uint64_t run, const struct seal *s,
                       struct worker_out *fx);
void worker_on_sealed(struct worker *w, int64_t now, uint64_t run, const struct seal *s,
                      struct worker_out *fx);

/* ---- the spool ---- */

/* A record of an ended process's spool: kind and decoded message of a WFX_SPOOL, in their order.
 * Once, before the first trial is granted; the spool has to be of this worker's farm and timeline.
 * False: there is no room for the rest of this spool. */
bool worker_restore(struct worker *w, unsigned kind, const union message *m);
/* There are no more: saves what was found in this worker's own spool and offers it to the broker
 * (a new HELLO, if there is a session). Returns how many attempts. */
size_t worker_restored(struct worker *w, int64_t now, struct worker_out *fx);
/* The spool has grown too long, or could not be written: says everything again, from
 * WFX_SPOOL_NEW. */
void worker_respool(struct worker *w, int64_t now, struct worker_out *fx);

/* ---- time and the end ---- */

/* Does what is due; returns when it wants to be called next (CLOCK_NEVER = only after another
 * event). */
int64_t worker_tick(struct worker *w, int64_t now, struct worker_out *fx);
/* Takes no new trials, and asks evaluators for checkpoints as far as their studies say how; ends
 * with WFX_EXIT when the running ones have ended. Those that have not are stopped and given back
 * after drain_ns; or, if there is a deadline, so long before it (10 s, or a third of a shorter
 * time) that everything can be told to the broker. Repeated calls can only shorten the time. */
struct worker_leave {
    int64_t deadline;   /* clock; the process has to be gone; CLOCK_NEVER = none */
    uint8_t why;        /* enum release_why: RELEASE_DRAIN or RELEASE_PREEMPT */
    const char *reason; /* for people, at most 200 bytes */
};
void worker_leave(struct worker *w, int64_t now, const struct worker_leave *l,
                  struct worker_out *fx);
void worker_drain(struct worker *w, int64_t now, struct worker_out *fx); /* no deadline: a signal */
/* Gives everything back at once: children are killed, attempts released; WFX_EXIT when that is
 * acknowledged, at the latest 2 s after the last child is gone. */
void worker_release_all(struct worker *w, int64_t now, struct worker_out *fx);

/* ---- for the shell and tests ---- */

uint64_t worker_session(const struct worker *w); /* 0 = none */
/* As the last WELCOME said; 0 before. */
void worker_farm(const struct worker *w, uint64_t *farm, uint64_t *timeline);
bool worker_draining(const struct worker *w);
uint32_t worker_slots_free(const struct worker *w);
struct counters worker_counters(const struct worker *w);
size_t worker_attempts(const struct worker *w); /* held, finished and unacknowledged ones too */
/* Counts slots, resources, timers and the outbox anew and aborts on any difference. For tests and
 * simulation. */
void worker_check(const struct worker *w);

#endif
