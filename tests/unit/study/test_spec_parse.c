/* The top level of a spec: members, defaults, stop rules, known points, faults. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "study_fixture.h"

#define SECOND INT64_C(1000000000)

static const char whole_study[] =
    "study: digits-mlp\n"
    "objective:\n"
    "  command: [./mlp, --lr, \"{lr}\", --layers, \"{layers}\", --act, \"{act}\"]\n"
    "  dir: .\n"
    "  files: [mlp, digits.csv]\n"
    "  metric: loss\n"
    "  direction: minimize\n"
    "  timeout: 10m\n"
    "  resources: {cpu: 1, gpu: 0, memory: 2G}\n"
    "space:\n"
    "  lr:     {float: [1e-5, 1], log: true}\n"
    "  layers: {int: [1, 4]}\n"
    "  units:  {int: [16, 512], log: true, step: 16}\n"
    "  act:    {choice: [relu, tanh, gelu]}\n"
    "  opt:\n"
    "    choice:\n"
    "      - sgd:  {momentum: {float: [0, 0.99]}}\n"
    "      - adam: {beta2: {float: [0.9, 0.9999], log: reverse}}\n"
    "  gelu_scale: {float: [0.5, 2], when: {act: [gelu]}}\n"
    "sampler: {name: tpe, seed: 1}\n"
    "stop: {trials: 200, time: 2h, target: 0.02, plateau: {trials: 50}}\n"
    "parallel: 16\n";

static void whole(void **state)
{
    (void)state;
    struct spec *s = fixture_spec(whole_study);
    assert_true(str_is(s->study, "digits-mlp"));
    assert_int_equal(s->objective.n_command, 7);
    assert_true(str_is(s->objective.command[6], "{act}"));
    assert_int_equal(s->objective.n_files, 2);
    assert_int_equal(s->objective.timeout_ns, 600 * SECOND);
    assert_true(s->objective.memory == UINT64_C(2) << 30);
    assert_int_equal(s->space->n, 8);
    assert_true(str_is(s->sampler.name, "tpe") && s->sampler.has_seed && s->sampler.seed == 1);
    assert_int_equal(s->stop.trials, 200);
    assert_int_equal(s->stop.time_ns, 7200 * SECOND);
    assert_true(s->stop.has_target && s->stop.target == 0.02);
    assert_int_equal(s->stop.plateau_trials, 50);
    assert_int_equal(s->parallel, 16);
    assert_int_equal(spec_runnable(s, NULL), ERR_OK);
    spec_free(s);
}

static void defaults(void **state)
{
    (void)state;
    struct spec *s = fixture_spec("study: x\nspace: {a: {int: [0, 1]}}\n");
    struct errmsg em = {{0}};
    assert_int_equal(spec_runnable(s, &em), ERR_INVALID);
    fixture_sentence(em.text, "objective.command: missing; ...");
    assert_true(str_is(s->objective.metric, "loss") && !s->objective.maximize);
    assert_true(str_is(s->objective.dir, ".") && s->objective.grace_ns == 10 * SECOND);
    assert_true(s->objective.cpu == 1 && s->objective.gpu == 0 && s->objective.memory == 0);
    assert_true(str_is(s->sampler.name, "tpe") && s->sampler.preset.n == 0 && !s->sampler.options);
    assert_true(s->weight == 1 && s->priority == 0 && s->retries == 2 && s->ahead == 0);
    assert_true(s->retry_delay_ns == SECOND && s->parallel == 0 && s->n_enqueue == 0);
    assert_true(s->stop.trials == 0 && !s->stop.has_target && s->stop.plateau_trials == 0);
    spec_free(s);
}

/* As the optimizer's filter mode is driven: no command, integer options in conditions. */
static void for_the_optimizer_alone(void **state)
{
    (void)state;
    struct spec *s = fixture_spec(
        "{\"study\": \"bench\", \"objective\": {\"metric\": \"loss\", \"direction\": "
        "\"minimize\"}, \"space\": {\"c\": {\"choice\": [0, 1, 2]}, \"x\": {\"float\": "
        "[0.0, 1.0], \"when\": {\"c\": [0, 1]}}, \"q\": {\"int\": [0, 8], \"step\": "
        "2}}, \"sampler\": {\"seed\": 18446744073709551615, \"n_startup\": 5}}");
    assert_int_equal(s->space->n, 3);
    assert_int_equal(s->objective.n_command, 0);
    assert_true(s->sampler.seed == UINT64_MAX);
    assert_non_null(s->sampler.options);
    double point[3] = {2};
    assert_false(space_active(s->space, 1, point));
    spec_free(s);
}

