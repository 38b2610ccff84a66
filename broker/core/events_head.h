/* EVENTS made of records that are encoded already: they are copied, not encoded again for every
 * reader. */
#ifndef FARM_CORE_EVENTS_HEAD_H
#define FARM_CORE_EVENTS_HEAD_H

#include "buf.h"
#include "message.h"

/* Appends an EVENTS body up to its list of n records; the caller appends them, each as
 * record_encode() made it. head->records is not looked at. */
void events_head(struct buf *out, const struct msg_events *head, uint32_t n);

#endif
