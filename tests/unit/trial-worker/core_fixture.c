/* The fixture of the core's tests: see core_fixture.h. worker_check() runs after every input. */
#include "core_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "hash.h"

void fix_clear(struct fix *f)
{
    f->n = 0;
    arena_clear(&f->arena);
}

static void collect(struct fix *f)
{
    struct errmsg em = {""};
    for (size_t i = 0; i < f->out.n; i++) {
        assert_true(f->n < FIX_MAX);
        struct worker_fx *x = &f->fx[f->n];
        *x = f->out.v[i];
        if (x->body.p)
            x->body = arena_dup(&f->arena, x->body);
        bool message = x->kind == WFX_SEND || x->kind == WFX_SPOOL;
        if (message && message_decode(&f->m[f->n], x->message, x->body, &f->arena, &em))
            fail_msg("%s", em.text);
        f->n++;
    }
    worker_out_clear(&f->out);
    worker_check(f->w);
}

void fix_take(struct fix *f)
{
    f->next = worker_tick(f->w, f->now, &f->out);
    assert_true(f->next > f->now);
    collect(f);
}

void fix_at(struct fix *f, int64_t after_ns)
{
    int64_t until = f->now + after_ns;
    while (f->next <= until) {
        f->now = f->next;
        fix_take(f);
    }
    f->now = until;
    fix_take(f);
}

size_t fix_effects(const struct fix *f, enum worker_fx_kind kind)
{
    size_t n = 0;
    for (size_t i = 0; i < f->n; i++)
        n += f->fx[i].kind == kind;
    return n;
}

size_t fix_messages(const struct fix *f, unsigned kind)
{
    size_t n = 0;
    for (size_t i = 0; i < f->n; i++)
        n += f->fx[i].kind == WFX_SEND && f->fx[i].message == kind;
    return n;
}

const union message *fix_last(const struct fix *f, unsigned kind)
{
    for (size_t i = f->n; i-- > 0;)
        if (f->fx[i].kind == WFX_SEND && f->fx[i].message == kind)
            return &f->m[i];
    return NULL;
}

size_t fix_signals(const struct fix *f, int signal)
{
    size_t n = 0;
    for (size_t i = 0; i < f->n; i++)
        n += f->fx[i].kind == WFX_SIGNAL && f->fx[i].signal == signal;
    return n;
}

uint64_t fix_spawned(const struct fix *f)
{
    for (size_t i = f->n; i-- > 0;)
        if (f->fx[i].kind == WFX_SPAWN)
            return f->fx[i].run->run;
    return 0;
}

void fix_send(struct fix *f, unsigned kind, const void *msg)
{
    struct buf b;
    union message m;
    struct arena a;
    buf_init(&b, 0);
    arena_init(&a, 0);
    message_encode(&b, kind, msg);
    assert_int_equal(message_decode(&m, kind, buf_str(&b), &a, NULL), ERR_OK);
    worker_on_message(f->w, f->now, f->session, kind, &m, &f->out);
    arena_fini(&a); /* the core must have copied what it needs */
    buf_fini(&b);
    fix_take(f);
}

void fix_welcome(struct fix *f, const struct verdict *v, uint32_t n)
{
    const union message *hello = fix_last(f, MSG_HELLO);
    assert_non_null(hello);
    struct msg_welcome m = {.version = 1,
                            .timeline = 1,
                            .session = f->session + 1,
                            .beat_ms = 5000,
                            .lease_ms = 30000,
                            .orphan_ms = 600000,
                            .flush_ms = 100,
                            .hello = hello->hello.number};
    m.verdicts.v = v;
    m.verdicts.n = n;
    f->session++;
    fix_send(f, MSG_WELCOME, &m);
}

static void open_worker(struct fix *f, uint32_t slots, unsigned peer, bool spool)
{
    static const char *const gpus[] = {"0", "1"};
    struct worker_config c = {.host = "h",
                              .name = "",
                              .software = "{}",
                              .pid = 7,
                              .slots = slots,
                              .cpus = slots,
                              .memory = 1000,
                              .gpus = gpus,
                              .n_gpus = 2,
                              .drain_ns = 30 * NS_PER_S,
                              .orphan_ns = -1,
                              .peer = {{(uint8_t)peer}},
                              .spool = spool,
                              .seed = 1};
    memset(f, 0, sizeof *f);
    f->now = 1000 * NS_PER_S;
    worker_out_init(&f->out);
    arena_init(&f->arena, 0);
    f->w = worker_new(&c, f->now);
}

