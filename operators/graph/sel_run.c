/* SPDX-License-Identifier: Apache-2.0
 *
 * Running a select: events come in at a stream, rows go out to aggregation and output. See sel.h.
 */
#include "operators/graph/join.h"
#include "operators/graph/join_bind.h"
#include "operators/graph/limit.h"
#include "operators/graph/nwin.h"
#include "operators/graph/prev.h"
#include "operators/graph/sel_flat.h"
#include "operators/graph/sel_out.h"
#include "operators/graph/sel_rows.h"
#include "operators/graph/share.h"
#include "operators/pattern/mr.h"
#include "operators/table/table.h"

#include "core/base/mem.h"

#include <assert.h>

/* ---- rows ---- */

static void keep_if(struct sel_inst *in, struct evt **rows, size_t n, struct evts *to)
{
    size_t w = in->p->n_streams;
    for (size_t i = 0; i < n; i++) {
        struct ectx c = inst_ctx(&in->in, rows + i * w);
        if (ex_true(in->p->where, &c) && !c.failed) {
            for (size_t k = 0; k < w; k++) {
                evts_add(to, rows[i * w + k]);
            }
        }
    }
}

/* One event of one stream in groups, and at most one that leaves with it (of the same group, where
 * rows are of groups and nobody asks for old ones): then neither order nor limit are asked. */
static bool is_whole(const struct sel_inst *in, size_t n_nw, size_t n_old)
{
    const struct sel_plan *p = in->p;
    bool one = n_nw == 1 && n_old <= 1 && p->n_streams == 1;
    bool pair = n_old == 1 && (p->needs_old || in->nw.v.len > 1);
    return one && (p->cls == ROWS_EVENT_GROUP || (p->cls == ROWS_GROUP && !pair));
}

/* Rows that the where has let pass. */
static void passed(struct sel_inst *in, struct evt **nw, size_t n_nw, struct evt **old,
                   size_t n_old)
{
    if (in->p->into != NULL) {
        into_rows(in, nw, n_nw, old, n_old);
        return;
    }
    if (in->out != NULL && !in->quiet) {
        out_batch(in, nw, n_nw, old, n_old);
        return;
    }
    VEC_CLEAR(&in->nw.v);
    VEC_CLEAR(&in->old.v);
    sel_rows(in, nw, n_nw, old, n_old);
    if (!in->quiet && in->nw.v.len + in->old.v.len > 0) {
        in->whole = is_whole(in, n_nw, n_old);
        sel_emit(in, &in->nw, &in->old);
        in->whole = false;
    }
}

void sel_process(struct sel_inst *in, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old)
{
    const struct sel_plan *p = in->p;
    bool had = n_nw + n_old > 0;
    if (p->where != NULL && had && (p->join == NULL || !p->join->tested)) {
        evts_clear(&in->rows_nw);
        evts_clear(&in->rows_old);
        keep_if(in, nw, n_nw, &in->rows_nw);
        keep_if(in, old, n_old, &in->rows_old);
        nw = in->rows_nw.ptr;
        old = in->rows_old.ptr;
        n_nw = in->rows_nw.len / p->n_streams;
        n_old = in->rows_old.len / p->n_streams;
    }
    bool empty = n_nw + n_old == 0;
    if (empty && (had || p->n_streams > 1 || p->cls != ROWS_TOTAL)) {
        return; /* an empty list of contained events shows the totals again, a join does not */
    }
    passed(in, nw, n_nw, old, n_old);
}

/* ---- streams ---- */

static void stream_out(struct sel_src *s, struct evt **nw, size_t n_nw, struct evt **old,
                       size_t n_old)
{
    struct sel_inst *in = s->in;
    if (in->p->n_streams == 1) {
        sel_process(in, nw, n_nw, old, n_old);
        return;
    }
    for (size_t i = 0; i < n_nw; i++) {
        evts_add(&s->nw, nw[i]);
    }
    for (size_t i = 0; i < n_old; i++) {
        evts_add(&s->old, old[i]);
    }
    eng_mark_dirty(&in->in);
}

static void mr_out(void *arg, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old)
{
    stream_out(arg, nw, n_nw, old, n_old);
}

/* For prior: what the window has let in, as far back as it and the largest prior reach. Without a
 * window, what the where lets pass. */
