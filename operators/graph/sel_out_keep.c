/* SPDX-License-Identifier: Apache-2.0
 *
 * What is kept until the output condition holds: all rows, the last one, the groups that were
 * touched; a snapshot keeps nothing and asks the windows.
 */
#include "operators/graph/sel_flat.h"
#include "operators/graph/sel_out.h"

/* ---- rows ---- */

void out_keep_rows(struct out *o)
{
    struct vheap *h = o->in->in.eng->heap;
    VEC_EACH (&o->in->nw.v, r) {
        out_hold(h, &o->nw, r);
    }
    VEC_EACH (&o->in->old.v, r) {
        out_hold(h, &o->old, r);
    }
}

/* What is dropped before `after` has passed: rows that no aggregation depends on, but for `all`. */
static bool take_rows(struct out *o, const struct out_rows *b, bool pass)
{
    const struct sel_plan *p = o->in->p;
    bool all = p->output.kind == OUT_ALL;
    out_compute(o, b);
    bool keeps = pass || all || p->cls != ROWS_PLAIN;
    if (keeps && o->in->nw.v.len + o->in->old.v.len > 0 && !out_refuses(o)) {
        out_keep_rows(o);
    }
    return true;
}

static void give_total(struct out *o);

void out_give_rows(struct out *o)
{
    if (o->in->p->cls == ROWS_TOTAL) {
        give_total(o);
        return;
    }
    /* the last row of all events is not limited, it is one */
    o->in->whole = o->in->p->cls == ROWS_EVENT_TOTAL && o->in->p->output.kind == OUT_LAST;
    VEC_EACH (&o->nw.v, k) {
        orows_add(&o->in->nw, *k);
    }
    VEC_EACH (&o->old.v, k) {
        orows_add(&o->in->old, *k);
    }
}

static void last_of(struct out *o, const struct orows *from, struct orows *to)
{
    if (from->v.len > 0) {
        out_let_go(o, to);
        out_hold(o->in->in.eng->heap, to, VEC_LAST(&from->v));
    }
}

static bool take_last(struct out *o, const struct out_rows *b, bool pass)
{
    (void)pass;
    out_compute(o, b);
    last_of(o, &o->in->nw, &o->nw);
    last_of(o, &o->in->old, &o->old);
    return true;
}

/* ---- totals ---- */

/* last: a row is made when it is put out, so all that is kept is the value at the interval's begin.
 */
static bool take_total(struct out *o, const struct out_rows *b, bool pass)
{
    const struct orows *old = &o->in->old;
    (void)pass;
    out_compute(o, b);
    if (o->in->p->output.kind != OUT_LAST) {
        out_keep_rows(o);
    } else if (o->old.v.len == 0 && old->v.len > 0) {
        out_hold(o->in->in.eng->heap, &o->old, &old->v.ptr[0]);
    }
    return true;
}

/* What had no row in the interval shows the value as it is now: of what leaves, only `all` and
 * `last` that are not ordered do where there were events, but no row. Neither these rows nor the
 * one of `last` are ordered and limited. */
static void give_total(struct out *o)
{
    struct sel_inst *in = o->in;
    const struct sel_plan *p = in->p;
    struct orow r;
    struct evt *row[64] = {NULL};
    bool last = p->output.kind == OUT_LAST;
    bool quiet = o->events_nw + o->events_old == 0;
    bool fills = quiet || ((last || p->output.kind == OUT_ALL) && p->n_order == 0);
    bool some = sel_row(in, row, aggr_total(in->aggr), false, &r);
    if ((last || o->nw.v.len == 0) && some) {
        orows_add(&in->nw, r);
    }
    for (size_t i = 0; !last && i < o->nw.v.len; i++) {
        orows_add(&in->nw, o->nw.v.ptr[i]);
    }
    VEC_EACH (&o->old.v, k) {
        orows_add(&in->old, *k);
    }
    if (p->needs_old && fills && o->old.v.len == 0 && some) {
        orows_add(&in->old, r);
    }
    in->whole = last || quiet;
}

/* ---- groups ---- */

