/* Drives a tuner as the broker's records would. Called by bench-quality; judges nothing.
 *
 * Durations and noise come from streams of their own, so that they are the same for every sampler
 * under the same seed. */
#include "simulate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "alloc.h"
#include "cputime.h"
#include "rmath.h"
#include "rng.h"
#include "tuner.h"

#define DURATION_SIGMA 0.7
#define DURATION_SEED  90000
#define NOISE_SEED     70000

struct running {
    double ends;
    uint64_t trial;
    double told, value;
};
struct sim {
    const struct simulate_run *run;
    struct spec *spec;
    struct tuner *tuner;
    struct running *running;
    uint32_t n_running;
    uint64_t asked, told, seq;
    double now, least, incumbent, cpu_us;
};

static double normal(uint64_t seed, uint64_t index)
{
    struct rng r;
    rng_seed_at(&r, seed, index);
    return r_norm_inv(rng_open(&r));
}

static err_t open_sim(struct sim *s, const struct simulate_run *run, struct errmsg *em)
{
    *s = (struct sim){.run = run, .least = INFINITY, .incumbent = (double)NAN};
    struct buf text;
    buf_init(&text, 0);
    buf_addz(&text, "{\"study\":\"bench\",\"objective\":{\"metric\":\"loss\","
                    "\"direction\":\"minimize\"},\"space\":");
    functions_write_space(run->function, &text);
    buf_printf(&text, ",\"sampler\":{%s\"seed\":%llu}}", run->sampler,
               (unsigned long long)run->seed);
    err_t e = spec_parse(buf_str(&text), &s->spec, em);
    buf_fini(&text);
    if (!e)
        e = tuner_new(&s->tuner, s->spec, em);
    s->running = alloc_array(run->workers, sizeof *s->running);
    return e;
}

static void close_sim(struct sim *s)
{
    tuner_free(s->tuner);
    spec_free(s->spec);
    free(s->running);
}

static err_t record(struct sim *s, struct record r, struct errmsg *em)
{
    r.study_seq = ++s->seq;
    return tuner_on_record(s->tuner, &r, em);
}

/* A free worker gets a proposal. */
static err_t start_trial(struct sim *s, struct errmsg *em)
{
    const struct function *f = s->run->function;
    uint64_t trial = s->asked;
    struct tuner_proposal p;
    char *params = NULL;
    double begin = cpu_us();
    err_t e = ERR_OK;
    if (tuner_ask(s->tuner, 1, &p) != 1)
        e = errmsg_set(em, ERR_FAILED, "no proposal after %llu trials", (unsigned long long)trial);
    if (!e) {
        params = str_dupz(p.params);
        struct record r = {
            .kind = REC_PROPOSED, .trial = trial, .number = p.draw, .text = str_of(params)};
        e = record(s, r, em);
        free(params);
    }
    s->cpu_us += cpu_us() - begin;
    if (e)
        return e;
    double value = f->value(history_point(tuner_history(s->tuner), trial));
    double noise = f->noise > 0 ? f->noise * normal(NOISE_SEED + s->run->seed, trial) : 0;
    double lasts = r_exp(DURATION_SIGMA * normal(DURATION_SEED + s->run->seed, trial));
    s->running[s->n_running++] = (struct running){s->now + lasts, trial, value + noise, value};
    s->asked++;
    return ERR_OK;
}

/* The first of the running trials to end does so. */
static err_t finish_trial(struct sim *s, struct errmsg *em)
{
    uint32_t first = 0;
    for (uint32_t i = 1; i < s->n_running; i++)
        if (s->running[i].ends < s->running[first].ends)
            first = i;
    struct running t = s->running[first];
    s->running[first] = s->running[--s->n_running];
    s->now = t.ends;
    struct record r = {.kind = REC_FINISHED,
                       .trial = t.trial,
                       .code = TRIAL_COMPLETE,
                       .has_value = true,
                       .value = t.told};
    double begin = cpu_us();
    err_t e = record(s, r, em);
    s->cpu_us += cpu_us() - begin;
    if (s->told++ == 0 || t.told < s->least) {
        s->least = t.told;
        s->incumbent = t.value;
    }
    return e;
}

static double six_digits(double v)
{
    char text[32];
    snprintf(text, sizeof text, "%.6g", v);
    return strtod(text, NULL);
}

err_t simulate(const struct simulate_run *run, double *curve, double *cpu, struct errmsg *em)
{
    struct sim s;
    uint32_t every = simulate_every(run->workers);
    err_t e = open_sim(&s, run, em);
    while (!e && s.told < run->budget) {
        while (!e && s.asked < run->budget && s.n_running < run->workers)
            e = start_trial(&s, em);
        if (!e)
            e = finish_trial(&s, em);
        if (!e && s.told % every == 0)
            curve[s.told / every - 1] = six_digits(s.incumbent);
    }
    *cpu = s.cpu_us;
    close_sim(&s);
    return e ? errmsg_wrap(em, e, "%s", run->function->name) : ERR_OK;
}
