/* SPDX-License-Identifier: Apache-2.0
 *
 * Binding of chains: `s.tags('pod')[0].getX()`. The first step is looked for, in this order: what
 * the scope's hook takes, parameters, the context, streams by alias and their properties, then the
 * scope around (a subquery's), then variables, tables, declared expressions, built-ins,
 * aggregations and functions. Every further step is a member of what stands before it.
 */
#include "core/base/buf.h"
#include "operators/plan/bind_fn.h"
#include "operators/plan/bind_impl.h"

#include <assert.h>

/* ---- members ---- */

static struct ex *indexed(struct bind *b, struct ex *of, struct ex *at, struct span span)
{
    struct ty t = of->ty.kind == TY_LIST && of->ty.elem != NULL ? *of->ty.elem : TY(OBJECT);
    struct ex *x = ex_new(b, EX_INDEX, t, span, 2);
    x->args[0] = of;
    x->args[1] = at;
    return x;
}

static int add_indexes(struct bind *b, struct ex *x, const struct ast_seg *seg, struct ex **ret,
                       struct err *reterr)
{
    for (uint32_t i = 0; seg->has_index && i < seg->n_args; i++) {
        struct ex *at = NULL;
        int rc = bind_expr(b, seg->args[i], &at, reterr);
        if (rc != 0) {
            return rc;
        }
        if (!ty_is_integer(at->ty) || (x->ty.kind != TY_LIST && x->ty.kind != TY_OBJECT)) {
            return bind_err(reterr, seg->span,
                            "'" SLICE_FMT "' is not a list to take an element of",
                            SLICE_ARG(seg->name));
        }
        x = indexed(b, x, at, seg->span);
    }
    *ret = x;
    return 0;
}

static int add_key(struct bind *b, struct ex *map, const struct ast_seg *seg, struct ex **ret,
                   struct err *reterr)
{
    struct ty t = map->ty.elem != NULL ? *map->ty.elem : TY(OBJECT);
    struct ex *x = ex_new(b, EX_KEY, t, seg->span, 2);
    x->args[0] = map;
    int rc = bind_expr(b, seg->args[0], &x->args[1], reterr);
    if (rc == 0) {
        x->name = seg->name;
        *ret = x;
    }
    return rc;
}

static bool is_key_call(const struct ast_seg *seg, struct ty t)
{
    return seg->is_call && seg->n_args == 1 && !seg->star &&
           (t.kind == TY_MAP || t.kind == TY_OBJECT);
}

static struct ex *dynamic(struct bind *b, struct ex *of, const struct ast_seg *seg)
{
    struct ex *x = ex_new(b, EX_DYN, TY(OBJECT), seg->span, 1);
    x->args[0] = of;
    x->name = seg->name;
    return x;
}

/* Column `at` of the event `of`. */
static struct ex *column(struct bind *b, struct ex *of, const struct etype *t, int at,
                         struct span span)
{
    const struct ecol *c = &t->cols[at];
    if (t->kind == ETYPE_VARIANT) {
        struct ex *x = ex_new(b, EX_DYN, c->ty, span, 1);
        x->args[0] = of;
        x->name = c->name;
        return x;
    }
    bool plain = of->op == EX_STREAM && !c->agg;
    struct ex *x = ex_new(b,
                          c->agg  ? EX_TABLE_COL
                          : plain ? EX_PROP
                                  : EX_FIELD,
                          c->ty, span, plain ? 0 : 1);
    if (!plain) {
        x->args[0] = of;
    } else {
        x->level = of->level;
        x->stream = of->stream;
    }
    x->of = t;
    x->slot = (uint16_t)at;
    x->name = c->name;
    x->data = c->call;
    return x;
}

/* What comes behind a property's name: an index, a key, a call. */
static int finish(struct bind *b, struct ex *x, const struct ast_seg *seg, struct ex **ret,
                  struct err *reterr)
{
    if (seg->is_call) {
        return add_key(b, x, seg, ret, reterr);
    }
    return add_indexes(b, x, seg, ret, reterr);
}

