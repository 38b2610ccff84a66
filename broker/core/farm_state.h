/* The objects of the core, open to its own files only. Who changes what:
 *
 *   durable (a fold of the journal): everything in trial and study that is not marked volatile, by
 * apply.c alone; volatile: sessions, workers, leases, streams, wants, by the file of that name. It
 * is lost at a restart. */
#ifndef FARM_CORE_FARM_STATE_H
#define FARM_CORE_FARM_STATE_H

#include "alloc.h"
#include "clock.h"
#include "counter.h"
#include "farm.h"
#include "heap.h"
#include "idmap.h"
#include "list.h"
#include "recent.h"
#include "trial_state.h"

#define TRIAL_CHUNK      1024u
#define TRIALS_MAX       10000000u
#define REQUESTS_KEPT    4096u
#define RELAYS_MAX       256u
#define LEAVES_MAX       64u
#define STREAMS_PER_PEER 64u
#define WANT_PATIENCE    (2 * NS_PER_S) /* how long an unanswered WANT keeps slots reserved */
#define GONE_LEASE       (5 * NS_PER_S)
#define ROWS_PER_FLUSH   512u
#define CLOCK_JUMP_MS    1000 /* more than a clock that is merely corrected ever moves at once */

/* What every trial costs for good, in chunks of its study. */
struct trial {
    struct study *study;
    struct trial_open *open; /* NULL: final, and its row is written */
    uint64_t number, seq;    /* seq: of the last record applied */
    uint32_t attempt, final_attempt;
    uint32_t worker; /* of the last attempt, as remote_number() gives it */
    uint8_t state;
    bool adopted; /* the last attempt adopted the one before */
};

/* What only a trial that is not final, or not yet written, has. */
struct trial_open {
    struct trial *trial;
    struct trial_image
        im; /* strings owned; state, seq, attempt, final_attempt and adopted stand in trial */
    struct list in_study;     /* study->open while the trial is not final */
    struct heap_node ready;   /* study->ready while queued */
    struct heap_node delayed; /* farm->delayed while delayed */
    struct list dirty;        /* farm->dirty while the row is behind */
    uint64_t dirty_seq;       /* first record that the row lacks */
    int64_t dirty_at;
    /* volatile, while an attempt is open */
    struct worker *owner;    /* connected holder, or NULL */
    struct resources taken;  /* of the owner */
    struct list held;        /* owner->held */
    struct heap_node orphan; /* farm->orphans while there is no owner */
    int64_t held_since;
    uint64_t beat;   /* owner's beat that named it last */
    uint32_t missed; /* beats since then */
};

struct study {
    uint64_t number;
    struct farm *farm;
    char *name;
    struct str spec; /* bytes, owned; empty once ended */
    struct digest spec_digest, search;
    uint32_t spec_number;
    struct envelope env; /* strings in env_arena */
    struct arena env_arena;
    uint8_t state;
    bool paused; /* nothing is granted or asked for */
    uint64_t seq, study_seq, n_trials, next_draw;
    uint64_t compacted; /* study_seq up to which intermediate reports may be missing */
    char *why;          /* of the close; owned; may be NULL */
    uint32_t optimizer_epoch;
    uint64_t count[TRIAL_CANCELLED + 1];
    bool has_best;
    double best;
    uint64_t best_trial;
    int64_t created_ms, ended_ms;
    struct trial **chunks;
    size_t n_chunks;
    struct list open;  /* trials that are not final */
    struct heap ready; /* queued ones */
    /* volatile */
    uint64_t elapsed_ms; /* before open_since */
    int64_t open_since;  /* 0 = not open, or paused */
    struct list dirty;
    uint64_t dirty_seq;
    int64_t dirty_at;
    struct list active;   /* farm->active: may have work for dispatch */
    struct list touched;  /* farm->touched: records since the last tick */
    struct list streams;  /* of stream.in_owner */
    uint64_t blocked_gen; /* no worker gaining slots up to here fits */
    /* attachment */
    struct session *optimizer;
    struct list in_optimizer;
    struct stream *stream;
    uint64_t want, answered; /* numbers; equal = none outstanding */
    uint32_t want_n;         /* proposals outstanding */
    int64_t want_at;
    bool hold;          /* gave fewer than asked for: wait for news */
    bool broken;        /* its optimizer cannot go on */
    uint32_t promised;  /* scratch of dispatch: slots kept for proposals */
    uint32_t ask;       /* proposals to ask for in this tick */
    double load;        /* scratch of dispatch: attempts and promises per weight */
    uint64_t feed_next; /* study_seq of the first record not on the feed yet */
};

struct session {
    uint64_t number, peer;
    uint8_t role;
    struct id128 id;
    char *name, *host;
    int64_t seen;           /* last valid message; earlier if its connection seems to be gone */
    int64_t heard;          /* last valid message */
    struct heap_node lease; /* farm->leases; key may be early, is checked against seen */
    struct worker *worker;
    bool passed_over;    /* reports were left without an answer, because the disk was full */
    struct list studies; /* of study.in_optimizer */
    struct list streams; /* of stream.in_session */
    uint32_t n_streams, n_studies;
    bool busy;              /* it does not take what is sent fast enough */
    uint32_t n_asking;      /* streams with a question under way */
    uint64_t burst_turn;    /* the turn that `burst` belongs to */
    size_t burst;           /* bytes its streams were given in that turn */
    struct list in_role;    /* farm->optimizers */
    struct counters *tally; /* NULL = nothing was counted */
    char version[32];       /* of its tunefarm, as HELLO says; "" = it does not say */
    int64_t clock_ms;       /* its wall clock minus ours at its last beat */
    bool has_clock;
};

