/* The farm's key file: made once, read back, refused when open to others or malformed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "keyfile.h"
#include "tempdir.h"

static struct tempdir dir;

static int setup(void **state)
{
    (void)state;
    tempdir_make(&dir);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tempdir_remove(&dir);
    return 0;
}

static void test_made_once_and_read_back(void **state)
{
    (void)state;
    char path[256];
    struct zcurve a, b;
    struct errmsg em;
    struct stat st;
    bool created;
    tempdir_file(&dir, "x/y/farm.key", path, sizeof path);
    assert_int_equal(keyfile_load(path, &a, &em), ERR_NOT_FOUND);
    assert_int_equal(keyfile_load_or_create(path, &a, &created, &em), ERR_OK);
    assert_true(created);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(st.st_nlink, 1);
    assert_int_equal(keyfile_create(path, &em), ERR_EXISTS);
    assert_int_equal(keyfile_load_or_create(path, &b, &created, &em), ERR_OK);
    assert_false(created);
    assert_string_equal(a.secret_key, b.secret_key);
    assert_string_equal(a.public_key, a.server_key);
    assert_int_equal(strlen(a.public_key), 40);
    assert_false(a.server);
}

static void check_refused(const char *text, const char *want)
{
    char path[256];
    struct zcurve k;
    struct errmsg em = {""};
    tempdir_file(&dir, "bad.key", path, sizeof path);
    tempdir_write(path, str_of(text));
    assert_int_equal(keyfile_load(path, &k, &em), ERR_INVALID);
    if (!strstr(em.text, want))
        fail_msg("expected '%s' in: %s", want, em.text);
    assert_int_equal(k.secret_key[0], 0);
}

#define PUBLIC_1 "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"
#define SECRET_1 "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6"

static void test_malformed(void **state)
{
    (void)state;
    check_refused("", "the public key is missing");
    check_refused("public = " PUBLIC_1 "\n", "the secret key is missing");
    check_refused("# c\n\npublic = short\n", "bad.key:3: expected");
    check_refused("public = " PUBLIC_1 "\npublic = " PUBLIC_1 "\n", "bad.key:2: expected");
    check_refused("private = " PUBLIC_1 "\n", "bad.key:1: expected");
    check_refused("public = \"2345678901234567890123456789012345678 0\n", "bad.key:1: expected");
    check_refused("public = " SECRET_1 "\nsecret = " SECRET_1 "\n", "do not belong together");
}

static void test_files_that_others_may_read(void **state)
{
    (void)state;
    char path[256];
    struct zcurve k;
    struct errmsg em;
    tempdir_file(&dir, "open.key", path, sizeof path);
    tempdir_write(path, STR("public = " PUBLIC_1 "\nsecret = " SECRET_1 "\n"));
    assert_int_equal(keyfile_load(path, &k, &em), ERR_OK);
    static const mode_t modes[] = {0640, 0604, 0620, 0602, 0666};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        assert_int_equal(chmod(path, modes[i]), 0);
        assert_int_equal(keyfile_load(path, &k, &em), ERR_REFUSED);
        assert_non_null(strstr(em.text, "expected mode 600"));
    }
    assert_int_equal(keyfile_load(dir.path, &k, &em), ERR_INVALID);
}

static void test_credentials_of_systemd(void **state)
{
    (void)state;
    char path[256];
    struct zcurve k;
    struct errmsg em;
    tempdir_file(&dir, "credential", path, sizeof path);
    tempdir_write(path, STR("public = " PUBLIC_1 "\nsecret = " SECRET_1 "\n"));
    assert_int_equal(chmod(path, 0440), 0);
    assert_int_equal(keyfile_load(path, &k, &em), ERR_REFUSED);
    assert_int_equal(setenv("CREDENTIALS_DIRECTORY", dir.path, 1), 0);
    assert_int_equal(keyfile_load(path, &k, &em), ERR_OK);
    assert_int_equal(chmod(path, 0444), 0);
    assert_int_equal(keyfile_load(path, &k, &em), ERR_REFUSED);
    assert_int_equal(setenv("CREDENTIALS_DIRECTORY", "/elsewhere", 1), 0);
    assert_int_equal(chmod(path, 0440), 0);
    assert_int_equal(keyfile_load(path, &k, &em), ERR_REFUSED);
    unsetenv("CREDENTIALS_DIRECTORY");
}

static void test_too_large(void **state)
{
    (void)state;
    char path[256], text[5001];
    struct zcurve k;
    memset(text, '#', 5000);
    text[5000] = 0;
    tempdir_file(&dir, "large.key", path, sizeof path);
    tempdir_write(path, str_of(text));
    assert_int_equal(keyfile_load(path, &k, NULL), ERR_INVALID);
}

static void test_default_path(void **state)
{
    (void)state;
    char path[KEYFILE_PATH_SIZE];
    struct errmsg em;
    setenv("HOME", "/home/u", 1);
    unsetenv("XDG_CONFIG_HOME");
    assert_int_equal(keyfile_default_path(path, &em), ERR_OK);
    assert_string_equal(path, "/home/u/.config/tunefarm/farm.key");
    setenv("XDG_CONFIG_HOME", "/c", 1);
    assert_int_equal(keyfile_default_path(path, &em), ERR_OK);
    assert_string_equal(path, "/c/tunefarm/farm.key");
    setenv("XDG_CONFIG_HOME", "relative", 1); /* to be ignored, says its specification */
    unsetenv("HOME");
    assert_int_equal(keyfile_default_path(path, &em), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_made_once_and_read_back),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_files_that_others_may_read),
        cmocka_unit_test(test_credentials_of_systemd),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_default_path),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
