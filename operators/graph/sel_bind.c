/* SPDX-License-Identifier: Apache-2.0
 *
 * Binding a select: its streams, its columns, its clauses; and which class of rows it is.
 */
#include "core/base/mem.h"
#include "operators/graph/ctx.h"
#include "operators/graph/join_bind.h"
#include "operators/graph/nwin.h"
#include "operators/graph/sel_flat.h"
#include "operators/graph/state.h"
#include "operators/graph/subq.h"
#include "operators/pattern/mr.h"

#include <assert.h>
#include <stdio.h>

enum { COLS_MAX = 1024, STREAMS_MAX = 64 };

/* ---- streams ---- */

static struct scope base_scope(struct stmt *st)
{
    return (struct scope){.context = st->context != NULL ? ctx_props(st->context) : NULL,
                          .subquery = subq_bind,
                          .subquery_arg = st,
                          .no_aggs = "here"};
}

static int unknown_type(struct bind *b, const struct ast_stream *a, struct err *reterr)
{
    struct slice near = cat_near(&b->cat->types, a->type);
    if (near.len > 0) {
        return bind_err(reterr, a->span,
                        "there is no event type '" SLICE_FMT "'; did you mean '" SLICE_FMT "'?",
                        SLICE_ARG(a->type), SLICE_ARG(near));
    }
    return bind_err(reterr, a->span, "there is no event type '" SLICE_FMT "'", SLICE_ARG(a->type));
}

static struct ex *both(struct bind *b, struct ex *x, struct ex *y)
{
    if (x == NULL || y == NULL) {
        return x != NULL ? x : y;
    }
    struct ex *e = ex_new(b, EX_AND, TY(BOOL), x->span, 2);
    e->args[0] = x;
    e->args[1] = y;
    return e;
}

/* The filter of a stream of events, with the condition of its context. */
static int bind_filter(struct stmt *st, struct bind *b, const struct ast_stream *a,
                       struct sel_stream *s, struct err *reterr)
{
    struct scope *save = b->scope;
    struct bind_stream stream = {.alias = s->alias, .type = s->in};
    struct scope scope = base_scope(st);
    scope.streams = &stream;
    scope.n_streams = 1;
    scope.no_aggs = "in a filter";
    scope.outer = save;
    b->scope = &scope;
    struct ex *cond = NULL, *part = NULL;
    int rc = bind_filters(b, a->filters, a->n_filters, &cond, reterr);
    if (rc == 0 && s->kind == SRC_FILTER && st->context != NULL) {
        rc = ctx_cond(st, b, s->in, a->span, &part, reterr);
    }
    b->scope = save;
    if (s->kind == SRC_FILTER) {
        s->filter = (struct route_filter){.type = s->in, .cond = both(b, part, cond)};
        route_filter_init(b->a, &s->filter);
    } else {
        s->win_filter = cond;
    }
    return rc;
}

static int bind_source(struct stmt *st, struct bind *b, const struct ast_stream *a,
                       struct sel_stream *s, struct err *reterr)
{
    if (a->pattern != NULL) {
        struct scope scope = base_scope(st), *save = b->scope;
        b->scope = &scope;
        s->kind = SRC_PATTERN;
        int rc = pat_bind(b, a->pattern, a->pat_annots, a->n_pat_annots, NULL, &s->pat, reterr);
        b->scope = save;
        s->in = s->pat.type;
        return rc;
    }
    struct cat_entry *e = cat_type(b->cat, a->type);
    if (e == NULL) {
        return unknown_type(b, a, reterr);
    }
    *VEC_PUSH(&b->used) = e;
    s->kind = e->kind == CAT_WINDOW ? SRC_WINDOW : e->kind == CAT_TABLE ? SRC_TABLE : SRC_FILTER;
    s->in = e->type;
    s->win = e->kind == CAT_WINDOW ? e->what : NULL;
    s->table = e->kind == CAT_TABLE ? e->what : NULL;
    return bind_filter(st, b, a, s, reterr);
}

