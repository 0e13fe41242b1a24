/* SPDX-License-Identifier: Apache-2.0
 *
 * From rows of streams to result rows: the six classes of a select (sel.h). Aggregations first take
 * everything that enters, then everything that leaves; rows are evaluated after that, except the
 * previous values that the remove stream of totals and groups reports, which are read before.
 *
 * The commonest statements of groups (one stream, a packed window, columns that are had without a
 * program or by one, no clause behind them) have a way of their own past all that is not theirs
 * (sel_straight); what comes out is the same.
 */
#include "operators/graph/sel_rows.h"
#include "operators/graph/limit.h"
#include "operators/graph/sel_flat.h"

#include "core/base/mem.h"
#include "operators/table/table.h"
#include "operators/window/win_pack.h"

#include <assert.h>

void orows_add(struct orows *to, struct orow r)
{
    if (LIKELY(to->v.len < to->v.cap)) {
        to->v.ptr[to->v.len++] = r;
    } else {
        *VEC_PUSH(&to->v) = r;
    }
}

static struct dat by_program(const struct ex *e, struct ectx *c)
{
    struct dat v = ex_eval(e, c);
    if (UNLIKELY(v.kind == DAT_EVENT && v.ev->type->kind == ETYPE_TABLE)) {
        return dat_evt(table_shown(v.ev, c));
    }
    if (UNLIKELY(e->op == EX_TABLE_ROW && dat_is_null(v))) {
        return dat_evt(evt_new(c->heap, e->ty.ev)); /* a row of nulls */
    }
    if (UNLIKELY(e->op == EX_TABLE_COL && v.kind == DAT_LIST && v.l->len == 0)) {
        return DAT_NONE; /* an aggregation of nothing */
    }
    return v;
}

/* Nothing but columns, each in its way. */
static inline ALWAYS_INLINE struct evt *make_plainly(const struct sel_plan *p, struct ectx *c)
{
    struct evt *e = evt_bare(c->heap, p->out);
    for (uint32_t i = 0, n = p->n_cols; i < n; i++) {
        const struct sel_way *w = &p->ways[i];
        struct dat v = DAT_NONE;
        if (w->kind == WAY_COLUMN && LIKELY(c->row[w->stream] != NULL)) {
            v = evt_get(c->row[w->stream], w->of, w->slot);
        } else if (w->kind == WAY_AGG && LIKELY(c->group != NULL)) {
            v = aggr_value(c->group, w->slot, c);
        } else if (w->kind == WAY_PROGRAM) {
            v = by_program(p->cols[i], c);
        }
        evt_set(e, i, v);
    }
    return e;
}

static struct evt *make_row(struct sel_inst *in, struct ectx *c)
{
    const struct sel_plan *p = in->p;
    if (p->pass) {
        return c->row[0];
    }
    if (LIKELY(p->ways != NULL)) {
        return make_plainly(p, c);
    }
    struct evt *e = evt_new(in->in.eng->heap, p->out);
    uint32_t at = 0;
    if (p->wild >= 0 && c->row[p->wild] != NULL) {
        const struct evt *from = c->row[p->wild];
        const struct etype *t = p->streams[p->wild].type;
        for (; at < t->n_cols; at++) {
            evt_set(e, at, evt_get(from, t, (uint16_t)at));
        }
        e->extra = from->extra;
        if (e->extra != NULL) {
            obj_keep(&e->extra->o);
        }
    } else if (p->wild >= 0) {
        at = p->streams[p->wild].type->n_cols;
    }
    for (uint32_t i = 0; i < p->n_cols; i++) {
        evt_set(e, at + i, by_program(p->cols[i], c));
    }
    return e;
}