static int no_member(struct bind *b, const struct ex *of, const struct ast_seg *seg,
                     struct err *reterr)
{
    struct slice t = bind_type_text(b, of->ty), near = SLICE_NONE;
    unsigned least = 3;
    for (uint32_t i = 0; of->ty.kind == TY_EVENT && i < of->ty.ev->n_cols; i++) {
        unsigned d = slice_distance(of->ty.ev->cols[i].name, seg->name, least);
        if (d < least) {
            least = d;
            near = of->ty.ev->cols[i].name;
        }
    }
    const char *what = seg->is_call ? "method" : "property";
    if (near.len > 0) {
        return bind_err(reterr, seg->span,
                        "a " SLICE_FMT " has no %s '" SLICE_FMT "'; did you mean '" SLICE_FMT "'?",
                        SLICE_ARG(t), what, SLICE_ARG(seg->name), SLICE_ARG(near));
    }
    return bind_err(reterr, seg->span, "a " SLICE_FMT " has no %s '" SLICE_FMT "'", SLICE_ARG(t),
                    what, SLICE_ARG(seg->name));
}

static int event_member(struct bind *b, struct ex *of, const struct ast_seg *seg, struct ex **ret,
                        struct err *reterr)
{
    const struct etype *t = of->ty.ev;
    int at = ety_col(t, seg->name);
    if (at >= 0 && (!seg->is_call || is_key_call(seg, t->cols[at].ty))) {
        int rc = finish(b, column(b, of, t, at, seg->span), seg, ret, reterr);
        return rc == 0 ? 1 : rc;
    }
    if (!seg->is_call && (seg->optional || t->open)) {
        int rc = finish(b, dynamic(b, of, seg), seg, ret, reterr);
        return rc == 0 ? 1 : rc;
    }
    if (seg->optional && is_key_call(seg, TY(OBJECT))) {
        int rc = add_key(b, dynamic(b, of, seg), seg, ret, reterr);
        return rc == 0 ? 1 : rc;
    }
    return 0;
}

int bind_member(struct bind *b, struct ex *of, const struct ast_seg *seg, struct ex **ret,
                struct err *reterr)
{
    int rc = 0;
    if (of->ty.kind == TY_EVENT) {
        rc = event_member(b, of, seg, ret, reterr);
    } else if (!seg->is_call && (of->ty.kind == TY_OBJECT || of->ty.kind == TY_MAP) &&
               (seg->optional || of->ty.kind == TY_MAP || of->op == EX_DYN)) {
        struct ex *x = dynamic(b, of, seg);
        x->ty = of->ty.kind == TY_MAP && of->ty.elem != NULL ? *of->ty.elem : x->ty;
        rc = add_indexes(b, x, seg, ret, reterr);
        rc = rc == 0 ? 1 : rc;
    }
    if (rc == 0 && seg->is_call && (of->op == EX_AGG || of->op == EX_TABLE_COL) &&
        b->agg_method != NULL) {
        rc = b->agg_method(b, of, seg, ret, reterr);
    }
    if (rc == 0 && seg->is_call) {
        rc = bind_method(b, of, seg, ret, reterr);
    }
    if (rc == 0) {
        return no_member(b, of, seg, reterr);
    }
    return rc < 0 ? rc : 0;
}

/* ---- the first step ---- */

static struct ex *stream_ex(struct bind *b, const struct bind_stream *s, struct span span)
{
    struct ex *x = ex_new(b, EX_STREAM, ((struct ty){.kind = TY_EVENT, .ev = s->type}), span, 0);
    x->stream = s->num;
    x->of = s->type;
    return x;
}

