/* Settings of the worker. Called by worker_main.c. It must not know what the settings do. */
#include "worker_options.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "arena.h"

#define MAX_GPUS        64
#define SPOOL_LIMIT_MAX (UINT64_C(1) << 30)
#define AT(member)      offsetof(struct worker_options, member)

static const struct opt_row rows[] = {
    {.name = "broker",
     .letter = 'b',
     .type = OPT_STR,
     .offset = AT(broker),
     .value = "ENDPOINT",
     .help = "The broker: ipc://PATH or tcp://HOST:PORT. Required."},
    {.name = "root",
     .letter = 'r',
     .type = OPT_STR,
     .offset = AT(root),
     .value = "DIR",
     .help =
         "Directory for the farm's files, studies and attempts; made if it is not there. Default: "
         "$XDG_CACHE_HOME/tunefarm/worker, else ~/.cache/tunefarm/worker."},
    {.name = "checkpoints",
     .type = OPT_STR,
     .offset = AT(checkpoints),
     .value = "DIR",
     .help = "Directory for trials' checkpoints, until they have ended. Workers that share it, on "
             "one machine or on storage that all of them see, go on from one another's. Default: "
             "checkpoints under --root."},
    {.name = "slots",
     .letter = 's',
     .type = OPT_U64,
     .offset = AT(slots),
     .initial = "0",
     .min = 0,
     .max = 1024,
     .value = "N",
     .help = "Trials at once. Default (0): the number of processors."},
    {.name = "cpus",
     .type = OPT_F64,
     .offset = AT(cpus),
     .initial = "0",
     .min = 0,
     .max = 65536,
     .value = "N",
     .help = "Processors that trials may claim in all. Default (0): the number of slots."},
    {.name = "memory",
     .type = OPT_BYTES,
     .offset = AT(memory),
     .initial = "0",
     .value = "BYTES",
     .help =
         "Memory that trials may claim in all. Default (0): that of the machine or control group."},
    {.name = "gpus",
     .type = OPT_STR,
     .offset = AT(gpus),
     .value = "IDS",
     .help = "GPUs that trials may claim: ids (0,1 or \"2,\" for one id), or a count (2 means 0 "
             "and 1; 0 means none). "
             "Default: $CUDA_VISIBLE_DEVICES, else the devices /dev/nvidia0, 1, ..."},
    {.name = "labels",
     .letter = 'l',
     .type = OPT_LIST,
     .offset = AT(labels),
     .value = "LABEL",
     .help = "Label that studies may ask for (objective.labels). May be given several times."},
    {.name = "name",
     .letter = 'n',
     .type = OPT_STR,
     .offset = AT(name),
     .value = "NAME",
     .help = "Name for people. Default: host:pid."},
    {.name = "key",
     .letter = 'k',
     .type = OPT_STR,
     .offset = AT(key),
     .value = "FILE",
     .help = "The farm's key, for tcp. Default: ~/.config/tunefarm/farm.key."},
    {.name = "idle-exit",
     .type = OPT_DURATION,
     .offset = AT(idle_exit),
     .initial = "0",
     .value = "TIME",
     .help = "Leave after so long without a trial. Default (0): stay."},
    {.name = "drain-timeout",
     .type = OPT_DURATION,
     .offset = AT(drain_timeout),
     .initial = "30s",
     .value = "TIME",
     .help = "After SIGTERM, how long running trials may go on before they are stopped and given "
             "back."},
    {.name = "cloud",
     .type = OPT_STR,
     .offset = AT(cloud),
     .value = "NAME",
     .help = "The cloud this machine is of: aws, google or azure. Its metadata service is asked "
             "whether the machine is to go (spot and preemptible machines); then the worker drains "
             "before it does. Default: none is asked."},
    {.name = "cloud-address",
     .type = OPT_STR,
     .offset = AT(cloud_address),
     .value = "URL",
     .help = "Where that service is, http://HOST[:PORT]. Default: http://169.254.169.254."},
    {.name = "cloud-every",
     .type = OPT_DURATION,
     .offset = AT(cloud_every),
     .initial = "5s",
     .min = 0.1,
     .max = 3600,
     .value = "TIME",
     .help = "How often it is asked."},
    {.name = "orphan",
     .type = OPT_DURATION,
     .offset = AT(orphan),
     .value = "TIME",
     .help = "How long running trials go on when the broker cannot be reached and their lease has "
             "ended. Default (0): "
             "as the broker says, 10 minutes."},
    {.name = "serve-idle",
     .type = OPT_DURATION,
     .offset = AT(serve_idle),
     .initial = "60s",
     .value = "TIME",
     .help = "How long a served evaluator stays alive without a trial."},
    {.name = "output-cap",
     .type = OPT_BYTES,
     .offset = AT(output_cap),
     .initial = "16M",
     .value = "BYTES",
     .help =
         "Size of one attempt's output.log; its beginning and its end are kept. 0 writes none."},
    {.name = "keep-trials",
     .type = OPT_U64,
     .offset = AT(keep_trials),
     .initial = "1000",
     .min = 0,
     .max = 1000000,
     .value = "N",
     .help = "Directories of ended attempts that are kept; the oldest is removed first."},
    {.name = "spool",
     .type = OPT_BYTES,
     .offset = AT(spool),
     .initial = "256M",
     .max = SPOOL_LIMIT_MAX,
     .value = "BYTES",
     .help = "Size of the file under the root that keeps results and checkpoints which the broker "
             "has not acknowledged, for the next worker on this root. At most 1G; 0 keeps none."},
    DAEMONOPT_ROWS(struct worker_options, common),
};

