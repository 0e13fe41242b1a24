/* SPDX-License-Identifier: Apache-2.0
 *
 * Saving the groups of an aggregator, at once or in slices, and loading them. See aggr.h.
 */
#include "operators/graph/aggr_impl.h"

#include <assert.h>
#include <stdlib.h>

/* The aggregator itself, then those of calls with a local group_by. */
static struct aggregator *part_of(const struct aggregator *a, uint64_t i)
{
    if (i == 0) {
        return (struct aggregator *)(uintptr_t)a;
    }
    bool there = a->local != NULL && i <= a->layout->set->calls.len;
    return there ? a->local[i - 1] : NULL;
}

static uint64_t parts(const struct aggregator *a)
{
    return a->local != NULL ? a->layout->set->calls.len + 1 : 1;
}

void aggr_save(const struct aggregator *a, struct save *s)
{
    for (uint64_t i = 0; i < parts(a); i++) {
        const struct aggregator *p = part_of(a, i);
        save_u(s, p != NULL ? p->next_nr : 0);
    }
}

void aggr_load(struct aggregator *a, struct load *l)
{
    for (uint64_t i = 0; i < parts(a); i++) {
        struct aggregator *p = part_of(a, i);
        uint64_t nr = load_u(l);
        if (p != NULL) {
            p->next_nr = nr;
        }
    }
}

static void save_kept(const struct orow_kept *k, struct save *s)
{
    save_evt(s, k->nw);
    save_evt(s, k->old);
    save_val(s, k->nw_key != NULL ? dat_list(k->nw_key) : DAT_NONE);
    save_val(s, k->old_key != NULL ? dat_list(k->old_key) : DAT_NONE);
}

static void load_kept(struct orow_kept *k, struct load *l)
{
    struct evt *nw = load_evt(l), *old = load_evt(l);
    struct dat nw_key = load_val(l), old_key = load_val(l);
    k->nw = nw != NULL ? evt_keep(nw) : NULL;
    k->old = old != NULL ? evt_keep(old) : NULL;
    k->nw_key = nw_key.kind == DAT_LIST ? dat_keep(nw_key).l : NULL;
    k->old_key = old_key.kind == DAT_LIST ? dat_keep(old_key).l : NULL;
}

static void save_group_state(const struct aggregator *a, uint64_t part, struct group *g,
                             struct save *s)
{
    save_u(s, g->nr);
    save_bool(s, a->total == g);
    save_u(s, g->level);
    save_vals(s, g->key, a->n_keys);
    save_i(s, g->rows);
    save_bool(s, g->whole);
    save_bool(s, g->left);
    if (part > 0) {
        agg_call_save(a->layout->set->calls.ptr[part - 1],
                      agg_block_state(a->layout, aggr_block(g), (uint32_t)part - 1), s);
        return;
    }
    save_space(s);
    agg_block_save(a->layout, aggr_block(g), s);
    save_bool(s, g->row != NULL);
    for (uint32_t i = 0; g->row != NULL && i < a->width; i++) {
        save_evt(s, g->row[i]);
    }
    save_bool(s, g->touched);
    save_bool(s, g->seen);
    save_bool(s, g->has_first);
    if (g->kept != NULL) {
        save_i(s, g->kept->first_at);
        save_i(s, g->kept->first_in);
        save_i(s, g->kept->first_out);
        save_kept(&g->kept->out, s);
    }
    if (g->refs != NULL) {
        cause_refs_save(s, g->refs);
    } else if (g->live != NULL) {
        cause_live_save(s, g->live);
    } else if (g->ever != NULL) {
        cause_ever_save(s, g->ever);
    }
    save_space_end(s);
}

static struct group *load_group_head(struct aggregator *a, struct load *l)
{
    struct dat key[32];
    uint64_t nr = load_u(l);
    bool total = load_bool(l);
    uint64_t level = load_u(l);
    for (uint32_t i = 0; i < a->n_keys; i++) {
        key[i] = load_val_of(l, a->keys[i]->ty);
    }
    int64_t rows = load_i(l);
    bool whole = load_bool(l), left = load_bool(l);
    if (!load_ok(l) || level > UINT32_MAX || (total && a->total != NULL)) {
        load_fail(l, "a second total");
        return NULL;
    }
    uint64_t next = a->next_nr;
    struct group *g =
        aggr_add(a, key, total ? 0 : aggr_hash(key, a->n_keys, (uint32_t)level), (uint32_t)level);
    a->next_nr = next;
    a->total = total ? g : a->total;
    g->nr = nr;
    g->rows = rows;
    g->whole = whole;
    g->left = left;
    return g;
}

