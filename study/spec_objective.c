/* The objective of a spec: what to run, where, with what, and how its result is read.
 *
 * Called by spec_parse.c after the space is known. Regular expressions are taken as texts: whoever
 * uses them compiles them. Nothing is looked up on disk here. */
#include <json.h>
#include <math.h>
#include <signal.h>

#include "clock.h"
#include "json.h"
#include "spec_build.h"

#define MAX_PATH_TEXT     1024
#define MAX_PATTERN       4096
#define MAX_VALUE_TEXT    32768
#define MAX_LABELS        64
#define MAX_FILE_SIZE     1e15
#define MAX_DURATION_S    315360000.0 /* ten years */
#define OBJECTIVE_EXAMPLE "{command: [python3, train.py, --lr, \"{lr}\"], files: [train.py]}"

/* The reader works on the whole spec: arrays come from its arena, the command is checked against
 * its space. */
static struct objective *objective_of(void *self)
{
    struct spec *s = self;
    return &s->objective;
}

void objective_defaults(struct objective *o)
{
    o->dir = STR(".");
    o->metric = STR("loss");
    o->grace_ns = 10 * NS_PER_S;
    o->cpu = 1;
    o->checkpoint_within_ns = 20 * NS_PER_S;
}

static err_t parse_command(void *self, struct json_object *v, const struct at *at)
{
    return command_parse(self, v, at);
}

/* Relative, and never above its root. A leading "./" is dropped. */
static err_t take_path(const struct at *at, struct json_object *v, struct str *out)
{
    char brief[BRIEF_SIZE];
    struct str s;
    err_t e = take_text(at, v, 1, MAX_PATH_TEXT, &s);
    if (e != ERR_OK)
        return e;
    while (s.n > 2 && str_starts(s, "./"))
        s = str_make(s.p + 2, s.n - 2);
    if (s.p[0] == '/')
        return at_fault(at, ERR_INVALID, "%s is absolute; expected a relative path",
                        value_brief(v, brief));
    for (size_t i = 0; i < s.n;) {
        size_t n = 0;
        while (i + n < s.n && s.p[i + n] != '/')
            n++;
        struct str part = str_make(s.p + i, n);
        if (n == 0 || str_is(part, "..") || (str_is(part, ".") && s.n > 1))
            return at_fault(at, ERR_INVALID,
                            "%s: expected a path without \"..\", \".\" or empty parts",
                            value_brief(v, brief));
        i += n + 1;
    }
    *out = s;
    return s.p[s.n - 1] == '/'
               ? at_fault(at, ERR_INVALID, "%s ends with \"/\"", value_brief(v, brief))
               : ERR_OK;
}

static err_t parse_dir(void *self, struct json_object *v, const struct at *at)
{
    return take_path(at, v, &objective_of(self)->dir);
}

static err_t parse_file_path(void *self, struct json_object *v, const struct at *at)
{
    struct spec_file *f = self;
    err_t e = take_path(at, v, &f->path);
    if (e == ERR_OK && str_is(f->path, "."))
        e = at_fault(at, ERR_INVALID, "\".\" is not a file");
    return e;
}

static err_t parse_digest(void *self, struct json_object *v, const struct at *at)
{
    struct spec_file *f = self;
    struct str hex;
    err_t e = take_text(at, v, 64, 64, &hex);
    if (e == ERR_OK && !str_from_hex(hex, f->digest.b, sizeof f->digest.b))
        e = at_fault(at, ERR_INVALID, "expected 64 hexadecimal digits");
    f->has_digest = true;
    return e;
}

static err_t parse_file(struct json_object *v, const struct at *at, struct spec_file *f)
{
    static const struct member rows[] = {
        {"path", MEMBER_CUSTOM, 0, 0, 0, parse_file_path, true},
        {"digest", MEMBER_CUSTOM, 0, 0, 0, parse_digest, false},
        {"size", MEMBER_U64, offsetof(struct spec_file, size), 0, MAX_FILE_SIZE, NULL, false},
        {"executable", MEMBER_BOOL, offsetof(struct spec_file, executable), 0, 0, NULL, false},
    };
    if (json_object_is_type(v, json_type_string))
        return parse_file_path(f, v, at);
    return members_read(rows, sizeof rows / sizeof rows[0], f, v, at,
                        "train.py (its path), or {path: train.py}");
}