const struct opt_table worker_option_table = {
    .program = "tunefarm worker",
    .env = "TUNEFARM_WORKER",
    .usage = "tunefarm worker --broker ENDPOINT [OPTION ...]",
    .summary = "run trials for a tunefarm broker",
    .text = "Takes trials from a broker and runs the user's programs, one for each slot. Programs "
            "run in process groups of "
            "their own, in the study's directory under the worker's root; their output goes to a "
            "file of each attempt.\n\n"
            "SIGTERM or SIGINT drains: no new trials are taken, running ones may end until the "
            "drain time-out, then they "
            "are stopped and given back. A second signal gives everything back at once. SIGHUP "
            "reopens the log.",
    .more = "EXIT STATUS\n0 after an orderly end; 2 for a wrong option; 1 if the worker cannot "
            "begin.\n\n",
    .rows = rows,
    .n = sizeof rows / sizeof *rows,
};

uint64_t worker_default_slots(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return n > 1024 ? 1024 : (uint64_t)(n > 0 ? n : 1);
}

uint64_t worker_default_memory(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    uint64_t all = pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size : 0, group;
    char text[32] = "";
    int fd = open("/sys/fs/cgroup/memory.max", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : 0;
    if (fd >= 0)
        close(fd);
    while (n > 0 && text[n - 1] == '\n')
        n--;
    if (n > 0 && str_to_u64(str_make(text, (size_t)n), &group) && group < all)
        return group;
    return all;
}

static uint32_t count_devices(void)
{
    uint32_t n = 0;
    char path[32];
    for (; n < MAX_GPUS; n++) {
        snprintf(path, sizeof path, "/dev/nvidia%u", n);
        if (access(path, F_OK) != 0)
            break;
    }
    return n;
}

static err_t number_gpus(uint64_t n, struct arena *a, const char **ids, uint32_t *count,
                         struct errmsg *em)
{
    if (n > MAX_GPUS)
        return errmsg_set(em, ERR_LIMIT, "--gpus: at most %d", MAX_GPUS);
    for (uint32_t i = 0; i < n; i++) {
        char text[8];
        snprintf(text, sizeof text, "%u", i);
        ids[i] = arena_dup(a, str_of(text)).p;
    }
    *count = (uint32_t)n;
    return ERR_OK;
}

static err_t split_gpus(const char *text, struct arena *a, const char **ids, uint32_t *count,
                        struct errmsg *em)
{
    while (*text) {
        size_t n = strcspn(text, ",");
        if (n > 0 && *count == MAX_GPUS)
            return errmsg_set(em, ERR_LIMIT, "--gpus: at most %d", MAX_GPUS);
        if (n > 80 || str_has_control(str_make(text, n)))
            return errmsg_set(em, ERR_INVALID,
                              "--gpus: \"%.40s\": expected ids separated by commas, or a count",
                              text);
        if (n > 0)
            ids[(*count)++] = arena_dup(a, str_make(text, n)).p;
        text += n + (text[n] == ',');
    }
    return ERR_OK;
}

err_t worker_find_gpus(const char *text, struct arena *a, const char *const **ids, uint32_t *n,
                       struct errmsg *em)
{
    const char **v = arena_array(a, MAX_GPUS, sizeof *v);
    const char *visible = getenv("CUDA_VISIBLE_DEVICES");
    uint64_t count;
    *n = 0;
    if (!v)
        return errmsg_set(em, ERR_NOMEM, "no memory for the list of GPUs");
    *ids = v;
    if (text && str_to_u64(str_of(text), &count))
        return number_gpus(count, a, v, n, em);
    if (text)
        return split_gpus(text, a, v, n, em);
    if (visible)
        return split_gpus(visible, a, v, n, em);
    return number_gpus(count_devices(), a, v, n, em);
}
