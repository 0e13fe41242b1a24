/* SPDX-License-Identifier: Apache-2.0
 *
 * Where partitions begin and end: a filter is a pattern of one part (of `every` such part, where
 * partitions overlap), so that both are run by the same means.
 */
#include "operators/graph/ctx_plan.h"

#include <assert.h>

/* What filters of the point's patterns must fulfil to belong to the part above. */
struct upto {
    const struct ctx_plan *plan;
    uint32_t n;
};

static int part_cond(struct bind *b, const struct etype *type, struct span span, struct ex **ret,
                     struct err *reterr)
{
    const struct upto *u = b->part_arg;
    struct ctx_about about = {.type = type, .row = type, .span = span};
    return ctx_conds(u->plan, u->n, b, &about, ret, reterr);
}

static struct ast_pat *filter_pattern(struct bind *b, const struct ast_point *a, bool every)
{
    struct ast_pat *f = ARENA_NEW(b->a, struct ast_pat);
    f->kind = PAT_FILTER;
    f->span = a->span;
    f->stream = a->stream;
    f->tag = a->as;
    if (!every) {
        return f;
    }
    struct ast_pat *e = ARENA_NEW(b->a, struct ast_pat);
    e->kind = PAT_EVERY;
    e->span = a->span;
    e->n_kids = 1;
    e->kids = arena_array(b->a, 1, sizeof *e->kids);
    e->kids[0] = f;
    return e;
}

struct where {
    const struct ctx_level *l;
    const struct etype *props; /* of the context that conditions may speak of */
    const struct etype *match; /* tags of the beginning, for an end */
    uint32_t upto;             /* levels whose conditions hold for filters */
};

static int bind_pattern(const struct where *w, struct bind *b, const struct ast_pat *p,
                        struct ctx_point *ret, struct err *reterr)
{
    struct upto *u = ARENA_NEW(b->a, struct upto);
    *u = (struct upto){w->l->plan, w->upto};
    struct scope scope = {.context = w->props, .no_aggs = "in a context"};
    b->scope = &scope;
    b->part = part_cond;
    b->part_arg = u;
    int rc = pat_bind(b, p, NULL, 0, w->match, &ret->pat, reterr);
    b->part = NULL;
    b->scope = NULL;
    return rc;
}

static int bind_time(const struct where *w, struct bind *b, const struct ast_point *a,
                     struct ctx_point *ret, struct err *reterr)
{
    struct bind_stream stream = {.alias = SLICE_NONE, .type = w->match, .num = 1};
    struct scope scope = {.context = w->props,
                          .no_aggs = "in a context",
                          .streams = &stream,
                          .n_streams = w->match != NULL ? 1 : 0};
    b->scope = &scope;
    int rc = ret->kind == POINT_AFTER
                 ? bind_period(b, a->after, &ret->after, reterr)
                 : ex_cron_bind(b, a->at, a->n_at, a->span, &ret->cron, reterr);
    b->scope = NULL;
    return rc;
}

static int bind_point(const struct where *w, struct bind *b, const struct ast_point *a, bool every,
                      struct ctx_point *ret, struct err *reterr)
{
    *ret = (struct ctx_point){.kind = a->kind, .inclusive = a->inclusive, .tag = -1};
    if (a->kind == POINT_NOW || a->kind == POINT_NOW_AND) {
        ret->now = true;
        ret->kind = a->kind == POINT_NOW ? POINT_NONE
                    : a->pattern != NULL ? POINT_PATTERN
                    : a->after != NULL   ? POINT_AFTER
                    : a->n_at > 0        ? POINT_CRON
                                         : POINT_FILTER;
    }
    switch (ret->kind) {
    case POINT_FILTER:
        if (ret->now) {
            return bind_err(reterr, a->span, "'@now and' is followed by a pattern or a time");
        }
        return bind_pattern(w, b, filter_pattern(b, a, every), ret, reterr);
    case POINT_PATTERN: return bind_pattern(w, b, a->pattern, ret, reterr);
    case POINT_AFTER:
    case POINT_CRON: return bind_time(w, b, a, ret, reterr);
    default: return 0;
    }
}

/* ---- beginnings of keyed partitions ---- */

static int keyed_start(const struct where *w, struct bind *b, const struct ast_point *a,
                       struct ctx_point *ret, struct err *reterr)
{
    struct ctx_level *l = (struct ctx_level *)(uintptr_t)w->l;
    if (a->kind != POINT_FILTER) {
        return bind_err(reterr, a->span, "a partition by key is initiated by an event");
    }
    const struct cat_entry *c = cat_type(b->cat, a->stream->type);
    *ret = (struct ctx_point){.kind = POINT_FILTER, .tag = -1};
    ret->stream = c != NULL ? ctx_stream_for(l, c->type) : NULL;
    if (ret->stream == NULL) {
        return bind_err(reterr, a->span, "'" SLICE_FMT "' is not among the types with keys",
                        SLICE_ARG(a->stream->type));
    }
    struct bind_stream stream = {.alias = a->as, .type = c->type};
    struct scope scope = {
        .context = w->props, .no_aggs = "in a context", .streams = &stream, .n_streams = 1};
    struct ex *cond = NULL;
    b->scope = &scope;
    int rc = bind_filters(b, a->stream->filters, a->stream->n_filters, &cond, reterr);
    b->scope = NULL;
    const struct ex *first = ret->stream->filter.cond;
    if (rc == 0 && first != NULL && cond != NULL) {
        struct ex *both = ex_new(b, EX_AND, TY(BOOL), a->span, 2);
        both->args[0] = (struct ex *)(uintptr_t)first;
        both->args[1] = cond;
        first = both;
    } else if (first == NULL) {
        first = cond;
    }
    ret->filter = (struct route_filter){.type = c->type, .cond = first};
    route_filter_init(b->a, &ret->filter);
    return rc;
}

