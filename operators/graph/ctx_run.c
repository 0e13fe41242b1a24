/* SPDX-License-Identifier: Apache-2.0
 *
 * Contexts at run time: parts open and close, statements get their instances. A part that closes
 * lives to the end of the step (eng.dying), for events under way still point to it.
 *
 * A context runs while it has statements. An event that opens a part is offered to what came with
 * the part: the route index is asked again, and only leaves that are newer than the part count.
 */
#include "operators/graph/ctx_impl.h"
#include "operators/graph/state.h"
#include "operators/graph/state_parts.h"
#include "operators/graph/subq.h"

#include "core/base/mem.h"

#include <assert.h>

enum { LATE = 0x8000 };

/* ---- parts by key ---- */

struct ctx_part *ctx_find(const struct ctx_ctl *c, struct dat key)
{
    uint64_t hash = dat_hash(key);
    HIDX_EACH (&c->by_key, hash, struct hidx_cell, at) {
        struct ctx_part *p = at->what;
        if (at->hash == hash && dat_same(p->key, key)) {
            return p;
        }
    }
    return NULL;
}

static void hash_in(struct ctx_ctl *c, struct ctx_part *p)
{
    if (!hidx_is_made(&c->by_key)) {
        hidx_init(&c->by_key, sizeof(struct hidx_cell));
    }
    ((struct hidx_cell *)hidx_add(&c->by_key, p->hash))->what = p;
}

static void hash_out(struct ctx_ctl *c, const struct ctx_part *p)
{
    HIDX_EACH (&c->by_key, p->hash, struct hidx_cell, at) {
        if (at->what == p) {
            hidx_remove(&c->by_key, at);
            return;
        }
    }
    assert(false && "it was added");
}

/* ---- parts ---- */

static uint64_t cost_of(const struct ctx_part *p)
{
    return LIM_COST_PART + (p->in.props != NULL ? lim_cost(p->in.props) : 0);
}

static void part_free(struct ctx_part *p)
{
    struct vheap *h = p->in.eng->heap;
    assert(p->inner == NULL && p->end == NULL);
    lim_sub(&p->in.eng->lim, LIM_STATE, cost_of(p));
    if (p->in.props != NULL) {
        evt_drop(h, p->in.props);
    }
    if (p->match != NULL) {
        evt_drop(h, p->match);
    }
    if (p->keyed) {
        dat_drop(h, p->key);
    }
    VEC_DONE(&p->insts);
    mem_free(p);
}

void ctx_link(struct ctx_ctl *c, struct ctx_part *p)
{
    p->prev = c->last;
    *(c->last != NULL ? &c->last->next : &c->first) = p;
    c->last = p;
    if (p->keyed) {
        hash_in(c, p);
    }
    struct ctx_plan *plan = p->plan;
    if (c->level->depth + 1 == plan->n_levels) {
        p->all_prev = plan->last;
        *(plan->last != NULL ? &plan->last->all_next : &plan->first) = p;
        plan->last = p;
    }
}

static void unlink_part(struct ctx_ctl *c, struct ctx_part *p)
{
    *(p->prev != NULL ? &p->prev->next : &c->first) = p->next;
    *(p->next != NULL ? &p->next->prev : &c->last) = p->prev;
    if (p->keyed) {
        hash_out(c, p);
    }
    struct ctx_plan *plan = p->plan;
    if (c->level->depth + 1 == plan->n_levels) {
        *(p->all_prev != NULL ? &p->all_prev->all_next : &plan->first) = p->all_next;
        *(p->all_next != NULL ? &p->all_next->all_prev : &plan->last) = p->all_prev;
    }
}

struct evt *ctx_new_props(const struct ctx_ctl *c)
{
    const struct ctx_level *l = c->level;
    struct vheap *h = c->owner->in.eng->heap;
    struct evt *e = evt_new(h, l->props);
    evt_set(e, CTX_COL_NAME, dat_str(vstr_new(h, l->ast->name)));
    return e;
}

/* The properties of the whole, with those of this level put in. */
static struct evt *whole_props(const struct ctx_ctl *c, struct evt *own, int32_t id)
{
    const struct ctx_plan *plan = c->level->plan;
    struct vheap *h = c->owner->in.eng->heap;
    if (plan->n_levels == 1) {
        evt_set(own, CTX_COL_ID, dat_int(id));
        return own;
    }
    struct evt *e = evt_new(h, plan->props);
    const struct evt *above = c->owner->in.props;
    for (uint32_t i = 0; above != NULL && i < c->level->depth; i++) {
        evt_set(e, CTX_COL_KIND + i, above->p[CTX_COL_KIND + i]);
    }
    evt_set(e, CTX_COL_NAME, dat_str(vstr_new(h, plan->name)));
    if (id >= 0) {
        evt_set(e, CTX_COL_ID, dat_int(id));
    }
    evt_set(e, CTX_COL_KIND + c->level->depth, dat_evt(own));
    return e;
}

