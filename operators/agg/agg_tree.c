/* SPDX-License-Identifier: Apache-2.0
 *
 * A treap: a search tree by key that is a heap by a number drawn from the node's place, so it stays
 * shallow whatever order values come in, and the same values give the same tree. Nodes lie in one
 * array and name each other by index; freed ones form a list by `left`. Every node knows the weight
 * of its subtree (multi: values counted as often as they are there), so the k-th is found in
 * O(log n). Depth is logarithmic, so recursion is safe.
 */
#include "core/base/mem.h"
#include "operators/agg/agg_impl.h"

#include <assert.h>

static inline uint32_t size_of(const struct agg_tree *t, uint32_t at)
{
    return at == 0 ? 0 : t->nodes[at].size;
}

static inline uint32_t weight(const struct agg_node *n, bool multi)
{
    return multi ? (uint32_t)n->n : 1;
}

static inline void sum_up(struct agg_tree *t, uint32_t at, bool multi)
{
    struct agg_node *n = &t->nodes[at];
    n->size = size_of(t, n->left) + size_of(t, n->right) + weight(n, multi);
}

static int key_cmp(const struct agg_tree *t, struct dat a, struct dat b)
{
    return t->cmp != NULL ? t->cmp(a, b, t->desc) : dat_cmp(a, b);
}

/* Order of (key, arrival). */
static int node_cmp(const struct agg_tree *t, struct dat key, uint64_t seq,
                    const struct agg_node *n, bool multi)
{
    int c = key_cmp(t, key, n->key);
    if (c != 0 || multi) {
        return c;
    }
    return seq < n->n ? -1 : seq > n->n;
}

static uint32_t new_node(struct agg_tree *t)
{
    if (t->free != 0) {
        uint32_t at = t->free;
        t->free = t->nodes[at].left;
        return at;
    }
    if (t->used + 1 >= t->cap) {
        t->cap = t->cap == 0 ? 4 : t->cap * 2;
        t->nodes = mem_realloc(t->nodes, t->cap * sizeof *t->nodes);
    }
    return ++t->used;
}

static uint32_t draw(uint32_t x)
{
    x *= 0x9e3779b1U;
    x ^= x >> 15;
    x *= 0x85ebca77U;
    x ^= x >> 13;
    x *= 0xc2b2ae3dU;
    return x ^ (x >> 16);
}

/* Everything before (key, seq) to the left, the rest to the right. */
static void split(struct agg_tree *t, uint32_t at, const struct agg_node *by, bool multi,
                  uint32_t *ret_left, uint32_t *ret_right)
{
    if (at == 0) {
        *ret_left = *ret_right = 0;
        return;
    }
    uint32_t half = 0;
    if (node_cmp(t, by->key, by->n, &t->nodes[at], multi) > 0) {
        split(t, t->nodes[at].right, by, multi, &half, ret_right);
        t->nodes[at].right = half;
        *ret_left = at;
    } else {
        split(t, t->nodes[at].left, by, multi, ret_left, &half);
        t->nodes[at].left = half;
        *ret_right = at;
    }
    sum_up(t, at, multi);
}

static uint32_t join(struct agg_tree *t, uint32_t l, uint32_t r, bool multi)
{
    if (l == 0 || r == 0) {
        return l == 0 ? r : l;
    }
    if (t->nodes[l].prio > t->nodes[r].prio) {
        t->nodes[l].right = join(t, t->nodes[l].right, r, multi);
        sum_up(t, l, multi);
        return l;
    }
    t->nodes[r].left = join(t, l, t->nodes[r].left, multi);
    sum_up(t, r, multi);
    return r;
}

static uint32_t insert(struct agg_tree *t, uint32_t at, uint32_t fresh, bool multi)
{
    struct agg_node *f = &t->nodes[fresh];
    if (at == 0 || t->nodes[at].prio < f->prio) {
        split(t, at, f, multi, &f->left, &f->right);
        sum_up(t, fresh, multi);
        return fresh;
    }
    struct agg_node *n = &t->nodes[at];
    if (node_cmp(t, f->key, f->n, n, multi) > 0) {
        n->right = insert(t, n->right, fresh, multi);
    } else {
        n->left = insert(t, n->left, fresh, multi);
    }
    sum_up(t, at, multi);
    return at;
}

