/* The box: one group at a time goes through a journal in memory, so what a test sees has left after
 * its commit, as in the real broker. Used by the tests of the core. */
#include "farmbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "alloc.h"
#include "codec.h"
#include "hash.h"

static void load(struct box *b);

void box_open(struct box *b)
{
    *b = (struct box){.now = 1000 * SEC, .store = mem_store_new()};
    farm_config_defaults(&b->c);
    b->c.version = "test";
    b->env = (struct envelope){
        .metric = STR("loss"), .weight = 1, .retries = 2, .retry_delay_ns = SEC, .grace_ns = SEC};
    arena_init(&b->a, 0);
    load(b);
    box_settle(b);
    box_clear(b);
}

void box_clear(struct box *b)
{
    for (size_t i = 0; i < b->n_out; i++)
        free((char *)b->out[i].body.p);
    b->n_out = 0;
}

static void shut(struct box *b)
{
    farm_free(b->f);
    group_free(b->g);
    journal_close(b->j);
    box_clear(b);
}

void box_close(struct box *b)
{
    shut(b);
    free(b->out);
    mem_store_free(b->store);
    arena_fini(&b->a);
}

/* ---- journal ---- */

static err_t on_study(void *self, const struct study_image *i, struct errmsg *em)
{
    struct box *b = self;
    struct buf spec = {0};
    err_t e = journal_blob(b->j, i->spec, &spec, em);
    if (e == ERR_OK)
        e = farm_load_study(b->f, i, buf_str(&spec), &b->env, em);
    buf_fini(&spec);
    return e;
}

static err_t on_trial(void *self, const struct trial_image *i, struct errmsg *em)
{
    struct box *b = self;
    return farm_load_trial(b->f, i, em);
}

static err_t on_request(void *self, const struct msg_reply *answer, struct errmsg *em)
{
    struct box *b = self;
    (void)em;
    farm_load_request(b->f, answer);
    return ERR_OK;
}

static err_t on_record(void *self, uint64_t seq, struct str body, struct errmsg *em)
{
    struct box *b = self;
    struct record r;
    struct buf spec = {0};
    arena_clear(&b->a);
    err_t e = record_decode(&r, body, &b->a, em);
    assert_int_equal(e, ERR_OK);
    assert_int_equal(r.seq, seq);
    bool is_spec = r.kind == REC_STUDY_CREATED || r.kind == REC_SPEC_ADDED;
    if (is_spec)
        e = journal_blob(b->j, r.digest, &spec, em);
    if (e == ERR_OK)
        e = farm_load_record(b->f, &r, buf_str(&spec), is_spec ? &b->env : NULL, em);
    buf_fini(&spec);
    return e;
}

static void load(struct box *b)
{
    struct journal_reader r = {b, on_study, on_trial, on_request, on_record};
    struct errmsg em = {{0}};
    b->j = journal_mem_open(b->store, NULL, NULL);
    b->g = group_new();
    b->c.epoch = journal_ids(b->j).epoch;
    b->f = farm_new(&b->c);
    farm_set_wall(b->f, 1700000000000);
    if (journal_load(b->j, &r, &em) != ERR_OK || farm_load_check(b->f, &em) != ERR_OK)
        fail_msg("the journal cannot be loaded: %s", em.text);
    farm_load_done(b->f, b->now, journal_ids(b->j).last_seq, &b->g->fx);
}

void box_restart(struct box *b)
{
    shut(b);
    load(b);
    box_settle(b);
}

static void keep_message(struct box *b, const struct fx_message *m, struct str body)
{
    if (b->n_out == b->cap_out) {
        b->cap_out = b->cap_out ? 2 * b->cap_out : 64;
        b->out = alloc_grow(b->out, b->cap_out, sizeof *b->out);
    }
    b->out[b->n_out++] =
        (struct boxed){m->peer, m->session, m->kind, str_make(str_dupz(body), body.n)};
    char *copy = (char *)b->out[b->n_out - 1].body.p;
    memcpy(copy, body.p, body.n);
}

static void release(struct box *b, struct group *g)
{
    for (size_t i = 0; i < g->fx.n_messages; i++)
        keep_message(b, &g->fx.messages[i], effects_str(&g->fx, g->fx.messages[i].body));
    for (size_t i = 0; i < g->n_answers; i++)
        farm_on_answer(b->f, b->now, &g->answers[i], &b->g->fx);
    group_free(g);
}

void box_settle(struct box *b)
{
    struct errmsg em = {{0}};
    for (int turns = 0; turns < 1000; turns++) {
        b->wake = farm_tick(b->f, b->now, &b->g->fx);
        if (farm_check(b->f, &em) != ERR_OK)
            fail_msg("farm_check: %s", em.text);
        if (effects_empty(&b->g->fx) && b->wake > b->now)
            return;
        struct group *g = b->g;
        b->g = group_new();
        journal_submit(b->j, g);
        while ((g = journal_done(b->j)))
            release(b, g);
    }
    fail_msg("the farm does not come to rest");
}

