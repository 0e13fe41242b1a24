/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a module, as an on-demand query and as an expression. What is accepted is printed;
 * the print is accepted, and printing that gives the same text. What is refused has a message and a
 * place inside of the text, and both forms of the diagnostic can be written.
 */
#include "operators/epl/epl.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TEXT_MAX = 8192, PRINT_MAX = 1 << 20, ARENA_MAX = 256 << 20 };

enum form { MODULE, QUERY, EXPR, FORMS };

static void fault(const char *what, struct slice was, struct slice print)
{
    fprintf(stderr, "%s\n--- text\n" SLICE_FMT "\n--- print\n" SLICE_FMT "\n", what, SLICE_ARG(was),
            SLICE_ARG(print));
    abort();
}

/* Parses and prints. */
static int again(enum form form, struct slice text, struct buf *print, struct err *reterr)
{
    struct arena *a = arena_new(NULL, "fuzz", ARENA_MAX);
    struct ast_module *m = NULL;
    struct ast_stmt *s = NULL;
    struct ast_expr *e = NULL;
    int rc = form == MODULE  ? epl_parse(a, text, &m, reterr)
             : form == QUERY ? epl_parse_query(a, text, &s, reterr)
                             : epl_parse_expr(a, text, &e, reterr);
    if (rc == 0 && form == MODULE) {
        epl_print_module(m, print);
    } else if (rc == 0 && form == QUERY) {
        epl_print_stmt(s, print);
    } else if (rc == 0) {
        epl_print_column(e, print);
        buf_clear(print);
        epl_print_expr(e, print);
    }
    arena_free(a);
    return rc;
}

/* Line and column lead into the text, or right behind it; the span does not leave it. */
static void check_place(struct slice text, const struct err *e)
{
    size_t at = 0;
    if (e->msg[0] == '\0' || e->line == 0 || e->col == 0) {
        fault("an error without a place", text, slice_str(e->msg));
    }
    for (uint32_t line = 1; line < e->line; line++, at++) {
        while (at < text.len && text.ptr[at] != '\n') {
            at++;
        }
        if (at >= text.len) {
            fault("an error on a line that is not there", text, slice_str(e->msg));
        }
    }
    at += e->col - 1;
    if (at > text.len || at + e->len > text.len + 1) {
        fault("an error outside of the text", text, slice_str(e->msg));
    }
}

static void one(enum form form, struct slice text)
{
    struct buf print, twice;
    struct err err = {0};
    buf_init(&print, PRINT_MAX);
    buf_init(&twice, PRINT_MAX);
    if (again(form, text, &print, &err) != 0) {
        check_place(text, &err);
        epl_diag_text(&err, SLICE("f"), text, &print);
        epl_diag_json(&err, SLICE("f"), &twice);
    } else if (again(form, buf_slice(&print), &twice, &err) != 0) {
        fprintf(stderr, "%u:%u: %s\n", err.line, err.col, err.msg);
        fault("the print is refused", text, buf_slice(&print));
    } else if (!slice_eq(buf_slice(&print), buf_slice(&twice))) {
        fprintf(stderr, "--- second print\n" SLICE_FMT "\n", SLICE_ARG(buf_slice(&twice)));
        fault("the print of the print is another", text, buf_slice(&print));
    }
    buf_done(&print);
    buf_done(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > TEXT_MAX) {
        return 0;
    }
    for (enum form form = MODULE; form < FORMS; form++) {
        one(form, slice_of(data, size));
    }
    return 0;
}