static void load_group_state(struct aggregator *a, uint64_t part, struct group *g, struct load *l)
{
    if (part > 0) {
        agg_call_load(a->layout->set->calls.ptr[part - 1],
                      agg_block_state(a->layout, aggr_block(g), (uint32_t)part - 1), l);
        return;
    }
    size_t space = load_space(l);
    agg_block_load(a->layout, aggr_block(g), l);
    if (load_bool(l)) {
        g->row = mem_calloc(a->width, sizeof(struct evt *));
        for (uint32_t i = 0; i < a->width; i++) {
            struct evt *e = load_evt(l);
            g->row[i] = e != NULL ? evt_keep(e) : NULL;
        }
    }
    g->touched = load_bool(l);
    g->seen = load_bool(l);
    g->has_first = load_bool(l);
    if (g->kept != NULL) {
        g->kept->first_at = load_i(l);
        g->kept->first_in = load_i(l);
        g->kept->first_out = load_i(l);
        load_kept(&g->kept->out, l);
    }
    if (g->refs != NULL) {
        cause_refs_load(l, g->refs);
    } else if (g->live != NULL) {
        cause_live_free(g->live);
        g->live = cause_live_load(l);
    } else if (g->ever != NULL) {
        cause_ever_load(l, g->ever);
    }
    load_space_end(l, space);
}

static void save_one(const struct aggregator *a, uint64_t part, struct group *g, struct save *s)
{
    save_group(s, a->n_keys > 0 ? save_group_of(g->key, a->n_keys) : SAVE_NO_GROUP);
    save_item(s, g->nr);
    save_u(s, part);
    save_group_state(a, part, g, s);
}

/* ---- in slices: groups in their order, but those first that are about to change ---- */

static bool is_done(const struct aggregator *a, const struct group *g)
{
    return (a->late_done.ptr[g->id / 64] >> (g->id % 64) & 1) != 0;
}

static size_t write_group(struct aggregator *a, struct group *g)
{
    struct save *s = save_late_to(a->late);
    save_one(a, 0, g, s);
    a->late_done.ptr[g->id / 64] |= 1ULL << (g->id % 64);
    return save_item_bytes(s);
}

/* To the next group that was there at the cut. */
static void move_on(struct aggregator *a)
{
    a->late_at = a->late_at->next;
    if (a->late_at == NULL || a->late_at->nr >= a->late_nr) {
        save_late_end(a->late);
        a->late = NULL;
        VEC_DONE(&a->late_done);
    }
}

void aggr_save_first(struct aggregator *a, struct group *g)
{
    if (g->nr < a->late_at->nr || g->nr >= a->late_nr) {
        return; /* it is written, or was not there */
    }
    if (!is_done(a, g)) {
        (void)write_group(a, g);
    }
    if (a->late_at == g) { /* which may go */
        move_on(a);
    }
}

static bool late_step(void *arg, size_t bytes)
{
    enum { LOOK = 32 }; /* what it costs to find that a group is written already */
    struct aggregator *a = arg;
    for (size_t n = 0; a->late != NULL && n < bytes;) {
        n += is_done(a, a->late_at) ? LOOK : write_group(a, a->late_at);
        move_on(a);
    }
    return a->late == NULL;
}

static void late_forget(void *arg)
{
    struct aggregator *a = arg;
    a->late = NULL;
    VEC_DONE(&a->late_done);
}

void aggr_save_rest(struct aggregator *a)
{
    while (a->late != NULL) {
        (void)late_step(a, SIZE_MAX);
    }
}

/* Whether a group may be written by itself. Events that causes are may be in many groups, and in
 * each they would be written; what values hold has no numbers. */
static bool stands_alone(const struct aggregator *a)
{
    const struct agg_set *set = a->layout->set;
    bool plain =
        a->local == NULL && vheap_numbers(a->heap) && (!a->causes || !a->windowed || a->queue);
    for (uint32_t i = 0; i < a->n_keys; i++) {
        plain = plain && a->keys[i]->ty.kind < TY_OBJECT;
    }
    for (size_t i = 0; plain && set != NULL && i < set->calls.len; i++) {
        const struct agg_call *c = set->calls.ptr[i];
        plain = c->def->takes_event || (!c->def->criteria && c->ty.kind < TY_OBJECT);
        for (uint32_t k = 0; plain && k < c->n_args; k++) {
            plain = c->args[k]->ty.kind < TY_OBJECT;
        }
    }
    return plain;
}

