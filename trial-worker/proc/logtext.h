/* The end of an attempt's output, for whoever asked the farm for it. */
#ifndef FARM_TRIAL_WORKER_LOGTEXT_H
#define FARM_TRIAL_WORKER_LOGTEXT_H

#include "files.h"
#include "message.h"

#define LOG_BYTES 65536

/* The answer; its texts are in `text` and `where`, or say why there is none. */
struct msg_log_text logtext_find(const struct files *f, const char *host,
                                 const struct msg_get_log *q, struct buf *text, char where[1024]);

#endif
