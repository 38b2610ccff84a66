/* The broker's option table: flags, environment, settings file, help and man page all come from it.
 *
 * Used by broker_main.c; the values go to broker.c as they are. */
#include "broker_options.h"

#include <stddef.h>

#include "clock.h"

#define AT(member) offsetof(struct broker_options, member)

static const struct opt_row rows[] = {
    {.name = "db",
     .type = OPT_STR,
     .offset = AT(db),
     .initial = "farm.db",
     .value = "FILE",
     .help = "The farm's database. It is made if it is not there; FILE.lock and FILE.ballast stand "
             "beside it. One broker "
             "at a time may have it, and it may not be on a network file system."},
    {.name = "listen",
     .type = OPT_LIST,
     .offset = AT(listen),
     .value = "ENDPOINT",
     .help = "Where workers, optimizers and clients connect: ipc://PATH or tcp://HOST:PORT. May be "
             "given several times. "
             "Default: tcp://127.0.0.1:7077."},
    {.name = "feed",
     .type = OPT_STR,
     .offset = AT(feed),
     .value = "ENDPOINT",
     .help = "Where many readers subscribe to events. Default: the first listen address with the "
             "next port, or with "
             "\".feed\" behind its path. \"none\" opens no feed."},
    {.name = "key",
     .type = OPT_STR,
     .offset = AT(key),
     .value = "FILE",
     .help = "The farm's key file, for tcp addresses; it is made at first use and has to be copied "
             "to every machine of "
             "the farm. Default: ~/.config/tunefarm/farm.key."},
    {.name = "lease-ttl",
     .type = OPT_DURATION,
     .offset = AT(lease_ttl),
     .initial = "30s",
     .min = 1,
     .max = 86400,
     .value = "TIME",
     .help = "A worker that is silent for so long loses its trials to others."},
    {.name = "beat",
     .type = OPT_DURATION,
     .offset = AT(beat),
     .initial = "5s",
     .min = 0.1,
     .max = 3600,
     .value = "TIME",
     .help = "How often everybody shows that it is there."},
    {.name = "orphan-grace",
     .type = OPT_DURATION,
     .offset = AT(orphan_grace),
     .initial = "10m",
     .min = 0,
     .max = 864000,
     .value = "TIME",
     .help = "How long a worker that lost the broker keeps its evaluators running."},
    {.name = "restart-grace",
     .type = OPT_DURATION,
     .offset = AT(restart_grace),
     .initial = "15s",
     .min = 0,
     .max = 86400,
     .value = "TIME",
     .help = "After a start, trials that were running wait for their workers for the lease's time "
             "and so much more."},
    {.name = "flush",
     .type = OPT_DURATION,
     .offset = AT(flush),
     .initial = "100ms",
     .min = 0,
     .max = 60,
     .value = "TIME",
     .help = "How long workers gather reports before they send them."},
    {.name = "ballast",
     .type = OPT_BYTES,
     .offset = AT(ballast),
     .initial = "64M",
     .min = 0,
     .max = 1e12,
     .value = "SIZE",
     .help = "Space kept in FILE.ballast and given up when the disk is full, so that results still "
             "get in. 0 = none."},
    {.name = "max-workers",
     .type = OPT_U64,
     .offset = AT(max_workers),
     .initial = "10000",
     .min = 1,
     .max = 100000,
     .value = "N",
     .help = "Most workers at once."},
    {.name = "max-sessions",
     .type = OPT_U64,
     .offset = AT(max_sessions),
     .initial = "20000",
     .min = 2,
     .max = 200000,
     .value = "N",
     .help = "Most connected peers at once."},
    {.name = "lost-limit",
     .type = OPT_U64,
     .offset = AT(lost_limit),
     .initial = "8",
     .min = 1,
     .max = 1000,
     .value = "N",
     .help = "A trial whose worker was lost so often while it ran has failed."},
    {.name = "sql-time",
     .type = OPT_DURATION,
     .offset = AT(sql_time),
     .initial = "5s",
     .min = 0.01,
     .max = 3600,
     .value = "TIME",
     .help = "Longest run of one question of `tunefarm sql`."},
    {.name = "record",
     .type = OPT_STR,
     .offset = AT(record),
     .value = "FILE",
     .help =
         "For looking into a fault: write everything that the broker is told into FILE, from "
         "which tunefarm-replay-inputs runs it again. It holds all that peers send, study files "
         "and logs too. If FILE is there, the number of this start is put behind its name."},
    {.name = "record-limit",
     .type = OPT_BYTES,
     .offset = AT(record_limit),
     .initial = "1G",
     .min = 4096,
     .max = 1e15,
     .value = "SIZE",
     .help = "The recording ends at this size, or when the disk has less than 256M left; the "
             "broker goes on."},
    DAEMONOPT_ROWS(struct broker_options, common),
    {.name = "pid-file",
     .type = OPT_STR,
     .offset = AT(pid_file),
     .value = "FILE",
     .help = "The process id is written here while the broker runs."},
    {.name = "daemon",
     .type = OPT_FLAG,
     .offset = AT(daemon),
     .help = "Go to the background once it serves; needs --log-file."},
    {.name = "rows",
     .type = OPT_DURATION,
     .offset = AT(rows),
     .initial = "1s",
     .min = 0,
     .max = 60,
     .value = "TIME",
     .help = "How long changed rows may wait before they are written.",
     .hidden = true},
    {.name = "check",
     .type = OPT_FLAG,
     .offset = AT(check),
     .help = "Recount every invariant after each group.",
     .hidden = true},
    {.name = "examine",
     .type = OPT_FLAG,
     .offset = AT(examine),
     .help = "Look through the database, which no broker may have open, and end.",
     .hidden = true},
};

static const char more[] = "SIGNALS\n"
                           "TERM, INT: end in order. Running evaluators go on; their workers wait "
                           "for the next start. HUP: reopen the log "
                           "file.\n\n"
                           "EXIT STATUS\n"
                           "0 after an orderly end; 2 for bad options or a database that cannot be "
                           "used; 4 if another broker has the "
                           "database; 5 if it is damaged. An input or output error of the disk "
                           "ends the process at once, by SIGABRT.\n\n";

const struct opt_table broker_options_table = {
    .program = "tunefarm broker",
    .env = "TUNEFARM_BROKER",
    .usage = "tunefarm broker [OPTION ...]",
    .summary = "remember studies, trials and results, and hand trials to workers",
    .text = "The broker of a farm. It owns the database, gives trials to the workers that connect, "
            "takes their reports "
            "and results, and tells optimizers and clients about them. What it has acknowledged is "
            "on the disk. It may "
            "be ended and started at any time: evaluators go on running, and nothing is lost.\n\n"
            "Other machines need a tcp address and the farm's key file. Without one, only an ipc "
            "address in a "
            "directory that belongs to you alone can be used.",
    .more = more,
    .rows = rows,
    .n = sizeof rows / sizeof *rows,
};

err_t broker_options_check(const struct broker_options *o, struct errmsg *em)
{
    if (!o->db || !*o->db)
        return errmsg_set(em, ERR_INVALID, "--db: the name of a file was expected");
    if (o->beat * 2 > o->lease_ttl)
        return errmsg_set(
            em, ERR_INVALID,
            "--beat: at most half of --lease-ttl was expected, so that one lost beat does no harm");
    if (o->daemon && !o->common.log_file)
        return errmsg_set(em, ERR_INVALID,
                          "--daemon: --log-file was expected, because there is no terminal then");
    return ERR_OK;
}
