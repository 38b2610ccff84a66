/* What an attempt comes to: from its last lines, the way its process ended and why it had to end,
 * the FINAL or RELEASE that goes to the broker. Called by attempt_state.c once for each attempt. It
 * must not change the attempt's state.
 *
 * Order of weight: a result that the program stated itself wins over everything; then why we ended
 * it; then how it ended; then its last report. The error text is what a person will read, so it
 * begins with what happened and ends with the last lines of output, made valid UTF-8. */
#include "attempt.h"

#include <json-c/json.h>

#include "json.h"
#include "worker_impl.h"

#define ERROR_LIMIT 4096

struct signal_row {
    uint32_t number;
    const char *name;
};
static const struct signal_row signals[] = {
    {1, "SIGHUP"},   {2, "SIGINT"},   {3, "SIGQUIT"},  {4, "SIGILL"},   {6, "SIGABRT"},
    {7, "SIGBUS"},   {8, "SIGFPE"},   {9, "SIGKILL"},  {11, "SIGSEGV"}, {13, "SIGPIPE"},
    {14, "SIGALRM"}, {15, "SIGTERM"}, {24, "SIGXCPU"}, {25, "SIGXFSZ"},
};

static const char *signal_name(uint32_t number)
{
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        if (signals[i].number == number)
            return signals[i].name;
    return "a signal";
}

/* Output as UTF-8 without control characters but newline and tab. */
static void add_output(struct buf *b, struct str s)
{
    while (s.n > 0 && (s.p[s.n - 1] == '\n' || s.p[s.n - 1] == '\r'))
        s.n--;
    for (size_t i = 0; i < s.n;) {
        unsigned char c = (unsigned char)s.p[i];
        size_t n = 1;
        if (c >= 0x80) {
            n = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
            if (i + n > s.n || !str_utf8_valid(str_make(s.p + i, n))) {
                buf_addc(b, '?');
                i++;
                continue;
            }
        }
        if (n > 1 || (c >= 0x20 && c != 0x7f) || c == '\n' || c == '\t')
            buf_add(b, s.p + i, n);
        i += n;
    }
}

static void add_duration(struct buf *b, int64_t ns)
{
    static const struct {
        int64_t unit;
        char letter;
    } units[] = {{3600 * NS_PER_S, 'h'}, {60 * NS_PER_S, 'm'}, {NS_PER_S, 's'}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (ns >= units[i].unit && ns % units[i].unit == 0) {
            buf_printf(b, "%lld%c", (long long)(ns / units[i].unit), units[i].letter);
            return;
        }
    }
    buf_printf(b, "%.3gs", (double)ns / (double)NS_PER_S);
}

static void add_complaint(const struct attempt *a, struct buf *b)
{
    if (!a->complaint)
        return;
    buf_printf(b, "; of what it reported, %u could not be used, the last because ", a->complaints);
    add_output(b, str_of(a->complaint));
}

static void add_tail(struct buf *b, const struct child_end *end)
{
    if (end && end->output.n > 0) {
        buf_addz(b, "; last output: ");
        add_output(b, end->output);
    }
}

static void describe_end(const struct attempt *a, const struct child_end *end, struct buf *b)
{
    if (end->signal == 9)
        buf_addz(b, "killed by SIGKILL, not by the worker (out of memory?)");
    else if (end->signal != 0)
        buf_printf(b, "killed by %s (signal %u)", signal_name(end->signal), end->signal);
    else
        buf_printf(b, "exit status %lld", (long long)end->exit_code);
    if (attempt_served(a) && end->signal == 0)
        buf_addz(b, " of a served evaluator in the midst of a trial");
    add_complaint(a, b);
    add_tail(b, end);
}

/* What it reported in place of the metric: often the same name, spelt otherwise. */
static void add_names(const struct attempt *a, struct buf *b)
{
    struct json_object *m = a->result_metrics ? a->result_metrics : a->last_metrics;
    if (!m || json_object_object_length(m) == 0)
        return;
    const char *before = "; it reported ";
    json_object_object_foreach(m, name, unused)
    {
        (void)unused;
        buf_printf(b, "%s\"%s\"", before, name);
        before = ", ";
        if (b->n > 400)
            break;
    }
}

static void no_metric(const struct attempt *a, const struct child_end *end, struct buf *b)
{
    const struct objective *o = &a->desc.spec->objective;
    buf_printf(b, "the program ended without reporting \"" STR_FMT "\"", STR_ARG(o->metric));
    add_names(a, b);
    if (o->scrape_pattern.n > 0)
        buf_printf(b, "; no line of its output matched the pattern '" STR_FMT "'",
                   STR_ARG(o->scrape_pattern));
    add_complaint(a, b);
    add_tail(b, end);
}

static void set_metrics(struct attempt *a, struct buf *b)
{
    struct json_object *m = a->result_metrics ? a->result_metrics : a->last_metrics;
    if (!m)
        return;
    if (a->result_metrics && a->last_metrics && !a->has_result) {
        json_object_object_foreach(a->last_metrics, name, value)
        {
            if (!json_object_object_get_ex(m, name, NULL))
                json_object_object_add(m, name, json_object_get(value));
        }
    }
    json_write(b, m);
}

