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
#include "operators/graph/limit.h"
#include "operators/table/table.h"

#include <assert.h>

enum { BUCKETS_MIN = 16 };

struct item { /* an event that a stream holds */
    struct evt *e;
    struct item *next, *prev; /* in order of arrival */
    struct item *chain;       /* by identity */
    struct item *by_key;      /* by all keys of the stream */
    uint64_t hash;
};

struct store {
    struct item *first, *last;
    struct item *spare; /* through next */
    struct item **by_id, **by_key;
    size_t n_buckets, count;
    bool keyed; /* all keys are needed at once: two streams */
};

struct join {
    struct sel_inst *in;
    struct store *s;
    struct evt **row;
    struct join_rows nw, old; /* of the change under way */
    struct join_rows *out;    /* the one that takes rows now */
    VEC(struct item *) found; /* a stack: candidates of the streams that are bound */
};

struct join *join_new(struct sel_inst *in)
{
    struct join *j = MEM_NEW(struct join);
    uint32_t n = in->p->n_streams;
    j->in = in;
    j->s = mem_calloc(n, sizeof *j->s);
    j->row = mem_calloc(n, sizeof(struct evt *));
    j->nw.width = j->old.width = n;
    j->nw.max = j->old.max = in->in.eng->lim.max[LIM_JOINED];
    for (uint32_t i = 0; i < n; i++) {
        j->s[i].keyed = n == 2 && in->p->join->s[i].n_keys > 0;
    }
    return j;
}

void join_free(struct join *j)
{
    if (j == NULL) {
        return;
    }
    struct vheap *h = j->in->in.eng->heap;
    for (uint32_t i = 0; i < j->in->p->n_streams; i++) {
        for (struct item *it = j->s[i].first, *next; it != NULL; it = next) {
            next = it->next;
            evt_drop(h, it->e);
            mem_free(it);
        }
        for (struct item *it = j->s[i].spare, *next; it != NULL; it = next) {
            next = it->next;
            mem_free(it);
        }
        mem_free(j->s[i].by_id);
        mem_free(j->s[i].by_key);
    }
    mem_free(j->s);
    mem_free(j->row);
    join_rows_done(&j->nw);
    join_rows_done(&j->old);
    VEC_DONE(&j->found);
    mem_free(j);
}

/* ---- what a stream holds ---- */

static size_t id_of(const struct evt *e)
{
    return (size_t)((uintptr_t)e >> 4) * 0x9e3779b97f4a7c15ULL >> 20;
}

/* One side of a key, as both sides are compared. */
static struct dat key_value(const struct join_key *k, const struct ex *side, struct ectx *c)
{
    struct dat v = ex_eval(side, c);
    return k->floats && dat_is_number(v) ? dat_as(c->heap, v, DAT_DOUBLE) : v;
}

static uint64_t hash_mine(struct join *j, uint32_t num, struct evt *e, bool *ret_null)
{
    const struct join_stream *p = &j->in->p->join->s[num];
    struct evt *was = j->row[num];
    j->row[num] = e;
    struct ectx c = inst_ctx(&j->in->in, j->row);
    uint64_t h = 0;
    *ret_null = false;
    for (uint32_t i = 0; i < p->n_keys; i++) {
        struct dat v = key_value(&p->keys[i], p->keys[i].mine, &c);
        *ret_null |= dat_is_null(v);
        h = (h ^ (h >> 31)) * 0x9e3779b97f4a7c15ULL + dat_hash(v);
    }
    j->row[num] = was;
    return h ^ (h >> 29);
}

static void grow(struct store *s)
{
    size_t n = MAX((size_t)BUCKETS_MIN, s->n_buckets * 2);
    mem_free(s->by_id);
    mem_free(s->by_key);
    s->by_id = mem_calloc(n, sizeof(struct item *));
    s->by_key = s->keyed ? mem_calloc(n, sizeof(struct item *)) : NULL;
    s->n_buckets = n;
    for (struct item *it = s->first; it != NULL; it = it->next) {
        struct item **b = &s->by_id[id_of(it->e) & (n - 1)];
        it->chain = *b;
        *b = it;
        if (s->keyed) {
            struct item **k = &s->by_key[it->hash & (n - 1)];
            it->by_key = *k;
            *k = it;
        }
    }
}

