/* SPDX-License-Identifier: Apache-2.0
 *
 * See doc_note.h.
 */
#include "operators/doc/doc_note.h"

#include "operators/epl/epl.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static const struct {
    const char *text, *doc;
    enum doc_severity severity;
} codes[] = {
#define DOC_CODE(name, text, severity, doc) {text, doc, DOC_##severity},
#include "operators/doc/doc_code.def"
};

enum doc_severity doc_code_severity(enum doc_code c)
{
    assert(c < DOC_CODES);
    return codes[c].severity;
}

const char *doc_code_text(enum doc_code c)
{
    assert(c < DOC_CODES);
    return codes[c].text;
}

const char *doc_code_doc(enum doc_code c)
{
    assert(c < DOC_CODES);
    return codes[c].doc;
}

void doc_notes_init(struct doc_notes *n, struct arena *a)
{
    *n = (struct doc_notes){.arena = a};
}

void doc_notes_done(struct doc_notes *n)
{
    VEC_DONE(&n->list);
}

static struct slice printed(struct arena *a, const char *fmt, va_list ap)
{
    char text[1024];
    int n = vsnprintf(text, sizeof text, fmt, ap);
    size_t len = n < 0 ? 0 : MIN((size_t)n, sizeof text - 1);
    return arena_copy(a, slice_of(text, len));
}

/* A place for one more. When all are taken, an error takes that of a warning; what finds none goes
 * to one behind the list, which is cut off in the end. */
static struct doc_note *place(struct doc_notes *n, enum doc_code code)
{
    if (n->list.len < DOC_NOTES_MAX + 1) {
        return VEC_PUSH(&n->list);
    }
    for (size_t i = DOC_NOTES_MAX; codes[code].severity == DOC_ERROR && i > 0; i--) {
        if (codes[n->list.ptr[i - 1].code].severity == DOC_WARNING) {
            return &n->list.ptr[i - 1];
        }
    }
    return VEC_LAST(&n->list);
}

struct doc_note *doc_note(struct doc_notes *n, enum doc_code code, struct span at, const char *fmt,
                          ...)
{
    va_list ap;
    assert(code < DOC_CODES);
    if (codes[code].severity == DOC_ERROR) {
        n->errors++;
    } else {
        n->warnings++;
    }
    struct doc_note *note = place(n, code);
    va_start(ap, fmt);
    *note = (struct doc_note){.code = code,
                              .span = at,
                              .level = n->level,
                              .statement = n->statement,
                              .message = printed(n->arena, fmt, ap)};
    va_end(ap);
    return note;
}

void doc_hint(struct doc_notes *n, struct doc_note *note, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    note->hint = printed(n->arena, fmt, ap);
    va_end(ap);
}

static int by_place(const void *a, const void *b)
{
    const struct doc_note *x = a, *y = b;
    if (x->span.off != y->span.off) {
        return x->span.off < y->span.off ? -1 : 1;
    }
    return x->code != y->code ? (x->code < y->code ? -1 : 1) : slice_cmp(x->message, y->message);
}

void doc_notes_sort(struct doc_notes *n)
{
    if (n->list.len > DOC_NOTES_MAX) {
        n->list.len = DOC_NOTES_MAX;
    }
    if (n->list.len > 0) {
        qsort(n->list.ptr, n->list.len, sizeof *n->list.ptr, by_place);
    }
}

/* ---- text ---- */

static void one_text(const struct doc_note *note, struct slice file, struct slice text,
                     struct buf *out)
{
    struct err e = {.line = note->span.line, .col = note->span.col, .len = note->span.len};
    bool error = codes[note->code].severity == DOC_ERROR;
    snprintf(e.msg, sizeof e.msg, "%s %s: " SLICE_FMT, error ? "error" : "warning",
             codes[note->code].text, SLICE_ARG(note->message));
    epl_diag_text(&e, file, text, out);
    if (note->level.len > 0) {
        (void)buf_addf(out, "    in level '" SLICE_FMT "'", SLICE_ARG(note->level));
        if (note->statement.len > 0) {
            (void)buf_addf(out, ", statement " SLICE_FMT, SLICE_ARG(note->statement));
        }
        (void)buf_add_byte(out, '\n');
    }
    if (note->hint.len > 0) {
        (void)buf_addf(out, "    hint: " SLICE_FMT "\n", SLICE_ARG(note->hint));
    }
}

void doc_notes_text(const struct doc_notes *n, struct slice file, struct slice text,
                    struct buf *out)
{
    VEC_EACH (&n->list, note) {
        one_text(note, file, text, out);
    }
    size_t more = n->errors + n->warnings - n->list.len;
    if (more > 0) {
        (void)buf_addf(out, SLICE_FMT ": and %zu more\n", SLICE_ARG(file), more);
    }
}

/* ---- JSON ---- */

void doc_json_string(struct slice s, struct buf *out)
{
    (void)buf_add_byte(out, '"');
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c == '"' || c == '\\') {
            (void)buf_addf(out, "\\%c", c);
        } else if (c == '\n') {
            (void)buf_add_str(out, "\\n");
        } else if (c < 0x20 || c == 0x7f) {
            (void)buf_addf(out, "\\u%04x", c);
        } else {
            (void)buf_add_byte(out, c);
        }
    }
    (void)buf_add_byte(out, '"');
}

static void member(struct buf *out, const char *name, struct slice v)
{
    if (v.len > 0) {
        (void)buf_addf(out, ", \"%s\": ", name);
        doc_json_string(v, out);
    }
}

static void one_json(const struct doc_note *note, struct buf *out)
{
    bool error = codes[note->code].severity == DOC_ERROR;
    (void)buf_addf(out, "{\"code\": \"%s\", \"severity\": \"%s\"", codes[note->code].text,
                   error ? "error" : "warning");
    member(out, "message", note->message);
    member(out, "hint", note->hint);
    member(out, "level", note->level);
    member(out, "statement", note->statement);
    member(out, "pointer", note->pointer);
    if (note->span.line > 0) {
        (void)buf_addf(out, ", \"line\": %u, \"column\": %u, \"length\": %u", note->span.line,
                       note->span.col, note->span.len);
    }
    (void)buf_add_byte(out, '}');
}

void doc_notes_json(const struct doc_notes *n, struct slice file, struct buf *out)
{
    (void)buf_add_str(out, "{\"file\": ");
    doc_json_string(file, out);
    (void)buf_addf(out, ", \"errors\": %u, \"warnings\": %u, \"notes\": [", n->errors, n->warnings);
    for (size_t i = 0; i < n->list.len; i++) {
        (void)buf_add_str(out, i > 0 ? ",\n  " : "\n  ");
        one_json(&n->list.ptr[i], out);
    }
    (void)buf_add_str(out, n->list.len > 0 ? "\n]}\n" : "]}\n");
}
