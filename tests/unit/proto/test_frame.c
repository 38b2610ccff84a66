/* The header: its bytes, every single fault of it, limits, and the choice of a version. */
#include "frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

static const struct frame sample = {
    .major = 1,
    .kind = 21,
    .session = UINT64_C(0x0102030405060708),
    .seq = UINT64_C(0x1112131415161718),
    .seen = UINT64_C(0x2122232425262728),
};

static struct buf written(struct str body)
{
    struct buf b;
    buf_init(&b, 0);
    struct frame f = sample;
    f.body = body;
    frame_write(&b, &f);
    assert_true(buf_ok(&b));
    return b;
}

static void layout_is_fixed(void **state)
{
    (void)state;
    /* The checksum of "123456789" is the check value of CRC-32C. */
    struct buf b = written(STR("123456789"));
    static const char wanted[] = "TFM1"
                                 "\x01\x15\x00\x00"
                                 "\x01\x02\x03\x04\x05\x06\x07\x08"
                                 "\x11\x12\x13\x14\x15\x16\x17\x18"
                                 "\x21\x22\x23\x24\x25\x26\x27\x28"
                                 "\x00\x00\x00\x09"
                                 "\xe3\x06\x92\x83"
                                 "123456789";
    assert_int_equal(b.n, FRAME_HEADER + 9);
    assert_memory_equal(b.p, wanted, b.n);
    buf_fini(&b);
}

static void reads_what_was_written(void **state)
{
    (void)state;
    struct buf b = written(STR("body"));
    struct frame f;
    struct errmsg em;
    assert_int_equal(frame_read(&f, buf_str(&b), FRAME_LIMIT, &em), ERR_OK);
    assert_int_equal(f.major, 1);
    assert_int_equal(f.kind, 21);
    assert_int_equal(f.flags, 0);
    assert_true(f.session == sample.session && f.seq == sample.seq && f.seen == sample.seen);
    assert_true(str_is(f.body, "body"));
    assert_ptr_equal(f.body.p, b.p + FRAME_HEADER);
    buf_fini(&b);
}

static void empty_body(void **state)
{
    (void)state;
    struct buf b = written((struct str){0});
    struct frame f;
    assert_int_equal(b.n, FRAME_HEADER);
    assert_int_equal(frame_read(&f, buf_str(&b), FRAME_LIMIT, NULL), ERR_OK);
    assert_int_equal(f.body.n, 0);
    buf_fini(&b);
}

/* Every cut is refused, reading nothing behind it: each is copied to memory of exactly its size. */
static void truncation_is_refused(void **state)
{
    (void)state;
    struct buf b = written(STR("some body"));
    for (size_t n = 0; n < b.n; n++) {
        char *cut = malloc(n ? n : 1);
        memcpy(cut, b.p, n);
        struct frame f;
        struct errmsg em = {.text = ""};
        assert_int_equal(frame_read(&f, str_make(cut, n), FRAME_LIMIT, &em), ERR_INVALID);
        assert_true(em.text[0]);
        free(cut);
    }
    buf_fini(&b);
}

/* Each bit matters: magic, length, checksum and body are protected; the rest of the header is what
 * it says. */
static void every_protected_bit_is_checked(void **state)
{
    (void)state;
    struct buf b = written(STR("some body"));
    for (size_t i = 0; i < b.n; i++) {
        err_t expected = i >= 36 ? ERR_CORRUPT : i < 4 || i >= 32 ? ERR_INVALID : ERR_OK;
        for (int bit = 0; bit < 8; bit++) {
            b.p[i] = (char)(b.p[i] ^ (1 << bit));
            struct frame f;
            err_t e = frame_read(&f, buf_str(&b), FRAME_LIMIT, NULL);
            assert_int_equal(e, expected);
            b.p[i] = (char)(b.p[i] ^ (1 << bit));
        }
    }
    buf_fini(&b);
}

static void trailing_bytes_are_refused(void **state)
{
    (void)state;
    struct buf b = written(STR("some body"));
    buf_addc(&b, 'x');
    struct frame f;
    struct errmsg em;
    assert_int_equal(frame_read(&f, buf_str(&b), FRAME_LIMIT, &em), ERR_INVALID);
    assert_non_null(strstr(em.text, "10 bytes follow"));
    buf_fini(&b);
}

static void limits(void **state)
{
    (void)state;
    char *big = calloc(1, FRAME_LIMIT);
    struct buf b = written(str_make(big, FRAME_LIMIT - FRAME_HEADER));
    struct frame f;
    struct errmsg em;
    assert_int_equal(frame_read(&f, buf_str(&b), FRAME_LIMIT, &em), ERR_OK);
    assert_int_equal(frame_read(&f, buf_str(&b), FRAME_LIMIT_WORKER, &em), ERR_LIMIT);
    assert_non_null(strstr(em.text, "262144"));
    buf_clear(&b);
    f.body = str_make(big, FRAME_LIMIT - FRAME_HEADER + 1);
    frame_write(&b, &f);
    assert_false(buf_ok(&b));
    assert_int_equal(b.n, 0);
    buf_fini(&b);
    free(big);
}

static void size_of_what_begins(void **state)
{
    (void)state;
    struct buf b = written(STR("some body"));
    assert_int_equal(frame_size((struct str){0}), 0);
    assert_int_equal(frame_size(str_make(b.p, FRAME_HEADER - 1)), 0);
    assert_int_equal(frame_size(str_make(b.p, FRAME_HEADER)), FRAME_HEADER + 9);
    buf_addz(&b, "the next frame");
    assert_int_equal(frame_size(buf_str(&b)), FRAME_HEADER + 9);
    buf_fini(&b);
}

static void versions(void **state)
{
    (void)state;
    assert_int_equal(frame_negotiate(1, 1, 1, 1), 1);
    assert_int_equal(frame_negotiate(1, 2, 2, 3), 2);
    assert_int_equal(frame_negotiate(2, 3, 1, 2), 2);
    assert_int_equal(frame_negotiate(1, 5, 1, 9), 5);
    assert_int_equal(frame_negotiate(1, 1, 2, 3), 0);
    assert_int_equal(frame_negotiate(4, 5, 1, 3), 0);
    assert_int_equal(frame_negotiate(3, 1, 1, 3), 0);
    assert_int_equal(frame_negotiate(0, 255, 7, 7), 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layout_is_fixed),
        cmocka_unit_test(reads_what_was_written),
        cmocka_unit_test(empty_body),
        cmocka_unit_test(truncation_is_refused),
        cmocka_unit_test(every_protected_bit_is_checked),
        cmocka_unit_test(trailing_bytes_are_refused),
        cmocka_unit_test(limits),
        cmocka_unit_test(size_of_what_begins),
        cmocka_unit_test(versions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