static void hold(struct join *j, uint32_t num, struct evt *e)
{
    struct store *s = &j->s[num];
    struct item *it = s->spare;
    bool null = false;
    if (it != NULL) {
        s->spare = it->next;
    } else {
        it = mem_alloc(sizeof *it);
    }
    it->next = NULL;
    it->e = evt_keep(e);
    it->hash = s->keyed ? hash_mine(j, num, e, &null) : 0;
    if (s->count >= s->n_buckets) {
        grow(s);
    }
    it->prev = s->last;
    *(s->last != NULL ? &s->last->next : &s->first) = it;
    s->last = it;
    s->count++;
    struct item **b = &s->by_id[id_of(e) & (s->n_buckets - 1)];
    it->chain = *b;
    *b = it;
    if (s->keyed) {
        struct item **k = &s->by_key[it->hash & (s->n_buckets - 1)];
        it->by_key = *k;
        *k = it;
    }
}

static void let_go(struct join *j, uint32_t num, struct evt *e)
{
    struct store *s = &j->s[num];
    if (s->n_buckets == 0) {
        return;
    }
    struct item **p = &s->by_id[id_of(e) & (s->n_buckets - 1)];
    while (*p != NULL && (*p)->e != e) {
        p = &(*p)->chain;
    }
    struct item *it = *p;
    if (it == NULL) {
        return;
    }
    *p = it->chain;
    if (s->keyed) {
        struct item **k = &s->by_key[it->hash & (s->n_buckets - 1)];
        while (*k != it) {
            k = &(*k)->by_key;
        }
        *k = it->by_key;
    }
    *(it->prev != NULL ? &it->prev->next : &s->first) = it->next;
    *(it->next != NULL ? &it->next->prev : &s->last) = it->prev;
    s->count--;
    evt_drop(j->in->in.eng->heap, e);
    it->next = s->spare;
    s->spare = it;
}

void join_save(const struct join *j, struct save *s)
{
    for (uint32_t i = 0; i < j->in->p->n_streams; i++) {
        save_u(s, j->s[i].count);
        for (const struct item *it = j->s[i].first; it != NULL; it = it->next) {
            save_evt(s, it->e);
        }
    }
}

void join_load(struct join *j, struct load *l)
{
    for (uint32_t i = 0; i < j->in->p->n_streams; i++) {
        for (size_t n = load_count(l, 1); n > 0 && load_ok(l); n--) {
            struct evt *e = load_evt_of(l, j->in->p->streams[i].type);
            if (e != NULL && load_ok(l)) {
                hold(j, i, e);
            }
        }
    }
}

/* ---- putting rows together ---- */

static void made(struct join *j)
{
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
        struct dat x = key_value(k, k->mine, &c), y = key_value(k, k->theirs, &c);
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
    c->j->row[c->num] = e;
    if (keys_hold(c->j, c->num, c->bound)) {
        c->fn(c->arg, e);
    }
    c->j->row[c->num] = NULL;
}

