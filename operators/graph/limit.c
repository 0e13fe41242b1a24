/* SPDX-License-Identifier: Apache-2.0
 *
 * See limit.h. Rows are refused before they enter a window, groups before an event enters the
 * statement at all (sel_admit): so whatever leaves later was there, and no count is ever wrong.
 */
#include "operators/graph/limit.h"

#include "operators/graph/stmt.h"

#include <assert.h>

static bool is_created(const struct stmt *st)
{
    return st->ast->kind >= STMT_CREATE_SCHEMA && st->ast->kind <= STMT_CREATE_INDEX;
}

enum lim_policy eng_limit_policy(const struct eng *e, enum lim_kind k, const struct stmt *st)
{
    enum lim_policy p = e->lim.policy[k];
    return p == LIM_STOP && (st == NULL || is_created(st)) ? LIM_DROP_NEW : p;
}

static void on_hit(void *arg, enum lim_kind k, void *who)
{
    struct eng *e = arg;
    struct stmt *st = who != NULL ? ((struct inst *)who)->st : NULL;
    enum lim_policy policy = eng_limit_policy(e, k, st);
    uint64_t *turn = st != NULL ? &st->limit_turn[k] : &e->limit_turn[k];
    if (*turn == e->lim.turn[k]) {
        return;
    }
    *turn = e->lim.turn[k];
    if (policy == LIM_STOP && !st->halted) {
        *VEC_PUSH(&e->halting) = st;
    }
    if (e->conf.on_limit != NULL) {
        e->conf.on_limit(e->conf.arg, st != NULL ? st->name : SLICE_NONE, k, policy);
    }
}

void eng_limit_init(struct eng *e, const struct lim_conf *conf)
{
    lim_init(&e->lim, conf);
    e->lim.on_hit = on_hit;
    e->lim.arg = e;
    vheap_set_lim(e->heap, &e->lim);
}

void eng_limit_stops(struct eng *e)
{
    for (size_t i = 0; i < e->halting.len; i++) {
        struct stmt *st = e->halting.ptr[i];
        if (!st->halted) {
            stmt_stop(st);
            st->halted = true;
        }
    }
    VEC_CLEAR(&e->halting);
}

/* ---- rows ---- */

struct excess { /* by how much limits are exceeded when more comes */
    uint64_t rows, bytes, state;
};

static uint64_t over(const struct lim *l, enum lim_kind k, uint64_t more)
{
    return lim_full(l, k, more) ? l->used[k] + more - l->max[k] : 0;
}

static bool is_over(const struct excess *x)
{
    return x->rows > 0 || x->bytes > 0 || x->state > 0;
}

/* What one event less takes off the excess: a row in each window that holds it. */
static uint64_t less_by(const struct view *v, struct evt *e, struct excess *x)
{
    uint64_t bytes = x->bytes > 0 ? lim_bytes(e) * v->windows : 0;
    uint64_t cost = x->state > 0 ? view_cost(v, &e, 1) * v->windows : 0;
    x->rows -= MIN(v->windows, x->rows);
    x->bytes -= MIN(bytes, x->bytes);
    x->state -= MIN(cost, x->state);
    return cost;
}

/* The view's oldest rows, until the excess is gone; `of` names the group, and stands for rows that
 * are packed (win_held_forget). */
static uint64_t oldest(struct view *v, struct evt *of, struct excess *x, struct evts *to)
{
    size_t n = view_count(v, of);
    uint64_t cost = 0;
    for (size_t i = 0; i < n && is_over(x); i++) {
        struct evt *e = v->pack != NULL ? of : view_at(v, of, n - 1 - i); /* its rows are none */
        if (e == NULL) {
            break;
        }
        evts_add(to, e);
        cost += less_by(v, e, x);
    }
    return cost;
}

/* Half of it is free: one event need not be looked into, since it passes the limit alone at most.
 */
static uint64_t over_state(const struct lim *l, const struct view *v, struct evt **nw, size_t n)
{
    bool roomy = n == 1 && l->used[LIM_STATE] <= l->max[LIM_STATE] / 2;
    return roomy || v->windows == 0 ? 0 : over(l, LIM_STATE, view_cost(v, nw, n) * v->windows);
}

void eng_limit_update(struct inst *in, struct view *v, struct evt **nw, size_t n_nw,
                      struct evt **old, size_t n_old)
{
    struct lim *l = &in->eng->lim;
    size_t more = n_nw > n_old ? n_nw - n_old : 0; /* an update of rows adds none */
    struct excess x = {0, 0, 0};
    if (more > 0) {
        x.rows = over(l, LIM_ROWS, more * v->windows);
        x.bytes = l->bytes ? over(l, LIM_BYTES, lim_bytes_of(nw, n_nw) * v->windows) : 0;
        x.state = over_state(l, v, nw, n_nw);
    }
    if (!is_over(&x)) {
        view_update(v, nw, n_nw, old, n_old);
        return;
    }
    enum lim_kind k = x.rows > 0 ? LIM_ROWS : x.bytes > 0 ? LIM_BYTES : LIM_STATE;
    struct evts gone = {NULL, 0, 0};
    uint64_t cost = 0;
    for (size_t i = 0; i < n_old; i++) {
        evts_add(&gone, old[i]);
    }
    if (eng_limit_policy(in->eng, k, in->st) == LIM_DROP_OLDEST) {
        cost += oldest(v, nw[0], &x, &gone);
    }
    size_t dropped = gone.len - n_old;
    while (n_nw > 0 && is_over(&x)) {
        cost += less_by(v, nw[--n_nw], &x);
        dropped++;
    }
    lim_refuse(l, k, k == LIM_STATE ? cost : dropped, in);
    if (n_nw + gone.len > 0) {
        view_update(v, nw, n_nw, gone.ptr, gone.len);
    }
    evts_done(&gone);
}