static int bind_stream(struct stmt *st, struct bind *b, const struct ast_stream *a, uint32_t num,
                       struct sel_stream *s, struct err *reterr)
{
    s->alias = a->as.len > 0 ? a->as : a->type;
    s->unnamed = a->as.len == 0;
    s->unidirectional = a->unidirectional;
    int rc = bind_source(st, b, a, s, reterr);
    if (rc != 0) {
        return rc;
    }
    s->type = s->in;
    struct scope *save = b->scope;
    struct scope scope = base_scope(st);
    struct bind_stream stream = {.alias = s->alias, .type = s->in, .num = (uint16_t)num};
    scope.streams = &stream;
    scope.n_streams = 1;
    b->scope = &scope;
    if (a->n_contained > 0) {
        rc = contained_bind(st, b, a, s->in, s->alias, &s->contained, &s->type, reterr);
        stream.type = s->type;
    }
    if (rc == 0) {
        rc = view_plan(b, a, s->type, &s->views, reterr);
    }
    bool holds = s->kind == SRC_WINDOW || s->kind == SRC_TABLE;
    if (rc == 0 && holds && s->views.has_window) {
        rc = bind_err(reterr, a->views[0].span,
                      "rows of a named window or table cannot have a further window");
    }
    b->scope = save;
    if (rc == 0) {
        s->type = s->views.n_steps > 0 ? s->views.out : s->type;
    }
    return rc;
}

static bool asks(const struct ast_expr *e)
{
    bool any = e->select != NULL;
    for (uint32_t i = 0; !any && i < e->n_args; i++) {
        any = e->args[i] != NULL && asks(e->args[i]);
    }
    return any;
}

/* The where of match_recognize without a window decides which events come in; else it is about the
 * measures. */
static int bind_incoming(struct stmt *st, struct bind *b, const struct ast_select *s,
                         struct sel_plan *p, struct err *reterr)
{
    struct sel_stream *x = &p->streams[0];
    bool bare = x->views.n_steps == 0 && (x->kind == SRC_FILTER || x->kind == SRC_WINDOW) &&
                x->contained == NULL;
    if (!bare || s->where == NULL || asks(s->where)) {
        return 0;
    }
    struct scope *save = b->scope, scope = base_scope(st);
    struct bind_stream stream = {.alias = x->alias, .type = x->in};
    scope.streams = &stream;
    scope.n_streams = 1;
    scope.no_aggs = "in where";
    b->scope = &scope;
    struct ex *cond = NULL;
    int rc = bind_cond(b, s->where, "where", &cond, reterr);
    b->scope = save;
    p->where_taken = rc == 0;
    if (x->kind == SRC_WINDOW) {
        x->win_filter = both(b, (struct ex *)(uintptr_t)x->win_filter, cond);
    } else {
        cond = both(b, (struct ex *)(uintptr_t)x->filter.cond, cond);
        x->filter = (struct route_filter){.type = x->in, .cond = cond};
        route_filter_init(b->a, &x->filter);
    }
    return rc;
}

int sel_bind_streams(struct stmt *st, struct bind *b, const struct ast_select *s,
                     struct sel_plan *p, struct err *reterr)
{
    if (s->n_from > STREAMS_MAX) {
        return bind_err(reterr, s->span, "more than %d streams", STREAMS_MAX);
    }
    p->n_streams = s->n_from;
    p->streams = arena_array(b->a, s->n_from + 1, sizeof *p->streams);
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < s->n_from; i++) {
        rc = bind_stream(st, b, &s->from[i], i, &p->streams[i], reterr);
        for (uint32_t k = 0; rc == 0 && k < i; k++) {
            if (slice_eq(p->streams[k].alias, p->streams[i].alias) && p->streams[i].alias.len > 0) {
                rc = bind_err(reterr, s->from[i].span,
                              "two streams are called '" SLICE_FMT "': name them with 'as'",
                              SLICE_ARG(p->streams[i].alias));
            }
        }
    }
    rc = rc == 0 && s->matchrec != NULL ? bind_incoming(st, b, s, p, reterr) : rc;
    if (rc == 0 && s->matchrec != NULL) {
        struct scope scope = base_scope(st), *save = b->scope;
        b->scope = &scope;
        rc = mr_bind(b, s->matchrec, p->streams[0].type, p->streams[0].alias, &p->streams[0].mr,
                     reterr);
        b->scope = save;
        p->streams[0].type = rc == 0 ? mr_type(p->streams[0].mr) : p->streams[0].type;
    }
    return rc;
}

