/* What the spec_*.c files share. */
#ifndef FARM_STUDY_SPEC_BUILD_H
#define FARM_STUDY_SPEC_BUILD_H

#include "members.h"
#include "spec.h"

/* spec_objective.c: fills s->objective. s->space is parsed already; self is the spec. */
err_t objective_parse(void *self, struct json_object *v, const struct at *at) MUST_CHECK;
void objective_defaults(struct objective *o);

/* spec_command.c: the argv, checked against the space. */
err_t command_parse(struct spec *s, struct json_object *v, const struct at *at) MUST_CHECK;

/* spec_fill.c: checks that every {placeholder} of an argument is known, and that no option of a
 * choice that begins the argument looks like a switch. */
err_t fill_check(const struct space *space, struct str argument, const struct at *at) MUST_CHECK;

#endif
