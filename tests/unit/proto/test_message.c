/* The schema as a whole (keys, names, limits that must hold for every message), names of kinds, the
 * printer, and the generated documentation. */
#include "message.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "codec.h"
#include "frame.h"
#include "schema.h"

static void names(void **state)
{
    (void)state;
    assert_string_equal(message_name(MSG_HELLO), "HELLO");
    assert_string_equal(message_name(MSG_CLOSE_STUDY), "CLOSE_STUDY");
    assert_string_equal(message_name(MSG_BEACON), "BEACON");
    assert_string_equal(message_name(0), "?");
    assert_string_equal(message_name(97), "?");
    assert_true(message_known(1));
    assert_false(message_known(0));
    assert_false(message_known(15));
    assert_false(message_known(255));
    assert_false(message_known(~0u));
}

static void check_schema(const struct schema *s)
{
    assert_true(s->n >= 1 && s->n < 64); /* the decoder keeps a bit for each */
    for (uint32_t i = 0; i < s->n; i++) {
        const struct field *f = &s->fields[i];
        assert_true(f->key >= 1 && (i == 0 || f->key > s->fields[i - 1].key));
        assert_ptr_equal(schema_field(s, f->key), f);
        assert_true(f->offset < s->size);
        assert_true(f->doc[0]);
        bool sized = f->type == FIELD_STR || f->type == FIELD_BIN || f->type == FIELD_LIST;
        assert_int_equal(f->limit != 0, sized);
        assert_true(f->type != FIELD_LIST || f->limit <= SCHEMA_ARRAY);
        assert_true(f->limit <= FRAME_LIMIT / 2);
        assert_int_equal(f->sub != NULL, f->type == FIELD_LIST && f->elem == FIELD_STRUCT);
    }
    assert_null(schema_field(s, 0));
    assert_null(schema_field(s, 255));
    assert_null(schema_field(s, UINT64_MAX));
}

static void every_schema_is_sound(void **state)
{
    (void)state;
    unsigned found = 0;
    for (unsigned kind = 0; kind < 256; kind++) {
        if (!schema_message(kind))
            continue;
        check_schema(schema_message(kind));
        found++;
    }
    assert_true(found >= 40);
    for (unsigned i = 0; schema_struct(i); i++)
        check_schema(schema_struct(i));
}

static void keys_may_leave_holes(void **state)
{
    (void)state;
    static const struct field fields[] = {{.key = 2}, {.key = 3}, {.key = 7}};
    const struct schema s = {.fields = fields, .n = 3};
    assert_null(schema_field(&s, 1));
    assert_ptr_equal(schema_field(&s, 2), &fields[0]);
    assert_ptr_equal(schema_field(&s, 3), &fields[1]);
    assert_ptr_equal(schema_field(&s, 7), &fields[2]);
    assert_null(schema_field(&s, 8));
}

static void lists_are_slices(void **state)
{
    (void)state;
    const int64_t steps[] = {1, 2};
    struct record r = {.decide = {steps, 2}};
    struct slice s = schema_slice(&r.decide);
    assert_ptr_equal(s.v, steps);
    assert_int_equal(s.n, 2);
    assert_int_equal(sizeof r.decide, sizeof s);
}

static void assert_prints(unsigned kind, const void *m, const char *wanted)
{
    struct buf b;
    buf_init(&b, 0);
    message_print(&b, kind, m);
    assert_string_equal(buf_z(&b), wanted);
    buf_fini(&b);
}

