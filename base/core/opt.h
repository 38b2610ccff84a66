/* Typed option table: one row is an option's flag, environment variable, name in the settings file,
 * help text and man page entry. Precedence: command line, then environment, then file, then
 * default. */
#ifndef FARM_BASE_OPT_H
#define FARM_BASE_OPT_H

#include "buf.h"

enum opt_type {
    OPT_FLAG, /* bool */
    OPT_U64,  /* uint64_t, between min and max */
    OPT_F64,  /* double, between min and max */
    OPT_STR,  /* const char *, owned by the opts */
    OPT_LIST, /* struct opt_list: may be given several times; one line or one comma-separated value
                 elsewhere */
    OPT_DURATION, /* int64_t nanoseconds; text: 250ms, 5s, 10m, 2h, 1d, or plain seconds */
    OPT_BYTES,    /* uint64_t; text: 512, 64K, 10M, 2G (powers of 1024) */
    OPT_CHOICE,   /* int: index into choices, "a|b|c" */
};
struct opt_list {
    const char **v;
    size_t n;
};
struct opt_row {
    const char *name; /* without dashes: "lease-ttl"; the file has the same, the environment
                         TUNEFARM_<PROGRAM>_LEASE_TTL */
    char letter;      /* 0 = none */
    enum opt_type type;
    size_t offset;       /* of the value in the settings struct */
    const char *initial; /* default as text; NULL = false, 0, NULL, empty */
    double min, max;     /* for numbers, durations (s) and bytes; both 0 = no bounds */
    const char *choices; /* OPT_CHOICE */
    const char *value;   /* metavariable in the help: "SECONDS" */
    const char *help;    /* one sentence or more; printed in help and man page */
    bool hidden;         /* for our own programs calling each other; not in the help */
};
struct opt_table {
    const char *program; /* "tunefarm broker" */
    const char *env;     /* "TUNEFARM_BROKER"; NULL = no environment */
    const char *usage;   /* "tunefarm run [OPTION ...] STUDY.yaml" lines, newline-separated */
    const char *summary; /* one line for the man page's NAME section */
    const char *text;    /* paragraphs of DESCRIPTION, separated by blank lines */
    const char *more; /* further man page sections in the form "TITLE\ntext\n\n..."; may be NULL */
    const struct opt_row *rows;
    size_t n;
    bool stop_at_operand; /* options end at the first operand */
};
struct opts {
    void *settings;
    const char *file;      /* the settings file that was read, or NULL */
    const char **operands; /* what is left of argv, in order; borrowed from argv */
    size_t n_operands;
    char **owned; /* texts kept alive for OPT_STR and OPT_LIST */
    size_t n_owned;
    const char ***lists; /* arrays kept alive for OPT_LIST */
    size_t n_lists;
    bool help, version, man; /* --help, --version, --man were given: print and exit 0 */
};

/* Fills settings (zeroed first, then defaults, file, environment, argv). Options may stand before
 * or behind operands unless stop_at_operand; "--" ends them. --config FILE names the settings file
 * (lines `name = value`, # comments); every table has --help, --version, --man, --config without
 * listing them. A fault names the option, where it was given (flag, environment variable, or
 * file:line), and what was expected; an unknown one the nearest known name. */
err_t opt_parse(const struct opt_table *t, void *settings, int argc, char **argv, struct opts *out,
                struct errmsg *em) MUST_CHECK;
void opt_fini(struct opts *o);
void opt_print_help(const struct opt_table *t, struct buf *out);
void opt_print_man(const struct opt_table *t, struct buf *out); /* roff, man(7) macros */
void opt_print_flags(const struct opt_table *t,
                     struct buf *out); /* "--name" a line, for shell completion */
/* Reads one duration or byte count, as in the tables; used for study files too. */
bool opt_duration(struct str s, int64_t *ns);
bool opt_bytes(struct str s, uint64_t *bytes);

#endif
