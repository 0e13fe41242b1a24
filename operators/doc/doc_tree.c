/* SPDX-License-Identifier: Apache-2.0
 *
 * See doc_tree.h. YAML comes as events of libyaml; JSON is tried first where the text begins with a
 * brace, because some of it is no YAML (surrogate pairs in strings). libyaml counts characters,
 * we count bytes: places are found by line, then by walking.
 */
#include "operators/doc/doc_impl.h"

#include <assert.h>
#include <stdlib.h>
#include <yaml.h>

struct anchor {
    struct slice name;
    const struct doc_node *node;
};

struct reader {
    struct arena *a;
    struct doc_tree *t;
    struct doc_notes *notes;
    yaml_parser_t parser;
    size_t base; /* a byte order mark was skipped */
    VEC(struct anchor) anchors;
    bool failed;
};

/* ---- places ---- */

/* The bytes of the line break at s[at], 0 if there is none: those that YAML has. */
static size_t line_break(struct slice s, size_t at)
{
    const unsigned char *p = (const unsigned char *)s.ptr + at;
    size_t left = s.len - at;
    if (p[0] == '\n') {
        return 1;
    }
    if (p[0] == '\r') {
        return left > 1 && p[1] == '\n' ? 2 : 1;
    }
    if (p[0] == 0xc2 && left > 1 && p[1] == 0x85) {
        return 2;
    }
    return p[0] == 0xe2 && left > 2 && p[1] == 0x80 && (p[2] == 0xa8 || p[2] == 0xa9) ? 3 : 0;
}

static bool find_lines(struct arena *a, struct doc_tree *t)
{
    uint32_t n = 1;
    for (size_t i = 0, len; i<t->text.len; i += len> 0 ? len : 1) {
        len = line_break(t->text, i);
        n += len > 0;
    }
    uint32_t *lines = arena_array(a, n, sizeof *lines);
    if (lines == NULL) {
        return false;
    }
    uint32_t k = 1;
    for (size_t i = 0, len; i<t->text.len; i += len> 0 ? len : 1) {
        len = line_break(t->text, i);
        if (len > 0) {
            lines[k++] = (uint32_t)(i + len);
        }
    }
    t->lines = lines;
    t->n_lines = n;
    return true;
}

struct span doc_span(const struct doc_tree *t, size_t off, size_t len)
{
    uint32_t low = 0, high = t->n_lines;
    off = MIN(off, t->text.len);
    while (high - low > 1) {
        uint32_t mid = low + (high - low) / 2;
        if (t->lines[mid] <= off) {
            low = mid;
        } else {
            high = mid;
        }
    }
    return (struct span){.off = (uint32_t)off,
                         .len = (uint32_t)MIN(len, t->text.len - off),
                         .line = low + 1,
                         .col = (uint32_t)(off - t->lines[low]) + 1};
}

/* The byte that a mark of libyaml stands for. */
static size_t byte_of(const struct reader *r, const yaml_mark_t *m)
{
    const struct doc_tree *t = r->t;
    if (m->line >= t->n_lines) {
        return t->text.len;
    }
    size_t at = t->lines[m->line] + (m->line == 0 ? r->base : 0);
    for (size_t i = 0; i < m->column && at < t->text.len; i++) {
        at++;
        while (at < t->text.len && ((unsigned char)t->text.ptr[at] & 0xc0) == 0x80) {
            at++;
        }
    }
    return at;
}

static struct span span_of(const struct reader *r, const yaml_mark_t *from, const yaml_mark_t *to)
{
    size_t a = byte_of(r, from), b = byte_of(r, to);
    return doc_span(r->t, a, b > a ? b - a : 0);
}

/* ---- nodes ---- */

static void refuse(struct reader *r, enum doc_code code, struct span at, const char *message,
                   const char *hint)
{
    if (!r->failed) {
        struct doc_note *n = doc_note(r->notes, code, at, "%s", message);
        if (hint != NULL) {
            doc_hint(r->notes, n, "%s", hint);
        }
    }
    r->failed = true;
}

struct doc_node *doc_node_new(struct arena *a, enum doc_kind kind, struct span span)
{
    struct doc_node *n = ARENA_NEW(a, struct doc_node);
    if (n != NULL) {
        n->kind = (uint8_t)kind;
        n->span = span;
        n->weight = 1;
    }
    return n;
}

/* Behind `last`, or first in the list or map. False: too many nodes. */
bool doc_node_add(struct doc_node *to, struct doc_node *last, struct doc_node *item)
{
    if (last == NULL) {
        to->first = item;
    } else {
        last->next = item;
    }
    to->n++;
    to->weight += item->weight + (item->key != NULL);
    return to->weight <= DOC_NODES_MAX;
}

