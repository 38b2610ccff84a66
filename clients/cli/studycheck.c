/* A sampler that does not exist, or a pattern that is none, would be found out only after the study
 * is stored, and then stand in the way of the corrected one. The optimizer's filter mode reads a
 * study and ends with its input, so it is asked with none. The study is handed over as a file in
 * memory.
 *
 * Called by the commands run and submit. */
#include "studycheck.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "childproc.h"
#include "client.h"
#include "scrape.h"

#define CHILD_STUDY 102

static int study_in_memory(struct str json)
{
    int fd = memfd_create("study", MFD_CLOEXEC);
    if (fd >= 0 && write(fd, json.p, json.n) != (ssize_t)json.n) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static pid_t spawn(const char *path, int study, int error)
{
    extern char **environ;
    char name[4400], flag[] = "--stdio", file[64];
    char *argv[] = {name, flag, file, NULL};
    posix_spawn_file_actions_t files;
    pid_t pid = -1;
    snprintf(name, sizeof name, "%s", path);
    snprintf(file, sizeof file, "/proc/self/fd/%d", CHILD_STUDY);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&files, error, STDERR_FILENO);
    posix_spawn_file_actions_adddup2(&files, study, CHILD_STUDY);
    if (posix_spawn(&pid, path, &files, NULL, argv, environ))
        pid = -1;
    posix_spawn_file_actions_destroy(&files);
    return pid;
}

/* All that is written into the pipe until it is closed; `out` keeps the beginning. */
static void read_all(int fd, char *out, size_t size)
{
    char rest[512];
    size_t used = 0;
    for (;;) {
        bool room = used + 1 < size;
        ssize_t n = read(fd, room ? out + used : rest, room ? size - 1 - used : sizeof rest);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        used += room ? (size_t)n : 0;
    }
    out[used] = 0;
}

static void take_sentence(const struct studyfile *s, const char *said, struct errmsg *em)
{
    static const char prefix[] = "tunefarm optimizer: ";
    if (strncmp(said, prefix, sizeof prefix - 1) == 0)
        said += sizeof prefix - 1;
    errmsg_set(em, ERR_INVALID, "%.*s", (int)strcspn(said, "\n"), said);
    studyfile_locate(s, em);
}

static bool is_brought(const struct objective *o, struct str path)
{
    for (uint32_t i = 0; i < o->n_files; i++)
        if (str_eq(o->files[i].path, path))
            return true;
    return false;
}

void studycheck_files(const struct studyfile *s)
{
    const struct objective *o = &s->spec->objective;
    struct stat about;
    struct buf path;
    buf_init(&path, 0);
    for (uint32_t i = 0; i < o->n_command; i++) {
        struct str arg = o->command[i];
        bool here = arg.n > 2 && arg.p[0] == '.' && arg.p[1] == '/';
        struct str name = here ? str_make(arg.p + 2, arg.n - 2) : arg;
        if (name.n == 0 || name.p[0] == '/' || name.p[0] == '-' || (i == 0 && !here))
            continue;
        buf_clear(&path);
        buf_printf(&path, "%s/" STR_FMT, s->dir, STR_ARG(name));
        if (stat(buf_z(&path), &about) == 0 && S_ISREG(about.st_mode) && !is_brought(o, name))
            client_note("objective.files does not name " STR_FMT
                        ": it is not brought to where the command runs",
                        STR_ARG(name));
    }
    buf_fini(&path);
}

static err_t check_patterns(const struct studyfile *s, struct errmsg *em)
{
    struct scrape *compiled;
    err_t e = scrape_new(&compiled, &s->spec->objective, em);
    scrape_free(compiled);
    if (e)
        studyfile_locate(s, em);
    return e;
}

static err_t ask_optimizer(const struct studyfile *s, struct errmsg *em)
{
    char path[4400], said[900];
    int ends[2], status = 0;
    if (childproc_find("optimizer", path, sizeof path, NULL) || pipe2(ends, O_CLOEXEC))
        return ERR_OK;
    int study = study_in_memory(buf_str(&s->json));
    pid_t pid = study >= 0 ? spawn(path, study, ends[1]) : -1;
    close(ends[1]);
    if (study >= 0)
        close(study);
    if (pid > 0) {
        read_all(ends[0], said, sizeof said);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            continue;
    }
    close(ends[0]);
    if (pid <= 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 2)
        return ERR_OK;
    take_sentence(s, said, em);
    return ERR_INVALID;
}

err_t studycheck(const struct studyfile *s, struct errmsg *em)
{
    err_t e = check_patterns(s, em);
    return e ? e : ask_optimizer(s, em);
}
