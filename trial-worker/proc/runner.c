/* The runner: carries out the core's effects on processes and hands back what they say. Called by
 * agent.c. It must not know the broker, nor decide anything about an attempt.
 *
 * A job is a living process. A one-shot program's job has one run for its whole life; a served
 * evaluator's has the run of its current trial, or none while it is idle in its program's pool.
 * What an idle one writes is thrown away. A served evaluator that was signalled is never given
 * another trial. Directories of served trials are made only when there is output to keep, so that a
 * trial that prints nothing costs no file. */
#include "runner.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "alloc.h"
#include "child.h"
#include "env.h"
#include "idmap.h"
#include "program.h"
#include "report_in.h"
#include "tail.h"

#define RETIRE_NS (10 * NS_PER_S) /* for a served evaluator to end by itself */

enum job_phase { JOB_BUSY, JOB_IDLE, JOB_RETIRED };
struct job {
    struct list link; /* in runner.jobs */
    struct list idle; /* in program.idle */
    struct list aged; /* in runner.idle or runner.retired, the oldest first */
    struct runner *runner;
    struct child *child;
    struct program *program; /* NULL = forgotten */
    enum job_phase phase;
    bool served, doomed;
    uint64_t run;
    int64_t since; /* of the phase */
    char *dir;     /* of the current attempt; owned */
    struct tail tail;
    struct report_in out_lines;
    struct scrape_state scraped;
};
struct note {
    uint64_t run, pid;
    char *text; /* owned; NULL = started */
    bool forever;
};
struct runner {
    struct runner_config c;
    struct runner_events e;
    struct list programs, jobs, idle, retired;
    struct idmap by_run;
    uint32_t served;
    struct note *notes;
    size_t n_notes, cap_notes;
    struct arena arena;
    struct buf line;
    char *buffer;
};

static void note(struct runner *r, uint64_t run, uint64_t pid, const char *text, bool forever)
{
    if (r->n_notes == r->cap_notes) {
        r->cap_notes = r->cap_notes ? r->cap_notes * 2 : 16;
        r->notes = alloc_grow(r->notes, r->cap_notes, sizeof *r->notes);
    }
    r->notes[r->n_notes++] = (struct note){run, pid, text ? str_dupz(str_of(text)) : NULL, forever};
}

static struct job *job_of(struct runner *r, uint64_t run)
{
    return run ? idmap_get(&r->by_run, run) : NULL;
}

/* ---- what children say ---- */

static void on_child_line(void *self, struct child *c, struct str line)
{
    struct runner *r = self;
    struct job *j = child_tag(c);
    if (j->run)
        r->e.line(r->e.self, j->run, line);
}

static void on_child_skipped(void *self, struct child *c, uint64_t lines)
{
    struct runner *r = self;
    struct job *j = child_tag(c);
    (void)lines;
    if (j->run)
        r->e.complaint(r->e.self, j->run, STR("a line has more than 65536 bytes"));
}

static void on_output_line(void *self, struct str line)
{
    struct job *j = self;
    struct runner *r = j->runner;
    double value;
    switch (scrape_line(j->program->scrape, &j->scraped, line, &value)) {
    case SCRAPE_VALUE:
        r->e.scraped(r->e.self, j->run, j->scraped.has_step, j->scraped.step, value);
        break;
    case SCRAPE_BAD:
        r->e.complaint(r->e.self, j->run,
                       STR("what objective.scrape.pattern found is no number, or took too long"));
        break;
    case SCRAPE_NOTHING:
        break;
    }
}

static void on_child_output(void *self, struct child *c, bool is_stderr, struct str bytes)
{
    struct job *j = child_tag(c);
    (void)self;
    if (!j->run)
        return;
    tail_add(&j->tail, bytes);
    if (!is_stderr && j->program && j->program->scrape)
        report_in_feed(&j->out_lines, bytes, on_output_line, j);
}

static void free_job(struct job *j)
{
    struct runner *r = j->runner;
    list_remove(&j->link);
    list_remove(&j->idle);
    list_remove(&j->aged);
    r->served -= j->served;
    tail_fini(&j->tail);
    report_in_fini(&j->out_lines);
    free(j->dir);
    free(j);
}

/* The current attempt of a job is over. */
static void leave_run(struct job *j)
{
    struct runner *r = j->runner;
    idmap_remove(&r->by_run, j->run);
    j->run = 0;
    tail_end(&j->tail);
    if (j->dir && (tail_made(&j->tail) || !j->served))
        files_attempt_ended(r->c.files, j->dir);
    free(j->dir);
    j->dir = NULL;
}

static void on_child_gone(void *self, struct child *c, int64_t exit_code, int signal)
{
    struct runner *r = self;
    struct job *j = child_tag(c);
    if (j->run) {
        struct buf last;
        uint64_t run = j->run;
        if (j->program && j->program->scrape)
            report_in_end(&j->out_lines, on_output_line, j);
        buf_init(&last, 0);
        tail_last(&j->tail, &last);
        leave_run(j);
        struct child_end end = {
            .exit_code = exit_code, .signal = (uint32_t)signal, .output = buf_str(&last)};
        r->e.gone(r->e.self, run, &end);
        buf_fini(&last);
    }
    free_job(j);
}

