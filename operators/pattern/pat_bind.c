/* SPDX-License-Identifier: Apache-2.0
 *
 * Binding of patterns. First all tags are collected, in order of appearance: they are the columns
 * of the type of matches (a list of events for tags that repeat under until). Then nodes are bound
 * in order of the text, each filter in a scope of two streams: the event, and the match so far with
 * the tags seen before it. That partial view is a type of its own (for finding names) which the
 * full type lists as a supertype (for subqueries); in plain expressions its places are rewritten
 * to those of the full type, so that a tag is one load.
 */
#include "operators/pattern/pat_bind.h"

#include <assert.h>
#include <stdio.h>

struct row {
    const char *name, *text, *locality, *doc;
    const struct pat_def *def;
};

static const struct row rows[] = {
#define PAT(name, text, locality, doc) {#name, text, #locality, doc, &pat_def_##name},
#include "operators/pattern/pat.def"
#undef PAT
};

/* The guard or observer that is written so: timer:within, while. */
static const struct pat_def *find_def(const struct ast_pat *p)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        bool kind = p->kind == PAT_GUARD ? rows[i].def->guard : rows[i].def->observer;
        struct slice text = slice_str(rows[i].text);
        size_t colon = slice_find(text, ':');
        struct slice ns = colon < text.len ? slice_sub(text, 0, colon) : SLICE_NONE;
        struct slice name = colon < text.len ? slice_sub(text, colon + 1, text.len) : text;
        if (kind && slice_eq(ns, p->ns) && slice_eq(name, p->name)) {
            return rows[i].def;
        }
    }
    return NULL;
}

static int no_such(const struct ast_pat *p, struct err *reterr)
{
    char list[160] = "";
    size_t len = 0;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        bool kind = p->kind == PAT_GUARD ? rows[i].def->guard : rows[i].def->observer;
        if (kind && len < sizeof list) {
            len += (size_t)snprintf(list + len, sizeof list - len, "%s%s", len > 0 ? ", " : "",
                                    rows[i].text);
        }
    }
    return bind_err(reterr, p->span, "there is no %s '" SLICE_FMT "%s" SLICE_FMT "'; there is %s",
                    p->kind == PAT_GUARD ? "guard" : "observer", SLICE_ARG(p->ns),
                    p->ns.len > 0 ? ":" : "", SLICE_ARG(p->name), list);
}

/* ---- tags ---- */

int pat_tag_find(const struct pat_binder *x, struct slice name)
{
    for (size_t i = 0; i < x->tags.len; i++) {
        if (slice_eq(x->tags.ptr[i].name, name)) {
            return (int)i;
        }
    }
    return -1;
}

static int filter_type(struct pat_binder *x, const struct ast_stream *s, const struct etype **ret,
                       struct err *reterr)
{
    struct cat_entry *c = cat_type(x->b->cat, s->type);
    if (c == NULL) {
        struct slice near = cat_near(&x->b->cat->types, s->type);
        return bind_err(reterr, s->span, "there is no event type '" SLICE_FMT "'%s" SLICE_FMT "%s",
                        SLICE_ARG(s->type), near.len > 0 ? "; did you mean '" : "", SLICE_ARG(near),
                        near.len > 0 ? "'?" : "");
    }
    if (c->kind == CAT_TABLE) {
        return bind_err(reterr, s->span, "'" SLICE_FMT "' is a table: patterns wait for events",
                        SLICE_ARG(s->type));
    }
    if (s->n_views > 0 || s->n_contained > 0) {
        return bind_err(reterr, s->span, "inside of a pattern a stream has no window and no [...]");
    }
    bool known = false;
    VEC_EACH (&x->b->used, u) {
        known |= *u == c;
    }
    if (!known) {
        *VEC_PUSH(&x->b->used) = c;
    }
    *ret = c->type;
    return 0;
}

