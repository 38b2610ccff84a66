/* From the journal to the core at a start: what is stored becomes the farm's state. Called by
 * broker.c before the first message. */
#include "loading.h"

#include "codec.h"
#include "envelope.h"
#include "hash.h"

struct loading {
    struct journal *journal;
    struct farm *farm;
    const char *file;
    struct arena arena;
    struct buf spec;
};

static err_t read_spec(struct loading *l, struct digest digest, struct envelope *env,
                       struct errmsg *em)
{
    buf_clear(&l->spec);
    err_t e = journal_blob(l->journal, digest, &l->spec, em);
    if (e == ERR_OK && !digest_eq(hash_bytes(buf_str(&l->spec)), digest))
        e = errmsg_set(em, ERR_CORRUPT, "a specification in it is damaged");
    if (e == ERR_OK)
        e = envelope_read(buf_str(&l->spec), &l->arena, env, em);
    return e == ERR_OK ? ERR_OK : errmsg_wrap(em, ERR_CORRUPT, "%s", l->file);
}

static err_t load_study(void *self, const struct study_image *i, struct errmsg *em)
{
    struct loading *l = self;
    struct envelope env;
    arena_clear(&l->arena);
    err_t e = read_spec(l, i->spec, &env, em);
    return e == ERR_OK ? farm_load_study(l->farm, i, buf_str(&l->spec), &env, em) : e;
}

static err_t load_trial(void *self, const struct trial_image *i, struct errmsg *em)
{
    struct loading *l = self;
    return farm_load_trial(l->farm, i, em);
}

static err_t load_request(void *self, const struct msg_reply *answer, struct errmsg *em)
{
    struct loading *l = self;
    (void)em;
    farm_load_request(l->farm, answer);
    return ERR_OK;
}

static err_t load_record(void *self, uint64_t seq, struct str body, struct errmsg *em)
{
    struct loading *l = self;
    struct record r;
    struct envelope env;
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

err_t loading_run(struct journal *j, struct farm *f, const char *file, struct errmsg *em)
{
    struct loading l = {.journal = j, .farm = f, .file = file};
    struct journal_reader r = {&l, load_study, load_trial, load_request, load_record};
    arena_init(&l.arena, 0);
    err_t e = journal_load(j, &r, em);
    if (e == ERR_OK)
        e = farm_load_check(f, em);
    arena_fini(&l.arena);
    buf_fini(&l.spec);
    return e;
}