/* c: of the instance, with row, group and leaving; looked: for what it looks up. */
static inline ALWAYS_INLINE bool row_of(struct sel_inst *in, struct ectx *c,
                                        struct cause_list *looked, struct orow *ret)
{
    const struct sel_plan *p = in->p;
    struct group *g = c->group;
    bool causes = in->in.st->causes && !in->bare;
    c->failed = false;
    c->grouping = g != NULL && p->n_levels > 0 ? p->levels[g->level] : 0;
    if (causes) {
        cause_list_init(looked, CAUSE_EXTRA);
        c->causes = looked;
        if (in->in.st->looks_up) {
            sel_look_again(in, c);
        }
    }
    if (p->having != NULL && !ex_true(p->having, c)) {
        return false;
    }
    struct evt *e = make_row(in, c);
    if (c->failed || e == NULL) {
        return false;
    }
    if (causes) {
        e = sel_causes(in, c->row, g, looked, e);
    }
    *ret = (struct orow){.e = e};
    if (p->n_order > 0) {
        ret->key = vlist_new(in->in.eng->heap, p->n_order);
        for (uint32_t i = 0; i < p->n_order; i++) {
            vlist_set(ret->key, i, ex_eval(p->order[i].e, c));
        }
    }
    return true;
}

bool sel_row(struct sel_inst *in, struct evt **row, struct group *g, bool leaving, struct orow *ret)
{
    struct ectx c = inst_ctx(&in->in, row);
    struct cause_list looked;
    c.group = g;
    c.leaving = leaving;
    return row_of(in, &c, &looked, ret);
}

static void put(struct sel_inst *in, struct evt **row, struct group *g, bool leaving,
                struct orows *to)
{
    struct orow r;
    if (sel_row(in, row, g, leaving, &r)) {
        orows_add(to, r);
    }
}

struct batch {
    struct evt **nw, **old;
    size_t n_nw, n_old, w;
};

/* ---- without groups ---- */

static void plain(struct sel_inst *in, const struct batch *b)
{
    for (size_t i = 0; i < b->n_nw; i++) {
        put(in, b->nw + i * b->w, NULL, false, &in->nw);
    }
    for (size_t i = 0; in->p->needs_old && i < b->n_old; i++) {
        put(in, b->old + i * b->w, NULL, true, &in->old);
    }
}

static void apply(struct sel_inst *in, struct group *g, const struct batch *b)
{
    for (size_t i = 0; i < b->n_nw; i++) {
        struct ectx c = inst_ctx(&in->in, b->nw + i * b->w);
        c.group = g;
        aggr_enter(g, &c);
        aggr_local(in->aggr, &c, true);
    }
    for (size_t i = 0; i < b->n_old; i++) {
        struct ectx c = inst_ctx(&in->in, b->old + i * b->w);
        c.group = g;
        c.leaving = true;
        aggr_leave(g, &c);
        aggr_local(in->aggr, &c, false);
    }
}

static struct evt **last_row(struct sel_inst *in, const struct batch *b)
{
    if (b->n_nw + b->n_old == 0) {
        return in->row; /* nulls */
    }
    return b->n_nw > 0 ? b->nw + (b->n_nw - 1) * b->w : b->old + (b->n_old - 1) * b->w;
}

static void total(struct sel_inst *in, const struct batch *b)
{
    struct group *g = aggr_total(in->aggr);
    struct evt **row = last_row(in, b);
    if (in->p->needs_old) {
        put(in, row, g, true, &in->old);
    }
    apply(in, g, b);
    put(in, row, g, false, &in->nw);
}

static void event_total(struct sel_inst *in, const struct batch *b)
{
    struct group *g = aggr_total(in->aggr);
    apply(in, g, b);
    for (size_t i = 0; i < b->n_nw; i++) {
        put(in, b->nw + i * b->w, g, false, &in->nw);
    }
    for (size_t i = 0; in->p->needs_old && i < b->n_old; i++) {
        put(in, b->old + i * b->w, g, true, &in->old);
    }
}

/* ---- with groups ---- */

