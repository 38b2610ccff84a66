/* The end of a parent process, seen through a descriptor. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "fdwatch.h"
#include "clock.h"

struct watcher {
    struct loop loop;
    struct fdwatch *watch;
    int ends;
};

static void on_end(void *self)
{
    struct watcher *w = self;
    w->ends++;
    fdwatch_close(w->watch);
    loop_stop(&w->loop);
}

static void close_other_end(struct loop *l, int64_t now)
{
    (void)now;
    close(*(int *)l->uv.data);
}

/* Something is written first, which is no end. */
static void check_end(int watched, int other)
{
    struct watcher w = {.ends = 0};
    assert_int_equal(loop_init(&w.loop, NULL), ERR_OK);
    assert_int_equal(fdwatch_open(&w.watch, &w.loop, watched, on_end, &w, NULL), ERR_OK);
    assert_int_equal(write(other, "text", 4), 4);
    w.loop.uv.data = &other;
    w.loop.on_wake = close_other_end;
    loop_wake_at(&w.loop, clock_now() + 20 * NS_PER_MS);
    assert_int_equal(loop_run(&w.loop), ERR_OK);
    assert_int_equal(w.ends, 1);
    loop_fini(&w.loop);
    close(watched);
}

static void test_pipe(void **state)
{
    (void)state;
    int fd[2];
    assert_int_equal(pipe(fd), 0);
    check_end(fd[0], fd[1]);
}

static void test_socket(void **state)
{
    (void)state;
    int fd[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    check_end(fd[0], fd[1]);
}

static void test_what_cannot_be_watched(void **state)
{
    (void)state;
    struct watcher w = {.ends = 0};
    struct errmsg em;
    assert_int_equal(loop_init(&w.loop, NULL), ERR_OK);
    assert_int_equal(fdwatch_open(&w.watch, &w.loop, 987, on_end, &w, &em), ERR_INVALID);
    int fd = open("/proc/self/exe", O_RDONLY);
    assert_int_equal(fdwatch_open(&w.watch, &w.loop, fd, on_end, &w, &em), ERR_INVALID);
    close(fd);
    fdwatch_close(NULL);
    loop_fini(&w.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pipe),
        cmocka_unit_test(test_socket),
        cmocka_unit_test(test_what_cannot_be_watched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
