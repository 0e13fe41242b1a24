/* SPDX-License-Identifier: Apache-2.0
 *
 * See aggr.h.
 */
#include "operators/graph/aggr_impl.h"

#include <assert.h>
#include <stdlib.h>

enum {
    KEYS_MAX = 32,
    FETCH_MIN = 1024 /* groups; fewer are in the cache anyway */
};

static bool any_local(const struct agg_set *s)
{
    VEC_EACH (&s->calls, c) {
        if ((*c)->has_group_by) {
            return true;
        }
    }
    return false;
}

static struct aggregator *bare(const struct agg_layout *l, struct ex **keys, uint32_t n_keys,
                               uint32_t width, struct vheap *heap)
{
    struct aggregator *a = MEM_NEW(struct aggregator);
    *a = (struct aggregator){
        .layout = l, .keys = keys, .n_keys = n_keys, .width = width, .heap = heap};
    hidx_init(&a->index, sizeof(struct hidx_small));
    return a;
}

struct aggregator *aggr_new(const struct agg_layout *l, struct ex **keys, uint32_t n_keys,
                            uint32_t width, struct vheap *heap)
{
    struct aggregator *a = bare(l, keys, n_keys, width, heap);
    if (l->set != NULL && any_local(l->set)) {
        a->local = mem_calloc(l->set->calls.len, sizeof(struct aggregator *));
        for (size_t i = 0; i < l->set->calls.len; i++) {
            struct agg_call *c = l->set->calls.ptr[i];
            if (c->has_group_by) {
                a->local[i] = bare(l, c->group_by, c->n_group_by, width, heap);
            }
        }
    }
    return a;
}

void aggr_limit(struct aggregator *a, struct lim *lim)
{
    assert(a->count == 0);
    a->lim = lim;
    for (size_t i = 0; a->local != NULL && i < a->layout->set->calls.len; i++) {
        if (a->local[i] != NULL) {
            a->local[i]->lim = lim;
        }
    }
}

void aggr_causes(struct aggregator *a, bool windowed, bool queue)
{
    assert(a->count == 0 && (a->width == 1 || !queue));
    a->causes = true;
    a->windowed = windowed;
    a->queue = windowed && queue;
}

/* Of LIM_STATE, without what its aggregations keep. */
static uint64_t cost_of(const struct aggregator *a, const struct group *g)
{
    uint64_t sum = LIM_COST_GROUP + (uint64_t)LIM_COST_VALUE * a->n_keys +
                   (uint64_t)LIM_COST_CALL * a->layout->set->calls.len +
                   (a->keeps ? 3 * LIM_COST_EVENT : 0); /* a row of it, its text uncounted */
    for (uint32_t i = 0; i < a->n_keys; i++) {
        sum += lim_cost_of(g->key[i]);
    }
    return sum;
}

static void group_free(struct group *g)
{
    struct aggregator *a = g->of;
    if (a->n_keys > 0 && a->lim != NULL) {
        lim_sub(a->lim, LIM_STATE, cost_of(a, g));
    }
    for (uint32_t i = 0; i < a->n_keys; i++) {
        dat_drop(a->heap, g->key[i]);
    }
    if (g->row != NULL) {
        for (uint32_t i = 0; i < a->width; i++) {
            if (g->row[i] != NULL) {
                evt_drop(a->heap, g->row[i]);
            }
        }
        mem_free(g->row);
    }
    static const struct orow_kept nothing = {NULL, NULL, NULL, NULL};
    const struct orow_kept *out = g->kept != NULL ? &g->kept->out : &nothing;
    struct obj *held[] = {(struct obj *)out->nw, (struct obj *)out->old, (struct obj *)out->nw_key,
                          (struct obj *)out->old_key};
    for (size_t i = 0; i < ARRAY_LEN(held); i++) {
        if (held[i] != NULL) {
            obj_drop(a->heap, held[i]);
        }
    }
    if (a->n_keys > 0) {
        lim_sub(a->lim, LIM_GROUPS, 1);
    }
    agg_block_done(a->layout, aggr_block(g), a->heap);
    if (g->refs != NULL) {
        cause_refs_done(g->refs);
    }
    cause_live_free(g->live);
    mem_free(g->ever);
    mem_free(g);
}

