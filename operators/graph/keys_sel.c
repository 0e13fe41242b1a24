/* SPDX-License-Identifier: Apache-2.0
 *
 * Facts of selects: streams with their windows and patterns, joins, groups, output, where rows go.
 */
#include "operators/graph/join_bind.h"
#include "operators/graph/keys_build.h"
#include "operators/graph/nwin.h"
#include "operators/pattern/mr.h"
#include "operators/pattern/pat_local.h"
#include "operators/table/table.h"

#include <assert.h>
#include <stdio.h>

/* ---- streams ---- */

static bool by_time(const struct view_def *d)
{
    return strstr(d->name, "time") != NULL && strstr(d->name, "ext_") == NULL;
}

void keys_views(struct keys_build *b, const struct keys_scope *sc, const struct view_plan *v)
{
    char what[64];
    for (uint32_t i = 0; i < v->n_steps; i++) {
        const struct view_step *s = v->steps[i];
        struct ex *const *keys = NULL;
        uint32_t n = 0;
        snprintf(what, sizeof what, "#%s", s->def->name);
        b->timed |= by_time(s->def);
        if (v->group_win && i > 0) {
            continue; /* behind #groupwin it lives once per key */
        }
        switch (view_locality(s->def)) {
        case VIEW_ANY: break;
        case VIEW_KEYED:
            keys = view_keys(s, &n);
            keys_need_keys(b, sc, KEYS_window_keyed, what, keys, n, 0, true);
            break;
        case VIEW_WHOLE: keys_need(b, KEYS_window_whole, what, true); break;
        }
    }
}

/* Sources of the atoms; tag_src[column of the match]. */
void keys_pattern(struct keys_build *b, const struct pat_plan *plan, bool held, int *tag_src)
{
    struct pat_local *p = ARENA_NEW(b->f->a, struct pat_local);
    pat_local(plan, held, p);
    b->timed |= p->timed;
    if (p->why != NULL) {
        char what[160];
        snprintf(what, sizeof what, "its pattern (%s)", p->why);
        keys_need(b, KEYS_pattern_open, what, true);
    }
    int begins = -1;
    for (uint32_t i = 0; i < p->n_atoms; i++) {
        const struct pat_atom *a = &p->atoms[i];
        uint32_t src = keys_add_src(b, a->filter->type, true, KEYS_pattern, "its pattern");
        b->s->srcs.ptr[src].optional = !a->sure;
        b->s->srcs.ptr[src].lone = a->begins && begins >= 0;
        begins = a->begins && begins < 0 ? (int)src : begins;
        if (a->tag >= 0 && a->tag < KEYS_TAGS_MAX) {
            bool twice = tag_src[a->tag] >= 0;
            tag_src[a->tag] = a->sure && !twice ? (int)src : tag_src[a->tag];
        }
        struct keys_base bases[2] = {{.src = (int)src},
                                     {.src = -1, .tag_src = tag_src, .n_tags = KEYS_TAGS_MAX}};
        struct keys_scope sc = {.outer = NULL, .bases = bases, .n = 2};
        keys_keyed(b, src);
        keys_ties(b, &sc, a->filter->cond);
        keys_visit(b, &sc, NULL, a->filter->cond);
    }
    struct keys_base bases[2] = {{.src = -1},
                                 {.src = -1, .tag_src = tag_src, .n_tags = KEYS_TAGS_MAX}};
    struct keys_scope sc = {.outer = NULL, .bases = bases, .n = 2};
    if (p->n_distinct > 0) {
        keys_need_keys(b, &sc, KEYS_pattern_distinct, "every-distinct", p->distinct, p->n_distinct,
                       0, true);
    }
}

static void one_source(struct keys_build *b, const struct sel_stream *s,
                       const struct keys_scope *outer, enum keys_node tie, struct keys_base *base)
{
    bool events = s->kind == SRC_FILTER;
    const char *what = tie == KEYS_subquery ? "a subquery" : events ? "a join" : "a join with it";
    base->src = (int)keys_add_src(b, s->in, events, tie, what);
    struct keys_scope sc = {.outer = outer, .bases = base, .n = 1};
    if (events) {
        keys_keyed(b, (uint32_t)base->src);
        keys_ties(b, &sc, s->filter.cond);
        keys_visit(b, &sc, NULL, s->filter.cond);
        return;
    }
    keys_shared(b, (uint32_t)base->src);
    keys_visit(b, &sc, NULL, s->win_filter);
}

