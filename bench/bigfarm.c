/* bench-bigfarm: makes the database of a farm that has run for a long time: so many studies, trials
 * and reports as are asked for, the same for the same seed.
 *
 *     bench-bigfarm [OPTION ...] FILE
 *
 * Nothing here knows the database: the broker's own core makes and applies every record, as it
 * would for messages, and its journal writes them, in groups as large as a busy broker's. Time is
 * virtual. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "alloc.h"
#include "envelope.h"
#include "farm_state.h"
#include "hash.h"
#include "journal.h"
#include "opt.h"
#include "remote.h"
#include "rng.h"
#include "spec.h"
#include "study.h"
#include "trial.h"
#include "verbs.h"

#define WORKER     1 /* peers */
#define CLIENT     2
#define GROUP      4096
#define IN_FLIGHT  4
#define STEP_NS    (NS_PER_MS / 10) /* virtual time between two records */
#define WALL_START INT64_C(1700000000000)

struct options {
    uint64_t studies, trials, reports, slots, seed;
    bool open, killed;
};
static const struct opt_row rows[] = {
    {.name = "studies",
     .type = OPT_U64,
     .offset = offsetof(struct options, studies),
     .initial = "1",
     .min = 1,
     .max = 1e5,
     .value = "N",
     .help = "Studies, all at once."},
    {.name = "trials",
     .type = OPT_U64,
     .offset = offsetof(struct options, trials),
     .initial = "1000",
     .min = 1,
     .max = 1e7,
     .value = "N",
     .help = "Trials of each."},
    {.name = "reports",
     .type = OPT_U64,
     .offset = offsetof(struct options, reports),
     .initial = "10",
     .min = 0,
     .max = 1e5,
     .value = "N",
     .help = "Reports of each trial."},
    {.name = "slots",
     .type = OPT_U64,
     .offset = offsetof(struct options, slots),
     .initial = "64",
     .min = 1,
     .max = 65536,
     .value = "N",
     .help = "Trials of a study at once."},
    {.name = "seed",
     .type = OPT_U64,
     .offset = offsetof(struct options, seed),
     .initial = "1",
     .min = 0,
     .max = 1e18,
     .value = "N",
     .help = "Of everything that is drawn."},
    {.name = "open",
     .type = OPT_FLAG,
     .offset = offsetof(struct options, open),
     .help = "The studies have not ended: each could have one trial more."},
    {.name = "killed",
     .type = OPT_FLAG,
     .offset = offsetof(struct options, killed),
     .help = "End as if killed: rows and log are left as they are."},
};
static const struct opt_table table = {
    .program = "bench-bigfarm",
    .usage = "bench-bigfarm [OPTION ...] FILE",
    .summary = "make the database of a large farm",
    .text = "Makes FILE, which must not be there.",
    .rows = rows,
    .n = sizeof rows / sizeof *rows,
};

struct running {
    struct trial *trial;
    uint64_t reports; /* still to come */
    double loss;
};
struct big_study {
    struct study *study;
    struct running *slots;
    uint64_t proposed, running;
};
struct bigfarm {
    const struct options *o;
    struct farm *farm;
    struct journal *journal;
    struct group *group;
    unsigned in_flight;
    int64_t now;
    uint64_t client, requests;
    struct worker *worker;
    struct rng rng;
    struct big_study *studies;
};

static void die(const char *what, const struct errmsg *em)
{
    fprintf(stderr, "bench-bigfarm: %s: %s\n", what, em->text);
    exit(1);
}

/* ---- groups ---- */

static void take_done(struct bigfarm *b)
{
    for (struct group *g; (g = journal_done(b->journal));) {
        b->in_flight--;
        group_free(g);
    }
}

static void hand_over(struct bigfarm *b, bool all)
{
    farm_flush_rows(b->farm, b->now, all, &b->group->fx);
    b->group->fx.n_messages = 0; /* nobody is there */
    journal_submit(b->journal, b->group);
    b->in_flight++;
    b->group = group_new();
    for (take_done(b); b->in_flight >= (all ? 1 : IN_FLIGHT); take_done(b))
        usleep(200);
}

/* Where a record is about to be made. */
static struct act act(struct bigfarm *b)
{
    if (b->group->fx.n_records >= GROUP)
        hand_over(b, false);
    b->now += STEP_NS;
    return (struct act){b->farm, b->now, &b->group->fx};
}

/* ---- what a farm has before its first trial ---- */

static uint64_t hello(struct bigfarm *b, uint64_t peer, uint8_t role)
{
    union message m = {.hello = {.role = role,
                                 .version_min = PROTO_MAJOR,
                                 .version_max = PROTO_MAJOR,
                                 .peer = {{(uint8_t)peer}},
                                 .host = STR("host"),
                                 .name = STR("bigfarm"),
                                 .slots = 65536}};
    struct farm_input in = {.peer = peer, .kind = MSG_HELLO, .msg = &m};
    farm_on_message(b->farm, b->now, &in, &b->group->fx);
    struct session *s = idmap_get(&b->farm->peers, peer);
    REQUIRE(s);
    return s->number;
}

