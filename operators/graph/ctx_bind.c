/* SPDX-License-Identifier: Apache-2.0
 *
 * create context: levels, what their partitions are called, and the conditions that events must
 * fulfil to belong to one. Beginnings and ends are bound in ctx_point.c.
 */
#include "operators/graph/ctx_plan.h"

#include <assert.h>

enum { LEVELS_MAX = 16, GRANULARITY_MAX = 100000 };

const struct etype *ctx_props(const struct cat_entry *c)
{
    const struct ctx_plan *p = c->what;
    return p->props;
}

/* ---- conditions of partitions ---- */

const struct ctx_stream *ctx_stream_for(const struct ctx_level *l, const struct etype *type)
{
    const struct ctx_stream *super = NULL;
    for (uint32_t i = 0; i < l->n_streams; i++) {
        if (l->streams[i].type == type) {
            return &l->streams[i];
        }
        if (super == NULL && ety_is(type, l->streams[i].type)) {
            super = &l->streams[i];
        }
    }
    return super;
}

/* Column `col` of a level's properties. */
static struct ex *prop(struct bind *b, const struct ctx_level *l, uint32_t col, struct span span)
{
    struct ty ty = l->props->cols[col].ty;
    struct ex *x = ex_new(b, EX_CONTEXT, ty, span, 0);
    b->uses_context = true;
    if (l->plan->n_levels == 1) {
        x->slot = (uint16_t)col;
        x->of = l->props;
        return x;
    }
    x->ty = (struct ty){.kind = TY_EVENT, .ev = l->props};
    x->slot = (uint16_t)(CTX_COL_KIND + l->depth);
    struct ex *f = ex_new(b, EX_FIELD, ty, span, 1);
    f->args[0] = x;
    f->of = l->props;
    f->slot = (uint16_t)col;
    return f;
}

static struct ex *join(struct bind *b, enum ex_op op, struct ex *x, struct ex *y)
{
    if (x == NULL || y == NULL) {
        return x != NULL ? x : y;
    }
    struct ex *e = ex_new(b, op, TY(BOOL), y->span, 2);
    e->args[0] = x;
    e->args[1] = y;
    return e;
}

static struct ex *equals(struct bind *b, enum ex_op op, struct ex *x, struct ex *y)
{
    struct ex *e = ex_new(b, op, TY(BOOL), x->span, 2);
    e->cmp = op == EX_IS ? OP_IS : OP_EQ;
    e->args[0] = x;
    e->args[1] = y;
    return e;
}

/* consistent_hash_crc32(a, b), hash_code(a), or any function that gives a number. */
static int bind_bucket(const struct ctx_level *l, struct bind *b, const struct ast_expr *e,
                       struct ex **ret, struct err *reterr)
{
    const struct ast_seg *seg = e->kind == AST_CHAIN && e->n_segs == 1 ? &e->segs[0] : NULL;
    bool crc = seg != NULL && slice_eq_nocase(seg->name, SLICE("consistent_hash_crc32"));
    bool code = seg != NULL && slice_eq_nocase(seg->name, SLICE("hash_code"));
    bool own = (crc || code) && seg->is_call && seg->n_args > 0;
    uint32_t n = own ? seg->n_args : 1;
    struct ex *x = ex_new(b, EX_BUCKET, TY(INT), e->span, n);
    x->i = l->granularity;
    x->all = crc;
    for (uint32_t i = 0; i < n; i++) {
        int rc = bind_expr(b, own ? seg->args[i] : e, &x->args[i], reterr);
        if (rc != 0) {
            return rc;
        }
    }
    if (!own && !ty_is_integer(x->args[0]->ty)) {
        return bind_err(reterr, e->span,
                        "a hash context wants consistent_hash_crc32(...), "
                        "hash_code(...) or a function that gives an integer");
    }
    *ret = x;
    return 0;
}

static int bind_key(const struct ctx_level *l, struct bind *b, const struct ast_expr *e,
                    struct ex **ret, struct err *reterr)
{
    return l->kind == CTX_HASH ? bind_bucket(l, b, e, ret, reterr) : bind_expr(b, e, ret, reterr);
}

/* Any of the categories: `index is i and cond`. */
static int category_cond(const struct ctx_level *l, struct bind *b, struct span span,
                         struct ex **ret, struct err *reterr)
{
    struct ex *any = NULL;
    for (uint32_t i = 0; i < l->ast->n_categories; i++) {
        struct ex *cond = NULL;
        int rc = bind_cond(b, l->ast->categories[i].cond, "category", &cond, reterr);
        if (rc != 0) {
            return rc;
        }
        struct ex *n = ex_const(b, dat_int((int32_t)i), TY(INT), span);
        struct ex *is = equals(b, EX_CMP_I, prop(b, l, CTX_COL_KIND + 1, span), n);
        any = join(b, EX_OR, any, join(b, EX_AND, is, cond));
    }
    *ret = any;
    return 0;
}

