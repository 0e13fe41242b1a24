/* SPDX-License-Identifier: Apache-2.0
 *
 * Patterns at run time: instances and their free lists, the calls between them, matches. See
 * pat_impl.h for the protocol and README.md for its theory. The kinds of nodes are in pat_*.c.
 *
 * Re-entrance: a report may end the reporting instance, its parents, or begin new ones. So nothing
 * is freed while a call is under way (depth > 0): the dead wait in `grave`.
 */
#include "core/base/mem.h"
#include "operators/expr/period.h"
#include "operators/pattern/pat_impl.h"
#include "operators/sig/vheap_room.h"

#include <assert.h>
#include <string.h>

/* ---- memory of instances ---- */

static size_t inst_size(const struct pat_node *n)
{
    return n->def->inst_bytes + (n->def->inst_extra != NULL ? n->def->inst_extra(n) : 0);
}

static inline struct pat_inst *inst_new(struct pat *p, const struct pat_node *n)
{
    struct pat_inst *i = p->spare[n->id];
    if (i != NULL) {
        p->spare[n->id] = i->grave;
    } else if (n->def->destroy != NULL) {
        i = mem_zalloc(inst_size(n));
    } else {
        size_t size = inst_size(n);
        i = memset(vheap_take(p->env->heap, size), 0, size);
    }
    *i = (struct pat_inst){.node = n, .pat = p, .slot = n->slot};
    p->live++;
    return i;
}

static inline void enlist(struct pat_inst *i)
{
    struct pat_ring *all = &i->pat->all;
    i->ring = (struct pat_ring){all->older, all};
    all->older->newer = &i->ring;
    all->older = &i->ring;
}

static inline void unlist(struct pat_inst *i)
{
    i->ring.older->newer = i->ring.newer;
    i->ring.newer->older = i->ring.older;
}

static inline struct pat_inst *born(struct pat *p, const struct pat_node *n)
{
    struct pat_inst *i = inst_new(p, n);
    i->nr = ++p->born;
    enlist(i);
    return i;
}

struct pat_inst *pat_new_inst(struct pat *p, const struct pat_node *n)
{
    struct pat_inst *i = inst_new(p, n);
    i->ring = (struct pat_ring){&i->ring, &i->ring};
    return i;
}

void pat_enlist(struct pat_inst *i)
{
    enlist(i);
}

static void inst_release(struct pat *p, struct pat_inst *i)
{
    assert(i->dead && i->first == NULL);
    if (i->begin != NULL) {
        evt_drop(p->env->heap, i->begin);
        i->begin = NULL;
    }
    if (i->node->def->reset != NULL) {
        i->node->def->reset(i);
    }
    p->live--;
    if (i->node->def->destroy == NULL) {
        vheap_give(p->env->heap, i, inst_size(i->node));
        return;
    }
    i->grave = p->spare[i->node->id];
    p->spare[i->node->id] = i;
}

void pat_enter(struct pat *p)
{
    p->depth++;
}

static void destroy(struct pat *p);

void pat_leave(struct pat *p)
{
    assert(p->depth > 0);
    if (--p->depth > 0) {
        return;
    }
    while (p->grave != NULL) {
        struct pat_inst *i = p->grave;
        p->grave = i->grave;
        inst_release(p, i);
    }
    if (p->freeing) {
        destroy(p);
    }
}

/* ---- the tree of instances ---- */

static void unlink_kid(struct pat_inst *i)
{
    struct pat_inst *parent = i->parent;
    if (parent == NULL || !i->linked) {
        return;
    }
    if (i->prev != NULL) {
        i->prev->next = i->next;
    } else {
        parent->first = i->next;
    }
    if (i->next != NULL) {
        i->next->prev = i->prev;
    } else {
        parent->last = i->prev;
    }
    i->linked = false;
}

static inline void link_kid(struct pat_inst *i, struct pat_inst *parent)
{
    i->parent = parent;
    i->linked = true;
    i->prev = parent->last;
    if (parent->last != NULL) {
        parent->last->next = i;
    } else {
        parent->first = i;
    }
    parent->last = i;
}

void pat_link(struct pat_inst *i, struct pat_inst *parent)
{
    link_kid(i, parent);
}

