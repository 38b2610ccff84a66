/* `tunefarm logs`: the end of what a trial wrote, brought by the broker from the worker that ran
 * it.
 *
 * Called by main.c. */
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "command.h"
#include "embed.h"
#include "source.h"

struct logs_settings {
    struct client client;
    uint64_t attempt, bytes;
};
static const struct opt_row logs_rows[] = {
    {.name = "attempt",
     .type = OPT_U64,
     .offset = offsetof(struct logs_settings, attempt),
     .initial = "0",
     .min = 0,
     .max = 4294967295.0,
     .value = "N",
     .help = "Of this attempt; 0 = the last."},
    {.name = "bytes",
     .letter = 'c',
     .type = OPT_BYTES,
     .offset = offsetof(struct logs_settings, bytes),
     .initial = "64K",
     .min = 1,
     .max = 65536,
     .value = "SIZE",
     .help = "So much from the end."},
    CLIENT_ROW_BROKER(struct logs_settings),
    CLIENT_ROW_KEY(struct logs_settings),
    CLIENT_ROW_DB(struct logs_settings),
    CLIENT_ROW_TIMEOUT(struct logs_settings),
};
static const struct opt_table logs_table = {
    .program = "tunefarm logs",
    .usage = "tunefarm logs [OPTION ...] STUDY TRIAL",
    .summary = "show the output of a trial",
    .text =
        "Prints the end of what a trial wrote to its standard output and error. The whole is in "
        "a file on the worker, whose place is said on standard error. The worker has to be "
        "connected.",
    .rows = logs_rows,
    .n = sizeof logs_rows / sizeof logs_rows[0],
};

static err_t print_log(struct brokerlink *l, const struct msg_get_log *m, struct errmsg *em)
{
    struct link_incoming in;
    err_t e = brokerlink_call(l, MSG_GET_LOG, m, m->request, &in, em);
    if (e)
        return e;
    if (in.kind != MSG_LOG_TEXT)
        return errmsg_set(em, ERR_FAILED, "the broker gave no output");
    if (in.m.log_text.error.n)
        return errmsg_set(em, ERR_NOT_FOUND, STR_FMT, STR_ARG(in.m.log_text.error));
    if (!client_write(stdout, in.m.log_text.bytes) || fflush(stdout))
        return errmsg_set(em, ERR_IO, "standard output cannot be written");
    if (in.m.log_text.where.n)
        client_note("the whole output is in " STR_FMT, STR_ARG(in.m.log_text.where));
    return ERR_OK;
}

/* Whether a path ends in "TRIAL.ATTEMPT" with a better attempt than `best` (wanted 0 = any). */
static bool better_attempt(const char *path, uint64_t wanted, uint64_t *best)
{
    uint64_t attempt;
    const char *dot = strrchr(path, '.');
    if (!dot || !str_to_u64(str_of(dot + 1), &attempt) || (wanted && attempt != wanted) ||
        attempt <= *best)
        return false;
    *best = attempt;
    return true;
}

static err_t print_end(const char *path, uint64_t bytes, struct errmsg *em)
{
    char piece[8192];
    FILE *file = fopen(path, "re");
    if (!file)
        return errmsg_set(em, ERR_IO, "%s cannot be read: %s", path, strerror(errno));
    if (fseek(file, -(long)bytes, SEEK_END))
        rewind(file);
    for (size_t n; (n = fread(piece, 1, sizeof piece, file)) > 0;)
        fwrite(piece, 1, n, stdout);
    fclose(file);
    client_note("the whole output is in %s", path);
    return fflush(stdout) ? errmsg_set(em, ERR_IO, "standard output cannot be written") : ERR_OK;
}

/* A path in a pattern that matches only itself. */
static void add_quoted(struct buf *pattern, const char *path)
{
    for (; *path; path++) {
        if (strchr("*?[]\\", *path))
            buf_addc(pattern, '\\');
        buf_addc(pattern, *path);
    }
}

/* A run that has ended leaves its workers' directory beside its database. */
static err_t print_file(const char *db, const struct logs_settings *g, const struct opts *o,
                        struct errmsg *em)
{
    struct buf pattern;
    glob_t found = {0};
    uint64_t best = 0;
    char *path = NULL;
    char *work_dir = embed_beside(db, ".work");
    err_t e = ERR_OK;
    buf_init(&pattern, 0);
    add_quoted(&pattern, work_dir);
    buf_printf(&pattern, "/w*/trials/%s/%s.*", o->operands[0], o->operands[1]);
    if (glob(buf_z(&pattern), 0, NULL, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc; i++)
            if (better_attempt(found.gl_pathv[i], g->attempt, &best))
                path = found.gl_pathv[i];
    buf_clear(&pattern);
    buf_printf(&pattern, "%s/output.log", path ? path : "");
    if (!path)
        e = errmsg_set(em, ERR_NOT_FOUND,
                       "no output of trial %s is left in %s, and no farm works on %s",
                       o->operands[1], work_dir, db);
    else if (access(buf_z(&pattern), F_OK) != 0)
        client_note("trial %s printed nothing", o->operands[1]);
    else
        e = print_end(buf_z(&pattern), g->bytes, em);
    globfree(&found);
    buf_fini(&pattern);
    free(work_dir);
    return e;
}

static err_t work(void *settings, const struct opts *o, struct errmsg *em)
{
    const struct logs_settings *g = settings;
    struct source *s;
    struct study_row study = {0};
    struct msg_get_log m = {.request = brokerlink_request(),
                            .attempt = (uint32_t)g->attempt,
                            .study_name = str_of(o->operands[0]),
                            .bytes = (uint32_t)g->bytes};
    err_t e = client_number(o->operands[1], "trial", &m.trial, em);
    if (!e)
        e = source_open(&s, &g->client, o->operands[0], em);
    if (e)
        return e;
    e = source_study(s, o->operands[0], &study, em);
    m.study = study.number;
    if (!e && m.trial >= study.trials)
        e = source_no_trial(&study, m.trial, em);
    if (!e)
        e = source_link(s) ? print_log(source_link(s), &m, em)
                           : print_file(source_name(s), g, o, em);
    study_row_fini(&study);
    source_close(s);
    return e;
}

int cmd_logs(int argc, char **argv)
{
    struct logs_settings s;
    return client_main(&logs_table, &s, &s.client, argc, argv, 2, 2, work);
}
