/* Turns what a person wrote into the bytes that are hashed, stored and delivered: YAML to JSON
 * once, the command line's changes, known points completed, and each file's digest, size and
 * executable bit. From here on nobody serialises the study again.
 *
 * Called by the commands run and submit. Knows the study's grammar only through study/; knows no
 * broker. */
#include "studyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hash.h"
#include "inline.h"
#include "json.h"
#include "yaml.h"

#define TEXT_LIMIT ((size_t)1 << 20)
#define FILE_LIMIT (64u << 20)
#define SPEC_LIMIT (256u << 10)

static err_t read_whole(const char *path, struct buf *out, struct errmsg *em)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errmsg_set(em, ERR_INVALID, "the study file %s cannot be read: %s", path,
                          strerror(errno));
    ssize_t n = 1;
    while (n > 0 && out->n <= TEXT_LIMIT) {
        char *room = buf_reserve(out, 65536);
        n = room ? read(fd, room, 65536) : 0;
        if (n > 0)
            out->n += (size_t)n;
    }
    int reason = errno;
    close(fd);
    if (n < 0)
        return errmsg_set(em, ERR_INVALID, "the study file %s cannot be read: %s", path,
                          strerror(reason));
    if (out->n > TEXT_LIMIT)
        return errmsg_set(em, ERR_LIMIT, "the study file %s is larger than 1 MiB", path);
    return ERR_OK;
}

/* Line and column from a sentence "name:line:column: ..."; false if it has no such head. */
static bool place_of(const struct errmsg *em, const char *name, size_t *line, size_t *column)
{
    size_t n = strlen(name);
    char *end;
    if (strncmp(em->text, name, n) != 0 || em->text[n] != ':')
        return false;
    *line = strtoul(em->text + n + 1, &end, 10);
    if (*end != ':')
        return false;
    *column = strtoul(end + 1, &end, 10);
    return *end == ':' && *line > 0 && *column > 0;
}

void studyfile_mark(struct errmsg *em, const char *name, struct str text)
{
    size_t line, column;
    if (!em || !place_of(em, name, &line, &column))
        return;
    size_t at = 0;
    while (--line > 0 && at < text.n) {
        const char *end = memchr(text.p + at, '\n', text.n - at);
        at = end ? (size_t)(end - text.p) + 1 : text.n;
    }
    const char *end = memchr(text.p + at, '\n', text.n - at);
    struct str s = str_make(text.p + at, end ? (size_t)(end - text.p) - at : text.n - at);
    size_t used = strlen(em->text), room = sizeof em->text - used;
    size_t shown = s.n < 100 ? s.n : str_utf8_cut(s, 100);
    if (s.n == 0 || column > shown + 1 || room < 2 * shown + 16 || str_has_control(s))
        return;
    snprintf(em->text + used, room, "\n    %.*s\n    %*s^", (int)shown, s.p, (int)column - 1, "");
}

static struct json_object *member_object(struct json_object *root, const char *key)
{
    struct json_object *v = json_get(root, key);
    if (!v) {
        v = json_object_new_object();
        json_object_object_add(root, key, v);
    }
    return json_object_is_type(v, json_type_object) ? v : NULL;
}

/* A sampler may be written as its name alone. */
static struct json_object *sampler_object(struct json_object *root)
{
    struct json_object *v = json_get(root, "sampler");
    if (v && json_object_is_type(v, json_type_string)) {
        struct json_object *full = json_object_new_object();
        json_object_object_add(full, "name", json_object_get(v));
        json_object_object_add(root, "sampler", full);
        return full;
    }
    return member_object(root, "sampler");
}

static void apply_changes(struct json_object *root, const struct study_changes *c)
{
    struct json_object *v;
    if (!json_object_is_type(root, json_type_object))
        return;
    if (c->name)
        json_object_object_add(root, "study", json_object_new_string(c->name));
    if (c->has_trials && (v = member_object(root, "stop")) != NULL)
        json_object_object_add(v, "trials", json_object_new_int64((int64_t)c->trials));
    if (c->has_seed && (v = sampler_object(root)) != NULL) {
        if (!json_get(v, "name"))
            json_object_object_add(v, "name", json_object_new_string("tpe"));
        json_object_object_add(v, "seed", json_object_new_int64((int64_t)c->seed));
    }
}

void studyfile_path(const struct studyfile *s, const struct spec_file *f, struct buf *out)
{
    if (strcmp(s->dir, ".") != 0)
        buf_printf(out, "%s/", s->dir);
    buf_add_str(out, f->path);
}

