/* SPDX-License-Identifier: Apache-2.0
 *
 * See aggr.h.
 */
#include "operators/graph/aggr.h"

#include "core/base/mem.h"

#include <assert.h>
#include <stdlib.h>

enum {
    CELLS_MIN = 16,
    KEYS_MAX = 32,
    FETCH_MIN = 1024 /* groups; fewer are in the cache anyway */
};

struct cell {      /* of the table of groups; id 0: free */
    uint32_t hash; /* upper half */
    uint32_t id;
};

struct entry {
    struct group *g;        /* NULL: nobody has this id */
    const struct obj *key0; /* its first key, if that is an object */
};

struct aggregator {
    const struct agg_layout *layout;
    struct ex **keys;
    uint32_t n_keys, width;
    struct vheap *heap;
    struct lim *lim;              /* NULL: groups are not counted */
    bool causes, windowed, queue; /* groups know their causes; rows leave; in order */
    struct cell *cells;           /* open addressing; at most three of four are taken */
    size_t n_cells, count;
    size_t touched_bytes;    /* by events, of each group */
    VEC(struct entry) by_id; /* from id 1 on */
    VEC(uint32_t) free_ids;
    uint64_t next_nr;
    struct group *first, *last, *total;
    VEC(struct group *) left; /* those that begin anew with the next row */
    bool forgets, keeps;
    struct aggregator **local; /* per call with a group_by of its own; NULL for the others */
};

_Static_assert(offsetof(struct group, hash) == MEM_LINE, "what is touched begins a line");
_Static_assert(offsetof(struct group, key) % 16 == 0, "blocks are aligned to 16");

static inline void *block_of(struct group *g)
{
    return &g->key[g->of->n_keys];
}

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

static void group_free(struct group *g)
{
    struct aggregator *a = g->of;
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
    agg_block_done(a->layout, block_of(g), a->heap);
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
    VEC_DONE(&a->by_id);
    VEC_DONE(&a->free_ids);
    mem_free(a->cells);
    mem_free(a);
}

/* ---- the table of groups ---- */

static void cell_put(struct aggregator *a, uint64_t hash, uint32_t id)
{
    size_t i = hash & (a->n_cells - 1);
    while (a->cells[i].id != 0) {
        i = (i + 1) & (a->n_cells - 1);
    }
    a->cells[i] = (struct cell){(uint32_t)(hash >> 32), id};
}

static void grow(struct aggregator *a)
{
    mem_free(a->cells);
    a->n_cells = MAX((size_t)CELLS_MIN, a->n_cells * 2);
    a->cells = mem_calloc(a->n_cells, sizeof *a->cells);
    for (struct group *g = a->first; g != NULL; g = g->next) {
        cell_put(a, g->hash, g->id);
    }
}

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
    cell_put(a, g->hash, g->id);
}

/* Those behind it move up, so that searches end at the first free cell. */
static void delist(struct aggregator *a, struct group *g)
{
    size_t mask = a->n_cells - 1, gap = g->hash & mask;
    while (a->cells[gap].id != g->id) {
        assert(a->cells[gap].id != 0 && "it was added");
        gap = (gap + 1) & mask;
    }
    for (size_t i = (gap + 1) & mask; a->cells[i].id != 0; i = (i + 1) & mask) {
        size_t home = a->by_id.ptr[a->cells[i].id - 1].g->hash & mask;
        if (((i - home) & mask) >= ((i - gap) & mask)) {
            a->cells[gap] = a->cells[i];
            gap = i;
        }
    }
    a->cells[gap] = (struct cell){0, 0};
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
    agg_block_init(a->layout, block_of(g));
    if (a->queue) {
        g->refs = (struct cause_refs *)(void *)((char *)g + refs_at);
    } else if (a->causes && a->windowed) {
        g->live = cause_live_new(a->heap, a->width > 1);
    } else if (a->causes) {
        g->ever = MEM_NEW(struct cause_ever);
    }
    return g;
}

static struct group *add(struct aggregator *a, const struct dat *key, uint64_t hash, uint32_t level)
{
    if ((a->count + 1) * 4 > a->n_cells * 3) {
        grow(a);
    }
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
    return g;
}

static uint64_t hash_of(const struct dat *key, uint32_t n, uint32_t level)
{
    uint64_t hash = level * 0x9e3779b97f4a7c15ULL;
    for (uint32_t i = 0; i < n; i++) {
        hash = (hash ^ (hash >> 31)) * 0x9e3779b97f4a7c15ULL + dat_hash(key[i]);
    }
    return hash ^ (hash >> 29);
}

