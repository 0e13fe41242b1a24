/* SPDX-License-Identifier: Apache-2.0
 *
 * What is wrong with a document: errors, and warnings that can be lived with. A code is a row of
 * doc_code.def. Notes are kept in the order of their places; there are at most DOC_NOTES_MAX.
 */
#ifndef OPERATORS_DOC_DOC_NOTE_H
#define OPERATORS_DOC_DOC_NOTE_H

#include "core/base/arena.h"
#include "core/base/buf.h"
#include "core/base/err.h"
#include "core/base/vec.h"
#include "operators/epl/ast_expr.h"

enum doc_code {
#define DOC_CODE(name, text, severity, doc) DOC_##name,
#include "operators/doc/doc_code.def"
    DOC_CODES
};

enum doc_severity { DOC_ERROR, DOC_WARNING };

struct doc_note {
    enum doc_code code;
    struct span span; /* in the document; line 0: none */
    struct slice level, statement, message, hint;
    struct slice pointer; /* RFC 6901: /levels/0/epl */
};

enum { DOC_NOTES_MAX = 200 };

struct doc_notes {
    struct arena *arena;
    VEC(struct doc_note) list;
    uint32_t errors, warnings;     /* also of those that found no room */
    struct slice level, statement; /* what the next notes are about */
};

void doc_notes_init(struct doc_notes *n, struct arena *a);
void doc_notes_done(struct doc_notes *n);
/* The note, to give it a hint and a pointer. Never NULL. */
struct doc_note *doc_note(struct doc_notes *n, enum doc_code code, struct span at, const char *fmt,
                          ...) PRINTF_LIKE(4, 5);
void doc_hint(struct doc_notes *n, struct doc_note *note, const char *fmt, ...) PRINTF_LIKE(3, 4);
enum doc_severity doc_code_severity(enum doc_code c);
const char *doc_code_text(enum doc_code c); /* "KJ-DOC-0004" */
const char *doc_code_doc(enum doc_code c);
void doc_notes_sort(struct doc_notes *n);

/* file:line:col: error KJ-DOC-0004: message, the line, carets, the hint. */
void doc_notes_text(const struct doc_notes *n, struct slice file, struct slice text,
                    struct buf *out);
/* One object: {"file", "errors", "warnings", "notes": [...]}. */
void doc_notes_json(const struct doc_notes *n, struct slice file, struct buf *out);
void doc_json_string(struct slice s, struct buf *out);

#endif