static inline ALWAYS_INLINE void touch(struct sel_inst *in, struct group *g, struct evt **row)
{
    if (g->touched) {
        return;
    }
    g->touched = true;
    if (UNLIKELY(in->touched.len == in->touched.cap)) {
        (void)VEC_PUSH(&in->touched);
        in->touched.len--;
    }
    in->touched.ptr[in->touched.len++] = (struct touch){g, row};
}

static void untouch(struct sel_inst *in)
{
    for (size_t i = 0; i < in->touched.len; i++) {
        in->touched.ptr[i].g->touched = false;
    }
    VEC_CLEAR(&in->touched);
}

/* Room for the groups of n rows. */
static struct group **room(struct sel_inst *in, size_t n)
{
    if (UNLIKELY(n > in->group_room)) {
        mem_free(in->group_of);
        in->group_room = MAX(n, 2 * in->group_room);
        in->group_of = mem_calloc(in->group_room, sizeof(struct group *));
    }
    return in->group_of;
}

/* The window that holds its events packed and is to know their groups; or NULL. */
static struct win_pack *pack_of(const struct sel_inst *in)
{
    const struct view *v = in->p->n_streams == 1 ? in->src[0].view : NULL;
    return v != NULL && v->pack != NULL && v->pack->p->n_keys > 0 ? v->pack : NULL;
}

/* The group of a row whose keys are columns. */
static inline struct group *group_of(struct sel_inst *in, struct ectx *c, struct evt **row)
{
    const struct sel_plan *p = in->p;
    if (LIKELY(p->n_group == 1)) {
        return aggr_of_key(in->aggr, evt_get(row[0], p->group[0]->of, p->group[0]->slot));
    }
    c->row = row;
    return aggr_group(in->aggr, c, 0, 0);
}

/* Groups of the same, without rollup: those that leave have been told theirs. */
static void find_packed(struct sel_inst *in, struct ectx *c, struct win_pack *pack,
                        const struct batch *b, struct group **of)
{
    for (size_t i = 0; i < b->n_old; i++) { /* first: they are fetched while others are found */
        of[b->n_nw + i] = b->old[i]->group != 0 ? aggr_by_id(in->aggr, b->old[i]->group) : NULL;
        if (of[b->n_nw + i] != NULL) {
            aggr_soon(of[b->n_nw + i]);
        }
    }
    for (size_t i = 0; i < b->n_nw + b->n_old; i++) {
        struct evt **row = i < b->n_nw ? b->nw + i : b->old + (i - b->n_nw);
        if (i < b->n_nw || of[i] == NULL) {
            c->leaving = i >= b->n_nw;
            of[i] = group_of(in, c, row);
            aggr_soon(of[i]);
        }
        if (i < b->n_nw) {
            win_pack_note(pack, b->n_nw - i, of[i]->id, of[i]->key);
        }
        touch(in, of[i], row);
    }
    enum { FAR = 9, MIDDLE = 6, NEAR = 3 }; /* one leads to the next */
    aggr_soon_far(in->aggr, win_pack_soon(pack, FAR));
    aggr_soon_middle(in->aggr, win_pack_soon(pack, MIDDLE));
    aggr_soon_near(in->aggr, win_pack_soon(pack, NEAR));
}

/* Groups of all rows at one level, in order of first touch; groups[i] of row i. */
static void find(struct sel_inst *in, struct ectx *c, const struct batch *b, uint32_t level,
                 struct group **of)
{
    uint32_t rolled = in->p->n_levels > 0 ? in->p->levels[level] : 0;
    struct win_pack *pack = pack_of(in);
    const struct sel_flat *flat = sel_flat_keyed(in->p);
    if (pack != NULL) {
        find_packed(in, c, pack, b, of);
        return;
    }
    for (size_t i = 0; i < b->n_nw + b->n_old; i++) {
        struct evt **row = i < b->n_nw ? b->nw + i * b->w : b->old + (i - b->n_nw) * b->w;
        c->row = row;
        c->leaving = i >= b->n_nw;
        of[i] = flat != NULL ? sel_flat_group(in, flat, c) : aggr_group(in->aggr, c, level, rolled);
        if (in->in.st->query) {
            aggr_keep_row(of[i], row);
        }
        aggr_soon(of[i]);
        touch(in, of[i], row);
    }
}