static bool is_word(struct slice s, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (slice_eq(s, slice_str(*words))) {
            return true;
        }
    }
    return false;
}

static bool whole_number(struct slice s, int64_t *ret)
{
    bool minus = s.len > 0 && s.ptr[0] == '-';
    struct slice digits = s.len > 0 && (minus || s.ptr[0] == '+') ? slice_sub(s, 1, s.len) : s;
    if (digits.len == 0 || digits.ptr[0] < '0' || digits.ptr[0] > '9') {
        return false;
    }
    if (minus) {
        return slice_to_i64(s, ret);
    }
    return slice_to_i64(digits, ret);
}

static bool is_real(struct slice s, double *ret)
{
    bool digit = false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        digit |= c >= '0' && c <= '9';
        if (!((c >= '0' && c <= '9') || c == '.' || c == '-' || c == '+' || c == 'e' || c == 'E')) {
            return false;
        }
    }
    return digit && slice_to_f64(s, ret);
}

/* What a plain scalar is, by the core schema. */
static void resolve(struct doc_node *n)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const yes[] = {"true", "True", "TRUE", NULL};
    static const char *const no[] = {"false", "False", "FALSE", NULL};
    if (is_word(n->text, nulls)) {
        n->kind = DOC_NULL;
    } else if (is_word(n->text, yes) || is_word(n->text, no)) {
        n->kind = DOC_BOOL;
        n->b = is_word(n->text, yes);
    } else if (whole_number(n->text, &n->i)) {
        n->kind = DOC_INT;
        n->d = (double)n->i;
    } else if (is_real(n->text, &n->d)) {
        n->kind = DOC_NUMBER;
    }
}

static struct doc_node *scalar(struct reader *r, const yaml_event_t *ev)
{
    struct doc_node *n = doc_node_new(r->a, DOC_TEXT, span_of(r, &ev->start_mark, &ev->end_mark));
    struct slice text = slice_of(ev->data.scalar.value, ev->data.scalar.length);
    if (n == NULL) {
        return NULL;
    }
    n->text = arena_copy(r->a, text);
    if (n->text.ptr == NULL && text.len > 0) {
        return NULL;
    }
    switch (ev->data.scalar.style) {
    case YAML_SINGLE_QUOTED_SCALAR_STYLE: n->style = DOC_QUOTED; break;
    case YAML_DOUBLE_QUOTED_SCALAR_STYLE: n->style = DOC_DOUBLE_QUOTED; break;
    case YAML_LITERAL_SCALAR_STYLE:
    case YAML_FOLDED_SCALAR_STYLE: n->style = DOC_BLOCK; break;
    default: n->style = DOC_PLAIN; resolve(n);
    }
    return n;
}

const struct doc_node *doc_get(const struct doc_node *map, const char *name)
{
    struct slice want = slice_str(name);
    for (const struct doc_node *n = map != NULL ? map->first : NULL; n != NULL; n = n->next) {
        if (n->key != NULL && slice_eq(n->key->text, want)) {
            return n;
        }
    }
    return NULL;
}

const char *doc_kind_name(enum doc_kind k)
{
    static const char *const names[] = {"nothing", "true or false", "a whole number", "a number",
                                        "a text",  "a list",        "fields"};
    return names[k];
}

/* ---- YAML ---- */

static bool next(struct reader *r, yaml_event_t *ev)
{
    if (r->failed) {
        return false;
    }
    if (yaml_parser_parse(&r->parser, ev)) {
        return true;
    }
    const char *problem = r->parser.problem != NULL ? r->parser.problem : "this is not YAML";
    struct span at = r->parser.error == YAML_READER_ERROR
                         ? doc_span(r->t, r->parser.problem_offset + r->base, 1)
                         : span_of(r, &r->parser.problem_mark, &r->parser.problem_mark);
    refuse(r, DOC_SYNTAX, at, problem,
           r->parser.context != NULL && strstr(problem, "tab") != NULL ? "indent with spaces"
                                                                       : r->parser.context);
    return false;
}

static struct doc_node *value(struct reader *r, yaml_event_t *ev, unsigned depth);

static struct doc_node *alias(struct reader *r, const yaml_event_t *ev)
{
    struct slice name = slice_str((const char *)ev->data.alias.anchor);
    struct span at = span_of(r, &ev->start_mark, &ev->end_mark);
    VEC_EACH (&r->anchors, k) {
        if (slice_eq(k->name, name)) {
            struct doc_node *n = doc_node_new(r->a, (enum doc_kind)k->node->kind, at);
            if (n != NULL) {
                *n = *k->node;
                n->next = NULL;
                n->key = NULL;
            }
            return n;
        }
    }
    refuse(r, DOC_SYNTAX, at, "the alias names an anchor that is not complete here", NULL);
    return NULL;
}