/* The row kept of a group: the last known, or the value at the interval's begin. */
static void group_hold(struct vheap *h, struct evt **e, struct vlist **key, const struct orow *r)
{
    struct evt *was = *e;
    struct vlist *was_key = *key;
    *e = r != NULL ? evt_keep(r->e) : NULL;
    *key = r != NULL ? r->key : NULL;
    if (*key != NULL) {
        obj_keep(&(*key)->o);
    }
    if (was != NULL) {
        evt_drop(h, was);
    }
    if (was_key != NULL) {
        obj_drop(h, &was_key->o);
    }
}

static void put_group(struct sel_inst *in, struct group *g, struct orows *to)
{
    struct orow r;
    struct evt **row = g->row;
    if (row != NULL && sel_row(in, row, g, false, &r)) {
        orows_add(to, r);
    }
}

static void level_out(struct out *o, bool all, uint32_t level)
{
    struct sel_inst *in = o->in;
    bool by_event = in->p->cls == ROWS_EVENT_GROUP;
    for (struct group *g = aggr_first(in->aggr); g != NULL; g = g->next) {
        if (g->level != level || (!g->seen && !all)) {
            continue;
        }
        if (by_event && all) {
            if (!g->seen) {
                put_group(in, g, &in->nw);
            }
        } else if (by_event) {
            if (g->kept->out.nw != NULL) {
                orows_add(&in->nw, (struct orow){.e = g->kept->out.nw, .key = g->kept->out.nw_key});
            }
            if (g->kept->out.old != NULL) {
                orows_add(&in->old,
                          (struct orow){.e = g->kept->out.old, .key = g->kept->out.old_key});
            }
        } else {
            put_group(in, g, &in->nw);
            if (g->kept->out.old != NULL) {
                orows_add(&in->old,
                          (struct orow){.e = g->kept->out.old, .key = g->kept->out.old_key});
            }
        }
        if (g->seen) {
            aggr_touch(g);
            g->seen = false;
        }
    }
}

static void groups_out(struct out *o, bool all)
{
    for (uint32_t l = 0; l < MAX(o->in->p->n_levels, 1u); l++) {
        level_out(o, all, l);
    }
}

/* At the begin of the next interval every group's value is its previous one. */
static void remember_groups(struct out *o)
{
    struct sel_inst *in = o->in;
    const struct sel_plan *p = in->p;
    bool all = p->output.kind == OUT_ALL;
    for (struct group *g = aggr_first(in->aggr); g != NULL; g = g->next) {
        struct orow r;
        bool some = all && p->needs_old && p->cls != ROWS_EVENT_GROUP && g->row != NULL &&
                    sel_row(in, g->row, g, true, &r);
        if (some || g->kept->out.old != NULL || g->kept->out.nw != NULL) {
            aggr_touch(g);
        }
        group_hold(in->in.eng->heap, &g->kept->out.old, &g->kept->out.old_key, some ? &r : NULL);
        if (p->cls == ROWS_EVENT_GROUP && !all) {
            group_hold(in->in.eng->heap, &g->kept->out.nw, &g->kept->out.nw_key, NULL);
        }
    }
}

/* The previous value of a group in an interval is the one at its first row there, if that fulfils
 * having; or else the first that does. */
static bool seeks_old(const struct sel_plan *p)
{
    enum ast_out_kind kind = p->cls == ROWS_ROLLUP ? OUT_LAST : OUT_ALL;
    return p->output.kind == kind && p->n_order == 0;
}

/* Rows of groups that only lost events in the interval are as those of groups that had none. */
static bool counts_leaving(const struct sel_plan *p)
{
    return p->cls != ROWS_EVENT_GROUP || p->output.kind != OUT_ALL || p->n_order == 0;
}

/* Marks a group, keeps its row, and before it changes its previous value. */
static void mark_group(struct out *o, struct group *g, struct evt **row, bool enter)
{
    struct sel_inst *in = o->in;
    const struct sel_plan *p = in->p;
    struct orow r;
    bool any = g->row != NULL && p->any_row;
    if (!any && (enter || p->cls != ROWS_EVENT_GROUP || g->row == NULL)) {
        aggr_keep_row(g, row);
    }
    if ((!g->seen || seeks_old(p)) && g->kept->out.old == NULL && p->needs_old &&
        p->cls != ROWS_EVENT_GROUP && sel_row(in, row, g, true, &r)) {
        group_hold(in->in.eng->heap, &g->kept->out.old, &g->kept->out.old_key, &r);
    }
    g->seen |= enter || counts_leaving(p);
}

