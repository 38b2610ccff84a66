/* bench-quality: search quality of a sampler without processes between: regret on the functions,
 * beside Hyperopt's, after 50, 100 and 200 trials, with the rules of bench/peers/report.py. Made
 * for developing samplers: an ablation is one --setting away. The tables that count come from
 * bench/run-quality. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "rating.h"
#include "runs.h"
#include "benchframe.h"
#include "sampler_option.h"
#include "simulate.h"

struct settings {
    struct sampler_option sampler;
    const char *functions, *seeds, *out;
    struct opt_list references;
    uint64_t workers, budget, jobs;
    bool brief;
};
#define AT(field) offsetof(struct settings, field)

static const struct opt_row rows[] = {
    SAMPLER_OPTION_ROWS(AT(sampler)),
    {.name = "functions",
     .letter = 'f',
     .type = OPT_STR,
     .offset = AT(functions),
     .initial = "peers",
     .value = "NAME,...",
     .help = "Functions, or sets of them: peers, held-out, held-out-smooth, held-out-mixed, all."},
    {.name = "seeds",
     .type = OPT_STR,
     .offset = AT(seeds),
     .initial = "0:15",
     .value = "FROM:TO",
     .help = "One run a seed and function; TO is not among them."},
    {.name = "workers",
     .letter = 'w',
     .type = OPT_U64,
     .offset = AT(workers),
     .initial = "1",
     .min = 1,
     .max = 1024,
     .value = "N",
     .help = "More than one: trials of lognormal durations run at once."},
    {.name = "budget",
     .letter = 'n',
     .type = OPT_U64,
     .offset = AT(budget),
     .initial = "0",
     .max = 1e6,
     .value = "N",
     .help = "Trials a run; 0 is 200, or 256 with workers."},
    {.name = "jobs",
     .letter = 'j',
     .type = OPT_U64,
     .offset = AT(jobs),
     .initial = "2",
     .min = 1,
     .max = 64,
     .value = "N",
     .help = "Processes at once."},
    {.name = "reference",
     .type = OPT_LIST,
     .offset = AT(references),
     .value = "FILE",
     .help = "Runs of random and Hyperopt to compare with, in place of those in bench/; an empty "
             "name for none. What no file has is run here, with the preset hyperopt."},
    {.name = "out",
     .letter = 'o',
     .type = OPT_STR,
     .offset = AT(out),
     .value = "FILE",
     .help = "Append the sampler's runs here, as bench/peers has them."},
    {.name = "brief", .type = OPT_FLAG, .offset = AT(brief), .help = "Print the means alone."},
};

static const struct opt_table table = {
    .program = "bench-quality",
    .usage = "bench-quality [OPTION ...]",
    .summary = "search quality of a sampler on test functions",
    .text = "Regret (the value of the best trial less the function's minimum), median over the "
            "seeds, beside Hyperopt's, and the geometric mean of the ratios with an interval of 5 "
            "to 95 % from 1,000 bootstrap samples. Medians below a thousandth of random's count as "
            "that (1e-6 with workers); where random's own is not above 1e-12, a function is marked "
            "with - and left out of the mean. Noisy functions are judged without noise.",
    .rows = rows,
    .n = sizeof rows / sizeof *rows,
};

struct quality {
    struct runs_plan plan;
    struct runs_cell *cells;
    size_t n;
    uint32_t at[4], n_at; /* trials after which is judged */
    struct runs_cost cost;
    struct buf sampler, name;
    bool brief;
};

static void add_function(struct quality *q, const struct function *f)
{
    q->cells = alloc_grow(q->cells, q->n + 1, sizeof *q->cells);
    q->cells[q->n++] = (struct runs_cell){.function = f};
}

static err_t add_named(struct quality *q, struct str name, struct errmsg *em)
{
    const struct function *f = functions_find(name);
    size_t before = q->n;
    if (f)
        add_function(q, f);
    for (const struct function_set *const *s = functions_sets(); *s && !f && name.n; s++)
        if (str_is(name, "all") || !strncmp((*s)->name, name.p, name.n))
            for (size_t i = 0; i < (*s)->n; i++)
                add_function(q, &(*s)->v[i]);
    return q->n > before
               ? ERR_OK
               : errmsg_set(em, ERR_INVALID, "--functions: \"" STR_FMT "\" is no function or set",
                            (int)str_utf8_cut(name, 64), name.p);
}

