/* SPDX-License-Identifier: Apache-2.0
 *
 * Saving an engine and loading one. See eng_state.h and state.h.
 *
 * Statements are loaded in the order in which they were deployed, each begun only when it is its
 * turn: then the variables, tables, windows and partitions it reads are there already. All modules
 * are bound before, because events of their types may be anywhere.
 */
#include "operators/graph/state.h"

#include "core/base/mem.h"
#include "operators/graph/ctx.h"
#include "operators/graph/eng_state.h"
#include "operators/graph/share.h"
#include "operators/graph/state_parts.h"
#include "operators/graph/subq.h"
#include "operators/window/win_store.h"

#include <assert.h>
#include <stdlib.h>

enum { BODY, KEYED, STORE, APART = 16, PLACE = 0xff }; /* places of a node; of its first source */

static uint64_t node_of(const struct stmt *st, unsigned place)
{
    return (uint64_t)st->id << 8 | place;
}

/* ---- pieces ---- */

void state_save_leaf(struct save *s, const struct route_leaf *leaf)
{
    if (leaf != NULL) {
        save_u(s, leaf->seq);
    }
}

void state_load_leaf(struct load *l, struct route *r, struct route_leaf *leaf)
{
    if (leaf != NULL) {
        route_renumber(r, leaf, load_u(l));
    }
}

void state_save_evts(struct save *s, const struct evts *v)
{
    save_u(s, v->len);
    for (size_t i = 0; i < v->len; i++) {
        save_evt_apart(s, v->ptr[i]);
    }
}

void state_load_evts(struct load *l, const struct etype *type, struct evts *to)
{
    size_t n = load_count(l, 1);
    for (size_t i = 0; i < n && load_ok(l); i++) {
        struct evt *e = load_evt_apart(l, type);
        if (e != NULL && load_ok(l)) {
            evts_add(to, evt_keep(e));
        }
    }
}

void state_save_item(struct save *s, bool by_key)
{
    if (!by_key) {
        save_bool(s, true);
    }
}

bool state_load_item(struct load *l, bool by_key)
{
    return by_key ? load_more(l) : load_bool(l) && load_ok(l);
}

void state_save_last(struct save *s, bool by_key)
{
    if (!by_key) {
        save_bool(s, false);
    }
}

/* ---- saving ---- */

static void save_body(struct inst *in, struct save *s)
{
    subq_save_all(in, s);
    if (in->st->ops->save != NULL) {
        in->st->ops->save(in, s);
    }
}

void state_save_inst(struct inst *in, struct save *s)
{
    save_body(in, s);
    if (in->st->ops->save_keyed != NULL) {
        in->st->ops->save_keyed(in, s, false);
    }
}

static void save_store(struct stmt *st, struct save *s)
{
    struct win_store *store = share_saved_with(st);
    if (store != NULL) {
        save_begin(s, node_of(st, STORE));
        win_store_save(store, s);
        save_end(s);
    }
}

static void save_stmt(struct stmt *st, struct save *s)
{
    if (st->halted) {
        return; /* it holds nothing any more */
    }
    save_begin(s, node_of(st, BODY));
    if (st->context != NULL) {
        state_save_parts(st, s);
        save_end(s);
        return;
    }
    assert(st->insts.len == 1);
    struct inst *in = st->insts.ptr[0];
    save_body(in, s);
    save_end(s);
    if (st->ops->save_keyed != NULL) {
        save_begin(s, node_of(st, KEYED));
        st->ops->save_keyed(in, s, true);
        save_end(s);
    }
    save_store(st, s);
    for (uint32_t n = 0, end = state_sources(st); n < end; n++) {
        if (state_has_apart(st, n)) {
            save_begin(s, node_of(st, APART + n));
            state_save_apart(st, s, n);
            save_end(s);
        }
    }
}

