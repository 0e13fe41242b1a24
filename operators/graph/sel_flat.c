/* SPDX-License-Identifier: Apache-2.0
 *
 * A match holds whole events. A window of matches would keep all of these alive for values of a few
 * columns, and compute the same values when a match leaves as when it came. So if all that a select
 * says of a pattern can be had of single values (columns, entries of maps, and what is computed of
 * them without a way to fail), these are computed once, when the match is made; a row of them, with
 * the causes of the match, goes into the window instead. The expressions stay as they were bound,
 * for those who read plans; the parts that are had of the row are marked (ex.flat), and what runs
 * them reads the row.
 *
 * Not for: whole events (select m1, select *, window(*)), repeated tags, prev and prior,
 * subqueries, tables, and not where bytes are limited, which are those of matches. Windows: those
 * whose parameters say nothing of events.
 */
#include "operators/graph/sel_flat.h"

#include "core/base/mem.h"

#include <assert.h>
#include <stdio.h>

enum { COLS_MAX = 16 };

struct reads {
    struct ex *col[COLS_MAX]; /* one of those that are the same */
    uint32_t n;
    VEC(struct ex *) marks; /* all of them, */
    VEC(uint16_t) slots;    /* and which column each is */
    bool more;              /* something else than so many values */
};

static bool is_path(const struct ex *e)
{
    switch (e->op) {
    case EX_PROP: return e->level == 0 && e->stream == 0;
    case EX_FIELD: return is_path(e->args[0]);
    case EX_KEY: return is_path(e->args[0]) && e->args[1]->op == EX_CONST;
    default: return false;
    }
}

static bool is_small_number(const struct ex *e)
{
    return e->ty.kind >= TY_BYTE && e->ty.kind <= TY_DOUBLE;
}

/* Arithmetic that has a result for all numbers. */
static bool is_sum(const struct ex *e)
{
    bool op = e->op == EX_ADD || e->op == EX_SUB || e->op == EX_MUL || e->op == EX_DIV ||
              e->op == EX_NEG || e->op == EX_CONV;
    return op && is_small_number(e);
}

static bool is_value(const struct ex *e)
{
    if (e->op == EX_CONST) {
        return is_small_number(e);
    }
    if (!is_sum(e)) {
        return e->op != EX_PROP && is_path(e) && e->ty.kind != TY_EVENT;
    }
    for (uint32_t i = 0; i < e->n_args; i++) {
        if (!is_small_number(e->args[i]) || !is_value(e->args[i])) {
            return false;
        }
    }
    return true;
}

static bool same(const struct ex *a, const struct ex *b)
{
    bool equal = a->op == b->op && a->n_args == b->n_args && ty_eq(a->ty, b->ty) &&
                 a->of == b->of && a->level == b->level && a->stream == b->stream &&
                 a->slot == b->slot;
    if (equal && a->op == EX_CONST) {
        return a->k.kind == b->k.kind && dat_same(a->k, b->k);
    }
    for (uint32_t i = 0; equal && i < a->n_args; i++) {
        equal = same(a->args[i], b->args[i]);
    }
    return equal;
}

static void mark(struct reads *r, struct ex *e)
{
    uint32_t i = 0;
    while (i < r->n && !same(r->col[i], e)) {
        i++;
    }
    if (i == COLS_MAX) {
        r->more = true;
        return;
    }
    if (i == r->n) {
        r->col[r->n++] = e;
    }
    *VEC_PUSH(&r->marks) = e;
    *VEC_PUSH(&r->slots) = (uint16_t)i;
}

static void walk(void *arg, struct ex *e)
{
    struct reads *r = arg;
    if (e == NULL || e->op == EX_CONST || r->more) {
        return;
    }
    if (is_value(e)) {
        mark(r, e);
        return;
    }
    r->more = e->op == EX_PROP || sel_looks_beyond(e);
    for (uint32_t i = 0; i < e->n_args; i++) {
        walk(r, e->args[i]);
    }
}

/* A window that is told the time, or counts. */
static bool is_blind(const struct view_def *d)
{
    static const char *const names[] = {"time",         "length",  "time_batch",
                                        "length_batch", "keepall", "time_length_batch"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (slice_eq(slice_str(names[i]), slice_str(d->name))) {
            return true;
        }
    }
    return false;
}