static err_t parse_files(void *self, struct json_object *v, const struct at *at)
{
    struct spec *s = self;
    size_t n = 0;
    err_t e = take_list(at, v, 0, SPEC_MAX_FILES, "[train.py, data.csv]", &n);
    if (e != ERR_OK)
        return e;
    struct spec_file *files = arena_array(s->arena, n + 1, sizeof *files);
    if (!files)
        return at_nomem(at);
    for (size_t i = 0; i < n && e == ERR_OK; i++) {
        struct at here = at_item(at, i);
        e = parse_file(json_object_array_get_idx(v, i), &here, &files[i]);
        for (size_t k = 0; k < i && e == ERR_OK; k++) {
            if (str_eq(files[k].path, files[i].path))
                e = at_fault(&here, ERR_INVALID, "\"" STR_FMT "\" stands twice",
                             STR_ARG(files[i].path));
        }
    }
    s->objective.files = files;
    s->objective.n_files = (uint32_t)n;
    return e;
}

static err_t parse_metric(void *self, struct json_object *v, const struct at *at)
{
    static const char *const taken[] = {"step",     "error",  "pruned", "checkpoint",
                                        "decision", "params", "trial",  "attempt"};
    struct objective *o = objective_of(self);
    err_t e = take_text(at, v, 1, 128, &o->metric);
    for (size_t i = 0; i < sizeof taken / sizeof taken[0] && e == ERR_OK; i++) {
        if (str_is(o->metric, taken[i]))
            e = at_fault(at, ERR_INVALID, "\"%s\" has a meaning of its own in reports", taken[i]);
    }
    return e;
}

static err_t parse_direction(void *self, struct json_object *v, const struct at *at)
{
    struct objective *o = objective_of(self);
    char brief[BRIEF_SIZE];
    const char *z = json_object_is_type(v, json_type_string) ? json_object_get_string(v) : "";
    o->maximize = strcmp(z, "maximize") == 0;
    if (o->maximize || strcmp(z, "minimize") == 0)
        return ERR_OK;
    return at_fault(at, ERR_INVALID, "%s is neither minimize nor maximize", value_brief(v, brief));
}

static err_t parse_scrape(void *self, struct json_object *v, const struct at *at)
{
    static const struct member rows[] = {
        {"pattern", MEMBER_TEXT, offsetof(struct objective, scrape_pattern), 0, MAX_PATTERN, NULL,
         true},
        {"step", MEMBER_TEXT, offsetof(struct objective, scrape_step), 0, MAX_PATTERN, NULL, false},
    };
    return members_read(rows, 2, objective_of(self), v, at, "{pattern: 'loss=(?<loss>\\S+)'}");
}

static bool env_name_valid(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && (i == 0 || c < '0' || c > '9'))
            return false;
    }
    return s.n >= 1 && s.n <= 256;
}

/* A scalar as text; numbers as they are written. */
static err_t take_plain(struct arena *arena, const struct at *at, struct json_object *v, size_t max,
                        struct str *out)
{
    char brief[BRIEF_SIZE];
    if (json_object_is_type(v, json_type_string))
        return take_text(at, v, 0, max, out);
    if (!value_is_number(v) && !json_object_is_type(v, json_type_boolean))
        return at_fault(at, ERR_INVALID, "%s is not a text", value_brief(v, brief));
    struct buf b;
    buf_init(&b, 0);
    value_plain(v, &b);
    *out = arena_dup(arena, buf_str(&b));
    buf_fini(&b);
    return out->p ? ERR_OK : at_nomem(at);
}

static err_t parse_env(void *self, struct json_object *v, const struct at *at)
{
    struct spec *s = self;
    char brief[BRIEF_SIZE];
    if (!json_object_is_type(v, json_type_object))
        return at_fault(at, ERR_INVALID, "%s is not a group; expected one such as {OMP_THREADS: 1}",
                        value_brief(v, brief));
    size_t n = (size_t)json_object_object_length(v);
    if (n > SPEC_MAX_ENV)
        return at_fault(at, ERR_LIMIT, "has %zu members; at most %d are allowed", n, SPEC_MAX_ENV);
    struct spec_pair *env = arena_array(s->arena, n + 1, sizeof *env);
    if (!env)
        return at_nomem(at);
    s->objective.env = env;
    json_object_object_foreach(v, key, value)
    {
        struct at here = at_key(at, key);
        struct spec_pair *pair = &env[s->objective.n_env++];
        pair->name = str_of(key);
        if (!env_name_valid(pair->name) || str_starts(pair->name, "TUNEFARM_"))
            return at_fault(&here, ERR_INVALID,
                            "not a name for a variable; expected letters, digits and \"_\", not "
                            "beginning with a digit or TUNEFARM_");
        err_t e = take_plain(s->arena, &here, value, MAX_VALUE_TEXT, &pair->value);
        if (e != ERR_OK)
            return e;
    }
    return ERR_OK;
}