void aggr_free(struct aggregator *a)
{
    if (a == NULL) {
        return;
    }
    aggr_save_rest(a);
    for (struct group *g = a->first, *next; g != NULL; g = next) {
        next = g->next;
        group_free(g);
    }
    if (a->local != NULL) {
        for (size_t i = 0; i < a->layout->set->calls.len; i++) {
            aggr_free(a->local[i]);
        }
        mem_free(a->local);
    }
    VEC_DONE(&a->left);
    VEC_DONE(&a->late_done);
    VEC_DONE(&a->by_id);
    VEC_DONE(&a->free_ids);
    hidx_done(&a->index);
    mem_free(a);
}

/* ---- the table of groups ---- */

static void enlist(struct aggregator *a, struct group *g)
{
    if (a->free_ids.len > 0) {
        g->id = a->free_ids.ptr[--a->free_ids.len];
    } else {
        (void)VEC_PUSH(&a->by_id);
        g->id = (uint32_t)a->by_id.len;
    }
    bool object = a->n_keys > 0 && dat_is_obj(g->key[0]);
    a->by_id.ptr[g->id - 1] = (struct entry){g, object ? g->key[0].o : NULL};
    ((struct hidx_small *)hidx_add(&a->index, g->hash))->what = g->id;
}

static void delist(struct aggregator *a, struct group *g)
{
    const struct hidx_small *found = NULL;
    HIDX_EACH (&a->index, g->hash, struct hidx_small, c) {
        if (c->what == g->id) {
            found = c;
            break;
        }
    }
    assert(found != NULL && "it was added");
    hidx_remove(&a->index, found);
    a->by_id.ptr[g->id - 1] = (struct entry){NULL, NULL};
    *VEC_PUSH(&a->free_ids) = g->id;
}

/* One piece: itself, keys, block, and the references its causes are. */
static struct group *make(struct aggregator *a)
{
    size_t refs_at = sizeof(struct group) + a->n_keys * sizeof(struct dat) + a->layout->bytes;
    size_t kept_at = refs_at + (a->queue ? sizeof(struct cause_refs) : 0);
    struct group *g = mem_zalloc_line(kept_at + (a->keeps ? sizeof(struct group_kept) : 0));
    a->touched_bytes = refs_at + (a->queue ? CAUSE_REFS_OFTEN : 0);
    g->of = a;
    g->kept = a->keeps ? (struct group_kept *)(void *)((char *)g + kept_at) : NULL;
    agg_block_init(a->layout, aggr_block(g));
    if (a->queue) {
        g->refs = (struct cause_refs *)(void *)((char *)g + refs_at);
    } else if (a->causes && a->windowed) {
        g->live = cause_live_new(a->heap, a->width > 1);
    } else if (a->causes) {
        g->ever = MEM_NEW(struct cause_ever);
    }
    return g;
}

struct group *aggr_add(struct aggregator *a, const struct dat *key, uint64_t hash, uint32_t level)
{
    struct group *g = make(a);
    g->nr = a->next_nr++;
    g->hash = hash;
    g->level = level;
    for (uint32_t i = 0; key != NULL && i < a->n_keys; i++) {
        g->key[i] = dat_keep(key[i]);
    }
    enlist(a, g);
    g->prev = a->last;
    *(a->last != NULL ? &a->last->next : &a->first) = g;
    a->last = g;
    a->count++;
    if (a->n_keys > 0) {
        lim_add(a->lim, LIM_GROUPS, 1);
    }
    if (a->n_keys > 0 && a->lim != NULL) {
        lim_add(a->lim, LIM_STATE, cost_of(a, g));
    }
    return g;
}

uint64_t aggr_hash(const struct dat *key, uint32_t n, uint32_t level)
{
    uint64_t hash = level * 0x9e3779b97f4a7c15ULL;
    for (uint32_t i = 0; i < n; i++) {
        hash = (hash ^ (hash >> 31)) * 0x9e3779b97f4a7c15ULL + dat_hash(key[i]);
    }
    return hash ^ (hash >> 29);
}

