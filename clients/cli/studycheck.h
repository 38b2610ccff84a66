/* What only the optimizer can say about a study: whether it knows the sampler and its settings. */
#ifndef FARM_CLI_STUDYCHECK_H
#define FARM_CLI_STUDYCHECK_H

#include "studyfile.h"

/* Asks the optimizer of this installation, before anything is stored under the study's name. Fine
 * if there is none: the farm's own optimizer will say it then. */
err_t studycheck(const struct studyfile *s, struct errmsg *em) MUST_CHECK;
/* A note for each argument of the command that is a file here and is not brought along: the program
 * would not find it. */
void studycheck_files(const struct studyfile *s);

#endif
