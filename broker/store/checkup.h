/* Looking through a database: pages, journal, and whether the rows are the fold of the journal. In
 * slices, so that a running farm's commits go on in between; never writes. */
#ifndef FARM_STORE_CHECKUP_H
#define FARM_STORE_CHECKUP_H

#include "sqlite_db.h"

struct checkup;

/* running: the pages of a large database are left out, because SQLite looks at them in one go. */
struct checkup *checkup_new(struct db *d, const struct fx_ask *ask, journal_envelope *envelope,
                            bool running);
/* Goes on for about budget_ns, or until something waits (asked often; NULL = nothing ever does).
 * True: it is done, its findings are an answer in g (columns check, status, text, advice), and the
 * checkup is freed. */
bool checkup_slice(struct checkup *c, struct group *g, int64_t budget_ns, bool (*waits)(void *self),
                   void *self);
void checkup_free(struct checkup *c); /* NULL is legal */

/* All of it for the file of a broker that does not run; findings as one answer in g. */
err_t checkup_file(const char *file, journal_envelope *envelope, struct group *g,
                   struct errmsg *em) MUST_CHECK;

#endif
