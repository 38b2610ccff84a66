/* The option table: sources and their precedence, bad input, help and man page. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdlib.h>
#include <cmocka.h>

#include "opt.h"
#include "tempdir.h"

struct settings {
    bool verbose, color;
    uint64_t slots, memory;
    double rate;
    const char *root;
    struct opt_list labels;
    int64_t ttl;
    int mode;
    uint64_t fd;
};

static const struct opt_row rows[] = {
    {.name = "verbose",
     .letter = 'v',
     .type = OPT_FLAG,
     .offset = offsetof(struct settings, verbose),
     .help = "Say more."},
    {.name = "color",
     .type = OPT_FLAG,
     .offset = offsetof(struct settings, color),
     .initial = "true",
     .help = "Use colors."},
    {.name = "slots",
     .letter = 'n',
     .type = OPT_U64,
     .offset = offsetof(struct settings, slots),
     .initial = "2",
     .min = 1,
     .max = 64,
     .value = "N",
     .help = "How many trials run at once. \\ is a backslash,\n.and this no macro."},
    {.name = "memory",
     .type = OPT_BYTES,
     .offset = offsetof(struct settings, memory),
     .initial = "64K",
     .help = "Memory."},
    {.name = "rate", .type = OPT_F64, .offset = offsetof(struct settings, rate), .help = "A rate."},
    {.name = "root",
     .type = OPT_STR,
     .offset = offsetof(struct settings, root),
     .value = "DIR",
     .help = "A folder."},
    {.name = "label",
     .letter = 'l',
     .type = OPT_LIST,
     .offset = offsetof(struct settings, labels),
     .help = "A label."},
    {.name = "lease-ttl",
     .type = OPT_DURATION,
     .offset = offsetof(struct settings, ttl),
     .initial = "30s",
     .min = 0.001,
     .max = 3600,
     .help = "How long."},
    {.name = "mode",
     .type = OPT_CHOICE,
     .offset = offsetof(struct settings, mode),
     .initial = "slow",
     .choices = "fast|slow|none",
     .help = "A mode."},
    {.name = "ready-fd", .type = OPT_U64, .offset = offsetof(struct settings, fd), .hidden = true},
};
static const struct opt_table table = {
    .program = "tunefarm test",
    .env = "TFTEST_OPT",
    .usage = "tunefarm test [OPTION ...] FILE\ntunefarm test --man",
    .summary = "try options",
    .text = "First paragraph.\n\nSecond one:\n  an -example\n.dangerous",
    .more = "EXIT STATUS\n0 on success.\n\nSEE ALSO\nnothing",
    .rows = rows,
    .n = sizeof rows / sizeof *rows,
};

#define ARGS(...) ((char *[]){(char *)(uintptr_t) "test", __VA_ARGS__})
#define PARSE(s, o, em, ...)                                                                       \
    opt_parse(&table, s, (int)(sizeof ARGS(__VA_ARGS__) / sizeof(char *)), ARGS(__VA_ARGS__), o, em)
#define A(z) ((char *)(uintptr_t)(z))

static void test_defaults(void **state)
{
    (void)state;
    struct settings s;
    struct opts o;
    assert_int_equal(opt_parse(&table, &s, 1, ARGS(NULL), &o, NULL), ERR_OK);
    assert_false(s.verbose);
    assert_true(s.color);
    assert_int_equal(s.slots, 2);
    assert_int_equal(s.memory, 65536);
    assert_null(s.root);
    assert_int_equal(s.labels.n, 0);
    assert_true(s.ttl == INT64_C(30000000000));
    assert_int_equal(s.mode, 1);
    assert_int_equal(o.n_operands, 0);
    opt_fini(&o);
}

static void test_forms_of_the_command_line(void **state)
{
    (void)state;
    struct settings s;
    struct opts o;
    struct errmsg em;
    assert_int_equal(PARSE(&s, &o, &em, A("--slots=3"), A("one"), A("--root"), A("a=b"), A("-v"),
                           A("--no-color"), A("-l"), A("x,y"), A("-lz"), A("--mode=none"), A("-"),
                           A("--rate=-0.5"), A("--"), A("--slots")),
                     ERR_OK);
    assert_int_equal(s.slots, 3);
    assert_string_equal(s.root, "a=b");
    assert_true(s.verbose);
    assert_false(s.color);
    assert_int_equal(s.labels.n, 2);
    assert_string_equal(s.labels.v[0], "x,y");
    assert_string_equal(s.labels.v[1], "z");
    assert_int_equal(s.mode, 2);
    assert_true(s.rate == -0.5);
    assert_int_equal(o.n_operands, 3);
    assert_string_equal(o.operands[0], "one");
    assert_string_equal(o.operands[1], "-");
    assert_string_equal(o.operands[2], "--slots");
    opt_fini(&o);
    assert_int_equal(PARSE(&s, &o, &em, A("-vn5"), A("--slots=6")), ERR_OK);
    assert_true(s.verbose);
    assert_int_equal(s.slots, 6); /* the last one counts */
    opt_fini(&o);
}

