/* Judging what a broker tells of itself, its peers and its studies. The broker gives figures; what
 * is a fault, and what to do about it, is decided here.
 *
 * Called by cmd_doctor.c. It knows the columns of INSPECT's tables. */
#include "farmcheck.h"

#include <json-c/json.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cell.h"
#include "clock.h"
#include "endpoint.h"
#include "examination.h"
#include "feedprobe.h"
#include "hostcheck.h"

#define ASKS           11
#define SLOW_NS        (250 * NS_PER_MS)
#define CLOCK_MS       2000
#define COMMIT_US      100000.0
#define FEED_MS        5000
#define CHECK_PATIENCE (3600 * NS_PER_S)
#define LOG_BYTES      (256.0 * 1048576)

static const char *z(char out[200], struct str s)
{
    str_copyz(out, 200, str_make(s.p, str_utf8_cut(s, 199)));
    return out;
}

static const char *plural(unsigned long long n)
{
    return n == 1 ? "" : "s";
}

/* ---- broker ---- */

static void judge_clock(struct diagnosis *d, const struct row *r)
{
    long long off = (long long)(row_int(r, "wall_ms", 0) - clock_wall_ms());
    long long jumps = (long long)row_int(r, "clock_jumps", 0);
    if (jumps)
        diagnosis_add(d, HEALTH_WARN, "clock",
                      "leases do not care, but times shown to people do: keep it with NTP",
                      "the broker's wall clock jumped %lld times since its start, last by %lld ms",
                      jumps, (long long)row_int(r, "clock_jump_ms", 0));
    else if (off > CLOCK_MS || off < -CLOCK_MS)
        diagnosis_add(d, HEALTH_WARN, "clock", "keep the clocks of both machines with NTP",
                      "the broker's wall clock is %lld ms from the one here", off);
    else
        diagnosis_add(d, HEALTH_OK, "clock", NULL,
                      "the broker's wall clock agrees with the one here");
}

static void judge_sessions(struct diagnosis *d, const struct row *r)
{
    double n = row_number(r, "sessions"), most = row_number(r, "max_sessions");
    if (n >= most)
        diagnosis_add(d, HEALTH_FAIL, "sessions", "start the broker with a greater --max-sessions",
                      "%.0f peers are connected, and no more are let in", n);
    else if (n > 0.9 * most)
        diagnosis_add(d, HEALTH_WARN, "sessions", "start the broker with a greater --max-sessions",
                      "%.0f peers are connected; at most %.0f are let in", n, most);
    else
        diagnosis_add(d, HEALTH_OK, "sessions", NULL, "%.0f peers are connected", n);
}

void farmcheck_broker(struct diagnosis *d, const struct row *r, struct farmcheck_broker *b)
{
    *b = (struct farmcheck_broker){.beat_ms = row_int(r, "beat_ms", 5000),
                                   .workers = (uint64_t)row_int(r, "workers", 0),
                                   .optimizers = (uint64_t)row_int(r, "optimizers", 0)};
    str_copyz(b->version, sizeof b->version, row_text(r, "version"));
    str_copyz(b->feed, sizeof b->feed, row_text(r, "feed"));
    if (strcmp(b->version, TUNEFARM_VERSION) != 0)
        diagnosis_add(d, HEALTH_WARN, "version", "bring all machines to one version, broker first",
                      "the broker is tunefarm %s, this is %s", b->version, TUNEFARM_VERSION);
    judge_clock(d, r);
    judge_sessions(d, r);
}

/* ---- machine ---- */