static void remember(struct sel_src *s, struct evt **nw, size_t n)
{
    const struct sel_plan *p = s->in->p;
    const struct sel_stream *from = &p->streams[s->num];
    struct vheap *h = s->in->in.eng->heap;
    size_t want = (size_t)MAX(s->live, 0) + n + from->prior + 1;
    if (s->view != NULL || !p->where_first) {
        prev_remember(h, &s->past, nw, n, want);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        struct ectx c = inst_ctx(&s->in->in, &nw[i]);
        if (ex_true(p->where, &c)) {
            prev_remember(h, &s->past, &nw[i], 1, want);
        }
    }
}

/* @SuppressOverlappingMatches, @DiscardPartialsOnMatch are about what the windows let out and the
 * where lets pass at once: that waits for the flush. What leaves windows is not told. */
static bool is_settled(const struct sel_src *s)
{
    const struct pat_plan *p = &s->in->p->streams[s->num].pat;
    return s->pat != NULL && (p->suppress_overlapping || p->discard_partials);
}

static void hold(struct sel_src *s, struct evt **nw, size_t n)
{
    const struct ex *where = s->in->p->where;
    for (size_t i = 0; i < n; i++) {
        struct ectx c = inst_ctx(&s->in->in, &nw[i]);
        if (where == NULL || ex_true(where, &c)) {
            evts_add(&s->nw, nw[i]);
        }
    }
    eng_mark_dirty(&s->in->in);
}

static void view_out(void *arg, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old)
{
    struct sel_src *s = arg;
    s->live += (int64_t)n_nw - (int64_t)n_old;
    if (s->in->straight) {
        sel_straight(s->in, nw, n_nw, old, n_old);
        return;
    }
    if (s->in->p->streams[s->num].prior > 0) {
        remember(s, nw, n_nw);
    }
    if (s->mr != NULL) {
        mr_update(s->mr, nw, n_nw, old, n_old);
    } else if (is_settled(s)) {
        hold(s, nw, n_nw);
    } else {
        stream_out(s, nw, n_nw, old, n_old);
    }
}

/* Whether n events might make more groups, or rows of tables, than the engine may hold. */
static bool is_full(const struct sel_src *s, size_t n)
{
    const struct sel_plan *p = s->in->p;
    const struct lim *l = &s->in->in.eng->lim;
    enum lim_kind k = p->into != NULL ? LIM_ROWS : LIM_GROUPS;
    bool counted = p->n_group > 0 || p->into != NULL || s->grows;
    size_t units = n * sel_units(s);
    bool full = lim_full(l, k, units) || lim_full(l, LIM_STATE, units * LIM_COST_GROUP);
    return counted && UNLIKELY(full) && !s->in->in.st->query;
}

static void feed(struct sel_src *s, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old)
{
    struct evts some = {NULL, 0, 0};
    if (n_nw > 0 && is_full(s, n_nw)) {
        n_nw = sel_admit(s, nw, n_nw, &some);
        nw = some.ptr;
        if (n_nw + n_old == 0) {
            return;
        }
    }
    if (s->view != NULL && n_nw + n_old > 0) {
        if (s->in->join != NULL && n_nw == 1) {
            join_soon(s->in->join, s->num, nw[0]);
        } else if (s->in->straight && n_nw == 1) {
            sel_straight_soon(s->in, nw[0]);
        } else if (s->in->p->n_group > 0 && n_nw == 1) {
            struct ectx c = inst_ctx(&s->in->in, nw);
            aggr_soon_key(s->in->aggr, &c);
        }
        s->in->view_ctx.now = s->in->in.eng->now;
        eng_view_update(&s->in->in, s->view, nw, n_nw, old, n_old);
    } else {
        view_out(s, nw, n_nw, old, n_old);
    }
    evts_done(&some);
}

static bool grows(const struct sel_plan *p)
{
    bool any = false;
    VEC_EACH (&p->aggs.calls, c) {
        any |= agg_grows(*c);
    }
    return any && !p->windowed;
}

/* Whether nothing stands between the stream and a where. */
static bool asks_first(const struct sel_src *s)
{
    const struct sel_plan *p = s->in->p;
    const struct sel_stream *from = &p->streams[s->num];
    return from->kind == SRC_FILTER && p->n_streams == 1 && p->where != NULL && !s->grows &&
           p->n_group == 0 && p->into == NULL && from->contained == NULL && from->mr == NULL &&
           from->prior == 0 && s->view == NULL;
}

