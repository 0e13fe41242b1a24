/* SPDX-License-Identifier: Apache-2.0
 *
 * Expressions that may be part of a key: values of one event, in a canonical text, so that the same
 * value is found again wherever it is written; and what else expressions look at. Conversions of
 * numbers are left out: key bytes say a whole number in one way whatever its type.
 */
#include "operators/graph/keys_build.h"
#include "operators/graph/nwin.h"
#include "operators/graph/subq.h"
#include "operators/sig/fn.h"
#include "operators/table/table.h"

#include <assert.h>

enum { TEXT_MAX = 4096, ARGS_MAX = 16 };

static bool fits(struct ty t)
{
    return t.kind == TY_BOOL || t.kind == TY_STRING || (t.kind >= TY_BYTE && t.kind <= TY_DOUBLE);
}

struct keys_place *keys_place(struct keys_facts *f, const struct etype *t, bool events)
{
    struct keys_place *p = keys_place_of(f, t);
    if (p != NULL) {
        p->events &= events;
        return p;
    }
    p = ARENA_NEW(f->a, struct keys_place);
    *p = (struct keys_place){
        .type = t, .events = events && t->kind != ETYPE_WINDOW, .no = (uint32_t)f->places.len};
    void **slot = map_put(&f->by_type, slice_of((const char *)&p->type, sizeof p->type));
    assert(slot != NULL);
    *slot = p;
    *VEC_PUSH(&f->places) = p;
    return p;
}

int keys_intern(struct keys_facts *f, struct keys_place *p, struct slice text, const struct ex *e)
{
    for (size_t i = 0; i < p->exprs.len; i++) {
        if (slice_eq(p->exprs.ptr[i].text, text)) {
            return (int)i;
        }
    }
    if (p->exprs.len == KEYS_EXPRS_MAX) {
        return -1;
    }
    *VEC_PUSH(&p->exprs) = (struct keys_expr){arena_copy(f->a, text), e};
    return (int)p->exprs.len - 1;
}

int keys_column(struct keys_facts *f, struct keys_place *p, const struct etype *t, uint32_t col)
{
    assert(col < t->n_cols);
    if (!fits(t->cols[col].ty) || t->cols[col].agg || t->cols[col].name.len == 0) {
        return -1;
    }
    struct ex *e = ARENA_NEW(f->a, struct ex);
    *e = (struct ex){
        .home = f->a, .op = EX_PROP, .ty = t->cols[col].ty, .of = t, .slot = (uint16_t)col};
    return keys_intern(f, p, t->cols[col].name, e);
}

/* ---- canonical form ---- */

struct taking {
    struct keys_build *b;
    const struct keys_scope *sc;
    int src; /* -1: none so far */
    struct buf *text;
};

static struct ex *take(struct taking *t, const struct ex *e);

/* One that lives in the plan, with programs of its own. */
static struct ex *copy_of(struct taking *t, const struct ex *e)
{
    struct ex *x = ARENA_NEW(t->b->f->a, struct ex);
    *x = *e;
    x->home = t->b->f->a;
    x->value = x->decision = NULL;
    return x;
}

static bool is_of(struct taking *t, int src)
{
    if (src < 0 || (t->src >= 0 && t->src != src)) {
        return false;
    }
    t->src = src;
    return true;
}

static struct ex *event_itself(struct taking *t, const struct ex *e)
{
    struct ex *x = ARENA_NEW(t->b->f->a, struct ex);
    *x =
        (struct ex){.home = t->b->f->a, .op = EX_STREAM, .ty = e->ty, .span = e->span, .of = e->of};
    return x;
}

static const struct keys_base *base_of(const struct taking *t, const struct ex *e)
{
    const struct keys_scope *sc = t->sc;
    for (uint16_t l = e->level; l > 0 && sc != NULL; l--) {
        sc = sc->outer;
    }
    if (sc == NULL || (!sc->one && e->stream >= sc->n)) {
        return NULL;
    }
    return &sc->bases[sc->one ? 0 : e->stream];
}

static bool of_group_columns(const struct keys_base *base, const struct ex *e)
{
    const struct view_plan *v = base->views;
    return v == NULL || e->slot + v->n_group_cols >= v->out->n_cols;
}

static struct ex *take_prop(struct taking *t, const struct ex *e)
{
    const struct keys_base *base = base_of(t, e);
    if (base == NULL) {
        return NULL;
    }
    if (base->n_tags > 0) {
        bool tag = e->op == EX_PROP && e->slot < base->n_tags && e->ty.kind == TY_EVENT;
        return tag && is_of(t, base->tag_src[e->slot]) ? event_itself(t, e) : NULL;
    }
    if (!is_of(t, base->src) || (e->op == EX_PROP && !of_group_columns(base, e))) {
        return NULL;
    }
    struct ex *x = copy_of(t, e);
    x->level = 0;
    x->stream = 0;
    if (e->op == EX_PROP) {
        (void)buf_add_slice(t->text, e->of->cols[e->slot].name);
    }
    return x;
}

