/* What a spool does on the disk. Called by spool.c, mostly on a thread of libuv's pool, so that a
 * flush holds nobody up; one caller at a time. It must not know what the bytes mean.
 *
 * A file is private and locked by the process that writes it for as long as that lives: whoever
 * gets the lock knows that the writer is gone. Files appear, and are looked for, under the
 * directory's lock, so that none is found between its making and its locking. */
#include "spool_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files.h"
#include "flush.h"

static err_t fault(const struct spool_file *f, const char *name, const char *what,
                   struct errmsg *em)
{
    return errmsg_set(em, errno == ENOSPC || errno == EDQUOT ? ERR_FULL : ERR_IO, "%s/%s %s: %s",
                      f->dir, name, what, strerror(errno));
}

static int open_in(const struct spool_file *f, const char *name, int flags)
{
    char path[SPOOL_PATH + 280];
    snprintf(path, sizeof path, "%s/%s", f->dir, name);
    return open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
}

err_t spool_file_init(struct spool_file *f, const char *root, struct id128 peer, struct errmsg *em)
{
    char hex[HEX_SIZE(16)];
    *f = (struct spool_file){.fd = -1};
    str_hex(hex, peer.b, sizeof peer.b);
    snprintf(f->name, sizeof f->name, "%s.spool", hex);
    snprintf(f->next, sizeof f->next, "%s.next", hex);
    int n = snprintf(f->dir, sizeof f->dir, "%s/spool", root);
    if (n < 0 || (size_t)n >= sizeof f->dir)
        return errmsg_set(em, ERR_LIMIT, "the path of the worker's root is too long for its spool");
    return files_mkdirs(f->dir, 0700, em);
}

void spool_file_fini(struct spool_file *f)
{
    if (f->fd < 0)
        return;
    if (f->size == 0)
        spool_file_remove(f, f->name);
    close(f->fd);
    f->fd = -1;
}

static err_t write_at(const struct spool_file *f, const char *name, int fd, uint64_t at,
                      struct str bytes, struct errmsg *em)
{
    while (bytes.n > 0) {
        ssize_t n = pwrite(fd, bytes.p, bytes.n, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            errno = ENOSPC;
        if (n <= 0)
            return fault(f, name, "cannot be written", em);
        at += (uint64_t)n;
        bytes = str_make(bytes.p + n, bytes.n - (size_t)n);
    }
    return ERR_OK;
}

static err_t write_and_flush(const struct spool_file *f, const char *name, int fd, uint64_t at,
                             const struct spool_work *w, struct errmsg *em)
{
    err_t e = write_at(f, name, fd, at, w->bytes, em);
    if (!e && (w->sync || w->replace) && fdatasync(fd) != 0)
        e = fault(f, name, "cannot be flushed to the disk", em);
    return e;
}

int spool_file_lock_dir(const struct spool_file *f)
{
    int fd = open_in(f, ".lock", O_RDWR | O_CREAT);
    while (fd >= 0 && flock(fd, LOCK_EX) != 0) {
        if (errno == EINTR)
            continue;
        close(fd);
        return -1;
    }
    return fd;
}

/* A file of ours that is new and locked. */
static int make(const struct spool_file *f, const char *name)
{
    int dir = spool_file_lock_dir(f);
    int fd = open_in(f, name, O_RDWR | O_CREAT | O_TRUNC);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0) {
        close(fd);
        fd = -1;
    }
    if (dir >= 0)
        close(dir);
    return fd;
}

/* The file does not exist yet. */
static err_t first(struct spool_file *f, const struct spool_work *w, struct errmsg *em)
{
    int fd = make(f, f->name);
    if (fd < 0)
        return fault(f, f->name, "cannot be made", em);
    err_t e = write_and_flush(f, f->name, fd, 0, w, em);
    if (e) {
        spool_file_remove(f, f->name);
        close(fd);
        return e;
    }
    (void)flush_path(f->dir); /* the process alone may rely on the name before */
    f->fd = fd;
    f->size = w->bytes.n;
    return ERR_OK;
}

