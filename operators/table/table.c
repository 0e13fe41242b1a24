/* SPDX-License-Identifier: Apache-2.0
 *
 * See table.h. The nameless column of a row holds a pointer to its entry, which has the block, the
 * table and the hash of the key. The hash table has the rows themselves: the hash beside them and
 * the key in them is all that a look-up touches.
 */
#include "core/base/mem.h"
#include "operators/sig/vheap_room.h"
#include "operators/table/table_impl.h"

#include <assert.h>

struct trows *table_open(struct table *t, struct evt *props)
{
    struct trows *r = MEM_NEW(struct trows);
    r->t = t;
    r->props = props;
    hidx_init(&r->index, sizeof(struct hidx_cell));
    *VEC_PUSH(&t->rows) = r;
    return r;
}

/* Of a row with its key and what is aggregated in it. */
uint64_t table_cost(const struct table *t, const struct evt *row)
{
    return LIM_COST_ROW + (uint64_t)LIM_COST_CALL * t->aggs.calls.len + lim_cost(row);
}

/* A row is there, or has changed. */
static void count_bytes(struct entry *n)
{
    const struct table *t = n->rows->t;
    struct lim *l = t->lim;
    if (l != NULL) {
        uint64_t now = table_cost(t, n->e);
        lim_change(l, LIM_STATE, now, n->cost);
        n->cost = now;
    }
    if (l != NULL && l->bytes) {
        uint64_t now = lim_bytes(n->e);
        lim_change(l, LIM_BYTES, now, n->bytes);
        n->bytes = now;
    }
}

void table_touch(struct evt *row)
{
    struct entry *n = table_entry(row);
    if (n != NULL && n->rows->late != NULL) {
        table_save_first(n);
    }
}

void table_changed(struct table *t, const struct evt *row, uint32_t n)
{
    t->changes += n;
    if (t->lim != NULL) {
        count_bytes(table_entry(row));
    }
}

static void entry_free(struct entry *n)
{
    struct table *t = n->rows->t;
    lim_sub(t->lim, LIM_ROWS, 1);
    lim_sub(t->lim, LIM_BYTES, n->bytes);
    lim_sub(t->lim, LIM_STATE, n->cost);
    n->e->p[t->block] = DAT_NONE;
    if (n->block != NULL) {
        agg_block_free(&t->layout, n->block, t->heap);
    }
    cause_live_free(n->live);
    mem_free(n->ever);
    evt_drop(t->heap, n->e);
    vheap_give(t->heap, n, sizeof *n);
}

void table_close(struct trows *r)
{
    struct table *t = r->t;
    table_save_rest(r);
    for (struct entry *n = r->first, *next; n != NULL; n = next) {
        next = n->next;
        entry_free(n);
    }
    for (size_t i = 0; i < t->rows.len; i++) {
        if (t->rows.ptr[i] == r) {
            (void)VEC_REMOVE(&t->rows, i);
            break;
        }
    }
    VEC_EACH (&r->loaded, l) { /* loading has failed */
        entry_free(l->e);
    }
    VEC_DONE(&r->loaded);
    hidx_done(&r->index);
    mem_free(r);
}

struct trows *table_of(const struct table *t, const struct evt *props)
{
    VEC_EACH (&t->rows, r) {
        if ((*r)->props == props || (*r)->props == NULL) {
            return *r;
        }
    }
    return NULL;
}

void table_each(struct trows *r, void (*fn)(void *arg, struct evt *row), void *arg)
{
    for (struct entry *n = r->first; n != NULL; n = n->next) {
        fn(arg, n->e);
    }
}

uint64_t table_hash(const struct dat *key, uint32_t n)
{
    uint64_t h = 0;
    for (uint32_t i = 0; i < n; i++) {
        h = (h ^ (h >> 31)) * 0x9e3779b97f4a7c15ULL + dat_hash(key[i]);
    }
    return h ^ (h >> 29);
}

struct evt *table_find_hash(struct trows *r, const struct dat *key, uint32_t n, uint64_t hash)
{
    const uint16_t *cols = r->t->key;
    HIDX_EACH (&r->index, hash, struct hidx_cell, c) {
        struct evt *row = c->what;
        bool same = c->hash == hash;
        for (uint32_t k = 0; same && k < n; k++) {
            same = dat_same(row->p[cols[k]], key[k]);
        }
        if (same) {
            return row;
        }
    }
    return NULL;
}

