/* SPDX-License-Identifier: Apache-2.0
 *
 * The text of a level as statements, each read alone, so that one that is wrong does not hide the
 * others; and what can be said of a statement by looking at it: its name, what it makes and reads.
 */
#include "operators/doc/doc_check.h"

#include "core/base/hash.h"
#include "core/base/mem.h"
#include "operators/epl/epl.h"
#include "operators/epl/lex.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

size_t doc_offset(struct slice text, uint32_t line, uint32_t col)
{
    size_t at = 0;
    for (uint32_t i = 1; i < line && at < text.len; i++) {
        at += slice_find(slice_sub(text, at, text.len), '\n') + 1;
    }
    at += col > 0 ? col - 1 : 0;
    return MIN(at, text.len);
}

/* What a message says of a second place is of the statement: it is made of the document. */
static struct slice with_place(struct doc_check *c, const struct doc_stmt *s, const char *message)
{
    static const char mark[] = " opened at ";
    const char *at = strstr(message, mark);
    unsigned line, col;
    int n = 0;
    if (at == NULL || sscanf(at + sizeof mark - 1, "%u:%u%n", &line, &col, &n) != 2) {
        return slice_str(message);
    }
    struct span span = doc_place(c->d->tree, c->epl, s->off + doc_offset(s->text, line, col), 1);
    return slice_str(arena_printf(c->a, "%.*s%s%u:%u%s", (int)(at - message), message, mark,
                                  span.line, span.col, at + sizeof mark - 1 + n));
}

struct doc_note *doc_say(struct doc_check *c, const struct doc_stmt *s, enum doc_code code,
                         const struct err *e)
{
    size_t off = s->off + (e->line > 0 ? doc_offset(s->text, e->line, e->col) : 0);
    size_t len = e->line > 0 ? MAX(e->len, 1u) : MIN(s->text.len, 1u);
    return doc_say_at(c, code, off, len, with_place(c, s, e->msg));
}

/* The message without what it proposes, which is the hint. */
static struct slice proposal(struct slice *message)
{
    static const struct slice marks[] = {{"; did you mean ", 15}, {"; as a name it is ", 18}};
    for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
        size_t at = slice_find_slice(*message, marks[i]);
        if (at < message->len) {
            struct slice hint = slice_sub(*message, at + 2, message->len);
            *message = slice_sub(*message, 0, at);
            return hint;
        }
    }
    return SLICE_NONE;
}

struct doc_note *doc_say_span(struct doc_check *c, enum doc_code code, struct span at,
                              struct slice message)
{
    struct slice hint = proposal(&message);
    struct doc_note *n = doc_note(c->notes, code, at, SLICE_FMT, SLICE_ARG(message));
    n->pointer = c->pointer;
    if (hint.len > 0) {
        doc_hint(c->notes, n, SLICE_FMT, SLICE_ARG(hint));
    }
    return n;
}

struct doc_note *doc_say_at(struct doc_check *c, enum doc_code code, size_t off, size_t len,
                            struct slice message)
{
    /* Beyond so many notes nobody sees the place, and finding it is a walk over the text. */
    bool seen = c->notes->list.len <= DOC_NOTES_MAX || doc_code_severity(code) == DOC_ERROR;
    bool many = c->notes->errors > 2 * DOC_NOTES_MAX;
    struct span at = seen && !many ? doc_place(c->d->tree, c->epl, off, len) : c->epl->span;
    return doc_say_span(c, code, at, message);
}

static const struct ast_annot *annotation(const struct ast_stmt *s, const char *name)
{
    for (uint32_t i = 0; i < s->n_annots; i++) {
        if (slice_eq_nocase(s->annots[i].name, slice_str(name))) {
            return &s->annots[i];
        }
    }
    return NULL;
}

const struct ast_annot *doc_annotation(const struct doc_stmt *s, const char *name)
{
    return s->ast != NULL ? annotation(s->ast, name) : NULL;
}

/* @name, else what it creates, else its number. */
struct slice doc_stmt_label(struct doc_check *c, const struct doc_stmt *s, uint32_t number)
{
    char *text;
    if (s->name.len > 0) {
        text = arena_printf(c->a, "'" SLICE_FMT "'", SLICE_ARG(s->name));
    } else if (s->ast != NULL && s->ast->name.len > 0) {
        text = arena_printf(c->a, "%u (" SLICE_FMT ")", number, SLICE_ARG(s->ast->name));
    } else {
        text = arena_printf(c->a, "%u", number);
    }
    return slice_str(text);
}

