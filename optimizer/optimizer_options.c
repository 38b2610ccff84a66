/* One row an option: --help, the man page, environment and settings file come from here. */
#include "optimizer_options.h"

#include <stddef.h>

#define AT(field) offsetof(struct optimizer_options, field)

static const struct opt_row rows[] = {
    {.name = "broker",
     .letter = 'b',
     .type = OPT_STR,
     .offset = AT(broker),
     .value = "ENDPOINT",
     .help = "The broker's address: ipc://PATH or tcp://HOST:PORT."},
    {.name = "key",
     .letter = 'k',
     .type = OPT_STR,
     .offset = AT(key),
     .value = "FILE",
     .help = "The farm's key, needed over tcp. Default: ~/.config/tunefarm/farm.key."},
    {.name = "name",
     .type = OPT_STR,
     .offset = AT(name),
     .value = "NAME",
     .help = "A name for people. Default: the host's name and the process id."},
    {.name = "stdio",
     .type = OPT_STR,
     .offset = AT(stdio),
     .value = "STUDY",
     .help =
         "Serve this study file as a filter, with no broker: one JSON request a line on standard "
         "input, one answer a line on standard output."},
    {.name = "replay",
     .type = OPT_FLAG,
     .offset = AT(replay),
     .help = "Recompute the proposals of the journal on standard input, for tunefarm replay.",
     .hidden = true},
    DAEMONOPT_ROWS(struct optimizer_options, common),
};

const struct opt_table optimizer_options = {
    .program = "tunefarm optimizer",
    .env = "TUNEFARM_OPTIMIZER",
    .usage = "tunefarm optimizer --broker ENDPOINT [OPTION ...]\n"
             "tunefarm optimizer --stdio STUDY",
    .summary = "propose trials for the studies of a farm",
    .text =
        "The optimizer decides which points of a study's search space are tried. It connects to "
        "the "
        "broker, is given studies, reads their history, and answers the broker's question for "
        "proposals whenever a slot is free. It keeps nothing on disk: killed and started again, it "
        "reads the history from the broker and goes on with the same proposals.\n\n"
        "Several studies are served at once. When several optimizers are connected, the broker "
        "gives "
        "each study to one of them.\n\n"
        "With --stdio it is a filter that needs no farm: programs in any language ask for trials "
        "and "
        "tell their losses, one line of JSON each.",
    .more =
        "REQUESTS OF THE FILTER MODE\n"
        "{\"ask\": N} is answered {\"trials\": [{\"trial\": 0, \"params\": {...}}, ...]}; fewer "
        "than N "
        "mean that the study is at its end.\n\n"
        "{\"report\": {\"trial\": 0, \"step\": 3, \"loss\": 0.6}} is answered {\"decision\": "
        "\"continue\"}.\n\n"
        "{\"tell\": {\"trial\": 0, \"loss\": 0.5}}, or \"status\": \"failed\" or \"lost\" in place "
        "of "
        "the loss, is answered {\"ok\": true}.\n\n"
        "{\"best\": 1} is answered {\"trial\": 0, \"loss\": 0.5, \"params\": {...}} or null.\n\n"
        "Anything wrong is answered {\"error\": \"...\"} and changes nothing.\n\n"
        "EXIT STATUS\n"
        "0 after an orderly end, 2 for wrong options, a wrong study file, or a broker that does "
        "not "
        "speak the same version.\n\n",
    .rows = rows,
    .n = sizeof rows / sizeof *rows,
};
