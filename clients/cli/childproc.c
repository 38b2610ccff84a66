/* Children of `tunefarm run`. Each holds the reading end of a pipe whose writing end only we have:
 * however we end, it reads end-of-file and leaves in order. Each is in its own process group, so
 * that a Ctrl-C at the terminal reaches us alone and the end can be orderly.
 *
 * Called by embed.c; childproc_find() also by the commands that become a daemon. */
#include "childproc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "str.h"

/* Numbers under which a child finds its ends; high, so that no descriptor of ours is in the way. */
#define CHILD_READY  100
#define CHILD_PARENT 101

err_t childproc_find(const char *name, char *path, size_t size, struct errmsg *em)
{
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0)
        return errmsg_set(em, ERR_IO, "our own executable cannot be found: %s", strerror(errno));
    self[n] = 0;
    char *slash = strrchr(self, '/');
    if (slash)
        *slash = 0;
    static const char *const places[] = {"", "/../libexec/tunefarm"};
    for (size_t i = 0; i < 2; i++) {
        int length = snprintf(path, size, "%s%s/tunefarm-%s", self, places[i], name);
        if (length > 0 && (size_t)length < size && access(path, X_OK) == 0)
            return ERR_OK;
    }
    return errmsg_set(em, ERR_NOT_FOUND,
                      "the program tunefarm-%s is neither in %s nor in %s/../libexec/tunefarm; the "
                      "installation is not complete",
                      name, self, self);
}

void childproc_init(struct childproc *c, const char *name, const char *path)
{
    *c = (struct childproc){.name = name, .ready_fd = -1, .parent_fd = -1};
    childproc_arg(c, path);
}

void childproc_arg(struct childproc *c, const char *arg)
{
    REQUIRE(c->argc + 1 < CHILDPROC_ARGS);
    c->argv[c->argc++] = str_dupz(str_of(arg));
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static int spawn(struct childproc *c, char *const *argv, int log, int ready, int parent)
{
    extern char **environ;
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t none, standard;
    sigemptyset(&none);
    sigemptyset(&standard);
    sigaddset(&standard, SIGPIPE);
    sigaddset(&standard, SIGINT);
    sigaddset(&standard, SIGTERM);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attr);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, log, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&files, log, STDERR_FILENO);
    posix_spawn_file_actions_adddup2(&files, ready, CHILD_READY);
    posix_spawn_file_actions_adddup2(&files, parent, CHILD_PARENT);
    posix_spawnattr_setpgroup(&attr, 0);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &standard);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                        POSIX_SPAWN_SETSIGDEF);
    int rc = posix_spawn(&c->pid, argv[0], &files, &attr, argv, environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attr);
    return rc;
}

static int spawn_with_pipes(struct childproc *c, int log)
{
    char ready_text[16], parent_text[16], ready_flag[] = "--ready-fd",
                                          parent_flag[] = "--parent-fd";
    char *argv[CHILDPROC_ARGS + 5];
    int ready[2], parent[2];
    if (pipe2(ready, O_CLOEXEC))
        return errno;
    if (pipe2(parent, O_CLOEXEC)) {
        int reason = errno;
        close(ready[0]);
        close(ready[1]);
        return reason;
    }
    snprintf(ready_text, sizeof ready_text, "%d", CHILD_READY);
    snprintf(parent_text, sizeof parent_text, "%d", CHILD_PARENT);
    memcpy(argv, c->argv, c->argc * sizeof *argv);
    char *const more[] = {ready_flag, ready_text, parent_flag, parent_text, NULL};
    memcpy(argv + c->argc, more, sizeof more);
    int rc = spawn(c, argv, log, ready[1], parent[0]);
    close(ready[1]);
    close(parent[0]);
    c->ready_fd = ready[0];
    c->parent_fd = parent[1];
    fcntl(c->ready_fd, F_SETFL, O_NONBLOCK);
    return rc;
}

err_t childproc_start(struct childproc *c, const char *log, struct errmsg *em)
{
    close_fd(&c->ready_fd);
    close_fd(&c->parent_fd);
    c->ready = false;
    c->pid = 0;
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0)
        return errmsg_set(em, ERR_IO, "the log %s cannot be written: %s", log, strerror(errno));
    int rc = spawn_with_pipes(c, fd);
    close(fd);
    if (rc) {
        c->pid = 0;
        return errmsg_set(em, ERR_IO, "%s cannot be started: %s", c->argv[0], strerror(rc));
    }
    c->starts++;
    return ERR_OK;
}

static void note_ready(struct childproc *c)
{
    char text[64];
    if (c->ready || c->ready_fd < 0)
        return;
    ssize_t n = read(c->ready_fd, text, sizeof text);
    c->ready = n >= 5 && memcmp(text, "READY", 5) == 0;
}

void childproc_poll(struct childproc *c)
{
    if (c->pid == 0)
        return;
    note_ready(c);
    if (waitpid(c->pid, &c->status, WNOHANG) == c->pid)
        c->pid = 0;
}

err_t childproc_await_ready(struct childproc *c, int max_ms)
{
    int64_t until = clock_now() + max_ms * NS_PER_MS;
    while (!c->ready && c->pid) {
        struct pollfd p = {.fd = c->ready_fd, .events = POLLIN};
        int64_t left = (until - clock_now()) / NS_PER_MS;
        if (left <= 0)
            return ERR_TIMEOUT;
        poll(&p, 1, left < 100 ? (int)left : 100);
        childproc_poll(c);
        if ((p.revents & POLLHUP) && !c->ready && c->pid)
            childproc_wait(c, 2000);
    }
    return c->ready ? ERR_OK : ERR_FAILED;
}

void childproc_signal(struct childproc *c, int signal)
{
    if (c->pid)
        kill(c->pid, signal);
}

void childproc_wait(struct childproc *c, int max_ms)
{
    const struct timespec pause = {.tv_nsec = 2000000};
    int64_t until = clock_now() + max_ms * NS_PER_MS;
    childproc_poll(c);
    while (c->pid && clock_now() < until) {
        nanosleep(&pause, NULL);
        childproc_poll(c);
    }
    if (c->pid) {
        kill(c->pid, SIGKILL);
        waitpid(c->pid, &c->status, 0);
        c->pid = 0;
    }
}

void childproc_fini(struct childproc *c)
{
    if (c->pid)
        childproc_wait(c, 0);
    close_fd(&c->ready_fd);
    close_fd(&c->parent_fd);
    for (size_t i = 0; i < c->argc; i++)
        free(c->argv[i]);
    c->argc = 0;
}

void childproc_how(const struct childproc *c, char *text, size_t size)
{
    if (WIFSIGNALED(c->status))
        snprintf(text, size, "signal %d", WTERMSIG(c->status));
    else
        snprintf(text, size, "exit status %d", WEXITSTATUS(c->status));
}
