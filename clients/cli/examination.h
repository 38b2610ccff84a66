/* The database of a farm that does not run, looked through by the broker's program. */
#ifndef FARM_CLI_EXAMINATION_H
#define FARM_CLI_EXAMINATION_H

#include "diagnosis.h"

/* Starts `tunefarm-broker --examine` on the file and adds what it says. */
void examination_run(struct diagnosis *d, const char *file);
/* One line of it: a JSON array of check, status, text and advice. */
void examination_line(struct diagnosis *d, struct str line);

#endif
