/* A served evaluator for tests, on the C report helper. What it does depends on the parameter x:
 *   x < 0.1   ends the process with status 4 in the midst of the trial
 *   x < 0.2   reports a step and sleeps, deaf to stops
 *   x < 0.3   reports a step and waits to be stopped, then gives up on the point
 *   x < 0.4   prints a line, then reports an error that no retry helps
 *   x < 0.45  goes on from its checkpoint, writes another when it is asked, and ends with x when it
 *             is stopped
 *   else      ends with the loss x and the metrics pid and nth (which trial of this process it was)
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tunefarm_report.h"

static void wait_for_stop(struct tunefarm *t)
{
    while (!tunefarm_stopped(t))
        usleep(2000);
    tunefarm_prune(t);
}

static void write_when_asked(struct tunefarm *t, double x)
{
    int64_t step = tunefarm_resume_step(t) + 1;
    printf("goes on from %s\n", tunefarm_resume(t));
    fflush(stdout);
    tunefarm_report(t, step, x);
    while (!tunefarm_checkpoint_wanted(t))
        usleep(2000);
    tunefarm_checkpoint(t, tunefarm_checkpoint_dir(t), step);
    while (!tunefarm_stopped(t))
        usleep(2000);
    tunefarm_final(t, x);
}

static void run(struct tunefarm *t, double x, int nth)
{
    if (x < 0.1) {
        fprintf(stderr, "about to end\n");
        exit(4);
    }
    if (x < 0.3)
        tunefarm_report(t, 1, x);
    if (x < 0.2) {
        sleep(1000);
    } else if (x < 0.3) {
        wait_for_stop(t);
    } else if (x < 0.4) {
        printf("it is no good\n");
        fflush(stdout);
        tunefarm_error(t, "no \"good\"", 0);
    } else if (x < 0.45) {
        write_when_asked(t, x);
    } else {
        tunefarm_metric(t, "pid", (double)getpid());
        tunefarm_metric(t, "nth", nth);
        tunefarm_final(t, x);
    }
}

int main(void)
{
    struct tunefarm *t = tunefarm_open();
    for (int nth = 1; tunefarm_next(t); nth++)
        run(t, tunefarm_param(t, "x", 1), nth);
    tunefarm_close(t);
    return 0;
}
