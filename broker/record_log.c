/* The journal records that are worth a line in the log: studies that come and go, workers that join
 * and leave. Called by the owner when a record is durable; everything else stands in the journal
 * alone. */
#include "record_log.h"

#include "codes.h"
#include "log.h"

static void log_one(const struct effects *fx, const struct fx_record *r)
{
    struct str text = effects_str(fx, r->text);
    switch (r->kind) {
    case REC_STUDY_CREATED:
    case REC_STUDY_CLOSED:
    case REC_STUDY_ENDED:
    case REC_STUDY_OPENED:
        LOG_I("STUDY", "study=%llu event=%s text=\"" STR_FMT "\"", (unsigned long long)r->study,
              record_kind_name(r->kind), STR_ARG(text));
        break;
    case REC_WORKER_JOINED:
    case REC_WORKER_LEFT:
        LOG_I("WORKER", "event=%s text=\"" STR_FMT "\"", record_kind_name(r->kind), STR_ARG(text));
        break;
    default:
        break;
    }
}

void record_log(const struct effects *fx)
{
    for (size_t i = 0; i < fx->n_records; i++)
        log_one(fx, &fx->records[i]);
}

void record_log_timeline(const struct journal *j, const char *db)
{
    struct journal_ids ids = journal_ids(j);
    if (ids.restored || ids.copied)
        LOG_W("TIMELINE", "db=%s why=%s text=\"what workers hold of the farm before is ended\"", db,
              ids.restored ? "restored" : "copied");
}
