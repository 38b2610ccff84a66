/* The shell of the filter mode: files, lines, the clock.
 *
 * Called by optimizer_main.c in place of the daemon. Lines longer than the limit are answered with
 * an error and skipped without being held. Nothing here knows what a request means. */
#include "stdio_mode.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"
#include "filter.h"
#include "loop.h"
#include "yaml.h"

#define READ_SIZE 65536

static err_t read_file(const char *path, struct buf *out, struct errmsg *em)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return errmsg_set(em, ERR_NOT_FOUND, "%s: %s", path, strerror(errno));
    for (;;) {
        char *p = buf_reserve(out, READ_SIZE);
        size_t n = p ? fread(p, 1, READ_SIZE, f) : 0;
        out->n += n;
        if (n == 0)
            break;
    }
    bool bad = ferror(f) != 0;
    fclose(f);
    if (bad)
        return errmsg_set(em, ERR_IO, "%s: cannot be read", path);
    return buf_ok(out) ? ERR_OK : errmsg_set(em, ERR_LIMIT, "%s: longer than 1 MiB", path);
}

static err_t load_spec(const char *path, struct spec **out, struct errmsg *em)
{
    struct buf text, json;
    struct yaml_map *map = NULL;
    buf_init(&text, (1u << 20) + READ_SIZE);
    buf_init(&json, 0);
    err_t e = read_file(path, &text, em);
    if (!e)
        e = yaml_to_json(buf_str(&text), path, &json, &map, em);
    if (!e) {
        e = spec_parse(buf_str(&json), out, em);
        if (e)
            yaml_locate(map, em);
    }
    yaml_map_free(map);
    buf_fini(&text);
    buf_fini(&json);
    return e;
}

static bool write_all(struct buf *out)
{
    size_t done = 0;
    while (done < out->n) {
        ssize_t n = write(STDOUT_FILENO, out->p + done, out->n - done);
        if (n < 0 && errno != EINTR)
            return false;
        done += n > 0 ? (size_t)n : 0;
    }
    buf_clear(out);
    return true;
}

struct lines {
    struct buf in;
    bool overlong; /* the rest of the present line is thrown away */
};

/* Serves the whole lines in the buffer. */
static void serve_lines(struct filter *f, struct lines *l, int64_t start, struct buf *out)
{
    for (;;) {
        char *end = l->in.n ? memchr(l->in.p, '\n', l->in.n) : NULL;
        if (!end) {
            if (l->in.n > FILTER_LINE_LIMIT && !l->overlong) {
                filter_line(f, buf_str(&l->in), clock_now() - start, out);
                l->overlong = true;
            }
            if (l->overlong)
                buf_clear(&l->in);
            return;
        }
        size_t n = (size_t)(end - l->in.p);
        struct str line = str_make(l->in.p, n > 0 && end[-1] == '\r' ? n - 1 : n);
        if (!l->overlong && line.n > 0)
            filter_line(f, line, clock_now() - start, out);
        l->overlong = false;
        buf_consume(&l->in, n + 1);
    }
}

static int serve(struct filter *f)
{
    struct lines l = {.overlong = false};
    struct buf out;
    int64_t start = clock_now();
    bool fine = true;
    buf_init(&l.in, 0);
    buf_init(&out, 0);
    while (fine) {
        char *p = buf_reserve(&l.in, READ_SIZE);
        ssize_t n = p ? read(STDIN_FILENO, p, READ_SIZE) : -1;
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) { /* a last line may lack its end */
            fine = n == 0;
            if (l.in.n > 0 && !l.overlong)
                filter_line(f, buf_str(&l.in), clock_now() - start, &out);
            fine = write_all(&out) && fine;
            break;
        }
        l.in.n += (size_t)n;
        serve_lines(f, &l, start, &out);
        fine = write_all(&out);
    }
    buf_fini(&l.in);
    buf_fini(&out);
    return fine ? 0 : err_exit_code(ERR_IO);
}

int stdio_mode(const char *study_file, int ready_fd)
{
    struct errmsg em = {""};
    struct spec *spec = NULL;
    struct filter *f = NULL;
    err_t e = load_spec(study_file, &spec, &em);
    if (!e)
        e = filter_new(&f, spec, &em);
    if (e)
        fprintf(stderr, "tunefarm optimizer: %s\n", em.text);
    else
        loop_notify("READY=1", ready_fd);
    int code = e ? err_exit_code(e) : serve(f);
    filter_free(f);
    spec_free(spec);
    return code;
}
