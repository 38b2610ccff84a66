/* A TCP port on 127.0.0.1 that nobody uses at the moment. */
#ifndef FARM_TESTS_FREEPORT_H
#define FARM_TESTS_FREEPORT_H

/* Another process may take it before the caller does; tests that can let the system choose at
 * binding should. */
unsigned freeport(void);

#endif
