/* SPDX-License-Identifier: Apache-2.0
 *
 * See join.h. Rows are put together from the stream that changed outwards: inner joins take the
 * streams in order, each found by hash if one of its keys is known; outer joins follow the tree of
 * `on` clauses, padding with null where the plan allows. A change's old rows are made before the
 * tables change, its new rows after; equal rows are made once.
 */
#include "operators/graph/join.h"

#include "core/base/mem.h"
#include "operators/graph/join_bind.h"
#include "operators/graph/join_rows.h"
#include "operators/graph/join_store.h"
#include "operators/graph/limit.h"
#include "operators/graph/nwin.h"
#include "operators/table/table.h"

#include <assert.h>
#include <stdlib.h>

struct join {
    struct sel_inst *in;
    struct join_store *s;
    struct evt **row;
    struct join_rows nw, old; /* of the change under way */
    struct join_rows *out;    /* the one that takes rows now */
    bool keyed;               /* two streams; what is theirs of one's keys is mine of the other's */
    bool no_old;              /* nobody asks for rows that leave */
    const struct evt *of;     /* the event of stream `of_num` whose key is in `key`, or NULL; */
    uint64_t of_epoch;        /* as long as no address is anew */
    uint32_t of_num;
    struct join_vals key;
};

static bool is_keyed(const struct sel_plan *p)
{
    const struct join_stream *a = &p->join->s[0], *b = &p->join->s[1];
    bool keyed = p->n_streams == 2 && a->n_keys > 0 && a->n_keys == b->n_keys;
    for (uint32_t i = 0; keyed && i < a->n_keys; i++) {
        keyed = a->keys[i].mine == b->keys[i].theirs && a->keys[i].theirs == b->keys[i].mine;
    }
    return keyed;
}

struct join *join_new(struct sel_inst *in)
{
    struct join *j = MEM_NEW(struct join);
    const struct sel_plan *p = in->p;
    uint32_t n = p->n_streams;
    j->in = in;
    j->s = mem_calloc(n, sizeof *j->s);
    j->row = mem_calloc(n, sizeof(struct evt *));
    j->nw.width = j->old.width = n;
    j->nw.max = j->old.max = in->in.eng->lim.max[LIM_JOINED];
    j->keyed = is_keyed(p);
    j->no_old = p->cls == ROWS_PLAIN && !p->needs_old && p->into == NULL && in->out == NULL;
    for (uint32_t i = 0; i < n; i++) {
        join_store_init(&j->s[i], &in->in, j->row, &p->join->s[i], i, j->keyed);
    }
    return j;
}

void join_free(struct join *j)
{
    if (j == NULL) {
        return;
    }
    for (uint32_t i = 0; i < j->in->p->n_streams; i++) {
        join_store_done(&j->s[i]);
    }
    mem_free(j->s);
    mem_free(j->row);
    join_rows_done(&j->nw);
    join_rows_done(&j->old);
    mem_free(j);
}

/* The key of an event of a stream; asked for several times during a change. */
static const struct join_vals *key_of(struct join *j, uint32_t num, struct evt *e)
{
    uint64_t epoch = vheap_epoch(j->in->in.eng->heap);
    if (j->keyed && (j->of != e || j->of_num != num || j->of_epoch != epoch)) {
        join_store_vals(&j->s[num], e, &j->key);
        j->of = e;
        j->of_num = num;
        j->of_epoch = epoch;
    }
    return &j->key;
}

void join_soon(struct join *j, uint32_t num, struct evt *e)
{
    if (j->keyed) {
        uint64_t hash = key_of(j, num, e)->hash;
        join_store_soon(&j->s[num], hash);
        join_store_soon(&j->s[1 - num], hash);
    }
}

/* Whether the join has anything of a stream: what comes by itself may go by. */
static bool holds(const struct sel_inst *in, uint32_t num)
{
    return (in->p->join->uni & (1ULL << num)) == 0 || in->src[num].view != NULL;
}

/* ---- state ---- */

/* Whether what the join has of a stream is what the stream's own window, or a named window, holds:
 * the same objects, which are written there. */