static void seed_from_bytes(void **state)
{
    (void)state;
    struct spec *a = fixture_spec_with("notes: a"), *b = fixture_spec_with("notes: a");
    struct spec *c = fixture_spec_with("notes: \"b\\n\"");
    assert_false(a->sampler.has_seed);
    assert_true(a->sampler.seed == b->sampler.seed);
    assert_true(a->sampler.seed != c->sampler.seed);
    spec_free(a);
    spec_free(b);
    spec_free(c);
}

static void other_members(void **state)
{
    (void)state;
    struct spec *s =
        fixture_spec_with("priority: -3\nweight: 0.5\nretries: 0\nretry_delay: 250ms\n"
                          "ahead: 4\nstop: {plateau: {trials: 3, delta: 0.1}, time: 90}\n"
                          "sampler: {name: tpe, preset: hyperopt}\n"
                          "enqueue: [{act: relu, lr: 1}, {lr: 0, act: tanh}, {act: tanh}, "
                          "{act: tanh}]\n");
    assert_true(s->priority == -3 && s->weight == 0.5 && s->retries == 0 && s->ahead == 4);
    assert_true(s->retry_delay_ns == SECOND / 4 && s->stop.time_ns == 90 * SECOND);
    assert_true(s->stop.plateau_delta == 0.1 && str_is(s->sampler.preset, "hyperopt"));
    assert_int_equal(s->n_enqueue, 4);
    assert_true(str_is(s->enqueue[0], "{\"lr\":1,\"act\":\"relu\"}"));
    assert_true(str_starts(s->enqueue[2], "{\"lr\":0.")); /* completed, always alike */
    assert_true(str_eq(s->enqueue[2], s->enqueue[3]));
    spec_free(s);
}