int bind_property(struct bind *b, const struct ast_seg *seg, struct ex **ret, struct err *reterr)
{
    const struct bind_stream *found = NULL;
    for (uint32_t i = 0; i < b->scope->n_streams; i++) {
        const struct bind_stream *s = &b->scope->streams[i];
        int at = s->named_only || s->type == NULL ? -1 : ety_col(s->type, seg->name);
        if (at < 0 || (seg->is_call && !is_key_call(seg, s->type->cols[at].ty))) {
            continue;
        }
        if (found != NULL && b->scope->first_wins) {
            continue;
        }
        if (found != NULL) {
            return bind_err(reterr, seg->span,
                            "'" SLICE_FMT
                            "' is in more than one stream: say which, as in '" SLICE_FMT
                            "." SLICE_FMT "'",
                            SLICE_ARG(seg->name), SLICE_ARG(found->alias), SLICE_ARG(seg->name));
        }
        found = s;
    }
    if (found == NULL) {
        return 0;
    }
    struct ex *x = column(b, stream_ex(b, found, seg->span), found->type,
                          ety_col(found->type, seg->name), seg->span);
    int rc = finish(b, x, seg, ret, reterr);
    return rc == 0 ? 1 : rc;
}

static const struct bind_stream *alias(const struct scope *s, struct slice name)
{
    for (uint32_t i = 0; i < s->n_streams; i++) {
        if (s->streams[i].alias.len > 0 && slice_eq(s->streams[i].alias, name)) {
            return &s->streams[i];
        }
    }
    return NULL;
}

static int parameter(struct bind *b, const struct ast_seg *seg, struct ex **ret, struct err *reterr)
{
    for (const struct bind_param *p = b->scope->params; p != NULL; p = p->next) {
        if (!slice_eq(p->name, seg->name) || seg->is_call) {
            continue;
        }
        struct ex *x = NULL;
        if (p->arg != NULL) {
            struct scope *save = b->scope;
            b->scope = p->arg_scope;
            int rc = bind_expr(b, p->arg, &x, reterr);
            b->scope = save;
            if (rc != 0) {
                return rc;
            }
        } else {
            x = ex_new(b, EX_LAMBDA, p->ty, seg->span, 0);
            x->slot = p->slot;
        }
        int rc = add_indexes(b, x, seg, ret, reterr);
        return rc == 0 ? 1 : rc;
    }
    return 0;
}

/* A property of an event that a lambda's parameter stands for, named without it. */
static int parameter_property(struct bind *b, const struct ast_seg *seg, struct ex **ret,
                              struct err *reterr)
{
    for (const struct bind_param *p = b->scope->params; p != NULL; p = p->next) {
        if (p->arg != NULL || p->ty.kind != TY_EVENT || ety_col(p->ty.ev, seg->name) < 0) {
            continue;
        }
        struct ex *x = ex_new(b, EX_LAMBDA, p->ty, seg->span, 0);
        x->slot = p->slot;
        return event_member(b, x, seg, ret, reterr);
    }
    return 0;
}

/* The stream that A.x means where A is the type of its events, though it is called by another name.
 */
static const struct bind_stream *of_type(const struct scope *s, const struct ast_expr *e)
{
    for (uint32_t i = 0; e->n_segs > 1 && i < s->n_streams; i++) {
        const struct bind_stream *of = &s->streams[i];
        if (of->type != NULL && slice_eq(of->type->name, e->segs[0].name) &&
            ety_col(of->type, e->segs[1].name) >= 0) {
            return of;
        }
    }
    return NULL;
}

/* w.k where this scope has a number or text w, which has no k, and a stream outside is called w. */
static bool means_outer(const struct scope *s, const struct ast_expr *e, struct ty mine)
{
    if (e->n_segs < 2 || e->segs[1].is_call || mine.kind == TY_EVENT || mine.kind == TY_MAP ||
        mine.kind == TY_OBJECT || mine.kind == TY_LIST) {
        return false;
    }
    for (s = s->outer; s != NULL; s = s->outer) {
        const struct bind_stream *of = alias(s, e->segs[0].name);
        if (of != NULL && ety_col(of->type, e->segs[1].name) >= 0) {
            return true;
        }
    }
    return false;
}

