/* The SQLite connection of a journal and its prepared statements; for the files of this folder. One
 * thread at a time. */
#ifndef FARM_STORE_SQLITE_DB_H
#define FARM_STORE_SQLITE_DB_H

#include <sqlite3.h>
#include <sys/types.h>

#include "journal.h"

enum db_statement {
    DB_BEGIN,
    DB_COMMIT,
    DB_ROLLBACK,
    DB_RECORD,
    DB_TRIAL,
    DB_STUDY,
    DB_WORKER,
    DB_BLOB_HAVE,
    DB_BLOB_PUT,
    DB_BLOB_GET,
    DB_REQUEST,
    DB_META_SET,
    DB_META_GET,
    DB_BY_SEQ,
    DB_BY_STUDY,
    DB_BACKWARDS,
    DB_DROP,
    DB_TRIAL_STATE,
    DB_STATEMENTS
};

#define DB_PAGE 4096u

/* What a slice of upkeep says: more, later, or that it was the last. */
enum chore { CHORE_ON, CHORE_WAIT, CHORE_LAST };

struct db {
    sqlite3 *sql;
    sqlite3_stmt *st[DB_STATEMENTS];
    char *file;
    int lock;
    bool copy;     /* as in struct journal_config */
    bool shrinks;  /* free pages can be given back */
    int log_pages; /* in the write-ahead log, after the last commit */
    dev_t dev;     /* with ino: which file it was when it was opened */
    ino_t ino;
};

err_t db_open(struct db *d, const struct journal_config *c, struct journal_ids *ids,
              struct errmsg *em) MUST_CHECK;
/* Only to be read, with nothing in it changed: no lock of ours, no new epoch. Refused while a
 * broker has it. */
err_t db_open_reading(struct db *d, const char *file, struct errmsg *em) MUST_CHECK;
/* Everything was read and is fine: the start becomes durable. */
err_t db_begin(struct db *d, struct errmsg *em) MUST_CHECK;
void db_close(struct db *d); /* without db_begin() nothing was changed */
/* The file still stands under its name. */
bool db_in_place(const struct db *d);
/* Writes everything to FILE.rescued, which must not exist; its SQLite code. */
int db_rescue(struct db *d);
/* The statement, prepared at first use; aborts if it cannot be. Reset it when done. */
sqlite3_stmt *db_use(struct db *d, enum db_statement s);
int db_run(struct db *d, enum db_statement s); /* without parameters */

int64_t db_number(sqlite3 *sql, const char *query); /* its first value; 0 if there is none */
/* Commits are not flushed (true), or are again. */
int db_unflushed(struct db *d, bool unflushed);
/* The decision steps in a column of trial_row. */
#define DB_DECIDE 64
uint32_t db_decide(sqlite3_stmt *st, int column, int64_t out[DB_DECIDE]);

/* One transaction of everything the group writes. SQLITE_OK, SQLITE_FULL (nothing was written, try
 * again later), or any other code: unknown outcome. */
int db_write(struct db *d, const struct group *g);
/* A PASSIVE checkpoint of the write-ahead log. */
void db_checkpoint(struct db *d, bool truncate);
uint64_t db_log_bytes(const struct db *d);

err_t db_load(struct db *d, const struct journal_reader *r, uint64_t fold_seq,
              struct errmsg *em) MUST_CHECK;
err_t db_blob(struct db *d, struct digest digest, struct buf *out, struct errmsg *em) MUST_CHECK;
/* A row of study_row (trial_row), all columns, as an image; texts are valid until the next step. */
void db_study_image(sqlite3_stmt *st, struct study_image *s);
void db_trial_image(sqlite3_stmt *st, struct trial_image *t, int64_t decide[DB_DECIDE]);
/* Answers a question about records or blobs into g. */
void db_answer(struct db *d, const struct fx_ask *ask, struct group *g, uint64_t seq);

#define DB_FLAG_FRONT    1
#define DB_FLAG_ENQUEUED 2
#define DB_FLAG_ADOPTED  4
#define DB_FLAG_DRAW     8
#define DB_FLAG_VALUE    16
#define DB_FLAG_STEP     32
#define DB_FLAG_RESUME   64

#endif
