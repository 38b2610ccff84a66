/* A few lines at the bottom of a terminal that are drawn again in place; what is printed above them
 * stays in the scrollback. Through terminfo; no full screen. */
#ifndef FARM_CLI_TERMVIEW_H
#define FARM_CLI_TERMVIEW_H

#include "buf.h"

#define TERMVIEW_LINES 16

struct termview {
    int fd;
    char up[32], clear[32], hide[32],
        show[32];                  /* sequences: one row up, clear to the end, cursor off and on */
    size_t widths[TERMVIEW_LINES]; /* columns of each line drawn */
    size_t n;                      /* lines drawn */
    size_t width;                  /* columns of the terminal */
};

/* False if the terminal cannot move its cursor up and clear (TERM=dumb, unknown): print plain lines
 * then. */
bool termview_open(struct termview *v, int fd, size_t width);
void termview_resize(struct termview *v, size_t width);
/* Replaces what is drawn. text: lines, each with its newline; at most TERMVIEW_LINES of them are
 * drawn. */
void termview_draw(struct termview *v, struct str text);
/* Prints text for good, above the lines, which are gone until the next draw. */
void termview_print(struct termview *v, struct str text);
void termview_close(struct termview *v); /* takes the lines away, shows the cursor */

/* Columns of a line without its escape sequences. */
size_t termview_columns(struct str line);

#endif
