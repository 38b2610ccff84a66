/* Runs the simulator over many seeds, spread over as many processes as there are processors, and
 * judges the coverage of the trial table over all of them. A seed that fails is made small and
 * printed with the command that runs it again.
 *
 *   SIM_SEEDS=n   how many (2,000)          SIM_FIRST=n   from this one on (1)
 *   SIM_JOBS=n    processes                 SIM_CELLS=1   prints the whole coverage
 *   SIM_SEED=n    this one alone, with SIM_ONLY, SIM_WITHOUT and SIM_UNTIL as a failure prints them
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim.h"
#include "sim_shrink.h"

#define SEEDS_DEFAULT 2000
#define JOBS_MOST     64
#define COVERED_FROM  1000 /* seeds after which every possible cell must have been hit */

struct worker_report { /* of one process; in shared memory */
    uint64_t seed;     /* that runs now */
    uint64_t n, steps, faults, crashes, disconnects, records;
    struct sim_cells cells;
};
struct campaign {
    uint64_t first, n;
    unsigned jobs;
    struct worker_report *reports;
    uint32_t *steps, *faults; /* by seed; shared */
};

static uint64_t number_from(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

static void *share(size_t n)
{
    void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(p != MAP_FAILED);
    return p;
}

static void run_share(const struct campaign *c, unsigned job)
{
    struct worker_report *r = &c->reports[job];
    for (uint64_t i = job; i < c->n; i += c->jobs) {
        r->seed = c->first + i;
        struct sim_result x = sim_run(r->seed);
        r->n++;
        r->steps += x.steps;
        r->faults += x.faults;
        r->crashes += x.crashes;
        r->disconnects += x.disconnects;
        r->records += x.records;
        cells_add(&r->cells, &x.cells);
        c->steps[i] = (uint32_t)x.steps;
        c->faults[i] = (uint32_t)x.faults;
    }
}

/* The seed that failed first, or 0. */
static uint64_t run_all(const struct campaign *c)
{
    pid_t pids[JOBS_MOST];
    uint64_t failed = 0;
    fflush(NULL);
    for (unsigned job = 0; job < c->jobs; job++) {
        pids[job] = fork();
        assert_true(pids[job] >= 0);
        if (pids[job] == 0) {
            run_share(c, job);
            _exit(0);
        }
    }
    for (unsigned job = 0; job < c->jobs; job++) {
        int status = 0;
        assert_int_equal(waitpid(pids[job], &status, 0), pids[job]);
        bool bad = !WIFEXITED(status) || WEXITSTATUS(status) != 0;
        if (bad && (!failed || c->reports[job].seed < failed))
            failed = c->reports[job].seed;
    }
    return failed;
}

static int by_size(const void *a, const void *b)
{
    uint32_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return x < y ? -1 : x > y;
}

static uint32_t median(uint32_t *v, uint64_t n)
{
    qsort(v, n, sizeof *v, by_size);
    return v[n / 2];
}

static void explain(uint64_t seed)
{
    struct shrunk x;
    if (shrink(seed, shrink_in_child, NULL, &x))
        shrink_print(&x, stderr);
    else
        fprintf(stderr, "seed %llu failed, and does not when it is run again\n",
                (unsigned long long)seed);
}

static double cpu_seconds(void)
{
    struct rusage u;
    getrusage(RUSAGE_CHILDREN, &u);
    return (double)u.ru_utime.tv_sec + (double)u.ru_stime.tv_sec +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void report(const struct campaign *c, double cpu, struct worker_report *sum)
{
    for (unsigned job = 0; job < c->jobs; job++) {
        const struct worker_report *r = &c->reports[job];
        sum->n += r->n;
        sum->steps += r->steps;
        sum->faults += r->faults;
        sum->crashes += r->crashes;
        sum->disconnects += r->disconnects;
        sum->records += r->records;
        cells_add(&sum->cells, &r->cells);
    }
    print_message("%llu seeds from %llu: %llu core steps, %.2f million a second of processor time, "
                  "%llu faults, %llu crashes, %llu broken connections, %llu records\n",
                  (unsigned long long)sum->n, (unsigned long long)c->first,
                  (unsigned long long)sum->steps, (double)sum->steps / cpu / 1e6,
                  (unsigned long long)sum->faults, (unsigned long long)sum->crashes,
                  (unsigned long long)sum->disconnects, (unsigned long long)sum->records);
    print_message("median of a seed: %u core steps, %u faults; least hit cells:\n",
                  median(c->steps, c->n), median(c->faults, c->n));
    cells_rarest(&sum->cells, getenv("SIM_CELLS") ? 1000 : 8, stdout);
    fflush(stdout);
}

static void judge(struct campaign *c, const struct worker_report *sum)
{
    assert_int_equal(cells_surprising(&sum->cells, stderr), 0);
    if (c->n < COVERED_FROM)
        return;
    assert_int_equal(cells_below(&sum->cells, 1, stderr), 0);
    assert_true(median(c->steps, c->n) >= 5000);
    assert_true(median(c->faults, c->n) >= 10);
}

static void test_seeds(void **state)
{
    (void)state;
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    struct campaign c = {.first = number_from("SIM_FIRST", 1),
                         .n = number_from("SIM_SEEDS", SEEDS_DEFAULT),
                         .jobs = (unsigned)number_from("SIM_JOBS", cpus > 0 ? (uint64_t)cpus : 1)};
    if (getenv("SIM_SEED") || !c.n)
        return;
    c.jobs = c.jobs < 1 ? 1 : c.jobs > JOBS_MOST ? JOBS_MOST : c.jobs;
    c.reports = share(c.jobs * sizeof *c.reports);
    c.steps = share(c.n * sizeof *c.steps);
    c.faults = share(c.n * sizeof *c.faults);
    double cpu = cpu_seconds();
    uint64_t failed = run_all(&c);
    if (failed) {
        explain(failed);
        fail_msg("seed %llu fails", (unsigned long long)failed);
    }
    struct worker_report sum = {0};
    report(&c, cpu_seconds() - cpu, &sum);
    judge(&c, &sum);
}

static void test_one_seed(void **state)
{
    (void)state;
    struct shrunk x;
    struct sim_result r;
    if (!getenv("SIM_SEED"))
        return;
    assert_true(shrink_from_env(&x, number_from("SIM_SEED", 1)));
    sim_run_scenario(&x.scenario, &r);
    print_message("seed %llu: %llu core steps, %llu faults, %llu records, trace %016llx\n",
                  (unsigned long long)x.scenario.seed, (unsigned long long)r.steps,
                  (unsigned long long)r.faults, (unsigned long long)r.records,
                  (unsigned long long)r.hash);
}

static void test_same_seed_same_run(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct sim_result a = sim_run(seed), b = sim_run(seed);
        assert_memory_equal(&a, &b, sizeof a);
    }
}

/* ---- the shrinker ---- */

struct culprits { /* fails if all of these events happen before `ms`, and drift is on */
    uint32_t v[2];
    int64_t at_ms;
};

static bool fails_by(void *self, const struct sim_scenario *c, char text[SHRINK_TEXT])
{
    const struct culprits *x = self;
    unsigned met = 0;
    snprintf(text, SHRINK_TEXT, "I99: made up, with %zu events", c->n_only);
    for (size_t i = 0; i < c->n_only; i++)
        met += c->only[i] == x->v[0] || c->only[i] == x->v[1];
    return met == 2 && !(c->without >> FAULT_DRIFT & 1) &&
           (!c->until_ms || c->until_ms >= x->at_ms);
}

static void test_shrinker(void **state)
{
    (void)state;
    struct culprits who = {{3, 7}, 20000};
    struct shrunk x;
    assert_true(shrink(1, fails_by, &who, &x));
    assert_int_equal(x.scenario.n_only, 2);
    assert_int_equal(x.v[0], 3);
    assert_int_equal(x.v[1], 7);
    assert_false(x.scenario.without >> FAULT_DRIFT & 1);
    assert_true(x.scenario.without >> FAULT_CHILD_CRASH & 1);
    assert_true(x.scenario.until_ms >= 20000 && x.scenario.until_ms < 20200);
    assert_string_equal(x.text, "I99: made up, with 2 events");
}

int main(void)
{
    const struct CMUnitTest all[] = {
        cmocka_unit_test(test_shrinker),
        cmocka_unit_test(test_seeds),
        cmocka_unit_test(test_same_seed_same_run),
    };
    const struct CMUnitTest one[] = {cmocka_unit_test(test_one_seed)};
    if (getenv("SIM_SEED"))
        return cmocka_run_group_tests(one, NULL, NULL);
    return cmocka_run_group_tests(all, NULL, NULL);
}
