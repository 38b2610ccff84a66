/* bench-crowd: so many workers with one slot each on one broker, in a few processes. Their sessions
 * are real (a ZeroMQ connection each, with its own beats and credit), their evaluators imagined.
 *
 *     bench-crowd [OPTION ...] ENDPOINT
 *
 * What it does it is told by lines on standard input, and it answers each by a line of JSON:
 * `run` waits until every worker runs a trial; `measure SECONDS` counts what is reported in so long
 * and how long each frame waited for its ACK; `rejoin` waits until every worker has a session of a
 * broker newer than the one it saw last. At the end of the input it ends. bench/farm.py asks. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

#include "alloc.h"
#include "clock.h"
#include "crowd_worker.h"
#include "endpoint.h"
#include "frame.h"
#include "keyfile.h"
#include "list.h"
#include "openfiles.h"
#include "opt.h"

#define FILES_A_WORKER 2 /* its connection and its socket's sign */
#define FILES_NEEDED   64
#define PROCESSES_MOST 64
#define LAST_ACKS      (10 * NS_PER_S) /* how long those of the window are waited for */
#define POLL_US        20000
#define READY_AT_ONCE  256
#define BEAT_MS        5000

struct settings {
    uint64_t workers, processes, batch, steps;
    double rate;
    const char *curve;
    int64_t patience;
};
#define AT(member) offsetof(struct settings, member)

static const struct opt_row rows[] = {
    {.name = "workers",
     .type = OPT_U64,
     .offset = AT(workers),
     .initial = "10000",
     .min = 1,
     .max = 1e6,
     .value = "N",
     .help = "Workers in all."},
    {.name = "processes",
     .type = OPT_U64,
     .offset = AT(processes),
     .initial = "4",
     .min = 1,
     .max = PROCESSES_MOST,
     .value = "N",
     .help = "Processes that share them."},
    {.name = "rate",
     .type = OPT_F64,
     .offset = AT(rate),
     .initial = "1",
     .min = 1e-3,
     .max = 1e5,
     .value = "N",
     .help = "Points that each worker reports in a second."},
    {.name = "batch",
     .type = OPT_U64,
     .offset = AT(batch),
     .initial = "1",
     .min = 1,
     .max = 256,
     .value = "N",
     .help = "Points of one REPORT."},
    {.name = "steps",
     .type = OPT_U64,
     .offset = AT(steps),
     .initial = "0",
     .min = 0,
     .max = 1e12,
     .value = "N",
     .help = "Points after which a trial has its result; 0 = it goes on."},
    {.name = "curve",
     .type = OPT_STR,
     .offset = AT(curve),
     .value = "FILE",
     .help = "The farm's key file, for a tcp endpoint."},
    {.name = "patience",
     .type = OPT_DURATION,
     .offset = AT(patience),
     .initial = "120s",
     .min = 1,
     .max = 3600,
     .value = "TIME",
     .help = "Longest wait for all workers."},
};
static const struct opt_table table = {
    .program = "bench-crowd",
    .usage = "bench-crowd [OPTION ...] ENDPOINT",
    .summary = "many simulated workers on one broker",
    .text = "Reads what to do from standard input, a line each: run, measure SECONDS, rejoin.",
    .rows = rows,
    .n = sizeof rows / sizeof *rows,
};

/* What all processes see. */
struct shared {
    struct crowd_window window;
    struct crowd_tally tally[PROCESSES_MOST];
};
struct parent {
    const struct settings *s;
    struct shared *shared;
    pid_t pids[PROCESSES_MOST];
    uint64_t epoch; /* of the broker that all workers have joined */
};
/* One process of workers. */
struct process {
    struct crowd crowd;
    struct crowd_worker *workers;
    uint64_t n;
    void *zmq;
    int epoll;
};

/* ---- a process of workers ---- */

static bool set_int(void *socket, int option, int value)
{
    return zmq_setsockopt(socket, option, &value, sizeof value) == 0;
}

