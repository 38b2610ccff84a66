/* A file goes piece by piece, each answered before the next leaves: that bounds memory on both
 * sides, and after a lost session the last piece is simply sent again. The broker cannot say in
 * what two searches differ, for it knows nothing of search; so when it refuses, the stored spec is
 * asked for and compared here.
 *
 * Called by the commands run and submit. */
#include "upload.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "alloc.h"
#include "hash.h"
#include "json.h"
#include "linkrows.h"

#define PIECE 131072u

static bool has_already(const struct link_incoming *answer)
{
    struct json_object *v = NULL;
    if (answer->m.reply.text.n == 0 ||
        json_parse(answer->m.reply.text, JSON_STRICT, &v, NULL) != ERR_OK)
        return false;
    bool have = json_object_get_boolean(json_get(v, "have"));
    json_object_put(v);
    return have;
}

static err_t send_pieces(struct brokerlink *l, int fd, const struct spec_file *f, char *piece,
                         const char *path, struct errmsg *em)
{
    uint64_t offset = 0;
    do {
        ssize_t n = pread(fd, piece, PIECE, (off_t)offset);
        if (n < 0 || (n == 0 && offset < f->size))
            return errmsg_set(em, ERR_IO, "%s changed while it was read", path);
        struct msg_put_blob m = {.request = brokerlink_request(),
                                 .digest = f->digest,
                                 .offset = offset,
                                 .size = f->size,
                                 .bytes = str_make(piece, (size_t)n)};
        struct link_incoming answer;
        err_t e = brokerlink_call(l, MSG_PUT_BLOB, &m, m.request, &answer, em);
        if (e)
            return errmsg_wrap(em, e, "%s", path);
        if (answer.kind == MSG_REPLY && has_already(&answer))
            return ERR_OK;
        offset += (uint64_t)n;
    } while (offset < f->size);
    return ERR_OK;
}

static err_t put_file(struct brokerlink *l, const struct studyfile *s, const struct spec_file *f,
                      struct errmsg *em)
{
    struct buf path;
    buf_init(&path, 0);
    studyfile_path(s, f, &path);
    err_t e = ERR_OK;
    int fd = open(buf_z(&path), O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        e = errmsg_set(em, ERR_INVALID, "%s cannot be read: %s", buf_z(&path), strerror(errno));
    } else {
        char *piece = alloc_zero(PIECE);
        e = send_pieces(l, fd, f, piece, buf_z(&path), em);
        free(piece);
        close(fd);
    }
    buf_fini(&path);
    return e;
}

static err_t take_spec(void *self, const struct str *columns, size_t n, struct str row,
                       struct errmsg *em)
{
    char **text = self;
    struct json_object *v = NULL;
    (void)columns;
    if (row.n == 0 || n != 1 || *text)
        return ERR_OK;
    err_t e = json_parse(row, JSON_NONFINITE, &v, em);
    if (!e && json_object_get_string(json_object_array_get_idx(v, 0)))
        *text = str_dupz(str_of(json_object_get_string(json_object_array_get_idx(v, 0))));
    json_object_put(v);
    return e;
}

/* Puts what differs into the sentence of a refusal. */
static void explain(struct brokerlink *l, const struct studyfile *s, struct errmsg *em)
{
    char query[256], *stored = NULL;
    struct spec *was = NULL;
    struct buf text;
    snprintf(query, sizeof query, "select spec from study where name = '" STR_FMT "'",
             STR_ARG(s->spec->study));
    buf_init(&text, 0);
    if (linkrows_sql(l, query, NULL, 0, false, take_spec, &stored, NULL) == ERR_OK && stored &&
        spec_parse(str_of(stored), &was, NULL) == ERR_OK)
        spec_difference(was, s->spec, &text);
    if (text.n)
        errmsg_set(em, ERR_REFUSED,
                   "the study " STR_FMT " exists and searches something else: %.700s; change its "
                   "name, or add --edit to go on with the new one",
                   STR_ARG(s->spec->study), buf_z(&text));
    buf_fini(&text);
    spec_free(was);
    free(stored);
}

err_t upload_study(struct brokerlink *l, const struct studyfile *s, bool edit, bool reopen,
                   struct submitted *out, struct errmsg *em)
{
    for (uint32_t i = 0; i < s->spec->objective.n_files; i++) {
        err_t e = put_file(l, s, &s->spec->objective.files[i], em);
        if (e)
            return e;
    }
    struct msg_submit m = {.request = brokerlink_request(),
                           .name = s->spec->study,
                           .spec = buf_str(&s->json),
                           .digest = hash_bytes(buf_str(&s->json)),
                           .edit = edit,
                           .search = spec_search_digest(s->spec),
                           .reopen = reopen};
    struct link_incoming answer;
    err_t e = brokerlink_call(l, MSG_SUBMIT, &m, m.request, &answer, em);
    if (e == ERR_REFUSED || e == ERR_EXISTS)
        explain(l, s, em);
    if (e)
        return e;
    *out = (struct submitted){.number = answer.m.reply.number, .seq = answer.m.reply.seq};
    struct json_object *v = NULL;
    if (json_parse(answer.m.reply.text, JSON_STRICT, &v, NULL) == ERR_OK)
        out->continued = json_object_get_boolean(json_get(v, "continued"));
    json_object_put(v);
    return ERR_OK;
}
