/* The farm's key file: one CURVE key pair, which the broker and everybody it lets in share.
 *
 * Text, mode 0600: lines `public = Z85` and `secret = Z85`, # comments. */
#ifndef FARM_BASE_KEYFILE_H
#define FARM_BASE_KEYFILE_H

#include "zsock.h"

#define KEYFILE_PATH_SIZE 1024

/* $XDG_CONFIG_HOME/tunefarm/farm.key, else $HOME/.config/tunefarm/farm.key. */
err_t keyfile_default_path(char out[KEYFILE_PATH_SIZE], struct errmsg *em) MUST_CHECK;
/* Makes a new pair, and the folders above it (0700). ERR_EXISTS if there is a file already; it is
 * left as it is. The file appears whole or not at all. */
err_t keyfile_create(const char *path, struct errmsg *em) MUST_CHECK;
/* Fills a client's keys (set out->server for a server). Refuses, with a sentence, a file that
 * others may read, that is no regular file, that is malformed, or whose keys do not belong
 * together. */
err_t keyfile_load(const char *path, struct zcurve *out, struct errmsg *em) MUST_CHECK;
/* Loads; makes the file first if there is none. */
err_t keyfile_load_or_create(const char *path, struct zcurve *out, bool *created,
                             struct errmsg *em) MUST_CHECK;

#endif
