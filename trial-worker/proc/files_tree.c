/* Trees of files: made, copied and removed. Called by files.c. It must not know what they hold.
 *
 * Nothing here follows a symbolic link below the given path, because a user's program may have put
 * one there. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files.h"

#define TREE_DEPTH 64

err_t files_mkdirs(const char *path, mode_t mode, struct errmsg *em)
{
    char part[FILES_PATH];
    if (!str_copyz(part, sizeof part, str_of(path)))
        return errmsg_set(em, ERR_LIMIT, "the path %.80s... is longer than %d bytes", path,
                          FILES_PATH - 1);
    for (char *p = part + 1;; p++) {
        if (*p != '/' && *p != 0)
            continue;
        char was = *p;
        *p = 0;
        if (mkdir(part, mode) != 0 && errno != EEXIST)
            return errmsg_set(em, ERR_IO, "the directory %s cannot be made: %s", part,
                              strerror(errno));
        if (was == 0)
            break;
        *p = was;
    }
    struct stat st;
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode))
        return errmsg_set(em, ERR_IO, "%s is no directory", path);
    return ERR_OK;
}

static void remove_in(int parent, const char *name, int depth)
{
    if (unlinkat(parent, name, 0) == 0 || depth == TREE_DEPTH)
        return;
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    if (!d) {
        if (fd >= 0)
            close(fd);
        return;
    }
    struct dirent *e;
    while ((e = readdir(d)) != NULL)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            remove_in(fd, e->d_name, depth + 1);
    closedir(d);
    unlinkat(parent, name, AT_REMOVEDIR);
}

void files_remove_tree(const char *path)
{
    remove_in(AT_FDCWD, path, 0);
}

static err_t copy_bytes(int from, int to, const char *name, struct errmsg *em)
{
    for (;;) {
        ssize_t n = sendfile(to, from, NULL, 1 << 20);
        if (n == 0)
            return ERR_OK;
        if (n < 0 && errno != EINTR)
            return errmsg_set(em, errno == ENOSPC ? ERR_FULL : ERR_IO, "%s cannot be written: %s",
                              name, strerror(errno));
    }
}

err_t files_copy(const char *from, const char *to, mode_t mode, struct errmsg *em)
{
    int in = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (in < 0)
        return errmsg_set(em, ERR_IO, "%s cannot be read: %s", from, strerror(errno));
    int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (out < 0) {
        close(in);
        return errmsg_set(em, ERR_IO, "%s cannot be made: %s", to, strerror(errno));
    }
    err_t e = copy_bytes(in, out, to, em);
    close(in);
    if (fchmod(out, mode) != 0 && !e)
        e = errmsg_set(em, ERR_IO, "%s: its mode cannot be set: %s", to, strerror(errno));
    close(out);
    return e;
}
