/* The envelope of a spec: metric, direction, resources, labels, and how trials are shared, repeated
 * and stopped.
 *
 * Called for each SUBMIT and, at a start, for each study's stored spec. The submitter's client has
 * checked the whole study file; here only what the broker itself uses is read, with the same
 * bounds, because a client may be of any kind. */
#include "envelope.h"

#include <json-c/json.h>
#include <math.h>

#include "clock.h"
#include "json.h"
#include "opt.h"

#define ENQUEUE_MOST 10000u
#define YEAR_S       31536000.0

struct reading {
    struct arena *a;
    struct errmsg *em;
    err_t e;
};

static void fault(struct reading *r, const char *path, const char *expected)
{
    if (r->e == ERR_OK)
        r->e = errmsg_set(r->em, ERR_INVALID, "%s: %s was expected", path, expected);
}

static void get_number(struct reading *r, struct json_object *v, const char *path, double min,
                       double max, double *out)
{
    double x;
    if (!v)
        return;
    bool number = json_object_is_type(v, json_type_int) || json_object_is_type(v, json_type_double);
    if (!number || !json_number(v, &x) || !(x >= min && x <= max))
        fault(r, path, "a number within its bounds");
    else
        *out = x;
}

static void get_u32(struct reading *r, struct json_object *v, const char *path, double max,
                    uint32_t *out)
{
    double x = *out;
    get_number(r, v, path, 0, max, &x);
    if (floor(x) != x)
        fault(r, path, "a whole number");
    else
        *out = (uint32_t)x;
}

static struct str text_of(struct json_object *v)
{
    if (!v || !json_object_is_type(v, json_type_string))
        return (struct str){0};
    return str_make(json_object_get_string(v), (size_t)json_object_get_string_len(v));
}

/* "10m", or a number of seconds. */
static void get_duration(struct reading *r, struct json_object *v, const char *path, int64_t *ns)
{
    double seconds = 0;
    if (!v)
        return;
    if (json_object_is_type(v, json_type_string)) {
        if (!opt_duration(text_of(v), ns) || *ns < 0)
            fault(r, path, "a duration such as 10m");
        return;
    }
    get_number(r, v, path, 0, YEAR_S, &seconds);
    *ns = (int64_t)(seconds * (double)NS_PER_S);
}

static void get_bytes(struct reading *r, struct json_object *v, const char *path, uint64_t *out)
{
    double x = 0;
    if (!v)
        return;
    if (json_object_is_type(v, json_type_string)) {
        if (!opt_bytes(text_of(v), out))
            fault(r, path, "a size such as 2G");
        return;
    }
    get_number(r, v, path, 0, 9007199254740992.0, &x);
    *out = (uint64_t)x;
}

static struct str keep(struct reading *r, struct str s)
{
    struct str copy = arena_dup(r->a, s);
    if (!copy.p && s.n)
        r->e = errmsg_set(r->em, ERR_LIMIT, "the spec is too large");
    return copy;
}

static void get_objective(struct reading *r, struct json_object *o, struct envelope *e)
{
    struct json_object *resources = json_get(o, "resources"), *metric = json_get(o, "metric");
    if (metric)
        e->metric = keep(r, text_of(metric));
    if (!e->metric.n || e->metric.n > 128)
        fault(r, "objective.metric", "a name of at most 128 bytes");
    struct str direction = text_of(json_get(o, "direction"));
    e->maximize = str_is(direction, "maximize");
    if (json_get(o, "direction") && !e->maximize && !str_is(direction, "minimize"))
        fault(r, "objective.direction", "minimize or maximize");
    get_number(r, json_get(resources, "cpu"), "objective.resources.cpu", 0, 65536, &e->cpu);
    get_u32(r, json_get(resources, "gpu"), "objective.resources.gpu", 1024, &e->gpu);
    get_bytes(r, json_get(resources, "memory"), "objective.resources.memory", &e->memory);
    get_duration(r, json_get(o, "grace"), "objective.grace", &e->grace_ns);
}

