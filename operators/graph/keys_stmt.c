/* SPDX-License-Identifier: Apache-2.0
 *
 * Facts of statements that are not selects; and whether parts of a select's sums may be made apart.
 */
#include "operators/graph/keys_build.h"
#include "operators/graph/nwin.h"
#include "operators/graph/update.h"
#include "operators/graph/var.h"
#include "operators/table/table.h"

#include <assert.h>

static void masks(struct keys_build *b, const struct keys_scope *sc, const struct assigns *sets,
                  const struct etype *t)
{
    for (uint32_t i = 0; i < sets->n; i++) {
        keys_visit(b, sc, NULL, sets->a[i].value);
        *VEC_PUSH(&b->s->masks) = (struct keys_mask){t, sets->a[i].col};
    }
}

/* ---- on ... ---- */

static void sets_variables(struct keys_build *b, const struct keys_scope *sc,
                           const struct set_plan *s)
{
    bool shared = false;
    for (uint32_t i = 0; i < s->n; i++) {
        const struct stmt *of = s->vars[i]->st;
        shared |= !b->inner || of->context != b->s->st->context;
        keys_visit(b, sc, NULL, s->values[i]);
    }
    if (shared) {
        keys_need(b, KEYS_variable, "on set", false);
    }
}

static void merge(struct keys_build *b, const struct keys_scope *sc, const struct on_plan *p)
{
    for (uint32_t i = 0; i < p->n_matched; i++) {
        const struct on_matched *m = &p->matched[i];
        keys_visit(b, sc, NULL, m->cond);
        for (uint32_t k = 0; k < m->n_actions; k++) {
            const struct on_action *a = &m->actions[k];
            keys_visit(b, sc, NULL, a->where);
            masks(b, sc, &a->sets, p->type);
            for (uint32_t c = 0; a->kind == ACT_INSERT && c < a->rows.n_cols; c++) {
                keys_visit(b, sc, NULL, a->rows.cols[c]);
            }
            if (a->kind == ACT_INSERT) {
                keys_insert(b, sc, &a->rows, a->ins);
            }
        }
    }
}

static void split(struct keys_build *b, const struct keys_base *trigger, const struct on_plan *p)
{
    for (uint32_t i = 0; i < p->n_branches; i++) {
        const struct on_branch *r = &p->branches[i];
        struct keys_base base = *trigger;
        if (r->contained != NULL) {
            base = (struct keys_base){.src = -1};
        }
        struct keys_scope sc = {.outer = NULL, .bases = &base, .n = 1};
        keys_visit(b, &sc, NULL, r->where);
        for (uint32_t c = 0; c < r->rows.n_cols; c++) {
            keys_visit(b, &sc, NULL, r->rows.cols[c]);
        }
        keys_insert(b, &sc, &r->rows, r->ins);
    }
}

/* on-merge without where that only inserts looks at no row. */
static bool looks(const struct stmt *st, const struct on_plan *p)
{
    bool any = st->ast->kind != STMT_ON_MERGE || p->where != NULL;
    return any || !st->ast->merge_insert_only;
}

void keys_on(struct keys_build *b)
{
    const struct stmt *st = b->s->st;
    const struct on_plan *p = st->plan;
    struct keys_base bases[ON_STREAMS] = {{.src = -1}, {.src = -1}, {.src = -1}};
    struct keys_scope sc = {.outer = NULL, .bases = bases, .n = ON_STREAMS};
    keys_stream(b, &p->trigger, NULL, KEYS_join, &bases[ON_TRIGGER]);
    if (st->ast->kind == STMT_ON_SPLIT) {
        split(b, &bases[ON_TRIGGER], p);
        return;
    }
    if (st->ast->kind == STMT_ON_SET) {
        sets_variables(b, &sc, p->vars);
        return;
    }
    uint32_t src = keys_add_src(b, p->type, false, KEYS_target, "it");
    bases[ON_TARGET].src = bases[ON_INITIAL].src = (int)src;
    keys_shared(b, src);
    b->s->srcs.ptr[src].lone |= !looks(st, p);
    keys_ties(b, &sc, p->where);
    keys_visit(b, &sc, NULL, p->where);
    masks(b, &sc, &p->sets, p->type);
    merge(b, &sc, p);
    if (st->ast->kind == STMT_ON_SELECT) {
        keys_clauses(b, &sc, &p->select, false);
        if (p->select.insert != NULL) {
            keys_insert(b, &sc, &p->select, p->select.insert);
        }
    }
}

/* ---- create window, table; update istream ---- */