static struct ex *take_field(struct taking *t, const struct ex *e)
{
    struct ex *of = NULL;
    if (e->args[0]->op == EX_CONTEXT) { /* a tag of the event that opened the partition */
        const struct keys_build *b = t->b;
        uint32_t tag = (uint32_t)(e->args[0]->slot - b->tags);
        bool known = b->initiator >= 0 && e->args[0]->slot >= b->tags && tag < b->n_tags;
        of = known && is_of(t, b->tag_src[tag]) ? event_itself(t, e->args[0]) : NULL;
    } else {
        of = take(t, e->args[0]);
    }
    if (of == NULL) {
        return NULL;
    }
    struct ex *x = copy_of(t, e);
    if (of->op == EX_STREAM) {
        x->op = EX_PROP;
        x->level = x->stream = 0;
        x->n_args = 0;
        x->args = NULL;
    } else {
        x->args = arena_array(t->b->f->a, 1, sizeof(struct ex *));
        x->args[0] = of;
        (void)buf_add_byte(t->text, '.');
    }
    (void)buf_add_slice(t->text, e->of->cols[e->slot].name);
    return x;
}

static struct ex *take_const(struct taking *t, const struct ex *e)
{
    struct slice s;
    switch (e->k.kind) {
    case DAT_STRING:
        s = slice_of(e->k.s->s, e->k.s->len);
        (void)buf_addf(t->text, "'" SLICE_FMT "'", SLICE_ARG(s));
        break;
    case DAT_INT:
    case DAT_LONG: (void)buf_addf(t->text, "%lld", (long long)e->k.i); break;
    default: return NULL;
    }
    struct ex *x = copy_of(t, e);
    return x;
}

static const char *const functions[EX_OP_COUNT] = {
    [EX_DYN] = "?",   [EX_KEY] = "key",       [EX_INDEX] = "at",          [EX_CONV] = "number",
    [EX_ADD] = "add", [EX_SUB] = "subtract",  [EX_MUL] = "times",         [EX_DIV] = "divide",
    [EX_MOD] = "mod", [EX_CONCAT] = "concat", [EX_CALL] = "call",         [EX_METHOD] = "method",
    [EX_NEG] = "neg", [EX_BUCKET] = "bucket", [EX_COALESCE] = "coalesce",
};

static struct ex *take(struct taking *t, const struct ex *e)
{
    if (e->op == EX_PROP || e->op == EX_STREAM) {
        return take_prop(t, e);
    }
    if (e->op == EX_FIELD) {
        return take_field(t, e);
    }
    if (e->op == EX_CONST) {
        return take_const(t, e);
    }
    if (functions[e->op] == NULL || e->n_args == 0 || e->n_args > ARGS_MAX || e->data != NULL ||
        (e->fn != NULL && (e->fn->flags & FN_CLOCK) != 0)) {
        return NULL;
    }
    struct ex *x = copy_of(t, e);
    x->args = arena_array(t->b->f->a, e->n_args, sizeof(struct ex *));
    (void)buf_add_str(t->text, e->fn != NULL ? e->fn->name : functions[e->op]);
    if (e->op == EX_BUCKET || e->op == EX_CONV) {
        (void)buf_addf(t->text, "%lld%c", (long long)e->i, e->all ? 'c' : 'a' + (char)e->ty.kind);
    }
    for (uint32_t i = 0; i < e->n_args; i++) {
        (void)buf_add_byte(t->text, i > 0 ? ',' : '(');
        x->args[i] = take(t, e->args[i]);
        if (x->args[i] == NULL) {
            return NULL;
        }
    }
    if (e->op == EX_DYN) {
        (void)buf_addf(t->text, "," SLICE_FMT, SLICE_ARG(e->name));
    }
    (void)buf_add_byte(t->text, ')');
    return x;
}

bool keys_side(struct keys_build *b, const struct keys_scope *sc, const struct ex *e,
               struct keys_side *ret)
{
    while ((e->op == EX_CONV && ty_is_number(e->args[0]->ty)) || e->op == EX_GROUP_KEY) {
        e = e->args[0];
    }
    uint32_t key = (uint32_t)(e->slot - CTX_COL_KIND);
    if (e->op == EX_CONTEXT && b->keyed != NULL && b->keyed_src >= 0 &&
        b->keyed->plan->n_levels == 1 && e->slot >= CTX_COL_KIND &&
        key < MIN(b->keyed->n_keys, (uint32_t)KEYS_COLS_MAX)) {
        *ret = (struct keys_side){(uint16_t)b->keyed_src, b->ctx_expr[key]};
        return true;
    }
    if (!fits(e->ty)) {
        return false;
    }
    struct buf text;
    buf_init(&text, TEXT_MAX);
    struct taking t = {.b = b, .sc = sc, .src = -1, .text = &text};
    struct ex *x = take(&t, e);
    int at = -1;
    if (x != NULL && t.src >= 0 && text.len > 0 && !buf_failed(&text)) {
        at = keys_intern(b->f, b->s->srcs.ptr[t.src].place, buf_slice(&text), x);
        *ret = (struct keys_side){(uint16_t)t.src, (uint16_t)at};
    }
    buf_done(&text);
    return at >= 0;
}

