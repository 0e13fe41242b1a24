/* SPDX-License-Identifier: Apache-2.0
 *
 * A map of events by key that is saved in slices: see win_late.h. Nodes are written in the order in
 * which their keys came, each has a place in it. What a node held at the cut is put aside before it
 * holds another event or goes.
 */
#include "operators/window/win_gone.h"
#include "operators/window/win_late.h"
#include "operators/window/win_state.h"

#include <assert.h>

struct win_map_late {
    struct save_late *to;
    struct vheap *heap;
    struct win_node *at; /* the next one; NULL: none is left */
    uint64_t end;        /* places from there on were not there at the cut */
    size_t left;
    struct win_gones gone;
};

static void late_done(struct win_map *m)
{
    struct win_map_late *l = m->late;
    win_gones_done(&l->gone, l->heap, m->n_keys);
    mem_free(l);
    m->late = NULL;
}

static bool is_aside(const struct win_map *m, const struct win_node *n)
{
    return n->cut == m->cut;
}

static void write_one(struct win_map *m)
{
    struct win_map_late *l = m->late;
    assert(l->left > 0);
    while (l->at != NULL && is_aside(m, l->at)) {
        l->at = l->at->next;
    }
    uint64_t place = l->at != NULL ? MIN(l->at->place, l->end) : l->end;
    if (l->gone.v.len > 0 && l->gone.v.ptr[0].place < place) {
        struct win_gone g = win_gone_pop(&l->gone);
        win_map_save_event(save_late_to(l->to), g.e, g.key, m->n_keys);
        win_gone_let_go(l->heap, &g, m->n_keys);
    } else {
        assert(place < l->end);
        win_map_save_event(save_late_to(l->to), l->at->what, l->at->key, m->n_keys);
        l->at = l->at->next;
    }
    if (--l->left == 0) {
        save_late_end(l->to);
        late_done(m);
    }
}

static bool step(void *arg, size_t bytes)
{
    struct win_map *m = arg;
    for (size_t from = save_late_bytes(m->late->to); m->late != NULL;) {
        if (save_late_bytes(m->late->to) - from >= bytes) {
            return false;
        }
        write_one(m);
    }
    return true;
}

static void forget(void *arg)
{
    late_done(arg);
}

void win_late_save_map(struct win_map *m, struct vheap *h, struct save *s)
{
    enum { EVENT_BYTES = 64 }; /* from below */
    static const struct save_late_ops ops = {step, forget};
    bool may = m->by_key.count > 0 && m->late == NULL && vheap_numbers(h);
    save_u(s, m->by_key.count);
    struct save_late *to = may ? save_later(s, &ops, m, m->by_key.count * EVENT_BYTES) : NULL;
    if (to == NULL) {
        win_map_save_events(m, s);
        return;
    }
    m->cut++;
    m->late = MEM_NEW(struct win_map_late);
    *m->late = (struct win_map_late){
        .to = to, .heap = h, .at = m->first, .end = m->places, .left = m->by_key.count};
}

void win_late_node(struct win_map *m, struct win_node *n, bool goes)
{
    struct win_map_late *l = m->late;
    bool unwritten = l->at != NULL && n->place >= l->at->place && n->place < l->end;
    if (unwritten && !is_aside(m, n)) {
        struct win_gone g = {.place = n->place, .e = evt_keep(n->what)};
        g.key = mem_calloc(m->n_keys + 1, sizeof *g.key);
        for (uint32_t i = 0; i < m->n_keys; i++) {
            g.key[i] = dat_keep(n->key[i]);
        }
        win_gone_push(&l->gone, g);
        n->cut = m->cut;
    }
    if (goes && l->at == n) {
        l->at = n->next;
    }
}

void win_late_map_rest(struct win_map *m)
{
    while (m->late != NULL) {
        write_one(m);
    }
}