/* Steps taken, 0 if the name is none of this scope, < 0 on errors. */
static int in_scope(struct bind *b, const struct ast_expr *e, struct ex **ret, struct err *reterr)
{
    const struct ast_seg *seg = &e->segs[0];
    struct scope *s = b->scope;
    int rc = parameter(b, seg, ret, reterr);
    if (rc != 0) {
        return rc;
    }
    if (s->pseudo != NULL && !seg->is_call && ety_col(s->pseudo, seg->name) >= 0) {
        int at = ety_col(s->pseudo, seg->name);
        *ret = ex_new(b, EX_WINDOW_PROP, s->pseudo->cols[at].ty, seg->span, 0);
        (*ret)->slot = (uint16_t)at;
        return 1;
    }
    const struct bind_stream *named = seg->is_call || seg->has_index ? NULL : alias(s, seg->name);
    if (named != NULL && e->n_segs > 1) { /* s.p wins if s has p, or nothing has s */
        bool has = ety_col(named->type, e->segs[1].name) >= 0;
        if (has || named->named_only) {
            *ret = stream_ex(b, named, seg->span);
            return 1;
        }
    }
    rc = bind_property(b, seg, ret, reterr);
    if (rc > 0 && means_outer(s, e, (*ret)->ty)) {
        return 0;
    }
    if (rc != 0) {
        return rc;
    }
    const struct bind_stream *typed = seg->is_call || seg->has_index ? NULL : of_type(s, e);
    if (typed != NULL || named != NULL) {
        *ret = stream_ex(b, typed != NULL ? typed : named, seg->span);
        return 1;
    }
    return parameter_property(b, seg, ret, reterr);
}

static int context_member(struct bind *b, const struct ast_expr *e, struct ex **ret,
                          struct err *reterr)
{
    const struct scope *s = b->scope;
    while (s != NULL && s->context == NULL) {
        s = s->outer;
    }
    if (s == NULL || e->n_segs < 2 || !slice_eq(e->segs[0].name, SLICE("context")) ||
        e->segs[0].is_call) {
        return 0;
    }
    const struct ast_seg *seg = &e->segs[1];
    int at = ety_col(s->context, seg->name);
    if (at < 0) {
        return bind_err(reterr, seg->span, "the context has no property '" SLICE_FMT "'",
                        SLICE_ARG(seg->name));
    }
    *ret = ex_new(b, EX_CONTEXT, s->context->cols[at].ty, seg->span, 0);
    (*ret)->slot = (uint16_t)at;
    (*ret)->of = s->context;
    b->uses_context = true;
    return 2;
}

static void shift(struct ex *e, uint16_t by)
{
    switch (e->op) {
    case EX_PROP:
    case EX_STREAM: e->level = (uint16_t)(e->level + by); break;
    default: break;
    }
    for (uint32_t i = 0; i < e->n_args; i++) {
        shift(e->args[i], by);
    }
}

/* T.keys(): of the table, even where its rows are a stream of that name. */
static bool asks_for_keys(struct bind *b, const struct ast_expr *e)
{
    if (e->n_segs < 2 || e->segs[0].is_call || !e->segs[1].is_call ||
        !slice_eq_nocase(e->segs[1].name, SLICE("keys"))) {
        return false;
    }
    const struct cat_entry *c = cat_type(b->cat, e->segs[0].name);
    return c != NULL && c->kind == CAT_TABLE;
}

static int in_scopes(struct bind *b, const struct ast_expr *e, struct ex **ret, struct err *reterr)
{
    struct scope *save = b->scope;
    uint16_t depth = 0;
    int rc = 0;
    if (asks_for_keys(b, e)) {
        return 0;
    }
    for (struct scope *s = save; s != NULL && rc == 0; s = s->outer, depth++) {
        b->scope = s;
        if (s->hook != NULL) {
            rc = s->hook(b, e, ret, s->hook_arg, reterr);
            rc = rc == 1 ? (int)e->n_segs : rc;
        }
        if (rc == 0) {
            rc = in_scope(b, e, ret, reterr);
        }
        if (rc > 0 && depth > 0) {
            shift(*ret, depth);
        }
    }
    b->scope = save;
    return rc;
}