/* Rows from `from` up to `to` of one level: the first n_nw enter, the rest leave. */
static void enter_leave(struct sel_inst *in, struct ectx *c, const struct batch *b,
                        struct group **of, size_t from, size_t to, bool local)
{
    for (size_t i = from; i < to; i++) {
        bool enter = i < b->n_nw;
        c->row = enter ? b->nw + i * b->w : b->old + (i - b->n_nw) * b->w;
        c->group = of[i];
        c->leaving = !enter;
        c->failed = false;
        if (enter) {
            aggr_enter(of[i], c);
        } else {
            aggr_leave(of[i], c);
        }
        if (local) {
            aggr_local(in->aggr, c, enter);
        }
    }
}

/* Of all levels, what enters first: a group that is left begins anew with the next that enters. */
static void enter_leave_all(struct sel_inst *in, struct ectx *c, const struct batch *b,
                            struct group **of, uint32_t levels)
{
    size_t n = b->n_nw + b->n_old;
    for (uint32_t l = 0; l < levels; l++) {
        enter_leave(in, c, b, of + l * n, 0, b->n_nw, l == 0);
    }
    for (uint32_t l = 0; l < levels; l++) {
        enter_leave(in, c, b, of + l * n, b->n_nw, n, l == 0);
    }
}

/* One event enters and one of another group leaves: both rows are ordered by the values of one
 * group, so `order by sum(x)` leaves them as they are. */
static void order_pair(struct sel_inst *in, const struct batch *b)
{
    const struct sel_plan *p = in->p;
    if (p->n_order == 0 || b->n_nw != 1 || b->n_old != 1 || p->n_streams > 1 || p->needs_old ||
        p->cls != ROWS_GROUP || in->touched.len != 2 || in->nw.v.len != 2) {
        return;
    }
    struct ectx c = inst_ctx(&in->in, NULL);
    c.group = in->touched.ptr[1].g;
    for (size_t k = 0; k < 2; k++) {
        c.row = in->touched.ptr[k].row;
        for (uint32_t i = 0; i < p->n_order; i++) {
            vlist_set(in->nw.v.ptr[k].key, i, ex_eval(p->order[i].e, &c));
        }
    }
}

static void grouped(struct sel_inst *in, const struct batch *b)
{
    const struct sel_plan *p = in->p;
    uint32_t levels = MAX(p->n_levels, 1u);
    size_t n = b->n_nw + b->n_old;
    struct group **of = room(in, n * levels);
    struct ectx c = inst_ctx(&in->in, NULL);
    struct cause_list looked;
    assert(in->touched.len == 0);
    for (uint32_t l = 0; l < levels; l++) {
        find(in, &c, b, l, of + l * n);
    }
    for (size_t i = 0; p->needs_old && i < in->touched.len; i++) {
        put(in, in->touched.ptr[i].row, in->touched.ptr[i].g, true, &in->old);
    }
    enter_leave_all(in, &c, b, of, levels);
    c.leaving = false;
    for (size_t i = 0; i < in->touched.len; i++) {
        struct orow r;
        c.row = in->touched.ptr[i].row;
        c.group = in->touched.ptr[i].g;
        if (row_of(in, &c, &looked, &r)) {
            orows_add(&in->nw, r);
        }
    }
    order_pair(in, b);
    untouch(in);
}

static void event_grouped(struct sel_inst *in, const struct batch *b)
{
    size_t n = b->n_nw + b->n_old;
    struct group **of = room(in, n);
    struct ectx c = inst_ctx(&in->in, NULL);
    find(in, &c, b, 0, of);
    enter_leave(in, &c, b, of, 0, n, true);
    for (size_t i = 0; i < b->n_nw; i++) {
        put(in, b->nw + i * b->w, of[i], false, &in->nw);
    }
    for (size_t i = 0; in->p->needs_old && i < b->n_old; i++) {
        put(in, b->old + i * b->w, of[b->n_nw + i], true, &in->old);
    }
    untouch(in);
}

