/* The owner of the worker: the only file that joins core, proc and net. Called by worker_main.c.
 * Callbacks unpack and call the core; at the end of every turn the core does what is due and its
 * effects are carried out in their order, again until nothing new comes of it. It must not decide
 * anything: that is the core's.
 *
 * Effects wait for the end of the turn, so what one read brought from many evaluators leaves
 * together. */
#include "agent.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zmq.h>

#include "alloc.h"
#include "clock.h"
#include "fdwatch.h"
#include "files.h"
#include "hash.h"
#include "json.h"
#include "log.h"
#include "logtext.h"
#include "lookout.h"
#include "orphans.h"
#include "runner.h"
#include "sealer.h"
#include "software.h"
#include "spoolcare.h"
#include "supply.h"
#include "tail.h"
#include "uplink.h"

#define FLUSH_NS NS_PER_S /* at the end, for what has not left yet */

struct agent {
    const struct worker_options *options;
    struct loop loop;
    bool loop_open, exiting, leaving;
    void *zmq;
    struct files files;
    struct worker *core;
    struct worker_out out;
    struct runner *runner;
    struct supply *supply;
    struct sealer *sealer;
    struct lookout *lookout; /* NULL: no cloud was named */
    struct uplink *uplink;
    struct fdwatch *parent;
    struct spoolcare spooling;
    struct id128 peer;
    uint64_t session; /* the one that supply knows of */
    int64_t watchdog, next_watchdog;
    char host[256];
    struct buf software;
};

static void on_connected(void *self, bool up)
{
    struct agent *a = self;
    if (up)
        worker_on_connected(a->core, clock_now(), &a->out);
    else
        worker_on_disconnected(a->core, clock_now(), &a->out);
}

static void answer_log(struct agent *a, uint64_t session, const struct msg_get_log *m)
{
    char where[1024];
    struct buf text;
    buf_init(&text, LOG_BYTES);
    struct msg_log_text r = logtext_find(&a->files, a->host, m, &text, where);
    (void)uplink_send_message(a->uplink, session, MSG_LOG_TEXT, &r);
    buf_fini(&text);
}

static void on_message(void *self, uint64_t session, unsigned kind, const union message *m)
{
    struct agent *a = self;
    int64_t now = clock_now();
    if (kind == MSG_BLOB && session == worker_session(a->core))
        supply_on_blob(a->supply, &m->blob, now);
    else if (kind == MSG_GET_LOG && session == worker_session(a->core))
        answer_log(a, session, &m->get_log);
    worker_on_message(a->core, now, session, kind, m, &a->out);
}

static void on_gap(void *self)
{
    struct agent *a = self;
    LOG_W("FRAMES-LOST", "action=\"new session\"");
    worker_on_gap(a->core, clock_now(), &a->out);
}

static void on_malformed(void *self, const char *why)
{
    struct agent *a = self;
    worker_count(a->core, COUNT_BAD_BROKER_FRAME, 1);
    LOG_W("FRAME-REFUSED", "why=\"%s\"", why);
}

static void on_started(void *self, uint64_t run, uint64_t pid)
{
    struct agent *a = self;
    worker_on_child_started(a->core, clock_now(), run, pid, &a->out);
}

static void on_spawn_failed(void *self, uint64_t run, struct str text, bool forever)
{
    struct agent *a = self;
    worker_on_spawn_failed(a->core, clock_now(), run, text, forever, &a->out);
}

static void on_line(void *self, uint64_t run, struct str line)
{
    struct agent *a = self;
    worker_on_child_line(a->core, clock_now(), run, line, &a->out);
}

static void on_scraped(void *self, uint64_t run, bool has_step, int64_t step, double value)
{
    struct agent *a = self;
    worker_on_child_scrape(a->core, clock_now(), run, has_step, step, value, &a->out);
}

static void on_complaint(void *self, uint64_t run, struct str text)
{
    struct agent *a = self;
    worker_on_child_complaint(a->core, clock_now(), run, text, &a->out);
}

