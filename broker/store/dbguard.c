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
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

struct fs_name {
    unsigned long magic;
    const char *name;
};
/* From statfs(2) and linux/magic.h. FUSE may be anything; sshfs and the like are what it is mostly.
 */
static const struct fs_name refused[] = {
    {0x6969, "NFS"},      {0xff534d42, "CIFS"},   {0xfe534d42, "SMB2"},  {0x517b, "SMB"},
    {0x65735546, "FUSE"}, {0x5346414f, "AFS"},    {0x01021997, "9P"},    {0x00c36400, "Ceph"},
    {0x73757245, "Coda"}, {0x0bd00bd0, "Lustre"}, {0x7461636f, "OCFS2"},
};

static const struct fs_name fine[] = {
    {0xef53, "ext4"},    {0x58465342, "XFS"},  {0x9123683e, "Btrfs"},   {0x01021994, "tmpfs"},
    {0x2fc12fc1, "ZFS"}, {0xf2f52010, "F2FS"}, {0x794c7630, "overlay"}, {0x858458f6, "ramfs"},
};

static const char *known_name(unsigned long magic)
{
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        if (refused[i].magic == magic)
            return refused[i].name;
    }
    for (size_t i = 0; i < sizeof fine / sizeof *fine; i++) {
        if (fine[i].magic == magic)
            return fine[i].name;
    }
    return NULL;
}

void dbguard_fs_name(const char *file, char *out, size_t size)
{
    struct statfs s;
    unsigned long magic = statfs(file, &s) == 0 ? (unsigned long)s.f_type & 0xffffffffUL : 0;
    const char *name = known_name(magic);
    if (name)
        snprintf(out, size, "%s", name);
    else
        snprintf(out, size, "0x%lx", magic);
}

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

static err_t check_fs(int fd, const char *file, struct errmsg *em)
{
    struct statfs s;
    if (fstatfs(fd, &s) != 0)
        return errmsg_set(em, ERR_IO, "%s: %s", file, strerror(errno));
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        if (((unsigned long)s.f_type & 0xffffffffUL) == refused[i].magic)
            return errmsg_set(
                em, ERR_REFUSED,
                "%s is on a %s file system, where a database is not safe; put it on a local disk",
                file, refused[i].name);
    }
    return ERR_OK;
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
        e = check_fs(fd, file, em);
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
