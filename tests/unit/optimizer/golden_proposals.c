/* golden-proposals NAME: prints what tests/golden/proposals/NAME.jsonl holds. Run by hand when a
 * sampler or preset is added, or proposes something else on purpose. */
#include <stdio.h>

#include "proposals.h"

int main(int argc, char **argv)
{
    for (const struct kept_study *k = kept_studies; k->name; k++) {
        if (argc != 2 || !str_is(str_of(argv[1]), k->name))
            continue;
        struct buf out;
        buf_init(&out, 0);
        proposals_drive(k, &out);
        bool fine = fwrite(out.p, 1, out.n, stdout) == out.n && fflush(stdout) == 0;
        buf_fini(&out);
        return fine ? 0 : 1;
    }
    fputs("usage: golden-proposals NAME, one of tests/unit/optimizer/proposals.c\n", stderr);
    return 2;
}
