/* SPDX-License-Identifier: Apache-2.0
 *
 * What a source group lets pass. Statements ask again whatever was asked at the source, so a filter
 * here may let too much pass and never too little: of the conditions of each place that reads a
 * type those are kept that a statement of their own can state about the event alone; where a
 * statement speaks of the type in a way that is not looked into, everything passes.
 */
#include "operators/shard/layout_impl.h"

#include "operators/epl/epl.h"
#include "operators/epl/lex.h"

#include <assert.h>

enum { FILTER_MAX = 64 * 1024, DEPTH_MAX = 64 };

struct place { /* where a statement reads the type */
    struct ast_expr *const *filters;
    uint32_t n;
};

struct places {
    struct slice type;
    VEC(struct place) v;
};

/* ---- where a type is read ---- */

static void of_stream(struct places *p, const struct ast_stream *s);

static void of_pattern(struct places *p, const struct ast_pat *pat, uint32_t depth)
{
    if (pat->stream != NULL && depth < DEPTH_MAX) {
        of_stream(p, pat->stream);
    }
    for (uint32_t i = 0; i < pat->n_kids && depth < DEPTH_MAX; i++) {
        if (pat->kids[i] != NULL) {
            of_pattern(p, pat->kids[i], depth + 1);
        }
    }
}

static void of_stream(struct places *p, const struct ast_stream *s)
{
    if (s->pattern != NULL) {
        of_pattern(p, s->pattern, 0);
    } else if (slice_eq(s->type, p->type)) {
        *VEC_PUSH(&p->v) = (struct place){s->filters, s->n_filters};
    }
}

/* How often the statement names the type, but to insert into it. */
static uint32_t mentions(const struct doc *d, const struct doc_stmt *s, struct slice type)
{
    struct lex_out lex = {.toks = {.ptr = NULL}};
    struct err err;
    uint32_t n = 0;
    int rc = lex_text(d->arena, s->text, &lex, &err);
    for (size_t i = 0; rc == 0 && i < lex.toks.len; i++) {
        bool into = i > 0 && slice_eq_nocase(lex.toks.ptr[i - 1].text, SLICE("into"));
        n += lex.toks.ptr[i].kind == TOK_WORD && !into && slice_eq(lex.toks.ptr[i].text, type);
    }
    VEC_DONE(&lex.toks);
    return rc == 0 ? n : UINT32_MAX;
}

/* False: it is also read where nobody looks. */
static bool find_places(const struct doc *d, const struct doc_stmt *s, struct places *p)
{
    const struct ast_select *q = s->ast->select;
    size_t had = p->v.len;
    for (uint32_t i = 0; s->ast->kind == STMT_SELECT && q != NULL && i < q->n_from; i++) {
        of_stream(p, &q->from[i]);
    }
    if (s->ast->trigger != NULL) {
        of_stream(p, s->ast->trigger);
    }
    return mentions(d, s, p->type) == p->v.len - had;
}

/* ---- conditions about an event alone ---- */

static const char *const bare[] = {"current_timestamp", "istream", "rstream", "prev", "prior",
                                   "context_",          "random",  "now"};

static bool is_plain(const struct ast_expr *e, uint32_t depth)
{
    if (e == NULL) {
        return true;
    }
    if (depth > DEPTH_MAX || e->select != NULL || e->kind == AST_PARAM) {
        return false;
    }
    bool ok = true;
    for (uint32_t i = 0; ok && i < e->n_args; i++) {
        ok = is_plain(e->args[i], depth + 1);
    }
    for (uint32_t i = 0; ok && i < e->n_segs; i++) {
        for (size_t k = 0; ok && k < ARRAY_LEN(bare); k++) {
            ok = !slice_eq_nocase(e->segs[i].name, slice_str(bare[k]));
        }
        for (uint32_t k = 0; ok && k < e->segs[i].n_args; k++) {
            ok = is_plain(e->segs[i].args[k], depth + 1);
        }
    }
    for (uint32_t i = 0; ok && i < e->n_named; i++) {
        ok = is_plain(e->named[i].e, depth + 1);
    }
    return ok;
}

/* An engine that knows the types and nothing else says whether the condition can be asked. */
static bool can_be_asked(struct eng *e, struct slice type, struct slice condition)
{
    struct err err;
    struct buf b;
    bool ok = false;
    buf_init(&b, FILTER_MAX);
    (void)buf_addf(&b, "select 1 as k from `" SLICE_FMT "`(" SLICE_FMT ")", SLICE_ARG(type),
                   SLICE_ARG(condition));
    if (!buf_failed(&b) && eng_deploy(e, SLICE("try"), buf_slice(&b), &err) == 0) {
        ok = eng_undeploy(e, SLICE("try"), &err) == 0;
    }
    buf_done(&b);
    return ok;
}

static void add_condition(struct eng *e, struct slice type, const struct ast_expr *x,
                          struct buf *to)
{
    if (x->kind == AST_BINARY && x->op == OP_AND) {
        for (uint32_t i = 0; i < x->n_args; i++) {
            add_condition(e, type, x->args[i], to);
        }
        return;
    }
    struct buf b;
    buf_init(&b, FILTER_MAX);
    epl_print_expr(x, &b);
    if (is_plain(x, 0) && !buf_failed(&b) && can_be_asked(e, type, buf_slice(&b))) {
        (void)buf_addf(to, "%s(" SLICE_FMT ")", to->len > 0 ? " and " : "",
                       SLICE_ARG(buf_slice(&b)));
    }
    buf_done(&b);
}