void box_pass(struct box *b, int64_t ns)
{
    int64_t until = b->now + ns;
    while (b->wake < until) {
        b->now = b->wake > b->now ? b->wake : b->now;
        box_settle(b);
    }
    b->now = until;
    box_settle(b);
}

/* ---- messages ---- */

void box_send(struct box *b, uint64_t peer, uint64_t session, unsigned kind, const void *msg,
              size_t size)
{
    union message m;
    memset(&m, 0, sizeof m);
    memcpy(&m, msg, size);
    struct farm_input in = {.peer = peer,
                            .session = session,
                            .kind = (uint8_t)kind,
                            .msg = &m,
                            .envelope = kind == MSG_SUBMIT ? &b->env : NULL};
    farm_on_message(b->f, b->now, &in, &b->g->fx);
}

const union message *box_take(struct box *b, uint64_t peer, unsigned kind)
{
    struct errmsg em = {{0}};
    for (size_t i = 0; i < b->n_out; i++) {
        if (b->out[i].peer != peer || b->out[i].kind != kind)
            continue;
        arena_clear(&b->a);
        struct str body = arena_dup(&b->a, b->out[i].body);
        free((char *)b->out[i].body.p);
        memmove(&b->out[i], &b->out[i + 1], (--b->n_out - i) * sizeof b->out[0]);
        if (message_decode(&b->m, kind, body, &b->a, &em) != ERR_OK)
            fail_msg("%s cannot be decoded: %s", message_name(kind), em.text);
        return &b->m;
    }
    return NULL;
}

size_t box_count(const struct box *b, uint64_t peer, unsigned kind)
{
    size_t n = 0;
    for (size_t i = 0; i < b->n_out; i++)
        n += b->out[i].peer == peer && b->out[i].kind == kind;
    return n;
}

struct id128 box_id(unsigned id)
{
    return (struct id128){{1, (uint8_t)id, (uint8_t)(id >> 8)}};
}

static uint64_t hello(struct box *b, uint64_t peer, const struct msg_hello *h)
{
    box_send(b, peer, 0, MSG_HELLO, h, sizeof *h);
    box_settle(b);
    const union message *m = box_take(b, peer, MSG_WELCOME);
    assert_non_null(m);
    return m->welcome.session;
}

uint64_t box_worker(struct box *b, uint64_t peer, unsigned id, uint32_t slots)
{
    struct msg_hello h = {.role = ROLE_WORKER,
                          .version_min = 1,
                          .version_max = 1,
                          .peer = box_id(id),
                          .host = STR("host"),
                          .slots = slots};
    uint64_t session = hello(b, peer, &h);
    SEND(b, peer, session, CREDIT, credit, .total = slots);
    box_settle(b);
    return session;
}

uint64_t box_optimizer(struct box *b, uint64_t peer, unsigned id)
{
    struct msg_hello h = {.role = ROLE_OPTIMIZER,
                          .version_min = 1,
                          .version_max = 1,
                          .peer = box_id(id),
                          .host = STR("host")};
    return hello(b, peer, &h);
}

uint64_t box_client(struct box *b, uint64_t peer, unsigned id)
{
    struct msg_hello h = {.role = ROLE_CLIENT,
                          .version_min = 1,
                          .version_max = 1,
                          .peer = box_id(id),
                          .host = STR("host")};
    return hello(b, peer, &h);
}

uint64_t box_submit(struct box *b, uint64_t peer, uint64_t session, const char *name)
{
    char text[200];
    snprintf(text, sizeof text, "{\"study\":\"%s\"}", name);
    struct str spec = str_of(text);
    static unsigned requests = 60000;
    SEND(b, peer, session, SUBMIT, submit, .request = box_id(++requests), .name = str_of(name),
         .spec = spec, .digest = hash_bytes(spec), .search = hash_bytes(STR("search")));
    box_settle(b);
    const union message *m = box_take(b, peer, MSG_REPLY);
    assert_non_null(m);
    assert_true(str_is(m->reply.name, "OK"));
    return m->reply.number;
}

void box_enqueue(struct box *b, uint64_t peer, uint64_t session, const char *study,
                 const char *params)
{
    static unsigned requests = 50000;
    SEND(b, peer, session, ENQUEUE, enqueue, .request = box_id(++requests), .study = str_of(study),
         .params = str_of(params));
    box_settle(b);
    const union message *m = box_take(b, peer, MSG_REPLY);
    assert_non_null(m);
    assert_true(str_is(m->reply.name, "OK"));
}

struct trial_image box_trial(const struct box *b, uint64_t study, uint64_t trial)
{
    struct trial_image im;
    assert_true(farm_trial(b->f, study, trial, &im));
    return im;
}

unsigned box_state(const struct box *b, uint64_t study, uint64_t trial)
{
    return box_trial(b, study, trial).state;
}