static uint32_t find(const struct agg_tree *t, struct dat key)
{
    uint32_t at = t->root;
    while (at != 0) {
        int c = key_cmp(t, key, t->nodes[at].key);
        if (c == 0) {
            return at;
        }
        at = c < 0 ? t->nodes[at].left : t->nodes[at].right;
    }
    return 0;
}

/* Changes the weight of the node with that key; it is there. */
static void reweigh(struct agg_tree *t, struct dat key, int by)
{
    uint32_t at = t->root;
    for (;;) {
        struct agg_node *n = &t->nodes[at];
        int c = key_cmp(t, key, n->key);
        n->size = (uint32_t)((int64_t)n->size + by);
        if (c == 0) {
            n->n = (uint64_t)((int64_t)n->n + by);
            return;
        }
        at = c < 0 ? n->left : n->right;
    }
}

static void add(struct agg_tree *t, struct dat key, struct evt *ev, uint64_t n, uint64_t seq,
                bool multi)
{
    uint32_t at = new_node(t);
    t->nodes[at] = (struct agg_node){
        .key = dat_keep(key), .ev = ev, .n = n, .prio = draw((uint32_t)seq), .size = 1};
    if (ev != NULL) {
        (void)evt_keep(ev);
    }
    t->root = insert(t, t->root, at, multi);
}

static uint64_t cost_of(struct dat key, const struct evt *ev)
{
    return agg_cost(key) + (ev != NULL ? lim_cost(ev) : 0);
}

void agg_tree_add(struct agg_tree *t, struct vheap *h, struct dat key, struct evt *ev, bool multi)
{
    if (multi && find(t, key) != 0) {
        reweigh(t, key, 1);
        return;
    }
    t->seq++;
    lim_add(vheap_lim(h), LIM_STATE, cost_of(key, ev));
    add(t, key, ev, multi ? 1 : t->seq, t->seq, multi);
}

static uint32_t take_out(struct agg_tree *t, uint32_t at, struct dat key, uint64_t seq, bool multi)
{
    assert(at != 0);
    struct agg_node *n = &t->nodes[at];
    int c = node_cmp(t, key, seq, n, multi);
    if (c == 0) {
        return join(t, n->left, n->right, multi);
    }
    if (c < 0) {
        n->left = take_out(t, n->left, key, seq, multi);
    } else {
        n->right = take_out(t, n->right, key, seq, multi);
    }
    sum_up(t, at, multi);
    return at;
}

/* The event among those of that key: usually the oldest of them. */
static uint32_t find_event(const struct agg_tree *t, struct dat key, const struct evt *ev)
{
    uint32_t end = agg_tree_rank(t, key, true, false);
    for (uint32_t k = agg_tree_rank(t, key, false, false); k < end; k++) {
        const struct agg_node *n = agg_tree_at(t, k, false);
        if (n->ev == ev) {
            return (uint32_t)(n - t->nodes);
        }
    }
    return 0;
}

bool agg_tree_remove(struct agg_tree *t, struct vheap *h, struct dat key, struct evt *ev,
                     bool multi)
{
    uint32_t at = multi ? find(t, key) : find_event(t, key, ev);
    if (at == 0) {
        return false;
    }
    struct agg_node *n = &t->nodes[at];
    if (multi && n->n > 1) {
        reweigh(t, key, -1);
        return true;
    }
    t->root = take_out(t, t->root, n->key, n->n, multi);
    lim_sub(vheap_lim(h), LIM_STATE, cost_of(n->key, n->ev));
    dat_drop(h, n->key);
    if (n->ev != NULL) {
        evt_drop(h, n->ev);
    }
    n->left = t->free;
    t->free = at;
    return true;
}

const struct agg_node *agg_tree_at(const struct agg_tree *t, uint32_t k, bool multi)
{
    uint32_t at = t->root;
    assert(k < agg_tree_count(t));
    for (;;) {
        const struct agg_node *n = &t->nodes[at];
        uint32_t left = size_of(t, n->left), own = weight(n, multi);
        if (k < left) {
            at = n->left;
        } else if (k < left + own) {
            return n;
        } else {
            k -= left + own;
            at = n->right;
        }
    }
}