static void on_gone(void *self, uint64_t run, const struct child_end *end)
{
    struct agent *a = self;
    worker_on_child_exit(a->core, clock_now(), run, end, &a->out);
}

static void on_spec(void *self, struct digest d, struct str bytes)
{
    struct agent *a = self;
    worker_on_spec(a->core, clock_now(), d, bytes, &a->out);
}

static err_t on_prepare(void *self, struct digest d, const struct spec *s, struct errmsg *em)
{
    struct agent *a = self;
    return runner_prepare(a->runner, d, s, em);
}

static void on_ready(void *self, struct digest d)
{
    struct agent *a = self;
    worker_on_files(a->core, clock_now(), d, &a->out);
}

static void on_supply_failed(void *self, struct digest d, struct str text, bool forever)
{
    struct agent *a = self;
    LOG_W("STUDY-NOT-READY", "why=\"" STR_FMT "\"", STR_ARG(text));
    worker_on_fetch_failed(a->core, clock_now(), d, text, forever, &a->out);
}

static void on_get_blob(void *self, const struct msg_get_blob *m)
{
    struct agent *a = self;
    (void)uplink_send_message(a->uplink, worker_session(a->core), MSG_GET_BLOB, m);
}

static void on_checked(void *self, uint64_t run, const struct seal *s)
{
    struct agent *a = self;
    worker_on_checked(a->core, clock_now(), run, s, &a->out);
}

static void on_sealed(void *self, uint64_t run, const struct seal *s)
{
    struct agent *a = self;
    worker_on_sealed(a->core, clock_now(), run, s, &a->out);
}

static void on_coming(void *self, const struct cloud_notice *n)
{
    struct agent *a = self;
    int64_t now = clock_now();
    struct worker_leave l = {now + n->left_ms * NS_PER_MS, RELEASE_PREEMPT, n->reason};
    LOG_W("PREEMPTION-NOTICE", "cloud=\"%s\" left_ms=%lld", n->reason, (long long)n->left_ms);
    worker_leave(a->core, now, &l, &a->out);
}

static void on_cloud_trouble(void *self, const char *text, uint64_t failures)
{
    (void)self;
    if (text)
        LOG_W("CLOUD-UNREACHABLE", "why=\"%s\" failures=%llu", text, (unsigned long long)failures);
    else
        LOG_I("CLOUD-REACHED", "failures=%llu", (unsigned long long)failures);
}

static enum log_level fact_level(enum worker_fact f)
{
    if (worker_fact_routine(f))
        return LOG_DEBUG_;
    bool warn = f == FACT_FENCED || f == FACT_REFUSED || f == FACT_LEFT || f == FACT_DROPPED ||
                f == FACT_COMPLAINT;
    return warn ? LOG_WARN_ : LOG_INFO_;
}

static void log_fact(const struct agent *a, const struct worker_fx *x)
{
    if ((int)fact_level(x->fact) < a->options->common.log_level)
        return;
    if (x->run_id)
        log_event(fact_level(x->fact), worker_fact_id(x->fact),
                  "study=%llu trial=%llu attempt=%u " STR_FMT, (unsigned long long)x->study,
                  (unsigned long long)x->trial, x->attempt, STR_ARG(x->body));
    else
        log_event(fact_level(x->fact), worker_fact_id(x->fact), STR_FMT, STR_ARG(x->body));
}

static void seal(struct agent *a, const struct worker_run *r, struct str place)
{
    char dir[FILES_PATH] = "";
    (void)files_checkpoint_path(&a->files, r->farm, r->study_name, r->trial, r->attempt, dir);
    sealer_seal(a->sealer, r->run, place, dir);
}

static void tidy(struct agent *a, const struct worker_fx *x)
{
    char dir[FILES_PATH];
    if (files_checkpoint_path(&a->files, x->farm, x->study_name, x->trial, 0, dir))
        sealer_remove(a->sealer, dir);
}

