/* SPDX-License-Identifier: Apache-2.0
 *
 * An error the way people read it:
 *
 *     rules.epl:2:14: expected a statement, found 'selekt'; did you mean 'select'?
 *         @name('out') selekt * from Metric;
 *                      ^^^^^^
 *
 * and as JSON for programs. Columns count bytes; the carets account for UTF-8 (one place for each
 * character) and repeat tabs, so that they stand below the text in any terminal.
 */
#include "operators/epl/epl.h"

#include <assert.h>

enum { DIAG_MAX_LINE = 160 }; /* bytes shown of a line */

static struct slice line_of(struct slice text, uint32_t line)
{
    struct slice part = SLICE_NONE, rest = text;
    for (uint32_t i = 0; i < line; i++) {
        if (!slice_split(&rest, '\n', &part)) {
            return SLICE_NONE;
        }
    }
    return part.len > 0 && part.ptr[part.len - 1] == '\r' ? slice_sub(part, 0, part.len - 1) : part;
}

static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

/* Of a long line the part around the error, beginning at a character. */
static struct slice window_of(struct slice line, size_t *col)
{
    size_t from = 0;
    if (line.len > DIAG_MAX_LINE && *col > DIAG_MAX_LINE / 2) {
        from = *col - DIAG_MAX_LINE / 2;
        while (from < line.len && is_continuation(line.ptr[from])) {
            from++;
        }
    }
    size_t to = from + DIAG_MAX_LINE < line.len ? from + DIAG_MAX_LINE : line.len;
    while (to > from && to < line.len && is_continuation(line.ptr[to])) {
        to--;
    }
    *col = *col > from ? *col - from : 0;
    return slice_sub(line, from, to);
}

static void carets(struct slice line, size_t col, size_t len, struct buf *out)
{
    size_t drawn = 0;
    for (size_t i = 0; i < col && i < line.len; i++) {
        if (!is_continuation(line.ptr[i])) {
            (void)buf_add_byte(out, line.ptr[i] == '\t' ? '\t' : ' ');
        }
    }
    for (size_t i = col; i < col + len && i < line.len; i++) {
        if (!is_continuation(line.ptr[i])) {
            (void)buf_add_byte(out, '^');
            drawn++;
        }
    }
    (void)buf_add_str(out, drawn == 0 ? "^\n" : "\n");
}

void epl_diag_text(const struct err *e, struct slice file, struct slice text, struct buf *out)
{
    assert(e != NULL);
    if (file.len > 0) {
        (void)buf_add_slice(out, file);
        (void)buf_add_str(out, ":");
    }
    if (e->line > 0) {
        (void)buf_addf(out, "%u:%u: ", e->line, e->col);
    } else if (file.len > 0) {
        (void)buf_add_str(out, " ");
    }
    (void)buf_addf(out, "%s\n", e->msg);
    struct slice line = e->line > 0 ? line_of(text, e->line) : SLICE_NONE;
    if (line.ptr == NULL) {
        return;
    }
    size_t col = e->col > 0 ? e->col - 1 : 0;
    line = window_of(line, &col);
    (void)buf_add_str(out, "    ");
    for (size_t i = 0; i < line.len; i++) { /* what a terminal would obey is not shown */
        char c = line.ptr[i];
        bool plain = c == '\t' || ((unsigned char)c >= 0x20 && c != 0x7f);
        (void)buf_add_byte(out, (uint8_t)(plain ? c : '?'));
    }
    (void)buf_add_str(out, "\n    ");
    carets(line, col, e->len > 0 ? e->len : 1, out);
}

static void json_text(struct buf *out, struct slice s)
{
    (void)buf_add_str(out, "\"");
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c == '"' || c == '\\') {
            (void)buf_addf(out, "\\%c", c);
        } else if (c < 0x20 || c == 0x7f) {
            (void)buf_addf(out, "\\u%04x", c);
        } else {
            (void)buf_add_byte(out, c);
        }
    }
    (void)buf_add_str(out, "\"");
}

void epl_diag_json(const struct err *e, struct slice file, struct buf *out)
{
    assert(e != NULL);
    (void)buf_addf(out, "{\"code\":\"%s\",\"message\":", err_name((int)e->code));
    json_text(out, slice_str(e->msg));
    if (file.len > 0) {
        (void)buf_add_str(out, ",\"file\":");
        json_text(out, file);
    }
    if (e->line > 0) {
        (void)buf_addf(out, ",\"line\":%u,\"column\":%u,\"length\":%u", e->line, e->col, e->len);
    }
    (void)buf_add_str(out, "}");
}
