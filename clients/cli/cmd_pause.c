/* `tunefarm pause`: a study, or one trial, is held back until it is resumed.
 *
 * Called by main.c. */
#include "change.h"
#include "command.h"
#include "message.h"

static const struct opt_row pause_rows[] = {CLIENT_ROWS_CHANGE(struct change_settings)};
static const struct opt_table pause_table = {
    .program = "tunefarm pause",
    .usage = "tunefarm pause [OPTION ...] STUDY [TRIAL]",
    .summary = "hold a study or a trial back",
    .text =
        "Pauses a study: none of its trials is started and nothing is proposed; those that run "
        "go on to their end, and its time (stop.time) stands still. With a trial's number only "
        "that trial is held back: if it runs it is stopped, and begins again from its last "
        "checkpoint, if it has written one. Both last over restarts, until tunefarm resume; a "
        "paused study also goes on when it is run or submitted again. A study with a paused trial "
        "does not end.",
    .rows = pause_rows,
    .n = sizeof pause_rows / sizeof pause_rows[0],
};

int cmd_pause(int argc, char **argv)
{
    static const struct change hold = {MSG_PAUSE, "pausing", "paused"};
    return change_main(&pause_table, &hold, argc, argv);
}
