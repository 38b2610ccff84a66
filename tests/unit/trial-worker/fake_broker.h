/* A broker of a few lines for tests of the worker: a ROUTER on ipc that one real worker process
 * talks to. It answers what every worker needs (HELLO, BEAT, GET_BLOB, acknowledgements) and hands
 * the rest to the test. */
#ifndef FARM_TESTS_FAKE_BROKER_H
#define FARM_TESTS_FAKE_BROKER_H

#include <sys/types.h>

#include "codec.h"
#include "tempdir.h"

#define FAKE_MAX_BLOBS 32

struct fake_blob {
    struct digest digest;
    char *bytes;
    size_t n;
};
struct fake_broker {
    struct tempdir dir;
    void *zmq, *router;
    char endpoint[160], root[160];
    char peer[256];
    size_t peer_n;
    pid_t worker;
    int parent_fd; /* our end of the worker's --parent-fd; -1 = none */
    uint64_t session, seq, credit, attempts;
    bool mute; /* acknowledges nothing */
    unsigned hellos, wanted_blobs, exited;
    struct arena arena;
    char frame[1 << 20];
    struct msg_hello hello; /* the last; lists are not kept */
    struct held held[64];
    uint32_t n_held;
    struct verdict verdicts[8]; /* for the next WELCOME */
    uint32_t n_verdicts;
    struct fake_blob blobs[FAKE_MAX_BLOBS];
    uint32_t n_blobs;
};

void fake_open(struct fake_broker *b);
/* Starts tunefarm-worker with these further options (ends with NULL). */
void fake_worker(struct fake_broker *b, const char *const *options);
/* Kills a worker that is left, and removes everything. */
void fake_close(struct fake_broker *b);

struct digest fake_blob(struct fake_broker *b, const char *bytes, size_t n);
/* Grants the next attempt (number 1) of a spec; returns its trial number. params NULL = {}. */
uint64_t fake_assign(struct fake_broker *b, struct digest spec, const char *params);
void fake_send(struct fake_broker *b, unsigned kind, const void *msg);
/* Waits for the next message of that kind and answers others meanwhile. Fails the test after a
 * minute. What it returns is valid until the next call. */
const union message *fake_expect(struct fake_broker *b, unsigned kind);
/* The same; another kind among those that a test sees (START, REPORT, CHECKPOINT, FINAL, RELEASE)
 * fails. */
const union message *fake_expect_next(struct fake_broker *b, unsigned kind);
/* Waits for the worker's end; its exit status, or 1000 + the signal. */
int fake_wait_exit(struct fake_broker *b);
/* Answers what comes within so many ms. */
void fake_serve(struct fake_broker *b, int ms);

#endif
