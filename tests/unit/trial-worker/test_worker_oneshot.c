/* The real tunefarm-worker runs plain programs for a fake broker: results from the channel, from
 * output, from exit statuses; errors as sentences; files, directories and environment. */
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake_broker.h"

static const char *const two_slots[] = {"--slots", "2", NULL};

static int setup(void **state)
{
    static struct fake_broker b;
    fake_open(&b);
    fake_worker(&b, two_slots);
    *state = &b;
    return 0;
}

static int teardown(void **state)
{
    fake_close(*state);
    return 0;
}

/* A spec that runs a shell script; more: further members of the objective. script must be legal
 * inside JSON; its braces are doubled, for they would be placeholders. */
static struct digest shell(struct fake_broker *b, const char *plain, const char *more)
{
    char json[8192], script[4096];
    size_t k = 0;
    for (; *plain; plain++) {
        assert_true(k + 3 < sizeof script);
        script[k++] = *plain;
        if (*plain == '{' || *plain == '}')
            script[k++] = *plain;
    }
    script[k] = 0;
    int n = snprintf(json, sizeof json,
                     "{\"study\":\"unit\",\"objective\":{\"command\":[\"/bin/"
                     "sh\",\"-c\",\"%s\"],\"metric\":\"loss\"%s},"
                     "\"space\":{\"lr\":{\"float\":[0,1]}}}",
                     script, more);
    assert_true(n > 0 && (size_t)n < sizeof json);
    return fake_blob(b, json, (size_t)n);
}

static const struct msg_final *run(struct fake_broker *b, struct digest spec)
{
    fake_assign(b, spec, "{\"lr\":0.25}");
    return &fake_expect(b, MSG_FINAL)->final;
}

static void assert_has(struct str text, const char *part)
{
    char z[4200];
    assert_true(str_copyz(z, sizeof z, text));
    if (!strstr(z, part))
        fail_msg("\"%s\" is not in \"%s\"", part, z);
}

static void reports_and_final(void **state)
{
    struct fake_broker *b = *state;
    struct digest d =
        shell(b,
              "echo '{\\\"step\\\":1,\\\"loss\\\":0.5,\\\"acc\\\":0.8}' >&3; "
              "echo '{\\\"step\\\":2,\\\"loss\\\":0.4}' >&3; echo '{\\\"loss\\\":0.3}' >&3",
              "");
    fake_assign(b, d, "{\"lr\":0.25}");
    const union message *m = fake_expect_next(b, MSG_START);
    assert_int_equal(m->start.trial, 1);
    assert_true(m->start.pid > 0);
    uint32_t points = 0;
    while (points < 2) { /* may come in one message or in two */
        m = fake_expect_next(b, MSG_REPORT);
        const struct point *p = &m->report.points.v[0];
        if (points == 0) {
            assert_int_equal(p->step, 1);
            assert_true(p->has_value && p->value == 0.5);
            assert_true(str_is(p->metrics, "{\"acc\":0.8}"));
        }
        points += m->report.points.n;
    }
    m = fake_expect_next(b, MSG_FINAL);
    assert_int_equal(m->final.status, FINAL_OK);
    assert_true(m->final.has_value && m->final.value == 0.3);
    assert_int_equal(m->final.last_step, 2);
    assert_int_equal(m->final.exit_code, 0);
}

static void last_report_is_final(void **state)
{
    const struct msg_final *f =
        run(*state, shell(*state, "echo '{\\\"step\\\":7,\\\"loss\\\":NaN}' >&3", ""));
    assert_int_equal(f->status, FINAL_OK);
    assert_true(f->has_value && isnan(f->value));
    assert_int_equal(f->last_step, 7);
}

static void exit_status_is_an_error(void **state)
{
    const struct msg_final *f = run(*state, shell(*state, "echo one; echo two >&2; exit 3", ""));
    assert_int_equal(f->status, FINAL_ERROR);
    assert_int_equal(f->exit_code, 3);
    assert_false(f->no_retry);
    assert_has(f->error, "exit status 3; last output: one\ntwo");
}

static void signal_is_an_error(void **state)
{
    const struct msg_final *f = run(*state, shell(*state, "kill -SEGV $$", ""));
    assert_int_equal(f->signal, SIGSEGV);
    assert_has(f->error, "killed by SIGSEGV (signal 11)");
}

static void no_metric_is_not_tried_again(void **state)
{
    const struct msg_final *f = run(
        *state, shell(*state, "echo '{\\\"step\\\":1,\\\"los\\\":1}' >&3; echo garbage >&3", ""));
    assert_int_equal(f->status, FINAL_ERROR);
    assert_true(f->no_retry);
    assert_has(f->error, "the program ended without reporting \"loss\"");
    assert_has(f->error, "no JSON");
}

static void missing_program_is_not_tried_again(void **state)
{
    struct fake_broker *b = *state;
    static const char json[] =
        "{\"study\":\"unit\",\"objective\":{\"command\":[\"./nothing\",\"{lr}\"]},"
        "\"space\":{\"lr\":{\"float\":[0,1]}}}";
    const struct msg_final *f = run(b, fake_blob(b, json, sizeof json - 1));
    assert_int_equal(f->status, FINAL_ERROR);
    assert_true(f->no_retry);
    assert_has(f->error, "./nothing cannot be started: No such file or directory");
}

