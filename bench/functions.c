/* The sets of functions, and their spaces as a study file has them. Used by bench-quality and the
 * tests of the functions; knows nothing of samplers. */
#include "functions.h"

#include <stdio.h>

#include "json.h"

static const struct function_set *const sets[] = {&functions_peers, &functions_smooth,
                                                  &functions_mixed, NULL};

const struct function_set *const *functions_sets(void)
{
    return sets;
}

const struct function *functions_find(struct str name)
{
    for (size_t s = 0; sets[s]; s++)
        for (size_t i = 0; i < sets[s]->n; i++)
            if (str_is(name, sets[s]->v[i].name))
                return &sets[s]->v[i];
    return NULL;
}

struct dim functions_dim(const struct function *f, uint32_t i, char text[16])
{
    if (f->dims)
        return f->dims[i];
    snprintf(text, 16, "x%u", (unsigned)i);
    return (struct dim){.name = text, .kind = DIM_FLOAT, .low = f->low, .high = f->high};
}

static void write_range(struct jsonw *w, const char *key, const struct dim *d)
{
    jsonw_keyz(w, key);
    jsonw_array(w);
    jsonw_f64(w, d->low);
    jsonw_f64(w, d->high);
    jsonw_end(w);
}

static void write_options(struct jsonw *w, const char *key, uint32_t mask)
{
    jsonw_keyz(w, key);
    jsonw_array(w);
    for (uint32_t i = 0; i < 32; i++)
        if (mask >> i & 1)
            jsonw_u64(w, i);
    jsonw_end(w);
}

static void write_dim(struct jsonw *w, const struct dim *d)
{
    jsonw_keyz(w, d->name);
    jsonw_object(w);
    if (d->kind == DIM_CHOICE)
        write_options(w, "choice", UINT32_MAX >> (31 - (unsigned)d->high));
    else
        write_range(w, d->kind == DIM_INT || d->kind == DIM_LOG_INT ? "int" : "float", d);
    if (d->kind == DIM_LOG || d->kind == DIM_LOG_INT)
        jsonw_kbool(w, "log", true);
    if (d->kind == DIM_INT)
        jsonw_kf64(w, "step", d->step);
    if (d->parent) {
        jsonw_keyz(w, "when");
        jsonw_object(w);
        write_options(w, d->parent, d->parent_mask);
        jsonw_end(w);
    }
    jsonw_end(w);
}

void functions_write_space(const struct function *f, struct buf *out)
{
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w);
    for (uint32_t i = 0; i < f->n; i++) {
        char text[16];
        struct dim d = functions_dim(f, i, text);
        write_dim(&w, &d);
    }
    jsonw_end(&w);
}
