/* The names and flushes around a new database file. What stands in it is written by others, to
 * `part`; they have closed it before newfile_end().
 *
 * Called for backups (by the broker and by the command line) and for what is restored from one. A
 * file that is replaced must be a farm's database, so that a mistaken name costs nobody a letter;
 * its write-ahead log goes before it, because SQLite would take it for the new one's. */
#include "newfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "buf.h"
#include "flush.h"
#include "netfs.h"

#define MARK_AT 68 /* of SQLite's application_id, big endian */
static const char mark[4] = {'T', 'F', 'M', '1'};

static err_t fault(const char *path, const char *what, struct errmsg *em)
{
    return errmsg_set(em, errno == ENOSPC || errno == EDQUOT ? ERR_FULL : ERR_IO, "%s %s: %s", path,
                      what, strerror(errno));
}

/* A broker keeps FILE.lock locked while it has FILE. */
static bool in_use(const char *path)
{
    struct buf name = {0};
    buf_printf(&name, "%s.lock", path);
    int fd = open(buf_z(&name), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    bool locked = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0;
    if (fd >= 0)
        close(fd);
    buf_fini(&name);
    return locked;
}

static bool of_a_farm(const char *path)
{
    char head[sizeof mark] = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool ours = fd >= 0 && pread(fd, head, sizeof head, MARK_AT) == (ssize_t)sizeof head &&
                memcmp(head, mark, sizeof mark) == 0;
    if (fd >= 0)
        close(fd);
    return ours;
}

static err_t check_target(const struct newfile *n, struct errmsg *em)
{
    struct stat st;
    if (lstat(n->path, &st) != 0)
        return errno == ENOENT ? ERR_OK : fault(n->path, "cannot be written", em);
    if (!n->force)
        return errmsg_set(em, ERR_EXISTS, "%s is there already; name another file, or say --force",
                          n->path);
    if (!S_ISREG(st.st_mode) || !of_a_farm(n->path))
        return errmsg_set(em, ERR_EXISTS,
                          "%s is there and is no database of a farm; name another file", n->path);
    if (in_use(n->path))
        return errmsg_set(em, ERR_EXISTS, "a broker has %s open; name another file", n->path);
    return ERR_OK;
}

/* A log without its database, left by somebody who removed only one of them. */
static err_t check_log(const struct newfile *n, struct errmsg *em)
{
    struct buf name = {0};
    struct stat st;
    buf_printf(&name, "%s-wal", n->path);
    bool there = stat(buf_z(&name), &st) == 0;
    err_t e = ERR_OK;
    if (there && !n->force)
        e = errmsg_set(em, ERR_EXISTS,
                       "%s is there, the log of another database; name another file, or say "
                       "--force",
                       buf_z(&name));
    buf_fini(&name);
    return e;
}

err_t newfile_begin(struct newfile *n, const char *path, bool force, struct errmsg *em)
{
    size_t length = strlen(path);
    n->force = force;
    if (!length || length + sizeof ".part" > sizeof n->path)
        return errmsg_set(em, ERR_LIMIT, "the name of the new file is empty or too long");
    snprintf(n->path, sizeof n->path, "%s", path);
    memcpy(n->part, path, length);
    memcpy(n->part + length, ".part", sizeof ".part");
    err_t e = check_target(n, em);
    if (e == ERR_OK)
        e = check_log(n, em);
    if (e != ERR_OK)
        return e;
    (void)unlink(n->part);
    int fd = open(n->part, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return fault(n->part, "cannot be made", em);
    e = netfs_refuse(fd, n->path, em);
    close(fd);
    if (e != ERR_OK)
        newfile_abandon(n);
    return e;
}

uint64_t newfile_room(const struct newfile *n)
{
    struct statvfs s;
    return statvfs(n->part, &s) == 0 ? (uint64_t)s.f_bavail * s.f_frsize : 0;
}

void newfile_flush(const struct newfile *n)
{
    int fd = open(n->part, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    (void)!fdatasync(fd);
    close(fd);
}

static void drop_log(const char *path)
{
    static const char *const suffixes[] = {"-wal", "-shm"};
    for (size_t i = 0; i < 2; i++) {
        struct buf name = {0};
        buf_printf(&name, "%s%s", path, suffixes[i]);
        (void)unlink(buf_z(&name));
        buf_fini(&name);
    }
}

/* Without force the name must be free still; a hard link says so in one step. */
static bool put_in_place(const struct newfile *n)
{
    if (n->force) {
        drop_log(n->path);
        return rename(n->part, n->path) == 0;
    }
    if (link(n->part, n->path) == 0)
        return unlink(n->part) == 0;
    if (errno == EEXIST)
        return false;
    return rename(n->part, n->path) == 0; /* a file system without links */
}

err_t newfile_end(const struct newfile *n, struct errmsg *em)
{
    if (flush_path(n->part) && put_in_place(n) && flush_folder_of(n->path))
        return ERR_OK;
    err_t e = fault(n->path, "cannot be written", em);
    newfile_abandon(n);
    return e;
}

void newfile_abandon(const struct newfile *n)
{
    (void)unlink(n->part);
}
