/* A study as it is submitted: from a study file or from the inline form, with its files found and
 * digested. */
#ifndef FARM_CLI_STUDYFILE_H
#define FARM_CLI_STUDYFILE_H

#include "buf.h"
#include "opt.h"
#include "spec.h"

struct yaml_map;
struct studyfile {
    struct buf json;   /* the exact bytes that are submitted */
    struct spec *spec; /* the same, parsed */
    char *dir;         /* where its files are: the study file's directory and objective.dir */
    char *path;        /* the study file; NULL = inline */
    struct buf text;   /* what stands in it */
    struct yaml_map *map;
};
/* What the command line changes in what the file says. */
struct study_changes {
    bool has_trials, has_seed;
    uint64_t trials, seed;
    const char *name;      /* NULL = as it is */
    struct opt_list files; /* inline form: further files of the study */
};

/* Fault sentences begin with "FILE:LINE:COLUMN: " where there is such a place, and end with that
 * line and a mark under it. Every file named by the study is read once here: one that is missing,
 * no regular file, or over 64 MiB is refused. On failure nothing is to be freed. */
err_t studyfile_load(struct studyfile *s, const char *path, const struct study_changes *c,
                     struct errmsg *em) MUST_CHECK;
/* argv: the program and its arguments with parameters written NAME~EXPR. Arguments that name a file
 * of this directory become files of the study. */
err_t studyfile_inline(struct studyfile *s, char *const *argv, size_t argc,
                       const struct study_changes *c, struct errmsg *em) MUST_CHECK;
void studyfile_fini(struct studyfile *s);
/* Path of one of its files on this machine. */
void studyfile_path(const struct studyfile *s, const struct spec_file *f, struct buf *out);

/* Puts the place in the study file before a sentence that begins with a member's path, and the line
 * behind it. */
void studyfile_locate(const struct studyfile *s, struct errmsg *em);
/* Appends to a sentence that begins with "name:line:column: " that line of `text` and a mark under
 * the column. */
void studyfile_mark(struct errmsg *em, const char *name, struct str text);

#endif
