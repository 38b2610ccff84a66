/* The guard of a database file: one broker at a time, no network file system, private, and a
 * ballast.
 *
 * Called by journal_sqlite.c before SQLite opens anything, because SQLite would create files and
 * take its own locks. The ballast's functions run on the journal's thread. */
#include "dbguard.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "netfs.h"

static bool path_with(char out[PATH_MAX], const char *file, const char *suffix)
{
    int n = snprintf(out, PATH_MAX, "%s%s", file, suffix);
    return n > 0 && n < PATH_MAX;
}

err_t dbguard_lock(const char *file, int *fd, struct errmsg *em)
{
    char path[PATH_MAX];
    *fd = -1;
    if (!path_with(path, file, ".lock"))
        return errmsg_set(em, ERR_LIMIT, "the name of the database is too long");
    int f = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (f < 0)
        return errmsg_set(em, ERR_IO, "%s cannot be opened: %s", path, strerror(errno));
    if (flock(f, LOCK_EX | LOCK_NB) != 0) {
        int fault = errno;
        close(f);
        if (fault == EWOULDBLOCK)
            return errmsg_set(em, ERR_EXISTS,
                              "another broker has %s open; stop it or name another file", file);
        return errmsg_set(em, ERR_IO, "%s cannot be locked: %s", path, strerror(fault));
    }
    *fd = f;
    return ERR_OK;
}

void dbguard_unlock(int fd)
{
    if (fd >= 0)
        close(fd);
}

static bool has_log(const char *file)
{
    char path[PATH_MAX];
    struct stat st;
    return path_with(path, file, "-wal") && stat(path, &st) == 0 && st.st_size > 0;
}

/* The header says how many pages there are. SQLite does not always believe it, and then takes what
 * is left of a file for all of it. */
static err_t check_length(int fd, const char *file, off_t size, struct errmsg *em)
{
    unsigned char h[32];
    if (has_log(file) || pread(fd, h, sizeof h, 0) != (ssize_t)sizeof h ||
        memcmp(h, "SQLite format 3", 16) != 0)
        return ERR_OK;
    uint64_t page = (uint64_t)h[16] << 8 | h[17];
    uint64_t pages = (uint64_t)h[28] << 24 | (uint64_t)h[29] << 16 | (uint64_t)h[30] << 8 | h[31];
    uint64_t whole = (page == 1 ? 65536 : page) * pages;
    if (whole <= (uint64_t)size)
        return ERR_OK;
    return errmsg_set(em, ERR_CORRUPT,
                      "%s is cut off: %llu bytes of %llu are there (it was not changed)", file,
                      (unsigned long long)size, (unsigned long long)whole);
}

err_t dbguard_place(const char *file, struct errmsg *em)
{
    int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0600);
    struct stat st;
    if (fd < 0)
        return errmsg_set(em, ERR_IO, "the database %s cannot be opened: %s", file,
                          strerror(errno));
    err_t e = ERR_OK;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        e = errmsg_set(em, ERR_INVALID, "%s is no regular file", file);
    if (e == ERR_OK)
        e = netfs_refuse(fd, file, em);
    if (e == ERR_OK)
        e = check_length(fd, file, st.st_size, em);
    close(fd);
    return e;
}

bool ballast_make(const char *file, uint64_t bytes)
{
    char path[PATH_MAX];
    if (!bytes)
        return true;
    if (!path_with(path, file, ".ballast"))
        return false;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return false;
    struct stat st;
    bool ok = fstat(fd, &st) == 0 && (uint64_t)st.st_size >= bytes;
    if (!ok)
        ok = posix_fallocate(fd, 0, (off_t)bytes) == 0;
    close(fd);
    if (!ok)
        unlink(path);
    return ok;
}

void ballast_drop(const char *file)
{
    char path[PATH_MAX];
    if (path_with(path, file, ".ballast"))
        unlink(path);
}

uint64_t ballast_room(const char *file)
{
    struct statvfs s;
    return statvfs(file, &s) == 0 ? (uint64_t)s.f_bavail * s.f_frsize : 0;
}
