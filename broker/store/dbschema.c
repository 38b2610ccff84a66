/* The database's layout. `journal` is the truth; trial_row, study_row and worker_row are its fold,
 * written a little later; the views are what people and programs read, and are described in
 * docs/sql.md. Views are made anew at every start, so a newer broker may give them more columns
 * without a new version of the tables.
 *
 * Numbers of 64 bits are stored as SQLite's signed ones. study_row.held says that a study is
 * paused; its `paused`, like the columns around it, counts trials. */
#include "dbschema.h"

#include <stdio.h>
#include <string.h>

#include "codes.h"
#include "images.h"

/* The curve of one trial, among millions of others. */
#define REPORT_INDEX "CREATE INDEX journal_report ON journal(study, trial) WHERE kind = 24;"

static const char tables[] =
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;"
    "CREATE TABLE journal(seq INTEGER PRIMARY KEY, study INTEGER NOT NULL, study_seq INTEGER NOT "
    "NULL,"
    " kind INTEGER NOT NULL, wall_ms INTEGER NOT NULL, trial INTEGER, attempt INTEGER, step "
    "INTEGER, value REAL,"
    " text TEXT, body BLOB NOT NULL);"
    "CREATE UNIQUE INDEX journal_study ON journal(study, study_seq) WHERE study > 0;" REPORT_INDEX
    "CREATE TABLE study_row(number INTEGER PRIMARY KEY, seq INTEGER NOT NULL, study_seq INTEGER "
    "NOT NULL,"
    " name TEXT NOT NULL UNIQUE, state INTEGER NOT NULL, maximize INTEGER NOT NULL, metric TEXT, "
    "why TEXT,"
    " spec BLOB NOT NULL, search BLOB NOT NULL, spec_number INTEGER NOT NULL, optimizer_epoch "
    "INTEGER NOT NULL,"
    " trials INTEGER NOT NULL, queued INTEGER, leased INTEGER, running INTEGER, stopping INTEGER, "
    "paused INTEGER,"
    " delayed INTEGER, complete INTEGER, pruned INTEGER, failed INTEGER, cancelled INTEGER, best "
    "REAL,"
    " best_trial INTEGER, created_ms INTEGER, ended_ms INTEGER, elapsed_ms INTEGER,"
    " held INTEGER NOT NULL DEFAULT 0, compacted INTEGER NOT NULL DEFAULT 0);"
    "CREATE TABLE trial_row(study INTEGER NOT NULL, number INTEGER NOT NULL, seq INTEGER NOT NULL,"
    " state INTEGER NOT NULL, why INTEGER, last_close INTEGER, flags INTEGER NOT NULL, attempt "
    "INTEGER NOT NULL,"
    " final_attempt INTEGER NOT NULL, lost INTEGER NOT NULL, crashes INTEGER NOT NULL, spec_number "
    "INTEGER,"
    " draw INTEGER, based_on INTEGER, behind INTEGER, value REAL, step INTEGER, created_ms INTEGER,"
    " started_ms INTEGER, finished_ms INTEGER, retry_ms INTEGER, runtime_ms INTEGER, exit_code "
    "INTEGER,"
    " signal INTEGER, worker BLOB, resume_step INTEGER, params TEXT, why_text TEXT, metrics TEXT, "
    "error TEXT,"
    " resume TEXT, decide TEXT, resume_digest BLOB, PRIMARY KEY(study, number)) WITHOUT ROWID;"
    "CREATE TABLE worker_row(id BLOB PRIMARY KEY, name TEXT, host TEXT, state INTEGER NOT NULL, "
    "slots INTEGER,"
    " running INTEGER, cpu REAL, gpu INTEGER, memory INTEGER, labels TEXT, software TEXT, pid "
    "INTEGER,"
    " joined_ms INTEGER, seen_ms INTEGER) WITHOUT ROWID;"
    "CREATE TABLE blob(digest BLOB NOT NULL, at INTEGER NOT NULL, size INTEGER NOT NULL, bytes "
    "BLOB NOT NULL,"
    " PRIMARY KEY(digest, at));"
    "CREATE TABLE request(id BLOB PRIMARY KEY, name TEXT, text TEXT, number INTEGER, seq INTEGER, "
    "wall_ms INTEGER)"
    " WITHOUT ROWID;";

