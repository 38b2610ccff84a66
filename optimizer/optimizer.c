/* The owner of the daemon: the only file that joins the link with the socket, the loop and the
 * clock.
 *
 * Called by optimizer_main.c. Callbacks call the link; its effects are carried out at the end of
 * every turn, in order. It decides nothing: that is the link's and the tuners'. */
#include "optimizer.h"

#include <stddef.h>
#include <stdio.h>
#include <unistd.h>
#include <zmq.h>

#include "clock.h"
#include "dealer.h"
#include "endpoint.h"
#include "fdwatch.h"
#include "hash.h"
#include "json.h"
#include "keyfile.h"
#include "link.h"
#include "openfiles.h"
#include "rng.h"
#include "versions.h"

#define FILES_NEEDED       64       /* 20 of its own, and what stands in files for a moment */
#define FLUSH_NS           NS_PER_S /* at the end, for what has not left yet */
#define RECONNECT_LEAST_MS 100
#define RECONNECT_RANGE_MS 400

struct optimizer {
    const struct optimizer_options *c;
    struct loop loop;
    bool loop_open, ending;
    void *zmq;
    struct link *link;
    struct link_out out;
    struct dealer *dealer;
    struct fdwatch *parent;
    struct zcurve curve;
    bool secret; /* curve is set */
    int64_t watchdog, next_watchdog;
};

static void carry_out(struct optimizer *o)
{
    for (size_t i = 0; i < o->out.n; i++) {
        const struct link_effect *e = &o->out.v[i];
        struct str text = link_out_text(&o->out, e);
        if (!e->kind)
            log_event(e->level, e->id, STR_FMT, STR_ARG(text));
        else if (!dealer_send(o->dealer, e->session, e->kind, text))
            LOG_W("NOT-SENT", "kind=%s bytes=%zu", message_name(e->kind), text.n);
    }
    link_out_clear(&o->out);
}

static void on_connected(void *self, bool up)
{
    struct optimizer *o = self;
    if (up)
        link_on_connected(o->link, clock_now(), &o->out);
    else
        link_on_disconnected(o->link, clock_now(), &o->out);
}

static void on_message(void *self, uint64_t session, unsigned kind, const union message *m)
{
    struct optimizer *o = self;
    link_on_message(o->link, clock_now(), session, kind, m, &o->out);
}

static void on_gap(void *self)
{
    struct optimizer *o = self;
    link_on_gap(o->link, clock_now(), &o->out);
}

static void on_malformed(void *self, const char *why)
{
    (void)self;
    LOG_W("FRAME-REFUSED", "why=\"%s\"", why);
}

static int64_t feed_watchdog(struct optimizer *o, int64_t now)
{
    if (o->watchdog == 0)
        return CLOCK_NEVER;
    if (now >= o->next_watchdog) {
        loop_notify("WATCHDOG=1", -1);
        o->next_watchdog = now + o->watchdog;
    }
    return o->next_watchdog;
}

static struct optimizer *owner_of(struct loop *l)
{
    return (struct optimizer *)(void *)((char *)l - offsetof(struct optimizer, loop));
}

static void on_wake(struct loop *l, int64_t now)
{
    (void)l; /* on_turn follows */
    (void)now;
}

static void on_turn(struct loop *l, int64_t now)
{
    struct optimizer *o = owner_of(l);
    if (o->ending)
        return;
    int64_t next = link_tick(o->link, now, &o->out), dog = feed_watchdog(o, now);
    carry_out(o);
    loop_wake_at(l, next < dog ? next : dog);
    if (o->out.fatal) {
        o->ending = true;
        loop_stop(l);
    }
}

static void leave(struct optimizer *o, const char *why)
{
    if (o->ending)
        return;
    o->ending = true;
    LOG_I("STOPPING", "why=\"%s\"", why);
    loop_notify("STOPPING=1", -1);
    link_leave(o->link, &o->out);
    carry_out(o);
    dealer_flush(o->dealer, FLUSH_NS);
    loop_stop(&o->loop);
}

static void on_stop(struct loop *l, int stops)
{
    (void)stops;
    leave(owner_of(l), "signal");
}

static void on_parent_gone(void *self)
{
    leave(self, "the parent is gone");
}

