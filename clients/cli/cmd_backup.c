/* `tunefarm backup`: a copy of the farm's database, by the broker while it runs, or here of a file
 * that no broker has.
 *
 * Called by main.c. */
#include <json-c/json.h>
#include <stdio.h>
#include <unistd.h>

#include "alloc.h"
#include "clock.h"
#include "command.h"
#include "dbcopy.h"
#include "source.h"
#include "longcall.h"

struct backup_settings {
    struct client client;
    bool force;
};
static const struct opt_row backup_rows[] = {
    {.name = "force",
     .type = OPT_FLAG,
     .offset = offsetof(struct backup_settings, force),
     .help = "Replace FILE if it is there. Only a database of a farm is replaced."},
    CLIENT_ROWS_CHANGE(struct backup_settings),
};
static const struct opt_table backup_table = {
    .program = "tunefarm backup",
    .usage = "tunefarm backup [OPTION ...] FILE",
    .summary = "copy the farm's database, also while it is in use",
    .text = "Writes a copy of the whole farm to FILE: everything that was acknowledged when it is "
            "done. The farm goes on meanwhile. FILE appears when it is whole and on the disk; "
            "until then it is FILE.part. It is on the broker's machine, so over tcp it is named "
            "from the root.\n\n"
            "A backup can be read (--db FILE) but is not for a broker: tunefarm restore makes a "
            "database of it. Of a farm that does not run, --db names the database.",
    .rows = backup_rows,
    .n = sizeof backup_rows / sizeof backup_rows[0],
};

/* The broker has another working directory, and maybe another machine. */
static err_t path_from_root(const char *name, const char *endpoint, struct buf *out,
                            struct errmsg *em)
{
    if (name[0] != '/') {
        if (!str_starts(str_of(endpoint), "ipc:"))
            return errmsg_set(em, ERR_INVALID,
                              "%s: over tcp the file is on the broker's machine; a path from the "
                              "root (/) was expected",
                              name);
        char *here = getcwd(NULL, 0);
        if (!here)
            return errmsg_set(em, ERR_IO, "the working directory is not there any more");
        buf_printf(out, "%s/", here);
        free(here);
    }
    buf_addz(out, name);
    return ERR_OK;
}

static void say(const struct backup_settings *s, const char *file, uint64_t bytes, uint64_t seq)
{
    if (s->client.json)
        printf("{\"backup\":true,\"bytes\":%llu,\"seq\":%llu}\n", (unsigned long long)bytes,
               (unsigned long long)seq);
    else
        printf("%s: %.1f MiB, everything up to event %llu\n", file, (double)bytes / (1 << 20),
               (unsigned long long)seq);
}

static err_t by_broker(const struct backup_settings *s, struct brokerlink *l, const char *file,
                       struct errmsg *em)
{
    struct buf path = {0};
    struct json_object *answer = NULL;
    err_t e = path_from_root(file, brokerlink_endpoint(l), &path, em);
    if (e == ERR_OK) {
        struct msg_backup m = {
            .request = brokerlink_request(), .path = buf_str(&path), .force = s->force};
        e = longcall(l, MSG_BACKUP, &m, m.request, "backup", &answer, em);
    }
    if (e == ERR_OK)
        say(s, file, longcall_number(answer, "bytes"), longcall_number(answer, "seq"));
    json_object_put(answer);
    buf_fini(&path);
    return e;
}

static err_t of_file(const struct backup_settings *s, const char *db, const char *file,
                     struct errmsg *em)
{
    struct dbcopied done;
    err_t e = dbcopy(db, file, s->force, DBCOPY_BACKUP, &done, em);
    if (e == ERR_OK)
        say(s, file, done.bytes, done.seq);
    return e;
}

static err_t work(void *settings, const struct opts *o, struct errmsg *em)
{
    const struct backup_settings *s = settings;
    struct source *from;
    err_t e = source_open(&from, &s->client, NULL, em);
    if (e != ERR_OK)
        return e;
    struct brokerlink *l = source_link(from);
    e = l ? by_broker(s, l, o->operands[0], em) : of_file(s, source_name(from), o->operands[0], em);
    source_close(from);
    return e;
}

int cmd_backup(int argc, char **argv)
{
    struct backup_settings s;
    return client_main(&backup_table, &s, &s.client, argc, argv, 1, 1, work);
}