/* ---- statements of a source ---- */

static struct slice statement(struct layout_making *m, const struct layout_read *r,
                              struct slice condition)
{
    struct buf b;
    buf_init(&b, FILTER_MAX * 2);
    (void)buf_add_str(&b, "select ");
    for (uint32_t i = 0; i < r->n_key; i++) {
        (void)buf_addf(&b, "%s`" SLICE_FMT "` as k%u", i > 0 ? ", " : "", SLICE_ARG(r->key[i]), i);
    }
    (void)buf_addf(&b, "%s from `" SLICE_FMT "`", r->n_key > 0 ? "" : "1 as k0",
                   SLICE_ARG(r->stream));
    if (condition.len > 0) {
        (void)buf_addf(&b, "(" SLICE_FMT ")", SLICE_ARG(condition));
    }
    struct slice s = buf_failed(&b) ? SLICE_NONE : arena_copy(m->a, buf_slice(&b));
    buf_done(&b);
    return s;
}

struct passing {
    struct layout_making *m;
    const struct layout_read *read;
    struct eng *types;
    struct slice *ret;
    uint32_t n, max;
    bool all;
};

static void pass(struct passing *p, const struct place *at)
{
    struct buf b;
    buf_init(&b, FILTER_MAX);
    for (uint32_t i = 0; i < at->n; i++) {
        add_condition(p->types, p->read->stream, at->filters[i], &b);
    }
    p->all |= b.len == 0 || buf_failed(&b) || p->n == p->max;
    struct slice s = p->all ? SLICE_NONE : statement(p->m, p->read, buf_slice(&b));
    p->all |= s.len == 0;
    for (uint32_t i = 0; !p->all && i < p->n; i++) {
        if (slice_eq(p->ret[i], s)) {
            s = SLICE_NONE;
            break;
        }
    }
    if (s.len > 0) {
        p->ret[p->n++] = s;
    }
    buf_done(&b);
}

/* The statements of the group that name the type; false: `each` said so. */
static bool each_place(const struct layout_making *m, uint64_t members, struct slice type,
                       bool (*each)(void *arg, const struct place *at), void *arg)
{
    bool ok = true;
    for (uint32_t i = 0; i < m->looks->n_parts; i++) {
        const struct layout_part *part = &m->looks->parts[i];
        for (uint32_t s = 0; (members >> i & 1) != 0 && ok && s < part->n_stmts; s++) {
            struct places p = {.type = type};
            ok = find_places(m->doc, part->stmts[s], &p);
            for (size_t k = 0; ok && k < p.v.len; k++) {
                ok = each(arg, &p.v.ptr[k]);
            }
            VEC_DONE(&p.v);
        }
    }
    return ok;
}

static bool pass_one(void *arg, const struct place *at)
{
    struct passing *p = arg;
    pass(p, at);
    return !p->all;
}

uint32_t layout_filters(struct layout_making *m, const struct layout_group *reader, uint32_t read,
                        struct slice *ret, uint32_t max)
{
    assert(max > 0 && read < reader->n_reads);
    struct err err;
    struct passing p = {.m = m,
                        .read = &reader->reads[read],
                        .types = eng_new(&(struct eng_conf){.on_rows = NULL}),
                        .ret = ret,
                        .max = max};
    if (layout_prelude(m->doc, reader->first, p.types, &err) != 0 ||
        !each_place(m, reader->members, p.read->stream, pass_one, &p)) {
        p.all = true;
    }
    if (p.all || p.n == 0) {
        ret[0] = statement(m, p.read, SLICE_NONE);
        p.n = 1;
    }
    eng_free(p.types);
    return p.n;
}

/* ---- columns that are never null ---- */

struct never {
    struct slice column;
};

static bool is_column(const struct ast_expr *e, struct slice column)
{
    return e->kind == AST_CHAIN && e->n_args == 0 && e->n_segs == 1 && !e->segs[0].is_call &&
           !e->segs[0].has_index && slice_eq(e->segs[0].name, column);
}

static bool is_constant(const struct ast_expr *e)
{
    return e->kind == AST_STRING || e->kind == AST_INT || e->kind == AST_LONG ||
           e->kind == AST_DOUBLE || e->kind == AST_BOOL;
}

/* Not true for an event whose column is null. */
static bool excludes_null(const struct ast_expr *e, struct slice column)
{
    bool any = false;
    if (e->kind == AST_BINARY && e->op == OP_AND) {
        for (uint32_t i = 0; i < e->n_args; i++) {
            any |= excludes_null(e->args[i], column);
        }
        return any;
    }
    if (e->kind == AST_IS_NULL) {
        return e->negated && is_column(e->args[0], column);
    }
    if (e->kind == AST_LIKE || e->kind == AST_REGEXP) {
        return !e->negated && is_column(e->args[0], column);
    }
    return e->kind == AST_BINARY && e->op == OP_EQ && e->n_args == 2 &&
           ((is_column(e->args[0], column) && is_constant(e->args[1])) ||
            (is_column(e->args[1], column) && is_constant(e->args[0])));
}

static bool never_one(void *arg, const struct place *at)
{
    const struct never *n = arg;
    bool any = false;
    for (uint32_t i = 0; i < at->n; i++) {
        any |= excludes_null(at->filters[i], n->column);
    }
    return any;
}

bool layout_never_null(struct layout_making *m, const struct layout_group *g, struct slice type,
                       struct slice column)
{
    struct never n = {column};
    return each_place(m, g->members, type, never_one, &n);
}
