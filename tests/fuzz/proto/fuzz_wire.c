/* The wire as a peer can speak it: an input is a frame. It is read as such; then, since hardly any
 * mutation has a right checksum, the bytes behind the header are decoded as a body of the kind in
 * the header, as a record, and skipped by the bare reader. What is accepted must be canonical: it
 * encodes to bytes that decode to the same message and encode to the same bytes again. */
#include "fuzz.h"

#include <stdlib.h>

#include "codec.h"
#include "frame.h"
#include "reader.h"

#define KIND_AT      5
#define MEMORY_LIMIT (8u << 20)

static void check(bool fine)
{
    if (!fine)
        abort();
}

static void try_message(unsigned kind, struct str body, struct arena *a)
{
    union message m, back;
    struct errmsg em = {.text = ""};
    if (message_decode(&m, kind, body, a, &em)) {
        check(em.text[0]);
        return;
    }
    struct buf b, again;
    buf_init(&b, 0);
    buf_init(&again, 0);
    message_encode(&b, kind, &m);
    check(buf_ok(&b));
    check(message_decode(&back, kind, buf_str(&b), a, NULL) == ERR_OK);
    check(message_equal(kind, &m, &back));
    message_encode(&again, kind, &back);
    check(str_eq(buf_str(&b), buf_str(&again)));
    buf_clear(&again);
    message_print(&again, kind, &m);
    check(buf_ok(&again));
    buf_fini(&b);
    buf_fini(&again);
}

static void try_record(struct str body, struct arena *a)
{
    struct record r;
    if (record_decode(&r, body, a, NULL))
        return;
    struct buf b;
    buf_init(&b, 0);
    record_encode(&b, &r);
    check(buf_ok(&b) && record_decode(&r, buf_str(&b), a, NULL) == ERR_OK);
    buf_fini(&b);
}

static void try_reader(struct str body)
{
    struct reader r;
    reader_init(&r, body);
    while (reader_ok(&r) && !reader_done(&r))
        reader_skip(&r);
    check(r.p <= r.end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str bytes = str_make(data, size);
    struct frame f;
    struct arena a;
    arena_init(&a, MEMORY_LIMIT);
    if (frame_read(&f, bytes, FRAME_LIMIT, NULL) == ERR_OK)
        try_message(f.kind, f.body, &a);
    if (size >= FRAME_HEADER) {
        struct str body = str_make(data + FRAME_HEADER, size - FRAME_HEADER);
        try_message(data[KIND_AT], body, &a);
        try_record(body, &a);
        try_reader(body);
    }
    arena_fini(&a);
    return 0;
}