static err_t parse_resources(void *self, struct json_object *v, const struct at *at)
{
    static const struct member rows[] = {
        {"cpu", MEMBER_F64, offsetof(struct objective, cpu), 0, 65536, NULL, false},
        {"gpu", MEMBER_U32, offsetof(struct objective, gpu), 0, 1024, NULL, false},
        {"memory", MEMBER_BYTES, offsetof(struct objective, memory), 0, 0, NULL, false},
    };
    return members_read(rows, 3, objective_of(self), v, at, "{cpu: 1, gpu: 0, memory: 2G}");
}

static err_t parse_labels(void *self, struct json_object *v, const struct at *at)
{
    struct spec *s = self;
    size_t n = 0;
    err_t e = take_list(at, v, 0, MAX_LABELS, "[fast-disk]", &n);
    if (e != ERR_OK)
        return e;
    struct str *labels = arena_array(s->arena, n + 1, sizeof *labels);
    if (!labels)
        return at_nomem(at);
    for (size_t i = 0; i < n && e == ERR_OK; i++) {
        struct at here = at_item(at, i);
        e = take_text(&here, json_object_array_get_idx(v, i), 1, 64, &labels[i]);
        if (e == ERR_OK &&
            (memchr(labels[i].p, ',', labels[i].n) || memchr(labels[i].p, ' ', labels[i].n)))
            e = at_fault(&here, ERR_INVALID, "a label holds no comma and no space");
    }
    s->objective.labels = labels;
    s->objective.n_labels = (uint32_t)n;
    return e;
}

/* "line", or a signal's name with or without SIG. */
static err_t parse_ask(void *self, struct json_object *v, const struct at *at)
{
    static const struct {
        const char *name;
        int number;
    } signals[] = {
        {"USR1", SIGUSR1}, {"USR2", SIGUSR2}, {"TERM", SIGTERM}, {"INT", SIGINT}, {"HUP", SIGHUP}};
    struct objective *o = self;
    char brief[BRIEF_SIZE];
    const char *z = json_object_is_type(v, json_type_string) ? json_object_get_string(v) : "";
    if (strcmp(z, "line") == 0) {
        o->checkpoint_ask = CHECKPOINT_BY_LINE;
        return ERR_OK;
    }
    if (strncmp(z, "SIG", 3) == 0)
        z += 3;
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        if (strcmp(z, signals[i].name) != 0)
            continue;
        o->checkpoint_ask = CHECKPOINT_BY_SIGNAL;
        o->checkpoint_signal = signals[i].number;
        return ERR_OK;
    }
    return at_fault(at, ERR_INVALID,
                    "%s is no way to ask; expected line, SIGUSR1, SIGUSR2, SIGTERM, SIGINT or "
                    "SIGHUP",
                    value_brief(v, brief));
}

static err_t parse_checkpoint(void *self, struct json_object *v, const struct at *at)
{
    static const struct member rows[] = {
        {"ask", MEMBER_CUSTOM, 0, 0, 0, parse_ask, true},
        {"within", MEMBER_DURATION, offsetof(struct objective, checkpoint_within_ns), 0.1, 3600,
         NULL, false},
    };
    return members_read(rows, 2, objective_of(self), v, at, "{ask: line} or {ask: SIGUSR1}");
}

#define IN_SPEC(member) (offsetof(struct spec, objective) + offsetof(struct objective, member))

static const struct member objective_rows[] = {
    {"command", MEMBER_CUSTOM, 0, 0, 0, parse_command, false},
    {"dir", MEMBER_CUSTOM, 0, 0, 0, parse_dir, false},
    {"files", MEMBER_CUSTOM, 0, 0, 0, parse_files, false},
    {"metric", MEMBER_CUSTOM, 0, 0, 0, parse_metric, false},
    {"direction", MEMBER_CUSTOM, 0, 0, 0, parse_direction, false},
    {"serve", MEMBER_BOOL, IN_SPEC(serve), 0, 0, NULL, false},
    {"scrape", MEMBER_CUSTOM, 0, 0, 0, parse_scrape, false},
    {"env", MEMBER_CUSTOM, 0, 0, 0, parse_env, false},
    {"timeout", MEMBER_DURATION, IN_SPEC(timeout_ns), 1e-3, MAX_DURATION_S, NULL, false},
    {"grace", MEMBER_DURATION, IN_SPEC(grace_ns), 0, 86400, NULL, false},
    {"checkpoint", MEMBER_CUSTOM, 0, 0, 0, parse_checkpoint, false},
    {"resources", MEMBER_CUSTOM, 0, 0, 0, parse_resources, false},
    {"labels", MEMBER_CUSTOM, 0, 0, 0, parse_labels, false},
};

err_t objective_parse(void *self, struct json_object *v, const struct at *at)
{
    return members_read(objective_rows, sizeof objective_rows / sizeof objective_rows[0], self, v,
                        at, OBJECTIVE_EXAMPLE);
}
