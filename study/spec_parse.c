/* A study's specification: the members of the top level, and what belongs to no other file.
 *
 * Tables of members drive it (members.c); spec_objective.c reads the objective, space_parse.c the
 * space. Called by the command line (before it submits), by the trial-worker and the optimizer
 * (from the stored bytes). Texts are borrowed from the JSON tree, which the spec owns; arrays come
 * from its arena. */
#include "spec.h"

#include <json.h>
#include <math.h>
#include <stdlib.h>

#include "alloc.h"
#include "clock.h"
#include "hash.h"
#include "json.h"
#include "spec_build.h"

#define SPEC_ARENA  (16u << 20)
#define MAX_ENQUEUE 10000
#define MAX_NOTES   (64u << 10)
#define YEAR_S      31536000.0

bool spec_name_valid(struct str name)
{
    if (name.n < 1 || name.n > 128 || str_is(name, ".") || str_is(name, ".."))
        return false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && !(c >= '0' && c <= '9') && c != '_' && c != '.' && c != '-')
            return false;
    }
    return name.p[0] != '-';
}

static err_t parse_name(void *self, struct json_object *v, const struct at *at)
{
    struct spec *s = self;
    char brief[BRIEF_SIZE];
    err_t e = take_text(at, v, 1, 1024, &s->study);
    if (e == ERR_OK && !spec_name_valid(s->study))
        e = at_fault(at, ERR_INVALID,
                     "%s is not a name; expected 1 to 128 letters, digits or any of \"._-\", the "
                     "first not \"-\"",
                     value_brief(v, brief));
    return e;
}

static err_t parse_space(void *self, struct json_object *v, const struct at *at)
{
    struct spec *s = self;
    return space_parse(v, &s->space, at->em);
}

static err_t parse_seed(void *self, struct json_object *v, const struct at *at)
{
    struct sampler_config *c = self;
    c->has_seed = true;
    return take_u64(at, v, &c->seed);
}

/* The other members are the sampler's own; it checks them when it is made. */
static err_t parse_sampler(void *self, struct json_object *v, const struct at *at)
{
    static const struct member rows[] = {
        {"name", MEMBER_TEXT, offsetof(struct sampler_config, name), 0, 64, NULL, false},
        {"preset", MEMBER_TEXT, offsetof(struct sampler_config, preset), 0, 64, NULL, false},
        {"seed", MEMBER_CUSTOM, 0, 0, 0, parse_seed, false},
    };
    struct spec *s = self;
    char brief[BRIEF_SIZE];
    if (!json_object_is_type(v, json_type_object))
        return at_fault(at, ERR_INVALID,
                        "%s is not a group of members; expected one such as {name: tpe, seed: 1}",
                        value_brief(v, brief));
    s->sampler.options = v;
    return members_read_some(rows, sizeof rows / sizeof rows[0], &s->sampler, v, at);
}

static err_t refuse_scheduler(void *self, struct json_object *v, const struct at *at)
{
    (void)self;
    (void)v;
    return at_fault(at, ERR_INVALID, "not available in this version; remove the member");
}

static err_t parse_plateau(void *self, struct json_object *v, const struct at *at)
{
    static const struct member rows[] = {
        {"trials", MEMBER_U64, offsetof(struct stop_rules, plateau_trials), 1, 1e9, NULL, true},
        {"delta", MEMBER_F64, offsetof(struct stop_rules, plateau_delta), 0, 1e300, NULL, false},
    };
    return members_read(rows, 2, self, v, at, "{trials: 50, delta: 0.001}");
}

static err_t parse_target(void *self, struct json_object *v, const struct at *at)
{
    struct stop_rules *stop = self;
    stop->has_target = true;
    return take_f64(at, v, -INFINITY, INFINITY, &stop->target);
}

static err_t parse_stop(void *self, struct json_object *v, const struct at *at)
{
    static const struct member rows[] = {
        {"trials", MEMBER_U64, offsetof(struct stop_rules, trials), 1, 1e9, NULL, false},
        {"time", MEMBER_DURATION, offsetof(struct stop_rules, time_ns), 1e-3, 10 * YEAR_S, NULL,
         false},
        {"target", MEMBER_CUSTOM, 0, 0, 0, parse_target, false},
        {"plateau", MEMBER_CUSTOM, 0, 0, 0, parse_plateau, false},
    };
    struct spec *s = self;
    return members_read(rows, sizeof rows / sizeof rows[0], &s->stop, v, at,
                        "{trials: 100, time: 2h, target: 0.02, plateau: {trials: 50}}");
}

static err_t enqueue_one(struct spec *s, struct json_object *v, const struct at *at, double *point,
                         struct str *out)
{
    struct errmsg inner;
    char brief[BRIEF_SIZE];
    if (!json_object_is_type(v, json_type_object))
        return at_fault(at, ERR_INVALID, "%s is not a point; expected one such as {lr: 0.1}",
                        value_brief(v, brief));
    err_t e = space_complete(s->space, v, 0, point, &inner);
    if (e != ERR_OK) {
        struct buf path;
        buf_init(&path, 0);
        at_write(at, &path);
        (void)errmsg_set(at->em, e, "%s.%s", buf_z(&path), inner.text);
        buf_fini(&path);
        return e;
    }
    struct buf b;
    buf_init(&b, SPEC_MAX_BYTES);
    space_write(s->space, point, &b);
    *out = arena_dup(s->arena, buf_str(&b));
    e = buf_ok(&b) && out->p ? ERR_OK : at_nomem(at);
    buf_fini(&b);
    return e;
}

