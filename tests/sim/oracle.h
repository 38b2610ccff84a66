/* The invariants I1 to I22 of docs/reliability.md, checked while a run goes on and at its end. The
 * oracle keeps its own picture of the farm, made from journal records alone: once as the broker
 * applies them, once as they become durable. It sees every entry into the broker's core with what
 * came of it, every frame that leaves, and what workers, optimizers, clients and evaluators get.
 *
 *   oracle_model.c    the picture, and what holds for the order of records
 *   oracle_causes.c   what may come of an input          oracle_outputs.c  what may be said
 *   oracle_workers.c  what workers may rely on, and what they owe
 *   oracle_rest.c     at boundaries, in the quiet and at the end */
#ifndef FARM_SIM_ORACLE_H
#define FARM_SIM_ORACLE_H

#include "idmap.h"
#include "oracle_model.h"
#include "sim.h"

enum oracle_entry {
    ENTRY_MESSAGE,
    ENTRY_BAD_FRAME,
    ENTRY_GAP,
    ENTRY_PEER_GONE,
    ENTRY_FULL,
    ENTRY_ANSWER,
    ENTRY_TICK,
    ENTRY_START
};
struct seat { /* a session, as WELCOME told it */
    uint64_t session, peer;
    struct id128 id;
    uint8_t role;
    bool alive;
    uint64_t credit, assigned;
    uint32_t slots;
    struct resources have;
    struct id128 formers[SIM_WORKERS * 4]; /* ended processes it speaks for */
    uint32_t n_formers;
    uint64_t hello; /* its number */
    int64_t heard;  /* by the broker's clock */
    bool gone;      /* its connection ended */
    bool gap;       /* frames of it were lost, and it was told */
};
struct oracle_cause {
    enum oracle_entry entry;
    size_t records, messages; /* of the group, before */
    uint64_t peer, session;   /* ENTRY_MESSAGE, as the rest */
    unsigned kind;
    const union message *msg;
    const struct seat *seat; /* NULL: no session that is alive */
};
struct reading { /* an optimizer's stream of one study */
    uint64_t study, session, cursor, received, credit;
    uint32_t epoch;
    bool open;
};
#define READINGS 32
struct oracle {
    struct model applied, durable;
    struct idmap seats;
    struct reading readings[SIM_OPTIMIZERS][READINGS];
    struct idmap credits; /* study << 32 | epoch -> struct reading: what the broker was allowed */
    struct arena arena;
    struct buf text;
    uint64_t feed_next[MODEL_STUDIES];
    bool tainted[MODEL_STUDIES]; /* a proposal came of no sampler: it cannot be replayed */
    int64_t started;             /* the broker, by its clock */
    bool quiet_checked;
    uint64_t next_fold; /* step from which a boundary is folded again */
};

struct oracle *oracle_new(void);
void oracle_free(struct oracle *o);

/* ---- the broker's core ---- */
void oracle_before(struct sim *s, struct oracle_cause *c); /* ENTRY_MESSAGE only */
void oracle_after(struct sim *s, const struct oracle_cause *c);
void oracle_commits(struct sim *s, const struct effects *fx); /* just before they are durable */
void oracle_recovers(struct sim *s);                          /* the farm was loaded again */
void oracle_sends(struct sim *s, const struct fx_message *m, struct str body);
void oracle_publishes(struct sim *s, const struct fx_feed *m, struct str body);
/* An optimizer asked for so many records of an attachment. */
void oracle_allows(struct sim *s, const struct msg_pull *m);
void oracle_boundary(struct sim *s); /* a group is durable and told */
const struct seat *oracle_seat(const struct sim *s, uint64_t session);
/* A worker speaks for itself and for the processes whose spool it found. */
bool oracle_speaks_for(const struct seat *x, struct id128 who);

/* ---- oracle_workers.c ---- */
void oracle_loses(struct sim *s, const struct oracle_cause *c, const struct record *r);
void oracle_answers(struct sim *s, const struct oracle_cause *c);
void oracle_worker_says(struct sim *s, struct sim_worker *w, unsigned kind, struct str body);
/* in_session: of the one that it had before. */
void oracle_worker_heard(struct sim *s, struct sim_worker *w, bool in_session, unsigned kind,
                         const union message *m);

/* ---- the others ---- */
void oracle_ack(struct sim *s, const struct msg_ack *a);     /* a worker gets it */
void oracle_reply(struct sim *s, const struct msg_reply *r); /* the client gets it */
void oracle_follower_hears(struct sim *s, const struct record *r);
void oracle_optimizer_hears(struct sim *s, const struct sim_node *n, uint64_t session,
                            unsigned kind, const union message *m);
void oracle_child_lives(struct sim *s, const struct sim_worker *w, uint64_t study, uint64_t trial,
                        uint32_t attempt);
/* The record is in the journal, byte for byte. */
void oracle_in_journal(struct sim *s, const struct record *r, const char *who);

/* ---- the end ---- */
bool oracle_all_ended(const struct sim *s);
/* Which study has not ended, and what its trials wait for: for the sentence of a failure. */
void oracle_unrest(const struct sim *s, char *text, size_t n);
void oracle_quiet(struct sim *s); /* now and then in the quiet */
void oracle_end(struct sim *s);

#endif