/* ---- names ---- */

enum { NAMES_MANY = 32 }; /* from then on by hash; a power of two */

static uint32_t *slot_of(const struct doc_names *n, struct slice name)
{
    size_t at = hash_fast(name) & (n->n_slots - 1);
    while (n->slots[at] != 0 && !slice_eq(n->ptr[n->slots[at] - 1], name)) {
        at = (at + 1) & (n->n_slots - 1);
    }
    return &n->slots[at];
}

static void index_names(struct doc_names *n)
{
    mem_free(n->slots);
    n->n_slots = n->n_slots > 0 ? 2 * n->n_slots : (size_t)4 * NAMES_MANY;
    n->slots = mem_calloc(n->n_slots, sizeof *n->slots);
    for (size_t i = 0; i < n->len; i++) {
        *slot_of(n, n->ptr[i]) = (uint32_t)i + 1;
    }
}

void doc_names_add(struct doc_names *n, struct slice name)
{
    if (name.len == 0 || doc_names_has(n, name)) {
        return;
    }
    *VEC_PUSH(n) = name;
    if (n->len == NAMES_MANY || (n->len > NAMES_MANY && 2 * n->len > n->n_slots)) {
        index_names(n);
    } else if (n->len > NAMES_MANY) {
        *slot_of(n, name) = (uint32_t)n->len;
    }
}

bool doc_names_has(const struct doc_names *n, struct slice name)
{
    if (n->n_slots > 0) {
        return *slot_of(n, name) != 0;
    }
    VEC_EACH (n, x) {
        if (slice_eq(*x, name)) {
            return true;
        }
    }
    return false;
}

void doc_names_done(struct doc_names *n)
{
    mem_free(n->slots);
    VEC_DONE(n);
    *n = (struct doc_names){.ptr = NULL};
}

/* Streams that a statement inserts into. */
void doc_inserts(const struct ast_stmt *s, struct doc_names *to)
{
    if (s->select != NULL && s->select->insert != NULL) {
        doc_names_add(to, s->select->insert->into);
    }
    for (uint32_t i = 0; i < s->n_branches; i++) {
        doc_names_add(to, s->branches[i].insert.into);
    }
    for (uint32_t i = 0; i < s->n_matched; i++) {
        for (uint32_t k = 0; k < s->matched[i].n_actions; k++) {
            doc_names_add(to, s->matched[i].actions[k].into);
        }
    }
}

/* What is gone when the statement is refused: by the tree, or by its words. */
void doc_makes(struct doc_check *c, const struct doc_stmt *s, struct doc_names *to)
{
    static const char *const before[] = {"schema",  "window",     "table", "variable",
                                         "context", "expression", "into"};
    struct lex_out lex = {.toks = {.ptr = NULL}};
    struct err err;
    if (s->ast != NULL) {
        if (s->ast->kind >= STMT_CREATE_SCHEMA && s->ast->kind <= STMT_CREATE_EXPRESSION) {
            doc_names_add(to, s->ast->kind == STMT_CREATE_EXPRESSION ? s->ast->decl.name
                                                                     : s->ast->name);
            if (s->ast->ctx != NULL) {
                doc_names_add(to, s->ast->ctx->name);
            }
        }
        doc_inserts(s->ast, to);
        return;
    }
    int rc = lex_text(c->a, s->text, &lex, &err);
    for (size_t i = 0; rc == 0 && i + 2 < lex.toks.len; i++) {
        bool mark = false;
        for (size_t k = 0; k < ARRAY_LEN(before); k++) {
            mark |= slice_eq_nocase(lex.toks.ptr[i].text, slice_str(before[k]));
        }
        for (size_t k = i + 1; mark && k <= i + 2; k++) {
            if (lex.toks.ptr[k].kind == TOK_WORD) {
                doc_names_add(to, lex.toks.ptr[k].text);
            }
        }
    }
    VEC_DONE(&lex.toks);
}

/* Does a word of the statement stand for one of these names? */
bool doc_mentions(struct doc_check *c, const struct doc_stmt *s, const struct doc_names *names)
{
    struct lex_out lex = {.toks = {.ptr = NULL}};
    struct err err;
    bool found = false;
    if (names->len == 0) {
        return false;
    }
    int rc = lex_text(c->a, s->text, &lex, &err);
    for (size_t i = 0; rc == 0 && !found && i < lex.toks.len; i++) {
        found = lex.toks.ptr[i].kind == TOK_WORD && doc_names_has(names, lex.toks.ptr[i].text);
    }
    VEC_DONE(&lex.toks);
    return found;
}