static void judge_disk(struct diagnosis *d, const struct row *r)
{
    char file[200], fs[200];
    double wanted = row_number(r, "ballast_wanted"), ballast = row_number(r, "ballast");
    struct json_object *full = row_get(r, "full");
    struct disk_facts f = {.where = z(file, row_text(r, "file")),
                           .fs = z(fs, row_text(r, "fs")),
                           .free = (uint64_t)row_int(r, "free_bytes", 0),
                           .all = (uint64_t)row_int(r, "disk_bytes", 0),
                           .needed = (uint64_t)wanted};
    hostcheck_disk(d, &f);
    if (full && json_object_get_boolean(full))
        diagnosis_add(d, HEALTH_FAIL, "ballast", "make room; the broker goes on by itself then",
                      "the disk is full: only ends of trials are recorded");
    else if (ballast < wanted)
        diagnosis_add(
            d, HEALTH_WARN, "ballast", "restart the broker when there is room",
            "the ballast beside the database is not whole; a full disk would stop results");
    else
        diagnosis_add(d, HEALTH_OK, "ballast", NULL, wanted > 0 ? "it is there" : "none is wanted");
}

static void judge_commits(struct diagnosis *d, const struct row *r)
{
    double mean = row_number(r, "commit_mean_us"), log = row_number(r, "log_bytes");
    struct buf size = {0};
    cell_bytes(&size, log);
    if (log > LOG_BYTES)
        diagnosis_add(d, HEALTH_WARN, "commits",
                      "the disk is too slow for what comes, or a question runs for long",
                      "the write-ahead log has grown to %s", buf_z(&size));
    else if (mean > COMMIT_US)
        diagnosis_add(d, HEALTH_WARN, "commits", "put the database on a faster disk",
                      "a commit takes %.0f ms in the mean", mean / 1000);
    else
        diagnosis_add(d, HEALTH_OK, "commits", NULL,
                      "%.1f ms in the mean, %.0f ms at most; the log has %s", mean / 1000,
                      row_number(r, "commit_max_us") / 1000, buf_z(&size));
    buf_fini(&size);
}

static void judge_files(struct diagnosis *d, const struct row *r)
{
    double n = row_number(r, "files"), most = row_number(r, "files_limit");
    enum health h = n > 0.95 * most ? HEALTH_FAIL : n > 0.8 * most ? HEALTH_WARN : HEALTH_OK;
    diagnosis_add(d, h, "descriptors",
                  h == HEALTH_OK
                      ? NULL
                      : "raise the hard limit (ulimit -Hn, LimitNOFILE=), restart the broker",
                  "the broker has %.0f of %.0f open files", n, most);
}

static void judge_memory(struct diagnosis *d, const struct row *r)
{
    double rss = row_number(r, "rss_bytes"), all = row_number(r, "memory_bytes");
    struct buf size = {0};
    cell_bytes(&size, rss);
    if (rss > all / 2)
        diagnosis_add(d, HEALTH_WARN, "memory", "see which studies are large: tunefarm ls",
                      "the broker takes %s, more than half of its machine", buf_z(&size));
    else
        diagnosis_add(d, HEALTH_OK, "memory", NULL, "the broker takes %s", buf_z(&size));
    if (all > 0)
        hostcheck_memory(d, "memory", (uint64_t)row_int(r, "memory_free", 0), (uint64_t)all);
    buf_fini(&size);
}

void farmcheck_machine(struct diagnosis *d, const struct row *r)
{
    judge_disk(d, r);
    judge_commits(d, r);
    judge_files(d, r);
    judge_memory(d, r);
}

/* ---- studies ---- */

static bool has_word(struct str words, const char *word)
{
    size_t n = strlen(word);
    for (size_t i = 0; i + n <= words.n; i++) {
        if ((i == 0 || words.p[i - 1] == ' ') && memcmp(words.p + i, word, n) == 0 &&
            (i + n == words.n || words.p[i + n] == ' '))
            return true;
    }
    return false;
}

static void tell_needs(struct diagnosis *d, const struct row *r, const char *study)
{
    struct buf needs = {0};
    struct str labels = row_text(r, "labels");
    double cpu = row_number(r, "cpu"), memory = row_number(r, "memory");
    long long gpu = (long long)row_int(r, "gpu", 0);
    if (cpu > 0)
        buf_printf(&needs, " %g processors", cpu);
    if (gpu)
        buf_printf(&needs, " %lld GPU%s", gpu, gpu == 1 ? "" : "s");
    if (memory > 0) {
        buf_addz(&needs, " memory ");
        cell_bytes(&needs, memory);
    }
    if (labels.n)
        buf_printf(&needs, " labels " STR_FMT, STR_ARG(labels));
    diagnosis_add(d, HEALTH_FAIL, "study",
                  "start a worker that has them (tunefarm worker --gpus, --labels ...), or change "
                  "objective.resources and objective.labels",
                  "%s waits: none of %lld workers has what a trial needs:%s", study,
                  (long long)row_int(r, "workers", 0), buf_z(&needs));
    buf_fini(&needs);
}

