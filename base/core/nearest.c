/* "Did you mean": edit distance (insert, delete, replace, swap of neighbours) to each of some
 * names.
 *
 * Called by whoever refuses an unknown option, key, column or program name. */
#include "nearest.h"

#define NEAREST_MAX 64

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t m = a < b ? a : b;
    return m < c ? m : c;
}

/* Three rows of the usual table: a swap looks back two of them. Both lengths are below NEAREST_MAX.
 */
static size_t edit_distance(struct str a, struct str b)
{
    size_t rows[3][NEAREST_MAX + 1];
    size_t *before = rows[0], *last = rows[1], *row = rows[2];
    for (size_t j = 0; j <= b.n; j++) {
        before[j] = 0;
        last[j] = j;
    }
    for (size_t i = 1; i <= a.n; i++) {
        row[0] = i;
        for (size_t j = 1; j <= b.n; j++) {
            bool same = a.p[i - 1] == b.p[j - 1];
            row[j] = min3(last[j] + 1, row[j - 1] + 1, last[j - 1] + (same ? 0 : 1));
            if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1] &&
                before[j - 2] + 1 < row[j])
                row[j] = before[j - 2] + 1;
        }
        size_t *free_row = before;
        before = last;
        last = row;
        row = free_row;
    }
    return last[b.n];
}

const char *nearest_name(struct str s, const char *const *names)
{
    const char *best = NULL;
    size_t limit = s.n / 3 > 1 ? s.n / 3 : 1;
    if (s.n == 0 || s.n >= NEAREST_MAX)
        return NULL;
    for (; *names; names++) {
        struct str name = str_of(*names);
        if (name.n >= NEAREST_MAX)
            continue;
        size_t d = edit_distance(s, name);
        if (d > limit || d >= name.n)
            continue;
        best = *names;
        if (d == 0)
            break;
        limit = d - 1; /* only a nearer one can replace it */
    }
    return best;
}