static err_t add_functions(struct quality *q, const char *list, struct errmsg *em)
{
    err_t e = ERR_OK;
    for (bool more = true; more && !e;) {
        size_t n = strcspn(list, ",");
        e = add_named(q, str_make(list, n), em);
        more = list[n] == ',';
        list += n + more;
    }
    return e;
}

static err_t read_seeds(struct runs_plan *p, const char *text, struct errmsg *em)
{
    const char *colon = strchr(text, ':');
    if (!colon || !str_to_u64(str_make(text, (size_t)(colon - text)), &p->from) ||
        !str_to_u64(str_of(colon + 1), &p->to) || p->from >= p->to || p->to - p->from > 100000)
        return errmsg_set(em, ERR_INVALID, "--seeds: \"%.64s\" is not FROM:TO", text);
    return ERR_OK;
}

static void choose_points(struct quality *q)
{
    static const uint32_t usual[] = {50, 100, 200};
    if (q->plan.workers == 1)
        for (size_t i = 0; i < 3; i++)
            if (usual[i] < q->plan.budget)
                q->at[q->n_at++] = usual[i];
    q->at[q->n_at++] = q->plan.budget;
}

static err_t configure(struct quality *q, const struct settings *s, struct errmsg *em)
{
    uint32_t every = simulate_every((uint32_t)s->workers);
    uint64_t usual = s->workers > 1 ? 256 : 200;
    q->brief = s->brief;
    q->plan = (struct runs_plan){
        .budget = (uint32_t)(s->budget ? s->budget : usual),
        .workers = (uint32_t)s->workers,
        .jobs = (uint32_t)s->jobs,
    };
    if (q->plan.budget % every)
        return errmsg_set(em, ERR_INVALID, "--budget: expected a multiple of %u", (unsigned)every);
    err_t e = read_seeds(&q->plan, s->seeds, em);
    if (!e)
        e = add_functions(q, s->functions, em);
    if (!e)
        e = sampler_option_write(&s->sampler, &q->sampler, &q->name, em);
    const char *names[] = {"tunefarm-random", "tunefarm:hyperopt", buf_z(&q->name)};
    const char *samplers[] = {"\"name\":\"random\",", "\"name\":\"tpe\",\"preset\":\"hyperopt\",",
                              buf_z(&q->sampler)};
    memcpy(q->plan.name, names, sizeof names);
    memcpy(q->plan.sampler, samplers, sizeof samplers);
    choose_points(q);
    return e;
}

static err_t load_references(struct quality *q, const struct opt_list *files, struct errmsg *em)
{
    static const char *usual[] = {BENCH_DIR "/peers/reference/c_peers.jsonl",
                                  BENCH_DIR "/peers/reference/d_peers.jsonl",
                                  BENCH_DIR "/held-out.jsonl"};
    const char *const *v = files->n ? files->v : usual;
    size_t n = files->n ? files->n : sizeof usual / sizeof *usual;
    err_t e = ERR_OK;
    for (size_t i = 0; i < n && !e; i++)
        if (v[i][0])
            e = runs_load(&q->plan, v[i], q->cells, q->n, em);
    return e;
}

static err_t make_runs(struct quality *q, const char *out, struct errmsg *em)
{
    struct runs_cost other = {0, 0};
    err_t e = runs_make(&q->plan, RUNS_OWN, q->cells, q->n, out, &q->cost, em);
    if (!e)
        e = runs_make(&q->plan, RUNS_HYPEROPT, q->cells, q->n, NULL, &other, em);
    if (!e && q->plan.workers == 1)
        e = runs_make(&q->plan, RUNS_RANDOM, q->cells, q->n, NULL, &other, em);
    return e;
}

