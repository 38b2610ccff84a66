/* `tunefarm-broker --examine`: looks through a database that no broker has, for `tunefarm doctor`.
 */
#ifndef FARM_BROKER_EXAMINE_H
#define FARM_BROKER_EXAMINE_H

/* Prints one JSON array a line: check, status, text, advice. Returns the exit status: 0 if all of
 * it could be printed, whatever it says. */
int examine(const char *file);

#endif
