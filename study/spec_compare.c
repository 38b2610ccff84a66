/* Whether two specs search the same thing, and in what they differ.
 *
 * The search part is written in one canonical form (members sorted, numbers by value) and hashed.
 * Called by the command line and by whoever checks that a study of the same name may go on.
 * Timeouts, resources, files and stop rules are no part of it: those may change while a study goes
 * on. */
#include <json.h>
#include <stdlib.h>

#include "alloc.h"
#include "hash.h"
#include "json.h"
#include "spec_build.h"

#define MAX_SHOWN 160

static int compare_keys(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The keys of an object in order of bytes; free() them. */
static const char **sorted_keys(struct json_object *v, size_t *n)
{
    size_t count = 0;
    const char **keys = alloc_array((size_t)json_object_object_length(v) + 1, sizeof *keys);
    json_object_object_foreach(v, key, value)
    {
        (void)value;
        keys[count++] = key;
    }
    qsort(keys, count, sizeof *keys, compare_keys);
    *n = count;
    return keys;
}

static void canonical(struct jsonw *w, struct json_object *v);

static void canonical_object(struct jsonw *w, struct json_object *v)
{
    size_t n;
    const char **keys = sorted_keys(v, &n);
    jsonw_object(w);
    for (size_t i = 0; i < n; i++) {
        jsonw_keyz(w, keys[i]);
        canonical(w, json_get(v, keys[i]));
    }
    jsonw_end(w);
    free(keys);
}

/* json_parse() bounds the depth. */
static void canonical(struct jsonw *w, struct json_object *v)
{
    double x;
    struct buf text;
    switch (json_object_get_type(v)) {
    case json_type_object:
        canonical_object(w, v);
        return;
    case json_type_array:
        jsonw_array(w);
        for (size_t i = 0; i < json_object_array_length(v); i++)
            canonical(w, json_object_array_get_idx(v, i));
        jsonw_end(w);
        return;
    case json_type_double:
        if (json_number(v, &x)) {
            jsonw_f64(w, x);
            return;
        }
        break;
    default:
        break;
    }
    buf_init(&text, 0);
    json_write(&text, v);
    jsonw_raw(w, buf_str(&text));
    buf_fini(&text);
}

static void write_command(struct jsonw *w, const struct spec *s)
{
    jsonw_array(w);
    for (uint32_t i = 0; i < s->objective.n_command; i++)
        jsonw_str(w, s->objective.command[i]);
    jsonw_end(w);
}

/* With the name that holds when none is written. */
static void write_sampler(struct jsonw *w, const struct spec *s)
{
    jsonw_object(w);
    jsonw_kstr(w, "name", s->sampler.name);
    if (s->sampler.options) {
        size_t n;
        const char **keys = sorted_keys(s->sampler.options, &n);
        for (size_t i = 0; i < n; i++) {
            if (strcmp(keys[i], "name") == 0)
                continue;
            jsonw_keyz(w, keys[i]);
            canonical(w, json_get(s->sampler.options, keys[i]));
        }
        free(keys);
    }
    jsonw_end(w);
}

struct digest spec_search_digest(const struct spec *s)
{
    struct buf b;
    struct jsonw w;
    buf_init(&b, 0);
    jsonw_init(&w, &b);
    jsonw_object(&w);
    jsonw_kstr(&w, "metric", s->objective.metric);
    jsonw_kbool(&w, "maximize", s->objective.maximize);
    jsonw_keyz(&w, "command");
    write_command(&w, s);
    jsonw_keyz(&w, "sampler");
    write_sampler(&w, s);
    jsonw_keyz(&w, "space");
    canonical(&w, json_get(s->root, "space"));
    jsonw_end(&w);
    struct digest d = hash_bytes(buf_str(&b));
    buf_fini(&b);
    return d;
}

static void add_text(struct buf *out, struct str s)
{
    size_t n = str_utf8_cut(s, MAX_SHOWN);
    buf_add(out, s.p, n);
    if (n < s.n)
        buf_addz(out, "...");
}

static void add_change(struct buf *out, const char *path, const char *member, struct str was,
                       struct str now)
{
    if (str_eq(was, now))
        return;
    if (out->n > 0)
        buf_addz(out, "; ");
    buf_printf(out, "%s%s ", path, member);
    if (was.n == 0) {
        buf_addz(out, "is new: ");
        add_text(out, now);
        return;
    }
    buf_addz(out, "was ");
    add_text(out, was);
    buf_addz(out, now.n > 0 ? ", is now " : ", is gone");
    add_text(out, now);
}

static void member_text(struct json_object *v, const char *key, struct buf *out)
{
    struct json_object *value = NULL;
    struct jsonw w;
    buf_clear(out);
    jsonw_init(&w, out);
    if (v && json_object_object_get_ex(v, key, &value))
        canonical(&w, value);
}

/* `but` is a member that is compared elsewhere; NULL = none. */
static void compare_members(const char *path, const char *but, struct json_object *was,
                            struct json_object *now, struct buf *out)
{
    struct buf a, b;
    buf_init(&a, 0);
    buf_init(&b, 0);
    if (was) {
        json_object_object_foreach(was, key, value)
        {
            (void)value;
            if (but && strcmp(key, but) == 0)
                continue;
            member_text(was, key, &a);
            member_text(now, key, &b);
            add_change(out, path, key, buf_str(&a), buf_str(&b));
        }
    }
    if (now) {
        json_object_object_foreach(now, key2, value2)
        {
            (void)value2;
            if (but && strcmp(key2, but) == 0)
                continue;
            member_text(now, key2, &b);
            if (!was || !json_object_object_get_ex(was, key2, NULL))
                add_change(out, path, key2, (struct str){0}, buf_str(&b));
        }
    }
    buf_fini(&a);
    buf_fini(&b);
}

static void compare_commands(const struct spec *was, const struct spec *now, struct buf *out)
{
    struct buf a, b;
    struct jsonw w;
    buf_init(&a, 0);
    buf_init(&b, 0);
    jsonw_init(&w, &a);
    write_command(&w, was);
    jsonw_init(&w, &b);
    write_command(&w, now);
    add_change(out, "objective.", "command", buf_str(&a), buf_str(&b));
    buf_fini(&a);
    buf_fini(&b);
}

static struct str direction(const struct spec *s)
{
    return s->objective.maximize ? STR("maximize") : STR("minimize");
}

void spec_difference(const struct spec *was, const struct spec *now, struct buf *out)
{
    add_change(out, "objective.", "metric", was->objective.metric, now->objective.metric);
    add_change(out, "objective.", "direction", direction(was), direction(now));
    compare_commands(was, now, out);
    compare_members("space.", NULL, json_get(was->root, "space"), json_get(now->root, "space"),
                    out);
    add_change(out, "sampler.", "name", was->sampler.name, now->sampler.name);
    compare_members("sampler.", "name", was->sampler.options, now->sampler.options, out);
}