/* Short ones, as most keys are, without a call. */
static inline bool same_text(const struct vstr *a, const struct vstr *b)
{
    enum { WORD = sizeof(uint64_t) };
    size_t n = a->len;
    if (n != b->len) {
        return false;
    }
    if (n < WORD || n > (size_t)WORD * 2) {
        return memcmp(a->s, b->s, n) == 0;
    }
    uint64_t v[4]; /* the first and the last bytes of each: all of it */
    memcpy(&v[0], a->s, WORD);
    memcpy(&v[1], b->s, WORD);
    memcpy(&v[2], a->s + n - WORD, WORD);
    memcpy(&v[3], b->s + n - WORD, WORD);
    return ((v[0] ^ v[1]) | (v[2] ^ v[3])) == 0;
}

static inline bool key_same(struct dat a, struct dat b)
{
    if (a.kind == DAT_STRING && b.kind == DAT_STRING) { /* most of them */
        return a.s == b.s || same_text(a.s, b.s);
    }
    return dat_same(a, b);
}

static inline ALWAYS_INLINE bool is_of(const struct group *g, const struct dat *key, uint32_t n,
                                       uint64_t hash, uint32_t level)
{
    bool same = g->hash == hash && g->level == level;
    for (uint32_t i = 0; same && i < n; i++) {
        same = key_same(g->key[i], key[i]);
    }
    return same;
}

/* All of a group that its events touch, but what it points to. */
static inline void fetch(const struct aggregator *a, const struct group *g)
{
    for (size_t i = MEM_LINE; i < a->touched_bytes; i += MEM_LINE) {
        __builtin_prefetch((const char *)g + i);
    }
}

/* aggr_hash of one key at the first level. */
static inline uint64_t hash_of_one(struct dat key)
{
    uint64_t hash = dat_hash(key);
    return hash ^ (hash >> 29);
}

static inline void soon(const struct aggregator *a, uint64_t hash)
{
    struct hidx_spot first = hidx_spot(&a->index, hash);
    const struct hidx_small *c = (const struct hidx_small *)(void *)first.cells + first.i;
    if (c->what != 0 && c->hash == hidx_upper(hash)) { /* others are not worth a search */
        const struct entry *e = &a->by_id.ptr[c->what - 1];
        fetch(a, e->g);
        __builtin_prefetch(e->key0);
    }
}

void aggr_soon_of_key(const struct aggregator *a, struct dat key)
{
    if (a->count >= FETCH_MIN) {
        soon(a, hash_of_one(key));
    }
}

void aggr_soon_key(const struct aggregator *a, struct ectx *ctx)
{
    struct dat key[KEYS_MAX];
    if (a->count < FETCH_MIN) {
        return;
    }
    for (uint32_t i = 0; i < a->n_keys; i++) {
        const struct ex *e = a->keys[i];
        if (e->op != EX_PROP || e->level != 0) {
            return;
        }
        key[i] = ex_eval(e, ctx);
    }
    soon(a, aggr_hash(key, a->n_keys, 0));
}

/* The group of these keys, or NULL. */
static inline ALWAYS_INLINE struct group *look_up(const struct aggregator *a, const struct dat *key,
                                                  uint32_t n, uint64_t hash, uint32_t level)
{
    HIDX_EACH (&a->index, hash, struct hidx_small, c) {
        if (c->hash != hidx_upper(hash)) {
            continue;
        }
        const struct entry *e = &a->by_id.ptr[c->what - 1];
        __builtin_prefetch(e->key0);
        if (LIKELY(is_of(e->g, key, n, hash, level))) {
            return e->g;
        }
    }
    return NULL;
}

/* The keys of the row in ctx, their hash, the group or NULL. */
static struct group *find(struct aggregator *a, struct ectx *ctx, uint32_t level, uint32_t rolled,
                          struct dat *key, uint64_t *ret_hash)
{
    uint32_t n = a->n_keys;
    assert(n <= KEYS_MAX);
    for (uint32_t i = 0; i < n; i++) {
        key[i] = (rolled >> i) & 1u ? DAT_NONE : ex_quick(a->keys[i], ctx);
    }
    *ret_hash = aggr_hash(key, n, level);
    return look_up(a, key, n, *ret_hash, level);
}

/* What is found once more is often what was found before: who sends several events at once sends
 * them of one key. */
