/* Rows and records of the journal into a new core, with the specs they name. Called by broker.c at
 * a start, and by rerun.c for a recording that did not begin with an empty database. */
#include "loading.h"

#include "codec.h"
#include "crc32c.h"
#include "envelope.h"

struct loading {
    struct journal *journal;
    struct farm *farm;
    const char *file;
    struct arena arena;
    struct buf spec;
    uint32_t sum;
};

static void add_sum(struct loading *l, const uint64_t *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        l->sum = crc32c_u64(l->sum, v[i]);
}

static err_t read_spec(struct loading *l, struct digest digest, struct envelope *env,
                       struct errmsg *em)
{
    buf_clear(&l->spec);
    err_t e = journal_blob(l->journal, digest, &l->spec, em);
    if (e == ERR_OK)
        e = envelope_read(buf_str(&l->spec), &l->arena, env, em);
    return e == ERR_OK ? ERR_OK : errmsg_wrap(em, ERR_CORRUPT, "%s", l->file);
}

static err_t load_study(void *self, const struct study_image *i, struct errmsg *em)
{
    struct loading *l = self;
    struct envelope env;
    const uint64_t what[] = {i->number, i->seq, i->study_seq, i->state, i->optimizer_epoch};
    add_sum(l, what, sizeof what / sizeof *what);
    arena_clear(&l->arena);
    err_t e = read_spec(l, i->spec, &env, em);
    return e == ERR_OK ? farm_load_study(l->farm, i, buf_str(&l->spec), &env, em) : e;
}

static err_t load_trial(void *self, const struct trial_image *i, struct errmsg *em)
{
    struct loading *l = self;
    const uint64_t what[] = {i->study, i->number, i->seq, i->state, i->attempt};
    add_sum(l, what, sizeof what / sizeof *what);
    return farm_load_trial(l->farm, i, em);
}

static err_t load_request(void *self, const struct msg_reply *answer, struct errmsg *em)
{
    struct loading *l = self;
    (void)em;
    l->sum = crc32c(l->sum, answer->request.b, sizeof answer->request.b);
    farm_load_request(l->farm, answer);
    return ERR_OK;
}

static err_t load_record(void *self, uint64_t seq, struct str body, struct errmsg *em)
{
    struct loading *l = self;
    struct record r;
    struct envelope env;
    l->sum = crc32c(l->sum, body.p, body.n);
    arena_clear(&l->arena);
    err_t e = record_decode(&r, body, &l->arena, em);
    if (e != ERR_OK || r.seq != seq)
        return errmsg_set(em, ERR_CORRUPT, "%s: the journal's record %llu cannot be read", l->file,
                          (unsigned long long)seq);
    bool spec = r.kind == REC_STUDY_CREATED || r.kind == REC_SPEC_ADDED;
    if (spec && (e = read_spec(l, r.digest, &env, em)) != ERR_OK)
        return e;
    return farm_load_record(l->farm, &r, spec ? buf_str(&l->spec) : (struct str){0},
                            spec ? &env : NULL, em);
}

err_t loading_run(struct journal *j, struct farm *f, const char *file, uint32_t *sum,
                  struct errmsg *em)
{
    struct loading l = {.journal = j, .farm = f, .file = file};
    struct journal_reader r = {&l, load_study, load_trial, load_request, load_record};
    arena_init(&l.arena, 0);
    err_t e = journal_load(j, &r, em);
    if (e == ERR_OK)
        e = farm_load_check(f, em);
    arena_fini(&l.arena);
    buf_fini(&l.spec);
    *sum = l.sum;
    return e;
}
