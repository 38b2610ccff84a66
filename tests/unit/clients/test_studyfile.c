/* Study files and inline studies as they are submitted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hash.h"
#include "json.h"
#include "studyfile.h"
#include "tempdir.h"

static struct tempdir dir;
static char path[300];
static struct errmsg em;
static const struct study_changes none;

static int setup(void **state)
{
    (void)state;
    tempdir_make(&dir);
    tempdir_file(&dir, "study.yaml", path, sizeof path);
    memset(&em, 0, sizeof em);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tempdir_remove(&dir);
    return 0;
}

static void put(const char *name, const char *text)
{
    char file[300];
    tempdir_write(tempdir_file(&dir, name, file, sizeof file), str_of(text));
}

static const char good[] =
    "study: s\n"
    "objective: {command: [./f, '{x}'], files: [f, data.csv], metric: loss}\n"
    "space:\n"
    "  x: {float: [0, 1]}\n"
    "stop: {trials: 10}\n";

static void test_files_get_digest_size_and_mode(void **state)
{
    (void)state;
    struct studyfile s;
    char file[300];
    put("study.yaml", good);
    put("f", "#!/bin/sh\n");
    put("data.csv", "1,2\n");
    chmod(tempdir_file(&dir, "f", file, sizeof file), 0700);
    assert_int_equal(studyfile_load(&s, path, &none, &em), ERR_OK);
    const struct objective *o = &s.spec->objective;
    struct digest expected = hash_bytes(STR("1,2\n"));
    assert_int_equal(o->n_files, 2);
    assert_true(o->files[0].executable && !o->files[1].executable);
    assert_int_equal(o->files[1].size, 4);
    assert_true(o->files[1].has_digest && digest_eq(o->files[1].digest, expected));
    struct buf where;
    buf_init(&where, 0);
    studyfile_path(&s, &o->files[1], &where);
    assert_int_equal(access(buf_z(&where), R_OK), 0);
    buf_fini(&where);
    studyfile_fini(&s);
}

/* The same file gives the same bytes, whatever was done to it in between. */
static void test_bytes_are_repeatable_and_changes_apply(void **state)
{
    (void)state;
    struct studyfile a, b;
    struct study_changes c = {.has_trials = true, .trials = 25, .has_seed = true, .seed = 7};
    put("study.yaml", good);
    put("f", "x");
    put("data.csv", "y");
    assert_int_equal(studyfile_load(&a, path, &none, &em), ERR_OK);
    assert_int_equal(studyfile_load(&b, path, &none, &em), ERR_OK);
    assert_true(str_eq(buf_str(&a.json), buf_str(&b.json)));
    studyfile_fini(&b);
    assert_int_equal(studyfile_load(&b, path, &c, &em), ERR_OK);
    assert_int_equal(b.spec->stop.trials, 25);
    assert_int_equal(b.spec->sampler.seed, 7);
    c = (struct study_changes){.has_trials = true, .trials = 25};
    studyfile_fini(&b);
    assert_int_equal(studyfile_load(&b, path, &c, &em), ERR_OK);
    assert_true(digest_eq(spec_search_digest(a.spec), spec_search_digest(b.spec)));
    studyfile_fini(&a);
    studyfile_fini(&b);
}

static void refused(const char *text, err_t e, const char *words)
{
    struct studyfile s;
    put("study.yaml", text);
    assert_int_equal(studyfile_load(&s, path, &none, &em), e);
    if (!strstr(em.text, words))
        fail_msg("\"%s\" does not say \"%s\"", em.text, words);
}

static void test_faults_show_the_place(void **state)
{
    (void)state;
    refused("study: s\nobjective: {command: [./f], metric: loss}\nspace:\n  x: {flaot: [0, 1]}\n",
            ERR_INVALID, "study.yaml:4:");
    assert_non_null(strstr(em.text, "\n      x: {flaot: [0, 1]}\n"));
    const char *line = strstr(em.text, "\n      x: {"), *mark = strrchr(em.text, '\n');
    assert_int_equal(line[1 + (strlen(mark) - 2)], 'f'); /* the mark stands under the word */
    refused("study: [\n", ERR_INVALID, "study.yaml:");
    refused("", ERR_INVALID, "study.yaml");
}

#define WITH_POINTS(points)                                                                        \
    "study: s\nobjective: {command: [true]}\nspace:\n  x: {float: [0, 1]}\n  k: {int: [1, 4]}\n"   \
    "enqueue:\n  - {x: 0.5, k: 2}\n  - " points "\n"

