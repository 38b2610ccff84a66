/* `tunefarm run`: the whole farm in one command. Starts an embedded farm beside the database (or
 * uses one that is named), submits the study, follows it, and ends everything in order. The same
 * study goes on when it is run again.
 *
 * Called by main.c. The parts are elsewhere: studyfile.c reads, embed.c has the processes, upload.c
 * submits, follow.c and announce.c tell. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "buf.h"
#include "cell.h"
#include "clock.h"
#include "command.h"
#include "embed.h"
#include "follow.h"
#include "studycheck.h"
#include "upload.h"

#define MAX_FAILURES 5

struct run_settings {
    struct client client;
    const char *name, *trials, *seed;
    struct opt_list files;
    uint64_t workers, slots;
    bool edit, quiet, keep_going;
};

#define AT(field) .offset = offsetof(struct run_settings, field)
static const struct opt_row run_rows[] = {
    {.name = "trials",
     .letter = 't',
     .type = OPT_STR,
     AT(trials),
     .value = "N",
     .help = "How many trials; takes the place of stop.trials. A study that has ended goes on with "
             "a larger number."},
    {.name = "workers",
     .letter = 'w',
     .type = OPT_U64,
     AT(workers),
     .initial = "1",
     .min = 1,
     .max = EMBED_MAX_WORKERS,
     .value = "N",
     .help = "Worker processes of the embedded farm."},
    {.name = "slots",
     .letter = 's',
     .type = OPT_U64,
     AT(slots),
     .initial = "0",
     .min = 0,
     .max = 1024,
     .value = "N",
     .help = "Trials at once on each worker; 0 = as many as there are processors."},
    {.name = "name",
     .letter = 'n',
     .type = OPT_STR,
     AT(name),
     .value = "NAME",
     .help = "Name of a study that is given as a command line behind --."},
    {.name = "file",
     .letter = 'f',
     .type = OPT_LIST,
     AT(files),
     .value = "FILE",
     .help = "With -n: a file that the program needs, beside those among its arguments; may be "
             "given several times."},
    {.name = "seed",
     .type = OPT_STR,
     AT(seed),
     .value = "N",
     .help = "Seed of the sampler; takes the place of sampler.seed."},
    {.name = "db",
     .type = OPT_STR,
     .offset = offsetof(struct run_settings, client.db),
     .value = "FILE",
     .help = "The database. Default: ./NAME.tunefarm.db."},
    {.name = "edit",
     .type = OPT_FLAG,
     AT(edit),
     .help = "Go on with a study although what it searches has changed."},
    {.name = "keep-going",
     .letter = 'k',
     .type = OPT_FLAG,
     AT(keep_going),
     .help = "Do not give up when the first 5 trials fail."},
    {.name = "quiet", .letter = 'q', .type = OPT_FLAG, AT(quiet), .help = "Print the end only."},
    CLIENT_ROW_JSON(struct run_settings),
    CLIENT_ROW_BROKER(struct run_settings),
    CLIENT_ROW_KEY(struct run_settings),
    CLIENT_ROW_TIMEOUT(struct run_settings),
};
static const struct opt_table run_table = {
    .program = "tunefarm run",
    .usage = "tunefarm run [OPTION ...] STUDY.yaml\n"
             "tunefarm run -n NAME [OPTION ...] -- PROGRAM [ARGUMENT ...] --PARAMETER~'PRIOR'",
    .summary = "tune a study on this machine, or follow it on a farm",
    .text =
        "Starts a broker, an optimizer and workers on this machine, runs the study until one of "
        "its stop rules holds, and prints the best trial. What is known is kept in the database: "
        "run again after an interruption, or with more --trials, and the study goes on.\n\n"
        "With --broker ADDRESS, or $TUNEFARM_BROKER, nothing is started: the study is submitted "
        "to that farm and followed. It goes on there when this command is interrupted.\n\n"
        "In the second form the arguments of the program stand for the study: each "
        "--NAME~'PRIOR' is a parameter, for example --lr~'loguniform(1e-5, 1)', "
        "--layers~'uniformint(1, 4)' or --act~'choice(relu, tanh)'. Trials run in a directory of "
        "their study, to which the files among the arguments are brought; others are named with "
        "--file.\n\n"
        "On a terminal a live view shows progress; in a pipe there is one line for each "
        "improvement; with --json one object a line for each start and end of a trial, and a last "
        "one with study, trials by state and best.",
    .more = "FILES\n"
            "NAME.tunefarm.db: the database. NAME.tunefarm.log: what the daemons said. "
            "NAME.tunefarm.work: what the trials wrote, one directory an attempt.\n\n"
            "EXIT STATUS\n"
            "0: the study has ended and a trial completed. 1: no trial completed, or the farm "
            "failed. 130: interrupted; others as in tunefarm(1).\n\n",
    .rows = run_rows,
    .n = sizeof run_rows / sizeof run_rows[0],
};

/* One run, from the study that was read to the last word. */
struct run {
    struct run_settings s;
    struct opts opts;
    struct studyfile study;
    char *db;
    bool embedded, started;
    struct embed farm;
    struct brokerlink *link;
    struct submitted submitted;
    int signals;
    struct progress progress;
    struct announce announce;
    const char *again; /* what to type to go on */
};