static bool is_held(const struct sel_inst *in, uint32_t num)
{
    if (!holds(in, num)) {
        return false;
    }
    const struct sel_stream *p = &in->p->streams[num];
    const struct view_plan *v = &p->views;
    bool held = v->n_steps > 0 && v->n_group_cols == 0 && p->mr == NULL;
    for (uint32_t i = 0; i < v->n_steps; i++) {
        held &= !v->steps[i]->def->batch; /* it has put out other events than it gathers */
    }
    if (v->n_steps > 0) {
        return held && v->steps[v->n_steps - 1]->def->data_window;
    }
    return p->kind == SRC_WINDOW && p->contained == NULL && p->win_filter == NULL &&
           p->mr == NULL && nwin_serves(p->win, in->in.st);
}

static void note_held(void *arg, struct evt *e)
{
    evts_add(arg, e);
}

static int by_serial(const void *a, const void *b)
{
    uint64_t x = (*(struct evt *const *)a)->serial, y = (*(struct evt *const *)b)->serial;
    return x < y ? -1 : x > y;
}

/* What came in the order of numbers is found in the windows and put in that order again: nothing
 * is written but that, so a join is no more to write than its windows. */
void join_save(const struct join *j, struct save *s)
{
    for (uint32_t i = 0; i < j->in->p->n_streams; i++) {
        const struct join_store *of = &j->s[i];
        bool held = is_held(j->in, i) && !of->mixed;
        save_bool(s, held);
        if (held) {
            save_u(s, of->newest);
            continue;
        }
        struct evt **all = join_store_all(of);
        save_u(s, of->count);
        for (size_t k = 0; k < of->count; k++) {
            save_evt_apart(s, all[k]);
        }
        mem_free(all);
    }
}

static void add_loaded(struct join *j, uint32_t num, struct evt *e)
{
    struct join_vals v;
    if (j->keyed) {
        join_store_vals(&j->s[num], e, &v);
    }
    join_store_add(&j->s[num], e, &v);
}

/* Those that a window has, which is all there are. Each is fetched before it is its turn: they were
 * read long ago. */
static void add_all(struct join *j, uint32_t num, const struct evts *all)
{
    enum { AHEAD = 8 };
    struct join_store *s = &j->s[num];
    struct join_vals v[AHEAD];
    for (size_t i = 0; i < all->len + AHEAD; i++) {
        if (i >= AHEAD) {
            join_store_add(s, all->ptr[i - AHEAD], &v[i % AHEAD]);
        }
        if (i < all->len && j->keyed) {
            join_store_vals(s, all->ptr[i], &v[i % AHEAD]);
            join_store_soon(s, v[i % AHEAD].hash);
        }
        if (i + 2 * AHEAD < all->len) {
            __builtin_prefetch(all->ptr[i + 2 * AHEAD]->p);
        }
    }
}

static void add_held(struct join *j, uint32_t num, struct load *l)
{
    struct sel_src *src = &j->in->src[num];
    struct evts all = {NULL, 0, 0};
    uint64_t last = load_u(l);
    if (src->view != NULL) {
        view_each(src->view, note_held, &all);
    } else {
        nwin_each(j->in->p->streams[num].win, j->in->in.props, note_held, &all);
    }
    bool mixed = false;
    for (size_t i = 1; i < all.len && !mixed; i++) {
        mixed = all.ptr[i - 1]->serial > all.ptr[i]->serial;
    }
    if (mixed) {
        qsort(all.ptr, all.len, sizeof *all.ptr, by_serial);
    }
    add_all(j, num, &all);
    if (j->s[num].mixed || (all.len > 0 ? last < j->s[num].newest : last > 0)) {
        load_fail(l, "events of a join that cannot have come in the order of their numbers");
    }
    j->s[num].newest = last;
    evts_done(&all);
}

static void add_written(struct join *j, uint32_t num, struct load *l)
{
    for (size_t n = load_count(l, 1); n > 0 && load_ok(l); n--) {
        struct evt *e = load_evt_apart(l, j->in->p->streams[num].type);
        if (e != NULL && load_ok(l)) {
            add_loaded(j, num, e);
        }
    }
    j->s[num].mixed = j->s[num].count > 0 && is_held(j->in, num);
}

void join_load(struct join *j, struct load *l)
{
    for (uint32_t i = 0; i < j->in->p->n_streams && load_ok(l); i++) {
        bool held = load_bool(l);
        if (held && !is_held(j->in, i)) {
            load_fail(l, "a stream of a join whose events nobody holds");
        } else if (held && load_ok(l)) {
            add_held(j, i, l);
        } else if (load_ok(l)) {
            add_written(j, i, l);
        }
    }
}