static int level_cond(const struct ctx_level *l, const struct ctx_stream *s, struct bind *b,
                      struct span span, struct ex **ret, struct err *reterr)
{
    struct ex *all = NULL;
    int rc = bind_all(b, s->ast->stream.filters, s->ast->stream.n_filters, "filter", &all, reterr);
    if (rc == 0 && l->kind == CTX_CATEGORY) {
        struct ex *any = NULL;
        rc = category_cond(l, b, span, &any, reterr);
        all = join(b, EX_AND, all, any);
    }
    for (uint32_t i = 0; rc == 0 && l->kind != CTX_CATEGORY && i < s->ast->n_keys; i++) {
        struct ex *key = NULL;
        rc = bind_key(l, b, s->ast->keys[i], &key, reterr);
        if (rc == 0) {
            enum ex_op op = l->kind == CTX_HASH ? EX_CMP_I : EX_IS;
            all = join(b, EX_AND, all, equals(b, op, key, prop(b, l, CTX_COL_KIND + i, span)));
        }
    }
    *ret = all;
    return rc;
}

int ctx_conds(const struct ctx_plan *p, uint32_t upto, struct bind *b, struct ctx_about *about,
              struct ex **ret, struct err *reterr)
{
    struct ex *all = NULL;
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < upto; i++) {
        const struct ctx_level *l = &p->levels[i];
        if (l->n_streams == 0) {
            continue;
        }
        const struct ctx_stream *s = ctx_stream_for(l, about->type);
        about->asked = true;
        if (s == NULL) {
            continue;
        }
        about->listed = true;
        struct bind_stream stream = {.alias = s->ast->stream.as, .type = about->row};
        struct scope scope = {
            .streams = &stream, .n_streams = 1, .context = p->props, .no_aggs = "in a context"};
        struct scope *save = b->scope;
        struct ex *cond = NULL;
        b->scope = &scope;
        rc = level_cond(l, s, b, about->span, &cond, reterr);
        b->scope = save;
        all = join(b, EX_AND, all, cond);
    }
    *ret = all;
    return rc;
}

int ctx_cond(struct stmt *st, struct bind *b, const struct etype *type, struct span span,
             struct ex **ret, struct err *reterr)
{
    const struct ctx_plan *p = st->context->what;
    struct ctx_about about = {.type = type, .row = type, .span = span};
    int rc = ctx_conds(p, p->n_levels, b, &about, ret, reterr);
    st->part_asked |= about.asked;
    st->part_listed |= about.listed;
    return rc;
}

static int part_cond(struct bind *b, const struct etype *type, struct span span, struct ex **ret,
                     struct err *reterr)
{
    return ctx_cond(b->part_arg, b, type, span, ret, reterr);
}

void ctx_bind_into(struct stmt *st, struct bind *b)
{
    b->part = part_cond;
    b->part_arg = st;
}

/* A window of a keyed context takes rows of one of the context's types. */
int ctx_window_cond(struct stmt *st, struct bind *b, const struct etype *rows,
                    const struct ex **ret, struct err *reterr)
{
    const struct ast_stmt *a = st->ast;
    const struct ctx_plan *p = st->context->what;
    struct slice name = a->class_name;
    if (a->as_select != NULL && a->as_select->n_from > 0) {
        name = a->as_select->from[0].type;
    }
    const struct cat_entry *c = name.len > 0 ? cat_type(&st->eng->cat, name) : NULL;
    for (uint32_t i = 0; i < p->n_levels; i++) {
        const struct ctx_level *l = &p->levels[i];
        bool keyed = l->kind == CTX_KEYED || l->kind == CTX_HASH;
        if (keyed && (c == NULL || ctx_stream_for(l, c->type) == NULL)) {
            return bind_err(reterr, a->span,
                            "a named window of context '" SLICE_FMT "' is made as one of the types "
                            "the context has keys for",
                            SLICE_ARG(p->name));
        }
    }
    struct ctx_about about = {.type = c != NULL ? c->type : rows, .row = rows, .span = a->span};
    struct ex *cond = NULL;
    int rc = ctx_conds(p, p->n_levels, b, &about, &cond, reterr);
    *ret = cond;
    return rc;
}

int ctx_check(struct stmt *st, struct err *reterr)
{
    const struct ctx_plan *p = st->context->what;
    if (st->part_asked && !st->part_listed) {
        return bind_err(reterr, st->ast->span,
                        "context '" SLICE_FMT "' says nothing about the types of this statement: "
                        "add one of them to it",
                        SLICE_ARG(p->name));
    }
    return 0;
}

/* ---- levels ---- */