static void init_inst(struct ctx_part *p, struct ctx_plan *plan, struct evt *props)
{
    p->plan = plan;
    p->in.st = plan->st;
    p->in.partition = -1;
    p->in.eng = plan->st->eng;
    p->in.cut = plan->st->cut;
    p->in.props = props != NULL ? evt_keep(props) : NULL;
    p->in.ctx = (struct ectx){.heap = plan->st->eng->heap, .inst = &p->in, .ops = &eng_ectx_ops};
}

struct ctx_part *ctx_part_bare(struct ctx_ctl *c, struct evt *props, struct evt *match, bool keyed,
                               struct dat key)
{
    struct ctx_part *p = MEM_NEW(struct ctx_part);
    init_inst(p, c->level->plan, props);
    p->ctl = c;
    p->match = match != NULL ? evt_keep(match) : NULL;
    p->keyed = keyed;
    if (keyed) {
        p->key = dat_keep(key);
        p->hash = dat_hash(key);
    }
    lim_add(&p->in.eng->lim, LIM_STATE, cost_of(p));
    return p;
}

struct ctx_part *ctx_open(struct ctx_ctl *c, struct evt *props, struct evt *match, bool keyed,
                          struct dat key)
{
    struct ctx_plan *plan = c->level->plan;
    bool leaf = c->level->depth + 1 == plan->n_levels;
    int64_t due = ctx_end_due(c, match);
    if (c->level->kind == CTX_START_END || c->level->kind == CTX_INIT_TERM) {
        evt_set(props, CTX_COL_START, dat_long(c->owner->in.eng->now));
        evt_set(props, CTX_COL_END, due != INT64_MAX ? dat_long(due) : DAT_NONE);
    }
    uint32_t n = match != NULL ? c->level->match->n_cols : 0,
             from = n > 0 && c->level->named ? n - 1 : 0;
    for (uint32_t i = from; i < n; i++) {
        evt_set(props, c->level->tags + i - from, match->p[i]);
    }
    struct ctx_part *p =
        ctx_part_bare(c, whole_props(c, props, leaf ? plan->next_id++ : -1), match, keyed, key);
    p->nr = plan->next_nr++;
    ctx_link(c, p);
    ctx_await_end(p, due);
    uint64_t seq = route_seq(p->in.eng->route);
    for (size_t i = 0; leaf && !p->closed && i < plan->members.len; i++) {
        struct stmt *st = plan->members.ptr[i];
        (void)ctx_part_start(p, st);
    }
    if (!leaf && !p->closed) {
        p->inner = ctx_ctl_new(p, c->level + 1);
    }
    p->seq = seq;
    return p;
}

static void stop_end(struct ctx_part *p)
{
    pat_free(p->end);
    p->end = NULL;
    if (tmr_is_set(&p->timer)) {
        tmr_cancel(p->in.eng->timers, &p->timer);
    }
}

void ctx_close(struct ctx_part *p)
{
    if (p->closed) {
        return;
    }
    inst_touch(&p->in);
    VEC_EACH (&p->insts, in) {
        inst_touch(*in);
    }
    p->closed = true;
    stop_end(p);
    unlink_part(p->ctl, p);
    if (p->inner != NULL) {
        ctx_ctl_free(p->inner);
        p->inner = NULL;
    }
    VEC_EACH (&p->insts, in) {
        inst_end(*in);
    }
    p->in.stopped = true;
    *VEC_PUSH(&p->in.eng->dying) = &p->in;
}

/* Of statements that heard of the event in the part that it ends, the next one does not. */
static bool has_heard(const struct ctx_part *p, const struct route_leaf *l)
{
    const struct ctx_part *old = p->ctl->ended;
    return old != NULL && p->inner == NULL && l->inst->st->context != NULL &&
           l->inst->st->context->what == p->plan &&
           !eng_tells(p->in.eng, ctx_part_inst(old, l->inst->st), true);
}

bool ctx_told(const struct ctx_part *p)
{
    bool told = false, will = p->plan->n_levels > 1;
    for (size_t i = 0; !will && i < p->insts.len; i++) {
        const struct inst *in = p->insts.ptr[i];
        will = in != NULL && eng_tells(p->in.eng, in, true);
        told |= in != NULL && eng_tells(p->in.eng, in, false);
    }
    return told && !will;
}

static void offer_again(struct ctx_part *p, struct evt *event)
{
    struct eng *e = p->in.eng;
    struct route_hits hits = {0}, kept = {0};
    route_match(e->route, event, &hits);
    VEC_EACH (&hits.v, h) {
        if (h->leaf->seq > p->seq && !has_heard(p, h->leaf)) {
            *VEC_PUSH(&kept.v) = *h;
        }
    }
    eng_hand_out(e, &kept, event);
    VEC_DONE(&kept.v);
    VEC_DONE(&hits.v);
}