struct scope sel_scope(struct stmt *st, struct bind *b, struct sel_plan *p)
{
    struct scope s = base_scope(st);
    s.streams = arena_array(b->a, p->n_streams + 1, sizeof *s.streams);
    s.n_streams = p->n_streams;
    bool windowed = true, any = false;
    for (uint32_t i = 0; i < p->n_streams; i++) {
        const struct sel_stream *x = &p->streams[i];
        bool holds = x->views.has_window || x->kind == SRC_WINDOW || x->kind == SRC_TABLE;
        s.streams[i] = (struct bind_stream){.alias = x->alias,
                                            .type = x->type,
                                            .num = (uint16_t)i,
                                            .windowed = holds,
                                            .no_prev = !x->views.prev_ok,
                                            .table = x->table};
        windowed &= holds || x->unidirectional;
        any |= holds;
    }
    p->aggs.windowed = windowed && p->n_streams > 0;
    p->windowed = any;
    s.aggs = &p->aggs;
    s.allow_prev = true;
    return s;
}

/* ---- columns ---- */

struct making {
    struct ecol cols[COLS_MAX];
    struct ex *ex[COLS_MAX];
    uint32_t n;
};

static int add(struct making *m, struct slice name, struct ex *x, struct span span,
               struct err *reterr)
{
    if (m->n == COLS_MAX) {
        return bind_err(reterr, span, "more than %d columns", COLS_MAX);
    }
    m->cols[m->n] = (struct ecol){.name = name, .ty = x->ty};
    m->ex[m->n++] = x;
    return 0;
}

static struct ex *event_of(struct bind *b, const struct sel_plan *p, uint32_t i, struct span span)
{
    struct ex *x =
        ex_new(b, EX_STREAM, ((struct ty){.kind = TY_EVENT, .ev = p->streams[i].type}), span, 0);
    x->stream = (uint16_t)i;
    x->of = p->streams[i].type;
    return x;
}

static struct ex *column_of(struct bind *b, struct ex *of, uint32_t at, struct span span)
{
    const struct etype *t = of->ty.ev;
    const struct ecol *c = &t->cols[at];
    bool varies = t->kind == ETYPE_VARIANT, prop = of->op == EX_STREAM && !c->agg && !varies;
    struct ex *x = ex_new(b,
                          varies   ? EX_DYN
                          : c->agg ? EX_TABLE_COL
                          : prop   ? EX_PROP
                                   : EX_FIELD,
                          c->ty, span, prop ? 0 : 1);
    if (prop) {
        x->stream = of->stream;
        x->level = of->level;
    } else {
        x->args[0] = of;
    }
    x->of = t;
    x->slot = (uint16_t)at;
    x->name = c->name;
    x->data = c->call;
    return x;
}

static int add_all(struct bind *b, struct making *m, struct ex *of, struct span span,
                   struct err *reterr)
{
    const struct etype *t = of->ty.ev;
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < t->n_cols; i++) {
        if (t->cols[i].name.len > 0) {
            rc = add(m, t->cols[i].name, column_of(b, of, i, span), span, reterr);
        }
    }
    return rc;
}