static void used(struct bind *b, struct cat_entry *c)
{
    VEC_EACH (&b->used, u) {
        if (*u == c) {
            return;
        }
    }
    *VEC_PUSH(&b->used) = c;
}

static int variable(struct bind *b, const struct ast_expr *e, struct ex **ret, struct err *reterr)
{
    struct cat_entry *c = e->segs[0].is_call ? NULL : cat_var(b->cat, e->segs[0].name);
    if (c == NULL) {
        return 0;
    }
    used(b, c);
    struct ex *x = ex_new(b, EX_VAR, c->ty, e->segs[0].span, 0);
    x->var = c->what;
    x->name = c->name;
    int rc = add_indexes(b, x, &e->segs[0], ret, reterr);
    return rc == 0 ? 1 : rc;
}

static int table_row(struct bind *b, struct cat_entry *c, const struct ast_seg *seg,
                     struct ex **ret, struct err *reterr)
{
    uint32_t keys = 0, n = seg->has_index ? seg->n_args : 0;
    struct ex *x =
        ex_new(b, EX_TABLE_ROW, ((struct ty){.kind = TY_EVENT, .ev = c->type}), seg->span, n);
    for (uint32_t i = 0; i < c->type->n_cols; i++) {
        if (!c->type->cols[i].key) {
            continue;
        }
        if (keys < n) {
            int rc = bind_expr(b, seg->args[keys], &x->args[keys], reterr);
            if (rc != 0) {
                return rc;
            }
            struct ty want = c->type->cols[i].ty;
            if (!ty_comparable(x->args[keys]->ty, want)) {
                return bind_err(reterr, seg->span, "key %u of table '" SLICE_FMT "' is a %s",
                                keys + 1, SLICE_ARG(c->name), ty_name(want.kind));
            }
        }
        keys++;
    }
    if (keys != n) {
        return bind_err(reterr, seg->span,
                        "table '" SLICE_FMT "' has %u key columns: give %s in []",
                        SLICE_ARG(c->name), keys, keys == 1 ? "one value" : "as many values");
    }
    x->table = c->what;
    *ret = x;
    return 1;
}

static int table(struct bind *b, const struct ast_expr *e, struct ex **ret, struct err *reterr)
{
    const struct ast_seg *seg = &e->segs[0];
    struct cat_entry *c = seg->is_call ? NULL : cat_type(b->cat, seg->name);
    if (c == NULL || c->kind != CAT_TABLE) {
        return 0;
    }
    used(b, c);
    if (e->n_segs >= 2 && e->segs[1].is_call && slice_eq_nocase(e->segs[1].name, SLICE("keys"))) {
        struct ty t = TY(OBJECT);
        uint32_t keys = 0;
        for (uint32_t i = 0; i < c->type->n_cols; i++) {
            if (c->type->cols[i].key) {
                t = keys++ == 0 ? c->type->cols[i].ty : TY(OBJECT);
            }
        }
        *ret = ex_new(b, EX_TABLE_KEYS, ty_list(b->a, t), seg->span, 0);
        (*ret)->table = c->what;
        return 2;
    }
    return table_row(b, c, seg, ret, reterr);
}

static const struct ast_decl *declared(struct bind *b, struct slice name)
{
    for (uint32_t i = 0; i < b->n_decls; i++) {
        if (slice_eq(b->decls[i].name, name)) {
            return &b->decls[i];
        }
    }
    struct cat_entry *c = cat_decl(b->cat, name);
    if (c != NULL) {
        used(b, c);
    }
    return c != NULL ? c->decl : NULL;
}

enum { EXPANDED_MAX = 50000 };

/* A declared expression is bound anew where it is used, its parameters standing for the arguments.
 */