struct worker {
    struct id128 id;
    struct session *session;
    char *labels_json, *software;
    struct str *labels;
    uint32_t n_labels, slots;
    struct id128 *formers; /* ended processes whose spools it found; it speaks for their attempts */
    uint32_t n_formers;
    struct resources have, used;
    uint64_t credit, granted; /* in this session */
    uint64_t beat;
    bool draining;         /* it says so */
    bool told;             /* the journal says so too */
    bool ordered, at_once; /* a client wants it to leave */
    int64_t leave_by;      /* CLOCK_NEVER = in its own time */
    struct list held;      /* of trial_open.held */
    uint32_t n_held;
    struct list free; /* farm->free while it may take trials; latest gain first */
    uint64_t gain_gen;
    uint64_t run;      /* of dispatch, that `promised` belongs to */
    uint32_t promised; /* slots kept for proposals in that run */
    uint64_t pid;
    int64_t joined_ms, row_at;
    struct list dirty;
};

struct stream {
    struct session *session;
    struct study *study; /* NULL: the farm */
    bool attachment;
    uint32_t epoch;
    struct id128 request;
    uint64_t next;      /* study_seq (seq) of the first record not yet looked at */
    uint64_t to;        /* last one wanted; 0 = none */
    uint64_t announced; /* last upto sent */
    uint64_t credit, sent, kinds;
    bool asking;
    uint64_t token; /* of the question under way */
    bool live;      /* at the head when it was last looked at */
    bool told;      /* the reader knows that it was */
    struct list in_session, in_owner, pump;
};

struct pending {  /* a question under way */
    uint8_t kind; /* enum pending_kind */
    uint64_t session;
    struct id128 request;
    struct digest digest;
    uint64_t offset, to;
    bool first;
};
enum pending_kind {
    PENDING_STREAM,
    PENDING_BLOB,
    PENDING_HAVE,
    PENDING_SQL,
    PENDING_UPKEEP,
    PENDING_MACHINE,
    PENDING_CHECK
};

/* A backup or a compaction: under way while parts_done < parts, else how the last one ended. */
struct upkeep {
    struct id128 request;
    bool known, backup;
    uint32_t parts, parts_done; /* questions to the store: one, or one for each study */
    uint64_t before, at, of;    /* in done parts, in this one, in all: bytes or records */
    uint64_t seq, dropped, free;
    err_t fault;
    char *error; /* owned */
};

struct kept_answer {
    struct id128 request;
    uint64_t number, seq;
    char name[64];
    char *text;
};
struct relay { /* GET_LOG on its way */
    struct id128 request;
    uint64_t client, worker;
    int64_t until;
};
struct leave { /* DRAIN_WORKER that its worker has not answered */
    struct id128 request, worker;
    uint64_t client;
    int64_t until;
};
struct put { /* a file on its way in */
    uint64_t session;
    struct digest digest;
    uint64_t size;
    struct buf bytes;
    struct list in_farm;
};

struct farm {
    struct farm_config c;
    char *feed, *version;
    int64_t wall_offset; /* ms */
    uint64_t seq, session_counter, token_counter;
    bool full, feed_wanted, attach_wanted, ended;
    struct study **studies; /* number - 1 */
    size_t n_studies, cap_studies;
    struct idmap names; /* hash of the name -> study */
    struct list active, touched;
    struct list tails; /* of stream.in_owner, farm-wide */
    struct list pump;
    struct recent recent;
    struct idmap sessions, peers, workers, pending, requests;
    uint64_t n_clients;
    struct list optimizers;
    struct list free;
    uint64_t cap_gen, run, turn;
    struct study **line; /* scratch of dispatch */
    size_t n_line, cap_line;
    struct heap leases, orphans, delayed;
    struct list dirty_trials, dirty_studies, dirty_workers;
    struct kept_answer *kept;
    size_t kept_next;
    struct relay relays[RELAYS_MAX];
    size_t n_relays;
    struct leave leaves[LEAVES_MAX];
    size_t n_leaves;
    struct list puts;
    struct budget put_budget;
    size_t n_puts;
    uint32_t n_sql;
    bool checking; /* a check of the database is under way */
    int64_t loaded_at;
    uint64_t clock_jumps;  /* of the wall clock against ours, by more than CLOCK_JUMP_MS */
    int64_t clock_jump_ms; /* the last one */
    struct upkeep upkeep;
    int64_t beacon_at, grace_until;
    struct farm_counts counts;
    struct counters totals[ROLE_CLIENT + 1]; /* by role; 0: peers without a session */
    struct id128 *worker_ids; /* of every worker that ever had a trial, by remote_number() - 1 */
    uint32_t n_worker_ids, cap_worker_ids;
    struct idmap worker_numbers; /* key of an id -> index + 1 */
    bool again;                  /* a stream came to its head: tick again */
};

static inline int64_t farm_wall(const struct farm *f, int64_t now)
{
    return now / NS_PER_MS + f->wall_offset;
}

#endif