static int add_tag(struct pat_binder *x, const struct ast_pat *p, bool repeats, struct err *reterr)
{
    const struct etype *t = NULL;
    int rc = filter_type(x, p->stream, &t, reterr);
    if (rc != 0 || p->tag.len == 0) {
        return rc;
    }
    int at = pat_tag_find(x, p->tag);
    if (at < 0) {
        if (x->tags.len >= PAT_TAGS_MAX) {
            return bind_err(reterr, p->span, "a pattern has at most %d tags", PAT_TAGS_MAX);
        }
        *VEC_PUSH(&x->tags) = (struct pat_tag){.name = p->tag, .type = t, .repeats = repeats};
        return 0;
    }
    const struct pat_tag *have = &x->tags.ptr[at];
    if (have->type != t) {
        return bind_err(reterr, p->span, "tag '" SLICE_FMT "' is a " SLICE_FMT " elsewhere",
                        SLICE_ARG(p->tag), SLICE_ARG(have->type->name));
    }
    if (have->repeats != repeats) {
        return bind_err(reterr, p->span, "tag '" SLICE_FMT "' repeats elsewhere: it cannot be both",
                        SLICE_ARG(p->tag));
    }
    return 0;
}

static int collect_tags(struct pat_binder *x, const struct ast_pat *p, bool repeats,
                        struct err *reterr)
{
    if (p->kind == PAT_FILTER) {
        return add_tag(x, p, repeats, reterr);
    }
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < p->n_kids; i++) {
        bool body = p->kind == PAT_UNTIL && i == 0;
        rc = collect_tags(x, p->kids[i], repeats || body, reterr);
    }
    return rc;
}

static struct ty tag_ty(struct pat_binder *x, const struct pat_tag *t, bool list)
{
    struct ty ev = {.kind = TY_EVENT, .ev = t->type};
    return list ? ty_list(x->b->a, ev) : ev;
}

static int outer_tags(struct pat_binder *x, const struct etype *outer, struct err *reterr)
{
    for (uint32_t i = 0; outer != NULL && i < outer->n_cols; i++) {
        const struct ecol *c = &outer->cols[i];
        bool list = c->ty.kind == TY_LIST && c->ty.elem != NULL && c->ty.elem->kind == TY_EVENT;
        if (c->ty.kind != TY_EVENT && !list) {
            continue;
        }
        if (x->tags.len >= PAT_TAGS_MAX) {
            return err_set(reterr, ERR_LIMIT, "a pattern has at most %d tags", PAT_TAGS_MAX);
        }
        *VEC_PUSH(&x->tags) = (struct pat_tag){.name = c->name,
                                               .type = list ? c->ty.elem->ev : c->ty.ev,
                                               .repeats = list,
                                               .seen = true};
    }
    return 0;
}

static struct etype *full_type(struct pat_binder *x)
{
    struct ecol *cols = arena_array(x->b->a, x->tags.len + 1, sizeof *cols);
    uint32_t n = 0;
    VEC_EACH (&x->tags, t) {
        cols[n++] = (struct ecol){.name = t->name, .ty = tag_ty(x, t, t->repeats)};
    }
    return ety_new(x->b->a, x->b->types, ETYPE_ANON, SLICE_NONE, cols, n, NULL, 0);
}

/* The type of the tags seen so far, without `self`. */
static const struct etype *view_type(struct pat_binder *x, struct slice self)
{
    struct ecol *cols = arena_array(x->b->a, x->tags.len + 1, sizeof *cols);
    uint32_t n = 0;
    VEC_EACH (&x->tags, t) {
        if (t->seen && !slice_eq(t->name, self)) {
            cols[n++] =
                (struct ecol){.name = t->name, .ty = tag_ty(x, t, t->repeats && !t->in_body)};
        }
    }
    struct etype *v = ety_new(x->b->a, x->b->types, ETYPE_ANON, SLICE_NONE, cols, n, NULL, 0);
    *VEC_PUSH(&x->views) = v;
    return v;
}

