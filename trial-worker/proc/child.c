/* Child processes by libuv. Called by the runner. It must not know attempts, specs or the protocol.
 *
 * The child runs in its own session (so its own process group) behind tunefarm-launch, which ties
 * its life to ours. Its channel is a socket pair, its output one or two pipes. When the leader has
 * ended, what is left in the pipes is read to the end, the group is killed so that nothing survives
 * a trial, and only then is `gone` called. Our ends never block; what the child does not read waits
 * in a bounded queue. */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "alloc.h"
#include "list.h"
#include "report_in.h"

#define DRAIN_READS 64 /* reads of what an ended child left in one pipe */

enum { STREAM_CHANNEL, STREAM_OUT, STREAM_ERR, STREAMS };

struct stream {
    uv_pipe_t pipe;
    struct child *child;
    bool open;
};
struct child {
    uv_process_t process;
    struct stream streams[STREAMS];
    struct child_handler h;
    struct report_in lines;
    uint64_t skipped_told;
    void *tag;
    int handles; /* that libuv has not closed yet */
    bool ended, buried;
    int pid;
};
struct pending_write {
    uv_write_t req;
    char bytes[];
};

static void on_handle_closed(uv_handle_t *h)
{
    struct child *c = h->data;
    if (--c->handles > 0)
        return;
    report_in_fini(&c->lines);
    free(c);
}

static void close_stream(struct stream *s)
{
    if (!s->open)
        return;
    s->open = false;
    uv_close((uv_handle_t *)&s->pipe, on_handle_closed);
}

static void bury(struct child *c)
{
    if (c->buried)
        return;
    c->buried = true;
    for (int i = 0; i < STREAMS; i++)
        close_stream(&c->streams[i]);
    uv_close((uv_handle_t *)&c->process, on_handle_closed);
}

static void on_line(void *self, struct str line)
{
    struct child *c = self;
    if (!c->buried)
        c->h.line(c->h.self, c, line);
}

static void take(struct stream *s, struct str bytes)
{
    struct child *c = s->child;
    if (s != &c->streams[STREAM_CHANNEL]) {
        c->h.output(c->h.self, c, s == &c->streams[STREAM_ERR], bytes);
        return;
    }
    report_in_feed(&c->lines, bytes, on_line, c);
    if (c->lines.skipped > c->skipped_told && !c->buried) {
        c->skipped_told = c->lines.skipped;
        c->h.skipped(c->h.self, c, c->lines.skipped);
    }
}

static void on_alloc(uv_handle_t *h, size_t wanted, uv_buf_t *out)
{
    struct child *c = h->data;
    (void)wanted;
    *out = uv_buf_init(c->h.buffer, CHILD_BUFFER);
}

static void on_read(uv_stream_t *p, ssize_t n, const uv_buf_t *b)
{
    struct stream *s = CONTAINER_OF(p, struct stream, pipe);
    if (n > 0)
        take(s, str_make(b->base, (size_t)n));
    else if (n < 0) /* end of file: the child closed it, or is about to end */
        uv_read_stop(p);
}

/* What an ended child left behind, without waiting. */
static void read_rest(struct stream *s)
{
    char *shared = s->child ? s->child->h.buffer : NULL;
    uv_os_fd_t fd;
    if (!s->open || uv_fileno((uv_handle_t *)&s->pipe, &fd) != 0)
        return;
    uv_read_stop((uv_stream_t *)&s->pipe);
    for (int i = 0; i < DRAIN_READS; i++) {
        ssize_t n = read(fd, shared, CHILD_BUFFER);
        if (n <= 0 && !(n < 0 && errno == EINTR))
            break;
        if (n > 0)
            take(s, str_make(shared, (size_t)n));
    }
}

static void on_process_exit(uv_process_t *p, int64_t code, int signal)
{
    struct child *c = p->data;
    c->ended = true;
    kill(-c->pid, SIGKILL); /* the leader is gone; whatever it started goes with it */
    if (c->buried)
        return;
    for (int i = STREAMS - 1; i >= 0; i--) /* output first: an error text may need it */
        read_rest(&c->streams[i]);
    report_in_end(&c->lines, on_line, c);
    if (c->buried)
        return;
    c->h.gone(c->h.self, c, code, signal);
    bury(c);
}

static void close_pair(int pair[2])
{
    for (int i = 0; i < 2; i++)
        if (pair[i] >= 0)
            close(pair[i]);
}

/* pairs[i][0] is ours, without blocking; pairs[i][1] the child's. */
static err_t open_pairs(int pairs[STREAMS][2], bool split, struct errmsg *em)
{
    for (int i = 0; i < STREAMS; i++)
        pairs[i][0] = pairs[i][1] = -1;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pairs[STREAM_CHANNEL]) != 0 ||
        pipe2(pairs[STREAM_OUT], O_CLOEXEC) != 0 ||
        (split && pipe2(pairs[STREAM_ERR], O_CLOEXEC) != 0)) {
        int e = errno;
        for (int i = 0; i < STREAMS; i++)
            close_pair(pairs[i]);
        return errmsg_set(em, ERR_IO, "no pipe for the program: %s", strerror(e));
    }
    return ERR_OK;
}

static void attach(struct child *c, uv_loop_t *loop, int stream, int fd)
{
    struct stream *s = &c->streams[stream];
    s->child = c;
    REQUIRE(uv_pipe_init(loop, &s->pipe, 0) == 0);
    s->pipe.data = c;
    s->open = true;
    c->handles++;
    REQUIRE(uv_pipe_open(&s->pipe, fd) == 0); /* makes it non-blocking */
    REQUIRE(uv_read_start((uv_stream_t *)&s->pipe, on_alloc, on_read) == 0);
}