static void write_spec(const struct bigfarm *b, const char *name, struct buf *out)
{
    uint64_t stop = b->o->trials + b->o->open;
    buf_printf(out,
               "{\"study\":\"%s\",\"objective\":{\"command\":[\"true\"],\"metric\":\"loss\","
               "\"resources\":{\"cpu\":0}},\"space\":{\"x\":{\"float\":[0,1]},\"lr\":{\"float\":"
               "[1e-05,1],\"log\":true},\"n\":{\"int\":[1,512],\"log\":true},\"act\":{\"choice\":["
               "\"relu\",\"tanh\",\"gelu\"]}},\"sampler\":{\"name\":\"tpe\",\"seed\":1},\"stop\":{"
               "\"trials\":%llu}}",
               name, (unsigned long long)stop);
}

static void submit(struct bigfarm *b, struct big_study *s, uint64_t number)
{
    char name[32];
    struct buf json = {0};
    struct errmsg em = {{0}};
    struct spec *spec;
    struct envelope env;
    struct arena arena;
    arena_init(&arena, 0);
    snprintf(name, sizeof name, "s%llu", (unsigned long long)number);
    write_spec(b, name, &json);
    if (spec_parse(buf_str(&json), &spec, &em) != ERR_OK ||
        envelope_read(buf_str(&json), &arena, &env, &em) != ERR_OK)
        die("the specification", &em);
    union message m = {.submit = {.request = {{1, (uint8_t)(number >> 16), (uint8_t)(number >> 8),
                                               (uint8_t)number}},
                                  .name = str_of(name),
                                  .spec = buf_str(&json),
                                  .digest = hash_bytes(buf_str(&json)),
                                  .search = spec_search_digest(spec)}};
    struct farm_input in = {
        .peer = CLIENT, .session = b->client, .kind = MSG_SUBMIT, .msg = &m, .envelope = &env};
    farm_on_message(b->farm, b->now, &in, &b->group->fx);
    s->study = study_named(b->farm, str_of(name));
    REQUIRE(s->study);
    struct act a = act(b);
    struct record r = {.kind = REC_ATTACHED, .number = 1, .who = {{3}}};
    verb_record(&a, s->study, &r, NULL);
    s->slots = alloc_array(b->o->slots, sizeof *s->slots);
    spec_free(spec);
    arena_fini(&arena);
    buf_fini(&json);
}

static void begin(struct bigfarm *b)
{
    hello(b, WORKER, ROLE_WORKER);
    b->client = hello(b, CLIENT, ROLE_CLIENT);
    b->worker = remote_find(b->farm, (struct id128){{WORKER}});
    REQUIRE(b->worker);
    b->studies = alloc_array(b->o->studies, sizeof *b->studies);
    for (uint64_t i = 0; i < b->o->studies; i++)
        submit(b, &b->studies[i], i);
}

/* ---- trials ---- */

static void grant(struct bigfarm *b, struct running *r)
{
    struct act a = act(b);
    verb_grant(&a, r->trial, b->worker);
    struct record started = {.kind = REC_STARTED,
                             .trial = r->trial->number,
                             .attempt = r->trial->attempt,
                             .number = 4242,
                             .note = STR("host")};
    a = act(b);
    verb_record(&a, r->trial->study, &started, NULL);
    r->reports = b->o->reports;
}

static void propose(struct bigfarm *b, struct big_study *s, struct running *r)
{
    static const char *const acts[] = {"relu", "tanh", "gelu"};
    char params[160];
    double x = rng_unit(&b->rng), lr = pow(10, rng_between(&b->rng, -5, 0));
    unsigned n = 1 + (unsigned)rng_below(&b->rng, 512);
    snprintf(params, sizeof params, "{\"x\":%.17g,\"lr\":%.17g,\"n\":%u,\"act\":\"%s\"}", x, lr, n,
             acts[rng_below(&b->rng, 3)]);
    struct record p = {.kind = REC_PROPOSED,
                       .trial = s->proposed,
                       .text = str_of(params),
                       .note =
                           STR("{\"how\":\"model\",\"good\":14,\"below\":-2.31,\"above\":-4.02}"),
                       .number = s->proposed,
                       .based_on = s->study->study_seq,
                       .behind = (uint32_t)s->running};
    struct act a = act(b);
    verb_record(&a, s->study, &p, NULL);
    r->trial = trial_get(s->study, s->proposed++);
    r->loss = (x - 0.3) * (x - 0.3) + fabs(log10(lr) + 3) / 10;
    s->running++;
    grant(b, r);
}

static void report(struct bigfarm *b, struct running *r)
{
    double rest = 1 + (double)r->reports / 4;
    struct record x = {.kind = REC_REPORTED,
                       .trial = r->trial->number,
                       .attempt = r->trial->attempt,
                       .has_step = true,
                       .step = (int64_t)(b->o->reports - r->reports),
                       .has_value = true,
                       .value = r->loss * rest + rng_unit(&b->rng) / 100,
                       .text = STR("{\"acc\":0.97}")};
    struct act a = act(b);
    verb_record(&a, r->trial->study, &x, NULL);
    r->reports--;
}