static err_t whole_number(const char *text, const char *option, bool *has, uint64_t *out,
                          struct errmsg *em)
{
    *has = text != NULL;
    if (!text || (str_to_u64(str_of(text), out) && *out <= (uint64_t)1 << 53))
        return ERR_OK;
    return errmsg_set(em, ERR_INVALID, "%s: \"%.60s\" is no whole number", option, text);
}

static err_t read_study(struct run *r, struct errmsg *em)
{
    struct study_changes c = {.name = r->s.name, .files = r->s.files};
    err_t e = whole_number(r->s.trials, "--trials", &c.has_trials, &c.trials, em);
    if (!e)
        e = whole_number(r->s.seed, "--seed", &c.has_seed, &c.seed, em);
    if (e)
        return e;
    if (r->s.name) {
        e = client_study_name(r->s.name, em);
        if (e)
            return e;
        e = client_operands(&run_table, &r->opts, 1, SIZE_MAX, em);
        if (e)
            return e;
        return studyfile_inline(&r->study, (char *const *)r->opts.operands, r->opts.n_operands, &c,
                                em);
    }
    if (r->opts.n_operands > 1)
        return errmsg_set(em, ERR_INVALID,
                          "several arguments; expected one study file, or -n NAME -- PROGRAM "
                          "[ARGUMENT ...]");
    e = client_operands(&run_table, &r->opts, 1, 1, em);
    return e ? e : studyfile_load(&r->study, r->opts.operands[0], &c, em);
}

/* A trial that needs more processors than the workers will offer would wait for ever. */
static err_t check_machine(const struct run *r, struct errmsg *em)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    double needed = r->study.spec->objective.cpu;
    double offered = r->s.slots ? (double)r->s.slots : (double)processors;
    if (needed <= offered)
        return ERR_OK;
    return errmsg_set(em, ERR_INVALID,
                      "objective.resources.cpu: a trial needs %g processors, but a worker of this "
                      "run has %g; use more --slots, or ask for fewer processors",
                      needed, offered);
}

static err_t start_farm(struct run *r, struct errmsg *em)
{
    if (r->s.client.db) {
        r->db = str_dupz(str_of(r->s.client.db));
    } else {
        struct buf path;
        buf_init(&path, 0);
        buf_printf(&path, "./" STR_FMT ".tunefarm.db", STR_ARG(r->study.spec->study));
        r->db = buf_takez(&path);
    }
    struct embed_config c = {
        .db = r->db, .workers = (unsigned)r->s.workers, .slots = (unsigned)r->s.slots};
    err_t e = check_machine(r, em);
    if (!e)
        e = embed_start(&r->farm, &c, em);
    if (e)
        return e;
    r->started = true;
    return ERR_OK;
}

static err_t connect_and_submit(struct run *r, struct errmsg *em)
{
    struct brokerlink_config c = {
        .endpoint = r->embedded ? r->farm.endpoint : r->s.client.broker,
        .key = r->s.client.key,
        .connect_ns = r->embedded ? 30 * NS_PER_S : 5 * NS_PER_S,
        .answer_ns = r->s.client.timeout,
    };
    err_t e = brokerlink_open(&r->link, &c, em);
    if (!e)
        e = upload_study(r->link, &r->study, r->s.edit, true, &r->submitted, em);
    if (!e && r->embedded)
        e = embed_start_rest(&r->farm, em);
    return e;
}

static err_t on_child(void *self, struct errmsg *em)
{
    struct run *r = self;
    err_t e = embed_on_child(&r->farm, em);
    if (r->farm.told) {
        r->farm.told = false;
        announce_say(&r->announce, "%s", r->farm.notice);
    }
    return e;
}

static void spell_needs(const struct objective *o, struct buf *out)
{
    buf_printf(out, "%g processor%s", o->cpu, o->cpu == 1 ? "" : "s");
    if (o->gpu)
        buf_printf(out, ", %u GPU%s", o->gpu, o->gpu == 1 ? "" : "s");
    if (o->memory) {
        buf_addz(out, ", ");
        cell_bytes(out, (double)o->memory);
        buf_addz(out, " of memory");
    }
    for (uint32_t i = 0; i < o->n_labels; i++)
        buf_printf(out, "%s" STR_FMT, i ? ", " : ", the labels ", STR_ARG(o->labels[i]));
}

