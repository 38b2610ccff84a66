/* The encoder: its exact bytes, every kind there and back, agreement with msgpack-c's own unpacker,
 * and its contracts. */
#include "codec.h"

#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include <msgpack.h>

#include "frame.h"
#include "schema.h"

#define SEEDS 300

static struct buf encoded(unsigned kind, const void *msg)
{
    struct buf b;
    buf_init(&b, 0);
    message_encode(&b, kind, msg);
    assert_true(buf_ok(&b));
    return b;
}

static void exact_bytes(void **state)
{
    (void)state;
    struct msg_drain empty = {0};
    struct buf b = encoded(MSG_DRAIN, &empty);
    assert_int_equal(b.n, 1);
    assert_memory_equal(b.p, "\x80", 1);
    buf_fini(&b);

    struct point points[2] = {{.step = 1, .has_value = true, .value = 0.5},
                              {.step = -1, .metrics = STR("{}")}};
    struct msg_report m = {.study = 7, .trial = 300, .points = {points, 2}};
    b = encoded(MSG_REPORT, &m);
    static const char wanted[] = "\x83\x01\x07\x02\xcd\x01\x2c\x04\x92"
                                 "\x83\x01\x01\x02\xc3\x03\xcb\x3f\xe0\x00\x00\x00\x00\x00\x00"
                                 "\x82\x01\xff\x04\xa2{}";
    assert_int_equal(b.n, sizeof wanted - 1);
    assert_memory_equal(b.p, wanted, b.n);
    buf_fini(&b);
}

static void zero_is_by_bits(void **state)
{
    (void)state;
    const double kept[] = {-0.0, NAN, INFINITY, 5e-324};
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        struct msg_beat m = {.load = kept[i]};
        struct buf b = encoded(MSG_BEAT, &m);
        assert_int_equal(b.n, 11);
        union message back;
        assert_int_equal(message_decode(&back, MSG_BEAT, buf_str(&b), NULL, NULL), ERR_OK);
        assert_memory_equal(&back.beat.load, &kept[i], sizeof kept[i]);
        buf_fini(&b);
    }
    struct msg_beat m = {.load = 0.0};
    struct buf b = encoded(MSG_BEAT, &m);
    assert_int_equal(b.n, 1);
    buf_fini(&b);
}

/* Compares a value that msgpack-c unpacked with the field it was packed from. */
static void check_object(const msgpack_object *o, unsigned type, const void *at);
static void check_map(const msgpack_object *o, const struct schema *s, const void *base);

static void check_list(const msgpack_object *o, const struct field *f, struct slice list)
{
    assert_int_equal(o->type, MSGPACK_OBJECT_ARRAY);
    assert_int_equal(o->via.array.size, list.n);
    for (uint32_t i = 0; i < list.n; i++) {
        const void *item = (const char *)list.v + i * schema_item_size(f);
        if (f->elem == FIELD_STRUCT)
            check_map(&o->via.array.ptr[i], f->sub(), item);
        else
            check_object(&o->via.array.ptr[i], f->elem, item);
    }
}

static void check_bytes(const msgpack_object *o, const void *p, size_t n)
{
    assert_int_equal(o->type, MSGPACK_OBJECT_BIN);
    assert_int_equal(o->via.bin.size, n);
    assert_memory_equal(o->via.bin.ptr, p, n);
}

static void check_unsigned(const msgpack_object *o, uint64_t v)
{
    assert_int_equal(o->type, MSGPACK_OBJECT_POSITIVE_INTEGER);
    assert_true(o->via.u64 == v);
}

