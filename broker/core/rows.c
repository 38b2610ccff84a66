/* Images of what changed, for the rows of the database. They are a fold of the journal, so they may
 * be late: restart takes the rows and folds the records behind them. A trial that is final and
 * written gives up its texts.
 *
 * The lists are in the order of the first record that a row lacks, so the oldest of their heads
 * says how far the rows are complete. */
#include "farm_state.h"
#include "rows.h"
#include "study.h"
#include "trial.h"
#include "remote.h"

static struct str keep(struct effects *fx, struct str s)
{
    struct str copy = arena_dup(&fx->arena, s);
    REQUIRE(copy.p || !s.n);
    return copy;
}

static void write_trial(struct effects *fx, struct trial *t)
{
    struct trial_image *im = effects_trial(fx);
    trial_fill(t, im);
    im->params = keep(fx, im->params);
    im->why_text = keep(fx, im->why_text);
    im->metrics = keep(fx, im->metrics);
    im->error = keep(fx, im->error);
    im->resume = keep(fx, im->resume);
    if (im->n_decide) {
        int64_t *steps = arena_array(&fx->arena, im->n_decide, sizeof *steps);
        REQUIRE(steps);
        memcpy(steps, im->decide, im->n_decide * sizeof *steps);
        im->decide = steps;
    }
    list_remove(&t->open->dirty);
    trial_shrink(t);
}

static void write_study(struct effects *fx, struct study *s, int64_t now)
{
    struct study_image *im = effects_study(fx);
    study_fill(s, now, im);
    im->name = keep(fx, im->name);
    im->metric = keep(fx, im->metric);
    im->why = keep(fx, im->why);
    list_remove(&s->dirty);
}

static void write_workers(struct farm *f, struct effects *fx)
{
    LIST_FOREACH_SAFE (it, tmp, &f->dirty_workers) {
        struct worker *w = CONTAINER_OF(it, struct worker, dirty);
        remote_image(w, w->draining || w->ordered ? WORKER_DRAINING : WORKER_READY,
                     farm_wall(f, w->session->seen), fx);
        list_remove(&w->dirty);
    }
}

uint64_t rows_complete(const struct farm *f)
{
    uint64_t first = f->seq + 1;
    const struct trial_open *o = LIST_FIRST(&f->dirty_trials, struct trial_open, dirty);
    const struct study *s = LIST_FIRST(&f->dirty_studies, struct study, dirty);
    if (o && o->dirty_seq < first)
        first = o->dirty_seq;
    if (s && s->dirty_seq < first)
        first = s->dirty_seq;
    return first - 1;
}

void farm_flush_rows(struct farm *f, int64_t now, bool all, struct effects *fx)
{
    int64_t due = all ? CLOCK_NEVER : now - f->c.row_ns;
    size_t most = all ? SIZE_MAX : ROWS_PER_FLUSH, n = 0;
    struct study *s;
    while (n < most && (s = LIST_FIRST(&f->dirty_studies, struct study, dirty)) &&
           s->dirty_at <= due) {
        write_study(fx, s, now);
        n++;
    }
    struct trial_open *o;
    while (n < most && (o = LIST_FIRST(&f->dirty_trials, struct trial_open, dirty)) &&
           o->dirty_at <= due) {
        write_trial(fx, o->trial);
        n++;
    }
    if (n || all)
        write_workers(f, fx);
    if (n)
        fx->fold_seq = rows_complete(f);
}

int64_t rows_next(const struct farm *f)
{
    int64_t at = CLOCK_NEVER;
    const struct trial_open *o = LIST_FIRST(&f->dirty_trials, struct trial_open, dirty);
    const struct study *s = LIST_FIRST(&f->dirty_studies, struct study, dirty);
    if (o)
        at = o->dirty_at + f->c.row_ns;
    if (s && s->dirty_at + f->c.row_ns < at)
        at = s->dirty_at + f->c.row_ns;
    return at;
}
