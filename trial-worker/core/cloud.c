/* The metadata services of three clouds, as they are documented:
 *
 *   aws     PUT /latest/api/token gives a token (IMDSv2); GET
 * /latest/meta-data/spot/instance-action with it is 404 until an interruption is due, then
 * {"action":"terminate","time":"...Z"} google  GET /computeMetadata/v1/instance/preempted is FALSE,
 * then TRUE azure   GET /metadata/scheduledevents lists events, among them Preempt and Terminate,
 * with the machines they are about (those of the whole set are told) and NotBefore
 *
 * Called by lookout.c, and by a fuzz target. It must not know HTTP beyond status and body. Nothing
 * of an answer is believed: what is no such answer is a failure, and a time that cannot be is
 * bounded. */
#include "cloud.h"

#include <json-c/json.h>
#include <stdio.h>
#include <strings.h>

#include "clock.h"
#include "json.h"

#define PATIENCE_NS   (2 * NS_PER_S)
#define WAIT_NS       (5 * NS_PER_S) /* of google's hanging answer */
#define AWS_MOST_MS   120000
#define GOOGLE_MS     25000 /* of 30 s, a part has gone by when it is seen */
#define AZURE_MOST_MS 900000
#define STARTED_MS    10000 /* azure: the event has begun */

bool cloud_by_name(const char *name, enum cloud_kind *out)
{
#define CLOUD_NAME(n, text) text,
    static const char *const names[] = {CLOUD_LIST(CLOUD_NAME)};
#undef CLOUD_NAME
    for (int i = 0; i < CLOUD_KINDS; i++) {
        if (strcmp(name, names[i]) == 0) {
            *out = (enum cloud_kind)i;
            return true;
        }
    }
    return false;
}

const char *cloud_address(enum cloud_kind kind)
{
    (void)kind; /* all three answer there; google documents a name too, which needs a resolver */
    return "http://169.254.169.254";
}

void cloud_init(struct cloud *c, enum cloud_kind kind)
{
    *c = (struct cloud){.kind = kind};
}

void cloud_round(struct cloud *c)
{
    c->renewed = false;
}

/* ---- questions ---- */

static void next_aws(const struct cloud *c, struct cloud_request *r)
{
    if (c->token[0]) {
        r->path = "/latest/meta-data/spot/instance-action";
        snprintf(r->headers[0], sizeof r->headers[0], "X-aws-ec2-metadata-token: %s", c->token);
        return;
    }
    r->put = true;
    r->path = "/latest/api/token";
    snprintf(r->headers[0], sizeof r->headers[0], "X-aws-ec2-metadata-token-ttl-seconds: 21600");
}

static void next_google(const struct cloud *c, struct cloud_request *r)
{
    snprintf(r->headers[0], sizeof r->headers[0], "Metadata-Flavor: Google");
    r->path = "/computeMetadata/v1/instance/preempted";
    if (!c->asked)
        return;
    r->path = "/computeMetadata/v1/instance/preempted?wait_for_change=true&timeout_sec=5";
    r->patience_ns += WAIT_NS;
}

static void next_azure(const struct cloud *c, struct cloud_request *r)
{
    snprintf(r->headers[0], sizeof r->headers[0], "Metadata: true");
    r->path = c->named ? "/metadata/scheduledevents?api-version=2020-07-01"
                       : "/metadata/instance/compute/name?api-version=2021-02-01&format=text";
}

void cloud_next(const struct cloud *c, struct cloud_request *out)
{
    *out = (struct cloud_request){.patience_ns = PATIENCE_NS};
    if (c->kind == CLOUD_AWS)
        next_aws(c, out);
    else if (c->kind == CLOUD_GOOGLE)
        next_google(c, out);
    else
        next_azure(c, out);
}

/* ---- answers ---- */

static enum cloud_verdict fail(struct errmsg *em, const char *fmt, ...) PRINTF_LIKE(2, 3);
static enum cloud_verdict fail(struct errmsg *em, const char *fmt, ...)
{
    char text[256];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    (void)errmsg_set(em, ERR_INVALID, "%s", text);
    return CLOUD_FAILED;
}

static enum cloud_verdict bad_status(long status, struct errmsg *em)
{
    return fail(em, "it answers with status %ld", status);
}

/* A word of visible characters, without space around. */
static bool take_word(struct str s, char *out, size_t size)
{
    while (s.n > 0 && (s.p[s.n - 1] == '\n' || s.p[s.n - 1] == '\r' || s.p[s.n - 1] == ' '))
        s.n--;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] > '~')
            return false;
    return s.n > 0 && str_copyz(out, size, s);
}

