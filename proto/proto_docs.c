/* proto-docs: prints the generated part of docs/protocol.md. Run by tools/update-protocol-docs and
 * by the test that the page is fresh. */
#include <stdio.h>
#include <stdlib.h>

#include "codec.h"

int main(void)
{
    struct buf b;
    buf_init(&b, 0);
    message_docs(&b);
    bool fine = buf_ok(&b) && fwrite(b.p, 1, b.n, stdout) == b.n && fflush(stdout) == 0;
    buf_fini(&b);
    return fine ? EXIT_SUCCESS : EXIT_FAILURE;
}
