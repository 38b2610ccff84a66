/* The bounded reader against every encoding of every type, its limits, and hostile bytes. All
 * inputs are copied to memory of exactly their size, so that a sanitizer sees any read outside. */
#include "reader.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>
#include <msgpack.h>

#include "rng.h"
#include "schema.h"

#define BYTES(lit) str_make((lit), sizeof(lit) - 1)

struct input {
    struct reader r;
    char *memory;
};

static struct input input_of(struct str s)
{
    struct input in;
    in.memory = malloc(s.n ? s.n : 1);
    memcpy(in.memory, s.p, s.n);
    reader_init(&in.r, str_make(in.memory, s.n));
    return in;
}

static uint64_t u64_of(struct str s, uint64_t max, bool *fine)
{
    struct input in = input_of(s);
    uint64_t v = reader_u64(&in.r, max);
    *fine = reader_done(&in.r);
    free(in.memory);
    return v;
}

static int64_t i64_of(struct str s, bool *fine)
{
    struct input in = input_of(s);
    int64_t v = reader_i64(&in.r);
    *fine = reader_done(&in.r);
    free(in.memory);
    return v;
}

static double f64_of(struct str s, bool *fine)
{
    struct input in = input_of(s);
    double v = reader_f64(&in.r);
    *fine = reader_done(&in.r);
    free(in.memory);
    return v;
}

