/* The comparison of images. Called by checkup.c. Columns stand in two tables, so that what is not
 * compared can be seen: of a study the time that has passed (it is not in the journal), of both
 * nothing else. */
#include "compare.h"

#include <math.h>
#include <string.h>

enum type { IS_U8, IS_BOOL, IS_U32, IS_U64, IS_I64, IS_F64, IS_STR, IS_ID, IS_DIGEST };
struct column {
    const char *name;
    size_t at;
    enum type type;
};

#define AT(T, member, type)                                                                        \
    {                                                                                              \
#member, offsetof(struct T, member), type                                                  \
    }
static const struct column of_trial[] = {
    AT(trial_image, state, IS_U8),
    AT(trial_image, attempt, IS_U32),
    AT(trial_image, final_attempt, IS_U32),
    AT(trial_image, has_value, IS_BOOL),
    AT(trial_image, value, IS_F64),
    AT(trial_image, has_step, IS_BOOL),
    AT(trial_image, step, IS_I64),
    AT(trial_image, params, IS_STR),
    AT(trial_image, has_draw, IS_BOOL),
    AT(trial_image, draw, IS_U64),
    AT(trial_image, based_on, IS_U64),
    AT(trial_image, behind, IS_U32),
    AT(trial_image, enqueued, IS_BOOL),
    AT(trial_image, adopted, IS_BOOL),
    AT(trial_image, front, IS_BOOL),
    AT(trial_image, why, IS_U8),
    AT(trial_image, last_close, IS_U8),
    AT(trial_image, lost, IS_U32),
    AT(trial_image, crashes, IS_U32),
    AT(trial_image, spec_number, IS_U32),
    AT(trial_image, created_ms, IS_I64),
    AT(trial_image, started_ms, IS_I64),
    AT(trial_image, finished_ms, IS_I64),
    AT(trial_image, retry_ms, IS_I64),
    AT(trial_image, runtime_ms, IS_U64),
    AT(trial_image, exit_code, IS_I64),
    AT(trial_image, signal, IS_U32),
    AT(trial_image, worker, IS_ID),
    AT(trial_image, has_resume, IS_BOOL),
    AT(trial_image, resume_step, IS_I64),
    AT(trial_image, resume, IS_STR),
    AT(trial_image, metrics, IS_STR),
    AT(trial_image, error, IS_STR),
    AT(trial_image, why_text, IS_STR),
    AT(trial_image, resume_digest, IS_DIGEST),
    AT(trial_image, n_decide, IS_U32),
};
#define COUNT(name, state)                                                                         \
    {                                                                                              \
        name, offsetof(struct study_image, count[TRIAL_##state]), IS_U64                           \
    }
static const struct column of_study[] = {
    AT(study_image, name, IS_STR),
    AT(study_image, state, IS_U8),
    AT(study_image, paused, IS_BOOL),
    AT(study_image, maximize, IS_BOOL),
    AT(study_image, metric, IS_STR),
    AT(study_image, why, IS_STR),
    AT(study_image, spec, IS_DIGEST),
    AT(study_image, search, IS_DIGEST),
    AT(study_image, spec_number, IS_U32),
    AT(study_image, optimizer_epoch, IS_U32),
    AT(study_image, study_seq, IS_U64),
    AT(study_image, trials, IS_U64),
    AT(study_image, has_best, IS_BOOL),
    AT(study_image, best, IS_F64),
    AT(study_image, best_trial, IS_U64),
    AT(study_image, created_ms, IS_I64),
    AT(study_image, ended_ms, IS_I64),
    AT(study_image, compacted, IS_U64),
    COUNT("queued", QUEUED),
    COUNT("leased", LEASED),
    COUNT("running", RUNNING),
    COUNT("stopping", STOPPING),
    COUNT("paused", PAUSED),
    COUNT("delayed", DELAYED),
    COUNT("complete", COMPLETE),
    COUNT("pruned", PRUNED),
    COUNT("failed", FAILED),
    COUNT("cancelled", CANCELLED),
};

static const size_t sizes[] = {
    [IS_U8] = sizeof(uint8_t),      [IS_BOOL] = sizeof(bool),           [IS_U32] = sizeof(uint32_t),
    [IS_U64] = sizeof(uint64_t),    [IS_I64] = sizeof(int64_t),         [IS_F64] = sizeof(double),
    [IS_ID] = sizeof(struct id128), [IS_DIGEST] = sizeof(struct digest)};

static struct str text_at(const void *p)
{
    struct str s;
    memcpy(&s, p, sizeof s);
    return s;
}

static double number_at(const void *p)
{
    double v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* A number that is none is stored as NULL. */
static bool same_number(double row, double fold)
{
    return row == fold || (isnan(fold) && row == 0);
}

static bool same(const struct column *c, const void *row, const void *fold)
{
    if (c->type == IS_STR)
        return str_eq(text_at(row), text_at(fold));
    if (c->type == IS_F64)
        return same_number(number_at(row), number_at(fold));
    return memcmp(row, fold, sizes[c->type]) == 0;
}

static void show_bytes(struct buf *out, const void *p, size_t n)
{
    char hex[HEX_SIZE(32)];
    str_hex(hex, p, n);
    buf_addz(out, hex);
}

static void show(struct buf *out, const struct column *c, const void *p)
{
    uint8_t u8;
    uint32_t u32;
    int64_t i64;
    struct str s;
    switch (c->type) {
    case IS_U8:
    case IS_BOOL:
        memcpy(&u8, p, sizeof u8);
        buf_printf(out, "%u", u8);
        break;
    case IS_U32:
        memcpy(&u32, p, sizeof u32);
        buf_printf(out, "%u", u32);
        break;
    case IS_U64:
    case IS_I64:
        memcpy(&i64, p, sizeof i64);
        buf_printf(out, "%lld", (long long)i64);
        break;
    case IS_F64:
        buf_printf(out, "%.17g", number_at(p));
        break;
    case IS_STR:
        s = text_at(p);
        s.n = str_utf8_cut(s, 80);
        buf_printf(out, "\"" STR_FMT "\"", STR_ARG(s));
        break;
    case IS_ID:
    case IS_DIGEST:
        show_bytes(out, p, sizes[c->type]);
        break;
    }
}

static bool compare(const struct column *columns, size_t n, const void *row, const void *fold,
                    struct buf *why)
{
    for (size_t i = 0; i < n; i++) {
        const struct column *c = &columns[i];
        const char *x = (const char *)row + c->at, *y = (const char *)fold + c->at;
        if (same(c, x, y))
            continue;
        buf_printf(why, "%s is ", c->name);
        show(why, c, x);
        buf_addz(why, " in its row, and ");
        show(why, c, y);
        buf_addz(why, " by the journal");
        return false;
    }
    return true;
}

bool compare_trial(const struct trial_image *row, const struct trial_image *fold, struct buf *why)
{
    if (!compare(of_trial, sizeof of_trial / sizeof *of_trial, row, fold, why))
        return false;
    if (!row->n_decide || !memcmp(row->decide, fold->decide, row->n_decide * sizeof *row->decide))
        return true;
    buf_addz(why, "its decision steps are others in its row than in the journal");
    return false;
}

bool compare_study(const struct study_image *row, const struct study_image *fold, struct buf *why)
{
    return compare(of_study, sizeof of_study / sizeof *of_study, row, fold, why);
}
