/* The worker's directories: the cache, studies, attempts. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "files.h"
#include "hash.h"
#include "tempdir.h"

struct place {
    struct tempdir tmp;
    struct files files;
    char root[200];
};

static int setup(void **state)
{
    static struct place p;
    struct errmsg em = {""};
    tempdir_make(&p.tmp);
    snprintf(p.root, sizeof p.root, "%s/a/root", p.tmp.path);
    if (files_open(&p.files, p.root, 3, &em))
        fail_msg("%s", em.text);
    *state = &p;
    return 0;
}

static int teardown(void **state)
{
    struct place *p = *state;
    files_close(&p->files);
    tempdir_remove(&p->tmp);
    return 0;
}

static struct digest put(struct place *p, const char *text)
{
    struct files_part part;
    struct digest d = hash_bytes(str_of(text));
    struct errmsg em = {""};
    assert_int_equal(files_part_open(&p->files, d, &part, &em), ERR_OK);
    assert_int_equal(files_part_write(&part, str_of(text), &em), ERR_OK);
    assert_int_equal(files_part_finish(&p->files, d, &part, &em), ERR_OK);
    return d;
}

static void blob_is_there_only_with_its_bytes(void **state)
{
    struct place *p = *state;
    struct errmsg em;
    struct buf b;
    struct digest d = put(p, "hello");
    buf_init(&b, 0);
    assert_true(files_have(&p->files, d));
    assert_int_equal(files_load(&p->files, d, 100, &b, &em), ERR_OK);
    assert_string_equal(buf_z(&b), "hello");
    buf_clear(&b);
    assert_int_equal(files_load(&p->files, d, 4, &b, &em), ERR_LIMIT);
    struct digest other = hash_bytes(STR("other"));
    struct files_part part;
    assert_int_equal(files_part_open(&p->files, other, &part, &em), ERR_OK);
    assert_int_equal(files_part_write(&part, STR("wrong"), &em), ERR_OK);
    assert_false(files_have(&p->files, other));
    assert_int_equal(files_part_finish(&p->files, other, &part, &em), ERR_CORRUPT);
    assert_false(files_have(&p->files, other));
    files_part_abandon(&part); /* again: nothing */
    buf_fini(&b);
}

static void damaged_blob_is_fetched_again(void **state)
{
    struct place *p = *state;
    char path[FILES_PATH], hex[65];
    struct digest d = put(p, "hello");
    struct buf b;
    str_hex(hex, d.b, 32);
    snprintf(path, sizeof path, "%s/cache/%s", p->files.root, hex);
    assert_int_equal(chmod(path, 0600), 0);
    tempdir_write(path, STR("hellO"));
    buf_init(&b, 0);
    assert_int_equal(files_load(&p->files, d, 100, &b, NULL), ERR_CORRUPT);
    assert_false(files_have(&p->files, d));
    buf_fini(&b);
}

static struct spec study_of(const struct spec_file *files, uint32_t n, const char *dir)
{
    struct spec s = {.study = STR("s")};
    s.objective.dir = str_of(dir);
    s.objective.files = files;
    s.objective.n_files = n;
    return s;
}

static void study_directory(void **state)
{
    struct place *p = *state;
    struct errmsg em = {""};
    char cwd[FILES_PATH], path[FILES_PATH + 100];
    struct stat st;
    struct spec_file files[] = {
        {.path = STR("bin/run.sh"), .has_digest = true, .digest = put(p, "#!"), .executable = true},
        {.path = STR("x.txt"), .has_digest = true, .digest = put(p, "x")},
    };
    struct spec s = study_of(files, 2, "sub/dir");
    struct digest d = hash_bytes(STR("spec"));
    if (files_study(&p->files, d, &s, cwd, &em))
        fail_msg("%s", em.text);
    assert_non_null(strstr(cwd, "/studies/s-"));
    assert_string_equal(cwd + strlen(cwd) - 8, "/sub/dir");
    snprintf(path, sizeof path, "%s/bin/run.sh", cwd);
    assert_int_equal(stat(path, &st), 0);
    assert_true(st.st_mode & 0100);
    assert_int_equal(st.st_nlink, 1); /* a copy: the cache cannot be changed through it */
    snprintf(path, sizeof path, "%s/x.txt", cwd);
    assert_int_equal(stat(path, &st), 0);
    assert_false(st.st_mode & 0100);
    tempdir_write(path, STR("changed"));
    assert_int_equal(files_study(&p->files, d, &s, cwd, &em),
                     ERR_OK); /* there already: left as it is */
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 7);
}

