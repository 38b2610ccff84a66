/* Evaluators in the simulator: a few random numbers each, how many steps, how long each, and how it
 * ends. What they write waits while their worker stands still. Called by sim_worker.c. */
#include "sim.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "alloc.h"
#include "oracle.h"

#define BURST 300

enum child_ending {
    ENDS_BY_EXIT, /* status 0 behind the last step */
    ENDS_BY_RESULT,
    ENDS_PRUNED,
    ENDS_BY_ERROR,
    ENDS_SILENT, /* status 0 without a word */
    ENDS_BY_CRASH,
    ENDS_NEVER,
    ENDS_NAN
};
struct sim_child {
    struct list link;
    struct sim_worker *worker;
    uint64_t run, generation, study, trial;
    uint32_t attempt;
    int64_t pause, first;
    int steps, said;
    double x;
    enum child_ending ending;
    bool deaf, gone, served, checkpoints;
    bool wanders; /* says earlier steps again */
    int burst_at; /* says very many steps at once behind this one; 0: none */
};

static struct sim_child *find(struct sim_worker *w, uint64_t run)
{
    LIST_FOREACH (it, &w->children) {
        struct sim_child *c = CONTAINER_OF(it, struct sim_child, link);
        if (c->run == run)
            return c;
    }
    return NULL;
}

static void bury(struct sim_child *c)
{
    list_remove(&c->link);
    free(c);
}

/* The child of an event; NULL: it is gone, or its worker stands still and the event comes later. */
static struct sim_child *of_event(struct sim *s, struct sim_event *e)
{
    struct sim_worker *w = e->who;
    struct sim_child *c = w->core && e->b == w->node.generation ? find(w, e->a) : NULL;
    if (c && w->node.paused_until > s->now) {
        sim_at(s, w->node.paused_until, e->run, w, e->a, e->b);
        return NULL;
    }
    if (c)
        sim_step(s);
    return c;
}

static void later(struct sim *s, const struct sim_child *c, int64_t after,
                  void (*run)(struct sim *, struct sim_event *))
{
    sim_at(s, s->now + after, run, c->worker, c->run, c->generation);
}

static void on_exit_child(struct sim *s, struct sim_event *e)
{
    struct sim_child *c = of_event(s, e);
    if (!c)
        return;
    struct sim_worker *w = c->worker;
    bool broke = c->ending == ENDS_BY_CRASH && !c->gone;
    struct child_end end = {.exit_code = broke ? 1 : 0,
                            .signal = c->gone ? SIGKILL : 0,
                            .output = broke ? STR("it broke") : STR("")};
    uint64_t run = c->run;
    bury(c);
    worker_on_child_exit(w->core, worker_now(s, w), run, &end, &w->out);
    worker_work(s, w);
}

static void say(struct sim *s, const struct sim_child *c, const char *line, int n)
{
    struct sim_worker *w = c->worker;
    worker_on_child_line(w->core, worker_now(s, w), c->run, str_make(line, (size_t)n), &w->out);
}

double child_loss(double x, int64_t step)
{
    return fabs(x - 3e5) / 1e6 + 1.0 / (1 + (double)step);
}

static double loss_of(const struct sim_child *c)
{
    return child_loss(c->x, c->first + c->said);
}

static void say_value(struct sim *s, const struct sim_child *c, int64_t step)
{
    char line[96];
    int n;
    if (c->ending == ENDS_NAN && c->said == c->steps)
        n = snprintf(line, sizeof line, "{\"step\":%lld,\"loss\":NaN}", (long long)step);
    else
        n = snprintf(line, sizeof line, "{\"step\":%lld,\"loss\":%.17g}", (long long)step,
                     child_loss(c->x, step));
    say(s, c, line, n);
}

static void say_step(struct sim *s, const struct sim_child *c)
{
    char line[160];
    int64_t step = c->first + c->said;
    say_value(s, c, step);
    if (c->wanders && sim_chance(s, 0.3))
        say_value(s, c, step - sim_between(s, 0, c->said - 1));
    if (!c->checkpoints || c->said % 2)
        return;
    int n = snprintf(line, sizeof line, "{\"checkpoint\":\"ck/%llu/%llu/%u/%lld\",\"step\":%lld}",
                     (unsigned long long)c->study, (unsigned long long)c->trial, c->attempt,
                     (long long)step, (long long)step);
    say(s, c, line, n);
}

/* The last word, if it has one; true: then it exits. */
static bool say_last(struct sim *s, const struct sim_child *c)
{
    char line[96];
    switch (c->ending) {
    case ENDS_NEVER:
        return false;
    case ENDS_BY_RESULT:
        say(s, c, line, snprintf(line, sizeof line, "{\"loss\":%.17g}", loss_of(c)));
        break;
    case ENDS_PRUNED:
        say(s, c, line, snprintf(line, sizeof line, "{\"pruned\":true}"));
        break;
    case ENDS_BY_ERROR:
        say(s, c, line,
            snprintf(line, sizeof line, "{\"error\":\"no\",\"retry\":%s}",
                     c->run % 3 ? "true" : "false"));
        break;
    default:
        break;
    }
    return true;
}

/* More than a worker keeps, all in one read. */
static void say_burst(struct sim *s, struct sim_child *c)
{
    c->steps += BURST;
    for (int i = 0; i < BURST; i++) {
        c->said++;
        say_value(s, c, c->first + c->said);
    }
}

