/* The libuv loop of a process: one timer for the core, signals, and what systemd and a parent
 * process want to hear.
 *
 * Every program owns one. Deadlines are in clock_now(), which counts on while a machine is
 * suspended; libuv's timers do not, so the timer looks at the clock again every few seconds. Knows
 * nothing of messages. */
#include "loop.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "clock.h"
#include "str.h"

#define LONGEST_SLEEP_MS 5000

static void on_timer(uv_timer_t *t);

static void timer_arm(struct loop *l)
{
    if (l->wake_at == CLOCK_NEVER) {
        uv_timer_stop(&l->wake);
        return;
    }
    int64_t now = clock_now();
    int64_t ms = 0;
    if (l->wake_at > now)
        ms = (l->wake_at - now - 1) / NS_PER_MS + 1;
    if (ms > LONGEST_SLEEP_MS)
        ms = LONGEST_SLEEP_MS;
    uv_update_time(&l->uv);
    uv_timer_start(&l->wake, on_timer, (uint64_t)ms, 0);
}

/* Timers run before the loop waits, on_turn after it: what a wake-up wants to send must not wait
 * for the next event. */
static void on_timer(uv_timer_t *t)
{
    struct loop *l = t->data;
    int64_t now = clock_now();
    if (now < l->wake_at) {
        timer_arm(l);
        return;
    }
    l->wake_at = CLOCK_NEVER;
    if (l->on_wake)
        l->on_wake(l, now);
    if (l->on_turn)
        l->on_turn(l, now);
}

static void on_check(uv_check_t *c)
{
    struct loop *l = c->data;
    if (l->on_turn)
        l->on_turn(l, clock_now());
}

static void on_stop_signal(uv_signal_t *s, int number)
{
    struct loop *l = s->data;
    (void)number;
    l->stops++;
    if (l->on_stop)
        l->on_stop(l, l->stops);
    else
        loop_stop(l);
}

static void on_hup_signal(uv_signal_t *s, int number)
{
    struct loop *l = s->data;
    (void)number;
    if (l->on_hup)
        l->on_hup(l);
}

err_t loop_init(struct loop *l, struct errmsg *em)
{
    memset(l, 0, sizeof *l);
    l->wake_at = CLOCK_NEVER;
    signal(SIGPIPE, SIG_IGN);
    int r = uv_loop_init(&l->uv);
    if (r)
        return errmsg_set(em, ERR_IO, "the event loop cannot start: %s", uv_strerror(r));
    uv_timer_init(&l->uv, &l->wake);
    uv_check_init(&l->uv, &l->check);
    uv_signal_init(&l->uv, &l->term);
    uv_signal_init(&l->uv, &l->intr);
    uv_signal_init(&l->uv, &l->hup);
    l->wake.data = l->check.data = l->term.data = l->intr.data = l->hup.data = l;
    /* libuv runs check handles from the last started to the first: this one, behind those of the
     * sockets. */
    uv_check_start(&l->check, on_check);
    r = uv_signal_start(&l->term, on_stop_signal, SIGTERM);
    if (!r)
        r = uv_signal_start(&l->intr, on_stop_signal, SIGINT);
    if (!r)
        r = uv_signal_start(&l->hup, on_hup_signal, SIGHUP);
    if (r) {
        loop_fini(l);
        return errmsg_set(em, ERR_IO, "signals cannot be caught: %s", uv_strerror(r));
    }
    return ERR_OK;
}

void loop_wake_at(struct loop *l, int64_t at)
{
    if (at == l->wake_at)
        return;
    l->wake_at = at;
    timer_arm(l);
}

err_t loop_run(struct loop *l)
{
    uv_run(&l->uv, UV_RUN_DEFAULT);
    return ERR_OK;
}

void loop_stop(struct loop *l)
{
    uv_stop(&l->uv);
}

static void close_left(uv_handle_t *h, void *unused)
{
    (void)unused;
    if (!uv_is_closing(h))
        uv_close(h, NULL);
}

void loop_fini(struct loop *l)
{
    l->on_wake = l->on_turn = NULL;
    uv_walk(&l->uv, close_left, NULL);
    while (uv_run(&l->uv, UV_RUN_DEFAULT) != 0)
        continue; /* a pending uv_stop() ends a run early */
    REQUIRE(uv_loop_close(&l->uv) == 0);
}

static void notify_systemd(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    if (!path || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof to.sun_path)
        return;
    size_t n = strlen(path);
    memcpy(to.sun_path, path, n);
    if (path[0] == '@')
        to.sun_path[0] = 0; /* a name in the abstract space */
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return;
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
    /* Nobody may be listening any more; there is nothing to do about that. */
    (void)!sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&to, size);
    close(fd);
}

void loop_notify(const char *state, int ready_fd)
{
    static const char ready[] = "READY=1\n";
    notify_systemd(state);
    if (ready_fd < 0 || strcmp(state, "READY=1") != 0)
        return;
    while (write(ready_fd, ready, sizeof ready - 1) < 0 && errno == EINTR)
        continue;
    close(ready_fd);
}

int64_t loop_watchdog_interval(void)
{
    const char *text = getenv("WATCHDOG_USEC");
    const char *pid = getenv("WATCHDOG_PID");
    int64_t us, wanted;
    if (!text || !str_to_i64(str_of(text), &us) || us <= 0 || us > INT64_MAX / 1000)
        return 0;
    if (pid && (!str_to_i64(str_of(pid), &wanted) || wanted != (int64_t)getpid()))
        return 0;
    return us * 1000 / 2;
}