static void paths_that_lead_elsewhere(void **state)
{
    struct place *p = *state;
    static const char *const bad[] = {"../x", "a/../../x", "/etc/x", "a//b", "a/./b",
                                      ".",    "",          "a/",     "a\nb"};
    char cwd[FILES_PATH];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct spec_file f = {.path = str_of(bad[i]), .has_digest = true, .digest = put(p, "x")};
        struct spec s = study_of(&f, 1, ".");
        struct errmsg em = {""};
        if (strcmp(bad[i], ".") != 0)
            assert_int_equal(files_study(&p->files, hash_bytes(STR("spec")), &s, cwd, &em),
                             ERR_INVALID);
        else /* the directory itself */
            assert_int_not_equal(files_study(&p->files, hash_bytes(STR("spec")), &s, cwd, &em),
                                 ERR_OK);
        assert_true(em.text[0]);
        s = study_of(NULL, 0, bad[i]);
        if (strcmp(bad[i], ".") != 0)
            assert_int_equal(files_study(&p->files, hash_bytes(STR("other")), &s, cwd, NULL),
                             ERR_INVALID);
        s.study = STR("..");
        assert_int_equal(files_study(&p->files, hash_bytes(STR("other")), &s, cwd, NULL),
                         ERR_INVALID);
    }
}

static void old_attempts_go(void **state)
{
    struct place *p = *state;
    char path[FILES_PATH], file[FILES_PATH + 20], outside[300];
    snprintf(outside, sizeof outside, "%s/outside", p->tmp.path);
    assert_int_equal(mkdir(outside, 0700), 0);
    snprintf(file, sizeof file, "%s/kept", outside);
    tempdir_write(file, STR("x"));
    for (uint64_t trial = 0; trial < 5; trial++) {
        assert_true(files_attempt_path(&p->files, STR("s"), trial, 1, path));
        assert_int_equal(files_attempt_make(path, NULL), ERR_OK);
        snprintf(file, sizeof file, "%s/link", path);
        assert_int_equal(symlink(outside, file), 0);
        files_attempt_ended(&p->files, path);
    }
    for (uint64_t trial = 0; trial < 5; trial++) {
        err_t wanted = trial < 2 ? ERR_NOT_FOUND : ERR_OK;
        assert_int_equal(files_attempt_find(&p->files, STR("s"), trial, 0, path), wanted);
    }
    snprintf(file, sizeof file, "%s/kept", outside);
    assert_int_equal(access(file, F_OK), 0); /* links are not followed */
}

/* A later process keeps as many, the youngest; not while another one uses the root. */
static void attempts_of_an_earlier_process(void **state)
{
    struct place *p = *state;
    char path[FILES_PATH];
    for (uint64_t trial = 0; trial < 6; trial++) {
        assert_true(files_attempt_path(&p->files, STR("s"), trial, 1, path));
        assert_int_equal(files_attempt_make(path, NULL), ERR_OK);
        struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 1000 + (time_t)((trial * 5) % 6)}};
        assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    }
    struct files first, second;
    assert_int_equal(files_open(&first, p->root, 1000, NULL), ERR_OK);
    files_keep_old(&first);
    assert_int_equal(files_open(&second, p->root, 2, NULL), ERR_OK);
    files_keep_old(&second);
    for (uint64_t trial = 0; trial < 6; trial++)
        assert_int_equal(files_attempt_find(&second, STR("s"), trial, 1, path), ERR_OK);
    files_close(&first);
    files_close(&second);
    assert_int_equal(files_open(&second, p->root, 2, NULL), ERR_OK);
    files_keep_old(&second);
    for (uint64_t trial = 0; trial < 6; trial++) { /* ages are 0 5 4 3 2 1 */
        err_t wanted = trial == 1 || trial == 2 ? ERR_OK : ERR_NOT_FOUND;
        assert_int_equal(files_attempt_find(&second, STR("s"), trial, 1, path), wanted);
    }
    files_close(&second);
}

static void which_attempt(void **state)
{
    struct place *p = *state;
    char path[FILES_PATH];
    for (uint32_t n = 1; n <= 3; n += 2) {
        assert_true(files_attempt_path(&p->files, STR("s"), 9, n, path));
        assert_int_equal(files_attempt_make(path, NULL), ERR_OK);
    }
    assert_int_equal(files_attempt_find(&p->files, STR("s"), 9, 0, path), ERR_OK);
    assert_string_equal(path + strlen(path) - 4, "/9.3");
    assert_int_equal(files_attempt_find(&p->files, STR("s"), 9, 2, path),
                     ERR_OK); /* adopted as 2 */
    assert_string_equal(path + strlen(path) - 4, "/9.1");
    assert_int_equal(files_attempt_find(&p->files, STR("../../etc"), 9, 1, path), ERR_INVALID);
}

static void root_that_cannot_be(void **state)
{
    struct place *p = *state;
    struct files f;
    struct errmsg em = {""};
    char path[300];
    snprintf(path, sizeof path, "%s/file", p->tmp.path);
    tempdir_write(path, STR("x"));
    assert_int_not_equal(files_open(&f, path, 1, &em), ERR_OK);
    assert_non_null(strstr(em.text, "the worker's root"));
    files_close(&f);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(blob_is_there_only_with_its_bytes),
        T(damaged_blob_is_fetched_again),
        T(study_directory),
        T(paths_that_lead_elsewhere),
        T(old_attempts_go),
        T(attempts_of_an_earlier_process),
        T(which_attempt),
        T(root_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
