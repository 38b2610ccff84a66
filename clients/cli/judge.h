/* The optimizer of this installation as the judge of a journal: `tunefarm-optimizer --replay` as a
 * child that is told frames and gives one answer at the end. */
#ifndef FARM_CLI_JUDGE_H
#define FARM_CLI_JUDGE_H

#include <sys/types.h>

#include "buf.h"

struct judge {
    pid_t pid;    /* 0 = not running */
    int to, from; /* -1 = closed */
    bool gone;    /* it reads no more; its answer says why */
    struct buf body, frame;
};

err_t judge_start(struct judge *j, struct errmsg *em) MUST_CHECK;
void judge_tell(struct judge *j, unsigned kind, const void *msg);
/* Ends what is told and waits for the answer, a line of JSON: ERR_FAILED with a sentence if there
 * is none. */
err_t judge_ask(struct judge *j, struct buf *answer, struct errmsg *em) MUST_CHECK;
void judge_fini(struct judge *j); /* legal after a failed start */

#endif