void state_save_all(struct eng *e, struct save *s)
{
    assert(!e->busy && e->dying.len == 0 && e->pending.len == 0 && e->wins_dirty.len == 0);
    assert(e->front.v.len == 0 && e->back.v.len == 0);
    share_settle(e);
    vheap_drain(e->heap); /* what was begun since the last step may be held for long */
    VEC_EACH (&e->stmts, st) {
        save_stmt(*st, s);
    }
    save_begin(s, 0);
    state_save_meta(e, s);
    save_end(s);
}

void eng_save(struct eng *e, void (*on_chunk)(void *arg, const struct save_chunk *c), void *arg)
{
    struct save_types types = state_types(e);
    struct save *s = save_new(&types, &e->serial, on_chunk, arg);
    state_save_all(e, s);
    save_free(s);
}

/* ---- loading ---- */

struct loading {
    struct eng *eng;
    struct load *l;
    const struct save_chunk **chunks; /* by node and group */
    size_t n, seen;
    struct err *err;
    struct state_rest rest;
    uint32_t from;       /* the number that the statement under way had */
    uint32_t source;     /* of it: the one that is read */
    struct inst **by_at; /* of the statement under way: instances in the order they had */
    bool *loaded;        /* and which of them, as they are, have their state */
};

static int by_node(const void *a, const void *b)
{
    const struct save_chunk *x = *(const struct save_chunk *const *)a;
    const struct save_chunk *y = *(const struct save_chunk *const *)b;
    if (x->node != y->node) {
        return x->node < y->node ? -1 : 1;
    }
    return x->group < y->group ? -1 : x->group > y->group;
}

/* The chunks of a node: the first, and how many. */
static size_t chunks_of(const struct loading *x, uint64_t node, size_t *ret_first)
{
    size_t low = 0, high = x->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (x->chunks[mid]->node < node) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    *ret_first = low;
    while (high < x->n && x->chunks[high]->node == node) {
        high++;
    }
    return high - low;
}

typedef void chunk_fn(struct loading *x, struct stmt *st);

static uint64_t node_from(const struct loading *x, unsigned place)
{
    return (uint64_t)x->from << 8 | place;
}

static int each_chunk(struct loading *x, struct stmt *st, unsigned place, chunk_fn *fn)
{
    size_t first, n = chunks_of(x, node_from(x, place), &first);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        x->seen++;
        load_begin(x->l, x->chunks[first + i]);
        fn(x, st);
        rc = load_end(x->l, x->err);
    }
    return rc;
}

static void load_body(struct inst *in, struct load *l)
{
    subq_load_all(in, l);
    if (in->st->ops->load != NULL) {
        in->st->ops->load(in, l);
    }
}

static void body(struct loading *x, struct stmt *st)
{
    load_body(st->insts.ptr[0], x->l);
}

static void keyed(struct loading *x, struct stmt *st)
{
    if (st->ops->load_keyed == NULL) {
        load_fail(x->l, "this statement keeps nothing by key");
        return;
    }
    while (load_more(x->l)) {
        st->ops->load_keyed(st->insts.ptr[0], x->l, true);
    }
}

static void apart(struct loading *x, struct stmt *st)
{
    state_load_apart(st, x->l, x->source);
}

/* Outside of chunks. */
static int finish(struct loading *x, struct stmt *st)
{
    load_begin(x->l, &(struct save_chunk){.node = node_from(x, BODY), .group = SAVE_NO_GROUP});
    for (uint32_t n = 0, end = st->context == NULL ? state_sources(st) : 0; n < end; n++) {
        state_loaded_apart(st, x->l, n);
    }
    for (size_t i = 0; st->ops->loaded != NULL && i < st->insts.len; i++) {
        st->ops->loaded(st->insts.ptr[i], x->l);
    }
    return load_end(x->l, x->err);
}