static void state_value(struct msg_final *f, bool has, double value)
{
    f->has_value = has;
    f->value = has ? value : 0;
}

static bool failed(const struct child_end *end)
{
    return end && (end->exit_code != 0 || end->signal != 0);
}

/* Fills status, value and error text of an attempt that was not released. */
static void judge(struct attempt *a, const struct child_end *end, struct msg_final *f,
                  struct buf *error)
{
    f->status = FINAL_ERROR;
    if (a->has_result && a->result == REPORT_FINAL) {
        f->status = FINAL_OK;
        state_value(f, true, a->result_value);
    } else if ((a->has_result && a->result == REPORT_PRUNED) ||
               (!a->has_result && a->cause == END_STOP)) {
        f->status = FINAL_PRUNED;
        state_value(f, a->has_last, a->last_value);
    } else if (a->error) {
        f->no_retry = a->error_forever;
        add_output(error, str_of(a->error)); /* may name a path of any bytes */
        if (a->has_result)
            add_tail(error, end);
    } else if (a->cause == END_TIMEOUT) {
        buf_addz(error, "timed out after ");
        add_duration(error, a->desc.spec->objective.timeout_ns);
        add_tail(error, end);
    } else if (failed(end) || attempt_served(a)) {
        describe_end(a, end ? end : &(struct child_end){0}, error);
    } else if (a->has_last) {
        f->status = FINAL_OK;
        state_value(f, true, a->last_value);
    } else {
        f->no_retry = true;
        no_metric(a, end, error);
    }
}

/* A program that gives up because it was asked to leave has said nothing about its point. */
bool attempt_given_back(const struct attempt *a)
{
    return (!a->has_result || a->result == REPORT_PRUNED) &&
           (a->cause == END_RELEASE || (a->cause == END_STOP && a->stop_why == STOP_PAUSE));
}

void attempt_conclude(struct attempt *a, const struct child_end *end, int64_t now)
{
    if (!attempt_wanted(a)) {
        outbox_clear(&a->outbox);
        return;
    }
    if (attempt_given_back(a)) {
        outbox_release(&a->outbox, a->cause == END_STOP ? RELEASE_PREEMPT : a->release_why, NULL);
        return;
    }
    struct msg_final f = {.last_step = a->last_step, .has_step = a->has_step};
    if (a->started_at != CLOCK_NEVER)
        f.runtime_ms = (uint64_t)((now - a->started_at) / NS_PER_MS);
    if (end) {
        f.exit_code = end->exit_code;
        f.signal = end->signal;
    }
    struct buf error, metrics;
    buf_init(&error, 0);
    buf_init(&metrics, 0);
    judge(a, end, &f, &error);
    if (f.status != FINAL_ERROR)
        set_metrics(a, &metrics);
    f.error = buf_str(&error);
    if (metrics.n <= 8192) /* else cutting would break the JSON */
        f.metrics = buf_str(&metrics);
    outbox_final(&a->outbox, &f);
    buf_fini(&error);
    buf_fini(&metrics);
}

static void describe_orphan(const struct worker *w, const struct attempt *a, const char *why,
                            struct buf *out)
{
    const struct msg_final *f = a->outbox.final;
    struct jsonw j;
    jsonw_init(&j, out);
    jsonw_object(&j);
    jsonw_kstr(&j, "study", a->desc.study_name);
    jsonw_ku64(&j, "study_number", a->desc.study);
    jsonw_ku64(&j, "trial", a->desc.trial);
    jsonw_ku64(&j, "attempt", a->number);
    jsonw_kstr(&j, "worker", str_of(w->c.name[0] ? w->c.name : w->c.host));
    jsonw_kstr(&j, "why", str_of(why));
    jsonw_kstr(&j, "status", str_of(final_status_name(f->status)));
    jsonw_kf64(&j, "value", f->value);
    if (f->metrics.n > 0) {
        jsonw_keyz(&j, "metrics");
        jsonw_raw(&j, f->metrics);
    }
    if (f->has_step)
        jsonw_ki64(&j, "last_step", f->last_step);
    jsonw_ku64(&j, "runtime_ms", f->runtime_ms);
    jsonw_end(&j);
}

void attempt_orphan(const struct worker *w, struct attempt *a, const char *why, int64_t now,
                    struct worker_out *fx)
{
    if (a->has_result && !a->outbox.final && attempt_wanted(a))
        attempt_conclude(a, NULL, now);
    if (!a->outbox.final || !a->outbox.final->has_value)
        return;
    struct buf b;
    buf_init(&b, 0);
    describe_orphan(w, a, why, &b);
    struct str text = buf_ok(&b) ? worker_out_text(fx, buf_str(&b)) : (struct str){0};
    buf_fini(&b);
    if (!text.p)
        return;
    worker_out_add(fx, WFX_ORPHAN)->body = text;
    worker_out_fact(fx, FACT_ORPHANED, a, "why=%s", why);
}
