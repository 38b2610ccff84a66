/* Any bytes on the report channel: split into lines in pieces of varying size, each read as a
 * report, and what was read checked against what the header promises. */
#include <json-c/json.h>
#include <stdlib.h>

#include "fuzz.h"
#include "json.h"
#include "report_in.h"
#include "report_line.h"

static void require(bool ok)
{
    if (!ok)
        abort();
}

static void check(const struct report_line *r)
{
    require(!r->has_step || (r->step >= 0 && r->step <= REPORT_MAX_STEP));
    require(r->kind != REPORT_POINT || r->has_step);
    require(r->kind != REPORT_FINAL || (r->has_value && !r->has_step));
    require(r->kind != REPORT_CHECKPOINT || (r->text.n > 0 && r->text.n <= 2048));
    require(r->kind != REPORT_METRICS || r->metrics);
    require(str_utf8_valid(r->text));
    if (!r->metrics)
        return;
    require(json_object_object_length(r->metrics) <= REPORT_MAX_METRICS);
    struct buf b;
    buf_init(&b, 0);
    json_write(&b, r->metrics);
    require(str_utf8_valid(buf_str(&b)));
    buf_fini(&b);
}

static void on_line(void *self, struct str line)
{
    static const char *const metrics[] = {"loss", "x"};
    struct report_line r;
    struct errmsg em = {""};
    size_t *lines = self;
    require(line.n > 0 && line.n <= REPORT_LINE_MAX && !memchr(line.p, '\n', line.n));
    if (report_line_parse(&r, line, str_of(metrics[(*lines)++ % 2]), &em)) {
        require(em.text[0] && str_utf8_valid(str_of(em.text)));
        return;
    }
    check(&r);
    report_line_fini(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct report_in in;
    size_t lines = 0, piece = size ? 1 + data[0] % 64u : 1;
    report_in_init(&in);
    for (size_t i = 0; i < size; i += piece)
        report_in_feed(&in, str_make(data + i, size - i < piece ? size - i : piece), on_line,
                       &lines);
    report_in_end(&in, on_line, &lines);
    report_in_fini(&in);
    return 0;
}