/* s.*, s.* as n; s may also be a tag of a pattern. */
static int stream_star(struct bind *b, const struct sel_plan *p, const struct ast_item *it,
                       struct making *m, struct err *reterr)
{
    struct ex *of = NULL;
    for (uint32_t i = 0; i < p->n_streams; i++) {
        if (slice_eq(p->streams[i].alias, it->stream)) {
            of = event_of(b, p, i, it->span);
        }
    }
    for (uint32_t i = 0; of == NULL && i < p->n_streams; i++) {
        int at = ety_col(p->streams[i].type, it->stream);
        if (at >= 0 && p->streams[i].type->cols[at].ty.kind == TY_EVENT) {
            of = column_of(b, event_of(b, p, i, it->span), (uint32_t)at, it->span);
        }
    }
    if (of == NULL) {
        return bind_err(reterr, it->span, "there is no stream '" SLICE_FMT "'",
                        SLICE_ARG(it->stream));
    }
    return it->as.len > 0 ? add(m, it->as, of, it->span, reterr)
                          : add_all(b, m, of, it->span, reterr);
}

/* The column of a whole stream: its name, or stream_0, stream_1 .... */
static struct slice star_name(struct bind *b, const struct sel_plan *p, uint32_t i)
{
    if (!p->streams[i].unnamed) {
        return p->streams[i].alias;
    }
    char text[32];
    int n = snprintf(text, sizeof text, "stream_%u", i);
    return arena_copy(b->a, (struct slice){text, (size_t)n});
}

/* From one stream of several types to another, events stay whole; else what the types have in
 * common is selected. */
static bool into_variant(const struct bind *b, const struct ast_insert *i)
{
    const struct cat_entry *e = i != NULL ? cat_type(b->cat, i->into) : NULL;
    return e != NULL && e->type->kind == ETYPE_VARIANT;
}

static int whole_star(const struct stmt *st, struct bind *b, struct sel_plan *p,
                      const struct ast_item *it, bool alone, struct making *m, struct err *reterr)
{
    if (p->n_streams == 1) {
        bool common = p->streams[0].type->kind == ETYPE_VARIANT && st->ast->kind == STMT_SELECT &&
                      !into_variant(b, st->ast->select->insert);
        bool rows = p->streams[0].kind == SRC_TABLE || common;
        p->pass = alone && !rows;
        if (!rows && !alone) {
            p->wild = 0;
        }
        return rows ? add_all(b, m, event_of(b, p, 0, it->span), it->span, reterr) : 0;
    }
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < p->n_streams; i++) {
        rc = add(m, star_name(b, p, i), event_of(b, p, i, it->span), it->span, reterr);
    }
    return rc;
}

static struct slice item_name(struct bind *b, const struct ast_item *it)
{
    if (it->as.len > 0) {
        return it->as;
    }
    struct buf text;
    buf_init(&text, 65536);
    epl_print_column(it->e, &text);
    struct slice s = arena_copy(b->a, buf_slice(&text));
    buf_done(&text);
    return s;
}

static const struct etype *out_type(struct bind *b, struct sel_plan *p, const struct making *m)
{
    if (p->pass) {
        return p->streams[0].type;
    }
    if (p->wild < 0) {
        return ety_new(b->a, b->types, ETYPE_ANON, SLICE_NONE, m->cols, m->n, NULL, 0);
    }
    const struct etype *t = p->streams[p->wild].type;
    struct ecol *cols = arena_array(b->a, t->n_cols + m->n + 1, sizeof *cols);
    memcpy(cols, t->cols, t->n_cols * sizeof *cols);
    memcpy(cols + t->n_cols, m->cols, m->n * sizeof *cols);
    struct etype *w =
        ety_new(b->a, b->types, ETYPE_WRAP, SLICE_NONE, cols, t->n_cols + m->n, NULL, 0);
    if (w != NULL) {
        w->start_col = t->start_col;
        w->end_col = t->end_col;
    }
    return w;
}

