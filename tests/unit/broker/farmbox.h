/* A farm in a box for tests: the real core over a journal in memory, virtual time, and peers whose
 * messages and answers are looked at one by one. */
#ifndef FARM_TESTS_FARMBOX_H
#define FARM_TESTS_FARMBOX_H

#include "clock.h"
#include "farm.h"
#include "journal_mem.h"

#define SEC NS_PER_S

struct boxed {
    uint64_t peer, session;
    uint8_t kind;
    struct str body; /* owned */
};
struct box {
    struct farm *f;
    struct farm_config c;
    struct mem_store *store;
    struct journal *j;
    struct group *g;
    int64_t now, wake;
    struct envelope env; /* of every spec in the box */
    struct boxed *out;
    size_t n_out, cap_out;
    struct arena a;
    union message m; /* decoded last */
};

void box_open(struct box *b);
void box_close(struct box *b);
/* Time passes, the core is called when it wants to be. */
void box_pass(struct box *b, int64_t ns);
/* Commits what is gathered until nothing more comes; messages go to the outbox. Checks every
 * invariant. */
void box_settle(struct box *b);
/* As after kill -9: what is not committed is gone; the outbox too. */
void box_restart(struct box *b);
void box_send(struct box *b, uint64_t peer, uint64_t session, unsigned kind, const void *msg,
              size_t size);
#define SEND(b, peer, session, NAME, name, ...)                                                    \
    box_send(b, peer, session, MSG_##NAME, &(struct msg_##name){__VA_ARGS__},                      \
             sizeof(struct msg_##name))

/* The first message of this kind to this peer in the outbox, taken out and decoded; NULL if there
 * is none. Valid until the next one is taken. */
const union message *box_take(struct box *b, uint64_t peer, unsigned kind);
size_t box_count(const struct box *b, uint64_t peer, unsigned kind);
void box_clear(struct box *b); /* the outbox */

/* Peers; each returns the session. id names the process. */
uint64_t box_worker(struct box *b, uint64_t peer, unsigned id, uint32_t slots);
uint64_t box_optimizer(struct box *b, uint64_t peer, unsigned id);
uint64_t box_client(struct box *b, uint64_t peer, unsigned id);
struct id128 box_id(unsigned id);
/* Submits a study as that client; its number. */
uint64_t box_submit(struct box *b, uint64_t peer, uint64_t session, const char *name);
void box_enqueue(struct box *b, uint64_t peer, uint64_t session, const char *study,
                 const char *params);
struct trial_image box_trial(const struct box *b, uint64_t study, uint64_t trial);
unsigned box_state(const struct box *b, uint64_t study, uint64_t trial);

#endif
