/* Commands: lists, plain lines, and everything a shell would have to read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "study_fixture.h"

static void expect(const char *command, const char *const *args, uint32_t n)
{
    struct buf b;
    buf_init(&b, 0);
    buf_printf(&b, "objective: {command: %s}\n", command);
    struct spec *s = fixture_spec_with(buf_z(&b));
    assert_int_equal(s->objective.n_command, n);
    for (uint32_t i = 0; i < n; i++)
        assert_true(str_is(s->objective.command[i], args[i]));
    spec_free(s);
    buf_fini(&b);
}

static void forms(void **state)
{
    (void)state;
    static const char *const list[] = {"./a b", "--n", "3", "-x", "", "true", "1e-3", "{lr}"};
    static const char *const line[] = {"python3", "train.py", "--lr={lr}", "-v"};
    static const char *const own_dir[] = {"{dir}/prog", "x"};
    expect("[./a b, --n, 3, -x, '', true, 1e-3, '{lr}']", list, 8);
    expect("'  python3 train.py  --lr={lr} -v '", line, 4);
    expect("['{dir}/prog', x]", own_dir, 2);
}

static void refused(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"[]", "objective.command: has 0 elements; expected at least 1 as in [python3, ..."},
        {"['']", "objective.command[0]: must not be empty"},
        {"['-x']", "objective.command[0]: the program's name begins with \"-\""},
        {"['{act}', x]",
         "objective.command[0]: a parameter cannot decide which program is run; ..."},
        {"['{act}/x']",
         "objective.command[0]: a parameter cannot decide which program is run; ..."},
        {"'{act} x'", "objective.command: a parameter cannot decide which program is run; ..."},
        {"[a, [b]]", "objective.command[1]: [\"b\"] is not a text; expected one argument"},
        {"[a, ~]", "objective.command[1]: null is not a text; expected one argument"},
        {"[a, \"b\\nc\"]", "objective.command[1]: holds a control character"},
        {"[a, '{lrr}']", "objective.command[1]: {lrr} names no parameter; did you mean {lr}?"},
        {"[a, '{\"x\": 1}']", "objective.command[1]: {\"x\": 1} names no parameter; write ..."},
        {"[a, '{lr']", "objective.command[1]: a \"{\" without \"}\"; ..."},
        {"[a, 'lr}']", "objective.command[1]: a \"}\" without \"{\"; ..."},
        {"a > b", "objective.command: no shell reads this, and it holds a \">\"; ..."},
        {"a | b", "objective.command: no shell reads this, and it holds a \"|\"; ..."},
        {"a 'b'", "objective.command: no shell reads this, and it holds a \"'\"; ..."},
        {"a \"b\"", "objective.command: no shell reads this, and it holds a '\"'; ..."},
        {"a $HOME", "objective.command: no shell reads this, and it holds a \"$\"; ..."},
        {"'   '", "objective.command: must not be empty"},
        {"3", "objective.command: 3 is not a list; ..."},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf b;
        buf_init(&b, 0);
        buf_printf(&b, "objective:\n  command: %s\n", rows[i][0]);
        fixture_spec_with_fault(buf_z(&b), rows[i][1]);
        buf_fini(&b);
    }
}

static void options_like_switches(void **state)
{
    (void)state;
    static const char frame[] = "study: s\nspace: {a: {choice: [-1, -.5, %s]}}\n"
                                "objective: {command: [p, '%s{a}']}\n";
    static const struct {
        const char *option, *front;
        bool ok;
    } rows[] = {{"'--rm'", "", false},  {"'-x'", "", false},  {"'-inf'", "", false},
                {"'-x'", "--a=", true}, {"'-1e3'", "", true}, {"'-'", "", true}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf b;
        buf_init(&b, 0);
        buf_printf(&b, frame, rows[i].option, rows[i].front);
        if (rows[i].ok)
            spec_free(fixture_spec(buf_z(&b)));
        else
            fixture_spec_fault(buf_z(&b), "objective.command[1]: \"-...");
        buf_fini(&b);
    }
}

static void too_many_arguments(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 0);
    buf_addz(&b, "objective: {command: \"a");
    for (int i = 1; i < SPEC_MAX_ARGS; i++)
        buf_addz(&b, " a");
    size_t n = b.n;
    buf_addz(&b, " \"}\n");
    struct spec *s = fixture_spec_with(buf_z(&b));
    assert_int_equal(s->objective.n_command, SPEC_MAX_ARGS);
    spec_free(s);
    b.n = n;
    buf_addz(&b, " a\"}\n");
    fixture_spec_with_fault(buf_z(&b), "objective.command: more than 256 arguments");
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms),
        cmocka_unit_test(refused),
        cmocka_unit_test(options_like_switches),
        cmocka_unit_test(too_many_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
