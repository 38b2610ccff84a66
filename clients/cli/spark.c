/* The best loss so far falls by orders of magnitude early and by little later: a linear scale would
 * show one step and then nothing, hence the logarithmic one where the values allow it.
 *
 * Called by render.c. Pure. */
#include "spark.h"

#include <math.h>

#define LEVELS 8

struct scale {
    double low, high;
    bool log;
};

static struct scale scale_of(const double *values, size_t n)
{
    struct scale s = {INFINITY, -INFINITY, false};
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(values[i]))
            continue;
        s.low = fmin(s.low, values[i]);
        s.high = fmax(s.high, values[i]);
    }
    s.log = s.low > 0 && s.high > 20 * s.low;
    return s;
}

static int level(const struct scale *s, double v)
{
    double low = s->log ? log(s->low) : s->low;
    double high = s->log ? log(s->high) : s->high;
    double x = s->log ? log(v) : v;
    if (!(high > low) || !isfinite(high - low))
        return 0;
    int k = (int)((x - low) / (high - low) * LEVELS);
    return k < 0 ? 0 : k >= LEVELS ? LEVELS - 1 : k;
}

void spark_line(struct buf *out, const double *values, size_t n, size_t width, bool utf8)
{
    static const char ascii[LEVELS + 1] = "_.:-=+*#";
    if (n == 0 || width == 0)
        return;
    struct scale s = scale_of(values, n);
    size_t columns = n < width ? n : width;
    for (size_t c = 0; c < columns; c++) {
        double v = values[(c + 1) * n / columns - 1];
        if (!isfinite(v)) {
            buf_addc(out, ' ');
            continue;
        }
        int k = level(&s, v);
        if (utf8)
            buf_add(out, (const char[]){'\xe2', '\x96', (char)(0x81 + k)}, 3);
        else
            buf_addc(out, ascii[k]);
    }
}
