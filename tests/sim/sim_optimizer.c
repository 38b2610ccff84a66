/* The optimizer's shell in the simulator: the real link with its tuners and samplers. In seeds that
 * prune the process is a scripted one (sim_script.c), because no sampler of ours prunes yet. */
#include "sim.h"

#include <stdlib.h>

#include "oracle.h"

static struct sim_optimizer *of(struct sim_node *n)
{
    return CONTAINER_OF(n, struct sim_optimizer, node);
}

static int64_t now_of(const struct sim *s, const struct sim_optimizer *o)
{
    return node_now(s, &o->node);
}

static void work(struct sim *s, struct sim_optimizer *o);

static void on_tick(struct sim *s, struct sim_event *e)
{
    struct sim_optimizer *o = e->who;
    if (!o->link || e->a != o->node.generation || o->wake > s->now)
        return;
    if (o->node.paused_until > s->now) {
        o->wake = o->node.paused_until;
        sim_at(s, o->wake, on_tick, o, e->a, 0);
        return;
    }
    o->wake = CLOCK_NEVER;
    work(s, o);
}

static void work(struct sim *s, struct sim_optimizer *o)
{
    sim_step(s);
    int64_t wake = link_tick(o->link, now_of(s, o), &o->out);
    for (size_t i = 0; i < o->out.n; i++) {
        const struct link_effect *e = &o->out.v[i];
        if (e->kind)
            net_send(s, &o->node, e->session, e->kind, link_out_text(&o->out, e));
    }
    link_out_clear(&o->out);
    int64_t at = sim_clock_when(s, &o->node.clock, wake);
    if (at != CLOCK_NEVER && at < o->wake) {
        o->wake = at;
        sim_at(s, at, on_tick, o, o->node.generation, 0);
    }
}

static void on_receive(struct sim *s, struct sim_node *n, uint64_t session, unsigned kind,
                       const union message *m)
{
    struct sim_optimizer *o = of(n);
    oracle_optimizer_hears(s, n, session, kind, m);
    link_on_message(o->link, now_of(s, o), session, kind, m, &o->out);
    work(s, o);
}

static void on_connected(struct sim *s, struct sim_node *n)
{
    struct sim_optimizer *o = of(n);
    link_on_connected(o->link, now_of(s, o), &o->out);
    work(s, o);
}

static void on_disconnected(struct sim *s, struct sim_node *n)
{
    struct sim_optimizer *o = of(n);
    link_on_disconnected(o->link, now_of(s, o), &o->out);
    work(s, o);
}

static void on_gap(struct sim *s, struct sim_node *n)
{
    struct sim_optimizer *o = of(n);
    link_on_gap(o->link, now_of(s, o), &o->out);
    work(s, o);
}

void optimizer_start(struct sim *s, struct sim_optimizer *o)
{
    struct sim_node *n = &o->node;
    n->generation++;
    n->name = "optimizer";
    n->up = true;
    if (s->plan.prunes) {
        script_start(s, o);
        return;
    }
    n->receive = on_receive;
    n->on_connected = on_connected;
    n->on_disconnected = on_disconnected;
    n->on_gap = on_gap;
    struct link_config c = {
        .seed = rng_u64(&s->rng), .host = "sim", .name = "", .software = "{}", .pid = 1};
    for (size_t i = 0; i < sizeof c.peer.b; i++)
        c.peer.b[i] = (uint8_t)rng_u64(&s->rng);
    o->link = link_new(&c);
    link_out_init(&o->out);
    o->wake = CLOCK_NEVER;
    net_connect(s, n);
}

void optimizer_crash(struct sim *s, struct sim_optimizer *o)
{
    if (!o->node.up)
        return;
    o->node.up = false;
    net_disconnect(s, &o->node, true);
    if (o->link) {
        link_free(o->link);
        link_out_fini(&o->out);
        o->link = NULL;
    }
    script_stop(o);
}
