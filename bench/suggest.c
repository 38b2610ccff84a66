/* bench-suggest: what one trial costs a sampler. CPU time of an ask (choice, JSON, registration)
 * and of the records that bring the trial back and finish it, after 100 to 100,000 trials, with 10
 * and 30 mixed parameters, nothing or 64 trials running; and the memory a trial takes.
 *
 * Each case is a process of its own, so that neither heap nor CPU time is another's. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "alloc.h"
#include "cputime.h"
#include "rng.h"
#include "benchframe.h"
#include "sampler_option.h"
#include "tuner.h"

#define TEN      10 /* parameters of a block; spaces are blocks of them */
#define MAX_LIST 16

struct settings {
    struct sampler_option sampler;
    const char *trials, *params, *running;
    uint64_t repeats;
    bool live;
};
#define AT(field) offsetof(struct settings, field)

static const struct opt_row rows[] = {
    SAMPLER_OPTION_ROWS(AT(sampler)),
    {.name = "trials",
     .letter = 'n',
     .type = OPT_STR,
     .offset = AT(trials),
     .initial = "100,1000,10000,100000",
     .value = "N,...",
     .help = "Finished trials before each measurement, ascending."},
    {.name = "params",
     .type = OPT_STR,
     .offset = AT(params),
     .initial = "10,30",
     .value = "N,...",
     .help = "Parameters; multiples of 10."},
    {.name = "running",
     .type = OPT_STR,
     .offset = AT(running),
     .initial = "0,64",
     .value = "N,...",
     .help = "Trials that run meanwhile."},
    {.name = "repeats",
     .type = OPT_U64,
     .offset = AT(repeats),
     .initial = "200",
     .min = 1,
     .max = 1e6,
     .value = "N",
     .help = "Trials a measurement."},
    {.name = "live",
     .type = OPT_FLAG,
     .offset = AT(live),
     .help = "The history comes from the sampler's own proposals, not from random ones."},
};

static const struct opt_table table = {
    .program = "bench-suggest",
    .usage = "bench-suggest [OPTION ...]",
    .summary = "CPU time and memory of a sampler's trial",
    .text =
        "Means of CPU microseconds of the process. The largest ask stands beside them, as work "
        "that is put off shows there. Bytes a trial are the growth of anonymous resident memory "
        "since the study was opened by the number of trials, without 8 bytes a parameter; below "
        "10,000 trials fixed costs prevail.",
    .rows = rows,
    .n = sizeof rows / sizeof *rows,
};

struct list {
    uint64_t v[MAX_LIST];
    size_t n;
};
struct bench {
    struct spec *spec;
    struct tuner *tuner;
    uint32_t running;
    uint64_t asked, finished, seq;
    double resident; /* bytes when the study was opened */
    double ask_us, ask_most, record_us;
};

static void must(err_t e, const struct errmsg *em)
{
    if (!e)
        return;
    fprintf(stderr, "bench-suggest: %s\n", em->text);
    exit(err_exit_code(e));
}

/* Anonymous resident memory of this process: the second of statm's fields less the third. */
static double resident_bytes(void)
{
    char line[256] = "";
    FILE *f = fopen("/proc/self/statm", "r");
    if (f && !fgets(line, sizeof line, f))
        line[0] = 0;
    if (f)
        fclose(f);
    char *at = line;
    (void)strtoull(at, &at, 10);
    unsigned long long resident = strtoull(at, &at, 10), shared = strtoull(at, &at, 10);
    return (double)(resident - shared) * (double)sysconf(_SC_PAGESIZE);
}

static void write_block(struct buf *b, unsigned k)
{
    buf_printf(b,
               "%s\"x%u\":{\"float\":[0,1]},\"y%u\":{\"float\":[-5,5]},"
               "\"lr%u\":{\"float\":[1e-5,1],\"log\":true},"
               "\"decay%u\":{\"float\":[1e-8,0.01],\"log\":true},"
               "\"momentum%u\":{\"float\":[0,0.99],\"log\":\"reverse\"},"
               "\"layers%u\":{\"int\":[1,8]},"
               "\"units%u\":{\"int\":[16,512],\"log\":true,\"step\":16},"
               "\"batch%u\":{\"int\":[1,1000]},"
               "\"act%u\":{\"choice\":[\"relu\",\"tanh\",\"gelu\"]},"
               "\"opt%u\":{\"choice\":[\"sgd\",\"adam\"]}",
               k ? "," : "", k, k, k, k, k, k, k, k, k, k);
}

