/* How a space is put together: drafts in the order of the file, then conditions, then the final
 * order. Shared by the space_*.c files only. */
#ifndef FARM_STUDY_SPACE_BUILD_H
#define FARM_STUDY_SPACE_BUILD_H

#include "members.h"
#include "space.h"

/* A parameter that still waits for its conditions. */
struct draft {
    struct param p;
    struct param_option *options; /* p.options, until the space is done */
    struct json_object *when;     /* borrowed; NULL = none */
    struct str when_path;         /* where it stands in the file */
    uint32_t nest;                /* the choice it is nested in; NO_NEST = none */
    uint32_t nest_option;
    uint32_t place; /* in the final order; NO_PLACE = not placed yet */
    bool visiting;
};
#define NO_NEST  UINT32_MAX
#define NO_PLACE UINT32_MAX

/* An option that carries parameters of its own, found while a choice is parsed. */
struct nested {
    struct json_object *space; /* borrowed */
    uint32_t option;
};

struct builder {
    struct arena *arena;
    struct errmsg *em;
    struct draft *drafts; /* SPACE_MAX_PARAMS of them */
    uint32_t n;
    uint32_t *order; /* final place -> draft */
    uint32_t n_order;
};

/* space_prior.c: everything of one parameter but its name and place. nested: SPACE_MAX_OPTIONS of
 * them. */
err_t prior_parse(struct arena *arena, struct json_object *v, const struct at *at, struct draft *d,
                  struct nested *nested, uint32_t *n_nested) MUST_CHECK;
/* space_choice.c */
err_t choice_options(struct arena *arena, struct json_object *v, const struct at *at,
                     struct draft *d, struct nested *nested, uint32_t *n_nested) MUST_CHECK;
err_t choice_weights(struct json_object *v, const struct at *at, struct draft *d) MUST_CHECK;
err_t choice_constant(struct arena *arena, struct json_object *v, const struct at *at,
                      struct draft *d) MUST_CHECK;
/* The option that v spells: the same JSON value, or (lenient) the same text; -1 = none. */
int choice_find(const struct param *p, struct json_object *v, bool lenient);
/* space_when.c: short names, conditions, order. The params in out are in the final order. */
err_t when_resolve(struct builder *b, struct param **out) MUST_CHECK;

/* space_parse.c: 1-128 bytes of [A-Za-z0-9_.-], first a letter, a digit or "_". */
bool param_name_valid(struct str name);

#endif
