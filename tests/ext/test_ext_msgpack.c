/* Why the reader of proto is our own: msgpack-c takes memory for what a message announces, not for
 * what it holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <msgpack.h>
#include <stdbool.h>
#include <cmocka.h>

/* Five bytes that announce 4 Mi elements and hold none. */
static void test_announced_elements_take_memory_at_once(void **state)
{
    (void)state;
    static const char text[] = "\xdd\x00\x40\x00\x00";
    msgpack_zone zone;
    msgpack_object o;
    size_t at = 0;
    assert_true(msgpack_zone_init(&zone, MSGPACK_ZONE_CHUNK_SIZE));
    msgpack_unpack_return r = msgpack_unpack(text, sizeof text - 1, &at, &zone, &o);
    assert_true(r == MSGPACK_UNPACK_CONTINUE || r == MSGPACK_UNPACK_NOMEM_ERROR);
    /* The zone's newest chunk is as large as the announced array. */
    size_t reserved =
        (size_t)(zone.chunk_list.ptr - (char *)zone.chunk_list.head) + zone.chunk_list.free;
    if (r == MSGPACK_UNPACK_CONTINUE)
        assert_true(reserved >= (size_t)0x400000 * sizeof(msgpack_object));
    msgpack_zone_destroy(&zone);
}

static void test_packer_writes_the_shortest_integers(void **state)
{
    (void)state;
    static const struct {
        uint64_t v;
        size_t n;
    } cases[] = {{0, 1},     {127, 1},   {128, 2},        {255, 2},       {256, 3},
                 {65535, 3}, {65536, 5}, {UINT32_MAX, 5}, {UINT64_MAX, 9}};
    msgpack_sbuffer b;
    msgpack_packer p;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        msgpack_sbuffer_init(&b);
        msgpack_packer_init(&p, &b, msgpack_sbuffer_write);
        assert_int_equal(msgpack_pack_uint64(&p, cases[i].v), 0);
        assert_int_equal(b.size, cases[i].n);
        msgpack_sbuffer_destroy(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_announced_elements_take_memory_at_once),
        cmocka_unit_test(test_packer_writes_the_shortest_integers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
