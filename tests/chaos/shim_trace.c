/* The trace: what a process said and heard, for the oracle (tests/chaos/trace.py reads it). One
 * entry is one write(2) to a file opened to append, so a process that is killed leaves whole
 * entries.
 *
 * An entry: nanoseconds of CLOCK_MONOTONIC (8 bytes), length (4), 'S', 'R' or 'M' and three zero
 * bytes (4), then the bytes; numbers as this machine has them. Beats without news and the pieces of
 * files are left out. */
#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>

struct entry {
    int64_t at;
    uint32_t n;
    char what, zero[3];
};

enum { KIND_AT = 5, BEAT = 3, BEAT_ACK = 4, BLOB = 30, PULL = 50, PUT_BLOB = 81, ROWS = 85 };

#define NEWS_BYTES 64 /* of a BEAT_ACK with verdicts */

static int file = -1;
static bool sends_only;

void shim_trace_open(void)
{
    const char *name = getenv("CHAOS_TRACE");
    sends_only = getenv("CHAOS_TRACE_SENDS") != NULL;
    if (name)
        file = open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (name && file < 0)
        abort();
}

static bool is_dull(const unsigned char *frame, size_t n)
{
    switch (frame[KIND_AT]) {
    case BEAT:
    case BLOB:
    case PULL:
    case PUT_BLOB:
    case ROWS:
        return true;
    case BEAT_ACK:
        return n < NEWS_BYTES;
    default:
        return false;
    }
}

void shim_trace(char what, const void *bytes, size_t n)
{
    if (file < 0 || (what != 'M' && is_dull(bytes, n)) || (what == 'R' && sends_only))
        return;
    int fault = errno;
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    struct entry e = {(int64_t)t.tv_sec * 1000000000 + t.tv_nsec, (uint32_t)n, what, {0}};
    struct iovec v[] = {{&e, sizeof e}, {(void *)(uintptr_t)bytes, n}};
    if (writev(file, v, 2) != (ssize_t)(sizeof e + n))
        abort();
    errno = fault;
}