static inline bool is_recent(const struct aggregator *a, struct dat key)
{
    const struct group *g = a->recent;
    return g != NULL && key.kind == DAT_STRING && g->key[0].kind == DAT_STRING &&
           (key.s == g->key[0].s || (key.s->hash == g->key[0].s->hash && key.s->hash != 0 &&
                                     same_text(key.s, g->key[0].s)));
}

static inline ALWAYS_INLINE struct group *of_key(struct aggregator *a, struct dat key)
{
    assert(a->n_keys == 1);
    struct group *g = a->recent;
    if (!is_recent(a, key)) {
        uint64_t hash = hash_of_one(key);
        g = look_up(a, &key, 1, hash, 0);
        if (UNLIKELY(g == NULL)) {
            return aggr_add(a, &key, hash, 0);
        }
        a->recent = g;
    }
    aggr_change(a, g);
    return g;
}

struct group *aggr_of_key(struct aggregator *a, struct dat key)
{
    return of_key(a, key);
}

struct group *aggr_of_row(struct aggregator *a, struct ectx *ctx)
{
    return LIKELY(a->n_keys == 1) ? of_key(a, ex_quick(a->keys[0], ctx)) : aggr_group(a, ctx, 0, 0);
}

void aggr_touch(struct group *g)
{
    aggr_change(g->of, g);
}

bool aggr_in_order(const struct aggregator *a)
{
    return a->queue;
}

struct group *aggr_by_id(const struct aggregator *a, uint32_t id)
{
    struct group *g = id > 0 && id <= a->by_id.len ? a->by_id.ptr[id - 1].g : NULL;
    if (g != NULL) {
        aggr_change(a, g);
    }
    return g;
}

void aggr_soon_far(const struct aggregator *a, uint32_t id)
{
    if (id > 0 && id <= a->by_id.len) {
        __builtin_prefetch(&a->by_id.ptr[id - 1]);
    }
}

void aggr_soon_middle(const struct aggregator *a, uint32_t id)
{
    if (id > 0 && id <= a->by_id.len && a->by_id.ptr[id - 1].g != NULL) {
        fetch(a, a->by_id.ptr[id - 1].g);
        __builtin_prefetch(a->by_id.ptr[id - 1].key0);
    }
}

bool aggr_has(struct aggregator *a, struct ectx *ctx, uint32_t rolled)
{
    struct dat key[KEYS_MAX];
    uint64_t hash;
    return a->n_keys == 0 || find(a, ctx, 0, rolled, key, &hash) != NULL;
}

struct group *aggr_group(struct aggregator *a, struct ectx *ctx, uint32_t level, uint32_t rolled)
{
    struct dat key[KEYS_MAX];
    uint64_t hash;
    struct group *g = find(a, ctx, level, rolled, key, &hash);
    if (g != NULL) {
        aggr_change(a, g);
        return g;
    }
    g = aggr_add(a, key, hash, level);
    g->whole = rolled == (uint32_t)((1ULL << a->n_keys) - 1);
    return g;
}

struct group *aggr_total(struct aggregator *a)
{
    if (a->total == NULL) {
        a->total = aggr_add(a, NULL, 0, 0);
        a->total->whole = true;
    }
    aggr_change(a, a->total);
    return a->total;
}

static void drop(struct group *g)
{
    struct aggregator *a = g->of;
    delist(a, g);
    *(g->prev != NULL ? &g->prev->next : &a->first) = g->next;
    *(g->next != NULL ? &g->next->prev : &a->last) = g->prev;
    if (a->total == g) {
        a->total = NULL;
    }
    if (a->recent == g) {
        a->recent = NULL;
    }
    a->count--;
    group_free(g);
}

void aggr_keeps(struct aggregator *a)
{
    assert(a->count == 0);
    a->keeps = true;
}

void aggr_forgets(struct aggregator *a)
{
    a->forgets = true;
}

