/* SPDX-License-Identifier: Apache-2.0
 *
 * The engine's loop: events, clock, queues, deliveries. See eng.h and eng_impl.h.
 */
#include "operators/graph/stmt.h"

#include "core/base/mem.h"
#include "operators/graph/faf.h"
#include "operators/graph/limit.h"
#include "operators/graph/nwin.h"
#include "operators/graph/state_parts.h"
#include "operators/graph/update.h"
#include "operators/table/table.h"

#include <assert.h>
#include <stdlib.h>

enum { ARENA_MAX = 1 << 30, DEPLOYMENTS_MAX = 1 << 20 };

void evts_grow(struct evts *v)
{
    v->ptr = vec_grow(v->ptr, v->len, &v->cap, sizeof *v->ptr);
}

void evts_done(struct evts *v)
{
    vec_release(v->ptr);
    *v = (struct evts){NULL, 0, 0};
}

struct eng *eng_new(const struct eng_conf *conf)
{
    struct eng *e = MEM_NEW(struct eng);
    e->conf = *conf;
    e->arena = arena_new(NULL, "engine", ARENA_MAX);
    e->heap = vheap_new();
    vheap_number_from(e->heap, &e->serial);
    e->breath = vheap_breath(e->heap);
    cat_init(&e->cat, e->arena);
    e->route = route_new(e->heap, &e->now, e->conf.unshared);
    e->timers = tmr_queue_new();
    e->next_type = 1;
    map_init(&e->dep_ids, DEPLOYMENTS_MAX);
    eng_limit_init(e, conf->limits);
    return e;
}

struct vheap *eng_heap(struct eng *e)
{
    return e->heap;
}

struct vheap_breath *eng_breath(struct eng *e)
{
    return e->breath;
}

int64_t eng_now(const struct eng *e)
{
    return e->now;
}

const struct etype *eng_type(struct eng *e, struct slice name)
{
    const struct cat_entry *c = cat_type(&e->cat, name);
    return c != NULL ? c->type : NULL;
}

void eng_number(struct eng *e, struct evt *ev)
{
    ev->ref = (struct eref){1ULL << 63 | e->conf.lineage, ++e->next_ref};
}

/* ---- deliveries ---- */

void stmt_has_rows(struct stmt *st)
{
    if (!st->pending) {
        st->pending = true;
        *VEC_PUSH(&st->eng->pending) = st;
    }
}

void stmt_out(struct stmt *st, struct evt **nw, size_t n_nw, struct evt **old, size_t n_old)
{
    if (!st->listened || n_nw + n_old == 0) {
        return;
    }
    n_nw = eng_limit_output(st, n_nw);
    n_old = eng_limit_output(st, n_old);
    if (n_nw + n_old == 0) {
        return;
    }
    for (size_t i = 0; i < n_nw; i++) {
        evts_add(&st->nw, nw[i]);
    }
    for (size_t i = 0; i < n_old; i++) {
        evts_add(&st->old, old[i]);
    }
    stmt_has_rows(st);
}

void eng_deliver(struct eng *e)
{
    for (size_t i = 0; i < e->pending.len; i++) {
        struct stmt *st = e->pending.ptr[i];
        struct eng_rows rows = {st->nw.ptr, st->old.ptr, st->nw.len, st->old.len};
        if (e->conf.on_rows != NULL) {
            e->conf.on_rows(e->conf.arg, st->name, &rows);
        }
        evts_clear(&st->nw);
        evts_clear(&st->old);
        st->pending = false;
    }
    VEC_CLEAR(&e->pending);
}

void eng_mark_dirty(struct inst *in)
{
    if (!in->dirty) {
        in->dirty = true;
        *VEC_PUSH(&in->eng->dirty) = in;
    }
}

static inline void flush(struct inst *in)
{
    if (!in->flushes || in->stopped) {
        return;
    }
    struct stmt *st = in->st;
    int64_t began = UNLIKELY(st->eng->metering) ? st->eng->conf.meter() : 0;
    st->ops->flush(in);
    st->meter_ns += UNLIKELY(st->eng->metering) ? st->eng->conf.meter() - began : 0;
}

static void flush_dirty_all(struct eng *e)
{
    for (size_t i = 0; i < e->dirty.len; i++) {
        struct inst *in = e->dirty.ptr[i];
        in->dirty = false;
        inst_touch(in);
        flush(in);
    }
    VEC_CLEAR(&e->dirty);
}

static inline void flush_dirty(struct eng *e)
{
    if (e->dirty.len > 0) {
        flush_dirty_all(e);
    }
}