/* ---- starting ---- */

static void enter_run(struct job *j, uint64_t run, const char *dir)
{
    j->run = run;
    j->phase = JOB_BUSY;
    j->dir = str_dupz(str_of(dir));
    j->scraped = (struct scrape_state){0};
    tail_begin(&j->tail, dir, j->runner->c.output_cap);
    idmap_put(&j->runner->by_run, run, j);
}

static err_t start_child(struct runner *r, struct program *p, const struct worker_run *run,
                         const struct env_dirs *dirs, struct child **out, struct errmsg *em)
{
    struct child_setup s = {.launch = r->c.launch,
                            .cwd = p->cwd,
                            /* CUDA reserves far more address space than it uses. */
                            .memory = run->spec->objective.gpu ? 0 : run->spec->objective.memory,
                            .files = r->c.open_files,
                            .split_output = p->scrape != NULL};
    struct child_handler h = {.self = r,
                              .buffer = r->buffer,
                              .line = on_child_line,
                              .skipped = on_child_skipped,
                              .output = on_child_output,
                              .gone = on_child_gone};
    char **argv, **env;
    err_t e = env_argv(run, dirs->own, &r->arena, &argv, em);
    if (!e)
        e = env_vars(run, dirs, environ, &r->arena, &env, em);
    if (e)
        return e;
    s.argv = argv;
    s.env = env;
    return child_spawn(out, r->c.loop, &s, &h, em);
}

static err_t start_job(struct runner *r, struct program *p, const struct worker_run *run,
                       const struct env_dirs *dirs, struct job **out, struct errmsg *em)
{
    struct child *c;
    bool served = run->spec->objective.serve;
    err_t e = served ? ERR_OK : files_attempt_make(dirs->own, em);
    if (!e)
        e = start_child(r, p, run, dirs, &c, em);
    arena_clear(&r->arena);
    if (e)
        return e;
    struct job *j = alloc_zero(sizeof *j);
    j->runner = r;
    j->child = c;
    j->program = p;
    j->served = served;
    list_push(&r->jobs, &j->link);
    list_init(&j->idle);
    list_init(&j->aged);
    tail_init(&j->tail);
    report_in_init(&j->out_lines);
    child_set_tag(c, j);
    r->served += served;
    *out = j;
    return ERR_OK;
}

/* ---- the pool ---- */

static void retire(struct job *j, int64_t now)
{
    list_remove(&j->idle);
    list_remove(&j->aged);
    list_push(&j->runner->retired, &j->aged);
    j->phase = JOB_RETIRED;
    j->since = now;
    if (!child_write(j->child, STR("{\"exit\":true}")))
        child_signal(j->child, SIGKILL);
}

static struct job *take_idle(struct program *p)
{
    struct job *j = LIST_FIRST(&p->idle, struct job, idle);
    if (j) {
        list_remove(&j->idle);
        list_remove(&j->aged);
    }
    return j;
}

/* A slot's evaluator makes room when another study needs the slot. */
static void make_room(struct runner *r, int64_t now)
{
    struct job *oldest = LIST_FIRST(&r->idle, struct job, aged);
    if (r->served >= r->c.slots && oldest)
        retire(oldest, now);
}

static err_t get_job(struct runner *r, struct program *p, const struct worker_run *run,
                     const struct env_dirs *dirs, int64_t now, struct job **out, struct errmsg *em)
{
    if (run->spec->objective.serve) {
        *out = take_idle(p);
        if (*out)
            return ERR_OK;
        make_room(r, now);
    }
    return start_job(r, p, run, dirs, out, em);
}

void runner_spawn(struct runner *r, const struct worker_run *run, int64_t now)
{
    struct errmsg em;
    struct job *j;
    char dir[FILES_PATH], checkpoints[FILES_PATH];
    struct env_dirs dirs = {dir, checkpoints};
    struct program *p = program_find(&r->programs, run->digest);
    if (!p || !files_attempt_path(r->c.files, run->study_name, run->trial, run->attempt, dir) ||
        !files_checkpoint_path(r->c.files, run->farm, run->study_name, run->trial, run->attempt,
                               checkpoints)) {
        note(r, run->run, 0, "the study is not ready on this worker, or its name is no legal path",
             false);
        return;
    }
    err_t e = ERR_OK;
    if (run->spec->objective.checkpoint_ask != CHECKPOINT_UNASKED)
        e = files_checkpoint_make(checkpoints, &em);
    if (!e)
        e = get_job(r, p, run, &dirs, now, &j, &em);
    if (e) {
        bool forever = e != ERR_IO && e != ERR_FULL && e != ERR_NOMEM;
        note(r, run->run, 0, em.text, forever);
        return;
    }
    enter_run(j, run->run, dir);
    buf_clear(&r->line);
    env_first_line(run, &dirs, &r->line);
    bool given = buf_ok(&r->line) && child_write(j->child, buf_str(&r->line));
    if (!given && j->served) {
        /* It has ended or does not read: its end will be reported as this run's. A one-shot program
         * may have closed a channel that it does not want. */
        j->doomed = true;
        child_signal(j->child, SIGKILL);
    }
    note(r, run->run, child_pid(j->child), NULL, false);
}

