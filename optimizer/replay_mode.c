/* The shell of the replay: frames from a pipe. They are those that a broker and an optimizer
 * exchange, so nothing new has to be understood here.
 *
 * Called by optimizer_main.c in place of the daemon; `tunefarm replay` writes to it. The input is
 * read to its end whatever happens, so that the writer never waits for a reader that is gone. */
#include "replay_mode.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "arena.h"
#include "codec.h"
#include "frame.h"
#include "json.h"
#include "replay.h"

#define READ_SIZE 65536

static err_t on_propose(struct replay *r, const struct msg_propose *m, struct errmsg *em)
{
    err_t e = ERR_OK;
    for (uint32_t i = 0; i < m->proposals.n && !e; i++)
        e = replay_expect(r, &m->proposals.v[i], em);
    return e;
}

static err_t on_events(struct replay *r, const struct msg_events *m, struct errmsg *em)
{
    err_t e = ERR_OK;
    for (uint32_t i = 0; i < m->records.n && !e; i++)
        e = replay_record(r, &m->records.v[i], em);
    return e;
}

static err_t on_frame(struct replay *r, struct str bytes, struct arena *arena, struct errmsg *em)
{
    struct frame f;
    union message m;
    err_t e = frame_read(&f, bytes, FRAME_LIMIT, em);
    if (e)
        return e;
    if (f.major != PROTO_MAJOR)
        return errmsg_set(em, ERR_VERSION, "frame of version %u: %d was expected", f.major,
                          PROTO_MAJOR);
    arena_clear(arena);
    e = message_decode(&m, f.kind, f.body, arena, em);
    if (e)
        return e;
    switch (f.kind) {
    case MSG_ATTACHED:
        return replay_spec(r, m.attached.spec, em);
    case MSG_PROPOSE:
        return on_propose(r, &m.propose, em);
    case MSG_EVENTS:
        return on_events(r, &m.events, em);
    default:
        return errmsg_set(em, ERR_INVALID, "%s: ATTACHED, PROPOSE or EVENTS was expected",
                          message_name(f.kind));
    }
}

/* Serves the whole frames in the buffer. */
static err_t serve(struct replay *r, struct buf *in, struct arena *arena, struct errmsg *em)
{
    size_t at = 0;
    err_t e = ERR_OK;
    while (!e) {
        struct str rest = str_make(in->p + at, in->n - at);
        size_t n = frame_size(rest);
        if (n > FRAME_LIMIT)
            e = errmsg_set(em, ERR_LIMIT, "frame of %zu bytes: at most %u were expected", n,
                           FRAME_LIMIT);
        else if (n == 0 || n > rest.n)
            break;
        else
            e = on_frame(r, str_make(rest.p, n), arena, em);
        at += n;
    }
    if (!e)
        buf_consume(in, at);
    return e;
}

static err_t read_all(struct replay *r, struct errmsg *em)
{
    struct buf in;
    struct arena arena;
    err_t e = ERR_OK;
    buf_init(&in, 0);
    arena_init(&arena, 0);
    for (;;) {
        char *p = buf_reserve(&in, READ_SIZE);
        ssize_t n = p ? read(STDIN_FILENO, p, READ_SIZE) : -1;
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        in.n += (size_t)n;
        if (e)
            buf_clear(&in);
        else
            e = serve(r, &in, &arena, em);
    }
    if (!e && in.n)
        e = errmsg_set(em, ERR_INVALID, "the input ends within a frame");
    buf_fini(&in);
    arena_fini(&arena);
    return e;
}

static void write_error(const struct errmsg *em, struct buf *out)
{
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w);
    jsonw_kstr(&w, "error", str_of(em->text));
    jsonw_end(&w);
}

int replay_mode(void)
{
    struct replay *r = replay_new();
    struct errmsg em = {""};
    struct buf out;
    buf_init(&out, 0);
    err_t e = read_all(r, &em);
    if (e) {
        write_error(&em, &out);
    } else {
        replay_end(r);
        replay_write(r, &out);
        e = replay_equal(r) ? ERR_OK : ERR_FAILED;
    }
    buf_addc(&out, '\n');
    if (fwrite(out.p, 1, out.n, stdout) != out.n || fflush(stdout))
        e = ERR_IO;
    buf_fini(&out);
    replay_free(r);
    return err_exit_code(e);
}
