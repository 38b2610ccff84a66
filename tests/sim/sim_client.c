/* The client: submits the studies, enqueues points, changes a specification, cancels, pauses and
 * resumes, tells workers to leave, and follows the farm's journal with a TAIL. A request is
 * repeated under its id until it is answered. In the quiet at the end it resumes everything. */
#include "sim.h"

#include <stdio.h>

#include "codec.h"
#include "hash.h"
#include "oracle.h"
#include "spec.h"

#define TURN (3 * SEC)

uint64_t sim_trials(const struct sim *s, int study)
{
    return 15 + (s->seed * 7 + (uint64_t)study * 13) % 35;
}

uint64_t sim_parallel(const struct sim *s)
{
    return s->seed / 3 % 2 ? 5 : 100000;
}

static void make_spec(const struct sim *s, int study, bool changed, struct buf *out)
{
    static const char *const samplers[] = {"random", "tpe"};
    static const char *const extra[] = {"", ",\"resources\":{\"memory\":\"1G\"}",
                                        ",\"serve\":true"};
    bool tpe = s->plan.tpe && study == 0;
    buf_clear(out);
    buf_printf(out,
               "{\"study\":\"s%d\",\"objective\":{\"command\":[\"./f\"],\"metric\":\"loss\","
               "\"grace\":2,\"timeout\":%d%s},\"space\":{\"x\":{\"int\":[0,1000000]}},"
               "\"sampler\":{\"name\":\"%s\"},\"stop\":{\"trials\":%llu},\"retries\":%d,"
               "\"retry_delay\":%d,\"parallel\":%llu,\"ahead\":%d,\"priority\":%d}",
               study, 60 + (int)(s->seed % 3) * 30, extra[(s->seed + (uint64_t)study) % 3],
               samplers[tpe], (unsigned long long)sim_trials(s, study), (int)(s->seed % 4),
               (int)(s->seed / 4 % 3 * 5), (unsigned long long)sim_parallel(s),
               (int)(s->seed / 5 % 3), changed ? 1 : 0);
}

/* The digest of the search part, as the command line computes it. */
static struct digest search_of(struct sim *s, struct str text)
{
    struct spec *spec;
    struct errmsg em = {""};
    err_t e = spec_parse(text, &spec, &em);
    SIM_CHECK(s, e == ERR_OK, "the simulator's own spec: %s", em.text);
    struct digest d = spec_search_digest(spec);
    spec_free(spec);
    return d;
}

static struct id128 request_of(int study)
{
    struct id128 r = {{1, 2, 3, (uint8_t)study}};
    return r;
}

static struct id128 new_request(struct sim *s)
{
    struct id128 r;
    for (size_t i = 0; i < sizeof r.b; i++)
        r.b[i] = (uint8_t)rng_u64(&s->rng);
    return r;
}

static struct str study_name(int study, char name[8])
{
    return str_make(name, (size_t)snprintf(name, 8, "s%d", study));
}

static void say_hello(struct sim *s)
{
    struct sim_client *c = &s->client;
    c->session = 0;
    struct msg_hello h = {.role = ROLE_CLIENT,
                          .version_min = PROTO_MAJOR,
                          .version_max = PROTO_MAJOR,
                          .peer = new_request(s),
                          .host = STR("sim"),
                          .software = STR("{}"),
                          .number = ++c->hellos};
    net_send_msg(s, &c->node, 0, MSG_HELLO, &h);
}

static void submit(struct sim *s, int study, struct id128 request, bool changed, bool reopen)
{
    char name[8];
    struct buf *spec = &s->specs[study];
    make_spec(s, study, changed, spec);
    struct str text = buf_str(spec);
    struct msg_submit m = {.request = request,
                           .name = study_name(study, name),
                           .spec = text,
                           .digest = hash_bytes(text),
                           .search = search_of(s, text),
                           .reopen = reopen};
    net_send_msg(s, &s->client.node, s->client.session, MSG_SUBMIT, &m);
}

/* ---- changes: one at a time, each repeated until it is answered ---- */

static void send_change(struct sim *s)
{
    struct sim_client *c = &s->client;
    net_send(s, &c->node, c->session, c->change_kind, buf_str(&c->change_body));
}

static void begin_change(struct sim *s, unsigned kind, const void *msg)
{
    struct sim_client *c = &s->client;
    buf_clear(&c->change_body);
    message_encode(&c->change_body, kind, msg);
    c->change_kind = kind;
    c->changing = true;
    send_change(s);
}

