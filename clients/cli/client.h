/* What every command that talks to a farm shares: its options, their defaults from the environment
 * and the user's settings file, and the words for people. */
#ifndef FARM_CLI_CLIENT_H
#define FARM_CLI_CLIENT_H

#include <stdio.h>

#include "buf.h"
#include "opt.h"

struct client {
    const char *broker; /* NULL = none was named anywhere */
    const char *key;    /* NULL = the user's own */
    const char *db;     /* NULL = none */
    int64_t timeout;    /* ns, for an answer */
    bool json;
};

#define CLIENT_ROW_BROKER(T)                                                                       \
    {                                                                                              \
        .name = "broker", .letter = 'b', .type = OPT_STR, .offset = offsetof(T, client.broker),    \
        .value = "ADDRESS",                                                                        \
        .help =                                                                                    \
            "The farm to ask, as ipc://PATH or tcp://HOST:PORT. Default: $TUNEFARM_BROKER, then "  \
            "`broker = ADDRESS` in ~/.config/tunefarm/tunefarm.conf."                              \
    }
#define CLIENT_ROW_KEY(T)                                                                          \
    {                                                                                              \
        .name = "key", .type = OPT_STR, .offset = offsetof(T, client.key), .value = "FILE",        \
        .help = "The farm's key file, for tcp addresses. Default: $TUNEFARM_KEY, then "            \
                "~/.config/tunefarm/farm.key."                                                     \
    }
#define CLIENT_ROW_DB(T)                                                                           \
    {                                                                                              \
        .name = "db", .type = OPT_STR, .offset = offsetof(T, client.db), .value = "FILE",          \
        .help =                                                                                    \
            "Read this database in place of asking a farm; if a tunefarm run works on it, that "   \
            "is asked. Default when no farm is named: ./STUDY.tunefarm.db."                        \
    }
#define CLIENT_ROW_TIMEOUT(T)                                                                      \
    {                                                                                              \
        .name = "timeout", .type = OPT_DURATION, .offset = offsetof(T, client.timeout),            \
        .initial = "30s", .min = 0.1, .max = 86400, .value = "TIME",                               \
        .help = "How long the broker may take to answer."                                          \
    }
#define CLIENT_ROW_JSON(T)                                                                         \
    {                                                                                              \
        .name = "json", .letter = 'j', .type = OPT_FLAG, .offset = offsetof(T, client.json),       \
        .help = "Print JSON, one object a line, for programs."                                     \
    }
/* For commands that read. */
#define CLIENT_ROWS_READ(T)                                                                        \
    CLIENT_ROW_BROKER(T), CLIENT_ROW_KEY(T), CLIENT_ROW_DB(T), CLIENT_ROW_TIMEOUT(T),              \
        CLIENT_ROW_JSON(T)
/* For commands that change something. */
#define CLIENT_ROWS_CHANGE(T)                                                                      \
    CLIENT_ROW_BROKER(T), CLIENT_ROW_KEY(T), CLIENT_ROW_DB(T), CLIENT_ROW_TIMEOUT(T),              \
        CLIENT_ROW_JSON(T)

/* Where a command prints, and how wide. */
struct screen {
    bool tty; /* standard output is a terminal */
    bool utf8, color;
    size_t width; /* columns; 0 = not a terminal: no limit */
};

/* Texts that outlive the options. */
struct client_defaults {
    struct opts opts;
    struct client client;
};

/* Parses a command's options and fills what was not given from environment and settings file;
 * handles --help, --version and --man: then *done is true and the command returns 0. `defaults` and
 * `opts` must outlive the settings; finish with client_fini. A client in the settings (NULL = none)
 * is at `c`. */
err_t client_parse(const struct opt_table *t, void *settings, struct client *c, int argc,
                   char **argv, struct opts *opts, struct client_defaults *defaults, bool *done,
                   struct errmsg *em) MUST_CHECK;
void client_fini(struct opts *opts, struct client_defaults *defaults);

/* What a command does once its options are known. */
typedef err_t client_work(void *settings, const struct opts *o, struct errmsg *em);
/* A whole command: parses, checks the number of operands, works, prints the sentence of a fault;
 * its exit code. */
int client_main(const struct opt_table *t, void *settings, struct client *c, int argc, char **argv,
                size_t least, size_t most, client_work *work);

/* Prints "tunefarm: sentence" to standard error and returns the exit code of e. */
int client_fail(err_t e, const struct errmsg *em);
void client_note(const char *fmt, ...) PRINTF_LIKE(1, 2); /* "tunefarm: ..." on standard error */
bool client_write(FILE *out, struct str text) MUST_CHECK; /* false: not all of it */
/* Writes to standard output and says whether that worked. */
err_t client_print(const struct buf *text, struct errmsg *em) MUST_CHECK;
struct screen client_screen(int fd);
/* Refuses a wrong number of operands with the usage. most = SIZE_MAX: any number. */
err_t client_operands(const struct opt_table *t, const struct opts *o, size_t least, size_t most,
                      struct errmsg *em) MUST_CHECK;
/* A study's name as an operand; a name with "/" or ".yaml" gets a hint. */
err_t client_study_name(const char *text, struct errmsg *em) MUST_CHECK;
err_t client_number(const char *text, const char *what, uint64_t *out,
                    struct errmsg *em) MUST_CHECK;

#endif