/* Roughly, and from below; many are not looked at one by one. */
static size_t size_of(const struct aggregator *a)
{
    enum { FEW = 32, REF = 16 };
    size_t n = 0;
    if (a->count > FEW || (a->layout->set != NULL && agg_set_grows(a->layout->set))) {
        return SIZE_MAX;
    }
    for (const struct group *g = a->first; g != NULL; g = g->next) {
        n += sizeof *g + a->layout->bytes +
             (g->refs != NULL ? (size_t)cause_refs_len(g->refs) * REF : 0);
    }
    return n;
}

static bool save_later_on(struct aggregator *a, struct save *s)
{
    static const struct save_late_ops ops = {late_step, late_forget};
    if (a->late != NULL || a->count == 0 || !stands_alone(a)) {
        return false;
    }
    a->late = save_node_later(s, &ops, a, size_of(a));
    if (a->late == NULL) {
        return false;
    }
    a->late_nr = a->next_nr;
    a->late_at = a->first;
    VEC_CLEAR(&a->late_done);
    for (size_t i = 0; i <= a->by_id.len / 64; i++) {
        *VEC_PUSH(&a->late_done) = 0;
    }
    return true;
}

void aggr_save_groups(struct aggregator *a, struct save *s, bool by_key)
{
    if (by_key && save_later_on(a, s)) {
        return;
    }
    for (uint64_t i = 0; i < parts(a); i++) {
        const struct aggregator *p = part_of(a, i);
        for (struct group *g = p != NULL ? p->first : NULL; g != NULL; g = g->next) {
            if (by_key) {
                save_one(p, i, g, s);
                continue;
            }
            save_bool(s, true);
            save_u(s, i);
            save_group_state(p, i, g, s);
        }
    }
    if (!by_key) {
        save_bool(s, false);
    }
}

void aggr_load_groups(struct aggregator *a, struct load *l, bool by_key,
                      void (*check)(void *arg, const struct group *g, struct load *l), void *arg)
{
    while (by_key ? load_more(l) : load_bool(l)) {
        uint64_t part = load_u(l);
        struct aggregator *p = part_of(a, part);
        struct group *g = p != NULL ? load_group_head(p, l) : NULL;
        if (g == NULL) {
            load_fail(l, "a group of no aggregation");
            return;
        }
        load_group_state(p, part, g, l);
        check(arg, g, l);
    }
}

static int by_nr(const void *a, const void *b)
{
    const struct group *x = *(struct group *const *)a, *y = *(struct group *const *)b;
    return x->nr < y->nr ? -1 : x->nr > y->nr;
}

static void put_in_order(struct aggregator *a)
{
    struct group **all = mem_calloc(a->count + 1, sizeof(struct group *));
    size_t n = 0;
    for (struct group *g = a->first; g != NULL; g = g->next) {
        all[n++] = g;
    }
    qsort(all, n, sizeof(struct group *), by_nr);
    a->first = a->last = NULL;
    for (size_t i = 0; i < n; i++) {
        all[i]->prev = a->last;
        all[i]->next = NULL;
        *(a->last != NULL ? &a->last->next : &a->first) = all[i];
        a->last = all[i];
        if (all[i]->left) {
            *VEC_PUSH(&a->left) = all[i];
        }
    }
    mem_free(all);
}

void aggr_loaded(struct aggregator *a)
{
    for (uint64_t i = 0; i < parts(a); i++) {
        struct aggregator *p = part_of(a, i);
        if (p != NULL) {
            put_in_order(p);
        }
    }
}

void aggr_numbers(const struct aggregator *a, const uint64_t *nr, size_t n, struct group **ret)
{
    struct group **all = mem_calloc(a->count + 1, sizeof(struct group *));
    size_t count = 0;
    for (struct group *g = a->first; g != NULL; g = g->next) {
        all[count++] = g;
    }
    for (size_t i = 0; i < n; i++) {
        struct group key = {.nr = nr[i]};
        const struct group *want = &key;
        struct group **found = bsearch(&want, all, count, sizeof(struct group *), by_nr);
        ret[i] = found != NULL ? *found : NULL;
    }
    mem_free(all);
}
