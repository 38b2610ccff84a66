/* The program tunefarm-replay-inputs: options, and what is said at the end. Everything else is
 * rerun.c. */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

#include "opt.h"
#include "rerun.h"
#include "tape.h"

struct settings {
    const char *db;
    uint64_t check;
    bool print;
};

static const struct opt_row rows[] = {
    {.name = "db",
     .type = OPT_STR,
     .offset = offsetof(struct settings, db),
     .value = "COPY",
     .help = "A copy of the database as it was before the start that was recorded (FILE and "
             "FILE-wal), if it was not empty. The copy is changed."},
    {.name = "check",
     .type = OPT_U64,
     .offset = offsetof(struct settings, check),
     .initial = "1",
     .max = 1e12,
     .value = "N",
     .help = "Recount every invariant after each Nth input; 0 = never. It takes time in proportion "
             "to everything that the broker knows."},
    {.name = "print",
     .type = OPT_FLAG,
     .offset = offsetof(struct settings, print),
     .help = "Print each entry before it is taken."},
};

static const struct opt_table table = {
    .program = "tunefarm-replay-inputs",
    .usage = "tunefarm-replay-inputs [OPTION ...] RECORDING",
    .summary = "run a recording of a broker's inputs again",
    .text = "Reads what tunefarm broker --record has written, gives it to the core of a broker "
            "without sockets or database, and compares every group of journal records and messages "
            "with what came of it then. Says where they differ first, or that they do not.",
    .more = "EXIT STATUS\n0 if everything is the same; 1 if something differs or an invariant does "
            "not hold; 2 for bad options or a wrong copy; 5 if the recording is damaged.\n\n",
    .rows = rows,
    .n = sizeof rows / sizeof *rows,
};

static const char *end_text(const struct rerun_result *r)
{
    static const char *const texts[] = {[TAPE_IN_ORDER] = "",
                                        [TAPE_AT_LIMIT] = "; it ended at its limit of size",
                                        [TAPE_NO_ROOM] = "; it ended for want of room on the disk"};
    if (!r->ended)
        return r->unended ? "; the broker ended in the midst of a group" : "; it has no end mark";
    return r->how <= TAPE_NO_ROOM ? texts[r->how] : "";
}

static int run(const struct settings *s, const char *tape, struct errmsg *em)
{
    struct rerun_result r;
    struct rerun_options o = {
        .tape = tape, .db = s->db, .check = s->check, .print = s->print ? stdout : NULL};
    err_t e = rerun_tape(&o, &r, em);
    if (e != ERR_OK)
        return err_exit_code(e);
    printf("%s: the same: %" PRIu64 " inputs of %.3f s, %" PRIu64 " groups, %" PRIu64
           " records, %" PRIu64 " messages%s\n",
           tape, r.inputs, (double)r.ns / 1e9, r.groups, r.records, r.messages, end_text(&r));
    return fflush(stdout) == 0 ? 0 : 1;
}

static int print(const struct opts *opts)
{
    struct buf out = {0};
    if (opts->version)
        buf_printf(&out, "tunefarm-replay-inputs %s\n", TUNEFARM_VERSION);
    else if (opts->man)
        opt_print_man(&table, &out);
    else
        opt_print_help(&table, &out);
    fwrite(out.p, 1, out.n, stdout);
    buf_fini(&out);
    return fflush(stdout) == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct settings s;
    struct opts opts;
    struct errmsg em = {{0}};
    int status = 0;
    err_t e = opt_parse(&table, &s, argc, argv, &opts, &em);
    if (e == ERR_OK && (opts.help || opts.version || opts.man)) {
        status = print(&opts);
    } else if (e == ERR_OK && opts.n_operands != 1) {
        e = errmsg_set(&em, ERR_INVALID, "the file of one recording was expected");
    } else if (e == ERR_OK) {
        status = run(&s, opts.operands[0], &em);
    }
    if (e != ERR_OK)
        status = err_exit_code(e);
    if (status != 0 && em.text[0])
        fprintf(stderr, "tunefarm-replay-inputs: %s\n", em.text);
    opt_fini(&opts);
    return status;
}
