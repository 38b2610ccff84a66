/* Digests of checkpoints on the disk, and what is meant by the place of one. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "files.h"
#include "manifest.h"
#include "tempdir.h"

static struct tempdir dir;
static atomic_bool stop;

static int setup(void **state)
{
    (void)state;
    tempdir_make(&dir);
    atomic_store(&stop, false);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tempdir_remove(&dir);
    return 0;
}

static void shell(const char *script)
{
    char line[2048];
    snprintf(line, sizeof line, "cd %s && %s", dir.path, script);
    assert_int_equal(system(line), 0);
}

static err_t digest(const char *name, struct digest *d, uint64_t *size, struct errmsg *em)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", dir.path, name);
    return manifest_digest(path, &stop, d, size, em);
}

static struct digest good(const char *name)
{
    struct digest d;
    uint64_t size;
    struct errmsg em = {""};
    if (digest(name, &d, &size, &em))
        fail_msg("%s", em.text);
    return d;
}

static bool same(const char *a, const char *b)
{
    struct digest x = good(a), y = good(b);
    return digest_eq(x, y);
}

static void the_same_tree_anywhere(void **state)
{
    (void)state;
    uint64_t size;
    struct digest d;
    shell("mkdir -p a/sub b/sub && echo 1 > a/x && echo 2 > a/sub/y && ln -s sub/y a/last");
    shell("echo 2 > b/sub/y && ln -s sub/y b/last && echo 1 > b/x");
    assert_true(same("a", "b"));
    assert_int_equal(digest("a", &d, &size, NULL), ERR_OK);
    assert_int_equal(size, 4);
    shell("cp a/x f && cp a/x g");
    assert_true(same("f", "g"));
}

static void every_difference_counts(void **state)
{
    (void)state;
    static const char *const changes[] = {
        "echo 9 > b/x",        "mv b/x b/z",     "rm b/x",         "touch b/new",
        "mkdir b/empty",       "printf 1 > b/x", "ln -sfn x b/l",  "rm b/l && cp b/x b/l",
        "rm b/x && mkdir b/x", "echo 2 >> b/x",  "mv b/s/y b/s/z", "mv b/s/y b/"};
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        shell("rm -rf a b && mkdir -p a/s && echo 1 > a/x && echo 2 > a/s/y && ln -s s/y a/l && "
              "cp -a a b");
        assert_true(same("a", "b"));
        shell(changes[i]);
        if (same("a", "b"))
            fail_msg("%s was not noticed", changes[i]);
    }
    /* Names and contents cannot be shifted against one another. */
    shell("rm -rf a b && mkdir a b && printf bc > a/a && printf c > b/ab");
    assert_false(same("a", "b"));
}

static void fails(const char *name, err_t e, const char *sentence)
{
    struct digest d;
    uint64_t size;
    struct errmsg em = {""};
    assert_int_equal(digest(name, &d, &size, &em), e);
    if (!strstr(em.text, sentence))
        fail_msg("\"%s\" is not in \"%s\"", sentence, em.text);
}

static void what_cannot_be_one(void **state)
{
    (void)state;
    shell("mkdir empty && mkfifo fifo && mkdir odd && mkfifo odd/p");
    fails("nothing", ERR_NOT_FOUND, "No such file");
    fails("nothing/below", ERR_NOT_FOUND, "No such file");
    fails("empty", ERR_NOT_FOUND, "is empty");
    fails("fifo", ERR_IO, "neither a file nor a directory");
    fails("odd", ERR_IO, "odd/p is neither file, directory nor link");
    shell("mkdir $(for i in $(seq 70); do printf d/; done) -p deep && "
          "mkdir -p deep/$(for i in $(seq 70); do printf d/; done)");
    fails("deep", ERR_LIMIT, "nested over 64 levels");
    shell("mkdir stopped && echo 1 > stopped/x");
    atomic_store(&stop, true);
    fails("stopped", ERR_FAILED, "the worker ends");
}

static void assert_place(const char *place, const char *expected)
{
    char path[FILES_PATH];
    bool local = files_checkpoint_place(str_of(place), "/d", path);
    assert_int_equal(local, expected != NULL);
    if (expected)
        assert_string_equal(path, expected);
}

static void places(void **state)
{
    (void)state;
    assert_place("/a/b", "/a/b");
    assert_place("a/b", "/d/a/b");
    assert_place("step:5", NULL); /* has a scheme */
    assert_place("5:step", "/d/5:step");
    assert_place("", "/d");
    assert_place("file:///a", "/a");
    assert_place("file://host/a", NULL);
    assert_place("s3://bucket/a", NULL);
    assert_place("a/b:c", "/d/a/b:c");
}

static void directories_of_checkpoints(void **state)
{
    (void)state;
    struct files f;
    struct errmsg em = {""};
    char path[FILES_PATH], root[600], shared[600];
    snprintf(root, sizeof root, "%s/root", dir.path);
    snprintf(shared, sizeof shared, "%s/shared/of/many", dir.path);
    assert_int_equal(files_open(&f, root, 0, &em), ERR_OK);
    assert_int_equal(files_checkpoints_open(&f, NULL, &em), ERR_OK);
    assert_true(files_checkpoint_path(&f, 0xabc, STR("s"), 7, 2, path));
    assert_true(strstr(path, "/root/checkpoints/0000000000000abc/s/7/2") != NULL);
    assert_int_equal(files_checkpoints_open(&f, shared, &em), ERR_OK);
    assert_true(files_checkpoint_path(&f, 1, STR("s"), 7, 0, path));
    assert_true(strstr(path, "/shared/of/many/0000000000000001/s/7") != NULL);
    assert_false(files_checkpoint_path(&f, 1, STR("../s"), 7, 0, path));
    assert_true(files_checkpoint_path(&f, 1, STR("s"), 7, 1, path));
    assert_int_equal(files_checkpoint_make(path, &em), ERR_OK);
    shell("echo old > shared/of/many/0000000000000001/s/7/1/x");
    assert_int_equal(files_checkpoint_make(path, &em), ERR_OK);
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(rmdir(path), 0); /* it is empty */
    shell("touch file");
    snprintf(shared, sizeof shared, "%s/file/x", dir.path);
    assert_int_equal(files_checkpoints_open(&f, shared, &em), ERR_IO);
    assert_true(str_starts(str_of(em.text), "--checkpoints"));
    files_close(&f);
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(the_same_tree_anywhere),     T(every_difference_counts), T(what_cannot_be_one), T(places),
        T(directories_of_checkpoints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
