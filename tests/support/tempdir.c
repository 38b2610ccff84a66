/* Temporary folders for tests that need files or sockets. Under $TMPDIR or /tmp, because socket
 * paths must be short.
 *
 * Called by tests only; ends the process on trouble, which a test could not handle better. */
#include "tempdir.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "err.h"

void tempdir_make(struct tempdir *d)
{
    const char *root = getenv("TMPDIR");
    if (!root || strlen(root) > 60)
        root = "/tmp";
    int n = snprintf(d->path, sizeof d->path, "%s/tunefarm-XXXXXX", root);
    REQUIRE(n > 0 && (size_t)n < sizeof d->path);
    REQUIRE(mkdtemp(d->path) != NULL);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)st;
    (void)kind;
    (void)where;
    return remove(path);
}

void tempdir_remove(struct tempdir *d)
{
    nftw(d->path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *tempdir_file(const struct tempdir *d, const char *name, char *out, size_t size)
{
    int n = snprintf(out, size, "%s/%s", d->path, name);
    REQUIRE(n > 0 && (size_t)n < size);
    return out;
}

void tempdir_write(const char *path, struct str text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    REQUIRE(fd >= 0);
    REQUIRE(write(fd, text.p ? text.p : "", text.n) == (ssize_t)text.n);
    close(fd);
}
