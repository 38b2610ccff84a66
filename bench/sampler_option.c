/* From options to a study's sampler. What the sampler thinks of it is its own affair. */
#include "sampler_option.h"

#include <json-c/json.h>

#include "json.h"

/* "NAME=VALUE" as a member; a value that is no JSON is a text. */
static err_t add_setting(struct jsonw *w, const char *text, struct errmsg *em)
{
    const char *sign = strchr(text, '=');
    struct json_object *v = NULL;
    if (!sign || sign == text)
        return errmsg_set(em, ERR_INVALID, "--setting: \"%.64s\" is not NAME=VALUE", text);
    jsonw_key(w, str_make(text, (size_t)(sign - text)));
    if (json_parse(str_of(sign + 1), JSON_STRICT, &v, NULL) == ERR_OK)
        jsonw_raw(w, str_of(sign + 1));
    else
        jsonw_strz(w, sign + 1);
    json_object_put(v);
    return ERR_OK;
}

err_t sampler_option_write(const struct sampler_option *o, struct buf *members, struct buf *label,
                           struct errmsg *em)
{
    struct jsonw w;
    struct buf text;
    err_t e = ERR_OK;
    buf_init(&text, 0);
    jsonw_init(&w, &text);
    jsonw_object(&w);
    buf_addz(label, "tunefarm");
    if (o->name) {
        jsonw_kstr(&w, "name", str_of(o->name));
        buf_printf(label, "-%s", o->name);
    }
    if (o->preset) {
        jsonw_kstr(&w, "preset", str_of(o->preset));
        buf_printf(label, ":%s", o->preset);
    }
    for (size_t i = 0; i < o->settings.n && !e; i++) {
        e = add_setting(&w, o->settings.v[i], em);
        buf_printf(label, " %s", o->settings.v[i]);
    }
    jsonw_end(&w);
    buf_add(members, text.p + 1, text.n - 2);
    if (members->n)
        buf_addc(members, ',');
    buf_fini(&text);
    return e;
}