/* f(*): the event of the only stream. */
static const struct ast_expr *star_argument(struct bind *b, const struct ast_seg *seg)
{
    if (!seg->star || seg->n_args > 0 || b->scope->n_streams != 1) {
        return NULL;
    }
    const struct bind_stream *s = &b->scope->streams[0];
    struct ast_expr *e = ARENA_NEW(b->a, struct ast_expr);
    struct ast_seg *name = ARENA_NEW(b->a, struct ast_seg);
    *name =
        (struct ast_seg){.span = seg->span, .name = s->alias.len > 0 ? s->alias : s->type->name};
    *e = (struct ast_expr){.kind = AST_CHAIN, .span = seg->span, .segs = name, .n_segs = 1};
    return e;
}

static int declaration(struct bind *b, const struct ast_expr *e, struct ex **ret,
                       struct err *reterr)
{
    const struct ast_seg *seg = &e->segs[0];
    const struct ast_decl *d = declared(b, seg->name);
    if (d == NULL || (!d->alias && !seg->is_call)) {
        return 0;
    }
    const struct ast_expr *star = star_argument(b, seg);
    uint32_t n = star != NULL ? 1 : seg->is_call ? seg->n_args : 0;
    if (n != d->n_params) {
        return bind_err(reterr, seg->span, "expression '" SLICE_FMT "' has %u parameters, not %u",
                        SLICE_ARG(d->name), d->n_params, n);
    }
    if (b->n_nodes > EXPANDED_MAX) {
        return bind_err(reterr, seg->span,
                        "declared expressions that use each other come to more than %d operations",
                        EXPANDED_MAX);
    }
    struct scope body = *b->scope, *save = b->scope;
    body.params = NULL;
    for (uint32_t i = 0; i < n; i++) {
        struct bind_param *p = ARENA_NEW(b->a, struct bind_param);
        *p = (struct bind_param){.name = d->params[i],
                                 .arg = star != NULL ? star : seg->args[i],
                                 .arg_scope = save,
                                 .next = body.params};
        body.params = p;
    }
    struct scope *kept = ARENA_NEW(b->a, struct scope); /* subqueries may refer to it later */
    *kept = body;
    if (!d->alias && n == 0) { /* it sees events through parameters only */
        kept->n_streams = 0;
        kept->outer = NULL;
    }
    b->scope = kept;
    int rc = bind_expr(b, d->body, ret, reterr);
    b->scope = save;
    return rc == 0 ? 1 : rc;
}

/* a.b.C.method(args): the longest prefix that ends in a call. */
static int dotted_function(struct bind *b, const struct ast_expr *e, struct ex **ret,
                           struct err *reterr)
{
    struct buf name;
    buf_init(&name, 512);
    int rc = 0;
    for (uint32_t i = 0; i < e->n_segs && rc == 0; i++) {
        if (i > 0) {
            (void)buf_add_byte(&name, '.');
        }
        (void)buf_add_slice(&name, e->segs[i].name);
        if (e->segs[i].has_index || e->segs[i].optional) {
            break;
        }
        if (e->segs[i].is_call) {
            rc = bind_function(b, buf_slice(&name), &e->segs[i], e->segs[0].span, ret, reterr);
            rc = rc == 1 ? (int)i + 1 : rc;
            break;
        }
        rc = bind_constant(b, buf_slice(&name), e->segs[0].span, ret) == 1 ? (int)i + 1 : 0;
    }
    buf_done(&name);
    return rc;
}

