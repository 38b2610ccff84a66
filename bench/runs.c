/* Makes runs: a task a function and seed, taken by as many processes as were asked for. A process a
 * job, because CPU time is counted by process. */
#include "runs.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "alloc.h"
#include "simulate.h"

/* What the processes share. */
struct board {
    atomic_size_t next; /* task that nobody has taken yet */
    atomic_bool failed;
    struct errmsg em; /* of the first failure */
    double results[]; /* a task: its CPU time, then its curve */
};
struct task {
    struct runs_cell *cell;
    uint64_t seed;
};
struct work {
    const struct runs_plan *plan;
    enum runs_kind kind;
    struct task *tasks;
    size_t n;
    struct board *board;
    size_t board_size;
};

uint32_t runs_points(const struct runs_plan *p)
{
    return p->budget / simulate_every(p->workers);
}

double *runs_add(const struct runs_plan *p, struct runs *r)
{
    size_t points = runs_points(p);
    r->best = alloc_grow(r->best, (r->n + 1) * points, sizeof *r->best);
    return r->best + points * r->n++;
}

void runs_fini(struct runs_cell *cells, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < RUNS_KINDS; k++)
            free(cells[i].of[k].best);
}

static double *result_of(const struct work *w, size_t task)
{
    return w->board->results + task * (1 + runs_points(w->plan));
}

static void list_tasks(struct work *w, struct runs_cell *cells, size_t n)
{
    for (uint64_t seed = w->plan->from; seed < w->plan->to; seed++)
        for (size_t i = 0; i < n; i++)
            if (cells[i].of[w->kind].n == 0) {
                w->tasks = alloc_grow(w->tasks, w->n + 1, sizeof *w->tasks);
                w->tasks[w->n++] = (struct task){&cells[i], seed};
            }
}

/* One process: takes tasks until there are none. */
static void work(const struct work *w)
{
    struct errmsg em = {""};
    for (size_t i; (i = atomic_fetch_add(&w->board->next, 1)) < w->n;) {
        struct simulate_run run = {w->tasks[i].cell->function, w->plan->sampler[w->kind],
                                   w->tasks[i].seed, w->plan->budget, w->plan->workers};
        double *result = result_of(w, i);
        if (simulate(&run, result + 1, result, &em) && !atomic_exchange(&w->board->failed, true))
            w->board->em = em;
        if (atomic_load(&w->board->failed))
            return;
    }
}

static err_t run_jobs(const struct work *w, struct errmsg *em)
{
    uint32_t started = 0;
    bool lost = false;
    for (; started < w->plan->jobs; started++) {
        pid_t pid = fork();
        if (pid < 0)
            break;
        if (pid == 0) {
            work(w);
            _exit(0);
        }
    }
    for (uint32_t i = 0; i < started; i++) {
        int status;
        lost |= wait(&status) < 0 || status != 0;
    }
    if (atomic_load(&w->board->failed))
        return errmsg_set(em, ERR_FAILED, "%s", w->board->em.text);
    return lost || started == 0 ? errmsg_set(em, ERR_FAILED, "a process ended early") : ERR_OK;
}

static err_t collect(const struct work *w, const char *out, struct runs_cost *cost,
                     struct errmsg *em)
{
    size_t bytes = runs_points(w->plan) * sizeof(double);
    err_t e = ERR_OK;
    for (size_t i = 0; i < w->n && !e; i++) {
        const struct task *t = &w->tasks[i];
        const double *result = result_of(w, i);
        memcpy(runs_add(w->plan, &t->cell->of[w->kind]), result + 1, bytes);
        cost->us += result[0];
        cost->trials += w->plan->budget;
        if (out)
            e = runs_append(w->plan, w->kind, out, t->cell->function, t->seed, result + 1, em);
    }
    return e;
}

err_t runs_make(const struct runs_plan *p, enum runs_kind kind, struct runs_cell *cells, size_t n,
                const char *out, struct runs_cost *cost, struct errmsg *em)
{
    struct work w = {.plan = p, .kind = kind};
    list_tasks(&w, cells, n);
    if (w.n == 0)
        return ERR_OK;
    w.board_size = sizeof *w.board + w.n * (1 + runs_points(p)) * sizeof(double);
    w.board = mmap(NULL, w.board_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    err_t e = ERR_OK;
    if (w.board == MAP_FAILED)
        e = errmsg_set(em, ERR_NOMEM, "no memory for %zu runs: %s", w.n, strerror(errno));
    else {
        e = run_jobs(&w, em);
        if (!e)
            e = collect(&w, out, cost, em);
        munmap(w.board, w.board_size);
    }
    free(w.tasks);
    return e;
}
