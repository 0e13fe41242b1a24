/* SPDX-License-Identifier: Apache-2.0
 *
 * A document as a string, and what is said about it.
 */
#ifndef TESTS_UNIT_OPERATORS_DOC_DOC_CASE_H
#define TESTS_UNIT_OPERATORS_DOC_DOC_CASE_H

#include "operators/doc/doc.h"
#include "tests/test.h"

#include <string.h>

struct doc_case {
    struct arena *a;
    struct doc_notes notes;
    struct slice text;
    struct doc *d;
};

static inline struct doc_case doc_case(const char *text)
{
    struct doc_case c = {.a = arena_new(NULL, "case", DOC_ARENA_MAX)};
    c.text = arena_copy(c.a, slice_str(text));
    doc_notes_init(&c.notes, c.a);
    c.d = doc_read(c.a, c.text, &c.notes);
    return c;
}

static inline void doc_case_done(struct doc_case *c)
{
    doc_notes_done(&c->notes);
    arena_free(c->a);
}

/* "line:col+len code message; hint" of each note, a line each. */
static inline const char *doc_case_notes(struct doc_case *c)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    for (size_t i = 0; i < c->notes.list.len; i++) {
        const struct doc_note *n = &c->notes.list.ptr[i];
        (void)buf_addf(&b, "%u:%u+%u %s " SLICE_FMT, n->span.line, n->span.col, n->span.len,
                       doc_code_text(n->code), SLICE_ARG(n->message));
        if (n->hint.len > 0) {
            (void)buf_addf(&b, "; " SLICE_FMT, SLICE_ARG(n->hint));
        }
        (void)buf_add_byte(&b, '\n');
    }
    const char *s = arena_str(c->a, buf_slice(&b));
    buf_done(&b);
    return s != NULL ? s : "";
}

#endif
