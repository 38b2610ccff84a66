/* `tunefarm stop`: no more trials of a study, and its running ones end; or one trial ends.
 *
 * Called by main.c. */
#include "change.h"
#include "command.h"
#include "message.h"

static const struct opt_row stop_rows[] = {CLIENT_ROWS_CHANGE(struct change_settings)};
static const struct opt_table stop_table = {
    .program = "tunefarm stop",
    .usage = "tunefarm stop [OPTION ...] STUDY [TRIAL]",
    .summary = "stop a study or a trial",
    .text =
        "Stops a study: nothing new is proposed, waiting trials are cancelled, running ones are "
        "ended. With a trial's number only that trial is cancelled. A stopped study goes on "
        "when it is run or submitted again. To hold it back for a while: tunefarm pause.",
    .rows = stop_rows,
    .n = sizeof stop_rows / sizeof stop_rows[0],
};

int cmd_stop(int argc, char **argv)
{
    static const struct change stop = {MSG_CANCEL, "stopping", "stopped"};
    return change_main(&stop_table, &stop, argc, argv);
}
