/* One file answers two questions: is a run working on this database, and where is its broker. It
 * holds one line "ENDPOINT PID". The holder keeps an exclusive flock; the kernel drops it however
 * the holder ends, so a file that can be locked is a stale one.
 *
 * Called by embed.c (claims) and source.c (finds). Knows nothing of the endpoint's meaning. */
#include "addrfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "str.h"

static bool path_of(char *path, size_t size, const char *db)
{
    int n = snprintf(path, size, "%s.addr", db);
    return n > 0 && (size_t)n < size;
}

static size_t read_line(int fd, char *line, size_t size)
{
    ssize_t n = pread(fd, line, size - 1, 0);
    size_t length = n > 0 ? (size_t)n : 0;
    line[length] = 0;
    length = strcspn(line, "\n");
    line[length] = 0;
    return length;
}

/* Whether the locked descriptor is still what the path names: the last holder may have removed it
 * in between. */
static bool still_there(int fd, const char *path)
{
    struct stat by_fd, by_path;
    return fstat(fd, &by_fd) == 0 && stat(path, &by_path) == 0 && by_fd.st_ino == by_path.st_ino &&
           by_fd.st_dev == by_path.st_dev;
}

/* A reader that looks at this moment holds a shared lock for an instant: hence more than one try.
 */
static bool lock_soon(int fd)
{
    const struct timespec pause = {.tv_nsec = 30000000};
    for (int i = 0; i < 8; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return true;
        nanosleep(&pause, NULL);
    }
    return false;
}

static err_t in_use(int fd, const char *db, struct errmsg *em)
{
    char line[512];
    read_line(fd, line, sizeof line);
    const char *pid = strrchr(line, ' ');
    return errmsg_set(
        em, ERR_EXISTS,
        "another tunefarm run%s%s%s works on %s already; watch it with: tunefarm watch "
        "--db %s",
        pid ? " (process" : "", pid ? pid : "", pid ? ")" : "", db, db);
}

err_t addrfile_claim(struct addrfile *a, const char *db, struct errmsg *em)
{
    a->fd = -1;
    if (!path_of(a->path, sizeof a->path, db))
        return errmsg_set(em, ERR_INVALID, "the path of the database is too long: %.100s", db);
    for (;;) {
        int fd = open(a->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
            return errmsg_set(em, ERR_IO, "%s cannot be made: %s", a->path, strerror(errno));
        if (!lock_soon(fd)) {
            err_t e = in_use(fd, db, em);
            close(fd);
            return e;
        }
        if (still_there(fd, a->path)) {
            a->fd = fd;
            return ERR_OK;
        }
        close(fd);
    }
}

err_t addrfile_write(struct addrfile *a, const char *endpoint, struct errmsg *em)
{
    char line[512];
    int n = snprintf(line, sizeof line, "%s %ld\n", endpoint, (long)getpid());
    if (n <= 0 || (size_t)n >= sizeof line)
        return errmsg_set(em, ERR_INVALID, "the address is too long: %.100s", endpoint);
    if (ftruncate(a->fd, 0) || pwrite(a->fd, line, (size_t)n, 0) != n)
        return errmsg_set(em, ERR_IO, "%s cannot be written: %s", a->path, strerror(errno));
    return ERR_OK;
}

void addrfile_release(struct addrfile *a)
{
    if (a->fd < 0)
        return;
    unlink(a->path);
    close(a->fd);
    a->fd = -1;
}

bool addrfile_find(const char *db, char *endpoint, size_t size)
{
    char path[4096], line[512];
    if (!path_of(path, sizeof path, db))
        return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return false;
    bool held = flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    size_t n = held ? read_line(fd, line, sizeof line) : 0;
    close(fd);
    size_t address = strcspn(line, " ");
    return held && address > 0 && address < n && str_copyz(endpoint, size, str_make(line, address));
}