static void ask_first(struct sel_src *s, struct evt *e)
{
    struct ectx c = inst_ctx(&s->in->in, &e);
    s->live++;
    if (ex_true(s->in->p->where, &c) && !c.failed) {
        passed(s->in, &e, 1, NULL, 0);
    }
}

static void on_event(void *arg, struct evt *e);

/* A stream alone with nothing behind it but groups that are put out later. */
static bool is_lone(const struct sel_src *s)
{
    const struct sel_plan *p = s->in->p;
    const struct sel_stream *from = &p->streams[s->num];
    bool local = false;
    VEC_EACH (&p->aggs.calls, call) {
        local |= (*call)->has_group_by;
    }
    return from->kind == SRC_FILTER && p->n_streams == 1 && from->contained == NULL &&
           from->mr == NULL && from->prior == 0 && s->view == NULL && p->n_group > 0 &&
           p->into == NULL && !p->triggered && !local && !s->in->in.st->query &&
           s->in->out != NULL && out_is_lone(p);
}

static void on_lone(void *arg, struct evt *e)
{
    struct sel_src *s = arg;
    struct sel_inst *in = s->in;
    const struct lim *l = &in->in.eng->lim;
    if (UNLIKELY(lim_full(l, LIM_GROUPS, 1) || lim_full(l, LIM_STATE, LIM_COST_GROUP))) {
        on_event(arg, e);
        return;
    }
    s->live++;
    struct ectx c = inst_ctx(&in->in, &e);
    if (in->p->where == NULL || (ex_true(in->p->where, &c) && !c.failed)) {
        out_lone(in, &c);
    }
}

static void on_event(void *arg, struct evt *e)
{
    struct sel_src *s = arg;
    const struct sel_stream *p = &s->in->p->streams[s->num];
    if (s->asks_first) {
        ask_first(s, e);
        return;
    }
    if (p->contained == NULL) {
        feed(s, &e, 1, NULL, 0);
        return;
    }
    evts_clear(&s->tmp);
    if (contained_expand(p->contained, &s->in->in, e, &s->tmp)) {
        feed(s, s->tmp.ptr, s->tmp.len, NULL, 0);
    }
}

static void on_match(void *arg, struct evt *match)
{
    struct sel_src *s = arg;
    const struct sel_stream *from = &s->in->p->streams[s->num];
    on_event(s, from->flat != NULL ? sel_flat_row(s->in, from->flat, match) : match);
    eng_mark_dirty(&s->in->in);
}

static void take_matches(struct sel_src *s)
{
    pat_pass(s->pat);
    if (is_settled(s) && s->nw.len > 0) {
        struct evt **m = NULL;
        size_t n = pat_settle(s->pat, s->nw.ptr, s->nw.len, &m);
        stream_out(s, m, n, NULL, 0);
        evts_clear(&s->nw);
    }
}

/* Deltas of a named window. */
static void on_window(void *arg, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old)
{
    struct sel_src *s = arg;
    const struct sel_stream *p = &s->in->p->streams[s->num];
    if (p->contained == NULL) {
        feed(s, nw, n_nw, old, n_old);
        return;
    }
    evts_clear(&s->tmp);
    bool any = false;
    for (size_t i = 0; i < n_nw; i++) {
        any |= contained_expand(p->contained, &s->in->in, nw[i], &s->tmp);
    }
    size_t at = s->tmp.len;
    for (size_t i = 0; i < n_old; i++) {
        any |= contained_expand(p->contained, &s->in->in, old[i], &s->tmp);
    }
    if (any) {
        feed(s, s->tmp.ptr, at, s->tmp.ptr + at, s->tmp.len - at);
    }
}

/* ---- begin ---- */

static void fill_one(void *arg, struct evt *e)
{
    struct sel_src *s = arg;
    const struct ex *filter = s->in->p->streams[s->num].win_filter;
    struct ectx c = inst_ctx(&s->in->in, &e);
    if (ex_true(filter, &c)) {
        evts_add(&s->fill, evt_keep(e));
    }
}

