/* Whole files: read into a buffer; written beside the target, synced and renamed onto it.
 *
 * Called by the library's save_file and load_file. It knows nothing of what is in them. */
#include "wholefile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "flush.h"

#define PIECE     65536
#define MAX_TRIES 100

static err_t fault(const char *path, const char *what, struct errmsg *em)
{
    return errmsg_set(em, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s: %s: %s", path, what,
                      strerror(errno));
}

static err_t read_all(int fd, const char *path, struct buf *out, struct errmsg *em)
{
    for (;;) {
        char *p = buf_reserve(out, PIECE);
        if (!p)
            return errmsg_set(em, ERR_LIMIT, "%s: too large", path);
        ssize_t n = read(fd, p, PIECE);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fault(path, "cannot be read", em);
        if (n == 0)
            return ERR_OK;
        out->n += (size_t)n;
    }
}

err_t wholefile_read(const char *path, struct buf *out, struct errmsg *em)
{
    struct stat st;
    err_t e;
    /* Not blocking, so that a pipe without a writer cannot hold the caller up. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return fault(path, "cannot be opened", em);
    if (fstat(fd, &st) != 0)
        e = fault(path, "cannot be read", em);
    else if (!S_ISREG(st.st_mode))
        e = errmsg_set(em, ERR_INVALID, "%s: not a file", path);
    else
        e = read_all(fd, path, out, em);
    close(fd);
    return e;
}

/* A new file beside the target, under a name that is free. */
static int make_beside(const char *path, struct buf *name)
{
    for (int i = 0; i < MAX_TRIES; i++) {
        buf_clear(name);
        buf_printf(name, "%s.%ld-%d.new", path, (long)getpid(), i);
        int fd = open(buf_z(name), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0 || errno != EEXIST)
            return fd;
    }
    return -1;
}

static bool write_all(int fd, struct str bytes)
{
    for (size_t done = 0; done < bytes.n;) {
        ssize_t n = write(fd, bytes.p + done, bytes.n - done);
        if (n < 0 && errno != EINTR)
            return false;
        done += n > 0 ? (size_t)n : 0;
    }
    return true;
}

static bool keep_mode(int fd, const char *path)
{
    struct stat st;
    return stat(path, &st) != 0 || fchmod(fd, st.st_mode & 07777) == 0;
}

err_t wholefile_write(const char *path, struct str bytes, struct errmsg *em)
{
    struct buf name;
    buf_init(&name, 0);
    int fd = make_beside(path, &name);
    if (fd < 0) {
        err_t e = fault(path, "cannot be written", em);
        buf_fini(&name);
        return e;
    }
    bool ok = keep_mode(fd, path) && write_all(fd, bytes) && fsync(fd) == 0;
    int why = errno;
    if (close(fd) != 0 && ok) {
        ok = false;
        why = errno;
    }
    if (ok && rename(buf_z(&name), path) != 0) {
        ok = false;
        why = errno;
    }
    if (ok) {
        (void)flush_folder_of(path); /* a file system that cannot do it has no more to offer */
    } else {
        (void)unlink(buf_z(&name));
        errno = why;
    }
    err_t e = ok ? ERR_OK : fault(path, "cannot be written", em);
    buf_fini(&name);
    return e;
}