static void on_say(struct sim *s, struct sim_event *e)
{
    struct sim_child *c = of_event(s, e);
    if (!c || c->gone)
        return;
    struct sim_worker *w = c->worker;
    uint64_t run = c->run;
    oracle_child_lives(s, w, c->study, c->trial, c->attempt);
    if (c->said < c->steps) {
        c->said++;
        say_step(s, c);
        if (c->said == c->burst_at)
            say_burst(s, c);
        later(s, c, c->pause, on_say);
    } else if (say_last(s, c)) {
        worker_work(s, w); /* a served one may be at rest behind this */
        c = find(w, run);
        if (c)
            later(s, c, sim_between(s, 0, 20 * MS), on_exit_child);
        return;
    }
    worker_work(s, w);
}

static void on_spawned(struct sim *s, struct sim_event *e)
{
    struct sim_child *c = of_event(s, e);
    if (!c)
        return;
    struct sim_worker *w = c->worker;
    uint64_t run = c->run;
    if (!c->gone && sim_chance(s, s->plan.rate[FAULT_SPAWN_FAIL])) {
        bool forever = sim_chance(s, 0.2);
        bury(c);
        worker_on_spawn_failed(w->core, worker_now(s, w), run, STR("no process can be started now"),
                               forever, &w->out);
    } else {
        later(s, c, c->pause, on_say);
        worker_on_child_started(w->core, worker_now(s, w), run, 1000 + run, &w->out);
    }
    worker_work(s, w);
}

static enum child_ending ending(struct sim *s, bool served)
{
    const double *rate = s->plan.rate;
    if (sim_chance(s, rate[FAULT_CHILD_HANG]))
        return ENDS_NEVER;
    if (sim_chance(s, rate[FAULT_CHILD_NAN]))
        return served ? ENDS_BY_RESULT : ENDS_NAN;
    if (sim_chance(s, rate[FAULT_CHILD_CRASH]))
        return sim_chance(s, 0.5) ? ENDS_BY_ERROR : ENDS_BY_CRASH;
    if (sim_chance(s, 0.05))
        return ENDS_PRUNED;
    if (served || sim_chance(s, 0.4))
        return ENDS_BY_RESULT;
    return sim_chance(s, 0.02) ? ENDS_SILENT : ENDS_BY_EXIT;
}

void child_spawn(struct sim *s, struct sim_worker *w, const struct worker_run *r)
{
    struct sim_child *c = alloc_zero(sizeof *c);
    bool served = r->spec->objective.serve;
    *c = (struct sim_child){
        .worker = w,
        .run = r->run,
        .study = r->study,
        .trial = r->trial,
        .attempt = r->attempt,
        .generation = w->node.generation,
        .first = r->resume.n ? r->resume_step : 0,
        .x = r->spec->space->n ? r->point[0] : 3e5,
        .served = served,
        .checkpoints = sim_chance(s, 0.3),
        .wanders = sim_chance(s, 0.1),
        .ending = ending(s, served),
        .deaf = sim_chance(s, s->plan.rate[FAULT_CHILD_DEAF]),
    };
    c->steps = c->ending == ENDS_SILENT ? 0 : (int)sim_between(s, 1, 12);
    if (c->steps && sim_chance(s, 0.02))
        c->burst_at = sim_chance(s, 0.5) ? 1 : (int)sim_between(s, 1, c->steps);
    c->pause = sim_between(s, 5 * MS, sim_chance(s, 0.1) ? 12 * SEC : 1500 * MS);
    list_push(&w->children, &c->link);
    later(s, c, sim_between(s, 1 * MS, 30 * MS), on_spawned);
}

void child_signal(struct sim *s, struct sim_worker *w, uint64_t run, int number)
{
    struct sim_child *c = find(w, run);
    if (!c || c->gone || (number == SIGTERM && c->deaf))
        return;
    c->gone = true;
    later(s, c, sim_between(s, 1 * MS, 50 * MS), on_exit_child);
}

/* A stop line: who listens ends with its result, or with nothing. */
void child_line(struct sim *s, struct sim_worker *w, uint64_t run)
{
    struct sim_child *c = find(w, run);
    if (!c || c->gone || c->deaf || c->ending == ENDS_NEVER || !c->served)
        return;
    c->ending = sim_chance(s, 0.5) ? ENDS_PRUNED : ENDS_BY_RESULT;
    c->steps = c->said;
}

void child_rest(struct sim_worker *w, uint64_t run)
{
    struct sim_child *c = find(w, run);
    if (c)
        bury(c);
}

void child_kill_all(struct sim_worker *w)
{
    LIST_FOREACH_SAFE (it, next, &w->children) {
        bury(CONTAINER_OF(it, struct sim_child, link));
    }
}

bool child_runs(const struct sim_worker *w, uint64_t study, uint64_t trial, uint32_t attempt)
{
    LIST_FOREACH (it, &w->children) {
        const struct sim_child *c = CONTAINER_OF(it, struct sim_child, link);
        if (c->study == study && c->trial == trial && c->attempt == attempt && !c->gone)
            return true;
    }
    return false;
}

size_t child_count(const struct sim_worker *w)
{
    size_t n = 0;
    LIST_FOREACH (it, &w->children) {
        n++;
    }
    return n;
}
