/* What the study file's reader does not say about a study: whether there is such a sampler with
 * such settings, and whether the patterns of objective.scrape can be used. */
#ifndef FARM_CLI_STUDYCHECK_H
#define FARM_CLI_STUDYCHECK_H

#include "studyfile.h"

/* Before anything is stored under the study's name. The sampler is a question to the optimizer of
 * this installation; fine if there is none: the farm's own optimizer will say it then. */
err_t studycheck(const struct studyfile *s, struct errmsg *em) MUST_CHECK;
/* A note for each argument of the command that is a file here and is not brought along: the program
 * would not find it. */
void studycheck_files(const struct studyfile *s);

#endif
