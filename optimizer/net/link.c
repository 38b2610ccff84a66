/* The session: HELLO, WELCOME, beats, silence, and which study a message is about.
 *
 * Called by optimizer.c with decoded messages. A session that ends takes all attachments with it.
 * Messages of another session than the present one change nothing. */
#include "link.h"

#include <stdlib.h>

#include "alloc.h"
#include "attachment.h"
#include "clock.h"
#include "idmap.h"
#include "rng.h"

#define HELLO_AGAIN  (15 * NS_PER_S) /* without WELCOME */
#define SILENT_BEATS 3
#define BEAT_LEAST   (10 * NS_PER_MS)
#define BEAT_MOST    (600 * NS_PER_S)

enum link_state { LINK_DOWN, LINK_GREETING, LINK_UP };

struct link {
    struct link_config c;
    char *host, *name, *software;
    struct rng rng;
    enum link_state state;
    uint64_t session, beat;
    int64_t beat_ns, next_beat, heard, hello_at;
    uint64_t hello_number; /* of the last HELLO: an older one's WELCOME names a dead session */
    struct idmap studies;  /* study number -> attachment */
    uint32_t n_studies;
};

static char *dup_or_empty(const char *z)
{
    return str_dupz(str_of(z ? z : ""));
}

struct link *link_new(const struct link_config *c)
{
    struct link *l = alloc_zero(sizeof *l);
    l->c = *c;
    l->host = dup_or_empty(c->host);
    l->name = dup_or_empty(c->name);
    l->software = dup_or_empty(c->software);
    l->beat_ns = 5 * NS_PER_S;
    rng_seed(&l->rng, c->seed);
    idmap_init(&l->studies);
    return l;
}

static void forget(struct link *l, uint64_t study)
{
    struct attachment *a = idmap_remove(&l->studies, study);
    if (!a)
        return;
    attachment_free(a);
    l->n_studies--;
}

static void forget_all(struct link *l)
{
    size_t pos = 0;
    for (struct attachment *a; (a = idmap_next(&l->studies, &pos));)
        forget(l, a->study);
}

void link_free(struct link *l)
{
    if (!l)
        return;
    forget_all(l);
    idmap_fini(&l->studies);
    free(l->host);
    free(l->name);
    free(l->software);
    free(l);
}

static void hello(struct link *l, int64_t now, struct link_out *fx)
{
    forget_all(l);
    l->state = LINK_GREETING;
    l->session = 0;
    l->hello_at = now;
    struct msg_hello m = {.role = ROLE_OPTIMIZER,
                          .version_min = PROTO_MAJOR,
                          .version_max = PROTO_MAJOR,
                          .peer = l->c.peer,
                          .host = str_of(l->host),
                          .pid = l->c.pid,
                          .software = str_of(l->software),
                          .name = str_of(l->name),
                          .number = ++l->hello_number};
    link_out_send(fx, 0, MSG_HELLO, &m);
}

void link_on_connected(struct link *l, int64_t now, struct link_out *fx)
{
    hello(l, now, fx);
}

void link_on_disconnected(struct link *l, int64_t now, struct link_out *fx)
{
    (void)now;
    if (l->state == LINK_UP)
        link_out_fact(fx, LOG_WARN_, "BROKER-LOST", "session=%llu", (unsigned long long)l->session);
    forget_all(l);
    l->state = LINK_DOWN;
    l->session = 0;
}

void link_on_gap(struct link *l, int64_t now, struct link_out *fx)
{
    if (l->state != LINK_UP)
        return;
    link_out_fact(fx, LOG_WARN_, "FRAMES-LOST", "action=\"new session\"");
    hello(l, now, fx);
}

static int64_t jitter(struct link *l, int64_t ns)
{
    return (int64_t)((double)ns * rng_between(&l->rng, 0.9, 1.1));
}

static void on_welcome(struct link *l, int64_t now, const struct msg_welcome *m,
                       struct link_out *fx)
{
    if (l->state != LINK_GREETING || m->session == 0 || m->hello != l->hello_number)
        return;
    int64_t beat = (int64_t)m->beat_ms * NS_PER_MS;
    l->state = LINK_UP;
    l->session = m->session;
    l->beat = 0;
    l->beat_ns = beat < BEAT_LEAST ? BEAT_LEAST : beat > BEAT_MOST ? BEAT_MOST : beat;
    l->next_beat = now + jitter(l, l->beat_ns);
    l->heard = now;
    link_out_fact(fx, LOG_INFO_, "BROKER-JOINED", "session=%llu epoch=%llu",
                  (unsigned long long)m->session, (unsigned long long)m->epoch);
}

