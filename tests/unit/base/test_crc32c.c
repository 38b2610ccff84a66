/* CRC-32C against RFC 3720's examples and a bitwise computation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "crc32c.h"
#include "rng.h"

static uint32_t bitwise(const uint8_t *p, size_t n)
{
    uint32_t c = 0xffffffff;
    for (size_t i = 0; i < n; i++) {
        c ^= p[i];
        for (int k = 0; k < 8; k++)
            c = c & 1 ? c >> 1 ^ 0x82f63b78 : c >> 1;
    }
    return ~c;
}

static void test_rfc3720(void **state)
{
    (void)state;
    uint8_t b[32];
    assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
    memset(b, 0, 32);
    assert_int_equal(crc32c(0, b, 32), 0x8a9136aa);
    memset(b, 0xff, 32);
    assert_int_equal(crc32c(0, b, 32), 0x62a8ab43);
    for (int i = 0; i < 32; i++)
        b[i] = (uint8_t)i;
    assert_int_equal(crc32c(0, b, 32), 0x46dd794e);
    assert_int_equal(crc32c(0, NULL, 0), 0);
}

static void test_of_a_number(void **state)
{
    (void)state;
    const uint8_t bytes[] = {8, 7, 6, 5, 4, 3, 2, 1};
    assert_int_equal(crc32c_u64(0, UINT64_C(0x0102030405060708)), crc32c(0, bytes, sizeof bytes));
    assert_int_equal(crc32c_u64(77, UINT64_C(0x0102030405060708)), crc32c(77, bytes, sizeof bytes));
}

static void test_against_bitwise_and_in_pieces(void **state)
{
    (void)state;
    uint8_t b[1000];
    struct rng r;
    rng_seed(&r, 4);
    for (size_t i = 0; i < sizeof b; i++)
        b[i] = (uint8_t)rng_u64(&r);
    for (size_t n = 0; n < sizeof b; n += 13) {
        assert_int_equal(crc32c(0, b, n), bitwise(b, n));
        assert_int_equal(crc32c_portable(0, b, n), bitwise(b, n));
        size_t cut = n / 3;
        assert_int_equal(crc32c(crc32c(0, b, cut), b + cut, n - cut), bitwise(b, n));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc3720),
        cmocka_unit_test(test_of_a_number),
        cmocka_unit_test(test_against_bitwise_and_in_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