static const char drop_views[] =
    "DROP VIEW IF EXISTS study; DROP VIEW IF EXISTS trial; DROP VIEW IF EXISTS report;"
    "DROP VIEW IF EXISTS worker; DROP VIEW IF EXISTS event; DROP VIEW IF EXISTS record;";

#define TIME(ms)      "strftime('%Y-%m-%dT%H:%M:%fZ', nullif(" ms ", 0) / 1000.0, 'unixepoch')"
#define WHEN(n, v, t) " WHEN " #v " THEN '" t "'"

/* The lists of codes.h, spelled as CASE branches. */
#define TRIAL_STATES           TRIAL_STATE_LIST(WHEN)
#define STUDY_STATES           STUDY_STATE_LIST(WHEN)
#define STOP_WHYS              STOP_WHY_LIST(WHEN)
#define KINDS                  RECORD_LIST(WHEN)
#define WORKER_STATES          WORKER_STATE_LIST(WHEN)
#define CASE(column, branches) "CASE " column branches " END"

static const char view_study[] =
    "CREATE VIEW study AS SELECT s.number, s.name, "
    "CASE WHEN s.held THEN 'paused' ELSE " CASE(
        "s.state",
        STUDY_STATES) " END AS state,"
                      " CASE s.maximize WHEN 1 THEN 'maximize' ELSE 'minimize' END AS direction, "
                      "s.metric,"
                      " " TIME(
                          "s.created_ms") " AS created, s.trials, s.queued, s.leased + s.running "
                                          "+ s.stopping AS running,"
                                          " s.complete, s.pruned, s.failed, s.cancelled, "
                                          "s.paused, s.delayed, s.best AS best_loss, s.best_trial,"
                                          " s.why, " TIME(
                                              "s.ended_ms") " AS ended, s.elapsed_ms / 1000.0 AS "
                                                            "elapsed, s.spec_number,"
                                                            " lower(hex(s.spec)) AS spec_digest,"
                                                            " (SELECT group_concat(CAST(b.bytes "
                                                            "AS TEXT), '') FROM (SELECT bytes "
                                                            "FROM blob WHERE digest = s.spec"
                                                            " ORDER BY at) b) AS spec,"
                                                            " s.compacted FROM study_row s;";
static const char view_trial[] = "CREATE VIEW trial AS SELECT s.name AS study, t.number, " CASE(
    "t.state",
    TRIAL_STATES) " AS state,"
                  " t.value AS loss, t.params, t.attempt, max(t.attempt, t.final_attempt) AS "
                  "attempts, w.name AS worker, w.host,"
                  " t.step, " TIME("t.created_ms") " AS created, " TIME(
                      "t.started_ms") " AS started,"
                                      " " TIME(
                                          "t.finished_ms") " AS finished, CASE WHEN t.finished_ms "
                                                           "> 0 THEN t.runtime_ms / 1000.0 END AS "
                                                           "runtime,"
                                                           " CASE WHEN t.finished_ms > 0 AND "
                                                           "t.final_attempt > 0 THEN t.exit_code "
                                                           "END AS exit_code,"
                                                           " nullif(t.signal, 0) AS signal, "
                                                           "t.error, t.metrics, t.why_text AS why, "
                                                           "t.lost, t.crashes, t.spec_number,"
                                                           " t.draw, t.based_on, t.behind, " CASE(
                                                               "CASE t.state WHEN 3 THEN t.why END",
                                                               STOP_WHYS) " AS stopping,"
                                                                          " t.resume AS "
                                                                          "checkpoint, "
                                                                          "t.resume_step AS "
                                                                          "checkpoint_step, t.seq"
                                                                          " FROM trial_row t JOIN "
                                                                          "study_row s ON s.number "
                                                                          "= t.study LEFT JOIN "
                                                                          "worker_row w ON w.id = "
                                                                          "t.worker;";