struct pat_inst *pat_spawn(struct pat_inst *parent, uint32_t slot)
{
    assert(slot < parent->node->n_kids);
    struct pat_inst *i = born(parent->pat, parent->node->kids[slot]);
    link_kid(i, parent);
    return i;
}

struct pat_inst *pat_root(struct pat *p)
{
    assert(p->root == NULL);
    p->root = born(p, p->plan->root);
    return p->root;
}

void pat_begun_with(struct pat_inst *i, struct evt *begin)
{
    if (begin != NULL) {
        i->begin = evt_keep(begin);
    }
    if (i->node->late && i->node->def->leaf) {
        i->cost = LIM_COST_PARTIAL + (begin != NULL ? lim_cost(begin) : 0);
        pat_hold(i->pat, 1, i->cost);
    }
}

void pat_begin(struct pat_inst *i, struct evt *begin)
{
    struct pat *p = i->pat;
    assert(!i->dead && i->begin == NULL);
    if (p->live > PAT_LIVE_MAX || p->nesting >= PAT_NESTING_MAX) {
        p->refused++;
        p->root = p->root == i ? NULL : p->root;
        pat_quit(i);
        return;
    }
    pat_begun_with(i, begin);
    p->nesting++;
    i->node->def->start(i);
    p->nesting--;
}

void pat_quit_kids(struct pat_inst *i)
{
    while (i->first != NULL) {
        pat_quit(i->first);
    }
}

void pat_quit(struct pat_inst *i)
{
    if (i->dead) {
        return;
    }
    struct pat *p = i->pat;
    if (UNLIKELY(p->late.to != NULL)) {
        pat_save_gone(i);
    }
    i->dead = true;
    pat_release(p, i->cost > 0, i->cost);
    unlink_kid(i);
    unlist(i);
    pat_quit_kids(i);
    if (i->node->def->quit != NULL) {
        i->node->def->quit(i);
    }
    assert(p->depth > 0);
    i->grave = p->grave;
    p->grave = i;
}

static void match(struct pat *p, struct evt *m)
{
    if (m == NULL) {
        m = evt_new(p->env->heap, p->plan->type);
    }
    *VEC_PUSH(&p->out) = evt_keep(m);
    if (p->on_match != NULL) {
        p->on_match(p->arg, m);
    }
}

void pat_true(struct pat_inst *i, struct evt *m, bool quit)
{
    struct pat *p = i->pat;
    if (i->probing) {
        i->fired = true;
    } else if (i->parent == NULL) {
        if (quit && p->root == i) {
            p->root = NULL;
            pat_quit(i);
        }
        match(p, m);
    } else if (!i->parent->dead) {
        i->parent->node->def->on_true(i->parent, i, m, quit);
    }
}

void pat_false(struct pat_inst *i, bool again)
{
    struct pat *p = i->pat;
    if (i->probing) {
        return;
    }
    if (i->parent == NULL) {
        if (p->root == i) {
            p->root = NULL;
        }
        pat_quit(i);
    } else if (!i->parent->dead) {
        i->parent->node->def->on_false(i->parent, i, again);
    }
}

void pat_probe(struct pat_inst *parent, struct evt *begin, struct pat_inst **ret)
{
    struct pat_inst *i = pat_spawn(parent, 0);
    i->probing = true;
    pat_begin(i, begin);
    i->probing = false;
    if (i->fired) {
        pat_quit(i);
    }
    *ret = i->dead ? NULL : i;
}

/* ---- matches ---- */

struct evt *pat_extend(struct pat *p, struct evt *m, int col, struct dat v)
{
    const struct etype *t = p->plan->type;
    struct evt *e = evt_new(p->env->heap, t);
    for (uint32_t k = 0; m != NULL && k < t->n_cols; k++) {
        if ((int)k != col) {
            evt_set(e, k, m->p[k]);
        }
    }
    assert(col >= 0 && (uint32_t)col < t->n_cols);
    evt_set(e, (size_t)col, v);
    return e;
}

struct evt *pat_merge(struct pat *p, struct evt *a, struct evt *b)
{
    if (a == NULL || b == NULL || a == b) {
        return a != NULL ? a : b;
    }
    const struct etype *t = p->plan->type;
    struct evt *e = evt_new(p->env->heap, t);
    for (uint32_t k = 0; k < t->n_cols; k++) {
        evt_set(e, k, dat_is_null(b->p[k]) ? a->p[k] : b->p[k]);
    }
    return e;
}

