/* SPDX-License-Identifier: Apache-2.0
 *
 * State of a select: its streams, its join, its output stage; its groups by key. See state.h.
 */
#include "core/base/mem.h"
#include "operators/graph/join.h"
#include "operators/graph/sel_flat.h"
#include "operators/graph/sel_out.h"
#include "operators/graph/state.h"
#include "operators/pattern/mr.h"

#include <assert.h>

static struct sel_inst *sel_of(struct inst *in)
{
    return (struct sel_inst *)(void *)in;
}

static void save_src(const struct sel_src *src, struct save *s)
{
    assert(src->nw.len == 0 && src->old.len == 0 && "the step is over");
    state_save_leaf(s, src->leaf);
    if (src->pat != NULL) {
        pat_save(src->pat, s, src->in->in.st->context == NULL);
    }
    view_save(src->view, s);
    if (src->mr != NULL) {
        mr_save(src->mr, s, src->in->in.st->context == NULL);
    }
    state_save_evts(s, &src->past);
    save_i(s, src->live);
}

static void load_src(struct sel_src *src, struct load *l)
{
    state_load_leaf(l, src->in->in.eng->route, src->leaf);
    if (src->pat != NULL) {
        pat_load(src->pat, l, src->in->in.st->context == NULL);
    }
    view_load(src->view, l);
    if (src->mr != NULL) {
        mr_load(src->mr, l, src->in->in.st->context == NULL);
    }
    const struct sel_stream *p = &src->in->p->streams[src->num];
    state_load_evts(l, p->views.n_steps > 0 ? p->views.in : p->type, &src->past);
    src->live = load_i(l);
}

/* Whether a row that was loaded (NULL is fine) is one of this statement. */
static bool fits(const struct sel_plan *p, struct evt *e, const struct vlist *key)
{
    bool fine = e == NULL ? key == NULL : ety_is(e->type, p->out);
    if (fine && e != NULL && p->n_order > 0) {
        fine = key != NULL && key->len == p->n_order;
    }
    return fine;
}

/* ---- the output stage ---- */

static void load_rows(struct out *o, struct orows *to, struct load *l)
{
    for (size_t n = load_count(l, 2); n > 0 && load_ok(l); n--) {
        struct evt *e = load_evt_apart(l, o->in->p->out);
        size_t space = load_space(l);
        struct dat key = load_val(l);
        load_space_end(l, space);
        struct orow r = {.e = e, .key = key.kind == DAT_LIST ? key.l : NULL};
        if (e == NULL || !fits(o->in->p, e, r.key)) {
            load_fail(l, "a row that is not of this statement");
            return;
        }
        out_hold(o->in->in.eng->heap, to, &r);
    }
}

static void load_rows_of(struct out *o, struct load *l, size_t n, struct evts *to)
{
    const struct sel_plan *p = o->in->p;
    for (size_t i = 0; i < n * p->n_streams && load_ok(l); i++) {
        const struct etype *type = sel_row_type(&p->streams[i % p->n_streams]);
        struct evt *e = load_bool(l) ? load_evt_apart(l, type) : NULL;
        if (e == NULL && p->n_streams == 1) {
            load_fail(l, "a waiting row that is not of this statement");
            return;
        }
        evts_add(to, e);
    }
}

static void load_waiting(struct out *o, struct load *l)
{
    for (size_t n = load_count(l, 2); n > 0 && load_ok(l); n--) {
        struct evts rows = {NULL, 0, 0};
        struct out_rows b = {.n_nw = load_count(l, 1)};
        b.n_old = load_count(l, 1);
        load_rows_of(o, l, b.n_nw + b.n_old, &rows);
        if (load_ok(l)) {
            b.nw = rows.ptr;
            b.old = rows.ptr + b.n_nw * o->in->p->n_streams;
            out_wait_add(o, &b);
        }
        evts_done(&rows);
    }
}

static void save_out(struct out *o, struct save *s)
{
    tmr_save(s, &o->timer);
    save_i(s, o->anchor);
    save_bool(s, o->started);
    save_bool(s, o->first_done);
    save_bool(s, o->after_done);
    save_bool(s, o->looks);
    const int64_t n[] = {o->events_nw, o->events_old,  o->total_nw,   o->total_old,
                         o->last_time, o->after_count, o->after_until};
    for (size_t i = 0; i < ARRAY_LEN(n); i++) {
        save_i(s, n[i]);
    }
    out_save_rows(o, s);
    save_u(s, o->firsts.len);
    VEC_EACH (&o->firsts, g) {
        save_u(s, (*g)->nr);
    }
}