/* The full type is an instance of all its partial views. */
static void finish_type(struct pat_binder *x)
{
    struct etype *f = x->full;
    f->supers = arena_array(x->b->a, x->views.len + 1, sizeof *f->supers);
    VEC_EACH (&x->views, v) {
        uint16_t *slot = arena_array(x->b->a, (*v)->n_cols + 1, sizeof *slot);
        for (uint32_t k = 0; k < (*v)->n_cols; k++) {
            slot[k] = (uint16_t)pat_tag_find(x, (*v)->cols[k].name);
        }
        f->supers[f->n_supers++] = (struct etype_super){*v, slot};
    }
}

/* ---- scopes ---- */

/* Places in the view become places in the full type. */
static void rewrite(struct pat_binder *x, struct ex *e, const struct etype *view)
{
    if (e->op == EX_PROP && e->of == view) {
        e->slot = (uint16_t)pat_tag_find(x, view->cols[e->slot].name);
        e->of = x->full;
    }
    for (uint32_t i = 0; i < e->n_args; i++) {
        rewrite(x, e->args[i], view);
    }
}

/* `x` as `tag.x`, if it is a property of the events of one tag alone; NULL else. */
static const struct ast_expr *through_tag(struct bind *b, const struct ast_expr *chain,
                                          const struct etype *view)
{
    const struct ecol *found = NULL;
    for (uint32_t i = 0; i < view->n_cols; i++) {
        const struct ecol *c = &view->cols[i];
        if (c->ty.kind == TY_EVENT && ety_col(c->ty.ev, chain->segs[0].name) >= 0) {
            if (found != NULL) {
                return NULL;
            }
            found = c;
        }
    }
    if (found == NULL) {
        return NULL;
    }
    struct ast_expr *e = ARENA_NEW(b->a, struct ast_expr);
    *e = *chain;
    e->n_segs = chain->n_segs + 1;
    e->segs = arena_array(b->a, e->n_segs, sizeof *e->segs);
    e->segs[0] = (struct ast_seg){.span = chain->span, .name = found->name};
    memcpy(e->segs + 1, chain->segs, chain->n_segs * sizeof *e->segs);
    return e;
}

/* First step of a chain: a name that is a property of the event as well as a tag is the property if
 * it stands alone, the tag before a dot. What is neither may be a property of a tag's events. */
static int prefer(struct bind *b, const struct ast_expr *chain, struct ex **ret, void *arg,
                  struct err *reterr)
{
    struct scope *s = arg;
    const struct ast_seg *seg = &chain->segs[0];
    bool param = false;
    for (const struct bind_param *p = s->params; p != NULL; p = p->next) {
        param |= slice_eq(p->name, seg->name);
    }
    if (b->scope != s || param || seg->is_call || chain->n_args > 0) {
        return 0;
    }
    const struct bind_stream *tags = &s->streams[s->n_streams - 1];
    bool is_tag = ety_col(tags->type, seg->name) >= 0;
    bool is_own = s->n_streams > 1 && (ety_col(s->streams[0].type, seg->name) >= 0 ||
                                       slice_eq(s->streams[0].alias, seg->name));
    struct scope one = *s;
    one.hook = NULL;
    one.n_streams = 1;
    one.streams = &s->streams[0];
    if (is_own && is_tag && chain->n_segs > 1) {
        one.streams = &s->streams[s->n_streams - 1];
    } else if (!is_own && !is_tag) {
        chain = through_tag(b, chain, tags->type);
        one.streams = &s->streams[s->n_streams - 1];
    } else if (!is_own || !is_tag) {
        return 0;
    }
    if (chain == NULL) {
        return 0;
    }
    b->scope = &one;
    int rc = bind_expr(b, chain, ret, reterr);
    b->scope = s;
    return rc == 0 ? 1 : rc;
}

static struct scope new_scope(const struct bind *b, struct bind_stream *streams, uint32_t n)
{
    struct scope s = {.streams = streams, .n_streams = n, .no_aggs = "not inside of a pattern"};
    if (b->scope != NULL) {
        s.context = b->scope->context;
        s.subquery = b->scope->subquery;
        s.subquery_arg = b->scope->subquery_arg;
    }
    return s;
}

