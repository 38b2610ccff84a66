/* The frame around a saved study: what is damaged anywhere is refused with one sentence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "crc32c.h"
#include "snapshot.h"

static struct buf written(void)
{
    struct buf b;
    buf_init(&b, 0);
    snapshot_write(
        &(struct snapshot){.spec = STR("{}"), .trail = STR("abc"), .elapsed_ns = INT64_C(1) << 40},
        &b);
    return b;
}

static err_t reads(const char *p, size_t n, struct snapshot *s, struct errmsg *em)
{
    em->text[0] = 0;
    err_t e = snapshot_read(str_make(p, n), s, em);
    assert_int_equal(e == ERR_OK, em->text[0] == 0);
    return e;
}

static void it_is_read_as_it_was_written(void **state)
{
    (void)state;
    struct errmsg em;
    struct snapshot s;
    struct buf b = written();
    assert_int_equal(reads(b.p, b.n, &s, &em), ERR_OK);
    assert_true(str_is(s.spec, "{}") && str_is(s.trail, "abc"));
    assert_true(s.elapsed_ns == INT64_C(1) << 40);
    buf_fini(&b);
}

static void damage_is_found(void **state)
{
    (void)state;
    struct errmsg em;
    struct snapshot s;
    struct buf b = written();
    for (size_t n = 0; n < b.n; n++) {
        char *piece = malloc(n ? n : 1);
        memcpy(piece, b.p, n);
        assert_int_equal(reads(piece, n, &s, &em), ERR_CORRUPT);
        free(piece);
    }
    buf_addc(&b, 0);
    assert_int_equal(reads(b.p, b.n, &s, &em), ERR_CORRUPT);
    b.n--;
    for (size_t bit = 0; bit < 8 * b.n; bit++) {
        b.p[bit / 8] = (char)(b.p[bit / 8] ^ 1 << bit % 8);
        err_t e = reads(b.p, b.n, &s, &em);
        assert_true(e == ERR_CORRUPT || (e == ERR_VERSION && bit / 8 >= 8 && bit / 8 < 16));
        b.p[bit / 8] = (char)(b.p[bit / 8] ^ 1 << bit % 8);
    }
    assert_int_equal(reads(b.p, b.n, &s, &em), ERR_OK);
    buf_fini(&b);
}

static void versions_are_told_apart(void **state)
{
    (void)state;
    struct errmsg em;
    struct snapshot s;
    struct buf b = written();
    b.p[8] = 2;
    uint32_t sum = crc32c(0, b.p, b.n - 4);
    for (unsigned i = 0; i < 4; i++)
        b.p[b.n - 4 + i] = (char)(sum >> 8 * i);
    assert_int_equal(reads(b.p, b.n, &s, &em), ERR_VERSION);
    assert_string_equal(em.text, "the study was saved as version 2; expected 1");
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_read_as_it_was_written),
        cmocka_unit_test(damage_is_found),
        cmocka_unit_test(versions_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