void runner_write(struct runner *r, uint64_t run, struct str line)
{
    struct job *j = job_of(r, run);
    if (j)
        (void)child_write(j->child, line);
}

void runner_ask(struct runner *r, uint64_t run, int signal)
{
    struct job *j = job_of(r, run);
    if (j)
        child_ask(j->child, signal);
}

void runner_signal(struct runner *r, uint64_t run, int signal)
{
    struct job *j = job_of(r, run);
    if (!j)
        return;
    j->doomed = true;
    child_signal(j->child, signal);
}

void runner_end(struct runner *r, uint64_t run, int64_t now)
{
    struct job *j = job_of(r, run);
    if (!j)
        return;
    leave_run(j);
    j->since = now;
    if (j->doomed || !j->program) {
        child_signal(j->child, SIGKILL);
        j->phase = JOB_RETIRED;
        return;
    }
    j->phase = JOB_IDLE;
    list_push_front(&j->program->idle, &j->idle);
    list_push(&r->idle, &j->aged);
}

bool runner_deliver(struct runner *r)
{
    size_t n = r->n_notes;
    if (n == 0)
        return false;
    struct note *v = r->notes;
    r->notes = NULL; /* an entry point may not note anything, but the list is ours alone while it is
                        read */
    r->n_notes = r->cap_notes = 0;
    for (size_t i = 0; i < n; i++) {
        if (v[i].text)
            r->e.failed(r->e.self, v[i].run, str_of(v[i].text), v[i].forever);
        else
            r->e.started(r->e.self, v[i].run, v[i].pid);
        free(v[i].text);
    }
    free(v);
    return true;
}

int64_t runner_tick(struct runner *r, int64_t now)
{
    struct job *j;
    while ((j = LIST_FIRST(&r->idle, struct job, aged)) && now >= j->since + r->c.serve_idle_ns)
        retire(j, now);
    int64_t next = j ? j->since + r->c.serve_idle_ns : CLOCK_NEVER;
    while ((j = LIST_FIRST(&r->retired, struct job, aged)) && now >= j->since + RETIRE_NS) {
        list_remove(&j->aged);
        child_signal(j->child, SIGKILL);
    }
    int64_t kill_at = j ? j->since + RETIRE_NS : CLOCK_NEVER;
    return next < kill_at ? next : kill_at;
}

void runner_retire_idle(struct runner *r, int64_t now)
{
    struct job *j;
    while ((j = LIST_FIRST(&r->idle, struct job, aged)) != NULL)
        retire(j, now);
}

/* ---- studies, birth and end ---- */

err_t runner_prepare(struct runner *r, struct digest digest, const struct spec *spec,
                     struct errmsg *em)
{
    struct program *p = program_find(&r->programs, digest);
    if (p) {
        p->spec = spec;
        return ERR_OK;
    }
    err_t e = program_new(&p, r->c.files, digest, spec, em);
    if (!e)
        list_push_front(&r->programs, &p->link);
    return e;
}

void runner_forget(struct runner *r, struct digest digest, int64_t now)
{
    struct program *p = program_find(&r->programs, digest);
    if (!p)
        return;
    LIST_FOREACH_SAFE (it, tmp, &r->jobs) {
        struct job *j = CONTAINER_OF(it, struct job, link);
        if (j->program != p)
            continue;
        if (j->phase == JOB_IDLE)
            retire(j, now);
        j->program = NULL;
    }
    program_free(p);
}

err_t runner_open(struct runner **out, const struct runner_config *c, const struct runner_events *e,
                  struct errmsg *em)
{
    if (access(c->launch, X_OK) != 0)
        return errmsg_set(em, ERR_NOT_FOUND,
                          "%s is not there or cannot be run: the installation is not complete",
                          c->launch);
    struct runner *r = alloc_zero(sizeof *r);
    r->c = *c;
    r->e = *e;
    list_init(&r->programs);
    list_init(&r->jobs);
    list_init(&r->idle);
    list_init(&r->retired);
    idmap_init(&r->by_run);
    arena_init(&r->arena, 0);
    buf_init(&r->line, 256u << 10);
    r->buffer = alloc_array(CHILD_BUFFER, 1);
    *out = r;
    return ERR_OK;
}

void runner_close(struct runner *r)
{
    if (!r)
        return;
    LIST_FOREACH_SAFE (it, tmp, &r->jobs) {
        struct job *j = CONTAINER_OF(it, struct job, link);
        if (j->run)
            leave_run(j);
        child_abandon(j->child);
        free_job(j);
    }
    LIST_FOREACH_SAFE (it, tmp, &r->programs)
        program_free(CONTAINER_OF(it, struct program, link));
    for (size_t i = 0; i < r->n_notes; i++)
        free(r->notes[i].text);
    free(r->notes);
    idmap_fini(&r->by_run);
    arena_fini(&r->arena);
    buf_fini(&r->line);
    free(r->buffer);
    free(r);
}
