/* SPDX-License-Identifier: Apache-2.0
 *
 * Saving the rows of a table, at once or in slices, and loading them: of each its order, columns,
 * aggregations, causes; by key nothing else, else behind their number. See table.h.
 */
#include "core/base/mem.h"
#include "operators/table/table_impl.h"

#include <assert.h>

static void save_row(const struct trows *r, const struct entry *n, struct save *s)
{
    const struct table *t = r->t;
    save_u(s, n->order);
    save_space(s);
    save_evt(s, n->e);
    if (n->block != NULL) {
        agg_block_save(&t->layout, n->block, s);
    }
    cause_save(s, n->live, n->ever);
    save_space_end(s);
}

static void save_by_key(const struct trows *r, const struct entry *n, struct save *s)
{
    const struct table *t = r->t;
    struct dat key[TABLE_KEYS_MAX];
    for (uint32_t i = 0; i < t->n_keys; i++) {
        key[i] = n->e->p[t->key[i]];
    }
    save_group(s, save_group_of(key, t->n_keys));
    save_item(s, n->order);
    save_row(r, n, s);
}

/* ---- in slices: rows in their order, but those first that are about to change ---- */

static size_t write_row(struct trows *r, struct entry *n)
{
    struct save *s = save_late_to(r->late);
    n->cut = r->cut;
    save_by_key(r, n, s);
    if (--r->late_left == 0) {
        save_late_end(r->late);
        r->late = NULL;
    }
    return save_item_bytes(s);
}

void table_save_first(struct entry *n)
{
    struct trows *r = n->rows;
    if (n->cut != r->cut) {
        (void)write_row(r, n);
    }
    r->late_at = r->late_at == n ? n->next : r->late_at; /* it may go */
}

static bool late_step(void *arg, size_t bytes)
{
    enum { LOOK = 32 }; /* what it costs to find that a row is written already */
    struct trows *r = arg;
    for (size_t n = 0; r->late != NULL && n < bytes;) {
        struct entry *at = r->late_at;
        r->late_at = at->next;
        n += at->cut == r->cut ? LOOK : write_row(r, at);
    }
    return r->late == NULL;
}

static void late_forget(void *arg)
{
    ((struct trows *)arg)->late = NULL;
}

void table_save_rest(struct trows *r)
{
    while (r->late != NULL) {
        (void)late_step(r, SIZE_MAX);
    }
}

/* Whether all events that its rows hold have numbers: those of values have none. */
static bool is_numbered(const struct table *t)
{
    bool all = vheap_numbers(t->heap);
    for (uint32_t i = 0; all && i < t->type->n_cols; i++) {
        all = i == t->block || t->slot[i] != UINT16_MAX || t->type->cols[i].ty.kind < TY_OBJECT;
    }
    for (size_t i = 0; all && i < t->aggs.calls.len; i++) {
        const struct agg_call *c = t->aggs.calls.ptr[i];
        all = c->def->takes_event || c->ty.kind < TY_OBJECT;
        for (uint32_t k = 0; all && k < c->n_args; k++) {
            all = c->args[k]->ty.kind < TY_OBJECT;
        }
    }
    return all;
}

static bool save_later_on(struct trows *r, struct save *s)
{
    static const struct save_late_ops ops = {late_step, late_forget};
    enum { FEW = 32 }; /* many may be large: they are not looked at one by one */
    bool large = r->count > FEW || agg_set_grows(&r->t->aggs);
    size_t size = large ? SIZE_MAX : r->count * sizeof(struct entry);
    if (r->late != NULL || r->count == 0 || !is_numbered(r->t)) {
        return false;
    }
    r->late = save_node_later(s, &ops, r, size);
    r->late_at = r->first;
    r->late_left = r->count;
    r->cut++;
    return r->late != NULL;
}

void table_number(const struct table *t, struct evt *const *row, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (row[i] != NULL) {
            evt_number(t->heap, row[i]);
        }
    }
}

void table_save(struct trows *r, struct save *s, bool by_key)
{
    if (by_key && save_later_on(r, s)) {
        return;
    }
    if (!by_key) {
        save_u(s, r->count);
    }
    for (const struct entry *n = r->first; n != NULL; n = n->next) {
        if (by_key) {
            save_by_key(r, n, s);
        } else {
            save_row(r, n, s);
        }
    }
}

/* In a space of its own. */
static void load_row(struct trows *r, uint64_t order, struct load *l)
{
    const struct table *t = r->t;
    struct dat key[TABLE_KEYS_MAX];
    struct evt *row = load_evt_of(l, t->type);
    if (!load_ok(l)) {
        return;
    }
    if (table_entry(row) != NULL) {
        load_fail(l, "a row of '" SLICE_FMT "' stands twice", SLICE_ARG(t->name));
        return;
    }
    for (uint32_t i = 0; i < t->n_keys; i++) {
        key[i] = row->p[t->key[i]];
    }
    struct entry *n = table_new_entry(r, row, table_hash(key, t->n_keys));
    *VEC_PUSH(&r->loaded) = (struct loaded){order, n};
    if (n->block != NULL) {
        agg_block_load(&t->layout, n->block, l);
    }
    cause_load(l, &n->live, &n->ever);
}

static void load_one(struct trows *r, struct load *l)
{
    uint64_t order = load_u(l);
    size_t space = load_space(l);
    load_row(r, order, l);
    load_space_end(l, space);
}

void table_load(struct trows *r, struct load *l, bool by_key)
{
    size_t n = by_key ? 0 : load_count(l, 2);
    for (size_t i = 0; i < n && load_ok(l); i++) {
        load_one(r, l);
    }
    while (by_key && load_more(l)) {
        load_one(r, l);
    }
}

/* By the bits of their order that are not the same in all; those that are equal stay as they are.
 * The rows are many: no memory but that of the two arrays is touched. */
static void sort(struct loaded **v, struct loaded **spare, size_t n)
{
    enum { BITS = 11, SIZE = 1 << BITS };
    uint64_t differ = 0;
    for (size_t i = 1; i < n; i++) {
        differ |= (*v)[i].order ^ (*v)[0].order;
    }
    for (unsigned shift = 0; shift < 64; shift += BITS) {
        size_t at[SIZE + 1] = {0};
        if ((differ >> shift & (SIZE - 1)) == 0) {
            continue;
        }
        for (size_t i = 0; i < n; i++) {
            at[((*v)[i].order >> shift & (SIZE - 1)) + 1]++;
        }
        for (size_t i = 0; i < SIZE; i++) {
            at[i + 1] += at[i];
        }
        for (size_t i = 0; i < n; i++) {
            (*spare)[at[(*v)[i].order >> shift & (SIZE - 1)]++] = (*v)[i];
        }
        struct loaded *was = *v;
        *v = *spare;
        *spare = was;
    }
}

void table_loaded(struct trows *r, struct load *l)
{
    const struct table *t = r->t;
    size_t n = r->loaded.len;
    struct loaded *v = r->loaded.ptr, *spare = mem_calloc(n + 1, sizeof *spare), *own = spare;
    sort(&v, &spare, n);
    if (!table_link_all(r, v, n)) {
        load_fail(l, "a row of '" SLICE_FMT "' stands twice", SLICE_ARG(t->name));
    }
    mem_free(own);
    VEC_DONE(&r->loaded);
}