static void keep_orphan(const struct agent *a, struct str object)
{
    struct errmsg em;
    if (orphans_add(a->files.root, object, &em))
        LOG_W("ORPHAN-LOST", "why=\"%s\" result=\"" STR_FMT "\"", em.text, STR_ARG(object));
}

static void carry_out_one(struct agent *a, const struct worker_fx *x, int64_t now)
{
    switch (x->kind) {
    case WFX_SEND:
        (void)uplink_send(a->uplink, x->session, x->message, x->body);
        break;
    case WFX_FETCH_SPEC:
        supply_want_spec(a->supply, x->digest);
        break;
    case WFX_FETCH_FILES:
        supply_want_files(a->supply, x->digest, x->spec);
        break;
    case WFX_DROP_SPEC:
        runner_forget(a->runner, x->digest, now);
        break;
    case WFX_SPAWN:
        runner_spawn(a->runner, x->run, now);
        break;
    case WFX_LINE:
        runner_write(a->runner, x->run_id, x->body);
        break;
    case WFX_CHECK:
        sealer_check(a->sealer, x->run->run, x->body);
        break;
    case WFX_SEAL:
        seal(a, x->run, x->body);
        break;
    case WFX_TIDY:
        tidy(a, x);
        break;
    case WFX_ASK:
        runner_ask(a->runner, x->run_id, x->signal);
        break;
    case WFX_SIGNAL:
        runner_signal(a->runner, x->run_id, x->signal);
        break;
    case WFX_SPOOL:
        spool_add(a->spooling.spool, x->message, x->body);
        break;
    case WFX_SPOOL_NEW:
        spool_new(a->spooling.spool);
        break;
    case WFX_ORPHAN:
        keep_orphan(a, x->body);
        break;
    case WFX_END:
        runner_end(a->runner, x->run_id, now);
        break;
    case WFX_FACT:
        log_fact(a, x);
        break;
    case WFX_EXIT:
        a->exiting = true;
        break;
    }
}

static void carry_out(struct agent *a, int64_t now)
{
    for (size_t i = 0; i < a->out.n; i++)
        carry_out_one(a, &a->out.v[i], now);
    worker_out_clear(&a->out);
}

static void tell_supply(struct agent *a, int64_t now)
{
    uint64_t session = worker_session(a->core);
    if (session == a->session)
        return;
    a->session = session;
    supply_session(a->supply, session != 0, now);
}

/* Once, whatever made it leave. */
static void begin_leaving(struct agent *a, int64_t now)
{
    if (a->leaving || !worker_draining(a->core))
        return;
    a->leaving = true;
    loop_notify("STOPPING=1", -1);
    runner_retire_idle(a->runner, now);
}

/* Returns when it wants to be called next. */
static int64_t tend_spool(struct agent *a, int64_t now)
{
    int64_t next;
    if (spoolcare_respool(&a->spooling, a->core, now, &a->out, &next))
        carry_out(a, now);
    spoolcare_flush(&a->spooling, a->core, now);
    return next;
}

static int64_t feed_watchdog(struct agent *a, int64_t now)
{
    if (a->watchdog == 0)
        return CLOCK_NEVER;
    if (now >= a->next_watchdog) {
        loop_notify("WATCHDOG=1", -1);
        a->next_watchdog = now + a->watchdog;
    }
    return a->next_watchdog;
}

static int64_t earliest(int64_t x, int64_t y)
{
    return x < y ? x : y;
}

