/* Writing and reading of a spool's bytes. Called by spool.c, which has the files. It must not know
 * files, nor what the messages mean; but a spool that names another farm is handed on to nobody. */
#include "spool_form.h"

#include "crc32c.h"
#include "frame.h"

#define SEEN_AT 24

static uint32_t sum_of(const struct spool_chain *c, const char *frame)
{
    char header[FRAME_HEADER];
    memcpy(header, frame, sizeof header);
    memset(header + SEEN_AT, 0, 8);
    return crc32c(c->sum, header, sizeof header);
}

void spool_form_add(struct buf *out, struct spool_chain *c, unsigned kind, struct str body)
{
    size_t at = out->n;
    struct frame f = {.major = PROTO_MAJOR, .kind = (uint8_t)kind, .seq = c->seq + 1, .body = body};
    frame_write(out, &f);
    if (!buf_ok(out))
        return;
    c->seq++;
    c->sum = sum_of(c, out->p + at);
    for (int i = 0; i < 4; i++)
        out->p[at + SEEN_AT + 4 + (size_t)i] = (char)(c->sum >> (24 - 8 * i));
}

/* ---- reading ---- */

void spool_form_begin(struct spool_form_reader *r, uint64_t farm, uint64_t timeline,
                      spool_form_take *take, void *self)
{
    *r = (struct spool_form_reader){.take = take, .self = self, .farm = farm, .timeline = timeline};
    buf_init(&r->rest, 0);
    arena_init(&r->arena, 0);
}

static void stop(struct spool_form_reader *r, enum spool_form_found found)
{
    r->found = found;
    r->stopped = true;
}

/* Nothing was handed on before the two messages that begin a spool were read. */
static void stop_broken(struct spool_form_reader *r)
{
    stop(r, r->chain.seq < 2 ? SPOOL_FORM_BAD : SPOOL_FORM_TORN);
}

static void hand_on(struct spool_form_reader *r, unsigned kind, const union message *m)
{
    if (r->take(r->self, kind, m))
        return;
    errmsg_set(&r->em, ERR_LIMIT, "there is no room for what follows frame %llu",
               (unsigned long long)r->chain.seq);
    stop(r, SPOOL_FORM_NO_ROOM);
}

static void take_welcome(struct spool_form_reader *r, const union message *m)
{
    if (m->welcome.farm != r->farm || m->welcome.timeline != r->timeline) {
        errmsg_set(&r->em, ERR_INVALID,
                   "it belongs to another farm, or to the farm before it was "
                   "restored from a backup");
        stop(r, SPOOL_FORM_FOREIGN);
        return;
    }
    union message hello = {.hello = {.peer = r->writer}};
    hand_on(r, MSG_HELLO, &hello);
    if (!r->stopped)
        hand_on(r, MSG_WELCOME, m);
}

static void take_message(struct spool_form_reader *r, unsigned kind, const union message *m)
{
    static const unsigned first[] = {MSG_HELLO, MSG_WELCOME};
    uint64_t n = r->chain.seq;
    if (n <= 2 && kind != first[n - 1]) {
        errmsg_set(&r->em, ERR_INVALID, "frame %llu is %s: %s was expected", (unsigned long long)n,
                   message_name(kind), message_name(first[n - 1]));
        stop(r, SPOOL_FORM_BAD);
    } else if (n == 1) {
        r->writer = m->hello.peer;
    } else if (n == 2) {
        take_welcome(r, m);
    } else {
        hand_on(r, kind, m);
    }
}

/* The frame is whole; false: it is not what stands here. */
static bool check(struct spool_form_reader *r, struct str bytes, struct frame *f)
{
    if (frame_read(f, bytes, FRAME_LIMIT, &r->em))
        return false;
    if (f->major != PROTO_MAJOR) {
        errmsg_set(&r->em, ERR_VERSION, "protocol version %u: version %d was expected", f->major,
                   PROTO_MAJOR);
        return false;
    }
    uint32_t sum = sum_of(&r->chain, bytes.p);
    if (f->seq != r->chain.seq + 1 || f->seen != sum) {
        errmsg_set(&r->em, ERR_CORRUPT, "its header was changed, or a frame before it is missing");
        return false;
    }
    r->chain = (struct spool_chain){f->seq, sum};
    return true;
}

static void take_frame(struct spool_form_reader *r, struct str bytes)
{
    struct frame f;
    union message m;
    uint64_t number = r->chain.seq + 1;
    if (!check(r, bytes, &f)) {
        errmsg_wrap(&r->em, ERR_CORRUPT, "frame %llu", (unsigned long long)number);
        stop_broken(r);
        return;
    }
    if (!message_known(f.kind) && r->chain.seq > 2)
        return;
    arena_clear(&r->arena);
    if (message_decode(&m, f.kind, f.body, &r->arena, &r->em)) {
        errmsg_wrap(&r->em, ERR_CORRUPT, "frame %llu", (unsigned long long)number);
        stop(r, number <= 2 ? SPOOL_FORM_BAD : SPOOL_FORM_TORN);
        return;
    }
    take_message(r, f.kind, &m);
}

bool spool_form_feed(struct spool_form_reader *r, struct str bytes)
{
    buf_add_str(&r->rest, bytes);
    size_t at = 0;
    while (!r->stopped && r->rest.n - at >= FRAME_HEADER) {
        struct str left = str_make(r->rest.p + at, r->rest.n - at);
        size_t n = frame_size(left);
        if (n > FRAME_LIMIT) {
            errmsg_set(&r->em, ERR_INVALID, "a frame of %zu bytes: at most %u were expected", n,
                       FRAME_LIMIT);
            stop_broken(r);
        } else if (n > left.n) {
            break;
        } else {
            take_frame(r, str_make(left.p, n));
            at += n;
        }
    }
    buf_consume(&r->rest, at);
    return !r->stopped;
}

enum spool_form_found spool_form_end(struct spool_form_reader *r)
{
    if (!r->stopped && (r->rest.n > 0 || r->chain.seq < 2)) {
        errmsg_set(&r->em, ERR_INVALID, "it ends within frame %llu",
                   (unsigned long long)r->chain.seq + 1);
        stop_broken(r);
    }
    buf_fini(&r->rest);
    arena_fini(&r->arena);
    return r->found;
}
