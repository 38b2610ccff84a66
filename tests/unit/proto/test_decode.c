/* The decoder against everything that a peer may send: cut, flipped, hostile, from a newer version,
 * and at each limit. All bodies are copied to memory of exactly their size, so that a sanitizer
 * sees any read outside. */
#include "codec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>
#include <msgpack.h>

#include "frame.h"
#include "schema.h"

#define BYTES(lit) str_make((lit), sizeof(lit) - 1)

struct decoded {
    union message m;
    err_t e;
    struct errmsg em;
    size_t used; /* of the arena */
};

/* Decodes a copy; what m borrows is gone when this returns. Whatever was accepted must be
 * canonical: encoding it gives bytes that decode to the same message and encode to the same bytes.
 */
static struct decoded decoded(unsigned kind, struct str body)
{
    struct decoded d = {.em = {.text = ""}};
    struct arena a;
    arena_init(&a, 0);
    char *copy = malloc(body.n ? body.n : 1);
    memcpy(copy, body.p, body.n);
    d.e = message_decode(&d.m, kind, str_make(copy, body.n), &a, &d.em);
    d.used = a.used;
    if (d.e == ERR_OK) {
        struct buf b, again;
        buf_init(&b, 0);
        buf_init(&again, 0);
        message_encode(&b, kind, &d.m);
        union message back;
        assert_int_equal(message_decode(&back, kind, buf_str(&b), &a, NULL), ERR_OK);
        assert_true(message_equal(kind, &d.m, &back));
        message_encode(&again, kind, &back);
        assert_true(str_eq(buf_str(&b), buf_str(&again)));
        buf_fini(&b);
        buf_fini(&again);
    } else {
        assert_true(d.em.text[0]);
    }
    free(copy);
    arena_fini(&a);
    return d;
}

static void refused(unsigned kind, struct str body, const char *sentence)
{
    struct decoded d = decoded(kind, body);
    assert_int_equal(d.e, ERR_INVALID);
    assert_string_equal(d.em.text, sentence);
}

static struct buf sample(unsigned kind, uint64_t seed)
{
    struct arena a;
    arena_init(&a, 0);
    struct rng r;
    rng_seed_at(&r, seed, kind);
    union message m;
    message_sample(&m, kind, &r, &a);
    struct buf b;
    buf_init(&b, 0);
    message_encode(&b, kind, &m);
    arena_fini(&a);
    return b;
}

static void sentences(void **state)
{
    (void)state;
    refused(MSG_REPORT, BYTES("\x81\x04\x92\x80\x81\x04\x01"),
            "REPORT.points[1].metrics: it has another type, at byte 7; a UTF-8 string of at most "
            "8192 bytes "
            "was expected");
    refused(
        MSG_DRAIN, BYTES(""),
        "DRAIN: the bytes end too early, at byte 0; a map with small integer keys was expected");
    refused(MSG_DRAIN, BYTES("\x90"),
            "DRAIN: it has another type, at byte 1; a map with small integer keys was expected");
    refused(MSG_DRAIN, BYTES("\x81\x01\xff"),
            "DRAIN.deadline_ms: the number is out of range, at byte 3; an integer from 0 to 2^64-1 "
            "was expected");
    refused(MSG_DRAIN, BYTES("\x82\x01\x05\x01\x05"),
            "DRAIN.deadline_ms: it is there twice, at byte 4; an integer from 0 to 2^64-1 was "
            "expected");
    refused(MSG_DRAIN, BYTES("\x80\x80"), "DRAIN: 1 bytes follow its end; nothing was expected");
    refused(MSG_ROWS, BYTES("\x81\x03\x91\xa1\xff"),
            "ROWS.rows: it is not valid UTF-8, at byte 5; an array of at most 4096 items (string) "
            "was expected");
    refused(15, BYTES("\x80"), "message of kind 15: a known kind was expected");
    refused(4096, BYTES("\x80"), "message of kind 4096: a known kind was expected");
    union message m;
    assert_int_equal(message_decode(&m, MSG_DRAIN, BYTES("\x90"), NULL, NULL), ERR_INVALID);
}