static int spawn_process(struct child *c, uv_loop_t *loop, const struct child_setup *s, char **argv,
                         int pairs[STREAMS][2])
{
    int err = pairs[STREAM_ERR][1] >= 0 ? pairs[STREAM_ERR][1] : pairs[STREAM_OUT][1];
    uv_stdio_container_t io[CHILD_CHANNEL_FD + 1] = {
        {.flags = UV_IGNORE}, /* reads /dev/null */
        {.flags = UV_INHERIT_FD, .data.fd = pairs[STREAM_OUT][1]},
        {.flags = UV_INHERIT_FD, .data.fd = err},
        {.flags = UV_INHERIT_FD, .data.fd = pairs[STREAM_CHANNEL][1]},
    };
    uv_process_options_t o = {.file = s->launch,
                              .args = argv,
                              .env = (char **)s->env,
                              .cwd = s->cwd,
                              .flags = UV_PROCESS_DETACHED,
                              .stdio = io,
                              .stdio_count = CHILD_CHANNEL_FD + 1,
                              .exit_cb = on_process_exit};
    c->process.data = c;
    c->handles = 1;
    return uv_spawn(loop, &c->process, &o);
}

static err_t explain(const struct child_setup *s, int r, struct errmsg *em)
{
    if (access(s->cwd, X_OK) != 0)
        return errmsg_set(em, ERR_NOT_FOUND, "the directory %s cannot be entered: %s", s->cwd,
                          strerror(errno));
    return errmsg_set(em, ERR_IO, "%s cannot be started: %s", s->launch, uv_strerror(r));
}

/* Our arguments in front of the program's. */
static char **launch_argv(const struct child_setup *s, char texts[3][24])
{
    size_t n = 0;
    while (s->argv[n])
        n++;
    snprintf(texts[0], sizeof texts[0], "%d", (int)getpid());
    snprintf(texts[1], sizeof texts[1], "%llu", (unsigned long long)s->files);
    snprintf(texts[2], sizeof texts[2], "%llu", (unsigned long long)s->memory);
    char **v = alloc_array(n + 5, sizeof *v);
    v[0] = (char *)"tunefarm-launch";
    for (int i = 0; i < 3; i++)
        v[i + 1] = texts[i];
    memcpy(v + 4, s->argv, n * sizeof *v);
    return v;
}

err_t child_spawn(struct child **out, uv_loop_t *loop, const struct child_setup *s,
                  const struct child_handler *h, struct errmsg *em)
{
    int pairs[STREAMS][2];
    char texts[3][24];
    err_t e = open_pairs(pairs, s->split_output, em);
    if (e)
        return e;
    struct child *c = alloc_zero(sizeof *c);
    c->h = *h;
    report_in_init(&c->lines);
    char **argv = launch_argv(s, texts);
    int r = spawn_process(c, loop, s, argv, pairs);
    free(argv);
    for (int i = 0; i < STREAMS; i++) {
        if (pairs[i][1] >= 0)
            close(pairs[i][1]);
        pairs[i][1] = -1;
    }
    if (r != 0) {
        for (int i = 0; i < STREAMS; i++)
            close_pair(pairs[i]);
        c->buried = true;
        uv_close((uv_handle_t *)&c->process, on_handle_closed);
        return explain(s, r, em);
    }
    c->pid = c->process.pid;
    for (int i = 0; i < STREAMS; i++)
        if (pairs[i][0] >= 0)
            attach(c, loop, i, pairs[i][0]);
    *out = c;
    return ERR_OK;
}

uint64_t child_pid(const struct child *c)
{
    return (uint64_t)c->pid;
}

void *child_tag(const struct child *c)
{
    return c->tag;
}

void child_set_tag(struct child *c, void *tag)
{
    c->tag = tag;
}

static void on_written(uv_write_t *req, int status)
{
    (void)status; /* a child that closed its end is none of our business: it will end */
    free(CONTAINER_OF(req, struct pending_write, req));
}

bool child_write(struct child *c, struct str line)
{
    uv_stream_t *to = (uv_stream_t *)&c->streams[STREAM_CHANNEL].pipe;
    char newline[] = "\n";
    if (!c->streams[STREAM_CHANNEL].open || c->ended ||
        uv_stream_get_write_queue_size(to) + line.n >= CHILD_QUEUE_MAX)
        return false;
    uv_buf_t v[2] = {uv_buf_init((char *)line.p, (unsigned)line.n), uv_buf_init(newline, 1)};
    int n = uv_try_write(to, v, 2);
    size_t done = n > 0 ? (size_t)n : 0, rest = line.n + 1 - done;
    if (rest == 0)
        return true;
    if (n < 0 && n != UV_EAGAIN)
        return false;
    struct pending_write *w = alloc_zero(sizeof *w + line.n + 1);
    memcpy(w->bytes, line.p, line.n);
    w->bytes[line.n] = '\n';
    uv_buf_t b = uv_buf_init(w->bytes + done, (unsigned)rest);
    if (uv_write(&w->req, to, &b, 1, on_written) == 0)
        return true;
    free(w);
    return false;
}

void child_signal(struct child *c, int signal)
{
    if (!c->ended)
        kill(-c->pid, signal);
}

void child_ask(struct child *c, int signal)
{
    if (!c->ended)
        kill(c->pid, signal);
}

void child_abandon(struct child *c)
{
    child_signal(c, SIGKILL);
    bury(c);
}