/* The first that applies is the one to begin with. */
bool farmcheck_study(struct diagnosis *d, const struct row *r)
{
    char study[200];
    struct str waits = row_text(r, "waits");
    z(study, row_text(r, "study"));
    if (has_word(waits, "paused"))
        diagnosis_add(d, HEALTH_OK, "study", NULL, "%s is paused; tunefarm resume lets it go on",
                      study);
    else if (has_word(waits, "broken_optimizer"))
        diagnosis_add(d, HEALTH_FAIL, "study",
                      "see the optimizer's log; submitting the study again lets it try again",
                      "%s: its optimizer proposed what cannot be, and lost it", study);
    else if (has_word(waits, "no_optimizer"))
        diagnosis_add(d, HEALTH_FAIL, "study", "start one: tunefarm optimizer --broker ADDRESS",
                      "%s waits: no optimizer is attached to it", study);
    else if (has_word(waits, "no_worker"))
        diagnosis_add(d, HEALTH_FAIL, "study", "start one: tunefarm worker --broker ADDRESS",
                      "%s waits: no worker is connected", study);
    else if (has_word(waits, "no_fit"))
        tell_needs(d, r, study);
    else if (has_word(waits, "proposals"))
        diagnosis_add(d, HEALTH_WARN, "study",
                      "see whether the optimizer is busy: its log, and the load of its machine",
                      "%s waits for proposals", study);
    else
        return true;
    return false;
}

/* ---- peers ---- */

void farmcheck_peer(struct farmcheck_peers *p, const struct row *r)
{
    bool worker = str_is(row_text(r, "role"), "worker");
    bool optimizer = str_is(row_text(r, "role"), "optimizer");
    int64_t silent = row_int(r, "silent_ms", 0), clock = row_int(r, "clock_ms", 0);
    struct str version = row_text(r, "version"), name = row_text(r, "name");
    if (!worker && !optimizer)
        return;
    p->workers += worker;
    p->optimizers += optimizer;
    p->slots += (uint64_t)row_int(r, "slots", 0);
    p->running += (uint64_t)row_int(r, "running", 0);
    if (silent > 2 * p->broker->beat_ms) {
        p->silent++;
        if (silent > p->silent_ms)
            str_copyz(p->silent_name, sizeof p->silent_name, name);
        p->silent_ms = silent > p->silent_ms ? silent : p->silent_ms;
    }
    if (version.n && !str_is(version, p->broker->version)) {
        p->other_version++;
        str_copyz(p->version_name, sizeof p->version_name, name);
        str_copyz(p->version, sizeof p->version, version);
    }
    if (llabs(clock) > CLOCK_MS) {
        p->other_clock++;
        if (llabs(clock) > llabs(p->clock_ms)) {
            p->clock_ms = clock;
            str_copyz(p->clock_name, sizeof p->clock_name, name);
        }
    }
}