static void check_object(const msgpack_object *o, unsigned type, const void *at)
{
    const struct str *s = at;
    switch (type) {
    case FIELD_U8:
        check_unsigned(o, *(const uint8_t *)at);
        break;
    case FIELD_U32:
        check_unsigned(o, *(const uint32_t *)at);
        break;
    case FIELD_U64:
        check_unsigned(o, *(const uint64_t *)at);
        break;
    case FIELD_I64:
        assert_true(o->type == MSGPACK_OBJECT_POSITIVE_INTEGER ||
                    o->type == MSGPACK_OBJECT_NEGATIVE_INTEGER);
        assert_true(o->via.i64 == *(const int64_t *)at);
        break;
    case FIELD_F64:
        assert_int_equal(o->type, MSGPACK_OBJECT_FLOAT64);
        assert_memory_equal(&o->via.f64, at, sizeof(double));
        break;
    case FIELD_BOOL:
        assert_int_equal(o->type, MSGPACK_OBJECT_BOOLEAN);
        assert_true(o->via.boolean);
        break;
    case FIELD_STR:
        assert_int_equal(o->type, MSGPACK_OBJECT_STR);
        assert_true(str_eq(str_make(o->via.str.ptr, o->via.str.size), *s));
        break;
    case FIELD_BIN:
        check_bytes(o, s->p, s->n);
        break;
    case FIELD_ID16:
        check_bytes(o, at, 16);
        break;
    case FIELD_D32:
        check_bytes(o, at, 32);
        break;
    default:
        fail();
    }
}

static void check_map(const msgpack_object *o, const struct schema *s, const void *base)
{
    assert_int_equal(o->type, MSGPACK_OBJECT_MAP);
    uint32_t wanted = 0;
    for (uint32_t i = 0; i < s->n; i++)
        wanted += !schema_is_zero(&s->fields[i], schema_at(&s->fields[i], base));
    assert_int_equal(o->via.map.size, wanted);
    uint64_t last = 0;
    for (uint32_t i = 0; i < o->via.map.size; i++) {
        const msgpack_object_kv *kv = &o->via.map.ptr[i];
        assert_int_equal(kv->key.type, MSGPACK_OBJECT_POSITIVE_INTEGER);
        assert_true(kv->key.via.u64 > last); /* in rising order, so no key twice */
        last = kv->key.via.u64;
        const struct field *f = schema_field(s, last);
        assert_non_null(f);
        const void *at = schema_at(f, base);
        if (f->type == FIELD_LIST)
            check_list(&kv->val, f, schema_slice(at));
        else
            check_object(&kv->val, f->type, at);
    }
}

static void check_against_msgpack(struct str body, unsigned kind, const union message *m)
{
    msgpack_unpacked u;
    msgpack_unpacked_init(&u);
    size_t at = 0;
    assert_int_equal(msgpack_unpack_next(&u, body.p, body.n, &at), MSGPACK_UNPACK_SUCCESS);
    assert_int_equal(at, body.n);
    check_map(&u.data, schema_message(kind), m);
    msgpack_unpacked_destroy(&u);
}

/* Every kind, many seeds: encode, read with msgpack-c, decode, equal, and the same bytes again. */
static void there_and_back(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 0);
    for (unsigned kind = 0; kind < 256; kind++) {
        for (uint64_t seed = 0; message_known(kind) && seed < SEEDS; seed++) {
            struct rng r;
            rng_seed_at(&r, seed, kind);
            union message m, back;
            arena_clear(&a);
            message_sample(&m, kind, &r, &a);
            struct buf b = encoded(kind, &m);
            assert_true(b.n <= FRAME_LIMIT_WORKER - FRAME_HEADER);
            check_against_msgpack(buf_str(&b), kind, &m);
            struct errmsg em = {.text = ""};
            if (message_decode(&back, kind, buf_str(&b), &a, &em))
                fail_msg("%s", em.text);
            assert_true(message_equal(kind, &m, &back));
            struct buf again = encoded(kind, &back);
            assert_true(str_eq(buf_str(&b), buf_str(&again)));
            buf_fini(&again);
            buf_fini(&b);
        }
    }
    arena_fini(&a);
}

static void same_rng_same_message(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 0);
    for (unsigned kind = 0; kind < 256; kind++) {
        if (!message_known(kind))
            continue;
        struct rng r, same, other;
        rng_seed(&r, 5);
        rng_seed(&same, 5);
        rng_seed(&other, 6);
        union message x, y, z;
        message_sample(&x, kind, &r, &a);
        message_sample(&y, kind, &same, &a);
        assert_true(message_equal(kind, &x, &y));
        bool differs = false;
        for (int i = 0; i < 50 && !differs; i++) {
            message_sample(&z, kind, &other, &a);
            differs = !message_equal(kind, &x, &z);
        }
        assert_true(differs);
    }
    arena_fini(&a);
}

