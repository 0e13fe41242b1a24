/* SPDX-License-Identifier: Apache-2.0
 *
 * What of an event's payload a source passes on: the keys of the columns that statements of the
 * reader name. By the words of the statements, so too much may be kept, never too little: whoever
 * looks at an event as a whole (a star, an alias that stands alone, attributes) gets all of it.
 */
#include "operators/shard/layout_impl.h"

#include "operators/epl/epl.h"
#include "operators/epl/lex.h"
#include "operators/sig/builtin.h"

enum { DEPTH_MAX = 64 };

struct keeping {
    struct layout_making *m;
    struct slice type;
    VEC(struct slice) aliases; /* of the statement that is looked at */
    struct lex_out lex;
    uint32_t places;
    bool all;
};

/* ---- one statement ---- */

static void of_stream(struct keeping *k, const struct ast_stream *s, struct slice tag,
                      uint32_t depth);

static void of_pattern(struct keeping *k, const struct ast_pat *p, uint32_t depth)
{
    k->all |= depth > DEPTH_MAX;
    if (!k->all && p->stream != NULL) {
        of_stream(k, p->stream, p->tag, depth + 1);
    }
    for (uint32_t i = 0; i < p->n_kids && !k->all; i++) {
        if (p->kids[i] != NULL) {
            of_pattern(k, p->kids[i], depth + 1);
        }
    }
}

static void of_stream(struct keeping *k, const struct ast_stream *s, struct slice tag,
                      uint32_t depth)
{
    if (s->pattern != NULL) {
        of_pattern(k, s->pattern, depth);
    }
    if (slice_eq(s->type, k->type)) {
        k->places++;
        *VEC_PUSH(&k->aliases) = tag.len > 0 ? tag : s->as;
    }
}

static const struct token *tok(const struct keeping *k, size_t i)
{
    return &k->lex.toks.ptr[i];
}

static bool is_word(const struct keeping *k, size_t i, const char *word)
{
    return tok(k, i)->kind == TOK_WORD && slice_eq_nocase(tok(k, i)->text, slice_str(word));
}

/* A star that stands for a whole row; not that of count(*), nor of a product. */
static bool is_whole(const struct keeping *k, size_t i)
{
    static const char *const heads[] = {"select", "distinct", "istream", "rstream", "irstream"};
    if (tok(k, i)->kind != TOK_STAR || i == 0) {
        return tok(k, i)->kind == TOK_STAR;
    }
    const struct token *before = tok(k, i - 1);
    if (before->kind == TOK_LPAREN) {
        return i < 2 || !is_word(k, i - 2, "count");
    }
    for (size_t h = 0; h < ARRAY_LEN(heads); h++) {
        if (is_word(k, i - 1, heads[h])) {
            return true;
        }
    }
    return before->kind == TOK_COMMA || before->kind == TOK_DOT || before->kind == TOK_SEMI ||
           before->kind == TOK_LCURLY || before->kind == TOK_COLON;
}

static void look_at_words(struct keeping *k)
{
    uint32_t mentions = 0;
    for (size_t i = 0; i + 1 < k->lex.toks.len && !k->all; i++) {
        bool into = i > 0 && is_word(k, i - 1, "into");
        mentions += tok(k, i)->kind == TOK_WORD && !into && slice_eq(tok(k, i)->text, k->type);
        k->all |= is_whole(k, i);
    }
    VEC_EACH (&k->aliases, a) {
        uint32_t alone = 0; /* where it is given is one */
        for (size_t i = 0; i + 1 < k->lex.toks.len && a->len > 0; i++) {
            alone += tok(k, i)->kind == TOK_WORD && slice_eq(tok(k, i)->text, *a) &&
                     tok(k, i + 1)->kind != TOK_DOT;
        }
        k->all |= alone > 1;
    }
    k->all |= mentions != k->places;
}

static void add_key(struct keeping *k, const struct builtin_col *c, struct layout_keep *to)
{
    switch (c->fill) {
    case BUILTIN_PAYLOAD:
    case BUILTIN_PAYLOAD_MS:
    case BUILTIN_PAYLOAD_US:
    case BUILTIN_PAYLOAD_TEXT:
    case BUILTIN_PARENT_LONG: break;
    case BUILTIN_TIME_MS:
    case BUILTIN_TIME_US:
    case BUILTIN_TIME_NS:
    case BUILTIN_INGEST_MS:
    case BUILTIN_TRACE_ID:
    case BUILTIN_SPAN_ID:
    case BUILTIN_CONTEXT:
    case BUILTIN_CONTEXTS: return;
    default: k->all = true; return;
    }
    for (uint32_t i = 0; i < to->n; i++) {
        if (slice_eq(to->keys[i], slice_str(c->key))) {
            return;
        }
    }
    k->all |= to->n == LAYOUT_KEEP_MAX;
    if (!k->all) {
        to->keys[to->n++] = slice_str(c->key);
    }
}

/* Columns of the type, or of what it inherits from, that the statement names. */
static void add_columns(struct keeping *k, struct layout_keep *to)
{
    const struct builtin_type *row = builtin_find(BUILTIN_KAIJU, k->type);
    for (size_t i = 0; row != NULL && i < k->lex.toks.len && !k->all; i++) {
        const struct builtin_col *c =
            tok(k, i)->kind == TOK_WORD ? builtin_column(row, tok(k, i)->text) : NULL;
        if (c != NULL) {
            add_key(k, c, to);
        }
    }
}

static void look_at(struct keeping *k, const struct doc_stmt *s, bool reads, struct layout_keep *to)
{
    struct err err;
    const struct ast_select *q = s->ast->select;
    k->places = 0;
    VEC_CLEAR(&k->aliases);
    k->lex = (struct lex_out){.toks = {.ptr = NULL}};
    for (uint32_t i = 0; s->ast->kind == STMT_SELECT && q != NULL && i < q->n_from; i++) {
        of_stream(k, &q->from[i], SLICE_NONE, 0);
    }
    if (s->ast->trigger != NULL) {
        of_stream(k, s->ast->trigger, SLICE_NONE, 0);
    }
    k->all |= q != NULL && q->matchrec != NULL;
    k->all |= lex_text(k->m->doc->arena, s->text, &k->lex, &err) != 0;
    if (reads && !k->all) {
        look_at_words(k);
    }
    if (!k->all) { /* of all statements: what declares an expression names columns, too */
        add_columns(k, to);
    }
    VEC_DONE(&k->lex.toks);
}

void layout_keep(struct layout_making *m, const struct layout_group *reader, uint32_t read,
                 struct layout_keep *to)
{
    struct keeping k = {.m = m, .type = reader->reads[read].stream};
    k.all = to->all || m->doc->g.levels[reader->first].types != DOC_TYPES_KAIJU;
    for (uint32_t i = 0; i < m->looks->n_parts; i++) {
        const struct layout_part *p = &m->looks->parts[i];
        for (uint32_t s = 0; (reader->members >> i & 1) != 0 && s < p->n_stmts && !k.all; s++) {
            look_at(&k, p->stmts[s], doc_stmt_reads(m->doc, p->stmts[s], k.type), to);
        }
    }
    to->all = k.all;
    VEC_DONE(&k.aliases);
}
