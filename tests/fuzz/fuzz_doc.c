/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a graph document: read, checked with engines, printed as text, JSON and in canonical
 * form. Every note has a place inside of the text, and errors are counted. What was read twice has
 * the same canonical form.
 */
#include "operators/doc/doc.h"
#include "operators/graph/eng_doc.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TEXT_MAX = 16384, PRINT_MAX = 64 << 20 };

static void fault(const char *what, struct slice text)
{
    fprintf(stderr, "%s\n--- text\n" SLICE_FMT "\n", what, SLICE_ARG(text));
    abort();
}

static void check_notes(const struct doc_notes *n, struct slice text)
{
    uint32_t lines = 1;
    for (size_t i = 0; i < text.len; i++) {
        lines += text.ptr[i] == '\n' || text.ptr[i] == '\r' || (unsigned char)text.ptr[i] >= 0x80;
    }
    VEC_EACH (&n->list, note) {
        if (note->message.len == 0 || note->span.line == 0 || note->span.col == 0 ||
            note->span.line > lines || (size_t)note->span.off + note->span.len > text.len) {
            fault("a note without a place", text);
        }
    }
    if (n->list.len > DOC_NOTES_MAX || n->list.len > (size_t)n->errors + n->warnings) {
        fault("notes are not counted", text);
    }
}

static uint64_t look(struct slice text, bool compile)
{
    struct arena *a = arena_new(NULL, "fuzz", DOC_ARENA_MAX);
    struct doc_notes notes;
    struct err err;
    struct buf out;
    uint64_t hash = 0;
    doc_notes_init(&notes, a);
    buf_init(&out, PRINT_MAX);
    err_clear(&err);
    struct doc *d = doc_read(a, text, &notes);
    if (d == NULL && notes.errors == 0) {
        fault("refused without a word", text);
    }
    if (d != NULL && compile) {
        int rc = doc_check(d, &eng_doc, &notes, &err);
        if ((rc != 0) != (notes.errors > 0) || (rc != 0 && err.msg[0] == '\0')) {
            fault("errors and the result differ", text);
        }
    }
    if (d != NULL) {
        hash = doc_hash(d);
    }
    check_notes(&notes, text);
    doc_notes_text(&notes, SLICE("f"), text, &out);
    doc_notes_json(&notes, SLICE("f"), &out);
    buf_done(&out);
    doc_notes_done(&notes);
    arena_free(a);
    return hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_of(data, size);
    if (size > TEXT_MAX) {
        return 0;
    }
    if (look(text, true) != look(text, false)) {
        fault("two forms of one text", text);
    }
    return 0;
}