/* Days since 1970-01-01 of a date of the Gregorian calendar. */
static int64_t days_from(int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2;
    int64_t era = year / 400, of_era = year % 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

struct moment {
    int64_t year, month, day, hour, minute, second;
    char name[4]; /* of the month */
};

static int64_t *part_of(struct moment *m, char letter)
{
    switch (letter) {
    case 'y':
        return &m->year;
    case 'o':
        return &m->month;
    case 'd':
        return &m->day;
    case 'h':
        return &m->hour;
    case 'i':
        return &m->minute;
    default:
        return &m->second;
    }
}

static bool is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* y, o, d, h, i, s stand for a digit each, a for a letter, n for a letter of the month's name;
 * everything else for itself. */
static bool read_moment(const char *z, const char *form, struct moment *m)
{
    size_t named = 0;
    *m = (struct moment){0};
    for (; *form && *z; form++, z++) {
        if (strchr("yodhis", *form)) {
            int64_t *part = part_of(m, *form);
            if (*z < '0' || *z > '9')
                return false;
            *part = *part * 10 + (*z - '0');
        } else if (*form == 'a' || *form == 'n') {
            if (!is_letter(*z))
                return false;
            if (*form == 'n' && named < sizeof m->name - 1)
                m->name[named++] = *z;
        } else if (*form != *z) {
            return false;
        }
    }
    return !*form && !*z;
}

static bool to_ms(const struct moment *m, int64_t *ms)
{
    if (m->year < 1970 || m->month < 1 || m->month > 12 || m->day < 1 || m->day > 31 ||
        m->hour > 23 || m->minute > 59 || m->second > 60)
        return false;
    int64_t days = days_from(m->year, m->month, m->day);
    *ms = (((days * 24 + m->hour) * 60 + m->minute) * 60 + m->second) * 1000;
    return true;
}

/* 2017-09-18T08:22:00Z */
static bool read_iso(const char *z, int64_t *ms)
{
    struct moment m;
    return read_moment(z, "yyyy-oo-ddThh:ii:ssZ", &m) && to_ms(&m, ms);
}

/* Mon, 19 Sep 2016 18:29:47 GMT */
static bool read_http_date(const char *z, int64_t *ms)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct moment m;
    if (!read_moment(z, "aaa, dd nnn yyyy hh:ii:ss GMT", &m))
        return false;
    const char *at = strstr(months, m.name);
    if (!at || (at - months) % 3 != 0)
        return false;
    m.month = (at - months) / 3 + 1;
    return to_ms(&m, ms);
}

/* From the hour of the cloud's clock to a span on ours, which may be another. */
static int64_t bound(int64_t left, int64_t most)
{
    return left < CLOUD_LEAST_MS ? CLOUD_LEAST_MS : left > most ? most : left;
}

static const char *text_of(struct json_object *v, const char *name)
{
    struct json_object *x = json_get(v, name);
    return json_object_is_type(x, json_type_string) ? json_object_get_string(x) : "";
}

static enum cloud_verdict aws_action(struct str body, int64_t wall_ms, struct cloud_notice *n,
                                     struct errmsg *em)
{
    struct json_object *v = NULL;
    int64_t at;
    enum cloud_verdict verdict = CLOUD_COMING;
    if (json_parse(body, JSON_STRICT, &v, NULL) || !json_object_is_type(v, json_type_object) ||
        !text_of(v, "action")[0]) {
        verdict =
            fail(em, "what it says of an interruption is not {\"action\": ..., \"time\": ...}");
    } else {
        bool timed = read_iso(text_of(v, "time"), &at);
        n->left_ms = timed ? bound(at - wall_ms, AWS_MOST_MS) : CLOUD_LEAST_MS;
        snprintf(n->reason, sizeof n->reason, "aws: %.60s", text_of(v, "action"));
    }
    json_object_put(v);
    return verdict;
}

static enum cloud_verdict answer_aws(struct cloud *c, long status, struct str body, int64_t wall_ms,
                                     struct cloud_notice *n, struct errmsg *em)
{
    if (!c->token[0]) {
        if (status != 200)
            return bad_status(status, em);
        if (!take_word(body, c->token, sizeof c->token)) {
            c->token[0] = 0;
            return fail(em, "what it gives as a token is none");
        }
        c->renewed = true;
        return CLOUD_AGAIN;
    }
    if (status == 404)
        return CLOUD_QUIET;
    if (status == 401) {
        bool fresh = c->renewed;
        c->token[0] = 0; /* it is too old, or was never good */
        return fresh ? fail(em, "it refuses the token that it has just given") : CLOUD_AGAIN;
    }
    return status == 200 ? aws_action(body, wall_ms, n, em) : bad_status(status, em);
}

