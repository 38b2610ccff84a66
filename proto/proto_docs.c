/* proto-docs messages | counters: prints the generated part of docs/protocol.md, or that of
 * docs/reliability.md. Run by tools/update-protocol-docs and by the test that the pages are fresh.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec.h"
#include "counter.h"

int main(int argc, char **argv)
{
    struct buf b;
    buf_init(&b, 0);
    if (argc != 2 || (strcmp(argv[1], "messages") != 0 && strcmp(argv[1], "counters") != 0)) {
        (void)fprintf(stderr, "usage: proto-docs messages | counters\n");
        return 2;
    }
    if (strcmp(argv[1], "counters") == 0)
        counter_docs(&b);
    else
        message_docs(&b);
    bool fine = buf_ok(&b) && fwrite(b.p, 1, b.n, stdout) == b.n && fflush(stdout) == 0;
    buf_fini(&b);
    return fine ? EXIT_SUCCESS : EXIT_FAILURE;
}