static err_t follow(struct run *r, enum follow_end *end, struct errmsg *em)
{
    const struct spec *spec = r->study.spec;
    char name[129];
    struct buf needs;
    buf_init(&needs, 0);
    spell_needs(&spec->objective, &needs);
    str_copyz(name, sizeof name, spec->study);
    progress_init(&r->progress, name, spec->objective.maximize, spec->stop.trials);
    progress_metric(&r->progress, spec->objective.metric);
    announce_init(&r->announce, r->s.client.json, r->s.quiet);
    if (r->submitted.continued)
        announce_say(&r->announce, "going on with %s", name);
    const struct stop_rules *stop = &spec->stop;
    bool stops = stop->trials || stop->time_ns || stop->has_target || stop->plateau_trials;
    if (!stops && !str_is(spec->sampler.name, "grid"))
        announce_say(&r->announce, "the study has no stop rule; it goes on until Ctrl-C");
    struct follow_config c = {
        .link = r->link,
        .study = name,
        .since = r->submitted.seq,
        .seq = r->submitted.seq,
        .max_failures = r->s.keep_going ? 0 : MAX_FAILURES,
        .needs = buf_z(&needs),
        .signals = r->signals,
        .on_child = r->embedded ? on_child : NULL,
        .self = r,
    };
    err_t e = follow_study(&c, &r->progress, &r->announce, end, em);
    buf_fini(&needs);
    announce_fini(&r->announce);
    if (r->announce.mode == ANNOUNCE_LIVE)
        r->announce.mode = ANNOUNCE_QUIET;
    return e;
}

static void cancel_study(struct run *r)
{
    struct msg_cancel m = {.request = brokerlink_request(), .study = r->study.spec->study};
    if (brokerlink_call(r->link, MSG_CANCEL, &m, m.request, NULL, NULL) != ERR_OK)
        client_note("the study could not be stopped on %s", brokerlink_endpoint(r->link));
}

/* Programs that are asked for checkpoints have the time that their study gives them. */
static int64_t patience(const struct spec *s)
{
    const struct objective *o = &s->objective;
    return o->checkpoint_ask == CHECKPOINT_UNASKED ? 0 : o->checkpoint_within_ns + NS_PER_S;
}

/* The farm ends before the last words, so that what is said is on disk and nothing runs behind a
 * returned prompt. A second Ctrl-C kills: the signals are given back their usual effect, and the
 * children notice that we are gone. */
static void end_farm(struct run *r, enum follow_end end)
{
    bool now = end != FOLLOW_ENDED;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    if (now && r->embedded) {
        if (end == FOLLOW_INTERRUPTED)
            client_note("giving running trials back; once more to end at once");
        sigprocmask(SIG_UNBLOCK, &set, NULL);
    }
    brokerlink_close(r->link);
    r->link = NULL;
    if (r->started)
        embed_stop(&r->farm, now ? patience(r->study.spec) : CLOCK_NEVER);
}