/* A trial of the study, now and then one whose state is rare. */
static uint64_t any_trial(struct sim *s, int study, uint64_t below)
{
    const struct model *m = &s->oracle->durable;
    uint64_t state = rng_below(&s->rng, TRIAL_COMPLETE), plain = rng_below(&s->rng, below);
    for (size_t i = 0; i < m->n && plain % 2; i++) {
        const struct chapter *c = &m->v[i];
        char name[8];
        if (!str_is(study_name(study, name), c->name))
            continue;
        for (size_t k = 0; k < c->n && k < below; k++)
            if (c->fates[k].state == state)
                return k;
    }
    return plain;
}

static void cancel(struct sim *s, int study)
{
    char name[8];
    struct msg_cancel m = {.request = s->client.change,
                           .study = study_name(study, name),
                           .one = !sim_chance(s, 0.03),
                           .trial = any_trial(s, study, 40)};
    begin_change(s, MSG_CANCEL, &m);
}

static void enqueue(struct sim *s, int study)
{
    char name[8], params[48];
    int n = snprintf(params, sizeof params, "{\"x\":%u}", ++s->client.enqueued[study]);
    struct msg_enqueue m = {s->client.change, study_name(study, name), str_make(params, (size_t)n)};
    begin_change(s, MSG_ENQUEUE, &m);
}

static void drain_worker(struct sim *s)
{
    struct msg_drain_worker m = {.request = s->client.change,
                                 .worker = s->workers[rng_below(&s->rng, SIM_WORKERS)].id,
                                 .deadline_ms = sim_chance(s, 0.5) ? rng_below(&s->rng, 20000) : 0,
                                 .at_once = sim_chance(s, 0.2)};
    begin_change(s, MSG_DRAIN_WORKER, &m);
}

/* what: 0 = the study, else trial what - 1. */
static void ask_pause(struct sim *s, int study, uint64_t what, bool pause)
{
    char name[8];
    struct msg_pause p = {s->client.change, study_name(study, name), what > 0, what ? what - 1 : 0};
    struct msg_resume r = {p.request, p.study, p.one, p.trial};
    s->client.paused[study][what] = pause;
    begin_change(s, pause ? MSG_PAUSE : MSG_RESUME, pause ? (const void *)&p : &r);
}

static void pause_some(struct sim *s, int study)
{
    uint64_t what = sim_chance(s, 0.3) ? 0 : 1 + any_trial(s, study, SIM_PAUSES - 1);
    ask_pause(s, study, what, !s->client.paused[study][what] || sim_chance(s, 0.2));
}

static void change_spec(struct sim *s, int study)
{
    char name[8];
    struct buf text;
    buf_init(&text, 0);
    make_spec(s, study, sim_chance(s, 0.5), &text);
    struct msg_submit m = {.request = s->client.change,
                           .name = study_name(study, name),
                           .spec = buf_str(&text),
                           .digest = hash_bytes(buf_str(&text)),
                           .search = search_of(s, buf_str(&text)),
                           .reopen = sim_chance(s, 0.3)};
    begin_change(s, MSG_SUBMIT, &m);
    buf_fini(&text);
}

static void change_something(struct sim *s)
{
    int study = (int)rng_below(&s->rng, SIM_STUDIES);
    s->client.change = new_request(s);
    double u = rng_unit(&s->rng);
    if (u < 0.25)
        cancel(s, study);
    else if (u < 0.4)
        enqueue(s, study);
    else if (u < 0.43)
        drain_worker(s);
    else if (u < 0.95)
        pause_some(s, study);
    else
        change_spec(s, study);
}

static void resume(struct sim *s, const char *study, bool one, uint64_t trial)
{
    struct msg_resume r = {new_request(s), str_of(study), one, trial};
    net_send_msg(s, &s->client.node, s->client.session, MSG_RESUME, &r);
}

/* What is paused goes on. A trial that still stops for a pause is asked for again later; a request
 * of the quiet is not repeated. */
static void resume_all(struct sim *s)
{
    const struct model *m = &s->oracle->durable;
    for (size_t i = 0; i < m->n; i++) {
        const struct chapter *c = &m->v[i];
        if (c->paused)
            resume(s, c->name, false, 0);
        for (size_t k = 0; k < c->n; k++)
            if (c->fates[k].state == TRIAL_PAUSED)
                resume(s, c->name, true, k);
    }
}

