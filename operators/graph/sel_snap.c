/* SPDX-License-Identifier: Apache-2.0
 *
 * The rows of a select as they are now: for `output snapshot` and on-demand queries.
 */
#include "operators/graph/join.h"
#include "operators/graph/nwin.h"
#include "operators/graph/sel.h"
#include "operators/table/table.h"

struct snap {
    struct sel_inst *in;
    struct orows *to;
    uint32_t level; /* of rollup */
};

static void snap_row(void *arg, struct evt **row)
{
    struct snap *s = arg;
    struct sel_inst *in = s->in;
    const struct sel_plan *p = in->p;
    struct ectx c = inst_ctx(&in->in, row);
    if (!ex_true(p->where, &c)) {
        return;
    }
    struct group *g = NULL;
    if (p->cls == ROWS_EVENT_TOTAL) {
        g = aggr_total(in->aggr);
    } else if (p->cls != ROWS_PLAIN) {
        uint32_t rolled = p->n_levels > 0 ? p->levels[s->level] : 0;
        g = aggr_group(in->aggr, &c, s->level, rolled);
        if (p->cls != ROWS_EVENT_GROUP && g->touched) {
            return;
        }
        g->touched = true;
    }
    struct orow r;
    if (sel_row(in, row, g, false, &r)) {
        orows_add(s->to, r);
    }
}

static void snap_event(void *arg, struct evt *e)
{
    struct evt *row[1] = {e};
    snap_row(arg, row);
}

static void snap_collect(void *arg, struct evt *e)
{
    evts_add(arg, e);
}

static void untouch(struct sel_inst *in)
{
    for (struct group *g = aggr_first(in->aggr); g != NULL; g = g->next) {
        g->touched = false;
    }
}

static void snap_total(struct sel_inst *in, struct orows *to)
{
    struct evt *none[64] = {NULL};
    struct orow r;
    if (sel_row(in, none, aggr_total(in->aggr), false, &r)) {
        orows_add(to, r);
    }
}

static void snap_groups(struct sel_inst *in, struct orows *to)
{
    for (struct group *g = aggr_first(in->aggr); g != NULL; g = g->next) {
        struct orow r;
        bool live = !in->p->windowed || g->rows > 0;
        if (live && g->row != NULL && sel_row(in, g->row, g, false, &r)) {
            orows_add(to, r);
        }
    }
}

static void snap_window(struct sel_inst *in, struct snap *s)
{
    struct nwin *w = in->p->streams[0].win;
    struct evts rows = {NULL, 0, 0};
    if (in->in.st->query && in->in.props == NULL) {
        nwin_each_all(w, snap_collect, &rows);
    } else {
        nwin_each(w, in->in.props, snap_collect, &rows);
    }
    for (size_t i = 0; i < rows.len; i++) {
        struct ectx c = inst_ctx(&in->in, &rows.ptr[i]);
        if (ex_true(in->p->streams[0].win_filter, &c)) {
            snap_event(s, rows.ptr[i]);
        }
    }
    evts_done(&rows);
}

/* Rows of what the streams hold. */
static void snap_held(struct sel_inst *in, struct snap *s)
{
    if (in->join != NULL) {
        join_each(in, snap_row, s);
    } else if (in->src[0].view != NULL) {
        view_each(in->src[0].view, snap_event, s);
    } else if (in->p->streams[0].kind == SRC_WINDOW) {
        snap_window(in, s);
    } else if (in->p->streams[0].kind == SRC_TABLE) {
        struct trows *t = table_of(in->p->streams[0].table, in->in.props);
        if (t != NULL) {
            table_each(t, snap_event, s);
        }
    }
    untouch(in);
}

static void count_row(void *arg, struct evt *e)
{
    struct sel_inst *in = arg;
    const struct sel_plan *p = in->p;
    struct evt *row[1] = {e};
    struct ectx c = inst_ctx(&in->in, row);
    if (!ex_true(p->where, &c)) {
        return;
    }
    for (uint32_t l = 0; l < MAX(p->n_levels, 1u); l++) {
        uint32_t rolled = p->n_levels > 0 ? p->levels[l] : 0;
        struct group *g =
            p->n_group == 0 ? aggr_total(in->aggr) : aggr_group(in->aggr, &c, l, rolled);
        aggr_keep_row(g, row);
        c.group = g;
        aggr_enter(g, &c);
    }
    aggr_local(in->aggr, &c, true);
}

/* A table sends no rows that aggregations could follow: they are of what it holds now. */
static void count_table(struct sel_inst *in)
{
    const struct sel_plan *p = in->p;
    struct trows *t = table_of(p->streams[0].table, in->in.props);
    aggr_free(in->aggr);
    in->aggr = aggr_new(&p->layout, p->group, p->n_group, p->n_streams, in->in.eng->heap);
    aggr_keeps(in->aggr); /* it is an output rate that asks */
    if (t != NULL) {
        table_each(t, count_row, in);
    }
}

void sel_snapshot(struct sel_inst *in, struct orows *to)
{
    const struct sel_plan *p = in->p;
    struct snap s = {in, to, 0};
    if (p->streams[0].kind == SRC_TABLE && p->n_streams == 1 && !in->in.st->query &&
        p->cls != ROWS_PLAIN) {
        count_table(in);
    }
    bool by_group = p->cls == ROWS_GROUP || p->cls == ROWS_ROLLUP;
    if (p->cls == ROWS_TOTAL) {
        snap_total(in, to);
    } else if (by_group && (!p->windowed || p->n_streams > 1)) {
        snap_groups(in, to);
    } else {
        for (; s.level < MAX(p->n_levels, 1u); s.level++) {
            snap_held(in, &s);
        }
    }
}
