/* SPDX-License-Identifier: Apache-2.0
 *
 * Group by (rollup, cube, grouping sets), and which class of rows a select is: what it says of the
 * properties it selects decides whether there is a row per event, per group, or one.
 */
#include "operators/graph/sel.h"

#include <assert.h>

static struct slice text_of(struct bind *b, const struct ast_expr *e)
{
    struct buf text;
    struct ast_expr bare = *e;
    bare.paren = false;
    buf_init(&text, 65536);
    epl_print_expr(&bare, &text);
    struct slice s = arena_copy(b->a, buf_slice(&text));
    buf_done(&text);
    return s;
}

enum { GROUP_MAX = 30, SETS_MAX = 1024 };

struct sets { /* masks of the expressions that a set includes */
    uint32_t mask[SETS_MAX];
    uint32_t n;
};

static int group_expr(struct bind *b, const struct ast_expr *e, struct sel_plan *p,
                      uint32_t *ret_bit, struct err *reterr)
{
    struct slice text = text_of(b, e);
    for (uint32_t i = 0; i < p->n_group; i++) {
        if (slice_eq(p->group_text[i], text)) {
            *ret_bit = 1u << i;
            return 0;
        }
    }
    if (p->n_group == GROUP_MAX) {
        return bind_err(reterr, e->span, "more than %d group-by expressions", GROUP_MAX);
    }
    int rc = bind_expr(b, e, &p->group[p->n_group], reterr);
    if (rc == 0) {
        p->group_text[p->n_group] = text;
        *ret_bit = 1u << p->n_group++;
    }
    return rc;
}

static int set_of(struct bind *b, const struct ast_group *g, struct sel_plan *p, uint32_t *ret_mask,
                  struct err *reterr)
{
    *ret_mask = 0;
    if (g->kind == GROUP_EXPR) {
        return group_expr(b, g->e, p, ret_mask, reterr);
    }
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < g->n_kids; i++) {
        uint32_t bit = 0;
        rc = set_of(b, &g->kids[i], p, &bit, reterr);
        *ret_mask |= bit;
    }
    return rc;
}

/* The last set shares no expression with one before. */
static int check_twice(const struct ast_group *g, const uint32_t *part, uint32_t n,
                       struct err *reterr)
{
    bool any = false;
    for (uint32_t k = 0; k + 1 < n; k++) {
        any |= (part[k] & part[n - 1]) != 0;
    }
    return any ? bind_err(reterr, g->span, "an expression stands twice in it") : 0;
}

/* false: it is there already */
static bool add_set(struct sets *to, uint32_t mask)
{
    for (uint32_t i = 0; i < to->n; i++) {
        if (to->mask[i] == mask) {
            return false;
        }
    }
    if (to->n < SETS_MAX) {
        to->mask[to->n++] = mask;
    }
    return true;
}

static int sets_of(struct bind *b, const struct ast_group *g, struct sel_plan *p, struct sets *to,
                   struct err *reterr)
{
    uint32_t part[GROUP_MAX] = {0}, n = 0;
    to->n = 0;
    if (g->kind == GROUP_EXPR || g->kind == GROUP_COMBINED) {
        to->n = 1;
        return set_of(b, g, p, &to->mask[0], reterr);
    }
    if (g->kind == GROUP_SETS) {
        int rc = 0;
        for (uint32_t i = 0; rc == 0 && i < g->n_kids; i++) {
            struct sets *inner = ARENA_NEW(b->a, struct sets);
            rc = sets_of(b, &g->kids[i], p, inner, reterr);
            for (uint32_t k = 0; rc == 0 && k < inner->n; k++) {
                if (!add_set(to, inner->mask[k])) {
                    return bind_err(reterr, g->kids[i].span, "a grouping set stands twice in it");
                }
            }
        }
        return rc;
    }
    for (uint32_t i = 0; i < g->n_kids && n < GROUP_MAX; i++) {
        int rc = set_of(b, &g->kids[i], p, &part[n++], reterr);
        rc = rc == 0 ? check_twice(g, part, n, reterr) : rc;
        if (rc != 0) {
            return rc;
        }
    }
    if (g->kind == GROUP_ROLLUP) {
        for (uint32_t k = n + 1; k-- > 0;) {
            uint32_t mask = 0;
            for (uint32_t i = 0; i < k; i++) {
                mask |= part[i];
            }
            to->mask[to->n++] = mask;
        }
        return 0;
    }
    if (n > 9) {
        return bind_err(reterr, g->span, "cube takes at most 9 expressions");
    }
    for (uint32_t left = 1u << n; left-- > 0;) { /* the first expression is the highest bit */
        uint32_t mask = 0;
        for (uint32_t i = 0; i < n; i++) {
            mask |= (left >> (n - 1 - i)) & 1u ? part[i] : 0;
        }
        to->mask[to->n++] = mask;
    }
    return 0;
}

