/* BLAKE2b-256 of bytes and files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "hash.h"
#include "tempdir.h"

static void test_known_digest(void **state)
{
    (void)state;
    char text[HEX_SIZE(32)];
    str_hex(text, hash_bytes(STR("abc")).b, 32);
    assert_string_equal(text, "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
    str_hex(text, hash_bytes((struct str){NULL, 0}).b, 32);
    assert_string_equal(text, "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8");
}

static void test_file_is_the_same_as_bytes(void **state)
{
    (void)state;
    struct tempdir d;
    struct errmsg em;
    struct digest got;
    uint64_t size;
    char path[256];
    size_t n = 200000;
    char *text = malloc(n);
    assert_non_null(text);
    for (size_t i = 0; i < n; i++)
        text[i] = (char)(i * 7);
    tempdir_make(&d);
    tempdir_file(&d, "f", path, sizeof path);
    tempdir_write(path, str_make(text, n));
    assert_int_equal(hash_file(path, &got, &size, &em), ERR_OK);
    assert_int_equal(size, n);
    assert_true(digest_eq(got, hash_bytes(str_make(text, n))));
    tempdir_file(&d, "none", path, sizeof path);
    assert_int_equal(hash_file(path, &got, &size, &em), ERR_NOT_FOUND);
    assert_non_null(strstr(em.text, path));
    assert_int_equal(hash_file(d.path, &got, NULL, &em), ERR_IO);
    tempdir_remove(&d);
    free(text);
}

static void test_random_bytes_differ(void **state)
{
    (void)state;
    struct id128 a, b;
    hash_random(&a, sizeof a);
    hash_random(&b, sizeof b);
    assert_false(id128_eq(a, b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_digest),
        cmocka_unit_test(test_file_is_the_same_as_bytes),
        cmocka_unit_test(test_random_bytes_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