bool doc_stmt_reads(const struct doc *d, const struct doc_stmt *s, struct slice name)
{
    struct lex_out lex = {.toks = {.ptr = NULL}};
    struct err err;
    bool found = false;
    if (slice_find_slice(s->text, name) == s->text.len) {
        return false;
    }
    int rc = lex_text(d->arena, s->text, &lex, &err);
    for (size_t i = 0; rc == 0 && !found && i < lex.toks.len; i++) {
        bool into = i > 0 && slice_eq_nocase(lex.toks.ptr[i - 1].text, SLICE("into"));
        found = lex.toks.ptr[i].kind == TOK_WORD && !into && slice_eq(lex.toks.ptr[i].text, name);
    }
    VEC_DONE(&lex.toks);
    return found;
}

void doc_stmt_words(const struct doc *d, const struct doc_stmt *s,
                    void (*fn)(void *arg, struct slice word), void *arg)
{
    struct lex_out lex = {.toks = {.ptr = NULL}};
    struct err err;
    int rc = lex_text(d->arena, s->text, &lex, &err);
    for (size_t i = 0; rc == 0 && i < lex.toks.len; i++) {
        bool into = i > 0 && slice_eq_nocase(lex.toks.ptr[i - 1].text, SLICE("into"));
        if (lex.toks.ptr[i].kind == TOK_WORD && !into) {
            fn(arg, lex.toks.ptr[i].text);
        }
    }
    VEC_DONE(&lex.toks);
}

/* ---- reading ---- */

static void read_one(struct doc_check *c, struct doc_stmt *s, uint32_t number)
{
    struct err err;
    struct ast_module *m = NULL;
    err_clear(&err);
    int rc = epl_parse(c->a, s->text, &m, &err);
    if (rc == 0 && m->n_stmts == 1) {
        s->ast = m->stmts[0];
        const struct ast_annot *name = annotation(s->ast, "name");
        if (name != NULL && name->n_values == 1 && name->values[0].e != NULL) {
            s->name = name->values[0].e->text;
        }
        struct doc_names names = {.ptr = NULL};
        doc_inserts(s->ast, &names);
        struct slice *all = arena_array(c->a, names.len + 1, sizeof *all);
        for (size_t i = 0; all != NULL && i < names.len; i++) {
            all[s->n_inserts++] = names.ptr[i];
        }
        s->inserts = all;
        doc_names_done(&names);
        return;
    }
    if (rc != 0) {
        s->refused = true;
        c->notes->statement = doc_stmt_label(c, s, number);
        (void)doc_say(c, s, DOC_EPL_SYNTAX, &err);
        c->notes->statement = SLICE_NONE;
    }
}

void doc_level_read(struct doc_check *c, struct doc_level *l)
{
    struct lex_out lex = {.toks = {.ptr = NULL}};
    struct err err;
    err_clear(&err);
    if (lex_text(c->a, l->epl, &lex, &err) != 0) {
        struct doc_stmt whole = {.text = l->epl};
        (void)doc_say(c, &whole, DOC_EPL_SYNTAX, &err);
        VEC_DONE(&lex.toks);
        return;
    }
    uint32_t n = 1;
    VEC_EACH (&lex.toks, t) {
        n += t->kind == TOK_SEMI;
    }
    l->stmts = arena_array(c->a, n, sizeof *l->stmts);
    size_t first = 0;
    for (size_t i = 0; l->stmts != NULL && i < lex.toks.len; i++) {
        uint8_t kind = lex.toks.ptr[i].kind;
        if (kind != TOK_SEMI && kind != TOK_END) {
            continue;
        }
        if (i > first) {
            struct span a = lex.toks.ptr[first].span, b = lex.toks.ptr[i - 1].span;
            struct doc_stmt *s = &l->stmts[l->n_stmts++];
            s->off = a.off;
            s->text = slice_sub(l->epl, a.off, b.off + b.len);
        }
        first = i + 1;
    }
    VEC_DONE(&lex.toks);
    for (uint32_t i = 0; i < l->n_stmts; i++) {
        read_one(c, &l->stmts[i], i + 1);
    }
}