/* A list of texts. */
static void get_labels(struct reading *r, struct json_object *v, struct envelope *e)
{
    size_t n = v && json_object_is_type(v, json_type_array) ? json_object_array_length(v) : 0;
    if (v && (!json_object_is_type(v, json_type_array) || n > ENVELOPE_LABELS)) {
        fault(r, "objective.labels", "a list of at most 64 texts");
        return;
    }
    struct str *labels = arena_array(r->a, n + 1, sizeof *labels);
    for (size_t i = 0; i < n && labels; i++) {
        labels[i] = keep(r, text_of(json_object_array_get_idx(v, i)));
        if (!labels[i].n || labels[i].n > 128)
            fault(r, "objective.labels", "a list of texts of at most 128 bytes");
    }
    e->labels = labels;
    e->n_labels = labels ? (uint32_t)n : 0;
}

/* Each point as JSON text; how many. */
static uint32_t get_points(struct reading *r, struct json_object *v, const char *path,
                           const struct str **out)
{
    size_t n = v && json_object_is_type(v, json_type_array) ? json_object_array_length(v) : 0;
    if (v && (!json_object_is_type(v, json_type_array) || n > ENQUEUE_MOST)) {
        fault(r, path, "a list of points");
        return 0;
    }
    struct str *points = arena_array(r->a, n + 1, sizeof *points);
    struct buf text = {0};
    for (size_t i = 0; i < n && points && r->e == ERR_OK; i++) {
        struct json_object *point = json_object_array_get_idx(v, i);
        if (!json_object_is_type(point, json_type_object))
            fault(r, path, "a list of points such as {lr: 0.1}");
        buf_clear(&text);
        json_write(&text, point);
        points[i] = keep(r, buf_str(&text));
        if (points[i].n > 65536)
            fault(r, path, "points of at most 64 KiB");
    }
    buf_fini(&text);
    *out = points;
    return points ? (uint32_t)n : 0;
}

static void get_enqueue(struct reading *r, struct json_object *root, struct envelope *e)
{
    struct json_object *given = json_get(root, "enqueue_given");
    e->n_enqueue = get_points(r, json_get(root, "enqueue"), "enqueue", &e->enqueue);
    if (given && get_points(r, given, "enqueue_given", &e->given) != e->n_enqueue)
        fault(r, "enqueue_given", "as many points as enqueue has");
}

static void get_sharing(struct reading *r, struct json_object *root, struct envelope *e)
{
    double priority = 0;
    get_u32(r, json_get(root, "parallel"), "parallel", 1e6, &e->parallel);
    get_number(r, json_get(root, "priority"), "priority", -1e6, 1e6, &priority);
    e->priority = (int32_t)priority;
    get_number(r, json_get(root, "weight"), "weight", 1e-6, 1e6, &e->weight);
    get_u32(r, json_get(root, "retries"), "retries", 1000, &e->retries);
    get_duration(r, json_get(root, "retry_delay"), "retry_delay", &e->retry_delay_ns);
    get_u32(r, json_get(root, "ahead"), "ahead", 1024, &e->ahead);
    get_enqueue(r, root, e);
}

err_t envelope_read(struct str spec, struct arena *a, struct envelope *out, struct errmsg *em)
{
    struct reading r = {a, em, ERR_OK};
    struct json_object *root = NULL;
    /* A trial that does not say how many processors it needs takes a slot and no more. */
    *out = (struct envelope){.metric = STR("loss"),
                             .weight = 1,
                             .retries = 2,
                             .retry_delay_ns = NS_PER_S,
                             .grace_ns = 10 * NS_PER_S};
    err_t e = json_parse(spec, JSON_STRICT, &root, em);
    if (e != ERR_OK)
        return errmsg_wrap(em, e, "the spec");
    struct json_object *objective = json_get(root, "objective");
    if (!json_object_is_type(root, json_type_object))
        fault(&r, "the spec", "a JSON object");
    get_objective(&r, objective, out);
    get_labels(&r, json_get(objective, "labels"), out);
    get_sharing(&r, root, out);
    json_object_put(root);
    return r.e;
}
