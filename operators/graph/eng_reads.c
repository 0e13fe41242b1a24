/* SPDX-License-Identifier: Apache-2.0
 *
 * See eng_reads.h.
 */
#include "operators/graph/eng_reads.h"

#include "core/base/arena.h"
#include "core/base/intern.h"
#include "core/base/mem.h"
#include "core/base/vec.h"
#include "operators/epl/epl.h"
#include "operators/epl/whole.h"
#include "operators/sig/cause.h"

#include <assert.h>

enum { TEXTS_MAX = 1 << 30, WORDS_MAX = 1 << 20, WORDS_BYTES = 64 << 20, TYPES_MAX = 32 };

struct looked { /* a statement that may read events */
    const struct ast_stmt *ast;
    struct lex_out words;
};

struct eng_reads {
    struct arena *a;
    /* Words and texts of all statements but declarations of types; called: those before a "(". */
    struct intern *words, *called;
    VEC(struct looked) stmts;
    bool all; /* something could not be read, or there was no room */
};

struct eng_reads *eng_reads_new(void)
{
    struct eng_reads *r = MEM_NEW(struct eng_reads);
    r->a = arena_new(NULL, "reads", TEXTS_MAX);
    r->words = intern_new(WORDS_MAX, WORDS_BYTES);
    r->called = intern_new(WORDS_MAX, WORDS_BYTES);
    return r;
}

void eng_reads_free(struct eng_reads *r)
{
    if (r == NULL) {
        return;
    }
    VEC_EACH (&r->stmts, s) {
        VEC_DONE(&s->words.toks);
    }
    VEC_DONE(&r->stmts);
    intern_free(r->words);
    intern_free(r->called);
    arena_free(r->a);
    mem_free(r);
}

/* Others are written with escapes, which words do not have. */
static bool is_word(struct slice name)
{
    bool word = name.len > 0;
    for (size_t i = 0; i < name.len && word; i++) {
        char c = name.ptr[i];
        word =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    }
    return word;
}

static void add_stmt(struct eng_reads *r, const struct ast_stmt *s, struct slice text)
{
    struct looked *to = VEC_PUSH(&r->stmts);
    struct err err;
    bool head = s->kind == STMT_CREATE_CONTEXT || s->context.len > 0; /* it begins with that word */
    *to = (struct looked){.ast = s};
    r->all |= lex_text(r->a, text, &to->words, &err) != 0;
    for (size_t i = 0; i < to->words.toks.len && !r->all; i++) {
        const struct token *t = &to->words.toks.ptr[i];
        bool keyword =
            head && t->kw == KW_CONTEXT; /* events, too, may have a column of that name */
        bool names = (t->kind == TOK_WORD || t->kind == TOK_STRING) && is_word(t->text) && !keyword;
        head = head && !keyword;
        bool call = t->kind == TOK_WORD && !t->ticked && t[1].kind == TOK_LPAREN; /* not the last */
        r->all |= names && intern_id(call ? r->called : r->words, t->text) == 0;
    }
}

void eng_reads_add(struct eng_reads *r, struct slice module)
{
    struct ast_module *m = NULL;
    struct err err;
    r->all |= r->all || epl_parse(r->a, module, &m, &err) != 0;
    for (uint32_t i = 0; !r->all && i < m->n_stmts; i++) {
        const struct ast_stmt *s = m->stmts[i];
        size_t end = i + 1 < m->n_stmts ? m->stmts[i + 1]->span.off : module.len;
        if (s->kind != STMT_CREATE_SCHEMA || s->schema_kind == SCHEMA_VARIANT) {
            add_stmt(r, s, slice_sub(module, s->span.off, end));
        }
    }
}

static bool is_whole(const struct eng_reads *r, const struct etype *type)
{
    struct slice names[TYPES_MAX] = {type->name};
    uint32_t n = 1;
    bool whole =
        r->all || type->n_supers >= TYPES_MAX || type->kind != ETYPE_PLAIN || cause_is_sample(type);
    for (uint32_t i = 0; i < type->n_supers && !whole; i++) {
        names[n++] = type->supers[i].type->name;
    }
    for (size_t i = 0; i < r->stmts.len && !whole; i++) {
        const struct looked *s = &r->stmts.ptr[i];
        whole = epl_whole(s->ast, &s->words, names, n, false);
    }
    return whole;
}

/* In `count(*)` it is a function, in `tags('x')` the column. */
static bool may_be_called(struct ty ty)
{
    return !ty_is_number(ty) && ty.kind != TY_STRING && ty.kind != TY_BOOL;
}

static bool is_named(const struct eng_reads *r, const struct ecol *c)
{
    return intern_find(r->words, c->name) != 0 ||
           (may_be_called(c->ty) && intern_find(r->called, c->name) != 0);
}

void eng_reads_columns(const struct eng_reads *r, const struct etype *type, bool *ret)
{
    bool whole = is_whole(r, type);
    for (uint32_t i = 0; i < type->n_cols; i++) {
        struct slice name = type->cols[i].name;
        bool time = (int)i == type->start_col || (int)i == type->end_col;
        ret[i] = whole || time || !is_word(name) || is_named(r, &type->cols[i]);
    }
}