int sel_bind_group(struct bind *b, const struct ast_select *s, struct sel_plan *p,
                   struct err *reterr)
{
    if (s->n_group == 0) {
        return 0;
    }
    struct sets *all = ARENA_NEW(b->a, struct sets), *next = ARENA_NEW(b->a, struct sets);
    struct sets *part = ARENA_NEW(b->a, struct sets);
    p->group = arena_array(b->a, GROUP_MAX + 1, sizeof(struct ex *));
    p->group_text = arena_array(b->a, GROUP_MAX + 1, sizeof *p->group_text);
    all->n = 1;
    bool several = false;
    for (uint32_t i = 0; i < s->n_group; i++) {
        int rc = sets_of(b, &s->group[i], p, part, reterr);
        if (rc != 0) {
            return rc;
        }
        several |= s->group[i].kind != GROUP_EXPR && s->group[i].kind != GROUP_COMBINED;
        next->n = 0;
        for (uint32_t k = 0; k < all->n; k++) {
            for (uint32_t m = 0; m < part->n; m++) {
                (void)add_set(next, all->mask[k] | part->mask[m]);
            }
        }
        *all = *next;
    }
    if (several) {
        p->levels = arena_array(b->a, all->n, sizeof *p->levels);
        p->n_levels = all->n;
        uint32_t full = p->n_group == 32 ? UINT32_MAX : (1u << p->n_group) - 1;
        for (uint32_t i = 0; i < all->n; i++) {
            p->levels[i] = full & ~all->mask[i];
        }
    }
    return 0;
}

/* ---- which class ---- */

static bool is_path(const struct ex *e)
{
    switch (e->op) {
    case EX_PROP:
    case EX_STREAM: return e->level == 0;
    case EX_FIELD:
    case EX_DYN: return is_path(e->args[0]);
    case EX_KEY:
    case EX_INDEX: return is_path(e->args[0]) && e->args[1]->op == EX_CONST;
    default: return false;
    }
}

static bool same(const struct ex *x, const struct ex *y)
{
    if (x->op != y->op || x->n_args != y->n_args || x->level != y->level ||
        x->stream != y->stream || x->slot != y->slot || x->of != y->of || x->fn != y->fn ||
        x->cmp != y->cmp || x->i != y->i || x->var != y->var || x->negated != y->negated ||
        !slice_eq(x->name, y->name)) {
        return false;
    }
    if (x->op == EX_CONST && !dat_same(x->k, y->k)) {
        return false;
    }
    for (uint32_t i = 0; i < x->n_args; i++) {
        if (!same(x->args[i], y->args[i])) {
            return false;
        }
    }
    return true;
}

static bool has_path(const struct ex *in, const struct ex *path)
{
    if (is_path(in)) {
        return same(in, path);
    }
    for (uint32_t i = 0; i < in->n_args; i++) {
        if (has_path(in->args[i], path)) {
            return true;
        }
    }
    return false;
}

/* A column that the context partitions by, as property of the context: the filter has
 * `column is context.key1`. NULL: it is another column. */
static const struct ex *partition_key(const struct ex *cond, const struct ex *e)
{
    if (cond == NULL || e->op != EX_PROP) {
        return NULL;
    }
    for (uint32_t i = 0; cond->op == EX_AND && i < cond->n_args; i++) {
        const struct ex *key = partition_key(cond->args[i], e);
        if (key != NULL) {
            return key;
        }
    }
    if ((cond->op != EX_IS && cond->cmp != OP_EQ) || cond->n_args != 2) {
        return NULL;
    }
    for (uint32_t i = 0; i < 2; i++) {
        const struct ex *col = cond->args[i];
        if (cond->args[1 - i]->op == EX_CONTEXT && col->op == EX_PROP && col->slot == e->slot &&
            col->of == e->of) {
            return cond->args[1 - i];
        }
    }
    return NULL;
}

/* What the context partitions by has its value where there is no event, too. */
static void to_context(const struct sel_plan *p, struct ex *e)
{
    if (e == NULL) {
        return;
    }
    if (e->op == EX_PROP && e->level == 0 && e->stream < p->n_streams) {
        const struct ex *key = partition_key(p->streams[e->stream].filter.cond, e);
        if (key != NULL) {
            *e = *key;
        }
    }
    for (uint32_t i = 0; e->op != EX_SUBQ && i < e->n_args; i++) {
        to_context(p, e->args[i]);
    }
}

void sel_own_keys(struct sel_plan *p)
{
    if (p->st->context == NULL || p->n_levels > 0 || (p->cls != ROWS_TOTAL && p->n_streams < 2)) {
        return;
    }
    for (uint32_t i = 0; i < p->n_cols; i++) {
        to_context(p, p->cols[i]);
    }
    to_context(p, p->having);
    for (uint32_t i = 0; i < p->n_order; i++) {
        to_context(p, p->order[i].e);
    }
}