static void test_stop_at_operand(void **state)
{
    (void)state;
    struct settings s;
    struct opts o;
    struct opt_table t = table;
    t.stop_at_operand = true;
    char *argv[] = {A("t"), A("-v"), A("run"), A("--unknown"), A("-x")};
    assert_int_equal(opt_parse(&t, &s, 5, argv, &o, NULL), ERR_OK);
    assert_true(s.verbose);
    assert_int_equal(o.n_operands, 3);
    assert_string_equal(o.operands[1], "--unknown");
    opt_fini(&o);
}

static void test_precedence(void **state)
{
    (void)state;
    struct settings s;
    struct opts o;
    struct errmsg em;
    struct tempdir d;
    char path[256];
    tempdir_make(&d);
    tempdir_file(&d, "conf", path, sizeof path);
    tempdir_write(
        path, STR("# settings\n\n slots = 10 # ten\nroot = /from file#1\nlabel = a, b,,c\nlabel=d\n"
                  "lease-ttl = 250ms\r\nmode=fast\nverbose = yes"));
    setenv("TFTEST_OPT_SLOTS", "20", 1);
    setenv("TFTEST_OPT_LEASE_TTL", "2m", 1);
    setenv("TFTEST_OPT_READY_FD", "7", 1); /* hidden: not from the environment */
    setenv("TFTEST_OPT_ROOT", "", 1);      /* empty is not set */
    assert_int_equal(PARSE(&s, &o, &em, A("--config"), path, A("--slots"), A("30")), ERR_OK);
    assert_int_equal(s.slots, 30);
    assert_true(s.ttl == INT64_C(120000000000));
    assert_string_equal(s.root, "/from file#1");
    assert_int_equal(s.labels.n, 4);
    assert_string_equal(s.labels.v[3], "d");
    assert_int_equal(s.mode, 0);
    assert_true(s.verbose);
    assert_int_equal(s.fd, 0);
    assert_string_equal(o.file, path);
    opt_fini(&o);
    assert_int_equal(PARSE(&s, &o, &em, A("-lq"), A("--config"), path, A("--no-verbose")), ERR_OK);
    assert_int_equal(s.slots, 20);
    assert_int_equal(s.labels.n, 1); /* a stronger source replaces the list */
    assert_string_equal(s.labels.v[0], "q");
    assert_false(s.verbose);
    opt_fini(&o);
    unsetenv("TFTEST_OPT_SLOTS");
    unsetenv("TFTEST_OPT_LEASE_TTL");
    tempdir_remove(&d);
}

static void check_fault(const char *word, const char *second, const char *a, const char *b)
{
    struct settings s;
    struct opts o;
    struct errmsg em = {""};
    char *argv[] = {A("t"), A(word), A(second)};
    if (opt_parse(&table, &s, second ? 3 : 2, argv, &o, &em) != ERR_INVALID)
        fail_msg("accepted: %s", word);
    if (!strstr(em.text, a) || !strstr(em.text, b))
        fail_msg("expected '%s' and '%s' in: %s", a, b, em.text);
    opt_fini(&o);
}

static void test_faults_name_place_and_expectation(void **state)
{
    (void)state;
    check_fault("--slot=3", NULL, "--slot", "did you mean --slots?");
    check_fault("--helpp", NULL, "--helpp", "--help");
    check_fault("--zzzzzz", NULL, "--zzzzzz", "--help");
    check_fault("--slots", NULL, "--slots", "needs a value");
    check_fault("--slots=0", NULL, "--slots", "between 1 and 64");
    check_fault("--slots=1.5", NULL, "--slots", "a whole number");
    check_fault("--slots=", NULL, "--slots", "a whole number");
    check_fault("-n", "x", "-n", "got 'x'");
    check_fault("-q", NULL, "-q", "unknown");
    check_fault("--mode=quick", NULL, "--mode", "fast|slow|none");
    check_fault("--lease-ttl=5y", NULL, "--lease-ttl", "250ms");
    check_fault("--lease-ttl=2h", NULL, "--lease-ttl", "3600 seconds");
    check_fault("--rate=nan", NULL, "--rate", "a number");
    check_fault("--memory=1.0001K", NULL, "--memory", "64K");
    check_fault("--verbose=maybe", NULL, "--verbose", "true or false");
    check_fault("--no-slots", NULL, "--no-slots", "unknown");
    check_fault("--no-verbose=1", NULL, "--no-verbose", "unknown");
    check_fault("--config", NULL, "--config", "FILE");
}

static void check_file_fault(const char *text, const char *want)
{
    struct settings s;
    struct opts o;
    struct errmsg em = {""};
    struct tempdir d;
    char path[256];
    tempdir_make(&d);
    tempdir_write(tempdir_file(&d, "conf", path, sizeof path), str_of(text));
    assert_int_equal(PARSE(&s, &o, &em, A("--config"), path), ERR_INVALID);
    if (!strstr(em.text, want))
        fail_msg("expected '%s' in: %s", want, em.text);
    opt_fini(&o);
    tempdir_remove(&d);
}