static void on_error(struct link *l, int64_t now, uint64_t session, const struct msg_error *m,
                     struct link_out *fx)
{
    link_out_fact(fx, LOG_WARN_, "BROKER-REFUSED", "name=" STR_FMT " kind=%s text=\"" STR_FMT "\"",
                  STR_ARG(m->name), message_name(m->kind), STR_ARG(m->text));
    if (str_is(m->name, "STALE") && l->state == LINK_UP && session == l->session)
        hello(l, now, fx);
    else if (str_is(m->name, "VERSION"))
        fx->fatal = ERR_VERSION;
}

static void on_attached(struct link *l, int64_t now, const struct msg_attached *m,
                        struct link_out *fx)
{
    const struct attachment *a = idmap_get(&l->studies, m->study);
    if (a && a->epoch >= m->epoch)
        return; /* repeated: what the stream brought since would be forgotten */
    forget(l, m->study);
    link_out_fact(
        fx, LOG_INFO_, "STUDY-ATTACHED", "study=%llu name=\"" STR_FMT "\" epoch=%u trials=%llu",
        (unsigned long long)m->study, STR_ARG(m->name), m->epoch, (unsigned long long)m->trials);
    idmap_put(&l->studies, m->study, attachment_new(m, l->session, now, fx));
    l->n_studies++;
}

static struct attachment *find(const struct link *l, uint64_t study, uint32_t epoch)
{
    struct attachment *a = idmap_get(&l->studies, study);
    return a && a->epoch == epoch ? a : NULL;
}

static void on_detached(struct link *l, const struct msg_detached *m, struct link_out *fx)
{
    if (!find(l, m->study, m->epoch))
        return;
    link_out_fact(fx, LOG_INFO_, "STUDY-DETACHED", "study=%llu why=\"" STR_FMT "\"",
                  (unsigned long long)m->study, STR_ARG(m->why));
    forget(l, m->study);
}

static void on_study_message(struct link *l, int64_t now, unsigned kind, const union message *m,
                             struct link_out *fx)
{
    struct attachment *a;
    switch (kind) {
    case MSG_ATTACHED:
        on_attached(l, now, &m->attached, fx);
        break;
    case MSG_DETACHED:
        on_detached(l, &m->detached, fx);
        break;
    case MSG_EVENTS:
        a = find(l, m->events.study, m->events.epoch);
        if (a && !attachment_on_events(a, now, &m->events, fx))
            hello(l, now, fx); /* the new spec comes with the next attachment */
        break;
    case MSG_WANT:
        a = find(l, m->want.study, m->want.epoch);
        if (a)
            attachment_on_want(a, now, &m->want, fx);
        break;
    default: /* BEAT_ACK, or a kind of a newer broker */
        break;
    }
}

void link_on_message(struct link *l, int64_t now, uint64_t session, unsigned kind,
                     const union message *m, struct link_out *fx)
{
    l->heard = now;
    if (kind == MSG_WELCOME)
        on_welcome(l, now, &m->welcome, fx);
    else if (kind == MSG_ERROR)
        on_error(l, now, session, &m->error, fx);
    else if (l->state == LINK_UP && session == l->session)
        on_study_message(l, now, kind, m, fx);
}

static int64_t least(int64_t x, int64_t y)
{
    return x < y ? x : y;
}

int64_t link_tick(struct link *l, int64_t now, struct link_out *fx)
{
    if (l->state == LINK_DOWN)
        return CLOCK_NEVER;
    bool silent = l->state == LINK_UP && now >= l->heard + SILENT_BEATS * l->beat_ns;
    if (silent)
        link_out_fact(fx, LOG_WARN_, "BROKER-SILENT", "action=\"new session\"");
    if (silent || (l->state == LINK_GREETING && now >= l->hello_at + HELLO_AGAIN))
        hello(l, now, fx);
    if (l->state == LINK_GREETING)
        return l->hello_at + HELLO_AGAIN;
    if (now >= l->next_beat) {
        struct msg_beat m = {.number = ++l->beat};
        link_out_send(fx, l->session, MSG_BEAT, &m);
        l->next_beat = now + jitter(l, l->beat_ns);
    }
    int64_t next = least(l->next_beat, l->heard + SILENT_BEATS * l->beat_ns);
    size_t pos = 0;
    for (struct attachment *a; (a = idmap_next(&l->studies, &pos));)
        next = least(next, attachment_tick(a, now, fx));
    return next;
}

void link_leave(struct link *l, struct link_out *fx)
{
    if (l->state != LINK_UP)
        return;
    struct msg_bye m = {.why = STR("stopped")};
    link_out_send(fx, l->session, MSG_BYE, &m);
    forget_all(l);
    l->state = LINK_DOWN;
}

uint32_t link_studies(const struct link *l)
{
    return l->n_studies;
}
