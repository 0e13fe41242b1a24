/* SPDX-License-Identifier: Apache-2.0
 *
 * See win_state.h.
 */
#include "operators/window/win_state.h"

#include "core/base/mem.h"
#include "operators/window/win_image.h"
#include "operators/window/win_late.h"

#include <assert.h>

/* ---- rings: number of events; event, number ---- */

void win_ring_save(const struct win_ring *r, struct save *s)
{
    save_u(s, r->live);
    win_ring_save_events(r, s);
}

void win_ring_save_events(const struct win_ring *r, struct save *s)
{
    for (uint64_t i = r->head; i < r->tail; i++) {
        const struct win_slot *slot = win_ring_slot(r, i);
        if (slot->e != NULL) {
            save_evt_apart(s, slot->e);
            save_i(s, slot->at);
        }
    }
}

void win_ring_load(struct win_ring *r, struct load *l, const struct etype *type)
{
    size_t n = load_count(l, 2);
    assert(r->live == 0);
    for (size_t i = 0; i < n && load_ok(l); i++) {
        struct evt *e = load_evt_apart(l, type);
        int64_t at = load_i(l);
        if (load_ok(l)) {
            win_ring_push(r, e, at);
        }
    }
}

void win_held_save(struct view *v, struct save *s)
{
    if (v->pack != NULL) {
        win_pack_save(v->pack, s);
    } else {
        win_late_save(&((struct win_held *)(void *)v)->ring, v->env->heap, s);
    }
}

void win_held_load(struct view *v, struct load *l)
{
    if (v->pack != NULL) {
        win_pack_load(v->pack, l);
    } else {
        win_ring_load(&((struct win_held *)(void *)v)->ring, l, v->step->in);
    }
}

/* ---- batches: ring; events of the last batch ---- */

void win_batch_save(struct win_batch *b, struct save *s)
{
    win_late_save(&b->ring, b->w.v.env->heap, s);
    win_image_save_list(&b->image, b->w.v.env->heap, s, b->w.nw.ptr, b->w.nw.len);
}

void win_batch_load(struct win_batch *b, struct load *l)
{
    const struct etype *type = b->w.v.step->in;
    win_ring_load(&b->ring, l, type);
    size_t n = load_count(l, 1);
    for (size_t i = 0; i < n && load_ok(l); i++) {
        struct evt *e = load_evt_apart(l, type);
        if (load_ok(l)) {
            win_list_add(&b->w.nw, evt_keep(e));
        }
    }
}

/* ---- sizes, spans ---- */

void win_size_save(size_t size, struct save *s)
{
    save_u(s, size);
}

size_t win_size_load(struct load *l)
{
    uint64_t size = load_u(l);
    if (size < 1 || size > INT64_MAX) {
        load_fail(l, "a window for %llu events", (unsigned long long)size);
        return 1;
    }
    return (size_t)size;
}

void win_span_save(struct win_span span, struct save *s)
{
    save_i(s, span.months);
    save_i(s, span.ms);
}

struct win_span win_span_load(struct load *l)
{
    struct win_span span;
    span.months = load_i(l);
    span.ms = load_i(l);
    if (!win_span_ok(span)) {
        load_fail(l, "a period of %lld months and %lld ms", (long long)span.months,
                  (long long)span.ms);
        return (struct win_span){.months = 0, .ms = 1};
    }
    return span;
}

/* ---- maps: values of the key; event ---- */

void win_key_save(const struct win_map *m, const struct win_node *node, struct save *s)
{
    save_vals(s, node->key, m->n_keys);
}

struct win_node *win_key_load(struct win_map *m, struct load *l)
{
    struct dat key[WIN_KEYS_MAX];
    assert(m->n_keys <= WIN_KEYS_MAX);
    load_vals(l, key, m->n_keys);
    if (!load_ok(l)) {
        return NULL;
    }
    uint64_t hash = win_key_hash(key, m->n_keys);
    if (win_map_find(m, key, hash) != NULL) {
        load_fail(l, "a key stands twice");
        return NULL;
    }
    return win_map_add(m, key, hash);
}

void win_map_save_event(struct save *s, struct evt *e, const struct dat *key, uint32_t n_keys)
{
    save_evt_apart(s, e);
    save_space(s);
    save_vals(s, key, n_keys);
    save_space_end(s);
}

void win_map_save_events(const struct win_map *m, struct save *s)
{
    for (const struct win_node *n = m->first; n != NULL; n = n->next) {
        win_map_save_event(s, n->what, n->key, m->n_keys);
    }
}

void win_map_load_events(struct win_map *m, struct load *l, const struct etype *type)
{
    size_t n = load_count(l, 2);
    assert(m->by_key.count == 0);
    for (size_t i = 0; i < n; i++) {
        struct evt *e = load_evt_apart(l, type);
        size_t space = load_space(l);
        struct win_node *node = win_key_load(m, l);
        load_space_end(l, space);
        if (node == NULL) {
            return;
        }
        node->what = evt_keep(e);
    }
}

/* ---- sorted entries: event; values ---- */

void win_entry_save(const struct win_entry *x, const struct win_criteria *c, struct save *s)
{
    save_evt_apart(s, x->e);
    save_vals(s, x->by, c->n);
}

struct win_entry *win_entry_load(struct win_sorted *sorted, const struct win_criteria *c,
                                 struct load *l, const struct etype *type)
{
    struct dat by[WIN_KEYS_MAX];
    assert(c->n <= WIN_KEYS_MAX);
    struct evt *e = load_evt_apart(l, type);
    load_vals(l, by, c->n);
    if (!load_ok(l)) {
        return NULL;
    }
    struct win_entry *x = win_sorted_append(sorted, c, e, by);
    if (x == NULL) {
        load_fail(l, "events of a sorted window are not in order");
    }
    return x;
}

/* ---- sums: n, x, xx, y, yy, xy ---- */

void win_sums_save(const struct win_sums *sums, struct save *s)
{
    save_i(s, sums->n);
    save_f(s, sums->x);
    save_f(s, sums->xx);
    save_f(s, sums->y);
    save_f(s, sums->yy);
    save_f(s, sums->xy);
}

void win_sums_load(struct win_sums *sums, struct load *l)
{
    sums->n = load_i(l);
    sums->x = load_f(l);
    sums->xx = load_f(l);
    sums->y = load_f(l);
    sums->yy = load_f(l);
    sums->xy = load_f(l);
}