static struct rating_sample regrets(const struct quality *q, const struct runs_cell *c,
                                    enum runs_kind kind, uint32_t at)
{
    const struct runs *r = &c->of[kind];
    size_t points = runs_points(&q->plan), point = at / simulate_every(q->plan.workers) - 1;
    struct rating_sample s = {alloc_array(r->n + 1, sizeof *s.v), r->n};
    for (size_t i = 0; i < r->n; i++)
        s.v[i] = fmax(0, r->best[i * points + point] - c->function->optimum);
    return s;
}

/* Random's median, which sets the floor; with workers there is none. */
static double random_median(const struct quality *q, const struct runs_cell *c, uint32_t at)
{
    struct rating_sample s = regrets(q, c, RUNS_RANDOM, at);
    double m = rating_median(s.v, s.n);
    free(s.v);
    return m;
}

/* The pairs of all functions after `at` trials; false where random is at the floor already. */
static bool make_pair(const struct quality *q, const struct runs_cell *c, uint32_t at,
                      struct rating_pair *p)
{
    double random = q->plan.workers == 1 ? random_median(q, c, at) : INFINITY;
    double floor = q->plan.workers == 1 ? fmax(1e-3 * random, 1e-12) : 1e-6;
    *p = (struct rating_pair){regrets(q, c, RUNS_OWN, at), regrets(q, c, RUNS_HYPEROPT, at), floor};
    return random > floor;
}

static void free_pair(struct rating_pair *p)
{
    free(p->own.v);
    free(p->reference.v);
}

static void print_functions(const struct quality *q)
{
    printf("%-14s", "regret after");
    for (uint32_t k = 0; k < q->n_at; k++)
        printf("  %7u: hyperopt       own   ratio", (unsigned)q->at[k]);
    printf("\n");
    for (size_t i = 0; i < q->n; i++) {
        printf("%-14s", q->cells[i].function->name);
        for (uint32_t k = 0; k < q->n_at; k++) {
            struct rating_pair p;
            bool counts = make_pair(q, &q->cells[i], q->at[k], &p);
            printf("  %17.4g %9.4g %6.3f%s", rating_median(p.reference.v, p.reference.n),
                   rating_median(p.own.v, p.own.n), rating_ratio(&p), counts ? " " : "-");
            free_pair(&p);
        }
        printf("\n");
    }
}

static void print_mean(const struct quality *q, uint32_t at)
{
    struct rating_pair *pairs = alloc_array(q->n, sizeof *pairs);
    size_t n = 0;
    for (size_t i = 0; i < q->n; i++) {
        if (make_pair(q, &q->cells[i], at, &pairs[n]))
            n++;
        else
            free_pair(&pairs[n]);
    }
    struct rating_mean m = rating_geometric_mean(pairs, n);
    printf("after %u: regret / hyperopt's %.3f (%.3f to %.3f), %zu functions\n", (unsigned)at,
           m.mean, m.low, m.high, n);
    for (size_t i = 0; i < n; i++)
        free_pair(&pairs[i]);
    free(pairs);
}

static void print(struct quality *q)
{
    printf("%s, %zu functions, seeds %llu:%llu, %u trials", q->plan.name[RUNS_OWN], q->n,
           (unsigned long long)q->plan.from, (unsigned long long)q->plan.to,
           (unsigned)q->plan.budget);
    if (q->plan.workers > 1)
        printf(", %u workers", (unsigned)q->plan.workers);
    printf("; %.1f CPU us a trial\n", q->cost.us / q->cost.trials);
    if (!q->brief)
        print_functions(q);
    for (uint32_t k = 0; k < q->n_at; k++)
        print_mean(q, q->at[k]);
}

static err_t run(const void *settings, struct errmsg *em)
{
    const struct settings *s = settings;
    struct quality q = {.n = 0};
    buf_init(&q.sampler, 0);
    buf_init(&q.name, 0);
    err_t e = configure(&q, s, em);
    if (!e)
        e = load_references(&q, &s->references, em);
    if (!e)
        e = make_runs(&q, s->out, em);
    if (!e)
        print(&q);
    runs_fini(q.cells, q.n);
    free(q.cells);
    buf_fini(&q.sampler);
    buf_fini(&q.name);
    return e;
}

int main(int argc, char **argv)
{
    struct settings s;
    return benchframe_run(&table, &s, argc, argv, run);
}
