/* Tables and views of the database, and its version. */
#ifndef FARM_STORE_DBSCHEMA_H
#define FARM_STORE_DBSCHEMA_H

#include <sqlite3.h>
#include <stdint.h>

#include "err.h"

#define DB_APPLICATION_ID 0x54464d31 /* "TFM1" */
#define DB_VERSION        3
#define DB_COPY_KEY       "copy_ms" /* in meta: this is a backup, made then */

/* Looks at the database and changes nothing. *version: 0 = it is empty. ERR_VERSION, ERR_INVALID (a
 * database, but not ours), ERR_REFUSED (a backup) or ERR_CORRUPT with a sentence that names `file`.
 */
err_t dbschema_check(sqlite3 *db, const char *file, int64_t *version, struct errmsg *em) MUST_CHECK;
/* In the caller's transaction: makes the tables in an empty database, brings those of an older
 * version up to date, and all views. */
err_t dbschema_prepare(sqlite3 *db, const char *file, int64_t version,
                       struct errmsg *em) MUST_CHECK;

/* Says in a copy that it is one: no broker opens it (dbschema_check() refuses) until
 * `tunefarm restore` made a database of it. Its SQLite code. */
int dbschema_mark_copy(sqlite3 *db, int64_t wall_ms);
/* For one that is only read, a backup too: that it is a farm's, and of this version. */
err_t dbschema_look(sqlite3 *db, const char *file, struct errmsg *em) MUST_CHECK;

#endif