int sel_bind_items(struct stmt *st, struct bind *b, const struct ast_item *items, uint32_t n,
                   struct sel_plan *p, struct err *reterr)
{
    struct making *m = mem_alloc(sizeof *m); /* large: not for the arena, which stays; and what */
    m->n = 0;                                /* is not used is not touched */
    p->wild = -1;
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < n; i++) {
        const struct ast_item *it = &items[i];
        if (it->star) {
            rc = it->stream.len > 0 ? stream_star(b, p, it, m, reterr)
                                    : whole_star(st, b, p, it, n == 1, m, reterr);
            continue;
        }
        struct ex *x = NULL;
        rc = bind_expr(b, it->e, &x, reterr);
        rc = rc == 0 ? add(m, item_name(b, it), x, it->span, reterr) : rc;
    }
    if (rc == 0) {
        p->cols = arena_array(b->a, m->n + 1, sizeof(struct ex *));
        memcpy(p->cols, m->ex, m->n * sizeof(struct ex *));
        p->n_cols = m->n;
        p->out = out_type(b, p, m);
        rc = p->out != NULL ? 0
                            : bind_err(reterr, items[0].span,
                                       "a column stands twice: name them apart with 'as'");
    }
    mem_free(m);
    return rc;
}

/* ---- order by, the rest ---- */

/* A name of the select list stands for its column, alone and within an expression. */
static const struct ast_expr *by_alias(const struct ast_select *s, const struct ast_expr *e)
{
    if (e->kind != AST_CHAIN || e->n_segs != 1 || e->n_args != 0 || e->segs[0].is_call ||
        e->segs[0].has_index) {
        return e;
    }
    for (uint32_t i = 0; i < s->n_items; i++) {
        if (!s->items[i].star && slice_eq(s->items[i].as, e->segs[0].name)) {
            return s->items[i].e;
        }
    }
    return e;
}

static struct bind_param *aliases(struct bind *b, const struct ast_select *s)
{
    struct bind_param *all = b->scope->params;
    for (uint32_t i = s->n_items; i-- > 0;) {
        if (!s->items[i].star && s->items[i].as.len > 0) {
            struct bind_param *p = ARENA_NEW(b->a, struct bind_param);
            *p = (struct bind_param){
                .name = s->items[i].as, .arg = s->items[i].e, .arg_scope = b->scope, .next = all};
            all = p;
        }
    }
    return all;
}

/* A key of the order: the names of the select list are parameters that stand for its columns; not
 * with rollup, whose keys are grouped expressions. */
static int bind_key(struct bind *b, const struct ast_select *s, const struct sel_plan *p,
                    const struct ast_expr *e, struct ex **ret, struct err *reterr)
{
    const struct ast_expr *column = by_alias(s, e);
    if (column != e || e->kind == AST_CHAIN) {
        return bind_expr(b, p->n_levels > 0 ? e : column, ret, reterr);
    }
    struct scope *save = b->scope, named = *save;
    named.params = p->n_levels > 0 ? save->params : aliases(b, s);
    b->scope = &named;
    int rc = bind_expr(b, e, ret, reterr);
    b->scope = save;
    return rc;
}

/* A whole number of rows, that no row decides. */
static int bind_rows(struct bind *b, const struct ast_expr *e, struct ex **ret, struct err *reterr)
{
    if (e == NULL) {
        return 0;
    }
    int rc = bind_expr(b, e, ret, reterr);
    const struct ex *x = *ret;
    if (rc == 0 && ((x->op != EX_VAR && !ex_is_const(x)) || !ty_is_number(x->ty))) {
        rc = bind_err(reterr, e->span, "limit and offset want a number or a variable that is one");
    }
    return rc;
}

static int bind_order(struct bind *b, const struct ast_select *s, struct sel_plan *p,
                      struct err *reterr)
{
    p->n_order = s->n_order;
    p->order = arena_array(b->a, s->n_order + 1, sizeof *p->order);
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < s->n_order; i++) {
        p->order[i].desc = s->order[i].desc;
        rc = bind_key(b, s, p, s->order[i].e, &p->order[i].e, reterr);
    }
    rc = rc == 0 ? bind_rows(b, s->limit, &p->limit, reterr) : rc;
    rc = rc == 0 ? bind_rows(b, s->offset, &p->offset, reterr) : rc;
    if (rc == 0 && p->offset != NULL && p->offset->op != EX_VAR &&
        (p->offset->op == EX_NEG || dat_to_double(p->offset->k) < 0)) {
        rc = bind_err(reterr, s->offset->span, "the offset is below zero");
    }
    return rc;
}