/* Events of stream num that fit what is bound, by hash if two streams are compared by keys. */
static void each_candidate(struct join *j, uint32_t num, uint64_t bound,
                           void (*fn)(void *arg, struct evt *e), void *arg)
{
    struct candidates c = {j, num, bound, fn, arg};
    const struct sel_stream *src = &j->in->p->streams[num];
    struct store *s = &j->s[num];
    if (src->kind == SRC_TABLE && !j->in->in.st->query) {
        struct trows *t = table_of(src->table, j->in->in.props);
        if (t != NULL) {
            table_each(t, try_candidate, &c);
        }
        return;
    }
    if (!s->keyed || s->n_buckets == 0) {
        for (struct item *it = s->first, *next; it != NULL; it = next) {
            next = it->next;
            try_candidate(&c, it->e);
        }
        return;
    }
    const struct join_stream *p = &j->in->p->join->s[num];
    struct ectx x = inst_ctx(&j->in->in, j->row);
    uint64_t h = 0;
    for (uint32_t i = 0; i < p->n_keys; i++) {
        h = (h ^ (h >> 31)) * 0x9e3779b97f4a7c15ULL +
            dat_hash(key_value(&p->keys[i], p->keys[i].theirs, &x));
    }
    h ^= h >> 29;
    size_t base = j->found.len;
    for (struct item *it = s->by_key[h & (s->n_buckets - 1)]; it != NULL; it = it->by_key) {
        if (it->hash == h) {
            *VEC_PUSH(&j->found) = it;
        }
    }
    while (j->found.len > base) { /* oldest first */
        try_candidate(&c, j->found.ptr[--j->found.len]->e);
    }
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

/* Outer joins: the tree of `on` clauses, walked from `start`; steps[i] binds a stream from one that
 * is bound before it. */
struct step {
    uint32_t num, from, on; /* on: stream whose `on` connects them */
    bool optional;
};

struct outer {
    struct join *j;
    struct step step[64];
    uint32_t n;
};

static void plan_outer(struct outer *o, uint32_t start, uint64_t done)
{
    const struct join_plan *p = o->j->in->p->join;
    uint32_t n = o->j->in->p->n_streams;
    for (uint32_t i = 1; i < n; i++) { /* children of start */
        if (p->s[i].parent == start && (done & (1ULL << i)) == 0) {
            o->step[o->n++] = (struct step){i, start, i, p->s[i].optional};
            plan_outer(o, i, done | (1ULL << i) | (1ULL << start));
        }
    }
    uint32_t up = p->s[start].parent;
    if (start > 0 && (done & (1ULL << up)) == 0) {
        o->step[o->n++] = (struct step){up, start, start, p->s[start].parent_optional};
        plan_outer(o, up, done | (1ULL << up) | (1ULL << start));
    }
}

struct owalk {
    struct outer *o;
    uint32_t at;
    uint64_t bound;
    bool found;
};

static void outer_step(struct outer *o, uint32_t at, uint64_t bound);

static void outer_found(void *arg, struct evt *e)
{
    struct owalk *w = arg;
    const struct step *s = &w->o->step[w->at];
    (void)e;
    if (!on_holds(w->o->j, s->on, w->bound)) {
        return;
    }
    w->found = true;
    outer_step(w->o, w->at + 1, w->bound | (1ULL << s->num));
}

static void outer_step(struct outer *o, uint32_t at, uint64_t bound)
{
    if (at == o->n) {
        made(o->j);
        return;
    }
    const struct step *s = &o->step[at];
    struct owalk w = {o, at, bound, false};
    if ((bound & (1ULL << s->from)) != 0) {
        struct evt *keep = o->j->row[s->num];
        each_candidate(o->j, s->num, bound, outer_found, &w);
        o->j->row[s->num] = keep;
    }
    if (!w.found && s->optional) {
        outer_step(o, at + 1, bound);
    } else if (!w.found && (bound & (1ULL << s->from)) == 0) {
        outer_step(o, at + 1, bound); /* below what was padded everything is null */
    }
}

static void rows_of(struct join *j, uint32_t num, struct evt *e)
{
    uint32_t n = j->in->p->n_streams;
    memset(j->row, 0, n * sizeof(struct evt *));
    j->row[num] = e;
    if (j->in->p->join->outer) {
        struct outer o = {.j = j};
        plan_outer(&o, num, 1ULL << num);
        outer_step(&o, 0, 1ULL << num);
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

static bool changes(const struct sel_inst *in, size_t *ret_events)
{
    uint32_t streams = 0;
    *ret_events = 0;
    for (uint32_t i = 0; i < in->p->n_streams; i++) {
        size_t n = in->src[i].nw.len + in->src[i].old.len;
        *ret_events += n;
        streams += n > 0;
    }
    return streams > 1 || *ret_events > 1;
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

/* Unidirectional statements keep no state: aggregations are of this trigger's rows alone. */
static void forget_groups(struct sel_inst *in)
{
    aggr_free(in->aggr);
    in->aggr = sel_aggr(in);
    aggr_limit(in->aggr, in->in.st->query ? NULL : &in->in.eng->lim);
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
    size_t n = MAX(join_rows_count(&j->nw), join_rows_count(&j->old));
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

void join_flush(struct sel_inst *in)
{
    struct join *j = in->join;
    size_t events = 0;
    bool once = changes(in, &events);
    if (events == 0) {
        return;
    }
    begin_rows(j, &j->old, once);
    rows_of_all(j, true);
    for (uint32_t i = 0; i < in->p->n_streams; i++) {
        bool holds = (in->p->join->uni & (1ULL << i)) == 0 || in->src[i].view != NULL;
        for (size_t k = 0; holds && k < in->src[i].nw.len; k++) {
            hold(j, i, in->src[i].nw.ptr[k]);
        }
        for (size_t k = 0; k < in->src[i].old.len; k++) { /* some only just came */
            let_go(j, i, in->src[i].old.ptr[k]);
        }
    }
    begin_rows(j, &j->nw, once);
    rows_of_all(j, false);
    bool go = triggers(in);
    for (uint32_t i = 0; i < in->p->n_streams; i++) {
        evts_clear(&in->src[i].nw);
        evts_clear(&in->src[i].old);
    }
    if (go && !too_many(j)) {
        if (in->p->join->uni != 0 && in->p->aggs.calls.len > 0) {
            forget_groups(in);
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
        for (struct item *it = j->s[i].first; it != NULL; it = it->next) {
            rows_of(j, i, it->e);
        }
    }
    for (size_t k = 0; !too_many(j) && k < j->nw.list.len; k += w) {
        fn(arg, &j->nw.list.ptr[k]);
    }
}
