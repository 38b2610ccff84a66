/* Reading a recording (tape.h). The file may be anything. */
#ifndef FARM_TAPE_TAPEREADER_H
#define FARM_TAPE_TAPEREADER_H

#include "tape.h"

struct tapereader;

/* ERR_CORRUPT: it is no recording; ERR_VERSION: of another version; ERR_IO. */
err_t tapereader_open(struct tapereader **out, const char *path, struct errmsg *em) MUST_CHECK;
/* The next entry; its body is valid until the next call. *more is false behind the last one. A
 * recording that was written until its process was killed has no end mark and is whole all the
 * same. ERR_CORRUPT with a sentence that names the place: an entry is damaged, or the file ends in
 * the midst of one. */
err_t tapereader_next(struct tapereader *r, struct tape_entry *out, bool *more,
                      struct errmsg *em) MUST_CHECK;
void tapereader_close(struct tapereader *r); /* NULL is legal */

#endif
