/* A study on this machine: its directory, its compiled patterns and its idle evaluators. Called by
 * the runner. It must not know attempts. Everything that is the same for all trials of a study is
 * done once, here. */
#include "program.h"

#include <stdio.h>
#include <stdlib.h>

#include "alloc.h"

/* The parent of the attempts' directories, so that making one is a single call. */
static err_t make_trials(struct files *f, const struct spec *s, struct errmsg *em)
{
    char path[FILES_PATH];
    if (!files_attempt_path(f, s->study, 0, 0, path))
        return errmsg_set(em, ERR_INVALID, "the study's name is no legal path");
    *strrchr(path, '/') = 0;
    return files_mkdirs(path, 0700, em);
}

err_t program_new(struct program **out, struct files *f, struct digest d, const struct spec *s,
                  struct errmsg *em)
{
    char cwd[FILES_PATH];
    struct scrape *scrape = NULL;
    err_t e = files_study(f, d, s, cwd, em);
    if (!e)
        e = make_trials(f, s, em);
    if (!e)
        e = scrape_new(&scrape, &s->objective, em);
    if (e)
        return e;
    struct program *p = alloc_zero(sizeof *p);
    list_init(&p->link);
    list_init(&p->idle);
    p->digest = d;
    p->spec = s;
    p->cwd = str_dupz(str_of(cwd));
    p->scrape = scrape;
    *out = p;
    return ERR_OK;
}

void program_free(struct program *p)
{
    list_remove(&p->link);
    scrape_free(p->scrape);
    free(p->cwd);
    free(p);
}

struct program *program_find(const struct list *all, struct digest d)
{
    LIST_FOREACH (it, all) {
        struct program *p = CONTAINER_OF(it, struct program, link);
        if (digest_eq(p->digest, d))
            return p;
    }
    return NULL;
}
