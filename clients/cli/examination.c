/* Programs link no broker, so the look into a file is left to its program, which prints what it
 * finds. Called by cmd_doctor.c, and farmcheck.c for the same lines from a running broker. */
#include "examination.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "childproc.h"
#include "json.h"

static const char *text_at(struct json_object *line, size_t i)
{
    struct json_object *v = json_object_array_get_idx(line, i);
    return v ? json_object_get_string(v) : "";
}

void examination_line(struct diagnosis *d, struct str line)
{
    struct json_object *v = NULL;
    if (json_parse(line, JSON_STRICT, &v, NULL) == ERR_OK &&
        json_object_is_type(v, json_type_array)) {
        const char *status = text_at(v, 1);
        enum health h = strcmp(status, "ok") == 0     ? HEALTH_OK
                        : strcmp(status, "warn") == 0 ? HEALTH_WARN
                                                      : HEALTH_FAIL;
        diagnosis_add(d, h, text_at(v, 0), text_at(v, 3), "%s", text_at(v, 2));
    } else {
        diagnosis_add(d, HEALTH_FAIL, "database", NULL, "the broker's program said " STR_FMT,
                      STR_ARG(line));
    }
    json_object_put(v);
}

static int start(const char *path, const char *file, int out, pid_t *pid)
{
    extern char **environ;
    char flag[] = "--examine", db[] = "--db";
    char *argv[] = {(char *)path, flag, db, (char *)file, NULL};
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
    int rc = posix_spawn(pid, path, &files, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&files);
    return rc;
}

static void read_lines(struct diagnosis *d, FILE *f)
{
    char *line = NULL;
    size_t cap = 0;
    for (ssize_t n; (n = getline(&line, &cap, f)) > 0;) {
        struct str s = str_make(line, (size_t)n - (line[n - 1] == '\n'));
        if (s.n)
            examination_line(d, s);
    }
    free(line);
}

void examination_run(struct diagnosis *d, const char *file)
{
    char path[4400];
    struct errmsg em;
    int ends[2], status = 0;
    pid_t pid = 0;
    if (childproc_find("broker", path, sizeof path, &em)) {
        diagnosis_add(d, HEALTH_FAIL, "database", "install tunefarm-broker beside tunefarm", "%s",
                      em.text);
        return;
    }
    int rc = pipe2(ends, O_CLOEXEC) ? errno : start(path, file, ends[1], &pid);
    if (rc) {
        diagnosis_add(d, HEALTH_FAIL, "database", NULL, "%s cannot be started: %s", path,
                      strerror(rc));
        return;
    }
    close(ends[1]);
    FILE *f = fdopen(ends[0], "r");
    if (f) {
        read_lines(d, f);
        fclose(f);
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (!WIFEXITED(status) || WEXITSTATUS(status))
        diagnosis_add(d, HEALTH_FAIL, "database",
                      "keep the file; its pages may be damaged in a way that was not foreseen",
                      "the look into %s was broken off (status %d)", file, status);
}
