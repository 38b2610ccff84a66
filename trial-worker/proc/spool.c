/* The worker's spool. Called by agent.c, which carries the core's effects to it; what belongs into
 * a spool is decided by the core (spooling.c), and the core keeps everything in memory until the
 * broker has acknowledged it, so that nothing here is the only copy while the process lives.
 *
 * What is added is gathered and written by one piece of work at a time. When one fails, what it
 * held and all that comes is thrown away until it is time to try again: then the core says
 * everything anew. So a full disk costs one warning and no trial. */
#include "spool.h"

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

#include "alloc.h"
#include "clock.h"
#include "frame.h"
#include "log.h"
#include "spool_file.h"

#define RETRY_NS   (5 * NS_PER_S)
#define LEAST_LONG (UINT64_C(1) << 20)  /* a file shorter than this is never written anew */
#define RESERVE    (UINT64_C(16) << 20) /* for results: as many as a worker may hold */
#define PIECE      65536u
#define NAME_BYTES 38 /* 32 digits and ".spool" */

struct taken {
    char name[256];
    int fd; /* holds the lock */
    bool torn;
};
struct spool {
    struct spool_config c;
    struct spool_counts counts;
    struct spool_file file;
    struct spool_chain chain; /* of what is on the disk, under way and gathered */
    struct buf gather;
    bool replace, sync; /* of what is gathered */
    uv_work_t work;
    struct buf writing;
    struct spool_work job; /* under way, if busy */
    bool busy, failing, told, told_full;
    err_t result;
    struct errmsg em;
    int64_t retry_at;
    uint64_t size;    /* of the file; its own count belongs to the thread while that works */
    uint64_t long_at; /* a file of this size is written anew */
    struct taken *taken;
    size_t n_taken, cap_taken;
};

err_t spool_open(struct spool **out, const struct spool_config *c, struct errmsg *em)
{
    REQUIRE(c->limit > 0 && c->limit <= SPOOL_MAX);
    struct spool *s = alloc_zero(sizeof *s);
    s->c = *c;
    s->c.retry_ns = c->retry_ns ? c->retry_ns : RETRY_NS;
    s->long_at = LEAST_LONG;
    buf_init(&s->gather, 0);
    buf_init(&s->writing, 0);
    err_t e = spool_file_init(&s->file, c->root, c->peer, em);
    if (e) {
        free(s);
        return errmsg_wrap(em, e, "the worker's spool");
    }
    *out = s;
    return ERR_OK;
}

/* ---- what ended processes left ---- */

static void free_taken(struct spool *s, bool remove)
{
    for (size_t i = 0; i < s->n_taken; i++) {
        struct taken *t = &s->taken[i];
        if (remove && t->torn)
            spool_file_set_aside(&s->file, t->name, "torn");
        else if (remove)
            spool_file_remove(&s->file, t->name);
        close(t->fd);
    }
    s->n_taken = 0;
}

void spool_settle(struct spool *s)
{
    free_taken(s, true);
}

static void keep_taken(struct spool *s, const char *name, int fd, bool torn)
{
    if (s->n_taken == s->cap_taken) {
        s->cap_taken = s->cap_taken ? s->cap_taken * 2 : 4;
        s->taken = alloc_grow(s->taken, s->cap_taken, sizeof *s->taken);
    }
    struct taken *t = &s->taken[s->n_taken++];
    *t = (struct taken){.fd = fd, .torn = torn};
    (void)str_copyz(t->name, sizeof t->name, str_of(name));
    s->counts.taken++;
}

static void refuse(struct spool *s, const char *name, const char *ending, const char *why)
{
    s->counts.set_aside++;
    LOG_W("SPOOL-REFUSED", "file=%s/%s ending=%s why=\"%s\"", s->file.dir, name, ending, why);
}

static enum spool_form_found read_file(int fd, struct spool_form_reader *r)
{
    char piece[PIECE];
    ssize_t n;
    while ((n = read(fd, piece, sizeof piece)) > 0)
        if (!spool_form_feed(r, str_make(piece, (size_t)n)))
            break;
    return spool_form_end(r);
}

struct visit {
    struct spool *s;
    uint64_t farm, timeline;
    spool_form_take *take;
    void *self;
};

