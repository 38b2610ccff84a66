/* Shrinking by trying: what is left out stays out if the run still fails alike. Called by
 * test_sim.c for the first seed that fails. */
#include "sim_shrink.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "err.h"

#define CHILD_SECONDS 120
#define ROUNDS        3

struct attempt {
    struct shrunk *best;
    shrink_fails *fails;
    void *self;
};

static bool same_failure(const char *a, const char *b)
{
    size_t n = strcspn(a, ":");
    return strncmp(a, b, n + 1) == 0;
}

static bool still_fails(const struct attempt *a, const struct sim_scenario *c)
{
    char text[SHRINK_TEXT];
    a->best->runs++;
    if (!a->fails(a->self, c, text) || !same_failure(a->best->text, text))
        return false;
    memcpy(a->best->text, text, sizeof text);
    return true;
}

static bool drop_kinds(const struct attempt *a)
{
    bool changed = false;
    for (unsigned kind = 0; kind < FAULT_KINDS; kind++) {
        struct sim_scenario c = a->best->scenario;
        c.without |= UINT64_C(1) << kind;
        if (c.without == a->best->scenario.without || !still_fails(a, &c))
            continue;
        a->best->scenario.without = c.without;
        changed = true;
    }
    return changed;
}

/* Without the events [from, from + n). */
static bool drop_some(const struct attempt *a, size_t from, size_t n)
{
    struct shrunk *b = a->best;
    uint32_t left[SIM_FAULTS_MOST];
    size_t k = 0;
    for (size_t i = 0; i < b->scenario.n_only; i++)
        if (i < from || i >= from + n)
            left[k++] = b->v[i];
    struct sim_scenario c = b->scenario;
    c.only = left;
    c.n_only = k;
    if (!still_fails(a, &c))
        return false;
    memcpy(b->v, left, sizeof left);
    b->scenario.n_only = k;
    return true;
}

static bool drop_events(const struct attempt *a)
{
    bool changed = false;
    size_t chunk = a->best->scenario.n_only;
    while (chunk > 0) {
        for (size_t i = 0; i < a->best->scenario.n_only;) {
            if (drop_some(a, i, chunk))
                changed = true;
            else
                i += chunk;
        }
        chunk /= 2;
    }
    return changed;
}

static bool drop_time(const struct attempt *a, int64_t until_ms)
{
    struct shrunk *b = a->best;
    int64_t low = 0, high = b->scenario.until_ms ? b->scenario.until_ms : until_ms, was = high;
    while (high - low > 100) {
        struct sim_scenario c = b->scenario;
        c.until_ms = low + (high - low) / 2;
        if (still_fails(a, &c))
            high = c.until_ms;
        else
            low = c.until_ms;
    }
    b->scenario.until_ms = high < until_ms ? high : 0;
    return high < was;
}

bool shrink(uint64_t seed, shrink_fails *fails, void *self, struct shrunk *out)
{
    struct attempt a = {out, fails, self};
    struct sim_plan plan;
    faults_draw(&plan, seed);
    *out = (struct shrunk){.scenario = {.seed = seed, .n_only = plan.n}, .runs = 1};
    out->scenario.only = out->v;
    for (uint32_t i = 0; i < plan.n; i++)
        out->v[i] = i;
    if (!fails(self, &out->scenario, out->text))
        return false;
    bool changed = true;
    for (int round = 0; changed && round < ROUNDS; round++) {
        changed = drop_kinds(&a);
        changed |= drop_events(&a);
        changed |= drop_time(&a, plan.until / MS);
    }
    return true;
}

/* ---- a process of its own ---- */

/* Behind "virtual time ... s: " stands the sentence; else what the process said last. */
static void find_sentence(const char *said, char text[SHRINK_TEXT])
{
    const char *p = strstr(said, "virtual time");
    p = p ? strstr(p, " s: ") : NULL;
    snprintf(text, SHRINK_TEXT, "%.*s", SHRINK_TEXT - 1, p ? p + 4 : said);
    text[strcspn(text, "\n")] = '\0';
    if (!text[0])
        snprintf(text, SHRINK_TEXT, "the process ended");
}