/* A word as a shell reads it back: quoted unless it is plain. */
static void spell_word(struct buf *out, const char *word)
{
    bool plain = word[0] != 0;
    for (const char *p = word; *p; p++)
        plain = plain && (strchr("-_./=:,+@%", *p) != NULL || (*p >= '0' && *p <= '9') ||
                          (*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z'));
    if (plain) {
        buf_addz(out, word);
        return;
    }
    buf_addc(out, '\'');
    for (const char *p = word; *p; p++) {
        if (*p == '\'')
            buf_addz(out, "'\\''");
        else
            buf_addc(out, *p);
    }
    buf_addc(out, '\'');
}

static void say_hint(const struct run *r)
{
    if (r->s.client.json || !r->announce.screen.tty || r->s.quiet)
        return;
    const char *name = r->progress.study;
    struct buf where;
    buf_init(&where, 0);
    if (r->embedded && r->s.client.db) {
        buf_addz(&where, " --db ");
        spell_word(&where, r->s.client.db);
    } else if (!r->embedded) {
        buf_addz(&where, " --broker ");
        spell_word(&where, r->s.client.broker);
    }
    printf("\nnext:\n  tunefarm best %s%s\n  tunefarm show %s %llu%s\n  tunefarm export %s%s\n",
           name, buf_z(&where), name, (unsigned long long)r->progress.best_trial, buf_z(&where),
           name, buf_z(&where));
    buf_fini(&where);
}

static int end_interrupted(struct run *r)
{
    const char *name = r->progress.study, *broker = r->s.client.broker;
    if (r->embedded)
        client_note("interrupted; go on with: %s", r->again);
    else
        client_note("no longer watching; the study goes on at %s\n"
                    "  watch it:  tunefarm watch %s --broker %s\n"
                    "  end it:    tunefarm stop %s --broker %s",
                    broker, name, broker, name, broker);
    return err_exit_code(ERR_INTERRUPTED);
}

/* The error text of a trial has its own lines (the end of a traceback, say), which stay lines. */
static void add_error(struct buf *out, struct str error)
{
    while (error.n) {
        const char *end = memchr(error.p, '\n', error.n);
        size_t n = end ? (size_t)(end - error.p) : error.n;
        if (n && out->n)
            buf_addz(out, "\n    ");
        cell_text(out, str_make(error.p, n), 400, true);
        n += end != NULL;
        error = str_make(error.p + n, error.n - n);
    }
}

static int end_without_success(const struct run *r, enum follow_end end)
{
    const struct progress *p = &r->progress;
    struct buf text;
    buf_init(&text, 0);
    if (p->last_error)
        add_error(&text, str_of(p->last_error));
    if (end == FOLLOW_FAILING)
        client_note("the first %llu trials failed, the last with: %s",
                    (unsigned long long)p->failures, text.n ? buf_z(&text) : "no error text");
    else if (p->finished)
        client_note("no trial completed%s%s", text.n ? "; the last failed with: " : "",
                    buf_z(&text));
    else
        client_note("the study ended without a trial (%s)", p->closed[0] ? p->closed : "stopped");
    buf_fini(&text);
    return err_exit_code(ERR_FAILED);
}

static void say_complete_already(const struct run *r)
{
    const struct progress *p = &r->progress;
    if (p->finished == p->finished_before && p->finished > 0)
        client_note("%s was complete already (%llu trial%s); a larger stop.trials, or --trials N, "
                    "lets it go on",
                    p->study, (unsigned long long)p->finished, p->finished == 1 ? "" : "s");
}

static int finish(struct run *r, enum follow_end end, int64_t began)
{
    double seconds = (double)(clock_now() - began) / (double)NS_PER_S;
    if (end == FOLLOW_FAILING && !r->embedded)
        cancel_study(r);
    end_farm(r, end);
    if (r->embedded)
        progress_given_back(&r->progress);
    if (end == FOLLOW_ENDED)
        say_complete_already(r);
    announce_end(&r->announce, &r->progress, seconds, NULL);
    if (end == FOLLOW_INTERRUPTED)
        return end_interrupted(r);
    if (!r->progress.has_best && r->progress.counts[TRIAL_COMPLETE] == 0)
        return end_without_success(r, end);
    say_hint(r);
    return 0;
}

static int fail(struct run *r, err_t e, const struct errmsg *em)
{
    brokerlink_close(r->link);
    r->link = NULL;
    if (r->started)
        embed_stop(&r->farm, 0);
    return client_fail(e, em);
}

static int carry_out(struct run *r)
{
    struct errmsg em = {{0}};
    enum follow_end end = FOLLOW_ENDED;
    int64_t began = clock_now();
    err_t e = read_study(r, &em);
    if (!e)
        e = studycheck(&r->study, &em);
    if (e)
        return client_fail(e, &em);
    studycheck_files(&r->study);
    r->embedded = !r->s.client.broker;
    e = follow_signals(&r->signals, &em);
    if (!e && r->embedded)
        e = start_farm(r, &em);
    if (!e)
        e = connect_and_submit(r, &em);
    if (e)
        return fail(r, e, &em);
    e = follow(r, &end, &em);
    int code = e ? fail(r, e, &em) : finish(r, end, began);
    progress_fini(&r->progress);
    return code;
}

/* The command line again, as a person would type it. */
static void spell(struct buf *out, int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        if (i)
            buf_addc(out, ' ');
        if (i == 0)
            buf_addz(out, argv[i]);
        else
            spell_word(out, argv[i]);
    }
}

int cmd_run(int argc, char **argv)
{
    struct run r = {.signals = -1, .farm = {.addr = {.fd = -1}}};
    struct client_defaults defaults;
    struct errmsg em = {{0}};
    struct buf again;
    bool done;
    buf_init(&again, 0);
    spell(&again, argc, argv);
    r.again = buf_z(&again);
    err_t e =
        client_parse(&run_table, &r.s, &r.s.client, argc, argv, &r.opts, &defaults, &done, &em);
    int code = e ? client_fail(e, &em) : done ? 0 : carry_out(&r);
    if (r.started)
        embed_fini(&r.farm);
    studyfile_fini(&r.study);
    free(r.db);
    if (r.signals >= 0)
        close(r.signals);
    client_fini(&r.opts, &defaults);
    buf_fini(&again);
    return code;
}