static void load_out(struct out *o, struct load *l)
{
    tmr_load(l, o->in->in.eng->timers, &o->timer);
    o->anchor = load_i(l);
    o->started = load_bool(l);
    o->first_done = load_bool(l);
    o->after_done = load_bool(l);
    o->looks = load_bool(l);
    int64_t *n[] = {&o->events_nw, &o->events_old,  &o->total_nw,   &o->total_old,
                    &o->last_time, &o->after_count, &o->after_until};
    for (size_t i = 0; i < ARRAY_LEN(n); i++) {
        *n[i] = load_i(l);
    }
    load_rows(o, &o->nw, l);
    load_rows(o, &o->old, l);
    load_waiting(o, l);
    for (size_t i = load_count(l, 1); i > 0; i--) {
        *VEC_PUSH(&o->first_nrs) = load_u(l);
    }
}

static void find_firsts(struct out *o, struct load *l)
{
    size_t n = o->first_nrs.len;
    struct group **g = mem_calloc(n + 1, sizeof(struct group *));
    aggr_numbers(o->in->aggr, o->first_nrs.ptr, n, g);
    for (size_t i = 0; i < n && load_ok(l); i++) {
        if (g[i] == NULL || g[i]->row == NULL) {
            load_fail(l, "a group that is to be put out is missing");
        } else {
            *VEC_PUSH(&o->firsts) = g[i];
        }
    }
    mem_free(g);
    VEC_DONE(&o->first_nrs);
}

/* ---- the statement ---- */

void sel_save(struct inst *base, struct save *s)
{
    const struct sel_inst *in = sel_of(base);
    save_i(s, in->view_ctx.now);
    for (uint32_t i = 0; i < in->p->n_streams; i++) {
        save_src(&in->src[i], s);
    }
    if (in->join != NULL) {
        join_save(in->join, s);
    }
    if (in->out != NULL) {
        save_out(in->out, s);
    }
    aggr_save(in->aggr, s);
}

void sel_load(struct inst *base, struct load *l)
{
    struct sel_inst *in = sel_of(base);
    in->view_ctx.now = load_i(l);
    for (uint32_t i = 0; i < in->p->n_streams && load_ok(l); i++) {
        load_src(&in->src[i], l);
    }
    if (in->join != NULL && load_ok(l)) {
        join_load(in->join, l);
    }
    if (in->out != NULL) {
        load_out(in->out, l);
    }
    aggr_load(in->aggr, l);
}

bool sel_source(struct inst *base, uint32_t n, struct stmt_source *ret)
{
    const struct sel_inst *in = sel_of(base);
    if (n >= in->p->n_streams) {
        return false;
    }
    *ret = (struct stmt_source){in->src[n].pat, in->src[n].mr};
    return true;
}

/* ---- groups ---- */

void sel_save_keyed(struct inst *base, struct save *s, bool by_key)
{
    aggr_save_groups(sel_of(base)->aggr, s, by_key);
}

/* What a group holds besides its states is of this statement. */
static void check_group(void *arg, const struct group *g, struct load *l)
{
    const struct sel_plan *p = ((struct sel_inst *)arg)->p;
    bool fine = g->level < MAX(p->n_levels, 1U);
    for (uint32_t i = 0; fine && g->row != NULL && i < p->n_streams; i++) {
        fine = g->row[i] == NULL || ety_is(g->row[i]->type, sel_row_type(&p->streams[i]));
    }
    const struct orow_kept *o = g->kept != NULL ? &g->kept->out : NULL;
    fine = fine && (o == NULL || (fits(p, o->nw, o->nw_key) && fits(p, o->old, o->old_key)));
    if (!fine) {
        load_fail(l, "a group that is not of this statement");
    }
}

void sel_load_keyed(struct inst *base, struct load *l, bool by_key)
{
    struct sel_inst *in = sel_of(base);
    aggr_load_groups(in->aggr, l, by_key, check_group, in);
}

void sel_loaded(struct inst *base, struct load *l)
{
    struct sel_inst *in = sel_of(base);
    aggr_loaded(in->aggr);
    if (in->out != NULL) {
        find_firsts(in->out, l);
    }
}