static void every_cut_is_refused(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 256; kind++) {
        for (uint64_t seed = 0; message_known(kind) && seed < 4; seed++) {
            struct buf b = sample(kind, seed);
            size_t step = 1 + b.n / 400;
            for (size_t n = 0; n < b.n; n += step)
                assert_int_equal(decoded(kind, str_make(b.p, n)).e, ERR_INVALID);
            buf_fini(&b);
        }
    }
}

static void flipped_bits_do_no_harm(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 3);
    for (unsigned kind = 0; kind < 256; kind++) {
        for (uint64_t seed = 0; message_known(kind) && seed < 8; seed++) {
            struct buf b = sample(kind, seed);
            for (int i = 0; i < 60; i++) {
                size_t at = (size_t)rng_below(&r, b.n);
                char was = b.p[at];
                b.p[at] = (char)(was ^ (1 << rng_below(&r, 8)));
                (void)decoded(kind, buf_str(&b));
                b.p[at] = was;
            }
            buf_fini(&b);
        }
    }
}

/* No field takes nil, and the sentence names the field. */
static void every_field_checks_its_type(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 256; kind++) {
        const struct schema *s = schema_message(kind);
        for (uint32_t i = 0; s && i < s->n; i++) {
            char body[3] = {'\x81', (char)s->fields[i].key, '\xc0'};
            struct decoded d = decoded(kind, str_make(body, 3));
            assert_int_equal(d.e, ERR_INVALID);
            assert_non_null(strstr(d.em.text, s->fields[i].name));
            assert_non_null(strstr(d.em.text, "another type"));
        }
    }
}

/* What stands in a list: body of one item of bytes `item`, n times. */
static struct buf list_body(uint8_t key, uint32_t n, struct str item)
{
    struct buf b;
    buf_init(&b, 0);
    char head[5] = {'\x81', (char)key, '\xdc', (char)(n >> 8), (char)n};
    buf_add(&b, head, sizeof head);
    for (uint32_t i = 0; i < n; i++)
        buf_add_str(&b, item);
    return b;
}

static struct str smallest_item(const struct field *f)
{
    return f->elem == FIELD_STRUCT ? STR("\x80") : f->elem == FIELD_I64 ? STR("\x01") : STR("\xa0");
}

static struct buf bytes_body(const struct field *f, uint32_t n)
{
    struct buf b;
    buf_init(&b, 0);
    char head[7] = {'\x81',          (char)f->key,    f->type == FIELD_STR ? '\xdb' : '\xc6',
                    (char)(n >> 24), (char)(n >> 16), (char)(n >> 8),
                    (char)n};
    buf_add(&b, head, sizeof head);
    for (uint32_t i = 0; i < n; i++)
        buf_addc(&b, 'x');
    return b;
}

static void check_limit(unsigned kind, const struct field *f)
{
    for (uint32_t over = 0; over < 2; over++) {
        struct buf b = f->type == FIELD_LIST ? list_body(f->key, f->limit + over, smallest_item(f))
                                             : bytes_body(f, f->limit + over);
        struct decoded d = decoded(kind, buf_str(&b));
        assert_int_equal(d.e, over ? ERR_INVALID : ERR_OK);
        if (over)
            assert_non_null(strstr(d.em.text, "limit"));
        buf_fini(&b);
    }
}

/* Every string, byte string and list of every message: its limit is taken, one more is not. */
static void every_limit_is_exact(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 256; kind++) {
        const struct schema *s = schema_message(kind);
        for (uint32_t i = 0; s && i < s->n; i++) {
            if (s->fields[i].limit)
                check_limit(kind, &s->fields[i]);
        }
    }
}

static void fixed_bytes_are_exact(void **state)
{
    (void)state;
    char body[40] = {'\x81', 1, '\xc4'};
    for (uint8_t n = 0; n < 36; n++) {
        body[2 + 1] = (char)n;
        assert_int_equal(decoded(MSG_GET_BLOB, str_make(body, 4u + n)).e,
                         n == 32 ? ERR_OK : ERR_INVALID);
        assert_int_equal(decoded(MSG_SQL, str_make(body, 4u + n)).e,
                         n == 16 ? ERR_OK : ERR_INVALID);
    }
}

