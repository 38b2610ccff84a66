/* The loop of `run` and `watch`: records come with credit, news go to announce.c, signals arrive as
 * bytes on a descriptor. The stream is asked for by study_seq, so after a lost session it goes on
 * behind the last record seen and nothing is counted twice.
 *
 * A broker that is away is no end: the link comes back by itself, and `run` looks after its own
 * broker. */
#include "follow.h"

#include <errno.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "clock.h"
#include "json.h"

#define CREDIT        8192u
#define WORKERS_FIRST (300 * NS_PER_MS)
#define WORKERS_EVERY (3 * NS_PER_S)
#define LOOK_EVERY    (2 * NS_PER_S)
#define IDLE_AFTER    (15 * NS_PER_S)
#define PATIENCE      4

struct follow {
    const struct follow_config *c;
    struct progress *p;
    struct announce *a;
    struct id128 tail, workers; /* requests under way */
    uint64_t from;              /* next study_seq wanted */
    uint64_t got, credit;       /* records of this TAIL */
    uint64_t seen;              /* last journal seq */
    int64_t workers_at;         /* when to ask for workers again */
    int64_t idle_since;         /* nothing has run since; CLOCK_NEVER = it was said */
    bool live, marked, interrupted, away;
};

static void send_tail(struct follow *f)
{
    struct msg_tail m = {
        .request = f->tail, .study = str_of(f->c->study), .from = f->from, .credit = f->credit};
    brokerlink_send(f->c->link, MSG_TAIL, &m);
}

static void start_tail(struct follow *f)
{
    f->tail = brokerlink_request();
    f->got = 0;
    f->credit = CREDIT;
    f->live = false;
    send_tail(f);
}

/* This sitting begins with the first record later than `since`. */
static void mark_once(struct follow *f)
{
    if (f->marked)
        return;
    f->marked = true;
    progress_mark(f->p, clock_wall_ms());
}

static void on_record(struct follow *f, const struct record *r)
{
    if (r->study_seq < f->from)
        return;
    f->from = r->study_seq + 1;
    f->seen = r->seq;
    bool old = r->seq <= f->c->since;
    if (!old)
        mark_once(f);
    struct progress_news news = progress_on_record(f->p, r);
    announce_news(f->a, f->p, &news, old);
    if (!old && (news.change & PROGRESS_PAUSED))
        announce_say(f->a, "%s is paused; `tunefarm resume %s` lets it go on", f->c->study,
                     f->c->study);
    if (!old && (news.change & PROGRESS_RESUMED))
        announce_say(f->a, "%s goes on", f->c->study);
    progress_news_fini(&news);
}

static void on_events(struct follow *f, const struct msg_events *m)
{
    for (uint32_t i = 0; i < m->records.n; i++)
        on_record(f, &m->records.v[i]);
    f->got += m->records.n;
    f->live = m->live;
    if (f->live)
        mark_once(f);
    if (f->credit - f->got < CREDIT / 2) {
        f->credit = f->got + CREDIT;
        send_tail(f);
    }
}

/* [[workers, slots]] */
static void on_workers(struct follow *f, const struct msg_rows *m)
{
    struct json_object *v = NULL;
    if (m->rows.n == 0 || json_parse(m->rows.v[0], JSON_STRICT, &v, NULL) != ERR_OK)
        return;
    f->p->workers = (uint32_t)json_object_get_int64(json_object_array_get_idx(v, 0));
    f->p->slots = (uint32_t)json_object_get_int64(json_object_array_get_idx(v, 1));
    f->a->dirty = true;
    json_object_put(v);
}

static void ask_workers(struct follow *f, int64_t now)
{
    if (f->a->mode != ANNOUNCE_LIVE || now < f->workers_at)
        return;
    f->workers = brokerlink_request();
    f->workers_at = now + (f->p->slots ? WORKERS_EVERY : WORKERS_FIRST);
    struct msg_sql m = {.request = f->workers,
                        .query = STR("select count(*), total(slots) from worker where state in "
                                     "('ready', 'draining')")};
    brokerlink_send(f->c->link, MSG_SQL, &m);
}

static err_t on_message(struct follow *f, const struct link_incoming *in, struct errmsg *em)
{
    if (in->kind == MSG_EVENTS && id128_eq(in->m.events.request, f->tail))
        on_events(f, &in->m.events);
    if (in->kind == MSG_ROWS && id128_eq(in->m.rows.request, f->workers))
        on_workers(f, &in->m.rows);
    if (in->kind == MSG_REPLY && id128_eq(in->m.reply.request, f->tail) &&
        !str_is(in->m.reply.name, "OK"))
        return errmsg_set(em, ERR_NOT_FOUND, STR_FMT, STR_ARG(in->m.reply.text));
    if (in->kind == MSG_ERROR && id128_eq(in->m.error.request, f->tail))
        return errmsg_set(em, ERR_FAILED, STR_FMT, STR_ARG(in->m.error.text));
    return ERR_OK;
}

