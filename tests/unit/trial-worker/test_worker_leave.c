/* The real tunefarm-worker in lost sessions and at its end: resending, adoption, drain, release,
 * the parent's end, and what it says to wrong options. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake_broker.h"

static const char *const two_slots[] = {"--slots", "2", NULL};

static int setup(void **state)
{
    static struct fake_broker b;
    fake_open(&b);
    *state = &b;
    return 0;
}

static int teardown(void **state)
{
    fake_close(*state);
    return 0;
}

static struct digest command(struct fake_broker *b, const char *script)
{
    char json[2048];
    int n = snprintf(json, sizeof json,
                     "{\"study\":\"unit\",\"objective\":{\"command\":[\"/bin/"
                     "sh\",\"-c\",\"%s\"],\"grace\":\"300ms\"},"
                     "\"space\":{\"x\":{\"float\":[0,1]}}}",
                     script);
    return fake_blob(b, json, (size_t)n);
}

#define POINT  "echo '{{\\\"step\\\":1,\\\"loss\\\":0.5}}' >&3; "
#define RESULT "echo '{{\\\"loss\\\":0.25}}' >&3; "

static void stale(struct fake_broker *b)
{
    struct msg_error e = {
        .code = ERR_STALE, .name = STR("STALE"), .text = STR("the session is not current")};
    fake_send(b, MSG_ERROR, &e);
    fake_expect(b, MSG_HELLO);
}

static void hello_names_what_it_is(void **state)
{
    struct fake_broker *b = *state;
    static const char *const options[] = {"--slots",  "3",    "--gpus", "2",  "--memory", "1G",
                                          "--labels", "fast", "--name", "me", NULL};
    fake_worker(b, options);
    const struct msg_hello *h = &fake_expect(b, MSG_HELLO)->hello;
    assert_int_equal(h->role, ROLE_WORKER);
    assert_int_equal(h->slots, 3);
    assert_int_equal(h->have.n, 1);
    assert_true(h->have.v[0].cpu == 3 && h->have.v[0].gpu == 2 && h->have.v[0].memory == 1u << 30);
    assert_true(h->labels.n == 1 && str_is(h->labels.v[0], "fast"));
    assert_true(str_is(h->name, "me"));
    assert_true(h->pid == (uint64_t)b->worker);
}

static void result_is_sent_again_in_a_new_session(void **state)
{
    struct fake_broker *b = *state;
    fake_worker(b, two_slots);
    b->mute = true;
    uint64_t trial = fake_assign(b, command(b, POINT RESULT), "{\"x\":0}");
    fake_expect(b, MSG_FINAL);
    stale(b);
    assert_int_equal(b->n_held, 1);
    assert_int_equal(b->held[0].trial, trial);
    assert_int_equal(b->held[0].phase, 3);
    assert_true(b->held[0].has_step && b->held[0].last_step == 1);
    b->mute = false;
    fake_expect_next(b, MSG_START);
    fake_expect_next(b, MSG_REPORT);
    const struct msg_final *f = &fake_expect_next(b, MSG_FINAL)->final;
    assert_true(f->value == 0.25);
    do
        fake_expect(b, MSG_BEAT);
    while (b->n_held > 0);
}

static void adopted_attempt_goes_on_under_its_new_number(void **state)
{
    struct fake_broker *b = *state;
    fake_worker(b, two_slots);
    uint64_t trial = fake_assign(
        b, command(b, POINT "while test ! -e go; do sleep 0.02; done; " RESULT), "{\"x\":0}");
    fake_expect(b, MSG_REPORT);
    b->verdicts[0] = (struct verdict){
        .study = 3, .trial = trial, .attempt = 1, .verdict = VERDICT_ADOPT, .new_attempt = 5};
    b->n_verdicts = 1;
    stale(b);
    char go[200];
    snprintf(go, sizeof go, "touch $(echo %s/root/studies/unit-*)/go", b->dir.path);
    assert_int_equal(system(go), 0);
    const struct msg_final *f = &fake_expect(b, MSG_FINAL)->final;
    assert_int_equal(f->attempt, 5);
    assert_true(f->value == 0.25);
}

static void unwanted_attempt_is_killed_in_a_new_session(void **state)
{
    struct fake_broker *b = *state;
    fake_worker(b, two_slots);
    uint64_t trial = fake_assign(b, command(b, POINT "sleep 1000 & wait"), "{\"x\":0}");
    fake_expect(b, MSG_REPORT);
    b->verdicts[0] =
        (struct verdict){.study = 3, .trial = trial, .attempt = 1, .verdict = VERDICT_KILL};
    b->n_verdicts = 1;
    stale(b);
    while (b->credit < 2) /* both slots are free in the new session */
        fake_serve(b, 10);
    fake_expect(b, MSG_BEAT);
    assert_int_equal(b->n_held, 0);
}

static void drain_lets_trials_end(void **state)
{
    struct fake_broker *b = *state;
    fake_worker(b, two_slots);
    fake_assign(b, command(b, POINT "while test ! -e go; do sleep 0.02; done; " RESULT),
                "{\"x\":0}");
    fake_expect(b, MSG_REPORT);
    kill(b->worker, SIGTERM);
    fake_expect(b, MSG_DRAIN);
    char go[200];
    snprintf(go, sizeof go, "touch $(echo %s/root/studies/unit-*)/go", b->dir.path);
    assert_int_equal(system(go), 0);
    assert_int_equal(fake_expect(b, MSG_FINAL)->final.status, FINAL_OK);
    fake_expect(b, MSG_BYE);
    assert_int_equal(fake_wait_exit(b), 0);
}