static int bind_stream(struct ctx_level *l, struct bind *b, const struct etype *outer,
                       struct ctx_stream *s, struct err *reterr)
{
    const struct cat_entry *c = cat_type(b->cat, s->ast->stream.type);
    if (c == NULL || c->kind == CAT_TABLE) {
        return bind_err(reterr, s->ast->stream.span, "there is no event type '" SLICE_FMT "'",
                        SLICE_ARG(s->ast->stream.type));
    }
    *VEC_PUSH(&b->used) = (struct cat_entry *)(uintptr_t)c;
    s->type = c->type;
    struct ex *above = NULL, *own = NULL;
    struct ctx_about about = {.type = s->type, .row = s->type, .span = s->ast->stream.span};
    int rc = ctx_conds(l->plan, l->depth, b, &about, &above, reterr);
    struct bind_stream stream = {.alias = s->ast->stream.as, .type = s->type};
    struct scope scope = {
        .streams = &stream, .n_streams = 1, .context = outer, .no_aggs = "in a context"};
    b->scope = &scope;
    if (rc == 0) {
        rc = bind_filters(b, s->ast->stream.filters, s->ast->stream.n_filters, &own, reterr);
    }
    s->n_keys = l->kind == CTX_CATEGORY ? 0 : s->ast->n_keys;
    s->keys = arena_array(b->a, s->n_keys + 1, sizeof *s->keys);
    for (uint32_t i = 0; rc == 0 && i < s->n_keys; i++) {
        rc = bind_key(l, b, s->ast->keys[i], &s->keys[i], reterr);
    }
    b->scope = NULL;
    s->filter = (struct route_filter){.type = s->type, .cond = join(b, EX_AND, above, own)};
    route_filter_init(b->a, &s->filter);
    return rc;
}

static int bind_streams(struct ctx_level *l, struct bind *b, const struct etype *outer,
                        struct err *reterr)
{
    uint32_t n = l->ast->n_streams;
    l->streams = arena_array(b->a, n + 1, sizeof *l->streams);
    for (uint32_t i = 0; i < n; i++) {
        struct ctx_stream *s = &l->streams[i];
        s->ast = &l->ast->streams[i];
        int rc = bind_stream(l, b, outer, s, reterr);
        if (rc != 0) {
            return rc;
        }
        for (uint32_t k = 0; k < i; k++) {
            if (l->streams[k].type == s->type) {
                return bind_err(reterr, s->ast->stream.span, "type '" SLICE_FMT "' stands twice",
                                SLICE_ARG(s->type->name));
            }
        }
        if (i > 0 && s->n_keys != l->streams[0].n_keys) {
            return bind_err(reterr, s->ast->stream.span,
                            "each stream of a context wants the same number of keys");
        }
        for (uint32_t k = 0; k < s->n_keys; k++) {
            if (!ty_comparable(s->keys[k]->ty, l->streams[0].keys[k]->ty)) {
                return bind_err(reterr, s->ast->stream.span,
                                "key %u has another type than in the first stream", k + 1);
            }
        }
    }
    l->n_streams = n; /* from here on the level has conditions */
    l->n_keys = n > 0 ? l->streams[0].n_keys : 0;
    return 0;
}

struct cols {
    struct ecol *col;
    uint32_t n;
};

static void add_col(struct cols *c, const char *name, struct ty ty)
{
    c->col[c->n++] = (struct ecol){.name = slice_str(name), .ty = ty};
}

static bool has_col(const struct cols *c, struct slice name)
{
    for (uint32_t i = 0; i < c->n; i++) {
        if (slice_eq(c->col[i].name, name)) {
            return true;
        }
    }
    return false;
}

/* Names that begin with # cannot be written: for ourselves. */
static int level_props(struct ctx_level *l, struct bind *b, struct err *reterr)
{
    uint32_t tags = l->match != NULL ? l->match->n_cols : 0;
    struct cols c = {arena_array(b->a, CTX_COL_TIMED_TAGS + l->n_keys + tags, sizeof(struct ecol)),
                     0};
    add_col(&c, "name", TY(STRING));
    add_col(&c, l->plan->n_levels > 1 ? "#id" : "id", TY(INT));
    if (l->kind == CTX_KEYED) {
        for (uint32_t i = 0; i < l->n_keys; i++) {
            add_col(&c, arena_printf(b->a, "key%u", i + 1), l->streams[0].keys[i]->ty);
        }
    } else if (l->kind == CTX_HASH) {
        add_col(&c, "#bucket", TY(INT));
    } else if (l->kind == CTX_CATEGORY) {
        add_col(&c, "label", TY(STRING));
        add_col(&c, "#index", TY(INT));
    } else {
        add_col(&c, "startTime", TY(LONG));
        add_col(&c, "endTime", TY(LONG));
    }
    l->tags = (uint16_t)c.n;
    for (uint32_t i = l->named ? tags - 1 : 0; i < tags; i++) {
        struct ecol t = l->match->cols[i];
        if (has_col(&c, t.name)) {
            t.name = slice_str(arena_printf(b->a, "#%u", i));
        }
        c.col[c.n++] = t;
    }
    l->props = ety_new(b->a, b->types, ETYPE_ANON, SLICE_NONE, c.col, c.n, NULL, 0);
    return l->props != NULL ? 0 : err_set(reterr, ERR_LIMIT, "the context is too large");
}