static err_t on_signal(struct follow *f, struct errmsg *em)
{
    struct signalfd_siginfo info;
    err_t e = ERR_OK;
    while (!e && read(f->c->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGCHLD && f->c->on_child)
            e = f->c->on_child(f->c->self, em);
        else if (info.ssi_signo == SIGWINCH)
            announce_resize(f->a);
        else if (info.ssi_signo == SIGINT || info.ssi_signo == SIGTERM)
            f->interrupted = true;
    }
    return e;
}

/* Many failures and no trial that completed. While one runs that has reported something, it gets
 * its chance, up to a bound: a program may report and still fail each time. */
static bool is_hopeless(const struct follow *f)
{
    uint64_t most = f->c->max_failures;
    size_t pos = 0;
    if (most == 0 || f->p->failures < most)
        return false;
    if (f->p->failures >= PATIENCE * most)
        return true;
    for (const struct progress_trial *t; (t = idmap_next(&f->p->open, &pos)) != NULL;)
        if (t->has_loss && t->state == TRIAL_RUNNING)
            return false;
    return true;
}

static bool is_over(const struct follow *f, enum follow_end *end)
{
    *end = FOLLOW_ENDED;
    if (f->p->ended && (f->live || f->seen >= f->c->seq))
        return true;
    *end = FOLLOW_INTERRUPTED;
    if (f->interrupted)
        return true;
    *end = FOLLOW_FAILING;
    return is_hopeless(f);
}

/* A person at a terminal should see that nothing stands still without a reason. */
static void tell_connection(struct follow *f)
{
    bool away = !brokerlink_connected(f->c->link);
    if (away != f->away)
        announce_say(f->a,
                     away ? "the broker at %s is away; waiting for it" : "the broker at %s is back",
                     brokerlink_endpoint(f->c->link));
    f->away = away;
}

/* Trials are proposed when a slot is free that suits them. So if none runs, no worker has what they
 * need; on a farm of daemons, perhaps no optimizer is there. */
static void tell_idle(struct follow *f, int64_t now)
{
    const uint64_t *counts = f->p->counts;
    bool queued = counts[TRIAL_QUEUED] > 0;
    bool later = counts[TRIAL_DELAYED] > 0 || counts[TRIAL_PAUSED] > 0 || f->p->closed[0];
    if (!f->live || progress_open(f->p) > 0 || f->p->paused || (!queued && later))
        f->idle_since = now;
    if (f->idle_since == CLOCK_NEVER || now - f->idle_since < IDLE_AFTER)
        return;
    f->idle_since = CLOCK_NEVER;
    const char *needs = f->c->needs ? f->c->needs : "a free slot";
    if (queued || f->c->on_child)
        announce_say(f->a, "no worker takes a trial; one needs %s", needs);
    else
        announce_say(f->a,
                     "nothing runs; it takes an optimizer (tunefarm optimizer --broker %s) and a "
                     "worker with %s",
                     brokerlink_endpoint(f->c->link), needs);
}

/* A broker that knows less than what was seen goes on from a backup: another history. */
static err_t renew(struct follow *f, struct errmsg *em)
{
    if (brokerlink_head(f->c->link) < f->seen)
        return errmsg_set(em, ERR_REFUSED,
                          "the farm at %s was restored from a backup, and what was shown here is "
                          "not its past any more; give the command again",
                          brokerlink_endpoint(f->c->link));
    start_tail(f);
    return ERR_OK;
}

static err_t turn(struct follow *f, struct errmsg *em)
{
    struct link_incoming in;
    int64_t now = clock_now();
    int64_t until = announce_tick(f->a, f->p, now);
    if (until > now + LOOK_EVERY)
        until = now + LOOK_EVERY;
    ask_workers(f, now);
    err_t e = brokerlink_next(f->c->link, f->c->signals, until, &in, em);
    if (e)
        return e;
    switch (in.event) {
    case LINK_MESSAGE:
        e = on_message(f, &in, em);
        break;
    case LINK_RENEWED:
        e = renew(f, em);
        break;
    case LINK_FD:
        e = on_signal(f, em);
        break;
    case LINK_TIMEOUT:
        break;
    }
    tell_connection(f);
    tell_idle(f, clock_now());
    return e;
}

err_t follow_study(const struct follow_config *c, struct progress *p, struct announce *a,
                   enum follow_end *end, struct errmsg *em)
{
    struct follow f = {.c = c, .p = p, .a = a, .from = 1, .idle_since = clock_now()};
    err_t e = ERR_OK;
    p->mark_ms = clock_wall_ms();
    start_tail(&f);
    while (!e && !is_over(&f, end))
        e = turn(&f, em);
    return e;
}

err_t follow_signals(int *fd, struct errmsg *em)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGWINCH);
    signal(SIGPIPE, SIG_IGN);
    *fd = -1;
    if (sigprocmask(SIG_BLOCK, &set, NULL) == 0)
        *fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (*fd < 0)
        return errmsg_set(em, ERR_IO, "signals cannot be watched: %s", strerror(errno));
    return ERR_OK;
}