/* last: the last row of each group is kept. */
static void event_last(struct out *o, struct group *g, struct evt **row, bool enter)
{
    struct vheap *h = o->in->in.eng->heap;
    struct orow r;
    if (!sel_row(o->in, row, g, !enter, &r)) {
        return;
    }
    if (enter) {
        group_hold(h, &g->kept->out.nw, &g->kept->out.nw_key, &r);
    } else if (o->in->p->needs_old) {
        group_hold(h, &g->kept->out.old, &g->kept->out.old_key, &r);
    }
}

/* all: rows of all events, and if nothing orders them one more of each group that something left.
 */
static void event_all(struct out *o, struct group *g, struct evt **row, bool enter)
{
    struct vheap *h = o->in->in.eng->heap;
    struct orow r;
    if (enter || o->in->p->needs_old) {
        if (sel_row(o->in, row, g, !enter, &r) && !out_refuses(o)) {
            out_hold(h, enter ? &o->nw : &o->old, &r);
        }
    }
    if (!enter && !g->touched && o->in->p->n_order == 0) {
        g->touched = true;
        if (sel_row(o->in, g->row, g, false, &r) && !out_refuses(o)) {
            out_hold(h, &o->nw, &r);
        }
    }
}

static void untouch(struct out *o, struct group *g, struct evt **row, bool enter)
{
    (void)o, (void)row, (void)enter;
    g->touched = false;
}

static bool take_groups(struct out *o, const struct out_rows *b, bool pass)
{
    (void)pass;
    out_each_row(o, b, mark_group, true);
    return true;
}

static bool take_event_groups(struct out *o, const struct out_rows *b, bool pass)
{
    (void)pass;
    out_each_row(o, b, mark_group, true);
    out_each_row(o, b, o->in->p->output.kind == OUT_ALL ? event_all : event_last, false);
    out_each_row(o, b, untouch, false);
    return true;
}

static void give_groups(struct out *o)
{
    bool all = o->in->p->output.kind == OUT_ALL;
    if (all && o->in->p->cls == ROWS_EVENT_GROUP) {
        out_give_rows(o);
    }
    groups_out(o, all);
    remember_groups(o);
}

/* ---- snapshots ---- */

static bool take_snapshot(struct out *o, const struct out_rows *b, bool pass)
{
    const struct sel_plan *p = o->in->p;
    bool lone = !p->windowed && b->n_nw + b->n_old == 1;
    (void)pass;
    if (out_per_group(p)) { /* of one row, this is all that making it would come to */
        out_each_row(o, b, mark_group, lone);
    }
    if (!out_per_group(p) || !lone) {
        out_compute(o, b);
    }
    return true;
}

static void give_snapshot(struct out *o)
{
    o->in->whole = o->in->p->cls == ROWS_TOTAL;
    sel_snapshot(o->in, &o->in->nw);
}

const struct out_way *out_way_keep(const struct sel_plan *p)
{
    static const struct out_way rows = {take_rows, out_give_rows},
                                last = {take_last, out_give_rows},
                                total = {take_total, out_give_rows},
                                groups = {take_groups, give_groups},
                                event_groups = {take_event_groups, give_groups},
                                snapshot = {take_snapshot, give_snapshot};
    enum ast_out_kind kind = p->output.kind;
    if (p->output.waits) {
        return out_way_wait(p);
    }
    if (kind == OUT_SNAPSHOT) {
        return &snapshot;
    }
    if (p->cls == ROWS_TOTAL) {
        return &total;
    }
    if (out_per_group(p) && (kind == OUT_LAST || kind == OUT_ALL)) {
        return p->cls == ROWS_EVENT_GROUP ? &event_groups : &groups;
    }
    return kind == OUT_LAST ? &last : &rows;
}
