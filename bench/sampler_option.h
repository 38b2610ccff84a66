/* The options --sampler, --preset and --setting of the programs that measure samplers. */
#ifndef FARM_BENCH_SAMPLER_OPTION_H
#define FARM_BENCH_SAMPLER_OPTION_H

#include "opt.h"

struct sampler_option {
    const char *name, *preset; /* NULL: what a study gets that says nothing */
    struct opt_list settings;  /* NAME=VALUE */
};

/* Rows of an option table; base: offset of the struct in the program's settings. */
#define SAMPLER_OPTION_ROWS(base)                                                                  \
    {.name = "sampler",                                                                            \
     .type = OPT_STR,                                                                              \
     .offset = (base) + offsetof(struct sampler_option, name),                                     \
     .value = "NAME",                                                                              \
     .help = "The sampler. Default: what a study gets that names none."},                          \
        {.name = "preset",                                                                         \
         .letter = 'p',                                                                            \
         .type = OPT_STR,                                                                          \
         .offset = (base) + offsetof(struct sampler_option, preset),                               \
         .value = "NAME",                                                                          \
         .help = "A variant of it."},                                                              \
    {                                                                                              \
        .name = "setting", .letter = 's', .type = OPT_LIST,                                        \
        .offset = (base) + offsetof(struct sampler_option, settings), .value = "NAME=VALUE",       \
        .help = "A setting of the sampler, as in a study file; may be given several times."        \
    }

/* members: those of the study's `sampler` object, each followed by a comma. label: "tunefarm",
 * "tunefarm-NAME", "tunefarm:PRESET", with the settings behind it. */
err_t sampler_option_write(const struct sampler_option *o, struct buf *members, struct buf *label,
                           struct errmsg *em) MUST_CHECK;

#endif
