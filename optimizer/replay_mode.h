/* The optimizer as the judge of a journal, on standard input and output, with no broker. */
#ifndef FARM_OPTIMIZER_REPLAY_MODE_H
#define FARM_OPTIMIZER_REPLAY_MODE_H

/* Reads frames of the protocol until the end of standard input: for each specification ATTACHED,
 * then PROPOSE with what was proposed under it, then EVENTS with the study's records from the first
 * on. Writes one line of JSON (replay_write(), or {"error": sentence}) and returns the exit code: 0
 * all are equal, 1 one differs, else that of the fault. */
int replay_mode(void);

#endif