static void faults(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"scheduler: {name: asha}", "scheduler: not available in this version; remove the member"},
        {"stopp: {}", "stopp: unknown member; did you mean \"stop\"?"},
        {"zzz: 1", "zzz: unknown member"},
        {"stop: {trials: 0}", "stop.trials: 0 is out of range; expected 1 to ..."},
        {"stop: {trials: 1.5}", "stop.trials: 1.5 is not a whole number"},
        {"stop: {time: soon}", "stop.time: \"soon\" is not a duration; expected seconds or ..."},
        {"stop: {time: -1}", "stop.time: -1 is out of range; ..."},
        {"stop: {time: 0}", "stop.time: 0 is out of range; ..."},
        {"stop: {target: .nan}", "stop.target: NaN is not a finite number"},
        {"stop: {plateau: 50}",
         "stop.plateau: 50 is not a group of members; expected one such as {trials: 50, ..."},
        {"stop: {plateau: {delta: 1}}", "stop.plateau.trials: missing; ..."},
        {"stop: 200", "stop: 200 is not a group of members; ..."},
        {"parallel: 0", "parallel: 0 is out of range; expected 1 to ..."},
        {"parallel: many", "parallel: \"many\" is not a number"},
        {"weight: 0", "weight: 0 is out of range; ..."},
        {"priority: 0.5", "priority: 0.5 is not a whole number"},
        {"retries: -1", "retries: -1 is out of range; expected 0 to 1000"},
        {"sampler: tpe", "sampler: \"tpe\" is not a group of members; expected one such as ..."},
        {"sampler: {seed: -1}", "sampler.seed: -1 is out of range; expected 0 to 2^64 - 1"},
        {"sampler: {seed: x}", "sampler.seed: \"x\" is not a whole number"},
        {"sampler: {name: 3}", "sampler.name: 3 is not a text"},
        {"notes: [1]", "notes: [1] is not a text"},
        {"enqueue: {lr: 1}", "enqueue: {\"lr\":1} is not a list; expected one such as ..."},
        {"enqueue: [{lr: 2, act: relu}]", "enqueue[0].lr: 2 is out of bounds; expected 0 to 1"},
        {"enqueue: [{lr: 0, act: relu}, {act: 3}]",
         "enqueue[1].act: 3 is none of its options: \"relu\", \"tanh\""},
        {"enqueue: [{lrr: 0}]",
         "enqueue[0].lrr: the space has no such parameter; did you mean \"lr\"?"},
        {"enqueue: [{lr: 0}]\nenqueue_given: []",
         "enqueue_given: has 0 points; as many as in enqueue were expected: 1"},
        {"enqueue: [3]", "enqueue[0]: 3 is not a point; expected one such as {lr: 0.1}"},
        {"objective: x", "objective: \"x\" is not a group of members; ..."},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        fixture_spec_with_fault(rows[i][0], rows[i][1]);
    fixture_spec_fault("space: {a: {int: [0, 1]}}", "study: missing; ...");
    fixture_spec_fault("study: x", "space: missing; ...");
    fixture_spec_fault("study: x/y\nspace: {}", "study: \"x/y\" is not a name; ...");
    fixture_spec_fault("study: 3\nspace: {}", "study: 3 is not a text");
    fixture_spec_fault("study: x\nspace: {a: {float: [1, 0]}}", "space.a.float: ...");
    fixture_spec_fault("[]", "[] is not a group of members; ...");
    fixture_spec_fault("3", "3 is not a group of members; ...");
}

static void names(void **state)
{
    (void)state;
    assert_true(spec_name_valid(STR("a.b_c-1")));
    assert_true(spec_name_valid(STR("...")));
    assert_false(spec_name_valid(STR("")));
    assert_false(spec_name_valid(STR(".")));
    assert_false(spec_name_valid(STR("..")));
    assert_false(spec_name_valid(STR("-x")));
    assert_false(spec_name_valid(STR("a b")));
    char text[129];
    memset(text, 'x', sizeof text);
    assert_true(spec_name_valid(str_make(text, 128)));
    assert_false(spec_name_valid(str_make(text, 129)));
}

static void not_json(void **state)
{
    (void)state;
    struct spec *s = NULL;
    struct errmsg em = {{0}};
    assert_int_equal(spec_parse(STR("{\"study\":"), &s, &em), ERR_INVALID);
    assert_null(s);
    assert_true(em.text[0] != 0);
    assert_int_equal(spec_parse(STR(""), &s, NULL), ERR_INVALID);
    struct buf b;
    buf_init(&b, 0);
    buf_addz(&b, "{\"notes\":\"");
    for (unsigned i = 0; i < SPEC_MAX_BYTES; i++)
        buf_addc(&b, 'x');
    buf_addz(&b, "\"}");
    assert_int_equal(spec_parse(buf_str(&b), &s, &em), ERR_LIMIT);
    fixture_sentence(em.text, "the study has 262156 bytes as JSON; at most 262144 are allowed");
    buf_fini(&b);
    spec_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole),
        cmocka_unit_test(defaults),
        cmocka_unit_test(for_the_optimizer_alone),
        cmocka_unit_test(seed_from_bytes),
        cmocka_unit_test(other_members),
        cmocka_unit_test(faults),
        cmocka_unit_test(names),
        cmocka_unit_test(not_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