/* The options of a real worker's connection (base/io/zsock.c). */
static void *dealer(struct process *p, const char *endpoint, const struct zcurve *k)
{
    void *s = zmq_socket(p->zmq, ZMQ_DEALER);
    bool ok = s && set_int(s, ZMQ_LINGER, 0) && set_int(s, ZMQ_IMMEDIATE, 1) &&
              set_int(s, ZMQ_HANDSHAKE_IVL, 3 * BEAT_MS) &&
              set_int(s, ZMQ_HEARTBEAT_IVL, BEAT_MS) &&
              set_int(s, ZMQ_HEARTBEAT_TIMEOUT, 3 * BEAT_MS) &&
              set_int(s, ZMQ_HEARTBEAT_TTL, 3 * BEAT_MS) &&
              set_int(s, ZMQ_RECONNECT_IVL, 200 + (int)rng_below(&p->crowd.rng, 1801)) &&
              set_int(s, ZMQ_RECONNECT_IVL_MAX, BEAT_MS);
    if (ok && k)
        ok = !zmq_setsockopt(s, ZMQ_CURVE_SECRETKEY, k->secret_key, 41) &&
             !zmq_setsockopt(s, ZMQ_CURVE_PUBLICKEY, k->public_key, 41) &&
             !zmq_setsockopt(s, ZMQ_CURVE_SERVERKEY, k->server_key, 41);
    return ok && !zmq_connect(s, endpoint) ? s : NULL;
}

static bool watch(struct process *p, struct crowd_worker *w)
{
    int fd;
    size_t n = sizeof fd;
    struct epoll_event e = {.events = EPOLLIN, .data = {.ptr = w}};
    return !zmq_getsockopt(w->socket, ZMQ_FD, &fd, &n) &&
           !epoll_ctl(p->epoll, EPOLL_CTL_ADD, fd, &e);
}

static void open_all(struct process *p, const char *endpoint, const struct zcurve *k)
{
    p->zmq = zmq_ctx_new();
    zmq_ctx_set(p->zmq, ZMQ_MAX_SOCKETS, (int)p->n + 1);
    p->epoll = epoll_create1(EPOLL_CLOEXEC);
    p->workers = alloc_array(p->n, sizeof *p->workers);
    for (uint64_t i = 0; i < p->n; i++) {
        void *socket = dealer(p, endpoint, k);
        if (socket)
            crowd_worker_init(&p->workers[i], &p->crowd, socket, clock_now());
        if (!socket || !watch(p, &p->workers[i])) {
            fprintf(stderr, "bench-crowd: worker %llu cannot be connected: %s\n",
                    (unsigned long long)i, zmq_strerror(errno));
            _exit(1);
        }
    }
    /* What happened before the first wait gives no sign. */
    for (uint64_t i = 0; i < p->n; i++)
        crowd_worker_ready(&p->workers[i]);
}

static int wait_ms(const struct process *p)
{
    const struct heap_node *top = heap_top(&p->crowd.timers);
    if (!top || top->key == CLOCK_NEVER)
        return -1;
    int64_t ns = top->key - clock_now();
    return ns <= 0 ? 0 : (int)((ns + NS_PER_MS - 1) / NS_PER_MS);
}

static void run_timers(struct process *p)
{
    int64_t now = clock_now();
    for (struct heap_node *x; (x = heap_top(&p->crowd.timers)) && x->key <= now;)
        crowd_worker_tick(CONTAINER_OF(x, struct crowd_worker, timer));
}

/* Until it is killed, or the parent has ended. */
static _Noreturn void process_run(struct process *p, const char *endpoint, const struct zcurve *k)
{
    open_all(p, endpoint, k);
    for (;;) {
        struct epoll_event ready[READY_AT_ONCE];
        int n = epoll_wait(p->epoll, ready, READY_AT_ONCE, wait_ms(p));
        for (int i = 0; i < n; i++)
            crowd_worker_ready(ready[i].data.ptr);
        run_timers(p);
    }
}

static void process_begin(const struct settings *s, struct shared *shared, unsigned index,
                          struct process *p)
{
    *p = (struct process){.n = s->workers / s->processes + (index < s->workers % s->processes)};
    struct crowd *c = &p->crowd;
    c->tally = &shared->tally[index];
    c->window = &shared->window;
    c->interval = (int64_t)((double)s->batch / s->rate * 1e9);
    c->batch = (uint32_t)s->batch;
    c->steps = s->steps;
    heap_init(&c->timers);
    rng_seed_random(&c->rng);
    arena_init(&c->arena, 0);
    buf_init(&c->body, FRAME_LIMIT);
    buf_init(&c->frame, FRAME_LIMIT);
}

static err_t fork_all(struct parent *q, const char *endpoint, const struct zcurve *k,
                      struct errmsg *em)
{
    for (unsigned i = 0; i < q->s->processes; i++) {
        q->pids[i] = fork();
        if (q->pids[i] < 0)
            return errmsg_set(em, ERR_FAILED, "a process cannot be started: %s", strerror(errno));
        if (q->pids[i] == 0) {
            struct process p;
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            process_begin(q->s, q->shared, i, &p);
            process_run(&p, endpoint, k);
        }
    }
    return ERR_OK;
}

