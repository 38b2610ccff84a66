/* Watches a descriptor whose other end a parent process holds. The parent writes nothing; its end,
 * by whatever cause, closes the pipe, which no signal or process number could tell as surely.
 *
 * Every daemon uses it for --parent-fd. */
#include "fdwatch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alloc.h"

struct fdwatch {
    uv_poll_t poll;
    int fd;
    void (*cb)(void *self);
    void *self;
};

/* True at end-of-file and for a broken descriptor. */
static bool other_end_gone(int fd)
{
    char skipped[256];
    for (;;) {
        ssize_t n = read(fd, skipped, sizeof skipped);
        if (n == 0)
            return true;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno != EAGAIN && errno != EWOULDBLOCK;
    }
}

static void on_readable(uv_poll_t *p, int status, int events)
{
    struct fdwatch *w = p->data;
    (void)events;
    if (status == 0 && !other_end_gone(w->fd))
        return;
    uv_poll_stop(p);
    w->cb(w->self);
}

err_t fdwatch_open(struct fdwatch **out, struct loop *l, int fd, void (*cb)(void *self), void *self,
                   struct errmsg *em)
{
    *out = NULL;
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        return errmsg_set(em, ERR_INVALID, "descriptor %d is not open: %s", fd, strerror(errno));
    struct fdwatch *w = alloc_zero(sizeof *w);
    *w = (struct fdwatch){.fd = fd, .cb = cb, .self = self};
    int r = uv_poll_init(&l->uv, &w->poll, fd);
    if (r) {
        free(w);
        return errmsg_set(em, ERR_INVALID, "descriptor %d is no pipe or socket: %s", fd,
                          uv_strerror(r));
    }
    w->poll.data = w;
    uv_poll_start(&w->poll, UV_READABLE, on_readable);
    *out = w;
    return ERR_OK;
}

static void on_closed(uv_handle_t *h)
{
    free(h->data);
}

void fdwatch_close(struct fdwatch *w)
{
    if (w)
        uv_close((uv_handle_t *)&w->poll, on_closed);
}