/* What is submitted is whole, and the same each time, so that a study goes on. */
static void test_points_are_completed(void **state)
{
    (void)state;
    struct studyfile a, b;
    put("study.yaml", WITH_POINTS("{k: 3}"));
    assert_int_equal(studyfile_load(&a, path, &none, &em), ERR_OK);
    assert_non_null(strstr(buf_z(&a.json), "\"enqueue\":[{\"x\":0.5,\"k\":2},{\"x\":0."));
    assert_non_null(strstr(buf_z(&a.json), "\"enqueue_given\":[{\"x\":0.5,\"k\":2},{\"k\":3}]"));
    put("study.yaml", WITH_POINTS("{\"k\": 3.0}"));
    assert_int_equal(studyfile_load(&b, path, &none, &em), ERR_OK);
    assert_string_equal(buf_z(&a.json), buf_z(&b.json));
    studyfile_fini(&a);
    studyfile_fini(&b);
    refused(WITH_POINTS("{k: 7}"), ERR_INVALID,
            "study.yaml:8:6: enqueue[1].k: 7 is out of bounds; expected 1 to 4");
    refused(WITH_POINTS("{kk: 3}"), ERR_INVALID,
            "study.yaml:8:6: enqueue[1].kk: the space has no such parameter");
}

static void test_missing_and_odd_files(void **state)
{
    (void)state;
    struct studyfile s;
    refused(good, ERR_INVALID, "/f cannot be read: No such file");
    put("f", "x");
    char file[300];
    assert_int_equal(mkdir(tempdir_file(&dir, "data.csv", file, sizeof file), 0700), 0);
    refused(good, ERR_INVALID, "no regular file");
    rmdir(file);
    FILE *big = fopen(file, "w");
    assert_int_equal(ftruncate(fileno(big), (64 << 20) + 1), 0);
    fclose(big);
    refused(good, ERR_LIMIT, "larger than 64 MiB");
    assert_int_equal(studyfile_load(&s, "/nowhere/study.yaml", &none, &em), ERR_INVALID);
    assert_non_null(strstr(em.text, "/nowhere/study.yaml cannot be read"));
    assert_int_equal(studyfile_load(&s, dir.path, &none, &em), ERR_INVALID);
}

static void test_inline(void **state)
{
    (void)state;
    struct studyfile s;
    char sh[] = "sh", script[] = "train.sh", x[] = "--x~uniform(0, 1)", dash[] = "-v";
    char *argv[] = {sh, script, x, dash};
    struct study_changes c = {.name = "short", .has_trials = true, .trials = 3};
    char back[4096];
    assert_non_null(getcwd(back, sizeof back));
    assert_int_equal(chdir(dir.path), 0);
    put("train.sh", "true");
    put("sh", "not the program");
    assert_int_equal(studyfile_inline(&s, argv, 4, &c, &em), ERR_OK);
    assert_int_equal(chdir(back), 0);
    assert_true(str_is(s.spec->study, "short"));
    assert_int_equal(s.spec->stop.trials, 3);
    assert_int_equal(s.spec->objective.n_files, 1);
    assert_true(str_is(s.spec->objective.files[0].path, "train.sh"));
    assert_int_equal(s.spec->space->n, 1);
    studyfile_fini(&s);
    char bad[] = "--x~uniform(1, 0)";
    argv[2] = bad;
    assert_int_equal(studyfile_inline(&s, argv, 4, &c, &em), ERR_INVALID);
}

static void test_mark(void **state)
{
    (void)state;
    errmsg_set(&em, ERR_INVALID, "f:2:3: what");
    studyfile_mark(&em, "f", STR("one\n  two\nthree"));
    assert_string_equal(em.text, "f:2:3: what\n      two\n      ^");
    errmsg_set(&em, ERR_INVALID, "f:9:3: what");
    studyfile_mark(&em, "f", STR("one\n"));
    assert_string_equal(em.text, "f:9:3: what");
    errmsg_set(&em, ERR_INVALID, "no place");
    studyfile_mark(&em, "f", STR("one\n"));
    assert_string_equal(em.text, "no place");
    errmsg_set(&em, ERR_INVALID, "f:1:1: what");
    studyfile_mark(&em, "f", STR("a\x1b[2J\n"));
    assert_string_equal(em.text, "f:1:1: what");
}

#define WITH_DIR(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DIR(test_files_get_digest_size_and_mode),
        WITH_DIR(test_bytes_are_repeatable_and_changes_apply),
        WITH_DIR(test_faults_show_the_place),
        WITH_DIR(test_points_are_completed),
        WITH_DIR(test_missing_and_odd_files),
        WITH_DIR(test_inline),
        WITH_DIR(test_mark),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