static void feed_filled(struct sel_src *s)
{
    if (s->fill.len > 0) {
        on_window(s, s->fill.ptr, s->fill.len, NULL, 0);
    }
    for (size_t i = 0; i < s->fill.len; i++) {
        evt_drop(s->in->in.eng->heap, s->fill.ptr[i]);
    }
    evts_done(&s->fill);
}

/* A statement on a named window begins with what the window holds, without putting it out. */
static void fill(struct sel_src *s)
{
    const struct sel_stream *p = &s->in->p->streams[s->num];
    if (s->in->in.st->query && s->in->in.props == NULL) {
        nwin_each_all(p->win, fill_one, s);
    } else {
        nwin_each(p->win, s->in->in.props, fill_one, s);
    }
    feed_filled(s);
}

static void open_views(struct sel_src *s, const struct sel_stream *p)
{
    struct sel_inst *in = s->in;
    struct eng *e = in->in.eng;
    const struct stmt *st = in->in.st;
    if (p->views.n_steps > 0) {
        /* Groups that do not lose their events in order know them by address. */
        bool known = st->causes && in->p->where != NULL && in->p->cls != ROWS_PLAIN;
        bool whole = st->looks_up || st->uses_prev || st->query || e->lim.bytes || known;
        s->env = (struct view_env){.heap = e->heap,
                                   .timers = e->timers,
                                   .lim = in->in.st->query ? NULL : &e->lim,
                                   .ctx = &in->view_ctx,
                                   .stream = (uint16_t)s->num,
                                   .rank = in->in.st->rank + s->num,
                                   .inst = &in->in,
                                   .pack = whole ? NULL : p->pack,
                                   .prev = in->in.st->uses_prev,
                                   .causes = in->in.st->causes,
                                   .leaves = p->views.has_window || p->kind == SRC_WINDOW};
        s->view = view_new(&p->views, &s->env, view_out, s);
        share_begin(s);
    }
    if (p->mr != NULL) {
        s->pat_env = inst_pat_env(&in->in);
        s->mr = mr_new(p->mr, &s->pat_env, mr_out, s);
    }
}

/* Of a statement that is not class 2 as a whole, each stream has the class of its own filter. */
static uint64_t leaf_rank(const struct stmt *st, const struct route_filter *f)
{
    uint64_t low = st->rank & 0xffffffffffffULL;
    return st->rank >> 48 == 2 ? st->rank : f->cond == NULL ? low | 1ULL << 48 : low;
}

static void open_source(struct sel_src *s, const struct sel_stream *p)
{
    struct sel_inst *in = s->in;
    struct eng *e = in->in.eng;
    s->grows = grows(s->in->p);
    s->asks_first = asks_first(s);
    switch (p->kind) {
    case SRC_FILTER:
        s->leaf = route_add(e->route, &p->filter, NULL, is_lone(s) ? on_lone : on_event, s, &in->in,
                            &eng_ectx_ops, leaf_rank(in->in.st, &p->filter) + 0x100 + s->num);
        break;
    case SRC_PATTERN:
        s->pat_env = inst_pat_env(&in->in);
        s->pat = pat_new(&p->pat, &s->pat_env, on_match, s);
        in->in.flushes = true;
        if (!e->loading) {
            pat_start(s->pat, NULL);
        }
        break;
    case SRC_WINDOW:
        if (!e->loading) {
            fill(s);
        }
        nwin_consume(p->win, &in->in, p->win_filter, on_window, s);
        break;
    case SRC_TABLE:
        if (in->in.st->query) { /* the rows there are, as if they had just entered */
            struct trows *t = table_of(p->table, in->in.props);
            if (t != NULL) {
                table_each(t, fill_one, s);
            }
            feed_filled(s);
        }
        break;
    }
}

/* Whether what leaves is always the oldest that entered, and stands for itself: a where might let
 * one in and not see it leave, deletes take from the middle. */
static bool in_a_queue(const struct sel_plan *p)
{
    const struct sel_stream *s = &p->streams[0];
    return p->n_streams == 1 && s->kind == SRC_FILTER && s->contained == NULL && s->mr == NULL &&
           s->views.queue && p->where == NULL && !p->triggered && !cause_is_sample(s->type);
}

static bool has_output(const struct sel_plan *p)
{
    const struct out_plan *o = &p->output;
    return o->when != OUT_EVERY_NONE || o->kind != OUT_NONE || o->after != NULL || o->terminated;
}

