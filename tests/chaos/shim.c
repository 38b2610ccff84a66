/* libchaos.so: preloaded into a daemon, it ends the process at a named point of its life, makes a
 * call of the disk fail, records what is said and heard, or forgets what was not synced. The
 * programs know nothing of it; it stands between them and libzmq, SQLite and the C library.
 *
 *   CHAOS_AT=POINT.before:K | POINT.after:K   SIGKILL at the K-th call (from 1)
 *   CHAOS_FAIL=POINT:K:ERRNO:MS               calls fail from the K-th on, for MS milliseconds (0:
 *                                             for ever); MS -1: one in K fails, by chance
 *   CHAOS_TRACE=FILE                          frames of the protocol, appended (shim_trace.c)
 *   CHAOS_FORGET=SHARE:SEED                   SIGKILL of CHAOS_AT becomes a loss of power
 *                                             (shim_undo.c)
 *   CHAOS_LIES=1                              with it: flushes do nothing (shim_undo.c)
 *
 * Points: send.N and recv.N (a message of kind N; recv has no before), wal.write, wal.sync,
 * db.read, db.write, db.sync (the database and its log), fork, ready (the daemon says that it
 * serves), ballast. Not inherited by children: LD_PRELOAD is taken out of the environment. */
#include "shim.h"

#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#define EXPORT       __attribute__((visibility("default")))
#define HEADER_BYTES 40
#define KIND_AT      5
#define POINT_BYTES  32

struct plan {
    char point[POINT_BYTES];
    enum shim_when when;
    long at;
    int error;
    long ms;
};

static struct plan end, fail;
static atomic_long end_calls, fail_calls;
static _Atomic int64_t failing_until;
static bool forgets;

void *shim_next(const char *name)
{
    void *f = dlsym(RTLD_NEXT, name);
    if (!f)
        abort();
    return f;
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void shim_at(const char *point, enum shim_when when)
{
    if (when != end.when || strcmp(point, end.point) != 0)
        return;
    if (atomic_fetch_add(&end_calls, 1) + 1 != end.at)
        return;
    shim_trace('M', end.point, strlen(end.point));
    if (forgets)
        shim_undo_all();
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

/* One in n, by the number of the call and of the process. */
static bool chance(long call, long n)
{
    uint64_t x = (uint64_t)call * UINT64_C(0x9e3779b97f4a7c15) ^ (uint64_t)getpid() << 20;
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    return (x >> 33) % (uint64_t)n == 0;
}

int shim_fault(const char *point)
{
    if (strcmp(point, fail.point) != 0)
        return 0;
    long n = atomic_fetch_add(&fail_calls, 1) + 1;
    if (n == fail.at)
        atomic_store(&failing_until, fail.ms > 0 ? now_ms() + fail.ms : INT64_MAX);
    bool fails =
        fail.ms < 0 ? chance(n, fail.at) : n >= fail.at && now_ms() < atomic_load(&failing_until);
    if (fails)
        shim_trace('M', "fail", 4);
    return fails ? fail.error : 0;
}

bool shim_forgets(void)
{
    return forgets;
}

/* ---- messages ---- */

static bool is_frame(const void *bytes, size_t n)
{
    return n >= HEADER_BYTES && memcmp(bytes, "TFM1", 4) == 0;
}

static void message_point(char point[POINT_BYTES], const char *verb, const void *frame)
{
    snprintf(point, POINT_BYTES, "%s.%u", verb, ((const unsigned char *)frame)[KIND_AT]);
}

EXPORT int zmq_send(void *socket, const void *bytes, size_t n, int flags)
{
    static int (*next)(void *, const void *, size_t, int);
    char point[POINT_BYTES];
    if (!next)
        next = shim_next("zmq_send");
    if (!is_frame(bytes, n))
        return next(socket, bytes, n, flags);
    message_point(point, "send", bytes);
    shim_at(point, SHIM_BEFORE);
    shim_trace('S', bytes, n);
    int sent = next(socket, bytes, n, flags);
    if (sent >= 0)
        shim_at(point, SHIM_AFTER);
    return sent;
}

EXPORT int zmq_msg_recv(zmq_msg_t *m, void *socket, int flags)
{
    static int (*next)(zmq_msg_t *, void *, int);
    char point[POINT_BYTES];
    if (!next)
        next = shim_next("zmq_msg_recv");
    int n = next(m, socket, flags);
    if (n < 0 || !is_frame(zmq_msg_data(m), (size_t)n))
        return n;
    shim_trace('R', zmq_msg_data(m), (size_t)n);
    message_point(point, "recv", zmq_msg_data(m));
    shim_at(point, SHIM_AFTER);
    return n;
}

/* ---- processes ---- */

EXPORT pid_t fork(void)
{
    static pid_t (*next)(void);
    if (!next)
        next = shim_next("fork");
    shim_at("fork", SHIM_BEFORE);
    pid_t pid = next();
    if (pid > 0)
        shim_at("fork", SHIM_AFTER);
    return pid;
}

/* ---- the plan ---- */

static bool read_end(const char *text)
{
    char when[8];
    if (sscanf(text, "%31[a-z0-9.]:%ld", end.point, &end.at) != 2)
        return false;
    char *dot = strrchr(end.point, '.');
    if (!dot || sscanf(dot + 1, "%7s", when) != 1)
        return false;
    *dot = 0;
    end.when = strcmp(when, "after") == 0 ? SHIM_AFTER : SHIM_BEFORE;
    return end.at > 0;
}

static bool read_fail(const char *text)
{
    return sscanf(text, "%31[a-z.]:%ld:%d:%ld", fail.point, &fail.at, &fail.error, &fail.ms) == 4 &&
           fail.at > 0;
}

__attribute__((constructor)) static void begin(void)
{
    const char *at = getenv("CHAOS_AT"), *failing = getenv("CHAOS_FAIL");
    if ((at && !read_end(at)) || (failing && !read_fail(failing))) {
        fprintf(stderr, "libchaos: CHAOS_AT or CHAOS_FAIL is not understood\n");
        _exit(99);
    }
    forgets = getenv("CHAOS_FORGET") != NULL;
    if (forgets)
        shim_undo_open();
    shim_trace_open();
    unsetenv("LD_PRELOAD");
}
