/* The tree-structured Parzen estimator is several samplers under one name: this picks the one that
 * `preset` names. A new preset is a file with its ops, a line in tpe_presets.h and a row here; the
 * contract suite then tests it. */
#include "samplers.h"
#include "settings.h"
#include "tpe_presets.h"

static const struct sampler_ops *const presets[] = {
    &tpe_tunefarm, /* the default */
    &tpe_hyperopt,
    &tpe_optuna,
    NULL,
};

static const struct sampler_ops *preset_of(struct str name)
{
    for (size_t i = 0; presets[i]; i++)
        if (str_is(name, presets[i]->name))
            return presets[i];
    return presets[0];
}

static err_t tpe_create(struct sampler **out, const struct space *space,
                        const struct sampler_config *config, bool maximize, struct errmsg *em)
{
    const char *names[sizeof presets / sizeof *presets] = {NULL};
    for (size_t i = 0; presets[i]; i++)
        names[i] = presets[i]->name;
    err_t e = settings_preset(config, names, em);
    return e ? e : preset_of(config->preset)->create(out, space, config, maximize, em);
}

const struct sampler_ops sampler_tpe = {
    .name = "tpe",
    .about = "tree-structured Parzen estimator; the default",
    .presets = presets,
    .create = tpe_create,
};
