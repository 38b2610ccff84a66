/* Only the optimizer knows how proposals are made, and programs do not link one another: so it is
 * started and told what a broker would tell it. It reads to the end before it answers, so neither
 * side waits for the other.
 *
 * Called by the command replay. Knows frames, not what they are about. */
#include "judge.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "childproc.h"
#include "codec.h"
#include "frame.h"

#define FLUSH_BYTES 65536

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static int spawn(struct judge *j, char *path, int in, int out)
{
    extern char **environ;
    char flag[] = "--replay";
    char *argv[] = {path, flag, NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t standard;
    sigemptyset(&standard);
    sigaddset(&standard, SIGPIPE);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attr);
    posix_spawn_file_actions_adddup2(&files, in, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
    posix_spawnattr_setsigdefault(&attr, &standard);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF);
    int rc = posix_spawn(&j->pid, path, &files, &attr, argv, environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attr);
    if (rc)
        j->pid = 0;
    return rc;
}

err_t judge_start(struct judge *j, struct errmsg *em)
{
    char path[4400];
    int to[2] = {-1, -1}, from[2] = {-1, -1};
    *j = (struct judge){.to = -1, .from = -1};
    buf_init(&j->body, FRAME_LIMIT);
    buf_init(&j->frame, 0);
    err_t e = childproc_find("optimizer", path, sizeof path, em);
    if (e)
        return e;
    signal(SIGPIPE, SIG_IGN); /* a reader that is gone is noticed by write() */
    int rc =
        pipe2(to, O_CLOEXEC) || pipe2(from, O_CLOEXEC) ? errno : spawn(j, path, to[0], from[1]);
    j->to = to[1];
    j->from = from[0];
    close_fd(&to[0]);
    close_fd(&from[1]);
    return rc ? errmsg_set(em, ERR_IO, "%s cannot be started: %s", path, strerror(rc)) : ERR_OK;
}

static void flush(struct judge *j)
{
    size_t done = 0;
    while (!j->gone && done < j->frame.n) {
        ssize_t n = write(j->to, j->frame.p + done, j->frame.n - done);
        if (n < 0 && errno != EINTR)
            j->gone = true;
        done += n > 0 ? (size_t)n : 0;
    }
    buf_clear(&j->frame);
}

void judge_tell(struct judge *j, unsigned kind, const void *msg)
{
    buf_clear(&j->body);
    message_encode(&j->body, kind, msg);
    REQUIRE(buf_ok(&j->body));
    struct frame f = {.major = PROTO_MAJOR, .kind = (uint8_t)kind, .body = buf_str(&j->body)};
    frame_write(&j->frame, &f);
    if (j->frame.n >= FLUSH_BYTES)
        flush(j);
}

static void read_all(int fd, struct buf *out)
{
    for (;;) {
        char *p = buf_reserve(out, 4096);
        ssize_t n = p ? read(fd, p, 4096) : 0;
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        out->n += (size_t)n;
    }
}

err_t judge_ask(struct judge *j, struct buf *answer, struct errmsg *em)
{
    flush(j);
    close_fd(&j->to);
    read_all(j->from, answer);
    return answer->n ? ERR_OK : errmsg_set(em, ERR_FAILED, "the optimizer ended without an answer");
}

void judge_fini(struct judge *j)
{
    close_fd(&j->to);
    close_fd(&j->from);
    while (j->pid && waitpid(j->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    j->pid = 0;
    buf_fini(&j->body);
    buf_fini(&j->frame);
}