/* Whether some node of the tree fulfils it. */
static bool any_node(const struct ex *e, bool (*is)(const struct ex *e, const void *arg),
                     const void *arg)
{
    bool any = e != NULL && is(e, arg);
    for (uint32_t i = 0; e != NULL && !any && i < e->n_args; i++) {
        any = any_node(e->args[i], is, arg);
    }
    return any;
}

static bool is_agg(const struct ex *e, const void *arg)
{
    return e->op == EX_AGG && e->slot == *(const uint16_t *)arg;
}

static bool is_unselected(const struct ex *e, const void *arg)
{
    const struct sel_plan *p = arg;
    bool found = e->op != EX_AGG;
    for (uint32_t i = 0; !found && i < p->n_cols; i++) {
        found = any_node(p->cols[i], is_agg, &e->slot);
    }
    return !found;
}

static bool is_grouping(const struct ex *e, const void *arg)
{
    (void)arg;
    return e->op == EX_GROUPING || e->op == EX_GROUPING_ID;
}

/* What goes together only with other clauses. */
static int check_clauses(const struct ast_select *s, const struct sel_plan *p, struct err *reterr)
{
    for (uint32_t i = 0; i < p->n_order; i++) {
        if (any_node(p->order[i].e, is_unselected, p)) {
            return bind_err(reterr, s->order[i].e->span,
                            "an aggregation that is ordered by must be selected, too");
        }
    }
    bool grouping = any_node(p->having, is_grouping, NULL);
    for (uint32_t i = 0; !grouping && i < p->n_cols; i++) {
        grouping = any_node(p->cols[i], is_grouping, NULL);
    }
    if (grouping && p->n_levels == 0) {
        return bind_err(reterr, s->span, "grouping wants rollup, cube or grouping sets");
    }
    for (size_t i = 0; p->n_levels > 0 && i < p->aggs.calls.len; i++) {
        if (p->aggs.calls.ptr[i]->has_group_by) {
            return bind_err(reterr, s->span,
                            "rollup, cube and grouping sets go without the parameter group_by");
        }
    }
    return 0;
}

static int bind_where(struct bind *b, const struct ast_select *s, struct sel_plan *p,
                      struct err *reterr)
{
    if (s->where == NULL || p->where_taken) {
        return 0;
    }
    struct agg_set *aggs = b->scope->aggs;
    b->scope->aggs = NULL;
    b->scope->no_aggs = "in where: use having";
    int rc = bind_cond(b, s->where, "where", &p->where, reterr);
    b->scope->aggs = aggs;
    b->scope->no_aggs = "here";
    return rc;
}

int sel_bind_clauses(struct stmt *st, struct bind *b, const struct ast_select *s,
                     struct scope *scope, struct sel_plan *p, struct err *reterr)
{
    assert(b->scope == scope);
    int rc = bind_where(b, s, p, reterr);
    scope->allow_prev |= scope->subq != NULL;
    if (rc == 0) {
        struct agg_set *aggs = scope->aggs;
        scope->aggs = NULL;
        scope->no_aggs = "in group by";
        rc = sel_bind_group(b, s, p, reterr);
        scope->aggs = aggs;
        scope->group = p->group;
        scope->n_group = p->n_group;
        scope->group_text = p->group_text;
    }
    rc = rc == 0 ? sel_bind_items(st, b, s->items, s->n_items, p, reterr) : rc;
    if (rc == 0 && s->having != NULL) {
        rc = bind_cond(b, s->having, "having", &p->having, reterr);
    }
    rc = rc == 0 ? bind_order(b, s, p, reterr) : rc;
    rc = rc == 0 ? check_clauses(s, p, reterr) : rc;
    rc = rc == 0 ? out_bind(b, s->output, p, reterr) : rc;
    if (rc != 0) {
        return rc;
    }
    p->distinct = s->distinct;
    p->streams_out = s->streams;
    p->cls = sel_classify(p);
    if (p->n_group > 0 && p->having != NULL && !sel_having_fits(p)) {
        return bind_err(reterr, s->having->span,
                        "with `group by`, having asks for groups and aggregations only");
    }
    sel_own_keys(p);
    out_set_waits(p);
    if (p->n_levels > 0 && p->cls == ROWS_ROLLUP) {
        bool fixed = true;
        for (uint32_t i = 0; i < p->n_cols; i++) {
            fixed &= sel_fixed_in_group(p, p->cols[i]);
        }
        for (uint32_t i = 0; i < p->n_order; i++) {
            fixed &= sel_fixed_in_group(p, p->order[i].e);
        }
        if (!fixed) {
            return bind_err(reterr, s->span,
                            "with rollup, cube or grouping sets every column must be grouped "
                            "or an aggregation");
        }
    }
    if (p->n_levels > 0) {
        sel_roll(b, p);
    }
    agg_layout(b->a, &p->aggs, &p->layout);
    return 0;
}

