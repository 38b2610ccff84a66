/* `tunefarm resume`: what was paused goes on.
 *
 * Called by main.c. */
#include "change.h"
#include "command.h"
#include "message.h"

static const struct opt_row resume_rows[] = {CLIENT_ROWS_CHANGE(struct change_settings)};
static const struct opt_table resume_table = {
    .program = "tunefarm resume",
    .usage = "tunefarm resume [OPTION ...] STUDY [TRIAL]",
    .summary = "let a paused study or trial go on",
    .text =
        "Ends the pause of a study, or with a trial's number that of the trial, which is then the "
        "next of its study to be started and is given its last checkpoint. The study and each "
        "trial are paused for themselves: to resume a study does not resume its paused trials.",
    .rows = resume_rows,
    .n = sizeof resume_rows / sizeof resume_rows[0],
};

int cmd_resume(int argc, char **argv)
{
    static const struct change go_on = {MSG_RESUME, "resuming", "resumed"};
    return change_main(&resume_table, &go_on, argc, argv);
}