static void finish(struct bigfarm *b, struct big_study *s, struct running *r, uint64_t fate)
{
    struct act a = act(b);
    if (fate < 2) {
        struct msg_final f = {.status = FINAL_ERROR, .exit_code = 1, .runtime_ms = 900};
        verb_finish(&a, r->trial, TRIAL_FAILED, &f, STR("exit status 1: out of memory"));
    } else {
        struct msg_final f = {.has_value = true, .value = r->loss, .runtime_ms = 5123};
        verb_finish(&a, r->trial, TRIAL_COMPLETE, &f, (struct str){0});
    }
    r->trial = NULL;
    s->running--;
}

/* Stopped in the midst, as a scheduler does. */
static void prune(struct bigfarm *b, struct big_study *s, struct running *r)
{
    struct act a = act(b);
    verb_stop(&a, r->trial, STOP_PRUNE, r->trial->open->im.step, true, STR("{}"));
    a = act(b);
    verb_finish(&a, r->trial, TRIAL_PRUNED, NULL, (struct str){0});
    r->trial = NULL;
    s->running--;
}

/* One record or two of the trial in a slot. Of 100 trials 2 fail, 10 are pruned, 1 is lost once. */
static void advance(struct bigfarm *b, struct big_study *s, struct running *r)
{
    uint64_t fate = r->trial ? r->trial->number * 7919 % 100 : 0;
    bool half = r->trial && r->reports == b->o->reports / 2 && r->trial->open->im.has_step;
    if (!r->trial) {
        if (s->proposed < b->o->trials)
            propose(b, s, r);
    } else if (half && fate == 50 && r->trial->attempt == 1) {
        struct act a = act(b);
        verb_lost(&a, r->trial, "the worker is silent");
        grant(b, r);
    } else if (half && fate >= 90) {
        prune(b, s, r);
    } else if (r->reports) {
        report(b, r);
    } else {
        finish(b, s, r, fate);
    }
}

/* False: it is done. */
static bool round_of(struct bigfarm *b, struct big_study *s)
{
    for (uint64_t i = 0; i < b->o->slots; i++)
        advance(b, s, &s->slots[i]);
    return s->running || s->proposed < b->o->trials;
}

static void end(struct bigfarm *b)
{
    for (uint64_t i = 0; i < b->o->studies && !b->o->open; i++) {
        struct act a = act(b);
        verb_close_study(&a, b->studies[i].study, STR("trials"));
        struct record r = {.kind = REC_STUDY_ENDED};
        verb_record(&a, b->studies[i].study, &r, NULL);
    }
    hand_over(b, !b->o->killed);
    for (take_done(b); b->in_flight; take_done(b))
        usleep(200);
}

static void make(struct bigfarm *b)
{
    begin(b);
    for (bool more = true; more;) {
        more = false;
        for (uint64_t i = 0; i < b->o->studies; i++)
            more |= round_of(b, &b->studies[i]);
    }
    end(b);
}

static void open_all(struct bigfarm *b, const char *file)
{
    struct errmsg em = {{0}};
    struct journal_config jc = {.file = file};
    struct farm_config c;
    if (access(file, F_OK) == 0)
        die(file, &(struct errmsg){"is there already"});
    if (journal_open(&b->journal, &jc, &em) != ERR_OK || journal_start(b->journal, &em) != ERR_OK)
        die(file, &em);
    struct journal_ids ids = journal_ids(b->journal);
    farm_config_defaults(&c);
    c.farm = ids.farm;
    c.timeline = ids.timeline;
    c.version = "bigfarm";
    c.max_sessions = 16;
    b->farm = farm_new(&c);
    b->group = group_new();
    b->now = NS_PER_S;
    rng_seed(&b->rng, b->o->seed);
    farm_set_wall(b->farm, WALL_START);
    farm_load_done(b->farm, b->now, 0, &b->group->fx);
}

int main(int argc, char **argv)
{
    struct options o;
    struct opts opts;
    struct errmsg em = {{0}};
    struct bigfarm b = {.o = &o};
    if (opt_parse(&table, &o, argc, argv, &opts, &em) != ERR_OK)
        die("options", &em);
    if (opts.help || opts.n_operands != 1) {
        struct buf text = {0};
        opt_print_help(&table, &text);
        fwrite(text.p, 1, text.n, stdout);
        buf_fini(&text);
        return opts.help ? 0 : 2;
    }
    int64_t began = clock_now();
    open_all(&b, opts.operands[0]);
    make(&b);
    uint64_t records = farm_seq(b.farm);
    double seconds = (double)(clock_now() - began) / 1e9;
    printf("%llu records in %.1f s: %.0f records/s\n", (unsigned long long)records, seconds,
           (double)records / seconds);
    fflush(stdout);
    if (o.killed)
        _exit(0);
    journal_close(b.journal);
    farm_free(b.farm);
    group_free(b.group);
    for (uint64_t i = 0; i < o.studies; i++)
        free(b.studies[i].slots);
    free(b.studies);
    opt_fini(&opts);
    return 0;
}