void keys_stream(struct keys_build *b, const struct sel_stream *s, const struct keys_scope *outer,
                 enum keys_node tie, struct keys_base *ret_base)
{
    struct keys_base base = {.src = -1};
    if (s->kind == SRC_PATTERN) {
        int *tag_src = arena_array(b->f->a, KEYS_TAGS_MAX, sizeof *tag_src);
        for (uint32_t i = 0; i < KEYS_TAGS_MAX; i++) {
            tag_src[i] = -1;
        }
        keys_pattern(b, &s->pat, false, tag_src);
        base.tag_src = tag_src;
        base.n_tags = KEYS_TAGS_MAX;
    } else {
        one_source(b, s, outer, tie, &base);
    }
    if (s->contained != NULL) {
        base = (struct keys_base){.src = -1}; /* rows are of another type */
    }
    struct keys_scope sc = {.outer = outer, .bases = &base, .n = 1, .one = true};
    keys_views(b, &sc, &s->views);
    if (s->views.n_steps > 0 && s->views.out != s->views.in) {
        base.views = &s->views;
    }
    if (s->mr != NULL) {
        uint32_t n = 0;
        struct ex *const *keys = mr_partition(s->mr, &n);
        if (n == 0) {
            keys_need(b, KEYS_matches, "match_recognize", true);
        } else {
            keys_need_keys(b, &sc, KEYS_partition, "match_recognize", keys, n, 0, true);
        }
        base = (struct keys_base){.src = -1};
    }
    *ret_base = base;
}

/* ---- joins ---- */

static void mark_optional(struct keys_build *b, const struct keys_base *base)
{
    if (base->src >= 0) {
        b->s->srcs.ptr[base->src].optional = true;
    }
    for (uint32_t i = 0; i < base->n_tags; i++) {
        if (base->tag_src[i] >= 0) {
            b->s->srcs.ptr[base->tag_src[i]].optional = true;
        }
    }
}

static void join(struct keys_build *b, const struct keys_scope *sc, const struct sel_plan *p)
{
    for (uint32_t i = 0; i < p->n_streams; i++) {
        const struct join_stream *s = &p->join->s[i];
        for (uint32_t k = 0; k < s->n_keys; k++) {
            keys_tie(b, sc, s->keys[k].mine, s->keys[k].theirs, false);
        }
        keys_visit(b, sc, p, s->on);
        keys_ties(b, sc, s->on);
        if (s->optional) {
            mark_optional(b, &sc->bases[i]);
        }
        for (uint32_t k = 0; s->parent_optional && k < i; k++) {
            mark_optional(b, &sc->bases[k]);
        }
    }
    if (!p->join->outer) {
        keys_ties(b, sc, p->where);
    }
}

/* ---- clauses ---- */

static void aggregations(struct keys_build *b, const struct keys_scope *sc,
                         const struct sel_plan *p, bool own)
{
    bool plain = false;
    for (size_t i = 0; i < p->aggs.calls.len; i++) {
        const struct agg_call *c = p->aggs.calls.ptr[i];
        for (uint32_t k = 0; k < c->n_args; k++) {
            keys_visit(b, sc, p, c->args[k]);
        }
        keys_visit(b, sc, p, c->filter);
        if (c->has_group_by && own) {
            keys_need_keys(b, sc, KEYS_aggregate_local, "an aggregation's group_by", c->group_by,
                           c->n_group_by, 0, true);
        }
        plain |= !c->has_group_by;
    }
    if (plain && p->n_group == 0 && own) {
        keys_need(b, KEYS_aggregate, "an aggregation without group by", true);
    }
    uint32_t rolled = 0;
    for (uint32_t i = 0; i < p->n_levels; i++) {
        rolled |= p->levels[i];
    }
    for (uint32_t i = 0; i < p->n_group; i++) {
        keys_visit(b, sc, p, p->group[i]);
    }
    if (p->n_group > 0 && own) {
        keys_need_keys(b, sc, KEYS_group_by, "group by", p->group, p->n_group, rolled, true);
    }
}

static void output(struct keys_build *b, const struct sel_plan *p)
{
    const struct out_plan *o = &p->output;
    if (o->sets != NULL || o->term_sets != NULL) {
        keys_need(b, KEYS_variable, "then set", false);
    }
    if (o->after_events) {
        keys_need(b, KEYS_output_count, "output after events", true);
    }
    if (o->after != NULL && o->kind == OUT_FIRST) {
        keys_need(b, KEYS_output_after, "output after", true);
    }
    if (o->terminated) {
        keys_need(b, KEYS_output_when, "output when terminated", true);
    }
    b->timed |= o->when == OUT_EVERY_TIME || o->when == OUT_AT;
    switch (o->when) {
    case OUT_EVERY_NONE: break;
    case OUT_EVERY_EVENTS: keys_need(b, KEYS_output_count, "output every", true); break;
    case OUT_EVERY_TIME:
        if (o->kind != OUT_FIRST) {
            keys_need(b, KEYS_output_every, "output every", true);
        } else if (p->n_group == 0) {
            keys_need(b, KEYS_output_first, "output first", true);
        }
        break;
    default: keys_need(b, KEYS_output_when, "output", true); break;
    }
}