static void begin_anew(struct aggregator *a)
{
    for (size_t i = 0; i < a->left.len; i++) {
        struct group *g = a->left.ptr[i];
        aggr_change(a, g);
        g->left = false;
        if (g->rows > 0) {
            continue;
        }
        if (a->forgets && !g->touched) {
            drop(g);
        } else {
            agg_block_clear(a->layout, aggr_block(g), a->heap);
            if (g->live != NULL && cause_live_len(g->live) > 0) { /* it did not see all leave */
                cause_live_free(g->live);
                g->live = cause_live_new(a->heap, a->width > 1);
            }
        }
    }
    VEC_CLEAR(&a->left);
}

void aggr_tidy(struct aggregator *a)
{
    begin_anew(a);
}

/* The events of a row are causes of the group's values, or are no longer. */
static void cause_row(struct group *g, const struct ectx *ctx, bool enter)
{
    if (LIKELY(g->refs != NULL)) {
        struct eref r = ctx->row[0]->ref;
        enter ? cause_refs_enter(g->refs, r) : cause_refs_leave(g->refs, r);
        return;
    }
    if (g->ever != NULL && g->of->width == 1 && ctx->row[0] != NULL) {
        if (enter) {
            cause_ever_add(g->ever, ctx->now, ctx->row[0]);
        }
        return;
    }
    for (uint32_t i = 0; i < g->of->width; i++) {
        struct evt *e = ctx->row[i];
        if (e == NULL) {
            continue;
        }
        if (g->ever != NULL && enter) {
            cause_ever_add(g->ever, ctx->now, e);
        } else if (g->live != NULL && enter) {
            cause_live_enter(g->live, e);
        } else if (g->live != NULL) {
            cause_live_leave(g->live, e);
        }
    }
}

void aggr_enter(struct group *g, struct ectx *ctx)
{
    if (UNLIKELY(g->of->left.len > 0)) {
        begin_anew(g->of);
    }
    g->rows++;
    agg_block_enter(g->of->layout, aggr_block(g), ctx);
    if (UNLIKELY(g->of->causes)) {
        cause_row(g, ctx, true);
    }
}

void aggr_leave(struct group *g, struct ectx *ctx)
{
    g->rows--;
    agg_block_leave(g->of->layout, aggr_block(g), ctx);
    if (g->rows == 0 && !g->left && !g->whole) {
        g->left = true;
        *VEC_PUSH(&g->of->left) = g;
    }
    if (UNLIKELY(g->of->causes)) {
        cause_row(g, ctx, false);
    }
}

void aggr_cause_list(struct group *g, const struct cause_list *own, struct cause_list *to)
{
    if (LIKELY(g->refs != NULL)) {
        cause_refs_list(g->refs, own, to);
    } else if (g->live != NULL) {
        cause_live_list(g->live, own, to);
    } else if (g->ever != NULL) {
        cause_ever_list(g->ever, own, to);
    }
}

void aggr_local(struct aggregator *a, struct ectx *ctx, bool enter)
{
    if (a->local == NULL) {
        return;
    }
    for (uint32_t i = 0; i < a->layout->set->calls.len; i++) {
        if (a->local[i] == NULL) {
            continue;
        }
        struct group *g = aggr_group(a->local[i], ctx, 0, 0);
        void *state = (char *)aggr_block(g) + a->layout->offset[i];
        if (enter) {
            agg_call_enter(a->layout->set->calls.ptr[i], state, ctx);
        } else {
            agg_call_leave(a->layout->set->calls.ptr[i], state, ctx);
        }
    }
}

struct dat aggr_value(struct group *g, uint32_t slot, struct ectx *ctx)
{
    struct aggregator *a = g->of;
    if (a->local != NULL && a->local[slot] != NULL) {
        g = aggr_group(a->local[slot], ctx, 0, 0);
    }
    return agg_block_value(a->layout, aggr_block(g), slot, ctx);
}

struct group *aggr_first(struct aggregator *a)
{
    return a->first;
}

void aggr_keep_row(struct group *g, struct evt **row)
{
    struct aggregator *a = g->of;
    if (g->row == NULL) {
        g->row = mem_calloc(a->width, sizeof(struct evt *));
    }
    for (uint32_t i = 0; i < a->width; i++) {
        struct evt *was = g->row[i];
        g->row[i] = row[i] != NULL ? evt_keep(row[i]) : NULL;
        if (was != NULL) {
            evt_drop(a->heap, was);
        }
    }
}