/* ---- the statement ---- */

static uint32_t max_prior(const struct ex *e, uint32_t stream)
{
    uint32_t most = e->op == EX_PRIOR && e->stream == stream ? (uint32_t)e->i : 0;
    for (uint32_t i = 0; i < e->n_args; i++) {
        most = MAX(most, max_prior(e->args[i], stream));
    }
    return most;
}

void sel_set_priors(struct sel_plan *p)
{
    for (uint32_t s = 0; s < p->n_streams; s++) {
        uint32_t most = p->where != NULL ? max_prior(p->where, s) : 0;
        most = p->having != NULL ? MAX(most, max_prior(p->having, s)) : most;
        for (uint32_t i = 0; i < p->n_cols; i++) {
            most = MAX(most, max_prior(p->cols[i], s));
        }
        for (size_t i = 0; i < p->aggs.calls.len; i++) {
            for (uint32_t k = 0; k < p->aggs.calls.ptr[i]->n_args; k++) {
                most = MAX(most, max_prior(p->aggs.calls.ptr[i]->args[k], s));
            }
        }
        p->streams[s].prior = most;
    }
    p->where_first = p->n_streams == 1 && p->where != NULL && max_prior(p->where, 0) == 0;
}

/* Whether it asks for more than the event, the clock, variables and the context. */
static bool looks_elsewhere(const struct ex *e)
{
    bool any = (e->op >= EX_PREV && e->op <= EX_SUBQ_LIST) ||
               (e->op >= EX_TABLE_ROW && e->op <= EX_TABLE_KEYS);
    for (uint32_t i = 0; !any && i < e->n_args; i++) {
        any = looks_elsewhere(e->args[i]);
    }
    return any;
}

/* Without a window the where of a stream decides with its filter, as the event is matched: before
 * any statement has worked on it. */
static void where_to_filter(struct bind *b, struct sel_plan *p)
{
    struct sel_stream *s = p->streams;
    bool bare = p->n_streams == 1 && s->kind == SRC_FILTER && s->views.n_steps == 0 &&
                s->contained == NULL && s->mr == NULL;
    if (!bare || p->where == NULL || looks_elsewhere(p->where)) {
        return;
    }
    struct ex *both = p->where;
    if (s->filter.cond != NULL) {
        both = ex_new(b, EX_AND, TY(BOOL), p->where->span, 2);
        both->args[0] = (struct ex *)s->filter.cond;
        both->args[1] = p->where;
    }
    s->filter = (struct route_filter){.type = s->filter.type, .cond = both};
    route_filter_init(b->a, &s->filter);
    p->where = NULL;
}

static bool all_full(const struct ast_select *s)
{
    bool full = true;
    for (uint32_t i = 1; i < s->n_from; i++) {
        full &= s->joins[i - 1].kind == JOIN_FULL;
    }
    return full;
}