static _Noreturn void run_child(const struct sim_scenario *c, int out)
{
    struct sim_result r;
    struct rlimit limit = {CHILD_SECONDS, CHILD_SECONDS};
    setrlimit(RLIMIT_CPU, &limit);
    limit = (struct rlimit){0, 0};
    setrlimit(RLIMIT_CORE, &limit);
    dup2(out, STDERR_FILENO);
    sim_run_scenario(c, &r);
    _exit(0);
}

bool shrink_in_child(void *self, const struct sim_scenario *c, char text[SHRINK_TEXT])
{
    (void)self;
    int fd[2], status = 0;
    fflush(NULL);
    REQUIRE(pipe(fd) == 0);
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0)
        run_child(c, fd[1]);
    close(fd[1]);
    char said[8192], rest[4096];
    size_t n = 0;
    ssize_t got;
    while (n < sizeof said - 1 && (got = read(fd[0], said + n, sizeof said - 1 - n)) > 0)
        n += (size_t)got;
    while (read(fd[0], rest, sizeof rest) > 0)
        ;
    said[n] = '\0';
    close(fd[0]);
    REQUIRE(waitpid(pid, &status, 0) == pid);
    find_sentence(said, text);
    return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

/* ---- as text ---- */

void shrink_print(const struct shrunk *x, FILE *out)
{
    struct sim_plan p;
    const struct sim_scenario *c = &x->scenario;
    faults_draw(&p, c->seed);
    fprintf(out, "seed %llu after %u runs: %s\nfaults that remain:\n", (unsigned long long)c->seed,
            x->runs, x->text);
    for (size_t i = 0; i < c->n_only; i++) {
        const struct sim_fault *f = &p.v[x->v[i]];
        if (!(c->without >> f->kind & 1) && (!c->until_ms || f->at <= c->until_ms * MS))
            fprintf(out, "  %3u  %9.3f s  %s\n", x->v[i], (double)f->at / 1e9, fault_name(f->kind));
    }
    for (unsigned i = FAULT_EVENTS; i < FAULT_KINDS; i++)
        if (p.rate[i] > 0 && !(c->without >> i & 1))
            fprintf(out, "       all along  %s\n", fault_name(i));
    fprintf(out, "again: SIM_SEED=%llu SIM_ONLY=", (unsigned long long)c->seed);
    for (size_t i = 0; i < c->n_only; i++)
        fprintf(out, "%s%u", i ? "," : "", x->v[i]);
    const char *before = " SIM_WITHOUT=";
    for (unsigned i = 0; i < FAULT_KINDS; i++) {
        bool matters = i < FAULT_EVENTS || p.rate[i] > 0;
        if (!(c->without >> i & 1) || !matters)
            continue;
        fprintf(out, "%s%s", before, fault_name(i));
        before = ",";
    }
    if (c->until_ms)
        fprintf(out, " SIM_UNTIL=%lld", (long long)c->until_ms);
    fprintf(out, " test_sim\n");
}

static bool read_kinds(const char *text, uint64_t *out)
{
    while (*text) {
        char name[32];
        unsigned kind;
        size_t n = strcspn(text, ",");
        if (n >= sizeof name)
            return false;
        memcpy(name, text, n);
        name[n] = '\0';
        if (!fault_find(name, &kind))
            return false;
        *out |= UINT64_C(1) << kind;
        text += n + (text[n] == ',');
    }
    return true;
}

static bool read_numbers(const char *text, struct shrunk *x)
{
    x->scenario.only = x->v;
    while (*text) {
        char *end;
        unsigned long number = strtoul(text, &end, 10);
        if (end == text || x->scenario.n_only == SIM_FAULTS_MOST || number >= SIM_FAULTS_MOST)
            return false;
        x->v[x->scenario.n_only++] = (uint32_t)number;
        text = end + (*end == ',');
    }
    return true;
}

bool shrink_from_env(struct shrunk *x, uint64_t seed)
{
    const char *without = getenv("SIM_WITHOUT"), *only = getenv("SIM_ONLY"),
               *until = getenv("SIM_UNTIL");
    *x = (struct shrunk){.scenario = {.seed = seed}};
    if (until)
        x->scenario.until_ms = strtoll(until, NULL, 10);
    return (!without || read_kinds(without, &x->scenario.without)) &&
           (!only || read_numbers(only, x));
}