static int load_alone(struct loading *x, struct stmt *st)
{
    (void)st->ops->start(st, NULL);
    assert(st->insts.len == 1);
    size_t first;
    if (chunks_of(x, node_from(x, BODY), &first) != 1) {
        return err_set(x->err, ERR_CORRUPT, "saved state of statement %u is missing", st->id);
    }
    int rc = each_chunk(x, st, BODY, body);
    rc = rc == 0 ? each_chunk(x, st, KEYED, keyed) : rc;
    uint32_t n = rc == 0 ? state_sources(st) : 0;
    for (x->source = 0; rc == 0 && x->source < n; x->source++) {
        rc = each_chunk(x, st, APART + x->source, apart);
    }
    return rc == 0 ? finish(x, st) : rc;
}

static size_t inst_number(const struct stmt *st, int64_t number)
{
    size_t low = 0, high = st->insts.len; /* in order of opening while they are loaded */
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (st->insts.ptr[mid]->partition < number) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low < st->insts.len && st->insts.ptr[low]->partition == number ? low : st->insts.len;
}

static bool partition(struct loading *x, struct stmt *st)
{
    size_t i = inst_number(st, load_i(x->l));
    uint64_t at = load_u(x->l);
    if (i == st->insts.len || x->loaded[i] || at >= st->insts.len || x->by_at[at] != NULL) {
        load_fail(x->l, "a partition that does not exist, or twice");
        return false;
    }
    struct inst *in = st->insts.ptr[i];
    x->by_at[at] = in;
    x->loaded[i] = true;
    load_body(in, x->l);
    if (st->ops->load_keyed != NULL) {
        st->ops->load_keyed(in, x->l, false);
    }
    return true;
}

static void partitions(struct loading *x, struct stmt *st)
{
    bool ok = true;
    while (ok && load_more(x->l)) {
        size_t space = load_space(x->l);
        ok = partition(x, st);
        load_space_end(x->l, space);
    }
}

/* Instances get back the places they had. */
static int reorder(struct loading *x, struct stmt *st)
{
    for (size_t i = 0; i < st->insts.len; i++) {
        if (x->by_at[i] == NULL) {
            return err_set(x->err, ERR_CORRUPT,
                           "saved state of a partition of statement %u is missing", st->id);
        }
    }
    for (size_t i = 0; i < st->insts.len; i++) {
        st->insts.ptr[i] = x->by_at[i];
        st->insts.ptr[i]->at = i;
    }
    return 0;
}

static int load_partitions(struct loading *x, struct stmt *st)
{
    ctx_join(st);
    struct ctx_part **parts;
    size_t n = ctx_partitions(st, &parts);
    for (size_t i = 0; i < n; i++) {
        (void)ctx_part_start(parts[i], st);
    }
    mem_free(parts);
    x->by_at = mem_calloc(n + 1, sizeof(struct inst *));
    x->loaded = mem_calloc(n + 1, sizeof *x->loaded);
    int rc = each_chunk(x, st, BODY, partitions);
    rc = rc == 0 ? reorder(x, st) : rc;
    mem_free(x->by_at);
    mem_free(x->loaded);
    return rc == 0 ? finish(x, st) : rc;
}

static int load_stmt(struct loading *x, struct stmt *st, uint32_t from)
{
    x->from = from;
    return st->context != NULL ? load_partitions(x, st) : load_alone(x, st);
}

/* Stores of windows, when all are there who sit in them; what nobody waits for is not looked at. */
static int load_stores(struct loading *x)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < x->n; i++) {
        uint64_t node = x->chunks[i]->node, number = node >> 8;
        if ((node & PLACE) == STORE && number > 0 && share_is_awaited(x->eng, number)) {
            x->seen++;
            load_begin(x->l, x->chunks[i]);
            share_load(x->eng, number, x->l);
            rc = load_end(x->l, x->err);
        }
    }
    if (rc == 0 && share_is_awaited(x->eng, 0)) {
        rc = err_set(x->err, ERR_CORRUPT, "saved state of a shared window is missing");
    }
    return rc;
}

