/* Tables and views of the database, and its version. */
#ifndef FARM_STORE_DBSCHEMA_H
#define FARM_STORE_DBSCHEMA_H

#include <sqlite3.h>

#include "err.h"

#define DB_APPLICATION_ID 0x54464d31 /* "TFM1" */
#define DB_VERSION        2

/* Makes the tables in an empty database; checks an existing one and brings its views up to date.
 * ERR_VERSION, ERR_INVALID (a database, but not ours) or ERR_CORRUPT with a sentence that names
 * `file`; nothing is changed then. */
err_t dbschema_prepare(sqlite3 *db, const char *file, struct errmsg *em) MUST_CHECK;
/* The same checks without a change; ERR_VERSION for an older version too. */
err_t dbschema_look(sqlite3 *db, const char *file, struct errmsg *em) MUST_CHECK;

#endif
