/* The limit of open descriptors. Called by the daemons before anything is opened. */
#include "openfiles.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

err_t openfiles_raise(uint64_t needed, uint64_t *before, struct errmsg *em)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) != 0)
        return errmsg_set(em, ERR_FAILED, "the limit of open files cannot be read: %s",
                          strerror(errno));
    if (before)
        *before = r.rlim_cur;
    rlim_t wanted = r.rlim_max < OPENFILES_MOST ? r.rlim_max : OPENFILES_MOST;
    if (r.rlim_cur < wanted) {
        r.rlim_cur = wanted;
        setrlimit(RLIMIT_NOFILE, &r);
    }
    if (r.rlim_cur < needed)
        return errmsg_set(em, ERR_FAILED,
                          "%llu open files are allowed here, at least %llu are needed; raise the "
                          "hard limit (ulimit -Hn, or LimitNOFILE= of the service)",
                          (unsigned long long)r.rlim_cur, (unsigned long long)needed);
    return ERR_OK;
}
