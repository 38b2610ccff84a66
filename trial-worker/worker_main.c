/* tunefarm-worker: options, defaults of this machine, key, limits; then the agent. It must not know
 * what a trial is. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "agent.h"
#include "arena.h"
#include "endpoint.h"
#include "keyfile.h"
#include "log.h"
#include "lookout.h"
#include "openfiles.h"

#define FILES_NEEDED 64 /* 21 of its own; programs that are started, logs that are read */
#define FILES_A_SLOT 4  /* 3 of a program that runs */

/* The program beside this one. */
static err_t find_launch(char *out, size_t size, struct errmsg *em)
{
    char self[1024];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0)
        return errmsg_set(em, ERR_IO, "/proc/self/exe cannot be read: %s", strerror(errno));
    self[n] = 0;
    char *slash = strrchr(self, '/');
    if (!slash)
        return errmsg_set(em, ERR_IO, "/proc/self/exe is no path");
    *slash = 0;
    snprintf(out, size, "%s/tunefarm-launch", self);
    return ERR_OK;
}

static err_t default_root(char *out, size_t size, struct errmsg *em)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (cache && cache[0] == '/')
        snprintf(out, size, "%s/tunefarm/worker", cache);
    else if (home && home[0] == '/')
        snprintf(out, size, "%s/.cache/tunefarm/worker", home);
    else
        return errmsg_set(em, ERR_INVALID,
                          "--root is needed: neither XDG_CACHE_HOME nor HOME is set");
    return ERR_OK;
}

/* The farm's key, where the endpoint needs one. */
static err_t load_key(const struct worker_options *o, struct zcurve *curve, bool *needed,
                      struct errmsg *em)
{
    struct endpoint ep;
    char path[KEYFILE_PATH_SIZE];
    if (!o->broker)
        return errmsg_set(em, ERR_INVALID, "--broker is needed: ipc://PATH or tcp://HOST:PORT");
    err_t e = endpoint_parse(&ep, str_of(o->broker), em);
    if (e)
        return errmsg_wrap(em, e, "--broker");
    *needed = ep.tcp;
    if (!ep.tcp)
        return ERR_OK;
    if (o->key && !str_copyz(path, sizeof path, str_of(o->key)))
        return errmsg_set(em, ERR_LIMIT, "--key: the path is longer than %zu bytes",
                          sizeof path - 1);
    if (!o->key)
        e = keyfile_default_path(path, em);
    return e ? e : keyfile_load(path, curve, em);
}

static err_t serve(struct worker_options *o, struct errmsg *em)
{
    char launch[1100], root[1100];
    struct zcurve curve;
    struct arena arena;
    struct agent *agent = NULL;
    bool tcp = false;
    struct agent_setup s = {.options = o, .launch = launch, .root = o->root ? o->root : root};
    arena_init(&arena, 1u << 20);
    if (o->slots == 0)
        o->slots = worker_default_slots();
    if (o->memory == 0)
        o->memory = worker_default_memory();
    err_t e = load_key(o, &curve, &tcp, em);
    if (!e)
        e = find_launch(launch, sizeof launch, em);
    if (!e && !o->root)
        e = default_root(root, sizeof root, em);
    if (!e)
        e = worker_find_gpus(o->gpus, &arena, &s.gpus, &s.n_gpus, em);
    s.curve = tcp ? &curve : NULL;
    if (!e) /* programs get the limit that was there */
        e = openfiles_raise(FILES_NEEDED + FILES_A_SLOT * o->slots, &s.open_files, em);
    if (!e)
        e = agent_open(&agent, &s, em);
    if (!e)
        e = agent_run(agent);
    agent_close(agent);
    arena_fini(&arena);
    return e;
}

static int print(const struct opts *o)
{
    struct buf b;
    buf_init(&b, 0);
    if (o->version)
        buf_printf(&b, "tunefarm %s\n", TUNEFARM_VERSION);
    else if (o->man)
        opt_print_man(&worker_option_table, &b);
    else
        opt_print_help(&worker_option_table, &b);
    fputs(buf_z(&b), stdout);
    buf_fini(&b);
    return fflush(stdout) == 0 ? 0 : 1;
}

static err_t check_settings(const struct worker_options *o, const struct opts *opts,
                            struct errmsg *em)
{
    if (opts->n_operands > 0)
        return errmsg_set(em, ERR_INVALID, "\"%s\": expected options only", opts->operands[0]);
    if (o->labels.n > 64)
        return errmsg_set(em, ERR_LIMIT, "--labels: at most 64, these are %zu", o->labels.n);
    for (size_t i = 0; i < o->labels.n; i++)
        if (strlen(o->labels.v[i]) > 64)
            return errmsg_set(em, ERR_LIMIT, "--labels: \"%.40s...\" has more than 64 bytes",
                              o->labels.v[i]);
    enum cloud_kind kind;
    if (o->cloud && !cloud_by_name(o->cloud, &kind))
        return errmsg_set(em, ERR_INVALID, "--cloud: \"%.40s\": expected aws, google or azure",
                          o->cloud);
    if (o->cloud_address && !o->cloud)
        return errmsg_set(em, ERR_INVALID, "--cloud-address needs --cloud");
    if (o->cloud_address && lookout_check_address(o->cloud_address, em))
        return ERR_INVALID;
    if (o->name && strlen(o->name) > 128)
        return errmsg_set(em, ERR_LIMIT, "--name: at most 128 bytes");
    return ERR_OK;
}

int main(int argc, char **argv)
{
    struct worker_options o;
    struct opts opts;
    struct errmsg em = {""};
    int code = 0;
    err_t e = opt_parse(&worker_option_table, &o, argc, argv, &opts, &em);
    if (!e && (opts.help || opts.version || opts.man)) {
        code = print(&opts);
        opt_fini(&opts);
        return code;
    }
    if (!e)
        e = check_settings(&o, &opts, &em);
    if (!e)
        e = daemonopt_open_log(&o.common, "worker", &em);
    if (!e) {
        prctl(PR_SET_DUMPABLE, 0);
        e = serve(&o, &em);
    }
    if (e) {
        fprintf(stderr, "tunefarm worker: %s\n", em.text);
        code = err_exit_code(e);
    }
    log_close();
    opt_fini(&opts);
    return code;
}