static void timeout_is_an_error(void **state)
{
    const struct msg_final *f = run(
        *state, shell(*state, "sleep 100 & wait", ",\"timeout\":\"300ms\",\"grace\":\"100ms\""));
    assert_int_equal(f->status, FINAL_ERROR);
    assert_has(f->error, "timed out after 0.3s");
}

static void params_outside_the_space(void **state)
{
    struct fake_broker *b = *state;
    fake_assign(b, shell(b, "true", ""), "{\"lr\":2}");
    const struct msg_final *f = &fake_expect(b, MSG_FINAL)->final;
    assert_true(f->no_retry);
    assert_has(f->error, "lr: 2 is out of bounds");
}

static void bad_spec(void **state)
{
    struct fake_broker *b = *state;
    const struct msg_final *f = run(b, fake_blob(b, "{\"study\":1}", 11));
    assert_true(f->no_retry);
    assert_has(f->error, "this worker cannot use the study's specification");
}

static void unknown_blob(void **state)
{
    struct fake_broker *b = *state;
    struct digest d = {{1, 2, 3}};
    const struct msg_final *f = run(b, d);
    assert_true(f->no_retry);
    assert_has(f->error, "the farm does not have");
}

static void scraped_from_output(void **state)
{
    struct fake_broker *b = *state;
    const struct msg_final *f =
        run(b, shell(b, "echo epoch 4; echo val loss=0.75, lr=1; echo val loss=0.5 >&2",
                     ",\"scrape\":{\"pattern\":\"loss=(?<loss>\\\\S+)\",\"step\":\"epoch "
                     "(?<step>\\\\d+)\"}"));
    assert_int_equal(f->status, FINAL_OK);
    assert_true(f->value == 0.75); /* standard error is not scraped */
    assert_int_equal(f->last_step, 4);
    f = run(b, shell(b, "echo nothing here", ",\"scrape\":{\"pattern\":\"loss=(?<loss>\\\\S+)\"}"));
    assert_has(f->error, "no line of its output matched the pattern");
    f = run(b, shell(b, "echo nothing here", ",\"scrape\":{\"pattern\":\"loss=(\\\\S+)\"}"));
    assert_true(f->no_retry);
    assert_has(f->error, "objective.scrape.pattern: expected a group");
}

static void arguments_environment_and_files(void **state)
{
    struct fake_broker *b = *state;
    static const char script[] =
        "#!/bin/sh\n"
        "test \"$1\" = --lr=0.25 || exit 11\n"
        "test \"$TUNEFARM_P_LR\" = 0.25 || exit 12\n"
        "test \"$TUNEFARM_PARAMS\" = '{\"lr\":0.25}' || exit 13\n"
        "test \"$TUNEFARM_STUDY/$TUNEFARM_TRIAL/$TUNEFARM_ATTEMPT/$TUNEFARM_SEED\" = unit/1/1/42 "
        "|| exit 14\n"
        "test -d \"$TUNEFARM_DIR\" || exit 15\n"
        "test \"$MINE\" = yes || exit 16\n"
        "test \"$(umask)\" = 0077 || exit 17\n"
        "test \"$(cat data/x.txt)\" = hello || exit 18\n"
        "test \"$(ulimit -c)\" = 0 || exit 19\n"
        "read line <&3; echo \"$line\"\n"
        "echo '{\"loss\":1}' >&3\n";
    struct digest s = fake_blob(b, script, sizeof script - 1), x = fake_blob(b, "hello", 5);
    char sh[65], xh[65], json[2048];
    str_hex(sh, s.b, 32);
    str_hex(xh, x.b, 32);
    int n = snprintf(
        json, sizeof json,
        "{\"study\":\"unit\",\"objective\":{\"command\":[\"./"
        "run.sh\",\"--lr={lr}\"],\"env\":{\"MINE\":\"yes\"},"
        "\"files\":[{\"path\":\"run.sh\",\"digest\":\"%s\",\"size\":%zu,\"executable\":true},"
        "{\"path\":\"data/"
        "x.txt\",\"digest\":\"%s\",\"size\":5}]},\"space\":{\"lr\":{\"float\":[0,1]}}}",
        sh, sizeof script - 1, xh);
    struct digest spec = fake_blob(b, json, (size_t)n);
    fake_assign(b, spec, "{\"lr\":0.25}");
    const union message *m = fake_expect(b, MSG_FINAL);
    assert_int_equal(m->final.exit_code, 0);
    assert_int_equal(m->final.status, FINAL_OK);
    unsigned wanted = b->wanted_blobs;
    struct msg_get_log get = {.trial = 1, .study_name = STR("unit")};
    fake_send(b, MSG_GET_LOG, &get);
    m = fake_expect(b, MSG_LOG_TEXT);
    assert_has(m->log_text.bytes, "{\"trial\":1,\"attempt\":1,\"seed\":42,\"params\":{\"lr\":0.25},"
                                  "\"resume\":null,\"decide\":[],\"dir\":\"");
    (void)run(b, spec);
    assert_int_equal(b->wanted_blobs, wanted); /* brought once */
    get.trial = 77;
    fake_send(b, MSG_GET_LOG, &get);
    assert_has(fake_expect(b, MSG_LOG_TEXT)->log_text.error, "no output of that attempt");
}

