/* A study file: YAML 1.1 (so JSON too) to the compact JSON text of a spec, by libyaml. Anchors and
 * aliases are followed, within bounds; tags are refused. Plain scalars resolve as in YAML's core
 * schema (1e-5 is a number; yes and on are texts). Duplicate keys are refused. */
#ifndef FARM_STUDY_YAML_H
#define FARM_STUDY_YAML_H

#include "buf.h"

struct yaml_map; /* where each path stands in the file */

/* text: at most 1 MiB; name: for messages. out: the JSON (at most 256 KiB). map may be NULL. Fault
 * sentences begin with "name:line:column: ". */
err_t yaml_to_json(struct str text, const char *name, struct buf *out, struct yaml_map **map,
                   struct errmsg *em) MUST_CHECK;
void yaml_map_free(struct yaml_map *m);
/* Rewrites a sentence that begins with a path ("space.lr.float[1]: ...") so that it begins with
 * where that stands
 * ("study.yaml:7:18: space.lr.float[1]: ..."); of the longest part of the path that is in the file.
 */
void yaml_locate(const struct yaml_map *m, struct errmsg *em);

#endif