static err_t give_name(struct spool_file *f, int fd, struct errmsg *em)
{
    char from[SPOOL_PATH + 48], to[SPOOL_PATH + 48];
    snprintf(from, sizeof from, "%s/%s", f->dir, f->next);
    snprintf(to, sizeof to, "%s/%s", f->dir, f->name);
    if (rename(from, to) != 0)
        return fault(f, f->next, "cannot be renamed", em);
    (void)flush_path(f->dir); /* the process alone may rely on the name before */
    close(f->fd);
    f->fd = fd;
    return ERR_OK;
}

/* The new content is whole before the old one goes. */
static err_t replace(struct spool_file *f, const struct spool_work *w, struct errmsg *em)
{
    int fd = make(f, f->next);
    if (fd < 0)
        return fault(f, f->next, "cannot be made", em);
    err_t e = write_and_flush(f, f->next, fd, 0, w, em);
    if (!e)
        e = give_name(f, fd, em);
    if (e) {
        spool_file_remove(f, f->next);
        close(fd);
        return e;
    }
    f->size = w->bytes.n;
    return ERR_OK;
}

static err_t empty(struct spool_file *f, struct errmsg *em)
{
    if (f->fd >= 0 && ftruncate(f->fd, 0) != 0)
        return fault(f, f->name, "cannot be emptied", em);
    f->size = 0;
    return ERR_OK;
}

static err_t append(struct spool_file *f, const struct spool_work *w, struct errmsg *em)
{
    err_t e = write_and_flush(f, f->name, f->fd, f->size, w, em);
    if (e)
        (void)!ftruncate(f->fd, (off_t)f->size); /* else a torn end, which readers know */
    else
        f->size += w->bytes.n;
    return e;
}

err_t spool_file_work(struct spool_file *f, const struct spool_work *w, struct errmsg *em)
{
    if (w->replace && w->bytes.n == 0)
        return empty(f, em);
    if (f->fd < 0)
        return first(f, w, em);
    if (w->replace && f->size > 0)
        return replace(f, w, em);
    return append(f, w, em);
}

/* ---- files of others ---- */

int spool_file_claim(const struct spool_file *f, const char *name, uint64_t *size, bool *bad)
{
    struct stat st;
    int fd = open_in(f, name, O_RDWR);
    *bad = fd < 0 && errno != ENOENT;
    if (fd < 0)
        return -1;
    bool ours = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid();
    *bad = !ours;
    if (!ours || flock(fd, LOCK_EX | LOCK_NB) != 0 || fstat(fd, &st) != 0 || st.st_nlink == 0) {
        close(fd);
        return -1;
    }
    *size = (uint64_t)st.st_size;
    return fd;
}

void spool_file_remove(const struct spool_file *f, const char *name)
{
    char path[SPOOL_PATH + 280];
    snprintf(path, sizeof path, "%s/%s", f->dir, name);
    (void)unlink(path);
}

static bool was_set_aside(const char *name)
{
    const char *dot = strchr(name, '.');
    return dot && dot != name &&
           (strcmp(dot, ".bad") == 0 || strcmp(dot, ".torn") == 0 || strcmp(dot, ".foreign") == 0);
}

/* How many files were set aside, and the oldest of them. */
static size_t count_aside(DIR *d, char oldest[256])
{
    size_t n = 0;
    struct timespec least = {0, 0};
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        struct stat st;
        if (!was_set_aside(e->d_name) ||
            fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        bool older = st.st_ctim.tv_sec < least.tv_sec ||
                     (st.st_ctim.tv_sec == least.tv_sec && st.st_ctim.tv_nsec < least.tv_nsec);
        if (n++ == 0 || older) {
            least = st.st_ctim;
            snprintf(oldest, 256, "%s", e->d_name);
        }
    }
    return n;
}

void spool_file_set_aside(const struct spool_file *f, const char *name, const char *why)
{
    char from[SPOOL_PATH + 280], to[SPOOL_PATH + 280], oldest[256];
    DIR *d = opendir(f->dir);
    if (d && count_aside(d, oldest) >= SPOOL_ASIDE_MAX)
        spool_file_remove(f, oldest);
    if (d)
        closedir(d);
    const char *dot = strchr(name, '.');
    snprintf(from, sizeof from, "%s/%s", f->dir, name);
    snprintf(to, sizeof to, "%s/%.*s.%s", f->dir, dot ? (int)(dot - name) : 32, name, why);
    if (rename(from, to) != 0)
        (void)unlink(from);
}
