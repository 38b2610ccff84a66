/* Short questions of the core: records of a range, and pieces of blobs. Answered at once, behind
 * the group they came with. */
#include "sqlite_db.h"

#define ANSWER_BYTES (512u << 10)
#define BLOB_PIECE   131072u

static struct str keep(struct group *g, const void *p, size_t n)
{
    struct str copy = arena_dup(&g->arena, str_make(p, n));
    REQUIRE(copy.p || !n);
    return copy;
}

static void answer_records(struct db *d, const struct fx_ask *ask, struct group *g,
                           struct answer *a)
{
    sqlite3_stmt *st = db_use(d, ask->study ? DB_BY_STUDY : DB_BY_SEQ);
    struct answer_row *rows = arena_array(&g->arena, ask->limit + 1, sizeof *rows);
    size_t bytes = 0;
    REQUIRE(rows);
    if (ask->study)
        sqlite3_bind_int64(st, 1, (int64_t)ask->study);
    sqlite3_bind_int64(st, 2, (int64_t)ask->from);
    sqlite3_bind_int64(st, 3, (int64_t)ask->to);
    int rc;
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        int kind = sqlite3_column_int(st, 2);
        if (kind < 0 || kind > 63 || !(ask->kinds >> kind & 1))
            continue;
        size_t n = (size_t)sqlite3_column_bytes(st, 3);
        if (a->n_rows == ask->limit || (a->n_rows && bytes + n > ANSWER_BYTES))
            break;
        rows[a->n_rows++] = (struct answer_row){.seq = (uint64_t)sqlite3_column_int64(st, 0),
                                                .study_seq = (uint64_t)sqlite3_column_int64(st, 1),
                                                .kind = (uint8_t)kind,
                                                .body = keep(g, sqlite3_column_blob(st, 3), n)};
        bytes += n;
    }
    a->complete = rc == SQLITE_DONE;
    a->rows = rows;
    if (rc != SQLITE_DONE && rc != SQLITE_ROW) { /* what was durable cannot be read any more */
        a->n_rows = 0;
        a->fault = ERR_CORRUPT;
        a->error = keep(g, sqlite3_errmsg(d->sql), strlen(sqlite3_errmsg(d->sql)));
    }
    sqlite3_reset(st);
}

static void answer_blob(struct db *d, const struct fx_ask *ask, struct group *g, struct answer *a)
{
    sqlite3_stmt *st = db_use(d, DB_BLOB_HAVE);
    sqlite3_bind_blob(st, 1, ask->digest.b, sizeof ask->digest.b, SQLITE_STATIC);
    if (sqlite3_step(st) == SQLITE_ROW) {
        a->known = true;
        a->size = (uint64_t)sqlite3_column_int64(st, 0);
    }
    sqlite3_reset(st);
    if (!a->known || !ask->limit || ask->from >= a->size)
        return;
    st = db_use(d, DB_BLOB_GET);
    sqlite3_bind_blob(st, 1, ask->digest.b, sizeof ask->digest.b, SQLITE_STATIC);
    sqlite3_bind_int64(st, 2, (int64_t)(ask->from / BLOB_PIECE * BLOB_PIECE));
    if (sqlite3_step(st) == SQLITE_ROW) {
        size_t skip = (size_t)(ask->from % BLOB_PIECE);
        size_t n = (size_t)sqlite3_column_bytes(st, 1);
        const char *p = sqlite3_column_blob(st, 1);
        n = n > skip ? n - skip : 0;
        a->bytes = keep(g, p + skip, n < ask->limit ? n : ask->limit);
    }
    sqlite3_reset(st);
}

void db_answer(struct db *d, const struct fx_ask *ask, struct group *g, uint64_t seq)
{
    struct answer *a = group_answer(g, ask);
    a->seq = seq;
    if (ask->kind == ASK_RECORDS) {
        answer_records(d, ask, g, a);
    } else if (ask->kind == ASK_BLOB) {
        answer_blob(d, ask, g, a);
    } else {
        a->complete = true;
        a->error = STR("this journal cannot be looked through");
    }
}