void keys_window(struct keys_build *b)
{
    const struct stmt *st = b->s->st;
    if (st->ast->kind == STMT_CREATE_WINDOW) {
        const struct nwin *w = st->plan;
        struct keys_base base = {.src =
                                     (int)keys_add_src(b, nwin_type(w), false, KEYS_table, "it")};
        struct keys_scope sc = {.outer = NULL, .bases = &base, .n = 1};
        keys_shared(b, (uint32_t)base.src);
        keys_views(b, &sc, nwin_views(w));
        const struct cat_entry *from = cat_type(&b->f->eng->cat, st->ast->class_name);
        if (st->ast->insert_from && from != NULL) {
            uint32_t src = keys_add_src(b, from->type, false, KEYS_table, "it");
            b->s->srcs.ptr[src].lone = true;
            struct keys_flow f = {.to = keys_place(b->f, nwin_type(w), false), .same = (int)src};
            keys_gives(b, f);
        }
        return;
    }
    const struct cat_entry *e = cat_type(&b->f->eng->cat, st->ast->name);
    const struct table *t = e->what;
    struct keys_need x = {.node = KEYS_table_key, .what = SLICE("it")};
    uint32_t src = keys_add_src(b, t->type, false, KEYS_table, "it");
    keys_shared(b, src);
    x.keys = arena_array(b->f->a, t->n_keys + 1, sizeof *x.keys);
    for (uint32_t i = 0; i < t->n_keys; i++) {
        int col = keys_column(b->f, b->s->srcs.ptr[src].place, t->type, t->key[i]);
        if (col >= 0) {
            x.keys[x.n++] = (struct keys_side){(uint16_t)src, (uint16_t)col};
        }
    }
    if (t->n_keys == 0) {
        keys_need(b, KEYS_table_all, "a table without primary key", true);
    } else if (!b->inner) {
        *VEC_PUSH(&b->s->needs) = x;
    }
}

void keys_update(struct keys_build *b)
{
    const struct stmt *st = b->s->st;
    int src = (int)keys_add_src(b, upd_type(st), true, KEYS_join, "it");
    struct keys_base bases[ON_STREAMS] = {{.src = src}, {.src = src}, {.src = src}};
    struct keys_scope sc = {.outer = NULL, .bases = bases, .n = ON_STREAMS};
    keys_visit(b, &sc, NULL, upd_where(st));
    masks(b, &sc, upd_sets(st), upd_type(st));
}

/* ---- parts of sums ---- */

static const char *why_not_added(const struct agg_call *c)
{
    bool real = ty_is_number(c->ty) && !ty_is_integer(c->ty);
    bool mean = strcmp(c->def->name, "avg") == 0;
    bool total = strcmp(c->def->name, "sum") == 0;
    enum ty_kind k = c->n_args > 0 ? c->args[0]->ty.kind : TY_LONG;
    if (!agg_splits(c->def)) {
        return "one of its aggregations has no parts that could be added up";
    }
    if (c->distinct || c->has_group_by) {
        return "an aggregation is distinct, or has a group_by of its own";
    }
    if ((total && real) || (mean && !ty_is_integer(c->args[0]->ty))) {
        return "fractions added in another order have another sum";
    }
    return k == TY_BIGINT || k == TY_BIGDEC ? "its numbers have any length" : NULL;
}

static const char *why_not_sums(const struct sel_plan *p)
{
    if (p->n_levels > 0 || p->into != NULL) {
        return "rollup and tables take every event";
    }
    if (p->cls != ROWS_TOTAL && p->cls != ROWS_GROUP) {
        return "its rows are about single events";
    }
    const char *why = NULL;
    for (size_t i = 0; why == NULL && i < p->aggs.calls.len; i++) {
        why = why_not_added(p->aggs.calls.ptr[i]);
    }
    return why;
}

/* Rows must come when a pane of time ends, and from what came till then. */
static const char *why_not_panes(const struct sel_plan *p)
{
    const struct view_plan *v = &p->streams[0].views;
    const struct out_plan *o = &p->output;
    bool batch = v->n_steps == 1 && strcmp(v->steps[0]->def->name, "time_batch") == 0;
    bool ticks = o->when == OUT_EVERY_TIME && !o->terminated && o->after == NULL;
    if (v->n_steps > 0 && !batch) {
        return "of windows only #time_batch ends for all parts at once";
    }
    if (batch) {
        bool bare = o->when == OUT_EVERY_NONE && o->after == NULL && o->kind == OUT_NONE;
        return bare ? NULL : "#time_batch has an output rate besides";
    }
    if (!ticks) {
        return "without #time_batch, or output last, all, snapshot every T, each event is a row";
    }
    bool all = o->kind == OUT_ALL && p->cls == ROWS_GROUP;
    return all || o->kind == OUT_LAST || o->kind == OUT_SNAPSHOT
               ? NULL
               : "its output wants a row for each event";
}

const char *keys_why_whole(const struct stmt *st)
{
    const struct sel_plan *p = st->plan;
    const struct sel_stream *s = &p->streams[0];
    if (p->aggs.calls.len == 0) {
        return ""; /* there is nothing to be split */
    }
    if (st->context != NULL) {
        return "it is in a context";
    }
    if (p->n_streams != 1 || s->kind != SRC_FILTER || s->mr != NULL || s->contained != NULL ||
        st->subqs.len > 0) {
        return "it reads more than one stream of events";
    }
    if (p->distinct || p->n_order > 0 || p->limit != NULL || p->offset != NULL || p->needs_old ||
        p->streams_out == STREAM_RSTREAM) {
        return "its rows are ordered, counted, compared or taken back";
    }
    const char *why = why_not_sums(p);
    return why != NULL ? why : why_not_panes(p);
}