static void follow(struct sim *s)
{
    struct sim_client *c = &s->client;
    struct msg_tail m = {.request = c->tail, .from = c->tail_next, .credit = UINT64_MAX / 2};
    net_send_msg(s, &c->node, c->session, MSG_TAIL, &m);
}

static void turn(struct sim *s)
{
    struct sim_client *c = &s->client;
    struct msg_beat beat = {.number = (uint64_t)s->now};
    net_send_msg(s, &c->node, c->session, MSG_BEAT, &beat);
    for (int i = 0; i < SIM_STUDIES; i++)
        if (!c->submitted[i])
            submit(s, i, request_of(i), false, false);
    if (c->changing)
        send_change(s);
    else if (!s->quiet)
        change_something(s);
    c->turns++;
    if (s->quiet)
        resume_all(s);
    follow(s);
}

static void on_client_turn(struct sim *s, struct sim_event *e)
{
    struct sim_client *c = &s->client;
    if (!c->node.up || e->a != c->node.generation)
        return;
    sim_at(s, s->now + TURN / (s->quiet ? 1 : 2), on_client_turn, NULL, e->a, 0);
    if (!c->node.connected || c->node.paused_until > s->now)
        return;
    sim_step(s);
    if (c->session)
        turn(s);
    else
        say_hello(s);
}

static void on_reply(struct sim *s, const struct msg_reply *m)
{
    struct sim_client *c = &s->client;
    oracle_reply(s, m);
    for (int i = 0; i < SIM_STUDIES; i++)
        if (id128_eq(m->request, request_of(i)) && str_is(m->name, "OK"))
            c->submitted[i] = true;
    if (c->changing && id128_eq(m->request, c->change) && !str_is(m->name, "FULL"))
        c->changing = false;
}

/* I17, as far as the core has it: what a follower gets is the journal, without gap or repetition.
 */
static void on_events(struct sim *s, const struct msg_events *m)
{
    struct sim_client *c = &s->client;
    if (!id128_eq(m->request, c->tail))
        return;
    for (uint32_t i = 0; i < m->records.n; i++) {
        const struct record *r = &m->records.v[i];
        if (r->seq < c->tail_next) /* the frame came twice */
            continue;
        SIM_CHECK(s, r->seq == c->tail_next, "I17: a follower gets record %llu in place of %llu",
                  (unsigned long long)r->seq, (unsigned long long)c->tail_next);
        oracle_follower_hears(s, r);
        c->tail_next++;
    }
}

static void client_receive(struct sim *s, struct sim_node *n, uint64_t session, unsigned kind,
                           const union message *m)
{
    struct sim_client *c = &s->client;
    (void)n;
    if (kind == MSG_WELCOME && m->welcome.hello == c->hellos && !c->session) {
        c->session = m->welcome.session;
        c->tail = new_request(s);
        follow(s);
    }
    if (kind == MSG_ERROR && str_is(m->error.name, "STALE") && session == c->session)
        say_hello(s);
    if (kind == MSG_REPLY)
        on_reply(s, &m->reply);
    if (kind == MSG_EVENTS && session == c->session)
        on_events(s, &m->events);
}

static void client_connected(struct sim *s, struct sim_node *n)
{
    (void)n;
    say_hello(s);
}

static void client_disconnected(struct sim *s, struct sim_node *n)
{
    (void)n;
    s->client.session = 0;
}

void client_start(struct sim *s)
{
    struct sim_client *c = &s->client;
    struct sim_node *n = &c->node;
    n->generation++;
    n->name = "client";
    n->up = true;
    n->receive = client_receive;
    n->on_connected = client_connected;
    n->on_disconnected = client_disconnected;
    n->on_gap = client_connected;
    if (!c->tail_next)
        c->tail_next = 1;
    c->session = 0;
    net_connect(s, n);
    sim_at(s, s->now + 100 * MS, on_client_turn, NULL, n->generation, 0);
}

/* A new client process knows what it is to submit, and nothing of a change that was under way. */
void client_crash(struct sim *s)
{
    s->client.node.up = false;
    net_disconnect(s, &s->client.node, true);
    s->client.session = 0;
    s->client.changing = false;
}

void client_fini(struct sim *s)
{
    s->client.node.up = false;
    buf_fini(&s->client.change_body);
}