void ctx_offer(struct eng *e, uint64_t seq, struct evt **events, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct route_hits hits = {0};
        route_match(e->route, events[i], &hits);
        struct route_hits kept = {0};
        for (int subqueries = 0; subqueries < 2; subqueries++) { /* those see it later here */
            VEC_EACH (&hits.v, h) {
                if (h->leaf->seq > seq && subq_owns(h->leaf) == (subqueries != 0)) {
                    *VEC_PUSH(&kept.v) = *h;
                }
            }
        }
        eng_hand_out(e, &kept, events[i]);
        VEC_DONE(&kept.v);
        VEC_DONE(&hits.v);
    }
}

void ctx_show(struct ctx_part *p, struct evt **events, size_t n)
{
    bool categories = p->inner != NULL && p->inner->level->kind == CTX_CATEGORY;
    if (!p->closed && p->ctl->ended != NULL && p->inner == NULL && n == 1) {
        offer_again(p, events[0]);
    } else if (!p->closed && !categories) {
        ctx_offer(p->in.eng, p->seq, events, n);
    }
}

int32_t ctx_number(const struct evt *props)
{
    return (int32_t)props->p[CTX_COL_ID].i;
}

/* ---- controls ---- */

static struct dat key_of(const struct ctx_ctl *c, const struct ctx_stream *s, struct evt *e)
{
    struct evt *row[2] = {e, NULL};
    struct ectx x = inst_ctx(&c->owner->in, row);
    if (s->n_keys == 1) {
        return ex_eval(s->keys[0], &x);
    }
    struct vlist *l = vlist_new(x.heap, s->n_keys);
    for (uint32_t i = 0; i < s->n_keys; i++) {
        vlist_set(l, i, ex_eval(s->keys[i], &x));
    }
    return dat_list(l);
}

static void open_keyed(struct ctx_ctl *c, const struct ctx_stream *s, struct dat key,
                       struct evt *match, struct evt *e)
{
    struct evt *props = ctx_new_props(c);
    for (uint32_t i = 0; i < s->n_keys; i++) {
        evt_set(props, CTX_COL_KIND + i, s->n_keys == 1 ? key : key.l->v[i]);
    }
    struct ctx_part *p = ctx_open(c, props, match, true, key);
    if (e != NULL) {
        ctx_show(p, &e, 1);
    }
}

/* An event of a keyed or hash level: opens the part of its key if there is none. */
static void on_event(void *arg, struct evt *e)
{
    struct ctx_leaf *leaf = arg;
    struct ctx_ctl *c = leaf->ctl;
    const struct ctx_point *start = c->level->n_starts > 0 ? &c->level->starts[leaf->num] : NULL;
    const struct ctx_stream *s = start != NULL ? start->stream : &c->level->streams[leaf->num];
    struct dat key = key_of(c, s, e);
    if (ctx_find(c, key) != NULL ||
        lim_refuses(&c->owner->in.eng->lim, LIM_STATE, LIM_COST_INST, &c->owner->in)) {
        return;
    }
    struct evt *match = NULL;
    if (start != NULL && start->tag >= 0) {
        match = evt_new(c->owner->in.eng->heap, c->level->match);
        evt_set(match, (size_t)start->tag, dat_evt(e));
    }
    open_keyed(c, s, key, match, e);
}

static void add_leaves(struct ctx_ctl *c)
{
    const struct ctx_level *l = c->level;
    struct eng *e = c->owner->in.eng;
    uint32_t n = l->n_starts > 0 ? l->n_starts : l->n_streams;
    c->leaves = mem_calloc(n, sizeof *c->leaves);
    for (uint32_t i = 0; i < n; i++) {
        struct ctx_leaf *leaf = &c->leaves[c->n_leaves++];
        leaf->ctl = c;
        leaf->num = i;
        leaf->leaf =
            route_add(e->route, l->n_starts > 0 ? &l->starts[i].filter : &l->streams[i].filter,
                      NULL, on_event, leaf, &c->owner->in, &eng_ectx_ops, l->plan->st->rank);
    }
}

static void open_categories(struct ctx_ctl *c)
{
    struct vheap *h = c->owner->in.eng->heap;
    for (uint32_t i = 0; i < c->level->ast->n_categories; i++) {
        struct evt *props = ctx_new_props(c);
        evt_set(props, CTX_COL_KIND, dat_str(vstr_new(h, c->level->ast->categories[i].label)));
        evt_set(props, CTX_COL_KIND + 1, dat_int((int32_t)i));
        (void)ctx_open(c, props, NULL, false, DAT_NONE);
    }
}

/* Conditions are asked before what takes every event: so an event that ends the part of a key may
 * begin the next one. */