static int unknown(struct bind *b, const struct ast_expr *e, struct err *reterr)
{
    const struct ast_seg *seg = &e->segs[0];
    struct slice near = SLICE_NONE;
    unsigned least = 3;
    for (uint32_t i = 0; i < b->scope->n_streams; i++) {
        const struct bind_stream *s = &b->scope->streams[i];
        for (uint32_t k = 0; s->type != NULL && k < s->type->n_cols; k++) {
            unsigned d = slice_distance(s->type->cols[k].name, seg->name, least);
            if (d < least) {
                least = d;
                near = s->type->cols[k].name;
            }
        }
    }
    const char *what = seg->is_call ? "function" : "property";
    if (near.len > 0) {
        return bind_err(reterr, seg->span,
                        "there is no %s '" SLICE_FMT "'; did you mean '" SLICE_FMT "'?", what,
                        SLICE_ARG(seg->name), SLICE_ARG(near));
    }
    return bind_err(reterr, seg->span, "there is no %s '" SLICE_FMT "' here", what,
                    SLICE_ARG(seg->name));
}

/* x? of the first stream that is seen without an alias. */
static int dynamic_first(struct bind *b, const struct ast_expr *e, struct ex **ret,
                         struct err *reterr)
{
    const struct ast_seg *seg = &e->segs[0];
    if (seg->is_call && !is_key_call(seg, TY(OBJECT))) {
        return 0;
    }
    for (uint32_t i = 0; i < b->scope->n_streams; i++) {
        const struct bind_stream *s = &b->scope->streams[i];
        if (s->named_only || s->type == NULL || (!seg->optional && !s->type->open)) {
            continue;
        }
        struct ex *x = dynamic(b, stream_ex(b, s, seg->span), seg);
        int rc =
            seg->is_call ? add_key(b, x, seg, ret, reterr) : add_indexes(b, x, seg, ret, reterr);
        return rc == 0 ? 1 : rc;
    }
    return 0;
}

static int first_step(struct bind *b, const struct ast_expr *e, struct ex **ret, struct err *reterr)
{
    const struct ast_seg *seg = &e->segs[0];
    int rc = context_member(b, e, ret, reterr);
    rc = rc == 0 ? in_scopes(b, e, ret, reterr) : rc;
    rc = rc == 0 ? variable(b, e, ret, reterr) : rc;
    rc = rc == 0 ? table(b, e, ret, reterr) : rc;
    rc = rc == 0 ? declaration(b, e, ret, reterr) : rc;
    rc = rc == 0 ? bind_builtin(b, e, seg, ret, reterr) : rc;
    if (rc == 0 && seg->is_call && b->agg != NULL) {
        rc = b->agg(b, seg, seg->span, ret, reterr);
    }
    rc = rc == 0 ? dotted_function(b, e, ret, reterr) : rc;
    rc = rc == 0 ? dynamic_first(b, e, ret, reterr) : rc;
    return rc == 0 ? unknown(b, e, reterr) : rc;
}

/* What stands before the first step where that is no name: (a).b, {1, 2}[0] */
static int head(struct bind *b, const struct ast_expr *e, struct ex **ret, struct err *reterr)
{
    const struct ast_seg *seg = &e->segs[0];
    bool was = b->subq_list;
    b->subq_list = e->args[0]->kind == AST_SUBQUERY && seg->is_call &&
                   fn_find(FN_ENUM, seg->name, NULL) != NULL;
    int rc = bind_expr(b, e->args[0], ret, reterr);
    b->subq_list = was;
    return rc;
}

int bind_chain(struct bind *b, const struct ast_expr *e, struct ex **ret, struct err *reterr)
{
    assert(e->n_segs > 0);
    struct ex *x = NULL;
    int at = 0;
    if (e->n_args > 0) {
        int rc = head(b, e, &x, reterr);
        if (rc != 0) {
            return rc;
        }
    } else {
        at = first_step(b, e, &x, reterr);
        if (at < 0) {
            return at;
        }
    }
    for (uint32_t i = (uint32_t)at; i < e->n_segs; i++) {
        const struct ast_seg *seg = &e->segs[i];
        bool index = seg->name.len == 0 && seg->has_index; /* behind a call, a bracket, an index */
        int rc = index ? add_indexes(b, x, seg, &x, reterr) : bind_member(b, x, seg, &x, reterr);
        if (rc != 0) {
            return rc;
        }
    }
    *ret = x;
    return 0;
}
