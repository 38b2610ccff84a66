/* Spaces and specs from a few lines of YAML, for the tests of study. Failures end the test. */
#ifndef FARM_TESTS_STUDY_FIXTURE_H
#define FARM_TESTS_STUDY_FIXTURE_H

#include "rng.h"
#include "spec.h"

struct space *fixture_space(const char *yaml);
/* Parses the space, which must be refused with exactly this sentence. */
void fixture_space_fault(const char *yaml, const char *sentence);

struct spec *fixture_spec(const char *yaml);
/* The sentence may end with "...": then what follows may be anything. */
void fixture_spec_fault(const char *yaml, const char *sentence);
/* A spec with the space {lr: {float: [0, 1]}, act: {choice: [relu, tanh]}} and these lines besides.
 */
struct spec *fixture_spec_with(const char *yaml);
void fixture_spec_with_fault(const char *yaml, const char *sentence);

/* A random point of the prior. point has space->n values. */
void fixture_draw(const struct space *s, struct rng *r, double *point);
/* Reads a point from JSON text; false and the sentence in em if it is refused. */
bool fixture_read(const struct space *s, const char *json, double *point, struct errmsg *em);
void fixture_sentence(const char *actual, const char *expected);

#endif
