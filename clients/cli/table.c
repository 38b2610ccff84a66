/* Collects cells and lays them out when all are known. A column is aligned to the right if every
 * cell in it is empty or a number. When the table is too wide, the widest columns of words lose
 * columns first, down to a least width, so that numbers stay whole.
 *
 * Called by the commands that list. Knows nothing of where the cells come from. */
#include "table.h"

#include <math.h>
#include <stdlib.h>

#include "alloc.h"
#include "cell.h"

#define LEAST_WIDTH 8
#define GAP         2

static void start(struct table *t, size_t columns)
{
    REQUIRE(columns > 0 && columns <= TABLE_MAX_COLUMNS);
    *t = (struct table){.columns = columns, .words = alloc_array(columns, sizeof *t->words)};
    buf_init(&t->text, 0);
}

static void add(struct table *t, struct str cell)
{
    if (t->n == t->cap) {
        t->cap = t->cap ? t->cap * 2 : 64;
        t->ends = alloc_grow(t->ends, t->cap, sizeof *t->ends);
    }
    cell_text(&t->text, cell, SIZE_MAX, true);
    t->ends[t->n++] = t->text.n;
}

void table_init(struct table *t, const char *heads)
{
    size_t columns = 1;
    for (const char *p = heads; *p; p++)
        columns += *p == '|';
    start(t, columns);
    for (const char *p = heads; columns > 0; columns--) {
        size_t n = strcspn(p, "|");
        add(t, str_make(p, n));
        p += n + (p[n] != 0);
    }
}

void table_init_names(struct table *t, const struct str *names, size_t n)
{
    start(t, n);
    for (size_t i = 0; i < n; i++)
        add(t, names[i]);
}

void table_fini(struct table *t)
{
    buf_fini(&t->text);
    free(t->ends);
    free(t->words);
    *t = (struct table){0};
}

static bool numeric(struct str s)
{
    double v;
    return s.n == 0 || str_to_f64(s, &v);
}

void table_add(struct table *t, struct str cell)
{
    if (!numeric(cell))
        t->words[t->n % t->columns] = true;
    add(t, cell);
}

void table_addz(struct table *t, const char *cell)
{
    table_add(t, str_of(cell));
}

void table_number(struct table *t, double v)
{
    struct buf text;
    buf_init(&text, 64);
    if (!isnan(v))
        cell_number(&text, v, 6);
    table_add(t, buf_str(&text));
    buf_fini(&text);
}

size_t table_rows(const struct table *t)
{
    return t->n / t->columns - 1;
}

static struct str cell_at(const struct table *t, size_t i)
{
    size_t from = i ? t->ends[i - 1] : 0;
    return str_make(t->text.p + from, t->ends[i] - from);
}

static size_t total_width(const size_t *widths, size_t n)
{
    size_t total = (n - 1) * GAP;
    for (size_t i = 0; i < n; i++)
        total += widths[i];
    return total;
}

/* Narrows the widest column of words by one; false if none can be narrowed. */
static bool narrow_one(const struct table *t, size_t *widths)
{
    size_t widest = t->columns;
    for (size_t i = 0; i < t->columns; i++)
        if (t->words[i] && widths[i] > LEAST_WIDTH &&
            (widest == t->columns || widths[i] >= widths[widest]))
            widest = i;
    if (widest == t->columns)
        return false;
    widths[widest]--;
    return true;
}

static void pad(struct buf *out, size_t n)
{
    while (n-- > 0)
        buf_addc(out, ' ');
}

static void print_cell(struct buf *out, struct str cell, size_t width, bool right, bool last,
                       bool utf8)
{
    size_t w = cell_width(cell);
    size_t fill = w < width ? width - w : 0;
    if (right)
        pad(out, fill);
    cell_text(out, cell, width, utf8);
    if (!right && !last)
        pad(out, fill);
}

void table_print(const struct table *t, struct buf *out, size_t width, bool utf8)
{
    size_t *widths = alloc_array(t->columns, sizeof *widths);
    size_t rows = t->n / t->columns;
    for (size_t i = 0; i < rows * t->columns; i++) {
        size_t w = cell_width(cell_at(t, i));
        if (w > widths[i % t->columns])
            widths[i % t->columns] = w;
    }
    while (width && total_width(widths, t->columns) > width && narrow_one(t, widths))
        ;
    for (size_t row = 0; row < rows; row++) {
        for (size_t c = 0; c < t->columns; c++) {
            bool last = c + 1 == t->columns;
            print_cell(out, cell_at(t, row * t->columns + c), widths[c], !t->words[c], last, utf8);
            pad(out, last ? 0 : GAP);
        }
        buf_addc(out, '\n');
    }
    free(widths);
}