void pat_hold(struct pat *p, size_t n, uint64_t cost)
{
    p->partials += n;
    p->cost += cost;
    lim_add(p->env->lim, LIM_PARTIALS, n);
    lim_add(p->env->lim, LIM_STATE, cost);
}

void pat_release(struct pat *p, size_t n, uint64_t cost)
{
    assert(p->partials >= n && p->cost >= cost);
    p->partials -= n;
    p->cost -= cost;
    lim_sub(p->env->lim, LIM_PARTIALS, n);
    lim_sub(p->env->lim, LIM_STATE, cost);
}

bool pat_refuse(struct pat *p)
{
    return lim_refuses(p->env->lim, LIM_PARTIALS, LIM_COST_PARTIAL, p->env->inst);
}

struct ectx pat_ctx(struct pat *p, struct evt **row)
{
    return (struct ectx){.heap = p->env->heap,
                         .now = *p->env->now,
                         .row = row,
                         .inst = p->env->inst,
                         .ops = p->env->ops};
}

void pat_timer(struct pat_inst *i, struct tmr *t, int64_t due, void (*fire)(struct tmr *, int64_t))
{
    struct pat_env *env = i->pat->env;
    *t = (struct tmr){
        .rank = env->rank + PAT_TIMER_RANK + i->node->id, .fire = fire, .inst = env->inst};
    if (due != INT64_MAX) {
        tmr_set(env->timers, t, due);
    }
}

int64_t pat_due(struct pat_inst *i, const struct ex *period)
{
    struct evt *row[2] = {NULL, i->begin};
    struct ectx c = pat_ctx(i->pat, row);
    int64_t due = ex_after(period, &c, c.now, 1);
    return due == INT64_MIN || c.failed ? INT64_MAX : due;
}

/* What fn does with each event of a match. */
static void each_event(const struct evt *m, void (*fn)(struct evt *e, void *arg), void *arg)
{
    for (uint32_t k = 0; k < m->type->n_cols; k++) {
        if (m->p[k].kind == DAT_EVENT) {
            fn(m->p[k].ev, arg);
        } else if (m->p[k].kind == DAT_LIST) {
            for (uint32_t j = 0; j < m->p[k].l->len; j++) {
                if (m->p[k].l->v[j].kind == DAT_EVENT) {
                    fn(m->p[k].l->v[j].ev, arg);
                }
            }
        }
    }
}

static void set_mark(struct evt *e, void *arg)
{
    e->mark = *(uint32_t *)arg;
}

static void see_mark(struct evt *e, void *arg)
{
    *(bool *)arg |= e->mark != 0;
}

bool pat_used(const struct evt *m)
{
    bool used = false;
    if (m != NULL) {
        each_event(m, see_mark, &used);
    }
    return used;
}

static void mark_all(struct evt **m, size_t n, uint32_t mark)
{
    for (size_t k = 0; k < n; k++) {
        each_event(m[k], set_mark, &mark);
    }
}

/* @SuppressOverlappingMatches: the first of those that share an event stays. */
static void suppress(struct pat *p)
{
    VEC_CLEAR(&p->first);
    VEC_EACH (&p->taken, m) {
        if (!pat_used(*m)) {
            mark_all(m, 1, 1);
            *VEC_PUSH(&p->first) = *m;
        }
    }
    mark_all(p->first.ptr, p->first.len, 0);
}

/* @DiscardPartialsOnMatch: ends what holds a marked event. */
static void discard(struct pat_inst *i)
{
    if (i->dead) {
        return;
    }
    const struct pat_def *d = i->node->def;
    if ((d->holds_begin && pat_used(i->begin)) || (d->holds_used != NULL && d->holds_used(i))) {
        pat_touch(i);
        pat_false(i, true); /* whoever hears it ends it */
        return;
    }
    for (struct pat_inst *k = i->first, *next; k != NULL; k = next) {
        next = k->next;
        discard(k);
    }
}

