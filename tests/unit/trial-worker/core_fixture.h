/* A worker's core with virtual time, and the effects it had. */
#ifndef FARM_TESTS_CORE_FIXTURE_H
#define FARM_TESTS_CORE_FIXTURE_H

#include "codec.h"
#include "worker_core.h"

#define FIX_MAX 4096

struct fix {
    struct worker *w;
    struct worker_out out;
    int64_t now, next;
    struct arena arena;
    struct worker_fx fx[FIX_MAX]; /* since the last fix_clear(); bytes live in the arena */
    union message m[FIX_MAX];     /* decoded, of the SENDs and SPOOLs */
    size_t n;
    uint64_t session;
    struct digest spec;
};

/* A worker with so many slots, connected and welcomed, its effects cleared. The spec with that
 * objective (JSON members after the command; "" = none) is what fix_run() uses. */
void fix_open(struct fix *f, uint32_t slots);
/* The same with four slots and a spool; peer is the first byte of its id. */
void fix_open_spooling(struct fix *f, unsigned peer);
void fix_close(struct fix *f);
void fix_welcome(struct fix *f, const struct verdict *v,
                 uint32_t n); /* answers the last HELLO: a new session */
void fix_take(struct fix *f); /* ticks and collects effects */
void fix_clear(struct fix *f);
void fix_at(struct fix *f, int64_t after_ns);  /* time passes, stopping at every wake-up */
void fix_live(struct fix *f, int64_t seconds); /* the same, with a broker that answers beats */
/* Delivers a message of the session, and collects. */
void fix_send(struct fix *f, unsigned kind, const void *msg);
void fix_ack(struct fix *f, unsigned of, uint64_t trial, int64_t step);
/* Grants attempt 1 of a trial. */
void fix_assign(struct fix *f, uint64_t trial);
/* Grants it and goes on to the running evaluator; its run. */
uint64_t fix_run(struct fix *f, uint64_t trial, const char *objective);
uint64_t fix_spawned(const struct fix *f); /* run of the last SPAWN */
void fix_line(struct fix *f, uint64_t run, const char *line);
void fix_exit(struct fix *f, uint64_t run, int64_t code, uint32_t signal, const char *output);
/* The shell's answer to WFX_SEAL. */
void fix_seal(struct fix *f, uint64_t run, enum seal_verdict verdict, const char *uri,
              struct str content);
/* How many effects of a kind, messages of a kind, signals; the i-th or last message of a kind (NULL
 * = none). */
size_t fix_effects(const struct fix *f, enum worker_fx_kind kind);
size_t fix_messages(const struct fix *f, unsigned kind);
const union message *fix_last(const struct fix *f, unsigned kind);
size_t fix_signals(const struct fix *f, int signal);
struct digest
fix_spec(struct fix *f,
         const char *objective); /* sets and gives the spec's bytes when they are asked for */

#endif