/* Every stream of a join holds events, or is unidirectional. */
static int check_join(const struct ast_select *s, const struct sel_plan *p, struct err *reterr)
{
    uint32_t uni = 0;
    for (uint32_t i = 0; i < p->n_streams; i++) {
        uni += p->streams[i].unidirectional;
    }
    for (uint32_t i = 0; p->n_streams > 1 && i < p->n_streams; i++) {
        const struct sel_stream *x = &p->streams[i];
        bool holds = x->views.has_window || x->kind == SRC_WINDOW || x->kind == SRC_TABLE;
        if (x->pat.suppress_overlapping || x->pat.discard_partials) {
            return bind_err(reterr, s->from[i].span,
                            "@SuppressOverlappingMatches and @DiscardPartialsOnMatch are not for "
                            "patterns that are joined");
        }
        if (x->unidirectional && x->views.n_steps > 0) {
            return bind_err(reterr, s->from[i].span,
                            "a unidirectional stream cannot have a window: it is not looked into");
        }
        if (!holds && !x->unidirectional &&
            !(x->kind != SRC_TABLE && p->n_streams == 2 && p->streams[1 - i].kind == SRC_TABLE)) {
            return bind_err(reterr, s->from[i].span,
                            "in a join every stream wants a data window (or 'unidirectional'), as "
                            "in #lastevent");
        }
    }
    if (uni > 1 && !all_full(s)) {
        return bind_err(reterr, s->from[0].span,
                        "only one stream can be unidirectional, but for full outer joins");
    }
    return 0;
}

static int bind_into(struct stmt *st, struct bind *b, const struct ast_select *s,
                     struct sel_plan *p, struct err *reterr)
{
    p->needs_old = s->streams == STREAM_RSTREAM || s->streams == STREAM_IRSTREAM;
    if (s->insert != NULL) {
        int rc = ins_bind(st, b, s->insert, p, &p->insert, reterr);
        if (rc != 0) {
            return rc;
        }
        p->needs_old |=
            s->insert->streams == STREAM_RSTREAM || s->insert->streams == STREAM_IRSTREAM;
    }
    return 0;
}

static const struct stmt_ops select_ops;

int stmt_select(struct stmt *st, struct err *reterr)
{
    const struct ast_select *s = st->ast->select;
    struct sel_plan *p = ARENA_NEW(st->dep->arena, struct sel_plan);
    p->st = st;
    struct bind b = stmt_bind(st);
    int rc = sel_bind_streams(st, &b, s, p, reterr);
    rc = rc == 0 ? check_join(s, p, reterr) : rc;
    if (rc == 0) {
        struct scope *scope = ARENA_NEW(b.a, struct scope);
        *scope = sel_scope(st, &b, p);
        b.scope = scope;
        p->aggs.into_table = s->into_table.len > 0;
        rc = p->n_streams > 1 ? join_bind(&b, s, p, reterr) : 0;
        rc = rc == 0 ? sel_bind_clauses(st, &b, s, scope, p, reterr) : rc;
        rc = rc == 0 ? bind_into(st, &b, s, p, reterr) : rc;
        rc = rc == 0 && s->into_table.len > 0 ? into_bind(st, &b, s, p, reterr) : rc;
    }
    if (rc == 0) {
        where_to_filter(&b, p);
        sel_set_priors(p);
        sel_flatten(&b, p);
        sel_set_columns(&b, p);
        st->rank |= stmt_class(st, p->streams, p->n_streams, s->n_order > 0) << 48;
        st->plan = p;
        st->ops = &select_ops;
    }
    (void)stmt_used(st, &b);
    return rc;
}

static const struct stmt_ops select_ops = {.start = sel_start,
                                           .flush = sel_flush,
                                           .stop = sel_stop,
                                           .end = sel_end,
                                           .look = sel_look,
                                           .by_part = true,
                                           .save = sel_save,
                                           .load = sel_load,
                                           .save_keyed = sel_save_keyed,
                                           .load_keyed = sel_load_keyed,
                                           .loaded = sel_loaded,
                                           .source = sel_source};