size_t pat_settle(struct pat *p, struct evt *const *matches, size_t n, struct evt ***ret_matches)
{
    VEC_CLEAR(&p->taken);
    for (size_t i = 0; i < n; i++) {
        *VEC_PUSH(&p->taken) = matches[i];
    }
    if (p->plan->discard_partials && p->taken.len > 0 && p->root != NULL) {
        pat_enter(p);
        mark_all(p->taken.ptr, p->taken.len, 1);
        discard(p->root);
        mark_all(p->taken.ptr, p->taken.len, 0);
        pat_leave(p);
    }
    if (p->plan->suppress_overlapping && p->taken.len > 1) {
        suppress(p);
        *ret_matches = p->first.ptr;
        return p->first.len;
    }
    *ret_matches = p->taken.ptr;
    return p->taken.len;
}

void pat_pass(struct pat *p)
{
    VEC_EACH (&p->out, m) {
        evt_drop(p->env->heap, *m); /* the pool holds it to the end of the step */
    }
    VEC_CLEAR(&p->out);
}

/* ---- life ---- */

static void note_nodes(struct pat *p, const struct pat_node *n)
{
    p->nodes[n->id] = n;
    for (uint32_t k = 0; k < n->n_kids; k++) {
        note_nodes(p, n->kids[k]);
    }
}

struct pat *pat_new(const struct pat_plan *plan, struct pat_env *env,
                    void (*on_match)(void *arg, struct evt *match), void *arg)
{
    assert(plan->root != NULL && plan->type != NULL);
    struct pat *p = MEM_NEW(struct pat);
    p->plan = plan;
    p->env = env;
    p->on_match = on_match;
    p->arg = arg;
    p->all = (struct pat_ring){&p->all, &p->all};
    p->spare = mem_calloc(plan->n_nodes, sizeof(struct pat_inst *));
    p->nodes = mem_calloc(plan->n_nodes, sizeof *p->nodes);
    note_nodes(p, plan->root);
    return p;
}

/* `begin` as a match of this pattern: columns of the same name. */
static struct evt *as_match(struct pat *p, struct evt *begin)
{
    const struct etype *t = p->plan->type;
    if (begin == NULL || begin->type == t) {
        return begin;
    }
    struct evt *e = evt_new(p->env->heap, t);
    for (uint32_t k = 0; k < t->n_cols; k++) {
        int at = ety_col(begin->type, t->cols[k].name);
        if (at >= 0) {
            evt_set(e, k, begin->p[at]);
        }
    }
    return e;
}

void pat_start(struct pat *p, struct evt *begin)
{
    pat_enter(p);
    if (p->root != NULL) {
        struct pat_inst *old = p->root;
        p->root = NULL;
        pat_quit(old);
    }
    begin = as_match(p, begin);
    if (begin != NULL) {
        (void)evt_keep(begin);
    }
    struct evt *before = p->begin;
    p->begin = begin;
    pat_begin(pat_root(p), begin);
    if (before != NULL) {
        evt_drop(p->env->heap, before);
    }
    pat_leave(p);
}

static void destroy(struct pat *p)
{
    for (uint32_t n = 0; n < p->plan->n_nodes; n++) {
        while (p->spare[n] != NULL) {
            struct pat_inst *i = p->spare[n];
            p->spare[n] = i->grave;
            i->node->def->destroy(i);
            mem_free(i);
        }
    }
    VEC_EACH (&p->out, m) {
        evt_drop(p->env->heap, *m);
    }
    if (p->begin != NULL) {
        evt_drop(p->env->heap, p->begin);
    }
    VEC_DONE(&p->out);
    VEC_DONE(&p->taken);
    VEC_DONE(&p->first);
    VEC_DONE(&p->named);
    mem_free(p->nodes);
    mem_free(p->spare);
    mem_free(p);
}

void pat_stop(struct pat *p)
{
    pat_enter(p);
    pat_save_rest(p);
    pat_reader_free(p);
    if (p->root != NULL) {
        struct pat_inst *i = p->root;
        p->root = NULL;
        pat_quit(i);
    }
    pat_leave(p);
}

void pat_free(struct pat *p)
{
    if (p == NULL) {
        return;
    }
    assert(!p->freeing);
    pat_enter(p);
    pat_stop(p);
    p->freeing = true;
    pat_leave(p);
}