static bool is_simple(const struct sel_plan *p)
{
    const struct sel_stream *s = &p->streams[0];
    const struct stmt *st = p->st;
    return p->n_streams == 1 && s->kind == SRC_PATTERN && s->contained == NULL && s->mr == NULL &&
           s->views.n_steps == 1 && is_blind(s->views.steps[0]->def) && s->prior == 0 && !p->pass &&
           !s->pat.suppress_overlapping && !s->pat.discard_partials && p->wild < 0 &&
           p->into == NULL && !p->triggered && !st->query && !st->eng->lim.bytes;
}

static struct ex *copy_of(struct arena *a, const struct ex *e)
{
    struct ex *x = ARENA_NEW(a, struct ex);
    *x = *e;
    x->value = x->decision = NULL;
    x->args = arena_array(a, e->n_args + 1, sizeof(struct ex *));
    for (uint32_t i = 0; i < e->n_args; i++) {
        x->args[i] = copy_of(a, e->args[i]);
    }
    return x;
}

static struct sel_flat *flat_of(struct bind *b, const struct reads *r)
{
    struct ecol cols[COLS_MAX + 1] = {0};
    char names[COLS_MAX][24];
    struct sel_flat *f = ARENA_NEW(b->a, struct sel_flat);
    f->of = arena_array(b->a, r->n + 1, sizeof(struct ex *));
    for (uint32_t i = 0; i < r->n; i++) {
        snprintf(names[i], sizeof names[i], "value %u", i + 1);
        cols[i] = (struct ecol){.name = slice_str(names[i]), .ty = r->col[i]->ty};
        f->of[i] = copy_of(b->a, r->col[i]);
    }
    f->type = ety_new(b->a, b->types, ETYPE_ANON, SLICE_NONE, cols, r->n, NULL, 0);
    return f->type != NULL ? f : NULL;
}

/* Whether each row that leaves is of the group it was of when it entered, and has been in it. */
static bool groups_stay(const struct sel_plan *p)
{
    bool stay = p->where == NULL && p->n_levels == 0 && p->n_group > 0;
    for (uint32_t i = 0; stay && i < p->n_group; i++) {
        stay = p->group[i]->flat != NULL;
    }
    return stay;
}

static bool is_key(const struct sel_flat *f, uint16_t slot)
{
    bool found = false;
    for (uint32_t i = 0; !found && i < f->n_keys; i++) {
        found = f->key_col[i] == slot;
    }
    return found;
}

/* Whether nothing but keys of the group is read of a row. */
static bool of_keys(const struct sel_flat *f, const struct ex *e)
{
    if (e == NULL || e->op == EX_AGG || e->op == EX_CONST) {
        return true;
    }
    if (e->flat != NULL) {
        return is_key(f, e->flat_slot);
    }
    for (uint32_t i = 0; i < e->n_args; i++) {
        if (!of_keys(f, e->args[i])) {
            return false;
        }
    }
    return true;
}

static void know_groups(struct bind *b, struct sel_plan *p, struct sel_flat *f)
{
    uint16_t *col = groups_stay(p) ? arena_array(b->a, p->n_group, sizeof *col) : NULL;
    if (col == NULL) {
        return;
    }
    for (uint32_t i = 0; i < p->n_group; i++) {
        col[i] = p->group[i]->flat_slot;
    }
    f->key_col = col;
    f->n_keys = p->n_group;
    p->any_row = p->cls == ROWS_GROUP && of_keys(f, p->having);
    for (uint32_t i = 0; i < p->n_cols; i++) {
        p->any_row = p->any_row && of_keys(f, p->cols[i]);
    }
    for (uint32_t i = 0; i < p->n_order; i++) {
        p->any_row = p->any_row && of_keys(f, p->order[i].e);
    }
}

/* Values of which no two that are equal can be told apart. */
static bool is_exact(struct ty ty)
{
    return ty.kind == TY_STRING || ty.kind == TY_BOOL || ty.kind == TY_INT || ty.kind == TY_LONG;
}

