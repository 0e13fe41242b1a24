/* SPDX-License-Identifier: Apache-2.0
 *
 * See whole.h.
 */
#include "operators/epl/whole.h"

enum { DEPTH_MAX = 64 };

struct looking {
    const struct lex_out *words;
    const struct slice *types;
    uint32_t n_types, places;
    VEC(struct slice) aliases;
    bool reads, whole;
};

static bool is_of(const struct looking *l, struct slice type)
{
    for (uint32_t i = 0; i < l->n_types; i++) {
        if (slice_eq(l->types[i], type)) {
            return true;
        }
    }
    return false;
}

static void of_stream(struct looking *l, const struct ast_stream *s, struct slice tag,
                      uint32_t depth);

static void of_pattern(struct looking *l, const struct ast_pat *p, uint32_t depth)
{
    l->whole |= depth > DEPTH_MAX;
    if (!l->whole && p->stream != NULL) {
        of_stream(l, p->stream, p->tag, depth + 1);
    }
    for (uint32_t i = 0; i < p->n_kids && !l->whole; i++) {
        if (p->kids[i] != NULL) {
            of_pattern(l, p->kids[i], depth + 1);
        }
    }
}

static void of_stream(struct looking *l, const struct ast_stream *s, struct slice tag,
                      uint32_t depth)
{
    if (s->pattern != NULL) {
        of_pattern(l, s->pattern, depth);
    }
    if (is_of(l, s->type)) {
        l->places++;
        *VEC_PUSH(&l->aliases) = tag.len > 0 ? tag : s->as;
    }
}

static const struct token *tok(const struct looking *l, size_t i)
{
    return &l->words->toks.ptr[i];
}

static bool is_word(const struct looking *l, size_t i, const char *word)
{
    return tok(l, i)->kind == TOK_WORD && slice_eq_nocase(tok(l, i)->text, slice_str(word));
}

/* A star that stands for a whole row; not that of count(*), nor of a product. */
static bool is_row(const struct looking *l, size_t i)
{
    static const char *const heads[] = {"select", "distinct", "istream", "rstream", "irstream"};
    if (tok(l, i)->kind != TOK_STAR || i == 0) {
        return tok(l, i)->kind == TOK_STAR;
    }
    const struct token *before = tok(l, i - 1);
    if (before->kind == TOK_LPAREN) {
        return i < 2 || !is_word(l, i - 2, "count");
    }
    for (size_t h = 0; h < ARRAY_LEN(heads); h++) {
        if (is_word(l, i - 1, heads[h])) {
            return true;
        }
    }
    return before->kind == TOK_COMMA || before->kind == TOK_DOT || before->kind == TOK_SEMI ||
           before->kind == TOK_LCURLY || before->kind == TOK_COLON;
}

/* A method of the event may look at any column, but for what stands there as a text: m.get('x'),
 * m.attributes('x'). */
static bool is_method(const struct looking *l, size_t i)
{
    static const uint8_t call[] = {TOK_DOT, TOK_WORD, TOK_LPAREN};
    size_t n = l->words->toks.len;
    for (size_t k = 0; k < ARRAY_LEN(call); k++) {
        if (i + k >= n || tok(l, i + k)->kind != call[k]) {
            return false;
        }
    }
    i += ARRAY_LEN(call);
    return i + 1 >= n || tok(l, i)->kind != TOK_STRING || tok(l, i + 1)->kind != TOK_RPAREN;
}

static void look_at_words(struct looking *l)
{
    uint32_t mentions = 0;
    bool row = false;
    for (size_t i = 0; i + 1 < l->words->toks.len; i++) {
        bool into = i > 0 && is_word(l, i - 1, "into");
        mentions += tok(l, i)->kind == TOK_WORD && !into && is_of(l, tok(l, i)->text);
        row |= is_row(l, i);
    }
    VEC_EACH (&l->aliases, a) {
        uint32_t alone = 0; /* where it is given is one */
        for (size_t i = 0; i + 1 < l->words->toks.len && a->len > 0; i++) {
            bool is = tok(l, i)->kind == TOK_WORD && slice_eq(tok(l, i)->text, *a);
            alone += is && tok(l, i + 1)->kind != TOK_DOT;
            l->whole |= is && is_method(l, i + 1);
        }
        l->whole |= alone > 1;
    }
    l->whole |= mentions != l->places || (row && (l->reads || mentions > 0));
}

bool epl_whole(const struct ast_stmt *s, const struct lex_out *words, const struct slice *types,
               uint32_t n, bool reads)
{
    struct looking l = {.words = words, .types = types, .n_types = n, .reads = reads};
    const struct ast_select *q = s->select;
    for (uint32_t i = 0; s->kind == STMT_SELECT && q != NULL && i < q->n_from; i++) {
        of_stream(&l, &q->from[i], SLICE_NONE, 0);
    }
    if (s->trigger != NULL) {
        of_stream(&l, s->trigger, SLICE_NONE, 0);
    }
    l.whole |= q != NULL && q->matchrec != NULL && (reads || l.places > 0);
    if (!l.whole) {
        look_at_words(&l);
    }
    VEC_DONE(&l.aliases);
    return l.whole;
}