static void prints_json(void **state)
{
    (void)state;
    struct msg_final f = {.study = 1,
                          .status = FINAL_PRUNED,
                          .has_value = true,
                          .value = NAN,
                          .metrics = STR("{\"a\":1}"),
                          .last_step = -3,
                          .exit_code = INT64_MIN,
                          .runtime_ms = UINT64_MAX};
    assert_prints(
        MSG_FINAL, &f,
        "{\"study\":1,\"status\":1,\"has_value\":true,\"value\":\"NaN\",\"metrics\":\"{\\\"a\\\":1}"
        "\","
        "\"last_step\":-3,\"runtime_ms\":18446744073709551615,\"exit_code\":-9223372036854775808}");
    const int64_t decide[] = {9, 27};
    const struct proposal p[] = {{.draw = 4, .decide = {decide, 2}}, {.params = STR("\xc3\xa9\n")}};
    struct msg_propose propose = {.proposals = {p, 2}};
    assert_prints(MSG_PROPOSE, &propose,
                  "{\"proposals\":[{\"draw\":4,\"decide\":[9,27]},{\"params\":\"\xc3\xa9\\n\"}]}");
    const struct str args[] = {STR("a"), STR("")};
    struct msg_sql sql = {.request = {{0xab, 1}}, .args = {args, 2}};
    assert_prints(MSG_SQL, &sql,
                  "{\"request\":\"ab010000000000000000000000000000\",\"args\":[\"a\",\"\"]}");
    struct msg_log_text log = {.bytes = STR("\xff\x01")};
    assert_prints(MSG_LOG_TEXT, &log, "{\"bytes\":\"ff01\"}");
    struct msg_get_blob none = {0};
    assert_prints(MSG_GET_BLOB, &none, "{}");
}

static size_t field_size(const struct field *f)
{
    switch ((enum field_type)f->type) {
    case FIELD_U8:
    case FIELD_BOOL:
        return 1;
    case FIELD_U32:
        return 4;
    case FIELD_STR:
    case FIELD_BIN:
        return sizeof(struct str);
    case FIELD_ID16:
        return 16;
    case FIELD_D32:
        return 32;
    case FIELD_LIST:
        return sizeof(struct slice);
    default:
        return 8;
    }
}

/* A change of any field of any message is seen. */
static void equality_sees_every_field(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 0);
    for (unsigned kind = 0; kind < 256; kind++) {
        const struct schema *s = schema_message(kind);
        struct rng r;
        rng_seed(&r, kind);
        for (uint32_t i = 0; s && i < s->n; i++) {
            const struct field *f = &s->fields[i];
            union message x, y;
            do
                message_sample(&x, kind, &r, &a);
            while (schema_is_zero(f, schema_at(f, &x)));
            y = x;
            assert_true(message_equal(kind, &x, &y));
            memset((char *)&y + f->offset, 0, field_size(f));
            assert_true(schema_is_zero(f, schema_at(f, &y)));
            assert_false(message_equal(kind, &x, &y));
        }
        arena_clear(&a);
    }
    arena_fini(&a);
}

static void equality_looks_into_lists(void **state)
{
    (void)state;
    const int64_t one[] = {1, 2}, two[] = {1, 3};
    struct msg_assign x = {.decide = {one, 2}}, y = {.decide = {two, 2}};
    assert_false(message_equal(MSG_ASSIGN, &x, &y));
    y.decide.v = (const int64_t[]){1, 2};
    assert_true(message_equal(MSG_ASSIGN, &x, &y));
    const struct str a[] = {STR("a")}, b[] = {STR("b")};
    struct msg_sql p = {.args = {a, 1}}, q = {.args = {b, 1}};
    assert_false(message_equal(MSG_SQL, &p, &q));
    const struct point n[] = {{.value = NAN}}, z[] = {{.value = -NAN}};
    struct msg_report s = {.points = {n, 1}}, t = {.points = {z, 1}};
    assert_false(message_equal(MSG_REPORT, &s, &t));
    t.points.v = n;
    assert_true(message_equal(MSG_REPORT, &s, &t));
}

static void documents_every_field(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 0);
    message_docs(&b);
    const char *text = buf_z(&b);
    for (unsigned kind = 0; kind < 256; kind++) {
        const struct schema *s = schema_message(kind);
        if (!s)
            continue;
        char head[64];
        assert_true(str_copyz(head, sizeof head, str_of("### ")));
        strncat(head, s->name, sizeof head - 8);
        const char *at = strstr(text, head);
        assert_non_null(at);
        for (uint32_t i = 0; i < s->n; i++) {
            at = strstr(at, s->fields[i].name);
            assert_non_null(at);
        }
    }
    assert_non_null(strstr(text, "list of [record](#record) <= 1024"));
    assert_non_null(strstr(text, "| 28 | `finished` |"));
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(every_schema_is_sound),
        cmocka_unit_test(keys_may_leave_holes),
        cmocka_unit_test(lists_are_slices),
        cmocka_unit_test(prints_json),
        cmocka_unit_test(equality_sees_every_field),
        cmocka_unit_test(equality_looks_into_lists),
        cmocka_unit_test(documents_every_field),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
