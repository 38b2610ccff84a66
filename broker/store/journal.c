/* The common face of all journals: each call goes to the kind's own function. */
#include "journal.h"

struct journal_ids journal_ids(const struct journal *j)
{
    return j->ids;
}

err_t journal_load(struct journal *j, const struct journal_reader *r, struct errmsg *em)
{
    return j->ops->load(j, r, em);
}

err_t journal_blob(struct journal *j, struct digest d, struct buf *out, struct errmsg *em)
{
    return j->ops->blob(j, d, out, em);
}

err_t journal_start(struct journal *j, struct errmsg *em)
{
    return j->ops->start(j, em);
}

void journal_submit(struct journal *j, struct group *g)
{
    j->ops->submit(j, g);
}

struct group *journal_done(struct journal *j)
{
    return j->ops->done(j);
}

bool journal_full(struct journal *j)
{
    return j->ops->full(j);
}

struct journal_stats journal_stats(struct journal *j)
{
    return j->ops->stats(j);
}

void journal_close(struct journal *j)
{
    if (j)
        j->ops->close(j);
}