static void unknown_keys_are_skipped(void **state)
{
    (void)state;
    /* 200: nested; 2: running is key 1; a key beyond 32 bits; nil. */
    struct decoded d = decoded(
        MSG_DRAIN_OK, BYTES("\x85\xcc\xc8\x82\x01\x92\x01\xc0\xa1k\x80\x02\xc0\x01\x07"
                            "\xcf\x00\x00\x00\x01\x00\x00\x00\x01\xc4\x01\xff\x03\xcb........"));
    assert_int_equal(d.e, ERR_OK);
    assert_int_equal(d.m.drain_ok.running, 7);
    refused(MSG_DRAIN_OK, BYTES("\x81\xcc\xc8\xd4\x01\x02"),
            "DRAIN_OK: extension types are not used, at byte 4; a map with small integer keys was "
            "expected");
}

static void keys_must_be_integers(void **state)
{
    (void)state;
    assert_int_equal(decoded(MSG_DRAIN_OK, BYTES("\x81\xa1k\x07")).e, ERR_INVALID);
    assert_int_equal(decoded(MSG_DRAIN_OK, BYTES("\x81\xff\x07")).e, ERR_INVALID);
    assert_int_equal(decoded(MSG_DRAIN_OK, BYTES("\x81\xc0\x07")).e, ERR_INVALID);
}

static void other_spellings_of_a_value(void **state)
{
    (void)state;
    struct decoded d = decoded(
        MSG_DRAIN_OK, BYTES("\xdf\x00\x00\x00\x01\xcf\x00\x00\x00\x00\x00\x00\x00\x01\xd3\x00"
                            "\x00\x00\x00\x00\x00\x00\x07"));
    assert_int_equal(d.e, ERR_OK);
    assert_int_equal(d.m.drain_ok.running, 7);
    d = decoded(
        MSG_BEAT,
        BYTES("\x83\x01\xc2\x02\x90\x03\x02")); /* zeros that stand there; a whole number as load */
    assert_int_equal(d.e, ERR_OK);
    assert_false(d.m.beat.draining);
    assert_int_equal(d.m.beat.held.n, 0);
    assert_null(d.m.beat.held.v);
    assert_true(d.m.beat.load == 2.0);
}

static void numbers_keep_to_their_width(void **state)
{
    (void)state;
    assert_int_equal(decoded(MSG_HELLO, BYTES("\x81\x01\xcd\x01\x00")).e, ERR_INVALID);
    assert_int_equal(decoded(MSG_HELLO, BYTES("\x81\x01\xcc\xff")).e, ERR_OK);
    assert_int_equal(decoded(MSG_DRAIN_OK, BYTES("\x81\x01\xcf\x00\x00\x00\x01\x00\x00\x00\x00")).e,
                     ERR_INVALID);
    assert_int_equal(decoded(MSG_DRAIN_OK, BYTES("\x81\x01\xce\xff\xff\xff\xff")).e, ERR_OK);
    assert_int_equal(decoded(MSG_ACK, BYTES("\x81\x05\xcf\x80\x00\x00\x00\x00\x00\x00\x00")).e,
                     ERR_INVALID);
}

static void duplicates_inside_structs(void **state)
{
    (void)state;
    assert_int_equal(decoded(MSG_REPORT, BYTES("\x81\x04\x91\x82\x01\x05\x01\x06")).e, ERR_INVALID);
    assert_int_equal(decoded(MSG_REPORT, BYTES("\x81\x04\x92\x81\x01\x05\x81\x01\x06")).e, ERR_OK);
    assert_int_equal(decoded(MSG_REPORT, BYTES("\x82\x04\x90\x04\x90")).e, ERR_INVALID);
}

/* Lists announced longer than the bytes that follow take no memory; honest ones at most what their
 * items need. */
static void memory_is_bounded_by_bytes(void **state)
{
    (void)state;
    struct decoded d = decoded(MSG_EVENTS, BYTES("\x81\x04\xdd\xff\xff\xff\xff"));
    assert_int_equal(d.e, ERR_INVALID);
    assert_int_equal(d.used, 0);
    d = decoded(MSG_EVENTS, BYTES("\x81\x04\xdc\x04\x00\x80\x80"));
    assert_int_equal(d.e, ERR_INVALID);
    assert_int_equal(d.used, 0);
    struct buf b = list_body(4, 1024, STR("\x80"));
    d = decoded(MSG_EVENTS, buf_str(&b));
    assert_int_equal(d.e, ERR_OK);
    assert_true(d.used <= 1024 * (sizeof(struct record) + 32));
    buf_fini(&b);
}