static err_t check_file(const char *path, struct stat *st, struct errmsg *em)
{
    if (stat(path, st))
        return errmsg_set(em, ERR_INVALID, "objective.files: %s cannot be read: %s", path,
                          strerror(errno));
    if (!S_ISREG(st->st_mode))
        return errmsg_set(em, ERR_INVALID,
                          "objective.files: %s is no regular file; name each file of a directory",
                          path);
    if (st->st_size > (off_t)FILE_LIMIT)
        return errmsg_set(em, ERR_LIMIT,
                          "objective.files: %s is larger than 64 MiB; let the program read it from "
                          "a path that all workers have",
                          path);
    return ERR_OK;
}

static err_t digest_file(const struct studyfile *s, const struct spec_file *f,
                         struct json_object *list, struct errmsg *em)
{
    struct buf path;
    struct stat st;
    struct digest digest;
    uint64_t size;
    char hex[HEX_SIZE(sizeof digest.b)];
    buf_init(&path, 0);
    studyfile_path(s, f, &path);
    err_t e = check_file(buf_z(&path), &st, em);
    if (!e)
        e = hash_file(buf_z(&path), &digest, &size, em);
    buf_fini(&path);
    if (e)
        return e == ERR_IO ? ERR_INVALID : e;
    struct json_object *v = json_object_new_object();
    str_hex(hex, digest.b, sizeof digest.b);
    json_object_object_add(v, "path", json_object_new_string_len(f->path.p, (int)f->path.n));
    json_object_object_add(v, "digest", json_object_new_string(hex));
    json_object_object_add(v, "size", json_object_new_int64((int64_t)size));
    if (st.st_mode & 0111)
        json_object_object_add(v, "executable", json_object_new_boolean(1));
    json_object_array_add(list, v);
    return ERR_OK;
}

/* The members of a whole point that a person gave, so that a point is known again however the rest
 * was drawn. */
static struct json_object *given_of(const struct space *space, struct json_object *whole,
                                    struct json_object *given)
{
    struct json_object *part = json_object_new_object();
    json_object_object_foreach(whole, key, value)
    {
        const struct param *p = &space->params[space_find(space, str_of(key))];
        if (json_object_object_get_ex(given, p->name.p, NULL) ||
            json_object_object_get_ex(given, p->short_name.p, NULL))
            json_object_object_add(part, key, json_object_get(value));
    }
    return part;
}

/* Replaces the known points by whole ones, so that what is submitted leaves nothing open, and says
 * beside them what was given if that is less. */
static err_t add_points(const struct studyfile *s, struct json_object *root, struct errmsg *em)
{
    struct json_object *list = json_object_new_array(), *given = json_object_new_array();
    struct json_object *written = json_get(root, "enqueue");
    bool partly = false;
    err_t e = ERR_OK;
    for (uint32_t i = 0; i < s->spec->n_enqueue && !e; i++) {
        struct json_object *whole = NULL, *part;
        e = json_parse(s->spec->enqueue[i], JSON_NONFINITE, &whole, em);
        if (e)
            break;
        part = given_of(s->spec->space, whole, json_object_array_get_idx(written, i));
        partly |= json_object_object_length(part) < json_object_object_length(whole);
        json_object_array_add(list, whole);
        json_object_array_add(given, part);
    }
    if (!e && s->spec->n_enqueue)
        json_object_object_add(root, "enqueue", json_object_get(list));
    if (!e && partly)
        json_object_object_add(root, "enqueue_given", json_object_get(given));
    json_object_put(list);
    json_object_put(given);
    return e;
}

/* Replaces objective.files by objects that have a digest, and parses the result: the bytes that are
 * submitted. */
static err_t add_digests(struct studyfile *s, struct json_object *root, struct errmsg *em)
{
    struct json_object *list = json_object_new_array();
    err_t e = ERR_OK;
    for (uint32_t i = 0; i < s->spec->objective.n_files && !e; i++)
        e = digest_file(s, &s->spec->objective.files[i], list, em);
    if (!e && s->spec->objective.n_files)
        json_object_object_add(json_get(root, "objective"), "files", json_object_get(list));
    json_object_put(list);
    if (e)
        return e;
    buf_clear(&s->json);
    json_write(&s->json, root);
    if (!buf_ok(&s->json))
        return errmsg_set(em, ERR_LIMIT, "the study is larger than 256 KiB as JSON");
    spec_free(s->spec);
    s->spec = NULL;
    return spec_parse(buf_str(&s->json), &s->spec, em);
}

/* json: what was written, not changed yet; `where`: the directory it was written for. */
static err_t build(struct studyfile *s, struct str json, const char *where,
                   const struct study_changes *c, struct errmsg *em)
{
    struct json_object *root = NULL;
    err_t e = json_parse(json, JSON_NONFINITE, &root, em);
    if (e)
        return e;
    apply_changes(root, c);
    json_write(&s->json, root);
    e = spec_parse(buf_str(&s->json), &s->spec, em);
    if (!e) {
        struct buf dir;
        buf_init(&dir, 0);
        buf_addz(&dir, where);
        if (!str_is(s->spec->objective.dir, "."))
            buf_printf(&dir, "/" STR_FMT, STR_ARG(s->spec->objective.dir));
        s->dir = buf_takez(&dir);
        e = add_points(s, root, em);
        if (!e)
            e = add_digests(s, root, em);
    }
    if (e)
        studyfile_locate(s, em);
    json_object_put(root);
    return e;
}