static bool begins_late(const struct ctx_level *l)
{
    const struct ast_context *ast = l->ast;
    return l->n_distinct > 0 && l->starts[0].kind == POINT_FILTER &&
           ast->start[0].stream->n_filters == 0 &&
           !(l->end.kind == POINT_FILTER && ast->end.stream->n_filters == 0);
}

static struct ctx_ctl *ctl_of(struct ctx_part *owner, const struct ctx_level *l)
{
    struct ctx_ctl *c = MEM_NEW(struct ctx_ctl);
    c->owner = owner;
    c->level = l;
    c->env = inst_pat_env(&owner->in);
    c->env.rank += begins_late(l) ? LATE : 0;
    owner->inner = c;
    return c;
}

struct ctx_ctl *ctx_ctl_new(struct ctx_part *owner, const struct ctx_level *l)
{
    struct ctx_ctl *c = ctl_of(owner, l);
    switch (l->kind) {
    case CTX_KEYED: add_leaves(c); break;
    case CTX_HASH:
        for (int64_t i = 0; l->ast->preallocate && i < l->granularity; i++) {
            open_keyed(c, &l->streams[0], dat_int((int32_t)i), NULL, NULL);
        }
        add_leaves(c);
        break;
    case CTX_CATEGORY: open_categories(c); break;
    default: ctx_wait(c, true, NULL);
    }
    return c;
}

struct ctx_ctl *ctx_ctl_bare(struct ctx_part *owner, const struct ctx_level *l)
{
    struct ctx_ctl *c = ctl_of(owner, l);
    if (l->kind == CTX_KEYED || l->kind == CTX_HASH) {
        add_leaves(c);
    }
    return c;
}

void ctx_ctl_free(struct ctx_ctl *c)
{
    struct eng *e = c->owner->in.eng;
    for (uint32_t i = 0; i < c->n_leaves; i++) {
        route_remove(e->route, c->leaves[i].leaf);
    }
    pat_free(c->start);
    if (tmr_is_set(&c->timer)) {
        tmr_cancel(e->timers, &c->timer);
    }
    while (c->first != NULL) {
        ctx_close(c->first);
    }
    mem_free(c->leaves);
    hidx_done(&c->by_key);
    mem_free(c);
}

/* ---- statements ---- */

void ctx_join(struct stmt *st)
{
    struct ctx_plan *plan = st->context->what;
    *VEC_PUSH(&plan->members) = st;
    if (st->eng->loading) {
        return; /* the partitions are there, the loader begins the instances */
    }
    if (plan->members.len == 1) {
        assert(plan->root != NULL && plan->root->inner == NULL);
        (void)ctx_ctl_new(plan->root, &plan->levels[0]);
        return;
    }
    for (struct ctx_part *p = plan->first; p != NULL; p = p->all_next) {
        (void)ctx_part_start(p, st);
    }
}

void ctx_leave(struct stmt *st)
{
    struct ctx_plan *plan = st->context->what;
    size_t at = 0;
    while (at < plan->members.len && plan->members.ptr[at] != st) {
        at++;
    }
    if (at == plan->members.len) {
        return; /* never began */
    }
    for (struct ctx_part *p = plan->first; p != NULL; p = p->all_next) {
        (void)VEC_REMOVE(&p->insts, at); /* its instances are stopped by the caller */
    }
    (void)VEC_REMOVE(&plan->members, at);
    if (plan->members.len == 0 && plan->root == NULL) {
        VEC_DONE(&plan->members); /* loading has failed before the context began */
    }
    if (plan->members.len == 0 && plan->root != NULL && plan->root->inner != NULL) {
        ctx_ctl_free(plan->root->inner);
        plan->root->inner = NULL;
        plan->next_id = 0;
    }
}

static struct inst *start(struct stmt *st, struct evt *props)
{
    struct ctx_plan *plan = st->plan;
    struct ctx_part *p = MEM_NEW(struct ctx_part);
    inst_init(&p->in, st, props);
    p->plan = plan;
    plan->root = p;
    return &p->in;
}

static void stop(struct inst *in)
{
    struct ctx_part *p = (struct ctx_part *)(void *)in;
    if (p->ctl != NULL) {
        part_free(p);
        return;
    }
    p->plan->root = NULL;
    if (p->inner != NULL) { /* no statement came: loading has failed before */
        ctx_ctl_free(p->inner);
    }
    VEC_DONE(&p->plan->members);
    inst_done(in);
    mem_free(p);
}

const struct stmt_ops ctx_ops = {.start = start,
                                 .stop = stop,
                                 .save = ctx_save,
                                 .load = ctx_load,
                                 .save_keyed = ctx_save_parts,
                                 .load_keyed = ctx_load_parts,
                                 .by_part = true,
                                 .loaded = ctx_loaded};