static void read_claimed(const struct visit *v, const char *name, int fd)
{
    struct spool *s = v->s;
    struct spool_form_reader r;
    spool_form_begin(&r, v->farm, v->timeline, v->take, v->self);
    enum spool_form_found found = read_file(fd, &r);
    if (found == SPOOL_FORM_WHOLE || found == SPOOL_FORM_TORN) {
        keep_taken(s, name, fd, found == SPOOL_FORM_TORN);
        if (found == SPOOL_FORM_TORN)
            refuse(s, name, "torn", r.em.text);
        return;
    }
    if (found == SPOOL_FORM_NO_ROOM) {
        LOG_W("SPOOL-LEFT", "file=%s/%s why=\"%s\"", s->file.dir, name, r.em.text);
    } else {
        const char *ending = found == SPOOL_FORM_FOREIGN ? "foreign" : "bad";
        refuse(s, name, ending, r.em.text);
        spool_file_set_aside(&s->file, name, ending);
    }
    close(fd);
}

static void visit(const struct visit *v, const char *name)
{
    struct spool *s = v->s;
    uint64_t size = 0;
    bool bad;
    int fd = spool_file_claim(&s->file, name, &size, &bad);
    if (bad) {
        refuse(s, name, "bad", "it is no file of this user, or cannot be read");
        spool_file_set_aside(&s->file, name, "bad");
    }
    if (fd < 0)
        return;
    if (size == 0 || strstr(name, ".next")) { /* its writer had nothing, or had not finished */
        spool_file_remove(&s->file, name);
        close(fd);
    } else if (size > SPOOL_MAX) {
        refuse(s, name, "bad", "it is larger than any spool");
        spool_file_set_aside(&s->file, name, "bad");
        close(fd);
    } else {
        read_claimed(v, name, fd);
    }
}

static bool is_spool(const struct spool *s, const char *name)
{
    uint8_t id[16];
    size_t n = strlen(name);
    if (n < 33 || n > NAME_BYTES || !str_from_hex(str_make(name, 32), id, sizeof id))
        return false;
    bool ours = strncmp(name, s->file.name, 33) == 0;
    return !ours && (strcmp(name + 32, ".spool") == 0 || strcmp(name + 32, ".next") == 0);
}

void spool_take(struct spool *s, uint64_t farm, uint64_t timeline, spool_form_take *take,
                void *self)
{
    struct visit v = {s, farm, timeline, take, self};
    int lock = spool_file_lock_dir(&s->file);
    DIR *d = lock >= 0 ? opendir(s->file.dir) : NULL;
    char(*names)[NAME_BYTES + 1] = NULL; /* setting aside changes what is read */
    size_t n = 0, cap = 0;
    for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
        if (!is_spool(s, e->d_name))
            continue;
        if (n == cap) {
            cap = cap ? cap * 2 : 16;
            names = alloc_grow(names, cap, sizeof *names);
        }
        (void)str_copyz(names[n++], sizeof *names, str_of(e->d_name));
    }
    for (size_t i = 0; i < n && s->n_taken < SPOOL_TAKE_MAX; i++)
        visit(&v, names[i]);
    free(names);
    if (d)
        closedir(d);
    if (lock >= 0)
        close(lock);
}

/* ---- writing ---- */

/* What may not be missing: without it the records that are there would mean something else, or a
 * result would be lost. */
static bool essential(unsigned kind)
{
    return kind != MSG_START && kind != MSG_REPORT && kind != MSG_CHECKPOINT;
}

static bool flushed(unsigned kind)
{
    return kind == MSG_FINAL || kind == MSG_RELEASE || kind == MSG_CHECKPOINT;
}

static uint64_t limit_of(const struct spool *s, unsigned kind)
{
    uint64_t reserve = s->c.limit / 4 < RESERVE ? s->c.limit / 4 : RESERVE;
    return essential(kind) ? s->c.limit : s->c.limit - reserve;
}

static uint64_t size_after(const struct spool *s, size_t more)
{
    uint64_t before = s->size;
    if (s->busy)
        before = (s->job.replace ? 0 : before) + s->job.bytes.n;
    return (s->replace ? 0 : before) + s->gather.n + FRAME_HEADER + more;
}

void spool_add(struct spool *s, unsigned kind, struct str body)
{
    if (s->failing)
        return;
    if (size_after(s, body.n) > limit_of(s, kind)) {
        s->counts.left_out++;
        if (!s->told_full)
            LOG_W("SPOOL-FULL", "dir=%s limit=%llu action=\"what comes now waits in memory only\"",
                  s->file.dir, (unsigned long long)s->c.limit);
        s->told_full = true;
        return;
    }
    spool_form_add(&s->gather, &s->chain, kind, body);
    s->sync |= flushed(kind);
}

void spool_new(struct spool *s)
{
    buf_clear(&s->gather);
    s->chain = (struct spool_chain){0};
    s->replace = true;
    s->sync = s->told_full = false;
}