/* ---- putting rows together ---- */

/* The rest of the where is asked before the row is taken; it counts as made all the same. */
static void made(struct join *j)
{
    const struct ex *rest = j->in->p->join->rest;
    if (rest != NULL) {
        struct ectx c = inst_ctx(&j->in->in, j->row);
        if (!ex_true(rest, &c) || c.failed) {
            join_rows_pass(j->out);
            return;
        }
    }
    join_rows_add(j->out, j->row);
}

struct walk {
    struct join *j;
    uint64_t bound;
    uint32_t start;
    uint32_t num;          /* the stream being found */
    const uint32_t *order; /* inner: streams left to bind */
    uint32_t left;
    bool found;
};

static bool keys_hold(struct join *j, uint32_t num, uint64_t bound)
{
    const struct join_stream *p = &j->in->p->join->s[num];
    struct ectx c = inst_ctx(&j->in->in, j->row);
    for (uint32_t i = 0; i < p->n_keys; i++) {
        const struct join_key *k = &p->keys[i];
        if ((k->needs & ~bound) != 0) {
            continue;
        }
        struct dat x = join_side(k, k->mine, &c), y = join_side(k, k->theirs, &c);
        if (dat_is_null(x) || dat_is_null(y)) { /* `on` of outer joins compares like a hash table */
            if (!j->in->p->join->outer || !dat_is_null(x) || !dat_is_null(y)) {
                return false;
            }
        } else if (!dat_same(x, y)) {
            return false;
        }
    }
    return true;
}

struct candidates {
    struct join *j;
    uint32_t num;
    uint64_t bound;
    void (*fn)(void *arg, struct evt *e);
    void *arg;
};

static void try_candidate(void *arg, struct evt *e)
{
    struct candidates *c = arg;
    if (c->j->out->cut) {
        return;
    }
    vheap_breathe(c->j->in->in.eng->heap);
    c->j->row[c->num] = e;
    if (keys_hold(c->j, c->num, c->bound)) {
        c->fn(c->arg, e);
    }
    c->j->row[c->num] = NULL;
}

/* The row of a table whose primary key is compared with what is bound, if all of it is. */
static bool by_primary_key(struct join *j, const struct table *t, struct trows *rows,
                           const struct candidates *c)
{
    const struct join_stream *p = &j->in->p->join->s[c->num];
    struct ectx x = inst_ctx(&j->in->in, j->row);
    struct dat key[TABLE_KEYS_MAX];
    for (uint32_t i = 0; i < t->n_keys; i++) {
        uint32_t k = 0;
        while (k < p->n_keys &&
               ((p->keys[k].needs & ~c->bound) != 0 || p->keys[k].floats ||
                p->keys[k].mine->op != EX_PROP || p->keys[k].mine->slot != t->key[i])) {
            k++;
        }
        if (k == p->n_keys) {
            return false;
        }
        key[i] = ex_eval(p->keys[k].theirs, &x);
    }
    struct evt *row = table_find(rows, key, t->n_keys);
    if (row != NULL) {
        try_candidate((void *)(uintptr_t)c, row);
    }
    return true;
}

static void each_of_table(struct join *j, const struct table *t, struct candidates *c)
{
    struct trows *rows = table_of(t, j->in->in.props);
    if (rows != NULL && (t->n_keys == 0 || !by_primary_key(j, t, rows, c))) {
        table_each(rows, try_candidate, c);
    }
}

/* Events of stream num that fit what is bound, by hash if two streams are compared by keys. */
static void each_candidate(struct join *j, uint32_t num, uint64_t bound,
                           void (*fn)(void *arg, struct evt *e), void *arg)
{
    struct candidates c = {j, num, bound, fn, arg};
    const struct sel_stream *src = &j->in->p->streams[num];
    struct join_store *s = &j->s[num];
    if (src->kind == SRC_TABLE && !j->in->in.st->query) {
        each_of_table(j, src->table, &c);
        return;
    }
    if (!j->keyed) {
        for (struct join_item *it = s->first; it != NULL; it = it->next) {
            try_candidate(&c, it->h.e);
        }
        return;
    }
    const struct join_vals *key = key_of(j, 1 - num, j->row[1 - num]);
    if (key->null && !j->in->p->join->outer) {
        return;
    }
    const struct join_slot *at = join_store_find(s, key);
    if (at == NULL) {
        return;
    }
    j->row[num] = at->h.e;
    fn(arg, at->h.e);
    for (struct join_item *it = at->more; it != NULL && !j->out->cut;) {
        it = it->next;
        j->row[num] = it->h.e;
        fn(arg, it->h.e);
        it = it != at->more ? it : NULL;
    }
    j->row[num] = NULL;
}