static void stop_prunes_with_the_last_value(void **state)
{
    struct fake_broker *b = *state;
    struct digest d =
        shell(b, "echo '{\\\"step\\\":1,\\\"loss\\\":0.5}' >&3; sleep 100 & wait", "");
    uint64_t trial = fake_assign(b, d, "{\"lr\":0.25}");
    fake_expect(b, MSG_REPORT);
    struct msg_stop stop = {
        .study = 3, .trial = trial, .attempt = 1, .why = STOP_PRUNE, .grace_ms = 60000};
    fake_send(b, MSG_STOP, &stop);
    const struct msg_final *f = &fake_expect(b, MSG_FINAL)->final;
    assert_int_equal(f->status, FINAL_PRUNED);
    assert_true(f->has_value && f->value == 0.5);
    assert_int_equal(f->signal, SIGTERM);
}

static void stubborn_program_is_killed(void **state)
{
    struct fake_broker *b = *state;
    struct digest d = shell(
        b,
        "trap '' TERM; echo '{\\\"step\\\":1,\\\"loss\\\":0.5}' >&3; while :; do sleep 0.05; done",
        "");
    uint64_t trial = fake_assign(b, d, "{\"lr\":0.25}");
    fake_expect(b, MSG_REPORT);
    struct msg_stop stop = {
        .study = 3, .trial = trial, .attempt = 1, .why = STOP_CANCEL, .grace_ms = 200};
    fake_send(b, MSG_STOP, &stop);
    const struct msg_final *f = &fake_expect(b, MSG_FINAL)->final;
    assert_int_equal(f->status, FINAL_PRUNED);
    assert_int_equal(f->signal, SIGKILL);
}

/* A grandchild in the background must not outlive its attempt; nothing is said of one that was
 * killed. */
static void kill_leaves_nothing(void **state)
{
    struct fake_broker *b = *state;
    char file[200];
    snprintf(file, sizeof file, "%s/pid", b->dir.path);
    char script[512];
    snprintf(script, sizeof script,
             "sleep 1000 & echo $! > %s; echo '{\\\"step\\\":1,\\\"loss\\\":0.5}' >&3; wait", file);
    uint64_t trial = fake_assign(b, shell(b, script, ""), "{\"lr\":0.25}");
    fake_expect(b, MSG_REPORT);
    FILE *f = fopen(file, "r");
    int pid = 0;
    assert_true(f && fscanf(f, "%d", &pid) == 1 && pid > 0);
    fclose(f);
    struct msg_kill m = {.study = 3, .trial = trial, .attempt = 1, .why = STOP_SUPERSEDED};
    fake_send(b, MSG_KILL, &m);
    fake_assign(b, shell(b, "echo '{\\\"loss\\\":1}' >&3", ""), "{\"lr\":0.5}");
    assert_int_equal(fake_expect(b, MSG_FINAL)->final.trial, trial + 1);
    while (b->n_held > 0) /* the next beats */
        fake_serve(b, 50);
    for (int i = 0; i < 600 && kill(pid, 0) == 0; i++) { /* a zombie waits for init */
        char path[64], stat[256] = "";
        snprintf(path, sizeof path, "/proc/%d/stat", pid);
        FILE *s = fopen(path, "r");
        if (!s)
            break;
        size_t got = fread(stat, 1, sizeof stat - 1, s);
        fclose(s);
        if (got > 0 && strstr(stat, ") Z "))
            break;
        assert_true(i < 599);
        usleep(100000);
    }
}

static void every_slot_is_used_again(void **state)
{
    struct fake_broker *b = *state;
    struct digest d = shell(b, "echo '{\\\"loss\\\":1}' >&3", "");
    for (int i = 0; i < 12; i++)
        fake_assign(b, d, "{\"lr\":0.25}");
    for (int i = 0; i < 12; i++)
        fake_serve(b, 1);
    fake_serve(b, 200);
    while (b->credit < 14)
        fake_serve(b, 20);
    assert_int_equal(b->credit, 14);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(reports_and_final),
        T(last_report_is_final),
        T(exit_status_is_an_error),
        T(signal_is_an_error),
        T(no_metric_is_not_tried_again),
        T(missing_program_is_not_tried_again),
        T(timeout_is_an_error),
        T(params_outside_the_space),
        T(bad_spec),
        T(unknown_blob),
        T(scraped_from_output),
        T(arguments_environment_and_files),
        T(stop_prunes_with_the_last_value),
        T(stubborn_program_is_killed),
        T(kill_leaves_nothing),
        T(every_slot_is_used_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
