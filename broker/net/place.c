/* The directory of an ipc socket is the whole of its protection: whoever can reach the socket may
 * speak as any role. So it has to belong to this user and be closed to all others. Called by
 * broker.c before it binds. */
#include "place.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "endpoint.h"

static err_t check_directory(const char *path, struct errmsg *em)
{
    char dir[sizeof((struct endpoint *)0)->path + 2];
    struct stat st;
    (void)str_copyz(dir, sizeof dir, str_of(path));
    char *slash = strrchr(dir, '/');
    if (!slash)
        (void)str_copyz(dir, sizeof dir, STR("."));
    else
        slash[slash == dir] = 0;
    if (stat(dir, &st) != 0)
        return errmsg_set(em, ERR_IO, "ipc://%s: the directory %s: %s", path, dir, strerror(errno));
    if (st.st_uid != geteuid())
        return errmsg_set(em, ERR_REFUSED,
                          "ipc://%s: the directory %s belongs to another user; use one of your own",
                          path, dir);
    if (st.st_mode & (S_IRWXG | S_IRWXO))
        return errmsg_set(
            em, ERR_REFUSED,
            "ipc://%s: others may enter the directory %s, and anybody who can may give commands; "
            "chmod 700 it",
            path, dir);
    return ERR_OK;
}

/* A socket file that a dead process left refuses; a living one takes the connection. */
static bool somebody_listens(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    if (!str_copyz(a.sun_path, sizeof a.sun_path, str_of(path)))
        return false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return false;
    bool yes = connect(fd, (const struct sockaddr *)&a, sizeof a) == 0 || errno == EAGAIN;
    close(fd);
    return yes;
}

err_t place_check(const char *endpoint, struct errmsg *em)
{
    struct endpoint e;
    err_t fault = endpoint_parse(&e, str_of(endpoint), em);
    if (fault != ERR_OK || e.tcp)
        return fault;
    fault = check_directory(e.path, em);
    if (fault == ERR_OK && somebody_listens(e.path))
        fault = errmsg_set(em, ERR_EXISTS, "%s: another process listens there", endpoint);
    return fault;
}