/* A smooth loss with its optimum inside, block by block. */
static double loss_of(const double *point, uint32_t n)
{
    double sum = 0;
    for (const double *p = point; p < point + n; p += TEN) {
        double lr = log10(p[2]) + 2, units = log(p[6] / 64);
        sum += pow(p[0] - 0.3, 2) + pow(p[1] / 5 - 0.5, 2) + lr * lr / 10 + pow(p[4] - 0.9, 2) +
               pow(p[5] - 3, 2) / 20 + units * units / 10 + pow(p[7] / 1000 - 0.4, 2) + 0.1 * p[8];
    }
    return sum;
}

static void open_bench(struct bench *b, const char *sampler, uint32_t params, uint32_t running)
{
    struct errmsg em = {""};
    struct buf text;
    *b = (struct bench){.running = running};
    buf_init(&text, 0);
    buf_addz(&text, "{\"study\":\"bench\",\"objective\":{\"command\":[\"x\"]},\"space\":{");
    for (unsigned k = 0; k < params / TEN; k++)
        write_block(&text, k);
    buf_printf(&text, "},\"sampler\":{%s\"seed\":1}}", sampler);
    must(spec_parse(buf_str(&text), &b->spec, &em), &em);
    buf_fini(&text);
    b->resident = resident_bytes();
    must(tuner_new(&b->tuner, b->spec, &em), &em);
}

static void propose(struct bench *b, uint64_t draw, struct str params)
{
    struct errmsg em = {""};
    struct record r = {.kind = REC_PROPOSED,
                       .trial = b->asked++,
                       .number = draw,
                       .text = params,
                       .study_seq = ++b->seq};
    must(tuner_on_record(b->tuner, &r, &em), &em);
}

/* The oldest of the running trials ends. */
static void finish(struct bench *b)
{
    struct errmsg em = {""};
    const double *point = history_point(tuner_history(b->tuner), b->finished);
    struct record r = {.kind = REC_FINISHED,
                       .trial = b->finished++,
                       .code = TRIAL_COMPLETE,
                       .has_value = true,
                       .value = loss_of(point, b->spec->space->n),
                       .study_seq = ++b->seq};
    must(tuner_on_record(b->tuner, &r, &em), &em);
}

/* One trial is proposed, and one finishes if more than those to be kept running run. */
static void ask_and_tell(struct bench *b)
{
    struct tuner_proposal p;
    double begin = cpu_us();
    if (tuner_ask(b->tuner, 1, &p) != 1)
        must(ERR_FAILED, &(struct errmsg){"no proposal"});
    double asked = cpu_us();
    char *params = str_dupz(p.params);
    propose(b, p.draw, str_of(params));
    free(params);
    if (b->asked - b->finished > b->running)
        finish(b);
    double told = cpu_us();
    b->ask_us += asked - begin;
    b->ask_most = fmax(b->ask_most, asked - begin);
    b->record_us += told - asked;
}

/* One trial at random, finished at once. */
static void preload(struct bench *b)
{
    const struct space *space = b->spec->space;
    double *point = alloc_array(space->n, sizeof *point);
    struct buf text;
    struct rng r;
    buf_init(&text, 0);
    rng_seed_at(&r, 7, b->asked);
    space_draw(space, &r, point);
    space_write(space, point, &text);
    propose(b, b->asked, buf_str(&text));
    finish(b);
    buf_fini(&text);
    free(point);
}