static void kill_all(const struct parent *q)
{
    for (unsigned i = 0; i < q->s->processes; i++) {
        if (q->pids[i] <= 0)
            continue;
        kill(q->pids[i], SIGKILL);
        waitpid(q->pids[i], NULL, 0);
    }
}

/* ---- sums ---- */

#define SUM(q, member) sum(q, offsetof(struct crowd_tally, member))

static uint64_t sum(const struct parent *q, size_t at)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < q->s->processes; i++)
        n += *(_Atomic uint64_t *)((char *)&q->shared->tally[i] + at);
    return n;
}

static uint64_t newest_epoch(const struct parent *q)
{
    uint64_t newest = 0;
    for (unsigned i = 0; i < q->s->processes; i++) {
        uint64_t e = q->shared->tally[i].epoch;
        newest = e > newest ? e : newest;
    }
    return newest;
}

/* All have joined the same broker, a newer one than before. */
static bool all_joined(const struct parent *q)
{
    uint64_t newest = newest_epoch(q);
    for (unsigned i = 0; i < q->s->processes; i++) {
        if (q->shared->tally[i].epoch != newest)
            return false;
    }
    return newest > q->epoch && SUM(q, joined) == q->s->workers;
}

static bool all_run(const struct parent *q)
{
    return SUM(q, running) == q->s->workers;
}

static bool all_acked(const struct parent *q)
{
    return SUM(q, acked) == SUM(q, sent);
}

static bool any_ended(const struct parent *q)
{
    for (unsigned i = 0; i < q->s->processes; i++) {
        if (waitpid(q->pids[i], NULL, WNOHANG) > 0)
            return true;
    }
    return false;
}

static err_t wait_for(const struct parent *q, bool (*is)(const struct parent *), int64_t ns,
                      struct errmsg *em)
{
    for (int64_t end = clock_now() + ns; !is(q); usleep(POLL_US)) {
        if (any_ended(q))
            return errmsg_set(em, ERR_FAILED, "a process of workers has ended");
        if (clock_now() > end)
            return errmsg_set(
                em, ERR_TIMEOUT, "waited too long: %llu workers have joined, %llu run a trial",
                (unsigned long long)SUM(q, joined), (unsigned long long)SUM(q, running));
    }
    return ERR_OK;
}

/* ---- what it is told ---- */

static uint64_t quantile(const uint64_t *v, uint64_t n, double part, uint64_t worst)
{
    uint64_t rank = (uint64_t)((double)n * part), seen = 0;
    for (unsigned b = 0; b < CROWD_BUCKETS; b++) {
        seen += v[b];
        if (seen > rank && crowd_bucket_us(b) < worst)
            return crowd_bucket_us(b);
    }
    return worst;
}

static void print_window(const struct parent *q, double seconds)
{
    uint64_t late[CROWD_BUCKETS] = {0}, worst = 0;
    for (unsigned i = 0; i < q->s->processes; i++) {
        struct crowd_tally *t = &q->shared->tally[i];
        for (unsigned b = 0; b < CROWD_BUCKETS; b++)
            late[b] += t->late[b];
        worst = t->worst_us > worst ? t->worst_us : worst;
    }
    uint64_t acked = SUM(q, acked), sent = SUM(q, sent);
    printf("{\"seconds\":%.3f,\"sent\":%llu,\"acked\":%llu,\"points_per_s\":%.1f,\"p50_us\":%llu,"
           "\"p99_us\":%llu,\"max_us\":%llu,\"missed\":%llu,\"refused\":%llu,\"gaps\":%llu,"
           "\"finals\":%llu}\n",
           seconds, (unsigned long long)sent, (unsigned long long)acked,
           (double)SUM(q, acked_points) / seconds,
           (unsigned long long)quantile(late, acked, 0.5, worst),
           (unsigned long long)quantile(late, acked, 0.99, worst), (unsigned long long)worst,
           (unsigned long long)SUM(q, missed), (unsigned long long)SUM(q, refused),
           (unsigned long long)SUM(q, gaps), (unsigned long long)SUM(q, finals));
}

/* Frames of the window before are all acknowledged or given up, so nobody writes here now. */
static void clear_window(const struct parent *q)
{
    q->shared->window.from = q->shared->window.to = CLOCK_NEVER;
    usleep(POLL_US);
    for (unsigned i = 0; i < q->s->processes; i++) {
        struct crowd_tally *t = &q->shared->tally[i];
        t->sent = t->acked = t->acked_points = t->worst_us = t->missed = 0;
        for (unsigned b = 0; b < CROWD_BUCKETS; b++)
            t->late[b] = 0;
    }
}

