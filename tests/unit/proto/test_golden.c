/* Every frame under tests/golden/v1 decodes, means what the JSON beside it says, and encodes to the
 * same bytes again. Every message kind has two. The frames are never regenerated: peers of every
 * released version speak them. */
#include "codec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "frame.h"

static struct buf file(unsigned kind, int number, const char *suffix)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s-%d.%s", GOLDEN_DIR, message_name(kind), number,
                   suffix);
    FILE *f = fopen(path, "rb");
    if (!f)
        fail_msg("%s is missing: see tests/unit/proto/CMakeLists.txt", path);
    struct buf b;
    buf_init(&b, 0);
    char block[4096];
    for (size_t n; (n = fread(block, 1, sizeof block, f)) > 0;)
        buf_add(&b, block, n);
    assert_int_equal(fclose(f), 0);
    return b;
}

static void check_text(const struct frame *f, const union message *m, int number)
{
    struct buf text;
    buf_init(&text, 0);
    buf_printf(&text, "{\"kind\":\"%s\",\"session\":%llu,\"seq\":%llu,\"seen\":%llu,\"message\":",
               message_name(f->kind), (unsigned long long)f->session, (unsigned long long)f->seq,
               (unsigned long long)f->seen);
    message_print(&text, f->kind, m);
    buf_addz(&text, "}\n");
    struct buf wanted = file(f->kind, number, "json");
    assert_string_equal(buf_z(&text), buf_z(&wanted));
    buf_fini(&wanted);
    buf_fini(&text);
}

static void check_bytes(const struct frame *f, const union message *m, struct str wanted)
{
    struct buf body, frame;
    buf_init(&body, 0);
    buf_init(&frame, 0);
    message_encode(&body, f->kind, m);
    struct frame again = *f;
    again.body = buf_str(&body);
    frame_write(&frame, &again);
    assert_true(str_eq(buf_str(&frame), wanted));
    buf_fini(&body);
    buf_fini(&frame);
}

static void check(unsigned kind, int number)
{
    struct buf bytes = file(kind, number, "frame");
    struct arena a;
    arena_init(&a, 0);
    struct frame f;
    union message m;
    struct errmsg em = {.text = ""};
    if (frame_read(&f, buf_str(&bytes), FRAME_LIMIT, &em) ||
        message_decode(&m, f.kind, f.body, &a, &em))
        fail_msg("%s-%d: %s", message_name(kind), number, em.text);
    assert_int_equal(f.major, 1);
    assert_int_equal(f.kind, kind);
    assert_int_equal(f.flags, 0);
    check_text(&f, &m, number);
    check_bytes(&f, &m, buf_str(&bytes));
    arena_fini(&a);
    buf_fini(&bytes);
}

static void frames_decode_for_ever(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 256; kind++) {
        for (int number = 1; message_known(kind) && number <= 2; number++)
            check(kind, number);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(frames_decode_for_ever)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