static void measure(struct bench *b, uint64_t from, uint64_t repeats)
{
    uint32_t n = b->spec->space->n;
    do /* the first one also does what a preloaded history left to be done */
        ask_and_tell(b);
    while (b->asked - b->finished < b->running);
    b->ask_us = b->ask_most = b->record_us = 0;
    for (uint64_t i = 0; i < repeats; i++)
        ask_and_tell(b);
    double r = (double)repeats;
    double bytes = (resident_bytes() - b->resident) / (double)b->asked - 8.0 * n;
    printf("%6u %7u %8llu  %9.1f %9.1f %9.1f  %11.1f  %8.0f\n", (unsigned)n, (unsigned)b->running,
           (unsigned long long)from, b->ask_us / r, b->record_us / r,
           (b->ask_us + b->record_us) / r, b->ask_most, bytes);
    fflush(stdout);
}

static void run_case(const struct settings *s, const char *sampler, const struct list *trials,
                     uint32_t params, uint32_t running)
{
    struct bench b;
    open_bench(&b, sampler, params, s->live ? running : 0);
    for (size_t i = 0; i < trials->n; i++) {
        b.running = s->live ? running : 0;
        while (b.finished < trials->v[i] && s->live)
            ask_and_tell(&b);
        while (b.asked > b.finished && !s->live)
            finish(&b);
        while (b.finished < trials->v[i])
            preload(&b);
        b.running = running;
        measure(&b, trials->v[i], s->repeats);
    }
    tuner_free(b.tuner);
    spec_free(b.spec);
}

static err_t read_list(const char *option, const char *text, uint64_t most, struct list *l,
                       struct errmsg *em)
{
    *l = (struct list){.n = 0};
    for (bool more = true; more;) {
        size_t n = strcspn(text, ",");
        uint64_t v;
        if (l->n == MAX_LIST || !str_to_u64(str_make(text, n), &v) || v > most)
            return errmsg_set(em, ERR_INVALID, "%s: expected at most %d numbers up to %llu", option,
                              MAX_LIST, (unsigned long long)most);
        l->v[l->n++] = v;
        more = text[n] == ',';
        text += n + more;
    }
    return ERR_OK;
}

static err_t read_lists(const struct settings *s, struct list *trials, struct list *params,
                        struct list *running, struct errmsg *em)
{
    err_t e = read_list("--trials", s->trials, 10000000, trials, em);
    if (!e)
        e = read_list("--params", s->params, 500, params, em);
    if (!e)
        e = read_list("--running", s->running, 65536, running, em);
    for (size_t i = 0; i < params->n && !e; i++)
        if (params->v[i] == 0 || params->v[i] % TEN)
            e = errmsg_set(em, ERR_INVALID, "--params: expected multiples of 10");
    return e;
}

/* In a process of its own. */
static err_t fork_case(const struct settings *s, const char *sampler, const struct list *trials,
                       uint64_t params, uint64_t running, struct errmsg *em)
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        run_case(s, sampler, trials, (uint32_t)params, (uint32_t)running);
        exit(0);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
        return errmsg_set(em, ERR_FAILED, "a measurement failed");
    return ERR_OK;
}

static err_t run(const void *settings, struct errmsg *em)
{
    const struct settings *s = settings;
    struct buf members, label;
    struct list trials = {.n = 0}, params = {.n = 0}, running = {.n = 0};
    buf_init(&members, 0);
    buf_init(&label, 0);
    err_t e = read_lists(s, &trials, &params, &running, em);
    if (!e)
        e = sampler_option_write(&s->sampler, &members, &label, em);
    if (!e) {
        printf("%s, %s history; CPU us, means of %llu\n", buf_z(&label),
               s->live ? "its own" : "random", (unsigned long long)s->repeats);
        printf(
            "params running   trials        ask   records       sum  largest ask  bytes/trial\n");
        fflush(stdout);
    }
    for (size_t i = 0; i < params.n && !e; i++)
        for (size_t k = 0; k < running.n && !e; k++)
            e = fork_case(s, buf_z(&members), &trials, params.v[i], running.v[k], em);
    buf_fini(&members);
    buf_fini(&label);
    return e;
}

int main(int argc, char **argv)
{
    struct settings s;
    return benchframe_run(&table, &s, argc, argv, run);
}