static void inner(struct walk *w);

static void inner_found(void *arg, struct evt *e)
{
    struct walk *w = arg;
    (void)e;
    struct walk next = {.j = w->j,
                        .bound = w->bound | (1ULL << w->num),
                        .order = w->order + 1,
                        .left = w->left - 1};
    inner(&next);
}

static bool on_holds(struct join *j, uint32_t num, uint64_t bound)
{
    const struct ex *on = j->in->p->join->s[num].on;
    struct ectx c = inst_ctx(&j->in->in, j->row);
    (void)bound;
    return ex_true(on, &c);
}

static void inner(struct walk *w)
{
    if (w->left == 0) {
        for (uint32_t i = 1; i < w->j->in->p->n_streams; i++) {
            if (!on_holds(w->j, i, w->bound)) {
                return;
            }
        }
        made(w->j);
        return;
    }
    w->num = w->order[0];
    each_candidate(w->j, w->num, w->bound, inner_found, w);
}

/* Outer joins: the steps of the plan, in order. A step has found something when all that its stream
 * requires was there, too, which is seen when the steps that begin at it are done. */
struct owalk {
    struct join *j;
    const struct join_step *steps;
    uint32_t n;
    uint64_t *found; /* steps */
};

struct ostep {
    struct owalk *w;
    uint32_t at;
    uint64_t bound; /* streams */
};

static void outer_step(struct owalk *w, uint32_t at, uint64_t bound);

static void outer_found(void *arg, struct evt *e)
{
    struct ostep *o = arg;
    const struct join_step *s = &o->w->steps[o->at];
    (void)e;
    if (on_holds(o->w->j, s->on, o->bound)) {
        outer_step(o->w, o->at + 1, o->bound | (1ULL << s->num));
    }
}

static void outer_step(struct owalk *w, uint32_t at, uint64_t bound)
{
    for (uint32_t i = 0; i < at; i++) {
        if (w->steps[i].end == at && (bound & (1ULL << w->steps[i].num)) != 0) {
            *w->found |= 1ULL << i;
        }
    }
    if (at == w->n) {
        made(w->j);
        return;
    }
    const struct join_step *s = &w->steps[at];
    struct ostep o = {w, at, bound};
    *w->found &= ~(1ULL << at);
    each_candidate(w->j, s->num, bound, outer_found, &o);
    if (s->optional && (*w->found & (1ULL << at)) == 0) {
        outer_step(w, s->end, bound);
    }
}

static void rows_of(struct join *j, uint32_t num, struct evt *e)
{
    uint32_t n = j->in->p->n_streams;
    memset(j->row, 0, n * sizeof(struct evt *));
    j->row[num] = e;
    if (j->in->p->join->outer) {
        uint64_t found = 0;
        struct owalk w = {j, j->in->p->join->steps[num], n - 1, &found};
        outer_step(&w, 0, 1ULL << num);
    } else {
        uint32_t order[64], k = 0;
        for (uint32_t i = 0; i < n; i++) {
            if (i != num) {
                order[k++] = i;
            }
        }
        struct walk w = {.j = j, .bound = 1ULL << num, .order = order, .left = k};
        inner(&w);
    }
    memset(j->row, 0, n * sizeof(struct evt *));
}

static void rows_of_all(struct join *j, bool old)
{
    uint64_t uni = j->in->p->join->uni;
    for (uint32_t i = 0; i < j->in->p->n_streams; i++) {
        const struct evts *v = old ? &j->in->src[i].old : &j->in->src[i].nw;
        if (uni != 0 && ((uni & (1ULL << i)) == 0 || old)) {
            continue;
        }
        for (size_t k = 0; k < v->len; k++) {
            rows_of(j, i, v->ptr[k]);
        }
    }
}