struct aggregator *sel_aggr(const struct sel_inst *in)
{
    const struct sel_plan *p = in->p;
    struct aggregator *a =
        aggr_new(&p->layout, p->group, p->n_group, p->n_streams, in->in.eng->heap);
    bool grouped = p->cls != ROWS_PLAIN;
    if (has_output(p)) {
        aggr_keeps(a);
    }
    if (in->in.st->causes && grouped) { /* rows of match_recognize do not leave */
        bool leave = p->windowed && (p->n_streams > 1 || p->streams[0].mr == NULL);
        aggr_causes(a, leave || p->triggered, in_a_queue(p));
    }
    return a;
}

void sel_forget_groups(struct sel_inst *in)
{
    aggr_free(in->aggr);
    in->aggr = sel_aggr(in);
    aggr_limit(in->aggr, in->in.st->query ? NULL : &in->in.eng->lim);
}

struct inst *sel_start(struct stmt *st, struct evt *props)
{
    const struct sel_plan *p = st->plan;
    struct sel_inst *in = MEM_NEW(struct sel_inst);
    in->p = p;
    in->row = mem_calloc(p->n_streams + 1, sizeof(struct evt *));
    in->src = mem_calloc(p->n_streams + 1, sizeof *in->src);
    inst_init(&in->in, st, props);
    in->view_ctx = inst_ctx(&in->in, in->row);
    in->aggr = sel_aggr(in);
    aggr_limit(in->aggr, st->query ? NULL : &st->eng->lim);
    if (has_output(p)) {
        in->out = out_new(in);
        out_open(in->out);
    } else if (p->windowed && p->into == NULL) {
        aggr_forgets(in->aggr);
    }
    if (p->n_streams > 1) {
        in->join = join_new(in);
        in->in.flushes = true;
    }
    in->quiet = st->query; /* what is there goes through, its listeners are not there yet */
    for (uint32_t i = 0; i < p->n_streams; i++) {
        in->src[i].in = in;
        in->src[i].num = i;
        open_views(&in->src[i], &p->streams[i]);
    }
    for (uint32_t i = 0; i < p->n_streams; i++) {
        open_source(&in->src[i], &p->streams[i]);
    }
    if (in->join != NULL && !st->eng->loading) {
        join_flush(in);
    }
    in->quiet = false;
    in->straight = sel_is_straight(in);
    return &in->in;
}

void sel_flush(struct inst *base)
{
    struct sel_inst *in = (struct sel_inst *)(void *)base;
    for (uint32_t i = 0; i < in->p->n_streams; i++) {
        if (in->src[i].pat != NULL) {
            take_matches(&in->src[i]);
        }
    }
    if (in->join != NULL) {
        join_flush(in);
    }
}

void sel_end(struct inst *base)
{
    out_terminated((struct sel_inst *)(void *)base);
}

void sel_look(struct inst *base, bool at_clock)
{
    struct sel_inst *in = (struct sel_inst *)(void *)base;
    in->view_ctx.now = base->eng->now;
    for (uint32_t i = 0; !at_clock && i < in->p->n_streams; i++) {
        VEC_EACH (&base->eng->vars_changed, v) {
            view_poke(in->src[i].view, *v);
        }
    }
    out_look(in, at_clock);
}

void sel_stop(struct inst *base)
{
    struct sel_inst *in = (struct sel_inst *)(void *)base;
    struct eng *e = base->eng;
    for (uint32_t i = 0; i < in->p->n_streams; i++) {
        struct sel_src *s = &in->src[i];
        if (s->leaf != NULL) {
            route_remove(e->route, s->leaf);
        }
        if (in->p->streams[i].kind == SRC_WINDOW) {
            nwin_forget(base, s);
        }
        pat_free(s->pat);
        mr_free(s->mr);
        share_end(s);
        view_free(s->view);
        for (size_t k = 0; k < s->past.len; k++) {
            evt_drop(e->heap, s->past.ptr[k]);
        }
        evts_done(&s->past);
        evts_done(&s->nw);
        evts_done(&s->old);
        evts_done(&s->tmp);
    }
    join_free(in->join);
    out_free(in->out);
    sel_rows_done(in);
    evts_done(&in->rows_nw);
    evts_done(&in->rows_old);
    inst_done(base);
    mem_free(in->src);
    mem_free(in->row);
    mem_free(in);
}
