/* What one proposal costs: ten mixed parameters, sampler tpe, after 100, 1,000 and 10,000 finished
 * trials. CPU microseconds of a whole ask (choice, JSON, registration), and of the records that
 * bring the trial back and finish it. usage: bench-suggest [PRESET [TRIALS]]; with TRIALS, instead
 * the mean over a whole study of so many. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tuner.h"

#define SPACE                                                                                      \
    "{\"x\":{\"float\":[0,1]},\"y\":{\"float\":[-5,5]},\"lr\":{\"float\":[1e-5,1],\"log\":true},"  \
    "\"decay\":{\"float\":[1e-8,0.01],\"log\":true},"                                              \
    "\"momentum\":{\"float\":[0,0.99],\"log\":\"reverse\"},\"layers\":{\"int\":[1,8]},"            \
    "\"units\":{\"int\":[16,512],\"log\":true,\"step\":16},\"batch\":{\"int\":[1,1000]},"          \
    "\"act\":{\"choice\":[\"relu\",\"tanh\",\"gelu\"]},\"opt\":{\"choice\":[\"sgd\",\"adam\"]}}"
#define REPEATS 200

struct bench {
    struct spec *spec;
    struct tuner *tuner;
    uint64_t trials, seq;
    double ask_us, record_us; /* sums */
};

static double cpu_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void must(err_t e, const struct errmsg *em)
{
    if (!e)
        return;
    fprintf(stderr, "%s\n", em->text);
    exit(1);
}

static void open_bench(struct bench *b, const char *preset)
{
    char json[2048];
    struct errmsg em = {""};
    snprintf(json, sizeof json,
             "{\"study\":\"bench\",\"objective\":{\"command\":[\"x\"]},\"space\":" SPACE
             ",\"sampler\":{\"name\":\"tpe\",\"preset\":\"%s\",\"seed\":1}}",
             preset);
    *b = (struct bench){.trials = 0};
    must(spec_parse(str_of(json), &b->spec, &em), &em);
    must(tuner_new(&b->tuner, b->spec, &em), &em);
}

static double loss_of(const double *p)
{
    double lr = log10(p[2]) + 2, units = log(p[6] / 64);
    return pow(p[0] - 0.3, 2) + pow(p[1] / 5 - 0.5, 2) + lr * lr / 10 + pow(p[4] - 0.9, 2) +
           pow(p[5] - 3, 2) / 20 + units * units / 10 + pow(p[7] / 1000 - 0.4, 2) + 0.1 * p[8];
}

/* One trial from ask to final. */
static void one_trial(struct bench *b)
{
    struct errmsg em = {""};
    struct tuner_proposal p;
    char text[4096];
    double start = cpu_us();
    if (tuner_ask(b->tuner, 1, &p) != 1)
        exit(1);
    double asked = cpu_us();
    if (!str_copyz(text, sizeof text, p.params))
        exit(1);
    struct record r = {.kind = REC_PROPOSED,
                       .trial = b->trials,
                       .number = p.draw,
                       .text = str_of(text),
                       .study_seq = ++b->seq};
    double came = cpu_us();
    must(tuner_on_record(b->tuner, &r, &em), &em);
    struct record f = {.kind = REC_FINISHED,
                       .trial = b->trials,
                       .code = TRIAL_COMPLETE,
                       .has_value = true,
                       .value = loss_of(history_point(tuner_history(b->tuner), b->trials)),
                       .study_seq = ++b->seq};
    must(tuner_on_record(b->tuner, &f, &em), &em);
    b->ask_us += asked - start;
    b->record_us += cpu_us() - came;
    b->trials++;
}

static void measure(struct bench *b, uint64_t from, uint64_t n)
{
    while (b->trials < from)
        one_trial(b);
    b->ask_us = b->record_us = 0;
    for (uint64_t i = 0; i < n; i++)
        one_trial(b);
    printf("%8llu to %llu trials: ask %.1f us, its records %.1f us\n", (unsigned long long)from,
           (unsigned long long)b->trials, b->ask_us / (double)n, b->record_us / (double)n);
}

int main(int argc, char **argv)
{
    struct bench b;
    open_bench(&b, argc > 1 ? argv[1] : "hyperopt");
    if (argc > 2) {
        measure(&b, 0, strtoull(argv[2], NULL, 10));
    } else {
        measure(&b, 100, REPEATS);
        measure(&b, 1000, REPEATS);
        measure(&b, 10000, REPEATS);
    }
    tuner_free(b.tuner);
    spec_free(b.spec);
    return 0;
}