static void drain_gives_back_at_its_deadline(void **state)
{
    struct fake_broker *b = *state;
    static const char *const options[] = {"--slots", "2", "--drain-timeout", "100ms", NULL};
    fake_worker(b, options);
    fake_assign(b, command(b, POINT "sleep 1000 & wait"), "{\"x\":0}");
    fake_expect(b, MSG_REPORT);
    kill(b->worker, SIGTERM);
    assert_int_equal(fake_expect(b, MSG_RELEASE)->release.why, RELEASE_DRAIN);
    assert_int_equal(fake_wait_exit(b), 0);
}

static void second_signal_gives_back_at_once(void **state)
{
    struct fake_broker *b = *state;
    fake_worker(b, two_slots);
    fake_assign(b, command(b, "trap '' TERM; " POINT "while :; do sleep 0.05; done"), "{\"x\":0}");
    fake_expect(b, MSG_REPORT);
    kill(b->worker, SIGTERM);
    fake_expect(b, MSG_DRAIN);
    kill(b->worker, SIGTERM);
    assert_int_equal(fake_expect(b, MSG_RELEASE)->release.why, RELEASE_DRAIN);
    assert_int_equal(fake_wait_exit(b), 0);
}

static void parents_end_is_its_end(void **state)
{
    struct fake_broker *b = *state;
    fake_worker(b, two_slots);
    fake_assign(b, command(b, POINT "sleep 1000 & wait"), "{\"x\":0}");
    fake_expect(b, MSG_REPORT);
    close(b->parent_fd);
    b->parent_fd = -1;
    fake_expect(b, MSG_RELEASE);
    assert_int_equal(fake_wait_exit(b), 0);
}

static void children_die_with_a_killed_worker(void **state)
{
    struct fake_broker *b = *state;
    fake_worker(b, two_slots);
    fake_assign(b, command(b, POINT "exec sleep 1000"), "{\"x\":0}");
    pid_t pid = (pid_t)fake_expect(b, MSG_START)->start.pid;
    fake_expect(b, MSG_REPORT);
    kill(b->worker, SIGKILL);
    assert_int_equal(fake_wait_exit(b), 1000 + SIGKILL);
    for (int i = 0; i < 3000; i++) { /* gone, or a zombie that waits for init */
        char path[64], stat[256] = "";
        snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
        FILE *s = fopen(path, "r");
        if (!s)
            return;
        size_t n = fread(stat, 1, sizeof stat - 1, s);
        fclose(s);
        if (n == 0 || strstr(stat, ") Z "))
            return;
        usleep(20000);
    }
    fail_msg("process %d lives on", (int)pid);
}

static void idle_exit(void **state)
{
    struct fake_broker *b = *state;
    static const char *const options[] = {"--idle-exit", "300ms", NULL};
    fake_worker(b, options);
    assert_int_equal(fake_wait_exit(b), 0);
}

static void assert_refused(const char *arguments, const char *sentence)
{
    char line[1024], said[2048] = "";
    snprintf(line, sizeof line, "%s %s 2>&1", FAKE_WORKER_PROGRAM, arguments);
    FILE *f = popen(line, "r");
    assert_non_null(f);
    size_t n = fread(said, 1, sizeof said - 1, f);
    int status = pclose(f);
    assert_true(n > 0);
    if (!strstr(said, sentence))
        fail_msg("\"%s\" is not in \"%s\"", sentence, said);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 2);
}

static void wrong_options(void **state)
{
    (void)state;
    assert_refused("", "--broker is needed");
    assert_refused("--broker http://x", "--broker");
    assert_refused("--broker ipc:///nowhere/b --slots 2000", "slots");
    assert_refused("--broker ipc:///nowhere/b --slot 2", "--slots");
    assert_refused("--broker ipc:///nowhere/b --gpus \"$(seq -s , 0 70)\"", "--gpus: at most 64");
    assert_refused("--broker ipc:///nowhere/b --cloud mars", "expected aws, google or azure");
    assert_refused("--broker ipc:///nowhere/b --cloud-address http://h", "needs --cloud");
    assert_refused("--broker ipc:///nowhere/b --cloud aws --cloud-address https://h",
                   "http://HOST");
    assert_refused("--broker ipc:///nowhere/b --cloud aws --cloud-address http://h/p",
                   "http://HOST");
    assert_refused("--broker ipc:///nowhere/b operand", "expected options only");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(hello_names_what_it_is),
        T(result_is_sent_again_in_a_new_session),
        T(adopted_attempt_goes_on_under_its_new_number),
        T(unwanted_attempt_is_killed_in_a_new_session),
        T(drain_lets_trials_end),
        T(drain_gives_back_at_its_deadline),
        T(second_signal_gives_back_at_once),
        T(parents_end_is_its_end),
        T(children_die_with_a_killed_worker),
        T(idle_exit),
        T(wrong_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