static void connect_worker(struct fix *f)
{
    worker_on_connected(f->w, f->now, &f->out);
    fix_take(f);
    fix_welcome(f, NULL, 0);
}

void fix_open(struct fix *f, uint32_t slots)
{
    open_worker(f, slots, 1, false);
    connect_worker(f);
}

void fix_open_spooling(struct fix *f, unsigned peer)
{
    open_worker(f, 4, peer, true);
    connect_worker(f);
}

void fix_close(struct fix *f)
{
    worker_free(f->w);
    worker_out_fini(&f->out);
    arena_fini(&f->arena);
}

void fix_ack(struct fix *f, unsigned of, uint64_t trial, int64_t step)
{
    struct msg_ack m = {3, trial, 1, (uint8_t)of, step};
    fix_send(f, MSG_ACK, &m);
}

static void spec_text(const char *objective, struct buf *out)
{
    buf_init(out, 0);
    buf_printf(out,
               "{\"study\":\"s\",\"objective\":{\"command\":[\"x\"]%s},\"space\":{\"x\":{\"float\":"
               "[0,1]}}}",
               objective);
}

struct digest fix_spec(struct fix *f, const char *objective)
{
    struct buf b;
    spec_text(objective, &b);
    f->spec = hash_bytes(buf_str(&b));
    buf_fini(&b);
    return f->spec;
}

void fix_assign(struct fix *f, uint64_t trial)
{
    struct msg_assign m = {.study = 3,
                           .trial = trial,
                           .attempt = 1,
                           .spec = f->spec,
                           .params = STR("{\"x\":0.5}"),
                           .study_name = STR("s")};
    static const int64_t decide[] = {9};
    m.decide.v = decide;
    m.decide.n = 1;
    fix_send(f, MSG_ASSIGN, &m);
}

uint64_t fix_run(struct fix *f, uint64_t trial, const char *objective)
{
    struct buf b;
    struct digest d = fix_spec(f, objective);
    size_t before = fix_effects(f, WFX_FETCH_SPEC);
    fix_assign(f, trial);
    if (fix_effects(f, WFX_FETCH_SPEC) > before) {
        spec_text(objective, &b);
        worker_on_spec(f->w, f->now, d, buf_str(&b), &f->out);
        buf_fini(&b);
        worker_on_files(f->w, f->now, d, &f->out);
        fix_take(f);
    }
    uint64_t run = fix_spawned(f);
    assert_true(run > 0);
    worker_on_child_started(f->w, f->now, run, 99, &f->out);
    fix_take(f);
    return run;
}

void fix_line(struct fix *f, uint64_t run, const char *line)
{
    worker_on_child_line(f->w, f->now, run, str_of(line), &f->out);
    fix_take(f);
}

void fix_exit(struct fix *f, uint64_t run, int64_t code, uint32_t signal, const char *output)
{
    struct child_end end = {code, signal, str_of(output)};
    worker_on_child_exit(f->w, f->now, run, &end, &f->out);
    fix_take(f);
}

void fix_seal(struct fix *f, uint64_t run, enum seal_verdict verdict, const char *uri,
              struct str content)
{
    struct seal s = {.verdict = verdict, .uri = str_of(uri), .text = STR("it is not whole")};
    if (verdict == SEAL_OK) {
        s.digest = hash_bytes(content);
        s.size = content.n;
    }
    worker_on_sealed(f->w, f->now, run, &s, &f->out);
    fix_take(f);
}

void fix_live(struct fix *f, int64_t seconds)
{
    for (int64_t i = 0; i < seconds; i++) {
        const union message *beat = fix_last(f, MSG_BEAT);
        struct msg_beat_ack m = {.number = beat ? beat->beat.number : 0};
        fix_at(f, NS_PER_S);
        fix_send(f, MSG_BEAT_ACK, &m);
    }
}
