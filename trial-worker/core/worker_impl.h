/* The worker's own struct: for the files of this folder. */
#ifndef FARM_TRIAL_WORKER_WORKER_IMPL_H
#define FARM_TRIAL_WORKER_WORKER_IMPL_H

#include "attempt.h"
#include "idmap.h"
#include "rng.h"
#include "spooling.h"
#include "told.h"

#define LINK_BEATS        16 /* beats whose sending time is remembered */
#define LINK_HELLO_NS     (15 * NS_PER_S)
#define LINK_HELLO_MAX_NS (60 * NS_PER_S)
#define FENCE_MARGIN_NS   (5 * NS_PER_S) /* how much earlier than the broker a worker gives up */

enum link_state {
    LINK_DOWN,     /* no transport */
    LINK_GREETING, /* HELLO is sent */
    LINK_UP,
};
struct link {
    enum link_state state;
    uint64_t session, farm, timeline;
    int64_t hello_at, hello_again; /* sent; to be sent again */
    uint32_t hellos;               /* without an answer */
    uint64_t hello_number;         /* of the last one */
    int64_t beat_ns, lease_ns, orphan_ns, flush_ns;
    int64_t next_beat, heard;
    uint64_t beat;                 /* number of the last one */
    int64_t beat_sent[LINK_BEATS]; /* by number modulo LINK_BEATS */
    int64_t lease_from; /* when the last beat that was acknowledged left; CLOCK_NEVER = never had a
                           lease */
    bool fenced;
    int64_t orphans_end;
    uint64_t granted, credit; /* ASSIGNs received and credit sent in this session */
};
enum drain_mode { DRAIN_NONE, DRAIN_RUNNING, DRAIN_RELEASE };
struct drain {
    enum drain_mode mode;
    bool stopped, exited;
    uint8_t why; /* enum release_why */
    char reason[256];
    int64_t stop_at;    /* running trials are stopped */
    int64_t gone_by;    /* CLOCK_NEVER = no deadline */
    int64_t margin;     /* of gone_by, for stopping and telling */
    int64_t quit;       /* waits for acknowledgements no longer; CLOCK_NEVER = children are left */
    int64_t idle_since; /* CLOCK_NEVER = not idle */
};
struct worker {
    struct worker_config c;
    struct rng rng;
    struct slots slots;
    struct list attempts; /* in order of their grants */
    size_t n_attempts;
    struct list short_of; /* attempts whose spec is ready and whose resources are not free */
    struct idmap by_run;  /* run -> attempt */
    struct idmap by_key;  /* hash of study and trial -> first attempt */
    struct heap wakes;
    struct spec_cache specs;
    struct outbox_window window;
    struct link link;
    struct drain drain;
    struct spooling spool;
    struct id128 formers[WORKER_MAX_FORMERS]; /* whose spools were found */
    uint32_t n_formers;
    size_t n_ghosts;
    struct {
        struct id128 owner, writer;
    } restore; /* of the spool that is being read */
    struct told told;
    int64_t wall_offset; /* ms; wall clock minus now, if has_wall */
    bool has_wall;
    uint64_t next_run;
};

/* worker_core.c */
struct attempt *worker_find(const struct worker *w, uint64_t study, uint64_t trial,
                            uint32_t number);
struct attempt *worker_run_of(const struct worker *w, uint64_t run);
uint64_t worker_key(uint64_t study, uint64_t trial);

/* worker_link.c: session, beats, lease */
void link_init(struct link *l, int64_t now);
void link_hello(struct worker *w, int64_t now, struct worker_out *fx);
void link_down(struct worker *w, int64_t now, struct worker_out *fx);
void link_on_welcome(struct worker *w, int64_t now, const struct msg_welcome *m,
                     struct worker_out *fx);
void link_on_beat_ack(struct worker *w, int64_t now, const struct msg_beat_ack *m,
                      struct worker_out *fx);
void link_on_error(struct worker *w, int64_t now, uint64_t session, const struct msg_error *m,
                   struct worker_out *fx);
int64_t worker_link_tick(struct worker *w, int64_t now, struct worker_out *fx);

/* grant.c: ASSIGN, specs, resources */
void grant_on_assign(struct worker *w, int64_t now, const struct msg_assign *m,
                     struct worker_out *fx);
void grant_retry_short(struct worker *w, int64_t now,
                       struct worker_out *fx); /* after resources came free */

/* checkpoint.c */
/* The program named a checkpoint; it is told to the broker once its digest is known. */
void checkpoint_take(struct worker *w, struct attempt *a, const struct report_line *r, int64_t now,
                     struct worker_out *fx);
/* Asks a running evaluator for one; false if its study does not say how. */
bool checkpoint_ask(struct worker *w, struct attempt *a, int64_t now, struct worker_out *fx);
/* Before its evaluator starts: true if the checkpoint has to be checked first. */
bool checkpoint_check(struct attempt *a, struct worker_out *fx);
/* Its process has ended (NULL: or a served one is done with it): true if a digest has to be waited
 * for before that is told. */
bool checkpoint_holds(struct attempt *a, const struct child_end *end, struct worker_out *fx);
void checkpoint_drop(struct attempt *a); /* what was not sealed is forgotten */

/* drain.c */
void drain_ask(struct worker *w, struct attempt *a, int64_t now, struct worker_out *fx);
/* How long a stopped attempt may take, at most `grace`. */
int64_t drain_grace(const struct worker *w, int64_t grace, int64_t now);
void drain_on_order(struct worker *w, int64_t now, bool at_once, uint64_t deadline_ms,
                    struct worker_out *fx);
void drain_init(struct drain *d, int64_t now);
int64_t drain_tick(struct worker *w, int64_t now, struct worker_out *fx);
void drain_say(struct worker *w, int64_t now,
               struct worker_out *fx); /* DRAIN, if draining and in a session */

#endif
