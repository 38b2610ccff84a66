/* Arguments, environment and first line of an evaluator. Called by the runner before it starts a
 * program or hands a trial to a served one. It must not know processes. What each variable means to
 * a user stands in docs/evaluator.md. */
#include "env.h"

#include <stdio.h>

#include "json.h"

#define MAX_VARS   8192
#define ARGV_BYTES (128u << 10)

/* The worker's own settings and what systemd told the worker are nobody else's. */
static bool passed_on(const char *entry)
{
    static const char *const mine[] = {
        "TUNEFARM_",      "NOTIFY_SOCKET=",        "WATCHDOG_", "LISTEN_", "JOURNAL_STREAM=",
        "INVOCATION_ID=", "CREDENTIALS_DIRECTORY="};
    for (size_t i = 0; i < sizeof mine / sizeof *mine; i++)
        if (str_starts(str_of(entry), mine[i]))
            return false;
    return true;
}

struct vars {
    char **v;
    size_t n;
    struct arena *a;
    bool bad;
};

static bool same_name(const char *entry, struct str name)
{
    return strncmp(entry, name.p, name.n) == 0 && entry[name.n] == '=';
}

/* Sets NAME=value; a later setting replaces an earlier one. */
static void set(struct vars *e, struct str name, struct str value)
{
    char *text = arena_alloc(e->a, name.n + value.n + 2);
    if (value.n == 0)
        value.p = "";
    if (!text || memchr(value.p, 0, value.n)) {
        e->bad = true;
        return;
    }
    memcpy(text, name.p, name.n);
    text[name.n] = '=';
    memcpy(text + name.n + 1, value.p, value.n);
    for (size_t i = 0; i < e->n; i++) {
        if (same_name(e->v[i], name)) {
            e->v[i] = text;
            return;
        }
    }
    if (e->n == MAX_VARS)
        e->bad = true;
    else
        e->v[e->n++] = text;
}

static void set_z(struct vars *e, const char *name, struct str value)
{
    set(e, str_of(name), value);
}

static void set_u64(struct vars *e, const char *name, uint64_t value)
{
    char text[24];
    int n = snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    set_z(e, name, str_make(text, (size_t)n));
}

