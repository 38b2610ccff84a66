/* A disk that forgets: before each change of the database's files what stood there is kept until
 * the file is synced. When power is lost the changes since then are taken back, the last first; a
 * share of them, drawn by seed, is made again, as a disk may write in any order before a flush.
 *
 * CHAOS_FORGET=SHARE:SEED, SHARE of the later writes that survive, in per cent. With CHAOS_LIES the
 * first FLUSHES_KEPT flushes count and no later one: a disk that lies, for the test of the oracle.
 */
#include "shim.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct change {
    struct change *before; /* made before this one */
    int fd;
    off_t at, size; /* size of the file before */
    size_t n, had;  /* bytes written; bytes that stood there */
    bool truncates;
    char *old, *made;
};

#define FLUSHES_KEPT 8 /* those that open the database */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool on, lies;
static unsigned flushes;
static unsigned share, draw;
static struct change *last;

typedef ssize_t pread_fn(int, void *, size_t, off_t);
typedef ssize_t pwrite_fn(int, const void *, size_t, off_t);
static pread_fn *disk_read;
static pwrite_fn *disk_write;
static int (*disk_truncate)(int, off_t);

void shim_undo_open(void)
{
    if (sscanf(getenv("CHAOS_FORGET"), "%u:%u", &share, &draw) != 2)
        abort();
    disk_read = (pread_fn *)shim_next("pread64");
    disk_write = (pwrite_fn *)shim_next("pwrite64");
    disk_truncate = (int (*)(int, off_t))shim_next("ftruncate64");
    lies = getenv("CHAOS_LIES") != NULL;
    on = true;
}

void shim_undo_lock(void)
{
    if (on)
        pthread_mutex_lock(&lock);
}

void shim_undo_unlock(void)
{
    if (on)
        pthread_mutex_unlock(&lock);
}

static struct change *note(int fd, off_t at, size_t n)
{
    struct stat st;
    struct change *c = calloc(1, sizeof *c);
    if (!c || fstat(fd, &st) != 0 || !(c->old = malloc(n ? n : 1)))
        abort();
    *c = (struct change){
        .before = last, .fd = fd, .at = at, .size = st.st_size, .n = n, .old = c->old};
    ssize_t had = disk_read(fd, c->old, n, at);
    c->had = had > 0 ? (size_t)had : 0;
    last = c;
    return c;
}

void shim_undo_write(int fd, off_t at, size_t n)
{
    if (on)
        note(fd, at, n);
}

void shim_undo_truncate(int fd, off_t size)
{
    struct stat st;
    if (!on)
        return;
    if (fstat(fd, &st) != 0)
        abort();
    size_t cut = st.st_size > size ? (size_t)(st.st_size - size) : 0;
    note(fd, size, cut)->truncates = true;
}

static void drop(struct change *c)
{
    free(c->old);
    free(c->made);
    free(c);
}

void shim_undo_synced(int fd)
{
    if (!on || (lies && ++flushes > FLUSHES_KEPT))
        return;
    for (struct change **at = &last; *at;) {
        struct change *c = *at;
        if (c->fd != fd) {
            at = &c->before;
            continue;
        }
        *at = c->before;
        drop(c);
    }
}

static void take_back(struct change *c)
{
    if (!c->truncates) {
        c->made = malloc(c->n ? c->n : 1);
        if (!c->made || disk_read(c->fd, c->made, c->n, c->at) != (ssize_t)c->n)
            abort();
    }
    if (c->had && disk_write(c->fd, c->old, c->had, c->at) != (ssize_t)c->had)
        abort();
    if (disk_truncate(c->fd, c->size) != 0)
        abort();
}

static bool survives(void)
{
    draw = draw * 1664525u + 1013904223u;
    return (draw >> 8) % 100 < share;
}

void shim_undo_all(void)
{
    pthread_mutex_lock(&lock);
    for (struct change *c = last; c; c = c->before)
        take_back(c);
    while (last) {
        struct change *c = last;
        last = c->before;
        if (c->made && survives() && disk_write(c->fd, c->made, c->n, c->at) != (ssize_t)c->n)
            abort();
        drop(c);
    }
}
