/* Draws by going up over its own lines and clearing from there, in one write, so that nothing
 * flickers and nothing of the user's is touched. After the window became narrower, lines that were
 * drawn wide stand in several rows each; the rows to go up are counted with the new width.
 *
 * Padding in terminfo's strings ($<5>) is for terminals on slow lines and is left out. Called by
 * announce.c; the only file that knows terminfo, whose header defines short names as macros and is
 * therefore included nowhere else. */
#include "termview.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <curses.h>
#include <term.h>

#include "cell.h"

static void copy_capability(char *out, size_t size, const char *name)
{
    const char *s = tigetstr(name);
    size_t n = 0;
    out[0] = 0;
    if (!s || (uintptr_t)s == UINTPTR_MAX)
        return;
    while (*s && n + 1 < size) {
        if (s[0] == '$' && s[1] == '<') {
            s += strcspn(s, ">");
            s += *s != 0;
            continue;
        }
        out[n++] = *s++;
    }
    out[n] = 0;
}

bool termview_open(struct termview *v, int fd, size_t width)
{
    int status = 0;
    *v = (struct termview){.fd = fd, .width = width};
    if (setupterm(NULL, fd, &status) != 0 || status != 1)
        return false;
    copy_capability(v->up, sizeof v->up, "cuu1");
    copy_capability(v->clear, sizeof v->clear, "ed");
    copy_capability(v->hide, sizeof v->hide, "civis");
    copy_capability(v->show, sizeof v->show, "cnorm");
    del_curterm(cur_term);
    return v->up[0] && v->clear[0];
}

void termview_resize(struct termview *v, size_t width)
{
    v->width = width;
}

size_t termview_columns(struct str line)
{
    struct buf plain;
    buf_init(&plain, 0);
    for (size_t i = 0; i < line.n; i++) {
        if (line.p[i] == '\x1b' && i + 1 < line.n && line.p[i + 1] == '[') {
            for (i += 2; i < line.n && (line.p[i] < 0x40 || line.p[i] > 0x7e);)
                i++;
            continue;
        }
        buf_addc(&plain, line.p[i]);
    }
    size_t count = cell_width(buf_str(&plain));
    buf_fini(&plain);
    return count;
}

static void write_all(int fd, struct str s)
{
    while (s.n > 0) {
        ssize_t n = write(fd, s.p, s.n);
        if (n <= 0)
            return;
        s = str_make(s.p + n, s.n - (size_t)n);
    }
}

static void add_erase(struct termview *v, struct buf *out)
{
    if (v->n == 0)
        return;
    for (size_t i = 0; i < v->n; i++) {
        size_t rows = v->width && v->widths[i] > v->width ? (v->widths[i] - 1) / v->width + 1 : 1;
        for (size_t k = 0; k < rows; k++)
            buf_addz(out, v->up);
    }
    buf_addc(out, '\r');
    buf_addz(out, v->clear);
    v->n = 0;
}

void termview_draw(struct termview *v, struct str text)
{
    struct buf out;
    buf_init(&out, 0);
    if (v->n == 0)
        buf_addz(&out, v->hide);
    add_erase(v, &out);
    while (text.n > 0 && v->n < TERMVIEW_LINES) {
        const char *end = memchr(text.p, '\n', text.n);
        size_t n = end ? (size_t)(end - text.p) : text.n;
        buf_add(&out, text.p, n);
        buf_addc(&out, '\n');
        v->widths[v->n++] = termview_columns(str_make(text.p, n));
        n += end != NULL;
        text = str_make(text.p + n, text.n - n);
    }
    write_all(v->fd, buf_str(&out));
    buf_fini(&out);
}

void termview_print(struct termview *v, struct str text)
{
    struct buf out;
    buf_init(&out, 0);
    add_erase(v, &out);
    buf_add_str(&out, text);
    write_all(v->fd, buf_str(&out));
    buf_fini(&out);
}

void termview_close(struct termview *v)
{
    struct buf out;
    buf_init(&out, 0);
    add_erase(v, &out);
    buf_addz(&out, v->show);
    write_all(v->fd, buf_str(&out));
    buf_fini(&out);
}