struct evt *table_find(struct trows *r, const struct dat *key, uint32_t n)
{
    if (n != r->t->n_keys) {
        return NULL;
    }
    if (n == 0) {
        return r->first != NULL ? r->first->e : NULL;
    }
    uint64_t epoch = vheap_epoch(r->t->heap);
    bool one = n == 1 && key[0].kind == DAT_STRING;
    if (one && r->last_key == key[0].s && r->last_epoch == epoch) {
        return r->last_found;
    }
    struct evt *row = table_find_hash(r, key, n, table_hash(key, n));
    if (one && row != NULL) {
        r->last_key = key[0].s;
        r->last_found = row;
        r->last_epoch = epoch;
    }
    return row;
}

static void index_in(struct trows *r, struct evt *row, uint64_t hash)
{
    ((struct hidx_cell *)hidx_add(&r->index, hash))->what = row;
}

static void index_out(struct trows *r, const struct entry *n)
{
    HIDX_EACH (&r->index, n->hash, struct hidx_cell, c) {
        if (c->what == n->e) {
            hidx_remove(&r->index, c);
            return;
        }
    }
    assert(false && "it was added");
}

struct entry *table_new_entry(struct trows *r, struct evt *row, uint64_t hash)
{
    struct table *t = r->t;
    struct entry *n = vheap_take(t->heap, sizeof *n);
    *n = (struct entry){.rows = r, .e = evt_keep(row), .hash = hash, .cut = r->cut};
    evt_number(t->heap, row);
    row->p[t->block] = dat_long((int64_t)(uintptr_t)n);
    n->block = t->aggs.calls.len > 0 ? agg_block_new(&t->layout) : NULL;
    r->count++;
    t->changes++;
    lim_add(t->lim, LIM_ROWS, 1);
    count_bytes(n);
    return n;
}

static void link_last(struct trows *r, struct entry *n)
{
    n->prev = r->last;
    n->next = NULL;
    *(r->last != NULL ? &r->last->next : &r->first) = n;
    r->last = n;
}

struct entry *table_add_row(struct trows *r, struct evt *row, uint64_t hash)
{
    struct entry *n = table_new_entry(r, row, hash);
    n->order = r->last != NULL ? r->last->order + 1 : 1;
    link_last(r, n);
    index_in(r, row, hash);
    return n;
}

bool table_link_all(struct trows *r, const struct loaded *all, size_t n)
{
    enum { AHEAD = 8 };
    const struct table *t = r->t;
    struct dat key[TABLE_KEYS_MAX];
    bool unique = t->n_keys > 0 || n <= 1;
    hidx_reserve(&r->index, n);
    for (size_t i = 0; i < n; i++) {
        struct entry *e = all[i].e;
        if (i > 0 && i + 2 * AHEAD < n) {
            __builtin_prefetch(all[i + 2 * AHEAD].e);
            struct hidx_spot soon = hidx_spot(&r->index, all[i + AHEAD].e->hash);
            __builtin_prefetch((struct hidx_cell *)(void *)soon.cells + soon.i);
        }
        for (uint32_t k = 0; k < t->n_keys; k++) {
            key[k] = e->e->p[t->key[k]];
        }
        unique = unique && table_find_hash(r, key, t->n_keys, e->hash) == NULL;
        e->order = all[i].order;
        link_last(r, e);
        index_in(r, e->e, e->hash);
    }
    return unique;
}

struct evt *table_add(struct trows *r, const struct dat *key, uint32_t n)
{
    assert(n == r->t->n_keys);
    struct evt *row = evt_new(r->t->heap, r->t->type);
    for (uint32_t i = 0; i < n; i++) {
        evt_set(row, r->t->key[i], key[i]);
    }
    return table_add_row(r, row, table_hash(key, n))->e;
}

static bool has(struct trows *r, const struct evt *e, uint64_t *ret_hash)
{
    const struct table *t = r->t;
    struct dat key[TABLE_KEYS_MAX];
    for (uint32_t i = 0; i < t->n_keys; i++) {
        key[i] = e->p[t->key[i]];
    }
    *ret_hash = table_hash(key, t->n_keys);
    return t->n_keys == 0 ? r->first != NULL
                          : table_find_hash(r, key, t->n_keys, *ret_hash) != NULL;
}

bool table_holds(struct trows *r, const struct evt *e)
{
    uint64_t hash;
    return has(r, e, &hash);
}