static enum cloud_verdict answer_google(struct cloud *c, long status, struct str body,
                                        struct cloud_notice *n, struct errmsg *em)
{
    char word[8] = "";
    if (status != 200)
        return bad_status(status, em);
    if (!take_word(body, word, sizeof word) ||
        (strcmp(word, "TRUE") != 0 && strcmp(word, "FALSE") != 0))
        return fail(em, "it says neither TRUE nor FALSE");
    c->asked = true;
    if (word[0] == 'F')
        return CLOUD_QUIET;
    n->left_ms = GOOGLE_MS;
    snprintf(n->reason, sizeof n->reason, "google: preempted");
    return CLOUD_COMING;
}

/* Events are told to every machine of a set: is this one meant? One that does not know its name
 * takes all for its own, as leaving costs little. */
static bool about_us(const struct cloud *c, struct json_object *event)
{
    struct json_object *v = json_get(event, "Resources");
    if (!c->machine[0] || !json_object_is_type(v, json_type_array) ||
        json_object_array_length(v) == 0)
        return true;
    for (size_t i = 0; i < json_object_array_length(v); i++) {
        struct json_object *name = json_object_array_get_idx(v, i);
        if (json_object_is_type(name, json_type_string) &&
            strcasecmp(json_object_get_string(name), c->machine) == 0)
            return true;
    }
    return false;
}

static bool azure_event(const struct cloud *c, struct json_object *event, int64_t wall_ms,
                        struct cloud_notice *n)
{
    const char *type = text_of(event, "EventType");
    int64_t at;
    if ((strcmp(type, "Preempt") != 0 && strcmp(type, "Terminate") != 0) || !about_us(c, event))
        return false;
    bool timed = read_http_date(text_of(event, "NotBefore"), &at) ||
                 read_iso(text_of(event, "NotBefore"), &at);
    n->left_ms = timed ? bound(at - wall_ms, AZURE_MOST_MS) : STARTED_MS;
    snprintf(n->reason, sizeof n->reason, "azure: %s", type);
    return true;
}

static enum cloud_verdict azure_events(const struct cloud *c, struct str body, int64_t wall_ms,
                                       struct cloud_notice *n, struct errmsg *em)
{
    struct json_object *v = NULL, *events = NULL;
    enum cloud_verdict verdict = CLOUD_QUIET;
    if (json_parse(body, JSON_STRICT, &v, NULL) == ERR_OK &&
        json_object_is_type(v, json_type_object))
        events = json_get(v, "Events");
    if (!json_object_is_type(events, json_type_array))
        verdict = fail(em, "what it says of events is not {\"Events\": [...]}");
    else
        for (size_t i = 0; i < json_object_array_length(events) && verdict == CLOUD_QUIET; i++) {
            struct json_object *event = json_object_array_get_idx(events, i);
            if (json_object_is_type(event, json_type_object) && azure_event(c, event, wall_ms, n))
                verdict = CLOUD_COMING;
        }
    json_object_put(v);
    return verdict;
}

static enum cloud_verdict answer_azure(struct cloud *c, long status, struct str body,
                                       int64_t wall_ms, struct cloud_notice *n, struct errmsg *em)
{
    if (!c->named) {
        if (status == 0 || status >= 500)
            return bad_status(status, em);
        c->named = true;
        if (status != 200 || !take_word(body, c->machine, sizeof c->machine))
            c->machine[0] = 0;
        return CLOUD_AGAIN;
    }
    return status == 200 ? azure_events(c, body, wall_ms, n, em) : bad_status(status, em);
}

enum cloud_verdict cloud_answer(struct cloud *c, long status, struct str body, int64_t wall_ms,
                                struct cloud_notice *notice, struct errmsg *em)
{
    *notice = (struct cloud_notice){0};
    if (c->kind == CLOUD_AWS)
        return answer_aws(c, status, body, wall_ms, notice, em);
    if (c->kind == CLOUD_GOOGLE)
        return answer_google(c, status, body, notice, em);
    return answer_azure(c, status, body, wall_ms, notice, em);
}