int pat_bind_filter(struct pat_binder *x, const struct ast_stream *st, const struct etype *type,
                    struct slice self, struct route_filter *ret, struct err *reterr)
{
    struct bind *b = x->b;
    const struct etype *view = view_type(x, self);
    struct bind_stream streams[2] = {{.alias = self, .type = type, .num = 0},
                                     {.alias = SLICE_NONE, .type = view, .num = 1}};
    struct scope s = new_scope(b, streams, 2), *save = b->scope;
    s.hook = prefer;
    s.hook_arg = &s;
    b->scope = &s;
    struct ex *cond = NULL, *part = NULL;
    int rc = bind_filters(b, st->filters, st->n_filters, &cond, reterr);
    b->scope = save;
    if (rc == 0 && b->part != NULL) {
        rc = b->part(b, type, st->span, &part, reterr);
    }
    if (rc != 0) {
        return rc;
    }
    if (cond != NULL && part != NULL) {
        struct ex *both = ex_new(b, EX_AND, TY(BOOL), st->span, 2);
        both->args[0] = part;
        both->args[1] = cond;
        cond = both;
    } else if (cond == NULL) {
        cond = part;
    }
    if (cond != NULL) {
        rewrite(x, cond, view);
    }
    *ret = (struct route_filter){.type = type, .cond = cond};
    route_filter_init(b->a, ret);
    return 0;
}

const struct etype *pat_scope_open(struct pat_binder *x, struct pat_scope *ps)
{
    const struct etype *view = view_type(x, SLICE_NONE);
    ps->stream = (struct bind_stream){.alias = SLICE_NONE, .type = view, .num = 1};
    ps->s = new_scope(x->b, &ps->stream, 1);
    ps->save = x->b->scope;
    ps->s.hook = prefer;
    ps->s.hook_arg = &ps->s;
    x->b->scope = &ps->s;
    return view;
}

void pat_scope_close(struct pat_binder *x, struct pat_scope *ps)
{
    x->b->scope = ps->save;
}

int pat_bind_operand(struct pat_binder *x, const struct ast_expr *e, enum pat_want want,
                     const char *what, struct ex **ret, struct err *reterr)
{
    struct bind *b = x->b;
    struct pat_scope ps;
    struct ex *r = NULL;
    int rc = 0;
    const struct etype *view = pat_scope_open(x, &ps);
    if (want == PAT_WANT_PERIOD) {
        rc = bind_period(b, e, &r, reterr);
    } else if (want == PAT_WANT_COND) {
        rc = bind_cond(b, e, what, &r, reterr);
    } else {
        rc = bind_expr(b, e, &r, reterr);
    }
    pat_scope_close(x, &ps);
    if (rc != 0) {
        return rc;
    }
    if (want == PAT_WANT_INT && !ty_is_integer(r->ty)) {
        return bind_err(reterr, e->span, "%s wants a whole number", what);
    }
    rewrite(x, r, view);
    *ret = r;
    return 0;
}

/* ---- nodes ---- */

static const struct pat_def *def_of(const struct ast_pat *p)
{
    static const struct pat_def *const plain[] = {
        [PAT_FILTER] = &pat_def_filter,
        [PAT_EVERY] = &pat_def_every,
        [PAT_EVERY_DISTINCT] = &pat_def_distinct,
        [PAT_NOT] = &pat_def_not,
        [PAT_FOLLOWED] = &pat_def_followed,
        [PAT_AND] = &pat_def_and,
        [PAT_OR] = &pat_def_or,
        [PAT_UNTIL] = &pat_def_until,
    };
    if (p->kind <= PAT_UNTIL) {
        return plain[p->kind];
    }
    return find_def(p);
}