static int load_all(struct loading *x)
{
    struct eng *e = x->eng;
    size_t first;
    if (chunks_of(x, 0, &first) != 1) {
        return err_set(x->err, ERR_CORRUPT, "saved state without the engine's own chunk");
    }
    load_begin(x->l, x->chunks[first]);
    int rc = state_load_meta(e, x->l, &x->rest, x->err);
    x->seen++;
    for (size_t i = 0; rc == 0 && i < e->stmts.len; i++) {
        struct stmt *st = e->stmts.ptr[i];
        if (!st->halted) {
            rc = load_stmt(x, st, st->id);
        }
    }
    rc = rc == 0 ? load_stores(x) : rc;
    if (rc != 0) {
        return rc;
    }
    if (x->seen != x->n) {
        return err_set(x->err, ERR_CORRUPT, "saved state of statements that do not exist");
    }
    return state_set_rest(e, &x->rest, x->err);
}

/* Chunks by node and group; each is there once. */
static int begin_loading(struct loading *x, struct eng *e, const struct save_types *types,
                         const struct save_chunk *chunks, size_t n, struct err *reterr)
{
    *x = (struct loading){.eng = e, .l = load_new(types, e->heap), .n = n, .err = reterr};
    x->chunks = mem_calloc(n + 1, sizeof *x->chunks);
    for (size_t i = 0; i < n; i++) {
        x->chunks[i] = &chunks[i];
    }
    qsort(x->chunks, n, sizeof *x->chunks, by_node);
    for (size_t i = 1; i < n; i++) {
        if (by_node(&x->chunks[i - 1], &x->chunks[i]) == 0) {
            return err_set(reterr, ERR_CORRUPT, "saved state with a chunk twice");
        }
    }
    return 0;
}

static void end_loading(struct loading *x, int rc)
{
    if (rc == 0) {
        VEC_EACH (&x->eng->deps, d) {
            eng_listen(*d);
        }
    }
    VEC_DONE(&x->rest.dirty);
    mem_free(x->chunks);
    load_free(x->l);
    vheap_drain(x->eng->heap);
}

int eng_load(struct eng *e, const struct save_chunk *chunks, size_t n, struct err *reterr)
{
    assert(e->deps.len == 0 && !e->busy);
    struct save_types types = state_types(e);
    struct loading x;
    int rc = begin_loading(&x, e, &types, chunks, n, reterr);
    e->loading = true;
    rc = rc == 0 ? load_all(&x) : rc;
    e->loading = false;
    vheap_number_from(e->heap, NULL); /* what got a number was saved with it */
    end_loading(&x, rc);
    vheap_number_from(e->heap, &e->serial);
    return rc;
}

/* ---- taking over ---- */

/* Of a context whose partitions have been taken over. */
static void begin_in_partitions(struct stmt *st)
{
    struct ctx_part **parts;
    st->eng->loading = true;
    ctx_join(st);
    st->eng->loading = false;
    size_t n = ctx_partitions(st, &parts);
    for (size_t i = 0; i < n; i++) {
        (void)ctx_part_start(parts[i], st);
    }
    mem_free(parts);
}

int state_take(struct eng *e, const struct save_types *types, const struct save_chunk *chunks,
               size_t n, const uint32_t *from, struct err *reterr)
{
    struct loading x;
    int rc = begin_loading(&x, e, types, chunks, n, reterr);
    for (size_t i = 0; rc == 0 && i < e->stmts.len; i++) {
        struct stmt *st = e->stmts.ptr[i];
        if (from[i] > 0) {
            e->loading = true;
            rc = load_stmt(&x, st, from[i]);
            e->loading = false;
        } else if (st->context != NULL && ctx_runs(st)) {
            begin_in_partitions(st);
        } else {
            stmt_run(st);
        }
    }
    rc = rc == 0 ? load_stores(&x) : rc;
    end_loading(&x, rc);
    return rc;
}
