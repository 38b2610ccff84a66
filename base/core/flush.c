/* fsync by path. Called by whoever makes a file that has to be there after a loss of power. */
#include "flush.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "buf.h"

bool flush_path(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    int why = errno;
    if (fd >= 0)
        close(fd);
    errno = why;
    return ok;
}

bool flush_folder_of(const char *path)
{
    struct buf folder;
    const char *slash = strrchr(path, '/');
    buf_init(&folder, 0);
    if (slash)
        buf_add(&folder, path, slash == path ? 1 : (size_t)(slash - path));
    else
        buf_addc(&folder, '.');
    bool ok = flush_path(buf_z(&folder));
    int why = errno;
    buf_fini(&folder);
    errno = why;
    return ok;
}