static void unsigned_numbers(void **state)
{
    (void)state;
    static const struct {
        struct str bytes;
        uint64_t max, wanted;
        bool fine;
    } cases[] = {
        {{"\x00", 1}, 255, 0, true},
        {{"\x7f", 1}, 255, 127, true},
        {{"\xcc\xff", 2}, 255, 255, true},
        {{"\xcd\x01\x00", 3}, 255, 0, false},
        {{"\xcd\x00\x05", 3}, 255, 5, true}, /* wider than needed */
        {{"\xce\xff\xff\xff\xff", 5}, UINT32_MAX, UINT32_MAX, true},
        {{"\xcf\xff\xff\xff\xff\xff\xff\xff\xff", 9}, UINT64_MAX, UINT64_MAX, true},
        {{"\xcf\x00\x00\x00\x01\x00\x00\x00\x00", 9}, UINT32_MAX, 0, false},
        {{"\xd0\x05", 2}, 255, 5, true}, /* signed, but not negative */
        {{"\xd3\x7f\xff\xff\xff\xff\xff\xff\xff", 9}, UINT64_MAX, INT64_MAX, true},
        {{"\xd0\xff", 2}, UINT64_MAX, 0, false},
        {{"\xff", 1}, UINT64_MAX, 0, false},
        {{"\xc0", 1}, UINT64_MAX, 0, false},
        {{"\xca\x3f\x80\x00\x00", 5}, UINT64_MAX, 0, false},
        {{"\xa1"
          "1",
          2},
         UINT64_MAX,
         0,
         false},
        {{"\xcd\x01", 2}, UINT64_MAX, 0, false},
        {{"", 0}, UINT64_MAX, 0, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool fine;
        assert_true(u64_of(cases[i].bytes, cases[i].max, &fine) == cases[i].wanted);
        assert_int_equal(fine, cases[i].fine);
    }
}

static void signed_numbers(void **state)
{
    (void)state;
    static const struct {
        struct str bytes;
        int64_t wanted;
        bool fine;
    } cases[] = {
        {{"\x7f", 1}, 127, true},
        {{"\xff", 1}, -1, true},
        {{"\xe0", 1}, -32, true},
        {{"\xd0\x80", 2}, -128, true},
        {{"\xd1\x80\x00", 3}, -32768, true},
        {{"\xd2\x80\x00\x00\x00", 5}, INT32_MIN, true},
        {{"\xd2\xff\xff\xff\xff", 5}, -1, true},
        {{"\xd3\x80\x00\x00\x00\x00\x00\x00\x00", 9}, INT64_MIN, true},
        {{"\xcc\xff", 2}, 255, true},
        {{"\xcf\x7f\xff\xff\xff\xff\xff\xff\xff", 9}, INT64_MAX, true},
        {{"\xcf\x80\x00\x00\x00\x00\x00\x00\x00", 9}, 0, false},
        {{"\xcb\x00\x00\x00\x00\x00\x00\x00\x00", 9}, 0, false},
        {{"\xd3\x80\x00\x00\x00\x00\x00\x00", 8}, 0, false},
        {{"", 0}, 0, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool fine;
        assert_true(i64_of(cases[i].bytes, &fine) == cases[i].wanted);
        assert_int_equal(fine, cases[i].fine);
    }
}

static void floating_numbers(void **state)
{
    (void)state;
    bool fine;
    assert_true(f64_of(BYTES("\xcb\x3f\xb9\x99\x99\x99\x99\x99\x9a"), &fine) == 0.1 && fine);
    assert_true(f64_of(BYTES("\xca\x3f\x00\x00\x00"), &fine) == 0.5 && fine);
    assert_true(isnan(f64_of(BYTES("\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00"), &fine)) && fine);
    assert_true(f64_of(BYTES("\xcb\xff\xf0\x00\x00\x00\x00\x00\x00"), &fine) == -INFINITY && fine);
    assert_true(signbit(f64_of(BYTES("\xcb\x80\x00\x00\x00\x00\x00\x00\x00"), &fine)) && fine);
    assert_true(f64_of(BYTES("\x03"), &fine) == 3.0 && fine);
    assert_true(f64_of(BYTES("\xff"), &fine) == -1.0 && fine);
    assert_true(f64_of(BYTES("\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), &fine) == 0x1p64 && fine);
    assert_true(f64_of(BYTES("\xcb\x3f\xb9"), &fine) == 0 && !fine);
    assert_true(f64_of(BYTES("\xca\x3f"), &fine) == 0 && !fine);
    assert_true(f64_of(BYTES("\xa3nan"), &fine) == 0 && !fine);
    assert_true(f64_of(BYTES(""), &fine) == 0 && !fine);
}

static void booleans(void **state)
{
    (void)state;
    struct input in = input_of(BYTES("\xc3\xc2\xc0"));
    assert_true(reader_bool(&in.r));
    assert_false(reader_bool(&in.r));
    assert_true(reader_ok(&in.r));
    assert_false(reader_bool(&in.r));
    assert_false(reader_ok(&in.r));
    free(in.memory);
}

static bool str_fine(struct str bytes, size_t limit, const char *wanted)
{
    struct input in = input_of(bytes);
    struct str s = reader_str(&in.r, limit);
    bool fine = reader_done(&in.r);
    if (fine)
        assert_true(str_is(s, wanted));
    else
        assert_int_equal(s.n, 0);
    free(in.memory);
    return fine;
}

static void strings(void **state)
{
    (void)state;
    assert_true(str_fine(BYTES("\xa0"), 0, ""));
    assert_true(str_fine(BYTES("\xa3"
                               "abc"),
                         3, "abc"));
    assert_false(str_fine(BYTES("\xa3"
                                "abc"),
                          2, ""));
    assert_true(str_fine(BYTES("\xd9\x03"
                               "abc"),
                         3, "abc"));
    assert_true(str_fine(BYTES("\xda\x00\x03"
                               "abc"),
                         3, "abc"));
    assert_true(str_fine(BYTES("\xdb\x00\x00\x00\x03"
                               "abc"),
                         3, "abc"));
    assert_false(str_fine(BYTES("\xda\x00\x03"
                                "ab"),
                          3, ""));
    assert_false(str_fine(BYTES("\xc4\x03"
                                "abc"),
                          3, "")); /* bytes are no text */
    assert_false(str_fine(BYTES("\x05"), 9, ""));
    assert_false(str_fine(BYTES(""), 9, ""));
    assert_false(str_fine(BYTES("\xdb\x00\x00"), 9, ""));
}

static void text_is_strict_utf8(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "\x80",
        "\xc0\x80",
        "\xc1\xbf",
        "\xe0\x80\x80",
        "\xe0\x9f\xbf",
        "\xed\xa0\x80",
        "\xed\xbf\xbf",
        "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\xc3",
        "\xe2\x82",
        "\xf0\x9f\x8c",
        "\xff",
        "\xc3\xc3",
    };
    /* Behind 0 to 17 bytes of ASCII: the fast way over eight bytes must not hide it. */
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        for (size_t lead = 0; lead < 18; lead++) {
            char bytes[64] = {(char)0xd9};
            size_t n = strlen(bad[i]);
            bytes[1] = (char)(lead + n);
            memset(bytes + 2, 'a', lead);
            memcpy(bytes + 2 + lead, bad[i], n);
            assert_false(str_fine(str_make(bytes, 2 + lead + n), 60, ""));
        }
    }
    assert_true(str_fine(BYTES("\xaf"
                               "abcdefgh\xf0\x9f\x8c\xb1\xe2\x82\xac"),
                         60, "abcdefgh\xf0\x9f\x8c\xb1\xe2\x82\xac"));
}

static void byte_strings(void **state)
{
    (void)state;
    struct input in =
        input_of(BYTES("\xc4\x02\xff\x00\xc5\x00\x01\x80\xc6\x00\x00\x00\x00\xc4\x03zz"));
    struct str s = reader_bin(&in.r, 2);
    assert_true(str_eq(s, BYTES("\xff\x00")));
    s = reader_bin(&in.r, 1);
    assert_true(str_eq(s, BYTES("\x80")));
    assert_int_equal(reader_bin(&in.r, 0).n, 0);
    assert_true(reader_ok(&in.r));
    assert_int_equal(reader_bin(&in.r, 9).n, 0);
    assert_false(reader_ok(&in.r));
    free(in.memory);
    in = input_of(BYTES("\xa1z"));
    assert_int_equal(reader_bin(&in.r, 9).n, 0);
    assert_false(reader_ok(&in.r));
    free(in.memory);
}

static void announced_sizes_are_not_believed(void **state)
{
    (void)state;
    static const char *const heads[] = {"\xdb\xff\xff\xff\xff", "\xc6\xff\xff\xff\xff",
                                        "\xdd\xff\xff\xff\xff", "\xdf\xff\xff\xff\xff",
                                        "\xdd\x00\x00\x0f\xff", "\xdf\x00\x00\x00\xff"};
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        struct input in = input_of(str_make(heads[i], 5));
        reader_skip(&in.r);
        assert_false(reader_ok(&in.r));
        free(in.memory);
    }
    struct input in = input_of(str_make(heads[2], 5));
    assert_int_equal(reader_array(&in.r, SCHEMA_ARRAY), 0);
    assert_false(reader_ok(&in.r));
    free(in.memory);
    in = input_of(str_make(heads[3], 5));
    assert_int_equal(reader_map(&in.r, SCHEMA_MAP), 0);
    assert_false(reader_ok(&in.r));
    free(in.memory);
}

static void containers(void **state)
{
    (void)state;
    struct input in = input_of(BYTES("\x92\x81\x01\xc3\xdc\x00\x01\x05\xde\x00\x00"));
    assert_int_equal(reader_array(&in.r, 2), 2);
    assert_int_equal(reader_map(&in.r, 1), 1);
    assert_int_equal(reader_u64(&in.r, 255), 1);
    assert_true(reader_bool(&in.r));
    reader_leave(&in.r);
    assert_int_equal(reader_array(&in.r, 1), 1);
    assert_int_equal(reader_u64(&in.r, 255), 5);
    reader_leave(&in.r);
    reader_leave(&in.r);
    assert_int_equal(reader_map(&in.r, 1), 0);
    reader_leave(&in.r);
    assert_true(reader_done(&in.r));
    assert_int_equal(in.r.depth, 0);
    free(in.memory);
    in = input_of(BYTES("\x92\x01\x02"));
    assert_int_equal(reader_array(&in.r, 1), 0);
    assert_false(reader_ok(&in.r));
    free(in.memory);
    in = input_of(BYTES("\x80"));
    assert_int_equal(reader_array(&in.r, 1), 0);
    assert_false(reader_ok(&in.r));
    free(in.memory);
    in = input_of(BYTES("\x90"));
    assert_int_equal(reader_map(&in.r, 1), 0);
    assert_false(reader_ok(&in.r));
    free(in.memory);
}

static void depth_is_limited(void **state)
{
    (void)state;
    for (size_t depth = 1; depth < 200; depth++) {
        char bytes[200];
        memset(bytes, '\x91', depth);
        bytes[depth] = '\x01';
        struct input in = input_of(str_make(bytes, depth + 1));
        reader_skip(&in.r);
        assert_int_equal(reader_done(&in.r), depth <= SCHEMA_DEPTH);
        free(in.memory);
    }
}

/* Five arrays of 3,276 small numbers in one: 16,385 elements; one less fits. */
static void elements_are_limited(void **state)
{
    (void)state;
    for (uint32_t extra = 0; extra < 2; extra++) {
        struct buf b;
        buf_init(&b, 0);
        buf_addc(&b, '\x95');
        for (uint32_t i = 0; i < 5; i++) {
            uint32_t n = i == 4 ? SCHEMA_ELEMENTS - 5 - 4 * 3276 + extra : 3276;
            char head[3] = {'\xdc', (char)(n >> 8), (char)n};
            buf_add(&b, head, 3);
            for (uint32_t k = 0; k < n; k++)
                buf_addc(&b, '\x01');
        }
        struct input in = input_of(buf_str(&b));
        reader_skip(&in.r);
        assert_int_equal(reader_done(&in.r), extra == 0);
        free(in.memory);
        buf_fini(&b);
    }
}

static void skips_every_type(void **state)
{
    (void)state;
    static const char all[] =
        "\x9f\x00\xff\xc0\xc2\xc3\xca....\xcb........\xcc.\xcd..\xce....\xcf........"
        "\xd0.\xd1..\xd2....\xd3........"
        "\x99\xa2zz\xd9\x01z\xda\x00\x01z\xdb\x00\x00\x00\x01z\xc4\x01\xff\xc5\x00\x01\xff"
        "\xc6\x00\x00\x00\x01\xff\xde\x00\x01\xa1k\xdc\x00\x00\xdf\x00\x00\x00\x01\x01\xdd\x00"
        "\x00\x00\x00";
    struct input in = input_of(BYTES(all));
    reader_skip(&in.r);
    reader_skip(&in.r);
    assert_true(reader_done(&in.r));
    free(in.memory);
    for (size_t n = 0; n < sizeof all - 1; n++) {
        in = input_of(str_make(all, n));
        reader_skip(&in.r);
        reader_skip(&in.r);
        assert_false(reader_done(&in.r));
        free(in.memory);
    }
}

static void extensions_are_refused(void **state)
{
    (void)state;
    static const uint8_t types[] = {0xc1, 0xc7, 0xc8, 0xc9, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8};
    for (size_t i = 0; i < sizeof types; i++) {
        char bytes[40] = {(char)types[i], 1};
        struct input in = input_of(str_make(bytes, sizeof bytes));
        reader_skip(&in.r);
        assert_false(reader_ok(&in.r));
        free(in.memory);
    }
}

static void faults_stick(void **state)
{
    (void)state;
    struct input in = input_of(BYTES("\xc1\x01\x01\x01\xc3\xa1z\xc4\x01z\x81\x01\x01\x91\x01"));
    reader_skip(&in.r);
    const char *first = in.r.fault;
    const uint8_t *p = in.r.p;
    assert_non_null(first);
    reader_fail(&in.r, "another");
    assert_ptr_equal(in.r.fault, first);
    assert_int_equal(reader_u64(&in.r, 9), 0);
    assert_int_equal(reader_i64(&in.r), 0);
    assert_true(reader_f64(&in.r) == 0);
    assert_false(reader_bool(&in.r));
    assert_int_equal(reader_str(&in.r, 9).n, 0);
    assert_int_equal(reader_bin(&in.r, 9).n, 0);
    assert_int_equal(reader_map(&in.r, 9), 0);
    assert_int_equal(reader_array(&in.r, 9), 0);
    reader_leave(&in.r);
    reader_skip(&in.r);
    assert_ptr_equal(in.r.p, p);
    assert_false(reader_done(&in.r));
    free(in.memory);
}

static void no_bytes_at_all(void **state)
{
    (void)state;
    struct reader r;
    reader_init(&r, (struct str){0});
    assert_true(reader_done(&r));
    reader_skip(&r);
    assert_false(reader_ok(&r));
}

static void pack_random(msgpack_packer *pk, struct rng *g, int depth)
{
    switch (rng_below(g, depth > 5 ? 6 : 8)) {
    case 0:
        msgpack_pack_uint64(pk, rng_u64(g) >> rng_below(g, 64));
        break;
    case 1:
        msgpack_pack_int64(pk, -(int64_t)(rng_u64(g) >> (1 + rng_below(g, 62))));
        break;
    case 2:
        msgpack_pack_double(pk, rng_unit(g));
        break;
    case 3:
        msgpack_pack_nil(pk);
        break;
    case 4:
        msgpack_pack_str(pk, 3);
        msgpack_pack_str_body(pk, "abc", 3);
        break;
    case 5:
        msgpack_pack_float(pk, 0.5f);
        break;
    case 6: {
        size_t n = (size_t)rng_below(g, 20);
        msgpack_pack_array(pk, n);
        while (n--)
            pack_random(pk, g, depth + 2);
        break;
    }
    default: {
        size_t n = (size_t)rng_below(g, 18);
        msgpack_pack_map(pk, n);
        for (size_t i = 0; i < 2 * n; i++)
            pack_random(pk, g, depth + 2);
    }
    }
}

/* Whatever msgpack-c writes within the limits is skipped to its exact end. */
static void skips_what_msgpack_writes(void **state)
{
    (void)state;
    struct rng g;
    rng_seed(&g, 11);
    for (int i = 0; i < 500; i++) {
        msgpack_sbuffer sb;
        msgpack_sbuffer_init(&sb);
        msgpack_packer pk;
        msgpack_packer_init(&pk, &sb, msgpack_sbuffer_write);
        pack_random(&pk, &g, 0);
        struct input in = input_of(str_make(sb.data, sb.size));
        reader_skip(&in.r);
        assert_true(reader_done(&in.r));
        free(in.memory);
        msgpack_sbuffer_destroy(&sb);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unsigned_numbers),
        cmocka_unit_test(signed_numbers),
        cmocka_unit_test(floating_numbers),
        cmocka_unit_test(booleans),
        cmocka_unit_test(strings),
        cmocka_unit_test(text_is_strict_utf8),
        cmocka_unit_test(byte_strings),
        cmocka_unit_test(announced_sizes_are_not_believed),
        cmocka_unit_test(containers),
        cmocka_unit_test(depth_is_limited),
        cmocka_unit_test(elements_are_limited),
        cmocka_unit_test(skips_every_type),
        cmocka_unit_test(extensions_are_refused),
        cmocka_unit_test(faults_stick),
        cmocka_unit_test(no_bytes_at_all),
        cmocka_unit_test(skips_what_msgpack_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