static const char view_report[] =
    "CREATE VIEW report AS SELECT s.name AS study, j.trial AS number, j.attempt, j.step, j.value "
    "AS loss,"
    " j.text AS metrics, " TIME("j.wall_ms") " AS time"
                                             " FROM journal j JOIN study_row s ON s.number = "
                                             "j.study WHERE j.kind = 24 AND j.study > 0;";
static const char view_worker[] =
    "CREATE VIEW worker AS SELECT name, host, CASE state" WORKER_STATES " END AS state, slots,"
    " CASE WHEN state < 2 THEN running ELSE 0 END AS running, cpu, gpu, memory, labels, software, "
    "pid,"
    " " TIME("joined_ms") " AS joined, " TIME(
        "seen_ms") " AS seen, lower(hex(id)) AS id FROM worker_row;";
static const char view_event[] = "CREATE VIEW event AS SELECT j.seq, j.study, j.study_seq, " CASE(
    "j.kind", KINDS) " AS kind, j.trial,"
                     " j.attempt, j.step, j.value, j.text, " TIME(
                         "j.wall_ms") " AS time,"
                                      " CASE j.kind WHEN 20 THEN (SELECT t.based_on FROM trial_row "
                                      "t WHERE t.study = j.study AND"
                                      " t.number = j.trial) END AS based_on FROM journal j;";

/* What stands in a body is decoded by programs; here only the digest of a spec is looked for: key
 * 17 and the head of 32 bytes, which no text before it can hold. */
static const char view_record[] =
    "CREATE VIEW record AS SELECT s.name AS study, j.study_seq, j.seq, " CASE(
        "j.kind",
        KINDS) " AS kind, lower(hex(j.body)) AS body,"
               " CASE WHEN j.kind IN (10, 11) THEN (SELECT group_concat(CAST(b.bytes AS "
               "TEXT), '') FROM (SELECT bytes FROM blob WHERE digest = substr(j.body, "
               "instr(j.body, x'11c420') + 3, 32) ORDER BY at) b) END AS spec"
               " FROM journal j JOIN study_row s ON s.number = j.study WHERE j.study > 0;";

static err_t run(sqlite3 *db, const char *file, const char *sql, struct errmsg *em)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK)
        return ERR_OK;
    return errmsg_set(em, ERR_IO, "%s: %s", file, sqlite3_errmsg(db));
}

static err_t make_views(sqlite3 *db, const char *file, struct errmsg *em)
{
    const char *const views[] = {drop_views,  view_study, view_trial, view_report,
                                 view_worker, view_event, view_record};
    err_t e = ERR_OK;
    for (size_t i = 0; i < sizeof views / sizeof *views && e == ERR_OK; i++)
        e = run(db, file, views[i], em);
    return e;
}

static int64_t number(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *st;
    int64_t v = -1;
    if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) != SQLITE_OK)
        return -1;
    if (sqlite3_step(st) == SQLITE_ROW)
        v = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    return v;
}

static err_t make(sqlite3 *db, const char *file, struct errmsg *em)
{
    char mark[96];
    snprintf(mark, sizeof mark, "PRAGMA application_id = %d; PRAGMA user_version = %d;",
             DB_APPLICATION_ID, DB_VERSION);
    err_t e = run(db, file, tables, em);
    if (e == ERR_OK)
        e = run(db, file, mark, em);
    return e;
}