/* Speaks only of what is the same for all rows of a group. */
bool sel_fixed_in_group(const struct sel_plan *p, const struct ex *e)
{
    if (e->op == EX_AGG) {
        return true;
    }
    if (e->op >= EX_PREV && e->op <= EX_PRIOR) {
        return false;
    }
    for (uint32_t i = 0; i < p->n_group; i++) {
        if (same(p->group[i], e)) {
            return true;
        }
    }
    if (is_path(e) && partition_key(p->streams[e->stream].filter.cond, e) != NULL) {
        return true;
    }
    if (is_path(e)) {
        for (uint32_t i = 0; i < p->n_group; i++) {
            if (has_path(p->group[i], e)) {
                return true;
            }
        }
        return false;
    }
    for (uint32_t i = 0; i < e->n_args; i++) {
        if (!sel_fixed_in_group(p, e->args[i])) {
            return false;
        }
    }
    return true;
}

static bool is_aggregated(const struct sel_plan *p, const struct ex *path)
{
    bool found = false;
    for (size_t i = 0; i < p->aggs.calls.len; i++) {
        const struct agg_call *c = p->aggs.calls.ptr[i];
        for (uint32_t k = 0; k < c->n_args; k++) {
            found |= has_path(c->args[k], path);
        }
    }
    return found;
}

/* What it asks for is of the group, or is aggregated somewhere. */
static bool having_fits(const struct sel_plan *p, const struct ex *e)
{
    if (sel_fixed_in_group(p, e) || (is_path(e) && is_aggregated(p, e))) {
        return true;
    }
    bool fits = !is_path(e) && e->n_args > 0;
    for (uint32_t i = 0; fits && i < e->n_args; i++) {
        fits = having_fits(p, e->args[i]);
    }
    return fits;
}

bool sel_having_fits(const struct sel_plan *p)
{
    return having_fits(p, p->having);
}

static bool order_is_fixed(const struct sel_plan *p)
{
    bool fixed = true;
    for (uint32_t i = 0; fixed && i < p->n_order; i++) {
        fixed = sel_fixed_in_group(p, p->order[i].e);
    }
    return fixed;
}

/* What is selected, and without groups what having asks for, is the same for all rows of a group.
 */
static bool rows_are_fixed(const struct sel_plan *p)
{
    bool fixed = !p->pass && p->wild < 0;
    for (uint32_t i = 0; fixed && i < p->n_cols; i++) {
        fixed = sel_fixed_in_group(p, p->cols[i]);
    }
    for (size_t i = 0; fixed && i < p->aggs.calls.len; i++) {
        const struct agg_call *c = p->aggs.calls.ptr[i];
        fixed = p->n_group > 0 || c->n_group_by == 0;
        for (uint32_t k = 0; fixed && k < c->n_group_by; k++) { /* other groups than the row's */
            fixed = sel_fixed_in_group(p, c->group_by[k]);
        }
    }
    bool asked = p->n_group == 0 && p->having != NULL;
    return fixed && (!asked || sel_fixed_in_group(p, p->having));
}

enum row_class sel_classify(const struct sel_plan *p)
{
    bool aggs = p->aggs.calls.len > 0, fixed = rows_are_fixed(p);
    if (p->n_group == 0) {
        return !aggs ? ROWS_PLAIN : fixed ? ROWS_TOTAL : ROWS_EVENT_TOTAL;
    }
    if (p->pass && !aggs && p->having == NULL && p->output.kind != OUT_LAST &&
        p->output.kind != OUT_FIRST) {
        return ROWS_PLAIN;
    }
    if (p->n_levels > 0) {
        return ROWS_ROLLUP;
    }
    return fixed && order_is_fixed(p) ? ROWS_GROUP : ROWS_EVENT_GROUP;
}

/* With rollup, a group-by expression is null in rows of the levels that leave it out. */
static struct ex *rolled(struct bind *b, const struct sel_plan *p, struct ex *e)
{
    for (uint32_t i = 0; i < p->n_group; i++) {
        if (same(p->group[i], e)) {
            struct ex *x = ex_new(b, EX_GROUP_KEY, e->ty, e->span, 1);
            x->args[0] = e;
            x->i = i;
            return x;
        }
    }
    for (uint32_t i = 0; i < e->n_args; i++) {
        e->args[i] = rolled(b, p, e->args[i]);
    }
    return e;
}

void sel_roll(struct bind *b, struct sel_plan *p)
{
    for (uint32_t i = 0; i < p->n_cols; i++) {
        p->cols[i] = rolled(b, p, p->cols[i]);
    }
    if (p->having != NULL) {
        p->having = rolled(b, p, p->having);
    }
    for (uint32_t i = 0; i < p->n_order; i++) {
        p->order[i].e = rolled(b, p, p->order[i].e);
    }
}