/* Of equal names the last is what aliases mean. */
static bool remember(struct reader *r, const yaml_char_t *anchor, const struct doc_node *n)
{
    if (anchor == NULL) {
        return true;
    }
    struct slice name = arena_copy(r->a, slice_str((const char *)anchor));
    VEC_EACH (&r->anchors, k) {
        if (slice_eq(k->name, name)) {
            k->node = n;
            return true;
        }
    }
    if (r->anchors.len == 1000) {
        refuse(r, DOC_LIMIT, n->span, "more than 1000 anchors", NULL);
        return false;
    }
    *VEC_PUSH(&r->anchors) = (struct anchor){name, n};
    return true;
}

static bool grow(struct reader *r, struct doc_node *to, struct doc_node *last,
                 struct doc_node *item)
{
    if (!doc_node_add(to, last, item)) {
        refuse(r, DOC_LIMIT, item->span, "the document has too many nodes, counting each alias",
               NULL);
        return false;
    }
    return true;
}

static bool list(struct reader *r, struct doc_node *to, unsigned depth)
{
    struct doc_node *last = NULL;
    yaml_event_t ev;
    while (next(r, &ev)) {
        bool end = ev.type == YAML_SEQUENCE_END_EVENT;
        if (end) {
            to->span = doc_span(r->t, to->span.off, byte_of(r, &ev.end_mark) - to->span.off);
        }
        struct doc_node *item = end ? NULL : value(r, &ev, depth + 1);
        yaml_event_delete(&ev);
        if (end || item == NULL || !grow(r, to, last, item)) {
            return end;
        }
        last = item;
    }
    return false;
}

static struct doc_node *key_node(struct reader *r, const yaml_event_t *ev)
{
    struct span at = span_of(r, &ev->start_mark, &ev->end_mark);
    if (ev->type != YAML_SCALAR_EVENT || ev->data.scalar.anchor != NULL) {
        refuse(r, DOC_SYNTAX, at, "a key must be a plain text", NULL);
        return NULL;
    }
    struct doc_node *k = scalar(r, ev);
    if (k != NULL && k->style == DOC_PLAIN && slice_eq(k->text, SLICE("<<"))) {
        refuse(r, DOC_SYNTAX, at, "merge keys are not supported", "write the values out");
        return NULL;
    }
    if (k != NULL) {
        k->kind = DOC_TEXT;
    }
    return k;
}

static bool map(struct reader *r, struct doc_node *to, unsigned depth)
{
    struct doc_node *last = NULL;
    yaml_event_t ev;
    while (next(r, &ev)) {
        bool end = ev.type == YAML_MAPPING_END_EVENT;
        struct doc_node *key = end ? NULL : key_node(r, &ev), *item = NULL;
        yaml_event_delete(&ev);
        if (key != NULL && next(r, &ev)) {
            item = value(r, &ev, depth + 1);
            yaml_event_delete(&ev);
        }
        if (item == NULL) {
            return end;
        }
        item->key = key;
        if (!grow(r, to, last, item)) {
            return false;
        }
        last = item;
    }
    return false;
}

static struct doc_node *value(struct reader *r, yaml_event_t *ev, unsigned depth)
{
    struct span at = span_of(r, &ev->start_mark, &ev->end_mark);
    bool is_map = ev->type == YAML_MAPPING_START_EVENT;
    bool is_list = ev->type == YAML_SEQUENCE_START_EVENT;
    const yaml_char_t *anchor = NULL, *tag = NULL;
    struct doc_node *n = NULL;
    if (depth > DOC_DEPTH_MAX) {
        refuse(r, DOC_LIMIT, at, "the document is nested too deeply", NULL);
        return NULL;
    }
    if (ev->type == YAML_ALIAS_EVENT) {
        return alias(r, ev);
    }
    if (ev->type == YAML_SCALAR_EVENT) {
        anchor = ev->data.scalar.anchor;
        tag = ev->data.scalar.tag;
        n = scalar(r, ev);
    } else {
        anchor = is_map ? ev->data.mapping_start.anchor : ev->data.sequence_start.anchor;
        tag = is_map ? ev->data.mapping_start.tag : ev->data.sequence_start.tag;
        n = doc_node_new(r->a, is_map ? DOC_MAP : DOC_LIST, at);
    }
    if (tag != NULL) {
        refuse(r, DOC_SYNTAX, at, "tags are not supported",
               "quote a text that looks like a number");
        return NULL;
    }
    bool ok = n != NULL && (!is_map || map(r, n, depth)) && (!is_list || list(r, n, depth));
    if (n == NULL) {
        refuse(r, DOC_LIMIT, at, "the document takes too much memory", NULL);
    }
    return ok && remember(r, anchor, n) ? n : NULL;
}

