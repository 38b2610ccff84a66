/* Reading of samplers' settings: one row a setting, one sentence a fault.
 *
 * Called by each sampler's create. It knows nothing of what a setting does. */
#include "settings.h"

#include <json-c/json.h>
#include <math.h>

#include "json.h"
#include "nearest.h"

#define MAX_NAMES 32

static err_t unknown(const char *key, const struct setting *rows, size_t n, struct errmsg *em)
{
    const char *names[MAX_NAMES] = {"name", "preset", "seed"};
    size_t k = 3;
    for (size_t i = 0; i < n && k + 1 < MAX_NAMES; i++)
        names[k++] = rows[i].name;
    const char *near = nearest_name(str_of(key), names);
    if (near)
        return errmsg_set(em, ERR_INVALID, "sampler.%.64s: unknown setting; did you mean \"%s\"?",
                          key, near);
    struct buf list;
    buf_init(&list, 1024);
    for (size_t i = 0; i < k; i++)
        buf_printf(&list, "%s%s", i ? ", " : "", names[i]);
    errmsg_set(em, ERR_INVALID, "sampler.%.64s: unknown setting; this sampler has %s", key,
               buf_z(&list));
    buf_fini(&list);
    return ERR_INVALID;
}

static err_t read_number(const struct setting *row, struct json_object *v, struct errmsg *em)
{
    double x;
    bool number = json_object_is_type(v, json_type_int) || json_object_is_type(v, json_type_double);
    if (number && json_number(v, &x) && x >= row->least && x <= row->most &&
        (!row->whole || x == floor(x))) {
        *row->value = x;
        return ERR_OK;
    }
    return errmsg_set(em, ERR_INVALID, "sampler.%s: expected %s between %g and %g", row->name,
                      row->whole ? "a whole number" : "a number", row->least, row->most);
}

err_t settings_read(const struct sampler_config *config, const struct setting *rows, size_t n,
                    struct errmsg *em)
{
    if (!config->options || !json_object_is_type(config->options, json_type_object))
        return ERR_OK;
    json_object_object_foreach(config->options, key, value)
    {
        if (!strcmp(key, "name") || !strcmp(key, "preset") || !strcmp(key, "seed"))
            continue;
        size_t i = 0;
        while (i < n && strcmp(rows[i].name, key) != 0)
            i++;
        if (i == n)
            return unknown(key, rows, n, em);
        err_t e = rows[i].value ? read_number(&rows[i], value, em) : ERR_OK;
        if (e)
            return e;
    }
    return ERR_OK;
}

err_t settings_switch(const struct sampler_config *config, const char *name, bool *value,
                      struct errmsg *em)
{
    struct json_object *v;
    if (!config->options || !json_object_object_get_ex(config->options, name, &v))
        return ERR_OK;
    if (!json_object_is_type(v, json_type_boolean))
        return errmsg_set(em, ERR_INVALID, "sampler.%s: expected true or false", name);
    *value = json_object_get_boolean(v);
    return ERR_OK;
}

err_t settings_preset(const struct sampler_config *config, const char *const *presets,
                      struct errmsg *em)
{
    if (config->preset.n == 0)
        return ERR_OK;
    if (!presets[0])
        return errmsg_set(em, ERR_INVALID, "sampler.preset: the sampler " STR_FMT " has no presets",
                          STR_ARG(config->name));
    struct buf list;
    buf_init(&list, 1024);
    for (size_t i = 0; presets[i]; i++) {
        if (str_is(config->preset, presets[i])) {
            buf_fini(&list);
            return ERR_OK;
        }
        buf_printf(&list, "%s%s", i ? ", " : "", presets[i]);
    }
    errmsg_set(em, ERR_INVALID,
               "sampler.preset: \"" STR_FMT "\" is no preset of " STR_FMT "; known: %s",
               (int)str_utf8_cut(config->preset, 64), config->preset.p, STR_ARG(config->name),
               buf_z(&list));
    buf_fini(&list);
    return ERR_INVALID;
}