static void on_hup(struct loop *l)
{
    struct errmsg em;
    (void)l;
    if (log_reopen(&em))
        LOG_E("LOG-NOT-REOPENED", "why=\"%s\"", em.text);
}

/* ---- birth and end ---- */

static void describe_software(struct buf *out)
{
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w);
    versions_add(&w);
    jsonw_end(&w);
}

static void open_link(struct optimizer *o)
{
    char host[256] = "";
    struct buf software;
    buf_init(&software, 1024);
    describe_software(&software);
    (void)gethostname(host, sizeof host - 1);
    struct link_config c = {
        .host = host, .name = o->c->name, .software = buf_z(&software), .pid = (uint64_t)getpid()};
    hash_random(&c.peer, sizeof c.peer);
    hash_random(&c.seed, sizeof c.seed);
    o->link = link_new(&c);
    buf_fini(&software);
}

/* tcp needs the farm's key. */
static err_t load_key(struct optimizer *o, struct errmsg *em)
{
    struct endpoint at;
    char path[KEYFILE_PATH_SIZE];
    err_t e = endpoint_parse(&at, str_of(o->c->broker), em);
    if (e || (!at.tcp && !o->c->key))
        return e;
    if (!o->c->key)
        e = keyfile_default_path(path, em);
    if (!e)
        e = keyfile_load(o->c->key ? o->c->key : path, &o->curve, em);
    o->secret = !e;
    return e;
}

static err_t open_loop(struct optimizer *o, struct errmsg *em)
{
    err_t e = loop_init(&o->loop, em);
    if (e)
        return e;
    o->loop_open = true;
    o->loop.on_wake = on_wake;
    o->loop.on_turn = on_turn;
    o->loop.on_stop = on_stop;
    o->loop.on_hup = on_hup;
    o->watchdog = loop_watchdog_interval();
    int parent = daemonopt_fd(o->c->common.parent_fd);
    if (parent >= 0)
        e = fdwatch_open(&o->parent, &o->loop, parent, on_parent_gone, o, em);
    return e;
}

static err_t open_dealer(struct optimizer *o, struct errmsg *em)
{
    struct rng r;
    rng_seed_random(&r);
    struct dealer_config c = {o->c->broker, o->secret ? &o->curve : NULL,
                              RECONNECT_LEAST_MS + (int)rng_below(&r, RECONNECT_RANGE_MS)};
    struct dealer_events e = {o, on_connected, on_message, on_gap, on_malformed};
    o->zmq = zmq_ctx_new();
    if (!o->zmq)
        return errmsg_set(em, ERR_FAILED, "ZeroMQ cannot be started");
    return dealer_open(&o->dealer, &o->loop, o->zmq, &c, &e, em);
}

static err_t open_all(struct optimizer *o, struct errmsg *em)
{
    err_t e = openfiles_raise(FILES_NEEDED, NULL, em);
    if (!e)
        e = daemonopt_open_log(&o->c->common, "optimizer", em);
    if (!e)
        e = load_key(o, em);
    if (!e)
        e = open_loop(o, em);
    if (e)
        return e;
    open_link(o);
    return open_dealer(o, em);
}

static void close_all(struct optimizer *o)
{
    fdwatch_close(o->parent);
    dealer_close(o->dealer);
    if (o->loop_open)
        loop_fini(&o->loop);
    if (o->zmq)
        zmq_ctx_term(o->zmq);
    link_free(o->link);
    link_out_fini(&o->out);
    log_close();
}

int optimizer_run(const struct optimizer_options *c)
{
    struct optimizer o = {.c = c};
    struct errmsg em = {""};
    link_out_init(&o.out);
    err_t e = open_all(&o, &em);
    if (e) {
        fprintf(stderr, "tunefarm optimizer: %s\n", em.text);
    } else {
        LOG_I("STARTED", "version=" TUNEFARM_VERSION " broker=%s", c->broker);
        loop_notify("READY=1", daemonopt_fd(c->common.ready_fd));
        loop_wake_at(&o.loop, clock_now());
        e = loop_run(&o.loop);
        if (!e)
            e = o.out.fatal;
    }
    close_all(&o);
    return err_exit_code(e);
}