static int keyed_starts(const struct where *w, struct ctx_level *l, struct bind *b,
                        struct err *reterr)
{
    struct ecol *cols = arena_array(b->a, l->ast->n_start + 1, sizeof *cols);
    uint32_t n = 0;
    for (uint32_t i = 0; i < l->ast->n_start; i++) {
        int rc = keyed_start(w, b, &l->ast->start[i], &l->starts[i], reterr);
        if (rc != 0) {
            return rc;
        }
        if (l->ast->start[i].as.len > 0) {
            cols[n] = (struct ecol){.name = l->ast->start[i].as,
                                    .ty = {.kind = TY_EVENT, .ev = l->starts[i].filter.type}};
            l->starts[i].tag = (int)n++;
        }
    }
    l->match = ety_new(b->a, b->types, ETYPE_ANON, SLICE_NONE, cols, n, NULL, 0);
    return l->match != NULL ? 0 : bind_err(reterr, l->plan->st->ast->span, "a name is used twice");
}

/* ---- beginnings ---- */

/* `pattern [...] as p`: the match has its tags and, last, itself as p. */
static int name_match(struct ctx_level *l, struct bind *b, const struct ast_point *a,
                      struct err *reterr)
{
    const struct etype *t = l->match;
    struct ecol *cols = arena_array(b->a, t->n_cols + 1, sizeof *cols);
    for (uint32_t i = 0; i < t->n_cols; i++) {
        cols[i] = t->cols[i];
    }
    cols[t->n_cols] = (struct ecol){.name = a->as, .ty = {.kind = TY_EVENT, .ev = t}};
    l->named = true;
    l->match = ety_new(b->a, b->types, ETYPE_ANON, SLICE_NONE, cols, t->n_cols + 1, NULL, 0);
    return l->match != NULL ? 0 : bind_err(reterr, a->span, "a name is used twice");
}

static int bind_distinct(struct ctx_level *l, struct bind *b, const struct where *w,
                         struct err *reterr)
{
    const struct ast_point *a = &l->ast->start[0];
    const struct cat_entry *c = a->stream != NULL ? cat_type(b->cat, a->stream->type) : NULL;
    struct bind_stream streams[2] = {{.alias = a->as, .type = c != NULL ? c->type : l->match},
                                     {.type = l->match, .num = 1}};
    streams[0].num = c != NULL ? 0 : 1;
    struct scope scope = {.context = w->props,
                          .no_aggs = "in a context",
                          .streams = streams,
                          .n_streams = c != NULL ? 2 : 1};
    if (c != NULL && a->as.len > 0 && ety_col(c->type, a->as) >= 0) {
        scope.n_streams = 1;
    }
    if (l->ast->n_distinct > 0 && a->stream == NULL) {
        return bind_err(reterr, a->span, "distinct wants partitions to begin with an event");
    }
    if (l->ast->n_distinct > 0 && a->as.len == 0) {
        return bind_err(reterr, a->span, "distinct wants a name for the event: 'as'");
    }
    l->n_distinct = l->ast->n_distinct;
    l->distinct = arena_array(b->a, l->n_distinct + 1, sizeof *l->distinct);
    b->scope = &scope;
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < l->n_distinct; i++) {
        rc = bind_expr(b, l->ast->distinct[i], &l->distinct[i], reterr);
    }
    b->scope = NULL;
    return rc;
}

int ctx_bind_points(struct ctx_level *l, struct bind *b, const struct etype *outer_props,
                    struct err *reterr)
{
    struct where w = {.l = l, .props = outer_props, .upto = l->depth};
    l->starts = arena_array(b->a, l->ast->n_start + 1, sizeof *l->starts);
    l->n_starts = l->ast->n_start;
    if (l->kind == CTX_KEYED) {
        return keyed_starts(&w, l, b, reterr);
    }
    if (l->kind != CTX_START_END && l->kind != CTX_INIT_TERM) {
        return 0;
    }
    assert(l->n_starts == 1);
    struct ctx_point *s = &l->starts[0];
    int rc = bind_point(&w, b, &l->ast->start[0], l->kind == CTX_INIT_TERM, s, reterr);
    if (rc == 0 && s->pat.root != NULL) {
        l->match = s->pat.type;
        bool named = s->kind == POINT_PATTERN && l->ast->start[0].as.len > 0;
        rc = named ? name_match(l, b, &l->ast->start[0], reterr) : 0;
    } else if (rc == 0) {
        l->match = ety_new(b->a, b->types, ETYPE_ANON, SLICE_NONE, NULL, 0, NULL, 0);
    }
    return rc == 0 ? bind_distinct(l, b, &w, reterr) : rc;
}

int ctx_bind_end(struct ctx_level *l, struct bind *b, struct err *reterr)
{
    struct where w = {.l = l, .props = l->plan->props, .match = l->match, .upto = l->depth + 1};
    const struct ast_point *a = &l->ast->end;
    if (a->kind == POINT_NOW || a->kind == POINT_NOW_AND) {
        return bind_err(reterr, a->span, "a partition cannot end at once");
    }
    return bind_point(&w, b, a, false, &l->end, reterr);
}
