/* tunefarm-launch: the last step before a user's program, in its process. Started by child.c as
 *
 *     tunefarm-launch PARENT NOFILE MEMORY PROGRAM [ARGUMENT ...]
 *
 * in a session of its own, with the report channel as descriptor 3. It ties the program's life to
 * the worker's (PDEATHSIG, then a second look at the parent, which may have died before), sets
 * limits and the file mode mask, closes what it was not given, and becomes the program. If it
 * cannot, it says why on the channel and exits with 127.
 *
 * Apart from the worker's executable because a child of a threaded program may do next to nothing
 * between fork and exec. It must not link anything. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHANNEL 3

/* The sentence as a JSON line; bytes that JSON cannot hold in a string become '?'. */
static int say(const char *program, const char *what)
{
    char text[600], line[1300];
    snprintf(text, sizeof text, "%.400s cannot be started: %s", program, what);
    size_t n = 0;
    n += (size_t)snprintf(line, sizeof line, "{\"retry\":false,\"error\":\"");
    for (const char *p = text; *p && n + 8 < sizeof line; p++) {
        unsigned char c = (unsigned char)*p;
        if (c == '"' || c == '\\')
            line[n++] = '\\';
        line[n++] = c < 0x20 || c > 0x7e ? '?' : *p;
    }
    n += (size_t)snprintf(line + n, sizeof line - n, "\"}\n");
    return write(CHANNEL, line, n) == (ssize_t)n ? 127 : 126;
}

static void limit(unsigned what, rlim_t soft, rlim_t hard)
{
    struct rlimit now;
    if (getrlimit(what, &now) != 0)
        return;
    now.rlim_cur = soft < now.rlim_max ? soft : now.rlim_max;
    if (hard < now.rlim_max)
        now.rlim_max = hard;
    setrlimit(what, &now);
}

/* Signals as a program expects them: nothing blocked, nothing ignored. */
static void reset_signals(void)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        fprintf(stderr, "tunefarm-launch is started by tunefarm-worker: PARENT NOFILE MEMORY "
                        "PROGRAM [ARGUMENT ...]\n");
        return 2;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != (pid_t)strtol(argv[1], NULL, 10))
        return 126; /* the worker is gone already */
    rlim_t files = (rlim_t)strtoull(argv[2], NULL, 10),
           memory = (rlim_t)strtoull(argv[3], NULL, 10);
    limit(RLIMIT_CORE, 0, 0);
    if (files > 0)
        limit(RLIMIT_NOFILE, files, RLIM_INFINITY);
    if (memory > 0)
        limit(RLIMIT_AS, memory, memory);
    umask(077);
    close_range(CHANNEL + 1, ~0U, 0);
    reset_signals();
    execvp(argv[4], argv + 4);
    return say(argv[4], strerror(errno));
}