static err_t parse_enqueue(void *self, struct json_object *v, const struct at *at)
{
    struct spec *s = self;
    size_t n = 0;
    err_t e = take_list(at, v, 0, MAX_ENQUEUE, "[{lr: 0.1, layers: 2}]", &n);
    if (e != ERR_OK || !s->space)
        return e;
    struct str *points = arena_array(s->arena, n + 1, sizeof *points);
    if (!points)
        return at_nomem(at);
    double *point = alloc_array(s->space->n, sizeof *point);
    for (size_t i = 0; i < n && e == ERR_OK; i++) {
        struct at here = at_item(at, i);
        e = enqueue_one(s, json_object_array_get_idx(v, i), &here, point, &points[i]);
    }
    free(point);
    s->enqueue = points;
    s->n_enqueue = (uint32_t)n;
    return e;
}

/* Beside completed points: what a person gave of each. It says nothing that is needed here. */
static err_t parse_given(void *self, struct json_object *v, const struct at *at)
{
    const struct spec *s = self;
    size_t n = 0;
    err_t e = take_list(at, v, 0, MAX_ENQUEUE, "[{lr: 0.1}]", &n);
    if (e == ERR_OK && n != s->n_enqueue)
        return at_fault(at, ERR_INVALID, "has %zu points; as many as in enqueue were expected: %u",
                        n, s->n_enqueue);
    return e;
}

static err_t parse_notes(void *self, struct json_object *v, const struct at *at)
{
    (void)self;
    char brief[BRIEF_SIZE];
    if (!json_object_is_type(v, json_type_string))
        return at_fault(at, ERR_INVALID, "%s is not a text", value_brief(v, brief));
    if (json_object_get_string_len(v) > (int)MAX_NOTES)
        return at_fault(at, ERR_LIMIT, "has %d bytes; at most %u are allowed",
                        json_object_get_string_len(v), MAX_NOTES);
    return ERR_OK;
}

/* In the order of reading: the command and the known points are checked against the space. */
static const struct member top_rows[] = {
    {"study", MEMBER_CUSTOM, 0, 0, 0, parse_name, true},
    {"space", MEMBER_CUSTOM, 0, 0, 0, parse_space, true},
    {"objective", MEMBER_CUSTOM, 0, 0, 0, objective_parse, false},
    {"sampler", MEMBER_CUSTOM, 0, 0, 0, parse_sampler, false},
    {"scheduler", MEMBER_CUSTOM, 0, 0, 0, refuse_scheduler, false},
    {"stop", MEMBER_CUSTOM, 0, 0, 0, parse_stop, false},
    {"parallel", MEMBER_U32, offsetof(struct spec, parallel), 1, 1e6, NULL, false},
    {"priority", MEMBER_I32, offsetof(struct spec, priority), -1e6, 1e6, NULL, false},
    {"weight", MEMBER_F64, offsetof(struct spec, weight), 1e-6, 1e6, NULL, false},
    {"retries", MEMBER_U32, offsetof(struct spec, retries), 0, 1000, NULL, false},
    {"retry_delay", MEMBER_DURATION, offsetof(struct spec, retry_delay_ns), 0, YEAR_S, NULL, false},
    {"ahead", MEMBER_U32, offsetof(struct spec, ahead), 0, 1024, NULL, false},
    {"enqueue", MEMBER_CUSTOM, 0, 0, 0, parse_enqueue, false},
    {"enqueue_given", MEMBER_CUSTOM, 0, 0, 0, parse_given, false},
    {"notes", MEMBER_CUSTOM, 0, 0, 0, parse_notes, false},
};

static void set_defaults(struct spec *s)
{
    objective_defaults(&s->objective);
    s->sampler.name = STR("tpe");
    s->weight = 1;
    s->retries = 2;
    s->retry_delay_ns = NS_PER_S;
}

static void derive_seed(struct spec *s, struct str json)
{
    if (s->sampler.has_seed)
        return;
    struct digest d = hash_bytes(json);
    for (int i = 7; i >= 0; i--)
        s->sampler.seed = s->sampler.seed << 8 | d.b[i];
}

err_t spec_parse(struct str json, struct spec **out, struct errmsg *em)
{
    *out = NULL;
    if (json.n > SPEC_MAX_BYTES)
        return errmsg_set(em, ERR_LIMIT, "the study has %zu bytes as JSON; at most %u are allowed",
                          json.n, SPEC_MAX_BYTES);
    struct spec *s = alloc_zero(sizeof *s);
    s->arena = alloc_zero(sizeof *s->arena);
    arena_init(s->arena, SPEC_ARENA);
    set_defaults(s);
    err_t e = json_parse(json, JSON_STRICT, &s->root, em);
    if (e == ERR_OK) {
        struct at at = at_root(em, STR(""));
        e = members_read(top_rows, sizeof top_rows / sizeof top_rows[0], s, s->root, &at,
                         "study: NAME, objective: {command: [...]}, space: {...}");
    }
    if (e != ERR_OK) {
        spec_free(s);
        return e;
    }
    derive_seed(s, json);
    *out = s;
    return ERR_OK;
}

void spec_free(struct spec *s)
{
    if (!s)
        return;
    space_free(s->space);
    json_object_put(s->root);
    arena_fini(s->arena);
    free(s->arena);
    free(s);
}

err_t spec_runnable(const struct spec *s, struct errmsg *em)
{
    if (s->objective.n_command > 0)
        return ERR_OK;
    return errmsg_set(em, ERR_INVALID,
                      "objective.command: missing; expected a list such as "
                      "[python3, train.py, --lr, \"{lr}\"]");
}