/* ---- events ---- */

static int by_priority(const void *a, const void *b)
{
    const struct route_hit *x = a, *y = b;
    int p = x->leaf->inst->st->priority, q = y->leaf->inst->st->priority;
    if (p != q) {
        return p > q ? -1 : 1;
    }
    if (x->rank != y->rank) {
        return x->rank < y->rank ? -1 : 1;
    }
    return x->leaf->seq < y->leaf->seq ? -1 : 1;
}

/* Without priorities, @consume, what waits for the last hit of its statement, measuring, and
 * partitions that must be saved before they change: the first three are about several hits. */
static inline bool is_plain(const struct eng *e, const struct route_hits *hits)
{
    if (LIKELY(hits->v.len <= 1)) {
        return !e->metering && e->lates == 0;
    }
    bool plain = !e->conf.prioritized && !e->metering && e->lates == 0;
    for (size_t i = 0; plain && i < hits->v.len; i++) {
        const struct route_leaf *l = hits->v.ptr[i].leaf;
        plain = l->consume == 0 && !l->inst->flushes;
    }
    return plain;
}

static void hand_out(struct eng *e, struct route_hits *hits, struct evt *ev)
{
    if (LIKELY(is_plain(e, hits))) {
        for (size_t i = 0; i < hits->v.len; i++) {
            struct route_leaf *l = hits->v.ptr[i].leaf;
            struct inst *in = l->inst;
            e->handed = i;
            if (!l->dead && !in->stopped) {
                vheap_breathe(e->heap);
                l->on(l->arg, ev);
                flush(in);
            }
        }
        return;
    }
    VEC_EACH (&hits->v, h) {
        struct inst *in = h->leaf->inst;
        in->consume = in->hits++ == 0 ? h->leaf->consume : MAX(in->consume, h->leaf->consume);
    }
    int dropped_below = INT32_MIN;
    for (size_t i = 0; i < hits->v.len; i++) {
        struct route_leaf *l = hits->v.ptr[i].leaf;
        struct inst *in = l->inst;
        e->handed = i;
        bool cut = e->conf.prioritized && in->st->priority < dropped_below;
        /* With @consume, only the filters of the highest level of a pattern take the event. */
        if (!l->dead && !in->stopped && !cut && l->consume >= in->consume) {
            struct stmt *st = in->st;
            vheap_breathe(e->heap);
            int64_t began = e->metering ? e->conf.meter() : 0;
            inst_touch(in);
            l->on(l->arg, ev);
            if (UNLIKELY(e->metering)) {
                st->metered++;
                st->meter_ns += e->conf.meter() - began;
            }
            if (in->st->drop) {
                dropped_below = in->st->priority;
            }
        }
        if (--in->hits == 0) {
            flush(in);
        }
    }
}

void eng_hand_out(struct eng *e, struct route_hits *hits, struct evt *ev)
{
    const struct route_hits *before = e->handing;
    size_t at = e->handed;
    e->handing = hits;
    hand_out(e, hits, ev);
    e->handing = before;
    e->handed = at;
}

bool eng_tells(const struct eng *e, const struct inst *in, bool yet)
{
    size_t n = e->handing != NULL ? e->handing->v.len : 0;
    size_t from = yet ? e->handed + 1 : 0, to = yet ? n : MIN(e->handed, n);
    for (size_t i = from; i < to; i++) {
        if (e->handing->v.ptr[i].leaf->inst == in) {
            return true;
        }
    }
    return false;
}

void eng_process(struct eng *e, struct evt *ev, const struct etype *as)
{
    if (e->updates.len > 0) {
        ev = upd_apply(e, ev);
        if (ev == NULL) {
            return;
        }
    }
    if (as != NULL) {
        route_match_as(e->route, as, ev, &e->hits);
    } else {
        route_match(e->route, ev, &e->hits);
    }
    if (!e->conf.prioritized && e->hits.v.len > 1) {
        turns_of_event(&e->at_event, &e->hits);
    }
    if (e->conf.prioritized && e->hits.v.len > 1) {
        qsort(e->hits.v.ptr, e->hits.v.len, sizeof e->hits.v.ptr[0], by_priority);
    }
    struct evt *before = e->current;
    e->current = ev;
    eng_hand_out(e, &e->hits, ev);
    e->current = before;
    flush_dirty(e);
}

void eng_enqueue(struct eng *e, struct queued q, bool front)
{
    (void)evt_keep(q.e);
    *VEC_PUSH(front ? &e->front.v : &e->back.v) = q;
}

