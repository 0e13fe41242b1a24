/* SPDX-License-Identifier: Apache-2.0
 *
 * @Alert(severity='page', key='service', summary='{service}: {n} errors'): its words are rows of
 * doc_alert.def; columns are held against what the statement delivers.
 */
#include "operators/doc/doc_check.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

enum word_type { WORD_SEVERITY, WORD_TEMPLATE, WORD_COLUMNS, WORD_DURATION };

static const struct {
    const char *name;
    enum word_type type;
    bool required;
    size_t offset;
} words[] = {
#define DOC_WORD(name, type, required, doc)                                                        \
    {#name, WORD_##type, required, offsetof(struct doc_alert, name)},
#include "operators/doc/doc_alert.def"
};

struct alert {
    struct doc_check *c;
    struct doc_stmt *s;
    struct doc_alert *a;
};

/* ---- columns ---- */

bool doc_has_property(const struct etype *t, struct slice name)
{
    struct slice first, rest = name;
    while (t != NULL && slice_split(&rest, '.', &first)) {
        int at = ety_col(t, first);
        if (at < 0) {
            return false;
        }
        struct ty ty = t->cols[at].ty;
        if (rest.ptr == NULL || ty.kind == TY_MAP || ty.kind == TY_OBJECT) {
            return true; /* what a map has is not known */
        }
        t = ty.kind == TY_EVENT ? ty.ev : NULL;
    }
    return false;
}

struct slice doc_near_column(const struct etype *t, struct slice name)
{
    struct slice near = SLICE_NONE;
    unsigned least = 8;
    for (uint32_t i = 0; i < t->n_cols; i++) {
        struct slice col = t->cols[i].name;
        bool begins = col.len > 0 && name.len > 0 && col.ptr[0] == name.ptr[0];
        unsigned d = 2 * slice_distance(col, name, 3) + !begins;
        if (d < least && col.len > 0) {
            least = d;
            near = col;
        }
    }
    return near;
}

static PRINTF_LIKE(5, 6) void say(struct alert *a, enum doc_code code, struct span at,
                                  const char *hint, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    struct doc_note *n =
        doc_say_at(a->c, code, a->s->off + at.off, at.len > 0 ? at.len : 1, slice_str(text));
    if (hint != NULL) {
        doc_hint(a->c->notes, n, "%s", hint);
    }
}

/* NULL if nothing is near. */
static const char *meant(struct alert *a, struct slice near)
{
    return near.len > 0 ? arena_printf(a->c->a, "did you mean '" SLICE_FMT "'?", SLICE_ARG(near))
                        : NULL;
}

/* Of the literal at `at` the part that reads `what`. */
static struct span within(const struct alert *a, struct span at, struct slice what, size_t lead)
{
    struct slice lit = slice_sub(a->s->text, at.off, at.off + at.len);
    size_t from = slice_find_slice(lit, what);
    if (from + what.len <= lit.len) {
        at.off += (uint32_t)(from + lead);
        at.len = (uint32_t)(what.len - 2 * lead);
    }
    return at;
}

static void column(struct alert *a, struct slice name, struct span at, enum doc_code code)
{
    if (a->s->rows == NULL || doc_has_property(a->s->rows, name)) {
        return;
    }
    say(a, code, at, meant(a, doc_near_column(a->s->rows, name)),
        "the statement has no column '" SLICE_FMT "'", SLICE_ARG(name));
}

/* {name}; {{ and }} stand for the braces. */
static void template(struct alert *a, struct slice text, struct span at)
{
    for (size_t i = 0; i < text.len; i++) {
        char ch = text.ptr[i];
        bool twice = i + 1 < text.len && text.ptr[i + 1] == ch;
        if ((ch == '{' || ch == '}') && twice) {
            i++;
            continue;
        }
        if (ch == '}') {
            say(a, DOC_TEMPLATE, at, "write '}}' for a brace", "a '}' that closes nothing");
        }
        if (ch != '{') {
            continue;
        }
        struct slice rest = slice_sub(text, i + 1, text.len);
        size_t end = slice_find(rest, '}');
        if (end == rest.len) {
            say(a, DOC_TEMPLATE, at, "write '{{' for a brace", "a '{' that nothing closes");
            return;
        }
        struct slice braced = slice_sub(text, i, i + end + 2);
        column(a, slice_trim(slice_sub(rest, 0, end)), within(a, at, braced, 1), DOC_TEMPLATE);
        i += end + 1;
    }
}

static void key(struct alert *a, struct slice text, struct span at)
{
    struct slice rest = text, part;
    uint32_t n = 1;
    for (size_t i = 0; i < text.len; i++) {
        n += text.ptr[i] == ',';
    }
    struct slice *names = arena_array(a->c->a, n, sizeof *names);
    a->a->key = names;
    while (names != NULL && slice_split(&rest, ',', &part)) {
        part = slice_trim(part);
        struct span place = within(a, at, part, 0);
        if (part.len == 0) {
            say(a, DOC_ALERT, at, "key='service, namespace'",
                "a key is names of columns with commas between them");
            continue;
        }
        names[a->a->n_key++] = part;
        column(a, part, place, DOC_ALERT);
        static const char *const many[] = {"pod",    "trace_id",  "span_id",      "id",
                                           "spanId", "timestamp", "timestamp_ns", "traceId"};
        for (size_t i = 0; i < ARRAY_LEN(many); i++) {
            if (slice_eq(part, slice_str(many[i]))) {
                say(a, DOC_CARDINALITY, place, "service, or namespace and container, stay the same",
                    "key '" SLICE_FMT "' %s", SLICE_ARG(part),
                    i == 0 ? "changes at every rollout: the alert loses itself"
                           : "is another for each event: nothing is ever grouped");
            }
        }
    }
}

/* ---- words ---- */

static void value(struct alert *a, size_t word, const struct ast_expr *e)
{
    void *to = (char *)a->a + words[word].offset;
    struct slice near;
    switch (words[word].type) {
    case WORD_SEVERITY:
        *(struct slice *)to = e->text;
        if (!doc_is_severity(e->text, &near)) {
            say(a, DOC_ALERT, e->span,
                near.len > 0 ? meant(a, near) : "critical, page, ticket, warning, info",
                "there is no severity '" SLICE_FMT "'", SLICE_ARG(e->text));
        }
        break;
    case WORD_TEMPLATE:
        *(struct slice *)to = e->text;
        template(a, e->text, e->span);
        break;
    case WORD_COLUMNS: key(a, e->text, e->span); break;
    case WORD_DURATION:
        if (!doc_duration(e->text, to)) {
            say(a, DOC_ALERT, e->span, "'500ms', '5s', '1h30m', '7d'", "'" SLICE_FMT "' is no time",
                SLICE_ARG(e->text));
        }
        break;
    }
}

static void named(struct alert *a, const struct ast_named *v)
{
    struct slice near = SLICE_NONE;
    unsigned least = 4;
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        struct slice word = slice_str(words[i].name);
        if (slice_eq(word, v->name)) {
            if (v->e == NULL || v->e->kind != AST_STRING) {
                say(a, DOC_ALERT, v->span, "put it in quotes", "'" SLICE_FMT "' wants a text",
                    SLICE_ARG(v->name));
            } else {
                value(a, i, v->e);
            }
            return;
        }
        unsigned d = slice_distance(word, v->name, least);
        if (d < least) {
            least = d;
            near = word;
        }
    }
    if (v->name.len > 0) {
        say(a, DOC_ALERT, v->span, meant(a, near), "@Alert has no '" SLICE_FMT "'",
            SLICE_ARG(v->name));
    } else {
        say(a, DOC_ALERT, v->span, "@Alert(severity='page', ...)",
            "a value of @Alert needs a name");
    }
}

