/* The optimizer as a filter on standard input and output, with no broker. */
#ifndef FARM_OPTIMIZER_STDIO_MODE_H
#define FARM_OPTIMIZER_STDIO_MODE_H

/* Reads the study file and answers standard input line by line until its end. Returns the exit
 * code. ready_fd: -1 = none. */
int stdio_mode(const char *study_file, int ready_fd);

#endif