static void turn(struct agent *a, int64_t now)
{
    int64_t next;
    bool more;
    if (a->exiting)
        return;
    worker_set_wall(a->core, clock_wall_ms() - now / NS_PER_MS);
    spoolcare_restore(&a->spooling, a->core, now, &a->out);
    do {
        next = worker_tick(a->core, now, &a->out);
        carry_out(a, now);
        tell_supply(a, now);
        begin_leaving(a, now);
        more = runner_deliver(a->runner);
        more |= supply_deliver(a->supply, now);
    } while (more);
    next = earliest(next, runner_tick(a->runner, now));
    next = earliest(next, supply_tick(a->supply, now));
    next = earliest(next, tend_spool(a, now));
    next = earliest(next, feed_watchdog(a, now));
    loop_wake_at(&a->loop, next);
    if (a->exiting) {
        uplink_flush(a->uplink, FLUSH_NS);
        loop_stop(&a->loop);
    }
}

static struct agent *agent_of(struct loop *l)
{
    return (struct agent *)(void *)((char *)l - offsetof(struct agent, loop));
}

static void on_wake(struct loop *l, int64_t now)
{
    (void)l; /* on_turn follows */
    (void)now;
}

static void on_turn(struct loop *l, int64_t now)
{
    turn(agent_of(l), now);
}

static void release(struct agent *a)
{
    worker_release_all(a->core, clock_now(), &a->out);
}

static void on_stop(struct loop *l, int stops)
{
    struct agent *a = agent_of(l);
    if (stops > 1) {
        release(a);
        return;
    }
    worker_drain(a->core, clock_now(), &a->out);
}

static void on_hup(struct loop *l)
{
    struct errmsg em;
    (void)l;
    if (log_reopen(&em))
        LOG_E("LOG-NOT-REOPENED", "why=\"%s\"", em.text);
}

static void on_parent_gone(void *self)
{
    struct agent *a = self;
    LOG_I("PARENT-GONE", "action=\"release and exit\"");
    release(a);
}

/* ---- birth and end ---- */

static void open_core(struct agent *a, const struct agent_setup *s)
{
    const struct worker_options *o = s->options;
    struct worker_config c = {.host = a->host,
                              .name = o->name ? o->name : "",
                              .pid = (uint64_t)getpid(),
                              .slots = (uint32_t)o->slots,
                              .cpus = o->cpus > 0 ? o->cpus : (double)o->slots,
                              .memory = o->memory,
                              .gpus = s->gpus,
                              .n_gpus = s->n_gpus,
                              .labels = o->labels.v,
                              .n_labels = (uint32_t)o->labels.n,
                              .drain_ns = o->drain_timeout,
                              .idle_exit_ns = o->idle_exit,
                              .peer = a->peer,
                              .spool = a->spooling.spool != NULL,
                              .orphan_ns = o->orphan > 0 ? o->orphan : WORKER_ORPHAN_BROKER};
    software_describe(&a->software);
    c.software = buf_z(&a->software);
    hash_random(&c.seed, sizeof c.seed);
    a->core = worker_new(&c, clock_now());
}

static err_t open_runner(struct agent *a, const struct agent_setup *s, struct errmsg *em)
{
    const struct worker_options *o = s->options;
    struct runner_config c = {.loop = &a->loop.uv,
                              .files = &a->files,
                              .launch = s->launch,
                              .output_cap = o->output_cap,
                              .serve_idle_ns = o->serve_idle,
                              .slots = (uint32_t)o->slots,
                              .open_files = s->open_files};
    struct runner_events e = {a,          on_started,   on_spawn_failed, on_line,
                              on_scraped, on_complaint, on_gone};
    err_t err = files_open(&a->files, s->root, (uint32_t)o->keep_trials, em);
    if (!err)
        err = files_checkpoints_open(&a->files, o->checkpoints, em);
    if (!err)
        files_keep_old(&a->files);
    return err ? err : runner_open(&a->runner, &c, &e, em);
}

static err_t open_spool(struct agent *a, struct errmsg *em)
{
    struct spool_config c = {
        .loop = &a->loop.uv, .root = a->files.root, .peer = a->peer, .limit = a->options->spool};
    return c.limit == 0 ? ERR_OK : spool_open(&a->spooling.spool, &c, em);
}

