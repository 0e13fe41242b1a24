/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a byte of a scalar's text stands in the document. The text is what is left when
 * indentation, quotes, escapes and folded lines are resolved; here both are walked side by side:
 * blanks of the document that the text does not have are skipped, escapes count as what they mean.
 * Within a run of blanks a place may be off by some of them; at every other character it is exact.
 */
#include "operators/doc/doc_impl.h"

#include <assert.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Bytes of raw behind a backslash that make one character. */
static size_t escape_len(struct slice raw, size_t at)
{
    char c = at + 1 < raw.len ? raw.ptr[at + 1] : '\0';
    size_t n = c == 'x' ? 4 : c == 'u' ? 6 : c == 'U' ? 10 : 2;
    bool high = c == 'u' && at + 8 <= raw.len && (raw.ptr[at + 2] | 0x20) == 'd' &&
                strchr("89abAB", raw.ptr[at + 3]) != NULL && raw.ptr[at + 6] == '\\';
    return MIN(high ? 12 : n, raw.len - at);
}

static size_t utf8_len(char c)
{
    unsigned char u = (unsigned char)c;
    return u < 0xc0 ? 1 : u < 0xe0 ? 2 : u < 0xf0 ? 3 : 4;
}

/* A backslash before the end of a line: nothing is left of it. */
static bool is_joined_line(struct slice raw, size_t at)
{
    return at + 1 < raw.len && raw.ptr[at] == '\\' &&
           (raw.ptr[at + 1] == '\n' || raw.ptr[at + 1] == '\r');
}

/* Before a character that is no blank: over what the document has in between. */
static void skip(struct doc_walk *w)
{
    while (w->at < w->raw.len) {
        if (w->style == DOC_DOUBLE_QUOTED && is_joined_line(w->raw, w->at)) {
            w->at += 2;
        } else if (is_blank(w->raw.ptr[w->at])) {
            w->at++;
        } else {
            return;
        }
    }
}

static void step(struct doc_walk *w)
{
    char c = w->text.ptr[w->done];
    size_t n = utf8_len(c);
    if (!is_blank(c)) {
        skip(w);
    }
    char r = w->at < w->raw.len ? w->raw.ptr[w->at] : '\0';
    if (w->style == DOC_DOUBLE_QUOTED && r == '\\' && !is_joined_line(w->raw, w->at)) {
        w->at += escape_len(w->raw, w->at);
    } else if (w->style == DOC_QUOTED && r == '\'') {
        w->at += 2;
    } else if (!is_blank(c)) {
        w->at += n;
    } else if (r == c || (r == '\r' && c == '\n')) {
        w->at++;
    }
    w->at = MIN(w->at, w->raw.len);
    w->done = MIN(w->done + n, w->text.len);
}

static size_t begin_of(const struct doc_walk *w)
{
    if (w->style == DOC_QUOTED || w->style == DOC_DOUBLE_QUOTED) {
        return MIN((size_t)1, w->raw.len);
    }
    if (w->style == DOC_BLOCK) { /* behind the line of the indicator */
        size_t line = slice_find(w->raw, '\n');
        return MIN(line + 1, w->raw.len);
    }
    return 0;
}

static void begin(struct doc_walk *w)
{
    w->at = begin_of(w);
    w->done = 0;
}

void doc_walk(struct doc_walk *w, const struct doc_tree *t, const struct doc_node *scalar)
{
    assert(scalar->span.off <= t->text.len);
    *w = (struct doc_walk){
        .tree = t,
        .raw = slice_sub(t->text, scalar->span.off, scalar->span.off + scalar->span.len),
        .text = scalar->text,
        .from = scalar->span.off,
        .style = scalar->style};
    begin(w);
}

struct span doc_walk_to(struct doc_walk *w, size_t off, size_t len)
{
    if (off < w->done) {
        begin(w);
    }
    while (w->done < off && w->done < w->text.len) {
        step(w);
    }
    if (w->done < w->text.len && !is_blank(w->text.ptr[w->done])) {
        skip(w);
    }
    size_t from = w->at;
    while (w->done < off + len && w->done < w->text.len) {
        step(w);
    }
    struct span s = doc_span(w->tree, w->from + from, 0);
    size_t end = slice_find(slice_sub(w->raw, from, w->at), '\n');
    s.len = (uint32_t)MIN(end, w->at - from);
    return s;
}

struct span doc_place(const struct doc_tree *t, const struct doc_node *scalar, size_t off,
                      size_t len)
{
    struct doc_walk w;
    doc_walk(&w, t, scalar);
    return doc_walk_to(&w, off, len);
}
