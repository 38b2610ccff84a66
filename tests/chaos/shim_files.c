/* The calls by which SQLite and the ballast reach the disk: each is a point, may be made to fail,
 * and is noted for a loss of power. Only descriptors of a database (NAME.db, NAME.db-wal) count.
 *
 * The short and the long names are the same functions on this machine's ABI of 64-bit offsets. */
#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#define EXPORT    __attribute__((visibility("default")))
#define FILES_MAX 4096

static unsigned char files[FILES_MAX];

static enum shim_file file_of(int fd)
{
    return fd >= 0 && fd < FILES_MAX ? (enum shim_file)files[fd] : SHIM_OTHER;
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), k = strlen(end);
    return n >= k && strcmp(text + n - k, end) == 0;
}

static int opened(int fd, const char *path)
{
    if (fd >= 0 && fd < FILES_MAX)
        files[fd] = ends_with(path, ".db")       ? SHIM_DB
                    : ends_with(path, ".db-wal") ? SHIM_WAL
                                                 : SHIM_OTHER;
    return fd;
}

typedef int open_fn(const char *, int, ...);

static int open_by(const char *name, const char *path, int flags, va_list args)
{
    open_fn *next = (open_fn *)shim_next(name);
    mode_t mode =
        (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE ? (mode_t)va_arg(args, int) : 0;
    return opened(next(path, flags, mode), path);
}

EXPORT int open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    int fd = open_by("open", path, flags, args);
    va_end(args);
    return fd;
}

EXPORT int open64(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    int fd = open_by("open64", path, flags, args);
    va_end(args);
    return fd;
}

EXPORT int close(int fd)
{
    static int (*next)(int);
    if (!next)
        next = (int (*)(int))shim_next("close");
    if (fd >= 0 && fd < FILES_MAX)
        files[fd] = SHIM_OTHER;
    return next(fd);
}

static bool refused(const char *point)
{
    int fault = shim_fault(point);
    if (fault)
        errno = fault;
    return fault != 0;
}

EXPORT ssize_t pread64(int fd, void *bytes, size_t n, off64_t at)
{
    static ssize_t (*next)(int, void *, size_t, off64_t);
    if (!next)
        next = (ssize_t(*)(int, void *, size_t, off64_t))shim_next("pread64");
    if (file_of(fd) != SHIM_OTHER)
        shim_at("db.read", SHIM_BEFORE);
    return next(fd, bytes, n, at);
}

EXPORT ssize_t pwrite64(int fd, const void *bytes, size_t n, off64_t at)
{
    static ssize_t (*next)(int, const void *, size_t, off64_t);
    if (!next)
        next = (ssize_t(*)(int, const void *, size_t, off64_t))shim_next("pwrite64");
    enum shim_file file = file_of(fd);
    const char *point = file == SHIM_DB ? "db.write" : "wal.write";
    if (file == SHIM_OTHER)
        return next(fd, bytes, n, at);
    shim_at(point, SHIM_BEFORE);
    if (refused(point))
        return -1;
    shim_undo_lock();
    shim_undo_write(fd, at, n);
    ssize_t written = next(fd, bytes, n, at);
    shim_undo_unlock();
    shim_at(point, SHIM_AFTER);
    return written;
}

EXPORT int ftruncate64(int fd, off64_t size)
{
    static int (*next)(int, off64_t);
    if (!next)
        next = (int (*)(int, off64_t))shim_next("ftruncate64");
    if (file_of(fd) == SHIM_OTHER)
        return next(fd, size);
    shim_undo_lock();
    shim_undo_truncate(fd, size);
    int rc = next(fd, size);
    shim_undo_unlock();
    return rc;
}

/* A failed sync may have lost what it was to save, as kernels drop the pages. */
static void forget(const char *point)
{
    int fault = errno;
    if (shim_forgets() && strcmp(point, "wal.sync") == 0) {
        shim_undo_all();
        shim_undo_unlock();
    }
    errno = fault;
}

static int sync_by(const char *name, int fd)
{
    int (*next)(int) = (int (*)(int))shim_next(name);
    enum shim_file file = file_of(fd);
    const char *point = file == SHIM_DB ? "db.sync" : "wal.sync";
    if (file == SHIM_OTHER)
        return next(fd);
    shim_at(point, SHIM_BEFORE);
    if (refused(point)) {
        forget(point);
        return -1;
    }
    int rc = next(fd);
    if (rc == 0) {
        shim_undo_lock();
        shim_undo_synced(fd);
        shim_undo_unlock();
        shim_at(point, SHIM_AFTER);
    }
    return rc;
}

EXPORT int fdatasync(int fd)
{
    return sync_by("fdatasync", fd);
}

EXPORT int fsync(int fd)
{
    return sync_by("fsync", fd);
}

/* The ballast comes back only when there is room again. */
EXPORT int posix_fallocate(int fd, off_t at, off_t n)
{
    static int (*next)(int, off_t, off_t);
    if (!next)
        next = (int (*)(int, off_t, off_t))shim_next("posix_fallocate");
    int fault = shim_fault("ballast");
    return fault ? fault : next(fd, at, n);
}

EXPORT ssize_t write(int fd, const void *bytes, size_t n)
{
    static ssize_t (*next)(int, const void *, size_t);
    if (!next)
        next = (ssize_t(*)(int, const void *, size_t))shim_next("write");
    bool ready = n >= 7 && memcmp(bytes, "READY=1", 7) == 0;
    if (ready)
        shim_at("ready", SHIM_BEFORE);
    ssize_t written = next(fd, bytes, n);
    if (ready)
        shim_at("ready", SHIM_AFTER);
    return written;
}