/* Whether a row may be made twice: by events of several streams, or one that comes twice. */
static void changes(const struct sel_inst *in, size_t *ret_events, bool *ret_nw, bool *ret_old)
{
    uint32_t streams = 0;
    *ret_events = 0;
    *ret_nw = *ret_old = false;
    for (uint32_t i = 0; i < in->p->n_streams; i++) {
        size_t nw = in->src[i].nw.len, old = in->src[i].old.len;
        *ret_events += nw + old;
        *ret_nw |= nw > 1;
        *ret_old |= old > 1;
        streams += nw + old > 0;
    }
    *ret_nw |= streams > 1;
    *ret_old |= streams > 1;
}

static bool triggers(const struct sel_inst *in)
{
    uint64_t uni = in->p->join->uni;
    for (uint32_t i = 0; i < in->p->n_streams; i++) {
        bool mine = uni == 0 || (uni & (1ULL << i)) != 0;
        if (mine && in->src[i].nw.len + (uni == 0 ? in->src[i].old.len : 0) > 0) {
            return true;
        }
    }
    return false;
}

static void begin_rows(struct join *j, struct join_rows *r, bool once)
{
    join_rows_begin(r, once);
    j->out = r;
}

/* Rows that were not made would be missed when they should leave: there is no going on. */
static bool too_many(struct join *j)
{
    struct eng *e = j->in->in.eng;
    struct lim *l = &e->lim;
    uint64_t n = MAX(join_rows_made(&j->nw), join_rows_made(&j->old));
    l->peak[LIM_JOINED] = MAX(l->peak[LIM_JOINED], n);
    if (LIKELY(!j->nw.cut && !j->old.cut)) {
        return false;
    }
    if (j->in->in.st->query) {
        e->query_cut = true;
    } else {
        lim_refuse(l, LIM_JOINED, 1, &j->in->in);
    }
    return true;
}

static void change_store(struct join *j, uint32_t num)
{
    struct sel_src *src = &j->in->src[num];
    struct join_store *s = &j->s[num];
    bool keeps = holds(j->in, num);
    bool one = j->keyed && keeps && src->nw.len == 1 && src->old.len == 1;
    if (one) {
        join_store_near(&j->s[1 - num], key_of(j, num, src->nw.ptr[0])->hash);
    }
    if (one &&
        join_store_swap(s, src->nw.ptr[0], key_of(j, num, src->nw.ptr[0]), src->old.ptr[0])) {
        return;
    }
    for (size_t k = 0; keeps && k < src->nw.len; k++) {
        join_store_add(s, src->nw.ptr[k], key_of(j, num, src->nw.ptr[k]));
    }
    for (size_t k = 0; k < src->old.len; k++) { /* some only just came */
        join_store_remove(s, src->old.ptr[k]);
    }
}

void join_flush(struct sel_inst *in)
{
    struct join *j = in->join;
    size_t events = 0;
    bool once_nw, once_old;
    changes(in, &events, &once_nw, &once_old);
    if (events == 0) {
        return;
    }
    begin_rows(j, &j->old, once_old);
    if (!j->no_old) {
        rows_of_all(j, true);
    }
    for (uint32_t i = 0; i < in->p->n_streams; i++) {
        change_store(j, i);
    }
    begin_rows(j, &j->nw, once_nw);
    rows_of_all(j, false);
    bool go = triggers(in);
    for (uint32_t i = 0; i < in->p->n_streams; i++) {
        evts_clear(&in->src[i].nw);
        evts_clear(&in->src[i].old);
    }
    if (go && !too_many(j)) {
        if (in->p->join->uni != 0 && in->p->aggs.calls.len > 0) {
            sel_forget_groups(in); /* they keep no state: sums are of this trigger's rows alone */
        }
        sel_process(in, j->nw.list.ptr, join_rows_count(&j->nw), j->old.list.ptr,
                    join_rows_count(&j->old));
    }
}

void join_each(struct sel_inst *in, void (*fn)(void *arg, struct evt **row), void *arg)
{
    struct join *j = in->join;
    size_t w = in->p->n_streams;
    bool outer = in->p->join->outer; /* else every row is made from the first stream's events */
    begin_rows(j, &j->nw, outer);
    join_rows_begin(&j->old, false);
    for (uint32_t i = 0; i < (outer ? w : 1); i++) {
        struct evt **all = join_store_all(&j->s[i]);
        for (size_t k = 0; k < j->s[i].count; k++) {
            rows_of(j, i, all[k]);
        }
        mem_free(all);
    }
    for (size_t k = 0; !too_many(j) && k < j->nw.list.len; k += w) {
        fn(arg, &j->nw.list.ptr[k]);
    }
}