void farmcheck_peers_end(struct diagnosis *d, const struct farmcheck_peers *p)
{
    unsigned long long workers = p->workers, optimizers = p->optimizers;
    if (p->silent)
        diagnosis_add(d, HEALTH_WARN, "peers", "see its machine, its log and the network between",
                      "%llu of %llu peers missed a beat, for longest %s: silent for %.1f s",
                      (unsigned long long)p->silent, workers + optimizers, p->silent_name,
                      (double)p->silent_ms / 1000);
    else
        diagnosis_add(d, HEALTH_OK, "peers", NULL,
                      "%llu worker%s with %llu of %llu slots in use, %llu optimizer%s; all beat",
                      workers, plural(workers), (unsigned long long)p->running,
                      (unsigned long long)p->slots, optimizers, plural(optimizers));
    if (p->other_version)
        diagnosis_add(d, HEALTH_WARN, "versions", "bring all machines to one version, broker first",
                      "%llu peers are of another version than the broker (%s): %s is %s",
                      (unsigned long long)p->other_version, p->broker->version, p->version_name,
                      p->version);
    else if (workers + optimizers)
        diagnosis_add(d, HEALTH_OK, "versions", NULL, "all peers are tunefarm %s",
                      p->broker->version);
    if (p->other_clock)
        diagnosis_add(d, HEALTH_WARN, "clocks",
                      "leases do not care, but times shown to people do: keep them with NTP",
                      "the wall clocks of %llu workers are not the broker's, furthest %s: %lld ms",
                      (unsigned long long)p->other_clock, p->clock_name, (long long)p->clock_ms);
    else if (workers)
        diagnosis_add(d, HEALTH_OK, "clocks", NULL, "the workers' wall clocks agree");
}

/* ---- counters ---- */

/* Causes that a healthy farm does not know, however often it is restarted. */
static const enum counter odd[] = {
    COUNT_BAD_FRAME,    COUNT_BAD_CHECKSUM,  COUNT_OTHER_VERSION,     COUNT_UNKNOWN_KIND,
    COUNT_INVALID_BODY, COUNT_TOO_LARGE,     COUNT_MISSING_FRAMES,    COUNT_INVALID_HELLO,
    COUNT_REFUSED_ROLE, COUNT_EXCESS_CREDIT, COUNT_TOO_MANY_SESSIONS, COUNT_BAD_PROPOSAL,
    COUNT_DISK_FULL,    COUNT_SPAWN_FAILED,  COUNT_FETCH_FAILED,      COUNT_BAD_BROKER_FRAME,
};

void farmcheck_counters(struct diagnosis *d, const struct stats *s)
{
    struct buf text = {0};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        if (s->farm.v[odd[i]])
            buf_printf(&text, "%s%s %llu", text.n ? ", " : "", counter_name(odd[i]),
                       (unsigned long long)s->farm.v[odd[i]]);
    }
    if (text.n)
        diagnosis_add(d, HEALTH_WARN, "counters", "tunefarm workers --stats tells whose and why",
                      "since the broker's start: %s", buf_z(&text));
    else
        diagnosis_add(d, HEALTH_OK, "counters", NULL, "nothing odd was refused or missed");
    buf_fini(&text);
}

/* ---- asking ---- */

struct asking {
    struct diagnosis *d;
    struct farmcheck_broker broker;
    struct farmcheck_peers peers;
    uint64_t studies, fine;
    bool quiet; /* the answer is only timed */
};

static err_t on_broker(void *self, const struct row *r, struct errmsg *em)
{
    struct asking *a = self;
    (void)em;
    if (r->values && !a->quiet)
        farmcheck_broker(a->d, r, &a->broker);
    return ERR_OK;
}

static err_t on_machine(void *self, const struct row *r, struct errmsg *em)
{
    struct asking *a = self;
    (void)em;
    if (r->values)
        farmcheck_machine(a->d, r);
    return ERR_OK;
}

static err_t on_study(void *self, const struct row *r, struct errmsg *em)
{
    struct asking *a = self;
    (void)em;
    if (!r->values)
        return ERR_OK;
    a->studies++;
    a->fine += farmcheck_study(a->d, r);
    return ERR_OK;
}

static err_t on_peer(void *self, const struct row *r, struct errmsg *em)
{
    struct asking *a = self;
    (void)em;
    if (r->values)
        farmcheck_peer(&a->peers, r);
    return ERR_OK;
}

static err_t on_finding(void *self, const struct row *r, struct errmsg *em)
{
    struct asking *a = self;
    (void)em;
    if (r->values)
        examination_line(a->d, r->json);
    return ERR_OK;
}