bool table_insert(struct trows *r, struct evt *e)
{
    struct table *t = r->t;
    uint64_t hash;
    if (has(r, e, &hash)) {
        return false;
    }
    struct evt *row = evt_new(t->heap, t->type);
    for (uint32_t i = 0; i < t->type->n_cols; i++) {
        if (i != t->block) {
            evt_set(row, i, e->p[i]);
        }
    }
    row->ref = e->ref;
    (void)table_add_row(r, row, hash);
    return true;
}

void table_delete(struct trows *r, struct evt *row)
{
    struct entry *n = table_entry(row);
    if (n == NULL || n->rows != r) {
        return;
    }
    table_touch(row);
    r->last_key = NULL;
    index_out(r, n);
    *(n->prev != NULL ? &n->prev->next : &r->first) = n->next;
    *(n->next != NULL ? &n->next->prev : &r->last) = n->prev;
    r->count--;
    r->t->changes++;
    entry_free(n);
}

bool table_set(struct trows *r, struct evt *row, uint16_t col, struct dat v)
{
    struct table *t = r->t;
    struct entry *n = table_entry(row);
    if (n == NULL) {
        return false;
    }
    table_touch(row);
    struct dat was = row->p[col];
    if (t->type->cols[col].key && !dat_same(was, v)) {
        struct dat key[TABLE_KEYS_MAX];
        for (uint32_t i = 0; i < t->n_keys; i++) {
            key[i] = t->key[i] == col ? v : row->p[t->key[i]];
        }
        uint64_t hash = table_hash(key, t->n_keys);
        if (table_find_hash(r, key, t->n_keys, hash) != NULL) {
            return false;
        }
        r->last_key = NULL;
        index_out(r, n);
        n->hash = hash;
        index_in(r, row, hash);
    }
    row->p[col] = dat_keep(v);
    dat_drop(t->heap, was);
    t->changes++;
    count_bytes(n);
    return true;
}

void *table_state(const struct table *t, const struct evt *row, uint16_t col)
{
    const struct entry *n = table_entry(row);
    if (n == NULL || n->block == NULL || t->slot[col] == UINT16_MAX) {
        return NULL;
    }
    return agg_block_state(&t->layout, n->block, t->slot[col]);
}

struct dat table_col(struct evt *row, uint16_t col, struct ectx *c)
{
    const struct entry *n = table_entry(row);
    if (n == NULL || n->rows->t->slot[col] == UINT16_MAX) {
        return row->p[col];
    }
    return agg_block_value(&n->rows->t->layout, n->block, n->rows->t->slot[col], c);
}

void table_cause(struct evt *row, struct ectx *c, uint32_t n_events, bool windowed, bool enter)
{
    struct entry *n = table_entry(row);
    assert(n != NULL);
    table_touch(row);
    if (windowed && n->live == NULL) {
        n->live = cause_live_new(c->heap, true);
    } else if (!windowed && n->ever == NULL) {
        n->ever = MEM_NEW(struct cause_ever);
    }
    for (uint32_t i = 0; i < n_events; i++) {
        struct evt *e = c->row[i];
        if (e == NULL) {
            continue;
        }
        if (windowed && enter) {
            cause_live_enter(n->live, e);
        } else if (windowed) {
            cause_live_leave(n->live, e);
        } else if (enter) {
            cause_ever_add(n->ever, c->now, e);
        }
    }
}

void table_causes(const struct evt *row, struct cause_list *to)
{
    const struct entry *n = table_entry(row);
    cause_add_event(to, row);
    if (n != NULL && n->live != NULL) {
        cause_live_list(n->live, NULL, to);
    }
    if (n != NULL && n->ever != NULL) {
        cause_ever_list(n->ever, NULL, to);
    }
}

struct evt *table_shown(struct evt *row, struct ectx *c)
{
    struct evt *copy = evt_new(c->heap, row->type);
    for (uint32_t i = 0; i + 1 < row->type->n_cols; i++) {
        evt_set(copy, i, table_col(row, (uint16_t)i, c));
    }
    copy->ref = row->ref;
    return copy;
}

struct dat table_keys(struct trows *r, struct vheap *h)
{
    const struct table *t = r->t;
    struct vlist *l = vlist_new(h, r->count);
    size_t i = 0;
    for (struct entry *n = r->first; n != NULL; n = n->next) {
        if (t->n_keys == 1) {
            vlist_set(l, i++, n->e->p[t->key[0]]);
            continue;
        }
        struct vlist *k = vlist_new(h, t->n_keys);
        for (uint32_t j = 0; j < t->n_keys; j++) {
            vlist_set(k, j, n->e->p[t->key[j]]);
        }
        vlist_set(l, i++, dat_list(k));
    }
    return dat_list(l);
}