static void records_alone(void **state)
{
    (void)state;
    const int64_t decide[] = {9, 27, INT64_MAX, INT64_MIN};
    struct record r = {.seq = 5,
                       .study = 1,
                       .kind = REC_PROPOSED,
                       .text = STR("{\"lr\":0.1}"),
                       .decide = {decide, 4}};
    struct buf b;
    buf_init(&b, 0);
    record_encode(&b, &r);
    struct arena a;
    arena_init(&a, 0);
    struct record back;
    assert_int_equal(record_decode(&back, buf_str(&b), &a, NULL), ERR_OK);
    assert_true(schema_equal(schema_record(), &r, &back));
    assert_int_equal(record_elements(&r), 1 + 5 + 4);
    struct record none = {0};
    assert_int_equal(record_elements(&none), 1);
    arena_fini(&a);
    buf_fini(&b);
}

/* A body that no decoder would take is refused when it is made. */
static void too_many_elements(void **state)
{
    (void)state;
    static struct record records[1024];
    for (size_t i = 0; i < 1024; i++)
        records[i] = (struct record){.seq = 1,
                                     .study = 1,
                                     .study_seq = 1,
                                     .kind = 1,
                                     .wall_ms = 1,
                                     .trial = 1,
                                     .attempt = 1,
                                     .step = 1,
                                     .has_value = true,
                                     .value = 1,
                                     .code = 1,
                                     .number = 1,
                                     .based_on = 1,
                                     .exit_code = 1,
                                     .signal = 1};
    uint32_t each = record_elements(&records[0]);
    assert_int_equal(each, 16);
    struct msg_events m = {.upto = 1, .records = {records, 1022}};
    for (uint32_t n = 1022; n <= 1024; n++) {
        m.records.n = n;
        struct buf b;
        buf_init(&b, 0);
        message_encode(&b, MSG_EVENTS, &m);
        assert_int_equal(buf_ok(&b), n * each + 2 <= MESSAGE_ELEMENTS);
        struct arena a;
        arena_init(&a, 0);
        union message back;
        if (buf_ok(&b))
            assert_int_equal(message_decode(&back, MSG_EVENTS, buf_str(&b), &a, NULL), ERR_OK);
        arena_fini(&a);
        buf_fini(&b);
    }
}

static void full_buffer_is_told(void **state)
{
    (void)state;
    struct msg_bye m = {.why = STR("a reason that needs more than ten bytes")};
    struct buf b;
    buf_init(&b, 10);
    message_encode(&b, MSG_BYE, &m);
    assert_false(buf_ok(&b));
    buf_fini(&b);
}

static void appends(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 0);
    buf_addz(&b, "before");
    struct msg_drain_ok m = {.running = 1};
    message_encode(&b, MSG_DRAIN_OK, &m);
    assert_true(str_eq(buf_str(&b), STR("before\x81\x01\x01")));
    buf_fini(&b);
}

/* Runs the broken contract in a child and expects it to abort. */
static void assert_aborts(unsigned kind, const void *msg)
{
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const struct rlimit none = {0, 0};
        (void)setrlimit(RLIMIT_CORE, &none);
        (void)signal(SIGABRT, SIG_DFL); /* cmocka catches it */
        (void)close(STDERR_FILENO);
        struct buf b;
        buf_init(&b, 0);
        message_encode(&b, kind, msg);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void own_limits_are_contracts(void **state)
{
    (void)state;
    static char text[256 + 1];
    memset(text, 'x', sizeof text);
    struct msg_bye bye = {.why = str_make(text, 256)};
    assert_aborts(MSG_BYE, &bye);
    static struct point points[257];
    struct msg_report report = {.points = {points, 257}};
    assert_aborts(MSG_REPORT, &report);
    static char bytes[65537];
    struct msg_log_text log = {.bytes = str_make(bytes, sizeof bytes)};
    assert_aborts(MSG_LOG_TEXT, &log);
    assert_aborts(15, &bye);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_bytes),
        cmocka_unit_test(zero_is_by_bits),
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(same_rng_same_message),
        cmocka_unit_test(records_alone),
        cmocka_unit_test(too_many_elements),
        cmocka_unit_test(full_buffer_is_told),
        cmocka_unit_test(appends),
        cmocka_unit_test(own_limits_are_contracts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
