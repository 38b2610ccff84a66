/* The registry of samplers. A new sampler is a file with its ops, a line in samplers.h and a row
 * here; the contract suite then tests it. */
#include "sampler.h"

#include <stddef.h>

#include "samplers.h"

static const struct sampler_ops *const registry[] = {&sampler_tpe, &sampler_random, &sampler_grid,
                                                     NULL};

const struct sampler_ops *const *sampler_registry(void)
{
    return registry;
}

const struct sampler_ops *sampler_find(struct str name)
{
    for (size_t i = 0; registry[i]; i++)
        if (str_is(name, registry[i]->name))
            return registry[i];
    return NULL;
}