/* ---- ties ---- */

void keys_tie(struct keys_build *b, const struct keys_scope *sc, const struct ex *x,
              const struct ex *y, bool as_double)
{
    struct keys_side l, r;
    if (keys_side(b, sc, x, &l) && keys_side(b, sc, y, &r) && l.src != r.src) {
        *VEC_PUSH(&b->s->ties) = (struct keys_tie){l, r, as_double};
    }
}

void keys_ties(struct keys_build *b, const struct keys_scope *sc, const struct ex *cond)
{
    if (cond == NULL) {
        return;
    }
    for (uint32_t i = 0; cond->op == EX_AND && i < cond->n_args; i++) {
        keys_ties(b, sc, cond->args[i]);
    }
    bool equal = cond->op >= EX_CMP_I && cond->op <= EX_CMP_ANY && cond->cmp == OP_EQ;
    if ((equal || (cond->op == EX_IS && !cond->negated)) && cond->n_args == 2) {
        keys_tie(b, sc, cond->args[0], cond->args[1], cond->op == EX_CMP_D);
    }
}

/* ---- sources and nodes ---- */

static struct slice text_of(struct keys_build *b, const char *what)
{
    const char *s = arena_str(b->f->a, slice_str(what));
    return s != NULL ? slice_str(s) : SLICE_NONE;
}

uint32_t keys_add_src(struct keys_build *b, const struct etype *t, bool events, enum keys_node tie,
                      const char *what)
{
    if (b->s->srcs.len >= UINT16_MAX) {
        b->f->full = true;
        return 0;
    }
    *VEC_PUSH(&b->s->srcs) = (struct keys_src){
        .place = keys_place(b->f, t, events), .tie = tie, .what = text_of(b, what)};
    return (uint32_t)b->s->srcs.len - 1;
}

void keys_need(struct keys_build *b, enum keys_node node, const char *what, bool own)
{
    if (!own || !b->inner) {
        *VEC_PUSH(&b->s->needs) = (struct keys_need){.node = node, .what = text_of(b, what)};
    }
}

void keys_need_keys(struct keys_build *b, const struct keys_scope *sc, enum keys_node node,
                    const char *what, struct ex *const *keys, uint32_t n, uint32_t skip, bool own)
{
    if (own && b->inner) {
        return;
    }
    struct keys_need x = {.node = node, .what = text_of(b, what)};
    x.keys = arena_array(b->f->a, n + 1, sizeof *x.keys);
    for (uint32_t i = 0; i < n; i++) {
        bool left_out = i < 32 && (skip >> i & 1u) != 0;
        if (!left_out && keys_side(b, sc, keys[i], &x.keys[x.n])) {
            x.n++;
        }
    }
    *VEC_PUSH(&b->s->needs) = x;
}

/* ---- what expressions look at ---- */

static void visit_table(struct keys_build *b, const struct keys_scope *sc, const struct ex *e)
{
    const struct table *t = e->table;
    uint32_t src = keys_add_src(b, t->type, false, KEYS_table, "a row of a table");
    struct keys_place *p = b->s->srcs.ptr[src].place;
    keys_shared(b, src);
    for (uint32_t i = 0; i < e->n_args && i < t->n_keys; i++) {
        struct keys_side mine;
        int col = keys_column(b->f, p, t->type, t->key[i]);
        if (col >= 0 && keys_side(b, sc, e->args[i], &mine)) {
            struct keys_side row = {(uint16_t)src, (uint16_t)col};
            *VEC_PUSH(&b->s->ties) = (struct keys_tie){mine, row, false};
        }
    }
}

void keys_visit(struct keys_build *b, const struct keys_scope *sc, const struct sel_plan *p,
                const struct ex *e)
{
    if (e == NULL) {
        return;
    }
    bool prev = e->op >= EX_PREV && e->op <= EX_PRIOR; /* subq: whose window */
    if (e->subq != NULL && !prev) {
        keys_subquery(b, sc, subq_query(e->subq));
    } else if (e->op == EX_TABLE_ROW) {
        visit_table(b, sc, e);
    } else if (e->op == EX_TABLE_KEYS) {
        keys_need(b, KEYS_table_all, "keys() of a table", false);
    } else if (e->op == EX_PRIOR) {
        keys_need(b, KEYS_prior, "prior", true);
    } else if (e->op >= EX_PREV && e->op <= EX_PREV_WINDOW) {
        bool grouped =
            p != NULL && e->stream < p->n_streams && p->streams[e->stream].views.group_win;
        if (!grouped) {
            keys_need(b, KEYS_prev, "prev", true);
        }
    } else if (e->op == EX_CONTEXT && e->slot == CTX_COL_ID && !b->number_ok) {
        keys_need(b, KEYS_context_number, "context.id", false);
    }
    for (uint32_t i = 0; i < e->n_args; i++) {
        keys_visit(b, sc, p, e->args[i]);
    }
}