static err_t do_measure(const struct parent *q, const char *line, struct errmsg *em)
{
    double seconds = strtod(line, NULL);
    if (!(seconds >= 0.1 && seconds <= 86400))
        return errmsg_set(em, ERR_INVALID, "measure: 0.1 to 86400 seconds were expected");
    clear_window(q);
    int64_t from = clock_now(), to = from + (int64_t)(seconds * 1e9);
    q->shared->window.to = to;
    q->shared->window.from = from;
    while (clock_now() < to)
        usleep(POLL_US);
    err_t e = wait_for(q, all_acked, LAST_ACKS, em);
    if (e == ERR_OK || e == ERR_TIMEOUT)
        print_window(q, seconds);
    return e == ERR_TIMEOUT ? ERR_OK : e;
}

static err_t do_run(struct parent *q, struct errmsg *em)
{
    err_t e = wait_for(q, all_joined, q->s->patience, em);
    if (e == ERR_OK)
        e = wait_for(q, all_run, q->s->patience, em);
    if (e != ERR_OK)
        return e;
    q->epoch = newest_epoch(q);
    printf("{\"workers\":%llu}\n", (unsigned long long)q->s->workers);
    return ERR_OK;
}

static err_t do_rejoin(struct parent *q, struct errmsg *em)
{
    err_t e = wait_for(q, all_joined, q->s->patience, em);
    if (e != ERR_OK)
        return e;
    int64_t last = 0;
    for (unsigned i = 0; i < q->s->processes; i++) {
        int64_t at = q->shared->tally[i].last_at;
        last = at > last ? at : last;
    }
    q->epoch = newest_epoch(q);
    printf("{\"last_at_ns\":%lld,\"kept\":%llu,\"dropped\":%llu}\n", (long long)last,
           (unsigned long long)SUM(q, kept), (unsigned long long)SUM(q, dropped));
    return ERR_OK;
}

static err_t obey(struct parent *q, struct errmsg *em)
{
    char line[64];
    err_t e = ERR_OK;
    while (e == ERR_OK && fgets(line, sizeof line, stdin)) {
        if (strncmp(line, "measure ", 8) == 0)
            e = do_measure(q, line + 8, em);
        else if (strcmp(line, "run\n") == 0)
            e = do_run(q, em);
        else if (strcmp(line, "rejoin\n") == 0)
            e = do_rejoin(q, em);
        else
            e = errmsg_set(em, ERR_INVALID, "run, measure SECONDS or rejoin was expected");
        fflush(stdout);
    }
    return e;
}

static err_t check(const struct settings *s, const char *endpoint, struct zcurve *k,
                   struct errmsg *em)
{
    struct endpoint parsed;
    err_t e = endpoint_parse(&parsed, str_of(endpoint), em);
    if (e == ERR_OK && s->processes > s->workers)
        e = errmsg_set(em, ERR_INVALID, "--processes: at most as many as workers were expected");
    if (e == ERR_OK && s->curve)
        e = keyfile_load(s->curve, k, em);
    if (e == ERR_OK)
        e = openfiles_raise(FILES_NEEDED + FILES_A_WORKER * (s->workers / s->processes + 1), NULL,
                            em);
    return e;
}

static err_t crowd_run(const struct settings *s, const char *endpoint, struct errmsg *em)
{
    struct zcurve k;
    err_t e = check(s, endpoint, &k, em);
    if (e != ERR_OK)
        return e;
    struct parent q = {.s = s};
    q.shared =
        mmap(NULL, sizeof *q.shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (q.shared == MAP_FAILED)
        return errmsg_set(em, ERR_FAILED, "no memory can be shared: %s", strerror(errno));
    q.shared->window.from = q.shared->window.to = CLOCK_NEVER;
    e = fork_all(&q, endpoint, s->curve ? &k : NULL, em);
    if (e == ERR_OK)
        e = obey(&q, em);
    kill_all(&q);
    munmap(q.shared, sizeof *q.shared);
    return e;
}

int main(int argc, char **argv)
{
    struct settings s;
    struct opts o;
    struct errmsg em = {""};
    err_t e = opt_parse(&table, &s, argc, argv, &o, &em);
    if (e == ERR_OK && (o.help || o.man || o.version)) {
        struct buf text = {0};
        opt_print_help(&table, &text);
        fwrite(text.p, 1, text.n, stdout);
        buf_fini(&text);
    } else if (e == ERR_OK && o.n_operands != 1) {
        e = errmsg_set(&em, ERR_INVALID, "one endpoint was expected");
    } else if (e == ERR_OK) {
        e = crowd_run(&s, o.operands[0], &em);
    }
    if (e != ERR_OK)
        fprintf(stderr, "bench-crowd: %s\n", em.text);
    opt_fini(&o);
    return err_exit_code(e);
}