/* What each version added, in order; the tables above are those of DB_VERSION. */
static const char *const upgrades[DB_VERSION + 1] = {
    [2] = "ALTER TABLE study_row ADD COLUMN held INTEGER NOT NULL DEFAULT 0;"
          "PRAGMA user_version = 2;",
    [3] = "ALTER TABLE study_row ADD COLUMN compacted INTEGER NOT NULL DEFAULT 0;"
          "ALTER TABLE trial_row ADD COLUMN resume_digest BLOB;" REPORT_INDEX
          "PRAGMA user_version = 3;",
};

static err_t upgrade(sqlite3 *db, const char *file, int64_t version, struct errmsg *em)
{
    err_t e = ERR_OK;
    for (int v = 2; v <= DB_VERSION && e == ERR_OK; v++)
        e = v > version ? run(db, file, upgrades[v], em) : ERR_OK;
    return e;
}

static err_t check_version(const char *file, int64_t id, int64_t version, struct errmsg *em)
{
    if (id != DB_APPLICATION_ID)
        return errmsg_set(em, ERR_INVALID, "%s is a database of another program; name another file",
                          file);
    if (version > DB_VERSION)
        return errmsg_set(em, ERR_VERSION,
                          "%s was written by a newer tunefarm (version %lld of the database, this "
                          "program knows %d); "
                          "use that program",
                          file, (long long)version, DB_VERSION);
    if (version < 1)
        return errmsg_set(em, ERR_CORRUPT, "%s: its version is %lld, 1 or more was expected", file,
                          (long long)version);
    return ERR_OK;
}

int dbschema_mark_copy(sqlite3 *db, int64_t wall_ms)
{
    char text[128];
    snprintf(text, sizeof text, "INSERT OR REPLACE INTO meta VALUES('" DB_COPY_KEY "', %lld)",
             (long long)wall_ms);
    return sqlite3_exec(db, text, NULL, NULL, NULL);
}

err_t dbschema_look(sqlite3 *db, const char *file, struct errmsg *em)
{
    int64_t version = number(db, "PRAGMA user_version");
    err_t e = check_version(file, number(db, "PRAGMA application_id"), version, em);
    if (e == ERR_OK && version < DB_VERSION)
        e = errmsg_set(em, ERR_VERSION,
                       "%s is of an older version (%lld) of the database; start a broker on it "
                       "first",
                       file, (long long)version);
    return e;
}

err_t dbschema_check(sqlite3 *db, const char *file, int64_t *version, struct errmsg *em)
{
    int64_t objects = number(db, "SELECT count(*) FROM sqlite_schema");
    int64_t id = number(db, "PRAGMA application_id");
    *version = number(db, "PRAGMA user_version");
    if (objects < 0 || id < 0) {
        bool text = sqlite3_errcode(db) == SQLITE_NOTADB;
        return errmsg_set(em, text ? ERR_INVALID : ERR_CORRUPT,
                          text ? "%s is no database; name another file (it was not changed)"
                               : "%s cannot be read: %s (it was not changed)",
                          file, sqlite3_errmsg(db));
    }
    if (objects == 0 && id == 0) {
        *version = 0;
        return ERR_OK;
    }
    err_t e = check_version(file, id, *version, em);
    int64_t copies = number(db, "SELECT count(*) FROM meta WHERE key = '" DB_COPY_KEY "'");
    if (e == ERR_OK && copies < 0)
        e = errmsg_set(em, ERR_CORRUPT, "%s is damaged: %s (it was not changed)", file,
                       sqlite3_errmsg(db));
    if (e == ERR_OK && copies > 0)
        e = errmsg_set(em, ERR_REFUSED,
                       "%s is a backup; `tunefarm restore %s NEW` makes a database of it (it was "
                       "not changed)",
                       file, file);
    return e;
}

err_t dbschema_prepare(sqlite3 *db, const char *file, int64_t version, struct errmsg *em)
{
    err_t e = version ? upgrade(db, file, version, em) : make(db, file, em);
    return e == ERR_OK ? make_views(db, file, em) : e;
}