static err_t open_uplink(struct agent *a, const struct agent_setup *s, struct errmsg *em)
{
    struct supply_events se = {a, on_spec, on_prepare, on_ready, on_supply_failed, on_get_blob};
    struct uplink_events ue = {a, on_connected, on_message, on_gap, on_malformed};
    struct uplink_config c = {.endpoint = s->options->broker, .curve = s->curve};
    hash_random(&c.seed, sizeof c.seed);
    a->supply = supply_new(&a->files, &se);
    return uplink_open(&a->uplink, &a->loop, a->zmq, &c, &ue, em);
}

static err_t open_lookout(struct agent *a, struct errmsg *em)
{
    const struct worker_options *o = a->options;
    struct lookout_config c = {
        .loop = &a->loop.uv, .address = o->cloud_address, .every_ns = o->cloud_every};
    struct lookout_events e = {a, on_coming, on_cloud_trouble};
    if (!o->cloud || !cloud_by_name(o->cloud, &c.kind))
        return ERR_OK;
    return lookout_open(&a->lookout, &c, &e, em);
}

static err_t open_loop(struct agent *a, struct errmsg *em)
{
    err_t e = loop_init(&a->loop, em);
    if (e)
        return e;
    a->loop_open = true;
    a->loop.on_wake = on_wake;
    a->loop.on_turn = on_turn;
    a->loop.on_stop = on_stop;
    a->loop.on_hup = on_hup;
    a->zmq = zmq_ctx_new();
    a->watchdog = loop_watchdog_interval();
    return a->zmq ? ERR_OK
                  : errmsg_set(em, ERR_NOMEM, "ZeroMQ cannot begin: %s", zmq_strerror(errno));
}

err_t agent_open(struct agent **out, const struct agent_setup *s, struct errmsg *em)
{
    struct agent *a = alloc_zero(sizeof *a);
    a->options = s->options;
    a->files.lock = -1;
    worker_out_init(&a->out);
    hash_random(&a->peer, sizeof a->peer);
    buf_init(&a->software, 1024);
    if (gethostname(a->host, sizeof a->host - 1) != 0)
        (void)str_copyz(a->host, sizeof a->host, STR("unknown"));
    err_t e = open_loop(a, em);
    if (!e)
        e = open_runner(a, s, em);
    if (!e)
        e = open_spool(a, em);
    if (!e) {
        struct sealer_events se = {a, on_checked, on_sealed};
        a->sealer = sealer_new(&a->loop.uv, &se);
        open_core(a, s);
        e = open_uplink(a, s, em);
    }
    if (!e)
        e = open_lookout(a, em);
    int parent = daemonopt_fd(s->options->common.parent_fd);
    if (!e && parent >= 0)
        e = fdwatch_open(&a->parent, &a->loop, parent, on_parent_gone, a, em);
    if (e) {
        agent_close(a);
        return e;
    }
    *out = a;
    return ERR_OK;
}

err_t agent_run(struct agent *a)
{
    const struct worker_options *o = a->options;
    LOG_I("WORKER-READY", "broker=%s root=%s slots=%llu", o->broker, a->files.root,
          (unsigned long long)o->slots);
    loop_notify("READY=1", daemonopt_fd(o->common.ready_fd));
    turn(a, clock_now());
    return loop_run(&a->loop);
}

void agent_close(struct agent *a)
{
    if (!a)
        return;
    a->exiting = true;
    spool_close(a->spooling.spool);
    fdwatch_close(a->parent);
    lookout_close(a->lookout);
    runner_close(a->runner);
    sealer_close(a->sealer);
    supply_free(a->supply);
    uplink_close(a->uplink);
    if (a->loop_open)
        loop_fini(&a->loop);
    if (a->zmq)
        zmq_ctx_term(a->zmq);
    worker_free(a->core);
    worker_out_fini(&a->out);
    files_close(&a->files);
    buf_fini(&a->software);
    free(a);
}