bool eng_limit_row(struct inst *from, struct trows *r, const struct table *t, struct evt *row)
{
    struct lim *l = t->lim;
    uint64_t cost = table_cost(t, row);
    bool rows = lim_full(l, LIM_ROWS, 1), state = lim_full(l, LIM_STATE, cost);
    if (LIKELY(!rows && !state && !(l->bytes && lim_full(l, LIM_BYTES, lim_bytes(row))))) {
        return true;
    }
    struct dat key[TABLE_KEYS_MAX];
    for (uint32_t i = 0; i < t->n_keys; i++) {
        key[i] = row->p[t->key[i]];
    }
    if (table_find(r, key, t->n_keys) != NULL) {
        return true;
    }
    lim_refuse(l, rows ? LIM_ROWS : state ? LIM_STATE : LIM_BYTES, rows || !state ? 1 : cost, from);
    return false;
}

/* ---- output ---- */

static void begin_second(struct eng *e)
{
    if (LIKELY((uint64_t)e->now - (uint64_t)e->out_second * 1000 < 1000)) {
        return; /* mostly, and without a division; a state that was read may say any second */
    }
    int64_t second = e->now / 1000;
    if (second == e->out_second) {
        return;
    }
    if (e->lim.hit[LIM_OUTPUT] && (!e->out_cut || second > e->out_second + 1)) {
        lim_recover(&e->lim, LIM_OUTPUT);
    }
    e->out_second = second;
    e->out_cut = false;
    e->lim.used[LIM_OUTPUT] = 0;
}

size_t eng_limit_output(struct stmt *st, size_t n)
{
    struct eng *e = st->eng;
    struct lim *l = &e->lim;
    if (n == 0 || st->query) {
        return n;
    }
    begin_second(e);
    uint64_t left = l->max[LIM_OUTPUT] - MIN(l->used[LIM_OUTPUT], l->max[LIM_OUTPUT]);
    size_t take = n <= left ? n : (size_t)left;
    lim_add(l, LIM_OUTPUT, take);
    if (UNLIKELY(take < n)) {
        struct inst of = {.st = st};
        e->out_cut = true;
        lim_refuse(l, LIM_OUTPUT, n - take, &of);
    }
    return take;
}

/* ---- events that one event causes ---- */

void eng_limit_cascade(struct eng *e, struct queue *q)
{
    for (size_t i = q->at; i < q->v.len; i++) {
        lim_refuse(&e->lim, LIM_CASCADE, 1, q->v.ptr[i].from);
        evt_drop(e->heap, q->v.ptr[i].e);
    }
    q->at = 0;
    VEC_CLEAR(&q->v);
}

void eng_limit_worked(struct eng *e, size_t n)
{
    struct lim *l = &e->lim;
    l->peak[LIM_CASCADE] = MAX(l->peak[LIM_CASCADE], n);
    if (UNLIKELY(l->hit[LIM_CASCADE] && n > 0)) {
        lim_recover(l, LIM_CASCADE);
    }
}

/* ---- for tools ---- */

uint64_t eng_peak(const struct eng *e, enum lim_kind k)
{
    return e->lim.peak[k];
}

uint64_t eng_held(const struct eng *e, enum lim_kind k)
{
    return e->lim.used[k];
}

uint64_t eng_dropped(const struct eng *e, enum lim_kind k)
{
    return e->lim.dropped[k];
}

struct slice eng_limited(const struct eng *e, enum lim_kind k)
{
    VEC_EACH (&e->stmts, st) {
        if ((*st)->limit_turn[k] == e->lim.turn[k]) {
            return (*st)->name;
        }
    }
    return SLICE_NONE;
}

struct slice eng_halted(const struct eng *e)
{
    uint64_t dropped = 0;
    for (uint32_t k = 0; k < LIM_KINDS; k++) {
        dropped |= e->lim.dropped[k];
    }
    VEC_EACH (&e->stmts, st) {
        if (dropped == 0) {
            break; /* asked often, of many statements */
        }
        if ((*st)->halted) {
            return (*st)->name.len > 0 ? (*st)->name : SLICE("a statement without a name");
        }
    }
    return SLICE_NONE;
}

bool eng_is_limited(const struct eng *e, enum lim_kind k)
{
    return e->lim.hit[k];
}

/* ---- state ---- */

void eng_limit_save(struct eng *e, struct save *s)
{
    begin_second(e);
    lim_save(&e->lim, s);
    save_i(s, e->out_second);
    save_bool(s, e->out_cut);
    for (uint32_t k = 0; k < LIM_KINDS; k++) {
        save_u(s, e->limit_turn[k]);
    }
    VEC_EACH (&e->stmts, st) {
        save_bool(s, (*st)->halted);
        for (uint32_t k = 0; k < LIM_KINDS; k++) {
            save_u(s, (*st)->limit_turn[k]);
        }
    }
}

void eng_limit_load(struct eng *e, struct load *l, struct lim *ret)
{
    lim_load(ret, l);
    e->out_second = load_i(l);
    e->out_cut = load_bool(l);
    for (uint32_t k = 0; k < LIM_KINDS; k++) {
        e->limit_turn[k] = load_u(l);
    }
    VEC_EACH (&e->stmts, st) {
        (*st)->halted = load_bool(l);
        for (uint32_t k = 0; k < LIM_KINDS; k++) {
            (*st)->limit_turn[k] = load_u(l);
        }
    }
}
