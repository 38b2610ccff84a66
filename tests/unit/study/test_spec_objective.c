/* The objective: every member, and what is refused. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "study_fixture.h"

#define DIGEST "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static void all_members(void **state)
{
    (void)state;
    struct spec *s =
        fixture_spec_with("objective:\n"
                          "  command: [python3, train.py]\n"
                          "  dir: sub/dir\n"
                          "  files: [./train.py, data/x.csv, {path: big, digest: " DIGEST
                          ", size: 12, executable: true}]\n"
                          "  metric: val/acc\n"
                          "  direction: maximize\n"
                          "  serve: true\n"
                          "  scrape: {pattern: 'acc=(?<acc>\\S+)', step: 'epoch (?<step>\\d+)'}\n"
                          "  env: {OMP_NUM_THREADS: 1, MODE: fast, DEBUG: true, EMPTY: ''}\n"
                          "  timeout: 1.5\n"
                          "  grace: 0\n"
                          "  checkpoint: {ask: USR2, within: 90s}\n"
                          "  resources: {cpu: 0.5, gpu: 2, memory: 1048576}\n"
                          "  labels: [fast-disk, zone=a]\n");
    const struct objective *o = &s->objective;
    assert_true(str_is(o->dir, "sub/dir") && str_is(o->metric, "val/acc"));
    assert_true(o->maximize && o->serve);
    assert_int_equal(o->n_files, 3);
    assert_true(str_is(o->files[0].path, "train.py") && !o->files[0].has_digest);
    assert_true(str_is(o->files[2].path, "big") && o->files[2].has_digest);
    assert_true(o->files[2].digest.b[1] == 0x11 && o->files[2].size == 12 &&
                o->files[2].executable);
    assert_true(str_is(o->scrape_pattern, "acc=(?<acc>\\S+)"));
    assert_true(str_is(o->scrape_step, "epoch (?<step>\\d+)"));
    assert_int_equal(o->n_env, 4);
    assert_true(str_is(o->env[0].name, "OMP_NUM_THREADS") && str_is(o->env[0].value, "1"));
    assert_true(str_is(o->env[2].value, "true") && o->env[3].value.n == 0);
    assert_int_equal(o->timeout_ns, INT64_C(1500000000));
    assert_int_equal(o->grace_ns, 0);
    assert_int_equal(o->checkpoint_ask, CHECKPOINT_BY_SIGNAL);
    assert_int_equal(o->checkpoint_signal, SIGUSR2);
    assert_true(o->checkpoint_within_ns == INT64_C(90000000000));
    assert_true(o->cpu == 0.5 && o->gpu == 2 && o->memory == 1048576);
    assert_int_equal(o->n_labels, 2);
    assert_true(str_is(o->labels[1], "zone=a"));
    spec_free(s);
}

static void faults(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"comand: [x]", "objective.comand: unknown member; did you mean \"command\"?"},
        {"dir: /tmp", "objective.dir: \"/tmp\" is absolute; expected a relative path"},
        {"dir: a/../b", "objective.dir: \"a/../b\": expected a path without ..."},
        {"dir: ''", "objective.dir: must not be empty"},
        {"files: train.py",
         "objective.files: \"train.py\" is not a list; expected one such as ..."},
        {"files: [../x]", "objective.files[0]: \"../x\": expected a path without ..."},
        {"files: [a//b]", "objective.files[0]: \"a//b\": expected a path without ..."},
        {"files: [a/]", "objective.files[0]: \"a/\" ends with \"/\""},
        {"files: [.]", "objective.files[0]: \".\" is not a file"},
        {"files: [/etc/passwd]", "objective.files[0]: \"/etc/passwd\" is absolute; ..."},
        {"files: [a, ./a]", "objective.files[1]: \"a\" stands twice"},
        {"files: [{digest: x}]", "objective.files[0].path: missing; ..."},
        {"files: [{path: a, digest: zz}]", "objective.files[0].digest: ..."},
        {"files: [{path: a, size: -1}]", "objective.files[0].size: -1 is out of range; ..."},
        {"files: [{path: a, exec: true}]", "objective.files[0].exec: unknown member..."},
        {"metric: step", "objective.metric: \"step\" has a meaning of its own in reports"},
        {"metric: ''", "objective.metric: must not be empty"},
        {"direction: min", "objective.direction: \"min\" is neither minimize nor maximize"},
        {"direction: 1", "objective.direction: 1 is neither minimize nor maximize"},
        {"serve: yes", "objective.serve: \"yes\" is neither true nor false"},
        {"scrape: 'x=(.*)'",
         "objective.scrape: \"x=(.*)\" is not a group of members; expected one such as ..."},
        {"scrape: {step: x}", "objective.scrape.pattern: missing; ..."},
        {"checkpoint: line",
         "objective.checkpoint: \"line\" is not a group of members; expected one "
         "such as {ask: line} or {ask: SIGUSR1}"},
        {"checkpoint: {within: 5s}", "objective.checkpoint.ask: missing; ..."},
        {"checkpoint: {ask: lines}", "objective.checkpoint.ask: \"lines\" is no way to ask; ..."},
        {"checkpoint: {ask: SIGKILL}", "objective.checkpoint.ask: \"SIGKILL\" is no way to ask; "
                                       "expected line, SIGUSR1, ..."},
        {"checkpoint: {ask: 10}", "objective.checkpoint.ask: 10 is no way to ask; ..."},
        {"checkpoint: {ask: line, within: 0}",
         "objective.checkpoint.within: 0 is out of range; ..."},
        {"checkpoint: {ask: line, dir: x}", "objective.checkpoint.dir: unknown member"},
        {"env: {A B: 1}", "objective.env.A B: not a name for a variable; ..."},
        {"env: {1A: 1}", "objective.env.1A: not a name for a variable; ..."},
        {"env: {TUNEFARM_FD: 1}", "objective.env.TUNEFARM_FD: not a name for a variable; ..."},
        {"env: {A: [1]}", "objective.env.A: [1] is not a text"},
        {"env: [A]", "objective.env: [\"A\"] is not a group; ..."},
        {"timeout: 0", "objective.timeout: 0 is out of range; ..."},
        {"timeout: 10 minutes", "objective.timeout: \"10 minutes\" is not a duration; ..."},
        {"resources: {cpu: -1}", "objective.resources.cpu: -1 is out of range; ..."},
        {"resources: {gpu: 0.5}", "objective.resources.gpu: 0.5 is not a whole number"},
        {"resources: {memory: lots}", "objective.resources.memory: \"lots\" is not a size; ..."},
        {"resources: {ram: 1}", "objective.resources.ram: unknown member"},
        {"labels: [a, 'b,c']", "objective.labels[1]: a label holds no comma and no space"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf b;
        buf_init(&b, 0);
        buf_printf(&b, "objective:\n  %s\n", rows[i][0]);
        fixture_spec_with_fault(buf_z(&b), rows[i][1]);
        buf_fini(&b);
    }
}

static void too_many_files(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 0);
    buf_addz(&b, "objective: {files: [f");
    for (int i = 0; i < SPEC_MAX_FILES; i++)
        buf_printf(&b, ", f%d", i);
    buf_addz(&b, "]}\n");
    fixture_spec_with_fault(buf_z(&b),
                            "objective.files: has 257 elements; at most 256 are allowed");
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_members),
        cmocka_unit_test(faults),
        cmocka_unit_test(too_many_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