static inline bool key_same(struct dat a, struct dat b)
{
    if (a.kind == DAT_STRING && b.kind == DAT_STRING) { /* most of them */
        return a.s == b.s || (a.s->len == b.s->len && memcmp(a.s->s, b.s->s, a.s->len) == 0);
    }
    return dat_same(a, b);
}

static bool is_of(const struct group *g, const struct dat *key, uint32_t n, uint64_t hash,
                  uint32_t level)
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
    uint64_t hash = hash_of(key, a->n_keys, 0);
    const struct cell *c = &a->cells[hash & (a->n_cells - 1)];
    if (c->id != 0 && c->hash == (uint32_t)(hash >> 32)) { /* others are not worth a search */
        const struct entry *e = &a->by_id.ptr[c->id - 1];
        fetch(a, e->g);
        __builtin_prefetch(e->key0);
    }
}

/* The group of the row; if there is none, NULL, and its key and hash. */
static struct group *find(struct aggregator *a, struct ectx *ctx, uint32_t level, uint32_t rolled,
                          struct dat *key, uint64_t *ret_hash)
{
    uint32_t n = a->n_keys;
    assert(n <= KEYS_MAX);
    for (uint32_t i = 0; i < n; i++) {
        key[i] = (rolled >> i) & 1u ? DAT_NONE : ex_eval(a->keys[i], ctx);
    }
    uint64_t hash = hash_of(key, n, level);
    uint32_t upper = (uint32_t)(hash >> 32);
    size_t mask = a->n_cells - 1;
    *ret_hash = hash;
    if (a->count == 0) {
        return NULL;
    }
    for (size_t i = hash & mask; a->cells[i].id != 0; i = (i + 1) & mask) {
        if (a->cells[i].hash != upper) {
            continue;
        }
        const struct entry *e = &a->by_id.ptr[a->cells[i].id - 1];
        __builtin_prefetch(e->key0);
        if (LIKELY(is_of(e->g, key, n, hash, level))) {
            return e->g;
        }
    }
    return NULL;
}

struct group *aggr_by_id(const struct aggregator *a, uint32_t id)
{
    return id > 0 && id <= a->by_id.len ? a->by_id.ptr[id - 1].g : NULL;
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
        return g;
    }
    g = add(a, key, hash, level);
    g->whole = rolled == (uint32_t)((1ULL << a->n_keys) - 1);
    return g;
}

struct group *aggr_total(struct aggregator *a)
{
    if (a->total == NULL) {
        a->total = add(a, NULL, 0, 0);
        a->total->whole = true;
    }
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
        g->left = false;
        if (g->rows > 0) {
            continue;
        }
        if (a->forgets && !g->touched) {
            drop(g);
        } else {
            agg_block_clear(a->layout, block_of(g), a->heap);
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
    agg_block_enter(g->of->layout, block_of(g), ctx);
    if (UNLIKELY(g->of->causes)) {
        cause_row(g, ctx, true);
    }
}

void aggr_leave(struct group *g, struct ectx *ctx)
{
    g->rows--;
    agg_block_leave(g->of->layout, block_of(g), ctx);
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
        void *state = (char *)block_of(g) + a->layout->offset[i];
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
    return agg_block_value(a->layout, block_of(g), slot, ctx);
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

/* ---- state ---- */

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
                      agg_block_state(a->layout, block_of(g), (uint32_t)part - 1), s);
        return;
    }
    agg_block_save(a->layout, block_of(g), s);
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
        add(a, key, total ? 0 : hash_of(key, a->n_keys, (uint32_t)level), (uint32_t)level);
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
                      agg_block_state(a->layout, block_of(g), (uint32_t)part - 1), l);
        return;
    }
    agg_block_load(a->layout, block_of(g), l);
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
}

void aggr_save_groups(const struct aggregator *a, struct save *s, bool by_key)
{
    for (uint64_t i = 0; i < parts(a); i++) {
        const struct aggregator *p = part_of(a, i);
        for (struct group *g = p != NULL ? p->first : NULL; g != NULL; g = g->next) {
            if (by_key) {
                save_group(s, p->n_keys > 0 ? save_group_of(g->key, p->n_keys) : SAVE_NO_GROUP);
            } else {
                save_bool(s, true);
            }
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