/* Properties of a partition: of one level its own; else name, id and a column per level. Columns
 * of the levels from `n` on are left out. */
static int plan_props(struct ctx_plan *p, struct bind *b, uint32_t n, const struct etype **ret,
                      struct err *reterr)
{
    if (p->n_levels == 1) {
        *ret = n == 0 ? NULL : p->levels[0].props;
        return 0;
    }
    struct cols c = {arena_array(b->a, CTX_COL_KIND + n, sizeof(struct ecol)), 0};
    add_col(&c, "name", TY(STRING));
    add_col(&c, "id", TY(INT));
    for (uint32_t i = 0; i < n; i++) {
        const struct ctx_level *l = &p->levels[i];
        if (has_col(&c, l->ast->name)) {
            return bind_err(reterr, p->st->ast->span, "two contexts are called '" SLICE_FMT "'",
                            SLICE_ARG(l->ast->name));
        }
        c.col[c.n++] =
            (struct ecol){.name = l->ast->name, .ty = {.kind = TY_EVENT, .ev = l->props}};
    }
    *ret = ety_new(b->a, b->types, ETYPE_ANON, SLICE_NONE, c.col, c.n, NULL, 0);
    return *ret != NULL ? 0 : err_set(reterr, ERR_LIMIT, "the context is too large");
}

static int bind_level(struct ctx_plan *p, struct bind *b, uint32_t depth,
                      const struct ast_context *a, struct err *reterr)
{
    struct ctx_level *l = &p->levels[depth];
    *l = (struct ctx_level){.ast = a, .plan = p, .depth = depth, .kind = a->kind};
    int rc = 0;
    if (a->granularity != NULL) {
        struct scope none = {.no_aggs = "here"};
        b->scope = &none;
        rc = bind_const_int(b, a->granularity, "granularity", &l->granularity, reterr);
        b->scope = NULL;
        if (rc == 0 && (l->granularity < 1 || l->granularity > GRANULARITY_MAX)) {
            rc = bind_err(reterr, a->granularity->span, "granularity is between 1 and %d",
                          GRANULARITY_MAX);
        }
    }
    const struct etype *outer = p->props;
    rc = rc == 0 ? bind_streams(l, b, outer, reterr) : rc;
    rc = rc == 0 ? ctx_bind_points(l, b, outer, reterr) : rc;
    rc = rc == 0 ? level_props(l, b, reterr) : rc;
    rc = rc == 0 ? plan_props(p, b, depth + 1, &p->props, reterr) : rc;
    if (rc == 0 && l->kind == CTX_CATEGORY) { /* for errors, which belong here */
        struct ex *cond;
        const struct etype *t = l->streams[0].type;
        struct ctx_about about = {.type = t, .row = t, .span = p->st->ast->span};
        rc = ctx_conds(p, depth + 1, b, &about, &cond, reterr);
    }
    return rc == 0 ? ctx_bind_end(l, b, reterr) : rc;
}

int stmt_create_context(struct stmt *st, struct err *reterr)
{
    const struct ast_context *a = st->ast->ctx;
    struct bind b = stmt_bind(st);
    struct ctx_plan *p = ARENA_NEW(b.a, struct ctx_plan);
    bool nested = a->kind == CTX_NESTED;
    p->st = st;
    p->name = st->ast->name;
    p->n_levels = nested ? a->n_nested : 1;
    p->levels = arena_array(b.a, p->n_levels, sizeof *p->levels);
    int rc = 0;
    if (p->n_levels > LEVELS_MAX || p->n_levels < (nested ? 2 : 1)) {
        rc = bind_err(reterr, st->ast->span, "2 to %d contexts may be nested", LEVELS_MAX);
    }
    for (uint32_t i = 0; rc == 0 && i < p->n_levels; i++) {
        rc = bind_level(p, &b, i, nested ? &a->nested[i] : a, reterr);
    }
    (void)stmt_used(st, &b);
    struct cat_entry *e = rc == 0 ? eng_add(st, CAT_CONTEXT, p->name, reterr) : NULL;
    if (e == NULL) {
        return rc != 0 ? rc : -(int)reterr->code;
    }
    if (p->n_levels > 1) {
        st->rank |= 2ULL << 48; /* may change filters as it goes: after plain statements */
    }
    e->what = p;
    st->plan = p;
    st->ops = &ctx_ops;
    return 0;
}
