/* The commands of `tunefarm`, one file each. */
#ifndef FARM_CLI_COMMAND_H
#define FARM_CLI_COMMAND_H

#include "opt.h"

struct command {
    const char *name;
    const char *summary;
    /* argv[0] is "tunefarm NAME"; returns the process's exit code. */
    int (*run)(int argc, char **argv);
    const char *daemon; /* "broker": the command becomes tunefarm-broker; run is NULL then */
};

int cmd_run(int argc, char **argv);
int cmd_submit(int argc, char **argv);
int cmd_ls(int argc, char **argv);
int cmd_show(int argc, char **argv);
int cmd_watch(int argc, char **argv);
int cmd_best(int argc, char **argv);
int cmd_export(int argc, char **argv);
int cmd_stop(int argc, char **argv);
int cmd_pause(int argc, char **argv);
int cmd_resume(int argc, char **argv);
int cmd_logs(int argc, char **argv);
int cmd_drain(int argc, char **argv);
int cmd_workers(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_sql(int argc, char **argv);
int cmd_enqueue(int argc, char **argv);
int cmd_why(int argc, char **argv);
int cmd_replay(int argc, char **argv);
int cmd_backup(int argc, char **argv);
int cmd_restore(int argc, char **argv);
int cmd_compact(int argc, char **argv);

#endif