static void refused_memory_is_an_error_of_its_own(void **state)
{
    (void)state;
    struct buf b = list_body(4, 1024, STR("\x80"));
    struct arena a;
    arena_init(&a, 1000);
    union message m;
    struct errmsg em;
    assert_int_equal(message_decode(&m, MSG_EVENTS, buf_str(&b), &a, &em), ERR_NOMEM);
    assert_non_null(strstr(em.text, "EVENTS.records: there is no memory"));
    arena_fini(&a);
    buf_fini(&b);
}

static void deep_nesting(void **state)
{
    (void)state;
    /* Under an unknown key: one map of ours and seven arrays are eight levels. */
    for (size_t depth = 1; depth < 12; depth++) {
        char body[32] = {'\x81', '\x7f'};
        memset(body + 2, '\x91', depth);
        body[2 + depth] = '\x01';
        assert_int_equal(decoded(MSG_BYE, str_make(body, depth + 3)).e,
                         depth <= 7 ? ERR_OK : ERR_INVALID);
    }
}

static void too_many_elements(void **state)
{
    (void)state;
    struct buf item;
    buf_init(&item, 0);
    buf_addz(
        &item,
        "\x81\x17\x9f\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01"); /* 15 decide
                                                                                        steps */
    struct buf b = list_body(4, 963, buf_str(&item));
    assert_int_equal(decoded(MSG_EVENTS, buf_str(&b)).e, ERR_OK);
    buf_fini(&b);
    b = list_body(4, 964, buf_str(&item));
    struct decoded d = decoded(MSG_EVENTS, buf_str(&b));
    assert_int_equal(d.e, ERR_INVALID);
    assert_non_null(strstr(d.em.text, "too many elements"));
    buf_fini(&b);
    buf_fini(&item);
}

static void records(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 0);
    struct record r;
    struct errmsg em;
    assert_int_equal(record_decode(&r, BYTES("\x82\x04\x14\x0b\xa2{}"), &a, &em), ERR_OK);
    assert_int_equal(r.kind, REC_PROPOSED);
    assert_true(str_is(r.text, "{}"));
    assert_int_equal(record_decode(&r, BYTES("\x81\x0b\xa2{"), &a, &em), ERR_INVALID);
    assert_string_equal(
        em.text,
        "record.text: the bytes end too early, at byte 3; a UTF-8 string of at most 65536 bytes "
        "was expected");
    assert_int_equal(record_decode(&r, BYTES("\x81\x17\x92\x01\xa0"), &a, &em), ERR_INVALID);
    arena_fini(&a);
}

static void random_bytes(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 8);
    for (int i = 0; i < 20000; i++) {
        char body[64];
        size_t n = (size_t)rng_below(&r, sizeof body);
        for (size_t k = 0; k < n; k++)
            body[k] = (char)rng_below(&r, 256);
        if (n)
            body[0] = (char)(0x80 | rng_below(&r, 16)); /* a map, so that it goes on */
        unsigned kind = (unsigned)rng_below(&r, 100);
        (void)decoded(kind, str_make(body, n));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sentences),
        cmocka_unit_test(every_cut_is_refused),
        cmocka_unit_test(flipped_bits_do_no_harm),
        cmocka_unit_test(every_field_checks_its_type),
        cmocka_unit_test(every_limit_is_exact),
        cmocka_unit_test(fixed_bytes_are_exact),
        cmocka_unit_test(unknown_keys_are_skipped),
        cmocka_unit_test(keys_must_be_integers),
        cmocka_unit_test(other_spellings_of_a_value),
        cmocka_unit_test(numbers_keep_to_their_width),
        cmocka_unit_test(duplicates_inside_structs),
        cmocka_unit_test(memory_is_bounded_by_bytes),
        cmocka_unit_test(refused_memory_is_an_error_of_its_own),
        cmocka_unit_test(deep_nesting),
        cmocka_unit_test(too_many_elements),
        cmocka_unit_test(records),
        cmocka_unit_test(random_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