/* On a thread of the pool. */
static void run_work(uv_work_t *w)
{
    struct spool *s = w->data;
    s->result = spool_file_work(&s->file, &s->job, &s->em);
}

static void failed(struct spool *s, int64_t now)
{
    s->counts.failed++;
    s->failing = true;
    s->retry_at = now + s->c.retry_ns;
    buf_clear(&s->gather);
    s->replace = s->sync = false;
    if (!s->told)
        LOG_W("SPOOL-FAILED", "why=\"%s\" action=\"results wait in memory\"", s->em.text);
    s->told = true;
}

static void succeeded(struct spool *s)
{
    s->counts.writes++;
    s->counts.bytes += s->job.bytes.n;
    s->counts.syncs += s->job.bytes.n > 0 && (s->job.sync || s->job.replace);
    if (s->told)
        LOG_I("SPOOL-WORKS-AGAIN", "dir=%s", s->file.dir);
    s->told = false;
    if (s->job.replace) {
        uint64_t half = (s->c.limit - s->size) / 2, more = s->size < half ? s->size : half;
        s->long_at = s->size + (more > LEAST_LONG ? more : LEAST_LONG);
        free_taken(s, true);
    }
}

static void finish(struct spool *s, int64_t now)
{
    s->busy = false;
    s->size = s->file.size;
    if (s->result)
        failed(s, now);
    else
        succeeded(s);
}

static void after_work(uv_work_t *w, int status)
{
    struct spool *s = w->data;
    (void)status;
    finish(s, clock_now());
}

/* Takes what was gathered as the next piece of work; false: there is nothing to do. */
static bool next_job(struct spool *s)
{
    bool nothing = s->replace ? s->gather.n == 0 && s->size == 0 && !s->told : s->gather.n == 0;
    if (nothing) {
        if (s->replace)
            free_taken(s, true);
        s->replace = s->sync = false;
        return false;
    }
    struct buf b = s->writing;
    s->writing = s->gather;
    s->gather = b;
    buf_clear(&s->gather);
    s->job = (struct spool_work){buf_str(&s->writing), s->replace, s->sync};
    s->replace = s->sync = false;
    return true;
}

void spool_flush(struct spool *s, int64_t now)
{
    if (s->busy || s->failing)
        return;
    if (!buf_ok(&s->gather)) {
        errmsg_set(&s->em, ERR_NOMEM, "no memory for what was to be written");
        failed(s, now);
        return;
    }
    if (!next_job(s))
        return;
    s->busy = true;
    s->work.data = s;
    REQUIRE(uv_queue_work(s->c.loop, &s->work, run_work, after_work) == 0);
}

bool spool_wants_all(struct spool *s, int64_t now, int64_t *next)
{
    *next = s->failing ? s->retry_at : CLOCK_NEVER;
    if (s->busy)
        return false;
    if (s->failing && now >= s->retry_at) {
        s->failing = false;
        *next = CLOCK_NEVER;
        return true;
    }
    if (s->failing || s->size < s->long_at)
        return false;
    s->long_at = UINT64_MAX; /* until it is written */
    return true;
}

struct spool_counts spool_counts(const struct spool *s)
{
    return s->counts;
}

bool spool_busy(const struct spool *s)
{
    return s->busy || s->gather.n > 0 || s->replace;
}

static void tell_counts(const struct spool *s)
{
    const struct spool_counts *c = &s->counts;
    if (c->writes + c->failed + c->left_out + c->taken + c->set_aside == 0)
        return;
    LOG_I("SPOOL-ENDED",
          "writes=%llu flushes=%llu bytes=%llu failed=%llu left_out=%llu taken_over=%llu "
          "refused=%llu",
          (unsigned long long)c->writes, (unsigned long long)c->syncs, (unsigned long long)c->bytes,
          (unsigned long long)c->failed, (unsigned long long)c->left_out,
          (unsigned long long)c->taken, (unsigned long long)c->set_aside);
}

void spool_close(struct spool *s)
{
    if (!s)
        return;
    while (s->busy)
        uv_run(s->c.loop, UV_RUN_ONCE);
    if (!s->failing && buf_ok(&s->gather) && next_job(s)) {
        s->result = spool_file_work(&s->file, &s->job, &s->em);
        finish(s, 0);
    }
    if (s->size > 0)
        LOG_W("SPOOL-LEFT",
              "file=%s/%s why=\"results were not acknowledged; the next worker on "
              "this root delivers them\"",
              s->file.dir, s->file.name);
    tell_counts(s);
    free_taken(s, false);
    free(s->taken);
    spool_file_fini(&s->file);
    buf_fini(&s->gather);
    buf_fini(&s->writing);
    free(s);
}