static bool take(struct queue *q, struct queued *ret)
{
    if (q->at == q->v.len) {
        q->at = 0;
        VEC_CLEAR(&q->v);
        return false;
    }
    *ret = q->v.ptr[q->at++];
    return true;
}

static void process_queued(struct eng *e, const struct queued *q)
{
    if (q->table != NULL) {
        table_put(q->table, q->e, q->from);
    } else {
        if (q->win != NULL) {
            nwin_insert(q->win, q->e, q->from);
        }
        eng_process(e, q->e, q->as);
    }
    evt_drop(e->heap, q->e);
}

/* What an event changes in named windows is told once for it and for the first row that it inserts
 * into one. */
static bool waits(const struct queue *front, const struct queue *back)
{
    return front->at < front->v.len || back->at < back->v.len;
}

/* What an event changes in named windows is told once for it and for the first row that it inserts
 * into one. */
void eng_work(struct eng *e)
{
    struct queued q;
    size_t n = 0;
    bool wait = e->front.at < e->front.v.len;
    for (;; wait = false) {
        vheap_breathe(e->heap);
        eng_deliver(e);
        if (!wait && e->wins_dirty.len > 0) {
            nwin_dispatch(e);
            flush_dirty(e);
        } else if (UNLIKELY(n >= e->lim.max[LIM_CASCADE] || e->breath->over) &&
                   waits(&e->front, &e->back)) {
            eng_limit_cascade(e, &e->front);
            eng_limit_cascade(e, &e->back);
            return;
        } else if (take(&e->front, &q) || take(&e->back, &q)) {
            n++;
            process_queued(e, &q);
        } else {
            eng_limit_worked(e, n);
            return;
        }
    }
}

/* What depends on variables hears of their change when the step ends (windows, which look again
 * with the next clock step), and once more at that step (output when). */
static void look_again(struct eng *e, bool at_clock)
{
    VEC_EACH (&e->stmts, st) {
        for (size_t i = 0; (*st)->ops->look != NULL && i < (*st)->insts.len; i++) {
            inst_touch((*st)->insts.ptr[i]);
            (*st)->ops->look((*st)->insts.ptr[i], at_clock);
        }
    }
}

/* Whether the event has left nothing to do but to let go of it. */
static inline bool is_settled(const struct eng *e)
{
    size_t work = e->pending.len | e->wins_dirty.len | e->front.v.len | e->back.v.len |
                  e->vars_changed.len | e->halting.len | e->dying.len;
    return work == 0 && !e->lim.hit[LIM_CASCADE];
}

void eng_settle(struct eng *e)
{
    if (is_settled(e)) {
        route_sweep(e->route);
        vheap_drain(e->heap);
        return;
    }
    eng_work(e);
    if (e->vars_changed.len > 0) {
        e->vars_pending = true;
        look_again(e, false);
        VEC_CLEAR(&e->vars_changed);
        eng_work(e);
    }
    if (UNLIKELY(e->halting.len > 0)) {
        eng_limit_stops(e);
    }
    route_sweep(e->route);
    for (size_t i = 0; i < e->dying.len; i++) {
        struct inst *in = e->dying.ptr[i];
        in->st->ops->stop(in);
    }
    VEC_CLEAR(&e->dying);
    vheap_drain(e->heap);
}

int eng_send(struct eng *e, struct evt *ev, struct err *reterr)
{
    assert(ev != NULL);
    if (e->busy) {
        return err_set(reterr, ERR_AGAIN, "the engine is at work: events are sent one at a time");
    }
    e->busy = true;
    if (ev->ref.hi == 0 && ev->ref.lo == 0 && ev->causes == NULL) { /* it stands for no others */
        ev->ref = (struct eref){0, ++e->next_ref};
    }
    if (UNLIKELY(ev->type->kind == ETYPE_WINDOW)) {
        const struct cat_entry *c = cat_type(&e->cat, ev->type->name);
        if (c != NULL && c->kind == CAT_WINDOW) {
            nwin_insert(c->what, ev, NULL);
        }
    }
    e->metering = e->conf.meter != NULL && e->sends++ % ENG_METER_EVERY == 0;
    bool lent = ev->o.lent;
    eng_process(e, ev, NULL);
    eng_settle(e);
    if (lent && ev->o.refs > 1 && ev->serial == 0) { /* as others that outlive the step */
        ev->serial = ++e->serial;
    }
    e->busy = e->metering = false;
    return 0;
}

/* ---- time ---- */

/* Timers that are due fire instance by instance; what is set from here on waits for another step.
 */