static err_t time_answers(struct asking *a, const struct farmcheck *f, struct errmsg *em)
{
    int64_t took[ASKS];
    a->quiet = true;
    for (int i = 0; i < ASKS; i++) {
        int64_t began = clock_now();
        err_t e = source_inspect(f->s, "broker", 0, on_broker, a, em);
        if (e)
            return e;
        took[i] = clock_now() - began;
    }
    a->quiet = false;
    int64_t median = diagnosis_median(took, ASKS);
    double ms = (double)median / (double)NS_PER_MS;
    if (median > SLOW_NS)
        diagnosis_add(a->d, HEALTH_WARN, "broker", "see the load of its machine and the network",
                      "%s answers within %.0f ms (median of %d)", f->endpoint, ms, ASKS);
    else
        diagnosis_add(a->d, HEALTH_OK, "broker", NULL, "%s answers within %.2f ms (median of %d)",
                      f->endpoint, ms, ASKS);
    return ERR_OK;
}

/* A feed on all interfaces of the broker's machine is reached where the broker is. */
static void feed_address(const struct farmcheck *f, const char *feed, char out[600])
{
    struct endpoint broker, at;
    snprintf(out, 600, "%s", feed);
    if (endpoint_parse(&at, str_of(feed), NULL) || !at.tcp ||
        endpoint_parse(&broker, str_of(f->endpoint), NULL) || !broker.tcp)
        return;
    if (strcmp(at.host, "0.0.0.0") == 0 || strcmp(at.host, "*") == 0 ||
        strcmp(at.host, "[::]") == 0)
        snprintf(out, 600, "tcp://%s:%u", broker.host, at.port);
}

static void try_feed(struct asking *a, const struct farmcheck *f)
{
    char address[600];
    struct errmsg em;
    if (!a->broker.feed[0]) {
        diagnosis_add(a->d, HEALTH_OK, "feed", NULL, "the broker has none");
        return;
    }
    feed_address(f, a->broker.feed, address);
    if (feedprobe_run(address, f->key, FEED_MS, &em))
        diagnosis_add(a->d, HEALTH_WARN, "feed",
                      "open its port (the one behind the broker's) towards those that read it",
                      "%s", em.text);
    else
        diagnosis_add(a->d, HEALTH_OK, "feed", NULL, "%s can be heard", address);
}

static err_t ask_counters(struct asking *a, const struct farmcheck *f, struct errmsg *em)
{
    struct stats stats;
    err_t e = stats_fetch(&stats, f->s, em);
    if (!e)
        farmcheck_counters(a->d, &stats);
    stats_fini(&stats);
    return e;
}

static err_t ask_studies(struct asking *a, const struct farmcheck *f, struct errmsg *em)
{
    err_t e = source_inspect(f->s, "studies", 0, on_study, a, em);
    if (!e && a->fine == a->studies)
        diagnosis_add(a->d, HEALTH_OK, "studies", NULL,
                      "%llu open, none waits for anything but slots",
                      (unsigned long long)a->studies);
    return e;
}

static void look_through(struct asking *a, const struct farmcheck *f)
{
    struct errmsg em;
    if (source_inspect(f->s, "check", CHECK_PATIENCE, on_finding, a, &em))
        diagnosis_add(a->d, HEALTH_FAIL, "database",
                      "see whether the broker still runs, and its log",
                      "the look through the database was broken off: %s", em.text);
}

err_t farmcheck_run(struct diagnosis *d, const struct farmcheck *f, struct errmsg *em)
{
    struct asking a = {.d = d};
    a.peers.broker = &a.broker;
    err_t e = time_answers(&a, f, em);
    if (!e)
        e = source_inspect(f->s, "broker", 0, on_broker, &a, em);
    if (!e)
        try_feed(&a, f);
    if (!e)
        e = source_inspect(f->s, "machine", 0, on_machine, &a, em);
    if (!e)
        e = source_inspect(f->s, "peers", 0, on_peer, &a, em);
    if (!e)
        farmcheck_peers_end(d, &a.peers);
    if (!e)
        e = ask_studies(&a, f, em);
    if (!e)
        e = ask_counters(&a, f, em);
    if (!e && !f->quick)
        look_through(&a, f);
    return e;
}