static void test_faults_of_files_and_environment(void **state)
{
    (void)state;
    struct settings s;
    struct opts o;
    struct errmsg em;
    check_file_fault("slots = 1\n\nslotz = 3\n",
                     "conf:3: unknown setting slotz; did you mean slots?");
    check_file_fault("slots\n", "conf:1: expected `name = value`");
    check_file_fault("slots = 100\n",
                     "conf:1: slots: expected a whole number between 1 and 64, got '100'");
    check_file_fault("ready-fd = 3\n", "unknown setting ready-fd");
    assert_int_equal(PARSE(&s, &o, &em, A("--config=/none/such")), ERR_NOT_FOUND);
    assert_non_null(strstr(em.text, "/none/such"));
    opt_fini(&o);
    setenv("TFTEST_OPT_MODE", "bad", 1);
    assert_int_equal(PARSE(&s, &o, &em, A("x")), ERR_INVALID);
    assert_non_null(strstr(em.text, "TFTEST_OPT_MODE"));
    opt_fini(&o);
    unsetenv("TFTEST_OPT_MODE");
}

static void test_help_wins_over_bad_files(void **state)
{
    (void)state;
    struct settings s;
    struct opts o;
    assert_int_equal(PARSE(&s, &o, NULL, A("--config=/none"), A("-h"), A("--bad")), ERR_OK);
    assert_true(o.help);
    opt_fini(&o);
    assert_int_equal(PARSE(&s, &o, NULL, A("--version")), ERR_OK);
    assert_true(o.version);
    opt_fini(&o);
}

static void test_help_text(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 0);
    opt_print_help(&table, &b);
    const char *z = buf_z(&b);
    assert_non_null(
        strstr(z, "Usage: tunefarm test [OPTION ...] FILE\n       tunefarm test --man\n"));
    assert_non_null(strstr(z, "  -n, --slots N"));
    assert_non_null(strstr(z, "[default: 30s]"));
    assert_non_null(strstr(z, "--no-color"));
    assert_non_null(strstr(z, "--config FILE"));
    assert_null(strstr(z, "ready-fd"));
    for (const char *line = z; *line; line += strcspn(line, "\n") + 1)
        assert_in_range(strcspn(line, "\n"), 0, 80);
    buf_clear(&b);
    opt_print_flags(&table, &b);
    assert_non_null(strstr(buf_z(&b), "--lease-ttl\n"));
    assert_null(strstr(buf_z(&b), "ready-fd"));
    buf_fini(&b);
}

static void test_man_page(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 0);
    opt_print_man(&table, &b);
    const char *z = buf_z(&b);
    assert_memory_equal(z, ".TH TUNEFARM\\-TEST 1 ", 21);
    assert_non_null(strstr(z, "tunefarm\\-test \\- try options"));
    assert_non_null(strstr(z, "\\&.dangerous"));
    assert_non_null(strstr(z, "\\&.and this no macro."));
    assert_non_null(strstr(z, "\\e is a backslash"));
    assert_non_null(strstr(z, ".SH EXIT STATUS\n0 on success."));
    assert_non_null(strstr(z, ".SH SEE ALSO\nnothing"));
    assert_non_null(strstr(z, "\\fB\\-\\-lease\\-ttl\\fR"));
    assert_null(strstr(z, "ready"));
    buf_fini(&b);
}

static void test_units(void **state)
{
    (void)state;
    int64_t ns;
    uint64_t bytes;
    assert_true(opt_duration(STR("1.5s"), &ns) && ns == 1500000000);
    assert_true(opt_duration(STR("250ms"), &ns) && ns == 250000000);
    assert_true(opt_duration(STR("1d"), &ns) && ns == INT64_C(86400000000000));
    assert_true(opt_duration(STR("7"), &ns) && ns == INT64_C(7000000000));
    assert_false(opt_duration(STR("-1s"), &ns));
    assert_false(opt_duration(STR("s"), &ns));
    assert_false(opt_duration(STR("1 s"), &ns));
    assert_false(opt_duration(STR("nan"), &ns));
    assert_false(opt_duration(STR("1e30d"), &ns));
    assert_true(opt_bytes(STR("2G"), &bytes) && bytes == UINT64_C(2147483648));
    assert_true(opt_bytes(STR("1.5K"), &bytes) && bytes == 1536);
    assert_true(opt_bytes(STR("512"), &bytes) && bytes == 512);
    assert_false(opt_bytes(STR("1.5"), &bytes));
    assert_false(opt_bytes(STR("-1"), &bytes));
    assert_false(opt_bytes(STR("99999999T"), &bytes));
    assert_false(opt_bytes(STR(""), &bytes));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_forms_of_the_command_line),
        cmocka_unit_test(test_stop_at_operand),
        cmocka_unit_test(test_precedence),
        cmocka_unit_test(test_faults_name_place_and_expectation),
        cmocka_unit_test(test_faults_of_files_and_environment),
        cmocka_unit_test(test_help_wins_over_bad_files),
        cmocka_unit_test(test_help_text),
        cmocka_unit_test(test_man_page),
        cmocka_unit_test(test_units),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