int pat_bind_kids(struct pat_binder *x, const struct ast_pat *p, struct pat_node *n,
                  struct err *reterr)
{
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < p->n_kids; i++) {
        rc = pat_bind_node(x, p->kids[i], &n->kids[i], reterr);
    }
    return rc;
}

int pat_bind_node(struct pat_binder *x, const struct ast_pat *p, struct pat_node **ret,
                  struct err *reterr)
{
    const struct pat_def *d = def_of(p);
    if (d == NULL) {
        return no_such(p, reterr);
    }
    while (p->kind == PAT_EVERY && p->kids[0]->kind == PAT_EVERY) {
        p = p->kids[0]; /* every every would double its state with each match */
    }
    if (x->n_nodes >= PAT_NODES_MAX) {
        return bind_err(reterr, p->span, "a pattern has at most %d parts", PAT_NODES_MAX);
    }
    struct pat_node *n = arena_zalloc(x->b->a, d->node_bytes);
    struct pat_node **kids = arena_array(x->b->a, p->n_kids + 1, sizeof *kids);
    if (n == NULL || kids == NULL) {
        return err_set(reterr, ERR_LIMIT, "the pattern is too large");
    }
    *n = (struct pat_node){.def = d, .kids = kids, .n_kids = p->n_kids, .id = x->n_nodes++};
    int rc = d->bind(x, p, n, reterr);
    if (rc == 0) {
        *ret = n;
    }
    return rc;
}

static const char *const annots_known[] = {"SuppressOverlappingMatches", "DiscardPartialsOnMatch"};

static int check_annots(const struct ast_annot *a, uint32_t n, struct err *reterr)
{
    for (uint32_t i = 0; i < n; i++) {
        bool known = false;
        for (size_t k = 0; k < ARRAY_LEN(annots_known); k++) {
            known |= slice_eq_nocase(a[i].name, slice_str(annots_known[k]));
        }
        if (!known) {
            return bind_err(reterr, a[i].span,
                            "a pattern has no annotation '@" SLICE_FMT "'; it has @%s, @%s",
                            SLICE_ARG(a[i].name), annots_known[0], annots_known[1]);
        }
    }
    return 0;
}

static bool has_annot(const struct ast_annot *a, uint32_t n, const char *name)
{
    for (uint32_t i = 0; i < n; i++) {
        if (slice_eq_nocase(a[i].name, slice_str(name))) {
            return true;
        }
    }
    return false;
}

/* Where each node stands. */
static void place(struct pat_node *n)
{
    for (uint32_t k = 0; k < n->n_kids; k++) {
        struct pat_node *kid = n->kids[k];
        kid->up = n;
        kid->slot = k;
        kid->late = n->late || (k > 0 && n->def->passes_on);
        place(kid);
    }
}

int pat_bind(struct bind *b, const struct ast_pat *p, const struct ast_annot *annots,
             uint32_t n_annots, const struct etype *outer, struct pat_plan *ret, struct err *reterr)
{
    struct pat_binder x = {.b = b};
    struct pat_plan plan = {.suppress_overlapping = has_annot(annots, n_annots, annots_known[0]),
                            .discard_partials = has_annot(annots, n_annots, annots_known[1])};
    int rc = check_annots(annots, n_annots, reterr);
    rc = rc == 0 ? outer_tags(&x, outer, reterr) : rc;
    if (rc == 0) {
        rc = collect_tags(&x, p, false, reterr);
    }
    if (rc != 0) {
        goto out;
    }
    x.full = full_type(&x);
    rc = x.full != NULL ? 0 : err_set(reterr, ERR_LIMIT, "the pattern is too large");
    if (rc == 0) {
        rc = pat_bind_node(&x, p, &plan.root, reterr);
    }
    pat_order_finish(&x);
    if (rc == 0) {
        place(plan.root);
        finish_type(&x);
        plan.type = x.full;
        plan.n_nodes = x.n_nodes;
        *ret = plan;
    }
out:
    VEC_DONE(&x.tags);
    VEC_DONE(&x.views);
    return rc;
}
