/* Answers GET_LOG from the attempts' directories. Called by agent.c. It must not know sessions. */
#include "logtext.h"

#include <stdio.h>

#include "tail.h"

struct msg_log_text logtext_find(const struct files *f, const char *host,
                                 const struct msg_get_log *q, struct buf *text, char where[1024])
{
    char dir[FILES_PATH];
    struct msg_log_text r = {.request = q->request};
    size_t n = q->bytes && q->bytes < LOG_BYTES ? q->bytes : LOG_BYTES;
    if (files_attempt_find(f, q->study_name, q->trial, q->attempt, dir)) {
        r.error = STR("this worker has no output of that attempt: it printed nothing, or its "
                      "directory was removed");
    } else if (tail_read(dir, n, text)) {
        r.error = STR("the attempt has printed nothing");
    } else {
        snprintf(where, 1024, "%.200s:%.800s/%s", host, dir, TAIL_FILE);
        r.bytes = buf_str(text);
        r.where = str_of(where);
    }
    return r;
}