/* own: the state is the statement's; else that of one event (a subquery, an on-select). */
void keys_clauses(struct keys_build *b, const struct keys_scope *sc, const struct sel_plan *p,
                  bool own)
{
    keys_visit(b, sc, p, p->where);
    keys_visit(b, sc, p, p->having);
    for (uint32_t i = 0; i < p->n_cols; i++) {
        keys_visit(b, sc, p, p->cols[i]);
    }
    for (uint32_t i = 0; i < p->n_order; i++) {
        keys_visit(b, sc, p, p->order[i].e);
    }
    aggregations(b, sc, p, own);
    if (!own) {
        return;
    }
    if (p->n_order > 0) {
        keys_need(b, KEYS_order_by, "order by", true);
    }
    if (p->limit != NULL || p->offset != NULL) {
        keys_need(b, KEYS_limit, "limit", true);
    }
    if (p->distinct) {
        keys_need(b, KEYS_distinct, "distinct", true);
    }
    output(b, p);
}

void keys_subquery(struct keys_build *b, const struct keys_scope *outer, const struct sel_plan *q)
{
    struct keys_base base;
    struct keys_scope sc = {.outer = outer, .bases = &base, .n = 1};
    assert(q->n_streams == 1);
    keys_stream(b, &q->streams[0], outer, KEYS_subquery, &base);
    keys_ties(b, &sc, q->where);
    keys_clauses(b, &sc, q, false);
}

/* ---- where rows go ---- */

static void flow_column(struct keys_build *b, const struct keys_scope *sc, struct keys_flow *f,
                        const struct etype *to, uint32_t col, const struct ex *e)
{
    struct keys_side from;
    int at = keys_column(b->f, f->to, to, col);
    if (at >= 0 && e != NULL && keys_side(b, sc, e, &from)) {
        f->cols[f->n].to = (uint16_t)at;
        f->cols[f->n].src = from.src;
        f->cols[f->n++].expr = from.expr;
    }
}

/* The source whose columns all go on under their names; -1. */
static int same_source(const struct keys_scope *sc, const struct sel_plan *p)
{
    uint32_t at = p->wild >= 0 ? (uint32_t)p->wild : 0;
    bool all = (p->pass || p->wild >= 0) && at < sc->n && sc->bases[at].views == NULL;
    return all ? sc->bases[at].src : -1;
}

/* ... unless they are given other ones: insert into X(a, b). */
static bool renamed(const struct sel_plan *p, const struct ins_plan *ins)
{
    const struct etype *to = ins_type(ins);
    for (uint32_t i = 0; i < to->n_cols; i++) {
        int from = ins_source(ins, i);
        if (from >= 0 && !slice_eq(p->out->cols[from].name, to->cols[i].name)) {
            return true;
        }
    }
    return false;
}

void keys_insert(struct keys_build *b, const struct keys_scope *sc, const struct sel_plan *p,
                 const struct ins_plan *ins)
{
    const struct etype *to = ins_type(ins);
    struct keys_flow f = {.to = keys_place(b->f, to, true), .same = same_source(sc, p)};
    f.cols = arena_array(b->f->a, to->n_cols + 1, sizeof *f.cols);
    uint32_t wild = p->wild >= 0 ? p->streams[p->wild].type->n_cols : 0;
    for (uint32_t i = 0; i < to->n_cols && !p->pass; i++) {
        int from = ins_source(ins, i);
        if (from >= (int)wild) {
            flow_column(b, sc, &f, to, i, p->cols[(uint32_t)from - wild]);
        }
    }
    if (f.same >= 0 && p->pass && renamed(p, ins)) {
        f.same = -1;
    }
    keys_gives(b, f);
}

static void into_table(struct keys_build *b, const struct keys_scope *sc, const struct sel_plan *p)
{
    const struct table *t = into_target(p->into);
    struct keys_flow f = {.to = keys_place(b->f, t->type, false), .same = -1};
    f.cols = arena_array(b->f->a, t->n_keys + 1, sizeof *f.cols);
    for (uint32_t i = 0; i < t->n_keys && i < p->n_group; i++) {
        flow_column(b, sc, &f, t->type, t->key[i], p->group[i]);
    }
    keys_gives(b, f);
}

void keys_select(struct keys_build *b, const struct sel_plan *p)
{
    struct keys_base *bases = arena_array(b->f->a, p->n_streams + 1, sizeof *bases);
    struct keys_scope sc = {.outer = NULL, .bases = bases, .n = p->n_streams};
    for (uint32_t i = 0; i < p->n_streams; i++) {
        keys_stream(b, &p->streams[i], NULL, KEYS_join, &bases[i]);
    }
    if (p->n_streams > 1) {
        join(b, &sc, p);
    }
    keys_clauses(b, &sc, p, true);
    if (p->insert != NULL) {
        keys_insert(b, &sc, p, p->insert);
    }
    if (p->into != NULL) {
        into_table(b, &sc, p);
    }
}
