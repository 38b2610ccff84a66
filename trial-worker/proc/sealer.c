/* The worker's long work on checkpoints. Called by agent.c. It must not know what an answer is for.
 *
 * A checkpoint may have many gigabytes, so its digest is computed on a thread of the pool;
 * everything else here happens on the loop. */
#include "sealer.h"

#include <stdlib.h>

#include "alloc.h"
#include "files.h"
#include "manifest.h"

enum task { TASK_SEAL, TASK_CHECK, TASK_REMOVE };

struct sealer {
    uv_loop_t *loop;
    struct sealer_events e;
    size_t jobs;
    bool closed;
    atomic_bool stop;
};
struct job {
    uv_work_t work;
    struct sealer *sealer;
    enum task task;
    uint64_t run;
    bool elsewhere;
    char *uri; /* as it was named, if it is elsewhere */
    char path[FILES_PATH];
    err_t result;
    struct digest digest;
    uint64_t size;
    struct errmsg em;
};

static void on_thread(uv_work_t *w)
{
    struct job *j = w->data;
    if (j->task == TASK_REMOVE)
        files_remove_tree(j->path);
    else if (!j->elsewhere)
        j->result = manifest_digest(j->path, &j->sealer->stop, &j->digest, &j->size, &j->em);
}

static struct seal seal_of(const struct job *j)
{
    struct seal s = {.verdict = SEAL_OK, .digest = j->digest, .size = j->size};
    s.uri = str_of(j->elsewhere ? j->uri : j->path);
    if (j->elsewhere)
        s.verdict = SEAL_ELSEWHERE;
    else if (j->result)
        s.verdict = j->result == ERR_NOT_FOUND ? SEAL_ABSENT : SEAL_FAILED;
    if (s.verdict != SEAL_OK)
        s.digest = (struct digest){{0}};
    s.text = str_of(j->em.text);
    return s;
}

static void on_done(uv_work_t *w, int status)
{
    struct job *j = w->data;
    struct sealer *s = j->sealer;
    struct seal answer = seal_of(j);
    (void)status; /* cancelled only when closed */
    if (!s->closed && j->task == TASK_SEAL)
        s->e.sealed(s->e.self, j->run, &answer);
    else if (!s->closed && j->task == TASK_CHECK)
        s->e.checked(s->e.self, j->run, &answer);
    free(j->uri);
    free(j);
    if (--s->jobs == 0 && s->closed)
        free(s);
}

static struct job *job_new(struct sealer *s, enum task task, uint64_t run)
{
    struct job *j = alloc_zero(sizeof *j);
    j->sealer = s;
    j->task = task;
    j->run = run;
    j->work.data = j;
    return j;
}

static void begin(struct job *j)
{
    j->sealer->jobs++;
    REQUIRE(uv_queue_work(j->sealer->loop, &j->work, on_thread, on_done) == 0);
}

static void look_at(struct sealer *s, enum task task, uint64_t run, struct str place,
                    const char *dir)
{
    struct job *j = job_new(s, task, run);
    j->elsewhere = !files_checkpoint_place(place, dir, j->path);
    j->uri = j->elsewhere ? str_dupz(place) : NULL;
    begin(j);
}

void sealer_seal(struct sealer *s, uint64_t run, struct str place, const char *dir)
{
    look_at(s, TASK_SEAL, run, place, dir);
}

void sealer_check(struct sealer *s, uint64_t run, struct str place)
{
    look_at(s, TASK_CHECK, run, place, "");
}

void sealer_remove(struct sealer *s, const char *path)
{
    struct job *j = job_new(s, TASK_REMOVE, 0);
    (void)str_copyz(j->path, sizeof j->path, str_of(path));
    begin(j);
}

struct sealer *sealer_new(uv_loop_t *loop, const struct sealer_events *e)
{
    struct sealer *s = alloc_zero(sizeof *s);
    s->loop = loop;
    s->e = *e;
    atomic_init(&s->stop, false);
    return s;
}

void sealer_close(struct sealer *s)
{
    if (!s)
        return;
    s->closed = true;
    atomic_store(&s->stop, true);
    if (s->jobs == 0)
        free(s);
}