/* TUNEFARM_P_<NAME>: letters in upper case, digits as they are, everything else an underscore. */
static void set_param(struct vars *e, const struct param *p, double value)
{
    static const char prefix[] = "TUNEFARM_P_";
    char name[sizeof prefix + 512];
    size_t n = sizeof prefix - 1;
    memcpy(name, prefix, n);
    for (size_t i = 0; i < p->name.n && n + 1 < sizeof name; i++) {
        char c = p->name.p[i];
        bool plain = (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        name[n++] = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : plain ? c : '_';
    }
    struct buf b;
    buf_init(&b, 65536);
    param_value_text(p, value, &b);
    set(e, str_make(name, n), buf_str(&b));
    buf_fini(&b);
}

static void set_trial(struct vars *e, const struct worker_run *r, const struct env_dirs *dirs)
{
    const struct space *s = r->spec->space;
    set_z(e, "TUNEFARM_PARAMS", r->params);
    set_u64(e, "TUNEFARM_TRIAL", r->trial);
    set_u64(e, "TUNEFARM_ATTEMPT", r->attempt);
    set_u64(e, "TUNEFARM_SEED", r->seed);
    set_z(e, "TUNEFARM_DIR", str_of(dirs->own));
    set_z(e, "TUNEFARM_CHECKPOINT_DIR", str_of(dirs->checkpoints));
    set_z(e, "TUNEFARM_RESUME", r->resume);
    if (r->resume.n > 0)
        set_u64(e, "TUNEFARM_RESUME_STEP", (uint64_t)r->resume_step);
    for (uint32_t i = 0; i < s->n; i++)
        if (r->point[i] == r->point[i]) /* NaN: not active */
            set_param(e, &s->params[i], r->point[i]);
}

err_t env_vars(const struct worker_run *r, const struct env_dirs *dirs, char *const *own,
               struct arena *a, char ***out, struct errmsg *em)
{
    const struct objective *o = &r->spec->objective;
    struct vars e = {.v = arena_array(a, MAX_VARS + 1, sizeof *e.v), .a = a};
    if (!e.v)
        return errmsg_set(em, ERR_NOMEM, "no memory for the program's environment");
    for (; *own && e.n < MAX_VARS / 2; own++)
        if (passed_on(*own))
            e.v[e.n++] = *own;
    set_z(&e, "PYTHONUNBUFFERED", STR("1")); /* or a pipe makes what Python prints come in blocks */
    for (uint32_t i = 0; i < o->n_env; i++)
        set(&e, o->env[i].name, o->env[i].value);
    set_z(&e, "TUNEFARM_FD", STR("3"));
    set_z(&e, "TUNEFARM_STUDY", r->study_name);
    set_z(&e, "TUNEFARM_METRIC", o->metric);
    if (o->serve)
        set_z(&e, "TUNEFARM_SERVE", STR("1"));
    else
        set_trial(&e, r, dirs);
    if (r->has_gpus)
        set_z(&e, "CUDA_VISIBLE_DEVICES", r->gpus);
    if (e.bad)
        return errmsg_set(em, ERR_LIMIT,
                          "the program's environment is too large or holds a zero byte");
    *out = e.v;
    return ERR_OK;
}

static err_t fill_one(const struct worker_run *r, uint32_t i, const struct spec_values *v,
                      struct arena *a, size_t *bytes, char **out, struct errmsg *em)
{
    struct buf b;
    buf_init(&b, ARGV_BYTES);
    err_t e = spec_fill(r->spec, r->spec->objective.command[i], r->point, v, &b, em);
    struct str text = e ? (struct str){0} : arena_dup(a, buf_str(&b));
    *bytes += b.n + 1;
    buf_fini(&b);
    if (e)
        return errmsg_wrap(em, e, "objective.command[%u]", i);
    if (!text.p || *bytes > ARGV_BYTES || memchr(text.p, 0, text.n))
        return errmsg_set(
            em, ERR_LIMIT,
            "objective.command[%u]: the arguments have more than %u bytes in all or a zero byte", i,
            ARGV_BYTES);
    *out = (char *)text.p;
    return ERR_OK;
}

err_t env_argv(const struct worker_run *r, const char *dir, struct arena *a, char ***out,
               struct errmsg *em)
{
    const struct objective *o = &r->spec->objective;
    struct spec_values v = {.params = r->params,
                            .trial = r->trial,
                            .seed = r->seed,
                            .attempt = r->attempt,
                            .dir = str_of(dir)};
    char **argv = arena_array(a, (size_t)o->n_command + 1, sizeof *argv);
    size_t bytes = 0;
    if (!argv)
        return errmsg_set(em, ERR_NOMEM, "no memory for the program's arguments");
    for (uint32_t i = 0; i < o->n_command; i++) {
        err_t e = fill_one(r, i, &v, a, &bytes, &argv[i], em);
        if (e)
            return e;
    }
    *out = argv;
    return ERR_OK;
}

void env_first_line(const struct worker_run *r, const struct env_dirs *dirs, struct buf *out)
{
    struct jsonw j;
    jsonw_init(&j, out);
    jsonw_object(&j);
    jsonw_ku64(&j, "trial", r->trial);
    jsonw_ku64(&j, "attempt", r->attempt);
    jsonw_ku64(&j, "seed", r->seed);
    jsonw_keyz(&j, "params");
    jsonw_raw(&j, r->params);
    jsonw_keyz(&j, "resume");
    if (r->resume.n > 0)
        jsonw_str(&j, r->resume);
    else
        jsonw_null(&j);
    if (r->resume.n > 0)
        jsonw_ki64(&j, "resume_step", r->resume_step);
    jsonw_keyz(&j, "decide");
    jsonw_array(&j);
    for (uint32_t i = 0; i < r->n_decide; i++)
        jsonw_i64(&j, r->decide[i]);
    jsonw_end(&j);
    jsonw_kstr(&j, "dir", str_of(dirs->own));
    jsonw_kstr(&j, "checkpoint_dir", str_of(dirs->checkpoints));
    jsonw_end(&j);
}