/* Whether of events nothing but the group's keys is shown. */
static bool shows_keys(const struct sel_plan *p, const struct ex *e)
{
    bool keys = e == NULL || e->op == EX_AGG || e->op == EX_CONST;
    for (uint32_t i = 0; !keys && i < p->n_group; i++) {
        keys = is_exact(e->ty) && same(e, p->group[i]);
    }
    if (keys || !is_sum(e)) {
        return keys;
    }
    for (uint32_t i = 0; i < e->n_args; i++) {
        if (!shows_keys(p, e->args[i])) {
            return false;
        }
    }
    return true;
}

/* Where nothing leaves, a group has causes from its first event on: those of its row are not
 * asked for. */
static bool shows_any_event(const struct sel_plan *p)
{
    const struct sel_stream *s = &p->streams[0];
    bool any = p->n_streams == 1 && s->kind == SRC_FILTER && s->contained == NULL &&
               s->mr == NULL && s->views.n_steps == 0 && !p->windowed && p->cls == ROWS_GROUP &&
               p->n_levels == 0 && p->wild < 0 && !p->pass && p->into == NULL && !p->triggered &&
               !p->st->query && shows_keys(p, p->having);
    for (uint32_t i = 0; any && i < p->n_group; i++) {
        any = p->group[i]->op == EX_PROP;
    }
    for (uint32_t i = 0; any && i < p->n_cols; i++) {
        any = shows_keys(p, p->cols[i]);
    }
    for (uint32_t i = 0; any && i < p->n_order; i++) {
        any = shows_keys(p, p->order[i].e);
    }
    return any;
}

void sel_flatten(struct bind *b, struct sel_plan *p)
{
    if (!is_simple(p)) {
        p->any_row = shows_any_event(p);
        return;
    }
    struct reads r = {.more = sel_aggs_take_events(p)};
    sel_each_ex(p, walk, &r);
    struct sel_flat *f = r.more ? NULL : flat_of(b, &r);
    struct sel_stream *s = &p->streams[0];
    if (f != NULL) {
        for (size_t i = 0; i < r.marks.len; i++) {
            r.marks.ptr[i]->flat = f->type;
            r.marks.ptr[i]->flat_slot = r.slots.ptr[i];
        }
        know_groups(b, p, f);
        s->flat = f;
        s->views.in = s->views.out = f->type;
        s->views.steps[0]->in = s->views.steps[0]->out = f->type;
    }
    VEC_DONE(&r.marks);
    VEC_DONE(&r.slots);
}

struct evt *sel_flat_row(struct sel_inst *in, const struct sel_flat *f, struct evt *match)
{
    struct vheap *h = in->in.eng->heap;
    struct ectx c = inst_ctx(&in->in, &match);
    struct evt *e = evt_new(h, f->type);
    for (uint32_t i = 0; i < f->type->n_cols; i++) {
        evt_set(e, i, ex_eval(f->of[i], &c));
    }
    assert(!c.failed);
    if (in->in.st->causes) {
        struct cause_list l;
        cause_list_init(&l, CAUSE_MAX);
        cause_add_event(&l, match);
        cause_give(h, e, &l);
    }
    return e;
}

void sel_flat_soon(struct sel_inst *in, struct evt *const *old, size_t n)
{
    enum { FAR = 3, NEAR = 1 };
    if (n > FAR) {
        aggr_soon_far(in->aggr, old[FAR]->group);
    }
    if (n > NEAR) {
        aggr_soon_near(in->aggr, old[NEAR]->group);
    }
}

struct group *sel_flat_group(struct sel_inst *in, const struct sel_flat *f, struct ectx *c)
{
    struct evt *e = c->row[0];
    struct group *g = e->group != 0 ? aggr_by_id(in->aggr, e->group) : NULL;
    if (g != NULL) {
        return g;
    }
    g = aggr_group(in->aggr, c, 0, 0);
    for (uint32_t i = 0; !c->leaving && i < f->n_keys; i++) {
        struct dat *own = &e->p[f->key_col[i]];
        if (own->kind == DAT_STRING && g->key[i].kind == DAT_STRING && own->s != g->key[i].s) {
            dat_drop(in->in.eng->heap, *own);
            *own = dat_keep(g->key[i]);
        }
    }
    e->group = c->leaving ? 0 : g->id;
    return g;
}