static void fire_timers(struct eng *e, int64_t ms)
{
    struct tmr **due = NULL;
    size_t n = tmr_collect(e->timers, ms, &due);
    turns_begin(&e->at_clock);
    for (size_t i = 0; i < n; i++) {
        if (due[i]->inst != NULL) {
            turns_add(&e->at_clock, due[i]->inst);
        }
    }
    (void)turns_order(&e->at_clock);
    for (size_t i = 0; i < n; i++) {
        struct inst *in = due[i]->inst;
        tmr_turn(e->timers, due[i], in != NULL ? in->turn : 1);
    }
    for (size_t i = 0; i < n && e->lates > 0; i++) { /* all are set still */
        if (due[i]->inst != NULL) {
            inst_touch(due[i]->inst);
        }
    }
    turns_end(&e->at_clock);
    struct inst *before = NULL;
    for (struct tmr *t; (t = tmr_pop_turn(e->timers)) != NULL;) {
        struct inst *in = t->inst;
        vheap_breathe(e->heap);
        if (in != before) {
            flush_dirty(e);
        }
        before = in;
        if (in == NULL || !in->stopped) {
            t->fire(t, ms);
            if (in != NULL && !in->stopped) {
                eng_mark_dirty(in);
            }
        }
    }
}

void eng_advance(struct eng *e, int64_t ms)
{
    if (ms < e->now) {
        return;
    }
    e->now = ms;
    fire_timers(e, ms);
    if (e->vars_pending) {
        e->vars_pending = false;
        look_again(e, true);
    }
    flush_dirty(e);
    eng_settle(e);
}

int64_t eng_due(const struct eng *e)
{
    return tmr_next(e->timers);
}

void eng_number_from(struct eng *e, uint64_t n)
{
    assert(n >= e->next_ref);
    e->next_ref = n;
}

uint64_t eng_numbered(const struct eng *e)
{
    return e->next_ref;
}

void eng_advance_span(struct eng *e, int64_t ms)
{
    for (;;) {
        int64_t due = tmr_next(e->timers);
        if (due > ms || e->breath->over) {
            break;
        }
        vheap_breathe(e->heap);
        eng_advance(e, MAX(due, e->now));
    }
    eng_advance(e, ms);
}

size_t eng_statements(const struct eng *e, struct slice *ret, size_t max)
{
    size_t n = 0;
    VEC_EACH (&e->stmts, st) {
        if (n < max) {
            ret[n] = (*st)->name;
        }
        n++;
    }
    return n;
}

size_t eng_costs(const struct eng *e, struct eng_cost *ret, size_t max)
{
    size_t n = 0;
    VEC_EACH (&e->stmts, at) {
        const struct stmt *st = *at;
        if (st->metered == 0 || max == 0 || (n == max && ret[n - 1].ns >= st->meter_ns)) {
            continue;
        }
        size_t i = n < max ? n++ : n - 1;
        for (; i > 0 && ret[i - 1].ns < st->meter_ns; i--) {
            ret[i] = ret[i - 1];
        }
        ret[i] = (struct eng_cost){st->name, st->metered, st->meter_ns};
    }
    return n;
}

void eng_free(struct eng *e)
{
    if (e == NULL) {
        return;
    }
    struct err err;
    while (e->deps.len > 0) {
        struct deployment *d = *VEC_LAST(&e->deps);
        int rc = eng_undeploy(e, d->id, &err);
        assert(rc == 0);
        (void)rc;
    }
    eng_settle(e);
    route_free(e->route);
    tmr_queue_free(e->timers);
    cat_done(&e->cat);
    VEC_DONE(&e->hits.v);
    VEC_DONE(&e->at_clock.v);
    VEC_DONE(&e->at_event.v);
    VEC_DONE(&e->deps);
    map_done(&e->dep_ids);
    VEC_DONE(&e->stmts);
    VEC_DONE(&e->pending);
    VEC_DONE(&e->dirty);
    VEC_DONE(&e->dying);
    VEC_DONE(&e->halting);
    VEC_DONE(&e->wins_dirty);
    VEC_DONE(&e->updates);
    VEC_DONE(&e->shares);
    VEC_DONE(&e->front.v);
    VEC_DONE(&e->back.v);
    VEC_DONE(&e->vars_changed);
    VEC_DONE(&e->foreign);
    faf_done(e);
    evts_done(&e->scratch);
    evts_done(&e->query_rows);
    vheap_free(e->heap);
    VEC_EACH (&e->graves, a) {
        arena_free(*a);
    }
    VEC_DONE(&e->graves);
    arena_free(e->arena);
    mem_free(e);
}