static const struct doc_node *yaml(struct reader *r)
{
    const struct doc_node *root = NULL;
    yaml_event_t ev;
    int documents = 0;
    while (next(r, &ev)) {
        yaml_event_type_t type = ev.type;
        documents += type == YAML_DOCUMENT_START_EVENT;
        if (type == YAML_DOCUMENT_START_EVENT && documents > 1) {
            refuse(r, DOC_SYNTAX, span_of(r, &ev.start_mark, &ev.end_mark),
                   "another document begins here", "one file holds one graph");
        } else if (type == YAML_MAPPING_START_EVENT || type == YAML_SEQUENCE_START_EVENT ||
                   type == YAML_SCALAR_EVENT || type == YAML_ALIAS_EVENT) {
            root = value(r, &ev, 1);
        }
        yaml_event_delete(&ev);
        if (type == YAML_STREAM_END_EVENT) {
            break;
        }
    }
    return r->failed ? NULL : root;
}

/* ---- both ---- */

/* Equal keys by sorting, so that many keys cost little. */
static int by_key(const void *a, const void *b)
{
    const struct doc_node *x = *(const struct doc_node *const *)a;
    const struct doc_node *y = *(const struct doc_node *const *)b;
    int c = slice_cmp(x->key->text, y->key->text);
    return c != 0 ? c
                  : (x->key->span.off > y->key->span.off) - (x->key->span.off < y->key->span.off);
}

static void duplicates(struct reader *r, const struct doc_node *n)
{
    const struct doc_node **sorted =
        n->kind == DOC_MAP && n->n > 1 ? arena_array(r->a, n->n, sizeof(void *)) : NULL;
    uint32_t count = 0;
    for (const struct doc_node *k = n->first; k != NULL; k = k->next) {
        duplicates(r, k);
        if (sorted != NULL) {
            sorted[count++] = k;
        }
    }
    if (sorted == NULL) {
        return;
    }
    qsort(sorted, count, sizeof *sorted, by_key);
    for (uint32_t i = 1; i < count; i++) {
        const struct doc_node *key = sorted[i]->key, *before = sorted[i - 1]->key;
        if (slice_eq(key->text, before->text) && key->span.off != before->span.off) {
            struct doc_note *note =
                doc_note(r->notes, DOC_DUPLICATE, key->span,
                         "'" SLICE_FMT "' stands here a second time", SLICE_ARG(key->text));
            doc_hint(r->notes, note, "the first is in line %u", before->span.line);
        }
    }
}

struct doc_tree *doc_tree_read(struct arena *a, struct slice text, struct doc_notes *notes)
{
    struct reader r = {.a = a, .notes = notes, .t = ARENA_NEW(a, struct doc_tree)};
    assert(r.t != NULL);
    r.t->text = text;
    if (text.len > DOC_TEXT_MAX || !find_lines(a, r.t)) {
        (void)doc_note(notes, DOC_LIMIT, (struct span){.line = 1, .col = 1},
                       "the document has %zu bytes: at most %d are accepted", text.len,
                       DOC_TEXT_MAX);
        return NULL;
    }
    r.base = slice_starts(text, SLICE("\xef\xbb\xbf")) ? 3 : 0;
    struct slice body = slice_sub(text, r.base, text.len);
    r.t->root = slice_starts(slice_trim(body), SLICE("{")) ? doc_json_read(a, r.t) : NULL;
    if (r.t->root == NULL) {
        if (!yaml_parser_initialize(&r.parser)) {
            return NULL;
        }
        yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
        const char *at = body.ptr != NULL ? body.ptr : ""; /* an empty file has no bytes at all */
        yaml_parser_set_input_string(&r.parser, (const unsigned char *)at, body.len);
        r.t->root = yaml(&r);
        yaml_parser_delete(&r.parser);
    }
    VEC_DONE(&r.anchors);
    if (r.t->root == NULL) {
        refuse(&r, DOC_SYNTAX, doc_span(r.t, 0, 0), "the document is empty", NULL);
        return NULL;
    }
    duplicates(&r, r.t->root);
    return r.t;
}