/* ---- in a straight line ---- */

/* Rows of the groups that were touched, to the listener. */
static void put_straight(struct sel_inst *in, struct ectx *c)
{
    struct stmt *st = in->in.st;
    size_t from = st->nw.len;
    c->leaving = false;
    for (size_t i = 0; i < in->touched.len; i++) {
        struct group *g = in->touched.ptr[i].g;
        g->touched = false;
        c->row = in->touched.ptr[i].row;
        c->group = g;
        c->failed = false;
        struct evt *e = make_plainly(in->p, c);
        if (UNLIKELY(c->failed)) {
            continue;
        }
        if (g->refs != NULL) {
            cause_refs_give(g->refs, c->heap, e);
        }
        evts_add(&st->nw, e);
    }
    VEC_CLEAR(&in->touched);
    size_t n = eng_limit_output(st, st->nw.len - from);
    st->nw.len = from + n;
    if (n > 0) {
        stmt_has_rows(st);
    }
}

void sel_straight(struct sel_inst *in, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old)
{
    struct batch b = {nw, old, n_nw, n_old, 1};
    struct group **of = room(in, n_nw + n_old);
    struct ectx c = inst_ctx(&in->in, NULL);
    assert(in->touched.len == 0 && n_nw + n_old > 0);
    find_packed(in, &c, in->src[0].view->pack, &b, of);
    for (size_t i = 0; i < n_nw; i++) {
        c.row = nw + i;
        aggr_enter(of[i], &c);
    }
    c.leaving = true;
    for (size_t i = 0; i < n_old; i++) {
        c.row = old + i;
        aggr_leave(of[n_nw + i], &c);
    }
    if (LIKELY(in->in.st->listened)) {
        put_straight(in, &c);
    } else {
        untouch(in);
    }
}

void sel_straight_soon(struct sel_inst *in, const struct evt *e)
{
    const struct sel_plan *p = in->p;
    if (LIKELY(p->n_group == 1)) {
        aggr_soon_of_key(in->aggr, evt_get(e, p->group[0]->of, p->group[0]->slot));
    }
}

bool sel_is_straight(const struct sel_inst *in)
{
    const struct sel_plan *p = in->p;
    const struct stmt *st = in->in.st;
    bool rows = p->cls == ROWS_GROUP && p->n_levels == 0 && p->where == NULL && p->having == NULL &&
                p->ways != NULL && p->n_order == 0 && p->limit == NULL && p->offset == NULL &&
                !p->distinct && p->insert == NULL && p->into == NULL && !p->needs_old;
    bool local = false;
    VEC_EACH (&p->aggs.calls, call) {
        local |= (*call)->has_group_by;
    }
    return rows && !local && in->out == NULL && !st->query && pack_of(in) != NULL &&
           (!st->causes || aggr_in_order(in->aggr));
}

void sel_rows(struct sel_inst *in, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old)
{
    assert(n_nw + n_old > 0 || in->p->cls == ROWS_TOTAL);
    struct batch b = {nw, old, n_nw, n_old, in->p->n_streams};
    switch (in->p->cls) {
    case ROWS_PLAIN: plain(in, &b); break;
    case ROWS_TOTAL: total(in, &b); break;
    case ROWS_EVENT_TOTAL: event_total(in, &b); break;
    case ROWS_GROUP:
    case ROWS_ROLLUP: grouped(in, &b); break;
    case ROWS_EVENT_GROUP: event_grouped(in, &b); break;
    }
}

void sel_rows_done(struct sel_inst *in)
{
    aggr_free(in->aggr);
    VEC_DONE(&in->nw.v);
    VEC_DONE(&in->old.v);
    VEC_DONE(&in->touched);
    mem_free(in->group_of);
}
