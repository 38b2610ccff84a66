/* `tunefarm restore`: a database of a backup.
 *
 * Called by main.c. That attempts which are out in the field belong to another farm is said by the
 * timeline, which the broker draws anew at its first start with what is written here. */
#include <stdio.h>

#include "client.h"
#include "command.h"
#include "dbcopy.h"

struct restore_settings {
    bool force;
};
static const struct opt_row restore_rows[] = {
    {.name = "force",
     .type = OPT_FLAG,
     .offset = offsetof(struct restore_settings, force),
     .help = "Replace FILE if it is there. Only a database of a farm, which no broker has open, is "
             "replaced."},
};
static const struct opt_table restore_table = {
    .program = "tunefarm restore",
    .usage = "tunefarm restore [OPTION ...] BACKUP FILE",
    .summary = "make a database of a backup",
    .text = "Copies BACKUP to FILE, checks it, and makes it a database that tunefarm broker --db "
            "FILE and tunefarm run work on. BACKUP stays as it is.\n\n"
            "The restored farm goes on where the backup was made. Workers that still hold trials "
            "of the farm before it end them when they connect, because the same numbers now stand "
            "for other attempts; what was running when the backup was made is run again, which "
            "costs it no retry.",
    .rows = restore_rows,
    .n = sizeof restore_rows / sizeof restore_rows[0],
};

static err_t work(void *settings, const struct opts *o, struct errmsg *em)
{
    const struct restore_settings *s = settings;
    struct dbcopied done;
    err_t e = dbcopy(o->operands[0], o->operands[1], s->force, DBCOPY_RESTORE, &done, em);
    if (e == ERR_OK)
        printf("%s: %.1f MiB, everything up to event %llu\n", o->operands[1],
               (double)done.bytes / (1 << 20), (unsigned long long)done.seq);
    return e;
}

int cmd_restore(int argc, char **argv)
{
    struct restore_settings s;
    return client_main(&restore_table, &s, NULL, argc, argv, 2, 2, work);
}