const struct agg_node *agg_tree_end(const struct agg_tree *t, bool last)
{
    uint32_t at = t->root, found = 0;
    while (at != 0) {
        found = at;
        at = last ? t->nodes[at].right : t->nodes[at].left;
    }
    return found == 0 ? NULL : &t->nodes[found];
}

uint32_t agg_tree_rank(const struct agg_tree *t, struct dat key, bool or_equal, bool multi)
{
    uint32_t at = t->root, rank = 0;
    while (at != 0) {
        const struct agg_node *n = &t->nodes[at];
        int c = key_cmp(t, n->key, key);
        if (c < 0 || (c == 0 && or_equal)) {
            rank += size_of(t, n->left) + weight(n, multi);
            at = n->right;
        } else {
            at = n->left;
        }
    }
    return rank;
}

static void each(const struct agg_tree *t, uint32_t at,
                 void (*fn)(void *arg, const struct agg_node *n), void *arg)
{
    if (at != 0) {
        each(t, t->nodes[at].left, fn, arg);
        fn(arg, &t->nodes[at]);
        each(t, t->nodes[at].right, fn, arg);
    }
}

void agg_tree_each(const struct agg_tree *t, void (*fn)(void *arg, const struct agg_node *n),
                   void *arg)
{
    each(t, t->root, fn, arg);
}

static void drop_one(void *arg, const struct agg_node *n)
{
    lim_sub(vheap_lim(arg), LIM_STATE, cost_of(n->key, n->ev));
    dat_drop(arg, n->key);
    if (n->ev != NULL) {
        evt_drop(arg, n->ev);
    }
}

void agg_tree_done(struct agg_tree *t, struct vheap *h)
{
    agg_tree_each(t, drop_one, h);
    mem_free(t->nodes);
    *t = (struct agg_tree){0};
}

/* ---- state: seq; number of nodes; each in order: key, n, and the event unless multi ---- */

struct writing {
    struct save *s;
    uint64_t count;
    bool multi;
};

static void count_one(void *arg, const struct agg_node *n)
{
    (void)n;
    ((struct writing *)arg)->count++;
}

static void save_one(void *arg, const struct agg_node *n)
{
    struct writing *w = arg;
    save_val(w->s, n->key);
    save_u(w->s, n->n);
    if (!w->multi) {
        save_evt(w->s, n->ev);
    }
}

void agg_tree_save(const struct agg_tree *t, struct save *s, bool multi)
{
    struct writing w = {s, 0, multi};
    agg_tree_each(t, count_one, &w);
    save_u(s, t->seq);
    save_u(s, w.count);
    agg_tree_each(t, save_one, &w);
}

static struct dat load_key(struct load *l, struct ty type, uint32_t parts)
{
    if (parts <= 1) {
        return load_val_of(l, type);
    }
    struct dat key = load_val_of(l, TY(LIST));
    if (key.kind != DAT_LIST || key.l->len != parts) {
        load_fail(l, "a key that is not of %u values", parts);
    }
    return key;
}

/* Whether a node may stand behind the last one. */
static bool follows(const struct agg_tree *t, struct dat key, uint64_t n, bool multi)
{
    const struct agg_node *last = agg_tree_end(t, true);
    if (multi && (n == 0 || n > UINT32_MAX - agg_tree_count(t))) {
        return false;
    }
    return (multi || n <= t->seq) && (last == NULL || node_cmp(t, key, n, last, multi) > 0);
}

void agg_tree_load(struct agg_tree *t, struct load *l, bool multi, struct ty type, uint32_t parts,
                   const struct etype *ev)
{
    t->seq = load_u(l);
    size_t many = load_count(l, multi ? 2 : 3);
    assert(t->root == 0);
    for (size_t i = 0; i < many; i++) {
        struct dat key = load_key(l, type, parts);
        uint64_t n = load_u(l);
        struct evt *e = multi ? NULL : load_evt_of(l, ev);
        if (!load_ok(l)) {
            return;
        }
        if (!follows(t, key, n, multi)) {
            load_fail(l, "values that are not in order");
            return;
        }
        lim_add(vheap_lim(load_heap(l)), LIM_STATE, cost_of(key, e));
        add(t, key, e, n, multi ? i + 1 : n, multi);
    }
}