static void directory_of(const char *path, struct buf *out)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        buf_addc(out, '.');
    else
        buf_add(out, path, slash == path ? 1 : (size_t)(slash - path));
}

void studyfile_locate(const struct studyfile *s, struct errmsg *em)
{
    if (!s->map || !em)
        return;
    yaml_locate(s->map, em);
    studyfile_mark(em, s->path, buf_str(&s->text));
}

err_t studyfile_load(struct studyfile *s, const char *path, const struct study_changes *c,
                     struct errmsg *em)
{
    struct buf json, dir;
    *s = (struct studyfile){.path = str_dupz(str_of(path))};
    buf_init(&s->json, SPEC_LIMIT);
    buf_init(&s->text, 2 * TEXT_LIMIT);
    buf_init(&json, SPEC_LIMIT);
    buf_init(&dir, 0);
    directory_of(path, &dir);
    err_t e = read_whole(path, &s->text, em);
    if (!e) {
        e = yaml_to_json(buf_str(&s->text), path, &json, &s->map, em);
        if (e)
            studyfile_mark(em, path, buf_str(&s->text));
    }
    if (!e)
        e = build(s, buf_str(&json), buf_z(&dir), c, em);
    buf_fini(&json);
    buf_fini(&dir);
    if (e)
        studyfile_fini(s);
    return e;
}

/* An argument that names a file here: a relative path without "..". */
static const char *local_file(const char *argument)
{
    struct stat st;
    while (strncmp(argument, "./", 2) == 0)
        argument += 2;
    if (argument[0] == 0 || argument[0] == '/' || argument[0] == '-' || strchr(argument, '~') ||
        strstr(argument, ".."))
        return NULL;
    if (stat(argument, &st) || !S_ISREG(st.st_mode) || st.st_size > (off_t)FILE_LIMIT)
        return NULL;
    return argument;
}

static bool listed(struct json_object *list, const char *path)
{
    for (size_t i = 0; i < json_object_array_length(list); i++)
        if (strcmp(json_object_get_string(json_object_array_get_idx(list, i)), path) == 0)
            return true;
    return false;
}

static void add_local_files(struct json_object *root, char *const *argv, size_t argc,
                            const struct opt_list *more)
{
    struct json_object *list = json_object_new_array();
    for (size_t i = 0; i < argc; i++) {
        /* A program without a slash is looked up in PATH, not here. */
        const char *path = i == 0 && !strchr(argv[i], '/') ? NULL : local_file(argv[i]);
        if (path && !listed(list, path))
            json_object_array_add(list, json_object_new_string(path));
    }
    for (size_t i = 0; i < more->n; i++)
        if (!listed(list, more->v[i]))
            json_object_array_add(list, json_object_new_string(more->v[i]));
    struct json_object *objective = json_get(root, "objective");
    if (objective && json_object_array_length(list))
        json_object_object_add(objective, "files", json_object_get(list));
    json_object_put(list);
}

static err_t inline_json(struct buf *out, char *const *argv, size_t argc,
                         const struct opt_list *more, struct errmsg *em)
{
    struct jsonw w;
    struct buf text;
    struct json_object *root = NULL;
    buf_init(&text, SPEC_LIMIT);
    jsonw_init(&w, &text);
    jsonw_object(&w);
    err_t e = inline_spec(&w, argv, (int)argc, em);
    if (!e) {
        jsonw_end(&w);
        e = json_parse(buf_str(&text), JSON_NONFINITE, &root, em);
    }
    if (!e) {
        add_local_files(root, argv, argc, more);
        json_write(out, root);
    }
    json_object_put(root);
    buf_fini(&text);
    return e;
}

err_t studyfile_inline(struct studyfile *s, char *const *argv, size_t argc,
                       const struct study_changes *c, struct errmsg *em)
{
    struct buf json;
    *s = (struct studyfile){0};
    buf_init(&s->json, SPEC_LIMIT);
    buf_init(&json, SPEC_LIMIT);
    err_t e = inline_json(&json, argv, argc, &c->files, em);
    if (!e)
        e = build(s, buf_str(&json), ".", c, em);
    buf_fini(&json);
    if (e)
        studyfile_fini(s);
    return e;
}

void studyfile_fini(struct studyfile *s)
{
    spec_free(s->spec);
    yaml_map_free(s->map);
    buf_fini(&s->json);
    buf_fini(&s->text);
    free(s->dir);
    free(s->path);
    *s = (struct studyfile){0};
}
