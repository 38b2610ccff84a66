/* Where checkpoints stand. Called by the runner and the agent. It must not know what is in them.
 *
 * They are kept apart from the attempts' directories because they must outlive them: until the
 * trial is over somewhere. The farm's own number is part of the path, so that several farms may
 * share a directory, and so is the attempt, so that none writes over another's. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "files.h"

err_t files_checkpoints_open(struct files *f, const char *dir, struct errmsg *em)
{
    char own[sizeof f->root + 16];
    snprintf(own, sizeof own, "%s/checkpoints", f->root);
    const char *path = dir ? dir : own;
    err_t e = files_mkdirs(path, 0700, em);
    if (e)
        return errmsg_wrap(em, e, "--checkpoints");
    char *real = realpath(path, NULL);
    bool fits = real && str_copyz(f->checkpoints, sizeof f->checkpoints, str_of(real));
    free(real);
    if (!fits)
        return errmsg_set(em, ERR_LIMIT,
                          "--checkpoints %s: its path is longer than %zu bytes or not there", path,
                          sizeof f->checkpoints - 1);
    if (access(f->checkpoints, W_OK | X_OK) != 0)
        return errmsg_set(em, ERR_IO, "--checkpoints %s cannot be written: %s", path,
                          strerror(errno));
    return ERR_OK;
}

bool files_checkpoint_path(const struct files *f, uint64_t farm, struct str study, uint64_t trial,
                           uint32_t attempt, char out[FILES_PATH])
{
    if (!spec_name_valid(study))
        return false;
    int n = snprintf(out, FILES_PATH, "%s/%016llx/" STR_FMT "/%llu", f->checkpoints,
                     (unsigned long long)farm, STR_ARG(study), (unsigned long long)trial);
    if (attempt && n > 0 && n < FILES_PATH)
        n += snprintf(out + n, (size_t)(FILES_PATH - n), "/%u", attempt);
    return n > 0 && n < FILES_PATH;
}

err_t files_checkpoint_make(const char *path, struct errmsg *em)
{
    files_remove_tree(path);
    return files_mkdirs(path, 0700, em);
}

/* "s3:...", "file:...": a letter, then letters, digits, "+", "-", ".", and a colon. */
static bool has_scheme(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (c == ':')
            return i > 0;
        if (!letter && (i == 0 || !((c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.')))
            return false;
    }
    return false;
}

bool files_checkpoint_place(struct str place, const char *dir, char out[FILES_PATH])
{
    if (str_starts(place, "file:///"))
        place = str_make(place.p + 7, place.n - 7);
    else if (has_scheme(place))
        return false;
    bool absolute = place.n > 0 && place.p[0] == '/';
    int n = absolute      ? snprintf(out, FILES_PATH, STR_FMT, STR_ARG(place))
            : place.n > 0 ? snprintf(out, FILES_PATH, "%s/" STR_FMT, dir, STR_ARG(place))
                          : snprintf(out, FILES_PATH, "%s", dir);
    return n > 0 && n < FILES_PATH && strlen(out) == (size_t)n;
}
