/* Checks of this machine: what a broker, an optimizer or a worker here would need. */
#ifndef FARM_CLI_HOSTCHECK_H
#define FARM_CLI_HOSTCHECK_H

#include <stdint.h>

#include "diagnosis.h"

struct hostcheck {
    const char *root; /* of a worker; NULL = its default */
    const char *key;  /* key file; NULL = the user's own */
};
void hostcheck_run(struct diagnosis *d, const struct hostcheck *h);

/* ---- the single checks ---- */

struct disk_facts {
    const char *where, *fs;
    uint64_t free, all; /* bytes */
    uint64_t needed;    /* beside what is there */
};
void hostcheck_disk(struct diagnosis *d, const struct disk_facts *f);
/* hard: the hard limit of open descriptors. */
void hostcheck_files(struct diagnosis *d, uint64_t hard);
void hostcheck_memory(struct diagnosis *d, const char *check, uint64_t free, uint64_t all);
/* jump_ms: how far the wall clock moved against the machine's own while it was looked at. */
void hostcheck_clock(struct diagnosis *d, int64_t wall_ms, int64_t jump_ms);
/* late_ns: how late a short sleep was, in the middle of several. */
void hostcheck_timers(struct diagnosis *d, int64_t late_ns);
/* The root is made if it is not there, as a worker would. */
void hostcheck_root(struct diagnosis *d, const char *root);

/* The file system and room of a path into f; false if they cannot be found out. */
bool hostcheck_look(const char *path, struct disk_facts *f);

#endif
