/* The loop: wake-ups, signals, ready messages, orderly end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "loop.h"
#include "clock.h"
#include "str.h"
#include "tempdir.h"

static int wakes, turns, stops, hups;

static void on_wake(struct loop *l, int64_t now)
{
    (void)now;
    if (++wakes < 3)
        loop_wake_at(l, clock_now() + NS_PER_MS);
    else
        loop_stop(l);
}

static void on_turn(struct loop *l, int64_t now)
{
    (void)l;
    (void)now;
    turns++;
}

static void test_wake_ups(void **state)
{
    (void)state;
    struct loop l;
    wakes = turns = 0;
    assert_int_equal(loop_init(&l, NULL), ERR_OK);
    l.on_wake = on_wake;
    l.on_turn = on_turn;
    loop_wake_at(&l, CLOCK_NEVER);
    loop_wake_at(&l, clock_now() + 3600 * NS_PER_S);
    int64_t start = clock_now();
    loop_wake_at(&l, start + 20 * NS_PER_MS);
    assert_int_equal(loop_run(&l), ERR_OK);
    assert_int_equal(wakes, 3);
    assert_true(turns >= 3); /* what a wake-up wants to send is not kept waiting */
    assert_true(clock_now() - start >= 20 * NS_PER_MS);
    loop_fini(&l);
}

static void test_due_in_the_past_runs_at_once(void **state)
{
    (void)state;
    struct loop l;
    wakes = 2;
    assert_int_equal(loop_init(&l, NULL), ERR_OK);
    l.on_wake = on_wake;
    loop_wake_at(&l, 1);
    assert_int_equal(loop_run(&l), ERR_OK);
    assert_int_equal(wakes, 3);
    loop_fini(&l);
}

static void on_stop(struct loop *l, int n)
{
    stops = n;
    if (n == 1)
        raise(SIGINT);
    else
        loop_stop(l);
}

static void on_hup(struct loop *l)
{
    (void)l;
    hups++;
    raise(SIGTERM);
}

static void test_signals(void **state)
{
    (void)state;
    struct loop l;
    stops = hups = 0;
    assert_int_equal(loop_init(&l, NULL), ERR_OK);
    l.on_stop = on_stop;
    l.on_hup = on_hup;
    raise(SIGPIPE); /* ignored */
    raise(SIGHUP);
    assert_int_equal(loop_run(&l), ERR_OK);
    assert_int_equal(stops, 2);
    assert_int_equal(hups, 1);
    loop_fini(&l);
}

static void test_open_handles_are_closed_at_the_end(void **state)
{
    (void)state;
    struct loop l;
    uv_timer_t t;
    assert_int_equal(loop_init(&l, NULL), ERR_OK);
    uv_timer_init(&l.uv, &t);
    loop_stop(&l);
    loop_fini(&l);
}

static void test_ready_message(void **state)
{
    (void)state;
    int fd[2];
    char text[32] = "";
    assert_int_equal(pipe(fd), 0);
    unsetenv("NOTIFY_SOCKET");
    loop_notify("STATUS=x", fd[1]);
    loop_notify("READY=1", fd[1]);
    assert_int_equal(read(fd[0], text, sizeof text), 8);
    assert_memory_equal(text, "READY=1\n", 8);
    assert_int_equal(read(fd[0], text, sizeof text), 0); /* closed */
    close(fd[0]);
}

static void test_systemd(void **state)
{
    (void)state;
    struct tempdir d;
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    char path[256], text[64] = "";
    tempdir_make(&d);
    tempdir_file(&d, "notify", path, sizeof path);
    assert_true(str_copyz(a.sun_path, sizeof a.sun_path, str_of(path)));
    int s = socket(AF_UNIX, SOCK_DGRAM, 0);
    assert_int_equal(bind(s, (struct sockaddr *)&a, sizeof a), 0);
    setenv("NOTIFY_SOCKET", path, 1);
    loop_notify("STATUS=serving", -1);
    assert_int_equal(recv(s, text, sizeof text, MSG_DONTWAIT), 14);
    assert_string_equal(text, "STATUS=serving");
    close(s);
    loop_notify("READY=1", -1); /* nobody listens: no harm */
    setenv("NOTIFY_SOCKET", "relative", 1);
    loop_notify("READY=1", -1);
    unsetenv("NOTIFY_SOCKET");
    tempdir_remove(&d);
}

static void test_watchdog_interval(void **state)
{
    (void)state;
    unsetenv("WATCHDOG_PID");
    setenv("WATCHDOG_USEC", "3000000", 1);
    assert_true(loop_watchdog_interval() == 1500 * NS_PER_MS);
    setenv("WATCHDOG_PID", "1", 1);
    assert_true(loop_watchdog_interval() == 0);
    unsetenv("WATCHDOG_PID");
    setenv("WATCHDOG_USEC", "99999999999999999999", 1);
    assert_true(loop_watchdog_interval() == 0);
    unsetenv("WATCHDOG_USEC");
    assert_true(loop_watchdog_interval() == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wake_ups),
        cmocka_unit_test(test_due_in_the_past_runs_at_once),
        cmocka_unit_test(test_signals),
        cmocka_unit_test(test_open_handles_are_closed_at_the_end),
        cmocka_unit_test(test_ready_message),
        cmocka_unit_test(test_systemd),
        cmocka_unit_test(test_watchdog_interval),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