static bool is_shared(const struct doc_check *c, const struct doc_stmt *s)
{
    for (uint32_t i = 0; i < c->d->g.n_levels; i++) {
        const struct doc_level *l = &c->d->g.levels[i];
        for (uint32_t k = 0; k < l->n_stmts; k++) {
            if (&l->stmts[k] != s && slice_eq(l->stmts[k].name, s->name)) {
                return true;
            }
        }
    }
    return false;
}

void doc_alert_read(struct doc_check *c, struct doc_stmt *s)
{
    const struct ast_annot *n = doc_annotation(s, "alert");
    struct alert a = {.c = c, .s = s, .a = ARENA_NEW(c->a, struct doc_alert)};
    assert(a.a != NULL);
    if (n == NULL) {
        return;
    }
    if (s->rows == NULL && !s->refused) {
        say(&a, DOC_ALERT, n->span, "put it on a select",
            "no rows come out of this statement: nothing would alert");
    }
    for (uint32_t i = 0; i < n->n_values; i++) {
        named(&a, &n->values[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        bool there = !words[i].required;
        for (uint32_t k = 0; k < n->n_values; k++) {
            there |= slice_eq(n->values[k].name, slice_str(words[i].name));
        }
        if (!there) {
            say(&a, DOC_ALERT, n->span, "@Alert(severity='page', ...)", "@Alert needs '%s'",
                words[i].name);
        }
    }
    if (s->name.len == 0) {
        say(&a, DOC_ALERT, n->span, "@name('...'): the name is part of the alert's identity",
            "an alert of a statement without a name");
    } else if (is_shared(c, s)) {
        say(&a, DOC_ALERT, n->span, "the name is part of the alert's identity",
            "another statement of the graph is called '" SLICE_FMT "', too", SLICE_ARG(s->name));
    }
    a.a->runbook = a.a->runbook.len > 0 ? a.a->runbook : c->d->g.runbook;
    s->alert = a.a;
}
